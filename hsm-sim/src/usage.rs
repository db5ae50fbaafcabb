//! What a key may be used for, and how a TR-31 header says so.

use std::fmt;

/// What a key may do; nothing else is possible with it.
///
/// Usage, algorithm and mode of use are written into the key block's
/// authenticated header (codes of TR-31 / ANSI X9.143).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyUsage {
    /// `K0`: terminal master keys; encrypts working keys in ECB.
    KeyEncryption,
    /// `K1`, AES: zone master keys, 16 or 32 bytes; wraps TR-31 version D blocks.
    /// `K1` is the key block protection key, which a `K0` must not become: ECB under
    /// the same key would lay open what a block binds together.
    ZoneMaster,
    /// `K1`, triple DES: the same for TR-31 version B. A usage of its own, because
    /// 16 bytes do not tell for which cipher they are.
    ZoneMasterTdes,
    /// `P0`, triple DES: PIN blocks of ISO 9564-1 formats 0, 1 and 3.
    PinEncryption,
    /// `P0`, AES: PIN blocks of format 4.
    PinEncryptionAes,
    /// `M3`: ISO 9797-1 algorithm 3 (X9.19) MACs.
    MacX919,
    /// `10`: UnionPay's ECB MAC. TR-31 has no code for it; two digits are its
    /// proprietary range.
    MacUnionPayEcb,
    /// `18`: the XOR-fold MAC of fixed-line terminals. Proprietary, as the one above.
    MacXorFold,
    /// `V2`: Visa PIN verification values.
    PinVerification,
    /// `V1`: IBM 3624 natural PINs and offsets.
    PinOffset,
    /// `C0`: card verification values.
    CardVerification,
    /// `M0`: CBC MACs in triple DES. `M0` names just that (ISO 16609 algorithm 1
    /// with TDEA); `M1` would also be the code of a single DES CBC MAC.
    MacCbc3Des,
    /// `M1`: CBC MACs in single DES (ISO 9797-1 algorithm 1). Only for peers that
    /// know nothing better.
    MacCbcDes,
    /// `M6`, triple DES: CMAC (NIST SP 800-38B).
    MacCmacTdes,
    /// `M6`, AES: CMAC.
    MacCmacAes,
    /// `B0`, triple DES: base derivation key of DUKPT (ANSI X9.24-1), which derives
    /// the keys of [`crate::KeyRef::Dukpt`] and does nothing else.
    DukptTdes,
    /// `B0`, AES: base derivation key of AES DUKPT (ANSI X9.24-3), for
    /// [`crate::KeyRef::DukptAes`].
    DukptAes,
    /// `E0`: an issuer's master key for application cryptograms of EMV chips.
    EmvCryptogram,
    /// `15`: master key of the purchases of offline purses (PBOC). TR-31 has no code
    /// for these three either.
    PursePurchase,
    /// `16`: master key of the loads of offline purses.
    PurseLoad,
    /// `17`: master key of the transaction authentication codes (TAC) of offline
    /// purses.
    PurseTac,
    /// `11`: PSAM master that derives PIN keys, [`crate::KeyRef::OneTime`], and does
    /// nothing else. TR-31 has codes for DUKPT and EMV masters but none for this
    /// scheme's; a proprietary one keeps other HSMs from taking it for theirs.
    PsamPin,
    /// `12`: PSAM master that derives keys for [`crate::MacAlgorithm::Psam`] over
    /// messages, [`crate::KeyRef::OneTime`].
    PsamMac,
    /// `13`: PSAM master that derives keys of encrypted tracks,
    /// [`crate::KeyRef::OneTime`].
    PsamTrack,
    /// `14`: PSAM master that derives the keys of authenticators
    /// ([`crate::MacAlgorithm::Psam`]), [`crate::KeyRef::Psam`].
    PsamAuth,
    /// `M7`: HMAC, here the one that turns card numbers into tokens.
    Token,
}

/// DES key of one length: 8 bytes. Only MACs of old terminals may have it.
const SINGLE: usize = 8;
/// Double-length triple DES: 16 bytes.
const DOUBLE: usize = 16;
/// HMAC-SHA-256 with a key as long as its output.
const HMAC: usize = 32;
/// AES-128: 16 bytes.
const AES_128: usize = 16;
/// AES-192: 24 bytes.
const AES_192: usize = 24;
/// AES-256: 32 bytes.
const AES_256: usize = 32;

impl KeyUsage {
    /// Every usage, for tables and tests.
    pub const ALL: [Self; 26] = [
        Self::KeyEncryption,
        Self::ZoneMaster,
        Self::ZoneMasterTdes,
        Self::PinEncryption,
        Self::PinEncryptionAes,
        Self::MacX919,
        Self::MacUnionPayEcb,
        Self::MacXorFold,
        Self::MacCbc3Des,
        Self::MacCbcDes,
        Self::MacCmacTdes,
        Self::MacCmacAes,
        Self::DukptTdes,
        Self::DukptAes,
        Self::EmvCryptogram,
        Self::PursePurchase,
        Self::PurseLoad,
        Self::PurseTac,
        Self::PsamPin,
        Self::PsamMac,
        Self::PsamTrack,
        Self::PsamAuth,
        Self::PinVerification,
        Self::PinOffset,
        Self::CardVerification,
        Self::Token,
    ];

