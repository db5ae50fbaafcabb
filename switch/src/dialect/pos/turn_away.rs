//! Turning a frame away: an answer for which nothing of the request is worked out, only copied. In a flood this is what
//! most frames cost, and what it costs is missing where permits are given back.
//!
//! Frames that are as they should be, which are all that honest terminals send, go the quick way: one pass over the bytes
//! that looks at nothing it does not copy. Whatever it does not expect goes the ordinary way, which gives the same answer.

use std::sync::LazyLock;

use bytes::{BufMut, BytesMut};
use iso8583::{Align, Builder, Class, EncodeError, Encoding, Length, Message, Mti, Spec};

use super::{HEADER, MESSAGE_AT, TPDU, answer::swapped, psam};
use crate::{
    books::{reason::Reason, request::Line},
    clock::Moment,
    dialect::codes::response_code,
};

/// What the answer repeats.
const COPIED: [u8; 9] = [2, 3, 4, 11, 25, 41, 42, 49, 60];
/// What it says itself: time, date, response code.
const SAID: [u8; 3] = [12, 13, 39];
/// Without these nobody knows whom it answers about what.
const ADDRESS: [u8; 2] = [11, 41];

/// Bytes of message type and bitmap.
const FIXED: usize = 10;
/// Bytes of what the answer says itself.
const SAID_BYTES: usize = 7;

/// Answers a frame behind what is in `out`, if it says whom to answer about what; else writes nothing.
pub fn turn_away(frame: &[u8], line: Line, moment: &Moment, quick: &mut Quick, out: &mut BytesMut) -> bool {
    let dialled = if line.concentrator { psam::dial_record(frame) } else { Ok(None) };
    let Ok(dialled) = dialled else { return false };
    let frame = frame.get(dialled.map_or(0, |_| psam::DIAL_RECORD)..).unwrap_or_default();
    let Some((headers, message)) = frame.split_at_checked(MESSAGE_AT) else { return false };
    let start = out.len();
    out.put_slice(&swapped(&headers[..TPDU]));
    out.put_slice(&headers[TPDU..TPDU + HEADER]);
    // The sixth digit asks the terminal for something: nothing here.
    out[start + TPDU + 2] &= 0xF0;
    let body = out.len();
    if quick.answer(message, moment, out).is_some() {
        return true;
    }
    // Behind the end nobody would overwrite it any more.
    out[body..].fill(0);
    out.truncate(body);
    let written = ordinarily(message, moment, out);
    if !written {
        out.truncate(start);
    }
    written
}

fn ordinarily(message: &[u8], moment: &Moment, out: &mut BytesMut) -> bool {
    let (message, _) = Message::decode_partial(Spec::pos(), message);
    let mti = message.mti();
    let is_addressed = ADDRESS.into_iter().all(|field| message.has(field));
    mti.raw() != 0 && !mti.is_answer() && is_addressed && write(&message, moment, out).is_ok()
}

fn write(request: &Message<'_>, moment: &Moment, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut answer = Builder::new(Spec::pos(), out, request.mti().answer());
    answer.copy(2, request)?.copy(3, request)?.copy(4, request)?.copy(11, request)?;
    answer.number(12, moment.hhmmss())?.number(13, moment.mmdd())?.copy(25, request)?;
    answer.text(39, response_code(Reason::Overloaded))?;
    answer.copy(41, request)?.copy(42, request)?.copy(49, request)?.copy(60, request)?;
    answer.finish()?;
    Ok(())
}

/// The quick way for messages with the fields that the last one had: what to do with them, field by field, where fields
/// side by side that are treated alike are one. Terminals of one kind send the same fields, so it is seldom made anew.
#[derive(Debug, Default)]
pub struct Quick {
    /// The bitmap it was made for; none has no field at all.
    promised: u64,
    /// The bitmap of the answer.
    fields: u64,
    steps: Vec<Step>,
}

/// What is done with the bytes that come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// Fields of so many bytes together that the answer does not repeat.
    Skip(usize),
    /// Fields of so many bytes together, all of them digits, which the answer repeats.
    Digits(usize),
    /// The same of letters, digits and spaces.
    Text(usize),
    /// A field on its own.
    Field(Shape),
    /// The answer's time and date.
    Date,
    /// The answer's response code.
    Code,
    /// Nothing that the quick way knows.
    Unknown,
}

