//! Zone master keys: under one of them an ATM host and the HSM exchange TR-31 key
//! blocks.
//!
//! The key decides the version: AES makes and opens version D, triple DES version
//! B. Start at [`ZoneMaster`].

use crate::{
    Entropy, HsmError, KeyBlock, KeyBlockError, KeyUsage, TransportBlock,
    des_key::DesKey,
    key_block::BlockText,
    tr31::{Attributes, ProtectionCipher, ProtectionKey, cmac_check_value},
};
use aes::{Aes128, Aes256};
use cipher::Key;
use des::TdesEde2;

/// A zone master key, as the keys derived from it; they are wiped on drop.
pub(crate) struct ZoneMaster {
    protection: Protection,
    check_value: [u8; 3],
}

/// Boxed, because expanded AES keys are several times as large as the DES keys
/// they share the key cache with.
enum Protection {
    Aes128(Box<ProtectionKey<Aes128>>),
    Aes256(Box<ProtectionKey<Aes256>>),
    Tdes(Box<ProtectionKey<TdesEde2>>),
}

/// Does the same under whichever cipher it is.
macro_rules! of_either {
    ($master:expr, $protection:ident => $work:expr) => {
        match &$master.protection {
            Protection::Aes128($protection) => $work,
            Protection::Aes256($protection) => $work,
            Protection::Tdes($protection) => $work,
        }
    };
}

impl ZoneMaster {
    /// Expands a key: for [`KeyUsage::ZoneMasterTdes`] double-length triple DES,
    /// otherwise AES of 16 or 32 bytes.
    ///
    /// # Errors
    /// [`HsmError::KeyLength`], and for triple DES [`HsmError::WeakKey`].
    pub(crate) fn new(usage: KeyUsage, key: &[u8]) -> Result<Self, HsmError> {
        match (usage, key.len()) {
            (KeyUsage::ZoneMasterTdes, 16) => {
                let check_value = DesKey::new(key)?.check_value();
                Ok(Self { protection: Protection::Tdes(expand(key)?), check_value })
            }
            (KeyUsage::ZoneMaster, 16) => {
                let check_value = cmac_check_value::<Aes128>(sized::<Aes128>(key)?);
                Ok(Self { protection: Protection::Aes128(expand(key)?), check_value })
            }
            (KeyUsage::ZoneMaster, 32) => {
                let check_value = cmac_check_value::<Aes256>(sized::<Aes256>(key)?);
                Ok(Self { protection: Protection::Aes256(expand(key)?), check_value })
            }
            _ => Err(HsmError::KeyLength),
        }
    }

    /// Three bytes, of the encryption of zeros or for AES of their CMAC (ANSI
    /// X9.24-1:2017).
    pub(crate) fn check_value(&self) -> [u8; 3] {
        self.check_value
    }

    pub(crate) fn wrap(&self, attributes: Attributes, key: &[u8], entropy: &mut dyn Entropy) -> KeyBlock {
        of_either!(self, protection => protection.wrap(attributes, key, entropy))
    }

    /// Wraps a key with optional blocks.
    pub(crate) fn wrap_for_transport(
        &self,
        attributes: Attributes,
        optional: &[(&str, &str)],
        key: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<TransportBlock, KeyBlockError> {
        of_either!(self, protection => protection.wrap_for_transport(attributes, optional, key, entropy))
    }

    /// Whether a key of this usage and length is as strong as this one at most: AES
    /// does not go under triple DES, nor 256 bits under 128.
    pub(crate) fn is_strong_enough(&self, usage: KeyUsage, key_length: usize) -> bool {
        match &self.protection {
            Protection::Aes256(_) => true,
            Protection::Aes128(_) => !usage.is_aes() || key_length <= 16,
            Protection::Tdes(_) => !usage.is_aes(),
        }
    }

    /// Whether it is AES, and its check value a CMAC.
    pub(crate) fn is_aes(&self) -> bool {
        !matches!(self.protection, Protection::Tdes(_))
    }

    /// Authenticates a block and shows its key to `take`. What the header means is not
    /// looked at.
    pub(crate) fn unwrap<'b, T>(
        &self,
        block: impl Into<BlockText<'b>>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, KeyBlockError> {
        of_either!(self, protection => protection.unwrap(block, take))
    }
}

fn expand<C: ProtectionCipher>(key: &[u8]) -> Result<Box<ProtectionKey<C>>, HsmError> {
    Ok(Box::new(ProtectionKey::new(sized::<C>(key)?)))
}

fn sized<C: ProtectionCipher>(key: &[u8]) -> Result<&Key<C>, HsmError> {
    key.try_into().map_err(|_| HsmError::KeyLength)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn published_check_values_are_found() {
        let vector = &vectors::family("kcv_aes")[0];
        let master = ZoneMaster::new(KeyUsage::ZoneMaster, &vector.input_bytes("key")).unwrap();
        assert_eq!(master.check_value()[..], vector.expected_bytes("kcv_cmac_5bytes")[..3]);
    }

    #[test]
    fn blocks_of_other_implementations_open_under_a_key_of_their_kind_only() {
        let mut opened = 0;
        for vector in vectors::family("tr31_unwrap") {
            let (key, block) =
                (vector.input_bytes("kbpk"), KeyBlock::parse(vector.input("key_block")).unwrap());
            let (usage, other) = match (block.as_str().as_bytes()[0], key.len()) {
                (b'B', 16) => (KeyUsage::ZoneMasterTdes, KeyUsage::ZoneMaster),
                (b'D', 16 | 32) => (KeyUsage::ZoneMaster, KeyUsage::ZoneMasterTdes),
                _ => continue,
            };
            let master = ZoneMaster::new(usage, &key).unwrap();
            let clear = master.unwrap(&block, <[u8]>::to_vec).unwrap();
            assert_eq!(clear, vector.expected_bytes("key"), "{}", vector.id);
            if let Ok(other) = ZoneMaster::new(other, &key) {
                assert_eq!(other.unwrap(&block, |_| ()), Err(KeyBlockError::Version), "{}", vector.id);
            }
            opened += 1;
        }
        assert!(opened > 3, "{opened} blocks");
    }
}
