//! Looking at a stopped journal without changing it.
//!
//! The engine writes to its files whenever it opens them, so a check of a folder works on a copy.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::JournalError;
use super::engine::{DATA_FILE, lock};

const COPYING: &str = "copying the journal";

/// A stopped journal. Its lock is held as long as this value is there, so that no switch starts on it meanwhile.
#[derive(Debug)]
pub struct StoppedJournal {
    dir: PathBuf,
    _lock: File,
}

impl StoppedJournal {
    /// Locks a stopped journal.
    ///
    /// # Errors
    /// [`JournalError::InUse`] if a process has the journal open, and I/O errors, a folder without a journal among them.
    pub fn lock(dir: &Path) -> Result<Self, JournalError> {
        match lock(dir)? {
            Some(lock) => Ok(Self { dir: dir.to_owned(), _lock: lock }),
            None => {
                let missing = format!("no file {DATA_FILE} in the folder");
                let source = io::Error::new(io::ErrorKind::NotFound, missing);
                Err(JournalError::Io { doing: COPYING, source })
            }
        }
    }

    /// Copies it into an empty folder. The original is only read.
    pub(super) fn copy(&self, to: &Path) -> Result<(), JournalError> {
        copy_folder(&self.dir, to).map_err(JournalError::io(COPYING))
    }
}

/// Copies a stopped journal to a temporary folder, which goes when the value is dropped.
///
/// The original is only read, and its lock is held meanwhile. The copy is in the system's temporary folder (`TMPDIR`),
/// which needs room for all of the journal.
///
/// # Errors
/// As [`StoppedJournal::lock`], and I/O errors.
pub fn copy_for_inspection(dir: &Path) -> Result<TempDir, JournalError> {
    let to = tempfile::Builder::new().prefix("cardswitch-journal-").tempdir();
    let to = to.map_err(JournalError::io(COPYING))?;
    StoppedJournal::lock(dir)?.copy(to.path())?;
    Ok(to)
}

/// Makes durable what is in a folder: its files, and their names. What was copied may be in the system's cache alone.
///
/// # Errors
/// I/O errors; what is durable is not known then.
pub fn sync_tree(dir: &Path) -> Result<(), JournalError> {
    sync_files(dir).map_err(JournalError::io("syncing the copied journal"))
}

fn sync_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_files(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

/// Copies the files of a folder and of the folders in it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{Folder, batch_of, open, read_all};
    use super::super::{SledStore, Store};
    use super::*;

    #[test]
    fn a_copy_opens_and_the_original_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        store.append(1, &batch_of(1, 3, 100)).unwrap();
        let want = read_all(store.reader().as_ref());
        Box::new(store).close().unwrap();
        let copy = copy_for_inspection(dir.path()).unwrap();
        let before = Folder::read(dir.path());
        let inspected = open(copy.path());
        assert_eq!(read_all(inspected.reader().as_ref()), want);
        assert_eq!(Folder::read(dir.path()), before);
    }

    #[test]
    fn a_journal_in_use_is_neither_copied_nor_opened_twice() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let refused = copy_for_inspection(dir.path()).map(drop);
        assert!(matches!(refused, Err(JournalError::InUse)), "{refused:?}");
        let refused = SledStore::open(dir.path(), super::super::StoreOptions::default()).map(drop);
        assert!(matches!(refused, Err(JournalError::InUse)), "{refused:?}");
        assert!(JournalError::InUse.to_string().contains("--admin URL"));
        drop(store);
        copy_for_inspection(dir.path()).unwrap();
    }

    #[test]
    fn a_folder_without_a_journal_is_an_error() {
        let refused = copy_for_inspection(tempfile::tempdir().unwrap().path());
        assert!(matches!(refused, Err(JournalError::Io { .. })), "{refused:?}");
    }
}
