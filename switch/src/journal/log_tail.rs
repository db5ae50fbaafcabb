//! Where the engine looks for the end of its log, and how a start that lost its power may have hidden that from the next.
//!
//! sled 0.34.7 cuts its log into segments, each with a header: which place of the log it holds, and up to which place the log
//! was stable when it was begun. A start takes the greatest stable place of all headers, begins with the segment that holds
//! it, and follows the log from there to its end; if that very segment is missing, it takes the log for empty **and wipes
//! what comes behind**. A start also wipes segments that hold no page any more, that one among them if everything in it has
//! been written anew since; its own snapshot, which lets the next start begin later, may be lost by then, because the engine
//! does not sync the folder in between. So a power cut in that moment leaves a log that is whole and is not found
//! (found by `crash --power`, which shows it again with `CARDSWITCH_TEST_SEED=9409194926959079849` if [`mend`] does nothing).
//!
//! The mend: where the segment with the stable place is gone and later ones are there, the first of those says that
//! everything before it is stable. Nothing is believed by that: the journal's own chain, checked behind it, tells if a
//! record is missing. Start at [`mend`].

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::JournalError;
use super::engine::{DATA_FILE, SEGMENT_BYTES};

/// How the engine names its snapshot: this, and the stable place of the log in hexadecimal.
pub(super) const SNAPSHOT: &str = "snap.";

/// CRC-32, place and stable place, 4 and 8 and 8 bytes, little endian; the places with [`MASK`].
const HEADER_BYTES: usize = 20;
const MASK: i64 = i64::MAX;

/// A segment of the engine's log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Segment {
    /// Where in the file it begins.
    offset: u64,
    /// Which place of the log it begins with.
    place: i64,
    /// Up to where the log was stable when it was begun; -1 for the first.
    stable: i64,
}

impl Segment {
    fn read(header: &[u8; HEADER_BYTES], offset: u64) -> Option<Self> {
        let (crc, covered) = header.split_first_chunk::<4>()?;
        let (place, stable) = covered.split_first_chunk::<8>()?;
        let whole = !crc32fast::hash(covered) == u32::from_le_bytes(*crc);
        let place = i64::from_le_bytes(*place) ^ MASK;
        let stable = i64::from_le_bytes(stable.try_into().ok()?) ^ MASK;
        whole.then_some(Self { offset, place, stable })
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[4..12].copy_from_slice(&(self.place ^ MASK).to_le_bytes());
        header[12..].copy_from_slice(&(self.stable ^ MASK).to_le_bytes());
        let crc = !crc32fast::hash(&header[4..]);
        header[..4].copy_from_slice(&crc.to_le_bytes());
        header
    }
}

/// Lets the engine find the end of its log. Durable when it returns; whether anything had to be mended.
pub(super) fn mend(dir: &Path) -> Result<bool, JournalError> {
    let from = newest_snapshot(dir).map_err(JournalError::io("looking for the engine's snapshot"))?;
    let mended = || -> io::Result<bool> {
        let file = match OpenOptions::new().read(true).write(true).open(dir.join(DATA_FILE)) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        let Some(hidden) = hidden_tail(&segments(&file)?, from) else { return Ok(false) };
        let found = Segment { stable: hidden.place, ..hidden };
        file.write_all_at(&found.header(), hidden.offset)?;
        file.sync_data()?;
        Ok(true)
    };
    mended().map_err(JournalError::io("looking for the end of the engine's log"))
}

/// The first segment behind the one in which the tail should begin, if that one is missing.
fn hidden_tail(segments: &[Segment], from: i64) -> Option<Segment> {
    let base = |place: i64| place - place % SEGMENT_BYTES as i64;
    let from = base(from);
    let looked_at = || segments.iter().filter(|segment| segment.place >= from);
    let begin = base(looked_at().map(|segment| segment.stable).max()?.max(from));
    if looked_at().any(|segment| segment.place == begin) {
        return None;
    }
    looked_at().filter(|segment| segment.place > begin).min_by_key(|segment| segment.place).copied()
}

/// Those segments of the file whose header is whole.
fn segments(file: &fs::File) -> io::Result<Vec<Segment>> {
    let len = file.metadata()?.len();
    let mut found = Vec::new();
    for offset in (0..len).step_by(SEGMENT_BYTES) {
        let mut header = [0; HEADER_BYTES];
        if offset + HEADER_BYTES as u64 <= len {
            file.read_exact_at(&mut header, offset)?;
            found.extend(Segment::read(&header, offset));
        }
    }
    Ok(found)
}

/// The place of the log from which the engine will read; 0 without a snapshot.
fn newest_snapshot(dir: &Path) -> io::Result<i64> {
    let mut newest = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let place = name.to_str().and_then(|name| name.strip_prefix(SNAPSHOT));
        newest = newest.max(place.and_then(|place| i64::from_str_radix(place, 16).ok()).unwrap_or(0));
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(nth: u64, stable: i64) -> Segment {
        Segment { offset: nth, place: (nth as i64) << 23, stable }
    }

    #[test]
    fn a_header_is_read_as_it_is_written_and_not_when_a_bit_differs() {
        let whole = segment(3, (2 << 23) + 77);
        assert_eq!(Segment::read(&whole.header(), 3), Some(whole));
        for bit in 0..HEADER_BYTES * 8 {
            let mut header = whole.header();
            header[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Segment::read(&header, 3), None, "bit {bit}");
        }
        assert_eq!(Segment::read(&[0; HEADER_BYTES], 3), None, "wiped");
    }

    #[test]
    fn the_tail_is_hidden_only_where_its_first_segment_is_gone() {
        let inside = |place: i64| (place << 23) + 5;
        let rows: [(&str, &[Segment], i64, Option<u64>); 7] = [
            ("empty", &[], 0, None),
            ("all there", &[segment(0, -1), segment(1, inside(0))], 0, None),
            ("first gone", &[segment(1, inside(0))], 0, Some(1)),
            ("a snapshot behind it", &[segment(1, inside(0))], inside(1), None),
            (
                "a hole far before the tail",
                &[segment(0, -1), segment(4, inside(3)), segment(3, inside(0))],
                0,
                None,
            ),
            ("two behind it", &[segment(5, inside(3)), segment(4, inside(3)), segment(1, -1)], 0, Some(4)),
            ("a snapshot at the border of what is not begun", &[segment(1, inside(0))], 2 << 23, None),
        ];
        for (name, segments, from, want) in rows {
            assert_eq!(hidden_tail(segments, from).map(|found| found.offset), want, "{name}");
        }
    }
}
