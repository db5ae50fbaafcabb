//! A set of field numbers in the shape of the bitmaps: the lowest number is the highest bit.

/// Which of the fields 1..=128 there are.
///
/// Two words and not one of 128 bits, whose shifts cost several times more.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) struct FieldSet {
    /// Fields 1 to 64.
    primary: u64,
    /// Fields 65 to 128.
    secondary: u64,
}

impl FieldSet {
    /// The set behind the 8-byte primary and secondary bitmaps.
    pub(crate) fn from_bitmaps(primary: [u8; 8], secondary: [u8; 8]) -> FieldSet {
        FieldSet { primary: u64::from_be_bytes(primary), secondary: u64::from_be_bytes(secondary) }
    }

    /// The primary and the secondary bitmap.
    pub(crate) fn to_bitmaps(self) -> [[u8; 8]; 2] {
        [self.primary.to_be_bytes(), self.secondary.to_be_bytes()]
    }

    #[inline]
    pub(crate) fn contains(self, number: u8) -> bool {
        match number {
            1..=64 => self.primary & bit(number) != 0,
            65..=128 => self.secondary & bit(number) != 0,
            _ => false,
        }
    }

    /// Puts a number in; one that is no field's is ignored.
    #[inline]
    pub(crate) fn insert(&mut self, number: u8) {
        match number {
            1..=64 => self.primary |= bit(number),
            65..=128 => self.secondary |= bit(number),
            _ => {}
        }
    }

    pub(crate) fn remove(&mut self, number: u8) {
        match number {
            1..=64 => self.primary &= !bit(number),
            65..=128 => self.secondary &= !bit(number),
            _ => {}
        }
    }
}

impl Iterator for FieldSet {
    type Item = u8;

    /// Takes the lowest field number out of the set.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (word, base) = if self.primary == 0 { (&mut self.secondary, 65) } else { (&mut self.primary, 1) };
        if *word == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a word that is not 0 has at most 63 leading zeros"
        )]
        let index = word.leading_zeros() as u8;
        *word &= !bit(base + index);
        Some(base + index)
    }
}

/// The bit of a field in its word.
#[inline]
fn bit(number: u8) -> u64 {
    1 << (63 - (number - 1) % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_ascending_and_odd_ones_are_in_no_set() {
        let mut set = FieldSet::default();
        for number in [128, 2, 0, 65, 64, 129, 255] {
            set.insert(number);
        }
        assert_eq!(set.collect::<Vec<_>>(), [2, 64, 65, 128]);
        assert!(!set.contains(0) && !set.contains(129) && set.contains(128));
        let mut primary = [0; 8];
        primary[0] = 0x80;
        assert!(FieldSet::from_bitmaps(primary, [0; 8]).contains(1));
    }
}
