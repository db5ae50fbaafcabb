//! `atm`: hosts that carry the messages of many cash machines. Signing on, cash and its fee, repeats, reversals whole and
//! in part, new zone keys, both forms of frames, both ways to connect.
//!
//! What an attacker makes of it is in `attacks`.

use std::net::TcpListener;

use cardswitch::{
    config::{BitmapForm, LengthForm},
    terminal::{AtmForm, AtmHost, AtmOrder, AtmOriginal, AtmService, Entry, Exchange, NewZoneKeys, TestCard},
};
use hsm_sim::emulator::Zone;
use switch_tests::{
    clients::{Clients, assert_approved, assert_code, assert_unsealed},
    forge::{self, Tap},
    in_process::InProcess,
    watch::Watch,
};

/// Lines of `cards.csv` with ordinary cards: some thousands, and exactly 500.00 in one purse.
const RICH: u64 = 65;
const FIVE_HUNDRED: u64 = 63;

const NORTH: &str = "31060110";

type Machine = [u8; 8];

fn scene() -> (InProcess, Clients) {
    let switch = InProcess::start();
    let clients = Clients::of(&switch);
    (switch, clients)
}

fn draw(host: &mut AtmHost, machine: &Machine, card: &TestCard, amount: i64, fee: Option<i64>) -> Exchange {
    let pin = Some(card.pin.expose().as_slice());
    host.withdrawal(machine, &card.card, pin, amount, fee).expect("an answer")
}

/// What an acquirer is owed.
fn owed_to(switch: &InProcess, acquirer: &'static str) -> i64 {
    switch.look(move |books| {
        let id = books.find_acquirer(acquirer).expect("an acquirer of acquirers.csv");
        books.ledger().balance(books.acquirer(id).payable)
    })
}

#[test]
fn before_the_sign_on_and_after_the_sign_off_only_reversals_are_taken() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm_at_the_door("51000001");
    let card = clients.card(RICH);
    assert_approved(&host.echo().expect("an answer"));
    assert_approved(&host.cut_over_notice().expect("an answer"));
    let watch = Watch::begin(&switch);
    let early = draw(&mut host, &machine, &card, 100, None);
    assert_code(&early, "91", "not signed on");
    assert_eq!(early.mac_ok, Some(true), "its MAC was right, so the answer has one");
    watch.ends(("atm", "not_signed_on", 1), &[]);

    assert_approved(&host.sign_on().expect("an answer"));
    assert_approved(&host.sign_on().expect("an answer"));
    watch.recorded(&["acquirer_signed_on"]);
    assert_approved(&host.repeat(&early).expect("an answer"));
    let drawn = draw(&mut host, &machine, &card, 100, None);
    assert_approved(&drawn);

    // The session is the acquirer's, not the connection's.
    let (mut second, other_machine) = clients.atm_at_the_door("51000002");
    second = second.counting_from(5_000);
    assert_approved(&draw(&mut second, &other_machine, &card, 100, None));

    assert_approved(&host.sign_off().expect("an answer"));
    assert_code(&draw(&mut host, &machine, &card, 100, None), "91", "signed off");
    assert_code(
        &draw(&mut second, &other_machine, &card, 100, None),
        "91",
        "signed off, on every connection",
    );
    assert_approved(&host.reverse(&drawn, None).expect("an answer"));
    assert_approved(&host.echo().expect("an answer"));
    switch.check_ledger();
}

#[test]
fn one_connection_carries_many_machines() {
    let (switch, clients) = scene();
    let (mut host, _) = clients.atm("51000001");
    let machines: [&Machine; 4] = [b"51000001", b"51000002", b"51000003", b"51000004"];
    let cards = [RICH, 66, 18, 19].map(|line| clients.card(line));
    let opening: i64 = cards.iter().map(|card| switch.held(card.line)).sum();
    let frames: Vec<_> = (0..200)
        .map(|at| {
            let (machine, card) = (machines[at % 4], &cards[at / 4 % 4]);
            let amount = Some(100 + i64::try_from(at).expect("small"));
            let pin = Some(card.pin.expose().as_slice());
            host.prepare(&AtmOrder {
                pin,
                amount,
                ..AtmOrder::new(AtmService::Withdrawal, machine, &card.card)
            })
            .expect("a withdrawal")
        })
        .collect();
    let exchanges = host.send_all(&frames).expect("answers");
    assert_eq!(exchanges.len(), 200);
    for (at, exchange) in exchanges.iter().enumerate() {
        assert_approved(exchange);
        let message = exchange.answer.as_ref().map(|answer| answer.message().expect("an answer decodes"));
        let terminal = message.and_then(|message| message.fixed::<8>(41));
        assert_eq!(terminal.as_ref(), Some(machines[at % 4]), "the answer to its own request");
        assert_eq!(exchange.amount, Some(100 + i64::try_from(at).expect("small")));
    }
    let held: i64 = cards.iter().map(|card| switch.held(card.line)).sum();
    let drawn: i64 = (100..300).sum();
    assert_eq!((held, owed_to(&switch, NORTH)), (opening - drawn, drawn));
    switch.check_ledger();
}

