//! Holds that change: additions to them, completions above them, and completions after their time.

use cardswitch::books::{Books, event::Event, notices::Cause};
use switch_tests::ask::{Ask, Receipt};

use super::{
    follow::{MARKET, MARKET_TOO, NOTHING, PHARMACY, POOR, RICH, Shop, Switch, back, pays},
    holds::{HOUR_MS, Timed, check_replay, counted},
};

const MEDICAL: u64 = 13;
const HOLD_MS: i64 = 168 * HOUR_MS;

fn held<S: Switch>(shop: &mut Shop<S>, at: &str, card: u64, amount: u64) -> Receipt {
    let ask = Ask::pre_authorization(&shop.card(card), amount);
    let moves = NOTHING.holding(i64::try_from(amount).expect("a small amount"));
    shop.step("a hold", at, card, ask, "00", moves).receipt()
}

#[test]
fn an_addition_holds_more_and_the_whole_ends_once() {
    let mut shop = Shop::open();
    let (rich, poor) = (shop.card(RICH), shop.card(POOR));
    let of = held(&mut shop, MARKET, POOR, 300);
    let add = |amount| Ask::addition(&poor, amount, &of);
    let rows = [
        ("without PIN", MARKET, add(100).without_pin(), "55", NOTHING),
        ("of nothing", MARKET, add(0), "13", NOTHING),
        ("of more than is free", MARKET, add(201), "51", NOTHING),
        ("in another currency", MARKET, Ask { currency: Some(978), ..add(100) }, "12", NOTHING),
        ("at another merchant", PHARMACY, add(100), "25", NOTHING),
        ("with another card", MARKET, Ask::addition(&rich, 100, &of), "25", NOTHING),
        ("as it should be", MARKET_TOO, add(100), "00", NOTHING.holding(100)),
        ("and once more", MARKET, add(50), "00", NOTHING.holding(50)),
        (
            "a void of what was held first",
            MARKET,
            Ask::pre_authorization_void(&poor, 300, &of),
            "64",
            NOTHING,
        ),
        ("a completion of more than all", MARKET, Ask::completion(&poor, 451, &of), "61", NOTHING),
        (
            "a completion of all",
            MARKET,
            Ask::completion(&poor, 450, &of),
            "00",
            pays([0, 450, 0], 2).holding(-450),
        ),
        ("an addition to what has ended", MARKET, add(1), "25", NOTHING),
    ];
    for (name, at, ask, want, moves) in rows {
        shop.step(name, at, POOR, ask, want, moves);
    }
    assert_eq!(counted(&shop), (3, 450), "each counts as an authorization of its own");
    shop.switch.stop();
}

#[test]
fn a_reversed_addition_leaves_what_was_held_before() {
    let mut shop = Shop::at(Timed::start());
    let poor = shop.card(POOR);
    let of = held(&mut shop, MARKET, POOR, 300);
    let addition = Ask::addition(&poor, 100, &of);
    let added = shop.step("an addition", MARKET, POOR, addition.clone(), "00", NOTHING.holding(100));
    let reversal = added.ask.reversal();
    let as_the_hold = Ask { condition: Some(6), ..reversal.clone() };
    let rows = [
        ("of another amount", Ask { amount: Some(99), ..reversal.clone() }, "64", NOTHING),
        ("with the codes of the hold", as_the_hold, "25", NOTHING),
        ("as it should be", reversal, "00", NOTHING.holding(-100)),
        ("the addition does not come alive again", added.ask, "68", NOTHING),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, MARKET, POOR, ask, want, moves);
    }
    assert_eq!(counted(&shop), (1, 300));
    let late = Ask { stan: 900_001, ..addition };
    shop.step("a reversal overtakes its addition", MARKET, POOR, late.reversal(), "00", NOTHING);
    shop.refused("the addition comes late", MARKET, POOR, late, "68");
    check_replay(&shop.switch, 0);
    let void = Ask::pre_authorization_void(&poor, 300, &of);
    shop.step("a void of what was held first", MARKET, POOR, void, "00", NOTHING.holding(-300));
}

#[test]
fn a_reversed_addition_no_longer_counts_on_its_own_day() {
    let mut shop = Shop::at(Timed::start());
    let of = held(&mut shop, MARKET, POOR, 300);
    shop.switch.wait(24 * HOUR_MS);
    shop.switch.run(&[]);
    shop.sign_in_again();
    let addition = Ask::addition(&shop.card(POOR), 100, &of);
    let added = shop.step("an addition", MARKET, POOR, addition, "00", NOTHING.holding(100));
    assert_eq!(counted(&shop), (1, 100), "of the second day");
    let reversal = added.ask.reversal();
    shop.step("its reversal", MARKET, POOR, reversal, "00", NOTHING.holding(-100));
    assert_eq!(counted(&shop), (0, 0), "nothing was authorized on the second day");
    check_replay(&shop.switch, 0);
}

