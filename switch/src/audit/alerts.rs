//! The queue of alerts for people, cards masked, and the rules that are snoozed for cards.
//!
//! Start at [`alerts`].

use serde::{Deserialize, Serialize};

use super::{answer_text, card_name, terminal_name, utc};
use crate::{
    books::{
        Books,
        alerts::{Alert, AlertCounts, Disposition, Snooze},
    },
    journal::Seq,
    ledger::{Currency, Minor},
};

/// The most alerts shown at once; whoever wants more goes on behind the last.
pub const ALERTS_SHOWN_MAX: usize = 1000;

/// One alert.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AlertEntry {
    /// The record of its decision, which is its number.
    pub record: Seq,
    /// Its time, RFC 3339 in UTC.
    pub time: String,
    /// The rule.
    pub rule: String,
    /// The set that it is of.
    pub set: u32,
    /// BIN and last four.
    pub card: Option<String>,
    /// Field 41.
    pub terminal: Option<String>,
    /// What was asked.
    pub kind: String,
    /// Amount, minor units.
    pub amount: Minor,
    /// ISO 4217 number.
    pub currency: Currency,
    /// Field 39 and the reason.
    pub answer: String,
    /// Who looks at it.
    pub assigned_to: Option<String>,
    /// Since when.
    pub assigned: Option<String>,
    /// What it was.
    pub disposition: Option<String>,
    /// Who said so.
    pub disposed_by: Option<String>,
    /// When.
    pub disposed: Option<String>,
}

/// A rule that is snoozed for a card.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SnoozeEntry {
    /// The rule.
    pub rule: String,
    /// BIN and last four.
    pub card: Option<String>,
    /// The alert that it was ordered for.
    pub alert: Seq,
    /// Until when.
    pub until: String,
}

/// Alerts, oldest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AlertList {
    /// The alerts, at most [`ALERTS_SHOWN_MAX`].
    pub alerts: Vec<AlertEntry>,
    /// Whether there are more behind the last.
    pub more: bool,
    /// How many there were, since the journal began.
    pub counts: AlertCounts,
    /// What is snoozed now.
    pub snoozed: Vec<SnoozeEntry>,
}

/// The alerts behind number `after`: those that nobody has said of what they were, or all that are kept.
#[must_use]
pub fn alerts(books: &Books, after: Seq, all: bool) -> AlertList {
    let queue = books.alerts();
    let mut found = queue.after(after).filter(|alert| all || alert.disposed.is_none());
    let alerts: Vec<AlertEntry> =
        found.by_ref().take(ALERTS_SHOWN_MAX).map(|alert| entry(books, alert)).collect();
    let asleep = queue.snoozed().iter().filter(|snooze| snooze.until_ms > books.time_ms());
    AlertList {
        more: found.next().is_some(),
        alerts,
        counts: *queue.counts(),
        snoozed: asleep.map(|snooze| snoozed(books, snooze)).collect(),
    }
}

fn entry(books: &Books, alert: &Alert) -> AlertEntry {
    let disposed = alert.disposed;
    let said = |what: Disposition| what.name().to_owned();
    AlertEntry {
        record: alert.seq,
        time: utc(alert.time_ms),
        rule: alert.rule.to_string(),
        set: alert.set,
        card: card_name(books, Some(alert.card)),
        terminal: terminal_name(books, alert.terminal),
        kind: alert.kind.name().to_owned(),
        amount: alert.amount,
        currency: alert.currency,
        answer: answer_text(alert.reason),
        assigned_to: alert.assigned.map(|(to, _)| to.to_string()),
        assigned: alert.assigned.map(|(_, at_ms)| utc(at_ms)),
        disposition: disposed.map(|(what, ..)| said(what)),
        disposed_by: disposed.map(|(_, by, _)| by.to_string()),
        disposed: disposed.map(|(.., at_ms)| utc(at_ms)),
    }
}

fn snoozed(books: &Books, snooze: &Snooze) -> SnoozeEntry {
    SnoozeEntry {
        rule: snooze.rule.to_string(),
        card: card_name(books, Some(snooze.card)),
        alert: snooze.alert,
        until: utc(snooze.until_ms),
    }
}
