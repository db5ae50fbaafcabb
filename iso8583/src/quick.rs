//! The quick pass over a message: it finds and checks every field of a good one, and knows nothing of errors.
//!
//! It follows plans and not rows, and checks neighbours made of the same bytes as one stretch. Whatever it does not
//! like, or does not know, it leaves to the careful pass in `decode`, which tells what is wrong and where, and reads
//! the rare forms. Start at [`locate`].

use crate::MESSAGE_BYTES_MAX;
use crate::content;
use crate::cursor::{Cursor, Found};
use crate::decode::first_digit;
use crate::field::Encoding;
use crate::field_set::FieldSet;
use crate::hex;
use crate::message::{Message, Span};
use crate::mti::Mti;
use crate::parts;
use crate::path::Path;
use crate::plan::{Plan, Shape, Then};
use crate::spec::Spec;
use crate::swar;

/// Finds every field of a good message; `None`, with nothing said about the message, if it may not be one.
pub(crate) fn locate(message: &mut Message<'_>) -> Option<()> {
    let (spec, bytes) = (message.spec, message.bytes);
    if bytes.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let head = Head::read(spec, bytes)?;
    let spans = &mut message.spans;
    let mut at = head.end;
    let mut stretch = Stretch { allowed: content::ANYTHING, from: 0, to: 0 };
    head.promised.each(|number| {
        let plan = spec.plan(number);
        let value = match Value::find(plan, bytes, at) {
            Some(value) => value,
            None => Value::find_by_row(spec, number, bytes, at)?,
        };
        if plan.allowed != content::ANYTHING {
            let (from, to) = value.area(plan, bytes, at)?;
            if stretch.allowed == plan.allowed && stretch.to == from {
                stretch.to = to;
            } else {
                stretch.is_good(bytes)?;
                stretch = Stretch { allowed: plan.allowed, from, to };
            }
        }
        if plan.then == Then::Row {
            value.check_by_row(spec, number, bytes)?;
        }
        *spans.get_mut(usize::from(number))? = value.span();
        at = value.end;
        Some(())
    })?;
    stretch.is_good(bytes)?;
    (message.mti, message.present, message.bitmaps) = (head.mti, head.promised, head.bitmaps);
    (at == bytes.len()).then_some(())
}

/// What stands before the fields.
struct Head {
    mti: Mti,
    promised: FieldSet,
    bitmaps: u8,
    end: usize,
}

impl Head {
    #[inline]
    fn read(spec: &Spec, bytes: &[u8]) -> Option<Head> {
        let mti = match spec.mti {
            Encoding::Packed | Encoding::Binary => Mti::new(u16::from_be_bytes(*bytes.first_chunk()?)),
            Encoding::Ascii => characters(bytes, b'0')?,
            Encoding::Ebcdic(_) => characters(bytes, 0xF0)?,
        };
        if !mti.is_bcd() || spec.version.is_some_and(|version| mti.version() != first_digit(version)) {
            return None;
        }
        let mut end = spec.mti_bytes();
        let mut bitmaps = 1;
        let mut promised = FieldSet::default();
        promised.add_primary(bitmap(spec.bitmap, bytes, &mut end)?);
        if promised.contains(1) {
            promised.remove(1);
            promised.add_secondary(bitmap(spec.bitmap, bytes, &mut end)?);
            bitmaps = 2;
        }
        // A third bitmap is promised by bit 65, which then is no field's: it is left to the careful pass.
        Some(Head { mti, promised, bitmaps, end })
    }
}

/// A message type in characters.
#[inline]
fn characters(bytes: &[u8], zero: u8) -> Option<Mti> {
    let digits = bytes.first_chunk::<4>()?.map(|character| character ^ zero);
    digits.iter().all(|&digit| digit <= 9).then(|| Mti::from_digits(digits))
}

