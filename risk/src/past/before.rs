//! What happened before one request: rows are found once, windows are read from them.
//!
//! Start at [`History::before`].

use super::History;
use super::happened::{Place, Whose};
use super::plan::{BYS, Now};
use crate::Day;
use crate::language::{Fact, Key, NamedList, Past, Request, Window};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Before<'h, L> {
    history: &'h History,
    /// In the order of tables.
    rows: [Option<u32>; 6],
    now: Now,
    lists: L,
}

impl<'h, L> Before<'h, L> {
    pub(super) fn new(history: &'h History, whose: &Whose, now_ms: i64, day: Day, lists: L) -> Self {
        let mut now = history.latest;
        now.go_on(now_ms, day);
        let mut rows = [None; 6];
        for ((row, table), by) in rows.iter_mut().zip(&history.tables).zip(BYS) {
            if table.is_used() {
                *row = table.find(whose.key(by));
            }
        }
        Self { history, rows, now, lists }
    }

    /// What a window of the set holds, by its number.
    #[must_use]
    pub fn held(&self, window: usize) -> i64 {
        let history = self.history;
        let Some((table, cell)) = history.plan.windows.get(window).and_then(|planned| planned.cell.as_ref())
        else {
            return 0;
        };
        self.rows[*table].map_or(0, |row| history.tables[*table].value(cell, row, &history.log, &self.now))
    }

    /// Gives a request the facts that come from before: the card's last place and time, its speed since, and its
    /// first time; none of them if the card was never approved, or no rule asks.
    pub fn tell(&self, place: &Place, request: &mut Request<'_>) {
        let visits = self.rows[0].and_then(|row| self.history.tables[0].visits(row));
        let Some(visits) = visits else { return };
        let passed_ms = self.now.at_ms.saturating_sub(visits.last_ms);
        request.number(Fact::LastSeconds, passed_ms / 1_000);
        request.number(Fact::LastRegion, i64::from(visits.place.region));
        request.number(Fact::FirstSeconds, self.now.at_ms.saturating_sub(visits.first_ms) / 1_000);
        if let Some((last, here)) = visits.place.spot.zip(place.spot) {
            // Metres in milliseconds are 3600 times as many kilometres in hours.
            request.number(Fact::LastSpeed, last.metres_to(here).saturating_mul(3_600) / passed_ms.max(1));
        }
    }
}

impl<L: Fn(&NamedList, Key<'_>) -> bool> Past for Before<'_, L> {
    fn window(&self, number: usize, _: &Window, _: &Request<'_>) -> i64 {
        self.held(number)
    }

    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool {
        (self.lists)(list, key)
    }
}
