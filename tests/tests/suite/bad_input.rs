//! Bytes that no honest terminal sends. They cost whoever sends them; the next good frame on the same connection, and
//! the neighbours, do not notice.

use switch_tests::{
    ask::Ask,
    fixture,
    in_process::InProcess,
    line::{Line, SILENCE},
    random::Random,
    terminal::{Answer, MESSAGE_AT, Terminal, framed},
};

const RICH: u64 = 2;
const DROPPED: &str = "cardswitch_frames_dropped_total";
const DISCONNECTS: &str = "cardswitch_disconnects_total";

/// Sends a whole frame and an echo behind it; what came before the echo's answer, if anything did.
fn probe(terminal: &mut Terminal, line: &mut Line, frame: &[u8]) -> Option<Answer> {
    let mut echo = Ask::echo();
    let behind = terminal.frame(&mut echo);
    line.send(&[frame, &behind].concat());
    let first = line.receive().expect("the connection stays open");
    if is_echo(&first, &echo) {
        return None;
    }
    let second = line.receive().expect("the connection stays open");
    assert!(is_echo(&second, &echo), "one answer to a frame, then the echo's");
    Some(first)
}

fn is_echo(answer: &Answer, echo: &Ask) -> bool {
    answer.mti == 0x0830 && answer.stan == echo.stan && answer.code == "00"
}

fn code(answer: &Option<Answer>) -> Option<&str> {
    answer.as_ref().map(|answer| answer.code.as_str())
}

fn dropped(switch: &InProcess) -> u64 {
    ["too_short", "answer_received", "undecodable"]
        .map(|why| switch.metric(DROPPED, &[("why", why)]))
        .iter()
        .sum()
}

#[test]
fn every_truncation_of_a_purchase_is_refused_or_dropped() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let whole = terminal.frame(&mut Ask::purchase(&card, 100));
    let message = iso8583::Message::decode(iso8583::Spec::pos(), &whole[MESSAGE_AT..]).expect("a purchase");
    let addressed = message.span(41).expect("a terminal").end;
    let (seq, before, mut unanswered) = (switch.seq(), dropped(&switch), 0);
    for length in 0..whole.len() - 2 {
        let mut frame = whole[..length + 2].to_vec();
        frame[..2].copy_from_slice(&u16::try_from(length).expect("a short frame").to_be_bytes());
        let answer = probe(&mut terminal, &mut line, &frame);
        let want = (length + 2 >= MESSAGE_AT + addressed).then_some("30");
        assert_eq!(code(&answer), want, "cut to {length} bytes");
        unanswered += u64::from(answer.is_none());
    }
    assert_eq!(dropped(&switch) - before, unanswered, "what is dropped is counted");
    assert!(unanswered > 20 && switch.metric("cardswitch_answers_total", &[("reason", "format_error")]) > 20);
    assert_eq!(switch.seq(), seq, "nothing happened");
    line.send(&whole);
    assert_eq!(line.receive().expect("an answer").code, "00", "whole, it is a purchase");
}

#[test]
fn any_changed_byte_under_the_mac_is_noticed() {
    for id in ["31000001", "31000002"] {
        let switch = InProcess::start();
        let (mut terminal, mut line) = switch.signed_in(id);
        let frame = terminal.frame(&mut Ask::purchase(&switch.city().card(RICH), 100));
        let (seq, accounts) = (switch.seq(), switch.look(|books| books.ledger().accounts().to_vec()));
        let mut mac_failures = 0;
        for at in MESSAGE_AT..frame.len() {
            for mask in [0x01, 0x10, 0x80, 0xFF] {
                let mut changed = frame.clone();
                changed[at] ^= mask;
                let Some(answer) = probe(&mut terminal, &mut line, &changed) else { continue };
                let expected = ["A0", "30", "97", "77", "58"].contains(&answer.code.as_str());
                assert!(expected, "{id}, byte {at}, mask {mask:02x}: {}", answer.code);
                assert_eq!(answer.mac, None, "an answer to a wrong MAC must not be an oracle");
                mac_failures += usize::from(answer.code == "A0");
            }
        }
        assert!(
            mac_failures > frame.len() - MESSAGE_AT,
            "{mac_failures} MAC failures are too few to prove much"
        );
        assert_eq!(switch.seq(), seq, "nothing is recorded");
        assert_eq!(switch.look(|books| books.ledger().accounts().to_vec()), accounts, "nothing is posted");
        line.send(&frame);
        assert_eq!(line.receive().expect("an answer").code, "00", "unchanged, it is a purchase");
    }
}

