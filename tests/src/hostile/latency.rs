//! A histogram of latencies: microseconds, counted in buckets a thirty-second of their value wide.
//!
//! Quantiles are the upper end of their bucket, so they err by 3 % at most and never to the good side.

/// Buckets of each power of two.
const STEPS: u64 = 32;

/// See the module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max_us: u64,
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, us: u64) {
        let at = bucket(us);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (here, there) in self.buckets.iter_mut().zip(&other.buckets) {
            *here += there;
        }
        self.count += other.count;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in microseconds.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// What so many of a thousand took at most, in microseconds; 0 if nothing was counted.
    #[must_use]
    pub fn quantile_us(&self, permille: u64) -> u64 {
        let wanted = (self.count * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_end(at).min(self.max_us);
            }
        }
        self.max_us
    }
}

/// The first 64 values have a bucket each; then every power of two has [`STEPS`].
fn bucket(us: u64) -> usize {
    let shift = u64::from(us.max(1).ilog2().saturating_sub(STEPS.ilog2()));
    // INVARIANT: at most 59 * 32 + 63.
    usize::try_from(shift * STEPS + (us >> shift)).expect("a small number")
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let widened = u128::from(bucket - shift * STEPS + 1) << shift;
    u64::try_from(widened - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_no_bucket_is_wider_than_a_thirty_second() {
        let values = (0..5000).chain([1 << 20, (1 << 33) + 12_345, u64::MAX - 1, u64::MAX]);
        for us in values {
            let at = bucket(us);
            assert!(us <= upper_end(at), "{us}");
            assert!(at == 0 || us > upper_end(at - 1), "{us}");
            assert!(upper_end(at) - us <= us / STEPS, "{us}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values_counted() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile_us(990), 0, "of nothing");
        for us in 1..=1000 {
            latencies.record(us);
        }
        let mut twice = latencies.clone();
        twice.add(&latencies);
        for (permille, want) in [(1, 1), (500, 500), (990, 990), (1000, 1000)] {
            for of in [&latencies, &twice] {
                let got = of.quantile_us(permille);
                assert!((want..=want + want / STEPS).contains(&got), "{permille}: {got}");
            }
        }
        assert_eq!((twice.count(), twice.max_us()), (2000, 1000));
    }
}
