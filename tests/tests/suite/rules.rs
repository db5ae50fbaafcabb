//! The rules of the sample city: limits of a day, regions, and who is told of what; and what they count with.
//!
//! Days matter here, so it all happens on [`Timed`], whose clock stands at noon.

use std::collections::HashMap;

use cardswitch::{
    audit::read_events,
    books::{
        Books, CardId,
        event::{Decided, Event, ReversalEffect},
        notices::{Cause, Recipient},
        reason::Reason,
        request::Kind,
        transactions::TransactionKey,
    },
    clock::date_of_day,
};
use serde_json::Value;
use switch_tests::{
    ask::{Ask, Card},
    random::Random,
};

use super::{
    follow::{Done, MARKET, MARKET_TOO, Moves, NOTHING, PHARMACY, RICH, Shop, Switch, back, pays},
    holds::{HOUR_MS, Timed, check_replay},
};

const RESTAURANT: &str = "31000009";
const BUS: &str = "31000006";
const HOSPITAL: &str = "31000010";
const ELSEWHERE: &str = "32050001";

/// Many purchases in a day: prepaid, 3,000.00, phone linked.
const PREPAID: u64 = 62;
const NOTICES: u64 = 63;
const NO_PHONE: u64 = 64;
const BOUND: u64 = 67;

fn shop() -> Shop<Timed> {
    Shop::at(Timed::start())
}

/// A purchase at the hospital, which pays no fee.
fn buys(shop: &mut Shop<Timed>, name: &str, card: u64, amount: u64, want: &str) -> Done {
    let ask = Ask::purchase(&shop.card(card), amount);
    let amount = i64::try_from(amount).expect("a small amount");
    let moves = if want != "00" {
        NOTHING
    } else if card == PREPAID {
        pays([amount, 0, 0], 0)
    } else {
        pays([0, amount, 0], 0)
    };
    shop.step(name, HOSPITAL, card, ask, want, moves)
}

/// What comes back to the prepaid card.
fn returned(amount: i64) -> Moves {
    back([amount, 0, 0], 0)
}

#[test]
fn a_prepaid_card_buys_five_times_a_day_and_what_never_was_does_not_count() {
    let mut shop = shop();
    let card = shop.card(PREPAID);
    let done: Vec<Done> = (1..=5).map(|at| buys(&mut shop, &format!("{at}"), PREPAID, 100, "00")).collect();
    let again = |shop: &mut Shop<Timed>, name: &str| {
        buys(shop, name, PREPAID, 100, "00");
        buys(shop, &format!("{name}: once"), PREPAID, 100, "65");
    };
    buys(&mut shop, "the sixth", PREPAID, 100, "65");
    let hold = Ask::pre_authorization(&card, 100);
    shop.refused("a hold is one more, too", HOSPITAL, PREPAID, hold, "65");
    shop.step("inquiries are none", HOSPITAL, PREPAID, Ask::balance(&card), "00", NOTHING);

    let reversal = done[0].ask.reversal();
    shop.step("the first is reversed", HOSPITAL, PREPAID, reversal, "00", returned(100));
    again(&mut shop, "a reversal gives one back");
    let void = Ask::void(&card, 100, &done[1].receipt());
    shop.step("the second is voided", HOSPITAL, PREPAID, void, "00", returned(100));
    again(&mut shop, "a void gives one back");
    let refund = Ask::refund(&card, 100, &done[2].receipt());
    shop.step("the third is refunded", HOSPITAL, PREPAID, refund, "00", returned(100));
    buys(&mut shop, "a refund gives none back", PREPAID, 100, "65");

    let void = Ask::void(&card, 100, &done[3].receipt());
    let void = shop.step("the fourth is voided", HOSPITAL, PREPAID, void, "00", returned(100));
    for _ in 0..2 {
        let wrong = Ask::purchase(&card, 100).with_pin(&card.wrong_pin(), &card);
        shop.refused("a wrong PIN", HOSPITAL, PREPAID, wrong, "55");
    }
    buys(&mut shop, "too much", PREPAID, 999_999, "61");
    let reversal = void.ask.reversal();
    shop.step("the void is reversed", HOSPITAL, PREPAID, reversal, "00", pays([100, 0, 0], 0));
    buys(&mut shop, "which counts again, and nothing else did", PREPAID, 100, "65");
}

