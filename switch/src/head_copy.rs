//! The journal's head, told outside the data folder: a small file, best on another disk or machine, and a line in the log.
//!
//! Whoever puts an older copy of the data folder in its place has a journal that is whole in itself. Only what was told
//! elsewhere says that it once went further, so a start below the highest head that was told is refused. The one way past
//! that is an epoch, which two officers order ([`crate::epoch`]).
//!
//! Start at [`check`] and [`start`].

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde::{Deserialize, Serialize};

use crate::{
    books::{Books, order::What},
    clock::stopwatch,
    hex,
    journal::{Head, JournalError, Reader, Seq},
    orders::{Officers, OrderError},
    telemetry::metrics::Metrics,
};

/// How often the file is written while the journal grows.
const TELL: Duration = Duration::from_secs(1);

/// How often the log says it.
const LOG: Duration = Duration::from_secs(600);

/// A head as it is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToldHead {
    /// The epoch it is of.
    pub epoch: u32,
    /// The last durable record.
    pub seq: Seq,
    /// The chain's hash there, hex digits.
    pub hash: String,
}

/// Why a journal is not served under what was told of it.
#[derive(Debug, thiserror::Error)]
pub enum HeadCopyError {
    /// The copy cannot be read.
    #[error("journal.head_copy: {} cannot be read ({problem}); put it right, or name another file if it is lost", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The journal ends before what was told.
    #[error(
        "the journal ends at record {head} of epoch {epoch}, and record {told} of epoch {told_epoch} was told to {}: this is an older copy \
         of the data folder; put the newer one back, or begin a new epoch by order of two officers", path.display()
    )]
    Older {
        /// The journal's last record.
        head: Seq,
        /// Its epoch.
        epoch: u32,
        /// The record that was told.
        told: Seq,
        /// Its epoch.
        told_epoch: u32,
        /// Where it was told.
        path: PathBuf,
    },
    /// The journal has that record with another history.
    #[error("record {seq} has another chain hash than was told to {}: this is another journal; put the right data folder back", path.display())]
    OtherHistory {
        /// The record.
        seq: Seq,
        /// Where it was told.
        path: PathBuf,
    },
    /// An epoch was begun since, and not by two officers who are enrolled.
    #[error("the journal is of epoch {epoch}, which was never told to {}, and its order does not count", path.display())]
    NotOrdered {
        /// The epoch.
        epoch: u32,
        /// Where it was not told.
        path: PathBuf,
        /// Why.
        #[source]
        source: OrderError,
    },
    /// An epoch was begun since, and no officers are configured.
    #[error(
        "the journal is of epoch {0}, which was never told; name the file of officers in orders.officers, so that its order can be checked"
    )]
    NoOfficers(u32),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Reads what was told; nothing if nothing was yet.
///
/// # Errors
/// The file is there and cannot be read.
pub fn read(path: &Path) -> Result<Option<ToldHead>, HeadCopyError> {
    let unreadable = |problem: String| HeadCopyError::Unreadable { path: path.to_owned(), problem };
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|_| unreadable("it is no head".to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.kind().to_string())),
    }
}

/// Tells a head, durably and whole.
///
/// # Errors
/// I/O errors; what was told before stands then.
pub fn write(path: &Path, told: &ToldHead) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(told)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether a journal may be served under what was told of it before.
///
/// # Errors
/// See [`HeadCopyError`].
pub fn check(
    path: &Path,
    books: &Books,
    reader: &dyn Reader,
    officers: Option<&Officers>,
) -> Result<(), HeadCopyError> {
    let Some(told) = read(path)? else { return Ok(()) };
    let (head, epoch) = (reader.head().seq, books.epoch());
    if told.epoch > epoch || (told.epoch == epoch && told.seq > head) {
        let path = path.to_owned();
        return Err(HeadCopyError::Older { head, epoch, told: told.seq, told_epoch: told.epoch, path });
    }
    if told.epoch == epoch {
        // What is told is where a commit ended, so where none did the history is another.
        return match reader.hash_at(told.seq)? {
            Some(hash) if hex::digits(&hash) == told.hash => Ok(()),
            _ => Err(HeadCopyError::OtherHistory { seq: told.seq, path: path.to_owned() }),
        };
    }
    for begun in books.epochs().iter().filter(|begun| begun.number > told.epoch) {
        let officers = officers.ok_or(HeadCopyError::NoOfficers(begun.number))?;
        let not_ordered =
            |source| HeadCopyError::NotOrdered { epoch: begun.number, path: path.to_owned(), source };
        let order = begun.order.as_ref().ok_or_else(|| not_ordered(OrderError::Unsigned(0)))?;
        officers.check_signatures(order).map_err(not_ordered)?;
        // An order for another journal is good there only.
        if let What::BeginEpoch { keeps, hash, .. } = order.order.what
            && reader.hash_at(keeps)? != Some(hash)
        {
            return Err(HeadCopyError::OtherHistory { seq: keeps, path: path.to_owned() });
        }
    }
    Ok(())
}

