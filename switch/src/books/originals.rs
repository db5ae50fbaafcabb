//! Approved transactions that others may name later: what a void, a refund, a completion or a late reversal is
//! about, and how much of each has gone back already.
//!
//! Kept far longer than the table of repeats ([`super::transactions`]), and found by card and approval code, which
//! is on every receipt. Bounded by age and number; the oldest leave, and what left early is counted. Everything here
//! happens in `apply`, so a replay keeps exactly what the books kept.

use std::{collections::VecDeque, hint::black_box};

use arrayvec::ArrayVec;
use hashbrown::{DefaultHashBuilder, HashMap};
use serde::{Deserialize, Serialize};

use super::{
    Seq, chart::PARTS_MAX, newest::Newest, policy::Policy, request::Kind, transactions::TransactionKey,
};
use crate::ledger::{AccountId, Currency, Minor, Posting, holds::HoldId, purse::PURSES_MAX};

/// The most accounts that one payment debits: the purses of a card, and what it owes.
pub const DEBITS_MAX: usize = PURSES_MAX + 1;

/// An approved transaction.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Original {
    /// Its record.
    pub seq: Seq,
    /// Recorded time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The business day it was booked on.
    pub day: i32,
    /// What its request was known by.
    pub key: TransactionKey,
    /// What it was.
    pub kind: Kind,
    /// Position of the merchant.
    pub merchant: u32,
    /// Position of the card.
    pub card: u32,
    /// Amount, minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// The merchant's fee, or the acquirer's.
    pub fee: Minor,
    /// Who got the merchant's.
    pub fees: FeeTakers,
    /// What each purse gave, and behind them what the cardholder owes of it, as it was posted: negative amounts in
    /// order of use.
    pub debits: ArrayVec<Posting, DEBITS_MAX>,
    /// Where the money went, the fee aside.
    pub payee: Option<AccountId>,
    /// How much of it has gone back.
    pub returned: Minor,
    /// The live hold, of a pre-authorization.
    pub hold: Option<HoldId>,
    /// The pre-authorization that it completed.
    pub completes: Option<Seq>,
    /// The time of its hold ran out, and nothing has been paid of it since.
    pub lapsed: bool,
    /// It was reversed itself: whatever is taken back of what followed it, it does not come alive again.
    pub reversed: bool,
}

/// Who got the fee of a payment, and how much. Two at most, so it is kept as small as that allows: there are a million
/// originals.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FeeTakers {
    accounts: [AccountId; PARTS_MAX],
    amounts: [Minor; PARTS_MAX],
}

const NOBODY: AccountId = AccountId(u32::MAX);

impl Default for FeeTakers {
    /// Nobody got any.
    fn default() -> Self {
        Self { accounts: [NOBODY; PARTS_MAX], amounts: [0; PARTS_MAX] }
    }
}

impl FeeTakers {
    /// One more who got something; nobody gets less than nothing, and of more than two none is kept.
    pub(super) fn add(&mut self, account: AccountId, amount: Minor) {
        let free = self.accounts.iter().position(|known| *known == NOBODY);
        if let (Some(place), 1..) = (free, amount) {
            (self.accounts[place], self.amounts[place]) = (account, amount);
        }
    }

    /// Each of them, with what it got.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, Minor)> {
        self.accounts.into_iter().zip(self.amounts).filter(|(account, _)| *account != NOBODY)
    }
}

impl Original {
    /// What was taken together, minor units.
    #[must_use]
    pub fn debited(&self) -> Minor {
        self.debits.iter().map(|debit| -debit.amount).sum()
    }
}

