//! What the journal's tests share: batches, checkpoints, a folder as a value, and a seeded generator.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::extent::{EXTENT_BYTES_MAX, ExtentWriter};
use super::segments::SegmentsWriter;
use super::{
    CheckpointMeta, Checkpoints, Head, JournalError, Reader, RecordBatch, Seq, SledStore, StoreOptions,
};

/// The time of record 0; each record is a millisecond later.
const TIME_MS: i64 = 1_700_000_000_000;

/// `count` records from `first` on, whose bodies are `body_len` bytes that differ from record to record.
pub(super) fn batch_of(first: Seq, count: u64, body_len: usize) -> RecordBatch {
    batch_at(first, count, body_len, TIME_MS + i64::try_from(first).unwrap())
}

/// The same, all at one time.
pub(super) fn batch_at(first: Seq, count: u64, body_len: usize, time_ms: i64) -> RecordBatch {
    let mut batch = RecordBatch::new();
    for seq in first..first + count {
        let mut random = Lcg(seq);
        batch.push(seq, time_ms, |out| out.extend((0..body_len).map(|_| random.byte()))).unwrap();
    }
    batch
}

/// A store with the default options.
pub(super) fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, StoreOptions::default()).unwrap().0
}

/// Sequence number, time and body of every record.
pub(super) fn read_all(reader: &dyn Reader) -> Vec<(Seq, i64, Vec<u8>)> {
    let mut records = Vec::new();
    let visit = &mut |record: super::Record<'_>| {
        records.push((record.seq, record.time_ms, record.body.to_vec()));
        ControlFlow::Continue(())
    };
    reader.read(1, visit).unwrap();
    records
}

/// Three chunks that differ from checkpoint to checkpoint, one of them the longest there may be.
pub(super) fn chunks_of(seq: Seq) -> Vec<Vec<u8>> {
    let mut random = Lcg(seq);
    [1_000, super::CHECKPOINT_CHUNK_MAX, 17].map(|len| (0..len).map(|_| random.byte()).collect()).to_vec()
}

/// Saves these chunks as the checkpoint at a head.
pub(super) fn save(
    checkpoints: &dyn Checkpoints,
    at: &Head,
    chunks: &[Vec<u8>],
) -> Result<CheckpointMeta, JournalError> {
    checkpoints.save(at, &mut |emit| chunks.iter().for_each(|chunk| emit(chunk)))
}

/// A checkpoint that was read to its end.
pub(super) type Whole = (Head, Vec<Vec<u8>>);

/// The newest checkpoint that reads to its end, as a start looks for it, and those passed over on the way.
pub(super) fn newest(checkpoints: &dyn Checkpoints) -> (Option<Whole>, Vec<Seq>) {
    let mut passed_over = Vec::new();
    for seq in checkpoints.saved().unwrap() {
        let read = checkpoints
            .load(seq)
            .and_then(|loaded| Ok((loaded.at, loaded.chunks.collect::<Result<_, _>>()?)));
        match read {
            Ok(read) => return (Some(read), passed_over),
            Err(_) => {
                checkpoints.pass_over(seq);
                passed_over.push(seq);
            }
        }
    }
    (None, passed_over)
}

/// All files of a folder, by path relative to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Folder(pub(super) BTreeMap<PathBuf, Vec<u8>>);

impl Folder {
    pub(super) fn read(dir: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![dir.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(dir).unwrap().to_path_buf(), fs::read(&path).unwrap());
                }
            }
        }
        Self(files)
    }

    pub(super) fn write(&self, dir: &Path) {
        for (path, bytes) in &self.0 {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Knuth's MMIX generator: the same bytes on every machine, for the same seed.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A number in the range, which is not empty.
    pub(super) fn within(&mut self, range: &Range<usize>) -> usize {
        let span = u64::try_from(range.len()).unwrap();
        range.start + usize::try_from(self.next() % span).unwrap()
    }
}

/// So many extents of so many records each, and the heads in front of each and behind the last.
pub(super) fn chain_of(extents: u64, records: u64) -> (Vec<Vec<u8>>, Vec<Head>) {
    let (mut made, mut heads) = (Vec::new(), vec![Head::EMPTY]);
    let mut writer = ExtentWriter::new(EXTENT_BYTES_MAX);
    for first in (0..extents).map(|at| 1 + at * records) {
        let put = |_, value: &[u8]| {
            made.push(value.to_vec());
            Ok(())
        };
        heads.push(writer.write(*heads.last().unwrap(), &batch_of(first, records, 50), put).unwrap());
    }
    (made, heads)
}

/// Writes these extents of a chain as a segment.
pub(super) fn write_segments(folder: &Path, extents: &[Vec<u8>], heads: &[Head], range: Range<usize>) {
    let mut writer = SegmentsWriter::behind(folder, heads[range.start]).unwrap();
    extents[range].iter().for_each(|extent| writer.put(extent).unwrap());
    writer.finish().unwrap();
}
