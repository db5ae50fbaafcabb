//! Trimming: what lies behind the older of the two checkpoints goes to the archive and leaves the store.
//!
//! In this order, each step durable before the next: the checkpoint is read whole, the extents are written to the archive
//! and read back, the base is recorded, the extents are removed, old segments are deleted. After a crash between any two of
//! them the next start, or the next trimming, goes on: what is archived already is recognised, and what is behind the base is
//! removed again.
//!
//! It runs beside the commits, on whatever thread saves checkpoints, in small steps; start at [`SledCheckpoints`].

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::{EXTENTS_AT_ONCE, Pause};
use super::checkpoint::{CHECKPOINTS_KEPT, CheckpointFiles};
use super::engine::{engine_error, guarded};
use super::history::{History, Stored};
use super::{CheckpointMeta, Checkpoints, Head, JournalError, LoadedCheckpoint, Picture, Seq, Trimmed, base};

/// The checkpoints beside a [`SledStore`](super::SledStore), held to its chain, and the trimming behind them.
pub(super) struct SledCheckpoints {
    pub(super) files: CheckpointFiles,
    pub(super) history: Arc<History>,
    pub(super) dir: PathBuf,
    pub(super) archive_days: u32,
}

impl SledCheckpoints {
    /// A checkpoint stands where a commit ended, so the chain has a hash there to compare.
    fn check(&self, at: &Head) -> Result<(), JournalError> {
        let head = self.history.durable.load().seq;
        if at.seq > head {
            return Err(JournalError::CheckpointAhead { seq: at.seq, head });
        }
        if self.history.hash_at(at.seq)? == Some(at.hash) {
            Ok(())
        } else {
            Err(JournalError::CheckpointChain { seq: at.seq })
        }
    }

    /// The head of the older of the checkpoints kept, if there are as many and enough records in front of it. It is read
    /// whole: it is what a start goes back to when the newest is damaged.
    fn older(&self, at_least: u64) -> Result<Option<Head>, JournalError> {
        let saved = self.files.saved()?;
        let Some(older) = saved.get(CHECKPOINTS_KEPT - 1) else { return Ok(None) };
        if *older < self.history.base.load().seq.saturating_add(at_least.max(1)) {
            return Ok(None);
        }
        let LoadedCheckpoint { at, mut chunks } = self.load(*older)?;
        match chunks.try_for_each(|chunk| chunk.map(drop)) {
            Ok(()) => Ok(Some(at)),
            Err(error) => {
                self.pass_over(*older);
                Err(error)
            }
        }
    }

    /// Writes what is in front of this head to the archive and records that the store begins there. Returns how many segments
    /// were written, or nothing if it was told to stop.
    fn move_base(&self, to: &Head, pause: Pause<'_>) -> Result<Option<u64>, JournalError> {
        let history = &self.history;
        // What is removed from the engine must be there: it may still be on its way.
        history.unsettled.settle_through(to.seq)?;
        let from = history.base.load();
        let written = history.archive.take(&from, to, |first| history.stored_from(first), pause)?;
        if written.is_some() {
            base::write(&self.dir, to)?;
            // Readers look for what is missing in the archive from now on; only then may it go.
            history.base.store(*to);
        }
        Ok(written)
    }

    /// Removes what is behind the base, a few extents at a time.
    fn remove_behind_base(&self, pause: Pause<'_>) -> Result<u64, JournalError> {
        let (removing, base) = ("removing what is archived", self.history.base.load().seq);
        let mut removed = 0;
        loop {
            let step = guarded(removing, || {
                let keys: Result<Vec<_>, _> =
                    self.history.extents.range(..=base.to_be_bytes()).keys().take(EXTENTS_AT_ONCE).collect();
                let keys = keys.map_err(engine_error(removing))?;
                for key in &keys {
                    self.history.extents.remove(key).map_err(engine_error(removing))?;
                }
                Ok(keys.len())
            })?;
            removed += step as u64;
            if step == 0 || pause().is_break() {
                return Ok(removed);
            }
        }
    }
}

impl History {
    /// As [`stored`](Self::stored), with the first error among the extents.
    fn stored_from(&self, from: Seq) -> impl Iterator<Item = Result<Stored, JournalError>> + use<> {
        let (stored, failed) = match self.stored(from) {
            Ok(stored) => (Some(stored), None),
            Err(error) => (None, Some(Err(error))),
        };
        failed.into_iter().chain(stored.into_iter().flatten())
    }
}

impl Checkpoints for SledCheckpoints {
    fn save(&self, at: &Head, picture: Picture<'_>) -> Result<CheckpointMeta, JournalError> {
        self.check(at)?;
        self.files.save(at, picture)
    }

    fn saved(&self) -> Result<Vec<Seq>, JournalError> {
        self.files.saved()
    }

    fn load(&self, seq: Seq) -> Result<LoadedCheckpoint, JournalError> {
        let loaded = self.files.load(seq)?;
        self.check(&loaded.at)?;
        Ok(loaded)
    }

    fn pass_over(&self, seq: Seq) {
        self.files.found_damaged(seq);
    }

    fn trim(&self, at_least: u64, pause: &dyn Fn() -> ControlFlow<()>) -> Result<Trimmed, JournalError> {
        let mut trimmed = Trimmed { base: self.history.base.load().seq, ..Trimmed::default() };
        let Some(to) = self.older(at_least)? else { return Ok(trimmed) };
        let Some(segments) = self.move_base(&to, pause)? else { return Ok(trimmed) };
        trimmed = Trimmed { base: to.seq, records: to.seq - trimmed.base, segments, ..trimmed };
        trimmed.removed = self.remove_behind_base(pause)?;
        trimmed.deleted = self.history.archive.remove_older(self.archive_days, to.time_ms, to.seq)?;
        Ok(trimmed)
    }

    fn piece(&self, seq: Seq, offset: u64, bytes_max: usize) -> Result<Vec<u8>, JournalError> {
        self.files.piece(seq, offset, bytes_max)
    }
}
