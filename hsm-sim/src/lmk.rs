//! The local master key: the one key under which all others leave the HSM.

use crate::{
    ComponentError, ComponentForm, Entropy, HsmError, KeyBlock, KeyBlockError, KeyComponent, KeyUsage,
    components,
    schedule::Schedule,
    tr31::{Attributes, ProtectionKey, cmac_check_value},
};
use aes::Aes256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The AES key block test LMK that payShield simulators and public tools use.
/// Everybody knows it, so nothing under it is secret.
const TEST_KEY: [u8; 32] = [
    0x9B, 0x71, 0x33, 0x3A, 0x13, 0xF9, 0xFA, 0xE7, 0x2F, 0x9D, 0x0E, 0x2D, 0xAB, 0x4A, 0xD6, 0x78, //
    0x47, 0x18, 0x01, 0x2F, 0x92, 0x44, 0x03, 0x3F, 0x3F, 0x26, 0xA2, 0xDE, 0x0C, 0x8A, 0xA1, 0x1A,
];

/// A local master key: AES-256, wrapping TR-31 version D.
///
/// Only the keys derived from it are kept; they are wiped on drop. `Debug` shows
/// the check value.
pub struct Lmk {
    protection: ProtectionKey<Aes256>,
    check_value: [u8; 3],
    test: bool,
    /// While keys are re-wrapped: the key they were under before.
    previous: Option<Box<Lmk>>,
}

impl Lmk {
    /// The well-known test key, for development, demonstrations and tests.
    #[must_use]
    pub fn test() -> Self {
        Self::from_bytes(Zeroizing::new(TEST_KEY))
    }

    /// A key from its 32 bytes, which are wiped. If they are those of the test
    /// key, it is the test key.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "taking the key is what makes the caller give it up")]
    pub fn from_bytes(key: Zeroizing<[u8; 32]>) -> Self {
        Self {
            protection: ProtectionKey::new((&*key).into()),
            check_value: cmac_check_value::<Aes256>((&*key).into()),
            test: key.ct_eq(&TEST_KEY).into(),
            previous: None,
        }
    }

    /// A key from two components or more, of 32 bytes each, entered by different
    /// custodians.
    ///
    /// # Errors
    /// See [`ComponentError`].
    pub fn from_components(components: &[KeyComponent]) -> Result<Self, ComponentError> {
        let sum = components::sum(components, ComponentForm::Aes)?;
        let mut key = Zeroizing::new([0; 32]);
        if sum.as_bytes().len() != key.len() {
            return Err(ComponentError::Length);
        }
        key.copy_from_slice(sum.as_bytes());
        Ok(Self::from_bytes(key))
    }

    /// This key, which from now on opens the blocks of `previous` as well.
    pub(crate) fn succeeding(self, previous: Self) -> Self {
        Self { previous: Some(Box::new(previous)), ..self }
    }

    pub(crate) fn previous(&self) -> Option<&Self> {
        self.previous.as_deref()
    }

    /// Wipes the previous key.
    pub(crate) fn forget_previous(&mut self) {
        self.previous = None;
    }

    /// Whether this is the well-known test key.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// The left three bytes of the CMAC of sixteen zero bytes (ANSI X9.24-1:2017).
    #[must_use]
    pub fn check_value(&self) -> [u8; 3] {
        self.check_value
    }

    /// Wraps a key of a length that its usage accepts.
    pub(crate) fn wrap(&self, usage: KeyUsage, key: &[u8], entropy: &mut dyn Entropy) -> KeyBlock {
        self.wrap_as(Attributes::of(usage, key.len()), key, entropy)
    }

    /// The same with attributes of the caller's.
    pub(crate) fn wrap_as(&self, attributes: Attributes, key: &[u8], entropy: &mut dyn Entropy) -> KeyBlock {
        self.protection.wrap(attributes, key, entropy)
    }

    /// Authenticates a block under this key or the previous one, and shows its key to
    /// `take`.
    pub(crate) fn unwrap<T>(
        &self,
        block: &KeyBlock,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, KeyBlockError> {
        match &self.previous {
            Some(previous) if !self.wraps(block) => previous.unwrap(block, take),
            _ => self.protection.unwrap(block, take),
        }
    }

    /// Whether a block is under this key and not under the previous one.
    pub(crate) fn wraps(&self, block: &KeyBlock) -> bool {
        self.protection.unwrap(block, |_| ()).is_ok()
    }

    /// Authenticates a block, checks that its header fits together, and expands
    /// its key.
    pub(crate) fn open(&self, block: &KeyBlock) -> Result<(KeyUsage, Schedule), HsmError> {
        self.unwrap(block, |key| {
            let usage =
                KeyUsage::from_header(block.usage_code(), block.algorithm()).ok_or(KeyBlockError::Usage)?;
            block.text().check_attributes(usage, key.len())?;
            Ok((usage, Schedule::new(usage, key)?))
        })?
    }
}

impl fmt::Debug for Lmk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.check_value;
        let test = if self.test { ", test" } else { "" };
        let rotating = if self.previous.is_some() { ", rotating" } else { "" };
        write!(f, "Lmk({a:02X}{b:02X}{c:02X}{test}{rotating})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_key_knows_itself_however_it_was_made() {
        assert!(Lmk::test().is_test());
        assert!(Lmk::from_bytes(Zeroizing::new(TEST_KEY)).is_test());
        assert!(!Lmk::from_bytes(Zeroizing::new([1; 32])).is_test());
    }

    #[test]
    fn the_test_key_has_the_check_value_that_public_tools_show() {
        assert_eq!(Lmk::test().check_value(), [0xDB, 0x3F, 0xB6]);
    }

    #[test]
    fn printing_shows_the_check_value_only() {
        assert_eq!(format!("{:?}", Lmk::test()), "Lmk(DB3FB6, test)");
    }

    #[test]
    fn authentic_headers_that_do_not_fit_together_are_refused() {
        let lmk = Lmk::test();
        for (name, usage, algorithm, mode, want) in [
            ("a usage nobody knows", "B1", 'T', 'C', KeyBlockError::Usage),
            ("AES for a DES usage", "M3", 'A', 'C', KeyBlockError::Algorithm),
            ("DES for a double-length key", "M3", 'D', 'C', KeyBlockError::Algorithm),
            ("HMAC for a DES usage", "M3", 'H', 'C', KeyBlockError::Algorithm),
            ("a MAC key that encrypts", "M3", 'T', 'E', KeyBlockError::Mode),
            ("a MAC key without restrictions", "M3", 'T', 'N', KeyBlockError::Mode),
            ("a PIN key that makes MACs", "P0", 'T', 'C', KeyBlockError::Mode),
        ] {
            let attributes = Attributes { usage, algorithm, mode, version: 0, exportability: 'N' };
            let key: Vec<u8> = (1..=16).collect();
            let block = lmk.protection.wrap(attributes, &key, &mut |bytes: &mut [u8]| bytes.fill(0));
            assert_eq!(lmk.open(&block).err(), Some(HsmError::KeyBlock(want)), "{name}");
        }
    }
}
