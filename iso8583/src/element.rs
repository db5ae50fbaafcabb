//! One value in a message, a field's or a part's, with a view for each class.
//!
//! Start at [`Element`]; [`crate::Message::element`], [`crate::Message::part`] and [`Parts`] hand them out.

use std::fmt;

use crate::charset::Text;
use crate::content;
use crate::digits::Digits;
use crate::field::{Class, Encoding, Field, Unit};
use crate::hex;
use crate::lens;
use crate::parts::Parts;
use crate::path::Path;
use crate::signed::{self, Signed};

/// A value that was found, measured and checked.
///
/// Its `Debug` and `Display` mask by the specification; of a part that the specification does not know, they tell the
/// length only.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub(crate) path: Path,
    /// `None` for a tag that the specification does not know.
    pub(crate) row: Option<&'a Field>,
    /// Where the value begins, from the MTI's first byte.
    pub(crate) offset: usize,
    /// In the units of the row; bytes without one.
    pub(crate) length: u16,
    pub(crate) value: &'a [u8],
    /// The value with its head: a prefix, or a tag and a length, and filler
    /// around them.
    pub(crate) wire: &'a [u8],
    /// Bytes of `wire` before the value.
    pub(crate) head: u16,
    /// Of packed digits amid others: how many stand before them in the first byte.
    pub(crate) first: u8,
    /// How the characters are written of a value in hex that it is a part of; each two of them are one of its bytes.
    pub(crate) hex: Option<Encoding>,
    /// Whether the message decoded to its end, so that this is what it seems.
    pub(crate) sure: bool,
}

impl<'a> Element<'a> {
    /// Where it stands in the specification.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// Its row of the specification; `None` if that does not know it.
    #[must_use]
    pub fn row(&self) -> Option<&'a Field> {
        self.row
    }

    /// Where the value begins, without a prefix or tag, counted from the MTI's first byte.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The value as it is on the wire: in hex, if it stands in a value in hex. A part of packed digits may share its
    /// first and its last byte with others.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.value
    }

    /// The value with its head as it is on the wire: a prefix, or a tag and a length with the zero bytes before them.
    #[must_use]
    pub fn wire(&self) -> &'a [u8] {
        self.wire
    }

    /// What stands before and behind the value in its wire form.
    pub(crate) fn around(&self) -> (&'a [u8], &'a [u8]) {
        let (head, rest) = self.wire.split_at(self.head.into());
        (head, rest.get(self.value.len()..).unwrap_or_default())
    }

    /// The digits of class `n` or `z`, pad nibbles left out.
    #[must_use]
    pub fn digits(&self) -> Option<Digits<'a>> {
        let row = self.row.filter(|row| row.class.counts_digits() && row.encoding != Encoding::Binary)?;
        if let Some(encoding) = self.hex {
            return Some(lens::digits(row, encoding, self.length, self.value));
        }
        if self.first == 0 {
            return Some(content::view(row, self.length, self.value));
        }
        Some(Digits::new(self.value, self.first.into(), self.length.into()))
    }

    /// An `n` value as a number, packed, in characters or in binary; `None` also if it is empty or exceeds 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let row = self.row?;
        match (row.class, row.encoding) {
            (Class::Numeric, Encoding::Binary) if self.hex.is_some() => lens::number(self.value),
            (Class::Numeric, Encoding::Binary) => binary(self.value),
            _ => self.digits()?.to_u64(),
        }
    }

    /// The sign and the number of an `xn` value.
    #[must_use]
    pub fn signed(&self) -> Option<Signed> {
        let (debit, digits) = self.signed_digits()?;
        Some(Signed { debit, amount: digits.to_u64()? })
    }

    /// Whether an `xn` value is a debit, and its digits.
    pub(crate) fn signed_digits(&self) -> Option<(bool, Digits<'a>)> {
        let row = self.row.filter(|row| row.class == Class::Signed)?;
        signed::view(row, self.length, self.value)
    }

    /// The text of an `an`, `ans` or `xn` value, in whatever it is written; of a packed `xn`, nothing.
    #[must_use]
    pub fn text(&self) -> Option<Text<'a>> {
        let row = self.row?;
        let is_text = matches!(row.class, Class::Alphanumeric | Class::Text | Class::Signed);
        (is_text && row.unit == Unit::Byte).then(|| match self.hex {
            Some(_) => Text::in_hex(self.value, page(row)),
            None => Text::new(self.value, page(row)),
        })
    }

    /// Whether it is this text.
    #[must_use]
    pub fn is_text(&self, text: &[u8]) -> bool {
        self.text().is_some_and(|own| own.is(text))
    }

    /// The bytes of a `b` or `tlv` value, or of one that the specification does not know; those that hex characters
    /// stand for, if it is written in hex.
    #[must_use]
    pub fn octets(&self) -> Option<Octets<'a>> {
        match self.row {
            None => Some(Octets { bytes: self.value, is_hex: self.hex.is_some() }),
            Some(row) => matches!(row.class, Class::Binary | Class::Tlv)
                .then(|| Octets { bytes: self.value, is_hex: row.is_hex() || self.hex.is_some() }),
        }
    }

    /// What it is made up of, if of parts: those of its composite, or the objects of a `tlv` value. A tag that the
    /// specification does not know has none.
    #[must_use]
    pub fn parts(&self) -> Option<Parts<'a>> {
        Parts::of(self)
    }

    /// The first part one step further down, such as `3`, `9F26` or `PDS0158`.
    #[must_use]
    pub fn part(&self, step: &str) -> Option<Element<'a>> {
        let path = self.path.name(step)?;
        self.parts()?.find_step(path.steps().last()?)
    }
}

/// The page that a value's characters are in; `None` for ASCII.
pub(crate) fn page(row: &Field) -> Option<crate::charset::CodePage> {
    match row.encoding {
        Encoding::Ebcdic(page) => Some(page),
        _ => None,
    }
}

/// A big-endian number of at most eight bytes.
pub(crate) fn binary(bytes: &[u8]) -> Option<u64> {
    let fits = matches!(bytes.len(), 1..=8);
    fits.then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The bytes of a value, however they are written.
///
/// `Debug` prints their count only: they may be a key.
#[derive(Clone, Copy)]
pub struct Octets<'a> {
    bytes: &'a [u8],
    is_hex: bool,
}

impl<'a> Octets<'a> {
    pub(crate) fn new(bytes: &'a [u8], is_hex: bool) -> Octets<'a> {
        Octets { bytes, is_hex }
    }

    /// Count of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.is_hex { self.bytes.len() / 2 } else { self.bytes.len() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u8> + Clone + use<'a> {
        let Octets { bytes, is_hex } = *self;
        let count = self.len();
        (0..count).map(move |index| match is_hex {
            false => bytes[index],
            true => hex::value(bytes[2 * index]) << 4 | hex::value(bytes[2 * index + 1]),
        })
    }

    /// The bytes, if they are exactly `N`.
    #[must_use]
    pub fn fixed<const N: usize>(&self) -> Option<[u8; N]> {
        let mut fixed = [0; N];
        (self.len() == N).then(|| fixed.iter_mut().zip(self.iter()).for_each(|(to, octet)| *to = octet))?;
        Some(fixed)
    }
}

impl fmt::Debug for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Octets(…{})", self.len())
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({}: {self})", self.path)
    }
}
