//! Repeats and reversals: money moves once, comes back once, and never more than went.

use switch_tests::{
    ask::Ask,
    in_process::InProcess,
    line::Line,
    terminal::{Answer, Terminal},
};

const RICH: u64 = 2;
const POOR: u64 = 5;
const INACTIVE: u64 = 8;

/// Sends an ask that has its STAN and returns the answer.
fn send(terminal: &mut Terminal, line: &mut Line, ask: &mut Ask) -> Answer {
    line.send(&terminal.frame(ask));
    let answer = line.receive().expect("an answer");
    terminal.check_seal(&answer);
    answer
}

#[test]
fn the_same_request_three_times_is_answered_alike_and_posted_once() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let mut ask = Ask::purchase(&switch.city().card(RICH), 2_500);
    let frame = terminal.frame(&mut ask);
    let answers = [(); 3].map(|()| {
        line.send(&frame);
        line.receive().expect("an answer")
    });
    assert_eq!(answers[0].code, "00");
    assert!(answers.iter().all(|answer| answer.frame == answers[0].frame), "byte for byte the same");
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 2_500);
    assert_eq!(switch.metric("cardswitch_repeats_total", &[]), 2);

    // In one packet, so that they meet in one batch.
    let mut again = Ask::purchase(&switch.city().card(RICH), 100);
    let frame = terminal.frame(&mut again);
    line.send(&frame.repeat(3));
    let answers = line.receive_many(3);
    assert!(answers.iter().all(|answer| answer.frame == answers[0].frame && answer.code == "00"));
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 2_600);

    // Over another connection too: a terminal that lost its line dials again.
    let mut other = switch.connect();
    other.send(&frame);
    assert_eq!(other.receive().expect("an answer").frame, answers[0].frame);
    switch.check_ledger();
}

#[test]
fn a_declined_request_is_declined_again_without_another_try() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(POOR);
    let mut wrong = Ask::purchase(&card, 1).with_pin(&card.wrong_pin(), &card);
    let frame = terminal.frame(&mut wrong);
    for _ in 0..5 {
        line.send(&frame);
        assert_eq!(line.receive().expect("an answer").code, "55");
    }
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "one try was used, not five");
}

#[test]
fn the_same_number_with_other_contents_is_refused() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let (rich, poor) = (switch.city().card(RICH), switch.city().card(POOR));
    let mut first = Ask::purchase(&rich, 1_000);
    let answer = send(&mut terminal, &mut line, &mut first);
    assert_eq!(answer.code, "00");
    let stan = first.stan;
    let rows = [
        ("another amount", Ask { stan, ..Ask::purchase(&rich, 1_001) }, "94"),
        ("another card", Ask { stan, ..Ask::purchase(&poor, 1_000) }, "94"),
        ("another currency", Ask { stan, currency: Some(978), ..Ask::purchase(&rich, 1_000) }, "94"),
        ("another kind", Ask { stan, ..Ask::balance(&rich) }, "94"),
        ("another batch is another request", Ask { stan, batch: Some(2), ..Ask::purchase(&rich, 1) }, "00"),
        ("and the first is answered as before", first.clone(), "00"),
    ];
    for (name, mut ask, want) in rows {
        assert_eq!(send(&mut terminal, &mut line, &mut ask).code, want, "{name}");
    }
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 1_001);
    assert_eq!(switch.held(POOR), switch.city().opening(POOR));
    switch.check_ledger();
}

#[test]
fn a_repeat_with_another_pin_tells_nothing_about_the_pin() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let mut paid = Ask::purchase(&card, 100);
    let first = send(&mut terminal, &mut line, &mut paid);
    assert_eq!(first.code, "00");
    for pin in [card.wrong_pin(), card.pin.clone()] {
        // Enough guesses to lock the card, if they counted; and none is answered otherwise than the right one.
        for _ in 0..4 {
            let guess = paid.clone().with_pin(&pin, &card);
            line.send(&terminal.build(&guess));
            assert_eq!(line.receive().expect("an answer").frame, first.frame);
        }
    }
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 100);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "no try was counted");
}

