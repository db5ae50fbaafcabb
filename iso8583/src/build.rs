//! Messages into bytes, checked by the same table that decodes them.
//!
//! Start at [`Builder::new`]. The caller owns the buffer; a message that is not
//! finished leaves no trace in it.

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, BytesMut};

use crate::MESSAGE_BYTES_MAX;
use crate::build_parts::{self, PartsBuilder};
use crate::charset;
use crate::cursor::Found;
use crate::error::{EncodeError, EncodeErrorKind, FieldPath};
use crate::field::{Class, Encoding, Field, Length, Unit};
use crate::field_set::FieldSet;
use crate::hex;
use crate::message::Message;
use crate::mti::Mti;
use crate::pack;
use crate::parts::{self, Held};
use crate::path::Path;
use crate::signed::Signed;
use crate::spec::Spec;
use crate::spec_file::Tertiary;

/// Writes one message to the end of a caller's buffer, field by field in
/// ascending order.
///
/// After the first error, or when dropped without [`Builder::finish`], the
/// buffer is as it was before.
pub struct Builder<'s, 'b> {
    spec: &'s Spec,
    out: &'b mut BytesMut,
    /// Where the MTI stands in `out`.
    start: usize,
    mti: Mti,
    present: FieldSet,
    last: u8,
    after_mac: bool,
    /// Where the first field above 64 begins, and where the tertiary bitmap
    /// stands, counted from the MTI.
    high_at: Option<usize>,
    tertiary_at: Option<usize>,
    owes_tertiary: bool,
    /// The first error; every later call repeats it.
    failed: Option<EncodeError>,
    finished: bool,
}

impl<'s, 'b> Builder<'s, 'b> {
    /// Begins a message: its MTI and room for the bitmap. A field above 64
    /// brings the secondary bitmap when it is put.
    pub fn new(spec: &'s Spec, out: &'b mut BytesMut, mti: Mti) -> Builder<'s, 'b> {
        let start = out.len();
        match spec.mti {
            Encoding::Packed | Encoding::Binary => out.put_u16(mti.raw()),
            Encoding::Ascii => out.put_slice(&mti.to_ascii()),
            Encoding::Ebcdic(_) => out.put_slice(&mti.to_ascii().map(charset::from_ascii)),
        }
        out.put_bytes(0, spec.bitmap_bytes());
        let failed =
            (!mti.is_bcd()).then_some(EncodeError { path: FieldPath::Mti, kind: EncodeErrorKind::BadMti });
        let present = FieldSet::default();
        let (high_at, tertiary_at) = (None, None);
        let (after_mac, owes_tertiary, finished) = (false, false, false);
        Builder {
            spec,
            out,
            start,
            mti,
            present,
            last: 1,
            after_mac,
            high_at,
            tertiary_at,
            owes_tertiary,
            failed,
            finished,
        }
    }

    /// Begins a message that has the secondary bitmap from the start, so that a
    /// field above 64 moves nothing; without such a field that bitmap is empty.
    pub fn with_secondary(spec: &'s Spec, out: &'b mut BytesMut, mti: Mti) -> Builder<'s, 'b> {
        let mut builder = Builder::new(spec, out, mti);
        builder.open_secondary();
        builder
    }

