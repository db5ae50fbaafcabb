//! The stages between a frame and its answer, as plain functions over a batch. They do no I/O. The thread that runs them
//! in a serving switch stands in [`thread`].

pub mod thread;

use crate::{
    batch::{Batch, Job, State},
    books::{
        Books,
        decide::Verdict,
        event::Event,
        reason::Reason,
        request::{Answer, NewKeys},
    },
    channel::ConnectionId,
    clock::{Clock, Moment, date_of_day},
    dialect::{self, FormatFault, Forms, Parsed},
    journal::RecordBatch,
    telemetry::{
        cost::{Laps, Stage},
        metrics::Metrics,
    },
    verify::Verifier,
    wipe,
};

/// Everything the stages need beside the batch.
#[derive(Debug)]
pub struct Stages {
    /// The state.
    pub books: Books,
    /// The HSM's side.
    pub verifier: Verifier,
    /// Time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
    /// The log of messages that cannot be understood.
    pub faults: FaultLog,
    /// How messages are written.
    pub forms: Forms,
    /// What the stages cost.
    pub laps: Laps,
}

/// Logs where messages are wrong, up to [`FAULTS_PER_SECOND`]: whoever sends rubbish must not fill the disk. All of
/// it is counted.
#[derive(Debug, Default)]
pub struct FaultLog {
    second: i64,
    told: u32,
}

/// Room made for an answer before it is written, bytes: more than any dialect needs.
const ANSWER_ROOM: usize = 4096;

/// Requests whose memory is fetched together before they are decided: some dozen cache lines each, so that all of it
/// stays in the nearest cache.
const STRIDE: usize = 32;

/// Events without a request taken into one batch: what is left comes with the next.
const DUE_AT_ONCE: usize = 256;

/// Faulty messages told of in the log within a second.
pub const FAULTS_PER_SECOND: u32 = 10;

impl FaultLog {
    fn tell(&mut self, now: &Moment, connection: ConnectionId, fault: Option<&FormatFault>) {
        let second = now.unix_ms() / 1000;
        if second != self.second {
            *self = Self { second, told: 0 };
        }
        self.told += 1;
        if self.told <= FAULTS_PER_SECOND {
            let fault = fault.map(tracing::field::display);
            tracing::info!(connection = connection.place, fault, "a message cannot be understood");
        }
    }
}

impl Stages {
    /// Takes a batch of frames all the way to answers and records. Nothing has left the process when it returns:
    /// the answers may go out once the records are durable.
    #[inline(never)] // So that its caller can overwrite the stack it has used.
    pub fn run(&mut self, batch: &mut Batch) {
        // What this thread did since the last batch, questions for the most part, is none of the frames' cost.
        self.laps.lap();
        self.metrics.batch(batch.jobs.len());
        let now = self.clock.now();
        self.settle_due(batch, &now);
        self.parse(batch, &now);
        self.lap(Stage::Parse);
        self.verifier.verify(&self.books, &mut batch.jobs, &batch.input, &mut batch.new_keys, &now);
        // Before anything is moved into the books, of whose places some are larger than what is put there.
        wipe::stack();
        self.lap(Stage::Verify);
        self.decide(batch, &now);
        self.lap(Stage::Decide);
        self.encode(batch, &now);
        self.lap(Stage::Encode);
        self.seal(batch);
        self.lap(Stage::Seal);
    }

    /// The time since the last lap was this stage's.
    fn lap(&mut self, stage: Stage) {
        self.metrics.stage(stage, self.laps.lap());
    }

    /// Frames to requests.
    pub fn parse(&mut self, batch: &mut Batch, now: &Moment) {
        for job in &mut batch.jobs {
            let frame = &batch.input[job.frame.clone()];
            match dialect::parse(frame, &self.forms, &mut job.request, &mut job.envelope) {
                Parsed::Request => {
                    self.metrics.request(job.request.line.dialect, job.request.kind);
                    job.state = State::Request;
                }
                Parsed::FormatError(fault) => {
                    self.faults.tell(now, job.connection, Some(&fault));
                    job.answer = Some(Answer::unrecorded(Reason::FormatError, now.unix_ms()));
                    job.state = State::Answered;
                }
                Parsed::Dropped(why, fault) => {
                    self.faults.tell(now, job.connection, fault.as_ref());
                    self.metrics.dropped(why);
                    job.state = State::Dropped;
                }
            }
        }
    }

    /// Requests to events and answers, one after the other: each sees what the one before it did.
    pub fn decide(&mut self, batch: &mut Batch, now: &Moment) {
        let Batch { input, jobs, new_keys, records, .. } = batch;
        let mut verdict = Verdict::VerifyAgain;
        for stride in jobs.chunks_mut(STRIDE) {
            let asked = |job: &&Job| job.state == State::Request;
            self.books.warm(stride.iter().filter(asked).map(|job| (&job.request, &job.facts)));
            for job in stride.iter_mut().filter(|job| job.state == State::Request) {
                let answer = self.decide_one(job, input, new_keys, records, now, &mut verdict);
                if answer.repeat {
                    self.metrics.repeat();
                }
                job.answer = Some(answer);
                job.state = State::Answered;
            }
        }
        self.tell_books();
    }

