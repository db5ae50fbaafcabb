//! One value into bytes, by its row of the table.
//!
//! Every function writes the value behind its length prefix, if it has one, and
//! returns its length in the units of the row; or writes nothing that the caller
//! could not cut off again, and says which rule the value broke. Which value may
//! follow which is the business of `build` and `build_parts`; the tests of these
//! functions are there too, through [`crate::Builder`].

use bytes::{BufMut, BytesMut};

use crate::charset::{self, Text};
use crate::content;
use crate::error::{DecodeErrorKind, EncodeErrorKind};
use crate::field::{Align, Class, Encoding, Field, Length, Prefix, Unit};
use crate::hex;
use crate::signed::{self, Signed};
use crate::spec_file::PrefixEncoding;

/// Digits of an `n` or `z` value, given as ASCII.
pub(crate) fn digits(row: &Field, out: &mut BytesMut, ascii: &[u8]) -> Result<u16, EncodeErrorKind> {
    if !row.class.counts_digits() || row.encoding == Encoding::Binary {
        return Err(EncodeErrorKind::WrongClass);
    }
    if row.class == Class::Numeric {
        if !ascii.iter().fold(true, |good, byte| good & byte.is_ascii_digit()) {
            let index = ascii.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or_default();
            return Err(EncodeErrorKind::Content { index, rule: DecodeErrorKind::BadDigit });
        }
        return put_ascii_digits(row, out, ascii);
    }
    if let Some(index) = ascii.iter().position(|&byte| ascii_nibble(byte).is_none()) {
        return Err(EncodeErrorKind::Content { index, rule: DecodeErrorKind::BadTrackDigit });
    }
    put_digits(row, out, ascii.len(), ascii.iter().copied().filter_map(ascii_nibble))
}

/// Writes ASCII digits; a pair makes a byte where they are packed.
fn put_ascii_digits(row: &Field, out: &mut BytesMut, ascii: &[u8]) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, ascii.len())?;
    let room = room(row, out, length);
    match row.encoding {
        Encoding::Ascii => room.copy_from_slice(ascii),
        Encoding::Packed if length.is_multiple_of(2) => {
            let pairs = room.iter_mut().zip(ascii.chunks_exact(2));
            pairs.for_each(|(to, pair)| *to = pair[0] << 4 | pair[1] & 0x0F);
        }
        _ => fill_digits(row, length, room, ascii.iter().map(|digit| digit & 0x0F)),
    }
    Ok(length)
}

/// A number with leading zeros into a fixed `n` value.
pub(crate) fn number(row: &Field, out: &mut BytesMut, value: u64) -> Result<u16, EncodeErrorKind> {
    let (Class::Numeric, Length::Fixed(length)) = (row.class, row.length) else {
        return Err(EncodeErrorKind::WrongClass);
    };
    if row.encoding == Encoding::Binary {
        return binary(out, length, value);
    }
    let room = room(row, out, length);
    if fill_number(row, length, room, value) {
        Ok(length)
    } else {
        Err(EncodeErrorKind::NumberTooLarge { digits: length })
    }
}

/// A big-endian number of 1 to 8 bytes.
fn binary(out: &mut BytesMut, length: u16, value: u64) -> Result<u16, EncodeErrorKind> {
    let bytes = value.to_be_bytes();
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(length.into()));
    if high.iter().any(|&byte| byte != 0) {
        return Err(EncodeErrorKind::NumberOverBytes { bytes: length });
    }
    out.put_slice(low);
    Ok(length)
}

/// A sign and a number with leading zeros into an `xn` value.
pub(crate) fn signed(row: &Field, out: &mut BytesMut, value: Signed) -> Result<u16, EncodeErrorKind> {
    let (Class::Signed, Length::Fixed(length)) = (row.class, row.length) else {
        return Err(EncodeErrorKind::WrongClass);
    };
    let digits = length - 1;
    let at = out.len() + 1;
    out.put_u8(signed::sign(row, value.debit));
    out.put_bytes(0, row.bytes_for(length) - 1);
    match fill_number(row, digits, &mut out[at..], value.amount) {
        true => Ok(length),
        false => Err(EncodeErrorKind::NumberTooLarge { digits }),
    }
}

/// Fills a room of zeros with a number of so many digits, from the last on; false if it has more.
fn fill_number(row: &Field, count: u16, room: &mut [u8], mut value: u64) -> bool {
    if row.encoding == Encoding::Packed {
        // An odd count that is left-aligned ends in the middle of its last byte.
        let odd = !count.is_multiple_of(2);
        let (bytes, last) = room.split_at_mut(if odd {
            room.len() - usize::from(row.align == Align::Left)
        } else {
            room.len()
        });
        if let [last] = last {
            *last = tens(&mut value, 10) << 4 | row.pad;
        }
        bytes.iter_mut().rev().for_each(|to| *to = packed(usize::from(tens(&mut value, 100))));
        if odd && row.align == Align::Right {
            let first = &mut room[0];
            let digit_only = *first <= 0x0F;
            *first |= row.pad << 4;
            return value == 0 && digit_only;
        }
    } else {
        let zero = if matches!(row.encoding, Encoding::Ebcdic(_)) { 0xF0 } else { b'0' };
        room.iter_mut().rev().for_each(|to| *to = zero + tens(&mut value, 10));
    }
    value == 0
}

