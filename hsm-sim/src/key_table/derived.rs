//! Keys of DUKPT transactions, and the AES keys of items.

use super::{ItemKey, KeyTable, Purpose};
use crate::{
    Direction, HsmError, KeyHandle, KeyRef, KeyUsage, Lmk, SessionHandle, SessionPurpose,
    aes_key::AesKey,
    des_key::DesKey,
    dukpt::{self, Variant},
    dukpt_aes,
    schedule::Schedule,
};
use std::ops::Deref;

/// An AES key for one item: kept, or derived for it and wiped with it.
pub(crate) enum ItemAesKey<'a> {
    Kept(&'a AesKey),
    Derived(AesKey),
}

impl Deref for ItemAesKey<'_> {
    type Target = AesKey;

    fn deref(&self) -> &AesKey {
        match self {
            Self::Kept(key) => key,
            Self::Derived(key) => key,
        }
    }
}

impl From<SessionPurpose> for Purpose {
    fn from(purpose: SessionPurpose) -> Self {
        match purpose {
            SessionPurpose::Pin => Self::Pin,
            SessionPurpose::Mac(algorithm) => Self::Mac(algorithm),
            SessionPurpose::Track => Self::Track,
        }
    }
}

impl Purpose {
    /// The same as a session says it.
    pub(super) fn of_session(self) -> SessionPurpose {
        match self {
            Self::Pin => SessionPurpose::Pin,
            Self::Mac(algorithm) => SessionPurpose::Mac(algorithm),
            Self::Track => SessionPurpose::Track,
        }
    }

    /// What a DUKPT key is made into for this. Its key's usage was asked for before,
    /// so anything but a MAC is a PIN.
    pub(super) fn variant(self, key: &KeyRef) -> Variant {
        let direction = match key {
            KeyRef::Dukpt { direction, .. } | KeyRef::DukptAes { direction, .. } => *direction,
            _ => Direction::Request,
        };
        match self {
            Self::Mac(_) => Variant::Mac(direction),
            Self::Pin | Self::Track => Variant::Pin,
        }
    }
}

impl KeyTable {
    /// Derives the key of a transaction and keeps it.
    pub(crate) fn derive_session(
        &mut self,
        lmk: &Lmk,
        key: KeyRef,
        purpose: SessionPurpose,
    ) -> Result<SessionHandle, HsmError> {
        let derived = match self.item_key(lmk, key, Purpose::from(purpose))? {
            ItemKey::Derived(key) => key,
            ItemKey::Kept(_) => return Err(HsmError::WrongDerivation(self.master_usage(key)?)),
        };
        self.keep_session(purpose, derived)
    }

    /// Keeps the key of a transaction.
    ///
    /// # Errors
    /// [`HsmError::TableFull`].
    pub(crate) fn keep_session(
        &mut self,
        purpose: SessionPurpose,
        key: DesKey,
    ) -> Result<SessionHandle, HsmError> {
        self.sessions.insert(purpose, key)
    }

    /// Wipes the key of a session.
    pub(crate) fn end_session(&mut self, session: SessionHandle) {
        self.sessions.end(session);
    }

    /// The AES key of an item, if it is of a kind and usage for this purpose.
    pub(crate) fn item_aes_key(
        &mut self,
        lmk: &Lmk,
        key: KeyRef,
        purpose: Purpose,
    ) -> Result<ItemAesKey<'_>, HsmError> {
        match key {
            KeyRef::Stored(handle) => {
                // Of the two purposes with AES keys only one has a usage that triple DES has as well.
                let need = match purpose {
                    Purpose::Pin => KeyUsage::PinEncryptionAes,
                    Purpose::Mac(_) | Purpose::Track => self.item_usage(key, purpose)?,
                };
                self.aes_key(lmk, handle, need).map(ItemAesKey::Kept)
            }
            KeyRef::DukptAes { bdk, ksn, .. } => {
                self.item_usage(key, purpose)?;
                let variant = purpose.variant(&key);
                self.dukpt_aes_base(lmk, bdk)?.working_key(&ksn, variant).map(ItemAesKey::Derived)
            }
            KeyRef::Session(_) => Err(HsmError::WrongSession),
            KeyRef::Psam { master: handle, .. }
            | KeyRef::OneTime { master: handle, .. }
            | KeyRef::Dukpt { bdk: handle, .. } => Err(HsmError::WrongDerivation(self.usage(handle)?)),
        }
    }

    /// The unwrapped AES key behind a handle, if it has this usage.
    fn aes_key(&mut self, lmk: &Lmk, handle: KeyHandle, need: KeyUsage) -> Result<&AesKey, HsmError> {
        let have = self.require_usage(handle, need)?;
        match self.schedule(lmk, handle)? {
            Schedule::Aes(key) => Ok(key),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }

    /// The base derivation key of triple DES DUKPT behind a handle.
    pub(super) fn dukpt_base(&mut self, lmk: &Lmk, bdk: KeyHandle) -> Result<&dukpt::BaseKey, HsmError> {
        let need = KeyUsage::DukptTdes;
        let have = self.require_usage(bdk, need)?;
        match self.schedule(lmk, bdk)? {
            Schedule::Dukpt(key) => Ok(key),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }

    /// The base derivation key of AES DUKPT behind a handle.
    fn dukpt_aes_base(&mut self, lmk: &Lmk, bdk: KeyHandle) -> Result<&dukpt_aes::BaseKey, HsmError> {
        let need = KeyUsage::DukptAes;
        let have = self.require_usage(bdk, need)?;
        match self.schedule(lmk, bdk)? {
            Schedule::DukptAes(key) => Ok(key),
            _ => Err(HsmError::WrongUsage { have, need }),
        }
    }
}
