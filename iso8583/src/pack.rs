//! One value into bytes, by its row of the table.
//!
//! Every function writes the value behind its length prefix, if it has one, and
//! returns its length in the units of the row; or writes nothing that the caller
//! could not cut off again, and says which rule the value broke. Which value may
//! follow which is the business of `build` and `build_parts`; the tests of these
//! functions are there too, through [`crate::Builder`].

use crate::charset::{self, Text};
use crate::content;
use crate::error::{DecodeErrorKind, EncodeErrorKind};
use crate::field::{Align, Class, DigitForm, Encoding, Field, Length, Unit};
use crate::hex;
use crate::out::Out;
use crate::signed::{self, Signed};
use crate::spec_file::PrefixEncoding;
use crate::swar;

/// Digits of an `n` or `z` value, given as ASCII.
pub(crate) fn digits(row: &Field, out: &mut Out<'_>, ascii: &[u8]) -> Result<u16, EncodeErrorKind> {
    let Some(length) = fits(row, ascii.len()) else { return Err(digit_misfit(row, ascii)) };
    put_prefix_of(row, out, length);
    let good = match row.digit_form {
        DigitForm::Packed => match *ascii {
            // Many are as short as this.
            [a, b] => put_pair(out, a, b),
            [a, b, c, d] => put_pair(out, a, b) && put_pair(out, c, d),
            _ => put_packed(row, out, ascii, swar::digits),
        },
        DigitForm::PackedTrack => put_packed(row, out, ascii, swar::track_digits),
        DigitForm::Ascii => put_ascii(row, out, ascii),
        DigitForm::Ebcdic => put_ebcdic(row, out, ascii),
        DigitForm::None => false,
    };
    if good { Ok(length) } else { Err(digit_misfit(row, ascii)) }
}

/// Why digits do not go into a value.
#[cold]
#[inline(never)]
fn digit_misfit(row: &Field, ascii: &[u8]) -> EncodeErrorKind {
    let good = |&byte: &u8| match row.class {
        Class::Track => ascii_nibble(byte).is_some(),
        _ => byte.is_ascii_digit(),
    };
    match ascii.iter().position(|byte| !good(byte)) {
        _ if row.digit_form == DigitForm::None => EncodeErrorKind::WrongClass,
        Some(index) => EncodeErrorKind::Content { index, rule: content::digit_rule(row.class) },
        None => misfit(row, ascii.len()),
    }
}

/// Writes digits as ASCII characters, separators as `=`; whether all of them were some.
#[inline(always)]
fn put_ascii(row: &Field, out: &mut Out<'_>, ascii: &[u8]) -> bool {
    if matches!(ascii.len(), 1..8) && row.class == Class::Numeric {
        let characters = eight(ascii);
        out.put_first(ascii.len(), characters.to_be_bytes());
        return swar::digits(characters).1 == 0;
    }
    let room = out.room(ascii.len());
    room.copy_from_slice(ascii);
    if row.class == Class::Track {
        room.iter_mut().for_each(|character| *character = if *character == b'D' { b'=' } else { *character });
    }
    content::is_made_of(ascii, row.allowed)
}

/// Writes digits two to a byte; whether all of them were some. `read` tells the nibbles of eight characters, and
/// something other than 0 if one is no digit.
#[inline(always)]
fn put_packed(row: &Field, out: &mut Out<'_>, ascii: &[u8], read: impl Fn(u64) -> (u64, u64)) -> bool {
    if ascii.len() < 8 { put_short(row, out, ascii, read) } else { put_long(row, out, ascii, read) }
}

/// Packs two digits; whether they are some.
#[inline(always)]
fn put_pair(out: &mut Out<'_>, first: u8, second: u8) -> bool {
    let [first, second] = [first, second].map(|character| character ^ b'0');
    out.put_first(1, [first << 4 | second]);
    first <= 9 && second <= 9
}

/// Packs any count of digits.
#[inline(never)]
fn put_long(row: &Field, out: &mut Out<'_>, ascii: &[u8], read: impl Fn(u64) -> (u64, u64)) -> bool {
    // An odd digit stands, with its pad, where there are fewer than eight: on the side that is not aligned.
    let (first, eights, last) = match (row.align, ascii.as_chunks(), ascii.as_rchunks()) {
        (Align::Left, (eights, last), _) => (&ascii[..0], eights, last),
        (Align::Right, _, (first, eights)) => (first, eights, &ascii[..0]),
    };
    let mut good = put_short(row, out, first, &read);
    for (to, eight) in out.room(4 * eights.len()).as_chunks_mut().0.iter_mut().zip(eights) {
        let (nibbles, wrong) = read(u64::from_be_bytes(*eight));
        good &= wrong == 0;
        *to = swar::squeeze(nibbles).to_be_bytes();
    }
    good & put_short(row, out, last, &read)
}

