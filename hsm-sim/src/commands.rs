//! The items of batch calls: what each command needs, borrowed from the caller.
//!
//! Each item names its own keys, so that one call serves many terminals.

use crate::{
    AesKsn, Direction, KeyBlock, KeyHandle, KeyUsage, Ksn, MacAlgorithm, Pan, PsamNumber, SessionHandle,
    SessionPurpose,
};

/// `Debug` for items that carry PIN blocks, card values and messages with card data: it
/// names them and what stands behind the colon, and shows nothing else.
macro_rules! shows {
    ($($item:ident $(<$life:lifetime>)?: $($field:ident),+;)+) => {$(
        impl std::fmt::Debug for $item $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($item));
                $(shown.field(stringify!($field), &self.$field);)+
                shown.finish_non_exhaustive()
            }
        }
    )+};
}

mod chip;
mod pins;

pub use chip::{ArpcRequest, ArqcCheck, PurseLoad, PursePurchase, TacCheck};
pub use pins::{EncryptedPin, OffsetCheck, OffsetRequest, PinTranslation};

/// The key an item is under: one that was loaded, or one derived for the item.
///
/// A derived key never leaves the HSM. What it may do follows from its master's
/// usage: see [`KeyUsage::PsamPin`] and its neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyRef {
    /// A key that was loaded.
    Stored(KeyHandle),
    /// A PSAM's own key, `DIV(master, PSAM number)`: for authenticators only.
    Psam {
        /// Of usage [`KeyUsage::PsamAuth`].
        master: KeyHandle,
        /// Whose key it is.
        psam: PsamNumber,
    },
    /// The key of one transaction:
    /// `DIV(DIV(master, PSAM number), random ⊕ (00×5 ‖ STAN in BCD))`.
    OneTime {
        /// Of usage [`KeyUsage::PsamPin`], [`KeyUsage::PsamMac`] or
        /// [`KeyUsage::PsamTrack`].
        master: KeyHandle,
        /// The PSAM that took part.
        psam: PsamNumber,
        /// What the PSAM drew for this transaction.
        random: [u8; 8],
        /// F11, at most 999999.
        stan: u32,
    },
    /// The key of one transaction in triple DES DUKPT: for PINs of requests, and for
    /// [`MacAlgorithm::X919`] and [`MacAlgorithm::X919Padded`] either way.
    Dukpt {
        /// Of usage [`KeyUsage::DukptTdes`].
        bdk: KeyHandle,
        /// The device and its counter.
        ksn: Ksn,
        /// Which way the message went.
        direction: Direction,
    },
    /// The key of one transaction in AES DUKPT: for PINs of requests, and for
    /// [`MacAlgorithm::CmacAes`] either way.
    DukptAes {
        /// Of usage [`KeyUsage::DukptAes`].
        bdk: KeyHandle,
        /// The device and its counter.
        ksn: AesKsn,
        /// Which way the message went.
        direction: Direction,
    },
    /// A key that [`crate::Hsm::derive_sessions`] derived.
    Session(SessionHandle),
}

impl From<KeyHandle> for KeyRef {
    fn from(handle: KeyHandle) -> Self {
        Self::Stored(handle)
    }
}

/// A key of a transaction that several commands will use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRequest {
    /// [`KeyRef::OneTime`] or [`KeyRef::Dukpt`].
    pub key: KeyRef,
    /// What the key will do.
    pub purpose: SessionPurpose,
}

/// A message whose MAC is to be checked.
#[derive(Clone, Copy)]
pub struct MacCheck<'a> {
    /// A key of the algorithm's usage.
    pub key: KeyRef,
    /// How the MAC was computed.
    pub algorithm: MacAlgorithm,
    /// The bytes under the MAC, not padded, at least one.
    pub data: &'a [u8],
    /// The MAC that came with them.
    pub mac: [u8; 8],
}

/// A message that needs a MAC.
#[derive(Clone, Copy)]
pub struct MacRequest<'a> {
    /// A key of the algorithm's usage.
    pub key: KeyRef,
    /// How to compute the MAC.
    pub algorithm: MacAlgorithm,
    /// The bytes to cover, not padded, at least one.
    pub data: &'a [u8],
}

