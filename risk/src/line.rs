//! The counters of one card, terminal or product: count and sum of this day, week, month and year.
//!
//! A line does not know the time. It holds the periods of the last day it was told of, and rolls on when it is told
//! of a later one; read as of a later day, a period that has ended counts nothing. So nothing runs at midnight.
//!
//! Start at [`Line::tally`]. Lines are written through [`crate::Counters`].

use serde::{Deserialize, Serialize};

use crate::{Day, Period};

/// What is counted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Counts {
    /// Approved authorizations, less what was taken back of them.
    Approved,
    /// Requests, whatever became of them.
    Attempts,
}

/// How many, and how much together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// How many, in any currency.
    pub count: u32,
    /// How much together, minor units of the counters' currency. Never below zero.
    pub sum: i64,
}

/// Counts and sums of one card, terminal or product.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Line {
    /// The latest day it was told of; its periods are those of this day.
    day: Day,
    approved: Tallies,
    attempts: Tallies,
}

/// One tally a period, in the order of [`Period::ALL`]. Counts and sums stand apart because a count beside a sum
/// would be padded to its size.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Tallies {
    counts: [u32; 4],
    sums: [i64; 4],
}

impl Tallies {
    /// Counts one more in these periods.
    fn add(&mut self, periods: [bool; 4], amount: i64) {
        // As nearly always: all periods at once, and no sum anywhere near its end.
        let near_its_end = self.sums.iter().fold(amount, |bits, sum| bits | sum) >> (i64::BITS - 2) != 0;
        if periods == [true; 4] && !near_its_end {
            self.counts = self.counts.map(|count| count.saturating_add(1));
            self.sums = self.sums.map(|sum| sum + amount);
            return;
        }
        self.add_one_by_one(periods, amount);
    }

    #[cold]
    #[inline(never)]
    fn add_one_by_one(&mut self, periods: [bool; 4], amount: i64) {
        for at in (0..4).filter(|at| periods[*at]) {
            self.counts[at] = self.counts[at].saturating_add(1);
            self.sums[at] = self.sums[at].saturating_add(amount);
        }
    }
}

// There is one line for every card that was used, so its size is the size of the counters.
const _: () = assert!(size_of::<Line>() <= 104);

/// What a line is that nothing was counted on.
pub(crate) static EMPTY: Line = Line {
    day: Day(i32::MIN),
    approved: Tallies { counts: [0; 4], sums: [0; 4] },
    attempts: Tallies { counts: [0; 4], sums: [0; 4] },
};

/// A line as of a day, for several questions about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineAt<'l> {
    line: &'l Line,
    /// Which of its periods hold that day.
    going_on: [bool; 4],
}

impl LineAt<'_> {
    pub(crate) fn tally(&self, counts: Counts, period: Period) -> Tally {
        let at = period as usize;
        if !self.going_on[at] {
            return Tally::default();
        }
        let tallies = match counts {
            Counts::Approved => &self.line.approved,
            Counts::Attempts => &self.line.attempts,
        };
        Tally { count: tallies.counts[at], sum: tallies.sums[at] }
    }
}

impl Line {
    /// Count and sum of a period as of a day: nothing if the line has not been told of a day in that period. As of a
    /// day before the latest, what came later in the same period is included.
    #[must_use]
    pub fn tally(&self, counts: Counts, period: Period, as_of: Day) -> Tally {
        self.at(as_of).tally(counts, period)
    }

    /// Looks at both its ends and at its middle, so that all of it is fetched.
    pub(crate) fn ends(&self) -> i64 {
        i64::from(self.day.0) ^ self.approved.sums[3] ^ self.attempts.sums[0] ^ self.attempts.sums[3]
    }

