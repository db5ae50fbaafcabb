//! The switch under attack: the real program as a process, on a copy of the sample city, with its counters, its memory
//! and its processor time as one sees them from outside.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use cardswitch::app::Ports;
use tempfile::TempDir;

use super::budget::{SWITCH_CONNECTIONS, SWITCH_CONNECTIONS_PER_SOURCE};
use crate::{
    city::City,
    process::{Launch, Process},
};

/// How long the admin port may take to answer.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);
/// Seconds that a peer has to finish a frame, so short that a phase sees what happens then.
const FRAME_FINISH_S: u32 = 2;
/// Seconds that a connection has for its first frame that makes sense, for the same reason.
const FIRST_FRAME_S: usize = 3;
/// Unread answers after which the switch lets go of a peer, so few that the system's own buffers are soon most of it.
const OUTBOX_BYTES: u32 = 16 << 10;

/// See the module.
#[derive(Debug)]
pub struct Victim {
    program: PathBuf,
    launch: Launch,
    process: Process,
    per_source: bool,
    folder: TempDir,
}

impl Victim {
    /// Starts `program` in a temporary folder.
    #[must_use]
    pub fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let city = copied_city(folder.path());
        let name = program.to_str().expect("the program's path is text");
        let mut launch = Launch::new(name, &folder.path().join("data"))
            .set("CITY__DIR", &city.to_string_lossy())
            .set("HSM__KEYS", &city.join("keys.toml").to_string_lossy())
            .set("LIMITS__FRAME_FINISH_S", &FRAME_FINISH_S.to_string())
            .set("LIMITS__OUTBOX_BYTES", &OUTBOX_BYTES.to_string());
        for (key, value) in optional_settings().into_iter().filter(|(key, value)| knows(program, key, value))
        {
            launch = launch.set(key, &value);
        }
        let (key, value) = SOURCE_SETTING;
        let per_source = knows(program, key, &value.to_string());
        let process = launch.start();
        Self { program: program.to_owned(), launch, process, per_source, folder }
    }

    /// Where it listens.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.process.ports
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it limits the connections of one address.
    #[must_use]
    pub fn limits_sources(&self) -> bool {
        self.per_source
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.launch.log_text()
    }

    /// Asks it to stop and proves its journal. The data folder, and what did not end well.
    #[must_use]
    pub fn stop(self) -> (Stopped, Vec<String>) {
        let mut wrong = Vec::new();
        self.process.sigterm();
        let code = self.process.wait().code();
        if code != Some(0) {
            wrong.push(format!("the stop ended with {code:?}"));
        }
        let data = self.launch.data().to_owned();
        let verify = Command::new(&self.program).args(["ledger", "verify", "--data"]).arg(&data).output();
        let verify = verify.expect("the program runs");
        if !verify.status.success() {
            wrong.push(format!("ledger verify: {}", String::from_utf8_lossy(&verify.stderr)));
        }
        (Stopped { data, log: self.launch.log_text(), _folder: self.folder }, wrong)
    }
}

/// What a stopped switch leaves behind; gone when dropped.
#[derive(Debug)]
pub struct Stopped {
    /// The data folder.
    pub data: PathBuf,
    /// All of its log.
    pub log: String,
    _folder: TempDir,
}

fn copied_city(folder: &Path) -> PathBuf {
    let copy = folder.join("city");
    std::fs::create_dir(&copy).expect("a folder");
    for entry in std::fs::read_dir(City::folder()).expect("the sample city") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a file has a name");
            std::fs::copy(&path, copy.join(name)).expect("a copy");
        }
    }
    copy
}

/// The setting that keeps one address from taking all connections.
const SOURCE_SETTING: (&str, usize) = ("LIMITS__CONNECTIONS_PER_SOURCE", SWITCH_CONNECTIONS_PER_SOURCE);

