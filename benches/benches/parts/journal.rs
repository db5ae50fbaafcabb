//! Appending records of purchases: in memory, which is encoding and the hash chain; on disk, in sled beside its anchor;
//! and, as the yardstick of the disk, the same bytes into a file that is there already, with one `fdatasync`.
//!
//! The files lie below cargo's target folder, so what is measured is the disk under that.

use std::{
    fs::File,
    io::Write,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    sync::mpsc::sync_channel,
    thread,
    time::{Duration, Instant},
};

use cardswitch::journal::{CommitTimings, MemoryStore, RecordBatch, SledStore, Store, StoreOptions};
use criterion::{
    Bencher, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, measurement::WallTime,
};
use switch_benches::proof;
use tempfile::TempDir;

use crate::books::Office;

/// Records in a commit.
const SIZES: [usize; 4] = [1, 64, 256, 1024];

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
    let bodies = Office::open(1_000).records(1_024);
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
    for size in SIZES {
        beside(&bodies[..size]);
    }
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

/// A file whose blocks are all written already, and the same bytes of records for it as a commit has.
struct RawFile {
    file: File,
    length: usize,
    at: usize,
    _folder: TempDir,
}

impl RawFile {
    fn open() -> Self {
        let length = if proof::measuring() { 64 << 20 } else { 2 << 20 };
        let folder = folder();
        let file = File::options().create_new(true).read(true).write(true).open(folder.path().join("raw"));
        let mut file = file.expect("a file");
        file.write_all(&vec![0; length]).expect("room on the disk");
        file.sync_all().expect("a disk");
        Self { file, length, at: 0, _folder: folder }
    }

    /// Writes behind the bytes before, from the beginning again at the end of the file.
    fn write(&mut self, bytes: &[u8]) {
        self.at = if self.at + 2 * bytes.len() > self.length { 0 } else { self.at + bytes.len() };
        self.file.write_all_at(bytes, self.at as u64).expect("a write");
        self.file.sync_data().expect("a disk");
    }

    /// What was written last is there.
    fn prove(&self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.file.read_exact_at(&mut read, self.at as u64).expect("what was written");
        assert_eq!(read, bytes);
    }
}

fn raw(group: &mut BenchmarkGroup<'_, WallTime>, bodies: &[Vec<u8>]) {
    let (mut file, bytes) = (RawFile::open(), raw_bytes(bodies));
    file.write(&bytes);
    file.prove(&bytes);
    group.throughput(Throughput::Elements(bodies.len() as u64));
    group.bench_function(BenchmarkId::new("append/raw-file", bodies.len()), |bencher| {
        bencher.iter(|| file.write(&bytes))
    });
}

/// Records with headers of the same size, which say nothing.
fn raw_bytes(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut batch = RecordBatch::new();
    fill(&mut batch, 1, bodies);
    let mut bytes: Vec<u8> = Vec::new();
    batch.iter().for_each(|record| bytes.extend([&[0; 24], record.body].concat()));
    bytes
}

/// Commits in a turn of [`beside`].
const TURN: usize = 16;

/// Some commits here, as many there, in turns: a disk that is slower for a while is slower for both. Commits are as the
/// switch makes them, one being written while another is synced; the file knows no halves. At the end everything that was
/// appended is read again and adds up to the chain's end.
fn beside(bodies: &[Vec<u8>]) {
    let folder = folder();
    let path = folder.path().join("journal");
    let (mut store, _) = SledStore::open(&path, StoreOptions::default()).expect("a journal");
    let (mut file, bytes, mut batch) = (RawFile::open(), raw_bytes(bodies), RecordBatch::new());
    let (mut commits, mut in_sled, mut in_file) = (0_usize, Vec::new(), Vec::new());
    let until = if proof::measuring() { Duration::from_secs(3) } else { Duration::from_millis(20) };
    let begun = Instant::now();
    while commits < TURN || begun.elapsed() < until {
        in_sled.push(took(|| commit_in_halves(&mut store, &mut batch, bodies)));
        in_file.push(took(|| (0..TURN).for_each(|_| file.write(&bytes))));
        commits += TURN;
    }
    file.prove(&bytes);
    let (head, mut read) = (store.head(), 0_usize);
    drop(store);
    let (store, report) = SledStore::open(&path, StoreOptions::default()).expect("the chain adds up");
    let visited = store.reader().read(1, &mut |record| {
        assert_eq!(record.body, bodies[read % bodies.len()], "record {}", record.seq);
        read += 1;
        ControlFlow::Continue(())
    });
    visited.expect("a whole journal");
    assert_eq!((read, report.head.hash), (commits * bodies.len(), head.hash));
    let rate = |spent: &[Duration]| {
        let micros = spent.iter().sum::<Duration>().as_micros().max(1);
        read as u128 * 1_000_000 / micros
    };
    let (sled, raw) = (rate(&in_sled), rate(&in_file));
    let middles = [&mut in_sled, &mut in_file].map(|spent| middle(spent).as_micros() / TURN as u128);
    let [middle_of_sled, middle_of_raw] = middles;
    let what = format!(
        "{commits} commits each, sled {sled} records/s, raw file {raw} records/s, {} % of it; \
         a commit of the middle turn {middle_of_sled} µs, {middle_of_raw} µs",
        sled * 100 / raw.max(1)
    );
    proof::told(&format!("journal beside a raw file, {} at a time", bodies.len()), &what);
}

/// A turn of commits, durable when it returns.
fn commit_in_halves(store: &mut SledStore, batch: &mut RecordBatch, bodies: &[Vec<u8>]) {
    let (handover, written) = sync_channel(0);
    let (mut syncer, mut first) = (store.syncer(), store.head().seq + 1);
    thread::scope(|threads| {
        threads.spawn(move || {
            written.iter().for_each(|()| _ = syncer.sync().expect("a sync"));
        });
        for _ in 0..TURN {
            fill(batch, first, bodies);
            first = store.write(first, batch).expect("a write").seq + 1;
            handover.send(()).expect("a thread that syncs");
        }
        drop(handover);
    });
    assert_eq!(store.head().seq + 1, first, "all of it is durable");
}

fn took(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn middle(spent: &mut [Duration]) -> Duration {
    spent.sort_unstable();
    spent[spent.len() / 2]
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
        self.parts.encode_ns += parts.encode_ns;
        self.parts.write_ns += parts.write_ns;
        self.parts.sync_ns += parts.sync_ns;
        self.parts.anchor_ns += parts.anchor_ns;
    }

    fn means(&self) -> String {
        let CommitTimings { encode_ns, write_ns, sync_ns, anchor_ns } = self.parts;
        let [encode, write, sync, anchor] =
            [encode_ns, write_ns, sync_ns, anchor_ns].map(|sum| sum / self.commits / 1_000);
        format!("a commit: encode {encode} µs, write {write} µs, sync {sync} µs, anchor {anchor} µs")
    }
}