    /// Puts the digits of an `n` or `z` field, given as ASCII; in a `z` field
    /// the separator may be written `=` or `D`, and goes out as `=` in ASCII.
    ///
    /// # Errors
    /// Any rule of the table, or a field out of order.
    pub fn digits(&mut self, field: u8, ascii_digits: &[u8]) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::digits(row, out, ascii_digits))
    }

    /// Puts a number into a fixed `n` field, with leading zeros.
    ///
    /// # Errors
    /// Any rule of the table, a number too large, or a field out of order.
    pub fn number(&mut self, field: u8, value: u64) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::number(row, out, value))
    }

    /// Puts an amount with its sign into an `xn` field, with leading zeros.
    ///
    /// # Errors
    /// Any rule of the table, an amount too large, or a field out of order.
    pub fn signed(&mut self, field: u8, value: Signed) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::signed(row, out, value))
    }

    /// Puts the text of an `an`, `ans` or `xn` field, given in ASCII (or all
    /// of ISO 8859-1, for EBCDIC).
    ///
    /// # Errors
    /// Any rule of the table, or a field out of order.
    pub fn text(&mut self, field: u8, text: &[u8]) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::text(row, out, text))
    }

    /// Puts the bytes of a `b` or `tlv` field; where the table says so they go
    /// out as hex characters.
    ///
    /// # Errors
    /// Any rule of the table, or a field out of order.
    pub fn bytes(&mut self, field: u8, raw: &[u8]) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::bytes(row, out, raw))
    }

    /// Puts a field that is made up of parts.
    ///
    /// ```
    /// # use bytes::BytesMut;
    /// # use iso8583::{Builder, Message, Mti, Spec};
    /// # let spec = Spec::shipped("ipm").expect("shipped");
    /// let mut wire = BytesMut::new();
    /// let mut builder = Builder::new(spec, &mut wire, Mti::new(0x1240));
    /// builder.parts(48, |parts| {
    ///     parts.text("PDS0052", b"210")?.text("PDS0158", b"CIR2200001  01")?;
    ///     Ok(())
    /// })?;
    /// builder.finish()?;
    /// let message = Message::decode(spec, &wire)?;
    /// assert!(message.part(&"48.PDS0052".parse()?).is_some_and(|part| part.is_text(b"210")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Any that `fill` returns, any rule of the table, or a field that has no
    /// parts or is out of order.
    pub fn parts(
        &mut self,
        field: u8,
        fill: impl FnOnce(&mut PartsBuilder<'s, '_>) -> Result<(), EncodeError>,
    ) -> Result<&mut Self, EncodeError> {
        let mut inner = None;
        let path = Path::new(field);
        let put = self.put(field, |row, out| {
            build_parts::write(row, path, out, fill).map_err(|error| {
                inner = Some(error);
                error.kind
            })
        });
        match (put.map(drop), inner) {
            (Ok(()), _) => Ok(self),
            (Err(error), None) => Err(error),
            (Err(_), Some(error)) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Puts a field of another message byte for byte as it stood there, pad
    /// nibbles included; nothing if that message lacks it. The other message
    /// must be of this very table.
    ///
    /// # Errors
    /// Another table, or a field out of order.
    pub fn keep(&mut self, field: u8, from: &Message<'_>) -> Result<&mut Self, EncodeError> {
        let Some((_, wire, length)) = from.written(field) else { return Ok(self) };
        let same = std::ptr::eq(self.spec, from.spec());
        self.put(field, |_, out| {
            out.put_slice(wire);
            if same { Ok(length) } else { Err(EncodeErrorKind::WrongClass) }
        })
    }

    /// Puts the same value that another message has in this field, as an
    /// answer echoes its request; nothing if that message lacks it. The other
    /// message may be of another table, if the field has the same class there.
    /// Pad nibbles come out clean.
    ///
    /// # Errors
    /// Any rule of this builder's table, or a field out of order.
    pub fn copy(&mut self, field: u8, from: &Message<'_>) -> Result<&mut Self, EncodeError> {
        let Some((source, wire, length)) = from.written(field) else { return Ok(self) };
        if std::ptr::eq(self.spec, from.spec()) && takes_as_it_is(source, length) {
            return self.put(field, |_, out| {
                out.put_slice(wire);
                Ok(length)
            });
        }
        self.copy_value(field, from)
    }

    /// Puts a value anew that another table may write otherwise.
    fn copy_value(&mut self, field: u8, from: &Message<'_>) -> Result<&mut Self, EncodeError> {
        let Some(source) = from.element(field) else { return Ok(self) };
        self.put(field, |row, out| {
            if Some(row.class) != source.row.map(Field::class) {
                return Err(EncodeErrorKind::WrongClass);
            }
            if let Some(digits) = source.digits() {
                let nibbles = (0..digits.len()).map(|at| digits.nibble(at));
                return pack::put_digits(row, out, digits.len(), nibbles);
            }
            if let Some(signed) = source.signed() {
                return pack::signed(row, out, signed);
            }
            if let Some(number) = source.number() {
                return pack::number(row, out, number);
            }
            match (source.octets(), source.text()) {
                (Some(octets), _) if row.class == Class::Binary => pack::put_octets(row, out, octets.iter()),
                (None, Some(text)) => pack::put_characters(row, out, text),
                _ => pack::raw(row, out, source.raw()),
            }
        })
    }

    /// Reserves a fixed 8-byte `b` field, the message's last, and returns its
    /// position from the MTI's first byte: the MAC covers what stands before
    /// it, once [`Builder::finish`] has filled in the bitmap. In a packed table
    /// 8 bytes are reserved, in an ASCII table 16 upper-case hex characters
    /// ([`Field::encoding`] tells which).
    ///
    /// # Errors
    /// A field of another form, or out of order.
    pub fn mac_placeholder(&mut self, field: u8) -> Result<usize, EncodeError> {
        let mut reserved = 0;
        self.put(field, |row, out| match (row.class, row.length) {
            (Class::Binary, Length::Fixed(MAC_BYTES)) => {
                reserved = row.bytes_for(MAC_BYTES);
                pack::put_octets(row, out, [0; MAC_BYTES as usize].into_iter())
            }
            _ => Err(EncodeErrorKind::WrongClass),
        })?;
        self.after_mac = true;
        Ok(self.out.len() - reserved - self.start)
    }

    /// Fills in the bitmap and returns where the message stands in the buffer.
    ///
    /// # Errors
    /// The first error any call met; the buffer is then as it was before.
    pub fn finish(mut self) -> Result<Range<usize>, EncodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.owes_tertiary && self.tertiary_at.is_none() {
            self.open_tertiary();
        }
        let [primary, secondary, tertiary] = self.present.to_bitmaps();
        let mut at = self.start + self.spec.mti_bytes();
        self.put_bitmap(&mut at, primary);
        if self.present.contains(1) {
            self.put_bitmap(&mut at, secondary);
        }
        if let Some(mut at) = self.tertiary_at.map(|at| self.start + at) {
            self.put_bitmap(&mut at, tertiary);
        }
        self.finished = true;
        Ok(self.start..self.out.len())
    }

    fn put_bitmap(&mut self, at: &mut usize, bitmap: [u8; 8]) {
        let room = &mut self.out[*at..*at + self.spec.bitmap_bytes()];
        match self.spec.bitmap {
            Encoding::Packed => room.copy_from_slice(&bitmap),
            encoding => {
                let pairs = room.chunks_exact_mut(2).zip(bitmap);
                pairs.for_each(|(pair, octet)| pair.copy_from_slice(&hex::pair_in(encoding, octet)));
            }
        }
        *at += room.len();
    }

    pub(crate) fn put(
        &mut self,
        field: u8,
        write: impl FnOnce(&'s Field, &mut BytesMut) -> Result<u16, EncodeErrorKind>,
    ) -> Result<&mut Self, EncodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.try_put(field, write) {
            Ok(()) => Ok(self),
            Err((path, kind)) => {
                let error = EncodeError { path, kind };
                self.failed = Some(error);
                self.out.truncate(self.start);
                Err(error)
            }
        }
    }

    fn try_put(
        &mut self,
        field: u8,
        write: impl FnOnce(&'s Field, &mut BytesMut) -> Result<u16, EncodeErrorKind>,
    ) -> Result<(), (FieldPath, EncodeErrorKind)> {
        let fault = |kind| (FieldPath::Field(field), kind);
        if self.after_mac {
            return Err(fault(EncodeErrorKind::AfterMac));
        }
        if field <= self.last {
            return Err(fault(EncodeErrorKind::OutOfOrder { last: self.last }));
        }
        let spec = self.spec;
        let row = spec.field(field).ok_or(fault(EncodeErrorKind::UnknownField))?;
        if field > 64 {
            self.open_bitmaps(field);
        }
        let at = self.out.len();
        let length = write(row, self.out).map_err(fault)?;
        if let Some(composite) = &row.composite {
            let found = Found { start: 0, length, value: &self.out[at + row.prefix_bytes()..] };
            let held = Held { field: row, composite, found, base: 0, path: Path::new(field), sure: false };
            parts::check(&held).map_err(|error| {
                (error.path, EncodeErrorKind::Content { index: error.offset, rule: error.kind })
            })?;
        }
        if self.out.len() - self.start > MESSAGE_BYTES_MAX {
            return Err(fault(EncodeErrorKind::MessageTooLong { max: MESSAGE_BYTES_MAX }));
        }
        self.present.insert(field);
        self.last = field;
        Ok(())
    }

    /// Begins with as many bitmaps as a message had, whether fields need them or
    /// not; a tertiary one in the place of field 65 waits for its turn.
    pub(crate) fn open_as(&mut self, bitmaps: u8) {
        if bitmaps > 1 {
            self.open_secondary();
        }
        match self.spec.tertiary {
            Tertiary::Head if bitmaps > 2 => self.open_tertiary(),
            Tertiary::Field => self.owes_tertiary = bitmaps > 2,
            _ => {}
        }
    }

    /// Makes room for the bitmap that this field above 64 needs.
    fn open_bitmaps(&mut self, field: u8) {
        if !self.present.contains(1) {
            self.open_secondary();
        }
        if self.high_at.is_none() {
            self.high_at = Some(self.out.len() - self.start);
        }
        if (field > 128 || self.owes_tertiary) && self.tertiary_at.is_none() {
            self.open_tertiary();
        }
    }

    /// Makes room for the secondary bitmap by moving the fields put so far.
    fn open_secondary(&mut self) {
        self.insert_bitmap(self.spec.mti_bytes() + self.spec.bitmap_bytes());
        self.present.insert(1);
    }

    /// Makes room for the tertiary bitmap: behind the secondary, or behind the
    /// last field below 65.
    pub(crate) fn open_tertiary(&mut self) {
        let end = self.out.len() - self.start;
        let at = match self.spec.tertiary {
            Tertiary::Head => self.spec.mti_bytes() + 2 * self.spec.bitmap_bytes(),
            Tertiary::Field | Tertiary::None => self.high_at.unwrap_or(end),
        };
        self.insert_bitmap(at);
        self.tertiary_at = Some(at);
        self.present.insert(65);
    }

    /// Moves what stands from here on, counted from the MTI, to make room.
    fn insert_bitmap(&mut self, at: usize) {
        let bitmap = self.spec.bitmap_bytes();
        let from = self.start + at;
        let end = self.out.len();
        self.out.put_bytes(0, bitmap);
        self.out.copy_within(from..end, from + bitmap);
    }
}

impl Drop for Builder<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// The MTI and which fields there are, no values.
impl fmt::Debug for Builder<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} {}, fields ", self.spec.name(), self.mti)?;
        f.debug_list()
            .entries(self.present.filter(|&number| number != 1 && self.spec.field(number).is_some()))
            .finish()?;
        f.write_str(")")
    }
}

