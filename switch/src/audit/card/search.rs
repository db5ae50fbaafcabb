//! Looking for cards, piece by piece: the books belong to the thread that decides, and ten million cards, a million
//! transactions and as many holds are not to be gone through while terminals wait.
//!
//! Each piece is looked at between two batches. What comes or goes between two pieces may be missing; what is shown in the
//! end is as it stands then. Start at [`Search`].

use super::{CARDS_MAX, CardMask, CardView, view};
use crate::{
    books::{Books, CardId},
    journal::Seq,
    ledger::{
        AccountKind,
        holds::{Hold, HoldId},
    },
};

/// Rows of a table that are looked at in one piece: about a millisecond.
const PIECE: usize = 16_384;

/// Approved transactions shown of a card.
const LAST: usize = 10;

/// Live holds shown of a card.
const HOLDS_MAX: usize = 100;

/// A card that was found, and what belongs to it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) card: CardId,
    /// Its last approved transactions, the newest first.
    pub(super) last: Vec<Seq>,
    /// Its live holds, the oldest first.
    pub(super) holds: Vec<HoldId>,
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    mask: CardMask,
    found: Vec<Found>,
    next: Next,
}

/// Where the next piece begins.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Behind so many cards.
    Cards(usize),
    /// In front of the transaction of this record.
    Originals(Seq),
    /// Behind so many places of the table of holds.
    Holds(usize),
    Nothing,
}

impl Search {
    /// A search for the cards of which this may be shown.
    #[must_use]
    pub fn new(mask: CardMask) -> Self {
        Self { mask, found: Vec::new(), next: Next::Cards(0) }
    }

    /// Looks at one piece more. Whether that was the last.
    pub fn step(&mut self, books: &Books) -> bool {
        self.next = match self.next {
            Next::Cards(seen) => self.look_at_cards(books, seen),
            Next::Originals(before) => self.look_at_originals(books, before),
            Next::Holds(seen) => self.look_at_holds(books, seen),
            Next::Nothing => Next::Nothing,
        };
        matches!(self.next, Next::Nothing)
    }

    /// What was found, as it stands now.
    #[must_use]
    pub fn views(&self, books: &Books) -> Vec<CardView> {
        self.found.iter().map(|found| view(books, found)).collect()
    }

    fn look_at_cards(&mut self, books: &Books, seen: usize) -> Next {
        for (card, row) in books.cards().behind(seen).take(PIECE) {
            if row.bin == self.mask.bin && row.last_four == self.mask.last_four {
                self.found.push(Found { card, last: Vec::new(), holds: Vec::new() });
                if self.found.len() == CARDS_MAX {
                    return Next::Originals(Seq::MAX);
                }
            }
        }
        match (seen + PIECE < books.cards().len(), self.found.is_empty()) {
            (true, _) => Next::Cards(seen + PIECE),
            (false, true) => Next::Nothing,
            (false, false) => Next::Originals(Seq::MAX),
        }
    }

    fn look_at_originals(&mut self, books: &Books, before: Seq) -> Next {
        let mut last = None;
        for original in books.originals().newest_before(before).take(PIECE) {
            last = Some(original.seq);
            let found = self.found.iter_mut().find(|found| found.card.0 == original.card);
            if let Some(found) = found.filter(|found| found.last.len() < LAST) {
                found.last.push(original.seq);
            }
        }
        match last {
            Some(last) if self.found.iter().any(|found| found.last.len() < LAST) => Next::Originals(last),
            _ => Next::Holds(0),
        }
    }

    fn look_at_holds(&mut self, books: &Books, seen: usize) -> Next {
        let holds = books.ledger().holds();
        for hold in holds.in_places(seen..seen + PIECE) {
            let card = card_of(books, hold);
            let found = self.found.iter_mut().find(|found| Some(found.card.0) == card);
            if let Some(found) = found.filter(|found| found.holds.len() < HOLDS_MAX) {
                found.holds.push(hold.id);
            }
        }
        if seen + PIECE < holds.places() {
            return Next::Holds(seen + PIECE);
        }
        self.found.iter_mut().for_each(|found| found.holds.sort_unstable());
        Next::Nothing
    }
}

fn card_of(books: &Books, hold: &Hold) -> Option<u32> {
    match books.ledger().account(hold.legs.first()?.account)?.kind {
        AccountKind::Purse { card, .. } => Some(card),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::History;

    #[test]
    fn a_search_goes_on_where_its_last_piece_ended() {
        let history = History::of_two_days();
        let mut search = Search::new("915600…0010".parse().unwrap());
        let mut pieces = 1;
        while !search.step(&history.books) {
            pieces += 1;
        }
        // One for the cards, two for the transactions, of which the second has no more, one for the holds.
        assert_eq!(pieces, 4);
        let [card] = search.views(&history.books).try_into().unwrap();
        assert_eq!((card.holds.len(), card.last[0].kind.as_str()), (1, "pre_authorization"));
        assert!(card.last.windows(2).all(|pair| pair[0].record > pair[1].record), "the newest first");
        let mut nobody = Search::new(CardMask { bin: 1, last_four: 10 });
        assert!(nobody.step(&history.books), "nothing more is looked at");
    }
}
