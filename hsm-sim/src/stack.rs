//! Overwriting the stack that a command has used.
//!
//! Keys and clear blocks wipe themselves where they are kept, but a value that is
//! moved leaves its bytes where it was, and registers that find no room are spilled.
//! Both lie below whoever made the call, until something else needs the place, which in
//! a process that waits may be never. How far down is found out by `tests/memory`.

use std::hint::black_box;

/// How deep a batch in lanes reaches, with room to spare, bytes.
const OF_LANES: usize = 16 << 10;

/// The same for one item after the other, and for what loads and makes keys.
const OF_FEW: usize = 6 << 10;

/// Does `work`, which has no more than single items in hand, and overwrites the stack
/// it has used.
pub(crate) fn wiped_after_few<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    wipe::<OF_FEW>();
    result
}

/// The same for work on lanes.
pub(crate) fn wiped_after_lanes<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    wipe::<OF_LANES>();
    result
}

#[inline(never)] // So that the stack it uses is below its caller's.
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)] // Likewise.
fn wipe<const BYTES: usize>() {
    black_box(&mut [0_u8; BYTES]);
}