#[test]
fn declines_and_repeats_use_up_nothing_of_a_day() {
    let mut shop = shop();
    let card = shop.card(PREPAID);
    for _ in 0..2 {
        let wrong = Ask::purchase(&card, 100).with_pin(&card.wrong_pin(), &card);
        shop.refused("a wrong PIN", HOSPITAL, PREPAID, wrong, "55");
        buys(&mut shop, "too much", PREPAID, 200_001, "61");
    }
    // Each of them is sent twice, too.
    for at in 1..=5 {
        buys(&mut shop, &format!("purchase {at}"), PREPAID, 100, "00");
    }
    buys(&mut shop, "the sixth", PREPAID, 100, "65");
}

#[test]
fn a_prepaid_card_spends_its_day_s_amount_and_the_next_day_counts_anew() {
    let mut shop = shop();
    let card = shop.card(PREPAID);
    let rows = [("1,500.00", 150_000, "00"), ("501.00 more", 50_100, "61"), ("500.00 more", 50_000, "00")];
    for (name, amount, want) in rows {
        buys(&mut shop, name, PREPAID, amount, want);
    }
    buys(&mut shop, "a fen more", PREPAID, 1, "61");
    shop.switch.wait(12 * HOUR_MS - 1);
    buys(&mut shop, "a fen more, a moment before midnight", PREPAID, 1, "61");
    shop.switch.wait(1);
    let bought = buys(&mut shop, "a fen more, at midnight", PREPAID, 1, "00");
    buys(&mut shop, "a new day's amount, and a fen more", PREPAID, 200_000, "61");
    let reversal = bought.ask.reversal();
    shop.step("the fen is reversed", HOSPITAL, PREPAID, reversal, "00", returned(1));
    let hold = Ask::pre_authorization(&card, 100_000);
    shop.step("a hold of what is left on it", HOSPITAL, PREPAID, hold, "00", NOTHING.holding(100_000));
    let day = shop.switch.look(Books::business_day);
    shop.switch.wait(24 * HOUR_MS);
    shop.sign_in_again();
    assert_eq!(shop.switch.look(Books::business_day), day + 1, "the sign-in opened the next day");
}

#[test]
fn yesterday_s_purchase_taken_back_gives_nothing_of_today_back() {
    let mut shop = shop();
    let yesterday = buys(&mut shop, "yesterday", PREPAID, 100, "00");
    shop.switch.wait(12 * HOUR_MS);
    for at in 1..=5 {
        buys(&mut shop, &format!("purchase {at}"), PREPAID, 100, "00");
    }
    let reversal = yesterday.ask.reversal();
    shop.step("yesterday's is reversed", HOSPITAL, PREPAID, reversal, "00", returned(100));
    buys(&mut shop, "the sixth of today", PREPAID, 100, "65");
}

#[test]
fn cards_are_used_in_their_regions() {
    let mut shop = shop();
    let rows = [
        ("a prepaid card in its city", PREPAID, HOSPITAL, pays([100, 0, 0], 0), "00"),
        ("and in another", PREPAID, ELSEWHERE, NOTHING, "62"),
        ("a card without regions there", RICH, ELSEWHERE, pays([0, 100, 0], 1), "00"),
        ("a bound card in its region", BOUND, HOSPITAL, pays([0, 100, 0], 0), "00"),
        ("in another county of it", BOUND, MARKET, pays([0, 100, 0], 0), "00"),
        ("in the province around it", BOUND, BUS, NOTHING, "62"),
        ("in another province", BOUND, ELSEWHERE, NOTHING, "62"),
    ];
    for (name, card, at, moves, want) in rows {
        let ask = Ask::purchase(&shop.card(card), 100);
        shop.step(name, at, card, ask, want, moves);
        let hold = Ask::pre_authorization(&shop.card(card), 100);
        let held = if want == "00" { NOTHING.holding(100) } else { NOTHING };
        shop.step(&format!("{name}: a hold"), at, card, hold, want, held);
        let inquiry = Ask::balance(&shop.card(card));
        shop.step(&format!("{name}: an inquiry"), at, card, inquiry, "00", NOTHING);
    }
}

/// A notice as a row: number, who is told, rule, card and how it was answered.
type Told = (u64, Recipient, String, Option<u32>, Reason);

