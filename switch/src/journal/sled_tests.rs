//! The durable store as a whole: appending, reading, reopening, refusing.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, OpenOptions};
use std::ops::ControlFlow;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::anchor::{ANCHOR_FILE, Anchor, Anchored};
use super::testing::{Folder, batch_at, batch_of, chunks_of, newest, open, read_all, save};
use super::*;

fn append(store: &mut dyn Store, count: u64, body_len: usize) -> Head {
    let first = store.head().seq + 1;
    store.append(first, &batch_of(first, count, body_len)).unwrap()
}

fn seqs_from(reader: &dyn Reader, from: Seq) -> Vec<Seq> {
    let mut seqs = Vec::new();
    let visit = &mut |record: Record<'_>| {
        seqs.push(record.seq);
        ControlFlow::Continue(())
    };
    reader.read(from, visit).unwrap();
    seqs
}

fn stores(dir: &Path) -> [(&'static str, Box<dyn Store>); 2] {
    [("sled", Box::new(open(dir))), ("memory", Box::new(MemoryStore::new()))]
}

#[test]
fn what_was_appended_is_read_from_any_record_on() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mut store) in stores(dir.path()) {
        let reader = store.reader();
        // Batches of several extents, of one, and of one record.
        for (count, body_len) in [(3, 160), (1, 5), (40, 8_000), (2, RECORD_BODY_MAX)] {
            append(store.as_mut(), count, body_len);
        }
        for from in [0, 1, 2, 4, 5, 20, 44, 46] {
            assert_eq!(
                seqs_from(reader.as_ref(), from),
                (from.max(1)..=46).collect::<Vec<_>>(),
                "{name} {from}"
            );
        }
        assert!(seqs_from(reader.as_ref(), 47).is_empty(), "{name}");
        let expected = batch_of(1, 3, 160);
        let got = read_all(reader.as_ref());
        assert!(
            expected.iter().zip(&got).all(|(want, got)| want.body == got.2 && want.time_ms == got.1),
            "{name}"
        );
        assert_eq!(reader.head(), store.head(), "{name}");
    }
}

#[test]
fn both_stores_reach_the_same_head() {
    let dir = tempfile::tempdir().unwrap();
    let heads = stores(dir.path()).map(|(_, mut store)| {
        append(store.as_mut(), 3, 100);
        append(store.as_mut(), 30, 5_000)
    });
    assert_eq!(heads[0], heads[1]);
}

#[test]
fn a_visitor_may_stop_early() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mut store) in stores(dir.path()) {
        append(store.as_mut(), 5, 10);
        let mut seen = 0;
        let visit = &mut |_: Record<'_>| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.reader().read(2, visit).unwrap();
        assert_eq!(seen, 2, "{name}");
    }
}

#[test]
fn appends_out_of_order_are_refused_and_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mut store) in stores(dir.path()) {
        append(store.as_mut(), 3, 10);
        let rows = [
            ("expected is behind", 3, batch_of(3, 1, 10)),
            ("expected is ahead", 5, batch_of(5, 1, 10)),
            ("batch is not at expected", 4, batch_of(5, 1, 10)),
            ("time goes back", 4, batch_at(4, 1, 10, 0)),
        ];
        for (row, expected, batch) in rows {
            let refused = store.append(expected, &batch);
            let right = match refused {
                Err(JournalError::Sequence { expected: 4, got }) => {
                    got == expected.max(batch.first_seq().unwrap()).min(5) || got == 3
                }
                Err(JournalError::TimeWentBack { seq: 4 }) => row == "time goes back",
                _ => false,
            };
            assert!(right, "{name}, {row}: {refused:?}");
        }
        assert_eq!(
            store.append(4, &RecordBatch::new()).unwrap().seq,
            3,
            "{name}: an empty batch changes nothing"
        );
        assert_eq!(append(store.as_mut(), 1, 10).seq, 4, "{name}");
    }
}