#[inline]
fn bitmap(encoding: Encoding, bytes: &[u8], at: &mut usize) -> Option<[u8; 8]> {
    let rest = bytes.get(*at..)?;
    if encoding == Encoding::Packed {
        *at += 8;
        return rest.first_chunk().copied();
    }
    let mut characters = *rest.first_chunk::<16>()?;
    *at += 16;
    hex::to_ascii(encoding, &mut characters);
    let (high, low) = (swar::hex(*characters.first_chunk()?)?, swar::hex(*characters.last_chunk()?)?);
    Some((u64::from(high) << 32 | u64::from(low)).to_be_bytes())
}

/// Neighbouring bytes that are to be of the same classes.
struct Stretch {
    allowed: u16,
    from: usize,
    to: usize,
}

impl Stretch {
    #[inline]
    fn is_good(&self, bytes: &[u8]) -> Option<()> {
        content::is_made_of(bytes.get(self.from..self.to)?, self.allowed).then_some(())
    }
}

/// A value that was found.
#[derive(Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
    /// In the units of its row.
    length: u16,
}

impl Value {
    /// The value of the field that begins here, if its plan tells how long it is.
    #[inline]
    fn find(plan: &Plan, bytes: &[u8], at: usize) -> Option<Value> {
        let (prefix, length) = match plan.shape {
            Shape::Fixed => {
                let end = at + usize::from(plan.bytes);
                return (end <= bytes.len()).then_some(Value { start: at, end, length: plan.length });
            }
            Shape::Ascii2 => (2, ascii(*bytes.get(at..)?.first_chunk::<2>()?)?),
            Shape::Ascii3 => (3, ascii(*bytes.get(at..)?.first_chunk::<3>()?)?),
            Shape::Packed1 => (1, packed(*bytes.get(at..)?.first_chunk::<1>()?)?),
            Shape::Packed2 => (2, packed(*bytes.get(at..)?.first_chunk::<2>()?)?),
            Shape::Row => return None,
        };
        let start = at + prefix;
        let end = start + plan.bytes_for(length);
        (length <= plan.length && end <= bytes.len()).then_some(Value { start, end, length })
    }

    /// The same by the field's row, if there is one.
    #[inline(never)]
    fn find_by_row(spec: &Spec, number: u8, bytes: &[u8], at: usize) -> Option<Value> {
        let mut cursor = Cursor::new(bytes.get(at..)?);
        let found = cursor.element(spec.field(number)?).ok()?;
        Some(Value { start: at + found.start, end: at + cursor.at(), length: found.length })
    }

    /// The bytes to be checked: with a prefix, if that is made of the same, and without a pad, which may be anything.
    #[inline]
    fn area(self, plan: &Plan, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let from = if plan.joined { at } else { self.start };
        if self.length & u16::from(plan.halves) == 0 {
            return Some((from, self.end));
        }
        let edge = *bytes.get(if plan.pads_first { self.start } else { self.end - 1 })?;
        if content::is_of(edge, plan.allowed) {
            return Some((from, self.end));
        }
        let (digit, area) = match plan.pads_first {
            true => (edge & 0x0F, (self.start + 1, self.end)),
            false => (edge >> 4, (from, self.end - 1)),
        };
        content::is_of(digit, plan.allowed).then_some(area)
    }

    /// Checks what only the row tells: objects, a sign, parts.
    #[inline(never)]
    fn check_by_row(self, spec: &Spec, number: u8, bytes: &[u8]) -> Option<()> {
        let field = spec.field(number)?;
        let found = Found { start: self.start, length: self.length, value: bytes.get(self.start..self.end)? };
        content::check(field, found.length, found.value).ok()?;
        let Some(composite) = field.parts_to_check() else { return Some(()) };
        let path = Path::new(number);
        parts::check(&parts::Held { field, composite, found, base: 0, path, sure: false }).ok()
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a message has at most MESSAGE_BYTES_MAX = 65535 bytes"
    )]
    fn span(self) -> Span {
        Span { start: self.start as u16, length: self.length }
    }
}

/// The number that digits are.
#[inline]
fn ascii<const N: usize>(characters: [u8; N]) -> Option<u16> {
    let digits = characters.map(|character| character ^ b'0');
    let good = digits.iter().all(|&digit| digit <= 9);
    good.then(|| digits.iter().fold(0, |number, &digit| 10 * number + u16::from(digit)))
}

