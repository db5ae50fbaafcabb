//! Records as bytes: what one looks like on disk, and batches of them ready to append.
//!
//! A record is `u32 length | u32 CRC32C of what follows | u64 sequence number | i64 time | body`, little
//! endian; the length counts everything behind the CRC. A batch holds its records in exactly this form, so
//! that a commit only copies and hashes.
//!
//! What a body means is not known here. Start at [`RecordBatch::push`].

use std::fmt;

use super::{Damage, Head, JournalError, Seq};

/// The longest body in bytes: far above any event, far below an extent, so that no record is ever split.
pub const RECORD_BODY_MAX: usize = 16 * 1024;

/// Length and CRC, in front of what the CRC covers.
const FRAME_BYTES: usize = 4 + 4;
/// Sequence number and time.
const POSITION_BYTES: usize = 8 + 8;
/// What a record costs beside its body.
pub(super) const RECORD_HEADER_BYTES: usize = FRAME_BYTES + POSITION_BYTES;

/// One record as read.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Record<'a> {
    /// Its position.
    pub seq: Seq,
    /// When it was decided, in UTC milliseconds; never before the record in front of it.
    pub time_ms: i64,
    /// What it says; the first byte is the body's version.
    pub body: &'a [u8],
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may hold what must not be printed.
        write!(f, "Record {{ seq: {}, time_ms: {}, {} bytes }}", self.seq, self.time_ms, self.body.len())
    }
}

/// Records of one batch, encoded and ready to append.
///
/// It is meant to be cleared and filled again: warm use allocates nothing.
#[derive(Clone, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    count: usize,
    first: (Seq, i64),
    last: (Seq, i64),
}

impl RecordBatch {
    /// An empty batch that allocates on first use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for `records` records whose bodies sum to `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize, records: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes + records * RECORD_HEADER_BYTES), ..Self::default() }
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The first record's sequence number.
    #[must_use]
    pub fn first_seq(&self) -> Option<Seq> {
        (!self.is_empty()).then_some(self.first.0)
    }

    /// The last record's sequence number.
    #[must_use]
    pub fn last_seq(&self) -> Option<Seq> {
        (!self.is_empty()).then_some(self.last.0)
    }

    /// Appends one record; `write` puts the body at the end of the `Vec` it is given and leaves alone what
    /// is already there.
    ///
    /// # Errors
    /// [`JournalError::Sequence`] unless `seq` comes next (anything from 1 on starts an empty batch),
    /// [`JournalError::TimeWentBack`], or [`JournalError::BodyTooLong`] past [`RECORD_BODY_MAX`]. The batch
    /// is then as it was.
    pub fn push(
        &mut self,
        seq: Seq,
        time_ms: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), JournalError> {
        self.check_position(seq, time_ms)?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME_BYTES]);
        self.bytes.extend_from_slice(&seq.to_le_bytes());
        self.bytes.extend_from_slice(&time_ms.to_le_bytes());
        let body_start = self.bytes.len();
        write(&mut self.bytes);
        let body_len = self.bytes.len().saturating_sub(body_start);
        if body_len > RECORD_BODY_MAX {
            self.bytes.truncate(start);
            return Err(JournalError::BodyTooLong { seq, len: body_len });
        }
        self.seal(start);
        if self.count == 0 {
            self.first = (seq, time_ms);
        }
        self.last = (seq, time_ms);
        self.count += 1;
        Ok(())
    }

    /// Copies the other batch's records behind these.
    ///
    /// # Panics
    /// If they do not follow these without a gap and without going back in time: a batch with a hole in it
    /// could never be appended, and the one who filled both has lost count.
    pub fn append(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.first = other.first;
        } else {
            assert_eq!(other.first.0, self.last.0 + 1, "batches joined must be consecutive");
            assert!(other.first.1 >= self.last.1, "batches joined must not go back in time");
        }
        self.last = other.last;
        self.count += other.count;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.encoded().filter_map(decode)
    }

    /// The records in order, each with its header.
    pub(super) fn encoded(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (record, behind) = split_first(rest)?;
            rest = behind;
            Some(record)
        })
    }

    /// Whether these records may follow `head`, of which `expected` was claimed to be the next.
    pub(super) fn check_follows(&self, head: &Head, expected: Seq) -> Result<(), JournalError> {
        let next = head.seq + 1;
        if expected != next {
            return Err(JournalError::Sequence { expected: next, got: expected });
        }
        match self.first_seq() {
            Some(first) if first != next => Err(JournalError::Sequence { expected: next, got: first }),
            Some(first) if self.first.1 < head.time_ms => Err(JournalError::TimeWentBack { seq: first }),
            _ => Ok(()),
        }
    }

    /// The last record's time.
    pub(super) fn last_time_ms(&self) -> Option<i64> {
        (!self.is_empty()).then_some(self.last.1)
    }

    fn check_position(&self, seq: Seq, time_ms: i64) -> Result<(), JournalError> {
        if self.is_empty() {
            return if seq == 0 { Err(JournalError::Sequence { expected: 1, got: 0 }) } else { Ok(()) };
        }
        if seq != self.last.0 + 1 {
            return Err(JournalError::Sequence { expected: self.last.0 + 1, got: seq });
        }
        if time_ms < self.last.1 {
            return Err(JournalError::TimeWentBack { seq });
        }
        Ok(())
    }

    /// Fills in length and CRC of the record that starts at `start` and ends the buffer.
    fn seal(&mut self, start: usize) {
        let (frame, covered) = self.bytes[start..].split_at_mut(FRAME_BYTES);
        let len = u32::try_from(covered.len()).expect("a body is at most RECORD_BODY_MAX");
        frame[..4].copy_from_slice(&len.to_le_bytes());
        frame[4..].copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
    }
}

