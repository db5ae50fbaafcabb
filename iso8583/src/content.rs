//! Whether a value's bytes are what its content class allows.
//!
//! Used both ways: on what was received and on what is about to be sent.

use crate::digits::Digits;
use crate::error::DecodeErrorKind;
use crate::field::{Class, Encoding, Field, Unit};
use crate::hex;
use crate::path::{Path, Step};
use crate::signed;
use crate::swar;
use crate::tlv;

/// A broken content rule: which one, at which byte of the value, and inside
/// which tag.
pub(crate) struct Violation {
    pub(crate) at: usize,
    pub(crate) tag: Option<Step>,
    pub(crate) kind: DecodeErrorKind,
}

impl Violation {
    /// The path of the violation in the field or part at this path.
    pub(crate) fn path(&self, holder: Path) -> Path {
        match self.tag {
            Some(tag) => holder.step_if_room(tag),
            None => holder,
        }
    }
}

/// Checks a value of `length` digits, characters or bytes. A pad nibble may be anything.
#[inline]
pub(crate) fn check(field: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
    let allowed = field.allowed;
    if allowed != ANYTHING {
        // Almost always every byte is good, so which one is not is asked only when one is not.
        return if is_made_of(value, allowed) { Ok(()) } else { fault(field, length, value) };
    }
    match field.class {
        Class::Tlv => tlv::check(value),
        Class::Signed => signed::check(field, length, value),
        _ => Ok(()),
    }
}

/// Whether every byte is of one of these classes.
#[inline]
pub(crate) fn is_made_of(value: &[u8], allowed: u16) -> bool {
    // The common classes are asked about by comparisons, of which a processor makes sixteen at a time.
    match allowed {
        ANYTHING => true,
        NUMERIC => swar::are_packed_digits(value),
        TRACK => swar::are_packed_track(value),
        ASCII_NUMERIC => all(value, |byte| byte.is_ascii_digit()),
        ASCII_TRACK => all(value, |byte| byte.is_ascii_digit() || byte == b'=' || byte == b'D'),
        ALPHANUMERIC => all(value, |byte| {
            // A letter's bit 20 says whether it is small; no other byte becomes a letter by it.
            byte.is_ascii_digit() || (byte | 0x20).is_ascii_lowercase() || byte == b' '
        }),
        HEX => all(value, hex::is_digit),
        EBCDIC_NUMERIC => all(value, |byte| byte.wrapping_sub(0xF0) <= 9),
        _ => value.iter().fold(allowed, |common, &byte| common & ALLOWED[usize::from(byte)]) != 0,
    }
}

/// Whether all bytes are good, asked of so many at a time that the compiler need not ask them one by one; the last
/// ones are asked together with some before them.
#[inline(always)]
fn all(bytes: &[u8], good: impl Fn(u8) -> bool) -> bool {
    if let (chunks, Some(last)) = (bytes.as_chunks::<16>().0, bytes.last_chunk::<16>()) {
        return chunks.iter().all(|chunk| all_of(chunk, &good)) && all_of(last, &good);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return all_of(first, &good) & all_of(last, &good);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return all_of(first, &good) & all_of(last, &good);
    }
    bytes.iter().all(|&byte| good(byte))
}

#[inline(always)]
fn all_of<const N: usize>(bytes: &[u8; N], good: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, &byte| all & good(byte))
}

/// Whether a byte is of one of these classes.
#[inline]
pub(crate) fn is_of(byte: u8, allowed: u16) -> bool {
    ALLOWED[usize::from(byte)] & allowed != 0
}

/// Whether a byte of the one classes is always of the other.
pub(crate) fn implies(one: u16, other: u16) -> bool {
    let is_of = |byte: u8, classes| classes == ANYTHING || is_of(byte, classes);
    (0..=u8::MAX).all(|byte| !is_of(byte, one) || is_of(byte, other))
}

/// What is wrong with a value that has a byte which its class does not allow.
#[cold]
fn fault(field: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
    if field.unit == Unit::Nibble {
        return check_nibbles(field, length, value);
    }
    let kind = match field.class {
        Class::Numeric | Class::Track => digit_rule(field.class),
        Class::Binary => DecodeErrorKind::BadHexDigit,
        _ => DecodeErrorKind::BadCharacter,
    };
    let wrong = |&byte: &u8| ALLOWED[usize::from(byte)] & field.allowed == 0;
    let at = value.iter().position(wrong).unwrap_or_default();
    Err(Violation { at, tag: None, kind })
}

