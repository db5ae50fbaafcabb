//! Holds: money promised but not yet taken, and the table in which the live ones are found.
//!
//! The table keeps three ways in: by id, by expiry, and in the order of ids. It knows no accounts and no time;
//! what a hold may promise and what becomes of the promise is in `holding`, beside it. How many there may be is
//! up to its users.
//!
//! Start at [`Hold`]; then [`Holds::find`] and [`Holds::next_expiry`].

use std::ops::Range;

use arrayvec::ArrayVec;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{AccountId, Currency, Minor, purse::PURSES_MAX};

/// What a hold is known by: the number of the record that placed it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct HoldId(pub u64);

/// The part of a hold that lies on one account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Leg {
    /// Which account.
    pub account: AccountId,
    /// Minor units, above zero.
    pub amount: Minor,
}

/// The legs of one hold, in the order in which a completion uses them.
pub type Legs = ArrayVec<Leg, PURSES_MAX>;

/// A promise of money from the purses of a card, until it is completed, released or expires.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hold {
    /// What it is known by.
    pub id: HoldId,
    /// Where the money lies.
    pub legs: Legs,
    /// The currency of every leg.
    pub currency: Currency,
    /// From when it may be released for its age, milliseconds since 1970 UTC.
    pub expires_ms: i64,
}

impl Hold {
    /// What it promises in all, minor units. The ledger places no hold for which this leaves the range.
    #[must_use]
    pub fn total(&self) -> Minor {
        self.legs.iter().fold(0, |sum, leg| sum.saturating_add(leg.amount))
    }
}

/// A hold, and where its deadline stands in the heap.
#[derive(Clone, Debug)]
struct Slot {
    hold: Hold,
    deadline: u32,
}

/// Compares by time, then by id, so that the order of expiry never depends on the order of slots.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Deadline {
    expires_ms: i64,
    id: HoldId,
    slot: u32,
}

/// The live holds.
///
/// A slab, an index by id, and a heap of deadlines that knows where each hold's own deadline stands. Placing and
/// removing take O(log n), and nothing from the allocator up to the number reserved; beyond it, nothing once the
/// table has been as full as it gets, but that the index may double once more later. A hold costs 104 bytes in the
/// slab, 28 in the heap and the free list, and 39 to 78 in the index.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: HashMap<HoldId, u32>,
    /// A binary heap: no deadline is earlier than the one at `(place - 1) / 2`.
    deadlines: Vec<Deadline>,
}

impl Holds {
    /// The live hold of this id.
    #[must_use]
    pub fn find(&self, id: HoldId) -> Option<&Hold> {
        self.by_id.get(&id).map(|slot| &self.slots[*slot as usize].hold)
    }

    /// The hold that expires first, and when; of several at the same time the one placed first.
    #[must_use]
    pub fn next_expiry(&self) -> Option<(i64, HoldId)> {
        self.deadlines.first().map(|deadline| (deadline.expires_ms, deadline.id))
    }

    /// How many are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All live holds in the order of their ids, as a checkpoint saves them. Sorts their places first: not for the
    /// hot path.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        let mut ordered: Vec<(HoldId, u32)> = self.by_id.iter().map(|(id, slot)| (*id, *slot)).collect();
        ordered.sort_unstable();
        ordered.into_iter().map(|(_, slot)| &self.slots[slot as usize].hold)
    }

    /// How many places the table has; some may be empty.
    #[must_use]
    pub fn places(&self) -> usize {
        self.slots.len()
    }

    /// The live holds in these places, in no order that means anything. Who goes through all places piece by piece sees each
    /// hold that is live all the while.
    pub fn in_places(&self, places: Range<usize>) -> impl Iterator<Item = &Hold> {
        let end = places.end.min(self.slots.len());
        let begin = places.start.min(end);
        let slots = self.slots[begin..end].iter().zip(position(begin)..);
        let is_live = |slot: &Slot, at: u32| self.by_id.get(&slot.hold.id) == Some(&at);
        slots.filter(move |(slot, at)| is_live(slot, *at)).map(|(slot, _)| &slot.hold)
    }

    /// Adds a hold whose id is not in the table: the ledger has looked.
    pub(super) fn insert(&mut self, hold: Hold) {
        let (id, expires_ms) = (hold.id, hold.expires_ms);
        let place = self.deadlines.len();
        let slot = self.store(Slot { hold, deadline: position(place) });
        self.by_id.insert(id, slot);
        self.deadlines.push(Deadline { expires_ms, id, slot });
        self.rise(place);
    }

    /// Takes a hold out; `None` if there is none of this id.
    pub(super) fn remove(&mut self, id: HoldId) -> Option<Hold> {
        let slot = self.by_id.remove(&id)?;
        self.free.push(slot);
        let Slot { ref hold, deadline } = self.slots[slot as usize];
        let (hold, place) = (hold.clone(), deadline as usize);
        self.deadlines.swap_remove(place);
        if place < self.deadlines.len() {
            // The deadline that fills the gap comes from another branch, so it may be early or late for this one.
            self.settle(place);
            let place = self.rise(place);
            self.sink(place);
        }
        Some(hold)
    }

    fn store(&mut self, slot: Slot) -> u32 {
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = slot;
            return free;
        }
        self.slots.push(slot);
        position(self.slots.len() - 1)
    }

    /// Tells the hold of the deadline at `place` where that is.
    fn settle(&mut self, place: usize) {
        let slot = self.deadlines[place].slot;
        self.slots[slot as usize].deadline = position(place);
    }

    /// Moves a deadline up past later ones; returns where it ends.
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.deadlines[above] <= self.deadlines[place] {
                break;
            }
            self.swap(above, place);
            place = above;
        }
        place
    }

    /// Moves a deadline down past earlier ones.
    fn sink(&mut self, mut place: usize) {
        loop {
            let below = place * 2 + 1..(place * 2 + 3).min(self.deadlines.len());
            let Some(earliest) = below.min_by_key(|at| self.deadlines[*at]) else { return };
            if self.deadlines[place] <= self.deadlines[earliest] {
                return;
            }
            self.swap(place, earliest);
            place = earliest;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.deadlines.swap(one, other);
        self.settle(one);
        self.settle(other);
    }
}

