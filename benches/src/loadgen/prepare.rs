//! Preparing: every message with its MAC, PIN block and encrypted track, before the timed part, on all cores.
//!
//! A connection's messages lie one behind the other in the order in which they are sent, so that any run of them is
//! one write. Start at [`prepare`].

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{arguments::Kind, choice::Payer, error::LoadError, numbers::Numbers, sender::Sender};

/// Bytes of a prepared message, about, with what is noted of it: for the limit on memory.
pub const MESSAGE_BYTES: usize = 224;

/// Messages between two looks at the count that the progress bar shows.
const STEP: u64 = 256;

/// How far apart connections begin in the list of cards.
const CARDS_APART: usize = 7_919;

/// The prepared messages of one connection.
#[derive(Debug, Default)]
pub struct Load {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// Their numbers.
    pub numbers: Option<Numbers>,
}

impl Load {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where the first `count` messages end.
    #[must_use]
    pub fn end(&self, count: usize) -> usize {
        count.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default()
    }

    /// Bytes between two places.
    #[must_use]
    pub fn bytes(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// One message, its length included.
    #[must_use]
    pub fn message(&self, at: usize) -> &[u8] {
        self.bytes(self.end(at), self.end(at + 1))
    }
}

/// Prepares `count` messages for each sender, on all cores.
///
/// # Errors
/// The first thing that went wrong.
pub fn prepare(
    senders: &mut [Sender],
    payers: &[Payer],
    round: &[Kind],
    count: usize,
    to: SocketAddr,
) -> Result<Vec<Load>, LoadError> {
    let total = (count * senders.len()) as u64;
    let done = AtomicU64::new(0);
    let loads = Mutex::new((0..senders.len()).map(|_| Load::default()).collect::<Vec<_>>());
    on_all_cores(senders, Bar::new("preparing", total), &done, |place, sender| {
        sender.make_room(count as u64, to)?;
        let load = one(sender, payers, round, (count, place), &done)?;
        // INVARIANT: nobody panics with the lock in hand.
        loads.lock().expect("not poisoned")[place] = load;
        Ok(())
    })?;
    // INVARIANT: as above.
    Ok(loads.into_inner().expect("not poisoned"))
}

fn one(
    sender: &mut Sender,
    payers: &[Payer],
    round: &[Kind],
    (count, place): (usize, usize),
    done: &AtomicU64,
) -> Result<Load, LoadError> {
    let mut load = Load { numbers: Some(sender.numbers()), ..Load::default() };
    load.ends.reserve_exact(count);
    for at in 0..count {
        let payer = &payers[(place * CARDS_APART + at) % payers.len()];
        sender.prepare(round[at % round.len()], payer, &mut load.bytes)?;
        load.ends.push(load.bytes.len());
        if at == 0 {
            // Messages differ in the length of their card numbers, by a few bytes.
            load.bytes.reserve((load.bytes.len() + 4) * count);
        }
        if (at as u64 + 1).is_multiple_of(STEP) {
            done.fetch_add(STEP, Ordering::Relaxed);
        }
    }
    Ok(load)
}

/// Does something with each of `items` on all cores, and shows how far it has come.
///
/// # Errors
/// The first thing that went wrong; what had not begun by then is left.
pub fn on_all_cores<T: Send>(
    items: &mut [T],
    bar: Bar,
    done: &AtomicU64,
    work: impl Fn(usize, &mut T) -> Result<(), LoadError> + Sync,
) -> Result<(), LoadError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    with_threads(cores, items, bar, done, work)
}

/// The same with a number of threads.
///
/// # Errors
/// As [`on_all_cores`].
pub fn with_threads<T: Send>(
    threads: usize,
    items: &mut [T],
    bar: Bar,
    done: &AtomicU64,
    work: impl Fn(usize, &mut T) -> Result<(), LoadError> + Sync,
) -> Result<(), LoadError> {
    let threads = threads.min(items.len());
    let queue = Mutex::new(items.iter_mut().enumerate());
    let failed = Mutex::new(None);
    let turn = || loop {
        // INVARIANT: nobody panics with one of the locks in hand.
        let next = queue.lock().expect("not poisoned").next();
        let stop = failed.lock().expect("not poisoned").is_some();
        let Some((place, item)) = next.filter(|_| !stop) else { return };
        if let Err(error) = work(place, item) {
            failed.lock().expect("not poisoned").get_or_insert(error);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(turn)).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            bar.show(done.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(5));
        }
    });
    drop(bar);
    // INVARIANT: as above.
    failed.into_inner().expect("not poisoned").map_or(Ok(()), Err)
}

/// A progress bar on standard error, where a person sees it.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many of something.
    #[must_use]
    pub fn new(what: &str, total: u64) -> Self {
        let bar = ProgressBar::new(total);
        let template = format!("{what:>10} {{wide_bar}} {{human_pos}}/{{human_len}}, {{per_sec}}");
        // The template is the only one, and valid; the plain style would do as well.
        bar.set_style(
            ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self(bar)
    }

    fn show(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn messages_lie_one_behind_the_other() {
        let load = Load { bytes: b"abbccc".to_vec(), ends: vec![1, 3, 6], numbers: None };
        assert_eq!((load.len(), load.end(0), load.end(2)), (3, 0, 3));
        assert_eq!([load.message(0), load.message(1), load.message(2)], [&b"a"[..], b"bb", b"ccc"]);
        assert_eq!(load.bytes(load.end(1), load.end(3)), b"bbccc");
    }

    #[test]
    fn work_is_done_on_every_item_and_the_first_fault_ends_it() {
        let mut items = vec![0; 100];
        let done = AtomicU64::new(0);
        on_all_cores(&mut items, Bar::new("", 100), &done, |place, item| {
            *item = place;
            Ok(())
        })
        .unwrap();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        let fault = on_all_cores(&mut items, Bar::new("", 100), &done, |place, _| {
            if place == 3 { Err(LoadError::NoCards(3)) } else { Ok(()) }
        });
        assert!(matches!(fault, Err(LoadError::NoCards(3))));
    }
}
