//! `cardswitch decode`: a message in hex, shown field by field with its secrets masked.
//!
//! Start at [`run`]. Whether a frame or a bare message was given is told by its length bytes.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use iso8583::{Message, Spec};

use super::{Failure, chain};
use crate::channel::framing::{LengthForm, length_bytes};
use crate::config::EXIT_USAGE;
use crate::dialect::pos::MESSAGE_AT;

/// Longest text read from standard input, in bytes: the longest frame in hex, and as much white space.
const TEXT_BYTES_MAX: u64 = 1 << 18;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cardswitch decode 0820 0020000000800010 000042 3331303030303031 0011 000000013010
  xxd -p frame.bin | cardswitch decode --dialect pos

Takes a whole frame (length, TPDU, header, message) or the message alone, and says which.
Card numbers, tracks, PIN blocks and keys are never shown. Exit code 0 if it decodes, 1 if it does not,
64 if the text is no hex.")]
pub(super) struct Args {
    /// Which field table to read it by
    #[arg(long, value_enum, default_value = "pos")]
    dialect: Dialect,
    /// The bytes in hex, white space ignored; without them, standard input is read
    hex: Vec<Hex>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Dialect {
    Pos,
}

/// A piece of hex as it was typed; it may hold a card number, so it is not printed.
#[derive(Clone)]
struct Hex(String);

impl FromStr for Hex {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hex(…)")
    }
}

/// Why there is nothing, or not all, to show.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum HexError {
    #[error("character {0} is no hex digit")]
    NotHex(usize),
    #[error("the count of hex digits is odd")]
    Odd,
    #[error("there are no hex digits")]
    Empty,
    #[error("the text is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Hex(#[from] HexError),
    #[error("standard input cannot be read")]
    Input(#[source] io::Error),
    #[error("cannot print")]
    Print(#[from] io::Error),
    #[error("it does not decode")]
    Broken,
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let code = if matches!(error, CommandError::Hex(_)) { EXIT_USAGE } else { 1 };
        Self { message: chain(&error), code }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Dialect::Pos = args.dialect;
    let bytes = if args.hex.is_empty() {
        from_input(io::stdin().lock())?
    } else {
        let text: String = args.hex.iter().map(|piece| piece.0.as_str()).collect();
        parse_hex(&text).map_err(CommandError::Hex)?
    };
    Ok(show(&bytes, Spec::pos(), out)?)
}

fn from_input(input: impl Read) -> Result<Vec<u8>, CommandError> {
    let mut text = Vec::new();
    input.take(TEXT_BYTES_MAX + 1).read_to_end(&mut text).map_err(CommandError::Input)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(HexError::TooLong.into());
    }
    // What is not UTF-8 becomes a character that is no hex digit, and its place is told.
    Ok(parse_hex(&String::from_utf8_lossy(&text))?)
}

/// Pairs of hex digits, white space anywhere.
fn parse_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (place, character) in (1..).zip(text.chars()).filter(|(_, character)| !character.is_whitespace()) {
        let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit.ok_or(HexError::NotHex(place))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    match (high, bytes.is_empty()) {
        (Some(_), _) => Err(HexError::Odd),
        (None, true) => Err(HexError::Empty),
        (None, false) => Ok(bytes),
    }
}

/// Bytes of the length in front of a frame.
fn length() -> usize {
    length_bytes(LengthForm::Binary)
}

fn show(bytes: &[u8], spec: &Spec, out: &mut dyn Write) -> Result<(), CommandError> {
    let start = message_start(bytes);
    if start == 0 {
        writeln!(
            out,
            "assumed: a message alone ({} bytes; the first two are not the length of a frame)",
            bytes.len()
        )?;
    } else {
        print_envelope(bytes, out)?;
    }
    let (message, error) = Message::decode_partial(spec, &bytes[start..]);
    writeln!(out, "{}", message.describe())?;
    let Some(error) = error else { return Ok(()) };
    writeln!(out, "does not decode: {error}")?;
    let at = start + error.offset;
    writeln!(out, "  that is byte {at} of what was given; values are hidden because fields may be shifted")?;
    Err(CommandError::Broken)
}

/// Where the message begins: behind the headers if the first two bytes count what follows them, otherwise at once.
fn message_start(bytes: &[u8]) -> usize {
    let counted = bytes.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
    let whole = counted.is_some_and(|counted| counted >= MESSAGE_AT && counted + length() == bytes.len());
    if whole { length() + MESSAGE_AT } else { 0 }
}

