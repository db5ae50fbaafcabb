//! What terminals send, read by the switch's own dialects, and their patience, tried on a switch of a few lines.
//!
//! Here are `pos` and what all share; `epos` and `atm` have files of their own.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use arrayvec::ArrayVec;
use bytes::BytesMut;
use hsm_sim::emulator::TerminalKeys;
use hsm_sim::{MacAlgorithm, Pan};
use iso8583::{Builder, Message, Mti, Spec};

use super::*;
use crate::books::request::{CardInput, EntryMode, Kind, OriginalName, Request, TrackValue};
use crate::dialect::{Envelope, Parsed, pos};

mod atm;
mod epos;

/// A published sign-in answer (vector `cup_signon-001` of `fixtures/vectors/hsm.json`): the terminal master key, and
/// the PIN key with its check value. Here it serves as the MAC key too, because the published one is single-length.
const TMK: u128 = 0xCA5D_9259_8DCA_48CE_8A4C_7636_1A92_69E9;
const KEY: u128 = 0x6701_EAD6_A9AD_51E5_1AA4_06E2_C27F_CFA9;
const CHECK: u32 = 0x8D0A_74B8;

const TERMINAL: &[u8; 8] = b"31000001";
const MERCHANT: &[u8; 15] = b"898310054110001";

fn keys() -> TerminalKeys {
    let mut keys = TerminalKeys::new(TMK.to_be_bytes());
    let (key, check) = (KEY.to_be_bytes(), CHECK.to_be_bytes());
    keys.accept(&key, &check, &key, &check).unwrap();
    keys
}

fn field_62() -> Vec<u8> {
    let half = [&KEY.to_be_bytes()[..], &CHECK.to_be_bytes()].concat();
    half.repeat(2)
}

fn card() -> CardInHand {
    let track: ArrayVec<u8, 37> = b"9156009224100010=340252041400000".iter().copied().collect();
    CardInHand::with_track(Pan::parse(b"9156009224100010").unwrap(), 3402, track)
}

fn terminal() -> PosTerminal {
    PosTerminal::new(*TERMINAL, *MERCHANT, MacAlgorithm::X919, TMK.to_be_bytes())
        .waiting(Duration::from_millis(150))
}

/// A host that answers each frame with what `script` makes of it: any number of frames.
fn host(
    mut script: impl FnMut(&Message<'_>) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let host = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut frame = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut frame).unwrap();
            let message = Message::decode(Spec::pos(), &frame[11..]).unwrap();
            for answer in script(&message) {
                // In two parts, so that the terminal has to put frames together.
                stream.write_all(&answer[..5]).unwrap();
                stream.write_all(&answer[5..]).unwrap();
            }
            seen.push(frame);
        }
        seen
    });
    (address, host)
}

/// An answer to `request` with this STAN, sealed with a right MAC if it is not a sign-in's.
fn answer(request: &Message<'_>, stan: u64, code: &[u8; 2]) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let mut message = Builder::new(Spec::pos(), &mut wire, request.mti().answer());
    message.copy(4, request).unwrap().number(11, stan).unwrap();
    message.text(37, b"632507000012").unwrap().text(38, b"000012").unwrap();
    message.text(39, code).unwrap().copy(41, request).unwrap();
    if request.mti() == Mti::new(0x0800) {
        message.bytes(62, &field_62()).unwrap();
        message.finish().unwrap();
        return framed(&wire);
    }
    message.text(54, b"0002156C000000098765").unwrap();
    let mac_at = message.mac_placeholder(64).unwrap();
    message.finish().unwrap();
    let mac = keys().mac(MacAlgorithm::X919, &wire[..mac_at]).unwrap();
    wire[mac_at..].copy_from_slice(&mac);
    framed(&wire)
}

fn framed(message: &[u8]) -> Vec<u8> {
    Frame::pos(message, None).as_bytes().to_vec()
}

fn stan_of(message: &Message<'_>) -> u64 {
    message.number(11).unwrap()
}

