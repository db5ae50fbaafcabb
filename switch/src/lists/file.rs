//! A file of entries, as people have them: CSV with the columns `value`, `reason`, `source`, `expires`.
//!
//! All that is wrong is told at once, by line and column, never with what stands there: it may be a card number. What stands
//! there a second time is told and left out. Card numbers become tokens as they are read.
//!
//! Start at [`Reading::read`].

use std::{collections::HashMap, io::Read, ops::RangeInclusive};

use csv::{ByteRecord, ReaderBuilder};
use hsm_sim::{Pan, PanError};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use risk::language::Key;

use super::tokens::{Tokens, TokensError};
use crate::books::lists::{
    change::{CHANGE_ROWS_MAX, GROUNDS_MAX, Grounds, How, ListRow, ground},
    key::{ListKey, ListKind},
};

/// Longest field, bytes; what is longer is no entry.
const FIELD_BYTES_MAX: usize = 128;

/// Faults and repeated lines that are told one by one; more are only counted.
pub const TOLD_MAX: usize = 100;

const COLUMNS: [&str; 4] = ["value", "reason", "source", "expires"];

/// Why a line is no entry, without what stands there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The value is none of this kind of list.
    #[error("value: must be {0}")]
    Value(&'static str),
    /// It is no card number.
    #[error("value: {0}")]
    Pan(PanError),
    /// There is no reason, or none that the journal may keep.
    #[error("{0}: must be 1 to 64 bytes with no card number in them")]
    Ground(&'static str),
    /// More pairs of reason and source than one change may have.
    #[error("reason, source: one change has at most 64 different pairs of them")]
    Grounds,
    /// The last day is none.
    #[error("expires: must be empty or a day as yyyy-mm-dd, from 1970 to 2105")]
    Expires,
    /// It has more fields than the head, or fewer.
    #[error("must have as many fields as the head")]
    Fields,
    /// It is no text.
    #[error("{0}: is no UTF-8 text of at most 128 bytes")]
    Text(&'static str),
}

/// Why a file is no list at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Io(#[source] csv::Error),
    /// The head is not one.
    #[error(
        "line 1: the head must have the column value, and may have reason, source and expires, each once and no other"
    )]
    Head,
    /// Too many rows.
    #[error("line {0}: one change has at most {CHANGE_ROWS_MAX} entries; make several of it")]
    TooMany(u64),
    /// Card numbers need a key.
    #[error("card numbers become tokens here: name the switch's configuration with --config")]
    NoTokens,
    /// The HSM refuses.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

/// What came of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Lines behind the head.
    pub lines: u64,
    /// Rows that came of them: a range of BINs is several.
    pub rows: u64,
    /// Lines that say nothing new, and the line that says it already, of which the first are told.
    pub duplicates: u64,
    /// See `duplicates`.
    pub repeated: Vec<(u64, u64)>,
    /// Lines that are no entries.
    pub invalid: u64,
    /// What is wrong with the first of them.
    pub faults: Vec<(u64, Problem)>,
}

/// A file that was read.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The rows, packed.
    pub rows: Vec<u8>,
    /// Reasons and sources that they name.
    pub grounds: Vec<Grounds>,
    /// The line of each row.
    pub line_of: Vec<u32>,
    /// What came of the lines.
    pub tally: Tally,
}

/// How a file is read.
#[derive(Debug)]
pub struct Reading<'a> {
    /// What the list is a list of.
    pub kind: ListKind,
    /// What is done with the entries.
    pub how: How,
    /// In which last days end.
    pub zone: &'a TimeZone,
    /// The reason where the file has none.
    pub reason: Option<&'a str>,
    /// The source where the file has none.
    pub source: Option<&'a str>,
    /// Makes tokens of card numbers.
    pub tokens: Option<&'a mut Tokens>,
}

/// The columns' places.
#[derive(Clone, Copy, Debug)]
struct Head {
    columns: [Option<usize>; 4],
    len: usize,
}

