//! What cardholders allow: less than their products, set by a teller with one signature.

use std::process::Command;

use cardswitch::books::{
    Books,
    event::{Decided, Event, TerminalDialect},
    holder_limits::{Beyond, HolderLimits, LimitedCard},
    notices::{Cause, Recipient},
    reason::Reason,
};
use serde_json::Value;
use switch_tests::{ask::Ask, city::City, history::History};

use super::{
    follow::{Done, NOTHING, RICH, Shop, Switch, back, pays},
    holds::{HOUR_MS, Timed, check_replay},
    officers::{Scene, complaint, order, succeeds},
    rulebooks::{Desk, admin, explained},
};
use crate::PROGRAM;

const HOSPITAL: &str = "31000010";
const ELSEWHERE: &str = "32050001";
/// A telephone is linked to it.
const LINKED: u64 = 63;

impl Shop<Timed> {
    fn limit(&mut self, card: u64, limits: HolderLimits) {
        let card = self.position(card);
        self.switch.record(&Event::HolderLimitsSet(LimitedCard { card, limits }));
    }

    /// A purchase at the hospital, which pays no fee.
    fn buys(&mut self, name: &str, card: u64, amount: u64, want: &str) -> Done {
        let ask = Ask::purchase(&self.card(card), amount);
        let amount = i64::try_from(amount).expect("a small amount");
        let moves = if want == "00" { pays([0, amount, 0], 0) } else { NOTHING };
        self.step(name, HOSPITAL, card, ask, want, moves)
    }
}

#[test]
fn a_holder_s_limits_of_a_payment_and_of_a_day_hold_and_what_is_taken_back_is_free_again() {
    let mut shop = Shop::at(Timed::start());
    shop.buys("without limits", RICH, 60_000, "00");
    shop.switch.wait(12 * HOUR_MS);
    let (amount_max, day_amount_max, day_count_max) = (Some(30_000), Some(50_000), Some(4));
    shop.limit(RICH, HolderLimits { amount_max, day_amount_max, day_count_max, ..HolderLimits::default() });
    shop.buys("more than at once", RICH, 30_001, "61");
    let first = shop.buys("as much as at once", RICH, 30_000, "00");
    shop.buys("more than the day has left", RICH, 20_001, "61");
    let second = shop.buys("what the day has left", RICH, 20_000, "00");
    shop.buys("a fen more", RICH, 1, "61");
    let hold = Ask::pre_authorization(&shop.card(RICH), 1);
    shop.refused("a hold is no way around it", HOSPITAL, RICH, hold, "61");
    let balance = Ask::balance(&shop.card(RICH));
    shop.step("an inquiry spends nothing", HOSPITAL, RICH, balance, "00", NOTHING);
    let void = Ask::void(&shop.card(RICH), 20_000, &second.receipt());
    shop.step("the second is voided", HOSPITAL, RICH, void, "00", back([0, 20_000, 0], 0));
    for at in 1..=3 {
        shop.buys(&format!("small one {at}"), RICH, 10, "00");
    }
    shop.buys("one more than a day has", RICH, 10, "65");
    shop.step("the first is reversed", HOSPITAL, RICH, first.ask.reversal(), "00", back([0, 30_000, 0], 0));
    shop.buys("which gives one back", RICH, 10, "00");
    shop.buys("and no more", RICH, 10, "65");
    let refund = Ask::refund(&shop.card(RICH), 10, &shop.buys("another's", LINKED, 10, "00").receipt());
    shop.refused("another card's refund", HOSPITAL, RICH, refund, "25");
    shop.switch.wait(24 * HOUR_MS);
    shop.sign_in_again();
    shop.buys("another day", RICH, 30_000, "00");
    shop.limit(RICH, HolderLimits::default());
    shop.buys("no limits any more", RICH, 60_000, "00");
    assert_eq!(shop.switch.look(Books::limited_cards), 0);
    check_replay(&shop.switch, 0);
}

