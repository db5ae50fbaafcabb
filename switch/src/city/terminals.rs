//! Terminals and their security modules: `terminals.csv` and `psams.csv`.
//!
//! What a terminal may do comes from its row, never from a message.

use std::collections::{HashMap, HashSet, hash_map::RandomState};
use std::hash::BuildHasher;
use std::path::Path;

use hsm_sim::KeyBlock;
use risk::past::Spot;

use super::acquirers::{ACQUIRERS, AcquirerRow};
use super::error::{CityError, Problem};
use super::parties::{MERCHANTS, MerchantRow};
use super::secret::{Phone, Secret};
use super::table::{self, ROWS_MAX, Row, Table};

pub(super) const TERMINALS: &str = "terminals.csv";
pub(super) const PSAMS: &str = "psams.csv";

/// The column of master keys.
pub(super) const TMK: &str = "tmk";

/// What [`MasterKey::parse`] asks for.
const MASTER_KEY: &str = "32 hex digits of odd parity, the two halves different, or a key block";

/// One terminal.
#[derive(Clone, Debug)]
pub struct TerminalRow {
    /// F41.
    pub terminal_id: [u8; 8],
    /// F42 of its merchant, filled up with spaces.
    pub merchant_id: [u8; 15],
    /// Position of that merchant in the city's list.
    pub merchant: u32,
    /// Merchant category code of what is sold here, ISO 18245; may differ from the merchant's own.
    pub mcc: u16,
    /// Region, six digits of GB/T 2260.
    pub region: u32,
    /// What it speaks.
    pub dialect: Dialect,
    /// How its messages are authenticated. A cash machine sends none itself: for its host's, the acquirer's record
    /// counts.
    pub mac: MacKind,
    /// Terminal master key; no two terminals have the same.
    pub tmk: MasterKey,
    /// Position of its PSAM in the city's list; `epos` terminals have one, others none.
    pub psam: Option<u32>,
    /// The line an `epos` terminal calls from; others may have none.
    pub phone: Option<Phone>,
    /// Whether cards may be loaded here.
    pub may_load: bool,
    /// Where it stands on a map, if that is known.
    pub spot: Option<Spot>,
}

/// A terminal's master key as its row has it; the form decides.
#[derive(Clone, Debug)]
pub enum MasterKey {
    /// In clear: a test key.
    Clear(Secret<[u8; 16]>),
    /// A key block under the local master key that `keys.toml` names.
    Block(KeyBlock),
}

impl MasterKey {
    /// The key of a test city; of another it is not known in clear.
    #[must_use]
    pub fn clear(&self) -> Option<&[u8; 16]> {
        match self {
            Self::Clear(key) => Some(key.expose()),
            Self::Block(_) => None,
        }
    }

    /// Reads either form.
    fn parse(text: &str) -> Option<Self> {
        match table::des_key(text) {
            Some(key) => Some(Self::Clear(Secret::new(key))),
            None => KeyBlock::parse(text).ok().map(Self::Block),
        }
    }
}

/// What a terminal speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// UnionPay-style POS.
    Pos,
    /// Telephone POS with a PSAM.
    Epos,
    /// Behind an ATM host.
    Atm,
}

/// How a terminal's messages are authenticated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MacKind {
    /// UnionPay's XOR fold and ECB: forgeable, for deployed `pos` terminals on private networks only.
    UnionPayEcb,
    /// ANSI X9.19, ISO/IEC 9797-1 algorithm 3. `epos` terminals use padding method 2, others method 1.
    X919,
}

/// One PSAM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PsamRow {
    /// Its number as 8 BCD bytes.
    pub psam_no: [u8; 8],
    /// Version of the masters its keys were derived from.
    pub key_version: u8,
    /// Whether it may be used.
    pub state: PsamState,
}

/// Whether a PSAM may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PsamState {
    /// It may.
    Active,
    /// It was reported stolen or replaced.
    Revoked,
}

pub(super) fn psams(dir: &Path) -> Result<Vec<PsamRow>, CityError> {
    let states = [("active", PsamState::Active), ("revoked", PsamState::Revoked)];
    let mut seen = HashSet::new();
    Table::open(dir, PSAMS, table::columns(["psam_no", "key_version", "state"]))?.read_all(ROWS_MAX, |row| {
        let psam = PsamRow {
            psam_no: row.parsed("psam_no", PSAM_NO, psam_no)?,
            key_version: row.parsed("key_version", "a number from 0 to 255", |text| text.parse().ok())?,
            state: row.word("state", &states, "active or revoked")?,
        };
        row.unique("psam_no", &mut seen, psam.psam_no)?;
        Ok(psam)
    })
}

pub(super) fn terminals(
    dir: &Path,
    merchants: &[MerchantRow],
    acquirers: &[AcquirerRow],
    psams: &[PsamRow],
) -> Result<Vec<TerminalRow>, CityError> {
    let columns = table::columns([
        "terminal_id",
        "merchant_id",
        "mcc",
        "region",
        "dialect",
        "mac",
        TMK,
        "psam_no",
        "phone",
        "may_load",
    ]);
    let places = Places {
        merchants: merchants.iter().map(|merchant| merchant.merchant_id).zip(0..).collect(),
        acquired: acquirers.iter().map(|acquirer| acquirer.merchant).collect(),
        psams: psams.iter().map(|psam| psam.psam_no).zip(0..).collect(),
    };
    let mut used = Used::default();
    let mut placed = columns.clone();
    placed.extend(table::columns(["north", "east"]));
    Table::open_any(dir, TERMINALS, [columns, placed])?.read_all(ROWS_MAX, |row| {
        let terminal = terminal(row, &places)?;
        used.check(row, &terminal)?;
        Ok(terminal)
    })
}

