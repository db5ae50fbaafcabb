//! Every metric's name, unit and labels, and the handles to them.
//!
//! Handles are made once at start, because looking a name up costs ten times what counting costs. Label values
//! come from enums, so no peer can make up a time series; there is never a STAN, card number or RRN in one.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::{Counter, Gauge, counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::{
    cost::Stage,
    histogram::{Histogram, Unit},
    page::Page,
};
use crate::{
    books::{
        alerts::{AlertCounts, Disposition},
        event::TerminalDialect,
        reason::Reason,
        request::Kind,
    },
    channel::{Disconnect, Refused},
    config::Config,
    console::door::Closed,
    dialect::Dropped,
    journal::{CommitTimings, Trimmed},
    keys::CheckValue,
    notices::Way,
};

/// What only the moment of asking can tell, which the page finds out by itself.
pub(super) const START_TIME: &str = "cardswitch_start_time_seconds";
pub(super) const PROCESS_CPU: &str = "cardswitch_process_cpu_nanoseconds_total";
pub(super) const RESIDENT: &str = "cardswitch_resident_bytes";

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

/// Bounds of the latency histograms, nanoseconds. From 50 µs to 100 ms each is a quarter to two thirds above the one
/// before, outside further; a quantile read from them may be wrong by as much.
const LATENCIES: [u64; 30] = [
    25 * US,
    50 * US,
    75 * US,
    100 * US,
    150 * US,
    200 * US,
    300 * US,
    400 * US,
    500 * US,
    750 * US,
    MS,
    1_500 * US,
    2 * MS,
    3 * MS,
    4 * MS,
    5 * MS,
    7_500 * US,
    10 * MS,
    15 * MS,
    20 * MS,
    30 * MS,
    50 * MS,
    75 * MS,
    100 * MS,
    200 * MS,
    500 * MS,
    1_000 * MS,
    2_000 * MS,
    5_000 * MS,
    10_000 * MS,
];

/// Bounds of the histograms of sizes: frames in a batch, records in a commit.
const SIZES: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16_384];

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
    batch_frames: Histogram,
    stage_cpu: [Counter; Stage::ALL.len()],
    stage_frames: Counter,
    limit_permits: Gauge,
    limit_connections: [Gauge; DIALECTS.len()],
    connections: [Gauge; DIALECTS.len()],
    connections_total: Counter,
    refused: [Counter; Refused::ALL.len()],
    disconnects: [Counter; Disconnect::ALL.len()],
    admin_closed: [Counter; Closed::ALL.len()],
    socket_reads: Counter,
    socket_writes: Counter,
    permits_in_use: Gauge,
    commits: Counter,
    commit_records: Histogram,
    commit_seconds: Histogram,
    sync_seconds: Histogram,
    journal_seq: Gauge,
    hsm_test_mode: Gauge,
    hsm_lmk: Gauge,
    holds: Gauge,
    holds_expired: Counter,
    notices: Counter,
    notices_sent: [Counter; Way::ALL.len()],
    notices_retried: [Counter; Way::ALL.len()],
    notices_parked: [Counter; Way::ALL.len()],
    notices_unaddressed: [Counter; Way::ALL.len()],
    notices_lost: [Counter; Way::ALL.len()],
    notices_waiting: [Gauge; Way::ALL.len()],
    notices_behind: [Gauge; Way::ALL.len()],
    checkpoints: Counter,
    checkpoints_failed: Counter,
    checkpoint_seq: Gauge,
    head_copies_failed: Counter,
    mirror_seq: Gauge,
    mirror_in_step: Gauge,
    mirror_failed: Counter,
    epoch: Gauge,
    checkpoint_seconds: Gauge,
    journal_base: Gauge,
    archived: Counter,
    archive_failed: Counter,
    archive_deleted: Counter,
    rule_set: Gauge,
    alerts_open: Gauge,
    alerts: Counter,
    alerts_lapsed: Counter,
    alerts_disposed: [Counter; 3],
    rules: Arc<Mutex<RuleCounts>>,
    lists: Arc<Mutex<ListSizes>>,
    recorder: Arc<PrometheusRecorder>,
}

