//! TR-31 key blocks as text: the only form in which a key exists outside.
//!
//! Here is the structure (ANSI X9.143, ISO 20038): header, optional blocks,
//! hexadecimal body. Nothing here is secret and nothing is authenticated; that
//! is `tr31`.

use crate::KeyUsage;
use arrayvec::ArrayString;
use std::fmt;

/// The longest key block that is kept, in characters: version D around a 32-byte
/// key, without optional blocks.
pub const KEY_BLOCK_MAX: usize = 144;

/// The longest key block that is exchanged, in characters: one with optional blocks.
pub const TRANSPORT_BLOCK_MAX: usize = 512;

/// The fixed part of the header, in characters.
pub(crate) const HEADER_LENGTH: usize = 16;

/// A TR-31 key block of version B or D, held inline.
///
/// Well formed, but not yet authenticated: only [`crate::Hsm::load_key`] knows
/// whether it is genuine. `Debug` shows version and usage, never the rest.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyBlock(ArrayString<KEY_BLOCK_MAX>);

/// A TR-31 key block of version B or D on its way to somebody else, perhaps with
/// optional blocks. `Debug` shows version and usage, never the rest.
#[derive(Clone, Eq, PartialEq)]
pub struct TransportBlock(ArrayString<TRANSPORT_BLOCK_MAX>);

impl TransportBlock {
    /// For the wrapper, which writes only what is well formed.
    pub(crate) fn from_wrapped(text: ArrayString<TRANSPORT_BLOCK_MAX>) -> Self {
        Self(text)
    }

    /// The key block as text, to be sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TransportBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportBlock({} {} …)", &self.0[..1], &self.0[5..7])
    }
}

/// Why a key block was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyBlockError {
    /// Too short, too long, or not as long as its header says.
    #[error("key block length is wrong")]
    Length,
    /// A character that its place does not allow.
    #[error("key block has a character that is not allowed in its place")]
    Character,
    /// A version other than the one expected.
    #[error("key block version is not supported")]
    Version,
    /// An optional block that does not fit.
    #[error("key block has a malformed optional block")]
    OptionalBlock,
    /// The header or the key was changed, or it was wrapped under another key.
    #[error("key block is not authentic")]
    Authentication,
    /// Authentic, but the padded key inside has an impossible length.
    #[error("key block holds a key of an impossible length")]
    KeyLength,
    /// A key usage that this HSM does not know, or not the one asked for.
    #[error("key block has a key usage that is unknown or not the one asked for")]
    Usage,
    /// The algorithm is not the one of the usage.
    #[error("key block has an algorithm that does not fit its usage")]
    Algorithm,
    /// It says another check value than its key has.
    #[error("key block has a check value that is not its key's")]
    CheckValue,
    /// The mode of use is not the one of the usage.
    #[error("key block has a mode of use that does not fit its usage")]
    Mode,
}

/// The text of a key block, taken apart.
pub(crate) struct Parts<'a> {
    /// With optional blocks; as it is authenticated.
    pub(crate) header: &'a [u8],
    /// Hexadecimal, encrypted.
    pub(crate) key: &'a [u8],
    /// Hexadecimal.
    pub(crate) mac: &'a [u8],
}

impl KeyBlock {
    /// Reads a key block and checks its structure.
    ///
    /// # Errors
    /// [`KeyBlockError`] with the first rule broken.
    pub fn parse(text: &str) -> Result<Self, KeyBlockError> {
        let mut block = Self(blank());
        block.0.try_push_str(text).map_err(|_| KeyBlockError::Length)?;
        BlockText::parse(text)?;
        Ok(block)
    }

    /// The key block as text, to be stored or sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For the wrapper, which writes only what is well formed.
    pub(crate) fn from_wrapped(text: ArrayString<KEY_BLOCK_MAX>) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> BlockText<'_> {
        BlockText(self.0.as_bytes())
    }

    pub(crate) fn usage_code(&self) -> &[u8] {
        &self.0.as_bytes()[5..7]
    }

    pub(crate) fn algorithm(&self) -> u8 {
        self.text().algorithm()
    }

    /// The key's version number: 1 to 99, or 0 if it has none.
    #[must_use]
    pub fn key_version(&self) -> u8 {
        self.text().key_version()
    }

    /// The mode of use, as its header has it: `B` encrypts and decrypts, `C` makes and
    /// verifies, `X` derives. Well formed, not authenticated.
    #[must_use]
    pub fn mode_of_use(&self) -> char {
        char::from(self.text().mode())
    }

    /// The exportability, as its header has it: `N`, `E` or `S`. Well formed, not
    /// authenticated.
    #[must_use]
    pub fn exportability(&self) -> char {
        self.text().exportability()
    }

    /// Whether the key inside may leave under a trusted key. `S`, which would let it
    /// leave under others too, counts as no.
    #[must_use]
    pub fn is_exportable(&self) -> bool {
        self.text().is_exportable()
    }
}