/// What the thread works with.
pub struct Task {
    /// The journal's durable records.
    pub reader: Box<dyn Reader>,
    /// The epoch that is served.
    pub epoch: u32,
    /// The file; without one, only the log is told.
    pub path: Option<PathBuf>,
    /// Counters.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("epoch", &self.epoch).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Teller {
    /// Dropped to wake the thread.
    bell: Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub fn start(task: Task) -> io::Result<Teller> {
    let (bell, rung) = bounded(0);
    let thread = std::thread::Builder::new().name("head".into()).spawn(move || task.run(&rung))?;
    Ok(Teller { bell, thread })
}

impl Teller {
    /// Tells the last head and ends the thread. Call it once nothing is appended any more. Whether it ended without a panic.
    #[must_use]
    pub fn stop(self) -> bool {
        drop(self.bell);
        self.thread.join().is_ok()
    }
}

impl Task {
    fn run(&self, rung: &Receiver<()>) {
        let (mut told, mut logged, mut said) = (None, self.reader.head().seq, stopwatch());
        self.log(&self.reader.head());
        loop {
            let stops = rung.recv_timeout(TELL) != Err(RecvTimeoutError::Timeout);
            let head = self.reader.head();
            if told != Some(head.seq) && self.tell(&head) {
                told = Some(head.seq);
            }
            if logged != head.seq && (stops || since(said) >= LOG) {
                self.log(&head);
                (logged, said) = (head.seq, stopwatch());
            }
            if stops {
                return;
            }
        }
    }

    /// Whether it could be told. What cannot be is counted, and tried again a second later: the switch does not stop for it.
    fn tell(&self, head: &Head) -> bool {
        let Some(path) = &self.path else { return true };
        let told = ToldHead { epoch: self.epoch, seq: head.seq, hash: hex::digits(&head.hash) };
        let written = write(path, &told);
        if let Err(error) = &written {
            self.metrics.head_copy_failed();
            tracing::error!(%error, path = %path.display(), "the journal's head cannot be told");
        }
        written.is_ok()
    }

    fn log(&self, head: &Head) {
        tracing::info!(
            seq = head.seq,
            hash = hex::digits(&head.hash),
            epoch = self.epoch,
            "head of the journal"
        );
    }
}

fn since(said: Instant) -> Duration {
    said.elapsed()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        books::event::Event,
        journal::{MemoryStore, RecordBatch, Store},
    };

    #[test]
    fn a_journal_is_served_only_if_a_commit_ended_where_was_told_with_the_hash_that_was_told() {
        let mut store = MemoryStore::new();
        for first in [1, 3] {
            let mut batch = RecordBatch::new();
            for seq in first..first + 2 {
                batch.push(seq, 1, |body| Event::GenesisDone.write(body)).unwrap();
            }
            store.append(first, &batch).unwrap();
        }
        let reader = store.reader();
        let digits = |seq| hex::digits(&reader.hash_at(seq).unwrap().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let rows = [
            ("where a commit ended", 2, digits(2), true),
            ("the end", 4, digits(4), true),
            ("another hash", 4, digits(2), false),
            ("inside a commit, as of a fork that grew past it", 3, digits(2), false),
            ("behind the end", 5, digits(4), false),
        ];
        for (name, seq, hash, served) in rows {
            write(&path, &ToldHead { epoch: 1, seq, hash }).unwrap();
            let checked = check(&path, &Books::default(), reader.as_ref(), None);
            assert_eq!(checked.is_ok(), served, "{name}: {checked:?}");
        }
    }
}
