//! The load generator against a switch in this process, on a journal in memory: every request must be approved, and
//! every answer's MAC right.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use cardswitch::{
    app::{self, Running},
    config::Config,
    journal::MemoryStore,
    terminal::Sample,
};
use clap::Parser;
use tempfile::TempDir;

use super::{
    arguments::{Arguments, Dialect},
    choice,
    error::LoadError,
    measure,
    report::Report,
    sender::Sender,
};

fn city() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city")
}

/// A switch on the sample city, on ports that the system chooses.
fn switch(change: impl FnOnce(&mut Config)) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let listeners = ["POS", "EPOS", "ATM", "ADMIN"];
    let ports = listeners.map(|name| (format!("CARDSWITCH__{name}__LISTEN"), "127.0.0.1:0".to_owned()));
    let mut config = Config::load(&city().join("cardswitch.toml"), ports.into_iter()).unwrap();
    folder.path().clone_into(&mut config.data.dir);
    change(&mut config);
    let fatal = std::sync::Arc::new(|error: &_| panic!("the journal in memory fails: {error}"));
    let running = app::start_on(&config, Box::new(MemoryStore::new()), fatal, &mut |_| ()).unwrap();
    (running, folder)
}

fn measured(to: SocketAddr, line: &str) -> Result<Report, LoadError> {
    let all = format!(
        "loadgen --city {} --to {to} --seconds 0.5 --data {} {line}",
        city().display(),
        std::env::temp_dir().display()
    );
    measure(&Arguments::try_parse_from(all.split_whitespace()).unwrap())
}

/// One run of which every request was approved.
fn check(to: SocketAddr, line: &str) -> Report {
    let report = measured(to, line).unwrap();
    let text = report.text();
    assert!(report.is_good(), "{line}: {text}");
    for run in &report.runs {
        assert!(run.answered > 20 && run.sent == run.answered, "{line}: {text}");
        assert_eq!(run.codes.keys().collect::<Vec<_>>(), ["00"], "{line}: {text}");
        assert_eq!(run.macs.checked, run.answered, "{line}: {text}");
        assert!(run.rate_per_s > 0.0 && run.latency_us.approved.is_some(), "{line}: {text}");
    }
    report
}

#[test]
fn every_dialect_is_approved_with_right_macs() {
    let (running, _folder) = switch(|_| ());
    let ports = running.ports;
    check(ports.pos, "--connections 4 --window 4 --mix purchase=3,tap=1,balance=1");
    check(ports.epos, "--dialect epos --connections 3 --window 4");
    check(ports.atm, "--dialect atm --connections 4 --window 4 --mix withdrawal,balance");
    // The same terminals once more: their numbers must be new.
    check(ports.pos, "--connections 4 --window 4 --mac x9.19");
    check(ports.epos, "--dialect epos --connections 3 --window 1");
    running.stop().unwrap();
}

/// One request and its answer, whole frames, and the sender that built it.
fn exchanged(to: SocketAddr, dialect: Dialect) -> (Sender, Vec<u8>, Vec<u8>) {
    let sample = Sample::open(&city()).unwrap();
    let arguments = Arguments::try_parse_from(
        ["loadgen", "--city", "c", "--to", "127.0.0.1:1", "--dialect"]
            .into_iter()
            .chain([dialect.to_string().as_str()]),
    )
    .unwrap();
    let seat = choice::seats(sample.city(), &arguments, 1).unwrap().remove(0);
    let payer = choice::cards(sample.city(), 1).unwrap().remove(0);
    let mut sender = Sender::signed_in(&sample, dialect, &seat, 0, to).unwrap();
    let mut request = Vec::new();
    sender.prepare(arguments.mix().round()[0], &payer, &mut request).unwrap();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).unwrap();
    answer.truncate(count);
    (sender, request, answer)
}

#[test]
fn an_answer_that_was_changed_is_wrong() {
    let (running, _folder) = switch(|_| ());
    let ports = running.ports;
    for (dialect, to) in [(Dialect::Pos, ports.pos), (Dialect::Epos, ports.epos), (Dialect::Atm, ports.atm)] {
        let (sender, request, answer) = exchanged(to, dialect);
        assert!(sender.is_right(&request, &answer), "{dialect}");
        let last = answer.len() - 1;
        for at in [last, last - 20] {
            let mut changed = answer.clone();
            changed[at] ^= 1;
            assert!(!sender.is_right(&request, &changed), "{dialect}, byte {at}");
        }
        assert!(!sender.is_right(&request, &answer[..last]), "{dialect}, cut short");
    }
    running.stop().unwrap();
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let (running, _folder) = switch(|_| ());
    let report = check(running.ports.pos, "--connections 4 --rate 400");
    let run = &report.runs[0];
    assert_eq!((run.sent, run.rate_asked, run.window), (200, Some(400), None));
    assert_eq!(run.latency_us.late.unwrap().count, 200);
    running.stop().unwrap();
}

#[test]
fn baseline_metrics_and_idle_connections_stand_beside_it() {
    let (running, _folder) = switch(|_| ());
    let admin = running.ports.admin;
    let report =
        check(running.ports.pos, &format!("--connections 2 --window 2 --baseline --idle 50 --admin {admin}"));
    let run = &report.runs[0];
    let (baseline, idle) = (run.baseline.unwrap(), run.idle.unwrap());
    assert!(baseline.rate_per_s > 0.0 && baseline.latency_us.is_some());
    assert_eq!((idle.asked, idle.accepted, idle.open_at_end), (50, 50, 50));
    let figures = run.switch.as_ref().unwrap();
    assert!(figures["commits"] > 0.0 && figures["records_a_commit"] >= 1.0, "{figures:?}");
    let json = serde_json::to_value(&report).unwrap();
    for key in [
        "/arguments/to",
        "/sync_us/p99",
        "/runs/0/latency_us/all/p999",
        "/runs/0/codes/00",
        "/runs/0/macs/wrong",
    ] {
        assert!(json.pointer(key).is_some_and(|value| !value.is_null()), "{key}");
    }
    running.stop().unwrap();
}

#[test]
fn requests_that_are_turned_away_are_told_apart() {
    let (running, _folder) = switch(|config| config.limits.permits = 8);
    let report = measured(running.ports.pos, "--connections 4 --window 8").unwrap();
    let run = &report.runs[0];
    assert!(report.is_good(), "{}", report.text());
    let turned_away = run.latency_us.turned_away.unwrap().count;
    assert_eq!(run.codes["96"], turned_away);
    assert_eq!(run.macs.checked, run.answered - turned_away);
    running.stop().unwrap();
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_sent() {
    let (running, _folder) = switch(|_| ());
    let ports = running.ports;
    for (to, line, told) in [
        (ports.pos, "--connections 40", "cardswitch city generate"),
        (ports.pos, "--dialect epos --connections 1", "sign-in answered 58"),
        (ports.pos, "--connections 1 --admin 127.0.0.1:1", "metrics"),
    ] {
        let error = measured(to, line).unwrap_err();
        assert!(error.to_string().contains(told), "{line}: {error}");
    }
    running.stop().unwrap();
    let error = measured(ports.pos, "--connections 1").unwrap_err();
    assert!(super::chain(&error).contains("start the switch"), "{error}");
    assert_eq!(error.exit_code(), 69);
}
