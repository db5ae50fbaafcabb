//! Damage to every file of the folder: the journal opens with every acknowledged record, or refuses.
//!
//! Positions come from a seeded generator; a failure prints the seed, the file and the place.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::testing::{Folder, Lcg, batch_of, chunks_of, newest, read_all, save};
use super::*;

type Records = Vec<(Seq, i64, Vec<u8>)>;

/// A stopped journal inside the engine's first segment.
fn stopped_journal() -> (Folder, Records) {
    journal_of(12, 160)
}

/// A stopped journal of three runs of so many commits, with checkpoints, and the records acknowledged.
fn journal_of(commits: u64, body_len: usize) -> (Folder, Records) {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..3 {
        let (mut store, _) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
        for commit in 0..commits {
            let first = store.head().seq + 1;
            store.append(first, &batch_of(first, 1 + commit % 5, body_len)).unwrap();
        }
        if run < 2 {
            let head = store.head();
            save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
        }
        if run == 2 {
            let records = read_all(store.reader().as_ref());
            Box::new(store).close().unwrap();
            return (Folder::read(dir.path()), records);
        }
    }
    unreachable!("the third run returns")
}

#[derive(Debug, Default)]
struct Tally {
    opened: u32,
    refused: u32,
    checkpoints_lost: u32,
    passed_over: usize,
}

impl Tally {
    /// Opens a damaged folder twice. Both times it gives every acknowledged record, or refuses.
    fn try_open(&mut self, name: &str, damaged: &Folder, acknowledged: &Records) {
        let dir = tempfile::tempdir().unwrap();
        damaged.write(dir.path());
        let first = self.open_once(name, dir.path(), acknowledged);
        let second = self.open_once(name, dir.path(), acknowledged);
        // A refusal must not heal into a shorter journal; a success must not decay.
        assert!(first == second, "{name}: opened {first}, then {second}");
        if first { self.opened += 1 } else { self.refused += 1 }
    }

    fn open_once(&mut self, name: &str, dir: &Path, acknowledged: &Records) -> bool {
        match SledStore::open(dir, StoreOptions::default()) {
            Ok((store, _)) => {
                let records = read_all(store.reader().as_ref());
                assert!(records == *acknowledged, "{name}: opened with {} records", records.len());
                self.check_checkpoint(name, &store);
                true
            }
            Err(JournalError::InUse | JournalError::Options { .. }) => {
                panic!("{name}: refused for a wrong reason")
            }
            Err(_) => false,
        }
    }

    /// A checkpoint that loads is as it was saved.
    fn check_checkpoint(&mut self, name: &str, store: &SledStore) {
        let (found, passed_over) = newest(store.checkpoints().as_ref());
        match found {
            Some((at, chunks)) => assert!(chunks == chunks_of(at.seq), "{name}"),
            None => self.checkpoints_lost += 1,
        }
        self.passed_over += passed_over.len();
    }
}

/// Those with something in them that can be damaged.
fn files(folder: &Folder) -> Vec<PathBuf> {
    folder.0.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(path, _)| path.clone()).collect()
}

/// The part of a file that is not its zeroed end.
fn written(bytes: &[u8]) -> Range<usize> {
    0..bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1).min(bytes.len())
}

#[test]
fn an_undamaged_folder_opens_every_time() {
    let (folder, acknowledged) = stopped_journal();
    let names: Vec<_> = files(&folder).iter().map(|path| path.display().to_string()).collect();
    for kind in ["anchor.bin", "checkpoints/", "conf", "db", "snap.", "tail-0.bin"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "no {kind} in {names:?}");
    }
    let mut tally = Tally::default();
    tally.try_open("undamaged", &folder, &acknowledged);
    assert_eq!((tally.opened, tally.checkpoints_lost), (1, 0));
}

