//! A bounded cache of unwrapped keys, found by index and never by hashing.
//!
//! Eviction is second chance: a hand goes round, spares once what was used since
//! it last came by, and takes the first that was not. Whatever leaves is wiped
//! where it stands, because dropping a [`Schedule`] wipes it.

use crate::schedule::Schedule;

/// Unwrapped keys by cache index.
pub(crate) struct KeyCache {
    entries: Vec<Entry>,
    capacity: usize,
    hand: usize,
}

struct Entry {
    occupant: Option<Occupant>,
    recently_used: bool,
}

struct Occupant {
    slot: u32,
    schedule: Schedule,
}

impl KeyCache {
    /// Room for `capacity` keys, at least one; allocated here and never again.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { entries: Vec::with_capacity(capacity), capacity, hand: 0 }
    }

    /// The key at `index`, if it is still the one of `slot`.
    pub(crate) fn find(&mut self, index: usize, slot: u32) -> Option<&Schedule> {
        let entry = self.entries.get_mut(index)?;
        let occupant = entry.occupant.as_ref().filter(|occupant| occupant.slot == slot)?;
        entry.recently_used = true;
        Some(&occupant.schedule)
    }

    /// Puts a key in, evicting another if all places are taken; returns its index.
    pub(crate) fn insert(&mut self, slot: u32, schedule: Schedule) -> usize {
        let index = self.place();
        let entry = &mut self.entries[index];
        entry.recently_used = true;
        entry.occupant = Some(Occupant { slot, schedule });
        index
    }

    /// Wipes the key at `index` if it is the one of `slot`.
    pub(crate) fn remove(&mut self, index: usize, slot: u32) {
        if let Some(entry) = self.entries.get_mut(index)
            && entry.occupant.as_ref().is_some_and(|occupant| occupant.slot == slot)
        {
            *entry = Entry { occupant: None, recently_used: false };
        }
    }

    fn place(&mut self) -> usize {
        if self.entries.len() < self.capacity {
            self.entries.push(Entry { occupant: None, recently_used: false });
            return self.entries.len() - 1;
        }
        // Ends within two rounds: the first clears every mark.
        loop {
            let index = self.hand;
            self.hand = (self.hand + 1) % self.capacity;
            if !std::mem::take(&mut self.entries[index].recently_used) {
                return index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::KeyUsage;

    /// A key that can be told from others by its check value.
    fn key(number: u8) -> Schedule {
        Schedule::new(KeyUsage::Token, &[number; 32]).unwrap()
    }

    fn holds(cache: &mut KeyCache, index: usize, slot: u8) -> bool {
        cache.find(index, slot.into()).is_some_and(|found| found.check_value() == key(slot).check_value())
    }

    #[test]
    fn what_was_used_since_the_hand_came_by_stays() {
        let mut cache = KeyCache::new(3);
        for slot in 0..3 {
            assert_eq!(cache.insert(slot.into(), key(slot)), usize::from(slot));
        }
        // All are marked: the hand clears the marks and takes the first.
        assert_eq!(cache.insert(3, key(3)), 0);
        // 1 is used, so 2 goes next.
        assert!(holds(&mut cache, 1, 1));
        assert_eq!(cache.insert(4, key(4)), 2);
        assert!(holds(&mut cache, 0, 3) && holds(&mut cache, 1, 1) && holds(&mut cache, 2, 4));
    }

    #[test]
    fn an_index_that_now_holds_another_key_finds_nothing() {
        let mut cache = KeyCache::new(1);
        cache.insert(7, key(7));
        cache.insert(8, key(8));
        assert!(!holds(&mut cache, 0, 7));
        assert!(holds(&mut cache, 0, 8));
        cache.remove(0, 7);
        assert!(holds(&mut cache, 0, 8), "only its own slot removes a key");
        cache.remove(0, 8);
        assert!(!holds(&mut cache, 0, 8));
    }

    #[test]
    fn room_for_none_is_room_for_one() {
        let mut cache = KeyCache::new(0);
        assert_eq!(cache.insert(1, key(1)), 0);
        assert!(holds(&mut cache, 0, 1));
    }
}
