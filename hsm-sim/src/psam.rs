//! PSAM scheme v1: the numbers of security modules in telephone POS terminals,
//! and the keys that are diversified from them.
//!
//! `DIV(K, F) = E(K, F) ‖ E(K, ¬F)` in 2-key triple DES, as in PBOC. A PSAM's key
//! is `DIV(master, PSAM number)`, a transaction's is `DIV(PSAM's key, factor)`.
//! Which key may do what is decided in `key_table`.

use crate::{HsmError, des_key::DesKey};
use std::fmt;
use zeroize::Zeroizing;

/// The largest STAN: F11 has six digits.
const STAN_MAX: u32 = 999_999;

/// The number of a PSAM: sixteen decimal digits, which are no secret.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PsamNumber([u8; 8]);

/// Why some bytes are not a PSAM number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PsamNumberError {
    /// A nibble that is no decimal digit.
    #[error("PSAM number has a nibble that is no decimal digit")]
    NotDecimal,
    /// Nothing but the digits 6 to 9: the complement of such a number is a PSAM
    /// number too, and the keys of the two differ only in the order of their
    /// halves.
    #[error("PSAM number consists of the digits 6 to 9 only")]
    Complementable,
}

impl PsamNumber {
    /// Reads a number from its eight BCD bytes, as F57 carries it.
    ///
    /// # Errors
    /// See [`PsamNumberError`].
    pub fn parse_bcd(bcd: &[u8; 8]) -> Result<Self, PsamNumberError> {
        let mut nibbles = bcd.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        if nibbles.clone().any(|nibble| nibble > 9) {
            return Err(PsamNumberError::NotDecimal);
        }
        if nibbles.all(|nibble| nibble >= 6) {
            return Err(PsamNumberError::Complementable);
        }
        Ok(Self(*bcd))
    }

    /// The eight BCD bytes.
    #[must_use]
    pub fn as_bcd(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for PsamNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for PsamNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PsamNumber({self})")
    }
}

/// The key that `key` diversifies into for a PSAM or a transaction.
///
/// # Errors
/// [`HsmError::WeakDerivedKey`]. The halves encrypt different blocks, so they are
/// never the same bytes, but they may differ in parity only, and then triple DES
/// would be single DES. Weak halves are refused too.
pub(crate) fn diversify(key: &DesKey, factor: [u8; 8]) -> Result<DesKey, HsmError> {
    let complement = factor.map(|byte| !byte);
    let mut derived = Zeroizing::new([0; 16]);
    derived[..8].copy_from_slice(&key.encrypt(factor));
    derived[8..].copy_from_slice(&key.encrypt(complement));
    DesKey::new(&*derived).map_err(|_| HsmError::WeakDerivedKey)
}

/// What makes a transaction's key its own: `random ⊕ (00×5 ‖ STAN in BCD)`.
///
/// # Errors
/// [`HsmError::StanRange`] if the STAN has more than six digits.
pub(crate) fn transaction_factor(random: [u8; 8], stan: u32) -> Result<[u8; 8], HsmError> {
    let mut factor = random;
    for (byte, stan) in factor[5..].iter_mut().zip(stan_bcd(stan)?) {
        *byte ^= stan;
    }
    Ok(factor)
}

