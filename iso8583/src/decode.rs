//! Finding the fields: one pass over the bitmap, one row of the table at a time.
//!
//! An error of position ends the pass. An error of content does not, because
//! the following fields are still where they are. Start at `Message::locate`.

use crate::MESSAGE_BYTES_MAX;
use crate::content;
use crate::cursor::{Cursor, Fault};
use crate::error::{DecodeError, DecodeErrorKind, FieldPath};
use crate::field::Encoding;
use crate::field_set::FieldSet;
use crate::hex;
use crate::message::{Message, Span};
use crate::mti::Mti;
use crate::parts;
use crate::path::Path;
use crate::quick;
use crate::spec::Spec;
use crate::spec_file::{Tertiary, Version};

impl<'a> Message<'a> {
    /// Finds every field there is; the first error by position, if any.
    #[inline]
    pub(crate) fn locate(&mut self) -> Option<DecodeError> {
        if quick::locate(self).is_some() {
            self.complete = true;
            return None;
        }
        self.locate_carefully()
    }

    /// The careful pass, by rows: it tells what is wrong and where.
    #[cold]
    pub(crate) fn locate_carefully(&mut self) -> Option<DecodeError> {
        if self.bytes.len() > MESSAGE_BYTES_MAX {
            let kind = DecodeErrorKind::MessageTooLong { max: MESSAGE_BYTES_MAX };
            return Some(DecodeError { path: FieldPath::Message, offset: MESSAGE_BYTES_MAX, kind });
        }
        let mut walk = Walk { cursor: Cursor::new(self.bytes), content_error: None };
        let end = self.walk(&mut walk).err();
        // What is wrong in a value stands before what ended the pass.
        let error = walk.content_error.or(end);
        self.complete = error.is_none();
        error
    }

    fn walk(&mut self, walk: &mut Walk<'a>) -> Result<(), DecodeError> {
        let spec: &'a Spec = self.spec;
        self.mti = walk.mti(spec)?;
        let mut promised = walk.bitmaps(spec, &mut self.bitmaps)?;
        while let Some(number) = promised.next() {
            let Some(field) = spec.field(number) else {
                if number == 65 && spec.tertiary == Tertiary::Field {
                    promised.add_tertiary(walk.bitmap(spec.bitmap)?);
                    self.bitmaps = 3;
                    continue;
                }
                return Err(walk.error(FieldPath::Field(number), DecodeErrorKind::UnknownField));
            };
            let found = match walk.cursor.element(field) {
                Ok(found) => found,
                Err(fault) => return Err(fault.error(FieldPath::Field(number))),
            };
            if let Err(fault) = content::check(field, found.length, found.value) {
                let path = fault.path(Path::new(number));
                walk.content_fault(path.into(), found.start + fault.at, fault.kind);
                continue;
            }
            if let Some(composite) = field.parts_to_check() {
                let held =
                    parts::Held { field, composite, found, base: 0, path: Path::new(number), sure: false };
                if let Err(error) = parts::check(&held) {
                    walk.content_fault(error.path, error.offset, error.kind);
                    continue;
                }
            }
            self.put(number, found.start, found.length);
        }
        match walk.cursor.left() {
            0 => Ok(()),
            trailing => Err(walk.error(FieldPath::Message, DecodeErrorKind::TrailingBytes(trailing))),
        }
    }

    #[inline]
    fn put(&mut self, number: u8, start: usize, length: u16) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a message has at most MESSAGE_BYTES_MAX = 65535 bytes"
        )]
        let start = start as u16;
        self.spans[usize::from(number)] = Span { start, length };
        self.present.insert(number);
    }
}

/// The pass over a message: how far it is, and what it met on the way.
struct Walk<'a> {
    cursor: Cursor<'a>,
    /// The first value with a wrong content.
    content_error: Option<DecodeError>,
}