/// Takes the last digit, or the last two, off a number.
fn tens(value: &mut u64, base: u64) -> u8 {
    let rest = *value % base;
    *value /= base;
    #[expect(clippy::cast_possible_truncation, reason = "less than 100")]
    let digits = rest as u8;
    digits
}

/// Text of an `an`, `ans` or `xn` value, given in ISO 8859-1, of which ASCII is a part.
pub(crate) fn text(row: &Field, out: &mut BytesMut, text: &[u8]) -> Result<u16, EncodeErrorKind> {
    match row.class {
        Class::Alphanumeric | Class::Text => {}
        Class::Signed => return signed_text(row, out, text),
        _ => return Err(EncodeErrorKind::WrongClass),
    }
    if !matches!(row.encoding, Encoding::Ebcdic(_)) {
        return raw(row, out, text);
    }
    put_characters(row, out, Text::new(text, None))
}

/// Characters of another value.
pub(crate) fn put_characters(
    row: &Field,
    out: &mut BytesMut,
    text: Text<'_>,
) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, text.len())?;
    put_prefix(row, out, text.len());
    let at = out.len();
    match row.encoding {
        Encoding::Ebcdic(page) => out.extend(text.iter().map(|character| page.encode(character))),
        _ => out.extend(text.iter()),
    }
    checked(row, length, &out[at..])
}

/// A sign and digits, written as text.
fn signed_text(row: &Field, out: &mut BytesMut, text: &[u8]) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, text.len())?;
    let content = |index, rule| Err(EncodeErrorKind::Content { index, rule });
    let debit = match text.first() {
        Some(b'C') => false,
        Some(b'D') => true,
        _ => return content(0, DecodeErrorKind::BadSign),
    };
    let digits = &text[1..];
    if let Some(index) = digits.iter().position(|digit| !digit.is_ascii_digit()) {
        return content(index + 1, DecodeErrorKind::BadDigit);
    }
    let at = out.len() + 1;
    out.put_u8(signed::sign(row, debit));
    out.put_bytes(0, row.bytes_for(length) - 1);
    fill_digits(row, length - 1, &mut out[at..], digits.iter().map(|digit| digit - b'0'));
    Ok(length)
}

/// Bytes of a `b` or `tlv` value, written as they are or in hex.
pub(crate) fn bytes(row: &Field, out: &mut BytesMut, octets: &[u8]) -> Result<u16, EncodeErrorKind> {
    match row.class {
        Class::Binary if row.is_hex() => put_octets(row, out, octets.iter().copied()),
        Class::Binary | Class::Tlv => raw(row, out, octets),
        _ => Err(EncodeErrorKind::WrongClass),
    }
}

/// A value as it is on the wire, of any class whose unit is a byte.
pub(crate) fn raw(row: &Field, out: &mut BytesMut, value: &[u8]) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, value.len())?;
    put_prefix(row, out, value.len());
    out.put_slice(value);
    checked(row, length, value)
}

fn checked(row: &Field, length: u16, value: &[u8]) -> Result<u16, EncodeErrorKind> {
    match content::check(row, length, value) {
        Ok(()) => Ok(length),
        Err(fault) => Err(EncodeErrorKind::Content { index: fault.at, rule: fault.kind }),
    }
}

/// Writes bytes as the table says, as they are or in hex.
pub(crate) fn put_octets(
    row: &Field,
    out: &mut BytesMut,
    octets: impl ExactSizeIterator<Item = u8>,
) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, octets.len())?;
    let room = room(row, out, length);
    if row.is_hex() {
        let pairs = room.chunks_exact_mut(2).zip(octets);
        pairs.for_each(|(pair, octet)| pair.copy_from_slice(&hex::pair_in(row.encoding, octet)));
    } else {
        room.iter_mut().zip(octets).for_each(|(to, octet)| *to = octet);
    }
    Ok(length)
}

/// Writes `count` digits, given as nibbles. Where they are packed and their
/// count is odd, the row's pad nibble goes beside them.
pub(crate) fn put_digits(
    row: &Field,
    out: &mut BytesMut,
    count: usize,
    nibbles: impl Iterator<Item = u8>,
) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, count)?;
    let room = room(row, out, length);
    fill_digits(row, length, room, nibbles);
    Ok(length)
}

