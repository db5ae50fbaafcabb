//! Who may speak at all: sign-ins, working keys old and new, terminals that are not let in.

use switch_tests::{ask::Ask, in_process::InProcess};

const RICH: u64 = 2;

#[test]
fn terminals_that_may_not_are_refused_at_sign_in() {
    let switch = InProcess::start();
    let mut line = switch.connect();
    let rows = [
        ("its merchant is suspended", "31000011", Ask::sign_in(), "03"),
        ("it is on the blacklist", "31000012", Ask::sign_in(), "58"),
        ("it speaks another dialect: epos", "41000001", Ask::sign_in(), "58"),
        ("it speaks another dialect: atm", "51000001", Ask::sign_in(), "58"),
        ("single-length keys", "31000001", Ask { management: 1, ..Ask::sign_in() }, "58"),
        ("another merchant's number", "31000001", Ask { merchant: Some([b'1'; 15]), ..Ask::sign_in() }, "03"),
        ("nobody knows it", "31000001", Ask { terminal: Some(*b"99999999"), ..Ask::sign_in() }, "97"),
    ];
    let before = switch.seq();
    for (name, terminal, mut ask, want) in rows {
        let mut terminal = switch.city().terminal(terminal);
        line.send(&terminal.frame(&mut ask));
        let answer = line.receive().expect("an answer");
        assert_eq!((answer.code.as_str(), answer.mac), (want, None), "{name}");
    }
    assert_eq!(switch.seq(), before, "none of it is an event");
}

#[test]
fn the_forgeable_mac_is_served_on_private_networks_only() {
    let open = InProcess::start_with(|config| config.pos.private = false);
    let mut line = open.connect();
    assert_eq!(open.city().terminal("31000001").ask(&mut line, Ask::sign_in()).code, "58", "ecb");
    assert_eq!(open.city().terminal("31000002").ask(&mut line, Ask::sign_in()).code, "00", "x9.19");
    let private = InProcess::start();
    let mut line = private.connect();
    assert_eq!(private.city().terminal("31000001").ask(&mut line, Ask::sign_in()).code, "00", "ecb");
}

#[test]
fn the_forgeable_mac_can_be_forged() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000001");
    let mut ask = Ask {
        remark: Some(b"thank you for paying with us".to_vec()),
        ..Ask::purchase(&switch.city().card(RICH), 100)
    };
    let mut frame = terminal.frame(&mut ask);
    // Without any key: 1.00 becomes 9.00, and the same change eight-byte blocks later hides it from the fold.
    let message = switch_tests::terminal::MESSAGE_AT;
    let (amount_at, remark_at) = {
        let decoded = iso8583::Message::decode(iso8583::Spec::pos(), &frame[message..]).expect("a purchase");
        (decoded.span(4).expect("an amount").start + 4, decoded.span(59).expect("a remark").start)
    };
    let hidden_at = remark_at + (amount_at + 8 - remark_at % 8) % 8;
    for at in [amount_at, hidden_at] {
        frame[message + at] ^= 0x08;
    }
    line.send(&frame);
    let answer = line.receive().expect("an answer");
    assert_eq!(
        (answer.code.as_str(), answer.amount),
        ("00", Some(900)),
        "which is why it needs a private network"
    );
}

#[test]
fn one_sign_in_past_the_minutes_limit_is_refused() {
    let switch = InProcess::start_with(|config| config.books.sign_ins_per_minute = 3);
    let (mut terminal, mut line) = switch.signed_in("31000001");
    let card = switch.city().card(RICH);
    for _ in 0..2 {
        assert_eq!(
            terminal.ask(&mut line, Ask::purchase(&card, 1)).code,
            "00",
            "which makes the keys its own"
        );
        terminal.sign_in(&mut line);
    }
    assert_eq!(terminal.ask(&mut line, Ask::sign_in()).code, "00", "the same keys again cost nothing");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");
    assert_eq!(terminal.ask(&mut line, Ask::sign_in()).code, "65");
    assert_eq!(
        switch.city().terminal("31000002").ask(&mut line, Ask::sign_in()).code,
        "00",
        "a neighbour may"
    );
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "and the terminal still works");
}

