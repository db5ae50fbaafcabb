//! The journal: one ordered history of records, durable before anything is answered.
//!
//! A [`Store`] appends [`RecordBatch`]es at an expected sequence number, says when they are durable, and
//! lets [`Reader`]s replay them. [`SledStore`] is the store of a running switch, [`MemoryStore`] the one of
//! tests and benches; [`DelayedStore`] and [`FaultyStore`] wrap either to show what a slow or a failing disk
//! does.
//!
//! This module knows nothing of books, cards or money: a record's body is opaque bytes, the first of which
//! is the body's version. It reads no wall clock; times come with the records. Nothing outside it names the
//! engine underneath.
//!
//! Start at [`Store`], then [`RecordBatch`] for the bytes of a record, `extent` for the hash chain, `anchor`
//! for the head kept outside the engine, and `verify` for what is proved before a journal opens. What happens to old records:
//! `trim`, `archive` and `segment`; how they are read all the same: `history`.

mod anchor;
mod archive;
mod backup;
mod base;
mod checkpoint;
mod cut;
mod engine;
mod error;
mod extent;
mod faulty;
mod history;
mod inspection;
mod leftovers;
mod log_tail;
mod memory;
mod mirror;
mod record;
mod restore;
mod segment;
mod segment_history;
mod segments;
mod settler;
mod sled_store;
mod syncer;
mod tail;
mod trim;
mod verify;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod sled_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod trim_tests;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use extent::Extent;

pub use backup::Backup;
pub use checkpoint::{CHECKPOINT_CHUNK_MAX, CHECKPOINTS_KEPT};
pub use engine::catches_store_panics;
pub use error::{Damage, JournalError};
pub use extent::{EXTENT_BYTES_MAX, EXTENT_BYTES_MIN};
pub use faulty::{AfterFault, DelayedStore, Disk, FaultyStore, Gate};
pub use inspection::{StoppedJournal, copy_for_inspection, sync_tree};
pub use memory::MemoryStore;
pub use mirror::{MirrorFolder, copy_checkpoint};
pub use record::{RECORD_BODY_MAX, Record, RecordBatch};
pub use restore::{Until, restore_segments};
pub use segment::{SEGMENT_BYTES_MAX, Segment};
pub use segment_history::{SegmentHistory, Survey};
pub use segments::{SegmentWalk, segments_in};
pub use sled_store::{OpenReport, SledStore, StoreOptions};

/// Position of a record: the first is 1; 0 means "before the first".
pub type Seq = u64;

/// SHA-256 of an extent; all zeros before the first one.
pub type ChainHash = [u8; 32];

/// Gives a picture of the state, chunk by chunk, to the one who asks.
pub type Picture<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&[u8]));

/// A checkpoint that is being read.
pub struct LoadedCheckpoint {
    /// The last record whose effects are in it, with the chain's hash and the time there.
    pub at: Head,
    /// Its chunks in order, each as it was saved. An error is the last thing to come.
    pub chunks: Box<dyn Iterator<Item = Result<Vec<u8>, JournalError>>>,
}

impl fmt::Debug for LoadedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedCheckpoint").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Where records are kept. One thread owns it; readers may live on others.
///
/// Any I/O error poisons a store: it may no longer know what the disk holds, so every later call that reads
/// or writes answers [`JournalError::Poisoned`], and the way on is to start again from what is durable.
/// A failed sync is never tried again: the kernel may have dropped the pages it could not write.
pub trait Store: Send {
    /// Appends the batch and makes it durable: the records are on disk when this returns `Ok`.
    ///
    /// `expected` is the store's next sequence number, `head().seq + 1`, and must be the batch's first. An
    /// empty batch changes nothing and syncs nothing.
    ///
    /// # Errors
    /// [`JournalError::Sequence`] and [`JournalError::TimeWentBack`] leave the store as it was; I/O errors
    /// poison it.
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError>;

