//! `pos`: UnionPay-style POS terminals, BCD. `docs/dialect-pos.md` describes it for people who build terminals.
//!
//! A frame here is what follows the two length bytes: TPDU (5), application header (6), message. Start at
//! [`parse`] and [`encode`].

mod codes;

use std::ops::Range;

use arrayvec::ArrayVec;
use bytes::{BufMut, BytesMut};
use hsm_sim::{Pan, PanError};
use iso8583::{Builder, DecodeError, Digits, EncodeError, Message, Mti, Spec};

pub use self::codes::{response_code, response_meaning};
use crate::{
    books::{
        event::KeysForTerminal,
        reason::Reason,
        request::{Answer, CardInput, EntryMode, KeyScheme, Kind, PinBlock, Request, Stripe, TrackValue},
    },
    clock::Moment,
    ledger::Currency,
};

/// Bytes of the TPDU.
const TPDU: usize = 5;
/// Bytes of the application header.
const HEADER: usize = 6;
/// Where the message begins in a frame.
pub const MESSAGE_AT: usize = TPDU + HEADER;

/// What of a request its answer repeats, and where its MAC stands.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    tpdu: [u8; TPDU],
    header: [u8; HEADER],
    mti: Option<Mti>,
    processing_code: Option<u32>,
    condition_code: Option<u8>,
    /// Field 60 as ASCII digits.
    private_60: ArrayVec<u8, 17>,
    has_pan: bool,
    amount: Option<u64>,
    currency: Option<[u8; 3]>,
    /// The MAC and the bytes of the frame that it covers.
    pub mac: Option<([u8; 8], Range<usize>)>,
}

/// Why a frame gets no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// Shorter than its headers and a message type.
    TooShort,
    /// The message type is an answer's.
    AnswerReceived,
    /// It cannot be decoded as far as message type, STAN and terminal, so there is nobody to answer.
    Undecodable,
}

/// Where a message is not what it should be. Never shows what stood there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormatFault {
    /// It does not decode; offsets count from the first byte of the MTI.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A field that this kind of request needs is not there.
    #[error("DE {0} is missing")]
    Missing(u8),
    /// A field decodes and still says nothing that fits.
    #[error("DE {field} at byte {offset}: no such value")]
    Meaningless {
        /// The data element.
        field: u8,
        /// Where it begins, counted from the first byte of the MTI.
        offset: usize,
    },
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsed {
    /// A request to be worked on.
    Request,
    /// Enough of a request to be refused for its format.
    FormatError(FormatFault),
    /// Nothing to answer, and what is wrong with it where that is known.
    Dropped(Dropped, Option<FormatFault>),
}

/// The transactions of message type 0200: processing code (field 3) and condition code (field 25).
const KINDS: [(u32, u8, Kind); 3] =
    [(0, 0, Kind::Purchase), (310_000, 0, Kind::Balance), (630_000, 91, Kind::Load)];

/// Reads a frame into `request` and `envelope`, which are overwritten.
pub fn parse(frame: &[u8], request: &mut Request, envelope: &mut Envelope) -> Parsed {
    *request = Request::default();
    *envelope = Envelope::default();
    if frame.len() < MESSAGE_AT + 2 {
        return Parsed::Dropped(Dropped::TooShort, None);
    }
    envelope.tpdu.copy_from_slice(&frame[..TPDU]);
    envelope.header.copy_from_slice(&frame[TPDU..MESSAGE_AT]);
    let (message, error) = Message::decode_partial(Spec::pos(), &frame[MESSAGE_AT..]);
    if message.mti().is_answer() {
        return Parsed::Dropped(Dropped::AnswerReceived, None);
    }
    let error = error.map(FormatFault::Decode);
    if message.mti().raw() == 0 {
        return Parsed::Dropped(Dropped::Undecodable, error);
    }
    envelope.mti = Some(message.mti());
    if let Err(fault) = read_address(&message, request) {
        return Parsed::Dropped(Dropped::Undecodable, error.or(Some(fault)));
    }
    read_envelope(&message, envelope);
    match error.map_or_else(|| read_request(&message, request, envelope), Err) {
        Ok(()) => Parsed::Request,
        Err(fault) => Parsed::FormatError(fault),
    }
}

