//! Measuring work that uses up what it is given: inputs are prepared, in turns, while the clock stands.
//!
//! The clock is this thread's processor time, so that what else runs on the machine does not count.

use std::{hint::black_box, time::Duration};

use cardswitch::clock::thread_cpu_ns;
use criterion::Bencher;

/// Inputs prepared at a time.
const TURN: u64 = 64;

/// Measures `work`, which stays on its thread, each time on a fresh input from `prepare`.
pub(crate) fn in_turns<S, I, O>(
    bencher: &mut Bencher<'_>,
    state: &mut S,
    mut prepare: impl FnMut(&mut S) -> I,
    mut work: impl FnMut(&mut S, &mut I) -> O,
) {
    bencher.iter_custom(|iterations| {
        let (mut took_ns, mut left) = (0, iterations);
        while left > 0 {
            let turn = left.min(TURN);
            let mut inputs: Vec<I> = (0..turn).map(|_| prepare(state)).collect();
            let begun_ns = thread_cpu_ns();
            for input in &mut inputs {
                black_box(work(state, input));
            }
            took_ns += thread_cpu_ns() - begun_ns;
            left -= turn;
        }
        Duration::from_nanos(took_ns)
    });
}