#[test]
fn a_reversal_gives_back_once() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000005");
    let opening = switch.city().opening(RICH);
    // On the bus: the transit purse and the general one both pay, and there is a fee.
    let mut purchase = Ask::purchase(&switch.city().card(RICH), 30_000);
    assert_eq!(send(&mut terminal, &mut line, &mut purchase).code, "00");
    assert_eq!(switch.held(RICH), opening - 30_000);
    let accounts = |switch: &InProcess| switch.look(|books| books.ledger().accounts().to_vec());

    let reversal = terminal.build(&purchase.reversal());
    line.send(&reversal);
    let first = line.receive().expect("an answer");
    terminal.check_seal(&first);
    assert_eq!((first.mti, first.code.as_str()), (0x0410, "00"));
    assert_eq!(switch.held(RICH), opening);
    let after = accounts(&switch);
    let untouched = InProcess::start();
    assert_eq!(after, accounts(&untouched), "every account is where it was, fees and merchant too");

    for _ in 0..2 {
        line.send(&reversal);
        assert_eq!(
            line.receive().expect("an answer").frame,
            first.frame,
            "a repeated reversal, the same answer"
        );
    }
    assert_eq!(accounts(&switch), after);
    let mut purchase_again = purchase.clone();
    let late = send(&mut terminal, &mut line, &mut purchase_again);
    assert_eq!(late.code, "68", "goods must not leave for money that went back");
    assert_eq!(switch.held(RICH), opening, "and nothing moves");
    switch.check_ledger();
}

#[test]
fn a_reversal_that_overtakes_its_original_stops_it() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let mut purchase = Ask::purchase(&switch.city().card(RICH), 100);
    let original = terminal.frame(&mut purchase);
    let reversal = terminal.build(&purchase.reversal());
    let mut frames = |frame: &[u8]| {
        line.send(frame);
        line.receive().expect("an answer")
    };
    let reversed = frames(&reversal);
    assert_eq!(reversed.code, "00");
    assert_eq!(frames(&original).code, "68", "the original comes late");
    assert_eq!(frames(&original).code, "68", "and again");
    assert_eq!(frames(&reversal).frame, reversed.frame, "the reversal's repeat");
    assert_eq!(switch.held(RICH), switch.city().opening(RICH));
    switch.check_ledger();
}

#[test]
fn reversals_that_do_not_fit_move_nothing() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let mut pay = |amount| {
        let mut ask = Ask::purchase(&card, amount);
        let answer = send(&mut terminal, &mut line, &mut ask);
        (ask, answer.code)
    };
    let (paid_one, paid_two) = (pay(500).0, pay(600).0);
    let (declined, code) = pay(99_999_999);
    assert_eq!(code, "51");
    let other_card = Some(b"9156008820700041".to_vec());
    let rows = [
        ("another amount", Ask { amount: Some(501), ..paid_one.reversal() }, "64"),
        ("another currency", Ask { currency: Some(978), ..paid_two.reversal() }, "64"),
        ("of a declined purchase: understood, nothing to do", declined.reversal(), "00"),
        (
            "of a purchase in another batch: none there yet",
            Ask { batch: Some(9), ..paid_one.reversal() },
            "00",
        ),
    ];
    let held = switch.held(RICH);
    for (name, mut ask, want) in rows {
        assert_eq!(send(&mut terminal, &mut line, &mut ask).code, want, "{name}");
        assert_eq!(switch.held(RICH), held, "{name}");
    }
    let (paid, _) = {
        let mut ask = Ask::purchase(&card, 700);
        let answer = send(&mut terminal, &mut line, &mut ask);
        (ask, answer)
    };
    let mut naming_another = Ask { pan: other_card, ..paid.reversal() };
    assert_eq!(send(&mut terminal, &mut line, &mut naming_another).code, "25", "another card");
    let mut naming_none = Ask { pan: Some(b"1234".to_vec()), ..paid.reversal() };
    assert_eq!(send(&mut terminal, &mut line, &mut naming_none).code, "25", "no card's number");
    let mut of_a_load = Ask { code: Some(630_000), condition: Some(91), ..paid.reversal() };
    assert_eq!(send(&mut terminal, &mut line, &mut of_a_load).code, "25", "a load under that number");
    assert_eq!(switch.held(RICH), held - 700);

    let mut inquiry = Ask::balance(&card);
    assert_eq!(send(&mut terminal, &mut line, &mut inquiry).code, "00");
    let mut of_inquiry = Ask { amount: Some(0), ..inquiry.reversal() };
    assert_eq!(send(&mut terminal, &mut line, &mut of_inquiry).code, "25", "an inquiry moved nothing");
    switch.check_ledger();
}

