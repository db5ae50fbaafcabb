//! The file of a change's rows, which goes with its order: sixteen bytes of a key, four of an end, one of a reason each.
//! It holds no card number and no telephone; who has the key of tokens could try them out, so it is for its owner alone.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use crate::books::lists::change::{CHANGE_ROWS_MAX, ListChange, ROW_BYTES, hash_of};

/// The first bytes of the file.
const HEAD: &[u8] = b"cardswitch list rows 1\n";

/// Most bytes of rows.
pub const ROWS_BYTES_MAX: usize = CHANGE_ROWS_MAX * ROW_BYTES;

/// Why the rows of an order cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file cannot be read or written.
    #[error("{}: the rows of the order cannot be read or written ({kind}); the file goes with the order", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        kind: ErrorKind,
    },
    /// It holds something else.
    #[error("{}: these are not the rows that the order was signed for", .0.display())]
    Other(PathBuf),
}

/// Where the rows of an order lie.
#[must_use]
pub fn path_of(order: &Path) -> PathBuf {
    let mut path = OsString::from(order);
    path.push(".rows");
    path.into()
}

/// Writes the rows of an order, whole or not at all.
///
/// # Errors
/// I/O errors.
pub fn write(order: &Path, rows: &[u8]) -> Result<(), RowsError> {
    let path = path_of(order);
    let mut new = OsString::from(&path);
    new.push(".new");
    let written = std::fs::write(&new, [HEAD, rows].concat()).and_then(|()| std::fs::rename(&new, &path));
    written.map_err(|error| RowsError::Io { path, kind: error.kind() })
}

/// Reads the rows of an order, and holds them to what it says of them.
///
/// # Errors
/// They are not there, or others.
pub fn read(order: &Path, change: &ListChange) -> Result<Vec<u8>, RowsError> {
    let path = path_of(order);
    let most = (HEAD.len() + ROWS_BYTES_MAX) as u64 + 1;
    let mut bytes = Vec::new();
    let read: io::Result<usize> =
        File::open(&path).and_then(|file| Read::take(file, most).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(RowsError::Io { path, kind: error.kind() });
    }
    match bytes.strip_prefix(HEAD) {
        Some(rows) if are_of(change, rows) => Ok(rows.to_vec()),
        _ => Err(RowsError::Other(path)),
    }
}

/// Whether these are the rows of a change.
#[must_use]
pub fn are_of(change: &ListChange, rows: &[u8]) -> bool {
    rows.len() == change.rows as usize * ROW_BYTES && hash_of(rows) == change.hash
}
