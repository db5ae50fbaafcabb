//! A decoded message: where each field stands in bytes that stay the caller's.
//!
//! Start at [`Message`]. How it comes to be is in `decode`, how it is printed
//! in `describe`.

use std::ops::Range;

use crate::content;
use crate::digits::Digits;
use crate::element::{Element, Octets, binary};
use crate::error::DecodeError;
use crate::field::{Class, Encoding, Field};
use crate::field_set::FieldSet;
use crate::mti::Mti;
use crate::parts::Parts;
use crate::path::{PATH_STEPS_MAX, Path};
use crate::simple_tlv::SimpleTlvs;
use crate::spec::{FIELDS, Spec};
use crate::tlv::Tlvs;

/// A message that borrows its bytes and its field table, and owns no heap.
///
/// Every field it has was measured and its content checked. Its `Debug` and
/// [`Message::describe`] mask by the table.
#[derive(Clone)]
pub struct Message<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) bytes: &'a [u8],
    pub(crate) mti: Mti,
    pub(crate) present: FieldSet,
    /// Indexed by field number; meaningful where `present` says so.
    pub(crate) spans: [Span; FIELDS],
    /// Bitmaps there are, 1 to 3.
    pub(crate) bitmaps: u8,
    /// Whether the whole of it decoded. If not, its fields may be shifted, and
    /// what stands where a harmless field should be may be a card number.
    pub(crate) complete: bool,
}

/// Where a value begins, and its length in digits or bytes by its class.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) length: u16,
}