#[test]
fn the_acquirers_fee_comes_on_top_and_must_be_there() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let mut loads = clients.pos("31000003");
    let card = clients.card(FIVE_HUNDRED);
    assert_eq!(switch.held(FIVE_HUNDRED), 50_000);
    assert_approved(&draw(&mut host, &machine, &card, 40_000, None));

    let short = draw(&mut host, &machine, &card, 10_000, Some(50));
    assert_code(&short, "51", "100.00 and a fee of 0.50 out of 100.00");
    assert_eq!(switch.held(FIVE_HUNDRED), 10_000);
    assert_approved(&loads.load(&card.card, 50, Entry::Stripe).expect("an answer"));
    let exact = draw(&mut host, &machine, &card, 10_000, Some(50));
    assert_approved(&exact);
    assert_eq!((exact.balance, switch.held(FIVE_HUNDRED)), (Some(0), 0), "100.50 is enough to the cent");
    assert_eq!(owed_to(&switch, NORTH), 50_050, "the acquirer is owed both");
    let message = exact.answer.as_ref().expect("an answer").message().expect("it decodes");
    assert_eq!(message.text(28), Some(&b"D00000050"[..]), "the fee as it was asked for");
    assert!(message.number(15).is_some(), "the day it is settled on");
    assert_code(&draw(&mut host, &machine, &card, 1, None), "51", "empty");
    switch.check_ledger();
}

#[test]
fn a_balance_tells_what_is_there_and_what_may_be_spent() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(FIVE_HUNDRED);
    let pin = Some(card.pin.expose().as_slice());
    let mut holds = clients.pos("31000002");
    let held = holds.pre_authorization(&card.card, 12_000, pin, Entry::Stripe).expect("an answer");
    assert_approved(&held);
    let asked = host.balance(&machine, &card.card, pin).expect("an answer");
    assert_approved(&asked);
    let message = asked.answer.as_ref().expect("an answer").message().expect("it decodes");
    assert_eq!(message.text(54), Some(&b"0001156C0000000500000002156C000000038000"[..]));
    assert_code(&draw(&mut host, &machine, &card, 38_001, None), "51", "what is held cannot be drawn");
    assert_approved(&draw(&mut host, &machine, &card, 38_000, None));
    let without = host.balance(&machine, &card.card, None).expect("an answer");
    assert_code(&without, "55", "a balance needs the PIN");
    switch.check_ledger();
}

#[test]
fn a_changed_pin_is_restored_by_the_reversal_of_the_last_change_only() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let old = card.pin.expose().as_slice();
    let ask = |host: &mut AtmHost, pin: &[u8]| {
        let exchange = host.balance(&machine, &card.card, Some(pin)).expect("an answer");
        assert_eq!(exchange.mac_ok, Some(true));
        exchange.code_text()
    };
    let change = |host: &mut AtmHost, from: &[u8], to: &[u8]| {
        let exchange = host.pin_change(&machine, &card.card, from, to).expect("an answer");
        assert_approved(&exchange);
        exchange
    };
    let first = change(&mut host, old, b"2468");
    assert_eq!((ask(&mut host, old), ask(&mut host, b"2468")), ("55".to_owned(), "00".to_owned()));
    assert_approved(&host.reverse(&first, None).expect("an answer"));
    assert_eq!((ask(&mut host, b"2468"), ask(&mut host, old)), ("55".to_owned(), "00".to_owned()));

    let second = change(&mut host, old, b"2468");
    let third = change(&mut host, b"2468", b"1357");
    let watch = Watch::begin(&switch);
    assert_approved(&host.reverse(&second, None).expect("an answer"));
    watch.nothing_moved();
    assert_eq!(ask(&mut host, b"1357"), "00", "a later change stands");
    assert_approved(&host.reverse(&third, None).expect("an answer"));
    assert_eq!(ask(&mut host, b"2468"), "00", "and falls with its own reversal");
    switch.check_ledger();
}

