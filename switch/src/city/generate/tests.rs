//! Generated cities open, add up, can be repeated, and are refused where they could not be whole.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, HashSet};

use hsm_sim::Entropy;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    app::{self, Running},
    city::{City, Dialect, HostMac, KeyFile, Listed, MacKind},
    config::Config,
    journal::MemoryStore,
    terminal::{Entry, Sample, TestCard},
};

const SMALL: Plan = Plan { cards: 200, terminals: 40, psams: 9, seed: 5 };

fn made(plan: Plan) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    generate(&plan, dir.path(), &mut |_| ()).unwrap();
    dir
}

/// All files by name, with their bytes.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

fn hash(dir: &Path) -> String {
    let mut hash = Sha256::new();
    for (name, bytes) in files(dir) {
        hash.update(&name);
        hash.update((bytes.len() as u64).to_be_bytes());
        // The settings are those of the sample city, which may change without a generated city's changing.
        if name != CONFIG {
            hash.update(bytes);
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_other_ones() {
    let (one, two) = (made(SMALL), made(SMALL));
    assert_eq!(files(one.path()), files(two.path()));
    let other = files(made(Plan { seed: 6, ..SMALL }).path());
    for (name, bytes) in files(one.path()) {
        let same = bytes == other[&name];
        let seedless = ["acquirers.csv", "merchants.csv", "orderers.csv", "psams.csv"]
            .contains(&name.as_str())
            || ["links.toml", "products.toml", "rules.toml"].contains(&name.as_str());
        assert_eq!(same, seedless, "{name}");
    }
}

/// A change here is a new edition: whoever compares measurements must know that the cities differ.
#[test]
fn a_generated_city_stays_what_it_was() {
    let dir = made(SMALL);
    std::fs::remove_file(dir.path().join(CONFIG)).unwrap();
    assert_eq!(hash(dir.path()), "3a377148c77fee41");
}

#[test]
fn rows_keep_their_values_in_a_larger_city() {
    let (small, large) = (made(SMALL), made(Plan { cards: 300, terminals: 80, psams: 20, seed: 5 }));
    let cards = |dir: &Path| std::fs::read_to_string(dir.join("cards.csv")).unwrap();
    assert!(cards(large.path()).starts_with(&cards(small.path())));
}

#[test]
fn cities_of_any_size_open_with_all_their_cards() {
    let rows = [
        ("one card alone", Plan { cards: 1, terminals: 0, psams: 0, seed: 0 }),
        ("one of each", Plan { cards: 1, terminals: 1, psams: 1, seed: 1 }),
        ("no PSAM", Plan { cards: 40, terminals: 16, psams: 0, seed: 2 }),
        ("PSAMs alone", Plan { cards: 40, terminals: 0, psams: 17, seed: u64::MAX }),
        (
            "cards beyond those that are never listed",
            Plan { cards: 10_050, terminals: 33, psams: 8, seed: 3 },
        ),
    ];
    for (name, plan) in rows {
        let dir = tempfile::tempdir().unwrap();
        let mut told = 0;
        generate(&plan, dir.path(), &mut |rows| told = rows).unwrap();
        assert_eq!(told, plan.rows(), "{name}");
        let city = City::open(dir.path()).unwrap();
        city.check_keys(&KeyFile::open(&dir.path().join("keys.toml")).unwrap()).unwrap();
        assert_eq!(city.rules().unwrap().len(), 6, "{name}");
        let cards: Vec<_> = city.cards().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(cards.len() as u64, plan.cards, "{name}");
        assert!(cards.iter().all(|card| card.opening.iter().sum::<i64>() == cards::OPENING_MINOR), "{name}");
        assert_eq!(city.terminals.len() as u64, plan.terminals + plan.psams, "{name}");
        assert_eq!(city.psams.len() as u64, plan.psams, "{name}");
        let first: HashSet<_> = cards.iter().take(10_000).map(|card| card.pan.clone()).collect();
        let listed = |entry: &&crate::city::BlacklistRow| match &entry.listed {
            Listed::Card(pan) => first.contains(pan),
            Listed::Terminal(id) => city.terminals.iter().any(|terminal| terminal.terminal_id == *id),
            _ => false,
        };
        assert_eq!(city.blacklist.iter().find(listed), None, "{name}");
        assert_eq!(city.blacklist.len() as u64, plan.cards / 100_000 + 3, "{name}");
    }
}

#[test]
fn a_card_beyond_the_first_ten_thousand_is_listed() {
    let city = made(Plan { cards: 10_050, terminals: 1, psams: 0, seed: 3 });
    let city = City::open(city.path()).unwrap();
    let cards: Vec<_> = city.cards().unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(city.blacklist[0].listed, Listed::Card(cards[10_000].pan.clone()));
}

#[test]
fn of_every_sixteen_terminals_two_are_cash_machines_of_two_acquirers() {
    let dir = made(SMALL);
    let city = City::open(dir.path()).unwrap();
    let count = |wanted: &dyn Fn(&crate::city::TerminalRow) -> bool| {
        city.terminals.iter().filter(|terminal| wanted(terminal)).count()
    };
    assert_eq!(count(&|row| row.dialect == Dialect::Pos), 36);
    assert_eq!(count(&|row| row.dialect == Dialect::Pos && row.mac == MacKind::UnionPayEcb), 18);
    assert_eq!(count(&|row| row.dialect == Dialect::Epos), 9);
    assert_eq!(count(&|row| row.may_load), 4);
    for (place, mac) in [(0, HostMac::X919), (1, HostMac::Cbc3Des)] {
        assert_eq!(city.acquirers[usize::from(place)].mac, mac);
        assert_eq!(count(&|row| city.acquirer_of(row) == Some(place)), 2, "machines of {place}");
    }
}

#[test]
fn a_plan_out_of_range_and_a_folder_in_use_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |plan: Plan, dir: &Path| generate(&plan, dir, &mut |_| ()).unwrap_err().to_string();
    let rows = [
        (Plan { cards: 0, ..SMALL }, "cards must be from 1 to 50000000"),
        (Plan { cards: CARDS_MAX + 1, ..SMALL }, "cards must be from 1 to 50000000"),
        (Plan { terminals: TERMINALS_MAX + 1, ..SMALL }, "terminals must be from 0 to 500000"),
        (Plan { psams: TERMINALS_MAX + 1, ..SMALL }, "psams must be from 0 to 500000"),
    ];
    for (plan, want) in rows {
        assert_eq!(refused(plan, dir.path()), want);
    }
    assert!(files(dir.path()).is_empty(), "nothing is written before the plan is checked");

    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let said = refused(SMALL, dir.path());
    assert!(said.ends_with("is not empty: name a new folder, or delete what is in this one"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    let said = refused(SMALL, &file);
    assert!(said.ends_with("is a file: name a folder"), "{said}");
}

/// The whole switch on a generated city, and at every terminal of it a card of each product.
#[test]
fn every_kind_of_card_pays_at_every_kind_of_terminal() {
    let plan = Plan { cards: 48, terminals: 16, psams: 2, seed: 11 };
    let dir = made(plan);
    let (sample, running) = (Sample::open(dir.path()).unwrap(), serving(dir.path()));
    let city = City::open(dir.path()).unwrap();
    let ids = |dialect| {
        let rows = city.terminals.iter().filter(move |row| row.dialect == dialect);
        rows.map(|row| String::from_utf8(row.terminal_id.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    // The lines of an ordinary card, a prepaid one and a medical one.
    let cards = [2, 17, 33].map(|line| sample.card_in_line(line).unwrap());
    for id in ids(Dialect::Pos) {
        let mut terminal = sample.terminal(Some(&id)).unwrap();
        terminal.connect(running.ports.pos).unwrap();
        assert!(terminal.sign_in().unwrap().approved(), "{id} signs in");
        for TestCard { card, pin, line, .. } in &cards {
            let paid = terminal.purchase(card, 1_000, Some(pin.expose()), Entry::Stripe).unwrap();
            assert!(paid.approved(), "line {line} at {id}: {}", paid.code_text());
        }
    }
    for id in ids(Dialect::Epos) {
        let mut terminal = sample.epos_terminal(Some(&id), entropy()).unwrap();
        terminal.connect(running.ports.epos).unwrap();
        assert!(terminal.sign_in().unwrap().approved(), "{id} signs in");
        for TestCard { card, pin, line, .. } in &cards {
            let paid = terminal.purchase(card, 1_000, Some(pin.expose()), Entry::Stripe).unwrap();
            assert!(paid.approved(), "line {line} at {id}: {}", paid.code_text());
        }
    }
    for id in ids(Dialect::Atm) {
        let (mut host, machine) = sample.atm_host(Some(&id), entropy()).unwrap();
        host.connect(running.ports.atm).unwrap();
        assert!(host.sign_on().unwrap().approved(), "the host of {id} signs on");
        for TestCard { card, pin, line, .. } in &cards {
            let drawn = host.withdrawal(&machine, card, Some(pin.expose()), 10_000, None).unwrap();
            assert!(drawn.approved(), "line {line} at {id}: {}", drawn.code_text());
        }
    }
    running.stop().unwrap();
}

/// A switch on a journal in memory, with the settings of the folder on ports that the system chooses.
fn serving(dir: &Path) -> Running {
    let ports = ["POS", "EPOS", "ATM", "ADMIN"];
    let ports = ports.map(|port| (format!("CARDSWITCH__{port}__LISTEN"), "127.0.0.1:0".to_owned()));
    let config = Config::load(&dir.join(CONFIG), ports.into_iter()).unwrap();
    app::start_on(&config, Box::new(MemoryStore::new()), std::sync::Arc::new(|_: &_| ()), &mut |_| ())
        .unwrap()
}

/// Random enough for terminals of a test: a counter, spread.
fn entropy() -> Box<dyn Entropy + Send> {
    let mut drawn = 0_u64;
    Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            drawn += 1;
            *byte = Sha256::digest(drawn.to_be_bytes())[0];
        }
    })
}