impl Reading<'_> {
    /// Reads a file; `heard` is told how many bytes were read.
    ///
    /// # Errors
    /// It is no list at all; what is wrong with single lines is in the draft.
    pub fn read(&mut self, file: impl Read, heard: &mut dyn FnMut(u64)) -> Result<Draft, FileError> {
        let mut lines = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(file);
        let (mut record, mut draft) = (ByteRecord::new(), Draft::default());
        if !lines.read_byte_record(&mut record).map_err(FileError::Io)? {
            return Err(FileError::Head);
        }
        let head = head(&record)?;
        let mut seen: HashMap<ListKey, u32> = HashMap::new();
        while lines.read_byte_record(&mut record).map_err(FileError::Io)? {
            let at = record.position().map_or((0, 0), |at| (at.byte(), at.line()));
            heard(at.0);
            draft.tally.lines += 1;
            match self.line(&record, head, &mut draft.grounds)? {
                Ok((keys, until_s, ground)) => {
                    let entry = Entry { line: at.1, until_s, ground };
                    take(keys, &entry, &mut seen, &mut draft)?;
                }
                Err(problem) => {
                    draft.tally.invalid += 1;
                    if draft.tally.faults.len() < TOLD_MAX {
                        draft.tally.faults.push((at.1, problem));
                    }
                }
            }
        }
        Ok(draft)
    }

    /// What a line says, or what is wrong with it.
    fn line(
        &mut self,
        record: &ByteRecord,
        head: Head,
        grounds: &mut Vec<Grounds>,
    ) -> Result<Result<(Keys, u32, u8), Problem>, FileError> {
        if record.len() != head.len {
            return Ok(Err(Problem::Fields));
        }
        let mut texts = [None; 4];
        for ((text, column), name) in texts.iter_mut().zip(head.columns).zip(COLUMNS) {
            let Some(bytes) = column.and_then(|column| record.get(column)) else { continue };
            match std::str::from_utf8(bytes) {
                Ok(field) if field.len() <= FIELD_BYTES_MAX => *text = Some(field),
                _ => return Ok(Err(Problem::Text(name))),
            }
        }
        let [value, reason, source, expires] = texts;
        let keys = match self.keys(value.unwrap_or_default())? {
            Ok(keys) => keys,
            Err(problem) => return Ok(Err(problem)),
        };
        Ok(self.rest(reason, source, expires, grounds).map(|(until_s, ground)| (keys, until_s, ground)))
    }

    fn rest(
        &self,
        reason: Option<&str>,
        source: Option<&str>,
        expires: Option<&str>,
        grounds: &mut Vec<Grounds>,
    ) -> Result<(u32, u8), Problem> {
        if self.how == How::Remove {
            return Ok((0, 0));
        }
        let until_s = match expires.unwrap_or_default() {
            "" => 0,
            day => end_of(day, self.zone).ok_or(Problem::Expires)?,
        };
        let text = |named: Option<&str>, else_: Option<&str>, name| {
            let text = named.filter(|text| !text.is_empty()).or(else_).unwrap_or_default();
            ground(text).map(str::to_owned).ok_or(Problem::Ground(name))
        };
        let wanted = Grounds {
            reason: text(reason, self.reason, "reason")?,
            source: text(source, self.source, "source")?,
        };
        let place = grounds.iter().position(|known| *known == wanted).unwrap_or(grounds.len());
        if place == GROUNDS_MAX {
            return Err(Problem::Grounds);
        }
        if place == grounds.len() {
            grounds.push(wanted);
        }
        u8::try_from(place).map(|place| (until_s, place)).map_err(|_| Problem::Grounds)
    }

    /// What a value stands for: BINs of a range, else one key.
    fn keys(&mut self, value: &str) -> Result<Result<Keys, Problem>, FileError> {
        let text = |text: &[u8]| ListKey::of(self.kind, Key::Text(text)).map(Keys::One);
        let id = |length: RangeInclusive<usize>| {
            let fits =
                length.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
            text(value.as_bytes()).filter(|_| fits)
        };
        let (key, rule) = match self.kind {
            ListKind::Card => return self.card(value),
            ListKind::Terminal => (id(8..=8), "8 letters and digits"),
            ListKind::Merchant => (id(1..=15), "1 to 15 letters and digits"),
            ListKind::Bin => {
                (bins(value).map(Keys::Bins), "6 digits, or two such with a hyphen, the lower first")
            }
            ListKind::Psam => (psam(value).and_then(|number| text(&number)), "16 digits"),
            ListKind::Phone => {
                let fits = (3..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
                (text(value.as_bytes()).filter(|_| fits), "3 to 15 digits")
            }
        };
        Ok(key.ok_or(Problem::Value(rule)))
    }

    fn card(&mut self, value: &str) -> Result<Result<Keys, Problem>, FileError> {
        let tokens = self.tokens.as_mut().ok_or(FileError::NoTokens)?;
        let pan = match Pan::parse(value.as_bytes()) {
            Ok(pan) => pan,
            Err(error) => return Ok(Err(Problem::Pan(error))),
        };
        Ok(Ok(Keys::One(ListKey(tokens.token(&pan)?))))
    }
}