    /// The first half of [`append`](Self::append): takes the batch in, but need not make it durable. It is acknowledged, and
    /// readers see it, once a [`Syncer`] has done the second, beside which the next batch may be written. Returns where it ends.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    fn write(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.append(expected, batch)
    }

    /// What makes durable what was written, for another thread.
    fn syncer(&self) -> Box<dyn Syncer> {
        Box::new(DurableAlready(self.reader()))
    }

    /// The last durable record and the chain's hash there.
    fn head(&self) -> Head;

    /// A reader that may be used from another thread while the store appends; it sees durable records only.
    fn reader(&self) -> Box<dyn Reader>;

    /// Its checkpoints, which may be saved and read on another thread while the store appends.
    fn checkpoints(&self) -> Arc<dyn Checkpoints>;

    /// How long the parts of the last commit took; after a [`write`](Self::write), those of its first half.
    fn commit_timings(&self) -> CommitTimings;

    /// Makes durable what `append` may leave for later (the anchor), and lets go of the store.
    ///
    /// Dropping a store does the same, but has no way to say that it failed.
    ///
    /// # Errors
    /// The I/O error met, if any; acknowledged records are durable all the same.
    fn close(self: Box<Self>) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Makes durable what a [`Store`] has written, from any thread. It keeps the store's files open until it is dropped.
pub trait Syncer: Send {
    /// Makes durable all that was written before this call, and says which record is the last durable one.
    ///
    /// # Errors
    /// I/O errors; they poison the store.
    fn sync(&mut self) -> Result<Head, JournalError>;

    /// How long the parts of the last sync took: the second half of a commit.
    fn timings(&self) -> CommitTimings {
        CommitTimings::default()
    }
}

/// The syncer of a store that has nothing left to make durable.
struct DurableAlready(Box<dyn Reader>);

impl Syncer for DurableAlready {
    fn sync(&mut self) -> Result<Head, JournalError> {
        Ok(self.0.head())
    }
}

/// Pictures of the state as of durable records of a [`Store`], from any thread: a start replays what is behind the newest.
///
/// An error here says nothing about the journal, and poisons nothing: a checkpoint is a cache of it.
pub trait Checkpoints: Send + Sync {
    /// Saves a picture of the state as of a head that the journal has, or had. Once it is durable, all but the newest
    /// [`CHECKPOINTS_KEPT`] are removed.
    ///
    /// # Errors
    /// A head past the journal's or not of its history, a chunk past [`CHECKPOINT_CHUNK_MAX`], an I/O error.
    fn save(&self, at: &Head, picture: Picture<'_>) -> Result<CheckpointMeta, JournalError>;

    /// Those that are there, newest first.
    ///
    /// # Errors
    /// I/O errors.
    fn saved(&self) -> Result<Vec<Seq>, JournalError>;

    /// Begins to read one of them.
    ///
    /// # Errors
    /// It is damaged, past the head, or not of this history; I/O errors.
    fn load(&self, seq: Seq) -> Result<LoadedCheckpoint, JournalError>;

    /// Whoever read one could make nothing of it: it goes when the next is saved, and does not push out a better one.
    fn pass_over(&self, seq: Seq);

    /// Moves what lies behind the older of the checkpoints kept to the archive if that is `at_least` so many records, and
    /// deletes what is too old there. It works in small steps and calls `pause` between them, which may wait, and which says when to stop; what is left is done the next
    /// time. Stores without an archive do nothing.
    ///
    /// # Errors
    /// The archive cannot be written, or is of another history; I/O errors, damage to what is read.
    fn trim(&self, at_least: u64, pause: &dyn Fn() -> ControlFlow<()>) -> Result<Trimmed, JournalError> {
        let _nothing_to_do = (at_least, pause);
        Ok(Trimmed::default())
    }

    /// Bytes of a checkpoint's file from an offset on, for a copy elsewhere; empty behind its end.
    ///
    /// # Errors
    /// It is not there, or not in a file; I/O errors.
    fn piece(&self, seq: Seq, offset: u64, bytes_max: usize) -> Result<Vec<u8>, JournalError> {
        let _nothing_there = (offset, bytes_max);
        Err(JournalError::CheckpointDamaged { seq, rule: "it is not in a file" })
    }
}

/// What a trimming did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Trimmed {
    /// The record behind which the journal begins.
    pub base: Seq,
    /// Records that were archived.
    pub records: u64,
    /// Segments that were written.
    pub segments: u64,
    /// Extents that were removed from the store.
    pub removed: u64,
    /// Segments that were too old and are deleted.
    pub deleted: u64,
}

