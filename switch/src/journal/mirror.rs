//! The folder of a mirror: segments, as in an archive or a backup, and a last one that grows with every commit.
//!
//! What is whole of that last one is durable after [`MirrorFolder::sync`], under the name of a part; a restore reads it as
//! it reads segments. Whoever writes here follows the journal and is never in front of it: what was made durable elsewhere
//! first. Who that is, and who waits for it, stands in `crate::mirror`.
//!
//! Start at [`MirrorFolder::open`].

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::checkpoint::{CheckpointFiles, sync_folder_alone};
use super::engine::ensure_folder;
use super::extent::Extent;
use super::leftovers::settle_files;
use super::segment::SegmentWriter;
use super::segments::{SegmentWalk, paths_of_parts, segments_and_parts_in, sync_names_above};
use super::{Checkpoints, Damage, Head, JournalError, Reader, Seq};

/// Bytes of a checkpoint that are copied at once.
const PIECE_BYTES: usize = 1 << 20;

/// A mirror that is written to.
pub struct MirrorFolder {
    folder: PathBuf,
    writing: Option<SegmentWriter>,
    /// What is behind the last extent; in an empty mirror, nothing is known.
    head: Option<Head>,
    /// Whether the name of the part under way may not be durable.
    unnamed: bool,
}

impl MirrorFolder {
    /// Opens the folder, or makes it. Its last segment is verified; what is torn of the part under way goes.
    ///
    /// # Errors
    /// A segment is damaged, or I/O errors.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        ensure_folder(folder)?;
        sync_names_above(folder)?;
        // What is read here counts as durable, so it must be: an earlier process may have left it in the system's cache only,
        // and after a sync that failed the cache may have what the disk never got.
        settle_files(folder, &paths_of_parts(folder)?)?;
        let segments = segments_and_parts_in(folder)?;
        let Some(last) = segments.iter().max_by_key(|segment| segment.last).cloned() else {
            return Ok(Self { folder: folder.to_owned(), writing: None, head: None, unnamed: false });
        };
        let mut walk = SegmentWalk::through(vec![last.clone()], last.first);
        walk.try_for_each(|extent| extent.map(drop))?;
        let writing = last.is_part().then(|| SegmentWriter::resume(folder, &last)).transpose()?;
        Ok(Self { folder: folder.to_owned(), writing, head: walk.head(), unnamed: true })
    }

    /// What is behind its last record; nothing if it is empty.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Whether the journal can be followed from here: the mirror is not in front of it, and is of the same history.
    ///
    /// # Errors
    /// [`JournalError::MirrorAhead`], [`JournalError::MirrorOfOther`]; I/O errors.
    pub fn check(&self, reader: &dyn Reader) -> Result<(), JournalError> {
        let Some(head) = self.head else { return Ok(()) };
        let (seq, journal) = (head.seq, reader.head().seq);
        if seq > journal {
            return Err(JournalError::MirrorAhead { folder: self.folder.clone(), mirror: seq, journal });
        }
        match reader.hash_at(seq)? {
            Some(hash) if hash == head.hash => Ok(()),
            _ => Err(JournalError::MirrorOfOther { folder: self.folder.clone(), seq }),
        }
    }

    /// Takes over what is durable in the journal and not here, and makes it durable.
    ///
    /// # Errors
    /// It is not the next of this history, or I/O errors.
    pub fn follow(&mut self, reader: &dyn Reader) -> Result<(), JournalError> {
        let from = match self.head {
            Some(head) => head.seq + 1,
            None => reader.first()?,
        };
        if from > reader.head().seq {
            return Ok(());
        }
        let mut outcome = Ok(());
        reader.extents(from, &mut |extent| {
            outcome = self.put(extent);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        self.sync()
    }

    fn put(&mut self, extent: &[u8]) -> Result<(), JournalError> {
        if self.writing.as_ref().is_some_and(|writing| !writing.has_room_for(extent.len()))
            && let Some(full) = self.writing.take()
        {
            full.finish()?;
        }
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => {
                self.unnamed = true;
                none.insert(SegmentWriter::begin(
                    &self.folder,
                    self.head.map_or_else(|| before(extent), Ok)?,
                )?)
            }
        };
        writing.put(extent)?;
        self.head = Some(writing.head());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        writing.sync()?;
        if self.unnamed {
            sync_folder_alone(&self.folder)?;
            self.unnamed = false;
        }
        Ok(())
    }
}

/// What is in front of an extent that comes first. The time there is not known; any is later than this one.
fn before(extent: &[u8]) -> Result<Head, JournalError> {
    let first = Extent::parse(extent).ok_or(JournalError::Damaged { seq: 1, damage: Damage::Header })?;
    Ok(Head { seq: first.first - 1, hash: *first.previous, ..Head::EMPTY })
}

