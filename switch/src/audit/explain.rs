//! Why the rules decided as they did: each rule taken apart, with the values it saw at one decision.
//!
//! The books are made again up to the record before, so what is shown is what was seen, whatever happened since. Cards are
//! masked; keys have no value that is shown.
//!
//! Start at [`explain`].

use std::ops::ControlFlow;

use risk::{language::Explained, rulebook::RuleState};
use serde::{Deserialize, Serialize};

use super::{AuditError, answer_text, card_name, read_events, terminal_name, utc};
use crate::{
    books::{
        Books,
        event::{Decided, Event},
        notices::Cause,
    },
    hex,
    journal::{Reader, Seq},
    recovery,
};

/// A retrieval reference number names the last six digits of its record.
pub(crate) const RRN_RECORDS: u64 = 1_000_000;

/// A decision and what the rules said of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Explanation {
    /// Its record.
    pub seq: Seq,
    /// Its time, RFC 3339 in UTC.
    pub time: String,
    /// Field 41.
    pub terminal: Option<String>,
    /// BIN and last four.
    pub card: Option<String>,
    /// What was asked.
    pub kind: String,
    /// Amount, minor units.
    pub amount: i64,
    /// ISO 4217 number.
    pub currency: u16,
    /// Field 39 and the reason.
    pub answer: String,
    /// Whether it was beyond what the cardholder allows, and that is why it was declined or told.
    pub beyond_holder_limits: bool,
    /// Rules of the city that fired, by id.
    pub city: Vec<String>,
    /// The published set in force.
    pub set: Option<ExplainedSet>,
}

/// What a published set said.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ExplainedSet {
    /// Its number.
    pub number: u32,
    /// Its hash, hex digits.
    pub hash: String,
    /// Whether it is why the request was declined, or somebody told.
    pub ruled: bool,
    /// Its rules in shadow and live, in order.
    pub rules: Vec<ExplainedRule>,
}

/// What a rule saw.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ExplainedRule {
    /// Its name.
    pub id: String,
    /// `shadow` or `live`.
    pub state: String,
    /// Whether it fired.
    pub fired: bool,
    /// Whether it did not apply, because a fact was missing.
    pub not_applicable: bool,
    /// Whether it had no effect, because it was snoozed for the card.
    pub snoozed: bool,
    /// The condition, taken apart.
    pub tree: Piece,
}

/// A piece of a condition.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Piece {
    /// The piece as it is written.
    pub text: String,
    /// What it came to.
    pub value: String,
    /// What it is made of.
    pub parts: Vec<Piece>,
}

/// The records of requests that were answered under this retrieval reference number; there is one, unless the journal grew by
/// a million records within a day.
///
/// # Errors
/// The journal refuses.
pub fn records_of(reader: &dyn Reader, rrn: u64) -> Result<Vec<Seq>, AuditError> {
    let (head, first) = (reader.head().seq, rrn % RRN_RECORDS);
    let mut found = Vec::new();
    let from = if first == 0 { RRN_RECORDS } else { first };
    for seq in (from..=head).step_by(usize::try_from(RRN_RECORDS).unwrap_or(usize::MAX)) {
        let event = read_events(reader, Some(seq), 1)?;
        if matches!(event.as_slice(), [(_, time_ms, Event::Decided(_))] if may_be_of(rrn, *time_ms)) {
            found.push(seq);
        }
    }
    Ok(found)
}

/// Whether a number's year, day and hour are those of a time, in whatever zone the city is.
pub(crate) fn may_be_of(rrn: u64, time_ms: i64) -> bool {
    const QUARTER_MS: i64 = 15 * 60_000;
    let clock = crate::clock::Clock::new("UTC");
    let prefix = rrn / RRN_RECORDS;
    // Hours of later epochs begin at 25, 50 and 75.
    let (day, hour) = (prefix / 100, prefix % 100 % 25);
    clock.is_ok_and(|clock| {
        (-12 * 4..=14 * 4)
            .any(|quarters| clock.at(time_ms + quarters * QUARTER_MS).rrn_prefix(1) == day * 100 + hour)
    })
}

/// What the rules said of the request that was decided in a record; none if that is no decided request.
///
/// # Errors
/// The journal does not replay.
pub fn explain(
    reader: &dyn Reader,
    seq: Seq,
    progress: &mut dyn FnMut(Seq),
) -> Result<Option<Explanation>, AuditError> {
    let mut found = None;
    if seq == 0 || seq > reader.head().seq {
        return Ok(None);
    }
    let mut books = Books::default();
    recovery::replay(reader, &mut books, seq - 1, progress)?;
    reader.read(seq, &mut |record| {
        found = Event::read(record.body).ok().map(|event| (record.time_ms, event));
        ControlFlow::Break(())
    })?;
    let Some((time_ms, Event::Decided(decided))) = found else { return Ok(None) };
    Ok(Some(Explanation {
        seq,
        time: utc(time_ms),
        terminal: terminal_name(&books, decided.key.terminal),
        card: card_name(&books, decided.card),
        kind: decided.kind.name().to_owned(),
        amount: decided.amount,
        currency: decided.currency,
        answer: answer_text(decided.reason),
        beyond_holder_limits: decided.notice == Some(Cause::HolderLimits),
        city: books.rules().rules.fired(decided.fired).map(|rule| rule.id.to_string()).collect(),
        set: said_by_set(&books, time_ms, &decided),
    }))
}

fn said_by_set(books: &Books, time_ms: i64, decided: &Decided) -> Option<ExplainedSet> {
    let set = books.rules_in_force()?;
    let hits = decided.judged?.hits;
    let (fired, missing) = hits.map(|hits| (hits.fired, hits.not_applicable)).unwrap_or_default();
    let snoozed = books.snoozed_of(set, decided.card?, time_ms, &fired);
    let trees = books.explained_then(decided, time_ms)?;
    let rules = set.book().evaluated().zip(trees).enumerate().map(|(place, (rule, tree))| ExplainedRule {
        id: rule.id.clone(),
        state: if rule.state == RuleState::Live { "live" } else { "shadow" }.to_owned(),
        fired: fired.contains(place),
        not_applicable: missing.contains(place),
        snoozed: snoozed.contains(place),
        tree: piece(tree),
    });
    Some(ExplainedSet {
        number: set.published().number,
        hash: hex::digits(&set.hash().0),
        ruled: hits.is_some_and(|hits| hits.ruled),
        rules: rules.collect(),
    })
}

fn piece(explained: Explained) -> Piece {
    let Explained { text, value, parts } = explained;
    Piece { text, value, parts: parts.into_iter().map(piece).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_a_time_in_whatever_zone() {
        // 2026-11-22T16:30:00Z, the 326th day; in Shanghai it is half past midnight of the 327th.
        let time_ms = 1_795_365_000_000;
        let rows = [
            ("the hour in UTC", 632_616_000_110, true),
            ("the hour in Shanghai", 632_700_000_110, true),
            ("the same in the second epoch", 632_725_000_110, true),
            ("another day", 632_516_000_110, false),
            ("another year", 532_616_000_110, false),
        ];
        for (name, rrn, want) in rows {
            assert_eq!(may_be_of(rrn, time_ms), want, "{name}");
        }
    }
}