impl Walk<'_> {
    fn mti(&mut self, spec: &Spec) -> Result<Mti, DecodeError> {
        let (mti, wrong) = match spec.mti {
            Encoding::Packed | Encoding::Binary => {
                let bytes: [u8; 2] = self.array(FieldPath::Mti)?;
                let is_bcd = |byte: u8| byte >> 4 <= 9 && byte & 0x0F <= 9;
                (Mti::new(u16::from_be_bytes(bytes)), bytes.iter().position(|&byte| !is_bcd(byte)))
            }
            Encoding::Ascii => {
                let digits: [u8; 4] = self.array(FieldPath::Mti)?;
                (Mti::from_digits(digits), digits.iter().position(|digit| !digit.is_ascii_digit()))
            }
            Encoding::Ebcdic(_) => {
                let digits: [u8; 4] = self.array(FieldPath::Mti)?;
                let is_digit = |digit: &u8| matches!(digit, 0xF0..=0xF9);
                (Mti::from_digits(digits), digits.iter().position(|digit| !is_digit(digit)))
            }
        };
        if let Some(offset) = wrong {
            self.content_fault(FieldPath::Mti, offset, DecodeErrorKind::BadDigit);
            return Ok(Mti::default());
        }
        if spec.version.is_some_and(|version| mti.version() != first_digit(version)) {
            self.content_fault(FieldPath::Mti, 0, DecodeErrorKind::WrongVersion);
        }
        Ok(mti)
    }

    /// The fields promised. Bits 1 and, where there is a tertiary bitmap, 65
    /// promise bitmaps and no fields.
    fn bitmaps(&mut self, spec: &Spec, count: &mut u8) -> Result<FieldSet, DecodeError> {
        let mut promised = FieldSet::default();
        promised.add_primary(self.bitmap(spec.bitmap)?);
        if promised.contains(1) {
            promised.add_secondary(self.bitmap(spec.bitmap)?);
            promised.remove(1);
            *count = 2;
        }
        if spec.tertiary == Tertiary::Head && promised.contains(65) {
            promised.add_tertiary(self.bitmap(spec.bitmap)?);
            promised.remove(65);
            *count = 3;
        }
        Ok(promised)
    }

    fn bitmap(&mut self, encoding: Encoding) -> Result<[u8; 8], DecodeError> {
        if encoding == Encoding::Packed {
            return self.array(FieldPath::Bitmap);
        }
        let at = self.cursor.at();
        let mut characters: [u8; 16] = self.array(FieldPath::Bitmap)?;
        hex::to_ascii(encoding, &mut characters);
        if let Some(index) = characters.iter().position(|&character| !hex::is_digit(character)) {
            let kind = DecodeErrorKind::BadHexDigit;
            return Err(DecodeError { path: FieldPath::Bitmap, offset: at + index, kind });
        }
        let mut bitmap = [0; 8];
        bitmap.iter_mut().zip(hex::octets(&characters)).for_each(|(to, octet)| *to = octet);
        Ok(bitmap)
    }

    #[inline]
    fn array<const N: usize>(&mut self, path: FieldPath) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.cursor.take(N).map_err(|fault| fault.error(path))?);
        Ok(array)
    }

    #[cold]
    fn error(&self, path: FieldPath, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { path, offset: self.cursor.at(), kind }
    }

    #[cold]
    fn content_fault(&mut self, path: FieldPath, offset: usize, kind: DecodeErrorKind) {
        self.content_error.get_or_insert(DecodeError { path, offset, kind });
    }
}

impl Fault {
    #[cold]
    fn error(self, path: FieldPath) -> DecodeError {
        DecodeError { path, offset: self.at, kind: self.kind }
    }
}

