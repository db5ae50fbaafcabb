//! Latencies by the time at which a request was sent, or due: what a checkpoint, a backup or a publication does to
//! answers shows beside the time before and after it, which one histogram of a whole run hides.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    report::Latency,
    tally::{HIGHEST_NS, LOWEST_NS},
};

/// Digits to which latencies are told apart; there may be thousands of slices.
const DIGITS: u8 = 2;

/// Most slices of one run; what comes behind them is in the last.
pub const SLICES_MAX: usize = 10_000;

/// One histogram for each slice of time. Nothing here allocates once it is made.
#[derive(Debug)]
pub struct Slices {
    length: Duration,
    began: SystemTime,
    histograms: Vec<Histogram<u64>>,
}

/// One slice, as the report has it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Slice {
    /// When it began, milliseconds since 1970: the clock of records and logs.
    pub at_unix_ms: u64,
    /// When it began, milliseconds after the timed part did.
    pub after_ms: u64,
    /// Of the requests that were sent, or due, within it.
    pub latency_us: Latency,
}

impl Slices {
    /// Slices of this length for so long a time.
    #[must_use]
    pub fn new(length: Duration, time: Duration) -> Self {
        let count = time.as_nanos().div_ceil(length.as_nanos().max(1));
        let count = usize::try_from(count).unwrap_or(SLICES_MAX).clamp(1, SLICES_MAX);
        // INVARIANT: the bounds are those of every tally: 2 · lowest is not above highest, digits are at most 5.
        let empty = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("the bounds are good");
        Self { length, began: UNIX_EPOCH, histograms: vec![empty; count] }
    }

    /// The timed part begins.
    pub fn begin(&mut self, now: SystemTime) {
        self.began = now;
    }

    /// Notes an answer to a request that was sent, or due, so long after the beginning.
    pub fn answered(&mut self, sent_ns: u64, took_ns: u64) {
        let length = u64::try_from(self.length.as_nanos()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(sent_ns / length).unwrap_or(usize::MAX).min(self.histograms.len() - 1);
        self.histograms[at].saturating_record(took_ns);
    }

    /// Those in which something was asked.
    #[must_use]
    pub fn report(&self) -> Vec<Slice> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let began = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let slice = |(at, histogram): (usize, &Histogram<u64>)| {
            let after = self.length.saturating_mul(u32::try_from(at).unwrap_or(u32::MAX));
            let latency_us = Latency::of(histogram)?;
            Some(Slice { at_unix_ms: ms(began + after), after_ms: ms(after), latency_us })
        };
        self.histograms.iter().enumerate().filter_map(slice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_where_its_request_was_sent() {
        let mut slices = Slices::new(Duration::from_millis(100), Duration::from_millis(250));
        slices.begin(UNIX_EPOCH + Duration::from_secs(7));
        for (sent_ms, took_us) in [(0, 10), (99, 500), (201, 30), (260, 40), (9_000, 50)] {
            slices.answered(sent_ms * 1_000_000, took_us * 1_000);
        }
        let report = slices.report();
        let counts: Vec<_> =
            report.iter().map(|slice| (slice.at_unix_ms, slice.after_ms, slice.latency_us.count)).collect();
        assert_eq!(counts, [(7_000, 0, 2), (7_200, 200, 3)], "what comes behind the last is in it");
        assert!(
            (480.0..=520.0).contains(&report[0].latency_us.max),
            "an answer after its slice counts for it"
        );
    }

    #[test]
    fn there_is_a_slice_for_the_rest_and_never_too_many() {
        let count = |length_ms, time_ms| {
            Slices::new(Duration::from_millis(length_ms), Duration::from_millis(time_ms)).histograms.len()
        };
        assert_eq!((count(100, 250), count(100, 200), count(1_000, 50)), (3, 2, 1));
        assert_eq!(count(10, 86_400_000), SLICES_MAX);
    }
}
