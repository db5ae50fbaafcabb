//! Cutting frames from a stream, and putting them into one.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::length::{LengthHeader, LengthOverflow};

/// Cuts frames from a stream and puts them into one: a length, and the most bytes a frame may have.
///
/// It keeps nothing between calls, so it can be shared and copied freely.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Framer {
    length: LengthHeader,
    frame_max: usize,
}

/// What the bytes at hand begin with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// A whole frame, and where it lies without its length. The next length begins where it ends.
    Frame(Range<usize>),
    /// Not yet a whole frame.
    Incomplete {
        /// Bytes that must follow before it is worth asking again: at least one, and never more than belong to
        /// this frame.
        needs: usize,
    },
    /// A length above the maximum. What follows cannot be trusted to be framed.
    TooLong,
    /// No length, where one must stand.
    NotALength {
        /// The byte that shows it, counted from the length's first.
        at: usize,
    },
}

/// Why a stream is no row of frames, or a frame cannot go into one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FramingError {
    /// The frame is, or its length says it is, longer than the maximum.
    #[error("a frame longer than {max} bytes")]
    TooLong {
        /// The most bytes of a frame.
        max: usize,
    },
    /// No length, where one must stand.
    #[error("byte {at} is no part of a length")]
    NotALength {
        /// Counted from the first byte of what should be a length.
        at: usize,
    },
}

impl Framer {
    /// A framer for frames of at most `frame_max` bytes, their lengths not counted. What the length cannot count
    /// is too long as well.
    #[must_use]
    pub fn new(length: LengthHeader, frame_max: usize) -> Framer {
        Framer { length, frame_max: frame_max.min(length.max()) }
    }

    /// The length in front of each frame.
    #[must_use]
    pub const fn length(self) -> LengthHeader {
        self.length
    }

    /// The most bytes of a frame.
    #[must_use]
    pub const fn frame_max(self) -> usize {
        self.frame_max
    }

    /// Looks at what `bytes` begins with. Never looks behind the first frame, and allocates nothing.
    #[must_use]
    pub fn next(self, bytes: &[u8]) -> Next {
        let start = self.length.bytes();
        let number = match self.length.read(bytes) {
            Err(at) => return Next::NotALength { at },
            Ok(None) => return Next::Incomplete { needs: start - bytes.len() },
            Ok(Some(number)) => number,
        };
        // A length that counts itself and says less than its own bytes counts nothing.
        let Some(frame) = self.length.following(number) else { return Next::NotALength { at: 0 } };
        if frame > self.frame_max {
            return Next::TooLong;
        }
        match (start + frame).checked_sub(bytes.len()) {
            None | Some(0) => Next::Frame(start..start + frame),
            Some(needs) => Next::Incomplete { needs },
        }
    }

    /// Takes the first frame off the front of `stream`, without its length; `None` if it is not all there yet.
    ///
    /// # Errors
    /// What [`Next::TooLong`] and [`Next::NotALength`] say; `stream` stays as it is.
    pub fn take(self, stream: &mut BytesMut) -> Result<Option<BytesMut>, FramingError> {
        match self.next(stream) {
            Next::Frame(frame) => Ok(Some(stream.split_to(frame.end).split_off(frame.start))),
            Next::Incomplete { .. } => Ok(None),
            Next::TooLong => Err(FramingError::TooLong { max: self.frame_max }),
            Next::NotALength { at } => Err(FramingError::NotALength { at }),
        }
    }

    /// Puts a frame with its length behind what is in `out`.
    ///
    /// # Errors
    /// A frame above the maximum; `out` stays as it is.
    pub fn put(self, frame: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
        let digits = self.digits(frame.len())?;
        out.reserve(self.length.bytes() + frame.len());
        out.put_slice(&digits[..self.length.bytes()]);
        out.put_slice(frame);
        Ok(())
    }

