//! `cardswitch decode`: a message in hex, shown field by field with its secrets masked.
//!
//! Start at [`run`]. Whether a frame or a bare message was given is told by its length bytes. With `--spec` and `--guess`
//! the codec's own `guess` finds out how the message is framed, and says why.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use iso8583::{
    Message, Spec,
    guess::{Guess, as_declared, explain, guess},
};

use super::{Failure, chain, spec};
use crate::channel::framing::{self, LengthForm, Next};
use crate::config::EXIT_USAGE;
use crate::dialect::pos::{DIAL_RECORD, MESSAGE_AT};

/// Longest text read from standard input, in bytes: the longest frame in hex, and as much white space.
const TEXT_BYTES_MAX: u64 = 1 << 18;

/// Arguments of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cardswitch decode 0820 0020000000800010 000042 3331303030303031 0011 000000013010
  xxd -p frame.bin | cardswitch decode --dialect pos
  xxd -p frame.bin | cardswitch decode --dialect atm
  cardswitch decode --guess --raw < frame.bin
  cardswitch decode --spec mine.toml 0800…

Takes a whole frame (length, headers, message) or the message alone, and says which. With --spec it reads the frame as
the specification's `length` and `header` say, if they do and it fits. With --guess it tries every length, the usual
headers and all built-in specifications (or those of --spec), and tells why they fit or do not.
Card numbers, tracks, PIN blocks and keys are never shown. Exit code 0 if it decodes, 1 if it does not,
64 if the text is no hex.")]
pub(super) struct Args {
    /// Which of the switch's dialects to read it by
    #[arg(long, value_enum, default_value = "pos")]
    dialect: Dialect,
    /// A specification to read it by instead: a built-in one's name or a file; may be given several times
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "dialect")]
    spec: Vec<String>,
    /// Tell which framing, headers and specification fit, and why the others do not
    #[arg(long, conflicts_with = "dialect")]
    guess: bool,
    /// Standard input has the bytes themselves, not hex
    #[arg(long, conflicts_with = "hex")]
    raw: bool,
    /// The bytes in hex, white space ignored; without them, standard input is read
    hex: Vec<Hex>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Dialect {
    /// UnionPay-style POS
    Pos,
    /// telephone POS with a PSAM
    Epos,
    /// ATM host
    Atm,
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
    #[error("there are no bytes")]
    NoBytes,
    #[error("there are more than {} bytes", TEXT_BYTES_MAX / 2)]
    TooManyBytes,
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
    let bytes = if args.raw {
        raw_input(io::stdin().lock())?
    } else if args.hex.is_empty() {
        from_input(io::stdin().lock())?
    } else {
        let text: String = args.hex.iter().map(|piece| piece.0.as_str()).collect();
        parse_hex(&text).map_err(CommandError::Hex)?
    };
    if args.spec.is_empty() && !args.guess {
        return Ok(show(&bytes, args.dialect, out)?);
    }
    let own: Vec<(&str, Spec)> = args
        .spec
        .iter()
        .map(|name| Ok((name.as_str(), spec::load(name)?.1)))
        .collect::<Result<_, spec::LoadError>>()
        .map_err(|error| Failure::usage(&error))?;
    let mut specs: Vec<(&str, &Spec)> = own.iter().map(|(name, spec)| (*name, spec)).collect();
    if specs.is_empty() {
        specs.extend(Spec::shipped_names().filter_map(|name| Some((name, Spec::shipped(name)?))));
    }
    Ok(show_guess(&bytes, &specs, args.guess, out)?)
}

/// What the bytes are by the likeliest reading; `whole` adds what it was chosen for and why the others do not fit.
fn show_guess(
    bytes: &[u8],
    specs: &[(&str, &Spec)],
    whole: bool,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    // A specification that says how its messages are framed is believed if that fits.
    let declared = specs.iter().filter_map(|(name, spec)| as_declared(bytes, name, spec)).find(Guess::fits);
    let guesses = match declared {
        Some(declared) if !whole => vec![declared],
        _ => guess(bytes, specs),
    };
    if whole {
        writeln!(out, "{}", explain(&guesses))?;
    }
    let best = guesses.first().filter(|best| best.spec.is_some());
    let named =
        best.and_then(|best| Some((best, specs.iter().find(|(name, _)| Some(*name) == best.spec)?.1)));
    let Some((best, spec)) = named else { return Err(CommandError::Broken) };
    if !whole {
        writeln!(out, "{best}")?;
    }
    let start = best.message.start;
    show_message(spec, &bytes[best.message.clone()], start, out)
}

