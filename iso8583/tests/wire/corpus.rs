//! The committed seeds of the fuzzer, replayed. The READMEs beside them say what each is and what must come of it.

use std::fs;
use std::path::{Path, PathBuf};

use iso8583::{Message, Spec};

use crate::hostile::examine;
use crate::samples::{fixture, specs, unhex};

#[test]
fn no_file_of_the_corpus_does_harm_under_any_table() {
    for (folder, least) in [("corpus/pos", 20), ("corpus/atm", 40)] {
        let files = files(&fixture(folder));
        assert!(files.len() >= least, "only {} files found in {folder}", files.len());
        for spec in specs() {
            for path in &files {
                examine(spec, &content(path));
            }
        }
    }
}

#[test]
fn every_pos_file_ends_as_its_row_in_the_readme_says() {
    let readme = fs::read_to_string(fixture("corpus/README.md")).expect("the corpus has a README");
    for path in files(&fixture("corpus/pos")) {
        check(&path, &readme, |_| Spec::pos());
    }
}

#[test]
fn every_atm_file_ends_as_its_row_in_the_readme_says() {
    let readme = fs::read_to_string(fixture("corpus/atm/README.md")).expect("the corpus has a README");
    for path in files(&fixture("corpus/atm")) {
        check(&path, &readme, |row| match row.split('|').nth(2).map(str::trim) {
            Some("hex") => Spec::atm(),
            Some("binary") => Spec::atm_binary_bitmap(),
            _ => panic!("no such bitmap: {row}"),
        });
    }
    let rows = readme.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, files(&fixture("corpus/atm")).len(), "every row has its file");
}

/// Decodes a file by the table its row asks for, and compares the end of the row with what came of it.
fn check(path: &Path, readme: &str, spec: impl Fn(&str) -> &'static Spec) {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
    let row = row.unwrap_or_else(|| panic!("{name} has no row in the README"));
    let outcome = match Message::decode(spec(row), &content(path)) {
        Ok(message) => format!("{}, {} fields", message.mti(), message.fields().count()),
        Err(error) => error.to_string(),
    };
    assert!(row.ends_with(&format!("| {outcome} |")), "{name}: {outcome}");
}

/// The messages in a folder: `.bin` as they are, `.hex` in hex.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "bin" || ending == "hex")).collect()
}

fn content(path: &Path) -> Vec<u8> {
    let content = fs::read(path).expect("a readable file");
    if path.extension().is_some_and(|ending| ending == "bin") {
        return content;
    }
    unhex(String::from_utf8(content).expect("hex is text").trim_end())
}
