//! Whole frames. Of `pos` and `epos`: length (2), perhaps a dial record (33), TPDU (5), application header (6),
//! message. Of `atm`: length, message.

use std::fmt;

use iso8583::{Class, DecodeError, Encoding, Message, Spec};

use super::error::TerminalError;
use super::private_57;

/// To network 003 from network 000; its first byte is fixed.
const TPDU: [u8; 5] = [0x60, 0x00, 0x03, 0x00, 0x00];
/// Class 61, software 31, state and request 0, sub-version 311108.
const HEADER: [u8; 6] = [0x61, 0x31, 0x00, 0x31, 0x11, 0x08];

/// Bytes of a dial record: `LRI`, two bytes of length, calling and called number (8 bytes BCD each), 12 bytes that
/// a concentrator keeps for itself.
pub const DIAL_RECORD: usize = 33;

/// How a host of `atm` writes its frames, which is agreed on with the switch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AtmForm {
    /// Whether the length before a message is two bytes, and not four ASCII digits.
    pub binary_length: bool,
    /// Whether bitmaps are binary, and not hexadecimal.
    pub binary_bitmap: bool,
}

/// What stands before a message, and by which table it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// Two bytes of length, TPDU and header; `pos` and `epos`.
    Pos,
    /// The length alone.
    Atm(AtmForm),
}

impl Framing {
    fn length_bytes(self) -> usize {
        match self {
            Self::Pos | Self::Atm(AtmForm { binary_length: true, .. }) => 2,
            Self::Atm(_) => 4,
        }
    }

    pub(super) fn spec(self) -> &'static Spec {
        match self {
            Self::Pos => Spec::pos(),
            Self::Atm(AtmForm { binary_bitmap: true, .. }) => Spec::atm_binary_bitmap(),
            Self::Atm(_) => Spec::atm(),
        }
    }

    /// The length before `count` bytes. No message of a terminal has more than 9999.
    fn length(self, count: usize) -> Vec<u8> {
        match self.length_bytes() {
            2 => u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes().to_vec(),
            _ => format!("{count:04}").into_bytes(),
        }
    }

    /// How many bytes follow the length at the head of `inbox`, if all of the length is there.
    fn count(self, inbox: &[u8]) -> Result<Option<usize>, TerminalError> {
        let Some(length) = inbox.get(..self.length_bytes()) else { return Ok(None) };
        let ascii = length.len() == 4;
        if ascii && !length.iter().all(u8::is_ascii_digit) {
            return Err(TerminalError::NotALength);
        }
        let count = length.iter().fold(0, |count, byte| match ascii {
            true => count * 10 + usize::from(byte - b'0'),
            false => count << 8 | usize::from(*byte),
        });
        Ok(Some(count))
    }
}

/// The bytes of one frame as they are on the wire. `Debug` prints the message masked.
#[derive(Clone, Eq, PartialEq)]
pub struct Frame {
    bytes: Vec<u8>,
    message_at: usize,
    framing: Framing,
}

impl Frame {
    /// Puts a message of `pos` or `epos` into a frame.
    pub(super) fn pos(message: &[u8], dial_record: Option<&[u8; DIAL_RECORD]>) -> Self {
        let dial_record = dial_record.map(<[u8; DIAL_RECORD]>::as_slice).unwrap_or_default();
        Self::around(Framing::Pos, &[dial_record, &TPDU, &HEADER].concat(), message)
    }

    /// Puts a message of `atm` into a frame.
    pub(super) fn atm(message: &[u8], form: AtmForm) -> Self {
        Self::around(Framing::Atm(form), &[], message)
    }

    fn around(framing: Framing, headers: &[u8], message: &[u8]) -> Self {
        let mut bytes = framing.length(headers.len() + message.len());
        bytes.extend_from_slice(headers);
        let message_at = bytes.len();
        bytes.extend_from_slice(message);
        Self { bytes, message_at, framing }
    }

    /// Takes the first whole frame that the switch sent off `inbox`.
    pub(super) fn take_from(inbox: &mut Vec<u8>, framing: Framing) -> Result<Option<Self>, TerminalError> {
        let length = framing.length_bytes();
        let Some(end) = framing.count(inbox)?.map(|count| length + count) else { return Ok(None) };
        if inbox.len() < end {
            return Ok(None);
        }
        let rest = inbox.split_off(end);
        let headers = if framing == Framing::Pos { TPDU.len() + HEADER.len() } else { 0 };
        Ok(Some(Self { bytes: std::mem::replace(inbox, rest), message_at: length + headers, framing }))
    }

