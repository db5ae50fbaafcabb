//! What was asked lately: the table that makes a repeat get the first answer and a reversal find its original.
//!
//! Bounded three ways: by age, by a quota for each terminal (so that one terminal cannot push out another's), and
//! in all. An entry that leaves before its time is counted. Everything here happens in `apply`, so a replay keeps
//! and evicts exactly what the books did.
//!
//! An entry takes 48 bytes: forty of its own (`packed`) and eight of the index. It stands in the list of its terminal,
//! oldest first; which is the oldest of all, a queue of the terminals knows.

mod packed;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    hash::BuildHasher,
    hint::black_box,
};

use arrayvec::ArrayVec;
use hashbrown::DefaultHashBuilder;
use serde::{Deserialize, Serialize};

use packed::{NONE, Rows};

use super::{
    Seq,
    event::Pvv,
    index::{Index, Key},
    policy::Policy,
    reason::Reason,
    request::{Kind, Shown},
};
use crate::ledger::{Currency, Minor, Postings, holds::HoldId};

/// What a repeat is known by: F41 + F60.2 + F11 + MTI class (F42 follows from the terminal); in `atm` field 7 stands
/// in the batch's place, and F32 follows from the terminal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct TransactionKey {
    /// Position of the terminal.
    pub terminal: u32,
    /// Batch number, or field 7.
    pub batch: u32,
    /// System trace audit number.
    pub stan: u32,
    /// Message class, the second digit of the MTI.
    pub class: u8,
}

impl TransactionKey {
    /// A hash of which only the lowest bits differ for STANs that follow one another, so many at most (a power of two): a
    /// terminal counts up, and what it asks next stands beside what it asked last.
    #[inline]
    pub(super) fn hash_beside(&self, hasher: &DefaultHashBuilder, together: u32) -> u64 {
        let terminal = u64::from(self.terminal) << 32 | u64::from(self.batch);
        let stans = u64::from(self.stan / together) << 8 | u64::from(self.class);
        hasher.hash_one((terminal, stans)) & !u64::from(together - 1) | u64::from(self.stan % together)
    }
}

impl Key for TransactionKey {
    /// Four: more would stand in each other's way, as slots follow one another.
    #[inline]
    fn hash_by(&self, hasher: &DefaultHashBuilder) -> u64 {
        self.hash_beside(hasher, 4)
    }
}

/// Where a remembered request stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// Answered, and in force if it was approved.
    Answered,
    /// Approved, then taken back.
    Reversed,
    /// Not seen yet, but already reversed: should it come, it is declined.
    Tombstone,
}

/// One remembered request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Transaction {
    /// What it is known by.
    pub key: TransactionKey,
    /// Its record.
    pub seq: Seq,
    /// Recorded time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// What was asked.
    pub kind: Kind,
    /// The card, if it is one of ours.
    pub card: Option<u32>,
    /// Amount, minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// How it was answered.
    pub reason: Reason,
    /// The balance that the answer showed.
    pub shown: Option<Shown>,
    /// The business day it was booked on.
    pub day: i32,
    /// The random number that made the one-time key it came under.
    pub random: Option<[u8; 8]>,
    /// The PIN verification value that it replaced, and the version of the one it set.
    pub pin_change: Option<(Pvv, u16)>,
    /// The approved transaction that it was about.
    pub original: Option<Seq>,
    /// How much of that went back by it.
    pub returned: Minor,
    /// The hold that ended by it.
    pub released: Option<HoldId>,
    /// What else it said, as [`super::request::Request::particulars`]; a repeat says the same.
    pub particulars: u64,
    /// Where it stands.
    pub standing: Standing,
    /// What was approved of the amount, if that was not all of it.
    pub partial: Option<Minor>,
    /// What it moved, where only that says what a reversal takes back: of loads and voids. What was paid goes back by its
    /// original, see [`super::originals`].
    pub moved: Postings,
}

#[derive(Clone, Copy, Debug)]
struct TerminalList {
    oldest: u32,
    newest: u32,
    count: u32,
    /// It stands in the queue of all terminals.
    queued: bool,
    lacks: Lacks,
}

/// What a terminal's list may lack because something left early.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lacks {
    /// Until when what left early would have been here, milliseconds since 1970 UTC.
    pub until_ms: i64,
    /// The newest batch (or field 7) and STAN among what left early. Terminals count up, so what is newer was never
    /// here.
    pub newest: Option<(u32, u32)>,
}

