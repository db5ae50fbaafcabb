//! What merchants are charged: `fees.toml`, a schedule whose first fitting entry decides. A city without one charges by
//! the columns of `merchants.csv`.

use std::collections::HashSet;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::error::{CityError, Problem};
use super::parties::MerchantRow;
use super::products::ProductsFile;
use super::terminals::Dialect;
use super::{CITY_CURRENCY, document, table};
use crate::books::{event::TerminalDialect, fees::FEE_RULES_MAX};
use crate::ledger::{Currency, Minor};

pub(super) const FILE: &str = "fees.toml";

// The error below names this number in words.
const _: () = assert!(FEE_RULES_MAX == 64);

/// One entry, names resolved. What it does not name, any payment has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeeRow {
    /// Its name for people.
    pub name: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// Share of the amount, hundredths of a percent, at most 10 000.
    pub percent_bp: u32,
    /// What is added to the share, minor units.
    pub fixed_minor: Minor,
    /// Lowest fee, minor units.
    pub min_minor: Minor,
    /// Highest fee, minor units; not below `min_minor`.
    pub max_minor: Minor,
    /// Merchant category codes.
    pub mcc: Vec<u16>,
    /// What the terminal speaks.
    pub channels: Vec<Dialect>,
    /// Positions of products.
    pub products: Vec<u16>,
    /// Positions of merchants.
    pub merchants: Vec<u32>,
    /// First business day.
    pub first_day: Option<Date>,
    /// Last business day; not before the first.
    pub last_day: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    fee: Vec<RawFee>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFee {
    name: String,
    #[serde(default = "city_currency")]
    currency: u16,
    percent_bp: u32,
    #[serde(default)]
    fixed: i64,
    #[serde(default)]
    min: i64,
    max: Option<i64>,
    #[serde(default)]
    mcc: Vec<u16>,
    #[serde(default)]
    channels: Vec<RawChannel>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
    merchants: Vec<String>,
    first_day: Option<String>,
    last_day: Option<String>,
}

