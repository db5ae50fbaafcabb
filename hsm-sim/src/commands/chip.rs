//! The items of chip card commands: EMV cryptograms and offline purses.

use crate::{CryptogramVersion, IssuerResponse, KeyHandle, Pan, PurseCard};

/// An application cryptogram (ARQC) to be checked.
#[derive(Clone, Copy)]
pub struct ArqcCheck<'a> {
    /// The issuer's master key, of usage [`crate::KeyUsage::EmvCryptogram`].
    pub imk: KeyHandle,
    /// How the card computes it.
    pub version: CryptogramVersion,
    /// The card number.
    pub pan: &'a Pan,
    /// The card's sequence number, 0 to 99 (tag 5F34).
    pub sequence: u8,
    /// The application transaction counter (tag 9F36).
    pub atc: u16,
    /// What the cryptogram covers, not padded, at least one byte.
    pub data: &'a [u8],
    /// The cryptogram (tag 9F26).
    pub arqc: [u8; 8],
}

/// An answer to a cryptogram. It is made only if that one is right.
#[derive(Clone, Copy, Debug)]
pub struct ArpcRequest<'a> {
    /// What the card asked with.
    pub request: ArqcCheck<'a>,
    /// What the issuer says.
    pub response: IssuerResponse,
}

/// A purchase with an offline purse: MAC 1 to be checked, MAC 2 wanted.
///
/// Numbers are binary and big-endian, as the card has them; times are BCD.
#[derive(Clone, Copy)]
pub struct PursePurchase {
    /// The master, of usage [`crate::KeyUsage::PursePurchase`].
    pub master: KeyHandle,
    /// Whose purse.
    pub card: PurseCard,
    /// What the card drew.
    pub random: [u8; 4],
    /// The card's counter of offline transactions.
    pub card_sequence: u16,
    /// The terminal's counter.
    pub terminal_sequence: u32,
    /// In minor units.
    pub amount: u32,
    /// The transaction type, `06` for a purchase.
    pub kind: u8,
    /// The terminal's number in BCD.
    pub terminal: [u8; 6],
    /// YYYYMMDDhhmmss.
    pub date_time: [u8; 7],
    /// What came with them.
    pub mac1: [u8; 4],
}

/// A load of an offline purse: MAC 1 to be checked, MAC 2 wanted.
#[derive(Clone, Copy)]
pub struct PurseLoad {
    /// The master, of usage [`crate::KeyUsage::PurseLoad`].
    pub master: KeyHandle,
    /// Whose purse.
    pub card: PurseCard,
    /// What the card drew.
    pub random: [u8; 4],
    /// The card's counter of online transactions.
    pub card_sequence: u16,
    /// The balance before, in minor units.
    pub balance: u32,
    /// In minor units.
    pub amount: u32,
    /// The transaction type, `01` or `02` for a load.
    pub kind: u8,
    /// The terminal's number in BCD.
    pub terminal: [u8; 6],
    /// The host's time, YYYYMMDDhhmmss; under MAC 2 only.
    pub date_time: [u8; 7],
    /// What the card sent.
    pub mac1: [u8; 4],
}

/// A transaction authentication code to be checked.
#[derive(Clone, Copy)]
pub struct TacCheck<'a> {
    /// The master, of usage [`crate::KeyUsage::PurseTac`].
    pub master: KeyHandle,
    /// Whose purse.
    pub card: PurseCard,
    /// What the code covers, not padded, at least one byte.
    pub data: &'a [u8],
    /// The code.
    pub tac: [u8; 4],
}

// A purse's number is not masked like a card number, so these show the key only.
shows! {
    ArqcCheck<'_>: imk, version, pan, atc;
    PursePurchase: master;
    PurseLoad: master;
    TacCheck<'_>: master;
}