impl Lacks {
    const NOTHING: Self = Self { until_ms: i64::MIN, newest: None };

    fn add(&mut self, key: &TransactionKey, until_ms: i64) {
        self.until_ms = self.until_ms.max(until_ms);
        if !self.covers(key) {
            self.newest = Some((key.batch, key.stan));
        }
    }

    /// Whether a request of this name may have left.
    #[must_use]
    pub fn covers(&self, key: &TransactionKey) -> bool {
        let Some((batch, stan)) = self.newest else { return false };
        is_newer(batch, key.batch) || (key.batch == batch && key.stan <= stan)
    }
}

/// Whether a batch number, or a field 7, comes behind another. Field 7 has no year: what is more than half of one
/// ahead lies behind.
fn is_newer(one: u32, other: u32) -> bool {
    const HALF_A_YEAR: u32 = 600_000_000;
    match one.checked_sub(other) {
        Some(ahead) => ahead > 0 && ahead <= HALF_A_YEAR,
        None => other - one > HALF_A_YEAR,
    }
}

/// What leaves for requests of which memory is fetched, see [`Transactions::warm`].
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// The terminal and the place of the entry that its last request pushes out.
    last: Option<(u32, u32)>,
    /// Places of all that are pushed out.
    places: ArrayVec<u32, LEAVING_MAX>,
}

/// For so many requests memory is fetched at a time; for what is more, less is.
const LEAVING_MAX: usize = 64;

impl Default for TerminalList {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE, count: 0, queued: false, lacks: Lacks::NOTHING }
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    rows: Rows,
    by_key: Index,
    by_terminal: Vec<TerminalList>,
    /// Terminals by the record of their oldest entry, or of one that was their oldest before: it is looked at anew when it
    /// comes to the front. So nothing has to be moved in it when a terminal's list changes.
    queue: BinaryHeap<Reverse<(Seq, u32)>>,
    /// No entry is older than this; which one is the oldest need not be known before something may be too old.
    none_before_ms: i64,
    evicted: u64,
}

impl Transactions {
    /// Reserves room for the most entries the policy allows, so that later use allocates nothing. The memory is
    /// touched only as entries come.
    pub fn reserve(&mut self, policy: &Policy) {
        let max = policy.duplicates_max as usize;
        self.rows.reserve(max);
        let Self { rows, by_key, .. } = self;
        by_key.reserve(max.saturating_sub(by_key.len()), |at| rows.key(at));
    }

    /// Makes room for a terminal's list; called when the terminal is installed.
    pub fn add_terminal(&mut self) {
        self.restore_terminal(Lacks::NOTHING);
    }

    /// The request remembered under this key.
    #[must_use]
    pub fn find(&self, key: &TransactionKey) -> Option<Transaction> {
        self.place(key).map(|at| self.rows.get(at))
    }

    fn place(&self, key: &TransactionKey) -> Option<u32> {
        self.by_key.find(key, |at| self.rows.key(at))
    }

    /// How many requests are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many entries left before their time, since the journal began.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Whether a request of this terminal that should be remembered at this time may have left early.
    #[must_use]
    pub fn may_lack(&self, terminal: u32, now_ms: i64) -> bool {
        self.lacking(terminal, now_ms).is_some()
    }

    /// What of this terminal's requests that should be remembered at this time may have left early.
    #[must_use]
    pub fn lacking(&self, terminal: u32, now_ms: i64) -> Option<&Lacks> {
        let list = self.by_terminal.get(terminal as usize)?;
        (now_ms < list.lacks.until_ms).then_some(&list.lacks)
    }

    /// What each terminal may lack, as a checkpoint saves it.
    pub fn lacks(&self) -> impl Iterator<Item = &Lacks> {
        self.by_terminal.iter().map(|list| &list.lacks)
    }

    /// Makes room for a terminal's list as a checkpoint saved it.
    pub fn restore_terminal(&mut self, lacks: Lacks) {
        self.by_terminal.push(TerminalList { lacks, ..TerminalList::default() });
        self.queue.reserve(self.by_terminal.len() - self.queue.len());
    }

