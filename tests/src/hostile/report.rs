//! What came of a run: each phase's counts beside those of the switch, as a table for people and as JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    budget::{BYTES_PER_SECOND, CONNECTIONS_PER_SECOND, FRAMES_PER_SECOND},
    honest::{CONNECTIONS, Lived},
    kind::Kind,
    parties::Parties,
    tally::Tally,
    teller::Told,
    verdict::{self, Fault},
    victim::{Page, Victim},
    watch::Seen,
};

/// Counters whose rise a report shows, and the label by which.
const SHOWN: [(&str, &str); 6] = [
    ("cardswitch_frames_dropped_total", "why"),
    ("cardswitch_answers_total", "reason"),
    ("cardswitch_requests_total", "kind"),
    ("cardswitch_disconnects_total", "why"),
    ("cardswitch_connections_refused_total", "why"),
    ("cardswitch_answers_total", "dialect"),
];

/// Counters without labels whose rise a report shows.
const SINGLE: [&str; 8] = [
    "cardswitch_connections_total",
    "cardswitch_repeats_total",
    "cardswitch_turned_away_total",
    "cardswitch_commits_total",
    "cardswitch_journal_seq",
    "cardswitch_notices_total",
    "cardswitch_answers_unsealed_total",
    "cardswitch_admin_connections_closed_total",
];

/// One phase: the quiet one, or one kind of attack.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    /// What was waged; `None` in quiet.
    pub kind: Option<Kind>,
    /// How long it took.
    pub took: Duration,
    /// What was thrown.
    pub tally: Tally,
    /// What the honest lived through.
    pub lived: Lived,
    /// What was seen from outside.
    pub seen: Seen,
    /// Processor time of the switch's threads, milliseconds.
    pub threads: BTreeMap<String, u64>,
    /// How long the switch took to have only the honest's connections again, and everything counted.
    pub settled: Duration,
    /// Whether its admin port answered afterwards.
    pub has_page: bool,
    /// By what its counters rose: name and label to value to count.
    pub risen: BTreeMap<(&'static str, &'static str), BTreeMap<String, u64>>,
    /// By what the whole of each counter rose.
    pub risen_in_all: BTreeMap<&'static str, u64>,
    /// Connections open when it was over.
    pub connections: u64,
    /// Resident memory when it was over.
    pub resident_kib: Option<u64>,
    /// Lines that it wrote to its log.
    pub log_lines: usize,
}

/// Whether the switch is done with what was thrown: every connection counted, every frame counted, and none but the
/// honest connected.
#[must_use]
pub fn is_settled(before: &Page, now: &Page, tally: &Tally, lived: &Lived) -> bool {
    let mut phase = Phase { tally: tally.clone(), lived: lived.clone(), ..Phase::default() };
    phase.count(before, now);
    phase.connections == u64::from(CONNECTIONS)
        && phase.connections_counted() >= phase.connections_made()
        && phase.frames_counted() >= phase.frames_made()
}

impl Phase {
    /// Takes over by what the switch's counters rose.
    pub fn count(&mut self, before: &Page, after: &Page) {
        for (name, label) in SHOWN {
            self.risen.insert((name, label), after.risen(before, name, label));
        }
        for name in SINGLE.into_iter().chain(SHOWN.map(|(name, _)| name)) {
            self.risen_in_all.insert(name, after.sum(name, None).saturating_sub(before.sum(name, None)));
        }
        self.connections = after.sum("cardswitch_connections", None);
    }

    /// By what a counter rose, or one series of it.
    #[must_use]
    pub fn risen(&self, name: &str, label: Option<(&str, &str)>) -> u64 {
        match label {
            None => self.risen_in_all.get(name).copied().unwrap_or_default(),
            Some((key, value)) => {
                let found = self.risen.iter().find(|((of, by), _)| *of == name && *by == key);
                found.and_then(|(_, values)| values.get(value)).copied().unwrap_or_default()
            }
        }
    }

    /// Connections to terminals' ports that the switch let in or refused.
    #[must_use]
    pub fn connections_counted(&self) -> u64 {
        let refused = self.risen.get(&("cardswitch_connections_refused_total", "why"));
        // A failed accept leaves the connection waiting, to be accepted later; nobody was dialled.
        let refused = refused.into_iter().flatten().filter(|(why, _)| !why.ends_with("_failed"));
        self.risen("cardswitch_connections_total", None) + refused.map(|(_, count)| count).sum::<u64>()
    }

    /// Connections to terminals' ports that came about.
    #[must_use]
    pub fn connections_made(&self) -> u64 {
        self.tally.opened + self.lived.opened
    }

    /// Frames that the switch answered, dropped or turned away.
    #[must_use]
    pub fn frames_counted(&self) -> u64 {
        let names =
            ["cardswitch_answers_total", "cardswitch_frames_dropped_total", "cardswitch_turned_away_total"];
        names.iter().map(|name| self.risen(name, None)).sum()
    }

    /// Whole frames that it must have got.
    #[must_use]
    pub fn frames_made(&self) -> u64 {
        self.tally.frames + self.lived.frames
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.map_or("quiet", Kind::name)
    }

