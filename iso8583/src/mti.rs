//! The message type identifier: four digits in front of every message.
//!
//! Start at [`Mti`]. Which types a dialect accepts is the switch's business.

use std::fmt;

/// A message type identifier as its BCD value: `0x0200` is `0200`.
///
/// The digits are, by ISO 8583:1987 §4.1, version, class (1 authorization, 2
/// financial, 3 file, 4 reversal, 5 reconciliation, 6 administrative, 8
/// network), function (even asks, odd answers) and origin (odd repeats).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mti(u16);

impl Mti {
    /// The type with this BCD value. A nibble above 9 is not refused here but
    /// when a message is built; a decoded message never has one.
    #[must_use]
    pub const fn new(raw: u16) -> Mti {
        Mti(raw)
    }

    /// The BCD value, `0x0200` for `0200`.
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// The first digit: 0 for ISO 8583:1987, 1 for 1993, 2 for 2003.
    #[must_use]
    pub const fn version(self) -> u8 {
        self.0.to_be_bytes()[0] >> 4
    }

    /// The second digit: 2 for `0200`.
    #[must_use]
    pub const fn class(self) -> u8 {
        self.0.to_be_bytes()[0] & 0x0F
    }

    /// The third digit: 1 for `0210`.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.0.to_be_bytes()[1] >> 4
    }

    /// Whether an answer is expected to it (an even third digit).
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.function().is_multiple_of(2)
    }

    /// Whether it answers something (an odd third digit).
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !self.is_request()
    }

    /// The type that answers this one. A repeat gets the answer of the first
    /// sending (`0421` → `0430`); an answer is returned unchanged.
    #[must_use]
    pub const fn answer(self) -> Mti {
        if self.is_answer() { self } else { Mti((self.0 & !0x0001) + 0x0010) }
    }

    /// The type written in four characters, each of which is a digit in ASCII
    /// or EBCDIC.
    pub(crate) fn from_digits(digits: [u8; 4]) -> Mti {
        Mti(digits.iter().fold(0, |raw, digit| raw << 4 | u16::from(digit & 0x0F)))
    }

    /// Its digits as characters.
    pub(crate) fn to_ascii(self) -> [u8; 4] {
        let [high, low] = self.0.to_be_bytes();
        [high >> 4, high & 0x0F, low >> 4, low & 0x0F].map(|digit| b'0' + digit)
    }

    /// Whether all four nibbles are digits.
    pub(crate) const fn is_bcd(self) -> bool {
        let [high, low] = self.0.to_be_bytes();
        high >> 4 <= 9 && high & 0x0F <= 9 && low >> 4 <= 9 && low & 0x0F <= 9
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_its_answer() {
        for (asked, want) in [
            (0x0100, 0x0110),
            (0x0200, 0x0210),
            (0x0201, 0x0210),
            (0x0220, 0x0230),
            (0x0221, 0x0230),
            (0x0320, 0x0330),
            (0x0400, 0x0410),
            (0x0420, 0x0430),
            (0x0421, 0x0430),
            (0x0500, 0x0510),
            (0x0620, 0x0630),
            (0x0800, 0x0810),
            (0x0210, 0x0210),
        ] {
            assert_eq!(Mti::new(asked).answer(), Mti::new(want), "{asked:04x}");
        }
    }

    #[test]
    fn the_digits_are_named() {
        let advice = Mti::new(0x0421);
        assert_eq!((Mti::new(0x1420).version(), Mti::new(0x1420).class()), (1, 4));
        assert_eq!((advice.class(), advice.function(), advice.is_request()), (4, 2, true));
        assert!(advice.answer().is_answer());
        assert_eq!(advice.to_string(), "0421");
        assert_eq!((advice.to_ascii(), Mti::from_digits(*b"0421")), (*b"0421", advice));
        assert!(advice.is_bcd() && !Mti::new(0x02A0).is_bcd());
    }
}
