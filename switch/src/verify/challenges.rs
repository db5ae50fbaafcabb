//! Nonces given to PSAMs and not answered yet: one for each PSAM on a connection, for half a minute, good for one
//! answer. A concentrator's connection may have several.
//!
//! They are no state of the books: a nonce that nobody answers changes nothing, and after a restart a terminal just
//! asks for another.

use arrayvec::ArrayVec;

use crate::{books::PsamId, channel::ConnectionId};

/// How long a PSAM may take to answer, milliseconds.
const ANSWER_MS: i64 = 30_000;

#[derive(Clone, Copy, Debug)]
struct Challenge {
    generation: u32,
    psam: PsamId,
    nonce: [u8; 8],
    at_ms: i64,
}

/// PSAMs that may be signing in on one connection at once; of more, the one that waits longest asks again.
const AT_ONCE: usize = 16;

/// See the module. Has a place for each connection there may be.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    places: Vec<ArrayVec<Challenge, AT_ONCE>>,
}

impl Challenges {
    /// Remembers the nonce given to a PSAM on a connection, in place of an earlier one of that PSAM.
    pub(super) fn put(&mut self, connection: ConnectionId, psam: PsamId, nonce: [u8; 8], at_ms: i64) {
        let place = connection.place as usize;
        if self.places.len() <= place {
            self.places.resize(place + 1, ArrayVec::new());
        }
        let waiting = &mut self.places[place];
        waiting.retain(|old| old.generation == connection.generation && old.psam != psam);
        if waiting.is_full() {
            waiting.remove(0);
        }
        waiting.push(Challenge { generation: connection.generation, psam, nonce, at_ms });
    }

    /// Takes the nonce that this PSAM was given on this connection, if it is not too old.
    pub(super) fn take(&mut self, connection: ConnectionId, psam: PsamId, now_ms: i64) -> Option<[u8; 8]> {
        let waiting = self.places.get_mut(connection.place as usize)?;
        let of = |old: &Challenge| old.generation == connection.generation && old.psam == psam;
        let challenge = waiting.remove(waiting.iter().position(of)?);
        (now_ms - challenge.at_ms <= ANSWER_MS).then_some(challenge.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_its_psam_on_its_connection() {
        let here = ConnectionId { place: 3, generation: 7 };
        let (psam, other) = (PsamId(1), PsamId(2));
        let reused = ConnectionId { generation: 8, ..here };
        let rows = [
            ("in time", here, psam, ANSWER_MS, true),
            ("too late", here, psam, ANSWER_MS + 1, false),
            ("another PSAM", here, other, 0, false),
            ("a later connection in the same place", reused, psam, 0, false),
        ];
        for (name, connection, asked, now_ms, good) in rows {
            let mut challenges = Challenges::default();
            challenges.put(here, psam, [5; 8], 0);
            assert_eq!(challenges.take(connection, asked, now_ms).is_some(), good, "{name}");
            let again = challenges.take(connection, asked, 0);
            assert_eq!(again, None, "{name}: never twice");
        }
    }

    #[test]
    fn psams_of_a_concentrator_do_not_take_each_others_nonces() {
        let here = ConnectionId { place: 0, generation: 1 };
        let mut challenges = Challenges::default();
        for psam in 0..17 {
            challenges.put(here, PsamId(psam), [u8::try_from(psam).expect("small"); 8], 0);
        }
        assert_eq!(challenges.take(here, PsamId(0), 0), None, "one past the maximum, the first asks again");
        assert_eq!(challenges.take(here, PsamId(1), 0), Some([1; 8]));
        challenges.put(here, PsamId(16), [99; 8], 0);
        assert_eq!(challenges.take(here, PsamId(16), 0), Some([99; 8]), "a PSAM has one");
    }
}
