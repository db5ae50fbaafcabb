//! What the attackers may spend, all together. The attack is about how the switch behaves, not about who has more of
//! the processor, so it is held to rates that leave the honest a fair share of a small machine.
//!
//! Start at [`Budget`].

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

/// Frames, or pieces of frames, in a second.
pub const FRAMES_PER_SECOND: u32 = 20_000;
/// Connections opened in a second.
pub const CONNECTIONS_PER_SECOND: u32 = 1_000;
/// Bytes sent in a second.
pub const BYTES_PER_SECOND: u32 = 16 << 20;
/// Connections that the switch under attack lets in at most, on the ports of `pos`, `epos` and `atm`; with those to the
/// admin port, attackers never hold more than twice as many as all three.
pub const SWITCH_CONNECTIONS: [usize; 3] = [512, 256, 256];
/// Connections that it lets in from one address: with all attackers' addresses, fewer than any of those.
pub const SWITCH_CONNECTIONS_PER_SOURCE: usize = 60;
/// Attackers call from 127.0.0.2 and so many addresses; the honest from 127.0.0.1.
pub const SOURCES: u8 = 8;

/// What may be spent at once after a pause.
const BURST: Duration = Duration::from_millis(5);

/// See the module. For one thread.
#[derive(Debug)]
pub struct Budget {
    frames: Rate,
    connections: Rate,
    bytes: Rate,
}

impl Budget {
    /// Nothing spent yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            frames: Rate::new(FRAMES_PER_SECOND),
            connections: Rate::new(CONNECTIONS_PER_SECOND),
            bytes: Rate::new(BYTES_PER_SECOND),
        }
    }

    /// Waits until so many frames and bytes may be sent.
    pub async fn send(&self, frames: u32, bytes: usize) {
        self.frames.take(frames).await;
        self.bytes.take(u32::try_from(bytes).unwrap_or(u32::MAX)).await;
    }

    /// Waits until a connection may be opened.
    pub async fn connect(&self) {
        self.connections.take(1).await;
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// So many in a second, evenly, by the time at which the next is due.
#[derive(Debug)]
struct Rate {
    per_second: u32,
    next: Cell<Instant>,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        Self { per_second, next: Cell::new(Instant::now()) }
    }

    async fn take(&self, count: u32) {
        let now = Instant::now();
        let due = self.next.get().max(now.checked_sub(BURST).unwrap_or(now));
        self.next.set(due + Duration::from_secs(count.into()) / self.per_second);
        if due > now {
            tokio::time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_spends_more_than_the_rate_and_a_burst() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (rate, begun) = (Rate::new(1_000), Instant::now());
            for _ in 0..10 {
                rate.take(10).await;
            }
            // The last ten are due when ninety have had their time, less the burst.
            assert!(begun.elapsed() >= Duration::from_millis(84), "{:?}", begun.elapsed());
        });
    }
}
