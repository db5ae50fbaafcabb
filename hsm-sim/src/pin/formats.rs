//! PIN blocks of ISO 9564-1 formats 1, 3 and 4, and of format 2, which only chips
//! see.
//!
//! All begin with format and length of the PIN, and differ in what follows the
//! digits and in how the card number comes in. A malformed block has one error for
//! all faults, as in format 0.

use super::{DIGITS_MAX, DIGITS_MIN, Pin, bytes, nibbles, pan_field};
use crate::{
    Entropy, HsmError,
    aes_key::AesKey,
    des_key::{DesKey, xor},
};
use std::{fmt, ops::RangeInclusive};
use zeroize::{Zeroize, Zeroizing};

/// A format of encrypted PIN blocks (ISO 9564-1:2017).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PinFormat {
    /// Format 0 (ANSI X9.8): eight bytes under triple DES, bound to the card number.
    Iso0,
    /// Format 1: eight bytes under triple DES with a transaction's own digits in
    /// place of the card number. Only read, never made.
    Iso1,
    /// Format 3: as format 0, filled with random letters.
    Iso3,
    /// Format 4: sixteen bytes under AES, bound to the card number, random.
    Iso4,
}

impl PinFormat {
    /// Every format, for tables and tests.
    pub const ALL: [Self; 4] = [Self::Iso0, Self::Iso1, Self::Iso3, Self::Iso4];

    /// Whether a block of this format is good for one card number only.
    #[must_use]
    pub fn binds_pan(self) -> bool {
        self != Self::Iso1
    }
}

/// An encrypted PIN block: eight bytes, in format 4 sixteen. Prints nothing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PinBlock {
    bytes: [u8; 16],
    length: usize,
}

impl PinBlock {
    pub(crate) fn new(block: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes[..block.len()].copy_from_slice(block);
        Self { bytes, length: block.len() }
    }

    /// The bytes, as they go into a message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinBlock")
    }
}

/// Letters, the fill of format 3.
const LETTERS: RangeInclusive<u8> = 10..=15;
/// Any nibble, the fill of format 1.
const ANY: RangeInclusive<u8> = 0..=15;
/// `A`, the fill of format 4.
const A: RangeInclusive<u8> = 10..=10;

impl Pin {
    /// Takes the PIN out of a decrypted block of format 1.
    pub(crate) fn from_iso1(clear: [u8; 8]) -> Result<Self, HsmError> {
        Self::open(clear, 1, ANY)
    }

    /// Takes the PIN out of a decrypted block of format 3 for this card.
    pub(crate) fn from_iso3(clear: [u8; 8], pan: &[u8]) -> Result<Self, HsmError> {
        Self::open(xor(clear, pan_field(pan)), 3, LETTERS)
    }

    /// Takes the PIN out of an encrypted block of format 4 for this card.
    pub(crate) fn from_iso4(key: &AesKey, block: [u8; 16], pan: &[u8]) -> Result<Self, HsmError> {
        let inner = xor_16(key.decrypt(block), pan_field_iso4(pan));
        let clear = Zeroizing::new(key.decrypt(inner));
        let mut pin_field = Zeroizing::new([0; 8]);
        pin_field.copy_from_slice(&clear[..8]);
        Self::open(*pin_field, 4, A)
    }

