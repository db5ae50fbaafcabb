//! A set of field numbers in the shape of the bitmaps: the lowest number is the highest bit.

/// Which of the fields 1..=192 there are.
///
/// Three words and not one of 192 bits, whose shifts cost several times more.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct FieldSet {
    /// Fields 1 to 64.
    primary: u64,
    /// Fields 65 to 128.
    secondary: u64,
    /// Fields 129 to 192.
    tertiary: u64,
}

impl FieldSet {
    /// Adds what an 8-byte primary bitmap promises.
    pub(crate) fn add_primary(&mut self, bitmap: [u8; 8]) {
        self.primary |= u64::from_be_bytes(bitmap);
    }

    /// Adds what an 8-byte secondary bitmap promises.
    pub(crate) fn add_secondary(&mut self, bitmap: [u8; 8]) {
        self.secondary |= u64::from_be_bytes(bitmap);
    }

    /// Adds what an 8-byte tertiary bitmap promises.
    pub(crate) fn add_tertiary(&mut self, bitmap: [u8; 8]) {
        self.tertiary |= u64::from_be_bytes(bitmap);
    }

    /// The primary, the secondary and the tertiary bitmap.
    pub(crate) fn to_bitmaps(self) -> [[u8; 8]; 3] {
        [self.primary, self.secondary, self.tertiary].map(u64::to_be_bytes)
    }

    #[inline]
    pub(crate) fn contains(self, number: u8) -> bool {
        match number {
            1..=64 => self.primary & bit(number) != 0,
            65..=128 => self.secondary & bit(number) != 0,
            129..=192 => self.tertiary & bit(number) != 0,
            _ => false,
        }
    }

    /// Puts a number in; one that is no field's is ignored.
    #[inline]
    pub(crate) fn insert(&mut self, number: u8) {
        match number {
            1..=64 => self.primary |= bit(number),
            65..=128 => self.secondary |= bit(number),
            129..=192 => self.tertiary |= bit(number),
            _ => {}
        }
    }

    pub(crate) fn remove(&mut self, number: u8) {
        match number {
            1..=64 => self.primary &= !bit(number),
            65..=128 => self.secondary &= !bit(number),
            129..=192 => self.tertiary &= !bit(number),
            _ => {}
        }
    }
}

impl Iterator for FieldSet {
    type Item = u8;

    /// Takes the lowest field number out of the set.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (word, base) = match (self.primary, self.secondary) {
            (0, 0) => (&mut self.tertiary, 129),
            (0, _) => (&mut self.secondary, 65),
            _ => (&mut self.primary, 1),
        };
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