/// Packs fewer than eight digits.
#[inline(always)]
fn put_short(row: &Field, out: &mut Out<'_>, ascii: &[u8], read: impl Fn(u64) -> (u64, u64)) -> bool {
    let count = ascii.len();
    if count == 0 {
        return true;
    }
    let (nibbles, wrong) = read(eight(ascii));
    let (mut nibbles, pad) = (swar::squeeze(nibbles), u32::from(row.pad) << 28);
    if !count.is_multiple_of(2) {
        nibbles = match row.align {
            Align::Left => nibbles | pad >> (4 * count),
            Align::Right => nibbles >> 4 | pad,
        };
    }
    out.put_first(count.div_ceil(2), nibbles.to_be_bytes());
    wrong == 0
}

/// One to seven characters, and zeros to make them eight.
#[inline(always)]
fn eight(characters: &[u8]) -> u64 {
    swar::left(characters) | u64::from_be_bytes([b'0'; 8]) >> (8 * characters.len())
}

fn put_ebcdic(row: &Field, out: &mut Out<'_>, ascii: &[u8]) -> bool {
    let room = out.room(ascii.len());
    let pairs = ascii.iter().zip(room.iter_mut());
    pairs.for_each(|(&byte, to)| *to = ascii_nibble(byte).map_or(0, ebcdic_digit));
    content::is_made_of(room, row.allowed)
}

/// The character of the digit 0.
#[inline]
fn zero(row: &Field) -> u8 {
    if matches!(row.encoding, Encoding::Ebcdic(_)) { 0xF0 } else { b'0' }
}

/// A digit or separator in EBCDIC.
fn ebcdic_digit(nibble: u8) -> u8 {
    if nibble > 9 { 0x7E } else { 0xF0 + nibble }
}

/// A number with leading zeros into a fixed `n` value.
pub(crate) fn number(row: &Field, out: &mut Out<'_>, value: u64) -> Result<u16, EncodeErrorKind> {
    let (Class::Numeric, Length::Fixed(length)) = (row.class, row.length) else {
        return Err(EncodeErrorKind::WrongClass);
    };
    let fits = match (row.digit_form, POWERS.get(usize::from(length))) {
        (DigitForm::None, _) => return binary(out, length, value),
        (_, Some(power)) if value >= *power => false,
        (DigitForm::Packed, Some(_)) => {
            put_packed_number(row, out, length, value);
            true
        }
        (_, Some(_)) => {
            put_number_of_characters(zero(row), out, length, value);
            true
        }
        (_, None) => fill_number(row, length, out.room(row.bytes_for(length)), value),
    };
    if fits { Ok(length) } else { Err(EncodeErrorKind::NumberTooLarge { digits: length }) }
}

/// Powers of ten: a number of so many digits is below this one.
const POWERS: [u64; 17] = {
    let mut powers = [1; 17];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = 10 * powers[index - 1];
        index += 1;
    }
    powers
};

/// Writes a number of `count` digits, at most sixteen.
#[inline(always)]
fn put_number_of_characters(zero: u8, out: &mut Out<'_>, count: u16, value: u64) {
    let count = usize::from(count);
    let zeros = u64::from_be_bytes([zero; 8]);
    // The digits that count are the last ones.
    if let (0..=8, Ok(value)) = (count, u32::try_from(value)) {
        let digits = swar::eight_digits(value) | zeros;
        return out.put_first(count, (digits << (64 - 8 * count)).to_be_bytes());
    }
    let (high, low) = halves(value);
    let (high, low) = (swar::eight_digits(high) | zeros, swar::eight_digits(low) | zeros);
    out.put_first(count - 8, (high << (128 - 8 * count)).to_be_bytes());
    out.put_first(8, low.to_be_bytes());
}