/// Room for the text of a block, all of it zero: otherwise the part that a short block does not take would keep
/// what was on the stack there, and carry it wherever the block goes.
pub(crate) fn blank<const N: usize>() -> ArrayString<N> {
    let mut text = ArrayString::zero_filled();
    text.clear();
    text
}

/// A well-formed key block, wherever its text is kept.
#[derive(Clone, Copy)]
pub(crate) struct BlockText<'a>(&'a [u8]);

impl<'a> From<&'a KeyBlock> for BlockText<'a> {
    fn from(block: &'a KeyBlock) -> Self {
        block.text()
    }
}

impl<'a> BlockText<'a> {
    /// Checks the structure.
    pub(crate) fn parse(text: &'a str) -> Result<Self, KeyBlockError> {
        let bytes = text.as_bytes();
        if bytes.len() < HEADER_LENGTH {
            return Err(KeyBlockError::Length);
        }
        let block = Self(bytes);
        let mac_length = block.mac_length().ok_or(KeyBlockError::Version)?;
        check_header(bytes)?;
        let (header, body) = bytes.split_at(header_length(bytes)?);
        // The body is whole cipher blocks, at least one of them, and the MAC, which is one more.
        if body.len() < 4 * mac_length || body.len() % (2 * mac_length) != 0 {
            return Err(KeyBlockError::Length);
        }
        if !header.iter().all(u8::is_ascii_graphic) || !body.iter().all(is_upper_hex) {
            return Err(KeyBlockError::Character);
        }
        Ok(block)
    }

    pub(crate) fn version(self) -> u8 {
        self.0[0]
    }

    pub(crate) fn usage_code(self) -> &'a [u8] {
        &self.0[5..7]
    }

    pub(crate) fn algorithm(self) -> u8 {
        self.0[7]
    }

    pub(crate) fn mode(self) -> u8 {
        self.0[8]
    }

    /// Letters, which may stand there as well, are no version this HSM knows: 0.
    pub(crate) fn key_version(self) -> u8 {
        decimal(&self.0[9..11]).and_then(|version| u8::try_from(version).ok()).unwrap_or(0)
    }

    pub(crate) fn exportability(self) -> char {
        char::from(self.0[11])
    }

    pub(crate) fn is_exportable(self) -> bool {
        self.exportability() == 'E'
    }

    /// The optional blocks as they stand there.
    pub(crate) fn optional_text(self) -> Result<&'a [u8], KeyBlockError> {
        Ok(&self.0[HEADER_LENGTH..header_length(self.0)?])
    }

    /// The data of the first optional block of this identifier.
    pub(crate) fn optional(self, identifier: [u8; 2]) -> Result<Option<&'a [u8]>, KeyBlockError> {
        let mut rest = self.optional_text()?;
        while let [a, b, high, low, ..] = *rest {
            let mut length = [0];
            let known = crate::hex::decode(&[high, low], &mut length);
            let (block, next) =
                rest.split_at_checked(usize::from(length[0])).ok_or(KeyBlockError::OptionalBlock)?;
            if [a, b] == identifier && known {
                return Ok(block.get(4..));
            }
            rest = next;
        }
        Ok(None)
    }

    /// Whether algorithm and mode of use are the ones of this usage, for a key of
    /// `key_length` bytes.
    pub(crate) fn check_attributes(self, usage: KeyUsage, key_length: usize) -> Result<(), KeyBlockError> {
        if self.algorithm() != usage.algorithm(key_length) {
            return Err(KeyBlockError::Algorithm);
        }
        if self.mode() != usage.mode() {
            return Err(KeyBlockError::Mode);
        }
        Ok(())
    }

    pub(crate) fn parts(self) -> Result<Parts<'a>, KeyBlockError> {
        let bytes = self.0;
        let mac_length = self.mac_length().ok_or(KeyBlockError::Version)?;
        let (header, body) = bytes.split_at(header_length(bytes)?);
        let mac_start = body.len().checked_sub(2 * mac_length).ok_or(KeyBlockError::Length)?;
        let (key, mac) = body.split_at(mac_start);
        Ok(Parts { header, key, mac })
    }

    /// MAC in bytes, which is also the cipher's block: 8 for triple DES, 16 for AES.
    fn mac_length(self) -> Option<usize> {
        match self.version() {
            b'B' => Some(8),
            b'D' => Some(16),
            _ => None,
        }
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        write!(f, "KeyBlock({} {} …)", &text[..1], &text[5..7])
    }
}

