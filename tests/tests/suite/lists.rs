//! Lists by name through the real program: imported while terminals ask, looked into by rules, whole or not at all.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use cardswitch::books::event::Event;
use serde_json::Value;
use switch_tests::{ask::Ask, city::City, history::History, process::Process};

use super::{
    backtests::figures,
    officers::{Scene, order, succeeds},
};
use crate::PROGRAM;

const RICH: u64 = 2;
const TERMINAL: &str = "31000002";

const RULES: &str = r#"
[lists]
stolen = "card"
watched = "terminal"

[[rule]]
id = "stolen-card"
text = "somebody reported it"
when = 'card in list("stolen")'
outcome = "decline_and_notify"
priority = 1
reason = "stolen"
notice = "declined"
owner = "fraud desk"
state = "live"

[[rule]]
id = "watched-terminal"
text = "numbers are tried out there"
when = 'terminal in list("watched")'
outcome = "decline_and_notify"
priority = 2
reason = "restricted"
notice = "declined"
owner = "fraud desk"
state = "live"
"#;

struct Desk {
    scene: Scene,
    city: City,
}

impl Desk {
    fn start() -> (Self, Process) {
        let desk = Self { scene: Scene::new(), city: City::open() };
        let process = desk.scene.launch.start();
        (desk, process)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.scene.path(name), text).expect("a file");
        self.scene.text(name)
    }

    /// The arguments of an order of this change, made by alice.
    fn change(&self, what: &[&str], process: &Process, name: &str) -> Command {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/city/cardswitch.toml");
        let mut command = order(&[&["list"], what].concat());
        command.arg("--config").arg(config).args(["--admin", &admin(process)]);
        command.args(["--why", "a test", "--officer", &self.scene.text("alice.officer")]);
        command.args(["--out", &self.scene.text(name)]);
        command
    }

    fn sign(&self, name: &str) -> Command {
        order(&["sign", &self.scene.text(name), "--officer", &self.scene.text("bob.officer")])
    }

    fn carry_out(&self, name: &str, process: &Process) -> Command {
        order(&["carry-out", &self.scene.text(name), "--admin", &admin(process)])
    }

    fn changes(&self, what: &[&str], process: &Process, name: &str) -> String {
        succeeds(self.change(what, process, name));
        succeeds(self.sign(name));
        succeeds(self.carry_out(name, process))
    }

    fn publish(&self, process: &Process) {
        self.order_rules(process);
        succeeds(self.carry_out("rules.order", process));
    }

    fn order_rules(&self, process: &Process) {
        let text = self.file("mine.toml", RULES);
        let mut made = order(&["rules", &text, "--admin", &admin(process), "--why", "a test"]);
        made.args(["--officer", &self.scene.text("alice.officer"), "--out", &self.scene.text("rules.order")]);
        succeeds(made);
        succeeds(self.sign("rules.order"));
    }

    fn pan(&self, card: u64) -> String {
        String::from_utf8_lossy(self.city.card(card).pan.expose()).into_owned()
    }
}

fn admin(process: &Process) -> String {
    format!("http://{}", process.ports.admin)
}

fn lists(process: &Process) -> Value {
    let mut command = Command::new(PROGRAM);
    command.args(["lists", "--json", "--admin", &admin(process)]);
    serde_json::from_str(&succeeds(command)).expect("JSON")
}