/// Whether a value that this very table checked can be copied byte by byte: it
/// has neither a pad nibble nor separators that might have to be written
/// otherwise.
#[inline]
fn takes_as_it_is(row: &Field, length: u16) -> bool {
    match row.unit {
        Unit::Byte | Unit::Pair => row.class != Class::Track,
        Unit::Nibble => row.class != Class::Track && length.is_multiple_of(2),
        Unit::SignAndNibbles => !length.is_multiple_of(2),
    }
}

/// Bytes of a MAC, however they are written (ISO 8583:1987, elements 64 and
/// 128).
const MAC_BYTES: u16 = 8;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::error::DecodeErrorKind;
    use EncodeErrorKind::*;

    /// What one call makes of an empty message: the bytes behind the bitmap.
    fn put<F>(call: F) -> Result<Vec<u8>, EncodeErrorKind>
    where
        F: FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
    {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
        let called = call(&mut builder);
        let finished = builder.finish();
        assert_eq!(called.err(), finished.clone().err(), "finish repeats the error");
        match finished {
            // 2 bytes of MTI and 8 of bitmap.
            Ok(range) => Ok(out[range][10..].to_vec()),
            Err(error) => {
                assert_eq!(out, &b"before"[..], "an error leaves nothing behind");
                Err(error.kind)
            }
        }
    }

    #[test]
    fn digits_are_packed_by_the_table() {
        for (name, field, digits, want) in [
            ("fixed", 3, &b"310000"[..], Ok(vec![0x31, 0x00, 0x00])),
            ("odd, left", 22, b"021", Ok(vec![0x02, 0x10])),
            ("odd, right", 23, b"001", Ok(vec![0x00, 0x01])),
            ("variable, even", 2, b"1234", Ok(vec![0x04, 0x12, 0x34])),
            ("variable, odd", 2, b"12345", Ok(vec![0x05, 0x12, 0x34, 0x50])),
            ("variable, none", 2, b"", Ok(vec![0x00])),
            (
                "three-digit prefix",
                60,
                b"22000001001",
                Ok(vec![0x00, 0x11, 0x22, 0x00, 0x00, 0x01, 0x00, 0x10]),
            ),
            ("a track", 35, b"12=34D5", Ok(vec![0x07, 0x12, 0xD3, 0x4D, 0x50])),
            ("fixed, one short", 3, b"31000", Err(WrongLength { needs: 6, given: 5 })),
            ("fixed, one over", 3, b"3100000", Err(WrongLength { needs: 6, given: 7 })),
            ("variable, one over", 2, &[b'1'; 20], Err(TooLong { max: 19, given: 20 })),
            ("beyond any length", 2, &[b'1'; 70_000], Err(TooLong { max: 19, given: 70_000 })),
            ("a letter", 3, b"31A000", Err(Content { index: 2, rule: DecodeErrorKind::BadDigit })),
            (
                "a separator outside a track",
                2,
                b"12=4",
                Err(Content { index: 2, rule: DecodeErrorKind::BadDigit }),
            ),
            (
                "a letter in a track",
                35,
                b"12F4",
                Err(Content { index: 2, rule: DecodeErrorKind::BadTrackDigit }),
            ),
            ("text", 41, b"77000001", Err(WrongClass)),
            ("no such field", 5, b"1", Err(UnknownField)),
            ("the bitmap's bit", 1, b"1", Err(OutOfOrder { last: 1 })),
        ] {
            assert_eq!(put(|builder| builder.digits(field, digits).map(drop)), want, "{name}");
        }
    }

    #[test]
    fn numbers_fill_their_field() {
        for (name, field, value, want) in [
            ("zero", 11, 0, Ok(vec![0, 0, 0])),
            ("the largest", 11, 999_999, Ok(vec![0x99, 0x99, 0x99])),
            ("one more", 11, 1_000_000, Err(NumberTooLarge { digits: 6 })),
            ("odd, left", 22, 21, Ok(vec![0x02, 0x10])),
            ("odd, right", 23, 1, Ok(vec![0x00, 0x01])),
            ("far too large", 11, u64::MAX, Err(NumberTooLarge { digits: 6 })),
            ("a variable field", 2, 1, Err(WrongClass)),
            ("text", 41, 1, Err(WrongClass)),
        ] {
            assert_eq!(put(|builder| builder.number(field, value).map(drop)), want, "{name}");
        }
    }

    #[test]
    fn texts_and_bytes_are_checked() {
        for (name, field, value, want) in [
            ("an", 39, &b"A0"[..], Ok(b"A0".to_vec())),
            ("an with a sign", 39, b"A+", Err(Content { index: 1, rule: DecodeErrorKind::BadCharacter })),
            ("ans takes anything", 41, b"\x80\n+-*/ 1", Ok(b"\x80\n+-*/ 1".to_vec())),
            ("one short", 41, b"7700000", Err(WrongLength { needs: 8, given: 7 })),
            ("an, variable", 44, b"ab", Ok(b"\x02ab".to_vec())),
            ("digits", 3, b"000000", Err(WrongClass)),
            ("bytes", 52, b"12345678", Err(WrongClass)),
        ] {
            assert_eq!(put(|builder| builder.text(field, value).map(drop)), want, "{name}");
        }
        for (name, field, value, want) in [
            ("b", 52, &[0xFF; 8][..], Ok(vec![0xFF; 8])),
            ("b, one over", 52, &[0xFF; 9], Err(WrongLength { needs: 8, given: 9 })),
            ("tlv", 55, &[0x95, 1, 7], Ok(vec![0, 3, 0x95, 1, 7])),
            (
                "tlv, broken",
                55,
                &[0x95, 2, 7],
                Err(Content { index: 2, rule: DecodeErrorKind::TooShort { needs: 2, left: 1 } }),
            ),
            ("text", 41, b"77000001", Err(WrongClass)),
        ] {
            assert_eq!(put(|builder| builder.bytes(field, value).map(drop)), want, "{name}");
        }
    }

    #[test]
    fn the_order_of_fields_is_kept() {
        assert_eq!(put(|b| b.number(11, 1)?.number(3, 0).map(drop)), Err(OutOfOrder { last: 11 }));
        assert_eq!(put(|b| b.number(11, 1)?.number(11, 1).map(drop)), Err(OutOfOrder { last: 11 }));
        assert_eq!(put(|b| b.mac_placeholder(62).map(drop)), Err(WrongClass));
        let behind_mac = |b: &mut Builder<'_, '_>| {
            b.mac_placeholder(52)?;
            b.bytes(64, &[0; 8]).map(drop)
        };
        assert_eq!(put(behind_mac), Err(AfterMac));
        // A caller that overlooks an error gets it again, not half a message.
        let overlooked = |b: &mut Builder<'_, '_>| {
            b.number(11, u64::MAX).err();
            b.text(41, b"77000001").map(drop)
        };
        assert_eq!(put(overlooked), Err(NumberTooLarge { digits: 6 }));
    }

    #[test]
    fn several_messages_share_a_buffer_and_a_dropped_one_leaves_none() {
        let mut out = BytesMut::new();
        let mut first = Builder::new(Spec::pos(), &mut out, Mti::new(0x0210));
        first.number(11, 7).unwrap();
        let first = first.finish().unwrap();
        let mut dropped = Builder::new(Spec::pos(), &mut out, Mti::new(0x0210));
        dropped.number(11, 8).unwrap();
        assert_eq!(format!("{dropped:?}"), "Builder(pos 0210, fields [11])");
        drop(dropped);
        let mut second = Builder::new(Spec::pos(), &mut out, Mti::new(0x0410));
        let mac = second.number(11, 9).unwrap().mac_placeholder(64).unwrap();
        let second = second.finish().unwrap();
        assert_eq!((first.clone(), second.clone(), mac), (0..13, 13..34, 13));
        let message = Message::decode(Spec::pos(), &out[second]).unwrap();
        assert_eq!((message.number(11), message.start(64)), (Some(9), Some(mac)));
        assert_eq!(Message::decode(Spec::pos(), &out[first]).unwrap().number(11), Some(7));
    }

    #[test]
    fn an_mti_that_is_none_is_refused() {
        let mut out = BytesMut::new();
        let error = Builder::new(Spec::pos(), &mut out, Mti::new(0x02F0)).finish().unwrap_err();
        assert_eq!((error.path, error.kind, out.len()), (FieldPath::Mti, BadMti, 0));
    }

    #[test]
    fn a_field_above_64_brings_the_secondary_bitmap() {
        let spec = Spec::from_toml(
            "name = \"wide\"\nmti = \"bcd\"\nbitmap = \"binary\"\n\
             [[field]]\nnumber = 3\nname = \"a\"\nclass = \"n\"\nlength = 6\n\
             [[field]]\nnumber = 70\nname = \"b\"\nclass = \"n\"\nlength = 3\nalign = \"right\"\n\
             [[field]]\nnumber = 128\nname = \"c\"\nclass = \"b\"\nlength = 8",
        )
        .unwrap();
        let mut out = BytesMut::new();
        let mut builder = Builder::new(&spec, &mut out, Mti::new(0x0800));
        let mac = builder.number(3, 123_456).unwrap().number(70, 301).unwrap().mac_placeholder(128).unwrap();
        builder.finish().unwrap();
        let head =
            [0x08, 0x00, 0xA0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x34, 0x56, 0x03, 0x01];
        assert_eq!((&out[..mac], &out[mac..]), (&head[..], &[0; 8][..]));
        let message = Message::decode(&spec, &out).unwrap();
        assert_eq!((message.number(70), message.start(128)), (Some(301), Some(mac)));
    }

    #[test]
    fn the_longest_message_is_built_and_one_byte_more_is_not() {
        // 18 bytes of head and 65 fields of 999 leave 582 bytes for the last.
        for (last, want) in
            [(582, Ok(MESSAGE_BYTES_MAX)), (583, Err(MessageTooLong { max: MESSAGE_BYTES_MAX }))]
        {
            let row = |number: u8, length: u16| {
                format!("[[field]]\nnumber = {number}\nname = \"x\"\nclass = \"b\"\nlength = {length}\n")
            };
            let rows: String = (2..67).map(|number| row(number, 999)).chain([row(67, last)]).collect();
            let spec = format!("name = \"long\"\nmti = \"bcd\"\nbitmap = \"binary\"\n{rows}");
            let spec = Spec::from_toml(&spec).unwrap();
            let mut out = BytesMut::new();
            let mut builder = Builder::new(&spec, &mut out, Mti::new(0x0200));
            for number in 2..67 {
                builder.bytes(number, &[0; 999]).unwrap();
            }
            builder.bytes(67, &vec![0; last.into()]).ok();
            let built = builder.finish().map(|range| range.len()).map_err(|error| error.kind);
            assert_eq!(built, want);
            assert_eq!(out.len(), want.unwrap_or(0));
        }
    }

    #[test]
    fn a_copy_says_the_same_with_a_clean_pad() {
        // Field 22 with a pad nibble of F, and field 41.
        let bytes = b"\x02\x00\x00\x00\x04\x00\x00\x80\x00\x00\x02\x1F77000001";
        let request = Message::decode(Spec::pos(), bytes).unwrap();
        let copied = put(|b| b.copy(3, &request)?.copy(22, &request)?.copy(41, &request).map(drop)).unwrap();
        assert_eq!(copied, b"\x02\x1077000001");
    }

    #[test]
    fn a_warm_buffer_is_not_reallocated() {
        let mut out = BytesMut::with_capacity(64);
        let room = out.as_ptr();
        for _ in 0..3 {
            out.clear();
            let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
            builder.number(3, 0).unwrap().number(4, 100).unwrap().text(41, b"77000001").unwrap();
            builder.finish().unwrap();
            assert_eq!(out.as_ptr(), room);
        }
    }
}
