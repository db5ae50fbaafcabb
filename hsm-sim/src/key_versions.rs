//! Two versions of one key at a time: while peers go over to the new one, both are
//! good.

use crate::KeyHandle;

/// The versions of one key that are accepted: the present one, and the one before
/// it until it is retired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyVersions {
    current: (u8, KeyHandle),
    previous: Option<(u8, KeyHandle)>,
}

/// A version that is not newer than the present one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("key version is not newer than the present one")]
pub struct StaleKeyVersion;

impl KeyVersions {
    /// A key with one version, as its block's header has it.
    #[must_use]
    pub fn new(version: u8, key: KeyHandle) -> Self {
        Self { current: (version, key), previous: None }
    }

    /// Goes over to a newer version; the present one stays good beside it. Answers
    /// the key that is good no longer, to be unloaded.
    ///
    /// # Errors
    /// [`StaleKeyVersion`]: an old key must not come back.
    pub fn advance(&mut self, version: u8, key: KeyHandle) -> Result<Option<KeyHandle>, StaleKeyVersion> {
        if version <= self.current.0 {
            return Err(StaleKeyVersion);
        }
        let dropped = self.previous.replace(self.current);
        self.current = (version, key);
        Ok(dropped.map(|(_, key)| key))
    }

    /// Ends the overlap. Answers the key that is good no longer, to be unloaded.
    pub fn retire(&mut self) -> Option<KeyHandle> {
        self.previous.take().map(|(_, key)| key)
    }

    /// The key for everything new.
    #[must_use]
    pub fn current(&self) -> KeyHandle {
        self.current.1
    }

    /// The key of a version that a message names, if it is good.
    #[must_use]
    pub fn of_version(&self, version: u8) -> Option<KeyHandle> {
        let found = [Some(self.current), self.previous].into_iter().flatten();
        found.filter(|(number, _)| *number == version).map(|(_, key)| key).next()
    }

    /// The keys that are good, the present one first, for messages that name none.
    pub fn accepted(&self) -> impl Iterator<Item = KeyHandle> + use<> {
        [Some(self.current), self.previous].into_iter().flatten().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32) -> KeyHandle {
        KeyHandle::for_tests(slot)
    }

    #[test]
    fn two_versions_are_good_and_never_three() {
        let mut keys = KeyVersions::new(1, key(1));
        assert_eq!(keys.advance(2, key(2)), Ok(None));
        assert_eq!((keys.of_version(1), keys.of_version(2)), (Some(key(1)), Some(key(2))));
        assert_eq!(keys.advance(5, key(5)), Ok(Some(key(1))));
        assert_eq!((keys.of_version(1), keys.of_version(2), keys.current()), (None, Some(key(2)), key(5)));
        assert_eq!(keys.accepted().collect::<Vec<_>>(), [key(5), key(2)]);
        assert_eq!(keys.retire(), Some(key(2)));
        assert_eq!((keys.retire(), keys.of_version(2)), (None, None));
        assert_eq!(keys.accepted().collect::<Vec<_>>(), [key(5)]);
    }

    #[test]
    fn an_old_version_never_comes_back() {
        let mut keys = KeyVersions::new(3, key(3));
        for version in 0..=3 {
            assert_eq!(keys.advance(version, key(9)), Err(StaleKeyVersion), "{version}");
        }
        assert_eq!(keys.current(), key(3));
    }
}