/// The same two to a byte.
#[inline(always)]
fn put_packed_number(row: &Field, out: &mut Out<'_>, count: u16, value: u64) {
    let mut nibbles = match (count, u32::try_from(value)) {
        (0..=8, Ok(value)) => swar::eight_packed(value).into(),
        _ => {
            let (high, low) = halves(value);
            u64::from(swar::eight_packed(high)) << 32 | u64::from(swar::eight_packed(low))
        }
    };
    if !count.is_multiple_of(2) {
        nibbles = match row.align {
            Align::Left => nibbles << 4 | u64::from(row.pad),
            Align::Right => nibbles | u64::from(row.pad) << (4 * count),
        };
    }
    let bytes = usize::from(count.div_ceil(2));
    out.put_first(bytes, (nibbles << (64 - 8 * bytes)).to_be_bytes());
}

/// The upper and the lower eight digits of a number of sixteen.
#[inline(always)]
fn halves(value: u64) -> (u32, u32) {
    const EIGHT_DIGITS: u64 = 100_000_000;
    #[expect(clippy::cast_possible_truncation, reason = "both are below 10^8")]
    let halves = ((value / EIGHT_DIGITS) as u32, (value % EIGHT_DIGITS) as u32);
    halves
}

/// A big-endian number of 1 to 8 bytes.
fn binary(out: &mut Out<'_>, length: u16, value: u64) -> Result<u16, EncodeErrorKind> {
    let bytes = value.to_be_bytes();
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(length.into()));
    if high.iter().any(|&byte| byte != 0) {
        return Err(EncodeErrorKind::NumberOverBytes { bytes: length });
    }
    out.put_slice(low);
    Ok(length)
}

/// A sign and a number with leading zeros into an `xn` value.
pub(crate) fn signed(row: &Field, out: &mut Out<'_>, value: Signed) -> Result<u16, EncodeErrorKind> {
    let (Class::Signed, Length::Fixed(length)) = (row.class, row.length) else {
        return Err(EncodeErrorKind::WrongClass);
    };
    let digits = length - 1;
    out.put_slice(&[signed::sign(row, value.debit)]);
    match fill_number(row, digits, out.room(row.bytes_for(length) - 1), value.amount) {
        true => Ok(length),
        false => Err(EncodeErrorKind::NumberTooLarge { digits }),
    }
}

/// Fills a room with a number of so many digits, from the last on; false if it has more.
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
        bytes.iter_mut().rev().for_each(|to| *to = packed(tens(&mut value, 100).into()));
        if odd && row.align == Align::Right {
            let first = &mut room[0];
            let digit_only = *first <= 0x0F;
            *first |= row.pad << 4;
            return value == 0 && digit_only;
        }
    } else {
        let zero = zero(row);
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
pub(crate) fn text(row: &Field, out: &mut Out<'_>, text: &[u8]) -> Result<u16, EncodeErrorKind> {
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
pub(crate) fn put_characters(row: &Field, out: &mut Out<'_>, text: Text<'_>) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, text.len())?;
    put_prefix_of(row, out, length);
    let room = out.room(text.len());
    let written = room.iter_mut().zip(text.iter());
    match row.encoding {
        Encoding::Ebcdic(page) => written.for_each(|(to, character)| *to = page.encode(character)),
        _ => written.for_each(|(to, character)| *to = character),
    }
    checked(row, length, room)
}

/// A sign and digits, written as text.
fn signed_text(row: &Field, out: &mut Out<'_>, text: &[u8]) -> Result<u16, EncodeErrorKind> {
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
    out.put_slice(&[signed::sign(row, debit)]);
    let room = out.room(row.bytes_for(length) - 1);
    fill_digits(row, length - 1, room, digits.iter().map(|digit| digit - b'0'));
    Ok(length)
}

/// Bytes of a `b` or `tlv` value, written as they are or in hex.
pub(crate) fn bytes(row: &Field, out: &mut Out<'_>, octets: &[u8]) -> Result<u16, EncodeErrorKind> {
    match row.class {
        Class::Binary if row.is_hex() => {
            let length = measure(row, octets.len())?;
            hex::fill(row.encoding, octets, room(row, out, length));
            Ok(length)
        }
        Class::Binary | Class::Tlv => raw(row, out, octets),
        _ => Err(EncodeErrorKind::WrongClass),
    }
}

/// A value as it is on the wire, of any class whose unit is a byte.
#[inline(always)]
pub(crate) fn raw(row: &Field, out: &mut Out<'_>, value: &[u8]) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, value.len())?;
    put_prefix_of(row, out, length);
    out.put_slice(value);
    checked(row, length, value)
}

#[inline(always)]
fn checked(row: &Field, length: u16, value: &[u8]) -> Result<u16, EncodeErrorKind> {
    match content::check(row, length, value) {
        Ok(()) => Ok(length),
        Err(fault) => Err(EncodeErrorKind::Content { index: fault.at, rule: fault.kind }),
    }
}