/// The number that packed digits are.
#[inline]
fn packed<const N: usize>(bytes: [u8; N]) -> Option<u16> {
    let good = bytes.iter().all(|&byte| byte >> 4 <= 9 && byte & 0x0F <= 9);
    // Sixteens become tens.
    let pair = |byte: u8| u16::from(byte - byte / 16 * 6);
    good.then(|| bytes.iter().fold(0, |number, &byte| 100 * number + pair(byte)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::BytesMut;

    use super::*;
    use crate::build::Builder;
    use crate::error::EncodeError;

    /// Both passes over the same bytes must find the same, or both nothing.
    fn compare(spec: &Spec, bytes: &[u8]) {
        let (mut quick, mut careful) = (Message::unread(spec, bytes), Message::unread(spec, bytes));
        let found = locate(&mut quick).is_some();
        let error = careful.locate_carefully();
        if careful.bitmaps < 3 {
            assert_eq!(found, error.is_none(), "{error:?}");
        }
        if found {
            assert_eq!((quick.mti, quick.present), (careful.mti, careful.present));
            assert_eq!((quick.bitmaps, error), (careful.bitmaps, None));
            for field in careful.present {
                let [quick, careful] = [&quick, &careful].map(|message| message.spans[usize::from(field)]);
                assert_eq!((quick.start, quick.length), (careful.start, careful.length), "DE {field}");
            }
        }
    }

    /// A message, then every beginning of it and every change of one byte.
    fn examine(name: &str, mti: u16, fill: impl FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>) {
        let spec = Spec::shipped(name).unwrap();
        let mut wire = BytesMut::new();
        let mut builder = Builder::new(spec, &mut wire, Mti::new(mti));
        fill(&mut builder).unwrap();
        builder.finish().unwrap();
        assert!(locate(&mut Message::unread(spec, &wire)).is_some(), "{name} is read quickly");
        for length in 0..wire.len() {
            compare(spec, &wire[..length]);
        }
        for at in 0..wire.len() {
            let good = wire[at];
            for byte in 0..=u8::MAX {
                wire[at] = byte;
                compare(spec, &wire);
            }
            wire[at] = good;
        }
    }

    #[test]
    fn both_passes_agree_about_packed_digits() {
        examine("pos", 0x0200, |builder| {
            builder.digits(2, b"12345")?.number(3, 310_000)?.digits(22, b"021")?.digits(23, b"001")?;
            builder.digits(35, b"123=456")?.text(39, b"A0")?.text(41, b"77000001")?;
            builder.bytes(55, b"\x9F\x26\x02\xAA\xBB\x00\x82\x01\x00")?.digits(60, b"22000001001")?;
            builder.mac_placeholder(64).map(drop)
        });
        examine("iso1987-binary", 0x0420, |builder| {
            builder.digits(2, b"1234")?.number(3, 0)?.number(4, 1)?.digits(22, b"051")?;
            builder.text(28, b"D00000200")?.digits(35, b"12=3")?.text(49, b"156")?;
            builder.digits(90, b"020000004211220931000000480100000000000000")?.bytes(128, &[7; 8]).map(drop)
        });
    }

    #[test]
    fn both_passes_agree_about_characters() {
        examine("iso1987-ascii", 0x0420, |builder| {
            builder.digits(2, b"12345678")?.number(3, 310_000)?.number(11, 42)?.text(28, b"D00000200")?;
            builder
                .digits(35, b"123=456")?
                .text(37, b"532617 0000a")?
                .text(48, b"\x80?")?
                .text(49, b"156")?;
            builder.bytes(52, &[0xA5; 8])?.digits(90, b"020000004211220931000000480100000000000000")?;
            builder.text(95, b"000000000001000000000002C00000003D00000004")?.bytes(128, &[7; 8]).map(drop)
        });
        examine("ipm", 0x1240, |builder| {
            builder.digits(2, b"1234567890123456789")?.parts(48, |parts| {
                parts.text("PDS0052", b"210")?.text("PDS0158", b"CIR2200001  01").map(drop)
            })?;
            builder.number(71, 1).map(drop)
        });
    }
}
