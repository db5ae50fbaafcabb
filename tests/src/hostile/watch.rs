//! Looks at the switch from outside while a phase goes on: its memory, and how long its admin port takes to answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::victim::{Page, resident_kib};

/// Time between two looks.
const PACE: Duration = Duration::from_millis(250);

/// What was seen in a phase.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The most resident memory, KiB.
    pub resident_max_kib: u64,
    /// The most connections that were open.
    pub connections_max: u64,
    /// The slowest page of metrics.
    pub page_max: Duration,
    /// Pages that did not come.
    pub pages_missed: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    /// Watches this process and its admin port.
    #[must_use]
    pub fn begin(id: u32, admin: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::SeqCst) {
                look(id, admin, &mut seen);
                std::thread::sleep(PACE);
            }
            seen
        });
        Self { stop, thread }
    }

    /// What was seen.
    #[must_use]
    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the watch does not panic")
    }
}

fn look(id: u32, admin: SocketAddr, seen: &mut Seen) {
    seen.resident_max_kib = seen.resident_max_kib.max(resident_kib(id).unwrap_or_default());
    match Page::fetch(admin) {
        Some((page, took)) => {
            seen.page_max = seen.page_max.max(took);
            seen.connections_max = seen.connections_max.max(page.sum("cardswitch_connections", None));
        }
        None => seen.pages_missed += 1,
    }
}
