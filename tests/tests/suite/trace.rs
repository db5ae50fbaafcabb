//! What the kernel sees: a trace of the real program's system calls, in which the journal's file is written and synced
//! between the read of every request and the write of its answer. Needs strace, and says so when it is not there.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use switch_tests::{
    ask::Ask,
    city::City,
    line::{Line, PATIENCE},
    process::{Launch, Process},
    terminal::Terminal,
};

use crate::PROGRAM;

const RICH: u64 = 2;
const SIGABRT: i32 = 6;

/// System calls worth seeing.
const CALLS: &str =
    "trace=pwrite64,write,fdatasync,fsync,sync_file_range,sendto,sendmsg,writev,recvfrom,read";

#[test]
fn the_kernel_sees_a_synced_journal_between_request_and_answer() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        switch_tests::tell("skipped: strace is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Launch::new(PROGRAM, &folder.path().join("data")).start();
    let city = City::open();
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    let trace = folder.path().join("trace");
    let Some(mut tracer) = attach(&process, &trace, &mut terminal, &mut line) else {
        switch_tests::tell("skipped: strace may not attach here");
        return;
    };
    for amount in 1..=10 {
        let answer = terminal.ask(&mut line, Ask::purchase(&city.card(RICH), amount));
        assert_eq!(answer.code, "00");
    }
    process.kill9();
    tracer.wait().expect("strace");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    let checked = check_trace(&trace);
    // Ten purchases, and the balances that were asked until the trace ran.
    assert!(checked >= 10, "only {checked} answers were seen in the trace:\n{trace}");
}

#[test]
fn a_sync_that_fails_ends_the_process_and_nothing_is_answered() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        switch_tests::tell("skipped: strace is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let launch = Launch::new(PROGRAM, &folder.path().join("data"));
    let process = launch.start();
    let city = City::open();
    let (mut terminal, mut line) = (city.terminal("31000002"), process.connect());
    terminal.sign_in(&mut line);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 1)).code, "00", "all is well");
    let Some(mut tracer) = break_syncs(&process) else {
        switch_tests::tell("skipped: strace may not attach here");
        return;
    };
    line.send(&terminal.frame(&mut Ask::purchase(&city.card(RICH), 2)));
    assert_eq!(line.receive(), None, "no answer, and the connection ends with the process");
    assert_eq!(process.wait().signal(), Some(SIGABRT), "{}", launch.log_text());
    tracer.wait().expect("strace");
    let log = launch.log_text();
    let told = ["journal", "anchor"].map(|what| format!("syncing the {what} failed"));
    assert!(told.iter().any(|why| log.contains(why)), "whoever runs it must read why: {log}");
    // What became of the second purchase is for the disk to say; the first was answered.
    launch.verify();
    let process = launch.start();
    let mut line = process.connect();
    assert_eq!(
        terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 3)).code,
        "00",
        "it starts again and serves"
    );
}

/// Attaches strace so that every further fdatasync fails.
fn break_syncs(process: &Process) -> Option<Child> {
    let mut tracer = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-o", "/dev/null"])
        .args(["-p", &process.id().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let begun = Instant::now();
    while !is_traced(process.id()) {
        if tracer.try_wait().ok()?.is_some() || begun.elapsed() > PATIENCE {
            let _has_ended = tracer.kill();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(tracer)
}

/// Whether every thread of a process has a tracer.
fn is_traced(process: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    tasks.filter_map(Result::ok).all(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

/// Attaches strace, and asks for balances until one shows in the trace.
fn attach(process: &Process, trace: &Path, terminal: &mut Terminal, line: &mut Line) -> Option<Child> {
    let mut tracer = Command::new("strace")
        .args(["-f", "-yy", "-s", "0", "-e", CALLS, "-o"])
        .arg(trace)
        .args(["-p", &process.id().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let city = City::open();
    let begun = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(terminal.ask(line, Ask::balance(&city.card(RICH))).code, "00");
        let text = std::fs::read_to_string(trace).unwrap_or_default();
        if ["sendto(", "fdatasync("].iter().all(|call| text.contains(call)) {
            return Some(tracer);
        }
        let ended = tracer.try_wait().ok()?.is_some();
        if ended || begun.elapsed() > PATIENCE {
            let _has_ended = tracer.kill();
            return None;
        }
    }
}

/// How far the journal is, since the request was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Journal {
    Untouched,
    Written,
    Synced,
}

/// Walks the trace: between each request's read and its answer's write the journal's file is written, then synced.
/// Returns how many answers were checked.
fn check_trace(trace: &str) -> usize {
    let (mut journal, mut request, mut checked) = (Journal::Untouched, false, 0);
    let mut unfinished: Vec<(&str, &str)> = Vec::new();
    for line in trace.lines() {
        let (thread, call) =
            line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())).unwrap_or_default();
        // A call that another thread's output interrupts is finished on a later line, which names no file.
        if call.ends_with("<unfinished ...>") {
            unfinished.push((thread, call));
            if is_answer(call) {
                check_answer(&mut request, journal, &mut checked, line);
            }
            continue;
        }
        let resumed = call.starts_with("<...");
        let begun = match unfinished.iter().position(|(other, _)| resumed && *other == thread) {
            Some(at) => unfinished.remove(at).1,
            None if resumed => continue,
            None => call,
        };
        let succeeded = call.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with('-'));
        // What an answer waits for: the files that have the newest records.
        let in_journal = begun.contains("/journal/tail-");
        if begun.starts_with("recvfrom(") && begun.contains("<TCP") && succeeded && !call.ends_with(" = 0") {
            (request, journal) = (true, Journal::Untouched);
        } else if begun.starts_with("pwrite64(") && in_journal && succeeded {
            journal = Journal::Written;
        } else if begun.starts_with("fdatasync(") && in_journal && succeeded && journal == Journal::Written {
            journal = Journal::Synced;
        } else if is_answer(begun) && !resumed {
            check_answer(&mut request, journal, &mut checked, line);
        }
    }
    checked
}

fn is_answer(call: &str) -> bool {
    ["sendto(", "sendmsg(", "write(", "writev("].iter().any(|name| call.starts_with(name))
        && call.contains("<TCP")
}

fn check_answer(request: &mut bool, journal: Journal, checked: &mut usize, line: &str) {
    // Without a request in the trace, it was read before strace was there.
    if std::mem::take(request) {
        assert_eq!(journal, Journal::Synced, "answered too early: {line}");
        *checked += 1;
    }
}

#[test]
fn an_answer_before_its_sync_would_be_found() {
    let (read, answer) =
        ("7 recvfrom(12<TCP:[a->b]>, \"\", 65536, 0, NULL, NULL) = 150", "7 sendto(12<TCP:[a->b]>, \"\"");
    let (write, sync) = (
        "8 pwrite64(9</data/journal/tail-0.bin>, \"\", 500, 0) = 500",
        "8 fdatasync(10</data/journal/tail-0.bin>) = 0",
    );
    let in_order = [read, write, sync, answer].join("\n");
    assert_eq!(check_trace(&in_order), 1);
    for wrong in [vec![read, answer], vec![read, write, answer, sync], vec![read, sync, write, answer]] {
        let trace = wrong.join("\n");
        let found = std::panic::catch_unwind(|| check_trace(&trace)).is_err();
        assert!(found, "{trace}");
    }
}
