//! What the length in front of a frame looks like, as a value with a name.

use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

/// The length in front of each frame: how it is written, in how many bytes, and what it counts.
///
/// Its name is the form and the bytes it takes on the wire, and `+self` if it counts those too:
///
/// | name | on the wire, in front of 65 bytes | counts up to |
/// |---|---|---|
/// | `ascii2` to `ascii4` | `65`, `065`, `0065` as characters | 99, 999, 9999 |
/// | `binary2` to `binary4` | `00 41`, big-endian | 65,535 (2 bytes) |
/// | `bcd2` to `bcd4` | `00 65`, two digits a byte | 9999 (2 bytes) |
/// | `hex2` to `hex4` | `0041` as characters (`hex4`) | 65,535 (4 characters) |
/// | `binary2+self` | `00 43`: 65 bytes and its own two | 65,533 |
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LengthHeader {
    form: LengthForm,
    bytes: u8,
    counts: Counts,
}

/// How the number of a length is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LengthForm {
    /// Decimal digits as ASCII characters.
    Ascii,
    /// A big-endian number.
    Binary,
    /// Decimal digits, two to a byte.
    Bcd,
    /// Hex digits as ASCII characters: written in upper case, read in either.
    Hex,
}

/// What a length counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Counts {
    /// Only the bytes behind it.
    Exclusive,
    /// The bytes behind it and its own.
    Inclusive,
}

/// Why a word names no length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LengthHeaderError {
    /// It begins with no form.
    #[error("a length is one of ascii, binary, bcd, hex and its bytes, such as binary2")]
    UnknownForm,
    /// Its bytes are not 2, 3 or 4.
    #[error("a length has 2, 3 or 4 bytes, such as ascii4")]
    BadWidth,
    /// Something else than `+self` follows.
    #[error("behind the bytes of a length nothing may stand but +self")]
    UnknownSuffix,
}

/// More bytes than a length can count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a length of this form counts at most {max} bytes")]
pub struct LengthOverflow {
    /// The most bytes that may follow it.
    pub max: usize,
}

impl LengthHeader {
    /// Four ASCII digits, which do not count themselves: hosts of ATMs.
    pub const ASCII_4: LengthHeader =
        LengthHeader { form: LengthForm::Ascii, bytes: 4, counts: Counts::Exclusive };
    /// Two bytes, big-endian, which do not count themselves: POS terminals.
    pub const BINARY_2: LengthHeader =
        LengthHeader { form: LengthForm::Binary, bytes: 2, counts: Counts::Exclusive };

    /// A length of this form in 2, 3 or 4 bytes; `None` for any other count.
    #[must_use]
    pub const fn new(form: LengthForm, bytes: u8, counts: Counts) -> Option<LengthHeader> {
        match bytes {
            2..=4 => Some(LengthHeader { form, bytes, counts }),
            _ => None,
        }
    }

    /// Every length there is: each form in 2, 3 and 4 bytes, exclusive and inclusive.
    pub fn all() -> impl Iterator<Item = LengthHeader> {
        use {Counts::*, LengthForm::*};
        // The commonest first.
        [Binary, Ascii, Bcd, Hex].into_iter().flat_map(|form| {
            [2, 4, 3].into_iter().flat_map(move |bytes| {
                [Exclusive, Inclusive].map(move |counts| LengthHeader { form, bytes, counts })
            })
        })
    }

    /// How its number is written.
    #[must_use]
    pub const fn form(self) -> LengthForm {
        self.form
    }