fn raw_input(input: impl Read) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    input.take(TEXT_BYTES_MAX / 2 + 1).read_to_end(&mut bytes).map_err(CommandError::Input)?;
    match bytes.len() as u64 {
        0 => Err(HexError::NoBytes.into()),
        count if count > TEXT_BYTES_MAX / 2 => Err(HexError::TooManyBytes.into()),
        _ => Ok(bytes),
    }
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

fn show(bytes: &[u8], dialect: Dialect, out: &mut dyn Write) -> Result<(), CommandError> {
    let start = match dialect {
        Dialect::Pos | Dialect::Epos => print_terminal_envelope(bytes, out)?,
        Dialect::Atm => print_host_envelope(bytes, out)?,
    };
    let spec = match dialect {
        Dialect::Pos | Dialect::Epos => Spec::pos(),
        Dialect::Atm if has_hex_bitmap(&bytes[start..]) => Spec::atm(),
        Dialect::Atm => Spec::atm_binary_bitmap(),
    };
    show_message(spec, &bytes[start..], start, out)
}

/// The fields of a message that begins at byte `start` of what was given, and where it is wrong if it is.
fn show_message(spec: &Spec, message: &[u8], start: usize, out: &mut dyn Write) -> Result<(), CommandError> {
    let (message, error) = Message::decode_partial(spec, message);
    writeln!(out, "{}", message.describe())?;
    let Some(error) = error else { return Ok(()) };
    writeln!(out, "does not decode: {error}")?;
    let at = start + error.offset;
    writeln!(out, "  that is byte {at} of what was given; values are hidden because fields may be shifted")?;
    Err(CommandError::Broken)
}

