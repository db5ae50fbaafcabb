//! PIN blocks of ISO 9564-1 format 0, and Visa's PIN verification value.
//!
//! No encryption of blocks here: the caller decrypts before [`Pin::from_iso0`]. The
//! other formats are in [`formats`], IBM's way of verifying in [`offset`].

use crate::{
    HsmError, Pan,
    decimalise::decimalise,
    des_key::{DesKey, xor},
};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

pub(crate) mod formats;
pub(crate) mod offset;

const DIGITS_MIN: u8 = 4;
const DIGITS_MAX: u8 = 12;

/// A PIN in clear: 4 to 12 digits. Prints nothing, is wiped on drop.
#[derive(Eq, PartialEq)]
pub(crate) struct Pin {
    /// Values 0–9; zero beyond `length`.
    digits: [u8; DIGITS_MAX as usize],
    length: u8,
}

impl Pin {
    /// Reads ASCII digits.
    #[cfg(any(test, feature = "test-keys", feature = "emulator"))]
    pub(crate) fn parse(ascii: &[u8]) -> Result<Self, HsmError> {
        let length = u8::try_from(ascii.len()).map_err(|_| HsmError::PinLength)?;
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&length) || !ascii.iter().all(u8::is_ascii_digit) {
            return Err(HsmError::PinLength);
        }
        let mut pin = Self { digits: [0; DIGITS_MAX as usize], length };
        for (digit, character) in pin.digits.iter_mut().zip(ascii) {
            *digit = character - b'0';
        }
        Ok(pin)
    }

    /// Takes the PIN out of a decrypted format 0 block: `0`, length, digits, `F`
    /// to the end, all XORed with the card number.
    ///
    /// Every nibble is looked at whatever the earlier ones were, and there is one
    /// error for all faults, so neither it nor the time tells where the fault is.
    pub(crate) fn from_iso0(clear: [u8; 8], pan: &Pan) -> Result<Self, HsmError> {
        let mut nibbles = nibbles(xor(clear, pan_field(pan.expose())));
        let length = nibbles[1];
        let mut faults = nibbles[0] | u8::from(!(DIGITS_MIN..=DIGITS_MAX).contains(&length));
        let mut pin = Self { digits: [0; DIGITS_MAX as usize], length };
        for (place, nibble) in (0..).zip(&nibbles[2..]) {
            let digit = u8::from(place < length);
            let bad_digit = u8::from(*nibble > 9);
            let bad_fill = u8::from(*nibble != 15);
            faults |= digit * bad_digit + (1 - digit) * bad_fill;
            if let Some(out) = pin.digits.get_mut(usize::from(place)) {
                *out = nibble * digit;
            }
        }
        nibbles.zeroize();
        if faults == 0 { Ok(pin) } else { Err(HsmError::PinBlock) }
    }

    /// The clear format 0 block for this card.
    pub(crate) fn to_iso0(&self, pan: &Pan) -> [u8; 8] {
        let mut nibbles = [15; 16];
        nibbles[0] = 0;
        nibbles[1] = self.length;
        let length = usize::from(self.length);
        nibbles[2..2 + length].copy_from_slice(&self.digits[..length]);
        let block = xor(bytes(&nibbles), pan_field(pan.expose()));
        nibbles.zeroize();
        block
    }

    /// Visa's PIN verification value: four ASCII digits.
    ///
    /// The transformed security parameter is the eleven rightmost digits of the
    /// card number without its check digit, the key index, and the leftmost four
    /// digits of the PIN.
    pub(crate) fn pvv(&self, key: &DesKey, key_index: u8, pan: &Pan) -> Result<[u8; 4], HsmError> {
        let block = Zeroizing::new(self.pvv_parameter(key_index, pan)?);
        Ok(pvv_of(&key.encrypt(*block)))
    }

    /// The block whose encryption is the verification value. It holds digits of the PIN.
    pub(crate) fn pvv_parameter(&self, key_index: u8, pan: &Pan) -> Result<[u8; 8], HsmError> {
        if key_index > 9 {
            return Err(HsmError::PvvKeyIndex);
        }
        let mut parameter = [0; 16];
        let digits = pan.expose();
        let account = &digits[digits.len() - 12..digits.len() - 1]; // In range: a Pan has at least 12 digits.
        for (nibble, digit) in parameter.iter_mut().zip(account) {
            *nibble = digit - b'0';
        }
        parameter[11] = key_index;
        parameter[12..].copy_from_slice(&self.digits[..4]);
        let block = bytes(&parameter);
        parameter.zeroize();
        Ok(block)
    }
}

