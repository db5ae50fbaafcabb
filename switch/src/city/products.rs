//! Purses and card products: `products.toml`. A new purse or product is a new entry, not new code.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use arrayvec::ArrayVec;
use jiff::civil::Date;
use serde::Deserialize;

use super::document;
use super::error::{CityError, Problem};
use super::table::{self, Regions};
use crate::books::product::HOLDS_BY_CATEGORY_MAX;
use crate::ledger::purse::{CATEGORIES_MAX, PURSES_MAX};
use crate::ledger::{Currency, Minor};

pub(super) const FILE: &str = "products.toml";

/// Most entries of either kind.
pub(super) const ENTRIES_MAX: usize = 256;

// The errors below name these numbers in words.
const _: () = assert!(PURSES_MAX == 4 && CATEGORIES_MAX == 16 && ENTRIES_MAX == 256);
const _: () = assert!(HOLDS_BY_CATEGORY_MAX == 16);

/// All purses and products, names resolved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProductsFile {
    /// Purse types, in the order of the file.
    pub purses: Vec<PurseRow>,
    /// Products, in the order of the file.
    pub products: Vec<ProductRow>,
}

/// One purse type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PurseRow {
    /// Name in files; `cards.csv` has a column `balance_<name>`.
    pub name: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// Merchant category codes where it may be spent; empty: anywhere.
    pub mcc: ArrayVec<u16, CATEGORIES_MAX>,
    /// Most it may hold, minor units.
    pub max_minor: Minor,
    /// Lowest balance, minor units; not above zero.
    pub floor_minor: Minor,
    /// Whether it may be drawn as cash at a cash machine.
    pub cash: bool,
    /// The last business day on which it pays; none: for ever.
    pub last_day: Option<Date>,
}

/// One card product.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProductRow {
    /// Name in files.
    pub name: String,
    /// First six digits of its card numbers; no other product has them.
    pub bins: Vec<u32>,
    /// Positions in [`ProductsFile::purses`], in order of use.
    pub purses: ArrayVec<u16, PURSES_MAX>,
    /// Where a load goes: position in `purses` of this product.
    pub load_purse: u8,
    /// Most its purses may hold together after a load, minor units.
    pub balance_max_minor: Minor,
    /// When a purchase needs a PIN.
    pub pin: PinRule,
    /// Whether a balance inquiry needs a PIN.
    pub balance_needs_pin: bool,
    /// Where its cards may be used; empty: everywhere.
    pub regions: Regions,
    /// Hours a pre-authorization holds its amount, 1 to 1440.
    pub hold_h: u16,
    /// The same by merchant category code, where it is another.
    pub hold_h_by_mcc: ArrayVec<(u16, u16), HOLDS_BY_CATEGORY_MAX>,
    /// By how many per cent a completion may be above what is held, 0 to 100.
    pub completion_over_pct: u8,
    /// Whether a completion is still paid after its hold's time is over.
    pub late_completion: bool,
    /// Deposit taken at issue for the card itself, minor units.
    pub deposit_minor: Minor,
}

/// When a purchase needs a PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinRule {
    /// Always.
    Always,
    /// Not when it is contactless and its amount, minor units, is at most this.
    Above(Minor),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    purse: Vec<RawPurse>,
    product: Vec<RawProduct>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPurse {
    name: String,
    currency: u16,
    mcc: Vec<u16>,
    max: i64,
    floor: i64,
    #[serde(default)]
    cash: bool,
    last_day: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProduct {
    name: String,
    bins: Vec<String>,
    purses: Vec<String>,
    load_purse: String,
    balance_max: i64,
    pin: RawPin,
    no_pin_max: i64,
    balance_needs_pin: bool,
    #[serde(default)]
    regions: Vec<u32>,
    #[serde(default)]
    hold_h: RawHoldHours,
    #[serde(default)]
    completion_over_pct: u8,
    #[serde(default)]
    late_completion: bool,
    #[serde(default)]
    deposit: i64,
}

/// One number, or a table of numbers by merchant category with the others' under `default`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawHoldHours {
    Everywhere(u16),
    ByCategory(BTreeMap<String, u16>),
}

