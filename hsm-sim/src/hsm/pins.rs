//! PINs on their way: translation from key to key, and IBM 3624 offsets.

use super::{Hsm, batch::settle};
use crate::{
    EncryptedPin, Entropy, HsmError, KeyUsage, Lmk, OffsetCheck, OffsetRequest, PinBlock, PinFormat,
    PinOffset, PinTranslation,
    bitslice::Lane,
    key_table::{KeyTable, LaneKey, Purpose},
    pin::{Pin, offset},
};
use std::cell::RefCell;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

impl Hsm {
    /// Encrypts PINs anew, each for the next station of its way.
    ///
    /// [`HsmError::PinFormat`] where the new format would lose the card number,
    /// [`HsmError::PinBlock`] where the block is no block for its card, and
    /// [`HsmError::WrongUsage`] where key and format do not go together: single DES
    /// keys for PINs do not exist.
    ///
    /// Where the new format has random parts each item draws them, in no fixed order.
    pub fn translate_pins(
        &mut self,
        items: &[PinTranslation<'_>],
        entropy: &mut dyn Entropy,
        out: &mut Vec<Result<PinBlock, HsmError>>,
    ) {
        // Items in lanes and items alone draw from one source.
        let entropy = RefCell::new(entropy);
        let alone = |hsm: &mut Self, at: usize| hsm.translate_pin(&items[at], &mut **entropy.borrow_mut());
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            let PinTranslation { pin, to_format, .. } = &items[at];
            if !matches!(to_format, PinFormat::Iso0 | PinFormat::Iso3) {
                return None;
            }
            enter_pin(keys, lmk, pin, lane)
        };
        self.in_portions(items.len(), out, &alone, &enter, |hsm, ready, out, start| {
            hsm.pins_anew(ready, |hsm, at, clear| {
                let PinTranslation { pin: EncryptedPin { format, pan, .. }, to_key, to_format } =
                    items[start + at];
                let to_key = hsm.keys.item_key(&hsm.lmk, to_key.into(), Purpose::Pin)?.halves();
                let pin = Pin::from_clear(clear, format, pan)?;
                Ok((to_key, pin.to_clear(to_format, pan, &mut **entropy.borrow_mut())?))
            });
            settle(hsm, ready, out, start, &alone, |_, lane| Ok(PinBlock::new(&lane.value[0].to_be_bytes())));
        });
    }

    /// Checks PINs against their offsets: `Ok` for the right one,
    /// [`HsmError::VerificationFailed`] for a wrong one (also one of another length),
    /// [`HsmError::PinBlock`] if the block is no block for its card.
    pub fn verify_pin_offsets(&mut self, items: &[OffsetCheck<'_>], out: &mut Vec<Result<(), HsmError>>) {
        let request = |at: usize| &items[at].request;
        let finish = |at: usize, offset: PinOffset| {
            let right = offset.ct_eq(&items[at].offset);
            if right.into() { Ok(()) } else { Err(HsmError::VerificationFailed) }
        };
        self.pin_offsets(items.len(), request, finish, out);
    }

    /// Makes the offsets of new PINs.
    pub fn derive_pin_offsets(
        &mut self,
        items: &[OffsetRequest<'_>],
        out: &mut Vec<Result<PinOffset, HsmError>>,
    ) {
        self.pin_offsets(items.len(), |at| &items[at], |_, offset| Ok(offset), out);
    }

    /// Offsets of `count` PIN blocks, what `finish` makes of each behind `out`.
    fn pin_offsets<'a, T>(
        &mut self,
        count: usize,
        request: impl Fn(usize) -> &'a OffsetRequest<'a>,
        finish: impl Fn(usize, PinOffset) -> Result<T, HsmError>,
        out: &mut Vec<Result<T, HsmError>>,
    ) {
        let alone = |hsm: &mut Self, at: usize| finish(at, hsm.pin_offset(request(at))?);
        let enter = |keys: &mut KeyTable, lmk: &Lmk, at: usize, lane: &mut Lane| {
            enter_pin(keys, lmk, &request(at).pin, lane)
        };
        self.in_portions(count, out, &alone, &enter, |hsm, ready, out, start| {
            hsm.pins_anew(ready, |hsm, at, clear| {
                let OffsetRequest { pin, pvk, validation, .. } = request(start + at);
                Pin::from_clear(clear, pin.format, pin.pan)?;
                let pvk = hsm.keys.des_key(&hsm.lmk, *pvk, KeyUsage::PinOffset)?;
                Ok((pvk.halves(), validation.packed()))
            });
            settle(hsm, ready, out, start, &alone, |at, lane| {
                let OffsetRequest { pin: EncryptedPin { format, pan, .. }, table, .. } = request(at);
                let clear = Zeroizing::new(lane.value[1].to_be_bytes());
                let pin = Pin::from_clear(*clear, *format, pan)?;
                let encrypted = Zeroizing::new(lane.value[0].to_be_bytes());
                finish(at, offset::offset_of(&encrypted, table, &pin))
            });
        });
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

/// Puts an encrypted PIN block of eight bytes and its key into a lane.
fn enter_pin(keys: &mut KeyTable, lmk: &Lmk, pin: &EncryptedPin<'_>, lane: &mut Lane) -> Option<LaneKey> {
    if pin.format == PinFormat::Iso4 {
        return None;
    }
    lane.value[0] = u64::from_be_bytes(pin.block.try_into().ok()?);
    keys.lane_key(lmk, pin.key, Purpose::Pin, lane).ok()
}
