//! What the groups share: the stages over the sample city, and requests that they approve. The load generator, which
//! asks a running switch from outside, is [`loadgen`].

pub mod loadgen;

use std::{path::Path, time::Instant};

use cardswitch::{
    app,
    batch::{Batch, Line},
    books::event::TerminalDialect,
    channel::{ConnectionId, framing},
    config::Config,
    journal::{MemoryStore, Store},
    stages::Stages,
    telemetry::metrics,
    terminal::{Entry, Frame, PosTerminal, Sample, Service, TestCard},
};

/// The rich card of the sample city, `fixtures/README.md`.
const RICH_CARD_LINE: u64 = 2;

/// Amount of each prepared purchase, minor units; small, so that the card lasts.
const AMOUNT: i64 = 1;

/// What the till's frames come over.
const LINE: Line = Line { dialect: TerminalDialect::Pos, private: true, concentrator: false };

/// The stages and a till.
#[derive(Debug)]
pub struct Rig {
    /// What is measured.
    pub stages: Stages,
    /// Where the requests come from.
    pub till: Till,
}

/// A terminal that is signed in, and a card.
#[derive(Debug)]
pub struct Till {
    terminal: PosTerminal,
    card: TestCard,
}

/// Makes a rig whose terminal has this field 41: `31000001` speaks `ecb`, `31000002` speaks `x9.19`.
///
/// # Panics
/// The sample city is not what the fixtures say: then there is nothing to measure.
#[must_use]
pub fn rig(terminal: &str) -> Rig {
    let city = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city"));
    let config =
        Config::load(&city.join("cardswitch.toml"), std::iter::empty()).expect("the sample configuration");
    let (metrics, _page) = metrics::recorder();
    let mut store: Box<dyn Store> = Box::new(MemoryStore::new());
    let mut stages =
        app::prepare(&config, store.as_mut(), metrics, &mut |_| ()).expect("the sample city imports");
    let sample = Sample::open(city).expect("the sample city");
    let mut terminal = sample.terminal(Some(terminal)).expect("a terminal of the city");
    let card = sample.card_in_line(RICH_CARD_LINE).expect("the rich card");

    let mut batch = batch_of(&[terminal.prepare_sign_in().expect("a sign-in")]);
    stages.run(&mut batch);
    let mut wire = bytes::BytesMut::new();
    framing::put(framing::LengthForm::Binary, &batch.output, &mut wire);
    let answer = Frame::read(&wire).expect("an answer");
    terminal.take_keys(&answer).expect("keys that fit");
    Rig { stages, till: Till { terminal, card } }
}

impl Till {
    /// Purchases by stripe and PIN, each under its own STAN.
    ///
    /// # Panics
    /// A purchase cannot be built, which is a fault of the client.
    pub fn purchases(&mut self, count: usize) -> Vec<Frame> {
        (0..count)
            .map(|_| {
                self.terminal
                    .prepare(
                        Service::Purchase,
                        &self.card.card,
                        Some(AMOUNT),
                        Some(self.card.pin.expose()),
                        Entry::Stripe,
                    )
                    .expect("a purchase")
            })
            .collect()
    }
}

/// A batch with these frames in it, as the channel would make it.
#[must_use]
pub fn batch_of(frames: &[Frame]) -> Batch {
    let mut batch = Batch::default();
    fill(&mut batch, frames);
    batch
}

/// Fills an empty batch.
pub fn fill(batch: &mut Batch, frames: &[Frame]) {
    let connection = ConnectionId { place: 0, generation: 0 };
    let now = Instant::now();
    for frame in frames {
        batch.push(connection, now, LINE, frame.as_bytes().get(2..).unwrap_or_default());
    }
}
