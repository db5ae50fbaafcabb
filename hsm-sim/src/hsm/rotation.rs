//! From one local master key to the next.
//!
//! [`Hsm::begin_rotation`] takes the new key; from then on blocks under either are
//! good, and everything new is under the new one. Whoever keeps blocks re-wraps
//! them with [`Hsm::rewrap_keys`]; [`Hsm::end_rotation`] re-wraps what is loaded
//! and wipes the old key. Handles stay as they are throughout.

use super::Hsm;
use crate::{Entropy, HsmError, KeyBlock, KeyBlockError, Lmk, stack, tr31::Attributes};

impl Hsm {
    /// Makes `new` the local master key, beside which the present one still opens
    /// blocks.
    ///
    /// # Errors
    /// [`HsmError::RotationUnderWay`]; [`HsmError::SameLmk`] if it has the present
    /// one's check value; [`HsmError::TestLmk`] if exactly one of the two is the
    /// well-known test key: whoever knows that one could go on making blocks.
    pub fn begin_rotation(&mut self, new: Lmk) -> Result<(), HsmError> {
        if self.lmk.previous().is_some() {
            return Err(HsmError::RotationUnderWay);
        }
        if new.check_value() == self.lmk.check_value() {
            return Err(HsmError::SameLmk);
        }
        if new.is_test() != self.lmk.is_test() {
            return Err(HsmError::TestLmk);
        }
        // A key of zeros stands in for the moment between.
        let present = std::mem::replace(&mut self.lmk, Lmk::from_bytes([0; 32].into()));
        self.lmk = new.succeeding(present);
        Ok(())
    }

    /// The check value of the key that is on its way out.
    #[must_use]
    pub fn previous_lmk_check_value(&self) -> Option<[u8; 3]> {
        self.lmk.previous().map(Lmk::check_value)
    }

    /// Wraps the key of a block anew under the present local master key, with the
    /// same header. A block that is under it already comes back as it is.
    ///
    /// # Errors
    /// [`HsmError::KeyBlock`] if it is under neither key or has optional blocks, which
    /// no block of this HSM has; [`HsmError::KeyLength`], [`HsmError::WeakKey`].
    pub fn rewrap(&self, block: &KeyBlock, entropy: &mut dyn Entropy) -> Result<KeyBlock, HsmError> {
        stack::wiped_after_few(|| rewrapped(&self.lmk, block, entropy))
    }

    /// The same for many blocks.
    pub fn rewrap_keys(
        &self,
        blocks: &[KeyBlock],
        entropy: &mut dyn Entropy,
        out: &mut Vec<Result<KeyBlock, HsmError>>,
    ) {
        out.clear();
        out.extend(blocks.iter().map(|block| self.rewrap(block, entropy)));
    }

    /// Takes a key of sample data over: out of its block under the well-known test key
    /// into one under the present local master key, with the same header. It is no
    /// step of a rotation, and the test key is good for nothing else here.
    ///
    /// What comes out is as secret as what went in: whoever has read the sample data
    /// knows the key.
    ///
    /// # Errors
    /// As [`Hsm::rewrap`].
    #[cfg(any(test, feature = "test-keys"))]
    pub fn adopt_test_key(&self, block: &KeyBlock, entropy: &mut dyn Entropy) -> Result<KeyBlock, HsmError> {
        stack::wiped_after_few(|| moved(&Lmk::test(), &self.lmk, block, entropy))
    }

    /// Re-wraps the loaded keys that are still under the old local master key, and
    /// wipes that. Answers how many they were: zero means that their keepers had
    /// been through with it.
    ///
    /// # Errors
    /// [`HsmError::NoRotation`]. [`HsmError::KeyBlock`] if a loaded block opens under
    /// neither key, which would be damage to memory; then nothing is wiped.
    pub fn end_rotation(&mut self, entropy: &mut dyn Entropy) -> Result<usize, HsmError> {
        if self.lmk.previous().is_none() {
            return Err(HsmError::NoRotation);
        }
        let mut left = 0;
        for block in self.keys.blocks_mut() {
            if !self.lmk.wraps(block) {
                *block = stack::wiped_after_few(|| rewrapped(&self.lmk, block, entropy))?;
                left += 1;
            }
        }
        self.lmk.forget_previous();
        Ok(left)
    }
}

fn rewrapped(lmk: &Lmk, block: &KeyBlock, entropy: &mut dyn Entropy) -> Result<KeyBlock, HsmError> {
    if lmk.wraps(block) { Ok(block.clone()) } else { moved(lmk, lmk, block, entropy) }
}

/// The key of a block that `from` opens, in a block under `to` with the same header.
fn moved(from: &Lmk, to: &Lmk, block: &KeyBlock, entropy: &mut dyn Entropy) -> Result<KeyBlock, HsmError> {
    let (usage, _) = from.open(block)?;
    let text = block.text();
    if !text.optional_text()?.is_empty() {
        return Err(KeyBlockError::OptionalBlock.into());
    }
    Ok(from.unwrap(block, |key| {
        let attributes = Attributes::of(usage, key.len()).version(text.key_version());
        to.wrap_as(Attributes { exportability: text.exportability(), ..attributes }, key, entropy)
    })?)
}