fn complaint(mut command: Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_list_of_cards_decides_from_the_record_of_its_order_on() {
    let (desk, process) = Desk::start();
    let mut terminal = desk.city.terminal(TERMINAL);
    terminal.sign_in(&mut process.connect());
    let mut pays = |process: &Process, card: u64| {
        terminal.ask(&mut process.connect(), Ask::purchase(&desk.city.card(card), 100)).code
    };
    desk.order_rules(&process);
    let refused = complaint(desk.carry_out("rules.order", &process));
    assert!(refused.contains("no such list of that"), "{refused}");
    let none = ["add", "watched", "--kind", "terminal"];
    desk.changes(&none, &process, "watched.order");

    let pan = desk.pan(RICH);
    let stolen = format!(
        "value,reason,expires\n{pan},reported,\n{},reported,2099-12-31\n{pan},again,\n{pan}1,reported,\n{pan},reported,soon\n",
        desk.pan(3)
    );
    let file = desk.file("stolen.csv", &stolen);
    let import = ["add", "stolen", "--kind", "card", "--file", &file, "--source", "police"];
    let mut dry = desk.change(&import, &process, "stolen.order");
    dry.arg("--dry-run");
    let told = complaint(dry);
    for line in [
        "stolen.csv:4: says again what line 2 says",
        "stolen.csv:5: value: card number has a wrong check digit",
        "stolen.csv:6: expires: must be",
        "2 of 2 are cards of this switch",
        "list stolen would begin: 2 added",
        "5 lines: 2 entries, 1 duplicate, 2 invalid",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    assert!(!told.contains(&pan) && !desk.scene.path("stolen.order").exists(), "{told}");

    let file = desk.file("stolen.csv", &stolen.lines().take(3).collect::<Vec<_>>().join("\n"));
    let import = ["add", "stolen", "--kind", "card", "--file", &file, "--source", "police"];
    succeeds(desk.change(&import, &process, "stolen.order"));
    let alone = complaint(desk.carry_out("stolen.order", &process));
    assert!(alone.contains("1 of 2 signatures"), "{alone}");
    let shown = succeeds(desk.sign("stolen.order"));
    assert!(shown.contains("add 2 entries: list stolen, of card"), "{shown}");
    succeeds(desk.carry_out("stolen.order", &process));
    let twice = complaint(desk.carry_out("stolen.order", &process));
    assert!(twice.contains("carried out before"), "{twice}");
    assert_eq!(pays(&process, RICH), "00", "no rule asks yet");
    desk.publish(&process);
    assert_eq!(pays(&process, RICH), "43");

    let found = lists(&process);
    let list = &found[1];
    assert_eq!(
        (&list["name"], &list["entries"], &list["version"], &list["asked"], &list["last"]["approver"]),
        (&"stolen".into(), &2.into(), &1.into(), &true.into(), &"bob".into())
    );
    let why = |which: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["lists", "stolen", "--card", which, "--admin", &admin(&process)]);
        succeeds(command)
    };
    let said = why("0");
    assert!(said.contains("reason  reported\nsource  police\nends    never\n"), "{said}");
    assert!(said.contains("by      alice, approved by bob"), "{said}");
    assert!(why("5").contains("not on the list"));
    let page = process.page("/metrics");
    for line in ["cardswitch_list_entries{list=\"stolen\"} 2", "cardswitch_list_version{list=\"watched\"} 1"]
    {
        assert!(page.contains(line), "{line}:\n{page}");
    }

    process.kill9();
    let process = desk.scene.launch.start();
    assert_eq!(pays(&process, RICH), "43", "also after a restart");
    let file = desk.file("found.csv", &format!("value\n{pan}\n"));
    desk.changes(&["remove", "stolen", "--kind", "card", "--file", &file], &process, "found.order");
    assert_eq!(pays(&process, RICH), "00");
    desk.scene.stop(process);
    desk.scene.launch.verify();
    for name in ["stolen.order", "stolen.order.rows", "found.order.rows"] {
        let bytes = fs::read(desk.scene.path(name)).expect("a file");
        assert!(!bytes.windows(pan.len()).any(|piece| piece == pan.as_bytes()), "a card number is in {name}");
    }
}

#[test]
fn a_trial_on_a_data_set_is_given_its_lists_as_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let mut data = "time,reference,card,terminal,merchant,mcc,region,amount,fraud\n".to_owned();
    for (day, card, terminal) in
        [(1, "c1", "t1"), (2, "c2", "t2"), (3, "c1", "t2"), (4, "c3", "t3"), (5, "c1", "t1")]
    {
        writeln!(data, "2026-01-0{day} 12:00:00,R{day},{card},{terminal},m1,5411,310001,1.00,0")
            .expect("a text");
    }
    let files = [
        ("data.csv", data.as_str()),
        ("rules.toml", RULES),
        ("stolen.csv", "value,reason,expires\nc3,seen,\nc1,seen,2026-01-03\nnobody,seen,\n"),
        ("watched.csv", "value\nt2\n"),
    ];
    files.iter().for_each(|(name, text)| fs::write(at(name), text).expect("a file"));
    let trial = |lists: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["rules", "backtest", "--rules", &at("rules.toml"), "--against", &at("data.csv")]);
        command.arg("--map").arg(switch_tests::fixture("rules/generated-map.toml"));
        command.args(["--csv", &at("figures.csv")]).args(lists);
        command
    };
    let hits = |lists: &[&str]| {
        succeeds(trial(lists));
        let hits = figures(Path::new(&at("figures.csv")), "hits");
        (hits["stolen-card"].clone(), hits["watched-terminal"].clone())
    };
    let (stolen, watched) =
        (format!("stolen={}", at("stolen.csv")), format!("watched={}", at("watched.csv")));
    assert_eq!(hits(&["--list", &stolen, "--list", &watched]), ("3".into(), "2".into()));
    assert_eq!(hits(&["--list", &watched]), ("0".into(), "2".into()));
    let refused = complaint(trial(&["--list", &watched, "--list", &watched]));
    assert!(refused.contains("no such list, or it was given before"), "{refused}");
}

