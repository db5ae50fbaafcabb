//! Why the journal could not do what it was asked, and what an operator can do about it.
//!
//! Errors name sequence numbers and rules, never bytes of a record.

use std::io;

use super::Seq;

/// Why an operation of the journal failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Records must follow one another without a gap.
    #[error("sequence number {got} where {expected} comes next")]
    Sequence {
        /// The number that comes next.
        expected: Seq,
        /// The number that was given.
        got: Seq,
    },
    /// Recorded time never goes back.
    #[error("the time of record {seq} is before that of the record in front of it")]
    TimeWentBack {
        /// The record.
        seq: Seq,
    },
    /// A body is longer than [`RECORD_BODY_MAX`](super::RECORD_BODY_MAX).
    #[error("the body of record {seq} has {len} bytes, more than a record may have")]
    BodyTooLong {
        /// The record.
        seq: Seq,
        /// Its length in bytes.
        len: usize,
    },
    /// An earlier I/O error: the store no longer knows what the disk holds.
    #[error("the journal stopped at an earlier i/o error; restart to go on from what is durable")]
    Poisoned,
    /// Another process holds the store.
    #[error("the journal is in use by another process; use --admin URL to ask the running switch")]
    InUse,
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The engine could not make sense of its own files.
    #[error("the journal's store is damaged ({doing}); restore the folder from a backup")]
    DamagedStore {
        /// What was being done.
        doing: &'static str,
    },
    /// A record or extent is not what was written.
    #[error("record {seq}: {damage}; restore the folder from a backup")]
    Damaged {
        /// The first bad or missing record.
        seq: Seq,
        /// The rule it breaks.
        damage: Damage,
    },
    /// The anchor vouches for records the journal does not have.
    #[error(
        "{count} acknowledged record(s) are missing from {first_missing} on: the anchor is ahead of the \
         journal; restore the folder from a backup"
    )]
    AcknowledgedMissing {
        /// The first record that is missing.
        first_missing: Seq,
        /// How many are missing, that one included.
        count: u64,
    },
    /// The anchor and the chain disagree about the same record.
    #[error(
        "the anchor's hash at record {seq} is not the chain's: they are of different histories; restore the folder from a backup"
    )]
    AnchorMismatch {
        /// The record the anchor names.
        seq: Seq,
    },
    /// There is a journal, but no anchor beside it.
    #[error(
        "the anchor beside the journal's {records} record(s) is missing, so none can be proved complete; restore it from a backup"
    )]
    AnchorMissing {
        /// How many records the journal has.
        records: u64,
    },
    /// Neither slot of the anchor is whole.
    #[error(
        "both slots of the anchor are damaged, so no record can be proved complete; restore the folder from a backup"
    )]
    AnchorDamaged,
    /// The chain has a hash only where a commit ended.
    #[error("no commit ended at record {seq}; a commit ended at {next}, behind it")]
    NoCommitEnded {
        /// The record that was asked for.
        seq: Seq,
        /// The end of the commit that it is of.
        next: Seq,
    },
    /// A setting of the store breaks its rule.
    #[error("{rule}")]
    Options {
        /// The rule.
        rule: &'static str,
    },
    /// A checkpoint is not what was saved.
    #[error("the checkpoint at record {seq} is damaged: {rule}")]
    CheckpointDamaged {
        /// The checkpoint's record.
        seq: Seq,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// A checkpoint lies past the durable head.
    #[error("a checkpoint at record {seq}, but the journal ends at {head}")]
    CheckpointAhead {
        /// The checkpoint's record.
        seq: Seq,
        /// The last durable record.
        head: Seq,
    },
    /// A checkpoint is not of this history.
    #[error("the chain hash of the checkpoint at record {seq} is not the journal's")]
    CheckpointChain {
        /// The checkpoint's record.
        seq: Seq,
    },
    /// A chunk is longer than [`CHECKPOINT_CHUNK_MAX`](super::CHECKPOINT_CHUNK_MAX).
    #[error("chunk {index} of the checkpoint at record {seq} has {len} bytes, more than a chunk may have")]
    ChunkTooLong {
        /// The checkpoint's record.
        seq: Seq,
        /// The chunk, counted from 0.
        index: u32,
        /// Its length in bytes.
        len: usize,
    },
}

/// The rule that damaged bytes break.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// Not an extent of a version this program knows.
    #[error("the extent's header is not one")]
    Header,
    /// The engine files it under another number.
    #[error("the extent is filed under another sequence number")]
    Key,
    /// A length runs past the end, or is below the least.
    #[error("the record's length does not fit its extent")]
    Length,
    /// CRC32C does not match.
    #[error("the record's check value is wrong")]
    Crc,
    /// Not the number that comes next.
    #[error("the record is out of order")]
    Order,
    /// Earlier than the record in front of it.
    #[error("the record's time goes back")]
    Time,
    /// More or fewer records than the header counts.
    #[error("the extent does not hold as many records as it counts")]
    Count,
    /// The previous extent's hash is another.
    #[error("the hash chain is broken")]
    Chain,
    /// Records are gone though later ones are there.
    #[error("it is missing though later ones are there")]
    Missing,
}

impl JournalError {
    /// An [`JournalError::Io`] for `map_err`.
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
