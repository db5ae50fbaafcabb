//! All the headers of a frame, declared as a list of names.

use std::fmt;

use bytes::BytesMut;

use super::form::{Header, HeaderForm, HeaderFormError};
use super::{ApplicationHeader, DialRecord, HeaderError, Tpdu};

/// The most headers a frame may have.
pub const HEADERS_MAX: usize = 8;

/// The headers that stand in front of each message, in their order; none if it is empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Headers(Vec<HeaderForm>);

/// Why a list of names declares no headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeadersError {
    /// A name is none.
    #[error("header {index}: {error}")]
    Form {
        /// Which of them, the first being 1.
        index: usize,
        /// What is wrong with it.
        error: HeaderFormError,
    },
    /// More than [`HEADERS_MAX`].
    #[error("more than {HEADERS_MAX} headers")]
    TooMany,
}

impl Headers {
    /// No headers: the message stands right behind the length.
    pub const NONE: Headers = Headers(Vec::new());

    /// The headers with these names; [`HeaderForm`] lists them.
    ///
    /// # Errors
    /// The first name that is none, or more than [`HEADERS_MAX`].
    pub fn from_names<I>(names: I) -> Result<Headers, HeadersError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut forms = Vec::new();
        for (index, name) in (1..).zip(names) {
            if index > HEADERS_MAX {
                return Err(HeadersError::TooMany);
            }
            let form = name.as_ref().parse().map_err(|error| HeadersError::Form { index, error })?;
            forms.push(form);
        }
        Ok(Headers(forms))
    }

    /// What stands there, in order.
    #[must_use]
    pub fn forms(&self) -> &[HeaderForm] {
        &self.0
    }

    /// Reads them from the front of a frame; returns the message behind them too. Allocates nothing.
    ///
    /// # Errors
    /// The first header that is another than declared; its offset counts from the frame's first byte.
    pub fn parse<'a>(&'a self, frame: &'a [u8]) -> Result<(HeaderParts<'a>, &'a [u8]), HeaderError> {
        let mut rest = frame;
        for form in &self.0 {
            let at = frame.len() - rest.len();
            let shift = |error: HeaderError| HeaderError { offset: at + error.offset, ..error };
            (_, rest) = form.parse(rest).map_err(shift)?;
        }
        let (bytes, message) = frame.split_at(frame.len() - rest.len());
        Ok((HeaderParts { forms: &self.0, bytes }, message))
    }
}

/// The names, joined by `+`; `none` if there are none.
impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return f.write_str("none") };
        first.fmt(f)?;
        others.iter().try_for_each(|form| write!(f, " + {form}"))
    }
}

/// The headers of one frame, borrowed.
#[derive(Clone, Copy)]
pub struct HeaderParts<'a> {
    forms: &'a [HeaderForm],
    bytes: &'a [u8],
}

impl<'a> HeaderParts<'a> {
    /// Their bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Each of them that is there, in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.bytes;
        self.forms.iter().filter_map(move |form| {
            // They were all read before, so there is no error.
            let (header, after) = form.parse(rest).ok()?;
            rest = after;
            header
        })
    }

    /// The first TPDU.
    #[must_use]
    pub fn tpdu(&self) -> Option<Tpdu> {
        self.iter().find_map(|header| if let Header::Tpdu(tpdu) = header { Some(tpdu) } else { None })
    }

    /// The first application header.
    #[must_use]
    pub fn application(&self) -> Option<ApplicationHeader> {
        self.iter()
            .find_map(|header| if let Header::Application(header) = header { Some(header) } else { None })
    }

    /// The first dial record.
    #[must_use]
    pub fn dial(&self) -> Option<DialRecord> {
        self.iter().find_map(|header| if let Header::Dial(dial) = header { Some(dial) } else { None })
    }

    /// Appends the headers of an answer: TPDUs swapped, dial records left out (they are the concentrator's word to
    /// the host and not the other way), the others as they are.
    pub fn write_answer(&self, out: &mut BytesMut) {
        for header in self.iter() {
            match header {
                Header::Tpdu(tpdu) => tpdu.swapped().write(out),
                Header::Dial(_) => {}
                Header::Application(_) | Header::Vendor(_) => header.write(out),
            }
        }
    }
}

