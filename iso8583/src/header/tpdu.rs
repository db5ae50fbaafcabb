//! The transport protocol data unit: where a frame goes and where it came from.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{HeaderError, HeaderErrorKind, front};

/// A TPDU: an identifier, a destination and an origin, 5 bytes in all.
///
/// The addresses are network identifiers (NII), by convention four digits in BCD. They are not checked:
/// concentrators number their lines in them as they like.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tpdu {
    id: u8,
    destination: [u8; 2],
    origin: [u8; 2],
}

impl Tpdu {
    /// Bytes of a TPDU.
    pub const BYTES: usize = 5;
    /// The identifier of a frame with a transaction in it.
    pub const TRANSACTIONS: u8 = 0x60;
    pub(super) const NAME: &str = "TPDU";

    /// A TPDU of a transaction.
    #[must_use]
    pub const fn new(destination: [u8; 2], origin: [u8; 2]) -> Tpdu {
        Tpdu { id: Tpdu::TRANSACTIONS, destination, origin }
    }

    /// Reads one from the front of `bytes`; returns what follows it too.
    ///
    /// # Errors
    /// Fewer than 5 bytes, or an identifier that is not 60 to 69.
    pub fn parse(bytes: &[u8]) -> Result<(Tpdu, &[u8]), HeaderError> {
        let (&[id, to_high, to_low, from_high, from_low], rest) = front(Tpdu::NAME, bytes)?;
        if !(0x60..=0x69).contains(&id) {
            return Err(HeaderError { header: Tpdu::NAME, offset: 0, kind: HeaderErrorKind::NotATpdu });
        }
        Ok((Tpdu { id, destination: [to_high, to_low], origin: [from_high, from_low] }, rest))
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_u8(self.id);
        out.put_slice(&self.destination);
        out.put_slice(&self.origin);
    }

    /// The same with destination and origin changed over: what an answer bears.
    #[must_use]
    pub const fn swapped(self) -> Tpdu {
        Tpdu { id: self.id, destination: self.origin, origin: self.destination }
    }

    /// The identifier, `0x60` for a transaction.
    #[must_use]
    pub const fn id(self) -> u8 {
        self.id
    }

    /// Where it goes.
    #[must_use]
    pub const fn destination(self) -> [u8; 2] {
        self.destination
    }

    /// Where it comes from.
    #[must_use]
    pub const fn origin(self) -> [u8; 2] {
        self.origin
    }
}

impl fmt::Display for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, from) = (u16::from_be_bytes(self.destination), u16::from_be_bytes(self.origin));
        write!(f, "TPDU {:02X}, to {to:04X}, from {from:04X}", self.id)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_answer_goes_back_where_the_request_came_from() {
        let bytes = [0x60, 0x06, 0x01, 0x00, 0x12, 0x61];
        let (tpdu, rest) = Tpdu::parse(&bytes).unwrap();
        assert_eq!((tpdu.id(), tpdu.destination(), tpdu.origin()), (0x60, [6, 1], [0, 0x12]));
        assert_eq!((rest, tpdu.to_string()), (&[0x61][..], "TPDU 60, to 0601, from 0012".to_owned()));
        let mut out = BytesMut::new();
        tpdu.swapped().write(&mut out);
        assert_eq!(out[..], [0x60, 0x00, 0x12, 0x06, 0x01]);
        assert_eq!((tpdu.swapped().swapped(), Tpdu::new([6, 1], [0, 0x12])), (tpdu, tpdu));
    }

    #[test]
    fn what_is_no_tpdu_is_refused() {
        for (bytes, want) in [
            (&[0x60, 0, 3, 0][..], "TPDU at byte 0: needs 5 bytes, 4 left"),
            (&[0x02, 0, 3, 0, 0], "TPDU at byte 0: a TPDU begins with 60 to 69"),
            (&[0x6A, 0, 3, 0, 0], "TPDU at byte 0: a TPDU begins with 60 to 69"),
        ] {
            assert_eq!(Tpdu::parse(bytes).unwrap_err().to_string(), want);
        }
    }
}
