//! What takes two officers: an older journal in place of a newer one, and then nothing of before is good twice; and orders to a
//! serving switch.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use cardswitch::{
    app::journal_dir,
    clock::Clock,
    epoch,
    journal::{JournalError, copy_for_inspection},
    orders::{Officers, file},
};
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

    /// Enrols somebody else, as `--analyst`, say; who that is counts from the next start on.
    pub(crate) fn enrol(&self, name: &str, role: &str) {
        let key = self.text(&format!("{name}.officer"));
        let entry = succeeds(order(&["officer", "--name", name, role, "--out", &key]));
        let officers = fs::OpenOptions::new().append(true).open(self.path("officers.toml"));
        officers.expect("officers").write_all(entry.as_bytes()).expect("the entry");
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

/// What a command that fails says.
pub(crate) fn complaint(mut command: Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
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
    let head = History::read(scene.launch.data()).books.seq();
    // With a setting that a start records, if it gets as far as that.
    let differently = scene.launch.clone().set("BOOKS__PIN_TRIES_MAX", "5");
    let complaint = refused(&differently.run_to_end(&config()));
    assert!(complaint.contains("this is an older copy of the data folder"), "{complaint}");
    let found = History::read(scene.launch.data()).books.seq();
    assert_eq!(found, head, "a journal that is refused stays as it was found");

    let said = scene.begin_epoch();
    assert!(said.contains("epoch 2 begins with record"), "{said}");
    assert!(said.contains("has zone keys with check values"), "both ends can compare them: {said}");
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
fn nobody_opens_the_journal_while_an_epoch_begins() {
    let scene = Scene::new();
    scene.stop(scene.launch.start());
    let file = scene.ordered();
    succeeds(order(&["sign", &file, "--officer", &scene.text("bob.officer")]));
    let signed = file::read(Path::new(&file)).expect("an order");
    let officers = Officers::read(&scene.path("officers.toml")).expect("officers");
    let folder = epoch::Folder { data: scene.launch.data(), archive: None };
    let mut clock = Clock::new("UTC").expect("a clock");
    let journal = journal_dir(scene.launch.data());
    let (mut tried, mut last) = (0, 0_u64);
    let mut watch = |seq: u64| {
        // Once in each of its steps, which all begin with the first record.
        if seq <= last {
            let opened = copy_for_inspection(&journal).map(drop);
            assert!(matches!(opened, Err(JournalError::InUse)), "{opened:?}");
            tried += 1;
        }
        last = seq;
    };
    epoch::begin(folder, &signed, &officers, &mut clock, &mut watch).expect("an epoch");
    assert!(tried > 0, "nothing was tried");
    scene.stop(scene.launch.start());
}

/// A power cut behind the change of places must not find a journal whose files were only in the system's cache.
#[test]
fn the_files_of_an_epochs_journal_are_durable_before_they_take_the_journals_place() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        switch_tests::tell("skipped: strace is not installed");
        return;
    }
    let scene = Scene::new();
    scene.stop(scene.launch.start());
    let file = scene.ordered();
    succeeds(order(&["sign", &file, "--officer", &scene.text("bob.officer")]));
    let trace = scene.text("trace");
    let carry_out = scene.carry_out(&file);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-e", "trace=fsync,fdatasync,renameat2", "-o", &trace]);
    traced.arg(carry_out.get_program()).args(carry_out.get_args());
    traced.envs(carry_out.get_envs().filter_map(|(key, value)| Some((key, value?))));
    succeeds(traced);
    let trace = fs::read_to_string(trace).expect("a trace");
    let (before, _) = trace.split_once("RENAME_EXCHANGE").expect("the folders change places");
    let mut folders = vec![journal_dir(scene.launch.data())];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
            let there = entry.path().to_string_lossy().replace("/data/journal/", "/data/journal.epoch-2/");
            assert!(before.contains(&format!("<{there}>")), "{there} was not synced");
        }
    }
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
    // Nothing but the tail has it yet.
    let file = journal_dir(scene.launch.data()).join("tail-0.bin");
    let mut bytes = fs::read(&file).expect("the journal's tail");
    let last = bytes.windows(4).rposition(|window| window == b"CWX\x01").expect("an extent");
    bytes[last + 60] ^= 1;
    fs::write(&file, bytes).expect("the journal's tail");

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
    let mut made = order(&["card", "reset-pin-tries", "--admin", &admin, "--card", &position]);
    made.args(["--why", why, "--officer", &alice, "--out", &file]);
    succeeds(made);
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
        made.args(what).args(["--admin", &admin]);
        made.args(["--why", "asked for by the orderer", "--officer", &alice, "--out", &file]);
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
fn an_order_is_good_in_the_journal_that_it_names_and_in_no_other() {
    let scene = Scene::new();
    let ours = scene.launch.start();
    scene.stop(ours);
    copy(&scene.path("data"), &scene.path("copy"));
    let ours = scene.launch.start();
    let elsewhere = |name: &str| {
        let launch = Launch::new(PROGRAM, &scene.path(name));
        launch.set("ORDERS__OFFICERS", &scene.text("officers.toml")).start()
    };
    let (city, copy) = (elsewhere("test-city"), elsewhere("copy"));
    let [ours_at, city_at, copy_at] =
        [&ours, &city, &copy].map(|process| format!("http://{}", process.ports.admin));
    let (alice, bob, file) = (scene.text("alice.officer"), scene.text("bob.officer"), scene.text("17.order"));
    let make = |of: [&str; 2]| {
        let mut made = order(&["card", "reset-pin-tries", "--card", "2", "--why", "papers", "--out", &file]);
        made.args(of).args(["--officer", &alice]);
        succeeds(made);
        succeeds(order(&["sign", &file, "--officer", &bob]))
    };
    let carried_out = |admin: &str| order(&["carry-out", &file, "--admin", admin]).output().expect("it runs");
    make(["--admin", &city_at]);
    for (name, admin) in [("ours", &ours_at), ("a copy of it", &copy_at)] {
        let refused = refused(&carried_out(admin));
        assert!(refused.contains("the order is for another journal"), "{name}: {refused}");
    }
    assert!(carried_out(&city_at).status.success(), "where it was made for");

    make(["--admin", &ours_at]);
    assert!(carried_out(&ours_at).status.success(), "a record is behind what the copy has");
    let nowhere = format!("0:{}", "00".repeat(32));
    let shown = make(["--at", &nowhere]);
    assert!(shown.contains("journal  that has, at record 0"), "{shown}");
    for admin in [&ours_at, &city_at] {
        let refused = refused(&carried_out(admin));
        assert!(refused.contains("another journal"), "in front of the first all are alike: {refused}");
    }
    make(["--admin", &ours_at]);
    assert!(refused(&carried_out(&copy_at)).contains("another journal"), "the copy has gone on by itself");
    for process in [ours, city, copy] {
        scene.stop(process);
    }
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
