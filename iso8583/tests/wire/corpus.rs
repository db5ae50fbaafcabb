//! The committed seeds of the fuzzer, replayed. `fixtures/corpus/README.md` says what each is and what must come of it.

use std::fs;
use std::path::Path;

use iso8583::{Message, Spec};

use crate::hostile::examine;
use crate::samples::fixture;

#[test]
fn no_file_of_the_corpus_does_harm() {
    let mut replayed = 0;
    replay(&fixture("corpus"), &mut replayed);
    assert!(replayed >= 20, "only {replayed} files found");
}

fn replay(folder: &Path, replayed: &mut usize) {
    for entry in fs::read_dir(folder).expect("the corpus is there") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            replay(&path, replayed);
        } else if path.extension().is_some_and(|extension| extension == "bin") {
            examine(&fs::read(&path).expect("a readable file"));
            *replayed += 1;
        }
    }
}

#[test]
fn every_pos_file_ends_as_its_row_in_the_readme_says() {
    let readme = fs::read_to_string(fixture("corpus/README.md")).expect("the corpus has a README");
    for entry in fs::read_dir(fixture("corpus/pos")).expect("the corpus is there") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let bytes = fs::read(&path).expect("a readable file");
        let outcome = match Message::decode(Spec::pos(), &bytes) {
            Ok(message) => format!("{}, {} fields", message.mti(), message.fields().count()),
            Err(error) => error.to_string(),
        };
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row in the README"));
        assert!(row.ends_with(&format!("| {outcome} |")), "{name}: {outcome}");
    }
}
