//! Every message type and processing code that the dialects answer, as recorded frames: the same request gets the same
//! answer, byte for byte, MAC included. `fixtures/golden/README.md` says how to read and how to renew them.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use bytes::BytesMut;
use cardswitch::{
    books::{
        event::TerminalDialect,
        reason::Reason,
        request::{Answer, Line, Request},
    },
    channel::framing::{self, LengthForm, Next},
    clock::Clock,
    dialect::{self, Envelope, Forms, Parsed, TurnAway},
    terminal::{
        AtmHost, AtmOriginal, AtmService, Entry, Exchange, Sample, Security, Service, Terminal, TestCard,
    },
};
use iso8583::{Message, Spec};
use switch_tests::recording::{Player, Recorded, Recording, counting};

const DIALECTS: [(TerminalDialect, &str, LengthForm); 3] = [
    (TerminalDialect::Pos, "pos", LengthForm::Binary),
    (TerminalDialect::Epos, "epos", LengthForm::Binary),
    (TerminalDialect::Atm, "atm", LengthForm::Ascii),
];

fn file(dialect: &str) -> PathBuf {
    switch_tests::fixture(&format!("golden/{dialect}.txt"))
}

#[test]
fn recorded_requests_get_the_recorded_answers() {
    for (dialect, name, _) in DIALECTS {
        let recording = Recording::read(&file(name));
        let mut player = Player::new(dialect, recording.time_ms);
        for exchange in &recording.exchanges {
            let answer = player.answer(&exchange.request);
            assert_eq!(
                describe(name, &answer),
                describe(name, &exchange.answer),
                "{name}, {}: answered otherwise",
                exchange.title
            );
            assert!(answer == exchange.answer, "{name}, {}: hidden fields or the MAC differ", exchange.title);
        }
    }
}

#[test]
fn whoever_is_turned_away_hears_what_an_ordinary_refusal_says() {
    let moment = Clock::standing("Asia/Shanghai", 1_795_313_701_709).expect("a zone").now();
    let forms = Forms::default();
    // One for all, as the switch has it.
    let mut away = TurnAway::new(forms);
    for (dialect, name, _) in DIALECTS {
        let line = Line { dialect, ..Line::default() };
        for exchange in &Recording::read(&file(name)).exchanges {
            let (mut request, mut envelope) = (Request { line, ..Request::default() }, Envelope::default());
            let parsed = dialect::parse(&exchange.request, &forms, &mut request, &mut envelope);
            assert!(!matches!(parsed, Parsed::Dropped(..)), "{name}, {}", exchange.title);
            let (mut wants, mut gets) = (BytesMut::new(), BytesMut::new());
            let refusal = Answer::unrecorded(Reason::Overloaded, moment.unix_ms());
            dialect::encode(&request, &envelope, &refusal, &moment, &forms, false, &mut wants)
                .expect("an answer");
            assert!(away.answer(&exchange.request, line, &moment, &mut gets));
            assert_eq!(describe(name, &gets), describe(name, &wants), "{name}, {}", exchange.title);
            assert!(gets == wants, "{name}, {}: hidden fields or headers differ", exchange.title);
            // What cannot be addressed is not answered, and leaves nothing behind.
            for length in 0..exchange.request.len() {
                let mut gets = BytesMut::from(&b"before"[..]);
                let answered = away.answer(&exchange.request[..length], line, &moment, &mut gets);
                assert_eq!(answered, gets.len() > 6, "{name}, {}, {length} bytes", exchange.title);
            }
        }
    }
}

#[test]
fn a_changed_answer_would_be_noticed() {
    let recording = Recording::read(&file("pos"));
    let mut player = Player::new(TerminalDialect::Pos, recording.time_ms + 1_000);
    let same =
        recording.exchanges.iter().filter(|exchange| player.answer(&exchange.request) == exchange.answer);
    assert!(
        same.count() < recording.exchanges.len() / 4,
        "a second later nearly every answer has another time"
    );
}

