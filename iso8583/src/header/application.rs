//! The application header of UnionPay-style terminals: which software speaks, and what it is asked to do.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{HeaderError, HeaderErrorKind, front, is_bcd};

/// An application header: 12 digits in 6 bytes of BCD (UnionPay Q/CUP 009.1).
///
/// | digits | what |
/// |---|---|
/// | 2 | class of application, 60 or 61 |
/// | 2 | version of the terminal's software |
/// | 1 | state of the terminal |
/// | 1 | processing request: what the host asks of the terminal |
/// | 6 | sub-version of the software |
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ApplicationHeader([u8; 6]);

impl ApplicationHeader {
    /// Bytes of an application header.
    pub const BYTES: usize = 6;
    /// The processing request that asks for nothing.
    pub const NOTHING: u8 = 0;
    /// The processing request that asks the terminal to sign in again.
    pub const SIGN_IN: u8 = 3;
    pub(super) const NAME: &str = "application header";

    /// Reads one from the front of `bytes`; returns what follows it too.
    ///
    /// # Errors
    /// Fewer than 6 bytes, or a nibble that is no digit.
    pub fn parse(bytes: &[u8]) -> Result<(ApplicationHeader, &[u8]), HeaderError> {
        let (header, rest) = front(ApplicationHeader::NAME, bytes)?;
        if let Some(offset) = header.iter().position(|&byte| !is_bcd(byte)) {
            let kind = HeaderErrorKind::BadDigit;
            return Err(HeaderError { header: ApplicationHeader::NAME, offset, kind });
        }
        Ok((ApplicationHeader(*header), rest))
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }

    /// The class of application, 61 for `61`.
    #[must_use]
    pub const fn class(self) -> u8 {
        decimal(self.0[0])
    }

    /// The version of the terminal's software, 31 for `31`.
    #[must_use]
    pub const fn version(self) -> u8 {
        decimal(self.0[1])
    }

    /// The state of the terminal, 0 to 9.
    #[must_use]
    pub const fn terminal_state(self) -> u8 {
        self.0[2] >> 4
    }

    /// What the host asks of the terminal, 0 to 9.
    #[must_use]
    pub const fn processing_request(self) -> u8 {
        self.0[2] & 0x0F
    }

    /// The sub-version of the terminal's software, 311108 for `311108`.
    #[must_use]
    pub const fn sub_version(self) -> u32 {
        decimal(self.0[3]) as u32 * 10_000 + decimal(self.0[4]) as u32 * 100 + decimal(self.0[5]) as u32
    }

    /// The same with another processing request; `None` if that is more than 9.
    #[must_use]
    pub const fn with_processing_request(self, request: u8) -> Option<ApplicationHeader> {
        if request > 9 {
            return None;
        }
        let mut digits = self.0;
        digits[2] = digits[2] & 0xF0 | request;
        Some(ApplicationHeader(digits))
    }
}

/// A byte of two digits as a number.
const fn decimal(bcd: u8) -> u8 {
    (bcd >> 4) * 10 + (bcd & 0x0F)
}

impl fmt::Display for ApplicationHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = match self.processing_request() {
            ApplicationHeader::NOTHING => "asks for nothing",
            ApplicationHeader::SIGN_IN => "asks the terminal to sign in",
            _ => "asks the terminal for something",
        };
        write!(
            f,
            "application header: class {:02}, software {:02}.{:06}, terminal state {}, processing request {} ({request})",
            self.class(),
            self.version(),
            self.sub_version(),
            self.terminal_state(),
            self.processing_request(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_digit_has_its_name() {
        let (header, rest) = ApplicationHeader::parse(&[0x61, 0x31, 0x13, 0x31, 0x11, 0x08, 0x02]).unwrap();
        assert_eq!((header.class(), header.version(), header.sub_version()), (61, 31, 311_108));
        assert_eq!((header.terminal_state(), header.processing_request(), rest), (1, 3, &[2][..]));
        assert_eq!(
            header.to_string(),
            "application header: class 61, software 31.311108, terminal state 1, processing request 3 \
             (asks the terminal to sign in)"
        );
    }

    #[test]
    fn a_request_is_one_digit_and_changes_nothing_else() {
        let (header, _) = ApplicationHeader::parse(&[0x60, 0x31, 0x10, 0x31, 0x07, 0x30]).unwrap();
        let asking = header.with_processing_request(ApplicationHeader::SIGN_IN).unwrap();
        let mut out = BytesMut::new();
        asking.write(&mut out);
        assert_eq!(out[..], [0x60, 0x31, 0x13, 0x31, 0x07, 0x30]);
        assert_eq!(asking.with_processing_request(ApplicationHeader::NOTHING), Some(header));
        assert_eq!(header.with_processing_request(10), None);
    }

    #[test]
    fn what_is_no_application_header_is_refused() {
        for (bytes, want) in [
            (&[0x61; 5][..], "application header at byte 0: needs 6 bytes, 5 left"),
            (&[0x61, 0x31, 0x1A, 0, 0, 0], "application header at byte 2: not a digit"),
            (&[0x61, 0x31, 0, 0, 0, 0xF0], "application header at byte 5: not a digit"),
        ] {
            assert_eq!(ApplicationHeader::parse(bytes).unwrap_err().to_string(), want);
        }
    }
}
