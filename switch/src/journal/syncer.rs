//! The second half of a commit: what was written becomes durable, and only then is it acknowledged and seen by readers.
//!
//! It has a descriptor of its own, so another thread may do it while the first half of the next commit is under way: one
//! extent is made while the disk still works on the one before. Start at [`SledSyncer`].

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::atomic::AtomicCell;

use super::anchor::Anchor;
use super::sled_store::Stopwatch;
use super::{CommitTimings, Head, JournalError, Syncer};

/// What the two halves of a commit share.
pub(super) struct Halves {
    /// The last record that the engine has written.
    pub(super) written: AtomicCell<Head>,
    /// The last record that is durable.
    pub(super) durable: Arc<AtomicCell<Head>>,
    /// An I/O error was met in either half.
    pub(super) poisoned: AtomicBool,
}

impl Halves {
    pub(super) fn check_healthy(&self) -> Result<(), JournalError> {
        if self.poisoned.load(Ordering::Acquire) { Err(JournalError::Poisoned) } else { Ok(()) }
    }

    /// Remembers that an I/O error was met. Refusals of the caller's input poison nothing.
    pub(super) fn poison_on_io_error<T>(&self, done: Result<T, JournalError>) -> Result<T, JournalError> {
        if matches!(done, Err(JournalError::Io { .. } | JournalError::DamagedStore { .. })) {
            self.poisoned.store(true, Ordering::Release);
        }
        done
    }
}

/// The files that are synced.
pub(super) struct Synced {
    /// The engine's data file.
    pub(super) data_file: File,
    pub(super) anchor: Anchor,
}

/// Makes the engine's file durable, then the anchor that vouches for it.
#[derive(Clone)]
pub(super) struct SledSyncer {
    pub(super) halves: Arc<Halves>,
    synced: Arc<Mutex<Synced>>,
    timings: CommitTimings,
}

impl SledSyncer {
    pub(super) fn new(halves: Arc<Halves>, synced: Synced) -> Self {
        Self { halves, synced: Arc::new(Mutex::new(synced)), timings: CommitTimings::default() }
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

    fn make_durable(&mut self) -> Result<Head, JournalError> {
        // All under one lock, so that of two threads the later cannot put an older head behind a newer one.
        let synced = &mut *self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.halves.written.load();
        if head.seq == self.halves.durable.load().seq {
            return Ok(head);
        }
        let mut watch = Stopwatch::start();
        synced.data_file.sync_data().map_err(JournalError::io("syncing the journal"))?;
        self.timings.sync_ns = watch.lap_ns();
        synced.anchor.record(&head)?;
        self.timings.anchor_ns = watch.lap_ns();
        self.halves.durable.store(head);
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
