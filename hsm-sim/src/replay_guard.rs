//! Derivation factors that were used: a second use is a replay.
//!
//! The engine derives what it is asked to and remembers nothing. Whoever accepts
//! messages asks a [`ReplayGuard`] first, after their MACs were found right. It is
//! bounded, and full it refuses newcomers: one that forgot would let old factors in
//! again. It does not survive the process; a store of events does that.

use crate::{AesKsn, Ksn, PanToken, PsamNumber};
use std::collections::{HashMap, HashSet};

/// How far behind the highest counter one is still looked up; what is older counts
/// as used.
const WINDOW: u32 = 64;

/// What must be new in each transaction, by scheme.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Factor {
    /// The counter of a triple DES DUKPT device.
    Dukpt(Ksn),
    /// The counter of an AES DUKPT device.
    DukptAes(AesKsn),
    /// A chip card's application transaction counter.
    Atc {
        /// The card.
        card: PanToken,
        /// Its sequence number.
        sequence: u8,
        /// The counter.
        atc: u16,
    },
    /// A PSAM's factor, `random ⊕ STAN`, under one version of the masters.
    Psam {
        /// The PSAM.
        psam: PsamNumber,
        /// The version of the masters.
        key_version: u8,
        /// The factor.
        factor: [u8; 8],
    },
}

/// Why a factor was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// It was used before, or is older than the guard remembers.
    #[error("derivation factor was used before")]
    Used,
    /// There is no room to remember it.
    #[error("no room to remember another derivation factor")]
    Full,
}

/// Remembers the factors of a bounded number of devices, cards and PSAM transactions.
#[derive(Debug)]
pub struct ReplayGuard {
    counters: HashMap<Device, Seen>,
    factors: HashSet<(PsamNumber, u8, [u8; 8])>,
    entries_max: usize,
}

/// Whose counter it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Device {
    Dukpt([u8; 10]),
    DukptAes([u8; 8]),
    Card(PanToken, u8),
}

/// The highest counter, and which of those below it were used: bit 0 is the highest
/// itself.
#[derive(Clone, Copy, Debug)]
struct Seen {
    highest: u32,
    used: u64,
}

impl ReplayGuard {
    /// A guard with room for `entries_max` counters and as many PSAM factors.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self { counters: HashMap::new(), factors: HashSet::new(), entries_max }
    }

    /// Accepts a factor once.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn accept(&mut self, factor: &Factor) -> Result<(), ReplayError> {
        match *factor {
            Factor::Dukpt(ksn) => self.count(Device::Dukpt(ksn.device()), ksn.counter()),
            Factor::DukptAes(ksn) => self.count(Device::DukptAes(ksn.device()), ksn.counter()),
            Factor::Atc { card, sequence, atc } => self.count(Device::Card(card, sequence), atc.into()),
            Factor::Psam { psam, key_version, factor } => self.remember((psam, key_version, factor)),
        }
    }

    /// Forgets the factors of a version of the PSAM masters that is good no longer, or
    /// of a nonce's day that is over. Counters are never forgotten.
    pub fn forget_psam_factors(&mut self, mut over: impl FnMut(PsamNumber, u8) -> bool) {
        self.factors.retain(|(psam, key_version, _)| !over(*psam, *key_version));
    }

    fn count(&mut self, device: Device, counter: u32) -> Result<(), ReplayError> {
        if let Some(seen) = self.counters.get_mut(&device) {
            return seen.count(counter);
        }
        if self.counters.len() >= self.entries_max {
            return Err(ReplayError::Full);
        }
        self.counters.insert(device, Seen { highest: counter, used: 1 });
        Ok(())
    }

    fn remember(&mut self, factor: (PsamNumber, u8, [u8; 8])) -> Result<(), ReplayError> {
        if self.factors.contains(&factor) {
            return Err(ReplayError::Used);
        }
        if self.factors.len() >= self.entries_max {
            return Err(ReplayError::Full);
        }
        self.factors.insert(factor);
        Ok(())
    }
}

