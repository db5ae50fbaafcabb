//! Composite values into bytes, part by part.
//!
//! Start at [`PartsBuilder`], which [`crate::Builder::parts`] hands out. Heads (tags, lengths, bitmaps) are written
//! here, values by `pack`; whether the whole is good, the builder checks when it is done.

use crate::composite::{BitmapLayout, Composite, Key, Kind, Tag, TagLayout};
use crate::digits::Digits;
use crate::element::Element;
use crate::error::{EncodeError, EncodeErrorKind};
use crate::field::{Encoding, Field, Length};
use crate::hex;
use crate::out::Out;
use crate::pack;
use crate::path::{Path, Step};
use crate::signed::Signed;

/// Writes the parts of one composite value, ascending where they have numbers, in any order where they have tags.
///
/// A part is named as in a path: `3`, `9F26`, `PDS0158`. The first error ends the message, as with
/// [`crate::Builder`].
pub struct PartsBuilder<'s, 'b> {
    composite: &'s Composite,
    path: Path,
    out: Out<'b>,
    /// Where the value begins in `out`.
    start: usize,
    /// The last number that was put, 0 at first.
    last: u8,
    /// Bytes of bitmaps in front of the parts.
    bitmap_bytes: usize,
    bits: [u8; 32],
}

type Put<'p, P> = Result<&'p mut P, EncodeError>;

