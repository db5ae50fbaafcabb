//! Zone keys, the keys of an ATM host: PIN and MAC keys that change hands under a zone master key, always
//! as TR-31 key blocks.
//!
//! Whether a new key was in use before is the caller's business: it knows the
//! check values of the earlier ones.

use super::Hsm;
use crate::{Entropy, HsmError, ImportedKey, KeyBlock, KeyHandle, KeyUsage, stack, tr31::Attributes};

impl Hsm {
    /// Takes a zone key out of a block under a zone master key and wraps it under
    /// the local master key. It is not loaded.
    ///
    /// The block has at most [`crate::TRANSPORT_BLOCK_MAX`] characters; usage, algorithm
    /// and mode of its header must be exactly those of `usage`. The key stays
    /// exportable only if the block says `E`.
    ///
    /// # Errors
    /// [`HsmError::NotZoneUsage`] unless `usage` is that of a PIN, X9.19 or CBC
    /// triple DES key; [`HsmError::WrongUsage`] if `zmk` is no zone master key;
    /// [`HsmError::KeyBlock`] with [`crate::KeyBlockError::Authentication`] if anything in
    /// the block was changed, and with the others of [`crate::KeyBlockError`] for
    /// its form; [`HsmError::KeyLength`] for a single-length key, [`HsmError::WeakKey`]
    /// for equal halves.
    pub fn import_zone_key(
        &mut self,
        zmk: KeyHandle,
        block: &str,
        usage: KeyUsage,
        entropy: &mut dyn Entropy,
    ) -> Result<ImportedKey, HsmError> {
        require_zone_usage(usage)?;
        self.import_key(zmk, block, usage, entropy)
    }

    /// Wraps a loaded zone key under a zone master key. The receiver may not
    /// export it further.
    ///
    /// # Errors
    /// [`HsmError::NotZoneUsage`] as above, [`HsmError::NotExportable`] unless the
    /// key's own block says `E`, [`HsmError::WrongUsage`] if `zmk` is no zone
    /// master key, [`HsmError::NoSuchKey`].
    pub fn export_zone_key(
        &mut self,
        zmk: KeyHandle,
        key: KeyHandle,
        entropy: &mut dyn Entropy,
    ) -> Result<KeyBlock, HsmError> {
        let usage = self.keys.usage(key)?;
        require_zone_usage(usage)?;
        let block = self.block_to_leave(key)?;
        stack::wiped_after_few(|| {
            let master = self.keys.zone_master(&self.lmk, zmk)?;
            let attributes = |key: &[u8]| Attributes::of(usage, key.len());
            Ok(self.lmk.unwrap(&block, |key| master.wrap(attributes(key), key, entropy))?)
        })
    }
}

fn require_zone_usage(usage: KeyUsage) -> Result<(), HsmError> {
    match usage {
        KeyUsage::PinEncryption | KeyUsage::MacX919 | KeyUsage::MacCbc3Des => Ok(()),
        _ => Err(HsmError::NotZoneUsage(usage)),
    }
}
