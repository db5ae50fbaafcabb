//! What was heard on a line and is sent again: to the switch, or back to it.

use cardswitch::{
    books::notices::{Cause, Recipient},
    terminal::{AtmOrder, AtmService, Entry, Frame, Service},
};
use switch_tests::{
    ask::Ask,
    clients::{SILENCE, assert_approved, assert_code},
    forge::{self, Tap},
    in_process::InProcess,
    watch::Watch,
};

use super::{ACQUIRER, RICH, buy, draw, last_notice, link, pay, scene, withdrawal};

#[test]
fn a_recorded_request_of_pos_brings_its_recorded_answer_and_nothing_else() {
    let (switch, clients) = scene();
    let mut terminal = clients.pos("31000002");
    let card = clients.card(RICH);
    let pin = Some(card.pin.expose().as_slice());
    let paid = terminal.purchase(&card.card, 1_000, pin, Entry::Stripe).expect("an answer");
    assert_approved(&paid);
    let watch = Watch::begin(&switch);
    for mut line in [Tap::pos(switch.address()), Tap::pos(switch.address())] {
        let answer = line.ask(paid.request.as_bytes());
        assert_eq!(Some(answer), paid.answer, "the very same answer");
    }
    assert_eq!(watch.risen("cardswitch_repeats_total", &[]), 2);
    watch.ends(("pos", "approved", 2), &[]);
}

#[test]
fn a_recorded_request_of_atm_brings_its_recorded_answer_and_nothing_else() {
    let (switch, clients) = scene();
    let (mut host, terminal) = clients.atm("51000001");
    let drawn = draw(&mut host, &terminal, &clients.card(RICH), 10_000);
    assert_approved(&drawn);
    let watch = Watch::begin(&switch);
    let mut line = Tap::atm(switch.atm_address());
    for _ in 0..2 {
        assert_eq!(Some(line.ask(drawn.request.as_bytes())), drawn.answer, "the very same answer");
    }
    assert_eq!(watch.risen("cardswitch_repeats_total", &[]), 2);
    watch.ends(("atm", "approved", 2), &[]);
}

#[test]
fn a_recorded_request_of_epos_is_a_replay_and_people_are_told_once_a_minute() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    let paid = pay(&mut terminal, &card, 1_000);
    assert_approved(&paid);
    let watch = Watch::begin(&switch);
    let mut line = Tap::pos(switch.epos_address());
    for _ in 0..3 {
        assert_eq!(line.code(paid.request.as_bytes()), "94");
    }
    watch.ends(("epos", "replay", 3), &["alert"]);
    assert_eq!(watch.risen("cardswitch_notices_total", &[]), 1);
    assert_eq!(last_notice(&switch), Some((Recipient::CardManagement, Cause::Replay)));
    assert_approved(&pay(&mut terminal, &card, 1));
}

#[test]
fn a_recorded_message_of_epos_is_worthless_after_the_next_sign_in() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    // Held back on the line: the switch never saw it.
    let pin = Some(card.pin.expose().as_slice());
    let held = terminal.prepare(Service::Purchase, &card.card, Some(500), pin, Entry::Stripe);
    let held = held.expect("signed in");
    assert_approved(&terminal.sign_in().expect("an answer"));
    let watch = Watch::begin(&switch);
    let answer = Tap::pos(switch.epos_address()).ask(held.as_bytes());
    assert_eq!((forge::code(&answer).as_str(), forge::processing_request(&answer)), ("77", 3));
    watch.ends(("epos", "sign_in_again", 1), &[]);
}