/// The first digit of the message types of an edition.
pub(crate) fn first_digit(version: Version) -> u8 {
    match version {
        Version::V1987 => 0,
        Version::V1993 => 1,
        Version::V2003 => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use DecodeErrorKind::*;

    /// A message of type 0200 with these fields promised and this body.
    fn wire(fields: &[u8], body: &[u8]) -> Vec<u8> {
        let mut promised = FieldSet::default();
        fields.iter().for_each(|&number| promised.insert(number));
        let bitmaps = promised.to_bitmaps();
        let bitmap = bitmaps[..if promised.contains(1) { 2 } else { 1 }].as_flattened();
        [&[0x02, 0x00], bitmap, body].concat()
    }

    #[test]
    fn an_error_names_the_field_the_byte_and_the_rule() {
        let de = FieldPath::Field;
        for (name, bytes, path, offset, kind) in [
            ("nothing at all", vec![], FieldPath::Mti, 0, TooShort { needs: 2, left: 0 }),
            ("half an MTI", vec![0x02], FieldPath::Mti, 0, TooShort { needs: 2, left: 1 }),
            ("an MTI of hex", [&[0x02, 0x0A][..], &[0; 8]].concat(), FieldPath::Mti, 1, BadDigit),
            ("a short bitmap", vec![0x02, 0, 0, 0], FieldPath::Bitmap, 2, TooShort { needs: 8, left: 2 }),
            (
                "no secondary bitmap",
                wire(&[], &[])[..2].iter().copied().chain([0x80, 0, 0, 0, 0, 0, 0, 0, 9]).collect(),
                FieldPath::Bitmap,
                10,
                TooShort { needs: 8, left: 1 },
            ),
            ("a field of no table", wire(&[3, 5], &[0, 0, 0, 9]), de(5), 13, UnknownField),
            ("a field above 64", wire(&[1, 70], &[3, 1]), de(70), 18, UnknownField),
            ("a short fixed field", wire(&[4], &[0; 5]), de(4), 10, TooShort { needs: 6, left: 5 }),
            ("no prefix", wire(&[2], &[]), de(2), 10, TooShort { needs: 1, left: 0 }),
            ("half a prefix", wire(&[60], &[0]), de(60), 10, TooShort { needs: 2, left: 1 }),
            ("a prefix of hex", wire(&[2], &[0x1A, 0]), de(2), 10, BadLengthPrefix),
            ("a prefix over the maximum", wire(&[2], &[0x20]), de(2), 10, LengthOverMax { max: 19 }),
            ("a prefix of four digits", wire(&[60], &[0x10, 0x01]), de(60), 10, LengthOverMax { max: 17 }),
            ("a short value", wire(&[35], &[0x37, 0x62]), de(35), 11, TooShort { needs: 19, left: 1 }),
            ("a hex nibble", wire(&[3], &[0, 0x0B, 0]), de(3), 11, BadDigit),
            ("a separator where there is none", wire(&[2], &[4, 0x12, 0xD4]), de(2), 12, BadDigit),
            ("a hex nibble before the pad", wire(&[22], &[0x02, 0xA0]), de(22), 11, BadDigit),
            ("a hex nibble behind the pad", wire(&[23], &[0x0A, 0x01]), de(23), 10, BadDigit),
            ("a track with an F", wire(&[35], &[4, 0x12, 0xF4]), de(35), 12, BadTrackDigit),
            ("a response code with a sign", wire(&[39], b"0+"), de(39), 11, BadCharacter),
            (
                "a short chip object",
                wire(&[55], &[0, 5, 0x95, 0, 0x82, 2, 1]),
                FieldPath::from(Path::new(55).tag(0x82).expect("one step")),
                16,
                TooShort { needs: 2, left: 1 },
            ),
            ("one byte too many", wire(&[3], &[0; 4]), FieldPath::Message, 13, TrailingBytes(1)),
            (
                "more than can be counted",
                vec![0; MESSAGE_BYTES_MAX + 1],
                FieldPath::Message,
                MESSAGE_BYTES_MAX,
                MessageTooLong { max: MESSAGE_BYTES_MAX },
            ),
        ] {
            assert_eq!(
                Message::decode(Spec::pos(), &bytes).err(),
                Some(DecodeError { path, offset, kind }),
                "{name}"
            );
        }
    }

    #[test]
    fn a_pad_nibble_may_be_anything() {
        for pad in 0..16 {
            let body = [0x02, 0x10 | pad, pad << 4, 0x01, 0x03, 0x12, 0x30 | pad];
            let bytes = wire(&[22, 23, 35], &body);
            let message = Message::decode(Spec::pos(), &bytes).expect("valid");
            assert_eq!(
                (message.number(22), message.number(23), message.number(35)),
                (Some(21), Some(1), Some(123))
            );
        }
    }

    #[test]
    fn the_largest_message_and_an_empty_secondary_bitmap_are_read() {
        let mut longest = wire(&[3], &[0; 3]);
        longest.resize(MESSAGE_BYTES_MAX, 0);
        let error = Message::decode(Spec::pos(), &longest).expect_err("its tail belongs to no field");
        assert_eq!(error.kind, TrailingBytes(MESSAGE_BYTES_MAX - 13));

        let bytes = wire(&[1, 3], &[0, 0, 0x07]);
        let message = Message::decode(Spec::pos(), &bytes).expect("valid");
        assert_eq!((message.number(3), message.start(3), message.has(1)), (Some(7), Some(18), false));
    }

    #[test]
    fn a_partial_message_keeps_what_is_good() {
        for (name, bytes, fields, path) in [
            (
                "wrong content is left out",
                wire(&[3, 11, 41], b"\x00\x0A\x00\x00\x00\x0177000001"),
                vec![11, 41],
                FieldPath::Field(3),
            ),
            (
                "the first of two wrong contents is told",
                wire(&[3, 11], &[0xA0, 0, 0, 0xA0, 0, 0]),
                vec![],
                FieldPath::Field(3),
            ),
            (
                "a wrong position ends it",
                wire(&[3, 32, 41], b"\x00\x00\x00\x9977000001"),
                vec![3],
                FieldPath::Field(32),
            ),
            ("content before position", wire(&[3, 32], &[0xA0, 0, 0, 0x99]), vec![], FieldPath::Field(3)),
            ("a tail hides nothing", wire(&[3], &[0; 9]), vec![3], FieldPath::Message),
        ] {
            let (message, error) = Message::decode_partial(Spec::pos(), &bytes);
            assert_eq!(
                (message.fields().collect::<Vec<_>>(), error.map(|error| error.path)),
                (fields, Some(path)),
                "{name}"
            );
            assert_eq!(message.mti(), Mti::new(0x0200), "{name}");
        }
        let (message, error) = Message::decode_partial(Spec::pos(), &[0x02]);
        assert_eq!((message.mti(), message.fields().count(), error.is_some()), (Mti::new(0), 0, true));
        let bad_mti = [&[0xF2, 0x00][..], &wire(&[3], &[0, 0, 0x07])[2..]].concat();
        let (message, _) = Message::decode_partial(Spec::pos(), &bad_mti);
        assert_eq!((message.mti(), message.number(3)), (Mti::new(0), Some(7)));
    }
}
