//! What was found out about requests of a journal: whether they were fraud, and when that was known.
//!
//! A CSV file names each request by its retrieval reference number or its record. The first thing that is wrong ends it. Start
//! at [`Labels::read`].

use std::io::Read;

use csv::StringRecord;
use hashbrown::HashMap;
use jiff::{civil::Date, tz::TimeZone};

use super::{DataError, Label, calendar::Calendar, map::TimeForm};
use crate::{
    audit::explain::{RRN_RECORDS, may_be_of},
    clock::days_since_1970,
    journal::Seq,
};

/// Most labels of a file; each takes some eighty bytes.
const LABELS_MAX: usize = 10_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Labels {
    entries: Vec<Entry>,
    /// By the last six digits of a record, which a reference number has, too.
    by_number: HashMap<u64, Vec<usize>>,
    fitted: u64,
    ambiguous: u64,
}

#[derive(Debug)]
struct Entry {
    request: Named,
    /// The business day, days since 1970-01-01.
    day: Option<i32>,
    label: Label,
    fits: bool,
}

/// How a file names a request.
#[derive(Clone, Copy, Debug)]
enum Named {
    Rrn(u64),
    Record(Seq),
}

/// Where things stand: columns, from 0.
struct Places {
    rrn: Option<usize>,
    record: Option<usize>,
    day: Option<usize>,
    label: usize,
    known: usize,
}

impl Labels {
    /// Reads a file with a head.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(file: impl Read) -> Result<Self, DataError> {
        let mut csv = csv::Reader::from_reader(file);
        let header = csv.headers().map_err(|source| DataError::Read { line: 1, source })?.clone();
        let places = Places::find(&header)?;
        let mut labels = Self::default();
        let (mut record, mut calendar) = (StringRecord::new(), Calendar::new(TimeZone::UTC));
        loop {
            let line = csv.position().line();
            if !csv.read_record(&mut record).map_err(|source| DataError::Read { line, source })? {
                return if labels.entries.is_empty() { Err(DataError::Empty) } else { Ok(labels) };
            }
            if labels.entries.len() == LABELS_MAX {
                return Err(DataError::TooManyLabels { line, most: LABELS_MAX });
            }
            let row = Line { header: &header, record: &record, line };
            labels.add(row.entry(&places, &mut calendar)?);
        }
    }

    fn add(&mut self, entry: Entry) {
        let (Named::Rrn(number) | Named::Record(number)) = entry.request;
        self.by_number.entry(number % RRN_RECORDS).or_default().push(self.entries.len());
        self.entries.push(entry);
    }

    /// The label of a decision, if there is one; of several the last in the file.
    pub(super) fn of(&mut self, seq: Seq, time_ms: i64, day: i32) -> Option<Label> {
        let candidates = self.by_number.get(&(seq % RRN_RECORDS))?;
        let mut label = None;
        for at in candidates {
            let entry = &mut self.entries[*at];
            let is_it = match entry.request {
                Named::Record(record) => record == seq,
                Named::Rrn(rrn) => may_be_of(rrn, time_ms),
            };
            if is_it && entry.day.is_none_or(|of| of == day) {
                self.fitted += u64::from(!entry.fits);
                self.ambiguous += u64::from(entry.fits);
                entry.fits = true;
                label = Some(entry.label);
            }
        }
        label
    }

    /// What people should know of labels that did not fit one request each; nothing if all did.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let without = self.entries.len() as u64 - self.fitted;
        let parts = [
            (without, "fit no request that rules were asked about"),
            (self.ambiguous, "times a label fitted one more request; name its day, or its record"),
        ];
        let said: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!said.is_empty()).then(|| format!("of {} labels: {}", self.entries.len(), said.join("; ")))
    }
}

impl Places {
    fn find(header: &StringRecord) -> Result<Self, DataError> {
        let place = |name: &str| {
            header.iter().position(|column| column.trim().trim_start_matches('\u{feff}') == name)
        };
        let must = |name: &str, role| {
            let columns = header.len();
            place(name).ok_or_else(|| DataError::NoColumn { name: name.to_owned(), role, columns })
        };
        let (rrn, record) = (place("rrn"), place("record"));
        if rrn.is_none() && record.is_none() {
            must("rrn", "the request")?;
        }
        let (label, known) = (must("label", "the label")?, must("known", "when it was known")?);
        Ok(Self { rrn, record, day: place("day"), label, known })
    }
}

/// A row of the file.
struct Line<'a> {
    header: &'a StringRecord,
    record: &'a StringRecord,
    line: u64,
}

