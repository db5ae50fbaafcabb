//! Cutting frames from a stream: two length bytes, big-endian, that do not count themselves.

/// What the bytes at hand begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next<'a> {
    /// A whole frame (without its length bytes), and how many bytes it takes with them.
    Frame(&'a [u8], usize),
    /// Not yet a whole frame.
    Incomplete,
    /// A length above the maximum.
    TooLong,
}

/// Bytes of the length.
pub const LENGTH: usize = 2;

/// Looks at what `bytes` begins with. Never looks behind the first frame.
#[must_use]
pub fn next(bytes: &[u8], frame_max: usize) -> Next<'_> {
    let Some(length) = bytes.first_chunk::<LENGTH>() else { return Next::Incomplete };
    let end = LENGTH + usize::from(u16::from_be_bytes(*length));
    if end - LENGTH > frame_max {
        return Next::TooLong;
    }
    match bytes.get(LENGTH..end) {
        Some(frame) => Next::Frame(frame, end),
        None => Next::Incomplete,
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
            assert_eq!(next(bytes, 4), want, "{name}");
        }
        assert_eq!(next(&[0, 4, 1, 2, 3, 4], 4), Next::Frame(&[1, 2, 3, 4], 6), "exactly the maximum");
    }
}
