//! Application cryptograms of EMV chips: the keys they are under, the request's
//! (ARQC) and the answer's (ARPC).
//!
//! EMV 4.3 Book 2, annexes A1.3 and A1.4 for the keys; which data goes under a
//! cryptogram is the caller's business. Left out: option B of the card key, which
//! is for card numbers of more than sixteen digits, and secure messaging.

use crate::{
    HsmError, MacAlgorithm,
    des_key::{DesKey, set_odd_parity, xor},
    mac,
};
use std::fmt;
use zeroize::Zeroizing;

/// The largest card sequence number: two digits.
const SEQUENCE_MAX: u8 = 99;

/// How a card computes its cryptograms.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CryptogramVersion {
    /// Visa cryptogram version number 10: under the card's own key, ISO 9797-1
    /// algorithm 3 with padding method 1.
    Cvn10,
    /// Visa cryptogram version number 18: under the common session key of the
    /// transaction counter, algorithm 3 with padding method 2.
    Cvn18,
}

impl CryptogramVersion {
    /// How the cryptogram is computed once its key is there.
    pub(crate) fn algorithm(self) -> MacAlgorithm {
        match self {
            Self::Cvn10 => MacAlgorithm::X919,
            Self::Cvn18 => MacAlgorithm::X919Padded,
        }
    }
}

/// What an issuer tells the card under its cryptogram.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum IssuerResponse {
    /// Method 1: the two characters of the authorisation response code.
    ResponseCode([u8; 2]),
    /// Method 2: the card status update, without proprietary data.
    CardStatus([u8; 4]),
}

impl IssuerResponse {
    /// The cryptogram out of a cipher block.
    pub(crate) fn cryptogram(self, bytes: [u8; 8]) -> Arpc {
        let length = match self {
            Self::ResponseCode(_) => 8,
            Self::CardStatus(_) => 4,
        };
        Arpc { bytes, length }
    }
}

/// An issuer's cryptogram: eight bytes by method 1, four by method 2.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Arpc {
    bytes: [u8; 8],
    length: usize,
}

impl Arpc {
    /// The bytes, as they go into tag 91 in front of what they answer.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for Arpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Arpc")
    }
}

/// A double-length key in clear, wiped on drop.
pub(crate) type Clear = Zeroizing<[u8; 16]>;

/// What the card's own key is diversified by, option A: the right sixteen digits of
/// card number and sequence number.
///
/// # Errors
/// [`HsmError::CardSequence`].
pub(crate) fn card_factor(pan: &[u8], sequence: u8) -> Result<[u8; 8], HsmError> {
    if sequence > SEQUENCE_MAX {
        return Err(HsmError::CardSequence);
    }
    let last = [sequence / 10, sequence % 10];
    let mut packed = [0; 8];
    let digits = pan.iter().map(|digit| digit - b'0').chain(last);
    let skipped = (pan.len() + last.len()).saturating_sub(16);
    let first = 16_usize.saturating_sub(pan.len() + last.len());
    for (place, digit) in (first..).zip(digits.skip(skipped)) {
        packed[place / 2] |= if place % 2 == 0 { digit << 4 } else { digit };
    }
    Ok(packed)
}

/// What the card's key is diversified by in one transaction: a block for each half of
/// the common session key.
pub(crate) fn session_factors(atc: u16) -> [[u8; 8]; 2] {
    let [high, low] = atc.to_be_bytes();
    [0xF0, 0x0F].map(|half| [high, low, half, 0, 0, 0, 0, 0])
}

/// The card's own key, option A.
///
/// # Errors
/// [`HsmError::CardSequence`].
pub(crate) fn card_key(imk: &DesKey, pan: &[u8], sequence: u8) -> Result<Clear, HsmError> {
    let factor = card_factor(pan, sequence)?;
    Ok(pair(imk, [factor, factor.map(|byte| !byte)]))
}

/// The common session key of one transaction.
pub(crate) fn session_key(card_key: &DesKey, atc: u16) -> Clear {
    pair(card_key, session_factors(atc))
}

/// The key that a card's cryptograms of one transaction are under.
///
/// # Errors
/// [`HsmError::CardSequence`], [`HsmError::WeakDerivedKey`].
pub(crate) fn cryptogram_key(
    version: CryptogramVersion,
    imk: &DesKey,
    pan: &[u8],
    sequence: u8,
    atc: u16,
) -> Result<DesKey, HsmError> {
    let card_key = expand(&card_key(imk, pan, sequence)?)?;
    match version {
        CryptogramVersion::Cvn10 => Ok(card_key),
        CryptogramVersion::Cvn18 => expand(&session_key(&card_key, atc)),
    }
}

/// The cryptogram of a request.
///
/// # Errors
/// [`HsmError::EmptyMessage`].
pub(crate) fn arqc(version: CryptogramVersion, key: &DesKey, data: &[u8]) -> Result<[u8; 8], HsmError> {
    mac::compute(key, version.algorithm(), data)
}

