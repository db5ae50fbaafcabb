//! Times as a data set writes them, and what they are in its zone.
//!
//! Zones change their offset at quarters of an hour at the most, so an offset is looked up once for a quarter.
//!
//! Start at [`Calendar::moment`] and [`Calendar::local`].

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use risk::Day;

use super::map::TimeForm;

const QUARTER_S: i64 = 900;

/// A date, as `2026-11-22`.
const DATE_BYTES: usize = 10;

/// A moment in the zone of a data set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Local {
    pub(super) day: Day,
    pub(super) hour: u8,
    /// 0 for Monday.
    pub(super) weekday: u8,
    /// From 1.
    pub(super) day_of_month: u8,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    /// A quarter since 1970 UTC, and its offset in seconds.
    of_utc: Option<(i64, i64)>,
    /// A quarter of local time, and its offset in seconds.
    of_local: Option<(i64, i64)>,
    /// A day, and its day of the month.
    of_month: Option<(Day, u8)>,
    /// A date as it was written, and its day: rows of one day follow one another.
    written_day: Option<([u8; DATE_BYTES], Day)>,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, of_utc: None, of_local: None, of_month: None, written_day: None }
    }

    /// A time as it is written, milliseconds since 1970 UTC. A time without an offset that the zone has twice is the
    /// first of the two.
    pub(super) fn moment(&mut self, text: &[u8], form: TimeForm) -> Option<i64> {
        match form {
            TimeForm::Seconds => number(text)?.checked_mul(1_000),
            TimeForm::Milliseconds => number(text),
            TimeForm::Iso => {
                let (date, clock) = text.split_first_chunk()?;
                let written = written(self.day_of(date)?, clock)?;
                let offset = match written.offset_s {
                    Some(offset) => offset,
                    None => self.offset_of_local(written.local_s)?,
                };
                Some((written.local_s - offset) * 1_000 + written.ms)
            }
        }
    }

    fn day_of(&mut self, date: &[u8; DATE_BYTES]) -> Option<Day> {
        match self.written_day.filter(|(known, _)| known == date) {
            Some((_, day)) => Some(day),
            None => {
                let day = day_of(date)?;
                self.written_day = Some((*date, day));
                Some(day)
            }
        }
    }

    fn offset_of_local(&mut self, local_s: i64) -> Option<i64> {
        let quarter = local_s.div_euclid(QUARTER_S);
        if let Some((known, offset)) = self.of_local.filter(|(known, _)| *known == quarter) {
            debug_assert_eq!(known, quarter);
            return Some(offset);
        }
        let begin = quarter * QUARTER_S;
        let civil = Timestamp::from_second(begin).ok()?.to_zoned(TimeZone::UTC).datetime();
        let offset = begin - self.utc_of(civil)?;
        self.of_local = Some((quarter, offset));
        Some(offset)
    }

    fn utc_of(&self, civil: DateTime) -> Option<i64> {
        Some(self.zone.to_timestamp(civil).ok()?.as_second())
    }

    /// What a moment is in the zone.
    pub(super) fn local(&mut self, at_ms: i64) -> Option<Local> {
        let at_s = at_ms.div_euclid(1_000);
        let quarter = at_s.div_euclid(QUARTER_S);
        let offset = match self.of_utc.filter(|(known, _)| *known == quarter) {
            Some((_, offset)) => offset,
            None => {
                let stamp = Timestamp::from_second(at_s).ok()?;
                let offset = i64::from(self.zone.to_offset(stamp).seconds());
                self.of_utc = Some((quarter, offset));
                offset
            }
        };
        let local_s = at_s + offset;
        let days = local_s.div_euclid(86_400);
        let day = Day(i32::try_from(days).ok()?);
        Some(Local {
            day,
            hour: u8::try_from(local_s.rem_euclid(86_400) / 3_600).ok()?,
            // 1970-01-01 was a Thursday.
            weekday: u8::try_from((days + 3).rem_euclid(7)).ok()?,
            day_of_month: self.day_of_month(day),
        })
    }

    fn day_of_month(&mut self, day: Day) -> u8 {
        match self.of_month {
            Some((known, of_month)) if known == day => of_month,
            _ => {
                let of_month = crate::clock::date_of_day(day.0).day().unsigned_abs();
                self.of_month = Some((day, of_month));
                of_month
            }
        }
    }
}

/// A date and time, taken apart.
struct Written {
    local_s: i64,
    ms: i64,
    offset_s: Option<i64>,
}

/// A date such as `2026-11-22`.
fn day_of(date: &[u8; DATE_BYTES]) -> Option<Day> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let year = i32::try_from(digits(&[*y1, *y2, *y3, *y4])?).ok()?;
    let (month, day) = (digits(&[*m1, *m2])?, digits(&[*d1, *d2])?);
    let (month, of_month) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let (begin, day) = (Day::of(year, month, 1), Day::of(year, month, of_month));
    let is_in_month = (1..=12).contains(&month) && of_month >= 1 && day < Day::of(year, month + 1, 1);
    (is_in_month && day >= begin).then_some(day)
}

