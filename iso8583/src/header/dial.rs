//! The dial record: what a concentrator of telephone lines puts in front of a terminal's frame.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{HeaderError, HeaderErrorKind, front, is_bcd};

/// A dial record: `LRI`, two bytes of length (00 1C), calling and called number (8 bytes BCD each), 12 bytes that
/// the concentrator keeps for itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DialRecord {
    calling: Phone,
    called: Phone,
    own: Own,
}

/// A telephone number of up to 16 digits, followed by `F` on the wire.
///
/// `Debug` and `Display` print the last four digits, and none of a number shorter than eight.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Phone([u8; 8]);

/// What only the concentrator understands.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Own([u8; 12]);

const MARK: &[u8; 5] = b"LRI\x00\x1C";

impl DialRecord {
    /// Bytes of a dial record.
    pub const BYTES: usize = 33;
    pub(super) const NAME: &str = "dial record";

    /// Whether `bytes` begins as a dial record does. No other header begins with an `L`.
    #[must_use]
    pub fn is_at(bytes: &[u8]) -> bool {
        bytes.starts_with(MARK)
    }

    /// Reads one from the front of `bytes`; returns what follows it too.
    ///
    /// # Errors
    /// Fewer than 33 bytes, another beginning, or a number that is not digits and then `F`.
    pub fn parse(bytes: &[u8]) -> Result<(DialRecord, &[u8]), HeaderError> {
        let error = |offset, kind| HeaderError { header: DialRecord::NAME, offset, kind };
        let begins = bytes.iter().zip(MARK).position(|(byte, mark)| byte != mark);
        if let Some(offset) = begins {
            return Err(error(offset, HeaderErrorKind::NotADialRecord));
        }
        let (record, rest) = front::<{ DialRecord::BYTES }>(DialRecord::NAME, bytes)?;
        let (mut calling, mut called, mut own) = ([0; 8], [0; 8], [0; 12]);
        calling.copy_from_slice(&record[5..13]);
        called.copy_from_slice(&record[13..21]);
        own.copy_from_slice(&record[21..]);
        let phone = |at: usize, bytes| {
            Phone::from_bcd(bytes).map_err(|index| error(at + index, HeaderErrorKind::BadDigit))
        };
        Ok((DialRecord { calling: phone(5, calling)?, called: phone(13, called)?, own: Own(own) }, rest))
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(MARK);
        out.put_slice(&self.calling.0);
        out.put_slice(&self.called.0);
        out.put_slice(&self.own.0);
    }

    /// The number the terminal calls from.
    #[must_use]
    pub const fn calling(self) -> Phone {
        self.calling
    }

    /// The number it called.
    #[must_use]
    pub const fn called(self) -> Phone {
        self.called
    }
}

impl Phone {
    /// The digits, each 0 to 9. They name a line and so somebody; whoever asks for them keeps them out of logs.
    pub fn expose(&self) -> impl Iterator<Item = u8> + Clone + use<> {
        let bytes = self.0;
        bytes.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).take_while(|&nibble| nibble <= 9)
    }

    /// A number of digits and then `F`; the byte that is neither, otherwise.
    fn from_bcd(bytes: [u8; 8]) -> Result<Phone, usize> {
        let digits = bytes.iter().take_while(|&&byte| is_bcd(byte)).count();
        let is_filling = |byte: u8| byte == 0xFF || (byte & 0x0F == 0x0F && byte >> 4 <= 9);
        match bytes[digits..].split_first() {
            Some((&first, _)) if !is_filling(first) => Err(digits),
            Some((_, rest)) => match rest.iter().position(|&byte| byte != 0xFF) {
                Some(index) => Err(digits + 1 + index),
                None => Ok(Phone(bytes)),
            },
            None => Ok(Phone(bytes)),
        }
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.expose().count();
        if digits < 8 {
            return write!(f, "…({digits} digits)");
        }
        f.write_str("…")?;
        self.expose().skip(digits - 4).try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…({} bytes)", self.0.len())
    }
}

impl fmt::Display for DialRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dial record: called from {}, to {}", self.calling, self.called)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A record with these two numbers, and a byte behind it.
    fn record(calling: [u8; 8], called: [u8; 8]) -> Vec<u8> {
        [&MARK[..], &calling, &called, &[0xA5; 12], &[0x60]].concat()
    }

    const CALLING: [u8; 8] = [0x02, 0x10, 0x12, 0x34, 0x5F, 0xFF, 0xFF, 0xFF];
    const CALLED: [u8; 8] = [0x09, 0x55, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

    #[test]
    fn numbers_come_out_whole_and_are_printed_in_part() {
        let bytes = record(CALLING, CALLED);
        let (dial, rest) = DialRecord::parse(&bytes).unwrap();
        assert_eq!(rest, [0x60]);
        assert_eq!(dial.calling().expose().collect::<Vec<_>>(), [0, 2, 1, 0, 1, 2, 3, 4, 5]);
        assert_eq!(dial.to_string(), "dial record: called from …2345, to …(6 digits)");
        assert_eq!(
            format!("{dial:?}"),
            "DialRecord { calling: Phone(…2345), called: Phone(…(6 digits)), own: …(12 bytes) }"
        );
        let mut out = BytesMut::new();
        dial.write(&mut out);
        assert_eq!(out[..], bytes[..DialRecord::BYTES]);
        assert!(DialRecord::is_at(&bytes) && !DialRecord::is_at(b"LRI"));
    }

    #[test]
    fn sixteen_digits_and_none_are_numbers_too() {
        let (dial, _) = DialRecord::parse(&record([0x12; 8], [0xFF; 8])).map(|(dial, _)| (dial, ())).unwrap();
        assert_eq!((dial.calling().expose().count(), dial.called().expose().count()), (16, 0));
    }

    #[test]
    fn what_is_no_dial_record_is_refused_at_its_byte() {
        let bad = |at: usize, byte: u8| {
            let mut bytes = record(CALLING, CALLED);
            bytes[at] = byte;
            DialRecord::parse(&bytes).unwrap_err().to_string()
        };
        for (at, byte, want) in [
            (2, b'X', "dial record at byte 2: a dial record begins with LRI and a length of 28"),
            (4, 0x1D, "dial record at byte 4: a dial record begins with LRI and a length of 28"),
            (6, 0xA1, "dial record at byte 6: not a digit"),
            (9, 0xF5, "dial record at byte 9: not a digit"),
            (11, 0x11, "dial record at byte 11: not a digit"),
            (20, 0xF1, "dial record at byte 20: not a digit"),
        ] {
            assert_eq!(bad(at, byte), want);
        }
        let short = DialRecord::parse(&record(CALLING, CALLED)[..32]).unwrap_err();
        assert_eq!(short.to_string(), "dial record at byte 0: needs 33 bytes, 32 left");
        assert!(DialRecord::parse(b"LR").is_err());
    }
}
