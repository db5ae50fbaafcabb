//! What takes two officers: an older journal in place of a newer one, and then nothing of before is good twice; and orders to a
//! serving switch.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cardswitch::app::journal_dir;
use switch_tests::{
    ask::Ask,
    city::City,
    history::History,
    process::{Launch, Process},
};

use crate::PROGRAM;

const RICH: u64 = 2;

/// A folder with two officers and a switch that tells its head there.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    pub(crate) launch: Launch,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let mut officers = String::new();
        for name in ["alice", "bob"] {
            let file = at(&format!("{name}.officer"));
            officers += &succeeds(order(&["officer", "--name", name, "--out", &file]));
        }
        fs::write(at("officers.toml"), officers).expect("the file of officers");
        let launch = Launch::new(PROGRAM, &folder.path().join("data"))
            .set("JOURNAL__HEAD_COPY", &at("head"))
            .set("ORDERS__OFFICERS", &at("officers.toml"));
        Self { folder, launch }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    pub(crate) fn stop(&self, process: Process) {
        process.sigterm();
        assert!(process.wait().success());
    }

    /// Orders an epoch as alice, and returns what bob's signature is needed for.
    fn ordered(&self) -> String {
        let (data, alice, file) = (self.text("data"), self.text("alice.officer"), self.text("epoch.order"));
        let why = "the disk failed";
        succeeds(order(&["epoch", "--data", &data, "--why", why, "--officer", &alice, "--out", &file]));
        file
    }

    fn carry_out(&self, file: &str) -> Command {
        let config = config();
        let mut command = order(&["carry-out", file, "--data", &self.text("data")]);
        command.arg("--config").arg(config).env("CARDSWITCH__ORDERS__OFFICERS", self.path("officers.toml"));
        command
    }

    fn begin_epoch(&self) -> String {
        let file = self.ordered();
        let alone = refused(&self.carry_out(&file).output().expect("it runs"));
        assert!(alone.contains("1 of 2 signatures"), "{alone}");
        succeeds(order(&["sign", &file, "--officer", &self.text("bob.officer")]));
        let shown = succeeds(order(&["show", &file, "--officers", &self.text("officers.toml")]));
        assert!(shown.contains("alice, bob (2 of 2)") && shown.contains("it can be carried out"), "{shown}");
        succeeds(self.carry_out(&file))
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city/cardswitch.toml")
}

pub(crate) fn order(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("order").args(arguments);
    command
}

pub(crate) fn succeeds(mut command: Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success());
}

#[test]
fn an_older_copy_of_the_data_folder_is_refused_until_two_officers_begin_an_epoch() {
    let (scene, city) = (Scene::new(), City::open());
    let mut terminal = city.terminal("31000002");
    let process = scene.launch.start();
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 100)).code, "00");
    scene.stop(process);
    copy(&scene.path("data"), &scene.path("older"));

    let process = scene.launch.start();
    let mut line = process.connect();
    let lost = terminal.frame(&mut Ask::purchase(&city.card(RICH), 20));
    line.send(&lost);
    assert_eq!(line.receive().expect("an answer").code, "00");
    scene.stop(process);

    fs::remove_dir_all(scene.path("data")).expect("the disk is lost");
    copy(&scene.path("older"), &scene.path("data"));
    let complaint = refused(&scene.launch.run_to_end(&config()));
    assert!(complaint.contains("this is an older copy of the data folder"), "{complaint}");

    let said = scene.begin_epoch();
    assert!(said.contains("epoch 2 begins with record"), "{said}");
    assert!(scene.path("data/journal.before-epoch-2").is_dir());
    let process = scene.launch.start();
    let mut line = process.connect();
    line.send(&lost);
    assert_ne!(line.receive().expect("an answer").code, "00", "a recording of what did not count");
    terminal.sign_in(&mut line);
    let paid = terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 3));
    assert_eq!(paid.code, "00");
    scene.stop(process);
    scene.launch.verify();

    let history = History::read(scene.launch.data());
    assert_eq!(history.balances()[0], city.opening(RICH) - 103);
    assert_eq!(history.books.epoch(), 2);
    let rrns: Vec<u64> =
        history.answers().values().map(|answer| answer.rrn.parse().expect("digits")).collect();
    let hours: Vec<u64> = rrns.iter().map(|rrn| rrn / 1_000_000 % 100).collect();
    assert_eq!(hours.iter().filter(|hour| **hour >= 25).count(), 1, "{hours:?}");
}

