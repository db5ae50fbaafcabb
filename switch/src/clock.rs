//! The only place that reads time. Everything else is given a [`Moment`].

use std::time::Instant;

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use rustix::time::ClockId;

/// The system's clock in the configured zone; never goes back.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    last_ms: i64,
    stands: bool,
    /// The last moment that was worked out: in a busy millisecond it is asked for again and again.
    worked_out: Option<Moment>,
}

/// A point in time with its local calendar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    unix_ms: i64,
    local: DateTime,
}

/// The zone's name is not known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("time zone {0:?} is not in the IANA time zone database")]
pub struct UnknownZone(String);

impl Clock {
    /// A clock in an IANA zone such as `Asia/Shanghai`.
    ///
    /// # Errors
    /// The zone is unknown.
    pub fn new(zone: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(zone).map_err(|_| UnknownZone(zone.to_owned()))?;
        Ok(Self { zone, last_ms: i64::MIN, stands: false, worked_out: None })
    }

    /// A clock in an IANA zone that stands at one moment, for playing a recording back.
    ///
    /// # Errors
    /// The zone is unknown.
    pub fn standing(zone: &str, unix_ms: i64) -> Result<Self, UnknownZone> {
        Ok(Self { last_ms: unix_ms, stands: true, ..Self::new(zone)? })
    }

    /// Never returns a moment before this one, so that recorded time does not go back over a restart. Returns by how
    /// many milliseconds the system's clock is behind it: until it has caught up, recorded time stands still.
    pub fn not_before(&mut self, unix_ms: i64) -> i64 {
        let behind_ms = unix_ms.saturating_sub(system_ms()).max(0);
        self.last_ms = self.last_ms.max(unix_ms);
        behind_ms
    }

    /// Now, or the last moment given out if the system's clock has gone back since.
    pub fn now(&mut self) -> Moment {
        if !self.stands {
            self.last_ms = self.last_ms.max(system_ms());
        }
        if let Some(moment) = self.worked_out.filter(|moment| moment.unix_ms == self.last_ms) {
            return moment;
        }
        let moment = self.at(self.last_ms);
        self.worked_out = Some(moment);
        moment
    }

    /// The moment of a recorded time. Times outside the calendar count as its first moment.
    #[must_use]
    pub fn at(&self, unix_ms: i64) -> Moment {
        let timestamp = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Moment { unix_ms, local: self.zone.to_datetime(timestamp) }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A reading of the monotonic clock, for durations only; it is never recorded.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Processor time that this thread has used so far, nanoseconds.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    cpu_ns(ClockId::ThreadCPUTime)
}

/// Processor time that all threads of this process have used so far, nanoseconds.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    cpu_ns(ClockId::ProcessCPUTime)
}

fn cpu_ns(clock: ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    // INVARIANT: processor time begins at nothing and only grows.
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Seconds since 1970 UTC, for metrics; it is never recorded.
#[must_use]
pub fn unix_seconds() -> i64 {
    system_ms() / 1000
}

/// 180 days.
const NEARLY_HALF_A_YEAR_MS: i64 = 180 * 86_400_000;

impl Moment {
    /// Milliseconds since 1970 UTC.
    #[must_use]
    pub fn unix_ms(&self) -> i64 {
        self.unix_ms
    }

    /// `YYMM` as cards carry their expiry: 2611 is November 2026.
    #[must_use]
    pub fn year_month(&self) -> u16 {
        self.two_digits_of_year() * 100 + u16::from(self.local.month().unsigned_abs())
    }

    /// `hhmmss`, field 12.
    #[must_use]
    pub fn hhmmss(&self) -> u64 {
        let part = |value: i8| u64::from(value.unsigned_abs());
        part(self.local.hour()) * 10_000 + part(self.local.minute()) * 100 + part(self.local.second())
    }

    /// Hour of the local day, 0 to 23.
    #[must_use]
    pub fn hour(&self) -> u8 {
        self.local.hour().unsigned_abs()
    }

    /// Weekday of the local day, 0 for Monday.
    #[must_use]
    pub fn weekday(&self) -> u8 {
        self.local.weekday().to_monday_zero_offset().unsigned_abs()
    }

    /// Day of the local month, from 1.
    #[must_use]
    pub fn day_of_month(&self) -> u8 {
        self.local.day().unsigned_abs()
    }

    /// `MMDD`, field 13.
    #[must_use]
    pub fn mmdd(&self) -> u64 {
        u64::from(self.local.month().unsigned_abs()) * 100 + u64::from(self.local.day().unsigned_abs())
    }

    /// The first six of the twelve digits of a retrieval reference number: last digit of the year, day of the
    /// year, hour. Hours of the second, third and fourth epoch begin at 25, 50 and 75, of the fifth at 0 again, so that a
    /// record which people decided not to keep never shares its number with the one in its place.
    #[must_use]
    pub fn rrn_prefix(&self, epoch: u32) -> u64 {
        let year = u64::from(self.two_digits_of_year() % 10);
        let day = u64::from(self.local.day_of_year().unsigned_abs());
        let first_hour = 25 * u64::from(epoch.saturating_sub(1) % 4);
        year * 100_000 + day * 100 + first_hour + u64::from(self.local.hour().unsigned_abs())
    }

    /// The retrieval reference number of a record of this moment.
    #[must_use]
    pub fn rrn(&self, epoch: u32, seq: u64) -> u64 {
        self.rrn_prefix(epoch) * 1_000_000 + seq % 1_000_000
    }

    /// The business day, days since 1970-01-01, when the day changes at this minute of the local day.
    #[must_use]
    pub fn business_day(&self, cut_over_minute: u16) -> i32 {
        let shifted = self.local - SignedDuration::from_mins(i64::from(cut_over_minute));
        days_since_1970(shifted.date())
    }

    /// The time that field 7 names, `MMDDhhmmss` UTC, in milliseconds since 1970: in the year that brings it nearest
    /// to this moment. `None` if it names none.
    #[must_use]
    pub fn transmitted_at(&self, mmddhhmmss: u32) -> Option<i64> {
        let part = |place: u32| i8::try_from(mmddhhmmss / place % 100).ok();
        let in_year = |year: i16| {
            let (month, day) = (part(100_000_000)?, part(1_000_000)?);
            let time = DateTime::new(year, month, day, part(10_000)?, part(100)?, part(1)?, 0).ok()?;
            Some(TimeZone::UTC.to_timestamp(time).ok()?.as_millisecond())
        };
        let away = |at_ms: &i64| (at_ms - self.unix_ms).abs();
        // As nearly always: no other year's is nearer than half a year, and it is the one that the zone's calendar shows.
        let near = in_year(self.local.year()).filter(|at_ms| away(at_ms) < NEARLY_HALF_A_YEAR_MS);
        near.or_else(|| {
            let year = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(self.unix_ms).ok()?).year();
            [year - 1, year, year + 1].into_iter().filter_map(in_year).min_by_key(away)
        })
    }

    fn two_digits_of_year(&self) -> u16 {
        self.local.year().unsigned_abs() % 100
    }
}

