//! A long list that grows by a part of itself, for tables with a row for every card.
//!
//! A list that doubles may own twice the memory that its rows take. This one owns at most one part in
//! 64 more. Growing more often costs little: the system moves pages of large allocations, it does not copy them.
//!
//! Start at [`Rows::push`]; for everything else it is a slice.

use std::ops::{Deref, DerefMut};

/// See the module.
#[derive(Clone, Debug)]
pub struct Rows<T>(Vec<T>);

/// The part of itself by which it grows.
const PART: usize = 64;

/// The fewest rows by which a list grows.
const STEP_MIN: usize = 256;

impl<T> Rows<T> {
    /// Adds a row at the end.
    pub fn push(&mut self, row: T) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / PART).max(STEP_MIN));
        }
        self.0.push(row);
    }

    /// Bytes that its rows own, those included for which there is only room.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<T>()
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for Rows<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Rows<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_owns_little_more_than_its_rows_take() {
        let mut rows = Rows::default();
        for row in 0..100_000_u64 {
            rows.push(row);
            let taken = rows.len() * size_of::<u64>();
            assert!(rows.bytes() <= taken + (taken / PART).max(STEP_MIN * size_of::<u64>()), "{row}");
        }
        assert!((0..).zip(rows.iter()).all(|(want, row)| want == *row));
    }
}
