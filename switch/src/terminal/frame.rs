//! A whole frame: length (2), TPDU (5), application header (6), message.

use std::fmt;

use iso8583::{DecodeError, Message, Spec};

/// To network 003 from network 000; its first byte is fixed.
const TPDU: [u8; 5] = [0x60, 0x00, 0x03, 0x00, 0x00];
/// Class 61, software 31, state and request 0, sub-version 311108.
const HEADER: [u8; 6] = [0x61, 0x31, 0x00, 0x31, 0x11, 0x08];
/// Bytes of the length, which it does not count.
pub(super) const LENGTH: usize = 2;
/// Where the message begins.
const MESSAGE_AT: usize = LENGTH + TPDU.len() + HEADER.len();

/// The bytes of one frame as they are on the wire. `Debug` prints the message masked.
#[derive(Clone, Eq, PartialEq)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// Puts a message into a frame.
    pub(super) fn around(message: &[u8]) -> Self {
        let mut bytes = vec![0; LENGTH];
        bytes.extend_from_slice(&TPDU);
        bytes.extend_from_slice(&HEADER);
        bytes.extend_from_slice(message);
        // A message of the terminal has under 300 bytes, so its frame never outgrows two length bytes.
        let length = u16::try_from(bytes.len() - LENGTH).unwrap_or(u16::MAX);
        bytes[..LENGTH].copy_from_slice(&length.to_be_bytes());
        Self(bytes)
    }

    /// Takes the first whole frame off `inbox`.
    pub(super) fn take_from(inbox: &mut Vec<u8>) -> Option<Self> {
        let length = inbox.first_chunk::<LENGTH>()?;
        let end = LENGTH + usize::from(u16::from_be_bytes(*length));
        if inbox.len() < end {
            return None;
        }
        let rest = inbox.split_off(end);
        Some(Self(std::mem::replace(inbox, rest)))
    }

    /// The first whole frame in these bytes, length included; `None` if there is none yet.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::take_from(&mut bytes.to_vec())
    }

    /// All bytes, the length included. They may hold a card number.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes of the message.
    pub(super) fn message_bytes(&self) -> &[u8] {
        self.0.get(MESSAGE_AT..).unwrap_or_default()
    }

    /// The message.
    ///
    /// # Errors
    /// It does not decode by the table of `pos`.
    pub fn message(&self) -> Result<Message<'_>, DecodeError> {
        Message::decode(Spec::pos(), self.message_bytes())
    }

    /// The same frame with the last bit of one field inverted, which leaves a digit a digit: what a forger or a bad
    /// line does. `None` if the message does not have this field.
    #[must_use]
    pub fn changed(&self, field: u8) -> Option<Self> {
        let span = self.message().ok()?.span(field)?;
        let mut bytes = self.0.clone();
        *bytes.get_mut(MESSAGE_AT + span.end.checked_sub(1)?)? ^= 1;
        Some(Self(bytes))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, _) = Message::decode_partial(Spec::pos(), self.message_bytes());
        write!(f, "Frame({} bytes, {message:?})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off_one_by_one() {
        let mut inbox = vec![0, 2, 7, 8, 0, 1];
        assert_eq!(Frame::take_from(&mut inbox), Some(Frame(vec![0, 2, 7, 8])));
        assert_eq!((Frame::take_from(&mut inbox), inbox.len()), (None, 2));
        inbox.push(9);
        assert_eq!(Frame::take_from(&mut inbox), Some(Frame(vec![0, 1, 9])));
        assert_eq!((Frame::take_from(&mut inbox), inbox.len()), (None, 0));
    }
}