/// Counters of the rules in force. They are made when a set is published, and counted up by what the books counted.
#[derive(Default)]
struct RuleCounts {
    set: u32,
    /// One for each rule, with what it was counted up to.
    counters: Vec<(Counter, u64)>,
    /// Ids and states that have a series.
    series: HashSet<(String, &'static str)>,
}

/// Gauges of the lists by name. They are set when a list was changed.
#[derive(Default)]
struct ListSizes {
    changes: u64,
    /// Entries and version of each list, by its place.
    gauges: Vec<(Gauge, Gauge)>,
}

/// Most series of rules while the process lives; rules beyond count together as `other`.
const RULE_SERIES_MAX: usize = 1024;

/// The dialects, for labels, in the order of their type.
const DIALECTS: [&str; 3] = ["pos", "epos", "atm"];

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Metrics of one switch's own, so that several in one process do not mix, and their page.
#[must_use]
pub fn recorder() -> (Metrics, Page) {
    let recorder = Arc::new(PrometheusBuilder::new().build_recorder());
    let metrics = Metrics::new(&recorder);
    let histograms = [
        &metrics.answer_seconds,
        &metrics.batch_frames,
        &metrics.commit_records,
        &metrics.commit_seconds,
        &metrics.sync_seconds,
    ];
    let page = Page::new(recorder.handle(), histograms.map(Histogram::clone).to_vec());
    (metrics, page)
}

impl Metrics {
    fn new(recorder: &Arc<PrometheusRecorder>) -> Self {
        with_local_recorder(&**recorder, || {
            let dropped = |why: &'static str| counter!("cardswitch_frames_dropped_total", "why" => why);
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
                answer_seconds: Histogram::new("cardswitch_answer_seconds", Unit::Nanoseconds, &LATENCIES),
                batch_frames: Histogram::new("cardswitch_batch_frames", Unit::Count, &SIZES),
                stage_cpu: Stage::ALL
                    .map(|stage| counter!("cardswitch_stage_cpu_nanoseconds_total", "stage" => stage.name())),
                stage_frames: counter!("cardswitch_stage_frames_total"),
                limit_permits: gauge!("cardswitch_limit_permits"),
                limit_connections: DIALECTS
                    .map(|dialect| gauge!("cardswitch_limit_connections", "dialect" => dialect)),
                connections: DIALECTS.map(|dialect| gauge!("cardswitch_connections", "dialect" => dialect)),
                connections_total: counter!("cardswitch_connections_total"),
                refused: Refused::ALL
                    .map(|why| counter!("cardswitch_connections_refused_total", "why" => why.name())),
                disconnects: Disconnect::ALL
                    .map(|why| counter!("cardswitch_disconnects_total", "why" => why.name())),
                admin_closed: Closed::ALL
                    .map(|why| counter!("cardswitch_admin_connections_closed_total", "why" => why.name())),
                socket_reads: counter!("cardswitch_socket_reads_total"),
                socket_writes: counter!("cardswitch_socket_writes_total"),
                permits_in_use: gauge!("cardswitch_permits_in_use"),
                commits: counter!("cardswitch_commits_total"),
                commit_records: Histogram::new("cardswitch_commit_records", Unit::Count, &SIZES),
                commit_seconds: Histogram::new("cardswitch_commit_seconds", Unit::Nanoseconds, &LATENCIES),
                sync_seconds: Histogram::new("cardswitch_sync_seconds", Unit::Nanoseconds, &LATENCIES),
                journal_seq: gauge!("cardswitch_journal_seq"),
                hsm_test_mode: gauge!("cardswitch_hsm_test_mode"),
                hsm_lmk: gauge!("cardswitch_hsm_lmk_check_value"),
                holds: gauge!("cardswitch_holds"),
                holds_expired: counter!("cardswitch_holds_expired_total"),
                notices: counter!("cardswitch_notices_total"),
                notices_sent: Way::ALL
                    .map(|way| counter!("cardswitch_notices_sent_total", "sender" => way.name())),
                notices_retried: Way::ALL
                    .map(|way| counter!("cardswitch_notices_retried_total", "sender" => way.name())),
                notices_parked: Way::ALL
                    .map(|way| counter!("cardswitch_notices_parked_total", "sender" => way.name())),
                notices_unaddressed: Way::ALL
                    .map(|way| counter!("cardswitch_notices_unaddressed_total", "sender" => way.name())),
                notices_lost: Way::ALL
                    .map(|way| counter!("cardswitch_notices_lost_total", "sender" => way.name())),
                notices_waiting: Way::ALL
                    .map(|way| gauge!("cardswitch_notices_waiting", "sender" => way.name())),
                notices_behind: Way::ALL
                    .map(|way| gauge!("cardswitch_notices_behind_seconds", "sender" => way.name())),
                checkpoints: counter!("cardswitch_checkpoints_total"),
                checkpoints_failed: counter!("cardswitch_checkpoints_failed_total"),
                checkpoint_seq: gauge!("cardswitch_checkpoint_seq"),
                head_copies_failed: counter!("cardswitch_head_copies_failed_total"),
                mirror_seq: gauge!("cardswitch_mirror_seq"),
                mirror_in_step: gauge!("cardswitch_mirror_in_step"),
                mirror_failed: counter!("cardswitch_mirror_failed_total"),
                epoch: gauge!("cardswitch_epoch"),
                checkpoint_seconds: gauge!("cardswitch_checkpoint_seconds"),
                journal_base: gauge!("cardswitch_journal_base_seq"),
                archived: counter!("cardswitch_archived_records_total"),
                archive_failed: counter!("cardswitch_archive_failed_total"),
                archive_deleted: counter!("cardswitch_archive_segments_deleted_total"),
                rule_set: gauge!("cardswitch_rule_set_number"),
                alerts_open: gauge!("cardswitch_alerts_open"),
                alerts: counter!("cardswitch_alerts_total"),
                alerts_lapsed: counter!("cardswitch_alerts_lapsed_total"),
                alerts_disposed: Disposition::ALL
                    .map(|what| counter!("cardswitch_alerts_disposed_total", "disposition" => what.name())),
                rules: Arc::default(),
                lists: Arc::default(),
                recorder: Arc::clone(recorder),
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

    /// Whoever receives has these notices.
    pub fn notices_sent(&self, way: Way, count: u64) {
        self.notices_sent[way as usize].increment(count);
    }

    /// A sender failed and will try again.
    pub fn notices_retried(&self, way: Way) {
        self.notices_retried[way as usize].increment(1);
    }

    /// A notice was refused again and again and is put aside.
    pub fn notice_parked(&self, way: Way) {
        self.notices_parked[way as usize].increment(1);
    }

    /// Nobody knows where these cardholders can be reached.
    pub fn notices_unaddressed(&self, way: Way, count: u64) {
        self.notices_unaddressed[way as usize].increment(count);
    }

    /// Notices left the outbox unsent, and their records are deleted.
    pub fn notices_lost(&self, way: Way, count: u64) {
        self.notices_lost[way as usize].increment(count);
    }

    /// How many notices a sender has in front of it, and how old the first is.
    pub fn notices_waiting(&self, way: Way, count: u64, age_s: i64) {
        self.notices_waiting[way as usize].set(count as f64);
        self.notices_behind[way as usize].set(age_s as f64);
    }

    /// Alerts since the journal began: open ones, all, those that left unseen, and what people said that they were.
    pub fn alerts(&self, counts: &AlertCounts) {
        self.alerts_open.set(counts.open as f64);
        self.alerts.absolute(counts.raised);
        self.alerts_lapsed.absolute(counts.lapsed);
        self.alerts_disposed.iter().zip(counts.disposed).for_each(|(counter, count)| counter.absolute(count));
    }

    /// What the published rules in force have come to: the set's number, and of each rule id, state, and how often it fired
    /// since it was published. Allocates only when the number is another than before.
    pub fn rules<'r>(&self, set: u32, rules: impl Iterator<Item = (&'r str, &'static str, u64)> + Clone) {
        let mut counts = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.set != set {
            self.rule_set.set(f64::from(set));
            self.name_rules(&mut counts, rules.clone());
            counts.set = set;
        }
        for ((counter, last), (.., fired)) in counts.counters.iter_mut().zip(rules) {
            if fired > *last {
                counter.increment(fired - *last);
                *last = fired;
            }
        }
    }

    fn name_rules<'r>(
        &self,
        counts: &mut RuleCounts,
        rules: impl Iterator<Item = (&'r str, &'static str, u64)>,
    ) {
        let RuleCounts { series, counters, .. } = counts;
        let made = rules.map(|(id, state, _)| {
            let known = series.contains(&(id.to_owned(), state)) || series.len() < RULE_SERIES_MAX;
            let id = if known { id.to_owned() } else { "other".to_owned() };
            series.insert((id.clone(), state));
            let counter = || counter!("cardswitch_rule_hits_total", "rule" => id.clone(), "state" => state);
            (with_local_recorder(&*self.recorder, counter), 0)
        });
        *counters = made.collect();
    }

    /// What the lists by name have come to: how many changes there were, and of each list name, entries and version, the oldest
    /// first. Names come from officers, and there are few lists. Allocates only when there was another change.
    pub fn lists<'l>(&self, changes: u64, lists: impl Iterator<Item = (&'l str, usize, u32)>) {
        let mut known = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if known.changes == changes {
            return;
        }
        known.changes = changes;
        for (at, (name, entries, version)) in lists.enumerate() {
            if at == known.gauges.len() {
                let made = with_local_recorder(&*self.recorder, || {
                    let entries = gauge!("cardswitch_list_entries", "list" => name.to_owned());
                    (entries, gauge!("cardswitch_list_version", "list" => name.to_owned()))
                });
                known.gauges.push(made);
            }
            known.gauges[at].0.set(entries as f64);
            known.gauges[at].1.set(f64::from(version));
        }
    }