    /// The first whole frame of `pos` or `epos` in these bytes, length included; `None` if there is none yet.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::take_from(&mut bytes.to_vec(), Framing::Pos).ok().flatten()
    }

    /// The first whole frame of `atm` in these bytes, length included; `None` if there is none yet, or no length.
    #[must_use]
    pub fn read_atm(bytes: &[u8], form: AtmForm) -> Option<Self> {
        Self::take_from(&mut bytes.to_vec(), Framing::Atm(form)).ok().flatten()
    }

    /// All bytes, the length included. They may hold a card number.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes behind the length, as a switch gets them.
    #[must_use]
    pub fn behind_length(&self) -> &[u8] {
        self.bytes.get(self.framing.length_bytes()..).unwrap_or_default()
    }

    /// The bytes of the message.
    pub(super) fn message_bytes(&self) -> &[u8] {
        self.bytes.get(self.message_at..).unwrap_or_default()
    }

    /// The message.
    ///
    /// # Errors
    /// It does not decode by the table of its dialect.
    pub fn message(&self) -> Result<Message<'_>, DecodeError> {
        Message::decode(self.framing.spec(), self.message_bytes())
    }

    /// The message in lines, masked: the MTI, then number, name and value of each field, and below field 57 the
    /// objects in it.
    ///
    /// # Errors
    /// See [`Frame::message`].
    pub fn describe(&self) -> Result<String, DecodeError> {
        let message = self.message()?;
        let lines = message.describe().to_string();
        let described = lines.split_inclusive('\n').map(|line| match line.strip_prefix("DE 57 ") {
            Some(_) => {
                let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
                format!("{line}{}{end}", private_57::describe(&message))
            }
            None => line.to_owned(),
        });
        Ok(described.collect())
    }

    /// The same frame with the last bit of one field inverted, which leaves a digit a digit (in a field of
    /// hexadecimal characters, with another last one): what a forger or a bad line does. `None` if the message does
    /// not have this field.
    #[must_use]
    pub fn changed(&self, field: u8) -> Option<Self> {
        let message = self.message().ok()?;
        let row = message.spec().field(field)?;
        let at = self.message_at + message.span(field)?.end.checked_sub(1)?;
        if row.encoding() == Encoding::Ascii && row.class() == Class::Binary {
            let mut changed = self.clone();
            let last = changed.bytes.get_mut(at)?;
            *last = if *last == b'0' { b'1' } else { b'0' };
            return Some(changed);
        }
        self.changed_at(at)
    }

    /// The same frame with the last bit of one byte inverted, counted from the first byte of the length. `None` if
    /// the frame is not that long.
    #[must_use]
    pub fn changed_at(&self, at: usize) -> Option<Self> {
        let mut changed = self.clone();
        *changed.bytes.get_mut(at)? ^= 1;
        Some(changed)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, _) = Message::decode_partial(self.framing.spec(), self.message_bytes());
        write!(f, "Frame({} bytes, {message:?})", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The bytes of the frames in `inbox`, and what is left of it.
    fn taken(mut inbox: Vec<u8>, framing: Framing) -> (Vec<Vec<u8>>, Vec<u8>) {
        let frames = std::iter::from_fn(|| Frame::take_from(&mut inbox, framing).unwrap());
        let frames = frames.map(|frame| frame.bytes).collect();
        (frames, inbox)
    }

    #[test]
    fn frames_are_taken_off_one_by_one() {
        let binary = Framing::Atm(AtmForm { binary_length: true, ..AtmForm::default() });
        let ascii = Framing::Atm(AtmForm::default());
        type Row<'a> = (Framing, &'a [u8], &'a [&'a [u8]], &'a [u8]);
        let rows: [Row<'_>; 6] = [
            (Framing::Pos, &[0, 2, 7, 8, 0, 1], &[&[0, 2, 7, 8]], &[0, 1]),
            (Framing::Pos, &[0, 2, 7, 8, 0, 1, 9], &[&[0, 2, 7, 8], &[0, 1, 9]], &[]),
            (binary, &[0, 1, 9, 0], &[&[0, 1, 9]], &[0]),
            (ascii, b"0002xy0001z", &[b"0002xy", b"0001z"], b""),
            (ascii, b"0002x", &[], b"0002x"),
            (ascii, b"000", &[], b"000"),
        ];
        for (framing, inbox, frames, rest) in rows {
            assert_eq!(
                taken(inbox.to_vec(), framing),
                (frames.iter().map(|f| f.to_vec()).collect(), rest.to_vec())
            );
        }
        let no_length = Frame::take_from(&mut b"02x4".to_vec(), ascii);
        assert!(matches!(no_length, Err(TerminalError::NotALength)));
    }

    #[test]
    fn a_changed_hexadecimal_field_is_still_hexadecimal() {
        let message = b"08000000000000000001BADBADBADBADBADB";
        let frame = Frame::atm(message, AtmForm::default());
        let changed = frame.changed(64).unwrap();
        assert_eq!(changed.message().unwrap().fixed(64), Some(0xBADB_ADBA_DBAD_BAD0_u64.to_be_bytes()));
        assert_eq!(changed.as_bytes(), b"003608000000000000000001BADBADBADBADBAD0");
    }
}
