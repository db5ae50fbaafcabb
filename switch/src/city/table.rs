//! CSV files row by row: the header checked, each field found by its column's name, each fault with its line.
//!
//! Start at [`Table::open`]. What a column means is for the modules of the single files to say.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::hash::Hash;
use std::num::NonZeroU16;
use std::path::Path;

use arrayvec::{ArrayString, ArrayVec};
use csv::StringRecord;
use jiff::civil::Date;

use super::error::{CityError, Problem};
use crate::clock::days_since_1970;

/// Longest field of any file, in bytes.
pub(super) const FIELD_BYTES_MAX: usize = 256;

/// Most rows of a file that is kept in memory.
pub(super) const ROWS_MAX: usize = 1 << 20;

/// Most rows of a file whose places are 16 bits in the books: orderers, acquirers.
pub(super) const SHORT_ROWS_MAX: usize = 65_535;

/// An open CSV file behind its header.
pub(super) struct Table {
    file: &'static str,
    columns: Vec<Cow<'static, str>>,
    reader: csv::Reader<File>,
    record: StringRecord,
}

/// One row of a file.
pub(super) struct Row<'a> {
    file: &'static str,
    columns: &'a [Cow<'static, str>],
    record: &'a StringRecord,
    line: u64,
}

impl Table {
    /// Opens `dir/file` and compares its header.
    pub(super) fn open(
        dir: &Path,
        file: &'static str,
        columns: Vec<Cow<'static, str>>,
    ) -> Result<Self, CityError> {
        let opened = File::open(dir.join(file))
            .map_err(|err| CityError::of_file(file, Problem::Unreadable(err.kind())))?;
        let mut reader = csv::Reader::from_reader(opened);
        let header = reader.headers().map_err(|err| csv_fault(file, &err))?;
        if !header.iter().eq(columns.iter().map(AsRef::as_ref)) {
            let problem = Problem::Header(columns.join(","));
            return Err(CityError { line: Some(1), ..CityError::of_file(file, problem) });
        }
        Ok(Self { file, columns, reader, record: StringRecord::new() })
    }

    /// As [`Table::open`], for a file that may have one of several headers; an error names the first.
    pub(super) fn open_any<const N: usize>(
        dir: &Path,
        file: &'static str,
        headers: [Vec<Cow<'static, str>>; N],
    ) -> Result<Self, CityError> {
        let mut opened = headers.into_iter().map(|columns| Self::open(dir, file, columns));
        let first = opened.next().unwrap_or_else(|| Self::open(dir, file, Vec::new()));
        if first.is_ok() { first } else { opened.find(Result::is_ok).unwrap_or(first) }
    }

    /// Whether the header has this column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// The next row; none at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>, CityError> {
        if !self.reader.read_record(&mut self.record).map_err(|err| csv_fault(self.file, &err))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let row = Row { file: self.file, columns: &self.columns, record: &self.record, line };
        let mut fields = row.columns.iter().zip(row.record);
        match fields.find(|(_, field)| field.len() > FIELD_BYTES_MAX) {
            Some((column, _)) => Err(row.fault(column, Problem::FieldTooLong(FIELD_BYTES_MAX))),
            None => Ok(Some(row)),
        }
    }

    /// All rows, as `read` understands them; more than `rows_max` are a fault.
    pub(super) fn read_all<T>(
        mut self,
        rows_max: usize,
        mut read: impl FnMut(&Row<'_>) -> Result<T, CityError>,
    ) -> Result<Vec<T>, CityError> {
        let mut rows = Vec::new();
        while let Some(row) = self.next_row()? {
            if rows.len() == rows_max {
                return Err(CityError::of_file(row.file, Problem::TooManyRows(rows_max)));
            }
            rows.push(read(&row)?);
        }
        Ok(rows)
    }
}

impl Row<'_> {
    /// The line the row begins at.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// A fault in one of this row's columns.
    pub(super) fn fault(&self, column: &str, problem: Problem) -> CityError {
        let column = self.columns.iter().find(|name| *name == column).cloned();
        CityError { line: Some(self.line), column, ..CityError::of_file(self.file, problem) }
    }

