//! A bounded cache of PSAMs' own keys, which saves half of each derivation.
//!
//! Each key has one place, found from its master and PSAM number; whoever needs
//! the place next wipes what is in it, because dropping a [`DesKey`] does.

use crate::{KeyHandle, PsamNumber, des_key::DesKey};

/// Derived keys by master and PSAM number.
pub(crate) struct DerivedCache {
    /// Empty until the first PSAM: most HSMs never see one.
    places: Vec<Option<Occupant>>,
    capacity: usize,
}

struct Occupant {
    master: KeyHandle,
    psam: PsamNumber,
    key: DesKey,
}

impl DerivedCache {
    /// Room for `capacity` keys, at least one; allocated with the first of them
    /// and never again.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { places: Vec::new(), capacity: capacity.max(1) }
    }

    pub(crate) fn find(&self, master: KeyHandle, psam: PsamNumber) -> Option<&DesKey> {
        let occupant = self.places.get(self.place(master, psam))?.as_ref()?;
        (occupant.master == master && occupant.psam == psam).then_some(&occupant.key)
    }

    /// Puts a key in its place and wipes the one that was there.
    pub(crate) fn insert(&mut self, master: KeyHandle, psam: PsamNumber, key: DesKey) {
        if self.places.is_empty() {
            self.places.resize_with(self.capacity, || None);
        }
        let place = self.place(master, psam);
        self.places[place] = Some(Occupant { master, psam, key });
    }

    /// Wipes every key of one master.
    pub(crate) fn forget(&mut self, master: KeyHandle) {
        for place in &mut self.places {
            if place.as_ref().is_some_and(|occupant| occupant.master == master) {
                *place = None;
            }
        }
    }

    /// PSAM numbers count up and the four masters lie side by side, so both are
    /// spread by multiplication with 2⁶⁴ divided by the golden ratio.
    fn place(&self, master: KeyHandle, psam: PsamNumber) -> usize {
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let number = u64::from_be_bytes(*psam.as_bcd()) ^ u64::from(master.slot()).wrapping_mul(SPREAD);
        let spread = u128::from(number.wrapping_mul(SPREAD)) * self.capacity as u128;
        // INVARIANT: a 64-bit number times the capacity, divided by 2⁶⁴, is below the capacity.
        usize::try_from(spread >> 64).expect("below the capacity")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn psam(number: u8) -> PsamNumber {
        PsamNumber::parse_bcd(&[0, 0, 0, 0, 0, 0, 0x12, number]).unwrap()
    }

    /// A key that can be told from others by its check block.
    fn key(number: u8) -> DesKey {
        DesKey::new(&[0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, number << 1]).unwrap()
    }

    fn holds(cache: &DerivedCache, master: KeyHandle, number: u8) -> bool {
        let found = cache.find(master, psam(number));
        found.is_some_and(|found| found.check_block() == key(number).check_block())
    }

    #[test]
    fn a_key_is_found_by_its_master_and_number_only() {
        let (master, other) = (KeyHandle::for_tests(1), KeyHandle::for_tests(2));
        let mut cache = DerivedCache::new(64);
        assert!(!holds(&cache, master, 1));
        cache.insert(master, psam(1), key(1));
        assert!(holds(&cache, master, 1) && !holds(&cache, master, 2) && !holds(&cache, other, 1));
    }

    #[test]
    fn room_for_none_is_room_for_one() {
        let (master, other) = (KeyHandle::for_tests(1), KeyHandle::for_tests(2));
        let mut cache = DerivedCache::new(0);
        cache.insert(master, psam(1), key(1));
        cache.insert(other, psam(2), key(2));
        assert!(!holds(&cache, master, 1) && holds(&cache, other, 2));
    }

    #[test]
    fn forgetting_a_master_wipes_its_keys_and_no_others() {
        let (master, other) = (KeyHandle::for_tests(1), KeyHandle::for_tests(2));
        let mut cache = DerivedCache::new(4096);
        for number in 0..8 {
            cache.insert(master, psam(number), key(number));
        }
        cache.insert(other, psam(9), key(9));
        cache.forget(master);
        assert!((0..8).all(|number| cache.find(master, psam(number)).is_none()));
        assert!(holds(&cache, other, 9));
    }

    #[test]
    fn consecutive_numbers_of_four_masters_share_few_places() {
        let cache = DerivedCache::new(1024);
        let mut places: Vec<_> = (0..4)
            .flat_map(|slot| (0..100).map(move |number| (KeyHandle::for_tests(slot), number)))
            .map(|(master, number)| cache.place(master, psam(number / 10 * 16 + number % 10)))
            .collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() > 250, "{} places for 400 keys", places.len());
    }
}
