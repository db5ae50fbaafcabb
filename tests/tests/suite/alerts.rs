//! Alerts through the real program: what rules want looked at is taken up, said what it was, and a rule sleeps for a card.

use std::process::Command;

use serde_json::Value;
use switch_tests::{ask::Ask, city::City, process::Process, terminal::Terminal};

use super::{
    backtests::figures,
    follow::POOR,
    officers::{Scene, complaint, order, succeeds},
    rulebooks::{Desk, RICH, admin, explained},
};
use crate::PROGRAM;

/// One rule that tells from 50.00 on, and one that declines from 100.00 on.
const RULES: &str = r#"
[[rule]]
id = "some"
text = "more than usual"
when = 'amount > money("50.00", "CNY")'
outcome = "approve_and_notify"
priority = 200
notice = "{amount} {currency} at {merchant}"
owner = "fraud desk"
state = "live"

[[rule]]
id = "much"
text = "more than anybody needs"
when = 'amount > money("100.00", "CNY")'
outcome = "decline_and_notify"
priority = 100
reason = "suspected_fraud"
notice = "{amount} {currency} at {merchant} declined"
owner = "fraud desk"
state = "live"

[[rule]]
id = "tried"
text = "tried out, nobody is troubled"
when = 'amount > money("1.00", "CNY")'
outcome = "approve_and_notify"
priority = 300
notice = "{amount}"
owner = "fraud desk"
state = "shadow"
"#;

/// A desk with two officers, and ann, who is an analyst.
fn desk() -> (Desk, Process) {
    let scene = Scene::new();
    scene.enrol("ann", "--analyst");
    let desk = Desk { scene, city: City::open() };
    let process = desk.scene.launch.start();
    (desk, process)
}

fn alerts(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("alerts").args(args);
    command
}

fn listed(at: &[&str]) -> Value {
    let mut command = alerts(&["list", "--all", "--json"]);
    command.args(at);
    serde_json::from_str(&succeeds(command)).expect("JSON")
}

/// Of each alert its rule, who looks at it, and what it was.
fn rows(list: &Value) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |alert: &Value| ["rule", "assigned_to", "disposition"].map(|key| text(&alert[key]));
    list["alerts"].as_array().expect("alerts").iter().map(row).collect()
}

struct Ann<'a> {
    desk: &'a Desk,
    process: &'a Process,
}

impl Ann<'_> {
    /// What ann does with an alert.
    fn does(&self, args: &[&str]) -> Command {
        let mut command = alerts(args);
        command.args(["--officer", &self.desk.scene.text("ann.officer"), "--admin", &admin(self.process)]);
        command
    }

    fn snoozes(&self, alert: &str, days: &str) {
        let file = self.desk.scene.text("snooze.order");
        let snooze = ["snooze", alert, "--days", days, "--why", "travels until March", "--out", &file];
        succeeds(self.does(&snooze));
        let carry_out = || order(&["carry-out", &file, "--admin", &admin(self.process)]);
        assert!(complaint(carry_out()).contains("1 of 2 signatures"), "ann alone");
        let shown = succeeds(order(&["sign", &file, "--officer", &self.desk.scene.text("bob.officer")]));
        assert!(shown.contains("rule much has no effect for the card of alert"), "{shown}");
        succeeds(carry_out());
    }
}

