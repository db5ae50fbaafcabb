//! The committed seeds of the fuzz targets, replayed under the rules that the targets check.

use std::fs;
use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "the file is the library of the fuzzer's own package")]
#[path = "../../fuzz/src/lib.rs"]
mod rules;

/// The most bytes of one target's seeds: a corpus is to be read, not to grow.
const FOLDER_BYTES_MAX: usize = 100_000;

/// The files of a target's folder, which has at least `least`.
fn seeds(target: &str, least: usize) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus").join(target);
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_none()).collect();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a readable file")).collect();
    assert!(seeds.len() >= least, "only {} seeds of {target}", seeds.len());
    assert!(seeds.iter().map(Vec::len).sum::<usize>() <= FOLDER_BYTES_MAX, "{target} has grown too large");
    seeds
}

#[test]
fn every_seed_of_decode_obeys_its_rules() {
    seeds("decode", 60).iter().for_each(|seed| rules::decode(seed));
}

#[test]
fn every_seed_of_round_trip_obeys_its_rules() {
    seeds("round_trip", 60).iter().for_each(|seed| rules::round_trip(seed));
}

#[test]
fn every_seed_of_tlv_obeys_its_rules() {
    seeds("tlv", 60).iter().for_each(|seed| rules::tlv(seed));
}

#[test]
fn every_seed_of_framing_obeys_its_rules() {
    seeds("framing", 60).iter().for_each(|seed| rules::framing(seed));
}

#[test]
fn every_seed_of_guess_obeys_its_rules() {
    seeds("guess", 60).iter().for_each(|seed| rules::guess(seed));
}