/// Replays the durable records of a [`Store`], from any thread.
///
/// A reader keeps the store's files open, and its lock held, until it is dropped.
pub trait Reader: Send {
    /// Visits the records from `from` on, in order and without a gap, up to what is durable at the call, or
    /// until `visit` breaks.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] at a record whose bytes are not what was written.
    fn read(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Visits whole extents, the first of them the one that holds `from`, in order and without a gap, up to what is durable
    /// at the call, or until `visit` breaks.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn extents(&self, from: Seq, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>)
    -> Result<(), JournalError>;

    /// The first record that can be read: 1, unless the archive lacks it.
    ///
    /// # Errors
    /// I/O errors.
    fn first(&self) -> Result<Seq, JournalError>;

    /// The last durable record and the chain's hash there.
    fn head(&self) -> Head;

    /// The chain's hash at a durable record, if the journal has it and a commit ended there: elsewhere there is none.
    ///
    /// # Errors
    /// I/O errors.
    fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError>;

    /// The last record of the commit in front of the one that holds this record, and the chain's hash there; 0 and zeros in
    /// front of the first. Whoever keeps them can tell later that the history is still the same.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn commit_before(&self, seq: Seq) -> Result<(Seq, ChainHash), JournalError> {
        let mut before = (Head::EMPTY.seq, Head::EMPTY.hash);
        self.extents(seq, &mut |bytes| {
            if let Some(extent) = Extent::parse(bytes) {
                before = (extent.first - 1, *extent.previous);
            }
            ControlFlow::Break(())
        })?;
        Ok(before)
    }
}

/// The end of the durable journal.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Head {
    /// The last durable record; 0 in an empty journal.
    pub seq: Seq,
    /// The hash of the extent that ends there; all zeros in an empty journal.
    pub hash: ChainHash,
    /// The time of that record in UTC milliseconds. No later record may carry an earlier one; an empty
    /// journal accepts any time.
    pub time_ms: i64,
}

impl Head {
    /// The head of an empty journal.
    pub const EMPTY: Self = Self { seq: 0, hash: [0; 32], time_ms: i64::MIN };
}

impl Default for Head {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head {{ seq: {}, hash: {}, time_ms: {} }}", self.seq, ShortHex(&self.hash), self.time_ms)
    }
}

/// What a checkpoint is a picture of.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct CheckpointMeta {
    /// The last record whose effects are in it.
    pub seq: Seq,
    /// SHA-256 of the picture's bytes.
    pub state_hash: [u8; 32],
    /// The chain's hash at `seq` ([`Head::hash`]).
    pub chain_hash: ChainHash,
}

impl fmt::Debug for CheckpointMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, chain) = (ShortHex(&self.state_hash), ShortHex(&self.chain_hash));
        write!(f, "CheckpointMeta {{ seq: {}, state_hash: {state}, chain_hash: {chain} }}", self.seq)
    }
}

/// Nanoseconds that the parts of the last commit took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CommitTimings {
    /// Encoding and hashing the extents.
    pub encode_ns: u64,
    /// Writing them to the tail, and waiting for room there.
    pub write_ns: u64,
    /// `fdatasync` of the tail.
    pub sync_ns: u64,
    /// Writing the anchor, and syncing it if it may not lag.
    pub anchor_ns: u64,
}

/// The first four bytes of a hash: enough to compare by eye.
struct ShortHex<'a>(&'a [u8; 32]);

impl fmt::Display for ShortHex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}
