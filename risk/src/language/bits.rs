//! Which rules of a set: one bit for each, by its place. Written down, it is as long as its last rule needs.

use arrayvec::ArrayVec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most rules that are evaluated together.
pub const RULES_MAX: usize = 256;

/// A set of rules, by their places in a rule set.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct RuleBits([u64; RULES_MAX / 64]);

impl RuleBits {
    /// The words of the set: 64 places each, the first in the lowest bit of the first.
    #[must_use]
    pub fn words(&self) -> [u64; RULES_MAX / 64] {
        self.0
    }

    /// The set of these words.
    #[must_use]
    pub fn of_words(words: [u64; RULES_MAX / 64]) -> Self {
        Self(words)
    }

    /// Takes a rule in. A place past [`RULES_MAX`] is none.
    pub fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    /// Whether a rule is among them.
    #[must_use]
    pub fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Those that are in both.
    #[must_use]
    #[inline]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Those that are in either.
    #[must_use]
    #[inline]
    pub fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// Those that are not among the others.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !others.0[word]))
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        let word = self.0.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).step_by(64).zip(self.0).flat_map(|(first, word)| {
            let without_first = |left: &u64| Some(left & (left - 1)).filter(|left| *left != 0);
            let begun = Some(word).filter(|word| *word != 0);
            std::iter::successors(begun, without_first)
                .map(move |left| first + left.trailing_zeros() as usize)
        })
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }
}

impl Serialize for RuleBits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = self.0.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        serializer.collect_seq(&self.0[..words])
    }
}

impl<'de> Deserialize<'de> for RuleBits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = ArrayVec::<u64, { RULES_MAX / 64 }>::deserialize(deserializer)?;
        let mut words = [0; RULES_MAX / 64];
        words[..written.len()].copy_from_slice(&written);
        Ok(Self(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found_by_their_places_alone() {
        let mut bits = RuleBits::default();
        assert!(bits.is_empty());
        [255, 3, 64, 256, usize::MAX].into_iter().for_each(|place| bits.set(place));
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 64, 255]);
        assert_eq!(bits.first(), Some(3));
        assert_eq!(RuleBits::of_words(bits.words()), bits);
        let mut other = RuleBits::default();
        other.set(64);
        assert_eq!(bits.and(&other), other);
        assert_eq!(bits.or(&other), bits);
        assert_eq!(RuleBits::default().or(&other), other);
        assert_eq!(bits.without(&other).iter().collect::<Vec<_>>(), [3, 255]);
        assert!(!bits.contains(256));
    }
}