#[test]
fn a_repeat_gets_the_first_answer() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let drawn = draw(&mut host, &machine, &card, 10_000, Some(150));
    assert_approved(&drawn);
    let poor = draw(&mut host, &machine, &card, 9_999_999, None);
    assert_code(&poor, "51", "more than there is");
    let reversed = {
        let other = draw(&mut host, &machine, &card, 500, None);
        host.reverse(&other, None).expect("an answer")
    };
    assert_approved(&reversed);
    let watch = Watch::begin(&switch);
    for first in [&drawn, &poor, &reversed] {
        for _ in 0..2 {
            let again = host.repeat(first).expect("an answer");
            assert!(again.answered_as(first), "{again:?}");
            assert_eq!(again.mac_ok, Some(true));
            let mti = again.request.message().expect("a request").mti().raw();
            assert!([0x0201, 0x0421].contains(&mti), "sent as a repeat");
        }
    }
    assert_eq!(watch.risen("cardswitch_repeats_total", &[]), 6);
    watch.recorded(&[]);
    watch.nothing_moved();
}

#[test]
fn a_reversal_gives_back_the_whole_or_the_part_that_was_not_paid_out() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    // Amount, fee, what stays by field 95, and what the card has paid in the end.
    let rows = [
        ("whole, the fee too", 20_000, Some(150), None, "00", 0),
        ("without a fee", 20_000, None, None, "00", 0),
        ("50.00 came out", 20_000, Some(150), Some(5_000), "00", 5_150),
        ("all came out", 20_000, Some(150), Some(20_000), "00", 20_150),
        ("nothing came out", 20_000, Some(150), Some(0), "00", 0),
        ("more came out than was asked for", 20_000, Some(150), Some(20_001), "64", 20_150),
    ];
    let mut paid = 0;
    for (name, amount, fee, stays, code, costs) in rows {
        let drawn = draw(&mut host, &machine, &card, amount, fee);
        assert_approved(&drawn);
        let reversal = host.reverse(&drawn, stays).expect("an answer");
        assert_code(&reversal, code, name);
        assert_eq!(reversal.mac_ok, Some(true), "{name}");
        paid += costs;
        assert_eq!(switch.held(RICH), opening - paid, "{name}");
        assert_eq!(owed_to(&switch, NORTH), paid, "{name}: the acquirer's side");
        if code == "00" {
            let again = host.reverse(&drawn, Some(1)).expect("an answer");
            assert_code(&again, "00", name);
            assert_eq!(switch.held(RICH), opening - paid, "{name}: one reversal for one original");
            assert_code(&host.repeat(&drawn).expect("an answer"), "68", name);
        }
    }
    switch.check_ledger();
}

#[test]
fn a_reversal_that_overtakes_its_original_stops_it() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let order = AtmOrder {
        pin: Some(card.pin.expose()),
        amount: Some(20_000),
        ..AtmOrder::new(AtmService::Withdrawal, &machine, &card.card)
    };
    let held_back = host.prepare(&order).expect("a withdrawal");
    let message = held_back.message().expect("a withdrawal");
    let number =
        |field| message.number(field).and_then(|number| u32::try_from(number).ok()).expect("it is there");
    let original = AtmOriginal {
        service: AtmService::Withdrawal,
        terminal: machine,
        stan: number(11),
        transmitted: number(7),
        amount: Some(20_000),
        rrn: message.fixed(37),
    };
    assert_approved(&host.reverse_earlier(&original, None).expect("an answer"));
    let late = host.send(&held_back).expect("an answer");
    assert_code(&late, "68", "it was reversed before it came");
    assert_eq!(switch.held(RICH), opening);
    switch.check_ledger();
}

