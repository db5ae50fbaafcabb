//! A borrowed view of digits, packed or in ASCII.
//!
//! Start at [`Digits`]. It reads them in place; nothing is unpacked until
//! [`Digits::copy_ascii`] is given room for it.

use std::fmt;
use std::ops::Range;

use crate::field::Encoding;

/// The digits of an `n` or `z` value, without its pad nibble.
///
/// `Debug` prints their count only: they may be a card number.
#[derive(Clone, Copy)]
pub struct Digits<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    /// Index of the first digit in `bytes`, counted in nibbles if packed.
    first: usize,
    /// Count of digits; all of them lie in `bytes`.
    len: usize,
}

impl<'a> Digits<'a> {
    /// The view of `len` nibbles from nibble `first` on. The caller has
    /// measured `bytes`: they hold that many.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], first: usize, len: usize) -> Digits<'a> {
        debug_assert!(first + len <= 2 * bytes.len());
        Digits { bytes, encoding: Encoding::Packed, first, len }
    }

    /// The view of ASCII characters, each of which is a digit or a separator.
    #[inline]
    pub(crate) fn ascii(bytes: &'a [u8]) -> Digits<'a> {
        Digits::characters(bytes, Encoding::Ascii)
    }

    /// The view of characters, each of which is a digit or a separator.
    #[inline]
    pub(crate) fn characters(bytes: &'a [u8], encoding: Encoding) -> Digits<'a> {
        Digits { bytes, encoding, first: 0, len: bytes.len() }
    }

    /// Count of digits, separators included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, as in a variable field of length 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digits in order, each 0 to 9; a track separator is `b'='`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u8> + Clone + use<'a> {
        let digits = *self;
        (0..digits.len).map(move |index| unpack(digits.nibble(index)))
    }

    /// The digit or separator at an index.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<u8> {
        (index < self.len).then(|| unpack(self.nibble(index)))
    }

    /// A part of them, such as a subfield; `None` if it is not all there.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Digits<'a>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        Some(Digits { first: self.first + range.start, len: range.len(), ..*self })
    }

    /// The digits as a number; `None` if there are none, if a separator is
    /// among them, or if the number exceeds 64 bits.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        self.iter().try_fold(0u64, |number, digit| {
            if digit > 9 {
                return None;
            }
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }

    /// Whether the last digit is the Luhn check digit of those before it
    /// (ISO/IEC 7812-1, annex B); not if there are none, or a separator is
    /// among them.
    #[must_use]
    pub fn pass_luhn(&self) -> bool {
        let digits = (0..self.len).rev().map(|index| u32::from(self.nibble(index)));
        let sum = digits.enumerate().try_fold(0, |sum, (place, digit)| {
            let doubled = if place % 2 == 1 { digit / 5 + 2 * digit % 10 } else { digit };
            (digit <= 9).then_some(sum + doubled)
        });
        !self.is_empty() && sum.is_some_and(|sum: u32| sum.is_multiple_of(10))
    }

    /// Writes them as ASCII (`0`–`9`, separators as `=`) to the front of `out`
    /// and returns that part; `None`, and nothing written, if it is too small.
    pub fn copy_ascii<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let out = out.get_mut(..self.len)?;
        for (to, digit) in out.iter_mut().zip(self.iter()) {
            *to = if digit == b'=' { digit } else { b'0' + digit };
        }
        Some(out)
    }

    /// The digit at an index as it is packed, separators as 0D.
    #[inline]
    pub(crate) fn nibble(&self, index: usize) -> u8 {
        let index = self.first + index;
        match self.encoding {
            Encoding::Packed => nibble(self.bytes, index),
            Encoding::Ascii => ascii_nibble(self.bytes[index]),
            Encoding::Ebcdic(_) | Encoding::Binary => ebcdic_nibble(self.bytes[index]),
        }
    }

    /// The byte, counted from the first of the value, that holds this packed
    /// digit.
    pub(crate) fn byte_of(&self, index: usize) -> usize {
        (self.first + index) / 2
    }
}

