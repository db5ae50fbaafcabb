//! Nothing that follows from an event is answered before the event is durable: seen from the store's side, with a
//! gate in front of the sync. What the kernel sees is in `trace`.

use cardswitch::journal::{AfterFault, DelayedStore, FaultyStore, Gate, MemoryStore};
use switch_tests::{
    ask::Ask,
    in_process::InProcess,
    line::{Line, PATIENCE, SILENCE},
    terminal::Terminal,
};

const RICH: u64 = 2;
const FORGETFUL: u64 = 6;

/// A switch whose every commit waits at a gate, with a terminal signed in.
fn gated() -> (InProcess, Gate, Terminal, Line) {
    let (store, gate) = DelayedStore::gated(MemoryStore::new());
    // One commit for the import of the city, one for the sign-in.
    gate.let_one_through();
    gate.let_one_through();
    let switch = InProcess::start_on(Box::new(store), |_| (), &mut |_| ());
    let (terminal, line) = switch.signed_in("31000002");
    for _ in 0..2 {
        assert!(gate.wait_for_append(PATIENCE).is_some());
    }
    (switch, gate, terminal, line)
}

#[test]
fn no_answer_leaves_before_its_record_is_durable() {
    let (switch, gate, mut terminal, mut line) = gated();
    let (rich, forgetful) = (switch.city().card(RICH), switch.city().card(FORGETFUL));
    let wrong = Ask::purchase(&forgetful, 1).with_pin(&forgetful.wrong_pin(), &forgetful);
    let rows = [
        ("an approval", Ask::purchase(&rich, 100), "00"),
        ("a decline: the try it used is an event", wrong, "55"),
        ("a balance: its request is remembered", Ask::balance(&rich), "00"),
        ("a sign-in", Ask::sign_in(), "00"),
    ];
    for (name, mut ask, want) in rows {
        line.send(&terminal.frame(&mut ask));
        let held = gate.wait_for_append(PATIENCE);
        assert_eq!(held, Some(switch.seq()), "{name}: decided and on its way to the disk");
        assert_eq!(line.receive_within(SILENCE), None, "{name}: answered before it was durable");
        gate.let_one_through();
        assert_eq!(line.receive().expect("an answer").code, want, "{name}");
    }
    drop(gate);
}

#[test]
fn what_only_reads_does_not_overtake_what_is_not_durable() {
    let (switch, gate, mut terminal, mut line) = gated();
    let card = switch.city().card(RICH);
    line.send(&terminal.frame(&mut Ask::purchase(&card, 100)));
    assert!(gate.wait_for_append(PATIENCE).is_some());
    let (mut neighbour, mut other) = (switch.city().terminal("31000001"), switch.connect());
    line.send(&terminal.frame(&mut Ask::balance(&card)));
    line.send(&terminal.frame(&mut Ask::echo()));
    other.send(&neighbour.frame(&mut Ask::echo()));
    assert_eq!(
        line.receive_within(SILENCE),
        None,
        "a balance must not tell of a posting that may still vanish"
    );
    assert_eq!(other.receive_within(SILENCE), None, "nor on another connection");
    gate.let_one_through();
    assert_eq!(line.receive().expect("the purchase's answer").code, "00");
    assert_eq!(line.receive_within(SILENCE), None, "the inquiry's own record is not durable");
    drop(gate);
    let balance = line.receive().expect("the inquiry's answer");
    assert_eq!(balance.balance, Some(switch.city().opening(RICH) - 100));
    assert_eq!(line.receive().expect("the echo's answer").mti, 0x0830);
    assert_eq!(other.receive().expect("the echo's answer").mti, 0x0830);
}

#[test]
fn a_repeat_of_what_is_not_durable_waits_for_it() {
    let (switch, gate, mut terminal, mut line) = gated();
    let frame = terminal.frame(&mut Ask::purchase(&switch.city().card(RICH), 100));
    line.send(&frame);
    assert!(gate.wait_for_append(PATIENCE).is_some());
    line.send(&frame);
    assert_eq!(line.receive_within(SILENCE), None);
    gate.let_one_through();
    let answers = line.receive_many(2);
    assert_eq!(answers[0].frame, answers[1].frame);
    assert_eq!(switch.held(RICH), switch.city().opening(RICH) - 100);
    drop(gate);
}

#[test]
fn a_failed_sync_is_followed_by_silence() {
    // The import, the sign-in, and then the purchase whose sync fails.
    for after in [AfterFault::KeepRecords, AfterFault::LoseRecords] {
        let store = FaultyStore::new(MemoryStore::new(), 3, after);
        let switch = InProcess::start_on(Box::new(store), |_| (), &mut |_| ());
        let (mut terminal, mut line) = switch.signed_in("31000002");
        let card = switch.city().card(RICH);
        line.send(&terminal.frame(&mut Ask::purchase(&card, 100)));
        assert_eq!(line.receive_within(SILENCE), None, "{after:?}");
        assert!(switch.journal_failed(), "{after:?}: whoever runs the switch must hear of it");
        line.send(&terminal.frame(&mut Ask::balance(&card)));
        assert_eq!(line.receive_within(SILENCE), None, "{after:?}: nor is anything answered later");
    }
}
