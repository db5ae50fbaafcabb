//! The items of batch calls: what each command needs, borrowed from the caller.
//!
//! Each item names its own keys, so that one call serves many terminals.

use crate::{KeyBlock, KeyHandle, KeyUsage, MacAlgorithm, Pan};
use std::fmt;

/// A message whose MAC is to be checked.
#[derive(Clone, Copy)]
pub struct MacCheck<'a> {
    /// A key of the algorithm's usage.
    pub key: KeyHandle,
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
    pub key: KeyHandle,
    /// How to compute the MAC.
    pub algorithm: MacAlgorithm,
    /// The bytes to cover, not padded, at least one.
    pub data: &'a [u8],
}

/// A PIN block to be checked against a Visa PIN verification value.
#[derive(Clone, Copy)]
pub struct PinCheck<'a> {
    /// The key the block is encrypted under, of usage [`KeyUsage::PinEncryption`].
    pub pin_key: KeyHandle,
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

// The items carry PIN blocks, card values and messages with card data, so `Debug`
// names them and their keys and shows nothing else.

impl fmt::Debug for MacCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacCheck")
            .field("key", &self.key)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MacRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacRequest")
            .field("key", &self.key)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PinCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinCheck")
            .field("pin_key", &self.pin_key)
            .field("pvk", &self.pvk)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CvvCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CvvCheck").field("cvk", &self.cvk).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkingKeys").field("pin", &self.pin).field("mac", &self.mac).finish_non_exhaustive()
    }
}
