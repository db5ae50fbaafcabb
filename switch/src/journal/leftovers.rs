//! What a start finds of one that was cut off, and of a sync that failed: put right before the engine reads its files.
//!
//! Measured on sled 0.34.7 with recorded writes (program `crash --power`), and guarded here:
//! - a start writes a snapshot of the engine's own under another name and then renames it, but reads the other name, too:
//!   a start that is killed or loses its power in between leaves a torn one, over which every later start fails. It is
//!   a cache of the log, so what is not named whole is removed;
//! - the engine's settings are written at the very first start and not synced: torn, they forbid every later one. Before the
//!   anchor is there no record can be, so they are written anew;
//! - its snapshot may be durable before the log that it tells of, where a killed process has left that in the system's cache:
//!   so what is there is synced first;
//! - after a sync that failed the system may hold pages that the disk never got and no later sync writes. What can be dropped
//!   of its cache is dropped, so that a start proves what the disk holds.
//!
//! Nothing here is part of the journal's history. Start at [`settle`] and [`clear`].

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::JournalError;
use super::anchor::ANCHOR_FILE;
use super::engine::{DATA_FILE, sync_folder};
use super::log_tail::SNAPSHOT;
use super::tail::TAIL_FILES;

/// The engine's settings, and how the name of a snapshot ends while it is written.
const SETTINGS_FILE: &str = "conf";
const UNDER_WAY: &str = ".generating";

/// Makes durable what an earlier process has left, and has what is read from now on come from the disk.
pub(super) fn settle(dir: &Path) -> Result<(), JournalError> {
    let names = [DATA_FILE, ANCHOR_FILE].into_iter().chain(TAIL_FILES);
    let read: Vec<_> = names.map(|name| dir.join(name)).collect();
    settle_files(dir, &read)
}

/// As [`settle`], of a folder of which these files are read.
pub(super) fn settle_files(dir: &Path, read: &[PathBuf]) -> Result<(), JournalError> {
    sync_folder(dir)?;
    for path in read {
        match File::open(path) {
            Ok(file) => fadvise(&file, 0, None, Advice::DontNeed)
                .map_err(|error| JournalError::io("dropping what is cached of the journal")(error.into()))?,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(JournalError::Io { doing: "opening the journal's files", source }),
        }
    }
    Ok(())
}

/// Removes what a start that was cut off has left of the engine's own files. Only for whoever is about to open them.
pub(super) fn clear(dir: &Path) -> Result<(), JournalError> {
    let removing = "removing what a start has left";
    let begun_only = !dir.join(ANCHOR_FILE).exists();
    for entry in fs::read_dir(dir).map_err(JournalError::io(removing))? {
        let path = entry.map_err(JournalError::io(removing))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let snapshot = name.starts_with(SNAPSHOT) && name.ends_with(UNDER_WAY);
        if snapshot || (begun_only && name == SETTINGS_FILE) {
            fs::remove_file(&path).map_err(JournalError::io(removing))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{batch_of, open, read_all};
    use super::super::{SledStore, Store, StoreOptions};
    use super::*;

    /// A stopped journal of nine records, and the engine's newest snapshot in it.
    fn stopped() -> (tempfile::TempDir, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        for first in [1, 4, 7] {
            open(dir.path()).append(first, &batch_of(first, 3, 100)).unwrap();
        }
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let snapshot = names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(SNAPSHOT));
        let bytes = fs::read(snapshot.max().expect("the engine writes one at a start")).unwrap();
        (dir, bytes)
    }

    #[test]
    fn a_start_that_was_cut_off_while_the_engine_wrote_its_snapshot_forbids_no_later_one() {
        for (name, keep) in [("empty", 0), ("torn", 20), ("whole", usize::MAX)] {
            let (dir, snapshot) = stopped();
            let path = dir.path().join("snap.00000000000FFFFF.generating");
            fs::write(&path, &snapshot[..keep.min(snapshot.len())]).unwrap();
            assert_eq!(read_all(open(dir.path()).reader().as_ref()).len(), 9, "{name}");
            assert!(!path.exists(), "{name}");
        }
    }

    #[test]
    fn a_first_start_that_was_cut_off_forbids_no_second_one() {
        for (name, bytes) in
            [("empty", vec![]), ("zeros", vec![0; 63]), ("torn", b"segment_size: 83".to_vec())]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("blobs")).unwrap();
            fs::write(dir.path().join(SETTINGS_FILE), bytes).unwrap();
            let (store, report) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
            assert!(report.created && store.head().seq == 0, "{name}");
        }
    }

    #[test]
    fn settings_that_vanish_beside_records_are_not_made_up() {
        let (dir, _) = stopped();
        fs::write(dir.path().join(SETTINGS_FILE), [0; 63]).unwrap();
        let opened = SledStore::open(dir.path(), StoreOptions::default());
        assert!(matches!(opened, Err(JournalError::DamagedStore { .. })), "{opened:?}");
        assert_eq!(fs::read(dir.path().join(SETTINGS_FILE)).unwrap(), [0; 63]);
    }
}
