//! What happened lately, entry by entry, with each subject's entries linked in their order.
//!
//! Entries come in pieces that are never moved: no request waits for the growth of a table. A piece whose entries are
//! all forgotten is the next one that is needed, so a log that keeps its length takes no memory from the allocator. A
//! link is the number of the subject's row and the place of its next entry; there is one for each way of counting that
//! needs the log.
//!
//! Start at [`Log::push`].

use std::collections::VecDeque;

use super::happened::{Marks, Whose};
use crate::Day;

/// A link that leads nowhere.
pub(super) const NONE: u32 = u32::MAX;

/// Entries of a piece.
const PIECE: u64 = 4_096;

/// An entry; what was taken back of it no longer counts as approved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) at_ms: i64,
    pub(super) amount: i64,
    pub(super) taken_back: i64,
    pub(super) whose: Whose,
    pub(super) day: Day,
    pub(super) currency: u16,
    /// One bit for each way of counting different ones: its own has come again since, with its subject.
    pub(super) came_again: u16,
    pub(super) marks: Marks,
}

// Entries are most of what a card that is in use costs.
const _: () = assert!(size_of::<Entry>() <= 72);

/// To the subject, and to its next entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) row: u32,
    pub(super) next: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pieces: VecDeque<Piece>,
    /// An empty one, to be used again.
    spare: Option<Piece>,
    /// Place of the oldest entry, counted from the first there ever was.
    first: u64,
    /// Behind the latest.
    end: u64,
    links: usize,
}

#[derive(Clone, Debug)]
struct Piece {
    entries: Vec<Entry>,
    links: Vec<Link>,
}

impl Piece {
    fn new(links: usize) -> Self {
        // INVARIANT: a few thousand fit.
        let entries = usize::try_from(PIECE).unwrap_or(0);
        Self { entries: Vec::with_capacity(entries), links: Vec::with_capacity(entries * links) }
    }
}

impl Log {
    /// A log with so many links for each entry.
    pub(super) fn new(links: usize) -> Self {
        Self { pieces: VecDeque::new(), spare: None, first: 0, end: 0, links }
    }

    /// Puts an entry at the end, not linked yet.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        let place = self.end;
        if place.is_multiple_of(PIECE) || self.pieces.is_empty() {
            let piece = self.spare.take().unwrap_or_else(|| Piece::new(self.links));
            self.pieces.push_back(piece);
        }
        if let Some(piece) = self.pieces.back_mut() {
            piece.entries.push(entry);
            piece.links.extend(std::iter::repeat_n(Link { row: NONE, next: NONE }, self.links));
        }
        self.end += 1;
        place
    }

    /// Forgets the oldest entry; nothing leads to it any more.
    pub(super) fn pop(&mut self) {
        if self.first == self.end {
            return;
        }
        self.first += 1;
        if self.first.is_multiple_of(PIECE)
            && let Some(mut piece) = self.pieces.pop_front()
        {
            piece.entries.clear();
            piece.links.clear();
            self.spare = Some(piece);
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn len(&self) -> u64 {
        self.end - self.first
    }

    pub(super) fn oldest(&self) -> Option<&Entry> {
        (self.first < self.end).then(|| self.entry(self.first))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        (self.first..self.end).map(|place| self.entry(place))
    }

    #[inline]
    pub(super) fn entry(&self, place: u64) -> &Entry {
        let (piece, within) = self.at(place);
        &self.pieces[piece].entries[within]
    }

    pub(super) fn entry_mut(&mut self, place: u64) -> &mut Entry {
        let (piece, within) = self.at(place);
        &mut self.pieces[piece].entries[within]
    }

    pub(super) fn link(&self, place: u64, link: usize) -> Link {
        let (piece, within) = self.at(place);
        self.pieces[piece].links[within * self.links + link]
    }

    pub(super) fn link_mut(&mut self, place: u64, link: usize) -> &mut Link {
        let (piece, within) = self.at(place);
        &mut self.pieces[piece].links[within * self.links + link]
    }

    fn at(&self, place: u64) -> (usize, usize) {
        // INVARIANT: there are not more pieces in memory than addresses.
        let piece = usize::try_from(place / PIECE - self.first / PIECE).unwrap_or(usize::MAX);
        (piece, (place % PIECE) as usize)
    }

    /// The entry of a record.
    pub(super) fn find(&self, number: u64) -> Option<u64> {
        let (mut low, mut high) = (self.first, self.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle).number.cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// A place as rows and links have it.
    pub(super) fn short(place: u64) -> u32 {
        // INVARIANT: a rest of a division by `u32::MAX` is smaller than that.
        u32::try_from(place % u64::from(NONE)).unwrap_or(NONE)
    }

    /// The place of its short form, which is not [`NONE`]: the one that is in the log.
    #[inline]
    pub(super) fn long(&self, short: u32) -> u64 {
        let (round, short, first) = (u64::from(NONE), u64::from(short), self.first % u64::from(NONE));
        self.first + if short >= first { short - first } else { short + round - first }
    }

    /// Bytes owned.
    pub(super) fn bytes(&self) -> usize {
        let of_piece = |piece: &Piece| {
            piece.entries.capacity() * size_of::<Entry>() + piece.links.capacity() * size_of::<Link>()
        };
        self.pieces.iter().chain(&self.spare).map(of_piece).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_their_short_form_past_the_end_of_its_numbers() {
        let round = u64::from(NONE);
        for first in [0, 5, round - 3, round, 7 * round - 1] {
            let log = Log { first, end: first + 10, ..Log::new(0) };
            for place in first..first + 10 {
                assert_eq!(log.long(Log::short(place)), place, "{place} from {first}");
                assert_ne!(Log::short(place), NONE, "{place}");
            }
        }
    }
}
