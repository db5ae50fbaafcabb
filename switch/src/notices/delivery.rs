//! What a sender's thread does: takes what is behind its place, sends it, moves its place.
//!
//! In order, and nothing is left out: what cannot be sent holds up what is behind it, with longer and longer rests. Only what
//! the other side refuses again and again is put aside, into a file, and counted.
//!
//! Start at `Delivery::run`.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::{
    Sender, Trouble, Wanted, Way,
    letter::Letter,
    place::Place,
    source::{Found, Source},
    status::{SenderState, age_s},
};
use crate::{journal::Seq, telemetry::metrics::Metrics};

/// How often it is looked whether there is something to send.
const LOOK: Duration = Duration::from_millis(200);

/// The longest rest behind a failure.
const REST_MAX: Duration = Duration::from_secs(30);

/// A sender at work.
pub(super) struct Delivery {
    pub(super) source: Source,
    pub(super) sender: Box<dyn Sender>,
    pub(super) place: Place,
    /// Where the place is kept.
    pub(super) path: PathBuf,
    /// Where what is put aside goes.
    pub(super) parked: PathBuf,
    pub(super) pace: Pace,
    pub(super) metrics: Metrics,
    pub(super) state: Arc<SenderState>,
    /// How far the journal was when there was nothing to send.
    pub(super) idle_at: Option<Seq>,
    /// How often the first that waits was refused.
    pub(super) refusals: u32,
    /// How many of those that wait are sent one by one, since one of them was refused.
    pub(super) singly: usize,
}

/// How long a sender rests behind failures.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    entropy: fn(&mut [u8]),
    failures: u32,
}

impl Pace {
    pub(super) fn new(first: Duration, entropy: fn(&mut [u8])) -> Self {
        Self { first, entropy, failures: 0 }
    }

    /// Behind one more failure: twice as long each time, and a random part of the second half of that, so that many who
    /// failed together do not come back together.
    fn rest(&mut self) -> Duration {
        let rest = self.first.saturating_mul(1 << self.failures.min(16)).min(REST_MAX);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0];
        (self.entropy)(&mut random);
        rest / 2 + (rest / 2) * u32::from(random[0]) / 255
    }
}

/// What follows a turn.
enum Then {
    /// The next one, after this rest.
    Rest(Duration),
    /// Nothing.
    End,
}

