//! The sample city as the tests see it: its cards with PINs and tracks, its terminals with their master keys.

use std::path::PathBuf;

use cardswitch::{
    city::{CardRow, TerminalRow},
    ledger::Minor,
};

use crate::{ask::Card, fixture, terminal::Terminal};

/// The line of `cards.csv` on which the ordinary cards begin; those above have a part to play.
pub const ORDINARY: std::ops::RangeInclusive<u64> = 18..=61;

/// The sample city of `fixtures/city`.
pub struct City {
    rows: cardswitch::city::City,
    cards: Vec<CardRow>,
}

impl std::fmt::Debug for City {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("City").field("cards", &self.cards.len()).finish_non_exhaustive()
    }
}

impl City {
    /// Loads it.
    #[must_use]
    pub fn open() -> Self {
        let rows = cardswitch::city::City::open(&Self::folder()).expect("the sample city");
        let cards = rows.cards().expect("cards.csv").collect::<Result<_, _>>().expect("cards.csv");
        Self { rows, cards }
    }

    /// Its folder.
    #[must_use]
    pub fn folder() -> PathBuf {
        fixture("city")
    }

    /// Its files, parsed by the switch's own loader.
    #[must_use]
    pub fn files(&self) -> &cardswitch::city::City {
        &self.rows
    }

    /// All rows of `cards.csv`, in order: a card's position here is its position in the books.
    #[must_use]
    pub fn cards(&self) -> &[CardRow] {
        &self.cards
    }

    /// The card on a line of `cards.csv`.
    #[must_use]
    pub fn card(&self, line: u64) -> Card {
        let row = self.cards.iter().find(|row| row.line == line).expect("a line of cards.csv");
        Card::of(row)
    }

    /// Ordinary active cards of the product `city`: none plays a part, all hold enough for a while.
    #[must_use]
    pub fn ordinary_cards(&self) -> Vec<Card> {
        let active = cardswitch::city::CardState::Active;
        let rows = self
            .cards
            .iter()
            .filter(|row| ORDINARY.contains(&row.line) && row.product == 0 && row.state == active);
        rows.map(Card::of).collect()
    }

    /// What the card on a line held at first, all purses together, minor units.
    #[must_use]
    pub fn opening(&self, line: u64) -> Minor {
        let row = self.cards.iter().find(|row| row.line == line).expect("a line of cards.csv");
        row.opening.iter().sum()
    }

    /// The terminal with this field 41, as it leaves the workshop: master key injected, never signed in.
    #[must_use]
    pub fn terminal(&self, id: &str) -> Terminal {
        Terminal::of(self.terminal_row(id))
    }

    /// Its row of `terminals.csv`.
    #[must_use]
    pub fn terminal_row(&self, id: &str) -> &TerminalRow {
        let row = self.rows.terminals.iter().find(|row| row.terminal_id == id.as_bytes());
        row.expect("a terminal of terminals.csv")
    }
}