impl<'a> Message<'a> {
    /// Decodes a whole message, from the first byte of its MTI to its end.
    ///
    /// # Errors
    /// The first rule it breaks, with the field and the position.
    #[inline(never)]
    pub fn decode(spec: &'a Spec, bytes: &'a [u8]) -> Result<Message<'a>, DecodeError> {
        // A result is made at once and filled in, for a message is large enough that moving it would show.
        let mut decoded = Ok(Message::unread(spec, bytes));
        if let Ok(message) = &mut decoded
            && let Some(error) = message.locate()
        {
            decoded = Err(error);
        }
        decoded
    }

    /// Decodes as far as possible, and returns the first error too.
    ///
    /// The message has every good field before the error and, if the error is
    /// one of content, after it as well; never the field at fault itself. An
    /// MTI that cannot be read is 0.
    #[must_use]
    pub fn decode_partial(spec: &'a Spec, bytes: &'a [u8]) -> (Message<'a>, Option<DecodeError>) {
        let mut message = Message::unread(spec, bytes);
        let error = message.locate();
        (message, error)
    }

    #[inline]
    pub(crate) fn unread(spec: &'a Spec, bytes: &'a [u8]) -> Message<'a> {
        Message {
            spec,
            bytes,
            mti: Mti::default(),
            present: FieldSet::default(),
            spans: [Span::default(); FIELDS],
            bitmaps: 1,
            complete: false,
        }
    }

    /// The message type, `0000` if a partly decoded message has none.
    #[must_use]
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// The bytes it was decoded from.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The table it was decoded by.
    #[must_use]
    pub fn spec(&self) -> &'a Spec {
        self.spec
    }

    /// Whether it has this field.
    #[must_use]
    #[inline]
    pub fn has(&self, field: u8) -> bool {
        self.present.contains(field)
    }

    /// The numbers of its fields, ascending; bit 1 is none.
    pub fn fields(&self) -> impl Iterator<Item = u8> + '_ {
        self.present
    }

    /// A field's value as it is on the wire, without its length prefix.
    #[must_use]
    #[inline]
    pub fn raw(&self, field: u8) -> Option<&'a [u8]> {
        self.value(field).map(|(_, value, _)| value)
    }

    /// Where [`Message::raw`] stands, counted from the MTI's first byte.
    #[must_use]
    pub fn span(&self, field: u8) -> Option<Range<usize>> {
        let (_, value, span) = self.value(field)?;
        let start = usize::from(span.start);
        Some(start..start + value.len())
    }

    /// Where a field begins, its length prefix included, counted from the
    /// MTI's first byte. This is what a MAC in that field stops before.
    #[must_use]
    pub fn start(&self, field: u8) -> Option<usize> {
        let (row, _, span) = self.value(field)?;
        Some(usize::from(span.start) - row.prefix_bytes())
    }

    /// A field as it is on the wire, its length prefix included.
    #[must_use]
    pub fn wire(&self, field: u8) -> Option<&'a [u8]> {
        self.written(field).map(|(_, wire, _)| wire)
    }

    /// The digits of an `n` or `z` field, pad nibbles left out.
    #[must_use]
    #[inline]
    pub fn digits(&self, field: u8) -> Option<Digits<'a>> {
        let (row, value, span) = self.value(field)?;
        let digits = row.class.counts_digits() && row.encoding != Encoding::Binary;
        digits.then(|| content::view(row, span.length, value))
    }

    /// An `n` field as a number, packed, in characters or in binary; `None` also if it is empty or exceeds 64 bits.
    #[must_use]
    pub fn number(&self, field: u8) -> Option<u64> {
        match self.digits(field) {
            Some(digits) => digits.to_u64(),
            None => self.binary_number(field),
        }
    }

    fn binary_number(&self, field: u8) -> Option<u64> {
        let (row, value, _) = self.value(field)?;
        (row.encoding == Encoding::Binary).then(|| binary(value))?
    }

    /// The text of an `an` or `ans` field in ASCII, as it stands there. For EBCDIC, and any other, there is
    /// [`Element::text`].
    #[must_use]
    pub fn text(&self, field: u8) -> Option<&'a [u8]> {
        let (row, value, _) = self.value(field)?;
        let is_text = matches!(row.class, Class::Alphanumeric | Class::Text);
        (is_text && !matches!(row.encoding, Encoding::Ebcdic(_))).then_some(value)
    }

    /// The parts, anywhere in it, that the specification does not know, in the order they came. They are kept when it
    /// is packed again.
    pub fn unknown(&self) -> impl Iterator<Item = Element<'a>> + '_ {
        self.elements().flat_map(Unknown::below)
    }

    /// A field with all its views.
    #[must_use]
    pub fn element(&self, field: u8) -> Option<Element<'a>> {
        let (row, value, span) = self.value(field)?;
        let (path, offset, length) = (Path::new(field), usize::from(span.start), span.length);
        let wire = self.bytes.get(offset - row.prefix_bytes()..offset + value.len())?;
        let head = row.prefix_bytes.into();
        Some(Element {
            path,
            row: Some(row),
            offset,
            length,
            value,
            wire,
            head,
            first: 0,
            hex: None,
            sure: self.complete,
        })
    }

    /// Its fields with all their views, ascending.
    pub fn elements(&self) -> impl Iterator<Item = Element<'a>> + '_ {
        self.fields().filter_map(|field| self.element(field))
    }

    /// The value at a path: a field, or a part of one. Of objects with the same tag, the first.
    ///
    /// ```
    /// # use iso8583::{Message, Path, Spec};
    /// // 0200 with field 55: 9F26 of 8 bytes, 9F36 of 2.
    /// let wire = b"\x02\x00\0\0\0\0\0\0\x02\0\0\x16\x9F\x26\x08\x01\x02\x03\x04\x05\x06\x07\x08\x9F\x36\x02\x00\x2A";
    /// let message = Message::decode(Spec::pos(), wire)?;
    /// let counter = message.part(&"55.9F36".parse()?).and_then(|part| part.octets());
    /// assert_eq!(counter.and_then(|octets| octets.fixed()), Some([0x00, 0x2A]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn part(&self, path: &Path) -> Option<Element<'a>> {
        let element = self.element(path.field())?;
        path.steps().iter().try_fold(element, |element, step| element.parts()?.find_step(step))
    }

    /// [`Message::raw`] copied, if it is exactly `N` bytes long; of a `b` field
    /// in hex, the `N` bytes that its characters stand for.
    #[must_use]
    pub fn fixed<const N: usize>(&self, field: u8) -> Option<[u8; N]> {
        let (row, value, _) = self.value(field)?;
        if !row.is_hex() {
            return value.try_into().ok();
        }
        Octets::new(value, true).fixed()
    }

    /// The BER-TLV objects of a `tlv` field, in the order they came.
    #[must_use]
    pub fn tlvs(&self, field: u8) -> Option<Tlvs<'a>> {
        let (row, value, _) = self.value(field)?;
        (row.class == Class::Tlv).then(|| Tlvs::new(value))
    }

    /// The value of the first object with this tag in a `tlv` field.
    #[must_use]
    pub fn tag(&self, field: u8, tag: u32) -> Option<&'a [u8]> {
        self.tlvs(field)?.find(|object| object.tag == tag).map(|object| object.value)
    }

    /// The objects of one tag and one length byte in a packed `b` field, in the
    /// order they came. They are checked as they are read.
    #[must_use]
    pub fn simple_tlvs(&self, field: u8) -> Option<SimpleTlvs<'a>> {
        let (row, value, span) = self.value(field)?;
        let fits = row.class == Class::Binary && row.encoding == Encoding::Packed;
        fits.then(|| SimpleTlvs::new(field, span.start.into(), value))
    }

    /// A field it has: its row in the table, its bytes with the prefix, and its
    /// length in the units of the row.
    #[inline]
    pub(crate) fn written(&self, field: u8) -> Option<(&'a Field, &'a [u8], u16)> {
        if !self.has(field) {
            return None;
        }
        let row = self.spec.field(field)?;
        let span = *self.spans.get(usize::from(field))?;
        let start = usize::from(span.start);
        let wire = self.bytes.get(start - row.prefix_bytes()..start + row.bytes_for(span.length))?;
        Some((row, wire, span.length))
    }

    /// A field it has: its row in the table, its bytes, and its span.
    #[inline]
    fn value(&self, field: u8) -> Option<(&'a Field, &'a [u8], Span)> {
        if !self.has(field) {
            return None;
        }
        let row = self.spec.field(field)?;
        let span = *self.spans.get(usize::from(field))?;
        let start = usize::from(span.start);
        let value = self.bytes.get(start..start + row.bytes_for(span.length))?;
        Some((row, value, span))
    }
}

