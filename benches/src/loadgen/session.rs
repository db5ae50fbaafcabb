//! One run from beginning to end: sign-in, warm-up, baseline, preparing, the timed part, checking.

use std::{
    sync::{Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use cardswitch::terminal::Sample;

use super::{
    arguments::{Arguments, Dialect},
    check,
    choice::{self, Payer},
    echo,
    error::LoadError,
    idle::Idle,
    pace::Pace,
    prepare::{Bar, Load, MESSAGE_BYTES, prepare, with_threads},
    report::{self, Run},
    run::{self, Loop},
    scan::Scanner,
    scrape::{Page, figures},
    sender::Sender,
};

/// Messages prepared for the warm-up, all connections together: a fifth of a second's at 200,000 a second.
const WARM_UP_MESSAGES: usize = 40_000;

/// Messages prepared for a closed loop at least, all connections together.
const LEAST_MESSAGES: usize = 10_000;

/// How long the warm-up takes at most.
const WARM_UP: Duration = Duration::from_millis(1000);

/// How long the baseline takes at most.
const BASELINE: Duration = Duration::from_secs(5);

/// Threads that sign in; each mostly waits for the switch's disk.
const SIGN_IN_THREADS: usize = 16;

/// What all runs of this process have in common.
pub(super) struct Session<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) sample: &'a Sample,
    pub(super) payers: &'a [Payer],
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) connections: usize,
    window: Option<usize>,
    rate: Option<u64>,
}

impl Case {
    pub(super) fn closed(connections: usize, window: usize) -> Self {
        Self { connections, window: Some(window), rate: None }
    }

    pub(super) fn open(connections: usize, rate: u64) -> Self {
        Self { connections, window: None, rate: Some(rate) }
    }

    fn pace(&self) -> Loop {
        match self.rate {
            Some(rate) => Loop::Open(Pace { rate, connections: self.connections }),
            None => Loop::Closed(self.window.unwrap_or(1)),
        }
    }
}

impl Session<'_> {
    pub(super) fn run(&self, case: &Case) -> Result<Run, LoadError> {
        let arguments = self.arguments;
        let time = Duration::from_secs_f64(arguments.seconds);
        let mut senders = self.sign_in(case)?;
        let idle = Idle::open(arguments.idle, arguments.to)?;

        let count = self.warm_up_count(case);
        let mut loads = self.prepare(&mut senders, count)?;
        let mut echoed = None;
        if arguments.baseline {
            // The frames of the warm-up, which no switch has seen yet; the window is the open loop's own, 8.
            let window = case.window.unwrap_or(arguments.window);
            let (made, unused) = echo::echo(loads, window, time.min(BASELINE))?;
            (echoed, loads) = (Some(made), unused);
        }
        let (warm_up, _) = self.timed(loads, case, time.min(WARM_UP))?;

        let count = self.count(case, &warm_up, time);
        let preparing = Instant::now();
        let loads = self.prepare(&mut senders, count)?;
        let preparing = preparing.elapsed();
        let before = self.page()?;
        let (outcome, loads) = self.timed(loads, case, time)?;
        let after = self.page()?;
        let held = idle.close();
        let macs = check::check(&mut senders, &loads, &outcome.tally.kept)?;

        let prepared: u64 = loads.iter().map(|load| load.len() as u64).sum();
        let mut run = Run {
            connections: case.connections,
            window: case.window,
            rate_asked: case.rate,
            prepared,
            prepared_per_s: report::rate(prepared, preparing),
            switch: before.zip(after).map(|(before, after)| figures(&before, &after)),
            idle: (held.asked > 0).then_some(held),
            ..Run::of(&outcome, macs)
        };
        if let Some(echoed) = &echoed {
            run.compare(echoed);
        }
        Ok(run)
    }

    fn sign_in(&self, case: &Case) -> Result<Vec<Sender>, LoadError> {
        let (dialect, to) = (self.arguments.dialect, self.arguments.to);
        let mut seats = choice::seats(self.sample.city(), self.arguments, case.connections)?;
        let bar = Bar::new("signing in", seats.len() as u64);
        let senders = Mutex::new(Vec::with_capacity(seats.len()));
        let done = AtomicU64::new(0);
        // Sign-ons of one acquirer must count up.
        let threads = if dialect == Dialect::Atm { 1 } else { SIGN_IN_THREADS };
        with_threads(threads, &mut seats, bar, &done, |place, seat| {
            let sender = Sender::signed_in(self.sample, dialect, seat, place as u64, to)?;
            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // INVARIANT: nobody panics with the lock in hand.
            senders.lock().expect("not poisoned").push((place, sender));
            Ok(())
        })?;
        // INVARIANT: as above.
        let mut senders = senders.into_inner().expect("not poisoned");
        senders.sort_by_key(|(place, _)| *place);
        Ok(senders.into_iter().map(|(_, sender)| sender).collect())
    }

    fn prepare(&self, senders: &mut [Sender], count: usize) -> Result<Vec<Load>, LoadError> {
        prepare(senders, self.payers, &self.arguments.mix().round(), count, self.arguments.to)
    }

    fn timed(
        &self,
        loads: Vec<Load>,
        case: &Case,
        time: Duration,
    ) -> Result<(run::Outcome, Vec<Load>), LoadError> {
        let scanner = match self.arguments.dialect {
            Dialect::Pos | Dialect::Epos => Scanner::pos(),
            Dialect::Atm => Scanner::atm(),
        };
        let slice = self.arguments.slices.map(Duration::from_millis);
        run::run(loads, self.arguments.to, scanner, case.pace(), time, slice)
    }

    fn page(&self) -> Result<Option<Page>, LoadError> {
        let Some(address) = self.arguments.admin else { return Ok(None) };
        Page::read(address).map(Some).map_err(|source| LoadError::Admin { address, source })
    }

    /// Messages of a connection for the warm-up.
    fn warm_up_count(&self, case: &Case) -> usize {
        let time = Duration::from_secs_f64(self.arguments.seconds).min(WARM_UP);
        // A short run has a short warm-up.
        let most = WARM_UP_MESSAGES * usize::try_from(time.as_millis()).unwrap_or(1000) / 1000;
        let total = case.rate.map_or(most, |rate| due(rate, time).min(most));
        total.div_ceil(case.connections).max(case.window.unwrap_or(1) + 1)
    }

    /// Messages of a connection for the timed part: those that are due, or twice as many as the rate of the warm-up asks
    /// for. Bounded by memory and by STANs.
    fn count(&self, case: &Case, warm_up: &run::Outcome, time: Duration) -> usize {
        let total = match case.rate {
            Some(rate) => due(rate, time),
            None => {
                let in_time = u128::from(warm_up.in_time) * time.as_micros() * 2;
                usize::try_from(in_time / warm_up.elapsed.as_micros().max(1)).unwrap_or(usize::MAX)
            }
        };
        let own = total.div_ceil(case.connections);
        let room = (self.arguments.memory << 20) / MESSAGE_BYTES / case.connections;
        // A connection that is slow in the warm-up may be faster later.
        let least = (LEAST_MESSAGES / case.connections).max(4 * case.window.unwrap_or(1));
        let own = if case.rate.is_some() { own } else { own.max(least) };
        own.min(room.max(1)).min(Sender::messages_max(self.arguments.dialect))
    }
}

/// Requests due in that time.
fn due(rate: u64, time: Duration) -> usize {
    let due = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    usize::try_from(due).unwrap_or(usize::MAX).max(1)
}
