//! A PSAM: the security module of a telephone POS terminal (PSAM scheme v1).
//!
//! It draws nothing itself: the random number of a transaction and its STAN are
//! arguments. Start at [`Psam`].

use super::EmulatorError;
use crate::{
    HsmError, MacAlgorithm, Pan, PsamNumber,
    des_key::DesKey,
    mac,
    pin::Pin,
    psam::{diversify, stan_bcd, transaction_factor},
    track::{SEALED_MAX, Track2},
};
use arrayvec::ArrayVec;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The four masters of one key version, in clear, as those who make PSAMs have
/// them. Wiped on drop.
pub struct PsamMasters {
    /// Derives PIN keys.
    pub pin: [u8; 16],
    /// Derives MAC keys.
    pub mac: [u8; 16],
    /// Derives the keys of encrypted tracks.
    pub track: [u8; 16],
    /// Derives the keys of authenticators.
    pub auth: [u8; 16],
}

/// One PSAM with its own four keys, wiped on drop. `Debug` shows the number only.
pub struct Psam {
    number: PsamNumber,
    pin: DesKey,
    mac: DesKey,
    track: DesKey,
    auth: DesKey,
}

impl Psam {
    /// Derives a PSAM's keys from the masters, as its maker does.
    ///
    /// # Errors
    /// [`EmulatorError::WeakKey`] for a weak master or derived key.
    pub fn new(number: PsamNumber, masters: &PsamMasters) -> Result<Self, EmulatorError> {
        let own = |master| Ok::<_, EmulatorError>(diversify(&DesKey::new(master)?, *number.as_bcd())?);
        Ok(Self {
            number,
            pin: own(&masters.pin)?,
            mac: own(&masters.mac)?,
            track: own(&masters.track)?,
            auth: own(&masters.auth)?,
        })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> PsamNumber {
        self.number
    }

    /// The answer to a sign-in's nonce (F57 tag 08): the MAC of nonce ‖ PSAM number
    /// ‖ F41 (eight ASCII characters) ‖ F11 (three BCD bytes), 27 bytes in all.
    ///
    /// # Errors
    /// [`EmulatorError::StanRange`].
    pub fn authenticator(
        &self,
        nonce: [u8; 8],
        terminal: &[u8; 8],
        stan: u32,
    ) -> Result<[u8; 8], EmulatorError> {
        let mut data = [0; 27];
        data[..8].copy_from_slice(&nonce);
        data[8..16].copy_from_slice(self.number.as_bcd());
        data[16..24].copy_from_slice(terminal);
        data[24..].copy_from_slice(&stan_bcd(stan)?);
        Ok(mac::compute(&self.auth, MacAlgorithm::Psam, &data)?)
    }

    /// A PIN (ASCII digits) as an ISO 9564-1 format 0 block under the one-time PIN
    /// key.
    ///
    /// # Errors
    /// [`EmulatorError::PinLength`], [`EmulatorError::StanRange`],
    /// [`EmulatorError::WeakKey`] if this transaction's key is one.
    pub fn pin_block(
        &self,
        random: [u8; 8],
        stan: u32,
        pin: &[u8],
        pan: &Pan,
    ) -> Result<[u8; 8], EmulatorError> {
        let key = one_time(&self.pin, random, stan)?;
        let clear = Zeroizing::new(Pin::parse(pin)?.to_iso0(pan));
        Ok(key.encrypt(*clear))
    }

    /// A track 2 (ASCII digits with one `=`, at most 37 characters) under the
    /// one-time track key: 8, 16 or 24 bytes (F57 tag 06).
    ///
    /// # Errors
    /// [`EmulatorError::Track`], [`EmulatorError::StanRange`],
    /// [`EmulatorError::WeakKey`] if this transaction's key is one.
    pub fn track(
        &self,
        random: [u8; 8],
        stan: u32,
        track2_ascii: &[u8],
    ) -> Result<ArrayVec<u8, SEALED_MAX>, EmulatorError> {
        let key = one_time(&self.track, random, stan)?;
        Ok(Track2::parse(track2_ascii)?.seal(&key))
    }

    /// The MAC of a message under the one-time MAC key; its answer's MAC is made
    /// with the same random number and STAN.
    ///
    /// # Errors
    /// [`EmulatorError::EmptyMessage`], [`EmulatorError::StanRange`],
    /// [`EmulatorError::WeakKey`] if this transaction's key is one.
    pub fn mac(&self, random: [u8; 8], stan: u32, data: &[u8]) -> Result<[u8; 8], EmulatorError> {
        let key = one_time(&self.mac, random, stan)?;
        Ok(mac::compute(&key, MacAlgorithm::Psam, data)?)
    }

    /// Whether an answer carries its right MAC. One that fails here is no answer.
    #[must_use]
    pub fn verify(&self, random: [u8; 8], stan: u32, data: &[u8], mac: &[u8; 8]) -> bool {
        self.mac(random, stan, data).is_ok_and(|right| right.ct_eq(mac).into())
    }
}

fn one_time(key: &DesKey, random: [u8; 8], stan: u32) -> Result<DesKey, HsmError> {
    diversify(key, transaction_factor(random, stan)?)
}

impl Drop for PsamMasters {
    fn drop(&mut self) {
        for key in [&mut self.pin, &mut self.mac, &mut self.track, &mut self.auth] {
            key.zeroize();
        }
    }
}

impl fmt::Debug for PsamMasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PsamMasters")
    }
}

