//! What the attackers throw: frames that were recorded on honest lines, those of `fixtures`, and sign-ins and echoes
//! that anyone can make, each without its length.
//!
//! Start at [`Arsenal::gather`]. What is done to frames before they are thrown is in [`super::shot`].

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use cardswitch::books::event::TerminalDialect;

use super::parties::Parties;
use crate::{ask::Ask, fixture, forge, recording::Recording, terminal::Terminal};

/// The dialects in the order of their type, with the names of their folders.
pub const DIALECTS: [(TerminalDialect, &str); 3] =
    [(TerminalDialect::Pos, "pos"), (TerminalDialect::Epos, "epos"), (TerminalDialect::Atm, "atm")];

/// Requests of each dialect that a tape holds; the oldest go first.
const TAPE_MAX: usize = 256;

/// A recorder on the honest lines.
#[derive(Clone, Debug, Default)]
pub struct Tape(Arc<Mutex<[VecDeque<Vec<u8>>; 3]>>);

impl Tape {
    /// Records a frame, its length left out.
    pub fn record(&self, dialect: TerminalDialect, frame: &[u8]) {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = &mut tape[dialect as usize];
        if frames.len() == TAPE_MAX {
            frames.pop_front();
        }
        frames.push_back(frame.to_vec());
    }

    fn frames(&self, dialect: TerminalDialect) -> Vec<Vec<u8>> {
        let tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tape[dialect as usize].iter().cloned().collect()
    }
}

/// Frames without their lengths, of one dialect each.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// As they were on honest lines.
    pub recorded: Vec<Vec<u8>>,
    /// Those, and what `fixtures` has; to be changed before they are thrown.
    pub material: Vec<Vec<u8>>,
    /// Sign-ins and sign-ons: of terminals and acquirers that exist, and that do not.
    pub sign_ins: Vec<Vec<u8>>,
    /// Echoes that get an answer.
    pub echoes: Vec<Vec<u8>>,
}

/// Stocks of the three dialects, in the order of [`DIALECTS`].
#[derive(Clone, Debug)]
pub struct Arsenal([Stock; 3]);

impl Arsenal {
    /// What there is now.
    #[must_use]
    pub fn gather(parties: &Parties, tape: &Tape) -> Self {
        Self(DIALECTS.map(|(dialect, name)| {
            let recorded = tape.frames(dialect);
            let mut material = recorded.clone();
            material.extend(golden(name));
            material.extend(corpus(dialect));
            let (sign_ins, echoes) = match dialect {
                TerminalDialect::Atm => (sign_ons(parties), atm_echoes(parties)),
                _ => (managements(parties, dialect, Ask::sign_in), managements(parties, dialect, Ask::echo)),
            };
            Stock { recorded, material, sign_ins, echoes }
        }))
    }

    /// Those of a dialect.
    #[must_use]
    pub fn of(&self, dialect: TerminalDialect) -> &Stock {
        &self.0[dialect as usize]
    }
}

/// Recorded requests of `fixtures/golden`. Those of `atm` are under the city's own zone keys, and within a day of their
/// recording they would be good: a key change among them would be one. So their MACs are spoiled.
fn golden(name: &str) -> Vec<Vec<u8>> {
    let recording = Recording::read(&fixture(&format!("golden/{name}.txt")));
    let requests = recording.exchanges.into_iter().map(|exchange| exchange.request);
    let spoiled = requests.map(|request| if name == "atm" { spoiled(request) } else { request });
    spoiled.collect()
}

/// Another last character, which is still a hexadecimal one.
fn spoiled(mut frame: Vec<u8>) -> Vec<u8> {
    if let Some(last) = frame.last_mut() {
        *last = if *last == b'0' { b'1' } else { b'0' };
    }
    frame
}

/// The messages of `fixtures/corpus`, with headers where the dialect has some.
fn corpus(dialect: TerminalDialect) -> Vec<Vec<u8>> {
    let is_atm = dialect == TerminalDialect::Atm;
    let folder = fixture(if is_atm { "corpus/atm" } else { "corpus/pos" });
    let ending = if is_atm { "hex" } else { "bin" };
    let bytes = files(&folder, ending).into_iter().map(|bytes| if is_atm { unhex(&bytes) } else { bytes });
    bytes.map(|message| if is_atm { message } else { headed(&message) }).collect()
}

fn files(folder: &Path, ending: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")).collect()
}

fn unhex(text: &[u8]) -> Vec<u8> {
    let digits: Vec<u32> = text.iter().filter_map(|c| char::from(*c).to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect()
}

/// TPDU and application header before a message.
fn headed(message: &[u8]) -> Vec<u8> {
    [&[0x60, 0, 3, 0, 0, 0x61, 0x31, 0, 0x31, 0x11, 0x08], message].concat()
}

/// Sign-ins or echoes in the names of the city's terminals, and of as many that it does not have.
fn managements(parties: &Parties, dialect: TerminalDialect, ask: impl Fn() -> Ask) -> Vec<Vec<u8>> {
    // Those of a telephone POS are what the recording of one has, where field 57 is part of it.
    let rows = parties.city().files().terminals.iter().filter(|row| row.dialect as usize == dialect as usize);
    let mut frames = Vec::new();
    for row in rows {
        let mut terminal = Terminal::of(row);
        let frame = terminal.frame(&mut ask())[2..].to_vec();
        frames.push(renamed(&frame, &row.terminal_id));
        frames.push(frame);
    }
    if dialect == TerminalDialect::Epos {
        let with_psam = golden("epos").into_iter().filter(|frame| frame.get(11..13) == Some(&[0x08, 0x00]));
        frames.extend(with_psam);
    }
    frames
}

/// The same with a terminal that is not there: its second digit is another.
fn renamed(frame: &[u8], id: &[u8; 8]) -> Vec<u8> {
    let at = frame.windows(id.len()).position(|window| window == id).expect("field 41");
    let mut renamed = frame.to_vec();
    renamed[at + 1] = b'9';
    renamed
}

/// Sign-ons with a wrong MAC: of acquirers that exist, and of one that does not.
fn sign_ons(parties: &Parties) -> Vec<Vec<u8>> {
    let existing = parties.city().files().acquirers.iter().map(|row| row.id.as_str());
    let zone = parties.zone("31060110");
    let sign_on = |(stan, acquirer): (u64, &str)| {
        let frame = forge::atm_frame(&zone, (0x0800, 128), |message| {
            message.number(7, forge::transmitted(0))?.number(11, stan)?;
            message.digits(32, acquirer.as_bytes())?.number(70, 1).map(drop)
        });
        spoiled(frame[4..].to_vec())
    };
    (900_000..).zip(existing.chain(["31069999"])).map(sign_on).collect()
}

/// Echoes of an acquirer's host that has lost its mind.
fn atm_echoes(parties: &Parties) -> Vec<Vec<u8>> {
    let zone = parties.zone("31060110");
    let echo = |stan: u64| {
        let frame = forge::atm_frame(&zone, (0x0800, 128), |message| {
            message.number(7, forge::transmitted(0))?.number(11, stan)?;
            message.digits(32, b"31060110")?.number(70, 301).map(drop)
        });
        frame[4..].to_vec()
    };
    (910_000..910_016).map(echo).collect()
}
