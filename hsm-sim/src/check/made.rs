//! Vectors that this engine makes, for other implementations to check: what holds
//! random parts, and so cannot be compared byte by byte.
//!
//! Keys and PINs in them come from a seed and are good for nothing else.

use crate::{
    Entropy, Pan,
    aes_key::AesKey,
    des_key::{DesKey, set_odd_parity},
    hex,
    pan::check_digit,
    pin::{Pin, formats::PinFormat},
    tr31::{Attributes, ProtectionCipher, ProtectionKey},
};
use aes::{Aes128, Aes192, Aes256};
use des::{TdesEde2, TdesEde3};
use serde_json::{Value, json};

/// `count` vectors of each of three families, as the text of a file.
#[must_use]
pub fn vectors(count: usize, seed: u64) -> String {
    let mut draws = Draws(seed | 1);
    let mut all = Vec::with_capacity(3 * count);
    for (family, make) in [
        ("tr31_unwrap", key_block as fn(&mut Draws) -> Option<(Value, Value)>),
        ("pinblock_iso3", iso3),
        ("pinblock_iso4", iso4),
    ] {
        let mut made = 0;
        while made < count {
            // A drawn key may be a weak one, and then the next is drawn.
            let Some((inputs, expected)) = make(&mut draws) else { continue };
            made += 1;
            let id = format!("{family}-made-{made}");
            all.push(json!({ "id": id, "family": family, "inputs": inputs, "expected": expected }));
        }
    }
    json!({ "about": "Made by hsm-sim; random test keys.", "vectors": all }).to_string()
}

/// Numbers for vectors (xorshift), for nothing that is to be secret.
struct Draws(u64);

impl Entropy for Draws {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

impl Draws {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }

    fn below(&mut self, end: usize) -> usize {
        let [a, b] = self.array();
        usize::from(u16::from_be_bytes([a, b])) % end
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        self.fill(&mut array);
        array
    }

    fn digits(&mut self, least: usize, most: usize) -> String {
        let length = least + self.below(most + 1 - least);
        self.bytes(length).iter().map(|byte| char::from(b'0' + byte % 10)).collect()
    }

    /// Of 13 to 19 digits, because others do not read shorter ones.
    fn pan(&mut self) -> Option<Pan> {
        let mut digits = self.digits(12, 18).into_bytes();
        digits.push(check_digit(&digits)?);
        Pan::parse(&digits).ok()
    }

    fn tdes_key(&mut self) -> Vec<u8> {
        let mut key = self.bytes(16);
        set_odd_parity(&mut key);
        key
    }
}

fn key_block(draws: &mut Draws) -> Option<(Value, Value)> {
    let (kbpk_length, version) = [(16, 'B'), (24, 'B'), (16, 'D'), (24, 'D'), (32, 'D')][draws.below(5)];
    let key_length = [16, 24, 32][draws.below(if version == 'B' { 2 } else { 3 })];
    let (kbpk, key) = (draws.bytes(kbpk_length), draws.bytes(key_length));
    let (usage, algorithm, mode) =
        [("P0", 'T', 'B'), ("M3", 'T', 'C'), ("B0", 'A', 'X'), ("K1", 'A', 'B')][draws.below(4)];
    let exportability = ['E', 'N'][draws.below(2)];
    let key_version = draws.array::<1>()[0] % 100;
    let attributes = Attributes { usage, algorithm, mode, version: key_version, exportability };
    let label = draws.digits(1, 40);
    let optional: &[(&str, &str)] = &[("KC", "00AABBCC"), ("LB", &label)][..draws.below(3)];
    let block = match (version, kbpk_length) {
        ('B', 16) => wrapped::<TdesEde2>(&kbpk, attributes, optional, &key, draws),
        ('B', _) => wrapped::<TdesEde3>(&kbpk, attributes, optional, &key, draws),
        (_, 16) => wrapped::<Aes128>(&kbpk, attributes, optional, &key, draws),
        (_, 24) => wrapped::<Aes192>(&kbpk, attributes, optional, &key, draws),
        (..) => wrapped::<Aes256>(&kbpk, attributes, optional, &key, draws),
    }?;
    let expected = json!({
        "version": version, "key_usage": usage, "algorithm": algorithm, "mode_of_use": mode,
        "exportability": exportability, "key": upper(&key),
    });
    Some((json!({ "kbpk": upper(&kbpk), "key_block": block }), expected))
}

fn wrapped<C: ProtectionCipher>(
    kbpk: &[u8],
    attributes: Attributes,
    optional: &[(&str, &str)],
    key: &[u8],
    draws: &mut Draws,
) -> Option<String> {
    let protection = ProtectionKey::<C>::new(kbpk.try_into().ok()?);
    let block = protection.wrap_for_transport(attributes, optional, key, draws).ok()?;
    Some(block.as_str().to_owned())
}

fn iso3(draws: &mut Draws) -> Option<(Value, Value)> {
    let (digits, pan, clear_key) = (draws.digits(4, 12), draws.pan()?, draws.tdes_key());
    let (pin, key) = (Pin::parse(digits.as_bytes()).ok()?, DesKey::new(&clear_key).ok()?);
    let encrypted = pin.encrypt(&key, PinFormat::Iso3, &pan, draws).ok()?;
    let clear = key.decrypt(encrypted.as_bytes().try_into().ok()?);
    // The letters are what is left when the PIN's own nibbles and the card number are taken out.
    let nothing = pin.to_iso3(pan.expose(), &[0; 10]);
    let fill = clear.iter().zip(nothing).flat_map(|(byte, other)| [(byte ^ other) >> 4, (byte ^ other) & 15]);
    let fill: String =
        fill.skip(2 + digits.len()).filter_map(|letter| char::from_digit(letter.into(), 16)).collect();
    let inputs = json!({
        "pin": digits, "pan": String::from_utf8_lossy(pan.expose()), "fill": fill.to_uppercase(),
        "zpk": upper(&clear_key),
    });
    Some((inputs, json!({ "clear": upper(&clear), "encrypted": upper(encrypted.as_bytes()) })))
}

fn iso4(draws: &mut Draws) -> Option<(Value, Value)> {
    let (digits, pan, random) = (draws.digits(4, 12), draws.pan()?, draws.array());
    let length = [16, 24, 32][draws.below(3)];
    let clear_key = draws.bytes(length);
    let (pin, key) = (Pin::parse(digits.as_bytes()).ok()?, AesKey::new(&clear_key).ok()?);
    let block = pin.to_iso4(&key, pan.expose(), random);
    let inputs = json!({
        "aes_key": upper(&clear_key), "pin": digits, "pan": String::from_utf8_lossy(pan.expose()),
        "random8": upper(&random),
    });
    Some((inputs, json!({ "encrypted": upper(&block) })))
}

fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| hex::upper_byte(*byte)).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::check::check;

    #[test]
    fn what_is_made_agrees_with_itself_and_comes_again_from_its_seed() {
        let text = vectors(40, 7);
        let report = check(&text).unwrap();
        assert!(report.is_good(), "{report:#?}");
        let totals: Vec<_> = report.families.iter().map(|family| family.total).collect();
        assert_eq!(totals, [40; 3]);
        assert_eq!(text, vectors(40, 7));
        assert_ne!(text, vectors(40, 9));
    }
}
