//! Names of cards, terminals and merchants as numbers, given out as they come.
//!
//! Start at [`Names::number`].

use hashbrown::HashMap;

/// Most different names of one data set; a name takes about 50 bytes.
pub(super) const NAMES_MAX: usize = 50_000_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<Box<[u8]>, u32>);

impl Names {
    /// The number of a name; none if there is no room for another.
    pub(super) fn number(&mut self, name: &[u8]) -> Option<u32> {
        if let Some(number) = self.0.get(name) {
            return Some(*number);
        }
        let number = u32::try_from(self.0.len()).ok().filter(|_| self.0.len() < NAMES_MAX)?;
        self.0.insert(name.into(), number);
        Some(number)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
