//! A telephone POS: the requests of `pos`, but each under keys of its own, which its PSAM derives.
//!
//! It signs in by answering a nonce; from then on each message carries that nonce and a fresh random number in field
//! 57. What stands there is wire scheme version 1, which is the switch's own. Start at [`EposTerminal`].

use std::fmt;

use arrayvec::ArrayVec;
use hsm_sim::emulator::{EmulatorError, Psam};
use hsm_sim::{Entropy, Pan, PsamNumber};
use iso8583::Message;

use super::compose::Management;
use super::device::Terminal;
use super::error::TerminalError;
use super::exchange::{Exchange, stan};
use super::frame::{DIAL_RECORD, Frame};
use super::private_57::{self, Tags};
use super::security::{Once, SEALED_TRACK_MAX, Security};

/// The version of the scheme that is spoken here.
const SCHEME_VERSION: u8 = 1;
/// What a dial record begins with: three letters, and the length of the rest.
const DIAL_MARK: &[u8; 5] = b"LRI\x00\x1C";
/// The most digits of a telephone number, ITU-T E.164.
const PHONE_MAX: usize = 15;

/// A telephone POS of the dialect `epos`.
pub type EposTerminal = Terminal<OneTimeKeys>;

/// A PSAM, whose keys are good for one message each, and what a terminal says of it.
pub struct OneTimeKeys {
    psam: Psam,
    key_version: u8,
    said_number: PsamNumber,
    calling: Phone,
    nonce: Option<[u8; 8]>,
    without_57: bool,
    dial_record: Option<[u8; DIAL_RECORD]>,
    entropy: Box<dyn Entropy + Send>,
}

impl EposTerminal {
    /// A terminal with its PSAM inside, calling from this number (1 to 15 digits), and not connected yet. It is in
    /// batch 1, and its first STAN is 1.
    ///
    /// # Errors
    /// [`TerminalError::Phone`].
    pub fn new(
        terminal_id: [u8; 8],
        merchant_id: [u8; 15],
        psam: Psam,
        key_version: u8,
        calling: &str,
        entropy: Box<dyn Entropy + Send>,
    ) -> Result<Self, TerminalError> {
        let keys = OneTimeKeys {
            said_number: psam.number(),
            psam,
            key_version,
            calling: Phone::parse(calling)?,
            nonce: None,
            without_57: false,
            dial_record: None,
            entropy,
        };
        Ok(Self::keeping(terminal_id, merchant_id, keys))
    }

    /// The same terminal, saying that it calls from another number.
    ///
    /// # Errors
    /// [`TerminalError::Phone`].
    pub fn calling_from(mut self, calling: &str) -> Result<Self, TerminalError> {
        self.security.calling = Phone::parse(calling)?;
        Ok(self)
    }

    /// The same terminal, saying that its PSAM has another number; the keys stay as they are.
    #[must_use]
    pub fn claiming(mut self, psam: PsamNumber) -> Self {
        self.security.said_number = psam;
        self
    }

    /// The same terminal, leaving field 57 out of its messages about cards.
    #[must_use]
    pub fn without_57(mut self) -> Self {
        self.security.without_57 = true;
        self
    }

    /// The same terminal behind a concentrator, which puts a dial record before the TPDU: called from one number to
    /// another.
    ///
    /// # Errors
    /// [`TerminalError::Phone`].
    pub fn dialling(mut self, calling: &str, called: &str) -> Result<Self, TerminalError> {
        let (calling, called) = (Phone::parse(calling)?, Phone::parse(called)?);
        let mut record = [0; DIAL_RECORD];
        record[..5].copy_from_slice(DIAL_MARK);
        record[5..13].copy_from_slice(&calling.bcd);
        record[13..21].copy_from_slice(&called.bcd);
        self.security.dial_record = Some(record);
        Ok(self)
    }

    /// The number of its PSAM, as it says.
    #[must_use]
    pub fn psam(&self) -> PsamNumber {
        self.security.said_number
    }

    /// Asks for a nonce and answers it, on one connection (0800, 60.3 = 003, twice). What comes back is the second
    /// exchange, or the first if that was not approved.
    ///
    /// # Errors
    /// No line, or an approval without a nonce.
    pub fn sign_in(&mut self) -> Result<Exchange, TerminalError> {
        let asking = self.prepare_sign_in()?;
        let asked = self.send(&asking)?;
        let (true, Some(answer)) = (asked.approved(), &asked.answer) else { return Ok(asked) };
        self.take_nonce(answer)?;
        let answering = self.prepare_authentication()?;
        self.send(&answering)
    }

    /// Builds the question for a nonce under the next STAN, without sending it.
    ///
    /// # Errors
    /// It does not fit the table of `pos`, which would be a fault of this program.
    pub fn prepare_sign_in(&mut self) -> Result<Frame, TerminalError> {
        let tags = self.security.line_tags();
        self.prepare_management(Management::SignIn, &tags)
    }

    /// Takes over the nonce in the answer to that question. From now on every message carries it.
    ///
    /// # Errors
    /// [`TerminalError::NoNonceInAnswer`].
    pub fn take_nonce(&mut self, answer: &Frame) -> Result<(), TerminalError> {
        let message = answer.message().map_err(TerminalError::Answer)?;
        let nonce = private_57::eight(&message, private_57::NONCE);
        self.security.nonce = Some(nonce.ok_or(TerminalError::NoNonceInAnswer)?);
        Ok(())
    }

