//! What no honest client sends: bytes on a bare line, frames with parts cut off, messages of `atm` in any shape.
//!
//! Start at [`Tap`], which has no keys and no manners.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use cardswitch::{
    clock::Clock,
    terminal::{AtmForm, Frame},
};
use hsm_sim::emulator::Zone;
use iso8583::{Builder, EncodeError, Mti, Spec};

use crate::line::PATIENCE;

/// Bytes before a message of `pos`: length, TPDU, application header.
const POS_HEADERS: usize = 2 + 5 + 6;
/// Bytes before a message of `atm`: the length in digits.
const ATM_HEADERS: usize = 4;

/// A stranger's line to the switch.
#[derive(Debug)]
pub struct Tap {
    stream: TcpStream,
    read: fn(&[u8]) -> Option<Frame>,
    unread: Vec<u8>,
}

impl Tap {
    /// To a listener for `pos` or `epos`.
    #[must_use]
    pub fn pos(to: SocketAddr) -> Self {
        Self::connected(to, Frame::read)
    }

    /// To the listener for `atm`.
    #[must_use]
    pub fn atm(to: SocketAddr) -> Self {
        Self::connected(to, |bytes| Frame::read_atm(bytes, AtmForm::default()))
    }

    fn connected(to: SocketAddr, read: fn(&[u8]) -> Option<Frame>) -> Self {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).expect("the switch accepts");
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, read, unread: Vec::new() }
    }

    /// Sends bytes and waits for the answer.
    pub fn ask(&mut self, bytes: &[u8]) -> Frame {
        self.send(bytes);
        self.answer_within(PATIENCE).expect("an answer")
    }

    /// Sends bytes and returns the code of the answer.
    pub fn code(&mut self, bytes: &[u8]) -> String {
        code(&self.ask(bytes))
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the switch reads");
    }

    /// The next answer, if one comes within that time.
    pub fn answer_within(&mut self, time: Duration) -> Option<Frame> {
        self.stream.set_read_timeout(Some(time)).expect("a time limit");
        loop {
            if let Some(frame) = (self.read)(&self.unread) {
                self.unread.drain(..frame.as_bytes().len());
                return Some(frame);
            }
            let mut room = [0; 2048];
            match self.stream.read(&mut room) {
                Ok(0) => return None,
                Ok(count) => self.unread.extend_from_slice(&room[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("the line broke: {error}"),
            }
        }
    }
}

/// Field 39 of an answer.
#[must_use]
pub fn code(answer: &Frame) -> String {
    let message = answer.message().expect("an answer decodes");
    String::from_utf8_lossy(message.text(39).expect("a response code")).into_owned()
}

/// The sixth digit of the application header of `pos` and `epos`: 3 asks the terminal to sign in.
#[must_use]
pub fn processing_request(answer: &Frame) -> u8 {
    answer.as_bytes()[2 + 5 + 2] & 0x0F
}

/// The bytes of the MAC at the end of a frame, as they are on the wire.
#[must_use]
pub fn mac_of(frame: &Frame) -> &[u8] {
    let bytes = frame.as_bytes();
    &bytes[mac_at(frame)..]
}

/// The same frame with these bytes, however many, in the place of its MAC.
#[must_use]
pub fn with_mac(frame: &Frame, mac: &[u8]) -> Vec<u8> {
    let mut bytes = frame.as_bytes()[..mac_at(frame)].to_vec();
    bytes.extend_from_slice(mac);
    finish(frame, bytes)
}

/// The same frame without its MAC, and with the bitmap saying so.
#[must_use]
pub fn without_mac(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.as_bytes()[..mac_at(frame)].to_vec();
    // The MAC's bit is the last of the bitmap, which follows the message type.
    let last = match (is_atm(frame), has_high_fields(frame)) {
        (false, _) => POS_HEADERS + 2 + 7,
        (true, false) => ATM_HEADERS + 4 + 15,
        (true, true) => ATM_HEADERS + 4 + 31,
    };
    bytes[last] = match bytes[last] {
        bits if !is_atm(frame) => bits & !1,
        b'B' | b'D' | b'F' => bytes[last] - 1,
        b'1' | b'3' | b'5' | b'7' | b'9' => bytes[last] - 1,
        other => panic!("{other} at the end of a bitmap with a MAC"),
    };
    finish(frame, bytes)
}

/// A frame of `atm` with what its MAC covers changed by `change`, and a right MAC over the result.
#[must_use]
pub fn sealed_again(frame: &Frame, zone: &Zone, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = frame.as_bytes()[..mac_at(frame)].to_vec();
    change(&mut bytes[ATM_HEADERS..]);
    let mac = zone.mac(&bytes[ATM_HEADERS..]).expect("a message");
    bytes.extend_from_slice(&upper_hex(&mac));
    bytes
}

/// A frame of `atm` with these fields, and a MAC of this zone in the last of them, `mac_in`.
#[must_use]
pub fn atm_frame(
    zone: &Zone,
    (mti, mac_in): (u16, u8),
    put: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let mut message = Builder::new(Spec::atm(), &mut wire, Mti::new(mti));
    put(&mut message).expect("fields that the table allows");
    let mac_at = message.mac_placeholder(mac_in).expect("room for a MAC");
    message.finish().expect("fields that the table allows");
    let mac = zone.mac(&wire[..mac_at]).expect("a message");
    wire[mac_at..].copy_from_slice(&upper_hex(&mac));
    [format!("{:04}", wire.len()).as_bytes(), &wire].concat()
}

/// A frame of `atm` whose MAC stands in field 64 and covers what is before it, with further fields behind it.
#[must_use]
pub fn atm_frame_open_at_the_end(
    zone: &Zone,
    mti: u16,
    put: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
    put_behind: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let mut message = Builder::new(Spec::atm(), &mut wire, Mti::new(mti));
    put(&mut message).expect("fields that the table allows");
    message.bytes(64, &[0; 8]).expect("room for a MAC");
    put_behind(&mut message).expect("fields that the table allows");
    message.finish().expect("fields that the table allows");
    let decoded = iso8583::Message::decode(Spec::atm(), &wire).expect("what was built");
    let mac_at = decoded.start(64).expect("a MAC");
    let mac = zone.mac(&wire[..mac_at]).expect("a message");
    wire[mac_at..mac_at + 16].copy_from_slice(&upper_hex(&mac));
    [format!("{:04}", wire.len()).as_bytes(), &wire].concat()
}

/// Field 7, `MMDDhhmmss` in UTC, this many seconds from now.
#[must_use]
pub fn transmitted(from_now_s: i64) -> u64 {
    let mut clock = Clock::new("UTC").expect("UTC is a time zone");
    let now_ms = clock.now().unix_ms();
    let then = clock.at(now_ms + from_now_s * 1000);
    then.mmdd() * 1_000_000 + then.hhmmss()
}

/// Bytes as upper-case hexadecimal characters.
#[must_use]
pub fn upper_hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect()
}

/// Whether a frame is one of `atm`, whose messages are characters; those of `pos` begin with digits packed.
fn is_atm(frame: &Frame) -> bool {
    frame.as_bytes().len() - frame.message().expect("a frame that decodes").bytes().len() == ATM_HEADERS
}

fn has_high_fields(frame: &Frame) -> bool {
    frame.message().expect("a frame that decodes").fields().any(|field| field > 64)
}

fn mac_at(frame: &Frame) -> usize {
    let mac = if is_atm(frame) { 16 } else { 8 };
    frame.as_bytes().len() - mac
}

/// Makes the length true again.
fn finish(like: &Frame, mut bytes: Vec<u8>) -> Vec<u8> {
    if is_atm(like) {
        let length = format!("{:04}", bytes.len() - 4);
        bytes[..4].copy_from_slice(length.as_bytes());
    } else {
        let length = u16::try_from(bytes.len() - 2).expect("a short frame");
        bytes[..2].copy_from_slice(&length.to_be_bytes());
    }
    bytes
}
