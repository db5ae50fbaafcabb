//! Backtests against a journal: a set that is tried on what a switch recorded hits what it hit there.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use cardswitch::backtest::{Findings, Labels, Recorded, Tried, against_journal};
use risk::rulebook::Rulebook;
use switch_tests::{
    ask::{Ask, Receipt},
    city::City,
    history::History,
    random::Random,
};

use super::{
    follow::{MARKET, PHARMACY, Shop, Switch},
    holds::{HOUR_MS, Timed, check_replay},
    officers::succeeds,
    rulebooks::{COUNTING, Desk, HOSPITAL, RICH, RULES, admin, put_in_force, rules_of_the_city},
};
use crate::PROGRAM;

/// Beside the rules of the city: what slides, what is different, what was, and what only holds and their ends change.
const MORE: &str = r#"
[[rule]]
id = "hour"
text = "much in an hour"
when = 'sum(approved, "1h", card) > money("60.00", "CNY")'
outcome = "pass"
priority = 900
owner = "tests"
state = "shadow"

[[rule]]
id = "places"
text = "cards at a terminal"
when = 'distinct(card, "24h", terminal) >= 3 && count(declined, "30m", merchant) >= 1'
outcome = "pass"
priority = 901
owner = "tests"
state = "shadow"

[[rule]]
id = "soon"
text = "soon after the last"
when = 'last.seconds < 120'
outcome = "pass"
priority = 902
owner = "tests"
state = "shadow"

[[rule]]
id = "month"
text = "a month's count, which what goes back lowers"
when = 'count(approved, "month", card) % 3 == 1'
outcome = "pass"
priority = 903
owner = "tests"
state = "shadow"
"#;

fn tried(rules: &[&str]) -> Tried {
    Tried { book: Rulebook::rehearse(rules).expect("good rules"), live: None, labels: Labels::default() }
}

fn backtest(shop: &Shop<Timed>, rules: &[&str]) -> Findings {
    against_journal(shop.switch.reader().as_ref(), &mut tried(rules), &mut |_| true).expect("it is tried")
}

/// Purchases, holds with what follows them, wrong PINs and numbers that are none, with time passing between.
fn traffic(shop: &mut Shop<Timed>, random: &mut Random, requests: usize) {
    let cards = City::open().ordinary_cards();
    let mut open: Vec<Receipt> = Vec::new();
    for _ in 0..requests {
        let card = cards[random.index(cards.len().min(3))].clone();
        let at = [HOSPITAL, MARKET, PHARMACY][random.index(3)];
        let amount = 1 + random.below(6_000);
        let mut ask = match random.below(10) {
            0 => Ask::purchase(&card, amount).with_pin(&card.wrong_pin(), &card),
            1..=2 => Ask::pre_authorization(&card, amount),
            3 if !open.is_empty() => Ask::completion(&card, 1, &open[random.index(open.len())]),
            4 if !open.is_empty() => Ask::addition(&card, 50, &open[random.index(open.len())]),
            5 => Ask::balance(&card),
            _ => Ask::purchase(&card, amount),
        };
        let answer = shop.send(at, &mut ask);
        if answer.code == "00" {
            if ask.mti == 0x0100 {
                open.push(Receipt::of(&answer));
            }
            if random.below(4) == 0 {
                let mut reversal = ask.reversal();
                shop.send(at, &mut reversal);
            }
        }
        shop.switch.wait(i64::try_from(random.below(6 * 60_000)).expect("a short time"));
        if random.below(60) == 0 {
            // Holds of a week run out.
            shop.switch.wait(8 * 24 * HOUR_MS);
            shop.switch.run(&[]);
            shop.sign_in_again();
        }
    }
}

#[test]
fn a_set_hits_in_a_backtest_what_it_hit_live_and_in_a_replay() {
    let mut random = Random::seeded("backtests");
    let mut shop = Shop::at(Timed::start());
    let city = rules_of_the_city() + MORE;
    put_in_force(&mut shop, 1, &city);
    traffic(&mut shop, &mut random, 150);
    let found = backtest(&shop, &[&city]);
    assert_eq!(found.recorded, Some(Recorded { decisions: found.rows, otherwise: 0 }), "{found:?}");
    let live: BTreeMap<String, u64> = shop.switch.look(|books| {
        let rules = books.rules_in_force().expect("a set");
        rules.hits().map(|(id, _, fired)| (id.to_owned(), fired)).collect()
    });
    let hits = |found: &Findings| found.rules.iter().map(|rule| (rule.id.clone(), rule.hits)).collect();
    assert_eq!(live, hits(&found));
    check_replay(&shop.switch, 0);
    assert!(live.values().filter(|hits| **hits > 0).count() >= 3, "seed {}: {live:?}", random.seed());
}

