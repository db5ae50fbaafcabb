//! One request, one answer: every reason to refuse, and the amounts on either side of every limit.
//!
//! The rows run in order on one switch, each with a fresh STAN, so a row may rest on those above it.

use switch_tests::{
    ask::{Ask, Card},
    in_process::InProcess,
    line::Line,
    terminal::Terminal,
};

/// Where the rows happen. The names are those of `fixtures/README.md`.
const MARKET: &str = "31000002";
const MARKET_LOADS: &str = "31000003";
const AGENT: &str = "31000004";
const BUS: &str = "31000005";
const PHARMACY: &str = "31000007";
const RESTAURANT: &str = "31000009";
const HOSPITAL: &str = "31000010";

/// Cards by their line in `cards.csv`.
const RICH: u64 = 2;
const LONG: u64 = 3;
const TAP: u64 = 4;
const POOR: u64 = 5;
const FORGETFUL: u64 = 6;
const FRAUD: u64 = 7;
const INACTIVE: u64 = 8;
const LOST: u64 = 9;
const STOLEN: u64 = 10;
const BLOCKED: u64 = 11;
const EXPIRED: u64 = 12;
const MEDICAL: u64 = 13;
const WELFARE: u64 = 14;
const CLOSED: u64 = 15;
const NEARLY_FULL: u64 = 16;
const LISTED_ONCE: u64 = 17;
const ORDINARY: u64 = 18;

struct Row {
    name: &'static str,
    at: &'static str,
    card: u64,
    ask: fn(&Card) -> Ask,
    want: &'static str,
    /// What the card holds afterwards.
    left: i64,
}

fn row(
    name: &'static str,
    at: &'static str,
    card: u64,
    ask: fn(&Card) -> Ask,
    want: &'static str,
    left: i64,
) -> Row {
    Row { name, at, card, ask, want, left }
}

/// Terminals that have signed in, each on its own connection, opened when first needed.
struct Tills<'a> {
    switch: &'a InProcess,
    open: Vec<(Terminal, Line)>,
}

impl Tills<'_> {
    fn ask(&mut self, at: &str, ask: Ask) -> switch_tests::terminal::Answer {
        let found = self.open.iter().position(|(terminal, _)| terminal.id() == at);
        let index = found.unwrap_or_else(|| {
            self.open.push(self.switch.signed_in(at));
            self.open.len() - 1
        });
        let (terminal, line) = &mut self.open[index];
        terminal.ask(line, ask)
    }
}

fn check(rows: &[Row]) {
    let switch = InProcess::start();
    let mut tills = Tills { switch: &switch, open: Vec::new() };
    for Row { name, at, card, ask, want, left } in rows {
        let before = switch.held(*card);
        let answer = tills.ask(at, ask(&switch.city().card(*card)));
        assert_eq!(answer.code, *want, "{name}");
        assert_eq!(switch.held(*card), *left, "{name}: what is left");
        assert!(answer.rrn.is_some(), "{name}: every decision is on record");
        if *want != "00" {
            assert_eq!(before, *left, "{name}: a declined request moves nothing");
        } else {
            assert_eq!(answer.balance, Some(*left), "{name}: the balance it shows");
        }
    }
    switch.check_ledger();
    switch.stop().expect("a good stop");
}

