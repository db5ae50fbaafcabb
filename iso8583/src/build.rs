//! Messages into bytes, checked by the same table that decodes them.
//!
//! Start at [`Builder::new`]. The caller owns the buffer; a message that is not
//! finished leaves no trace in it.

use std::fmt;
use std::ops::Range;

use bytes::BytesMut;

use crate::MESSAGE_BYTES_MAX;
use crate::build_parts::{self, PartsBuilder};
use crate::charset;
use crate::composite::Composite;
use crate::cursor::Found;
use crate::decode::first_digit;
use crate::error::{EncodeError, EncodeErrorKind, FieldPath};
use crate::field::{Class, Encoding, Field, Length, Unit};
use crate::field_set::FieldSet;
use crate::hex;
use crate::message::Message;
use crate::mti::Mti;
use crate::out::Out;
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
    out: Out<'b>,
    /// Where the MTI stands in `out`.
    start: usize,
    mti: Mti,
    present: FieldSet,
    last: u8,
    /// A field up to this one is refused: the last, or any after an error or the MAC.
    bar: u8,
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
    #[inline]
    pub fn new(spec: &'s Spec, out: &'b mut BytesMut, mti: Mti) -> Builder<'s, 'b> {
        let start = out.len();
        let mut out = Out::new(out);
        match spec.mti {
            Encoding::Packed | Encoding::Binary => out.put_slice(&mti.raw().to_be_bytes()),
            Encoding::Ascii => out.put_slice(&mti.to_ascii()),
            Encoding::Ebcdic(_) => out.put_slice(&mti.to_ascii().map(charset::from_ascii)),
        }
        out.room(spec.bitmap_bytes());
        let failed = wrong_mti(spec, mti).map(|kind| EncodeError { path: FieldPath::Mti, kind });
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
            bar: if failed.is_some() { u8::MAX } else { 1 },
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
    #[inline]
    pub fn digits(&mut self, field: u8, ascii_digits: &[u8]) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::digits(row, out, ascii_digits))
    }

    /// Puts a number into a fixed `n` field, with leading zeros.
    ///
    /// # Errors
    /// Any rule of the table, a number too large, or a field out of order.
    #[inline]
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
    #[inline]
    pub fn text(&mut self, field: u8, text: &[u8]) -> Result<&mut Self, EncodeError> {
        self.put(field, |row, out| pack::text(row, out, text))
    }

    /// Puts the bytes of a `b` or `tlv` field; where the table says so they go
    /// out as hex characters.
    ///
    /// # Errors
    /// Any rule of the table, or a field out of order.
    #[inline]
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
            (Err(_), Some(error)) => Err(self.fail(error.path, error.kind)),
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
        self.bar = u8::MAX;
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
        self.out.close();
        Ok(self.start..self.out.len())
    }

    fn put_bitmap(&mut self, at: &mut usize, bitmap: [u8; 8]) {
        let room = &mut self.out.written_mut(*at)[..self.spec.bitmap_bytes()];
        match self.spec.bitmap {
            Encoding::Packed => room.copy_from_slice(&bitmap),
            encoding => hex::fill(encoding, &bitmap, room),
        }
        *at += room.len();
    }

    #[inline(always)]
    pub(crate) fn put(
        &mut self,
        field: u8,
        write: impl FnOnce(&'s Field, &mut Out<'b>) -> Result<u16, EncodeErrorKind>,
    ) -> Result<&mut Self, EncodeError> {
        if field <= self.bar {
            return Err(self.refuse(field));
        }
        let Some(row) = self.spec.field(field) else {
            return Err(self.fail_field(field, EncodeErrorKind::UnknownField));
        };
        if field > 64 {
            self.open_bitmaps(field);
        }
        let at = self.out.len();
        let length = match write(row, &mut self.out) {
            Ok(length) => length,
            Err(kind) => return Err(self.fail_field(field, kind)),
        };
        if let Some(composite) = row.parts_to_check() {
            self.check_parts(field, row, composite, at, length)?;
        }
        if self.out.len() - self.start > MESSAGE_BYTES_MAX {
            return Err(self.fail_field(field, EncodeErrorKind::MessageTooLong { max: MESSAGE_BYTES_MAX }));
        }
        self.present.insert(field);
        (self.last, self.bar) = (field, field);
        Ok(self)
    }

    /// Checks the parts of a field that was written from here on.
    #[inline(never)]
    fn check_parts(
        &mut self,
        number: u8,
        field: &Field,
        composite: &Composite,
        at: usize,
        length: u16,
    ) -> Result<(), EncodeError> {
        let path = Path::new(number);
        let found = Found { start: 0, length, value: self.out.written(at + field.prefix_bytes()) };
        parts::check(&Held { field, composite, found, base: 0, path, sure: false }).map_err(|error| {
            let kind = EncodeErrorKind::Content { index: error.offset, rule: error.kind };
            self.fail(error.path, kind)
        })
    }

    /// Says why a field cannot come now.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, field: u8) -> EncodeError {
        match self.failed {
            Some(error) => error,
            None if self.after_mac => self.fail_field(field, EncodeErrorKind::AfterMac),
            None => self.fail_field(field, EncodeErrorKind::OutOfOrder { last: self.last }),
        }
    }

    #[cold]
    #[inline(never)]
    fn fail_field(&mut self, field: u8, kind: EncodeErrorKind) -> EncodeError {
        self.fail(FieldPath::Field(field), kind)
    }

    /// Ends the message: every later call repeats the error.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, path: FieldPath, kind: EncodeErrorKind) -> EncodeError {
        let error = EncodeError { path, kind };
        self.failed = Some(error);
        self.bar = u8::MAX;
        self.out.set_len(self.start);
        error
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
    #[inline(never)]
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
        self.out.open(self.start + at, bitmap);
    }
}

impl Drop for Builder<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.set_len(self.start);
            self.out.close();
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

/// Why a message of this table cannot be of this type: what is built must decode.
fn wrong_mti(spec: &Spec, mti: Mti) -> Option<EncodeErrorKind> {
    if !mti.is_bcd() {
        return Some(EncodeErrorKind::BadMti);
    }
    let other = spec.version.is_some_and(|version| mti.version() != first_digit(version));
    other.then_some(EncodeErrorKind::WrongVersion)
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
mod tests;
