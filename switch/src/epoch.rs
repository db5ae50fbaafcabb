//! A new epoch: the journal goes on from an earlier record, because what came behind it is lost, damaged, or not to count.
//! Two officers order it; the order is the first record of the epoch.
//!
//! Nothing is thrown away: the epoch begins in a copy that is cut off behind the record and takes the journal's place, and the
//! journal of before stays beside it, whole. Start at [`begin`].

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    app::{archive_dir, journal_dir},
    books::{
        Acquirer, Books, ZoneKeys,
        event::Event,
        order::{SignedOrder, What},
    },
    clock::Clock,
    journal::{self, Head, JournalError, RecordBatch, Seq, SledStore, StoppedJournal, Store, StoreOptions},
    orders::{Officers, OrderError},
    recovery::{self, RecoveryError},
};

/// Why no epoch was begun. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The order does not count.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The order is about something else.
    #[error("this order is carried out by a running switch: cardswitch order carry-out FILE --admin URL")]
    OtherOrder,
    /// The record has another history than the order says.
    #[error(
        "record {keeps} of the journal has another chain hash than the order names: the order is for another journal"
    )]
    OtherHistory {
        /// The last record that the order keeps.
        keeps: Seq,
    },
    /// The epochs do not follow one another.
    #[error("the order begins epoch {ordered}, and epoch {next} is the next")]
    OtherEpoch {
        /// What the order says.
        ordered: u32,
        /// What comes next.
        next: u32,
    },
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not replay.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The folders cannot be changed over.
    #[error("the folder of the journal cannot be changed over")]
    Io(#[from] io::Error),
}

/// A stopped switch's data folder.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// The folder.
    pub data: &'a Path,
    /// Its archive, where that lies elsewhere.
    pub archive: Option<&'a Path>,
}

/// What was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Begun {
    /// The epoch's number.
    pub epoch: u32,
    /// The record that began it.
    pub seq: Seq,
    /// Where the journal of before lies.
    pub before: PathBuf,
    /// The zone keys that each acquirer has in the books now.
    pub acquirers: Vec<AcquirerKeys>,
}

/// An acquirer's zone keys, by their check values: PIN, MAC to the switch, MAC from the switch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AcquirerKeys {
    /// Field 32.
    pub acquirer: String,
    /// Those in use.
    pub current: [[u8; 3]; 3],
    /// Those that it was given and has not used yet, if there are any.
    pub pending: Option<[[u8; 3]; 3]>,
    /// Whether it was given newer ones behind the record that is kept, which are lost.
    pub changed_since: bool,
}

/// What an order has to say to begin the next epoch of a stopped data folder behind `keeps`, or, if that is not given,
/// behind the last record that is whole. The folder is only read.
///
/// # Errors
/// See [`EpochError`].
pub fn point(
    folder: Folder<'_>,
    keeps: Option<Seq>,
    progress: &mut dyn FnMut(Seq),
) -> Result<What, EpochError> {
    let stopped = StoppedJournal::lock(&journal_dir(folder.data))?;
    let (before, mut head) = as_far_as_whole(&stopped, folder, progress)?;
    if keeps.is_some_and(|keeps| keeps != head.seq) {
        let copy = temporary()?;
        head = stopped.cut_copy(copy.path(), keeps, progress)?;
    }
    Ok(What::BeginEpoch { epoch: before.epoch + 1, keeps: head.seq, hash: head.hash })
}

/// What is known of the journal that an epoch ends.
struct Before {
    epoch: u32,
    /// By how many versions each acquirer's zone keys have been changed.
    key_versions: Vec<u32>,
}

impl Before {
    fn of(books: &Books) -> Self {
        let newest = |acquirer: &Acquirer| newest_keys(acquirer).version;
        Self { epoch: books.epoch(), key_versions: books.acquirers().iter().map(newest).collect() }
    }

    /// The zone keys in books that go on from an earlier record.
    fn keys_in(&self, books: &Books) -> Vec<AcquirerKeys> {
        let keys = |(acquirer, version): (&Acquirer, &u32)| AcquirerKeys {
            acquirer: acquirer.id.to_string(),
            current: acquirer.current.texts.check_values,
            pending: acquirer.pending.as_ref().map(|keys| keys.texts.check_values),
            changed_since: newest_keys(acquirer).version < *version,
        };
        books.acquirers().iter().zip(&self.key_versions).map(keys).collect()
    }
}

