//! The journal of a running switch: extents in sled, an anchor beside it.
//!
//! A commit is four steps, each timed: insert the extents, have the engine write them, `fdatasync`, write
//! the anchor. Only then are its records acknowledged and visible to readers. Opening proves the whole
//! history first (`verify`); a journal that fails is refused, never repaired.
//!
//! The engine changes its files whenever it opens them, a refused journal's too: whoever wants to look at
//! one first takes a copy ([`copy_for_inspection`](super::copy_for_inspection)).
//!
//! Start at [`SledStore::open`], then `append`.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crossbeam::atomic::AtomicCell;

use super::anchor::{Anchor, Anchored};
use super::checkpoint::CheckpointFiles;
use super::engine::{Engine, engine_error, ensure_folder, guarded, lock, sync_folder};
use super::extent::{ExtentWriter, hash_if_ends_at, visit_extents};
use super::verify::{ChainCheck, CheckedChain};
use super::{
    ChainHash, CheckpointMeta, Checkpoints, CommitTimings, EXTENT_BYTES_MAX, EXTENT_BYTES_MIN, Head,
    JournalError, LoadedCheckpoint, Picture, Reader, Record, RecordBatch, Seq, Store,
};

/// Settings of a [`SledStore`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreOptions {
    /// The largest extent, [`EXTENT_BYTES_MIN`]..=[`EXTENT_BYTES_MAX`] bytes.
    pub extent_bytes: usize,
    /// The anchor is synced with every this-many-th commit, and at close. At least 1.
    ///
    /// With 1 no acknowledged record can vanish unnoticed. With N, a power cut can take back up to the last
    /// N − 1 anchors; if the same cut, or a fault of the disk, also tears the journal's tail by up to that
    /// many commits, the loss looks like a clean end and goes unnoticed. A killed process takes back
    /// nothing: the anchor is written, if not synced, with every commit.
    pub anchor_sync_every: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { extent_bytes: EXTENT_BYTES_MAX, anchor_sync_every: 1 }
    }
}

impl StoreOptions {
    fn check(&self) -> Result<(), JournalError> {
        if !(EXTENT_BYTES_MIN..=EXTENT_BYTES_MAX).contains(&self.extent_bytes) {
            return Err(JournalError::Options { rule: "extent_bytes must be from 16456 to 65536" });
        }
        if self.anchor_sync_every == 0 {
            return Err(JournalError::Options { rule: "anchor_sync_every must be at least 1" });
        }
        Ok(())
    }
}

/// What was found when a journal opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenReport {
    /// Whether there was no journal before.
    pub created: bool,
    /// The end of the verified journal.
    pub head: Head,
    /// The number of extents, all verified.
    pub extents: u64,
    /// Records behind the one the anchor named: durable, but perhaps never acknowledged, as a crash between
    /// the two writes leaves them.
    pub ahead_of_anchor: u64,
    /// Whether one slot of the anchor was damaged, as by a torn write; it has been written anew.
    pub anchor_slot_damaged: bool,
    /// The checkpoints that claim to be whole, newest first.
    pub checkpoints: Vec<Seq>,
}

/// A [`Store`] in a folder, for one process at a time.
pub struct SledStore {
    pub(super) engine: Engine,
    pub(super) extents: sled::Tree,
    checkpoints: Arc<SledCheckpoints>,
    pub(super) anchor: Anchor,
    writer: ExtentWriter,
    head: Head,
    durable: Arc<AtomicCell<Head>>,
    timings: CommitTimings,
    poisoned: bool,
}

