//! What is told to a [`super::History`], and what it is asked for: whose request it was, when, and what became of it.
//!
//! Start at [`Happened`].

use serde::{Deserialize, Serialize};

use crate::Day;
use crate::language::{By, Of};

/// Whose request it is, by position in the books; the BIN by its digits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Whose {
    /// The card. Cards that the books do not know need numbers too, so that trying many of them is seen: a piece of
    /// their token with the highest bit set is no position of a card that is known.
    pub card: u64,
    /// The terminal.
    pub terminal: u32,
    /// The merchant.
    pub merchant: u32,
    /// The card's product.
    pub product: u16,
    /// The first six digits.
    pub bin: u32,
}

/// Where a request was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    /// The terminal's region (GB/T 2260); 0 if it has none.
    pub region: u32,
    /// The spot, if it is known: without it there is no speed.
    pub spot: Option<Spot>,
}

/// What a request counts as: one bit for each kind of count.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Marks(u8);

/// A request and what became of it. Repeats, and what we or somebody behind us could not answer, are not told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Happened {
    /// Its number, of the record that it is in: larger than any before.
    pub number: u64,
    /// Its recorded time, milliseconds since 1970 UTC. Times do not go back; one that does counts as the latest.
    pub at_ms: i64,
    /// Its business day.
    pub day: Day,
    /// Whose it is.
    pub whose: Whose,
    /// What was asked for, minor units; 0 for an inquiry.
    pub amount: i64,
    /// What of it was approved, minor units: less, where it was approved in part.
    pub approved: i64,
    /// ISO 4217 number. Sums are of the set's own currency.
    pub currency: u16,
    /// What it counts as.
    pub marks: Marks,
    /// Where it was made.
    pub place: Place,
}

/// What went back of an approved request. It leaves the windows of its own time, and stays an attempt.
///
/// A negative amount is taken again after it had gone back: it is in the windows of the original's time once more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TakenBack {
    /// The original's number.
    pub number: u64,
    /// Whose the original is.
    pub whose: Whose,
    /// The original's business day.
    pub day: Day,
    /// How much, minor units: all that is left of it if it is taken back whole.
    pub amount: i64,
    /// The original's currency, ISO 4217 number.
    pub currency: u16,
    /// Whether nothing is left, so that it no longer counts as one; with a negative amount, whether it counts again.
    pub whole: bool,
}

/// Something that is counted by: its two numbers, the second of pairs alone.
pub(super) type Key = (u64, u32);

impl Whose {
    pub(super) fn key(&self, by: By) -> Key {
        match by {
            By::Card => (self.card, 0),
            By::Terminal => (u64::from(self.terminal), 0),
            By::Merchant => (u64::from(self.merchant), 0),
            By::Product => (u64::from(self.product), 0),
            By::Bin => (u64::from(self.bin), 0),
            By::CardAtMerchant => (self.card, self.merchant),
        }
    }
}

impl Marks {
    /// An approved request.
    pub const APPROVED: Self = Self(1 << Of::Approved as u8 | 1 << Of::Attempts as u8);
    /// A declined request, whose cause is none that is counted by itself.
    pub const DECLINED: Self = Self(1 << Of::Declined as u8 | 1 << Of::Attempts as u8);
    /// A request that neither approved nor declined anything: an inquiry that was answered.
    pub const ATTEMPT: Self = Self(1 << Of::Attempts as u8);

    /// What a request counts as, by what became of it.
    #[must_use]
    pub fn of(all: &[Of]) -> Self {
        all.iter().fold(Self::default(), |marks, of| marks.and(*of))
    }

    /// These, and one more: the cause of a decline.
    #[must_use]
    pub fn and(self, of: Of) -> Self {
        Self(self.0 | 1 << of as u8)
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(self, of: Of) -> bool {
        self.0 >> of as u8 & 1 == 1
    }

    /// All but this one.
    #[must_use]
    pub fn without(self, of: Of) -> Self {
        Self(self.0 & !(1 << of as u8))
    }
}

/// A spot on the earth, in ten-thousandths of a degree: eleven metres.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Spot {
    /// Degrees north.
    pub north_e4: i32,
    /// Degrees east.
    pub east_e4: i32,
}

impl Spot {
    /// Metres to another spot as the crow flies, to about a hundredth within a country. Whole numbers only, so that it
    /// is the same on every machine.
    #[must_use]
    pub fn metres_to(self, other: Self) -> i64 {
        /// Metres in ten-thousandths of a degree of a meridian, times a thousand (WGS 84, mean).
        const METRES_E3: i64 = 11_113;
        const ROUND_E4: i64 = 3_600_000;
        let (north, other_north) = (i64::from(self.north_e4), i64::from(other.north_e4));
        let apart = (i64::from(self.east_e4) - i64::from(other.east_e4)).rem_euclid(ROUND_E4);
        // The shorter way around, and as short as degrees are at that height.
        let east = apart.min(ROUND_E4 - apart) * cosine_e6((north + other_north) / 2) / 1_000_000;
        let squared = (north - other_north).pow(2) + east.pow(2);
        let e4 = i64::try_from(squared.unsigned_abs().isqrt()).unwrap_or(i64::MAX);
        e4.saturating_mul(METRES_E3) / 1_000
    }
}

/// The cosine of ten-thousandths of a degree, in millionths, by Bhaskara's formula: off by less than 0.002.
fn cosine_e6(degrees_e4: i64) -> i64 {
    let squared = (degrees_e4 / 100).clamp(-9_000, 9_000).pow(2);
    let half_turn = 18_000_i64.pow(2);
    1_000_000 * (half_turn - 4 * squared) / (half_turn + squared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spots_are_as_far_apart_as_on_a_map() {
        let spot = |north_e4, east_e4| Spot { north_e4, east_e4 };
        let shanghai = spot(312_304, 1_214_737);
        let cases = [
            ("the same spot", shanghai, shanghai, 0, 0),
            ("Shanghai and Beijing", shanghai, spot(399_042, 1_164_074), 1_050_000, 1_090_000),
            ("Shanghai and Hangzhou", shanghai, spot(302_741, 1_201_551), 160_000, 170_000),
            ("over the line of the date", spot(0, 1_799_000), spot(0, -1_799_000), 22_000, 22_500),
            ("from pole to pole", spot(900_000, 0), spot(-900_000, 0), 20_000_000, 20_010_000),
        ];
        for (name, one, other, least, most) in cases {
            let metres = one.metres_to(other);
            assert!((least..=most).contains(&metres), "{name}: {metres}");
            assert_eq!(metres, other.metres_to(one), "{name}, back");
        }
    }
}
