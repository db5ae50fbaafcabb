//! The tail: the newest extents, in two files that are written over and over, until the engine has them durably.
//!
//! A commit is durable once its extents are here and the file is synced: one write and one `fdatasync` of a file whose blocks
//! are there already. The engine needs several writes, waits for each of them, and wakes threads; it takes the extents over
//! behind the answers, many at once (`settler`). A start gives the engine what it lacks, and proves the whole as ever.
//!
//! A file is frames of whole blocks, so that a torn write spoils no frame before it. A frame is `"CWTAIL" and version | u64 term |
//! u64 length | u32 CRC32C of term, length and extent | extent | zeros`, little endian. When a file is full the other is begun
//! from its front, over frames that the engine has had for long. The term is another at each start: what is left of an earlier
//! one behind the frames of this one is not taken for its end.
//!
//! Nothing here is believed: what a start takes over must follow the engine's last extent by number and hash.
//! Start at [`TailWriter::put`] and [`take_over`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::extent::{Extent, hash_of};
use super::{ChainHash, Head, JournalError, Seq};

/// The names of the files.
pub(super) const TAIL_FILES: [&str; 2] = ["tail-0.bin", "tail-1.bin"];

/// A file takes frames up to this length. Two of them hold what comes while the engine takes over one: at 150,000 records a
/// second that is a tenth of a second.
const FILE_BYTES: u64 = 4 << 20;
/// What a disk writes whole, or so one hopes; more is not needed, because frames are checked.
const BLOCK_BYTES: usize = 4096;
/// A file grows by so much, so that most commits change nothing but blocks that are there.
const GROWTH_BYTES: u64 = 256 << 10;

const MAGIC: [u8; 8] = *b"CWTAIL\0\x01";
const HEADER_BYTES: usize = 8 + 8 + 8 + 4;

/// The files, for whoever makes durable what was written.
pub(super) struct TailFiles {
    files: [File; 2],
    /// Whether they were written to since.
    written: Arc<[AtomicBool; 2]>,
}

