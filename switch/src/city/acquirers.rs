//! Acquirers whose ATM hosts the switch serves: `acquirers.csv`.
//!
//! A cash machine belongs to the acquirer of its merchant, so a merchant has one acquirer at most. The keys shared
//! with an acquirer stand in the key file, see [`super::ZoneKeys`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use arrayvec::ArrayString;

use super::error::{CityError, Problem};
use super::parties::{MERCHANTS, MerchantRow};
use super::table::{self, SHORT_ROWS_MAX, Table};

pub(super) const ACQUIRERS: &str = "acquirers.csv";

/// One acquirer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AcquirerRow {
    /// F32 of its messages, 1 to 11 digits.
    pub id: ArrayString<11>,
    /// Name for people.
    pub name: String,
    /// Position in the city's list of the merchant at which its cash machines stand.
    pub merchant: u32,
    /// How messages on its links are authenticated.
    pub mac: HostMac,
    /// Whether it is served; if not, it was suspended.
    pub active: bool,
}

/// How messages on the links of an acquirer are authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostMac {
    /// ANSI X9.19, ISO/IEC 9797-1 algorithm 3, padding method 1.
    X919,
    /// CBC under two-key triple DES, ISO/IEC 9797-1 algorithm 1, padding method 1.
    Cbc3Des,
}

pub(super) fn acquirers(dir: &Path, merchants: &[MerchantRow]) -> Result<Vec<AcquirerRow>, CityError> {
    let columns = table::columns(["acquirer_id", "name", "merchant_id", "mac", "state"]);
    let macs = [("x9.19", HostMac::X919), ("cbc-3des", HostMac::Cbc3Des)];
    let places: HashMap<[u8; 15], u32> =
        merchants.iter().map(|merchant| merchant.merchant_id).zip(0..).collect();
    let (mut ids, mut taken) = (HashSet::new(), HashSet::new());
    Table::open(dir, ACQUIRERS, columns)?.read_all(SHORT_ROWS_MAX, |row| {
        let merchant_id = row.parsed("merchant_id", "1 to 15 letters and digits", table::padded_id)?;
        let merchant = places.get(&merchant_id).copied();
        let acquirer = AcquirerRow {
            id: row.parsed("acquirer_id", "1 to 11 digits", table::institution)?,
            name: row.parsed("name", "1 to 40 characters", table::name)?,
            merchant: merchant.ok_or_else(|| row.fault("merchant_id", Problem::UnknownName(MERCHANTS)))?,
            mac: row.word("mac", &macs, "x9.19 or cbc-3des")?,
            active: row.word("state", &[("active", true), ("suspended", false)], "active or suspended")?,
        };
        row.unique("acquirer_id", &mut ids, acquirer.id)?;
        row.unique("merchant_id", &mut taken, acquirer.merchant)?;
        Ok(acquirer)
    })
}
