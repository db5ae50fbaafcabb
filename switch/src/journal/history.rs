//! Reading a journal from any record on: what has left the store comes from the archive, verified on the way, the rest from
//! the engine and, where it has not got there yet, from what is on its way, without a seam for whoever reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use crossbeam::atomic::AtomicCell;

use super::archive::Archive;
use super::engine::{engine_error, guarded};
use super::extent::{Each, Extent, each_extent, hash_if_ends_at, records_of};
use super::settler::Unsettled;
use super::{ChainHash, Damage, Head, JournalError, Reader, Record, Seq};

/// What readers and those who trim share with the store.
pub(super) struct History {
    pub(super) extents: sled::Tree,
    /// What the engine does not have yet.
    pub(super) unsettled: Arc<Unsettled>,
    pub(super) durable: Arc<AtomicCell<Head>>,
    /// Behind which record the store begins. It moves before anything is removed.
    pub(super) base: AtomicCell<Head>,
    pub(super) archive: Archive,
}

/// An extent, from wherever it is.
pub(super) enum Stored {
    /// From the engine.
    Engine(sled::IVec),
    /// It was on its way there.
    Recent(Arc<[u8]>),
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Engine(value) => value,
            Self::Recent(value) => value,
        }
    }
}

/// A [`Reader`] of a [`SledStore`](super::SledStore) and its archive.
pub(super) struct SledReader(pub(super) Arc<History>);

const READING: &str = "reading the journal";

impl History {
    /// The extent of the engine that begins last at or before `seq`.
    fn engine_holding(&self, seq: Seq) -> Result<Option<(sled::IVec, sled::IVec)>, JournalError> {
        guarded(READING, || {
            let holding = self.extents.range(..=seq.to_be_bytes()).next_back().transpose();
            holding.map_err(engine_error(READING))
        })
    }

    /// The extent that begins last at or before `seq`.
    fn extent_holding(&self, seq: Seq) -> Result<Option<Stored>, JournalError> {
        // First what is on its way: it is forgotten there only when the engine has it.
        if let Some((_, recent)) = self.unsettled.holding(seq) {
            return Ok(Some(Stored::Recent(recent)));
        }
        Ok(self.engine_holding(seq)?.map(|(_, value)| Stored::Engine(value)))
    }

    /// The store's extents from the one that begins at or before a record on.
    pub(super) fn stored(
        &self,
        from: Seq,
    ) -> Result<impl Iterator<Item = Result<Stored, JournalError>> + use<>, JournalError> {
        let (tree, unsettled) = (self.extents.clone(), Arc::clone(&self.unsettled));
        let holding = self.engine_holding(from)?;
        // What is damaged is shown, too: whoever looks at it says what is wrong with it.
        let holding =
            holding.filter(|(_, value)| Extent::parse(value).is_none_or(|extent| extent.last() >= from));
        let mut settled = holding.map(|(key, _)| tree.range(key..).values());
        let mut next = from;
        // Only the engine's part is guarded: a panic of whoever reads is his own.
        let mut of_engine = move |next: Seq| {
            guarded(READING, || {
                let found = match &mut settled {
                    Some(extents) => extents.next(),
                    none => none.insert(tree.range(next.to_be_bytes()..).values()).next(),
                };
                if found.is_none() {
                    // Not asked again: what comes into the engine from now on may be behind `next` by then.
                    settled = None;
                }
                found.transpose().map_err(engine_error(READING))
            })
        };
        Ok(std::iter::from_fn(move || {
            // Twice, because between a look here and a look there an extent may have come from one to the other.
            for _ in 0..2 {
                match of_engine(next) {
                    Ok(Some(value)) => {
                        next = Extent::parse(&value).map_or(next, |extent| extent.last() + 1);
                        return Some(Ok(Stored::Engine(value)));
                    }
                    Err(error) => return Some(Err(error)),
                    Ok(None) => {}
                }
                if let Some((last, recent)) = unsettled.holding(next) {
                    next = last + 1;
                    return Some(Ok(Stored::Recent(recent)));
                }
            }
            None
        }))
    }

    /// The chain's hash at a record, where it has one.
    pub(super) fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
        let base = self.base.load();
        if seq > base.seq {
            let holding = self.extent_holding(seq)?;
            return Ok(holding.and_then(|value| hash_if_ends_at(value.as_ref(), seq)));
        }
        if seq == base.seq || seq == 0 {
            return Ok(Some(if seq == 0 { Head::EMPTY.hash } else { base.hash }));
        }
        let folder = || self.archive.folder().to_owned();
        let extent = self.archive.walk(seq)?.next().transpose()?;
        let extent =
            extent.ok_or_else(|| JournalError::NotArchived { seq, base: base.seq, folder: folder() })?;
        Ok(hash_if_ends_at(&extent, seq))
    }

    /// Shows the extents from the one that holds `from` on, up to what is durable now.
    fn each(&self, from: Seq, each: Each<'_>) -> Result<(), JournalError> {
        let (mut next, last) = (from.max(1), self.durable.load().seq);
        while next <= last {
            let base = self.base.load();
            let shown = if next <= base.seq {
                self.each_archived(&base, &mut next, each)
            } else {
                each_extent(self.stored(next)?, &mut next, last, each)
            };
            match shown {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                // Archived and removed since: it is now found there.
                Err(JournalError::Damaged { damage: Damage::Missing, .. })
                    if next <= self.base.load().seq => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Shows what the archive has up to the base, where both must be of one history.
    fn each_archived(
        &self,
        base: &Head,
        next: &mut Seq,
        each: Each<'_>,
    ) -> Result<ControlFlow<()>, JournalError> {
        let mut walk = self.archive.walk(*next)?;
        let shown = each_extent(walk.by_ref(), next, base.seq, each);
        match shown {
            Ok(ControlFlow::Continue(())) if walk.head() != Some(*base) => {
                Err(self.archive.mismatch(base.seq))
            }
            Err(JournalError::Damaged { seq, damage: Damage::Missing }) => Err(JournalError::NotArchived {
                seq,
                base: base.seq,
                folder: self.archive.folder().to_owned(),
            }),
            shown => shown,
        }
    }
}

impl Reader for SledReader {
    fn read(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let last = self.head().seq;
        self.0.each(from, &mut records_of(from, last, visit))
    }

    fn extents(
        &self,
        from: Seq,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.0.each(from, &mut |_, value| Ok(visit(value)))
    }

    fn first(&self) -> Result<Seq, JournalError> {
        self.0.archive.first_before(self.0.base.load().seq)
    }

    fn head(&self) -> Head {
        self.0.durable.load()
    }

    fn hash_at(&self, seq: Seq) -> Result<Option<ChainHash>, JournalError> {
        self.0.hash_at(seq)
    }
}
