//! Folders of segments: which there are, how they are read as one history, how a history is written as many.
//!
//! Segments may overlap, as they do where an export or a second run began in the middle of another, as long as they are of
//! one history: wherever one is left for the next, the chain must go on. Start at [`SegmentWalk`] and [`SegmentsWriter`].

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::engine::ensure_folder;
use super::segment::{PARTIAL, Segment, SegmentReader, SegmentWriter};
use super::{Damage, Head, JournalError, Seq};

/// The segments of a folder by their first record, the longest of equals first; none if there is no folder.
///
/// # Errors
/// The folder cannot be listed.
pub fn segments_in(folder: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut found: Vec<Segment> = files_in(folder)?.into_iter().filter_map(Segment::named).collect();
    found.sort_unstable_by_key(|segment| (segment.first, std::cmp::Reverse(segment.last)));
    Ok(found)
}

/// The files in which parts of segments are under way.
///
/// # Errors
/// The folder cannot be listed.
pub(super) fn paths_of_parts(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let is_part = |path: &PathBuf| path.extension().is_some_and(|extension| extension == PARTIAL);
    Ok(files_in(folder)?.into_iter().filter(is_part).collect())
}

/// As [`segments_in`], with the parts that a mirror or a backup has under way: as far as they are whole, they are as good.
/// Reads those to their end.
///
/// # Errors
/// The folder cannot be listed.
pub(super) fn segments_and_parts_in(folder: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut found = segments_in(folder)?;
    found.extend(files_in(folder)?.into_iter().filter_map(Segment::part));
    found.sort_unstable_by_key(|segment| (segment.first, std::cmp::Reverse(segment.last)));
    Ok(found)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let listing = "listing the segments";
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(JournalError::io(listing)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(JournalError::Io { doing: listing, source }),
    }
}

