//! One honest terminal on one connection: a purchase or withdrawal at a time, and every answer looked at, down to its
//! MAC and to answers that nobody asked for.
//!
//! Messages are made by the switch's own clients, which share nothing with it; keys that check answers are held apart.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use cardswitch::{
    books::event::TerminalDialect,
    terminal::{
        AtmForm, AtmHost, AtmOrder, AtmService, Entry, EposTerminal, Frame, PosTerminal, Service, TestCard,
    },
};
use hsm_sim::{
    MacAlgorithm,
    emulator::{Psam, TerminalKeys, Zone},
};
use iso8583::Message;

use super::parties::Parties;
use crate::{history::Name, line::PATIENCE};

/// How long a newcomer waits.
const NEWCOMER_PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for a second answer that must not come.
const SILENCE: Duration = Duration::from_millis(100);
/// Minor units of every request.
const AMOUNT: i64 = 1;
/// The tag of the random number in field 57.
const RANDOM: u8 = 0x02;

/// What a terminal was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// By what the journal knows it.
    pub name: Name,
    /// Field 39.
    pub code: String,
    /// Field 37, where it is the switch's own.
    pub rrn: Option<String>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Reply {
    /// Answered 00 under a right MAC.
    Good(Told),
    /// Something else came, or nothing.
    Wrong(String, Option<Told>),
    /// The connection broke; whether there is a new one.
    Broken(String, bool),
}

enum Client {
    Pos(Box<PosTerminal>, Box<TerminalKeys>, MacAlgorithm),
    Epos(Box<EposTerminal>, Box<Psam>),
    Atm(Box<AtmHost>, Box<Zone>, [u8; 8]),
}

/// See the module.
pub struct Teller {
    id: String,
    client: Client,
    cards: Vec<TestCard>,
    turn: usize,
    to: SocketAddr,
    line: Option<Line>,
}

impl Teller {
    /// A POS terminal that has signed in.
    #[must_use]
    pub fn pos(parties: &Parties, id: &str, to: SocketAddr) -> Self {
        let (mut terminal, mut keys) = parties.pos(id);
        let mut line = Line::open(to, TerminalDialect::Pos, PATIENCE).expect("the switch accepts");
        let asked = terminal.prepare_sign_in().expect("a sign-in");
        let answer = line.ask(&asked).expect("an answer to a sign-in");
        terminal.take_keys(&answer).expect("keys");
        accept(&mut keys, &answer);
        let algorithm = terminal.algorithm();
        Self::over(parties, id, to, line, Client::Pos(Box::new(terminal), Box::new(keys), algorithm))
    }

    /// A telephone POS that has signed in.
    #[must_use]
    pub fn epos(parties: &Parties, id: &str, to: SocketAddr) -> Self {
        let seed = id.bytes().fold(0, |seed, byte| seed * 31 + u64::from(byte));
        let (mut terminal, psam) = parties.epos(id, seed);
        let mut line = Line::open(to, TerminalDialect::Epos, PATIENCE).expect("the switch accepts");
        let asked = terminal.prepare_sign_in().expect("a sign-in");
        let answer = line.ask(&asked).expect("an answer to a sign-in");
        terminal.take_nonce(&answer).expect("a nonce");
        let answering = terminal.prepare_authentication().expect("an authenticator");
        let answer = line.ask(&answering).expect("an answer to an authenticator");
        assert_eq!(code(&answer), "00", "{id} signs in");
        Self::over(parties, id, to, line, Client::Epos(Box::new(terminal), Box::new(psam)))
    }

    /// The host behind a cash machine, signed on. Its acquirer's session is not the connection's, so a connection of
    /// its own will do for that.
    #[must_use]
    pub fn atm(parties: &Parties, id: &str, to: SocketAddr) -> Self {
        let (mut host, zone, terminal) = parties.atm(id, 1);
        host.connect(to).expect("the switch accepts");
        assert!(host.sign_on().expect("an answer to a sign-on").approved(), "{id} signs on");
        // Leaves that connection.
        let (host, ..) = parties.atm(id, 2);
        let line = Line::open(to, TerminalDialect::Atm, PATIENCE).expect("the switch accepts");
        let client = Client::Atm(Box::new(host.counting_from(1_000)), Box::new(zone), terminal);
        Self::over(parties, id, to, line, client)
    }

