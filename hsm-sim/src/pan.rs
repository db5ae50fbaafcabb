//! Card numbers as values that cannot be printed by accident.
//!
//! Start at [`Pan::parse`]. What a card number's range means (issuer, product,
//! length by network) is not known here.

use std::fmt;
use zeroize::Zeroize;

const LENGTH_MIN: usize = 12;
const LENGTH_MAX: usize = 19;

/// A primary account number: 12 to 19 digits with a valid Luhn check digit
/// (ISO/IEC 7812-1).
///
/// `Debug` and `Display` print `411111******1111`. The digits come out only
/// through [`Pan::expose`], so one grep lists every use of them. Held inline and
/// wiped on drop; not `Copy`, so that there are no copies nobody wipes.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Pan {
    /// ASCII; zero beyond `length`, so that the derived comparison is right.
    digits: [u8; LENGTH_MAX],
    length: u8,
}

/// Why some bytes are not a card number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PanError {
    /// Not 12 to 19 characters.
    #[error("card number must have 12 to 19 digits")]
    Length,
    /// A character that is no ASCII digit.
    #[error("card number has a character that is no digit")]
    NotDigits,
    /// The Luhn check digit does not match.
    #[error("card number has a wrong check digit")]
    CheckDigit,
}

impl Pan {
    /// Reads a card number from ASCII digits.
    ///
    /// # Errors
    /// See [`PanError`]; it never says which digit.
    pub fn parse(ascii: &[u8]) -> Result<Self, PanError> {
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&ascii.len()) {
            return Err(PanError::Length);
        }
        let (body, last) = ascii.split_at(ascii.len() - 1);
        let expected = check_digit(body).ok_or(PanError::NotDigits)?;
        match last[0] {
            digit if digit == expected => {}
            b'0'..=b'9' => return Err(PanError::CheckDigit),
            _ => return Err(PanError::NotDigits),
        }
        let mut digits = [0; LENGTH_MAX];
        digits[..ascii.len()].copy_from_slice(ascii);
        let length = u8::try_from(ascii.len()).map_err(|_| PanError::Length)?;
        Ok(Self { digits, length })
    }

    /// The digits in clear, as ASCII.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.digits[..usize::from(self.length)]
    }

    /// The first six digits, which name the issuer.
    #[must_use]
    pub fn bin(&self) -> u32 {
        self.digits[..6].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    }

    /// The last four digits as a number.
    #[must_use]
    pub fn last_four(&self) -> u16 {
        let digits = self.expose();
        digits[digits.len() - 4..].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
    }
}

impl Drop for Pan {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl fmt::Display for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = usize::from(self.length) - 10; // In range: a Pan has at least 12 digits.
        write!(f, "{:06}{:*<hidden$}{:04}", self.bin(), "", self.last_four())
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The Luhn check digit (ASCII) for digits that lack it, or `None` if one of
/// them is no ASCII digit (ISO/IEC 7812-1).
#[must_use]
pub fn check_digit(ascii_without: &[u8]) -> Option<u8> {
    let mut sum = 0;
    for (place, digit) in ascii_without.iter().rev().enumerate() {
        if !digit.is_ascii_digit() {
            return None;
        }
        let value = digit - b'0';
        // Every second digit from the right, the last one included, counts double; of a
        // two-digit product both digits count.
        sum += match (place % 2, value) {
            (0, 0..=4) => value * 2,
            (0, _) => value * 2 - 9,
            _ => value,
        };
        sum %= 10;
    }
    Some(b'0' + (10 - sum) % 10)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_check_digits_are_found() {
        for vector in crate::vectors::family("check_digit") {
            let expected = vector.expected("check_digit").as_bytes()[0];
            assert_eq!(check_digit(vector.input("body").as_bytes()), Some(expected), "{}", vector.id);
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        for (name, digits, want) in [
            ("eleven digits", "41111111111", PanError::Length),
            ("twenty digits", "41111111111111111111", PanError::Length),
            ("nothing", "", PanError::Length),
            ("a letter inside", "41111111A1111111", PanError::NotDigits),
            ("a letter at the end", "411111111111111x", PanError::NotDigits),
            ("a wrong check digit", "4111111111111112", PanError::CheckDigit),
        ] {
            assert_eq!(Pan::parse(digits.as_bytes()), Err(want), "{name}");
        }
    }

    #[test]
    fn printing_shows_first_six_and_last_four_only() {
        for (digits, want) in [
            ("4111111111111111", "411111******1111"),
            ("6222021001116245702", "622202*********5702"),
            ("000000000000", "000000**0000"),
        ] {
            let pan = Pan::parse(digits.as_bytes()).unwrap();
            assert_eq!(format!("{pan}"), want);
            assert_eq!(format!("{pan:?}"), want);
        }
    }

    #[test]
    fn the_parts_are_numbers() {
        let pan = Pan::parse(b"4761739001010119").unwrap();
        assert_eq!((pan.bin(), pan.last_four()), (476_173, 119));
    }

    proptest! {
        #[test]
        fn a_number_with_its_check_digit_parses_and_comes_back(body in "[0-9]{11,18}") {
            let mut digits = body.into_bytes();
            digits.push(check_digit(&digits).unwrap());
            let pan = Pan::parse(&digits).unwrap();
            prop_assert_eq!(pan.expose(), &digits[..]);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..32)) {
            if let Ok(pan) = Pan::parse(&bytes) {
                prop_assert_eq!(pan.expose(), &bytes[..]);
            }
        }
    }
}
