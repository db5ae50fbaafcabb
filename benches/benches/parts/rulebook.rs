//! Published rules: sets of fifty, typical and worst, and of two hundred; then what a set says, and the whole step that
//! risk takes for a request, in a city of ten million cards and a hundred thousand terminals with a million numbers on
//! its lists.
//!
//! Of the typical sets every rule asks about the request first and something else of what came before, as analysts
//! write them, and none fires. Of the worst set each rule has to look at all it names, and fires.

use std::{fmt::Write, hint::black_box};

use criterion::Criterion;
use risk::{
    Counters, Day, Entry, ListReason, Lists, RegionOf, RuleSet, Rules, Subject, Test,
    language::{Fact, Key, NamedList, Of, Request},
    past::{Happened, History, Keep, Marks, Place, Whose},
    rulebook::{Rulebook, Verdict},
};

use crate::{
    bare::random_key,
    risk::{facts, rule},
};
use switch_benches::proof;

const CURRENCY: u16 = 156;
const TODAY: Day = Day(20_779);
const NOW_MS: i64 = 1_795_305_600_000;
/// Requests that came before, of cards and terminals all over the city.
const BEFORE: u32 = 2_000_000;

/// Most rules of a set.
const RULES_MAX: usize = 256;

/// What a measuring run, and one that only tries everything, works with.
struct Size {
    cards: u32,
    terminals: u32,
    listed: u64,
    before: u32,
}

pub(crate) fn rulebook(criterion: &mut Criterion) {
    let size = if proof::measuring() {
        Size { cards: 10_000_000, terminals: 100_000, listed: 1_000_000, before: BEFORE }
    } else {
        Size { cards: 1_000, terminals: 100, listed: 1_000, before: 1_000 }
    };
    let mut group = criterion.benchmark_group("rulebook");
    for (name, rules, worst) in
        [("50-typical", 50, false), ("50-worst", 50, true), ("200-typical", 200, false)]
    {
        let book = set(rules, worst);
        let past = history(&book, &Size { cards: 100, terminals: 10, before: 1_000, ..size });
        let asked = Asked { book: &book, past: &past };
        let fired = fired(&asked.verdict(3, &Lists::default()));
        assert_eq!(fired, if worst { rules } else { 0 }, "{name}");
        proof::result(&format!("rulebook {name}"), fired.to_be_bytes());
        let none = Lists::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| asked.verdict(black_box(3), &none));
        });
    }
    let lists = lists(size.listed);
    let book = set(50, true);
    let mut city = City {
        past: history(&book, &size),
        counters: counters(&size),
        old: own_rules(),
        lists,
        book,
        at: 0,
        size,
    };
    proof::told("rulebook past", &format!("{} bytes for {} requests", city.past.bytes(), city.size.before));
    let fired: usize = (0..100).map(|_| fired(&city.step())).sum();
    assert_eq!(fired, 100 * 50, "each of the worst rules, each time");
    proof::result("rulebook step", fired.to_be_bytes());
    group.bench_function("city/50-worst", |bencher| bencher.iter(|| city.verdict()));
    group.bench_function("step/50-worst", |bencher| bencher.iter(|| city.step()));
    group.finish();
}

/// A set and what came before.
struct Asked<'a> {
    book: &'a Rulebook,
    past: &'a History,
}

impl Asked<'_> {
    /// What the set says of a request of a card.
    fn verdict(&self, card: u32, lists: &Lists) -> Verdict {
        // The first are those on the list.
        let token = random_key(lists.len() as u64 + u64::from(card));
        let whose = whose(card, card % 10);
        let mut request = request(&token, card);
        let listed = |_: &NamedList, key: Key<'_>| match key {
            Key::Text(text) => {
                text.try_into().is_ok_and(|token| lists.listed(&Subject::Card(token), NOW_MS).is_some())
            }
            Key::Number(_) => false,
        };
        let before = self.past.before(&whose, NOW_MS, TODAY, listed);
        before.tell(&Place { region: 310_101, spot: None }, &mut request);
        self.book.evaluate(&request, &before)
    }
}

/// How many rules fired.
fn fired(verdict: &Verdict) -> usize {
    (0..RULES_MAX).filter(|place| verdict.hits.fired.contains(*place)).count()
}

/// Everything that risk looks at for a request.
struct City {
    book: Rulebook,
    past: History,
    counters: Counters,
    old: RuleSet,
    lists: Lists,
    at: u32,
    size: Size,
}

impl City {
    /// What the set says of the next request, of another card: nothing of it has been looked at lately.
    fn verdict(&mut self) -> Verdict {
        self.at = self.at.wrapping_add(7_919);
        Asked { book: &self.book, past: &self.past }.verdict(self.at % self.size.cards, &self.lists)
    }

    /// The whole step for the next request: the blacklist, the city's own rules, the published set, and what is kept
    /// of it for the next. What the set said.
    fn step(&mut self) -> Verdict {
        self.at = self.at.wrapping_add(7_919);
        let (card, terminal) = (self.at % self.size.cards, self.at % self.size.terminals);
        let token = random_key(self.size.listed + u64::from(card));
        let own = risk::Facts { card: token, terminal_index: terminal, ..facts(card) };
        assert_eq!(self.lists.find(&own), None, "a card that is on no list");
        let assessment = self.old.evaluate(&own, &self.counters);
        assert_eq!(assessment.decline, None, "a card that has no limit");
        let verdict = Asked { book: &self.book, past: &self.past }.verdict(card, &self.lists);
        self.counters.attempt(&own.who(), own.day, own.amount, own.currency);
        self.counters.approve(&own.who(), own.day, own.amount, own.currency);
        self.past.record(&happened(u64::from(self.size.before) + u64::from(self.at), card, terminal));
        verdict
    }
}