    /// The text of a column; the header was compared, so it is there.
    pub(super) fn text(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| *name == column);
        place.and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    /// A column as `parse` understands it; `form` says what it must be.
    pub(super) fn parsed<T>(
        &self,
        column: &str,
        form: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, CityError> {
        parse(self.text(column)).ok_or_else(|| self.fault(column, Problem::Form(form)))
    }

    /// As [`Row::parsed`], with nothing for an empty field.
    pub(super) fn optional<T>(
        &self,
        column: &str,
        form: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, CityError> {
        if self.text(column).is_empty() { Ok(None) } else { self.parsed(column, form, parse).map(Some) }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        column: &str,
        words: &[(&str, T)],
        form: &'static str,
    ) -> Result<T, CityError> {
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.parsed(column, form, find)
    }

    /// Fails if the rule does not hold.
    pub(super) fn require(&self, holds: bool, column: &str, rule: &'static str) -> Result<(), CityError> {
        if holds { Ok(()) } else { Err(self.fault(column, Problem::Contradiction(rule))) }
    }

    /// Fails if the key is already among those seen.
    pub(super) fn unique<K: Eq + Hash>(
        &self,
        column: &str,
        seen: &mut HashSet<K>,
        key: K,
    ) -> Result<(), CityError> {
        if seen.insert(key) { Ok(()) } else { Err(self.fault(column, Problem::Duplicate)) }
    }
}

fn csv_fault(file: &'static str, err: &csv::Error) -> CityError {
    let problem = match err.kind() {
        csv::ErrorKind::Io(err) => Problem::Unreadable(err.kind()),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Problem::FieldCount { expected: *expected_len, found: *len }
        }
        // The reader neither seeks nor deserialises, so only the encoding is left.
        _ => Problem::NotUtf8,
    };
    CityError { line: err.position().map(csv::Position::line), ..CityError::of_file(file, problem) }
}

/// Names of columns known when compiling.
pub(super) fn columns<const N: usize>(names: [&'static str; N]) -> Vec<Cow<'static, str>> {
    names.map(Cow::Borrowed).into()
}

// --- Forms that several files share ----------------------------------------------------------------------

/// Digits only, as many as `lengths` allows.
pub(super) fn digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let valid = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then_some(text)
}

/// A merchant category code of ISO 18245.
pub(super) fn mcc(text: &str) -> Option<u16> {
    digits(text, 4..=4)?.parse().ok()
}

/// A region: six digits of GB/T 2260.
pub(super) fn region(text: &str) -> Option<u32> {
    digits(text, 6..=6)?.parse().ok()
}

/// Most regions that a card or a product names.
pub const REGIONS_MAX: usize = 8;

/// Regions by their codes of GB/T 2260: a code that ends in pairs of zeros stands for every region below it, so
/// 310000 covers 31xxxx. None at all: everywhere.
pub type Regions = ArrayVec<u32, REGIONS_MAX>;

// The forms below name this number in words.
const _: () = assert!(REGIONS_MAX == 8);

/// What [`regions`] asks for.
pub(super) const REGIONS: &str = "empty or at most 8 different codes of 6 digits, a space between two";

/// Codes with a space between two.
pub(super) fn regions(text: &str) -> Option<Regions> {
    let codes = text.split(' ').filter(|_| !text.is_empty());
    distinct_regions(codes.map(region))
}

/// Codes of which none stands twice. Six digits from 0 are no code: as zeros they would cover every region.
pub(super) fn distinct_regions(codes: impl Iterator<Item = Option<u32>>) -> Option<Regions> {
    let mut regions = Regions::new();
    for code in codes {
        let code = code.filter(|code| (100_000..=999_999).contains(code) && !regions.contains(code))?;
        regions.try_push(code).ok()?;
    }
    Some(regions)
}

/// An institution as F32 and F33 name it: 1 to 11 digits.
pub(super) fn institution(text: &str) -> Option<ArrayString<11>> {
    ArrayString::from(digits(text, 1..=11)?).ok()
}

/// A BIN: the first six digits of a card number.
pub(super) fn bin(text: &str) -> Option<u32> {
    digits(text, 6..=6)?.parse().ok()
}

/// A day in days since 1970-01-01, from the second on: 0 stands for none. A file that people read has one form of it, though
/// the parser also takes others of ISO 8601.
pub(super) fn day(text: &str) -> Option<NonZeroU16> {
    let day = text.parse().ok().filter(|day: &Date| day.to_string() == text)?;
    u16::try_from(days_since_1970(day)).ok().and_then(NonZeroU16::new)
}

/// What [`degrees_e4`] asks for.
pub(super) const DEGREES: &str = "degrees, such as 31.2304 or -121.47";

/// Degrees in ten-thousandths, at most so many; what is finer is left out.
pub(super) fn degrees_e4(text: &str, most: i32) -> Option<i32> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, fine) = text.split_once('.').unwrap_or((text, "0"));
    let fine = digits(fine, 1..=12)?;
    let whole: i32 = digits(whole, 1..=3)?.parse().ok()?;
    let fine: i32 = format!("{fine:0<4}").get(..4)?.parse().ok()?;
    Some(whole * 10_000 + fine).filter(|degrees| *degrees <= most * 10_000).map(|degrees| sign * degrees)
}

/// An amount in minor units, not negative.
pub(super) fn amount(text: &str) -> Option<i64> {
    digits(text, 1..=15)?.parse().ok()
}

