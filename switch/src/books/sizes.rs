//! What the books own in memory for their cards, part by part.
//!
//! From the capacities of the tables, so what is only reserved counts. Tables whose size is bounded by a setting
//! (requests, originals, notices) are left out.
//!
//! Start at [`Books::card_sizes`].

use super::Books;

/// Bytes owned for cards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardSizes {
    /// How many cards there are.
    pub cards: usize,
    /// Cards that were used: they have counters.
    pub used: usize,
    /// Cards and the index of their tokens.
    pub records: usize,
    /// All accounts, which are purses for nearly all.
    pub accounts: usize,
    /// What finding a card's counters costs, used or not.
    pub counters: usize,
    /// The counters of cards that were used.
    pub used_counters: usize,
}

impl CardSizes {
    /// Hundredths of a byte for each card, the counters of used cards aside; 0 without cards.
    #[must_use]
    pub fn idle_centibytes(&self) -> usize {
        ((self.records + self.accounts + self.counters) * 100).checked_div(self.cards).unwrap_or(0)
    }

    /// Bytes on top for each card that was used; 0 without one.
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        self.used_counters.checked_div(self.used).unwrap_or(0)
    }
}

impl Books {
    /// What the cards of these books cost.
    #[must_use]
    pub fn card_sizes(&self) -> CardSizes {
        let (counters, used_counters) = self.counters.card_bytes();
        CardSizes {
            cards: self.cards.len(),
            used: self.counters.cards_used(),
            records: self.cards.bytes(),
            accounts: self.ledger.account_bytes(),
            counters,
            used_counters,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use arrayvec::{ArrayString, ArrayVec};

    use super::*;
    use crate::{
        books::{
            event::{CardState, Event, IssuedCard, Pvv, Token},
            product::{PinRule, Product},
        },
        ledger::purse::PurseType,
    };

    fn apply(books: &mut Books, event: &Event) {
        books.apply(books.seq() + 1, 0, event).unwrap();
    }

    /// Books with a product of three purses.
    fn books() -> Books {
        let mut books = Books::default();
        for name in ["general", "transit", "medical"] {
            let (categories, max) = (ArrayVec::new(), 1_000);
            let purse = PurseType {
                name: name.to_owned(),
                currency: 156,
                categories,
                floor: 0,
                max,
                cash: true,
                last_day: None,
            };
            apply(&mut books, &Event::PurseDefined(purse));
        }
        let product = Product {
            name: "city".to_owned(),
            purses: [0, 1, 2].into_iter().collect(),
            load_purse: 0,
            balance_max: 1_000,
            pin: PinRule::Always,
            balance_needs_pin: false,
            regions: ArrayVec::new(),
            hold_ms: 1,
            hold_by_category: ArrayVec::new(),
            completion_over_pct: 0,
            late_completion: false,
            deposit: 0,
        };
        apply(&mut books, &Event::ProductDefined(product));
        let float = 1 << 40;
        apply(&mut books, &Event::OrdererOpened { name: "CITY".to_owned(), currency: 156, float });
        books
    }

    fn issued(at: u32) -> Event {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&(u64::from(at) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        token[8..12].copy_from_slice(&at.to_le_bytes());
        Event::CardIssued(IssuedCard {
            token: Token(token),
            bin: 915_600,
            last_four: u16::try_from(at % 10_000).unwrap(),
            product: 0,
            orderer: 0,
            state: CardState::Active,
            expiry_yymm: 3402,
            pvki: 1,
            pvv: Pvv(*b"4362"),
            phone: ArrayString::from("10000000001").unwrap(),
            regions: ArrayVec::new(),
            opening: [100, 20, 3].into_iter().collect(),
            deposit: 0,
        })
    }

    /// At every size: a table that is about to grow is fullest, one that has grown has the most room to spare.
    #[test]
    fn an_idle_card_with_three_purses_and_a_phone_costs_at_most_72_bytes() {
        let mut books = books();
        let (mut most, mut checked) = (0, 0);
        for at in 0..150_000 {
            apply(&mut books, &issued(at));
            let sizes = books.card_sizes();
            if sizes.cards >= 50_000 {
                (most, checked) = (most.max(sizes.idle_centibytes()), checked + 1);
            }
        }
        assert_eq!((checked, books.card_sizes().used_counters), (100_001, 0));
        assert!(most <= 7_200, "{most} hundredths of a byte");
        assert_eq!(books.ledger().verify(), Ok(()));
    }

    #[test]
    fn a_checkpoint_comes_back_no_larger() {
        let mut books = books();
        (0..60_000).for_each(|at| apply(&mut books, &issued(at)));
        let mut chunks = Vec::new();
        books.snapshot(&mut |chunk| chunks.push(chunk.to_vec()));
        let restored = Books::from_snapshot(&chunks).unwrap();
        assert!(restored.card_sizes().idle_centibytes() <= 7_200, "{:?}", restored.card_sizes());
        assert_eq!(restored.state_hash(), books.state_hash());
    }
}
