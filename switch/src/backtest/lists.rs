//! Lists for a trial on a data set: a CSV file for each, with the columns `value` and `expires`, and whatever others it has.
//!
//! Values are those of the data set's columns, cards among them, in whatever way it knows them; of BINs ranges as well. On a
//! journal no files are needed: its lists are there, as they were then. Start at [`ListFiles::add`].

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use hashbrown::HashMap;
use jiff::tz::TimeZone;
use risk::language::{Fact, Key, NamedList};

use crate::lists::file::{bins, end_of};

/// Most entries of one file.
const ENTRIES_MAX: usize = 8 << 20;

/// Why a file is no list. It says where, never what stands there.
#[derive(Debug, thiserror::Error)]
pub enum ListFileError {
    /// It cannot be read, or a line has not as many fields as the head.
    #[error("line {line}: cannot be read as CSV with as many fields as its head")]
    Read {
        /// The line.
        line: u64,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// The head names no values.
    #[error("line 1: the head must have the column value, and may have the column expires")]
    Head,
    /// An entry breaks a rule.
    #[error("line {line}: {rule}")]
    Line {
        /// The line.
        line: u64,
        /// The rule.
        rule: &'static str,
    },
}

/// The lists of a trial.
#[derive(Debug, Default)]
pub struct ListFiles(Vec<ListFile>);

#[derive(Debug)]
struct ListFile {
    name: String,
    of: Fact,
    /// When each ends, seconds since 1970 UTC; 0 is never.
    texts: HashMap<Box<[u8]>, u32>,
    numbers: HashMap<i64, u32>,
}

impl ListFiles {
    /// Reads a file as a list. `card` is by which key the data set knows a card of this name, if it has room for it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn add(
        &mut self,
        list: &NamedList,
        file: impl Read,
        zone: &TimeZone,
        mut card: impl FnMut(&[u8]) -> Option<[u8; 8]>,
    ) -> Result<(), ListFileError> {
        let mut csv = ReaderBuilder::new().has_headers(false).from_reader(file);
        let mut record = ByteRecord::new();
        let read = csv.read_byte_record(&mut record);
        read.map_err(|source| ListFileError::Read { line: 1, source })?;
        let column = |name: &str| record.iter().position(|field| field == name.as_bytes());
        let (value, expires) = (column("value").ok_or(ListFileError::Head)?, column("expires"));
        let (name, of) = (list.name.clone(), list.of);
        let mut read = ListFile { name, of, texts: HashMap::new(), numbers: HashMap::new() };
        loop {
            let line = csv.position().line();
            let more = csv.read_byte_record(&mut record);
            if !more.map_err(|source| ListFileError::Read { line, source })? {
                break;
            }
            let wrong = |rule| ListFileError::Line { line, rule };
            let text = |column: usize| record.get(column).unwrap_or_default().trim_ascii();
            let until_s = match expires.map(text).unwrap_or_default() {
                b"" => 0,
                day => std::str::from_utf8(day).ok().and_then(|day| end_of(day, zone)).ok_or_else(|| {
                    wrong("expires: must be empty or a day as yyyy-mm-dd, from 1970 to 2105")
                })?,
            };
            read.put(text(value), until_s, &mut card).map_err(wrong)?;
        }
        self.0.push(read);
        Ok(())
    }

    /// Whether a list has an entry in force; one without a file has none.
    #[must_use]
    pub fn holds(&self, list: &NamedList, key: Key<'_>, now_ms: i64) -> bool {
        let Some(file) = self.0.iter().find(|file| file.name == list.name && file.of == list.of) else {
            return false;
        };
        let end = match key {
            Key::Text(text) => file.texts.get(text),
            Key::Number(number) => file.numbers.get(&number),
        };
        end.is_some_and(|end| *end == 0 || now_ms < i64::from(*end) * 1_000)
    }
}

impl ListFile {
    fn put(
        &mut self,
        value: &[u8],
        until_s: u32,
        card: &mut impl FnMut(&[u8]) -> Option<[u8; 8]>,
    ) -> Result<(), &'static str> {
        let full = "there is no room for more entries";
        if self.texts.len() + self.numbers.len() >= ENTRIES_MAX {
            return Err(full);
        }
        if value.is_empty() {
            return Err("value: nothing is no entry");
        }
        match self.of {
            Fact::Bin => {
                let rule = "value: must be 6 digits, or two such with a hyphen, the lower first";
                let bins = std::str::from_utf8(value).ok().and_then(bins).ok_or(rule)?;
                self.numbers.extend(bins.map(|bin| (i64::from(bin), until_s)));
            }
            Fact::Card => {
                let key = card(value).ok_or(full)?;
                self.texts.insert(without_spaces(&key).into(), until_s);
            }
            _ => {
                self.texts.insert(value.into(), until_s);
            }
        }
        Ok(())
    }
}

/// Keys end before their spaces, as facts do, and before nothing else.
fn without_spaces(mut key: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = key {
        key = rest;
    }
    key
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn list(of: Fact) -> NamedList {
        NamedList { name: "seen".to_owned(), of }
    }

    fn files(of: Fact, file: &str) -> Result<ListFiles, ListFileError> {
        let mut files = ListFiles::default();
        let card = |name: &[u8]| Some((name.len() as u64).to_be_bytes());
        files.add(&list(of), file.as_bytes(), &TimeZone::UTC, card)?;
        Ok(files)
    }

    #[test]
    fn an_entry_counts_to_its_end_and_for_its_list() {
        let found = files(Fact::Merchant, "value,reason,expires\n M1 ,seen,1970-01-02\nM2,,\n").unwrap();
        let holds = |key: &str, now_ms| found.holds(&list(Fact::Merchant), Key::Text(key.as_bytes()), now_ms);
        let day_ms = 86_400_000;
        assert!(holds("M1", 2 * day_ms - 1) && !holds("M1", 2 * day_ms));
        assert!(holds("M2", i64::MAX) && !holds("M3", 0));
        assert!(!found.holds(&list(Fact::Terminal), Key::Text(b"M2"), 0), "another kind");

        let found = files(Fact::Bin, "value\n915600-915609\n").unwrap();
        let holds = |bin| found.holds(&list(Fact::Bin), Key::Number(bin), 0);
        assert!(holds(915_600) && holds(915_609) && !holds(915_610));

        // A card's key may end as a space does.
        let found = files(Fact::Card, &format!("value\n{}\nten letter\n", "x".repeat(32))).unwrap();
        assert!(found.holds(&list(Fact::Card), Key::Text(&[0; 7]), 0));
        assert!(found.holds(&list(Fact::Card), Key::Text(&[0, 0, 0, 0, 0, 0, 0, 10]), 0));
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_not_quoted() {
        let rows = [
            (Fact::Card, "number\n4242\n", "line 1: the head must have"),
            (Fact::Card, "value,expires\n4242,soon\n", "line 2: expires: must be"),
            (Fact::Card, "value\n4242\n\" \"\n", "line 3: value: nothing is no entry"),
            (Fact::Bin, "value\n915609-915600\n", "line 2: value: must be 6 digits"),
            (Fact::Card, "value,expires\n4242\n", "line 2: cannot be read as CSV"),
        ];
        for (of, file, want) in rows {
            let told = files(of, file).unwrap_err().to_string();
            assert!(told.starts_with(want) && !told.contains("4242"), "{told}");
        }
    }
}
