//! IBM 3624: a PIN that follows from the card (the natural PIN), and the offset that
//! leads from it to the one the cardholder chose.
//!
//! Start at [`offset`]. A decimalisation table that is chosen badly gives the PIN
//! away bit by bit, so [`DecimalisationTable`] is checked when it is made.

use super::{DIGITS_MAX, DIGITS_MIN, Pin};
use crate::{Pan, des_key::DesKey};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A table must have this many different digits at least.
const DIFFERENT_MIN: usize = 8;
/// No digit may stand in it more often.
const REPEATED_MAX: usize = 4;

/// Which decimal digit stands for which hexadecimal one. Prints nothing.
///
/// The digit for 0 is the highest nibble of the number, and so on.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct DecimalisationTable(u64);

/// Why a decimalisation table is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecimalisationTableError {
    /// A character that is no decimal digit.
    #[error("decimalisation table has a character that is no digit")]
    NotDigits,
    /// Fewer than eight different digits, or one of them more than four times: with
    /// such tables PINs are found by asking (Bond and Zieliński, 2003).
    #[error("decimalisation table is weak")]
    Weak,
}

impl DecimalisationTable {
    /// Reads sixteen ASCII digits, those for 0 to F.
    ///
    /// # Errors
    /// See [`DecimalisationTableError`].
    pub fn parse(ascii: &[u8; 16]) -> Result<Self, DecimalisationTableError> {
        let mut counts = [0; 10];
        for digit in ascii {
            let count = counts.get_mut(usize::from(digit.wrapping_sub(b'0')));
            *count.ok_or(DecimalisationTableError::NotDigits)? += 1;
        }
        let different = counts.iter().filter(|count| **count > 0).count();
        if different < DIFFERENT_MIN || counts.iter().any(|count| *count > REPEATED_MAX) {
            return Err(DecimalisationTableError::Weak);
        }
        Ok(Self(ascii.iter().fold(0, |number, digit| number << 4 | u64::from(digit & 15))))
    }

    /// The digit for a nibble. A shift, not a look-up in memory, because the nibble is secret.
    fn digit(&self, nibble: u8) -> u8 {
        let [.., digit] = (self.0 >> (60 - 4 * u32::from(nibble & 15))).to_be_bytes();
        digit & 15
    }
}

impl fmt::Debug for DecimalisationTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecimalisationTable")
    }
}

/// What is encrypted to get the natural PIN: a part of the card number and a pad,
/// sixteen digits. Prints nothing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ValidationData([u8; 8]);

impl ValidationData {
    /// `length` digits of the card number from `start` on, padded with the nibble
    /// `pad` (0 to 15); `None` if there are not so many, or more than sixteen.
    #[must_use]
    pub fn from_pan(pan: &Pan, start: usize, length: usize, pad: u8) -> Option<Self> {
        let digits = pan.expose().get(start..start.checked_add(length)?)?;
        if length > 16 || pad > 15 {
            return None;
        }
        let mut packed = [pad << 4 | pad; 8];
        for (place, digit) in digits.iter().enumerate() {
            let byte = &mut packed[place / 2];
            let digit = digit - b'0';
            *byte = if place % 2 == 0 { digit << 4 | *byte & 15 } else { *byte & 0xF0 | digit };
        }
        Some(Self(packed))
    }

    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn from_packed(packed: [u8; 8]) -> Self {
        Self(packed)
    }

    /// The block to be encrypted.
    pub(crate) fn packed(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Debug for ValidationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValidationData")
    }
}

/// The difference between a PIN and its natural PIN, digit by digit modulo ten: 4
/// to 12 ASCII digits, as many as the PIN has. Prints nothing.
#[derive(Clone, Copy)]
pub struct PinOffset {
    /// Zero beyond `length`.
    digits: [u8; DIGITS_MAX as usize],
    length: u8,
}

impl PinOffset {
    /// Reads 4 to 12 ASCII digits; `None` for anything else.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let length = u8::try_from(ascii.len()).ok()?;
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&length) || !ascii.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = [0; DIGITS_MAX as usize];
        digits[..ascii.len()].copy_from_slice(ascii);
        Some(Self { digits, length })
    }

    /// The ASCII digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[..usize::from(self.length)]
    }
}

impl ConstantTimeEq for PinOffset {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.digits.ct_eq(&other.digits) & self.length.ct_eq(&other.length)
    }
}

