//! What was taken back stays taken back: reversals of voids and completions whose own original was reversed, or that left
//! less behind than was authorized.

use cardswitch::books::Books;
use switch_tests::ask::Ask;

use super::{
    follow::{MARKET, NOTHING, POOR, RICH, Shop, Switch, back, pays},
    holds::{HOUR_MS, Timed, counted, counted_on},
};

/// 3.00 held and 2.50 of it paid, which is reversed, so that 2.50 are held again; and a purchase of 1.00 beside it.
fn lowered(shop: &mut Shop<Timed>) -> switch_tests::ask::Receipt {
    let poor = shop.card(POOR);
    shop.step("a purchase", MARKET, POOR, Ask::purchase(&poor, 100), "00", pays([0, 100, 0], 0));
    let held = Ask::pre_authorization(&poor, 300);
    let held = shop.step("a hold", MARKET, POOR, held, "00", NOTHING.holding(300));
    let completion = Ask::completion(&poor, 250, &held.receipt());
    let completed = shop.step("less", MARKET, POOR, completion, "00", pays([0, 250, 0], 1).holding(-300));
    let undone = back([0, 250, 0], 1).holding(250);
    shop.step("undone", MARKET, POOR, completed.ask.reversal(), "00", undone);
    assert_eq!(counted(shop), (2, 350), "the purchase and what is held");
    held.receipt()
}

#[test]
fn a_void_of_a_hold_that_was_completed_for_less_takes_back_what_was_still_counted() {
    let mut shop = Shop::at(Timed::start());
    let held = lowered(&mut shop);
    let void = Ask::pre_authorization_void(&shop.card(POOR), 300, &held);
    shop.step("a void", MARKET, POOR, void, "00", NOTHING.holding(-250));
    assert_eq!(counted(&shop), (1, 100), "the purchase");
}

#[test]
fn a_reversal_of_a_hold_that_was_completed_for_less_takes_back_what_was_still_counted() {
    let mut shop = Shop::at(Timed::start());
    let held = lowered(&mut shop);
    let hold = Ask { stan: held.stan, ..Ask::pre_authorization(&shop.card(POOR), 300) };
    shop.step("a reversal", MARKET, POOR, hold.reversal(), "00", NOTHING.holding(-250));
    assert_eq!(counted(&shop), (1, 100), "the purchase");
}

#[test]
fn a_reversed_void_counts_on_the_day_of_its_purchase() {
    let mut shop = Shop::at(Timed::start());
    let poor = shop.card(POOR);
    let day = shop.switch.look(Books::business_day);
    let paid = pays([0, 100, 0], 0);
    let purchase = shop.step("a purchase", MARKET, POOR, Ask::purchase(&poor, 100), "00", paid);
    shop.switch.wait(12 * HOUR_MS);
    let void = Ask::void(&poor, 100, &purchase.receipt());
    let void = shop.step("a void on the next day", MARKET, POOR, void, "00", back([0, 100, 0], 0));
    assert_eq!(counted_on(&shop, day), (0, 0));
    shop.step("its reversal", MARKET, POOR, void.ask.reversal(), "00", paid);
    assert_eq!(counted_on(&shop, day), (1, 100), "a purchase of yesterday");
}

#[test]
fn a_reversed_purchase_is_not_paid_again_by_a_reversal_of_its_void() {
    let mut shop = Shop::open();
    let rich = shop.card(RICH);
    let paid = pays([0, 10_000, 0], 38);
    let purchase = shop.step("a purchase", MARKET, RICH, Ask::purchase(&rich, 10_000), "00", paid);
    let void = Ask::void(&rich, 10_000, &purchase.receipt());
    let void = shop.step("its void", MARKET, RICH, void, "00", back([0, 10_000, 0], 38));
    shop.step("its own reversal", MARKET, RICH, purchase.ask.reversal(), "00", NOTHING);
    shop.step("the void's reversal", MARKET, RICH, void.ask.reversal(), "00", NOTHING);
}

#[test]
fn a_reversed_hold_does_not_stand_again_by_a_reversal_of_its_completion() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = Ask::pre_authorization(&poor, 300);
    let held = shop.step("a hold", MARKET, POOR, held, "00", NOTHING.holding(300));
    let completion = Ask::completion(&poor, 300, &held.receipt());
    let completed = shop.step("all", MARKET, POOR, completion, "00", pays([0, 300, 0], 1).holding(-300));
    shop.step("the hold's reversal", MARKET, POOR, held.ask.reversal(), "00", NOTHING);
    let undone = back([0, 300, 0], 1);
    shop.step("the completion's", MARKET, POOR, completed.ask.reversal(), "00", undone);
    assert_eq!(counted(&shop), (0, 0));
}

#[test]
fn a_reversed_hold_does_not_stand_again_by_a_reversal_of_its_void() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let held = Ask::pre_authorization(&poor, 300);
    let held = shop.step("a hold", MARKET, POOR, held, "00", NOTHING.holding(300));
    let void = Ask::pre_authorization_void(&poor, 300, &held.receipt());
    let void = shop.step("its void", MARKET, POOR, void, "00", NOTHING.holding(-300));
    shop.step("the hold's reversal", MARKET, POOR, held.ask.reversal(), "00", NOTHING);
    shop.step("the void's", MARKET, POOR, void.ask.reversal(), "00", NOTHING);
    assert_eq!(counted(&shop), (0, 0));
}
