//! Nonces given to PSAMs and not answered yet: one for each connection, for half a minute, good for one answer.
//!
//! They are no state of the books: a nonce that nobody answers changes nothing, and after a restart a terminal just
//! asks for another.

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

/// See the module. Has a place for each connection there may be.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    places: Vec<Option<Challenge>>,
}

impl Challenges {
    /// Remembers the nonce given to a PSAM on a connection, in place of an earlier one.
    pub(super) fn put(&mut self, connection: ConnectionId, psam: PsamId, nonce: [u8; 8], at_ms: i64) {
        let place = connection.place as usize;
        if self.places.len() <= place {
            self.places.resize(place + 1, None);
        }
        self.places[place] = Some(Challenge { generation: connection.generation, psam, nonce, at_ms });
    }

    /// Takes the nonce that this PSAM was given on this connection, if it is not too old.
    pub(super) fn take(&mut self, connection: ConnectionId, psam: PsamId, now_ms: i64) -> Option<[u8; 8]> {
        let challenge = self.places.get_mut(connection.place as usize)?.take()?;
        let fits = challenge.generation == connection.generation
            && challenge.psam == psam
            && now_ms - challenge.at_ms <= ANSWER_MS;
        fits.then_some(challenge.nonce)
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
            assert_eq!(challenges.take(here, psam, 0), None, "{name}: never again");
        }
    }
}