/// A terminal that signed in at a good host, and the frames it sent until it was dropped.
fn signed_in(
    mut script: impl FnMut(&Message<'_>) -> Vec<Vec<u8>> + Send + 'static,
) -> (PosTerminal, JoinHandle<Vec<Vec<u8>>>) {
    let (address, host) = host(move |message| match message.mti().class() {
        8 => vec![answer(message, stan_of(message), b"00")],
        _ => script(message),
    });
    let mut terminal = terminal();
    terminal.connect(address).unwrap();
    let exchange = terminal.sign_in().unwrap();
    assert!(exchange.approved() && exchange.mac_ok.is_none());
    (terminal, host)
}

/// Reads a frame as the switch does, and checks its MAC over the bytes the switch would.
fn parsed(frame: &Frame) -> Request {
    let (mut request, mut envelope) = (Request::default(), Envelope::default());
    let inner = frame.behind_length();
    assert_eq!(pos::parse(inner, &mut request, &mut envelope), Parsed::Request);
    let (mac, covers) = envelope.mac.unwrap();
    assert!(keys().verify(MacAlgorithm::X919, &inner[covers], &mac));
    request
}

#[test]
fn the_switch_reads_what_the_terminal_sends() {
    let (mut terminal, _host) = signed_in(|message| vec![answer(message, stan_of(message), b"00")]);
    let (card, pin) = (card(), Some(&b"4362"[..]));
    let typed = CardInHand::typed(card.pan().clone(), Some(3402));
    let cases = [
        (
            "a swipe",
            terminal.purchase(&card, 2580, pin, Entry::Stripe),
            Kind::Purchase,
            2580,
            EntryMode::Stripe,
        ),
        (
            "a tap",
            terminal.purchase(&card, 200, None, Entry::Contactless),
            Kind::Purchase,
            200,
            EntryMode::Contactless,
        ),
        ("a balance", terminal.balance(&card, pin, Entry::Stripe), Kind::Balance, 0, EntryMode::Stripe),
        ("a load", terminal.load(&typed, 5000, Entry::Manual), Kind::Load, 5000, EntryMode::Manual),
    ];
    for (place, (name, exchange, kind, amount, entry)) in (2..).zip(cases) {
        let exchange = exchange.unwrap();
        let request = parsed(&exchange.request);
        assert_eq!((request.kind, request.amount, request.entry), (kind, amount, entry), "{name}");
        assert_eq!((request.stan, request.batch, exchange.stan), (place, 1, place), "{name}");
        assert_eq!((request.terminal, request.merchant), (*TERMINAL, Some(*MERCHANT)), "{name}");
        assert_eq!(request.pin_block.is_some(), entry == EntryMode::Stripe, "{name}");
        let CardInput::Read { pan, expiry_yymm, value } = request.card else { panic!("{name}: no card") };
        assert_eq!((&pan, expiry_yymm), (card.pan(), Some(3402)), "{name}");
        assert_eq!(value == TrackValue::NotRead, entry == EntryMode::Manual, "{name}");
        assert_eq!((exchange.code, exchange.balance), (Some(*b"00"), Some(98_765)), "{name}");
        assert_eq!((exchange.mac_ok, exchange.rrn), (Some(true), Some(*b"632507000012")), "{name}");
    }
}

/// Each service with the codes of the table of transactions: what a switch takes it for, MTI, F3, F25, F60.1.
const SERVICES: [(Service, Kind, u16, u64, u64, u64); 11] = [
    (Service::Purchase, Kind::Purchase, 0x0200, 0, 0, 22),
    (Service::Balance, Kind::Balance, 0x0200, 310_000, 0, 1),
    (Service::Load, Kind::Load, 0x0200, 630_000, 91, 46),
    (Service::Void, Kind::Void, 0x0200, 200_000, 0, 23),
    (Service::Refund, Kind::Refund, 0x0220, 200_000, 0, 25),
    (Service::PreAuthorization, Kind::PreAuthorization, 0x0100, 30_000, 6, 10),
    (Service::PreAuthorizationVoid, Kind::PreAuthorizationVoid, 0x0100, 200_000, 6, 11),
    (Service::Completion, Kind::Completion, 0x0200, 0, 6, 20),
    (Service::CompletionAdvice, Kind::Completion, 0x0220, 0, 6, 24),
    (Service::CompletionVoid, Kind::CompletionVoid, 0x0200, 200_000, 6, 21),
    (Service::PinChange, Kind::PinChange, 0x0200, 900_000, 0, 60),
];

/// What the switch of a few lines calls everything that it answers.
fn named() -> Original {
    Original { rrn: Some(*b"632507000012"), approval: Some(*b"000012"), number: Some((1, 2)) }
}

/// One order of each service, as far as it needs amount, PIN and original.
fn order_of(service: Service, card: &CardInHand) -> Order<'_> {
    Order {
        amount: service.has_amount().then_some(2580),
        pin: Some(b"4362"),
        new_pin: (service == Service::PinChange).then_some(b"1234"),
        original: service.follows().map(|_| named()),
        ..Order::new(service, card, Entry::Stripe)
    }
}

