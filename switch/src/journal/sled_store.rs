//! The journal of a running switch: extents in sled, the newest of them in a tail of files first, an anchor beside both.
//!
//! A commit is four steps, each timed: make the extents, write them to the `tail`, `fdatasync`, write
//! the anchor. Only then are its records acknowledged and visible to readers. The last two are the `syncer`'s, which may be on
//! another thread. The engine takes them over behind the answers (`settler`). Opening gives it what it lacks, and proves the history from its base on first (`verify`); a journal that fails is refused, never
//! repaired. Who reads it, and how it is trimmed, stands in `history` and `trim`.
//!
//! The engine changes its files whenever it opens them, a refused journal's too: whoever wants to look at
//! one first takes a copy ([`copy_for_inspection`](super::copy_for_inspection)).
//!
//! Start at [`SledStore::open`], then `append`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::atomic::AtomicCell;

use super::anchor::{Anchor, Anchored};
use super::archive::Archive;
use super::base;
use super::checkpoint::CheckpointFiles;
use super::engine::{Engine, engine_error, ensure_folder, guarded, lock, sync_folder};
use super::extent::{Extent, ExtentWriter};
use super::history::{History, SledReader};
use super::leftovers::settle;
use super::settler::{Settler, Unsettled};
use super::syncer::{Halves, SledSyncer, Synced};
use super::tail::{self, TailWriter, TakenOver};
use super::trim::SledCheckpoints;
use super::verify::{ChainCheck, CheckedChain};
use super::{
    Checkpoints, CommitTimings, EXTENT_BYTES_MAX, EXTENT_BYTES_MIN, Head, JournalError, Reader, RecordBatch,
    Seq, Store, Syncer,
};

/// Where the archive is looked for when nobody says where, inside the journal's folder.
const ARCHIVE_FOLDER: &str = "archive";

/// The anchor's lag if nobody says otherwise: a hundred syncs a second at most, beside thousands of commits.
const ANCHOR_LAG_MS: u32 = 10;

/// Settings of a [`SledStore`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreOptions {
    /// The largest extent, [`EXTENT_BYTES_MIN`]..=[`EXTENT_BYTES_MAX`] bytes.
    pub extent_bytes: usize,
    /// How many milliseconds the anchor may be synced behind the commit that it vouches for. With 0 it is synced with every
    /// commit, before the answers go.
    ///
    /// With 0 no acknowledged record can vanish unnoticed. With N, a power cut can take back the anchors of the last N
    /// milliseconds; only if the disk then also lacks what it had promised to keep, commits of that time look like a clean end
    /// and go unnoticed. A killed process takes back nothing: the anchor is written, if not synced, with every commit.
    pub anchor_lag_ms: u32,
    /// Days after which a segment leaves the archive; 0 is never.
    pub archive_days: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { extent_bytes: EXTENT_BYTES_MAX, anchor_lag_ms: ANCHOR_LAG_MS, archive_days: 0 }
    }
}

impl StoreOptions {
    fn check(&self) -> Result<(), JournalError> {
        if !(EXTENT_BYTES_MIN..=EXTENT_BYTES_MAX).contains(&self.extent_bytes) {
            return Err(JournalError::Options { rule: "extent_bytes must be from 16456 to 65536" });
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
    /// The record behind which the journal begins; those up to it are in the archive.
    pub base: Seq,
    /// Extents that only the tail had, as a killed process leaves them.
    pub from_tail: u64,
    /// Extents that were archived, and whose removal a crash had cut off; they were removed now.
    pub left_over: u64,
    /// Records behind the one the anchor named: durable, but perhaps never acknowledged, as a crash between
    /// the two writes leaves them.
    pub ahead_of_anchor: u64,
    /// Whether one slot of the anchor was damaged, as by a torn write; it has been written anew.
    pub anchor_slot_damaged: bool,
    /// The checkpoints that claim to be whole, newest first.
    pub checkpoints: Vec<Seq>,
}

/// What a folder has beside the engine's files.
struct Found<'a> {
    dir: &'a Path,
    archive: Archive,
    created: bool,
    anchored: Option<Anchored>,
    base: Head,
}

/// A [`Store`] in a folder, for one process at a time.
pub struct SledStore {
    engine: Arc<Engine>,
    pub(super) extents: sled::Tree,
    checkpoints: Arc<SledCheckpoints>,
    history: Arc<History>,
    writer: ExtentWriter,
    tail: TailWriter,
    settler: Settler,
    pub(super) syncer: SledSyncer,
    timings: CommitTimings,
}

impl SledStore {
    /// Opens the journal in `dir`, or creates it, and verifies all that is in it. What was archived is looked for in the
    /// folder `archive` inside it, and is verified when it is read.
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
        Self::open_archived(dir, &dir.join(ARCHIVE_FOLDER), options, progress)
    }

