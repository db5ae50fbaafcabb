//! An ATM host: the other side of a zone master key.
//!
//! It holds one PIN key and a MAC key for each direction, and sends new ones as
//! TR-31 key blocks. Start at [`Zone`].

use super::EmulatorError;
use crate::{
    Entropy, KeyUsage, MacAlgorithm, Pan, des_key::DesKey, mac, pin::Pin, tr31::Attributes,
    zone_master::ZoneMaster,
};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The keys of an ATM host, kept as expanded schedules and wiped on drop. `Debug`
/// shows the MAC's algorithm only.
pub struct Zone {
    zmk: ZoneMaster,
    keys: ZoneKeys,
    algorithm: MacAlgorithm,
}

struct ZoneKeys {
    pin: DesKey,
    mac_out: DesKey,
    mac_in: DesKey,
}

impl Zone {
    /// A host whose zone master key is AES, of 16 or 32 bytes: its key blocks are
    /// of version D. `mac_out` is for messages to the switch, `mac_in` for those
    /// from it.
    ///
    /// # Errors
    /// [`EmulatorError::KeyLength`] for another length of `zmk`,
    /// [`EmulatorError::WeakKey`] for the others, [`EmulatorError::Algorithm`]
    /// unless it is X9.19 or CBC triple DES.
    pub fn new(
        zmk: &[u8],
        pin: [u8; 16],
        mac_out: [u8; 16],
        mac_in: [u8; 16],
        algorithm: MacAlgorithm,
    ) -> Result<Self, EmulatorError> {
        let zmk = ZoneMaster::new(KeyUsage::ZoneMaster, zmk)?;
        Self::with_master(zmk, ZoneKeys::new(pin, mac_out, mac_in)?, algorithm)
    }

    /// The same with a zone master key in double-length triple DES: its key blocks
    /// are of version B.
    ///
    /// # Errors
    /// As for [`Zone::new`].
    pub fn with_tdes_master(
        zmk: &[u8; 16],
        pin: [u8; 16],
        mac_out: [u8; 16],
        mac_in: [u8; 16],
        algorithm: MacAlgorithm,
    ) -> Result<Self, EmulatorError> {
        let zmk = ZoneMaster::new(KeyUsage::ZoneMasterTdes, zmk)?;
        Self::with_master(zmk, ZoneKeys::new(pin, mac_out, mac_in)?, algorithm)
    }

    /// A PIN (ASCII digits) as an ISO 9564-1 format 0 block under the zone PIN key.
    ///
    /// # Errors
    /// [`EmulatorError::PinLength`].
    pub fn pin_block(&self, pin: &[u8], pan: &Pan) -> Result<[u8; 8], EmulatorError> {
        let clear = Zeroizing::new(Pin::parse(pin)?.to_iso0(pan));
        Ok(self.keys.pin.encrypt(*clear))
    }

    /// The MAC of a message to the switch.
    ///
    /// # Errors
    /// [`EmulatorError::EmptyMessage`].
    pub fn mac(&self, data: &[u8]) -> Result<[u8; 8], EmulatorError> {
        Ok(mac::compute(&self.keys.mac_out, self.algorithm, data)?)
    }

    /// Whether a message from the switch carries its right MAC.
    #[must_use]
    pub fn verify(&self, data: &[u8], mac: &[u8; 8]) -> bool {
        let right = mac::compute(&self.keys.mac_in, self.algorithm, data);
        right.is_ok_and(|right| right.ct_eq(mac).into())
    }

    /// A new key as a TR-31 key block under the zone master key, not exportable.
    /// The host itself goes on with its old keys until [`Zone::change`].
    ///
    /// Whether the key is any good is not looked at, so that a receiver's refusal
    /// can be tried.
    #[must_use]
    pub fn key_block(&self, usage: KeyUsage, key: &[u8; 16], entropy: &mut dyn Entropy) -> String {
        self.zmk.wrap(Attributes::of(usage, key.len()), key, entropy).as_str().to_owned()
    }

