//! Whether SIGINT or SIGTERM came. With the default action the process would end at once: a demo would leave its switch
//! running, a backtest would say nothing of what it found. So the signals only set a flag, and long work looks at it
//! between steps.
//!
//! Start at [`Interrupt::watch`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// A flag that a signal sets.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches from a thread that lives as long as the process.
    ///
    /// # Errors
    /// The system gives no thread, or no signals.
    pub fn watch() -> io::Result<Self> {
        let flag = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let set = flag.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            set.0.store(true, Ordering::Relaxed);
        })?;
        Ok(flag)
    }

    /// Whether one came.
    #[must_use]
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
