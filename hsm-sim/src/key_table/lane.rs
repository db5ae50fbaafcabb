//! Keys of items for a batch: as bytes, because lanes need no schedules.

use super::{KeyTable, Purpose};
use crate::{
    HsmError, KeyHandle, KeyRef, KeyUsage, Lmk, PsamNumber, bitslice::Lane, des_key::DesKey,
    psam::transaction_factor,
};

/// What a lane's key still needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LaneKey {
    /// Nothing.
    Ready,
    /// It is a PSAM master: the PSAM's own key must take its place.
    Master {
        /// Whose key it is.
        master: KeyHandle,
        /// What diversifies it.
        psam: PsamNumber,
    },
}

impl KeyTable {
    /// Puts the key of an item into a lane. An item whose key is refused here, for
    /// whatever reason, is one that [`KeyTable::item_key`] refuses too or that is
    /// not for lanes.
    pub(crate) fn lane_key(
        &mut self,
        lmk: &Lmk,
        key: KeyRef,
        purpose: Purpose,
        lane: &mut Lane,
    ) -> Result<LaneKey, HsmError> {
        if let KeyRef::Session(session) = key {
            lane.key = self.sessions.find(session, purpose.of_session())?.halves();
            return Ok(LaneKey::Ready);
        }
        let need = self.item_usage(key, purpose)?;
        match key {
            KeyRef::Session(_) => return Err(HsmError::WrongSession),
            KeyRef::Stored(handle) => lane.key = self.des_key(lmk, handle, need)?.halves(),
            KeyRef::Psam { master, psam } => return self.psam_lane(lmk, master, need, psam, lane),
            KeyRef::OneTime { master, psam, random, stan } => {
                lane.factor = Some(u64::from_be_bytes(transaction_factor(random, stan)?));
                return self.psam_lane(lmk, master, need, psam, lane);
            }
            KeyRef::Dukpt { bdk: handle, .. } | KeyRef::DukptAes { bdk: handle, .. } => {
                return Err(HsmError::WrongDerivation(self.usage(handle)?));
            }
        }
        Ok(LaneKey::Ready)
    }

    fn psam_lane(
        &mut self,
        lmk: &Lmk,
        master: KeyHandle,
        need: KeyUsage,
        psam: PsamNumber,
        lane: &mut Lane,
    ) -> Result<LaneKey, HsmError> {
        // Asked first, because the cache knows neither usages nor stale handles.
        self.require_usage(master, need)?;
        if let Some(key) = self.derived.find(master, psam) {
            lane.key = key.halves();
            return Ok(LaneKey::Ready);
        }
        lane.key = self.des_key(lmk, master, need)?.halves();
        Ok(LaneKey::Master { master, psam })
    }

    /// Keeps a PSAM's own key that was diversified in lanes.
    ///
    /// # Errors
    /// [`HsmError::WeakDerivedKey`].
    pub(crate) fn keep_psam_key(
        &mut self,
        master: KeyHandle,
        psam: PsamNumber,
        halves: [u64; 2],
    ) -> Result<(), HsmError> {
        let key = DesKey::from_halves(halves).map_err(|_| HsmError::WeakDerivedKey)?;
        self.derived.insert(master, psam, key);
        Ok(())
    }
}
