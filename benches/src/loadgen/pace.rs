//! When requests are due in an open loop, in whole numbers. Start at [`Pace`].

/// Shortest time between two looks at what is due, nanoseconds: what is due in between is sent together, and its
/// lateness counts as latency like any other.
pub const TICK_NS: u64 = 50_000;

const SECOND_NS: u128 = 1_000_000_000;

/// Requests at even distances, dealt to connections in turn.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests a second.
    pub rate: u64,
    /// Connections.
    pub connections: usize,
}

impl Pace {
    /// When request `n` (from 0) is due, nanoseconds after the start.
    #[must_use]
    pub fn due_ns(&self, n: u64) -> u64 {
        narrow(u128::from(n) * SECOND_NS / u128::from(self.rate))
    }

    /// How many requests are due until then.
    #[must_use]
    pub fn due_count(&self, now_ns: u64) -> u64 {
        // The last n with n · second / rate, rounded down, not above now.
        narrow(((u128::from(now_ns) + 1) * u128::from(self.rate) - 1) / SECOND_NS) + 1
    }

    /// Which connection sends request `n`, and as which of its own.
    #[must_use]
    pub fn place(&self, n: u64) -> (usize, usize) {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        (n % self.connections, n / self.connections)
    }

    /// When a connection's own request is due, nanoseconds after the start.
    #[must_use]
    pub fn own_due_ns(&self, connection: usize, at: usize) -> u64 {
        self.due_ns((at * self.connections + connection) as u64)
    }

    /// How many of its own a connection has to send, of the first `count` of all.
    #[must_use]
    pub fn own_count(&self, connection: usize, count: u64) -> usize {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        count.saturating_sub(connection).div_ceil(self.connections)
    }
}

/// Past 500 years of nanoseconds everything is late.
fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_even_distances() {
        let pace = Pace { rate: 1000, connections: 3 };
        assert_eq!([0, 1, 2, 1000].map(|n| pace.due_ns(n)), [0, 1_000_000, 2_000_000, 1_000_000_000]);
        for (now_ns, want) in [(0, 1), (999_999, 1), (1_000_000, 2), (2_500_000, 3)] {
            assert_eq!(pace.due_count(now_ns), want, "{now_ns}");
        }
    }

    #[test]
    fn what_is_due_is_counted_when_it_is_due_and_not_before() {
        for rate in [1, 3, 7, 1_000, 44_100, 333_333, 1_000_000] {
            let pace = Pace { rate, connections: 8 };
            for n in (0..50).chain(12_345..12_400) {
                let due = pace.due_ns(n);
                assert!(pace.due_count(due) > n, "{rate}/s: {n} is not counted at {due}");
                assert!(due == 0 || pace.due_count(due - 1) <= n, "{rate}/s: {n} is counted before {due}");
            }
        }
    }

    #[test]
    fn connections_take_turns() {
        let pace = Pace { rate: 10, connections: 3 };
        assert_eq!((pace.place(0), pace.place(2), pace.place(7)), ((0, 0), (2, 0), (1, 2)));
        for count in 0..20 {
            let own: usize = (0..3).map(|connection| pace.own_count(connection, count)).sum();
            assert_eq!(own as u64, count);
        }
        assert_eq!(pace.own_due_ns(1, 2), pace.due_ns(7));
    }
}
