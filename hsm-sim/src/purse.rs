//! Offline purses (PBOC 3.0, JR/T 0025): the keys of a purchase or a load, the MACs
//! that go to and fro, and the transaction authentication code.
//!
//! A card's keys are diversified from masters by its number, or in two levels by
//! its issuer's code and then its number; the keys of one transaction are single
//! DES keys under them. Which data goes under a MAC is fixed here.

use crate::{
    HsmError, MacAlgorithm,
    des_key::{DesKey, xor},
    mac,
    psam::diversify,
};
use zeroize::Zeroizing;

/// How a card's keys come from the masters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PurseCard {
    /// The issuer's code, if there are two levels.
    pub issuer: Option<[u8; 8]>,
    /// The card's application serial number, its right sixteen digits in BCD.
    pub number: [u8; 8],
}

/// A key of the card, in the session of one purchase or load.
///
/// # Errors
/// [`HsmError::WeakDerivedKey`].
pub(crate) fn card_key(master: &DesKey, card: PurseCard) -> Result<DesKey, HsmError> {
    match card.issuer {
        Some(issuer) => diversify(&diversify(master, issuer)?, card.number),
        None => diversify(master, card.number),
    }
}

/// A session's key: single DES, from the card's random number and the counters.
///
/// # Errors
/// [`HsmError::WeakDerivedKey`].
pub(crate) fn session_key(
    card_key: &DesKey,
    random: [u8; 4],
    card_sequence: [u8; 2],
    last: [u8; 2],
) -> Result<DesKey, HsmError> {
    let key = session_key_bytes(card_key, random, card_sequence, last);
    DesKey::new(&*key).map_err(|_| HsmError::WeakDerivedKey)
}

/// The same in clear.
pub(crate) fn session_key_bytes(
    card_key: &DesKey,
    random: [u8; 4],
    card_sequence: [u8; 2],
    last: [u8; 2],
) -> Zeroizing<[u8; 8]> {
    let mut input = [0; 8];
    input[..4].copy_from_slice(&random);
    input[4..6].copy_from_slice(&card_sequence);
    input[6..].copy_from_slice(&last);
    Zeroizing::new(card_key.encrypt(input))
}

/// What ends the input of a load's session key, where a purchase has its terminal's
/// counter.
pub(crate) const LOAD: [u8; 2] = [0x80, 0x00];

/// The left four bytes of a CBC MAC in single DES with padding method 2.
///
/// # Errors
/// [`HsmError::EmptyMessage`].
pub(crate) fn mac4(session_key: &DesKey, data: &[u8]) -> Result<[u8; 4], HsmError> {
    let [a, b, c, d, ..] = mac::compute(session_key, MacAlgorithm::CbcDesPadded, data)?;
    Ok([a, b, c, d])
}

/// A card's key for transaction authentication codes: the halves of its own key,
/// XORed into a single DES key.
pub(crate) fn tac_key_bytes(key: &[u8; 16]) -> Zeroizing<[u8; 8]> {
    let (halves, _) = key.as_chunks::<8>();
    Zeroizing::new(xor(halves[0], halves[1]))
}

/// `E(F) ‖ E(¬F)`, in clear.
pub(crate) fn diversified(encrypt: impl Fn([u8; 8]) -> [u8; 8], factor: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut key = Zeroizing::new([0; 16]);
    key[..8].copy_from_slice(&encrypt(factor));
    key[8..].copy_from_slice(&encrypt(factor.map(|byte| !byte)));
    key
}

/// The same from the master.
///
/// # Errors
/// [`HsmError::WeakDerivedKey`].
pub(crate) fn tac_key(master: &DesKey, card: PurseCard) -> Result<DesKey, HsmError> {
    let parent = match card.issuer {
        Some(issuer) => &diversify(master, issuer)?,
        None => master,
    };
    let key = diversified(|block| parent.encrypt(block), card.number);
    DesKey::new(&*tac_key_bytes(&key)).map_err(|_| HsmError::WeakDerivedKey)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn known_card_keys_are_diversified_in_one_level_and_in_two() {
        let master = DesKey::new(&vectors::bytes("11223344556677888877665544332211")).unwrap();
        let vector = &vectors::family("pboc_diversify2")[0];
        let want = DesKey::new(&vector.expected_bytes("dk")).unwrap().check_block();
        let (issuer, number) = (vectors::array("0792800000000145"), vectors::array::<8>("2016122100001003"));
        let card = PurseCard { issuer: Some(issuer), number };
        assert_eq!(card_key(&master, card).unwrap().check_block(), want);
        let mut refused = 0;
        for vector in vectors::family("pboc_diversify") {
            // One published master has equal halves, and the engine takes no such key.
            let Ok(master) = DesKey::new(&vector.input_bytes("mk")) else {
                refused += 1;
                continue;
            };
            let card = PurseCard { issuer: None, number: vectors::array(vector.input("factor")) };
            let want = DesKey::new(&vector.expected_bytes("dk")).unwrap().check_block();
            assert_eq!(card_key(&master, card).unwrap().check_block(), want, "{}", vector.id);
        }
        assert_eq!(refused, 1);
    }

    #[test]
    fn known_session_keys_and_codes_are_computed() {
        let vector = &vectors::family("pboc_purchase")[0];
        let key = DesKey::new(&vector.input_bytes("dpk")).unwrap();
        let field = |name| vectors::bytes(vector.input(name));
        let random = vectors::array(vector.input("random"));
        let session = session_key_bytes(&key, random, [0, 0], [0, 1]);
        assert_eq!(session.to_vec(), vector.expected_bytes("sespk"));
        let session = DesKey::new(&*session).unwrap();
        let data = ["amount", "txn_type", "terminal", "datetime"].map(field).concat();
        assert_eq!(mac4(&session, &data).unwrap().to_vec(), vector.expected_bytes("mac1"));
        assert_eq!(mac4(&session, &field("amount")).unwrap().to_vec(), vector.expected_bytes("mac2"));

        for vector in vectors::family("pboc_tac") {
            let key = tac_key_bytes(&vectors::array(vector.input("dtk")));
            assert_eq!(key.to_vec(), vector.expected_bytes("tac_key"), "{}", vector.id);
            let code = mac4(&DesKey::new(&*key).unwrap(), &vector.input_bytes("data")).unwrap();
            assert_eq!(code.to_vec(), vector.expected_bytes("tac"), "{}", vector.id);
        }
    }

    #[test]
    fn a_tac_key_is_the_halves_of_the_card_key() {
        let master = DesKey::new(&vectors::bytes("11223344556677888877665544332211")).unwrap();
        for issuer in [None, Some([7; 8])] {
            let card = PurseCard { issuer, number: vectors::array("2016122100001003") };
            let parent = issuer.map(|issuer| diversify(&master, issuer).unwrap());
            let parent = parent.as_ref().unwrap_or(&master);
            let key = [parent.encrypt(card.number), parent.encrypt(card.number.map(|byte| !byte))].concat();
            let want = DesKey::new(&*tac_key_bytes(&key.try_into().unwrap())).unwrap();
            assert_eq!(tac_key(&master, card).unwrap().check_block(), want.check_block());
        }
    }
}
