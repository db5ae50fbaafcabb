//! sled, held the way this journal needs it.
//!
//! Measured on sled 0.34.7, and guarded here:
//! - its `flush` writes but does not `fsync`: [`Engine::sync`] does, through a descriptor of our own;
//! - values above a quarter of its segment go to files that are never synced: segments are 8 MiB;
//! - its flush timer is off, because the commit thread says when;
//! - opening or reading damaged files can panic: [`guarded`] turns that into an error.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::JournalError;
use super::leftovers::clear;
use super::log_tail::mend;

/// The engine's one data file, which also carries its lock.
pub(super) const DATA_FILE: &str = "db";

/// Large enough that no extent or chunk, nor a leaf of sixteen of them, becomes a file of its own.
pub(super) const SEGMENT_BYTES: usize = 8 << 20;
/// What the engine may keep of its pages in memory. The journal is read at a start and by people, hardly ever while it
/// is written, so this is little: all of it would be filled in time.
const CACHE_BYTES: u64 = 16 << 20;
/// A store this process has just dropped lets go of its lock when its I/O threads are done.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// An open engine and our own descriptor on its data file.
pub(super) struct Engine {
    db: sled::Db,
    data_file: File,
}

impl Engine {
    /// Opens or creates the engine in `dir`. Call it inside [`guarded`].
    pub(super) fn open(dir: &Path) -> Result<Self, JournalError> {
        clear(dir)?;
        mend(dir)?;
        let db = sled::Config::new()
            .path(dir)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open()
            .map_err(open_error)?;
        let data_file =
            File::open(dir.join(DATA_FILE)).map_err(JournalError::io("opening the journal's file"))?;
        Ok(Self { db, data_file })
    }

    /// Opens or creates one keyspace.
    pub(super) fn tree(&self, name: &str) -> Result<sled::Tree, JournalError> {
        self.db.open_tree(name).map_err(engine_error("opening the journal"))
    }

    /// Has the engine write what it buffers; this alone survives a killed process, not a power cut.
    pub(super) fn flush(&self) -> Result<(), JournalError> {
        self.db.flush().map(drop).map_err(engine_error("flushing the journal"))
    }

    /// Makes durable what was flushed.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        self.data_file.sync_data().map_err(JournalError::io("syncing the journal"))
    }
}

/// Creates the folder if need be, for its owner only.
pub(super) fn ensure_folder(dir: &Path) -> Result<(), JournalError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(JournalError::io("creating the folder"))
}

/// Makes the names in a folder durable, and the folder's own name in its parent.
pub(super) fn sync_folder(dir: &Path) -> Result<(), JournalError> {
    let sync = || -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(dir)?.sync_all()?;
        match dir.canonicalize()?.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    sync().map_err(JournalError::io("syncing the folder"))
}

/// Takes the lock of the engine in `dir` without changing a byte; it is held until the file is dropped.
/// `None` if there is no data file yet.
pub(super) fn lock(dir: &Path) -> Result<Option<File>, JournalError> {
    let file = match File::open(dir.join(DATA_FILE)) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(JournalError::Io { doing: "opening the journal's file", source }),
    };
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            #[expect(clippy::disallowed_methods, reason = "before anything is served; nobody is held up")]
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => {
                return Err(JournalError::Io { doing: "locking the journal", source });
            }
        }
    }
    Err(JournalError::InUse)
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread, now, would be caught and become a [`JournalError`].
///
/// A panic hook that aborts the process asks this first, and lets such a panic unwind.
#[must_use]
pub fn catches_store_panics() -> bool {
    GUARDED.get()
}

/// Runs what may meet damaged files, and turns the engine's panics into errors.
pub(super) fn guarded<T>(
    doing: &'static str,
    run: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let outer = GUARDED.replace(true);
    // Nothing that `run` had under way outlives its panic: the caller drops the store or refuses to open it.
    let ran = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    ran.unwrap_or(Err(JournalError::DamagedStore { doing }))
}

/// Sorts the engine's errors: damage it noticed itself, or the system's refusal.
pub(super) fn engine_error(doing: &'static str) -> impl FnOnce(sled::Error) -> JournalError {
    move |error| match error {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) | sled::Error::Unsupported(_) => {
            JournalError::DamagedStore { doing }
        }
        other => JournalError::Io { doing, source: other.into() },
    }
}

fn open_error(error: sled::Error) -> JournalError {
    match error {
        // The engine has no variant of its own for a lock that another process holds.
        sled::Error::Io(source) if source.to_string().starts_with("could not acquire lock") => {
            JournalError::InUse
        }
        other => engine_error("opening it")(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_hook_can_tell() {
        let failed: Result<(), _> = guarded("a test", || {
            assert!(catches_store_panics());
            panic!("expected by this test")
        });
        assert!(matches!(failed, Err(JournalError::DamagedStore { doing: "a test" })));
        assert!(!catches_store_panics());
    }

    #[test]
    fn the_engines_own_findings_count_as_damage() {
        let rows = [
            (sled::Error::Corruption { at: None, bt: () }, true),
            (sled::Error::Unsupported("another segment size".to_owned()), true),
            (sled::Error::Io(io::Error::from(io::ErrorKind::StorageFull)), false),
        ];
        for (error, damage) in rows {
            let name = format!("{error:?}");
            assert_eq!(matches!(open_error(error), JournalError::DamagedStore { .. }), damage, "{name}");
        }
    }
}