    /// Like [`open_with_progress`](Self::open_with_progress), with the archive in a folder of its own, which need not be there
    /// yet.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_archived(
        dir: &Path,
        archive: &Path,
        options: StoreOptions,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<(Self, OpenReport), JournalError> {
        options.check()?;
        ensure_folder(dir)?;
        // Whatever can be refused is refused before the engine changes its files.
        let existed = lock(dir)?.is_some();
        settle(dir)?;
        let anchored = Anchored::read(dir)?;
        let base = base::read(dir)?;
        if let Some(Anchored { head, .. }) = anchored
            && !existed
            && head.seq > base.seq
        {
            return Err(JournalError::AcknowledgedMissing {
                first_missing: base.seq + 1,
                count: head.seq - base.seq,
            });
        }
        let archive = Archive::new(archive.to_owned());
        let found = Found { dir, archive, created: !existed, anchored, base };
        guarded("opening it", || Self::open_verified(found, options, progress))
    }

    fn open_verified(
        found: Found<'_>,
        options: StoreOptions,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<(Self, OpenReport), JournalError> {
        let Found { dir, archive, created, anchored, base } = found;
        let engine = Engine::open(dir)?;
        let extents = engine.tree("extents")?;
        let taken_over = take_tail_over(dir, &extents, &base)?;
        let checked = verify(&extents, base, anchored.map(|anchored| anchored.head), progress)?;
        // A removal that was cut off: it is archived, and the base says that it is not looked for here.
        let left_over = remove_through(&extents, base.seq)?;
        let checkpoints = CheckpointFiles::open(dir)?;
        // What a killed process left may be in the system's cache only; the anchor must not run ahead of it.
        engine.flush()?;
        engine.sync()?;
        // The engine has all of it durably, so the tail may be written over.
        let (tail, tail_files) = TailWriter::open(dir, taken_over.term)?;
        sync_folder(dir)?;
        let anchor = renew_anchor(dir, anchored, &checked.head, options.anchor_lag_ms == 0)?;
        let report = OpenReport {
            created,
            head: checked.head,
            extents: checked.extents,
            base: base.seq,
            from_tail: taken_over.extents,
            left_over,
            ahead_of_anchor: anchored
                .map_or(0, |anchored| checked.head.seq - anchored.head.seq.min(checked.head.seq)),
            anchor_slot_damaged: anchored.is_some_and(|anchored| anchored.slot_damaged),
            checkpoints: checkpoints.saved()?,
        };
        let halves = Arc::new(Halves::at(checked.head));
        let (engine, unsettled) = (Arc::new(engine), Arc::new(Unsettled::behind(checked.head.seq)));
        let settler = Settler::start(
            Arc::clone(&unsettled),
            Arc::clone(&engine),
            extents.clone(),
            Arc::clone(&halves),
            anchor.file()?,
            Duration::from_millis(options.anchor_lag_ms.into()),
        )?;
        let synced = Synced { tail: tail_files, anchor };
        let history = Arc::new(History {
            extents: extents.clone(),
            unsettled: Arc::clone(&unsettled),
            durable: Arc::clone(&halves.durable),
            base: AtomicCell::new(base),
            archive,
        });
        let checkpoints = SledCheckpoints {
            files: checkpoints,
            history: Arc::clone(&history),
            dir: dir.to_owned(),
            archive_days: options.archive_days,
        };
        let store = Self {
            engine,
            extents,
            checkpoints: Arc::new(checkpoints),
            history,
            writer: ExtentWriter::new(options.extent_bytes),
            tail,
            settler,
            syncer: SledSyncer::new(halves, synced, unsettled),
            timings: CommitTimings::default(),
        };
        Ok((store, report))
    }

    /// Takes over an extent of this very chain, as it is. Nobody sees it before [`settle`](Self::settle).
    pub(super) fn adopt(&mut self, extent: &[u8]) -> Result<(), JournalError> {
        self.syncer.halves.check_healthy()?;
        let written = self.written();
        self.history.unsettled.settle_all()?;
        let mut chain = ChainCheck::part(written);
        chain.take_extent(extent)?;
        let first = written.seq + 1;
        self.extents.insert(first.to_be_bytes(), extent).map_err(engine_error("writing the journal"))?;
        self.syncer.halves.written.store(chain.head());
        Ok(())
    }

    /// Makes durable what was adopted.
    pub(super) fn settle(&mut self) -> Result<(), JournalError> {
        let flushed = self.engine.flush().and_then(|()| self.engine.sync());
        self.syncer.halves.poison_on_io_error(flushed)?;
        let head = self.written();
        self.history.unsettled.is_settled(head.seq);
        if head == self.head() { Ok(()) } else { self.syncer.vouch(&head) }
    }

    /// The last record that was written, durable or not.
    fn written(&self) -> Head {
        self.syncer.halves.written.load()
    }

    fn hand_over(&mut self, batch: &RecordBatch) -> Result<Head, JournalError> {
        let mut watch = Stopwatch::start();
        let Self { writer, tail, history, syncer, .. } = self;
        let mut encode_ns = 0;
        let mut write_ns = 0;
        let head = writer.write(syncer.halves.written.load(), batch, |first, extent| {
            encode_ns += watch.lap_ns();
            if let Some(settled) = tail.full(extent.len()) {
                // If it cannot, the reason is told here.
                history.unsettled.settle_through(settled).or_else(|_| syncer.halves.check_healthy())?;
                tail.turn();
            }
            let last = Extent::parse(extent).map_or(first, |extent| extent.last());
            tail.put(extent, last)?;
            history.unsettled.push(first, last, extent);
            write_ns += watch.lap_ns();
            Ok(())
        })?;
        self.timings = CommitTimings { encode_ns, write_ns, ..self.timings };
        Ok(head)
    }
}

impl Store for SledStore {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.write(expected, batch)?;
        let head = self.syncer.sync()?;
        let CommitTimings { sync_ns, anchor_ns, .. } = self.syncer.timings();
        self.timings = CommitTimings { sync_ns, anchor_ns, ..self.timings };
        Ok(head)
    }