    /// The two characters in a TR-31 header.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::KeyEncryption => "K0",
            Self::ZoneMaster | Self::ZoneMasterTdes => "K1",
            Self::PinEncryption | Self::PinEncryptionAes => "P0",
            Self::MacX919 => "M3",
            Self::MacUnionPayEcb => "10",
            Self::MacXorFold => "18",
            Self::MacCbc3Des => "M0",
            Self::MacCbcDes => "M1",
            Self::MacCmacTdes | Self::MacCmacAes => "M6",
            Self::DukptTdes | Self::DukptAes => "B0",
            Self::EmvCryptogram => "E0",
            Self::PursePurchase => "15",
            Self::PurseLoad => "16",
            Self::PurseTac => "17",
            Self::PsamPin => "11",
            Self::PsamMac => "12",
            Self::PsamTrack => "13",
            Self::PsamAuth => "14",
            Self::PinVerification => "V2",
            Self::PinOffset => "V1",
            Self::CardVerification => "C0",
            Self::Token => "M7",
        }
    }

    /// Whether the key itself computes MACs over messages.
    #[must_use]
    pub fn is_mac(self) -> bool {
        matches!(
            self,
            Self::MacX919
                | Self::MacUnionPayEcb
                | Self::MacXorFold
                | Self::MacCbc3Des
                | Self::MacCbcDes
                | Self::MacCmacTdes
                | Self::MacCmacAes
        )
    }

    /// Whether a sign-in answer can carry such a key: two encrypted DES halves.
    pub(crate) fn is_terminal_mac(self) -> bool {
        self.is_mac() && self.is_des() && self.key_length() == DOUBLE
    }

    /// Whether the key only derives others, for PSAMs.
    pub(crate) fn is_psam_master(self) -> bool {
        matches!(self, Self::PsamPin | Self::PsamMac | Self::PsamTrack | Self::PsamAuth)
    }

    /// The usage of a header. Where two share a code the algorithm decides; an
    /// algorithm that fits neither is for the caller to refuse.
    pub(crate) fn from_header(code: &[u8], algorithm: u8) -> Option<Self> {
        let named = || Self::ALL.into_iter().filter(|usage| usage.code().as_bytes() == code);
        let fitting = named().find(|usage| usage.algorithm(usage.key_length()) == algorithm);
        fitting.or_else(|| named().next())
    }

    /// The header's algorithm: `T` triple DES, `D` DES, `A` AES, `H` HMAC.
    pub(crate) fn algorithm(self, key_length: usize) -> u8 {
        match (self, key_length) {
            (Self::Token, _) => b'H',
            (Self::ZoneMaster | Self::PinEncryptionAes | Self::MacCmacAes | Self::DukptAes, _) => b'A',
            (_, SINGLE) => b'D',
            _ => b'T',
        }
    }

    /// The header's mode of use: `B` both encrypt and decrypt, `C` both generate
    /// and verify, `X` derive other keys. Exactly this mode is accepted, no narrower one.
    pub(crate) fn mode(self) -> u8 {
        match self {
            Self::KeyEncryption
            | Self::ZoneMaster
            | Self::ZoneMasterTdes
            | Self::PinEncryption
            | Self::PinEncryptionAes => b'B',
            Self::PsamPin
            | Self::PsamMac
            | Self::PsamTrack
            | Self::PsamAuth
            | Self::DukptTdes
            | Self::DukptAes
            | Self::EmvCryptogram
            | Self::PursePurchase
            | Self::PurseLoad
            | Self::PurseTac => b'X',
            _ => b'C',
        }
    }

    /// Whether the key is for DES or triple DES and has parity bits.
    pub(crate) fn is_des(self) -> bool {
        matches!(self.algorithm(self.key_length()), b'T' | b'D')
    }

    /// Whether the key is for AES.
    pub(crate) fn is_aes(self) -> bool {
        self.algorithm(self.key_length()) == b'A'
    }

    /// The length of a new key in bytes.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Self::Token => HMAC,
            Self::ZoneMaster | Self::PinEncryptionAes | Self::MacCmacAes | Self::DukptAes => AES_256,
            Self::MacCbcDes => SINGLE,
            _ => DOUBLE,
        }
    }

    /// Whether a key of this many bytes may have this usage.
    pub(crate) fn accepts_length(self, length: usize) -> bool {
        match self {
            Self::MacUnionPayEcb | Self::MacXorFold => matches!(length, SINGLE | DOUBLE),
            Self::ZoneMaster => matches!(length, AES_128 | AES_256),
            Self::PinEncryptionAes | Self::MacCmacAes | Self::DukptAes => {
                matches!(length, AES_128 | AES_192 | AES_256)
            }
            _ => length == self.key_length(),
        }
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
            let algorithm = usage.algorithm(usage.key_length());
            assert_eq!(KeyUsage::from_header(usage.code().as_bytes(), algorithm), Some(usage));
        }
        assert_eq!(KeyUsage::from_header(b"B1", b'T'), None);
    }

    #[test]
    fn only_macs_of_old_terminals_may_be_single_length() {
        let single: Vec<_> = KeyUsage::ALL.into_iter().filter(|usage| usage.accepts_length(8)).collect();
        assert_eq!(single, [KeyUsage::MacUnionPayEcb, KeyUsage::MacXorFold, KeyUsage::MacCbcDes]);
    }

    #[test]
    fn no_two_usages_share_code_algorithm_and_mode() {
        let mut headers: Vec<_> = KeyUsage::ALL
            .into_iter()
            .map(|usage| (usage.code(), usage.algorithm(usage.key_length()), usage.mode()))
            .collect();
        headers.sort_unstable();
        headers.dedup();
        assert_eq!(headers.len(), KeyUsage::ALL.len());
    }
}
