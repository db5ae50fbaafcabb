//! A city under an LMK of components: how it comes to be, what it serves, which bad states it refuses and with which words,
//! and how it goes over to the next LMK. Everything through the program, as an operator does it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use switch_tests::{ask::Ask, city::City, line::Line, process::Launch, terminal::Terminal};
use tempfile::TempDir;

use crate::PROGRAM;

const RICH: u64 = 2;
const TERMINAL: &str = "31000002";

/// The published test LMK, as public tools show it.
const TEST_LMK: &str = "9B71333A13F9FAE72F9D0E2DAB4AD6784718012F9244033F3F26A2DE0C8AA11A";

/// A folder with component files and a city wrapped under them.
struct Ceremony {
    folder: TempDir,
    components: Vec<PathBuf>,
}

impl Ceremony {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let components = components(folder.path(), "first", 3);
        let this = Self { folder, components };
        let city = this.city();
        let wrapped = succeeds(
            command("wrap")
                .arg("--component")
                .args(&this.components)
                .arg("--in")
                .arg(City::folder())
                .arg("--out")
                .arg(&city),
        );
        assert!(wrapped.contains("mode = \"live\""), "{wrapped}");
        fs::copy(City::folder().join("cardswitch.toml"), city.join("cardswitch.toml")).expect("a copy");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn city(&self) -> PathBuf {
        self.path("live")
    }

    fn keys(&self) -> PathBuf {
        self.city().join("keys.toml")
    }

    fn launch(&self) -> Launch {
        self.launch_with(&self.components)
    }

    fn launch_with(&self, components: &[PathBuf]) -> Launch {
        Launch::new(PROGRAM, &self.path("data"))
            .in_city(&self.city())
            .set("HSM__MODE", "live")
            .set("HSM__COMPONENTS", &list(components))
    }

    /// The LMK's check value.
    fn lmk(&self) -> String {
        lmk(&self.components)
    }

    /// Why a start is refused; nothing was made by then, unless there is a journal.
    fn refusal(&self, launch: &Launch) -> String {
        refused(&launch.run_to_end(&self.city().join("cardswitch.toml")))
    }
}

fn command(name: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["keys", name]);
    command
}

/// What a command prints that does its work.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a command says that refuses its work.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(64), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn refuses(command: &mut Command) -> String {
    refused(&command.output().expect("the program runs"))
}

fn components(folder: &Path, name: &str, count: u32) -> Vec<PathBuf> {
    let draw = |number: u32| {
        let file = folder.join(format!("{number}.{name}"));
        let said = succeeds(command("component").args(["--number", &number.to_string(), "--out"]).arg(&file));
        let mode = fs::metadata(&file).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "its owner's alone");
        assert!(fs::read_to_string(&file).expect("the file").contains(said.trim()), "with its check value");
        file
    };
    (1..=count).map(draw).collect()
}

fn lmk(components: &[PathBuf]) -> String {
    succeeds(command("lmk").arg("--component").args(components)).trim().to_owned()
}

fn list(files: &[PathBuf]) -> String {
    format!("[{}]", files.iter().map(|file| format!("\"{}\"", file.display())).collect::<Vec<_>>().join(", "))
}

fn pay(terminal: &mut Terminal, line: &mut Line, amount: u64) {
    let answer = terminal.ask(line, Ask::purchase(&City::open().card(RICH), amount));
    assert_eq!(answer.code, "00", "a purchase with PIN and track of {amount}");
}

/// Changes a file's text.
fn change(path: &Path, change: impl FnOnce(String) -> String) {
    let old = fs::read_to_string(path).expect("the file");
    let new = change(old.clone());
    assert_ne!(old, new, "{} has what is to be changed", path.display());
    fs::write(path, new).expect("the file");
}

/// The value of a name in a file of keys or a component.
fn value(path: &Path, name: &str) -> String {
    let text = fs::read_to_string(path).expect("the file");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).expect("the name");
    line.trim_matches('"').to_owned()
}