#[test]
fn purchases_are_decided_by_card_and_amount() {
    check(&[
        row("a purchase with PIN", MARKET, RICH, |card| Ask::purchase(card, 1_234), "00", 1_018_766),
        row(
            "a PIN of 12 digits on a number of 19",
            MARKET,
            LONG,
            |card| Ask::purchase(card, 1),
            "00",
            154_999,
        ),
        row("no PIN by stripe", MARKET, RICH, |card| Ask::purchase(card, 1).without_pin(), "55", 1_018_766),
        row("one minor unit more than there is", MARKET, POOR, |card| Ask::purchase(card, 501), "51", 500),
        row("exactly what there is", MARKET, POOR, |card| Ask::purchase(card, 500), "00", 0),
        row("one more from an empty card", MARKET, POOR, |card| Ask::purchase(card, 1), "51", 0),
        row("an amount of zero", MARKET, RICH, |card| Ask::purchase(card, 0), "13", 1_018_766),
        row(
            "the largest amount the field holds",
            MARKET,
            RICH,
            |card| Ask::purchase(card, 999_999_999_999),
            "51",
            1_018_766,
        ),
        row(
            "a currency no purse holds",
            MARKET,
            RICH,
            |card| Ask { currency: Some(978), ..Ask::purchase(card, 1) },
            "12",
            1_018_766,
        ),
        row("a card that is listed as fraud", MARKET, FRAUD, |card| Ask::purchase(card, 1), "59", 100_000),
        row(
            "a list entry that has expired",
            MARKET,
            LISTED_ONCE,
            |card| Ask::purchase(card, 1),
            "00",
            89_999,
        ),
        row("a lost card", MARKET, LOST, |card| Ask::purchase(card, 1), "41", 60_000),
        row("a stolen card", MARKET, STOLEN, |card| Ask::purchase(card, 1), "43", 60_000),
        row("a blocked card", MARKET, BLOCKED, |card| Ask::purchase(card, 1), "62", 60_000),
        row("an expired card", MARKET, EXPIRED, |card| Ask::purchase(card, 1), "54", 60_000),
        row("a closed card", MARKET, CLOSED, |card| Ask::purchase(card, 1), "14", 0),
        row("a card never loaded", MARKET, INACTIVE, |card| Ask::purchase(card, 1), "78", 0),
        row(
            "another merchant's number in field 42",
            MARKET,
            RICH,
            |card| Ask { merchant: Some(*b"898310041110001"), ..Ask::purchase(card, 1) },
            "03",
            1_018_766,
        ),
        row(
            "chip data, which cannot be verified yet",
            MARKET,
            RICH,
            |card| Ask { chip: Some(vec![0x9F, 0x26, 1, 0]), ..Ask::purchase(card, 1) },
            "40",
            1_018_766,
        ),
    ]);
}

#[test]
fn what_is_read_of_the_card_must_be_right() {
    check(&[
        row("another verification value", MARKET, RICH, |card| changed_track(card, 25, 1), "59", 1_020_000),
        row("another service code", MARKET, RICH, |card| changed_track(card, 21, 1), "59", 1_020_000),
        row("another expiry on the track", MARKET, RICH, |card| changed_track(card, 20, 1), "54", 1_020_000),
        row(
            "a number with a wrong check digit",
            MARKET,
            RICH,
            |card| changed_track(card, 15, 1),
            "14",
            1_020_000,
        ),
        row(
            "a track that ends before its verification value",
            MARKET,
            RICH,
            |card| Ask { track: Some(card.track[..24].to_vec()), ..Ask::purchase(card, 1) },
            "59",
            1_020_000,
        ),
        row(
            "field 2 and the track name different cards",
            MARKET,
            RICH,
            |card| Ask { pan: Some(b"9156008820700041".to_vec()), ..Ask::purchase(card, 1) },
            "59",
            1_020_000,
        ),
        row("typed in with its expiry", MARKET, RICH, |card| typed(card, card.expiry), "00", 1_019_999),
        row(
            "typed in with another expiry",
            MARKET,
            RICH,
            |card| typed(card, card.expiry + 1),
            "54",
            1_019_999,
        ),
        row("and by stripe again", MARKET, RICH, |card| Ask::purchase(card, 1), "00", 1_019_998),
    ]);
}

fn changed_track(card: &Card, at: usize, by: u8) -> Ask {
    let mut track = card.track.clone();
    track[at] = b'0' + (track[at] - b'0' + by) % 10;
    Ask { track: Some(track), ..Ask::purchase(card, 1) }
}

fn typed(card: &Card, expiry: u16) -> Ask {
    let pan = Some(card.pan.expose().to_vec());
    Ask { pan, track: None, expiry: Some(expiry), entry: Some(11), ..Ask::purchase(card, 1) }
}

#[test]
fn wrong_pins_are_counted_and_a_right_one_forgives() {
    let wrong = |card: &Card| Ask::purchase(card, 1).with_pin(&card.wrong_pin(), card);
    let malformed = |card: &Card| Ask { pin_block: Some([0x5A; 8]), ..Ask::purchase(card, 1) };
    let odd_format = |card: &Card| Ask { pin_format: Some(b"1600000000000000"), ..Ask::purchase(card, 1) };
    let forged_value = |card: &Card| changed_track(card, 25, 1).with_pin(&card.wrong_pin(), card);
    check(&[
        row("wrong once", MARKET, FORGETFUL, wrong, "55", 100_000),
        row("wrong twice", MARKET, FORGETFUL, wrong, "55", 100_000),
        row("right: the count begins again", MARKET, FORGETFUL, |card| Ask::purchase(card, 1), "00", 99_999),
        row("a format that is not accepted is no try", MARKET, FORGETFUL, odd_format, "99", 99_999),
        row(
            "behind a wrong verification value no PIN is tried",
            MARKET,
            FORGETFUL,
            forged_value,
            "59",
            99_999,
        ),
        row(
            "a missing PIN is no try",
            MARKET,
            FORGETFUL,
            |card| Ask::purchase(card, 1).without_pin(),
            "55",
            99_999,
        ),
        row("wrong for the first time since", MARKET, FORGETFUL, wrong, "55", 99_999),
        row("wrong for the second, at another terminal", BUS, FORGETFUL, wrong, "55", 99_999),
        row("wrong for the third time", MARKET, FORGETFUL, wrong, "75", 99_999),
        row("right, too late", MARKET, FORGETFUL, |card| Ask::purchase(card, 1), "75", 99_999),
        row("a balance is not told either", MARKET, FORGETFUL, Ask::balance, "75", 99_999),
        row("a malformed block counts as a try", MARKET, ORDINARY, malformed, "99", 119_200),
        row("twice", MARKET, ORDINARY, malformed, "99", 119_200),
        row("and the third time", MARKET, ORDINARY, malformed, "75", 119_200),
    ]);
}