/// What stands behind a date: nothing, ` 12:00`, `T12:00:00.250+08:00`, `…Z`.
fn written(day: Day, rest: &[u8]) -> Option<Written> {
    let mut written = Written { local_s: i64::from(day.0) * 86_400, ms: 0, offset_s: None };
    let Some((b' ' | b'T', clock)) = rest.split_first() else {
        return rest.is_empty().then_some(written);
    };
    let ends = clock.iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-')).unwrap_or(clock.len());
    let (clock, offset) = clock.split_at(ends);
    let (clock, fraction) = match clock.iter().position(|byte| *byte == b'.') {
        Some(point) => (&clock[..point], Some(&clock[point + 1..])),
        None => (clock, None),
    };
    let (hour, minute, second) = match clock {
        [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2], [b'0'; 2]),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([*h1, *h2], [*m1, *m2], [*s1, *s2]),
        _ => return None,
    };
    let (hour, minute, second) = (digits(&hour)?, digits(&minute)?, digits(&second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    written.local_s += hour * 3_600 + minute * 60 + second;
    if let Some(fraction) = fraction {
        written.ms = milliseconds(fraction)?;
    }
    written.offset_s = offset_s(offset)?;
    Some(written)
}

fn milliseconds(fraction: &[u8]) -> Option<i64> {
    let known = digits(fraction.get(..fraction.len().min(3))?)?;
    fraction.iter().all(u8::is_ascii_digit).then_some(match fraction.len() {
        1 => known * 100,
        2 => known * 10,
        3..=9 => known,
        _ => return None,
    })
}

/// An offset; none of nothing. A wrong offset is not the same as none.
fn offset_s(text: &[u8]) -> Option<Option<i64>> {
    match text {
        [] => Some(None),
        [b'Z'] => Some(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours <= 14 && minutes <= 59).then_some(Some(if *sign == b'-' { -seconds } else { seconds }))
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// A whole number with up to 15 digits.
fn number(text: &[u8]) -> Option<i64> {
    if text.len() > 15 { None } else { digits(text) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let mut shanghai = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap());
        let noon = 1_795_320_000_000; // 2026-11-22T04:00:00Z
        let cases = [
            ("a time of the zone", "2026-11-22 12:00:00", Some(noon)),
            ("with a T and milliseconds", "2026-11-22T12:00:00.25", Some(noon + 250)),
            ("without seconds", "2026-11-22 12:00", Some(noon)),
            ("a day alone", "2026-11-22", Some(noon - 12 * 3_600_000)),
            ("in UTC", "2026-11-22T04:00:00Z", Some(noon)),
            ("with an offset", "2026-11-22T01:00:00-03:00", Some(noon)),
            ("no day of the calendar", "2026-02-29 12:00:00", None),
            ("the last of February in a leap year", "2024-02-29 08:00:00Z", Some(1_709_193_600_000)),
            ("no month", "2026-13-01 00:00:00", None),
            ("no hour", "2026-11-22 24:00:00", None),
            ("no offset", "2026-11-22 12:00:00+8", None),
            ("another form", "22.11.2026 12:00", None),
            ("a letter", "2026-11-2x 12:00:00", None),
            ("nothing", "", None),
        ];
        for (name, text, want) in cases {
            assert_eq!(shanghai.moment(text.as_bytes(), TimeForm::Iso), want, "{name}");
        }
        assert_eq!(shanghai.moment(b"1795320000", TimeForm::Seconds), Some(noon));
        assert_eq!(shanghai.moment(b"1795320000000", TimeForm::Milliseconds), Some(noon));
        assert_eq!(shanghai.moment(b"-1", TimeForm::Seconds), None);
        let local = Local { day: Day::of(2026, 11, 22), hour: 12, weekday: 6, day_of_month: 22 };
        assert_eq!(shanghai.local(noon), Some(local));
    }

    #[test]
    fn days_on_which_clocks_change_are_those_of_the_zone() {
        let mut berlin = Calendar::new(TimeZone::get("Europe/Berlin").unwrap());
        let mut at = |text: &str| berlin.moment(text.as_bytes(), TimeForm::Iso).unwrap();
        assert_eq!(at("2027-03-28 03:00:00") - at("2027-03-28 01:59:59"), 1_000, "an hour that is not there");
        assert_eq!(at("2026-10-25 23:59:59") - at("2026-10-25 00:00:00"), (25 * 3_600 - 1) * 1_000);
        for hour in 0..24 * 14 {
            let at_ms = 1_792_800_000_000 + hour * 3_600_000;
            let zoned = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(berlin.zone.clone());
            let local = berlin.local(at_ms).unwrap();
            assert_eq!(i8::try_from(local.hour).unwrap(), zoned.hour(), "{zoned}");
            assert_eq!(i8::try_from(local.day_of_month).unwrap(), zoned.day(), "{zoned}");
            let weekday = zoned.weekday().to_monday_zero_offset();
            assert_eq!(i8::try_from(local.weekday).unwrap(), weekday, "{zoned}");
        }
    }
}