impl Delivery {
    pub(super) fn run(mut self, rung: &Receiver<()>) {
        loop {
            let rest = match self.turn(rung) {
                Then::Rest(rest) => rest,
                Then::End => return,
            };
            if rung.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn way(&self) -> Way {
        self.sender.way()
    }

    fn turn(&mut self, rung: &Receiver<()>) -> Then {
        if self.idle_at == Some(self.source.durable()) {
            self.source.refresh();
            return Then::Rest(LOOK);
        }
        let stops = || rung.try_recv() == Err(TryRecvError::Disconnected);
        match self.source.after(self.place.id, &stops) {
            Ok(Found::Letters { letters, last_id, durable }) => {
                self.tell_waiting(&letters, last_id);
                if letters.is_empty() {
                    self.idle_at = Some(durable);
                    return Then::Rest(LOOK);
                }
                match self.deliver(&letters, &stops) {
                    Ok(()) => Then::Rest(Duration::ZERO),
                    Err(why) => self.failed(&why),
                }
            }
            Ok(Found::Lost { until }) => {
                let lost = until - self.place.id;
                tracing::error!(
                    sender = self.way().name(),
                    lost,
                    "notices left the outbox unsent, and the journal's records of them are deleted"
                );
                self.metrics.notices_lost(self.way(), lost);
                self.place.id = until;
                let place = self.place;
                self.state.change(|now| {
                    now.lost += lost;
                    now.place = place;
                });
                Then::Rest(Duration::ZERO)
            }
            Ok(Found::Busy) => Then::Rest(LOOK),
            Ok(Found::Gone) => Then::End,
            Err(error) => self.failed(&format!("the journal cannot be read: {error}")),
        }
    }

    /// Sends these in order; if that ends early, the place says how far it came.
    fn deliver(&mut self, letters: &[Letter], stops: &dyn Fn() -> bool) -> Result<(), String> {
        let mut rest = letters;
        while !rest.is_empty() && !stops() {
            let (batch, taken) = self.batch(rest);
            if !batch.is_empty() {
                match self.sender.send(&batch) {
                    Ok(()) => self.sent(batch.len()),
                    Err(Trouble::Refused(_)) if batch.len() > 1 => {
                        // One of them; which, is seen one by one.
                        self.singly = batch.len();
                        continue;
                    }
                    Err(Trouble::Refused(why)) => {
                        self.refusals += 1;
                        if self.refusals < self.sender.attempts() {
                            return Err(why);
                        }
                        self.park(batch[0])
                            .map_err(|error| format!("what is refused cannot be put aside: {error}"))?;
                    }
                    Err(Trouble::Later(why)) => return Err(why),
                }
            }
            self.arrive(&rest[..taken]);
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// The next that are sent together, and how many letters that is with those between that this sender does not send.
    fn batch<'l>(&self, letters: &'l [Letter]) -> (Vec<&'l Letter>, usize) {
        let most = if self.singly > 0 { 1 } else { self.sender.batch_max() };
        let (mut batch, mut taken) = (Vec::new(), 0);
        for letter in letters {
            if self.sender.wants(letter) == Wanted::Yes {
                if batch.len() == most {
                    break;
                }
                batch.push(letter);
            }
            taken += 1;
        }
        (batch, taken)
    }

    fn sent(&mut self, count: usize) {
        self.singly = self.singly.saturating_sub(count);
        self.refusals = 0;
        self.metrics.notices_sent(self.way(), count as u64);
        if std::mem::take(&mut self.pace.failures) > 0 {
            tracing::info!(sender = self.way().name(), "notices go again");
        }
        self.state.change(|now| {
            now.sent += count as u64;
            (now.failures, now.why) = (0, None);
        });
    }

    /// Puts one aside, without addresses.
    fn park(&mut self, letter: &Letter) -> io::Result<()> {
        append(&self.parked, letter)?;
        self.singly = self.singly.saturating_sub(1);
        (self.refusals, self.pace.failures) = (0, 0);
        self.metrics.notice_parked(self.way());
        self.state.change(|now| now.parked += 1);
        let (sender, key) = (self.way().name(), &letter.entry.key);
        tracing::error!(sender, key, "a notice was refused again and again; it is put aside");
        Ok(())
    }

    /// These are done with.
    fn arrive(&mut self, letters: &[Letter]) {
        let Some(last) = letters.last() else { return };
        let unaddressed =
            letters.iter().filter(|letter| self.sender.wants(letter) == Wanted::NoAddress).count() as u64;
        self.metrics.notices_unaddressed(self.way(), unaddressed);
        self.place = Place { id: last.entry.id, record: last.entry.record, ..self.place };
        let place = self.place;
        self.state.change(|now| {
            now.place = place;
            now.unaddressed += unaddressed;
        });
        // They have arrived; should the switch end before a later place is written, they go out a second time.
        if let Err(error) = self.place.write(&self.path) {
            tracing::error!(%error, "a sender's place cannot be written");
        }
    }

    fn failed(&mut self, why: &str) -> Then {
        if self.pace.failures == 0 {
            tracing::warn!(sender = self.way().name(), why, "notices cannot be sent and wait");
        }
        let rest = self.pace.rest();
        self.source.give_way();
        self.metrics.notices_retried(self.way());
        self.state.change(|now| {
            now.failures = now.failures.saturating_add(1);
            now.why = Some(why.to_owned());
        });
        Then::Rest(rest)
    }

    fn tell_waiting(&self, letters: &[Letter], last_id: u64) {
        let since_ms = letters.first().map(|letter| letter.time_ms);
        self.state.change(|now| now.waits_since_ms = since_ms);
        let waiting = if letters.is_empty() { 0 } else { last_id.saturating_sub(self.place.id) };
        self.metrics.notices_waiting(self.way(), waiting, age_s(since_ms));
    }
}

fn append(path: &Path, letter: &Letter) -> io::Result<()> {
    let mut line = serde_json::to_vec(&letter.written(false))?;
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&line)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_limit_and_are_never_shorter_than_half() {
        for (random, name) in [(0_u8, "shortest"), (255, "longest")] {
            let entropy: fn(&mut [u8]) =
                if random == 0 { |bytes| bytes.fill(0) } else { |bytes| bytes.fill(255) };
            let mut pace = Pace::new(Duration::from_millis(500), entropy);
            let rests: Vec<u128> = (0..8).map(|_| pace.rest().as_millis()).collect();
            let want: Vec<u128> = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
                .map(|rest| if random == 0 { rest / 2 } else { rest })
                .to_vec();
            assert_eq!(rests, want, "{name}");
        }
    }
}