fn newest_keys(acquirer: &Acquirer) -> &ZoneKeys {
    acquirer.pending.as_ref().unwrap_or(&acquirer.current)
}

/// The epoch of a stopped data folder and its acquirers' keys, and where its journal ends or ceases to be whole.
fn as_far_as_whole(
    stopped: &StoppedJournal,
    folder: Folder<'_>,
    progress: &mut dyn FnMut(Seq),
) -> Result<(Before, Head), EpochError> {
    let copy = temporary()?;
    let head = stopped.cut_copy(copy.path(), None, progress)?;
    let (store, _) = SledStore::open_archived(
        copy.path(),
        &archive_dir(folder.data, folder.archive),
        StoreOptions::default(),
        progress,
    )?;
    Ok((Before::of(&recovery::restore(&store, progress)?), head))
}

fn temporary() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("cardswitch-journal-").tempdir()
}

/// Begins an epoch in a stopped data folder. Where its journal goes on behind the record that the order keeps, or is damaged
/// there, a copy of it is cut off and takes its place; the journal of before stays beside it, whole.
///
/// # Errors
/// See [`EpochError`].
pub fn begin(
    folder: Folder<'_>,
    order: &SignedOrder,
    officers: &Officers,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<Begun, EpochError> {
    officers.check(order, clock.now().unix_ms())?;
    let (epoch, keeps, hash) = what(order)?;
    let journal = journal_dir(folder.data);
    // Until the folders have changed places: what a switch recorded meanwhile would go with the journal of before.
    let stopped = StoppedJournal::lock(&journal)?;
    // Of the whole journal, not of what is kept: an order that was carried out must not be carried out again.
    let whole = as_far_as_whole(&stopped, folder, progress)?.0;
    let next = whole.epoch + 1;
    if epoch != next {
        return Err(EpochError::OtherEpoch { ordered: epoch, next });
    }
    let before = folder.data.join(format!("journal.before-epoch-{epoch}"));
    if before.symlink_metadata().is_ok() {
        let there = format!("{} is there already; move it away", before.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, there).into());
    }
    let beside = folder.data.join(format!("journal.epoch-{epoch}"));
    if beside.exists() {
        // Of a try that was cut off before the folders changed places; nothing in it counts.
        fs::remove_dir_all(&beside)?;
    }
    let head = stopped.cut_copy(&beside, Some(keeps), progress)?;
    if head.hash != hash {
        return Err(EpochError::OtherHistory { keeps });
    }
    let books = begin_in((&beside, &archive_dir(folder.data, folder.archive)), order, clock, progress)?;
    journal::sync_tree(&beside)?;
    // In one step, so that there is a journal under the name whenever the machine stops.
    renameat_with(CWD, &beside, CWD, &journal, RenameFlags::EXCHANGE).map_err(io::Error::from)?;
    fs::rename(&beside, &before)?;
    File::open(folder.data)?.sync_all()?;
    Ok(Begun { epoch, seq: books.seq(), before, acquirers: whole.keys_in(&books) })
}

fn what(order: &SignedOrder) -> Result<(u32, Seq, [u8; 32]), EpochError> {
    match order.order.what {
        What::BeginEpoch { epoch, keeps, hash } => Ok((epoch, keeps, hash)),
        _ => Err(EpochError::OtherOrder),
    }
}

fn begin_in(
    (journal, archive): (&Path, &Path),
    order: &SignedOrder,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<Books, EpochError> {
    let (mut store, _) = SledStore::open_archived(journal, archive, StoreOptions::default(), progress)?;
    let mut books = recovery::restore(&store, progress)?;
    clock.not_before(books.time_ms());
    let (seq, time_ms) = (books.seq() + 1, clock.now().unix_ms());
    let event = Event::EpochBegun(Box::new(order.clone()));
    let mut batch = RecordBatch::new();
    batch.push(seq, time_ms, |body| event.write(body))?;
    books.apply(seq, time_ms, &event).map_err(RecoveryError::from)?;
    store.append(seq, &batch)?;
    Box::new(store).close()?;
    Ok(books)
}
