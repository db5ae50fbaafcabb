//! Three at once for the last cent: two POS terminals and an ATM, each on a connection of its own. One gets it, and the
//! card never holds less than nothing.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use cardswitch::terminal::{AtmOrder, AtmService};
use switch_tests::{
    ask::{Ask, Card},
    clients::{Clients, assert_approved},
    in_process::InProcess,
    line::Line,
    terminal::Terminal,
};

/// 500.00 in one purse, which may be spent anywhere.
const CARD: u64 = 63;
const OPENING: i64 = 50_000;

const ROUNDS: u32 = 10_000;

/// Who takes part: it is told to ask once, and tells how it was answered.
struct Racer {
    go: Sender<()>,
    answers: Receiver<String>,
}

impl Racer {
    /// Runs on a thread of its own until nobody tells it to go.
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut ask: impl FnMut() -> String + Send + 'scope,
    ) -> Self {
        let (go, told) = channel();
        let (tell, answers) = channel();
        scope.spawn(move || while told.recv().is_ok() && tell.send(ask()).is_ok() {});
        Self { go, answers }
    }
}

/// A POS terminal that taps the card for 0.01.
fn tapping(switch: &InProcess, terminal: &str, card: &Card) -> impl FnMut() -> String + Send {
    let (mut terminal, mut line) = switch.signed_in(terminal);
    let card = card.clone();
    move || terminal.ask(&mut line, Ask::tap(&card, 1)).code
}

#[test]
fn of_three_who_race_for_the_last_cent_one_gets_it_ten_thousand_times() {
    let switch = InProcess::start();
    let clients = Clients::of(&switch);
    let card = switch.city().card(CARD);
    let (mut host, machine) = clients.atm("51000001");
    let in_hand = clients.card(CARD);
    let (mut loads, mut line) = switch.signed_in("31000003");
    assert_eq!(loads.ask(&mut line, Ask::purchase(&card, 50_000)).code, "00", "the card is empty");

    let mut wins = [0_u32; 3];
    std::thread::scope(|scope| {
        let racers = [
            Racer::start(scope, tapping(&switch, "31000002", &card)),
            Racer::start(scope, tapping(&switch, "31000008", &card)),
            Racer::start(scope, || {
                let pin = Some(in_hand.pin.expose().as_slice());
                let drawn = host.withdrawal(&machine, &in_hand.card, pin, 1, None).expect("an answer");
                assert_eq!(drawn.mac_ok, Some(true), "{drawn:?}");
                drawn.code_text()
            }),
        ];
        for round in 0..ROUNDS {
            assert_eq!(loads.ask(&mut line, Ask::load(&card, 1)).code, "00", "round {round}: one cent");
            // Each is told first in its turn.
            for racer in racers.iter().cycle().skip(round as usize % 3).take(3) {
                racer.go.send(()).expect("a racer that runs");
            }
            let codes = racers.each_ref().map(|racer| racer.answers.recv().expect("a racer that runs"));
            let approved = codes.iter().filter(|code| *code == "00").count();
            let declined = codes.iter().filter(|code| *code == "51").count();
            assert_eq!((approved, declined), (1, 2), "round {round}: {codes:?}");
            for (wins, code) in wins.iter_mut().zip(&codes) {
                *wins += u32::from(code == "00");
            }
        }
    });
    assert_eq!(wins.iter().sum::<u32>(), ROUNDS);
    assert!(wins.iter().all(|wins| *wins > 0), "a race that one never wins is none: {wins:?}");
    assert_eq!(switch.held(CARD), 0);
    switch.check_ledger();
}

#[test]
fn of_a_thousand_cents_a_thousand_are_given_however_many_are_asked_for_at_once() {
    const CENTS: usize = 1_000;
    const ASKED_BY_EACH: usize = 700;
    let switch = InProcess::start();
    let clients = Clients::of(&switch);
    let card = switch.city().card(CARD);
    let (mut host, machine) = clients.atm("51000001");
    let in_hand = clients.card(CARD);
    let (mut till, mut line) = switch.signed_in("31000003");
    let rest = u64::try_from(OPENING).expect("positive") - CENTS as u64;
    assert_eq!(till.ask(&mut line, Ask::purchase(&card, rest)).code, "00");

    let approved: usize = std::thread::scope(|scope| {
        let tills = ["31000002", "31000008"].map(|id| {
            let (mut terminal, mut line) = switch.signed_in(id);
            let card = card.clone();
            scope.spawn(move || tap_many(&mut terminal, &mut line, &card, ASKED_BY_EACH))
        });
        let pin = Some(in_hand.pin.expose().as_slice());
        let order = AtmOrder::new(AtmService::Withdrawal, &machine, &in_hand.card);
        let order = AtmOrder { pin, amount: Some(1), ..order };
        let frames: Vec<_> =
            (0..ASKED_BY_EACH).map(|_| host.prepare(&order).expect("a withdrawal")).collect();
        let drawn = host.send_all(&frames).expect("answers");
        let drawn = drawn
            .iter()
            .filter(|exchange| exchange.code_text() == "00")
            .inspect(|drawn| assert_approved(drawn));
        drawn.count() + tills.map(|till| till.join().expect("a till")).iter().sum::<usize>()
    });
    assert_eq!(approved, CENTS);
    assert_eq!(switch.held(CARD), 0);
    switch.check_ledger();
}

/// Taps for 0.01 so many times, a hundred at once; how many were approved.
fn tap_many(terminal: &mut Terminal, line: &mut Line, card: &Card, count: usize) -> usize {
    let mut approved = 0;
    for _ in 0..count / 100 {
        let frames: Vec<u8> = (0..100).flat_map(|_| terminal.frame(&mut Ask::tap(card, 1))).collect();
        line.send(&frames);
        let answers = line.receive_many(100);
        answers.iter().for_each(|answer| terminal.check_seal(answer));
        approved += answers.iter().filter(|answer| answer.code == "00").count();
    }
    approved
}
