//! Track 2 data as an encrypted field carries it, and in clear as a value that
//! prints nothing.
//!
//! What the characters mean (card number, expiry, service code) is not known
//! here. Start at [`Track2`].

use crate::{HsmError, des_key::DesKey};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Characters on a track 2 without its sentinels and check character (ISO 7813).
const CHARACTERS_MAX: usize = 37;

/// As many characters and the `F` after them, in whole cipher blocks.
pub(crate) const SEALED_MAX: usize = 24;

/// Nibbles in a cipher block; padding is shorter than that.
const BLOCK_NIBBLES: usize = 16;

/// Track 2 data in clear: up to 37 digits with one `=` among them.
///
/// Held inline and wiped on drop; not `Copy`, so that there are no copies nobody
/// wipes. `Debug` shows nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct Track2 {
    /// ASCII; zero beyond `length`, so that the derived comparison is right.
    characters: [u8; CHARACTERS_MAX],
    length: u8,
}

impl Track2 {
    /// The characters in clear, as ASCII: digits, and `=` as separator.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.characters[..usize::from(self.length)]
    }

    /// Decrypts (CBC, zero initialisation vector, sound because the key is used
    /// once) and reads BCD: digits with one `D`, an `F`, zeros to the end of the
    /// cipher block.
    ///
    /// # Errors
    /// [`HsmError::Track`], the same for every fault.
    pub(crate) fn open(key: &DesKey, sealed: &[u8]) -> Result<Self, HsmError> {
        let mut buffer = Zeroizing::new([0; SEALED_MAX]);
        let clear = buffer.get_mut(..sealed.len()).ok_or(HsmError::Track)?;
        if !sealed.len().is_multiple_of(BLOCK_NIBBLES / 2) {
            return Err(HsmError::Track);
        }
        clear.copy_from_slice(sealed);
        key.decrypt_cbc(clear);
        Self::from_bcd(clear)
    }

    /// All nibbles are looked at and there is one error for all faults, so it does
    /// not tell where the fault is.
    pub(crate) fn from_bcd(bcd: &[u8]) -> Result<Self, HsmError> {
        let mut track = Self { characters: [0; CHARACTERS_MAX], length: 0 };
        let (mut separators, mut padding, mut good) = (0, 0, true);
        for nibble in bcd.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            match nibble {
                0..=9 if padding == 0 => good &= track.push(b'0' + nibble),
                0xD if padding == 0 => {
                    separators += 1;
                    good &= track.push(b'=');
                }
                0xF if padding == 0 => padding = 1,
                0 => padding += 1,
                _ => good = false,
            }
        }
        good &= separators == 1 && (1..=BLOCK_NIBBLES).contains(&padding);
        if good { Ok(track) } else { Err(HsmError::Track) }
    }

    /// False if there is no room left.
    fn push(&mut self, character: u8) -> bool {
        let place = self.characters.get_mut(usize::from(self.length));
        let fits = place.is_some();
        if let Some(place) = place {
            *place = character;
            self.length += 1;
        }
        fits
    }
}

/// The PSAM's side.
#[cfg(any(test, feature = "emulator"))]
impl Track2 {
    /// Reads ASCII digits with one `=` among them.
    pub(crate) fn parse(ascii: &[u8]) -> Result<Self, HsmError> {
        let mut track = Self { characters: [0; CHARACTERS_MAX], length: 0 };
        let readable = ascii.iter().all(|character| matches!(character, b'0'..=b'9' | b'='));
        let separators = ascii.iter().filter(|character| **character == b'=').count();
        if readable && separators == 1 && ascii.iter().all(|character| track.push(*character)) {
            Ok(track)
        } else {
            Err(HsmError::Track)
        }
    }

    /// The inverse of [`Track2::open`].
    pub(crate) fn seal(&self, key: &DesKey) -> arrayvec::ArrayVec<u8, SEALED_MAX> {
        let mut nibbles = Zeroizing::new([0; 2 * SEALED_MAX]);
        for (nibble, character) in nibbles.iter_mut().zip(self.expose()) {
            *nibble = if *character == b'=' { 0xD } else { character - b'0' };
        }
        nibbles[usize::from(self.length)] = 0xF;
        let length = (usize::from(self.length) + 1).next_multiple_of(BLOCK_NIBBLES);
        let mut bytes: arrayvec::ArrayVec<u8, SEALED_MAX> =
            nibbles[..length].chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        key.encrypt_cbc(&mut bytes);
        bytes
    }
}

