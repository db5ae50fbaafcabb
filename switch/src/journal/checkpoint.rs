//! Checkpoints: pictures of the state, so that a start need not replay everything.
//!
//! Each is a file of its own beside the engine's, `checkpoints/<record>.checkpoint`, written by whoever has the state
//! while the journal goes on: nothing of it passes through the engine, so a large one holds up no commit. A file is
//! written under another name, synced, and renamed, so what bears its name is whole. It is `"CWC" and version | record
//! u64 | time i64 | chain hash | CRC | chunks | end`, little endian; a chunk is `length u32 | CRC | bytes`, the end `0 u32 |
//! number of chunks u32 | SHA-256 of the chunks' bytes | CRC`. Every CRC32C covers the record and the place as well, so
//! nothing passes for something else.
//!
//! A checkpoint is a cache of the journal: a damaged one is passed over and never a reason to refuse. What the chunks
//! hold is not known here. Start at [`CheckpointFiles::save`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::engine::ensure_folder;
use super::{ChainHash, CheckpointMeta, Head, JournalError, LoadedCheckpoint, Picture, Seq};

/// The longest chunk in bytes, so that reading one needs little memory whatever its file says.
pub const CHECKPOINT_CHUNK_MAX: usize = 64 * 1024;
/// How many checkpoints are kept: the newest, and one to fall back on.
pub const CHECKPOINTS_KEPT: usize = 2;

const FOLDER: &str = "checkpoints";
const WHOLE: &str = "checkpoint";
const PARTIAL: &str = "partial";
const MAGIC: [u8; 4] = *b"CWC\x01";
const HEADER_BYTES: usize = 4 + 8 + 8 + 32;
const END_BYTES: usize = 4 + 32;
const CRC_BYTES: usize = 4;
/// Written to the disk this often, so that no commit has to wait for all of it at once.
pub(super) const SYNC_BYTES: usize = 8 << 20;

/// The folder of checkpoints of one journal.
pub(super) struct CheckpointFiles {
    folder: PathBuf,
    /// Held while one is written: two may be asked for at once. In it: those found damaged.
    damaged: Mutex<BTreeSet<Seq>>,
}

impl CheckpointFiles {
    /// The checkpoints of the journal in `journal`. What a save that was cut off has left is removed.
    pub(super) fn open(journal: &Path) -> Result<Self, JournalError> {
        let folder = journal.join(FOLDER);
        ensure_folder(&folder)?;
        let files = Self { folder, damaged: Mutex::default() };
        for (path, _) in files.with_extension(PARTIAL)? {
            fs::remove_file(path).map_err(JournalError::io("removing a checkpoint"))?;
        }
        Ok(files)
    }

    /// The checkpoints beside some segments, or of a journal: nothing is made or removed.
    pub(super) fn only_read(beside: &Path) -> Self {
        Self { folder: beside.join(FOLDER), damaged: Mutex::default() }
    }

    /// Copies one: `piece` gives the bytes of its file from an offset on, none behind its end. It is read whole before it
    /// bears its name; then older ones leave.
    pub(super) fn copy_in<E: From<JournalError>>(
        &self,
        seq: Seq,
        mut piece: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let mut damaged = locked(&self.damaged);
        let copying = "copying a checkpoint";
        let partial = self.path(seq, PARTIAL);
        let mut file = File::create(&partial).map_err(JournalError::io(copying))?;
        let mut offset = 0;
        loop {
            let bytes = piece(offset)?;
            if bytes.is_empty() {
                break;
            }
            file.write_all(&bytes).map_err(JournalError::io(copying))?;
            offset += bytes.len() as u64;
        }
        file.sync_all().map_err(JournalError::io(copying))?;
        Chunks::open(&partial, seq)?.chunks.try_for_each(|chunk| chunk.map(drop))?;
        fs::rename(&partial, self.path(seq, WHOLE)).map_err(JournalError::io(copying))?;
        sync_folder_alone(&self.folder)?;
        self.sweep(&mut damaged)?;
        Ok(())
    }

