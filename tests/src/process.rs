//! The real program as a process of its own: started, killed, stopped, and its folder read afterwards.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use cardswitch::app::{PORTS_FILE, Ports};

use crate::{
    city::City,
    line::{Line, PATIENCE},
};

/// How long a start may take: it replays what lies behind its checkpoint, beside whatever else the machine does.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// A running `serve`, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub ports: Ports,
}

/// How to start the program.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    city: PathBuf,
    data: PathBuf,
    environment: Vec<(String, String)>,
}

impl Launch {
    /// `program` on the sample city with its data in `data`, on ports that the system chooses.
    #[must_use]
    pub fn new(program: &str, data: &Path) -> Self {
        Self::bare(program, data)
            .set("POS__LISTEN", "127.0.0.1:0")
            .set("EPOS__LISTEN", "127.0.0.1:0")
            .set("ATM__LISTEN", "127.0.0.1:0")
            .set("ADMIN__LISTEN", "127.0.0.1:0")
            .set("BOOKS__SIGN_INS_PER_MINUTE", "6000")
    }

    /// `program` with its data in `data` and nothing else overridden.
    #[must_use]
    pub fn bare(program: &str, data: &Path) -> Self {
        let (program, city) = (program.into(), City::folder());
        Self { program, city, data: data.to_owned(), environment: Vec::new() }
    }

    /// On a city in another folder.
    #[must_use]
    pub fn in_city(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.city);
        self
    }

    /// Overrides a setting, named as `SECTION__KEY`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.environment.push((format!("CARDSWITCH__{key}"), value.to_owned()));
        self
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The file that standard error goes to; each start writes it anew.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.data.with_file_name("stderr.log")
    }

    /// Starts it and waits until it is ready.
    #[must_use]
    pub fn start(&self) -> Process {
        let ports = self.data.join(PORTS_FILE);
        // After a kill the old file is still there, and its ports may be somebody else's by now.
        let _was_not_there = std::fs::remove_file(&ports);
        let mut child = self
            .command(&self.city.join("cardswitch.toml"))
            .stdout(Stdio::null())
            .stderr(File::create(self.log()).expect("a log file"))
            .spawn()
            .expect("the program starts");
        let begun = Instant::now();
        let ports = loop {
            if let Ok(text) = std::fs::read(&ports) {
                break serde_json::from_slice(&text).expect("ports.json is whole once it is there");
            }
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{ended:?}: {}", self.log_text());
            assert!(begun.elapsed() < START_PATIENCE, "not ready: {}", self.log_text());
            // Often, so that a test can do something the moment it is ready.
            std::thread::sleep(Duration::from_micros(100));
        };
        Process { child, ports }
    }

    /// Runs `serve` with this configuration to its end.
    #[must_use]
    pub fn run_to_end(&self, config: &Path) -> Output {
        self.command(config).output().expect("the program runs")
    }

    /// Runs `ledger verify` on the stopped folder; it must succeed.
    pub fn verify(&self) {
        let mut command = Command::new(&self.program);
        let output = command.args(["ledger", "verify", "--data"]).arg(&self.data).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "ledger verify: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn command(&self, config: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(config).arg("--data").arg(&self.data);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }
}

impl Process {
    /// A page of its admin port, head and body.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.ports.admin).expect("the admin port");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// What the admin port answers to this body, head and all.
    #[must_use]
    pub fn post(&self, path: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.ports.admin).expect("the admin port");
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .expect("a request");
        stream.write_all(body).expect("a body");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// A new connection to its terminals' port.
    #[must_use]
    pub fn connect(&self) -> Line {
        Line::connect(self.ports.pos)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill9(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Asks it to stop. The standard library knows no signal but SIGKILL, so the command `kill` sends it.
    pub fn sigterm(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(sent.expect("the command kill").success());
    }

    /// Waits until it has ended.
    #[must_use]
    pub fn wait(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail once it has ended, which is as well.
        let _has_ended = self.child.kill();
        let _has_ended = self.child.wait();
    }
}