    /// The clear block of format 1.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn to_iso1(&self, transaction: &[u8]) -> [u8; 8] {
        self.field(1, transaction)
    }

    /// The clear block of format 2, which a chip takes in clear or under its own key.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn to_iso2(&self) -> [u8; 8] {
        self.field(2, &[15; 12])
    }

    /// The clear block of format 3 for this card. Of the letters it takes as many as
    /// there is room for.
    pub(crate) fn to_iso3(&self, pan: &[u8], letters: &[u8]) -> [u8; 8] {
        xor(self.field(3, letters), pan_field(pan))
    }

    /// The encrypted block of format 4 for this card.
    pub(crate) fn to_iso4(&self, key: &AesKey, pan: &[u8], random: [u8; 8]) -> [u8; 16] {
        let inner = key.encrypt(*self.pin_field_iso4(random));
        key.encrypt(xor_16(inner, pan_field_iso4(pan)))
    }

    /// Half of it: format, length, digits, fill, and eight random bytes.
    pub(crate) fn pin_field_iso4(&self, random: [u8; 8]) -> Zeroizing<[u8; 16]> {
        let mut field = Zeroizing::new([0; 16]);
        field[..8].copy_from_slice(&self.field(4, &[10; 12]));
        field[8..].copy_from_slice(&random);
        field
    }

    /// Format, length, digits, and as much of the fill as there is room for.
    fn field(&self, format: u8, fill: &[u8]) -> [u8; 8] {
        let mut nibbles = [0; 16];
        let length = usize::from(self.length);
        nibbles[0] = format;
        nibbles[1] = self.length;
        nibbles[2..2 + length].copy_from_slice(&self.digits[..length]);
        for (nibble, fill) in nibbles[2 + length..].iter_mut().zip(fill) {
            *nibble = *fill;
        }
        let block = bytes(&nibbles);
        nibbles.zeroize();
        block
    }

    /// The inverse. Looks at every nibble whatever the earlier ones were.
    fn open(clear: [u8; 8], format: u8, fill: RangeInclusive<u8>) -> Result<Self, HsmError> {
        let mut nibbles = nibbles(clear);
        let length = nibbles[1];
        let mut faults = (nibbles[0] ^ format) | u8::from(!(DIGITS_MIN..=DIGITS_MAX).contains(&length));
        let mut pin = Self { digits: [0; DIGITS_MAX as usize], length };
        for (place, nibble) in (0..).zip(&nibbles[2..]) {
            let digit = u8::from(place < length);
            let bad_digit = u8::from(*nibble > 9);
            let bad_fill = u8::from(!fill.contains(nibble));
            faults |= digit * bad_digit + (1 - digit) * bad_fill;
            if let Some(out) = pin.digits.get_mut(usize::from(place)) {
                *out = nibble * digit;
            }
        }
        nibbles.zeroize();
        if faults == 0 { Ok(pin) } else { Err(HsmError::PinBlock) }
    }

    /// The PIN of a block under a triple DES key.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`].
    pub(crate) fn decrypt(
        key: &DesKey,
        format: PinFormat,
        block: &[u8],
        pan: &crate::Pan,
    ) -> Result<Self, HsmError> {
        let block = block.try_into().map_err(|_| HsmError::PinBlock)?;
        let clear = Zeroizing::new(key.decrypt(block));
        Self::from_clear(*clear, format, pan)
    }

    /// The PIN of a decrypted block of eight bytes.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`], [`HsmError::PinFormat`] for the format that is under AES.
    pub(crate) fn from_clear(clear: [u8; 8], format: PinFormat, pan: &crate::Pan) -> Result<Self, HsmError> {
        match format {
            PinFormat::Iso0 => Self::from_iso0(clear, pan),
            PinFormat::Iso1 => Self::from_iso1(clear),
            PinFormat::Iso3 => Self::from_iso3(clear, pan.expose()),
            PinFormat::Iso4 => Err(HsmError::PinFormat),
        }
    }

    /// The block of a format bound to the card, under a triple DES key.
    ///
    /// # Errors
    /// [`HsmError::PinFormat`] for the others.
    pub(crate) fn encrypt(
        &self,
        key: &DesKey,
        format: PinFormat,
        pan: &crate::Pan,
        entropy: &mut dyn Entropy,
    ) -> Result<PinBlock, HsmError> {
        let clear = Zeroizing::new(self.to_clear(format, pan, entropy)?);
        Ok(PinBlock::new(&key.encrypt(*clear)))
    }

    /// The clear block of a format of eight bytes bound to the card.
    ///
    /// # Errors
    /// [`HsmError::PinFormat`] for the others.
    pub(crate) fn to_clear(
        &self,
        format: PinFormat,
        pan: &crate::Pan,
        entropy: &mut dyn Entropy,
    ) -> Result<[u8; 8], HsmError> {
        match format {
            PinFormat::Iso0 => Ok(self.to_iso0(pan)),
            PinFormat::Iso3 => Ok(self.to_iso3(pan.expose(), &draw_letters(entropy))),
            PinFormat::Iso1 | PinFormat::Iso4 => Err(HsmError::PinFormat),
        }
    }
}

