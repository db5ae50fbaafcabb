//! Places of entries by a key that the entries hold themselves.
//!
//! Only the places are kept, so an index over a million entries stays where the processor finds it quickly; a map that
//! repeated the keys would be several times as large. Most of what looking something up costs is waiting for memory, so
//! each operation looks at one place of it: a slot is the entry's place and half of its key's hash, and the slots of keys
//! that meet follow one another (linear probing, at most half of the slots taken). An entry is looked at only if 32 bits
//! of its hash are right. What a set of control bytes in front would save in size it would cost in a second wait.

use std::hash::{BuildHasher, Hash};

use hashbrown::DefaultHashBuilder;

/// See the module. `key_at` gives the key of the entry at a place of the index.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    len: usize,
    hasher: DefaultHashBuilder,
}

/// The upper half of a key's hash, then its place and one; zero is free.
type Slot = u64;

const FREE: Slot = 0;

/// The fewest slots there are, if there are any.
const SLOTS_MIN: usize = 16;

/// What a slot holds for an entry. The upper half of its hash stands in the upper half.
fn slot(hash: u64, place: u32) -> Slot {
    hash & !0xFFFF_FFFF | (u64::from(place) + 1)
}

fn place(slot: Slot) -> u32 {
    ((slot & 0xFFFF_FFFF) as u32).wrapping_sub(1)
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room, so that later use allocates nothing.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = ((self.len + more) * 2).next_power_of_two().max(SLOTS_MIN);
        if more == 0 || needed <= self.slots.len() {
            return;
        }
        let old = std::mem::replace(&mut self.slots, vec![FREE; needed]);
        for slot in old.into_iter().filter(|slot| *slot != FREE) {
            let at = self.free_from(self.home(slot));
            self.slots[at] = slot;
        }
    }

    /// The place of the entry with this key.
    pub(super) fn find<K: Hash + Eq>(&self, key: &K, key_at: impl Fn(u32) -> K) -> Option<u32> {
        let at = self.slot_of(self.hasher.hash_one(key), |other| key_at(other) == *key)?;
        Some(place(self.slots[at]))
    }

    /// Puts an entry in, instead of the one with the same key if there is one.
    pub(super) fn insert<K: Hash + Eq>(&mut self, key: &K, place: u32, key_at: impl Fn(u32) -> K) {
        let hash = self.hasher.hash_one(key);
        let new = slot(hash, place);
        if let Some(known) = self.slot_of(hash, |other| key_at(other) == *key) {
            self.slots[known] = new;
            return;
        }
        self.reserve(1);
        let at = self.free_from(self.home(new));
        self.slots[at] = new;
        self.len += 1;
    }

    /// Takes an entry out, unless another with the same key has come in its place.
    pub(super) fn remove<K: Hash>(&mut self, key: &K, place: u32) {
        let Some(mut gap) = self.slot_of(self.hasher.hash_one(key), |other| other == place) else { return };
        self.len -= 1;
        // What stands behind moves up, as far as it may stand there, so that no search ends at the gap.
        let mut next = self.after(gap);
        while self.slots[next] != FREE {
            let (way, to_gap) = (self.distance(self.home(self.slots[next]), next), self.distance(gap, next));
            if way >= to_gap {
                self.slots[gap] = self.slots[next];
                gap = next;
            }
            next = self.after(next);
        }
        self.slots[gap] = FREE;
    }

    /// Has the memory fetched that looking for this key, putting it in or taking it out will look at first. What comes
    /// back means nothing: it is for `black_box`, so that the look is not left out.
    pub(super) fn warm<K: Hash>(&self, key: &K) -> Slot {
        self.slots.get(self.home(self.hasher.hash_one(key))).copied().unwrap_or(FREE)
    }

    /// The slot of the entry with this hash that the caller knows by its place.
    fn slot_of(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            // None at all only before the first entry.
            let slot = *self.slots.get(at)?;
            if slot == FREE {
                return None;
            }
            if slot >> 32 == hash >> 32 && is_it(place(slot)) {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// Where the search for a hash begins: the upper half is all that a slot keeps of it.
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.slots.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// How many steps it is from one slot to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }

    /// The first free slot from here on. There is one: half of them are.
    fn free_from(&self, mut at: usize) -> usize {
        while self.slots[at] != FREE {
            at = self.after(at);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_newer_entry_takes_the_place_and_an_older_one_does_not_take_it_out() {
        let keys = ["a", "b", "a"];
        let key_at = |place: u32| keys[place as usize];
        let mut index = Index::default();
        assert_eq!(index.find(&"a", key_at), None, "before there is room");
        index.remove(&"a", 0);
        index.reserve(8);
        for place in [0, 1, 2] {
            index.insert(&key_at(place), place, key_at);
        }
        assert_eq!((index.len(), index.find(&"a", key_at), index.find(&"c", key_at)), (2, Some(2), None));
        index.remove(&"a", 0);
        assert_eq!(index.find(&"a", key_at), Some(2));
        index.remove(&"a", 2);
        index.remove(&"b", 1);
        assert!(index.is_empty());
    }

    #[test]
    fn it_grows_and_finds_everything_again() {
        let key_at = |place: u32| u64::from(place) * 7;
        let mut index = Index::default();
        (0..10_000).for_each(|place| index.insert(&key_at(place), place, key_at));
        assert!((0..10_000).all(|place| index.find(&key_at(place), key_at) == Some(place)));
    }

    #[test]
    fn what_was_reserved_is_not_grown() {
        let key_at = |place: u32| place;
        let mut index = Index::default();
        index.reserve(1_000);
        let slots = index.slots.as_ptr();
        (0..1_000).for_each(|place| index.insert(&place, place, key_at));
        assert_eq!(index.slots.as_ptr(), slots);
    }

    /// Few keys in few slots, so that runs are long, meet and wrap around the end.
    #[test]
    fn long_use_agrees_with_a_plain_map() {
        let key_at = |place: u32| place % 61;
        let mut index = Index::default();
        let mut naive: HashMap<u32, u32> = HashMap::new();
        let mut seed = 12_345_u32;
        for step in 0..200_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (place, takes_out) = ((seed >> 8) % 200, seed >> 31 == 1);
            let key = key_at(place);
            if takes_out {
                index.remove(&key, place);
                if naive.get(&key) == Some(&place) {
                    naive.remove(&key);
                }
            } else {
                index.insert(&key, place, key_at);
                naive.insert(key, place);
            }
            assert_eq!(index.len(), naive.len(), "step {step}");
            let asked = (seed >> 16) % 61;
            assert_eq!(index.find(&asked, key_at), naive.get(&asked).copied(), "step {step}");
        }
        (0..61).for_each(|key| assert_eq!(index.find(&key, key_at), naive.get(&key).copied()));
    }
}
