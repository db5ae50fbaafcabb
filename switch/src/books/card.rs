//! A card as the books keep it: 56 bytes, because there may be ten million of them.
//!
//! What is rare or wide stands apart or packed: regions of a card's own in a box, the linked phone as a number. In a
//! checkpoint a card looks as if it were not: a phone is text, regions are a list.
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
    pub regions: OwnRegions,
}

// There is one for every card that was ever issued.
const _: () = assert!(size_of::<Card>() == 56);

impl Card {
    /// The number as it may be shown: BIN and last four.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{:06}…{:04}", self.bin, self.last_four)
    }
}

/// Where the table of cards looks for a token. A token is a MAC under a secret key, so its bytes are as good as any
/// hash of them, and nobody can choose card numbers that meet.
pub(super) fn hash_of(token: &Token) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = token.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// A phone number of at most 16 digits, or none.
///
/// Kept as the number that it makes with a 1 in front, which keeps zeros at its beginning; 17 digits that begin with
/// 1 fit in seven bytes. `Debug` shows none of it.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct LinkedPhone([u8; 7]);

impl LinkedPhone {
    /// Packs digits; `None` if there is something else among them. No digits are no phone.
    #[must_use]
    pub fn pack(digits: &str) -> Option<Self> {
        if digits.is_empty() {
            return Some(Self::default());
        }
        let short = digits.len() <= 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            digits.bytes().filter(|_| short).fold(1, |number, byte| number * 10 + u64::from(byte & 15));
        let [a, b, c, d, e, f, g, _] = number.to_le_bytes();
        short.then_some(Self([a, b, c, d, e, f, g]))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> ArrayString<16> {
        let [a, b, c, d, e, f, g] = self.0;
        let mut left = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
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

/// Regions of a card's own: few cards have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnRegions(Option<Box<Regions>>);

impl From<&Regions> for OwnRegions {
    fn from(regions: &Regions) -> Self {
        Self((!regions.is_empty()).then(|| Box::new(regions.clone())))
    }
}

impl std::ops::Deref for OwnRegions {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.0.as_deref().map_or(&[], |regions| regions.as_slice())
    }
}

impl Serialize for OwnRegions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnRegions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Regions::deserialize(deserializer).map(|regions| Self::from(&regions))
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

    #[test]
    fn regions_are_a_list_in_a_checkpoint_and_cost_nothing_where_there_are_none() {
        for list in [vec![], vec![310_000], vec![310_000, 320_500]] {
            let regions: Regions = list.iter().copied().collect();
            let own = OwnRegions::from(&regions);
            assert_eq!(&own[..], list);
            assert_eq!(own.0.is_none(), list.is_empty());
            let bytes = postcard::to_stdvec(&own).unwrap();
            assert_eq!(bytes, postcard::to_stdvec(&regions).unwrap());
            assert_eq!(postcard::from_bytes::<OwnRegions>(&bytes), Ok(own));
        }
    }
}
