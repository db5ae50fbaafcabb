//! What the timed part must know of an answer, found without decoding it: message type, STAN, response code, and
//! whether it carries a MAC.
//!
//! Field widths come from the dialects' own tables; the answers are decoded properly, and their MACs verified, after
//! the timed part. Start at [`Scanner`].

use cardswitch::channel::framing::{self, LengthForm, Next};
use iso8583::{Class, Encoding, Field, Length, Prefix, Spec};

/// Longest answer taken for one, its length not counted.
const FRAME_MAX: usize = 4096;

/// Bytes of TPDU and application header, in front of a message of `pos` and `epos`.
const HEADERS: usize = 11;

/// Finds answers in bytes.
#[derive(Debug)]
pub struct Scanner {
    ascii: bool,
    /// By field number, up to 39.
    widths: [Width; 40],
}

/// What the bytes at hand begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// An answer, and how many bytes it takes, its length included.
    Answer(Seen, usize),
    /// A whole frame that is no answer to a request about a card, and its bytes.
    Other(usize),
    /// Not yet a whole frame.
    Incomplete,
    /// No frame at all; where the next begins is unknown.
    NoFrame,
}

/// An answer at a glance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Field 11.
    pub stan: u32,
    /// Field 39.
    pub code: [u8; 2],
    /// Whether it has a field 64 or 128.
    pub sealed: bool,
}

impl Seen {
    /// Whether the switch turned the request away for want of room: such an answer carries no MAC, since nothing was
    /// looked at.
    #[must_use]
    pub fn turned_away(self) -> bool {
        !self.sealed && matches!(&self.code, b"96" | b"91")
    }
}

/// How many bytes a field takes.
#[derive(Clone, Copy, Debug)]
enum Width {
    /// The dialect has no such field.
    None,
    Fixed(usize),
    /// Behind a prefix of so many bytes that counts digits, of which so many go into a byte, or bytes.
    Counted {
        prefix: usize,
        digits_a_byte: usize,
    },
}

impl Scanner {
    /// For answers of `pos` and `epos`.
    #[must_use]
    pub fn pos() -> Self {
        Self { ascii: false, widths: widths(Spec::pos()) }
    }

    /// For answers of `atm`, with lengths and bitmaps in ASCII.
    #[must_use]
    pub fn atm() -> Self {
        Self { ascii: true, widths: widths(Spec::atm()) }
    }

    /// Looks at what `bytes` begins with.
    #[must_use]
    pub fn next(&self, bytes: &[u8]) -> Found {
        let form = if self.ascii { LengthForm::Ascii } else { LengthForm::Binary };
        match framing::next(form, bytes, FRAME_MAX) {
            Next::Frame(frame, end) => {
                let seen = if self.ascii { self.ascii_message(frame) } else { self.packed_message(frame) };
                seen.map_or(Found::Other(end), |seen| Found::Answer(seen, end))
            }
            Next::Incomplete => Found::Incomplete,
            Next::TooLong | Next::NotALength => Found::NoFrame,
        }
    }

    fn packed_message(&self, frame: &[u8]) -> Option<Seen> {
        let message = frame.get(HEADERS..)?;
        let (mti, rest) = message.split_first_chunk::<2>()?;
        let (bitmap, fields) = rest.split_first_chunk::<8>()?;
        let bitmap = u64::from_be_bytes(*bitmap);
        (*mti == [0x02, 0x10] && bitmap >> 63 == 0).then_some(())?;
        self.fields(bitmap, fields, bitmap & 1 == 1)
    }

    fn ascii_message(&self, message: &[u8]) -> Option<Seen> {
        let rest = message.strip_prefix(b"0210")?;
        let (first, rest) = rest.split_first_chunk::<16>()?;
        let bitmap = hex(first)?;
        if bitmap >> 63 == 0 {
            return self.fields(bitmap, rest, bitmap & 1 == 1);
        }
        let (second, fields) = rest.split_first_chunk::<16>()?;
        self.fields(bitmap, fields, hex(second)? & 1 == 1)
    }

    fn fields(&self, bitmap: u64, mut fields: &[u8], sealed: bool) -> Option<Seen> {
        let mut stan = None;
        // Field 1, if it is there, is the second bitmap.
        let mut left = bitmap & (u64::MAX >> 1);
        loop {
            let field = left.leading_zeros() as usize + 1;
            let width = match *self.widths.get(field)? {
                Width::None => return None,
                Width::Fixed(width) => width,
                Width::Counted { prefix, digits_a_byte } => {
                    let count = self.number(fields.get(..prefix)?)? as usize;
                    prefix + count.div_ceil(digits_a_byte)
                }
            };
            let value = fields.get(..width)?;
            match field {
                11 => stan = Some(self.number(value)?),
                39 => return Some(Seen { stan: stan?, code: *value.first_chunk()?, sealed }),
                _ => {}
            }
            fields = &fields[width..];
            left &= !(1 << (64 - field));
        }
    }

    fn number(&self, digits: &[u8]) -> Option<u32> {
        let mut number = 0;
        for byte in digits {
            let (value, places) = match self.ascii {
                true if byte.is_ascii_digit() => (u32::from(byte - b'0'), 10),
                false if byte & 0x0F < 10 && byte >> 4 < 10 => {
                    (u32::from(byte >> 4) * 10 + u32::from(byte & 0x0F), 100)
                }
                _ => return None,
            };
            number = number * places + value;
        }
        Some(number)
    }
}