impl Default for RawHoldHours {
    fn default() -> Self {
        Self::Everywhere(WEEK_H)
    }
}

/// Hours of the usual hold.
const WEEK_H: u16 = 168;

/// The key of a table of hold hours that is no category.
const DEFAULT: &str = "default";

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawPin {
    Always,
    Above,
}

pub(super) fn open(dir: &Path) -> Result<ProductsFile, CityError> {
    let raw: RawFile = document::read(&dir.join(FILE), FILE)?;
    for (key, entries) in [("purse", raw.purse.len()), ("product", raw.product.len())] {
        require((1..=ENTRIES_MAX).contains(&entries), key, "there must be 1 to 256 of them")?;
    }
    let mut names = HashSet::new();
    let mut purses = Vec::new();
    for (place, purse) in raw.purse.iter().enumerate() {
        let purse = read_purse(purse, &format!("purse[{place}]"))?;
        unique(&mut names, purse.name.clone(), format!("purse[{place}].name"))?;
        purses.push(purse);
    }
    let (mut names, mut bins) = (HashSet::new(), HashSet::new());
    let mut products = Vec::new();
    for (place, product) in raw.product.iter().enumerate() {
        let product = read_product(product, &format!("product[{place}]"), &purses)?;
        unique(&mut names, product.name.clone(), format!("product[{place}].name"))?;
        for bin in &product.bins {
            unique(&mut bins, *bin, format!("product[{place}].bins"))?;
        }
        products.push(product);
    }
    Ok(ProductsFile { purses, products })
}

fn read_purse(raw: &RawPurse, entry: &str) -> Result<PurseRow, CityError> {
    let name = named(&raw.name, entry)?;
    require((1..=999).contains(&raw.currency), format!("{entry}.currency"), "must be an ISO 4217 number")?;
    require(raw.max > 0, format!("{entry}.max"), "must be an amount above zero")?;
    require(raw.floor <= 0, format!("{entry}.floor"), "must not be above zero")?;
    let codes = raw.mcc.iter().all(|mcc| *mcc <= 9999) && raw.mcc.len() <= CATEGORIES_MAX;
    require(codes, format!("{entry}.mcc"), "must be at most 16 codes of 4 digits")?;
    Ok(PurseRow {
        name,
        currency: raw.currency,
        mcc: raw.mcc.iter().copied().collect(),
        max_minor: raw.max,
        floor_minor: raw.floor,
        cash: raw.cash,
        last_day: last_day(raw.last_day.as_deref(), entry)?,
    })
}

fn last_day(raw: Option<&str>, entry: &str) -> Result<Option<Date>, CityError> {
    let form = || {
        CityError::of_key(FILE, format!("{entry}.last_day"), Problem::Form("a date such as \"2026-12-31\""))
    };
    raw.map(|day| day.parse().map_err(|_| form())).transpose()
}