/// A PIN block to be checked against a Visa PIN verification value.
#[derive(Clone, Copy)]
pub struct PinCheck<'a> {
    /// The key the block is encrypted under: one of usage
    /// [`KeyUsage::PinEncryption`], or the one-time key of a [`KeyUsage::PsamPin`].
    pub pin_key: KeyRef,
    /// ISO 9564-1 format 0, encrypted.
    pub block: [u8; 8],
    /// The card number, which is part of both the block and the value.
    pub pan: &'a Pan,
    /// The verification key, of usage [`KeyUsage::PinVerification`].
    pub pvk: KeyHandle,
    /// The verification key's index as a number, 0 to 9 (not its ASCII digit).
    pub pvki: u8,
    /// The card's value: four ASCII digits.
    pub pvv: [u8; 4],
}

/// A PIN block whose PIN becomes the card's: its Visa PIN verification value is
/// wanted.
#[derive(Clone, Copy)]
pub struct PvvRequest<'a> {
    /// The key the block is encrypted under, as in [`PinCheck`].
    pub pin_key: KeyRef,
    /// ISO 9564-1 format 0, encrypted.
    pub block: [u8; 8],
    /// The card number, which is part of both the block and the value.
    pub pan: &'a Pan,
    /// The verification key, of usage [`KeyUsage::PinVerification`].
    pub pvk: KeyHandle,
    /// The verification key's index as a number, 0 to 9 (not its ASCII digit).
    pub pvki: u8,
}

/// An encrypted track 2. Its message's MAC must have been found right before.
#[derive(Clone, Copy)]
pub struct TrackRequest<'a> {
    /// The one-time key of a [`KeyUsage::PsamTrack`].
    pub key: KeyRef,
    /// 8, 16 or 24 bytes: CBC in triple DES with a zero initialisation vector, over
    /// BCD with `D` as separator, an `F`, and zeros.
    pub data: &'a [u8],
}

/// A card verification value to be checked.
///
/// CVV: YYMM and the card's service code; CVV2: MMYY and `000`; iCVV: YYMM and
/// `999`.
#[derive(Clone, Copy)]
pub struct CvvCheck<'a> {
    /// The key, of usage [`KeyUsage::CardVerification`].
    pub cvk: KeyHandle,
    /// The card number.
    pub pan: &'a Pan,
    /// Four ASCII digits.
    pub expiry: [u8; 4],
    /// Three ASCII digits.
    pub service_code: [u8; 3],
    /// The value presented: three ASCII digits.
    pub cvv: [u8; 3],
}

/// A card number that needs its token.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The key, of usage [`KeyUsage::Token`].
    pub key: KeyHandle,
    /// The card number.
    pub pan: &'a Pan,
}

/// A terminal that needs new working keys.
#[derive(Clone, Copy, Debug)]
pub struct WorkingKeyRequest {
    /// The terminal master key, of usage [`KeyUsage::KeyEncryption`].
    pub tmk: KeyHandle,
    /// [`KeyUsage::MacX919`] or [`KeyUsage::MacUnionPayEcb`].
    pub mac_usage: KeyUsage,
}

/// New working keys: blocks for the switch, cryptograms for the terminal.
///
/// Both keys are double-length triple DES. A cryptogram is the key in ECB under
/// the terminal master key; a check value is the left four bytes of the
/// encryption of eight zero bytes (UnionPay's sign-in answer, F62).
#[derive(Clone, Eq, PartialEq)]
pub struct WorkingKeys {
    /// The PIN key, of usage [`KeyUsage::PinEncryption`].
    pub pin: KeyBlock,
    /// The MAC key, of the usage that was asked for.
    pub mac: KeyBlock,
    /// The PIN key under the terminal master key.
    pub pin_cryptogram: [u8; 16],
    /// The PIN key's check value.
    pub pin_check_value: [u8; 4],
    /// The MAC key under the terminal master key.
    pub mac_cryptogram: [u8; 16],
    /// The MAC key's check value.
    pub mac_check_value: [u8; 4],
}

/// A zone key that came under a zone master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportedKey {
    /// The key under the local master key, to be stored and loaded.
    pub block: KeyBlock,
    /// The left three bytes of the encryption of eight zero bytes (ANSI X9.24).
    pub check_value: [u8; 3],
}

shows! {
    MacCheck<'_>: key, algorithm;
    MacRequest<'_>: key, algorithm;
    PinCheck<'_>: pin_key, pvk;
    PvvRequest<'_>: pin_key, pvk;
    TrackRequest<'_>: key;
    CvvCheck<'_>: cvk;
    TokenRequest<'_>: key;
    WorkingKeys: pin, mac;
}
