//! The one form of a text: it says the same, and is its own one form.

use risk::language::{format, on_one_line, parse};

use crate::generate::{self, Random, Taste};
use crate::scale;

#[test]
fn what_is_formatted_says_the_same_and_stays_as_it_is() {
    let (pairs, seed) = scale(3_000);
    let mut random = Random(seed ^ 2);
    for _ in 0..pairs {
        let rule = generate::rule(&mut random, Taste { extremes: true });
        let line = on_one_line(&rule);
        assert_eq!(parse(&line).expect(&line).expr, rule, "{line}");
        let formatted = format(&line).expect("it parses");
        assert_eq!(parse(&formatted).expect(&formatted).expr, rule, "{formatted}");
        assert_eq!(format(&formatted).expect("it parses"), formatted);
    }
}

#[test]
fn comments_are_kept_wherever_they_stand() {
    let (pairs, seed) = scale(3_000);
    let mut random = Random(seed ^ 3);
    for _ in 0..pairs {
        let rule = generate::rule(&mut random, Taste { extremes: true });
        let (text, comments) = commented(&mut random, &on_one_line(&rule));
        let formatted = format(&text).expect(&text);
        let parsed = parse(&formatted).expect(&formatted);
        assert_eq!(parsed.expr, rule, "{text}\n->\n{formatted}");
        let mut kept: Vec<String> = parsed.comments.into_iter().map(|comment| comment.text).collect();
        kept.sort();
        assert_eq!(kept, comments, "{text}\n->\n{formatted}");
        assert_eq!(format(&formatted).expect("it parses"), formatted, "{text}");
    }
}

/// The text with comments between some of its tokens.
fn commented(random: &mut Random, line: &str) -> (String, Vec<String>) {
    let (mut text, mut comments) = (String::new(), Vec::new());
    for (place, word) in line.split(' ').enumerate() {
        // Texts in quotes have no spaces here, so a space lies between two tokens.
        text.push_str(if place == 0 { "" } else { " " });
        if random.one_in(6) {
            let comment = format!("why {place:03}");
            text.push_str(&format!("{}// {comment}\n", if random.one_in(2) { "\n  " } else { "" }));
            comments.push(comment);
        }
        text.push_str(word);
    }
    (text, comments)
}

#[test]
fn long_rules_stand_on_lines_of_their_own() {
    let cases = [
        (
            "a short one stays on its line",
            "amount>money( '5','CNY' )&&!pin_present",
            "amount > money(\"5\", \"CNY\") && !pin_present",
        ),
        ("parentheses that say nothing go", "((hour) < (5))", "hour < 5"),
        (
            "those that say something stay",
            "(hour < 5 || hour > 22) && pin_present",
            "(hour < 5 || hour > 22) && pin_present",
        ),
        (
            "a comment is above its part",
            "hour < 5 // at night\n&& pin_present",
            "// at night\nhour < 5\n&& pin_present",
        ),
        (
            "a chain in a chain is indented",
            "hour < 5 && (channel == \"pos\" ||\n // tills\n channel == \"atm\")",
            "hour < 5\n&& (\n    channel == \"pos\"\n    // tills\n    || channel == \"atm\"\n)",
        ),
        (
            "a long list is filled",
            "mcc in [5411,5412,5413,5414,5415,5416,5417,5418,5419,5420,5421,5422,5423,5424,5425,5426]",
            "mcc in [\n    5411, 5412, 5413, 5414, 5415, 5416, 5417, 5418, 5419, 5420, 5421, 5422, 5423, 5424,\n    5425, 5426\n]",
        ),
    ];
    for (name, text, want) in cases {
        assert_eq!(format(text).expect(name), want, "{name}");
    }
}
