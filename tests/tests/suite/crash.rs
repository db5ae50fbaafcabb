//! `kill -9` at random moments under load: what any terminal was told is on record, once, and the books add up.

use switch_tests::{
    load::{Told, check, load},
    process::{Launch, Process},
    random::Random,
};

use crate::PROGRAM;

const ROUNDS: u32 = 20;

#[test]
fn nothing_that_was_answered_is_lost_or_doubled_by_twenty_kills() {
    let mut random = Random::seeded("kill -9");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The limit on wrong PINs would soon leave no card that pays.
    // And a checkpoint whenever one can be made, so that kills fall into some.
    let launch = Launch::new(PROGRAM, &folder.path().join("data"))
        .set("BOOKS__PIN_TRIES_MAX", "10")
        .set("JOURNAL__CHECKPOINT_RECORDS", "1");
    let mut told = Told::new();
    for round in 1..=ROUNDS {
        load(launch.start(), round, &mut random, &mut told, Process::kill9);
        check(&launch, &told, &format!("round {round}, seed {}", random.seed()));
    }
    // A good stop saves the state that ran; `ledger verify` replays all records since the first and must come to the same.
    load(launch.start(), ROUNDS + 1, &mut random, &mut told, |process| {
        process.sigterm();
        assert_eq!(process.wait().code(), Some(0));
    });
    check(&launch, &told, &format!("the good stop, seed {}", random.seed()));
    let approved = told.values().filter(|answer| answer.code == "00").count();
    switch_tests::tell(&format!("kill -9: {} answers over {ROUNDS} kills, {approved} approved", told.len()));
    assert!(told.len() > 500 && approved > 200, "too few to prove much");
}
