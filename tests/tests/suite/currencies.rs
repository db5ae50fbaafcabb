//! A card with a purse in 156 and one in 840, through the real program: each pays only its own currency, merchants are
//! owed in each, and trial balance, settlement and proof hold for each.

use std::{fs, path::Path, process::Command};

use cardswitch::settlement::Summary;
use switch_tests::{ask::Ask, ask::Receipt, city::City};

use super::{
    charted::{asked, row, trial},
    officers::{Scene, copy},
};

const RICH: u64 = 2;
const NO_DOLLARS: u64 = 3;
const NO_PURSE: u64 = 13;

/// The sample city, with a purse in 840 on every card of `city`; one card has 470.00 in it. The supermarket is paid in 840,
/// nobody else is.
fn write_city(folder: &Path) {
    copy(&City::folder(), folder);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of the city");
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file of the city");
    let products = read("products.toml")
        .replace("[\"transit\", \"general\"]", "[\"transit\", \"general\", \"dollars\"]");
    let purse = "\n[[purse]]\nname = \"dollars\"\ncurrency = 840\nmcc = []\nmax = 500000\nfloor = 0\n";
    write("products.toml", products + purse);
    let mut cards = String::new();
    for (at, line) in (1..).zip(read("cards.csv").lines()) {
        let (before, regions) = line.rsplit_once(',').expect("columns");
        let dollars = match at {
            1 => "balance_dollars",
            at if at == RICH => "47000",
            _ => "0",
        };
        cards += &format!("{before},{dollars},{regions}\n");
    }
    write("cards.csv", cards);
    let further = "orderer,CITY,840,100000\nmerchant,898310054110001,840,0\n";
    write("currencies.csv", format!("kind,name,currency,amount\n{further}"));
}

fn dollars(ask: Ask) -> Ask {
    Ask { currency: Some(840), ..ask }
}

#[test]
fn a_card_pays_in_two_currencies_and_each_adds_up_by_itself() {
    let (scene, city) = (Scene::new(), City::open());
    let folder = scene.path("city");
    write_city(&folder);
    let launch = scene.launch.clone().in_city(&folder);
    let process = launch.start();
    let mut line = process.connect();
    let (mut market, mut bus) = (city.terminal("31000002"), city.terminal("31000005"));
    market.sign_in(&mut line);
    bus.sign_in(&mut line);
    let card = city.card(RICH);

    let rows = [
        ("the city's currency", Ask::purchase(&card, 10_000), "00"),
        ("dollars", dollars(Ask::purchase(&card, 3_000)), "00"),
        ("more dollars than there are, though there are yuan", dollars(Ask::purchase(&card, 44_001)), "51"),
        ("a currency without a purse", Ask { currency: Some(344), ..Ask::purchase(&card, 100) }, "12"),
        ("a purse of dollars with nothing in it", dollars(Ask::purchase(&city.card(NO_DOLLARS), 1)), "51"),
        ("a card without a purse of dollars", dollars(Ask::purchase(&city.card(NO_PURSE), 1)), "12"),
        ("the rest of the dollars", dollars(Ask::purchase(&card, 44_000)), "00"),
    ];
    let mut answers = Vec::new();
    for (name, ask, want) in rows {
        let answer = market.ask(&mut line, ask);
        assert_eq!(answer.code, want, "{name}");
        answers.push(answer);
    }
    let at_another = bus.ask(&mut line, dollars(Ask::purchase(&card, 100)));
    assert_eq!(at_another.code, "12", "a merchant that is not paid in dollars");
    let refund = dollars(Ask::refund(&card, 1_000, &Receipt::of(&answers[1])));
    assert_eq!(market.ask(&mut line, refund).code, "00");
    let in_yuan = Ask::refund(&card, 1_000, &Receipt::of(&answers[1]));
    assert_eq!(market.ask(&mut line, in_yuan).code, "64", "what was paid in dollars goes back in dollars");

    let balance = trial(&process);
    assert_eq!(row(&balance, 156, "fees"), (0, 38, 38));
    // 38 hundredths of a percent of 3000 and of 44000; a third of the first goes back.
    assert_eq!(row(&balance, 840, "fees"), (3, 178, 175));
    assert_eq!(row(&balance, 840, "merchant_payable"), (997, 46_822, 45_825));
    assert_eq!(row(&balance, 840, "purse"), (47_000, 1_000, 1_000));
    assert_eq!(row(&balance, 840, "orderer_float"), (0, 0, 53_000));
    assert_eq!(row(&balance, 840, "bank"), (0, 0, -100_000));

    let settled = scene.text("settled");
    let admin = format!("http://{}", process.ports.admin);
    let summary = asked(&["settle", "--day", &balance.day, "--admin", &admin, "--out", &settled]);
    let summary: Summary = serde_json::from_str(&summary).expect("a summary");
    assert_eq!(summary.sums, [(156, 0), (840, 0)]);
    let merchants = fs::read_to_string(scene.path("settled").join(format!("merchants-{}.csv", balance.day)));
    let merchants = merchants.expect("the merchants' file");
    for want in ["156,1,10000,0,0,38,9962", "840,2,47000,1,1000,175,45825"] {
        let line = merchants.lines().find(|line| line.starts_with("898310054110001") && line.ends_with(want));
        assert!(line.is_some(), "{want} in\n{merchants}");
    }
    scene.stop(process);
    scene.launch.verify();
    let process = launch.start();
    assert_eq!(row(&trial(&process), 840, "merchant_payable").2, 45_825, "after a start from a checkpoint");
    scene.stop(process);
}

#[test]
fn a_float_that_does_not_cover_its_cards_in_a_currency_is_refused_at_the_import() {
    let scene = Scene::new();
    let folder = scene.path("city");
    write_city(&folder);
    let further = folder.join("currencies.csv");
    let text = fs::read_to_string(&further).expect("currencies.csv").replace("100000", "46999");
    fs::write(&further, text).expect("currencies.csv");
    let output = Command::new(crate::PROGRAM).args(["city", "check"]).arg(&folder).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("currencies.csv line 2, amount: the float does not cover"), "{told}");
    let refused = scene.launch.clone().in_city(&folder).run_to_end(&folder.join("cardswitch.toml"));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("currencies.csv line 2, amount: the float does not cover"), "{told}");
}