fn told(shop: &Shop<Timed>) -> Vec<Told> {
    shop.switch.look(|books| {
        let row = |notice: &cardswitch::books::notices::Notice| {
            let subject = &notice.subject;
            (notice.id, notice.to, subject.rule.to_string(), subject.card, subject.reason)
        };
        books.notices().after(0).map(row).collect()
    })
}

#[test]
fn the_third_purchase_at_a_merchant_is_told_to_card_management_and_to_a_linked_phone() {
    let mut shop = shop();
    let mut times = |card: u64, count: usize| {
        for at in 1..=count {
            buys(&mut shop, &format!("purchase {at}"), card, 100, "00");
        }
    };
    times(NOTICES, 2);
    times(NO_PHONE, 2);
    times(NOTICES, 1);
    times(NO_PHONE, 1);
    // Once is enough.
    times(NOTICES, 3);
    times(NO_PHONE, 3);
    let elsewhere = Ask::purchase(&shop.card(NOTICES), 100);
    shop.step("the first at another merchant", PHARMACY, NOTICES, elsewhere, "00", pays([0, 100, 0], 0));
    let (linked, unlinked) = (Some(shop.position(NOTICES)), Some(shop.position(NO_PHONE)));
    let third = || String::from("third-at-merchant");
    let want = [
        (1, Recipient::Cardholder, third(), linked, Reason::Approved),
        (2, Recipient::CardManagement, third(), linked, Reason::Approved),
        (3, Recipient::CardManagement, third(), unlinked, Reason::Approved),
    ];
    assert_eq!(told(&shop), want);
    assert_eq!(shop.switch.metric("cardswitch_notices_total"), 3);
}

#[test]
fn a_declined_purchase_is_told_under_the_first_rule_that_fired() {
    let mut shop = shop();
    let card = shop.card(PREPAID);
    buys(&mut shop, "too much", PREPAID, 200_001, "61");
    let elsewhere = Ask::purchase(&card, 100);
    shop.refused("in another city", ELSEWHERE, PREPAID, elsewhere.clone(), "62");
    let wrong = elsewhere.with_pin(&card.wrong_pin(), &card);
    shop.refused("behind a wrong PIN no rule is asked", ELSEWHERE, PREPAID, wrong, "55");
    let who = Some(shop.position(PREPAID));
    let want = |id, rule: &str, reason| {
        let rule = || rule.to_owned();
        [
            (id, Recipient::Cardholder, rule(), who, reason),
            (id + 1, Recipient::CardManagement, rule(), who, reason),
        ]
    };
    let want = [want(1, "prepaid-day", Reason::AmountLimit), want(3, "prepaid-region", Reason::Restricted)];
    assert_eq!(told(&shop), want.concat());
}

#[test]
fn a_number_used_twice_alerts_once_a_minute_for_each_terminal() {
    let mut shop = shop();
    let rich = shop.card(RICH);
    let mut others = [MARKET, MARKET_TOO].map(|at| {
        let paid = shop.step("a purchase", at, RICH, Ask::purchase(&rich, 100), "00", pays([0, 100, 0], 0));
        Ask { amount: Some(101), ..paid.ask }
    });
    // Milliseconds waited, terminal, and whether it is told.
    let rows = [
        (0, 0, true),
        (0, 0, false),
        (30_000, 1, true),
        (29_999, 0, false),
        (1, 0, true),
        (0, 1, false),
        (30_000, 1, true),
    ];
    let mut alerts = Vec::new();
    for (at, (wait_ms, which, alerted)) in rows.into_iter().enumerate() {
        shop.switch.wait(wait_ms);
        let (seq, terminal) = (shop.switch.look(Books::seq), [MARKET, MARKET_TOO][which]);
        let answer = shop.send(terminal, &mut others[which]);
        assert_eq!((answer.code.as_str(), answer.rrn.is_some()), ("94", alerted), "row {at}");
        assert_eq!(shop.switch.look(Books::seq), seq + u64::from(alerted), "row {at}");
        if alerted {
            alerts.push(terminal.to_owned());
        }
    }
    let told = shop.switch.look(|books| {
        let notices = books.notices().after(0);
        let row = |notice: &cardswitch::books::notices::Notice| {
            let terminal = &books.terminals()[notice.subject.terminal as usize];
            (notice.to, notice.subject.cause, String::from_utf8_lossy(&terminal.id).into_owned())
        };
        notices.map(row).collect::<Vec<_>>()
    });
    let want = alerts.into_iter().map(|at| (Recipient::CardManagement, Cause::DuplicateDiffers, at));
    assert_eq!(told, want.collect::<Vec<_>>());
}