#[test]
fn what_rules_want_looked_at_is_taken_up_and_said_what_it_was() {
    let (desk, process) = desk();
    let at = admin(&process);
    let mut terminal = desk.terminal(&process);
    desk.publish(RULES, &process);
    for (amount, want) in [(6_000, "00"), (15_000, "59"), (500, "00")] {
        assert_eq!(desk.pays(&mut terminal, &process, amount), want);
    }
    let found = listed(&["--admin", &at]);
    assert_eq!(rows(&found), [["some", "", ""], ["much", "", ""]], "not what is in shadow");
    let record = |place: usize| found["alerts"][place]["record"].to_string();
    let ann = Ann { desk: &desk, process: &process };
    succeeds(ann.does(&["assign", &record(0), "--to", "ann"]));
    succeeds(ann.does(&["dispose", &record(1), "--as", "fraud", "--why", "so it seemed"]));
    succeeds(ann.does(&["dispose", &record(1), "--as", "genuine", "--why", "the holder called back"]));
    let refused = complaint(ann.does(&["assign", &record(1), "--to", "ann"]));
    assert!(refused.contains("somebody has said what this alert was"), "{refused}");
    let refused = complaint(ann.does(&["dispose", "1", "--as", "fraud", "--why", "a slip"]));
    assert!(refused.contains("no alert has this number"), "{refused}");

    check_snooze(&ann, &mut terminal, &record(1));
    let list = listed(&["--admin", &at]);
    let want =
        [["some", "ann", ""], ["much", "", "genuine"], ["some", "", ""], ["much", "", ""], ["much", "", ""]];
    assert_eq!(rows(&list), want, "the last while it was snoozed, another card's, and after it");
    assert_eq!(list["counts"]["disposed"], serde_json::json!([1, 1, 0]));
    let page = process.page("/metrics");
    for line in [
        "cardswitch_alerts_open 4",
        "cardswitch_alerts_total 5",
        "cardswitch_alerts_disposed_total{disposition=\"genuine\"} 1",
        "cardswitch_alerts_lapsed_total 0",
    ] {
        assert!(page.contains(line), "{line}:\n{page}");
    }
    process.kill9();

    let process = desk.scene.launch.start();
    assert_eq!(listed(&["--admin", &admin(&process)]), list, "also after a restart");
    desk.scene.stop(process);
    desk.scene.launch.verify();
    let data = desk.scene.launch.data().to_string_lossy().into_owned();
    assert_eq!(listed(&["--data", &data]), list, "and in the stopped folder");
    let pan = String::from_utf8_lossy(desk.city.card(RICH).pan.expose()).into_owned();
    assert!(!list.to_string().contains(&pan), "no card number is shown");

    let (rules, csv) = (desk.scene.text("mine.toml"), desk.scene.text("figures.csv"));
    let mut command = Command::new(PROGRAM);
    command.args(["rules", "backtest", "--rules", &rules, "--against", &data, "--csv", &csv]);
    let told = succeeds(command);
    assert!(
        told.contains("rules of the set decided at 6 of the requests; each hit is as it was recorded"),
        "{told}"
    );
    let of = |column: &str| figures(&desk.scene.path("figures.csv"), column)["much"].clone();
    let columns = ["hits", "fraud", "genuine", "not_known"].map(of);
    assert_eq!(columns, ["4", "0", "1", "3"], "the later word is the label; a snooze changes no hit");
}

/// The rule that declines sleeps for one card, and wakes up.
fn check_snooze(ann: &Ann<'_>, terminal: &mut Terminal, alert: &str) {
    let Ann { desk, process } = ann;
    ann.snoozes(alert, "30");
    assert_eq!(desk.pays(terminal, process, 15_000), "00", "the rule sleeps");
    let poor = Ask::purchase(&desk.city.card(POOR), 15_000);
    assert_eq!(terminal.ask(&mut process.connect(), poor).code, "59", "for one card");
    let list = listed(&["--admin", &admin(process)]);
    assert_eq!(list["snoozed"][0]["rule"], "much");
    let which = ["--record".to_owned(), list["alerts"][2]["record"].to_string()];
    let told = explained(&which, &["--admin", &admin(process)]);
    assert!(told.contains("much (live) fired, and is snoozed for this card"), "{told}");
    ann.snoozes(alert, "0");
    assert_eq!(desk.pays(terminal, process, 15_000), "59", "it is awake again");
    assert_eq!(listed(&["--admin", &admin(process)])["snoozed"], serde_json::json!([]));
}

#[test]
fn an_analyst_signs_nothing_but_what_is_of_alerts() {
    let (desk, process) = desk();
    let (file, ann, bob) =
        (desk.scene.text("card.order"), desk.scene.text("ann.officer"), desk.scene.text("bob.officer"));
    let made = ["card", "unblock", "--card", "3", "--admin", &admin(&process), "--why", "a try"];
    let mut made = order(&made);
    made.args(["--officer", &bob, "--out", &file]);
    succeeds(made);
    succeeds(order(&["sign", &file, "--officer", &ann]));
    let told = complaint(order(&["carry-out", &file, "--admin", &admin(&process)]));
    assert!(
        told.contains("ann is enrolled as an analyst, whose signature counts for alerts alone"),
        "{told}"
    );
    desk.scene.stop(process);
}
