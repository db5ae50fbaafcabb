//! What is kept for the windows of a set: which cells a subject's row has.
//!
//! A window is a cell of its subject's row. Counts and sums of the calendar need nothing else: they begin anew with
//! their period. What slides, and what counts different ones, also has the place of its oldest entry in the log, and
//! gives back what each entry brought when it falls out.
//!
//! ```text
//! row: key │ day │ latest entry, entries │ first and last approved │ cell, cell and oldest entry, …
//! ```
//!
//! Start at [`Plan::new`].

use super::log::Entry;
use crate::language::{By, Code, Fact, Measure, Of, TimeSpan, Window};
use crate::{Day, Period};

/// All ways of counting, in the order of tables.
pub(super) const BYS: [By; 6] =
    [By::Card, By::Terminal, By::Merchant, By::Product, By::Bin, By::CardAtMerchant];

/// From where on a window counts: everything that was recorded from this record on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
pub struct Since {
    /// The record.
    pub number: u64,
    /// What is counted came after this time, milliseconds since 1970 UTC.
    pub at_ms: i64,
}

impl Since {
    /// From the first record there ever was.
    pub const BEGINNING: Self = Self { number: 0, at_ms: i64::MIN };
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) currency: u16,
    /// By number of the set's windows; those of drafts have no cell.
    pub(super) windows: Vec<Planned>,
    /// In the order of [`BYS`].
    pub(super) layouts: [Layout; 6],
    /// The longest sliding window, milliseconds.
    pub(super) reach_ms: i64,
    /// Periods of the calendar whose different ones are counted.
    pub(super) periods: Vec<Period>,
    /// Links of an entry.
    pub(super) links: usize,
}

/// A window of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) window: Window,
    /// Its table and its cell there.
    pub(super) cell: Option<(usize, Cell)>,
    pub(super) since: Since,
}

/// A moment as rows are read and written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at_ms: i64,
    pub(super) day: Day,
    /// First days of its periods.
    begins: [Day; 4],
    /// In which sums are kept.
    pub(super) currency: u16,
}

/// What a row of a table holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) cells: Vec<Cell>,
    /// Those of them that begin anew with their period.
    pub(super) beginning: Vec<Cell>,
    /// Those that give back what leaves them.
    pub(super) giving: Vec<Cell>,
    /// Words of a row; 0: nothing is counted in this way.
    pub(super) words: usize,
    /// Which link of an entry is this table's.
    pub(super) link: Option<usize>,
    /// Where first and last approved requests stand.
    pub(super) visits: Option<usize>,
    /// Of what different ones are counted, each with its bit in an entry.
    pub(super) different: Vec<(Fact, u16)>,
}

/// A window's place in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// The window's number in the set.
    pub(super) window: usize,
    pub(super) measure: Measure,
    pub(super) span: TimeSpan,
    /// First of its words.
    pub(super) at: usize,
    /// Where its oldest entry stands, if it has to give back.
    pub(super) oldest: Option<usize>,
    /// Bit of an entry, for different ones.
    pub(super) bit: u16,
}

/// Words of a row before its cells.
pub(super) mod words {
    /// Three: who it is.
    pub(crate) const KEY: usize = 0;
    /// The latest business day it was told of.
    pub(crate) const DAY: usize = 3;
    /// The latest entry, where the table has a link.
    pub(crate) const LATEST: usize = 4;
    /// How many entries there are, where the table has a link.
    pub(crate) const ENTRIES: usize = 5;
    /// How many words first and last approved requests take.
    pub(crate) const VISITS: usize = 7;
}

impl Plan {
    /// What a set needs, counting from a record on. Windows that no rule in shadow or live asks for are left out.
    pub(super) fn new(code: &Code, currency: u16, since: Since) -> Self {
        let mut plan = Self {
            currency,
            windows: Vec::new(),
            layouts: Default::default(),
            reach_ms: 0,
            periods: Vec::new(),
            links: 0,
        };
        for (number, window) in code.windows().iter().enumerate() {
            let planned = Planned { window: *window, cell: None, since };
            if code.asks_window(number) {
                let table = BYS.iter().position(|by| *by == window.by).unwrap_or(0);
                plan.add(table, number, window);
            }
            plan.windows.push(planned);
        }
        let visits = [Fact::LastRegion, Fact::LastSeconds, Fact::LastSpeed, Fact::FirstSeconds];
        plan.place(visits.into_iter().any(|fact| code.asks_fact(fact)));
        for (table, layout) in plan.layouts.iter().enumerate() {
            layout.cells.iter().for_each(|cell| plan.windows[cell.window].cell = Some((table, *cell)));
        }
        plan
    }

