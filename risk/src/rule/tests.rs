//! Rules as small scripts: requests one after another, and what each is answered.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{Day, Entry, ListReason, RuleSet, Subject};
use DeclineReason::{AmountLimit, CountLimit, Fraud, Region, Restricted};

/// A Monday.
const TODAY: Day = Day(20_780);

const FACTS: Facts<'static> = Facts {
    card: [7; 16],
    bin: 915_600,
    terminal: *b"31000001",
    merchant: *b"898310054110001",
    now_ms: 0,
    day: TODAY,
    card_index: 0,
    terminal_index: 0,
    merchant_index: 0,
    product: 0,
    category: 5_411,
    amount: 100,
    currency: 156,
    region: 310_101,
    card_regions: &[],
    product_regions: &[],
};

fn rule(action: Action, test: Test) -> Rule {
    Rule {
        id: RuleId::new("r").unwrap(),
        text: "a rule".into(),
        on: true,
        action,
        products: vec![],
        categories: vec![],
        terminals: vec![],
        test,
    }
}

fn declines(test: Test) -> Rule {
    rule(Action::Decline { as_fraud: false }, test)
}

fn notifies(test: Test) -> Rule {
    rule(Action::Notify, test)
}

const fn limit(of: LimitOf, period: Period, count: Option<u32>, amount: Option<i64>) -> Limit {
    let amount = match amount {
        Some(minor) => Some(AmountMax { minor, currency: 156 }),
        None => None,
    };
    Limit { of, period, counts: Counts::Approved, count, amount }
}

/// 5.00 a day for a card.
const DAY_500: Test = Test::Limit(limit(LimitOf::Card, Period::Day, None, Some(500)));
const THIRD: Test = Test::NthAtMerchant { n: 3 };

fn rule_set(rules: Vec<Rule>) -> RuleSet {
    let named = rules
        .into_iter()
        .enumerate()
        .map(|(place, rule)| Rule { id: RuleId::new(&format!("r{place}")).unwrap(), ..rule });
    RuleSet { rules: Rules::new(named.collect(), 156).unwrap(), ..RuleSet::default() }
}

fn counters() -> Counters {
    let mut counters = Counters::new(156);
    for _ in 0..2 {
        counters.add_card();
        counters.add_terminal();
        counters.add_product();
    }
    counters
}

/// Evaluates, then counts as the books do: every request as an attempt, and if not declined as approved.
fn ask(rules: &RuleSet, counters: &mut Counters, facts: &Facts<'_>) -> Assessment {
    let assessment = rules.evaluate(facts, counters);
    counters.attempt(&facts.who(), facts.day, facts.amount, facts.currency);
    if assessment.decline.is_none() {
        counters.approve(&facts.who(), facts.day, facts.amount, facts.currency);
    }
    assessment
}

fn of(amount: i64) -> Facts<'static> {
    Facts { amount, ..FACTS }
}

fn on(day: Day) -> Facts<'static> {
    Facts { day, ..FACTS }
}

