//! Rules, lists and counters: the sample city's rules, fifty rules of which most are about others, fifty that are all
//! about the request and all fire; counting and taking back; blacklists of a million cards.

use std::hint::black_box;

use cardswitch::city::City;
use criterion::Criterion;
use risk::{
    Action, Assessment, Counters, Counts, Day, Entry, Facts, Limit, LimitOf, ListReason, Lists, Period,
    RegionOf, Rule, RuleId, RuleSet, Rules, Subject, Test,
};
use switch_benches::{fixture, proof};

use crate::bare::{random, random_key};

const CURRENCY: u16 = 156;
const TODAY: Day = Day(20_779);
/// Rules in the larger sets.
const RULES: usize = 50;
/// Attempts that the limits of the typical set allow.
const ATTEMPTS: u32 = 3;
/// Names in each list of a rule that is about many.
const NAMES: u16 = 20;

const CITY: (&str, u64) = ("city", 0);
const TYPICAL: (&str, u64) = ("50-typical", 0);
const WORST: (&str, u64) = ("50-worst", (1 << RULES) - 1);

pub(crate) fn risk(criterion: &mut Criterion) {
    let cards = if proof::measuring() { 100_000 } else { 1_000 };
    let mut counters = counters(cards);
    let city = City::open(&fixture("city")).expect("the sample city").rules().expect("its rules");
    let mut group = criterion.benchmark_group("risk");
    for ((name, fired), rules) in [(CITY, city), (TYPICAL, rules(false)), (WORST, rules(true))] {
        let rules = Rules::new(rules, CURRENCY).expect("rules");
        let set = RuleSet { rules, ..RuleSet::default() };
        let assessment = set.evaluate(&facts(0), &counters);
        assert_eq!(assessment, Assessment { decline: None, fired, notify: fired != 0 }, "{name}");
        proof::result(&format!("risk {name}"), assessment.fired.to_be_bytes());
        group.bench_function(format!("assess/{name}"), |bencher| {
            bencher.iter(|| set.evaluate(black_box(&facts(0)), &counters));
        });
    }
    prove_typical(&mut counters);
    prove_counting(&mut counters);
    let mut card = 0;
    group.bench_function("count", |bencher| {
        bencher.iter(|| {
            card = (card + 7_919) % cards;
            count(&mut counters, card);
        });
    });
    // Behind the measurement of counting, so that there is something to take back.
    group.bench_function("count-and-take-back", |bencher| {
        bencher.iter(|| {
            card = (card + 7_919) % cards;
            count(&mut counters, card);
            take_back(&mut counters, card);
        });
    });
    let listed = if proof::measuring() { 1_000_000 } else { 1_000 };
    let lists = lists(listed);
    for (name, first) in [("listed", 0), ("not-listed", listed)] {
        let mut at = 0;
        group.bench_function(format!("blacklist/{name}"), |bencher| {
            bencher.iter(|| {
                at = (at + 7_919) % listed;
                lists.find(&Facts { card: random_key(first + at), ..facts(0) })
            });
        });
    }
    group.finish();
}

/// The rules of the typical set that are about the request see a card that has tried too often, and no other does.
fn prove_typical(counters: &mut Counters) {
    let rules = Rules::new(rules(false), CURRENCY).expect("rules");
    let set = RuleSet { rules, ..RuleSet::default() };
    (0..ATTEMPTS).for_each(|_| count(counters, 2));
    let about =
        (0..RULES).filter(|place| is_typically_about(*place)).fold(0_u64, |mask, place| mask | 1 << place);
    assert_eq!(set.evaluate(&facts(2), counters).fired, about);
    proof::result("risk 50-typical, once too often", about.to_be_bytes());
}

/// Whether a rule of the typical set is about the request: the limit of a card's day.
fn is_typically_about(place: usize) -> bool {
    place % 5 == 1
}

