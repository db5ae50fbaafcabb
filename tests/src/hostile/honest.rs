//! Honest terminals of all three dialects at a steady pace, while others attack; and newcomers, who have yet to
//! connect.
//!
//! A request has its time; an answer that comes late does not move the next request's, so a switch that stalls shows
//! in all of them. A terminal's own lateness, when it wakes from sleep too late, is not counted against the switch.
//! Each request must be answered 00 under a right MAC, once. Start at [`Honest::begin`].

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use cardswitch::app::Ports;

use super::{
    arsenal::Tape,
    latency::Latencies,
    parties::Parties,
    teller::{Call, Reply, Teller, Told},
};
use crate::{ask::Ask, terminal::Terminal};

/// Terminals at work: `pos`, `epos`, `atm`.
const POS: [&str; 8] =
    ["31000001", "31000002", "31000003", "31000005", "31000006", "31000007", "31000008", "32050001"];
const EPOS: [&str; 2] = ["41000001", "41000003"];
const ATM: [&str; 2] = ["51000001", "51000005"];
/// Connections that stay open.
pub const CONNECTIONS: u32 = 12;
const _: () = assert!(POS.len() + EPOS.len() + ATM.len() == CONNECTIONS as usize);
/// Time between two requests of a terminal: with twelve terminals, 300 requests in a second.
const PACE: Duration = Duration::from_millis(40);
/// Time between two newcomers.
const NEWCOMER_PACE: Duration = Duration::from_millis(200);
/// The terminal in whose name newcomers ask whether the switch is there.
const NEWCOMER: &str = "31000009";
/// What went wrong is told this many times in a phase; all of it is counted.
const WRONG_TOLD_MAX: usize = 8;

/// What the honest lived through in one phase.
#[derive(Clone, Debug, Default)]
pub struct Lived {
    /// Answers of the terminals that stay connected, each from the moment at which it was due.
    pub steady: Latencies,
    /// The same from the moment at which it was sent: without what the one before it was late.
    pub sent: Latencies,
    /// Newcomers, from the first packet to the answer.
    pub newcomers: Latencies,
    /// Newcomers that got no answer.
    pub newcomers_failed: u64,
    /// Why the first of them failed.
    pub newcomer_said: Option<String>,
    /// Requests that the switch must have counted.
    pub frames: u64,
    /// Requests of which nobody knows whether it came to them.
    pub pieces: u64,
    /// Connections that came about.
    pub opened: u64,
    /// Requests not answered as they must be.
    pub wrong: u64,
    /// How, for the first of them.
    pub wrongs: Vec<String>,
}

impl Lived {
    fn went_wrong(&mut self, how: String) {
        self.wrong += 1;
        if self.wrongs.len() < WRONG_TOLD_MAX {
            self.wrongs.push(how);
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Honest {
    shared: Arc<Shared>,
    tellers: Vec<JoinHandle<Vec<Told>>>,
    newcomers: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held for reading while a request is under way, for writing while nobody may ask. Counts the pauses.
    gate: RwLock<u64>,
    stop: AtomicBool,
    lived: Mutex<Lived>,
}

impl Shared {
    fn lived(&self) -> MutexGuard<'_, Lived> {
        self.lived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Honest {
    /// Signs all terminals in and lets them work; what they send is recorded on `tape`.
    #[must_use]
    pub fn begin(parties: &Parties, ports: Ports, tape: &Tape) -> Self {
        let shared = Arc::new(Shared::default());
        let tellers = POS.iter().map(|id| Teller::pos(parties, id, ports.pos));
        let tellers = tellers.chain(EPOS.iter().map(|id| Teller::epos(parties, id, ports.epos)));
        let tellers: Vec<_> =
            tellers.chain(ATM.iter().map(|id| Teller::atm(parties, id, ports.atm))).collect();
        let begun = Instant::now();
        let tellers = (0..).zip(tellers).map(|(at, teller)| {
            let (shared, tape) = (Arc::clone(&shared), tape.clone());
            // Evenly between two requests of the first.
            let first = begun + PACE * at / CONNECTIONS;
            std::thread::spawn(move || work(teller, first, &shared, &tape))
        });
        let tellers = tellers.collect();
        let mut newcomer = Terminal::of(parties.city().terminal_row(NEWCOMER));
        let newcomers = Arc::clone(&shared);
        let newcomers = std::thread::spawn(move || {
            while !newcomers.stops() {
                std::thread::sleep(NEWCOMER_PACE);
                let _gate = newcomers.gate.read().unwrap_or_else(PoisonError::into_inner);
                let call = Call::place(ports.pos, &newcomer.frame(&mut Ask::echo()));
                come(&call, &mut newcomers.lived());
            }
        });
        Self { shared, tellers, newcomers }
    }

    /// Does something while no request of theirs is under way; what they lived through since the last time.
    pub fn pause<T>(&self, meanwhile: impl FnOnce(&Lived) -> T) -> (Lived, T) {
        let mut pauses = self.shared.gate.write().unwrap_or_else(PoisonError::into_inner);
        *pauses += 1;
        let lived = std::mem::take(&mut *self.shared.lived());
        let done = meanwhile(&lived);
        (lived, done)
    }

    /// Ends the day. What all terminals were told.
    #[must_use]
    pub fn end(self) -> (Vec<Told>, Lived) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.newcomers.join().expect("a newcomer does not panic");
        let told =
            self.tellers.into_iter().flat_map(|teller| teller.join().expect("a teller does not panic"));
        let told = told.collect();
        let lived = std::mem::take(&mut *self.shared.lived());
        (told, lived)
    }
}

/// One terminal's day.
fn work(mut teller: Teller, first: Instant, shared: &Shared, tape: &Tape) -> Vec<Told> {
    let (mut due, mut pauses, mut told) = (first, 0, Vec::new());
    loop {
        let request = teller.prepare();
        let was_free = Instant::now() <= due;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let gate = shared.gate.read().unwrap_or_else(PoisonError::into_inner);
        if shared.stops() {
            // A second answer to something would have come by now.
            if let Some(stray) = teller.stray() {
                shared.lived().went_wrong(stray);
            }
            return told;
        }
        let paused = *gate != pauses;
        pauses = *gate;
        // Who is behind its time because the switch was slow counts from then; who slept too long, from now.
        let begun = if was_free || paused { Instant::now() } else { due };
        tape.record(teller.dialect(), request.behind_length());
        let sent = Instant::now();
        let reply = teller.ask(&request);
        let (took, sent) = (begun.elapsed(), sent.elapsed());
        due = if paused { begun } else { due } + PACE;
        let mut lived = shared.lived();
        match reply {
            Reply::Good(one) => {
                lived.steady.record(micros(took));
                lived.sent.record(micros(sent));
                lived.frames += 1;
                told.push(one);
            }
            Reply::Wrong(how, told_anyway) => {
                lived.frames += 1;
                lived.went_wrong(how);
                told.extend(told_anyway);
            }
            Reply::Broken(how, came_back) => {
                lived.pieces += 1;
                lived.opened += u64::from(came_back);
                lived.went_wrong(how);
            }
        }
    }
}

/// What came of a newcomer.
fn come(call: &Call, lived: &mut Lived) {
    lived.opened += u64::from(call.connected);
    match &call.failed {
        None => {
            lived.newcomers.record(micros(call.took));
            lived.frames += 1;
        }
        Some(how) => {
            lived.pieces += 1;
            lived.newcomers_failed += 1;
            lived.newcomer_said.get_or_insert_with(|| how.clone());
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