/// Ten random letters: format 3 has room for so many behind the shortest PIN. Six
/// values out of 256 are not quite equally likely, which the fill can bear: it hides
/// nothing, it only keeps equal PINs from having equal blocks.
fn draw_letters(entropy: &mut dyn Entropy) -> [u8; 10] {
    let mut letters = [0; 10];
    entropy.fill(&mut letters);
    // In range: 255 × 6 / 256 is 5.
    letters.map(|byte| LETTERS.start() + u16::to_be_bytes(u16::from(byte) * 6)[0])
}

/// How many digits there are beyond twelve, the digits, zeros.
pub(crate) fn pan_field_iso4(digits: &[u8]) -> [u8; 16] {
    let mut nibbles = [0; 32];
    nibbles[0] = u8::try_from(digits.len().saturating_sub(12)).unwrap_or(0);
    for (nibble, digit) in nibbles[1..].iter_mut().zip(digits) {
        *nibble = digit - b'0';
    }
    let mut field = [0; 16];
    for (byte, pair) in field.iter_mut().zip(nibbles.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    field
}

fn xor_16(left: [u8; 16], right: [u8; 16]) -> [u8; 16] {
    (u128::from_be_bytes(left) ^ u128::from_be_bytes(right)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Pan;
    use proptest::prelude::*;

    fn key() -> AesKey {
        AesKey::new(&[0x2B; 16]).unwrap()
    }

    #[test]
    fn a_damaged_field_has_one_error_wherever_the_damage_is() {
        let good = [4, 5, 1, 2, 3, 4, 5, 10, 10, 10, 10, 10, 10, 10, 10, 10];
        assert!(Pin::open(bytes(&good), 4, A).is_ok());
        for (name, place, nibble) in [
            ("another format", 0, 3),
            ("three digits", 1, 3),
            ("thirteen digits", 1, 13),
            ("one digit more than there are", 1, 6),
            ("one digit fewer than there are", 1, 4),
            ("a letter among the digits", 4, 11),
            ("fill that is not A", 7, 11),
            ("last fill that is a digit", 15, 0),
        ] {
            let mut bad = good;
            bad[place] = nibble;
            assert_eq!(Pin::open(bytes(&bad), 4, A).unwrap_err(), HsmError::PinBlock, "{name}");
        }
    }

    #[test]
    fn drawn_letters_are_letters_whatever_is_drawn() {
        for byte in 0..=u8::MAX {
            let letters = draw_letters(&mut |bytes: &mut [u8]| bytes.fill(byte));
            assert!(letters.iter().all(|letter| LETTERS.contains(letter)), "{byte}");
        }
    }

    #[test]
    fn the_card_number_and_its_length_are_in_the_field() {
        let field = |digits: &str| format!("{:032X}", u128::from_be_bytes(pan_field_iso4(digits.as_bytes())));
        assert_eq!(field("123456789012"), "01234567890120000000000000000000");
        assert_eq!(field("1234567890123456789"), "71234567890123456789000000000000");
    }

    proptest! {
        #[test]
        fn what_was_made_opens_for_its_card_only(
            digits in "[0-9]{4,12}", random: [u8; 8], letters in prop::collection::vec(10..=15_u8, 10),
        ) {
            let pin = Pin::parse(digits.as_bytes()).unwrap();
            let (pan, other) = (b"4761739001010119", b"4111111111111111");
            prop_assert_eq!(&Pin::from_iso1(pin.to_iso1(&letters)).unwrap(), &pin);
            let three = pin.to_iso3(pan, &letters);
            prop_assert_eq!(&Pin::from_iso3(three, pan).unwrap(), &pin);
            let four = pin.to_iso4(&key(), pan, random);
            prop_assert_eq!(&Pin::from_iso4(&key(), four, pan).unwrap(), &pin);
            prop_assert!(Pin::from_iso4(&key(), four, other).is_err());
        }

        #[test]
        fn no_block_panics_in_any_format(block: [u8; 8], wide: [u8; 16]) {
            let pan = Pan::parse(b"4761739001010119").unwrap();
            let des = DesKey::new(&[0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x01]).unwrap();
            for format in PinFormat::ALL {
                for block in [&block[..], &wide] {
                    let _ = Pin::decrypt(&des, format, block, &pan);
                }
            }
            let _ = Pin::from_iso4(&key(), wide, pan.expose());
        }
    }
}
