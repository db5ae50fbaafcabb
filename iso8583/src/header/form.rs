//! One header, declared by its name.

use std::fmt;
use std::str::FromStr;

use bytes::BytesMut;

use super::{ApplicationHeader, DialRecord, HeaderError, TextPattern, Tpdu, VendorHeader};

/// The longest header of a vendor, in bytes.
pub const OPAQUE_BYTES_MAX: u8 = 64;

/// Which header stands somewhere. Each is made from its name:
///
/// | name | header |
/// |---|---|
/// | `tpdu` | [`Tpdu`], 5 bytes |
/// | `application` | [`ApplicationHeader`], 6 bytes |
/// | `dial` | [`DialRecord`], 33 bytes |
/// | `dial?` | the same, or none if the bytes do not begin as one does |
/// | `opaque:12` | 12 bytes of a vendor, 1 to 64 |
/// | `text:ISO01600????` | a text of a vendor; `?` is any printable character |
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderForm {
    /// Identifier, destination, origin.
    Tpdu,
    /// Twelve digits of UnionPay-style terminals.
    Application,
    /// What a concentrator of telephone lines says of the call.
    Dial,
    /// The same, if it is there.
    DialIfThere,
    /// So many bytes of a vendor: 1 to [`OPAQUE_BYTES_MAX`].
    Opaque(u8),
    /// A vendor's text.
    Text(TextPattern),
}

/// A header that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Header<'a> {
    /// Identifier, destination, origin.
    Tpdu(Tpdu),
    /// Twelve digits of UnionPay-style terminals.
    Application(ApplicationHeader),
    /// What a concentrator of telephone lines says of the call.
    Dial(DialRecord),
    /// A vendor's.
    Vendor(VendorHeader<'a>),
}

/// Why a word names no header.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderFormError {
    /// No header has this name.
    #[error("a header is one of tpdu, application, dial, dial?, opaque:<bytes>, text:<pattern>")]
    Unknown,
    /// Not a count of bytes, or none, or too many.
    #[error("an opaque header has 1 to {OPAQUE_BYTES_MAX} bytes, such as opaque:12")]
    BadCount,
    /// No text, too much, or not printable ASCII.
    #[error("the text of a header is 1 to {OPAQUE_BYTES_MAX} printable ASCII characters")]
    BadText,
}

impl HeaderForm {
    /// Reads such a header from the front of `bytes`; returns what follows it too. `None` only of a header that
    /// may be missing.
    ///
    /// # Errors
    /// Whatever makes it another header than this.
    pub fn parse<'a>(&self, bytes: &'a [u8]) -> Result<(Option<Header<'a>>, &'a [u8]), HeaderError> {
        let (header, rest) = match self {
            HeaderForm::Tpdu => Tpdu::parse(bytes).map(|(tpdu, rest)| (Header::Tpdu(tpdu), rest)),
            HeaderForm::Application => ApplicationHeader::parse(bytes)
                .map(|(application, rest)| (Header::Application(application), rest)),
            HeaderForm::DialIfThere if !DialRecord::is_at(bytes) => return Ok((None, bytes)),
            HeaderForm::Dial | HeaderForm::DialIfThere => {
                DialRecord::parse(bytes).map(|(dial, rest)| (Header::Dial(dial), rest))
            }
            HeaderForm::Opaque(count) => VendorHeader::parse(usize::from(*count), bytes)
                .map(|(vendor, rest)| (Header::Vendor(vendor), rest)),
            HeaderForm::Text(pattern) => {
                VendorHeader::parse_text(pattern, bytes).map(|(vendor, rest)| (Header::Vendor(vendor), rest))
            }
        }?;
        Ok((Some(header), rest))
    }

    /// Bytes of such a header; the most, of one that may be missing.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            HeaderForm::Tpdu => Tpdu::BYTES,
            HeaderForm::Application => ApplicationHeader::BYTES,
            HeaderForm::Dial | HeaderForm::DialIfThere => DialRecord::BYTES,
            HeaderForm::Opaque(count) => usize::from(*count),
            HeaderForm::Text(pattern) => pattern.len(),
        }
    }
}

impl Header<'_> {
    /// Appends its bytes.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Header::Tpdu(tpdu) => tpdu.write(out),
            Header::Application(application) => application.write(out),
            Header::Dial(dial) => dial.write(out),
            Header::Vendor(vendor) => vendor.write(out),
        }
    }
}

/// With what nobody needs to see left out.
impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Header::Tpdu(tpdu) => tpdu.fmt(f),
            Header::Application(application) => application.fmt(f),
            Header::Dial(dial) => dial.fmt(f),
            Header::Vendor(vendor) => vendor.fmt(f),
        }
    }
}

impl FromStr for HeaderForm {
    type Err = HeaderFormError;

    fn from_str(name: &str) -> Result<HeaderForm, HeaderFormError> {
        if let Some(count) = name.strip_prefix("opaque:") {
            let plain = count.bytes().all(|digit| digit.is_ascii_digit());
            let count = count.parse().ok().filter(|count| plain && (1..=OPAQUE_BYTES_MAX).contains(count));
            return count.map(HeaderForm::Opaque).ok_or(HeaderFormError::BadCount);
        }
        if let Some(pattern) = name.strip_prefix("text:") {
            return TextPattern::new(pattern).map(HeaderForm::Text).ok_or(HeaderFormError::BadText);
        }
        match name {
            "tpdu" => Ok(HeaderForm::Tpdu),
            "application" => Ok(HeaderForm::Application),
            "dial" => Ok(HeaderForm::Dial),
            "dial?" => Ok(HeaderForm::DialIfThere),
            _ => Err(HeaderFormError::Unknown),
        }
    }
}

/// The name it is made from.
impl fmt::Display for HeaderForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderForm::Tpdu => f.write_str("tpdu"),
            HeaderForm::Application => f.write_str("application"),
            HeaderForm::Dial => f.write_str("dial"),
            HeaderForm::DialIfThere => f.write_str("dial?"),
            HeaderForm::Opaque(count) => write!(f, "opaque:{count}"),
            HeaderForm::Text(pattern) => write!(f, "text:{}", pattern.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_form_has_a_name_and_a_size() {
        for (name, bytes) in [
            ("tpdu", 5),
            ("application", 6),
            ("dial", 33),
            ("dial?", 33),
            ("opaque:1", 1),
            ("opaque:64", 64),
            ("text:ISO016000055", 12),
            ("text:?", 1),
        ] {
            let form: HeaderForm = name.parse().unwrap();
            assert_eq!((form.to_string(), form.bytes()), (name.to_owned(), bytes));
        }
    }

    #[test]
    fn a_word_that_names_no_header_is_refused_with_the_reason() {
        for (name, want) in [
            ("", HeaderFormError::Unknown),
            ("TPDU", HeaderFormError::Unknown),
            ("opaque", HeaderFormError::Unknown),
            ("tpdu?", HeaderFormError::Unknown),
            ("opaque:", HeaderFormError::BadCount),
            ("opaque:0", HeaderFormError::BadCount),
            ("opaque:65", HeaderFormError::BadCount),
            ("opaque:+5", HeaderFormError::BadCount),
            ("text:", HeaderFormError::BadText),
            ("text:a\tb", HeaderFormError::BadText),
        ] {
            assert_eq!(name.parse::<HeaderForm>(), Err(want), "{name}");
        }
    }
}