/// The verification value out of the encrypted parameter.
pub(crate) fn pvv_of(encrypted: &[u8; 8]) -> [u8; 4] {
    decimalise(encrypted)
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.digits.zeroize();
        self.length.zeroize();
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// Four zero nibbles and the twelve rightmost digits of the card number without
/// its check digit. A card number of twelve digits has only eleven; zero fills.
fn pan_field(digits: &[u8]) -> [u8; 8] {
    let mut nibbles = [0; 16];
    let account = digits[..digits.len() - 1].iter().rev().take(12);
    for (nibble, digit) in nibbles.iter_mut().rev().zip(account) {
        *nibble = digit - b'0';
    }
    bytes(&nibbles)
}

fn nibbles(block: [u8; 8]) -> [u8; 16] {
    let mut nibbles = [0; 16];
    for (pair, byte) in nibbles.chunks_exact_mut(2).zip(block) {
        pair.copy_from_slice(&[byte >> 4, byte & 15]);
    }
    nibbles
}

fn bytes(nibbles: &[u8; 16]) -> [u8; 8] {
    let mut block = [0; 8];
    for (byte, pair) in block.iter_mut().zip(nibbles.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    block
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    fn pan(digits: &str) -> Pan {
        Pan::parse(digits.as_bytes()).unwrap()
    }

    #[test]
    fn published_pin_blocks_are_made_and_opened() {
        for vector in vectors::family("pinblock_iso0") {
            let (pin, pan) = (Pin::parse(vector.input("pin").as_bytes()).unwrap(), pan(vector.input("pan")));
            let clear = pin.to_iso0(&pan);
            assert_eq!(clear.to_vec(), vector.expected_bytes("clear"), "{}", vector.id);
            let key = DesKey::new(&vector.input_bytes("zpk")).unwrap();
            assert_eq!(key.encrypt(clear).to_vec(), vector.expected_bytes("encrypted"), "{}", vector.id);
            assert_eq!(Pin::from_iso0(clear, &pan).unwrap(), pin, "{}", vector.id);
        }
    }

    #[test]
    fn published_verification_values_are_computed() {
        for vector in vectors::family("visa_pvv") {
            let key = DesKey::new(&vector.input_bytes("pvk")).unwrap();
            let pin = Pin::parse(vector.input("pin").as_bytes()).unwrap();
            let index = vector.input("pvki").parse().unwrap();
            let pvv = pin.pvv(&key, index, &pan(vector.input("pan"))).unwrap();
            assert_eq!(&pvv, vector.expected("pvv").as_bytes(), "{}", vector.id);
        }
    }

    #[test]
    fn a_damaged_block_has_one_error_wherever_the_damage_is() {
        let pan = pan("4111111111111111");
        let mut field = nibbles(xor(Pin::parse(b"12345").unwrap().to_iso0(&pan), pan_field(pan.expose())));
        for (name, place, nibble) in [
            ("another format", 0, 1),
            ("three digits", 1, 3),
            ("thirteen digits", 1, 13),
            ("one digit more than there are", 1, 6),
            ("one digit fewer than there are", 1, 4),
            ("a letter first", 2, 10),
            ("a letter last", 6, 15),
            ("fill that is not F", 7, 14),
            ("last nibble that is not F", 15, 0),
        ] {
            let good = std::mem::replace(&mut field[place], nibble);
            let block = xor(bytes(&field), pan_field(pan.expose()));
            assert_eq!(Pin::from_iso0(block, &pan).unwrap_err(), HsmError::PinBlock, "{name}");
            field[place] = good;
        }
    }

    #[test]
    fn a_pin_has_four_to_twelve_digits() {
        for bad in ["", "123", "1234567890123", "12a4", "12 4"] {
            assert_eq!(Pin::parse(bad.as_bytes()).unwrap_err(), HsmError::PinLength, "{bad}");
        }
        assert!(Pin::parse(b"1234").is_ok() && Pin::parse(b"123456789012").is_ok());
    }

    #[test]
    fn a_key_index_is_one_digit() {
        let key = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        let pin = Pin::parse(b"1234").unwrap();
        assert_eq!(pin.pvv(&key, 10, &pan("4111111111111111")), Err(HsmError::PvvKeyIndex));
    }

    #[test]
    fn a_pin_prints_nothing() {
        assert_eq!(format!("{:?}", Pin::parse(b"1234").unwrap()), "Pin");
    }

    proptest! {
        #[test]
        fn what_opens_is_what_was_made(block: [u8; 8]) {
            let pan = pan("6222021001116245702");
            if let Ok(pin) = Pin::from_iso0(block, &pan) {
                prop_assert_eq!(pin.to_iso0(&pan), block);
            }
        }
    }
}
