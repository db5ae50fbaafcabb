//! What must hold for any bytes, one function a target. It holds by `assert!`: a fuzzer looks for a panic.
//!
//! The same functions run on the committed corpus in an ordinary test, so nothing here needs a fuzzer.

use std::iter;
use std::sync::LazyLock;

use bytes::BytesMut;
use iso8583::framing::{Framer, FramingError, LengthHeader};
use iso8583::guess::{explain, guess as guess_at};
use iso8583::{Builder, Message, Mti, Spec};

/// Every specification of the crate with its name. New ones go to the end, so that the corpus keeps its meaning.
static SPECS: LazyLock<Vec<(&'static str, &'static Spec)>> = LazyLock::new(|| {
    let first =
        [("pos", Spec::pos()), ("atm", Spec::atm()), ("atm, binary bitmap", Spec::atm_binary_bitmap())];
    let others = Spec::shipped_names().filter(|name| !["pos", "atm"].contains(name));
    first.into_iter().chain(others.filter_map(|name| Some((name, Spec::shipped(name)?)))).collect()
});

#[path = "../../tests/specs/everything.rs"]
mod everything;

/// A specification with every encoding and every kind of composite.
static EVERYTHING: LazyLock<Spec> =
    LazyLock::new(|| Spec::from_toml(everything::EVERYTHING).expect("it compiles"));

/// The specification that the first byte picks, and the rest.
fn picked(bytes: &[u8]) -> Option<(&'static Spec, &[u8])> {
    let (&pick, rest) = bytes.split_first()?;
    let (_, spec) = SPECS.get(usize::from(pick) % SPECS.len())?;
    Some((spec, rest))
}

/// The same, with one more to pick from.
fn picked_of_all(bytes: &[u8]) -> Option<(&'static Spec, &[u8])> {
    match bytes.split_first()? {
        (&EVERYTHING_PICK, rest) => Some((&EVERYTHING, rest)),
        _ => picked(bytes),
    }
}

/// The first byte that picks the specification with everything.
const EVERYTHING_PICK: u8 = 0xEE;

/// A message under a specification: fields lie inside and in order, errors point inside, every field has a line, and
/// what decodes is the same bytes when it is taken apart and put together again.
pub fn decode(bytes: &[u8]) {
    let Some((spec, bytes)) = picked_of_all(bytes) else { return };
    let (message, error) = Message::decode_partial(spec, bytes);
    assert_eq!(Message::decode(spec, bytes).err(), error, "both ways of decoding agree");
    match &error {
        Some(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(!error.to_string().is_empty());
        }
        None => {
            let mut again = BytesMut::new();
            message.repack(&mut again).expect("what was decoded can be packed");
            assert!(again == bytes, "the same bytes");
        }
    }
    let mut end = 0;
    for number in message.fields() {
        let (start, span) = (message.start(number).expect("there"), message.span(number).expect("there"));
        assert!(end <= start && start <= span.start && span.end <= bytes.len(), "DE {number}");
        assert_eq!(message.raw(number), bytes.get(span.clone()), "DE {number}");
        end = span.end;
    }
    let lines = message.describe().to_string();
    assert!(lines.lines().count() > message.fields().count(), "a line for the MTI and for each field");
    assert!(!format!("{message:?}").contains('\n'));
}

/// A message that decodes is, copied field by field, as long and says the same; a copy of the copy is the same bytes.
/// The first may differ from what came, since senders fill pad nibbles and write separators as they like.
pub fn round_trip(bytes: &[u8]) {
    let Some((spec, bytes)) = picked(bytes) else { return };
    let Ok(message) = Message::decode(spec, bytes) else { return };
    let first = copied(spec, &message);
    assert_eq!(first.len(), bytes.len());
    let copy_of = Message::decode(spec, &first).expect("a copy decodes");
    assert_eq!((copy_of.mti(), numbers(&copy_of)), (message.mti(), numbers(&message)));
    for number in message.fields() {
        match (message.digits(number), copy_of.digits(number)) {
            (Some(digits), Some(copied)) => assert!(digits.iter().eq(copied.iter()), "DE {number}"),
            _ => assert!(message.raw(number) == copy_of.raw(number), "DE {number}"),
        }
    }
    assert!(copied(spec, &copy_of) == first, "a copy of a copy is the same");
    // Into another table: refused with a reason, or good there.
    for (_, other) in SPECS.iter() {
        let mut out = BytesMut::new();
        if copy(Builder::new(other, &mut out, message.mti()), &message) {
            let error = Message::decode(other, &out).err();
            assert!(error.is_none(), "what was built decodes: {error:?} under {}", other.name());
        }
    }
}

