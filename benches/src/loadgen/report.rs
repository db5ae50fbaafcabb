//! What a run came to, for people and for machines. The keys of the JSON are an interface: docs/load.md lists them.
//!
//! Start at [`Report`].

#![expect(clippy::float_arithmetic, reason = "figures for people, not money")]

use std::{collections::BTreeMap, time::Duration};

use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    arguments::Arguments,
    check::Checked,
    echo::Echoed,
    idle::Held,
    run::Outcome,
    scrape::STAGES,
    slices::{Slice, Slices},
};

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked for.
    pub arguments: Arguments,
    /// Cards that paid.
    pub cards: usize,
    /// A synced write of 4 KiB in `--data`, if it could be measured.
    pub sync_us: Option<Latency>,
    /// The runs: one, or those of `--table`.
    pub runs: Vec<Run>,
    /// Runs of `--table` that were left out, and why.
    pub left_out: Vec<String>,
}

/// One timed part.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Connections that worked.
    pub connections: usize,
    /// Closed loop: requests under way on each.
    pub window: Option<usize>,
    /// Open loop: requests due a second.
    pub rate_asked: Option<u64>,
    /// How long it took.
    pub seconds: f64,
    /// Whether it ended early because a connection had no prepared message left.
    pub used_up: bool,
    /// Messages prepared, and how many a second.
    pub prepared: u64,
    /// Messages prepared a second.
    pub prepared_per_s: f64,
    /// Requests sent.
    pub sent: u64,
    /// Requests answered.
    pub answered: u64,
    /// Answers within the timed part, a second.
    pub rate_per_s: f64,
    /// Answers 00 of all, from 0 to 1.
    pub approved_part: f64,
    /// Requests that were not answered within two seconds after the timed part.
    pub unanswered: u64,
    /// Answers that nobody asked for, or that came twice.
    pub unexpected: u64,
    /// Connections that broke.
    pub lost_connections: usize,
    /// Answers by field 39.
    pub codes: BTreeMap<String, u64>,
    /// Latencies.
    pub latency_us: Latencies,
    /// MACs of answers.
    pub macs: Checked,
    /// Processor time of the load generator's own thread for a message, nanoseconds.
    pub own_cpu_ns: f64,
    /// The same frames without a switch.
    pub baseline: Option<Baseline>,
    /// What the switch's metrics say of the timed part.
    pub switch: Option<BTreeMap<String, f64>>,
    /// Connections that sent nothing.
    pub idle: Option<Held>,
    /// Latencies by when a request was sent, or due; empty unless asked for.
    pub slices: Vec<Slice>,
}

/// Latencies of one run, microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latencies {
    /// Of all answers.
    pub all: Option<Latency>,
    /// Of answers 00.
    pub approved: Option<Latency>,
    /// Of other answers.
    pub declined: Option<Latency>,
    /// Of requests that were turned away for want of room.
    pub turned_away: Option<Latency>,
    /// Open loop: by how much requests were sent late, which the latencies above contain.
    pub late: Option<Latency>,
}

/// A histogram's figures, microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Measurements.
    pub count: u64,
    /// Half of them are at most this.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// All.
    pub max: f64,
}

/// What a plain TCP echo makes of the same frames.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Baseline {
    /// Frames a second.
    pub rate_per_s: f64,
    /// Latencies, microseconds.
    pub latency_us: Option<Latency>,
    /// Processor time of the sending thread for a frame, nanoseconds.
    pub own_cpu_ns: f64,
    /// The switch's rate by the echo's.
    pub switch_by_echo: f64,
}

impl Latency {
    /// The figures of a histogram of nanoseconds; none of an empty one.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |part: f64| us(histogram.value_at_quantile(part));
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: us(histogram.max()),
        })
    }
}

/// Whole tenths of a microsecond.
fn us(ns: u64) -> f64 {
    (ns / 100) as f64 / 10.0
}

