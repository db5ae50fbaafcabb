//! Approval of what there is: a terminal that can take the rest by other means is answered 10 and the amount, which is
//! what counts for everything that follows.

use cardswitch::{
    audit::read_events,
    books::{Books, event::Event},
    clock::date_of_day,
    settlement::settle,
};
use switch_tests::ask::Ask;

use super::{
    follow::{Done, MARKET, NOTHING, PHARMACY, POOR, Shop, Switch, back, pays},
    holds::{Timed, counted},
};

const MEDICAL: u64 = 13;

/// The medical card has 30.00 in its medical purse and, once this is spent, nothing in its general one.
fn medical_money_only<S: Switch>(shop: &mut Shop<S>) {
    let ask = Ask::purchase(&shop.card(MEDICAL), 5_000);
    shop.step("the general purse is emptied", MARKET, MEDICAL, ask, "00", pays([0, 0, 5_000], 19));
}

fn approved(done: &Done) -> Option<u64> {
    done.answer.amount
}

#[test]
fn a_purchase_takes_the_purses_in_their_order_with_one_answer() {
    let mut shop = Shop::open();
    let ask = Ask::purchase(&shop.card(MEDICAL), 6_000).or_part();
    let split = pays([3_000, 0, 3_000], 18);
    let done = shop.step("medical first, then general", PHARMACY, MEDICAL, ask, "00", split);
    assert_eq!(approved(&done), Some(6_000), "all of it, so no part");
}

#[test]
fn what_there_is_is_approved_where_the_terminal_can_take_the_rest() {
    let mut shop = Shop::open();
    medical_money_only(&mut shop);
    let ask = Ask::purchase(&shop.card(MEDICAL), 6_000);
    shop.refused("a terminal that does not say that it can", PHARMACY, MEDICAL, ask.clone(), "51");
    let cannot = Ask { partial: Some(false), ..ask.clone() };
    shop.refused("one that says that it cannot", PHARMACY, MEDICAL, cannot, "51");
    shop.refused("where the purse does not pay", MARKET, MEDICAL, ask.clone().or_part(), "51");
    let part = pays([3_000, 0, 0], 9);
    let done = shop.step("what there is", PHARMACY, MEDICAL, ask.or_part(), "10", part);
    assert_eq!((approved(&done), done.answer.balance), (Some(3_000), Some(0)));
    let mut without = Ask { partial: None, ..done.ask.clone() };
    assert_eq!(shop.send(PHARMACY, &mut without).code, "94", "the same number without the flag");
    let more = Ask::purchase(&shop.card(MEDICAL), 1).or_part();
    shop.refused("nothing is left", PHARMACY, MEDICAL, more, "51");
}

#[test]
fn what_follows_counts_the_part() {
    let mut shop = Shop::open();
    let poor = shop.card(POOR);
    let (paid, returned) = (pays([0, 500, 0], 2), back([0, 500, 0], 2));
    let bought = |shop: &mut Shop<_>| {
        let ask = Ask::purchase(&poor, 800).or_part();
        shop.step("a part", MARKET, POOR, ask, "10", paid)
    };
    let receipt = bought(&mut shop).receipt();
    assert_eq!(counted(&shop), (1, 500));
    let rows = [
        ("a refund of more than the part", Ask::refund(&poor, 501, &receipt), "64", NOTHING),
        ("a void of what was asked", Ask::void(&poor, 800, &receipt), "64", NOTHING),
        ("a void of the part", Ask::void(&poor, 500, &receipt), "00", returned),
    ];
    for (name, ask, want, moves) in rows {
        shop.step(name, MARKET, POOR, ask, want, moves);
    }
    assert_eq!(counted(&shop), (0, 0));

    let second = bought(&mut shop);
    let other = Ask { amount: Some(501), ..second.ask.reversal() };
    shop.refused("a reversal of another amount", MARKET, POOR, other, "64");
    shop.step("of what was asked", MARKET, POOR, second.ask.reversal(), "00", returned);
    let third = bought(&mut shop);
    let heard = Ask { amount: Some(500), ..third.ask.reversal() };
    shop.step("of what was heard to be approved", MARKET, POOR, heard, "00", returned);
    shop.refused("it does not come alive again", MARKET, POOR, third.ask, "68");
}

#[test]
fn a_part_is_settled_and_replayed_as_what_it_was() {
    let mut shop = Shop::at(Timed::start());
    medical_money_only(&mut shop);
    let ask = Ask::purchase(&shop.card(MEDICAL), 6_000).or_part();
    shop.step("what there is", PHARMACY, MEDICAL, ask, "10", pays([3_000, 0, 0], 9));
    let day = shop.switch.look(Books::business_day);
    shop.switch.record(&Event::CutOver { opens: day + 1 });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reader = shop.switch.reader();
    let summary = settle(reader.as_ref(), date_of_day(day), folder.path(), &mut |_| ()).expect("it adds up");
    let debits: i128 = summary.issuers.iter().map(|issuer| issuer.debits).sum();
    assert_eq!(debits, -8_000, "5000 whole and 3000 of 6000");
    let events = read_events(reader.as_ref(), None, 2).expect("it reads");
    let Event::Decided(decided) = &events[0].2 else { panic!("the purchase stands before the cut-over") };
    assert_eq!((decided.amount, decided.partial, decided.approved()), (6_000, Some(3_000), 3_000));
    super::holds::check_replay(&shop.switch, 0);
}
