//! The anchor: the head of the journal, kept in a file of its own beside the engine's.
//!
//! The engine opens a torn or flipped tail without a word, only shorter. The anchor is how that is noticed:
//! it is written after the data is durable, so a journal that ends before its anchor has lost records that
//! were acknowledged. It may be synced a moment later than the answers go: what it says is read again only after a loss of
//! power, and then it matters only if the disk has lost what it had promised to keep.
//!
//! `anchor.bin` is two preallocated slots of 4 KiB, written in turn, so that a torn write spoils one and
//! leaves the one before. A slot is `"CWANCHR" and version | u64 commit counter | u64 sequence number |
//! i64 time | head hash | CRC32C`, little endian, then zeros; commit `n` is in slot `n % 2`.
//!
//! Left out: the anchor is not authenticated, so it guards against accidents and not against someone who
//! can write to the folder. Start at [`Anchored::read`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Head, JournalError};

/// The anchor's name inside the journal's folder.
pub(super) const ANCHOR_FILE: &str = "anchor.bin";
/// Where a new anchor is prepared, so that it appears whole or not at all.
const ANCHOR_FILE_NEW: &str = "anchor.new";

const MAGIC: [u8; 8] = *b"CWANCHR\x01";
const SLOTS: u64 = 2;
const SLOT_BYTES: usize = 4096;
/// Magic, counter, sequence number, time and hash: what the CRC covers.
const COVERED_BYTES: usize = 8 + 8 + 8 + 8 + 32;

/// What an anchor file says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchored {
    /// The head it vouches for.
    pub(super) head: Head,
    /// Whether the other slot is damaged, as by a torn write.
    pub(super) slot_damaged: bool,
    counter: u64,
}

impl Anchored {
    /// Reads the anchor in `dir`, changing nothing; `None` if there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, JournalError> {
        let bytes = match fs::read(dir.join(ANCHOR_FILE)) {
            Ok(bytes) => bytes,
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(JournalError::Io { doing: "reading the anchor", source }),
        };
        let mut slots = bytes.chunks(SLOT_BYTES);
        let read = [decode_slot(slots.next(), 0), decode_slot(slots.next(), 1)];
        let newest = read.iter().flatten().max_by_key(|(counter, _)| *counter);
        let (counter, head) = *newest.ok_or(JournalError::AnchorDamaged)?;
        Ok(Some(Self { head, slot_damaged: read.contains(&None), counter }))
    }
}

/// An anchor file open for writing.
pub(super) struct Anchor {
    file: File,
    page: Box<[u8; SLOT_BYTES]>,
    counter: u64,
    /// Whether it is synced with every record, or lags until somebody syncs it.
    strict: bool,
}

impl Anchor {
    /// Makes the anchor of an empty journal, durably.
    pub(super) fn create(dir: &Path, strict: bool) -> Result<Self, JournalError> {
        let (new, path) = (dir.join(ANCHOR_FILE_NEW), dir.join(ANCHOR_FILE));
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            for counter in 0..SLOTS {
                file.write_all(&encode_slot(counter, &Head::EMPTY)[..])?;
            }
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(JournalError::io("creating the anchor"))?;
        Self::at(path, SLOTS - 1, strict)
    }

    /// Opens the anchor that `anchored` was read from.
    pub(super) fn open(dir: &Path, anchored: &Anchored, strict: bool) -> Result<Self, JournalError> {
        Self::at(dir.join(ANCHOR_FILE), anchored.counter, strict)
    }

    fn at(path: PathBuf, counter: u64, strict: bool) -> Result<Self, JournalError> {
        let file =
            OpenOptions::new().write(true).open(path).map_err(JournalError::io("opening the anchor"))?;
        Ok(Self { file, page: Box::new([0; SLOT_BYTES]), counter, strict })
    }

    /// Writes `head`, which must be durable already, into the older slot. Whether it is durable: else a sync is due.
    pub(super) fn record(&mut self, head: &Head) -> Result<bool, JournalError> {
        self.counter += 1;
        fill_slot(&mut self.page, self.counter, head);
        let offset = (self.counter % SLOTS) * SLOT_BYTES as u64;
        self.file.write_all_at(&self.page[..], offset).map_err(JournalError::io("writing the anchor"))?;
        if self.strict {
            self.sync()?;
        }
        Ok(self.strict)
    }

    /// Makes durable what was recorded.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(JournalError::io("syncing the anchor"))
    }

    /// A descriptor for whoever syncs it behind the answers.
    pub(super) fn file(&self) -> Result<File, JournalError> {
        self.file.try_clone().map_err(JournalError::io("opening the anchor"))
    }
}

