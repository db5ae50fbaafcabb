//! DES and double-length triple DES keys with their schedules expanded.
//!
//! This is the table-based single-message path. A [`DesKey`] is wiped on drop
//! (the `des` crate does it) and prints nothing. It remembers its bytes for batches,
//! which need no schedules.

use cbc_mac::CbcMac;
use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit, common::InnerInit as _};
use des::Des;
use std::fmt;
use zeroize::Zeroizing;

/// One DES key, or the two halves of a triple DES key.
pub(crate) struct DesKey {
    left: Des,
    right: Option<Des>,
    halves: Zeroizing<[u64; 2]>,
}

/// Why some bytes are not a usable DES key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DesKeyError {
    Length,
    Weak,
}

impl DesKey {
    /// Expands a key of 8 or 16 bytes; parity bits are ignored.
    pub(crate) fn new(key: &[u8]) -> Result<Self, DesKeyError> {
        if !matches!(key.len(), 8 | 16) {
            return Err(DesKeyError::Length);
        }
        if is_weak(key) {
            return Err(DesKeyError::Weak);
        }
        let (left, right) = key.split_at(8);
        let half = |bytes| Des::new_from_slice(bytes).map_err(|_| DesKeyError::Length);
        let right = if right.is_empty() { None } else { Some(right) };
        let number = |half: &[u8]| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let halves = Zeroizing::new([number(left), number(right.unwrap_or(left))]);
        Ok(Self { left: half(left)?, right: right.map(half).transpose()?, halves })
    }

    /// A double-length key from its halves, highest byte first.
    pub(crate) fn from_halves(halves: [u64; 2]) -> Result<Self, DesKeyError> {
        Self::new(&*joined(halves))
    }

    /// Whether [`DesKey::from_halves`] would refuse them.
    pub(crate) fn is_weak_pair(halves: [u64; 2]) -> bool {
        is_weak(&*joined(halves))
    }

    /// The halves, highest byte first; of a single-length key twice the same, which
    /// makes triple DES single DES.
    pub(crate) fn halves(&self) -> [u64; 2] {
        *self.halves
    }

    /// Encrypts one block: DES, or encrypt-decrypt-encrypt with two keys.
    pub(crate) fn encrypt(&self, mut block: [u8; 8]) -> [u8; 8] {
        self.left.encrypt_block((&mut block).into());
        self.finish(block)
    }

    /// Decrypts one block.
    pub(crate) fn decrypt(&self, mut block: [u8; 8]) -> [u8; 8] {
        self.left.decrypt_block((&mut block).into());
        if let Some(right) = &self.right {
            right.encrypt_block((&mut block).into());
            self.left.decrypt_block((&mut block).into());
        }
        block
    }

    /// The two operations that a triple DES encryption adds after the first one;
    /// none for a single-length key. They also end a retail MAC.
    pub(crate) fn finish(&self, mut block: [u8; 8]) -> [u8; 8] {
        if let Some(right) = &self.right {
            right.decrypt_block((&mut block).into());
            self.left.encrypt_block((&mut block).into());
        }
        block
    }

    /// A CBC chain under the left half alone.
    pub(crate) fn left_chain(&self) -> CbcMac<Des> {
        CbcMac::inner_init(self.left.clone())
    }

    /// Encrypts a double-length key in ECB, as sign-in answers carry it.
    pub(crate) fn encrypt_key(&self, key: &[u8; 16]) -> [u8; 16] {
        both_halves(key, |half| self.encrypt(half))
    }

    /// The inverse of [`DesKey::encrypt_key`].
    #[cfg(any(test, feature = "emulator"))]
    pub(crate) fn decrypt_key(&self, cryptogram: &[u8; 16]) -> Zeroizing<[u8; 16]> {
        Zeroizing::new(both_halves(cryptogram, |half| self.decrypt(half)))
    }

    /// The encryption of eight zero bytes; check values are its left bytes
    /// (ANSI X9.24: three, UnionPay: four).
    pub(crate) fn check_block(&self) -> [u8; 8] {
        self.encrypt([0; 8])
    }

    /// The left three bytes of it.
    pub(crate) fn check_value(&self) -> [u8; 3] {
        let [a, b, c, ..] = self.check_block();
        [a, b, c]
    }

    /// Encrypts whole blocks in place: CBC with a zero initialisation vector.
    #[cfg(any(test, feature = "emulator"))]
    pub(crate) fn encrypt_cbc(&self, data: &mut [u8]) {
        let mut previous = [0; 8];
        for block in data.as_chunks_mut().0 {
            previous = self.encrypt(xor(*block, previous));
            *block = previous;
        }
    }

    /// The inverse of [`DesKey::encrypt_cbc`].
    pub(crate) fn decrypt_cbc(&self, data: &mut [u8]) {
        let mut previous = [0; 8];
        for block in data.as_chunks_mut().0 {
            let encrypted = std::mem::replace(block, xor(self.decrypt(*block), previous));
            previous = encrypted;
        }
    }