    /// Puts a frame that `write` makes in its place behind what is in `out`, with its length. `write` may only
    /// append.
    ///
    /// # Errors
    /// What `write` returns, or a frame above the maximum; in either case `out` stays as it is.
    pub fn put_with<E: From<FramingError>>(
        self,
        out: &mut BytesMut,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let (start, length) = (out.len(), self.length.bytes());
        out.put_bytes(0, length);
        let written = write(out).and_then(|()| {
            let frame = out.len().saturating_sub(start + length);
            Ok(self.digits(frame)?)
        });
        match written {
            Ok(digits) => out[start..start + length].copy_from_slice(&digits[..length]),
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }

    fn digits(self, frame: usize) -> Result<[u8; 4], FramingError> {
        let too_long = FramingError::TooLong { max: self.frame_max };
        if frame > self.frame_max {
            return Err(too_long);
        }
        self.length.digits(frame).map_err(|LengthOverflow { .. }| too_long)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn framer(length: &str, frame_max: usize) -> Framer {
        Framer::new(length.parse().unwrap(), frame_max)
    }

    #[test]
    fn frames_are_cut_where_their_length_says() {
        let rows: [(&str, &str, &[u8], Next); 14] = [
            ("nothing", "binary2", b"", Next::Incomplete { needs: 2 }),
            ("half a length", "binary2", &[0], Next::Incomplete { needs: 1 }),
            ("a length and no more", "binary2", &[0, 2], Next::Incomplete { needs: 2 }),
            ("all but one byte", "binary2", &[0, 2, 7], Next::Incomplete { needs: 1 }),
            ("a frame and the start of another", "binary2", &[0, 2, 7, 8, 0, 9], Next::Frame(2..4)),
            ("an empty frame", "binary2", &[0, 0, 1], Next::Frame(2..2)),
            ("one byte above the maximum", "binary2", &[0, 5], Next::TooLong),
            ("exactly the maximum", "binary2", &[0, 4, 1, 2, 3, 4], Next::Frame(2..6)),
            ("a length that counts itself", "binary2+self", &[0, 4, 7, 8, 9], Next::Frame(2..4)),
            ("a length that cannot count itself", "binary2+self", &[0, 1], Next::NotALength { at: 0 }),
            ("digits", "ascii4", b"0002xyz", Next::Frame(4..6)),
            ("a letter before the length is all there", "ascii4", b"0A", Next::NotALength { at: 1 }),
            ("packed digits", "bcd2", &[0, 0x04, 1, 2, 3, 4], Next::Frame(2..6)),
            ("hex characters, and the largest number", "hex4", b"FFFF", Next::TooLong),
        ];
        for (name, length, bytes, want) in rows {
            assert_eq!(framer(length, 4).next(bytes), want, "{name}");
        }
    }

    #[test]
    fn what_is_taken_leaves_the_rest_of_the_stream() {
        let framer = framer("ascii2", 5);
        let mut stream = BytesMut::from(&b"03abc0205"[..]);
        assert_eq!(framer.take(&mut stream), Ok(Some(BytesMut::from(&b"abc"[..]))));
        assert_eq!(framer.take(&mut stream), Ok(Some(BytesMut::from(&b"05"[..]))));
        assert_eq!(framer.take(&mut stream), Ok(None));
        for (bytes, want) in [
            (&b"06abcdef"[..], FramingError::TooLong { max: 5 }),
            (b"0x", FramingError::NotALength { at: 1 }),
        ] {
            let mut stream = BytesMut::from(bytes);
            assert_eq!((framer.take(&mut stream), &stream[..]), (Err(want), bytes));
        }
    }

    #[test]
    fn what_is_too_long_is_not_put_and_leaves_no_trace() {
        let framer = framer("ascii2", 200);
        assert_eq!(framer.frame_max(), 99, "no more than the length can count");
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(framer.put(&[0; 100], &mut out), Err(FramingError::TooLong { max: 99 }));
        let written: Result<(), FramingError> = framer.put_with(&mut out, |out| {
            out.put_bytes(7, 100);
            Ok(())
        });
        assert_eq!((written, &out[..]), (Err(FramingError::TooLong { max: 99 }), &b"before"[..]));
        let refused = framer.put_with(&mut out, |out| {
            out.put_u8(1);
            Err(FramingError::NotALength { at: 0 })
        });
        assert!(refused.is_err() && &out[..] == b"before");
        let written: Result<(), FramingError> = framer.put_with(&mut out, |out| {
            out.put_slice(b"abc");
            Ok(())
        });
        assert_eq!((written, &out[..]), (Ok(()), &b"before03abc"[..]));
    }
}