#[test]
fn a_city_under_components_serves_and_none_of_its_files_has_a_secret() {
    let ceremony = Ceremony::new();
    let launch = ceremony.launch();
    let process = launch.start();
    let (mut terminal, mut line) = (City::open().terminal(TERMINAL), process.connect());
    terminal.sign_in(&mut line);
    pay(&mut terminal, &mut line, 700);
    let health = process.page("/health/ready");
    assert!(health.contains("LMK of components") && health.contains(&ceremony.lmk()), "{health}");
    let metrics = process.page("/metrics");
    let number = u32::from_str_radix(&ceremony.lmk(), 16).expect("hex");
    for want in ["cardswitch_hsm_test_mode 0", &format!("cardswitch_hsm_lmk_check_value {number}")] {
        assert!(metrics.lines().any(|line| line == want), "{want}");
    }
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));
    let log = launch.log_text();
    assert!(log.contains(&ceremony.lmk()) && !log.contains("published test LMK"), "{log}");
    launch.verify();

    let secrets = secrets_of_the_test_city();
    assert!(secrets.len() > 100, "keys, PINs with their card values, tracks");
    for file in ["keys.toml", "terminals.csv", "cards.csv"] {
        let text = fs::read_to_string(ceremony.city().join(file)).expect("a file of the city");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{file} has a secret of the test city");
        }
    }
    for component in &ceremony.components {
        let secret = value(component, "key");
        assert!(!log.contains(&secret) && !health.contains(&secret) && !metrics.contains(&secret));
    }
    let checked = Command::new(PROGRAM).args(["city", "check"]).arg(ceremony.city()).output();
    let checked = checked.expect("the program runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Every key of the sample city in hex, every track, and what stands between service code and product of a card.
fn secrets_of_the_test_city() -> Vec<String> {
    let read = |file: &str| fs::read_to_string(City::folder().join(file)).expect("a file of the city");
    let mut secrets: Vec<String> = read("keys.toml")
        .split('"')
        .filter(|part| part.len() >= 32 && !part.contains(' '))
        .map(str::to_owned)
        .collect();
    secrets.extend(
        read("terminals.csv").lines().skip(1).filter_map(|row| row.split(',').nth(6)).map(str::to_owned),
    );
    for row in read("cards.csv").lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        secrets.push(fields[6].to_owned());
        secrets.push(fields[3..6].join(","));
    }
    secrets
}

#[test]
fn each_bad_state_of_a_live_hsm_is_refused_in_its_own_words() {
    let ceremony = Ceremony::new();
    let [one, two, three] = &ceremony.components[..] else { panic!("three components") };
    let other = components(ceremony.folder.path(), "other", 2);
    let (right, wrong) = (ceremony.lmk(), lmk(&other));
    let named = [one.clone(), two.clone(), three.clone()];
    let start = |components: &[PathBuf]| ceremony.refusal(&ceremony.launch_with(components));

    let said = start(&[one.clone(), two.clone()]);
    assert!(
        said.contains(&format!("the file is under the LMK {right}, and the component files form ")),
        "{said}"
    );
    assert!(start(&other).contains(&wrong), "the wrong components");
    assert!(start(std::slice::from_ref(one)).contains("hsm.components: must be two to nine component files"));
    assert!(start(&[]).contains("hsm.components: must be two to nine component files"));
    assert!(start(&[one.clone(), one.clone()]).contains("two components come from one custodian"));
    let absent = ceremony.path("absent");
    assert!(
        start(&[one.clone(), absent])
            .contains("absent: the component file cannot be read (entity not found)")
    );

    let copy = ceremony.path("copy");
    let with = |text: &str| {
        fs::write(&copy, text).expect("a file");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("its mode");
        let said = start(&[one.clone(), two.clone(), copy.clone()]);
        assert!(!said.contains(&value(one, "key")) && !said.contains(&value(three, "key")), "{said}");
        said
    };
    let good = fs::read_to_string(three).expect("the file");
    let key = value(three, "key");
    let last = if key.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{last}", &key[..63]);
    for (name, text, want) in [
        ("mistyped", good.replace(&key, &mistyped), "component has another check value than expected"),
        ("its form", good.replace("check_value", "kcv"), "line 6: unknown field `kcv`"),
        ("short", good.replace(&key, &key[..62]), "component has a wrong length"),
        ("its number", good.replace("number = 3", "number = 10"), "number must be 1 to 9"),
        (
            "equal",
            fs::read_to_string(one).expect("a file").replace("number = 1", "number = 3"),
            "two components are equal",
        ),
    ] {
        let said = with(&text);
        assert!(said.contains(want), "{name}: {said}");
    }
    fs::set_permissions(three, fs::Permissions::from_mode(0o644)).expect("its mode");
    let said = start(&named);
    assert!(said.contains("open to others than its owner (mode 644); chmod 600 it"), "{said}");
    fs::set_permissions(three, fs::Permissions::from_mode(0o600)).expect("its mode");

    published_components(&ceremony);
    let said = refuses(command("component").args(["--number", "1", "--out"]).arg(one));
    assert!(said.contains("a component is never overwritten"), "{said}");
    assert!(!ceremony.path("data").exists(), "nothing is made before the keys are right");
}

