//! The value of a composite, read part by part: bytes as they are, or bytes that stand there as hex characters.
//!
//! Counts and lengths are of bytes, as a specification has them; places are of the wire, where a byte in hex takes two.
//! Start at [`Lens`]; what the parts are is the business of `parts`.

use crate::composite::BitmapLayout;
use crate::content::{self, Violation};
use crate::cursor::{self, Cursor, Fault, Found};
use crate::digits::Digits;
use crate::error::DecodeErrorKind;
use crate::field::{Align, Class, Encoding, Field, Length, Unit};
use crate::hex;
use crate::part_bitmap::PartBitmap;
use crate::spec_file::PrefixEncoding;

/// How far a reader of parts is.
#[derive(Clone)]
pub(crate) struct Lens<'a> {
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    /// How the characters are written, if the value is in hex.
    hex: Option<Encoding>,
}

/// The longest head of a BER-TLV object: four bytes of tag, five of length.
const HEAD_MAX: usize = 9;

impl<'a> Lens<'a> {
    pub(crate) fn new(bytes: &'a [u8], hex: Option<Encoding>) -> Lens<'a> {
        Lens { bytes, cursor: Cursor::new(bytes), hex }
    }

    /// How the value's characters are written, if it is in hex.
    pub(crate) fn hex(&self) -> Option<Encoding> {
        self.hex
    }

    /// Bytes of the wire taken so far.
    pub(crate) fn at(&self) -> usize {
        self.cursor.at()
    }

    /// Bytes of the wire that are left.
    pub(crate) fn left(&self) -> usize {
        self.cursor.left()
    }

    /// What these bytes take on the wire.
    pub(crate) fn on_the_wire(&self, bytes: usize) -> usize {
        if self.hex.is_some() { bytes.saturating_mul(2) } else { bytes }
    }

    /// What was taken since a place.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        &self.bytes[from..self.at()]
    }

    /// The next bytes as they stand on the wire.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        self.cursor.take(self.on_the_wire(bytes))
    }

    /// Zero bytes that come next.
    pub(crate) fn zeros(&self) -> usize {
        let rest = &self.bytes[self.at()..];
        match self.hex {
            None => rest.iter().take_while(|&&byte| byte == 0).count(),
            Some(_) => hex::octets(rest).take_while(|&octet| octet == 0).count(),
        }
    }

    /// The first of the next bytes, as many as the head of an object can have.
    pub(crate) fn front<'b>(&self, room: &'b mut [u8; HEAD_MAX]) -> &'b [u8]
    where
        'a: 'b,
    {
        let rest = &self.bytes[self.at()..];
        if self.hex.is_none() {
            return &rest[..rest.len().min(HEAD_MAX)];
        }
        let count = (rest.len() / 2).min(HEAD_MAX);
        room.iter_mut().zip(hex::octets(rest)).for_each(|(to, octet)| *to = octet);
        &room[..count]
    }

    /// A number in so many bytes.
    pub(crate) fn number(&mut self, encoding: PrefixEncoding, needs: usize) -> Result<u32, Fault> {
        if self.hex.is_none() {
            return self.cursor.number(encoding, needs);
        }
        let at = self.at();
        let characters = self.take(needs)?;
        // At most six digits, or four bytes in hex.
        let mut room = [0; HEAD_MAX];
        room.iter_mut().zip(hex::octets(characters)).for_each(|(to, octet)| *to = octet);
        Cursor::new(&room[..needs]).number(encoding, needs).map_err(|fault| Fault { at, ..fault })
    }

    /// The bitmap in front of the parts.
    pub(crate) fn bitmap(&mut self, layout: BitmapLayout) -> Result<PartBitmap, Fault> {
        let encoding = self.hex.unwrap_or(layout.encoding);
        PartBitmap::read(&mut self.cursor, BitmapLayout { encoding, ..layout })
    }

    /// The next part that has no tag.
    pub(crate) fn element(&mut self, row: &Field) -> Result<Found<'a>, Fault> {
        if self.hex.is_none() {
            return self.cursor.element(row);
        }
        let at = self.at();
        let Length::Variable { max, .. } = row.length else {
            let length = row.max();
            let value = self.take(row.bytes_for(length))?;
            return Ok(Found { start: at, length, value });
        };
        let over = Fault { at, kind: DecodeErrorKind::LengthOverMax { max } };
        let count = match row.prefix_bytes() {
            0 => self.left() / 2,
            needs => {
                let number = self.number(row.prefix_encoding, needs)?;
                let none = Fault { at, kind: DecodeErrorKind::BadLengthPrefix };
                cursor::counted(row, number).ok_or(none)? as usize
            }
        };
        let units = if row.counts_bytes { None } else { Some(u16::try_from(count).map_err(|_| over)?) };
        if units.map_or(count, |units| row.bytes_for(units)) > row.bytes_for(max) {
            return Err(over);
        }
        let start = self.at();
        let value = self.take(units.map_or(count, |units| row.bytes_for(units)))?;
        let length = match units {
            Some(units) => units,
            None => self.units_in(row, value).map_err(|kind| Fault { at: start, kind })?,
        };
        if length > max { Err(over) } else { Ok(Found { start, length, value }) }
    }

    /// The length of a value of which only the bytes are counted.
    pub(crate) fn units_in(&self, row: &Field, value: &[u8]) -> Result<u16, DecodeErrorKind> {
        if self.hex.is_none() {
            return cursor::units_in(row, value);
        }
        let count = match row.unit {
            Unit::Nibble => {
                let edge = match row.align {
                    Align::Left => value.last(),
                    Align::Right => value.first(),
                };
                let padded = row.pad > 9 && edge.is_some_and(|&edge| hex::value(edge) == row.pad);
                value.len() - usize::from(padded)
            }
            _ => value.len() / 2,
        };
        u16::try_from(count).map_err(|_| DecodeErrorKind::LengthOverMax { max: row.max() })
    }

    /// Whether a value is what its class allows.
    pub(crate) fn check(&self, row: &Field, length: u16, value: &[u8]) -> Result<(), Violation> {
        match self.hex {
            None => content::check(row, length, value),
            Some(_) if row.unit == Unit::Nibble => check_digits(row, length, value),
            Some(_) => check_bytes(row, value),
        }
    }
}

