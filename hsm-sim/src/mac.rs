//! Message authentication codes under DES keys.
//!
//! Which bytes of a message a MAC covers is the caller's business. Start at
//! [`compute`].

use crate::{
    HsmError, KeyUsage,
    aes_key::AesKey,
    bitslice::Message,
    cmac,
    des_key::{DesKey, xor},
    hex,
};
use cbc_mac::Mac as _;

/// How a MAC is computed. All make eight bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MacAlgorithm {
    /// UnionPay's "ECB" MAC: the message folded by XOR, encrypted, written in
    /// hexadecimal; the eight bytes are ASCII. Weak by construction (equal
    /// changes in two blocks cancel out); it exists for deployed terminals.
    UnionPayEcb,
    /// ANSI X9.19, which is ISO 9797-1 algorithm 3 with padding method 1.
    X919,
    /// ISO 9797-1 algorithm 3 with padding method 2, under a key derived for a
    /// PSAM: the MACs and authenticators of PSAM scheme v1.
    Psam,
    /// ISO 9797-1 algorithm 1 with 2-key triple DES and padding method 1: a CBC
    /// chain, of which the last block is the MAC. It binds the length only where
    /// the message itself tells it, as an ISO 8583 message does.
    Cbc3Des,
    /// ISO 9797-1 algorithm 3 with padding method 2, under a loaded key.
    X919Padded,
    /// [`MacAlgorithm::Cbc3Des`] with padding method 2.
    Cbc3DesPadded,
    /// ISO 9797-1 algorithm 1 in single DES, padding method 1.
    CbcDes,
    /// The same with padding method 2.
    CbcDesPadded,
    /// Fixed-line terminals: the message folded by XOR, encrypted once. As weak as
    /// [`MacAlgorithm::UnionPayEcb`] and here for the same reason.
    XorFold,
    /// CMAC in 2-key triple DES (NIST SP 800-38B).
    CmacTdes,
    /// CMAC in AES, of which the left eight bytes are taken.
    CmacAes,
}

impl MacAlgorithm {
    /// The usage a key must have for this algorithm; for [`MacAlgorithm::Psam`] the
    /// usage of a one-time key's master (an authenticator's is
    /// [`KeyUsage::PsamAuth`]).
    #[must_use]
    pub fn usage(self) -> KeyUsage {
        match self {
            Self::UnionPayEcb => KeyUsage::MacUnionPayEcb,
            Self::X919 | Self::X919Padded => KeyUsage::MacX919,
            Self::Psam => KeyUsage::PsamMac,
            Self::Cbc3Des | Self::Cbc3DesPadded => KeyUsage::MacCbc3Des,
            Self::CbcDes | Self::CbcDesPadded => KeyUsage::MacCbcDes,
            Self::XorFold => KeyUsage::MacXorFold,
            Self::CmacTdes => KeyUsage::MacCmacTdes,
            Self::CmacAes => KeyUsage::MacCmacAes,
        }
    }
}

/// The MAC of `data`, which must not be empty.
///
/// # Errors
/// [`HsmError::EmptyMessage`]: zero padding leaves nothing as nothing, and its
/// "MAC" would be a constant that anyone knows.
pub(crate) fn compute(key: &DesKey, algorithm: MacAlgorithm, data: &[u8]) -> Result<[u8; 8], HsmError> {
    if data.is_empty() {
        return Err(HsmError::EmptyMessage);
    }
    Ok(match algorithm {
        MacAlgorithm::UnionPayEcb => union_pay_ecb(key, data),
        MacAlgorithm::X919 => x919(key, data),
        MacAlgorithm::Psam | MacAlgorithm::X919Padded => retail_padded(key, data),
        // The key decides whether the chain is one of single or of triple DES.
        MacAlgorithm::Cbc3Des | MacAlgorithm::CbcDes => cbc_3des(key, data),
        MacAlgorithm::Cbc3DesPadded | MacAlgorithm::CbcDesPadded => cbc_padded(key, data),
        MacAlgorithm::XorFold => key.encrypt(fold(data)),
        MacAlgorithm::CmacTdes => cmac::tdes(key, data),
        // No DES key makes it; see `Hsm::mac`.
        MacAlgorithm::CmacAes => return Err(HsmError::NotMacUsage(algorithm.usage())),
    })
}