fn position(place: usize) -> u32 {
    // INVARIANT: 2³² live holds would take over 600 GB; their users bound them far below.
    u32::try_from(place).expect("fewer than 2^32 live holds")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use super::*;

    fn hold(id: u64, expires_ms: i64) -> Hold {
        let legs = [Leg { account: AccountId(1), amount: 5 }].into_iter().collect();
        Hold { id: HoldId(id), legs, currency: 156, expires_ms }
    }

    fn ids(holds: &Holds) -> Vec<u64> {
        holds.iter().map(|hold| hold.id.0).collect()
    }

    /// The holds that expire, first to last, by taking them all.
    fn drained(mut holds: Holds) -> Vec<(i64, u64)> {
        let next = |holds: &mut Holds| {
            let (expires_ms, id) = holds.next_expiry()?;
            holds.remove(id).unwrap();
            Some((expires_ms, id.0))
        };
        std::iter::from_fn(|| next(&mut holds)).collect()
    }

    #[test]
    fn holds_are_found_by_id_and_expire_by_time_then_id() {
        let mut holds = Holds::default();
        assert_eq!((holds.next_expiry(), holds.is_empty()), (None, true));
        for (id, expires_ms) in [(7, 30), (2, 10), (9, 10), (4, 20), (5, 10)] {
            holds.insert(hold(id, expires_ms));
        }
        assert_eq!(holds.find(HoldId(4)), Some(&hold(4, 20)));
        assert_eq!(holds.find(HoldId(3)), None);
        assert_eq!(ids(&holds), [2, 4, 5, 7, 9]);
        assert_eq!(drained(holds.clone()), [(10, 2), (10, 5), (10, 9), (20, 4), (30, 7)]);

        assert_eq!(holds.remove(HoldId(2)), Some(hold(2, 10)));
        assert_eq!(holds.remove(HoldId(2)), None, "a hold is taken out once");
        assert_eq!(holds.next_expiry(), Some((10, HoldId(5))));
        assert_eq!((holds.len(), ids(&holds)), (4, vec![4, 5, 7, 9]));
    }

    #[test]
    fn the_total_is_the_sum_of_the_legs() {
        let mut two = hold(1, 0);
        two.legs.push(Leg { account: AccountId(2), amount: 30 });
        assert_eq!(two.total(), 35);
    }

    /// A random walk beside a plain map, with thousands of holds alive; then the order in which they expire.
    #[test]
    fn long_use_agrees_with_a_plain_map() {
        let mut holds = Holds::default();
        let mut naive: BTreeMap<u64, i64> = BTreeMap::new();
        let mut state = 88_172_645_463_325_252_u64;
        for id in 0..20_000_u64 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let expires_ms = i64::try_from((state >> 20) % 5_000).unwrap();
            holds.insert(hold(id, expires_ms));
            naive.insert(id, expires_ms);
            // Two of three go again, mostly from the middle.
            for shift in [3, 27].into_iter().filter(|shift| !(state >> shift).is_multiple_of(3)) {
                let victim = (state >> shift) % (id + 1);
                let want = naive.remove(&victim).map(|expires_ms| hold(victim, expires_ms));
                assert_eq!(holds.remove(HoldId(victim)), want, "hold {victim} at {id}");
            }
            let earliest = naive.iter().map(|(id, expires_ms)| (*expires_ms, HoldId(*id))).min();
            if id % 50 == 0 {
                assert_eq!(holds.next_expiry(), earliest, "at {id}");
            }
        }
        assert!(naive.len() > 1_000, "{} are enough to make a deep heap", naive.len());
        assert_eq!(ids(&holds), naive.keys().copied().collect::<Vec<u64>>());
        let mut want: Vec<(i64, u64)> = naive.iter().map(|(id, expires_ms)| (*expires_ms, *id)).collect();
        want.sort_unstable();
        assert_eq!(drained(holds), want);
    }

    /// What the documentation of [`Holds`] says.
    #[test]
    fn a_hold_costs_what_is_promised() {
        assert_eq!((size_of::<Slot>(), size_of::<Deadline>()), (104, 24));
    }
}