#[test]
fn a_closed_journal_reopens_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { extent_bytes: EXTENT_BYTES_MIN, anchor_lag_ms: 60_000, ..StoreOptions::default() };
    let (mut store, report) = SledStore::open(&dir.path().join("made/on/the/way"), options).unwrap();
    assert!(report.created && report.head == Head::EMPTY && report.extents == 0);
    append(&mut store, 100, 1_000);
    let head = append(&mut store, 2, 100);
    let want = read_all(store.reader().as_ref());
    Box::new(store).close().unwrap();

    let mut heard = Vec::new();
    let dir = dir.path().join("made/on/the/way");
    let (store, report) = SledStore::open_with_progress(&dir, options, &mut |seq| heard.push(seq)).unwrap();
    let want_report = OpenReport {
        created: false,
        head,
        extents: 8,
        base: 0,
        from_tail: 0,
        left_over: 0,
        ahead_of_anchor: 0,
        anchor_slot_damaged: false,
        checkpoints: vec![],
    };
    assert_eq!(report, want_report);
    assert_eq!((heard.len(), heard.last()), (8, Some(&102)));
    assert!(heard.is_sorted());
    assert_eq!(read_all(store.reader().as_ref()), want);
    assert_eq!(store.head(), head);
}

#[test]
fn everything_acknowledged_is_in_the_files_at_once_as_a_killed_process_leaves_them() {
    for anchor_lag_ms in [0, 60_000] {
        let options = StoreOptions { anchor_lag_ms, ..StoreOptions::default() };
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = SledStore::open(dir.path(), options).unwrap();
        for round in 0..8 {
            let head = append(&mut store, 1 + round * 7, 300);
            // The files as they are at this moment, without a close or a drop.
            let killed = tempfile::tempdir().unwrap();
            Folder::read(dir.path()).write(killed.path());
            let (restarted, report) = SledStore::open(killed.path(), options).unwrap();
            assert_eq!((report.head, report.ahead_of_anchor), (head, 0), "round {round}");
            assert_eq!(
                read_all(restarted.reader().as_ref()),
                read_all(store.reader().as_ref()),
                "round {round}"
            );
        }
    }
}

#[test]
fn a_dropped_journal_reopens_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut store = open(dir.path());
        assert_eq!(store.head().seq, round * 10);
        append(&mut store, 10, 500);
    }
}

#[test]
fn readers_on_other_threads_see_whole_prefixes_while_the_store_appends() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 1, 200);
    let reader = store.reader();
    let reading = std::thread::spawn(move || {
        while reader.head().seq < 400 {
            let before = reader.head().seq;
            let seqs = seqs_from(reader.as_ref(), 1);
            let last = *seqs.last().unwrap();
            assert!(last >= before);
            assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
        }
    });
    while store.head().seq < 400 {
        append(&mut store, 7, 200);
    }
    reading.join().unwrap();
}

#[test]
fn settings_past_their_limits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [
        ("extent too small", EXTENT_BYTES_MIN - 1, false),
        ("smallest extent", EXTENT_BYTES_MIN, true),
        ("largest extent", EXTENT_BYTES_MAX, true),
        ("extent too large", EXTENT_BYTES_MAX + 1, false),
    ];
    for (name, extent_bytes, want) in rows {
        let opened = SledStore::open(dir.path(), StoreOptions { extent_bytes, ..StoreOptions::default() });
        assert_eq!(opened.is_ok(), want, "{name}");
        assert!(want || matches!(opened, Err(JournalError::Options { .. })), "{name}");
    }
    let limits = [EXTENT_BYTES_MIN, EXTENT_BYTES_MAX].map(|limit| limit.to_string());
    let rule = StoreOptions { extent_bytes: 0, ..StoreOptions::default() };
    let said = SledStore::open(dir.path(), rule).unwrap_err().to_string();
    assert!(limits.iter().all(|limit| said.contains(limit)), "{said}");
}