/// A purchase or a hold, and what may follow it.
struct Trade {
    card: Card,
    at: &'static str,
    day: i32,
    opening: Done,
    amount: u64,
    holds: bool,
    follower: Option<Done>,
    /// Its opening was reversed, so that nothing more may follow.
    over: bool,
}

/// Cards of three products, and terminals of four merchants.
const CARDS: [u64; 4] = [RICH, 13, PREPAID, NOTICES];
const PRODUCTS: usize = 3;
const TILLS: [&str; 5] = [MARKET, MARKET_TOO, PHARMACY, RESTAURANT, BUS];

#[test]
fn counters_are_what_the_journal_s_events_add_up_to() {
    let mut random = Random::seeded("counters");
    for _ in 0..4 {
        let mut shop = shop();
        let mut trades: Vec<Trade> = Vec::new();
        for _ in 0..250 {
            match random.below(10) {
                0..=4 => trades.extend(open_trade(&mut shop, &mut random)),
                5 if random.below(4) == 0 => {
                    let hours = 1 + i64::try_from(random.below(40)).expect("few");
                    shop.switch.wait(hours * HOUR_MS);
                    shop.switch.run(&[]);
                    shop.sign_in_again();
                }
                _ if trades.is_empty() => {}
                _ => {
                    let recent = trades.len() - 1 - random.index(trades.len().min(8));
                    follow_up(&mut shop, &mut random, &mut trades[recent]);
                }
            }
        }
        // A week on, the last holds have ended.
        check_counters(&shop);
        shop.switch.wait(8 * 24 * HOUR_MS);
        shop.switch.run(&[]);
        check_counters(&shop);
        check_replay(&shop.switch, 0);
    }
}

fn open_trade(shop: &mut Shop<Timed>, random: &mut Random) -> Option<Trade> {
    let card = shop.card(CARDS[random.index(CARDS.len())]);
    let at = TILLS[random.index(TILLS.len())];
    let amount = 1 + random.below(3_000);
    let holds = random.below(2) == 0;
    let ask = if holds { Ask::pre_authorization(&card, amount) } else { Ask::purchase(&card, amount) };
    let mut ask = match random.below(8) {
        0 => Ask { amount: Some(999_999_999), ..ask },
        1 => ask.without_pin(),
        _ => ask,
    };
    let answer = shop.send(at, &mut ask);
    let day = shop.switch.look(Books::business_day);
    let opening = Done { ask, answer };
    let approved = opening.answer.code == "00";
    approved.then_some(Trade { card, at, day, opening, amount, holds, follower: None, over: false })
}

/// One of the things that may follow; most of them are refused at one time or another.
fn follow_up(shop: &mut Shop<Timed>, random: &mut Random, trade: &mut Trade) {
    if trade.over {
        return;
    }
    let Trade { card, amount, .. } = trade;
    let (receipt, amount) = (trade.opening.receipt(), *amount);
    let same_day = shop.switch.look(Books::business_day) == trade.day;
    let completed = trade.follower.as_ref().filter(|done| matches!(done.ask.kind, 20 | 21));
    let mut ask = match (random.below(6), trade.holds) {
        (0, _) => trade.opening.ask.reversal(),
        // A void is reversed on the day of its original: the day it counts on again is then that day.
        (1, _) if same_day => match &trade.follower {
            Some(done) => done.ask.reversal(),
            None => return,
        },
        (1, _) => trade.opening.ask.clone(),
        (2 | 3, false) => Ask::void(card, amount, &receipt),
        (_, false) => Ask::refund(card, 1 + random.below(amount), &receipt),
        (2, true) => Ask::pre_authorization_void(card, amount, &receipt),
        (3, true) => Ask::completion(card, amount, &receipt),
        (4, true) if completed.is_none() => Ask::completion(card, 1 + random.below(amount), &receipt),
        (4, true) => match completed {
            Some(done) => Ask::completion_void(card, done.ask.amount.unwrap_or_default(), &done.receipt()),
            None => return,
        },
        (_, true) => Ask::completion_advice(card, 1 + random.below(amount + 1), &receipt),
    };
    let answer = shop.send(trade.at, &mut ask);
    let approved = answer.code == "00";
    if ask.mti == 0x0400 {
        trade.over = true;
    } else if approved && !matches!(ask.kind, 22 | 10 | 25) {
        trade.follower = Some(Done { ask, answer });
    }
}

