//! The second half of a commit: what was written becomes durable, and only then is it acknowledged and seen by readers.
//!
//! It has descriptors of its own, so another thread may do it while the first half of the next commit is under way: one
//! extent is made while the disk still works on the one before. Start at [`SledSyncer`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::atomic::AtomicCell;

use super::anchor::Anchor;
use super::settler::Unsettled;
use super::sled_store::Stopwatch;
use super::tail::TailFiles;
use super::{CommitTimings, Head, JournalError, Syncer};

/// What the two halves of a commit share.
pub(super) struct Halves {
    /// The last record that is written.
    pub(super) written: AtomicCell<Head>,
    /// The last record that is durable.
    pub(super) durable: Arc<AtomicCell<Head>>,
    /// An I/O error was met in either half, or behind them.
    poisoned: AtomicBool,
    /// The one that nobody has been told of yet: met behind the answers, it is told to the next who asks for anything.
    untold: Mutex<Option<JournalError>>,
}

impl Halves {
    /// Of a journal that ends at this head, durably.
    pub(super) fn at(head: Head) -> Self {
        let (written, durable) = (AtomicCell::new(head), Arc::new(AtomicCell::new(head)));
        Self { written, durable, poisoned: AtomicBool::new(false), untold: Mutex::new(None) }
    }

    fn untold(&self) -> MutexGuard<'_, Option<JournalError>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check_healthy(&self) -> Result<(), JournalError> {
        if !self.poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(self.untold().take().unwrap_or(JournalError::Poisoned))
    }

    /// Remembers an error that there is nobody to tell of.
    pub(super) fn poison_untold(&self, error: JournalError) {
        let mut untold = self.untold();
        if !self.poisoned.swap(true, Ordering::AcqRel) {
            *untold = Some(error);
        }
    }

    /// Remembers that an I/O error was met. Refusals of the caller's input poison nothing.
    pub(super) fn poison_on_io_error<T>(&self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        if matches!(done, Err(JournalError::Io { .. } | JournalError::DamagedStore { .. })) {
            // Under the lock, so that nobody leaves another reason in between: the caller tells this one.
            let mut untold = self.untold();
            *untold = None;
            self.poisoned.store(true, Ordering::Release);
        }
        done
    }
}

/// The files that are synced.
pub(super) struct Synced {
    pub(super) tail: TailFiles,
    pub(super) anchor: Anchor,
}

/// Makes the tail durable, then has the anchor vouch for it.
#[derive(Clone)]
pub(super) struct SledSyncer {
    pub(super) halves: Arc<Halves>,
    synced: Arc<Mutex<Synced>>,
    unsettled: Arc<Unsettled>,
    timings: CommitTimings,
}

impl SledSyncer {
    pub(super) fn new(halves: Arc<Halves>, synced: Synced, unsettled: Arc<Unsettled>) -> Self {
        Self { halves, synced: Arc::new(Mutex::new(synced)), unsettled, timings: CommitTimings::default() }
    }

    pub(super) fn synced(&self) -> MutexGuard<'_, Synced> {
        // A panic in a sync aborts the process, or poisons nothing that a later sync relies on.
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs what the anchor may have left for later.
    pub(super) fn close(&self) -> Result<(), JournalError> {
        self.halves.check_healthy()?;
        let done = self.synced().anchor.sync();
        self.halves.poison_on_io_error(done)
    }

    /// Vouches for what somebody else has made durable.
    pub(super) fn vouch(&self, head: &Head) -> Result<(), JournalError> {
        let done = self.vouch_with(&mut self.synced(), head);
        self.halves.poison_on_io_error(done)
    }

    fn vouch_with(&self, synced: &mut Synced, head: &Head) -> Result<(), JournalError> {
        if !synced.anchor.record(head)? {
            self.unsettled.anchor_lags();
        }
        self.halves.durable.store(*head);
        Ok(())
    }

    fn make_durable(&mut self) -> Result<Head, JournalError> {
        // All under one lock, so that of two threads the later cannot put an older head behind a newer one.
        let shared = Arc::clone(&self.synced);
        let synced = &mut *shared.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.halves.written.load();
        if head.seq == self.halves.durable.load().seq {
            return Ok(head);
        }
        let mut watch = Stopwatch::start();
        synced.tail.sync().map_err(JournalError::io("syncing the journal"))?;
        self.timings.sync_ns = watch.lap_ns();
        self.vouch_with(synced, &head)?;
        self.timings.anchor_ns = watch.lap_ns();
        Ok(head)
    }
}

impl Syncer for SledSyncer {
    fn sync(&mut self) -> Result<Head, JournalError> {
        self.halves.check_healthy()?;
        let done = self.make_durable();
        self.halves.poison_on_io_error(done)
    }

    fn timings(&self) -> CommitTimings {
        self.timings
    }
}
