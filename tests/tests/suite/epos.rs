//! `epos`: telephone POS with a PSAM. Sign-in by nonce, a key for each message, the window of STANs, the dial record.
//!
//! What an attacker makes of it is in `attacks`. That a nonce waits for 30 seconds and lives for 24 hours is in the
//! tests of `verify` and of the books, which are given the time.

use cardswitch::terminal::{Entry, EposTerminal, Exchange, Frame, Order, Service, TestCard};
use switch_tests::{
    clients::{Clients, SILENCE, assert_approved, assert_code},
    forge::{self, Tap},
    in_process::InProcess,
    watch::Watch,
};

/// Lines of `cards.csv` with ordinary cards of some thousands.
const RICH: u64 = 65;
const OTHER: u64 = 66;

const DISCONNECTS: &str = "cardswitch_disconnects_total";

fn scene() -> (InProcess, Clients) {
    let switch = InProcess::start();
    let clients = Clients::of(&switch);
    (switch, clients)
}

fn order<'a>(service: Service, card: &'a TestCard, amount: Option<i64>) -> Order<'a> {
    Order { amount, pin: Some(card.pin.expose()), ..Order::new(service, &card.card, Entry::Stripe) }
}

fn pay(terminal: &mut EposTerminal, card: &TestCard, amount: i64) -> Exchange {
    terminal.order(&order(Service::Purchase, card, Some(amount))).expect("an answer")
}

/// A purchase of 0.01 by tapping, not sent.
fn tap(terminal: &mut EposTerminal, card: &TestCard) -> Frame {
    let frame = terminal.prepare(Service::Purchase, &card.card, Some(1), None, Entry::Contactless);
    frame.expect("signed in")
}

#[test]
fn purchases_and_inquiries_are_served_under_one_time_keys() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let pin = Some(card.pin.expose().as_slice());
    let wrong = Some(&b"9999"[..]);
    type Row<'a> = (&'a str, Service, Entry, Option<i64>, Option<&'a [u8]>, &'a str, i64);
    let rows: [Row<'_>; 9] = [
        ("by stripe and PIN", Service::Purchase, Entry::Stripe, Some(1_000), pin, "00", 1_000),
        ("typed, with PIN", Service::Purchase, Entry::Manual, Some(2_000), pin, "00", 3_000),
        ("tapped without PIN", Service::Purchase, Entry::Contactless, Some(500), None, "00", 3_500),
        (
            "tapped above the limit without PIN",
            Service::Purchase,
            Entry::Contactless,
            Some(10_001),
            None,
            "55",
            3_500,
        ),
        ("the balance", Service::Balance, Entry::Stripe, None, pin, "00", 3_500),
        ("the balance without PIN", Service::Balance, Entry::Stripe, None, None, "55", 3_500),
        ("a wrong PIN", Service::Purchase, Entry::Stripe, Some(1), wrong, "55", 3_500),
        ("more than there is", Service::Purchase, Entry::Stripe, Some(9_999_999), pin, "51", 3_500),
        (
            "a load, which no terminal of the dialect may",
            Service::Load,
            Entry::Stripe,
            Some(1),
            None,
            "58",
            3_500,
        ),
    ];
    for (name, service, entry, amount, pin, code, spent) in rows {
        let order = Order { amount, pin, ..Order::new(service, &card.card, entry) };
        let exchange = terminal.order(&order).expect("an answer");
        assert_code(&exchange, code, name);
        assert_eq!(exchange.mac_ok, Some(true), "{name}: each of these answers is sealed");
        assert_eq!(switch.held(RICH), opening - spent, "{name}");
        if code == "00" {
            assert_eq!(exchange.balance, Some(opening - spent), "{name}: what the answer shows");
            assert!(exchange.approval.is_some() && exchange.rrn.is_some(), "{name}");
        }
        let message = exchange.answer.as_ref().map(|answer| answer.message().expect("an answer decodes"));
        assert!(message.is_some_and(|message| !message.has(57)), "{name}: no field 57 in an answer");
    }
    switch.check_ledger();
}

