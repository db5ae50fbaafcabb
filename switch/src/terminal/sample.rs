//! The terminals and cards of a sample city, ready for use. Only test data is in such a folder.

use std::path::Path;

use arrayvec::ArrayVec;
use hsm_sim::{MacAlgorithm, Pan};

use super::card::CardInHand;
use super::pos::PosTerminal;
use crate::city::{CardRow, City, CityError, Dialect, MacKind, Secret, TerminalRow};

/// A city's folder, opened for its terminals and cards.
#[derive(Debug)]
pub struct Sample {
    city: City,
}

/// A card and the PIN its holder knows.
#[derive(Clone, Debug)]
pub struct TestCard {
    /// What can be read off it.
    pub card: CardInHand,
    /// ASCII digits.
    pub pin: Secret<ArrayVec<u8, 12>>,
    /// Sum of its purses when the city was imported, minor units.
    pub opening: i64,
    /// Line in `cards.csv`, from 1.
    pub line: u64,
}

/// Why the city does not have what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder does not hold a good city.
    #[error("city cannot be read; name its folder with --city")]
    City(#[from] CityError),
    /// No terminal of that name.
    #[error("city has no pos terminal {0}; see its terminals.csv")]
    NoTerminal(String),
    /// No terminal at all.
    #[error("city has no pos terminal")]
    NoTerminals,
    /// No card.
    #[error("city has no card in that place of its cards.csv")]
    NoCard,
}

impl Sample {
    /// Opens a city's folder.
    ///
    /// # Errors
    /// A file that is missing or wrong.
    pub fn open(dir: &Path) -> Result<Self, SampleError> {
        Ok(Self { city: City::open(dir)? })
    }

    /// The terminal with this id (field 41), or the city's first; `pos` terminals only.
    ///
    /// # Errors
    /// There is none.
    pub fn terminal(&self, id: Option<&str>) -> Result<PosTerminal, SampleError> {
        let mut terminals = self.city.terminals.iter().filter(|row| row.dialect == Dialect::Pos);
        match id {
            None => terminals.next().map(terminal).ok_or(SampleError::NoTerminals),
            Some(id) => {
                let found = terminals.find(|row| row.terminal_id == id.as_bytes());
                found.map(terminal).ok_or_else(|| SampleError::NoTerminal(id.escape_debug().to_string()))
            }
        }
    }

    /// The card with this number, if the city issued it.
    ///
    /// # Errors
    /// `cards.csv` is wrong before that card.
    pub fn card(&self, pan: &Pan) -> Result<Option<TestCard>, SampleError> {
        self.find(|row| row.pan == *pan)
    }

    /// The card in this line of `cards.csv`, from 1, the header's line.
    ///
    /// # Errors
    /// There is none, or `cards.csv` is wrong before it.
    pub fn card_in_line(&self, line: u64) -> Result<TestCard, SampleError> {
        self.find(|row| row.line == line)?.ok_or(SampleError::NoCard)
    }

    /// The city's first card.
    ///
    /// # Errors
    /// There is none, or its line is wrong.
    pub fn first_card(&self) -> Result<TestCard, SampleError> {
        self.find(|_| true)?.ok_or(SampleError::NoCard)
    }

    fn find(&self, wanted: impl Fn(&CardRow) -> bool) -> Result<Option<TestCard>, SampleError> {
        for row in self.city.cards()? {
            let row = row?;
            if wanted(&row) {
                return Ok(Some(TestCard {
                    opening: row.opening.iter().sum(),
                    line: row.line,
                    card: CardInHand::with_track(row.pan, row.expiry_yymm, row.track2.expose().clone()),
                    pin: row.pin,
                }));
            }
        }
        Ok(None)
    }
}

fn terminal(row: &TerminalRow) -> PosTerminal {
    let algorithm = match row.mac {
        MacKind::UnionPayEcb => MacAlgorithm::UnionPayEcb,
        MacKind::X919 => MacAlgorithm::X919,
    };
    PosTerminal::new(row.terminal_id, row.merchant_id, algorithm, *row.tmk.expose())
}
