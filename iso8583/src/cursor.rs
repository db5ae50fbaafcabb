//! Taking one element after another off bytes, by its row of the table.
//!
//! The same for the fields of a message and for the parts of a composite; what is promised next is the business of
//! `decode` and `parts`. Start at [`Cursor::element`].

use crate::charset;
use crate::error::DecodeErrorKind;
use crate::field::{Align, Field, Length, Says, Unit};
use crate::hex;
use crate::spec_file::PrefixEncoding;

/// How far a reader is.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A value that was found: where it begins, and its length in the units of its row.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) start: usize,
    pub(crate) length: u16,
    pub(crate) value: &'a [u8],
}

/// What is wrong with a position, and where.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) kind: DecodeErrorKind,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// Bytes taken so far.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next element; how long it is, its row or its prefix says, or the end of the bytes.
    #[inline]
    pub(crate) fn element(&mut self, field: &Field) -> Result<Found<'a>, Fault> {
        let length = match field.length {
            Length::Fixed(length) => length,
            Length::Variable { max, .. } => {
                if field.counts_bytes {
                    return self.counted_in_bytes(field, max);
                }
                self.prefix(field, max)?
            }
        };
        let start = self.at;
        let value = self.take(field.bytes_for(length))?;
        Ok(Found { start, length, value })
    }

    /// A length prefix that counts what `max` counts.
    #[inline]
    fn prefix(&mut self, field: &Field, max: u16) -> Result<u16, Fault> {
        let at = self.at;
        let mut number = self.number(field.prefix_encoding, field.prefix_bytes())?;
        if field.says != Says::AsItIs {
            number = counted(field, number).ok_or_else(|| self.no_length(at))?;
        }
        match u16::try_from(number) {
            Ok(length) if length <= max => Ok(length),
            _ => Err(over_max(at, max)),
        }
    }

    /// An element whose prefix counts bytes, or that takes whatever is left.
    fn counted_in_bytes(&mut self, field: &Field, max: u16) -> Result<Found<'a>, Fault> {
        let at = self.at;
        let count = match field.prefix_bytes() {
            0 => self.left(),
            needs => {
                let number = self.number(field.prefix_encoding, needs)?;
                counted(field, number).ok_or_else(|| self.no_length(at))? as usize
            }
        };
        if count > field.bytes_for(max) {
            return Err(over_max(at, max));
        }
        let start = self.at;
        let value = self.take(count)?;
        let length = units_in(field, value).map_err(|kind| Fault { at: start, kind })?;
        if length > max {
            return Err(over_max(at, max));
        }
        Ok(Found { start, length, value })
    }

    /// A number in so many bytes.
    #[inline]
    pub(crate) fn number(&mut self, encoding: PrefixEncoding, needs: usize) -> Result<u32, Fault> {
        let at = self.at;
        let bytes = self.take(needs)?;
        let number = match encoding {
            PrefixEncoding::Bcd => bcd(bytes),
            PrefixEncoding::Ascii => decimal(bytes, b'0'),
            PrefixEncoding::Ebcdic => decimal(bytes, 0xF0),
            PrefixEncoding::Binary => {
                Some(bytes.iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte)))
            }
            PrefixEncoding::Hex => hexadecimal(bytes, |character| character),
            PrefixEncoding::HexEbcdic => hexadecimal(bytes, charset::to_ascii),
        };
        match number {
            Some(number) => Ok(number),
            // The position is that of the number: where it begins is known, what of it is wrong hardly matters.
            None => Err(self.no_length(at)),
        }
    }

    #[cold]
    fn no_length(&mut self, at: usize) -> Fault {
        self.at = at;
        Fault { at, kind: DecodeErrorKind::BadLengthPrefix }
    }

    #[inline]
    pub(crate) fn take(&mut self, needs: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        match rest.split_at_checked(needs) {
            Some((value, _)) => {
                self.at += needs;
                Ok(value)
            }
            None => Err(self.short(needs)),
        }
    }

    #[cold]
    fn short(&self, needs: usize) -> Fault {
        Fault { at: self.at, kind: DecodeErrorKind::TooShort { needs, left: self.left() } }
    }
}

#[cold]
fn over_max(at: usize, max: u16) -> Fault {
    Fault { at, kind: DecodeErrorKind::LengthOverMax { max } }
}

/// The length of a value of which only the bytes are counted: digits without their pad, bytes without their hex.
pub(crate) fn units_in(field: &Field, value: &[u8]) -> Result<u16, DecodeErrorKind> {
    let count = match field.unit {
        Unit::Byte => value.len(),
        Unit::Pair if value.len().is_multiple_of(2) => value.len() / 2,
        Unit::Pair => return Err(DecodeErrorKind::OddHex),
        Unit::SignAndNibbles => 2 * value.len() - usize::from(!value.is_empty()),
        Unit::Nibble => {
            let edge = match field.align {
                Align::Left => value.last().map(|byte| byte & 0x0F),
                Align::Right => value.first().map(|byte| byte >> 4),
            };
            2 * value.len() - usize::from(field.pad > 9 && edge == Some(field.pad))
        }
    };
    u16::try_from(count).map_err(|_| DecodeErrorKind::LengthOverMax { max: field.max() })
}

/// What a prefix counts, by the number that stands in it; `None` if there is no such count.
pub(crate) fn counted(field: &Field, number: u32) -> Option<u32> {
    match field.says {
        Says::AsItIs => Some(number),
        Says::WithItself => number.checked_sub(field.prefix_bytes.into()),
        Says::Twice => number.is_multiple_of(2).then_some(number / 2),
    }
}

/// A number of at most eight hex characters.
fn hexadecimal(characters: &[u8], ascii: impl Fn(u8) -> u8) -> Option<u32> {
    characters.iter().try_fold(0u32, |number, &character| {
        let character = ascii(character);
        hex::is_digit(character).then(|| number << 4 | u32::from(hex::value(character)))
    })
}

#[inline]
fn bcd(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0u32, |number, &byte| {
        let (high, low) = (byte >> 4, byte & 0x0F);
        (high <= 9 && low <= 9).then(|| number * 100 + u32::from(high) * 10 + u32::from(low))
    })
}

#[inline]
fn decimal(characters: &[u8], zero: u8) -> Option<u32> {
    characters.iter().try_fold(0u32, |number, &character| {
        let digit = character.wrapping_sub(zero);
        (digit <= 9).then(|| number * 10 + u32::from(digit))
    })
}
