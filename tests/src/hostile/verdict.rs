//! What must hold whatever is thrown at the switch, and what did not.

use std::collections::HashMap;

use cardswitch::{
    books::{reason::Reason, request::Kind as Asked},
    city::MacKind,
};

use super::{
    honest::CONNECTIONS,
    kind::Kind,
    parties::Parties,
    report::{Phase, Report},
    teller::Told,
    victim::Stopped,
};
use crate::history::{History, Name};

/// The honest's p99 may double under attack.
const P99_RATIO_PERCENT: u64 = 200;
/// It may always be this much longer than in quiet, since machines that tests run on are noisy.
const P99_SLACK_US: u64 = 5_000;
/// Resident memory may grow by this between the end of the quiet phase and the end, beyond what remembering the honest's
/// own requests takes, as measured in quiet.
const GROWTH_MAX_KIB: u64 = 64 << 10;

/// Requests of slow readers that the system's own buffers hold the answers of; until then the switch owes them nothing.
const DEAFENING: u64 = 120_000;
/// Faults in the books that are told one by one.
const TOLD_MAX: usize = 8;

/// How bad a fault is, and how sure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// An answer, money, memory or the process itself: never, however slow the machine.
    Safety,
    /// An honest newcomer or the admin port was not served.
    Reach,
    /// The honest waited too long.
    Time,
}

impl Class {
    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Reach => "reach",
            Self::Time => "time",
        }
    }
}

/// Something that must hold and did not.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What kind of thing.
    pub class: Class,
    /// When.
    pub phase: String,
    /// What.
    pub what: String,
}

fn fault(class: Class, phase: &str, what: String) -> Fault {
    Fault { class, phase: phase.to_owned(), what }
}

/// What can be said of the phases.
#[must_use]
pub fn of_phases(report: &Report) -> Vec<Fault> {
    let mut faults = Vec::new();
    for phase in std::iter::once(&report.quiet).chain(&report.phases) {
        faults.extend(answers(phase));
        faults.extend(counters(phase));
        faults.extend(reach(phase));
        let (quiet, now) = (report.quiet.lived.steady.quantile_us(990), phase.lived.steady.quantile_us(990));
        if now > (quiet * P99_RATIO_PERCENT / 100).max(quiet + P99_SLACK_US) {
            faults.push(fault(
                Class::Time,
                phase.name(),
                format!("the honest's p99 is {now} us; in quiet it was {quiet} us"),
            ));
        }
    }
    let (grown, owed) = (report.grown_kib(), report.growth_owed_kib());
    if grown > owed + GROWTH_MAX_KIB {
        let what = format!(
            "resident memory grew by {grown} KiB under attack; the honest alone account for {owed} KiB"
        );
        faults.push(fault(Class::Safety, "end", what));
    }
    let after = &report.after;
    faults.extend(after.wrongs.iter().map(|how| fault(Class::Safety, "end", how.clone())));
    faults
}

/// The honest got the answers they were owed, and nobody got one that cannot be read.
fn answers(phase: &Phase) -> Vec<Fault> {
    let mut faults: Vec<Fault> =
        phase.lived.wrongs.iter().map(|how| fault(Class::Safety, phase.name(), how.clone())).collect();
    let told = phase.lived.wrongs.len() as u64;
    if phase.lived.wrong > told {
        let more = format!("{} more requests not answered as they must be", phase.lived.wrong - told);
        faults.push(fault(Class::Safety, phase.name(), more));
    }
    if phase.lived.steady.count() == 0 {
        faults.push(fault(Class::Safety, phase.name(), "no honest request was answered at all".to_owned()));
    }
    if phase.tally.unreadable > 0 {
        faults.push(fault(
            Class::Safety,
            phase.name(),
            format!("{} answers do not decode", phase.tally.unreadable),
        ));
    }
    if phase.resident_kib.is_none() {
        faults.push(fault(Class::Safety, phase.name(), "the process is gone".to_owned()));
    }
    faults
}

