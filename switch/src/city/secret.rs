//! Values of the city's files that must not be printed: clear keys, PINs, track data, phones.

use std::fmt;

use arrayvec::ArrayString;
use serde::Deserialize;

use crate::wipe;

/// Bytes in clear that `Debug` does not show and that are overwritten when dropped.
///
/// They come out only through [`Secret::expose`], so one grep lists every use of them.
#[derive(Clone)]
pub struct Secret<T: AsMut<[u8]>>(T);

impl<T: AsMut<[u8]>> Secret<T> {
    pub(super) fn new(bytes: T) -> Self {
        Self(bytes)
    }

    /// The bytes in clear.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: AsMut<[u8]>> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: AsMut<[u8]>> Drop for Secret<T> {
    fn drop(&mut self) {
        let bytes = self.0.as_mut();
        bytes.fill(0);
        // Without a reader the compiler may leave the writes out.
        std::hint::black_box(bytes);
    }
}

/// Text as it stands in a file of keys; no `Debug`, and overwritten when dropped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretText(String);

impl SecretText {
    /// The text in clear.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        wipe::text(std::mem::take(&mut self.0));
    }
}

/// A phone number, 3 to 15 digits. `Debug` shows the last two.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Phone(ArrayString<15>);

impl Phone {
    /// Reads 3 to 15 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        ArrayString::from(text).ok().filter(|_| digits).map(Self)
    }

    /// The digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In range: a phone has at least three ASCII digits.
        write!(f, "Phone(…{})", &self.0[self.0.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Secret::new([0x31_u8, 0x41, 0x59, 0x26])), "Secret(…)");
        let phone = Phone::parse("10000000042").map(|phone| format!("{phone:?}"));
        assert_eq!(phone.as_deref(), Some("Phone(…42)"));
    }

    #[test]
    fn a_phone_has_three_to_fifteen_digits() {
        let rows = [
            ("12", false),
            ("123", true),
            ("123456789012345", true),
            ("1234567890123456", false),
            ("12a", false),
        ];
        for (text, valid) in rows {
            assert_eq!(Phone::parse(text).is_some(), valid, "{text}");
        }
    }
}
