//! Two samples of a switch's page make the figures of the interval between them.
//!
//! Counters become rates, histograms become quantiles of what was observed in the interval alone, gauges stay what
//! they were last. A series that the switch does not have gives `None`, never a zero. A counter that fell means that
//! the switch began anew: then everything is counted from zero, so that a rate is a little low and never absurd.
//!
//! Names stand here without the program's prefix, as `page` keeps them. Start at [`Figures::between`].

#![expect(
    clippy::float_arithmetic,
    reason = "rates and quantiles for people to look at; no money comes here"
)]

use std::{collections::BTreeMap, time::Instant};

use super::page::Page;

/// A page and when it came.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// For the length of the interval.
    pub(super) at: Instant,
    /// For the switch's age, milliseconds since 1970 UTC.
    pub(super) unix_ms: i64,
    /// What it said.
    pub(super) page: Page,
}

/// What happened in an interval, and how things stand at its end.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// Its length.
    pub(super) seconds: f64,
    /// The switch began anew in it.
    pub(super) restarted: bool,
    /// Seconds since the switch began.
    pub(super) up_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    /// The last durable record; nothing until the first commit behind a start.
    pub(super) journal_seq: Option<f64>,
    pub(super) hsm_test_mode: Option<bool>,
    /// By dialect; one without a name if the switch does not tell them apart.
    pub(super) connections: Vec<(String, Level)>,
    pub(super) permits: Level,
    /// Processor time of the whole process; 1 is one core all the time.
    pub(super) cores: Option<f64>,
    pub(super) opened: Option<Count>,
    pub(super) refused: Vec<Part>,
    /// Why connections ended.
    pub(super) ended: Vec<Part>,
    /// By dialect.
    pub(super) requests: Vec<Part>,
    /// By reason, largest rate first.
    pub(super) answers: Vec<Part>,
    pub(super) dropped: Vec<Part>,
    pub(super) answer: Spread,
    pub(super) commit: Spread,
    pub(super) sync: Spread,
    pub(super) frames_a_batch: Option<f64>,
    pub(super) records_a_commit: Option<f64>,
    pub(super) stages: Vec<Stage>,
    pub(super) holds: Option<f64>,
    pub(super) remembered: Option<f64>,
    pub(super) holds_expired: Option<Count>,
    pub(super) turned_away: Option<Count>,
    pub(super) repeats: Option<Count>,
    pub(super) verified_again: Option<Count>,
    pub(super) evicted: Option<Count>,
    pub(super) unsealed: Option<Count>,
    pub(super) unwritten: Option<Count>,
    pub(super) notices: Option<Count>,
}

/// A counter's interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub(super) increase: f64,
    pub(super) per_second: f64,
    pub(super) total: f64,
}

/// One label's part of a counter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) count: Count,
}

/// How much of something is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) now: Option<f64>,
    pub(super) limit: Option<f64>,
}

/// The processor's time in one stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stage {
    pub(super) name: String,
    /// Nothing if no frame went through.
    pub(super) nanoseconds_a_frame: Option<f64>,
    /// 1 is one core all the time.
    pub(super) cores: f64,
}

/// What a histogram saw in the interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spread {
    count: f64,
    sum: f64,
    /// Upper bound, and how many were at most that; bounds rise, the last is infinite.
    buckets: Vec<(f64, f64)>,
}

/// A quantile, as well as buckets can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantile {
    /// Interpolated between the bounds of its bucket, as if what is in it were spread evenly.
    Near(f64),
    /// Above the last bound.
    Above(f64),
}

/// The stages in the order of a frame's way; others come behind.
const STAGES: [&str; 8] = ["channel", "parse", "verify", "decide", "encode", "seal", "commit", "sync"];

impl Figures {
    /// The figures of the time between two samples, the second of which came later.
    pub(super) fn between(before: &Sample, after: &Sample) -> Option<Self> {
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let restarted = restarted(&before.page, &after.page);
        let nothing = Page::default();
        let interval = Interval {
            begun: &before.page,
            before: if restarted { &nothing } else { &before.page },
            after: &after.page,
            seconds,
        };
        Some(interval.figures(restarted, after.unix_ms))
    }