    /// The checkpoints that are there, newest first.
    pub(super) fn saved(&self) -> Result<Vec<Seq>, JournalError> {
        let mut saved: Vec<Seq> = self.with_extension(WHOLE)?.into_iter().map(|(_, seq)| seq).collect();
        saved.sort_unstable_by(|a, b| b.cmp(a));
        Ok(saved)
    }

    /// Writes one, durably, and then removes what is older than the newest [`CHECKPOINTS_KEPT`].
    pub(super) fn save(&self, at: &Head, picture: Picture<'_>) -> Result<CheckpointMeta, JournalError> {
        let mut damaged = locked(&self.damaged);
        let partial = self.path(at.seq, PARTIAL);
        let writing = "writing a checkpoint";
        let file = File::create(&partial).map_err(JournalError::io(writing))?;
        let mut writer = Writer::begin(file, at).map_err(JournalError::io(writing))?;
        let mut outcome = Ok(());
        picture(&mut |chunk| {
            if outcome.is_ok() {
                outcome = writer.chunk(chunk);
            }
        });
        let written = outcome.and_then(|()| writer.end().map_err(JournalError::io(writing)));
        let state_hash = written.inspect_err(|_| {
            // The first error is what counts; a part that stays is removed at the next start.
            let _stays = fs::remove_file(&partial);
        })?;
        fs::rename(&partial, self.path(at.seq, WHOLE)).map_err(JournalError::io(writing))?;
        sync_folder_alone(&self.folder)?;
        damaged.remove(&at.seq);
        self.sweep(&mut damaged)?;
        Ok(CheckpointMeta { seq: at.seq, state_hash, chain_hash: at.hash })
    }

    /// One of those that are there. Its chunks are checked as they are read.
    pub(super) fn load(&self, seq: Seq) -> Result<LoadedCheckpoint, JournalError> {
        let opened = Chunks::open(&self.path(seq, WHOLE), seq);
        opened.inspect_err(|_| self.found_damaged(seq))
    }

    /// Removes one of those that are there.
    pub(super) fn remove(&self, seq: Seq) -> Result<(), JournalError> {
        fs::remove_file(self.path(seq, WHOLE)).map_err(JournalError::io("removing a checkpoint"))
    }

    /// Bytes of its file from an offset on; empty behind its end.
    pub(super) fn piece(&self, seq: Seq, offset: u64, bytes_max: usize) -> Result<Vec<u8>, JournalError> {
        let mut bytes = Vec::new();
        let mut read = || {
            let mut file = File::open(self.path(seq, WHOLE))?;
            file.seek(SeekFrom::Start(offset))?;
            file.take(bytes_max as u64).read_to_end(&mut bytes)
        };
        read().map_err(JournalError::io("reading a checkpoint"))?;
        Ok(bytes)
    }

    /// It must neither count among those kept nor be tried again.
    pub(super) fn found_damaged(&self, seq: Seq) {
        locked(&self.damaged).insert(seq);
    }

    /// Removes those found damaged and all but the newest of the others.
    fn sweep(&self, damaged: &mut BTreeSet<Seq>) -> Result<(), JournalError> {
        let mut good = 0;
        for seq in self.saved()? {
            let bad = damaged.remove(&seq);
            good += usize::from(!bad);
            if bad || good > CHECKPOINTS_KEPT {
                self.remove(seq)?;
            }
        }
        Ok(())
    }

    fn path(&self, seq: Seq, extension: &str) -> PathBuf {
        self.folder.join(format!("{seq:020}.{extension}"))
    }

    /// The files that are named like a checkpoint and end so.
    fn with_extension(&self, extension: &str) -> Result<Vec<(PathBuf, Seq)>, JournalError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(JournalError::Io { doing: "listing the checkpoints", source }),
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let named = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
        Ok(named.filter_map(|path| Some((path.clone(), path.file_stem()?.to_str()?.parse().ok()?))).collect())
    }
}

fn locked(damaged: &Mutex<BTreeSet<Seq>>) -> MutexGuard<'_, BTreeSet<Seq>> {
    // A set of numbers is whole whatever panicked meanwhile.
    damaged.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes names in a folder durable; the files themselves are.
