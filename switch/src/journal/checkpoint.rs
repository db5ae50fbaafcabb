//! Checkpoints inside the engine: a picture of the state, so that a start need not replay everything.
//!
//! Chunks are filed under (sequence number, index) in one keyspace, manifests under the sequence number in
//! another. Batches across keyspaces are not atomic, so the manifest is the commit point: it is written only
//! once the chunks are durable. Each chunk carries a CRC32C bound to its place; the manifest counts the
//! chunks and carries their SHA-256. A checkpoint is a cache of the journal, so a damaged one is passed over
//! and never a reason to refuse.
//!
//! What the chunks hold is not known here. Start at [`Checkpoints::save`].

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use super::engine::{Engine, engine_error, guarded};
use super::{ChainHash, CheckpointMeta, JournalError, LoadedCheckpoint, Seq};

/// The longest chunk in bytes; larger values would leave the engine's synced file.
pub const CHECKPOINT_CHUNK_MAX: usize = 64 * 1024;
/// How many checkpoints are kept: the newest, and one to fall back on.
pub const CHECKPOINTS_KEPT: usize = 2;

const MAGIC: [u8; 4] = *b"CWM\x01";
const MANIFEST_BYTES: usize = 4 + 8 + 32 + 32 + 4 + 32;
const CRC_BYTES: usize = 4;

/// The two keyspaces.
pub(super) struct Checkpoints {
    pub(super) chunks: sled::Tree,
    pub(super) manifests: sled::Tree,
    passed_over: RefCell<Vec<Seq>>,
}

impl Checkpoints {
    pub(super) fn open(engine: &Engine) -> Result<Self, JournalError> {
        let (chunks, manifests) = (engine.tree("checkpoint_chunks")?, engine.tree("checkpoints")?);
        Ok(Self { chunks, manifests, passed_over: RefCell::default() })
    }

    /// The checkpoints that have a manifest, newest first.
    pub(super) fn saved(&self) -> Result<Vec<Seq>, JournalError> {
        let keys = self.manifests.iter().keys().rev();
        keys.map(|key| key.map(|key| seq_of(&key)).map_err(engine_error("reading a checkpoint"))).collect()
    }

    /// Those that the last load found damaged.
    pub(super) fn passed_over(&self) -> Vec<Seq> {
        self.passed_over.borrow().clone()
    }

    /// Writes a checkpoint, durably, and then removes what is older than the newest [`CHECKPOINTS_KEPT`].
    pub(super) fn save(
        &self,
        engine: &Engine,
        checkpoint: &CheckpointMeta,
        chunks: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), JournalError> {
        let writing = "writing a checkpoint";
        // A damaged one must not count among those kept, nor chunks of an earlier try mix with these.
        self.passed_over.take().into_iter().try_for_each(|seq| self.remove(seq))?;
        self.remove(checkpoint.seq)?;
        let (mut count, mut hash) = (0_u32, Sha256::new());
        for chunk in chunks {
            if chunk.len() > CHECKPOINT_CHUNK_MAX {
                return Err(JournalError::ChunkTooLong {
                    seq: checkpoint.seq,
                    index: count,
                    len: chunk.len(),
                });
            }
            hash.update(&chunk);
            let key = chunk_key(checkpoint.seq, count);
            self.chunks.insert(key, sealed(&key, chunk)).map_err(engine_error(writing))?;
            count += 1;
        }
        engine.flush()?;
        engine.sync()?;
        let key = checkpoint.seq.to_be_bytes();
        let manifest = encode_manifest(checkpoint, count, hash.finalize().into());
        self.manifests.insert(key, sealed(&key, manifest)).map_err(engine_error(writing))?;
        engine.flush()?;
        engine.sync()?;
        self.sweep()
    }

    /// The newest whole checkpoint at or before `head`. `hash_at` gives the chain's hash where it has one.
    pub(super) fn load(
        &self,
        head: Seq,
        hash_at: &dyn Fn(Seq) -> Result<Option<ChainHash>, JournalError>,
    ) -> Result<Option<LoadedCheckpoint>, JournalError> {
        self.passed_over.borrow_mut().clear();
        for seq in guarded("reading its checkpoints", || self.saved())? {
            let loaded = guarded("reading a checkpoint", || self.load_one(seq));
            match loaded {
                Ok(Some((meta, chunks)))
                    if seq <= head && hash_at(seq)?.is_none_or(|hash| hash == meta.chain_hash) =>
                {
                    return Ok(Some((meta, chunks)));
                }
                // Whatever is wrong with it, the journal itself still tells the whole story.
                _ => self.passed_over.borrow_mut().push(seq),
            }
        }
        Ok(None)
    }

