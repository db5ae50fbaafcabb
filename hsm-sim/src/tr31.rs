//! Wrapping and unwrapping of TR-31 key blocks, versions B and D (ANSI X9.143,
//! "key derivation binding method").
//!
//! From one protection key two are derived by CMAC: one encrypts, one
//! authenticates header and key together. Start at [`ProtectionKey`]. What the
//! header's usage means is not decided here.

use crate::{
    Entropy, KeyBlock, KeyBlockError, KeyUsage, TransportBlock, hex,
    key_block::{BlockText, HEADER_LENGTH, KEY_BLOCK_MAX, Parts, blank},
};
use aes::{Aes128, Aes192, Aes256};
use arrayvec::ArrayString;
use cipher::{Block, BlockCipherDecrypt, Key, KeyInit, common::InnerInit as _, typenum::Unsigned as _};
use cmac::{Cmac, Mac as _, block_api::CmacCipher};
use des::{TdesEde2, TdesEde3};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Room for the payload (key length, key, padding) of the longest key block.
const PAYLOAD_MAX: usize = (KEY_BLOCK_MAX - HEADER_LENGTH) / 2;

/// The payload of a new block is as if the key had at least 24 bytes, so that
/// its length does not tell single, double and triple DES keys apart.
const PADDED_KEY_MIN: usize = 24;

/// The number in front of the key in the payload: its length in bits, 2 bytes.
const KEY_LENGTH_BYTES: usize = 2;

/// A cipher that a protection key may belong to.
pub(crate) trait ProtectionCipher: CmacCipher + BlockCipherDecrypt + KeyInit + Clone {
    /// First character of the key blocks it makes.
    const VERSION: u8;
    /// Algorithm and length in bits of the derived keys, as the derivation wants
    /// them (two bytes each).
    const DERIVED: [u8; 4];
}

macro_rules! protection_ciphers {
    ($($cipher:ty: $version:literal, $derived:expr;)+) => {$(
        impl ProtectionCipher for $cipher {
            const VERSION: u8 = $version;
            const DERIVED: [u8; 4] = $derived;
        }
    )+};
}

protection_ciphers! {
    TdesEde2: b'B', [0, 0, 0x00, 0x80];
    TdesEde3: b'B', [0, 1, 0x00, 0xC0];
    Aes128: b'D', [0, 2, 0x00, 0x80];
    Aes192: b'D', [0, 3, 0x00, 0xC0];
    Aes256: b'D', [0, 4, 0x01, 0x00];
}

/// What a header says of its key, as it is written there.
#[derive(Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) usage: &'static str,
    pub(crate) algorithm: char,
    pub(crate) mode: char,
    /// 1 to 99, or 0 for none.
    pub(crate) version: u8,
    /// `E` if the key may leave under a trusted key, `N` if never.
    pub(crate) exportability: char,
}

impl Attributes {
    /// The only ones that a key of this usage and length may have; it is not
    /// exportable.
    pub(crate) fn of(usage: KeyUsage, key_length: usize) -> Self {
        let algorithm = char::from(usage.algorithm(key_length));
        let mode = char::from(usage.mode());
        Self { usage: usage.code(), algorithm, mode, version: 0, exportability: 'N' }
    }

    /// The same for a key of this version.
    pub(crate) fn version(self, version: u8) -> Self {
        Self { version: version % 100, ..self }
    }

    /// The same for a key that may leave again, or may not.
    pub(crate) fn exportable(self, exportable: bool) -> Self {
        Self { exportability: if exportable { 'E' } else { 'N' }, ..self }
    }
}

/// A key that protects key blocks, as the two keys derived from it.
///
/// The protection key itself is not kept. Both are wiped on drop by their crates.
pub(crate) struct ProtectionKey<C: ProtectionCipher> {
    encryption: C,
    authentication: Cmac<C>,
}

/// The usage of the two derived keys in the derivation (two bytes).
const ENCRYPTION: [u8; 2] = [0, 0];
const AUTHENTICATION: [u8; 2] = [0, 1];

impl<C: ProtectionCipher> ProtectionKey<C> {
    /// Derives both keys.
    pub(crate) fn new(key: &Key<C>) -> Self {
        Self {
            encryption: derive(key, ENCRYPTION),
            authentication: Cmac::inner_init(derive(key, AUTHENTICATION)),
        }
    }

