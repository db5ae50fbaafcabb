//! The commit thread: makes records durable, then lets the answers go. The only writer of the journal.
//!
//! It takes every batch that is waiting and commits them together, so one sync serves many answers when it is
//! busy and nobody waits for company when it is not.

use std::{sync::Arc, thread::JoinHandle};

use crossbeam::{channel::Receiver, queue::SegQueue};
use tokio::sync::Notify;

use crate::{
    batch::Batch,
    books::Books,
    clock::stopwatch,
    journal::{JournalError, RecordBatch, Store},
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
pub type Fatal = Box<dyn Fn(&JournalError) + Send>;

/// Starts the commit thread. It ends after [`Commit::Finish`], or when nobody can send any more.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    mut store: Box<dyn Store>,
    work: Receiver<Commit>,
    released: Arc<Released>,
    mirror: Option<Follower>,
    metrics: Metrics,
    fatal: Fatal,
) -> std::io::Result<JoinHandle<Result<(), JournalError>>> {
    std::thread::Builder::new().name("commit".into()).spawn(move || {
        let mut committer = Committer {
            metrics,
            laps: Laps::default(),
            released,
            mirror,
            joined: RecordBatch::new(),
            waiting: Vec::new(),
        };
        while let Ok(first) = work.recv() {
            match committer.serve(store.as_mut(), first, &work) {
                Ok(None) => {}
                Ok(Some(books)) => {
                    let at = store.head();
                    let saved = store.checkpoints().save(&at, &mut |emit| books.snapshot(emit));
                    // The records are what must be durable, whatever became of the checkpoint.
                    store.close()?;
                    return saved.map(drop);
                }
                Err(error) => {
                    fatal(&error);
                    return Err(error);
                }
            }
        }
        store.close()
    })
}

struct Committer {
    metrics: Metrics,
    laps: Laps,
    released: Arc<Released>,
    mirror: Option<Follower>,
    joined: RecordBatch,
    #[expect(clippy::vec_box, reason = "the box is what travels between threads")]
    waiting: Vec<Box<Batch>>,
}

impl Committer {
    /// Commits what waits, beginning with `first`. Returns the books to save if the order to finish came behind.
    fn serve(
        &mut self,
        store: &mut dyn Store,
        first: Commit,
        work: &Receiver<Commit>,
    ) -> Result<Option<Box<Books>>, JournalError> {
        let mut next = Some(first);
        let mut finish = None;
        while let Some(order) = next {
            match order {
                Commit::Batch(batch) => self.waiting.push(batch),
                Commit::Finish(books) => finish = Some(books),
            }
            let full = self.waiting.len() >= BATCHES_MAX || finish.is_some();
            next = if full { None } else { work.try_recv().ok() };
        }
        self.commit(store)?;
        self.release();
        self.metrics.stage(Stage::Commit, self.laps.lap());
        Ok(finish)
    }

    fn commit(&mut self, store: &mut dyn Store) -> Result<(), JournalError> {
        let records = match self.waiting.as_slice() {
            [] => return Ok(()),
            [only] => &only.records,
            many => {
                self.joined.clear();
                many.iter().for_each(|batch| self.joined.append(&batch.records));
                &self.joined
            }
        };
        // Answers that follow from no record still wait their turn behind those that do.
        let Some(first) = records.first_seq() else { return Ok(()) };
        let begun = stopwatch();
        let head = store.append(first, records)?;
        if let Some(mirror) = &self.mirror {
            mirror.follow(head.seq);
        }
        self.metrics.committed(records.len(), head.seq, begun.elapsed(), &store.commit_timings());
        Ok(())
    }

    fn release(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        for batch in self.waiting.drain(..) {
            self.released.batches.push(batch);
        }
        self.released.bell.notify_one();
    }
}
