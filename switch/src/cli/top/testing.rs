//! A made-up evening at a switch, for tests of what is shown of it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use super::{
    interval::{Figures, Sample},
    page::Page,
};
use crate::clock::stopwatch;

/// When the switch of these pages began, seconds since 1970 UTC.
const BEGAN: i64 = 1_795_210_000;

/// A page that came so many seconds after `first`.
pub(super) fn sample(first: Instant, seconds: u64, text: &str) -> Sample {
    let unix_ms = (BEGAN + 7_385 + i64::try_from(seconds).unwrap()) * 1000;
    Sample { at: first + Duration::from_secs(seconds), unix_ms, page: Page::parse(text).unwrap() }
}

/// The figures of two seconds between two pages.
pub(super) fn figures(before: &str, after: &str) -> Figures {
    let first = stopwatch();
    Figures::between(&sample(first, 0, before), &sample(first, 2, after)).unwrap()
}

/// The page of a busy switch after so many hundred requests: nine in ten approved, one a wrong PIN.
pub(super) fn busy(hundreds: u64) -> String {
    let (all, mut page) = (hundreds * 100, String::new());
    let mut line = |series: &str, value: u64| writeln!(page, "cardswitch_{series} {value}").unwrap();
    line("start_time_seconds", BEGAN.unsigned_abs());
    line("resident_bytes", 50_435_456);
    line("hsm_test_mode", 1);
    line("journal_seq", 120_000 + all);
    for (dialect, open, limit) in [("pos", 100, 10_000), ("epos", 20, 10_000), ("atm", 3, 64)] {
        line(&format!("connections{{dialect=\"{dialect}\"}}"), open);
        line(&format!("limit_connections{{dialect=\"{dialect}\"}}"), limit);
    }
    line("connections_total", 150);
    line("connections_refused_total{why=\"limit\"}", 4);
    line("disconnects_total{why=\"peer\"}", 20);
    line("disconnects_total{why=\"idle\"}", hundreds);
    line("permits_in_use", 3_900);
    line("limit_permits", 4_096);
    line("requests_total{dialect=\"pos\"}", all);
    line("requests_total{dialect=\"epos\"}", 0);
    line("requests_total{dialect=\"atm\"}", hundreds);
    line("answers_total{reason=\"approved\"}", hundreds * 90);
    line("answers_total{reason=\"wrong_pin\"}", hundreds * 10);
    line("answers_total{reason=\"system_error\"}", hundreds);
    line("answers_total{reason=\"lost\"}", 5);
    line("frames_dropped_total{why=\"undecodable\"}", 7);
    line("turned_away_total", hundreds);
    line("repeats_total", 12);
    line("duplicates_remembered", 1_203);
    line("notices_total", 31);
    line("holds", 12);
    for name in ["answer_seconds", "commit_seconds", "sync_seconds"] {
        line(&format!("{name}_bucket{{le=\"0.001\"}}"), hundreds * 80);
        line(&format!("{name}_bucket{{le=\"0.002\"}}"), hundreds * 99);
        line(&format!("{name}_bucket{{le=\"+Inf\"}}"), all);
        line(&format!("{name}_sum"), hundreds);
        line(&format!("{name}_count"), all);
    }
    line("batch_frames_sum", all);
    line("batch_frames_count", hundreds * 4);
    line("stage_frames_total", all);
    line("process_cpu_nanoseconds_total", all * 20_000);
    let stages = [
        ("channel", 3_000),
        ("parse", 2_100),
        ("verify", 9_300),
        ("decide", 5_000),
        ("encode", 700),
        ("seal", 1_500),
        ("commit", 400),
    ];
    for (stage, nanoseconds) in stages {
        line(&format!("stage_cpu_nanoseconds_total{{stage=\"{stage}\"}}"), all * nanoseconds);
    }
    page
}

/// The page of a switch that tells nothing but its connections.
pub(super) fn terse(connections: u32) -> String {
    format!("cardswitch_connections {connections}\n")
}
