//! Segments: runs of extents in files of their own, for archive, backup and export.
//!
//! A segment can be verified without the engine and without any other file: it begins with the head in front of its first
//! extent and ends with that behind its last. It is `"CWS" and version | first record u64 | time i64 | chain hash | CRC |
//! extents | end`, little endian, time and hash being those in front; an extent is `length u32 | CRC | bytes`, the end `0 u32 |
//! number of extents u32 | last record u64 | time i64 | chain hash | CRC`. Every CRC32C covers the first record and the place
//! as well, and every extent is held to the chain, when it is written and when it is read, in constant memory.
//!
//! A file is written under another name, synced, renamed to `<first>-<last>.segment`, and its folder synced: what bears its
//! name is whole. Which segments a folder has, and in what order they are read, stands in `segments`.
//!
//! Start at [`SegmentWriter`] and [`SegmentReader`].

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::checkpoint::{SYNC_BYTES, crc_at, sync_folder_alone};
use super::extent::EXTENT_BYTES_MAX;
use super::verify::ChainCheck;
use super::{Damage, Head, JournalError, Seq};

/// Extents of one segment in bytes, at most: a file that is copied in a moment and bounds what one damaged file costs.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// How the name of a whole segment ends.
pub(super) const WHOLE: &str = "segment";
/// How the name of one that is being written ends.
pub(super) const PARTIAL: &str = "partial";

const MAGIC: [u8; 4] = *b"CWS\x01";
const HEAD_BYTES: usize = 8 + 8 + 32;
const HEADER_BYTES: usize = 4 + HEAD_BYTES;
const END_BYTES: usize = 4 + HEAD_BYTES;
const CRC_BYTES: usize = 4;

const WRITING: &str = "writing a segment";
const READING: &str = "reading a segment";

/// A whole segment, by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Its first record.
    pub first: Seq,
    /// Its last record.
    pub last: Seq,
    /// Its file.
    pub path: PathBuf,
}

impl Segment {
    /// The segment of that name, if it is the name of one.
    pub(super) fn named(path: PathBuf) -> Option<Self> {
        let (first, last) =
            path.file_name()?.to_str()?.strip_suffix(WHOLE)?.strip_suffix('.')?.split_once('-')?;
        let number = |text: &str| text.parse().ok().filter(|_| text.len() == 20);
        let (first, last) = (number(first)?, number(last)?);
        (first > 0 && first <= last).then_some(Self { first, last, path })
    }

    /// The part of a segment that a mirror, or a backup that was cut off, has under way: what is whole of it. Nothing if that
    /// is not one extent.
    pub(super) fn part(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(PARTIAL)?.strip_suffix('.')?;
        let first = name.parse().ok().filter(|first| name.len() == 20 && *first > 0)?;
        let mut reader = SegmentReader::open(&Self { first, last: Seq::MAX, path: path.clone() }).ok()?;
        while matches!(reader.next(), Some(Ok(_))) {}
        let last = reader.head().seq;
        (first <= last).then_some(Self { first, last, path })
    }

    /// Whether it is a part.
    pub(super) fn is_part(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == PARTIAL)
    }

    fn within(folder: &Path, first: Seq, last: Seq) -> Self {
        Self { first, last, path: folder.join(format!("{first:020}-{last:020}.{WHOLE}")) }
    }

    /// What its end says, without a look at what is in front: enough for its age, not for a proof.
    pub(super) fn claimed_end(&self) -> Result<Head, JournalError> {
        let mut end = [0; END_BYTES + CRC_BYTES];
        let mut file = File::open(&self.path).map_err(JournalError::io(READING))?;
        let at_end = i64::try_from(end.len()).map_or(0, |bytes| -bytes);
        file.seek(SeekFrom::End(at_end)).map_err(JournalError::io(READING))?;
        file.read_exact(&mut end).map_err(JournalError::io(READING))?;
        let (end, crc) = end.split_at(END_BYTES);
        let (count, head) = end.split_at(4);
        let place = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
        let whole = crc_at(self.first, place, end).to_le_bytes() == crc;
        decode_head(head).filter(|head| whole && head.seq == self.last).ok_or_else(|| JournalError::Segment {
            seq: self.last,
            damage: Damage::SegmentEnd,
            path: self.path.clone(),
        })
    }
}

