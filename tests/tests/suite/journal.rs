//! The life of a journal through the real program: archived and trimmed while it serves, backed up while it serves, watched,
//! exported, proved, restored to any record with the state that the original had there.

use std::{
    path::Path,
    process::{Command, Output},
    time::Instant,
};

use cardswitch::{app::journal_dir, journal::segments_in};
use switch_tests::{
    ask::Ask,
    city::City,
    line::PATIENCE,
    process::{Launch, Process},
    terminal::Terminal,
};

use crate::PROGRAM;

const RICH: u64 = 2;

fn cardswitch(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("the program runs")
}

/// What a command that succeeds prints as JSON.
fn json(arguments: &[&str]) -> serde_json::Value {
    let output = cardswitch(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a command that must fail complains of.
fn complaint(arguments: &[&str]) -> String {
    let output = cardswitch(arguments);
    assert!(!output.status.success(), "{arguments:?} must fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// So many purchases, and a wait until the journal was trimmed once more.
fn purchases(process: &Process, terminal: &mut Terminal, city: &City, archive: &Path, rounds: usize) {
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    for _ in 0..rounds {
        let before = segments_in(archive).expect("it can be listed").len();
        let begun = Instant::now();
        while segments_in(archive).expect("it can be listed").len() == before {
            assert!(begun.elapsed() < PATIENCE, "the journal is not trimmed");
            assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 1)).code, "00");
        }
    }
}

#[test]
fn a_journal_is_trimmed_backed_up_and_restored_to_the_same_state() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data")).set("JOURNAL__CHECKPOINT_RECORDS", "20");
    let (data, archive) = (text(launch.data()), launch.data().join("archive"));
    let backup = text(&folder.path().join("backup"));
    let city = City::open();
    let mut terminal = city.terminal("31000002");
    let process = launch.start();
    let admin = format!("http://{}", process.ports.admin);
    purchases(&process, &mut terminal, &city, &archive, 2);
    let first = cardswitch(&["journal", "backup", "--admin", &admin, "--to", &backup]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let segments = segments_in(Path::new(&backup)).expect("segments").len();
    purchases(&process, &mut terminal, &city, &archive, 1);
    let tail = cardswitch(&["journal", "tail", "--admin", &admin, "--count", "3"]);
    let tail = String::from_utf8_lossy(&tail.stdout).into_owned();
    assert_eq!(tail.lines().count(), 3, "{tail}");
    assert!(tail.lines().all(|line| line.contains("purchase") && line.contains("approved")), "{tail}");
    let again = cardswitch(&["journal", "backup", "--admin", &admin, "--to", &backup]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(segments_in(Path::new(&backup)).expect("segments").len() > segments, "it goes on where it ended");
    process.kill9();

    let journal = json(&["journal", "verify", "--data", &data]);
    assert!(journal["base"].as_u64() > Some(0) && journal["segments"].as_u64() > Some(1), "{journal}");
    assert_eq!(journal["first"], 1, "{journal}");
    let copied = json(&["journal", "verify", "--segments", &backup]);
    let ledger = json(&["ledger", "verify", "--data", &data]);
    assert_eq!((&ledger["head"], &ledger["records"]), (&journal["head"], &journal["last"]));

    // The killed switch may have had records that the backup has not, never the other way round.
    let to = text(&folder.path().join("restored"));
    let restored = json(&["journal", "restore", "--from", &backup, "--to", &to]);
    assert_eq!((&restored["last"], &restored["head"]), (&copied["last"], &copied["head"]));
    if copied["last"] == journal["last"] {
        assert_eq!(restored["state_hash"], ledger["state_hash"], "{restored}");
    }
    let of_restored = json(&["ledger", "verify", "--data", &to]);
    assert_eq!(of_restored["state_hash"], restored["state_hash"]);
    let refused = complaint(&["journal", "restore", "--from", &backup, "--to", &to]);
    assert!(refused.contains("nothing is overwritten"), "{refused}");

    // To an earlier record, from the archive alone and from the backup: the same state.
    let until = (journal["base"].as_u64().expect("a number") - 3).to_string();
    let states = [&text(&archive), &backup].map(|from| {
        let to = text(&folder.path().join(format!("until-{}", from.len())));
        json(&["journal", "restore", "--from", from, "--to", &to, "--until", &until])["state_hash"].clone()
    });
    assert_eq!(states[0], states[1]);
    let serving = Launch::new(PROGRAM, Path::new(&to)).start();
    assert_eq!(city.terminal("31000002").id(), terminal.id());
    serving.sigterm();
    assert!(serving.wait().success(), "a restored folder can be served");
}

#[test]
fn what_was_archived_is_exported_masked_and_what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data")).set("JOURNAL__CHECKPOINT_RECORDS", "20");
    let (data, archive) = (text(launch.data()), launch.data().join("archive"));
    let city = City::open();
    let process = launch.start();
    purchases(&process, &mut city.terminal("31000002"), &city, &archive, 2);
    process.sigterm();
    assert!(process.wait().success());

    let exported = text(&folder.path().join("exported"));
    let out = cardswitch(&["journal", "export", "--data", &data, "--out", &exported]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let proved = json(&["journal", "verify", "--segments", &exported]);
    assert_eq!(proved["head"], json(&["journal", "verify", "--data", &data])["head"]);
    let lines = cardswitch(&["journal", "export", "--segments", &exported, "--json"]);
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert_eq!(lines.lines().count() as u64, proved["last"].as_u64().expect("a number"));
    let pan = String::from_utf8_lossy(city.card(RICH).pan.expose()).into_owned();
    assert!(!lines.contains(&pan) && lines.contains(&pan[..6]), "cards are masked");
    let of_data = cardswitch(&["journal", "export", "--data", &data, "--json"]);
    assert_eq!(String::from_utf8_lossy(&of_data.stdout), lines, "segments say the same as the folder");

    // Elsewhere it is found where it is named, and only there.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&archive, &elsewhere).expect("it moves");
    let missing = complaint(&["ledger", "verify", "--data", &data]);
    assert!(
        missing.contains("record 1 is neither in the journal") && missing.contains("--archive"),
        "{missing}"
    );
    json(&["ledger", "verify", "--data", &data, "--archive", &text(&elsewhere)]);
    let oldest = segments_in(&elsewhere).expect("segments").remove(0);
    std::fs::remove_file(&oldest.path).expect("it goes");
    let partly = json(&["journal", "verify", "--data", &data, "--archive", &text(&elsewhere)]);
    assert_eq!(partly["first"].as_u64(), Some(oldest.last + 1), "what is there is proved: {partly}");
    // A start needs none of it.
    let checkpoints = journal_dir(launch.data()).join("checkpoints");
    assert_eq!(std::fs::read_dir(checkpoints).expect("a folder").count(), 2);
    let process = launch.start();
    process.sigterm();
    assert!(process.wait().success());
}
