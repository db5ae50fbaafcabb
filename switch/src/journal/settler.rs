//! What is in the tail and not in the engine yet, and the thread that takes it there.
//!
//! It works behind the answers: a group of extents is inserted, flushed and synced, and only then forgotten here, so a reader
//! finds every extent in one place or the other, and the tail's file is written over only when the engine has all that is in it.
//! Nothing is inserted while the engine's file is being synced, so what the engine overwrites is never ahead of what is durable.
//! The same thread syncs the anchor, which may lag.
//!
//! Start at [`Unsettled::push`] and [`Settler::start`].

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::engine::{Engine, engine_error, guarded};
use super::sled_store::Stopwatch;
use super::syncer::Halves;
use super::{JournalError, Seq};

/// Bytes of extents that the engine takes over at once: little beside a file of the tail, much beside what a flush costs.
const GROUP_BYTES: usize = 1 << 20;

/// An extent that the engine may not have yet.
#[derive(Clone)]
pub(super) struct Recent {
    first: Seq,
    last: Seq,
    bytes: Arc<[u8]>,
}

/// The extents on their way into the engine, in order.
#[derive(Default)]
pub(super) struct Unsettled {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    extents: VecDeque<Recent>,
    bytes: usize,
    /// The last record that the engine has durably.
    settled: Seq,
    /// Up to where somebody waits for it.
    wanted: Seq,
    /// Since when the anchor is written and not synced.
    anchor_lags: Option<Stopwatch>,
    /// It failed: nobody waits any more.
    failed: bool,
    closing: bool,
}

/// What there is to do.
enum Work {
    Settle(Vec<Recent>),
    SyncAnchor,
    Nothing,
}

impl Unsettled {
    /// Of an engine that has everything up to this record.
    pub(super) fn behind(settled: Seq) -> Self {
        let state = State { settled, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of the engine is caught before it could end a holder of this.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An extent was put into the tail.
    pub(super) fn push(&self, first: Seq, last: Seq, extent: &[u8]) {
        let recent = Recent { first, last, bytes: extent.into() };
        let mut state = self.state();
        let before = state.bytes;
        state.bytes += extent.len();
        state.extents.push_back(recent);
        if before < GROUP_BYTES && state.bytes >= GROUP_BYTES {
            self.changed.notify_all();
        }
    }

    /// The anchor was written: it is to be synced before long.
    pub(super) fn anchor_lags(&self) {
        let mut state = self.state();
        if state.anchor_lags.is_none() {
            state.anchor_lags = Some(Stopwatch::start());
            self.changed.notify_all();
        }
    }

    /// The extent that holds a record, if it is here, and its last record.
    pub(super) fn holding(&self, seq: Seq) -> Option<(Seq, Arc<[u8]>)> {
        let state = self.state();
        let at = state.extents.partition_point(|recent| recent.last < seq);
        state
            .extents
            .get(at)
            .filter(|recent| recent.first <= seq)
            .map(|recent| (recent.last, Arc::clone(&recent.bytes)))
    }

    /// Waits until the engine has everything up to this record.
    pub(super) fn settle_through(&self, seq: Seq) -> Result<(), JournalError> {
        let mut state = self.state();
        if state.settled < seq {
            state.wanted = state.wanted.max(seq);
            self.changed.notify_all();
        }
        while state.settled < seq {
            if state.failed {
                return Err(JournalError::Poisoned);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Waits until nothing is on its way.
    pub(super) fn settle_all(&self) -> Result<(), JournalError> {
        let last = self.state().extents.back().map_or(0, |recent| recent.last);
        self.settle_through(last)
    }

    /// The engine has everything up to this record durably, by somebody else.
    pub(super) fn is_settled(&self, seq: Seq) {
        self.state().settled = seq;
    }

    /// Waits for work, at most until the anchor is due.
    fn next(&self, anchor_lag: Duration) -> Work {
        let mut state = self.state();
        loop {
            let until_due = state.anchor_lags.as_ref().map(|since| anchor_lag.saturating_sub(since.waited()));
            if until_due.is_some_and(|left| left.is_zero()) {
                state.anchor_lags = None;
                return Work::SyncAnchor;
            }
            if state.bytes >= GROUP_BYTES || state.wanted > state.settled || state.closing {
                let mut bytes = 0;
                let group = state.extents.iter().take_while(|recent| {
                    bytes += recent.bytes.len();
                    bytes <= GROUP_BYTES
                });
                let group: Vec<_> = group.cloned().collect();
                if !group.is_empty() {
                    return Work::Settle(group);
                }
                if state.closing {
                    return Work::Nothing;
                }
            }
            state = match until_due {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn settled(&self, group: &[Recent]) {
        let mut state = self.state();
        for recent in group {
            state.extents.pop_front();
            state.bytes -= recent.bytes.len();
            state.settled = recent.last;
        }
        self.changed.notify_all();
    }
}

/// The thread, while the store is open.
pub(super) struct Settler {
    unsettled: Arc<Unsettled>,
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    /// Starts it. `anchor` is another descriptor of the anchor's file, synced `anchor_lag` behind a write at the latest.
    pub(super) fn start(
        unsettled: Arc<Unsettled>,
        engine: Arc<Engine>,
        extents: sled::Tree,
        halves: Arc<Halves>,
        anchor: File,
        anchor_lag: Duration,
    ) -> Result<Self, JournalError> {
        let work = Arc::clone(&unsettled);
        let run = move || {
            let done = guarded("taking the tail over", || {
                loop {
                    match work.next(anchor_lag) {
                        Work::Settle(group) => {
                            settle(&engine, &extents, &group)?;
                            work.settled(&group);
                        }
                        Work::SyncAnchor => {
                            anchor.sync_data().map_err(JournalError::io("syncing the anchor"))?
                        }
                        Work::Nothing => return Ok(()),
                    }
                }
            });
            if let Err(error) = done {
                halves.poison_untold(error);
                work.state().failed = true;
                work.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("settle".into()).spawn(run);
        let thread = thread.map_err(JournalError::io("starting the thread that settles"))?;
        Ok(Self { unsettled, thread: Some(thread) })
    }

    /// Waits until all is in the engine, and ends the thread.
    pub(super) fn finish(&mut self) {
        self.unsettled.state().closing = true;
        self.unsettled.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of it was caught, and has poisoned the store.
            let _ended = thread.join();
        }
    }
}

fn settle(engine: &Engine, extents: &sled::Tree, group: &[Recent]) -> Result<(), JournalError> {
    for recent in group {
        extents
            .insert(recent.first.to_be_bytes(), &*recent.bytes)
            .map_err(engine_error("writing the journal"))?;
    }
    engine.flush()?;
    engine.sync()
}