/// A value that was read from a field, or what is wrong with that field.
fn need<T>(message: &Message<'_>, field: u8, value: Option<T>) -> Result<T, FormatFault> {
    value.ok_or_else(|| match message.start(field) {
        Some(offset) => FormatFault::Meaningless { field, offset },
        None => FormatFault::Missing(field),
    })
}

/// Who is to be answered, about what: STAN and terminal.
fn read_address(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let stan = message.number(11).and_then(|stan| u32::try_from(stan).ok());
    request.stan = need(message, 11, stan)?;
    request.terminal = need(message, 41, message.fixed(41))?;
    request.merchant = message.fixed(42);
    request.class = message.mti().class();
    Ok(())
}

fn read_envelope(message: &Message<'_>, envelope: &mut Envelope) {
    envelope.processing_code = message.number(3).and_then(|code| u32::try_from(code).ok());
    envelope.condition_code = message.number(25).and_then(|code| u8::try_from(code).ok());
    if let Some(digits) = message.digits(60) {
        envelope.private_60 = ascii(digits);
    }
    envelope.has_pan = message.has(2);
    envelope.amount = message.number(4);
    envelope.currency = message.fixed(49);
    if let (Some(mac), Some(start)) = (message.fixed(64), message.start(64)) {
        envelope.mac = Some((mac, MESSAGE_AT..MESSAGE_AT + start));
    }
}

/// The request itself, or the first field that its kind needs and does not find.
fn read_request(
    message: &Message<'_>,
    request: &mut Request,
    envelope: &Envelope,
) -> Result<(), FormatFault> {
    need(message, 42, request.merchant)?;
    request.batch = need(message, 60, number_at(&envelope.private_60, 2..8))?;
    request.kind = kind(message, envelope)?;
    match request.kind {
        Kind::SignIn => {
            request.key_scheme = match number_at(&envelope.private_60, 8..11) {
                Some(1) => KeyScheme::Single,
                Some(4) => KeyScheme::WithTrackKey,
                _ => KeyScheme::Double,
            };
            Ok(())
        }
        Kind::SignOff | Kind::Echo | Kind::Unsupported => Ok(()),
        Kind::Reversal => {
            request.reverses = coded_kind(message, envelope)?;
            read_amount(message, request)?;
            read_card(message, request);
            Ok(())
        }
        Kind::Purchase | Kind::Load => {
            read_amount(message, request)?;
            read_card_and_pin(message, request)
        }
        Kind::Balance => {
            request.currency = need(message, 49, currency(message))?;
            read_card_and_pin(message, request)
        }
    }
}

fn kind(message: &Message<'_>, envelope: &Envelope) -> Result<Kind, FormatFault> {
    let management = number_at(&envelope.private_60, 8..11);
    Ok(match (message.mti().raw(), management) {
        (0x0800, Some(1 | 3 | 4)) => Kind::SignIn,
        (0x0820, Some(2)) => Kind::SignOff,
        (0x0820, Some(301)) => Kind::Echo,
        (0x0400, _) => {
            coded_kind(message, envelope)?;
            Kind::Reversal
        }
        (0x0200, _) => coded_kind(message, envelope)?.unwrap_or(Kind::Unsupported),
        _ => Kind::Unsupported,
    })
}

/// What the processing and condition codes name, in a request or in its reversal; `None` if the switch does not do it.
fn coded_kind(message: &Message<'_>, envelope: &Envelope) -> Result<Option<Kind>, FormatFault> {
    let code = need(message, 3, envelope.processing_code)?;
    let condition = need(message, 25, envelope.condition_code)?;
    let known = KINDS.iter().find(|(known, of, _)| (*known, *of) == (code, condition));
    Ok(known.map(|(.., kind)| *kind))
}

fn read_amount(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    // Twelve digits always fit.
    let amount = message.number(4).and_then(|amount| i64::try_from(amount).ok());
    request.amount = need(message, 4, amount)?;
    request.currency = need(message, 49, currency(message))?;
    Ok(())
}