impl fmt::Debug for Psam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psam").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    fn psam(vector: &vectors::Vector) -> Psam {
        let master = |name| vectors::array(vector.input(name));
        let masters = PsamMasters {
            pin: master("pmk_pin"),
            mac: master("pmk_mac"),
            track: master("pmk_track"),
            auth: [0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 1, 2, 4, 7, 8, 11, 13, 14, 16],
        };
        let number = PsamNumber::parse_bcd(&vectors::array(vector.input("psam_no"))).unwrap();
        Psam::new(number, &masters).unwrap()
    }

    #[test]
    fn known_transactions_are_made() {
        for vector in vectors::family("psam_session_ours") {
            let psam = psam(&vector);
            let (random, stan) =
                (vectors::array(vector.input("random")), vector.input("stan").parse().unwrap());
            let (pan, pin) = (Pan::parse(vector.input("pan").as_bytes()).unwrap(), vector.input("pin"));
            let block = psam.pin_block(random, stan, pin.as_bytes(), &pan).unwrap();
            assert_eq!(block.to_vec(), vector.expected_bytes("pin_block"), "{}", vector.id);
            let track = psam.track(random, stan, vector.input("track2").as_bytes()).unwrap();
            assert_eq!(track.to_vec(), vector.expected_bytes("track2_enc"), "{}", vector.id);
            let (data, mac) = (vector.input_bytes("mac_data_hex"), vectors::array(vector.expected("mac8")));
            assert_eq!(psam.mac(random, stan, &data), Ok(mac), "{}", vector.id);
            assert!(psam.verify(random, stan, &data, &mac), "{}", vector.id);
            assert!(!psam.verify(random, stan + 1, &data, &mac), "{}", vector.id);
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let (psam, pan) =
            (psam(&vectors::family("psam_session_ours")[0]), Pan::parse(b"4761739001010119").unwrap());
        let stan = 1_000_000;
        assert_eq!(psam.pin_block([1; 8], 1, b"123", &pan), Err(EmulatorError::PinLength));
        assert_eq!(psam.pin_block([1; 8], stan, b"1234", &pan), Err(EmulatorError::StanRange));
        assert_eq!(psam.track([1; 8], 1, b"4761739001010119"), Err(EmulatorError::Track));
        assert_eq!(psam.track([1; 8], stan, b"476=26"), Err(EmulatorError::StanRange));
        assert_eq!(psam.mac([1; 8], 1, b""), Err(EmulatorError::EmptyMessage));
        assert_eq!(psam.mac([1; 8], stan, b"message"), Err(EmulatorError::StanRange));
        assert_eq!(psam.authenticator([1; 8], b"41000001", stan), Err(EmulatorError::StanRange));
        let weak = PsamMasters { pin: [1; 16], mac: [2; 16], track: [3; 16], auth: [4; 16] };
        assert_eq!(Psam::new(psam.number(), &weak).err(), Some(EmulatorError::WeakKey));
    }

    #[test]
    fn printing_shows_the_number_only() {
        let psam = psam(&vectors::family("psam_session_ours")[0]);
        assert_eq!(format!("{psam:?}"), "Psam { number: PsamNumber(1000000000000001), .. }");
        let masters = PsamMasters { pin: [1; 16], mac: [2; 16], track: [3; 16], auth: [4; 16] };
        assert_eq!(format!("{masters:?}"), "PsamMasters");
    }
}