/// Writes bytes as the table says, as they are or in hex.
pub(crate) fn put_octets(
    row: &Field,
    out: &mut Out<'_>,
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
    out: &mut Out<'_>,
    count: usize,
    nibbles: impl Iterator<Item = u8>,
) -> Result<u16, EncodeErrorKind> {
    let length = measure(row, count)?;
    let room = room(row, out, length);
    fill_digits(row, length, room, nibbles);
    Ok(length)
}

/// Fills a room with digits.
fn fill_digits(row: &Field, count: u16, room: &mut [u8], nibbles: impl Iterator<Item = u8>) {
    match row.encoding {
        Encoding::Packed => {
            room.fill(0);
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
            *to = ebcdic_digit(nibble);
        }),
    }
}

/// Writes the prefix, and makes room for a value.
#[inline]
fn room<'o>(row: &Field, out: &'o mut Out<'_>, length: u16) -> &'o mut [u8] {
    let bytes = row.bytes_for(length);
    put_prefix_of(row, out, length);
    out.room(bytes)
}

/// The length as the table counts it, if the table allows it.
#[inline]
pub(crate) fn measure(row: &Field, given: usize) -> Result<u16, EncodeErrorKind> {
    fits(row, given).ok_or_else(|| misfit(row, given))
}

#[inline]
fn fits(row: &Field, given: usize) -> Option<u16> {
    if given < usize::from(row.least) || given > usize::from(row.most) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most `most`")]
    let length = given as u16;
    if row.is_even && !length.is_multiple_of(2) {
        return None;
    }
    Some(length)
}

/// Why a length does not fit.
#[cold]
#[inline(never)]
fn misfit(row: &Field, given: usize) -> EncodeErrorKind {
    match row.length {
        Length::Fixed(needs) if usize::from(needs) != given => EncodeErrorKind::WrongLength { needs, given },
        Length::Variable { max, .. } if usize::from(max) < given => EncodeErrorKind::TooLong { max, given },
        _ => EncodeErrorKind::OddDigits,
    }
}

/// The length, in the row's units, of a value of which the bytes are there, if the table allows it.
pub(crate) fn measure_bytes(row: &Field, given: usize) -> Result<u16, EncodeErrorKind> {
    match row.unit {
        Unit::Byte => measure(row, given),
        Unit::Nibble | Unit::Pair | Unit::SignAndNibbles => Err(EncodeErrorKind::WrongClass),
    }
}

/// Writes the length prefix of a value, if it has one.
#[inline(always)]
fn put_prefix_of(row: &Field, out: &mut Out<'_>, length: u16) {
    if row.prefix_bytes != 0 {
        put_prefix(row, out, if row.counts_bytes { row.bytes_for(length) } else { length.into() });
    }
}

/// Writes a length prefix; `counted` is what the row says that it counts.
#[inline(never)]
fn put_prefix(row: &Field, out: &mut Out<'_>, counted: usize) {
    let said = row.said(counted);
    // Most prefixes are one of these; the rest take the long way.
    match (row.prefix_encoding, row.prefix_bytes, u32::try_from(said)) {
        (PrefixEncoding::Bcd, 1, Ok(said)) => out.put_first(1, [packed(said)]),
        (PrefixEncoding::Bcd, 2, Ok(said)) => out.put_first(2, [packed(said / 100), packed(said % 100)]),
        (PrefixEncoding::Ascii, 2, Ok(said)) => {
            let digits = packed(said);
            out.put_first(2, [b'0' | digits >> 4, b'0' | digits & 0x0F]);
        }
        (PrefixEncoding::Ascii, 3, Ok(said)) => {
            let (hundreds, digits) = (packed(said / 100), packed(said % 100));
            out.put_first(3, [b'0' | hundreds, b'0' | digits >> 4, b'0' | digits & 0x0F]);
        }
        (encoding, bytes, _) => put_number(encoding, said, out.room(bytes.into())),
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

/// Two decimal digits, for tens sixteens.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "two decimal digits, at most 0x99")]
fn packed(two_digits: u32) -> u8 {
    (two_digits + two_digits / 10 * 6) as u8
}

/// The nibble of an ASCII digit or of a track separator, written `=` or `D`.
pub(crate) fn ascii_nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'=' | b'D' => Some(0x0D),
        _ => None,
    }
}