/// So many in that time, a second.
#[must_use]
pub fn rate(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { (count as f64 / seconds).round() } else { 0.0 }
}

/// Nanoseconds for each of so many.
fn each_ns(time: Duration, count: u64) -> f64 {
    if count > 0 { (time.as_nanos() as f64 / count as f64).round() } else { 0.0 }
}

impl Run {
    /// What a timed part came to; the caller adds what belongs to it from elsewhere.
    #[must_use]
    pub fn of(outcome: &Outcome, macs: Checked) -> Self {
        let tally = &outcome.tally;
        let approved = tally.approved.len() as f64;
        Self {
            connections: 0,
            window: None,
            rate_asked: None,
            seconds: (outcome.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            used_up: outcome.used_up,
            prepared: 0,
            prepared_per_s: 0.0,
            sent: outcome.sent,
            answered: tally.answers,
            rate_per_s: rate(outcome.in_time, outcome.elapsed),
            approved_part: if tally.answers > 0 { approved / tally.answers as f64 } else { 0.0 },
            unanswered: outcome.unanswered,
            unexpected: tally.unexpected,
            lost_connections: outcome.lost,
            codes: tally.codes(),
            latency_us: Latencies {
                all: Latency::of(&tally.all()),
                approved: Latency::of(&tally.approved),
                declined: Latency::of(&tally.declined),
                turned_away: Latency::of(&tally.turned_away),
                late: Latency::of(&tally.late),
            },
            macs,
            own_cpu_ns: each_ns(outcome.cpu, outcome.in_time),
            baseline: None,
            switch: None,
            idle: None,
            slices: tally.slices.as_ref().map(Slices::report).unwrap_or_default(),
        }
    }

    /// Sets the baseline beside it.
    pub fn compare(&mut self, echoed: &Echoed) {
        let echo = rate(echoed.frames, echoed.elapsed);
        self.baseline = Some(Baseline {
            rate_per_s: echo,
            latency_us: Latency::of(&echoed.latency),
            own_cpu_ns: each_ns(echoed.cpu, echoed.frames),
            switch_by_echo: if echo > 0.0 {
                (self.rate_per_s / echo * 10_000.0).round() / 10_000.0
            } else {
                0.0
            },
        });
    }

    /// Whether every answer was one that may be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.macs.wrong == 0 && self.unexpected == 0 && self.lost_connections == 0
    }

    fn title(&self) -> String {
        match (self.rate_asked, self.window) {
            (Some(rate), _) => format!("{} connections, {rate}/s due", self.connections),
            (None, window) => format!("{}×{}", self.connections, window.unwrap_or_default()),
        }
    }

    /// What a reader must know before the figures.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut remark = |applies: bool, text: String| {
            if applies {
                remarks.push(text);
            }
        };
        let title = self.title();
        remark(
            self.macs.wrong > 0,
            format!("WRONG: {title}: {} answers had a wrong MAC or none", self.macs.wrong),
        );
        remark(
            self.unexpected > 0,
            format!("WRONG: {title}: {} answers were not asked for", self.unexpected),
        );
        remark(
            self.lost_connections > 0,
            format!(
                "WRONG: {title}: {} connections broke; look at cardswitch_disconnects_total",
                self.lost_connections
            ),
        );
        remark(
            self.unanswered > 0,
            format!("{title}: {} requests stayed without an answer", self.unanswered),
        );
        remark(
            self.used_up,
            format!(
                "{title}: a connection's prepared messages were used up after {} s; the rate is that of this time",
                self.seconds
            ),
        );
        let declined = self.latency_us.declined.map_or(0, |latency| latency.count);
        remark(
            declined > 0,
            format!(
                "{title}: {declined} requests were declined; if they are 51, the cards are empty: start the switch on a new data folder"
            ),
        );
        remarks
    }
}

