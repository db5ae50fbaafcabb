//! Epochs: the stretches of history between which people decided that records did not count.

use super::{
    Books, Seq,
    apply::ApplyError,
    order::{Epoch, SignedOrder, What},
};

impl Books {
    /// Number of the epoch that the next record is of; the first is 1.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epochs.last().map_or(1, |epoch| epoch.number)
    }

    /// Number of the epoch that a record is of.
    #[must_use]
    pub fn epoch_of(&self, seq: Seq) -> u32 {
        let of_later = self.epochs.iter().rev().find(|epoch| epoch.seq <= seq);
        of_later.map_or(1, |epoch| epoch.number)
    }

    /// The epochs behind the first, oldest first, each with the order that began it.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// When the epoch began, milliseconds since 1970 UTC; long ago for the first. What was sent before is not new.
    pub(super) fn epoch_began_ms(&self) -> i64 {
        self.epochs.last().map_or(i64::MIN, |epoch| epoch.began_ms)
    }

    /// Everything that was good for one use only, or for a time, is void: what came behind the last record that is kept is
    /// not remembered here, so a recording of it could not be told from a new request.
    pub(super) fn begin_epoch(&mut self, order: &SignedOrder) -> Result<(), ApplyError> {
        let What::BeginEpoch { epoch, keeps, .. } = order.order.what else {
            return Err(ApplyError::NoSuch { seq: self.seq, what: "epoch in the order" });
        };
        if epoch <= self.epoch() || keeps + 1 != self.seq {
            return Err(ApplyError::NoSuch { seq: self.seq, what: "epoch to begin here" });
        }
        for terminal in &mut self.terminals {
            (terminal.current, terminal.pending, terminal.previous) = (None, None, None);
        }
        for psam in &mut self.psams {
            psam.nonce = None;
        }
        for acquirer in &mut self.acquirers {
            // What it was given and has not used yet stays good: it may be in use by now, for what the record of that said
            // is lost. Messages of before are told by their field 7, whatever keys they came under.
            (acquirer.previous, acquirer.signed_on) = (None, false);
        }
        let began =
            Epoch { number: epoch, seq: self.seq, began_ms: self.time_ms, order: Some(order.clone()) };
        self.epochs.push(began);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        books::{
            event::{Event, KeyText, ZoneKeyTexts},
            order::Order,
        },
        settlement::testing::History,
    };

    #[test]
    fn zone_keys_that_were_given_and_not_used_yet_outlive_an_epoch_and_those_of_before_do_not() {
        let mut history = History::begun();
        let given = |version: u8, adopts| Event::ZoneKeysChanged {
            acquirer: 0,
            version: version.into(),
            keys: ZoneKeyTexts {
                pin: KeyText("no key".into()),
                mac_to_switch: KeyText("no key".into()),
                mac_from_switch: KeyText("no key".into()),
                check_values: [1, 2, 3].map(|key| [version, key, 0]),
            },
            sent: (i64::from(version), 1),
            adopts,
        };
        history.record(given(2, None));
        history.record(given(3, Some(2)));
        let what = What::BeginEpoch { epoch: 2, keeps: history.books.seq(), hash: [0; 32] };
        let order = Order { id: [1; 16], made_ms: 0, expires_ms: 0, what, why: "a test".into() };
        let signed = SignedOrder { order, signatures: Default::default() };
        history.record(Event::EpochBegun(Box::new(signed)));
        let acquirer = &history.books.acquirers()[0];
        let pending = acquirer.pending.as_ref().map(|keys| keys.version);
        assert_eq!((acquirer.current.version, pending), (2, Some(3)));
        assert!(acquirer.previous.is_none() && !acquirer.signed_on);
    }
}
