//! Composites of a [`crate::SpecFile`], checked and made ready for walking.

use crate::compile::{Context, bitmap_encoding};
use crate::composite::{BitmapLayout, Composite, Key, Kind, Part, Tag, TagLayout};
use crate::content;
use crate::field::{Class, Encoding, Field, Length, Prefix, Unit};
use crate::spec_error::{Place, SpecError};
use crate::spec_file::{BitmapForm, CompositeDef, CompositeKind, Family, PartDef, PartKey, PrefixEncoding};
use crate::tlv;

/// Checks the composite of a field or part.
pub(crate) fn compile(holder: Context, def: &CompositeDef, field: &Field) -> Result<Composite, SpecError> {
    let kind = kind(holder, def, field)?;
    let mut parts = Vec::with_capacity(def.parts.len());
    for part in &def.parts {
        parts.push(part_of(holder, &kind, part, def.parts.len(), inside_hex(holder, field))?);
    }
    let Some(mut composite) = Composite::new(kind, parts) else {
        return Err(holder.bad("part", "is defined twice"));
    };
    if matches!(composite.kind, Kind::Positional | Kind::Digits) {
        let without_gap = (1u8..).zip(composite.parts()).all(|(n, part)| part.key == Key::Number(n));
        if !without_gap || composite.parts().is_empty() {
            return Err(holder.bad("part", "of a positional composite must be numbered from 1 without a gap"));
        }
    }
    composite.is_sure = is_sure(&composite, field);
    Ok(composite)
}

/// Whether a value of this field that is as long as it must be, and made of what it must be made of, can be cut into
/// these parts wherever they begin and end: nothing about them has to be checked then.
fn is_sure(composite: &Composite, field: &Field) -> bool {
    let Length::Fixed(whole) = field.length else { return false };
    let fixed = |part: &Part| match part.field.length {
        Length::Fixed(length) => Some(u32::from(length)),
        Length::Variable { .. } => None,
    };
    let lengths: Option<u32> = composite.parts().iter().map(fixed).sum();
    let plain = |part: &Part| {
        let Field { class, unit, allowed, composite, .. } = &part.field;
        let same = *unit == field.unit && !matches!(class, Class::Signed | Class::Tlv);
        same && composite.is_none() && content::implies(field.allowed, *allowed)
    };
    matches!(composite.kind, Kind::Positional | Kind::Digits)
        && lengths == Some(u32::from(whole))
        && composite.parts().iter().all(plain)
}

fn kind(holder: Context, def: &CompositeDef, field: &Field) -> Result<Kind, SpecError> {
    let packed_digits = field.class == Class::Numeric && field.unit == Unit::Nibble;
    let bytes = field.unit == Unit::Byte
        && field.encoding != Encoding::Binary
        && !matches!(field.class, Class::Tlv | Class::Track | Class::Signed);
    // The parts of bytes in hex are found among the bytes, so none of them need be in hex itself.
    let bytes = bytes || field.is_hex();
    let objects = field.class == Class::Tlv && def.kind == CompositeKind::BerTlv;
    let side_by_side = packed_digits && !holder.in_hex && def.kind == CompositeKind::Positional;
    if !(bytes || objects || side_by_side) {
        return Err(holder.bad("composite", "needs text, bytes, or if positional packed digits"));
    }
    Ok(match &def.kind {
        CompositeKind::Positional if packed_digits => Kind::Digits,
        CompositeKind::Positional => Kind::Positional,
        CompositeKind::BerTlv => Kind::BerTlv,
        CompositeKind::Bitmap { form, .. } if inside_hex(holder, field) && *form != BitmapForm::Binary => {
            return Err(holder.bad("bitmap", "in a value in hex is \"binary\""));
        }
        CompositeKind::Bitmap { form, bytes: bytes @ 1..=16, continued } => Kind::Bitmap(BitmapLayout {
            encoding: bitmap_encoding(*form),
            bytes: *bytes,
            continued: *continued,
        }),
        CompositeKind::Bitmap { .. } => return Err(holder.bad("bytes", "is not from 1 to 16")),
        CompositeKind::Tags { tag, size, label } => {
            if matches!(tag.encoding, PrefixEncoding::Hex | PrefixEncoding::HexEbcdic) {
                return Err(
                    holder.bad("tag", "of hex characters is one of \"ascii\" or \"ebcdic\" characters")
                );
            }
            let tag_max = if tag.encoding == PrefixEncoding::Binary { 4 } else { 6 };
            let whole = tag.encoding != PrefixEncoding::Bcd || tag.length.is_multiple_of(2);
            if !(1..=tag_max).contains(&tag.length) || !whole {
                return Err(holder.bad("tag", "has a length that is none of its encoding's"));
            }
            let size_max = if size.encoding.is_bytes() { 4 } else { 6 };
            if !(1..=size_max).contains(&size.length) {
                return Err(holder.bad("size", "has a length that is none of its encoding's"));
            }
            if label.len() > 4 || !label.bytes().all(|letter| letter.is_ascii_uppercase()) {
                return Err(holder.bad("label", "must be at most four capital letters"));
            }
            Kind::Tags(TagLayout { tag: *tag, size: *size, label: label.clone() })
        }
    })
}

