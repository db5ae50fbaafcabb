//! The committed seeds of the importers' fuzz targets, replayed under the rules that the targets check.

use std::fs;
use std::path::Path;

use iso8583::import::{jpos, moov};

#[path = "../fuzz/src/import.rs"]
mod rules;

/// The most bytes of one target's seeds: a corpus is to be read, not to grow.
const FOLDER_BYTES_MAX: u64 = 100_000;

fn replay(target: &str, rule: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus").join(target);
    let (mut seeds, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let seed = fs::read(entry.expect("a readable entry").path()).expect("a readable file");
        rule(&seed);
        seeds += 1;
        bytes += u64::try_from(seed.len()).expect("a small file");
    }
    assert!(seeds >= 20, "only {seeds} seeds of {target}");
    assert!(bytes <= FOLDER_BYTES_MAX, "{target} has grown too large");
}

#[test]
fn every_seed_of_import_jpos_obeys_its_rules() {
    replay("import_jpos", |seed| rules::obeys(jpos::import("seed", seed), seed));
}

#[test]
fn every_seed_of_import_moov_obeys_its_rules() {
    replay("import_moov", |seed| {
        rules::obeys(moov::import_json(seed), seed);
        rules::obeys(moov::import_yaml(seed), seed);
    });
}