/// The cryptogram of an answer.
///
/// # Errors
/// None that can happen: what it covers is never empty.
pub(crate) fn arpc(key: &DesKey, arqc: [u8; 8], response: IssuerResponse) -> Result<Arpc, HsmError> {
    let [first, second] = answer_blocks(arqc, response);
    let cryptogram = match response {
        IssuerResponse::ResponseCode(_) => key.encrypt(first),
        IssuerResponse::CardStatus(_) => {
            mac::compute(key, MacAlgorithm::X919, [first, second].as_flattened())?
        }
    };
    Ok(response.cryptogram(cryptogram))
}

/// What the cryptogram of an answer goes over: one block to be encrypted by method 1,
/// two padded ones under a retail MAC by method 2.
pub(crate) fn answer_blocks(arqc: [u8; 8], response: IssuerResponse) -> [[u8; 8]; 2] {
    match response {
        IssuerResponse::ResponseCode([a, b]) => [xor(arqc, [a, b, 0, 0, 0, 0, 0, 0]), [0; 8]],
        IssuerResponse::CardStatus([a, b, c, d]) => [arqc, [a, b, c, d, 0x80, 0, 0, 0]],
    }
}

fn expand(key: &Clear) -> Result<DesKey, HsmError> {
    DesKey::new(&**key).map_err(|_| HsmError::WeakDerivedKey)
}

/// Two blocks encrypted, with odd parity: a key.
fn pair(key: &DesKey, factors: [[u8; 8]; 2]) -> Clear {
    let mut derived = Zeroizing::new([0; 16]);
    for (half, factor) in derived.as_chunks_mut().0.iter_mut().zip(factors) {
        *half = key.encrypt(factor);
    }
    set_odd_parity(&mut *derived);
    derived
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors::{self, Vector};

    fn sequence(vector: &Vector) -> u8 {
        vector.input("psn").parse().unwrap()
    }

    fn atc(vector: &Vector) -> u16 {
        u16::from_be_bytes(vectors::array(vector.input("atc")))
    }

    #[test]
    fn known_card_keys_and_session_keys_are_derived() {
        for vector in vectors::family("emv_icc_mk_a") {
            let imk = DesKey::new(&vector.input_bytes("imk")).unwrap();
            let key = card_key(&imk, vector.input("pan").as_bytes(), sequence(&vector)).unwrap();
            assert_eq!(key.to_vec(), vector.expected_bytes("icc_mk"), "{}", vector.id);
        }
        for vector in vectors::family("emv_common_sk") {
            let card_key = DesKey::new(&vector.input_bytes("icc_mk")).unwrap();
            let key = session_key(&card_key, atc(&vector));
            assert_eq!(key.to_vec(), vector.expected_bytes("session_key"), "{}", vector.id);
        }
    }

    #[test]
    fn known_cryptograms_are_computed() {
        for (family, version) in
            [("emv_cvn10", CryptogramVersion::Cvn10), ("emv_cvn18", CryptogramVersion::Cvn18)]
        {
            for vector in vectors::family(family) {
                let imk = DesKey::new(&vector.input_bytes("imk")).unwrap();
                let pan = vector.input("pan").as_bytes();
                let key = cryptogram_key(version, &imk, pan, sequence(&vector), atc(&vector)).unwrap();
                let request = arqc(version, &key, &vector.input_bytes("data")).unwrap();
                assert_eq!(request.to_vec(), vector.expected_bytes("arqc"), "{}", vector.id);
                let response = match version {
                    CryptogramVersion::Cvn10 => {
                        IssuerResponse::ResponseCode(vectors::array(vector.input("arc")))
                    }
                    CryptogramVersion::Cvn18 => {
                        IssuerResponse::CardStatus(vectors::array(vector.input("csu")))
                    }
                };
                let answer = arpc(&key, request, response).unwrap();
                assert_eq!(answer.as_bytes(), vector.expected_bytes("arpc"), "{}", vector.id);
            }
        }
    }

    #[test]
    fn short_card_numbers_are_filled_and_long_ones_cut_on_the_left() {
        let imk = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        let key = |pan: &[u8], sequence| card_key(&imk, pan, sequence).unwrap();
        assert_eq!(key(b"000123456789012", 7), key(b"123456789012", 7));
        assert_eq!(key(b"9991234567890123456", 7), key(b"1234567890123456", 7));
        assert_ne!(key(b"123456789012", 7), key(b"123456789012", 70));
    }

    #[test]
    fn a_sequence_number_has_two_digits() {
        let imk = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        assert!(card_key(&imk, b"4761739001010119", 99).is_ok());
        assert_eq!(card_key(&imk, b"4761739001010119", 100).unwrap_err(), HsmError::CardSequence);
    }
}
