//! Ending an open business day, on a running switch and in a stopped folder.
//!
//! By itself a day ends at its minute on the clock; whoever settles a day that is still open ends it by that, with the
//! same event. Start at [`cut_over`].

use std::path::Path;

use jiff::civil::Date;

use super::{SettlementError, Summary, settle};
use crate::{
    app::{archive_dir, journal_dir},
    audit::StoppedFolder,
    books::{Books, event::Event},
    clock::{Clock, date_of_day, days_since_1970},
    journal::{RecordBatch, Seq, SledStore, Store, StoreOptions},
    recovery::{self, RecoveryError},
};

const DAY_MS: i64 = 24 * 3_600_000;

/// Where a day stands that has begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// What happens now belongs to it.
    Open,
    /// It is over, and never opens again.
    Closed,
}

/// Where a day stands in these books.
///
/// # Errors
/// It has not begun.
pub fn standing(books: &Books, day: Date) -> Result<Standing, SettlementError> {
    let open = books.business_day();
    match days_since_1970(day) {
        _ if open == 0 => Err(SettlementError::NotBegun),
        day if day == open => Ok(Standing::Open),
        day if day < open => Ok(Standing::Closed),
        _ => Err(SettlementError::Future { day, open: date_of_day(open) }),
    }
}

/// What ends this day, if it is open; nothing if it is closed.
///
/// # Errors
/// It has not begun, or has begun ahead of the calendar.
pub fn cut_over(books: &Books, day: Date) -> Result<Option<Event>, SettlementError> {
    let number = days_since_1970(day);
    if standing(books, day)? == Standing::Closed {
        return Ok(None);
    }
    // Limits count by business day, so nobody may end one after the other. No zone is a whole day ahead of UTC.
    let today_utc = books.time_ms().div_euclid(DAY_MS);
    if i64::from(number) > today_utc + 1 {
        return Err(SettlementError::Ahead(day));
    }
    Ok(Some(Event::CutOver { opens: number + 1 }))
}

/// Ends this day in a journal that nobody else has open, if it is open there. Returns once that is durable.
///
/// # Errors
/// The day has not begun, or the journal refuses or does not replay.
pub fn cut_over_in(
    store: &mut dyn Store,
    day: Date,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<(), SettlementError> {
    let mut books = recovery::restore(store, progress)?;
    let Some(event) = cut_over(&books, day)? else { return Ok(()) };
    clock.not_before(books.time_ms());
    let (seq, time_ms) = (books.seq() + 1, clock.now().unix_ms());
    let mut batch = RecordBatch::new();
    batch.push(seq, time_ms, |body| event.write(body))?;
    books.apply(seq, time_ms, &event).map_err(RecoveryError::from)?;
    store.append(seq, &batch)?;
    Ok(())
}

/// Settles a day of a stopped data folder, and its archive if that has a place of its own, into `out`, see [`settle`]; if the day is still open, it is ended first. The
/// folder is changed only by that.
///
/// # Errors
/// As [`cut_over_in`] and [`settle`], or a switch is running on the folder.
pub fn settle_stopped(
    (data, archive): (&Path, Option<&Path>),
    day: Date,
    out: &Path,
    clock: &mut Clock,
    progress: &mut dyn FnMut(Seq),
) -> Result<Summary, SettlementError> {
    let folder = StoppedFolder::open(data, archive, progress)?;
    if standing(&folder.books(progress)?, day)? == Standing::Closed {
        return settle(folder.reader().as_ref(), day, out, progress);
    }
    drop(folder);
    let archive = archive_dir(data, archive);
    let (mut store, _) =
        SledStore::open_archived(&journal_dir(data), &archive, StoreOptions::default(), progress)?;
    let settled = cut_over_in(&mut store, day, clock, progress)
        .and_then(|()| settle(store.reader().as_ref(), day, out, progress));
    Box::new(store).close()?;
    settled
}
