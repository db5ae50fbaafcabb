//! Imports from a city to books: the order of cards, and what ends one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use hsm_sim::Lmk;

use super::*;
use crate::{
    books::Books,
    city::generate::{CONFIG, Plan, generate},
    cli::chain,
    clock::Clock,
    config::Config,
    journal::{AfterFault, FaultyStore, MemoryStore, Store},
    recovery::{self, RecoveryError},
};

const PLAN: Plan = Plan { cards: 2_500, terminals: 16, psams: 4, seed: 4 };

fn city() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    generate(&PLAN, dir.path(), &mut |_| ()).unwrap();
    dir
}

fn imported(dir: &Path, store: &mut dyn Store) -> Result<Books, RecoveryError> {
    let config = Config::load(&dir.join(CONFIG), std::iter::empty()).unwrap();
    let (mut hsm, mut clock) = (Hsm::new(Lmk::test()), Clock::new("UTC").unwrap());
    let mut entropy = |bytes: &mut [u8]| bytes.fill(7);
    recovery::open_books(store, &config, &mut hsm, &mut entropy, &mut clock, &mut |_| ())
}

#[test]
fn cards_that_were_read_ahead_are_issued_in_the_order_of_their_file() {
    let dir = city();
    let mut store = MemoryStore::new();
    let books = imported(dir.path(), &mut store).unwrap();
    let city = City::open(dir.path()).unwrap();
    let rows: Vec<_> = city.cards().unwrap().map(|row| row.unwrap()).collect();
    let of_file: Vec<_> = rows.iter().map(|row| (row.pan.bin(), row.pan.last_four())).collect();
    let of_books: Vec<_> = books.cards().iter().map(|card| (card.bin, card.last_four)).collect();
    assert_eq!(of_books, of_file);
    assert_eq!(books.ledger().verify(), Ok(()));
    assert_eq!(store.head().seq, books.seq(), "all of it is in the journal");
    let again = imported(dir.path(), &mut store).unwrap();
    assert_eq!(again.state_hash(), books.state_hash(), "and comes out again");
}

#[test]
fn a_card_at_fault_is_named_by_its_line() {
    // The line of the file that is changed, how, and what is said.
    type Change = fn(&[&str]) -> String;
    let rows: [(&str, Change, &str); 3] = [
        ("twice", |lines| lines[1_500].to_owned(), "cards.csv line 2300, pan: stands here a second time"),
        (
            "a track that will never verify",
            |lines| {
                let fields: Vec<&str> = lines[2_299].split(',').collect();
                let (old, new) = (fields[4], if fields[4] == "000" { "001" } else { "000" });
                let track = fields[6].replace(&format!("520{old}00000"), &format!("520{new}00000"));
                [&fields[..4], &[new, fields[5], &track], &fields[7..]].concat().join(",")
            },
            "cards.csv line 2300: the HSM refuses it",
        ),
        (
            "a wrong field",
            |lines| lines[2_299].replace(",active,", ",asleep,"),
            "cards.csv line 2300, state: must be",
        ),
    ];
    for (name, change, want) in rows {
        let dir = city();
        let path = dir.path().join("cards.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let changed = change(&lines);
        lines[2_299] = &changed;
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let error = imported(dir.path(), &mut MemoryStore::new()).unwrap_err();
        assert!(chain(&error).contains(want), "{name}: {}", chain(&error));
    }
}

#[test]
fn a_float_that_does_not_cover_its_cards_ends_the_import() {
    let dir = city();
    let path = dir.path().join("orderers.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let spare = text.lines().nth(1).unwrap();
    let small = format!("{},1", spare.rsplit_once(',').unwrap().0);
    std::fs::write(&path, text.replace(spare, &small)).unwrap();
    let error = chain(&imported(dir.path(), &mut MemoryStore::new()).unwrap_err());
    let want = "orderers.csv line 2, float: the float does not cover the opening balances of its cards";
    assert!(error.ends_with(want), "{error}");
}

#[test]
fn a_disk_that_fails_ends_the_import_with_its_own_error() {
    let dir = city();
    let mut store = FaultyStore::new(MemoryStore::new(), 1, AfterFault::LoseRecords);
    let error = imported(dir.path(), &mut store).unwrap_err();
    assert!(matches!(error, RecoveryError::Journal(_)), "{error:?}");
}
