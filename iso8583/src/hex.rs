//! Bytes as upper-case hex characters, the one form in which ASCII tables write them.
//!
//! Which characters are hex is checked in `content` and `decode`, so that an
//! error can point at one; the rest of this file relies on it.

use crate::charset;
use crate::field::Encoding;
use crate::swar;

/// Whether a character is one of `0`–`9` and `A`–`F`. Lower case is not: a
/// value with two forms would have two MACs.
pub(crate) const fn is_digit(character: u8) -> bool {
    matches!(character, b'0'..=b'9' | b'A'..=b'F')
}

/// The two characters of a byte.
pub(crate) fn pair(octet: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 0x0F)]]
}

/// Makes characters ASCII that a table may have in EBCDIC; what is wrong stays
/// wrong.
pub(crate) fn to_ascii(encoding: Encoding, characters: &mut [u8]) {
    if let Encoding::Ebcdic(_) = encoding {
        characters.iter_mut().for_each(|character| *character = charset::to_ascii(*character));
    }
}

/// The two characters of a byte as a table writes them.
pub(crate) fn pair_in(encoding: Encoding, octet: u8) -> [u8; 2] {
    match encoding {
        Encoding::Ebcdic(_) => pair(octet).map(charset::from_ascii),
        _ => pair(octet),
    }
}

/// Fills a room, twice as long as some bytes, with their characters.
#[inline]
pub(crate) fn fill(encoding: Encoding, octets: &[u8], room: &mut [u8]) {
    if encoding == Encoding::Ascii
        && let ((fours, []), (eights, [])) = (octets.as_chunks::<4>(), room.as_chunks_mut::<8>())
    {
        return eights.iter_mut().zip(fours).for_each(|(to, four)| *to = swar::to_hex(*four));
    }
    let pairs = room.chunks_exact_mut(2).zip(octets);
    pairs.for_each(|(pair, octet)| pair.copy_from_slice(&pair_in(encoding, *octet)));
}

/// The bytes that checked characters stand for, an odd last one left out.
pub(crate) fn octets(characters: &[u8]) -> impl ExactSizeIterator<Item = u8> {
    characters.chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1]))
}

/// `0` is 30 or F0, `A` is 41 or C1: the low nibble, and 9 more for a letter.
#[inline]
pub(crate) fn value(character: u8) -> u8 {
    (character & 0x0F) + 9 * u8::from(character & 0x30 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_its_characters() {
        for octet in 0..=u8::MAX {
            let characters = pair(octet);
            assert!(characters.iter().all(|&character| is_digit(character)), "{octet:02X}");
            assert_eq!(octets(&characters).collect::<Vec<_>>(), [octet]);
            assert_eq!(characters.to_vec(), format!("{octet:02X}").into_bytes());
        }
        let digits = (0..=u8::MAX).filter(|&character| is_digit(character));
        assert_eq!(digits.collect::<Vec<_>>(), b"0123456789ABCDEF");
    }
}