/// Copies the newest checkpoint beside a mirror's segments, if it is not there, so that a restore need not begin with the
/// first record.
///
/// # Errors
/// I/O errors, a file that is not a whole checkpoint.
pub fn copy_checkpoint(from: &dyn Checkpoints, seq: Seq, folder: &Path) -> Result<(), JournalError> {
    ensure_folder(folder)?;
    let copies = CheckpointFiles::open(folder)?;
    if copies.saved()?.contains(&seq) {
        return Ok(());
    }
    copies.copy_in(seq, |offset| from.piece(seq, offset, PIECE_BYTES))
}

impl std::fmt::Debug for MirrorFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorFolder")
            .field("folder", &self.folder)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::super::segments::segments_in;
    use super::super::testing::{batch_of, chunks_of, read_all, save};
    use super::super::{MemoryStore, SegmentHistory, Store, Until, restore_segments};
    use super::*;

    fn appended(store: &mut dyn Store, count: u64) {
        let first = store.head().seq + 1;
        store.append(first, &batch_of(first, count, 300)).unwrap();
    }

    fn follow(folder: &Path, store: &dyn Store) -> Result<(), JournalError> {
        let mut mirror = MirrorFolder::open(folder)?;
        mirror.check(store.reader().as_ref())?;
        mirror.follow(store.reader().as_ref())?;
        assert_eq!(mirror.head(), Some(store.head()));
        Ok(())
    }

    fn part_of(folder: &Path) -> PathBuf {
        let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|extension| extension == "partial")).unwrap()
    }

    #[test]
    fn a_mirror_goes_on_where_it_was_left_and_is_restored_to_the_same_records() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("second").join("mirror");
        let mut store = MemoryStore::new();
        for count in [1, 7, 300] {
            appended(&mut store, count);
            follow(&folder, &store).unwrap();
        }
        follow(&folder, &store).unwrap();
        save(store.checkpoints().as_ref(), &store.head(), &chunks_of(store.head().seq)).unwrap();
        assert_eq!(segments_in(&folder).unwrap(), [], "all of it is in a part");
        let survey = SegmentHistory::open(&[&folder], &mut |_| ()).unwrap().survey;
        assert_eq!((survey.first, survey.head), (1, store.head()));
        let restored =
            restore_segments(&[folder], &dir.path().join("restored"), Until::End, &mut |_| ()).unwrap();
        assert_eq!(restored.head(), store.head());
        assert!(read_all(restored.reader().as_ref()) == read_all(store.reader().as_ref()));
    }

    #[test]
    fn what_is_torn_of_it_is_taken_over_anew_wherever_it_is_torn() {
        let mut store = MemoryStore::new();
        for count in [2, 5, 4] {
            appended(&mut store, count);
        }
        let whole = {
            let dir = tempfile::tempdir().unwrap();
            follow(dir.path(), &store).unwrap();
            fs::read(part_of(dir.path())).unwrap()
        };
        for at in (0..whole.len()).step_by(61).chain([whole.len() - 1]) {
            for torn in [whole[..at].to_vec(), [&whole[..at], &vec![0; whole.len() - at]].concat()] {
                let dir = tempfile::tempdir().unwrap();
                fs::write(dir.path().join("00000000000000000001.partial"), torn).unwrap();
                follow(dir.path(), &store).unwrap();
                assert!(fs::read(part_of(dir.path())).unwrap() == whole, "torn at {at}");
            }
        }
    }

    #[test]
    fn a_mirror_in_front_of_the_journal_or_of_another_history_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, mut short, mut other) = (MemoryStore::new(), MemoryStore::new(), MemoryStore::new());
        for store in [&mut store, &mut short] {
            appended(store, 3);
        }
        appended(&mut store, 3);
        appended(&mut other, 6);
        follow(dir.path(), &store).unwrap();
        let refused = follow(dir.path(), &short);
        assert!(
            matches!(refused, Err(JournalError::MirrorAhead { mirror: 6, journal: 3, .. })),
            "{refused:?}"
        );
        let refused = follow(dir.path(), &other);
        assert!(matches!(refused, Err(JournalError::MirrorOfOther { seq: 6, .. })), "{refused:?}");
    }

    #[test]
    fn a_full_segment_is_ended_and_the_next_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = MemoryStore::new();
        for _ in 0..70 {
            let first = store.head().seq + 1;
            store.append(first, &batch_of(first, 64, 16_000)).unwrap();
            if first % 640 == 1 {
                follow(dir.path(), &store).unwrap();
            }
        }
        follow(dir.path(), &store).unwrap();
        let whole = segments_in(dir.path()).unwrap();
        assert_eq!((whole.len(), whole[0].first), (1, 1));
        let part = part_of(dir.path());
        assert!(part.ends_with(format!("{:020}.partial", whole[0].last + 1)));
        let survey = SegmentHistory::open(&[dir.path()], &mut |_| ()).unwrap().survey;
        assert_eq!((survey.head, survey.segments), (store.head(), 2));
    }
}