impl Drop for Track2 {
    fn drop(&mut self) {
        self.characters.zeroize();
        self.length.zeroize();
    }
}

impl fmt::Debug for Track2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Track2")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    fn key() -> DesKey {
        DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap()
    }

    #[test]
    fn known_tracks_are_sealed_and_opened() {
        for vector in vectors::family("psam_session_ours") {
            let key = DesKey::new(&vector.expected_bytes("sk_track")).unwrap();
            let (track, sealed) = (vector.input("track2").as_bytes(), vector.expected_bytes("track2_enc"));
            assert_eq!(Track2::parse(track).unwrap().seal(&key)[..], sealed, "{}", vector.id);
            assert_eq!(Track2::open(&key, &sealed).unwrap().expose(), track, "{}", vector.id);
        }
    }

    #[test]
    fn a_malformed_track_has_one_error_wherever_the_fault_is() {
        for (name, bcd) in [
            ("nothing", ""),
            ("no separator", "1234567890123F00"),
            ("two separators", "123D456D89012F00"),
            ("no end", "123D456789012345"),
            ("a letter", "123DA56789012F00"),
            ("padding that is not zero", "123D456789012F01"),
            ("a second F", "123D456789012F0F"),
            ("a digit after the end", "123D45678F012000"),
            ("a block of padding too many", "123D45678901234F0000000000000000"),
            ("38 characters", "123D5678901234567890123456789012345678F000000000"),
        ] {
            let mut sealed = vectors::bytes(bcd);
            key().encrypt_cbc(&mut sealed);
            assert_eq!(Track2::open(&key(), &sealed).unwrap_err(), HsmError::Track, "{name}");
        }
        for good in [
            "123D45678901234F",
            "123D456789012345F000000000000000",
            "123D567890123456789012345678901234567F0000000000",
        ] {
            let mut sealed = vectors::bytes(good);
            key().encrypt_cbc(&mut sealed);
            assert!(Track2::open(&key(), &sealed).is_ok(), "{good}");
        }
        for length in [1, 7, 9, 32] {
            assert_eq!(
                Track2::open(&key(), &vec![0; length]).unwrap_err(),
                HsmError::Track,
                "{length} bytes"
            );
        }
    }

    #[test]
    fn what_is_no_track_is_not_sealed() {
        for bad in ["", "1234", "12==34", "12D34", "123=456789012345678901234567890123456789"] {
            assert_eq!(Track2::parse(bad.as_bytes()).unwrap_err(), HsmError::Track, "{bad}");
        }
    }

    #[test]
    fn a_track_prints_nothing() {
        assert_eq!(format!("{:?}", Track2::parse(b"4761739001010119=2612").unwrap()), "Track2");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(track in "[0-9]{0,19}=[0-9]{0,17}") {
            let sealed = Track2::parse(track.as_bytes()).unwrap().seal(&key());
            let opened = Track2::open(&key(), &sealed).unwrap();
            prop_assert_eq!(opened.expose(), track.as_bytes());
        }

        #[test]
        fn what_reads_is_what_would_be_written(
            blocks in 1_usize..4,
            digits in "[0-9]{1,19}=[0-9]{0,17}",
            change in any::<(usize, u8)>(),
        ) {
            // Somewhere near a track, or no random bytes would ever read as one.
            let text = format!("{}F{:0<48}", digits.replace('=', "D"), "");
            let mut bcd = vectors::bytes(&text[..blocks * BLOCK_NIBBLES]);
            let place = change.0 % bcd.len();
            bcd[place] ^= change.1 & change.1 >> 3;
            if let Ok(track) = Track2::from_bcd(&bcd) {
                let mut sealed = bcd.clone();
                key().encrypt_cbc(&mut sealed);
                prop_assert_eq!(&track.seal(&key())[..], &sealed[..]);
            }
        }
    }
}
