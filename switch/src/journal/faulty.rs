//! Stores that are slow or that fail, around any other, for tests.
//!
//! [`DelayedStore`] holds commits back, to show that nothing is answered before its sync. [`FaultyStore`]
//! fails one sync and is poisoned from then on; what a restart then finds of the batch that was not synced is all of it,
//! nothing, or the front part of it. What lies below the port, the engine's own writes, is none of its affair: power cuts
//! under those are made from recorded system calls (`crash --power`).

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::{Checkpoints, CommitTimings, Head, JournalError, Reader, RecordBatch, Seq, Store, Syncer};

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

    fn syncer(&self) -> Box<dyn Syncer> {
        self.inner.syncer()
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

/// What a failed sync leaves on the disk: any of it may happen, and whoever starts again must bear it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterFault {
    /// The records are there, though never acknowledged.
    KeepRecords,
    /// The records are gone.
    LoseRecords,
    /// They lie in pieces of which some arrived, in any order, drawn from this seed: dropped, torn and reordered. A start
    /// finds those in front of the first that is missing, since a chain goes no further than its first gap.
    Scatter(u64),
}

/// A [`Store`] that fails one sync, and is poisoned from then on.
pub struct FaultyStore<S: Store> {
    /// There until it is taken out, or dropped onto the disk.
    inner: Option<S>,
    /// Appends until the one that fails; 0 once it has failed.
    left: u64,
    after: AfterFault,
    /// What of the failed append the disk is to have after a restart.
    kept: Option<RecordBatch>,
    disk: Disk<S>,
}

/// What a [`FaultyStore`] leaves behind.
pub struct Disk<S>(Arc<Mutex<Option<S>>>);

impl<S> Disk<S> {
    /// The store as a restart finds it; `None` while the faulty one is still in use.
    #[must_use]
    pub fn take(&self) -> Option<S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<S: Store> FaultyStore<S> {
    /// The sync of the `failing`-th append fails, counted from 1.
    ///
    /// # Panics
    /// If `failing` is 0: no append is the zeroth.
    pub fn new(inner: S, failing: u64, after: AfterFault) -> Self {
        assert!(failing > 0, "appends are counted from 1");
        Self { inner: Some(inner), left: failing, after, kept: None, disk: Disk(Arc::default()) }
    }

    /// Where the store is found once this one is dropped: whoever runs on it may be another thread.
    pub fn disk(&self) -> Disk<S> {
        Disk(Arc::clone(&self.disk.0))
    }

    /// The store as a restart finds it.
    ///
    /// # Errors
    /// Those of the inner store, if it takes over the records that the failed sync kept.
    ///
    /// # Panics
    /// Never: it is there until then.
    pub fn into_inner(mut self) -> Result<S, JournalError> {
        self.restart()?;
        // INVARIANT: taken out here and at drop alone, and this is before the drop.
        Ok(self.inner.take().expect("a store that was not taken"))
    }

    /// The disk has what it has.
    fn restart(&mut self) -> Result<(), JournalError> {
        if let (Some(inner), Some(batch)) = (&mut self.inner, self.kept.take()) {
            inner.append(inner.head().seq + 1, &batch)?;
        }
        Ok(())
    }

    fn inner(&self) -> &S {
        // INVARIANT: taken out where `self` ends.
        self.inner.as_ref().expect("a store that was not taken")
    }

    fn check_healthy(&self) -> Result<(), JournalError> {
        if self.left == 0 { Err(JournalError::Poisoned) } else { Ok(()) }
    }
}

impl<S: Store> Drop for FaultyStore<S> {
    fn drop(&mut self) {
        // A store that refuses what it was given to keep has a fault of its own, and leaves nothing.
        if self.restart().is_ok() {
            *self.disk.0.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.take();
        }
    }
}

/// What a start finds of a batch that was not synced.
fn found(batch: &RecordBatch, after: AfterFault) -> Result<Option<RecordBatch>, JournalError> {
    let AfterFault::Scatter(mut seed) = after else {
        return Ok((after == AfterFault::KeepRecords).then(|| batch.clone()));
    };
    let mut front = RecordBatch::new();
    let mut arrived = one_in(&mut seed, 2);
    for record in batch.iter() {
        // Here one piece may end and the next begin, which arrived or did not.
        if one_in(&mut seed, 3) {
            arrived = !one_in(&mut seed, 3);
        }
        if !arrived {
            break;
        }
        front.push(record.seq, record.time_ms, |body| body.extend_from_slice(record.body))?;
    }
    Ok((!front.is_empty()).then_some(front))
}

/// Knuth's MMIX generator, of which the upper half is used.
fn one_in(seed: &mut u64, many: u64) -> bool {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 32).is_multiple_of(many)
}

impl<S: Store> Store for FaultyStore<S> {
    fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
        self.check_healthy()?;
        self.left -= 1;
        if let (1.., Some(inner)) = (self.left, &mut self.inner) {
            return inner.append(expected, batch);
        }
        self.kept = found(batch, self.after)?;
        let source = io::Error::other("this test makes the sync fail");
        Err(JournalError::Io { doing: "syncing the journal", source })
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        self.inner().syncer()
    }

    fn head(&self) -> Head {
        self.inner().head()
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.inner().reader()
    }

    fn checkpoints(&self) -> Arc<dyn Checkpoints> {
        self.inner().checkpoints()
    }

    fn commit_timings(&self) -> CommitTimings {
        self.inner().commit_timings()
    }

    /// Keeps the inner store for a restart: it is let go of, not closed.
    fn close(self: Box<Self>) -> Result<(), JournalError> {
        self.check_healthy()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::MemoryStore;
    use super::super::testing::{batch_of, read_all};
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

    #[test]
    fn a_batch_that_was_not_synced_is_found_whole_in_part_or_not_at_all_and_from_its_front() {
        let mut lengths = [0; 9];
        for seed in 0..400 {
            let mut store = FaultyStore::new(MemoryStore::new(), 2, AfterFault::Scatter(seed));
            let disk = store.disk();
            store.append(1, &batch_of(1, 3, 10)).unwrap();
            let reader = store.reader();
            store.append(4, &batch_of(4, 8, 10)).unwrap_err();
            assert_eq!(reader.head().seq, 3, "what is not synced is not read");
            assert!(disk.take().is_none(), "it is still in use");
            drop(store);
            let found = read_all(disk.take().unwrap().reader().as_ref());
            let whole = batch_of(4, 8, 10);
            let whole: Vec<_> = whole.iter().map(|record| (record.seq, record.body.to_vec())).collect();
            let behind: Vec<_> = found[3..].iter().map(|(seq, _, body)| (*seq, body.clone())).collect();
            assert_eq!(behind, whole[..behind.len()], "seed {seed}");
            lengths[behind.len()] += 1;
        }
        assert!(lengths.iter().all(|count| *count > 0), "{lengths:?}");
    }
}
