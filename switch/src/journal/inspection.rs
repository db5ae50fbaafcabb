//! Looking at a stopped journal without changing it.
//!
//! The engine writes to its files whenever it opens them, so a check of a folder works on a copy.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::JournalError;
use super::engine::{DATA_FILE, lock};

const COPYING: &str = "copying the journal";

/// Copies a stopped journal to a temporary folder, which goes when the value is dropped.
///
/// The original is only read, and its lock is held meanwhile, so that no switch starts on it half-way. The
/// copy is in the system's temporary folder (`TMPDIR`), which needs room for all of the journal.
///
/// # Errors
/// [`JournalError::InUse`] if a process has the journal open, and I/O errors, a folder without a journal
/// among them.
pub fn copy_for_inspection(dir: &Path) -> Result<TempDir, JournalError> {
    let to = tempfile::Builder::new().prefix("cardswitch-journal-").tempdir();
    let to = to.map_err(JournalError::io(COPYING))?;
    copy_stopped(dir, to.path())?;
    Ok(to)
}

/// Copies a stopped journal into an empty folder.
pub(super) fn copy_stopped(dir: &Path, to: &Path) -> Result<(), JournalError> {
    let Some(_lock) = lock(dir)? else {
        let source = io::Error::new(io::ErrorKind::NotFound, format!("no file {DATA_FILE} in the folder"));
        return Err(JournalError::Io { doing: COPYING, source });
    };
    copy_folder(dir, to).map_err(JournalError::io(COPYING))
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
