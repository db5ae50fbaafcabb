//! The other side of the keys, for clients, demonstrations and tests: what a PIN
//! pad with a terminal master key, a PSAM and an ATM host do.
//!
//! No HSM here: keys are in clear inside, as in the device. Start at
//! [`TerminalKeys`], [`Psam`] or [`Zone`].

mod psam;
mod zone;

use crate::{
    HsmError, MacAlgorithm, Pan,
    des_key::{DesKey, DesKeyError},
    mac,
    pin::Pin,
};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

pub use psam::{Psam, PsamMasters};
pub use zone::Zone;

/// A terminal master key and the working keys that came under it.
///
/// Kept as expanded schedules, wiped on drop. `Debug` shows only whether there
/// are working keys.
pub struct TerminalKeys {
    /// `None` if the master key was weak; then nothing is ever accepted.
    tmk: Option<DesKey>,
    working: Option<WorkingKeys>,
}

struct WorkingKeys {
    pin: DesKey,
    mac: DesKey,
}

/// Why the terminal, PSAM or host cannot do something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EmulatorError {
    /// No working keys were accepted yet.
    #[error("terminal has no working keys")]
    NoKeys,
    /// A check value does not match its key.
    #[error("check value does not match")]
    CheckValue,
    /// A key is weak or has equal halves.
    #[error("key is weak or has equal halves")]
    WeakKey,
    /// The algorithm needs a double-length key and the MAC key is single.
    #[error("algorithm needs a double-length key")]
    SingleLengthKey,
    /// The PIN is not 4 to 12 ASCII digits.
    #[error("PIN must have 4 to 12 digits")]
    PinLength,
    /// The zone master key has a length that AES has not.
    #[error("zone master key must have 16 or 32 bytes")]
    KeyLength,
    /// No zone's messages have MACs of this algorithm.
    #[error("a zone's MAC is X9.19 or CBC triple DES")]
    Algorithm,
    /// The track is not up to 37 ASCII digits with one `=` among them.
    #[error("track must be at most 37 digits and one separator")]
    Track,
    /// A STAN has more than six digits.
    #[error("STAN must have at most six digits")]
    StanRange,
    /// There is nothing to compute a MAC over.
    #[error("message to authenticate is empty")]
    EmptyMessage,
}

impl TerminalKeys {
    /// A terminal with its master key injected and no working keys.
    #[must_use]
    pub fn new(mut tmk: [u8; 16]) -> Self {
        let key = DesKey::new(&tmk).ok();
        tmk.zeroize();
        Self { tmk: key, working: None }
    }

    /// Takes new working keys from a sign-in answer: decrypts both, compares both
    /// check values, and replaces the old keys only if everything is right.
    ///
    /// A MAC cryptogram whose second half is all zero is a single-length key.
    ///
    /// # Errors
    /// [`EmulatorError::CheckValue`], [`EmulatorError::WeakKey`].
    pub fn accept(
        &mut self,
        pin_cryptogram: &[u8; 16],
        pin_cv: &[u8; 4],
        mac_cryptogram: &[u8; 16],
        mac_cv: &[u8; 4],
    ) -> Result<(), EmulatorError> {
        let tmk = self.tmk.as_ref().ok_or(EmulatorError::WeakKey)?;
        let pin = unwrap(tmk, pin_cryptogram, 16, pin_cv)?;
        let mac_length = if mac_cryptogram[8..] == [0; 8] { 8 } else { 16 };
        let mac = unwrap(tmk, mac_cryptogram, mac_length, mac_cv)?;
        self.working = Some(WorkingKeys { pin, mac });
        Ok(())
    }

    /// Whether working keys were accepted.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.working.is_some()
    }

    /// A PIN (ASCII digits) as an ISO 9564-1 format 0 block under the PIN key.
    ///
    /// # Errors
    /// [`EmulatorError::NoKeys`], [`EmulatorError::PinLength`].
    pub fn pin_block(&self, pin: &[u8], pan: &Pan) -> Result<[u8; 8], EmulatorError> {
        let keys = self.working.as_ref().ok_or(EmulatorError::NoKeys)?;
        let clear = Zeroizing::new(Pin::parse(pin)?.to_iso0(pan));
        Ok(keys.pin.encrypt(*clear))
    }

    /// The MAC of a message under the MAC key.
    ///
    /// # Errors
    /// [`EmulatorError::NoKeys`], [`EmulatorError::EmptyMessage`],
    /// [`EmulatorError::SingleLengthKey`] for all but UnionPay's under one.
    pub fn mac(&self, algorithm: MacAlgorithm, data: &[u8]) -> Result<[u8; 8], EmulatorError> {
        let keys = self.working.as_ref().ok_or(EmulatorError::NoKeys)?;
        if algorithm != MacAlgorithm::UnionPayEcb && !keys.mac.is_double() {
            return Err(EmulatorError::SingleLengthKey);
        }
        Ok(mac::compute(&keys.mac, algorithm, data)?)
    }

    /// Whether a message carries its right MAC; false without keys. An answer
    /// that fails here is no answer.
    #[must_use]
    pub fn verify(&self, algorithm: MacAlgorithm, data: &[u8], mac: &[u8; 8]) -> bool {
        self.mac(algorithm, data).is_ok_and(|right| right.ct_eq(mac).into())
    }
}

