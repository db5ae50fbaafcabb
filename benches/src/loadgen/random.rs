//! Random numbers for one-time keys of `epos`: unlike one another, from a seed of this process. Nothing is kept secret
//! by them, as the keys of a test city are published.

use std::hash::{BuildHasher, RandomState};

use hsm_sim::Entropy;

/// SplitMix64, as published by Steele, Lea and Flood.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// One with a seed of its own.
    #[must_use]
    pub fn boxed() -> Box<dyn Entropy + Send> {
        Box::new(Self(RandomState::new().hash_one("seed")))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_be_bytes()[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_algorithm() {
        // The first two outputs for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