#[test]
fn a_failed_sync_or_anchor_poisons_the_store_for_good() {
    type Break = fn(&mut SledStore);
    let rows: [(&str, Break, &str); 3] = [
        // These two files answer fdatasync and write with an error, as a failing disk does.
        (
            "sync",
            |store| store.syncer.synced().tail.replace(Path::new("/dev/null")),
            "syncing the journal failed",
        ),
        (
            "anchor sync",
            |store| store.syncer.synced().anchor = broken_anchor("/dev/null"),
            "syncing the anchor failed",
        ),
        (
            "anchor write",
            |store| store.syncer.synced().anchor = broken_anchor("/dev/full"),
            "writing the anchor failed",
        ),
    ];
    let strict = StoreOptions { anchor_lag_ms: 0, ..StoreOptions::default() };
    for (name, break_it, want) in rows {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = SledStore::open(dir.path(), strict).unwrap();
        let before = append(&mut store, 3, 100);
        break_it(&mut store);
        let failed = store.append(4, &batch_of(4, 1, 100)).unwrap_err();
        assert_eq!(failed.to_string(), want, "{name}");
        let later =
            [store.append(4, &batch_of(4, 1, 100)).map(drop), store.append(9, &RecordBatch::new()).map(drop)];
        assert!(later.iter().all(|done| matches!(done, Err(JournalError::Poisoned))), "{name}: {later:?}");
        assert_eq!((store.head(), store.reader().head()), (before, before), "{name}");
        assert_eq!(seqs_from(store.reader().as_ref(), 1), [1, 2, 3], "{name}");
        assert!(matches!(Box::new(store).close(), Err(JournalError::Poisoned)), "{name}");
        // The batch that failed may have reached the disk or not; what was acknowledged is there.
        assert!(open(dir.path()).head().seq >= 3, "{name}");
    }
}

/// An anchor that writes to a device instead of its file.
fn broken_anchor(device: &'static str) -> Anchor {
    let dir = tempfile::tempdir().unwrap();
    drop(Anchor::create(dir.path(), true).unwrap());
    let anchored = Anchored::read(dir.path()).unwrap().unwrap();
    fs::remove_file(dir.path().join(ANCHOR_FILE)).unwrap();
    std::os::unix::fs::symlink(device, dir.path().join(ANCHOR_FILE)).unwrap();
    Anchor::open(dir.path(), &anchored, true).unwrap()
}

#[test]
fn checkpoints_that_do_not_fit_the_journal_are_refused_by_both_stores() {
    let dir = tempfile::tempdir().unwrap();
    for (name, mut store) in stores(dir.path()) {
        let head = append(store.as_mut(), 4, 100);
        let checkpoints = store.checkpoints();
        let heads = [
            ("ahead", Head { seq: 5, ..head }),
            ("of another history", Head { hash: [1; 32], ..head }),
            ("inside a commit", Head { seq: 2, ..head }),
        ];
        for (what, at) in heads {
            let refused = save(checkpoints.as_ref(), &at, &chunks_of(1));
            let right = match what {
                "ahead" => matches!(refused, Err(JournalError::CheckpointAhead { seq: 5, head: 4 })),
                _ => matches!(refused, Err(JournalError::CheckpointChain { seq }) if seq == at.seq),
            };
            assert!(right, "{name}, {what}: {refused:?}");
        }
        let long = vec![vec![0; CHECKPOINT_CHUNK_MAX], vec![0; CHECKPOINT_CHUNK_MAX + 1]];
        let refused = save(checkpoints.as_ref(), &head, &long);
        assert!(
            matches!(refused, Err(JournalError::ChunkTooLong { seq: 4, index: 1, .. })),
            "{name}: {refused:?}"
        );
        assert_eq!(newest(checkpoints.as_ref()), (None, vec![]), "{name}");
        let meta = save(checkpoints.as_ref(), &head, &chunks_of(4)).unwrap();
        let state_hash: [u8; 32] = Sha256::digest(chunks_of(4).concat()).into();
        assert_eq!(meta, CheckpointMeta { seq: 4, state_hash, chain_hash: head.hash }, "{name}");
        assert_eq!(newest(checkpoints.as_ref()), (Some((head, chunks_of(4))), vec![]), "{name}");
        assert_eq!(append(store.as_mut(), 1, 10).seq, 5, "{name}: a refusal does not poison");
    }
}