impl SledStore {
    /// Opens the journal in `dir`, or creates it, and verifies all of it.
    ///
    /// # Errors
    /// [`JournalError::InUse`] if another process has it, [`JournalError::Options`], I/O errors, and a
    /// refusal that names the first bad or missing record if the history is not whole.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<(Self, OpenReport), JournalError> {
        Self::open_with_progress(dir, options, &mut |_| ())
    }

    /// Like [`open`](Self::open); `progress` hears the last record of each extent once it is verified.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with_progress(
        dir: &Path,
        options: StoreOptions,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<(Self, OpenReport), JournalError> {
        options.check()?;
        ensure_folder(dir)?;
        // Whatever can be refused is refused before the engine changes its files.
        let existed = lock(dir)?.is_some();
        let anchored = Anchored::read(dir)?;
        if let Some(Anchored { head, .. }) = anchored
            && !existed
            && head.seq > 0
        {
            return Err(JournalError::AcknowledgedMissing { first_missing: 1, count: head.seq });
        }
        guarded("opening it", || Self::open_verified(dir, options, !existed, anchored, progress))
    }

    fn open_verified(
        dir: &Path,
        options: StoreOptions,
        created: bool,
        anchored: Option<Anchored>,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<(Self, OpenReport), JournalError> {
        let engine = Engine::open(dir)?;
        let extents = engine.tree("extents")?;
        let checked = verify(&extents, anchored.map(|anchored| anchored.head), progress)?;
        let checkpoints = CheckpointFiles::open(dir)?;
        // What a killed process left may be in the system's cache only; the anchor must not run ahead of it.
        engine.flush()?;
        engine.sync()?;
        sync_folder(dir)?;
        let anchor = renew_anchor(dir, anchored, &checked.head, options.anchor_sync_every)?;
        let report = OpenReport {
            created,
            head: checked.head,
            extents: checked.extents,
            ahead_of_anchor: anchored.map_or(0, |anchored| checked.head.seq - anchored.head.seq),
            anchor_slot_damaged: anchored.is_some_and(|anchored| anchored.slot_damaged),
            checkpoints: checkpoints.saved()?,
        };
        let durable = Arc::new(AtomicCell::new(checked.head));
        let checkpoints =
            SledCheckpoints { files: checkpoints, extents: extents.clone(), durable: Arc::clone(&durable) };
        let store = Self {
            engine,
            extents,
            checkpoints: Arc::new(checkpoints),
            anchor,
            writer: ExtentWriter::new(options.extent_bytes),
            head: checked.head,
            durable,
            timings: CommitTimings::default(),
            poisoned: false,
        };
        Ok((store, report))
    }

    fn commit(&mut self, batch: &RecordBatch) -> Result<Head, JournalError> {
        let mut watch = Stopwatch::start();
        let extents = &self.extents;
        let head = self.writer.write(self.head, batch, |first, value| {
            extents.insert(first.to_be_bytes(), value).map(drop).map_err(engine_error("writing the journal"))
        })?;
        self.timings.insert_ns = watch.lap_ns();
        self.engine.flush()?;
        self.timings.flush_ns = watch.lap_ns();
        self.engine.sync()?;
        self.timings.sync_ns = watch.lap_ns();
        self.anchor.record(&head)?;
        self.timings.anchor_ns = watch.lap_ns();
        Ok(head)
    }

    /// Remembers that an I/O error was met. Refusals of the caller's input poison nothing.
    fn poison_on_io_error<T>(&mut self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        self.poisoned |= matches!(done, Err(JournalError::Io { .. } | JournalError::DamagedStore { .. }));
        done
    }

    fn check_healthy(&self) -> Result<(), JournalError> {
        if self.poisoned { Err(JournalError::Poisoned) } else { Ok(()) }
    }
}