/// Whether sixteen hexadecimal characters stand behind the message type, where a binary bitmap has eight bytes.
fn has_hex_bitmap(message: &[u8]) -> bool {
    let bitmap = message.get(4..20).unwrap_or_default();
    bitmap.len() == 16 && bitmap.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

fn print_bare(bytes: &[u8], out: &mut dyn Write) -> io::Result<usize> {
    let count = bytes.len();
    writeln!(out, "assumed: a message alone ({count} bytes; it does not begin with the length of a frame)")?;
    Ok(0)
}

/// A frame's bytes behind its length, if its length counts exactly those.
fn counted(bytes: &[u8], form: LengthForm) -> Option<&[u8]> {
    match framing::next(form, bytes, usize::from(u16::MAX)) {
        Next::Frame(frame, end) if end == bytes.len() => Some(frame),
        _ => None,
    }
}

/// Length, dial record if there is one, TPDU and header: none of them is secret. Returns where the message begins.
fn print_terminal_envelope(bytes: &[u8], out: &mut dyn Write) -> io::Result<usize> {
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let Some(frame) = counted(bytes, LengthForm::Binary) else { return print_bare(bytes, out) };
    let dial_record = if frame.starts_with(b"LRI") { DIAL_RECORD } else { 0 };
    let Some(headers) = frame.get(dial_record..dial_record + MESSAGE_AT) else {
        return print_bare(bytes, out);
    };
    let (tpdu, header) = headers.split_at(5);
    writeln!(out, "assumed: a whole frame")?;
    writeln!(out, "length: {} bytes follow", frame.len())?;
    if dial_record > 0 {
        writeln!(out, "dial record: called from …{}", hex(&frame[11..13]).trim_end_matches('F'))?;
    }
    writeln!(out, "TPDU: {}, to {}, from {}", hex(&tpdu[..1]), hex(&tpdu[1..3]), hex(&tpdu[3..]))?;
    let request = match header[2] & 0x0F {
        0 => "",
        3 => ", asks the terminal to sign in",
        _ => ", asks the terminal for something",
    };
    writeln!(out, "header: {}{request}", hex(header))?;
    Ok(bytes.len() - frame.len() + dial_record + MESSAGE_AT)
}

/// The length of an ATM host's frame, in either form. Returns where the message begins.
fn print_host_envelope(bytes: &[u8], out: &mut dyn Write) -> io::Result<usize> {
    for (form, name) in [(LengthForm::Ascii, "four digits"), (LengthForm::Binary, "two bytes")] {
        if let Some(frame) = counted(bytes, form) {
            writeln!(out, "assumed: a whole frame")?;
            writeln!(out, "length: {} bytes follow, said in {name}", frame.len())?;
            return Ok(bytes.len() - frame.len());
        }
    }
    print_bare(bytes, out)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A balance inquiry with fields 2, 3, 11 and 41.
    const MESSAGE: &str = "0200 6020000000800000 16 9156009224100010 310000 000042 3331303030303031";

    fn shown(hex: &str) -> (String, bool) {
        let mut out = Vec::new();
        let good = show(&parse_hex(hex).unwrap(), Dialect::Pos, &mut out).is_ok();
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
    fn an_atm_frame_shows_its_form_of_length_and_bitmap() {
        let message = b"08008220000100000000040000000000000011220035000000420831060110301";
        let ascii = [&format!("{:04}", message.len()).into_bytes()[..], message].concat();
        let binary = [&[0, 65][..], message].concat();
        for (bytes, want) in [
            (&ascii[..], "65 bytes follow, said in four digits"),
            (&binary[..], "65 bytes follow, said in two bytes"),
            (&message[..], "assumed: a message alone (65 bytes"),
        ] {
            let mut out = Vec::new();
            let good = show(bytes, Dialect::Atm, &mut out).is_ok();
            let text = String::from_utf8(out).unwrap();
            assert!(good && text.contains(want) && text.contains("DE 11 STAN: 000042\n"), "{text}");
        }
    }

    #[test]
    fn a_guess_says_what_it_is_and_shows_it() {
        let message = b"08008220000100000000040000000000000011220035000000420831060110301";
        let framed = [&[0, 65][..], message].concat();
        let specs: Vec<_> = Spec::shipped_names().map(|name| (name, Spec::shipped(name).unwrap())).collect();
        for whole in [true, false] {
            let mut out = Vec::new();
            let good = show_guess(&framed, &specs, whole, &mut out).is_ok();
            let text = String::from_utf8(out).unwrap();
            assert!(good && text.contains("length binary2, atm: fits"), "{text}");
            assert!(text.ends_with("DE 70 network management code: 301\n"), "{text}");
            assert_eq!(text.contains("Why not otherwise"), whole, "{text}");
        }
        let mut out = Vec::new();
        assert!(show_guess(b"hello, world", &specs, true, &mut out).is_err());
        assert!(String::from_utf8(out).unwrap().contains("Nothing fits whole"));
    }

    #[test]
    fn a_specification_that_says_how_its_messages_are_framed_is_believed() {
        let message = b"08008220000100000000040000000000000011220035000000420831060110301";
        let text = Spec::shipped_toml("atm").unwrap();
        let text = text.replace("mti =", "length = \"hex4+self\"\nheader = [\"opaque:3\"]\nmti =");
        let spec = Spec::from_toml(&text).unwrap();
        let framed = [&b"0048xyz"[..], message].concat();
        for (bytes, want) in [
            (&framed[..], "length hex4+self, headers opaque:3, atm: fits"),
            (&message[..], "no length, atm: fits"),
        ] {
            let mut out = Vec::new();
            let good = show_guess(bytes, &[("atm", &spec)], false, &mut out).is_ok();
            let text = String::from_utf8(out).unwrap();
            assert!(good && text.contains(want) && text.contains("DE 11 STAN: 000042\n"), "{text}");
        }
    }

    #[test]
    fn raw_input_has_a_limit() {
        let most = usize::try_from(TEXT_BYTES_MAX / 2).unwrap();
        assert_eq!(raw_input(&vec![1; most][..]).unwrap().len(), most);
        assert!(raw_input(&vec![1; most + 1][..]).is_err() && raw_input(&[][..]).is_err());
    }

    #[test]
    fn a_dial_record_is_seen_and_mostly_hidden() {
        let record = "4C5249001C 02100000001FFFFF 02100000009FFFFF 000000000000000000000000";
        let hex = format!("004D {record} 6000030000 613100311108 {MESSAGE}");
        let mut out = Vec::new();
        assert!(show(&parse_hex(&hex).unwrap(), Dialect::Epos, &mut out).is_ok());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("dial record: called from …") && !text.contains("02100000001"), "{text}");
        assert!(text.contains("DE 11 STAN: 000042\n"), "{text}");
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
            let good = show(&bytes, Dialect::Pos, &mut out).is_ok();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(good, !text.contains("does not decode"), "{text}");
            assert!(!text.contains("9156009224100010"), "{text}");
        }
    }
}
