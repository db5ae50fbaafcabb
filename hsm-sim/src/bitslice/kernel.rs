//! Engines: the two costly operations, compiled for what the processor has.

use super::{
    block::{Block, Half, Rows, transpose},
    des::{Way, des},
};

/// The operations of one engine over `64 * N` lanes.
#[derive(Clone, Copy)]
pub(super) struct Kernel<const N: usize> {
    /// Which engine it is, for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests"))]
    pub(super) name: &'static str,
    pub(super) des: fn(&mut Block<N>, &Half<N>, Way),
    pub(super) transpose: fn(&mut Rows<N>),
}

impl<const N: usize> Kernel<N> {
    /// Works everywhere.
    pub(super) fn portable() -> Self {
        Self { name: "u64", des: des::<N, [u64; N]>, transpose: transpose::<N, [u64; N]> }
    }
}
