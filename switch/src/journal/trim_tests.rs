//! Trimming, cut off between any two of its steps: nothing is lost, and the next start or trimming goes on.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::testing::{Folder, batch_of, chunks_of, open, read_all, save};
use super::*;

const GO_ON: &dyn Fn() -> ControlFlow<()> = &|| ControlFlow::Continue(());

type Records = Vec<(Seq, i64, Vec<u8>)>;

/// A journal of 300 records in 100 extents, all of them in the engine, with checkpoints at 150 and 240, and its records.
fn journal(dir: &Path) -> (SledStore, Records) {
    let mut store = open(dir);
    for first in (1..300).step_by(3) {
        let head = store.append(first, &batch_of(first, 3, 100)).unwrap();
        if [150, 240].contains(&head.seq) {
            save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
        }
    }
    Box::new(store).close().unwrap();
    let store = open(dir);
    let records = read_all(store.reader().as_ref());
    (store, records)
}

/// What a journal answers: its records from the first on, its head and checkpoints.
fn assert_whole(store: &SledStore, records: &Records, name: &str) {
    assert!(read_all(store.reader().as_ref()) == *records, "{name}");
    assert_eq!(store.reader().first().unwrap(), 1, "{name}");
    assert_eq!(store.head().seq, 300, "{name}");
    let mut from_inside = Vec::new();
    let visit = &mut |record: Record<'_>| {
        from_inside.push(record.seq);
        if record.seq < 160 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.reader().read(140, visit).unwrap();
    assert_eq!(from_inside, (140..=160).collect::<Vec<_>>(), "{name}: over the seam");
}

#[test]
fn what_is_behind_the_older_checkpoint_is_archived_and_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (store, records) = journal(dir.path());
    assert_eq!(store.checkpoints().trim(151, GO_ON).unwrap(), Trimmed::default(), "too few");
    let trimmed = store.checkpoints().trim(150, GO_ON).unwrap();
    assert_eq!(trimmed, Trimmed { base: 150, records: 150, segments: 1, removed: 50, deleted: 0 });
    assert_eq!(store.extents.len(), 50);
    assert_whole(&store, &records, "at once");
    assert_eq!(store.head().seq, 300);
    let again = store.checkpoints().trim(1, GO_ON).unwrap();
    assert_eq!(again, Trimmed { base: 150, ..Trimmed::default() }, "nothing to do");
    Box::new(store).close().unwrap();

    let (store, report) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.base, report.extents, report.left_over), (150, 50, 0));
    assert_eq!(report.checkpoints, [240, 150]);
    assert_whole(&store, &records, "after a start");
    assert_eq!(store.checkpoints().load(150).unwrap().at.seq, 150, "the one at the base is of the chain");
}

#[test]
fn one_checkpoint_alone_and_an_unreadable_older_one_trim_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let head = store.append(1, &batch_of(1, 3, 100)).unwrap();
    save(store.checkpoints().as_ref(), &head, &chunks_of(3)).unwrap();
    assert_eq!(store.checkpoints().trim(1, GO_ON).unwrap(), Trimmed::default());

    let dir = tempfile::tempdir().unwrap();
    let (store, records) = journal(dir.path());
    let older = dir.path().join(format!("checkpoints/{:020}.checkpoint", 150));
    let mut bytes = fs::read(&older).unwrap();
    bytes[40_000] ^= 1;
    fs::write(&older, bytes).unwrap();
    assert!(store.checkpoints().trim(1, GO_ON).is_err());
    assert_eq!(store.extents.len(), 100);
    assert_whole(&store, &records, "nothing was removed");
}

