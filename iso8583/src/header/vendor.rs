//! Headers that one vendor or network puts there: a fixed count of bytes, of which little is known.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{HeaderError, HeaderErrorKind, too_short};

/// A vendor's header, borrowed.
///
/// `Debug` and `Display` print its length: nobody has said that what is in it may be seen.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct VendorHeader<'a> {
    bytes: &'a [u8],
}

impl<'a> VendorHeader<'a> {
    pub(super) const NAME: &'static str = "vendor header";

    /// Takes `count` bytes from the front of `bytes`, whatever they are; returns what follows too.
    ///
    /// # Errors
    /// Fewer than `count` bytes.
    pub fn parse(count: usize, bytes: &'a [u8]) -> Result<(VendorHeader<'a>, &'a [u8]), HeaderError> {
        let (header, rest) =
            bytes.split_at_checked(count).ok_or_else(|| too_short(VendorHeader::NAME, count, bytes.len()))?;
        Ok((VendorHeader { bytes: header }, rest))
    }

    /// Takes a text such as `ISO016000055` from the front of `bytes`; returns what follows too.
    ///
    /// # Errors
    /// Too few bytes, or the first one that the pattern does not allow.
    pub fn parse_text(
        pattern: &TextPattern,
        bytes: &'a [u8],
    ) -> Result<(VendorHeader<'a>, &'a [u8]), HeaderError> {
        if let Some(offset) = pattern.mismatch(bytes) {
            let kind = HeaderErrorKind::OtherText;
            return Err(HeaderError { header: VendorHeader::NAME, offset, kind });
        }
        VendorHeader::parse(pattern.len(), bytes)
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(self.bytes);
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Display for VendorHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vendor header: …({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for VendorHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorHeader(…({} bytes))", self.bytes.len())
    }
}

/// A text that a header must be: printable ASCII, in which each `?` stands for any printable character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextPattern(Box<str>);

impl TextPattern {
    /// The pattern; `None` if it is empty, longer than [`super::OPAQUE_BYTES_MAX`] or not printable ASCII.
    #[must_use]
    pub fn new(pattern: &str) -> Option<TextPattern> {
        let fits = (1..=usize::from(super::OPAQUE_BYTES_MAX)).contains(&pattern.len());
        (fits && pattern.bytes().all(is_printable)).then(|| TextPattern(pattern.into()))
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[expect(clippy::len_without_is_empty, reason = "a pattern is never empty")]
    /// Bytes of a text that fits.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The first byte of those there are that does not fit.
    fn mismatch(&self, bytes: &[u8]) -> Option<usize> {
        let fits = |wanted: u8, byte: u8| wanted == byte || (wanted == b'?' && is_printable(byte));
        self.0.bytes().zip(bytes).position(|(wanted, &byte)| !fits(wanted, byte))
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_text_fits_its_pattern_or_is_refused_at_its_byte() {
        let exact = TextPattern::new("ISO016000055").unwrap();
        let open = TextPattern::new("ISO?????????").unwrap();
        let (header, rest) = VendorHeader::parse_text(&exact, b"ISO0160000550800").unwrap();
        assert_eq!((header.bytes(), rest), (&b"ISO016000055"[..], &b"0800"[..]));
        assert!(VendorHeader::parse_text(&open, b"ISO0060000150200").is_ok());
        for (pattern, bytes, want) in [
            (&exact, &b"ISO006000055"[..], "vendor header at byte 4: not the declared text"),
            (&open, b"0800", "vendor header at byte 0: not the declared text"),
            (&open, b"ISO0\x0016000055", "vendor header at byte 4: not the declared text"),
            (&open, b"ISO01", "vendor header at byte 0: needs 12 bytes, 5 left"),
        ] {
            assert_eq!(VendorHeader::parse_text(pattern, bytes).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn what_a_vendor_put_there_is_kept_and_not_shown() {
        let (header, rest) = VendorHeader::parse(3, &[1, 0x62, 3, 4]).unwrap();
        let mut out = BytesMut::new();
        header.write(&mut out);
        assert_eq!((&out[..], rest), (&[1, 0x62, 3][..], &[4][..]));
        assert_eq!(format!("{header} {header:?}"), "vendor header: …(3 bytes) VendorHeader(…(3 bytes))");
        let short = VendorHeader::parse(5, &[1, 2]).unwrap_err();
        assert_eq!(short.to_string(), "vendor header at byte 0: needs 5 bytes, 2 left");
    }

    #[test]
    fn a_pattern_is_printable_and_not_empty() {
        let long = "x".repeat(65);
        for bad in ["", "ISO\n", "é", &long] {
            assert_eq!(TextPattern::new(bad), None, "{bad:?}");
        }
        assert_eq!(TextPattern::new(&long[1..]).unwrap().len(), 64);
    }
}