#[test]
fn a_message_without_its_mac_is_refused() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let purchase = Ask { sealed: false, ..Ask::purchase(&card, 100) };
    let mut paid = Ask::purchase(&card, 50);
    line.send(&terminal.frame(&mut paid));
    assert_eq!(line.receive().expect("an answer").code, "00");
    for ask in [purchase, Ask { sealed: false, ..paid.reversal() }] {
        let answer = terminal.ask(&mut line, ask);
        assert_eq!((answer.code.as_str(), answer.mac), ("A0", None));
    }
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 50);
}

#[test]
fn malformed_messages_leave_the_connection_as_it_was() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000001");
    let card = switch.city().card(RICH);
    let mut corpus: Vec<_> = std::fs::read_dir(fixture("corpus/pos"))
        .expect("the corpus")
        .map(|file| file.expect("a file of the corpus").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    corpus.sort();
    assert!(corpus.len() > 20, "the corpus has gone");
    for path in corpus {
        let message = std::fs::read(&path).expect("a file of the corpus");
        let answer = probe(&mut terminal, &mut line, &framed(&message));
        assert_ne!(code(&answer), Some("00"), "{}", path.display());
    }
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00");
}

#[test]
fn a_published_broken_sign_in_is_survived() {
    // NEG-0800: a bitmap that promises fields which are not there.
    let vectors = std::fs::read_to_string(fixture("vectors/iso8583.json")).expect("the vectors");
    let vectors: serde_json::Value = serde_json::from_str(&vectors).expect("JSON");
    let hex = find_vector(&vectors, "NEG-0800").expect("NEG-0800");
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000001");
    let answer = probe(&mut terminal, &mut line, &bytes);
    assert!(matches!(code(&answer), None | Some("30")), "{answer:?}");
}

fn find_vector<'a>(value: &'a serde_json::Value, id: &str) -> Option<&'a str> {
    match value {
        serde_json::Value::Array(items) => items.iter().find_map(|item| find_vector(item, id)),
        serde_json::Value::Object(fields) if fields.get("id").is_some_and(|found| found == id) => {
            fields.get("hex")?.as_str()
        }
        serde_json::Value::Object(fields) => fields.values().find_map(|item| find_vector(item, id)),
        _ => None,
    }
}

#[test]
fn an_answer_sent_as_a_request_is_dropped_and_counted() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let answers = [("answer_received", 0x0210), ("answer_received", 0x0810), ("answer_received", 0x0410)];
    for (why, mti) in answers {
        let before = switch.metric(DROPPED, &[("why", why)]);
        let frame = terminal.frame(&mut Ask { mti, ..Ask::purchase(&switch.city().card(RICH), 1) });
        assert_eq!(probe(&mut terminal, &mut line, &frame), None, "{mti:04x}");
        assert_eq!(switch.metric(DROPPED, &[("why", why)]), before + 1, "{mti:04x}");
    }
}

#[test]
fn a_length_above_the_maximum_closes_that_connection_only() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let mut liar = switch.connect();
    // Exactly the maximum is read and dropped; one above it is the end.
    let mut longest = 4096_u16.to_be_bytes().to_vec();
    longest.resize(4096 + 2, 0);
    assert_eq!(probe(&mut switch.city().terminal("31000001"), &mut liar, &longest), None);
    liar.send(&4097_u16.to_be_bytes());
    assert!(liar.is_closed_within(switch_tests::line::PATIENCE));
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "frame_too_long")]), 1);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&switch.city().card(RICH), 1)).code, "00");
}

