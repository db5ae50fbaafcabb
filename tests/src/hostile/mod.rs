//! A hostile peer: the real switch under honest load from all three dialects, attacked kind by kind.
//!
//! Attackers share this machine with the switch and the honest, so they are held to a budget ([`budget`]); what is
//! looked at is how the switch behaves, not who has more of the processor. Attackers have no keys, but for one host that
//! sends echoes without end. What a single forged message must not achieve has its tests in the suite's `attacks`.
//!
//! Start at [`run`]. A phase is one [`kind::Kind`] of attack, waged by [`attack`] from what is in the
//! [`arsenal`]; [`honest`] terminals work all the while, and [`verdict`] says what was broken.

pub mod arsenal;
pub mod attack;
pub mod budget;
pub mod honest;
pub mod kind;
pub mod latency;
pub mod parties;
pub mod report;
pub mod shot;
pub mod tally;
pub mod teller;
pub mod verdict;
pub mod victim;
pub mod watch;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::{
    arsenal::{Arsenal, Tape},
    honest::Honest,
    kind::Kind,
    parties::Parties,
    report::{Phase, Report},
    victim::{Page, Victim},
    watch::Watch,
};

/// How long connections and counters may take to settle after a phase.
const SETTLE: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program to attack.
    pub program: PathBuf,
    /// Time of all phases together; a quarter of it is quiet.
    pub time: Duration,
    /// What the attackers' chance begins with.
    pub seed: u64,
    /// The kinds of attack, in order.
    pub kinds: Vec<Kind>,
}

/// Starts the switch, lets the honest work in quiet, attacks it, stops it and looks at what it recorded.
///
/// # Panics
/// The switch does not start, or does not sign the honest in.
#[must_use]
pub fn run(plan: &Plan, tell: impl Fn(&str)) -> Report {
    let victim = Victim::start(&plan.program);
    let (parties, tape) = (Parties::open(), Tape::default());
    let honest = Honest::begin(&parties, victim.ports(), &tape);
    let mut field = Field { victim: &victim, honest: &honest, page: Page::default() };
    let quiet_time = plan.time / 4;
    let attack_time = (plan.time - quiet_time) / u32::try_from(plan.kinds.len().max(1)).unwrap_or(u32::MAX);

    // What signing in took is nobody's latency, and the first requests reach memory that later ones find there.
    std::thread::sleep(quiet_time / 4);
    let (_, page) = honest.pause(|_| Page::fetch(victim.ports().admin));
    field.page = page.expect("the admin port answers").0;
    let mut report = Report::new(plan.seed, victim.limits_sources());
    let resident_kib = victim::resident_kib(victim.id()).unwrap_or_default();
    report.quiet = field.phase(None, |_| std::thread::sleep(quiet_time - quiet_time / 4));
    report.growth_kib = report.quiet.resident_kib.unwrap_or_default().saturating_sub(resident_kib);
    tell(&report.quiet.line(&report.quiet));
    for (at, kind) in plan.kinds.iter().enumerate() {
        let arsenal = Arsenal::gather(&parties, &tape);
        let seed = plan.seed.wrapping_add(at as u64);
        let phase = field.phase(Some(*kind), |phase| {
            phase.tally = attack::wage(*kind, attack_time, victim.ports(), arsenal, seed);
        });
        tell(&phase.line(&report.quiet));
        report.phases.push(phase);
    }
    let (told, last) = honest.end();
    report.after = last;
    report.end(victim, told, &parties);
    report
}

struct Field<'a> {
    victim: &'a Victim,
    honest: &'a Honest,
    /// The counters when the phase before had settled.
    page: Page,
}

impl Field<'_> {
    /// One phase from its beginning until the switch has settled.
    fn phase(&mut self, kind: Option<Kind>, what: impl FnOnce(&mut Phase)) -> Phase {
        let (id, admin) = (self.victim.id(), self.victim.ports().admin);
        let (watch, threads, log) =
            (Watch::begin(id, admin), victim::thread_ms(id), self.victim.log().lines().count());
        let (begun, mut phase) = (Instant::now(), Phase { kind, ..Phase::default() });
        what(&mut phase);
        phase.took = begun.elapsed();
        phase.seen = watch.end();
        phase.threads = victim::thread_ms(id);
        for (name, ms) in &mut phase.threads {
            *ms = ms.saturating_sub(*threads.get(name).unwrap_or(&0));
        }
        let tally = &phase.tally;
        let (lived, (page, settled)) = self.honest.pause(|lived| {
            let begun = Instant::now();
            loop {
                let page = Page::fetch(admin).map(|(page, _)| page);
                let settled = page.as_ref().map(|page| report::is_settled(&self.page, page, tally, lived));
                if settled == Some(true) || begun.elapsed() > SETTLE {
                    return (page, begun.elapsed());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        (phase.lived, phase.settled) = (lived, settled);
        phase.has_page = page.is_some();
        let page = page.unwrap_or_else(|| self.page.clone());
        phase.count(&self.page, &page);
        self.page = page;
        phase.resident_kib = victim::resident_kib(id);
        phase.log_lines = self.victim.log().lines().count() - log;
        phase
    }
}

/// Lets this process have so many descriptors, as far as the system allows.
pub fn limit_descriptors(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    let current = Some(limit.maximum.map_or(wanted, |hard| hard.min(wanted)));
    // Where it is not allowed there are fewer attackers.
    let _not_allowed = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
}
