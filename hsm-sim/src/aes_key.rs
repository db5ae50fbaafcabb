//! AES keys of all three lengths with their schedules expanded.
//!
//! The `aes` crate uses the processor's instructions where it has them, else
//! bitsliced code: constant time either way. An [`AesKey`] is wiped on drop by it
//! and prints nothing.

use crate::HsmError;
use aes::{Aes128, Aes192, Aes256};
use cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit, common::InnerInit as _};
use cmac::{Cmac, Mac as _, block_api::CmacCipher};
use std::fmt;

/// One AES key. Boxed, because an expanded one is several times as large as the
/// DES keys it shares the key cache with.
pub(crate) enum AesKey {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`HsmError::KeyLength`].
    pub(crate) fn new(key: &[u8]) -> Result<Self, HsmError> {
        match key.len() {
            16 => expand(key).map(Self::Aes128),
            24 => expand(key).map(Self::Aes192),
            32 => expand(key).map(Self::Aes256),
            _ => Err(HsmError::KeyLength),
        }
    }

    /// Encrypts one block.
    pub(crate) fn encrypt(&self, mut block: [u8; 16]) -> [u8; 16] {
        match self {
            Self::Aes128(key) => key.encrypt_block((&mut block).into()),
            Self::Aes192(key) => key.encrypt_block((&mut block).into()),
            Self::Aes256(key) => key.encrypt_block((&mut block).into()),
        }
        block
    }

    /// Decrypts one block.
    pub(crate) fn decrypt(&self, mut block: [u8; 16]) -> [u8; 16] {
        match self {
            Self::Aes128(key) => key.decrypt_block((&mut block).into()),
            Self::Aes192(key) => key.decrypt_block((&mut block).into()),
            Self::Aes256(key) => key.decrypt_block((&mut block).into()),
        }
        block
    }

    /// The CMAC of `data` (NIST SP 800-38B, RFC 4493).
    pub(crate) fn cmac(&self, data: &[u8]) -> [u8; 16] {
        match self {
            Self::Aes128(key) => cmac_of(&**key, data),
            Self::Aes192(key) => cmac_of(&**key, data),
            Self::Aes256(key) => cmac_of(&**key, data),
        }
    }

    /// The left three bytes of the CMAC of sixteen zero bytes (ANSI X9.24-1:2017).
    pub(crate) fn check_value(&self) -> [u8; 3] {
        let [a, b, c, ..] = self.cmac(&[0; 16]);
        [a, b, c]
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey")
    }
}

fn expand<C: KeyInit>(key: &[u8]) -> Result<Box<C>, HsmError> {
    C::new_from_slice(key).map(Box::new).map_err(|_| HsmError::KeyLength)
}

fn cmac_of<C: CmacCipher + Clone>(key: &C, data: &[u8]) -> [u8; 16] {
    let mut mac: Cmac<C> = Cmac::inner_init(key.clone());
    mac.update(data);
    let block: Block<C> = mac.finalize().into_bytes();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&block);
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    #[test]
    fn published_cmacs_and_check_values_are_computed() {
        for vector in vectors::family("cmac_aes") {
            let key = AesKey::new(&vector.input_bytes("key")).unwrap();
            let mac = key.cmac(&vector.input_bytes("data_hex"));
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac16"), "{}", vector.id);
        }
        for vector in vectors::family("kcv_aes") {
            let key = AesKey::new(&vector.input_bytes("key")).unwrap();
            assert_eq!(key.check_value()[..], vector.expected_bytes("kcv_cmac_5bytes")[..3], "{}", vector.id);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in (0..40).filter(|length| !matches!(length, 16 | 24 | 32)) {
            assert_eq!(AesKey::new(&vec![1; length]).unwrap_err(), HsmError::KeyLength, "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encrypted_decrypts(key: [u8; 32], block: [u8; 16]) {
            for length in [16, 24, 32] {
                let key = AesKey::new(&key[..length]).unwrap();
                prop_assert_eq!(key.decrypt(key.encrypt(block)), block);
            }
        }
    }
}