/// Letters and digits, 1 to `N` of them, filled up with spaces on the right: the form of F41 and F42.
pub(super) fn padded_id<const N: usize>(text: &str) -> Option<[u8; N]> {
    let valid = (1..=N).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut id = [b' '; N];
    valid.then(|| id[..text.len()].copy_from_slice(text.as_bytes()))?;
    Some(id)
}

/// A name for people: 1 to 40 characters, none of them a control character.
pub(super) fn name(text: &str) -> Option<String> {
    let valid = (1..=40).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    valid.then(|| text.to_owned())
}

/// A name for files: 1 to 16 letters, digits, hyphens and underscores.
pub(super) fn code(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((1..=16).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

/// What [`des_key`] asks for.
pub(super) const DES_KEY: &str = "32 hex digits of odd parity, the two halves different";

/// A double-length DES key: each byte of odd parity, halves different (else it would be single DES).
pub(super) fn des_key(text: &str) -> Option<[u8; 16]> {
    let key: [u8; 16] = crate::hex::bytes(text)?;
    let odd = key.iter().all(|byte| byte.count_ones() % 2 == 1);
    (odd && key[..8] != key[8..]).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_forms_take_what_they_say_and_nothing_else() {
        let eight = (310_101..=310_108).map(|code| code.to_string()).collect::<Vec<_>>().join(" ");
        let rows = [
            ("an MCC", mcc("0742") == Some(742)),
            ("a short MCC", mcc("742").is_none()),
            ("an MCC with a sign", mcc("+742").is_none()),
            ("a day", day("1970-01-02").map(NonZeroU16::get) == Some(1)),
            ("a day of today", day("2026-11-23").map(NonZeroU16::get) == Some(20_780)),
            ("a day that stands for none", day("1970-01-01").is_none()),
            ("a day of long ago", day("1969-12-31").is_none()),
            ("a day that is none", day("2026-02-30").is_none()),
            ("another form of a day", day("20261123").is_none()),
            ("degrees", degrees_e4("31.2304", 90) == Some(312_304)),
            ("degrees west", degrees_e4("-121.47", 180) == Some(-1_214_700)),
            ("whole degrees", degrees_e4("90", 90) == Some(900_000)),
            ("finer degrees than are kept", degrees_e4("1.23456789", 90) == Some(12_345)),
            ("degrees beyond the pole", degrees_e4("90.0001", 90).is_none()),
            ("degrees that are none", degrees_e4("1e1", 90).is_none() && degrees_e4("1.", 90).is_none()),
            ("a region", region("310000") == Some(310_000)),
            ("no regions", regions("").is_some_and(|regions| regions.is_empty())),
            (
                "two regions",
                regions("310000 320500").is_some_and(|regions| regions[..] == [310_000, 320_500]),
            ),
            ("eight regions", regions(&eight).is_some_and(|regions| regions.len() == REGIONS_MAX)),
            ("nine regions", regions(&format!("{eight} 310109")).is_none()),
            ("a region twice", regions("310000 310000").is_none()),
            ("two spaces between regions", regions("310000  320500").is_none()),
            ("a region of zeros, which would be everywhere", regions("000000").is_none()),
            ("an institution", institution("31060110000").as_deref() == Some("31060110000")),
            ("an institution one too long", institution("310601100001").is_none()),
            ("an empty institution", institution("").is_none()),
            ("a BIN of seven", bin("9156001").is_none()),
            ("an amount", amount("0") == Some(0)),
            ("a negative amount", amount("-1").is_none()),
            ("an amount past fifteen digits", amount("1000000000000000").is_none()),
            ("a short identifier", padded_id("AB1") == Some(*b"AB1     ")),
            ("an identifier one too long", padded_id::<8>("123456789").is_none()),
            ("an empty identifier", padded_id::<8>("").is_none()),
            ("an identifier with a space", padded_id::<8>("A B").is_none()),
            ("a name one too long", name(&"x".repeat(41)).is_none()),
            ("a name with a line break", name("a\nb").is_none()),
            ("a code one too long", code(&"x".repeat(17)).is_none()),
            ("hex", crate::hex::bytes("0aFf") == Some([0x0a, 0xff])),
            ("hex with a sign", crate::hex::bytes::<2>("+a+f").is_none()),
            ("hex of another length", crate::hex::bytes::<2>("0aff00").is_none()),
            ("a key", des_key("0123456789ABCDEFFEDCBA9876543210").is_some()),
            ("a key of even parity", des_key("0023456789ABCDEFFEDCBA9876543210").is_none()),
            ("a key of equal halves", des_key("0123456789ABCDEF0123456789ABCDEF").is_none()),
        ];
        for (name, holds) in rows {
            assert!(holds, "{name}");
        }
    }
}
