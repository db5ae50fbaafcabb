//! `cardswitch top`: one report of a running switch, as the program prints it where there is no terminal.

use std::process::{Command, Output};

use switch_tests::{ask::Ask, city::City, process::Launch};

use crate::PROGRAM;

const RICH: u64 = 2;

/// Runs `top` to its end, with pipes instead of a terminal.
fn top(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("top").args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The report of a run that must have gone well.
fn report(arguments: &[&str]) -> String {
    let output = top(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The words behind a label.
fn words<'a>(report: &'a str, label: &str) -> &'a str {
    let line = report.lines().find_map(|line| line.split_once(&format!(" {label} ")));
    line.unwrap_or_else(|| panic!("no {label} in\n{report}")).1.trim()
}

#[test]
fn a_report_counts_what_was_done_and_shows_no_card() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let process = launch.start();
    let city = City::open();
    let card = city.card(RICH);
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 100)).code, "00");
    let wrong = Ask::purchase(&card, 100).with_pin(&card.wrong_pin(), &card);
    assert_eq!(terminal.ask(&mut line, wrong).code, "55");

    let admin = format!("http://{}", process.ports.admin);
    let by_port = report(&["--admin", &admin, "--interval", "0.2", "--once"]);
    assert!(by_port.starts_with(&format!("cardswitch at {admin}, figures of 0.")), "{by_port}");
    assert!(by_port.contains("HSM TEST MODE"), "{by_port}");
    // The sign-in and the purchase; both before the interval began.
    assert_eq!(words(&by_port, "approved"), "0         2 in all", "{by_port}");
    assert_eq!(words(&by_port, "wrong_pin"), "0         1 in all", "{by_port}");
    assert_eq!(words(&by_port, "turned away"), "0", "{by_port}");
    let digits = String::from_utf8(card.pan.expose().to_vec()).expect("digits");
    assert!(!by_port.contains(&digits));

    // The folder of a running switch leads to the same; that of a stopped one says what to look for.
    let data = launch.data().to_str().expect("UTF-8");
    let by_folder = report(&["--data", data, "--interval", "0.1", "--once"]);
    assert_eq!(words(&by_folder, "approved"), "0         2 in all", "{by_folder}");
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));
    let stopped = top(&["--data", data, "--once"]);
    assert_eq!(stopped.status.code(), Some(1));
    assert!(text(&stopped.stderr).contains("is a switch running on this folder"), "{stopped:?}");
}

#[test]
fn what_cannot_be_shown_is_said_with_what_to_do() {
    // A port that was free a moment ago; nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = format!("http://{}", free.expect("a free port"));
    let rows: [(&str, &[&str], i32, &str); 5] = [
        ("no terminal", &["--admin", &nobody], 64, "--once prints one report as text"),
        ("nobody there", &["--admin", &nobody, "--once"], 1, "/metrics: "),
        ("no place", &["--once"], 64, "--data"),
        ("two places", &["--admin", &nobody, "--data", "x"], 64, "cannot be used with"),
        ("an interval of nothing", &["--admin", &nobody, "--interval", "0"], 64, "seconds, 0.1 to 60"),
    ];
    for (name, arguments, code, want) in rows {
        let output = top(arguments);
        assert_eq!(output.status.code(), Some(code), "{name}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(want), "{name}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{name}");
    }
}
