//! AES DUKPT (ANSI X9.24-3:2017): like [`crate::dukpt`], with a derivation that
//! says in its data what each key is for.
//!
//! Working keys are AES keys of the base key's length; the standard would also
//! allow shorter ones and triple DES. Only the host's side.

use crate::{
    Direction, HsmError, KsnError,
    aes_key::AesKey,
    dukpt::{Variant, check_counter},
};
use std::fmt;
use zeroize::Zeroizing;

/// A device skips every counter with more one bits than this.
const COUNTER_ONES_MAX: u32 = 16;

/// The key serial number of AES DUKPT: the initial key's identifier in eight bytes
/// and the transaction counter in four. No secret.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AesKsn([u8; 12]);

impl AesKsn {
    /// Reads a key serial number.
    ///
    /// # Errors
    /// See [`KsnError`].
    pub fn parse(bytes: &[u8; 12]) -> Result<Self, KsnError> {
        let ksn = Self(*bytes);
        check_counter(ksn.counter(), COUNTER_ONES_MAX)?;
        Ok(ksn)
    }

    /// Without the rule about counters, for known answers that break it.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn of_any_counter(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The transaction counter.
    #[must_use]
    pub fn counter(&self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The identifier of the initial key, which is the device's.
    #[must_use]
    pub fn device(&self) -> [u8; 8] {
        let [device @ .., _, _, _, _] = self.0;
        device
    }

    /// The twelve bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Debug for AesKsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKsn(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str(")")
    }
}

/// What a derived key is for, as the derivation data says it.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    PinEncryption,
    MacGeneration,
    MacVerification,
    #[cfg(any(test, feature = "cli"))]
    DataEncryption,
    #[cfg(any(test, feature = "cli"))]
    DataDecryption,
    KeyDerivation,
    InitialKey,
}

impl Purpose {
    /// As the device sees it: it generates MACs of requests and verifies answers'.
    pub(crate) fn of(variant: Variant) -> Self {
        match variant {
            Variant::Pin => Self::PinEncryption,
            Variant::Mac(Direction::Request) => Self::MacGeneration,
            Variant::Mac(Direction::Response) => Self::MacVerification,
        }
    }

    fn code(self) -> [u8; 2] {
        match self {
            Self::PinEncryption => [0x10, 0x00],
            Self::MacGeneration => [0x20, 0x00],
            Self::MacVerification => [0x20, 0x01],
            #[cfg(any(test, feature = "cli"))]
            Self::DataEncryption => [0x30, 0x00],
            #[cfg(any(test, feature = "cli"))]
            Self::DataDecryption => [0x30, 0x01],
            Self::KeyDerivation => [0x80, 0x00],
            Self::InitialKey => [0x80, 0x01],
        }
    }
}

/// Clear bytes of an AES key of some length, wiped on drop.
pub(crate) struct Clear {
    bytes: Zeroizing<[u8; 32]>,
    length: usize,
}

impl Clear {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A base derivation key.
pub(crate) struct BaseKey {
    key: AesKey,
    length: usize,
}

impl BaseKey {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`HsmError::KeyLength`].
    pub(crate) fn new(key: &[u8]) -> Result<Self, HsmError> {
        Ok(Self { key: AesKey::new(key)?, length: key.len() })
    }

    pub(crate) fn check_value(&self) -> [u8; 3] {
        self.key.check_value()
    }

    /// The key a device was loaded with.
    pub(crate) fn initial_key(&self, ksn: &AesKsn) -> Clear {
        derive(&self.key, self.length, Purpose::InitialKey, ksn.device())
    }

    /// The key from which those of one transaction come: one derivation for each
    /// one bit of the counter, from the top, each with the bits so far.
    ///
    /// # Errors
    /// None that can happen: derived keys have the base key's length.
    pub(crate) fn derivation_key(&self, ksn: &AesKsn) -> Result<Clear, HsmError> {
        let mut key = self.initial_key(ksn);
        let mut counter = 0;
        for bit in (0..u32::BITS).rev().map(|place| 1 << place) {
            if ksn.counter() & bit != 0 {
                counter |= bit;
                let parent = AesKey::new(key.as_bytes())?;
                key = derive(&parent, self.length, Purpose::KeyDerivation, context(ksn, counter));
            }
        }
        Ok(key)
    }