#[test]
fn an_archive_that_cannot_be_written_or_is_of_another_journal_stops_the_trimming() {
    let other = tempfile::tempdir().unwrap();
    let (store, _) = journal(other.path());
    let file = tempfile::tempdir().unwrap();
    fs::write(file.path().join("archive"), b"no folder").unwrap();
    drop(store);
    let archive = file.path().join("archive");
    let (store, _) =
        SledStore::open_archived(other.path(), &archive, StoreOptions::default(), &mut |_| ()).unwrap();
    assert!(store.checkpoints().trim(1, GO_ON).is_err(), "a file stands where the folder should");
    assert_eq!(store.extents.len(), 100);
    drop(store);
    let shared = tempfile::tempdir().unwrap();
    let (store, _) =
        SledStore::open_archived(other.path(), shared.path(), StoreOptions::default(), &mut |_| ()).unwrap();
    store.checkpoints().trim(1, GO_ON).unwrap();
    let foreign = tempfile::tempdir().unwrap();
    let mut wrong = open(foreign.path());
    for first in (1..300).step_by(2) {
        let head = wrong.append(first, &batch_of(first, 2, 90)).unwrap();
        if [100, 200].contains(&head.seq) {
            save(wrong.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
        }
    }
    Box::new(wrong).close().unwrap();
    let (wrong, _) =
        SledStore::open_archived(foreign.path(), shared.path(), StoreOptions::default(), &mut |_| ())
            .unwrap();
    let refused = wrong.checkpoints().trim(1, GO_ON).unwrap_err().to_string();
    assert!(refused.contains("of different histories"), "{refused}");
    assert_eq!(wrong.extents.len(), 150);
}

#[test]
fn a_crash_between_any_two_steps_is_healed_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (store, records) = journal(dir.path());
    let head_at_base = store.checkpoints().load(150).unwrap().at;
    // Told to stop at its n-th pause, a trimming leaves the folder as a crash there would.
    let mut left_over = 0;
    for stop_at in [0, 1, 20, 49, 50, 51, 52, 70, 98, 99, 100, 101, 120] {
        let copy = tempfile::tempdir().unwrap();
        Folder::read(dir.path()).write(copy.path());
        let cut = open(copy.path());
        let steps = Cell::new(0);
        let pause = || {
            steps.set(steps.get() + 1);
            if steps.get() > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        cut.checkpoints().trim(1, &pause).unwrap();
        // As a killed process leaves them, not as one that closes.
        let killed = tempfile::tempdir().unwrap();
        Folder::read(copy.path()).write(killed.path());
        let name = format!("stopped at pause {stop_at}");
        let (healed, report) = SledStore::open(killed.path(), StoreOptions::default()).unwrap();
        left_over += report.left_over;
        assert_whole(&healed, &records, &name);
        healed.checkpoints().trim(1, GO_ON).unwrap();
        assert_eq!(healed.extents.len(), 50, "{name}");
        assert_whole(&healed, &records, &format!("{name}, and trimmed again"));
    }
    assert!(left_over > 0, "some were stopped in the middle of the removal");

    // Between the base and the first removal there is no pause.
    let (archived, based) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Folder::read(dir.path()).write(archived.path());
    open(archived.path()).checkpoints().trim(1, GO_ON).unwrap();
    Folder::read(dir.path()).write(based.path());
    let mut archive = Folder::read(archived.path());
    archive.0.retain(|path, _| path.starts_with("archive"));
    archive.write(based.path());
    super::base::write(based.path(), &head_at_base).unwrap();
    let (healed, report) = SledStore::open(based.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.base, report.left_over), (150, 50));
    assert_whole(&healed, &records, "the base alone was recorded");
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = journal(dir.path());
    store.checkpoints().trim(1, GO_ON).unwrap();
    Box::new(store).close().unwrap();
    let whole = Folder::read(dir.path());
    let opened = |edit: &dyn Fn(&mut Folder)| {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = whole.clone();
        edit(&mut folder);
        folder.write(dir.path());
        let opened = SledStore::open(dir.path(), StoreOptions::default()).map(|(store, _)| store);
        opened.and_then(|store| store.reader().read(1, &mut |_| ControlFlow::Continue(())))
    };
    let segment = |folder: &mut Folder| {
        let path = folder.0.keys().find(|path| path.starts_with("archive")).unwrap().clone();
        folder.0.remove(&path)
    };
    opened(&|_| ()).unwrap();
    type Edit<'a> = &'a dyn Fn(&mut Folder);
    let no_archive: Edit<'_> = &|folder| drop(segment(folder));
    let no_base: Edit<'_> = &|folder| drop(folder.0.remove(Path::new("base.bin")));
    let later_base: Edit<'_> = &|folder| {
        let dir = tempfile::tempdir().unwrap();
        let base = Head { seq: 147, hash: [1; 32], time_ms: 0 };
        super::base::write(dir.path(), &base).unwrap();
        folder.0.extend(Folder::read(dir.path()).0);
    };
    let rows = [
        (
            "the archive is gone",
            no_archive,
            "record 1 is neither in the journal, which begins behind record 150",
        ),
        ("the base is gone", no_base, "record 1: it is missing though later ones are there"),
        ("the base is another", later_base, "record 148: it is missing though later ones are there"),
    ];
    for (name, edit, want) in rows {
        let refused = opened(edit).unwrap_err().to_string();
        assert!(refused.contains(want), "{name}: {refused}");
    }
}

#[test]
fn a_reader_sees_every_record_while_the_journal_is_trimmed_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = journal(dir.path());
    let (reader, checkpoints) = (store.reader(), store.checkpoints());
    let mut read = Vec::new();
    let mut trims = 0;
    let visit = &mut |record: Record<'_>| {
        read.push(record.seq);
        if record.seq.is_multiple_of(40) {
            let first = store.head().seq + 1;
            let head = store.append(first, &batch_of(first, 3, 100)).unwrap();
            save(checkpoints.as_ref(), &head, &chunks_of(head.seq)).unwrap();
            trims += u64::from(checkpoints.trim(1, GO_ON).unwrap().records > 0);
        }
        ControlFlow::Continue(())
    };
    reader.read(1, visit).unwrap();
    assert_eq!(read, (1..=300).collect::<Vec<_>>());
    assert!(trims > 3, "{trims}");
}

#[test]
fn old_segments_are_deleted_and_the_rest_is_told_from_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { archive_days: 1, ..StoreOptions::default() };
    let (mut store, _) = SledStore::open(dir.path(), options).unwrap();
    let day_ms = 24 * 3_600_000;
    for day in 0..6 {
        let first = store.head().seq + 1;
        let head = store.append(first, &super::testing::batch_at(first, 3, 100, day * day_ms)).unwrap();
        save(store.checkpoints().as_ref(), &head, &chunks_of(head.seq)).unwrap();
        store.checkpoints().trim(1, GO_ON).unwrap();
    }
    // Checkpoints at 15 and 18: the base is 15, of day 4; day 3 is not older than a day.
    assert_eq!(store.reader().first().unwrap(), 10);
    let missing = store.reader().read(1, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(missing, Err(JournalError::NotArchived { seq: 1, base: 15, .. })), "{missing:?}");
    let mut read = Vec::new();
    let visit = &mut |record: Record<'_>| {
        read.push(record.seq);
        ControlFlow::Continue(())
    };
    store.reader().read(10, visit).unwrap();
    assert_eq!(read, (10..=18).collect::<Vec<_>>());
}