/// What the dialects' pages list: message type, processing code (or management code), and field 25.
const POS: &[(&str, &str)] = &[
    ("0100", "030000 06"),
    ("0100", "200000 06"),
    ("0200", "000000 00"),
    ("0200", "000000 06"),
    ("0200", "200000 00"),
    ("0200", "200000 06"),
    ("0200", "310000 00"),
    ("0200", "630000 91"),
    ("0200", "900000 00"),
    ("0220", "000000 06"),
    ("0220", "200000 00"),
    ("0400", "000000 00"),
    ("0400", "000000 06"),
    ("0400", "030000 06"),
    ("0400", "200000 00"),
    ("0400", "200000 06"),
    ("0400", "630000 91"),
    ("0400", "900000 00"),
    ("0800", "003"),
    ("0820", "002"),
    ("0820", "301"),
];
const ATM: &[(&str, &str)] = &[
    ("0200", "01"),
    ("0200", "21"),
    ("0200", "31"),
    ("0200", "90"),
    ("0201", "01"),
    ("0420", "01"),
    ("0420", "90"),
    ("0421", "01"),
    ("0800", "1"),
    ("0800", "2"),
    ("0800", "161"),
    ("0800", "201"),
    ("0800", "301"),
];

#[test]
fn every_message_type_and_processing_code_is_recorded() {
    for (name, wanted) in [("pos", POS), ("epos", POS), ("atm", ATM)] {
        let recording = Recording::read(&file(name));
        let approved = recording.exchanges.iter().filter(|exchange| code(name, &exchange.answer) == "00");
        let found: BTreeSet<_> = approved.map(|exchange| codes(name, &exchange.request)).collect();
        for (mti, code) in wanted {
            // A load asks for a terminal that may load; the telephone terminals and cash machines of the city may not.
            let may_be_declined = *code == "21" || (name == "epos" && *code == "630000 91");
            let wanted = ((*mti).to_owned(), (*code).to_owned());
            let all: BTreeSet<_> =
                recording.exchanges.iter().map(|exchange| codes(name, &exchange.request)).collect();
            let there = if may_be_declined { all.contains(&wanted) } else { found.contains(&wanted) };
            assert!(there, "{name}: {mti} {code} is not among the recorded");
        }
    }
}

fn message<'a>(dialect: &str, frame: &'a [u8]) -> Message<'a> {
    let (spec, at) = if dialect == "atm" { (Spec::atm(), 0) } else { (Spec::pos(), 11) };
    Message::decode_partial(spec, frame.get(at..).unwrap_or_default()).0
}

fn describe(dialect: &str, frame: &[u8]) -> String {
    message(dialect, frame).describe().to_string()
}

fn code(dialect: &str, answer: &[u8]) -> String {
    String::from_utf8_lossy(message(dialect, answer).text(39).unwrap_or_default()).into_owned()
}

fn codes(dialect: &str, request: &[u8]) -> (String, String) {
    let message = message(dialect, request);
    let code = message.number(3);
    let text = match (dialect, code, message.number(70)) {
        ("atm", Some(code), _) => format!("{:02}", code / 10_000),
        ("atm", None, management) => management.map(|management| management.to_string()).unwrap_or_default(),
        (_, Some(code), _) => format!("{code:06} {:02}", message.number(25).unwrap_or_default()),
        (_, None, _) => {
            let private: Vec<u8> =
                message.digits(60).map(|digits| digits.iter().collect()).unwrap_or_default();
            private.get(8..11).unwrap_or_default().iter().map(|digit| char::from(b'0' + digit)).collect()
        }
    };
    (message.mti().to_string(), text)
}

#[test]
#[ignore = "writes fixtures/golden; after a change of the wire that is meant, never to make a failing test pass"]
fn record() {
    for (dialect, name, form) in DIALECTS {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let time_ms = i64::try_from(time.as_millis()).expect("64 bits");
        let scribe = Scribe::start(Player::new(dialect, time_ms), form);
        let sample = Sample::open(&switch_tests::fixture("city")).expect("the sample city");
        match dialect {
            TerminalDialect::Pos => pos(&scribe, &sample),
            TerminalDialect::Epos => epos(&scribe, &sample),
            TerminalDialect::Atm => atm(&scribe, &sample),
        }
        let exchanges = scribe.exchanges.lock().expect("no panic").clone();
        let introduction = format!("Frames of {name}, recorded by the suite `golden_frames`. See README.md.");
        Recording { time_ms, exchanges }.write(&file(name), &introduction);
    }
}