fn numbers(message: &Message<'_>) -> Vec<u8> {
    message.fields().collect()
}

/// The message built anew, with a secondary bitmap if it has one. A sender may have an empty one or leave it out.
fn copied(spec: &Spec, message: &Message<'_>) -> BytesMut {
    let (mut plain, mut wide) = (BytesMut::new(), BytesMut::new());
    assert!(copy(Builder::new(spec, &mut plain, message.mti()), message), "whatever decodes can be built");
    assert!(copy(Builder::with_secondary(spec, &mut wide, message.mti()), message));
    if wide.len() == message.bytes().len() { wide } else { plain }
}

/// Whether every field could be copied and the message finished.
fn copy(mut builder: Builder<'_, '_>, message: &Message<'_>) -> bool {
    message.fields().all(|number| builder.copy(number, message).is_ok()) && builder.finish().is_ok()
}

/// The value of a field of BER-TLV objects, and of one of simple ones.
pub fn tlv(value: &[u8]) {
    let value = &value[..value.len().min(255)];
    for field in [55, 57] {
        let wire = wrapped(field, value);
        let (message, error) = Message::decode_partial(Spec::pos(), &wire);
        assert!(error.as_ref().is_none_or(|error| error.offset <= wire.len()));
        let mut inside = 0;
        for object in message.tlvs(field).into_iter().flatten() {
            inside += object.value.len() + 2;
            assert!(message.tag(field, object.tag).is_some());
        }
        for object in message.simple_tlvs(field).into_iter().flatten() {
            match object {
                Ok(object) => inside += object.value.len() + 2,
                Err(error) => assert!(error.offset <= wire.len(), "{error}"),
            }
        }
        assert!(inside <= value.len(), "objects lie inside and side by side");
        assert!(!format!("{:?} {:?}", message.tlvs(field), message.simple_tlvs(field)).is_empty());
    }
}

/// A message of one field with a length of three digits in BCD.
fn wrapped(field: u8, value: &[u8]) -> Vec<u8> {
    let mti = Mti::new(0x0200).raw().to_be_bytes();
    let bitmap = (1_u64 << (64 - field)).to_be_bytes();
    let [high, low] =
        [value.len() / 100, value.len() % 100].map(|pair| u8::try_from(pair / 10 * 16 + pair % 10));
    let length = [high.expect("at most 255"), low.expect("two digits")];
    [&mti[..], &bitmap, &length, value].concat()
}

/// A stream: which length, the longest frame and the size of the pieces it arrives in stand in its first three bytes.
pub fn framing(bytes: &[u8]) {
    let Some((&[which, frame_max, piece], stream)) = bytes.split_first_chunk() else { return };
    let lengths: Vec<LengthHeader> = LengthHeader::all().collect();
    let framer = Framer::new(lengths[usize::from(which) % lengths.len()], usize::from(frame_max) * 4);
    let (frames, error) = cut(framer, iter::once(stream));
    let in_pieces = cut(framer, stream.chunks(usize::from(piece).max(1)));
    assert_eq!((&frames, error), (&in_pieces.0, in_pieces.1), "the same from any pieces");
    let mut again = BytesMut::new();
    for frame in &frames {
        assert!(frame.len() <= framer.frame_max());
        framer.put(frame, &mut again).expect("it was no longer than the maximum");
    }
    assert_eq!(cut(framer, iter::once(&again[..])), (frames, None), "what is put is cut again");
}

/// The frames of a stream in pieces, and what ended it.
fn cut<'a>(framer: Framer, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<BytesMut>, Option<FramingError>) {
    let (mut stream, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        stream.extend_from_slice(piece);
        loop {
            match framer.take(&mut stream) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Anything: every place lies inside, and no run of digits is long enough to give a card number away.
pub fn guess(bytes: &[u8]) {
    let guesses = guess_at(bytes, &SPECS);
    assert!(guesses.len() <= 25 * (6 * SPECS.len() + 1));
    for guess in &guesses {
        assert!(guess.read_to <= bytes.len() && guess.message.end <= bytes.len(), "{guess}");
        assert!(guess.fault.as_ref().is_none_or(|fault| fault.offset <= bytes.len()), "{guess}");
        assert!(guess.fits() || guess.fault.is_some());
    }
    let text = explain(&guesses).to_string();
    // The longest are lengths of five digits and tags of four bytes.
    let longest = text.split(|character: char| !character.is_ascii_digit()).map(str::len).max();
    assert!(longest.is_none_or(|digits| digits <= 8), "{text}");
}
