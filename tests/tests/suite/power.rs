//! Power loss: a run of the program that does it ten thousand times, shorter. Needs strace, and says so when it is not there.

use switch_tests::{power, random::Random};

/// A program that becomes the process whose writes are recorded.
const DRIVER: &str = env!("CARGO_BIN_EXE_crash");

#[test]
fn every_disk_that_a_power_cut_may_leave_opens_with_all_that_was_acknowledged() {
    if !power::can_record() {
        switch_tests::tell("skipped: strace is not installed, or may not trace here");
        return;
    }
    let mut random = Random::seeded("power loss");
    let plan = power::Plan {
        points: 300,
        points_per_run: 30,
        program: DRIVER.into(),
        keep: None,
        believe_syncs: true,
        trims: false,
    };
    let report = power::run(&plan, &mut random, &mut |_| ());
    switch_tests::tell(&report.text());
    assert!(report.is_clean(), "{}", report.text());
    assert!(report.runs >= 5 && report.unsure >= 20, "too few to prove much: {}", report.text());
    assert!(report.unreadable * 10 <= report.runs, "too much passed over: {}", report.text());
}

#[test]
fn a_store_whose_syncs_do_nothing_is_found_out() {
    if !power::can_record() {
        switch_tests::tell("skipped: strace is not installed, or may not trace here");
        return;
    }
    let mut random = Random::seeded("power loss without syncs");
    let plan = power::Plan {
        points: 60,
        points_per_run: 20,
        program: DRIVER.into(),
        keep: None,
        believe_syncs: false,
        trims: false,
    };
    let report = power::run(&plan, &mut random, &mut |_| ());
    assert!(!report.is_clean(), "{}", report.text());
}