#[test]
fn an_order_is_for_one_journal_and_good_once() {
    let (scene, city) = (Scene::new(), City::open());
    let process = scene.launch.start();
    let mut terminal = city.terminal("31000002");
    terminal.sign_in(&mut process.connect());
    scene.stop(process);
    scene.begin_epoch();
    let again = refused(&scene.carry_out(&scene.text("epoch.order")).output().expect("it runs"));
    assert!(again.contains("the order begins epoch 2, and epoch 3 is the next"), "{again}");

    // The officers' file no longer knows bob: a journal of an epoch that was never told is not served.
    let officers = fs::read_to_string(scene.path("officers.toml")).expect("officers");
    let carol = succeeds(order(&["officer", "--name", "carol", "--out", &scene.text("carol.officer")]));
    let alice = officers.split("[[officer]]").nth(1).expect("alice");
    fs::write(scene.path("officers.toml"), format!("[[officer]]{alice}{carol}"))
        .expect("the file of officers");
    let complaint = refused(&scene.launch.run_to_end(&config()));
    assert!(complaint.contains("its order does not count: bob is no enrolled officer"), "{complaint}");
    fs::write(scene.path("officers.toml"), officers).expect("the file of officers");
    scene.stop(scene.launch.start());
}

#[test]
fn a_journal_with_a_damaged_end_goes_on_from_its_last_whole_record() {
    let (scene, city) = (Scene::new(), City::open());
    let mut terminal = city.terminal("31000002");
    let process = scene.launch.start();
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    for _ in 0..3 {
        assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 100)).code, "00");
    }
    process.kill9();
    let file = journal_dir(scene.launch.data()).join("db");
    let mut bytes = fs::read(&file).expect("the store's file");
    let last = bytes.windows(4).rposition(|window| window == b"CWX\x01").expect("an extent");
    bytes[last + 60] ^= 1;
    fs::write(&file, bytes).expect("the store's file");

    let complaint = refused(&scene.launch.run_to_end(&config()));
    assert!(complaint.contains("restore the folder from a backup"), "{complaint}");
    let said = scene.begin_epoch();
    assert!(said.contains("epoch 2 begins"), "{said}");
    let process = scene.launch.start();
    terminal.sign_in(&mut process.connect());
    scene.stop(process);
    scene.launch.verify();
    let left = History::read(scene.launch.data()).balances()[0];
    assert_eq!(left, city.opening(RICH) - 200, "the last of three is in the journal of before only");
}