    /// Answers of all kinds a second.
    pub(super) fn answers_per_second(&self) -> f64 {
        all_per_second(&self.answers)
    }

    /// Processor time of all stages together; nothing if the switch does not tell.
    pub(super) fn all_stages(&self) -> Option<Stage> {
        let add = |sum: Stage, stage: Stage| Stage {
            nanoseconds_a_frame: sum.nanoseconds_a_frame.zip(stage.nanoseconds_a_frame).map(|(a, b)| a + b),
            cores: sum.cores + stage.cores,
            ..sum
        };
        self.stages.iter().cloned().reduce(add)
    }

    /// Requests of all dialects a second.
    pub(super) fn requests_per_second(&self) -> f64 {
        all_per_second(&self.requests)
    }
}

/// Whether the switch of the second page is another process than that of the first.
pub(super) fn restarted(before: &Page, after: &Page) -> bool {
    let began = |page: &Page| page.value("start_time_seconds");
    let another = began(before).zip(began(after)).is_some_and(|(before, after)| after > before);
    another || after.fell_behind(before)
}

/// Two pages, and the time between them.
struct Interval<'a> {
    /// The first page as it was, also if the switch began anew since.
    begun: &'a Page,
    /// What to count from: the first page, or nothing.
    before: &'a Page,
    after: &'a Page,
    seconds: f64,
}

impl Interval<'_> {
    fn figures(&self, restarted: bool, unix_ms: i64) -> Figures {
        let gauge = |name| self.after.value(name);
        Figures {
            seconds: self.seconds,
            restarted,
            up_seconds: gauge("start_time_seconds").map(|began| (whole(unix_ms) / 1000.0 - began).max(0.0)),
            resident_bytes: gauge("resident_bytes"),
            journal_seq: gauge("journal_seq").filter(|seq| *seq > 0.0),
            hsm_test_mode: gauge("hsm_test_mode").map(|mode| mode > 0.0),
            connections: self.connections(),
            permits: Level { now: gauge("permits_in_use"), limit: gauge("limit_permits") },
            cores: self.count("process_cpu_nanoseconds_total").map(|count| count.per_second / 1e9),
            opened: self.count("connections_total"),
            refused: self.parts("connections_refused_total", "why"),
            ended: self.parts("disconnects_total", "why"),
            requests: self.parts("requests_total", "dialect"),
            answers: largest_first(self.parts("answers_total", "reason")),
            dropped: self.parts("frames_dropped_total", "why"),
            answer: self.spread("answer_seconds"),
            commit: self.spread("commit_seconds"),
            sync: self.spread("sync_seconds"),
            frames_a_batch: self.spread("batch_frames").mean(),
            records_a_commit: self.spread("commit_records").mean(),
            stages: self.stages(),
            holds: gauge("holds"),
            remembered: gauge("duplicates_remembered"),
            holds_expired: self.count("holds_expired_total"),
            turned_away: self.count("turned_away_total"),
            repeats: self.count("repeats_total"),
            verified_again: self.count("verified_again_total"),
            evicted: self.lasting("duplicates_evicted_total"),
            unsealed: self.count("answers_unsealed_total"),
            unwritten: self.count("answers_unwritten_total"),
            notices: self.lasting("notices_total"),
        }
    }

    fn count(&self, name: &str) -> Option<Count> {
        let total = self.after.value(name)?;
        Some(self.since(self.before.value(name), total))
    }

    /// A counter that goes on over restarts, because it counts from the journal's beginning. A switch that has just
    /// started says 0 until its first request: what then appears did not happen in this interval.
    fn lasting(&self, name: &str) -> Option<Count> {
        let total = self.after.value(name)?;
        let before = self.begun.value(name).filter(|before| *before > 0.0).unwrap_or(total);
        Some(self.since(Some(before), total))
    }

    fn since(&self, before: Option<f64>, total: f64) -> Count {
        let increase = (total - before.unwrap_or(0.0)).max(0.0);
        Count { increase, per_second: increase / self.seconds, total }
    }

    fn parts(&self, name: &str, label: &str) -> Vec<Part> {
        let before = self.before.by_label(name, label);
        let after = self.after.by_label(name, label);
        let part = |(name, total): (&str, f64)| Part {
            name: name.to_owned(),
            count: self.since(before.get(name).copied(), total),
        };
        after.into_iter().map(part).collect()
    }

    fn connections(&self) -> Vec<(String, Level)> {
        const OPEN: &str = "connections";
        const LIMIT: &str = "limit_connections";
        let open = self.after.by_label(OPEN, "dialect");
        if open.is_empty() {
            let all = Level { now: self.after.value(OPEN), limit: self.after.value(LIMIT) };
            return vec![(String::new(), all)];
        }
        let limits = self.after.by_label(LIMIT, "dialect");
        let level = |(dialect, now): (&str, f64)| {
            (dialect.to_owned(), Level { now: Some(now), limit: limits.get(dialect).copied() })
        };
        open.into_iter().map(level).collect()
    }

    fn spread(&self, name: &str) -> Spread {
        let grown = |end: &str| self.count(&format!("{name}_{end}")).map_or(0.0, |count| count.increase);
        let bucket = format!("{name}_bucket");
        let before = bounds(&self.before.by_label(&bucket, "le"));
        let mut buckets = bounds(&self.after.by_label(&bucket, "le"));
        for (bound, count) in &mut buckets {
            let was = before.iter().find(|(other, _)| other == bound).map_or(0.0, |(_, count)| *count);
            *count = (*count - was).max(0.0);
        }
        Spread { count: grown("count"), sum: grown("sum"), buckets }
    }

    fn stages(&self) -> Vec<Stage> {
        let frames = self.count("stage_frames_total").map_or(0.0, |count| count.increase);
        let mut stages: Vec<Stage> = self
            .parts("stage_cpu_nanoseconds_total", "stage")
            .into_iter()
            .map(|part| Stage {
                nanoseconds_a_frame: (frames > 0.0).then(|| part.count.increase / frames),
                cores: part.count.per_second / 1e9,
                name: part.name,
            })
            .collect();
        stages
            .sort_by_key(|stage| STAGES.iter().position(|name| *name == stage.name).unwrap_or(STAGES.len()));
        stages
    }
}