#[test]
fn no_value_leaves_the_file_that_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for _ in 0..60 {
        append(&mut store, 12, RECORD_BODY_MAX / 3);
    }
    drop(store);
    drop(open(dir.path()));
    assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn an_older_copy_of_the_engines_files_under_a_newer_anchor_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 5, 100);
    let mut old = Folder::read(dir.path());
    append(&mut store, 3, 100);
    Box::new(store).close().unwrap();

    let anchor = Path::new(ANCHOR_FILE);
    old.0.insert(anchor.to_path_buf(), fs::read(dir.path().join(anchor)).unwrap());
    let restored = tempfile::tempdir().unwrap();
    old.write(restored.path());
    for attempt in ["at once", "and again"] {
        let refused = SledStore::open(restored.path(), StoreOptions::default()).map(drop);
        let right = matches!(refused, Err(JournalError::AcknowledgedMissing { first_missing: 6, count: 3 }));
        assert!(right, "{attempt}: {refused:?}");
    }
}

#[test]
fn a_journal_ahead_of_its_anchor_opens_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 5, 100);
    let behind = fs::read(dir.path().join(ANCHOR_FILE)).unwrap();
    let head = append(&mut store, 3, 100);
    drop(store);
    fs::write(dir.path().join(ANCHOR_FILE), behind).unwrap();
    let (store, report) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.head, report.ahead_of_anchor), (head, 3));
    drop(store);
    assert_eq!(Anchored::read(dir.path()).unwrap().unwrap().head, head, "the anchor has caught up");
}

#[test]
fn a_journal_that_stopped_before_its_first_anchor_is_empty_and_opens() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::remove_file(dir.path().join(ANCHOR_FILE)).unwrap();
    assert_eq!(append(&mut open(dir.path()), 1, 10).seq, 1);
    assert_eq!(open(dir.path()).head().seq, 1);
}

#[test]
fn anchors_and_journals_that_do_not_belong_together_are_refused() {
    type Edit = fn(&Path);
    let rows: [(&str, Edit, &str); 5] = [
        (
            "no anchor",
            |dir| fs::remove_file(dir.join(ANCHOR_FILE)).unwrap(),
            "anchor beside the journal's 5 record",
        ),
        ("an empty anchor", |dir| fs::write(dir.join(ANCHOR_FILE), []).unwrap(), "both slots"),
        (
            "no journal",
            |dir| fs::remove_file(dir.join("db")).unwrap(),
            "5 acknowledged record(s) are missing from 1",
        ),
        ("an emptied journal", empty_the_data_file, "5 acknowledged record(s) are missing from 1"),
        ("the anchor of another journal", swap_in_another_anchor, "the anchor's hash at record 5"),
    ];
    for (name, edit, want) in rows {
        let dir = tempfile::tempdir().unwrap();
        append(&mut open(dir.path()), 5, 100);
        edit(dir.path());
        for _ in 0..2 {
            let refused =
                SledStore::open(dir.path(), StoreOptions::default()).map(drop).unwrap_err().to_string();
            assert!(refused.contains(want), "{name}: {refused}");
        }
    }
}

fn empty_the_data_file(dir: &Path) {
    // Else these few records would come back from there.
    super::tail::remove(dir).unwrap();
    OpenOptions::new().write(true).truncate(true).open(dir.join("db")).unwrap();
}

