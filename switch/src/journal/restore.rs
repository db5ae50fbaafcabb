//! From segments back to a journal in a new folder, whole or up to a record or a time.
//!
//! Extents are taken over as they are, so the chain's hashes are those of the original; only one that is cut inside is
//! written anew with the records that stay. Where the segments do not begin at record 1, the journal begins behind a
//! checkpoint. What a state is, is not known here.
//!
//! Start at [`restore_segments`].

use std::path::{Path, PathBuf};

use super::anchor::Anchor;
use super::base;
use super::checkpoint::CheckpointFiles;
use super::engine::ensure_folder;
use super::extent::Extent;
use super::segments::{SegmentWalk, segments_and_parts_in};
use super::{Head, JournalError, LoadedCheckpoint, RecordBatch, Seq, SledStore, Store, StoreOptions};

/// Bytes of extents that are made durable together.
const SYNC_BYTES: usize = 8 << 20;
/// Bytes of a checkpoint that are copied at once.
const PIECE_BYTES: usize = 1 << 20;

/// Up to where a journal is restored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// All there is.
    End,
    /// This record is the last.
    Record(Seq),
    /// The last record is the last of this time or before, UTC milliseconds.
    Time(i64),
}

impl Until {
    /// The record asked for, if it is one.
    fn record(self) -> Option<Seq> {
        if let Self::Record(seq) = self { Some(seq) } else { None }
    }

    fn keeps(self, seq: Seq, time_ms: i64) -> bool {
        match self {
            Self::End => true,
            Self::Record(last) => seq <= last,
            Self::Time(last_ms) => time_ms <= last_ms,
        }
    }
}

/// Builds the journal in `to`, an empty or missing folder, from the segments and checkpoints of `from`. `progress` hears the
/// last record of each extent. Everything is durable when it returns; the store is open.
///
/// # Errors
/// The segments do not have what is asked for, or a record in between is missing or damaged; I/O errors.
pub fn restore_segments(
    from: &[PathBuf],
    to: &Path,
    until: Until,
    progress: &mut dyn FnMut(Seq),
) -> Result<SledStore, JournalError> {
    let folders: Vec<&Path> = from.iter().map(PathBuf::as_path).collect();
    let mut segments = Vec::new();
    for folder in &folders {
        segments.extend(segments_and_parts_in(folder)?);
    }
    let begins = segments.iter().map(|segment| segment.first).min().unwrap_or(Seq::MAX);
    let last = segments.iter().map(|segment| segment.last).max();
    let checkpoint = fitting_checkpoint(&folders, until)?;
    let base = match &checkpoint {
        _ if begins == 1 => Head::EMPTY,
        Some((at, _)) => *at,
        None => {
            let begins = (begins != Seq::MAX).then_some(begins);
            return Err(JournalError::NothingToRestore { begins, until: until.record() });
        }
    };
    let mut store = empty_store(to, &base)?;
    let mut walk = SegmentWalk::through(segments, base.seq + 1);
    let cut = take_over(&mut store, &mut walk, until, progress)?;
    let head = store.head();
    let last = last.unwrap_or(0).max(head.seq);
    match until {
        _ if !cut && last > head.seq && until.record() != Some(head.seq) => {
            Err(JournalError::SegmentMissing { seq: head.seq + 1, folder: from[0].clone() })
        }
        Until::Record(asked) if head.seq < asked => {
            Err(JournalError::RestoreBeyond { until: asked, last: head.seq })
        }
        _ => {
            if let Some((at, folder)) = checkpoint {
                let from = CheckpointFiles::only_read(folder);
                let piece = |offset| from.piece(at.seq, offset, PIECE_BYTES);
                CheckpointFiles::open(to)?.copy_in::<JournalError>(at.seq, piece)?;
            }
            Ok(store)
        }
    }
}

