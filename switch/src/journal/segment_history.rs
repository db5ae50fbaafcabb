//! Folders of segments as a journal that is only read: proved whole before anything is read from it.
//!
//! Start at [`SegmentHistory::open`].

use std::ops::ControlFlow;
use std::path::Path;

use super::extent::{each_extent, hash_if_ends_at, records_of};
use super::segment::Segment;
use super::segments::{SegmentWalk, segments_and_parts_in};
use super::{ChainHash, Head, JournalError, Reader, Record, Seq};

/// The history in the segments of some folders, from their first record to their last.
#[derive(Clone, Debug)]
pub struct SegmentHistory {
    segments: Vec<Segment>,
    /// What was found.
    pub survey: Survey,
}

/// What was proved of a history in segments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Survey {
    /// The first record.
    pub first: Seq,
    /// The last record and the chain's hash there.
    pub head: Head,
    /// Extents, each verified.
    pub extents: u64,
    /// Segments that they are in; others hold nothing that these do not.
    pub segments: u64,
}

impl SegmentHistory {
    /// Reads every segment and verifies it: check values, order and time of the records, the chain within and between
    /// segments. `progress` hears the last record of each extent.
    ///
    /// # Errors
    /// There is no segment, a record is missing though later ones are there, a segment is damaged.
    pub fn open(folders: &[&Path], progress: &mut dyn FnMut(Seq)) -> Result<Self, JournalError> {
        let mut segments = Vec::new();
        for folder in folders {
            segments.extend(segments_and_parts_in(folder)?);
        }
        let folder = || folders.first().map(|folder| folder.to_path_buf()).unwrap_or_default();
        let first = segments.iter().map(|one| one.first).min();
        let first = first.ok_or_else(|| JournalError::NoSegments { folder: folder() })?;
        let mut walk = SegmentWalk::through(segments.clone(), first);
        let mut extents = 0;
        while let Some(extent) = walk.next() {
            extent?;
            extents += 1;
            progress(walk.next_record() - 1);
        }
        let last = segments.iter().map(|one| one.last).max().unwrap_or(first);
        if walk.next_record() <= last {
            return Err(JournalError::SegmentMissing { seq: walk.next_record(), folder: folder() });
        }
        let head = walk.head().unwrap_or_default();
        let survey = Survey { first, head, extents, segments: walk.files() };
        Ok(Self { segments, survey })
    }

    fn walk(&self, from: Seq) -> SegmentWalk {
        SegmentWalk::through(self.segments.clone(), from)
    }
}

impl Reader for SegmentHistory {
    fn read(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let (mut next, last) = (from.max(1), self.survey.head.seq);
        if next > last {
            return Ok(());
        }
        each_extent(self.walk(next), &mut next, last, &mut records_of(from, last, visit)).map(drop)
    }

    fn extents(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let (mut next, last) = (from.max(1), self.survey.head.seq);
        if next > last {
            return Ok(());
        }
        each_extent(self.walk(next), &mut next, last, &mut |_, value| Ok(visit(value))).map(drop)
    }

    fn first(&self) -> Result<Seq, JournalError> {
        Ok(self.survey.first)
    }

    fn head(&self) -> Head {
        self.survey.head
    }

    fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
        let extent = self.walk(seq).next().transpose()?;
        Ok(extent.and_then(|extent| hash_if_ends_at(&extent, seq)))
    }
}
