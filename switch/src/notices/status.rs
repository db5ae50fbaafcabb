//! How far senders are, for whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Way, place::Place};
use crate::{clock, journal::Seq};

/// All senders of a switch.
#[derive(Debug, Default)]
pub struct Status(Vec<Arc<SenderState>>);

/// What a sender says of itself.
#[derive(Debug)]
pub struct SenderState {
    way: Way,
    now: Mutex<Now>,
}

/// What changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub(super) place: Place,
    /// The time of the first notice that waits, milliseconds since 1970 UTC; nothing if none does.
    pub(super) waits_since_ms: Option<i64>,
    pub(super) sent: u64,
    pub(super) unaddressed: u64,
    pub(super) parked: u64,
    pub(super) lost: u64,
    /// How often it failed since it last did not.
    pub(super) failures: u32,
    /// Why, the last time.
    pub(super) why: Option<String>,
}

/// One sender.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SenderView {
    /// `file`, `smtp` or `webhook`.
    pub sender: String,
    /// The number of the last notice that it is done with.
    pub cursor: u64,
    /// The record of that one.
    pub record: Seq,
    /// How many there are behind it.
    pub waiting: u64,
    /// How old the first of those is, seconds; 0 if there is none.
    pub behind_s: i64,
    /// What it sent since the start.
    pub sent: u64,
    /// What it did not send because nobody knows the cardholder's address, since the start.
    pub unaddressed: u64,
    /// What it put aside because it was refused, since the start.
    pub parked: u64,
    /// What had left the outbox, and could not be had from the journal, since the start.
    pub lost: u64,
    /// How often it failed since it last did not.
    pub failures: u32,
    /// Why, the last time.
    pub why: Option<String>,
}

/// All senders.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SenderList {
    /// The senders that are configured.
    pub senders: Vec<SenderView>,
    /// The number of the newest notice there is.
    pub last_id: u64,
}

impl Status {
    pub(super) fn new(senders: Vec<Arc<SenderState>>) -> Self {
        Self(senders)
    }

    /// How far they are, if the newest notice has this number.
    #[must_use]
    pub fn list(&self, last_id: u64) -> SenderList {
        SenderList { senders: self.0.iter().map(|sender| sender.view(last_id)).collect(), last_id }
    }
}

impl SenderState {
    pub(super) fn new(way: Way, place: Place) -> Self {
        Self { way, now: Mutex::new(Now { place, ..Now::default() }) }
    }

    /// Changes what it says, and gives it back.
    pub(super) fn change(&self, change: impl FnOnce(&mut Now)) -> Now {
        // Numbers are whole whatever became of another thread.
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut now);
        now.clone()
    }

    fn view(&self, last_id: u64) -> SenderView {
        let now = self.change(|_| ());
        let waiting = last_id.saturating_sub(now.place.id);
        SenderView {
            sender: self.way.name().to_owned(),
            cursor: now.place.id,
            record: now.place.record,
            waiting,
            behind_s: if waiting == 0 { 0 } else { age_s(now.waits_since_ms) },
            sent: now.sent,
            unaddressed: now.unaddressed,
            parked: now.parked,
            lost: now.lost,
            failures: now.failures,
            why: now.why,
        }
    }
}

/// How long ago a time was, seconds; 0 for none.
pub(super) fn age_s(since_ms: Option<i64>) -> i64 {
    since_ms.map_or(0, |since| (clock::unix_seconds() - since / 1000).max(0))
}
