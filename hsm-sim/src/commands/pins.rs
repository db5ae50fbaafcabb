//! The items of PIN translation and of IBM 3624 offsets.

use crate::{DecimalisationTable, KeyHandle, KeyRef, Pan, PinFormat, PinOffset, ValidationData};

/// A PIN as it came: encrypted, in some format, for some card.
#[derive(Clone, Copy)]
pub struct EncryptedPin<'a> {
    /// The key the block is under: of usage [`crate::KeyUsage::PinEncryption`] or the
    /// one-time key of a PSAM or DUKPT device, for [`PinFormat::Iso4`] of usage
    /// [`crate::KeyUsage::PinEncryptionAes`] or from an AES DUKPT device.
    pub key: KeyRef,
    /// How it is formatted.
    pub format: PinFormat,
    /// Eight bytes, in format 4 sixteen.
    pub block: &'a [u8],
    /// The card number. Format 1 does not know it.
    pub pan: &'a Pan,
}

/// A PIN that goes on under another key, perhaps in another format.
///
/// There is one card number for both sides: a block that was made for one card
/// never becomes one for another.
#[derive(Clone, Copy, Debug)]
pub struct PinTranslation<'a> {
    /// The PIN as it came.
    pub pin: EncryptedPin<'a>,
    /// The key it goes on under: of usage [`crate::KeyUsage::PinEncryption`], for
    /// [`PinFormat::Iso4`] of [`crate::KeyUsage::PinEncryptionAes`].
    pub to_key: KeyHandle,
    /// The format it goes on in, which must bind the card number.
    pub to_format: PinFormat,
}

/// A PIN to be checked against its offset.
#[derive(Clone, Copy, Debug)]
pub struct OffsetCheck<'a> {
    /// The PIN as it came.
    pub request: OffsetRequest<'a>,
    /// The card's offset.
    pub offset: PinOffset,
}

/// A PIN that becomes the card's: its offset is wanted.
#[derive(Clone, Copy, Debug)]
pub struct OffsetRequest<'a> {
    /// The PIN as it came.
    pub pin: EncryptedPin<'a>,
    /// The verification key, of usage [`crate::KeyUsage::PinOffset`].
    pub pvk: KeyHandle,
    /// The issuer's table.
    pub table: &'a DecimalisationTable,
    /// The card's validation data.
    pub validation: ValidationData,
}

shows! {
    EncryptedPin<'_>: key, format;
}
