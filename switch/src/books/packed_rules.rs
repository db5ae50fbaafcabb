//! Texts of a set of rules as an order carries them: packed, so that a set of two hundred rules fits a record of the journal.
//!
//! What is signed, sent and recorded are the packed bytes themselves. Nobody packs texts a second time and compares, so
//! another way to pack them would be no other order.

use std::borrow::Cow;

use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};
use serde::{Deserialize, Serialize};

use super::rulebook::RuleText;

/// Most bytes that the texts of a set may have, names included, before they are packed.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

/// The texts, what stands before each (its length, at most 5 bytes, twice), and how many they are.
const PLAIN_BYTES_MAX: usize = TEXT_BYTES_MAX + 32 * 10 + 5;

/// As small as it gets: a set is packed once.
const LEVEL: u8 = 10;

/// Files of rules in `postcard`'s format, packed with DEFLATE (RFC 1951).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PackedRules(pub Vec<u8>);

impl PackedRules {
    /// Packs files. [`PackedRules::files`] gives them back if they have no more than [`TEXT_BYTES_MAX`] bytes.
    #[must_use]
    pub fn pack(files: &[RuleText]) -> Self {
        // INVARIANT: texts have no shape that postcard does not know, and memory takes what it is given.
        let plain = postcard::to_allocvec(files).expect("texts serialise to memory");
        Self(compress_to_vec(&plain, LEVEL))
    }

    /// The files. None if these are no packed files, or more than they may be.
    #[must_use]
    pub fn files(&self) -> Option<Vec<RuleText>> {
        let plain = decompress_to_vec_with_limit(&self.0, PLAIN_BYTES_MAX).ok()?;
        let (files, rest) = postcard::take_from_bytes::<Vec<RuleText>>(&plain).ok()?;
        let bytes: usize = files.iter().map(|file| file.name.len() + file.text.len()).sum();
        (rest.is_empty() && bytes <= TEXT_BYTES_MAX).then_some(files)
    }
}

/// The texts of a set as its record has them, and so in a snapshot too: nothing is packed anew.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Texts {
    /// As they were written.
    Plain(Vec<RuleText>),
    /// Packed.
    Packed(PackedRules),
}

impl Texts {
    /// The files. None if they are packed and cannot be unpacked.
    #[must_use]
    pub fn files(&self) -> Option<Cow<'_, [RuleText]>> {
        match self {
            Self::Plain(files) => Some(Cow::Borrowed(files)),
            Self::Packed(packed) => packed.files().map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(bytes: usize) -> Vec<RuleText> {
        let text = |length| RuleText { name: "a.toml".into(), text: "r".repeat(length) };
        vec![text(0), text(bytes - 12)]
    }

    #[test]
    fn what_was_packed_comes_out_again_up_to_the_most() {
        for bytes in [12, 1_000, TEXT_BYTES_MAX] {
            let files = files(bytes);
            assert_eq!(PackedRules::pack(&files).files(), Some(files));
        }
        assert_eq!(PackedRules::pack(&files(TEXT_BYTES_MAX + 1)).files(), None);
        assert_eq!(PackedRules::pack(&[]).files(), Some(Vec::new()));
    }

    #[test]
    fn packed_bytes_are_read_as_the_standard_says() {
        let plain = b"\x01\x06a.toml\x03# x";
        let length = u8::try_from(plain.len()).expect("short");
        // The last block, stored as it is: its length, the same inverted, its bytes (RFC 1951, 3.2.4).
        let packed = [&[1, length, 0, !length, 0xFF], &plain[..]].concat();
        let file = RuleText { name: "a.toml".into(), text: "# x".into() };
        assert_eq!(PackedRules(packed).files(), Some(vec![file]));
    }

    #[test]
    fn whatever_else_comes_is_refused_in_bounded_room() {
        let bomb = compress_to_vec(&vec![0; 64 << 20], LEVEL);
        assert_eq!(PackedRules(bomb).files(), None);
        let good = PackedRules::pack(&files(500)).0;
        for length in 0..good.len() {
            assert_eq!(PackedRules(good[..length].to_vec()).files(), None, "cut at {length}");
        }
        let more =
            compress_to_vec(&[&postcard::to_allocvec(&files(20)).expect("texts")[..], b"x"].concat(), LEVEL);
        assert_eq!(PackedRules(more).files(), None, "bytes behind the last file");
        let mut changed = good.clone();
        for at in 0..good.len() {
            for bit in 0..8 {
                changed[at] ^= 1 << bit;
                // Other texts, or none; never a panic.
                let _other = PackedRules(changed.clone()).files();
                changed[at] ^= 1 << bit;
            }
        }
    }
}
