//! Numbers that look random and come again from their seed.

use std::time::SystemTime;

/// What a seed may be given in, to see a failure again.
pub const SEED_VARIABLE: &str = "CARDSWITCH_TEST_SEED";

/// A linear congruential generator (Knuth's MMIX constants), good enough to scatter moments and choices.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Numbers from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, state: seed ^ 0x9E37_79B9_7F4A_7C15 }
    }

    /// A seed from the environment, else from the clock; told, so that a failure can be seen again.
    #[must_use]
    pub fn seeded(what: &str) -> Self {
        let given = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
        let clock = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::from(since.subsec_nanos()) ^ (since.as_secs() << 20)
        };
        let seed = given.unwrap_or_else(clock);
        crate::tell(&format!("{what}: {SEED_VARIABLE}={seed}"));
        Self::new(seed)
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator have short periods.
        self.state.rotate_left(32)
    }

    /// A number below `limit`, which is above zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next_u64() & u64::from(u32::MAX)) % limit
    }

    /// A position in something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        // INVARIANT: a remainder by a length is below it.
        usize::try_from(self.below(len as u64)).expect("a position fits")
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u64().to_le_bytes()[0]);
    }
}
