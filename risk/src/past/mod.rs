//! What happened before, as the rules of one set ask about it: counted exactly, from recorded facts alone.
//!
//! A [`History`] is told every request and what became of it, and what went back of it, in the order of the journal.
//! It answers the windows of a compiled set, calendar and sliding, for a request that it has not been told yet. Told
//! the same, it answers the same: a live switch, a replay and a backtest are this one type.
//!
//! **Memory.** A subject that anything is counted for has a row: 16 bytes, 9 in an index, 4 for each count and 8 for
//! each sum of the set; where windows slide, 8 more and 4 for each of them. A card costs 28 more in a set that asks
//! for its last or first approval. Rows are given to others when nothing can reach them any more. What sliding windows
//! and `distinct()` look at is a log with an entry of 72 bytes for each request, and 8 for each way of counting that
//! needs it; it reaches back as far as the longest window and holds at most [`Keep::entries_max`]. Evaluating takes no
//! memory.
//!
//! **A new set** takes over what the old one counted in the same windows. Windows that it did not have begin with what
//! the log holds, and [`History::since`] says from which record on they count: they do not answer for what came before.
//!
//! Start at [`History::record`] and [`History::before`]. What a row holds is in `plan`, how windows are kept up in
//! `table`, and what a snapshot holds in `rows`.

mod before;
mod happened;
mod log;
mod plan;
mod rows;
mod table;

use std::array;

pub use before::Before;
pub use happened::{Happened, Marks, Place, Spot, TakenBack, Whose};
pub use plan::Since;
pub use rows::PastRow;

use crate::Day;
use crate::language::{Code, Measure, Of, TimeSpan};
use log::{Entry, Log};
use plan::{BYS, Now, Plan};
use table::Table;

/// How much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// Most entries of the log. When it is full the oldest go before their time, which [`History::dropped`] counts:
    /// from then on sliding windows that reach further begin later, as [`History::since`] says.
    pub entries_max: u64,
    /// For how long entries are kept even if no window asks for them, milliseconds: with what windows of the next set
    /// begin.
    pub at_least_ms: i64,
}

impl Keep {
    /// As much as the windows ask for, and no more.
    pub const ASKED: Self = Self { entries_max: u32::MAX as u64 - 1, at_least_ms: 0 };
}

/// See the module.
#[derive(Clone, Debug)]
pub struct History {
    plan: Plan,
    /// In the order of [`BYS`].
    tables: [Table; 6],
    log: Log,
    keep: Keep,
    latest: Now,
    /// Everything from here on is in the log.
    floor: Since,
    /// The same, for what had to go before its time.
    lost: Since,
    dropped: u64,
}

impl History {
    /// A history that has been told nothing, for the windows of a set whose sums are of this currency (ISO 4217
    /// number).
    #[must_use]
    pub fn new(code: &Code, currency: u16, keep: Keep) -> Self {
        Self::of(Plan::new(code, currency, Since::BEGINNING), keep)
    }

    fn of(plan: Plan, keep: Keep) -> Self {
        Self {
            tables: array::from_fn(|table| Table::new(plan.layouts[table].clone())),
            log: Log::new(plan.links),
            latest: Now::new(i64::MIN, Day(i32::MIN), plan.currency),
            floor: Since::BEGINNING,
            lost: Since::BEGINNING,
            dropped: 0,
            plan,
            keep,
        }
    }

    /// Takes in a request and what became of it.
    pub fn record(&mut self, happened: &Happened) {
        self.latest.go_on(happened.at_ms, happened.day);
        let entry = Entry {
            number: happened.number,
            at_ms: self.latest.at_ms,
            amount: happened.amount,
            taken_back: happened.amount.saturating_sub(happened.approved),
            whose: happened.whose,
            day: self.latest.day,
            currency: happened.currency,
            came_again: 0,
            marks: happened.marks,
        };
        self.forget_old();
        self.count(&entry, true, |_| true);
        if happened.marks.contains(Of::Approved) {
            self.visit(&happened.whose, &happened.place);
        }
        let Self { tables, latest, .. } = self;
        tables.iter_mut().for_each(|table| table.clear_some(latest));
    }

    /// Counts an entry in the log, and in windows of the calendar that say so.
    fn count(&mut self, entry: &Entry, log: bool, which: impl Fn(usize) -> bool + Copy) {
        let place = if log && self.keeps(entry) { Some(self.log.push(*entry)) } else { None };
        if place.is_none() {
            self.floor = Since { number: entry.number + 1, at_ms: entry.at_ms };
        }
        let Self { tables, log, latest, .. } = self;
        for (table, by) in tables.iter_mut().zip(BYS) {
            if !table.is_used() {
                continue;
            }
            let row = table.row_of(entry.whose.key(by), entry.day);
            table.count(row, entry, latest.currency, which);
            if let Some(place) = place {
                table.enter(log, place, row, latest);
            }
        }
    }

    fn visit(&mut self, whose: &Whose, place: &Place) {
        let (table, at_ms) = (&mut self.tables[0], self.latest.at_ms);
        if let Some(row) = table.find(whose.key(BYS[0])) {
            table.visit(row, at_ms, place);
        }
    }

