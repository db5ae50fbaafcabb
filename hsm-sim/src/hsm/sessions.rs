//! Sessions: keys of transactions that several commands use, derived once.

use super::Hsm;
use crate::{HsmError, SessionHandle, SessionRequest};

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
        out.clear();
        out.extend(items.iter().map(|item| self.keys.derive_session(&self.lmk, item.key, item.purpose)));
    }

    /// Wipes the keys of sessions. Handles that are stale already change nothing.
    pub fn end_sessions(&mut self, sessions: &[SessionHandle]) {
        for session in sessions {
            self.keys.end_session(*session);
        }
    }
}