/// A switch on a port, for one connection after another, that writes down what passes.
struct Scribe {
    address: SocketAddr,
    title: Arc<Mutex<String>>,
    exchanges: Arc<Mutex<Vec<Recorded>>>,
}

impl Scribe {
    fn start(mut player: Player, form: LengthForm) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (title, exchanges) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let (titles, recorded) = (Arc::clone(&title), Arc::clone(&exchanges));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut held) = (stream.expect("a connection"), Vec::new());
                let mut read = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut read) {
                    held.extend_from_slice(&read[..count]);
                    while let Next::Frame(frame, end) = framing::next(form, &held, 4096) {
                        let answer = player.answer(frame);
                        recorded.lock().expect("no panic").push(Recorded {
                            title: titles.lock().expect("no panic").clone(),
                            request: frame.to_vec(),
                            answer: answer.clone(),
                        });
                        let mut out = bytes::BytesMut::new();
                        framing::put(form, &answer, &mut out);
                        stream.write_all(&out).expect("the client listens");
                        held.drain(..end);
                    }
                }
            }
        });
        Self { address, title, exchanges }
    }

    /// Names what comes next.
    fn title(&self, title: &str) {
        title.clone_into(&mut self.title.lock().expect("no panic"));
    }
}

fn pos(scribe: &Scribe, sample: &Sample) {
    // It may load.
    let mut terminal = sample.terminal(Some("31000003")).expect("a terminal");
    terminal.connect(scribe.address).expect("a connection");
    scribe.title("sign-in");
    terminal.sign_in().expect("signed in");
    services(scribe, sample, &mut terminal);
}

fn epos(scribe: &Scribe, sample: &Sample) {
    let mut terminal = sample.epos_terminal(Some("41000001"), Box::new(counting(3))).expect("a terminal");
    terminal.connect(scribe.address).expect("a connection");
    scribe.title("sign-in: the nonce is asked for, then answered");
    terminal.sign_in().expect("signed in");
    services(scribe, sample, &mut terminal);
}

fn services<S: Security>(scribe: &Scribe, sample: &Sample, terminal: &mut Terminal<S>) {
    let rich = sample.card_in_line(2).expect("the rich card");
    let (card, pin) = (&rich.card, Some(pin_of(&rich)));
    let pin = pin.as_deref();
    let entry = Entry::Stripe;
    let done = |exchange: Result<Exchange, _>| -> Exchange { exchange.expect("an exchange") };
    scribe.title("echo test");
    done(terminal.echo());
    scribe.title("purchase with PIN");
    let purchase = done(terminal.purchase(card, 2_580, pin, entry));
    scribe.title("the purchase again");
    done(terminal.repeat(&purchase));
    scribe.title("the purchase again, the very same bytes");
    done(terminal.replay(&purchase));
    scribe.title("purchase with a wrong PIN");
    done(terminal.purchase(card, 100, Some(b"000000"), entry));
    scribe.title("purchase of more than there is");
    done(terminal.purchase(card, 1_900_000, pin, entry));
    scribe.title("balance inquiry");
    done(terminal.balance(card, pin, entry));
    scribe.title("load");
    let load = done(terminal.load(card, 5_000, entry));
    scribe.title("reversal of the load");
    done(terminal.reverse(&load));
    scribe.title("refund of a part");
    done(terminal.refund(card, 1_000, pin, entry, &purchase.original()));
    scribe.title("refund of more than is left");
    done(terminal.refund(card, 2_000, pin, entry, &purchase.original()));
    scribe.title("purchase, to be voided");
    let voided = done(terminal.purchase(card, 700, pin, entry));
    scribe.title("void");
    let void = done(terminal.void(card, 700, pin, entry, &voided.original()));
    scribe.title("reversal of the void");
    done(terminal.reverse(&void));
    scribe.title("reversal of the purchase");
    done(terminal.reverse(&voided));
    scribe.title("pre-authorization");
    let held = done(terminal.pre_authorization(card, 10_000, pin, entry));
    scribe.title("completion for less");
    let completed = done(terminal.completion(card, 8_000, pin, entry, &held.original()));
    scribe.title("completion void");
    let completion_void = done(terminal.completion_void(card, 8_000, pin, entry, &completed.original()));
    scribe.title("reversal of the completion void");
    done(terminal.reverse(&completion_void));
    scribe.title("reversal of the completion: the hold stands again");
    done(terminal.reverse(&completed));
    scribe.title("completion as an advice");
    done(terminal.completion_advice(card, 8_000, pin, entry, &held.original()));
    scribe.title("pre-authorization, to be voided");
    let held = done(terminal.pre_authorization(card, 3_000, pin, entry));
    scribe.title("pre-authorization void");
    let void = done(terminal.pre_authorization_void(card, 3_000, pin, entry, &held.original()));
    scribe.title("reversal of the pre-authorization void: the hold stands again");
    done(terminal.reverse(&void));
    scribe.title("reversal of the pre-authorization");
    done(terminal.reverse(&held));
    scribe.title("PIN change");
    let changed = done(terminal.pin_change(card, pin.expect("a PIN"), b"918273", entry));
    scribe.title("reversal of the PIN change");
    done(terminal.reverse(&changed));
    scribe.title("a byte changed under the MAC");
    done(terminal.tampered(&purchase, 4));
    // Its number is far ahead, so in `epos` nothing behind it would be new any more.
    scribe.title("a reversal that comes before its original");
    done(terminal.reverse_earlier(Service::Purchase, 900_001, 100));
    scribe.title("sign-off");
    done(terminal.sign_off());
}