impl Line<'_> {
    fn entry(&self, places: &Places, calendar: &mut Calendar) -> Result<Entry, DataError> {
        let rrn = self.number(places.rrn, 999_999_999_999, "12 digits (field 37)")?;
        let record = self.number(places.record, i64::MAX as u64, "the number of a record")?;
        let request = match (record, rrn) {
            (Some(record), _) => Named::Record(record),
            (None, Some(rrn)) => Named::Rrn(rrn),
            (None, None) => {
                return Err(
                    self.wrong(places.rrn.or(places.record), "the request's number; the row has none")
                );
            }
        };
        let fraud = match self.text(Some(places.label)) {
            "fraud" => true,
            "genuine" => false,
            _ => return Err(self.wrong(Some(places.label), "fraud or genuine")),
        };
        let known = calendar.moment(self.text(Some(places.known)).as_bytes(), TimeForm::Iso);
        let known_ms = known.ok_or_else(|| {
            self.wrong(
                Some(places.known),
                "a time such as 2026-11-22 12:00:00, of UTC unless it says otherwise",
            )
        })?;
        Ok(Entry { request, day: self.day(places.day)?, label: Label { fraud, known_ms }, fits: false })
    }

    fn day(&self, column: Option<usize>) -> Result<Option<i32>, DataError> {
        match self.text(column) {
            "" => Ok(None),
            text => {
                let date: Option<Date> = text.parse().ok();
                date.map(|date| Some(days_since_1970(date)))
                    .ok_or_else(|| self.wrong(column, "a business day such as 2026-11-22"))
            }
        }
    }

    fn number(&self, column: Option<usize>, most: u64, rule: &'static str) -> Result<Option<u64>, DataError> {
        match self.text(column) {
            "" => Ok(None),
            text => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let number = text.parse().ok().filter(|number| digits && *number <= most);
                number.map(Some).ok_or_else(|| self.wrong(column, rule))
            }
        }
    }

    fn text(&self, column: Option<usize>) -> &str {
        column.and_then(|column| self.record.get(column)).unwrap_or_default().trim()
    }

    fn wrong(&self, column: Option<usize>, rule: &'static str) -> DataError {
        let column = column.unwrap_or_default();
        let name = self.header.get(column).unwrap_or_default().chars().take(40).collect();
        DataError::Value { line: self.line, column: column + 1, name, rule }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// 2026-11-22T16:30:00Z, the 326th day; a business day of its own number.
    const TIME_MS: i64 = 1_795_365_000_000;
    const DAY: i32 = 20_780;

    #[test]
    fn a_request_is_known_by_its_number_and_its_day() {
        let file = "day,rrn,record,label,known\n\
                    2026-11-23,632700000110,,fraud,2026-12-03\n\
                    ,632700000111,,genuine,2026-12-03 12:00:00+08:00\n\
                    ,,2000112,fraud,2026-12-04\n";
        let mut labels = Labels::read(file.as_bytes()).unwrap();
        let label = |fraud, known_ms| Some(Label { fraud, known_ms });
        assert_eq!(labels.of(1_000_110, TIME_MS, DAY - 1), None, "another day");
        assert_eq!(labels.of(1_000_110, TIME_MS, DAY), label(true, 1_796_256_000_000));
        assert_eq!(labels.of(111, TIME_MS, DAY), label(false, 1_796_270_400_000));
        assert_eq!(labels.of(111, TIME_MS - 3 * 86_400_000, DAY), None, "the number is of another day");
        assert_eq!(labels.of(112, TIME_MS, DAY), None, "another record");
        assert!(labels.complaint().unwrap().contains("of 3 labels: 1 fit no request"));
        assert_eq!(labels.of(2_000_112, TIME_MS, DAY), label(true, 1_796_342_400_000));
        assert_eq!(labels.complaint(), None);
        assert!(labels.of(1_000_111, TIME_MS, DAY).is_some(), "a million records on, in the same hour");
        assert!(labels.complaint().unwrap().contains("1 times a label fitted one more request"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let good = "rrn,label,known\n632700000110,fraud,2026-12-03\n";
        let rows = [
            ("632700000110", "63270000011x", "line 2, column 1 (rrn): must be 12 digits"),
            ("632700000110", "", "line 2, column 1 (rrn): must be the request's number"),
            ("fraud", "maybe", "line 2, column 2 (label): must be fraud or genuine"),
            ("2026-12-03", "soon", "line 2, column 3 (known): must be a time"),
        ];
        for (from, to, want) in rows {
            let error = Labels::read(good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        assert!(Labels::read(good.replace("known", "seen").as_bytes()).is_err());
        assert!(Labels::read("rrn,label,known\n".as_bytes()).is_err());
    }
}
