//! The base: behind which record the store begins, kept in a file of its own beside the engine's.
//!
//! What lies behind the older checkpoint is archived and then removed from the store. The base is what a start verifies the
//! rest from: the last record that was removed, its time, and the chain's hash there. It is written before anything is
//! removed, so a cut between the two leaves records too many, never too few, and the next start removes them.
//!
//! `base.bin` has the same page of 4 KiB twice, so that one torn or flipped sector costs nothing: `"CWBASE" 0 and version |
//! record u64 | time i64 | chain hash | CRC32C`, little endian, then zeros. It is written whole under another name, synced,
//! renamed, and its folder synced. A journal without one begins at record 1.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::segment::{decode_head, encode_head};
use super::{Head, JournalError};

/// The base's name inside the journal's folder.
pub(super) const BASE_FILE: &str = "base.bin";
const BASE_FILE_NEW: &str = "base.new";

const MAGIC: [u8; 8] = *b"CWBASE\0\x01";
const PAGES: usize = 2;
const PAGE_BYTES: usize = 4096;
/// Magic, record, time and hash: what the CRC covers.
const COVERED_BYTES: usize = 8 + 8 + 8 + 32;

/// Reads the base in `dir`, changing nothing; [`Head::EMPTY`] if there is none.
pub(super) fn read(dir: &Path) -> Result<Head, JournalError> {
    let bytes = match fs::read(dir.join(BASE_FILE)) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Head::EMPTY),
        Err(source) => return Err(JournalError::Io { doing: "reading the base", source }),
    };
    bytes.chunks(PAGE_BYTES).take(PAGES).find_map(decode_page).ok_or(JournalError::BaseDamaged)
}

/// Records that the store begins behind `base`, durably.
pub(super) fn write(dir: &Path, base: &Head) -> Result<(), JournalError> {
    let (new, path) = (dir.join(BASE_FILE_NEW), dir.join(BASE_FILE));
    let page = encode_page(base);
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        for _ in 0..PAGES {
            file.write_all(&page)?;
        }
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(JournalError::io("writing the base"))
}

fn encode_page(base: &Head) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    page[..8].copy_from_slice(&MAGIC);
    page[8..COVERED_BYTES].copy_from_slice(&encode_head(base));
    let crc = crc32c::crc32c(&page[..COVERED_BYTES]);
    page[COVERED_BYTES..COVERED_BYTES + 4].copy_from_slice(&crc.to_le_bytes());
    page
}

fn decode_page(page: &[u8]) -> Option<Head> {
    let (covered, rest) = page.split_first_chunk::<COVERED_BYTES>()?;
    let crc: &[u8; 4] = rest.first_chunk()?;
    let whole = crc32c::crc32c(covered).to_le_bytes() == *crc;
    decode_head(covered.strip_prefix(&MAGIC)?).filter(|_| whole)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const BASE: Head = Head { seq: 500, hash: [7; 32], time_ms: 1_700_000_000_000 };

    #[test]
    fn what_was_written_last_is_read_and_no_file_is_an_empty_base() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Head::EMPTY);
        for base in [Head { seq: 3, ..BASE }, BASE] {
            write(dir.path(), &base).unwrap();
            assert_eq!(read(dir.path()).unwrap(), base);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_damaged_page_costs_nothing_and_two_are_noticed() {
        type Edit = fn(&mut Vec<u8>);
        let rows: [(&str, Edit, bool); 7] = [
            ("first page flipped", |x| x[12] ^= 1, true),
            ("second page flipped", |x| x[PAGE_BYTES + 30] ^= 1, true),
            ("first page zeroed", |x| x[..PAGE_BYTES].fill(0), true),
            ("cut behind the first page", |x| x.truncate(PAGE_BYTES), true),
            ("both flipped", |x| [0, PAGE_BYTES + 20].into_iter().for_each(|at| x[at] ^= 1), false),
            ("cut inside the first page", |x| x.truncate(40), false),
            ("emptied", Vec::clear, false),
        ];
        for (name, edit, opens) in rows {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &BASE).unwrap();
            let path = dir.path().join(BASE_FILE);
            let mut bytes = fs::read(&path).unwrap();
            edit(&mut bytes);
            fs::write(&path, bytes).unwrap();
            match read(dir.path()) {
                Ok(read) => assert!(opens && read == BASE, "{name}: {read:?}"),
                Err(error) => {
                    assert!(!opens && matches!(error, JournalError::BaseDamaged), "{name}: {error}")
                }
            }
        }
    }
}
