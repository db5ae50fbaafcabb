//! The end of a caller's buffer, where a message is being written.
//!
//! Behind what is written there is room that belongs to the buffer already, so that a value of a few bytes is written
//! by one store of a fixed width, and not by asking for room and copying a counted number of bytes. Start at
//! [`Out::new`]; nothing but the written bytes is left in the buffer after [`Out::close`].

use bytes::BytesMut;

/// Room made at a time, as far as the buffer has it to spare: most messages need no more.
const ROOM_BYTES: usize = 512;

/// A buffer and how much of it is written.
pub(crate) struct Out<'b> {
    buffer: &'b mut BytesMut,
    /// Where the next byte goes. What stands behind has no meaning.
    end: usize,
}

impl<'b> Out<'b> {
    /// Goes on behind what the buffer has.
    #[inline]
    pub(crate) fn new(buffer: &'b mut BytesMut) -> Out<'b> {
        let end = buffer.len();
        Out { buffer, end }
    }

    /// The same for a while; what it writes counts when its [`Out::len`] is handed to [`Out::set_len`].
    pub(crate) fn reborrow(&mut self) -> Out<'_> {
        Out { buffer: self.buffer, end: self.end }
    }

    /// Cuts the room off.
    #[inline]
    pub(crate) fn close(&mut self) {
        self.buffer.truncate(self.end);
    }

    /// Bytes of the buffer up to where the next one goes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end
    }

    /// Goes back to a length there was, or on to one that a reborrow had.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.buffer.len());
        self.end = len;
    }

    /// What was written from here on.
    #[inline]
    pub(crate) fn written(&self, from: usize) -> &[u8] {
        &self.buffer[from..self.end]
    }

    /// The same, to be changed.
    #[inline]
    pub(crate) fn written_mut(&mut self, from: usize) -> &mut [u8] {
        &mut self.buffer[from..self.end]
    }

    /// Writes so many bytes, whatever they are: the caller fills them in.
    #[inline(always)]
    pub(crate) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let at = self.end;
        let end = at + bytes;
        if end > self.buffer.len() {
            self.grow(end);
        }
        self.end = end;
        &mut self.buffer[at..end]
    }

    /// Makes the buffer at least this long. It is not made to move for the sake of room alone.
    #[inline(never)]
    fn grow(&mut self, end: usize) {
        let spare = (end + ROOM_BYTES).min(self.buffer.capacity());
        self.buffer.resize(end.max(spare), 0);
    }

    /// Writes bytes.
    #[inline]
    pub(crate) fn put_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// Writes the first `count` of some bytes.
    #[inline(always)]
    pub(crate) fn put_first<const N: usize>(&mut self, count: usize, bytes: [u8; N]) {
        debug_assert!(count <= N);
        match self.buffer.get_mut(self.end..self.end + N) {
            Some(room) => {
                room.copy_from_slice(&bytes);
                self.end += count;
            }
            None => self.put_slice(&bytes[..count]),
        }
    }

    /// Takes bytes out of what was written.
    pub(crate) fn close_gap(&mut self, from: usize, bytes: usize) {
        self.buffer.copy_within(from + bytes..self.end, from);
        self.end -= bytes;
    }

    /// Makes a gap before what was written from here on; what is in it has no meaning.
    pub(crate) fn open(&mut self, from: usize, bytes: usize) {
        let end = self.end;
        self.room(bytes);
        self.buffer.copy_within(from..end, from + bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_left() {
        let mut buffer = BytesMut::from(&b"before"[..]);
        let mut out = Out::new(&mut buffer);
        out.put_slice(b"abc");
        out.put_first(2, *b"defg");
        out.put_first(0, *b"x");
        out.room(1)[0] = b'!';
        out.open(6, 2);
        out.written_mut(6)[..2].copy_from_slice(b"<>");
        out.put_slice(b"drop");
        out.close_gap(14, 4);
        let mut inner = out.reborrow();
        inner.put_slice(b"lost");
        assert_eq!(inner.len(), 18);
        assert_eq!((out.len(), out.written(6)), (14, &b"<>abcde!"[..]));
        out.close();
        assert_eq!(buffer, &b"before<>abcde!"[..]);
    }

    /// Every sum of short and wide pieces, in a buffer that is full at first and in one with room.
    #[test]
    fn pieces_are_written_alike_with_and_without_room() {
        for capacity in [0, 1, 7, 8, 9, 40, 4096] {
            let (mut buffer, mut want) = (BytesMut::with_capacity(capacity), Vec::new());
            let mut out = Out::new(&mut buffer);
            for count in 0..=8u8 {
                let bytes = [count; 8];
                out.put_first(count.into(), bytes);
                out.put_slice(&bytes[..2]);
                want.extend_from_slice(&bytes[..count.into()]);
                want.extend_from_slice(&bytes[..2]);
            }
            out.close();
            assert_eq!(buffer, want, "{capacity}");
        }
    }

    #[test]
    fn room_alone_does_not_move_a_buffer() {
        let mut buffer = BytesMut::with_capacity(64);
        let (place, capacity) = (buffer.as_ptr(), buffer.capacity());
        let mut out = Out::new(&mut buffer);
        out.room(capacity).fill(7);
        out.close();
        assert_eq!((buffer.as_ptr(), buffer.len()), (place, capacity));
    }
}
