//! Cutting frames from a stream: a length that does not count itself, then as many bytes.

use bytes::{BufMut, BytesMut};

pub use crate::config::LengthForm;
use crate::wipe;

/// What the bytes at hand begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next<'a> {
    /// A whole frame (without its length), and how many bytes it takes with it.
    Frame(&'a [u8], usize),
    /// Not yet a whole frame.
    Incomplete,
    /// A length above the maximum.
    TooLong,
    /// No length at all, where one must stand.
    NotALength,
}

/// Bytes of the length.
#[must_use]
pub fn length_bytes(form: LengthForm) -> usize {
    match form {
        LengthForm::Binary => 2,
        LengthForm::Ascii => 4,
    }
}

/// Looks at what `bytes` begins with. Never looks behind the first frame.
#[must_use]
pub fn next(form: LengthForm, bytes: &[u8], frame_max: usize) -> Next<'_> {
    let start = length_bytes(form);
    let Some(length) = bytes.get(..start) else { return Next::Incomplete };
    let mut count = 0;
    for byte in length {
        count = match form {
            LengthForm::Binary => count << 8 | usize::from(*byte),
            LengthForm::Ascii if byte.is_ascii_digit() => count * 10 + usize::from(byte - b'0'),
            LengthForm::Ascii => return Next::NotALength,
        };
    }
    if count > frame_max {
        return Next::TooLong;
    }
    match bytes.get(start..start + count) {
        Some(frame) => Next::Frame(frame, start + count),
        None => Next::Incomplete,
    }
}

/// Puts a frame with its length behind what is in `out`. A frame that its length cannot count is left out: no answer
/// of any dialect comes near that.
pub fn put(form: LengthForm, frame: &[u8], out: &mut BytesMut) {
    let Some(digits) = digits(form, frame.len()) else { return };
    // Answers may hold a card number.
    wipe::reserve(out, length_bytes(form) + frame.len());
    out.put_slice(&digits[..length_bytes(form)]);
    out.put_slice(frame);
}

/// Puts a frame that `write` makes in its place behind what is in `out`, with its length; nothing if `write` says that
/// there is none. `room` is the most it may take.
pub fn put_with(
    form: LengthForm,
    out: &mut BytesMut,
    room: usize,
    write: impl FnOnce(&mut BytesMut) -> bool,
) {
    let (start, length) = (out.len(), length_bytes(form));
    wipe::reserve(out, length + room);
    out.put_bytes(0, length);
    let written = write(out);
    let count = out.len() - start - length;
    match written.then(|| digits(form, count)).flatten() {
        Some(digits) => out[start..start + length].copy_from_slice(&digits[..length]),
        None => out.truncate(start),
    }
}

/// A length as it is written, at the front of four bytes.
fn digits(form: LengthForm, count: usize) -> Option<[u8; 4]> {
    let count = u16::try_from(count).ok()?;
    match form {
        LengthForm::Binary => {
            let [high, low] = count.to_be_bytes();
            Some([high, low, 0, 0])
        }
        LengthForm::Ascii if count < 10_000 => {
            Some([1000, 100, 10, 1].map(|place| b'0' + (count / place % 10) as u8))
        }
        LengthForm::Ascii => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_their_length_says() {
        let rows: [(&str, &[u8], Next<'_>); 7] = [
            ("nothing", &[], Next::Incomplete),
            ("half a length", &[0], Next::Incomplete),
            ("a length and no more", &[0, 2], Next::Incomplete),
            ("all but one byte", &[0, 2, 7], Next::Incomplete),
            ("a frame and the start of another", &[0, 2, 7, 8, 0, 9], Next::Frame(&[7, 8], 4)),
            ("an empty frame", &[0, 0, 1], Next::Frame(&[], 2)),
            ("one byte above the maximum", &[0, 5], Next::TooLong),
        ];
        for (name, bytes, want) in rows {
            assert_eq!(next(LengthForm::Binary, bytes, 4), want, "{name}");
        }
        let exactly = next(LengthForm::Binary, &[0, 4, 1, 2, 3, 4], 4);
        assert_eq!(exactly, Next::Frame(&[1, 2, 3, 4], 6), "exactly the maximum");
    }

    #[test]
    fn a_length_in_digits_is_four_digits() {
        let rows: [(&str, &[u8], Next<'_>); 6] = [
            ("half a length", b"00", Next::Incomplete),
            ("all but one byte", b"0002x", Next::Incomplete),
            ("a frame and more", b"0002xyz", Next::Frame(b"xy", 6)),
            ("one byte above the maximum", b"0005", Next::TooLong),
            ("a letter", b"00A2xy", Next::NotALength),
            ("a binary length", &[0, 2, b'x', b'y'], Next::NotALength),
        ];
        for (name, bytes, want) in rows {
            assert_eq!(next(LengthForm::Ascii, bytes, 4), want, "{name}");
        }
    }

    #[test]
    fn what_is_put_is_cut_again() {
        for form in [LengthForm::Binary, LengthForm::Ascii] {
            let mut out = BytesMut::new();
            put(form, b"first", &mut out);
            put(form, b"", &mut out);
            let Next::Frame(b"first", end) = next(form, &out, 10) else { panic!("{form:?}") };
            assert_eq!(next(form, &out[end..], 10), Next::Frame(b"", length_bytes(form)));
            let before = out.len();
            put(form, &[0; 70_000], &mut out);
            assert_eq!(out.len(), before, "what cannot be counted is left out");
        }
    }
}