    /// Wraps a key of at most 32 bytes, without optional blocks.
    pub(crate) fn wrap(&self, attributes: Attributes, key: &[u8], entropy: &mut dyn Entropy) -> KeyBlock {
        // INVARIANT: KEY_BLOCK_MAX has room for the longest key.
        let text = self.wrap_with(attributes, &[], key, entropy).expect("it fits without optional blocks");
        KeyBlock::from_wrapped(text)
    }

    /// Wraps a key of at most 32 bytes with optional blocks, each an identifier and at most 251 characters. A
    /// padding block comes after them if their length needs one.
    ///
    /// # Errors
    /// [`KeyBlockError::Length`] if the block has no room for them.
    pub(crate) fn wrap_for_transport(
        &self,
        attributes: Attributes,
        optional: &[(&str, &str)],
        key: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<TransportBlock, KeyBlockError> {
        let mut blocks = Vec::with_capacity(optional.len() + 1);
        blocks.extend_from_slice(optional);
        let length: usize = optional.iter().map(|(_, data)| 4 + data.len()).sum();
        let unit = C::BlockSize::USIZE;
        // A padding block is four characters itself; all `0`, because nothing hides in it.
        let padding =
            if length.is_multiple_of(unit) { 0 } else { (length + 4).next_multiple_of(unit) - length };
        if let Some(padding) = padding.checked_sub(4) {
            blocks.push(("PB", &"0000000000000000"[..padding]));
        }
        self.wrap_with(attributes, &blocks, key, entropy).map(TransportBlock::from_wrapped)
    }

    fn wrap_with<const N: usize>(
        &self,
        attributes: Attributes,
        optional: &[(&str, &str)],
        key: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<ArrayString<N>, KeyBlockError> {
        let length = (KEY_LENGTH_BYTES + key.len().max(PADDED_KEY_MIN)).next_multiple_of(C::BlockSize::USIZE);
        let mut payload = Zeroizing::new([0; PAYLOAD_MAX]);
        let payload = &mut payload[..length];
        entropy.fill(payload);
        let (bits, rest) = payload.split_at_mut(KEY_LENGTH_BYTES);
        // INVARIANT: callers pass keys of 8 to 32 bytes, which is at most 256 bits.
        bits.copy_from_slice(&u16::try_from(key.len() * 8).expect("keys are short").to_be_bytes());
        rest[..key.len()].copy_from_slice(key);

        let mut text = blank();
        let body = 2 * (length + C::BlockSize::USIZE);
        write_header::<N>(&mut text, C::VERSION, attributes, optional, body)
            .map_err(|_| KeyBlockError::Length)?;
        let mac = self.mac(text.as_bytes(), payload);
        self.encrypt(payload, &mac);
        for digit in payload.iter().chain(&mac).flat_map(|byte| hex::upper_byte(*byte)) {
            text.try_push(char::from(digit)).map_err(|_| KeyBlockError::Length)?;
        }
        Ok(text)
    }

    /// Authenticates a block and shows its key to `take`. It is not returned, because
    /// a key that is moved leaves a copy where it was.
    ///
    /// # Errors
    /// [`KeyBlockError::Version`] for another cipher's block,
    /// [`KeyBlockError::Authentication`] if anything in it was changed.
    pub(crate) fn unwrap<'b, T>(
        &self,
        block: impl Into<BlockText<'b>>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, KeyBlockError> {
        let block = block.into();
        if block.version() != C::VERSION {
            return Err(KeyBlockError::Version);
        }
        let Parts { header, key, mac } = block.parts()?;
        let mut clear = Zeroizing::new([0; PAYLOAD_MAX]);
        let payload = clear.get_mut(..key.len() / 2).ok_or(KeyBlockError::Length)?;
        let mut iv = Block::<C>::default();
        if !hex::decode(key, payload) || !hex::decode(mac, &mut iv) {
            return Err(KeyBlockError::Character);
        }
        self.decrypt(payload, &iv);
        if !bool::from(self.mac(header, payload).ct_eq(&iv[..])) {
            return Err(KeyBlockError::Authentication);
        }
        let bits = usize::from(u16::from_be_bytes([payload[0], payload[1]]));
        let key = payload.get(KEY_LENGTH_BYTES..KEY_LENGTH_BYTES + bits / 8);
        key.filter(|_| bits % 8 == 0).map(take).ok_or(KeyBlockError::KeyLength)
    }

    fn mac(&self, header: &[u8], payload: &[u8]) -> Block<C> {
        let mut mac = self.authentication.clone();
        mac.update(header);
        mac.update(payload);
        mac.finalize().into_bytes()
    }

    /// CBC with the MAC as initialisation vector; `payload` is whole blocks.
    fn encrypt(&self, payload: &mut [u8], iv: &Block<C>) {
        let mut previous = iv.clone();
        for block in Block::<C>::slice_as_chunks_mut(payload).0 {
            xor(block, &previous);
            self.encryption.encrypt_block(block);
            previous = block.clone();
        }
    }

    fn decrypt(&self, payload: &mut [u8], iv: &Block<C>) {
        let mut previous = iv.clone();
        for block in Block::<C>::slice_as_chunks_mut(payload).0 {
            let encrypted = block.clone();
            self.encryption.decrypt_block(block);
            xor(block, &previous);
            previous = encrypted;
        }
    }
}

/// The fixed part of the header and the optional blocks, of a block whose body has
/// `body` characters.
fn write_header<const N: usize>(
    text: &mut ArrayString<N>,
    version: u8,
    attributes: Attributes,
    optional: &[(&str, &str)],
    body: usize,
) -> std::fmt::Result {
    use std::fmt::Write as _;
    let optional_length: usize = optional.iter().map(|(_, data)| 4 + data.len()).sum();
    let characters = HEADER_LENGTH + optional_length + body;
    let Attributes { usage, algorithm, mode, version: key_version, exportability } = attributes;
    write!(text, "{}{characters:04}{usage}{algorithm}{mode}", char::from(version))?;
    write!(text, "{key_version:02}{exportability}{:02}00", optional.len())?;
    optional
        .iter()
        .try_for_each(|(identifier, data)| write!(text, "{identifier}{:02X}{data}", 4 + data.len()))
}

/// As many CMACs over counter, usage, zero, algorithm and length as the derived
/// key needs; the last one is cut.
fn derive<C: ProtectionCipher>(key: &Key<C>, usage: [u8; 2]) -> C {
    let mut derived = Key::<C>::default();
    for (counter, part) in (1..).zip(derived.chunks_mut(C::BlockSize::USIZE)) {
        let mut mac: Cmac<C> = Cmac::inner_init(C::new(key));
        mac.update(&[counter, usage[0], usage[1], 0]);
        mac.update(&C::DERIVED);
        let mut output = mac.finalize().into_bytes();
        part.copy_from_slice(&output[..part.len()]);
        output.as_mut_slice().zeroize();
    }
    let cipher = C::new(&derived);
    derived.as_mut_slice().zeroize();
    cipher
}

/// A check value for AES keys: the left three bytes of the CMAC of a block of zeros
/// (ANSI X9.24-1:2017).
pub(crate) fn cmac_check_value<C: ProtectionCipher>(key: &Key<C>) -> [u8; 3] {
    let mut mac: Cmac<C> = Cmac::inner_init(C::new(key));
    mac.update(&Block::<C>::default());
    let check = mac.finalize().into_bytes();
    [check[0], check[1], check[2]]
}

fn xor(block: &mut [u8], other: &[u8]) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use proptest::prelude::*;