impl fmt::Debug for TerminalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalKeys").field("has_keys", &self.has_keys()).finish_non_exhaustive()
    }
}

impl From<DesKeyError> for EmulatorError {
    fn from(_: DesKeyError) -> Self {
        // The lengths here are fixed, so weakness is the only fault left.
        Self::WeakKey
    }
}

impl From<HsmError> for EmulatorError {
    fn from(error: HsmError) -> Self {
        match error {
            HsmError::EmptyMessage => Self::EmptyMessage,
            HsmError::PinLength => Self::PinLength,
            HsmError::KeyLength => Self::KeyLength,
            HsmError::Track => Self::Track,
            HsmError::StanRange => Self::StanRange,
            // What remains of the functions called here: a weak key, loaded or derived.
            _ => Self::WeakKey,
        }
    }
}

fn unwrap(
    tmk: &DesKey,
    cryptogram: &[u8; 16],
    length: usize,
    check_value: &[u8; 4],
) -> Result<DesKey, EmulatorError> {
    let key = DesKey::new(&tmk.decrypt_key(cryptogram)[..length])?;
    if key.check_block()[..4].ct_eq(check_value).into() { Ok(key) } else { Err(EmulatorError::CheckValue) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors;

    /// The published sign-in answer: master key, and F62 in its four parts.
    struct SignIn {
        tmk: [u8; 16],
        pin: ([u8; 16], [u8; 4]),
        mac: ([u8; 16], [u8; 4]),
    }

    fn published() -> SignIn {
        let vector = &vectors::family("cup_signon")[0];
        let answer = vector.input("de62");
        assert_eq!(&answer[32..40], vector.expected("pik_kcv"));
        assert_eq!(&answer[72..80], vector.expected("mak_kcv"));
        SignIn {
            tmk: vectors::array(vector.input("tmk")),
            pin: (vectors::array(&answer[..32]), vectors::array(&answer[32..40])),
            mac: (vectors::array(&answer[40..72]), vectors::array(&answer[72..80])),
        }
    }

    #[test]
    fn the_published_sign_in_answer_is_accepted_and_its_keys_are_used() {
        let (vector, answer) = (&vectors::family("cup_signon")[0], published());
        let mut keys = TerminalKeys::new(answer.tmk);
        keys.accept(&answer.pin.0, &answer.pin.1, &answer.mac.0, &answer.mac.1).unwrap();

        let mac_key = DesKey::new(&vector.expected_bytes("mak")).unwrap();
        let expected = mac::compute(&mac_key, MacAlgorithm::UnionPayEcb, b"message").unwrap();
        assert_eq!(keys.mac(MacAlgorithm::UnionPayEcb, b"message"), Ok(expected));

        let (pin_key, pan) =
            (DesKey::new(&vector.expected_bytes("pik")).unwrap(), Pan::parse(b"4111111111111111").unwrap());
        let expected = pin_key.encrypt(Pin::parse(b"1234").unwrap().to_iso0(&pan));
        assert_eq!(keys.pin_block(b"1234", &pan), Ok(expected));
    }

    #[test]
    fn a_single_length_key_makes_no_retail_mac() {
        let answer = published();
        let mut keys = TerminalKeys::new(answer.tmk);
        keys.accept(&answer.pin.0, &answer.pin.1, &answer.mac.0, &answer.mac.1).unwrap();
        assert_eq!(keys.mac(MacAlgorithm::X919, b"message"), Err(EmulatorError::SingleLengthKey));
    }

    #[test]
    fn wrong_check_values_change_nothing() {
        let answer = published();
        let mut keys = TerminalKeys::new(answer.tmk);
        let wrong = [0; 4];
        let refused = Err(EmulatorError::CheckValue);
        assert_eq!(keys.accept(&answer.pin.0, &wrong, &answer.mac.0, &answer.mac.1), refused);
        assert_eq!(keys.accept(&answer.pin.0, &answer.pin.1, &answer.mac.0, &wrong), refused);
        assert!(!keys.has_keys());
        keys.accept(&answer.pin.0, &answer.pin.1, &answer.mac.0, &answer.mac.1).unwrap();
        let before = keys.mac(MacAlgorithm::UnionPayEcb, b"message");
        assert_eq!(keys.accept(&answer.pin.0, &answer.pin.1, &answer.mac.0, &wrong), refused);
        assert_eq!(keys.mac(MacAlgorithm::UnionPayEcb, b"message"), before);
    }

    #[test]
    fn a_terminal_without_good_keys_does_nothing() {
        let (keys, pan) = (TerminalKeys::new(published().tmk), Pan::parse(b"4111111111111111").unwrap());
        assert_eq!(keys.pin_block(b"1234", &pan), Err(EmulatorError::NoKeys));
        assert_eq!(keys.mac(MacAlgorithm::X919, b"message"), Err(EmulatorError::NoKeys));
        assert!(!keys.verify(MacAlgorithm::X919, b"message", &[0; 8]));
        let mut weak = TerminalKeys::new([1; 16]);
        assert_eq!(weak.accept(&[1; 16], &[0; 4], &[2; 16], &[0; 4]), Err(EmulatorError::WeakKey));
    }

    #[test]
    fn printing_shows_no_key() {
        let shown = format!("{:?}", TerminalKeys::new(published().tmk));
        assert_eq!(shown, "TerminalKeys { has_keys: false, .. }");
    }
}
