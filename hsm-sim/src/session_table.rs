//! Keys of transactions that are used more than once: derived, kept until they are
//! ended, bounded, wiped.

use crate::{HsmError, MacAlgorithm, des_key::DesKey};

/// What the key of a session does, which is fixed when it is derived.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SessionPurpose {
    /// PIN blocks.
    Pin,
    /// MACs of one algorithm.
    Mac(MacAlgorithm),
    /// Encrypted tracks.
    Track,
}

/// Names one derived key. Copies are free; after the session is ended every copy is
/// refused, also when its place holds another key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionHandle {
    place: u32,
    generation: u32,
}

/// The most sessions at a time. Each costs about 300 bytes, of memory that is asked for
/// with the first session and used from the first one that takes its place.
pub const SESSIONS_MAX: usize = 65_536;

/// The keys of all sessions.
pub(crate) struct SessionTable {
    places: Vec<Place>,
    free: Vec<u32>,
    places_max: usize,
}

struct Place {
    generation: u32,
    held: Option<(SessionPurpose, DesKey)>,
}

impl SessionTable {
    pub(crate) fn new(places_max: usize) -> Self {
        Self { places: Vec::new(), free: Vec::new(), places_max }
    }

    /// Keeps a key.
    ///
    /// # Errors
    /// [`HsmError::TableFull`].
    pub(crate) fn insert(&mut self, purpose: SessionPurpose, key: DesKey) -> Result<SessionHandle, HsmError> {
        let held = Some((purpose, key));
        if let Some(place) = self.free.pop() {
            let found = &mut self.places[place as usize];
            found.held = held;
            return Ok(SessionHandle { place, generation: found.generation });
        }
        let place = u32::try_from(self.places.len()).map_err(|_| HsmError::TableFull)?;
        if self.places.len() >= self.places_max {
            return Err(HsmError::TableFull);
        }
        // All at once: a list that grew would leave keys in the memory that it gives back.
        self.places.reserve_exact(self.places_max - self.places.len());
        self.places.push(Place { generation: 0, held });
        Ok(SessionHandle { place, generation: 0 })
    }

    /// The key of a session, for its purpose only.
    ///
    /// # Errors
    /// [`HsmError::NoSuchKey`], [`HsmError::WrongSession`].
    pub(crate) fn find(&self, handle: SessionHandle, purpose: SessionPurpose) -> Result<&DesKey, HsmError> {
        let place = self.places.get(handle.place as usize);
        let place = place.filter(|place| place.generation == handle.generation);
        let (have, key) = place.and_then(|place| place.held.as_ref()).ok_or(HsmError::NoSuchKey)?;
        if *have == purpose { Ok(key) } else { Err(HsmError::WrongSession) }
    }

    /// Wipes a key. A stale handle does nothing.
    pub(crate) fn end(&mut self, handle: SessionHandle) {
        let Some(place) = self.places.get_mut(handle.place as usize) else { return };
        if place.generation != handle.generation || place.held.is_none() {
            return;
        }
        // Dropped where it is: a key that is taken out is wiped elsewhere.
        place.held = None;
        // A place whose generations are used up is given up, so that no handle ever comes back.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(handle.place);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key() -> DesKey {
        DesKey::new(&[0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x01]).unwrap()
    }

    #[test]
    fn a_session_is_good_until_it_is_ended_and_for_its_purpose_only() {
        let mut table = SessionTable::new(1);
        let handle = table.insert(SessionPurpose::Pin, key()).unwrap();
        assert!(table.find(handle, SessionPurpose::Pin).is_ok());
        assert_eq!(table.find(handle, SessionPurpose::Track).unwrap_err(), HsmError::WrongSession);
        assert_eq!(table.insert(SessionPurpose::Pin, key()), Err(HsmError::TableFull));
        table.end(handle);
        table.end(handle);
        assert_eq!(table.find(handle, SessionPurpose::Pin).unwrap_err(), HsmError::NoSuchKey);
        let other = table.insert(SessionPurpose::Pin, key()).unwrap();
        assert_ne!(handle, other);
        assert_eq!(table.find(handle, SessionPurpose::Pin).unwrap_err(), HsmError::NoSuchKey);
        table.end(handle);
        assert!(table.find(other, SessionPurpose::Pin).is_ok(), "a stale handle ends nothing");
    }
}
