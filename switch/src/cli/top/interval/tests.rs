//! Two pages and the figures between them: rates, quantiles, a restart, and the switch's own page.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::{cli::top::testing::figures, clock::stopwatch};

/// A histogram's lines: counts up to 1 ms, 2 ms, 5 ms and without bound, each with those below.
fn histogram(counts: [u32; 4], sum: &str) -> String {
    let bounds = ["0.001", "0.002", "0.005", "+Inf"];
    let bucket =
        |(le, count): (&str, u32)| format!("cardswitch_answer_seconds_bucket{{le=\"{le}\"}} {count}\n");
    let buckets: String = bounds.into_iter().zip(counts).map(bucket).collect();
    format!("{buckets}cardswitch_answer_seconds_sum {sum}\ncardswitch_answer_seconds_count {}\n", counts[3])
}

#[test]
fn counters_become_rates_and_the_largest_comes_first() {
    let page = |approved, wrong_pin| {
        format!(
            "cardswitch_answers_total{{dialect=\"pos\",reason=\"wrong_pin\"}} {wrong_pin}\n\
             cardswitch_answers_total{{dialect=\"pos\",reason=\"approved\"}} {approved}\n\
             cardswitch_answers_total{{dialect=\"atm\",reason=\"approved\"}} 7\n\
             cardswitch_answers_total{{dialect=\"atm\",reason=\"lost\"}} 3\n\
             cardswitch_turned_away_total {wrong_pin}\n"
        )
    };
    let figures = figures(&page(100, 1), &page(110, 41));
    let parts: Vec<_> =
        figures.answers.iter().map(|part| (part.name.as_str(), part.count.per_second)).collect();
    assert_eq!(parts, [("wrong_pin", 20.0), ("approved", 5.0), ("lost", 0.0)]);
    assert_eq!(figures.answers[1].count.total, 117.0, "both dialects");
    assert_eq!(figures.turned_away, Some(Count { increase: 40.0, per_second: 20.0, total: 41.0 }));
    assert!((figures.answers_per_second() - 25.0).abs() < 1e-9);
    assert!(!figures.restarted);
}

#[test]
fn a_quantile_is_interpolated_in_the_bucket_that_holds_it() {
    use Quantile::{Above, Near};
    let rows = [
        ("half of the first bucket", [100, 100, 100, 100], 0.5, Some(Near(0.0005))),
        ("all of the first bucket", [100, 100, 100, 100], 1.0, Some(Near(0.001))),
        ("in the middle of a later one", [0, 0, 100, 100], 0.5, Some(Near(0.0035))),
        ("behind an empty one", [50, 50, 100, 100], 0.75, Some(Near(0.0035))),
        ("at the edge of two", [50, 100, 100, 100], 0.5, Some(Near(0.001))),
        ("the last bound is no upper bound", [0, 0, 90, 100], 0.99, Some(Above(0.005))),
        ("one observation", [0, 1, 1, 1], 0.999, Some(Near(0.001_999))),
        ("none", [0, 0, 0, 0], 0.5, None),
    ];
    for (name, grown, part, want) in rows {
        let begun = [3, 5, 7, 9];
        let ended = std::array::from_fn(|at| begun[at] + grown[at]);
        let found = figures(&histogram(begun, "1"), &histogram(ended, "2")).answer.quantile(part);
        let near = match (found, want) {
            (Some(Near(found)), Some(Near(want))) => (found - want).abs() < 1e-9,
            (found, want) => found == want,
        };
        assert!(near, "{name}: {found:?}, not {want:?}");
    }
}

#[test]
fn the_mean_is_of_the_interval_alone() {
    let figures = figures(&histogram([0, 0, 0, 10], "30"), &histogram([4, 4, 4, 14], "30.5"));
    assert_eq!(figures.answer.mean(), Some(0.125));
    assert_eq!(figures.commit.mean(), None, "the page has none");
}

#[test]
fn a_restart_counts_from_zero() {
    let page = |requests, began, notices| {
        format!(
            "cardswitch_requests_total{{dialect=\"pos\"}} {requests}\ncardswitch_start_time_seconds {began}\n\
             cardswitch_notices_total {notices}\ncardswitch_journal_seq {notices}\n"
        )
    };
    let rows = [
        ("none", page(50, 10, 5), page(60, 10, 7), false, 10.0, 2.0),
        ("a counter that fell", page(50, 10, 5), page(4, 10, 5), true, 4.0, 0.0),
        ("a later start, and already above", page(50, 10, 5), page(60, 11, 5), true, 60.0, 0.0),
        ("what goes on over restarts appears", page(2, 10, 0), page(4, 10, 9), false, 2.0, 0.0),
    ];
    for (name, before, after, restarted, requests, notices) in rows {
        let figures = figures(&before, &after);
        assert_eq!(figures.restarted, restarted, "{name}");
        assert_eq!(figures.requests[0].count.increase, requests, "{name}");
        assert_eq!(figures.notices.unwrap().increase, notices, "{name}");
    }
    let just_started = figures(&page(1, 1, 1), &page(0, 2, 0));
    assert_eq!(just_started.journal_seq, None, "it does not know before its first commit");
}

