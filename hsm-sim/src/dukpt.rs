//! DUKPT in triple DES (ANSI X9.24-1:2009): a key for each transaction, found
//! again from the base derivation key and the key serial number.
//!
//! Only the host's side: a device's future keys are not kept here. Start at
//! [`BaseKey::transaction_key`].

use crate::{
    HsmError,
    des_key::{DesKey, xor},
};
use cipher::{BlockCipherEncrypt, KeyInit};
use des::Des;
use std::fmt;
use zeroize::Zeroizing;

/// The low 21 bits of a key serial number count transactions.
const COUNTER_BITS: u32 = 21;
/// A device skips every counter with more one bits than this.
const COUNTER_ONES_MAX: u32 = 10;
/// The other key of the pair that the derivation works with.
const MASK: [u8; 8] = [0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0];

/// Which way a message went under a derived key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// From the device: its PIN blocks and its MACs.
    Request,
    /// To the device: MACs of answers.
    Response,
}

/// The key serial number of triple DES DUKPT: ten bytes, of which the last 21
/// bits count the device's transactions. No secret.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ksn([u8; 10]);

/// Why some bytes are no key serial number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KsnError {
    /// Counter zero names the initial key, under which nothing is ever sent.
    #[error("key serial number has counter zero")]
    CounterZero,
    /// The counter has more one bits than a device ever uses.
    #[error("key serial number has a counter that no device uses")]
    CounterBits,
}

impl Ksn {
    /// Reads a key serial number.
    ///
    /// # Errors
    /// See [`KsnError`].
    pub fn parse(bytes: &[u8; 10]) -> Result<Self, KsnError> {
        let ksn = Self(*bytes);
        check_counter(ksn.counter(), COUNTER_ONES_MAX)?;
        Ok(ksn)
    }

    /// The transaction counter.
    #[must_use]
    pub fn counter(&self) -> u32 {
        let [.., a, b, c] = self.0;
        u32::from_be_bytes([0, a, b, c]) & ((1 << COUNTER_BITS) - 1)
    }

    /// Everything but the counter: which device it is.
    #[must_use]
    pub fn device(&self) -> [u8; 10] {
        let mut device = self.0;
        device[7] &= 0xE0;
        device[8..].fill(0);
        device
    }

    /// The ten bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

impl fmt::Debug for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ksn(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str(")")
    }
}

pub(crate) fn check_counter(counter: u32, ones_max: u32) -> Result<(), KsnError> {
    match counter.count_ones() {
        0 => Err(KsnError::CounterZero),
        ones if ones > ones_max => Err(KsnError::CounterBits),
        _ => Ok(()),
    }
}

/// What a transaction's key is made into before it is used, by XOR into each half.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    Pin,
    Mac(Direction),
}

impl Variant {
    /// The byte of each half that is inverted (X9.24-1 table A-3).
    fn place(self) -> usize {
        match self {
            Self::Pin => 7,
            Self::Mac(Direction::Request) => 6,
            Self::Mac(Direction::Response) => 4,
        }
    }
}

/// A double-length key in clear, wiped on drop.
pub(crate) type Clear = Zeroizing<[u8; 16]>;

/// A base derivation key: itself and its masked twin, expanded.
pub(crate) struct BaseKey {
    key: DesKey,
    masked: DesKey,
}

impl BaseKey {
    /// Expands a key of 16 bytes.
    ///
    /// # Errors
    /// [`HsmError::KeyLength`], [`HsmError::WeakKey`].
    pub(crate) fn new(key: &[u8]) -> Result<Self, HsmError> {
        let (halves, []) = key.as_chunks::<8>() else { return Err(HsmError::KeyLength) };
        let &[left, right] = halves else { return Err(HsmError::KeyLength) };
        let masked = joined(xor(left, MASK), xor(right, MASK));
        Ok(Self { key: DesKey::new(key)?, masked: DesKey::new(&*masked)? })
    }

    pub(crate) fn check_value(&self) -> [u8; 3] {
        self.key.check_value()
    }

    /// The key a device was loaded with (IPEK).
    pub(crate) fn initial_key(&self, ksn: &Ksn) -> Clear {
        let mut serial = [0; 8];
        serial.copy_from_slice(&ksn.device()[..8]);
        joined(self.key.encrypt(serial), self.masked.encrypt(serial))
    }

