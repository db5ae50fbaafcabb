//! A change of a list: what two officers order, and the rows that it is about.
//!
//! An order has room for some kilobytes, a change for a million rows. So the order says how many rows there are and what
//! they hash to, and the rows come beside it. They go into the journal in pieces, each a record that changes nothing;
//! the order is the last record, and puts all of them in force at once.

use std::fmt;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::{ListKey, ListKind};

/// A list's name, as rules call it.
pub type ListName = ArrayString<32>;

/// Most rows of one change.
pub const CHANGE_ROWS_MAX: usize = 1_000_000;

/// Rows of one record: all but the last of a change have so many, so that a change has one hash.
pub const PIECE_ROWS: usize = 720;

/// Most pairs of reason and source in one change.
pub const GROUNDS_MAX: usize = 64;

/// Longest reason or source, bytes.
const WORDS_BYTES_MAX: usize = 64;

/// Most digits in a reason or a source: what the journal keeps for ever holds no card number.
const DIGITS_MAX: usize = 11;

/// What a change does with its rows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// They are on the list; those that were have their new reason and end.
    Add,
    /// They are not on it any more.
    Remove,
    /// They are on it, and nothing else is.
    Replace,
}

impl How {
    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// Why something is on a list, and who says so.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// Why.
    pub reason: String,
    /// Who says so.
    pub source: String,
}

/// A change of a list, as it is ordered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ListChange {
    /// The list; it begins with its first change.
    pub list: ListName,
    /// What it is a list of.
    pub kind: ListKind,
    /// What is done.
    pub how: How,
    /// Reasons and sources that the rows name by their place. A removal has none.
    pub grounds: Vec<Grounds>,
    /// How many rows there are.
    pub rows: u32,
    /// What they hash to, see [`hash_of`].
    pub hash: [u8; 32],
}

/// Rows of a change that is not in force yet. `Debug` counts them.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct StagedRows {
    /// The order that they belong to.
    pub order: [u8; 16],
    /// The list.
    pub list: ListName,
    /// What it is a list of.
    pub kind: ListKind,
    /// What is done.
    pub how: How,
    /// How many grounds the change has.
    pub grounds: u8,
    /// How many rows of it there were before.
    pub first: u32,
    /// The rows, packed.
    pub rows: Vec<u8>,
}

impl fmt::Debug for StagedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedRows")
            .field("list", &self.list)
            .field("kind", &self.kind)
            .field("how", &self.how)
            .field("first", &self.first)
            .field("rows", &format_args!("{} rows", self.rows.len() / ROW_BYTES))
            .finish_non_exhaustive()
    }
}

/// A change that came into force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ListChanged {
    /// The list.
    pub list: ListName,
    /// How many changes it has had, this one included.
    pub version: u32,
    /// How many of the rows came on it.
    pub added: u32,
    /// How many were on it and have a new reason or end.
    pub changed: u32,
    /// How many entries are not on it any more.
    pub removed: u32,
}

/// One row: 21 bytes where it is packed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListRow {
    /// What.
    pub key: ListKey,
    /// Until when, seconds since 1970 UTC; 0 is for ever.
    pub until_s: u32,
    /// Why, by its place among the grounds.
    pub ground: u8,
}

/// Bytes of a packed row.
pub const ROW_BYTES: usize = 21;

impl ListRow {
    /// Packs a row behind others.
    pub fn pack(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.key.0);
        into.extend_from_slice(&self.until_s.to_be_bytes());
        into.push(self.ground);
    }

    /// Rows that were packed; none if the bytes are no rows.
    pub fn unpack(rows: &[u8]) -> Option<impl Iterator<Item = Self> + '_> {
        let (rows, rest) = rows.as_chunks::<ROW_BYTES>();
        let row = |[key @ .., a, b, c, d, ground]: &[u8; ROW_BYTES]| Self {
            key: ListKey(*key),
            until_s: u32::from_be_bytes([*a, *b, *c, *d]),
            ground: *ground,
        };
        rest.is_empty().then(|| rows.iter().map(row))
    }
}

/// The hash of no rows.
pub(super) const NO_ROWS: [u8; 32] = *b"rows of a change of a list, v1.\n";

/// The hash with one piece more: so whoever takes the pieces need not keep them.
pub(super) fn hash_on(hash: &[u8; 32], piece: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(hash).chain_update(piece).finalize().into()
}

/// What the packed rows of a change hash to.
#[must_use]
pub fn hash_of(rows: &[u8]) -> [u8; 32] {
    pieces(rows).fold(NO_ROWS, |hash, piece| hash_on(&hash, piece))
}

/// The packed rows of a change in the pieces that become records.
pub fn pieces(rows: &[u8]) -> impl Iterator<Item = &[u8]> {
    rows.chunks(PIECE_ROWS * ROW_BYTES)
}

/// A list's name, if the text is one.
#[must_use]
pub fn list_name(text: &str) -> Option<ListName> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = !text.is_empty() && text.bytes().all(allowed) && digits(text) <= DIGITS_MAX;
    ListName::from(text).ok().filter(|_| fits)
}

/// A reason or a source, if the text is one.
#[must_use]
pub fn ground(text: &str) -> Option<&str> {
    let fits = (1..=WORDS_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    Some(text).filter(|_| fits && digits(text) <= DIGITS_MAX)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

impl ListChange {
    /// Whether the change says what a change may say.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let grounds =
            self.grounds.iter().all(|of| ground(&of.reason).is_some() && ground(&of.source).is_some());
        let needs = usize::from(self.how != How::Remove && self.rows > 0);
        grounds
            && (needs..=GROUNDS_MAX).contains(&self.grounds.len())
            && self.rows as usize <= CHANGE_ROWS_MAX
            && list_name(&self.list).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_packed() {
        let row = ListRow { key: ListKey([7; 16]), until_s: 0x0102_0304, ground: 9 };
        let mut packed = Vec::new();
        row.pack(&mut packed);
        row.pack(&mut packed);
        let rows: Option<Vec<_>> = ListRow::unpack(&packed).map(Iterator::collect);
        assert_eq!(rows, Some(vec![row, row]));
        assert!(ListRow::unpack(&packed[1..]).is_none());
    }

    #[test]
    fn names_and_grounds_hold_no_card_number() {
        let names = [("stolen-2026", true), ("", false), ("a b", false), ("915600112233", false)];
        for (name, want) in names {
            assert_eq!(list_name(name).is_some(), want, "{name}");
        }
        assert!(list_name(&"x".repeat(32)).is_some() && list_name(&"x".repeat(33)).is_none());
        let texts =
            [("reported on 2026-11-22", true), ("", false), ("a\nb", false), ("9156 0011 2233", false)];
        for (text, want) in texts {
            assert_eq!(ground(text).is_some(), want, "{text}");
        }
    }

    #[test]
    fn a_piece_and_what_the_record_says_beside_it_fit_into_a_record() {
        let rows = vec![0xFF; PIECE_ROWS * ROW_BYTES];
        let staged = StagedRows {
            order: [0xFF; 16],
            list: ListName::from(&"x".repeat(32)).unwrap_or_default(),
            kind: ListKind::Phone,
            how: How::Replace,
            grounds: 64,
            first: u32::MAX,
            rows,
        };
        let mut body = Vec::new();
        crate::books::event::Event::ListRowsStaged(staged).write(&mut body);
        assert!(body.len() <= crate::books::ordered::ORDER_BYTES_MAX, "{} bytes", body.len());
    }
}