/// Two components that together are the key that everybody knows.
fn published_components(ceremony: &Ceremony) {
    let first = &ceremony.components[0];
    let digits = |text: &str| -> Vec<u8> {
        (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex")).collect()
    };
    let rest: String = digits(TEST_LMK)
        .iter()
        .zip(digits(&value(first, "key")))
        .map(|(all, one)| format!("{:02X}", all ^ one))
        .collect();
    let file = ceremony.path("rest");
    let component = hsm_sim::KeyComponent::from_hex("rest", hsm_sim::ComponentForm::Aes, &rest, None);
    let check_value =
        component.expect("a component").check_value().map(|byte| format!("{byte:02X}")).concat();
    fs::write(&file, format!("number = 2\nkey = \"{rest}\"\ncheck_value = \"{check_value}\"\n"))
        .expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    let pair = [first.clone(), file];
    let want =
        "form the published test LMK, which is refused; draw new components with `cardswitch keys component`";
    let said = refuses(command("lmk").arg("--component").args(&pair));
    assert!(said.contains(want), "{said}");
    // A key file that names that key changes nothing.
    let keys = ceremony.keys();
    let text = fs::read_to_string(&keys).expect("the key file");
    fs::write(&keys, text.replace(&ceremony.lmk(), "DB3FB6")).expect("the key file");
    let said = ceremony.refusal(&ceremony.launch_with(&pair));
    assert!(said.contains(want), "{said}");
    fs::write(&keys, text).expect("the key file");
}

#[test]
fn a_key_that_is_changed_in_clear_or_in_anothers_place_is_refused_by_its_name() {
    let ceremony = Ceremony::new();
    let keys = ceremony.keys();
    let good = fs::read_to_string(&keys).expect("the key file");
    let (pvk, cvk) = (value(&keys, "pvk"), value(&keys, "cvk"));
    let middle = if &pvk[60..61] == "0" { "1" } else { "0" };
    let changed = format!("{}{middle}{}", &pvk[..60], &pvk[61..]);
    let clear = "6E2AE37652896DE0B58067EFC2EC8349";
    for (name, text, want) in [
        (
            "a byte of the key",
            good.replace(&pvk, &changed),
            "keys.toml, pvk: the HSM refuses this key: key block refused: \
                                                             key block is not authentic",
        ),
        (
            "a byte of the header",
            good.replace(&pvk, &pvk.replacen("V2TC00N", "V2TC00E", 1)),
            "key block is not authentic",
        ),
        (
            "another's place",
            good.replace(&pvk, "x").replace(&cvk, &pvk).replace("\"x\"", &format!("\"{cvk}\"")),
            "keys.toml, pvk: a key of usage C0 stands where one of usage V2 must",
        ),
        (
            "a key in clear",
            good.replace(&pvk, clear),
            "keys.toml, pvk: must be a key block (TR-31 version D) under the LMK",
        ),
        (
            "a check value that is none",
            good.replace(&ceremony.lmk(), "live"),
            "keys.toml, lmk: must be \"test\", or the check",
        ),
    ] {
        fs::write(&keys, text).expect("the key file");
        let said = ceremony.refusal(&ceremony.launch());
        assert!(said.contains(want), "{name}: {said}");
        assert!(!said.contains(clear) && !said.contains(&pvk[16..]), "{name}: {said}");
    }
    fs::write(&keys, &good).expect("the key file");

    let terminals = ceremony.city().join("terminals.csv");
    let tables = fs::read_to_string(&terminals).expect("the terminals");
    let sample = fs::read_to_string(City::folder().join("terminals.csv")).expect("the terminals");
    fs::write(&terminals, &sample).expect("the terminals");
    let said = ceremony.refusal(&ceremony.launch());
    assert!(said.contains("terminals.csv line 2, tmk: must be a key block, as in the key file"), "{said}");
    fs::write(&terminals, &tables).expect("the terminals");
    let cards = ceremony.city().join("cards.csv");
    let wrapped = fs::read(&cards).expect("the cards");
    fs::copy(City::folder().join("cards.csv"), &cards).expect("the cards");
    fs::remove_dir_all(ceremony.path("data")).ok();
    let said = ceremony.refusal(&ceremony.launch());
    assert!(said.contains("cards.csv line 1: the columns pin, cvv, cvv2 and track2 are refused"), "{said}");
    fs::write(&cards, wrapped).expect("the cards");

    // Modes that do not fit the files.
    fs::copy(City::folder().join("keys.toml"), &keys).expect("the key file");
    let said = ceremony.refusal(&ceremony.launch());
    assert!(
        said.contains("hsm.keys: the file has test keys in clear, which are refused with hsm.mode"),
        "{said}"
    );
    fs::write(&keys, good).expect("the key file");
    let test = Launch::new(PROGRAM, &ceremony.path("data")).in_city(&ceremony.city());
    let said = ceremony.refusal(&test);
    assert!(
        said.contains("hsm.keys: the file has key blocks under the LMK")
            && said.contains("hsm.mode is \"test\""),
        "{said}"
    );
}

#[test]
fn a_change_of_the_lmk_costs_no_terminal_its_keys_and_no_record() {
    let ceremony = Ceremony::new();
    let process = ceremony.launch().start();
    let (mut terminal, mut line) = (City::open().terminal(TERMINAL), process.connect());
    terminal.sign_in(&mut line);
    pay(&mut terminal, &mut line, 100);
    // The next pair waits to be used, so the terminal has two.
    let mut fresh = City::open().terminal("31000003");
    fresh.sign_in(&mut process.connect());
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));

    let next = components(ceremony.folder.path(), "next", 2);
    let (before, after) = (ceremony.lmk(), lmk(&next));
    let out = ceremony.path("rotated");
    let told = succeeds(
        command("rotate")
            .arg("--from")
            .args(&ceremony.components)
            .arg("--to")
            .args(&next)
            .arg("--keys")
            .arg(ceremony.keys())
            .arg("--terminals")
            .arg(ceremony.city().join("terminals.csv"))
            .arg("--out")
            .arg(&out),
    );
    assert!(told.contains(&format!("went from the LMK {before} to {after}")), "{told}");
    let table = |keys: &Path, components: &[PathBuf]| {
        succeeds(command("check").arg("--keys").arg(keys).arg("--component").args(components))
    };
    let rotated = out.join("keys.toml");
    assert_eq!(table(&ceremony.keys(), &ceremony.components), table(&rotated, &next), "the same keys");
    assert_ne!(value(&ceremony.keys(), "pvk"), value(&rotated, "pvk"));

    let keys = rotated.display().to_string();
    let alone = ceremony.launch_with(&next).set("HSM__KEYS", &keys);
    let said = ceremony.refusal(&alone);
    let want = format!("the keys in this data folder are not under the LMK {after}; name the components");
    assert!(said.contains(&want), "{said}");
    let both = alone.clone().set("HSM__PREVIOUS_COMPONENTS", &list(&ceremony.components));
    // Killed as soon as it is there: whatever was re-wrapped by then is on record.
    both.start().kill9();
    let process = both.start();
    let mut line = process.connect();
    pay(&mut terminal, &mut line, 200);
    pay(&mut fresh, &mut process.connect(), 300);
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));
    both.verify();

    let process = alone.start();
    let mut line = process.connect();
    pay(&mut terminal, &mut line, 400);
    terminal.sign_in(&mut line);
    pay(&mut terminal, &mut line, 500);
    process.sigterm();
    assert_eq!(process.wait().code(), Some(0));
    let said = ceremony.refusal(&ceremony.launch());
    assert!(said.contains(&format!("not under the LMK {before}")), "the old one is good for nothing: {said}");
    alone.verify();
}

