//! What a field of subfields does to them: jPOS reads the outer field first and hands its value on.
//!
//! Start at [`Outside`].

use super::{Reader, Row};
use crate::field::{Class, Length};
use crate::spec_file::{
    BitmapForm, CompositeKind, Counts, ElementDef, PartDef, PrefixEncoding, ValueEncoding,
};

/// What the outer field does to the bytes of its subfields.
#[derive(Clone, Copy)]
pub(super) enum Outside {
    /// Nothing.
    Plain,
    /// Turns ASCII into EBCDIC.
    Ebcdic,
    /// Packs digits two to a byte.
    Packed,
    /// Writes bytes as hex characters.
    Hex,
}

/// Packagers of BER-TLV objects that stand there as hex characters.
pub(super) const ASCII_HEX: &str = "BERTLVAsciiHexPackager";
pub(super) const EBCDIC_HEX: &str = "BERTLVEbcdicHexPackager";

/// What such a packager reads.
pub(super) fn objects_in_hex(packager: &str) -> Option<ValueEncoding> {
    match packager.strip_prefix("org.jpos.tlv.packager.bertlv.")? {
        ASCII_HEX => Some(ValueEncoding::Hex),
        EBCDIC_HEX => Some(ValueEncoding::HexEbcdic),
        _ => None,
    }
}

impl Reader {
    /// Makes bytes in hex of a field whose packager reads hex characters.
    pub(super) fn in_hex(
        &mut self,
        row: &Row<'_>,
        element: &mut ElementDef,
        packager: ValueEncoding,
    ) -> Option<Outside> {
        // Text is ASCII when the packager sees it, whatever it is on the wire.
        let encoding = match (element.class, element.encoding, packager) {
            (Class::Text, Some(ValueEncoding::Ascii), ValueEncoding::Hex) => Some(ValueEncoding::Hex),
            (Class::Text, Some(ValueEncoding::Ebcdic(_)), ValueEncoding::Hex) => {
                Some(ValueEncoding::HexEbcdic)
            }
            (Class::Binary, Some(ValueEncoding::Binary), packager) => Some(packager),
            _ => None,
        };
        let length = match element.length {
            Length::Fixed(length) if length.is_multiple_of(2) => Some(Length::Fixed(length / 2)),
            Length::Variable { prefix, max } if max > 1 => Some(Length::Variable { prefix, max: max / 2 }),
            _ => None,
        };
        let (Some(encoding), Some(length)) = (encoding, length) else {
            self.bad(&row.place, row.xml, "class", "writes no hex characters that `packager` could read");
            return None;
        };
        (element.class, element.encoding, element.length) = (Class::Binary, Some(encoding), length);
        element.counts = element.counts.map(|_| Counts::Bytes);
        Some(Outside::Hex)
    }

    pub(super) fn outside(&mut self, row: &Row<'_>, element: &ElementDef) -> Option<Outside> {
        match (element.class, element.encoding) {
            (Class::Numeric | Class::Text, Some(ValueEncoding::Ascii)) => Some(Outside::Plain),
            (Class::Binary, Some(ValueEncoding::Binary)) => Some(Outside::Plain),
            (Class::Numeric | Class::Text, Some(ValueEncoding::Ebcdic(_))) => Some(Outside::Ebcdic),
            (Class::Numeric, Some(ValueEncoding::Bcd)) => Some(Outside::Packed),
            (Class::Binary, Some(ValueEncoding::Hex | ValueEncoding::HexEbcdic)) => Some(Outside::Hex),
            _ => {
                self.bad(
                    &row.place,
                    row.xml,
                    "class",
                    "writes its value in a way that subfields cannot be in",
                );
                None
            }
        }
    }

    /// The subfield as it stands on the wire.
    pub(super) fn seen_outside(
        &mut self,
        row: &Row<'_>,
        mut element: ElementDef,
        outside: Outside,
    ) -> Option<ElementDef> {
        let ascii = element.encoding == Some(ValueEncoding::Ascii)
            && matches!(element.prefix_encoding, None | Some(PrefixEncoding::Ascii));
        match outside {
            Outside::Plain => return Some(element),
            Outside::Hex if stands_in_hex(&mut element) => return Some(element),
            Outside::Ebcdic if ascii && is_ascii_inside(&element) => {
                to_ebcdic(&mut element);
                return Some(element);
            }
            Outside::Packed => {
                let digits = matches!(element.class, Class::Numeric | Class::Text);
                if let (true, true, Length::Fixed(length), None) =
                    (ascii, digits, element.length, &element.composite)
                {
                    // Digits in digits say nothing but how many.
                    return Some(ElementDef::new(&element.name, Class::Numeric, Length::Fixed(length)));
                }
            }
            Outside::Ebcdic | Outside::Hex => {}
        }
        let why = match outside {
            Outside::Hex => {
                "is not one of bytes, packed digits or text, as subfields of a value in hex must be"
            }
            Outside::Packed => "is not one of fixed ASCII digits, as subfields of packed digits must be",
            _ => "is not one of ASCII, as subfields of EBCDIC text must be",
        };
        self.bad(&row.place, row.xml, "class", why);
        None
    }
}

/// Whether it can be read out of hex characters, if need be as text: digits that are characters are.
fn stands_in_hex(element: &mut ElementDef) -> bool {
    use ValueEncoding::{Ascii, Bcd, Binary, Ebcdic};
    match (element.class, element.encoding) {
        (Class::Numeric, Some(Ascii | Ebcdic(_))) => element.class = Class::Text,
        (Class::Text | Class::Alphanumeric, _)
        | (Class::Numeric, Some(Bcd | Binary))
        | (Class::Binary, Some(Binary)) => {}
        _ => return false,
    }
    let mut below = element.composite.iter_mut().flat_map(|composite| &mut composite.parts);
    below.all(|part| stands_in_hex(&mut part.element))
}

/// Whether everything below is ASCII too, bitmaps and tags included.
fn is_ascii_inside(element: &ElementDef) -> bool {
    let Some(composite) = &element.composite else { return true };
    let kind = match composite.kind {
        CompositeKind::Positional => true,
        CompositeKind::Bitmap { form, .. } => form == BitmapForm::Hex,
        CompositeKind::BerTlv => false,
        CompositeKind::Tags { tag, size, .. } => {
            (tag.encoding, size.encoding) == (PrefixEncoding::Ascii, PrefixEncoding::Ascii)
        }
    };
    let ascii = |part: &PartDef| {
        part.element.encoding == Some(ValueEncoding::Ascii)
            && matches!(part.element.prefix_encoding, None | Some(PrefixEncoding::Ascii))
            && is_ascii_inside(&part.element)
    };
    kind && composite.parts.iter().all(ascii)
}

fn to_ebcdic(element: &mut ElementDef) {
    element.encoding = Some(super::EBCDIC);
    element.prefix_encoding = element.prefix_encoding.map(|_| PrefixEncoding::Ebcdic);
    let Some(composite) = &mut element.composite else { return };
    match &mut composite.kind {
        CompositeKind::Bitmap { form, .. } => *form = BitmapForm::HexEbcdic,
        CompositeKind::Tags { tag, size, .. } => {
            (tag.encoding, size.encoding) = (PrefixEncoding::Ebcdic, PrefixEncoding::Ebcdic);
        }
        CompositeKind::Positional | CompositeKind::BerTlv => {}
    }
    composite.parts.iter_mut().for_each(|part| to_ebcdic(&mut part.element));
}
