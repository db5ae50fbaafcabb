//! Amounts as people write them: major units with two decimals, read and written as integers.

use std::fmt;

/// The largest amount field 4 holds, in minor units.
pub const AMOUNT_MAX: i64 = 999_999_999_999;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AmountError {
    /// Not digits, a point and two digits.
    #[error("must be digits, a point and two digits, such as 12.50")]
    Form,
    /// More than the field for it can hold.
    #[error("must be at most {}", Major(AMOUNT_MAX))]
    TooLarge,
}

/// Reads `12.50` as 1250 minor units. No sign, no grouping, always two decimals.
///
/// # Errors
/// See [`AmountError`].
pub fn parse_major(text: &str) -> Result<i64, AmountError> {
    let (major, minor) = text.split_once('.').ok_or(AmountError::Form)?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(major) || !digits(minor) || minor.len() != 2 {
        return Err(AmountError::Form);
    }
    let amount = major
        .bytes()
        .chain(minor.bytes())
        .try_fold(0_i64, |amount, digit| amount.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
    amount.filter(|amount| *amount <= AMOUNT_MAX).ok_or(AmountError::TooLarge)
}

/// An amount of minor units that prints in major units: 1250 as `12.50`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Major(pub i64);

impl fmt::Display for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", minor / 100, minor % 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_one_form() {
        for (name, text, want) in [
            ("plain", "12.50", Ok(1250)),
            ("under one", "0.07", Ok(7)),
            ("zero", "0.00", Ok(0)),
            ("leading zeros", "007.00", Ok(700)),
            ("the largest", "9999999999.99", Ok(AMOUNT_MAX)),
            ("one more", "10000000000.00", Err(AmountError::TooLarge)),
            ("beyond 64 bits", "99999999999999999999.00", Err(AmountError::TooLarge)),
            ("no decimals", "12", Err(AmountError::Form)),
            ("one decimal", "12.5", Err(AmountError::Form)),
            ("three decimals", "12.505", Err(AmountError::Form)),
            ("nothing before the point", ".50", Err(AmountError::Form)),
            ("a comma", "12,50", Err(AmountError::Form)),
            ("a sign", "-1.00", Err(AmountError::Form)),
            ("a plus", "+1.00", Err(AmountError::Form)),
            ("a second point", "1.00.0", Err(AmountError::Form)),
            ("a space", " 1.00", Err(AmountError::Form)),
            ("no ASCII digit", "١.00", Err(AmountError::Form)),
            ("nothing", "", Err(AmountError::Form)),
        ] {
            assert_eq!(parse_major(text), want, "{name}");
        }
    }

    #[test]
    fn a_negative_balance_keeps_its_sign_below_one() {
        assert_eq!(Major(-7).to_string(), "-0.07");
        assert_eq!(format!("{:>8}", Major(-1250)), "  -12.50");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let powers = (0..12).map(|exponent| 10_i64.pow(exponent));
        for amount in powers.flat_map(|power| [power - 1, power, power + 1]).chain([0, AMOUNT_MAX]) {
            assert_eq!(parse_major(&Major(amount).to_string()), Ok(amount));
        }
    }
}