fn atm(scribe: &Scribe, sample: &Sample) {
    let (mut host, machine) = sample.atm_host(Some("51000001"), Box::new(counting(4))).expect("a host");
    host.connect(scribe.address).expect("a connection");
    let cash = sample.card_in_line(65).expect("the card for cash");
    let (card, pin) = (&cash.card, pin_of(&cash));
    let done = |exchange: Result<Exchange, _>| -> Exchange { exchange.expect("an exchange") };
    scribe.title("a withdrawal before the sign-on");
    done(host.withdrawal(&machine, card, Some(&pin), 10_000, None));
    scribe.title("sign-on");
    done(host.sign_on());
    scribe.title("echo test");
    done(host.echo());
    scribe.title("cut-over notice");
    done(host.cut_over_notice());
    withdrawals(scribe, &mut host, &machine, &cash);
    scribe.title("balance inquiry: ledger and available");
    done(host.balance(&machine, card, Some(&pin)));
    scribe.title("a load, which this machine may not");
    done(host.load(&machine, card, Some(&pin), 5_000));
    scribe.title("PIN change");
    let changed = done(host.pin_change(&machine, card, &pin, b"918273"));
    scribe.title("reversal of the PIN change");
    done(host.reverse(&changed, None));
    scribe.title("key change");
    done(host.key_change());
    scribe.title("withdrawal under the new keys");
    done(host.withdrawal(&machine, card, Some(&pin), 1_000, None));
    scribe.title("sign-off");
    done(host.sign_off());
}

fn withdrawals(scribe: &Scribe, host: &mut AtmHost, machine: &[u8; 8], cash: &TestCard) {
    let (card, pin) = (&cash.card, pin_of(cash));
    let done = |exchange: Result<Exchange, _>| -> Exchange { exchange.expect("an exchange") };
    scribe.title("withdrawal with the acquirer's fee");
    let withdrawal = done(host.withdrawal(machine, card, Some(&pin), 10_000, Some(50)));
    scribe.title("the withdrawal again (0201)");
    done(host.repeat(&withdrawal));
    scribe.title("reversal: 40.00 of it were paid out");
    let reversal = done(host.reverse(&withdrawal, Some(4_000)));
    scribe.title("the reversal again (0421)");
    done(host.repeat(&reversal));
    scribe.title("withdrawal of more than there is");
    done(host.withdrawal(machine, card, Some(&pin), 900_000, None));
    scribe.title("withdrawal without a PIN");
    done(host.withdrawal(machine, card, None, 1_000, None));
    let earlier = AtmOriginal {
        service: AtmService::Withdrawal,
        terminal: *machine,
        stan: 900_001,
        transmitted: withdrawal.transmitted().expect("field 7"),
        amount: Some(1_000),
        rrn: None,
    };
    scribe.title("a reversal that comes before its original");
    done(host.reverse_earlier(&earlier, None));
}

fn pin_of(card: &TestCard) -> Vec<u8> {
    card.pin.expose().to_vec()
}