fn widths(spec: &Spec) -> [Width; 40] {
    let mut widths = [Width::None; 40];
    for (number, width) in (0..).zip(&mut widths) {
        *width = spec.field(number).map_or(Width::None, width_of);
    }
    widths
}

fn width_of(field: &Field) -> Width {
    let packed = field.encoding() == Encoding::Packed;
    let digits_a_byte = if packed && field.class().counts_digits() { 2 } else { 1 };
    match field.length() {
        Length::Fixed(length) if field.class() == Class::Binary && !packed => {
            Width::Fixed(2 * usize::from(length))
        }
        Length::Fixed(length) => Width::Fixed(usize::from(length).div_ceil(digits_a_byte)),
        Length::Variable { prefix, .. } => {
            Width::Counted { prefix: prefix_bytes(prefix, packed), digits_a_byte }
        }
    }
}

fn prefix_bytes(prefix: Prefix, packed: bool) -> usize {
    if packed { prefix.bytes() } else { prefix.digits() }
}

fn hex(digits: &[u8; 16]) -> Option<u64> {
    let mut value = 0;
    for digit in digits {
        value = value << 4 | u64::from(char::from(*digit).to_digit(16)?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The blocks fenced as `kind` in a manual, as bytes.
    fn fenced(manual: &str, kind: &str, bytes: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
        let path = format!("{}/../docs/{manual}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let fence = format!("```{kind}\n");
        let blocks = text.split(&fence).skip(1);
        blocks
            .map(|block| bytes(&block.split("```").next().unwrap().split_whitespace().collect::<String>()))
            .collect()
    }

    fn packed(text: &str) -> Vec<u8> {
        let digit = |at: usize| text.as_bytes()[at] as char;
        let byte = |at| digit(at).to_digit(16).unwrap() * 16 + digit(at + 1).to_digit(16).unwrap();
        (0..text.len()).step_by(2).map(|at| u8::try_from(byte(at)).unwrap()).collect()
    }

    /// Every answer in the manuals is seen as the codec decodes it, and nothing else is taken for one.
    fn check(scanner: &Scanner, frames: &[Vec<u8>], headers: usize, spec: &Spec) {
        let mut answers = 0;
        for frame in frames {
            let message = iso8583::Message::decode(spec, &frame[headers..]).unwrap();
            let found = scanner.next(frame);
            if message.mti().to_string() != "0210" {
                assert_eq!(found, Found::Other(frame.len()));
                continue;
            }
            let want = Seen {
                stan: u32::try_from(message.number(11).unwrap()).unwrap(),
                code: message.fixed(39).unwrap(),
                sealed: message.has(64) || message.has(128),
            };
            assert_eq!(found, Found::Answer(want, frame.len()));
            answers += 1;
            for cut in 0..frame.len() {
                assert_eq!(scanner.next(&frame[..cut]), Found::Incomplete, "cut after {cut} bytes");
            }
        }
        assert!(answers > 0, "{answers} answers in the manual");
    }

    #[test]
    fn answers_of_pos_are_seen_as_the_codec_decodes_them() {
        check(&Scanner::pos(), &fenced("dialect-pos.md", "frame", packed), 13, Spec::pos());
    }

    #[test]
    fn answers_of_epos_are_seen_as_the_codec_decodes_them() {
        let mut frames = fenced("dialect-epos.md", "frame", packed);
        // A dial record stands before the TPDU of requests alone.
        frames.retain(|frame| !frame[2..].starts_with(b"LRI"));
        check(&Scanner::pos(), &frames, 13, Spec::pos());
    }

    #[test]
    fn answers_of_atm_are_seen_as_the_codec_decodes_them() {
        let ascii = |text: &str| text.as_bytes().to_vec();
        check(&Scanner::atm(), &fenced("dialect-atm.md", "message", ascii), 4, Spec::atm());
    }

    #[test]
    fn rubbish_is_no_answer() {
        let (pos, atm) = (Scanner::pos(), Scanner::atm());
        for (name, scanner, bytes, want) in [
            ("an empty frame", &pos, &b"\0\0"[..], Found::Other(2)),
            ("a length above all limits", &pos, b"\xFF\xFF", Found::NoFrame),
            ("no length", &atm, b"01x0", Found::NoFrame),
            ("a message cut short", &atm, b"00060210AB", Found::Other(10)),
        ] {
            assert_eq!(scanner.next(bytes), want, "{name}");
        }
        let mut bytes = [0x5A_u8; 64];
        for seed in 0..=255 {
            // A frame of 62 bytes with a right message type and any bitmap.
            bytes[..2].copy_from_slice(&62_u16.to_be_bytes());
            bytes[13..15].copy_from_slice(&[0x02, 0x10]);
            for (at, byte) in bytes[15..].iter_mut().enumerate() {
                *byte = byte.wrapping_mul(31).wrapping_add(seed).wrapping_add(u8::try_from(at).unwrap());
            }
            assert!(matches!(pos.next(&bytes), Found::Answer(_, 64) | Found::Other(64)));
        }
    }

    #[test]
    fn being_turned_away_shows_in_code_and_missing_mac() {
        for (code, sealed, want) in
            [(b"96", false, true), (b"91", false, true), (b"96", true, false), (b"00", false, false)]
        {
            assert_eq!(Seen { stan: 1, code: *code, sealed }.turned_away(), want);
        }
    }
}