/// What was thrown was counted: each connection, each whole frame, and what the kind must move.
fn counters(phase: &Phase) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut say = |what: String| faults.push(fault(Class::Safety, phase.name(), what));
    if !phase.has_page {
        say("the admin port does not answer, so nothing is known of its counters".to_owned());
        return faults;
    }
    if phase.connections != u64::from(CONNECTIONS) {
        say(format!("{} connections open, {CONNECTIONS} of them honest", phase.connections));
    }
    let (made, counted) = (phase.connections_made(), phase.connections_counted());
    // Of those that the attackers gave up some came about on the switch's side.
    let unsure = phase.tally.not_opened + phase.lived.newcomers_failed;
    if !(made..=made + unsure).contains(&counted) {
        say(format!("{counted} connections counted, {made} to {} made", made + unsure));
    }
    let (made, counted) = (phase.frames_made(), phase.frames_counted());
    let unsure = phase.tally.pieces + phase.lived.pieces;
    // Bytes that are no frames may be taken for any number of them.
    let is_exact = phase.kind.is_none_or(|kind| kind.is_well_framed() || phase.tally.pieces == 0);
    if counted < made || is_exact && counted > made + unsure {
        say(format!("{counted} frames counted, {made} to {} made", made + unsure));
    }
    let too_few = phase.kind == Some(Kind::SlowReaders) && phase.tally.pieces < DEAFENING;
    let must_move = phase.kind.filter(|_| !too_few).map_or(&[][..], Kind::must_move);
    for (name, label) in must_move {
        if phase.risen(name, *label) == 0 {
            say(format!("{name} {label:?} has not moved"));
        }
    }
    faults
}

/// Newcomers came in, and the admin port answered.
fn reach(phase: &Phase) -> Vec<Fault> {
    let (lived, mut faults) = (&phase.lived, Vec::new());
    if lived.newcomers_failed > 0 {
        let (failed, all) = (lived.newcomers_failed, lived.newcomers_failed + lived.newcomers.count());
        let how = lived.newcomer_said.as_deref().unwrap_or("no answer");
        faults.push(fault(
            Class::Reach,
            phase.name(),
            format!("{failed} of {all} honest newcomers failed: {how}"),
        ));
    }
    if phase.seen.pages_missed > 0 {
        let missed = format!("the admin port gave no page {} times", phase.seen.pages_missed);
        faults.push(fault(Class::Reach, phase.name(), missed));
    }
    faults
}

/// What the stopped switch left behind: its log, its journal, its money. First, how many approvals were forged where that
/// is known to be possible.
#[must_use]
pub fn of_the_end(
    stopped: &Stopped,
    wrong: Vec<String>,
    told: Vec<Told>,
    parties: &Parties,
) -> (usize, Vec<Fault>) {
    let mut faults: Vec<Fault> = wrong.into_iter().map(|how| fault(Class::Safety, "end", how)).collect();
    for line in stopped.log.lines().filter(|line| line.contains("panicked") || line.contains("ERROR")) {
        faults.push(fault(Class::Safety, "end", format!("in the log: {line}")));
    }
    let mut forged = 0;
    if faults.is_empty() {
        let history = History::read(&stopped.data);
        let wrong;
        (forged, wrong) = books(&history, told, parties);
        let more = wrong.len().saturating_sub(TOLD_MAX);
        let more = (more > 0).then(|| format!("{more} more faults in the books"));
        let told = wrong.into_iter().take(TOLD_MAX).chain(more);
        faults.extend(told.map(|how| fault(Class::Safety, "end", how)));
    }
    (forged, faults)
}

/// Everything that an honest terminal was told is on record as it was told, every approval on record was told, and the
/// cards hold what is left. First, how many approvals nobody was told that came under a MAC which can be forged.
fn books(history: &History, told: Vec<Told>, parties: &Parties) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let mut answers: HashMap<Name, Told> = HashMap::new();
    for one in told {
        if let Some(twice) = answers.insert(one.name.clone(), one) {
            wrong.push(format!("{:?} was answered twice", twice.name));
        }
    }
    let recorded = history.answers();
    for (name, one) in &answers {
        match recorded.get(name) {
            // A host of `atm` numbers its requests itself.
            Some(record)
                if record.code == one.code
                    && (one.rrn.is_none() || one.rrn.as_ref() == Some(&record.rrn)) => {}
            Some(_) => wrong.push(format!("{name:?} is on record otherwise than it was told")),
            None => wrong.push(format!("{name:?} was told and is not on record")),
        }
    }
    let mut forged = 0;
    for (name, _) in
        recorded.iter().filter(|(name, record)| record.code == "00" && !answers.contains_key(*name))
    {
        match parties.city().terminal_row(&name.0).mac {
            MacKind::UnionPayEcb => forged += 1,
            MacKind::X919 => {
                wrong.push(format!("{name:?} is approved on record, and nobody honest was told"))
            }
        }
    }
    let mut spent = 0;
    for (seq, _, decided) in history.decided().filter(|(_, _, decided)| decided.reason == Reason::Approved) {
        match decided.kind {
            Asked::Purchase | Asked::Withdrawal => spent += decided.amount,
            kind => {
                wrong.push(format!("record {seq} approves a {}, which nobody honest asked for", kind.name()))
            }
        }
    }
    let opened: i64 = parties.city().cards().iter().flat_map(|row| row.opening.iter()).sum();
    let left: i64 = history.balances().iter().sum();
    if opened - spent != left {
        wrong.push(format!("cards opened with {opened}, {spent} was spent, {left} is left"));
    }
    (forged, wrong)
}
