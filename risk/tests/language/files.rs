//! Files of rules: what they say, what is wrong with them and where, and how a set is put together.

use risk::Day;
use risk::language::{Fact, Key, NamedList, Past, Request, Window};
use risk::rulebook::{BookError, Outcome, Reason, RuleState, Rulebook, format_file};

pub(crate) const GOOD: &str = r#"# The night's rules.
currency = "CNY"

[lists]
hot-cards = "card"

[[rule]]
id = "night-cash"
text = "much cash at night"
when = '''
channel == "atm" && hour < 5 // before the first bus
&& amount > money("2000.00", "CNY")
'''
outcome = "decline_and_notify"
priority = 20
reason = "suspected_fraud"
notice = "{amount} {currency} declined at {terminal}"
owner = "night shift"
from = 2026-11-22
until = 2026-12-31
state = "live"

[[rule]]
id = "third"
text = "third purchase at one merchant"
when = 'nth("day",card,merchant)==3'
outcome = "approve_and_notify"
priority = 20
notice = "third purchase at {merchant} today"
owner = "night shift"
state = "live"

[[rule]]
id = "hot"
text = "cards on the list"
when = 'card in list("hot-cards")'
outcome = "decline_and_capture"
priority = 10
reason = "stolen"
owner = "day shift"
state = "shadow"

[[rule]]
id = "someday"
text = "not yet"
when = 'last.speed > 900'
outcome = "pass"
priority = 999
owner = "day shift"
state = "draft"
"#;

/// A past in which every count is the same, and every card is listed.
struct Flat(i64);

impl Past for Flat {
    fn window(&self, _number: usize, _window: &Window, _request: &Request<'_>) -> i64 {
        self.0
    }

    fn listed(&self, _list: &NamedList, _key: Key<'_>) -> bool {
        true
    }
}

fn request(day: Day, hour: i64) -> Request<'static> {
    let mut request = Request::new(day);
    assert!(request.word(Fact::Channel, "atm"));
    request.currency(156);
    request.number(Fact::Amount, 200_001);
    request.number(Fact::Hour, hour);
    request.text(Fact::Card, b"token");
    request
}

#[test]
fn a_set_is_in_order_and_the_strongest_live_rule_decides() {
    let book = Rulebook::read(&[GOOD]).expect("it is good");
    let ids: Vec<&str> = book.evaluated().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["hot", "night-cash", "third"], "by priority, then by id; drafts are not among them");
    assert_eq!(book.rules()[1].reason, Some(Reason::SuspectedFraud));
    assert_eq!(book.rules()[3].state, RuleState::Draft);
    let (night, days) =
        (Day::of(2026, 11, 22), [Day::of(2026, 11, 21), Day::of(2026, 12, 31), Day::of(2027, 1, 1)]);
    let cases = [
        (
            "decline wins over notify, and a shadow rule has no effect",
            night,
            4,
            2,
            Outcome::DeclineAndNotify,
            Some(1),
            vec![0, 1, 2],
        ),
        ("by day only the third is told of", night, 5, 2, Outcome::ApproveAndNotify, Some(2), vec![0, 2]),
        ("nothing but a shadow rule", night, 5, 3, Outcome::Pass, None, vec![0]),
        ("the day before the first", days[0], 4, 3, Outcome::Pass, None, vec![0]),
        ("the last day", days[1], 4, 3, Outcome::DeclineAndNotify, Some(1), vec![0, 1]),
        ("the day after the last", days[2], 4, 3, Outcome::Pass, None, vec![0]),
    ];
    for (name, day, hour, count, outcome, rule, fired) in cases {
        let verdict = book.evaluate(&request(day, hour), &Flat(count));
        assert_eq!((verdict.outcome, verdict.rule), (outcome, rule), "{name}");
        assert_eq!(verdict.hits.fired.iter().collect::<Vec<_>>(), fired, "{name}");
        assert!(verdict.hits.not_applicable.is_empty(), "{name}");
    }
}

