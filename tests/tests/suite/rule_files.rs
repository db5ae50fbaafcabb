//! Files of rules through the real program: a good set is counted, a bad one is told with its places, and laying out
//! changes conditions alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::PROGRAM;

fn rules(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(PROGRAM).arg("rules").args(arguments).args(files).output().expect("the program runs")
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/rules/sample.toml")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_good_set_is_counted_and_known_by_a_hash_that_layout_does_not_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("other.toml");
    let written = fs::read_to_string(sample()).expect("the sample");
    fs::write(&other, written.replace(" && ", "&&").replace("# ", "#  ")).expect("a copy");
    let (good, same) = (rules(&["check"], &[&sample()]), rules(&["check"], &[&other]));
    let (good, same) = (text(&good.stdout), text(&same.stdout));
    assert!(good.contains("good: 6 live, 2 in shadow, 1 drafts, 0 off"), "{good}");
    assert_eq!(good.lines().last(), same.lines().last());
    let city = sample().with_file_name("city.toml");
    let checked = rules(&["check"], &[&city]);
    assert!(text(&checked.stdout).contains("good: 11 live, 1 in shadow"), "{checked:?}");
    let laid_out = rules(&["fmt", "--check"], &[&sample(), &city]);
    assert!(laid_out.status.success(), "both are in their one form: {}", text(&laid_out.stdout));
}

#[test]
fn faults_of_all_files_are_told_with_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, other] = ["one.toml", "other.toml"].map(|name| folder.path().join(name));
    let written = fs::read_to_string(sample()).expect("the sample");
    fs::write(&one, written.replace("hour < 5", "huor < 5")).expect("a bad file");
    fs::write(&other, "[[rule]]\nid = 5\n").expect("another");
    let refused = rules(&["check"], &[&one, &other]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    let want = "one.toml:86:5: rule night-cash, when: `huor` is no field; did you mean `hour`?";
    assert!(told.contains(want) && told.contains("other.toml:2:6: "), "{told}");
    let missing = rules(&["check"], &[&folder.path().join("none.toml")]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("none.toml: "), "{}", text(&missing.stderr));
}

#[test]
fn laying_out_changes_all_files_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, bad] = ["one.toml", "bad.toml"].map(|name| folder.path().join(name));
    let formatted = fs::read_to_string(sample()).expect("the sample");
    let sloppy = formatted.replace("hour < 5 || hour == 23", "hour<5||(hour==23)");
    fs::write(&one, &sloppy).expect("a file");
    fs::write(&bad, formatted.replace("hour < 5", "hour <")).expect("a bad file");
    let refused = rules(&["fmt"], &[&one, &bad]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("nothing was laid out"), "{}", text(&refused.stderr));
    let only_told = rules(&["fmt", "--check"], &[&one]);
    assert_eq!(only_told.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&one).expect("the file"), sloppy, "neither changed it");
    assert!(rules(&["fmt"], &[&one]).status.success());
    assert_eq!(fs::read_to_string(&one).expect("the file"), formatted);
    assert!(rules(&["fmt", "--check"], &[&one]).status.success());
}

#[test]
fn fields_are_listed_for_people_and_for_the_manual() {
    let table = text(&rules(&["fields"], &[]).stdout);
    assert!(table.contains("last.speed") && table.contains("does not apply"), "{table}");
    let markdown = text(&rules(&["fields", "--markdown"], &[]).stdout);
    assert!(markdown.contains("| `amount` | money | 4 | never |"), "{markdown}");
}
