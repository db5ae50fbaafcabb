//! A batch: the requests that one pass of the stages works on, with every buffer it needs, used again and again.

use std::{ops::Range, time::Instant};

use bytes::BytesMut;

use crate::{
    books::{
        reason::Reason,
        request::{Answer, Facts, NewKeys, Request},
    },
    channel::ConnectionId,
    dialect::{Encoded, Envelope},
    journal::RecordBatch,
    verify::Seal,
    wipe,
};

pub use crate::books::request::Line;

/// How far a job has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// A frame, not looked at.
    #[default]
    Frame,
    /// A request to be decided.
    Request,
    /// To be answered.
    Answered,
    /// Nothing to answer.
    Dropped,
}

/// What a frame says about the connection that it came over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Standing {
    /// It was refused, or could not be understood.
    #[default]
    Refused,
    /// It made sense, but anyone could have sent it: a keep-alive, a sign-in without a MAC, a repeat.
    Understood,
    /// It came under a right MAC, and for the first time.
    Proved,
}

/// One frame on its way to its answer.
#[derive(Clone, Debug)]
pub struct Job {
    /// Who sent it.
    pub connection: ConnectionId,
    /// When its last byte was read.
    pub arrived: Instant,
    /// Where it lies in the batch's input.
    pub frame: Range<usize>,
    /// How far it has come.
    pub state: State,
    /// What it asks.
    pub request: Request,
    /// What its answer repeats of it.
    pub envelope: Envelope,
    /// What the HSM found out.
    pub facts: Facts,
    /// The keys it came under, if its MAC was right.
    pub seal: Option<Seal>,
    /// What the books said.
    pub answer: Option<Answer>,
    /// Its answer's place in the batch's output.
    pub encoded: Encoded,
}

impl Job {
    /// What is known of its sender, once it has been decided.
    ///
    /// A right MAC proves nothing if the same frame may have come before: whoever recorded one could play it for ever.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Some(answer) = self.answer else { return Standing::Refused };
        let sealed = self.seal.is_some();
        match answer.reason {
            Reason::Replay => Standing::Refused,
            _ if sealed && !answer.repeat => Standing::Proved,
            reason if reason.is_approval() => Standing::Understood,
            _ if sealed => Standing::Understood,
            _ => Standing::Refused,
        }
    }

    /// A frame just read.
    #[must_use]
    pub fn new(connection: ConnectionId, arrived: Instant, line: Line, frame: Range<usize>) -> Self {
        Self {
            connection,
            arrived,
            frame,
            state: State::Frame,
            request: Request { line, ..Request::default() },
            envelope: Envelope::default(),
            facts: Facts::default(),
            seal: None,
            answer: None,
            encoded: Encoded::default(),
        }
    }
}

/// Frames in, answers out.
#[derive(Default)]
pub struct Batch {
    /// The frames, one behind the other.
    pub input: Vec<u8>,
    /// What is known of each.
    pub jobs: Vec<Job>,
    /// Keys that came to be for sign-ins and key changes of this batch.
    pub new_keys: Vec<NewKeys>,
    /// The records that follow from it.
    pub records: RecordBatch,
    /// The answers' frames.
    pub output: BytesMut,
}

impl std::fmt::Debug for Batch {
    /// Counts only: input and output hold card numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("frames", &self.jobs.len())
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl Batch {
    /// Adds a frame.
    pub fn push(&mut self, connection: ConnectionId, arrived: Instant, line: Line, frame: &[u8]) {
        let start = self.input.len();
        wipe::append(&mut self.input, frame);
        self.jobs.push(Job::new(connection, arrived, line, start..self.input.len()));
    }

    /// Empties the batch and keeps its memory. Frames hold card data, so they are overwritten.
    pub fn clear(&mut self) {
        self.input.fill(0);
        self.input.clear();
        let (jobs, new_keys) = (self.jobs.len(), self.new_keys.len());
        self.jobs.clear();
        self.new_keys.clear();
        // A value that takes less room than its place has kept there what was on the stack when it was moved.
        wipe::spare(&mut self.jobs, jobs);
        wipe::spare(&mut self.new_keys, new_keys);
        self.records.clear();
        self.output.fill(0);
        self.output.clear();
    }
}