/// Checks packed digits, of which each is one character. A pad may be anything.
fn check_digits(row: &Field, length: u16, characters: &[u8]) -> Result<(), Violation> {
    let first = usize::from(row.pads_first(length));
    let allows = |nibble| nibble <= 9 || (nibble == 0x0D && row.class == Class::Track);
    let digits = characters.iter().enumerate().skip(first).take(length.into());
    match digits.map(|(at, &character)| (at, hex::value(character))).find(|&(_, nibble)| !allows(nibble)) {
        Some((at, _)) => Err(Violation { at, tag: None, kind: content::digit_rule(row.class) }),
        None => Ok(()),
    }
}

/// Checks a value whose bytes are each allowed or not, some at a time.
fn check_bytes(row: &Field, characters: &[u8]) -> Result<(), Violation> {
    const ROOM: usize = 64;
    let mut room = [0; ROOM];
    for (index, some) in characters.chunks(2 * ROOM).enumerate() {
        room.iter_mut().zip(hex::octets(some)).for_each(|(to, octet)| *to = octet);
        let bytes = &room[..some.len() / 2];
        content::check(row, u16::try_from(bytes.len()).unwrap_or(u16::MAX), bytes)
            .map_err(|fault| Violation { at: 2 * (index * ROOM + fault.at), ..fault })?;
    }
    Ok(())
}

/// Packed digits in hex are one character each.
pub(crate) fn digits<'a>(row: &Field, encoding: Encoding, length: u16, characters: &'a [u8]) -> Digits<'a> {
    let first = usize::from(row.pads_first(length));
    let digits = characters.get(first..first + usize::from(length)).unwrap_or_default();
    Digits::characters(digits, encoding)
}

/// The bytes of a part as a number.
pub(crate) fn number(characters: &[u8]) -> Option<u64> {
    let fits = matches!(characters.len(), 2..=16);
    fits.then(|| hex::octets(characters).fold(0, |number, octet| number << 8 | u64::from(octet)))
}