/// [`MacAlgorithm::CmacAes`] of `data`, which must not be empty either.
///
/// # Errors
/// [`HsmError::EmptyMessage`].
pub(crate) fn compute_aes(key: &AesKey, data: &[u8]) -> Result<[u8; 8], HsmError> {
    if data.is_empty() {
        return Err(HsmError::EmptyMessage);
    }
    let mut mac = [0; 8];
    mac.copy_from_slice(&key.cmac(data)[..8]);
    Ok(mac)
}

/// ISO 9797-1 algorithm 3: a CBC chain under the left half, whose last block is
/// finished as triple DES. `CbcMac` pads a non-empty message with zeros without
/// being asked, and that is padding method 1.
pub(crate) fn x919(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let mut chain = key.left_chain();
    chain.update(data);
    key.finish(chain.finalize().into_bytes().into())
}

/// The same with padding method 2: a one bit, then zeros.
fn retail_padded(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let mut chain = key.left_chain();
    chain.update(data);
    chain.update(&[0x80]);
    key.finish(chain.finalize().into_bytes().into())
}

/// A CBC chain under the whole key. A last block that is not full is as if zeros
/// followed.
fn cbc_3des(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let mut chain = [0; 8];
    for chunk in data.chunks(8) {
        for (byte, other) in chain.iter_mut().zip(chunk) {
            *byte ^= other;
        }
        chain = key.encrypt(chain);
    }
    chain
}

/// The same chain with padding method 2: a one bit, then zeros.
fn cbc_padded(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let (whole, rest) = data.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let chain = whole.iter().fold([0; 8], |chain, block| key.encrypt(xor(chain, *block)));
    key.encrypt(xor(chain, last))
}

/// UnionPay terminals: XOR of all blocks (the last zero-padded); its sixteen
/// hexadecimal digits; E(first eight) XOR last eight, E again; of that result's
/// hexadecimal digits the first eight.
fn union_pay_ecb(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let folded = hex::upper(&fold(data));
    let mut block = [0; 8];
    block.copy_from_slice(&folded[..8]);
    block = key.encrypt(block);
    for (byte, digit) in block.iter_mut().zip(&folded[8..]) {
        *byte ^= digit;
    }
    let mut mac = [0; 8];
    mac.copy_from_slice(&hex::upper(&key.encrypt(block))[..8]);
    mac
}

/// The blocks of `data`, which is not empty, padded as the algorithm does it.
pub(crate) fn padded(algorithm: MacAlgorithm, data: &[u8]) -> Message<'_> {
    let (blocks, mark) = match algorithm {
        MacAlgorithm::Psam
        | MacAlgorithm::X919Padded
        | MacAlgorithm::Cbc3DesPadded
        | MacAlgorithm::CbcDesPadded => (data.len() / 8 + 1, Some(0x80)),
        _ => (data.len().div_ceil(8), None),
    };
    let (blocks, tail) = data.split_at((blocks - 1) * 8);
    let mut last = [0; 8];
    for (byte, of) in last.iter_mut().zip(tail.iter().copied().chain(mark)) {
        *byte = of;
    }
    Message { blocks: blocks.as_chunks().0, last: u64::from_be_bytes(last) }
}