#[test]
fn a_flipped_byte_anywhere_loses_nothing_unnoticed() {
    const SEED: u64 = 0x0F11_BBED;
    let (folder, acknowledged) = stopped_journal();
    let mut random = Lcg(SEED);
    for path in files(&folder) {
        let mut tally = Tally::default();
        let range = written(&folder.0[&path]);
        for _ in 0..30 {
            let at = random.within(&range);
            let flip = random.byte() | 1;
            let mut damaged = folder.clone();
            damaged.0.get_mut(&path).unwrap()[at] ^= flip;
            let name = format!("seed {SEED:#x}: {} at {at} flipped by {flip:#04x}", path.display());
            tally.try_open(&name, &damaged, &acknowledged);
        }
        assert_eq!(tally.opened + tally.refused, 30, "{tally:?}");
        if path.starts_with("checkpoints") {
            assert_eq!((tally.opened, tally.checkpoints_lost), (30, 0), "the other one is taken: {tally:?}");
            // Every byte is covered; the older one is not even looked at.
            let is_newest = folder.0.keys().rfind(|path| path.starts_with("checkpoints")) == Some(&path);
            assert_eq!(tally.passed_over, if is_newest { 60 } else { 0 }, "{tally:?}");
        }
    }
}

#[test]
fn a_flipped_byte_in_one_of_many_segments_loses_nothing_unnoticed() {
    const SEED: u64 = 0x5E67;
    // The engine reads full segments lazily, and panics on some damage there instead of dropping the tail.
    let (folder, acknowledged) = journal_of(40, 16_000);
    let db = Path::new("db");
    assert!(folder.0[db].len() > 2 * (8 << 20), "more than two segments");
    let (mut random, mut tally) = (Lcg(SEED), Tally::default());
    let range = written(&folder.0[db]);
    for _ in 0..30 {
        let at = random.within(&range);
        let mut damaged = folder.clone();
        damaged.0.get_mut(db).unwrap()[at] ^= 0xFF;
        tally.try_open(&format!("seed {SEED:#x}: db at {at} flipped"), &damaged, &acknowledged);
    }
    // What the engine has written anew elsewhere may be damaged without loss; what it has not, may not.
    assert!(tally.opened > 0 && tally.refused > 0, "{tally:?}");
}

#[test]
fn a_torn_tail_of_the_data_file_loses_nothing_unnoticed() {
    const SEED: u64 = 0x7047;
    let (folder, acknowledged) = stopped_journal();
    for with_tail in [true, false] {
        let (mut random, mut tally) = (Lcg(SEED), Tally::default());
        let range = written(&folder.0[Path::new("db")]);
        for _ in 0..30 {
            let len = random.within(&range);
            let mut damaged = folder.clone();
            damaged.0.retain(|path, _| with_tail || !path.to_string_lossy().starts_with("tail-"));
            damaged.0.get_mut(Path::new("db")).unwrap().truncate(len);
            tally.try_open(&format!("seed {SEED:#x}: db cut to {len}"), &damaged, &acknowledged);
        }
        // A cut inside what was written takes records with it. What the tail still has comes back from there; without it all
        // of these must be noticed.
        assert_eq!(tally.opened > 0, with_tail, "{tally:?}");
        assert!(tally.refused > 0, "{tally:?}");
    }
}

#[test]
fn zeroed_ranges_lose_nothing_unnoticed() {
    const SEED: u64 = 0x2E40;
    let (folder, acknowledged) = stopped_journal();
    let mut random = Lcg(SEED);
    for path in files(&folder) {
        let mut tally = Tally::default();
        let range = written(&folder.0[&path]);
        for _ in 0..30 {
            let start = random.within(&range);
            let end = (start + 1 + random.within(&(0..4_096))).min(range.end);
            let mut damaged = folder.clone();
            damaged.0.get_mut(&path).unwrap()[start..end].fill(0);
            let name = format!("seed {SEED:#x}: {} zeroed from {start} to {end}", path.display());
            tally.try_open(&name, &damaged, &acknowledged);
        }
        assert_eq!(tally.opened + tally.refused, 30, "{tally:?}");
    }
}

#[test]
fn a_missing_file_loses_nothing_unnoticed() {
    let (folder, acknowledged) = stopped_journal();
    let mut tally = Tally::default();
    for path in files(&folder) {
        let mut damaged = folder.clone();
        damaged.0.remove(&path);
        tally.try_open(&format!("{} removed", path.display()), &damaged, &acknowledged);
    }
    assert!(tally.refused >= 2, "without its data or its anchor a journal must not open: {tally:?}");
}

/// A stopped journal that was trimmed, with its archive inside.
fn trimmed_journal() -> (Folder, Records) {
    let (folder, records) = stopped_journal();
    let dir = tempfile::tempdir().unwrap();
    folder.write(dir.path());
    let (store, _) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
    let trimmed = store.checkpoints().trim(1, &|| ControlFlow::Continue(())).unwrap();
    assert!(trimmed.base > 0 && trimmed.removed > 0);
    Box::new(store).close().unwrap();
    (Folder::read(dir.path()), records)
}

