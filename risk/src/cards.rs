//! The lines of cards: a line only for a card that something was counted on.
//!
//! Most cards of a city lie in a drawer. A card that was never used costs a quarter of a byte here; the first use takes a
//! line, and a page for the sixteen cards around it if they have none yet. Finding a line is three looks, none of
//! them a search. Lines and pages come in pieces, so that none is ever moved: no request waits for the growth of a table.
//!
//! Start at [`CardLines::line`].

use crate::line::{self, Line};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct CardLines {
    opened: u32,
    /// For each [`PAGE`] cards the number of their page, or [`NONE`].
    directory: Vec<u32>,
    /// The number of each card's line, or [`NONE`].
    pages: Pieces<[u32; PAGE]>,
    lines: Pieces<Line>,
}

const PAGE: usize = 16;
const NONE: u32 = u32::MAX;

impl CardLines {
    /// Opens the next card.
    pub(crate) fn open(&mut self) {
        if (self.opened as usize).is_multiple_of(PAGE) {
            self.directory.push(NONE);
        }
        self.opened += 1;
    }

    /// Opens the first so many cards.
    pub(crate) fn open_up_to(&mut self, cards: u32) {
        while self.opened < cards {
            self.open();
        }
    }

    /// How many are open.
    pub(crate) fn opened(&self) -> u32 {
        self.opened
    }

    /// Whether a card has a line.
    pub(crate) fn is_used(&self, card: u32) -> bool {
        self.number(card).is_some()
    }

    /// How many have a line.
    pub(crate) fn used(&self) -> usize {
        self.lines.len()
    }

    /// The line of a card; an empty one if it was never used or never opened.
    pub(crate) fn line(&self, card: u32) -> &Line {
        self.number(card).map_or(&line::EMPTY, |number| self.lines.at(number))
    }

    /// The line of a card that has one.
    pub(crate) fn used_line(&mut self, card: u32) -> Option<&mut Line> {
        let number = self.number(card)?;
        Some(self.lines.at_mut(number))
    }

    /// The line of an open card, which is new at its first use.
    pub(crate) fn line_to_use(&mut self, card: u32) -> Option<&mut Line> {
        if card >= self.opened {
            return None;
        }
        let (block, place) = (card as usize / PAGE, card as usize % PAGE);
        if self.directory[block] == NONE {
            self.add_page(block);
        }
        let number = &mut self.pages.at_mut(self.directory[block])[place];
        if *number == NONE {
            return Some(self.add_line(block, place));
        }
        Some(self.lines.at_mut(*number))
    }

    #[cold]
    #[inline(never)]
    fn add_page(&mut self, block: usize) {
        self.directory[block] = self.pages.push([NONE; PAGE]);
    }

    #[cold]
    #[inline(never)]
    fn add_line(&mut self, block: usize, place: usize) -> &mut Line {
        let number = self.lines.push(line::EMPTY.clone());
        self.pages.at_mut(self.directory[block])[place] = number;
        self.lines.at_mut(number)
    }

    /// The lines of the cards that have one, in the order of the cards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Line)> {
        let pages = (0..).step_by(PAGE).zip(&self.directory).filter(|(_, page)| **page != NONE);
        let numbers = pages.flat_map(|(first, page)| (first..).zip(self.pages.at(*page)));
        numbers.filter(|(_, number)| **number != NONE).map(|(card, number)| (card, self.lines.at(*number)))
    }

    /// Bytes that cards without a line cost, and those that the lines and pages of the others cost.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.directory.capacity() * size_of::<u32>(), self.pages.bytes() + self.lines.bytes())
    }

    fn number(&self, card: u32) -> Option<u32> {
        let page = *self.directory.get(card as usize / PAGE)?;
        if page == NONE {
            return None;
        }
        let number = self.pages.at(page)[card as usize % PAGE];
        (number != NONE).then_some(number)
    }
}

impl PartialEq for CardLines {
    /// Numbers of lines and pages follow from the order of first uses, which says nothing.
    fn eq(&self, other: &Self) -> bool {
        self.opened == other.opened && self.iter().eq(other.iter())
    }
}

/// A list in pieces of which none is ever moved.
#[derive(Clone, Debug)]
struct Pieces<T> {
    pieces: Vec<Vec<T>>,
}

/// Entries in a piece.
const PIECE: usize = 1024;

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> Pieces<T> {
    fn len(&self) -> usize {
        let full = self.pieces.len().saturating_sub(1) * PIECE;
        full + self.pieces.last().map_or(0, Vec::len)
    }

    /// Adds an entry and returns its number.
    fn push(&mut self, entry: T) -> u32 {
        // INVARIANT: there are no more entries than cards, whose positions are 32 bits.
        let number = u32::try_from(self.len()).expect("fewer than 2^32 entries");
        match self.pieces.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(entry),
            None => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(entry);
                self.pieces.push(piece);
            }
        }
        number
    }

    fn at(&self, number: u32) -> &T {
        &self.pieces[number as usize / PIECE][number as usize % PIECE]
    }

    fn at_mut(&mut self, number: u32) -> &mut T {
        &mut self.pieces[number as usize / PIECE][number as usize % PIECE]
    }

    fn bytes(&self) -> usize {
        self.pieces.len() * PIECE * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counts, Day};

    const TODAY: Day = Day(20_780);

    fn opened(cards: u32) -> CardLines {
        let mut lines = CardLines::default();
        lines.open_up_to(cards);
        lines
    }

    fn use_card(lines: &mut CardLines, card: u32, amount: i64) {
        lines.line_to_use(card).expect("an open card").add(Counts::Attempts, TODAY, amount);
    }

    #[test]
    fn a_card_has_a_line_from_its_first_use_on() {
        let mut lines = opened(50);
        assert!((0..60).all(|card| lines.line(card) == &line::EMPTY && lines.used_line(card).is_none()));
        use_card(&mut lines, 49, 7);
        use_card(&mut lines, 3, 5);
        use_card(&mut lines, 49, 1);
        assert!(lines.line_to_use(50).is_none(), "never opened");
        let used: Vec<_> = lines.iter().map(|(card, _)| card).collect();
        assert_eq!((used, lines.used()), (vec![3, 49], 2));
        assert!(lines.used_line(49).is_some() && lines.line(48) == &line::EMPTY);
    }

    #[test]
    fn the_order_of_first_uses_makes_no_difference() {
        let (mut one, mut other) = (opened(5_000), opened(5_000));
        (0..5_000).step_by(3).for_each(|card| use_card(&mut one, card, i64::from(card)));
        (0..5_000).step_by(3).rev().for_each(|card| use_card(&mut other, card, i64::from(card)));
        assert_eq!(one, other);
        use_card(&mut other, 1, 1);
        assert_ne!(one, other);
        assert_ne!(opened(1), opened(2));
    }

    #[test]
    fn an_unused_card_costs_a_quarter_of_a_byte() {
        let mut lines = opened(1 << 20);
        assert_eq!(lines.bytes(), (1 << 18, 0));
        use_card(&mut lines, 77, 1);
        assert_eq!(lines.bytes(), (1 << 18, PIECE * (size_of::<Line>() + PAGE * 4)));
    }
}