impl fmt::Debug for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits(…{})", self.len)
    }
}

#[inline]
fn nibble(bytes: &[u8], index: usize) -> u8 {
    let byte = bytes[index / 2];
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F }
}

/// A digit is 30 to 39 and `=` is 3D, so only the separator `D` is special.
#[inline]
fn ascii_nibble(character: u8) -> u8 {
    if character == b'D' { 0x0D } else { character & 0x0F }
}

/// A digit is F0 to F9; the separators are `=`, 7E, and `D`, C4.
#[inline]
fn ebcdic_nibble(character: u8) -> u8 {
    if character >= 0xF0 { character & 0x0F } else { 0x0D }
}

#[inline]
fn unpack(nibble: u8) -> u8 {
    if nibble == 0x0D { b'=' } else { nibble }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::CodePage;

    #[test]
    fn numbers_come_from_either_alignment() {
        for (name, digits, want) in [
            ("left-aligned 021", Digits::new(&[0x02, 0x10], 0, 3), Some(21)),
            ("right-aligned 001", Digits::new(&[0x00, 0x01], 1, 3), Some(1)),
            ("none", Digits::new(&[], 0, 0), None),
            ("a separator", Digits::new(&[0x1D], 0, 2), None),
            (
                "the largest",
                Digits::new(&[0x18, 0x44, 0x67, 0x44, 0x07, 0x37, 0x09, 0x55, 0x16, 0x15], 0, 20),
                Some(u64::MAX),
            ),
            (
                "one more",
                Digits::new(&[0x18, 0x44, 0x67, 0x44, 0x07, 0x37, 0x09, 0x55, 0x16, 0x16], 0, 20),
                None,
            ),
        ] {
            assert_eq!(digits.to_u64(), want, "{name}");
        }
    }

    #[test]
    fn ascii_needs_room_for_all_of_it() {
        let track = Digits::new(&[0x12, 0x3D, 0x45, 0x60], 0, 7);
        let mut room = [0; 8];
        assert_eq!(track.copy_ascii(&mut room), Some(b"123=456".as_slice()));
        assert_eq!(track.copy_ascii(&mut room[..6]), None);
        assert_eq!((track.at(3), track.at(6), track.at(7)), (Some(b'='), Some(6), None));
    }

    #[test]
    fn characters_read_like_packed_digits() {
        let (packed, characters) = (Digits::new(&[0x12, 0x3D, 0x09], 0, 6), Digits::ascii(b"123=09"));
        let ebcdic = Digits::characters(b"\xF1\xF2\xF3\x7E\xF0\xF9", Encoding::Ebcdic(CodePage::Cp500));
        for digits in [packed, characters, Digits::ascii(b"123D09"), ebcdic] {
            assert_eq!(digits.iter().collect::<Vec<_>>(), [1, 2, 3, b'=', 0, 9]);
            assert_eq!((digits.len(), digits.at(3), digits.at(6)), (6, Some(b'='), None));
            assert_eq!(digits.slice(1..3).and_then(|part| part.to_u64()), Some(23));
            assert_eq!(digits.slice(4..6).and_then(|part| part.to_u64()), Some(9));
            let mut room = [0; 6];
            assert_eq!(digits.copy_ascii(&mut room), Some(&b"123=09"[..]));
        }
        assert_eq!((characters.to_u64(), Digits::ascii(b"").to_u64()), (None, None));
    }

    #[test]
    fn a_slice_stays_inside() {
        let digits = Digits::new(&[0x01, 0x23, 0x45], 1, 5);
        assert_eq!(digits.slice(1..4).and_then(|part| part.to_u64()), Some(234));
        assert!(digits.slice(5..5).is_some_and(|part| part.is_empty()));
        assert!(digits.slice(4..6).is_none());
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's slip must not panic")]
        let reversed = digits.slice(3..2);
        assert!(reversed.is_none());
    }

    #[test]
    fn debug_tells_the_count_only() {
        assert_eq!(format!("{:?}", Digits::new(&[0x41, 0x11], 0, 4)), "Digits(…4)");
    }
}
