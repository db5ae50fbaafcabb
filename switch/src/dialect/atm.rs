//! `atm`: ISO 8583:1987 in ASCII, as acquirers' ATM hosts speak it. `docs/dialect-atm.md` describes it for people who
//! build hosts.
//!
//! A frame here is the message alone, behind its length. One connection carries the messages of many terminals.
//! Start at [`parse`] and [`encode`].

mod answer;
mod turn_away;

use arrayvec::{ArrayString, ArrayVec};
use iso8583::{Message, Mti, Spec};

pub use self::{answer::encode, turn_away::turn_away};
use super::{
    Dropped, Envelope, FormatFault, Forms, Parsed,
    card::{self, Given},
    fields::{ascii, currency, long_number_at, meaningless, need, number_at},
};
use crate::books::request::{CardInput, EntryMode, Kind, OriginalName, PinBlock, Request, ZoneKeyBlocks};

/// What of a request its answer repeats.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    mti: Mti,
    has_pan: bool,
    processing_code: Option<u64>,
    amount: Option<u64>,
    transmitted: Option<u64>,
    acquirer_fee: Option<[u8; 9]>,
    rrn: Option<[u8; 12]>,
    currency: Option<[u8; 3]>,
    management: Option<u64>,
    original: ArrayVec<u8, 42>,
    replacement: Option<[u8; 42]>,
}

/// The table that a form of the bitmap calls for.
pub(super) fn spec(forms: &Forms) -> &'static Spec {
    if forms.atm_binary_bitmap { Spec::atm_binary_bitmap() } else { Spec::atm() }
}

/// Reads a frame.
pub fn parse(frame: &[u8], forms: &Forms, request: &mut Request, envelope: &mut Envelope) -> Parsed {
    let spec = spec(forms);
    let (message, error) = Message::decode_partial(spec, frame);
    let error = error.map(FormatFault::Decode);
    if message.mti().raw() == 0 {
        let why = if frame.len() < 4 { Dropped::TooShort } else { Dropped::Undecodable };
        return Parsed::Dropped(why, error);
    }
    if message.mti().is_answer() {
        return Parsed::Dropped(Dropped::AnswerReceived, None);
    }
    if let Err(fault) = read_address(&message, request) {
        return Parsed::Dropped(Dropped::Undecodable, error.or(Some(fault)));
    }
    let kept = keep(&message);
    read_mac(&message, envelope);
    let read = error.map_or_else(|| read_request(&message, forms, request, &kept), Err);
    envelope.kept = super::Kept::Atm(kept);
    match read {
        Ok(()) => Parsed::Request,
        Err(fault) => Parsed::FormatError(fault),
    }
}

/// Who is to be answered, about what: STAN, and the terminal unless it is about the link.
fn read_address(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let stan = message.number(11).and_then(|stan| u32::try_from(stan).ok());
    request.stan = need(message, 11, stan)?;
    request.class = message.mti().class();
    if request.class != 8 {
        request.terminal = need(message, 41, message.fixed(41))?;
    }
    request.merchant = message.fixed(42);
    Ok(())
}

fn keep(message: &Message<'_>) -> Kept {
    Kept {
        mti: message.mti(),
        has_pan: message.has(2),
        processing_code: message.number(3),
        amount: message.number(4),
        transmitted: message.number(7),
        acquirer_fee: message.fixed(28),
        rrn: message.fixed(37),
        currency: message.fixed(49),
        management: message.number(70),
        original: message.digits(90).map(ascii).unwrap_or_default(),
        replacement: message.fixed(95),
    }
}

/// The MAC stands last: in field 64, or in field 128 of a message that has any field behind 64. A MAC in field 64 of
/// such a message would leave those fields open to anyone.
fn read_mac(message: &Message<'_>, envelope: &mut Envelope) {
    let field = if message.fields().any(|field| field > 64) { 128 } else { 64 };
    if let (Some(mac), Some(start)) = (message.fixed(field), message.start(field)) {
        envelope.mac = Some((mac, 0..start));
    }
}

