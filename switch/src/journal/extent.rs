//! Extents: the records of a commit, concatenated, each extent naming the hash of the one before.
//!
//! An extent is the unit the engine stores: one value under the first record's sequence number. It is
//! `"CWX" and version | u64 first sequence number | u32 count | previous extent's hash | records`, little
//! endian, and its own hash is the SHA-256 of all of it. So the hash of the last extent vouches for every
//! byte of the journal.
//!
//! No I/O here. Writers start at [`ExtentWriter`], readers at [`Extent::parse`] and [`each_extent`].

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::record::{RECORD_BODY_MAX, RECORD_HEADER_BYTES, Record, RecordBatch, decode_checked, split_first};
use super::{ChainHash, Damage, Head, JournalError, Seq};

/// The largest extent in bytes. The engine keeps values above a quarter of its segment in files of their own
/// that are never synced; 64 KiB, and 16 such values in one leaf, stay far below that.
pub const EXTENT_BYTES_MAX: usize = 64 * 1024;
/// The smallest limit that may be set: room for one record of the longest body.
pub const EXTENT_BYTES_MIN: usize = EXTENT_HEADER_BYTES + RECORD_HEADER_BYTES + RECORD_BODY_MAX;

/// Names the format; the last byte is its version.
const MAGIC: [u8; 4] = *b"CWX\x01";
const EXTENT_HEADER_BYTES: usize = 4 + 8 + 4 + 32;

/// Cuts batches into extents, in a buffer it uses again.
pub(super) struct ExtentWriter {
    buffer: Vec<u8>,
    limit_bytes: usize,
}

impl ExtentWriter {
    /// `limit_bytes` lies in [`EXTENT_BYTES_MIN`]..=[`EXTENT_BYTES_MAX`].
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(limit_bytes), limit_bytes }
    }

    /// Encodes the batch as the extents behind `head`, gives each to `put`, and returns the head behind them.
    pub(super) fn write(
        &mut self,
        head: Head,
        batch: &RecordBatch,
        mut put: impl FnMut(Seq, &[u8]) -> Result<(), JournalError>,
    ) -> Result<Head, JournalError> {
        let mut hash = head.hash;
        let mut first = head.seq + 1;
        let mut count = 0_u32;
        self.begin(first, &hash);
        for record in batch.encoded() {
            if self.buffer.len() + record.len() > self.limit_bytes {
                hash = self.finish(count);
                put(first, &self.buffer)?;
                first += u64::from(count);
                count = 0;
                self.begin(first, &hash);
            }
            self.buffer.extend_from_slice(record);
            count += 1;
        }
        if count > 0 {
            hash = self.finish(count);
            put(first, &self.buffer)?;
        }
        let seq = batch.last_seq().unwrap_or(head.seq);
        Ok(Head { seq, hash, time_ms: batch.last_time_ms().unwrap_or(head.time_ms) })
    }

    fn begin(&mut self, first: Seq, previous: &ChainHash) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&MAGIC);
        self.buffer.extend_from_slice(&first.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(previous);
    }

    fn finish(&mut self, count: u32) -> ChainHash {
        self.buffer[12..16].copy_from_slice(&count.to_le_bytes());
        hash_of(&self.buffer)
    }
}

/// SHA-256 of a whole extent.
pub(super) fn hash_of(extent: &[u8]) -> ChainHash {
    Sha256::digest(extent).into()
}

/// An extent whose header has been read; its records have not.
#[derive(Clone, Copy)]
pub(super) struct Extent<'a> {
    pub(super) first: Seq,
    pub(super) count: u32,
    pub(super) previous: &'a ChainHash,
    records: &'a [u8],
}

impl<'a> Extent<'a> {
    /// Reads the header; `None` when it is not one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (previous, records) = rest.split_first_chunk()?;
        let (first, count) = (u64::from_le_bytes(*first), u32::from_le_bytes(*count));
        let lawful =
            *magic == MAGIC && first > 0 && count > 0 && first.checked_add(u64::from(count)).is_some();
        lawful.then_some(Self { first, count, previous, records })
    }

    /// The last record's sequence number.
    pub(super) fn last(&self) -> Seq {
        self.first + u64::from(self.count) - 1
    }

    /// The records in order, each checked. Nothing follows an error.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Record<'a>, JournalError>> + use<'a> {
        let mut rest = self.records;
        let (mut next, end) = (self.first, self.last() + 1);
        let mut done = false;
        std::iter::from_fn(move || {
            if done || (next == end && rest.is_empty()) {
                return None;
            }
            let read = if next == end { Err(Damage::Count) } else { take_record(&mut rest, next) };
            done = read.is_err();
            let seq = next;
            next += 1;
            Some(read.map_err(|damage| JournalError::Damaged { seq, damage }))
        })
    }
}

/// Takes the first record off `rest`; it must be number `seq`.
fn take_record<'a>(rest: &mut &'a [u8], seq: Seq) -> Result<Record<'a>, Damage> {
    if rest.is_empty() {
        return Err(Damage::Count);
    }
    let (encoded, behind) = split_first(rest).ok_or(Damage::Length)?;
    let record = decode_checked(encoded)?;
    *rest = behind;
    if record.seq == seq { Ok(record) } else { Err(Damage::Order) }
}

/// The hash of an extent if it ends at `seq`: the chain has a hash only where extents end.
pub(super) fn hash_if_ends_at(extent: &[u8], seq: Seq) -> Option<ChainHash> {
    Extent::parse(extent).filter(|parsed| parsed.last() == seq).map(|_| hash_of(extent))
}