    /// The clear key for one purpose of one transaction.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn working_key_bytes(&self, ksn: &AesKsn, purpose: Purpose) -> Result<Clear, HsmError> {
        let parent = AesKey::new(self.derivation_key(ksn)?.as_bytes())?;
        Ok(derive(&parent, self.length, purpose, context(ksn, ksn.counter())))
    }

    /// The same, expanded.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn working_key(&self, ksn: &AesKsn, variant: Variant) -> Result<AesKey, HsmError> {
        AesKey::new(self.working_key_bytes(ksn, Purpose::of(variant))?.as_bytes())
    }
}

/// The right half of the identifier and the counter: what tells transactions apart.
fn context(ksn: &AesKsn, counter: u32) -> [u8; 8] {
    let mut context = [0; 8];
    context[..4].copy_from_slice(&ksn.device()[4..]);
    context[4..].copy_from_slice(&counter.to_be_bytes());
    context
}

/// One or two blocks of derivation data under the parent; the last is cut.
fn derive(parent: &AesKey, length: usize, purpose: Purpose, context: [u8; 8]) -> Clear {
    let (algorithm, bits): (u8, u16) = match length {
        16 => (2, 128),
        24 => (3, 192),
        _ => (4, 256),
    };
    let mut data = [0; 16];
    data[0] = 1; // Version of the derivation data.
    data[2..4].copy_from_slice(&purpose.code());
    data[5] = algorithm;
    data[6..8].copy_from_slice(&bits.to_be_bytes());
    data[8..].copy_from_slice(&context);

    let mut derived = Clear { bytes: Zeroizing::new([0; 32]), length };
    for (number, part) in (1..).zip(derived.bytes[..length].chunks_mut(16)) {
        data[1] = number;
        let block = Zeroizing::new(parent.encrypt(data));
        part.copy_from_slice(&block[..part.len()]);
    }
    derived
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    fn ksn(text: &str) -> Result<AesKsn, KsnError> {
        AesKsn::parse(&vectors::array(text))
    }

    #[test]
    fn published_keys_are_derived() {
        for vector in vectors::family("dukpt_aes128") {
            let base = BaseKey::new(&vector.input_bytes("bdk")).unwrap();
            // One of the published counters has seventeen ones.
            let text = [vector.input("initial_key_id"), vector.input("counter")].concat();
            let ksn = AesKsn::of_any_counter(vectors::array(&text));
            let bytes = |clear: Clear| clear.as_bytes().to_vec();
            assert_eq!(bytes(base.initial_key(&ksn)), vector.expected_bytes("initial_key"), "{}", vector.id);
            let key = bytes(base.derivation_key(&ksn).unwrap());
            assert_eq!(key, vector.expected_bytes("derivation_key"), "{}", vector.id);
            for (purpose, name) in [
                (Purpose::PinEncryption, "PIN"),
                (Purpose::MacGeneration, "MAC_GEN"),
                (Purpose::MacVerification, "MAC_VER"),
                (Purpose::DataEncryption, "DATA_ENC"),
                (Purpose::DataDecryption, "DATA_DEC"),
            ] {
                let found = bytes(base.working_key_bytes(&ksn, purpose).unwrap());
                let want = vector.expected_in("working_keys", name);
                assert_eq!(found, vectors::bytes(want), "{} {name}", vector.id);
            }
        }
    }

    #[test]
    fn longer_keys_are_two_blocks_the_last_of_which_is_cut() {
        let ksn = ksn("123456789012345600000001").unwrap();
        for length in [24, 32] {
            let base = BaseKey::new(&vec![7; length]).unwrap();
            let key = base.working_key_bytes(&ksn, Purpose::PinEncryption).unwrap();
            assert_eq!(key.as_bytes().len(), length);
            assert_ne!(key.as_bytes()[..8], key.as_bytes()[16..24], "the second block is another one");
        }
    }

    #[test]
    fn a_counter_that_no_device_uses_is_refused() {
        for (name, text, want) in [
            ("counter zero", "123456789012345600000000", Err(KsnError::CounterZero)),
            ("sixteen ones", "12345678901234560000FFFF", Ok(())),
            ("seventeen ones", "12345678901234560001FFFF", Err(KsnError::CounterBits)),
        ] {
            assert_eq!(ksn(text).map(drop), want, "{name}");
        }
    }
}