/// What one purchase or hold counts for.
struct Counted {
    day: i32,
    card: u32,
    terminal: u32,
    merchant: u32,
    product: u16,
    counts: bool,
    sum: i64,
}

/// Follows the events by what they say happened, without the sums by which the books adjust their counters.
#[derive(Default)]
struct Expected {
    day: i32,
    counted: HashMap<u64, Counted>,
    by_key: HashMap<TransactionKey, (u64, Decided)>,
    attempts: Vec<Counted>,
    /// The pre-authorization of each completion.
    completes: HashMap<u64, u64>,
}

impl Expected {
    fn take(&mut self, seq: u64, event: &Event, books: &Books) {
        match event {
            Event::CutOver { opens } => self.day = *opens,
            Event::HoldExpired { original, .. } => self.end(*original),
            Event::Decided(decided) => self.decided(seq, decided, books),
            _ => {}
        }
    }

    /// It counts no longer, as far as it was not refunded.
    fn end(&mut self, seq: u64) {
        let counted = self.counted.get_mut(&seq).expect("it was counted");
        (counted.counts, counted.sum) = (false, 0);
    }

    fn at(&mut self, original: Option<u64>) -> &mut Counted {
        let seq = original.expect("it says what it is about");
        let seq = self.completes.get(&seq).copied().unwrap_or(seq);
        self.counted.get_mut(&seq).expect("it was counted")
    }

    fn decided(&mut self, seq: u64, decided: &Decided, books: &Books) {
        let approved = decided.reason == Reason::Approved;
        let about = decided.original.map(|on| on.seq);
        match decided.kind {
            Kind::Purchase | Kind::PreAuthorization => {
                let Some(card) = decided.card else { return };
                let merchant = books.terminals()[decided.key.terminal as usize].merchant;
                let counted = |counts| Counted {
                    day: self.day,
                    card,
                    terminal: decided.key.terminal,
                    merchant,
                    product: books.card(CardId(card)).product,
                    counts,
                    sum: decided.amount,
                };
                self.attempts.push(counted(true));
                if approved {
                    self.counted.insert(seq, counted(true));
                }
            }
            Kind::Completion if approved => {
                self.completes.insert(seq, about.expect("it says what it completes"));
                self.at(about).sum = decided.amount;
            }
            Kind::Void | Kind::CompletionVoid | Kind::PreAuthorizationVoid if approved => {
                let counted = self.at(about);
                (counted.counts, counted.sum) = (false, 0);
            }
            Kind::Reversal => {
                if let Some((key, ReversalEffect::Reversed)) = decided.reversal {
                    self.reversed(&key, decided, books);
                }
            }
            _ => {}
        }
        self.by_key.insert(decided.key, (seq, decided.clone()));
    }

    fn reversed(&mut self, key: &TransactionKey, reversal: &Decided, books: &Books) {
        let (seq, done) = self.by_key[key].clone();
        let about = done.original.map(|on| on.seq);
        let held: i64 = reversal.places.iter().flat_map(|hold| &hold.legs).map(|leg| leg.amount).sum();
        let is_purse = |account| {
            let kind = books.ledger().account(account).map(|account| account.kind.name());
            kind == Some("purse")
        };
        let credits = reversal.postings.iter().filter(|leg| is_purse(leg.account));
        let returned: i64 = credits.map(|leg| leg.amount).sum();
        match done.kind {
            // What was refunded before stays in the sum: a refund gives no limit back, and of what was refunded
            // whole a reversal takes nothing back.
            Kind::Purchase if returned > 0 => {
                let counted = self.at(Some(seq));
                (counted.counts, counted.sum) = (false, counted.sum - returned);
            }
            Kind::PreAuthorization if reversal.releases.is_some() => self.end(seq),
            Kind::PreAuthorizationVoid if held > 0 => {
                let counted = self.at(about);
                (counted.counts, counted.sum) = (true, held);
            }
            Kind::Void | Kind::CompletionVoid => {
                let counted = self.at(about);
                (counted.counts, counted.sum) = (true, done.amount);
            }
            // What is held again counts as it did.
            Kind::Completion if held == 0 && returned > 0 => {
                let counted = self.at(about);
                (counted.counts, counted.sum) = (false, counted.sum - returned);
            }
            _ => {}
        }
    }
}

