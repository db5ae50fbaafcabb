//! Every metric's name, unit and labels, and the handles to them.
//!
//! Handles are made once at start, because looking a name up costs ten times what counting costs. Label values
//! come from enums, so no peer can make up a time series; there is never a STAN, card number or RRN in one.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::{
    books::{event::TerminalDialect, reason::Reason, request::Kind},
    channel::{Disconnect, Refused},
    dialect::Dropped,
    journal::CommitTimings,
};

/// Bounds of the latency histograms, in seconds.
const SECONDS: [f64; 15] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0,
];

/// Bounds of the histogram of records in a commit.
const RECORDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// All handles. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    requests: Vec<Counter>,
    answers: Vec<Counter>,
    dropped: [Counter; 3],
    repeats: Counter,
    remembered: Gauge,
    evicted: Counter,
    turned_away: Counter,
    verified_again: Counter,
    unsealed: Counter,
    unwritten: Counter,
    answer_seconds: Histogram,
    connections: Gauge,
    connections_total: Counter,
    refused: [Counter; 3],
    disconnects: [Counter; 8],
    socket_reads: Counter,
    socket_writes: Counter,
    permits_in_use: Gauge,
    commits: Counter,
    commit_records: Histogram,
    commit_seconds: Histogram,
    sync_seconds: Histogram,
    journal_seq: Gauge,
    hsm_test_mode: Gauge,
    holds: Gauge,
    holds_expired: Counter,
    notices: Counter,
}

/// The dialects, for labels, in the order of their type.
const DIALECTS: [&str; 3] = ["pos", "epos", "atm"];

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// A recorder of one switch's own, so that several in one process do not mix, and its page.
///
/// # Errors
/// The bounds above are refused, which would be a fault of this file.
pub fn recorder() -> Result<(Metrics, PrometheusHandle), metrics_exporter_prometheus::BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".into()), &RECORDS)?
        .build_recorder();
    Ok((Metrics::new(&recorder), recorder.handle()))
}

impl Metrics {
    fn new(recorder: &PrometheusRecorder) -> Self {
        with_local_recorder(recorder, || {
            let dropped = |why: &'static str| counter!("cardswitch_frames_dropped_total", "why" => why);
            let refused = |why: &'static str| counter!("cardswitch_connections_refused_total", "why" => why);
            Self {
                requests: each(
                    &Kind::ALL,
                    |dialect, kind| counter!("cardswitch_requests_total", "dialect" => dialect, "kind" => kind.name()),
                ),
                answers: each(
                    &Reason::ALL,
                    |dialect, reason| counter!("cardswitch_answers_total", "dialect" => dialect, "reason" => reason.name()),
                ),
                dropped: [dropped("too_short"), dropped("answer_received"), dropped("undecodable")],
                repeats: counter!("cardswitch_repeats_total"),
                remembered: gauge!("cardswitch_duplicates_remembered"),
                evicted: counter!("cardswitch_duplicates_evicted_total"),
                turned_away: counter!("cardswitch_turned_away_total"),
                verified_again: counter!("cardswitch_verified_again_total"),
                unsealed: counter!("cardswitch_answers_unsealed_total"),
                unwritten: counter!("cardswitch_answers_unwritten_total"),
                answer_seconds: histogram!("cardswitch_answer_seconds"),
                connections: gauge!("cardswitch_connections"),
                connections_total: counter!("cardswitch_connections_total"),
                refused: [refused("limit"), refused("accept_failed"), refused("dial_failed")],
                disconnects: Disconnect::ALL
                    .map(|why| counter!("cardswitch_disconnects_total", "why" => why.name())),
                socket_reads: counter!("cardswitch_socket_reads_total"),
                socket_writes: counter!("cardswitch_socket_writes_total"),
                permits_in_use: gauge!("cardswitch_permits_in_use"),
                commits: counter!("cardswitch_commits_total"),
                commit_records: histogram!("cardswitch_commit_records"),
                commit_seconds: histogram!("cardswitch_commit_seconds"),
                sync_seconds: histogram!("cardswitch_sync_seconds"),
                journal_seq: gauge!("cardswitch_journal_seq"),
                hsm_test_mode: gauge!("cardswitch_hsm_test_mode"),
                holds: gauge!("cardswitch_holds"),
                holds_expired: counter!("cardswitch_holds_expired_total"),
                notices: counter!("cardswitch_notices_total"),
            }
        })
    }