/// How a trimmed journal opens: all of it, the part that is not archived, or not at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Opened {
    Whole,
    ArchiveRefused,
    Refused,
}

fn open_trimmed(name: &str, dir: &Path, acknowledged: &Records) -> Opened {
    let Ok((store, report)) = SledStore::open(dir, StoreOptions::default()) else { return Opened::Refused };
    let reader = store.reader();
    let mut read = Records::new();
    let visit = &mut |record: Record<'_>| {
        read.push((record.seq, record.time_ms, record.body.to_vec()));
        ControlFlow::Continue(())
    };
    let whole = reader.read(1, visit);
    assert!(acknowledged.starts_with(&read), "{name}: what was read is what was written");
    match whole {
        Ok(()) => {
            assert!(read == *acknowledged, "{name}: {} records", read.len());
            Opened::Whole
        }
        Err(JournalError::Segment { seq, .. } | JournalError::NotArchived { seq, .. }) => {
            assert!((1..=report.base + 1).contains(&seq), "{name}: names record {seq}");
            let mut behind = Records::new();
            let visit = &mut |record: Record<'_>| {
                behind.push((record.seq, record.time_ms, record.body.to_vec()));
                ControlFlow::Continue(())
            };
            reader.read(report.base + 1, visit).unwrap();
            assert!(acknowledged.ends_with(&behind) && behind.last() == acknowledged.last(), "{name}");
            Opened::ArchiveRefused
        }
        Err(error) => panic!("{name}: names no record: {error}"),
    }
}

#[test]
fn damage_anywhere_in_a_trimmed_folder_loses_nothing_unnoticed() {
    const SEED: u64 = 0x7121_AAED;
    const EACH: usize = 15;
    type Spoil = fn(&mut Vec<u8>, &mut Lcg);
    let kinds: [(&str, Spoil); 3] = [
        ("flipped", |bytes, random| {
            let at = random.within(&written(bytes));
            bytes[at] ^= random.byte() | 1;
        }),
        ("zeroed", |bytes, random| {
            let range = written(bytes);
            let start = random.within(&range);
            let end = (start + 1 + random.within(&(0..4_096))).min(range.end);
            bytes[start..end].fill(0);
        }),
        ("cut", |bytes, random| {
            let len = random.within(&written(bytes));
            bytes.truncate(len);
        }),
    ];
    let (folder, acknowledged) = trimmed_journal();
    let names: Vec<_> = files(&folder).iter().map(|path| path.display().to_string()).collect();
    for kind in ["anchor.bin", "archive/", "base.bin", "checkpoints/", "db"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "no {kind} in {names:?}");
    }
    for (kind, spoil) in kinds {
        let (mut random, mut tried) = (Lcg(SEED), 0);
        for path in files(&folder) {
            let mut opened = Vec::new();
            for _ in 0..EACH {
                let mut damaged = folder.clone();
                spoil(damaged.0.get_mut(&path).unwrap(), &mut random);
                let name = format!("seed {SEED:#x}, {tried}: {} {kind}", path.display());
                let dir = tempfile::tempdir().unwrap();
                damaged.write(dir.path());
                let first = open_trimmed(&name, dir.path(), &acknowledged);
                assert_eq!(first, open_trimmed(&name, dir.path(), &acknowledged), "{name}: the second time");
                opened.push(first);
                tried += 1;
            }
            let all = |want: &[Opened]| opened.iter().all(|opened| want.contains(opened));
            let name = path.display();
            match path.to_str().unwrap() {
                // What a checkpoint or a segment lacks keeps nobody from serving.
                path if path.starts_with("archive") => {
                    assert!(all(&[Opened::Whole, Opened::ArchiveRefused]), "{name}")
                }
                path if path.starts_with("checkpoints") => {
                    assert!(all(&[Opened::Whole]), "{name}: {opened:?}")
                }
                // One page of two is enough.
                "base.bin" if kind == "flipped" => assert!(all(&[Opened::Whole]), "{name}: {opened:?}"),
                _ => {}
            }
        }
        assert!(tried >= 100, "{kind}: {tried}");
    }
}