fn encode_slot(counter: u64, head: &Head) -> Box<[u8; SLOT_BYTES]> {
    let mut page = Box::new([0; SLOT_BYTES]);
    fill_slot(&mut page, counter, head);
    page
}

fn fill_slot(page: &mut [u8; SLOT_BYTES], counter: u64, head: &Head) {
    page[..8].copy_from_slice(&MAGIC);
    page[8..16].copy_from_slice(&counter.to_le_bytes());
    page[16..24].copy_from_slice(&head.seq.to_le_bytes());
    page[24..32].copy_from_slice(&head.time_ms.to_le_bytes());
    page[32..COVERED_BYTES].copy_from_slice(&head.hash);
    let crc = crc32c::crc32c(&page[..COVERED_BYTES]);
    page[COVERED_BYTES..COVERED_BYTES + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The counter and head of slot `index`, unless it is damaged.
fn decode_slot(slot: Option<&[u8]>, index: u64) -> Option<(u64, Head)> {
    let (covered, rest) = slot?.split_first_chunk::<COVERED_BYTES>()?;
    let crc: &[u8; 4] = rest.first_chunk()?;
    let (magic, fields) = covered.split_first_chunk::<8>()?;
    let (counter, fields) = fields.split_first_chunk()?;
    let (seq, fields) = fields.split_first_chunk()?;
    let (time_ms, hash) = fields.split_first_chunk()?;
    let counter = u64::from_le_bytes(*counter);
    let whole = crc32c::crc32c(covered).to_le_bytes() == *crc && *magic == MAGIC && counter % SLOTS == index;
    let head = Head {
        seq: u64::from_le_bytes(*seq),
        hash: hash.try_into().ok()?,
        time_ms: i64::from_le_bytes(*time_ms),
    };
    whole.then_some((counter, head))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, hash: [u8::try_from(seq).unwrap(); 32], time_ms: 1_000 }
    }

    fn anchor_at(seq: u64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut anchor = Anchor::create(dir.path(), true).unwrap();
        (1..=seq).for_each(|seq| assert!(anchor.record(&head(seq)).unwrap()));
        dir
    }

    #[test]
    fn the_newest_slot_is_read_back_and_the_counter_goes_on() {
        let dir = anchor_at(5);
        let anchored = Anchored::read(dir.path()).unwrap().unwrap();
        assert_eq!((anchored.head, anchored.slot_damaged), (head(5), false));
        assert!(!Anchor::open(dir.path(), &anchored, false).unwrap().record(&head(6)).unwrap());
        assert_eq!(Anchored::read(dir.path()).unwrap().unwrap().head, head(6));
        assert_eq!(fs::metadata(dir.path().join(ANCHOR_FILE)).unwrap().len(), SLOTS * SLOT_BYTES as u64);
    }

    #[test]
    fn a_folder_without_an_anchor_has_none() {
        assert!(Anchored::read(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn each_damage_is_noticed() {
        // Counters run 0, 1 (creation), 2 … 6: the newest, for record 5, is in slot 0.
        type Edit = fn(&mut Vec<u8>);
        let rows: [(&str, Edit, Option<u64>); 7] = [
            ("newest slot flipped", |x| x[16] ^= 1, Some(4)),
            ("older slot flipped", |x| x[SLOT_BYTES + 40] ^= 1, Some(5)),
            ("older slot cut off", |x| x.truncate(SLOT_BYTES), Some(5)),
            ("slots swapped", |x| x.rotate_left(SLOT_BYTES), None),
            ("both flipped", |x| [8, SLOT_BYTES + 8].into_iter().for_each(|at| x[at] ^= 0x80), None),
            ("zeroed", |x| x.fill(0), None),
            ("emptied", Vec::clear, None),
        ];
        for (name, edit, want) in rows {
            let dir = anchor_at(5);
            let path = dir.path().join(ANCHOR_FILE);
            let mut bytes = fs::read(&path).unwrap();
            edit(&mut bytes);
            fs::write(&path, bytes).unwrap();
            match (Anchored::read(dir.path()), want) {
                (Ok(Some(read)), Some(seq)) => {
                    assert_eq!((read.head, read.slot_damaged), (head(seq), true), "{name}")
                }
                (Err(JournalError::AnchorDamaged), None) => {}
                (read, _) => panic!("{name}: {read:?}"),
            }
        }
    }
}
