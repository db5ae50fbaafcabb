//! Checkpoints while traffic flows.
//!
//! A thread of its own makes them by a replay beside the live books: it takes the newest checkpoint, applies the durable
//! records behind it, checks the ledger's invariants and saves the result. So a checkpoint holds up no answer however many
//! cards there are, it stands at one sequence number by construction, and each is a proof that the journal replays to
//! books that add up. The price is their memory a second time while one is made, and nothing between.
//!
//! Behind each, what lies in front of the older one is archived and leaves the store, in small steps with pauses, so that no
//! commit waits for it.
//!
//! Start at [`start`].

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::{
    books::owed::BooksFault,
    clock::stopwatch,
    journal::{CheckpointMeta, Checkpoints, JournalError, Reader, Seq, Trimmed},
    mirror::Follower,
    recovery::{self, RecoveryError},
    telemetry::metrics::Metrics,
};

/// How often the thread looks whether one is due.
const LOOK: Duration = Duration::from_millis(100);

/// Records applied between two looks at whether the switch stops.
const SLICE: u64 = 16_384;

/// Between two steps of archiving and trimming, each some extents: they are to be spread, not to be fast.
const TRIM_PAUSE: Duration = Duration::from_millis(1);

/// What the thread works with.
pub struct Task {
    /// The journal's durable records.
    pub reader: Box<dyn Reader>,
    /// Where checkpoints are kept.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// Records from one to the next.
    pub every_records: u64,
    /// The journal's mirror, if it has one.
    pub mirror: Option<Follower>,
    /// Counters.
    pub metrics: Metrics,
    /// What to do when the durable records do not make books that add up: the live books, made of the same records, are
    /// no better. Must not return to serving.
    pub fatal: Box<dyn Fn(&CheckpointError) + Send>,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("every_records", &self.every_records).finish_non_exhaustive()
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Checkpointer {
    stopping: Arc<AtomicBool>,
    /// Dropped to wake the thread.
    bell: Sender<()>,
    thread: JoinHandle<()>,
}

/// Why there is no new checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be written or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not replay.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The books do not add up.
    #[error("the ledger does not add up")]
    Ledger(#[from] BooksFault),
    /// The switch stops.
    #[error("the switch stops")]
    Stopping,
}

impl CheckpointError {
    /// Whether it speaks against the books. Damage on the disk does not: the live books were made of what was decided, and
    /// ending the process would leave nothing but a journal that is refused.
    fn is_fatal(&self) -> bool {
        match self {
            Self::Ledger(_) => true,
            Self::Recovery(error) => !matches!(error, RecoveryError::Journal(_)),
            Self::Journal(_) | Self::Stopping => false,
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub fn start(task: Task) -> std::io::Result<Checkpointer> {
    let stopping = Arc::new(AtomicBool::new(false));
    let (bell, rung) = bounded(0);
    let stop = Arc::clone(&stopping);
    let thread =
        std::thread::Builder::new().name("checkpoint".into()).spawn(move || task.run(&rung, &stop))?;
    Ok(Checkpointer { stopping, bell, thread })
}

impl Checkpointer {
    /// Ends the thread, between two steps of a checkpoint if one is being made; reading the last one and writing the new one
    /// are a step each. Whether it ended without a panic.
    #[must_use]
    pub fn stop(self) -> bool {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.bell);
        self.thread.join().is_ok()
    }
}

impl Task {
    fn run(&self, rung: &Receiver<()>, stopping: &AtomicBool) {
        let mut last = self.checkpoints.saved().ok().and_then(|saved| saved.first().copied()).unwrap_or(0);
        self.metrics.checkpoint_at(last);
        // A switch that is stopped before a checkpoint is due saves one at its stop; what that set free is trimmed now.
        self.trim(rung);
        while rung.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let seq = self.reader.head().seq;
            if seq - last.min(seq) < self.every_records {
                continue;
            }
            // Whatever becomes of it, the next try comes after as many records again: a full disk is not to be made
            // busier.
            last = seq;
            let begun = stopwatch();
            match self.save(stopping) {
                Ok(saved) => {
                    self.metrics.checkpoint_saved(saved.seq, begun.elapsed());
                    tracing::info!(seq = saved.seq, ms = begun.elapsed().as_millis(), "checkpoint saved");
                    if let Some(mirror) = &self.mirror {
                        mirror.copy_checkpoint(self.checkpoints.as_ref(), saved.seq);
                    }
                    self.trim(rung);
                }
                Err(CheckpointError::Stopping) => return,
                Err(error) => {
                    self.metrics.checkpoint_failed();
                    tracing::error!(error = &error as &dyn std::error::Error, "no checkpoint could be saved");
                    if error.is_fatal() {
                        (self.fatal)(&error);
                    }
                }
            }
        }
    }

    /// Archives what is behind the older checkpoint. A failure speaks against the archive's disk, not against the books: it
    /// is told and counted, nothing is removed, and the next checkpoint tries again.
    fn trim(&self, rung: &Receiver<()>) {
        let pause = || match rung.recv_timeout(TRIM_PAUSE) {
            Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        let begun = stopwatch();
        match self.checkpoints.trim(self.every_records, &pause) {
            Ok(trimmed) => {
                self.metrics.trimmed(&trimmed);
                if trimmed.records > 0 {
                    let Trimmed { base, records, segments, removed, deleted } = trimmed;
                    let ms = begun.elapsed().as_millis();
                    tracing::info!(base, records, segments, removed, deleted, ms, "journal trimmed");
                }
            }
            Err(error) => {
                self.metrics.archive_failed();
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the journal cannot be archived and keeps growing");
            }
        }
    }

    /// Makes and saves a checkpoint at the journal's durable end.
    fn save(&self, stopping: &AtomicBool) -> Result<CheckpointMeta, CheckpointError> {
        let stops = || stopping.load(Ordering::Relaxed);
        let at = self.reader.head();
        let mut books = recovery::newest_checkpoint(self.checkpoints.as_ref())?.unwrap_or_default();
        while books.seq() < at.seq {
            if stops() {
                return Err(CheckpointError::Stopping);
            }
            let until: Seq = at.seq.min(books.seq() + SLICE);
            recovery::replay(self.reader.as_ref(), &mut books, until, &mut |_| ())?;
        }
        books.verify()?;
        if stops() {
            return Err(CheckpointError::Stopping);
        }
        Ok(self.checkpoints.save(&at, &mut |emit| books.snapshot(emit))?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        books::event::Event,
        journal::{MemoryStore, RecordBatch, Store},
        telemetry::metrics,
    };

    /// A store with one record of these bytes, and what a checkpointer over it finds fatal.
    fn over(body: impl FnOnce(&mut Vec<u8>)) -> (MemoryStore, Checkpointer, Receiver<String>) {
        let mut store = MemoryStore::new();
        let mut batch = RecordBatch::new();
        batch.push(1, 1_000, body).unwrap();
        store.append(1, &batch).unwrap();
        let (tell, told) = bounded(1);
        let task = Task {
            reader: store.reader(),
            checkpoints: store.checkpoints(),
            every_records: 1,
            mirror: None,
            metrics: metrics::recorder().0,
            fatal: Box::new(move |error| tell.send(error.to_string()).unwrap()),
        };
        (store, start(task).unwrap(), told)
    }

    #[test]
    fn damage_on_the_disk_is_told_and_ends_nothing() {
        let damaged = || JournalError::Damaged { seq: 1, damage: crate::journal::Damage::Crc };
        let of_replay = CheckpointError::Recovery(RecoveryError::Journal(damaged()));
        assert!(!of_replay.is_fatal() && !CheckpointError::Journal(damaged()).is_fatal());
    }

    #[test]
    fn records_that_make_no_books_are_fatal_and_leave_no_checkpoint() {
        let (store, checkpointer, told) = over(|body| body.extend([1, 250, 250]));
        let fatal = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(fatal, "record 1 cannot be read");
        assert!(checkpointer.stop());
        assert!(store.checkpoints().saved().unwrap().is_empty());
    }

    #[test]
    fn one_is_saved_when_it_is_due_and_the_thread_stops_when_told() {
        let (store, checkpointer, told) = over(|body| Event::GenesisDone.write(body));
        let checkpoints = store.checkpoints();
        let begun = stopwatch();
        while checkpoints.saved().unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        assert!(checkpointer.stop());
        assert!(told.try_recv().is_err());
        let books = recovery::newest_checkpoint(checkpoints.as_ref()).unwrap().unwrap();
        assert_eq!((books.seq(), books.genesis_done()), (1, true));
    }
}
