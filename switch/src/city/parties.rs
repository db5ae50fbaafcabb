//! Who is paid and who guarantees: `merchants.csv` and `orderers.csv`.

use std::collections::HashSet;
use std::path::Path;

use super::error::CityError;
use super::table::{self, ROWS_MAX, SHORT_ROWS_MAX, Table};
use crate::ledger::Minor;

pub(super) const MERCHANTS: &str = "merchants.csv";
pub(super) const ORDERERS: &str = "orderers.csv";

/// One merchant. Amounts are in the city's currency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MerchantRow {
    /// F42, filled up with spaces.
    pub merchant_id: [u8; 15],
    /// Name for people.
    pub name: String,
    /// Merchant category code, ISO 18245.
    pub mcc: u16,
    /// Region, six digits of GB/T 2260.
    pub region: u32,
    /// Whether it may be paid.
    pub state: MerchantState,
    /// Fee, hundredths of a percent, at most 10 000.
    pub fee_bp: u16,
    /// Lowest fee, minor units.
    pub fee_min: Minor,
    /// Highest fee, minor units; not below `fee_min`.
    pub fee_max: Minor,
    /// Credit line on which loads at its terminals draw, minor units; 0: they draw on the float of the card's
    /// orderer.
    pub load_line: Minor,
}

/// Whether a merchant may be paid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MerchantState {
    /// It may.
    Active,
    /// It may not, for now.
    Suspended,
}

/// One orderer of cards, who guarantees their balances.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrdererRow {
    /// Name in files.
    pub orderer: String,
    /// Name for people.
    pub name: String,
    /// What lies at the bank, minor units of the city's currency; covers the opening balances of its cards.
    pub float_minor: Minor,
    /// Line in its file, for the check of the float.
    pub(super) line: u64,
}

/// The first float that has more than the 15 digits of an amount.
pub(super) const FLOAT_END_MINOR: Minor = 1_000_000_000_000_000;

const AMOUNT: &str = "an amount in minor units, 1 to 15 digits";

pub(super) fn merchants(dir: &Path) -> Result<Vec<MerchantRow>, CityError> {
    let columns = table::columns([
        "merchant_id",
        "name",
        "mcc",
        "region",
        "state",
        "fee_bp",
        "fee_min",
        "fee_max",
        "load_line",
    ]);
    let states = [("active", MerchantState::Active), ("suspended", MerchantState::Suspended)];
    let percent = |text: &str| text.parse().ok().filter(|bp| *bp <= 10_000);
    let mut seen = HashSet::new();
    Table::open(dir, MERCHANTS, columns)?.read_all(ROWS_MAX, |row| {
        let merchant = MerchantRow {
            merchant_id: row.parsed("merchant_id", "1 to 15 letters and digits", table::padded_id)?,
            name: row.parsed("name", "1 to 40 characters", table::name)?,
            mcc: row.parsed("mcc", "4 digits", table::mcc)?,
            region: row.parsed("region", "6 digits", table::region)?,
            state: row.word("state", &states, "active or suspended")?,
            fee_bp: row.parsed("fee_bp", "hundredths of a percent, at most 10000", percent)?,
            fee_min: row.parsed("fee_min", AMOUNT, table::amount)?,
            fee_max: row.parsed("fee_max", AMOUNT, table::amount)?,
            load_line: row.parsed("load_line", AMOUNT, table::amount)?,
        };
        row.require(merchant.fee_min <= merchant.fee_max, "fee_max", "fee_max is below fee_min")?;
        row.unique("merchant_id", &mut seen, merchant.merchant_id)?;
        Ok(merchant)
    })
}

pub(super) fn orderers(dir: &Path) -> Result<Vec<OrdererRow>, CityError> {
    let mut seen = HashSet::new();
    Table::open(dir, ORDERERS, table::columns(["orderer", "name", "float"]))?.read_all(
        SHORT_ROWS_MAX,
        |row| {
            let orderer = OrdererRow {
                orderer: row.parsed("orderer", "1 to 16 letters and digits", table::code)?,
                name: row.parsed("name", "1 to 40 characters", table::name)?,
                float_minor: row.parsed("float", AMOUNT, table::amount)?,
                line: row.line(),
            };
            row.unique("orderer", &mut seen, orderer.orderer.clone())?;
            Ok(orderer)
        },
    )
}
