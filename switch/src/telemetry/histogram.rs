//! Histograms with fixed bounds: counting into one allocates nothing, takes no lock, and keeps no samples.
//!
//! The exporter's own histogram keeps every sample until the page is next asked for; at a hundred thousand answers a
//! second that is memory which grows with the load, and an allocation every few hundred answers.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What the numbers in a histogram are, and how the page writes them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Nanoseconds, written as seconds.
    Nanoseconds,
    /// Plain counts.
    Count,
}

/// One histogram. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    unit: Unit,
    /// Highest value of each bucket, rising.
    bounds: &'static [u64],
    /// One bucket more than bounds: the last has none.
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty histogram. `bounds` rise.
    #[must_use]
    pub fn new(name: &'static str, unit: Unit, bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted());
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { name, unit, bounds, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts one value.
    pub fn record(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.counts[bucket].fetch_add(1, Relaxed);
        self.0.sum.fetch_add(value, Relaxed);
    }

    /// Writes it as the page has it: Prometheus' text format, version 0.0.4.
    pub fn write(&self, page: &mut String) {
        let Inner { name, unit, bounds, counts, sum } = &*self.0;
        // The counts are read once, so that the parts of the page fit each other while others go on counting.
        let counts: Vec<u64> = counts.iter().map(|count| count.load(Relaxed)).collect();
        let mut below = 0;
        // INVARIANT: writing to a string does not fail.
        let mut line = |text: std::fmt::Arguments<'_>| page.write_fmt(text).expect("a string takes all");
        line(format_args!("# TYPE {name} histogram\n"));
        for (bound, count) in bounds.iter().zip(&counts) {
            below += count;
            line(format_args!("{name}_bucket{{le=\"{}\"}} {below}\n", unit.text(*bound)));
        }
        below += counts.last().copied().unwrap_or(0);
        line(format_args!("{name}_bucket{{le=\"+Inf\"}} {below}\n"));
        line(format_args!("{name}_sum {}\n{name}_count {below}\n\n", unit.text(sum.load(Relaxed))));
    }
}

impl Unit {
    /// Exact: nanoseconds are shown as the decimal fraction that they are.
    fn text(self, value: u64) -> String {
        match self {
            Self::Count => value.to_string(),
            Self::Nanoseconds => {
                let (seconds, rest) = (value / 1_000_000_000, value % 1_000_000_000);
                let text = format!("{seconds}.{rest:09}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_where_they_belong_and_written_for_people_and_scrapers() {
        let histogram =
            Histogram::new("waits_seconds", Unit::Nanoseconds, &[50_000, 1_000_000, 2_000_000_000]);
        for value in [0, 50_000, 50_001, 1_500_000_000, 2_000_000_001] {
            histogram.record(value);
        }
        let mut page = String::new();
        histogram.write(&mut page);
        let want = "# TYPE waits_seconds histogram\n\
                    waits_seconds_bucket{le=\"0.00005\"} 2\n\
                    waits_seconds_bucket{le=\"0.001\"} 3\n\
                    waits_seconds_bucket{le=\"2\"} 4\n\
                    waits_seconds_bucket{le=\"+Inf\"} 5\n\
                    waits_seconds_sum 3.500100002\n\
                    waits_seconds_count 5\n\n";
        assert_eq!(page, want);
    }

    #[test]
    fn counts_are_written_as_they_are() {
        let histogram = Histogram::new("records", Unit::Count, &[1, 2]);
        histogram.record(2);
        histogram.record(1000);
        let mut page = String::new();
        histogram.write(&mut page);
        assert!(page.contains("records_bucket{le=\"2\"} 1\nrecords_bucket{le=\"+Inf\"} 2\n"), "{page}");
        assert!(page.contains("records_sum 1002\nrecords_count 2\n"), "{page}");
    }
}