impl Seen {
    fn count(&mut self, counter: u32) -> Result<(), ReplayError> {
        if let Some(ahead) = counter.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = counter;
            return Ok(());
        }
        let behind = self.highest - counter;
        if behind >= WINDOW || self.used & (1 << behind) != 0 {
            return Err(ReplayError::Used);
        }
        self.used |= 1 << behind;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn atc(card: u8, atc: u16) -> Factor {
        Factor::Atc { card: PanToken([card; 16]), sequence: 0, atc }
    }

    fn ksn(text: &str) -> Factor {
        Factor::Dukpt(Ksn::parse(&crate::vectors::array(text)).unwrap())
    }

    #[test]
    fn each_factor_is_good_once() {
        let psam = |factor| Factor::Psam {
            psam: PsamNumber::parse_bcd(&[0x10, 0, 0, 0, 0, 0, 0, 1]).unwrap(),
            key_version: 1,
            factor: [factor; 8],
        };
        let aes = AesKsn::parse(&crate::vectors::array("123456789012345600000001")).unwrap();
        let mut guard = ReplayGuard::new(8);
        for factor in
            [atc(1, 7), ksn("FFFF9876543210E00001"), Factor::DukptAes(aes), psam(1), psam(2), atc(2, 7)]
        {
            assert_eq!(guard.accept(&factor), Ok(()), "{factor:?}");
            assert_eq!(guard.accept(&factor), Err(ReplayError::Used), "{factor:?}");
        }
    }

    #[test]
    fn counters_may_come_a_little_out_of_order_but_not_late() {
        let mut guard = ReplayGuard::new(1);
        for (counter, want) in [
            (100, Ok(())),
            (99, Ok(())),
            (37, Ok(())),
            (36, Err(ReplayError::Used)),
            (99, Err(ReplayError::Used)),
            (164, Ok(())),
            (100, Err(ReplayError::Used)),
            (101, Ok(())),
            (65_535, Ok(())),
            (164, Err(ReplayError::Used)),
            (0, Err(ReplayError::Used)),
        ] {
            assert_eq!(guard.accept(&atc(1, counter)), want, "{counter}");
        }
    }

    #[test]
    fn devices_differ_in_everything_but_the_counter() {
        let mut guard = ReplayGuard::new(8);
        for text in ["FFFF9876543210E00001", "FFFF9876543210C00001", "FFFF9876543211E00001"] {
            assert_eq!(guard.accept(&ksn(text)), Ok(()), "{text}");
        }
        assert_eq!(guard.accept(&ksn("FFFF9876543210F00001")), Ok(()), "the same device, far ahead");
        assert_eq!(guard.accept(&ksn("FFFF9876543210E00001")), Err(ReplayError::Used));
    }

    #[test]
    fn a_full_guard_refuses_newcomers_and_forgets_nobody() {
        let mut guard = ReplayGuard::new(2);
        let psam = |key_version, factor| Factor::Psam {
            psam: PsamNumber::parse_bcd(&[0x10, 0, 0, 0, 0, 0, 0, 1]).unwrap(),
            key_version,
            factor: [factor; 8],
        };
        guard.accept(&atc(1, 1)).unwrap();
        guard.accept(&atc(2, 1)).unwrap();
        assert_eq!(guard.accept(&atc(3, 1)), Err(ReplayError::Full));
        assert_eq!(guard.accept(&atc(1, 1)), Err(ReplayError::Used));
        assert_eq!(guard.accept(&atc(1, 2)), Ok(()));
        guard.accept(&psam(1, 1)).unwrap();
        guard.accept(&psam(2, 1)).unwrap();
        assert_eq!(guard.accept(&psam(2, 2)), Err(ReplayError::Full));
        guard.forget_psam_factors(|_, key_version| key_version == 1);
        assert_eq!(guard.accept(&psam(2, 2)), Ok(()));
        assert_eq!(guard.accept(&psam(2, 1)), Err(ReplayError::Used));
    }

    proptest! {
        #[test]
        fn no_counter_is_ever_accepted_twice(counters in prop::collection::vec(0..200_u16, 0..200)) {
            let (mut guard, mut accepted) = (ReplayGuard::new(1), BTreeSet::new());
            for counter in counters {
                if guard.accept(&atc(1, counter)).is_ok() {
                    prop_assert!(accepted.insert(counter));
                }
            }
        }
    }
}
