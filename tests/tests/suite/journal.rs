//! The life of a journal through the real program: archived and trimmed while it serves, backed up while it serves, watched,
//! exported, proved, restored to any record with the state that the original had there.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    time::Instant,
};

use cardswitch::{app::journal_dir, journal::segments_in};
use switch_tests::{
    ask::Ask,
    city::City,
    in_process::metric,
    line::{Line, PATIENCE},
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

/// Waits until answers wait for the mirror.
fn wait_until_in_step(process: &Process) {
    let begun = Instant::now();
    while metric(&process.page("/metrics"), "cardswitch_mirror_in_step", &[]) == 0 {
        assert!(begun.elapsed() < PATIENCE, "the mirror is never in step");
        std::thread::yield_now();
    }
}

fn pay(terminal: &mut Terminal, line: &mut Line, city: &City, times: usize) {
    for _ in 0..times {
        assert_eq!(terminal.ask(line, Ask::purchase(&city.card(RICH), 1)).code, "00");
    }
}

#[test]
fn a_disk_that_is_lost_takes_no_answer_with_it_that_was_given_in_step_with_the_mirror() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mirror = text(&folder.path().join("second").join("mirror"));
    let launch = |data: &Path| {
        let launch = Launch::new(PROGRAM, data).set("JOURNAL__MIRROR", &mirror);
        launch.set("JOURNAL__CHECKPOINT_RECORDS", "20").set("JOURNAL__MIRROR_WAIT_MS", "60000")
    };
    let (city, mut lost) = (City::open(), launch(&folder.path().join("data")));
    let mut terminal = city.terminal("31000002");
    let mut paid = 0;
    for life in 0..3 {
        let process = lost.start();
        wait_until_in_step(&process);
        let mut line = process.connect();
        terminal.sign_in(&mut line);
        pay(&mut terminal, &mut line, &city, 15);
        paid += 15;
        process.kill9();
        fs::remove_dir_all(lost.data()).expect("the disk is gone");
        let to = folder.path().join(format!("data-{life}"));
        let restored = json(&["journal", "restore", "--from", &mirror, "--to", &text(&to)]);
        let proved = json(&["ledger", "verify", "--data", &text(&to)]);
        assert_eq!(proved["state_hash"], restored["state_hash"]);
        let lines = cardswitch(&["journal", "export", "--data", &text(&to), "--json"]);
        let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
        let found = lines.lines().filter(|line| line.contains("purchase") && line.contains("approved"));
        assert_eq!(found.count(), paid, "every purchase that was approved");
        lost = launch(&to);
    }

    let process = lost.start();
    process.sigterm();
    assert!(process.wait().success());
    let ends = json(&["journal", "verify", "--data", &text(lost.data())]);
    let mirrored = json(&["journal", "verify", "--segments", &mirror]);
    assert_eq!(
        (&ends["head"], &ends["last"]),
        (&mirrored["head"], &mirrored["last"]),
        "a good stop leaves it even"
    );

    // An older journal beside it has lost something, which is said before anything is answered.
    let (older, until) = (folder.path().join("older"), ends["last"].as_u64().expect("a number") - 2);
    json(&["journal", "restore", "--from", &mirror, "--to", &text(&older), "--until", &until.to_string()]);
    let refused = launch(&older).run_to_end(&City::folder().join("cardswitch.toml"));
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("acknowledged records are missing here"), "{refused}");
}

#[test]
fn a_mirror_that_cannot_be_written_holds_up_no_answer_and_catches_up_once_it_can() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mirror = folder.path().join("mirror");
    fs::write(&mirror, "a file where the folder should be").expect("a file");
    let launch = Launch::new(PROGRAM, &folder.path().join("data")).set("JOURNAL__MIRROR", &text(&mirror));
    let (city, process) = (City::open(), launch.start());
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    pay(&mut terminal, &mut line, &city, 3);
    let metrics = process.page("/metrics");
    assert_eq!(metric(&metrics, "cardswitch_mirror_in_step", &[]), 0);
    assert!(metric(&metrics, "cardswitch_mirror_failed_total", &[]) > 0);
    assert!(launch.log_text().contains("the mirror cannot be written"), "{}", launch.log_text());
    fs::remove_file(&mirror).expect("a file of ours");
    wait_until_in_step(&process);
    pay(&mut terminal, &mut line, &city, 1);
    process.kill9();
    let head = |at: &str, path: &Path| json(&["journal", "verify", at, &text(path)])["head"].clone();
    assert_eq!(head("--segments", &mirror), head("--data", launch.data()));
}

/// A command that goes on until it is stopped.
struct Following(std::process::Child);

impl Following {
    fn start(arguments: &[&str]) -> Self {
        let child =
            Command::new(PROGRAM).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program runs"))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn a_journal_is_watched_and_copied_while_it_grows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let (city, process) = (City::open(), launch.start());
    let admin = format!("http://{}", process.ports.admin);
    let backup = text(&folder.path().join("backup"));
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    let follow = ["journal", "backup", "--admin", &admin, "--to", &backup, "--follow", "--every-s", "1"];
    let _copying = Following::start(&follow);
    let mut watching = Following::start(&["journal", "tail", "--admin", &admin, "--follow", "--count", "1"]);
    let mut seen = BufReader::new(watching.0.stdout.take().expect("a pipe")).lines();
    let mut next = || seen.next().expect("it goes on").expect("text");
    assert!(!next().contains("purchase"), "what was last when it began");
    for _ in 0..3 {
        pay(&mut terminal, &mut line, &city, 1);
        let shown = next();
        assert!(shown.contains("purchase") && shown.contains("approved"), "{shown}");
    }
    let page = process.page("/journal/ends");
    let ends: serde_json::Value =
        serde_json::from_str(page.rsplit("\r\n").next().expect("a body")).expect("JSON");
    let copied = || segments_in(Path::new(&backup)).expect("segments").last().map(|last| last.last);
    let begun = Instant::now();
    while copied() != ends["last"].as_u64() {
        assert!(begun.elapsed() < PATIENCE, "what was shown is not copied: {:?} of {ends}", copied());
        std::thread::yield_now();
    }
    assert_eq!(json(&["journal", "verify", "--segments", &backup])["head"], ends["hash"]);
}