struct Case {
    name: &'static str,
    rule: Rule,
    /// Requests, and the reason each is declined for.
    script: Vec<(Facts<'static>, Option<DeclineReason>)>,
}

#[test]
fn limits_hold() {
    let by = |of, period, count, amount| declines(Test::Limit(limit(of, period, count, amount)));
    let attempts = Limit { counts: Counts::Attempts, ..limit(LimitOf::Card, Period::Day, Some(2), None) };
    let tomorrow = Day(TODAY.0 + 1);
    let cases = [
        Case {
            name: "500 a day: 300 fits, 201 is too much, 200 fits, then nothing",
            rule: declines(DAY_500),
            script: vec![
                (of(300), None),
                (of(201), Some(AmountLimit)),
                (of(200), None),
                (of(1), Some(AmountLimit)),
            ],
        },
        Case {
            name: "an amount limit begins anew on the next day",
            rule: declines(DAY_500),
            script: vec![
                (of(500), None),
                (of(1), Some(AmountLimit)),
                (Facts { day: tomorrow, ..of(500) }, None),
            ],
        },
        Case {
            name: "a week ends on Sunday",
            rule: by(LimitOf::Card, Period::Week, Some(1), None),
            script: vec![
                (on(TODAY), None),
                (on(Day(TODAY.0 + 6)), Some(CountLimit)),
                (on(Day(TODAY.0 + 7)), None),
            ],
        },
        Case {
            name: "two approved a day: a third is one too many, a declined one does not count",
            rule: by(LimitOf::Card, Period::Day, Some(2), Some(150)),
            script: vec![
                (of(100), None),
                (of(100), Some(AmountLimit)),
                (of(50), None),
                (of(50), Some(CountLimit)),
            ],
        },
        Case {
            name: "attempts count whatever became of them, inquiries too",
            rule: declines(Test::Limit(attempts)),
            script: vec![(of(0), None), (of(5), None), (of(5), Some(CountLimit)), (of(0), Some(CountLimit))],
        },
        Case {
            name: "an inquiry exceeds no limit on approved authorizations",
            rule: by(LimitOf::Card, Period::Day, Some(1), Some(100)),
            script: vec![(of(100), None), (of(0), None)],
        },
        Case {
            name: "another currency neither meets an amount limit nor counts toward it",
            rule: declines(DAY_500),
            script: vec![
                (Facts { currency: 840, ..of(900) }, None),
                (of(500), None),
                (Facts { currency: 840, ..of(900) }, None),
            ],
        },
        Case {
            name: "another currency counts toward a limit in number",
            rule: by(LimitOf::Card, Period::Day, Some(1), None),
            script: vec![(Facts { currency: 840, ..FACTS }, None), (FACTS, Some(CountLimit))],
        },
        Case {
            name: "a card's limit is its own",
            rule: declines(DAY_500),
            script: vec![(of(500), None), (Facts { card_index: 1, ..of(500) }, None)],
        },
        Case {
            name: "a terminal's limit is for all cards at it",
            rule: by(LimitOf::Terminal, Period::Day, Some(1), None),
            script: vec![
                (FACTS, None),
                (Facts { card_index: 1, ..FACTS }, Some(CountLimit)),
                (Facts { terminal_index: 1, ..FACTS }, None),
            ],
        },
        Case {
            name: "a product's limit is for all its cards",
            rule: by(LimitOf::Product, Period::Year, None, Some(100)),
            script: vec![
                (FACTS, None),
                (Facts { card_index: 1, ..FACTS }, Some(AmountLimit)),
                (Facts { product: 1, ..FACTS }, None),
            ],
        },
        Case {
            name: "an amount beyond all sums is too much, not an overflow",
            rule: declines(DAY_500),
            script: vec![(of(500), None), (of(i64::MAX), Some(AmountLimit))],
        },
    ];
    check(cases);
}

#[test]
fn the_nth_at_a_merchant_is_the_nth_of_a_day() {
    let tomorrow = Day(TODAY.0 + 1);
    let cases = [
        Case {
            name: "the third fires, the first of the next day does not",
            rule: declines(THIRD),
            script: vec![(FACTS, None), (FACTS, None), (FACTS, Some(CountLimit)), (on(tomorrow), None)],
        },
        Case {
            name: "another merchant counts for itself",
            rule: declines(THIRD),
            script: vec![
                (FACTS, None),
                (FACTS, None),
                (Facts { merchant_index: 1, ..FACTS }, None),
                (FACTS, Some(CountLimit)),
            ],
        },
        Case {
            name: "an inquiry is not one of them",
            rule: declines(THIRD),
            script: vec![
                (FACTS, None),
                (of(0), None),
                (FACTS, None),
                (of(0), None),
                (FACTS, Some(CountLimit)),
            ],
        },
    ];
    check(cases);
}

#[test]
fn the_third_is_told_once_and_declined_for_the_rest_of_the_day() {
    let (rules, mut counters) = (rule_set(vec![notifies(THIRD)]), counters());
    let notified: Vec<bool> = (0..4).map(|_| ask(&rules, &mut counters, &FACTS).notify).collect();
    assert_eq!(notified, [false, false, true, false]);
}

#[test]
fn regions_hold() {
    let (card, product) = (Test::Region { of: RegionOf::Card }, Test::Region { of: RegionOf::Product });
    let cases = [
        Case {
            name: "no list is everywhere",
            rule: declines(card),
            script: vec![(FACTS, None), (Facts { region: 0, ..FACTS }, None)],
        },
        Case {
            name: "a card outside its regions is declined, for an inquiry too",
            rule: declines(card),
            script: vec![
                (Facts { card_regions: &[310_000], ..FACTS }, None),
                (Facts { card_regions: &[320_000], ..FACTS }, Some(Region)),
                (Facts { card_regions: &[320_000], ..of(0) }, Some(Region)),
            ],
        },
        Case {
            name: "a product's regions are not the card's",
            rule: declines(product),
            script: vec![
                (Facts { card_regions: &[320_000], ..FACTS }, None),
                (Facts { product_regions: &[310_104], ..FACTS }, Some(Region)),
            ],
        },
    ];
    check(cases);
}

#[test]
fn a_rule_is_about_what_it_names() {
    let always = || declines(Test::Limit(limit(LimitOf::Card, Period::Day, None, Some(1))));
    let cases = [
        Case {
            name: "a rule that is off does nothing",
            rule: Rule { on: false, ..always() },
            script: vec![(FACTS, None)],
        },
        Case {
            name: "only the products it names",
            rule: Rule { products: vec![1], ..always() },
            script: vec![(FACTS, None), (Facts { product: 1, ..FACTS }, Some(AmountLimit))],
        },
        Case {
            name: "only the categories it names",
            rule: Rule { categories: vec![4_111, 5_411], ..always() },
            script: vec![(FACTS, Some(AmountLimit)), (Facts { category: 5_912, ..FACTS }, None)],
        },
        Case {
            name: "only the terminals it names, and all lists must agree",
            rule: Rule { terminals: vec![*b"31000002"], categories: vec![5_411], ..always() },
            script: vec![
                (FACTS, None),
                (Facts { terminal: *b"31000002", ..FACTS }, Some(AmountLimit)),
                (Facts { terminal: *b"31000002", category: 5_912, ..FACTS }, None),
            ],
        },
        Case {
            name: "a rule may say suspected fraud instead",
            rule: Rule { action: Action::Decline { as_fraud: true }, ..always() },
            script: vec![(FACTS, Some(Fraud))],
        },
    ];
    check(cases);
}

fn check<const N: usize>(cases: [Case; N]) {
    for case in cases {
        let (rules, mut counters) = (rule_set(vec![case.rule]), counters());
        for (step, (facts, want)) in case.script.iter().enumerate() {
            let got = ask(&rules, &mut counters, facts);
            let fired = u64::from(want.is_some());
            let want = Assessment { decline: *want, fired, notify: false };
            assert_eq!(got, want, "{}, request {step}", case.name);
        }
    }
}

#[test]
fn decline_wins_over_notify_and_lists_over_rules() {
    let always = Test::Limit(limit(LimitOf::Card, Period::Day, None, Some(1)));
    let one_a_day = Test::Limit(limit(LimitOf::Card, Period::Day, Some(1), None));
    let here = Facts { card_regions: &[320_000], ..FACTS };
    let (region, none) = (Test::Region { of: RegionOf::Card }, vec![]);
    let listed = Some(ListReason::Restricted);
    let cases = [
        ("nothing at all passes", None, none, (None, 0, false)),
        ("a notify alone", None, vec![notifies(always)], (None, 0b1, true)),
        (
            "a decline after a notify",
            None,
            vec![notifies(always), declines(region)],
            (Some(Region), 0b11, false),
        ),
        (
            "the first decline gives the reason",
            None,
            vec![declines(always), declines(region)],
            (Some(AmountLimit), 0b11, false),
        ),
        (
            "a rule that does not fire leaves its bit",
            None,
            vec![declines(one_a_day), notifies(always)],
            (None, 0b10, true),
        ),
        (
            "a list wins, and the rules are recorded",
            listed,
            vec![notifies(always), declines(region)],
            (Some(Restricted), 0b11, false),
        ),
    ];
    for (name, listed, rules, (decline, fired, notify)) in cases {
        let mut rules = rule_set(rules);
        if let Some(reason) = listed {
            rules.lists.put(Subject::Card([7; 16]), Entry { reason, expires_ms: None });
        }
        assert_eq!(rules.evaluate(&here, &counters()), Assessment { decline, fired, notify }, "{name}");
    }
}

#[test]
fn sixty_four_rules_fit_and_one_more_does_not() {
    let many = |count: usize| {
        (0..count).map(|place| Rule {
            id: RuleId::new(&format!("r{place}")).unwrap(),
            ..notifies(Test::NthAtMerchant { n: 1 })
        })
    };
    assert_eq!(Rules::new(many(65).collect(), 156), Err(RuleError::TooMany));
    let rules = RuleSet { rules: Rules::new(many(64).collect(), 156).unwrap(), ..RuleSet::default() };
    let fired = rules.evaluate(&FACTS, &counters()).fired;
    assert_eq!(fired, u64::MAX);
    assert_eq!(rules.rules.fired(fired).count(), 64);
    let named: Vec<&str> = rules.rules.fired(1 << 63 | 1).map(|rule| rule.id.as_str()).collect();
    assert_eq!(named, ["r0", "r63"]);
}

#[test]
fn a_set_is_refused_where_a_rule_would_be_mistaken_or_never_fire() {
    let twice = Rules::new(vec![notifies(THIRD), declines(DAY_500)], 156).unwrap_err();
    assert_eq!(twice.to_string(), "rule r, id: another rule has it");
    let currency = Rules::new(vec![declines(DAY_500)], 840).unwrap_err();
    assert_eq!(currency.to_string(), "rule r, currency: must be the currency in which the city counts");
    assert!(
        Rules::new(vec![declines(Test::Limit(limit(LimitOf::Card, Period::Day, Some(1), None)))], 840)
            .is_ok()
    );
}

#[test]
fn ids_are_words() {
    let cases = [("a", true), ("third-at_Merchant9", true), ("", false), ("two words", false), ("é", false)];
    for (text, right) in cases {
        assert_eq!(RuleId::new(text).is_ok(), right, "{text:?}");
    }
    assert!(RuleId::new(&"x".repeat(RULE_ID_CHARS_MAX)).is_ok());
    assert!(RuleId::new(&"x".repeat(RULE_ID_CHARS_MAX + 1)).is_err());
}

#[test]
fn a_rule_is_the_same_after_it_was_recorded() {
    let rule = Rule { terminals: vec![*b"31000001"], categories: vec![5_411], ..declines(DAY_500) };
    let bytes = postcard::to_allocvec(&rule).unwrap();
    assert_eq!(postcard::from_bytes::<Rule>(&bytes).unwrap(), rule);
    // The id comes first: its length, then its text.
    assert_eq!(bytes[..2], *b"\x01r");
    let spoiled = [b"\x01 ", &bytes[2..]].concat();
    assert!(postcard::from_bytes::<Rule>(&spoiled).is_err(), "an id is checked wherever it comes from");
}