impl TailFiles {
    /// Makes durable all that was put.
    pub(super) fn sync(&self) -> io::Result<()> {
        for (file, written) in self.files.iter().zip(self.written.iter()) {
            // Taken back before the sync: what is put meanwhile asks for another.
            if written.swap(false, Ordering::AcqRel) {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn replace(&mut self, device: &Path) {
        self.files = [(); 2].map(|()| File::open(device).expect("a device"));
    }
}

/// Writes extents into the files by turns.
pub(super) struct TailWriter {
    files: [File; 2],
    written: Arc<[AtomicBool; 2]>,
    term: u64,
    current: usize,
    /// Where the next frame begins.
    at: u64,
    lengths: [u64; 2],
    /// The last record in each.
    last: [Seq; 2],
    frame: Vec<u8>,
}

impl TailWriter {
    /// Opens the files, or makes them. All that is in them is durable elsewhere: it is written over.
    pub(super) fn open(dir: &Path, term: u64) -> Result<(Self, TailFiles), JournalError> {
        let open = |name: &str| {
            let path = dir.join(name);
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
        };
        let opened = || -> io::Result<_> {
            let files = [open(TAIL_FILES[0])?, open(TAIL_FILES[1])?];
            let lengths = [files[0].metadata()?.len(), files[1].metadata()?.len()];
            let again = [files[0].try_clone()?, files[1].try_clone()?];
            Ok((files, lengths, again))
        };
        let (files, lengths, again) = opened().map_err(JournalError::io("opening the journal's tail"))?;
        let written = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let synced = TailFiles { files: again, written: Arc::clone(&written) };
        let writer =
            Self { files, written, term, current: 0, at: 0, lengths, last: [0; 2], frame: Vec::new() };
        Ok((writer, synced))
    }

    /// Where there is no room in the file under way: the record up to which the engine must have everything before
    /// [`turn`](Self::turn).
    pub(super) fn full(&self, extent_bytes: usize) -> Option<Seq> {
        (self.at + framed(extent_bytes) as u64 > FILE_BYTES).then_some(self.last[1 - self.current])
    }

    /// Begins the other file from its front.
    pub(super) fn turn(&mut self) {
        self.current = 1 - self.current;
        self.at = 0;
    }

    /// Puts an extent, whose last record is given, behind the one before. It is durable after [`TailFiles::sync`].
    pub(super) fn put(&mut self, extent: &[u8], last: Seq) -> Result<(), JournalError> {
        encode(&mut self.frame, self.term, extent);
        let (file, end) = (&self.files[self.current], self.at + self.frame.len() as u64);
        let length = &mut self.lengths[self.current];
        let mut write = || -> io::Result<()> {
            if end > *length {
                let grown = end.next_multiple_of(GROWTH_BYTES);
                write_zeros(file, *length, grown)?;
                *length = grown;
            }
            file.write_all_at(&self.frame, self.at)
        };
        write().map_err(JournalError::io("writing the journal's tail"))?;
        self.at = end;
        self.last[self.current] = last;
        self.written[self.current].store(true, Ordering::Release);
        Ok(())
    }
}

fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = [0; BLOCK_BYTES];
    let mut at = from;
    while at < to {
        let some = usize::try_from(to - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        file.write_all_at(&zeros[..some], at)?;
        at += some as u64;
    }
    Ok(())
}

fn framed(extent_bytes: usize) -> usize {
    (HEADER_BYTES + extent_bytes).next_multiple_of(BLOCK_BYTES)
}

fn encode(frame: &mut Vec<u8>, term: u64, extent: &[u8]) {
    frame.clear();
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&term.to_le_bytes());
    frame.extend_from_slice(&(extent.len() as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[MAGIC.len()..]), extent);
    frame.extend_from_slice(&crc.to_le_bytes());
    frame.extend_from_slice(extent);
    frame.resize(framed(extent.len()), 0);
}

/// The term and the extent of the frame at the front of these bytes, if it is whole.
fn decode(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let covered = header.strip_prefix(&MAGIC)?;
    let (term, covered_rest) = covered.split_first_chunk::<8>()?;
    let (len, crc) = covered_rest.split_first_chunk::<8>()?;
    let extent = rest.get(..usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    let whole = crc32c::crc32c_append(crc32c::crc32c(&covered[..16]), extent).to_le_bytes() == *crc;
    whole.then_some((u64::from_le_bytes(*term), extent))
}

/// What is in the files.
#[derive(Default)]
struct Found {
    /// Term, first record and extent of each whole frame.
    frames: Vec<(u64, Seq, Vec<u8>)>,
}

impl Found {
    fn read(dir: &Path) -> Result<Self, JournalError> {
        let mut found = Self::default();
        for name in TAIL_FILES {
            match fs::read(dir.join(name)) {
                Ok(bytes) => found.walk(&bytes),
                Err(missing) if missing.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(JournalError::Io { doing: "reading the journal's tail", source }),
            }
        }
        Ok(found)
    }

    fn walk(&mut self, mut bytes: &[u8]) {
        while let Some((term, extent)) = decode(bytes) {
            let Some(parsed) = Extent::parse(extent) else { return };
            self.frames.push((term, parsed.first, extent.to_vec()));
            bytes = bytes.get(framed(extent.len())..).unwrap_or_default();
        }
    }
}

/// What a start found behind the engine's last extent.
pub(super) struct TakenOver {
    /// Extents that the engine lacked; it has them now, not durably yet.
    pub(super) extents: u64,
    /// The term of the writer that comes.
    pub(super) term: u64,
}

/// Shows `put` the extents that stand behind the engine's last, in order.
pub(super) fn take_over(
    dir: &Path,
    behind: Option<(Seq, ChainHash)>,
    mut put: impl FnMut(Seq, &[u8]) -> Result<(), JournalError>,
) -> Result<TakenOver, JournalError> {
    let mut found = Found::read(dir)?;
    let term = found.frames.iter().map(|(term, ..)| *term).max().unwrap_or(0);
    found.frames.sort_by_key(|(_, first, _)| *first);
    let (mut extents, mut of) = (0, None);
    let Some((mut seq, mut hash)) = behind else { return Ok(TakenOver { extents, term: term + 1 }) };
    for (term, first, bytes) in &found.frames {
        let Some(extent) = Extent::parse(bytes) else { continue };
        let follows = *first == seq + 1 && *extent.previous == hash;
        if follows && *of.get_or_insert(*term) == *term {
            put(*first, bytes)?;
            (seq, hash) = (extent.last(), hash_of(bytes));
            extents += 1;
        }
    }
    Ok(TakenOver { extents, term: term + 1 })
}

/// The engine's last record and the hash there, or the base's if it has none; nothing if its last value is no extent.
pub(super) fn behind(last_extent: Option<&[u8]>, base: &Head) -> Option<(Seq, ChainHash)> {
    match last_extent {
        None => Some((base.seq, base.hash)),
        // What is no extent is for the verification to refuse.
        Some(bytes) => Extent::parse(bytes).map(|extent| {
            if extent.last() < base.seq { (base.seq, base.hash) } else { (extent.last(), hash_of(bytes)) }
        }),
    }
}

/// Forgets what is in the files, for a journal that is cut off in front of it.
pub(super) fn remove(dir: &Path) -> Result<(), JournalError> {
    for name in TAIL_FILES {
        match fs::remove_file(dir.join(name)) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(JournalError::io("removing the journal's tail"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::chain_of;
    use super::*;

    /// Numbers of the records in front of which a start would take extents over.
    fn taken(dir: &Path, behind: &Head) -> (Vec<Seq>, u64) {
        let mut firsts = Vec::new();
        let taken = take_over(dir, Some((behind.seq, behind.hash)), |first, bytes| {
            assert_eq!(Extent::parse(bytes).unwrap().first, first);
            firsts.push(first);
            Ok(())
        });
        let taken = taken.unwrap();
        assert_eq!(taken.extents, firsts.len() as u64);
        (firsts, taken.term)
    }

    /// Puts extents of a chain of two records each.
    fn put(writer: &mut TailWriter, extents: &[Vec<u8>]) {
        for extent in extents {
            writer.put(extent, Extent::parse(extent).unwrap().last()).unwrap();
        }
    }

    #[test]
    fn what_follows_the_engines_last_extent_is_taken_over_in_order() {
        let (extents, heads) = chain_of(6, 2);
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, files) = TailWriter::open(dir.path(), 7).unwrap();
        put(&mut writer, &extents[..4]);
        writer.turn();
        put(&mut writer, &extents[4..]);
        files.sync().unwrap();
        let rows = [
            ("the engine has nothing", 0, vec![1, 3, 5, 7, 9, 11]),
            ("some of it", 3, vec![7, 9, 11]),
            ("all but what is in the second file", 4, vec![9, 11]),
            ("all of it", 6, vec![]),
        ];
        for (name, has, want) in rows {
            assert_eq!(taken(dir.path(), &heads[has]), (want, 8), "{name}");
        }
        let other = Head { hash: [1; 32], ..heads[2] };
        assert_eq!(taken(dir.path(), &other).0, [] as [Seq; 0], "another history");
        remove(dir.path()).unwrap();
        assert_eq!(taken(dir.path(), &Head::EMPTY), (vec![], 1));
    }

    #[test]
    fn frames_of_a_round_before_and_of_an_earlier_start_are_not_taken_for_the_end() {
        let (extents, heads) = chain_of(5, 2);
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _) = TailWriter::open(dir.path(), 1).unwrap();
        put(&mut writer, &extents[..4]);
        // The first frame of the next start, over the first of this one; what it followed is still there behind it.
        let (mut writer, _) = TailWriter::open(dir.path(), 2).unwrap();
        put(&mut writer, &extents[..1]);
        assert_eq!(taken(dir.path(), &Head::EMPTY), (vec![1], 3));
        put(&mut writer, &extents[1..2]);
        for _ in 0..2 {
            writer.turn();
        }
        put(&mut writer, &extents[2..3]);
        assert_eq!(taken(dir.path(), &heads[2]).0, [5], "the frame behind it has an earlier record");
    }

    #[test]
    fn a_torn_or_flipped_frame_ends_it_and_spoils_nothing_before() {
        let (extents, _) = chain_of(3, 2);
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _) = TailWriter::open(dir.path(), 1).unwrap();
        put(&mut writer, &extents);
        let path = dir.path().join(TAIL_FILES[0]);
        let whole = fs::read(&path).unwrap();
        let (used, firsts) = (HEADER_BYTES + extents[1].len(), [1, 3, 5]);
        for at in (0..used).step_by(7).chain([used - 1]) {
            let mut flipped = whole.clone();
            flipped[BLOCK_BYTES + at] ^= 0x10;
            let zeroed = [&whole[..BLOCK_BYTES + at], &vec![0; whole.len() - BLOCK_BYTES - at]].concat();
            for bytes in [flipped, zeroed, whole[..BLOCK_BYTES + at].to_vec()] {
                fs::write(&path, bytes).unwrap();
                assert_eq!(taken(dir.path(), &Head::EMPTY).0, firsts[..1], "byte {at} of the second frame");
            }
        }
    }

    #[test]
    fn a_full_file_says_what_the_other_still_has() {
        let (extents, _) = chain_of(1, 2);
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _) = TailWriter::open(dir.path(), 1).unwrap();
        let mut last = 0;
        while writer.full(extents[0].len()).is_none() {
            last += 2;
            writer.put(&extents[0], last).unwrap();
        }
        assert_eq!(last, 2 * FILE_BYTES / BLOCK_BYTES as u64);
        assert_eq!(writer.full(1), Some(0), "nothing is in the other");
        writer.turn();
        assert_eq!(writer.full(extents[0].len()), None);
        writer.put(&extents[0], last + 2).unwrap();
        writer.at = FILE_BYTES;
        assert_eq!(writer.full(1), Some(last));
    }
}
