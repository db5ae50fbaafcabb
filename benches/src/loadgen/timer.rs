//! A timer that wakes within microseconds; the runtime's own count milliseconds, and an open loop's latencies would
//! be theirs.

use std::{io, time::Duration};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::net::unix::pipe;

use super::error::LoadError;

/// Wakes at times after its start.
#[derive(Debug)]
pub struct Timer {
    /// A timer's descriptor becomes readable as a pipe's does, and a pipe's receiver is what the runtime takes from
    /// safe code.
    expiries: pipe::Receiver,
    /// The monotonic clock at the start.
    begun: Duration,
}

impl Timer {
    /// One that has just started. To be made in a runtime.
    ///
    /// # Errors
    /// The system has no such timer.
    pub fn new() -> Result<Self, LoadError> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC);
        let expiries = timer.map_err(io::Error::from).and_then(pipe::Receiver::from_owned_fd_unchecked);
        let mut timer = Self {
            expiries: expiries.map_err(LoadError::system("the system gives no timer"))?,
            begun: Duration::ZERO,
        };
        timer.start();
        Ok(timer)
    }

    /// Starts it anew.
    pub fn start(&mut self) {
        self.begun = duration(clock_gettime(ClockId::Monotonic));
    }

    /// Returns at this time after the start, or a moment later.
    ///
    /// # Errors
    /// The system refuses, which it does not.
    pub async fn wait_until(&self, ns: u64) -> io::Result<()> {
        use std::os::fd::AsFd;
        let at = self.begun + Duration::from_nanos(ns);
        let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        let it_value = Timespec { tv_sec: seconds, tv_nsec: at.subsec_nanos().into() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(self.expiries.as_fd(), TimerfdTimerFlags::ABSTIME, &once)?;
        loop {
            self.expiries.readable().await?;
            match self.expiries.try_read(&mut [0; 8]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other.map(drop),
            }
        }
    }
}

/// A time of the system as a duration since its beginning.
#[must_use]
pub fn duration(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::time::Instant;

    use super::super::run::runtime;
    use super::*;

    #[test]
    fn it_wakes_in_time_and_never_early() {
        runtime().unwrap().block_on(async {
            let begun = Instant::now();
            let timer = Timer::new().unwrap();
            for at_us in [100, 250, 1_300, 1_200, 5_000] {
                timer.wait_until(at_us * 1000).await.unwrap();
                assert!(begun.elapsed() >= Duration::from_micros(at_us), "{at_us} µs");
            }
            assert!(begun.elapsed() < Duration::from_secs(2));
        });
    }
}