    /// What the books hold, for the page. After each batch, and once at the start: a switch that has just come back
    /// must not look as if it had forgotten everything.
    pub fn tell_books(&self) {
        let remembered = self.books.transactions();
        self.metrics.duplicates(remembered.len(), remembered.evicted());
        self.metrics.books(self.books.ledger().holds().len(), self.books.notices().last_id());
        self.metrics.alerts(self.books.alerts().counts());
        if let Some(rules) = self.books.rules_in_force() {
            self.metrics.rules(rules.published().number, rules.hits());
        }
        let lists = self.books.lists();
        if let changes @ 1.. = lists.version() {
            let sizes = lists.iter().map(|list| (list.name(), list.len(), list.version()));
            self.metrics.lists(changes, sizes);
        }
    }

    fn decide_one(
        &mut self,
        job: &mut Job,
        input: &[u8],
        new_keys: &mut Vec<NewKeys>,
        records: &mut RecordBatch,
        now: &Moment,
        verdict: &mut Verdict,
    ) -> Answer {
        for _ in 0..2 {
            let made = job.facts.new_keys.and_then(|at| new_keys.get(at));
            self.books.decide_to(&job.request, &job.facts, made, now, verdict);
            // Looked at where it is: it is large, and would be moved.
            match &*verdict {
                Verdict::Answer(answer) => return *answer,
                Verdict::Record(event, answer) => {
                    if !self.record(records, event, now) {
                        return Answer::unrecorded(Reason::SystemError, now.unix_ms());
                    }
                    return *answer;
                }
                Verdict::VerifyAgain => {
                    self.metrics.verified_again();
                    self.verifier.verify(&self.books, std::slice::from_mut(job), input, new_keys, now);
                }
            }
        }
        Answer::unrecorded(Reason::SystemError, now.unix_ms())
    }

    /// Answers to frames, with room for their MACs.
    pub fn encode(&mut self, batch: &mut Batch, now: &Moment) {
        let Batch { jobs, output, .. } = batch;
        for job in jobs.iter_mut().filter(|job| job.state == State::Answered) {
            let Some(answer) = job.answer.as_mut() else { continue };
            // A repeat is told the time of the first; everything else the time of now.
            let moment = if answer.repeat { self.clock.at(answer.time_ms) } else { *now };
            let sealed = job.seal.is_some();
            wipe::reserve(output, ANSWER_ROOM);
            let encoded =
                dialect::encode(&job.request, &job.envelope, answer, &moment, &self.forms, sealed, output);
            match encoded {
                Ok(encoded) => {
                    job.encoded = encoded;
                    self.metrics.answered(job.request.line.dialect, answer.reason);
                }
                Err(error) => {
                    // A fault of the switch: the answer's table and its code disagree. The error names the field only.
                    tracing::error!(%error, "an answer could not be written");
                    self.metrics.unwritten();
                    job.state = State::Dropped;
                }
            }
        }
    }

    /// The answers' MACs.
    pub fn seal(&mut self, batch: &mut Batch) {
        let Batch { jobs, output, .. } = batch;
        let mut unsealed = Vec::new();
        self.verifier.seal(jobs, output, &mut |job| unsealed.push(job));
        for job in unsealed {
            // Without its MAC an answer is no answer; the terminal asks again or reverses.
            tracing::error!("the MAC of an answer could not be made");
            self.metrics.unsealed();
            jobs[job].state = State::Dropped;
        }
    }

    /// Whether something is due that no frame asks for.
    pub fn is_due(&mut self) -> bool {
        let now = self.clock.now();
        self.books.due(&now).is_some()
    }

    /// What time has brought: the business day's end, the end of holds. Before the requests of the batch, so that
    /// none of them pays from a hold whose time is over.
    pub fn settle_due(&mut self, batch: &mut Batch, now: &Moment) {
        for _ in 0..DUE_AT_ONCE {
            let Some(event) = self.books.due(now) else { return };
            if !self.record(&mut batch.records, &event, now) {
                return;
            }
            match event {
                Event::HoldExpired { .. } => self.metrics.hold_expired(),
                Event::CutOver { opens } => {
                    tracing::info!(day = %date_of_day(opens), "a business day begins")
                }
                _ => {}
            }
        }
    }

    /// Puts an event into the batch and applies it; whether that was possible.
    pub fn record(&mut self, records: &mut RecordBatch, event: &Event, now: &Moment) -> bool {
        let seq = self.books.seq() + 1;
        if records.push(seq, now.unix_ms(), |body| event.write(body)).is_err() {
            return false;
        }
        // INVARIANT: the event was decided by the books as they are, which checked everything that `apply` checks.
        // Should they disagree, the process ends here and recovery replays what is durable.
        self.books.apply(seq, now.unix_ms(), event).expect("a decided event applies");
        true
    }
}
