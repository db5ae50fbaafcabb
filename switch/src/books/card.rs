//! A card as others see it, and as a checkpoint has it. How the books keep ten million of them is in [`super::cards`].
//!
//! Start at [`Card`].

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    event::{CardState, Pvv, Token},
    product::Regions,
};
use crate::ledger::AccountId;

/// A card.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Card {
    /// Stands for the number.
    pub token: Token,
    /// First six digits.
    pub bin: u32,
    /// Last four digits.
    pub last_four: u16,
    /// Position of its product.
    pub product: u16,
    /// Position of its orderer.
    pub orderer: u16,
    /// State.
    pub state: CardState,
    /// Year and month, `YYMM`.
    pub expiry_yymm: u16,
    /// Key index of the PIN verification value.
    pub pvki: u8,
    /// PIN verification value.
    pub pvv: Pvv,
    /// Counts changes of the PIN verification value.
    pub pin_version: u16,
    /// Wrong PINs since the last right one.
    pub pin_tries: u8,
    /// First of its purses; they follow one another in the product's order of use.
    pub first_purse: AccountId,
    /// Linked phone, if any.
    pub phone: LinkedPhone,
    /// Regions that its holder allows; empty is everywhere.
    pub regions: Regions,
}

impl Card {
    /// The number as it may be shown: BIN and last four.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{:06}…{:04}", self.bin, self.last_four)
    }
}

/// A phone number of at most 16 digits, or none.
///
/// Kept as the number that it makes with a 1 in front, which keeps zeros at its beginning. In a checkpoint it is text.
/// `Debug` shows none of it.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct LinkedPhone(u64);

impl LinkedPhone {
    /// How many bits it takes: 17 digits that begin with 1 are below 2⁵⁵.
    pub(super) const BITS: u32 = 55;

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Packs digits; `None` if there is something else among them. No digits are no phone.
    #[must_use]
    pub fn pack(digits: &str) -> Option<Self> {
        if digits.is_empty() {
            return Some(Self::default());
        }
        let short = digits.len() <= 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            digits.bytes().filter(|_| short).fold(1, |number, byte| number * 10 + u64::from(byte & 15));
        short.then_some(Self(number))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> ArrayString<16> {
        let mut left = self.0;
        let mut reversed = arrayvec::ArrayVec::<u8, 16>::new();
        // The last digit left is the 1 in front.
        while left >= 10 && !reversed.is_full() {
            reversed.push(b'0' + (left % 10) as u8);
            left /= 10;
        }
        reversed.iter().rev().map(|digit| char::from(*digit)).fold(ArrayString::new(), |mut digits, digit| {
            digits.push(digit);
            digits
        })
    }
}

impl std::fmt::Debug for LinkedPhone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "LinkedPhone(…)" })
    }
}

impl Serialize for LinkedPhone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digits().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LinkedPhone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = ArrayString::<16>::deserialize(deserializer)?;
        Self::pack(&digits).ok_or_else(|| D::Error::custom("a phone is not made of digits"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_phone_comes_out_as_it_went_in_and_in_a_checkpoint_is_text() {
        for digits in ["", "0", "007", "10000000001", "02100000001", "9999999999999999", "0000000000000000"] {
            let phone = LinkedPhone::pack(digits).unwrap();
            assert_eq!(phone.digits().as_str(), digits);
            assert_eq!(phone.is_empty(), digits.is_empty());
            let bytes = postcard::to_stdvec(&phone).unwrap();
            assert_eq!(bytes, postcard::to_stdvec(digits).unwrap());
            assert_eq!(postcard::from_bytes::<LinkedPhone>(&bytes), Ok(phone));
        }
        assert!(!format!("{:?}", LinkedPhone::pack("10000000042").unwrap()).contains("42"));
    }

    #[test]
    fn what_is_no_phone_is_not_packed_and_not_read() {
        for text in ["+8621", "12a", " ", "12345678901234567"] {
            assert_eq!(LinkedPhone::pack(text), None, "{text}");
        }
        let bytes = postcard::to_stdvec("+8621").unwrap();
        assert!(postcard::from_bytes::<LinkedPhone>(&bytes).is_err());
    }
}
