//! Places of entries by a key that the entries hold themselves.
//!
//! Only the places are kept, four bytes for each, so an index over a million entries stays where the processor finds it
//! quickly; a map that repeated the keys would be six times as large, and most of what looking something up costs is
//! waiting for memory. An entry is looked at only if seven bits of its hash are right.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

/// See the module. `key_at` gives the key of the entry at a place of the index.
#[derive(Clone, Default)]
pub(super) struct Index {
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("len", &self.places.len()).finish()
    }
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Makes room, so that later use allocates nothing.
    pub(super) fn reserve<K: Hash>(&mut self, more: usize, key_at: impl Fn(u32) -> K) {
        let hasher = &self.hasher;
        self.places.reserve(more, |place| hasher.hash_one(key_at(*place)));
    }

    /// The place of the entry with this key.
    pub(super) fn find<K: Hash + Eq>(&self, key: &K, key_at: impl Fn(u32) -> K) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.places.find(hash, |place| key_at(*place) == *key).copied()
    }

    /// Puts an entry in, instead of the one with the same key if there is one.
    pub(super) fn insert<K: Hash + Eq>(&mut self, key: &K, place: u32, key_at: impl Fn(u32) -> K) {
        let Self { places, hasher } = self;
        let is_same = |other: &u32| key_at(*other) == *key;
        match places.entry(hasher.hash_one(key), is_same, |other| hasher.hash_one(key_at(*other))) {
            Entry::Occupied(mut known) => *known.get_mut() = place,
            Entry::Vacant(free) => {
                free.insert(place);
            }
        }
    }

    /// Takes an entry out, unless another with the same key has come in its place.
    pub(super) fn remove<K: Hash>(&mut self, key: &K, place: u32) {
        let hash = self.hasher.hash_one(key);
        if let Ok(known) = self.places.find_entry(hash, |other| *other == place) {
            known.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_entry_takes_the_place_and_an_older_one_does_not_take_it_out() {
        let keys = ["a", "b", "a"];
        let key_at = |place: u32| keys[place as usize];
        let mut index = Index::default();
        index.reserve(8, key_at);
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
}
