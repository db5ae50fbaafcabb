//! Sessions: keys of transactions that several commands use, derived once.

use super::Hsm;
use crate::{
    HsmError, KeyRef, Lmk, SessionHandle, SessionRequest,
    bitslice::Lane,
    des_key::DesKey,
    key_table::{KeyTable, Purpose},
};

impl Hsm {
    /// Derives keys of transactions and keeps them until [`Hsm::end_sessions`]; they
    /// are named by [`crate::KeyRef::Session`]. A MAC key that checks a request and
    /// seals its answer is derived once this way instead of twice.
    ///
    /// [`HsmError::WrongDerivation`] for keys that are not derived for a transaction,
    /// not for this purpose, or are AES keys; [`HsmError::TableFull`] beyond
    /// [`crate::SESSIONS_MAX`].
    pub fn derive_sessions(
        &mut self,
        items: &[SessionRequest],
        out: &mut Vec<Result<SessionHandle, HsmError>>,
    ) {
        let alone = |hsm: &mut Self, at: usize| {
            let SessionRequest { key, purpose } = items[at];
            hsm.keys.derive_session(&hsm.lmk, key, purpose)
        };
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let SessionRequest { key, purpose } = items[at];
            if !matches!(key, KeyRef::OneTime { .. }) {
                return None;
            }
            let entered = keys.lane_key(lmk, key, Purpose::from(purpose), lane).ok()?;
            lane.value[0] = lane.factor.take()?;
            Some(entered)
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.batch.bitslice.diversify(ready);
            for lane in ready {
                let at = start + lane.item as usize;
                let halves = [lane.value[0], lane.value[1]];
                out[at] = match DesKey::from_halves(halves) {
                    Ok(key) if !lane.unusual => hsm.keys.keep_session(items[at].purpose, key),
                    _ => alone(hsm, at),
                };
            }
        });
    }

    /// Wipes the keys of sessions. Handles that are stale already change nothing.
    pub fn end_sessions(&mut self, sessions: &[SessionHandle]) {
        for session in sessions {
            self.keys.end_session(*session);
        }
    }
}