    /// Takes back a part of an approved request, or all that is left of it. An original that is not known, or was
    /// recorded before a window began to count, changes nothing in it.
    pub fn take_back(&mut self, back: &TakenBack) {
        let Self { plan, tables, log, latest, .. } = self;
        let knew = |window: usize| plan.windows[window].since.number <= back.number;
        let in_sums = back.currency == plan.currency;
        for (table, by) in tables.iter_mut().zip(BYS) {
            if let Some(row) = table.find(back.whose.key(by)).filter(|_| table.is_used()) {
                table.uncount(row, back, in_sums, knew);
            }
        }
        let Some(place) = log.find(back.number) else { return };
        let mut entry = *log.entry(place);
        let comes_again = back.whole && back.amount < 0;
        if entry.marks.contains(Of::Approved) == comes_again {
            return;
        }
        entry.taken_back = entry.taken_back.saturating_add(back.amount);
        if comes_again {
            entry.marks = entry.marks.and(Of::Approved);
        } else if back.whole {
            entry.marks = entry.marks.without(Of::Approved);
        }
        tables.iter_mut().for_each(|table| table.take_back(log, place, &entry, latest.currency));
        *log.entry_mut(place) = entry;
    }

    /// Whether a window can reach an entry, or it is to be kept for later ones.
    fn keeps(&self, entry: &Entry) -> bool {
        let after = |span_ms: i64| span_ms > 0 && entry.at_ms > self.latest.at_ms.saturating_sub(span_ms);
        after(self.plan.reach_ms.max(self.keep.at_least_ms))
            || self.plan.periods.iter().any(|period| self.latest.shares(*period, entry.day))
    }

    fn forget_old(&mut self) {
        while let Some(oldest) = self.log.oldest() {
            let keeps = self.keeps(oldest);
            if keeps && self.log.len() < self.keep.entries_max.clamp(1, Keep::ASKED.entries_max) {
                return;
            }
            self.floor = Since { number: oldest.number + 1, at_ms: oldest.at_ms };
            if keeps {
                (self.lost, self.dropped) = (self.floor, self.dropped + 1);
            }
            let place = self.log.first();
            self.tables.iter_mut().for_each(|table| table.forget(&self.log, place, self.latest.currency));
            self.log.pop();
        }
    }

    /// Goes over to another set. What both count is kept; what the old one did not count begins with what the log
    /// holds. A set that asks for the same costs nothing, any other looks at every row and entry once.
    pub fn adopt(&mut self, code: &Code, currency: u16) {
        let mut plan = Plan::new(code, currency, self.floor);
        if plan.is_like(&self.plan) {
            return;
        }
        let same_sums = currency == self.plan.currency;
        // Where each window of the new set stood in the old one.
        let before: Vec<Option<usize>> =
            plan.windows.iter().map(|planned| self.known(planned, same_sums)).collect();
        for (planned, known) in plan.windows.iter_mut().zip(&before) {
            if let Some(known) = known {
                planned.since = self.plan.windows[*known].since;
            }
        }
        let mut next = Self::of(plan, self.keep);
        (next.latest, next.lost, next.dropped) = (self.latest, self.lost, self.dropped);
        (next.latest.currency, next.floor) = (currency, self.floor);
        for (new, old) in next.tables.iter_mut().zip(&self.tables) {
            new.take_over(old, &before, &self.latest);
        }
        for entry in self.log.iter() {
            next.count(&Entry { came_again: 0, ..*entry }, true, |window| before[window].is_none());
        }
        *self = next;
    }

    /// A window of another set among those of this one.
    fn known(&self, other: &plan::Planned, same_sums: bool) -> Option<usize> {
        let is_sum = matches!(other.window.measure, Measure::Sum(_));
        let same = |known: &plan::Planned| known.window == other.window && known.cell.is_some();
        self.plan.windows.iter().position(same).filter(|_| same_sums || !is_sum)
    }

    /// What the windows hold for somebody's request at a moment, for [`crate::rulebook::Rulebook::evaluate`]; lists
    /// are looked up in what is given. A moment before the latest that was told counts as that.
    pub fn before<L>(&self, whose: &Whose, now_ms: i64, day: Day, lists: L) -> Before<'_, L> {
        Before::new(self, whose, now_ms, day, lists)
    }

    /// From where on a window of the set counts, by its number; nothing if no rule in shadow or live asks for it.
    #[must_use]
    pub fn since(&self, window: usize) -> Option<Since> {
        let planned = self.plan.windows.get(window)?;
        planned.cell?;
        let needs_log = match planned.window.span {
            TimeSpan::Sliding(_) => true,
            TimeSpan::Calendar(_) => matches!(planned.window.measure, Measure::Distinct(_)),
        };
        Some(if needs_log { planned.since.max(self.lost) } else { planned.since })
    }

    /// Makes room for this many cards.
    pub fn reserve_cards(&mut self, cards: usize) {
        self.tables[0].reserve(cards);
    }

    /// Entries that left the log before their time because it was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Entries of the log, and subjects that have a row.
    #[must_use]
    pub fn sizes(&self) -> (u64, usize) {
        (self.log.len(), self.tables.iter().map(Table::len).sum())
    }

    /// Bytes owned.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.log.bytes() + self.tables.iter().map(Table::bytes).sum::<usize>()
    }
}
