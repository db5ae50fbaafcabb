//! What was asked lately: the table that makes a repeat get the first answer and a reversal find its original.
//!
//! Bounded three ways: by age, by a quota for each terminal (so that one terminal cannot push out another's), and
//! in all. An entry that leaves before its time is counted. Everything here happens in `apply`, so a replay keeps
//! and evicts exactly what the books did.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

use super::{
    Seq,
    event::Pvv,
    index::Index,
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
    /// What it moved.
    pub postings: Postings,
}

impl Transaction {
    /// What was approved of the amount, if that was not all of it: what the purses gave.
    #[must_use]
    pub fn partial(&self) -> Option<Minor> {
        let taken = self.postings.iter().map(|leg| leg.amount).filter(|amount| *amount < 0).sum::<Minor>();
        (self.reason == Reason::PartlyApproved).then_some(-taken)
    }
}

const NONE: u32 = u32::MAX;

/// Where an entry stands in the list of all (oldest first) and in its terminal's list. Apart from the entries: whoever
/// leaves touches its neighbours' links, and an entry of them would be some five times as much memory to wait for.
#[derive(Clone, Copy, Debug)]
struct Links {
    older: u32,
    newer: u32,
    newer_of_terminal: u32,
}

#[derive(Clone, Copy, Debug)]
struct TerminalList {
    oldest: u32,
    newest: u32,
    count: u32,
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

/// Whose entry a terminal at its quota loses next, while memory is fetched for several of its requests.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// The terminal and the place of the entry that its last request pushes out.
    last: Option<(u32, u32)>,
}

impl Default for TerminalList {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE, count: 0, lacks: Lacks::NOTHING }
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct Transactions {
    /// The entries, each in a place that it keeps.
    entries: Vec<Transaction>,
    /// The links of the entry in the same place.
    links: Vec<Links>,
    free: Vec<u32>,
    by_key: Index,
    by_terminal: Vec<TerminalList>,
    oldest: u32,
    newest: u32,
    evicted: u64,
}

impl Default for Transactions {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            links: Vec::new(),
            free: Vec::new(),
            by_key: Index::default(),
            by_terminal: Vec::new(),
            oldest: NONE,
            newest: NONE,
            evicted: 0,
        }
    }
}

impl Transactions {
    /// Reserves room for the most entries the policy allows, so that later use allocates nothing. The memory is
    /// touched only as entries come.
    pub fn reserve(&mut self, policy: &Policy) {
        let max = policy.duplicates_max as usize;
        self.entries.reserve(max.saturating_sub(self.entries.len()));
        self.links.reserve(max.saturating_sub(self.links.len()));
        self.free.reserve(max.saturating_sub(self.free.len()));
        self.by_key.reserve(max.saturating_sub(self.by_key.len()));
    }

    /// Makes room for a terminal's list; called when the terminal is installed.
    pub fn add_terminal(&mut self) {
        self.by_terminal.push(TerminalList::default());
    }

    /// The request remembered under this key.
    #[must_use]
    pub fn find(&self, key: &TransactionKey) -> Option<&Transaction> {
        Some(&self.entries[self.place(key)? as usize])
    }

    fn place(&self, key: &TransactionKey) -> Option<u32> {
        self.by_key.find(key, |at| self.entries[at as usize].key)
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
    }

    /// Remembers a request; one under the same key (a tombstone) gives way to it.
    pub fn remember(&mut self, entry: Transaction, policy: &Policy) {
        self.expire(entry.time_ms, policy);
        self.forget(&entry.key);
        let list = self.by_terminal[entry.key.terminal as usize];
        if list.count >= policy.duplicates_per_terminal {
            self.evict(list.oldest, policy);
        } else if self.by_key.len() >= policy.duplicates_max as usize {
            self.evict(self.oldest, policy);
        }
        self.insert(entry);
    }

    /// Has the memory fetched that remembering a request under this key will look at. `leaving` goes with the caller
    /// from one request to the next.
    pub(super) fn warm(&self, key: &TransactionKey, leaving: &mut Leaving, policy: &Policy) {
        black_box(self.by_key.warm(key));
        let list = &self.by_terminal[key.terminal as usize];
        if list.count < policy.duplicates_per_terminal {
            return;
        }
        // It is at its quota, so its oldest makes room; for its next request the next one does.
        let at = match leaving.last {
            Some((terminal, last)) if terminal == key.terminal => self.links[last as usize].newer_of_terminal,
            _ => list.oldest,
        };
        if let Some(oldest) = self.entries.get(at as usize) {
            black_box(self.by_key.warm(&oldest.key));
            leaving.last = Some((key.terminal, at));
        }
    }