/// Whether the parts of this value stand in hex.
fn inside_hex(holder: Context, field: &Field) -> bool {
    holder.in_hex || field.is_hex()
}

fn part_of(
    holder: Context,
    kind: &Kind,
    def: &PartDef,
    count: usize,
    in_hex: bool,
) -> Result<Part, SpecError> {
    let key = key(holder, kind, &def.key)?;
    let path = holder.path.step(kind.step(key)).ok_or_else(|| holder.bad("composite", "stands too deep"))?;
    let is_last = |number: u8| usize::from(number) == count;
    let held = match (kind, key) {
        (Kind::BerTlv | Kind::Tags(_), _) => true,
        (Kind::Positional, Key::Number(number)) => is_last(number),
        _ => false,
    };
    let tagged = matches!(kind, Kind::BerTlv | Kind::Tags(_));
    let family = if in_hex { Family::Packed } else { holder.family };
    let part = Context { path, family, held, tagged, in_hex };
    let prefixed = matches!(def.element.length, Length::Variable { prefix, .. } if prefix != Prefix::None);
    if tagged && prefixed {
        return Err(part.bad("prefix", "is not for a part behind a tag, whose length stands there"));
    }
    if matches!(kind, Kind::Digits) {
        return Ok(Part { key, field: digit_part(part, def)? });
    }
    Ok(Part { key, field: part.field(&def.element)? })
}

/// Parts of packed digits are digits too, as they stand: they have no pad and no bytes of their own.
fn digit_part(part: Context, def: &PartDef) -> Result<Field, SpecError> {
    let element = &def.element;
    let plain = element.encoding.is_none()
        && element.align.is_none()
        && element.pad.is_none()
        && element.composite.is_none()
        && matches!((element.class, element.length), (Class::Numeric, Length::Fixed(_)));
    if !plain {
        return Err(
            part.bad("class", "of a part of packed digits must be \"n\", with `length` and nothing else")
        );
    }
    // An odd count needs a side elsewhere; here the digits stand side by side.
    let mut element = element.clone();
    element.encoding = Some(crate::spec_file::ValueEncoding::Ascii);
    let mut field = part.field(&element)?;
    field.encoding = Encoding::Packed;
    field.unit = Unit::Nibble;
    // Its holder's digits are checked as a whole.
    field.allowed = content::ANYTHING;
    field.settle();
    Ok(field)
}

fn key(holder: Context, kind: &Kind, key: &PartKey) -> Result<Key, SpecError> {
    match (kind, key) {
        (Kind::Digits | Kind::Positional, PartKey::Number(number @ 1..)) => Ok(Key::Number(*number)),
        (Kind::Bitmap(layout), PartKey::Number(number @ 1..)) => {
            let bits = 8 * u32::from(layout.bytes);
            let number_wide = u32::from(*number);
            let continues = layout.continued && (number_wide - 1).is_multiple_of(bits);
            if continues || (!layout.continued && number_wide > bits) {
                return Err(holder.bad("number", "of a part is no bit that promises one"));
            }
            Ok(Key::Number(*number))
        }
        (Kind::BerTlv, PartKey::Tag(text)) => {
            let tag = Tag::from_hex(text).filter(|tag| tlv::is_tag(tag.bytes()));
            tag.map(Key::Tag).ok_or_else(|| holder.bad("tag", "of a part is no BER-TLV tag in hex"))
        }
        (Kind::Tags(layout), PartKey::Tag(text)) => {
            let text = crate::path::Path::new(0).name(text);
            let step = text.and_then(|path| path.steps().first().copied());
            let tag = step.and_then(|step| layout.key(&step));
            tag.ok_or_else(|| holder.bad("tag", "of a part is not as long as the composite says"))
        }
        (Kind::BerTlv | Kind::Tags(_), PartKey::Number(_)) => {
            Err(SpecError::MissingKey { place: Place::at(holder.path), key: "tag" })
        }
        _ => Err(SpecError::MissingKey { place: Place::at(holder.path), key: "number" }),
    }
}