    /// Builds the second message of a sign-in, which proves that the PSAM is there, without sending it.
    ///
    /// # Errors
    /// No nonce was taken.
    pub fn prepare_authentication(&mut self) -> Result<Frame, TerminalError> {
        let stan = self.take_stan();
        let nonce = self.security.nonce.ok_or(TerminalError::Keys(EmulatorError::NoKeys))?;
        let authenticator = self.security.psam.authenticator(nonce, self.id(), stan);
        let mut tags = self.security.line_tags();
        tags.put(private_57::AUTHENTICATOR, &authenticator.map_err(TerminalError::Keys)?);
        self.management(Management::SignIn, (self.batch(), stan), &tags)
    }
}

impl Security for OneTimeKeys {
    const DRAWS_FOR_REPEATS: bool = true;

    fn draw(&mut self, stan: u32) -> Once {
        let mut random = [0; 8];
        self.entropy.fill(&mut random);
        Once { random, stan }
    }

    fn once_of(&self, sent: &Message<'_>) -> Once {
        // Without a random number in the message no key fits, whatever stands in its place.
        Once { random: private_57::eight(sent, private_57::RANDOM).unwrap_or_default(), stan: stan(sent) }
    }

    fn pin_block(&self, once: &Once, pin: &[u8], pan: &Pan) -> Result<[u8; 8], TerminalError> {
        self.psam.pin_block(once.random, once.stan, pin, pan).map_err(TerminalError::Keys)
    }

    fn seal_track(
        &self,
        once: &Once,
        track2: &[u8],
    ) -> Result<Option<ArrayVec<u8, SEALED_TRACK_MAX>>, TerminalError> {
        self.psam.track(once.random, once.stan, track2).map(Some).map_err(TerminalError::Keys)
    }

    fn tags(&self, once: &Once, track: Option<&[u8]>) -> Tags {
        let mut tags = Tags::default();
        if self.without_57 {
            return tags;
        }
        tags.put(private_57::SCHEME, &[SCHEME_VERSION]);
        tags.put(private_57::PSAM, self.said_number.as_bcd());
        tags.put(private_57::RANDOM, &once.random);
        tags.put(private_57::KEY_VERSION, &[self.key_version]);
        tags.put(private_57::CALLING, self.calling.as_bytes());
        if let Some(track) = track {
            tags.put(private_57::TRACK, track);
        }
        if let Some(nonce) = &self.nonce {
            tags.put(private_57::NONCE, nonce);
        }
        tags
    }

    fn line_tags(&self) -> Tags {
        let mut tags = Tags::default();
        tags.put(private_57::SCHEME, &[SCHEME_VERSION]);
        tags.put(private_57::PSAM, self.said_number.as_bcd());
        tags.put(private_57::CALLING, self.calling.as_bytes());
        tags
    }

    fn mac(&self, once: &Once, data: &[u8]) -> Result<[u8; 8], TerminalError> {
        if self.nonce.is_none() {
            // The PSAM could; a switch would ask for a sign-in.
            return Err(TerminalError::Keys(EmulatorError::NoKeys));
        }
        self.psam.mac(once.random, once.stan, data).map_err(TerminalError::Keys)
    }

    fn verify(&self, once: &Once, data: &[u8], mac: &[u8; 8]) -> bool {
        self.psam.verify(once.random, once.stan, data, mac)
    }

    fn dial_record(&self) -> Option<&[u8; DIAL_RECORD]> {
        self.dial_record.as_ref()
    }
}

impl fmt::Debug for OneTimeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeKeys")
            .field("psam", &self.said_number)
            .field("key_version", &self.key_version)
            .field("signed_in", &self.nonce.is_some())
            .finish_non_exhaustive()
    }
}

/// A telephone number in BCD, from the left, filled up with F.
#[derive(Clone, Copy)]
struct Phone {
    bcd: [u8; 8],
    digits: usize,
}

impl Phone {
    fn parse(text: &str) -> Result<Self, TerminalError> {
        let digits = text.as_bytes();
        if !(1..=PHONE_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(TerminalError::Phone);
        }
        let mut bcd = [0xFF; 8];
        for (at, digit) in digits.iter().enumerate() {
            let digit = digit - b'0';
            bcd[at / 2] = if at % 2 == 0 { digit << 4 | 0x0F } else { bcd[at / 2] & 0xF0 | digit };
        }
        Ok(Self { bcd, digits: digits.len() })
    }

    /// The bytes that hold a digit.
    fn as_bytes(&self) -> &[u8] {
        &self.bcd[..self.digits.div_ceil(2)]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_telephone_number_is_filled_up_with_f() {
        let rows: [(&str, &[u8]); 4] = [
            ("1", &[0x1F]),
            ("02", &[0x02]),
            ("02100000001", &[0x02, 0x10, 0x00, 0x00, 0x00, 0x1F]),
            ("123456789012345", &[0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x5F]),
        ];
        for (text, want) in rows {
            let phone = Phone::parse(text).unwrap();
            assert_eq!(phone.as_bytes(), want, "{text}");
            assert!(phone.bcd[want.len()..].iter().all(|byte| *byte == 0xFF), "{text}");
        }
        for text in ["", "1234567890123456", "12a", "١"] {
            assert!(matches!(Phone::parse(text), Err(TerminalError::Phone)), "{text}");
        }
    }
}
