//! The books beside a naive model: a few histories of those that the program `crash --model` walks by the thousand.

use cardswitch::books::{reason::Reason, request::Kind};
use switch_tests::{
    model::{Rule, Start, Tally},
    random::Random,
};

const SEEDS: u64 = 4;
const STEPS: u64 = 20_000;
/// Within so many steps of how many walks a wrong rule is noticed at the latest.
const NOTICED_STEPS: u64 = 20_000;
const NOTICED_WALKS: u64 = 3;

#[test]
fn the_books_and_a_naive_model_agree_on_every_answer_balance_and_hold() {
    let (mut random, start, mut tally) = (Random::seeded("model"), Start::city(), Tally::default());
    for _ in 0..SEEDS {
        let walked = start.walk(random.next_u64(), STEPS).unwrap_or_else(|why| panic!("{why}"));
        tally.add(&walked);
    }
    // A walk on which everything is declined would look wonderful.
    let approved = [
        (Kind::Purchase, 3_000),
        (Kind::Withdrawal, 400),
        (Kind::Load, 1_500),
        (Kind::PreAuthorization, 1_500),
        (Kind::PreAuthorizationAddition, 100),
        (Kind::PreAuthorizationVoid, 70),
        (Kind::Completion, 200),
        (Kind::CompletionVoid, 25),
        (Kind::Void, 250),
        (Kind::Refund, 600),
        (Kind::Reversal, 2_500),
        (Kind::Balance, 700),
    ];
    for (kind, least) in approved {
        let count = tally.of(kind, Reason::Approved);
        assert!(count >= least, "only {count} of {kind:?} approved: {tally:?}");
    }
    // The rarer ones, such as a deposit, are for longer walks.
    for order in
        ["cancel", "report_lost", "replace", "transfer", "force_post", "publish_fees", "reset_pin_tries"]
    {
        assert!(tally.done(order) > 0, "nothing of {order}: {tally:?}");
    }
    let shut = tally.of(Kind::Purchase, Reason::NotPermittedToHolder);
    assert!(shut > 10 && tally.done("set_holder_limits") > 20, "few holders limit their cards: {tally:?}");
    let (part, late) = (Reason::PartlyApproved, Reason::LateOriginal);
    assert!(tally.of(Kind::Purchase, part) > 70, "{tally:?}");
    assert!(tally.of(Kind::Purchase, late) > 100, "no original came behind its reversal: {tally:?}");
    assert!(tally.repeats > 1_000 && tally.days > 5 && tally.expired > 800 && tally.cards > 30, "{tally:?}");
    assert!(tally.forced > 0 && tally.debts_paid > 20, "{tally:?}");
}

#[test]
fn a_rule_that_is_wrong_is_noticed() {
    for rule in Rule::ALL {
        let start = Start::flipped(rule);
        let noticed = (1..=NOTICED_WALKS).find_map(|seed| start.walk(seed, NOTICED_STEPS).err());
        let told = noticed.unwrap_or_else(|| panic!("{rule:?} is wrong in the model, and nobody noticed"));
        assert!(told.contains("the model") && told.lines().count() > 2, "{rule:?}: {told}");
    }
}