impl fmt::Debug for PinOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinOffset")
    }
}

/// The offset of a PIN for this card's validation data.
pub(crate) fn offset(
    key: &DesKey,
    table: &DecimalisationTable,
    validation: ValidationData,
    pin: &Pin,
) -> PinOffset {
    offset_of(&Zeroizing::new(key.encrypt(validation.0)), table, pin)
}

/// The same where the validation data is encrypted already.
pub(crate) fn offset_of(encrypted: &[u8; 8], table: &DecimalisationTable, pin: &Pin) -> PinOffset {
    let natural = decimal_digits(encrypted, table);
    let mut offset = PinOffset { digits: [0; DIGITS_MAX as usize], length: pin.length };
    let places = offset.digits.iter_mut().zip(&pin.digits).zip(&*natural).take(usize::from(pin.length));
    for ((digit, chosen), natural) in places {
        *digit = b'0' + (chosen + 10 - natural) % 10;
    }
    offset
}

/// The natural PIN with as many digits as a PIN can have; a shorter one is its left
/// part.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn natural_digits(
    key: &DesKey,
    table: &DecimalisationTable,
    validation: ValidationData,
) -> Zeroizing<[u8; DIGITS_MAX as usize]> {
    decimal_digits(&key.encrypt(validation.0), table)
}

fn decimal_digits(encrypted: &[u8; 8], table: &DecimalisationTable) -> Zeroizing<[u8; DIGITS_MAX as usize]> {
    let mut digits = Zeroizing::new([0; DIGITS_MAX as usize]);
    let nibbles = encrypted.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (digit, nibble) in digits.iter_mut().zip(nibbles) {
        *digit = table.digit(nibble);
    }
    digits
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn published_offsets_and_natural_pins_are_computed() {
        for vector in vectors::family("ibm3624") {
            let key = DesKey::new(&vector.input_bytes("pvk")).unwrap();
            let table: [u8; 16] = vector.input("decimalisation_table").as_bytes().try_into().unwrap();
            let table = DecimalisationTable::parse(&table).unwrap();
            let validation = ValidationData::from_packed(vectors::array(vector.input("validation_data")));
            let pin = Pin::parse(vector.input("pin").as_bytes()).unwrap();
            let natural = natural_digits(&key, &table, validation);
            let want = vector.expected("natural_pin").as_bytes();
            let digits: Vec<u8> = natural.iter().take(want.len()).map(|digit| digit + b'0').collect();
            assert_eq!(digits, want, "{}", vector.id);
            let offset = offset(&key, &table, validation, &pin);
            assert_eq!(offset.as_bytes(), vector.expected("offset").as_bytes(), "{}", vector.id);
        }
    }

    #[test]
    fn weak_decimalisation_tables_are_refused() {
        use DecimalisationTableError::{NotDigits, Weak};
        for (name, table, want) in [
            ("the usual one", b"0123456789012345", Ok(())),
            ("eight digits", b"0123456701234567", Ok(())),
            ("seven digits", b"0123456012345601", Err(Weak)),
            ("one digit everywhere", b"0000000000000000", Err(Weak)),
            ("one digit four times", b"0000123456712345", Ok(())),
            ("one digit five times", b"0000012345678912", Err(Weak)),
            ("all but one place alike", b"1000000000000000", Err(Weak)),
            ("a letter", b"012345678901234A", Err(NotDigits)),
            ("a character below the digits", b"01234567890123 5", Err(NotDigits)),
        ] {
            assert_eq!(DecimalisationTable::parse(table).map(drop), want, "{name}");
        }
    }

    #[test]
    fn validation_data_is_a_part_of_the_card_number() {
        let pan = Pan::parse(b"5413330089010012").unwrap();
        let part = |start, length, pad| ValidationData::from_pan(&pan, start, length, pad);
        assert_eq!(part(4, 12, 15), Some(ValidationData(vectors::array("330089010012FFFF"))));
        assert_eq!(part(0, 3, 0), Some(ValidationData(vectors::array("5410000000000000"))));
        for (start, length, pad) in [(4, 13, 0), (0, 17, 0), (0, 4, 16), (usize::MAX, 2, 0)] {
            assert_eq!(part(start, length, pad), None, "{start} {length} {pad}");
        }
    }
}
