//! Card numbers as keyed tokens: equal numbers have equal tokens, and without
//! the key nobody can go from one to the other.

use crate::{Pan, schedule::HmacKey};
use hmac::Mac as _;
use std::fmt;

/// What stands for a card number in journals and tables: the first 16 bytes of
/// HMAC-SHA-256 over its ASCII digits, under a token key of the HSM.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PanToken(pub [u8; 16]);

impl fmt::Debug for PanToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…")
    }
}

/// The token of `pan`.
pub(crate) fn token(key: &HmacKey, pan: &Pan) -> PanToken {
    let mut token = [0; 16];
    token.copy_from_slice(&hmac_sha256(key, pan.expose())[..16]);
    PanToken(token)
}

/// HMAC-SHA-256 (RFC 2104) under a key that is already absorbed.
pub(crate) fn hmac_sha256(key: &HmacKey, data: &[u8]) -> [u8; 32] {
    let mut state = key.clone();
    state.update(data);
    state.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;
    use hmac::KeyInit as _;

    #[test]
    fn published_hmacs_are_computed() {
        for vector in vectors::family("hmac_sha256") {
            let key = HmacKey::new_from_slice(&vector.input_bytes("key")).unwrap();
            let mac = hmac_sha256(&key, &vector.input_bytes("data_hex"));
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac32"), "{}", vector.id);
        }
    }

    #[test]
    fn a_token_is_the_left_half_of_the_hmac_of_the_digits() {
        let key = HmacKey::new_from_slice(&[7; 32]).unwrap();
        let pan = Pan::parse(b"4111111111111111").unwrap();
        assert_eq!(token(&key, &pan).0, hmac_sha256(&key, b"4111111111111111")[..16]);
    }

    #[test]
    fn printing_shows_four_bytes() {
        assert_eq!(format!("{:?}", PanToken([0xAB; 16])), "abababab…");
    }
}
