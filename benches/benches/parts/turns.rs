//! Measuring work that uses up what it is given: inputs are prepared, in turns, while the clock stands.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Bencher;

/// Inputs prepared at a time.
const TURN: u64 = 64;

/// Measures `work`, each time on a fresh input from `prepare`.
pub(crate) fn in_turns<S, I, O>(
    bencher: &mut Bencher<'_>,
    state: &mut S,
    mut prepare: impl FnMut(&mut S) -> I,
    mut work: impl FnMut(&mut S, &I) -> O,
) {
    bencher.iter_custom(|iterations| {
        let (mut took, mut left) = (Duration::ZERO, iterations);
        while left > 0 {
            let turn = left.min(TURN);
            let inputs: Vec<I> = (0..turn).map(|_| prepare(state)).collect();
            let begun = Instant::now();
            for input in &inputs {
                black_box(work(state, input));
            }
            took += begun.elapsed();
            left -= turn;
        }
        took
    });
}
