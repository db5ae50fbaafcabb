//! An unwrapped key, expanded so that the hot path does no key schedule.

use crate::{
    HsmError, KeyUsage,
    aes_key::AesKey,
    des_key::{DesKey, DesKeyError},
    dukpt, dukpt_aes,
    token::hmac_sha256,
    zone_master::ZoneMaster,
};
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

/// HMAC-SHA-256 with its key absorbed; cloned for each message.
pub(crate) type HmacKey = Hmac<Sha256>;

/// A key ready for use. All forms are wiped on drop by their crates.
pub(crate) enum Schedule {
    Des(DesKey),
    Aes(AesKey),
    Hmac(HmacKey),
    Zone(ZoneMaster),
    /// Boxed, because it is two keys.
    Dukpt(Box<dukpt::BaseKey>),
    DukptAes(dukpt_aes::BaseKey),
}

impl Schedule {
    /// Expands clear key bytes for a usage.
    ///
    /// # Errors
    /// [`HsmError::KeyLength`] and [`HsmError::WeakKey`].
    pub(crate) fn new(usage: KeyUsage, key: &[u8]) -> Result<Self, HsmError> {
        if !usage.accepts_length(key.len()) {
            return Err(HsmError::KeyLength);
        }
        match usage {
            KeyUsage::Token => HmacKey::new_from_slice(key).map(Self::Hmac).map_err(|_| HsmError::KeyLength),
            KeyUsage::ZoneMaster | KeyUsage::ZoneMasterTdes => ZoneMaster::new(usage, key).map(Self::Zone),
            KeyUsage::DukptTdes => dukpt::BaseKey::new(key).map(Box::new).map(Self::Dukpt),
            KeyUsage::DukptAes => dukpt_aes::BaseKey::new(key).map(Self::DukptAes),
            _ if usage.is_aes() => AesKey::new(key).map(Self::Aes),
            _ => DesKey::new(key).map(Self::Des).map_err(HsmError::from),
        }
    }

    /// The left three bytes of the encryption of eight zero bytes; for an HMAC
    /// key, of its MAC over them; for AES, of the CMAC of sixteen.
    pub(crate) fn check_value(&self) -> [u8; 3] {
        match self {
            Self::Des(key) => key.check_value(),
            Self::Aes(key) => key.check_value(),
            Self::Dukpt(key) => key.check_value(),
            Self::DukptAes(key) => key.check_value(),
            Self::Hmac(key) => {
                let [a, b, c, ..] = hmac_sha256(key, &[0; 8]);
                [a, b, c]
            }
            Self::Zone(master) => master.check_value(),
        }
    }
}

impl From<DesKeyError> for HsmError {
    fn from(error: DesKeyError) -> Self {
        match error {
            DesKeyError::Length => Self::KeyLength,
            DesKeyError::Weak => Self::WeakKey,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_expanded_only_with_a_length_of_its_usage() {
        let key: Vec<u8> = (1..=40).collect();
        for usage in KeyUsage::ALL {
            for length in 0..=key.len() {
                let accepted = Schedule::new(usage, &key[..length]).is_ok();
                assert_eq!(accepted, usage.accepts_length(length), "{usage} {length}");
            }
        }
    }
}