    /// The key of one transaction, before it is made into a variant.
    pub(crate) fn transaction_key(&self, ksn: &Ksn) -> Clear {
        let mut register = [0; 8];
        register.copy_from_slice(&ksn.device()[2..]);
        let mut key = self.initial_key(ksn);
        for bit in (0..COUNTER_BITS).rev().map(|place| 1_u64 << place) {
            if u64::from(ksn.counter()) & bit != 0 {
                register = (u64::from_be_bytes(register) | bit).to_be_bytes();
                key = next_key(&key, register);
            }
        }
        key
    }

    /// The key that PINs or MACs of one transaction are under.
    ///
    /// # Errors
    /// [`HsmError::WeakDerivedKey`].
    pub(crate) fn working_key(&self, ksn: &Ksn, variant: Variant) -> Result<DesKey, HsmError> {
        let mut key = self.transaction_key(ksn);
        for half in key.as_chunks_mut::<8>().0 {
            half[variant.place()] ^= 0xFF;
        }
        DesKey::new(&*key).map_err(|_| HsmError::WeakDerivedKey)
    }
}

/// The non-reversible step of the standard.
fn next_key(key: &Clear, register: [u8; 8]) -> Clear {
    let [left, right] = halves(key);
    let masked = joined(xor(left, MASK), xor(right, MASK));
    let [masked_left, masked_right] = halves(&masked);
    joined(one_way(masked_left, masked_right, register), one_way(left, right, register))
}

/// A block under the right half, enciphered in single DES under the left one.
fn one_way(left: [u8; 8], right: [u8; 8], register: [u8; 8]) -> [u8; 8] {
    let mut block = xor(register, right);
    Des::new(&left.into()).encrypt_block((&mut block).into());
    xor(block, right)
}

fn halves(key: &Clear) -> [[u8; 8]; 2] {
    let mut halves = [[0; 8]; 2];
    halves.as_flattened_mut().copy_from_slice(&**key);
    halves
}

fn joined(left: [u8; 8], right: [u8; 8]) -> Clear {
    let mut key = Zeroizing::new([0; 16]);
    key[..8].copy_from_slice(&left);
    key[8..].copy_from_slice(&right);
    key
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn published_keys_are_derived() {
        for vector in vectors::family("dukpt_tdes") {
            let base = BaseKey::new(&vector.input_bytes("bdk")).unwrap();
            let ksn = Ksn::parse(&vectors::array(vector.input("ksn"))).unwrap();
            assert_eq!(base.initial_key(&ksn).to_vec(), vector.expected_bytes("ipek"), "{}", vector.id);
            let key = base.transaction_key(&ksn);
            assert_eq!(key.to_vec(), vector.expected_bytes("transaction_key"), "{}", vector.id);
            for (variant, name) in [
                (Variant::Pin, "pin_key"),
                (Variant::Mac(Direction::Request), "mac_request_key"),
                (Variant::Mac(Direction::Response), "mac_response_key"),
            ] {
                let want = DesKey::new(&vector.expected_bytes(name)).unwrap();
                let found = base.working_key(&ksn, variant).unwrap();
                assert_eq!(found.check_block(), want.check_block(), "{} {name}", vector.id);
            }
        }
    }

    #[test]
    fn a_counter_that_no_device_uses_is_refused() {
        for (name, ksn, want) in [
            ("counter zero", "FFFF9876543210E00000", Err(KsnError::CounterZero)),
            ("the first", "FFFF9876543210E00001", Ok(())),
            ("ten ones", "FFFF9876543210E003FF", Ok(())),
            ("eleven ones", "FFFF9876543210E007FF", Err(KsnError::CounterBits)),
            ("the last", "FFFF9876543210FFF800", Ok(())),
        ] {
            assert_eq!(Ksn::parse(&vectors::array(ksn)).map(drop), want, "{name}");
        }
    }

    #[test]
    fn counter_and_device_share_a_byte() {
        let ksn = Ksn::parse(&vectors::array("FFFF9876543210F00001")).unwrap();
        assert_eq!(ksn.counter(), 0x10_0001);
        assert_eq!(ksn.device().to_vec(), vectors::bytes("FFFF9876543210E00000"));
        assert_eq!(format!("{ksn:?}"), "Ksn(FFFF9876543210F00001)");
    }
}