#[test]
fn what_was_asked_before_the_framing_broke_is_answered_before_the_line_is_closed() {
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let mut packet = terminal.frame(&mut Ask::purchase(&switch.city().card(RICH), 100));
    packet.extend_from_slice(&[0xFF, 0xFF]);
    line.send(&packet);
    assert_eq!(line.receive().expect("an answer").code, "00");
    assert!(line.is_closed_within(switch_tests::line::PATIENCE));
    assert_eq!(switch.metric(DISCONNECTS, &[("why", "frame_too_long")]), 1);
}

#[test]
fn a_length_that_says_too_much_waits_and_one_that_says_too_little_hurts_only_its_sender() {
    let switch = InProcess::start();
    let (mut neighbour, mut other) = switch.signed_in("31000001");
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    let mut too_long = terminal.frame(&mut Ask::purchase(&card, 1));
    too_long[1] += 1;
    line.send(&too_long);
    assert_eq!(line.receive_within(SILENCE), None, "a byte is missing");
    assert_eq!(probe(&mut neighbour, &mut other, &[0, 0]), None, "the neighbour does not wait for it");
    line.send(&[0]);
    assert_eq!(line.receive().expect("an answer").code, "30", "with a byte that belongs to no field");
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "the next frame is in step");

    let mut too_short = terminal.frame(&mut Ask::purchase(&card, 1));
    too_short[1] -= 4;
    line.send(&too_short);
    // Its last bytes are taken for the length of the next frame; if that is above the maximum, the line is closed.
    let answer = line.receive_within(SILENCE);
    assert!(matches!(code(&answer), None | Some("30")), "{answer:?}");
    assert_eq!(neighbour.ask(&mut other, Ask::purchase(&card, 1)).code, "00");
    let mut again = switch.connect();
    assert_eq!(terminal.ask(&mut again, Ask::purchase(&card, 1)).code, "00", "on a new connection");
}

#[test]
fn random_bytes_break_nothing() {
    let mut random = Random::seeded("random bytes");
    let switch = InProcess::start();
    let (mut terminal, mut line) = switch.signed_in("31000002");
    let card = switch.city().card(RICH);
    for _ in 0..200 {
        let mut bytes = vec![0; random.index(1_500) + 1];
        random.fill(&mut bytes);
        let mut stranger = switch.connect();
        // The switch may close as soon as it has seen a length above its maximum.
        let _closed_early = stranger.try_send(&bytes);
        // Whole frames of noise on a connection that goes on to work.
        bytes.truncate(300);
        let answer = probe(&mut terminal, &mut line, &framed(&bytes));
        assert!(matches!(code(&answer), None | Some("30" | "97")), "seed {}: {answer:?}", random.seed());
    }
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 1)).code, "00", "seed {}", random.seed());
    switch.check_ledger();
}

#[test]
fn a_hostile_terminal_with_good_keys_cannot_break_the_books() {
    let mut random = Random::seeded("hostile terminal");
    let switch = InProcess::start();
    let (mut neighbour, mut other) = switch.signed_in("31000001");
    let (mut terminal, mut line) = switch.signed_in("31000003");
    let card = switch.city().card(RICH);
    for _ in 0..3_000 {
        let mut ask = match random.below(4) {
            0 => Ask::purchase(&card, random.below(100_000)),
            1 => Ask::load(&card, random.below(1_000)),
            2 => Ask::balance(&card),
            _ => {
                let stan = u32::try_from(random.below(100)).expect("below a hundred") + 1;
                Ask { stan, ..Ask::load(&card, 500) }.reversal()
            }
        };
        let frame = terminal.frame(&mut ask);
        let hostile = terminal.sealed_again(&frame, |message| {
            for _ in 0..random.below(4) {
                let at = random.index(message.len());
                message[at] ^= 1 << random.below(8);
            }
        });
        probe(&mut terminal, &mut line, &hostile);
    }
    switch.check_ledger();
    let card = switch.city().card(17);
    assert_eq!(neighbour.ask(&mut other, Ask::purchase(&card, 1)).code, "00", "seed {}", random.seed());
}
