//! Answers of one connection that become ready together leave together.

use switch_tests::{
    ask::{Ask, Card},
    in_process::InProcess,
    line::Line,
    terminal::Terminal,
};

const WINDOW: usize = 16;
const EACH: usize = 640;

/// Keeps a window of purchases under way until all are answered.
fn pay(mut terminal: Terminal, mut line: Line, card: &Card) {
    let frames: Vec<Vec<u8>> = (0..EACH).map(|_| terminal.frame(&mut Ask::purchase(card, 1))).collect();
    line.send(&frames[..WINDOW].concat());
    let (mut sent, mut answered) = (WINDOW, 0);
    while answered < EACH {
        assert_eq!(line.receive().expect("an answer").code, "00");
        answered += 1;
        let mut room = usize::from(sent < EACH);
        // Whatever came in the same read is one step, as for a host that works through its socket.
        while let Some(answer) = line.take() {
            assert_eq!(answer.code, "00");
            answered += 1;
            room += usize::from(sent + room < EACH);
        }
        if room > 0 {
            line.send(&frames[sent..sent + room].concat());
            sent += room;
        }
    }
}

fn check(terminals: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let switch = InProcess::start_on_disk(folder.path(), |_| ());
    let cards = switch.city().ordinary_cards();
    let signed_in: Vec<_> = terminals.iter().map(|id| switch.signed_in(id)).collect();
    let before = writes_and_answers(&switch);
    std::thread::scope(|scope| {
        for ((terminal, line), card) in signed_in.into_iter().zip(&cards) {
            scope.spawn(move || pay(terminal, line, card));
        }
    });
    let after = writes_and_answers(&switch);
    let (writes, answers) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(answers, (terminals.len() * EACH) as u64);
    switch_tests::tell(&format!(
        "{} connections × {WINDOW}: {writes} writes for {answers} answers",
        terminals.len()
    ));
    assert!(writes * 4 <= answers, "{writes} writes for {answers} answers is more than one in four");
    switch.stop().expect("a good stop");
}

fn writes_and_answers(switch: &InProcess) -> (u64, u64) {
    let approved = switch.metric("cardswitch_answers_total", &[("reason", "approved")]);
    (switch.metric("cardswitch_socket_writes_total", &[]), approved)
}

#[test]
fn one_busy_connection_needs_at_most_one_write_for_four_answers() {
    check(&["31000001"]);
}

#[test]
fn eight_busy_connections_need_at_most_one_write_for_four_answers() {
    check(&["31000001", "31000002", "31000003", "31000005", "31000006", "31000007", "31000008", "31000009"]);
}
