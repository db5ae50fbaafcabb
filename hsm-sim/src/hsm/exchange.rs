//! Keys that come and go: made with their options, formed from components, and
//! exchanged under key block protection keys, which are the zone masters.

use super::{Hsm, KEY_MAX, draw_key};
use crate::{
    ComponentForm, Entropy, HsmError, ImportedKey, KeyBlock, KeyBlockError, KeyComponent, KeyHandle,
    KeyUsage, TransportBlock, components, hex, key_block::BlockText, schedule::Schedule, stack,
    tr31::Attributes,
};
use arrayvec::ArrayString;

/// What the header of a new key's block says besides its usage.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyOptions {
    /// 1 to 99, or 0 for none.
    pub version: u8,
    /// Whether the key may leave under a key block protection key.
    pub exportable: bool,
}

/// What a key block says besides its header when it leaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExportOptions {
    /// Optional block `KC`: the check value of the key inside.
    pub check_value: bool,
    /// Optional block `KP`: the check value of the key it is under.
    pub protection_check_value: bool,
}

impl Hsm {
    /// As [`Hsm::generate_key`], for a key that may leave or has a version.
    ///
    /// # Errors
    /// [`HsmError::KeyVersion`], and as there.
    pub fn generate_key_with(
        &mut self,
        usage: KeyUsage,
        options: KeyOptions,
        entropy: &mut dyn Entropy,
    ) -> Result<KeyBlock, HsmError> {
        stack::wiped_after_few(|| {
            let key = draw_key(usage, entropy)?;
            let key = &key[..usage.key_length()];
            Ok(self.lmk.wrap_as(attributes(usage, key.len(), options)?, key, entropy))
        })
    }

    /// Forms a key from two components or more, entered by different custodians, and
    /// wraps it. It is not loaded. Whoever has its check value compares it.
    ///
    /// # Errors
    /// [`HsmError::Components`] for what is wrong with them, [`HsmError::KeyLength`]
    /// if their length is none of the usage's, [`HsmError::WeakKey`],
    /// [`HsmError::KeyVersion`].
    pub fn form_key(
        &mut self,
        usage: KeyUsage,
        components: &[KeyComponent],
        options: KeyOptions,
        entropy: &mut dyn Entropy,
    ) -> Result<ImportedKey, HsmError> {
        let form = if usage.is_des() { ComponentForm::Des } else { ComponentForm::Aes };
        stack::wiped_after_few(|| {
            let sum = components::sum(components, form).map_err(HsmError::Components)?;
            let key = sum.as_bytes();
            let check_value = Schedule::new(usage, key)?.check_value();
            let attributes = attributes(usage, key.len(), options)?;
            Ok(ImportedKey { block: self.lmk.wrap_as(attributes, key, entropy), check_value })
        })
    }

    /// Takes a key out of a block under a key block protection key and wraps it under
    /// the local master key. It is not loaded.
    ///
    /// The block has at most [`crate::TRANSPORT_BLOCK_MAX`] characters; usage,
    /// algorithm and mode of its header must be exactly those of `usage`. The key
    /// keeps its version, and stays exportable only if the block says `E`. An optional
    /// block `KC` must have the key's check value; others are authenticated and
    /// otherwise not looked at.
    ///
    /// # Errors
    /// [`HsmError::NotZoneUsage`] for a token key, which never came from elsewhere;
    /// [`HsmError::WrongUsage`] if `kbpk` is no zone master key;
    /// [`HsmError::KeyBlock`] with [`KeyBlockError::Authentication`] if anything in
    /// the block was changed, and with the others of [`KeyBlockError`] for its form;
    /// [`HsmError::WeakProtection`] if the key is stronger than `kbpk`;
    /// [`HsmError::KeyLength`], [`HsmError::WeakKey`].
    pub fn import_key(
        &mut self,
        kbpk: KeyHandle,
        block: &str,
        usage: KeyUsage,
        entropy: &mut dyn Entropy,
    ) -> Result<ImportedKey, HsmError> {
        require_exchanged_usage(usage)?;
        stack::wiped_after_few(|| self.taken_over(kbpk, block, usage, entropy))
    }

    fn taken_over(
        &mut self,
        kbpk: KeyHandle,
        block: &str,
        usage: KeyUsage,
        entropy: &mut dyn Entropy,
    ) -> Result<ImportedKey, HsmError> {
        let master = self.keys.zone_master(&self.lmk, kbpk)?;
        if block.len() > crate::TRANSPORT_BLOCK_MAX {
            return Err(KeyBlockError::Length.into());
        }
        let block = BlockText::parse(block)?;
        master.unwrap(block, |key| {
            if block.usage_code() != usage.code().as_bytes() {
                return Err(KeyBlockError::Usage.into());
            }
            let schedule = Schedule::new(usage, key)?;
            block.check_attributes(usage, key.len())?;
            if !master.is_strong_enough(usage, key.len()) {
                return Err(HsmError::WeakProtection);
            }
            let check_value = schedule.check_value();
            check_optional(block, usage, check_value)?;
            let attributes = Attributes::of(usage, key.len())
                .exportable(block.is_exportable())
                .version(block.key_version());
            Ok(ImportedKey { block: self.lmk.wrap_as(attributes, key, entropy), check_value })
        })?
    }

