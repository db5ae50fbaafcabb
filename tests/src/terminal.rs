//! A terminal apart from any connection: its keys, its counter, the frames it builds and the answers it checks.

use bytes::{BufMut, BytesMut};
use cardswitch::city::{MacKind, TerminalRow};
use cipher::{BlockCipherDecrypt, KeyInit};
use hsm_sim::{MacAlgorithm, emulator::TerminalKeys};
use iso8583::{Message, Spec};

use crate::{
    ask::{Ask, Own},
    line::Line,
};

/// TPDU (to NII 003) and application header in front of every message.
const HEADERS: [u8; 11] = [0x60, 0x00, 0x03, 0x00, 0x00, 0x61, 0x31, 0x00, 0x31, 0x11, 0x08];

/// Bytes in front of a message: length, TPDU, application header.
pub const MESSAGE_AT: usize = 2 + HEADERS.len();

/// One terminal.
pub struct Terminal {
    own: Own,
    algorithm: MacAlgorithm,
    tmk: [u8; 16],
    keys: TerminalKeys,
    next_stan: u32,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Terminal({}, next STAN {})", self.id(), self.next_stan)
    }
}

/// The working keys in clear, for a search of what must not hold them.
pub struct ClearKeys {
    /// PIN key.
    pub pin: [u8; 16],
    /// MAC key.
    pub mac: [u8; 16],
}

impl Terminal {
    /// The terminal of a row, never signed in.
    #[must_use]
    pub fn of(row: &TerminalRow) -> Self {
        let algorithm = match row.mac {
            MacKind::UnionPayEcb => MacAlgorithm::UnionPayEcb,
            MacKind::X919 => MacAlgorithm::X919,
        };
        let tmk = *row.tmk.clear().expect("a terminal of a test city");
        let own = Own { terminal: row.terminal_id, merchant: row.merchant_id, batch: 1 };
        Self { own, algorithm, tmk, keys: TerminalKeys::new(tmk), next_stan: 1 }
    }

    /// Field 41.
    #[must_use]
    pub fn id(&self) -> String {
        String::from_utf8_lossy(&self.own.terminal).into_owned()
    }

    /// Its batch number from now on.
    pub fn set_batch(&mut self, batch: u32) {
        self.own.batch = batch;
    }

    /// Gives the ask the next STAN, unless it has one, and builds its frame, length bytes included.
    pub fn frame(&mut self, ask: &mut Ask) -> Vec<u8> {
        if ask.stan == 0 {
            ask.stan = self.next_stan;
            self.next_stan = self.next_stan % 999_999 + 1;
        }
        self.build(ask)
    }

    /// Builds the frame of an ask that has its STAN.
    #[must_use]
    pub fn build(&self, ask: &Ask) -> Vec<u8> {
        let sealed_pin = |(pin, pan): &(Vec<u8>, hsm_sim::Pan)| {
            self.keys.pin_block(pin, pan).expect("signed in, and a PIN of 4 to 12 digits")
        };
        let pin_block = ask.pin_block.or_else(|| ask.pin.as_ref().map(sealed_pin));
        let mut out = BytesMut::with_capacity(256);
        out.put_u16(0);
        out.put_slice(&HEADERS);
        if let Some(mac_at) = ask.write(&self.own, pin_block, &mut out) {
            // Without keys it is a MAC that cannot be right, which is what an unsigned terminal can send.
            let mac = self.keys.mac(self.algorithm, &out[MESSAGE_AT..mac_at]).unwrap_or([0xAA; 8]);
            out[mac_at..mac_at + 8].copy_from_slice(&mac);
        }
        finish_frame(&mut out);
        out.to_vec()
    }

    /// The same frame with what its MAC covers changed by `change`, and a MAC over the result.
    #[must_use]
    pub fn sealed_again(&self, frame: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut frame = frame.to_vec();
        let mac_at = frame.len() - 8;
        change(&mut frame[MESSAGE_AT..mac_at]);
        let mac = self.keys.mac(self.algorithm, &frame[MESSAGE_AT..mac_at]).expect("signed in");
        frame[mac_at..].copy_from_slice(&mac);
        frame
    }

    /// Asks and returns the answer, whose MAC must be right where it must have one.
    pub fn ask(&mut self, line: &mut Line, mut ask: Ask) -> Answer {
        let frame = self.frame(&mut ask);
        line.send(&frame);
        let answer = line.receive().expect("an answer");
        assert_eq!(
            (answer.stan, answer.terminal.as_str()),
            (ask.stan, self.id().as_str()),
            "whose answer it is"
        );
        self.check_seal(&answer);
        answer
    }

    /// An answer carries a right MAC, or none where the request's could not be right.
    pub fn check_seal(&self, answer: &Answer) {
        let may_lack = ["A0", "30", "97", "77", "58", "96", "40"].contains(&answer.code.as_str());
        let management = answer.mti == 0x0810 || answer.mti == 0x0830;
        match answer.mac {
            Some(mac) => {
                let right = self.keys.verify(self.algorithm, answer.covered(), &mac);
                assert!(right, "the MAC of {answer:?} must be right");
            }
            None => assert!(may_lack || management, "{answer:?} carries no MAC"),
        }
    }

