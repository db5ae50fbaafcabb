//! Stores that are slow or that fail, around any other, for tests.
//!
//! [`DelayedStore`] holds commits back, to show that nothing is answered before its sync. [`FaultyStore`]
//! fails one sync and is poisoned from then on.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::{Checkpoints, CommitTimings, Head, JournalError, Reader, RecordBatch, Seq, Store};

/// A [`Store`] whose commits take longer.
pub struct DelayedStore<S> {
    inner: S,
    delay: Delay,
}

enum Delay {
    Sleep(Duration),
    Gate { arrived: Sender<Seq>, let_through: Receiver<()> },
}

impl<S: Store> DelayedStore<S> {
    /// Every append sleeps first.
    pub fn sleeping(inner: S, each: Duration) -> Self {
        Self { inner, delay: Delay::Sleep(each) }
    }

    /// Every append waits until the gate lets it through.
    pub fn gated(inner: S) -> (Self, Gate) {
        let (arrived, arrivals) = unbounded();
        let (opener, let_through) = unbounded();
        (Self { inner, delay: Delay::Gate { arrived, let_through } }, Gate { arrivals, opener })
    }
}

/// Holds the appends of a [`DelayedStore`] back. Dropping it lets all of them through.
pub struct Gate {
    arrivals: Receiver<Seq>,
    opener: Sender<()>,
}

impl Gate {
    /// Waits until an append has arrived, and returns its first sequence number; `None` if none comes
    /// `within` that time. Each append arrives once.
    #[must_use]
    pub fn wait_for_append(&self, within: Duration) -> Option<Seq> {
        self.arrivals.recv_timeout(within).ok()
    }

    /// Lets one append through: the one waiting, or the next to come.
    pub fn let_one_through(&self) {
        // The store may be gone; then nothing waits.
        let _ = self.opener.send(());
    }
}

impl<S: Store> Store for DelayedStore<S> {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        match &self.delay {
            #[expect(clippy::disallowed_methods, reason = "to be slow is what this store is for")]
            Delay::Sleep(each) => thread::sleep(*each),
            Delay::Gate { arrived, let_through } => {
                // Both fail only once the gate is dropped, which means: let everything through.
                let _ = arrived.send(expected);
                let _ = let_through.recv();
            }
        }
        self.inner.append(expected, batch)
    }

    fn head(&self) -> Head {
        self.inner.head()
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.inner.reader()
    }

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.inner.checkpoints()
    }

    fn commit_timings(&self) -> CommitTimings {
        self.inner.commit_timings()
    }

    fn close(self: Box<Self>) -> Result<(), JournalError> {
        Box::new(self.inner).close()
    }
}

/// What a failed sync leaves on the disk: either may happen, and whoever starts again must bear both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterFault {
    /// The records are there, though never acknowledged.
    KeepRecords,
    /// The records are gone.
    LoseRecords,
}

/// A [`Store`] that fails one sync, and is poisoned from then on.
pub struct FaultyStore<S> {
    inner: S,
    /// Appends until the one that fails; 0 once it has failed.
    left: u64,
    after: AfterFault,
    /// What the failed append was given, if the disk is to have it after a restart.
    kept: Option<(Seq, RecordBatch)>,
}

impl<S: Store> FaultyStore<S> {
    /// The sync of the `failing`-th append fails, counted from 1.
    ///
    /// # Panics
    /// If `failing` is 0: no append is the zeroth.
    pub fn new(inner: S, failing: u64, after: AfterFault) -> Self {
        assert!(failing > 0, "appends are counted from 1");
        Self { inner, left: failing, after, kept: None }
    }

    /// The store as a restart finds it.
    ///
    /// # Errors
    /// Those of the inner store, if it takes over the records that the failed sync kept.
    pub fn into_inner(mut self) -> Result<S, JournalError> {
        if let Some((expected, batch)) = self.kept.take() {
            self.inner.append(expected, &batch)?;
        }
        Ok(self.inner)
    }

    fn check_healthy(&self) -> Result<(), JournalError> {
        if self.left == 0 { Err(JournalError::Poisoned) } else { Ok(()) }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.check_healthy()?;
        self.left -= 1;
        if self.left > 0 {
            return self.inner.append(expected, batch);
        }
        if self.after == AfterFault::KeepRecords {
            self.kept = Some((expected, batch.clone()));
        }
        let source = io::Error::other("this test makes the sync fail");
        Err(JournalError::Io { doing: "syncing the journal", source })
    }

    fn head(&self) -> Head {
        self.inner.head()
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.inner.reader()
    }

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.inner.checkpoints()
    }

    fn commit_timings(&self) -> CommitTimings {
        self.inner.commit_timings()
    }

    fn close(self: Box<Self>) -> Result<(), JournalError> {
        self.check_healthy()?;
        Box::new(self.inner).close()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::MemoryStore;
    use super::super::testing::batch_of;
    use super::*;

    /// Long enough for a thread to be scheduled on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_gated_append_is_durable_only_once_let_through() {
        let (mut store, gate) = DelayedStore::gated(MemoryStore::new());
        let reader = store.reader();
        let appending = thread::spawn(move || store.append(1, &batch_of(1, 2, 10)).map(|head| head.seq));
        assert_eq!(gate.wait_for_append(PATIENCE), Some(1));
        assert_eq!(reader.head().seq, 0);
        gate.let_one_through();
        assert_eq!(appending.join().unwrap().unwrap(), 2);
        assert_eq!(reader.head().seq, 2);
    }

    #[test]
    fn a_dropped_gate_lets_everything_through() {
        let (mut store, gate) = DelayedStore::gated(MemoryStore::new());
        drop(gate);
        assert_eq!(store.append(1, &batch_of(1, 2, 10)).unwrap().seq, 2);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test measures how long something takes")]
    fn a_sleeping_append_takes_its_time() {
        let each = Duration::from_millis(20);
        let mut store = DelayedStore::sleeping(MemoryStore::new(), each);
        let start = std::time::Instant::now();
        store.append(1, &batch_of(1, 1, 10)).unwrap();
        assert!(start.elapsed() >= each);
    }

    #[test]
    fn the_chosen_sync_fails_and_everything_after_it() {
        for (after, want_seq) in [(AfterFault::KeepRecords, 2), (AfterFault::LoseRecords, 1)] {
            let mut store = FaultyStore::new(MemoryStore::new(), 2, after);
            store.append(1, &batch_of(1, 1, 10)).unwrap();
            let failed = store.append(2, &batch_of(2, 1, 10));
            assert!(matches!(failed, Err(JournalError::Io { .. })), "{after:?}: {failed:?}");
            let poisoned = store.append(2, &batch_of(2, 1, 10));
            assert!(matches!(poisoned, Err(JournalError::Poisoned)), "{poisoned:?}");
            assert_eq!(store.reader().head().seq, 1, "{after:?}: no reader sees what was not acknowledged");
            assert_eq!(store.into_inner().unwrap().head().seq, want_seq, "{after:?}");
        }
    }
}