    /// Has the memory fetched that those look at which so many more requests will push out.
    pub(super) fn warm_leaving(&self, more: usize, policy: &Policy) {
        let over = (self.by_key.len() + more).saturating_sub(policy.duplicates_max as usize);
        for leaving in self.iter().take(over.min(more)) {
            black_box(self.by_key.warm(&leaving.key));
        }
    }

    /// Marks a request as taken back.
    pub fn mark_reversed(&mut self, key: &TransactionKey) {
        if let Some(at) = self.place(key) {
            self.entries[at as usize].standing = Standing::Reversed;
        }
    }

    /// All entries, oldest first, as a checkpoint saves them.
    pub fn iter(&self) -> impl Iterator<Item = &Transaction> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = self.links[at as usize].newer;
            Some(entry)
        })
    }

    /// Puts an entry back as a checkpoint saved it. The caller restores them in order, oldest first.
    pub fn restore(&mut self, entry: Transaction) {
        self.insert(entry);
    }

    /// Puts the count of early leavers back as a checkpoint saved it.
    pub fn restore_evicted(&mut self, evicted: u64) {
        self.evicted = evicted;
    }

    /// Drops a few entries older than the window: at most twice as many as come in, so the cost stays even.
    fn expire(&mut self, now_ms: i64, policy: &Policy) {
        for _ in 0..2 {
            let Some(oldest) = self.entries.get(self.oldest as usize) else { return };
            if now_ms - oldest.time_ms < policy.duplicate_window_ms {
                return;
            }
            self.remove(self.oldest);
        }
    }

    fn forget(&mut self, key: &TransactionKey) {
        if let Some(at) = self.place(key) {
            self.remove(at);
        }
    }

    fn evict(&mut self, at: u32, policy: &Policy) {
        let Some(entry) = self.entries.get(at as usize) else { return };
        let until_ms = entry.time_ms.saturating_add(policy.duplicate_window_ms);
        let key = entry.key;
        self.by_terminal[key.terminal as usize].lacks.add(&key, until_ms);
        self.remove(at);
        self.evicted += 1;
    }

    fn insert(&mut self, entry: Transaction) {
        let key = entry.key;
        let links = Links { older: self.newest, newer: NONE, newer_of_terminal: NONE };
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = entry;
                self.links[at as usize] = links;
                at
            }
            None => {
                self.entries.push(entry);
                self.links.push(links);
                // INVARIANT: the policy's maximum is 32 bits and `remember` keeps to it.
                u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 places")
            }
        };
        match self.links.get_mut(self.newest as usize) {
            Some(newest) => newest.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        let list = &mut self.by_terminal[key.terminal as usize];
        match self.links.get_mut(list.newest as usize) {
            Some(newest) => newest.newer_of_terminal = at,
            None => list.oldest = at,
        }
        list.newest = at;
        list.count += 1;
        let Self { entries, by_key, .. } = self;
        by_key.insert(&key, at, |at| entries[at as usize].key);
    }

    fn remove(&mut self, at: u32) {
        let Links { older, newer, newer_of_terminal } = self.links[at as usize];
        let key = self.entries[at as usize].key;
        match self.links.get_mut(older as usize) {
            Some(links) => links.newer = newer,
            None => self.oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(links) => links.older = older,
            None => self.newest = older,
        }
        self.unlink_from_terminal(at, key.terminal, newer_of_terminal);
        self.by_key.remove(&key, at);
        self.free.push(at);
    }

    /// Nearly always the terminal's oldest; a tombstone that its original replaces may stand further on, and is
    /// found by walking at most the terminal's quota.
    fn unlink_from_terminal(&mut self, at: u32, terminal: u32, next: u32) {
        let list = &mut self.by_terminal[terminal as usize];
        list.count -= 1;
        if list.oldest == at {
            list.oldest = next;
            if next == NONE {
                list.newest = NONE;
            }
            return;
        }
        let mut before = list.oldest;
        while self.links[before as usize].newer_of_terminal != at {
            before = self.links[before as usize].newer_of_terminal;
        }
        self.links[before as usize].newer_of_terminal = next;
        if list.newest == at {
            list.newest = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max: u32, per_terminal: u32) -> Policy {
        Policy {
            duplicates_max: max,
            duplicates_per_terminal: per_terminal,
            duplicate_window_ms: 1_000,
            ..Policy::default()
        }
    }

    fn entry(terminal: u32, stan: u32, time_ms: i64) -> Transaction {
        Transaction {
            key: TransactionKey { terminal, batch: 1, stan, class: 2 },
            seq: u64::from(stan),
            time_ms,
            kind: Kind::Purchase,
            card: None,
            amount: 1,
            currency: 156,
            reason: Reason::Approved,
            shown: None,
            day: 0,
            random: None,
            pin_change: None,
            original: None,
            returned: 0,
            released: None,
            particulars: 0,
            standing: Standing::Answered,
            postings: Postings::new(),
        }
    }

    fn table(terminals: u32) -> Transactions {
        let mut table = Transactions::default();
        (0..terminals).for_each(|_| table.add_terminal());
        table
    }

    fn stans(table: &Transactions) -> Vec<(u32, u32)> {
        table.iter().map(|entry| (entry.key.terminal, entry.key.stan)).collect()
    }

    #[test]
    fn one_past_its_quota_a_terminal_loses_its_own_oldest() {
        let mut table = table(2);
        let policy = policy(100, 2);
        table.remember(entry(1, 1, 0), &policy);
        for stan in 1..=3 {
            table.remember(entry(0, stan, 0), &policy);
        }
        assert_eq!(stans(&table), [(1, 1), (0, 2), (0, 3)]);
        assert_eq!(table.evicted(), 1);
        let lacks = [table.may_lack(0, 999), table.may_lack(0, 1_000), table.may_lack(1, 0)];
        assert_eq!(lacks, [true, false, false], "as long as the lost entry would have been there");
    }

    #[test]
    fn one_past_the_maximum_the_oldest_of_all_goes() {
        let mut table = table(3);
        let policy = policy(2, 100);
        for terminal in 0..3 {
            table.remember(entry(terminal, 7, 0), &policy);
        }
        assert_eq!(stans(&table), [(1, 7), (2, 7)]);
        assert_eq!(table.evicted(), 1);
    }

    #[test]
    fn what_is_older_than_the_window_goes_uncounted() {
        let mut table = table(1);
        let policy = policy(100, 100);
        table.remember(entry(0, 1, 0), &policy);
        table.remember(entry(0, 2, 999), &policy);
        assert_eq!(table.len(), 2);
        table.remember(entry(0, 3, 1_000), &policy);
        assert_eq!(stans(&table), [(0, 2), (0, 3)]);
        assert_eq!(table.evicted(), 0);
    }

    #[test]
    fn the_same_key_is_kept_once_wherever_it_stands() {
        let mut table = table(1);
        let policy = policy(100, 100);
        for stan in [1, 2, 3, 2, 3, 1] {
            table.remember(entry(0, stan, 0), &policy);
        }
        assert_eq!(stans(&table), [(0, 2), (0, 3), (0, 1)]);
        assert_eq!(table.by_terminal[0].count, 3);
        assert_eq!(table.evicted(), 0);
    }

    #[test]
    fn what_left_early_covers_what_is_not_newer() {
        let key = |batch, stan| TransactionKey { terminal: 0, batch, stan, class: 2 };
        let mut lacks = Lacks::NOTHING;
        assert!(!lacks.covers(&key(1, 1)));
        for (batch, stan) in [(5, 10), (5, 7), (4, 99)] {
            lacks.add(&key(batch, stan), 1_000);
        }
        let rows = [((4, 500), true), ((5, 10), true), ((5, 11), false), ((6, 1), false)];
        for ((batch, stan), want) in rows {
            assert_eq!(lacks.covers(&key(batch, stan)), want, "{batch} {stan}");
        }
        // Field 7 over the turn of the year.
        let mut lacks = Lacks::NOTHING;
        lacks.add(&key(1_231_235_959, 3), 1_000);
        assert!(!lacks.covers(&key(101_000_000, 1)), "the new year is newer");
        lacks.add(&key(101_000_000, 1), 1_000);
        assert!(lacks.covers(&key(1_231_235_959, 3)), "the old year is older");
    }

    #[test]
    fn long_use_agrees_with_a_plain_list() {
        let mut table = table(5);
        let policy = policy(40, 10);
        let mut naive: Vec<(u32, u32, i64)> = Vec::new();
        let mut seed = 12_345_u32;
        for step in 0..20_000_i64 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (terminal, stan, now) = ((seed >> 8) % 5, (seed >> 16) % 30, step * 40);
            table.remember(entry(terminal, stan, now), &policy);
            for _ in 0..2 {
                if naive.first().is_some_and(|old| now - old.2 >= 1_000) {
                    naive.remove(0);
                }
            }
            naive.retain(|old| (old.0, old.1) != (terminal, stan));
            if naive.iter().filter(|old| old.0 == terminal).count() >= 10 {
                let at = naive.iter().position(|old| old.0 == terminal).expect("it has ten");
                naive.remove(at);
            } else if naive.len() >= 40 {
                naive.remove(0);
            }
            naive.push((terminal, stan, now));
            let want: Vec<(u32, u32)> = naive.iter().map(|old| (old.0, old.1)).collect();
            assert_eq!(stans(&table), want, "step {step}");
        }
    }
}
