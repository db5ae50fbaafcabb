//! The headers between a frame's length and its message, as values.
//!
//! Start at [`Headers`], a sequence declared by names such as `["tpdu", "application"]`, or at one header:
//! [`Tpdu`], [`ApplicationHeader`], [`DialRecord`], [`VendorHeader`]. Every one is read by `parse`, which also
//! returns what follows it, and written by `write`. Nothing here decides where a header must stand or whether it is
//! to be believed.
//!
//! ```
//! use iso8583::header::Headers;
//!
//! let headers = Headers::from_names(["tpdu", "application"])?;
//! let frame = [0x60, 0x00, 0x03, 0x00, 0x00, 0x61, 0x31, 0x00, 0x31, 0x11, 0x08, 0x08, 0x00];
//! let (parts, message) = headers.parse(&frame)?;
//! assert_eq!(message, [0x08, 0x00]);
//! assert_eq!(parts.tpdu().unwrap().to_string(), "TPDU 60, to 0003, from 0000");
//! assert_eq!(parts.application().unwrap().class(), 61);
//!
//! // The answer goes back where the request came from.
//! let mut answer = bytes::BytesMut::new();
//! parts.write_answer(&mut answer);
//! assert_eq!(answer[..5], [0x60, 0x00, 0x00, 0x00, 0x03]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod application;
mod dial;
mod form;
mod sequence;
mod tpdu;
mod vendor;

pub use application::ApplicationHeader;
pub use dial::{DialRecord, Phone};
pub use form::{Header, HeaderForm, HeaderFormError, OPAQUE_BYTES_MAX};
pub use sequence::{HEADERS_MAX, HeaderParts, Headers, HeadersError};
pub use tpdu::Tpdu;
pub use vendor::{TextPattern, VendorHeader};

/// Why, and where, bytes are not the header that should stand there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{header} at byte {offset}: {kind}")]
pub struct HeaderError {
    /// Which header.
    pub header: &'static str,
    /// Position of the offending byte, counted from the first byte that was given; never more than their count.
    pub offset: usize,
    /// What was wrong there.
    pub kind: HeaderErrorKind,
}

/// The rule a header broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderErrorKind {
    /// The bytes end inside it.
    #[error("needs {needs} bytes, {left} left")]
    TooShort {
        /// Bytes it has.
        needs: usize,
        /// Bytes there are.
        left: usize,
    },
    /// A TPDU does not begin with 60 to 69.
    #[error("a TPDU begins with 60 to 69")]
    NotATpdu,
    /// A dial record does not begin with `LRI`, 00, 1C.
    #[error("a dial record begins with LRI and a length of 28")]
    NotADialRecord,
    /// A nibble is not 0 to 9.
    #[error("not a digit")]
    BadDigit,
    /// The text is not the declared one.
    #[error("not the declared text")]
    OtherText,
}

/// The first `N` bytes, and the rest.
fn front<'a, const N: usize>(
    header: &'static str,
    bytes: &'a [u8],
) -> Result<(&'a [u8; N], &'a [u8]), HeaderError> {
    bytes.split_first_chunk().ok_or_else(|| too_short(header, N, bytes.len()))
}

fn too_short(header: &'static str, needs: usize, left: usize) -> HeaderError {
    HeaderError { header, offset: 0, kind: HeaderErrorKind::TooShort { needs, left } }
}

fn is_bcd(byte: u8) -> bool {
    byte >> 4 <= 9 && byte & 0x0F <= 9
}
