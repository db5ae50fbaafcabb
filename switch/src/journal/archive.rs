//! The archive: what has left the store, as segments in a folder that may lie on another disk.
//!
//! Records are written here, durably, and read back before the store lets go of them, and are read from here from then on. A
//! writing that was cut off is taken up where the last whole segment ends. Start at [`Archive::take`].

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::checkpoint::sync_folder_alone;
use super::segments::{SegmentWalk, SegmentsWriter, segments_in};
use super::{Head, JournalError, Seq};

const DAY_MS: i64 = 24 * 3_600_000;

/// The archive of one journal.
pub(super) struct Archive {
    folder: PathBuf,
}

/// Extents that are archived, or removed, between two pauses; in tests each is a step of its own to be cut off at.
pub(super) const EXTENTS_AT_ONCE: usize = if cfg!(test) { 1 } else { 32 };

/// What a writer asks between two small steps; `Break` when it should stop.
pub(super) type Pause<'a> = &'a dyn Fn() -> ControlFlow<()>;

impl Archive {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its extents from the one that holds `from` on.
    pub(super) fn walk(&self, from: Seq) -> Result<SegmentWalk, JournalError> {
        SegmentWalk::over(&[&self.folder], from)
    }

    /// The first record from which on the archive has all up to `base`; the one behind it if it has nothing of use.
    pub(super) fn first_before(&self, base: Seq) -> Result<Seq, JournalError> {
        let mut first = base + 1;
        let segments = segments_in(&self.folder)?;
        // Each step takes the segment that reaches furthest back; there are few, and each is taken at most once.
        while let Some(earliest) = segments
            .iter()
            .filter(|one| one.first < first && one.last + 1 >= first)
            .map(|one| one.first)
            .min()
        {
            first = earliest;
        }
        Ok(first)
    }

    /// Where a writing of what is behind `base` goes on: where the archive ends that goes on from there without a gap.
    fn taken_up(&self, base: &Head) -> Result<Head, JournalError> {
        let mut walk = self.walk(base.seq + 1)?;
        walk.try_for_each(|extent| extent.map(drop))?;
        Ok(walk.head().unwrap_or(*base))
    }

    /// Writes the extents behind `base` up to `until`, where one ends, and reads them back; `extents` gives those that begin
    /// with a record and behind. Returns how many segments were written, or nothing if it was told to stop.
    pub(super) fn take<V: AsRef<[u8]>, I: Iterator<Item = Result<V, JournalError>>>(
        &self,
        base: &Head,
        until: &Head,
        extents: impl FnOnce(Seq) -> I,
        pause: Pause<'_>,
    ) -> Result<Option<u64>, JournalError> {
        let from = self.taken_up(base)?;
        if from.seq >= until.seq {
            return self.ends_in(until).map(|()| Some(0));
        }
        let mut writer = SegmentsWriter::behind(&self.folder, from)?;
        for (at, extent) in extents(from.seq + 1).enumerate() {
            if at.is_multiple_of(EXTENTS_AT_ONCE) && pause().is_break() {
                writer.finish()?;
                return Ok(None);
            }
            writer.put(extent?.as_ref())?;
            if writer.head().seq >= until.seq {
                break;
            }
        }
        writer.finish()?;
        if writer.head() == *until { Ok(Some(writer.files())) } else { Err(self.mismatch(until.seq)) }
    }

    /// Whether the archive, which reaches behind it, has this very head.
    fn ends_in(&self, until: &Head) -> Result<(), JournalError> {
        let mut walk = self.walk(until.seq)?;
        walk.next().transpose()?;
        if walk.head() == Some(*until) { Ok(()) } else { Err(self.mismatch(until.seq)) }
    }

    pub(super) fn mismatch(&self, base: Seq) -> JournalError {
        JournalError::ArchiveMismatch { base, folder: self.folder.clone() }
    }

