//! What is wrong with a text is told with its place and with what to do next.

use risk::language::{Compiler, Place, parse};

use crate::generate;

fn complaint(text: &str) -> String {
    let mut compiler = Compiler::new(generate::names());
    let checked = parse(text).and_then(|parsed| compiler.check(&parsed.expr));
    let fault = checked.map(|_| ()).expect_err(text);
    assert!(fault.span.start <= text.len() && fault.span.end <= text.len(), "{text}: {:?}", fault.span);
    format!("{}: {fault}", Place::of(text, fault.span.start))
}

#[test]
fn errors_name_the_place_the_type_and_the_nearest_name() {
    let cases = [
        ("", "1:1: expected a field, a number, a text, a function or `(`, found the end of the rule"),
        ("amount >", "1:9: expected a field, a number, a text, a function or `(`, found the end of the rule"),
        ("amont > 5", "1:1: `amont` is no field; did you mean `amount`?"),
        ("pin_present &&\n  speed > 900", "2:3: `speed` is no field; did you mean `last.speed`?"),
        ("weather == 5", "1:1: `weather` is no field"),
        (
            "amount > 500",
            "1:1: money of the request cannot be compared with a number; write money(\"12.50\", \"CNY\")",
        ),
        (
            "sum(approved, \"day\", card) > money(\"5\", \"USD\")",
            "1:1: money in CNY cannot be compared with money in USD; nothing here knows a rate",
        ),
        (
            "money(\"12.5\", \"CNY\") < amount",
            "1:7: an amount has digits, and either all decimals of its currency or none: money(\"12.50\", \"CNY\")",
        ),
        ("amount > money(\"5\", \"CNX\")", "1:21: `CNX` is no currency known here; did you mean `CNY`?"),
        ("channel == \"till\"", "1:12: `till` is no channel; it is one of pos, epos, atm"),
        ("channel == \"ep0s\"", "1:12: `ep0s` is no channel; did you mean `epos`?"),
        ("channel < \"pos\"", "1:1: `channel` (a word) cannot be compared with a text in quotes"),
        ("mcc == 54110", "1:8: `mcc` is 0 to 9999, so this is always the same"),
        ("hour in [22, 24]", "1:14: `hour` is 0 to 23, so this is always the same"),
        ("hour < age.card_days", "1:1: `hour` (hours) cannot be compared with `age.card_days` (days)"),
        (
            "card == \"4111\"",
            "1:1: `card` (a key) cannot be compared with a text in quotes; look it up in a list: `card in list(\"name\")`",
        ),
        ("card in list(\"hotcards\")", "1:14: `hotcards` is no list of this file; did you mean `hot-cards`?"),
        (
            "terminal in list(\"hot-cards\")",
            "1:1: expected `card`, of which this is a list, found `terminal` (a text)",
        ),
        ("hour in list(\"bins\")", "1:1: expected something that lists are made of, found `hour` (hours)"),
        (
            "count(\"day\", card) > 1",
            "1:7: expected what is counted, such as `approved`, found something else",
        ),
        (
            "count(aproved, \"day\", card) > 1",
            "1:7: `aproved` is no thing that is counted; did you mean `approved`?",
        ),
        (
            "count(approved, \"2 days\", card) > 1",
            "1:17: a window is \"day\", \"week\", \"month\" or \"year\" of the calendar, or slides: \"10m\", \"24h\", \"7d\", at most 31 days",
        ),
        (
            "count(approved, \"day\", amount) > 1",
            "1:24: counted is by `card`, `terminal`, `merchant`, `product`, `bin`, or `card, merchant`",
        ),
        ("count(approved) > 1", "1:1: `count` is written `count(approved, \"day\", card)`"),
        (
            "sum(declined, \"day\", card) > money(\"1\", \"CNY\")",
            "1:5: sums are kept of approved and attempts alone; use count()",
        ),
        ("distinct(card, \"day\", card) > 1", "1:10: this is one for each; count it by something else"),
        (
            "nth(\"year\", card, merchant) == 3",
            "1:5: distinct() and `card, merchant` go back a month at most; write \"month\" or a sliding window",
        ),
        ("cuont(approved, \"day\", card) > 1", "1:1: `cuont` is no function; did you mean `count`?"),
        ("approved > 1", "1:1: this word says what count() and sum() count, and stands there alone"),
        ("has(amount)", "1:5: this field is never missing; leave has() out"),
        ("within(hour, [310000])", "1:8: expected `region` or `last.region`, found `hour` (hours)"),
        (
            "region in allowed.card",
            "1:11: behind `in` stands [a, b] or list(\"name\"); regions are asked by within()",
        ),
        ("hour in []", "1:9: nothing is in an empty list"),
        ("hour", "1:1: expected yes or no, found `hour` (hours)"),
        (
            "hour / 0 == 1",
            "1:8: what is divided by must be a constant other than 0; multiply the other side instead",
        ),
        (
            "hour / hour == 1",
            "1:8: what is divided by must be a constant other than 0; multiply the other side instead",
        ),
        ("1 < 2", "1:1: this is true for every request; a rule has to look at something that differs"),
        (
            "pin_present && false",
            "1:1: this is false for every request; a rule has to look at something that differs",
        ),
        ("1 < hour < 5", "1:10: comparisons are not chained; write `a < b && b < c`"),
        ("hour = 5", "1:6: `=` is no comparison; write `==`"),
        ("hour < 5 & pin_present", "1:10: `&` is written twice: `&&`"),
        (
            "pin_present ? true : false",
            "1:13: there is no `a ? b : c`; write two rules, or `(a && b) || (!a && c)`",
        ),
        ("hour < 5.5", "1:8: numbers are whole; an amount of money is written money(\"12.50\", \"CNY\")"),
        ("hour < 99999999999999999999", "1:8: this number is too large; the largest is 9223372036854775807"),
        (
            "product == \"a",
            "1:12: a text in quotes ends on its line, and has neither quotes nor backslashes in it",
        ),
        ("(hour < 5", "1:10: expected `)`, found the end of the rule"),
        ("hour < 5 pin_present", "1:10: expected `&&`, `||` or the end of the rule, found `pin_present`"),
        ("hour < 5 // '''", "1:10: a comment has neither control characters nor three apostrophes in a row"),
        ("hour < 5 § 3", "1:10: this character has no place in a rule outside of quotes"),
    ];
    for (text, want) in cases {
        assert_eq!(complaint(text), want, "{text}");
    }
}

#[test]
fn a_sum_needs_a_currency() {
    let mut compiler = Compiler::default();
    let parsed = parse("sum(approved, \"day\", card) > money(\"5\", \"CNY\")").expect("it parses");
    let fault = compiler.check(&parsed.expr).expect_err("no currency");
    assert!(fault.to_string().starts_with("sums need `currency"), "{fault}");
}
