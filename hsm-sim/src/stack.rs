//! Overwriting the stack that a command has used.
//!
//! Keys and clear blocks wipe themselves where they are kept, but a value that is
//! moved leaves its bytes where it was, and registers that find no room are spilled.
//! Both lie below whoever made the call, until something else needs the place, which in
//! a process that waits may be never. How far down is found out by `tests/memory`.

use std::hint::black_box;

/// How deep a batch in lanes reaches, with room to spare, bytes.
const OF_LANES: usize = 16 << 10;

/// The same for items that are looked at alone.
const OF_FEW: usize = 6 << 10;

/// Overwrites what a batch in lanes has left below the caller.
#[inline(never)]
pub(crate) fn wipe_after_lanes() {
    black_box(&mut [0_u8; OF_LANES]);
}

/// Overwrites what items that were looked at alone have left below the caller.
#[inline(never)]
pub(crate) fn wipe_after_few() {
    black_box(&mut [0_u8; OF_FEW]);
}