/// Makes a folder's own name durable, and those of the folders above, which may be as new: what is archived is lost with any of
/// them. Above the nearest, those that may not be opened are not ours, so not new either.
pub(super) fn sync_names_above(folder: &Path) -> Result<(), JournalError> {
    let syncing = "syncing the folder";
    let folder = folder.canonicalize().map_err(JournalError::io(syncing))?;
    for (at, above) in folder.ancestors().skip(1).enumerate() {
        match File::open(above).and_then(|above| above.sync_all()) {
            Err(source) if at == 0 => return Err(JournalError::Io { doing: syncing, source }),
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Walks extents from the one that holds a record on, from segment to segment, until none has the next. Every extent is
/// verified before it is given.
pub struct SegmentWalk {
    segments: Vec<Segment>,
    /// Where each of them that is whole ends, in order, and which it is.
    ends: Vec<(Seq, usize)>,
    next: Seq,
    reading: Option<SegmentReader>,
    /// What is behind the last extent given.
    head: Option<Head>,
    files: u64,
    failed: bool,
}

impl SegmentWalk {
    /// Over the segments of these folders, from the extent that holds record `from` on.
    ///
    /// # Errors
    /// A folder cannot be listed.
    pub fn over(folders: &[&Path], from: Seq) -> Result<Self, JournalError> {
        let mut segments = Vec::new();
        for folder in folders {
            segments.extend(segments_in(folder)?);
        }
        Ok(Self::through(segments, from))
    }

    /// Through these segments, from the extent that holds record `from` on.
    pub(super) fn through(segments: Vec<Segment>, from: Seq) -> Self {
        let whole = segments.iter().enumerate().filter(|(_, segment)| !segment.is_part());
        let mut ends: Vec<(Seq, usize)> = whole.map(|(at, segment)| (segment.last, at)).collect();
        ends.sort_unstable();
        Self { segments, ends, next: from.max(1), reading: None, head: None, files: 0, failed: false }
    }

    /// What is behind the last extent given; nothing before the first.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// The first record that was not given yet.
    #[must_use]
    pub fn next_record(&self) -> Seq {
        self.next
    }

    /// The segments that were read.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    fn next_extent(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        loop {
            if self.reading.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(reading) = &mut self.reading else { return Ok(None) };
            let before = reading.head();
            let Some(extent) = reading.next().transpose()? else {
                self.reading = None;
                continue;
            };
            let after = reading.head();
            if after.seq < self.next {
                continue;
            }
            // Where it is taken up, the chain must be the one that was left.
            if let Some(left) = self.head
                && left != before
            {
                self.reading = None;
                return Err(self.not_of_one_history());
            }
            self.check_passed(before.seq, after)?;
            (self.next, self.head) = (after.seq + 1, Some(after));
            return Ok(Some(extent));
        }
    }

    /// Segments that are passed without being read must be of the history that is: they end where it has an extent's end, and
    /// with its hash. Another timeline would otherwise be lost without a word.
    fn check_passed(&self, before: Seq, after: Head) -> Result<(), JournalError> {
        let ends = &self.ends;
        let from = ends.partition_point(|(last, _)| *last <= before);
        let passed = ends[from..].iter().take_while(|(last, _)| *last <= after.seq);
        for segment in passed.map(|(_, at)| &self.segments[*at]) {
            let end = segment.claimed_end()?;
            if end.seq != after.seq || end.hash != after.hash {
                let (seq, path) = (segment.last, segment.path.clone());
                return Err(JournalError::Segment { seq, damage: Damage::Chain, path });
            }
        }
        Ok(())
    }

    /// Opens the segment that holds the next record and goes on furthest; whether there is one.
    fn open_next(&mut self) -> Result<bool, JournalError> {
        let holding = self.segments.iter().filter(|one| (one.first..=one.last).contains(&self.next));
        let Some(segment) = holding.max_by_key(|segment| segment.last) else { return Ok(false) };
        self.reading = Some(SegmentReader::open(segment)?);
        self.files += 1;
        Ok(true)
    }

    fn not_of_one_history(&self) -> JournalError {
        let holding = self.segments.iter().filter(|one| (one.first..=one.last).contains(&self.next));
        let path = holding.max_by_key(|segment| segment.last).map(|segment| segment.path.clone());
        JournalError::Segment { seq: self.next, damage: Damage::Chain, path: path.unwrap_or_default() }
    }
}

impl Iterator for SegmentWalk {
    type Item = Result<Vec<u8>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_extent().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// Writes a history as segments of bounded size, each read back once it is durable.
pub(super) struct SegmentsWriter {
    folder: PathBuf,
    writing: Option<SegmentWriter>,
    head: Head,
    files: u64,
}

impl SegmentsWriter {
    /// Goes on behind this head. The folder is made if need be, and what a writer that was cut off has left there goes.
    pub(super) fn behind(folder: &Path, head: Head) -> Result<Self, JournalError> {
        ensure_folder(folder)?;
        sync_names_above(folder)?;
        for path in files_in(folder)? {
            if path.extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(path).map_err(JournalError::io("removing a part of a segment"))?;
            }
        }
        Ok(Self { folder: folder.to_owned(), writing: None, head, files: 0 })
    }

    /// The last record written; durable once [`finish`](Self::finish) was called.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Segments that are whole.
    pub(super) fn files(&self) -> u64 {
        self.files
    }

    pub(super) fn put(&mut self, extent: &[u8]) -> Result<(), JournalError> {
        if self.writing.as_ref().is_some_and(|writing| !writing.has_room_for(extent.len())) {
            self.finish()?;
        }
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => none.insert(SegmentWriter::begin(&self.folder, self.head)?),
        };
        writing.put(extent)?;
        self.head = writing.head();
        Ok(())
    }

    /// Ends the segment under way, durably, and reads it back.
    pub(super) fn finish(&mut self) -> Result<(), JournalError> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let Some(segment) = writing.finish()? else { return Ok(()) };
        let mut written = SegmentReader::open(&segment)?;
        written.try_for_each(|extent| extent.map(drop))?;
        if written.head() != self.head {
            return Err(JournalError::Segment {
                seq: segment.last,
                damage: Damage::SegmentEnd,
                path: segment.path,
            });
        }
        self.files += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{chain_of, write_segments};
    use super::*;

    /// What a walk gives: the number of extents, and how it ends.
    fn walk(folders: &[&Path], from: Seq) -> (usize, Result<Seq, String>) {
        let mut walk = SegmentWalk::over(folders, from).unwrap();
        let mut count = 0;
        for extent in walk.by_ref() {
            match extent {
                Ok(_) => count += 1,
                Err(error) => return (count, Err(error.to_string())),
            }
        }
        (count, Ok(walk.next_record()))
    }

    #[test]
    fn segments_are_one_history_wherever_it_is_taken_up() {
        let (extents, heads) = chain_of(6, 2);
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_segments(one.path(), &extents, &heads, 0..2);
        write_segments(one.path(), &extents, &heads, 2..4);
        // Overlaps, and goes on further, in another folder.
        write_segments(two.path(), &extents, &heads, 1..6);
        let both = [one.path(), two.path()];
        let rows: [(_, &[&Path], _, _); 6] = [
            ("one folder from the first", &both[..1], 1, (4, 9)),
            ("both from the first", &both, 1, (6, 13)),
            ("from inside an extent", &both, 4, (5, 13)),
            ("from the last", &both, 12, (1, 13)),
            ("past the last", &both, 13, (0, 13)),
            ("in front of the first", &both[1..], 1, (0, 1)),
        ];
        for (name, folders, from, (extents, next)) in rows {
            assert_eq!(walk(folders, from), (extents, Ok(next)), "{name}");
        }
        assert_eq!(walk(&[Path::new("/nowhere/at/all")], 1), (0, Ok(1)), "no folder has no segments");
    }

    #[test]
    fn segments_of_another_history_are_not_taken_up() {
        let (extents, heads) = chain_of(2, 2);
        let (others, other_heads) = chain_of(4, 2);
        let dir = tempfile::tempdir().unwrap();
        write_segments(dir.path(), &extents, &heads, 0..2);
        // The same records in other extents: the chain is another.
        let (long, long_heads) = chain_of(2, 4);
        write_segments(dir.path(), &long, &long_heads, 1..2);
        let (count, end) = walk(&[dir.path()], 1);
        assert!(
            count == 2 && end.as_ref().unwrap_err().contains("record 5: the hash chain is broken"),
            "{end:?}"
        );

        let dir = tempfile::tempdir().unwrap();
        write_segments(dir.path(), &extents, &heads, 0..2);
        write_segments(dir.path(), &others, &other_heads, 2..4);
        assert_eq!(walk(&[dir.path()], 1), (4, Ok(9)), "this one is the same history");

        // Records that were cut off, in front of an epoch, lie beside the longer history that went on without them.
        let cut_off = tempfile::tempdir().unwrap();
        write_segments(cut_off.path(), &long, &long_heads, 0..1);
        let (count, end) = walk(&[dir.path(), cut_off.path()], 1);
        assert!(count < 4 && end.as_ref().unwrap_err().contains("the hash chain is broken"), "{end:?}");
    }

    #[test]
    fn a_writer_that_was_cut_off_leaves_nothing_that_counts() {
        let (extents, heads) = chain_of(2, 2);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = SegmentsWriter::behind(dir.path(), heads[0]).unwrap();
        writer.put(&extents[0]).unwrap();
        drop(writer);
        assert_eq!(segments_in(dir.path()).unwrap(), []);
        write_segments(dir.path(), &extents, &heads, 0..1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the part is gone");
    }
}