    #[cfg(any(test, feature = "emulator"))]
    pub(crate) fn is_double(&self) -> bool {
        self.right.is_some()
    }
}

impl fmt::Debug for DesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DesKey")
    }
}

/// The bytes of a double-length key.
fn joined(halves: [u64; 2]) -> Zeroizing<[u8; 16]> {
    let mut key = Zeroizing::new([0; 16]);
    for (bytes, half) in key.as_chunks_mut().0.iter_mut().zip(halves) {
        *bytes = half.to_be_bytes();
    }
    key
}

/// Sets the lowest bit of each byte so that the byte has an odd number of ones.
pub(crate) fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        *byte ^= u8::from(byte.count_ones() % 2 == 0);
    }
}

/// Whether a half is on the list of weak keys or the halves are equal. Parity is
/// set first: the cipher ignores it, so keys that differ only there are equal.
fn is_weak(key: &[u8]) -> bool {
    let mut odd = Zeroizing::new([0; 16]);
    let odd = &mut odd[..key.len()];
    odd.copy_from_slice(key);
    set_odd_parity(odd);
    des::weak_key_test(odd).is_err()
}

/// The bitwise sum of two blocks.
pub(crate) fn xor(left: [u8; 8], right: [u8; 8]) -> [u8; 8] {
    (u64::from_be_bytes(left) ^ u64::from_be_bytes(right)).to_be_bytes()
}

fn both_halves(key: &[u8; 16], transform: impl Fn([u8; 8]) -> [u8; 8]) -> [u8; 16] {
    let mut result = [0; 16];
    for (out, half) in result.as_chunks_mut().0.iter_mut().zip(key.as_chunks().0) {
        *out = transform(*half);
    }
    result
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use des::TdesEde2;
    use proptest::prelude::*;

    fn block(bytes: &[u8]) -> [u8; 8] {
        bytes.try_into().unwrap()
    }

    #[test]
    fn published_blocks_encrypt_and_decrypt() {
        for vector in ["des_block", "tdes_block"].into_iter().flat_map(vectors::family) {
            let key = DesKey::new(&vector.input_bytes("key")).unwrap();
            let (clear, cipher) =
                (block(&vector.input_bytes("plaintext")), block(&vector.expected_bytes("ciphertext")));
            assert_eq!(key.encrypt(clear), cipher, "{}", vector.id);
            assert_eq!(key.decrypt(cipher), clear, "{}", vector.id);
        }
    }

    #[test]
    fn published_check_values_are_found() {
        for vector in vectors::family("kcv_tdes") {
            let key = DesKey::new(&vector.input_bytes("key")).unwrap();
            assert_eq!(key.check_block().to_vec(), vector.expected_bytes("full"), "{}", vector.id);
            assert_eq!(key.check_block()[..3], vector.expected_bytes("kcv6"), "{}", vector.id);
        }
    }

    #[test]
    fn weak_keys_and_equal_halves_are_refused_whatever_their_parity() {
        for (name, key) in [
            ("weak", "0101010101010101"),
            ("weak without parity", "0000000000000000"),
            ("semi-weak", "01FE01FE01FE01FE"),
            ("weak right half", "0123456789ABCDEF1F1F1F1F0E0E0E0E"),
            ("equal halves", "0123456789ABCDEF0123456789ABCDEF"),
            ("halves that differ in parity only", "0123456789ABCDEF0022446688AACCEE"),
        ] {
            assert_eq!(DesKey::new(&vectors::bytes(key)).unwrap_err(), DesKeyError::Weak, "{name}");
            if let Ok(bytes) = <[u8; 16]>::try_from(vectors::bytes(key)) {
                let halves = [0, 8].map(|at| u64::from_be_bytes(*bytes[at..].first_chunk().unwrap()));
                assert!(DesKey::is_weak_pair(halves), "{name}");
            }
        }
        assert!(!DesKey::is_weak_pair([0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210]));
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in (0..40).filter(|length| !matches!(length, 8 | 16)) {
            assert_eq!(DesKey::new(&vec![0x23; length]).unwrap_err(), DesKeyError::Length, "{length}");
        }
    }

    proptest! {
        #[test]
        fn two_halves_are_the_triple_des_of_the_library(key: [u8; 16], clear: [u8; 8]) {
            prop_assume!(!is_weak(&key));
            let mut expected = clear;
            TdesEde2::new(&key.into()).encrypt_block((&mut expected).into());
            prop_assert_eq!(DesKey::new(&key).unwrap().encrypt(clear), expected);
        }

        #[test]
        fn parity_is_odd_and_changes_nothing_else(mut key: [u8; 16]) {
            let before = key;
            set_odd_parity(&mut key);
            prop_assert!(key.iter().all(|byte| byte.count_ones() % 2 == 1));
            prop_assert!(key.iter().zip(before).all(|(new, old)| new >> 1 == old >> 1));
        }
    }
}
