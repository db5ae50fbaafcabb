//! Who says that he is another: swapped PSAMs, cloned terminals, weaker dialects, and sign-ins meant to cut others off.

use cardswitch::{
    books::notices::{Cause, Recipient},
    terminal::{AtmForm, Entry, Frame, Service},
};
use hsm_sim::{MacAlgorithm, PsamNumber, emulator::Zone};
use switch_tests::{
    ask::Ask,
    clients::{assert_approved, assert_code, assert_unsealed},
    forge::{self, Tap},
    in_process::InProcess,
    line::Line,
    watch::Watch,
};

use super::{ACQUIRER, NEW, RICH, draw, key_change, last_notice, link, new_blocks, pay, scene, withdrawal};

#[test]
fn a_psam_in_another_terminal_is_noticed() {
    let (switch, clients) = scene();
    let card = clients.card(RICH);

    // Signing in: the number alone gives it away.
    let mut swapped = clients.epos_with_psam_of("41000001", "41000002");
    let watch = Watch::begin(&switch);
    for _ in 0..2 {
        assert_code(&swapped.sign_in().expect("an answer"), "58", "a genuine PSAM, but not this terminal's");
    }
    // Whose number it is was not shown by a key yet, so nobody is told: anyone could keep people busy.
    watch.ends(("epos", "binding_mismatch", 2), &[]);

    // Signed in at its own terminal and then carried away: every key and the nonce are right.
    let (mut at_home, psam_of) = (clients.epos_at_the_door("41000003"), "41000003");
    let asked = at_home.prepare_sign_in().expect("a sign-in");
    let nonce = at_home.send(&asked).expect("an answer").answer.expect("an answer");
    at_home.take_nonce(&nonce).expect("a nonce");
    let answering = at_home.prepare_authentication().expect("a nonce was taken");
    assert_approved(&at_home.send(&answering).expect("an answer"));
    let mut carried = clients.epos_with_psam_of("41000002", psam_of).counting_from(100);
    carried.take_nonce(&nonce).expect("a nonce");
    let watch = Watch::begin(&switch);
    for _ in 0..2 {
        assert_code(&pay(&mut carried, &card, 100), "58", "a genuine PSAM, but not this terminal's");
    }
    watch.ends(("epos", "binding_mismatch", 2), &["alert"]);
    assert_eq!(watch.risen("cardswitch_notices_total", &[]), 1);
    assert_eq!(last_notice(&switch), Some((Recipient::CardManagement, Cause::BindingMismatch)));
    assert_approved(&pay(&mut at_home, &card, 1));
}

#[test]
fn a_psam_number_that_is_claimed_needs_the_keys_of_that_number() {
    let (switch, clients) = scene();
    let other = PsamNumber::parse_bcd(&[0x31, 0, 0, 0, 0, 0, 0x01, 0x02]).expect("a PSAM number");
    let mut liar = clients.epos("41000001").claiming(other);
    let watch = Watch::begin(&switch);
    assert_unsealed(&pay(&mut liar, &clients.card(RICH), 100), "A0", "another's number under one's own keys");
    watch.ends(("epos", "mac_failed", 1), &[]);

    let watch = Watch::begin(&switch);
    assert_code(&liar.sign_in().expect("an answer"), "58", "another's number at sign-in");
    watch.ends(("epos", "binding_mismatch", 1), &[]);

    let unknown = PsamNumber::parse_bcd(&[0x39, 0, 0, 0, 0, 0, 0, 0x01]).expect("a PSAM number");
    let mut stranger = clients.epos("41000002").claiming(unknown);
    let mut revoked = clients.epos_at_the_door("41000004");
    let watch = Watch::begin(&switch);
    assert_code(&stranger.sign_in().expect("an answer"), "58", "a number that nobody knows");
    assert_unsealed(&pay(&mut stranger, &clients.card(RICH), 100), "58", "a number that nobody knows");
    assert_code(&revoked.sign_in().expect("an answer"), "58", "a PSAM that was revoked");
    watch.ends(("epos", "psam_not_permitted", 3), &[]);

    // A number whose complement is a number, too: the keys of both would be one.
    let mut frame = stranger.prepare_sign_in().expect("a sign-in").as_bytes().to_vec();
    let at = frame.windows(8).position(|bytes| bytes == unknown.as_bcd()).expect("the number");
    frame[at..at + 8].copy_from_slice(&[0x67, 0x89, 0x67, 0x89, 0x67, 0x89, 0x67, 0x89]);
    let watch = Watch::begin(&switch);
    assert_eq!(Tap::pos(switch.epos_address()).code(&frame), "30");
    watch.ends(("epos", "format_error", 1), &[]);
}

