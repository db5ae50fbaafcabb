//! No text makes the reader, the formatter, the checker or the file reader panic or run away.

use proptest::prelude::*;
use risk::language::{Compiler, DEPTH_MAX, SIDES_MAX, TEXT_BYTES_MAX, format, on_one_line, parse};
use risk::rulebook::{Rulebook, format_file};

use crate::generate::{self, Random, Taste};

fn try_all(text: &str) {
    match parse(text) {
        Err(fault) => assert!(fault.span.start <= text.len() && !fault.to_string().is_empty()),
        Ok(parsed) => {
            // Parentheses and indents may lead past a limit.
            if let Ok(formatted) = format(text) {
                assert_eq!(parse(&formatted).expect(&formatted).expr, parsed.expr, "{text}");
                assert_eq!(format(&formatted).expect("it parses"), formatted, "{text}");
            }
            let mut compiler = Compiler::new(generate::names());
            if let Ok(checked) = compiler.check(&parsed.expr) {
                compiler.add(checked, None);
                compiler.finish().expect("one rule fits");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        try_all(&text);
        let _faults = Rulebook::read(&[&text]);
        let _faults = format_file(&text);
    }

    #[test]
    fn any_tokens_are_read_or_refused(places in prop::collection::vec(0..WORDS.len(), 0..60)) {
        let words: Vec<&str> = places.into_iter().map(|place| WORDS[place]).collect();
        try_all(&words.join(" "));
        try_all(&words.concat());
    }

    #[test]
    fn rules_with_changed_bytes_are_read_or_refused(seed: u64, changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut bytes = on_one_line(&generate::rule(&mut Random(seed), Taste { extremes: true })).into_bytes();
        for (place, byte) in changes {
            let place = place % bytes.len();
            match byte % 3 {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ if bytes.len() > 1 => _ = bytes.remove(place),
                _ => {}
            }
        }
        try_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn files_with_changed_bytes_are_read_or_refused(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        let mut bytes = crate::files::GOOD.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let text = String::from_utf8_lossy(&bytes);
        let _faults = Rulebook::read(&[&text]);
        if let Ok(formatted) = format_file(&text) {
            prop_assert_eq!(format_file(&formatted).expect("it was formatted"), formatted);
        }
    }
}

const WORDS: [&str; 40] = [
    "amount",
    "hour",
    "last.region",
    "card",
    "channel",
    "\"pos\"",
    "\"day\"",
    "'x'",
    "5",
    "-7",
    "0",
    "true",
    "false",
    "in",
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "(",
    ")",
    "[",
    "]",
    ",",
    "count",
    "approved",
    "money",
    "list",
    "has",
    "// why\n",
    "\n",
];

#[test]
fn what_is_past_a_limit_is_refused() {
    let nested = |levels: usize| format!("{}pin_present{}", "(".repeat(levels), ")".repeat(levels));
    let signs = |levels: usize| format!("{}pin_present", "!".repeat(levels));
    let sum = |sides: usize| format!("hour < {}1", "hour + ".repeat(sides - 1));
    let long = |bytes: usize| format!("{:<bytes$}", "pin_present");
    let cases = [
        ("levels", nested(DEPTH_MAX), nested(DEPTH_MAX + 1)),
        ("signs", signs(DEPTH_MAX), signs(DEPTH_MAX + 1)),
        ("sides", sum(SIDES_MAX), sum(SIDES_MAX + 1)),
        ("bytes", long(TEXT_BYTES_MAX), long(TEXT_BYTES_MAX + 1)),
    ];
    for (name, good, bad) in cases {
        assert!(parse(&good).is_ok(), "{name}: the most is allowed");
        assert!(parse(&bad).is_err(), "{name}: one more is not");
    }
    assert!(parse(&"[".repeat(TEXT_BYTES_MAX)).is_err() && parse(&"-".repeat(TEXT_BYTES_MAX)).is_err());
}
