//! The outbox: what people should be told, in order, until it is delivered.
//!
//! A notice follows from a record and nothing else, so a replay has the same ones with the same numbers. Who sends
//! them is not the books' affair; a reader keeps its own place by number. Bounded: the oldest leave,
//! counted.

use std::{collections::VecDeque, sync::Arc};

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Seq, reason::Reason, request::Kind};
use crate::ledger::{Currency, Minor};

/// Why somebody is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Cause {
    /// Rules fired.
    Rules,
    /// A message came from a telephone number, PSAM or terminal that do not belong together.
    BindingMismatch,
    /// A request under the number of an earlier one, with another amount or card.
    DuplicateDiffers,
    /// A message under a one-time key that was used before.
    Replay,
    /// Money was taken back that had been spent, or paid that was not there, and the card was blocked.
    Shortfall,
    /// Something was paid although nothing that still held had authorized it.
    ForcedPost,
    /// A request was beyond a limit that the cardholder set.
    HolderLimits,
}

impl Cause {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// How what has this cause is answered, where that does not depend on more.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::BindingMismatch => Reason::BindingMismatch,
            Self::DuplicateDiffers => Reason::DuplicateDiffers,
            Self::Replay => Reason::Replay,
            Self::Rules | Self::Shortfall | Self::ForcedPost | Self::HolderLimits => Reason::Approved,
        }
    }

    /// Whether the cardholder is told, beside card management.
    #[must_use]
    pub fn is_for_holder(self) -> bool {
        matches!(self, Self::Rules | Self::HolderLimits)
    }

    /// The word for this cause in tables, files and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::BindingMismatch => "binding_mismatch",
            Self::DuplicateDiffers => "duplicate_differs",
            Self::Replay => "replay",
            Self::Shortfall => "shortfall",
            Self::ForcedPost => "forced_post",
            Self::HolderLimits => "holder_limits",
        }
    }
}

/// Who is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Recipient {
    /// The holder, at the phone linked to the card.
    Cardholder,
    /// The issuer's card management.
    CardManagement,
}

impl Recipient {
    /// The word for this recipient in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cardholder => "cardholder",
            Self::CardManagement => "card_management",
        }
    }
}

/// A rule's text for a notice, shared with the set that it is of: other sets may have other texts under the same name by
/// the time it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Words(pub Arc<str>);

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// What a notice is about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Subject {
    /// The record it follows from.
    pub seq: Seq,
    /// Its recorded time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Why.
    pub cause: Cause,
    /// The first rule that fired; empty for other causes.
    pub rule: ArrayString<32>,
    /// What that rule wants said, with names of facts in braces; none where it has no text.
    pub words: Option<Words>,
    /// The card, if it is one of ours.
    pub card: Option<u32>,
    /// Position of the terminal.
    pub terminal: u32,
    /// What was asked, as far as it is known.
    pub kind: Kind,
    /// How it was answered.
    pub reason: Reason,
    /// Amount, minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
}

/// One notice.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Notice {
    /// Its number; they count up from 1 without a gap.
    pub id: u64,
    /// Who is told.
    pub to: Recipient,
    /// Of what.
    pub subject: Subject,
}

/// The outbox.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    waiting: VecDeque<Notice>,
    last_id: u64,
    evicted: u64,
}

impl Notices {
    /// Reserves room for the most notices the policy allows, so that later use allocates nothing.
    pub(super) fn reserve(&mut self, max: u32) {
        self.waiting.reserve((max as usize).saturating_sub(self.waiting.len()));
    }

    /// Adds a notice; the oldest leaves if there are `max`.
    pub(super) fn add(&mut self, to: Recipient, subject: Subject, max: u32) {
        if self.waiting.len() >= max as usize {
            self.waiting.pop_front();
            self.evicted += 1;
        }
        self.last_id += 1;
        self.waiting.push_back(Notice { id: self.last_id, to, subject });
    }

    /// Notices with a number above `after`, oldest first.
    pub fn after(&self, after: u64) -> impl Iterator<Item = &Notice> {
        let from = self.waiting.partition_point(|notice| notice.id <= after);
        self.waiting.range(from..)
    }

    /// The number of the newest notice, 0 before the first.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The number of the oldest notice that is kept, or that comes next if none is.
    #[must_use]
    pub fn first_id(&self) -> u64 {
        self.last_id + 1 - self.waiting.len() as u64
    }

    /// How many left before anyone could be sure to have read them.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The outbox as a checkpoint saved it.
    pub(super) fn restore(waiting: Vec<Notice>, last_id: u64, evicted: u64) -> Self {
        Self { waiting: waiting.into(), last_id, evicted }
    }

    /// All notices, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.waiting.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(seq: Seq) -> Subject {
        Subject {
            seq,
            time_ms: 0,
            cause: Cause::Rules,
            rule: ArrayString::new(),
            words: None,
            card: None,
            terminal: 0,
            kind: Kind::Purchase,
            reason: Reason::Approved,
            amount: 1,
            currency: 156,
        }
    }

    #[test]
    fn one_past_the_maximum_the_oldest_leaves_and_numbers_go_on() {
        let mut notices = Notices::default();
        for seq in 1..=4 {
            notices.add(Recipient::CardManagement, subject(seq), 3);
        }
        let ids = |after| notices.after(after).map(|notice| notice.id).collect::<Vec<_>>();
        assert_eq!(ids(0), [2, 3, 4]);
        assert_eq!(ids(3), [4]);
        assert!(ids(4).is_empty());
        assert_eq!((notices.first_id(), notices.last_id(), notices.evicted()), (2, 4, 1));
        assert_eq!(Notices::default().first_id(), 1);
    }
}