    /// Signs in and takes the new working keys, whose check values must be right.
    pub fn sign_in(&mut self, line: &mut Line) {
        let answer = self.ask(line, Ask::sign_in());
        assert_eq!(answer.code, "00", "sign-in of {}", self.id());
        self.accept(&answer);
    }

    /// Takes the working keys of a sign-in's answer.
    pub fn accept(&mut self, answer: &Answer) {
        let field = answer.working_keys();
        let part = |range: std::ops::Range<usize>| &field[range];
        self.keys
            .accept(
                part(0..16).try_into().expect("16 bytes"),
                part(16..20).try_into().expect("4 bytes"),
                part(20..36).try_into().expect("16 bytes"),
                part(36..40).try_into().expect("4 bytes"),
            )
            .expect("working keys with right check values");
    }

    /// The working keys of a sign-in's answer in clear.
    #[must_use]
    pub fn clear_keys(&self, answer: &Answer) -> ClearKeys {
        Self::keys_under(&self.tmk, &answer.working_keys())
    }

    /// The working keys of field 62 of a sign-in's answer, for the terminal with this master key.
    #[must_use]
    pub fn keys_under(tmk: &[u8; 16], field: &[u8; 40]) -> ClearKeys {
        let cipher = des::TdesEde2::new_from_slice(tmk).expect("16 bytes");
        let clear = |cryptogram: &[u8]| {
            let mut key = [0; 16];
            for (clear, block) in key.chunks_exact_mut(8).zip(cryptogram.chunks_exact(8)) {
                let mut block = cipher::Array::try_from(block).expect("8 bytes");
                cipher.decrypt_block(&mut block);
                clear.copy_from_slice(&block);
            }
            key
        };
        ClearKeys { pin: clear(&field[..16]), mac: clear(&field[20..36]) }
    }
}

/// Puts the length in front.
fn finish_frame(frame: &mut BytesMut) {
    let length = u16::try_from(frame.len() - 2).expect("a frame fits two length bytes");
    frame[..2].copy_from_slice(&length.to_be_bytes());
}

/// A frame around any bytes: headers, and the length that is true.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u16(0);
    frame.put_slice(&HEADERS);
    frame.put_slice(message);
    finish_frame(&mut frame);
    frame.to_vec()
}

/// What the switch answered.
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// The whole frame, length bytes included.
    pub frame: Vec<u8>,
    /// Message type.
    pub mti: u16,
    /// Field 11.
    pub stan: u32,
    /// Field 39.
    pub code: String,
    /// Field 4.
    pub amount: Option<u64>,
    /// Field 37.
    pub rrn: Option<String>,
    /// Field 41.
    pub terminal: String,
    /// The amount of field 54, minor units.
    pub balance: Option<i64>,
    /// Field 60.2.
    pub batch: u32,
    /// Field 64.
    pub mac: Option<[u8; 8]>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({:04x} STAN {:06} at {}: {})", self.mti, self.stan, self.terminal, self.code)
    }
}

impl Answer {
    /// Reads an answer's frame; it must decode and say who is answered.
    #[must_use]
    pub fn read(frame: &[u8]) -> Self {
        let message = Message::decode(Spec::pos(), &frame[MESSAGE_AT..]).expect("an answer decodes");
        let text = |field| message.text(field).map(|text| String::from_utf8_lossy(text).into_owned());
        let balance = text(54).map(|item| {
            let amount: i64 = item[8..].parse().expect("twelve digits");
            if &item[7..8] == "D" { -amount } else { amount }
        });
        let batch = message.digits(60).and_then(|digits| digits.slice(2..8)?.to_u64());
        Self {
            mti: message.mti().raw(),
            stan: message.number(11).and_then(|stan| u32::try_from(stan).ok()).expect("a STAN"),
            code: text(39).expect("a response code"),
            amount: message.number(4),
            rrn: text(37),
            terminal: text(41).expect("a terminal"),
            balance,
            batch: batch.and_then(|batch| u32::try_from(batch).ok()).unwrap_or_default(),
            mac: message.fixed(64),
            frame: frame.to_vec(),
        }
    }

    /// The bytes that a MAC in field 64 covers.
    #[must_use]
    pub fn covered(&self) -> &[u8] {
        &self.frame[MESSAGE_AT..self.frame.len() - 8]
    }

    /// The sixth digit of the application header: 3 asks the terminal to sign in.
    #[must_use]
    pub fn processing_request(&self) -> u8 {
        self.frame[2 + 5 + 2] & 0x0F
    }

    fn working_keys(&self) -> [u8; 40] {
        let message = Message::decode(Spec::pos(), &self.frame[MESSAGE_AT..]).expect("an answer decodes");
        message.fixed(62).expect("working keys in field 62")
    }
}
