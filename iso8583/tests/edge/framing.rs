//! Streams cut into frames: the same frames however the stream arrives, and nothing read past one.

use bytes::BytesMut;
use iso8583::framing::{Framer, FramingError, LengthHeader, Next};
use proptest::prelude::*;

fn any_length() -> impl Strategy<Value = LengthHeader> {
    prop::sample::select(LengthHeader::all().collect::<Vec<_>>())
}

/// What a stream is cut into: its frames, and why it ended unless it ran out.
type Cut = (Vec<Vec<u8>>, Option<FramingError>);

/// Cuts a stream that arrives in these pieces.
fn cut<'a>(framer: Framer, pieces: impl IntoIterator<Item = &'a [u8]>) -> Cut {
    let (mut stream, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        stream.extend_from_slice(piece);
        loop {
            match framer.take(&mut stream) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Frames with their lengths in front, one behind the other.
fn stream_of(framer: Framer, frames: &[Vec<u8>]) -> BytesMut {
    let mut stream = BytesMut::new();
    frames.iter().for_each(|frame| framer.put(frame, &mut stream).expect("shorter than any maximum"));
    stream
}

/// The pieces between these places.
fn pieces<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.clone());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// Bytes in which lengths are likely: digits in every form, and zeros.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0u8), 3 => b'0'..=b'9', 2 => 0u8..20, 1 => any::<u8>()];
    prop::collection::vec(byte, 0..300)
}

proptest! {
    #[test]
    fn frames_that_were_put_are_cut_from_any_split(
        length in any_length(),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..6),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let framer = Framer::new(length, 90);
        let stream = stream_of(framer, &frames);
        prop_assert_eq!(cut(framer, pieces(&stream, &places)), (frames, None));
    }

    #[test]
    fn any_bytes_are_cut_alike_from_any_split(
        length in any_length(),
        bytes in likely(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let framer = Framer::new(length, 100);
        prop_assert_eq!(cut(framer, pieces(&bytes, &places)), cut(framer, [&bytes[..]]));
    }

    #[test]
    fn a_reader_that_asks_for_no_more_than_needed_stops_at_the_end_of_a_frame(
        length in any_length(),
        first in prop::collection::vec(any::<u8>(), 0..90),
    ) {
        let framer = Framer::new(length, 90);
        let stream = stream_of(framer, &[first, vec![0xA5; 30]]);
        let (mut read, mut asked) = (0, 0);
        let end = loop {
            match framer.next(&stream[..read]) {
                Next::Incomplete { needs } => read += needs,
                Next::Frame(frame) => break frame.end,
                other => prop_assert!(false, "{other:?}"),
            }
            asked += 1;
            prop_assert!(asked <= 2, "once for the length, once for the frame");
        };
        prop_assert_eq!(read, end);
    }

    #[test]
    fn no_bytes_panic_and_every_place_lies_inside(length in any_length(), max in 0usize..200, bytes in likely()) {
        let framer = Framer::new(length, max);
        let whole = framer.next(&bytes);
        match &whole {
            Next::Frame(frame) => {
                prop_assert!(frame.start == length.bytes() && frame.end <= bytes.len() && frame.len() <= max);
            }
            Next::Incomplete { needs } => prop_assert!((1..=max + 4).contains(needs)),
            Next::NotALength { at } => prop_assert!(*at < bytes.len()),
            Next::TooLong => prop_assert!(bytes.len() >= length.bytes()),
        }
        for end in 0..bytes.len().min(12) {
            let part = framer.next(&bytes[..end]);
            let waits = matches!(part, Next::Incomplete { .. });
            prop_assert!(waits || part == whole, "of {end} bytes: {part:?}, of all: {whole:?}");
        }
    }
}