/// Days since 1970-01-01.
#[must_use]
pub fn days_since_1970(date: Date) -> i32 {
    (date - Date::constant(1970, 1, 1)).get_days()
}

/// The date so many days after 1970-01-01; the last date of the calendar if there is none.
#[must_use]
pub fn date_of_day(day: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(Span::new().days(i64::from(day).clamp(0, 2_900_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_the_zone_does() {
        let clock = Clock::new("Asia/Shanghai").expect("a zone of the database");
        // 2026-11-20 23:30:05 UTC is already the 21st in Shanghai, day 325 of the year.
        let moment = clock.at(1_795_217_405_000);
        assert_eq!((moment.hhmmss(), moment.mmdd(), moment.year_month()), (73_005, 1_121, 2_611));
        assert_eq!([1, 2, 4, 5].map(|epoch| moment.rrn_prefix(epoch)), [632_507, 632_532, 632_582, 632_507]);
        assert_eq!(moment.rrn(2, 7_000_001), 632_532_000_001);
    }

    #[test]
    fn a_business_day_begins_at_its_minute() {
        let clock = Clock::new("Asia/Shanghai").expect("a zone of the database");
        let moment = clock.at(1_795_217_405_000);
        let twenty_first = days_since_1970(Date::constant(2026, 11, 21));
        assert_eq!(moment.business_day(0), twenty_first);
        assert_eq!(moment.business_day(7 * 60 + 30), twenty_first);
        assert_eq!(
            moment.business_day(7 * 60 + 31),
            twenty_first - 1,
            "half past seven and a little is too early"
        );
        assert_eq!(date_of_day(twenty_first), Date::constant(2026, 11, 21));
    }

    #[test]
    fn field_7_means_the_nearest_year() {
        let clock = Clock::new("UTC").expect("a zone of the database");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_millisecond();
        let new_year = clock.at(at("2027-01-01T00:00:05Z"));
        assert_eq!(new_year.transmitted_at(1_231_235_958), Some(at("2026-12-31T23:59:58Z")));
        assert_eq!(new_year.transmitted_at(101_000_010), Some(at("2027-01-01T00:00:10Z")));
        assert_eq!(new_year.transmitted_at(1_331_000_000), None, "there is no month 13");
        assert_eq!(new_year.transmitted_at(101_250_000), None, "nor an hour 25");
    }

    #[test]
    fn recorded_time_never_goes_back() {
        let mut clock = Clock::new("UTC").expect("a zone of the database");
        let ahead = clock.now().unix_ms() + 60_000;
        let behind_ms = clock.not_before(ahead);
        assert!((50_000..=60_000).contains(&behind_ms), "{behind_ms}");
        assert_eq!(clock.now().unix_ms(), ahead);
        assert_eq!(clock.not_before(0), 0, "the system's clock is not behind that");
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = Clock::new("Mars/Olympus").expect_err("no such zone");
        assert_eq!(error.to_string(), "time zone \"Mars/Olympus\" is not in the IANA time zone database");
    }
}
