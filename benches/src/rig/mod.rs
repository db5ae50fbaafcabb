//! The stages over the sample city, without sockets, threads or disk, and a client whose requests they approve.
//!
//! Start at [`Rig::new`]; who asks is a [`client::Client`].

pub mod client;

use std::time::Instant;

use cardswitch::{
    app,
    batch::{Batch, Line, State},
    books::event::Event,
    channel::ConnectionId,
    config::Config,
    journal::{MemoryStore, Store},
    stages::Stages,
    telemetry::metrics,
    terminal::{Frame, Sample},
};

pub use self::client::{Client, Speech};

/// The stages and a client that has signed in.
#[derive(Debug)]
pub struct Rig {
    /// What is measured.
    pub stages: Stages,
    /// Where the requests come from.
    pub client: Client,
}

impl Rig {
    /// The sample city, imported, and a client of it that speaks so.
    ///
    /// # Panics
    /// The sample city is not what the fixtures say: then there is nothing to measure.
    #[must_use]
    pub fn new(speech: Speech) -> Self {
        let city = crate::fixture("city");
        let config =
            Config::load(&city.join("cardswitch.toml"), std::iter::empty()).expect("a configuration");
        let (metrics, _page) = metrics::recorder();
        let mut store: Box<dyn Store> = Box::new(MemoryStore::new());
        let mut stages =
            app::prepare(&config, store.as_mut(), metrics, &mut |_| ()).expect("the sample city imports");
        // What is due, the business day's begin, does not belong to the first request.
        stages.run(&mut Batch::default());
        let sample = Sample::open(&city).expect("the sample city");
        let client = Client::signed_in(speech, &sample, &mut stages);
        Self { stages, client }
    }

    /// Lets the stages answer `count` requests, and looks at everything that came of them: a benchmark of requests that
    /// are declined early would look wonderful. What is left on all accounts.
    ///
    /// # Panics
    /// A request was not approved, an answer's MAC is wrong, a record is not what was decided, or the ledger does not
    /// add up.
    pub fn prove(&mut self, count: usize) -> Vec<u8> {
        let frames = self.client.requests(count);
        let mut batch = Batch::default();
        fill(&mut batch, self.client.line(), &frames);
        self.stages.run(&mut batch);
        assert_eq!(batch.jobs.len(), count);
        for (frame, job) in frames.iter().zip(&batch.jobs) {
            assert_eq!(job.state, State::Answered);
            let answer = &batch.output[job.encoded.frame.clone()];
            assert!(self.client.approves(frame, answer), "approved, under a right MAC: {:?}", job.answer);
        }
        assert_eq!(batch.records.len(), count, "one record a request");
        for (record, job) in batch.records.iter().zip(&batch.jobs) {
            let Ok(Event::Decided(decided)) = Event::read(record.body) else { panic!("a decided request") };
            assert_eq!(Some(decided.reason), job.answer.map(|answer| answer.reason));
        }
        let ledger = self.stages.books.ledger();
        assert_eq!(ledger.verify(), Ok(()));
        ledger.accounts().iter().flat_map(|account| account.balance.to_be_bytes()).collect()
    }
}

/// Fills an empty batch, as the channel would.
pub fn fill(batch: &mut Batch, line: Line, frames: &[Frame]) {
    let connection = ConnectionId { place: 0, generation: 0 };
    let now = Instant::now();
    for frame in frames {
        batch.push(connection, now, line, frame.behind_length());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_approved_and_no_two_requests_are_one() {
        for speech in Speech::ALL {
            let mut rig = Rig::new(speech);
            let before = rig.prove(1);
            assert_ne!(rig.prove(3), before, "{speech:?}: money moves");
        }
    }
}
