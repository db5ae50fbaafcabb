//! A city from its files: merchants, acquirers, terminals, PSAMs, orderers, products, lists and cards, checked against
//! each other as they are read.
//!
//! Nothing here decides, derives a key or opens a journal; an empty journal imports what [`City`] holds, once, and is
//! the truth from then on. Risk rules are carried as text: what they say is for their own reader. The files and their
//! columns are described in `docs/city-files.md`.
//!
//! Start at [`City::open`]; cards stream from [`City::cards`]. The keys of the HSM are a [`KeyFile`]. A city
//! of any size is written by [`generate`].

mod acquirers;
mod blacklist;
mod cards;
mod chart;
mod currencies;
pub(crate) mod document;
mod error;
mod fees;
pub mod generate;
mod key_roles;
mod keys;
mod parties;
mod products;
mod rules;
mod secret;
mod table;
mod terminals;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use acquirers::{AcquirerRow, HostMac};
pub use blacklist::{BlacklistRow, ListKind, ListReason, Listed};
pub use cards::{CardRow, CardState, CardValues, Cards, TestValues};
pub use currencies::CurrencyRow;
pub use error::{CityError, Problem};
pub use fees::FeeRow;
pub use key_roles::{Change, KeyHeld, KeyPlace, KeyRole};
pub use keys::{KeyFile, Keys, LiveKeys, LmkKind, PsamMaster, TestKeys, ZoneKeys};
pub use parties::{MerchantRow, MerchantState, OrdererRow};
pub use products::{PinRule, ProductRow, ProductsFile, PurseRow};
pub(crate) use secret::SecretText;
pub use secret::{Phone, Secret};
pub use table::{REGIONS_MAX, Regions};
pub use terminals::{Dialect, MacKind, MasterKey, PsamRow, PsamState, TerminalRow};

use crate::{books::chart::Chart, ledger::Currency};

/// Currency of floats, fees and credit lines: CNY, ISO 4217 number 156, in fen.
pub const CITY_CURRENCY: Currency = 156;

/// Name of the file of risk rules.
pub const RULES: &str = "rules.toml";

const LINKS: &str = "links.toml";

/// Everything of a city but its cards, which stream.
#[derive(Clone, Debug)]
pub struct City {
    dir: PathBuf,
    /// `merchants.csv`.
    pub merchants: Vec<MerchantRow>,
    /// `acquirers.csv`.
    pub acquirers: Vec<AcquirerRow>,
    /// `psams.csv`.
    pub psams: Vec<PsamRow>,
    /// `terminals.csv`.
    pub terminals: Vec<TerminalRow>,
    /// `orderers.csv`.
    pub orderers: Vec<OrdererRow>,
    /// `products.toml`.
    pub products: ProductsFile,
    /// `fees.toml`; empty if the city has none.
    pub fees: Vec<FeeRow>,
    /// `chart.toml`; none if the city has none.
    pub chart: Option<Chart>,
    /// `currencies.csv`; empty if the city has one currency.
    pub currencies: Vec<CurrencyRow>,
    /// `blacklist.csv`, expired entries included.
    pub blacklist: Vec<BlacklistRow>,
    /// The text of `rules.toml`, unread; [`City::rules`] reads it. None if the city has no such file.
    pub rules: Option<String>,
}

/// `links.toml`: the only list it may hold yet is an empty one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Links {
    link: Vec<toml::Table>,
}

impl City {
    /// Reads all files of `dir` but `cards.csv` and the keys.
    ///
    /// # Errors
    /// The first fault found: a file that cannot be read, a wrong header or field, a name that stands nowhere, an
    /// identifier twice.
    pub fn open(dir: &Path) -> Result<Self, CityError> {
        let links: Links = document::read(&dir.join(LINKS), LINKS)?;
        if !links.link.is_empty() {
            let problem =
                Problem::Contradiction("there are no upstream links in this version; it must be empty");
            return Err(CityError::of_key(LINKS, "link", problem));
        }
        let merchants = parties::merchants(dir)?;
        let acquirers = acquirers::acquirers(dir, &merchants)?;
        let psams = terminals::psams(dir)?;
        let products = products::open(dir)?;
        let orderers = parties::orderers(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            terminals: terminals::terminals(dir, &merchants, &acquirers, &psams)?,
            fees: fees::open(dir, &merchants, &products)?,
            chart: chart::open(dir, &merchants, &products)?,
            currencies: currencies::open(dir, (&orderers, &merchants, &acquirers))?,
            merchants,
            acquirers,
            psams,
            orderers,
            products,
            blacklist: blacklist::open(dir)?,
            rules: document::text_if_there(&dir.join(RULES), RULES)?,
        })
    }

    /// The cards, from the first row, each checked as it is read; see [`Cards`] for how they end.
    ///
    /// # Errors
    /// A file that cannot be read or has another header.
    pub fn cards(&self) -> Result<Cards<'_>, CityError> {
        Cards::open(self, true)
    }

    /// The same for those who see for themselves that no card comes twice, as books do: then memory does not grow
    /// with the number of cards.
    ///
    /// # Errors
    /// As [`City::cards`].
    pub fn cards_in_books(&self) -> Result<Cards<'_>, CityError> {
        Cards::open(self, false)
    }
}

#[cfg(test)]
mod tests;