#[test]
fn an_old_message_of_atm_is_refused_by_its_time() {
    let (switch, clients) = scene();
    let (mut host, terminal) = clients.atm("51000001");
    let card = clients.card(RICH);
    let zone = clients.zone(ACQUIRER);
    let mut line = Tap::atm(switch.atm_address());
    const MINUTE: i64 = 60;
    let rows = [
        ("a little late", -22 * 60 * MINUTE - 50 * MINUTE, "00", "approved"),
        ("older than requests are remembered", -24 * 60 * MINUTE, "12", "time_out_of_range"),
        ("too old to be told from such a one", -23 * 60 * MINUTE - 5 * MINUTE, "12", "time_out_of_range"),
        ("a clock somewhat ahead", 55 * MINUTE, "00", "approved"),
        ("a clock far ahead", 65 * MINUTE, "12", "time_out_of_range"),
    ];
    for (name, seconds, want, reason) in rows {
        let pin = Some(card.pin.expose().as_slice());
        let order = AtmOrder {
            pin,
            amount: Some(100),
            ..AtmOrder::new(AtmService::Withdrawal, &terminal, &card.card)
        };
        let frame = host.prepare(&order).expect("a withdrawal");
        let at = frame.message().expect("a withdrawal").span(7).expect("field 7");
        let old = forge::sealed_again(&frame, &zone, |message| {
            message[at].copy_from_slice(format!("{:010}", forge::transmitted(seconds)).as_bytes());
        });
        let watch = Watch::begin(&switch);
        assert_eq!(line.code(&old), want, "{name}");
        watch.answered("atm", reason, 1);
        if want != "00" {
            watch.recorded(&[]);
            watch.nothing_moved();
        }
    }
    // Of link messages, too.
    let watch = Watch::begin(&switch);
    let sign_off = link(&zone, ACQUIRER, -24 * 60 * MINUTE, 7, 2);
    assert_eq!(line.code(&sign_off), "12");
    watch.ends(("atm", "time_out_of_range", 1), &[]);
}

#[test]
fn a_recorded_sign_in_of_pos_changes_no_key_in_use() {
    let switch = InProcess::start();
    let mut line = switch.connect();
    let mut terminal = switch.city().terminal("31000002");
    let mut sign_in = Ask::sign_in();
    let recorded = terminal.frame(&mut sign_in);
    line.send(&recorded);
    terminal.accept(&line.receive().expect("an answer"));
    let card = switch.city().card(RICH);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 10)).code, "00");

    let watch = Watch::begin(&switch);
    let mut stranger = Tap::pos(switch.address());
    let told: Vec<_> = (0..3).map(|_| stranger.ask(&recorded)).collect();
    assert!(told.iter().all(|answer| forge::code(answer) == "00"));
    let keys = |answer: &Frame| {
        answer.message().expect("an answer").fixed::<40>(62).expect("keys, under the master key")
    };
    assert!(told.iter().all(|answer| keys(answer) == keys(&told[0])), "one new pair, told again and again");
    watch.ends(("pos", "approved", 3), &["signed_in"]);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 10)).code, "00", "the old pair is in use");
}

#[test]
fn a_recorded_authenticator_is_good_for_nothing() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos_at_the_door("41000001");
    let asked = terminal.prepare_sign_in().expect("a sign-in");
    let nonce = terminal.send(&asked).expect("an answer");
    assert_approved(&nonce);
    terminal.take_nonce(nonce.answer.as_ref().expect("an answer")).expect("a nonce");
    let recorded = terminal.prepare_authentication().expect("a nonce was taken");
    assert_approved(&terminal.send(&recorded).expect("an answer"));

    let watch = Watch::begin(&switch);
    let again = terminal.send(&recorded).expect("an answer");
    assert_code(&again, "77", "on the same connection: its nonce was used up");
    let mut line = Tap::pos(switch.epos_address());
    assert_eq!(line.code(recorded.as_bytes()), "77", "on another: no nonce waits there");
    watch.ends(("epos", "sign_in_again", 2), &[]);

    let watch = Watch::begin(&switch);
    assert_eq!(line.code(asked.as_bytes()), "00", "anyone may ask for a nonce");
    assert_eq!(line.code(recorded.as_bytes()), "A0", "and it is another");
    assert_eq!(line.code(recorded.as_bytes()), "77", "which is good for one answer");
    watch.ends(("epos", "mac_failed", 1), &[]);
    assert_approved(&pay(&mut terminal, &clients.card(RICH), 1));
}