#[test]
fn a_terminal_cloned_on_another_line_is_refused_and_people_are_told_once_a_minute() {
    let (switch, clients) = scene();
    let mut genuine = clients.epos("41000001");
    let card = clients.card(RICH);
    assert_approved(&pay(&mut genuine, &card, 100));

    let mut clone =
        clients.epos_at_the_door("41000001").calling_from("02100000009").expect("a telephone number");
    let watch = Watch::begin(&switch);
    for _ in 0..3 {
        assert_code(&clone.sign_in().expect("an answer"), "58", "everything right but the line");
    }
    watch.ends(("epos", "binding_mismatch", 3), &["alert"]);
    assert_eq!(watch.risen("cardswitch_notices_total", &[]), 1);
    assert_approved(&pay(&mut genuine, &card, 100));

    // Signed in at home, then moved.
    let mut moved = clients.epos("41000002").calling_from("02100000001").expect("a telephone number");
    let watch = Watch::begin(&switch);
    assert_code(&pay(&mut moved, &card, 100), "58", "calling from its neighbour's line");
    assert_code(&pay(&mut moved, &card, 100), "58", "and again");
    watch.ends(("epos", "binding_mismatch", 2), &["alert"]);
    let mut back = moved.calling_from("02100000002").expect("a telephone number");
    assert_approved(&pay(&mut back, &card, 100));
}

#[test]
fn single_length_keys_cannot_be_asked_for() {
    let switch = InProcess::start();
    let mut line = switch.connect();
    for terminal in ["31000001", "31000002"] {
        let watch = Watch::begin(&switch);
        let sign_in = Ask { management: 1, ..Ask::sign_in() };
        assert_eq!(switch.city().terminal(terminal).ask(&mut line, sign_in).code, "58", "{terminal}");
        watch.ends(("pos", "terminal_not_permitted", 1), &[]);
    }
}

#[test]
fn a_terminal_cannot_choose_a_weaker_dialect_than_its_own() {
    let (switch, clients) = scene();
    let card = clients.card(RICH);

    let mut epos = clients.epos("41000001");
    // Typed, so that there is no encrypted track that `pos` would not find.
    let prepared = epos.prepare(Service::Purchase, &card.card, Some(100), None, Entry::Manual);
    let (message, sign_in) = (prepared.expect("signed in"), epos.prepare_sign_in().expect("a sign-in"));
    let watch = Watch::begin(&switch);
    let mut as_pos = Tap::pos(switch.address());
    assert_eq!(as_pos.code(sign_in.as_bytes()), "58", "its sign-in on the listener for pos");
    assert_eq!(as_pos.code(message.as_bytes()), "58", "its purchase there");
    // It has a master key in its record, and still gets no working keys.
    let mut line = switch.connect();
    assert_eq!(switch.city().terminal("41000001").ask(&mut line, Ask::sign_in()).code, "58");
    watch.ends(("pos", "terminal_not_permitted", 3), &[]);

    let watch = Watch::begin(&switch);
    let mut without = epos.without_57();
    let purchase = without.purchase(&card.card, 100, None, Entry::Contactless).expect("an answer");
    assert_unsealed(&purchase, "58", "without field 57");
    let mut line = Line::connect(switch.epos_address());
    let plain = switch.city().terminal("41000001").ask(&mut line, Ask::sign_in());
    assert_eq!(plain.code, "58", "a sign-in of pos on the listener for epos");
    watch.ends(("epos", "psam_not_permitted", 2), &[]);
    let watch = Watch::begin(&switch);
    let mut clear = Ask { sealed: false, ..Ask::tap(&switch.city().card(RICH), 100) };
    line.send(&switch.city().terminal("41000001").frame(&mut clear));
    assert_eq!(line.receive().expect("an answer").code, "30", "a track in clear");
    watch.ends(("epos", "format_error", 1), &[]);

    let watch = Watch::begin(&switch);
    let mut stranger = switch.city().terminal("31000002");
    assert_eq!(stranger.ask(&mut line, Ask::sign_in()).code, "58", "a pos terminal on the listener for epos");
    watch.ends(("epos", "terminal_not_permitted", 1), &[]);
}