/// Fills a room of zeros with digits.
fn fill_digits(row: &Field, count: u16, room: &mut [u8], nibbles: impl Iterator<Item = u8>) {
    match row.encoding {
        Encoding::Packed => {
            let first = usize::from(row.pads_first(count));
            for (index, nibble) in (first..).zip(nibbles) {
                room[index / 2] |= if index.is_multiple_of(2) { nibble << 4 } else { nibble };
            }
            if row.pad != 0 && !count.is_multiple_of(2) {
                let (at, pad) = if first == 1 { (0, row.pad << 4) } else { (room.len() - 1, row.pad) };
                room[at] |= pad;
            }
        }
        // One form goes out: the separator is `=`, whichever was given.
        Encoding::Ascii | Encoding::Binary => room.iter_mut().zip(nibbles).for_each(|(to, nibble)| {
            *to = if nibble > 9 { b'=' } else { b'0' + nibble };
        }),
        Encoding::Ebcdic(_) => room.iter_mut().zip(nibbles).for_each(|(to, nibble)| {
            *to = if nibble > 9 { 0x7E } else { 0xF0 + nibble };
        }),
    }
}

/// Writes the prefix, and makes room for a value at the end of the buffer, all zero.
#[inline]
fn room<'o>(row: &Field, out: &'o mut BytesMut, length: u16) -> &'o mut [u8] {
    let bytes = row.bytes_for(length);
    put_prefix(row, out, if row.counts_bytes { bytes } else { length.into() });
    let at = out.len();
    out.put_bytes(0, bytes);
    &mut out[at..]
}

/// The length as the table counts it, if the table allows it.
#[inline]
pub(crate) fn measure(row: &Field, given: usize) -> Result<u16, EncodeErrorKind> {
    let length = u16::try_from(given).ok().filter(|&length| match row.length {
        Length::Fixed(needs) => length == needs,
        Length::Variable { max, .. } => length <= max,
    });
    let Some(length) = length else {
        return Err(match row.length {
            Length::Fixed(needs) => EncodeErrorKind::WrongLength { needs, given },
            Length::Variable { max, .. } => EncodeErrorKind::TooLong { max, given },
        });
    };
    if row.counts_bytes && row.unit == Unit::Nibble && row.pad <= 9 && !length.is_multiple_of(2) {
        return Err(EncodeErrorKind::OddDigits);
    }
    Ok(length)
}

/// The length, in the row's units, of a value of which the bytes are there, if the table allows it.
pub(crate) fn measure_bytes(row: &Field, given: usize) -> Result<u16, EncodeErrorKind> {
    match row.unit {
        Unit::Byte => measure(row, given),
        Unit::Nibble | Unit::Pair | Unit::SignAndNibbles => Err(EncodeErrorKind::WrongClass),
    }
}

/// Writes a length prefix; `counted` is what the row says that it counts.
#[inline]
pub(crate) fn put_prefix(row: &Field, out: &mut BytesMut, counted: usize) {
    let Length::Variable { prefix, .. } = row.length else { return };
    let counted = row.said(counted);
    match (row.prefix_encoding, prefix) {
        // Most prefixes are one of these; the rest take the long way.
        (_, Prefix::None) => {}
        (PrefixEncoding::Bcd, Prefix::Ll) => out.put_u8(packed(counted)),
        (PrefixEncoding::Bcd, Prefix::Lll) => {
            out.put_slice(&[packed(counted / 100), packed(counted % 100)]);
        }
        (encoding, _) => {
            let at = out.len();
            out.put_bytes(0, row.prefix_bytes());
            put_number(encoding, counted, &mut out[at..]);
        }
    }
}

/// Writes a number into a room of its own, with leading zeros. What does not fit is cut off: callers have checked.
pub(crate) fn put_number(encoding: PrefixEncoding, mut number: usize, room: &mut [u8]) {
    let base = match encoding {
        PrefixEncoding::Ascii | PrefixEncoding::Ebcdic => 10,
        PrefixEncoding::Bcd => 100,
        PrefixEncoding::Binary => 256,
        PrefixEncoding::Hex | PrefixEncoding::HexEbcdic => 16,
    };
    for slot in room.iter_mut().rev() {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of at most 255")]
        let digit = (number % base) as u8;
        *slot = match encoding {
            PrefixEncoding::Ascii => b'0' + digit,
            PrefixEncoding::Ebcdic => 0xF0 + digit,
            PrefixEncoding::Bcd => packed(digit.into()),
            PrefixEncoding::Binary => digit,
            PrefixEncoding::Hex => hex::pair(digit)[1],
            PrefixEncoding::HexEbcdic => charset::from_ascii(hex::pair(digit)[1]),
        };
        number /= base;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "two decimal digits, at most 0x99")]
fn packed(two_digits: usize) -> u8 {
    (((two_digits / 10) << 4) | (two_digits % 10)) as u8
}

/// The nibble of an ASCII digit or of a track separator, written `=` or `D`.
pub(crate) fn ascii_nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'=' | b'D' => Some(0x0D),
        _ => None,
    }
}