    /// Removes the oldest segments: those whose last record is so many days older than `now` and not behind `base`. Nothing
    /// is removed with `days` 0. Returns how many.
    pub(super) fn remove_older(&self, days: u32, now_ms: i64, base: Seq) -> Result<u64, JournalError> {
        if days == 0 {
            return Ok(0);
        }
        let before_ms = now_ms.saturating_sub(i64::from(days) * DAY_MS);
        let mut removed = 0;
        for segment in segments_in(&self.folder)? {
            if segment.last > base || segment.claimed_end()?.time_ms >= before_ms {
                break;
            }
            fs::remove_file(&segment.path).map_err(JournalError::io("removing a segment"))?;
            removed += 1;
        }
        if removed > 0 {
            sync_folder_alone(&self.folder)?;
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{chain_of, write_segments};
    use super::*;

    const GO_ON: Pause<'_> = &|| ControlFlow::Continue(());

    fn archive() -> (tempfile::TempDir, Archive, Vec<Vec<u8>>, Vec<Head>) {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::new(dir.path().join("archive"));
        let (extents, heads) = chain_of(6, 2);
        (dir, archive, extents, heads)
    }

    /// The extents of a chain of two records each, from a record on.
    fn from(extents: &[Vec<u8>], first: Seq) -> impl Iterator<Item = Result<Vec<u8>, JournalError>> {
        let skip = usize::try_from((first - 1) / 2).unwrap();
        extents[skip..].iter().cloned().map(Ok)
    }

    #[test]
    fn an_archive_goes_on_where_it_ended_however_it_was_cut_off() {
        let (_dir, archive, extents, heads) = archive();
        let take = |base: usize, until: usize| {
            archive.take(&heads[base], &heads[until], |first| from(&extents, first), GO_ON)
        };
        assert_eq!(take(0, 2).unwrap(), Some(1));
        assert_eq!(take(0, 2).unwrap(), Some(0), "the base was not recorded: what is there is recognised");
        assert_eq!(take(0, 4).unwrap(), Some(1), "and goes on behind it");
        assert_eq!(take(4, 5).unwrap(), Some(1));
        let segments: Vec<(Seq, Seq)> =
            segments_in(archive.folder()).unwrap().iter().map(|one| (one.first, one.last)).collect();
        assert_eq!(segments, [(1, 4), (5, 8), (9, 10)]);
        assert_eq!(archive.walk(1).unwrap().map(Result::unwrap).collect::<Vec<_>>(), extents[..5]);
    }

    #[test]
    fn an_archive_that_was_taken_away_begins_anew_behind_the_base() {
        let (_dir, archive, extents, heads) = archive();
        archive.take(&heads[3], &heads[5], |first| from(&extents, first), GO_ON).unwrap();
        assert_eq!(archive.first_before(10).unwrap(), 7);
        assert_eq!(archive.walk(1).unwrap().count(), 0);
    }

    #[test]
    fn an_archive_of_another_history_takes_nothing() {
        let (_dir, archive, extents, heads) = archive();
        let (others, other_heads) = chain_of(3, 4);
        write_segments(archive.folder(), &others, &other_heads, 0..2);
        for until in [3, 6] {
            let refused = archive.take(&heads[0], &heads[until], |first| from(&extents, first), GO_ON);
            assert!(refused.is_err(), "until {until}: {refused:?}");
        }
    }

    #[test]
    fn who_is_told_to_stop_leaves_whole_segments() {
        let (_dir, archive, extents, heads) = archive();
        let steps = std::cell::Cell::new(0);
        let pause: Pause<'_> = &|| {
            steps.set(steps.get() + 1);
            if steps.get() > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = archive.take(&heads[0], &heads[6], |first| from(&extents, first), pause).unwrap();
        assert_eq!(stopped, None);
        assert_eq!(archive.walk(1).unwrap().count(), 3);
        let whole = archive.take(&heads[0], &heads[6], |first| from(&extents, first), GO_ON).unwrap();
        assert_eq!((whole, archive.walk(1).unwrap().count()), (Some(1), 6));
    }

    #[test]
    fn only_old_segments_go_and_none_that_the_store_still_has() {
        let (_dir, archive, extents, heads) = archive();
        for at in 0..3 {
            write_segments(archive.folder(), &extents, &heads, at..at + 1);
        }
        let day_after = |head: &Head| head.time_ms + DAY_MS;
        let rows = [
            ("for ever", 0, i64::MAX, 6, 0),
            ("none is old enough", 1, day_after(&heads[1]), 6, 0),
            ("the store still has them", 1, i64::MAX, 1, 0),
            ("one is old enough", 1, day_after(&heads[1]) + 1, 6, 1),
            ("one of the rest is behind the base", 1, i64::MAX, 5, 1),
            ("the last", 1, i64::MAX, 6, 1),
        ];
        for (name, days, now_ms, base, want) in rows {
            assert_eq!(archive.remove_older(days, now_ms, base).unwrap(), want, "{name}");
        }
    }
}
