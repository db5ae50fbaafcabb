//! A telephone terminal against a switch of a few lines that holds the same PSAM.

use hsm_sim::emulator::{Psam, PsamMasters};
use hsm_sim::{Entropy, PsamNumber};

use super::{
    BytesMut, Duration, JoinHandle, MERCHANT, Mti, Request, SERVICES, Service, SocketAddr, TERMINAL, card,
    framed, host, order_of, printed, stan_of,
};
use crate::books::event::TerminalDialect;
use crate::books::request::{CardInput, Kind, Line};
use crate::dialect::{Envelope, Forms, Parsed, parse};
use crate::terminal::{Entry, EposTerminal, Frame, TerminalError};
use iso8583::{Builder, Message, Spec};

const NONCE: [u8; 8] = *b"a nonce!";
const NUMBER: [u8; 8] = [0x31, 0, 0, 0, 0, 0, 0x01, 0x01];
const OTHER: [u8; 8] = [0x31, 0, 0, 0, 0, 0, 0x01, 0x02];
const CALLING: &str = "02100000001";

/// Masters that are weak in no half; any will do here.
fn psam() -> Psam {
    let master = |seed: u8| {
        let mut places = 0_u8..;
        [(); 16].map(|()| (seed ^ places.next().unwrap()).wrapping_mul(29).rotate_left(3))
    };
    let masters = PsamMasters { pin: master(1), mac: master(2), track: master(4), auth: master(8) };
    Psam::new(PsamNumber::parse_bcd(&NUMBER).unwrap(), &masters).unwrap()
}

/// Counts, so that no two random numbers are the same.
fn entropy() -> Box<dyn Entropy + Send> {
    let mut drawn = 0;
    Box::new(move |bytes: &mut [u8]| {
        drawn += 1;
        bytes.fill(drawn);
    })
}

fn terminal() -> EposTerminal {
    EposTerminal::new(*TERMINAL, *MERCHANT, psam(), 1, CALLING, entropy())
        .unwrap()
        .waiting(Duration::from_millis(150))
}

/// What a switch reads of a frame that came through this line.
fn read(frame: &Frame, concentrator: bool) -> (Request, Envelope) {
    let line = Line { dialect: TerminalDialect::Epos, private: true, concentrator };
    let (mut request, mut envelope) = (Request { line, ..Request::default() }, Envelope::default());
    let parsed = parse(frame.behind_length(), &Forms::default(), &mut request, &mut envelope);
    assert_eq!(parsed, Parsed::Request);
    (request, envelope)
}

/// The random number of a message, and whether its MAC is the one under the key made from it.
fn random_of(frame: &Frame) -> ([u8; 8], bool) {
    let (request, envelope) = read(frame, true);
    let (mac, covers) = envelope.mac.unwrap();
    let random = request.psam.unwrap().random.unwrap();
    (random, psam().verify(random, request.stan, &frame.behind_length()[covers], &mac))
}

fn answer(request: &Message<'_>) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let mut message = Builder::new(Spec::pos(), &mut wire, request.mti().answer());
    message.number(11, stan_of(request)).unwrap().text(39, b"00").unwrap().copy(41, request).unwrap();
    let tag = |tag| request.simple_tlvs(57).unwrap().flatten().find(|object| object.tag == tag);
    if request.mti() == Mti::new(0x0800) {
        if tag(8).is_none() {
            let nonce = [&[0, 1, 1, 7, 8][..], &NONCE].concat();
            message.bytes(57, &nonce).unwrap();
        }
        message.finish().unwrap();
        return framed(&wire);
    }
    let random = tag(2).map_or([0; 8], |object| object.value.try_into().unwrap());
    let mac_at = message.mac_placeholder(64).unwrap();
    message.finish().unwrap();
    let mac = psam().mac(random, u32::try_from(stan_of(request)).unwrap(), &wire[..mac_at]).unwrap();
    wire[mac_at..].copy_from_slice(&mac);
    framed(&wire)
}

fn switch() -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
    host(|message| vec![answer(message)])
}

fn signed_in() -> EposTerminal {
    let mut terminal = terminal();
    terminal.connect(switch().0).unwrap();
    assert!(terminal.sign_in().unwrap().approved());
    terminal
}

#[test]
fn a_sign_in_asks_for_a_nonce_and_answers_it() {
    let (address, _switch) = switch();
    let mut terminal = terminal();
    terminal.connect(address).unwrap();
    let too_early = terminal.purchase(&card(), 100, None, Entry::Stripe).unwrap_err();
    assert!(too_early.to_string().contains("sign in first"), "{too_early}");
    let asked = terminal.prepare_sign_in().unwrap();
    let (request, _) = read(&asked, false);
    let said = request.psam.unwrap();
    assert_eq!((request.kind, said.number.as_bcd(), said.authenticator), (Kind::SignIn, &NUMBER, None));
    assert_eq!((said.calling.as_deref(), said.random), (Some(CALLING), None));
    let answered = terminal.sign_in().unwrap();
    let (request, _) = read(&answered.request, false);
    let right = psam().authenticator(NONCE, TERMINAL, request.stan).unwrap();
    assert_eq!(request.psam.unwrap().authenticator, Some(right));
    assert!(answered.approved() && answered.mac_ok.is_none());
}

