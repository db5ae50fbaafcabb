//! Committing: records become durable, then the answers go. The only writer of the journal.
//!
//! Two threads, because a commit has two halves. The thread `commit` takes every batch that is waiting and writes them
//! together, so one sync serves many answers when it is busy and nobody waits for company when it is not. It hands them to
//! the thread `sync`, which makes them durable and releases them, and begins with the next batches meanwhile: one extent is
//! made while the disk works on the one before. It can be no further ahead than that, so that under load batches grow and
//! not the number of commits. When nothing else is under way it does the second half itself: a lone terminal does not wait
//! for a thread to wake.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use crossbeam::{
    channel::{Receiver, Sender, bounded},
    queue::SegQueue,
};
use tokio::sync::Notify;

use crate::{
    batch::Batch,
    books::Books,
    clock::stopwatch,
    journal::{CommitTimings, JournalError, RecordBatch, Seq, Store, Syncer},
    mirror::Follower,
    telemetry::{
        cost::{Laps, Stage},
        metrics::Metrics,
    },
};

/// Most batches committed together.
const BATCHES_MAX: usize = 256;

/// What the commit thread is asked to do, in order.
#[derive(Debug)]
pub enum Commit {
    /// Make this batch's records durable, then release it.
    Batch(Box<Batch>),
    /// Save these books as a checkpoint and stop.
    Finish(Box<Books>),
}

/// Batches whose records are durable, on their way back to their connections.
#[derive(Debug, Default)]
pub struct Released {
    /// The batches, in order.
    pub batches: SegQueue<Box<Batch>>,
    /// Rung once for each commit.
    pub bell: Notify,
}

/// What to do when the journal fails: nothing may be answered any more. Must not return to serving.
pub type Fatal = Arc<dyn Fn(&JournalError) + Send + Sync>;

/// What both threads have.
#[derive(Clone)]
struct Common {
    released: Arc<Released>,
    metrics: Metrics,
    fatal: Fatal,
}

/// Starts both threads. They end after [`Commit::Finish`], or when nobody can send any more.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    store: Box<dyn Store>,
    work: Receiver<Commit>,
    released: Arc<Released>,
    mirror: Option<Follower>,
    metrics: Metrics,
    fatal: Fatal,
) -> std::io::Result<JoinHandle<Result<(), JournalError>>> {
    let common = Common { released, metrics, fatal };
    // Of no length: whoever gives waits until the other takes.
    let (handover, written) = bounded(0);
    let half = Arc::new(SecondHalf { syncer: Mutex::new(store.syncer()), mirror, common: common.clone() });
    let second = Second { half: Arc::clone(&half), written, under_way: Arc::default() };
    let under_way = Arc::clone(&second.under_way);
    let second = std::thread::Builder::new().name("sync".into()).spawn(move || second.run())?;
    let first = First {
        store,
        laps: Laps::default(),
        joined: RecordBatch::new(),
        waiting: Vec::new(),
        common,
        half,
        handover,
        under_way,
        second,
    };
    std::thread::Builder::new().name("commit".into()).spawn(move || first.run(&work))
}

/// Batches that are written, on their way to be synced.
struct Written {
    #[expect(clippy::vec_box, reason = "the box is what travels between threads")]
    batches: Vec<Box<Batch>>,
    records: Option<WrittenRecords>,
}

/// Of those, the records. Some answers follow from none, and still wait their turn behind those that do.
struct WrittenRecords {
    count: usize,
    last: Seq,
    begun: Instant,
    timings: CommitTimings,
}

/// The thread `commit`.
struct First {
    store: Box<dyn Store>,
    laps: Laps,
    joined: RecordBatch,
    #[expect(clippy::vec_box, reason = "the box is what travels between threads")]
    waiting: Vec<Box<Batch>>,
    common: Common,
    half: Arc<SecondHalf>,
    handover: Sender<Written>,
    under_way: Arc<AtomicUsize>,
    second: JoinHandle<Result<(), JournalError>>,
}

impl First {
    fn run(mut self, work: &Receiver<Commit>) -> Result<(), JournalError> {
        let mut finish = None;
        while finish.is_none()
            && let Ok(first) = work.recv()
        {
            finish = self.take(first, work);
            let written = self.write().inspect_err(|error| (self.common.fatal)(error))?;
            let goes_on = self.pass_on(written, work.is_empty())?;
            self.common.metrics.stage(Stage::Commit, self.laps.lap());
            if !goes_on {
                break;
            }
        }
        drop(self.handover);
        // A panic of the other thread ends the process before this.
        self.second.join().unwrap_or(Err(JournalError::Poisoned))?;
        let Some(books) = finish else { return self.store.close() };
        let saved = self.store.checkpoints().save(&self.store.head(), &mut |emit| books.snapshot(emit));
        // The records are what must be durable, whatever became of the checkpoint.
        self.store.close()?;
        saved.map(drop)
    }