/// Version 1, length 4 digits, usage 2, algorithm 1, mode 1, key version 2,
/// exportability 1, optional blocks 2 digits, reserved `00`.
fn check_header(bytes: &[u8]) -> Result<(), KeyBlockError> {
    if decimal(&bytes[1..5]) != Some(bytes.len()) {
        return Err(KeyBlockError::Length);
    }
    let alphanumeric = bytes[5..12].iter().all(u8::is_ascii_alphanumeric);
    if !alphanumeric || !matches!(bytes[11], b'E' | b'N' | b'S') || &bytes[14..16] != b"00" {
        return Err(KeyBlockError::Character);
    }
    Ok(())
}

/// Where the optional blocks end. Each is an identifier of two characters and
/// its whole length in two hexadecimal digits.
fn header_length(bytes: &[u8]) -> Result<usize, KeyBlockError> {
    let count = decimal(&bytes[12..14]).ok_or(KeyBlockError::Character)?;
    let mut end = HEADER_LENGTH;
    for _ in 0..count {
        let digits = bytes.get(end + 2..end + 4).ok_or(KeyBlockError::OptionalBlock)?;
        let mut length = [0];
        if !crate::hex::decode(digits, &mut length) || length[0] < 4 {
            return Err(KeyBlockError::OptionalBlock);
        }
        end += usize::from(length[0]);
    }
    if end <= bytes.len() { Ok(end) } else { Err(KeyBlockError::OptionalBlock) }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}

fn is_upper_hex(character: &u8) -> bool {
    matches!(character, b'0'..=b'9' | b'A'..=b'F')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    const GOOD: &str = "D0112P0TE00E0000AA2465C88806B7698559D02EAF10129025876317D7C0E08B0A7A5B510FDD898F4C047EDA3A9608F45185D6B3B16FBA86";

    #[test]
    fn published_blocks_parse_and_come_back() {
        for vector in ["tr31_unwrap", "tr31_reject"].into_iter().flat_map(vectors::family) {
            let text = vector.input("key_block");
            assert_eq!(KeyBlock::parse(text).unwrap().as_str(), text, "{}", vector.id);
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        use KeyBlockError::{Character, Length, OptionalBlock, Version};
        let long = format!("D0176{}", &"0".repeat(171));
        for (name, text, want) in [
            ("empty", "", Length),
            ("shorter than a header", "D0112P0TE00E000", Length),
            ("longer than the longest", &long, Length),
            ("length that is not its own", &GOOD.replacen("0112", "0144", 1), Length),
            ("length that is no number", &GOOD.replacen("0112", "01A2", 1), Length),
            ("header alone", "D0016P0TE00E0000", Length),
            ("version A", &GOOD.replacen('D', "A", 1), Version),
            ("unknown exportability", &GOOD.replacen("00E0000", "00X0000", 1), Character),
            ("reserved field in use", &GOOD.replacen("E0000", "E0001", 1), Character),
            (
                "lower case in the body",
                &GOOD.to_lowercase().replacen("d0112p0te00e", "D0112P0TE00E", 1),
                Character,
            ),
            (
                "an optional block shorter than its own head",
                &GOOD.replacen("E0000AA24", "E0100AA03", 1),
                OptionalBlock,
            ),
            ("an optional block beyond the end", &GOOD.replacen("E0000AA24", "E0100AAFF", 1), OptionalBlock),
        ] {
            assert_eq!(KeyBlock::parse(text), Err(want), "{name}");
        }
    }

    #[test]
    fn printing_shows_version_and_usage_only() {
        assert_eq!(format!("{:?}", KeyBlock::parse(GOOD).unwrap()), "KeyBlock(D P0 …)");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[BD]?[0-9]{0,4}[ -~]{0,140}") {
            if let Ok(block) = KeyBlock::parse(&text) {
                prop_assert!(block.text().parts().is_ok());
            }
        }

        #[test]
        fn no_change_of_a_good_block_panics(place in 0..GOOD.len(), character in "\\PC") {
            let mut text = GOOD.to_owned();
            text.replace_range(place..=place, &character);
            if let Ok(block) = KeyBlock::parse(&text) {
                prop_assert!(block.text().parts().is_ok());
            }
        }
    }
}
