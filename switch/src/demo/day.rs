//! The business day of the play, whose end is hours away: rules count by it, and its files hold all of the play.
//!
//! Start at [`Day::today`].

use jiff::civil::Date;

use crate::clock::{Clock, Moment, date_of_day};

/// The zone of the sample city.
const ZONE: &str = "Asia/Shanghai";

/// A day of the calendar, and when it ends.
pub(super) struct Day {
    pub(super) date: Date,
    /// `settlement.cut_over` for it.
    pub(super) cut_over: &'static str,
}

impl Day {
    pub(super) fn today() -> Self {
        // INVARIANT: the database of zones is part of the program, and the city's is in it.
        Self::at(&Clock::new(ZONE).expect("the city's zone is a time zone").now())
    }

    /// In the morning the day ends at midnight, from noon on at the next noon.
    fn at(moment: &Moment) -> Self {
        let (cut_over, minute) = if moment.hhmmss() < 120_000 { ("00:00", 0) } else { ("12:00", 720) };
        Self { date: date_of_day(moment.business_day(minute)), cut_over }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_end_of_the_day_is_half_a_day_away() {
        let clock = Clock::new(ZONE).unwrap();
        // 2026-11-22 00:00 in Shanghai.
        let midnight_ms = 1_795_276_800_000;
        for (after_s, cut_over, day) in [
            (0, "00:00", 22),
            (43_199, "00:00", 22),
            (43_200, "12:00", 22),
            (86_399, "12:00", 22),
            (86_400, "00:00", 23),
        ] {
            let today = Day::at(&clock.at(midnight_ms + after_s * 1_000));
            assert_eq!((today.cut_over, today.date.day()), (cut_over, day), "{after_s} s");
        }
    }
}