impl Store for SledStore {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.check_healthy()?;
        batch.check_follows(&self.head, expected)?;
        if batch.is_empty() {
            return Ok(self.head);
        }
        let committed = self.commit(batch);
        let head = self.poison_on_io_error(committed)?;
        self.head = head;
        self.durable.store(head);
        Ok(head)
    }

    fn head(&self) -> Head {
        self.head
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(SledReader { extents: self.extents.clone(), durable: Arc::clone(&self.durable) })
    }

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        Arc::clone(&self.checkpoints) as Arc<dyn Checkpoints>
    }

    fn commit_timings(&self) -> CommitTimings {
        self.timings
    }

    fn close(mut self: Box<Self>) -> Result<(), JournalError> {
        self.check_healthy()?;
        let synced = self.anchor.sync();
        self.poison_on_io_error(synced)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if !self.poisoned {
            // Whoever wants to hear of a failure calls `close`; the records themselves are durable.
            let _ = self.anchor.sync();
        }
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("head", &self.head)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

/// The checkpoints beside a [`SledStore`], held to its chain.
struct SledCheckpoints {
    files: CheckpointFiles,
    extents: sled::Tree,
    durable: Arc<AtomicCell<Head>>,
}

impl SledCheckpoints {
    /// A checkpoint stands where a commit ended, so the chain has a hash there to compare.
    fn check(&self, at: &Head) -> Result<(), JournalError> {
        let head = self.durable.load().seq;
        if at.seq > head {
            return Err(JournalError::CheckpointAhead { seq: at.seq, head });
        }
        if hash_at(&self.extents, at.seq)? == Some(at.hash) {
            Ok(())
        } else {
            Err(JournalError::CheckpointChain { seq: at.seq })
        }
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
}

struct SledReader {
    extents: sled::Tree,
    durable: Arc<AtomicCell<Head>>,
}

impl Reader for SledReader {
    fn read(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let (from, last) = (from.max(1), self.head().seq);
        if from > last {
            return Ok(());
        }
        let start = extent_holding(&self.extents, from)?.map(|(key, _)| key).unwrap_or_default();
        let mut extents = self.extents.range(start..).values();
        // Only the engine's part is guarded: a panic of `visit` is the caller's own.
        let values = std::iter::from_fn(|| {
            let next = || extents.next().transpose().map_err(engine_error(READING));
            guarded(READING, next).transpose()
        });
        visit_extents(values, from, last, visit)
    }

    fn head(&self) -> Head {
        self.durable.load()
    }

    fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
        hash_at(&self.extents, seq)
    }
}

/// The chain's hash at a record, where it has one.
fn hash_at(extents: &sled::Tree, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
    Ok(match extent_holding(extents, seq)? {
        Some((_, value)) => hash_if_ends_at(&value, seq),
        None => Some(Head::EMPTY.hash),
    })
}

const READING: &str = "reading the journal";

/// The extent that begins last at or before `seq`, with its key.
fn extent_holding(extents: &sled::Tree, seq: Seq) -> Result<Option<(sled::IVec, sled::IVec)>, JournalError> {
    guarded(READING, || {
        let holding = extents.range(..=seq.to_be_bytes()).next_back().transpose();
        holding.map_err(engine_error(READING))
    })
}

fn verify(
    extents: &sled::Tree,
    anchor: Option<Head>,
    progress: &mut dyn FnMut(Seq),
) -> Result<CheckedChain, JournalError> {
    let mut check = ChainCheck::new(anchor);
    for entry in extents.iter() {
        let (key, value) = entry.map_err(engine_error("verifying it"))?;
        progress(check.take(&key, &value)?);
    }
    check.finish()
}

/// The anchor of a verified journal, brought up to its head, durably.
fn renew_anchor(
    dir: &Path,
    anchored: Option<Anchored>,
    head: &Head,
    sync_every: u32,
) -> Result<Anchor, JournalError> {
    let Some(anchored) = anchored else {
        // Verification lets a journal without an anchor pass only if it is empty.
        return Anchor::create(dir, sync_every);
    };
    let mut anchor = Anchor::open(dir, &anchored, sync_every)?;
    if anchored.head != *head || anchored.slot_damaged {
        anchor.record(head)?;
    }
    anchor.sync()?;
    Ok(anchor)
}

/// Times the parts of a commit.
struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "durations only, never recorded; the journal uses no module but itself"
    )]
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start or the last lap.
    fn lap_ns(&mut self) -> u64 {
        let last = std::mem::replace(self, Self::start());
        u64::try_from((self.0 - last.0).as_nanos()).unwrap_or(u64::MAX)
    }
}
