//! BER-TLV objects, as chip cards fill field 55 (EMV Book 3, annex B).
//!
//! One level only: a constructed object is handed out whole. Tags have up to
//! three bytes and lengths up to two; zero bytes between objects are skipped,
//! as the annex allows.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{take, take_while_m_n};
use nom::combinator::{map, map_opt, recognize, verify};
use nom::number::complete::{be_u16, u8 as byte};
use nom::{IResult, Parser};

use crate::content::Violation;
use crate::error::DecodeErrorKind;
use crate::path::Step;

/// One object: its tag and what it holds.
///
/// `Debug` prints the tag and the length: tag 57 is track 2, tag 5A the PAN.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Tlv<'a> {
    /// The tag's bytes as one big-endian number, `0x9F26` for `9F26`.
    pub tag: u32,
    /// The value, without tag and length.
    pub value: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({:X}: …({} bytes))", self.tag, self.value.len())
    }
}

/// The objects of a field, in the order they came.
#[derive(Clone)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Tlvs<'a> {
    /// The objects of a value that [`check`] accepted.
    pub(crate) fn new(value: &'a [u8]) -> Tlvs<'a> {
        Tlvs { rest: value }
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        // A value that was not checked would end at its first fault.
        let (rest, object) = object(skip_filler(self.rest)).ok()?;
        self.rest = rest;
        Some(object)
    }
}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Checks that a value is nothing but whole objects.
pub(crate) fn check(value: &[u8]) -> Result<(), Violation> {
    let mut rest = skip_filler(value);
    while !rest.is_empty() {
        let after = match short_object(rest) {
            Some(bytes) => rest.get(bytes..).unwrap_or_default(),
            None => {
                let at = value.len() - rest.len();
                object(rest).map_err(|fault| Violation { at: at + fault.at, ..fault })?.0
            }
        };
        rest = skip_filler(after);
    }
    Ok(())
}

/// The bytes of the first object, if it is one like almost all: a tag of one or two bytes and a length of one.
#[inline]
fn short_object(bytes: &[u8]) -> Option<usize> {
    let (head, length) = match *bytes {
        [tag, length @ ..0x80, ..] if tag & 0x1F != 0x1F => (2, length),
        [first, ..0x80, length @ ..0x80, ..] if first & 0x1F == 0x1F => (3, length),
        _ => return None,
    };
    let whole = head + usize::from(length);
    (whole <= bytes.len()).then_some(whole)
}

fn skip_filler(bytes: &[u8]) -> &[u8] {
    let filler = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[filler..]
}

/// Takes one object apart; a violation's position counts from `input`'s start.
fn object(input: &[u8]) -> Result<(&[u8], Tlv<'_>), Violation> {
    let at = |rest: &[u8]| input.len() - rest.len();
    let (rest, tag) =
        tag(input).map_err(|_| Violation { at: 0, tag: None, kind: DecodeErrorKind::BadTag })?;
    let (rest, length) = length(rest).map_err(|_| Violation {
        at: at(rest),
        tag: Some(Step::tag(tag)),
        kind: DecodeErrorKind::BadTagLength,
    })?;
    let short = DecodeErrorKind::TooShort { needs: length.into(), left: rest.len() };
    let (rest, value) = content(rest, length).map_err(|_| Violation {
        at: at(rest),
        tag: Some(Step::tag(tag)),
        kind: short,
    })?;
    Ok((rest, Tlv { tag, value }))
}

/// The head of an object of any size that a message can hold: a tag of up to four bytes, a length of up to five
/// (ISO/IEC 8825-1, 8.1).
pub(crate) struct WideHead<'a> {
    pub(crate) tag: &'a [u8],
    /// Bytes of tag and length.
    pub(crate) bytes: usize,
    /// What the length says.
    pub(crate) length: usize,
}

/// Takes a head off; a violation's position counts from `input`'s start.
pub(crate) fn wide_head(input: &[u8]) -> Result<WideHead<'_>, Violation> {
    let Ok((rest, tag)) = wide_tag(input) else {
        return Err(Violation { at: 0, tag: None, kind: DecodeErrorKind::BadTag });
    };
    match wide_length(rest) {
        Ok((rest, length)) => Ok(WideHead { tag, bytes: input.len() - rest.len(), length: length as usize }),
        Err(_) => {
            let (at, tag) = (tag.len(), Some(Step::hex(tag)));
            Err(Violation { at, tag, kind: DecodeErrorKind::BadTagLength })
        }
    }
}

/// One byte, or more when its low five bits are all set: then bytes follow up to and including the first without the
/// high bit, at most three.
fn wide_tag(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let more = |bits: u8| move |byte: u8| byte & bits == bits;
    let several =
        (satisfy_byte(more(0x1F)), take_while_m_n(0, 2, more(0x80)), satisfy_byte(|byte| byte & 0x80 == 0));
    alt((recognize(satisfy_byte(|byte| byte & 0x1F != 0x1F)), recognize(several))).parse(input)
}

fn satisfy_byte(good: impl Fn(u8) -> bool) -> impl Fn(&[u8]) -> IResult<&[u8], u8> {
    move |input| verify(byte, |&byte| good(byte)).parse(input)
}