/// What names in a row stand for.
struct Places {
    merchants: HashMap<[u8; 15], u32>,
    /// Merchants that have an acquirer.
    acquired: HashSet<u32>,
    psams: HashMap<[u8; 8], u32>,
}

/// Reads one row and checks it against itself and what it names.
fn terminal(row: &Row<'_>, places: &Places) -> Result<TerminalRow, CityError> {
    let dialects = [("pos", Dialect::Pos), ("epos", Dialect::Epos), ("atm", Dialect::Atm)];
    let macs = [("ecb", MacKind::UnionPayEcb), ("x9.19", MacKind::X919)];
    let merchant_id = row.parsed("merchant_id", "1 to 15 letters and digits", table::padded_id)?;
    let merchant = places.merchants.get(&merchant_id).copied();
    let psam_no = row.optional("psam_no", PSAM_NO, psam_no)?;
    let psam = psam_no.map(|number| {
        let found = places.psams.get(&number).copied();
        found.ok_or_else(|| row.fault("psam_no", Problem::UnknownName(PSAMS)))
    });
    let full_id = |text: &str| table::padded_id(text).filter(|_| text.len() == 8);
    let terminal = TerminalRow {
        terminal_id: row.parsed("terminal_id", "8 letters and digits", full_id)?,
        merchant_id,
        merchant: merchant.ok_or_else(|| row.fault("merchant_id", Problem::UnknownName(MERCHANTS)))?,
        mcc: row.parsed("mcc", "4 digits", table::mcc)?,
        region: row.parsed("region", "6 digits", table::region)?,
        dialect: row.word("dialect", &dialects, "pos, epos or atm")?,
        mac: row.word("mac", &macs, "ecb or x9.19")?,
        tmk: row.parsed(TMK, MASTER_KEY, MasterKey::parse)?,
        psam: psam.transpose()?,
        phone: row.optional("phone", "3 to 15 digits", Phone::parse)?,
        may_load: row.word("may_load", &[("yes", true), ("no", false)], "yes or no")?,
        spot: spot(row)?,
    };
    fits_its_dialect(row, &terminal)?;
    if terminal.dialect == Dialect::Atm && !places.acquired.contains(&terminal.merchant) {
        return Err(row.fault("merchant_id", Problem::UnknownName(ACQUIRERS)));
    }
    Ok(terminal)
}

fn spot(row: &Row<'_>) -> Result<Option<Spot>, CityError> {
    let degrees = |column, most| row.optional(column, table::DEGREES, |text| table::degrees_e4(text, most));
    match (degrees("north", 90)?, degrees("east", 180)?) {
        (Some(north_e4), Some(east_e4)) => Ok(Some(Spot { north_e4, east_e4 })),
        (None, None) => Ok(None),
        _ => row.require(false, "north", "north and east stand together, or neither").map(|()| None),
    }
}

fn fits_its_dialect(row: &Row<'_>, terminal: &TerminalRow) -> Result<(), CityError> {
    let (pos, epos) = (terminal.dialect == Dialect::Pos, terminal.dialect == Dialect::Epos);
    let ecb = terminal.mac == MacKind::UnionPayEcb;
    row.require(pos || !ecb, "mac", "ecb is for terminals of the dialect pos only")?;
    let one = terminal.psam.is_some() == epos;
    row.require(one, "psam_no", "terminals of the dialect epos have a PSAM, others none")?;
    row.require(terminal.phone.is_some() || !epos, "phone", "a terminal of the dialect epos needs a phone")
}

/// What may belong to one terminal only.
#[derive(Default)]
struct Used {
    ids: HashSet<[u8; 8]>,
    psams: HashSet<u32>,
    phones: HashSet<Phone>,
    /// Hashes under a key of this process: a set of the keys themselves would leave them in memory.
    keys: HashSet<u64>,
    hasher: RandomState,
}

impl Used {
    fn check(&mut self, row: &Row<'_>, terminal: &TerminalRow) -> Result<(), CityError> {
        row.unique("terminal_id", &mut self.ids, terminal.terminal_id)?;
        let key = match &terminal.tmk {
            MasterKey::Clear(key) => self.hasher.hash_one(key.expose()),
            MasterKey::Block(block) => self.hasher.hash_one(block.as_str()),
        };
        row.unique(TMK, &mut self.keys, key)?;
        if let Some(psam) = terminal.psam {
            row.unique("psam_no", &mut self.psams, psam)?;
        }
        match terminal.phone {
            // One line, one PSAM, one terminal; a plain terminal's phone is only where to call.
            Some(phone) if terminal.dialect == Dialect::Epos => row.unique("phone", &mut self.phones, phone),
            _ => Ok(()),
        }
    }
}

const PSAM_NO: &str = "16 digits, not all of them 6 to 9";

/// Derivation runs over the number and its complement. The complement of a number made only of the digits 6 to 9
/// is a number too, whose keys would be the same with their halves swapped.
fn psam_no(text: &str) -> Option<[u8; 8]> {
    let digits = table::digits(text, 16..=16)?;
    if digits.bytes().all(|digit| digit >= b'6') { None } else { crate::hex::bytes(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_psam_number_has_sixteen_digits_and_no_complement() {
        let rows = [
            ("3100000000000101", Some([0x31, 0, 0, 0, 0, 0, 1, 1])),
            ("6789678967896785", Some([0x67, 0x89, 0x67, 0x89, 0x67, 0x89, 0x67, 0x85])),
            ("6789678967896786", None),
            ("310000000000010", None),
            ("31000000000001AB", None),
        ];
        for (text, want) in rows {
            assert_eq!(psam_no(text), want, "{text}");
        }
    }
}
