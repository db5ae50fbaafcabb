//! The newest entry with a key, among entries that leave in the order in which they came.
//!
//! A slot names the newest entry whose search begins there, by its number, and each entry the one that its slot named
//! before. Whoever leaves is taken out nowhere: numbers say who is still there, and a search ends at the first that is
//! not, since whatever stands behind it is older. So adding looks at one place of memory, leaving at none, and nothing is
//! ever moved; [`super::index`], whose entries leave in any order, looks at one for either.
//!
//! Where the search for a key begins, its `home`, is for the caller to say: what comes one after the other may stand side
//! by side, so that it is not waited for each time.
//!
//! Numbers count up in 32 bits and begin anew. A slot that nothing was added to for so long names an entry that is none of
//! its own: the search passes through entries of another slot then, each older than the one before it, and finds nothing.
//!
//! Start at [`Newest::find`].

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Newest {
    /// A power of two of them, or none.
    slots: Vec<u32>,
}

impl std::fmt::Debug for Newest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Newest").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Newest {
    /// Whether there are slots for so many entries, one for each.
    pub(super) fn has_room(&self, entries: usize) -> bool {
        entries <= self.slots.len()
    }

    /// Makes slots for so many entries and forgets them all: they are added again, oldest first. Memory is touched only
    /// as they come.
    pub(super) fn begin_anew(&mut self, entries: usize) {
        self.slots = vec![0; entries.next_power_of_two()];
    }

    /// Notes an entry, newer than all others, in its slot. Returns the number of the one before it there, for the entry to
    /// keep.
    #[inline]
    pub(super) fn add(&mut self, home: u32, number: u32) -> u32 {
        let slot = self.slot(home);
        std::mem::replace(&mut self.slots[slot], number)
    }

    /// The position of the newest entry that `has` the key, among `len` entries of which the first has the number `first`.
    /// `before` gives the number that [`Newest::add`] returned for the entry at a position.
    #[inline]
    pub(super) fn find(
        &self,
        home: u32,
        (first, len): (u32, usize),
        has: impl Fn(usize) -> bool,
        before: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let (mut number, mut newer) = (*self.slots.get(self.slot(home))?, len);
        loop {
            let at = number.wrapping_sub(first) as usize;
            if at >= newer {
                return None;
            }
            if has(at) {
                return Some(at);
            }
            (number, newer) = (before(at), at);
        }
    }

    /// Has the memory fetched that adding an entry will look at. What comes back means nothing.
    pub(super) fn warm(&self, home: u32) -> u32 {
        self.slots.get(self.slot(home)).copied().unwrap_or(0)
    }

    #[inline]
    fn slot(&self, home: u32) -> usize {
        home as usize & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Entries with their keys and whom they stand in front of.
    struct Table {
        entries: VecDeque<(u32, u32)>,
        first: u32,
        newest: Newest,
    }

    impl Table {
        fn find(&self, key: u32) -> Option<u32> {
            let numbers = (self.first, self.entries.len());
            let at =
                self.newest.find(key, numbers, |at| self.entries[at].0 == key, |at| self.entries[at].1)?;
            Some(self.first.wrapping_add(u32::try_from(at).ok()?))
        }
    }

    /// Beside a plain search, with fewer slots than keys, and over the end of the numbers.
    #[test]
    fn the_newest_is_found_and_nobody_who_has_left() {
        for (first, slots) in [(0, 64), (u32::MAX - 700, 64), (u32::MAX - 3, 1)] {
            let mut table = Table { entries: VecDeque::new(), first, newest: Newest::default() };
            assert_eq!(table.find(3), None, "before there are slots");
            table.newest.begin_anew(slots);
            let mut random = 1_u32;
            for step in 0..2_000_u32 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if table.entries.len() >= 60 || (step % 97 == 0 && !table.entries.is_empty()) {
                    table.entries.pop_front();
                    table.first = table.first.wrapping_add(1);
                }
                let number = table.first.wrapping_add(u32::try_from(table.entries.len()).unwrap_or(0));
                let key = (random >> 16) % 200;
                let before = table.newest.add(key, number);
                table.entries.push_back((key, before));
                for key in 0..200 {
                    let plain = (0..).zip(&table.entries).filter(|(_, entry)| entry.0 == key).last();
                    let want = plain.map(|(at, _)| table.first.wrapping_add(at));
                    assert_eq!(table.find(key), want, "key {key} in step {step}");
                }
            }
        }
    }
}