/// The approval code of a record: its last six digits, as field 38 and the end of field 37 carry it.
#[must_use]
pub fn approval_code(seq: Seq) -> u32 {
    (seq % 1_000_000) as u32
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Originals {
    /// In the order of their records.
    entries: VecDeque<Original>,
    /// What each of them is found by and leaves by. Beside the entries, of which one is five times as large: when the
    /// oldest leaves, its entry has not been looked at for a long time, and need not be.
    names: VecDeque<Name>,
    /// How many have left, counted in 32 bits. An entry's number is this and its position; it keeps it.
    left: u32,
    /// The newest with this card and approval code.
    by_code: Newest,
    /// The newest whose request was known by this.
    by_key: Newest,
    hasher: DefaultHashBuilder,
    /// Whose hold it is, for each live one.
    holders: HashMap<HoldId, Seq>,
    evicted: u64,
}

/// See [`Originals`].
#[derive(Clone, Copy, Debug)]
struct Name {
    time_ms: i64,
    seq: Seq,
    key: TransactionKey,
    card: u32,
    /// For [`Originals::by_code`].
    before_by_code: u32,
    /// For [`Originals::by_key`].
    before_by_key: u32,
}

impl Originals {
    /// Reserves room for the most entries the policy allows, so that later use allocates nothing. The memory is
    /// touched only as entries come.
    pub(super) fn reserve(&mut self, policy: &Policy) {
        let max = policy.originals_max as usize;
        let more = max.saturating_sub(self.entries.len());
        self.entries.reserve(more);
        self.names.reserve(more);
        self.make_room(max);
    }

    /// Makes slots for so many entries.
    fn make_room(&mut self, entries: usize) {
        if !self.by_code.has_room(entries) {
            self.make_slots(entries);
        }
    }

    #[cold]
    #[inline(never)]
    fn make_slots(&mut self, entries: usize) {
        self.by_code.begin_anew(entries);
        self.by_key.begin_anew(entries);
        let mut number = self.left;
        for name in &mut self.names {
            name.before_by_code = self.by_code.add(approval_code(name.seq), number);
            name.before_by_key = self.by_key.add(key_home(&self.hasher, &name.key), number);
            number = number.wrapping_add(1);
        }
    }

    /// The approved transaction of this card with this approval code.
    #[must_use]
    pub fn find(&self, card: u32, approval: u32) -> Option<&Original> {
        let (names, code) = (&self.names, (card, approval));
        let numbers = (self.left, names.len());
        let is_it = |at: usize| names[at].code() == code;
        let found = self.by_code.find(approval, numbers, is_it, |at| names[at].before_by_code)?;
        self.entries.get(found)
    }

    /// The approved transaction whose request was known by this, if a reversal of it would still move something.
    #[must_use]
    pub fn reversible(&self, key: &TransactionKey) -> Option<&Original> {
        let names = &self.names;
        let (home, numbers) = (key_home(&self.hasher, key), (self.left, names.len()));
        let found =
            self.by_key.find(home, numbers, |at| names[at].key == *key, |at| names[at].before_by_key)?;
        let original = self.entries.get(found)?;
        let moves = original.hold.is_some() || original.returned < original.debited();
        (moves && !original.reversed).then_some(original)
    }

    /// The approved transaction that this record holds.
    #[must_use]
    pub fn at(&self, seq: Seq) -> Option<&Original> {
        self.entries.get(self.position(seq)?)
    }

    fn at_mut(&mut self, seq: Seq) -> Option<&mut Original> {
        let at = self.position(seq)?;
        self.entries.get_mut(at)
    }

    /// Where the transaction of a record stands. Records that are kept stand among the others about evenly, so the search
    /// begins where it would stand if they did exactly, and from there takes steps that double: a few places are looked at,
    /// which lie together, where halving a million would wait for memory twenty times.
    fn position(&self, seq: Seq) -> Option<usize> {
        let seq_at = |at: usize| self.names.get(at).map(|entry| entry.seq);
        let last = self.names.len().checked_sub(1)?;
        let (begin, end) = (seq_at(0)?, seq_at(last)?);
        if !(begin..=end).contains(&seq) {
            return None;
        }
        let (behind, among) = (seq - begin, (end - begin).max(1));
        let part = match behind.checked_mul(last as u64) {
            Some(product) => product / among,
            None => u64::try_from(u128::from(behind) * last as u128 / u128::from(among)).ok()?,
        };
        let guess = usize::try_from(part).ok()?;
        let (mut low, mut high, mut step) = (guess, guess, 1);
        while low > 0 && seq_at(low)? > seq {
            (high, low) = (low, low.saturating_sub(step));
            step *= 2;
        }
        while high < last && seq_at(high)? < seq {
            (low, high) = (high, (high + step).min(last));
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if seq_at(middle)? < seq { low = middle + 1 } else { high = middle }
        }
        (seq_at(low)? == seq).then_some(low)
    }

    /// The pre-authorization whose hold this is.
    #[must_use]
    pub fn holding(&self, hold: HoldId) -> Option<Seq> {
        self.holders.get(&hold).copied()
    }

    /// A pre-authorization's hold has ended, or begun anew.
    pub(super) fn set_hold(&mut self, seq: Seq, hold: Option<HoldId>) {
        let Some(entry) = self.at_mut(seq) else { return };
        let before = std::mem::replace(&mut entry.hold, hold);
        if let Some(before) = before {
            self.holders.remove(&before);
        }
        if let Some(hold) = hold {
            self.holders.insert(hold, seq);
        }
    }

    /// The time of a pre-authorization's hold has run out.
    pub(super) fn set_lapsed(&mut self, seq: Seq) {
        if let Some(entry) = self.at_mut(seq) {
            entry.lapsed = true;
        }
    }

    /// So much more of an original has gone back, and so much more was authorized, or less where that is negative; `paid`
    /// says that something was paid of it after its hold's time.
    pub(super) fn note(&mut self, seq: Seq, returned: Minor, authorized: Minor, paid: bool) {
        if (returned, authorized, paid) == (0, 0, false) {
            return;
        }
        if let Some(entry) = self.at_mut(seq) {
            entry.returned += returned;
            entry.amount += authorized;
            entry.lapsed &= !paid;
        }
    }

    /// It was taken back by a reversal of its own.
    pub(super) fn mark_reversed(&mut self, seq: Seq) {
        if let Some(entry) = self.at_mut(seq) {
            entry.reversed = true;
        }
    }

    /// Adds the newest.
    pub(super) fn add(&mut self, entry: Original, policy: &Policy) {
        while self.names.front().is_some_and(|old| entry.time_ms - old.time_ms >= policy.refund_ms) {
            self.drop_oldest();
        }
        if self.entries.len() >= policy.originals_max as usize {
            self.drop_oldest();
            self.evicted += 1;
        }
        self.insert(entry);
    }

    fn insert(&mut self, entry: Original) {
        self.make_room(self.entries.len() + 1);
        // INVARIANT: the policy's maximum is 32 bits, and `add` keeps to it.
        let position = u32::try_from(self.entries.len()).expect("fewer than 2^32 originals");
        let number = self.left.wrapping_add(position);
        let Original { time_ms, seq, card, key, .. } = entry;
        let before_by_code = self.by_code.add(approval_code(seq), number);
        let before_by_key = self.by_key.add(key_home(&self.hasher, &key), number);
        self.names.push_back(Name { time_ms, seq, key, card, before_by_code, before_by_key });
        if let Some(hold) = entry.hold {
            self.holders.insert(hold, entry.seq);
        }
        self.entries.push_back(entry);
    }

    fn drop_oldest(&mut self) {
        if self.names.pop_front().is_none() {
            return;
        }
        if !self.holders.is_empty()
            && let Some(hold) = self.entries.front().and_then(|entry| entry.hold)
        {
            self.holders.remove(&hold);
        }
        self.entries.pop_front();
        self.left = self.left.wrapping_add(1);
    }

    /// Has the memory fetched that adding a transaction with this key will look at, beside what the one before it did.
    pub(super) fn warm(&self, key: &TransactionKey) {
        black_box(self.by_key.warm(key_home(&self.hasher, key)));
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Original> {
        self.entries.iter()
    }

    /// Those of earlier records than this one, the newest first.
    pub fn newest_before(&self, seq: Seq) -> impl Iterator<Item = &Original> {
        let earlier = self.names.partition_point(|entry| entry.seq < seq);
        self.entries.range(..earlier).rev()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many left before their time.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Puts an entry back as a checkpoint saved it; oldest first.
    pub(super) fn restore(&mut self, entry: Original) {
        self.insert(entry);
    }

    pub(super) fn restore_evicted(&mut self, evicted: u64) {
        self.evicted = evicted;
    }
}

/// Where the search for a key begins. Sixteen of a terminal have their slots side by side. Codes count up themselves, and few
/// that are kept have the same.
fn key_home(hasher: &DefaultHashBuilder, key: &TransactionKey) -> u32 {
    (key.hash_beside(hasher, 16) & 0xFFFF_FFFF) as u32
}

impl Name {
    /// What an original is found by on a receipt.
    fn code(&self) -> (u32, u32) {
        (self.card, approval_code(self.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: Seq, time_ms: i64) -> Original {
        Original {
            seq,
            time_ms,
            day: 0,
            key: TransactionKey { terminal: 0, batch: 1, stan: 1, class: 2 },
            kind: Kind::Purchase,
            merchant: 0,
            card: 7,
            amount: 5,
            currency: 156,
            fee: 0,
            fees: FeeTakers::default(),
            debits: ArrayVec::new(),
            payee: None,
            returned: 0,
            hold: None,
            completes: None,
            lapsed: false,
            reversed: false,
        }
    }

    /// Records that are kept stand anywhere among those that are not: evenly, in heaps, far apart.
    #[test]
    fn every_record_is_found_wherever_it_stands() {
        let policy = Policy { originals_max: 700, ..Policy::default() };
        let mut table = Originals::default();
        let (mut seq, mut seqs) = (1_u64, Vec::new());
        for step in 0..1_000_u64 {
            seq += match step / 100 % 4 {
                0 => 2,
                1 => 1 + step % 7,
                2 => 1_000_000,
                _ => 1,
            };
            table.add(entry(seq, 0), &policy);
            seqs.push(seq);
            if step % 97 == 0 || step == 999 {
                let kept = &seqs[seqs.len().saturating_sub(700)..];
                assert!(kept.iter().all(|seq| table.at(*seq).map(|found| found.seq) == Some(*seq)), "{step}");
                let between = kept.iter().map(|seq| seq + 1).filter(|seq| kept.binary_search(seq).is_err());
                assert!(
                    between.chain([0, kept[0] - 1, u64::MAX]).all(|seq| table.at(seq).is_none()),
                    "{step}"
                );
            }
        }
    }

    #[test]
    fn the_newest_with_a_code_is_found_and_the_oldest_leaves() {
        let policy = Policy { originals_max: 2, refund_ms: 1_000, ..Policy::default() };
        let mut table = Originals::default();
        table.add(entry(5, 0), &policy);
        table.add(entry(1_000_005, 10), &policy);
        assert_eq!(table.find(7, 5).map(|found| found.seq), Some(1_000_005), "the newest with the code");
        assert!(table.find(8, 5).is_none(), "another card");
        assert_eq!(table.at(5).map(|found| found.seq), Some(5), "the older one by its record");
        table.add(entry(1_000_006, 20), &policy);
        assert!(table.at(5).is_none());
        assert_eq!((table.len(), table.evicted()), (2, 1));
        assert_eq!(
            table.find(7, 5).map(|found| found.seq),
            Some(1_000_005),
            "its code is still the newer one's"
        );
        table.add(entry(1_000_007, 1_015), &policy);
        assert_eq!((table.len(), table.evicted()), (2, 1), "what is too old leaves uncounted");
        assert!(table.find(7, 5).is_none());
    }
}