#[test]
fn wrong_pins_that_come_in_one_packet_are_counted_one_by_one() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in(MARKET);
    let card = switch.city().card(FORGETFUL);
    let wrong = || Ask::purchase(&card, 1).with_pin(&card.wrong_pin(), &card);
    let asks = [wrong(), wrong(), wrong(), wrong(), Ask::purchase(&card, 1)];
    let frames: Vec<u8> = asks.into_iter().flat_map(|mut ask| terminal.frame(&mut ask)).collect();
    line.send(&frames);
    let codes: Vec<String> = line.receive_many(5).into_iter().map(|answer| answer.code).collect();
    assert_eq!(codes, ["55", "55", "75", "75", "75"]);
}

#[test]
fn contactless_needs_no_pin_up_to_its_limit() {
    check(&[
        row("a tap at the limit", BUS, TAP, |card| Ask::tap(card, 10_000), "00", 80_000),
        row("a tap one above it", BUS, TAP, |card| Ask::tap(card, 10_001), "55", 80_000),
        row(
            "a tap above it, with PIN",
            BUS,
            TAP,
            |card| Ask::tap(card, 10_001).with_pin(&card.pin, card),
            "00",
            69_999,
        ),
        row(
            "a tap with a product that always wants a PIN",
            MARKET,
            WELFARE,
            |card| Ask::tap(card, 1),
            "55",
            3_000,
        ),
    ]);
}

#[test]
fn balances_are_told_for_a_pin() {
    check(&[
        row("with PIN", MARKET, RICH, Ask::balance, "00", 1_020_000),
        row("without PIN", MARKET, RICH, |card| Ask::balance(card).without_pin(), "55", 1_020_000),
        row("an empty card is told too", MARKET, POOR, |card| Ask::purchase(card, 500), "00", 0),
        row("as nothing", MARKET, POOR, Ask::balance, "00", 0),
    ]);
}

#[test]
fn loads_keep_to_the_card_the_terminal_and_the_line() {
    check(&[
        row("at a terminal that may not", MARKET, RICH, |card| Ask::load(card, 100), "58", 1_020_000),
        row("of nothing", MARKET_LOADS, RICH, |card| Ask::load(card, 0), "13", 1_020_000),
        row(
            "the first load activates the card",
            MARKET_LOADS,
            INACTIVE,
            |card| Ask::load(card, 5_000),
            "00",
            5_000,
        ),
        row("which can then pay", MARKET, INACTIVE, |card| Ask::purchase(card, 1_000), "00", 4_000),
        row(
            "one above the product's maximum",
            MARKET_LOADS,
            NEARLY_FULL,
            |card| Ask::load(card, 101),
            "61",
            499_900,
        ),
        row("exactly the maximum", MARKET_LOADS, NEARLY_FULL, |card| Ask::load(card, 100), "00", 500_000),
        row(
            "far above any maximum",
            MARKET_LOADS,
            RICH,
            |card| Ask::load(card, 999_999_999_999),
            "61",
            1_020_000,
        ),
        row("one above the agent's line", AGENT, RICH, |card| Ask::load(card, 50_001), "51", 1_020_000),
        row("exactly the agent's line", AGENT, RICH, |card| Ask::load(card, 50_000), "00", 1_070_000),
        row("one more on a line used up", AGENT, RICH, |card| Ask::load(card, 1), "51", 1_070_000),
        row("a blocked card", MARKET_LOADS, BLOCKED, |card| Ask::load(card, 1), "62", 60_000),
        row(
            "typed in",
            MARKET_LOADS,
            RICH,
            |card| Ask {
                pan: Some(card.pan.expose().to_vec()),
                track: None,
                expiry: Some(card.expiry),
                entry: Some(12),
                ..Ask::load(card, 7)
            },
            "00",
            1_070_007,
        ),
    ]);
}

