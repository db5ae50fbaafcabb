//! What a key may be used for, and how a TR-31 header says so.

use std::fmt;

/// What a key may do; nothing else is possible with it.
///
/// Usage, algorithm and mode of use are written into the key block's
/// authenticated header (codes of TR-31 / ANSI X9.143).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyUsage {
    /// `K0`: terminal and zone master keys; encrypts other keys.
    KeyEncryption,
    /// `P0`: PIN blocks.
    PinEncryption,
    /// `M3`: ISO 9797-1 algorithm 3 (X9.19) MACs.
    MacX919,
    /// `10`: UnionPay's ECB MAC. TR-31 has no code for it; two digits are its
    /// proprietary range.
    MacUnionPayEcb,
    /// `V2`: Visa PIN verification values.
    PinVerification,
    /// `C0`: card verification values.
    CardVerification,
    /// `M7`: HMAC, here the one that turns card numbers into tokens.
    Token,
}

/// DES key of one length: 8 bytes. Only [`KeyUsage::MacUnionPayEcb`] may have it.
const SINGLE: usize = 8;
/// Double-length triple DES: 16 bytes.
const DOUBLE: usize = 16;
/// HMAC-SHA-256 with a key as long as its output.
const HMAC: usize = 32;

impl KeyUsage {
    /// Every usage, for tables and tests.
    pub const ALL: [Self; 7] = [
        Self::KeyEncryption,
        Self::PinEncryption,
        Self::MacX919,
        Self::MacUnionPayEcb,
        Self::PinVerification,
        Self::CardVerification,
        Self::Token,
    ];

    /// The two characters in a TR-31 header.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::KeyEncryption => "K0",
            Self::PinEncryption => "P0",
            Self::MacX919 => "M3",
            Self::MacUnionPayEcb => "10",
            Self::PinVerification => "V2",
            Self::CardVerification => "C0",
            Self::Token => "M7",
        }
    }

    /// Whether the key computes MACs over messages.
    #[must_use]
    pub fn is_mac(self) -> bool {
        matches!(self, Self::MacX919 | Self::MacUnionPayEcb)
    }

    pub(crate) fn from_code(code: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.code().as_bytes() == code)
    }

    /// The header's algorithm: `T` triple DES, `D` DES, `H` HMAC.
    pub(crate) fn algorithm(self, key_length: usize) -> u8 {
        match (self, key_length) {
            (Self::Token, _) => b'H',
            (_, SINGLE) => b'D',
            _ => b'T',
        }
    }

    /// The header's mode of use: `B` both encrypt and decrypt, `C` both generate
    /// and verify. Exactly this mode is accepted, no narrower one.
    pub(crate) fn mode(self) -> u8 {
        match self {
            Self::KeyEncryption | Self::PinEncryption => b'B',
            _ => b'C',
        }
    }

    /// The length of a new key in bytes.
    pub(crate) fn key_length(self) -> usize {
        if self == Self::Token { HMAC } else { DOUBLE }
    }

    /// Whether a key of this many bytes may have this usage.
    pub(crate) fn accepts_length(self, length: usize) -> bool {
        length == self.key_length() || (self == Self::MacUnionPayEcb && length == SINGLE)
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_again() {
        for usage in KeyUsage::ALL {
            assert_eq!(KeyUsage::from_code(usage.code().as_bytes()), Some(usage));
        }
        assert_eq!(KeyUsage::from_code(b"B0"), None);
    }

    #[test]
    fn only_the_unionpay_mac_may_be_single_length() {
        let single: Vec<_> = KeyUsage::ALL.into_iter().filter(|usage| usage.accepts_length(8)).collect();
        assert_eq!(single, [KeyUsage::MacUnionPayEcb]);
    }
}