impl Report {
    /// Whether every answer of every run was one that may be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.runs.iter().all(Run::is_good)
    }

    /// Tables and remarks.
    #[must_use]
    pub fn text(&self) -> String {
        let tables = match self.runs.as_slice() {
            [only] if !self.arguments.table => single(only),
            runs => vec![side_by_side(runs)],
        };
        let sync = self.sync_us.map(|sync| {
            format!(
                "sync of 4 KiB on this disk: p50 {} µs, p99 {} µs",
                thousands(sync.p50),
                thousands(sync.p99)
            )
        });
        let remarks = self.runs.iter().flat_map(Run::remarks);
        let lines: Vec<String> =
            sync.into_iter().chain(remarks).chain(self.left_out.iter().cloned()).collect();
        // Tables apart, so that Markdown takes them for several.
        format!("{}\n\n{}\n", tables.join("\n\n"), lines.join("\n"))
    }
}

/// The tables of one run.
fn single(run: &Run) -> Vec<String> {
    let mut summary = table(&["", &run.title()]);
    let mut row = |name: &str, value: String| {
        summary.add_row([name.to_owned(), value]);
    };
    row("answers a second", thousands(run.rate_per_s));
    if let Some(baseline) = &run.baseline {
        row("plain echo, frames a second", thousands(baseline.rate_per_s));
        row("switch by echo", format!("{:.2} %", baseline.switch_by_echo * 100.0));
    }
    row("seconds", format!("{:.2}", run.seconds));
    row("sent, answered", format!("{}, {}", run.sent, run.answered));
    row("approved", format!("{:.2} %", run.approved_part * 100.0));
    let codes: Vec<String> = run.codes.iter().map(|(code, count)| format!("{code}: {count}")).collect();
    row("by response code", codes.join(", "));
    row("MACs verified, wrong", format!("{}, {}", run.macs.checked, run.macs.wrong));
    row("generator, CPU ns a message", thousands(run.own_cpu_ns));
    if let Some(idle) = &run.idle {
        row(
            "idle: asked, accepted, open at end",
            format!("{}, {}, {}", idle.asked, idle.accepted, idle.open_at_end),
        );
    }
    let mut latencies = table(&["latency, µs", "count", "p50", "p99", "p99.9", "max"]);
    let rows = [
        ("all", run.latency_us.all),
        ("approved", run.latency_us.approved),
        ("declined", run.latency_us.declined),
        ("turned away", run.latency_us.turned_away),
        ("plain echo", run.baseline.and_then(|baseline| baseline.latency_us)),
        ("(sent late by)", run.latency_us.late),
    ];
    for (name, latency) in rows.into_iter().filter_map(|(name, latency)| Some((name, latency?))) {
        let figures = [latency.p50, latency.p99, latency.p999, latency.max].map(thousands);
        latencies.add_row([vec![name.to_owned(), latency.count.to_string()], figures.to_vec()].concat());
    }
    aligned(&mut latencies);
    let mut tables = vec![summary.to_string(), latencies.to_string()];
    if !run.slices.is_empty() {
        tables.push(over_time(&run.slices));
    }
    tables.extend(run.switch.as_ref().map(inside));
    tables
}

/// Latencies slice by slice.
fn over_time(slices: &[Slice]) -> String {
    let mut table = table(&["after, ms", "answers", "p50 µs", "p99 µs", "max µs"]);
    for Slice { after_ms, latency_us: latency, .. } in slices {
        let figures = [latency.p50, latency.p99, latency.max].map(thousands);
        table.add_row([vec![after_ms.to_string(), latency.count.to_string()], figures.to_vec()].concat());
    }
    aligned(&mut table);
    table.to_string()
}

/// What the switch says of itself, in the order of a request's way.
fn inside(figures: &BTreeMap<String, f64>) -> String {
    let mut table = table(&["inside the switch", ""]);
    let stages = STAGES.map(|stage| format!("{stage}_cpu_ns_a_frame"));
    let own = figures.keys().filter(|name| !stages.contains(name));
    for name in own.chain(stages.iter().filter(|name| figures.contains_key(*name))) {
        table.add_row([name.clone(), format!("{:.1}", figures[name])]);
    }
    aligned(&mut table);
    table.to_string()
}

