//! The floors: the least that reading and writing this one message can cost, by hand, for no other message.
//!
//! [`scan_ascii`] and [`scan_packed`] know every field's length and class, walk the bitmap, add up the offsets, look at
//! each byte that has a rule (digits, track digits, letters and digits, hex; `ans` and bytes have none) and store where
//! each value stands. [`copy`] copies values that are already formatted, each behind its length, and sets the bitmap.
//! Neither says what is wrong where.

use bytes::{BufMut, BytesMut};

/// Where each value begins, and its bytes, by field number.
pub(crate) type Places = [(u16, u16); 65];

/// A message of characters; the fields there are.
#[inline(never)]
pub(crate) fn scan_ascii(bytes: &[u8], places: &mut Places) -> Option<u64> {
    digits(bytes.get(..4)?)?;
    let bitmap = bytes.get(4..20)?.iter().try_fold(0u64, |bitmap, &character| {
        let nibble = match character {
            b'0'..=b'9' => character - b'0',
            b'A'..=b'F' => character - b'A' + 10,
            _ => return None,
        };
        Some(bitmap << 4 | u64::from(nibble))
    })?;
    let mut at = 20;
    let mut left = bitmap;
    while left != 0 {
        let number = left.leading_zeros() + 1;
        left &= !(1 << (64 - number));
        let (start, end) = match number {
            3 | 11 | 12 => fixed(bytes, at, 6, digits)?,
            4 => fixed(bytes, at, 12, digits)?,
            7 => fixed(bytes, at, 10, digits)?,
            13 | 14 | 18 => fixed(bytes, at, 4, digits)?,
            22 => fixed(bytes, at, 3, digits)?,
            25 | 26 => fixed(bytes, at, 2, digits)?,
            2 => behind(bytes, at, 2, 19, digits)?,
            32 => behind(bytes, at, 2, 11, digits)?,
            35 => behind(bytes, at, 2, 37, track)?,
            37 => fixed(bytes, at, 12, letters)?,
            41 => fixed(bytes, at, 8, anything)?,
            42 => fixed(bytes, at, 15, anything)?,
            49 => fixed(bytes, at, 3, letters)?,
            52 => fixed(bytes, at, 16, hex)?,
            55 => behind(bytes, at, 3, 999, anything)?,
            _ => return None,
        };
        store(places, number, start, end);
        at = end;
    }
    (at == bytes.len()).then_some(bitmap)
}

/// A message of packed digits; the fields there are.
#[inline(never)]
pub(crate) fn scan_packed(bytes: &[u8], places: &mut Places) -> Option<u64> {
    nibbles(bytes.get(..2)?)?;
    let bitmap = u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let mut at = 10;
    let mut left = bitmap;
    while left != 0 {
        let number = left.leading_zeros() + 1;
        left &= !(1 << (64 - number));
        let (start, end) = match number {
            3 | 11 | 12 => fixed(bytes, at, 3, nibbles)?,
            4 => fixed(bytes, at, 6, nibbles)?,
            7 => fixed(bytes, at, 5, nibbles)?,
            13 | 14 | 18 | 22 => fixed(bytes, at, 2, nibbles)?,
            25 | 26 => fixed(bytes, at, 1, nibbles)?,
            2 => behind_packed(bytes, at, 1, 19, true, nibbles)?,
            32 => behind_packed(bytes, at, 1, 11, true, nibbles)?,
            35 => behind_packed(bytes, at, 1, 37, true, track_nibbles)?,
            37 => fixed(bytes, at, 12, letters)?,
            41 | 52 => fixed(bytes, at, 8, anything)?,
            42 => fixed(bytes, at, 15, anything)?,
            49 => fixed(bytes, at, 3, letters)?,
            55 => behind_packed(bytes, at, 2, 999, false, anything)?,
            _ => return None,
        };
        store(places, number, start, end);
        at = end;
    }
    (at == bytes.len()).then_some(bitmap)
}

#[expect(clippy::cast_possible_truncation, reason = "the message is far shorter")]
fn store(places: &mut Places, number: u32, start: usize, end: usize) {
    places[number as usize] = (start as u16, (end - start) as u16);
}