#[test]
fn what_two_officers_order_a_serving_switch_does_once() {
    let (scene, city) = (Scene::new(), City::open());
    let mut terminal = city.terminal("31000002");
    let process = scene.launch.start();
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    let card = city.card(RICH);
    let pays = |pin: &[u8]| Ask::purchase(&card, 100).with_pin(pin, &card);
    for code in ["55", "55", "75"] {
        assert_eq!(terminal.ask(&mut line, pays(&card.wrong_pin())).code, code);
    }
    assert_eq!(terminal.ask(&mut line, pays(&card.pin)).code, "75");

    let admin = format!("http://{}", process.ports.admin);
    let pan = String::from_utf8_lossy(card.pan.expose()).into_owned();
    let masked = format!("{}{}", &pan[..6], &pan[pan.len() - 4..]);
    let mut shown = Command::new(PROGRAM);
    shown.args(["card", "show", &masked, "--admin", &admin, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&succeeds(shown)).expect("JSON");
    let position = shown[0]["position"].to_string();

    let (alice, bob, file) =
        (scene.text("alice.officer"), scene.text("bob.officer"), scene.text("tries.order"));
    let why = "holder came in with papers";
    let carried_out = || order(&["carry-out", &file, "--admin", &admin]).output().expect("it runs");
    let made =
        ["card", "reset-pin-tries", "--card", &position, "--why", why, "--officer", &alice, "--out", &file];
    succeeds(order(&made));
    assert!(refused(&carried_out()).contains("1 of 2 signatures"));
    assert_eq!(terminal.ask(&mut line, pays(&card.pin)).code, "75", "one officer changes nothing");
    succeeds(order(&["sign", &file, "--officer", &bob]));
    let signed = fs::read_to_string(&file).expect("the order");
    fs::write(&file, signed.replace(&format!("\"card\": {position}"), "\"card\": 7")).expect("the order");
    assert!(refused(&carried_out()).contains("the signature of alice is not of this order"));
    fs::write(&file, &signed).expect("the order");
    assert!(succeeds(order(&["carry-out", &file, "--admin", &admin])).contains("carried out: record"));
    assert_eq!(terminal.ask(&mut line, pays(&card.pin)).code, "00");
    assert!(refused(&carried_out()).contains("the order was carried out before"));
    process.kill9();
    let epoch = scene.ordered();

    let process = scene.launch.start();
    let again = order(&["carry-out", &file, "--admin", &format!("http://{}", process.ports.admin)]).output();
    assert!(refused(&again.expect("it runs")).contains("carried out before"), "also over a restart");
    succeeds(order(&["sign", &epoch, "--officer", &bob]));
    let served =
        order(&["carry-out", &epoch, "--admin", &format!("http://{}", process.ports.admin)]).output();
    assert!(refused(&served.expect("it runs")).contains("the data folder of a stopped switch"));
    scene.stop(process);
    scene.launch.verify();
}

#[test]
fn officers_move_money_between_cards_of_one_orderer_and_no_others() {
    let (scene, city) = (Scene::new(), City::open());
    let process = scene.launch.start();
    let admin = format!("http://{}", process.ports.admin);
    let (alice, bob, file) =
        (scene.text("alice.officer"), scene.text("bob.officer"), scene.text("card.order"));
    let ordered = |what: &[&str]| {
        let mut made = order(&["card"]);
        made.args(what).args(["--why", "asked for by the orderer", "--officer", &alice, "--out", &file]);
        succeeds(made);
        let signed = succeeds(order(&["sign", &file, "--officer", &bob]));
        (signed, order(&["carry-out", &file, "--admin", &admin]).output().expect("it runs"))
    };
    let others = city.cards().iter().position(|row| row.orderer != city.cards()[0].orderer).expect("a card");
    let (signed, done) = ordered(&["transfer", "--from", "0", "--to", "2", "--amount", "2500"]);
    assert!(signed.contains("move 2500 minor units from card 0 to card 2"), "{signed}");
    assert!(String::from_utf8_lossy(&done.stdout).contains("carried out: record"), "{done:?}");
    let (_, foreign) = ordered(&["transfer", "--from", "0", "--to", &others.to_string(), "--amount", "2500"]);
    assert!(refused(&foreign).contains("not of one orderer"));
    let (_, beyond) = ordered(&["unblock", "--card", "70000"]);
    assert!(refused(&beyond).contains("there is no such card"));
    scene.stop(process);
    scene.launch.verify();
    let balances = History::read(scene.launch.data()).balances();
    let opening = |at: usize| city.cards()[at].opening.iter().sum::<i64>();
    assert_eq!((balances[0], balances[2]), (opening(0) - 2500, opening(2) + 2500));
}

#[test]
fn a_fee_schedule_that_officers_publish_is_charged_from_then_on() {
    let (scene, city) = (Scene::new(), City::open());
    let mut terminal = city.terminal("31000002");
    let process = scene.launch.start();
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    let folder = scene.path("city");
    copy(&City::folder(), &folder);
    fs::write(folder.join("fees.toml"), "[[fee]]\nname = \"all\"\npercent_bp = 0\nfixed = 77\n")
        .expect("fees.toml");
    let (alice, bob, file) =
        (scene.text("alice.officer"), scene.text("bob.officer"), scene.text("fees.order"));
    let admin = format!("http://{}", process.ports.admin);
    let (city_folder, why) = (scene.text("city"), "terms of 2027");
    succeeds(order(&[
        "fees",
        "--city",
        &city_folder,
        "--admin",
        &admin,
        "--why",
        why,
        "--officer",
        &alice,
        "--out",
        &file,
    ]));
    succeeds(order(&["sign", &file, "--officer", &bob]));
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 10_000)).code, "00");
    succeeds(order(&["carry-out", &file, "--admin", &admin]));
    assert_eq!(terminal.ask(&mut line, Ask::purchase(&city.card(RICH), 10_000)).code, "00");
    scene.stop(process);
    scene.launch.verify();
    let history = History::read(scene.launch.data());
    let fees: Vec<i64> = history.decided().map(|(_, _, decided)| decided.fee).collect();
    assert!(matches!(fees[..], [before, 77] if before != 77), "{fees:?}");
}
