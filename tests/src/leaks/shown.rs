//! Everything the switch shows to whoever asks: its admin pages, and what its commands print, mistakes included.
//!
//! Each answer becomes a file of its own, so that it is searched like the others. Start at [`Shown`].

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cardswitch::terminal::{AtmOrder, AtmService, Sample};

use super::day::CASH_MACHINE;
use crate::{ask::Ask, city::City, line::PATIENCE, terminal::MESSAGE_AT};

/// Pages that answer 200.
const PAGES: [&str; 9] = [
    "/metrics",
    "/health/live",
    "/health/ready",
    "/ledger/balance",
    "/ledger/entries?count=1000",
    "/ledger/verify",
    "/notices?after=0",
    "/terminals/31000001",
    "/terminals/41000001",
];

/// Where the answers go, and what answers.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The program.
    pub program: &'a Path,
    /// The folder for the answers; pages and commands have folders of their own in it.
    pub folder: &'a Path,
    /// How many there are.
    pub count: usize,
}

impl Shown<'_> {
    /// Every page of a running switch, and every way to put a card number into a question.
    ///
    /// # Panics
    /// A page that is always there does not answer well.
    pub fn pages(&mut self, admin: SocketAddr, asked_for: &[u8]) {
        let pan = String::from_utf8_lossy(asked_for).into_owned();
        let (bin, last_four) = (&pan[..6], &pan[pan.len() - 4..]);
        for path in PAGES {
            assert!(self.page(admin, "GET", path, "").starts_with(b"HTTP/1.1 200"), "{path}");
        }
        self.page(admin, "GET", &format!("/cards?bin={bin}&last_four={last_four}"), "");
        self.page(admin, "GET", &format!("/terminals/{CASH_MACHINE}"), "");
        for path in [
            format!("/cards?bin={pan}&last_four={last_four}"),
            format!("/cards?bin={bin}&last_four={pan}"),
            format!("/cards?pan={pan}"),
            format!("/cards?{pan}={pan}"),
            format!("/ledger/entries?{pan}"),
            format!("/cards/{pan}"),
            format!("/statements?bin={bin}&last_four={last_four}&first={pan}&last=2026-11-21"),
            format!("/terminals/{pan}"),
            format!("/ledger/entries?count={pan}"),
            format!("/ledger/entries?from={pan}&count=x{pan}"),
            format!("/notices?after=-{pan}"),
            format!("/settlement/{pan}"),
            format!("/{pan}"),
        ] {
            self.page(admin, "GET", &path, "");
        }
        self.page(admin, "POST", &format!("/settlement/{pan}/cut-over"), "{}");
        self.page(admin, "POST", "/settlement/2026-11-21/cut-over", &format!("{{\"pan\":\"{pan}\"}}"));
        self.page(admin, "POST", "/settlement/2026-11-21/cut-over", &pan);
        self.page(admin, &pan, "/metrics", "");
    }

    fn page(&mut self, admin: SocketAddr, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(admin).expect("the admin port");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut page = Vec::new();
        // A connection that breaks off has said what it will.
        let _broken = stream.read_to_end(&mut page);
        self.keep("pages", "page", &page);
        page
    }

    /// What the commands print of a running switch.
    pub fn commands_on(&mut self, admin: SocketAddr, asked_for: &[u8]) {
        let admin = format!("http://{admin}");
        self.look(&["--admin", &admin], asked_for);
    }

    /// What the commands print of a stopped switch's folder, and of the city's; `day` is settled for good.
    ///
    /// # Panics
    /// The day cannot be settled.
    pub fn commands_in(&mut self, data: &Path, city: &Path, day: &str, asked_for: &[u8]) {
        let data = data.to_string_lossy().into_owned();
        self.look(&["--data", &data], asked_for);
        let settled = self.folder.join("settled").to_string_lossy().into_owned();
        assert!(
            self.run(&["settle", "--day", day, "--data", &data, "--out", &settled]),
            "the day is settled"
        );
        self.run(&["settle", "--day", "2020-01-01", "--data", &data, "--out", &settled]);
        let config = city.join("cardswitch.toml").to_string_lossy().into_owned();
        self.run(&["check-config", &config]);
        self.run(&["city", "check", &city.to_string_lossy()]);
    }

    /// What the commands say of a city whose files are wrong, in every column and every key.
    ///
    /// # Panics
    /// The folder cannot be written.
    pub fn mistakes_in(&mut self, city: &Path, scratch: &Path) {
        copy_city(city, scratch);
        let config = scratch.join("cardswitch.toml").to_string_lossy().into_owned();
        for file in ["cards.csv", "terminals.csv", "keys.toml"] {
            let good = fs::read_to_string(city.join(file)).expect("a file of the city");
            for bad in spoiled(&good, file) {
                fs::write(scratch.join(file), bad).expect("a folder");
                assert!(!self.run(&["check-config", &config]), "{file} is spoiled");
            }
            fs::write(scratch.join(file), good).expect("a folder");
        }
    }

    /// What `decode` shows of frames with everything in them, whole and cut off anywhere.
    ///
    /// # Panics
    /// The sample city lacks a card or terminal.
    pub fn decoded(&mut self, city: &City, sample: &Sample) {
        let mut host = sample.atm_host(None, Box::new(crate::recording::counting(7))).expect("a host").0;
        let test_card = sample.first_card().expect("a card");
        let machine = CASH_MACHINE.as_bytes().try_into().expect("eight characters");
        let order = AtmOrder::new(AtmService::Withdrawal, machine, &test_card.card);
        let pin = Some(test_card.pin.expose().as_slice());
        let of_host = host.prepare(&AtmOrder { pin, amount: Some(100), ..order }).expect("a frame");
        let (till, card) = (city.terminal("31000001"), city.card(test_card.line));
        let tap = Ask { stan: 1, pin_block: Some([0xA5; 8]), ..Ask::tap(&card, 100) };
        let typed = Ask { pan: Some(card.pan.expose().to_vec()), track: None, ..tap.clone() };
        let frames =
            [("atm", of_host.as_bytes().to_vec()), ("pos", till.build(&tap)), ("pos", till.build(&typed))];
        for (dialect, frame) in frames {
            for end in [frame.len(), frame.len() - 9, frame.len() - 30, MESSAGE_AT + 30] {
                let frame = &frame[..end.min(frame.len())];
                let hex: String = frame.iter().map(|byte| format!("{byte:02X}")).collect();
                self.run(&["decode", "--dialect", dialect, &hex]);
                self.run(&["decode", "--dialect", dialect, &format!("{hex}x")]);
            }
        }
    }

    /// Copies of a running switch's journal, and what they tell; `mirror` is its own.
    ///
    /// # Panics
    /// There is no backup of it.
    pub fn copies(&mut self, admin: SocketAddr) {
        let (admin, backup) = (format!("http://{admin}"), self.text("copies/backup"));
        assert!(self.run(&["journal", "backup", "--admin", &admin, "--to", &backup]), "a backup");
        self.run(&["journal", "tail", "--admin", &admin, "--count", "100000"]);
        self.run(&["journal", "verify", "--segments", &backup]);
    }

    /// Copies of a stopped switch's journal: exported, restored from what [`Self::copies`] made, and from its mirror.
    ///
    /// # Panics
    /// One of them cannot be made.
    pub fn copies_of(&mut self, data: &Path, mirror: &Path) {
        let (data, mirror) = (data.to_string_lossy().into_owned(), mirror.to_string_lossy().into_owned());
        let [exported, events, restored] =
            ["copies/exported", "copies/events.jsonl", "copies/restored"].map(|name| self.text(name));
        assert!(self.run(&["journal", "verify", "--data", &data]), "the journal is whole");
        assert!(self.run(&["journal", "export", "--data", &data, "--out", &exported]), "segments");
        assert!(self.run(&["journal", "export", "--data", &data, "--json", "--out", &events]), "events");
        assert!(self.run(&["journal", "restore", "--from", &mirror, "--to", &restored]), "a restored folder");
        self.run(&["journal", "tail", "--data", &data, "--count", "100000", "--json"]);
        self.run(&["ledger", "trial", "--data", &restored]);
    }

    fn text(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn look(&mut self, at: &[&str], asked_for: &[u8]) {
        let pan = String::from_utf8_lossy(asked_for).into_owned();
        let masked = format!("{}{}", &pan[..6], &pan[pan.len() - 4..]);
        for json in [&[][..], &["--json"][..]] {
            for command in [
                &["ledger", "verify"][..],
                &["ledger", "balance"],
                &["ledger", "entries", "--count", "1000"],
                &["ledger", "entries", "--first", &pan],
                &["notices", "list"],
                &["card", "show", &masked],
                &["card", "show", &pan],
                &["statement", &masked, "--first", "2020-01-01", "--last", "2099-12-31"],
                &["statement", &pan, "--first", "2020-01-01", "--last", "2099-12-31"],
                &["statement", &masked, "--first", &pan, "--last", "2099-12-31"],
                &["settle", "--out", ".", "--day", &pan],
                &["keys", "component", "--out", "none", "--number", &pan],
                &[&pan],
                &["terminal", "show", "31000001"],
                &["terminal", "show", CASH_MACHINE],
                &["terminal", "show", &pan],
            ] {
                self.run(&[command, at, json].concat());
            }
        }
    }

    /// Runs a command to its end; whether it ended well.
    pub(super) fn run<S: AsRef<OsStr>>(&mut self, arguments: &[S]) -> bool {
        self.output(arguments).is_some()
    }

    /// What a command printed, if it ended well.
    pub(super) fn output<S: AsRef<OsStr>>(&mut self, arguments: &[S]) -> Option<Vec<u8>> {
        let mut command = Command::new(self.program);
        command.args(arguments).stdin(Stdio::null()).env("RUST_LOG", "trace");
        let output = command.output().expect("the program runs");
        self.keep("commands", "output", &output.stdout);
        self.keep("commands", "errors", &output.stderr);
        output.status.success().then_some(output.stdout)
    }

    fn keep(&mut self, folder: &str, name: &str, bytes: &[u8]) {
        let folder = self.folder.join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}-{:04}", self.count)), bytes).expect("a file");
        self.count += 1;
    }
}

/// Copies a city's files, but nothing that a switch wrote beside them.
///
/// # Panics
/// A file cannot be copied.
pub fn copy_city(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the city's folder") {
        let path: PathBuf = entry.expect("an entry").path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// The file with one value after the other made wrong: longer by a letter.
fn spoiled(good: &str, file: &str) -> Vec<String> {
    let lines: Vec<&str> = good.lines().collect();
    let with = |at: usize, line: String| {
        let mut changed = lines.clone();
        changed[at] = &line;
        changed.join("\n")
    };
    if file.ends_with(".csv") {
        let fields: Vec<&str> = lines[1].split(',').collect();
        return (0..fields.len())
            .map(|spoiled| {
                let mut fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
                fields[spoiled].push('x');
                with(1, fields.join(","))
            })
            .collect();
    }
    let values = lines.iter().enumerate().filter(|(_, line)| line.ends_with('"'));
    values
        .flat_map(|(at, line)| {
            let open = line.trim_end_matches('"').to_owned();
            [with(at, format!("{open}x\"")), with(at, open.clone()), with(at, open.replace('"', ""))]
        })
        .collect()
}