    /// A hold's time was over.
    pub fn hold_expired(&self) {
        self.holds_expired.increment(1);
    }

    /// Requests found no permit.
    pub fn turned_away(&self, count: u64) {
        self.turned_away.increment(count);
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
        self.answer_seconds.record(nanoseconds(took));
    }

    /// Processor time went into a stage, nanoseconds.
    pub fn stage(&self, stage: Stage, cpu_ns: u64) {
        self.stage_cpu[stage as usize].increment(cpu_ns);
    }

    /// A batch went through the stages.
    pub fn batch(&self, frames: usize) {
        self.batch_frames.record(frames as u64);
        self.stage_frames.increment(frames as u64);
    }

    /// The limits in force, so that whoever watches knows how near they are.
    pub fn limits(&self, config: &Config) {
        self.limit_permits.set(config.limits.permits as f64);
        let connections = [config.pos.connections, config.epos.connections, config.atm.connections];
        for (gauge, connections) in self.limit_connections.iter().zip(connections) {
            gauge.set(connections as f64);
        }
    }

    /// A peer connected.
    pub fn connected(&self, dialect: TerminalDialect) {
        self.connections[dialect as usize].increment(1.0);
        self.connections_total.increment(1);
    }

    /// A peer is gone.
    pub fn disconnected(&self, dialect: TerminalDialect, why: Disconnect) {
        self.connections[dialect as usize].decrement(1.0);
        self.disconnects[why as usize].increment(1);
    }