/// The periods that two days share: day, week from Monday, month, year.
fn shared(one: i32, other: i32) -> [bool; 4] {
    let (first, second) = (date_of_day(one), date_of_day(other));
    // 1970-01-01 was a Thursday.
    let week = |day: i32| (day + 3).div_euclid(7);
    let year = first.year() == second.year();
    [one == other, week(one) == week(other), year && first.month() == second.month(), year]
}

fn check_counters(shop: &Shop<Timed>) {
    let events = read_events(shop.switch.reader().as_ref(), Some(1), usize::MAX).expect("it reads");
    let (rows, expected) = shop.switch.look(move |books| {
        let mut expected = Expected::default();
        events.iter().for_each(|(seq, _, event)| expected.take(*seq, event, books));
        let rows: Vec<Value> =
            books.counters().rows().map(|row| serde_json::to_value(row).expect("rows are data")).collect();
        (rows, expected)
    });
    assert!(expected.counted.len() > 30, "few of it were approved: {}", expected.counted.len());
    let lines = |kind: &'static str| rows.iter().filter_map(move |row| row.get(kind)).zip(0_u32..);
    let mut busy = 0;
    // Cards that were never used have no row.
    for row in rows.iter().filter_map(|row| row.get("Card")) {
        let card = position(row, "card");
        busy += check_line(&row["line"], &expected, &format!("card {card}"), |counted| counted.card == card);
    }
    for (line, terminal) in lines("Terminal") {
        let name = format!("terminal {terminal}");
        busy += check_line(line, &expected, &name, |counted| counted.terminal == terminal);
    }
    for (line, product) in lines("Product") {
        let name = format!("product {product}");
        busy += check_line(line, &expected, &name, |counted| u32::from(counted.product) == product);
    }
    assert_eq!(busy, CARDS.len() + TILLS.len() + PRODUCTS, "every one of them was used");
    check_visits(&rows, &expected);
}

fn position(row: &Value, key: &str) -> u32 {
    let number = row[key].as_u64().expect("a number");
    u32::try_from(number).expect("a position")
}

/// Compares a line with what happened to its subject; returns 1 if anything did.
fn check_line(line: &Value, expected: &Expected, name: &str, is_its: impl Fn(&Counted) -> bool) -> usize {
    let Some(day) = line["day"].as_i64().and_then(|day| i32::try_from(day).ok()).filter(|day| *day > 0)
    else {
        assert!(!expected.attempts.iter().any(&is_its), "{name} was used and counts nothing");
        return 0;
    };
    let add_up = |all: &mut dyn Iterator<Item = &Counted>| {
        all.filter(|counted| is_its(counted)).fold(([0; 4], [0; 4]), |(mut counts, mut sums), counted| {
            for period in (0..4).filter(|period| shared(counted.day, day)[*period]) {
                counts[period] += i64::from(counted.counts);
                sums[period] += counted.sum;
            }
            (counts, sums)
        })
    };
    let tally = |which: &str| {
        let four = |key: &str| [0, 1, 2, 3].map(|at| line[which][key][at].as_i64().expect("a number"));
        (four("counts"), four("sums"))
    };
    assert_eq!(tally("approved"), add_up(&mut expected.counted.values()), "approved of {name}");
    assert_eq!(tally("attempts"), add_up(&mut expected.attempts.iter()), "attempts of {name}");
    1
}

/// Compares how often each card was approved at each merchant on the latest day of which there is any.
fn check_visits(rows: &[Value], expected: &Expected) {
    let day = rows[0]["Head"]["visits_day"].as_i64().expect("a day");
    let mut want: HashMap<(u32, u32), u64> = HashMap::new();
    for counted in expected.counted.values().filter(|counted| i64::from(counted.day) == day && counted.counts)
    {
        *want.entry((counted.card, counted.merchant)).or_default() += 1;
    }
    let number = |row: &Value, key: &str| row[key].as_u64().expect("a number");
    let visits = rows.iter().filter_map(|row| row.get("Visits"));
    let got = visits.map(|row| ((position(row, "card"), position(row, "merchant")), number(row, "count")));
    assert_eq!(got.collect::<HashMap<_, _>>(), want, "visits");
}