#[test]
fn new_zone_keys_take_over_with_their_first_use_and_the_old_ones_end_with_the_overlap() {
    for (overlap_s, want) in [(3_600, "00"), (0, "A0")] {
        let switch = InProcess::start_with(|config| {
            config.books.key_overlap = std::time::Duration::from_secs(overlap_s);
        });
        let clients = Clients::of(&switch);
        let (mut host, machine) = clients.atm("51000001");
        let (old, other_machine) = clients.atm_at_the_door("51000002");
        let mut old = old.counting_from(5_000);
        let card = clients.card(RICH);
        let before = draw(&mut old, &other_machine, &card, 100, None);

        let watch = Watch::begin(&switch);
        let changed = host.key_change().expect("an answer");
        assert_approved(&changed);
        watch.ends(("atm", "approved", 1), &["zone_keys_changed"]);
        let field = changed.answer.as_ref().map(|answer| answer.message().expect("it decodes"));
        assert_eq!(field.and_then(|message| Some(message.text(48)?.len())), Some(18), "three check values");
        assert_approved(&draw(&mut old, &other_machine, &card, 100, None));
        assert_approved(&host.echo().expect("an answer"));
        assert_approved(&draw(&mut old, &other_machine, &card, 100, None));

        assert_approved(&draw(&mut host, &machine, &card, 100, None));
        let reversal = old.reverse(&before, None).expect("an answer");
        if want == "00" {
            assert_approved(&reversal);
            assert_approved(&draw(&mut old, &other_machine, &card, 100, None));
        } else {
            assert_unsealed(&reversal, want, "under the old keys, without an overlap");
            assert_unsealed(&draw(&mut old, &other_machine, &card, 100, None), want, "a withdrawal, too");
        }
        // And the next change comes under the new ones.
        assert_approved(&host.key_change().expect("an answer"));
        assert_approved(&draw(&mut host, &machine, &card, 100, None));
        switch.check_ledger();
    }
}

#[test]
fn a_pin_block_must_be_under_the_pin_key_of_the_same_generation() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    const NEW: [u128; 3] = [
        0x43B6_A88A_13E9_2C0E_9BAE_017A_4FB3_9B58,
        0xAEFE_8CC1_8FA8_2657_C2D6_510D_2C7A_4368,
        0x1C97_4C13_8386_1001_DA2F_DC32_AB5E_3B86,
    ];
    let [pin, mac_to_switch, mac_from_switch] = NEW.map(u128::to_be_bytes);
    let changed = host.change_keys(&NewZoneKeys { pin, mac_to_switch, mac_from_switch }).expect("an answer");
    assert_approved(&changed);
    assert_approved(&draw(&mut host, &machine, &card, 100, None));

    let old = clients.zone(NORTH);
    let new = clients.zone_of(NORTH, clients.zone_keys(NORTH).zmk.expose(), NEW.map(u128::to_be_bytes));
    let ask = |stan, mac: &Zone, pin: &Zone| {
        let block = pin.pin_block(card.pin.expose(), card.card.pan()).expect("a PIN");
        forge::atm_frame(mac, (0x0200, 64), |message| {
            message.digits(2, card.card.pan().expose())?.number(3, 10_000)?.number(4, 100)?;
            message.number(7, forge::transmitted(0))?.number(11, stan)?.number(22, 11)?;
            message.digits(32, NORTH.as_bytes())?.text(41, &machine)?.text(49, b"156")?;
            message.bytes(52, &block).map(drop)
        })
    };
    let mut line = Tap::atm(switch.atm_address());
    let rows = [
        ("both new", &new, &new, true),
        ("both old, within the overlap", &old, &old, true),
        ("a new MAC over an old block", &new, &old, false),
        ("an old MAC over a new block", &old, &new, false),
    ];
    for (stan, (name, mac, pin, good)) in (900..).zip(rows) {
        let code = line.code(&ask(stan, mac, pin));
        // What comes out under the other key is hardly ever of the form of a PIN block.
        let refused = ["55", "99"].contains(&code.as_str());
        assert_eq!((code == "00", refused), (good, !good), "{name}: {code}");
    }
}

#[test]
fn an_acquirer_with_another_mac_is_served_alike() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000005");
    assert_eq!(host.acquirer(), "31060220");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let drawn = draw(&mut host, &machine, &card, 10_000, Some(100));
    assert_approved(&drawn);
    assert!(host.repeat(&drawn).expect("an answer").answered_as(&drawn));
    assert_approved(&host.reverse(&drawn, Some(4_000)).expect("an answer"));
    assert_approved(&host.key_change().expect("an answer"));
    assert_approved(&draw(&mut host, &machine, &card, 1_000, None));
    assert_eq!(switch.held(RICH), opening - 5_100);
    assert_eq!((owed_to(&switch, "31060220"), owed_to(&switch, NORTH)), (5_100, 0), "each acquirer its own");
    switch.check_ledger();
}