/// Writes one segment from its first extent to its end.
pub(super) struct SegmentWriter {
    file: BufWriter<File>,
    folder: PathBuf,
    partial: PathBuf,
    first: Seq,
    chain: ChainCheck,
    extents: u32,
    bytes: u64,
    unsynced: usize,
}

impl SegmentWriter {
    /// Begins the segment behind this head. The folder is there.
    pub(super) fn begin(folder: &Path, before: Head) -> Result<Self, JournalError> {
        let first = before.seq + 1;
        let partial = folder.join(format!("{first:020}.{PARTIAL}"));
        let begin = || {
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&partial)?);
            let header = encode_header(first, &before);
            file.write_all(&header)?;
            file.write_all(&crc32c::crc32c(&header).to_le_bytes())?;
            Ok(file)
        };
        let file = begin().map_err(JournalError::io(WRITING))?;
        let chain = ChainCheck::part(before);
        Ok(Self { file, folder: folder.to_owned(), partial, first, chain, extents: 0, bytes: 0, unsynced: 0 })
    }

    /// Goes on with a part that was cut off, behind what is whole of it.
    pub(super) fn resume(folder: &Path, part: &Segment) -> Result<Self, JournalError> {
        let mut reader = SegmentReader::open(part)?;
        let mut bytes = 0;
        for extent in reader.by_ref() {
            bytes += extent?.len() as u64;
        }
        let (chain, extents) = (reader.chain, reader.extents);
        let in_front = (HEADER_BYTES + CRC_BYTES) as u64 + u64::from(extents) * (4 + CRC_BYTES) as u64;
        let open = || {
            let mut file = File::options().write(true).open(&part.path)?;
            file.set_len(in_front + bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(BufWriter::with_capacity(1 << 20, file))
        };
        let file = open().map_err(JournalError::io(WRITING))?;
        let (folder, partial) = (folder.to_owned(), part.path.clone());
        Ok(Self { file, folder, partial, first: part.first, chain, extents, bytes, unsynced: 0 })
    }

    /// Makes durable what was written so far, under the name of a part.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.unsynced = 0;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(JournalError::io(WRITING))
    }

    /// The last record written.
    pub(super) fn head(&self) -> Head {
        self.chain.head()
    }

    /// Whether an extent of that many bytes still belongs into it.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.extents == 0 || self.bytes + bytes as u64 <= SEGMENT_BYTES_MAX
    }

    /// Writes the next extent once it has proved to be the next.
    pub(super) fn put(&mut self, extent: &[u8]) -> Result<(), JournalError> {
        self.chain.take_extent(extent)?;
        self.write(extent).map_err(JournalError::io(WRITING))
    }

    fn write(&mut self, extent: &[u8]) -> io::Result<()> {
        let length = u32::try_from(extent.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&crc_at(self.first, self.extents, extent).to_le_bytes())?;
        self.file.write_all(extent)?;
        self.extents += 1;
        self.bytes += extent.len() as u64;
        self.unsynced += extent.len();
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
        }
        Ok(())
    }

    /// Ends it, durably; nothing is left of one without extents. What is returned has not been read back.
    pub(super) fn finish(mut self) -> Result<Option<Segment>, JournalError> {
        if self.extents == 0 {
            fs::remove_file(&self.partial).map_err(JournalError::io(WRITING))?;
            return Ok(None);
        }
        let segment = Segment::within(&self.folder, self.first, self.head().seq);
        self.end()
            .and_then(|()| fs::rename(&self.partial, &segment.path))
            .map_err(JournalError::io(WRITING))?;
        sync_folder_alone(&self.folder)?;
        Ok(Some(segment))
    }

    fn end(&mut self) -> io::Result<()> {
        let end = encode_end(self.extents, &self.head());
        self.file.write_all(&[0; 4])?;
        self.file.write_all(&end)?;
        self.file.write_all(&crc_at(self.first, self.extents, &end).to_le_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// Reads one segment, an extent at a time. The last thing it gives is an error if the file is not whole.
pub(super) struct SegmentReader {
    file: BufReader<File>,
    segment: Segment,
    chain: ChainCheck,
    extents: u32,
    ended: bool,
}

impl SegmentReader {
    pub(super) fn open(segment: &Segment) -> Result<Self, JournalError> {
        let file = File::open(&segment.path).map_err(JournalError::io(READING))?;
        let file = BufReader::with_capacity(1 << 18, file);
        let chain = ChainCheck::part(Head { seq: segment.first - 1, ..Head::EMPTY });
        let mut reader = Self { file, segment: segment.clone(), chain, extents: 0, ended: false };
        let header: [u8; HEADER_BYTES] = reader.array()?;
        let crc: [u8; CRC_BYTES] = reader.array()?;
        let whole = crc32c::crc32c(&header).to_le_bytes() == crc;
        match decode_header(&header).filter(|before| whole && before.seq + 1 == segment.first) {
            Some(before) => {
                reader.chain = ChainCheck::part(before);
                Ok(reader)
            }
            None => Err(reader.damaged(Damage::SegmentHeader)),
        }
    }

    /// The last record read; what is in front of the segment before one was.
    pub(super) fn head(&self) -> Head {
        self.chain.head()
    }

    fn damaged(&self, damage: Damage) -> JournalError {
        JournalError::Segment { seq: self.head().seq + 1, damage, path: self.segment.path.clone() }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), JournalError> {
        match self.file.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(Damage::SegmentTorn))
            }
            Err(source) => Err(JournalError::Io { doing: READING, source }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn next_extent(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        if self.segment.is_part() && self.head().seq == self.segment.last {
            return Ok(None);
        }
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length == 0 {
            return self.check_end().map(|()| None);
        }
        if length > EXTENT_BYTES_MAX {
            return Err(self.damaged(Damage::SegmentExtent));
        }
        let want: [u8; CRC_BYTES] = self.array()?;
        let mut extent = vec![0; length];
        self.fill(&mut extent)?;
        let whole = crc_at(self.segment.first, self.extents, &extent).to_le_bytes() == want;
        let of_file = self.damaged(Damage::SegmentExtent);
        match self.chain.take_extent(&extent) {
            Ok(_) if whole => {}
            // The check of the chain knows the record; that of the file only knows that it is in this extent.
            Err(JournalError::Damaged { seq, damage }) => {
                return Err(JournalError::Segment { seq, damage, path: self.segment.path.clone() });
            }
            _ => return Err(of_file),
        }
        self.extents += 1;
        Ok(Some(extent))
    }

    fn check_end(&mut self) -> Result<(), JournalError> {
        let end: [u8; END_BYTES] = self.array()?;
        let crc: [u8; CRC_BYTES] = self.array()?;
        let (first, head) = (self.segment.first, self.head());
        let right = end == encode_end(self.extents, &head)
            && crc_at(first, self.extents, &end).to_le_bytes() == crc
            && head.seq == self.segment.last;
        let behind = self.file.read(&mut [0]).map_err(JournalError::io(READING))?;
        if right && behind == 0 { Ok(()) } else { Err(self.damaged(Damage::SegmentEnd)) }
    }
}

impl Iterator for SegmentReader {
    type Item = Result<Vec<u8>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_extent().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn encode_header(first: Seq, before: &Head) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..].copy_from_slice(&encode_head(&Head { seq: first, ..*before }));
    header
}

fn decode_header(header: &[u8; HEADER_BYTES]) -> Option<Head> {
    let head = decode_head(header.strip_prefix(&MAGIC)?)?;
    Some(Head { seq: head.seq.checked_sub(1)?, ..head })
}

fn encode_end(extents: u32, head: &Head) -> [u8; END_BYTES] {
    let mut end = [0; END_BYTES];
    end[..4].copy_from_slice(&extents.to_le_bytes());
    end[4..].copy_from_slice(&encode_head(head));
    end
}

/// A head as bytes, little endian: `record u64 | time i64 | hash`.
pub(super) fn encode_head(head: &Head) -> [u8; HEAD_BYTES] {
    let mut bytes = [0; HEAD_BYTES];
    bytes[..8].copy_from_slice(&head.seq.to_le_bytes());
    bytes[8..16].copy_from_slice(&head.time_ms.to_le_bytes());
    bytes[16..].copy_from_slice(&head.hash);
    bytes
}

/// Those bytes as a head.
pub(super) fn decode_head(bytes: &[u8]) -> Option<Head> {
    let (seq, rest) = bytes.split_first_chunk()?;
    let (time_ms, hash) = rest.split_first_chunk()?;
    Some(Head {
        seq: u64::from_le_bytes(*seq),
        time_ms: i64::from_le_bytes(*time_ms),
        hash: hash.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::chain_of;
    use super::*;

    /// A segment of the extents from `skip` on, of four with two records each.
    fn segment(dir: &Path, skip: usize) -> (Segment, Vec<Vec<u8>>, Head) {
        let (extents, heads) = chain_of(4, 2);
        let mut writer = SegmentWriter::begin(dir, heads[skip]).unwrap();
        for extent in &extents[skip..] {
            writer.put(extent).unwrap();
        }
        (writer.finish().unwrap().unwrap(), extents[skip..].to_vec(), heads[4])
    }

    #[test]
    fn a_segment_gives_back_its_extents_and_both_heads() {
        for skip in [0, 1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let (written, extents, end) = segment(dir.path(), skip);
            let first = 1 + 2 * skip as u64;
            let name = format!("{first:020}-{:020}.segment", 8);
            assert_eq!(written.path.file_name().unwrap().to_str(), Some(name.as_str()));
            assert_eq!(Segment::named(written.path.clone()), Some(written.clone()));
            let mut reader = SegmentReader::open(&written).unwrap();
            assert_eq!(reader.head().seq + 1, first);
            assert_eq!(reader.by_ref().collect::<Result<Vec<_>, _>>().unwrap(), extents);
            assert_eq!((reader.head(), written.claimed_end().unwrap()), (end, end));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else stays");
        }
    }

    #[test]
    fn a_writer_takes_only_what_comes_next() {
        let dir = tempfile::tempdir().unwrap();
        let (extents, heads) = chain_of(3, 2);
        let other = Head { hash: [9; 32], ..heads[1] };
        let rows = [
            ("a gap", heads[0], 1, "record 1: it is missing"),
            ("another history", other, 1, "the hash chain"),
        ];
        for (name, before, extent, want) in rows {
            let refused =
                SegmentWriter::begin(dir.path(), before).unwrap().put(&extents[extent]).unwrap_err();
            assert!(refused.to_string().contains(want), "{name}: {refused}");
        }
        assert_eq!(
            SegmentWriter::begin(dir.path(), heads[0]).unwrap().finish().unwrap(),
            None,
            "nothing to write"
        );
        let whole =
            fs::read_dir(dir.path()).unwrap().filter_map(|entry| Segment::named(entry.unwrap().path()));
        assert_eq!(whole.count(), 0);
    }

    #[test]
    fn no_changed_byte_and_no_cut_of_a_segment_goes_unnoticed() {
        let dir = tempfile::tempdir().unwrap();
        let (written, _, _) = segment(dir.path(), 1);
        let whole = fs::read(&written.path).unwrap();
        let read = |bytes: &[u8]| -> Result<(), JournalError> {
            fs::write(&written.path, bytes).unwrap();
            SegmentReader::open(&written)?.try_for_each(|extent| extent.map(drop))
        };
        read(&whole).unwrap();
        let named = |name: String, read: Result<(), JournalError>| {
            let in_range = matches!(read, Err(JournalError::Segment { seq: 3..=9, .. }));
            assert!(in_range, "{name}: {read:?}");
        };
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x41;
            named(format!("byte {at} flipped"), read(&flipped));
            named(format!("cut to {at}"), read(&whole[..at]));
        }
        let mut longer = whole.clone();
        longer.push(0);
        named("something behind its end".to_owned(), read(&longer));
    }

    #[test]
    fn a_segment_under_another_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (written, _, _) = segment(dir.path(), 1);
        for (first, last) in [(2, 8), (3, 9)] {
            let other = Segment::within(dir.path(), first, last);
            fs::copy(&written.path, &other.path).unwrap();
            let read =
                SegmentReader::open(&other).and_then(|mut read| read.try_for_each(|extent| extent.map(drop)));
            assert!(matches!(read, Err(JournalError::Segment { .. })), "{first} to {last}: {read:?}");
        }
        for name in
            ["1-2.segment", "00000000000000000003-00000000000000000002.segment", "x.segment", "3.partial"]
        {
            assert_eq!(Segment::named(dir.path().join(name)), None, "{name}");
        }
    }
}
