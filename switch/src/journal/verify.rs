//! What is proved about a journal before it opens: extent by extent, in constant memory.
//!
//! Every extent's header, every record's CRC and number, time that never goes back, the hash chain, and the
//! anchor within that chain. No I/O here: [`ChainCheck`] is handed keys and values. A chain may begin anywhere: what is in
//! front of its first extent is a [`Head`] that the caller vouches for.

use super::extent::{Extent, hash_of};
use super::{Damage, Head, JournalError, Seq};

/// Walks a chain, or a part of one, from its first extent.
pub(super) struct ChainCheck {
    base: Head,
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
    /// A whole journal: it begins behind `base`, and `anchor` is the head the anchor vouches for, if there is one.
    pub(super) fn new(base: Head, anchor: Option<Head>) -> Self {
        Self { base, head: base, extents: 0, anchor }
    }

    /// A part of a chain that begins behind `base`, and for whose end nothing vouches.
    pub(super) fn part(base: Head) -> Self {
        Self::new(base, None)
    }

    /// Checks the next extent, filed under `key`, and returns its last record's number.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<Seq, JournalError> {
        let damaged = |damage| JournalError::Damaged { seq: self.head.seq + 1, damage };
        let extent = Extent::parse(value).ok_or_else(|| damaged(Damage::Header))?;
        if key != extent.first.to_be_bytes() {
            return Err(damaged(Damage::Key));
        }
        self.follow(&extent, value)
    }

    /// Checks the next extent, and returns its last record's number.
    pub(super) fn take_extent(&mut self, value: &[u8]) -> Result<Seq, JournalError> {
        let damage = Damage::Header;
        let extent = Extent::parse(value).ok_or(JournalError::Damaged { seq: self.head.seq + 1, damage })?;
        self.follow(&extent, value)
    }

    fn follow(&mut self, extent: &Extent<'_>, value: &[u8]) -> Result<Seq, JournalError> {
        let next = self.head.seq + 1;
        let damaged = |damage| JournalError::Damaged { seq: next, damage };
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

    /// The end of what was checked so far, all of it whole; the base before the first extent.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// All extents were given: the anchor must have been met on the way.
    pub(super) fn finish(self) -> Result<CheckedChain, JournalError> {
        let end = self.head.seq;
        match self.anchor {
            None if end > 0 => Err(JournalError::AnchorMissing { records: end }),
            // A journal never ends where it begins, unless it was made so, with an anchor that says the same: what was
            // removed lay behind a checkpoint, and records lay behind that.
            Some(anchor) if self.extents == 0 && anchor.seq <= end && anchor != self.base => {
                Err(JournalError::BaseAhead { base: end })
            }
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
        let mut check = ChainCheck::new(Head::EMPTY, anchor);
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
    fn a_chain_may_begin_behind_any_extent_and_only_there() {
        let (extents, heads) = chain();
        let from = |base: Head, extents: &[(Vec<u8>, Vec<u8>)], anchor| {
            let mut check = ChainCheck::new(base, Some(anchor));
            extents.iter().try_for_each(|(key, value)| check.take(key, value).map(drop))?;
            check.finish().map(|checked| checked.head)
        };
        assert_eq!(from(heads[1], &extents[1..], heads[3]).unwrap(), heads[3]);
        assert_eq!(from(heads[3], &[], heads[3]).unwrap(), heads[3], "made so, and the anchor says so");
        let other = Head { hash: [7; 32], ..heads[1] };
        let later = Head { time_ms: i64::MAX, ..heads[1] };
        let rows = [
            ("another hash before it", other, &extents[1..], heads[3], "record 3: the hash chain is broken"),
            (
                "a later time before it",
                later,
                &extents[1..],
                heads[3],
                "record 3: the record's time goes back",
            ),
            ("the first extent behind it gone", heads[1], &extents[2..], heads[3], "record 3: it is missing"),
            ("nothing behind it", heads[1], &[], heads[3], "4 acknowledged record(s) are missing from 3 on"),
            ("nothing behind it, and an old anchor", heads[2], &[], heads[1], "begins behind record 4"),
        ];
        for (name, base, extents, anchor, want) in rows {
            let refused = from(base, extents, anchor).unwrap_err().to_string();
            assert!(refused.contains(want), "{name}: {refused}");
        }
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
