//! Overwriting what secrets were in, where a type cannot do it by itself.
//!
//! Card numbers, tracks, PINs and keys wipe themselves when they are dropped. But a value that is moved leaves its bytes
//! where it was, mostly on the stack; a buffer that grows leaves them in memory that it gives back; and what is shortened
//! keeps them behind its end. Whoever holds such a buffer calls these instead of the methods that forget.

use std::{hint::black_box, mem::MaybeUninit};

use bytes::BytesMut;

/// How far a batch's stages reach down the stack, with room to spare, bytes.
const STACK: usize = 128 << 10;

/// The same for a start.
const DEEP_STACK: usize = 256 << 10;

/// Overwrites the stack below the caller, where what it called has left its values. What was inlined into the caller is
/// not below it.
#[inline(never)]
pub fn stack() {
    black_box(&mut [0_u8; STACK]);
}

/// As [`stack`], behind calls that reach far down: once at a start, not for every batch.
#[inline(never)]
pub fn deep_stack() {
    black_box(&mut [0_u8; DEEP_STACK]);
}

/// Puts `more` behind what is in `buffer`. If that needs more memory, what is given back is overwritten.
pub fn append(buffer: &mut Vec<u8>, more: &[u8]) {
    let length = buffer.len() + more.len();
    if length > buffer.capacity() {
        let mut larger = Vec::with_capacity(length.max(2 * buffer.capacity()));
        larger.extend_from_slice(buffer);
        empty(&mut std::mem::replace(buffer, larger));
    }
    buffer.extend_from_slice(more);
}

/// Takes the first `count` bytes off and overwrites what is left behind the end.
pub fn drop_front(buffer: &mut Vec<u8>, count: usize) {
    buffer.copy_within(count.., 0);
    let left = buffer.len() - count;
    buffer[left..].fill(0);
    buffer.truncate(left);
}

/// Empties and overwrites all memory of `buffer`, which it keeps.
pub fn empty(buffer: &mut Vec<u8>) {
    let count = buffer.capacity();
    buffer.clear();
    spare(buffer, count);
}

/// Overwrites the places of the first `count` items behind the end of `items`, as after they were cleared.
pub fn spare<T>(items: &mut Vec<T>, count: usize) {
    let places = items.spare_capacity_mut();
    let count = count.min(places.len());
    for place in &mut places[..count] {
        *place = MaybeUninit::zeroed();
    }
    black_box(places);
}

/// Makes room for `more` bytes. What memory is given back for that is overwritten.
pub fn reserve(buffer: &mut BytesMut, more: usize) {
    let length = buffer.len() + more;
    if length > buffer.capacity() {
        let mut larger = BytesMut::with_capacity(length.max(2 * buffer.capacity()));
        larger.extend_from_slice(buffer);
        std::mem::replace(buffer, larger).fill(0);
    }
}

/// Overwrites bytes that stay where they are.
pub fn bytes(bytes: &mut [u8]) {
    bytes.fill(0);
    // Without a reader the compiler may leave the writes out.
    black_box(bytes);
}

/// Overwrites a text and gives its memory back.
pub fn text(text: String) {
    empty(&mut text.into_bytes());
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt};

    use super::*;

    #[test]
    fn a_buffer_holds_the_same_however_it_came_to_grow() {
        let (mut buffer, mut out) = (Vec::new(), BytesMut::new());
        let mut want = Vec::new();
        for round in 0..100_u8 {
            let more = vec![round; usize::from(round)];
            append(&mut buffer, &more);
            reserve(&mut out, more.len());
            assert!(out.capacity() >= out.len() + more.len());
            out.extend_from_slice(&more);
            want.extend_from_slice(&more);
        }
        assert_eq!((&buffer[..], &out[..]), (&want[..], &want[..]));
        drop_front(&mut buffer, 1000);
        assert_eq!(buffer, want[1000..]);
        drop_front(&mut buffer, want.len() - 1000);
        assert!(buffer.is_empty());
    }

    /// What is in this process's memory.
    fn memory(address: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let memory = File::open("/proc/self/mem").expect("this process's memory");
        memory.read_exact_at(&mut bytes, address as u64).expect("its own bytes");
        bytes
    }

    #[test]
    fn memory_that_is_kept_holds_nothing() {
        let secret = b"9156009224100010=340252041400000";
        let mut buffer = secret.to_vec();
        let address = buffer.as_ptr() as usize;
        buffer.truncate(16);
        assert_eq!(memory(address, 32), secret, "what is cut off is still there");
        empty(&mut buffer);
        assert_eq!((memory(address, 32), buffer.as_ptr() as usize), (vec![0; 32], address));

        append(&mut buffer, secret);
        drop_front(&mut buffer, 20);
        assert_eq!(memory(address, 32), [&secret[20..], &[0; 20]].concat());

        let mut items = vec![[0x77_u8; 24]; 3];
        let address = items.as_ptr() as usize;
        items.clear();
        spare(&mut items, 2);
        assert_eq!(memory(address, 72), [[0; 48].as_slice(), &[0x77; 24]].concat());
        spare(&mut items, 100);
        assert_eq!(memory(address, 72), [0; 72]);
    }
}