fn read_product(raw: &RawProduct, entry: &str, purses: &[PurseRow]) -> Result<ProductRow, CityError> {
    let name = named(&raw.name, entry)?;
    let bins: Option<Vec<u32>> = raw.bins.iter().map(|bin| table::bin(bin)).collect();
    let bins = bins.filter(|bins| !bins.is_empty()).ok_or_else(|| {
        CityError::of_key(FILE, format!("{entry}.bins"), Problem::Form("one or more BINs of 6 digits"))
    })?;
    let mut own: ArrayVec<u16, PURSES_MAX> = ArrayVec::new();
    let key = || format!("{entry}.purses");
    require((1..=PURSES_MAX).contains(&raw.purses.len()), key(), "must be 1 to 4 purses")?;
    for wanted in &raw.purses {
        let found = (0_u16..).zip(purses).find(|(_, purse)| purse.name == *wanted).map(|(place, _)| place);
        let place = found.ok_or_else(|| CityError::of_key(FILE, key(), Problem::UnknownName("[[purse]]")))?;
        require(!own.contains(&place), key(), "a purse stands there twice")?;
        own.push(place);
    }
    let load_purse =
        (0_u8..).zip(&raw.purses).find(|(_, purse)| **purse == raw.load_purse).map(|(place, _)| place);
    let load_purse = load_purse.ok_or_else(|| {
        CityError::of_key(FILE, format!("{entry}.load_purse"), Problem::UnknownName("purses of its product"))
    })?;
    require(raw.balance_max > 0, format!("{entry}.balance_max"), "must be an amount above zero")?;
    let regions = table::distinct_regions(raw.regions.iter().copied().map(Some)).ok_or_else(|| {
        let form = Problem::Form("at most 8 different codes of 6 digits");
        CityError::of_key(FILE, format!("{entry}.regions"), form)
    })?;
    let (hold_h, hold_h_by_mcc) = hold_hours(&raw.hold_h, entry)?;
    let over = raw.completion_over_pct;
    require(over <= 100, format!("{entry}.completion_over_pct"), "must be at most 100 per cent")?;
    require(raw.deposit >= 0, format!("{entry}.deposit"), "must not be below zero")?;
    Ok(ProductRow {
        name,
        bins,
        purses: own,
        load_purse,
        balance_max_minor: raw.balance_max,
        pin: pin_rule(raw, entry)?,
        balance_needs_pin: raw.balance_needs_pin,
        regions,
        hold_h,
        hold_h_by_mcc,
        completion_over_pct: over,
        late_completion: raw.late_completion,
        deposit_minor: raw.deposit,
    })
}

/// Hours everywhere, and by category where they are others.
type HoldHours = (u16, ArrayVec<(u16, u16), HOLDS_BY_CATEGORY_MAX>);

fn hold_hours(raw: &RawHoldHours, entry: &str) -> Result<HoldHours, CityError> {
    let key = || format!("{entry}.hold_h");
    let (everywhere, table) = match raw {
        RawHoldHours::Everywhere(hours) => (*hours, None),
        RawHoldHours::ByCategory(table) => (table.get(DEFAULT).copied().unwrap_or(WEEK_H), Some(table)),
    };
    let mut by_mcc = ArrayVec::new();
    for (code, hours) in table.into_iter().flatten().filter(|(code, _)| *code != DEFAULT) {
        let form = Problem::Form("\"default\" or 4 digits for each of at most 16 categories");
        let mcc = table::mcc(code).filter(|_| !by_mcc.is_full());
        by_mcc.push((mcc.ok_or_else(|| CityError::of_key(FILE, key(), form))?, *hours));
    }
    let all = by_mcc.iter().map(|(_, hours)| *hours).chain([everywhere]);
    require(all.into_iter().all(|hours| (1..=1440).contains(&hours)), key(), "must be 1 to 1440 hours")?;
    Ok((everywhere, by_mcc))
}

fn pin_rule(raw: &RawProduct, entry: &str) -> Result<PinRule, CityError> {
    let key = format!("{entry}.no_pin_max");
    match raw.pin {
        RawPin::Always => {
            require(raw.no_pin_max == 0, key, "must be 0 where pin is \"always\"")?;
            Ok(PinRule::Always)
        }
        RawPin::Above => {
            require(raw.no_pin_max > 0, key, "must be above 0 where pin is \"above\"")?;
            Ok(PinRule::Above(raw.no_pin_max))
        }
    }
}

fn named(name: &str, entry: &str) -> Result<String, CityError> {
    let form = Problem::Form("1 to 16 letters, digits, hyphens and underscores");
    table::code(name).ok_or_else(|| CityError::of_key(FILE, format!("{entry}.name"), form))
}

fn require(holds: bool, key: impl Into<String>, rule: &'static str) -> Result<(), CityError> {
    if holds { Ok(()) } else { Err(CityError::of_key(FILE, key.into(), Problem::Contradiction(rule))) }
}

fn unique<K: Eq + std::hash::Hash>(seen: &mut HashSet<K>, key: K, at: String) -> Result<(), CityError> {
    if seen.insert(key) { Ok(()) } else { Err(CityError::of_key(FILE, at, Problem::Duplicate)) }
}