    /// Bytes it takes on the wire.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bytes as usize
    }

    /// Whether it counts its own bytes.
    #[must_use]
    pub const fn counts(self) -> Counts {
        self.counts
    }

    /// The most bytes that may follow it.
    #[must_use]
    pub fn max(self) -> usize {
        let places = u32::from(self.bytes);
        let numbers: u64 = match self.form {
            LengthForm::Ascii => 10_u64.pow(places),
            LengthForm::Binary => 256_u64.pow(places),
            LengthForm::Bcd => 100_u64.pow(places),
            LengthForm::Hex => 16_u64.pow(places),
        };
        // At most 32 bits, which fit wherever a message does.
        usize::try_from(numbers - 1).unwrap_or(usize::MAX) - self.own()
    }

    /// The number at the front of `bytes`, as it is written there; `None` if `bytes` is too short to tell.
    ///
    /// # Errors
    /// The position of the first byte that such a number cannot have.
    pub fn read(self, bytes: &[u8]) -> Result<Option<u32>, usize> {
        let bytes = &bytes[..bytes.len().min(self.bytes())];
        let mut number = 0_u32;
        for (at, &byte) in bytes.iter().enumerate() {
            // Four bytes never exceed 32 bits, whatever their form.
            number = match self.form {
                LengthForm::Ascii => number * 10 + decimal(byte).ok_or(at)?,
                LengthForm::Binary => number << 8 | u32::from(byte),
                LengthForm::Bcd => number * 100 + packed(byte).ok_or(at)?,
                LengthForm::Hex => number << 4 | char::from(byte).to_digit(16).ok_or(at)?,
            };
        }
        Ok((bytes.len() == self.bytes()).then_some(number))
    }

    /// How many bytes follow a length that says `number`; `None` if it should count itself and says less than that.
    #[must_use]
    pub fn following(self, number: u32) -> Option<usize> {
        usize::try_from(number).ok()?.checked_sub(self.own())
    }

    /// Writes it for a frame of `frame` bytes.
    ///
    /// # Errors
    /// More bytes than it can count; nothing is written.
    pub fn write(self, frame: usize, out: &mut BytesMut) -> Result<(), LengthOverflow> {
        out.put_slice(&self.digits(frame)?[..self.bytes()]);
        Ok(())
    }

    /// It for a frame of `frame` bytes, at the front of four bytes.
    pub(super) fn digits(self, frame: usize) -> Result<[u8; 4], LengthOverflow> {
        let max = self.max();
        let number = if frame <= max { u32::try_from(frame + self.own()).ok() } else { None };
        let mut number = number.ok_or(LengthOverflow { max })?;
        let (base, last): (u32, fn(u8) -> u8) = match self.form {
            LengthForm::Ascii => (10, |digit| b'0' + digit),
            LengthForm::Binary => (256, |digit| digit),
            LengthForm::Bcd => (100, |pair| ((pair / 10) << 4) | (pair % 10)),
            LengthForm::Hex => (16, |digit| b"0123456789ABCDEF"[usize::from(digit)]),
        };
        let mut digits = [0; 4];
        for place in digits[..self.bytes()].iter_mut().rev() {
            let [digit, ..] = (number % base).to_le_bytes();
            *place = last(digit);
            number /= base;
        }
        Ok(digits)
    }

    /// Bytes of its own that it counts.
    const fn own(self) -> usize {
        match self.counts {
            Counts::Exclusive => 0,
            Counts::Inclusive => self.bytes as usize,
        }
    }
}

