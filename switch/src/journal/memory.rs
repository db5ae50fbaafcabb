//! A journal in memory, for tests and benches: everything a durable one promises, except durability.
//!
//! Records are encoded, chained and read exactly as in the real one, so that what is measured or tested on
//! top of it is the same work without the disk.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::checkpoint::{CHECKPOINT_CHUNK_MAX, CHECKPOINTS_KEPT};
use super::extent::{EXTENT_BYTES_MAX, Extent, ExtentWriter, each_extent, hash_if_ends_at, records_of};
use super::{
    ChainHash, CheckpointMeta, Checkpoints, CommitTimings, Head, JournalError, LoadedCheckpoint, Picture,
    Reader, Record, RecordBatch, Seq, Store,
};

/// A [`Store`] in memory. Its records live as long as it or one of its readers does.
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    writer: ExtentWriter,
    head: Head,
    checkpoints: Arc<MemoryCheckpoints>,
}

struct Shared {
    extents: Vec<Arc<[u8]>>,
    head: Head,
}

impl MemoryStore {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        let shared = Arc::new(Mutex::new(Shared { extents: Vec::new(), head: Head::EMPTY }));
        let checkpoints = MemoryCheckpoints { shared: Arc::clone(&shared), saved: Mutex::default() };
        Self {
            shared,
            writer: ExtentWriter::new(EXTENT_BYTES_MAX),
            head: Head::EMPTY,
            checkpoints: Arc::new(checkpoints),
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

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        Arc::clone(&self.checkpoints) as Arc<dyn Checkpoints>
    }

    fn commit_timings(&self) -> CommitTimings {
        CommitTimings::default()
    }
}

/// The checkpoints of a [`MemoryStore`], newest first.
struct MemoryCheckpoints {
    shared: Arc<Mutex<Shared>>,
    saved: Mutex<Vec<(Head, Vec<Vec<u8>>)>>,
}

impl MemoryCheckpoints {
    fn check(&self, at: &Head) -> Result<(), JournalError> {
        let shared = locked(&self.shared);
        if at.seq > shared.head.seq {
            return Err(JournalError::CheckpointAhead { seq: at.seq, head: shared.head.seq });
        }
        if hash_at(&shared.extents, at.seq) == Some(at.hash) {
            Ok(())
        } else {
            Err(JournalError::CheckpointChain { seq: at.seq })
        }
    }
}

impl Checkpoints for MemoryCheckpoints {
    fn save(&self, at: &Head, picture: Picture<'_>) -> Result<CheckpointMeta, JournalError> {
        self.check(at)?;
        let mut chunks = Vec::new();
        picture(&mut |chunk| chunks.push(chunk.to_vec()));
        let mut hash = Sha256::new();
        for (index, chunk) in (0..).zip(&chunks) {
            if chunk.len() > CHECKPOINT_CHUNK_MAX {
                return Err(JournalError::ChunkTooLong { seq: at.seq, index, len: chunk.len() });
            }
            hash.update(chunk);
        }
        let mut saved = locked(&self.saved);
        saved.retain(|(older, _)| older.seq != at.seq);
        saved.push((*at, chunks));
        saved.sort_by_key(|(head, _)| std::cmp::Reverse(head.seq));
        saved.truncate(CHECKPOINTS_KEPT);
        Ok(CheckpointMeta { seq: at.seq, state_hash: hash.finalize().into(), chain_hash: at.hash })
    }

    fn saved(&self) -> Result<Vec<Seq>, JournalError> {
        Ok(locked(&self.saved).iter().map(|(at, _)| at.seq).collect())
    }

    fn load(&self, seq: Seq) -> Result<LoadedCheckpoint, JournalError> {
        let saved = locked(&self.saved);
        let found = saved.iter().find(|(at, _)| at.seq == seq);
        let (at, chunks) =
            found.ok_or(JournalError::CheckpointDamaged { seq, rule: "it is not there" })?.clone();
        Ok(LoadedCheckpoint { at, chunks: Box::new(chunks.into_iter().map(Ok)) })
    }

    fn pass_over(&self, seq: Seq) {
        locked(&self.saved).retain(|(at, _)| at.seq != seq);
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
        each_extent(extents, &mut from.clone(), last, &mut records_of(from, last, visit)).map(drop)
    }

    fn extents(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let (from, last) = (from.max(1), self.head().seq);
        if from > last {
            return Ok(());
        }
        let start = extent_holding(&locked(&self.0).extents, from).unwrap_or_default();
        let extents = (start..).map_while(|at| locked(&self.0).extents.get(at).map(Arc::clone)).map(Ok);
        each_extent(extents, &mut from.clone(), last, &mut |_, value| Ok(visit(value))).map(drop)
    }

    fn first(&self) -> Result<Seq, JournalError> {
        Ok(1)
    }

    fn head(&self) -> Head {
        locked(&self.0).head
    }

    fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
        Ok(hash_at(&locked(&self.0).extents, seq))
    }
}

/// The chain's hash at a record, where it has one.
fn hash_at(extents: &[Arc<[u8]>], seq: Seq) -> Option<ChainHash> {
    match extent_holding(extents, seq) {
        Some(extent) => hash_if_ends_at(&extents[extent], seq),
        None => Some(Head::EMPTY.hash),
    }
}

/// The index of the extent that begins last at or before `seq`.
fn extent_holding(extents: &[Arc<[u8]>], seq: Seq) -> Option<usize> {
    extents
        .partition_point(|extent| Extent::parse(extent).is_some_and(|extent| extent.first <= seq))
        .checked_sub(1)
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Extents are pushed whole and the head moves last, checkpoints are pushed whole: a panic leaves nothing half done.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
