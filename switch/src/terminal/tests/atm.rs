//! A host of cash machines against a switch of a few lines that shares its zone keys.

use std::io::{Read, Write};
use std::net::TcpStream;

use arrayvec::ArrayString;
use hsm_sim::emulator::Zone;
use hsm_sim::{MacAlgorithm, Pan};
use iso8583::{Builder, Message};

use super::{BytesMut, Duration, JoinHandle, Mti, Request, TcpListener, card, printed};
use crate::books::event::TerminalDialect;
use crate::books::request::{CardInput, EntryMode, Kind, Line, OriginalName};
use crate::dialect::{Envelope, Forms, Parsed, parse};
use crate::terminal::{
    AMOUNT_MAX, AtmForm, AtmHost, AtmOrder, AtmOriginal, AtmService, CardInHand, Frame, NewZoneKeys,
    TerminalError, UNDER_WAY_MAX,
};

const MACHINES: [&[u8; 8]; 2] = [b"51000001", b"51000002"];
const ACQUIRER: &str = "31060110";
const ZMK: [u8; 32] = [7; 32];
/// PIN key, MAC key to the switch, MAC key from the switch.
const KEYS: [u128; 3] = [
    0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210,
    0x1122_3344_5566_7788_8877_6655_4433_2211,
    0xCA5D_9259_8DCA_48CE_8A4C_7636_1A92_69E9,
];
const NEW_KEYS: [u128; 3] = [
    0x6701_EAD6_A9AD_51E5_1AA4_06E2_C27F_CFA9,
    0x4657_CE1C_0E92_EAD5_B68F_8368_9B2F_89A2,
    0xECCE_7A10_A8C1_A732_58DF_EC0D_9DD9_8C13,
];

fn zone([pin, to, from]: [u128; 3]) -> Zone {
    let [pin, to, from] = [pin, to, from].map(u128::to_be_bytes);
    Zone::new(&ZMK, pin, to, from, MacAlgorithm::X919).unwrap()
}

/// The switch's end of the same zone: what the host sends it verifies, and the other way round.
fn mirrored([pin, to, from]: [u128; 3]) -> Zone {
    zone([pin, from, to])
}

fn atm_host() -> AtmHost {
    let mut drawn = 0_u8;
    let entropy = move |bytes: &mut [u8]| {
        for byte in bytes {
            drawn = drawn.wrapping_mul(5).wrapping_add(77);
            *byte = drawn;
        }
    };
    let acquirer = ArrayString::from(ACQUIRER).unwrap();
    AtmHost::new(acquirer, zone(KEYS), MacAlgorithm::X919, Box::new(entropy))
        .waiting(Duration::from_millis(150))
}

/// What a switch reads of a frame, whose MAC must be right under these keys.
fn read(frame: &Frame, form: AtmForm, keys: [u128; 3]) -> Request {
    let line = Line { dialect: TerminalDialect::Atm, ..Line::default() };
    let forms = Forms { atm_binary_bitmap: form.binary_bitmap, ..Forms::default() };
    let (mut request, mut envelope) = (Request { line, ..Request::default() }, Envelope::default());
    let inner = frame.behind_length();
    assert_eq!(parse(inner, &forms, &mut request, &mut envelope), Parsed::Request, "{frame:?}");
    let (mac, covers) = envelope.mac.unwrap();
    assert!(mirrored(keys).verify(&inner[covers], &mac), "{frame:?}");
    request
}

fn answer(request: &Message<'_>, keys: [u128; 3], form: AtmForm) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let mut message = Builder::new(request.spec(), &mut wire, request.mti().answer());
    message.copy(7, request).unwrap().copy(11, request).unwrap().copy(32, request).unwrap();
    message.copy(37, request).unwrap().text(39, b"00").unwrap().copy(41, request).unwrap();
    message.text(54, b"0001156C0000000000990002156C000000098765").unwrap();
    message.copy(70, request).unwrap();
    let mac_in = if request.has(70) { 128 } else { 64 };
    let mac_at = message.mac_placeholder(mac_in).unwrap();
    message.finish().unwrap();
    let mac = mirrored(keys).mac(&wire[..mac_at]).unwrap();
    let hex: String = mac.iter().map(|byte| format!("{byte:02X}")).collect();
    wire[mac_at..].copy_from_slice(hex.as_bytes());
    Frame::atm(&wire, form).as_bytes().to_vec()
}

