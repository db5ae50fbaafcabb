//! Where a sender finds what to send: the outbox of the live books, as far as it is durable; and the journal, for what has left
//! that outbox while somebody did not take it.
//!
//! The books are asked between two batches, a few notices at a time, and only when the journal has grown. What left their outbox
//! before a sender was there is made again by a replay beside them, as a checkpoint is: rarely, and one sender at a time.
//!
//! Start at `Source::after`.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};

use super::{
    contacts::{ContactBook, Contacts},
    letter::Letter,
};
use crate::{
    app::Control,
    books::Books,
    journal::{Checkpoints, Reader, Seq},
    recovery::{self, RecoveryError},
};

/// Notices taken from the books at once.
const PAGE: usize = 64;

/// Records replayed between two looks at whether the switch stops.
const SLICE: u64 = 4096;

/// Where notices come from.
pub struct Source {
    /// By which the live books are asked.
    pub(super) control: mpsc::Sender<Control>,
    /// The durable records.
    pub(super) reader: Box<dyn Reader>,
    /// From which a replay begins.
    pub(super) checkpoints: Arc<dyn Checkpoints>,
    /// Where cardholders can be reached.
    pub(super) contacts: Arc<ContactBook>,
    /// In which times are told.
    pub(super) zone: TimeZone,
    /// One sender replays at a time.
    pub(super) catching_up: Arc<CatchingUp>,
    /// Books that are behind the live ones, while this sender replays.
    pub(super) behind: Option<Behind>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("catching_up", &self.behind.is_some()).finish_non_exhaustive()
    }
}

/// Who replays: books beside the live ones take their memory a second time, a third time would be too much.
#[derive(Debug, Default)]
pub(super) struct CatchingUp {
    taken: AtomicBool,
    awaited: AtomicBool,
}

/// Books of a replay, and the right to have them.
pub(super) struct Behind {
    books: Box<Books>,
    catching_up: Arc<CatchingUp>,
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.catching_up.taken.store(false, Ordering::Release);
    }
}

/// What a sender finds.
#[derive(Debug)]
pub(super) enum Found {
    /// These notices, all durable; none if nothing more is.
    Letters {
        letters: Vec<Letter>,
        /// The number of the newest there is, durable or not.
        last_id: u64,
        /// How far the journal was durable.
        durable: Seq,
    },
    /// So many left the outbox, and the journal does not go back to them: this is the last of those.
    Lost { until: u64 },
    /// Another sender replays; later.
    Busy,
    /// The switch stops.
    Gone,
}

/// What books have behind a number.
struct Page {
    letters: Vec<Letter>,
    /// The oldest number that is kept.
    first_id: u64,
    last_id: u64,
}

impl Source {
    /// How far the journal is durable.
    pub(super) fn durable(&self) -> Seq {
        self.reader.head().seq
    }

    /// Has the file of contacts read again, if it has changed.
    pub(super) fn refresh(&self) {
        let _contacts = self.contacts.now();
    }

    /// Whoever cannot send keeps no other sender from replaying, and begins anew later.
    pub(super) fn give_way(&mut self) {
        if self.behind.is_some() && self.catching_up.awaited.swap(false, Ordering::Relaxed) {
            self.behind = None;
        }
    }

    /// What is behind the notice of this number.
    ///
    /// # Errors
    /// The journal cannot be replayed.
    pub(super) fn after(&mut self, id: u64, stops: &dyn Fn() -> bool) -> Result<Found, RecoveryError> {
        let Some(mut page) = self.look(id) else { return Ok(Found::Gone) };
        if page.first_id > id + 1 {
            return self.again(id, page.first_id, stops);
        }
        self.behind = None;
        // Asked behind the books: whatever is durable now was so, or was seen, before.
        let durable = self.durable();
        page.letters.retain(|letter| letter.entry.record <= durable);
        Ok(Found::Letters { letters: page.letters, last_id: page.last_id, durable })
    }

    /// Asks the live books; nothing if they are gone.
    fn look(&self, id: u64) -> Option<Page> {
        let (tell, told) = oneshot::channel();
        let (contacts, zone) = (self.contacts.now(), self.zone.clone());
        let look = Control::Look(Box::new(move |books| {
            let _asker_gone = tell.send(page(books, id, &contacts, &zone));
        }));
        self.control.blocking_send(look).ok()?;
        told.blocking_recv().ok()
    }

    /// What has left the live outbox, from the journal.
    fn again(&mut self, id: u64, first_id: u64, stops: &dyn Fn() -> bool) -> Result<Found, RecoveryError> {
        if self.behind.is_none() {
            if self.catching_up.taken.swap(true, Ordering::Acquire) {
                self.catching_up.awaited.store(true, Ordering::Relaxed);
                return Ok(Found::Busy);
            }
            let catching_up = Arc::clone(&self.catching_up);
            let mut behind = Behind { books: Box::default(), catching_up };
            let Some(books) = self.books_before(id)? else { return Ok(Found::Lost { until: first_id - 1 }) };
            tracing::warn!(
                after = id,
                from = books.seq(),
                "notices that left the outbox are made again from the journal"
            );
            *behind.books = books;
            self.behind = Some(behind);
        }
        let durable = self.durable();
        let Some(behind) = &mut self.behind else { return Ok(Found::Busy) };
        let books = behind.books.as_mut();
        // A page at a time, and never so many that one would leave before it was looked at.
        let enough = |books: &Books| {
            let most = u64::from(books.policy().notices_max / 2).min(PAGE as u64);
            books.notices().last_id() >= id + most
        };
        if !enough(books) {
            recovery::replay_while(self.reader.as_ref(), books, durable, &mut |books, _, _| {
                let looks = books.seq() % SLICE == 0;
                if enough(books) || (looks && stops()) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
        }
        let Page { letters, first_id, last_id } = page(books, id, &self.contacts.now(), &self.zone);
        if first_id > id + 1 {
            return Ok(Found::Lost { until: first_id - 1 });
        }
        Ok(Found::Letters { letters, last_id, durable })
    }

    /// Books whose outbox has, or will have, what is behind a number; none if the journal does not go back so far.
    fn books_before(&self, id: u64) -> Result<Option<Books>, RecoveryError> {
        for seq in self.checkpoints.saved()? {
            // One that cannot be read is no better than none: the records tell the same.
            let Ok(books) = recovery::read_checkpoint(self.checkpoints.as_ref(), seq) else { continue };
            let notices = books.notices();
            if notices.last_id() <= id || notices.first_id() <= id + 1 {
                return Ok(Some(books));
            }
        }
        Ok((self.reader.first()? == 1).then(Books::default))
    }
}

/// What books have behind the notice of this number, [`PAGE`] of it at most.
fn page(books: &Books, id: u64, contacts: &Contacts, zone: &TimeZone) -> Page {
    let notices = books.notices();
    let letters =
        notices.after(id).take(PAGE).map(|notice| Letter::of(books, notice, contacts, zone)).collect();
    Page { letters, first_id: notices.first_id(), last_id: notices.last_id() }
}