impl Spread {
    /// The mean of what was observed, exact; nothing if nothing was.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }

    /// The value that this part of all (0.99 for p99) does not exceed; nothing if nothing was observed.
    pub(super) fn quantile(&self, part: f64) -> Option<Quantile> {
        let (_, all) = *self.buckets.last().filter(|(_, all)| *all > 0.0)?;
        let rank = part * all;
        let (mut lower, mut below) = (0.0, 0.0);
        for (upper, count) in &self.buckets {
            if *count >= rank && *count > below {
                return Some(if upper.is_finite() {
                    Quantile::Near(lower + (upper - lower) * (rank - below) / (count - below))
                } else {
                    Quantile::Above(lower)
                });
            }
            (lower, below) = (*upper, *count);
        }
        None
    }
}

/// Buckets by their bound, rising. A bound that is no number is none.
fn bounds(by_bound: &BTreeMap<&str, f64>) -> Vec<(f64, f64)> {
    let bound = |(bound, count): (&&str, &f64)| Some((bound.parse::<f64>().ok()?, *count));
    let mut buckets: Vec<(f64, f64)> = by_bound.iter().filter_map(bound).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets
}

/// The sum of the rates; zero of none, where a float's own sum is a negative zero.
fn all_per_second(parts: &[Part]) -> f64 {
    parts.iter().fold(0.0, |sum, part| sum + part.count.per_second)
}

fn largest_first(mut parts: Vec<Part>) -> Vec<Part> {
    let order = |a: &Count, b: &Count| b.increase.total_cmp(&a.increase).then(b.total.total_cmp(&a.total));
    parts.sort_by(|a, b| order(&a.count, &b.count));
    parts
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit in the 53 bits of a float")]
fn whole(unix_ms: i64) -> f64 {
    unix_ms as f64
}

#[cfg(test)]
mod tests;
