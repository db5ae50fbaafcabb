//! The mirror: the journal a second time, on another disk, as far as every answer that was given.
//!
//! A thread of its own takes over what is durable in the journal and makes it durable in the mirror's folder; the commit
//! thread lets answers go only then. A mirror that does not come along in time, or whose disk fails, is *out of step*: the
//! switch goes on without it and says so, the thread catches up beside the traffic, and from the commit on at which nothing
//! is missing any more answers wait for it again. With a wait of zero none ever does.
//!
//! So what a terminal was told while the mirror was in step is in both places, and a disk may be lost. The mirror is never in
//! front of the journal: at a start that would mean that the journal has lost something, and is refused.
//!
//! To serve from a mirror, `cardswitch journal restore --from` makes a data folder of it. Start at [`start`].

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::{
    clock::stopwatch,
    journal::{Checkpoints, JournalError, MirrorFolder, Reader, Seq, copy_checkpoint},
    telemetry::metrics::Metrics,
};

/// Between two tries on a folder that failed.
const RETRY: Duration = Duration::from_secs(5);

/// What the thread works with.
pub struct Task {
    /// The journal's durable records.
    pub reader: Box<dyn Reader>,
    /// The mirror's folder.
    pub folder: PathBuf,
    /// How long an answer waits for it; zero is not at all.
    pub wait: Duration,
    /// Counters.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("folder", &self.folder).field("wait", &self.wait).finish_non_exhaustive()
    }
}

/// How far the mirror is, and whether answers wait for it.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    mirrored: Seq,
    in_step: bool,
}

/// What both threads know.
#[derive(Debug, Default)]
struct Shared {
    step: Mutex<Step>,
    moved: Condvar,
    stopping: AtomicBool,
}

impl Shared {
    fn step(&self) -> MutexGuard<'_, Step> {
        // A number and a flag are whole whatever became of the other thread.
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Mirror {
    shared: Arc<Shared>,
    bell: Sender<()>,
    thread: JoinHandle<()>,
    folder: PathBuf,
    wait: Duration,
    metrics: Metrics,
}

/// By which other threads know of it: that of the commits waits, that of the checkpoints adds the newest.
#[derive(Clone, Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    bell: Sender<()>,
    folder: PathBuf,
    wait: Duration,
    metrics: Metrics,
}

/// Why a switch with a mirror does not serve.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It is in front of the journal or of another history.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system gives no thread.
    #[error("the mirror's thread cannot be started")]
    Thread(#[source] io::Error),
}