/// The newest checkpoint of these folders that is not past the end asked for, read once to its end.
fn fitting_checkpoint<'a>(
    folders: &[&'a Path],
    until: Until,
) -> Result<Option<(Head, &'a Path)>, JournalError> {
    let mut found = Vec::new();
    for folder in folders {
        let files = CheckpointFiles::only_read(folder);
        found.extend(files.saved()?.into_iter().map(|seq| (seq, *folder)));
    }
    found.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    for (seq, folder) in found {
        // A damaged one is passed over: an older one, or the records themselves, do as well.
        let Ok(LoadedCheckpoint { at, mut chunks }) = CheckpointFiles::only_read(folder).load(seq) else {
            continue;
        };
        if until.keeps(at.seq, at.time_ms) && chunks.all(|chunk| chunk.is_ok()) {
            return Ok(Some((at, folder)));
        }
    }
    Ok(None)
}

/// An empty journal that begins behind `base`.
fn empty_store(to: &Path, base: &Head) -> Result<SledStore, JournalError> {
    if base.seq > 0 {
        ensure_folder(to)?;
        Anchor::create(to, true)?.record(base)?;
        base::write(to, base)?;
    }
    SledStore::open(to, StoreOptions::default()).map(|(store, _)| store)
}

/// Takes over what is kept; whether something was left.
fn take_over(
    store: &mut SledStore,
    walk: &mut SegmentWalk,
    until: Until,
    progress: &mut dyn FnMut(Seq),
) -> Result<bool, JournalError> {
    let mut unsynced = 0;
    for bytes in walk {
        let bytes = bytes?;
        if let Some(kept) = cut_off(&bytes, until)? {
            store.settle()?;
            store.append(store.head().seq + 1, &kept)?;
            return Ok(true);
        }
        store.adopt(&bytes)?;
        unsynced += bytes.len();
        if unsynced >= SYNC_BYTES {
            store.settle()?;
            unsynced = 0;
        }
        progress(store.head().seq);
    }
    store.settle()?;
    Ok(false)
}