#[test]
fn a_recorded_sign_off_cannot_end_a_later_session() {
    let (switch, clients) = scene();
    let (mut host, terminal) = clients.atm("51000001");
    let off = host.sign_off().expect("an answer");
    assert_approved(&off);
    let on = host.sign_on().expect("an answer");
    assert_approved(&on);

    let watch = Watch::begin(&switch);
    let mut line = Tap::atm(switch.atm_address());
    assert_eq!(line.code(off.request.as_bytes()), "94");
    watch.ends(("atm", "replay", 1), &[]);
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(on.request.as_bytes()), "00", "the last one is answered as it was");
    watch.ends(("atm", "approved", 1), &[]);
    assert_approved(&draw(&mut host, &terminal, &clients.card(RICH), 100));

    assert_approved(&host.sign_off().expect("an answer"));
    let watch = Watch::begin(&switch);
    assert_eq!(line.code(on.request.as_bytes()), "94", "nor does an old sign-on begin one");
    watch.ends(("atm", "replay", 1), &[]);
    assert_code(&draw(&mut host, &terminal, &clients.card(RICH), 100), "91", "signed off");
}

#[test]
fn answers_sent_back_are_dropped_and_counted() {
    let (switch, clients) = scene();
    let card = clients.card(RICH);
    let mut pos = clients.pos("31000002");
    let (mut host, machine) = clients.atm("51000001");
    let paid = buy(&mut pos, &card, 100);
    let rows = [
        ("pos", Tap::pos(switch.address()), pos.reverse(&paid).expect("an answer")),
        ("pos, a purchase's", Tap::pos(switch.address()), paid),
        ("epos", Tap::pos(switch.epos_address()), pay(&mut clients.epos("41000001"), &card, 100)),
        ("atm", Tap::atm(switch.atm_address()), draw(&mut host, &machine, &card, 100)),
        ("atm, an echo's", Tap::atm(switch.atm_address()), host.echo().expect("an answer")),
    ];
    for (name, mut line, exchange) in rows {
        assert_approved(&exchange);
        let watch = Watch::begin(&switch);
        line.send(exchange.answer.as_ref().expect("an answer").as_bytes());
        watch.dropped("answer_received", 1);
        assert_eq!(line.answer_within(SILENCE), None, "{name}");
        watch.recorded(&[]);
        watch.nothing_moved();
    }
}

#[test]
fn a_message_of_the_switch_itself_is_refused_as_a_request() {
    let (switch, clients) = scene();
    assert_approved(&clients.atm("51000001").0.echo().expect("an answer"));
    let mut line = Tap::atm(switch.atm_address());
    let keys = clients.zone_keys(ACQUIRER);
    let [pin, to, from] = [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| *key.expose());
    // As it would be MACed by the switch, and as nobody could MAC it.
    for zone in [clients.zone_of(ACQUIRER, keys.zmk.expose(), [pin, from, to]), clients.zone(ACQUIRER)] {
        let watch = Watch::begin(&switch);
        let card = clients.card(RICH);
        assert_eq!(line.code(&link(&zone, "31000000", 0, 900, 301)), "58", "our own number in field 32");
        assert_eq!(line.code(&withdrawal(&zone, "31000000", 901, &card)), "58", "our own number in field 32");
        watch.ends(("atm", "reflected", 2), &[]);
    }
    // With the acquirer's number, but the key of the other direction.
    let turned = clients.zone_of(ACQUIRER, keys.zmk.expose(), [pin, from, to]);
    let watch = Watch::begin(&switch);
    for frame in [
        link(&turned, ACQUIRER, 0, 902, 301),
        link(&turned, ACQUIRER, 0, 903, 2),
        withdrawal(&turned, ACQUIRER, 904, &clients.card(RICH)),
    ] {
        let answer = line.ask(&frame);
        assert_eq!(forge::code(&answer), "A0");
        assert!(!answer.message().expect("an answer").has(64), "the switch is no oracle");
        assert!(!answer.message().expect("an answer").has(128), "the switch is no oracle");
    }
    watch.ends(("atm", "mac_failed", 3), &[]);
    let good = clients.zone(ACQUIRER);
    assert_eq!(line.code(&withdrawal(&good, ACQUIRER, 905, &clients.card(RICH))), "00", "with the right key");
}
