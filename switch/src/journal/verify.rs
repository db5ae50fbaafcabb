//! What is proved about a journal before it opens: extent by extent, in constant memory.
//!
//! Every extent's header, every record's CRC and number, time that never goes back, the hash chain, and the
//! anchor within that chain. No I/O here: [`ChainCheck`] is handed keys and values.

use super::extent::{Extent, hash_of};
use super::{Damage, Head, JournalError, Seq};

/// Walks the chain from its first extent.
pub(super) struct ChainCheck {
    head: Head,
    extents: u64,
    anchor: Option<Head>,
}

/// A chain that is whole.
#[derive(Clone, Copy)]
pub(super) struct CheckedChain {
    pub(super) head: Head,
    pub(super) extents: u64,
}

impl ChainCheck {
    /// `anchor` is the head the anchor vouches for, if there is one.
    pub(super) fn new(anchor: Option<Head>) -> Self {
        Self { head: Head::EMPTY, extents: 0, anchor }
    }

    /// Checks the next extent, filed under `key`, and returns its last record's number.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<Seq, JournalError> {
        let next = self.head.seq + 1;
        let damaged = |damage| JournalError::Damaged { seq: next, damage };
        let extent = Extent::parse(value).ok_or_else(|| damaged(Damage::Header))?;
        if key != extent.first.to_be_bytes() {
            return Err(damaged(Damage::Key));
        }
        if extent.first != next {
            return Err(damaged(if extent.first > next { Damage::Missing } else { Damage::Order }));
        }
        let mut time_ms = self.head.time_ms;
        for record in extent.records() {
            let record = record?;
            if record.time_ms < time_ms {
                return Err(JournalError::Damaged { seq: record.seq, damage: Damage::Time });
            }
            time_ms = record.time_ms;
        }
        // Last, because a record that is itself bad is the better thing to name.
        if *extent.previous != self.head.hash {
            return Err(damaged(Damage::Chain));
        }
        self.head = Head { seq: extent.last(), hash: hash_of(value), time_ms };
        self.extents += 1;
        self.check_anchor(extent.first)?;
        Ok(self.head.seq)
    }

    /// The end of what was checked so far, all of it whole.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// All extents were given: the anchor must have been met on the way.
    pub(super) fn finish(self) -> Result<CheckedChain, JournalError> {
        let end = self.head.seq;
        match self.anchor {
            None if end > 0 => Err(JournalError::AnchorMissing { records: end }),
            // A journal ahead of its anchor is a crash between the two writes; the other way round, what
            // was acknowledged is gone.
            Some(anchor) if anchor.seq > end => {
                Err(JournalError::AcknowledgedMissing { first_missing: end + 1, count: anchor.seq - end })
            }
            _ => Ok(CheckedChain { head: self.head, extents: self.extents }),
        }
    }

    /// Compares the anchor with the extent just taken, if it names a record in it. Commits end where extents
    /// end, so an anchor inside an extent belongs to another history.
    fn check_anchor(&self, first: Seq) -> Result<(), JournalError> {
        match self.anchor {
            Some(anchor) if (first..=self.head.seq).contains(&anchor.seq) && anchor != self.head => {
                Err(JournalError::AnchorMismatch { seq: anchor.seq })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::extent::{EXTENT_BYTES_MAX, ExtentWriter};
    use super::super::testing::{batch_at, batch_of};
    use super::*;

    /// Key and value of each extent.
    type Extents = Vec<(Vec<u8>, Vec<u8>)>;

    /// Three extents of two records each, and the heads behind them.
    fn chain() -> (Extents, Vec<Head>) {
        let (mut extents, mut heads) = (Vec::new(), vec![Head::EMPTY]);
        let mut writer = ExtentWriter::new(EXTENT_BYTES_MAX);
        for first in [1, 3, 5] {
            let head = writer
                .write(*heads.last().unwrap(), &batch_of(first, 2, 50), |seq, value| {
                    extents.push((seq.to_be_bytes().to_vec(), value.to_vec()));
                    Ok(())
                })
                .unwrap();
            heads.push(head);
        }
        (extents, heads)
    }

    fn check(extents: &[(Vec<u8>, Vec<u8>)], anchor: Option<Head>) -> Result<CheckedChain, JournalError> {
        let mut check = ChainCheck::new(anchor);
        extents.iter().try_for_each(|(key, value)| check.take(key, value).map(drop))?;
        check.finish()
    }

    #[test]
    fn a_whole_chain_passes_with_its_anchor_at_or_behind_the_end() {
        let (extents, heads) = chain();
        for anchor in &heads {
            let checked = check(&extents, Some(*anchor)).unwrap();
            assert_eq!((checked.head, checked.extents), (heads[3], 3), "{anchor:?}");
        }
        assert_eq!(check(&[], None).unwrap().head, Head::EMPTY);
    }

    #[test]
    fn anchors_that_do_not_fit_are_refused() {
        let (extents, heads) = chain();
        let other = Head { hash: [9; 32], ..heads[1] };
        let inside = Head { seq: 3, ..heads[2] };
        let rows = [
            (
                "ahead of the journal",
                &extents[..2],
                Some(heads[3]),
                "2 acknowledged record(s) are missing from 5 on",
            ),
            (
                "ahead of nothing",
                &extents[..0],
                Some(heads[1]),
                "2 acknowledged record(s) are missing from 1 on",
            ),
            ("another hash", &extents[..], Some(other), "the anchor's hash at record 2"),
            ("inside an extent", &extents[..], Some(inside), "the anchor's hash at record 3"),
            ("none at all", &extents[..], None, "6 record(s) is missing"),
        ];
        for (name, extents, anchor, want) in rows {
            let refused = check(extents, anchor).map(|checked| checked.head).unwrap_err().to_string();
            assert!(refused.contains(want), "{name}: {refused}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_chain_is_named_with_its_first_record() {
        let (whole, heads) = chain();
        let late = |first| {
            let mut bytes = Vec::new();
            let put = |_, value: &[u8]| {
                bytes = value.to_vec();
                Ok(())
            };
            ExtentWriter::new(EXTENT_BYTES_MAX).write(heads[1], &batch_at(first, 2, 50, 5), put).unwrap();
            bytes
        };
        type Edit<'a> = Box<dyn Fn(&mut Extents) + 'a>;
        let rows: [(&str, Edit<'_>, Seq, Damage); 7] = [
            ("middle extent gone", Box::new(|x| drop(x.remove(1))), 3, Damage::Missing),
            ("first extent gone", Box::new(|x| drop(x.remove(0))), 1, Damage::Missing),
            ("an extent twice", Box::new(|x| x.insert(1, x[0].clone())), 3, Damage::Order),
            ("filed elsewhere", Box::new(|x| x[1].0[7] = 4), 3, Damage::Key),
            ("header spoiled", Box::new(|x| x[2].1[0] ^= 1), 5, Damage::Header),
            ("previous hash changed", Box::new(|x| x[1].1[20] ^= 1), 3, Damage::Chain),
            ("time goes back", Box::new(|x| x[1].1 = late(3)), 3, Damage::Time),
        ];
        for (name, edit, want_seq, want) in rows {
            let mut extents = whole.clone();
            edit(&mut extents);
            let read = check(&extents, Some(heads[3])).map(|checked| checked.head);
            let right = matches!(read, Err(JournalError::Damaged { seq, damage }) if seq == want_seq && damage == want);
            assert!(right, "{name}: {read:?}");
        }
    }
}
