//! `pos`: UnionPay-style POS terminals, BCD; and `epos`: the same with a PSAM in field 57.
//! `docs/dialect-pos.md` and `docs/dialect-epos.md` describe them for people who build terminals.
//!
//! A frame here is what follows the two length bytes: TPDU (5), application header (6), message. Before the TPDU of
//! an `epos` frame from a concentrator stands a dial record. Start at [`parse`] and [`encode`].

mod answer;
mod psam;
mod turn_away;

use arrayvec::ArrayVec;
use iso8583::{Message, Mti, Spec};

pub use self::{
    answer::encode,
    psam::DIAL_RECORD,
    turn_away::{Quick, turn_away},
};
use super::{
    Dropped, Envelope, FormatFault, Parsed,
    card::{self, Given},
    fields::{approval, ascii, currency, meaningless, need, number_at, rrn},
};
use crate::books::{
    event::TerminalDialect,
    request::{CardInput, EntryMode, KeyScheme, Kind, OriginalName, PinBlock, PsamInput, Request},
};

/// Bytes of the TPDU.
const TPDU: usize = 5;
/// Bytes of the application header.
const HEADER: usize = 6;
/// Where the message begins in a frame without a dial record.
pub const MESSAGE_AT: usize = TPDU + HEADER;

/// What of a request its answer repeats.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    tpdu: [u8; TPDU],
    header: [u8; HEADER],
    mti: Mti,
    processing_code: Option<u32>,
    condition_code: Option<u8>,
    /// Field 60 as ASCII digits.
    private_60: ArrayVec<u8, 17>,
    has_pan: bool,
    amount: Option<u64>,
    currency: Option<[u8; 3]>,
}

/// One transaction: message type, processing code (field 3), condition code (field 25), and field 60.1, which alone
/// tells some of their reversals apart.
type Coded = (u16, u32, u8, u32, Kind);

/// The transactions of the dialect.
const KINDS: [Coded; 13] = [
    (0x0200, 0, 0, 22, Kind::Purchase),
    (0x0200, 310_000, 0, 1, Kind::Balance),
    (0x0200, 630_000, 91, 46, Kind::Load),
    (0x0200, 200_000, 0, 23, Kind::Void),
    (0x0220, 200_000, 0, 25, Kind::Refund),
    (0x0100, 30_000, 6, 10, Kind::PreAuthorization),
    (0x0100, 30_000, 60, 10, Kind::PreAuthorizationAddition),
    (0x0100, 200_000, 6, 11, Kind::PreAuthorizationVoid),
    (0x0200, 0, 6, 20, Kind::Completion),
    (0x0220, 0, 6, 24, Kind::Completion),
    (0x0200, 200_000, 6, 21, Kind::CompletionVoid),
    (0x0200, 900_000, 0, 0, Kind::PinChange),
    (0x0200, 900_000, 0, 60, Kind::PinChange),
];

