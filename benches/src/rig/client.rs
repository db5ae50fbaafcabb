//! A client of each dialect, and the small requests that it makes: a terminal's purchase by stripe and PIN, a cash
//! machine's withdrawal.
//!
//! It is one of `cardswitch::terminal`, so that requests are made and answers are checked by other code than the one
//! that is measured. Start at [`Client::requests`].

use bytes::BytesMut;
use cardswitch::{
    batch::{Batch, Line, State},
    books::event::{Event, TerminalDialect},
    channel::framing::{self, LengthForm},
    journal::RecordBatch,
    stages::Stages,
    terminal::{
        AtmForm, AtmHost, AtmOrder, AtmService, Entry, EposTerminal, Exchange, Frame, PosTerminal, Sample,
        Service, TestCard,
    },
};
use hsm_sim::Entropy;

use super::fill;

/// The rich card of the sample city, `fixtures/README.md`.
const RICH_CARD_LINE: u64 = 2;

/// Amount of each request, minor units; small, so that the card lasts.
const AMOUNT: i64 = 1;

/// What a client speaks, and with which MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speech {
    /// `pos`, UnionPay's MAC.
    PosEcb,
    /// `pos`, ANSI X9.19.
    PosX919,
    /// `epos`, whose keys are derived for each message.
    Epos,
    /// `atm`, ANSI X9.19.
    Atm,
}

impl Speech {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::PosEcb, Self::PosX919, Self::Epos, Self::Atm];

    /// The word for it in the names of benchmarks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PosEcb => "pos-ecb",
            Self::PosX919 => "pos-x9.19",
            Self::Epos => "epos",
            Self::Atm => "atm",
        }
    }

    /// Field 41 of its terminal in the sample city.
    fn terminal(self) -> &'static str {
        match self {
            Self::PosEcb => "31000001",
            Self::PosX919 => "31000002",
            Self::Epos => "41000001",
            Self::Atm => "51000001",
        }
    }
}

/// A client that is signed in, with a card at hand.
#[derive(Debug)]
pub struct Client {
    device: Device,
    card: TestCard,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Device {
    Pos(PosTerminal),
    Epos(EposTerminal),
    Atm(AtmHost, [u8; 8]),
}

impl Client {
    /// Takes a client from the sample city and lets it sign in.
    pub(super) fn signed_in(speech: Speech, sample: &Sample, stages: &mut Stages) -> Self {
        let card = sample.card_in_line(RICH_CARD_LINE).expect("the rich card");
        let id = Some(speech.terminal());
        let device = match speech {
            Speech::PosEcb | Speech::PosX919 => Device::Pos(sample.terminal(id).expect("a pos terminal")),
            Speech::Epos => Device::Epos(sample.epos_terminal(id, counting()).expect("an epos terminal")),
            Speech::Atm => {
                let (host, terminal) = sample.atm_host(id, counting()).expect("a cash machine");
                Device::Atm(host, terminal)
            }
        };
        let mut client = Self { device, card };
        client.sign_in(stages);
        client
    }

    fn sign_in(&mut self, stages: &mut Stages) {
        let line = self.line();
        match &mut self.device {
            Device::Pos(terminal) => {
                let answer = ask(stages, line, &terminal.prepare_sign_in().expect("a sign-in"));
                terminal.take_keys(&answer).expect("keys that fit");
            }
            Device::Epos(terminal) => {
                let answer = ask(stages, line, &terminal.prepare_sign_in().expect("a sign-in"));
                terminal.take_nonce(&answer).expect("a nonce");
                let proof = terminal.prepare_authentication().expect("an authenticator");
                let answer = ask(stages, line, &proof);
                let exchange = terminal.exchange(proof, answer).expect("an answer");
                assert!(exchange.approved(), "the PSAM is believed: {exchange:?}");
            }
            Device::Atm(host, _) => {
                // A host signs on over a line of its own, and there is none here.
                let acquirer = stages.books.find_acquirer(host.acquirer()).expect("an acquirer").0;
                let now = stages.clock.now();
                let sent = (now.unix_ms(), 0);
                let event = Event::AcquirerSigned { acquirer, on: true, sent, adopts: None };
                assert!(stages.record(&mut RecordBatch::new(), &event, &now), "a sign-on");
            }
        }
    }

    /// What its frames come over.
    #[must_use]
    pub fn line(&self) -> Line {
        let dialect = match self.device {
            Device::Pos(_) => TerminalDialect::Pos,
            Device::Epos(_) => TerminalDialect::Epos,
            Device::Atm(..) => TerminalDialect::Atm,
        };
        Line { dialect, private: true, concentrator: false }
    }

    /// Requests that move money, each under its own STAN.
    ///
    /// # Panics
    /// A request cannot be built, which is a fault of the client.
    pub fn requests(&mut self, count: usize) -> Vec<Frame> {
        (0..count).map(|_| self.request()).collect()
    }

    fn request(&mut self) -> Frame {
        let (card, amount, pin) = (&self.card.card, Some(AMOUNT), Some(self.card.pin.expose().as_slice()));
        let frame = match &mut self.device {
            Device::Pos(till) => till.prepare(Service::Purchase, card, amount, pin, Entry::Stripe),
            Device::Epos(till) => till.prepare(Service::Purchase, card, amount, pin, Entry::Stripe),
            Device::Atm(host, terminal) => {
                let order = AtmOrder::new(AtmService::Withdrawal, terminal, card);
                host.prepare(&AtmOrder { pin, amount, ..order })
            }
        };
        frame.expect("a request")
    }

    /// Whether the client takes this answer (without its length) to its request for an approval under a right MAC.
    #[must_use]
    pub fn approves(&self, request: &Frame, answer: &[u8]) -> bool {
        self.exchange(request, answer).is_some_and(|heard| heard.approved() && heard.mac_ok == Some(true))
    }

    fn exchange(&self, request: &Frame, answer: &[u8]) -> Option<Exchange> {
        let exchange = match &self.device {
            Device::Pos(terminal) => terminal.exchange(request.clone(), short_frame(answer)?),
            Device::Epos(terminal) => terminal.exchange(request.clone(), short_frame(answer)?),
            Device::Atm(host, _) => {
                let mut wire = BytesMut::new();
                framing::put(LengthForm::Ascii, answer, &mut wire);
                host.exchange(request.clone(), Frame::read_atm(&wire, AtmForm::default())?)
            }
        };
        exchange.ok()
    }
}

/// The answer to one frame of `pos` or `epos`.
fn ask(stages: &mut Stages, line: Line, frame: &Frame) -> Frame {
    let mut batch = Batch::default();
    fill(&mut batch, line, std::slice::from_ref(frame));
    stages.run(&mut batch);
    let job = &batch.jobs[0];
    assert_eq!(job.state, State::Answered);
    short_frame(&batch.output[job.encoded.frame.clone()]).expect("an answer")
}

/// A frame with two bytes of length before it.
fn short_frame(answer: &[u8]) -> Option<Frame> {
    let mut wire = BytesMut::new();
    framing::put(LengthForm::Binary, answer, &mut wire);
    Frame::read(&wire)
}

/// Bytes that are the same each time.
fn counting() -> Box<dyn Entropy + Send> {
    let mut state = 1_u64;
    Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    })
}