/// Reads frames until the host hangs up, and gives each round of `round` of them to `script`.
fn serve(
    mut stream: TcpStream,
    form: AtmForm,
    round: usize,
    mut script: impl FnMut(&[Frame]) -> Vec<Vec<u8>>,
) {
    let (mut inbox, mut frames, mut room) = (Vec::new(), Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut room) {
        inbox.extend_from_slice(&room[..count]);
        while let Some(frame) = Frame::read_atm(&inbox, form) {
            inbox.drain(..frame.as_bytes().len());
            frames.push(frame);
            if frames.len() == round {
                script(&frames).iter().for_each(|answer| stream.write_all(answer).unwrap());
                frames.clear();
            }
        }
    }
}

/// A host that is connected to a switch which answers every `round` requests with what `script` makes of them.
fn connected(
    round: usize,
    script: impl FnMut(&[Frame]) -> Vec<Vec<u8>> + Send + 'static,
) -> (AtmHost, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let switch = std::thread::spawn(move || {
        serve(listener.accept().unwrap().0, AtmForm::default(), round, script);
    });
    let mut host = atm_host();
    host.connect(address).unwrap();
    (host, switch)
}

fn answering(frames: &[Frame]) -> Vec<Vec<u8>> {
    let answered = |frame: &Frame| answer(&frame.message().unwrap(), KEYS, AtmForm::default());
    frames.iter().map(answered).collect()
}

#[test]
fn the_switch_reads_what_the_host_sends() {
    let (mut host, _switch) = connected(1, answering);
    let (card, pin) = (card(), Some(&b"4362"[..]));
    let typed = CardInHand::typed(Pan::parse(b"9156009224100010").unwrap(), Some(3402));
    let cases = [
        ("cash", host.withdrawal(MACHINES[0], &card, pin, 10_000, None), Kind::Withdrawal, 10_000, 0),
        (
            "with a fee",
            host.withdrawal(MACHINES[1], &card, pin, 10_000, Some(50)),
            Kind::Withdrawal,
            10_000,
            50,
        ),
        ("a balance", host.balance(MACHINES[0], &typed, pin), Kind::Balance, 0, 0),
        ("a load", host.load(MACHINES[0], &card, None, 500), Kind::Load, 500, 0),
        ("a new PIN", host.pin_change(MACHINES[0], &card, b"4362", b"1234"), Kind::PinChange, 0, 0),
    ];
    for (stan, (name, exchange, kind, amount, fee)) in (1..).zip(cases) {
        let exchange = exchange.unwrap();
        let request = read(&exchange.request, AtmForm::default(), KEYS);
        assert_eq!((request.kind, request.amount, request.acquirer_fee), (kind, amount, fee), "{name}");
        assert_eq!((request.stan, Some(request.batch)), (stan, exchange.transmitted()), "{name}");
        assert_eq!((request.acquirer.as_deref(), request.merchant), (Some(ACQUIRER), None), "{name}");
        let block = |pin| zone(KEYS).pin_block(pin, card.pan()).unwrap();
        let given = request.pin_block.map(|block| block.0);
        assert_eq!(given, (kind != Kind::Load).then(|| block(b"4362")), "{name}");
        let new = request.new_pin_block.map(|block| block.0);
        assert_eq!(new, (kind == Kind::PinChange).then(|| block(b"1234")), "{name}");
        let entry = if kind == Kind::Balance { EntryMode::Manual } else { EntryMode::Stripe };
        assert!(request.entry == entry && matches!(request.card, CardInput::Read { .. }), "{name}");
        assert_eq!((exchange.approved(), exchange.mac_ok), (true, Some(true)), "{name}");
        assert_eq!((exchange.balance, exchange.stan), (Some(98_765), stan), "{name}");
    }
}