impl<'s> PartsBuilder<'s, '_> {
    /// Puts the digits of an `n` or `z` part, given as ASCII.
    ///
    /// # Errors
    /// Any rule of the specification, or a part out of order.
    pub fn digits(&mut self, step: &str, ascii_digits: &[u8]) -> Put<'_, Self> {
        self.put(step, |row, out| pack::digits(row, out, ascii_digits))
    }

    /// Puts a number into a fixed `n` part, with leading zeros.
    ///
    /// # Errors
    /// Any rule of the specification, a number too large, or a part out of order.
    pub fn number(&mut self, step: &str, value: u64) -> Put<'_, Self> {
        self.put(step, |row, out| pack::number(row, out, value))
    }

    /// Puts an amount with its sign into an `xn` part.
    ///
    /// # Errors
    /// Any rule of the specification, an amount too large, or a part out of order.
    pub fn signed(&mut self, step: &str, value: Signed) -> Put<'_, Self> {
        self.put(step, |row, out| pack::signed(row, out, value))
    }

    /// Puts the text of an `an`, `ans` or `xn` part.
    ///
    /// # Errors
    /// Any rule of the specification, or a part out of order.
    pub fn text(&mut self, step: &str, text: &[u8]) -> Put<'_, Self> {
        self.put(step, |row, out| pack::text(row, out, text))
    }

    /// Puts the bytes of a `b` or `tlv` part, or of a tag that the specification does not know.
    ///
    /// # Errors
    /// Any rule of the specification, or a part out of order.
    pub fn bytes(&mut self, step: &str, raw: &[u8]) -> Put<'_, Self> {
        self.put_or_unknown(step, |row, out| match row {
            Some(row) => pack::bytes(row, out, raw),
            None => {
                out.put_slice(raw);
                Ok(0)
            }
        })
    }

    /// Puts a part that is made up of parts.
    ///
    /// # Errors
    /// Any that `fill` returns, or a part that has no parts.
    pub fn parts(
        &mut self,
        step: &str,
        fill: impl FnOnce(&mut PartsBuilder<'s, '_>) -> Result<(), EncodeError>,
    ) -> Put<'_, Self> {
        let (path, _) = self.named(step)?;
        let mut inner = None;
        let put = self.put(step, |row, out| {
            write(row, path, out, fill).map_err(|error| {
                inner = Some(error);
                error.kind
            })
        });
        match (put.map(drop), inner) {
            (Ok(()), _) => Ok(self),
            (Err(_), Some(error)) | (Err(error), None) => Err(error),
        }
    }

    /// Puts a part of another message byte for byte as it stood there, its head, pad nibbles and unknown tags
    /// included. That message must be of the same specification, and the part from the same place in it.
    ///
    /// # Errors
    /// A part from elsewhere, or out of order.
    pub fn keep(&mut self, part: &Element<'_>) -> Put<'_, Self> {
        let step = part.path.steps().last().map(Step::as_str).unwrap_or_default();
        let (path, key) = self.named(step)?;
        if let Some(digits) = part.digits().filter(|_| matches!(self.composite.kind, Kind::Digits)) {
            let written = self.number_of(key).map(|()| put_characters(&mut self.out, digits));
            return self.done(path, written);
        }
        let written = self.number_of(key).map(|()| put_wire(&mut self.out, part, part.wire));
        self.done(path, written)
    }

    /// Puts a part of another message that is made up of parts; `fill` says which they are now. Its tag is written as
    /// it was, and so is its length in whatever form, as long as the value has that length.
    ///
    /// # Errors
    /// Any that `fill` returns, or a part from elsewhere or out of order.
    pub fn edit(
        &mut self,
        part: &Element<'_>,
        fill: impl FnOnce(&mut PartsBuilder<'s, '_>) -> Result<(), EncodeError>,
    ) -> Put<'_, Self> {
        let at = self.out.len();
        let step = part.path.steps().last().copied();
        let step = step.as_ref().map(Step::as_str).unwrap_or_default();
        self.parts(step, fill)?;
        // What was written is a head and a value; the value goes behind the old head if that still fits.
        let (old_head, old_tail) = part.around();
        let (_, key) = self.named(step)?;
        let new_head = self.head_bytes(key, at);
        let value = self.out.len() - at - new_head;
        let old_value = octets_in(part, part.value);
        if matches!(key, Key::Tag(_)) && value == old_value {
            let old = octets_in(part, old_head);
            self.out.open(at, old);
            self.out.close_gap(at + old, new_head);
            fill_octets(part, old_head, &mut self.out.written_mut(at)[..old]);
            put_wire(&mut self.out, part, old_tail);
        }
        Ok(self)
    }

    /// Bytes of tag and length of the object that was written at this place.
    fn head_bytes(&self, key: Key, at: usize) -> usize {
        match (&self.composite.kind, key) {
            (Kind::Tags(layout), _) => layout.tag_bytes() + layout.size_bytes(),
            (_, Key::Tag(tag)) => {
                let tag = tag.bytes().len();
                let size = self.out.written(at + tag).first().copied().unwrap_or_default();
                // 81 and 82 are followed by so many bytes of length.
                tag + 1 + if size > 0x80 { usize::from(size & 0x7F) } else { 0 }
            }
            _ => 0,
        }
    }

    fn named(&self, step: &str) -> Result<(Path, Key), EncodeError> {
        let error = || EncodeError { path: self.path.into(), kind: EncodeErrorKind::UnknownPart };
        let path = self.path.name(step).ok_or_else(error)?;
        let key = path.steps().last().and_then(|step| self.composite.key(step)).ok_or_else(error)?;
        Ok((self.path.step_if_room(self.composite.kind.step(key)), key))
    }

    fn done(&mut self, path: Path, written: Result<(), EncodeErrorKind>) -> Put<'_, Self> {
        match written {
            Ok(()) => Ok(self),
            Err(kind) => Err(EncodeError { path: path.into(), kind }),
        }
    }

    /// Puts a part, known or not: `value` is given its row, or none for a tag that the specification does not know.
    pub(crate) fn put_or_unknown(
        &mut self,
        step: &str,
        value: impl FnOnce(Option<&'s Field>, &mut Out<'_>) -> Result<u16, EncodeErrorKind>,
    ) -> Put<'_, Self> {
        let (path, key) = self.named(step)?;
        if self.composite.part(key).is_some() || !matches!(key, Key::Tag(_)) {
            return self.put(step, |row, out| value(Some(row), out));
        }
        let written = self.tagged(key, |out| value(None, out));
        self.done(path, written.map(drop))
    }

    fn put(
        &mut self,
        step: &str,
        value: impl FnOnce(&'s Field, &mut Out<'_>) -> Result<u16, EncodeErrorKind>,
    ) -> Put<'_, Self> {
        let (path, key) = self.named(step)?;
        let Some(row) = self.composite.part(key) else {
            return self.done(path, Err(EncodeErrorKind::UnknownPart));
        };
        let written = match (key, &self.composite.kind) {
            (Key::Number(_), Kind::Digits) => self.number_of(key).and_then(|()| self.part_digits(row, value)),
            (Key::Number(_), _) => self.number_of(key).and_then(|()| value(row, &mut self.out).map(drop)),
            (Key::Tag(_), _) => self.tagged(key, |out| value(row, out)).map(drop),
        };
        self.done(path, written)
    }

    /// Digits that are packed when all are there stand as characters until then.
    fn part_digits(
        &mut self,
        row: &'s Field,
        value: impl FnOnce(&'s Field, &mut Out<'_>) -> Result<u16, EncodeErrorKind>,
    ) -> Result<(), EncodeErrorKind> {
        let at = self.out.len();
        let count = usize::from(value(row, &mut self.out)?);
        let packed = self.out.written(at).len();
        // From the last on, so that no digit is written over one that is still to be read.
        self.out.room(count - packed);
        let digits = self.out.written_mut(at);
        for index in (0..count).rev() {
            let byte = digits[index / 2];
            digits[index] = b'0' + if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F };
        }
        Ok(())
    }

    /// Takes note of a part with a number, which must follow those put before.
    fn number_of(&mut self, key: Key) -> Result<(), EncodeErrorKind> {
        let Key::Number(number) = key else { return Ok(()) };
        let follows = match self.composite.kind {
            Kind::Bitmap(_) => number > self.last,
            _ => Some(number) == self.last.checked_add(1),
        };
        if !follows {
            return Err(EncodeErrorKind::PartOutOfOrder { last: self.last });
        }
        self.last = number;
        if let Kind::Bitmap(layout) = self.composite.kind {
            self.promise(layout, number);
        }
        Ok(())
    }

    /// Sets a part's bit, and makes room for the bitmap that holds it.
    fn promise(&mut self, layout: BitmapLayout, number: u8) {
        let index = usize::from(number) - 1;
        self.bits[index / 8] |= 0x80 >> (index % 8);
        let each = usize::from(layout.bytes);
        let wire = wire_bytes(layout);
        while self.bitmap_bytes / wire * each * 8 <= index {
            self.out.open(self.start + self.bitmap_bytes, wire);
            self.bitmap_bytes += wire;
        }
    }

    /// An object: its tag, its length, and what `value` writes.
    fn tagged(
        &mut self,
        key: Key,
        value: impl FnOnce(&mut Out<'_>) -> Result<u16, EncodeErrorKind>,
    ) -> Result<u16, EncodeErrorKind> {
        let Key::Tag(tag) = key else { return Err(EncodeErrorKind::UnknownPart) };
        let by_units = self.composite.part(key).is_some_and(Field::is_counted_by_tag);
        match &self.composite.kind {
            Kind::Tags(layout) => tag_size_value(&mut self.out, tag, layout, by_units, value),
            _ => ber_object(&mut self.out, tag, by_units, value),
        }
    }

    /// Fills in the bitmaps and packs the digits; what stands behind `start` is then the value.
    fn finish(&mut self, row: &Field) -> Result<u16, EncodeErrorKind> {
        match self.composite.kind {
            Kind::Digits => return pack_in_place(row, &mut self.out, self.start),
            Kind::Bitmap(layout) => self.fill_bitmaps(layout),
            _ => {}
        }
        let bytes = self.out.len() - self.start;
        if !row.is_hex() {
            return pack::measure_bytes(row, bytes);
        }
        let length = pack::measure(row, bytes)?;
        into_hex(&mut self.out, self.start, row.encoding);
        Ok(length)
    }

    fn fill_bitmaps(&mut self, layout: BitmapLayout) {
        let wire = wire_bytes(layout);
        let segments = self.bitmap_bytes / wire;
        let each = usize::from(layout.bytes);
        for segment in 0..segments {
            let bits = &mut self.bits[segment * each..(segment + 1) * each];
            if layout.continued && segment + 1 < segments {
                bits[0] |= 0x80;
            }
            let room = &mut self.out.written_mut(self.start + segment * wire)[..wire];
            match layout.encoding {
                Encoding::Packed => room.copy_from_slice(bits),
                encoding => hex::fill(encoding, bits, room),
            }
        }
    }
}