#[test]
fn a_burst_of_sign_ins_in_one_packet_gives_keys_that_work() {
    let switch = InProcess::start();
    let mut line = switch.connect();
    let mut terminal = switch.city().terminal("31000002");
    let frames: Vec<u8> = (0..8).flat_map(|_| terminal.frame(&mut Ask::sign_in())).collect();
    line.send(&frames);
    let answers = line.receive_many(8);
    assert!(answers.iter().all(|answer| answer.code == "00"), "{answers:?}");
    terminal.accept(&answers[7]);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&switch.city().card(RICH), 1)).code, "00");
}

#[test]
fn a_forged_sign_in_does_not_cut_a_terminal_off() {
    let switch = InProcess::start();
    let card = switch.city().card(RICH);
    let (mut terminal, mut line) = switch.signed_in("31000002");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");
    // Anyone can ask for keys; only who has the master key can use them.
    let mut stranger = switch.connect();
    for _ in 0..3 {
        assert_eq!(switch.city().terminal("31000002").ask(&mut stranger, Ask::sign_in()).code, "00");
        assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "the old keys still work");
    }
}

#[test]
fn forged_sign_ins_neither_void_keys_that_were_just_given_out_nor_fill_the_journal() {
    let switch = InProcess::start_with(|config| config.books.sign_ins_per_minute = 3);
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let before = switch.seq();
    let mut stranger = switch.connect();
    let mut forger = switch.city().terminal("31000002");
    for _ in 0..50 {
        assert_eq!(forger.ask(&mut stranger, Ask::sign_in()).code, "00", "the keys given out already, again");
    }
    assert_eq!(switch.seq(), before, "nothing happened");
    let card = switch.city().card(RICH);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "they are still good");
    terminal.sign_in(&mut line);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "and so are the next");

    for _ in 0..50 {
        assert_eq!(forger.ask(&mut stranger, Ask::sign_off()).code, "00");
    }
    assert_eq!(switch.seq(), before + 4, "two purchases, a sign-in, one sign-off");
}

#[test]
fn keys_live_no_longer_than_requests_are_remembered() {
    let switch = InProcess::start_with(|config| {
        config.books.duplicate_window = std::time::Duration::from_secs(2);
    });
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let frame = terminal.frame(&mut Ask::purchase(&card, 10));
    line.send(&frame);
    assert_eq!(line.receive().expect("an answer").code, "00");
    std::thread::sleep(std::time::Duration::from_secs(2));
    line.send(&frame);
    assert_eq!(line.receive().expect("an answer").code, "77", "a recording is worth nothing by now");
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 10);
    terminal.sign_in(&mut line);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 10)).code, "00");
}

#[test]
fn old_keys_work_until_the_overlap_ends() {
    for (overlap_s, want) in [(3600, "00"), (0, "A0")] {
        let switch = InProcess::start_with(|config| {
            config.books.key_overlap = std::time::Duration::from_secs(overlap_s);
        });
        let card = switch.city().card(RICH);
        let (mut old, mut line) = switch.signed_in("31000002");
        let mut under_old = Ask::purchase(&card, 10);
        line.send(&old.frame(&mut under_old));
        assert_eq!(line.receive().expect("an answer").code, "00");

        let mut new = switch.city().terminal("31000002");
        new.set_batch(2);
        new.sign_in(&mut line);
        assert_eq!(
            old.ask(&mut line, Ask::purchase(&card, 10)).code,
            "00",
            "the new keys have not been used"
        );
        assert_eq!(new.ask(&mut line, Ask::purchase(&card, 10)).code, "00", "now they are the terminal's");
        let mut reversal = under_old.reversal();
        let answer = {
            line.send(&old.frame(&mut reversal));
            line.receive().expect("an answer")
        };
        assert_eq!(
            answer.code, want,
            "a reversal of a message sent under the old keys, overlap {overlap_s} s"
        );
        old.check_seal(&answer);
    }
}

#[test]
fn without_working_keys_a_terminal_is_asked_to_sign_in() {
    let switch = InProcess::start();
    let mut line = switch.connect();
    let mut terminal = switch.city().terminal("31000002");
    let mut ask = Ask { pin_block: Some([7; 8]), ..Ask::purchase(&switch.city().card(RICH), 1) };
    line.send(&terminal.frame(&mut ask));
    let answer = line.receive().expect("an answer");
    assert_eq!((answer.code.as_str(), answer.processing_request(), answer.mac), ("77", 3, None));
    terminal.sign_in(&mut line);
    let answer = terminal.ask(&mut line, Ask::purchase(&switch.city().card(RICH), 1));
    assert_eq!((answer.code.as_str(), answer.processing_request()), ("00", 0));
}
