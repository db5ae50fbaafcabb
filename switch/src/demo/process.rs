//! The real program as a child process: started, killed, stopped, and its commands run as an operator runs them.
//!
//! Start at [`Switch::start`]. A [`Switch`] that is dropped is killed, so that none outlives a failed demo.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::day::Day;
use super::{DemoError, last_lines};
use crate::app::PORTS_FILE;
use crate::clock::stopwatch;
use crate::interrupt::Interrupt;

/// Name of the data folder in the demo's folder.
pub(super) const DATA: &str = "data";
/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(30);
/// How long a stop may take: the switch itself waits 10 s for what is under way.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Lines of the child's log that an error shows.
const LOG_LINES: usize = 20;
/// All settings in the environment begin so.
const SETTINGS: &str = "CARDSWITCH__";

/// This program's file, and the folder it is to work in.
pub(super) struct Program {
    file: PathBuf,
    dir: PathBuf,
    day: Day,
}

/// Where a running switch listens; what `ports.json` says.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Ports {
    pub(super) pos: SocketAddr,
    pub(super) epos: SocketAddr,
    pub(super) atm: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// What `cardswitch notices list --json` says of one notice, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct Notice {
    pub(super) to: String,
    pub(super) rule: Option<String>,
    pub(super) card: Option<String>,
    pub(super) answer: String,
}

#[derive(Deserialize)]
struct Notices {
    notices: Vec<Notice>,
}

/// A running switch.
pub(super) struct Switch {
    child: Child,
    log: PathBuf,
    ports: Ports,
}

impl Program {
    pub(super) fn in_folder(dir: &Path) -> io::Result<Self> {
        Ok(Self { file: env::current_exe()?, dir: dir.to_owned(), day: Day::today() })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn data(&self) -> PathBuf {
        self.dir.join(DATA)
    }

    /// The business day that is played.
    pub(super) fn day(&self) -> &Day {
        &self.day
    }

    /// Where `settle` puts the day's files.
    pub(super) fn settled(&self) -> PathBuf {
        self.dir.join("settled")
    }

    /// Runs `settle` for the day, on a running switch; whether it ended well.
    pub(super) fn settle(&self, admin: SocketAddr) -> Result<bool, DemoError> {
        let mut command = self.command();
        command.args(["settle", "--day", &self.day.date.to_string(), "--admin", &url(admin), "--out"]);
        let done = command.arg(self.settled()).output().map_err(DemoError::system("run settle"))?;
        Ok(done.status.success())
    }

    /// Runs `notices list` on a running switch. What it says wrongly counts as nothing said.
    pub(super) fn notices(&self, admin: SocketAddr) -> Result<Vec<Notice>, DemoError> {
        let mut command = self.command();
        command.args(["notices", "list", "--json", "--admin", &url(admin)]);
        let done = command.output().map_err(DemoError::system("run notices"))?;
        let said: Option<Notices> = serde_json::from_slice(&done.stdout).ok();
        Ok(said.map_or_else(Vec::new, |said| said.notices))
    }

    /// Runs `ledger verify` on the stopped folder; whether everything held.
    pub(super) fn ledger_holds(&self) -> Result<bool, DemoError> {
        let mut command = self.command();
        command.args(["ledger", "verify", "--data"]).arg(self.data());
        let done = command.output().map_err(DemoError::system("run ledger verify"))?;
        Ok(done.status.success())
    }

    /// This program without settings of the caller's environment, which are meant for another switch.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        let settings = env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.to_string_lossy().starts_with(SETTINGS)) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }
}

impl Switch {
    /// Starts `serve` on ports of the system's choice and waits until it is ready.
    pub(super) fn start(program: &Program, interrupt: &Interrupt) -> Result<Self, DemoError> {
        let ports = program.data().join(PORTS_FILE);
        match fs::remove_file(&ports) {
            // A killed switch leaves its file behind, and its ports are no longer anybody's.
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                return Err(DemoError::system("remove the old ports.json")(err));
            }
            _ => {}
        }
        let log = program.dir.join("switch.log");
        let spawned = spawn(program, &log).map_err(DemoError::system("start the switch"))?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        // From here on its drop kills the child.
        let mut switch = Self {
            child: spawned,
            log,
            ports: Ports { pos: nowhere, epos: nowhere, atm: nowhere, admin: nowhere },
        };
        let started = stopwatch();
        while started.elapsed() < START_MAX {
            if let Some(ports) = read_ports(&ports) {
                switch.ports = ports;
                return Ok(switch);
            }
            if interrupt.came() {
                return Err(DemoError::Interrupted);
            }
            switch.check_alive()?;
            pause();
        }
        Err(switch.fault("was not ready in time"))
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// Fails if the switch has ended by itself.
    pub(super) fn check_alive(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait().map_err(DemoError::system("look at the switch"))? {
            None => Ok(()),
            Some(_) => Err(self.fault("ended by itself")),
        }
    }

    /// Ends it as a power cut would: nothing of it runs any more.
    pub(super) fn kill(mut self) -> Result<(), DemoError> {
        self.check_alive()?;
        self.child.kill().and_then(|()| self.child.wait()).map_err(DemoError::system("kill the switch"))?;
        Ok(())
    }

    /// Asks it to stop by SIGTERM; whether it ended in time and with exit code 0.
    pub(super) fn stop(mut self) -> Result<bool, DemoError> {
        // The standard library sends SIGKILL only, and every shell has `kill` built in.
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).stderr(Stdio::null());
        kill.status().map_err(DemoError::system("send SIGTERM"))?;
        let ended = self.wait(STOP_MAX).map_err(DemoError::system("wait for the switch"))?;
        Ok(ended.is_some_and(|status| status.success()))
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<ExitStatus>> {
        let started = stopwatch();
        loop {
            let ended = self.child.try_wait()?;
            if ended.is_some() || started.elapsed() >= at_most {
                return Ok(ended);
            }
            pause();
        }
    }

    fn fault(&self, what: &'static str) -> DemoError {
        DemoError::Switch { what, log: last_lines(&self.log, LOG_LINES) }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Waits a little before the next look at a file, a process or a flag.
#[expect(clippy::disallowed_methods, reason = "no stage of the switch runs in this process")]
pub(super) fn pause() {
    thread::sleep(PAUSE);
}

/// An admin port as commands are given it.
pub(super) fn url(admin: SocketAddr) -> String {
    format!("http://{admin}")
}

/// Its log goes to a file, because nobody would empty a pipe while terminals play.
fn spawn(program: &Program, log: &Path) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut command = program.command();
    command.arg("serve").arg("--config").arg(program.dir.join("cardswitch.toml"));
    command
        .env("CARDSWITCH__POS__LISTEN", "127.0.0.1:0")
        .env("CARDSWITCH__EPOS__LISTEN", "127.0.0.1:0")
        .env("CARDSWITCH__ATM__LISTEN", "127.0.0.1:0")
        .env("CARDSWITCH__ADMIN__LISTEN", "127.0.0.1:0")
        .env("CARDSWITCH__DATA__DIR", program.data())
        .env("CARDSWITCH__SETTLEMENT__CUT_OVER", program.day.cut_over)
        .env("CARDSWITCH__LOG__LEVEL", "warn")
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

/// `None` as long as the file is missing or not whole.
fn read_ports(path: &Path) -> Option<Ports> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