#[test]
fn windows_that_began_later_are_told_of() {
    let mut shop = Shop::at(Timed::start());
    let buys = |shop: &mut Shop<Timed>| {
        let mut ask = Ask::purchase(&shop.card(RICH), 100);
        assert_eq!(shop.send(HOSPITAL, &mut ask).code, "00");
    };
    put_in_force(&mut shop, 1, RULES);
    (0..3).for_each(|_| buys(&mut shop));
    put_in_force(&mut shop, 2, COUNTING);
    buys(&mut shop);
    let found = backtest(&shop, &[COUNTING]);
    let hits: Vec<u64> = found.rules.iter().map(|rule| rule.hits).collect();
    assert_eq!((found.rows, hits), (4, vec![1, 1, 0]), "it was the fourth in an hour, and at the merchant");
    assert_eq!(found.recorded, Some(Recorded { decisions: 1, otherwise: 1 }), "which the set did not know");
    let found = backtest(&shop, &[RULES]);
    assert_eq!(found.recorded, Some(Recorded { decisions: 3, otherwise: 0 }), "it counts nothing");
}

/// A column of the figures, by rule.
pub(crate) fn figures(path: &Path, column: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).expect("the figures");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    let at = head.iter().position(|name| *name == column).expect("the column");
    lines.map(|row| (row[0].to_owned(), row[at].to_owned())).collect()
}

#[test]
fn a_stopped_folder_and_its_backup_are_tried_alike_with_what_was_found_out() {
    let (desk, process) = Desk::start();
    let mut terminal = desk.terminal(&process);
    desk.publish(RULES, &process);
    for (amount, want) in [(15_000, "59"), (6_000, "00"), (20_000, "59"), (100, "00")] {
        assert_eq!(desk.pays(&mut terminal, &process, amount), want);
    }
    let backup = desk.scene.text("backup");
    let mut copy = Command::new(PROGRAM);
    copy.args(["journal", "backup", "--admin", &admin(&process), "--to", &backup]);
    succeeds(copy);
    desk.scene.stop(process);
    let data = desk.scene.launch.data().to_string_lossy().into_owned();
    let history = History::read(desk.scene.launch.data());
    let rrn = |amount: u64| {
        let answers = history.answers();
        answers.values().find(|answer| answer.amount == amount).expect("an answer").rrn.clone()
    };
    let labels = desk.scene.text("labels.csv");
    let text = format!(
        "rrn,label,known\n{},fraud,2020-01-01\n{},genuine,2020-01-01\n{},fraud,2099-01-01\n000000000001,fraud,2020-01-01\n",
        rrn(15_000),
        rrn(6_000),
        rrn(20_000)
    );
    fs::write(&labels, text).expect("the labels");
    let tried = |against: &str| {
        let (rules, csv) = (desk.scene.text("mine.toml"), desk.scene.text("figures.csv"));
        let html = desk.scene.text("report.html");
        let mut command = Command::new(PROGRAM);
        command.args(["rules", "backtest", "--rules", &rules, "--against", against, "--labels", &labels]);
        command.args(["--csv", &csv, "--html", &html]);
        (succeeds(command), desk.scene.path("figures.csv"), desk.scene.path("report.html"))
    };
    let (told, csv, html) = tried(&data);
    for line in [
        "4 requests from",
        "rules of the set decided at 4 of the requests; each hit is as it was recorded",
        "of 4 labels: 1 fit no request that rules were asked about",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let of = |column: &str, rule: &str| figures(&csv, column)[rule].clone();
    let rule = |id: &str| ["hits", "fraud", "genuine", "not_known"].map(|column| of(column, id));
    assert_eq!(rule("too-much"), ["3", "1", "1", "1"], "a label of tomorrow is not known today");
    assert_eq!(rule("much"), ["2", "1", "0", "1"]);
    assert_eq!(of("not_applicable", "aged"), "4");
    assert!(fs::read_to_string(html).expect("the page").contains("<svg"));
    let hits = figures(&csv, "hits");
    let (again, csv, _) = tried(&backup);
    assert_eq!(figures(&csv, "hits"), hits);
    assert!(again.contains("each hit is as it was recorded"), "{again}");
    let pan = String::from_utf8_lossy(desk.city.card(RICH).pan.expose()).into_owned();
    assert!(!told.contains(&pan), "no card number is shown");
}