    /// Remembers a request; one under the same key (a tombstone) gives way to it.
    pub fn remember(&mut self, entry: &Transaction, policy: &Policy) {
        self.expire(entry.time_ms, policy);
        let hash = self.by_key.hash_of(&entry.key);
        if let Some(at) = self.by_key.find_by(hash, |at| self.rows.key(at) == entry.key) {
            self.remove(at);
        }
        let list = self.by_terminal[entry.key.terminal as usize];
        if list.count >= policy.duplicates_per_terminal {
            self.evict(list.oldest, policy);
        } else if self.by_key.len() >= policy.duplicates_max as usize
            && let Some(oldest) = self.oldest()
        {
            self.evict(oldest, policy);
        }
        let at = self.append(entry);
        let Self { rows, by_key, .. } = self;
        by_key.add(hash, at, |at| rows.key(at));
    }

    /// Has the memory fetched that remembering a request under this key will look at first. `leaving` goes with the caller
    /// from one request to the next, and then to [`Transactions::warm_leaving`].
    pub(super) fn warm(&self, key: &TransactionKey, leaving: &mut Leaving, policy: &Policy) {
        black_box(self.by_key.warm(key));
        let list = &self.by_terminal[key.terminal as usize];
        if self.rows.has(list.newest) {
            black_box(self.rows.next(list.newest));
        }
        if list.count < policy.duplicates_per_terminal {
            return;
        }
        // It is at its quota, so its oldest makes room; for its next request the next one does.
        let at = match leaving.last {
            Some((terminal, last)) if terminal == key.terminal => self.rows.next(last),
            _ => list.oldest,
        };
        if self.rows.has(at) {
            leaving.last = Some((key.terminal, at));
            self.leaves(at, leaving);
        }
    }

    /// The same for those of all terminals that so many more requests will push out.
    pub(super) fn warm_oldest(&self, more: usize, leaving: &mut Leaving, policy: &Policy) {
        let over = (self.by_key.len() + more).saturating_sub(policy.duplicates_max as usize);
        for Reverse((_, terminal)) in self.queue.iter().take(over.min(more)) {
            let at = self.by_terminal[*terminal as usize].oldest;
            if self.rows.has(at) {
                self.leaves(at, leaving);
            }
        }
    }

    fn leaves(&self, at: u32, leaving: &mut Leaving) {
        black_box(self.rows.next(at));
        // One too many is not waited for.
        let _ = leaving.places.try_push(at);
    }

    /// Has the memory fetched where the index knows those that leave, once they are there themselves.
    pub(super) fn warm_leaving(&self, leaving: &Leaving) {
        for at in &leaving.places {
            black_box(self.by_key.warm(&self.rows.key(*at)));
        }
    }

    /// The request remembered under this key, if this is what was asked.
    pub(super) fn find_of(&self, key: &TransactionKey, kind: Kind) -> Option<Transaction> {
        let at = self.place(key).filter(|at| self.rows.kind(*at) == kind)?;
        Some(self.rows.get(at))
    }

    /// Marks a request as taken back, and says what it was.
    pub(super) fn mark_reversed(&mut self, key: &TransactionKey) -> Option<Transaction> {
        let at = self.place(key)?;
        let done = self.rows.get(at);
        self.rows.set_standing(at, Standing::Reversed);
        Some(done)
    }

    /// All entries, oldest first, as a checkpoint saves them.
    pub fn iter(&self) -> impl Iterator<Item = Transaction> {
        let of_terminal = |list: &TerminalList| {
            let next = |at: &u32| Some(self.rows.next(*at)).filter(|next| *next != NONE);
            std::iter::successors(Some(list.oldest).filter(|at| *at != NONE), next)
        };
        let places = self.by_terminal.iter().flat_map(of_terminal);
        let mut places: Vec<(Seq, u32)> = places.map(|at| (self.rows.seq(at), at)).collect();
        // Those of one record are of one terminal, and stay as they stand in its list.
        places.sort_by_key(|(seq, _)| *seq);
        places.into_iter().map(|(_, at)| self.rows.get(at))
    }

    /// Puts an entry back as a checkpoint saved it. The caller restores them in order, oldest first.
    pub fn restore(&mut self, entry: &Transaction) {
        self.insert(entry);
    }

    /// Puts the count of early leavers back as a checkpoint saved it.
    pub fn restore_evicted(&mut self, evicted: u64) {
        self.evicted = evicted;
    }