#[test]
fn a_holder_shuts_channels_and_regions_and_may_be_told_instead() {
    let mut shop = Shop::at(Timed::start());
    let region = |code: u32| [code].into_iter().collect();
    let shut = |channel| [channel].into_iter().collect();
    shop.limit(LINKED, HolderLimits { shut: shut(TerminalDialect::Atm), ..HolderLimits::default() });
    shop.buys("another channel is open", LINKED, 100, "00");
    shop.limit(LINKED, HolderLimits { shut: shut(TerminalDialect::Pos), ..HolderLimits::default() });
    shop.buys("this one is shut", LINKED, 100, "57");
    shop.limit(LINKED, HolderLimits { regions: region(310_000), ..HolderLimits::default() });
    shop.buys("in the region", LINKED, 100, "00");
    let there = Ask::purchase(&shop.card(LINKED), 100);
    // The city has a rule of its own about a card's regions, which comes first and tells by itself.
    shop.refused("in another", ELSEWHERE, LINKED, there, "62");
    let notify = HolderLimits { amount_max: Some(99), beyond: Beyond::Notify, ..HolderLimits::default() };
    shop.limit(LINKED, notify);
    shop.buys("not beyond", LINKED, 99, "00");
    shop.buys("beyond, and told", LINKED, 100, "00");
    shop.buys("beyond, and there is not enough: nobody need be told", LINKED, 90_000_000, "51");
    let told = shop.switch.look(|books| {
        let of_limits = |cause: Cause| cause == Cause::HolderLimits;
        let notices = books.notices().after(0).map(|notice| (notice.to, notice.subject.clone()));
        let told = notices.filter(|(_, about)| of_limits(about.cause));
        told.map(|(to, about)| (to, about.reason, about.amount)).collect::<Vec<_>>()
    });
    let both =
        |reason, amount| [Recipient::Cardholder, Recipient::CardManagement].map(|to| (to, reason, amount));
    let want = [both(Reason::NotPermittedToHolder, 100), both(Reason::Approved, 100)];
    assert_eq!(told, want.concat());
    check_replay(&shop.switch, 0);
}

/// A scene with tina, a teller.
fn with_tina() -> Desk {
    let scene = Scene::new();
    scene.enrol("tina", "--teller");
    Desk { scene, city: City::open() }
}

fn card(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("card").args(args);
    command
}

#[test]
fn a_teller_sets_what_a_holder_asks_for_and_nothing_else() {
    let desk = with_tina();
    let process = desk.scene.launch.start();
    let (at, tina) = (admin(&process), desk.scene.text("tina.officer"));
    let pan = String::from_utf8_lossy(desk.city.card(RICH).pan.expose()).into_owned();
    let mask = format!("{}*{}", &pan[..6], &pan[pan.len() - 4..]);
    let set = |more: &[&str], by: &str, at: &str| {
        let mut command = card(&["limits", &mask, "--why", "asked for at the counter"]);
        command.args(more).args(["--officer", by, "--admin", at]);
        command
    };
    let mut terminal = desk.terminal(&process);
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "00");
    let done = succeeds(set(&["--amount", "10000", "--shut", "atm"], &tina, &at));
    assert!(done.starts_with("done: record "), "{done}");
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "61");
    assert_eq!(desk.pays(&mut terminal, &process, 10_000), "00");
    let refused = complaint(set(&["--amount", "0"], &tina, &at));
    assert!(refused.contains("a limit is above zero"), "{refused}");
    let refused = complaint(set(&[], &tina, &at));
    assert!(refused.contains("or --none for all that the product does"), "{refused}");

    let file = desk.scene.text("unblock.order");
    let unblock = ["card", "unblock", "--card", "3", "--admin", &at, "--why", "a try", "--officer"];
    let mut unblock = order(&unblock);
    unblock.args([&desk.scene.text("bob.officer"), "--out", &file]);
    succeeds(unblock);
    succeeds(order(&["sign", &file, "--officer", &tina]));
    let refused = complaint(order(&["carry-out", &file, "--admin", &at]));
    assert!(refused.contains("tina is enrolled as a teller"), "{refused}");
    process.kill9();

    let process = desk.scene.launch.start();
    let at = admin(&process);
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "61", "also after a restart");
    let shown = succeeds(card(&["show", &mask, "--admin", &at]));
    assert!(shown.contains("holder    not by atm; at most 10000 at once; beyond that declined"), "{shown}");
    let json = succeeds(card(&["show", &mask, "--json", "--admin", &at]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["limits"]["amount_max"], 10_000);
    succeeds(set(&["--none"], &desk.scene.text("alice.officer"), &at));
    assert_eq!(desk.pays(&mut terminal, &process, 15_000), "00", "an officer may do it, too");
    desk.scene.stop(process);
    desk.scene.launch.verify();
    check_told(&desk, &pan);
}

/// What is said of the decline afterwards.
fn check_told(desk: &Desk, pan: &str) {
    let history = History::read(desk.scene.launch.data());
    let declined = |(record, _, decided): (u64, i64, &Decided)| {
        (decided.reason == Reason::AmountLimit).then_some(record)
    };
    let record = history.decided().find_map(declined).expect("a decline");
    let data = desk.scene.launch.data().to_string_lossy().into_owned();
    let record = ["--record".to_owned(), record.to_string()];
    let told = explained(&record, &["--data", &data]);
    assert!(told.contains("it was beyond what the cardholder allows"), "{told}");
    let mut notices = Command::new(PROGRAM);
    notices.args(["notices", "list", "--data", &data]);
    let listed = succeeds(notices);
    assert!(listed.contains("holder_limits"), "{listed}");
    assert!(!told.contains(pan) && !listed.contains(pan), "no card number is shown");
}
