//! A city with a fee schedule and a chart of accounts, through the real program: who gets the fees, that a refund takes
//! them back from those who got them whatever chart is in force by then, and that trial balance and statement say so.

use std::{fs, path::Path, process::Command};

use cardswitch::{
    audit::{
        chart::ChartView,
        orderer::OrdererStatement,
        trial::{Trial, TrialRow},
    },
    ledger::Currency,
};
use switch_tests::{
    ask::{Ask, Receipt},
    city::City,
    process::Process,
};

use super::officers::{Scene, copy, order, succeeds};
use crate::PROGRAM;

const RICH: u64 = 2;

const FEES: &str = "[[fee]]\nname = \"all\"\npercent_bp = 100\n";

/// A third of the supermarket's fees to the operator, the rest to the issuer of the card.
const DIVIDED: &str = r#"
[[account]]
name = "operator"

[[rule]]
name = "food"
leg = "fee"
mcc = [5411]
to = [{ account = "operator", permille = 333 }, { account = "issuer", permille = 667 }]
"#;

const ALL_TO_THE_OPERATOR: &str = r#"
[[account]]
name = "operator"

[[rule]]
name = "all"
leg = "fee"
to = [{ account = "operator", permille = 1000 }]
"#;

/// The JSON that a command prints.
pub(crate) fn asked(arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--json");
    succeeds(command)
}

/// The trial balance of the open day, which must add up.
pub(crate) fn trial(process: &Process) -> Trial {
    let admin = format!("http://{}", process.ports.admin);
    let trial = asked(&["ledger", "trial", "--admin", &admin]);
    let trial: Trial = serde_json::from_str(&trial).expect("a trial balance");
    assert_eq!(trial.faults, [""; 0]);
    for block in &trial.currencies {
        let TrialRow { opening, debit, credit, closing, .. } = block.sum;
        assert_eq!((opening, debit, closing), (0, credit, 0), "currency {}", block.currency);
    }
    trial
}

/// What was debited and credited on an account, and what it stands at.
pub(crate) fn row(trial: &Trial, currency: Currency, account: &str) -> (i128, i128, i128) {
    let block = trial.currencies.iter().find(|block| block.currency == currency).expect("the currency");
    let row = block.rows.iter().find(|row| row.account == account);
    let row = row.unwrap_or_else(|| panic!("no {account} in {block:?}"));
    (row.debit, row.credit, row.closing)
}

fn write_city(folder: &Path) {
    copy(&City::folder(), folder);
    fs::write(folder.join("fees.toml"), FEES).expect("fees.toml");
    fs::write(folder.join("chart.toml"), DIVIDED).expect("chart.toml");
}

#[test]
fn fees_go_where_the_chart_says_and_come_back_from_there() {
    let (scene, city) = (Scene::new(), City::open());
    let folder = scene.path("city");
    write_city(&folder);
    let launch = scene.launch.clone().in_city(&folder);
    let process = launch.start();
    let (mut line, mut terminal) = (process.connect(), city.terminal("31000002"));
    terminal.sign_in(&mut line);
    let card = city.card(RICH);

    let bought = terminal.ask(&mut line, Ask::purchase(&card, 10_001));
    assert_eq!(bought.code, "00");
    let receipt = Receipt::of(&bought);
    let balance = trial(&process);
    assert_eq!(row(&balance, 156, "operator"), (0, 33, 33), "100 in all, rounded down");
    assert_eq!(row(&balance, 156, "issuer_fees"), (0, 67, 67), "the rest");
    assert_eq!(row(&balance, 156, "fees"), (0, 0, 0));
    assert_eq!(terminal.ask(&mut line, Ask::refund(&card, 5_000, &receipt)).code, "00");
    let balance = trial(&process);
    assert_eq!(row(&balance, 156, "operator"), (16, 33, 17));
    assert_eq!(row(&balance, 156, "issuer_fees"), (33, 67, 34));

    publish(&scene, &process, &folder, ALL_TO_THE_OPERATOR);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&card, 10_000)).code, "00");
    let rest = Ask::refund(&card, 5_001, &receipt);
    assert_eq!(terminal.ask(&mut line, rest).code, "00", "by the chart of the purchase");
    let balance = trial(&process);
    assert_eq!(row(&balance, 156, "operator"), (33, 133, 100));
    assert_eq!(row(&balance, 156, "issuer_fees"), (67, 67, 0));

    let admin = format!("http://{}", process.ports.admin);
    let chart = asked(&["ledger", "chart", "--admin", &admin]);
    let chart: ChartView = serde_json::from_str(&chart).expect("a chart");
    assert_eq!((chart.version, chart.income[0].to.as_slice()), (2, &[("operator".to_owned(), 1000)][..]));
    let statement = asked(&["statement", "--orderer", "CITY", "--day", &balance.day, "--admin", &admin]);
    let statement: OrdererStatement = serde_json::from_str(&statement).expect("a statement");
    let day = &statement.currencies[0].days[0];
    assert_eq!((day.purchases, day.refunds, day.net), (20_001, 10_001, 10_000));
    assert_eq!((day.merchants, day.fees, statement.faults.len()), (9_900, 100, 0));

    scene.stop(process);
    scene.launch.verify();
    let process = launch.start();
    assert_eq!(row(&trial(&process), 156, "operator"), (33, 133, 100), "after a start from a checkpoint");
    scene.stop(process);
}

/// Two officers put another chart in force.
fn publish(scene: &Scene, process: &Process, folder: &Path, chart: &str) {
    fs::write(folder.join("chart.toml"), chart).expect("chart.toml");
    let (alice, bob) = (scene.text("alice.officer"), scene.text("bob.officer"));
    let (file, admin) = (scene.text("chart.order"), format!("http://{}", process.ports.admin));
    let (city, why) = (folder.to_string_lossy(), "the operator's terms");
    let arguments = ["chart", "--city", &city, "--admin", &admin, "--why", why, "--officer", &alice];
    let made = succeeds(order(&[&arguments[..], &["--out", &file]].concat()));
    assert!(made.contains("put a chart of accounts with 1 accounts and 1 rules in force"), "{made}");
    succeeds(order(&["sign", &file, "--officer", &bob]));
    succeeds(order(&["carry-out", &file, "--admin", &admin]));
}