#[test]
fn a_completion_above_the_hold_is_paid_as_far_as_the_product_says() {
    let mut shop = Shop::open();
    let card = shop.card(MEDICAL);
    let of = held(&mut shop, PHARMACY, MEDICAL, 2_000);
    let rows = [
        ("one above fifteen per cent", 2_301, "61", NOTHING),
        ("fifteen per cent", 2_300, "00", pays([2_300, 0, 0], 7).holding(-2_000)),
        ("a second one", 1, "25", NOTHING),
    ];
    for (name, amount, want, moves) in rows {
        shop.step(name, PHARMACY, MEDICAL, Ask::completion(&card, amount, &of), want, moves);
    }
    let of = held(&mut shop, PHARMACY, MEDICAL, 5_300);
    let rows = [
        ("more than is free", 5_701, "51", NOTHING),
        ("all there is", 5_700, "00", pays([700, 0, 5_000], 17).holding(-5_300)),
    ];
    for (name, amount, want, moves) in rows {
        shop.step(name, PHARMACY, MEDICAL, Ask::completion(&card, amount, &of), want, moves);
    }
    shop.switch.stop();
}

/// A hold of 20.00 of the medical card whose time is over.
fn lapsed(shop: &mut Shop<Timed>, amount: u64) -> Receipt {
    let of = held(shop, PHARMACY, MEDICAL, amount);
    shop.switch.wait(HOLD_MS);
    shop.switch.run(&[]);
    shop.sign_in_again();
    of
}

fn newest_notice(shop: &Shop<Timed>) -> Option<Cause> {
    shop.switch.look(|books| books.notices().after(0).last().map(|notice| notice.subject.cause))
}

#[test]
fn a_completion_after_its_time_is_paid_once_marked_and_told() {
    let mut shop = Shop::at(Timed::start());
    let card = shop.card(MEDICAL);
    let of = lapsed(&mut shop, 2_000);
    let complete = |amount| Ask::completion(&card, amount, &of);
    let paid = pays([2_000, 0, 0], 6);
    shop.refused("one above fifteen per cent", PHARMACY, MEDICAL, complete(2_301), "61");
    let first = shop.step("a late completion", PHARMACY, MEDICAL, complete(2_000), "00", paid);
    let Event::Decided(decided) = shop.switch.newest() else { panic!("it is decided") };
    assert!(decided.forced && !decided.blocks);
    assert_eq!(newest_notice(&shop), Some(Cause::ForcedPost));
    let rows = [
        ("a second one", complete(1), "25", NOTHING),
        ("its reversal", first.ask.reversal(), "00", back([2_000, 0, 0], 6)),
        ("another after the reversal", complete(1_000), "00", pays([1_000, 0, 0], 3)),
        ("and no third", complete(1), "25", NOTHING),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, PHARMACY, MEDICAL, ask, want, moves);
    }
    check_replay(&shop.switch, 0);
}

#[test]
fn what_a_late_completion_does_not_find_the_cardholder_owes() {
    let mut shop = Shop::at(Timed::start());
    let card = shop.card(MEDICAL);
    let of = lapsed(&mut shop, 6_000);
    let spent = pays([3_000, 0, 4_000], 21);
    shop.step("most is spent", PHARMACY, MEDICAL, Ask::purchase(&card, 7_000), "00", spent);
    let late = Ask::completion(&card, 6_000, &of);
    let moves = pays([0, 0, 1_000], 18).owing(5_000);
    let late = shop.step("a late completion", PHARMACY, MEDICAL, late, "00", moves);
    assert_eq!(newest_notice(&shop), Some(Cause::Shortfall));
    shop.refused("the card is blocked", PHARMACY, MEDICAL, Ask::balance(&card), "62");
    let refund = Ask::refund(&card, 5_500, &late.receipt());
    let moves = back([0, 0, 500], 16).owing(-5_000);
    shop.step("a refund pays what is owed first", PHARMACY, MEDICAL, refund, "00", moves);
    let balance = Ask::balance(&card);
    shop.step("and the card is good again", PHARMACY, MEDICAL, balance, "00", NOTHING);
    let sum = shop.switch.look(|books: &Books| books.ledger().sums());
    assert!(sum.iter().all(|(_, sum)| *sum == 0));
    check_replay(&shop.switch, 0);
}