/// The headers: none of them is secret.
fn print_envelope(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let (tpdu, header) = bytes[length()..length() + MESSAGE_AT].split_at(5);
    writeln!(out, "assumed: a whole frame")?;
    writeln!(out, "length: {} bytes follow", bytes.len() - length())?;
    writeln!(out, "TPDU: {}, to {}, from {}", hex(&tpdu[..1]), hex(&tpdu[1..3]), hex(&tpdu[3..]))?;
    let request = match header[2] & 0x0F {
        0 => "",
        3 => ", asks the terminal to sign in",
        _ => ", asks the terminal for something",
    };
    writeln!(out, "header: {}{request}", hex(header))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A balance inquiry with fields 2, 3, 11 and 41.
    const MESSAGE: &str = "0200 6020000000800000 16 9156009224100010 310000 000042 3331303030303031";

    fn shown(hex: &str) -> (String, bool) {
        let mut out = Vec::new();
        let good = show(&parse_hex(hex).unwrap(), Spec::pos(), &mut out).is_ok();
        (String::from_utf8(out).unwrap(), good)
    }

    #[test]
    fn hex_is_pairs_of_digits_with_white_space_anywhere() {
        for (name, text, want) in [
            ("plain", "02Fe", Ok(vec![0x02, 0xFE])),
            ("white space, also inside a byte", " 0 2\n\tfE ", Ok(vec![0x02, 0xFE])),
            ("odd", "02F", Err(HexError::Odd)),
            ("one digit", "0", Err(HexError::Odd)),
            ("nothing", " \n", Err(HexError::Empty)),
            ("a letter", "02 G0", Err(HexError::NotHex(4))),
            ("a prefix", "0x02", Err(HexError::NotHex(2))),
            ("no ASCII digit", "٠٠", Err(HexError::NotHex(1))),
        ] {
            assert_eq!(parse_hex(text), want, "{name}");
        }
    }

    #[test]
    fn input_has_a_limit() {
        let most = vec![b'0'; usize::try_from(TEXT_BYTES_MAX).unwrap()];
        assert_eq!(from_input(&most[..]).unwrap().len(), most.len() / 2);
        let over = [&most[..], b"0"].concat();
        assert!(matches!(from_input(&over[..]), Err(CommandError::Hex(HexError::TooLong))));
    }

    #[test]
    fn a_frame_and_a_bare_message_are_told_apart() {
        let (message, good) = shown(MESSAGE);
        assert!(good && message.starts_with("assumed: a message alone (33 bytes"), "{message}");
        let (frame, good) = shown(&format!("002C 6000030000 613103311108 {MESSAGE}"));
        assert!(good && frame.starts_with("assumed: a whole frame\nlength: 44 bytes follow\n"), "{frame}");
        assert!(frame.contains("TPDU: 60, to 0003, from 0000\n"), "{frame}");
        assert!(frame.contains("header: 613103311108, asks the terminal to sign in\n"), "{frame}");
        for text in [&message, &frame] {
            assert!(text.contains("DE 2 primary account number: 915600******0010\n"), "{text}");
            assert!(text.contains("DE 11 STAN: 000042\n"), "{text}");
        }
    }

    #[test]
    fn the_example_of_the_help_decodes() {
        let (text, good) = shown("0820 0020000000800010 000042 3331303030303031 0011 000000013010");
        assert!(good && text.ends_with(": 00000001301\n"), "{text}");
    }

    #[test]
    fn a_broken_message_is_shown_as_far_as_it_goes_and_hides_its_values() {
        let (text, good) = shown(&format!("0029 6000030000 613100311108 {}", &MESSAGE[..MESSAGE.len() - 6]));
        assert!(!good);
        assert!(text.contains("DE 3 processing code: …(3 bytes)\n"), "{text}");
        assert!(text.contains("does not decode: DE 41 at byte 25: needs 8 bytes, 5 left\n"), "{text}");
        assert!(text.contains("that is byte 38 of what was given"), "{text}");
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_shown_or_refused() {
        let frame = parse_hex(&format!("002C 6000030000 613100311108 {MESSAGE}")).unwrap();
        let cuts = (1..frame.len()).map(|end| frame[..end].to_vec());
        let changes = (0..frame.len()).flat_map(|at| {
            [0x00, 0x0F, 0x80, 0xFF].map(|byte| [&frame[..at], &[byte], &frame[at + 1..]].concat())
        });
        for bytes in cuts.chain(changes) {
            let mut out = Vec::new();
            let good = show(&bytes, Spec::pos(), &mut out).is_ok();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(good, !text.contains("does not decode"), "{text}");
            assert!(!text.contains("9156009224100010"), "{text}");
        }
    }
}