    /// Whether it asks for the same, in the same order.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let windows = |plan: &Self| {
            plan.windows.iter().map(|planned| (planned.window, planned.cell)).collect::<Vec<_>>()
        };
        self.currency == other.currency && self.layouts == other.layouts && windows(self) == windows(other)
    }

    fn add(&mut self, table: usize, window: usize, asked: &Window) {
        let Window { measure, span, .. } = *asked;
        let bits = self.layouts.iter().map(|layout| layout.different.len()).sum::<usize>();
        let layout = &mut self.layouts[table];
        let mut bit = 0;
        if let Measure::Distinct(fact) = measure {
            bit = match layout.different.iter().find(|(known, _)| *known == fact) {
                Some((_, bit)) => *bit,
                None => {
                    layout.different.push((fact, 1 << bits));
                    1 << bits
                }
            };
        }
        let gives_back = match (span, measure) {
            (TimeSpan::Sliding(seconds), _) => {
                self.reach_ms = self.reach_ms.max(i64::from(seconds) * 1_000);
                true
            }
            (TimeSpan::Calendar(period), Measure::Distinct(_)) => {
                self.periods.push(period);
                true
            }
            (TimeSpan::Calendar(_), _) => false,
        };
        layout.cells.push(Cell { window, measure, span, at: 0, oldest: gives_back.then_some(0), bit });
    }

    /// Gives the cells their words.
    fn place(&mut self, visits: bool) {
        for (layout, by) in self.layouts.iter_mut().zip(BYS) {
            let visits = visits && by == By::Card;
            if layout.cells.is_empty() && !visits {
                continue;
            }
            let mut next = words::LATEST;
            if layout.cells.iter().any(|cell| cell.oldest.is_some()) {
                layout.link = Some(self.links);
                self.links += 1;
                next = words::ENTRIES + 1;
            }
            if visits {
                layout.visits = Some(next);
                next += words::VISITS;
            }
            for cell in &mut layout.cells {
                cell.at = next;
                next += if matches!(cell.measure, Measure::Sum(_)) { 2 } else { 1 };
                if let Some(oldest) = &mut cell.oldest {
                    *oldest = next;
                    next += 1;
                }
            }
            layout.words = next;
            (layout.giving, layout.beginning) = layout.cells.iter().partition(|cell| cell.oldest.is_some());
        }
    }
}

impl Now {
    pub(super) fn new(at_ms: i64, day: Day, currency: u16) -> Self {
        Self { at_ms, day, begins: Period::begins(day), currency }
    }

    /// Goes on to a later moment; an earlier one counts as this.
    pub(super) fn go_on(&mut self, at_ms: i64, day: Day) {
        self.at_ms = at_ms.max(self.at_ms);
        if day > self.day {
            (self.day, self.begins) = (day, Period::begins(day));
        }
    }

    /// Whether its period holds a day, too, that is not later.
    #[inline]
    pub(super) fn shares(&self, period: Period, day: Day) -> bool {
        day >= self.begins[period as usize]
    }
}

impl Cell {
    /// What an entry brings to the window it is in.
    #[inline]
    pub(super) fn brings(&self, entry: &Entry, currency: u16) -> i64 {
        match self.measure {
            Measure::Count(of) => i64::from(entry.marks.contains(of)),
            Measure::Sum(of) if entry.currency != currency || !entry.marks.contains(of) => 0,
            Measure::Sum(Of::Approved) => (entry.amount - entry.taken_back).max(0),
            Measure::Sum(_) => entry.amount.max(0),
            // Each is counted at its latest entry.
            Measure::Distinct(_) => {
                i64::from(entry.marks.contains(Of::Attempts) && entry.came_again & self.bit == 0)
            }
        }
    }

    /// Whether an entry is no longer in the window at this moment.
    #[inline]
    pub(super) fn has_left(&self, entry: &Entry, now: &Now) -> bool {
        match self.span {
            TimeSpan::Sliding(seconds) => entry.at_ms <= now.at_ms.saturating_sub(i64::from(seconds) * 1_000),
            TimeSpan::Calendar(period) => !now.shares(period, entry.day),
        }
    }

    /// The window's value in a row.
    pub(super) fn value(&self, row: &[u32]) -> i64 {
        match self.measure {
            Measure::Sum(_) => i64::from(row[self.at]) | (i64::from(row[self.at + 1]) << 32),
            _ => i64::from(row[self.at]),
        }
    }

    pub(super) fn put(&self, row: &mut [u32], value: i64) {
        row[self.at] = low(value);
        if matches!(self.measure, Measure::Sum(_)) {
            row[self.at + 1] = low(value >> 32);
        } else {
            row[self.at] = u32::try_from(value.max(0)).unwrap_or(u32::MAX);
        }
    }

    pub(super) fn words(&self) -> std::ops::Range<usize> {
        self.at..self.at + if matches!(self.measure, Measure::Sum(_)) { 2 } else { 1 }
    }
}

/// Whether a period holds both days.
pub(super) fn goes_on(period: Period, one: Day, other: Day) -> bool {
    Period::shared(one, other)[period as usize]
}

/// The lower half of a number.
pub(super) fn low(value: i64) -> u32 {
    let bytes = value.to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
