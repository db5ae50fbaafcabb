//! How long the disk takes to make a small write durable: what an answer waits for at least, under any load.

use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::tally::histogram;

/// Writes that are measured.
const ROUNDS: usize = 200;

/// Bytes of each.
const BYTES: usize = 4096;

/// The most that measuring may take, on a slow disk.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Appends 4 KiB and calls `fdatasync`, 200 times, in a file of this folder that is deleted again. Nanoseconds.
///
/// # Errors
/// The folder does not take the file.
pub fn measure(folder: &Path) -> io::Result<Histogram<u64>> {
    let mut scratch = tempfile::Builder::new().prefix(".loadgen-sync-").tempfile_in(folder)?;
    let (begun, mut latency) = (Instant::now(), histogram());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        scratch.write_all(&[0x5A; BYTES])?;
        scratch.as_file().sync_data()?;
        latency.saturating_record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if begun.elapsed() > TIME_MAX {
            break;
        }
    }
    scratch.close()?;
    Ok(latency)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn it_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let latency = measure(folder.path()).unwrap();
        assert!(latency.max() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measure(&folder.path().join("missing")).is_err());
    }
}