#[test]
fn the_mac_stands_behind_everything() {
    let (mut host, _switch) = connected(1, answering);
    let card = card();
    for (exchange, mac_in) in [
        (host.echo(), 128),
        (host.withdrawal(MACHINES[0], &card, Some(b"4362"), 10_000, Some(50)), 64),
        (host.pin_change(MACHINES[0], &card, b"4362", b"1234"), 128),
    ] {
        let exchange = exchange.unwrap();
        let message = exchange.request.message().unwrap();
        assert_eq!(message.fields().last(), Some(mac_in));
        assert!(!(message.has(64) && message.has(128)));
    }
}

#[test]
fn the_link_is_managed_by_field_70() {
    let (mut host, _switch) = connected(1, answering);
    for (exchange, kind) in [
        (host.sign_on(), Kind::SignOn),
        (host.echo(), Kind::Echo),
        (host.cut_over_notice(), Kind::CutOverNotice),
        (host.sign_off(), Kind::SignOff),
    ] {
        let exchange = exchange.unwrap();
        assert_eq!(read(&exchange.request, AtmForm::default(), KEYS).kind, kind);
        assert_eq!((exchange.approved(), exchange.mac_ok), (true, Some(true)));
    }
}

#[test]
fn new_keys_travel_as_key_blocks_and_are_used_from_the_next_message_on() {
    let mut keys = KEYS;
    let (mut host, _switch) = connected(1, move |frames| {
        let message = frames[0].message().unwrap();
        let answer = answer(&message, keys, AtmForm::default());
        if message.number(70) == Some(161) {
            keys = NEW_KEYS;
        }
        vec![answer]
    });
    let [pin, mac_to_switch, mac_from_switch] = NEW_KEYS.map(u128::to_be_bytes);
    let changed = host.change_keys(&NewZoneKeys { pin, mac_to_switch, mac_from_switch }).unwrap();
    assert_eq!((changed.approved(), changed.mac_ok), (true, Some(true)));
    let blocks = read(&changed.request, AtmForm::default(), KEYS).zone_keys.unwrap();
    let heads = [("P0", blocks.pin), ("M3", blocks.mac_to_switch), ("M3", blocks.mac_from_switch)];
    for (usage, block) in heads {
        // TR-31 version D, its length, its usage.
        let block = block.unwrap();
        assert_eq!(
            (&block[..1], &block[1..5], &block[5..7]),
            ("D", format!("{:04}", block.len()).as_str(), usage)
        );
    }
    let next = host.echo().unwrap();
    assert_eq!(next.mac_ok, Some(true));
    assert_eq!(read(&next.request, AtmForm::default(), NEW_KEYS).kind, Kind::Echo);
    assert!(format!("{:?}", changed).contains("48: …"), "{changed:?}");
}

#[test]
fn drawn_keys_have_odd_parity_and_are_taken_over() {
    let (mut host, _switch) = connected(1, answering);
    assert!(host.key_change().unwrap().approved());
    let next = host.echo().unwrap();
    assert_eq!(next.mac_ok, Some(false), "the switch here did not change its keys");
    assert!(host.draw_key().iter().all(|byte| byte.count_ones() % 2 == 1));
}

