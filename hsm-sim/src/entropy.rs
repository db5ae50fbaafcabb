//! Randomness as an argument: the crate never asks the operating system itself.

/// A source of random bytes for new keys and for the padding of key blocks.
///
/// The process passes the operating system's generator, tests pass a seeded
/// one. Any `FnMut(&mut [u8])` is one.
pub trait Entropy {
    /// Fills all of `bytes`. A source that cannot must not return.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}