    /// One checkpoint, or `None` if it is damaged.
    fn load_one(&self, seq: Seq) -> Result<Option<LoadedCheckpoint>, JournalError> {
        let reading = "reading a checkpoint";
        let key = seq.to_be_bytes();
        let sealed = self.manifests.get(key).map_err(engine_error(reading))?;
        let Some((meta, count, want)) =
            sealed.as_deref().and_then(|bytes| unsealed(&key, bytes)).and_then(decode_manifest)
        else {
            return Ok(None);
        };
        let (mut chunks, mut hash) = (Vec::new(), Sha256::new());
        for index in 0..count {
            let key = chunk_key(seq, index);
            let sealed = self.chunks.get(key).map_err(engine_error(reading))?;
            let Some(chunk) = sealed.as_deref().and_then(|bytes| unsealed(&key, bytes)) else {
                return Ok(None);
            };
            hash.update(chunk);
            chunks.push(chunk.to_vec());
        }
        let whole = meta.seq == seq && ChainHash::from(hash.finalize()) == want;
        Ok(whole.then_some((meta, chunks)))
    }

    /// Removes all but the newest manifests, and every chunk that no kept manifest owns.
    fn sweep(&self) -> Result<(), JournalError> {
        let saved = self.saved()?;
        let (kept, old) = saved.split_at(saved.len().min(CHECKPOINTS_KEPT));
        old.iter().try_for_each(|seq| self.remove(*seq))?;
        let mut from = Some(0);
        while let Some(start) = from {
            let found = self.chunks.range(chunk_key(start, 0)..).keys().next().transpose();
            let found = found.map_err(engine_error("removing a checkpoint"))?.map(|key| seq_of(&key));
            if let Some(seq) = found.filter(|seq| !kept.contains(seq)) {
                self.remove(seq)?;
            }
            from = found.and_then(|seq| seq.checked_add(1));
        }
        Ok(())
    }

    /// Removes a checkpoint, manifest first, so that half of one never passes for a whole one.
    fn remove(&self, seq: Seq) -> Result<(), JournalError> {
        let removing = "removing a checkpoint";
        self.manifests.remove(seq.to_be_bytes()).map_err(engine_error(removing))?;
        for key in self.chunks.range(chunk_key(seq, 0)..=chunk_key(seq, u32::MAX)).keys() {
            let key = key.map_err(engine_error(removing))?;
            self.chunks.remove(key).map_err(engine_error(removing))?;
        }
        Ok(())
    }
}

fn chunk_key(seq: Seq, index: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&seq.to_be_bytes());
    key[8..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The sequence number a key begins with; a key too short for one was not written here.
fn seq_of(key: &[u8]) -> Seq {
    key.first_chunk().map_or(0, |seq| u64::from_be_bytes(*seq))
}

/// The value with a CRC behind it that covers its key as well: a value in another's place does not match.
fn sealed(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), &value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The value inside [`sealed`], if its CRC matches.
fn unsealed<'a>(key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (value, crc) = sealed.split_last_chunk::<CRC_BYTES>()?;
    (crc32c::crc32c_append(crc32c::crc32c(key), value).to_le_bytes() == *crc).then_some(value)
}

fn encode_manifest(checkpoint: &CheckpointMeta, count: u32, chunks_hash: [u8; 32]) -> Vec<u8> {
    let mut manifest = Vec::with_capacity(MANIFEST_BYTES + CRC_BYTES);
    manifest.extend_from_slice(&MAGIC);
    manifest.extend_from_slice(&checkpoint.seq.to_le_bytes());
    manifest.extend_from_slice(&checkpoint.state_hash);
    manifest.extend_from_slice(&checkpoint.chain_hash);
    manifest.extend_from_slice(&count.to_le_bytes());
    manifest.extend_from_slice(&chunks_hash);
    manifest
}