pub(super) fn sync_folder_alone(folder: &Path) -> Result<(), JournalError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(JournalError::io("syncing the folder"))
}

/// Writes a checkpoint's file from its header to its end.
struct Writer {
    file: BufWriter<File>,
    seq: Seq,
    chunks: u32,
    unsynced: usize,
    hash: Sha256,
}

impl Writer {
    fn begin(file: File, at: &Head) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let header = encode_header(at);
        file.write_all(&header)?;
        file.write_all(&crc32c::crc32c(&header).to_le_bytes())?;
        Ok(Self { file, seq: at.seq, chunks: 0, unsynced: 0, hash: Sha256::new() })
    }

    fn chunk(&mut self, chunk: &[u8]) -> Result<(), JournalError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(chunk.len()).ok().filter(|_| chunk.len() <= CHECKPOINT_CHUNK_MAX);
        let Some(length) = length else {
            return Err(JournalError::ChunkTooLong { seq: self.seq, index: self.chunks, len: chunk.len() });
        };
        self.put(length, chunk).map_err(JournalError::io("writing a checkpoint"))
    }

    fn put(&mut self, length: u32, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&crc_at(self.seq, self.chunks, chunk).to_le_bytes())?;
        self.file.write_all(chunk)?;
        self.hash.update(chunk);
        self.chunks += 1;
        self.unsynced += chunk.len();
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
        }
        Ok(())
    }

    fn end(mut self) -> io::Result<ChainHash> {
        let hash: ChainHash = self.hash.finalize().into();
        let mut end = [0; END_BYTES];
        end[..4].copy_from_slice(&self.chunks.to_le_bytes());
        end[4..].copy_from_slice(&hash);
        self.file.write_all(&[0; 4])?;
        self.file.write_all(&end)?;
        self.file.write_all(&crc_at(self.seq, self.chunks, &end).to_le_bytes())?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(hash)
    }
}

/// The CRC of what stands at a place of the file that begins or ends at this record.
pub(super) fn crc_at(seq: Seq, place: u32, bytes: &[u8]) -> u32 {
    let covered = crc32c::crc32c(&seq.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(covered, &place.to_le_bytes()), bytes)
}

fn encode_header(at: &Head) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC);
    header[4..12].copy_from_slice(&at.seq.to_le_bytes());
    header[12..20].copy_from_slice(&at.time_ms.to_le_bytes());
    header[20..].copy_from_slice(&at.hash);
    header
}

fn decode_header(header: &[u8; HEADER_BYTES]) -> Option<Head> {
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (time_ms, hash) = rest.split_first_chunk()?;
    let head = Head {
        seq: u64::from_le_bytes(*seq),
        time_ms: i64::from_le_bytes(*time_ms),
        hash: hash.try_into().ok()?,
    };
    (*magic == MAGIC).then_some(head)
}

/// The chunks of a checkpoint's file, one at a time. The last thing it gives is an error if the file is not whole.
struct Chunks {
    file: BufReader<File>,
    seq: Seq,
    chunks: u32,
    hash: Sha256,
    ended: bool,
}

impl Chunks {
    fn open(path: &Path, seq: Seq) -> Result<LoadedCheckpoint, JournalError> {
        let file = File::open(path).map_err(JournalError::io("reading a checkpoint"))?;
        let mut chunks = Self {
            file: BufReader::with_capacity(1 << 20, file),
            seq,
            chunks: 0,
            hash: Sha256::new(),
            ended: false,
        };
        let header: [u8; HEADER_BYTES] = chunks.read()?;
        let crc: [u8; CRC_BYTES] = chunks.read()?;
        let whole = crc32c::crc32c(&header).to_le_bytes() == crc;
        match decode_header(&header).filter(|at| whole && at.seq == seq) {
            Some(at) => Ok(LoadedCheckpoint { at, chunks: Box::new(chunks) }),
            None => Err(chunks.damaged("its header is not one")),
        }
    }