    fn over(parties: &Parties, id: &str, to: SocketAddr, line: Line, client: Client) -> Self {
        let turn = id.bytes().last().map_or(0, usize::from);
        Self { id: id.to_owned(), client, cards: parties.cards(), turn, to, line: Some(line) }
    }

    /// What it speaks.
    #[must_use]
    pub fn dialect(&self) -> TerminalDialect {
        match self.client {
            Client::Pos(..) => TerminalDialect::Pos,
            Client::Epos(..) => TerminalDialect::Epos,
            Client::Atm(..) => TerminalDialect::Atm,
        }
    }

    /// Its next request.
    pub fn prepare(&mut self) -> Frame {
        self.turn += 1;
        let card = &self.cards[self.turn % self.cards.len()];
        let (pin, entry) = (Some(card.pin.expose().as_slice()), Entry::Stripe);
        let frame = match &mut self.client {
            Client::Pos(terminal, ..) => {
                terminal.prepare(Service::Purchase, &card.card, Some(AMOUNT), pin, entry)
            }
            Client::Epos(terminal, _) => {
                terminal.prepare(Service::Purchase, &card.card, Some(AMOUNT), pin, entry)
            }
            Client::Atm(host, _, id) => {
                let order = AtmOrder::new(AtmService::Withdrawal, id, &card.card);
                host.prepare(&AtmOrder { pin, amount: Some(AMOUNT), ..order })
            }
        };
        frame.expect("a request")
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, request: &Frame) -> Reply {
        let Some(line) = self.line.as_mut() else { return self.broken("has no connection") };
        let sent = request.message().expect("a request decodes");
        if let Err(error) = line.send(request.as_bytes()) {
            return self.broken(&format!("cannot send: {error}"));
        }
        let (deadline, mut strays) = (Instant::now() + PATIENCE, 0);
        loop {
            let answer = match self.line.as_mut().map(|line| line.receive(deadline)) {
                Some(Ok(Some(answer))) => answer,
                Some(Ok(None)) => return Reply::Wrong(format!("{}: no answer", self.id), None),
                Some(Err(error)) => return self.broken(&format!("broke before the answer: {error}")),
                None => return self.broken("has no connection"),
            };
            let Ok(message) = answer.message() else {
                return Reply::Wrong(format!("{}: an answer that does not decode", self.id), None);
            };
            match self.judge(&sent, &message) {
                _ if !is_answer(&message, &sent) => strays += 1,
                Reply::Good(told) if strays > 0 => {
                    let how = format!("{}: {strays} answers that nobody asked for", self.id);
                    return Reply::Wrong(how, Some(told));
                }
                reply => return reply,
            }
        }
    }

    /// An answer too many, if there is one.
    pub fn stray(&mut self) -> Option<String> {
        let line = self.line.as_mut()?;
        let got = line.receive(Instant::now() + SILENCE).ok()?;
        got.map(|_| format!("{}: an answer that nobody asked for", self.id))
    }

    fn judge(&self, sent: &Message<'_>, answer: &Message<'_>) -> Reply {
        let text = |field| String::from_utf8_lossy(answer.text(field).unwrap_or_default()).into_owned();
        let number = |field| u32::try_from(sent.number(field).unwrap_or_default()).unwrap_or_default();
        let batch = if self.dialect() == TerminalDialect::Atm { number(7) } else { 1 };
        let rrn = (!sent.has(37)).then(|| text(37));
        let class = sent.mti().raw().to_be_bytes()[0] & 0x0F;
        let told = Told { name: (self.id.clone(), batch, number(11), class), code: text(39), rrn };
        if !self.is_sealed(sent, answer) {
            return Reply::Wrong(format!("{}: {} without a right MAC", self.id, told.code), Some(told));
        }
        match told.code.as_str() {
            "00" => Reply::Good(told),
            code => Reply::Wrong(format!("{}: answered {code}", self.id), Some(told)),
        }
    }