#[test]
fn a_reversal_names_its_original_and_what_stays() {
    let (mut host, _switch) = connected(1, answering);
    let card = card();
    let paid = host.withdrawal(MACHINES[0], &card, Some(b"4362"), 10_000, None).unwrap();
    let changed = host.pin_change(MACHINES[0], &card, b"4362", b"1234").unwrap();
    for (original, amount, stays) in
        [(&paid, 10_000, None), (&paid, 10_000, Some(4_000)), (&changed, 0, None)]
    {
        let reversed = host.reverse(original, stays).unwrap();
        let request = read(&reversed.request, AtmForm::default(), KEYS);
        assert_eq!(
            (request.kind, request.amount, request.replacement),
            (Kind::Reversal, amount, stays.unwrap_or(0))
        );
        assert_eq!(
            Some(request.original),
            original.transmitted().map(|transmitted| OriginalName {
                batch: Some(transmitted),
                stan: Some(original.stan),
                ..OriginalName::default()
            })
        );
        let message = reversed.request.message().unwrap();
        let elements =
            format!("0200{:06}{:010}000{ACQUIRER}{:011}", original.stan, original.transmitted().unwrap(), 0);
        assert!(message.digits(90).unwrap().iter().map(|digit| digit + b'0').eq(elements.bytes()));
        assert_eq!(message.raw(37), original.request.message().unwrap().raw(37));
        let replacement = stays.map(|stays| format!("{stays:012}{:030}", 0).into_bytes());
        assert_eq!(message.text(95).map(<[u8]>::to_vec), replacement);
        assert!(!message.has(35) && !message.has(52) && reversed.stan != original.stan);
        assert!(matches!(host.reverse(&reversed, None), Err(TerminalError::NotReversible)));
    }
    let asked = host.balance(MACHINES[0], &card, Some(b"4362")).unwrap();
    assert!(matches!(host.reverse(&asked, None), Err(TerminalError::NotReversible)));
    let original = AtmOriginal { service: AtmService::Balance, ..AtmOriginal::of(&paid).unwrap() };
    assert!(matches!(host.reverse_earlier(&original, None), Err(TerminalError::NotReversible)));
}

#[test]
fn a_repeat_says_so_in_its_type_and_a_replay_does_not() {
    let (mut host, _switch) = connected(1, answering);
    let paid = host.withdrawal(MACHINES[0], &card(), Some(b"4362"), 10_000, None).unwrap();
    let reversed = host.reverse(&paid, None).unwrap();
    for (first, mti) in [(paid, 0x0201), (reversed, 0x0421)] {
        let repeated = host.repeat(&first).unwrap();
        let (one, other) = (first.request.message().unwrap(), repeated.request.message().unwrap());
        assert_eq!(other.mti(), Mti::new(mti));
        let differ = other.fields().filter(|field| one.raw(*field) != other.raw(*field));
        assert!(differ.eq(other.fields().last()), "only the MAC");
        assert_eq!(read(&repeated.request, AtmForm::default(), KEYS).stan, first.stan);
        assert!(repeated.answered_as(&first));
        assert_eq!(host.replay(&first).unwrap().request, first.request);
        assert_eq!(host.repeat(&repeated).unwrap().request, repeated.request);
    }
}

#[test]
fn answers_are_matched_in_any_order() {
    const ROUND: usize = 3;
    let (mut host, _switch) = connected(ROUND, |frames| {
        let mut answers = answering(frames);
        answers.reverse();
        answers
    });
    let card = card();
    let mut prepare = |terminal, amount| {
        let order = AtmOrder::new(AtmService::Withdrawal, terminal, &card);
        host.prepare(&AtmOrder { amount: Some(amount), pin: Some(b"4362"), ..order }).unwrap()
    };
    let frames: Vec<Frame> =
        (0..ROUND).map(|place| prepare(MACHINES[place % 2], 100 + place as i64)).collect();
    let exchanges = host.send_all(&frames).unwrap();
    let stans: Vec<u32> = exchanges.iter().map(|exchange| exchange.stan).collect();
    assert_eq!(stans, [1, 2, 3]);
    for (frame, exchange) in frames.iter().zip(&exchanges) {
        let answer = exchange.answer.as_ref().unwrap().message().unwrap();
        assert_eq!((&exchange.request, exchange.mac_ok), (frame, Some(true)));
        assert!(
            [7, 11, 32, 41].iter().all(|field| answer.raw(*field) == frame.message().unwrap().raw(*field))
        );
    }
}