#[test]
fn purses_pay_in_order_and_only_where_they_may() {
    let switch = InProcess::start();
    let mut tills = Tills { switch: &switch, open: Vec::new() };
    // Card, terminal, amount, answer, and what its purses hold afterwards, in the product's order.
    type Row<'a> = (&'a str, u64, &'a str, u64, &'a str, &'a [i64]);
    let rows: [Row<'_>; 9] = [
        ("medical first, the rest from general", MEDICAL, PHARMACY, 4_000, "00", &[0, 0, 4_000]),
        ("more than general at a restaurant", MEDICAL, RESTAURANT, 4_001, "51", &[0, 0, 4_000]),
        ("welfare is no use at a pharmacy", WELFARE, PHARMACY, 1_001, "51", &[0, 2_000, 1_000]),
        ("welfare first at the supermarket", WELFARE, MARKET, 2_500, "00", &[0, 0, 500]),
        ("transit first on the bus", RICH, BUS, 20_001, "00", &[0, 999_999]),
        ("transit is no use at the supermarket", TAP, MARKET, 80_001, "51", &[10_000, 80_000]),
        ("all of general at the supermarket", TAP, MARKET, 80_000, "00", &[10_000, 0]),
        ("one more than transit on the bus", TAP, BUS, 10_001, "51", &[10_000, 0]),
        ("all of transit on the bus", TAP, BUS, 10_000, "00", &[0, 0]),
    ];
    for (name, line, at, amount, want, left) in rows {
        let card = switch.city().card(line);
        let answer = tills.ask(at, Ask::purchase(&card, amount));
        assert_eq!(answer.code, want, "{name}");
        let position = usize::try_from(line - 2).expect("a card behind the header");
        let purses = switch.look(move |books| {
            let card = books.cards().get(position).expect("a card of the city");
            books.card_purses(&card).map(|(account, _)| books.ledger().balance(account)).collect::<Vec<_>>()
        });
        assert_eq!(purses, left, "{name}");
    }
    switch.check_ledger();
}

#[test]
fn fees_go_from_the_merchant_to_the_fee_account() {
    let switch = InProcess::start();
    let mut tills = Tills { switch: &switch, open: Vec::new() };
    // Merchant's position in merchants.csv, terminal, amount, and the fee by its row there.
    let rows = [
        ("38 hundredths of a percent", 0, MARKET, 10_000, 38),
        ("rounded half up", 0, MARKET, 12_500, 48),
        ("at its maximum", 0, MARKET, 700_000, 2_600),
        ("at its minimum", 3, RESTAURANT, 10, 1),
        ("free of fees", 5, HOSPITAL, 10_000, 0),
    ];
    let state = |merchant: usize| {
        switch.look(move |books| {
            let fees = books.ledger().accounts().iter().filter(|account| account.kind.name() == "fees");
            let fees: i64 = fees.map(|account| account.balance).sum();
            (books.ledger().balance(books.merchants()[merchant].payable), fees)
        })
    };
    for (name, merchant, at, amount, fee) in rows {
        let before = state(merchant);
        let card = switch.city().card(RICH);
        assert_eq!(tills.ask(at, Ask::purchase(&card, amount)).code, "00", "{name}");
        let amount = i64::try_from(amount).expect("a small amount");
        assert_eq!(state(merchant), (before.0 + amount - fee, before.1 + fee), "{name}");
    }
    switch.check_ledger();
}

#[test]
fn what_the_switch_does_not_do_is_refused_as_that() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in(MARKET);
    let card = switch.city().card(RICH);
    let before = switch.seq();
    let rows = [
        ("a bill query", Ask { code: Some(380_000), kind: 71, ..Ask::purchase(&card, 1) }),
        ("a transfer", Ask { code: Some(400_000), kind: 70, ..Ask::purchase(&card, 1) }),
        ("a settlement", Ask { mti: 0x0500, management: 201, ..Ask::echo() }),
        ("a parameter download", Ask { mti: 0x0800, management: 360, ..Ask::echo() }),
        ("keys with a track key", Ask { management: 4, ..Ask::sign_in() }),
    ];
    for (name, ask) in rows {
        assert_eq!(terminal.ask(&mut line, ask).code, "40", "{name}");
    }
    assert_eq!(switch.seq(), before, "none of it is an event");
    assert_eq!(terminal.ask(&mut line, Ask::echo()).code, "00");
    assert_eq!(terminal.ask(&mut line, Ask::sign_off()).code, "00");
    assert_eq!(
        terminal.ask(&mut line, Ask::purchase(&card, 1)).code,
        "00",
        "a sign-off is told, not enforced"
    );
}