/// One row a run.
fn side_by_side(runs: &[Run]) -> String {
    let has_baseline = runs.iter().any(|run| run.baseline.is_some());
    let mut heads = vec![
        "connections×window",
        "answers/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "max µs",
        "approved",
        "own ns",
    ];
    if has_baseline {
        heads.extend(["echo/s", "switch/echo"]);
    }
    let mut table = table(&heads);
    for run in runs {
        let latency = run.latency_us.all;
        let us = |of: fn(Latency) -> f64| latency.map_or_else(String::new, |latency| thousands(of(latency)));
        let mut row = vec![
            run.title(),
            thousands(run.rate_per_s),
            us(|latency| latency.p50),
            us(|latency| latency.p99),
            us(|latency| latency.p999),
            us(|latency| latency.max),
            format!("{:.2} %", run.approved_part * 100.0),
            thousands(run.own_cpu_ns),
        ];
        if let Some(baseline) = &run.baseline {
            row.extend([thousands(baseline.rate_per_s), format!("{:.2} %", baseline.switch_by_echo * 100.0)]);
        }
        table.add_row(row);
    }
    aligned(&mut table);
    table.to_string()
}

fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(heads);
    table
}

/// Figures to the right.
fn aligned(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A figure without its fraction, in groups of three digits.
fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::{scan::Seen, tally::Tally};
    use super::*;

    fn outcome(unexpected: u64) -> Outcome {
        let mut tally = Tally::new(10);
        for (at, code) in [b"00", b"00", b"00", b"51"].into_iter().enumerate() {
            tally.answered(Seen { stan: 1, code: *code, sealed: true }, 250_000, (0, at), b"answer");
        }
        tally.unexpected = unexpected;
        Outcome {
            elapsed: Duration::from_secs(2),
            in_time: 4,
            sent: 5,
            unanswered: 1,
            lost: 0,
            used_up: false,
            cpu: Duration::from_micros(8),
            tally,
        }
    }

    fn run() -> Run {
        Run { connections: 8, window: Some(2), ..Run::of(&outcome(0), Checked { checked: 4, wrong: 0 }) }
    }

    #[test]
    fn figures_follow_from_what_was_noted() {
        let run = run();
        assert_eq!((run.rate_per_s, run.own_cpu_ns, run.approved_part), (2.0, 2000.0, 0.75));
        let all = run.latency_us.all.unwrap();
        assert!((all.p50 - 250.0).abs() < 1.0 && all.count == 4, "{all:?}");
        assert!(run.latency_us.turned_away.is_none() && run.latency_us.late.is_none());
        assert!(run.is_good(), "a decline is an answer");
        assert!(!Run::of(&outcome(1), Checked::default()).is_good());
        assert!(!Run::of(&outcome(0), Checked { checked: 4, wrong: 1 }).is_good());
    }

    #[test]
    fn people_are_told_what_was_not_as_it_should_be() {
        let text = single(&run()).join("\n");
        for told in ["8×2", "75.00 %", "00: 3, 51: 1", "declined"] {
            assert!(text.contains(told), "{told}: {text}");
        }
        let remarks = run().remarks().join("\n");
        assert!(
            remarks.contains("1 requests stayed") && remarks.contains("1 requests were declined"),
            "{remarks}"
        );
        let wrong = Run::of(&outcome(3), Checked { checked: 4, wrong: 2 }).remarks().join("\n");
        assert!(
            wrong.contains("2 answers had a wrong MAC") && wrong.contains("3 answers were not asked for")
        );
    }

    #[test]
    fn figures_are_grouped() {
        for (figure, want) in [(0.0, "0"), (999.0, "999"), (1000.4, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(thousands(figure), want);
        }
    }
}