/// The records of an extent that are kept, if not all are.
fn cut_off(bytes: &[u8], until: Until) -> Result<Option<RecordBatch>, JournalError> {
    let Some(extent) = Extent::parse(bytes) else { return Ok(None) };
    let mut kept = RecordBatch::new();
    for record in extent.records() {
        let record = record?;
        if !until.keeps(record.seq, record.time_ms) {
            return Ok(Some(kept));
        }
        kept.push(record.seq, record.time_ms, |body| body.extend_from_slice(record.body))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{batch_of, chunks_of, newest, read_all, save, write_segments};
    use std::ops::ControlFlow;

    use super::super::segments::segments_in;
    use super::*;

    /// A journal of 90 records in 30 extents with checkpoints at 30 and 60, its segments and checkpoints copied to a backup.
    fn backed_up(dir: &Path) -> (SledStore, PathBuf) {
        let (mut store, _) = SledStore::open(&dir.join("journal"), StoreOptions::default()).unwrap();
        let (mut extents, mut heads) = (Vec::new(), vec![Head::EMPTY]);
        for first in (1..90).step_by(3) {
            let head = store.append(first, &batch_of(first, 3, 100)).unwrap();
            heads.push(head);
            if [30, 60].contains(&head.seq) {
                save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
            }
        }
        let visit = &mut |extent: &[u8]| {
            extents.push(extent.to_vec());
            ControlFlow::Continue(())
        };
        store.reader().extents(1, visit).unwrap();
        let backup = dir.join("backup");
        for range in [0..15, 15..30] {
            write_segments(&backup, &extents, &heads, range);
        }
        let copies = CheckpointFiles::open(&backup).unwrap();
        for seq in [30, 60] {
            let piece = |offset| store.checkpoints().piece(seq, offset, 777);
            copies.copy_in::<JournalError>(seq, piece).unwrap();
        }
        (store, backup)
    }

    #[test]
    fn a_journal_comes_back_up_to_any_record_or_time() {
        let dir = tempfile::tempdir().unwrap();
        let (original, backup) = backed_up(dir.path());
        let records = read_all(original.reader().as_ref());
        let time_of = |seq: usize| records[seq - 1].1;
        let rows = [
            ("all", Until::End, 90, Some(60)),
            ("at the end of an extent", Until::Record(60), 60, Some(60)),
            ("inside an extent", Until::Record(59), 59, Some(30)),
            ("the first record alone", Until::Record(1), 1, None),
            ("at a time", Until::Time(time_of(46)), 48, Some(30)),
            ("between two times", Until::Time(time_of(49) - 1), 48, Some(30)),
            ("after all", Until::Time(i64::MAX), 90, Some(60)),
        ];
        for (at, (name, until, want, checkpoint)) in rows.into_iter().enumerate() {
            let to = dir.path().join(format!("restored-{at}"));
            let restored = restore_segments(std::slice::from_ref(&backup), &to, until, &mut |_| ()).unwrap();
            Box::new(restored).close().unwrap();
            let (restored, _) = SledStore::open(&to, StoreOptions::default()).unwrap();
            assert!(read_all(restored.reader().as_ref()) == records[..want], "{name}");
            assert_eq!(newest(restored.checkpoints().as_ref()).0.map(|(at, _)| at.seq), checkpoint, "{name}");
            if want == 90 {
                assert_eq!(restored.head(), original.head(), "{name}: the chain is the same");
            }
        }
    }

    #[test]
    fn segments_without_the_first_record_need_a_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let (original, backup) = backed_up(dir.path());
        let first = segments_in(&backup).unwrap().remove(0);
        std::fs::remove_file(&first.path).unwrap();
        let to = dir.path().join("restored");
        let from = [backup.clone()];
        let restored = restore_segments(&from, &to, Until::End, &mut |_| ()).unwrap();
        assert_eq!(restored.head(), original.head());
        assert_eq!(newest(restored.checkpoints().as_ref()).0.map(|(at, _)| at.seq), Some(60));
        Box::new(restored).close().unwrap();
        let (restored, report) = SledStore::open(&to, StoreOptions::default()).unwrap();
        assert_eq!((report.base, restored.head()), (60, original.head()));
        let ends_at_it =
            restore_segments(&from, &dir.path().join("at-60"), Until::Record(60), &mut |_| ()).unwrap();
        Box::new(ends_at_it).close().unwrap();
        let (ends_at_it, _) = SledStore::open(&dir.path().join("at-60"), StoreOptions::default()).unwrap();
        assert_eq!(ends_at_it.head().seq, 60);

        let rows = [
            ("an earlier record", Until::Record(50), "record 31 is missing"),
            ("past the end", Until::Record(91), "end at record 90"),
        ];
        for (at, (name, until, want)) in rows.into_iter().enumerate() {
            let to = dir.path().join(format!("refused-{at}"));
            let refused = restore_segments(&from, &to, until, &mut |_| ()).map(drop).unwrap_err().to_string();
            assert!(refused.contains(want), "{name}: {refused}");
        }
    }

    #[test]
    fn a_gap_between_segments_is_no_end() {
        let dir = tempfile::tempdir().unwrap();
        let (_original, backup) = backed_up(dir.path());
        let last = segments_in(&backup).unwrap().remove(1);
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::rename(&last.path, other.join(last.path.file_name().unwrap())).unwrap();
        let both = restore_segments(
            &[backup.clone(), other.clone()],
            &dir.path().join("a"),
            Until::End,
            &mut |_| (),
        );
        assert_eq!(both.unwrap().head().seq, 90, "from two folders");
        std::fs::remove_dir_all(backup.join("checkpoints")).unwrap();
        let first = segments_in(&backup).unwrap().remove(0);
        std::fs::remove_file(first.path).unwrap();
        let refused = restore_segments(&[other], &dir.path().join("b"), Until::End, &mut |_| ()).map(drop);
        assert!(
            matches!(refused, Err(JournalError::NothingToRestore { begins: Some(46), .. })),
            "{refused:?}"
        );
    }
}
