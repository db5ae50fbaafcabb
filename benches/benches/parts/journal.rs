//! Appending records of purchases: in memory, which is encoding and the hash chain; on disk, in sled beside its anchor;
//! and, as the yardstick of the disk, the same bytes into a file that is there already, with one `fdatasync`.
//!
//! The files lie below cargo's target folder, so what is measured is the disk under that.

use std::{
    fs::File,
    io::Write,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use cardswitch::journal::{CommitTimings, MemoryStore, RecordBatch, SledStore, Store, StoreOptions};
use criterion::{
    Bencher, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, measurement::WallTime,
};
use switch_benches::proof;
use tempfile::TempDir;

use crate::{SIZES, books::Office};

const NOW_MS: i64 = 1_795_313_701_709;

/// Records after which a store is left for a new one, so that memory stays bounded.
const RECORDS_MAX: u64 = 200_000;

/// A store, and the folder it lies in if it does.
struct Shelf {
    store: Box<dyn Store>,
    _folder: Option<TempDir>,
}

/// Sums over the commits of one benchmark.
#[derive(Default)]
struct Spent {
    commits: u64,
    parts: CommitTimings,
}

type Open = fn() -> Shelf;

const STORES: [(&str, Open); 2] = [("memory", memory), ("sled", sled)];

pub(crate) fn journal(criterion: &mut Criterion) {
    let bodies = Office::open(1_000).records(256);
    let mut group = criterion.benchmark_group("journal");
    // A commit on disk takes milliseconds; every sample has as many.
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    for (name, open) in STORES {
        prove(name, &mut open(), &bodies);
        for size in SIZES {
            append(&mut group, name, open, &bodies[..size]);
        }
    }
    for size in SIZES {
        raw(&mut group, &bodies[..size]);
    }
    group.finish();
}

fn append(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, open: Open, bodies: &[Vec<u8>]) {
    let (mut shelf, mut batch, mut spent) = (open(), RecordBatch::new(), Spent::default());
    let id = BenchmarkId::new(format!("append/{name}"), bodies.len());
    group.throughput(Throughput::Elements(bodies.len() as u64));
    group.bench_function(id, |bencher| {
        timed(bencher, || {
            if shelf.store.head().seq > RECORDS_MAX {
                shelf = open();
            }
            let expected = shelf.store.head().seq + 1;
            fill(&mut batch, expected, bodies);
            let begun = Instant::now();
            shelf.store.append(expected, &batch).expect("an append");
            let took = begun.elapsed();
            spent.add(shelf.store.commit_timings());
            took
        });
    });
    if spent.parts.sync_ns > 0 {
        proof::told(&format!("journal {name} {}", bodies.len()), &spent.means());
    }
}

/// The same bytes into a file whose blocks are all written already.
fn raw(group: &mut BenchmarkGroup<'_, WallTime>, bodies: &[Vec<u8>]) {
    let mut batch = RecordBatch::new();
    fill(&mut batch, 1, bodies);
    let mut bytes: Vec<u8> = Vec::new();
    batch.iter().for_each(|record| bytes.extend([&[0; 24], record.body].concat()));
    let length = if proof::measuring() { 64 << 20 } else { 1 << 20 };
    let folder = folder();
    let mut file = File::options().create_new(true).read(true).write(true).open(folder.path().join("raw"));
    let file = file.as_mut().expect("a file");
    file.write_all(&vec![0; length]).expect("room on the disk");
    file.sync_all().expect("a disk");
    let mut at = 0;
    let mut write = || {
        at = if at + 2 * bytes.len() > length { 0 } else { at + bytes.len() };
        file.write_all_at(&bytes, at as u64).expect("a write");
        file.sync_data().expect("a disk");
        at
    };
    let (place, mut read) = (write(), vec![0; bytes.len()]);
    file.read_exact_at(&mut read, place as u64).expect("what was written");
    assert_eq!(read, bytes);
    group.throughput(Throughput::Elements(bodies.len() as u64));
    group.bench_function(BenchmarkId::new("append/raw-file", bodies.len()), |bencher| {
        bencher.iter(&mut write)
    });
}

/// What is appended is read again, record by record, and the chain's end is the same in every store.
fn prove(name: &str, shelf: &mut Shelf, bodies: &[Vec<u8>]) {
    let mut batch = RecordBatch::new();
    let store = &mut shelf.store;
    for part in bodies.chunks(100) {
        let expected = store.head().seq + 1;
        fill(&mut batch, expected, part);
        store.append(expected, &batch).expect("an append");
    }
    let mut read = Vec::new();
    let visited = store.reader().read(1, &mut |record| {
        read.push(record.body.to_vec());
        ControlFlow::Continue(())
    });
    visited.expect("a whole journal");
    assert_eq!(read, bodies, "{name}: the records are read again");
    proof::result(&format!("journal {name}"), store.head().hash);
}

fn fill(batch: &mut RecordBatch, first: u64, bodies: &[Vec<u8>]) {
    batch.clear();
    for (seq, body) in (first..).zip(bodies) {
        batch.push(seq, NOW_MS, |out| out.extend_from_slice(body)).expect("a record");
    }
}

fn timed(bencher: &mut Bencher<'_>, mut work: impl FnMut() -> Duration) {
    bencher.iter_custom(|iterations| (0..iterations).map(|_| work()).sum());
}

fn memory() -> Shelf {
    Shelf { store: Box::new(MemoryStore::new()), _folder: None }
}

fn sled() -> Shelf {
    let folder = folder();
    let (store, report) =
        SledStore::open(&folder.path().join("journal"), StoreOptions::default()).expect("a journal");
    assert!(report.created);
    Shelf { store: Box::new(store), _folder: Some(folder) }
}

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

impl Spent {
    fn add(&mut self, parts: CommitTimings) {
        self.commits += 1;
        self.parts.insert_ns += parts.insert_ns;
        self.parts.flush_ns += parts.flush_ns;
        self.parts.sync_ns += parts.sync_ns;
        self.parts.anchor_ns += parts.anchor_ns;
    }

    fn means(&self) -> String {
        let CommitTimings { insert_ns, flush_ns, sync_ns, anchor_ns } = self.parts;
        let [insert, flush, sync, anchor] =
            [insert_ns, flush_ns, sync_ns, anchor_ns].map(|sum| sum / self.commits / 1_000);
        format!("a commit: insert {insert} µs, flush {flush} µs, sync {sync} µs, anchor {anchor} µs")
    }
}