    /// Goes over to new keys, all three at once.
    ///
    /// # Errors
    /// [`EmulatorError::WeakKey`]; then the old keys stay.
    pub fn change(
        &mut self,
        pin: [u8; 16],
        mac_out: [u8; 16],
        mac_in: [u8; 16],
    ) -> Result<(), EmulatorError> {
        self.keys = ZoneKeys::new(pin, mac_out, mac_in)?;
        Ok(())
    }

    fn with_master(zmk: ZoneMaster, keys: ZoneKeys, algorithm: MacAlgorithm) -> Result<Self, EmulatorError> {
        match algorithm {
            MacAlgorithm::X919 | MacAlgorithm::Cbc3Des => Ok(Self { zmk, keys, algorithm }),
            _ => Err(EmulatorError::Algorithm),
        }
    }
}

impl ZoneKeys {
    fn new(pin: [u8; 16], mac_out: [u8; 16], mac_in: [u8; 16]) -> Result<Self, EmulatorError> {
        Ok(Self { pin: expand(pin)?, mac_out: expand(mac_out)?, mac_in: expand(mac_in)? })
    }
}

fn expand(mut key: [u8; 16]) -> Result<DesKey, EmulatorError> {
    let expanded = DesKey::new(&key);
    key.zeroize();
    Ok(expanded?)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    const KEYS: [&str; 3] = [
        "0123456789ABCDEFFEDCBA9876543210",
        "11223344556677888877665544332211",
        "CA5D92598DCA48CE8A4C76361A9269E9",
    ];

    fn zone(zmk: &[u8], algorithm: MacAlgorithm) -> Result<Zone, EmulatorError> {
        let [pin, mac_out, mac_in] = KEYS.map(vectors::array);
        Zone::new(zmk, pin, mac_out, mac_in, algorithm)
    }

    #[test]
    fn each_direction_has_its_own_mac_key() {
        let zone = zone(&[7; 32], MacAlgorithm::Cbc3Des).unwrap();
        let mac = zone.mac(b"message").unwrap();
        assert!(!zone.verify(b"message", &mac), "a reflected message is no answer");
        let mac_in = DesKey::new(&vectors::bytes(KEYS[2])).unwrap();
        let answer = mac::compute(&mac_in, MacAlgorithm::Cbc3Des, b"message").unwrap();
        assert!(zone.verify(b"message", &answer));
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let x919 = MacAlgorithm::X919;
        assert_eq!(zone(&[7; 24], x919).err(), Some(EmulatorError::KeyLength));
        assert_eq!(zone(&[7; 16], MacAlgorithm::UnionPayEcb).err(), Some(EmulatorError::Algorithm));
        assert_eq!(zone(&[7; 16], MacAlgorithm::Psam).err(), Some(EmulatorError::Algorithm));
        let [pin, mac_out, mac_in] = KEYS.map(vectors::array);
        let equal_halves = Zone::with_tdes_master(&[7; 16], pin, mac_out, mac_in, x919);
        assert_eq!(equal_halves.err(), Some(EmulatorError::WeakKey));
        let zone = zone(&[7; 16], x919).unwrap();
        assert_eq!(zone.mac(b""), Err(EmulatorError::EmptyMessage));
        let pan = Pan::parse(b"4761739001010119").unwrap();
        assert_eq!(zone.pin_block(b"123", &pan), Err(EmulatorError::PinLength));
    }

    #[test]
    fn a_change_with_a_weak_key_changes_nothing() {
        let mut zone = zone(&[7; 16], MacAlgorithm::X919).unwrap();
        let [pin, mac_out, mac_in] = KEYS.map(vectors::array);
        let before = zone.mac(b"message");
        assert_eq!(zone.change(pin, mac_in, [1; 16]), Err(EmulatorError::WeakKey));
        assert_eq!(zone.mac(b"message"), before);
        assert_eq!(zone.change(pin, mac_in, mac_out), Ok(()));
        assert_ne!(zone.mac(b"message"), before);
    }

    #[test]
    fn printing_shows_no_key() {
        let shown = format!("{:?}", zone(&[7; 16], MacAlgorithm::X919).unwrap());
        assert_eq!(shown, "Zone { algorithm: X919, .. }");
    }
}
