//! A set of field numbers in the shape of the bitmaps: the lowest number is the highest bit.

/// Which of the fields 1..=192 there are.
///
/// Three words and not one of 192 bits, whose shifts cost several times more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct FieldSet {
    /// Fields 1 to 64, 65 to 128, 129 to 192.
    words: [u64; 3],
}

impl FieldSet {
    /// Adds what an 8-byte primary bitmap promises.
    pub(crate) fn add_primary(&mut self, bitmap: [u8; 8]) {
        self.words[0] |= u64::from_be_bytes(bitmap);
    }

    /// Adds what an 8-byte secondary bitmap promises.
    pub(crate) fn add_secondary(&mut self, bitmap: [u8; 8]) {
        self.words[1] |= u64::from_be_bytes(bitmap);
    }

    /// Adds what an 8-byte tertiary bitmap promises.
    pub(crate) fn add_tertiary(&mut self, bitmap: [u8; 8]) {
        self.words[2] |= u64::from_be_bytes(bitmap);
    }

    /// The primary, the secondary and the tertiary bitmap.
    pub(crate) fn to_bitmaps(self) -> [[u8; 8]; 3] {
        self.words.map(u64::to_be_bytes)
    }

    /// Visits the numbers, ascending, until a visit comes to nothing.
    #[inline]
    pub(crate) fn each(self, mut visit: impl FnMut(u8) -> Option<()>) -> Option<()> {
        for (base, word) in [1u8, 65, 129].into_iter().zip(self.words) {
            // The lowest bit is cheaper to find and to take out than the highest.
            let mut word = word.reverse_bits();
            while word != 0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a word that is not 0 has at most 63 zeros"
                )]
                let index = word.trailing_zeros() as u8;
                word &= word - 1;
                visit(base + index)?;
            }
        }
        Some(())
    }

    #[inline]
    pub(crate) fn contains(self, number: u8) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Puts a number in; one that is no field's is ignored.
    #[inline]
    pub(crate) fn insert(&mut self, number: u8) {
        let (word, bit) = place(number);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, number: u8) {
        let (word, bit) = place(number);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }
}

impl Iterator for FieldSet {
    type Item = u8;

    /// Takes the lowest field number out of the set.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (word, base) = match self.words {
            [0, 0, _] => (&mut self.words[2], 129),
            [0, ..] => (&mut self.words[1], 65),
            _ => (&mut self.words[0], 1),
        };
        if *word == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a word that is not 0 has at most 63 leading zeros"
        )]
        let index = word.leading_zeros() as u8;
        *word ^= FIRST >> index;
        Some(base + index)
    }
}

/// The bit of the lowest number of a word.
const FIRST: u64 = 1 << 63;

/// The word and the bit of a number; of 0, a word that there is not.
#[inline]
fn place(number: u8) -> (usize, u64) {
    let index = number.wrapping_sub(1);
    (usize::from(index / 64), FIRST >> (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_ascending_and_odd_ones_are_in_no_set() {
        let mut set = FieldSet::default();
        for number in [128, 2, 0, 65, 64, 129, 192, 193, 255] {
            set.insert(number);
        }
        assert_eq!(set.collect::<Vec<_>>(), [2, 64, 65, 128, 129, 192]);
        assert!(!set.contains(0) && !set.contains(193) && set.contains(128) && set.contains(192));
        let (mut left, mut right) = (set, FieldSet::default());
        left.remove(192);
        let [primary, secondary, tertiary] = left.to_bitmaps();
        right.add_primary(primary);
        right.add_secondary(secondary);
        right.add_tertiary(tertiary);
        assert!(left == right && !right.contains(192));
    }
}