    fn write(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.syncer.halves.check_healthy()?;
        let before = self.written();
        batch.check_follows(&before, expected)?;
        if batch.is_empty() {
            return Ok(before);
        }
        let written = self.hand_over(batch);
        let head = self.syncer.halves.poison_on_io_error(written)?;
        self.syncer.halves.written.store(head);
        Ok(head)
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        Box::new(self.syncer.clone())
    }

    fn head(&self) -> Head {
        self.syncer.halves.durable.load()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(SledReader(Arc::clone(&self.history)))
    }

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        Arc::clone(&self.checkpoints) as Arc<dyn Checkpoints>
    }

    fn commit_timings(&self) -> CommitTimings {
        self.timings
    }

    fn close(mut self: Box<Self>) -> Result<(), JournalError> {
        self.settler.finish();
        self.syncer.close()
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close`; the records themselves are durable.
        self.settler.finish();
        let _ = self.syncer.close();
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("head", &self.head())
            .field("healthy", &self.syncer.halves.check_healthy().is_ok())
            .finish_non_exhaustive()
    }
}

fn verify(
    extents: &sled::Tree,
    base: Head,
    anchor: Option<Head>,
    progress: &mut dyn FnMut(Seq),
) -> Result<CheckedChain, JournalError> {
    let mut check = ChainCheck::new(base, anchor);
    for entry in extents.range((base.seq + 1).to_be_bytes()..) {
        let (key, value) = entry.map_err(engine_error("verifying it"))?;
        progress(check.take(&key, &value)?);
    }
    check.finish()
}

/// Gives the engine what only the tail has.
pub(super) fn take_tail_over(
    dir: &Path,
    extents: &sled::Tree,
    base: &Head,
) -> Result<TakenOver, JournalError> {
    let doing = "taking the tail over";
    let last = extents.last().map_err(engine_error(doing))?;
    let behind = tail::behind(last.as_ref().map(|(_, value)| value.as_ref()), base);
    tail::take_over(dir, behind, |first, extent| {
        extents.insert(first.to_be_bytes(), extent).map(drop).map_err(engine_error(doing))
    })
}

/// Removes the extents of all records up to this one; an extent ends there.
fn remove_through(extents: &sled::Tree, last: Seq) -> Result<u64, JournalError> {
    let mut removed = 0;
    for key in extents.range(..=last.to_be_bytes()).keys() {
        let key = key.map_err(engine_error("verifying it"))?;
        extents.remove(key).map_err(engine_error("removing what is archived"))?;
        removed += 1;
    }
    Ok(removed)
}

/// The anchor of a verified journal, brought up to its head, durably.
fn renew_anchor(
    dir: &Path,
    anchored: Option<Anchored>,
    head: &Head,
    strict: bool,
) -> Result<Anchor, JournalError> {
    let Some(anchored) = anchored else {
        // Verification lets a journal without an anchor pass only if it is empty.
        return Anchor::create(dir, strict);
    };
    let mut anchor = Anchor::open(dir, &anchored, strict)?;
    if anchored.head != *head || anchored.slot_damaged {
        anchor.record(head)?;
    }
    anchor.sync()?;
    Ok(anchor)
}

/// Times the parts of a commit.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "durations only, never recorded; the journal uses no module but itself"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub(super) fn waited(&self) -> Duration {
        self.0.elapsed()
    }

    /// Nanoseconds since the start or the last lap; a lap begins.
    pub(super) fn lap_ns(&mut self) -> u64 {
        let last = std::mem::replace(self, Self::start());
        u64::try_from((self.0 - last.0).as_nanos()).unwrap_or(u64::MAX)
    }
}