    /// A request was understood.
    pub fn request(&self, dialect: TerminalDialect, kind: Kind) {
        self.requests[dialect as usize * Kind::ALL.len() + kind as usize].increment(1);
    }

    /// A request was answered.
    pub fn answered(&self, dialect: TerminalDialect, reason: Reason) {
        self.answers[dialect as usize * Reason::ALL.len() + reason as usize].increment(1);
    }

    /// A frame got no answer.
    pub fn dropped(&self, why: Dropped) {
        self.dropped[why as usize].increment(1);
    }

    /// A repeat got the first one's answer.
    pub fn repeat(&self) {
        self.repeats.increment(1);
    }

    /// Requests remembered now, and how many were forgotten before their time since the journal began.
    pub fn duplicates(&self, remembered: usize, evicted: u64) {
        self.remembered.set(remembered as f64);
        self.evicted.absolute(evicted);
    }

    /// Holds that are live, and notices written since the journal began.
    pub fn books(&self, holds: usize, notices: u64) {
        self.holds.set(holds as f64);
        self.notices.absolute(notices);
    }

    /// A hold's time was over.
    pub fn hold_expired(&self) {
        self.holds_expired.increment(1);
    }

    /// A request found no permit.
    pub fn turned_away(&self) {
        self.turned_away.increment(1);
    }

    /// Facts had to be found a second time.
    pub fn verified_again(&self) {
        self.verified_again.increment(1);
    }

    /// An answer's MAC could not be made.
    pub fn unsealed(&self) {
        self.unsealed.increment(1);
    }

    /// An answer could not be written, which is a fault of the switch.
    pub fn unwritten(&self) {
        self.unwritten.increment(1);
    }

    /// From a request's last byte to its answer's release.
    pub fn answer_took(&self, took: Duration) {
        self.answer_seconds.record(took.as_secs_f64());
    }

    /// A peer connected.
    pub fn connected(&self) {
        self.connections.increment(1.0);
        self.connections_total.increment(1);
    }

    /// A peer is gone.
    pub fn disconnected(&self, why: Disconnect) {
        self.connections.decrement(1.0);
        self.disconnects[why as usize].increment(1);
    }

    /// A peer could not be let in.
    pub fn refused(&self, why: Refused) {
        self.refused[why as usize].increment(1);
    }

    /// A read from a socket that brought bytes.
    pub fn socket_read(&self) {
        self.socket_reads.increment(1);
    }

    /// A write to a socket that took bytes.
    pub fn socket_write(&self) {
        self.socket_writes.increment(1);
    }

    /// Permits in use now.
    pub fn permits(&self, in_use: usize) {
        self.permits_in_use.set(in_use as f64);
    }

    /// A commit is durable.
    pub fn committed(&self, records: usize, seq: u64, took: Duration, timings: &CommitTimings) {
        self.commits.increment(1);
        self.commit_records.record(records as f64);
        self.commit_seconds.record(took.as_secs_f64());
        self.sync_seconds.record(Duration::from_nanos(timings.sync_ns).as_secs_f64());
        self.journal_seq.set(seq as f64);
    }

    /// Whether the HSM works under the published test LMK: 1 or 0.
    pub fn hsm_test_mode(&self, is_test: bool) {
        self.hsm_test_mode.set(f64::from(u8::from(is_test)));
    }
}

/// A counter for each dialect and each of `all`, in that order.
fn each<T: Copy>(all: &[T], make: impl Fn(&'static str, T) -> Counter) -> Vec<Counter> {
    DIALECTS
        .iter()
        .flat_map(|dialect| all.iter().map(|one| make(dialect, *one)).collect::<Vec<_>>())
        .collect()
}