fn decimal(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

fn packed(byte: u8) -> Option<u32> {
    let (high, low) = (byte >> 4, byte & 0x0F);
    (high <= 9 && low <= 9).then(|| u32::from(high * 10 + low))
}

const FORMS: [(&str, LengthForm); 4] = [
    ("ascii", LengthForm::Ascii),
    ("binary", LengthForm::Binary),
    ("bcd", LengthForm::Bcd),
    ("hex", LengthForm::Hex),
];

impl FromStr for LengthHeader {
    type Err = LengthHeaderError;

    fn from_str(text: &str) -> Result<LengthHeader, LengthHeaderError> {
        let named = FORMS.into_iter().find_map(|(name, form)| Some((form, text.strip_prefix(name)?)));
        let (form, rest) = named.ok_or(LengthHeaderError::UnknownForm)?;
        let (width, suffix) = rest.split_at_checked(1).ok_or(LengthHeaderError::BadWidth)?;
        let bytes = match width {
            "2" => 2,
            "3" => 3,
            "4" => 4,
            _ => return Err(LengthHeaderError::BadWidth),
        };
        let counts = match suffix {
            "" => Counts::Exclusive,
            "+self" => Counts::Inclusive,
            _ => return Err(LengthHeaderError::UnknownSuffix),
        };
        Ok(LengthHeader { form, bytes, counts })
    }
}

/// The name it is made from.
impl fmt::Display for LengthHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = FORMS.into_iter().find(|(_, form)| *form == self.form);
        let suffix = if self.counts == Counts::Inclusive { "+self" } else { "" };
        write!(f, "{}{}{suffix}", named.map_or("", |(name, _)| name), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_says_form_bytes_and_what_is_counted() {
        for (name, front, frame, max) in [
            ("ascii2", &b"65"[..], 65, 99),
            ("ascii3+self", b"068", 65, 996),
            ("ascii4", b"0065", 65, 9999),
            ("binary2", b"\0\x41", 65, 65_535),
            ("binary2+self", b"\0\x43", 65, 65_533),
            ("binary3", b"\x01\0\0", 65_536, 16_777_215),
            ("binary4+self", b"\0\0\0\x45", 65, 4_294_967_291),
            ("bcd2", b"\0\x65", 65, 9999),
            ("bcd3", b"\x12\x34\x56", 123_456, 999_999),
            ("bcd4+self", b"\0\0\0\x69", 65, 99_999_995),
            ("hex2", b"FF", 255, 255),
            ("hex4", b"004A", 74, 65_535),
            ("hex4+self", b"004E", 74, 65_531),
        ] {
            let length: LengthHeader = name.parse().unwrap();
            assert_eq!((length.to_string(), length.max()), (name.to_owned(), max), "{name}");
            let mut out = BytesMut::new();
            length.write(frame, &mut out).unwrap();
            assert_eq!(&out[..], front, "{name}");
            let number = length.read(&out).unwrap().unwrap();
            assert_eq!(length.following(number), Some(frame), "{name}");
        }
    }

    #[test]
    fn a_word_that_names_no_length_is_refused_with_the_reason() {
        for (text, want) in [
            ("", LengthHeaderError::UnknownForm),
            ("octal2", LengthHeaderError::UnknownForm),
            ("ASCII4", LengthHeaderError::UnknownForm),
            ("ascii", LengthHeaderError::BadWidth),
            ("binary1", LengthHeaderError::BadWidth),
            ("bcd5", LengthHeaderError::BadWidth),
            ("bcdé", LengthHeaderError::BadWidth),
            ("hex4 ", LengthHeaderError::UnknownSuffix),
            ("hex4+", LengthHeaderError::UnknownSuffix),
            ("hex44", LengthHeaderError::UnknownSuffix),
        ] {
            assert_eq!(text.parse::<LengthHeader>(), Err(want), "{text}");
        }
    }

    #[test]
    fn one_byte_more_than_it_counts_is_refused() {
        for length in LengthHeader::all() {
            let mut out = BytesMut::new();
            length.write(length.max(), &mut out).unwrap();
            let most = length.read(&out).unwrap().unwrap();
            assert_eq!(length.following(most), Some(length.max()), "{length}");
            let over = length.write(length.max() + 1, &mut out);
            assert_eq!((over, out.len()), (Err(LengthOverflow { max: length.max() }), length.bytes()));
            assert_eq!(length.to_string().parse(), Ok(length));
        }
        assert_eq!(LengthHeader::all().count(), 24);
        let inclusive: LengthHeader = "binary4+self".parse().unwrap();
        assert!(inclusive.write(usize::MAX, &mut BytesMut::new()).is_err());
    }

    #[test]
    fn a_byte_that_no_such_number_has_is_pointed_at_as_soon_as_it_is_there() {
        for (name, bytes, want) in [
            ("ascii4", &b"00"[..], Ok(None)),
            ("ascii4", b"0A", Err(1)),
            ("ascii4", b"00:1", Err(2)),
            ("bcd2", b"\x1A", Err(0)),
            ("bcd2", b"\x12\xA0", Err(1)),
            ("hex4", b"00g", Err(2)),
            ("hex4", b"00aFx", Ok(Some(175))),
            ("binary4", &[0xFF; 4], Ok(Some(u32::MAX))),
            ("binary4", &[], Ok(None)),
        ] {
            assert_eq!(name.parse::<LengthHeader>().unwrap().read(bytes), want, "{name}");
        }
        let inclusive: LengthHeader = "binary2+self".parse().unwrap();
        assert_eq!((inclusive.following(2), inclusive.following(1)), (Some(0), None));
    }
}