#[test]
fn a_host_cannot_choose_another_mac_than_its_records() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let keys = clients.zone_keys(ACQUIRER);
    let [pin, to, from] = [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| *key.expose());
    let other = Zone::new(keys.zmk.expose(), pin, to, from, MacAlgorithm::Cbc3Des).expect("zone keys");
    let watch = Watch::begin(&switch);
    let frame = withdrawal(&other, ACQUIRER, 900, &clients.card(RICH));
    assert_eq!(Tap::atm(switch.atm_address()).code(&frame), "A0", "CBC under the key for x9.19");
    watch.ends(("atm", "mac_failed", 1), &[]);
    assert_approved(&draw(&mut host, &machine, &clients.card(RICH), 100));
}

#[test]
fn nobody_is_cut_off_by_a_sign_in_that_is_not_his() {
    let (switch, clients) = scene();
    let mut terminal = clients.epos("41000001");
    let card = clients.card(RICH);
    // The stranger knows everything but the keys: he has another PSAM's.
    let mut stranger = clients.epos_with_psam_of("41000001", "41000002").claiming(terminal.psam());
    let watch = Watch::begin(&switch);
    for _ in 0..3 {
        assert_code(&stranger.sign_in().expect("an answer"), "A0", "an authenticator under other keys");
    }
    watch.answered("epos", "approved", 3);
    watch.ends(("epos", "mac_failed", 3), &[]);
    assert_approved(&pay(&mut terminal, &card, 1));

    // Between the terminal's question and its answer the stranger asks, too.
    let asked = terminal.prepare_sign_in().expect("a sign-in");
    let nonce = terminal.send(&asked).expect("an answer").answer.expect("an answer");
    assert_code(&stranger.sign_in().expect("an answer"), "A0", "in between");
    terminal.take_nonce(&nonce).expect("a nonce");
    let answering = terminal.prepare_authentication().expect("a nonce was taken");
    assert_approved(&terminal.send(&answering).expect("an answer"));
    assert_approved(&pay(&mut terminal, &card, 1));

    // Nor by a sign-off, which carries no MAC.
    let watch = Watch::begin(&switch);
    assert_eq!(stranger.sign_off().expect("an answer").code_text(), "00");
    watch.recorded(&["signed_off"]);
    assert_approved(&pay(&mut terminal, &card, 1));
}

#[test]
fn nobody_is_cut_off_by_a_link_message_that_is_not_his() {
    let (switch, clients) = scene();
    let (mut host, machine) = clients.atm("51000001");
    let theirs = clients.zone_keys("31060220");
    // Another acquirer, who has a zone and a master key of its own.
    let keys = [&theirs.pin, &theirs.mac_to_switch, &theirs.mac_from_switch].map(|key| *key.expose());
    let stranger = clients.zone_of(ACQUIRER, theirs.zmk.expose(), keys);
    let blocks = new_blocks(&clients, &stranger, &NEW);
    let mut line = Tap::atm(switch.atm_address());
    let watch = Watch::begin(&switch);
    let sealed = link(&stranger, ACQUIRER, 0, 900, 2);
    assert_eq!(line.code(&sealed), "A0", "a sign-off");
    assert_eq!(line.code(&key_change(&stranger, 901, &blocks)), "A0", "a key change");
    let frame = Frame::read_atm(&sealed, AtmForm::default()).expect("a frame");
    assert_eq!(line.code(&forge::without_mac(&frame)), "A0", "a sign-off without a MAC");
    watch.ends(("atm", "mac_failed", 3), &[]);
    assert_approved(&draw(&mut host, &machine, &clients.card(RICH), 100));
}