    fn is_sealed(&self, sent: &Message<'_>, answer: &Message<'_>) -> bool {
        let field = if answer.has(128) { 128 } else { 64 };
        let (Some(mac), Some(end)) = (answer.fixed::<8>(field), answer.start(field)) else { return false };
        let covered = &answer.bytes()[..end];
        match &self.client {
            Client::Pos(_, keys, algorithm) => keys.verify(*algorithm, covered, &mac),
            Client::Epos(_, psam) => {
                let stan = u32::try_from(sent.number(11).unwrap_or_default()).unwrap_or_default();
                random_of(sent).is_some_and(|random| psam.verify(random, stan, covered, &mac))
            }
            Client::Atm(_, zone, _) => zone.verify(covered, &mac),
        }
    }

    /// Connects again, as a terminal does.
    fn broken(&mut self, how: &str) -> Reply {
        self.line = Line::open(self.to, self.dialect(), PATIENCE).ok();
        Reply::Broken(format!("{}: {how}", self.id), self.line.is_some())
    }
}

/// A call from someone who has yet to connect.
#[derive(Debug)]
pub struct Call {
    /// Whether a connection came about.
    pub connected: bool,
    /// Why there was no good answer.
    pub failed: Option<String>,
    /// From the first packet on.
    pub took: Duration,
}

impl Call {
    /// Connects, sends one frame of `pos`, waits for 00, and hangs up.
    #[must_use]
    pub fn place(to: SocketAddr, frame: &[u8]) -> Self {
        let begun = Instant::now();
        let line = Line::open(to, TerminalDialect::Pos, NEWCOMER_PATIENCE);
        let connected = line.is_ok();
        let answer = line.and_then(|mut line| {
            line.send(frame)?;
            line.receive(begun + NEWCOMER_PATIENCE)
        });
        let failed = match answer {
            Err(error) => {
                Some(format!("{} {error}", if connected { "connected, then" } else { "connecting:" }))
            }
            Ok(None) => Some("connected, then no answer".to_owned()),
            Ok(Some(answer)) => (code(&answer) != "00").then(|| format!("answered {}", code(&answer))),
        };
        Self { connected, failed, took: begun.elapsed() }
    }
}

struct Line {
    stream: TcpStream,
    dialect: TerminalDialect,
    unread: Vec<u8>,
}

impl Line {
    fn open(to: SocketAddr, dialect: TerminalDialect, patience: Duration) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, dialect, unread: Vec::new() })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)
    }

    fn ask(&mut self, frame: &Frame) -> Result<Frame, Error> {
        self.send(frame.as_bytes())?;
        self.receive(Instant::now() + PATIENCE)?.ok_or_else(|| ErrorKind::TimedOut.into())
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Frame>, Error> {
        loop {
            let frame = match self.dialect {
                TerminalDialect::Atm => Frame::read_atm(&self.unread, AtmForm::default()),
                _ => Frame::read(&self.unread),
            };
            if let Some(frame) = frame {
                self.unread.drain(..frame.as_bytes().len());
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut room = [0; 2048];
            match self.stream.read(&mut room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.unread.extend_from_slice(&room[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_answer(answer: &Message<'_>, sent: &Message<'_>) -> bool {
    answer.mti() == sent.mti().answer() && [11, 41].iter().all(|field| answer.raw(*field) == sent.raw(*field))
}

fn code(answer: &Frame) -> String {
    let message = answer.message().ok();
    let code = message.as_ref().and_then(|message| message.text(39)).unwrap_or(b"--");
    String::from_utf8_lossy(code).into_owned()
}

/// The terminal's second copy of the keys in a sign-in's answer.
fn accept(keys: &mut TerminalKeys, answer: &Frame) {
    let message = answer.message().expect("a sign-in's answer decodes");
    let field: [u8; 40] = message.fixed(62).expect("keys");
    let part = |from: usize| -> [u8; 16] { field[from..from + 16].try_into().expect("sixteen bytes") };
    let check = |from: usize| -> [u8; 4] { field[from..from + 4].try_into().expect("four bytes") };
    keys.accept(&part(0), &check(16), &part(20), &check(36)).expect("keys of this terminal");
}

/// The random number in field 57: objects of a tag, a length and a value.
fn random_of(sent: &Message<'_>) -> Option<[u8; 8]> {
    let mut objects = sent.raw(57)?;
    while let [tag, length, rest @ ..] = objects {
        let (value, behind) = rest.split_at_checked(usize::from(*length))?;
        if *tag == RANDOM {
            return value.try_into().ok();
        }
        objects = behind;
    }
    None
}