#[test]
fn a_stranger_s_answer_is_none_and_silence_is_an_exchange() {
    let (mut host, _switch) = connected(2, |frames| {
        // The second terminal's answer, and then one to nobody.
        let stray = frames[1].changed(7).unwrap();
        let stray = answer(&stray.message().unwrap(), KEYS, AtmForm::default());
        [vec![stray], answering(&frames[1..])].concat()
    });
    let card = card();
    let order =
        |terminal| AtmOrder { pin: Some(b"4362"), ..AtmOrder::new(AtmService::Balance, terminal, &card) };
    let frames = MACHINES.map(|terminal| host.prepare(&order(terminal)).unwrap());
    let exchanges = host.send_all(&frames).unwrap();
    assert_eq!((exchanges[0].code, exchanges[0].mac_ok, exchanges[0].stan), (None, None, 1));
    assert_eq!((exchanges[1].code, exchanges[1].mac_ok, exchanges[1].stan), (Some(*b"00"), Some(true), 2));
}

#[test]
fn no_more_is_under_way_than_any_switch_takes() {
    let (mut host, _switch) = connected(1, answering);
    let card = card();
    let order = AtmOrder { pin: Some(b"4362"), ..AtmOrder::new(AtmService::Balance, MACHINES[0], &card) };
    let frames: Vec<Frame> = (0..=UNDER_WAY_MAX).map(|_| host.prepare(&order).unwrap()).collect();
    let exchanges = host.send_all(&frames).unwrap();
    assert!(exchanges.len() == frames.len() && exchanges.iter().all(|exchange| exchange.approved()));
}

#[test]
fn a_host_may_be_called_and_may_write_in_binary() {
    let form = AtmForm { binary_length: true, binary_bitmap: true };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let switch = std::thread::spawn(move || {
        let answered = |frame: &Frame| {
            answer(&frame.message().unwrap(), KEYS, AtmForm { binary_length: true, binary_bitmap: true })
        };
        serve(TcpStream::connect(address).unwrap(), form, 1, |frames| frames.iter().map(answered).collect());
    });
    let mut host = atm_host().writing(form);
    host.accept(&listener).unwrap();
    let paid = host.withdrawal(MACHINES[0], &card(), Some(b"4362"), 100, None).unwrap();
    assert_eq!((paid.approved(), paid.mac_ok), (true, Some(true)));
    assert_eq!(read(&paid.request, form, KEYS).kind, Kind::Withdrawal);
    drop(host);
    switch.join().unwrap();
}

#[test]
fn amounts_and_fees_stay_in_their_fields() {
    let (mut host, card) = (atm_host(), card());
    let mut prepare = |amount, fee| {
        let order = AtmOrder::new(AtmService::Withdrawal, MACHINES[0], &card);
        host.prepare(&AtmOrder { amount: Some(amount), fee: Some(fee), ..order })
    };
    assert_eq!(prepare(AMOUNT_MAX, 99_999_999).unwrap().message().unwrap().text(28), Some(&b"D99999999"[..]));
    assert!(matches!(prepare(AMOUNT_MAX + 1, 0), Err(TerminalError::Amount)));
    assert!(matches!(prepare(1, 100_000_000), Err(TerminalError::Fee)));
    assert!(matches!(prepare(1, -1), Err(TerminalError::Fee)));
}

#[test]
fn printing_shows_no_card_number_and_no_pin() {
    let (mut host, _switch) = connected(1, answering);
    let card = card();
    let done = host.pin_change(MACHINES[0], &card, b"4362", b"9753").unwrap();
    let order = AtmOrder { pin: Some(b"4362"), ..AtmOrder::new(AtmService::Balance, MACHINES[0], &card) };
    let shown = format!("{host:?} {} {order:?} {}", printed(&done), done.request.describe().unwrap());
    assert!(shown.contains("DE 125 new PIN block: …"), "{shown}");
    let secret =
        zone(KEYS).pin_block(b"9753", card.pan()).unwrap().map(|byte| format!("{byte:02X}")).concat();
    assert!(
        !["9156009224100010", "4362", "9753", &secret].iter().any(|secret| shown.contains(*secret)),
        "{shown}"
    );
}