/// Terminals of a list, the one that asks among the first of them.
fn terminals(rows: usize) -> String {
    let mut file = format!("value\n{TERMINAL}\n");
    for number in 1..rows {
        writeln!(file, "W{number:07}").expect("a text");
    }
    file
}

#[test]
fn a_hundred_thousand_entries_come_into_force_at_one_record_while_terminals_ask() {
    const ROWS: usize = 100_000;
    let (desk, process) = Desk::start();
    for (name, kind) in [("stolen", "card"), ("watched", "terminal")] {
        desk.changes(&["add", name, "--kind", kind], &process, &format!("{name}.order"));
    }
    desk.publish(&process);
    let file = desk.file("watched.csv", &terminals(ROWS));
    let import =
        ["replace", "watched", "--kind", "terminal", "--file", &file, "--reason", "seen", "--source", "desk"];
    succeeds(desk.change(&import, &process, "many.order"));
    succeeds(desk.sign("many.order"));

    let mut terminal = desk.city.terminal(TERMINAL);
    let mut line = process.connect();
    terminal.sign_in(&mut line);
    let carried_out = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            succeeds(desk.carry_out("many.order", &process));
            carried_out.store(true, Ordering::Release);
        });
        loop {
            let is_last = carried_out.load(Ordering::Acquire);
            let code = terminal.ask(&mut line, Ask::purchase(&desk.city.card(RICH), 1)).code;
            assert!(["00", "62"].contains(&code.as_str()), "{code}");
            if is_last {
                assert_eq!(code, "62", "what was told to be carried out decides");
                break;
            }
        }
    });
    assert_eq!(lists(&process)[1]["entries"], ROWS);
    desk.scene.stop(process);
    desk.scene.launch.verify();

    let (mut staged, mut in_force, mut declined) = (0, None, 0);
    let history = History::read(desk.scene.launch.data());
    for (seq, _, event) in &history.events {
        match event.done() {
            Event::ListRowsStaged(_) => staged += 1,
            Event::ListChanged(changed) if changed.version == 2 => in_force = Some(*seq),
            Event::Decided(decided) if decided.judged.is_some() => {
                assert_eq!(decided.reason.is_approval(), in_force.is_none(), "record {seq}");
                declined += usize::from(in_force.is_some());
            }
            _ => {}
        }
    }
    assert_eq!(staged, ROWS.div_ceil(720));
    assert!(in_force.is_some() && declined > 0);
}

#[test]
fn rows_that_were_not_signed_change_nothing() {
    let (desk, process) = Desk::start();
    let file = desk.file("watched.csv", &terminals(2_000));
    let import =
        ["add", "watched", "--kind", "terminal", "--file", &file, "--reason", "seen", "--source", "desk"];
    succeeds(desk.change(&import, &process, "some.order"));
    let rows = desk.scene.path("some.order.rows");
    let good = fs::read(&rows).expect("the rows");
    let mut bad = good.clone();
    let last = bad.len() - 10;
    bad[last] ^= 1;
    for wrong in [bad.as_slice(), &good[..good.len() - 21], b""] {
        fs::write(&rows, wrong).expect("a file");
        let refused = complaint(desk.sign("some.order"));
        assert!(refused.contains("not the rows that the order was signed for"), "{refused}");
    }
    fs::remove_file(&rows).expect("a file");
    let refused = complaint(desk.sign("some.order"));
    assert!(refused.contains("cannot be read or written"), "{refused}");
    fs::write(&rows, &good).expect("a file");
    succeeds(desk.sign("some.order"));
    // Past the command, which would not send them.
    let text = fs::read(desk.scene.path("some.order")).expect("the order");
    let head = u32::try_from(text.len()).expect("an order").to_be_bytes();
    let body = [&head, text.as_slice(), &bad[23..]].concat();
    let answer = process.post("/orders/list", &body);
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
    assert!(answer.contains("not those that the order was signed for"), "{answer}");
    let answer = process.post("/orders", &text);
    assert!(answer.contains("0 of 2000 rows"), "{answer}");
    assert_eq!(lists(&process), Value::Array(Vec::new()));
    desk.scene.stop(process);
    let history = History::read(desk.scene.launch.data());
    assert!(!history.events.iter().any(|(_, _, event)| event.name().starts_with("list_rows")));
}