    pub(crate) fn at(&self, as_of: Day) -> LineAt<'_> {
        LineAt { line: self, going_on: Period::shared(self.day, as_of) }
    }

    /// Counts one more. On a day before the latest only those of the line's periods count it that hold both days.
    pub(crate) fn add(&mut self, counts: Counts, day: Day, amount: i64) {
        self.roll(day);
        let shared = Period::shared(self.day, day);
        match counts {
            Counts::Approved => self.approved.add(shared, amount),
            Counts::Attempts => self.attempts.add(shared, amount),
        }
    }

    /// Counts one more attempt, and what was approved of it if anything was.
    pub(crate) fn count(&mut self, day: Day, asked: i64, approved: Option<i64>) {
        self.roll(day);
        let shared = Period::shared(self.day, day);
        self.attempts.add(shared, asked);
        if let Some(approved) = approved {
            self.approved.add(shared, approved);
        }
    }

    /// Takes an approval of `day`, or a part of its amount, out of those periods that are still the line's.
    pub(crate) fn take_back(&mut self, day: Day, amount: i64, whole: bool) {
        let (shared, approved) = (Period::shared(self.day, day), &mut self.approved);
        for at in (0..4).filter(|at| shared[*at]) {
            approved.counts[at] = approved.counts[at].saturating_sub(u32::from(whole));
            approved.sums[at] = approved.sums[at].saturating_sub(amount).max(0);
        }
    }

    /// Starts the periods of a later day; those that hold both days go on.
    fn roll(&mut self, day: Day) {
        if day > self.day {
            self.roll_on(day);
        }
    }

    #[cold]
    #[inline(never)]
    fn roll_on(&mut self, day: Day) {
        let shared = Period::shared(self.day, day);
        for at in (0..4).filter(|at| !shared[*at]) {
            for tallies in [&mut self.approved, &mut self.attempts] {
                tallies.counts[at] = 0;
                tallies.sums[at] = 0;
            }
        }
        self.day = day;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Approved count and sum of day, week, month and year.
    fn approved(line: &Line, as_of: Day) -> [(u32, i64); 4] {
        Period::ALL.map(|period| {
            let tally = line.tally(Counts::Approved, period, as_of);
            (tally.count, tally.sum)
        })
    }

    #[test]
    fn a_line_rolls_on_period_by_period() {
        let (thursday, friday) = (Day::of(2026, 12, 31), Day::of(2027, 1, 1));
        let mut line = EMPTY.clone();
        line.add(Counts::Approved, thursday, 100);
        let cases = [
            ("the day itself", thursday, [(1, 100); 4]),
            ("the next day is the same week but another year", friday, [(0, 0), (1, 100), (0, 0), (0, 0)]),
            ("another month of the same year", Day::of(2026, 11, 2), [(0, 0), (0, 0), (0, 0), (1, 100)]),
            ("another week of the same month", Day::of(2026, 12, 1), [(0, 0), (0, 0), (1, 100), (1, 100)]),
        ];
        for (name, as_of, want) in cases {
            assert_eq!(approved(&line, as_of), want, "{name}");
        }
        line.add(Counts::Approved, friday, 7);
        assert_eq!(approved(&line, friday), [(1, 7), (2, 107), (1, 7), (1, 7)], "the week goes on");
    }

    #[test]
    fn what_comes_late_counts_only_where_both_days_are() {
        let mut line = EMPTY.clone();
        line.add(Counts::Approved, Day::of(2026, 11, 23), 100);
        line.add(Counts::Approved, Day::of(2026, 11, 22), 7);
        assert_eq!(approved(&line, Day::of(2026, 11, 23)), [(1, 100), (1, 100), (2, 107), (2, 107)]);
    }

    #[test]
    fn what_is_taken_back_leaves_only_the_periods_it_is_still_in() {
        let (tuesday, wednesday) = (Day::of(2026, 11, 24), Day::of(2026, 11, 25));
        let mut line = EMPTY.clone();
        line.add(Counts::Attempts, tuesday, 100);
        line.add(Counts::Approved, tuesday, 100);
        line.add(Counts::Approved, wednesday, 30);
        line.take_back(tuesday, 40, false);
        assert_eq!(
            approved(&line, wednesday),
            [(1, 30), (2, 90), (2, 90), (2, 90)],
            "a part: the count stays"
        );
        line.take_back(tuesday, 60, true);
        assert_eq!(approved(&line, wednesday), [(1, 30); 4], "the rest, and with it the count");
        line.take_back(tuesday, 60, true);
        line.take_back(tuesday, 60, true);
        assert_eq!(approved(&line, wednesday), [(1, 30), (0, 0), (0, 0), (0, 0)], "never below zero");
        assert_eq!(line.tally(Counts::Attempts, Period::Week, wednesday), Tally { count: 1, sum: 100 });
    }

    #[test]
    fn counts_and_sums_stop_at_their_ends() {
        let mut line = EMPTY.clone();
        line.add(Counts::Approved, Day(0), i64::MAX);
        line.add(Counts::Approved, Day(0), i64::MAX);
        assert_eq!(line.tally(Counts::Approved, Period::Day, Day(0)), Tally { count: 2, sum: i64::MAX });
    }
}