/// Settings that a program of another version may lack, or that this one may have lost.
fn optional_settings() -> Vec<(&'static str, String)> {
    let [pos, epos, atm] = SWITCH_CONNECTIONS;
    let all = [
        SOURCE_SETTING,
        ("LIMITS__CONNECTIONS", pos + epos + atm),
        ("POS__CONNECTIONS", pos),
        ("EPOS__CONNECTIONS", epos),
        ("ATM__CONNECTIONS", atm),
        ("LIMITS__FIRST_FRAME_S", FIRST_FRAME_S),
    ];
    all.into_iter().map(|(key, value)| (key, value.to_string())).collect()
}

/// Whether the program takes a setting: `check-config` refuses those that it does not know.
fn knows(program: &Path, key: &str, value: &str) -> bool {
    let file = City::folder().join("cardswitch.toml");
    let mut command = Command::new(program);
    command.arg("check-config").arg(file).env(format!("CARDSWITCH__{key}"), value);
    command.output().expect("the program runs").status.success()
}

/// The metrics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Page(BTreeMap<String, u64>);

impl Page {
    /// Asks the admin port. How long it took; `None` if there was no whole page in time.
    #[must_use]
    pub fn fetch(admin: SocketAddr) -> Option<(Self, Duration)> {
        let begun = Instant::now();
        let mut stream = TcpStream::connect_timeout(&admin, PAGE_PATIENCE).ok()?;
        stream.set_read_timeout(Some(PAGE_PATIENCE)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let is_page = text.lines().next()?.contains(" 200 ");
        is_page.then(|| (Self::parse(&text), begun.elapsed()))
    }

    fn parse(text: &str) -> Self {
        let series = text.lines().filter(|line| line.starts_with("cardswitch_")).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let whole = value.split('.').next()?.parse().ok()?;
            Some((series.to_owned(), whole))
        });
        Self(series.collect())
    }

    /// The sum of a metric's series, of those with this label if one is named.
    #[must_use]
    pub fn sum(&self, name: &str, label: Option<(&str, &str)>) -> u64 {
        let label = label.map(|(key, value)| format!("{key}=\"{value}\""));
        let wanted = |series: &str| {
            series.split('{').next() == Some(name)
                && label.as_ref().is_none_or(|label| series.contains(label.as_str()))
        };
        self.0.iter().filter(|(series, _)| wanted(series)).map(|(_, value)| value).sum()
    }

    /// By how much each series has risen since `before`, by the value of one label.
    #[must_use]
    pub fn risen(&self, before: &Self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut risen = BTreeMap::new();
        for (series, now) in self.0.iter().filter(|(series, _)| series.split('{').next() == Some(name)) {
            let more = now - before.0.get(series).unwrap_or(&0).min(now);
            let value = series.split(&format!("{label}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            if let (Some(value), 1..) = (value, more) {
                *risen.entry(value.to_owned()).or_default() += more;
            }
        }
        risen
    }
}

/// Resident memory of a process in KiB; `None` once it is gone.
#[must_use]
pub fn resident_kib(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time of each of a process's threads so far, in milliseconds, by name.
#[must_use]
pub fn thread_ms(id: u32) -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name);
        // User and system time are the 14th and 15th word, in hundredths of a second: `man 5 proc`.
        let ticks: u64 = tail.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
        *threads.entry(name.to_owned()).or_default() += ticks * 10;
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_added_up_by_name_and_label() {
        let before = Page::parse("cardswitch_a_total{why=\"x\"} 1\nother 9");
        let after = Page::parse(
            "# HELP\ncardswitch_a_total{why=\"x\"} 4\ncardswitch_a_total{why=\"y\"} 2\ncardswitch_a_totals 5\ncardswitch_b 1.5",
        );
        assert_eq!(after.sum("cardswitch_a_total", None), 6);
        assert_eq!(after.sum("cardswitch_a_total", Some(("why", "y"))), 2);
        assert_eq!(after.sum("cardswitch_b", None), 1);
        let risen = after.risen(&before, "cardswitch_a_total", "why");
        assert_eq!(risen.into_iter().collect::<Vec<_>>(), [("x".into(), 3), ("y".into(), 2)]);
    }

    #[test]
    fn a_process_has_memory_and_threads() {
        let id = std::process::id();
        assert!(resident_kib(id).is_some_and(|kib| kib > 0));
        assert!(!thread_ms(id).is_empty());
    }
}