    /// The honest's p99 against that of the quiet phase, in hundredths.
    #[must_use]
    pub fn ratio_percent(&self, quiet: &Self) -> u64 {
        self.lived.steady.quantile_us(990) * 100 / quiet.lived.steady.quantile_us(990).max(1)
    }

    /// Its row of the table.
    #[must_use]
    pub fn line(&self, quiet: &Self) -> String {
        let (tally, steady) = (&self.tally, &self.lived.steady);
        let ratio = self.ratio_percent(quiet);
        let mut line = format!(
            "{:<18} {:>7} {:>7} {:>8} {:>8} {:>7} {:>7}  {:>5} {:>6} {:>7} {:>8} {:>4}.{:02} {:>7}  {:>3}/{:<3} {:>5}",
            self.name(),
            tally.opened + tally.opened_admin,
            tally.closed_by_switch,
            tally.frames + tally.pieces,
            tally.answered(),
            self.risen("cardswitch_frames_dropped_total", None),
            tally.bytes >> 10,
            steady.count(),
            steady.quantile_us(500),
            steady.quantile_us(990),
            steady.max_us(),
            ratio / 100,
            ratio % 100,
            self.lived.sent.quantile_us(990),
            self.lived.newcomers.count(),
            self.lived.newcomers.count() + self.lived.newcomers_failed,
            self.resident_kib.unwrap_or_default() >> 10,
        );
        for name in ["io", "stages", "commit", "admin"] {
            let ms = self.threads.get(name).copied().unwrap_or_default();
            let share = u128::from(ms) * 100 / self.took.as_millis().max(1);
            _ = write!(line, " {share:>4}%");
        }
        line
    }

    /// What the switch counted, in a line.
    fn counted(&self) -> String {
        let mut line = format!("{:<18}", self.name());
        let codes: Vec<String> =
            self.tally.codes().iter().map(|(code, count)| format!("{code} {count}")).collect();
        if !codes.is_empty() {
            _ = write!(line, " attackers heard F39: {};", codes.join(", "));
        }
        if !self.tally.pages.is_empty() {
            _ = write!(line, " HTTP {:?};", self.tally.pages);
        }
        for (title, name, label) in [
            ("dropped", SHOWN[0].0, SHOWN[0].1),
            ("ended", SHOWN[3].0, SHOWN[3].1),
            ("refused", SHOWN[4].0, SHOWN[4].1),
        ] {
            let values = &self.risen.get(&(name, label)).cloned().unwrap_or_default();
            if !values.is_empty() {
                let values: Vec<String> =
                    values.iter().map(|(why, count)| format!("{why} {count}")).collect();
                _ = write!(line, " {title}: {};", values.join(", "));
            }
        }
        _ = write!(
            line,
            " commits {}, records {}, notices {}, repeats {}, turned away {}; open at most {}, slowest page {} ms, pages missed {}, settled in {} ms, log lines {}",
            self.risen("cardswitch_commits_total", None),
            self.risen("cardswitch_journal_seq", None),
            self.risen("cardswitch_notices_total", None),
            self.risen("cardswitch_repeats_total", None),
            self.risen("cardswitch_turned_away_total", None),
            self.seen.connections_max,
            self.seen.page_max.as_millis(),
            self.seen.pages_missed,
            self.settled.as_millis(),
            self.log_lines,
        );
        line
    }

    fn json(&self, quiet: &Self) -> Value {
        let latencies = |of: &super::latency::Latencies| json!({ "count": of.count(), "p50_us": of.quantile_us(500), "p99_us": of.quantile_us(990), "max_us": of.max_us() });
        let names: BTreeSet<_> = self.risen.keys().collect();
        let risen: BTreeMap<String, &BTreeMap<String, u64>> =
            names.into_iter().map(|key| (format!("{} by {}", key.0, key.1), &self.risen[key])).collect();
        json!({
            "kind": self.name(),
            "ms": self.took.as_millis(),
            "thrown": {
                "connections": self.tally.opened, "admin_connections": self.tally.opened_admin,
                "not_opened": self.tally.not_opened, "closed_by_switch": self.tally.closed_by_switch,
                "frames": self.tally.frames, "pieces": self.tally.pieces, "bytes": self.tally.bytes,
                "answers": self.tally.answers, "unreadable": self.tally.unreadable, "pages": self.tally.pages,
            },
            "honest": latencies(&self.lived.steady),
            "honest_since_sent": latencies(&self.lived.sent),
            "honest_wrong": self.lived.wrong,
            "newcomers": latencies(&self.lived.newcomers),
            "newcomers_failed": self.lived.newcomers_failed,
            "p99_ratio_percent": self.ratio_percent(quiet),
            "switch": {
                "risen": risen, "risen_in_all": self.risen_in_all, "connections": self.connections,
                "connections_max": self.seen.connections_max, "resident_kib": self.resident_kib,
                "resident_max_kib": self.seen.resident_max_kib, "thread_ms": self.threads,
                "page_max_ms": self.seen.page_max.as_millis(), "pages_missed": self.seen.pages_missed,
                "settled_ms": self.settled.as_millis(), "log_lines": self.log_lines,
            },
        })
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the attackers' chance began with.
    pub seed: u64,
    /// Whether the switch limits the connections of one address.
    pub limits_sources: bool,
    /// By how much resident memory grew in the quiet phase, KiB.
    pub growth_kib: u64,
    /// Before the attacks.
    pub quiet: Phase,
    /// The attacks.
    pub phases: Vec<Phase>,
    /// What the honest lived through after the last.
    pub after: Lived,
    /// Approvals that the honest counted.
    pub approvals: u64,
    /// Approvals on record that nobody honest was told, of terminals whose MAC is `ecb`: that can be forged, as
    /// `docs/dialect-pos.md` shows, and who changes enough frames at random finds it out.
    pub forged: usize,
    /// What was broken.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(seed: u64, limits_sources: bool) -> Self {
        Self { seed, limits_sources, ..Self::default() }
    }

