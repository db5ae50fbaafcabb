//! The terminals, hosts and cards of a sample city, ready for use. Only test data is in such a folder.

use std::path::{Path, PathBuf};

use arrayvec::ArrayVec;
use hsm_sim::emulator::{EmulatorError, Psam, PsamMasters, Zone};
use hsm_sim::{Entropy, MacAlgorithm, Pan, PsamNumber};

use super::atm::AtmHost;
use super::card::CardInHand;
use super::epos::EposTerminal;
use super::error::TerminalError;
use super::pos::PosTerminal;
use crate::city::{
    AcquirerRow, CardRow, CardValues, City, CityError, Dialect, HostMac, MacKind, Secret, TerminalRow,
    TestKeys,
};

/// Where a city's test keys stand.
const KEYS: &str = "keys.toml";

/// A city's folder, opened for its terminals and cards.
#[derive(Debug)]
pub struct Sample {
    dir: PathBuf,
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
    #[error("city has no {dialect} terminal {id}; see its terminals.csv")]
    NoTerminal {
        /// What it should speak.
        dialect: &'static str,
        /// What it should be called.
        id: String,
    },
    /// No terminal at all.
    #[error("city has no {0} terminal")]
    NoTerminals(&'static str),
    /// No card.
    #[error("city has no card in that place of its cards.csv")]
    NoCard,
    /// The key file lacks a PSAM's masters or an acquirer's zone.
    #[error("city has no keys for that terminal; see its keys.toml")]
    NoKeys,
    /// The city's keys are wrapped, so nobody can play its terminals and cards.
    #[error("city has key blocks, not test keys in clear; play the test city that it was wrapped from")]
    Wrapped,
    /// A key of the key file is none that can be used.
    #[error("key of the city cannot be used")]
    Keys(#[source] EmulatorError),
    /// A terminal cannot be made of its row.
    #[error("terminal of the city cannot be used")]
    Terminal(#[source] TerminalError),
}

impl Sample {
    /// Opens a city's folder.
    ///
    /// # Errors
    /// A file that is missing or wrong.
    pub fn open(dir: &Path) -> Result<Self, SampleError> {
        Ok(Self { dir: dir.to_owned(), city: City::open(dir)? })
    }

    /// What its files say of terminals and all they belong to.
    #[must_use]
    pub fn city(&self) -> &City {
        &self.city
    }

    /// The terminal with this id (field 41), or the city's first; `pos` terminals only.
    ///
    /// # Errors
    /// There is none.
    pub fn terminal(&self, id: Option<&str>) -> Result<PosTerminal, SampleError> {
        let row = self.row(Dialect::Pos, "pos", id)?;
        let algorithm = match row.mac {
            MacKind::UnionPayEcb => MacAlgorithm::UnionPayEcb,
            MacKind::X919 => MacAlgorithm::X919,
        };
        let tmk = *row.tmk.clear().ok_or(SampleError::Wrapped)?;
        Ok(PosTerminal::new(row.terminal_id, row.merchant_id, algorithm, tmk))
    }

    /// The telephone terminal with this id (field 41), or the city's first, with its PSAM, calling from its own line;
    /// `epos` terminals only. It draws from `entropy`.
    ///
    /// # Errors
    /// There is none, or the key file has not its masters.
    pub fn epos_terminal(
        &self,
        id: Option<&str>,
        entropy: Box<dyn Entropy + Send>,
    ) -> Result<EposTerminal, SampleError> {
        let row = self.row(Dialect::Epos, "epos", id)?;
        let psam = row.psam.and_then(|place| self.city.psams.get(place as usize));
        let (psam, phone) = psam.zip(row.phone).ok_or(SampleError::NoKeys)?;
        let keys = self.keys()?;
        let masters = keys.psam_masters.iter().find(|masters| masters.version == psam.key_version);
        let masters = masters.ok_or(SampleError::NoKeys)?;
        let masters = PsamMasters {
            pin: *masters.pin.expose(),
            mac: *masters.mac.expose(),
            track: *masters.track.expose(),
            auth: *masters.auth.expose(),
        };
        let number = PsamNumber::parse_bcd(&psam.psam_no).map_err(|_| SampleError::NoKeys)?;
        let made = Psam::new(number, &masters).map_err(SampleError::Keys)?;
        let (id, merchant) = (row.terminal_id, row.merchant_id);
        EposTerminal::new(id, merchant, made, psam.key_version, phone.expose(), entropy)
            .map_err(SampleError::Terminal)
    }

    /// The host behind which the cash machine with this id (field 41) stands, or the city's first cash machine, and
    /// that id. New keys it draws from `entropy`.
    ///
    /// # Errors
    /// There is none, or the key file has not its acquirer's zone.
    pub fn atm_host(
        &self,
        terminal: Option<&str>,
        entropy: Box<dyn Entropy + Send>,
    ) -> Result<(AtmHost, [u8; 8]), SampleError> {
        let row = self.row(Dialect::Atm, "atm", terminal)?;
        let acquirer = self.city.acquirers.iter().find(|acquirer| acquirer.merchant == row.merchant);
        let acquirer = acquirer.ok_or(SampleError::NoKeys)?;
        Ok((self.host(acquirer, entropy)?, row.terminal_id))
    }

    fn host(&self, acquirer: &AcquirerRow, entropy: Box<dyn Entropy + Send>) -> Result<AtmHost, SampleError> {
        let keys = self.keys()?;
        let zone = keys.zone(&acquirer.id).ok_or(SampleError::NoKeys)?;
        let algorithm = match acquirer.mac {
            HostMac::X919 => MacAlgorithm::X919,
            HostMac::Cbc3Des => MacAlgorithm::Cbc3Des,
        };
        let zone = Zone::new(
            zone.zmk.expose(),
            *zone.pin.expose(),
            *zone.mac_to_switch.expose(),
            *zone.mac_from_switch.expose(),
            algorithm,
        );
        Ok(AtmHost::new(acquirer.id, zone.map_err(SampleError::Keys)?, algorithm, entropy))
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

    fn keys(&self) -> Result<TestKeys, SampleError> {
        Ok(TestKeys::open(&self.dir.join(KEYS))?)
    }

    fn row(
        &self,
        spoken: Dialect,
        dialect: &'static str,
        id: Option<&str>,
    ) -> Result<&TerminalRow, SampleError> {
        let mut rows = self.city.terminals.iter().filter(|row| row.dialect == spoken);
        match id {
            None => rows.next().ok_or(SampleError::NoTerminals(dialect)),
            Some(id) => rows
                .find(|row| row.terminal_id == id.as_bytes())
                .ok_or_else(|| SampleError::NoTerminal { dialect, id: id.escape_debug().to_string() }),
        }
    }

    fn find(&self, wanted: impl Fn(&CardRow) -> bool) -> Result<Option<TestCard>, SampleError> {
        for row in self.city.cards()? {
            let row = row?;
            if wanted(&row) {
                let (opening, line) = (row.opening.iter().sum(), row.line);
                let CardValues::Test(values) = row.values else { return Err(SampleError::Wrapped) };
                let track = values.track2.expose().clone();
                let card = CardInHand::with_track(row.pan, row.expiry_yymm, track);
                return Ok(Some(TestCard { opening, line, card, pin: values.pin }));
            }
        }
        Ok(None)
    }
}