/// What an extent and its bytes are shown to.
pub(super) type Each<'a> = &'a mut dyn FnMut(&Extent<'_>, &[u8]) -> Result<ControlFlow<()>, JournalError>;

/// Visits extents that come in order, the first of them holding `next`, until one holds `last`, with a look that none is
/// missing; `next` is then the record behind the last that was visited.
pub(super) fn each_extent<V: AsRef<[u8]>>(
    extents: impl Iterator<Item = Result<V, JournalError>>,
    next: &mut Seq,
    last: Seq,
    each: Each<'_>,
) -> Result<ControlFlow<()>, JournalError> {
    for value in extents {
        let value = value?;
        let damaged = |damage| JournalError::Damaged { seq: *next, damage };
        let extent = Extent::parse(value.as_ref()).ok_or_else(|| damaged(Damage::Header))?;
        if extent.first > *next || extent.last() < *next {
            return Err(damaged(Damage::Missing));
        }
        if each(&extent, value.as_ref())?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        *next = extent.last() + 1;
        if *next > last {
            return Ok(ControlFlow::Continue(()));
        }
    }
    Err(JournalError::Damaged { seq: *next, damage: Damage::Missing })
}

/// What visits the records `from..=last` of extents, for [`each_extent`].
pub(super) fn records_of(
    from: Seq,
    last: Seq,
    visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
) -> impl FnMut(&Extent<'_>, &[u8]) -> Result<ControlFlow<()>, JournalError> {
    move |extent, _| {
        for record in extent.records() {
            let record = record?;
            if record.seq > last {
                break;
            }
            if record.seq >= from && visit(record).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::batch_of;
    use super::*;

    fn extents_of(limit_bytes: usize, batch: &RecordBatch) -> (Vec<Vec<u8>>, Head) {
        let mut extents = Vec::new();
        let head = Head { seq: batch.first_seq().unwrap() - 1, ..Head::EMPTY };
        let head = ExtentWriter::new(limit_bytes)
            .write(head, batch, |_, value| {
                extents.push(value.to_vec());
                Ok(())
            })
            .unwrap();
        (extents, head)
    }

    #[test]
    fn extents_split_at_the_limit_and_never_inside_a_record() {
        let one = RECORD_HEADER_BYTES + 1_000;
        let cases = [
            ("both fit exactly", EXTENT_HEADER_BYTES + 2 * one, 1),
            ("one byte short of both", EXTENT_HEADER_BYTES + 2 * one - 1, 2),
        ];
        for (name, limit, want) in cases {
            let (extents, head) = extents_of(limit, &batch_of(5, 2, 1_000));
            assert_eq!(extents.len(), want, "{name}");
            assert!(extents.iter().all(|extent| extent.len() <= limit), "{name}");
            assert_eq!((head.seq, head.hash), (6, hash_of(extents.last().unwrap())), "{name}");
        }
    }

    #[test]
    fn the_longest_record_fits_the_smallest_extent() {
        let (extents, _) = extents_of(EXTENT_BYTES_MIN, &batch_of(1, 3, RECORD_BODY_MAX));
        assert_eq!(extents.iter().map(Vec::len).collect::<Vec<_>>(), [EXTENT_BYTES_MIN; 3]);
    }

    #[test]
    fn each_extent_names_the_hash_of_the_one_before() {
        let (extents, _) = extents_of(EXTENT_BYTES_MIN, &batch_of(1, 200, 500));
        assert!(extents.len() > 2);
        for pair in extents.windows(2) {
            assert_eq!(*Extent::parse(&pair[1]).unwrap().previous, hash_of(&pair[0]));
        }
    }

    #[test]
    fn damage_inside_an_extent_is_named_with_its_record() {
        let (extents, _) = extents_of(EXTENT_BYTES_MAX, &batch_of(5, 3, 40));
        let whole = &extents[0];
        let one = RECORD_HEADER_BYTES + 40;
        let second = EXTENT_HEADER_BYTES + one;
        type Edit = Box<dyn Fn(&mut Vec<u8>)>;
        let rows: [(&str, Edit, Seq, Damage); 7] = [
            ("a flipped body", Box::new(move |x| x[second + 30] ^= 1), 6, Damage::Crc),
            ("a length past the end", Box::new(move |x| x[second + 1] = 0x10), 6, Damage::Length),
            ("a length below the least", Box::new(move |x| x[second] = 15), 6, Damage::Length),
            ("one record too few", Box::new(|x| x[12] = 2), 7, Damage::Count),
            ("one record too many", Box::new(|x| x[12] = 4), 8, Damage::Count),
            (
                "two records swapped",
                Box::new(move |x| x[EXTENT_HEADER_BYTES..].rotate_left(one)),
                5,
                Damage::Order,
            ),
            ("cut inside a record", Box::new(|x| x.truncate(x.len() - 1)), 7, Damage::Length),
        ];
        for (name, edit, want_seq, want) in rows {
            let mut bytes = whole.clone();
            edit(&mut bytes);
            let read: Result<Vec<_>, _> = Extent::parse(&bytes).unwrap().records().collect();
            let right = matches!(read, Err(JournalError::Damaged { seq, damage }) if seq == want_seq && damage == want);
            assert!(right, "{name}: {read:?}");
        }
    }

    #[test]
    fn a_header_of_another_kind_is_none() {
        let (extents, _) = extents_of(EXTENT_BYTES_MAX, &batch_of(1, 1, 10));
        for (name, at, to) in
            [("magic", 0, b'X'), ("version", 3, 9), ("first is 0", 4, 0), ("count is 0", 12, 0)]
        {
            let mut bytes = extents[0].clone();
            bytes[at] = to;
            assert!(Extent::parse(&bytes).is_none(), "{name}");
        }
        assert!(Extent::parse(&extents[0][..EXTENT_HEADER_BYTES - 1]).is_none(), "too short");
    }
}