#[test]
fn every_service_has_keys_of_its_own_and_no_track_in_clear() {
    let (mut terminal, card) = (signed_in(), card());
    let mut drawn = Vec::new();
    for (service, kind, ..) in SERVICES {
        let done = terminal.order(&order_of(service, &card)).unwrap();
        assert_eq!((done.approved(), done.mac_ok), (true, Some(true)), "{service:?}");
        let (request, _) = read(&done.request, false);
        assert_eq!(request.kind, kind);
        let (random, mac_right) = random_of(&done.request);
        assert!(mac_right, "{service:?}");
        drawn.push(random);
        let said = request.psam.unwrap();
        assert_eq!((said.nonce, said.key_version), (Some(NONCE), Some(1)));
        assert_eq!(said.calling.as_deref(), Some(CALLING));
        let track = psam().track(random, request.stan, b"9156009224100010=340252041400000").unwrap();
        assert_eq!((said.track.as_slice(), matches!(request.card, CardInput::None)), (&track[..], true));
        let block = |pin| psam().pin_block(random, request.stan, pin, card.pan()).unwrap();
        assert_eq!(request.pin_block.map(|block| block.0), Some(block(b"4362")));
        let new = (service == Service::PinChange).then(|| block(b"1234"));
        assert_eq!(request.new_pin_block.map(|block| block.0), new);
    }
    drawn.dedup();
    assert_eq!(drawn.len(), SERVICES.len(), "a random number each");
}

#[test]
fn a_repeat_draws_anew_and_a_replay_does_not() {
    let (mut terminal, card) = (signed_in(), card());
    let paid = terminal.purchase(&card, 2580, Some(b"4362"), Entry::Stripe).unwrap();
    let reversed = terminal.reverse(&paid).unwrap();
    for first in [paid, reversed] {
        let repeated = terminal.repeat(&first).unwrap();
        let again = terminal.repeat(&repeated).unwrap();
        for other in [&repeated, &again] {
            assert!(other.answered_as(&first) && other.stan == first.stan);
            assert_ne!(random_of(&other.request).0, random_of(&first.request).0);
            assert!(random_of(&other.request).1);
            let kinds = [other, &first].map(|exchange| read(&exchange.request, false).0.kind);
            assert_eq!(kinds[0], kinds[1]);
        }
        assert_eq!(terminal.replay(&first).unwrap().request, first.request);
    }
}

#[test]
fn a_terminal_can_lie_about_what_it_is() {
    let card = card();
    let paid = |terminal: EposTerminal| {
        let (mut terminal, (address, _)) = (terminal, switch());
        terminal.connect(address).unwrap();
        terminal.sign_in().unwrap();
        terminal.prepare(Service::Purchase, &card, Some(100), None, Entry::Stripe).unwrap()
    };
    let honest = paid(terminal());
    assert!(random_of(&honest).1);
    let (claims, _) = read(&paid(terminal().claiming(PsamNumber::parse_bcd(&OTHER).unwrap())), false);
    assert_eq!(claims.psam.unwrap().number.as_bcd(), &OTHER);
    let (calls, _) = read(&paid(terminal().calling_from("1234").unwrap()), false);
    assert_eq!(calls.psam.unwrap().calling.as_deref(), Some("1234"));
    let bare = paid(terminal().without_57());
    let message = bare.message().unwrap();
    assert!(!message.has(57) && !message.has(35) && message.has(64));
    let changed = honest.changed_at(honest.as_bytes().len() - 1).unwrap();
    assert!(!random_of(&changed).1);
    assert_eq!(honest.changed_at(honest.as_bytes().len()), None);
    assert!(matches!(terminal().calling_from("12-34"), Err(TerminalError::Phone)));
}

#[test]
fn a_dial_record_stands_before_the_headers() {
    let mut terminal = terminal().dialling("02100000001", "95516").unwrap();
    let frame = terminal.prepare_sign_in().unwrap();
    let record = b"LRI\x00\x1C\x02\x10\x00\x00\x00\x1F\xFF\xFF\x95\x51\x6F\xFF\xFF\xFF\xFF\xFF";
    assert_eq!(
        frame.behind_length().strip_prefix(record).map(|rest| &rest[..13]),
        Some(&b"\0\0\0\0\0\0\0\0\0\0\0\0\x60"[..])
    );
    let (request, _) = read(&frame, true);
    assert_eq!((request.dialled_from.as_deref(), request.kind), (Some(CALLING), Kind::SignIn));
}

#[test]
fn what_is_printed_names_the_tags_and_hides_what_is_in_them() {
    let (mut terminal, card) = (signed_in(), card());
    let done = terminal.pin_change(&card, b"4362", b"1234", Entry::Stripe).unwrap();
    let shown = done.request.describe().unwrap();
    for line in [
        "\n  00 scheme version: 01\n",
        "\n  01 PSAM number: 3100000000000101\n",
        "\n  02 random number: …(8 bytes)\n",
        "\n  03 key version: 01\n",
        "\n  04 calling number: …01\n",
        "\n  06 encrypted track 2: …(24 bytes)\n",
        "\n  07 nonce: …(8 bytes)\n",
        "\n  13 new PIN block: …(8 bytes)\nDE 60 ",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    let shown = format!("{shown} {terminal:?} {}", printed(&done));
    assert!(
        !["9156009224100010", "4362", "1234", "6120"].iter().any(|secret| shown.contains(secret)),
        "{shown}"
    );
}