/// F11 as three BCD bytes.
///
/// # Errors
/// [`HsmError::StanRange`] if the STAN has more than six digits.
pub(crate) fn stan_bcd(stan: u32) -> Result<[u8; 3], HsmError> {
    if stan > STAN_MAX {
        return Err(HsmError::StanRange);
    }
    let pair = |number: u32| {
        let [.., digits] = (number / 10 % 10 * 16 + number % 10).to_be_bytes();
        digits
    };
    Ok([pair(stan / 10_000), pair(stan / 100), pair(stan)])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    fn number(digits: &str) -> Result<PsamNumber, PsamNumberError> {
        PsamNumber::parse_bcd(&vectors::array(digits))
    }

    #[test]
    fn known_keys_are_derived() {
        for vector in vectors::family("psam_session_ours") {
            let psam = number(vector.input("psam_no")).unwrap();
            let stan = vector.input("stan").parse().unwrap();
            let factor = transaction_factor(vectors::array(vector.input("random")), stan).unwrap();
            assert_eq!(factor.to_vec(), vector.expected_bytes("factor"), "{}", vector.id);
            for (master, psam_key, one_time) in [
                ("pmk_pin", "dk_pin", "sk_pin"),
                ("pmk_mac", "dk_mac", "sk_mac"),
                ("pmk_track", "dk_track", "sk_track"),
            ] {
                let master = DesKey::new(&vector.input_bytes(master)).unwrap();
                let derived = diversify(&master, *psam.as_bcd()).unwrap();
                let expected = |name| DesKey::new(&vector.expected_bytes(name)).unwrap().check_block();
                assert_eq!(derived.check_block(), expected(psam_key), "{} {psam_key}", vector.id);
                let derived = diversify(&derived, factor).unwrap();
                assert_eq!(derived.check_block(), expected(one_time), "{} {one_time}", vector.id);
            }
        }
    }

    #[test]
    fn numbers_are_decimal_and_not_all_six_to_nine() {
        for (name, digits, want) in [
            ("a letter first", "A000000000000001", Err(PsamNumberError::NotDecimal)),
            ("a letter last", "100000000000000F", Err(PsamNumberError::NotDecimal)),
            ("a letter among sixes", "666666666666666A", Err(PsamNumberError::NotDecimal)),
            ("sixes", "6666666666666666", Err(PsamNumberError::Complementable)),
            ("six to nine", "6789678967896789", Err(PsamNumberError::Complementable)),
            ("one five among them", "6666666566666666", Ok(())),
            ("zero", "0000000000000000", Ok(())),
        ] {
            assert_eq!(number(digits).map(drop), want, "{name}");
        }
    }

    #[test]
    fn the_complement_of_a_factor_gives_the_same_key_with_its_halves_swapped() {
        // Why numbers of the digits 6 to 9 are refused: the two PSAMs below would know each other's keys.
        let master = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        let (factor, complement) = (vectors::array("6666777788889999"), vectors::array("9999888877776666"));
        let halves = |factor: [u8; 8]| (master.encrypt(factor), master.encrypt(factor.map(|byte| !byte)));
        let (left, right) = halves(factor);
        assert_eq!(halves(complement), (right, left));
        let swapped = DesKey::new(&[right, left].concat()).unwrap();
        assert_eq!(diversify(&master, complement).unwrap().check_block(), swapped.check_block());
        for factor in [factor, complement] {
            assert_eq!(PsamNumber::parse_bcd(&factor), Err(PsamNumberError::Complementable));
        }
    }

    #[test]
    fn a_number_prints_as_its_digits() {
        let psam = number("0000000012345678").unwrap();
        assert_eq!(psam.to_string(), "0000000012345678");
        assert_eq!(format!("{psam:?}"), "PsamNumber(0000000012345678)");
    }

    #[test]
    fn a_stan_has_at_most_six_digits() {
        assert_eq!(stan_bcd(0), Ok([0, 0, 0]));
        assert_eq!(stan_bcd(999_999), Ok([0x99, 0x99, 0x99]));
        assert_eq!(stan_bcd(1_000_000), Err(HsmError::StanRange));
        assert_eq!(transaction_factor([0; 8], u32::MAX), Err(HsmError::StanRange));
    }

    proptest! {
        #[test]
        fn a_stan_is_written_as_its_digits(stan in 0..=STAN_MAX) {
            let bcd = stan_bcd(stan).unwrap();
            prop_assert_eq!(format!("{:02X}{:02X}{:02X}", bcd[0], bcd[1], bcd[2]), format!("{stan:06}"));
        }
    }
}