#[test]
fn every_service_has_the_codes_of_the_table() {
    let (mut terminal, _host) = signed_in(|message| vec![answer(message, stan_of(message), b"00")]);
    let card = card();
    for (service, kind, mti, processing, condition, type_code) in SERVICES {
        let exchange = terminal.order(&order_of(service, &card)).unwrap();
        let (request, message) = (parsed(&exchange.request), exchange.request.message().unwrap());
        assert_eq!((request.kind, message.mti()), (kind, Mti::new(mti)), "{service:?}");
        let codes =
            [message.number(3), message.number(25), message.number(60).map(|code| code / 1_000_000_000)];
        assert_eq!(codes, [processing, condition, type_code].map(Some), "{service:?}");
        assert_eq!(request.new_pin_block.is_some(), service == Service::PinChange, "{service:?}");
        let name = match service.follows() {
            None => OriginalName::default(),
            Some(_) => {
                OriginalName { batch: Some(1), stan: Some(2), rrn: Some(632_507_000_012), approval: Some(12) }
            }
        };
        assert_eq!(request.original, name, "{service:?}");
    }
}

#[test]
fn an_original_may_be_named_in_part() {
    let (terminal, _host) = signed_in(|_| vec![]);
    let (mut terminal, card) = (terminal, card());
    for (original, fields) in [
        (Original { approval: None, number: None, ..named() }, &[37][..]),
        (Original { rrn: None, number: None, ..named() }, &[38]),
        (Original { rrn: None, ..named() }, &[38, 61]),
    ] {
        let order = Order { original: Some(original), ..order_of(Service::Refund, &card) };
        let frame = terminal.prepare_order(&order).unwrap();
        let message = frame.message().unwrap();
        let has: Vec<u8> = message.fields().filter(|field| [37, 38, 61].contains(field)).collect();
        assert_eq!(has, fields);
        assert!(
            message.digits(61).is_none_or(|digits| digits.iter().eq([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2]))
        );
        assert_eq!(parsed(&frame).kind, Kind::Refund);
    }
}

#[test]
fn a_reversal_names_its_original_and_carries_nothing_secret() {
    let (mut terminal, _host) = signed_in(|message| vec![answer(message, stan_of(message), b"00")]);
    let card = card();
    for (service, kind, ..) in SERVICES {
        let done = terminal.order(&order_of(service, &card)).unwrap();
        let amount = if service.has_amount() { 2580 } else { 0 };
        let reversals = [terminal.reverse(&done), terminal.reverse_earlier(service, done.stan, amount)];
        for (reversed, by_exchange) in reversals.into_iter().zip([true, false]) {
            if [Service::Balance, Service::Refund, Service::CompletionAdvice].contains(&service) {
                assert!(matches!(reversed, Err(TerminalError::NotReversible)), "{service:?}");
                continue;
            }
            let reversed = reversed.unwrap();
            let request = parsed(&reversed.request);
            assert_eq!((request.kind, request.stan, request.amount), (Kind::Reversal, done.stan, amount));
            assert_eq!(request.reverses, Some(kind), "{service:?}");
            let (original, message) = (done.request.message().unwrap(), reversed.request.message().unwrap());
            let mut fields = vec![3, 4, 11, 25, 39, 41, 42, 49, 60, 61, 64];
            fields.retain(|field| match field {
                4 | 49 => service.has_amount(),
                61 => service.follows().is_some() && by_exchange,
                _ => true,
            });
            assert_eq!(message.fields().collect::<Vec<_>>(), fields, "{service:?}");
            let same = |field: &u8| matches!(field, 39 | 64) || message.raw(*field) == original.raw(*field);
            assert!(fields.iter().all(same), "{service:?}");
        }
    }
    let reversed = terminal.purchase(&card, 1, None, Entry::Contactless).unwrap();
    let reversed = terminal.reverse(&reversed).unwrap();
    assert!(matches!(terminal.reverse(&reversed), Err(TerminalError::NotReversible)));
}

#[test]
fn a_repeat_is_the_same_bytes_and_a_changed_frame_is_one_bit_off() {
    let (mut terminal, host) = signed_in(|message| vec![answer(message, stan_of(message), b"00")]);
    let paid = terminal.purchase(&card(), 2580, Some(b"4362"), Entry::Stripe).unwrap();
    let repeated = terminal.repeat(&paid).unwrap();
    assert!(repeated.answer == paid.answer && repeated.answered_as(&paid));
    let changed = terminal.tampered(&paid, 4).unwrap();
    assert_eq!(changed.request.message().unwrap().number(4), Some(2581));
    assert!(matches!(terminal.tampered(&paid, 54), Err(TerminalError::NoField(54))));
    drop(terminal);
    let seen = host.join().unwrap();
    assert_eq!(seen[1], seen[2]);
    let bits = |(one, other): (&u8, &u8)| (one ^ other).count_ones();
    assert_eq!(seen[1].iter().zip(&seen[3]).map(bits).sum::<u32>(), 1);
}