#[test]
fn what_follows_an_earlier_transaction_is_served() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let of_card = &card.card;
    let shown = |exchange: &Exchange| exchange.balance.map(|balance| balance - opening);
    let stripe = Entry::Stripe;
    let ok = |exchange: Result<Exchange, _>| {
        let exchange = exchange.expect("an answer");
        assert_approved(&exchange);
        assert_eq!(exchange.mac_ok, Some(true));
        exchange
    };

    let bought = pay(&mut terminal, &card, 1_000);
    let voided = ok(terminal.void(of_card, 1_000, None, stripe, &bought.original()));
    assert_eq!(shown(&voided), Some(0));

    let bought = pay(&mut terminal, &card, 1_000);
    let refunded = ok(terminal.refund(of_card, 400, None, stripe, &bought.original()));
    assert_eq!(shown(&refunded), Some(-600));

    let held = ok(terminal.order(&order(Service::PreAuthorization, &card, Some(5_000))));
    assert_eq!((shown(&held), switch.held(RICH)), (Some(-5_600), opening - 600), "held, not paid");
    let released = ok(terminal.pre_authorization_void(of_card, 5_000, None, stripe, &held.original()));
    assert_eq!(shown(&released), Some(-600));

    let held = ok(terminal.order(&order(Service::PreAuthorization, &card, Some(5_000))));
    let completed = ok(terminal.completion(of_card, 4_200, None, stripe, &held.original()));
    assert_eq!(shown(&completed), Some(-4_800));
    let again = terminal.completion(of_card, 1, None, stripe, &held.original()).expect("an answer");
    assert_code(&again, "25", "a second completion");
    let voided = ok(terminal.completion_void(of_card, 4_200, None, stripe, &completed.original()));
    assert_eq!(shown(&voided), Some(-600));

    let held = ok(terminal.order(&order(Service::PreAuthorization, &card, Some(5_000))));
    let advised = ok(terminal.completion_advice(of_card, 5_000, None, stripe, &held.original()));
    assert_eq!(shown(&advised), Some(-5_600));

    // At another terminal of the merchant, in another's encrypted track, the card is the same.
    let mut neighbour = clients.epos("41000003");
    let refunded = ok(neighbour.refund(of_card, 5_000, None, stripe, &advised.original()));
    assert_eq!(shown(&refunded), Some(-600));
    let other = clients.card(OTHER);
    let foreign = terminal.refund(&other.card, 100, None, stripe, &bought.original()).expect("an answer");
    assert_code(&foreign, "25", "another card's purchase");
    switch.check_ledger();
}

#[test]
fn a_changed_pin_holds_until_its_change_is_reversed() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let (old, new) = (card.pin.expose().as_slice(), &b"2468"[..]);
    let purchase = |terminal: &mut EposTerminal, pin| {
        let exchange = terminal.purchase(&card.card, 100, Some(pin), Entry::Stripe).expect("an answer");
        assert_eq!(exchange.mac_ok, Some(true));
        exchange.code_text()
    };
    let changed = terminal.pin_change(&card.card, old, new, Entry::Stripe).expect("an answer");
    assert_approved(&changed);
    assert_eq!(purchase(&mut terminal, old), "55");
    assert_eq!(purchase(&mut terminal, new), "00");
    assert_approved(&terminal.reverse(&changed).expect("an answer"));
    assert_eq!(purchase(&mut terminal, new), "55");
    assert_eq!(purchase(&mut terminal, old), "00");

    let not_his = terminal.pin_change(&card.card, new, b"1357", Entry::Stripe).expect("an answer");
    assert_code(&not_his, "55", "the old PIN must be right");
    assert_eq!(purchase(&mut terminal, old), "00");
    switch.check_ledger();
}

#[test]
fn echo_and_sign_off_need_no_key() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos_at_the_door("41000001");
    let watch = Watch::begin(&switch);
    assert_approved(&terminal.echo().expect("an answer"));
    watch.recorded(&[]);
    assert_approved(&terminal.sign_off().expect("an answer"));
    assert_approved(&terminal.sign_off().expect("an answer"));
    watch.recorded(&["signed_off"]);
}