/// Masked, as each of them is.
impl fmt::Debug for HeaderParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const TPDU: [u8; 5] = [0x60, 0x00, 0x03, 0x00, 0x07];
    const APPLICATION: [u8; 6] = [0x61, 0x31, 0x00, 0x31, 0x11, 0x08];

    fn dial() -> Vec<u8> {
        [&b"LRI\x00\x1C"[..], &[0x02, 0x10, 0, 0, 1, 0xFF, 0xFF, 0xFF], &[0xFF; 8], &[0; 12]].concat()
    }

    #[test]
    fn a_dial_record_may_be_missing_where_it_is_declared_so() {
        let headers = Headers::from_names(["dial?", "tpdu", "application"]).unwrap();
        assert_eq!(headers.to_string(), "dial? + tpdu + application");
        for (front, kinds) in [(dial(), 3), (vec![], 2)] {
            let frame = [&front[..], &TPDU, &APPLICATION, &[0x08, 0x00]].concat();
            let (parts, message) = headers.parse(&frame).unwrap();
            assert_eq!((parts.iter().count(), message), (kinds, &[0x08, 0x00][..]));
            assert_eq!((parts.dial().is_some(), parts.bytes().len()), (kinds == 3, frame.len() - 2));
            assert_eq!(parts.application().map(ApplicationHeader::class), Some(61));
            let mut answer = BytesMut::new();
            parts.write_answer(&mut answer);
            assert_eq!(answer[..], [&[0x60, 0, 7, 0, 3][..], &APPLICATION].concat());
        }
    }

    #[test]
    fn an_error_counts_from_the_first_byte_of_the_frame() {
        let headers = Headers::from_names(["opaque:2", "tpdu", "application"]).unwrap();
        for (frame, want) in [
            (&[0][..], "vendor header at byte 0: needs 2 bytes, 1 left"),
            (&[0, 0, 0x60], "TPDU at byte 2: needs 5 bytes, 1 left"),
            (&[0, 0, 0x60, 0, 0, 0, 0, 0, 0xAA, 0, 0, 0, 0], "application header at byte 8: not a digit"),
        ] {
            assert_eq!(headers.parse(frame).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn no_headers_leave_the_frame_as_it_is() {
        let none = Headers::default();
        let (parts, message) = none.parse(b"0800").unwrap();
        assert_eq!((parts.bytes(), parts.iter().count(), message), (&b""[..], 0, &b"0800"[..]));
        assert_eq!(Headers::NONE.to_string(), "none");
        assert_eq!(Headers::from_names::<[&str; 0]>([]), Ok(Headers::NONE));
    }

    #[test]
    fn a_list_that_declares_no_headers_says_which_and_why() {
        let error = Headers::from_names(["tpdu", "applicaton"]).unwrap_err();
        assert!(error.to_string().starts_with("header 2: a header is one of tpdu, "), "{error}");
        assert!(Headers::from_names(["opaque:1"; HEADERS_MAX]).is_ok());
        assert_eq!(Headers::from_names(["opaque:1"; HEADERS_MAX + 1]), Err(HeadersError::TooMany));
    }

    #[test]
    fn debug_shows_no_number_and_no_vendor_s_bytes() {
        let headers = Headers::from_names(["dial", "opaque:2"]).unwrap();
        let frame = [&dial()[..], &[0x62, 0x62]].concat();
        let (parts, _) = headers.parse(&frame).unwrap();
        let text = format!("{parts:?}");
        assert!(!text.contains("0210") && !text.contains("98") && text.contains("…(2 bytes)"), "{text}");
    }
}