#[test]
fn a_refused_reversal_does_not_stand_in_the_way_of_the_right_one() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let mut purchase = Ask::purchase(&switch.city().card(RICH), 500);
    assert_eq!(send(&mut terminal, &mut line, &mut purchase).code, "00");
    let rows = [(Some(501), "64"), (Some(499), "64"), (Some(500), "00"), (Some(500), "00")];
    for (amount, code) in rows {
        line.send(&terminal.build(&Ask { amount, ..purchase.reversal() }));
        assert_eq!(line.receive().expect("an answer").code, code, "{amount:?}");
    }
    assert_eq!(switch.held(RICH), switch.city().opening(RICH));
    switch.check_ledger();
}

#[test]
fn reversing_a_load_that_was_spent_leaves_a_receivable_and_blocks_the_card() {
    let switch = InProcess::start();
    let (mut loads, mut line) = switch.signed_in("31000003");
    let (mut sells, mut other) = switch.signed_in("31000002");
    let card = switch.city().card(INACTIVE);
    let kinds = |kind: &'static str| {
        switch.look(move |books| {
            let accounts = books.ledger().accounts().iter().filter(|account| account.kind.name() == kind);
            accounts.map(|account| account.balance).sum::<i64>()
        })
    };
    let float = kinds("orderer_float");
    let mut load = Ask::load(&card, 10_000);
    assert_eq!(send(&mut loads, &mut line, &mut load).code, "00");
    assert_eq!(kinds("orderer_float"), float - 10_000);
    assert_eq!(sells.ask(&mut other, Ask::purchase(&card, 8_000)).code, "00");

    let mut reversal = load.reversal();
    assert_eq!(send(&mut loads, &mut line, &mut reversal).code, "00");
    assert_eq!(switch.held(INACTIVE), 0, "what is there is taken");
    assert_eq!(kinds("receivable"), -8_000, "the rest is owed");
    assert_eq!(kinds("orderer_float"), float, "the orderer has it all back");
    assert_eq!(sells.ask(&mut other, Ask::purchase(&card, 1)).code, "62", "the card is blocked");
    assert_eq!(send(&mut loads, &mut line, &mut reversal).code, "00", "the reversal's repeat");
    assert_eq!(kinds("receivable"), -8_000, "and nothing twice");
    switch.check_ledger();
}

#[test]
fn reversing_a_load_that_is_still_there_takes_it_and_no_more() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000004");
    let card = switch.city().card(RICH);
    let mut load = Ask::load(&card, 50_000);
    assert_eq!(send(&mut terminal, &mut line, &mut load).code, "00");
    assert_eq!(terminal.ask(&mut line, Ask::load(&card, 1)).code, "51", "the agent's line is used up");
    let mut reversal = load.reversal();
    assert_eq!(send(&mut terminal, &mut line, &mut reversal).code, "00");
    assert_eq!(switch.held(RICH), switch.city().opening(RICH));
    assert_eq!(terminal.ask(&mut line, Ask::load(&card, 50_000)).code, "00", "and free again");
    switch.check_ledger();
}