/// A walk over the parts below an element that stops at those without a row.
struct Unknown<'a> {
    /// One walk for each level that is open.
    open: [Option<Parts<'a>>; PATH_STEPS_MAX],
    depth: usize,
}

impl<'a> Unknown<'a> {
    fn below(element: Element<'a>) -> Unknown<'a> {
        let is_composite = element.row().is_some_and(Field::is_composite);
        Unknown { open: [element.parts().filter(|_| is_composite), None, None, None], depth: 0 }
    }
}

impl<'a> Iterator for Unknown<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let Some(part) = self.open.get_mut(self.depth)?.as_mut().and_then(Iterator::next) else {
                self.depth = self.depth.checked_sub(1)?;
                continue;
            };
            match part.row() {
                None => return Some(part),
                Some(row) if row.is_composite() && self.depth + 1 < PATH_STEPS_MAX => {
                    self.depth += 1;
                    self.open[self.depth] = part.parts();
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0200 with the fields 2 (odd length), 3, 22, 23, 35, 41 and 55.
    const PURCHASE: &[u8] = b"\x02\x00\x60\x00\x06\x00\x20\x80\x02\x00\
        \x05\x12\x34\x50\x00\x00\x00\x02\x10\x00\x01\x07\x12\x3D\x45\x6F77000001\x00\x05\x9F\x26\x02\xAA\xBB";

    #[test]
    fn each_class_has_its_view() {
        let message = Message::decode(Spec::pos(), PURCHASE).expect("valid");
        assert_eq!(message.fields().collect::<Vec<_>>(), [2, 3, 22, 23, 35, 41, 55]);
        assert_eq!(
            (message.number(2), message.number(22), message.number(23)),
            (Some(12345), Some(21), Some(1))
        );
        assert_eq!((message.raw(22), message.raw(23)), (Some(&[0x02, 0x10][..]), Some(&[0x00, 0x01][..])));
        let mut room = [0; 40];
        let track = message.digits(35).and_then(|digits| digits.copy_ascii(&mut room));
        assert_eq!((track, message.number(35)), (Some(&b"123=456"[..]), None));
        assert_eq!((message.text(41), message.text(3)), (Some(&b"77000001"[..]), None));
        assert_eq!((message.fixed(41), message.fixed::<7>(41)), (Some(*b"77000001"), None));
        assert_eq!((message.tag(55, 0x9F26), message.tag(55, 0x95)), (Some(&[0xAA, 0xBB][..]), None));
        assert!(message.digits(41).is_none() && message.tlvs(41).is_none());
    }

    #[test]
    fn a_field_starts_at_its_prefix_and_its_value_behind_it() {
        let message = Message::decode(Spec::pos(), PURCHASE).expect("valid");
        assert_eq!((message.start(2), message.span(2)), (Some(10), Some(11..14)));
        assert_eq!((message.start(3), message.span(3)), (Some(14), Some(14..17)));
        assert_eq!((message.start(55), message.span(55)), (Some(34), Some(36..41)));
    }

    #[test]
    fn a_field_that_is_not_there_has_no_view() {
        let message = Message::decode(Spec::pos(), PURCHASE).expect("valid");
        for absent in [0, 1, 4, 64, 128, 129, 255] {
            assert!(!message.has(absent), "DE {absent}");
            assert!(message.raw(absent).is_none() && message.span(absent).is_none(), "DE {absent}");
            assert!(message.start(absent).is_none() && message.number(absent).is_none(), "DE {absent}");
        }
    }
}