#[test]
fn a_suspended_acquirer_and_another_acquirers_machine_are_refused() {
    let (switch, clients) = scene();
    let card = clients.card(RICH);
    let (mut suspended, machine) = clients.atm_at_the_door("51000007");
    assert_eq!(suspended.acquirer(), "31060330");
    let watch = Watch::begin(&switch);
    assert_eq!(suspended.sign_on().expect("an answer").code_text(), "58");
    assert_eq!(draw(&mut suspended, &machine, &card, 100, None).code_text(), "58");
    watch.ends(("atm", "terminal_not_permitted", 2), &[]);

    let (mut host, _) = clients.atm("51000001");
    let watch = Watch::begin(&switch);
    assert_eq!(
        draw(&mut host, b"51000005", &card, 100, None).code_text(),
        "58",
        "another acquirer's machine"
    );
    assert_eq!(draw(&mut host, b"31000002", &card, 100, None).code_text(), "58", "a terminal of pos");
    watch.ends(("atm", "terminal_not_permitted", 2), &[]);
    let watch = Watch::begin(&switch);
    assert_eq!(draw(&mut host, b"59999999", &card, 100, None).code_text(), "97", "nobody's");
    watch.ends(("atm", "terminal_unknown", 1), &[]);
}

#[test]
fn a_card_may_be_known_by_track_3_alone() {
    let (switch, clients) = scene();
    let (_host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let zone = clients.zone(NORTH);
    let block = zone.pin_block(card.pin.expose(), card.card.pan()).expect("a PIN");
    let pan = String::from_utf8_lossy(card.card.pan().expose()).into_owned();
    let ask = |stan, track_3: String, block: &[u8; 8]| {
        forge::atm_frame(&zone, (0x0200, 64), |message| {
            message
                .number(3, 10_000)?
                .number(4, 1_000)?
                .number(7, forge::transmitted(0))?
                .number(11, stan)?;
            message.number(22, 21)?.digits(32, NORTH.as_bytes())?.digits(36, track_3.as_bytes())?;
            message.text(41, &machine)?.text(49, b"156")?.bytes(52, block).map(drop)
        })
    };
    let mut line = Tap::atm(switch.atm_address());
    let rest = "1561560000000000000003330552000000000000000";
    assert_eq!(line.code(&ask(900, format!("99{pan}={rest}"), &block)), "00");
    assert_eq!(switch.held(RICH), opening - 1_000);
    let mut wrong = block;
    wrong[7] ^= 1;
    let watch = Watch::begin(&switch);
    let refused = line.code(&ask(901, format!("99{pan}={rest}"), &wrong));
    assert!(["55", "99"].contains(&refused.as_str()), "the PIN is all that stands behind it: {refused}");
    assert_eq!(line.code(&ask(902, format!("99{pan}"), &block)), "14", "without a separator it is no card");
    watch.recorded(&["withdrawal", "withdrawal"]);
    assert_eq!(switch.held(RICH), opening - 1_000);
}

#[test]
fn both_forms_of_length_and_bitmap_are_spoken() {
    for (binary_length, binary_bitmap) in [(true, true), (true, false), (false, true)] {
        let switch = InProcess::start_with(|config| {
            config.atm.length = if binary_length { LengthForm::Binary } else { LengthForm::Ascii };
            config.atm.bitmap = if binary_bitmap { BitmapForm::Binary } else { BitmapForm::Hex };
        });
        let clients = Clients::of(&switch);
        let (host, machine) = clients.atm_apart("51000001");
        let mut host = host.writing(AtmForm { binary_length, binary_bitmap });
        host.connect(switch.atm_address()).expect("the switch accepts");
        let card = clients.card(RICH);
        assert_approved(&host.sign_on().expect("an answer"));
        let drawn = draw(&mut host, &machine, &card, 1_000, Some(10));
        assert_approved(&drawn);
        assert!(host.repeat(&drawn).expect("an answer").answered_as(&drawn));
        assert_approved(&host.reverse(&drawn, None).expect("an answer"));
        let changed = host.pin_change(&machine, &card.card, card.pin.expose(), b"2468").expect("an answer");
        assert_approved(&changed);
        assert_eq!(switch.held(RICH), switch.city().opening(RICH));
        switch.check_ledger();
    }
}

#[test]
fn a_host_that_the_switch_dials_is_dialled_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let switch = InProcess::start_with(|config| config.atm.connect = vec![address]);
    let clients = Clients::of(&switch);
    let (mut host, machine) = clients.atm_apart("51000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    host.accept(&listener).expect("the switch calls");
    assert_approved(&host.sign_on().expect("an answer"));
    let drawn = draw(&mut host, &machine, &card, 1_000, None);
    assert_approved(&drawn);
    for round in 1..=2 {
        // Accepting leaves the line before: the switch finds it closed and calls again.
        host.accept(&listener).expect("the switch calls again");
        assert!(host.repeat(&drawn).expect("an answer").answered_as(&drawn), "a repeat on the next line");
        assert_approved(&draw(&mut host, &machine, &card, 1_000, None));
        assert_eq!(switch.held(RICH), opening - 1_000 - 1_000 * round);
    }
    // Whoever dials, others may be connected beside it.
    let (beside, other_machine) = clients.atm_at_the_door("51000002");
    let mut beside = beside.counting_from(5_000);
    assert_approved(&draw(&mut beside, &other_machine, &card, 1_000, None));
    switch.check_ledger();
}

fn replace(message: &mut [u8], old: &[u8], new: &[u8]) {
    let at = message.windows(old.len()).position(|bytes| bytes == old).expect("the message has it");
    message[at..at + new.len()].copy_from_slice(new);
}

#[test]
fn a_repeat_says_the_same_in_every_field_that_moves_money() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let (card, zone) = (clients.card(RICH), clients.zone(NORTH));
    let mut tap = Tap::atm(switch.atm_address());
    let order = AtmOrder {
        pin: Some(card.pin.expose().as_slice()),
        amount: Some(1_000),
        fee: Some(50),
        ..AtmOrder::new(AtmService::Withdrawal, &machine, &card.card)
    };
    let frame = host.prepare(&order).expect("a frame");
    assert_eq!(tap.code(frame.as_bytes()), "00");
    let owed = owed_to(&switch, NORTH);
    let fee = forge::sealed_again(&frame, &zone, |message| replace(message, b"D00000050", b"D00000051"));
    assert_eq!(tap.code(&fee), "94", "another fee");
    assert_eq!(tap.code(frame.as_bytes()), "00", "the repeat itself");

    let drawn = draw(&mut host, &machine, &card, 2_000, None);
    let original = AtmOriginal::of(&drawn).expect("it moves something");
    let reversal = host.prepare_reversal(&original, Some(400)).expect("a frame");
    assert_eq!(tap.code(reversal.as_bytes()), "00");
    let less =
        forge::sealed_again(&reversal, &zone, |message| replace(message, b"000000000400", b"000000000300"));
    assert_eq!(tap.code(&less), "94", "another replacement amount");
    assert_eq!(owed_to(&switch, NORTH), owed + 400);
    switch.check_ledger();
}

