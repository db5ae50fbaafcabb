//! PINs on their way: translation from key to key, and IBM 3624 offsets.

use super::Hsm;
use crate::{
    EncryptedPin, Entropy, HsmError, KeyUsage, OffsetCheck, OffsetRequest, PinBlock, PinFormat, PinOffset,
    PinTranslation,
    key_table::Purpose,
    pin::{Pin, offset},
};
use subtle::ConstantTimeEq;

impl Hsm {
    /// Encrypts PINs anew, each for the next station of its way.
    ///
    /// [`HsmError::PinFormat`] where the new format would lose the card number,
    /// [`HsmError::PinBlock`] where the block is no block for its card, and
    /// [`HsmError::WrongUsage`] where key and format do not go together: single DES
    /// keys for PINs do not exist.
    pub fn translate_pins(
        &mut self,
        items: &[PinTranslation<'_>],
        entropy: &mut dyn Entropy,
        out: &mut Vec<Result<PinBlock, HsmError>>,
    ) {
        out.clear();
        out.extend(items.iter().map(|item| self.translate_pin(item, entropy)));
    }

    /// Checks PINs against their offsets: `Ok` for the right one,
    /// [`HsmError::VerificationFailed`] for a wrong one (also one of another length),
    /// [`HsmError::PinBlock`] if the block is no block for its card.
    pub fn verify_pin_offsets(&mut self, items: &[OffsetCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        out.clear();
        out.extend(items.iter().map(|item| {
            let right = self.pin_offset(&item.request)?.ct_eq(&item.offset);
            if right.into() { Ok(()) } else { Err(HsmError::VerificationFailed) }
        }));
    }

    /// Makes the offsets of new PINs.
    pub fn derive_pin_offsets(
        &mut self,
        items: &[OffsetRequest<'_>],
        out: &mut Vec<Result<PinOffset, HsmError>>,
    ) {
        out.clear();
        out.extend(items.iter().map(|item| self.pin_offset(item)));
    }

    fn translate_pin(
        &mut self,
        item: &PinTranslation<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<PinBlock, HsmError> {
        if !item.to_format.binds_pan() {
            return Err(HsmError::PinFormat);
        }
        let pin = self.open_pin(&item.pin)?;
        let to_key = item.to_key.into();
        if item.to_format == PinFormat::Iso4 {
            let key = self.keys.item_aes_key(&self.lmk, to_key, Purpose::Pin)?;
            let mut random = [0; 8];
            entropy.fill(&mut random);
            return Ok(PinBlock::new(&pin.to_iso4(&key, item.pin.pan.expose(), random)));
        }
        let key = self.keys.item_key(&self.lmk, to_key, Purpose::Pin)?;
        pin.encrypt(&key, item.to_format, item.pin.pan, entropy)
    }

    fn pin_offset(&mut self, item: &OffsetRequest<'_>) -> Result<PinOffset, HsmError> {
        let pin = self.open_pin(&item.pin)?;
        let pvk = self.keys.des_key(&self.lmk, item.pvk, KeyUsage::PinOffset)?;
        Ok(offset::offset(pvk, item.table, item.validation, &pin))
    }

    fn open_pin(&mut self, item: &EncryptedPin<'_>) -> Result<Pin, HsmError> {
        if item.format == PinFormat::Iso4 {
            let key = self.keys.item_aes_key(&self.lmk, item.key, Purpose::Pin)?;
            let block = item.block.try_into().map_err(|_| HsmError::PinBlock)?;
            return Pin::from_iso4(&key, block, item.pan.expose());
        }
        let key = self.keys.item_key(&self.lmk, item.key, Purpose::Pin)?;
        Pin::decrypt(&key, item.format, item.block, item.pan)
    }
}