    fn damaged(&self, rule: &'static str) -> JournalError {
        JournalError::CheckpointDamaged { seq: self.seq, rule }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), JournalError> {
        match self.file.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("its file ends too soon"))
            }
            Err(source) => Err(JournalError::Io { doing: "reading a checkpoint", source }),
        }
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        let length = u32::from_le_bytes(self.read()?) as usize;
        if length == 0 {
            return self.check_end().map(|()| None);
        }
        if length > CHECKPOINT_CHUNK_MAX {
            return Err(self.damaged("a chunk is longer than a chunk may be"));
        }
        let want: [u8; CRC_BYTES] = self.read()?;
        let mut chunk = vec![0; length];
        self.fill(&mut chunk)?;
        if crc_at(self.seq, self.chunks, &chunk).to_le_bytes() != want {
            return Err(self.damaged("a chunk's check value is wrong"));
        }
        self.hash.update(&chunk);
        self.chunks += 1;
        Ok(Some(chunk))
    }

    fn check_end(&mut self) -> Result<(), JournalError> {
        let end: [u8; END_BYTES] = self.read()?;
        let want: [u8; CRC_BYTES] = self.read()?;
        let hash: ChainHash = self.hash.finalize_reset().into();
        let mut is = [0; END_BYTES];
        is[..4].copy_from_slice(&self.chunks.to_le_bytes());
        is[4..].copy_from_slice(&hash);
        if is != end || crc_at(self.seq, self.chunks, &end).to_le_bytes() != want {
            return Err(self.damaged("its chunks are not those that it ends with"));
        }
        let mut behind = [0];
        match self.file.read(&mut behind) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("there is something behind its end")),
            Err(source) => Err(JournalError::Io { doing: "reading a checkpoint", source }),
        }
    }
}

impl Iterator for Chunks {
    type Item = Result<Vec<u8>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_chunk().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{batch_of, chunks_of, newest, open, save};
    use super::super::{Checkpoints, SledStore, Store};
    use super::*;

