//! Which columns of a data set are which facts, as a file says it.
//!
//! Start at [`Map::read`]; the keys are described in `docs/rules.md`.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use risk::language::{Currency, Fact, Measure, TimeSpan};
use risk::rulebook::Rulebook;
use serde::Deserialize;

use super::MapError;

/// The longest delay of a label, days.
const DELAY_DAYS_MAX: u32 = 3_650;

/// A map, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default = "utc")]
    zone: String,
    currency: String,
    #[serde(default)]
    time: TimeForm,
    #[serde(default)]
    amount: AmountForm,
    #[serde(default)]
    label_delay: Option<String>,
    #[serde(default)]
    fraud: Vec<String>,
    #[serde(default)]
    declined: Vec<String>,
    #[serde(default = "comma")]
    delimiter: String,
    columns: Columns,
    #[serde(default)]
    mcc: BTreeMap<String, u16>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn comma() -> String {
    ",".to_owned()
}

/// How times are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum TimeForm {
    /// `2026-11-22 12:00:00`, with or without an offset.
    #[default]
    Iso,
    /// Seconds since 1970 UTC.
    Seconds,
    /// Milliseconds since 1970 UTC.
    Milliseconds,
}

/// How amounts are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum AmountForm {
    /// `12.50`.
    #[default]
    Decimal,
    /// `1250`.
    Minor,
}

/// The names of columns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    pub(super) time: String,
    pub(super) card: String,
    pub(super) amount: String,
    pub(super) merchant: Option<String>,
    pub(super) terminal: Option<String>,
    pub(super) label: Option<String>,
    pub(super) label_delay_days: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) decision: Option<String>,
    pub(super) product: Option<String>,
    pub(super) bin: Option<String>,
    pub(super) mcc: Option<String>,
    pub(super) region: Option<String>,
    pub(super) north: Option<String>,
    pub(super) east: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) entry_mode: Option<String>,
}

/// Which columns are which facts.
#[derive(Clone, Debug)]
pub struct Map {
    pub(super) zone: TimeZone,
    pub(super) currency: Currency,
    pub(super) time: TimeForm,
    pub(super) amount: AmountForm,
    pub(super) label_delay_ms: i64,
    pub(super) fraud: Vec<String>,
    pub(super) declined: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) columns: Columns,
    pub(super) mcc: BTreeMap<String, u16>,
}

impl Map {
    /// Reads a map.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(text: &str) -> Result<Self, MapError> {
        let document: Document =
            toml::from_str(text).map_err(|error| MapError::Toml(error.to_string().trim_end().to_owned()))?;
        let wrong = |key, rule| MapError::Value { key, rule };
        let columns = document.columns;
        if columns.merchant.is_none() && columns.terminal.is_none() {
            return Err(wrong("columns", "given a merchant or a terminal, or both"));
        }
        if columns.label.is_some() && document.fraud.is_empty() {
            return Err(wrong("fraud", "the values of the label that say fraud, such as [\"1\"]"));
        }
        if columns.decision.is_some() && document.declined.is_empty() {
            return Err(wrong("declined", "the values of the decision that say declined"));
        }
        if columns.north.is_some() != columns.east.is_some() {
            return Err(wrong("columns", "given north and east together, or neither"));
        }
        let zone = TimeZone::get(&document.zone)
            .map_err(|_| wrong("zone", "a zone of the time zone database, such as \"Asia/Shanghai\""))?;
        let currency = Currency::named(&document.currency)
            .ok_or_else(|| wrong("currency", "an alphabetic code of ISO 4217 that is known here"))?;
        let label_delay_ms = match &document.label_delay {
            None => 0,
            Some(text) => delay(text).ok_or_else(|| {
                wrong("label_delay", "a number with m, h or d, such as \"30d\", at most 3650d")
            })?,
        };
        let delimiter = match document.delimiter.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() => *byte,
            _ => return Err(wrong("delimiter", "one character, such as \",\" or \";\"")),
        };
        Ok(Self {
            zone,
            currency,
            time: document.time,
            amount: document.amount,
            label_delay_ms,
            fraud: document.fraud,
            declined: document.declined,
            delimiter,
            columns,
            mcc: document.mcc,
        })
    }
}

impl Map {
    /// Whether the data has what the windows of a set count by. Without it, all rows would count as one subject's.
    ///
    /// # Errors
    /// The first window that it has not.
    pub fn suits(&self, book: &Rulebook) -> Result<(), MapError> {
        let columns = &self.columns;
        let lacks = |fact: &Fact| match fact {
            Fact::Terminal => columns.terminal.is_none(),
            Fact::Merchant => columns.merchant.is_none(),
            Fact::Product => columns.product.is_none(),
            Fact::Bin => columns.bin.is_none(),
            _ => false,
        };
        let code = book.code();
        for (_, window) in code.windows().iter().enumerate().filter(|(number, _)| code.asks_window(*number)) {
            let different = if let Measure::Distinct(fact) = window.measure { Some(fact) } else { None };
            if let Some(fact) = window.by.facts().iter().chain(&different).find(|fact| lacks(fact)) {
                return Err(MapError::Window { window: window.to_string(), column: fact.row().name });
            }
        }
        Ok(())
    }

    /// The currency that amounts are told in.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }
}

/// A delay in milliseconds: what sliding windows are written as, and longer.
pub(super) fn delay(text: &str) -> Option<i64> {
    if let Some(TimeSpan::Sliding(seconds)) = TimeSpan::named(text) {
        return Some(i64::from(seconds) * 1_000);
    }
    let days: u32 = text.strip_suffix('d')?.parse().ok()?;
    (days <= DELAY_DAYS_MAX).then(|| i64::from(days) * 86_400_000)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOOD: &str = "currency = \"CNY\"\nfraud = [\"1\"]\nlabel_delay = \"90d\"\n[columns]\ntime = \"t\"\n\
                        card = \"c\"\namount = \"a\"\nmerchant = \"m\"\nlabel = \"l\"\n";

    #[test]
    fn a_map_is_read_or_says_what_is_wrong() {
        assert_eq!(Map::read(GOOD).unwrap().label_delay_ms, 90 * 86_400_000);
        let cases = [
            ("no place to pay", "merchant = \"m\"\n", "", "columns: must be given a merchant or a terminal"),
            ("a label nobody reads", "fraud = [\"1\"]\n", "", "fraud: must be"),
            ("a currency there is not", "CNY", "XXX", "currency: must be"),
            ("a delay without unit", "90d", "90", "label_delay: must be"),
            ("a delay too long", "90d", "99999d", "label_delay: must be"),
            ("half a place", "label =", "north = \"n\"\nlabel =", "columns: must be given north and east"),
            ("a key there is not", "label =", "lable =", "unknown field"),
            ("no zone", "currency", "zone = \"Mars\"\ncurrency", "zone: must be"),
            ("a delimiter of two", "currency", "delimiter = \"||\"\ncurrency", "delimiter: must be"),
        ];
        for (name, from, to, want) in cases {
            let error = Map::read(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(want), "{name}: {error}");
        }
    }
}