/// The request itself, or the first field that its kind needs and does not find.
fn read_request(
    message: &Message<'_>,
    forms: &Forms,
    request: &mut Request,
    kept: &Kept,
) -> Result<(), FormatFault> {
    let transmitted = kept.transmitted.and_then(|time| u32::try_from(time).ok());
    request.batch = need(message, 7, transmitted)?;
    let acquirer = message.digits(32).map(ascii::<11>);
    let acquirer = acquirer.and_then(|digits| ArrayString::from(std::str::from_utf8(&digits).ok()?).ok());
    let acquirer = need(message, 32, acquirer)?;
    request.reflected = !forms.institution.is_empty() && acquirer == forms.institution;
    request.acquirer = Some(acquirer);
    request.kind = kind(message, kept)?;
    match request.kind {
        Kind::KeyChange => read_zone_keys(message, request),
        Kind::Reversal => {
            request.reverses = coded_kind(message, kept)?;
            if request.reverses != Some(Kind::PinChange) {
                read_amount(message, request)?;
            }
            read_original(message, request, kept)?;
            read_card(message, request);
            Ok(())
        }
        Kind::Withdrawal | Kind::Load => {
            read_amount(message, request)?;
            read_acquirer_fee(message, request, kept)?;
            read_card_and_pin(message, request)
        }
        Kind::Balance => {
            request.currency = need(message, 49, currency(message))?;
            read_card_and_pin(message, request)
        }
        Kind::PinChange => {
            read_card_and_pin(message, request)?;
            request.new_pin_block = Some(PinBlock(need(message, 125, hex_block(message.text(125)))?));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn kind(message: &Message<'_>, kept: &Kept) -> Result<Kind, FormatFault> {
    if message.mti().raw() & 0x000F > 1 {
        // 1 is a repeat; what issuers and others send is not for a switch.
        return Ok(Kind::Unsupported);
    }
    Ok(match message.mti().raw() & 0xFFF0 {
        0x0800 => match need(message, 70, kept.management)? {
            1 => Kind::SignOn,
            2 => Kind::SignOff,
            161 => Kind::KeyChange,
            201 => Kind::CutOverNotice,
            301 => Kind::Echo,
            _ => Kind::Unsupported,
        },
        0x0420 => {
            coded_kind(message, kept)?;
            Kind::Reversal
        }
        0x0200 => coded_kind(message, kept)?.unwrap_or(Kind::Unsupported),
        _ => Kind::Unsupported,
    })
}

/// What the first two digits of the processing code name; the other four choose accounts, of which a card has one.
fn coded_kind(message: &Message<'_>, kept: &Kept) -> Result<Option<Kind>, FormatFault> {
    Ok(match need(message, 3, kept.processing_code)? / 10_000 {
        1 => Some(Kind::Withdrawal),
        21 | 60 => Some(Kind::Load),
        31 => Some(Kind::Balance),
        90 => Some(Kind::PinChange),
        _ => None,
    })
}

fn read_amount(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    // Twelve digits always fit.
    let amount = message.number(4).and_then(|amount| i64::try_from(amount).ok());
    request.amount = need(message, 4, amount)?;
    request.currency = need(message, 49, currency(message))?;
    Ok(())
}

/// Field 28: `D` and eight digits that are charged on top.
fn read_acquirer_fee(message: &Message<'_>, request: &mut Request, kept: &Kept) -> Result<(), FormatFault> {
    let Some(fee) = kept.acquirer_fee else { return Ok(()) };
    let amount = long_number_at(&fee, 1..9).and_then(|amount| i64::try_from(amount).ok());
    let amount = need(message, 28, amount)?;
    if fee[0] != b'D' && amount != 0 {
        return Err(meaningless(message, 28));
    }
    request.acquirer_fee = amount;
    Ok(())
}

/// Field 90 names the original by message type, STAN and field 7; field 95 says what of its amount stays.
fn read_original(message: &Message<'_>, request: &mut Request, kept: &Kept) -> Result<(), FormatFault> {
    let name = OriginalName {
        batch: Some(need(message, 90, number_at(&kept.original, 10..20))?),
        stan: Some(need(message, 90, number_at(&kept.original, 4..10))?),
        ..OriginalName::default()
    };
    request.original = name;
    if let Some(replacement) = &kept.replacement {
        let stays = long_number_at(replacement, 0..12).and_then(|stays| i64::try_from(stays).ok());
        request.replacement = need(message, 95, stays)?;
    }
    Ok(())
}

fn read_card_and_pin(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    request.entry = match message.number(22).map(|mode| mode / 10) {
        None | Some(2 | 90) => EntryMode::Stripe,
        Some(5) => EntryMode::Chip,
        Some(7) => EntryMode::Contactless,
        Some(1) => EntryMode::Manual,
        Some(_) => return Err(meaningless(message, 22)),
    };
    if request.entry != EntryMode::Manual && !message.has(35) && !message.has(36) {
        return Err(FormatFault::Missing(35));
    }
    request.pin_block = message.fixed(52).map(PinBlock);
    let format = message.digits(53).and_then(|digits| digits.iter().next());
    request.pin_format_refused = request.pin_block.is_some() && format.is_some_and(|digit| digit != 2);
    read_card(message, request);
    match request.card {
        CardInput::None => Err(FormatFault::Missing(2)),
        _ => Ok(()),
    }
}

fn read_card(message: &Message<'_>, request: &mut Request) {
    let number = message.digits(2).map(ascii::<19>);
    let track_2 = message.digits(35).map(ascii::<37>);
    let track_3 = message.digits(36).map(ascii::<104>);
    request.expiry_given = message.number(14).and_then(|expiry| u16::try_from(expiry).ok());
    request.card = card::read(&Given {
        number: number.as_deref(),
        expiry: request.expiry_given,
        track_2: track_2.as_deref(),
        track_3: track_3.as_deref(),
    });
}

/// Field 48 of a key change: for each key its place (two digits: 01 PIN, 02 MAC to the switch, 03 MAC from the
/// switch), the length of its block (three digits) and the block.
fn read_zone_keys(message: &Message<'_>, request: &mut Request) -> Result<(), FormatFault> {
    let mut rest = need(message, 48, message.text(48))?;
    let mut blocks = ZoneKeyBlocks::default();
    while !rest.is_empty() {
        let wrong = || meaningless(message, 48);
        let place = number_at(rest, 0..2).ok_or_else(wrong)?;
        let length = number_at(rest, 2..5).ok_or_else(wrong)? as usize;
        let block = rest.get(5..5 + length).and_then(|block| std::str::from_utf8(block).ok());
        let block = block.ok_or_else(wrong)?;
        let key = match place {
            1 => &mut blocks.pin,
            2 => &mut blocks.mac_to_switch,
            3 => &mut blocks.mac_from_switch,
            _ => return Err(wrong()),
        };
        if key.replace(block.into()).is_some() {
            return Err(wrong());
        }
        rest = &rest[5 + length..];
    }
    request.zone_keys = Some(Box::new(blocks));
    Ok(())
}

/// Sixteen upper-case hexadecimal characters.
fn hex_block(text: Option<&[u8]>) -> Option<[u8; 8]> {
    let text: &[u8; 16] = text?.try_into().ok()?;
    let mut block = [0; 8];
    for (byte, pair) in block.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |character: u8| match character {
            b'0'..=b'9' => Some(character - b'0'),
            b'A'..=b'F' => Some(character - b'A' + 10),
            _ => None,
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{event::TerminalDialect, request::Line};

    fn parsed(build: impl FnOnce(&mut iso8583::Builder<'_, '_>), mti: u16) -> (Parsed, Request, Envelope) {
        let mut wire = bytes::BytesMut::new();
        let mut message = iso8583::Builder::new(Spec::atm(), &mut wire, Mti::new(mti));
        build(&mut message);
        message.finish().expect("a message");
        let (mut request, mut envelope) = (Request::default(), Envelope::default());
        request.line = Line { dialect: TerminalDialect::Atm, ..Line::default() };
        let forms = Forms { institution: ArrayString::from("31000000").expect("short"), ..Forms::default() };
        let parsed = parse(&wire, &forms, &mut request, &mut envelope);
        (parsed, request, envelope)
    }

    #[test]
    fn a_mac_in_field_64_does_not_stand_for_fields_behind_it() {
        let (.., envelope) = parsed(
            |message| {
                message.number(11, 7).expect("STAN").number(70, 1).expect("sign-on");
            },
            0x0800,
        );
        assert!(envelope.mac.is_none());
        let (.., envelope) = parsed(
            |message| {
                message.number(11, 7).expect("STAN");
                message.bytes(64, &[1; 8]).expect("a MAC").number(70, 1).expect("sign-on");
            },
            0x0800,
        );
        assert!(envelope.mac.is_none(), "field 70 would be open to anyone");
        let (.., envelope) = parsed(
            |message| {
                message.number(11, 7).expect("STAN").number(70, 1).expect("sign-on");
                message.mac_placeholder(128).expect("a MAC");
            },
            0x0800,
        );
        assert!(envelope.mac.is_some());
    }

    #[test]
    fn a_key_change_carries_each_key_once() {
        let rows: [(&[u8], bool); 5] = [
            (b"01004ABCD02003XYZ", true),
            (b"01004ABCD01004ABCD", false),
            (b"04004ABCD", false),
            (b"01005ABCD", false),
            (b"01", false),
        ];
        for (field, good) in rows {
            let (parsed, request, _) = parsed(
                |message| {
                    message.number(7, 1_122_003_500).expect("time").number(11, 7).expect("STAN");
                    message.digits(32, b"31060110").expect("acquirer").text(48, field).expect("keys");
                    message.number(70, 161).expect("key change");
                },
                0x0800,
            );
            assert_eq!(parsed == Parsed::Request, good, "{parsed:?}");
            assert_eq!(request.zone_keys.is_some(), good);
        }
    }

    #[test]
    fn our_own_number_as_acquirer_is_noticed() {
        for (acquirer, want) in [(b"31000000", true), (b"31060110", false)] {
            let (_, request, _) = parsed(
                |message| {
                    message.number(7, 1_122_003_500).expect("time").number(11, 7).expect("STAN");
                    message.digits(32, acquirer).expect("acquirer").number(70, 301).expect("echo");
                },
                0x0800,
            );
            assert_eq!(request.reflected, want);
        }
    }
}