#[test]
fn stages_stand_in_the_order_of_a_frames_way() {
    let page = |frames, commit, parse, warm| {
        format!(
            "cardswitch_stage_frames_total {frames}\n\
             cardswitch_stage_cpu_nanoseconds_total{{stage=\"commit\"}} {commit}\n\
             cardswitch_stage_cpu_nanoseconds_total{{stage=\"parse\"}} {parse}\n\
             cardswitch_stage_cpu_nanoseconds_total{{stage=\"another\"}} {warm}\n"
        )
    };
    let stage =
        |name: &str, nanoseconds_a_frame, cores| Stage { name: name.into(), nanoseconds_a_frame, cores };
    let busy = figures(&page(0, 0, 0, 0), &page(1000, 500_000_000, 2_000_000, 0));
    let want = [
        stage("parse", Some(2000.0), 0.001),
        stage("commit", Some(500_000.0), 0.25),
        stage("another", Some(0.0), 0.0),
    ];
    assert_eq!(busy.stages, want);
    let idle = figures(&page(7, 0, 0, 0), &page(7, 2000, 0, 0));
    assert_eq!(idle.stages[1], stage("commit", None, 1e-6));
    assert_eq!(busy.all_stages().and_then(|all| all.nanoseconds_a_frame), Some(502_000.0));
    assert_eq!(idle.all_stages().map(|all| all.nanoseconds_a_frame), Some(None));
}

#[test]
fn what_the_page_does_not_have_is_told_apart_from_zero() {
    let figures = figures("cardswitch_connections 0\n", "cardswitch_connections 0\n");
    assert_eq!(figures.connections, [(String::new(), Level { now: Some(0.0), limit: None })]);
    assert_eq!((figures.turned_away, figures.holds, figures.hsm_test_mode), (None, None, None));
    assert!(figures.all_stages().is_none() && figures.answers_per_second().is_sign_positive());
    assert!(
        figures.stages.is_empty() && figures.refused.is_empty() && figures.answer.quantile(0.5).is_none()
    );
}

#[test]
fn no_time_makes_no_figures() {
    let page = Page::parse("cardswitch_connections 0\n").unwrap();
    let sample = Sample { at: stopwatch(), unix_ms: 0, page };
    assert!(Figures::between(&sample, &sample).is_none());
}

#[test]
fn the_switchs_own_page_has_what_is_looked_for() {
    use crate::{
        books::{event::TerminalDialect, reason::Reason, request::Kind},
        channel::Disconnect,
        journal::CommitTimings,
        telemetry::{cost::Stage, metrics::recorder},
    };
    let (metrics, own_page) = recorder();
    metrics.request(TerminalDialect::Pos, Kind::ALL[0]);
    metrics.answered(TerminalDialect::Atm, Reason::WrongPin);
    metrics.answer_took(Duration::from_millis(3));
    metrics.batch(6);
    metrics.stage(Stage::ALL[1], 12_000);
    metrics.committed(4, 7, Duration::from_millis(2), &CommitTimings::default());
    let page = Page::parse(&own_page.render()).unwrap();
    let at = stopwatch();
    let before = Sample { at, unix_ms: 0, page: Page::default() };
    let figures = Figures::between(&before, &Sample { at: at + Duration::from_secs(1), unix_ms: 0, page });
    let figures = figures.unwrap();
    let first = figures.answers.first().map(|part| (part.name.as_str(), part.count.total));
    assert_eq!(first, Some(("wrong_pin", 1.0)));
    let dialects: Vec<_> = figures.requests.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(dialects, ["atm", "epos", "pos"]);
    assert_eq!((figures.ended.len(), figures.dropped.len()), (Disconnect::ALL.len(), 3));
    let stages: Vec<_> = figures.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, STAGES, "in the order of a frame's way");
    assert_eq!(figures.stages[1].nanoseconds_a_frame, Some(2_000.0));
    assert_eq!(figures.frames_a_batch, Some(6.0));
    assert!(!figures.refused.is_empty() && figures.cores.is_some() && figures.up_seconds.is_some());
    assert!(figures.answer.quantile(0.5).is_some() && figures.records_a_commit == Some(4.0));
    assert!(figures.commit.mean().is_some() && figures.sync.quantile(0.99).is_some());
    assert_eq!(figures.journal_seq, Some(7.0));
    let connections = figures.connections[0].1;
    let gauges = [
        connections.now,
        connections.limit,
        figures.permits.now,
        figures.permits.limit,
        figures.holds,
        figures.remembered,
    ];
    assert!(gauges.iter().all(Option::is_some), "{gauges:?}");
    let counts = [
        figures.opened,
        figures.holds_expired,
        figures.turned_away,
        figures.repeats,
        figures.verified_again,
        figures.evicted,
        figures.unsealed,
        figures.unwritten,
        figures.notices,
    ];
    assert!(counts.iter().all(Option::is_some) && figures.hsm_test_mode.is_some(), "{counts:?}");
}

#[test]
fn connections_are_told_apart_where_the_switch_does() {
    let page = "cardswitch_connections{dialect=\"pos\"} 5\ncardswitch_connections{dialect=\"atm\"} 2\n\
                cardswitch_limit_connections{dialect=\"pos\"} 100\n";
    let level = |name: &str, now, limit| (name.to_owned(), Level { now: Some(now), limit });
    assert_eq!(figures(page, page).connections, [level("atm", 2.0, None), level("pos", 5.0, Some(100.0))]);
}
