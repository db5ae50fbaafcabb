//! The importers on whole documents: those of `fixtures/import`, made for this project so that they have every class and
//! name that `IMPORT.md` lists, and the committed seeds of the importers' fuzz targets, replayed under their rules.

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use iso8583::import::{ImportError, Imported, jpos, moov};
use iso8583::{Message, Spec};

#[path = "specs/any.rs"]
mod any;
#[path = "../fuzz/src/import.rs"]
mod rules;

/// The documents that are good.
const GOOD: [&str; 5] =
    ["jpos-ascii.xml", "jpos-binary.xml", "jpos-ebcdic.xml", "moov-ascii.json", "moov-binary.yaml"];

/// Those in which everything is wrong.
const BROKEN: [&str; 2] = ["jpos-broken.xml", "moov-broken.yaml"];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/import").join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn import(name: &str) -> Result<Imported, ImportError> {
    let document = read(name);
    match name.rsplit_once('.') {
        Some((stem, "xml")) => jpos::import(stem, document.as_bytes()),
        Some((_, "json")) => moov::import_json(document.as_bytes()),
        _ => moov::import_yaml(document.as_bytes()),
    }
}

#[test]
fn the_messages_of_an_imported_specification_come_back_byte_for_byte() {
    for name in GOOD {
        let file = import(name).unwrap_or_else(|error| panic!("{name}: {error}")).spec;
        let spec = Spec::compile(&file).expect("it compiles");
        let mut fields = 0;
        for seed in 1..60 {
            let bytes = any::message(&file, &spec, seed * 0x9E37_79B9, 4);
            let message = Message::decode(&spec, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut again = BytesMut::new();
            message.repack(&mut again).expect("what was decoded can be packed");
            assert_eq!(again, bytes, "{name}: {message:?}");
            fields += message.fields().count();
        }
        assert!(fields > 10 * file.fields.len(), "{name}: only {fields} fields in all messages");
    }
}

/// Every note about the good documents and every refusal of the broken ones, a line each.
#[test]
fn what_is_noted_and_what_is_refused_is_what_the_file_beside_them_says() {
    let mut told = String::new();
    for name in GOOD {
        for note in import(name).expect("it is good").notes {
            told += &format!("{name}: {note}\n");
        }
    }
    for name in BROKEN {
        for refusal in import(name).expect_err("it is broken").refusals() {
            told += &format!("{name}: {refusal}\n");
        }
    }
    assert_eq!(told, read("told.txt"));
}

/// The names in the first column of a table's rows, and whether the row says that they are refused.
fn listed(section: &str) -> Vec<(String, bool)> {
    let document = include_str!("../IMPORT.md");
    let rows = document.split(section).nth(1).expect("the section is there").lines();
    let rows = rows.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_matches('|').split_once('|'));
    cells
        .flat_map(|(names, means)| {
            let refused = means.trim_start().starts_with("refused");
            names.split('`').skip(1).step_by(2).map(move |name| (name.to_owned(), refused))
        })
        .collect()
}

#[test]
fn every_class_and_packager_that_is_listed_stands_in_a_document() {
    let [good, broken] =
        [&GOOD[..3], &BROKEN[..1]].map(|names| names.iter().map(|name| read(name)).collect::<String>());
    let mut seen = 0;
    for section in ["### Classes", "### Packagers of subfields"] {
        for (name, refused) in listed(section) {
            let whole = format!(".{name}\"");
            let other = format!(".{name}'");
            let document = if refused { &broken } else { &good };
            if name.starts_with(|first: char| first.is_ascii_uppercase()) || name.starts_with("packager.") {
                assert!(document.contains(&whole) || document.contains(&other), "no document has {name}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "only {seen} names found");
}

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
