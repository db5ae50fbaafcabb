//! How a terminal keeps secrets: what it makes of a PIN, a track and a message before they leave it.
//!
//! The dialects `pos` and `epos` have the same requests and differ in this alone. Here is the one with working keys;
//! the one with a PSAM is in `epos`. Start at [`Security`].

use arrayvec::ArrayVec;
use hsm_sim::emulator::TerminalKeys;
use hsm_sim::{MacAlgorithm, Pan};
use iso8583::Message;

use super::error::TerminalError;
use super::frame::DIAL_RECORD;
use super::private_57::Tags;

/// Bytes of the longest encrypted track 2: 37 digits, their end mark, whole cipher blocks.
pub(super) const SEALED_TRACK_MAX: usize = 24;

/// What the keys of one message are made from, where each message has its own.
#[derive(Clone, Copy)]
pub struct Once {
    pub(super) random: [u8; 8],
    pub(super) stan: u32,
}

/// Makes what is secret in a message, and its MAC.
pub trait Security: std::fmt::Debug {
    /// Whether a repeat has keys of its own and so is not the same bytes.
    const DRAWS_FOR_REPEATS: bool;

    /// Draws what the keys of the next message are made from.
    fn draw(&mut self, stan: u32) -> Once;

    /// What the keys of a message that was sent were made from.
    fn once_of(&self, sent: &Message<'_>) -> Once;

    /// A PIN (ASCII digits) as it goes into field 52.
    ///
    /// # Errors
    /// No keys, or a PIN that is not 4 to 12 digits.
    fn pin_block(&self, once: &Once, pin: &[u8], pan: &Pan) -> Result<[u8; 8], TerminalError>;

    /// A track 2 for field 57; `None` if it goes into field 35 as it is.
    ///
    /// # Errors
    /// No keys, or something that is no track.
    fn seal_track(
        &self,
        once: &Once,
        track2: &[u8],
    ) -> Result<Option<ArrayVec<u8, SEALED_TRACK_MAX>>, TerminalError>;

    /// What field 57 of a message with a MAC says.
    fn tags(&self, once: &Once, track: Option<&[u8]>) -> Tags;

    /// What field 57 of a message about the line says.
    fn line_tags(&self) -> Tags;

    /// The MAC of a message.
    ///
    /// # Errors
    /// No keys.
    fn mac(&self, once: &Once, data: &[u8]) -> Result<[u8; 8], TerminalError>;

    /// Whether an answer carries its right MAC.
    fn verify(&self, once: &Once, data: &[u8], mac: &[u8; 8]) -> bool;

    /// What a concentrator puts before the TPDU, if the terminal calls through one.
    fn dial_record(&self) -> Option<&[u8; DIAL_RECORD]>;
}

/// Working keys under a terminal master key, which a sign-in brings. For the dialect `pos`.
#[derive(Debug)]
pub struct WorkingKeys {
    pub(super) keys: TerminalKeys,
    pub(super) algorithm: MacAlgorithm,
}

impl Security for WorkingKeys {
    const DRAWS_FOR_REPEATS: bool = false;

    fn draw(&mut self, stan: u32) -> Once {
        Once { random: [0; 8], stan }
    }

    fn once_of(&self, _sent: &Message<'_>) -> Once {
        Once { random: [0; 8], stan: 0 }
    }

    fn pin_block(&self, _once: &Once, pin: &[u8], pan: &Pan) -> Result<[u8; 8], TerminalError> {
        self.keys.pin_block(pin, pan).map_err(TerminalError::Keys)
    }

    fn seal_track(
        &self,
        _once: &Once,
        _track2: &[u8],
    ) -> Result<Option<ArrayVec<u8, SEALED_TRACK_MAX>>, TerminalError> {
        Ok(None)
    }

    fn tags(&self, _once: &Once, _track: Option<&[u8]>) -> Tags {
        Tags::default()
    }

    fn line_tags(&self) -> Tags {
        Tags::default()
    }

    fn mac(&self, _once: &Once, data: &[u8]) -> Result<[u8; 8], TerminalError> {
        self.keys.mac(self.algorithm, data).map_err(TerminalError::Keys)
    }

    fn verify(&self, _once: &Once, data: &[u8], mac: &[u8; 8]) -> bool {
        self.keys.verify(self.algorithm, data, mac)
    }

    fn dial_record(&self) -> Option<&[u8; DIAL_RECORD]> {
        None
    }
}