    /// Wraps a loaded key under a key block protection key. The receiver may not
    /// export it further.
    ///
    /// # Errors
    /// [`HsmError::NotZoneUsage`] and [`HsmError::WrongUsage`] as above,
    /// [`HsmError::NotExportable`] unless the key's own block says `E`,
    /// [`HsmError::WeakProtection`], [`HsmError::NoSuchKey`].
    pub fn export_key(
        &mut self,
        kbpk: KeyHandle,
        key: KeyHandle,
        options: ExportOptions,
        entropy: &mut dyn Entropy,
    ) -> Result<TransportBlock, HsmError> {
        let usage = self.keys.usage(key)?;
        require_exchanged_usage(usage)?;
        let block = self.block_to_leave(key)?;
        stack::wiped_after_few(|| self.sealed(kbpk, usage, &block, options, entropy))
    }

    fn sealed(
        &mut self,
        kbpk: KeyHandle,
        usage: KeyUsage,
        block: &KeyBlock,
        options: ExportOptions,
        entropy: &mut dyn Entropy,
    ) -> Result<TransportBlock, HsmError> {
        let master = self.keys.zone_master(&self.lmk, kbpk)?;
        let protection_value = check_value_text(master.is_aes(), master.check_value());
        self.lmk.unwrap(block, |key| {
            if !master.is_strong_enough(usage, key.len()) {
                return Err(HsmError::WeakProtection);
            }
            let value = check_value_text(is_cmac(usage), Schedule::new(usage, key)?.check_value());
            let all = [
                ("KC", value.as_str(), options.check_value),
                ("KP", protection_value.as_str(), options.protection_check_value),
            ];
            let mut optional = arrayvec::ArrayVec::<_, 2>::new();
            optional.extend(all.iter().filter(|(.., wanted)| *wanted).map(|(name, data, _)| (*name, *data)));
            let attributes = Attributes::of(usage, key.len()).version(block.key_version());
            Ok(master.wrap_for_transport(attributes, &optional, key, entropy)?)
        })?
    }

    /// The block of a loaded key, if it says that the key may leave.
    pub(super) fn block_to_leave(&self, key: KeyHandle) -> Result<KeyBlock, HsmError> {
        let block = self.keys.block(key)?;
        if block.is_exportable() { Ok(block.clone()) } else { Err(HsmError::NotExportable) }
    }
}

fn attributes(usage: KeyUsage, key_length: usize, options: KeyOptions) -> Result<Attributes, HsmError> {
    if options.version > 99 {
        return Err(HsmError::KeyVersion);
    }
    debug_assert!(key_length <= KEY_MAX, "no key is longer");
    Ok(Attributes::of(usage, key_length).exportable(options.exportable).version(options.version))
}

/// A token key's block would need an `HM` optional block, and the key has no business
/// elsewhere.
fn require_exchanged_usage(usage: KeyUsage) -> Result<(), HsmError> {
    if usage == KeyUsage::Token { Err(HsmError::NotZoneUsage(usage)) } else { Ok(()) }
}

/// Whether the check value of such a key is a CMAC.
fn is_cmac(usage: KeyUsage) -> bool {
    usage.is_aes()
}

/// A check value as `KC` and `KP` have it: how it is computed (`00` encryption of
/// zeros, `01` CMAC), and three bytes of it.
fn check_value_text(cmac: bool, value: [u8; 3]) -> ArrayString<8> {
    let mut text = ArrayString::new();
    text.push_str(if cmac { "01" } else { "00" });
    for digit in value.into_iter().flat_map(hex::upper_byte) {
        text.push(char::from(digit));
    }
    text
}

/// A `KC` computed the way this HSM does must be right. It may have more bytes.
fn check_optional(block: BlockText<'_>, usage: KeyUsage, value: [u8; 3]) -> Result<(), KeyBlockError> {
    let Some(said) = block.optional(*b"KC")? else { return Ok(()) };
    let ours = check_value_text(is_cmac(usage), value);
    let (method, digits) = said.split_at_checked(2).ok_or(KeyBlockError::OptionalBlock)?;
    let same_method = method == &ours.as_bytes()[..2];
    if same_method && !digits.starts_with(&ours.as_bytes()[2..]) {
        return Err(KeyBlockError::CheckValue);
    }
    Ok(())
}
