//! The figures as labelled words, each with how it should strike the reader; view and plain text print the same.

use super::{
    interval::{Count, Figures, Level, Part, Spread},
    units::{UNKNOWN, age, bytes, or_unknown, quantile, rate, seconds, share, whole},
};

/// A label and what it stands at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) label: String,
    pub(super) words: String,
    pub(super) tone: Tone,
}

/// How something should strike the reader.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Tone {
    /// As it should be, or nothing to judge.
    Calm,
    /// Worth knowing.
    Notice,
    /// Somebody may have to act.
    Alarm,
}

/// What is told of a test key.
pub(super) const TEST_MODE: &str = "HSM TEST MODE: the published key, never for production";

/// A limit of which more than this part is taken is an alarm.
const NEARLY_FULL: f64 = 0.8;

/// Columns of [`latency`] behind the name.
pub(super) const LATENCY_COLUMNS: [&str; 4] = ["p50", "p99", "p99.9", "mean"];

/// The process: age, memory, share of a core, last durable record.
pub(super) fn process(figures: &Figures) -> Vec<Item> {
    vec![
        calm("up", or_unknown(figures.up_seconds, age)),
        calm("memory", or_unknown(figures.resident_bytes, bytes)),
        calm("cpu", or_unknown(figures.cores, share)),
        calm("record", or_unknown(figures.journal_seq, whole)),
    ]
}

/// Connections: how many, and who could not get in.
pub(super) fn connections(figures: &Figures) -> Vec<Item> {
    let open = |(dialect, open): &(String, Level)| match dialect.as_str() {
        "" => level("open", open),
        dialect => level(&format!("open, {dialect}"), open),
    };
    let mut items: Vec<Item> = figures.connections.iter().map(open).collect();
    items.push(calm("opened", or_unknown(figures.opened.map(|count| count.per_second), per_second)));
    items.extend(by_cause("refused", &figures.refused));
    items
}

/// Why connections ended: those that happened, by what is recent.
pub(super) fn ended(figures: &Figures) -> Vec<Item> {
    // What a peer may do, or the switch was asked for.
    const NORMAL: [&str; 2] = ["peer", "stopping"];
    let mut parts: Vec<&Part> = figures.ended.iter().filter(|part| part.count.total > 0.0).collect();
    parts.sort_by(|a, b| b.count.increase.total_cmp(&a.count.increase));
    let item = |part: &Part| {
        if NORMAL.contains(&part.name.as_str()) {
            calm(&part.name, recent(&part.count))
        } else {
            Item { words: recent(&part.count), ..trouble(&part.name, Some(part.count)) }
        }
    };
    parts.into_iter().map(item).collect()
}

/// What is under way and remembered.
pub(super) fn load(figures: &Figures) -> Vec<Item> {
    vec![
        level("permits", &figures.permits),
        calm("frames a batch", or_unknown(figures.frames_a_batch, rate)),
        calm("records a commit", or_unknown(figures.records_a_commit, rate)),
        calm("holds", or_unknown(figures.holds, whole)),
        calm("remembered", or_unknown(figures.remembered, whole)),
        calm("notices", figures.notices.map_or_else(|| UNKNOWN.into(), |count| recent(&count))),
    ]
}

/// What should stay at zero, or nearly so.
pub(super) fn troubles(figures: &Figures) -> Vec<Item> {
    let mut items = vec![
        trouble("turned away", figures.turned_away),
        trouble("evicted", figures.evicted),
        trouble("unsealed", figures.unsealed),
        trouble("unwritten", figures.unwritten),
        worth_knowing("repeats", figures.repeats),
        worth_knowing("verified again", figures.verified_again),
        worth_knowing("holds expired", figures.holds_expired),
    ];
    items.splice(1..1, by_cause("dropped", &figures.dropped));
    items
}

/// Time to answer, to commit and to sync, in [`LATENCY_COLUMNS`].
pub(super) fn latency(figures: &Figures) -> [(&'static str, [String; 4]); 3] {
    let columns = |spread: &Spread| {
        let [middle, high, highest] = [0.5, 0.99, 0.999].map(|part| quantile(spread.quantile(part)));
        [middle, high, highest, or_unknown(spread.mean(), seconds)]
    };
    [
        ("answer", columns(&figures.answer)),
        ("commit", columns(&figures.commit)),
        ("sync", columns(&figures.sync)),
    ]
}

/// How an answer with this reason should strike the reader.
pub(super) fn tone_of_reason(reason: &str) -> Tone {
    match reason {
        "approved" => Tone::Calm,
        // Faults of the switch, or more than it can take.
        "system_error" | "overloaded" => Tone::Alarm,
        _ => Tone::Notice,
    }
}

fn calm(label: &str, words: String) -> Item {
    Item { label: label.to_owned(), words, tone: Tone::Calm }
}

/// Each cause that there ever was; a zero if there was none, a dash if none is counted.
fn by_cause(label: &str, parts: &[Part]) -> Vec<Item> {
    let seen = parts.iter().filter(|part| part.count.total > 0.0);
    let items: Vec<Item> =
        seen.map(|part| trouble(&format!("{label}, {}", part.name), Some(part.count))).collect();
    let none = || vec![trouble(label, parts.first().map(|part| part.count))];
    if items.is_empty() { none() } else { items }
}

/// An alarm while it grows, worth knowing ever after.
fn trouble(label: &str, count: Option<Count>) -> Item {
    let tone = match count {
        Some(count) if count.increase > 0.0 => Tone::Alarm,
        Some(count) if count.total > 0.0 => Tone::Notice,
        _ => Tone::Calm,
    };
    Item {
        label: label.to_owned(),
        words: count.map_or_else(|| UNKNOWN.into(), |count| recent(&count)),
        tone,
    }
}

/// Worth knowing while it grows.
fn worth_knowing(label: &str, count: Option<Count>) -> Item {
    let item = trouble(label, count);
    let tone = if item.tone == Tone::Alarm { Tone::Notice } else { Tone::Calm };
    Item { tone, ..item }
}

fn level(label: &str, level: &Level) -> Item {
    let now = or_unknown(level.now, whole);
    let words = level.limit.map_or_else(|| now.clone(), |limit| format!("{now} of {}", whole(limit)));
    let full = level.now.zip(level.limit).is_some_and(|(now, limit)| is_above(now, limit));
    Item { label: label.to_owned(), words, tone: if full { Tone::Alarm } else { Tone::Calm } }
}

#[expect(clippy::float_arithmetic, reason = "how full something is; no money comes here")]
fn is_above(now: f64, limit: f64) -> bool {
    now > limit * NEARLY_FULL
}

/// The total, and the rate while there is one: `132 (0.2/s)`.
fn recent(count: &Count) -> String {
    if count.increase > 0.0 {
        format!("{} ({})", whole(count.total), per_second(count.per_second))
    } else {
        whole(count.total)
    }
}

fn per_second(value: f64) -> String {
    format!("{}/s", rate(value))
}