/// One byte below 128, or 81 to 84 and as many bytes as its low digit says.
fn wide_length(input: &[u8]) -> IResult<&[u8], u32> {
    let (rest, first) = byte(input)?;
    match first {
        0..=0x7F => Ok((rest, first.into())),
        0x81..=0x84 => {
            let number =
                |bytes: &[u8]| bytes.iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte));
            map(take(first & 0x7F), number).parse(rest)
        }
        _ => Err(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::Switch))),
    }
}

fn content(input: &[u8], length: u16) -> IResult<&[u8], &[u8]> {
    take(length)(input)
}

/// One byte, or more when its low five bits are all set: then bytes follow up
/// to and including the first without the high bit, at most two here.
fn tag(input: &[u8]) -> IResult<&[u8], u32> {
    let (rest, first) = byte(input)?;
    if first & 0x1F != 0x1F {
        return Ok((rest, first.into()));
    }
    let (rest, second) = byte(rest)?;
    let two = u32::from(u16::from_be_bytes([first, second]));
    if second & 0x80 == 0 {
        return Ok((rest, two));
    }
    map_opt(byte, |third| (third & 0x80 == 0).then(|| two << 8 | u32::from(third))).parse(rest)
}

/// Whether these bytes are one whole tag of at most four.
pub(crate) fn is_tag(bytes: &[u8]) -> bool {
    let more = |byte: &u8| byte & 0x80 != 0;
    match bytes {
        [first] => first & 0x1F != 0x1F,
        [first, middle @ .., last] => {
            first & 0x1F == 0x1F && middle.len() <= 2 && middle.iter().all(more) && !more(last)
        }
        [] => false,
    }
}

/// One byte below 128, or 81 and one byte, or 82 and two.
fn length(input: &[u8]) -> IResult<&[u8], u16> {
    let (rest, first) = byte(input)?;
    match first {
        0..=0x7F => Ok((rest, first.into())),
        0x81 => map(byte, u16::from).parse(rest),
        0x82 => be_u16(rest),
        _ => Err(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::Switch))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_out_in_order() {
        let value =
            [
                &[
                    0x9F, 0x26, 2, 0xAA, 0xBB, 0, 0, 0x95, 0, 0xDF, 0x81, 0x01, 0x81, 1, 7, 0x5A, 0x82, 0, 1,
                    9,
                ][..],
                &[0],
            ]
            .concat();
        assert!(check(&value).is_ok());
        let objects: Vec<_> = Tlvs::new(&value).map(|object| (object.tag, object.value)).collect();
        assert_eq!(objects, [(0x9F26, &[0xAA, 0xBB][..]), (0x95, &[]), (0xDF_8101, &[7]), (0x5A, &[9])]);
        let debug = format!("{:?}", Tlvs::new(&value));
        assert_eq!(
            debug,
            "[Tlv(9F26: …(2 bytes)), Tlv(95: …(0 bytes)), Tlv(DF8101: …(1 bytes)), Tlv(5A: …(1 bytes))]"
        );
    }

    /// Short objects are measured in another way than the rest; both must say the same of any bytes.
    #[test]
    fn a_short_object_is_one_to_either_reader() {
        for (first, second) in
            (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second)))
        {
            for third in [0, 1, 2, 0x7F, 0x80, 0x81, 0x82, 0xFF] {
                for length in 0..6 {
                    let bytes = [first, second, third, 1, 0, 0];
                    let bytes = &bytes[..length];
                    let Some(whole) = short_object(bytes) else { continue };
                    let rest = object(bytes).map(|(rest, _)| rest.len());
                    assert_eq!(rest.ok(), Some(length - whole), "{bytes:02X?}");
                }
            }
        }
    }

    #[test]
    fn a_fault_is_found_where_it_is() {
        let good = [0x95, 1, 0];
        for (name, tail, at, tag, kind) in [
            ("a tag cut in two", &[0x9F][..], 3, None, DecodeErrorKind::BadTag),
            ("a tag of four bytes", &[0x9F, 0x81, 0x81, 1, 0], 3, None, DecodeErrorKind::BadTag),
            ("no length", &[0x9F, 0x26], 5, Some(0x9F26), DecodeErrorKind::BadTagLength),
            (
                "an indefinite length",
                &[0x9F, 0x26, 0x80, 0, 0],
                5,
                Some(0x9F26),
                DecodeErrorKind::BadTagLength,
            ),
            (
                "a length of three bytes",
                &[0x82, 0x83, 0, 0, 1, 0],
                4,
                Some(0x82),
                DecodeErrorKind::BadTagLength,
            ),
            (
                "a value cut short",
                &[0x82, 2, 1],
                5,
                Some(0x82),
                DecodeErrorKind::TooShort { needs: 2, left: 1 },
            ),
        ] {
            let fault = check(&[&good[..], tail].concat()).expect_err(name);
            assert_eq!((fault.at, fault.tag, fault.kind), (at, tag.map(Step::tag), kind), "{name}");
        }
    }
}