    /// To the other thread or, if nothing is under way there and nothing waits here, through the second half at once. Whether
    /// there is another thread still; if not, it has told why.
    fn pass_on(&self, written: Written, is_last: bool) -> Result<bool, JournalError> {
        // Only this thread adds to it, so what is done here cannot overtake anything.
        if is_last && self.under_way.load(Ordering::Acquire) == 0 {
            self.half.finish(written)?;
            return Ok(true);
        }
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Ok(self.handover.send(written).is_ok())
    }

    /// Takes what waits, beginning with `first`. Returns the books to save if the order to finish came behind.
    fn take(&mut self, first: Commit, work: &Receiver<Commit>) -> Option<Box<Books>> {
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Commit::Batch(batch) => self.waiting.push(batch),
                Commit::Finish(books) => return Some(books),
            }
            let full = self.waiting.len() >= BATCHES_MAX;
            next = if full { None } else { work.try_recv().ok() };
        }
        None
    }

    fn write(&mut self) -> Result<Written, JournalError> {
        let records = match self.waiting.as_slice() {
            [only] => &only.records,
            many => {
                self.joined.clear();
                many.iter().for_each(|batch| self.joined.append(&batch.records));
                &self.joined
            }
        };
        let records = match records.first_seq() {
            None => None,
            Some(first) => {
                let begun = stopwatch();
                let last = self.store.write(first, records)?.seq;
                let timings = self.store.commit_timings();
                Some(WrittenRecords { count: records.len(), last, begun, timings })
            }
        };
        Ok(Written { batches: std::mem::take(&mut self.waiting), records })
    }
}

/// What both threads can do with what is written.
struct SecondHalf {
    syncer: Mutex<Box<dyn Syncer>>,
    mirror: Option<Follower>,
    common: Common,
}

impl SecondHalf {
    /// Makes it durable, then lets the answers go.
    fn finish(&self, written: Written) -> Result<(), JournalError> {
        if let Some(records) = &written.records {
            self.make_durable(records).inspect_err(|error| (self.common.fatal)(error))?;
        }
        for batch in written.batches {
            self.common.released.batches.push(batch);
        }
        self.common.released.bell.notify_one();
        Ok(())
    }

    fn make_durable(&self, records: &WrittenRecords) -> Result<(), JournalError> {
        // A panic of the other thread ends the process.
        let mut syncer = self.syncer.lock().unwrap_or_else(PoisonError::into_inner);
        syncer.sync()?;
        if let Some(mirror) = &self.mirror {
            mirror.follow(records.last);
        }
        let CommitTimings { sync_ns, anchor_ns, .. } = syncer.timings();
        let timings = CommitTimings { sync_ns, anchor_ns, ..records.timings };
        self.common.metrics.committed(records.count, records.last, records.begun.elapsed(), &timings);
        Ok(())
    }
}

/// The thread `sync`.
struct Second {
    half: Arc<SecondHalf>,
    written: Receiver<Written>,
    /// How much was handed over and is not done yet.
    under_way: Arc<AtomicUsize>,
}