#[test]
fn only_an_acquirer_s_requests_and_their_repeats_are_served() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let (card, zone) = (clients.card(RICH), clients.zone(NORTH));
    let mut tap = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    for mti in [b"0202", b"0203", b"0204", b"0205", b"0208", b"0209"] {
        let order = AtmOrder {
            pin: Some(card.pin.expose().as_slice()),
            amount: Some(1_000),
            ..AtmOrder::new(AtmService::Withdrawal, &machine, &card.card)
        };
        let frame = host.prepare(&order).expect("a frame");
        let confirmation = forge::sealed_again(&frame, &zone, |message| message[..4].copy_from_slice(mti));
        assert_eq!(tap.code(&confirmation), "40", "{}", String::from_utf8_lossy(mti));
    }
    watch.ends(("atm", "unsupported", 6), &[]);
}

#[test]
fn a_fee_counts_with_the_amount_and_is_not_above_it() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let card = clients.card(RICH);
    let before = owed_to(&switch, NORTH);
    assert_code(&draw(&mut host, &machine, &card, 100, Some(101)), "61", "a fee above the amount");
    assert_eq!(owed_to(&switch, NORTH), before);
    assert_approved(&draw(&mut host, &machine, &card, 100, Some(100)));
    assert_eq!(owed_to(&switch, NORTH), before + 200);
    // The prepaid card of the velocity story may spend 2,000.00 a day, the fee included.
    let prepaid = clients.card(62);
    assert_code(
        &draw(&mut host, &machine, &prepaid, 199_950, Some(51)),
        "61",
        "with its fee above the day's limit",
    );
    assert_approved(&draw(&mut host, &machine, &prepaid, 199_950, Some(50)));
    switch.check_ledger();
}