#[test]
fn a_sign_in_is_answered_on_its_own_connection_only() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos_at_the_door("41000001");
    let asked = terminal.prepare_sign_in().expect("a sign-in");
    let nonce = terminal.send(&asked).expect("an answer");
    assert_approved(&nonce);
    assert!(nonce.rrn.is_none(), "asking is no event");
    terminal.take_nonce(nonce.answer.as_ref().expect("an answer")).expect("a nonce");
    let answering = terminal.prepare_authentication().expect("a nonce was taken");

    let watch = Watch::begin(&switch);
    let answer = Tap::pos(switch.epos_address()).ask(answering.as_bytes());
    assert_eq!((forge::code(&answer).as_str(), forge::processing_request(&answer)), ("77", 3));
    watch.ends(("epos", "sign_in_again", 1), &[]);
    let signed_in = terminal.send(&answering).expect("an answer");
    assert_approved(&signed_in);
    assert!(signed_in.rrn.is_some(), "answering is one");
    watch.recorded(&["psam_signed_in"]);

    // Nor on the connection that takes the place of one that was closed.
    let mut line = Tap::pos(switch.epos_address());
    let nonce = line.ask(asking(&mut terminal).as_bytes());
    terminal.take_nonce(&nonce).expect("a nonce");
    let answering = terminal.prepare_authentication().expect("a nonce was taken");
    let closed = switch.metric(DISCONNECTS, &[]);
    drop(line);
    switch.wait_for_metric(DISCONNECTS, &[], closed + 1);
    assert_eq!(Tap::pos(switch.epos_address()).code(answering.as_bytes()), "77", "on the next connection");
}

fn asking(terminal: &mut EposTerminal) -> Frame {
    terminal.prepare_sign_in().expect("a sign-in")
}

#[test]
fn two_terminals_on_one_connection_sign_in_side_by_side() {
    let (switch, clients) = scene();
    let (mut one, mut two) = (clients.epos_at_the_door("41000001"), clients.epos_at_the_door("41000002"));
    let mut line = Tap::pos(switch.epos_address());
    let of_one = line.ask(asking(&mut one).as_bytes());
    let of_two = line.ask(asking(&mut two).as_bytes());
    one.take_nonce(&of_one).expect("a nonce");
    two.take_nonce(&of_two).expect("a nonce");
    let (answer_one, answer_two) = (one.prepare_authentication(), two.prepare_authentication());
    for answer in [answer_one, answer_two] {
        assert_eq!(line.code(answer.expect("a nonce").as_bytes()), "00", "each has a nonce of its own");
    }
}

#[test]
fn a_nonce_outlives_its_connection_and_ends_with_the_next_sign_in() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    terminal.connect(switch.epos_address()).expect("the switch accepts");
    assert_approved(&pay(&mut terminal, &card, 1));
    let under_old = [(); 2].map(|()| tap(&mut terminal, &card));
    assert_approved(&terminal.sign_in().expect("an answer"));
    let watch = Watch::begin(&switch);
    for frame in &under_old {
        let exchange = terminal.send(frame).expect("an answer");
        assert_code(&exchange, "77", "the nonce of the sign-in before");
        assert_eq!(exchange.mac_ok, Some(true), "its MAC was right, so the answer has one");
        assert_eq!(forge::processing_request(exchange.answer.as_ref().expect("an answer")), 3);
    }
    watch.ends(("epos", "sign_in_again", 2), &[]);
    assert_approved(&pay(&mut terminal, &card, 1));
}

#[test]
fn stans_may_come_out_of_order_within_the_window_and_once() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let frames: Vec<Frame> = (0..65).map(|_| tap(&mut terminal, &card)).collect();
    let mut line = Tap::pos(switch.epos_address());
    assert_eq!(line.code(frames[64].as_bytes()), "00", "the highest first");
    // 7 and 64 have no common factor: each of the 64 once, far from order.
    let mut late: Vec<usize> = (0..64).map(|step| step * 7 % 64).collect();
    late.retain(|at| *at != 0);
    for at in late {
        assert_eq!(line.code(frames[at].as_bytes()), "00", "{} behind the highest", 64 - at);
    }
    assert_eq!(switch.held(RICH), opening - 64);
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(frames[0].as_bytes()), "77", "64 behind: too old to tell");
    watch.ends(("epos", "sign_in_again", 1), &[]);
    let watch = Watch::begin(&switch);
    for frame in &frames[1..] {
        assert_eq!(line.code(frame.as_bytes()), "94", "each was good once");
    }
    watch.ends(("epos", "replay", 64), &["alert"]);

    // Each class of messages has a window of its own: a reversal of an old purchase is not too old.
    let first = pay(&mut terminal, &card, 1);
    for _ in 0..70 {
        assert_approved(&pay(&mut terminal, &card, 1));
    }
    assert_approved(&terminal.reverse(&first).expect("an answer"));
    assert_eq!(switch.held(RICH), opening - 64 - 70);

    // A terminal that begins again with 1 signs in, and is in another batch.
    let mut anew = terminal.counting_from(1).in_batch(2);
    let low = tap(&mut anew, &card);
    assert_code(&anew.send(&low).expect("an answer"), "77", "far behind the window");
    assert_approved(&anew.sign_in().expect("an answer"));
    let low = tap(&mut anew, &card);
    assert_approved(&anew.send(&low).expect("an answer"));
}