#[test]
fn a_folder_of_the_test_lmk_is_never_served_under_a_real_one() {
    let ceremony = Ceremony::new();
    Launch::new(PROGRAM, &ceremony.path("data")).start().kill9();
    let said = ceremony.refusal(&ceremony.launch());
    assert!(said.contains("the keys in this data folder are under the published test LMK"), "{said}");
}

#[test]
fn keys_come_and_go_under_an_acquirers_zone_master_and_nothing_else_does() {
    const ZONE: &str = "31060110";
    let ceremony = Ceremony::new();
    let lmk =
        |command: &mut Command| -> String { succeeds(command.arg("--component").args(&ceremony.components)) };
    let with_zone = |name: &str, block: &Path| {
        let mut command = command(name);
        command.args(["--zone", ZONE, "--block"]).arg(block).arg("--keys").arg(ceremony.keys());
        command
    };
    let made = lmk(command("generate").args(["--usage", "zone-pin", "--exportable", "--version", "7"]));
    let (block, about) = made.split_once('\n').expect("two lines");
    assert!(
        block.starts_with("D0112P0TB07E0000"),
        "usage, mode, version and exportability are in the header: {made}"
    );
    let file = ceremony.path("zone-pin.block");
    fs::write(&file, &made).expect("a file");
    let sent = lmk(&mut with_zone("export", &file));
    assert!(
        sent.starts_with("D0128P0TB07N0200KC"),
        "it leaves with its check value (and a block that fills up), to go no further: {sent}"
    );
    assert!(sent.ends_with(about), "{sent} {about}");
    let arrived = ceremony.path("arrived.block");
    fs::write(&arrived, &sent).expect("a file");
    let back = lmk(with_zone("import", &arrived).args(["--usage", "zone-pin"]));
    assert!(back.starts_with("D0112P0TB07N0000") && back.ends_with(about), "{back}");

    let refuse = |command: &mut Command| refuses(command.arg("--component").args(&ceremony.components));
    let said = refuse(with_zone("import", &arrived).args(["--usage", "zone-mac-x9.19"]));
    assert!(said.contains("not the one asked for"), "{said}");
    fs::write(&file, &back).expect("a file");
    let said = refuse(&mut with_zone("export", &file));
    assert!(said.contains("the key may not leave"), "{said}");
    change(&arrived, |text| text.replacen("P0TB07N", "P0TB07E", 1));
    let said = refuse(with_zone("import", &arrived).args(["--usage", "zone-pin"]));
    assert!(said.contains("key block is not authentic"), "{said}");

    let parts: Vec<PathBuf> = components(ceremony.folder.path(), "part", 2);
    let formed = lmk(command("form").args(["--usage", "zmk"]).arg("--part").args(&parts));
    assert!(formed.starts_with("D0144K1AB00N0000"), "{formed}");
    let said = refuse(command("form").args(["--usage", "zmk", "--part"]).arg(&parts[0]));
    assert!(said.contains("at least two components"), "{said}");
}
