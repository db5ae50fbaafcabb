//! A journal in memory, for tests and benches: everything a durable one promises, except durability.
//!
//! Records are encoded, chained and read exactly as in the real one, so that what is measured or tested on
//! top of it is the same work without the disk.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checkpoint::{CHECKPOINT_CHUNK_MAX, CHECKPOINTS_KEPT};
use super::extent::{EXTENT_BYTES_MAX, Extent, ExtentWriter, hash_if_ends_at, visit_extents};
use super::{
    CheckpointMeta, CommitTimings, Head, JournalError, LoadedCheckpoint, Reader, Record, RecordBatch, Seq,
    Store,
};

/// A [`Store`] in memory. Its records live as long as it or one of its readers does.
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    writer: ExtentWriter,
    head: Head,
    checkpoints: Vec<LoadedCheckpoint>,
}

struct Shared {
    extents: Vec<Arc<[u8]>>,
    head: Head,
}

impl MemoryStore {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared { extents: Vec::new(), head: Head::EMPTY })),
            writer: ExtentWriter::new(EXTENT_BYTES_MAX),
            head: Head::EMPTY,
            checkpoints: Vec::new(),
        }
    }

    fn check_checkpoint(&self, checkpoint: &CheckpointMeta) -> Result<(), JournalError> {
        let seq = checkpoint.seq;
        if seq > self.head.seq {
            return Err(JournalError::CheckpointAhead { seq, head: self.head.seq });
        }
        let shared = locked(&self.shared);
        let hash = match extent_holding(&shared.extents, seq) {
            Some(at) => hash_if_ends_at(&shared.extents[at], seq),
            None => Some(Head::EMPTY.hash),
        };
        match hash {
            Some(hash) if hash != checkpoint.chain_hash => Err(JournalError::CheckpointChain { seq }),
            _ => Ok(()),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        batch.check_follows(&self.head, expected)?;
        if batch.is_empty() {
            return Ok(self.head);
        }
        let mut shared = locked(&self.shared);
        self.head = self.writer.write(self.head, batch, |_, value| {
            shared.extents.push(value.into());
            Ok(())
        })?;
        shared.head = self.head;
        Ok(self.head)
    }

    fn head(&self) -> Head {
        self.head
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(MemoryReader(Arc::clone(&self.shared)))
    }

    fn save_checkpoint(
        &mut self,
        checkpoint: &CheckpointMeta,
        chunks: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), JournalError> {
        self.check_checkpoint(checkpoint)?;
        let chunks: Vec<_> = chunks.collect();
        for (index, chunk) in (0..).zip(&chunks) {
            if chunk.len() > CHECKPOINT_CHUNK_MAX {
                return Err(JournalError::ChunkTooLong { seq: checkpoint.seq, index, len: chunk.len() });
            }
        }
        self.checkpoints.retain(|(saved, _)| saved.seq != checkpoint.seq);
        self.checkpoints.push((*checkpoint, chunks));
        self.checkpoints.sort_by_key(|(saved, _)| std::cmp::Reverse(saved.seq));
        self.checkpoints.truncate(CHECKPOINTS_KEPT);
        Ok(())
    }

    fn load_checkpoint(&self) -> Result<Option<LoadedCheckpoint>, JournalError> {
        Ok(self.checkpoints.first().cloned())
    }

    fn commit_timings(&self) -> CommitTimings {
        CommitTimings::default()
    }
}

struct MemoryReader(Arc<Mutex<Shared>>);

impl Reader for MemoryReader {
    fn read(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let (from, last) = (from.max(1), self.head().seq);
        if from > last {
            return Ok(());
        }
        let start = extent_holding(&locked(&self.0).extents, from).unwrap_or_default();
        // One extent at a time: a slow visitor does not hold up the appender.
        let extents = (start..).map_while(|at| locked(&self.0).extents.get(at).map(Arc::clone)).map(Ok);
        visit_extents(extents, from, last, visit)
    }

    fn head(&self) -> Head {
        locked(&self.0).head
    }
}

/// The index of the extent that begins last at or before `seq`.
fn extent_holding(extents: &[Arc<[u8]>], seq: Seq) -> Option<usize> {
    extents
        .partition_point(|extent| Extent::parse(extent).is_some_and(|extent| extent.first <= seq))
        .checked_sub(1)
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Extents are pushed whole and the head moves last: a panic in between leaves nothing half done.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