    /// By how much resident memory grew from the end of the quiet phase to the end, KiB.
    #[must_use]
    pub fn grown_kib(&self) -> u64 {
        let last = self.phases.last().and_then(|phase| phase.resident_kib).unwrap_or_default();
        last.saturating_sub(self.quiet.resident_kib.unwrap_or_default())
    }

    /// By how much it would have grown without attacks: as much for each answer as in the quiet phase.
    #[must_use]
    pub fn growth_owed_kib(&self) -> u64 {
        let answers = |phase: &Phase| phase.lived.steady.count();
        let under_attack: u64 = self.phases.iter().map(answers).sum();
        self.growth_kib * under_attack / answers(&self.quiet).max(1)
    }

    /// Stops the switch and judges everything.
    pub fn end(&mut self, victim: Victim, told: Vec<Told>, parties: &Parties) {
        self.approvals = told.iter().filter(|told| told.code == "00").count() as u64;
        let (stopped, wrong) = victim.stop();
        self.faults = verdict::of_phases(self);
        let (forged, faults) = verdict::of_the_end(&stopped, wrong, told, parties);
        self.forged = forged;
        self.faults.extend(faults);
    }

    /// The tables, and what was broken.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "seed {}; at most {FRAMES_PER_SECOND} frames, {CONNECTIONS_PER_SECOND} connections and {} MiB a second; \
             the switch {} connections by source\n{}\n",
            self.seed,
            BYTES_PER_SECOND >> 20,
            if self.limits_sources { "limits" } else { "does not limit" },
            Self::heading(),
        );
        for phase in std::iter::once(&self.quiet).chain(&self.phases) {
            text += &phase.line(&self.quiet);
            text.push('\n');
        }
        text += "\nwhat was counted\n";
        for phase in std::iter::once(&self.quiet).chain(&self.phases) {
            text += &phase.counted();
            text.push('\n');
        }
        _ = writeln!(
            text,
            "\n{} approvals counted by the honest; memory grew by {} KiB in quiet, by {} KiB more under attack, of which {} KiB are for what the honest did",
            self.approvals,
            self.growth_kib,
            self.grown_kib(),
            self.growth_owed_kib(),
        );
        if self.forged > 0 {
            let forged = self.forged;
            _ = writeln!(
                text,
                "{forged} approvals more on record, all of ecb terminals: that MAC can be forged, see docs/dialect-pos.md"
            );
        }
        for fault in &self.faults {
            _ = writeln!(text, "BROKEN ({}) {}: {}", fault.class.name(), fault.phase, fault.what);
        }
        if self.faults.is_empty() {
            text += "nothing is broken\n";
        }
        text
    }

    /// What stands over the columns of [`Phase::line`].
    #[must_use]
    pub fn heading() -> String {
        format!(
            "{:<18} {:>7} {:>7} {:>8} {:>8} {:>7} {:>7}  {:>5} {:>6} {:>7} {:>8} {:>7} {:>7}  {:>7} {:>5} {:>5} {:>5} {:>5} {:>5}",
            "attack",
            "conns",
            "ended",
            "frames",
            "answers",
            "dropped",
            "KiB",
            "asked",
            "p50 us",
            "p99 us",
            "max us",
            "x quiet",
            "sent us",
            "new in",
            "MiB",
            "io",
            "stage",
            "comm",
            "admin"
        )
    }

    /// For machines. Keys are stable: see [`Phase`] for what each is.
    #[must_use]
    pub fn json(&self) -> Value {
        let faults = self.faults.iter();
        let faults = faults
            .map(|fault| json!({ "class": fault.class.name(), "phase": fault.phase, "what": fault.what }));
        json!({
            "seed": self.seed,
            "limits_sources": self.limits_sources,
            "quiet": self.quiet.json(&self.quiet),
            "attacks": self.phases.iter().map(|phase| phase.json(&self.quiet)).collect::<Vec<_>>(),
            "approvals": self.approvals,
            "forged": self.forged,
            "growth_kib": { "quiet": self.growth_kib, "attacked": self.grown_kib(), "owed": self.growth_owed_kib() },
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}