#[test]
fn the_hash_is_of_what_decides_and_of_nothing_else() {
    let hash = |text: &str| Rulebook::read(&[text]).expect(text).hash();
    let good = hash(GOOD);
    let (head, rules) = GOOD.split_at(GOOD.find("[[rule]]").expect("a rule"));
    let mut parts: Vec<&str> = rules.split_inclusive("\n\n").collect();
    parts.reverse();
    let same = [
        ("comments", GOOD.replace("# The night's", "# Some")),
        ("layout", format_file(GOOD).expect("it is good")),
        ("a draft", GOOD.replace("> 900", "> 800")),
        ("who answers for it", GOOD.replace("night shift", "late shift")),
        ("the order of rules", format!("{head}{}", parts.join("\n"))),
    ];
    for (name, text) in same {
        assert_eq!(hash(&text), good, "{name}");
    }
    let other = [
        ("a constant", GOOD.replace("2000.00", "2000.01")),
        ("a state", GOOD.replace("\"shadow\"", "\"live\"")),
        ("a priority", GOOD.replace("priority = 10", "priority = 11")),
        ("a reason", GOOD.replace("\"stolen\"", "\"lost\"")),
        ("a notice", GOOD.replace("purchase at {", "purchase in {")),
        ("a last day", GOOD.replace("2026-12-31", "2026-12-30")),
    ];
    for (name, text) in other {
        assert_ne!(hash(&text), good, "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_with_line_and_column() {
    let cases = [
        (
            "channel == \"atm\"",
            "chanel == \"atm\"",
            "11:1: rule night-cash, when: `chanel` is no field; did you mean `channel`?",
        ),
        (
            "\"2000.00\"",
            "\"2000.0\"",
            "12:19: rule night-cash, when: an amount has digits, and either all decimals of its currency or none: money(\"12.50\", \"CNY\")",
        ),
        (
            "nth(\"day\",",
            "nth(\"dya\",",
            "26:13: rule third, when: a window is \"day\", \"week\", \"month\" or \"year\" of the calendar, or slides: \"10m\", \"24h\", \"7d\", at most 31 days",
        ),
        (
            "'last.speed > 900'",
            "\"last.speed \\u003e mcc\"",
            "46:8: rule someday, when: `last.speed` (km/h) cannot be compared with `mcc` (a category code)",
        ),
        ("priority = 10", "priority = 1000", "38:12: rule hot, priority: must be 0, for the first, to 999"),
        (
            "\"stolen\"",
            "\"missing\"",
            "39:10: rule hot, reason: must be one of \"suspected_fraud\", \"amount_limit\", \"count_limit\", \"restricted\", \"lost\", \"stolen\"",
        ),
        ("reason = \"stolen\"\n", "", "37:11: rule hot, reason: must be given: this outcome declines"),
        (
            "notice = \"third",
            "reason = \"lost\"\nnotice = \"third",
            "29:10: rule third, reason: must be left out: this outcome does not decline",
        ),
        (
            "{terminal}",
            "{device.phone}",
            "17:43: rule night-cash, notice: `{device.phone}` cannot be told; a notice may name amount, currency, merchant, terminal, product, region, card, time",
        ),
        ("2026-12-31", "2026-11-21", "20:9: rule night-cash, until: must be no earlier than from"),
        ("2026-12-31", "\"soon\"", ""),
        (
            "2026-12-31",
            "2026-12-31T00:00:00Z",
            "20:9: rule night-cash, until: must be a day, such as 2026-12-31, without quotes",
        ),
        (
            "\"draft\"",
            "\"new\"",
            "50:9: rule someday, state: must be one of \"draft\", \"shadow\", \"live\", \"off\"",
        ),
        (
            "id = \"hot\"",
            "id = \"third\"",
            "34:6: rule third, id: stands a second time in this set; choose another",
        ),
        (
            "id = \"hot\"",
            "id = \"not good\"",
            "34:6: rule not good, id: must be 1 to 32 letters, digits, hyphens and underscores",
        ),
        (
            "\"CNY\"\n\n",
            "\"XXX\"\n\n",
            "2:12: currency: must be an alphabetic code of ISO 4217 that is known here, such as \"CNY\"",
        ),
        (
            "\"card\"\n",
            "\"hour\"\n",
            "5:13: lists: must be one of card, terminal, merchant, bin, device.psam, device.phone",
        ),
        ("priority = 10", "colour = 10", ""),
        ("[lists]", "[lists", ""),
    ];
    for (from, to, want) in cases {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let Err(BookError::Faults(faults)) = Rulebook::read(&[&text]) else { panic!("{from} becomes {to}") };
        let told: Vec<String> = faults.iter().map(|(_, fault)| fault.to_string()).collect();
        if want.is_empty() {
            // The TOML reader's own words: they name a line, and are not ours to hold.
            assert!(faults[0].1.place.line > 1 && !told[0].is_empty(), "{told:?}");
        } else {
            assert!(told.iter().any(|told| told == want), "{from} becomes {to}: {told:#?}");
        }
    }
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let bad = GOOD.replace("hour < 5", "huor < 5").replace("\"draft\"", "\"new\"");
    let Err(BookError::Faults(faults)) = Rulebook::read(&[&bad, GOOD, "currency = \"USD\""]) else {
        panic!("it is bad")
    };
    let places: Vec<(usize, usize)> = faults.iter().map(|(file, fault)| (*file, fault.place.line)).collect();
    // The list and the ids of what could be read stand twice; the last file counts in another currency.
    assert_eq!(places, [(0, 11), (0, 50), (1, 5), (1, 8), (1, 24), (1, 34), (2, 1)]);
}

#[test]
fn only_so_many_rules_are_evaluated_together() {
    let rules = |count: usize| {
        let rule = |place: usize| {
            format!(
                "[[rule]]\nid = \"r{place}\"\ntext = \"t\"\nwhen = 'mcc == {place} && hour == {}'\noutcome = \"pass\"\n\
                 priority = 1\nowner = \"o\"\nstate = \"live\"\n",
                place % 24
            )
        };
        (0..count).map(rule).collect::<String>()
    };
    assert_eq!(Rulebook::read(&[&rules(256)]).expect("as many as there can be").evaluated().count(), 256);
    let Err(error) = Rulebook::read(&[&rules(257)]) else { panic!("one too many") };
    assert_eq!(error.to_string(), "there are 257 rules, and room for 256");
}

#[test]
fn formatting_touches_the_conditions_alone() {
    let formatted = format_file(GOOD).expect("it is good");
    let want = GOOD
        .replace(
            "channel == \"atm\" && hour < 5 // before the first bus\n&& amount",
            "channel == \"atm\"\n// before the first bus\n&& hour < 5\n&& amount",
        )
        .replace("'nth(\"day\",card,merchant)==3'", "'nth(\"day\", card, merchant) == 3'");
    assert_eq!(formatted, want);
    assert_eq!(format_file(&formatted).expect("it is good"), formatted);
    let faults =
        format_file(&GOOD.replace("hour < 5", "hour <").replace("> 900", "=> 900")).expect_err("two faults");
    assert_eq!(faults.len(), 2);
}

#[test]
fn the_sample_is_a_good_set_in_its_one_form() {
    let sample = include_str!("../../../fixtures/rules/sample.toml");
    let book = Rulebook::read(&[sample]).expect("it is good");
    assert_eq!(book.rules().len(), 9);
    assert_eq!(format_file(sample).expect("it is good"), sample);
}