    /// A peer could not be let in.
    pub fn refused(&self, why: Refused) {
        self.refused[why as usize].increment(1);
    }

    /// A connection to the admin port was closed for want of room.
    pub fn admin_closed(&self, why: Closed) {
        self.admin_closed[why as usize].increment(1);
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
        self.commit_records.record(records as u64);
        self.commit_seconds.record(nanoseconds(took));
        self.sync_seconds.record(timings.sync_ns);
        self.journal_seq.set(seq as f64);
    }

    /// A checkpoint was saved while traffic flowed.
    pub fn checkpoint_saved(&self, seq: u64, took: Duration) {
        self.checkpoints.increment(1);
        self.checkpoint_seconds.set(took.as_secs_f64());
        self.checkpoint_at(seq);
    }

    /// Where the newest checkpoint stands.
    pub fn checkpoint_at(&self, seq: u64) {
        self.checkpoint_seq.set(seq as f64);
    }

    /// A checkpoint could not be saved.
    pub fn checkpoint_failed(&self) {
        self.checkpoints_failed.increment(1);
    }

    /// The journal's head could not be told outside the data folder.
    pub fn head_copy_failed(&self) {
        self.head_copies_failed.increment(1);
    }

    /// The mirror has this record durably.
    pub fn mirrored(&self, seq: u64) {
        self.mirror_seq.set(seq as f64);
    }

    /// Whether answers wait for the mirror.
    pub fn mirror_in_step(&self, in_step: bool) {
        self.mirror_in_step.set(f64::from(u8::from(in_step)));
    }

    /// The mirror could not be written.
    pub fn mirror_failed(&self) {
        self.mirror_failed.increment(1);
    }

    /// The epoch that is served.
    pub fn epoch(&self, epoch: u32) {
        self.epoch.set(f64::from(epoch));
    }

    /// The journal was trimmed; it begins behind record `base` now.
    pub fn trimmed(&self, trimmed: &Trimmed) {
        self.archived.increment(trimmed.records);
        self.archive_deleted.increment(trimmed.deleted);
        self.journal_base.set(trimmed.base as f64);
    }

    /// Records could not be archived.
    pub fn archive_failed(&self) {
        self.archive_failed.increment(1);
    }

    /// Whether the HSM works under the published test LMK, 1 or 0, and its LMK's check value as a number.
    pub fn hsm(&self, is_test: bool, lmk: CheckValue) {
        self.hsm_test_mode.set(f64::from(u8::from(is_test)));
        let [a, b, c] = lmk.0;
        self.hsm_lmk.set(f64::from(u32::from_be_bytes([0, a, b, c])));
    }
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// A counter for each dialect and each of `all`, in that order.
fn each<T: Copy>(all: &[T], make: impl Fn(&'static str, T) -> Counter) -> Vec<Counter> {
    DIALECTS
        .iter()
        .flat_map(|dialect| all.iter().map(|one| make(dialect, *one)).collect::<Vec<_>>())
        .collect()
}
