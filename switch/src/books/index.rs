//! Places of entries by a key that the entries hold themselves.
//!
//! Only the places are kept, so an index over a million entries stays where the processor finds it quickly; a map that
//! repeated the keys would be several times as large. Most of what looking something up costs is waiting for memory, so
//! each operation looks at one place of it: the slots of keys that meet follow one another (linear probing, at most half
//! of the slots taken). What a set of control bytes in front would save in size it would cost in a second wait.
//!
//! A slot has 32 bits: the lower ones of the place, how far it is from where its search begins, and in what is left a part
//! of its key's hash. The distance tells those that merely stand in the way from those whose search begins at the same
//! slot, so an entry is looked at only if some 28 bits of its hash are right; and slots move up without a look at theirs.
//!
//! Start at [`Index::find`].

use std::hash::{BuildHasher, Hash};

use hashbrown::DefaultHashBuilder;

/// What entries are found by.
pub(super) trait Key: Hash + Eq {
    /// Its hash. The lower half says where a search begins; a part of the upper half stands in the slot. What is asked for
    /// one after the other may stand side by side, so that it is not waited for each time.
    #[inline]
    fn hash_by(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one(self)
    }
}

/// See the module. `key_at` gives the key of the entry at a place of the index.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    len: usize,
    /// How many bits of a slot are the place: at most half of the slots are taken.
    place_bits: u32,
    /// Those bits, and those that are a part of the hash.
    masks: [Slot; 2],
    hasher: DefaultHashBuilder,
}

/// Place, distance, part of the hash, from the lowest bit.
type Slot = u32;

/// No slot that is taken looks like this: no distance has all its bits set.
const FREE: Slot = u32::MAX;

/// The fewest slots there are, if there are any.
const SLOTS_MIN: usize = 16;