/// The XOR of all blocks, of which the last is as if zeros followed.
pub(crate) fn fold(data: &[u8]) -> [u8; 8] {
    let mut folded = [0; 8];
    for chunk in data.chunks(8) {
        for (byte, other) in folded.iter_mut().zip(chunk) {
            *byte ^= other;
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    #[test]
    fn published_retail_macs_are_computed() {
        let vectors = vectors::family("mac_alg3");
        let padded_with_zeros: Vec<_> = vectors.iter().filter(|v| v.input_number("padding") == 1).collect();
        assert!(!padded_with_zeros.is_empty());
        for vector in padded_with_zeros {
            let key = DesKey::new(&vector.input_bytes("key")).unwrap();
            let mac = compute(&key, MacAlgorithm::X919, &vector.input_bytes("data_hex")).unwrap();
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac8"), "{}", vector.id);
        }
    }

    #[test]
    fn published_retail_macs_with_a_one_bit_before_the_zeros_are_computed() {
        let vectors = vectors::family("mac_alg3");
        let padded: Vec<_> = vectors.iter().filter(|v| v.input_number("padding") == 2).collect();
        assert!(!padded.is_empty());
        for vector in padded {
            let key = DesKey::new(&vector.input_bytes("key")).unwrap();
            let mac = compute(&key, MacAlgorithm::Psam, &vector.input_bytes("data_hex")).unwrap();
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac8"), "{}", vector.id);
        }
    }

    #[test]
    fn published_chains_in_triple_des_are_computed() {
        for vector in vectors::family("mac_alg1_tdes") {
            let key = DesKey::new(&vector.input_bytes("key")).unwrap();
            let mut data = vector.input_bytes("data_hex");
            if vector.input_number("padding") == 2 {
                // A one bit and no zeros: those the algorithm adds.
                data.push(0x80);
            }
            let mac = compute(&key, MacAlgorithm::Cbc3Des, &data).unwrap();
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac8"), "{}", vector.id);
        }
    }

    #[test]
    fn a_zero_at_the_end_changes_a_psams_mac_only() {
        let key = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        for (algorithm, changes) in [
            (MacAlgorithm::Psam, true),
            (MacAlgorithm::X919, false),
            (MacAlgorithm::Cbc3Des, false),
            (MacAlgorithm::UnionPayEcb, false),
        ] {
            let mac = |data| compute(&key, algorithm, data).unwrap();
            assert_eq!(mac(b"message") != mac(b"message\0"), changes, "{algorithm:?}");
        }
    }

    #[test]
    fn unionpay_macs_match_for_keys_of_both_lengths() {
        for vector in vectors::family("mac_cup_ecb") {
            let (key, data) =
                (DesKey::new(&vector.input_bytes("key")).unwrap(), vector.input_bytes("data_hex"));
            assert_eq!(fold(&data).to_vec(), vector.expected_bytes("fold"), "{}", vector.id);
            let mac = compute(&key, MacAlgorithm::UnionPayEcb, &data).unwrap();
            assert_eq!(&mac, vector.expected("mac8_ascii").as_bytes(), "{}", vector.id);
            assert_eq!(mac.to_vec(), vector.expected_bytes("mac8_hex"), "{}", vector.id);
        }
    }

    #[test]
    fn the_fold_does_not_see_equal_changes_in_two_blocks_but_the_chain_does() {
        let key = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        let honest = [0x30; 24];
        let mut forged = honest;
        forged[3] ^= 9;
        forged[11] ^= 9;
        let mac = |algorithm, data: &[u8]| compute(&key, algorithm, data).unwrap();
        assert_eq!(mac(MacAlgorithm::UnionPayEcb, &honest), mac(MacAlgorithm::UnionPayEcb, &forged));
        assert_ne!(mac(MacAlgorithm::X919, &honest), mac(MacAlgorithm::X919, &forged));
    }

    #[test]
    fn nothing_has_no_mac() {
        let key = DesKey::new(&vectors::bytes("0123456789ABCDEFFEDCBA9876543210")).unwrap();
        for algorithm in
            [MacAlgorithm::UnionPayEcb, MacAlgorithm::X919, MacAlgorithm::Psam, MacAlgorithm::Cbc3Des]
        {
            assert_eq!(compute(&key, algorithm, &[]), Err(HsmError::EmptyMessage));
        }
    }
}