/// The third purchase of a day is seen as the third, and is not once one was taken back.
fn prove_counting(counters: &mut Counters) {
    let third = rule(0, Test::NthAtMerchant { n: 3 });
    let rules = Rules::new(vec![third], CURRENCY).expect("a rule");
    let set = RuleSet { rules, ..RuleSet::default() };
    count(counters, 1);
    count(counters, 1);
    assert!(set.evaluate(&facts(1), counters).notify, "the third");
    take_back(counters, 1);
    assert!(!set.evaluate(&facts(1), counters).notify, "the second");
    let tally = counters.card_line(1).tally(Counts::Approved, Period::Year, TODAY);
    assert_eq!((tally.count, tally.sum), (1, facts(1).amount));
    proof::result("risk count", tally.sum.to_be_bytes());
}

fn count(counters: &mut Counters, card: u32) {
    let facts = facts(card);
    counters.attempt(&facts.who(), facts.day, facts.amount, facts.currency);
    counters.approve(&facts.who(), facts.day, facts.amount, facts.currency);
}

fn take_back(counters: &mut Counters, card: u32) {
    let facts = facts(card);
    counters.take_back(&facts.who(), facts.day, facts.amount, facts.currency, true);
}

pub(crate) fn facts(card: u32) -> Facts<'static> {
    Facts {
        card: random_key(0),
        bin: 915_600,
        terminal: *b"31000001",
        merchant: *b"898310054110001",
        now_ms: 0,
        day: TODAY,
        card_index: card,
        terminal_index: 0,
        merchant_index: 0,
        product: NAMES,
        category: 5_400 + NAMES,
        amount: 1_000,
        currency: CURRENCY,
        region: 310_101,
        card_regions: &[],
        product_regions: &[440_000],
    }
}

fn counters(cards: u32) -> Counters {
    let mut counters = Counters::new(CURRENCY);
    (0..cards).for_each(|_| counters.add_card());
    counters.add_terminal();
    (0..=NAMES).for_each(|_| counters.add_product());
    counters.reserve_visits(cards as usize);
    counters
}

/// Of the typical set one rule in five is about the request, and none fires; in the worst each is, by its last names,
/// and all do.
fn rules(worst: bool) -> Vec<Rule> {
    let limit = |of, period, count| {
        Test::Limit(Limit { of, period, counts: Counts::Attempts, count: Some(count), amount: None })
    };
    let most = if worst { 0 } else { ATTEMPTS };
    let tests = [
        Test::NthAtMerchant { n: if worst { 1 } else { 3 } },
        limit(LimitOf::Card, Period::Day, most),
        limit(LimitOf::Terminal, Period::Month, most),
        limit(LimitOf::Product, Period::Year, most),
        Test::Region { of: if worst { RegionOf::Product } else { RegionOf::Card } },
    ];
    let tests = tests.iter().cycle().take(RULES).enumerate();
    let rules = tests.map(|(place, test)| {
        let about = worst || is_typically_about(place);
        let last = if about { NAMES } else { NAMES - 1 };
        Rule {
            products: (0..=last).collect(),
            categories: (5_400..=5_400 + last).collect(),
            terminals: (0..NAMES)
                .map(|at| *format!("320000{at:02}").as_bytes().first_chunk().expect("eight"))
                .chain(about.then_some(*b"31000001"))
                .collect(),
            ..rule(place, *test)
        }
    });
    rules.collect()
}

/// A rule about everyone that tells.
pub(crate) fn rule(place: usize, test: Test) -> Rule {
    Rule {
        id: RuleId::new(&format!("rule-{place}")).expect("a word"),
        text: "a rule".into(),
        on: true,
        action: Action::Notify,
        products: Vec::new(),
        categories: Vec::new(),
        terminals: Vec::new(),
        test,
    }
}

/// The lists find every hundredth card for its reason, and none that is not listed.
fn lists(listed: u64) -> Lists {
    let mut lists = Lists::default();
    for at in 0..listed {
        lists.put(Subject::Card(random_key(at)), Entry { reason: ListReason::Fraud, expires_ms: None });
    }
    assert_eq!(lists.len() as u64, listed);
    for at in (0..listed).step_by(100) {
        let found = |at| lists.find(&Facts { card: random_key(at), ..facts(0) });
        assert_eq!((found(at), found(listed + at)), (Some(ListReason::Fraud), None));
    }
    proof::result("risk blacklist", random(listed));
    lists
}
