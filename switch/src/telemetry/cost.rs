//! What the stages cost: processor time of the threads that run them, told apart by stage.
//!
//! A stage is measured once a batch, not once a frame, so the measuring itself is lost in the noise: reading a
//! thread's processor time is a system call of some hundred nanoseconds. Time in which the thread waits or another
//! process has its core does not count.

use crate::clock::thread_cpu_ns;

/// The parts of an authorization's cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Sockets, frames, permits: all that the io thread does, frames that it turns away included.
    Channel,
    /// Frames to requests, and what time alone brings about.
    Parse,
    /// What the HSM finds out.
    Verify,
    /// The books' decisions, applied and written as records.
    Decide,
    /// Answers to frames.
    Encode,
    /// The answers' MACs.
    Seal,
    /// The commit thread: chaining records and handing them to the store. The store's own threads are not in it.
    Commit,
    /// The sync thread: making durable what was handed over, and releasing its answers.
    Sync,
}

impl Stage {
    /// Every stage, for metric labels.
    pub const ALL: [Self; 8] = [
        Self::Channel,
        Self::Parse,
        Self::Verify,
        Self::Decide,
        Self::Encode,
        Self::Seal,
        Self::Commit,
        Self::Sync,
    ];

    /// The word for this stage in metrics and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Parse => "parse",
            Self::Verify => "verify",
            Self::Decide => "decide",
            Self::Encode => "encode",
            Self::Seal => "seal",
            Self::Commit => "commit",
            Self::Sync => "sync",
        }
    }
}

/// Cuts a thread's processor time into laps, without a gap: what lies between two laps belongs to the later one.
#[derive(Debug, Default)]
pub struct Laps {
    last: Option<u64>,
}

impl Laps {
    /// Processor time of this thread since the last lap, nanoseconds; nothing the first time.
    ///
    /// To be called on one thread only: another one's time has nothing to do with it.
    pub fn lap(&mut self) -> u64 {
        let now = thread_cpu_ns();
        let last = self.last.replace(now).unwrap_or(now);
        now.saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_count_work_and_not_waiting() {
        let mut laps = Laps::default();
        assert_eq!(laps.lap(), 0, "nothing is known of what was before");
        let (_open, nothing) = std::sync::mpsc::channel::<()>();
        nothing.recv_timeout(std::time::Duration::from_millis(30)).expect_err("nothing comes");
        let slept = laps.lap();
        let mut sum = 0_u64;
        let mut worked = 0;
        while worked < 2 * slept.max(1_000_000) {
            sum = (0..10_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
            worked += laps.lap();
        }
        assert!(slept < 30_000_000, "asleep, it cost {slept} ns");
        assert!(worked > 0 && std::hint::black_box(sum) != 1);
    }
}