/// Reads a frame.
pub fn parse(frame: &[u8], request: &mut Request, envelope: &mut Envelope) -> Parsed {
    let dialled = if request.line.concentrator { psam::dial_record(frame) } else { Ok(None) };
    let Ok(dialled) = dialled else { return Parsed::Dropped(Dropped::Undecodable, None) };
    let tpdu_at = dialled.map_or(0, |_| psam::DIAL_RECORD);
    request.dialled_from = dialled;
    let Some(headers) =
        frame.get(tpdu_at..tpdu_at + MESSAGE_AT).filter(|_| frame.len() >= tpdu_at + MESSAGE_AT + 2)
    else {
        return Parsed::Dropped(Dropped::TooShort, None);
    };
    let mut kept = Kept::default();
    kept.tpdu.copy_from_slice(&headers[..TPDU]);
    kept.header.copy_from_slice(&headers[TPDU..]);
    let message_at = tpdu_at + MESSAGE_AT;
    let (message, error) = Message::decode_partial(Spec::pos(), &frame[message_at..]);
    if message.mti().is_answer() {
        return Parsed::Dropped(Dropped::AnswerReceived, None);
    }
    let error = error.map(FormatFault::Decode);
    if message.mti().raw() == 0 {
        return Parsed::Dropped(Dropped::Undecodable, error);
    }
    if let Err(fault) = read_address(&message, request) {
        return Parsed::Dropped(Dropped::Undecodable, error.or(Some(fault)));
    }
    keep(&message, &mut kept);
    if let (Some(mac), Some(start)) = (message.fixed(64), message.start(64)) {
        envelope.mac = Some((mac, message_at..message_at + start));
    }
    let read = error.map_or_else(|| read_request(&message, request, &kept), Err);
    envelope.kept = super::Kept::Pos(kept);
    match read {
        Ok(()) => Parsed::Request,
        Err(fault) => Parsed::FormatError(fault),
    }
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

fn keep(message: &Message<'_>, kept: &mut Kept) {
    kept.mti = message.mti();
    kept.processing_code = message.number(3).and_then(|code| u32::try_from(code).ok());
    kept.condition_code = message.number(25).and_then(|code| u8::try_from(code).ok());
    if let Some(digits) = message.digits(60) {
        kept.private_60 = ascii(digits);
    }
    kept.has_pan = message.has(2);
    kept.amount = message.number(4);
    kept.currency = message.fixed(49);
}

/// The request itself, or the first field that its kind needs and does not find.
fn read_request(message: &Message<'_>, request: &mut Request, kept: &Kept) -> Result<(), FormatFault> {
    need(message, 42, request.merchant)?;
    request.batch = need(message, 60, number_at(&kept.private_60, 2..8))?;
    request.kind = kind(message, kept)?;
    read_private_57(message, request)?;
    if needs_psam(request) && request.psam.is_none() {
        // Whatever else it lacks, it is refused for naming no PSAM.
        return Ok(());
    }
    match request.kind {
        Kind::SignIn => {
            request.key_scheme = match number_at(&kept.private_60, 8..11) {
                Some(1) => KeyScheme::Single,
                Some(4) => KeyScheme::WithTrackKey,
                _ => KeyScheme::Double,
            };
            Ok(())
        }
        Kind::Reversal => {
            // It comes under the number of what it takes back.
            request.original = OriginalName {
                batch: Some(request.batch),
                stan: Some(request.stan),
                ..OriginalName::default()
            };
            request.reverses = coded_kind(message, kept)?;
            read_amount_of(message, request)?;
            read_card(message, request)
        }
        Kind::Purchase | Kind::Load | Kind::PreAuthorization => {
            // Field 60.6, the fourteenth digit: 1 if the terminal can take the rest by other means.
            request.partial_allowed =
                request.kind == Kind::Purchase && number_at(&kept.private_60, 13..14) == Some(1);
            read_amount(message, request)?;
            read_card_and_pin(message, request)
        }
        Kind::Balance => {
            request.currency = need(message, 49, currency(message))?;
            read_card_and_pin(message, request)
        }
        Kind::Void
        | Kind::Refund
        | Kind::PreAuthorizationAddition
        | Kind::PreAuthorizationVoid
        | Kind::Completion
        | Kind::CompletionVoid => {
            read_amount(message, request)?;
            read_original(message, request)?;
            read_card_and_pin(message, request)
        }
        Kind::PinChange => {
            read_card_and_pin(message, request)?;
            need_tag(0x13, request.new_pin_block)
        }
        _ => Ok(()),
    }
}

fn kind(message: &Message<'_>, kept: &Kept) -> Result<Kind, FormatFault> {
    let management = number_at(&kept.private_60, 8..11);
    Ok(match (message.mti().raw(), management) {
        (0x0800, Some(1 | 3 | 4)) => Kind::SignIn,
        (0x0820, Some(2)) => Kind::SignOff,
        (0x0820, Some(301)) => Kind::Echo,
        (0x0400, _) => {
            coded_kind(message, kept)?;
            Kind::Reversal
        }
        (0x0100 | 0x0200 | 0x0220, _) => coded_kind(message, kept)?.unwrap_or(Kind::Unsupported),
        _ => Kind::Unsupported,
    })
}

/// What message type, processing and condition code name; `None` if the switch does not do it. In a reversal the
/// message type is its own, and field 60.1 tells apart what the other codes do not.
fn coded_kind(message: &Message<'_>, kept: &Kept) -> Result<Option<Kind>, FormatFault> {
    let code = need(message, 3, kept.processing_code)?;
    let condition = need(message, 25, kept.condition_code)?;
    let mti = message.mti().raw();
    let type_code = number_at(&kept.private_60, 0..2);
    let mut known = KINDS.iter().filter(|(of, known, under, ..)| {
        (*known, *under) == (code, condition) && (mti == 0x0400 || *of == mti)
    });
    let first = known.clone().next();
    // Where only one transaction has these codes, field 60.1 need not be right.
    let named = known.find(|(.., named, _)| Some(*named) == type_code).or(first);
    Ok(named.map(|(.., kind)| *kind))
}

fn read_amount(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    // Twelve digits always fit.
    let amount = message.number(4).and_then(|amount| i64::try_from(amount).ok());
    request.amount = need(message, 4, amount)?;
    request.currency = need(message, 49, currency(message))?;
    Ok(())
}

/// The amount of a reversal, which a change of PIN has none of.
fn read_amount_of(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    if request.reverses == Some(Kind::PinChange) { Ok(()) } else { read_amount(message, request) }
}

/// What a void, refund or completion names: RRN or approval code, and batch and STAN (field 61.1, 61.2).
fn read_original(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let mut name = OriginalName { rrn: rrn(message), approval: approval(message), ..OriginalName::default() };
    if message.has(37) {
        need(message, 37, name.rrn)?;
    }
    if message.has(38) {
        need(message, 38, name.approval)?;
    }
    if name.rrn.is_none() && name.approval.is_none() {
        return Err(FormatFault::Missing(37));
    }
    if let Some(digits) = message.digits(61) {
        let digits = ascii::<29>(digits);
        name.batch = Some(need(message, 61, number_at(&digits, 0..6))?);
        name.stan = Some(need(message, 61, number_at(&digits, 6..12))?);
    }
    request.original = name;
    Ok(())
}

/// Field 57: what an `epos` terminal says of its PSAM, and a new PIN block.
fn read_private_57(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let tags = psam::read(message)?;
    request.new_pin_block = tags.new_pin_block.map(PinBlock);
    if request.line.dialect != TerminalDialect::Epos {
        return Ok(());
    }
    if needs_psam(request) && tags.psam.is_some() {
        let psam = tags.psam.as_ref();
        need_tag(2, psam.and_then(|psam| psam.random))?;
        need_tag(7, psam.and_then(|psam| psam.nonce))?;
    }
    if message.has(35) || message.has(36) {
        // A track goes over a telephone line encrypted or not at all.
        return Err(meaningless(message, if message.has(35) { 35 } else { 36 }));
    }
    request.psam = tags.psam;
    Ok(())
}

/// Whether it comes under a PSAM's keys.
fn needs_psam(request: &Request) -> bool {
    let is_open = matches!(request.kind, Kind::SignIn | Kind::SignOff | Kind::Echo);
    request.line.dialect == TerminalDialect::Epos && !is_open
}

fn need_tag<T>(tag: u8, value: Option<T>) -> Result<(), FormatFault> {
    value.map(drop).ok_or(FormatFault::Tag { tag, rule: "is missing" })
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
    let encrypted = has_track(request.psam.as_ref());
    let has_track =
        message.has(35) || encrypted || (message.has(36) && entry != Some(EntryMode::Contactless));
    if request.entry != EntryMode::Manual && !has_track {
        // A card that was read has a track; a number alone was typed, whatever the entry mode says.
        return Err(FormatFault::Missing(35));
    }
    request.pin_block = message.fixed(52).map(PinBlock);
    // Field 53, first digit: 2 is ISO format 0 (with the card number), the only one accepted.
    let format = message.digits(53).and_then(|digits| digits.iter().next());
    request.pin_format_refused = request.pin_block.is_some() && format.is_some_and(|digit| digit != 2);
    request.has_chip_data = message.has(55);
    read_card(message, request)?;
    match request.card {
        // These kinds are about a card; a reversal finds its own.
        CardInput::None if !encrypted => Err(FormatFault::Missing(2)),
        _ => Ok(()),
    }
}

fn has_track(psam: Option<&PsamInput>) -> bool {
    psam.is_some_and(|psam| !psam.track.is_empty())
}

/// The card as far as it stands in clear; an encrypted track is opened behind the MAC.
fn read_card(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let number = message.digits(2).map(ascii::<19>);
    let track_2 = message.digits(35).map(ascii::<37>);
    let track_3 = message.digits(36).map(ascii::<104>);
    request.expiry_given = match message.number(14) {
        Some(expiry) => u16::try_from(expiry).ok(),
        None => None,
    };
    request.card = card::read(&Given {
        number: number.as_deref(),
        expiry: request.expiry_given,
        track_2: track_2.as_deref(),
        track_3: track_3.as_deref(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use iso8583::Builder;

    use super::*;
    use crate::books::{
        event::KeysForTerminal,
        reason::Reason,
        request::{Answer, Shown},
    };

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
        let balance = Some(Shown { available: -5, held: 0 });
        Answer { seq: Some(7), balance, keys: Some(KEYS), ..Answer::unrecorded(reason, 0) }
    }

    #[test]
    fn a_sign_in_of_a_public_log_is_understood_and_answered() {
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        assert_eq!(parse(&vector("CUP-0800"), &mut request, &mut envelope), Parsed::Request);
        assert_eq!((request.kind, request.key_scheme, request.stan), (Kind::SignIn, KeyScheme::Double, 1));
        assert_eq!(&request.terminal, b"22003600");
        let super::super::Kept::Pos(kept) = envelope.kept else { panic!("it was read") };
        let clock = crate::clock::Clock::new("UTC").expect("a zone");
        let mut out = BytesMut::new();
        let encoded = encode(&request, &kept, &answer(Reason::SignInAgain), &clock.at(0), false, &mut out)
            .expect("the answer fits its table");
        let frame = &out[encoded.frame];
        // TPDU with origin and destination swapped; header asking for a sign-in.
        assert_eq!(
            frame[..13],
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
    fn an_answer_is_not_a_request() {
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        let parsed = parse(&vector("CUP-0810"), &mut request, &mut envelope);
        assert_eq!(parsed, Parsed::Dropped(Dropped::AnswerReceived, None));
    }
}