    /// The place of the oldest of all.
    #[inline(never)]
    fn oldest(&mut self) -> Option<u32> {
        let Self { queue, by_terminal, rows, .. } = self;
        while let Some(mut front) = queue.peek_mut() {
            let Reverse((seq, terminal)) = *front;
            let list = &mut by_terminal[terminal as usize];
            if list.oldest == NONE {
                list.queued = false;
                PeekMut::pop(front);
                continue;
            }
            let now = rows.seq(list.oldest);
            if now == seq {
                return Some(list.oldest);
            }
            *front = Reverse((now, terminal));
        }
        None
    }

    /// Drops a few entries older than the window: at most twice as many as come in, so the cost stays even.
    fn expire(&mut self, now_ms: i64, policy: &Policy) {
        if now_ms - self.none_before_ms >= policy.duplicate_window_ms {
            self.expire_oldest(now_ms, policy);
        }
    }

    #[inline(never)]
    fn expire_oldest(&mut self, now_ms: i64, policy: &Policy) {
        for _ in 0..2 {
            if now_ms - self.none_before_ms < policy.duplicate_window_ms {
                return;
            }
            let Some(oldest) = self.oldest() else { return };
            self.none_before_ms = self.rows.time_ms(oldest);
            if now_ms - self.none_before_ms < policy.duplicate_window_ms {
                return;
            }
            self.remove(oldest);
        }
    }

    fn evict(&mut self, at: u32, policy: &Policy) {
        if !self.rows.has(at) {
            return;
        }
        let (key, time_ms) = (self.rows.key(at), self.rows.time_ms(at));
        let until_ms = time_ms.saturating_add(policy.duplicate_window_ms);
        self.by_terminal[key.terminal as usize].lacks.add(&key, until_ms);
        self.take(at, &key);
        self.evicted += 1;
    }

    fn insert(&mut self, entry: &Transaction) {
        let at = self.append(entry);
        let Self { rows, by_key, .. } = self;
        by_key.insert(&entry.key, at, |at| rows.key(at));
    }

    /// Puts an entry at the end of its terminal's list and returns its place.
    #[inline]
    fn append(&mut self, entry: &Transaction) -> u32 {
        let key = entry.key;
        let at = self.rows.put(entry);
        let list = &mut self.by_terminal[key.terminal as usize];
        match list.newest {
            NONE => list.oldest = at,
            newest => self.rows.set_next(newest, at),
        }
        list.newest = at;
        list.count += 1;
        if !list.queued {
            self.queue_up(entry.seq, key.terminal);
        }
        at
    }

    #[cold]
    #[inline(never)]
    fn queue_up(&mut self, seq: Seq, terminal: u32) {
        self.by_terminal[terminal as usize].queued = true;
        self.queue.push(Reverse((seq, terminal)));
    }

    #[inline(never)]
    fn remove(&mut self, at: u32) {
        let key = self.rows.key(at);
        self.take(at, &key);
    }

    /// Takes out the entry at a place, which is known by this.
    fn take(&mut self, at: u32, key: &TransactionKey) {
        self.unlink_from_terminal(at, key.terminal);
        let Self { rows, by_key, .. } = self;
        by_key.remove(key, at, |at| rows.key(at));
        rows.take(at);
    }

    /// Nearly always the terminal's oldest; a tombstone that its original replaces may stand further on, and is
    /// found by walking at most the terminal's quota.
    fn unlink_from_terminal(&mut self, at: u32, terminal: u32) {
        let next = self.rows.next(at);
        let list = &mut self.by_terminal[terminal as usize];
        list.count -= 1;
        if list.oldest == at {
            list.oldest = next;
            if next == NONE {
                list.newest = NONE;
            }
            return;
        }
        self.unlink_behind(at, terminal);
    }

    #[cold]
    #[inline(never)]
    fn unlink_behind(&mut self, at: u32, terminal: u32) {
        let next = self.rows.next(at);
        let list = &mut self.by_terminal[terminal as usize];
        let mut before = list.oldest;
        while self.rows.next(before) != at {
            before = self.rows.next(before);
        }
        self.rows.set_next(before, next);
        if list.newest == at {
            list.newest = before;
        }
    }
}

#[cfg(test)]
mod tests;