impl fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RecordBatch {{ {} records from {:?}, {} bytes }}",
            self.count,
            self.first_seq(),
            self.bytes.len()
        )
    }
}

/// The first record of `bytes`, header included, and what is behind it. `None` when no whole record of a
/// lawful length is there.
pub(super) fn split_first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    if !(POSITION_BYTES..=POSITION_BYTES + RECORD_BODY_MAX).contains(&len) {
        return None;
    }
    bytes.split_at_checked(FRAME_BYTES + len)
}

/// One encoded record as a value; `None` when it is too short to be one.
pub(super) fn decode(encoded: &[u8]) -> Option<Record<'_>> {
    let (seq, rest) = encoded.get(FRAME_BYTES..)?.split_first_chunk()?;
    let (time_ms, body) = rest.split_first_chunk()?;
    Some(Record { seq: u64::from_le_bytes(*seq), time_ms: i64::from_le_bytes(*time_ms), body })
}

/// One encoded record as a value, after its CRC has been compared.
pub(super) fn decode_checked(encoded: &[u8]) -> Result<Record<'_>, Damage> {
    let (frame, covered) = encoded.split_first_chunk::<FRAME_BYTES>().ok_or(Damage::Length)?;
    if crc32c::crc32c(covered).to_le_bytes() != frame[4..] {
        return Err(Damage::Crc);
    }
    decode(encoded).ok_or(Damage::Length)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn batch(first: Seq, bodies: &[&[u8]]) -> RecordBatch {
        let mut batch = RecordBatch::new();
        for (seq, body) in (first..).zip(bodies) {
            batch.push(seq, 1_000, |out| out.extend_from_slice(body)).unwrap();
        }
        batch
    }

    #[test]
    fn a_batch_gives_back_what_was_pushed() {
        let batch = batch(7, &[b"\x01one", b"", b"\x01three"]);
        let read: Vec<_> = batch.iter().map(|r| (r.seq, r.time_ms, r.body.to_vec())).collect();
        let want: [(Seq, i64, &[u8]); 3] =
            [(7, 1_000, b"\x01one"), (8, 1_000, b""), (9, 1_000, b"\x01three")];
        assert_eq!(read, want.map(|(seq, time, body)| (seq, time, body.to_vec())));
        assert_eq!((batch.first_seq(), batch.last_seq(), batch.len()), (Some(7), Some(9), 3));
    }

    #[test]
    fn a_record_looks_on_disk_as_documented() {
        let batch = batch(1, &[b"\x01"]);
        let covered: &[u8] = &[1, 0, 0, 0, 0, 0, 0, 0, 0xE8, 3, 0, 0, 0, 0, 0, 0, 1];
        let mut want = vec![17, 0, 0, 0];
        want.extend_from_slice(&crc32c::crc32c(covered).to_le_bytes());
        want.extend_from_slice(covered);
        assert_eq!(batch.encoded().collect::<Vec<_>>(), [want.as_slice()]);
    }

    #[test]
    fn the_longest_body_fits_and_one_byte_more_leaves_nothing_behind() {
        let mut batch = batch(1, &[b"\x01"]);
        let before = batch.bytes.clone();
        let too_long = batch.push(2, 1_000, |out| out.extend_from_slice(&[0; RECORD_BODY_MAX + 1]));
        assert!(
            matches!(too_long, Err(JournalError::BodyTooLong { seq: 2, len }) if len == RECORD_BODY_MAX + 1)
        );
        assert_eq!((&batch.bytes, batch.len(), batch.last_seq()), (&before, 1, Some(1)));
        batch.push(2, 1_000, |out| out.extend_from_slice(&[0; RECORD_BODY_MAX])).unwrap();
        assert_eq!(batch.iter().map(|r| r.body.len()).collect::<Vec<_>>(), [1, RECORD_BODY_MAX]);
    }

    #[test]
    fn pushes_out_of_order_are_refused_and_change_nothing() {
        let cases: [(&str, Seq, i64); 4] = [
            ("a gap", 9, 1_000),
            ("a repeat", 7, 1_000),
            ("before the first", 0, 1_000),
            ("back in time", 8, 999),
        ];
        for (name, seq, time_ms) in cases {
            let mut batch = batch(7, &[b"x"]);
            let refused = batch.push(seq, time_ms, |out| out.push(1));
            let right = match refused {
                Err(JournalError::Sequence { expected: 8, got }) => got == seq && seq != 8,
                Err(JournalError::TimeWentBack { seq: 8 }) => seq == 8,
                _ => false,
            };
            assert!(right, "{name}: {refused:?}");
            assert_eq!((batch.len(), batch.last_seq()), (1, Some(7)), "{name}");
        }
        let zero = RecordBatch::new().push(0, 1_000, |_| ());
        assert!(matches!(zero, Err(JournalError::Sequence { expected: 1, got: 0 })));
    }

    #[test]
    fn batches_join_and_a_cleared_one_starts_anywhere() {
        let mut joined = RecordBatch::with_capacity(64, 4);
        joined.append(&batch(3, &[b"a", b"b"]));
        joined.append(&RecordBatch::new());
        joined.append(&batch(5, &[b"c"]));
        assert_eq!(
            joined.iter().map(|r| (r.seq, r.body[0])).collect::<Vec<_>>(),
            [(3, b'a'), (4, b'b'), (5, b'c')]
        );
        joined.clear();
        assert_eq!((joined.is_empty(), joined.first_seq(), joined.last_seq()), (true, None, None));
        joined.append(&batch(100, &[b"d"]));
        assert_eq!(joined.first_seq(), Some(100));
    }

    #[test]
    #[should_panic(expected = "consecutive")]
    fn batches_with_a_gap_between_them_do_not_join() {
        batch(1, &[b"a"]).append(&batch(3, &[b"c"]));
    }

    #[test]
    fn no_flipped_bit_of_a_record_goes_unnoticed() {
        let whole = batch(1, &[b"\x01body of a record"]).bytes;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read =
                split_first(&flipped).map(|(record, rest)| (decode_checked(record).is_ok(), rest.len()));
            assert_ne!(read, Some((true, 0)), "bit {bit}");
        }
    }

    #[test]
    fn debug_prints_no_body() {
        let batch = batch(1, &[b"4111111111111111"]);
        let printed = format!("{batch:?} {:?}", batch.iter().collect::<Vec<_>>());
        assert!(!printed.contains("4111") && !printed.contains("52, 49, 49"), "{printed}");
    }
}