fn currency(message: &Message<'_>) -> Option<Currency> {
    let digits = message.text(49)?;
    let mut value: Currency = 0;
    for digit in digits {
        value = value * 10 + Currency::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(value)
}

fn read_card_and_pin(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let entry = match need(message, 22, message.number(22))? / 10 {
        1 => Some(EntryMode::Manual),
        2 => Some(EntryMode::Stripe),
        5 => Some(EntryMode::Chip),
        7 => Some(EntryMode::Contactless),
        _ => None,
    };
    request.entry = need(message, 22, entry)?;
    if request.entry != EntryMode::Manual {
        // A card that was read has a track; a number alone was typed, whatever the entry mode says.
        need(message, 35, message.digits(35))?;
    }
    request.pin_block = message.fixed(52).map(PinBlock);
    // Field 53, first digit: 2 is ISO format 0 (with the card number), the only one accepted.
    let format = message.digits(53).and_then(|digits| digits.iter().next());
    request.pin_format_refused = request.pin_block.is_some() && format.is_some_and(|digit| digit != 2);
    request.has_chip_data = message.has(55);
    read_card(message, request);
    match request.card {
        // These kinds are about a card; a reversal finds its own.
        CardInput::None => Err(FormatFault::Missing(2)),
        _ => Ok(()),
    }
}

fn read_card(message: &Message<'_>, request: &mut Request) {
    let typed = message.digits(2).map(ascii::<19>);
    let track = message.digits(35).map(ascii::<37>);
    let typed_expiry = message.number(14).and_then(|expiry| u16::try_from(expiry).ok());
    request.card = match (typed, track) {
        (None, None) => CardInput::None,
        (Some(pan), None) => card(&pan, typed_expiry, TrackValue::NotRead),
        (typed, Some(track)) => read_track(&track, typed.as_deref(), typed_expiry),
    };
}

/// Track 2: number, separator, `YYMM`, service code (3), verification value (3), issuer's discretion.
fn read_track(track: &[u8], typed: Option<&[u8]>, typed_expiry: Option<u16>) -> CardInput {
    let Some(separator) = track.iter().position(|digit| *digit == b'=') else { return CardInput::NotACard };
    let (pan, rest) = (&track[..separator], &track[separator + 1..]);
    if typed.is_some_and(|typed| typed != pan) {
        return CardInput::Disagree;
    }
    let expiry = number_at(rest, 0..4).and_then(|expiry| u16::try_from(expiry).ok());
    if typed_expiry.is_some() && typed_expiry != expiry {
        return CardInput::Disagree;
    }
    let value = match (rest.first_chunk(), rest.get(4..7), rest.get(7..10)) {
        (Some(expiry), Some(service_code), Some(cvv)) => TrackValue::Read(Stripe {
            expiry: *expiry,
            service_code: [service_code[0], service_code[1], service_code[2]],
            cvv: [cvv[0], cvv[1], cvv[2]],
        }),
        _ => TrackValue::Missing,
    };
    card(pan, expiry, value)
}

fn card(pan: &[u8], expiry_yymm: Option<u16>, value: TrackValue) -> CardInput {
    match Pan::parse(pan) {
        Ok(pan) => CardInput::Read { pan, expiry_yymm, value },
        Err(PanError::Length | PanError::NotDigits | PanError::CheckDigit) => CardInput::NotACard,
    }
}

/// The first `N` digits in ASCII, which is more than the table lets through.
fn ascii<const N: usize>(digits: Digits<'_>) -> ArrayVec<u8, N> {
    digits.iter().take(N).map(|digit| if digit <= 9 { b'0' + digit } else { digit }).collect()
}

fn number_at(digits: &[u8], range: Range<usize>) -> Option<u32> {
    digits
        .get(range)?
        .iter()
        .try_fold(0_u32, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

/// An answer's frame in the output buffer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Encoded {
    /// Everything, length bytes included.
    pub frame: Range<usize>,
    /// What its MAC covers; the eight bytes behind it are the MAC's place. Empty if the answer carries none.
    pub mac_covers: Range<usize>,
}

/// Writes an answer behind what is in `out`. With `sealed` it has room for a MAC, which is still to be made.
///
/// # Errors
/// A field does not fit its table, which is a fault of the switch; `out` is then as it was.
pub fn encode(
    request: &Request,
    envelope: &Envelope,
    answer: &Answer,
    moment: &Moment,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<Encoded, EncodeError> {
    let start = out.len();
    let header_end = write_headers(envelope, answer, out);
    let written = write_message(request, envelope, answer, moment, sealed, out);
    let (message, mac_at) = match written {
        Ok(written) => written,
        Err(error) => {
            out.truncate(start);
            return Err(error);
        }
    };
    debug_assert_eq!(message.start, header_end);
    // INVARIANT: the largest answer of this dialect has under 300 bytes.
    let length = u16::try_from(message.end - start - 2).expect("an answer fits two length bytes");
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    let mac_covers = mac_at.map_or(0..0, |at| message.start..message.start + at);
    Ok(Encoded { frame: start..message.end, mac_covers })
}

/// Length (patched later), TPDU with destination and origin swapped, application header.
fn write_headers(envelope: &Envelope, answer: &Answer, out: &mut BytesMut) -> usize {
    let [kind, to_high, to_low, from_high, from_low] = envelope.tpdu;
    out.put_u16(0);
    out.put_slice(&[kind, from_high, from_low, to_high, to_low]);
    let mut header = envelope.header;
    // The sixth digit is the processing request: 3 asks the terminal to sign in again.
    header[2] = (header[2] & 0xF0) | if answer.reason == Reason::SignInAgain { 3 } else { 0 };
    out.put_slice(&header);
    out.len()
}

type Written = (Range<usize>, Option<usize>);

fn write_message(
    request: &Request,
    envelope: &Envelope,
    answer: &Answer,
    moment: &Moment,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<Written, EncodeError> {
    let mti = envelope.mti.unwrap_or(Mti::new(0)).answer();
    let mut message = Builder::new(Spec::pos(), out, mti);
    if let (true, Some(pan)) = (envelope.has_pan, request.card.pan()) {
        message.digits(2, pan.expose())?;
    }
    if let Some(code) = envelope.processing_code {
        message.number(3, u64::from(code))?;
    }
    if let Some(amount) = envelope.amount {
        message.number(4, amount)?;
    }
    message.number(11, u64::from(request.stan))?;
    message.number(12, moment.hhmmss())?;
    message.number(13, moment.mmdd())?;
    if let Some(code) = envelope.condition_code {
        message.number(25, u64::from(code))?;
    }
    if let Some(seq) = answer.seq {
        message.text(37, &decimal::<12>(moment.rrn_prefix() * 1_000_000 + seq % 1_000_000))?;
        if answer.reason == Reason::Approved && request.class != 8 && request.kind != Kind::Reversal {
            message.text(38, &decimal::<6>(seq % 1_000_000))?;
        }
    }
    message.text(39, response_code(answer.reason))?;
    message.text(41, &request.terminal)?;
    if let Some(merchant) = &request.merchant {
        message.text(42, merchant)?;
    }
    if let Some(currency) = &envelope.currency {
        message.text(49, currency)?;
    }
    if let Some(balance) = answer.balance {
        message.text(54, &balance_item(request.currency, balance))?;
    }
    if !envelope.private_60.is_empty() {
        message.digits(60, &envelope.private_60)?;
    }
    if let Some(keys) = &answer.keys {
        message.bytes(62, &working_keys(keys))?;
    }
    let mac_at = if sealed { Some(message.mac_placeholder(64)?) } else { None };
    Ok((message.finish()?, mac_at))
}

/// ISO 8583 field 54: account type 00, amount type 02 (available), currency, sign, twelve digits.
fn balance_item(currency: Currency, balance: i64) -> [u8; 20] {
    let mut item = *b"0002000C000000000000";
    item[4..7].copy_from_slice(&decimal::<3>(u64::from(currency)));
    if balance < 0 {
        item[7] = b'D';
    }
    item[8..].copy_from_slice(&decimal::<12>(balance.unsigned_abs()));
    item
}

/// Field 62 of a sign-in's answer: PIN key, its check value, MAC key, its check value.
fn working_keys(keys: &KeysForTerminal) -> [u8; 40] {
    let mut field = [0; 40];
    field[..16].copy_from_slice(&keys.pin);
    field[16..20].copy_from_slice(&keys.pin_check);
    field[20..36].copy_from_slice(&keys.mac);
    field[36..].copy_from_slice(&keys.mac_check);
    field
}

/// The last `N` digits of a number, in ASCII.
fn decimal<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    digits
}

/// Answers a frame for which there is no permit, without working on it. Nothing is written if it cannot be
/// answered.
pub fn turn_away(frame: &[u8], moment: &Moment, out: &mut BytesMut) -> bool {
    let (mut request, mut envelope) = (Request::default(), Envelope::default());
    if matches!(parse(frame, &mut request, &mut envelope), Parsed::Dropped(..)) {
        return false;
    }
    let answer = Answer {
        reason: Reason::Overloaded,
        seq: None,
        time_ms: moment.unix_ms(),
        balance: None,
        repeat: false,
        keys: None,
    };
    encode(&request, &envelope, &answer, moment, false, out).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors/iso8583.json");
        let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
        let vectors: serde_json::Value = serde_json::from_str(&text).expect("they are JSON");
        let frames = vectors["unionpay_pos_frames"].as_array().expect("a list");
        let frame = frames.iter().find(|frame| frame["id"] == name).expect("the vector is listed");
        let hex = frame["hex"].as_str().expect("hex").as_bytes();
        let bytes = hex.chunks(2).map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits")
        });
        bytes.skip(2).collect()
    }

    const KEYS: KeysForTerminal =
        KeysForTerminal { pin: [1; 16], pin_check: [2; 4], mac: [3; 16], mac_check: [4; 4] };

    fn answer(reason: Reason) -> Answer {
        Answer { reason, seq: Some(7), time_ms: 0, balance: Some(-5), repeat: false, keys: Some(KEYS) }
    }

    #[test]
    fn a_sign_in_of_a_public_log_is_understood_and_answered() {
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        assert_eq!(parse(&vector("CUP-0800"), &mut request, &mut envelope), Parsed::Request);
        assert_eq!((request.kind, request.key_scheme, request.stan), (Kind::SignIn, KeyScheme::Double, 1));
        assert_eq!(&request.terminal, b"22003600");
        let clock = crate::clock::Clock::new("UTC").expect("a zone");
        let mut out = BytesMut::new();
        let encoded =
            encode(&request, &envelope, &answer(Reason::SignInAgain), &clock.at(0), false, &mut out)
                .expect("the answer fits its table");
        let frame = &out[encoded.frame];
        // Length; TPDU with origin and destination swapped; header asking for a sign-in.
        assert_eq!(usize::from(u16::from_be_bytes([frame[0], frame[1]])), frame.len() - 2);
        assert_eq!(
            frame[2..15],
            [0x60, 0x00, 0x00, 0x06, 0x01, 0x61, 0x31, 0x03, 0x31, 0x11, 0x08, 0x08, 0x10]
        );
    }

    #[test]
    fn a_fault_says_which_field_and_where() {
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        let parsed = parse(&vector("NEG-0800"), &mut request, &mut envelope);
        let Parsed::Dropped(Dropped::Undecodable, Some(fault)) = parsed else {
            panic!("the terminal's field cannot be found in {parsed:?}")
        };
        assert!(fault.to_string().starts_with("DE "), "{fault}");

        let mut wire = BytesMut::from(&[0; MESSAGE_AT][..]);
        let mut message = Builder::new(Spec::pos(), &mut wire, Mti::new(0x0200));
        message.number(3, 0).and_then(|message| message.number(11, 7)).expect("they fit");
        message.number(25, 0).and_then(|message| message.text(41, b"T0000001")).expect("they fit");
        message
            .text(42, &[b'M'; 15])
            .and_then(|message| message.digits(60, b"22000001000"))
            .expect("they fit");
        message.finish().expect("a message");
        let parsed = parse(&wire, &mut request, &mut envelope);
        assert_eq!(parsed, Parsed::FormatError(FormatFault::Missing(4)));
        assert_eq!(FormatFault::Missing(4).to_string(), "DE 4 is missing");
    }

    #[test]
    fn a_negative_balance_says_so() {
        assert_eq!(&balance_item(156, -12_345), b"0002156D000000012345");
        assert_eq!(&balance_item(36, 0), b"0002036C000000000000");
    }

    #[test]
    fn an_answer_is_not_a_request() {
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        let parsed = parse(&vector("CUP-0810"), &mut request, &mut envelope);
        assert_eq!(parsed, Parsed::Dropped(Dropped::AnswerReceived, None));
    }
}