impl Quick {
    /// One pass over a message; `None`, with anything behind what was in `out`, if it is not wholly as expected.
    fn answer(&mut self, message: &[u8], moment: &Moment, out: &mut BytesMut) -> Option<()> {
        let (fixed, mut rest) = message.split_at_checked(FIXED)?;
        let mti = Mti::new(u16::from_be_bytes(*fixed.first_chunk()?));
        let promised = u64::from_be_bytes(*fixed.last_chunk()?);
        let expected = mti.raw() != 0 && !mti.is_answer() && are_digits(&fixed[..2]);
        if !expected || promised & bits(&ADDRESS) != bits(&ADDRESS) {
            return None;
        }
        if promised != self.promised {
            self.plan(promised);
        }
        let start = out.len();
        // The answer has less than the request, but for what it says itself.
        out.put_bytes(0, FIXED + SAID_BYTES + rest.len());
        let mut answer = &mut out[start..];
        let room = answer.len();
        put(&mut answer, &mti.answer().raw().to_be_bytes());
        put(&mut answer, &self.fields.to_be_bytes());
        for step in &self.steps {
            match *step {
                Step::Skip(bytes) => rest = rest.get(bytes..)?,
                Step::Digits(bytes) => {
                    let (digits, behind) = rest.split_at_checked(bytes)?;
                    are_digits(digits).then(|| put(&mut answer, digits))?;
                    rest = behind;
                }
                Step::Text(bytes) => {
                    let (text, behind) = rest.split_at_checked(bytes)?;
                    is_text(text).then(|| put(&mut answer, text))?;
                    rest = behind;
                }
                Step::Field(shape) => {
                    let (bytes, is_odd) = shape.bytes(rest)?;
                    let (field, behind) = rest.split_at_checked(bytes)?;
                    rest = behind;
                    if shape.is_copied {
                        shape.copy(field, is_odd, &mut answer)?;
                    }
                }
                Step::Date => {
                    put(&mut answer, &bcd::<3>(moment.hhmmss()));
                    put(&mut answer, &bcd::<2>(moment.mmdd()));
                }
                Step::Code => put(&mut answer, response_code(Reason::Overloaded)),
                Step::Unknown => return None,
            }
        }
        let written = room - answer.len();
        out.truncate(start + written);
        rest.is_empty().then_some(())
    }

    /// Makes the steps for messages with these fields.
    fn plan(&mut self, promised: u64) {
        self.promised = promised;
        self.fields = promised & bits(&COPIED) | bits(&SAID);
        self.steps.clear();
        for number in 1..=64_u8 {
            // The last fields in front of these are asked for by every answer.
            match number {
                14 => self.steps.push(Step::Date),
                40 => self.steps.push(Step::Code),
                _ => {}
            }
            if promised & bits(&[number]) != 0 {
                let step = SHAPES[usize::from(number)].map_or(Step::Unknown, Shape::step);
                self.add(step);
            }
        }
    }

    /// Adds a step, to the last one if it is alike.
    fn add(&mut self, step: Step) {
        match (self.steps.last_mut(), step) {
            (Some(Step::Skip(before)), Step::Skip(more))
            | (Some(Step::Digits(before)), Step::Digits(more))
            | (Some(Step::Text(before)), Step::Text(more)) => *before += more,
            _ => self.steps.push(step),
        }
    }
}

/// How long a field is, and what it is made of, as far as that matters here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Shape {
    is_copied: bool,
    class: Class,
    /// Bytes of the length in front; without one, `length` is its length.
    prefix: usize,
    /// The longest value, in digits or bytes.
    length: usize,
}

/// The shapes of the dialect's fields, by number. A field without one sends a message the ordinary way.
static SHAPES: LazyLock<[Option<Shape>; 65]> = LazyLock::new(|| {
    std::array::from_fn(|number| {
        let number = u8::try_from(number).ok()?;
        let field = Spec::pos().field(number).filter(|field| field.encoding() == Encoding::Packed)?;
        let is_copied = COPIED.contains(&number);
        let (prefix, length) = match field.length() {
            Length::Fixed(length) => (0, length),
            Length::Variable { prefix, max } => (prefix.bytes(), max),
        };
        let is_plain = field.align() == Align::Left && field.class() != Class::Track;
        (!is_copied || is_plain).then_some(Shape {
            is_copied,
            class: field.class(),
            prefix,
            length: length.into(),
        })
    })
});

impl Shape {
    /// What is done with a field of this shape.
    fn step(self) -> Step {
        let in_digits = self.class.counts_digits();
        let bytes = if in_digits { self.length.div_ceil(2) } else { self.length };
        match (self.prefix, self.is_copied, self.class) {
            (0, false, _) => Step::Skip(bytes),
            (0, true, Class::Numeric) if self.length.is_multiple_of(2) => Step::Digits(bytes),
            (0, true, Class::Alphanumeric) => Step::Text(bytes),
            _ => Step::Field(self),
        }
    }