    const MAC: Attributes =
        Attributes { usage: "M3", algorithm: 'T', mode: 'C', version: 0, exportability: 'N' };

    fn unwrap_as<C: ProtectionCipher>(kbpk: &[u8], block: &KeyBlock) -> Result<Vec<u8>, KeyBlockError> {
        let key = ProtectionKey::<C>::new(kbpk.try_into().unwrap());
        key.unwrap(block, <[u8]>::to_vec)
    }

    fn unwrap_any(kbpk: &[u8], block: &KeyBlock) -> Result<Vec<u8>, KeyBlockError> {
        match (block.text().version(), kbpk.len()) {
            (b'B', 16) => unwrap_as::<TdesEde2>(kbpk, block),
            (b'B', 24) => unwrap_as::<TdesEde3>(kbpk, block),
            (b'D', 16) => unwrap_as::<Aes128>(kbpk, block),
            (b'D', 24) => unwrap_as::<Aes192>(kbpk, block),
            _ => unwrap_as::<Aes256>(kbpk, block),
        }
    }

    #[test]
    fn blocks_of_other_implementations_unwrap() {
        for vector in vectors::family("tr31_unwrap") {
            let block = KeyBlock::parse(vector.input("key_block")).unwrap();
            let key = unwrap_any(&vector.input_bytes("kbpk"), &block).unwrap();
            assert_eq!(key, vector.expected_bytes("key"), "{}", vector.id);
            assert_eq!(block.usage_code(), vector.expected("key_usage").as_bytes(), "{}", vector.id);
            assert_eq!([block.algorithm()], vector.expected("algorithm").as_bytes(), "{}", vector.id);
            assert_eq!([block.text().mode()], vector.expected("mode_of_use").as_bytes(), "{}", vector.id);
        }
    }