/// Writes what stood in another message; what stands there in hex is bytes until its holder is done.
fn put_wire(out: &mut Out<'_>, part: &Element<'_>, wire: &[u8]) {
    fill_octets(part, wire, out.room(octets_in(part, wire)));
}

/// The bytes that stand in a piece of the wire around a part.
fn octets_in(part: &Element<'_>, wire: &[u8]) -> usize {
    if part.hex.is_some() { wire.len() / 2 } else { wire.len() }
}

fn fill_octets(part: &Element<'_>, wire: &[u8], room: &mut [u8]) {
    match part.hex {
        None => room.copy_from_slice(wire),
        Some(_) => room.iter_mut().zip(hex::octets(wire)).for_each(|(to, octet)| *to = octet),
    }
}

/// Makes hex characters of the bytes from `start` on.
fn into_hex(out: &mut Out<'_>, start: usize, encoding: Encoding) {
    let bytes = out.written(start).len();
    out.room(bytes);
    let written = out.written_mut(start);
    // From the end, so that no byte is written over before it was read.
    for index in (0..bytes).rev() {
        let pair = hex::pair_in(encoding, written[index]);
        written[2 * index..][..2].copy_from_slice(&pair);
    }
}

fn wire_bytes(layout: BitmapLayout) -> usize {
    let bytes = usize::from(layout.bytes);
    if layout.encoding == Encoding::Packed { bytes } else { 2 * bytes }
}

