//! The thread that owns the books: it takes batches through the stages and hands them on to be committed.
//!
//! The io thread fills a batch while this one works on the last, and gives it over when this thread has nothing to do or
//! the batch is full. So a busy switch makes few and large batches, and a flood of frames that are turned away keeps the
//! io thread busy, not the stages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use tokio::sync::Notify;

use super::Stages;
use crate::{
    batch::Batch,
    books::{Books, event::Event},
    clock::Moment,
    commit::Commit,
    wipe,
};

/// How often the thread looks for what is due without a request: the end of a day, the end of a hold. Under way it looks
/// with every batch.
const TICK: Duration = Duration::from_millis(500);

/// What follows from the books as they are at this moment, if anything does.
pub type Follows = Box<dyn FnOnce(&Books, &Moment) -> Option<Event> + Send>;

/// What the thread is asked to do, in order.
pub enum Errand {
    /// Take this batch through the stages.
    Batch(Box<Batch>),
    /// Look at the books. What is seen may be ahead of what is durable.
    Look(Box<dyn FnOnce(&Books) + Send>),
    /// Look at the books and record what follows.
    Record(Follows),
    /// Send a checkpoint to be saved, and end. Nothing may be under way any more.
    Finish,
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Batch(_) => "Batch",
            Self::Look(_) => "Look",
            Self::Record(_) => "Record",
            Self::Finish => "Finish",
        })
    }
}

/// How much the thread has to do, for whoever gives it batches.
#[derive(Debug, Default)]
pub struct Queue {
    /// Batches given over and not through the stages yet.
    waiting: AtomicUsize,
    /// Rung when the last of them is.
    pub idle: Notify,
}

impl Queue {
    /// Whether no batch is waiting or being worked on.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// One batch more is on its way.
    pub fn given(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
    }

    fn done(&self) {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_one();
        }
    }
}

/// Starts the thread. It ends after [`Errand::Finish`], or when nobody can give it any more.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    stages: Stages,
    errands: Receiver<Errand>,
    queue: Arc<Queue>,
    to_commit: Sender<Commit>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("stages".into()).spawn(move || {
        let mut worker = Worker { stages, to_commit };
        loop {
            match errands.recv_timeout(TICK) {
                Ok(Errand::Batch(batch)) => {
                    worker.run(batch);
                    queue.done();
                }
                Ok(Errand::Look(look)) => look(&worker.stages.books),
                Ok(Errand::Record(follows)) => worker.record(follows),
                Ok(Errand::Finish) => return worker.finish(),
                Err(RecvTimeoutError::Timeout) => worker.tick(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })
}

struct Worker {
    stages: Stages,
    to_commit: Sender<Commit>,
}

impl Worker {
    fn run(&mut self, mut batch: Box<Batch>) {
        self.stages.run(&mut batch);
        wipe::stack();
        self.hand_on(Commit::Batch(batch));
    }

    /// Works without a frame, if something is due.
    fn tick(&mut self) {
        if self.stages.is_due() {
            self.run(Box::default());
        }
    }

    /// Records what follows from the books, as a batch without frames.
    fn record(&mut self, follows: Follows) {
        let now = self.stages.clock.now();
        let Some(event) = follows(&self.stages.books, &now) else { return };
        let mut batch = Box::<Batch>::default();
        if self.stages.record(&mut batch.records, &event, &now) {
            let seq = self.stages.books.seq();
            if matches!(event, Event::ListRowsStaged(_)) {
                // One of hundreds; the change that they belong to is told.
                tracing::debug!(event = event.name(), seq, "recorded by order of an operator");
            } else {
                tracing::info!(event = event.name(), seq, "recorded by order of an operator");
            }
            self.hand_on(Commit::Batch(batch));
        }
    }

    fn finish(self) {
        let Self { stages, to_commit } = self;
        tracing::info!(seq = stages.books.seq(), "stopped; saving a checkpoint");
        hand_on(&to_commit, Commit::Finish(Box::new(stages.books)));
    }

    fn hand_on(&self, work: Commit) {
        hand_on(&self.to_commit, work);
    }
}

fn hand_on(to_commit: &Sender<Commit>, work: Commit) {
    // If the commit thread is gone, nothing may be answered, and its own error says why; the process is on its way out.
    let _commit_gone = to_commit.send(work);
}
