//! Days of the business calendar and the periods they fall in, by integer arithmetic alone.
//!
//! There is no zone and no clock here: which day a moment belongs to is decided by whoever knows the city's zone.
//!
//! Start at [`Day`]; [`Period::shared`] is what the counters ask.

use serde::{Deserialize, Serialize};

/// A day of the business calendar: days since 1970-01-01 in the city's zone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Day(pub i32);

/// A calendar period. Weeks start on Monday (ISO 8601).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Period {
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl Day {
    /// The day of a date of the Gregorian calendar. Days outside the range of [`Day`] become its ends; a month or a
    /// day of the month that does not exist runs over into the next.
    #[must_use]
    pub fn of(year: i32, month: u8, day: u8) -> Self {
        let months = i64::from(year) * 12 + i64::from(month) - 1;
        // The year is taken to start in March, so that the leap day is its last.
        let (from_march, year) = ((months + 10).rem_euclid(12), (months - 2).div_euclid(12));
        let before_month = (153 * from_march + 2) / 5;
        let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days = before_year + before_month + i64::from(day) - 1 - EPOCH_FROM_MARCH_OF_YEAR_0;
        Self(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Year, and month from 0 for January.
    fn year_month(self) -> (i64, i64) {
        let days = i64::from(self.0) + EPOCH_FROM_MARCH_OF_YEAR_0;
        let (era, of_era) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let (next_year, month) = if from_march < 10 { (0, from_march + 2) } else { (1, from_march - 10) };
        (era * 400 + year + next_year, month)
    }
}

/// From 0000-03-01 to 1970-01-01.
const EPOCH_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// The number of the period a day falls in. Days of one period have one number; the next period has the next.
    #[must_use]
    pub fn number(self, day: Day) -> i64 {
        match self {
            Self::Day => i64::from(day.0),
            // 1970-01-01 was a Thursday, so three days earlier a week began.
            Self::Week => (i64::from(day.0) + 3).div_euclid(7),
            Self::Month => {
                let (year, month) = day.year_month();
                year * 12 + month
            }
            Self::Year => day.year_month().0,
        }
    }

    /// The first days of the periods that a day falls in, in the order of [`Period::ALL`]: an earlier day falls in the
    /// same one if it is not before that.
    #[must_use]
    pub fn begins(day: Day) -> [Day; 4] {
        let (year, month) = day.year_month();
        // INVARIANT: a year has more than one day, and a month of a year is one of twelve.
        let (year, month) = (i32::try_from(year).unwrap_or(0), u8::try_from(month + 1).unwrap_or(1));
        let of_week = i32::try_from((i64::from(day.0) + 3).rem_euclid(7)).unwrap_or(0);
        [day, Day(day.0.saturating_sub(of_week)), Day::of(year, month, 1), Day::of(year, 1, 1)]
    }

    /// In which periods two days fall together, in the order of [`Period::ALL`].
    #[must_use]
    #[inline]
    pub fn shared(one: Day, other: Day) -> [bool; 4] {
        // On the hot path the days are nearly always equal, and then nothing need be computed.
        if one == other { [true; 4] } else { Self::shared_by_others(one, other) }
    }

    #[cold]
    #[inline(never)]
    fn shared_by_others(one: Day, other: Day) -> [bool; 4] {
        let (month, other_month) = (one.year_month(), other.year_month());
        let week = Self::Week.number(one) == Self::Week.number(other);
        [false, week, month == other_month, month.0 == other_month.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another_as_in_a_calendar_on_paper() {
        let (mut day, mut week) = (Day::of(1899, 12, 31).0, Period::Week.number(Day::of(1899, 12, 31)));
        for year in 1900_i32..2_405 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (month, days) in
                (1_u8..).zip([31, 28 + u8::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
            {
                for of_month in 1..=days {
                    day += 1;
                    // 1900-01-01 was a Monday.
                    week += i64::from((day - Day::of(1900, 1, 1).0) % 7 == 0);
                    let today = Day(day);
                    assert_eq!(Day::of(year, month, of_month), today, "{year}-{month}-{of_month}");
                    assert_eq!(Period::Week.number(today), week, "{year}-{month}-{of_month}");
                    assert_eq!(Period::Month.number(today), i64::from(year) * 12 + i64::from(month) - 1);
                    assert_eq!(Period::Year.number(today), i64::from(year));
                }
            }
        }
    }

    #[test]
    fn what_falls_in_a_period_is_not_before_its_first_day() {
        let middles = [Day::of(2024, 6, 30), Day::of(1970, 1, 1), Day(i32::MAX), Day(i32::MIN + 800)];
        for day in middles.into_iter().flat_map(|day| (0..400).map(move |back| Day(day.0 - back))) {
            let begins = Period::begins(day);
            for other in (0..400).map(|back| Day(day.0 - back)) {
                assert_eq!(
                    Period::shared(other, day),
                    begins.map(|begin| other >= begin),
                    "{other:?}, {day:?}"
                );
            }
        }
        assert_eq!(Period::begins(Day(i32::MIN)), [Day(i32::MIN); 4], "there are no days before");
    }

    #[test]
    fn known_days_have_known_numbers() {
        let cases = [
            ("the epoch", Day::of(1970, 1, 1), 0),
            ("the day before it", Day::of(1969, 12, 31), -1),
            ("a leap day of a century", Day::of(2000, 2, 29), 11_016),
            ("the day after", Day::of(2000, 3, 1), 11_017),
            ("a month that runs over", Day::of(2025, 13, 1), Day::of(2026, 1, 1).0),
            ("a day that runs over", Day::of(2023, 2, 29), Day::of(2023, 3, 1).0),
            ("beyond the last day", Day::of(i32::MAX, 1, 1), i32::MAX),
            ("before the first day", Day::of(i32::MIN, 1, 1), i32::MIN),
        ];
        for (name, day, want) in cases {
            assert_eq!(day.0, want, "{name}");
        }
    }

    #[test]
    fn periods_end_where_people_think_they_do() {
        let cases = [
            (
                "Sunday and Monday are two weeks",
                Period::Week,
                Day::of(2026, 11, 22),
                Day::of(2026, 11, 23),
                false,
            ),
            (
                "Monday and Sunday after it are one week",
                Period::Week,
                Day::of(2026, 11, 23),
                Day::of(2026, 11, 29),
                true,
            ),
            ("a week may span two years", Period::Week, Day::of(2026, 12, 31), Day::of(2027, 1, 1), true),
            ("the year ends all the same", Period::Year, Day::of(2026, 12, 31), Day::of(2027, 1, 1), false),
            (
                "a leap day belongs to February",
                Period::Month,
                Day::of(2028, 2, 1),
                Day::of(2028, 2, 29),
                true,
            ),
            (
                "the same month a year later is another",
                Period::Month,
                Day::of(2025, 5, 5),
                Day::of(2026, 5, 5),
                false,
            ),
            ("a day is one day", Period::Day, Day(-1), Day(0), false),
        ];
        for (name, period, one, other, want) in cases {
            assert_eq!(period.number(one) == period.number(other), want, "{name}");
            assert_eq!(Period::shared(one, other)[period as usize], want, "{name}, asked for all periods");
        }
    }
}
