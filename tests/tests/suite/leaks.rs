//! What a day leaves behind shows no card number, PIN, track, PIN block or key: data folder, log, pages, what commands
//! print. The program `leaks` does the same over two days and looks into the switch's memory, too.

use std::{fs, path::Path};

use switch_tests::{
    city::City,
    leaks::{
        Stage,
        found::{Looked, in_file},
        shown::Shown,
        today,
    },
    process::Launch,
    search::{Kind, Ready},
};

use crate::PROGRAM;

#[test]
fn a_day_leaves_no_secret_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let launch = Launch::new(PROGRAM, &folder.join("data"))
        .set("LOG__LEVEL", "trace")
        .set("BOOKS__PIN_TRIES_MAX", "10");
    let mut stage = Stage::open();
    let mut shown = Shown { program: Path::new(PROGRAM), folder, count: 0 };
    let process = launch.start();
    let played = stage.play(process.ports, 1);
    let (sent, approved) = (played.sent, played.approved);
    assert!(approved > 500, "{approved} approvals of {sent} requests are too few to prove much");
    let asked_for = stage.asked_for();
    shown.pages(process.ports.admin, &asked_for);
    drop(played);
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));

    shown.commands_in(launch.data(), &City::folder(), &today(), &asked_for);
    shown.decoded(&stage.city, &stage.sample);
    let settled = fs::read_dir(folder.join("settled")).expect("its files").count();
    assert!(settled >= 5, "{settled} files: issuers, merchants, acquirers");
    let search = stage.search.ready();
    let looked = in_file(&search, "everything", folder);
    let (secrets, forms, bytes) = (search.secrets(), search.needles(), looked.bytes);
    switch_tests::tell(&format!("leaks: {secrets} secrets in {forms} forms looked for in {bytes} bytes"));
    assert_eq!(looked.findings, []);
    assert!(launch.log_text().contains("DEBUG"), "the log was to be at its most talkative");
    check_the_search(&search, folder, &stage.city);
}

/// The same search finds what is planted among the same files.
fn check_the_search(search: &Ready, folder: &Path, city: &City) {
    let journal = folder.join("data/journal/db");
    let mut bytes = fs::read(&journal).expect("the journal's file");
    let middle = bytes.len() / 2;
    bytes.splice(middle..middle, city.cards()[0].pan.expose().iter().copied());
    fs::write(&journal, bytes).expect("a file");
    let Looked { findings, .. } = in_file(search, "everything", folder);
    let planted = findings.first().map(|found| (found.kind, found.secret.as_str(), found.place.as_str()));
    assert_eq!(planted, Some((Kind::CardNumber, "line 2", "db")));
    assert_eq!(findings.len(), 1, "{findings:?}");
}