/// What a line is about.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Keys {
    One(ListKey),
    Bins(RangeInclusive<u32>),
}

/// What a line says of its keys.
#[derive(Clone, Copy, Debug)]
struct Entry {
    line: u64,
    until_s: u32,
    ground: u8,
}

/// Takes what of a line was not said before.
fn take(
    keys: Keys,
    entry: &Entry,
    seen: &mut HashMap<ListKey, u32>,
    draft: &mut Draft,
) -> Result<(), FileError> {
    let line = u32::try_from(entry.line).map_err(|_| FileError::TooMany(entry.line))?;
    let (mut is_new, mut first) = (false, line);
    let mut one = |key: ListKey| {
        match seen.get(&key) {
            Some(earlier) => first = first.min(*earlier),
            None if draft.line_of.len() == CHANGE_ROWS_MAX => return Err(FileError::TooMany(entry.line)),
            None => {
                is_new = true;
                seen.insert(key, line);
                ListRow { key, until_s: entry.until_s, ground: entry.ground }.pack(&mut draft.rows);
                draft.line_of.push(line);
            }
        }
        Ok(())
    };
    match keys {
        Keys::One(key) => one(key)?,
        Keys::Bins(bins) => bins
            .filter_map(|bin| ListKey::of(ListKind::Bin, Key::Number(i64::from(bin))))
            .try_for_each(&mut one)?,
    }
    draft.tally.rows = draft.line_of.len() as u64;
    if !is_new {
        draft.tally.duplicates += 1;
        if draft.tally.repeated.len() < TOLD_MAX {
            draft.tally.repeated.push((entry.line, u64::from(first)));
        }
    }
    Ok(())
}

fn head(record: &ByteRecord) -> Result<Head, FileError> {
    let fields: Vec<&[u8]> = record.iter().collect();
    let place = |name: &str| {
        let mut places = fields.iter().enumerate().filter(|(_, field)| **field == name.as_bytes());
        (places.next().map(|(place, _)| place), places.next().is_none())
    };
    let found = COLUMNS.map(place);
    let known = found.iter().filter(|(place, _)| place.is_some()).count();
    let once = found.iter().all(|(_, once)| *once);
    if found[0].0.is_none() || !once || known != fields.len() {
        return Err(FileError::Head);
    }
    Ok(Head { columns: found.map(|(place, _)| place), len: fields.len() })
}

/// A BIN, or two with a hyphen between them.
pub(crate) fn bins(text: &str) -> Option<RangeInclusive<u32>> {
    let bin = |text: &str| {
        let fits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| fits)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (bin(first)?, bin(last)?);
    (first <= last).then_some(first..=last)
}

fn psam(text: &str) -> Option<[u8; 8]> {
    crate::hex::bytes(text).filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// When a last day is over, which counts whole, seconds since 1970 UTC. A day has one form.
pub(crate) fn end_of(text: &str, zone: &TimeZone) -> Option<u32> {
    let day: Date = text.parse().ok().filter(|day: &Date| day.to_string() == text)?;
    let end = day.checked_add(1.day()).ok()?.to_zoned(zone.clone()).ok()?.timestamp().as_second();
    u32::try_from(end).ok().filter(|end| *end > 0 && day.year() < 2106)
}