/// Whether a mirror lets the journal be served, asked before anything is appended. A folder that cannot be opened says
/// nothing; [`start`] tells of it.
///
/// # Errors
/// It is in front of the journal or of another history.
pub fn check(folder: &Path, reader: &dyn Reader) -> Result<(), MirrorError> {
    match MirrorFolder::open(folder).and_then(|folder| folder.check(reader)) {
        Err(error @ (JournalError::MirrorAhead { .. } | JournalError::MirrorOfOther { .. })) => {
            Err(error.into())
        }
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Opens the mirror and starts the thread, which first catches up with the journal; waits for that as long as an answer would. A folder that cannot be opened is told,
/// and tried again later.
///
/// # Errors
/// The mirror is in front of the journal or of another history; the system gives no thread.
pub fn start(task: Task) -> Result<Mirror, MirrorError> {
    let shared = Arc::new(Shared::default());
    let (bell, rung) = bounded(1);
    let (folder, wait, metrics) = (task.folder.clone(), task.wait, task.metrics.clone());
    let mut following = Following { task, shared: Arc::clone(&shared), folder: None, tried: stopwatch() };
    match following.open() {
        Err(error @ (JournalError::MirrorAhead { .. } | JournalError::MirrorOfOther { .. })) => {
            return Err(error.into());
        }
        Err(error) => following.lost(&error),
        Ok(()) => {}
    }
    let thread = std::thread::Builder::new().name("mirror".into());
    let thread = thread.spawn(move || following.run(&rung)).map_err(MirrorError::Thread)?;
    // It has something to do at once, and mostly little: then the first answer waits for it already.
    let _rung = bell.try_send(());
    let joined = shared.moved.wait_timeout_while(shared.step(), wait, |step| !step.in_step);
    drop(joined.unwrap_or_else(PoisonError::into_inner));
    Ok(Mirror { shared, bell, thread, folder, wait, metrics })
}

impl Mirror {
    /// For another thread.
    #[must_use]
    pub fn follower(&self) -> Follower {
        let (shared, bell) = (Arc::clone(&self.shared), self.bell.clone());
        let (folder, metrics) = (self.folder.clone(), self.metrics.clone());
        Follower { shared, bell, folder, wait: self.wait, metrics }
    }

    /// Takes over what is missing yet and ends the thread. Call it once nothing is appended any more. Whether it ended without
    /// a panic.
    #[must_use]
    pub fn stop(self) -> bool {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // A full channel wakes it as well.
        let _rung = self.bell.try_send(());
        self.thread.join().is_ok()
    }
}

impl Follower {
    /// Lets the mirror know of a commit and waits until it has it, if it is in step.
    pub fn follow(&self, seq: Seq) {
        if let Err(TrySendError::Disconnected(())) = self.bell.try_send(()) {
            return;
        }
        if self.wait.is_zero() {
            return;
        }
        let behind = |step: &mut Step| step.in_step && step.mirrored < seq;
        let waited = self.shared.moved.wait_timeout_while(self.shared.step(), self.wait, behind);
        let (mut step, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            step.in_step = false;
            drop(step);
            self.metrics.mirror_in_step(false);
            let ms = self.wait.as_millis();
            tracing::error!(seq, ms, "the mirror is too slow and out of step; answers no longer wait for it");
        }
    }

    /// Copies a checkpoint beside the mirror's records, if those go as far: a restore then need not begin with the first.
    pub fn copy_checkpoint(&self, checkpoints: &dyn Checkpoints, seq: Seq) {
        if self.shared.step().mirrored < seq {
            return;
        }
        if let Err(error) = copy_checkpoint(checkpoints, seq, &self.folder) {
            self.metrics.mirror_failed();
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, seq, "the checkpoint cannot be copied to the mirror");
        }
    }
}

/// What the thread owns.
struct Following {
    task: Task,
    shared: Arc<Shared>,
    /// Nothing while it cannot be written.
    folder: Option<MirrorFolder>,
    /// When it was found that it cannot.
    tried: Instant,
}

impl Following {
    fn run(mut self, rung: &Receiver<()>) {
        loop {
            let gone = rung.recv_timeout(RETRY) == Err(RecvTimeoutError::Disconnected);
            let stops = gone || self.shared.stopping.load(Ordering::Relaxed);
            if self.folder.is_some() || stops || self.tried.elapsed() >= RETRY {
                let done = self.open().and_then(|()| self.go_on());
                done.unwrap_or_else(|error| self.lost(&error));
            }
            if stops {
                return;
            }
        }
    }

    fn open(&mut self) -> Result<(), JournalError> {
        if self.folder.is_none() {
            let opened = MirrorFolder::open(&self.task.folder)?;
            opened.check(self.task.reader.as_ref())?;
            self.folder = Some(opened);
        }
        Ok(())
    }

    /// Takes over what is durable in the journal; in step again if nothing is missing then.
    fn go_on(&mut self) -> Result<(), JournalError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        folder.follow(self.task.reader.as_ref())?;
        let mirrored = folder.head().map_or(0, |head| head.seq);
        self.task.metrics.mirrored(mirrored);
        let mut step = self.shared.step();
        step.mirrored = mirrored;
        // Whatever is committed from here on finds it in step, and waits.
        let joins = !step.in_step && mirrored >= self.task.reader.head().seq;
        step.in_step |= joins;
        drop(step);
        self.shared.moved.notify_all();
        if joins {
            self.task.metrics.mirror_in_step(true);
            tracing::info!(seq = mirrored, folder = %self.task.folder.display(), "the mirror is in step");
        }
        Ok(())
    }

    fn lost(&mut self, error: &JournalError) {
        self.folder = None;
        self.tried = stopwatch();
        self.shared.step().in_step = false;
        self.shared.moved.notify_all();
        self.task.metrics.mirror_failed();
        self.task.metrics.mirror_in_step(false);
        let (error, seconds) = (error as &dyn std::error::Error, RETRY.as_secs());
        tracing::error!(error, seconds, "the mirror cannot be written; it is tried again in so many seconds");
    }
}