type Place = Option<(usize, usize)>;

#[inline(always)]
fn fixed(bytes: &[u8], at: usize, length: usize, check: impl Fn(&[u8]) -> Option<()>) -> Place {
    check(bytes.get(at..at + length)?)?;
    Some((at, at + length))
}

/// A value of characters behind its length.
#[inline(always)]
fn behind(bytes: &[u8], at: usize, prefix: usize, max: usize, check: impl Fn(&[u8]) -> Option<()>) -> Place {
    let start = at + prefix;
    let length = bytes.get(at..start)?.iter().try_fold(0, |length, character| {
        let digit = character.wrapping_sub(b'0');
        (digit <= 9).then(|| 10 * length + usize::from(digit))
    })?;
    if length > max {
        return None;
    }
    fixed(bytes, start, length, check)
}

/// A value behind its packed length, which counts digits or bytes.
#[inline(always)]
fn behind_packed(
    bytes: &[u8],
    at: usize,
    prefix: usize,
    max: usize,
    counts_digits: bool,
    check: impl Fn(&[u8]) -> Option<()>,
) -> Place {
    let start = at + prefix;
    let length = bytes.get(at..start)?.iter().try_fold(0, |length, byte| {
        let (high, low) = (byte >> 4, byte & 0x0F);
        (high <= 9 && low <= 9).then(|| 100 * length + 10 * usize::from(high) + usize::from(low))
    })?;
    if length > max {
        return None;
    }
    fixed(bytes, start, if counts_digits { length.div_ceil(2) } else { length }, check)
}

/// Looks at every byte, without stopping at a bad one, so that the compiler may look at many at a time.
#[inline(always)]
fn all(bytes: &[u8], good: impl Fn(u8) -> bool) -> Option<()> {
    bytes.iter().fold(true, |all, &byte| all & good(byte)).then_some(())
}

#[inline(always)]
fn digits(bytes: &[u8]) -> Option<()> {
    all(bytes, |byte| byte.is_ascii_digit())
}

#[inline(always)]
fn track(bytes: &[u8]) -> Option<()> {
    all(bytes, |byte| byte.is_ascii_digit() || byte == b'=' || byte == b'D')
}

#[inline(always)]
fn letters(bytes: &[u8]) -> Option<()> {
    all(bytes, |byte| byte.is_ascii_alphanumeric() || byte == b' ')
}

#[inline(always)]
fn hex(bytes: &[u8]) -> Option<()> {
    all(bytes, |byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
}

#[inline(always)]
fn nibbles(bytes: &[u8]) -> Option<()> {
    all(bytes, |byte| byte >> 4 <= 9 && byte & 0x0F <= 9)
}

/// The last nibble of an odd count is a pad, which in this message is 0.
#[inline(always)]
fn track_nibbles(bytes: &[u8]) -> Option<()> {
    let good = |nibble: u8| nibble <= 9 || nibble == 0x0D;
    all(bytes, |byte| good(byte >> 4) && good(byte & 0x0F))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for all checks")]
fn anything(_: &[u8]) -> Option<()> {
    Some(())
}

/// A value that is already formatted.
pub(crate) struct Formatted {
    pub(crate) number: u8,
    /// Its length as its prefix writes it; empty without one.
    pub(crate) prefix: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Writes a message of values to the end of a buffer, its bitmap in hex or as it is.
#[inline(never)]
pub(crate) fn copy(mti: &[u8], values: &[Formatted], hex: bool, out: &mut BytesMut) {
    out.put_slice(mti);
    let bitmap_at = out.len();
    out.put_bytes(0, if hex { 16 } else { 8 });
    let mut bitmap = 0u64;
    for Formatted { number, prefix, value } in values {
        bitmap |= 1 << (64 - number);
        if !prefix.is_empty() {
            out.put_slice(prefix);
        }
        out.put_slice(value);
    }
    let room = &mut out[bitmap_at..];
    if !hex {
        room[..8].copy_from_slice(&bitmap.to_be_bytes());
        return;
    }
    for (pair, byte) in room.chunks_exact_mut(2).zip(bitmap.to_be_bytes()) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0F)]]);
    }
}
