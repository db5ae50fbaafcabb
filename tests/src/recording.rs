//! Recordings: what clients sent over one connection and what the switch answered, byte for byte, and a switch that
//! plays them back. Its clock stands at the moment of the recording and its random bytes count, so its answers are the
//! same each time.
//!
//! A file holds `time` (milliseconds since 1970 UTC), then for each exchange a title and both frames in hex, their
//! lengths left out. Start at [`Player`] and [`Recording`].

use std::{fmt::Write as _, fs, path::Path};

use cardswitch::{
    batch::{Batch, Line, State},
    books::event::TerminalDialect,
    channel::ConnectionId,
    clock::{Clock, stopwatch},
    dialect::Forms,
    journal::MemoryStore,
    recovery,
    stages::{FaultLog, Stages},
    telemetry::{cost::Laps, metrics},
    verify::Verifier,
};
use hsm_sim::{Hsm, Lmk};

use crate::in_process::configuration;

/// One request and its answer, without lengths.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// What was asked, for people.
    pub title: String,
    /// The request.
    pub request: Vec<u8>,
    /// The answer; empty if there was none.
    pub answer: Vec<u8>,
}

/// What happened over one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recording {
    /// When, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// In order.
    pub exchanges: Vec<Recorded>,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Panics
    /// The file is not one.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut recording = Self { time_ms: 0, exchanges: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let last = recording.exchanges.last_mut();
            match (word, last) {
                ("time", _) => recording.time_ms = rest.parse().expect("milliseconds"),
                ("##", _) => recording.exchanges.push(Recorded {
                    title: rest.to_owned(),
                    request: Vec::new(),
                    answer: Vec::new(),
                }),
                (">", Some(last)) => last.request = bytes(rest),
                ("<", Some(last)) => last.answer = bytes(rest),
                _ => panic!("{}: {word}", path.display()),
            }
        }
        recording
    }

    /// Writes a recording under these lines of introduction.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn write(&self, path: &Path, introduction: &str) {
        let mut text = String::new();
        for line in introduction.lines() {
            writeln!(text, "# {line}").expect("memory");
        }
        writeln!(text, "time {}", self.time_ms).expect("memory");
        for exchange in &self.exchanges {
            let (request, answer) = (hex(&exchange.request), hex(&exchange.answer));
            write!(text, "\n## {}\n> {request}\n< {answer}\n", exchange.title).expect("memory");
        }
        fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// A switch for one connection, without threads, disk or chance.
#[derive(Debug)]
pub struct Player {
    stages: Stages,
    batch: Batch,
    line: Line,
}

impl Player {
    /// On the sample city, imported at this time, for connections of this dialect.
    ///
    /// # Panics
    /// The city cannot be imported.
    #[must_use]
    pub fn new(dialect: TerminalDialect, time_ms: i64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = configuration(folder.path());
        let (metrics, _) = metrics::recorder();
        let mut clock = Clock::standing(&config.time.zone, time_ms).expect("the city's zone");
        let mut hsm = Hsm::new(Lmk::test());
        let mut store = MemoryStore::new();
        let mut entropy = counting(1);
        let books =
            recovery::open_books(&mut store, &config, &mut hsm, &mut entropy, &mut clock, &mut |_| ())
                .expect("the city is imported");
        let verifier = Verifier::new(hsm, Box::new(counting(2)), &books).expect("its keys");
        let forms = Forms { atm_binary_bitmap: false, institution: config.atm.institution };
        let stages = Stages {
            books,
            verifier,
            clock,
            metrics,
            faults: FaultLog::default(),
            forms,
            laps: Laps::default(),
        };
        let line = Line { dialect, private: true, concentrator: false };
        Self { stages, batch: Batch::default(), line }
    }

    /// The answer to a frame (both without length); empty if there is none.
    pub fn answer(&mut self, frame: &[u8]) -> Vec<u8> {
        self.batch.clear();
        self.batch.push(ConnectionId { place: 0, generation: 1 }, stopwatch(), self.line, frame);
        self.stages.run(&mut self.batch);
        let job = &self.batch.jobs[0];
        if job.state != State::Answered {
            return Vec::new();
        }
        self.batch.output[job.encoded.frame.clone()].to_vec()
    }
}

/// Bytes that look random and are the same each time.
pub fn counting(seed: u64) -> impl FnMut(&mut [u8]) + Send + 'static {
    let mut state = seed;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| u8::try_from(digit.to_digit(16).expect("hex")).expect("a digit")).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