#[test]
fn what_was_not_recorded_may_use_its_stan_again() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let frame = tap(&mut terminal, &card);
    let broken = frame.changed(4).expect("an amount");
    assert_eq!(Tap::pos(switch.epos_address()).code(broken.as_bytes()), "A0");
    assert_approved(&terminal.send(&frame).expect("an answer"));
}

#[test]
fn a_repeat_under_fresh_keys_gets_the_first_answer() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let first = pay(&mut terminal, &card, 1_000);
    assert_approved(&first);
    let watch = Watch::begin(&switch);
    let repeat = terminal.repeat(&first).expect("an answer");
    assert!(repeat.answered_as(&first), "RRN, time and all");
    assert_eq!(repeat.mac_ok, Some(true), "sealed with the repeat's own key");
    assert_ne!(
        forge::mac_of(repeat.answer.as_ref().expect("one")),
        forge::mac_of(first.answer.as_ref().expect("one"))
    );

    // Also over another connection, after another sign-in, and when somebody recorded it and sends it once more.
    terminal.connect(switch.epos_address()).expect("the switch accepts");
    assert_approved(&terminal.sign_in().expect("an answer"));
    assert!(terminal.repeat(&first).expect("an answer").answered_as(&first), "after a new sign-in");
    assert!(terminal.replay(&repeat).expect("an answer").answered_as(&first), "a recorded repeat");
    assert_eq!(watch.risen("cardswitch_repeats_total", &[]), 3);
    watch.recorded(&["psam_signed_in"]);
    watch.nothing_moved();
    assert_eq!(switch.held(RICH), opening - 1_000);

    // A decline is repeated, too, and counts no try twice.
    let wrong = Order { pin: Some(b"9999"), ..order(Service::Purchase, &card, Some(1)) };
    let declined = terminal.order(&wrong).expect("an answer");
    assert_code(&declined, "55", "a wrong PIN");
    for _ in 0..4 {
        assert!(terminal.repeat(&declined).expect("an answer").answered_as(&declined));
    }
    assert_approved(&pay(&mut terminal, &card, 1));
}

#[test]
fn a_reversal_gives_back_once_and_stops_an_original_that_comes_late() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let paid = pay(&mut terminal, &card, 1_000);
    assert_approved(&paid);
    let reversed = terminal.reverse(&paid).expect("an answer");
    assert_approved(&reversed);
    assert_eq!((reversed.mac_ok, switch.held(RICH)), (Some(true), opening));
    assert!(terminal.repeat(&reversed).expect("an answer").answered_as(&reversed), "repeated");
    assert_code(&terminal.repeat(&paid).expect("an answer"), "68", "the purchase, repeated");

    // After a new sign-in the original's nonce is gone; the reversal has the current one.
    let paid = pay(&mut terminal, &card, 500);
    assert_approved(&terminal.sign_in().expect("an answer"));
    assert_approved(&terminal.reverse(&paid).expect("an answer"));
    assert_eq!(switch.held(RICH), opening);

    // Before its original.
    let held_back = tap(&mut terminal, &card);
    let stan = held_back.message().expect("a purchase").number(11).and_then(|stan| u32::try_from(stan).ok());
    let reversal = terminal.reverse_earlier(Service::Purchase, stan.expect("a STAN"), 1).expect("an answer");
    assert_approved(&reversal);
    let late = terminal.send(&held_back).expect("an answer");
    assert_code(&late, "68", "it was reversed before it came");
    assert_eq!(switch.held(RICH), opening);

    // With another amount it names nothing, and does not stand in the way of the right one.
    let paid = pay(&mut terminal, &card, 500);
    let watch = Watch::begin(&switch);
    let wrong = terminal.reverse_earlier(Service::Purchase, paid.stan, 501).expect("an answer");
    assert_code(&wrong, "64", "another amount");
    watch.ends(("epos", "amount_differs", 1), &[]);
    assert_approved(&terminal.reverse(&paid).expect("an answer"));
    assert_eq!(switch.held(RICH), opening);
    switch.check_ledger();
}

