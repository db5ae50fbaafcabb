//! Numbers of requests: batch number and STAN as one number that counts up, over runs too.
//!
//! A switch remembers what it answered and takes a number that comes again for a repeat; of a terminal that sent more
//! than is remembered, it wants numbers above all that it forgot. So a terminal's numbers begin where the clock
//! stands, and a later run's are above an earlier one's. Start at [`Numbers`].

use std::time::{SystemTime, UNIX_EPOCH};

/// STANs in a batch: 1 to 999 999, field 11.
pub const STANS: u64 = 999_999;

/// Batch numbers: 0 to 999 999, field 60.2.
const BATCHES: u64 = 1_000_000;

/// By how many numbers the start moves in a millisecond: a terminal that sends fewer never catches up with the clock,
/// and the start comes round again only after 57 days.
const A_MILLISECOND: u64 = 200;

/// The numbers of one terminal's or host's prepared requests, in the order in which they are sent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Numbers {
    /// The number of the first request.
    pub first: u64,
}

impl Numbers {
    /// Where a `pos` terminal begins at this time, milliseconds since 1970.
    #[must_use]
    pub fn at(unix_ms: u64) -> Self {
        Self { first: unix_ms.wrapping_mul(A_MILLISECOND) % (BATCHES * STANS) }
    }

    /// The beginning of a batch that no earlier run had: one for each second since 1970, the same one again after
    /// eleven days.
    #[must_use]
    pub fn batch_at(unix_ms: u64) -> Self {
        Self { first: unix_ms / 1000 % BATCHES * STANS }
    }

    /// Field 60.2 of the number so many behind the first.
    #[must_use]
    pub fn batch(self, behind: u64) -> u32 {
        ((self.first + behind) / STANS % BATCHES) as u32
    }

    /// Field 11 of the number so many behind the first.
    #[must_use]
    pub fn stan(self, behind: u64) -> u32 {
        ((self.first + behind) % STANS) as u32 + 1
    }

    /// The number so many behind the first.
    #[must_use]
    pub fn after(self, behind: u64) -> Self {
        Self { first: self.first + behind }
    }

    /// How many numbers are left before the STAN begins anew.
    #[must_use]
    pub fn left_in_cycle(self) -> u64 {
        STANS - self.first % STANS
    }

    /// Which of the first `sent` requests had this STAN: the last one, as no earlier one can be under way still.
    #[must_use]
    pub fn place(self, stan: u32, sent: usize) -> Option<usize> {
        let cycle = usize::try_from(STANS).ok()?;
        let in_cycle = u64::from(stan).checked_sub(1).filter(|at| *at < STANS)?;
        let first = usize::try_from((in_cycle + STANS - self.first % STANS) % STANS).ok()?;
        let last = sent.checked_sub(1)?;
        (first <= last).then(|| last - (last - first) % cycle)
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stan_finds_the_last_request_that_had_it() {
        let cycle = 999_999;
        for (name, first, stan, sent, want) in [
            ("the first", 0, 1, 10, Some(0)),
            ("the tenth", 0, 10, 10, Some(9)),
            ("not sent yet", 0, 11, 10, None),
            ("nothing sent", 0, 1, 0, None),
            ("no STAN", 0, 0, 10, None),
            ("out of range", 0, 1_000_000, 10, None),
            ("behind the turn", 999_998, 1, 10, Some(1)),
            ("before the turn", 999_998, 999_999, 10, Some(0)),
            ("the second time round", 0, 1, cycle + 5, Some(cycle)),
            ("the first time round", 0, 6, cycle + 5, Some(5)),
        ] {
            assert_eq!(Numbers { first }.place(stan, sent), want, "{name}");
        }
    }

    #[test]
    fn every_number_is_found_again() {
        let numbers = Numbers { first: 5 * STANS - 3 };
        for at in 0..10_u64 {
            let place = numbers.place(numbers.stan(at), 10);
            assert_eq!(place, usize::try_from(at).ok());
        }
        assert_eq!((numbers.batch(2), numbers.stan(2)), (4, 999_999));
        assert_eq!((numbers.batch(3), numbers.stan(3)), (5, 1), "the next batch");
        assert_eq!(numbers.left_in_cycle(), 3);
        assert_eq!(numbers.after(3).left_in_cycle(), STANS);
    }

    #[test]
    fn a_later_run_begins_above_an_earlier_one() {
        let now = 1_795_217_405_000;
        assert!(Numbers::at(now + 10).first >= Numbers::at(now).first + 2_000);
        assert_eq!(Numbers::batch_at(now + 1_000).first, Numbers::batch_at(now).first + STANS);
    }
}
