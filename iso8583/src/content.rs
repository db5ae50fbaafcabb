//! Whether a value's bytes are what its content class allows.
//!
//! Used both ways: on what was received and on what is about to be sent.

use crate::digits::Digits;
use crate::error::{DecodeErrorKind, FieldPath};
use crate::hex;
use crate::spec::{Class, Encoding, Field};
use crate::tlv;

/// A broken content rule: which one, at which byte of the value, and inside
/// which tag.
pub(crate) struct Violation {
    pub(crate) at: usize,
    pub(crate) tag: Option<u32>,
    pub(crate) kind: DecodeErrorKind,
}

impl Violation {
    /// The path of the violation in the field with this number.
    pub(crate) fn path(&self, field: u8) -> FieldPath {
        match self.tag {
            Some(tag) => FieldPath::Tag { field, tag },
            None => FieldPath::Field(field),
        }
    }
}

/// Checks a value of `length` digits or bytes. A pad nibble may be anything.
#[inline]
pub(crate) fn check(field: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
    let (allowed, kind) = match (field.class, field.encoding) {
        (Class::Numeric, Encoding::Packed) => (NUMERIC, digit_rule(field.class)),
        (Class::Numeric, Encoding::Ascii) => (ASCII_NUMERIC, digit_rule(field.class)),
        (Class::Track, Encoding::Packed) => (TRACK, digit_rule(field.class)),
        (Class::Track, Encoding::Ascii) => (ASCII_TRACK, digit_rule(field.class)),
        (Class::Alphanumeric, _) => (ALPHANUMERIC, DecodeErrorKind::BadCharacter),
        (Class::Binary, Encoding::Ascii) => (HEX, DecodeErrorKind::BadHexDigit),
        (Class::Text, _) | (Class::Binary, Encoding::Packed) => return Ok(()),
        (Class::Tlv, _) => return tlv::check(value),
    };
    // Almost always every byte is good and the table alone decides.
    let Some(at) = value.iter().position(|&byte| ALLOWED[usize::from(byte)] & allowed == 0) else {
        return Ok(());
    };
    if field.class.counts_digits() && field.encoding == Encoding::Packed {
        return check_nibbles(field, length, value, kind);
    }
    Err(Violation { at, tag: None, kind })
}

/// The rule a digit of a field of digits breaks.
pub(crate) fn digit_rule(class: Class) -> DecodeErrorKind {
    if class == Class::Track { DecodeErrorKind::BadTrackDigit } else { DecodeErrorKind::BadDigit }
}

/// Finds the nibble at fault; there is none if only the pad is no digit.
#[cold]
fn check_nibbles(field: &Field, length: u16, value: &[u8], kind: DecodeErrorKind) -> Result<(), Violation> {
    let digits = view(field, length, value);
    let allows = |nibble| nibble <= 9 || (nibble == 0x0D && field.class == Class::Track);
    match (0..digits.len()).find(|&index| !allows(digits.nibble(index))) {
        Some(index) => Err(Violation { at: digits.byte_of(index), tag: None, kind }),
        None => Ok(()),
    }
}

/// The digits of a value that is `length` digits long.
#[inline]
pub(crate) fn view<'a>(field: &Field, length: u16, value: &'a [u8]) -> Digits<'a> {
    match field.encoding {
        Encoding::Packed => Digits::new(value, usize::from(field.pads_first(length)), usize::from(length)),
        Encoding::Ascii => Digits::ascii(value),
    }
}

const NUMERIC: u8 = 1;
const TRACK: u8 = 2;
const ALPHANUMERIC: u8 = 4;
const ASCII_NUMERIC: u8 = 8;
const ASCII_TRACK: u8 = 16;
const HEX: u8 = 32;

/// For each byte, the classes that allow it (in packed `n` and `z`: both
/// nibbles).
const ALLOWED: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        let (high, low) = (byte >> 4, byte & 0x0F);
        let slot = &mut table[byte as usize];
        if high <= 9 && low <= 9 {
            *slot |= NUMERIC;
        }
        if (high <= 9 || high == 0x0D) && (low <= 9 || low == 0x0D) {
            *slot |= TRACK;
        }
        if byte.is_ascii_alphanumeric() || byte == b' ' {
            *slot |= ALPHANUMERIC;
        }
        if byte.is_ascii_digit() {
            *slot |= ASCII_NUMERIC;
        }
        if byte.is_ascii_digit() || byte == b'=' || byte == b'D' {
            *slot |= ASCII_TRACK;
        }
        if hex::is_digit(byte) {
            *slot |= HEX;
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
