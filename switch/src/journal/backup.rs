//! A backup, or an export: segments in a folder, with the newest checkpoints beside them, that grow by what came since.
//!
//! Extents come from wherever the journal is read, a running switch among them; each is held to the chain that is in the
//! folder already, so a backup is of one history or refuses. Start at [`Backup::open`].

use std::path::Path;

use super::checkpoint::CheckpointFiles;
use super::extent::Extent;
use super::segments::{SegmentWalk, SegmentsWriter, segments_in};
use super::{Damage, Head, JournalError, Seq};

/// A folder of segments that is being added to.
pub struct Backup {
    folder: std::path::PathBuf,
    /// Nothing before the first extent is there: it says itself what is in front of it.
    writer: Option<SegmentsWriter>,
    checkpoints: CheckpointFiles,
}

impl Backup {
    /// Opens the folder, or makes it. The last run of segments in it is verified, `progress` hearing the last record of each
    /// extent; what is added goes on behind it.
    ///
    /// # Errors
    /// A segment is damaged, or I/O errors.
    pub fn open(folder: &Path, progress: &mut dyn FnMut(Seq)) -> Result<Self, JournalError> {
        let checkpoints = CheckpointFiles::open(folder)?;
        let mut writer = None;
        if let Some(last) = segments_in(folder)?.into_iter().max_by_key(|segment| segment.last) {
            let mut walk = SegmentWalk::over(&[folder], last.first)?;
            while let Some(extent) = walk.next() {
                extent?;
                progress(walk.next_record() - 1);
            }
            let end = walk.head().unwrap_or_default();
            writer = Some(SegmentsWriter::behind(folder, end)?);
        }
        Ok(Self { folder: folder.to_owned(), writer, checkpoints })
    }

    /// The last record that is in it; 0 if it is empty.
    #[must_use]
    pub fn end(&self) -> Head {
        self.writer.as_ref().map_or(Head::EMPTY, SegmentsWriter::head)
    }

    /// Adds the next extent. An empty backup begins with whatever extent comes first.
    ///
    /// # Errors
    /// It is not the next of this history, or I/O errors.
    pub fn put(&mut self, extent: &[u8]) -> Result<(), JournalError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let damage = Damage::Header;
                let first = Extent::parse(extent).ok_or(JournalError::Damaged { seq: 1, damage })?;
                // The time in front of it is not known; any is later than this one.
                let before = Head { seq: first.first - 1, hash: *first.previous, ..Head::EMPTY };
                none.insert(SegmentsWriter::behind(&self.folder, before)?)
            }
        };
        writer.put(extent)
    }

    /// Makes what was added durable and reads it back.
    ///
    /// # Errors
    /// I/O errors, or what is read back is not what was written.
    pub fn finish(&mut self) -> Result<(), JournalError> {
        self.writer.as_mut().map_or(Ok(()), SegmentsWriter::finish)
    }

    /// Whether this checkpoint is there.
    ///
    /// # Errors
    /// I/O errors.
    pub fn has_checkpoint(&self, seq: Seq) -> Result<bool, JournalError> {
        Ok(self.checkpoints.saved()?.contains(&seq))
    }

    /// Copies the file of a checkpoint: `piece` gives its bytes from an offset on, none behind its end. It is read whole
    /// before it bears its name; older ones leave.
    ///
    /// # Errors
    /// Those of `piece`, I/O errors, a file that is not a whole checkpoint.
    pub fn take_checkpoint<E: From<JournalError>>(
        &self,
        seq: Seq,
        piece: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        self.checkpoints.copy_in(seq, piece)
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup")
            .field("folder", &self.folder)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