    /// How many bytes the field takes of what it begins, its length included, and whether it ends in half a byte.
    fn bytes(&self, rest: &[u8]) -> Option<(usize, bool)> {
        let prefix = rest.get(..self.prefix)?;
        let length = match prefix {
            [] => self.length,
            digits if are_digits(digits) => digits.iter().fold(0, |length, byte| {
                length * 100 + usize::from(byte >> 4) * 10 + usize::from(byte & 0x0F)
            }),
            _ => return None,
        };
        let in_digits = self.class.counts_digits();
        let bytes = if in_digits { length.div_ceil(2) } else { length };
        (length <= self.length).then_some((self.prefix + bytes, in_digits && length % 2 == 1))
    }

    /// Copies a field whose content is right, with a clean pad.
    fn copy(&self, field: &[u8], is_odd: bool, answer: &mut &mut [u8]) -> Option<()> {
        let (prefix, value) = field.split_at(self.prefix);
        put(answer, prefix);
        match (self.class, value.split_last()) {
            (Class::Numeric, Some((last, before))) if is_odd => {
                (are_digits(before) && last >> 4 <= 9).then_some(())?;
                put(answer, before);
                put(answer, &[last & 0xF0]);
                return Some(());
            }
            (Class::Numeric, _) if !are_digits(value) => return None,
            (Class::Alphanumeric, _) if !is_text(value) => return None,
            _ => {}
        }
        put(answer, value);
        Some(())
    }
}

// Both look at all bytes whatever they find, which lets them look at many at once.

fn are_digits(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & (byte >> 4 <= 9) & (byte & 0x0F <= 9))
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & (byte.is_ascii_alphanumeric() | (*byte == b' ')))
}

/// Moves bytes to the front of what is left of the answer, whose room was measured for all of them.
fn put(answer: &mut &mut [u8], bytes: &[u8]) {
    if let Some((place, behind)) = std::mem::take(answer).split_at_mut_checked(bytes.len()) {
        place.copy_from_slice(bytes);
        *answer = behind;
    }
}

/// The bits of these fields in a bitmap.
fn bits(fields: &[u8]) -> u64 {
    fields.iter().fold(0, |bits, field| bits | 1 << (64 - field))
}

/// The last `2 * N` digits of a number, two to a byte.
fn bcd<const N: usize>(mut value: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for byte in bytes.iter_mut().rev() {
        let (tens, ones) = (value / 10 % 10, value % 10);
        *byte = u8::try_from(tens * 16 + ones).unwrap_or_default();
        value /= 100;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn both(message: &[u8]) -> (Option<BytesMut>, Option<BytesMut>) {
        let moment = Clock::standing("Asia/Shanghai", 1_795_313_701_709).expect("a zone").now();
        let (mut quick, mut ordinary) = (BytesMut::new(), BytesMut::new());
        let quick = Quick::default().answer(message, &moment, &mut quick).map(|()| quick);
        let ordinary = ordinarily(message, &moment, &mut ordinary).then_some(ordinary);
        (quick, ordinary)
    }

    /// A purchase as it comes, with an odd card number in field 2 and an odd field 60.
    fn purchase() -> BytesMut {
        let mut message = BytesMut::new();
        let mut builder = Builder::new(Spec::pos(), &mut message, Mti::new(0x0200));
        let mut write = || {
            builder.digits(2, b"623456789012343")?.number(3, 0)?.number(4, 258)?.number(11, 3)?;
            builder.number(22, 21)?.number(23, 1)?.number(25, 0)?;
            builder.digits(35, b"9156009224100010=340252041400000")?.text(41, b"31000001")?;
            builder.text(42, b"898310054110001")?.text(49, b"156")?.bytes(52, &[7; 8])?;
            builder.digits(60, b"22000001000")?.mac_placeholder(64)
        };
        write().expect("the table's own");
        builder.finish().expect("a message");
        message
    }

    #[test]
    fn a_good_frame_goes_the_quick_way() {
        let (quick, ordinary) = both(&purchase());
        assert_eq!(quick.expect("as expected"), ordinary.expect("an answer"));
    }

    #[test]
    fn both_ways_say_the_same_of_whatever_comes() {
        let good = purchase();
        let mut went_quickly = 0_u32;
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut changed = good.clone();
                changed[at] ^= 1 << bit;
                let (quick, ordinary) = both(&changed);
                if let Some(quick) = quick {
                    went_quickly += 1;
                    assert_eq!(Some(quick), ordinary, "byte {at}, bit {bit}");
                }
            }
            assert_eq!(both(&good[..at]).0, None, "cut at {at}");
        }
        assert!(went_quickly > 300, "of what the quick way does not look at, all may change: {went_quickly}");
        let longer = [&good[..], b"1"].concat();
        assert_eq!(both(&longer).0, None, "bytes behind the last field");
    }
}