#[test]
fn only_an_answer_with_its_right_mac_counts() {
    fn spoiled(mut answer: Vec<u8>) -> Vec<u8> {
        *answer.last_mut().unwrap() ^= 1;
        answer
    }
    fn bare(message: &Message<'_>, code: &[u8; 2]) -> Vec<u8> {
        let mut wire = BytesMut::new();
        let mut bare = Builder::new(Spec::pos(), &mut wire, message.mti().answer());
        bare.copy(11, message).unwrap().text(39, code).unwrap().copy(41, message).unwrap();
        bare.finish().unwrap();
        framed(&wire)
    }
    let mut round = 0;
    let (mut terminal, _host) = signed_in(move |message| {
        round += 1;
        vec![match round {
            1 => answer(message, stan_of(message), b"00"),
            2 => spoiled(answer(message, stan_of(message), b"00")),
            3 => bare(message, b"00"),
            4 => bare(message, b"96"),
            _ => bare(message, b"A0"),
        }]
    });
    for (name, code, mac_ok, approved) in [
        ("right", b"00", Some(true), true),
        ("wrong", b"00", Some(false), false),
        ("missing", b"00", Some(false), false),
        ("missing on a code that has one", b"96", Some(false), false),
        ("missing on a code that has none", b"A0", None, false),
    ] {
        let paid = terminal.purchase(&card(), 100, None, Entry::Contactless).unwrap();
        assert_eq!((paid.code, paid.mac_ok, paid.approved()), (Some(*code), mac_ok, approved), "{name}");
    }
}

#[test]
fn silence_is_an_exchange_and_a_late_answer_is_passed_over() {
    let mut late = None;
    let (mut terminal, _host) = signed_in(move |message| match late.take() {
        None => {
            late = Some(answer(message, stan_of(message), b"00"));
            vec![]
        }
        Some(late) => vec![late, answer(message, stan_of(message), b"51")],
    });
    let silent = terminal.purchase(&card(), 100, None, Entry::Contactless).unwrap();
    assert_eq!((silent.code, silent.answer.is_none(), silent.mac_ok), (None, true, None));
    assert_eq!(silent.amount, Some(100));
    let next = terminal.purchase(&card(), 100, None, Entry::Contactless).unwrap();
    assert_eq!((next.code_text().as_str(), next.stan), ("51", silent.stan + 1));
}

#[test]
fn a_terminal_without_line_or_keys_says_what_to_do() {
    let mut terminal = terminal();
    assert!(matches!(terminal.echo(), Err(TerminalError::NotConnected)));
    let (address, _host) = host(|_| vec![]);
    terminal.connect(address).unwrap();
    let refused = terminal.purchase(&card(), 100, None, Entry::Contactless).unwrap_err();
    assert!(refused.to_string().ends_with("sign in first, and check the PIN's length"), "{refused}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(terminal.connect(closed), Err(TerminalError::Connect { .. })));
}

#[test]
fn amounts_and_numbers_stay_in_their_fields() {
    let (terminal, _host) = signed_in(|_| vec![]);
    let mut terminal = terminal.counting_from(999_999);
    let mut prepare =
        |amount| terminal.prepare(Service::Purchase, &card(), Some(amount), None, Entry::Contactless);
    assert_eq!(prepare(AMOUNT_MAX).unwrap().message().unwrap().number(11), Some(999_999));
    assert_eq!(prepare(0).unwrap().message().unwrap().number(11), Some(1));
    assert!(matches!(prepare(AMOUNT_MAX + 1), Err(TerminalError::Amount)));
    assert!(matches!(prepare(-1), Err(TerminalError::Amount)));
}

/// What is printed of an exchange but the time it took, which stands last: it has the digits of a PIN now and then.
fn printed(done: &Exchange) -> String {
    let printed = format!("{done:?}");
    printed.split_once(", took: ").map(|(printed, _took)| printed.to_owned()).expect("a time")
}

#[test]
fn printing_shows_no_card_number_and_no_pin() {
    let (mut terminal, _host) = signed_in(|message| vec![answer(message, stan_of(message), b"00")]);
    let paid = terminal.purchase(&card(), 2580, Some(b"4362"), Entry::Stripe).unwrap();
    let card = card();
    let order = order_of(Service::PinChange, &card);
    let shown = [
        format!("{card:?} {terminal:?} {order:?}"),
        printed(&paid),
        paid.request.describe().unwrap().to_string(),
    ]
    .concat();
    assert!(shown.contains("915600******0010"), "{shown}");
    assert!(!["9156009224100010", "4362", "1234"].iter().any(|secret| shown.contains(secret)), "{shown}");
}