fn swap_in_another_anchor(dir: &Path) {
    let other = tempfile::tempdir().unwrap();
    append(&mut open(other.path()), 5, 99);
    fs::copy(other.path().join(ANCHOR_FILE), dir.join(ANCHOR_FILE)).unwrap();
}

#[test]
fn commit_timings_are_those_of_the_last_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    assert_eq!(store.commit_timings(), CommitTimings::default());
    append(&mut store, 1, 100);
    let CommitTimings { encode_ns, write_ns, sync_ns, anchor_ns } = store.commit_timings();
    assert!([encode_ns, write_ns, sync_ns, anchor_ns].iter().all(|ns| *ns > 0));
}

#[test]
fn debug_prints_hashes_short() {
    let head = Head { seq: 3, hash: [0xAB; 32], time_ms: 5 };
    assert_eq!(format!("{head:?}"), "Head { seq: 3, hash: abababab…, time_ms: 5 }");
}

#[test]
fn a_killed_journal_whose_tail_is_damaged_is_refused_by_the_first_record_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let heads: Vec<_> = (0..4).map(|_| append(&mut store, 3, 400)).collect();
    // As a killed process leaves it: the engine has none of it yet.
    let killed = Folder::read(dir.path());
    let tail = Path::new(super::tail::TAIL_FILES[0]);
    let frame = 4096;
    for (nth, at) in [(0, 9), (1, 17), (1, 1_000), (2, 300), (3, 0), (3, 700)] {
        for edit in [|byte: &mut u8| *byte ^= 1, |byte: &mut u8| *byte = byte.wrapping_add(7)] {
            let mut damaged = killed.clone();
            edit(&mut damaged.0.get_mut(tail).unwrap()[nth * frame + at]);
            let copy = tempfile::tempdir().unwrap();
            damaged.write(copy.path());
            let refused = SledStore::open(copy.path(), StoreOptions::default()).map(drop);
            let (first_missing, count) = (1 + 3 * nth as u64, 3 * (4 - nth as u64));
            let named = matches!(refused, Err(JournalError::AcknowledgedMissing { first_missing: first, count: of })
                if (first, of) == (first_missing, count));
            assert!(named, "frame {nth}, byte {at}: {refused:?}");
        }
    }
    let copy = tempfile::tempdir().unwrap();
    killed.write(copy.path());
    let (restarted, report) = SledStore::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.head, report.from_tail), (heads[3], 4));
    Box::new(restarted).close().unwrap();
    let (_, report) = SledStore::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.head, report.from_tail), (heads[3], 0), "the engine has all of it");
}

#[test]
fn a_journal_longer_than_its_tail_is_read_whole_while_it_is_written_and_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let reader = store.reader();
    // 20 MB in all: both files of the tail are written over twice.
    for round in 0..160 {
        append(&mut store, 120, 1_000);
        if round % 16 == 0 {
            let from = reader.head().seq.saturating_sub(3_000).max(1);
            let seqs = seqs_from(reader.as_ref(), from);
            assert_eq!(seqs, (from..=reader.head().seq).collect::<Vec<_>>(), "round {round}");
        }
    }
    let (head, want) = (store.head(), read_all(reader.as_ref()));
    drop(reader);
    Box::new(store).close().unwrap();
    let (store, report) = SledStore::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!((report.head, report.from_tail), (head, 0));
    assert!(read_all(store.reader().as_ref()) == want);
}

#[test]
fn what_fails_behind_the_answers_is_told_with_its_reason_to_who_comes_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    append(&mut store, 3, 100);
    let error = std::io::Error::other("this test makes it fail");
    store.syncer.halves.poison_untold(JournalError::Io { doing: "syncing the anchor", source: error });
    let refused = [4, 4].map(|first| store.append(first, &batch_of(first, 1, 100)).unwrap_err().to_string());
    assert_eq!(refused[0], "syncing the anchor failed");
    assert_eq!(refused[1], JournalError::Poisoned.to_string());
    assert_eq!(store.head().seq, 3);
}
