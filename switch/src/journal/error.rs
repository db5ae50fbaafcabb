//! Why the journal could not do what it was asked, and what an operator can do about it.
//!
//! Errors name sequence numbers and rules, never bytes of a record.

use std::io;
use std::path::PathBuf;

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
    /// A record to go on from has left the journal.
    #[error(
        "record {seq} is archived, the journal begins behind record {base}; restore a folder up to it first, with journal restore --until {seq}"
    )]
    BeforeBase {
        /// The record that was asked for.
        seq: Seq,
        /// The record behind which the journal begins.
        base: Seq,
    },
    /// The journal begins behind a record, and has none behind it.
    #[error(
        "the journal begins behind record {base}, as its file base.bin says, but holds no record from {next} on; restore the folder from a backup",
        next = base + 1
    )]
    BaseAhead {
        /// The record behind which it begins.
        base: Seq,
    },
    /// Both copies of what says where the journal begins are damaged.
    #[error(
        "the file base.bin, which says where the journal begins, is damaged, so none of it can be proved; restore the folder from a backup"
    )]
    BaseDamaged,
    /// A segment of an archive or a backup is not what was written.
    #[error("record {seq}: {damage}, in the segment {}; take that segment from another copy", path.display())]
    Segment {
        /// The first bad or missing record.
        seq: Seq,
        /// The rule it breaks.
        damage: Damage,
        /// The segment's file.
        path: PathBuf,
    },
    /// The end of the archive and the beginning of the journal are of different histories.
    #[error(
        "the archive in {} and the journal, which begins behind record {base}, are of different histories; put the right archive there",
        folder.display()
    )]
    ArchiveMismatch {
        /// The record behind which the journal begins.
        base: Seq,
        /// The archive's folder.
        folder: PathBuf,
    },
    /// A record is neither in the journal nor in the archive.
    #[error(
        "record {seq} is neither in the journal, which begins behind record {base}, nor in the archive: no segment in {} has it; \
         put the segment there, or name the archive's folder with --archive or journal.archive, or restore from a backup",
        folder.display()
    )]
    NotArchived {
        /// The first record that is missing.
        seq: Seq,
        /// The record behind which the journal begins.
        base: Seq,
        /// The folder looked in.
        folder: PathBuf,
    },
    /// The mirror has records that the journal has not.
    #[error(
        "the mirror in {} ends at record {mirror} and the journal at record {journal}: acknowledged records are missing here; restore the \
         journal from the mirror, or, if a new epoch was begun in front of them, move the mirror's folder away",
        folder.display()
    )]
    MirrorAhead {
        /// The mirror's folder.
        folder: PathBuf,
        /// Its last record.
        mirror: Seq,
        /// The journal's.
        journal: Seq,
    },
    /// The mirror is of another history.
    #[error("record {seq} has another chain hash in the mirror in {}: it is of another history; move that folder away, or name another", folder.display())]
    MirrorOfOther {
        /// The mirror's folder.
        folder: PathBuf,
        /// Its last record.
        seq: Seq,
    },
    /// There are no segments where some were expected.
    #[error("there is no segment in {}", folder.display())]
    NoSegments {
        /// The folder.
        folder: PathBuf,
    },
    /// A record is in no segment, though later ones are.
    #[error("record {seq} is missing though later ones are there: no segment in {} has it", folder.display())]
    SegmentMissing {
        /// The first record that is missing.
        seq: Seq,
        /// The first of the folders looked in.
        folder: PathBuf,
    },
    /// The segments do not reach back to record 1, and no checkpoint does instead.
    #[error(
        "{}, and beside them is no checkpoint{}; add the archive, or an older backup, with another --from",
        begins.map_or_else(|| "there are no segments".to_owned(), |first| format!("the segments begin with record {first}")),
        until.map_or_else(String::new, |until| format!(" at record {until} or before"))
    )]
    NothingToRestore {
        /// The first record that is there.
        begins: Option<Seq>,
        /// The record asked for.
        until: Option<Seq>,
    },
    /// What is asked for is not there.
    #[error("the segments end at record {last}, before record {until}; add the rest with another --from")]
    RestoreBeyond {
        /// The record asked for.
        until: Seq,
        /// The last record that is there.
        last: Seq,
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
    /// Not the beginning of a segment of a version this program knows, or not what its name says.
    #[error("the segment's header is not one")]
    SegmentHeader,
    /// The file ends inside an extent, or before its end was written.
    #[error("the segment's file ends too soon")]
    SegmentTorn,
    /// An extent's length or check value is wrong.
    #[error("the extent is not what was written")]
    SegmentExtent,
    /// The end is not that of the extents in front of it.
    #[error("the segment does not end as it was written")]
    SegmentEnd,
}

impl JournalError {
    /// An [`JournalError::Io`] for `map_err`.
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