#[test]
fn a_dial_record_must_agree_with_everything_else() {
    let switch = InProcess::start_with(|config| config.epos.concentrator = true);
    let clients = Clients::of(&switch);
    let card = clients.card(RICH);
    const OWN: &str = "02100000001";
    const NEIGHBOUR: &str = "02100000002";
    const CENTRE: &str = "02100000099";
    let dialled = |id: &str, calling: &str| {
        clients.epos_at_the_door(id).dialling(calling, CENTRE).expect("telephone numbers")
    };

    let mut terminal = dialled("41000001", OWN);
    assert_approved(&terminal.sign_in().expect("an answer"));
    assert_approved(&pay(&mut terminal, &card, 100));
    assert_approved(&terminal.echo().expect("an answer"));
    // Zeros in front do not count.
    let mut filled = terminal.dialling(&format!("000{OWN}"), CENTRE).expect("telephone numbers");
    assert_approved(&pay(&mut filled, &card, 100));

    let watch = Watch::begin(&switch);
    let mut lying = filled.dialling(NEIGHBOUR, CENTRE).expect("telephone numbers");
    assert_code(&pay(&mut lying, &card, 100), "58", "the line does not lie");
    assert_code(&lying.sign_in().expect("an answer"), "58", "nor at sign-in");
    watch.ends(("epos", "binding_mismatch", 2), &["alert"]);

    let mut other = dialled("41000002", NEIGHBOUR);
    assert_approved(&other.sign_in().expect("an answer"));
    let mut disagreeing = other.calling_from(OWN).expect("a telephone number");
    let watch = Watch::begin(&switch);
    assert_code(&pay(&mut disagreeing, &card, 100), "58", "tag 04 says another number than the line");
    watch.ends(("epos", "binding_mismatch", 1), &["alert"]);

    // Where concentrators call, others may call, too; then tag 04 is all there is.
    assert_approved(&pay(&mut clients.epos("41000003"), &card, 100));

    // A record whose number is none: nobody to answer.
    let mut frame = tap(&mut disagreeing, &card).as_bytes().to_vec();
    frame[2 + 5] = 0xA2;
    let watch = Watch::begin(&switch);
    let mut line = Tap::pos(switch.epos_address());
    line.send(&frame);
    watch.dropped("undecodable", 1);
    assert_eq!(line.answer_within(SILENCE), None);
    watch.recorded(&[]);
}

#[test]
fn a_dial_record_is_not_accepted_from_just_anyone() {
    let (switch, clients) = scene();
    let mut terminal =
        clients.epos("41000001").dialling("02100000001", "02100000099").expect("telephone numbers");
    let frame = tap(&mut terminal, &clients.card(RICH));
    let watch = Watch::begin(&switch);
    let mut line = Tap::pos(switch.epos_address());
    line.send(frame.as_bytes());
    watch.dropped("undecodable", 1);
    assert_eq!(line.answer_within(SILENCE), None);
    watch.recorded(&[]);
    watch.nothing_moved();
}

#[test]
fn a_restart_keeps_nonce_window_and_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let switch = InProcess::start_on_disk(folder.path(), |_| ());
    let clients = Clients::of(&switch);
    let card = clients.card(RICH);
    let opening = switch.held(RICH);
    let mut terminal = clients.epos("41000001");
    let too_old = tap(&mut terminal, &card);
    let mut terminal = terminal.counting_from(100);
    let held_back = tap(&mut terminal, &card);
    let paid = pay(&mut terminal, &card, 1_000);
    assert_approved(&paid);
    switch.stop().expect("a good stop");

    let switch = InProcess::start_on_disk(folder.path(), |_| ());
    terminal.connect(switch.epos_address()).expect("the switch accepts");
    assert_code(&terminal.replay(&paid).expect("an answer"), "94", "a replay over the restart");
    assert!(terminal.repeat(&paid).expect("an answer").answered_as(&paid), "a repeat over the restart");
    assert_approved(&terminal.send(&held_back).expect("an answer"));
    assert_code(&terminal.send(&held_back).expect("an answer"), "94", "it came, late, and once");
    assert_code(&terminal.send(&too_old).expect("an answer"), "77", "behind the window");
    assert_approved(&pay(&mut terminal, &card, 100));
    assert_approved(&terminal.reverse(&paid).expect("an answer"));
    assert_eq!(switch.held(RICH), opening - 101);
    switch.check_ledger();
    switch.stop().expect("a good stop");
}
