//! From segments to a data folder that can be served: the journal, up to a record or a time, and the books that it makes.
//!
//! It is built beside the folder asked for and takes its name only once it is whole, replayed and durable. Start at
//! [`restore`].

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{
    app::journal_dir,
    books::{Books, owed::BooksFault},
    journal::{JournalError, Seq, Store, Until, restore_segments},
    recovery::{self, RecoveryError},
};

/// What is to be restored.
pub struct Wanted<'a> {
    /// Folders of segments: archives and backups, with the checkpoints beside them.
    pub from: &'a [PathBuf],
    /// The data folder to be made; it must not be there.
    pub to: &'a Path,
    /// Up to where.
    pub until: Until,
}

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("to", &self.to).field("until", &self.until).finish_non_exhaustive()
    }
}

/// What was restored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Restored {
    /// The last record taken over.
    pub seq: Seq,
    /// Its time, UTC milliseconds.
    pub time_ms: i64,
    /// The record behind which the replay began: 0, or that of a checkpoint where the segments do not reach back further.
    pub replayed_from: Seq,
    /// The state's hash there; the same as that of the original at this record.
    pub state_hash: [u8; 32],
    /// The chain's hash there; the same as that of the original where a commit of it ended.
    pub chain_hash: [u8; 32],
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The folder is there.
    #[error("{} is there already; name a folder that is not, nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// What a restore that was cut off has left.
    #[error("{} is there, left by a restore that was cut off or is under way; delete it if none is", .0.display())]
    LeftOver(PathBuf),
    /// The segments or the new journal refuse.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The records make no books.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The books do not add up.
    #[error("the restored ledger does not add up")]
    Ledger(#[from] BooksFault),
    /// The new folder cannot be placed.
    #[error("placing the restored folder failed")]
    Io(#[from] io::Error),
}

/// Restores; `progress` hears records twice, as they are written and as they are replayed.
///
/// # Errors
/// Whatever keeps the folder from being whole; none is left under its name then.
pub fn restore(wanted: Wanted<'_>, progress: &mut dyn FnMut(Seq)) -> Result<Restored, RestoreError> {
    let building = building(wanted.to)?;
    let made = build(&building, wanted.from, wanted.until, progress);
    if made.is_err() {
        // What counts is why it failed; what stays of it says so by its name.
        let _stays = fs::remove_dir_all(&building);
    }
    let restored = made?;
    fs::rename(&building, wanted.to)?;
    sync_parent(wanted.to)?;
    Ok(restored)
}

/// Where the folder is built: beside the one asked for.
fn building(to: &Path) -> Result<PathBuf, RestoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(RestoreError::Exists(to.to_owned()));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let building = to.with_file_name(name);
    if building.symlink_metadata().is_ok() { Err(RestoreError::LeftOver(building)) } else { Ok(building) }
}

fn build(
    building: &Path,
    from: &[PathBuf],
    until: Until,
    progress: &mut dyn FnMut(Seq),
) -> Result<Restored, RestoreError> {
    fs::create_dir_all(building)?;
    let store = restore_segments(from, &journal_dir(building), until, progress)?;
    let (head, first) = (store.head(), store.reader().first()?);
    // From record 1 where there is one: that proves the records, and not a checkpoint.
    let mut books = Books::default();
    if first == 1 {
        recovery::replay(store.reader().as_ref(), &mut books, head.seq, progress)?;
    } else {
        books = recovery::restore(&store, progress)?;
    }
    books.verify()?;
    let restored = Restored {
        seq: head.seq,
        time_ms: head.time_ms,
        replayed_from: first - 1,
        state_hash: books.state_hash(),
        chain_hash: head.hash,
    };
    Box::new(store).close()?;
    sync_parent(&journal_dir(building))?;
    Ok(restored)
}

/// Makes a name durable in the folder that it stands in.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
