//! A history as a snapshot holds it, row by row, in an order that depends on nothing but what was told.
//!
//! The first row, then what is kept of subjects, then the log. Windows that follow from the log are not written: they
//! are counted again from its entries. Start at [`History::rows`].

use serde::{Deserialize, Serialize};

use super::History;
use super::happened::{Key, Marks, Whose};
use super::log::Entry;
use super::plan::{Layout, Now, Since, words};
use super::table::{Table, day_of, day_word};
use crate::Day;

/// A row of a history.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum PastRow {
    /// The first.
    Head {
        /// Latest time that was told, milliseconds since 1970 UTC.
        at_ms: i64,
        /// Latest business day that was told.
        day: Day,
        /// Everything from here on is in the log.
        floor: Since,
        /// From where on the log is whole, if it was ever full.
        lost: Since,
        /// Entries that left before their time.
        dropped: u64,
        /// From where on each window of the set counts.
        since: Vec<Since>,
    },
    /// What is kept of a subject.
    Subject {
        /// Which way of counting, by its place.
        by: u8,
        /// Who it is.
        key: (u64, u32),
        /// The latest business day it was told of.
        day: Day,
        /// Its words, in the order of the set's windows.
        words: Vec<u32>,
    },
    /// An entry of the log, the oldest first.
    Entry {
        /// Number of its record.
        number: u64,
        /// Recorded time.
        at_ms: i64,
        /// Minor units.
        amount: i64,
        /// What was taken back of it.
        taken_back: i64,
        /// Whose it is.
        whose: Whose,
        /// Business day.
        day: Day,
        /// ISO 4217 number.
        currency: u16,
        /// What it counts as.
        marks: Marks,
    },
}

impl History {
    /// Everything, for [`History::restore`].
    pub fn rows(&self) -> impl Iterator<Item = PastRow> + '_ {
        let head = PastRow::Head {
            at_ms: self.latest.at_ms,
            day: self.latest.day,
            floor: self.floor,
            lost: self.lost,
            dropped: self.dropped,
            since: self.plan.windows.iter().map(|planned| planned.since).collect(),
        };
        let latest = self.latest;
        let subjects = (0_u8..).zip(&self.tables).flat_map(move |(by, table)| {
            table.in_order().into_iter().filter_map(move |(key, row)| subject(by, table, key, row, &latest))
        });
        let entries = self.log.iter().map(|entry| PastRow::Entry {
            number: entry.number,
            at_ms: entry.at_ms,
            amount: entry.amount,
            taken_back: entry.taken_back,
            whose: entry.whose,
            day: entry.day,
            currency: entry.currency,
            marks: entry.marks,
        });
        std::iter::once(head).chain(subjects).chain(entries)
    }

    /// Takes a row of [`History::rows`] into a new history of the same set; all of them in their order give the same
    /// history again.
    pub fn restore(&mut self, row: PastRow) {
        match row {
            PastRow::Head { at_ms, day, floor, lost, dropped, since } => {
                self.latest = Now::new(at_ms, day, self.latest.currency);
                (self.floor, self.lost, self.dropped) = (floor, lost, dropped);
                for (planned, since) in self.plan.windows.iter_mut().zip(since) {
                    planned.since = since;
                }
            }
            PastRow::Subject { by, key, day, words } => {
                if let Some(table) = self.tables.get_mut(usize::from(by)).filter(|table| table.is_used()) {
                    let row = table.row_of(key, day);
                    let at = kept(&table.layout);
                    at.into_iter().zip(words).for_each(|(at, word)| table.row_mut(row)[at] = word);
                }
            }
            PastRow::Entry { number, at_ms, amount, taken_back, whose, day, currency, marks } => {
                let came_again = 0;
                let entry =
                    Entry { number, at_ms, amount, taken_back, whose, day, currency, came_again, marks };
                self.count(&entry, true, |_| false);
            }
        }
    }
}

/// Told the same, they are the same, whatever room they take.
impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        self.plan.windows == other.plan.windows && self.rows().eq(other.rows())
    }
}

fn subject(by: u8, table: &Table, key: Key, row: u32, latest: &Now) -> Option<PastRow> {
    let words = table.row(row);
    if !table.has_kept(words, latest) {
        return None;
    }
    Some(PastRow::Subject {
        by,
        key,
        day: day_of(words),
        words: kept(&table.layout).into_iter().map(|at| words[at]).collect(),
    })
}

/// The words that do not follow from the log.
fn kept(layout: &Layout) -> Vec<usize> {
    let visits = layout.visits.map_or(0..0, |at| at..at + words::VISITS);
    visits.chain(layout.beginning.iter().flat_map(|cell| cell.words())).collect()
}

impl Table {
    /// Takes over what another table kept in the same windows; `before` says where each window stood there.
    pub(super) fn take_over(&mut self, old: &Self, before: &[Option<usize>], latest: &Now) {
        if !self.is_used() || !old.is_used() {
            return;
        }
        let mut moves = Vec::new();
        for cell in &self.layout.beginning {
            let known = before[cell.window];
            if let Some(was) = old.layout.cells.iter().find(|was| Some(was.window) == known) {
                moves.extend(cell.words().zip(was.words()));
            }
        }
        if let Some((to, from)) = self.layout.visits.zip(old.layout.visits) {
            moves.extend((to..to + words::VISITS).zip(from..from + words::VISITS));
        }
        for (key, from) in old.in_order() {
            if moves.is_empty() || !old.has_kept(old.row(from), latest) {
                continue;
            }
            let row = self.row_of(key, latest.day);
            let was = old.row(from);
            self.row_mut(row)[words::DAY] = day_word(day_of(was));
            moves.iter().for_each(|(to, from)| self.row_mut(row)[*to] = was[*from]);
        }
    }
}
