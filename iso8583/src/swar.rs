//! Digits eight at a time, in the bytes of one word.
//!
//! Where their order matters, the first stands in the highest byte. No carry leaves a byte anywhere, so each byte is
//! judged by itself.

const HIGH: u64 = each(0x80);
const LOW_NIBBLES: u64 = each(0x0F);

/// A word of nothing but this byte.
const fn each(byte: u8) -> u64 {
    u64::from_be_bytes([byte; 8])
}

/// Whether both nibbles of every byte are digits.
#[inline(always)]
pub(crate) fn are_packed_digits(bytes: &[u8]) -> bool {
    bad_nibbles(bytes, |nibbles| nibbles + each(0x06)) == 0
}

/// Whether both nibbles of every byte are digits or the separator D.
#[inline(always)]
pub(crate) fn are_packed_track(bytes: &[u8]) -> bool {
    let other = |nibbles: u64| (nibbles + each(0x06)) & ((nibbles ^ each(0x0D)) + LOW_NIBBLES);
    bad_nibbles(bytes, other) == 0
}

/// Asks about the nibbles of bytes; an answer with the bit 10 in a byte means a bad one.
#[inline(always)]
fn bad_nibbles(bytes: &[u8], bad: impl Fn(u64) -> u64) -> u64 {
    let both = |word: u64| bad(word & LOW_NIBBLES) | bad(word >> 4 & LOW_NIBBLES);
    let (words, rest) = bytes.as_chunks::<8>();
    let all = words.iter().fold(0, |all, word| all | both(u64::from_be_bytes(*word)));
    (all | both(left(rest))) & each(0x10)
}

/// The nibbles of eight ASCII digits, and a word that is not 0 if one is none.
#[inline(always)]
pub(crate) fn digits(characters: u64) -> (u64, u64) {
    let nibbles = characters ^ each(b'0');
    (nibbles & LOW_NIBBLES, over_nine(nibbles))
}

/// The same of track digits; the separator, written `=` or `D`, is the nibble D.
#[inline(always)]
pub(crate) fn track_digits(characters: u64) -> (u64, u64) {
    let is_letter = !not_zero(characters ^ each(b'D')) & HIGH;
    let equals_sign = characters ^ ((is_letter >> 7) * u64::from(b'D' ^ b'='));
    let nibbles = equals_sign ^ each(b'0');
    (nibbles & LOW_NIBBLES, over_nine(nibbles) & not_zero(nibbles ^ each(0x0D)))
}

/// The high bit of every byte that is above 9.
#[inline(always)]
fn over_nine(word: u64) -> u64 {
    (word | ((word & !HIGH) + each(0x76))) & HIGH
}

/// The high bit of every byte that is not 0.
#[inline(always)]
fn not_zero(word: u64) -> u64 {
    (word | ((word & !HIGH) + each(0x7F))) & HIGH
}

/// The eight digits of a number below 10^8, each in a byte.
#[inline(always)]
pub(crate) fn eight_digits(number: u32) -> u64 {
    let (twos, tens) = twos(number);
    (tens << 8) + twos - 10 * tens
}

/// The same, two to a byte.
#[inline(always)]
pub(crate) fn eight_packed(number: u32) -> u32 {
    let (twos, tens) = twos(number);
    pairs_of(twos + 6 * tens)
}

/// Four numbers of two digits that a number below 10^8 is made of, and the tens of each.
///
/// Halves of four digits and then of two are divided side by side: the factors are reciprocals of 100 and 10, rounded
/// up, that are exact for numbers so small.
#[inline(always)]
fn twos(number: u32) -> (u64, u64) {
    let (high, low) = (u64::from(number / 10_000), u64::from(number % 10_000));
    let fours = high << 32 | low;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = (hundreds << 16) + fours - 100 * hundreds;
    (twos, ((twos * 103) >> 10) & 0x000F_000F_000F_000F)
}

/// At most seven bytes in the upper part of a word; the rest of it is zero.
#[inline(always)]
pub(crate) fn left(bytes: &[u8]) -> u64 {
    let free = 64 - 8 * bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // What both hold is the same, and comes to stand at the same place.
        return u64::from(u32::from_be_bytes(*first)) << 32 | u64::from(u32::from_be_bytes(*last)) << free;
    }
    match *bytes {
        [first, middle, last] => u64::from_be_bytes([first, middle, last, 0, 0, 0, 0, 0]),
        [first, last] => u64::from_be_bytes([first, last, 0, 0, 0, 0, 0, 0]),
        [only] => u64::from_be_bytes([only, 0, 0, 0, 0, 0, 0, 0]),
        _ => 0,
    }
}

/// The four bytes that eight hex characters stand for; `None` if one is none.
#[inline]
pub(crate) fn hex(characters: [u8; 8]) -> Option<u32> {
    let good = characters.iter().fold(true, |good, &character| good & crate::hex::is_digit(character));
    let word = u64::from_be_bytes(characters);
    let letters = (word & each(0x40)) >> 6;
    good.then(|| squeeze((word & LOW_NIBBLES) + 9 * letters))
}

