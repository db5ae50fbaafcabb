//! Money out of nothing: what goes back without having come.

use cardswitch::{
    books::notices::{Cause, Recipient},
    terminal::{Entry, Original},
};
use switch_tests::{
    clients::{assert_approved, assert_code},
    watch::Watch,
};

use super::{OTHER, RICH, buy, last_notice, scene};

#[test]
fn a_refund_needs_something_that_was_bought() {
    let (switch, clients) = scene();
    let (card, other) = (clients.card(RICH), clients.card(OTHER));
    let (mut pos, mut elsewhere) = (clients.pos("31000002"), clients.pos("31000008"));
    let mut epos = clients.epos("41000001");
    let of_other = buy(&mut pos, &other, 5_000).original();
    let at_another = buy(&mut elsewhere, &card, 5_000).original();
    let bought = buy(&mut pos, &card, 5_000);
    let reversed = buy(&mut pos, &card, 5_000);
    assert_approved(&pos.reverse(&reversed).expect("an answer"));
    let made_up = Original { approval: Some(*b"999999"), rrn: None, number: None };
    let rows = [
        ("nothing like it was ever bought", made_up, "25", "no_original"),
        ("it was bought with another card", of_other, "25", "no_original"),
        ("it was bought at another merchant", at_another, "25", "no_original"),
        ("it went back by a reversal", reversed.original(), "64", "amount_differs"),
    ];
    for (name, original, want, reason) in rows {
        let watch = Watch::begin(&switch);
        let refund = pos.refund(&card.card, 5_000, None, Entry::Stripe, &original).expect("an answer");
        assert_code(&refund, want, name);
        watch.ends(("pos", reason, 1), &["refund"]);
    }
    let watch = Watch::begin(&switch);
    for original in [made_up, bought.original()] {
        let refund = epos.refund(&card.card, 5_000, None, Entry::Stripe, &original).expect("an answer");
        assert_code(&refund, "25", "of epos");
    }
    watch.ends(("epos", "no_original", 2), &["refund", "refund"]);
    let watch = Watch::begin(&switch);
    let more = pos.refund(&card.card, 5_001, None, Entry::Stripe, &bought.original()).expect("an answer");
    assert_code(&more, "64", "more than was paid");
    watch.ends(("pos", "amount_differs", 1), &["refund"]);
    let refund = pos.refund(&card.card, 5_000, None, Entry::Stripe, &bought.original()).expect("an answer");
    assert_approved(&refund);
}

#[test]
fn taking_back_a_load_that_was_spent_blocks_the_card_and_tells_people() {
    let (switch, clients) = scene();
    let mut terminal = clients.pos("31000003");
    // Prepaid, inactive, and empty.
    let card = clients.card(8);
    let loaded = terminal.load(&card.card, 10_000, Entry::Stripe).expect("an answer");
    assert_approved(&loaded);
    assert_approved(&buy(&mut terminal, &card, 9_000));
    let watch = Watch::begin(&switch);
    assert_approved(&terminal.reverse(&loaded).expect("an answer"));
    watch.answered("pos", "approved", 1);
    watch.recorded(&["reversal"]);
    assert_eq!(last_notice(&switch), Some((Recipient::CardManagement, Cause::Shortfall)));
    assert_eq!(switch.held(8), 0);
    switch.check_ledger();
    let watch = Watch::begin(&switch);
    assert_code(&buy(&mut terminal, &card, 100), "62", "blocked");
    watch.ends(("pos", "restricted", 1), &["purchase"]);
    // 100.00 were taken back and 10.00 were there: what is loaded now pays the rest, and only then is the card good again.
    assert_approved(&terminal.load(&card.card, 8_999, Entry::Stripe).expect("an answer"));
    assert_eq!(switch.held(8), 0);
    assert_code(&buy(&mut terminal, &card, 1), "62", "a fen is still owed");
    assert_approved(&terminal.load(&card.card, 101, Entry::Stripe).expect("an answer"));
    assert_eq!(switch.held(8), 100);
    assert_approved(&buy(&mut terminal, &card, 100));
    switch.check_ledger();
}
