//! The program `hsm-sim` from outside: what it prints, what it never prints, and how it ends.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::PathBuf, process::Command};

const KNOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/hsm.json");

/// What came out, what came out beside it, and how it ended.
fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_hsm-sim")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn all_known_answers_agree_a_line_for_each_family() {
    let (out, err, code) = run(&["check-vectors", KNOWN]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert_eq!(out.lines().count(), 36);
    assert!(out.contains("pinblock_iso0        4 of 4\n"), "{out}");
}

#[test]
fn a_mismatch_is_told_without_values_unless_they_are_asked_for() {
    let known = fs::read_to_string(KNOWN).unwrap();
    let ipek = "6AC292FAA1315B4D858AB3A3D7D5933A";
    let other = "6AC292FAA1315B4D858AB3A3D7D5933B";
    let bad = file("bad.json", &known.replace(ipek, other));
    let (out, _, code) = run(&["check-vectors", KNOWN, &bad]);
    assert_eq!(code, Some(1), "one bad file among good ones");
    assert!(out.contains("  dukpt_tdes-001: ipek differs\n"), "{out}");
    assert!(!out.contains(ipek) && !out.contains(other), "keys are not shown");
    let (out, _, code) = run(&["check-vectors", "--show", &bad]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains(other) && !out.contains(ipek),
        "what is expected is shown, what was computed is not"
    );
}

#[test]
fn an_unknown_family_ends_with_one() {
    let vector = r#"{"vectors":[{"id":"x","family":"rot13","inputs":{},"expected":{}}]}"#;
    let (out, _, code) = run(&["check-vectors", &file("unknown.json", vector)]);
    assert_eq!(code, Some(1));
    assert!(out.ends_with("  x: unknown family\n"), "{out}");
}

#[test]
fn a_file_that_is_none_ends_with_two_and_says_where() {
    let secret = file("none.json", r#"{"vectors": "0123456789ABCDEF"}"#);
    for (path, want) in [(secret.as_str(), "line 1"), ("no-such-file.json", "No such file")] {
        let (_, err, code) = run(&["check-vectors", path]);
        assert_eq!(code, Some(2), "{path}");
        assert!(err.contains(want) && !err.contains("0123456789ABCDEF"), "{err}");
    }
}

#[test]
fn vectors_that_it_makes_it_finds_right() {
    let (made, _, code) = run(&["make-vectors", "--count", "5", "--seed", "3"]);
    assert_eq!(code, Some(0));
    let (out, _, code) = run(&["check-vectors", &file("made.json", &made)]);
    assert_eq!(code, Some(0));
    assert!(out.contains("tr31_unwrap          5 of 5\n"), "{out}");
}