/// Puts together the nibbles of eight bytes.
#[inline(always)]
pub(crate) fn squeeze(nibbles: u64) -> u32 {
    pairs_of((nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF)
}

/// Puts together four bytes, each in 16 bits.
#[inline(always)]
fn pairs_of(bytes: u64) -> u32 {
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    #[expect(clippy::cast_possible_truncation, reason = "the upper half has moved to the lower one")]
    let all = (pairs | pairs >> 16) as u32;
    all
}

/// The characters of four bytes in upper-case hex.
#[inline(always)]
pub(crate) fn to_hex(bytes: [u8; 4]) -> [u8; 8] {
    let bytes = u64::from(u32::from_be_bytes(bytes));
    let pairs = (bytes | bytes << 16) & 0x0000_FFFF_0000_FFFF;
    let singles = (pairs | pairs << 8) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (singles | singles << 4) & LOW_NIBBLES;
    let letters = over_nine(nibbles) >> 7;
    // `A` is as far behind `9` as seven more.
    (nibbles + each(b'0') + 7 * letters).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte among seven good ones, at every place: no byte has a say about another.
    #[test]
    fn each_byte_is_judged_by_itself() {
        let packed = |bytes: &[u8; 8]| are_packed_digits(bytes);
        let track = |bytes: &[u8; 8]| are_packed_track(bytes);
        let ascii = |bytes: &[u8; 8]| digits(u64::from_be_bytes(*bytes)).1 == 0;
        let ascii_track = |bytes: &[u8; 8]| track_digits(u64::from_be_bytes(*bytes)).1 == 0;
        let nibbles = |byte: u8, good: fn(u8) -> bool| good(byte >> 4) && good(byte & 0x0F);
        type Row<'r> = (&'r str, &'r dyn Fn(&[u8; 8]) -> bool, &'r dyn Fn(u8) -> bool, u8);
        let rows: [Row<'_>; 4] = [
            ("packed digits", &packed, &|byte| nibbles(byte, |nibble| nibble <= 9), 0x99),
            ("a packed track", &track, &|byte| nibbles(byte, |nibble| nibble <= 9 || nibble == 13), 0xDD),
            ("digits", &ascii, &|byte| byte.is_ascii_digit(), b'9'),
            ("a track", &ascii_track, &|byte| b"0123456789=D".contains(&byte), b'D'),
        ];
        for (name, class, want, good) in rows {
            for byte in 0..=u8::MAX {
                for place in 0..8 {
                    let mut bytes = [good; 8];
                    bytes[place] = byte;
                    assert_eq!(class(&bytes), want(byte), "{name}: {byte:02X} at {place}");
                }
                assert_eq!(class(&[byte; 8]), want(byte), "{name}: nothing but {byte:02X}");
            }
        }
    }

    #[test]
    fn a_bad_byte_is_seen_anywhere_in_any_length() {
        for length in 0..40 {
            let mut bytes = vec![0x90; length];
            assert!(are_packed_digits(&bytes) && are_packed_track(&bytes), "{length} bytes");
            for place in 0..length {
                bytes[place] = 0x9C;
                assert!(!are_packed_digits(&bytes) && !are_packed_track(&bytes), "{place} of {length} bytes");
                bytes[place] = 0x90;
            }
        }
    }

    #[test]
    fn short_bytes_stand_left() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        for length in 0..=7 {
            let mut want = [0; 8];
            want[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(left(&bytes[..length]).to_be_bytes(), want);
        }
    }

    #[test]
    fn hex_is_read_as_it_is_written() {
        assert_eq!(hex(*b"0123ABEF"), Some(0x0123_ABEF));
        assert_eq!((hex(*b"0123abEF"), hex(*b"0123:BEF"), hex(*b"@123ABEF")), (None, None, None));
        for bytes in [0, 1, 0x89AB_CDEF, 0x9A_A9_0F_F0, u32::MAX] {
            assert_eq!(to_hex(bytes.to_be_bytes()).to_vec(), format!("{bytes:08X}").into_bytes());
            assert_eq!(hex(to_hex(bytes.to_be_bytes())), Some(bytes));
        }
    }

    #[test]
    fn a_number_has_the_digits_that_it_prints() {
        let some = (0..100_000_000).step_by(997);
        for number in some.chain(0..20_000).chain([99_999_999, 99_990_000, 10_000_000]) {
            let digits = eight_digits(number);
            assert_eq!(
                digits.to_be_bytes().map(|digit| digit + b'0').to_vec(),
                format!("{number:08}").into_bytes()
            );
            assert_eq!(squeeze(digits), eight_packed(number));
            assert_eq!(format!("{:08X}", eight_packed(number)), format!("{number:08}"));
        }
    }

    #[test]
    fn both_separators_are_one_nibble() {
        assert_eq!(squeeze(track_digits(u64::from_be_bytes(*b"12=3D45=")).0), 0x12D3_D45D);
        assert_eq!(squeeze(digits(u64::from_be_bytes(*b"12030459")).0), 0x1203_0459);
    }
}
