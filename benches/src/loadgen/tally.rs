//! What is noted of answers in the timed part: latencies, response codes, and the answers themselves, as far as there
//! is room, to verify their MACs afterwards. Nothing here allocates once it is made.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{scan::Seen, slices::Slices};

/// Room for answers that are kept, bytes.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// Room for one answer and where it ends, bytes, about.
const ANSWER_BYTES: usize = 200;

/// Latencies are told apart from one microsecond to ten minutes, to three digits. This is the shortest, nanoseconds.
pub const LOWEST_NS: u64 = 1_000;
/// The longest latency that is told apart, nanoseconds.
pub const HIGHEST_NS: u64 = 600_000_000_000;
const DIGITS: u8 = 3;

/// A histogram of nanoseconds.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    // INVARIANT: the bounds above are good: 2 · lowest is not above highest, and digits are at most 5.
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("the bounds are good")
}

/// See the module.
#[derive(Debug)]
pub struct Tally {
    /// Latencies of answers 00, nanoseconds.
    pub approved: Histogram<u64>,
    /// Of other answers.
    pub declined: Histogram<u64>,
    /// Of requests that were turned away.
    pub turned_away: Histogram<u64>,
    /// Open loop: by how much sending was late, which is part of the latencies.
    pub late: Histogram<u64>,
    /// Answers that were asked for.
    pub answers: u64,
    /// Frames that nobody asked for, or answers a second time.
    pub unexpected: u64,
    /// Latencies by slices of time, if they were asked for.
    pub slices: Option<Slices>,
    /// Answers that are kept.
    pub kept: Kept,
    /// By the two bytes of field 39.
    codes: Box<[u64]>,
}

impl Tally {
    /// Room for so many answers.
    #[must_use]
    pub fn new(answers: usize) -> Self {
        Self {
            approved: histogram(),
            declined: histogram(),
            turned_away: histogram(),
            late: histogram(),
            answers: 0,
            unexpected: 0,
            slices: None,
            kept: Kept::new(answers),
            codes: vec![0; 1 << 16].into(),
        }
    }

    /// Notes an answer to `message` of `connection`.
    pub fn answered(
        &mut self,
        seen: Seen,
        took_ns: u64,
        (connection, message): (usize, usize),
        frame: &[u8],
    ) {
        self.answers += 1;
        self.codes[usize::from(u16::from_be_bytes(seen.code))] += 1;
        if seen.turned_away() {
            self.turned_away.saturating_record(took_ns);
            return;
        }
        let latencies = if seen.code == *b"00" { &mut self.approved } else { &mut self.declined };
        latencies.saturating_record(took_ns);
        self.kept.keep(connection, message, frame);
    }

    /// Latencies of all answers.
    #[must_use]
    pub fn all(&self) -> Histogram<u64> {
        let mut all = self.approved.clone();
        for part in [&self.declined, &self.turned_away] {
            // INVARIANT: all have the same bounds.
            all.add(part).expect("the bounds are the same");
        }
        all
    }

    /// How often each response code came.
    #[must_use]
    pub fn codes(&self) -> BTreeMap<String, u64> {
        let came = (0..=u16::MAX).zip(&self.codes).filter(|(_, count)| **count > 0);
        came.map(|(code, count)| (code.to_be_bytes().escape_ascii().to_string(), *count)).collect()
    }
}

/// Answers, one behind the other.
#[derive(Debug)]
pub struct Kept {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Whose answer, and where it ends.
#[derive(Clone, Copy, Debug)]
struct Place {
    connection: u32,
    message: u32,
    end: usize,
}

impl Kept {
    fn new(answers: usize) -> Self {
        let room = KEPT_BYTES_MAX.min(answers.saturating_mul(ANSWER_BYTES));
        // Written once, so that the system has given the memory before it is needed.
        let mut bytes = vec![0xFF; room];
        let mut places = vec![Place { connection: 1, message: 1, end: 1 }; room.min(answers)];
        bytes.clear();
        places.clear();
        Self { bytes, places }
    }

    fn keep(&mut self, connection: usize, message: usize, frame: &[u8]) {
        let has_room = self.bytes.capacity() - self.bytes.len() >= frame.len()
            && self.places.len() < self.places.capacity();
        let (Ok(connection), Ok(message)) = (u32::try_from(connection), u32::try_from(message)) else {
            return;
        };
        if has_room {
            self.bytes.extend_from_slice(frame);
            self.places.push(Place { connection, message, end: self.bytes.len() });
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One of them: its connection, which of the connection's messages it answers, and its frame.
    #[must_use]
    pub fn answer(&self, at: usize) -> Option<(usize, usize, &[u8])> {
        let place = self.places.get(at)?;
        let begin =
            at.checked_sub(1).and_then(|before| self.places.get(before)).map_or(0, |before| before.end);
        Some((place.connection as usize, place.message as usize, self.bytes.get(begin..place.end)?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(code: &[u8; 2], sealed: bool) -> Seen {
        Seen { stan: 1, code: *code, sealed }
    }

    #[test]
    fn answers_are_sorted_by_what_they_say() {
        let mut tally = Tally::new(10);
        tally.answered(seen(b"00", true), 300_000, (0, 0), b"one");
        tally.answered(seen(b"51", true), 200_000, (1, 5), b"three");
        tally.answered(seen(b"96", false), 100_000, (2, 6), b"none");
        assert_eq!((tally.approved.len(), tally.declined.len(), tally.turned_away.len()), (1, 1, 1));
        assert_eq!((tally.all().len(), tally.answers), (3, 3));
        let codes: Vec<_> = tally.codes().into_iter().collect();
        assert_eq!(codes, [("00".to_owned(), 1), ("51".to_owned(), 1), ("96".to_owned(), 1)]);
        assert_eq!(tally.kept.len(), 2, "what was turned away has no MAC");
        assert_eq!(tally.kept.answer(0).unwrap(), (0, 0, &b"one"[..]));
        assert_eq!(tally.kept.answer(1).unwrap(), (1, 5, &b"three"[..]));
        assert!(tally.kept.answer(2).is_none());
    }

    #[test]
    fn what_has_no_room_is_not_kept() {
        let mut tally = Tally::new(2);
        for message in 0..5 {
            tally.answered(seen(b"00", true), 1, (0, message), &[7; 150]);
        }
        assert_eq!((tally.kept.len(), tally.answers), (2, 5));
    }
}
