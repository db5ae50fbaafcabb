//! What is refused whatever else is true: `blacklist.csv`.

use std::collections::HashSet;
use std::path::Path;

use hsm_sim::Pan;
use jiff::civil::Date;

use super::error::{CityError, Problem};
use super::table::{self, ROWS_MAX, Row, Table};

pub(super) const FILE: &str = "blacklist.csv";

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlacklistRow {
    /// What is listed. It need not be known to the city.
    pub listed: Listed,
    /// Why.
    pub reason: ListReason,
    /// Who says so.
    pub source: String,
    /// Last day the entry counts, in the configured zone; none: it counts for good.
    pub expires: Option<Date>,
}

/// What an entry lists.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Listed {
    /// One card.
    Card(Pan),
    /// One terminal, by F41.
    Terminal([u8; 8]),
    /// One merchant, by F42 filled up with spaces.
    Merchant([u8; 15]),
    /// Every card whose number begins with these six digits.
    Bin(u32),
}

/// The kind of thing an entry lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListKind {
    /// A card.
    Card,
    /// A terminal.
    Terminal,
    /// A merchant.
    Merchant,
    /// All cards of a BIN.
    Bin,
}

/// Why something is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListReason {
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Suspected of fraud.
    Fraud,
    /// Not to be served, for another reason.
    Restricted,
}

impl Listed {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ListKind {
        match self {
            Self::Card(_) => ListKind::Card,
            Self::Terminal(_) => ListKind::Terminal,
            Self::Merchant(_) => ListKind::Merchant,
            Self::Bin(_) => ListKind::Bin,
        }
    }
}

pub(super) fn open(dir: &Path) -> Result<Vec<BlacklistRow>, CityError> {
    let columns = table::columns(["kind", "value", "reason", "source", "expires"]);
    let reasons = [
        ("lost", ListReason::Lost),
        ("stolen", ListReason::Stolen),
        ("fraud", ListReason::Fraud),
        ("restricted", ListReason::Restricted),
    ];
    let mut seen = HashSet::new();
    Table::open(dir, FILE, columns)?.read_all(ROWS_MAX, |row| {
        let entry = BlacklistRow {
            listed: listed(row)?,
            reason: row.word("reason", &reasons, "lost, stolen, fraud or restricted")?,
            source: row.parsed("source", "1 to 40 characters", table::name)?,
            expires: row.optional("expires", "empty or a day as yyyy-mm-dd", day)?,
        };
        row.unique("value", &mut seen, entry.listed.clone())?;
        Ok(entry)
    })
}

fn listed(row: &Row<'_>) -> Result<Listed, CityError> {
    let kinds = [
        ("card", ListKind::Card),
        ("terminal", ListKind::Terminal),
        ("merchant", ListKind::Merchant),
        ("bin", ListKind::Bin),
    ];
    let terminal_id = |text: &str| table::padded_id(text).filter(|_| text.len() == 8);
    Ok(match row.word("kind", &kinds, "card, terminal, merchant or bin")? {
        ListKind::Card => {
            let pan = Pan::parse(row.text("value").as_bytes());
            Listed::Card(pan.map_err(|err| row.fault("value", Problem::Pan(err)))?)
        }
        ListKind::Terminal => Listed::Terminal(row.parsed("value", "8 letters and digits", terminal_id)?),
        ListKind::Merchant => {
            Listed::Merchant(row.parsed("value", "1 to 15 letters and digits", table::padded_id)?)
        }
        ListKind::Bin => Listed::Bin(row.parsed("value", "6 digits", table::bin)?),
    })
}

/// The date parser also takes other ISO 8601 forms; a file that people read has one.
fn day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|day: &Date| day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_form() {
        let rows =
            [("2034-12-31", true), ("2034-02-30", false), ("20341231", false), ("2034-12-31T00:00", false)];
        for (text, valid) in rows {
            assert_eq!(day(text).is_some(), valid, "{text}");
        }
    }
}
