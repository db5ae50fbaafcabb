//! Hostile peers of every kind, in short: the honest get what they are owed, nothing is lost, nothing grows.
//!
//! How long anyone waits is not looked at here; the program `hostile` does that.

use std::{path::PathBuf, time::Duration};

use switch_tests::hostile::{Plan, kind::Kind, limit_descriptors, run, verdict::Class};

use crate::PROGRAM;

#[test]
fn no_hostile_peer_costs_an_honest_one_an_answer_or_a_cent() {
    let seed = switch_tests::random::Random::seeded("hostile").seed();
    // Attackers hold more connections than a login shell may; the tests beside this one need theirs.
    limit_descriptors(u64::MAX);
    let plan = Plan {
        program: PathBuf::from(PROGRAM),
        time: Duration::from_secs(16),
        seed,
        kinds: Kind::ALL.to_vec(),
    };
    let report = run(&plan, |_| ());
    let unsafe_ = report.faults.iter().filter(|fault| fault.class == Class::Safety).collect::<Vec<_>>();
    assert!(unsafe_.is_empty(), "{unsafe_:#?}\n{}", report.text());
    assert!(report.approvals > 500, "{} approvals are too few to prove much", report.approvals);
    let thrown: u64 = report.phases.iter().map(|phase| phase.tally.frames + phase.tally.pieces).sum();
    assert!(thrown > 20_000, "{thrown} frames are too few to be an attack");
}