/// The bytes that a value of this class may have, of which only the bits of [`ALLOWED`] matter.
pub(crate) fn allowed(class: Class, encoding: Encoding, unit: Unit) -> u16 {
    match (class, encoding) {
        (_, Encoding::Binary) | (Class::Text | Class::Tlv | Class::Signed, _) => ANYTHING,
        (Class::Numeric, Encoding::Packed) => NUMERIC,
        (Class::Numeric, Encoding::Ascii) => ASCII_NUMERIC,
        (Class::Numeric, Encoding::Ebcdic(_)) => EBCDIC_NUMERIC,
        (Class::Track, Encoding::Packed) => TRACK,
        (Class::Track, Encoding::Ascii) => ASCII_TRACK,
        (Class::Track, Encoding::Ebcdic(_)) => EBCDIC_TRACK,
        (Class::Alphanumeric, Encoding::Ebcdic(_)) => EBCDIC_ALPHANUMERIC,
        (Class::Alphanumeric, _) => ALPHANUMERIC,
        (Class::Binary, _) if unit != Unit::Pair => ANYTHING,
        (Class::Binary, Encoding::Ebcdic(_)) => EBCDIC_HEX,
        (Class::Binary, _) => HEX,
    }
}

/// The rule a digit of a field of digits breaks.
pub(crate) fn digit_rule(class: Class) -> DecodeErrorKind {
    if class == Class::Track { DecodeErrorKind::BadTrackDigit } else { DecodeErrorKind::BadDigit }
}

/// Finds the nibble at fault; there is none if only the pad is no digit.
fn check_nibbles(field: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
    let digits = view(field, length, value);
    let allows = |nibble| nibble <= 9 || (nibble == 0x0D && field.class == Class::Track);
    match (0..digits.len()).find(|&index| !allows(digits.nibble(index))) {
        Some(index) => Err(Violation { at: digits.byte_of(index), tag: None, kind: digit_rule(field.class) }),
        None => Ok(()),
    }
}

/// The digits of a value that is `length` digits long.
#[inline]
pub(crate) fn view<'a>(field: &Field, length: u16, value: &'a [u8]) -> Digits<'a> {
    match field.encoding {
        Encoding::Packed => Digits::new(value, usize::from(field.pads_first(length)), usize::from(length)),
        Encoding::Ascii => Digits::ascii(value),
        Encoding::Ebcdic(_) | Encoding::Binary => Digits::characters(value, field.encoding),
    }
}

pub(crate) const ANYTHING: u16 = 0;
const NUMERIC: u16 = 1;
const TRACK: u16 = 2;
const ALPHANUMERIC: u16 = 4;
const ASCII_NUMERIC: u16 = 8;
const ASCII_TRACK: u16 = 16;
const HEX: u16 = 32;
const EBCDIC_NUMERIC: u16 = 64;
const EBCDIC_TRACK: u16 = 128;
const EBCDIC_ALPHANUMERIC: u16 = 256;
const EBCDIC_HEX: u16 = 512;

/// For each byte, the classes that allow it (in packed `n` and `z`: both
/// nibbles).
const ALLOWED: [u16; 256] = {
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
        let digit = matches!(byte, 0xF0..=0xF9);
        if digit {
            *slot |= EBCDIC_NUMERIC;
        }
        // `=` is 7E and `D` is C4.
        if digit || byte == 0x7E || byte == 0xC4 {
            *slot |= EBCDIC_TRACK;
        }
        // Capital letters have the bit 40 that small ones lack; a space is 40.
        let letter = matches!(byte & 0xBF, 0x81..=0x89 | 0x91..=0x99 | 0xA2..=0xA9);
        if digit || byte == 0x40 || letter {
            *slot |= EBCDIC_ALPHANUMERIC;
        }
        if digit || matches!(byte, 0xC1..=0xC6) {
            *slot |= EBCDIC_HEX;
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
