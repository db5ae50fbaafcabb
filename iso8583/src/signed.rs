//! Amounts with a sign, `x+n`: `C` or `D` and digits.
//!
//! The sign is a character even where the digits are packed. Start at [`Signed`].

use crate::content::Violation;
use crate::digits::Digits;
use crate::error::DecodeErrorKind;
use crate::field::{Align, Encoding, Field, Unit};

/// An amount with its sign (ISO 8583:1987, attribute `x+n`), in whatever units its field has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Whether the sign is `D`, a debit, and not `C`, a credit.
    pub debit: bool,
    /// The digits as a number.
    pub amount: u64,
}

/// The sign's character in this field.
pub(crate) fn sign(field: &Field, debit: bool) -> u8 {
    match (is_ebcdic(field), debit) {
        (false, true) => b'D',
        (false, false) => b'C',
        (true, true) => 0xC4,
        (true, false) => 0xC3,
    }
}

fn is_ebcdic(field: &Field) -> bool {
    match field.encoding {
        Encoding::Ebcdic(_) => true,
        Encoding::Packed => field.ebcdic_sign,
        Encoding::Ascii | Encoding::Binary => false,
    }
}

/// The sign and the digits of a value.
pub(crate) fn view<'a>(field: &Field, length: u16, value: &'a [u8]) -> Option<(bool, Digits<'a>)> {
    let (&first, rest) = value.split_first()?;
    let debit = [true, false].into_iter().find(|&debit| sign(field, debit) == first)?;
    let count = usize::from(length).checked_sub(1)?;
    let digits = match field.unit {
        Unit::SignAndNibbles => Digits::new(rest, skipped(field, count), count),
        _ => Digits::characters(rest, field.encoding),
    };
    Some((debit, digits))
}

/// Whether a pad nibble stands before this many digits.
fn skipped(field: &Field, digits: usize) -> usize {
    usize::from(field.align == Align::Right && !digits.is_multiple_of(2))
}

/// Checks a value: a sign and digits.
pub(crate) fn check(field: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
    let Some((_, digits)) = view(field, length, value) else {
        return Err(Violation { at: 0, tag: None, kind: DecodeErrorKind::BadSign });
    };
    let packed = field.unit == Unit::SignAndNibbles;
    let good = |index: usize| match packed {
        true => digits.nibble(index) <= 9,
        false => is_digit(field.encoding, value[index + 1]),
    };
    match (0..digits.len()).find(|&index| !good(index)) {
        Some(index) => {
            let at = 1 + if packed { digits.byte_of(index) } else { index };
            Err(Violation { at, tag: None, kind: DecodeErrorKind::BadDigit })
        }
        None => Ok(()),
    }
}

fn is_digit(encoding: Encoding, character: u8) -> bool {
    match encoding {
        Encoding::Ebcdic(_) => matches!(character, 0xF0..=0xF9),
        _ => character.is_ascii_digit(),
    }
}