/// The city's own rules, as they are beside a set: the third at a merchant, and a region.
fn own_rules() -> RuleSet {
    let rules = vec![rule(0, Test::NthAtMerchant { n: 3 }), rule(1, Test::Region { of: RegionOf::Product })];
    RuleSet { rules: Rules::new(rules, CURRENCY).expect("two rules"), ..RuleSet::default() }
}

fn counters(size: &Size) -> Counters {
    let mut counters = Counters::new(CURRENCY);
    (0..size.cards).for_each(|_| counters.add_card());
    (0..size.terminals).for_each(|_| counters.add_terminal());
    (0..=facts(0).product).for_each(|_| counters.add_product());
    counters.reserve_visits(size.before as usize);
    counters
}

fn lists(listed: u64) -> Lists {
    let mut lists = Lists::default();
    for at in 0..listed {
        lists.put(Subject::Card(random_key(at)), Entry { reason: ListReason::Fraud, expires_ms: None });
    }
    lists
}

fn whose(card: u32, terminal: u32) -> Whose {
    Whose { card: u64::from(card), terminal, merchant: terminal / 2, product: 1, bin: 915_600 }
}

fn happened(number: u64, card: u32, terminal: u32) -> Happened {
    Happened {
        number,
        at_ms: NOW_MS,
        day: TODAY,
        whose: whose(card, terminal),
        amount: 1_000,
        approved: 1_000,
        currency: CURRENCY,
        marks: Marks::of(&[Of::Attempts, Of::Approved]),
        place: Place { region: 310_101, spot: None },
    }
}

fn history(book: &Rulebook, size: &Size) -> History {
    let mut past = History::new(book.code(), CURRENCY, Keep::ASKED);
    past.reserve_cards(size.cards as usize);
    for number in 0..size.before {
        let at = number.wrapping_mul(7_919);
        past.record(&happened(u64::from(number) + 1, at % size.cards, at % size.terminals));
    }
    past
}

fn request(token: &[u8; 16], card: u32) -> Request<'_> {
    let mut request = Request::new(TODAY);
    request.text(Fact::Card, token);
    request.text(Fact::Terminal, b"31000001");
    request.text(Fact::Merchant, b"898310054110001");
    request.text(Fact::Product, b"prepaid");
    request.regions(Fact::ProductRegions, &[440_000]);
    request.currency(CURRENCY);
    for (fact, number) in [
        (Fact::Amount, 1_000 + i64::from(card % 2)),
        (Fact::Category, 5_411),
        (Fact::Bin, 915_600),
        (Fact::Channel, 0),
        (Fact::Region, 310_101),
        (Fact::Hour, 12),
        (Fact::Weekday, 3),
        (Fact::DayOfMonth, 21),
    ] {
        request.number(fact, number);
    }
    request
}

/// Windows as analysts write them, one after the other, and whether each is a sum of money.
const WINDOWS: [(&str, bool); 10] = [
    (r#"count(approved, "day", card)"#, false),
    (r#"sum(approved, "month", card)"#, true),
    (r#"count(attempts, "1h", terminal)"#, false),
    (r#"count(approved, "7d", card)"#, false),
    (r#"sum(approved, "24h", card)"#, true),
    (r#"distinct(merchant, "24h", card)"#, false),
    (r#"nth("day", card, merchant)"#, false),
    (r#"count(attempts, "day", merchant)"#, false),
    (r#"sum(approved, "year", card)"#, true),
    (r#"count(attempts, "1h", bin)"#, false),
];

/// A condition of the worst set: nothing in front decides, so all of it is looked at.
fn worst_condition(place: usize) -> String {
    let (window, is_money) = WINDOWS[place % WINDOWS.len()];
    let nothing = if is_money { r#"money("0.00", "CNY")"# } else { "0" };
    format!(
        r#"amount >= money("{place}.00", "CNY") - money("50.00", "CNY") && mcc in [5811, 5812, 5411, {place}] && hour != 3 && {window} >= {nothing} && region != {place} && !(card in list("reported"))"#
    )
}

/// A condition of the typical sets.
fn typical_condition(place: usize) -> String {
    let (window, is_money) = WINDOWS[place % WINDOWS.len()];
    let much = if is_money { r#"money("90000.00", "CNY")"# } else { "1000000" };
    match place % 5 {
        0 => format!(r#"channel == "atm" && amount > money("{place}.00", "CNY") && {window} > {much}"#),
        1 => format!("mcc in [7995, 6051, {place}] && {window} > {much}"),
        2 => format!(r#"hour < 5 && amount > money("{place}.00", "CNY") && {window} > {much}"#),
        3 => format!("{window} > {much}"),
        _ => format!(r#"region == {place} && card in list("reported")"#),
    }
}

/// A set of so many rules.
fn set(rules: usize, worst: bool) -> Rulebook {
    let mut text = String::from("currency = \"CNY\"\n[lists]\nreported = \"card\"\n");
    for place in 0..rules {
        let when = if worst { worst_condition(place) } else { typical_condition(place) };
        write!(
            text,
            "[[rule]]\nid = \"r{place}\"\ntext = \"a rule\"\nwhen = '{when}'\noutcome = \"pass\"\npriority = {place}\n\
             owner = \"bench\"\nstate = \"live\"\n"
        )
        .expect("a string takes all");
    }
    Rulebook::read(&[&text]).unwrap_or_else(|faults| panic!("{faults}"))
}