    /// A store with ten records and checkpoints at 4 and 8.
    fn two_checkpoints() -> (tempfile::TempDir, SledStore) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        for first in [1, 5] {
            let head = store.append(first, &batch_of(first, 4, 100)).unwrap();
            save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
        }
        store.append(9, &batch_of(9, 2, 100)).unwrap();
        (dir, store)
    }

    /// The newest one that can be read, and those passed over.
    fn found(checkpoints: &dyn Checkpoints) -> (Option<Seq>, Vec<Seq>) {
        let (found, passed_over) = newest(checkpoints);
        let seq = found.map(|(at, chunks)| {
            assert_eq!(chunks, chunks_of(at.seq));
            at.seq
        });
        (seq, passed_over)
    }

    fn file(dir: &tempfile::TempDir, seq: Seq) -> PathBuf {
        dir.path().join(format!("{FOLDER}/{seq:020}.{WHOLE}"))
    }

    #[test]
    fn the_newest_comes_back_and_survives_a_reopening() {
        let (dir, store) = two_checkpoints();
        assert_eq!(found(store.checkpoints().as_ref()), (Some(8), vec![]));
        Box::new(store).close().unwrap();
        let (reopened, report) = SledStore::open(dir.path(), super::super::StoreOptions::default()).unwrap();
        assert_eq!(report.checkpoints, [8, 4]);
        assert_eq!(found(reopened.checkpoints().as_ref()), (Some(8), vec![]));
    }

    #[test]
    fn a_damaged_checkpoint_falls_back_to_the_older_and_then_to_none() {
        const FIRST_CHUNK: usize = HEADER_BYTES + CRC_BYTES;
        type Edit = fn(&mut Vec<u8>);
        let rows: [(&str, Edit); 9] = [
            ("magic", |x| x[0] ^= 1),
            ("record", |x| x[5] ^= 1),
            ("time", |x| x[13] ^= 1),
            ("chain hash", |x| x[30] ^= 1),
            ("a chunk's length", |x| x[FIRST_CHUNK + 3] = 1),
            ("a chunk flipped", |x| x[FIRST_CHUNK + 100] ^= 1),
            ("end cut off", |x| x.truncate(x.len() - 1)),
            ("state hash", |x| {
                let at = x.len() - 20;
                x[at] ^= 1;
            }),
            ("something behind", |x| x.push(0)),
        ];
        for (name, edit) in rows {
            let (dir, store) = two_checkpoints();
            let checkpoints = store.checkpoints();
            let spoil = |seq| {
                let mut bytes = fs::read(file(&dir, seq)).unwrap();
                edit(&mut bytes);
                fs::write(file(&dir, seq), bytes).unwrap();
            };
            spoil(8);
            assert_eq!(found(checkpoints.as_ref()), (Some(4), vec![8]), "{name}");
            spoil(4);
            assert_eq!(found(checkpoints.as_ref()), (None, vec![8, 4]), "{name}");
        }
    }

    #[test]
    fn a_checkpoint_under_another_record_or_with_chunks_in_another_order_is_none() {
        let (dir, store) = two_checkpoints();
        fs::copy(file(&dir, 4), file(&dir, 8)).unwrap();
        assert_eq!(found(store.checkpoints().as_ref()), (Some(4), vec![8]));

        let head = store.head();
        let twins = vec![vec![1; 50], vec![2; 50]];
        save(store.checkpoints().as_ref(), &head, &twins).unwrap();
        let mut bytes = fs::read(file(&dir, 10)).unwrap();
        let first = HEADER_BYTES + CRC_BYTES;
        bytes[first..first + 2 * 58].rotate_left(58);
        fs::write(file(&dir, 10), bytes).unwrap();
        assert_eq!(newest(store.checkpoints().as_ref()).1, [10]);
    }

    #[test]
    fn one_of_another_history_is_passed_over() {
        let (dir, _store) = two_checkpoints();
        let other = tempfile::tempdir().unwrap();
        let mut store = open(other.path());
        store.append(1, &batch_of(1, 8, 99)).unwrap();
        fs::copy(file(&dir, 8), file(&other, 8)).unwrap();
        assert_eq!(found(store.checkpoints().as_ref()), (None, vec![8]));
    }

    #[test]
    fn a_save_that_was_cut_off_leaves_the_older_and_goes_at_the_next_start() {
        let (dir, store) = two_checkpoints();
        let partial = dir.path().join(FOLDER).join(format!("{:020}.{PARTIAL}", 9));
        fs::write(&partial, b"CWC").unwrap();
        assert_eq!(found(store.checkpoints().as_ref()), (Some(8), vec![]));
        drop(store);
        let store = open(dir.path());
        assert!(!partial.exists());
        assert_eq!(found(store.checkpoints().as_ref()), (Some(8), vec![]));
    }

    #[test]
    fn a_damaged_one_does_not_push_a_good_one_out() {
        let (dir, store) = two_checkpoints();
        fs::write(file(&dir, 8), b"").unwrap();
        let checkpoints = store.checkpoints();
        assert_eq!(found(checkpoints.as_ref()).0, Some(4));
        let head = store.head();
        save(checkpoints.as_ref(), &head, &chunks_of(head.seq)).unwrap();
        assert_eq!(checkpoints.saved().unwrap(), [10, 4]);
    }

    #[test]
    fn only_two_are_kept_and_the_same_one_may_be_saved_again() {
        let (_dir, store) = two_checkpoints();
        let (head, checkpoints) = (store.head(), store.checkpoints());
        for _ in 0..2 {
            save(checkpoints.as_ref(), &head, &chunks_of(head.seq)).unwrap();
            assert_eq!(checkpoints.saved().unwrap(), [10, 8]);
        }
    }

    #[test]
    fn one_may_be_saved_while_the_journal_goes_on() {
        let (_dir, mut store) = two_checkpoints();
        let (head, checkpoints) = (store.head(), store.checkpoints());
        let chunks = chunks_of(head.seq);
        let saved = checkpoints.save(&head, &mut |emit| {
            for (chunk, first) in chunks.iter().zip(11..) {
                store.append(first, &batch_of(first, 1, 100)).unwrap();
                emit(chunk);
            }
        });
        assert_eq!(saved.unwrap().seq, 10);
        assert_eq!(store.head().seq, 13);
        assert_eq!(found(checkpoints.as_ref()), (Some(10), vec![]));
    }
}