fn decode_manifest(manifest: &[u8]) -> Option<(CheckpointMeta, u32, [u8; 32])> {
    let (magic, rest) = manifest.split_first_chunk::<4>()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (state_hash, rest) = rest.split_first_chunk()?;
    let (chain_hash, rest) = rest.split_first_chunk()?;
    let (count, chunks_hash) = rest.split_first_chunk()?;
    let meta =
        CheckpointMeta { seq: u64::from_le_bytes(*seq), state_hash: *state_hash, chain_hash: *chain_hash };
    let known = *magic == MAGIC;
    known.then_some((meta, u32::from_le_bytes(*count), chunks_hash.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{batch_of, chunks_of, meta_at, open};
    use super::super::{SledStore, Store};
    use super::*;

    /// A store with ten records and checkpoints at 4 and 8.
    fn two_checkpoints() -> (tempfile::TempDir, SledStore) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        for first in [1, 5] {
            let head = store.append(first, &batch_of(first, 4, 100)).unwrap();
            store.save_checkpoint(&meta_at(&head), &mut chunks_of(head.seq).into_iter()).unwrap();
        }
        store.append(9, &batch_of(9, 2, 100)).unwrap();
        (dir, store)
    }

    fn loaded_seq(store: &SledStore) -> Option<Seq> {
        let loaded = store.load_checkpoint().unwrap();
        loaded.map(|(meta, chunks)| {
            assert_eq!(chunks, chunks_of(meta.seq));
            meta.seq
        })
    }

    #[test]
    fn the_newest_comes_back_and_survives_a_reopening() {
        let (dir, store) = two_checkpoints();
        let want = store.load_checkpoint().unwrap().unwrap().0;
        assert_eq!((loaded_seq(&store), store.passed_over_checkpoints()), (Some(8), vec![]));
        Box::new(store).close().unwrap();
        let reopened = open(dir.path());
        assert_eq!(loaded_seq(&reopened), Some(8));
        assert_eq!(reopened.load_checkpoint().unwrap().unwrap().0, want);
    }

    #[test]
    fn a_damaged_checkpoint_falls_back_to_the_older_and_then_to_none() {
        type Edit = fn(&Checkpoints, Seq);
        let rows: [(&str, Edit); 6] = [
            ("manifest damaged", |c, seq| {
                let mut manifest = c.manifests.get(seq.to_be_bytes()).unwrap().unwrap().to_vec();
                manifest[20] ^= 1;
                c.manifests.insert(seq.to_be_bytes(), manifest).unwrap();
            }),
            ("chunk gone", |c, seq| drop(c.chunks.remove(chunk_key(seq, 1)).unwrap())),
            ("chunk flipped", |c, seq| {
                let mut chunk = c.chunks.get(chunk_key(seq, 0)).unwrap().unwrap().to_vec();
                chunk[9] ^= 1;
                c.chunks.insert(chunk_key(seq, 0), chunk).unwrap();
            }),
            ("chunks swapped", |c, seq| {
                let [first, second] =
                    [0, 1].map(|index| c.chunks.get(chunk_key(seq, index)).unwrap().unwrap());
                c.chunks.insert(chunk_key(seq, 0), second).unwrap();
                c.chunks.insert(chunk_key(seq, 1), first).unwrap();
            }),
            ("a sealed chunk of other content", |c, seq| {
                let key = chunk_key(seq, 0);
                c.chunks.insert(key, sealed(&key, vec![9; 10])).unwrap();
            }),
            ("manifest of another checkpoint", |c, seq| {
                let meta = CheckpointMeta { seq: seq + 1, state_hash: [0; 32], chain_hash: [0; 32] };
                let manifest = encode_manifest(&meta, 0, Sha256::digest([]).into());
                c.manifests.insert(seq.to_be_bytes(), sealed(&seq.to_be_bytes(), manifest)).unwrap();
            }),
        ];
        for (name, edit) in rows {
            let (_dir, store) = two_checkpoints();
            edit(&store.checkpoints, 8);
            assert_eq!((loaded_seq(&store), store.passed_over_checkpoints()), (Some(4), vec![8]), "{name}");
            edit(&store.checkpoints, 4);
            assert_eq!((loaded_seq(&store), store.passed_over_checkpoints()), (None, vec![8, 4]), "{name}");
        }
    }

    #[test]
    fn a_save_torn_before_its_manifest_leaves_the_older_and_is_swept_by_the_next() {
        let (_dir, mut store) = two_checkpoints();
        let key = chunk_key(9, 0);
        store.checkpoints.chunks.insert(key, sealed(&key, vec![1; 100])).unwrap();
        assert_eq!((loaded_seq(&store), store.passed_over_checkpoints()), (Some(8), vec![]));
        let head = store.head();
        store.save_checkpoint(&meta_at(&head), &mut chunks_of(head.seq).into_iter()).unwrap();
        assert_eq!(store.checkpoints.chunks.get(key).unwrap(), None);
        assert_eq!(store.checkpoints.saved().unwrap(), [10, 8]);
    }

    #[test]
    fn a_damaged_one_does_not_push_a_good_one_out() {
        let (_dir, mut store) = two_checkpoints();
        store.checkpoints.chunks.remove(chunk_key(8, 0)).unwrap();
        assert_eq!(loaded_seq(&store), Some(4));
        let head = store.head();
        store.save_checkpoint(&meta_at(&head), &mut chunks_of(head.seq).into_iter()).unwrap();
        assert_eq!(store.checkpoints.saved().unwrap(), [10, 4]);
    }

    #[test]
    fn only_two_are_kept_and_the_same_one_may_be_saved_again() {
        let (_dir, mut store) = two_checkpoints();
        let head = store.head();
        for _ in 0..2 {
            store.save_checkpoint(&meta_at(&head), &mut chunks_of(head.seq).into_iter()).unwrap();
        }
        assert_eq!(store.checkpoints.saved().unwrap(), [10, 8]);
        let owners: Vec<_> =
            store.checkpoints.chunks.iter().keys().map(|key| seq_of(&key.unwrap())).collect();
        assert_eq!(owners, [8, 8, 8, 10, 10, 10]);
    }
}