/// Bits of a slot that are the distance.
const DISTANCE: u32 = 5;
/// So far or farther; how far then follows from the key.
const FAR: usize = 30;
/// The same as a slot says it.
const FAR_SLOT: Slot = 30;

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
    pub(super) fn reserve<K: Key>(&mut self, more: usize, key_at: impl Fn(u32) -> K) {
        if more > 0 {
            self.grow(self.len + more, key_at);
        }
    }

    /// Makes slots for so many entries, whose places are so many at most.
    #[inline]
    fn grow<K: Key>(&mut self, entries: usize, key_at: impl Fn(u32) -> K) {
        if entries * 2 > self.slots.len() {
            self.make((entries * 2).next_power_of_two().max(SLOTS_MIN), key_at);
        }
    }

    #[inline(never)]
    fn make<K: Key>(&mut self, needed: usize, key_at: impl Fn(u32) -> K) {
        let before = self.masks[0];
        let old = std::mem::replace(&mut self.slots, vec![FREE; needed]);
        self.place_bits = needed.trailing_zeros() - 1;
        // INVARIANT: the limits of the tables are far below what 27 bits count.
        assert!(self.place_bits + DISTANCE <= Slot::BITS, "an index of {needed} slots");
        self.masks =
            [(1 << self.place_bits) - 1, Slot::MAX.checked_shl(self.place_bits + DISTANCE).unwrap_or(0)];
        for slot in old.into_iter().filter(|slot| *slot != FREE) {
            let place = slot & before;
            self.put(key_at(place).hash_by(&self.hasher), place);
        }
    }

    /// What an entry with this key is looked for by, for whoever looks more than once.
    #[inline]
    pub(super) fn hash_of<K: Key>(&self, key: &K) -> u64 {
        key.hash_by(&self.hasher)
    }

    /// The place of the entry with this hash that the caller knows by its place.
    #[inline]
    pub(super) fn find_by(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let at = self.slot_of(hash, is_it)?;
        Some(self.slots[at] & self.masks[0])
    }

    /// Puts an entry in whose key has this hash and is none that is there.
    pub(super) fn add<K: Key>(&mut self, hash: u64, place: u32, key_at: impl Fn(u32) -> K) {
        self.grow((place as usize + 1).max(self.len + 1), key_at);
        self.put(hash, place);
        self.len += 1;
    }

    /// The place of the entry with this key.
    pub(super) fn find<K: Key>(&self, key: &K, key_at: impl Fn(u32) -> K) -> Option<u32> {
        let at = self.slot_of(key.hash_by(&self.hasher), |other| key_at(other) == *key)?;
        Some(self.slots[at] & self.masks[0])
    }

    /// Puts an entry in, instead of the one with the same key if there is one.
    pub(super) fn insert<K: Key>(&mut self, key: &K, place: u32, key_at: impl Fn(u32) -> K) {
        self.grow((place as usize + 1).max(self.len + 1), &key_at);
        let mask = self.masks[0];
        match self.seek(key.hash_by(&self.hasher), |other| key_at(other) == *key) {
            Ok(known) => self.slots[known] = self.slots[known] & !mask | place & mask,
            Err((free, looks_like)) => {
                self.slots[free] = looks_like | place & mask;
                self.len += 1;
            }
        }
    }

    /// Takes an entry out, unless another with the same key has come in its place.
    pub(super) fn remove<K: Key>(&mut self, key: &K, place: u32, key_at: impl Fn(u32) -> K) {
        let Some(mut gap) = self.slot_of(key.hash_by(&self.hasher), |other| other == place) else { return };
        self.len -= 1;
        // What stands behind moves up, as far as it may stand there, so that no search ends at the gap.
        let mut next = self.after(gap);
        while self.slots[next] != FREE {
            let slot = self.slots[next];
            let to_gap = self.distance(gap, next);
            let way = match self.way(slot) {
                FAR => {
                    let home = self.home(key_at(slot & self.masks[0]).hash_by(&self.hasher));
                    self.distance(home, next)
                }
                way => way,
            };
            if way >= to_gap {
                self.slots[gap] = self.with_way(slot, way - to_gap);
                gap = next;
            }
            next = self.after(next);
        }
        self.slots[gap] = FREE;
    }

    /// Has the memory fetched that looking for this key, putting it in or taking it out will look at first. What comes
    /// back means nothing: it is for `black_box`, so that the look is not left out.
    pub(super) fn warm<K: Key>(&self, key: &K) -> Slot {
        self.slots.get(self.home(key.hash_by(&self.hasher))).copied().unwrap_or(FREE)
    }

    /// Bytes that its slots own.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// Puts a place into the first free slot from where its search begins. There is one: half of them are.
    fn put(&mut self, hash: u64, place: u32) {
        let (mut at, mut way) = (self.home(hash), 0);
        while self.slots[at] != FREE {
            (at, way) = (self.after(at), way + 1);
        }
        let slot = self.part(hash) | place & self.masks[0];
        self.slots[at] = self.with_way(slot, way);
    }

    /// The slot of the entry with this hash that the caller knows by its place.
    fn slot_of(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        // None at all only before the first entry.
        if self.slots.is_empty() { None } else { self.seek(hash, is_it).ok() }
    }

    /// The same, where there are slots; if there is no such entry the free slot in which it would stand, and what that
    /// slot would look like, the place aside.
    #[inline]
    fn seek(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Result<usize, (usize, Slot)> {
        let (last, mask) = (self.slots.len() - 1, self.masks[0]);
        let (mut at, mut looks_like) = (self.home(hash), self.part(hash));
        let one_farther = mask + 1;
        let farthest = looks_like + one_farther * FAR_SLOT;
        loop {
            let slot = self.slots[at & last];
            if slot == FREE {
                return Err((at & last, looks_like));
            }
            if slot & !mask == looks_like && is_it(slot & mask) {
                return Ok(at & last);
            }
            at += 1;
            if looks_like != farthest {
                looks_like += one_farther;
            }
        }
    }

    /// The part of a hash that a slot keeps, where the slot keeps it: its uppermost bits, as the lower ones say where the
    /// search begins.
    fn part(&self, hash: u64) -> Slot {
        (hash >> 32) as u32 & self.masks[1]
    }

    fn way(&self, slot: Slot) -> usize {
        (slot >> self.place_bits) as usize & ((1 << DISTANCE) - 1)
    }

    /// A slot with this distance instead of its own.
    fn with_way(&self, slot: Slot, way: usize) -> Slot {
        let bits = self.place_bits;
        let mask = ((1 << DISTANCE) - 1) << bits;
        slot & !mask | Slot::try_from(way.min(FAR)).unwrap_or(0) << bits
    }

    /// Where the search for a hash begins.
    fn home(&self, hash: u64) -> usize {
        (hash & 0xFFFF_FFFF) as usize & self.slots.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// How many steps it is from one slot to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    impl Key for &str {}
    impl Key for u32 {}
    impl Key for u64 {}

    #[test]
    fn a_newer_entry_takes_the_place_and_an_older_one_does_not_take_it_out() {
        let keys = ["a", "b", "a"];
        let key_at = |place: u32| keys[place as usize];
        let mut index = Index::default();
        assert_eq!(index.find(&"a", key_at), None, "before there is room");
        index.remove(&"a", 0, key_at);
        index.reserve(8, key_at);
        for place in [0, 1, 2] {
            index.insert(&key_at(place), place, key_at);
        }
        assert_eq!((index.len(), index.find(&"a", key_at), index.find(&"c", key_at)), (2, Some(2), None));
        index.remove(&"a", 0, key_at);
        assert_eq!(index.find(&"a", key_at), Some(2));
        index.remove(&"a", 2, key_at);
        index.remove(&"b", 1, key_at);
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
        index.reserve(1_000, key_at);
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
                index.remove(&key, place, key_at);
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

    /// A hash that makes all keys meet, so that what is far from where its search begins moves up, too.
    #[test]
    fn what_stands_far_away_is_found_and_moves_up() {
        #[derive(Clone, Copy, Eq, PartialEq)]
        struct Same(u32);
        impl Key for Same {}
        impl Hash for Same {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                (self.0 % 2).hash(state);
            }
        }
        let mut index = Index::default();
        (0..100).for_each(|place| index.insert(&Same(place), place, Same));
        for gone in (0..100).step_by(3) {
            index.remove(&Same(gone), gone, Same);
        }
        for place in 0..100 {
            let want = (place % 3 != 0).then_some(place);
            assert_eq!(index.find(&Same(place), Same), want);
        }
    }
}