fn city_currency() -> u16 {
    CITY_CURRENCY
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawChannel {
    Pos,
    Epos,
    Atm,
}

pub(super) fn open(
    dir: &Path,
    merchants: &[MerchantRow],
    products: &ProductsFile,
) -> Result<Vec<FeeRow>, CityError> {
    let path = dir.join(FILE);
    if document::text_if_there(&path, FILE)?.is_none() {
        return Ok(Vec::new());
    }
    let raw: RawFile = document::read(&path, FILE)?;
    require(raw.fee.len() <= FEE_RULES_MAX, "fee".to_owned(), "there must be at most 64 of them")?;
    let mut names = HashSet::new();
    let mut rows = Vec::new();
    for (place, fee) in raw.fee.iter().enumerate() {
        let entry = format!("fee[{place}]");
        let row = read(fee, &entry, merchants, products)?;
        if !names.insert(row.name.clone()) {
            return Err(fault(format!("{entry}.name"), Problem::Duplicate));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn read(
    raw: &RawFee,
    entry: &str,
    merchants: &[MerchantRow],
    products: &ProductsFile,
) -> Result<FeeRow, CityError> {
    let key = |name: &str| format!("{entry}.{name}");
    let name = table::code(&raw.name).ok_or_else(|| {
        fault(key("name"), Problem::Form("1 to 16 letters, digits, hyphens and underscores"))
    })?;
    require((1..=999).contains(&raw.currency), key("currency"), "must be an ISO 4217 number")?;
    require(raw.percent_bp <= 10_000, key("percent_bp"), "must be at most 10000")?;
    let max = raw.max.unwrap_or(Minor::MAX);
    require(raw.fixed >= 0, key("fixed"), "must not be below zero")?;
    require(raw.min >= 0, key("min"), "must not be below zero")?;
    require(raw.min <= max, key("max"), "must not be below min")?;
    require(raw.mcc.iter().all(|mcc| *mcc <= 9999), key("mcc"), "must be codes of 4 digits")?;
    let (first_day, last_day) =
        (day(raw.first_day.as_deref(), key("first_day"))?, day(raw.last_day.as_deref(), key("last_day"))?);
    let backwards = first_day.zip(last_day).is_some_and(|(first, last)| last < first);
    require(!backwards, key("last_day"), "must not be before first_day")?;
    Ok(FeeRow {
        name,
        currency: raw.currency,
        percent_bp: raw.percent_bp,
        fixed_minor: raw.fixed,
        min_minor: raw.min,
        max_minor: max,
        mcc: raw.mcc.clone(),
        channels: raw.channels.iter().map(|channel| channel.dialect()).collect(),
        products: products_named(&raw.products, products, key("products"))?,
        merchants: merchants_named(&raw.merchants, merchants, key("merchants"))?,
        first_day,
        last_day,
    })
}

impl From<RawChannel> for TerminalDialect {
    fn from(channel: RawChannel) -> Self {
        match channel {
            RawChannel::Pos => Self::Pos,
            RawChannel::Epos => Self::Epos,
            RawChannel::Atm => Self::Atm,
        }
    }
}

impl RawChannel {
    fn dialect(self) -> Dialect {
        match self {
            Self::Pos => Dialect::Pos,
            Self::Epos => Dialect::Epos,
            Self::Atm => Dialect::Atm,
        }
    }
}

/// Positions of products, by name.
pub(super) fn products_named(
    names: &[String],
    products: &ProductsFile,
    key: String,
) -> Result<Vec<u16>, CityError> {
    let find = |name: &String| {
        let at = products.products.iter().position(|product| product.name == *name);
        at.and_then(|at| u16::try_from(at).ok())
    };
    resolved(names, find, key, "products.toml")
}

/// Positions of merchants, by field 42.
pub(super) fn merchants_named(
    ids: &[String],
    merchants: &[MerchantRow],
    key: String,
) -> Result<Vec<u32>, CityError> {
    let find = |id: &String| {
        let id = table::padded_id(id)?;
        let at = merchants.iter().position(|merchant| merchant.merchant_id == id);
        at.and_then(|at| u32::try_from(at).ok())
    };
    resolved(ids, find, key, "merchants.csv")
}

fn resolved<T>(
    names: &[String],
    find: impl Fn(&String) -> Option<T>,
    key: String,
    place: &'static str,
) -> Result<Vec<T>, CityError> {
    let found: Option<Vec<T>> = names.iter().map(find).collect();
    found.ok_or_else(|| fault(key, Problem::UnknownName(place)))
}

fn day(raw: Option<&str>, key: String) -> Result<Option<Date>, CityError> {
    let form = Problem::Form("a date such as \"2026-12-31\"");
    raw.map(|day| day.parse().map_err(|_| fault(key, form))).transpose()
}

fn fault(key: String, problem: Problem) -> CityError {
    CityError::of_key(FILE, key, problem)
}

fn require(holds: bool, key: String, rule: &'static str) -> Result<(), CityError> {
    if holds { Ok(()) } else { Err(fault(key, Problem::Contradiction(rule))) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::City;
    use super::*;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city");

    const WHOLE: &str = r#"
[[fee]]
name = "restaurants"
percent_bp = 60
fixed = 10
min = 12
max = 8000
mcc = [5812]
channels = ["pos", "epos"]
products = ["medical"]
merchants = ["898310058120001"]
first_day = "2027-01-01"
last_day = "2027-12-31"

[[fee]]
name = "else"
percent_bp = 38
"#;

    fn read_text(text: &str) -> Result<Vec<FeeRow>, CityError> {
        let city = City::open(Path::new(SAMPLE)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        open(dir.path(), &city.merchants, &city.products)
    }

    #[test]
    fn a_schedule_is_read_with_names_resolved_and_is_not_needed() {
        let city = City::open(Path::new(SAMPLE)).unwrap();
        assert_eq!(city.fees, [], "the sample city charges by its merchants' columns");
        let rows = read_text(WHOLE).unwrap();
        let restaurants = &rows[0];
        assert_eq!(
            (restaurants.products.as_slice(), restaurants.merchants.as_slice()),
            ([2].as_slice(), [3].as_slice())
        );
        assert_eq!((restaurants.fixed_minor, restaurants.min_minor, restaurants.max_minor), (10, 12, 8_000));
        assert_eq!(restaurants.channels, [Dialect::Pos, Dialect::Epos]);
        assert_eq!(restaurants.first_day, Some(jiff::civil::date(2027, 1, 1)));
        let other = &rows[1];
        assert_eq!((other.currency, other.min_minor, other.max_minor), (156, 0, Minor::MAX));
        assert!(other.mcc.is_empty() && other.channels.is_empty() && other.merchants.is_empty());
    }

    #[test]
    fn a_fault_is_told_by_entry_and_key() {
        let rows = [
            ("\"else\"", "\"restaurants\"", "fee[1].name: stands here a second time"),
            ("\"restaurants\"", "\"a b\"", "fee[0].name: must be 1 to 16"),
            ("percent_bp = 60", "percent_bp = 10001", "fee[0].percent_bp: must be at most 10000"),
            ("fixed = 10", "fixed = -1", "fee[0].fixed: must not be below zero"),
            ("min = 12", "min = 8001", "fee[0].max: must not be below min"),
            ("[5812]", "[58120]", "fee[0].mcc: must be codes of 4 digits"),
            ("[\"medical\"]", "[\"gold\"]", "fee[0].products: is not in products.toml"),
            ("898310058120001", "898310058120009", "fee[0].merchants: is not in merchants.csv"),
            ("2027-12-31", "2026-12-31", "fee[0].last_day: must not be before first_day"),
            ("2027-01-01", "2027-02-30", "fee[0].first_day: must be a date"),
        ];
        for (from, to, want) in rows {
            let error = read_text(&WHOLE.replacen(from, to, 1)).err().unwrap().to_string();
            assert!(error.starts_with(&format!("fees.toml, {want}")), "{to}: {error}");
        }
    }
}