/// Writes a composite value behind its prefix; its length in the units of the row.
pub(crate) fn write<'s>(
    row: &'s Field,
    path: Path,
    out: &mut Out<'_>,
    fill: impl FnOnce(&mut PartsBuilder<'s, '_>) -> Result<(), EncodeError>,
) -> Result<u16, EncodeError> {
    let error = |kind| EncodeError { path: path.into(), kind };
    let composite = row.parts_of().ok_or(error(EncodeErrorKind::WrongClass))?;
    let prefix_at = out.len();
    out.room(row.prefix_bytes());
    let start = out.len();
    let inner = out.reborrow();
    let mut parts =
        PartsBuilder { composite, path, out: inner, start, last: 0, bitmap_bytes: 0, bits: [0; 32] };
    fill(&mut parts)?;
    let length = parts.finish(row).map_err(error)?;
    let end = parts.out.len();
    out.set_len(end);
    if let Length::Variable { .. } = row.length {
        let counted = if row.counts_bytes { out.len() - start } else { length.into() };
        let room = &mut out.written_mut(prefix_at)[..start - prefix_at];
        pack::put_number(row.prefix_encoding, row.said(counted), room);
    }
    Ok(length)
}

/// Makes packed digits of the characters from `start` on.
fn pack_in_place(row: &Field, out: &mut Out<'_>, start: usize) -> Result<u16, EncodeErrorKind> {
    let length = pack::measure(row, out.len() - start)?;
    let first = usize::from(row.pads_first(length));
    let pad = row.pad;
    let digits = out.written_mut(start);
    // What is written stands never behind what is still to be read.
    for index in 0..usize::from(length) {
        let (digit, place) = (digits[index] & 0x0F, index + first);
        digits[place / 2] = match (place % 2, place) {
            (0, _) => digit << 4 | if index + 1 == usize::from(length) { pad } else { 0 },
            (_, 1) if first == 1 => pad << 4 | digit,
            _ => digits[place / 2] & 0xF0 | digit,
        };
    }
    out.set_len(start + row.bytes_for(length));
    Ok(length)
}

fn tag_size_value(
    out: &mut Out<'_>,
    tag: Tag,
    layout: &TagLayout,
    by_units: bool,
    value: impl FnOnce(&mut Out<'_>) -> Result<u16, EncodeErrorKind>,
) -> Result<u16, EncodeErrorKind> {
    out.put_slice(tag.bytes());
    let size_at = out.len();
    out.room(layout.size_bytes());
    let at = out.len();
    let length = value(out)?;
    let size = if by_units { length.into() } else { out.len() - at };
    if size > layout.size_max() {
        return Err(EncodeErrorKind::TooLong {
            max: u16::try_from(layout.size_max()).unwrap_or(u16::MAX),
            given: size,
        });
    }
    pack::put_number(layout.size.encoding, size, &mut out.written_mut(size_at)[..at - size_at]);
    Ok(length)
}

/// The shortest form of length is written (ISO/IEC 8825-1, 10.1).
fn ber_object(
    out: &mut Out<'_>,
    tag: Tag,
    by_units: bool,
    value: impl FnOnce(&mut Out<'_>) -> Result<u16, EncodeErrorKind>,
) -> Result<u16, EncodeErrorKind> {
    out.put_slice(tag.bytes());
    let size_at = out.len();
    out.put_slice(&[0]);
    let length = value(out)?;
    let size = if by_units { length.into() } else { out.len() - size_at - 1 };
    let bytes = size.to_be_bytes();
    let (first, long) = match size {
        0..=0x7F => (bytes[bytes.len() - 1], 0),
        0x80..=0xFF => (0x81, 1),
        0x100..=0xFFFF => (0x82, 2),
        _ => return Err(EncodeErrorKind::TooLong { max: u16::MAX, given: size }),
    };
    out.open(size_at + 1, long);
    let head = out.written_mut(size_at);
    head[0] = first;
    head[1..1 + long].copy_from_slice(&bytes[bytes.len() - long..]);
    Ok(length)
}

/// Writes digits as characters.
fn put_characters(out: &mut Out<'_>, digits: Digits<'_>) {
    let room = out.room(digits.len());
    room.iter_mut().zip(digits.iter()).for_each(|(to, digit)| *to = b'0' + digit);
}
