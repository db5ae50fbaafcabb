//! From one local master key to the next in the books: every key block there is wrapped anew, and that is recorded, before
//! anything is served. A start that is cut off goes on where it was at the next one.
//!
//! Start at [`keeper`], which [`crate::recovery`] asks for every keeper.

use hsm_sim::{Entropy, Hsm, HsmError, KeyBlock, KeyBlockError, Lmk};

use super::CheckValue;
use crate::books::{
    Books,
    event::{Event, KeyKeeper, KeyText},
};

/// Why the keys in the books cannot be used under this local master key.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// They are under the published key.
    #[error(
        "the keys in this data folder are under the published test LMK, so they are no secret; serve it with hsm.mode = \
         \"test\", or import the city into another data folder"
    )]
    TestBooks,
    /// They are under another one.
    #[error(
        "the keys in this data folder are not under the LMK {}; name the components of the one they are under in \
         hsm.components, or in hsm.previous_components to have them re-wrapped",
        CheckValue(*.0)
    )]
    OtherLmk([u8; 3]),
    /// A block that neither key opens.
    #[error("a key of {keeper:?} in this data folder cannot be re-wrapped: it is under neither LMK")]
    Block {
        /// Whose it is.
        keeper: KeyKeeper,
        /// Why.
        #[source]
        source: HsmError,
    },
}

/// Checks that the books' keys are under the HSM's local master key or the previous one, by the first of them.
///
/// # Errors
/// They are under another.
pub fn check(books: &Books, hsm: &Hsm, entropy: &mut dyn Entropy) -> Result<(), RewrapError> {
    let Some(first) = books.key_blocks(KeyKeeper::Issuer).first().copied() else { return Ok(()) };
    // Damage of other kinds has an error of its own where the key is loaded.
    let Ok(block) = KeyBlock::parse(&first.0) else { return Ok(()) };
    let refused = HsmError::KeyBlock(KeyBlockError::Authentication);
    if hsm.rewrap(&block, entropy).err() != Some(refused) {
        return Ok(());
    }
    let under_test = Hsm::new(Lmk::test()).load_key(&block).is_ok();
    Err(if under_test { RewrapError::TestBooks } else { RewrapError::OtherLmk(hsm.lmk_check_value()) })
}

/// What to record so that a keeper's keys are all under the HSM's present local master key; nothing if they are.
///
/// # Errors
/// A block that neither key opens.
pub fn keeper(
    books: &Books,
    keeper: KeyKeeper,
    hsm: &Hsm,
    entropy: &mut dyn Entropy,
) -> Result<Option<Event>, RewrapError> {
    let old = books.key_blocks(keeper);
    let mut blocks = Vec::with_capacity(old.len());
    for text in &old {
        let block = KeyBlock::parse(&text.0).map_err(HsmError::from);
        let block = block.and_then(|block| hsm.rewrap(&block, entropy));
        let block = block.map_err(|source| RewrapError::Block { keeper, source })?;
        blocks.push(KeyText(block.as_str().into()));
    }
    let changed = blocks.iter().zip(&old).any(|(new, old)| new != *old);
    Ok(changed.then(|| Event::KeysRewrapped { lmk: hsm.lmk_check_value(), keeper, blocks }))
}