    #[test]
    fn blocks_with_a_changed_header_are_not_authentic() {
        for vector in vectors::family("tr31_reject") {
            let block = KeyBlock::parse(vector.input("key_block")).unwrap();
            let refused = unwrap_any(&vector.input_bytes("kbpk"), &block);
            assert_eq!(refused, Err(KeyBlockError::Authentication), "{}", vector.id);
        }
    }

    #[test]
    fn published_cmacs_are_computed() {
        fn cmac<C: CmacCipher + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            let mut mac: Cmac<C> = Cmac::inner_init(C::new_from_slice(key).unwrap());
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        for vector in vectors::family("cmac_aes") {
            let (key, data) = (vector.input_bytes("key"), vector.input_bytes("data_hex"));
            let mac = match key.len() {
                16 => cmac::<Aes128>(&key, &data),
                _ => cmac::<Aes192>(&key, &data),
            };
            assert_eq!(mac, vector.expected_bytes("mac16"), "{}", vector.id);
        }
    }

    #[test]
    fn a_block_of_another_version_is_refused_before_anything_else() {
        let vector = &vectors::family("tr31_unwrap")[0];
        let block = KeyBlock::parse(vector.input("key_block")).unwrap();
        assert_eq!(unwrap_as::<Aes128>(&[1; 16], &block), Err(KeyBlockError::Version));
    }

    #[test]
    fn des_keys_of_all_lengths_make_blocks_of_one_length() {
        let protection = ProtectionKey::<Aes256>::new(&[7; 32].into());
        let length = |key: &[u8]| {
            let mut zeros = |bytes: &mut [u8]| bytes.fill(0);
            protection.wrap(MAC, key, &mut zeros).as_str().len()
        };
        assert_eq!([length(&[1; 8]), length(&[1; 16]), length(&[1; 24])], [112; 3]);
        assert_eq!(length(&[1; 32]), KEY_BLOCK_MAX);
    }

    fn round_trip<C: ProtectionCipher>(protection: &[u8], key: &[u8], fill: u8) -> Vec<u8> {
        let protection = ProtectionKey::<C>::new(protection.try_into().unwrap());
        let mut entropy = |bytes: &mut [u8]| bytes.fill(fill);
        let block = protection.wrap(MAC, key, &mut entropy);
        let parsed = KeyBlock::parse(block.as_str()).unwrap();
        protection.unwrap(&parsed, <[u8]>::to_vec).unwrap()
    }

    proptest! {
        #[test]
        fn what_was_wrapped_unwraps(
            protection: [u8; 32], key in prop::collection::vec(any::<u8>(), 1..=32), fill: u8,
        ) {
            prop_assert_eq!(&round_trip::<TdesEde2>(&protection[..16], &key, fill), &key);
            prop_assert_eq!(&round_trip::<TdesEde3>(&protection[..24], &key, fill), &key);
            prop_assert_eq!(&round_trip::<Aes128>(&protection[..16], &key, fill), &key);
            prop_assert_eq!(&round_trip::<Aes192>(&protection[..24], &key, fill), &key);
            prop_assert_eq!(&round_trip::<Aes256>(&protection, &key, fill), &key);
        }

        #[test]
        fn an_altered_block_never_unwraps(place in 0..112_usize, character in "[0-9A-Z]") {
            let protection = ProtectionKey::<Aes256>::new(&[7; 32].into());
            let mut zeros = |bytes: &mut [u8]| bytes.fill(0);
            let block = protection.wrap(MAC, &[0x5A; 16], &mut zeros);
            let mut text = block.as_str().to_owned();
            text.replace_range(place..=place, &character);
            prop_assume!(text != block.as_str());
            if let Ok(altered) = KeyBlock::parse(&text) {
                prop_assert!(protection.unwrap(&altered, |_| ()).is_err());
            }
        }
    }
}