impl Second {
    fn run(self) -> Result<(), JournalError> {
        let mut laps = Laps::default();
        while let Ok(written) = self.written.recv() {
            self.half.finish(written)?;
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            self.half.common.metrics.stage(Stage::Sync, laps.lap());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use crossbeam::channel::unbounded;

    use super::*;
    use crate::{
        journal::{Checkpoints, Head, MemoryStore, Reader},
        telemetry::metrics,
    };

    /// Long enough for a thread to be scheduled on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A store whose writes and syncs are let through one by one; a sync may fail.
    struct Held {
        inner: MemoryStore,
        arrived: Sender<Seq>,
        let_write: Receiver<()>,
        syncer: HeldSyncer,
    }

    #[derive(Clone)]
    struct HeldSyncer {
        let_sync: Receiver<Result<(), ()>>,
        /// By which thread.
        synced: Sender<String>,
    }

    impl Store for Held {
        fn append(&mut self, expected: Seq, batch: &RecordBatch) -> Result<Head, JournalError> {
            self.arrived.send(expected + batch.len() as u64 - 1).unwrap();
            self.let_write.recv().unwrap();
            self.inner.append(expected, batch)
        }

        fn syncer(&self) -> Box<dyn Syncer> {
            Box::new(self.syncer.clone())
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
    }

    impl Syncer for HeldSyncer {
        fn sync(&mut self) -> Result<Head, JournalError> {
            self.synced.send(std::thread::current().name().unwrap().to_owned()).unwrap();
            let failed = |()| std::io::Error::other("this test makes the sync fail");
            let done = self.let_sync.recv().unwrap();
            done.map(|()| Head::EMPTY)
                .map_err(failed)
                .map_err(|source| JournalError::Io { doing: "syncing the journal", source })
        }
    }

    struct Rig {
        work: Sender<Commit>,
        arrived: Receiver<Seq>,
        let_write: Sender<()>,
        let_sync: Sender<Result<(), ()>>,
        synced: Receiver<String>,
        released: Arc<Released>,
        failures: Arc<AtomicUsize>,
        thread: JoinHandle<Result<(), JournalError>>,
    }

    impl Rig {
        fn new() -> Self {
            let ((work, orders), (told, arrived)) = (unbounded(), unbounded());
            let ((let_write, writes), (let_sync, syncs)) = (unbounded(), unbounded());
            let (by, synced) = unbounded();
            let syncer = HeldSyncer { let_sync: syncs, synced: by };
            let store = Held { inner: MemoryStore::new(), arrived: told, let_write: writes, syncer };
            let (released, failures) = (Arc::new(Released::default()), Arc::new(AtomicUsize::new(0)));
            let counted = Arc::clone(&failures);
            let fatal: Fatal = Arc::new(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            let (metrics, _page) = metrics::recorder();
            let thread = start(Box::new(store), orders, Arc::clone(&released), None, metrics, fatal);
            let thread = thread.unwrap();
            Self { work, arrived, let_write, let_sync, synced, released, failures, thread }
        }

        fn send(&self, seq: Seq) {
            let mut batch = Batch::default();
            batch.records.push(seq, 1_000, |body| body.push(1)).unwrap();
            self.work.send(Commit::Batch(Box::new(batch))).unwrap();
        }

        /// The last record of the next write, which waits to be let through.
        fn arrives(&self) -> Option<Seq> {
            self.arrived.recv_timeout(PATIENCE).ok()
        }

        fn released(&self) -> usize {
            self.released.batches.len()
        }

        /// The first is being synced, and the second is written meanwhile.
        fn two_under_way() -> Self {
            let rig = Self::new();
            rig.send(1);
            assert_eq!(rig.arrives(), Some(1));
            rig.send(2);
            rig.let_write.send(()).unwrap();
            assert_eq!(rig.arrives(), Some(2), "the first still waits for its sync");
            rig
        }
    }

    #[test]
    fn the_next_is_written_while_one_is_synced_and_nothing_goes_before_its_sync() {
        let rig = Rig::two_under_way();
        rig.let_write.send(()).unwrap();
        rig.send(3);
        rig.send(4);
        assert_eq!(rig.released(), 0);
        assert!(rig.arrived.is_empty(), "no further ahead than one");

        rig.let_sync.send(Ok(())).unwrap();
        assert_eq!(rig.arrives(), Some(4), "what came meanwhile is written together");
        let first = rig.released.batches.pop().unwrap();
        assert_eq!((first.records.first_seq(), rig.released()), (Some(1), 0));

        rig.let_write.send(()).unwrap();
        (0..2).for_each(|_| rig.let_sync.send(Ok(())).unwrap());
        drop(rig.work);
        rig.thread.join().unwrap().unwrap();
        // The last is handed over only if the sync before it is still under way by then, which is the scheduler's affair.
        let synced: Vec<_> = rig.synced.iter().collect();
        assert_eq!((&synced[..2], synced.len()), (&["sync".to_owned(), "sync".to_owned()][..], 3));
        let order: Vec<_> = std::iter::from_fn(|| rig.released.batches.pop())
            .map(|batch| batch.records.first_seq())
            .collect();
        assert_eq!((order, rig.failures.load(Ordering::SeqCst)), (vec![Some(2), Some(3), Some(4)], 0));
    }

    #[test]
    fn one_alone_waits_for_no_other_thread() {
        let rig = Rig::new();
        for seq in 1..=3 {
            rig.send(seq);
            assert_eq!(rig.arrives(), Some(seq));
            rig.let_write.send(()).unwrap();
            assert_eq!(rig.synced.recv_timeout(PATIENCE).as_deref(), Ok("commit"));
            rig.let_sync.send(Ok(())).unwrap();
        }
        drop(rig.work);
        rig.thread.join().unwrap().unwrap();
        assert_eq!(rig.released.batches.len(), 3);
    }

    #[test]
    fn a_failed_sync_is_told_at_once_and_ends_both_threads_with_nothing_released() {
        let rig = Rig::two_under_way();
        rig.let_write.send(()).unwrap();
        rig.let_sync.send(Err(())).unwrap();
        // More could still come: nobody has to give up first.
        let ended = rig.thread.join().unwrap();
        assert!(matches!(ended, Err(JournalError::Io { .. })), "{ended:?}");
        assert_eq!(rig.failures.load(Ordering::SeqCst), 1);
        assert_eq!(rig.released.batches.len(), 0);
    }
}
