//! Fields of subfields: positional, behind tags, behind BER-TLV tags, by bitmap.

use super::Reader;
use super::field::{Definition, TagKeys};
use super::value::{Before, before, most};
use crate::field::{Class, Length, Prefix};
use crate::import::error::{Rule, printable};
use crate::spec_file::{
    CompositeDef, CompositeKind, Counts, ElementDef, PartDef, PartKey, PrefixEncoding, SizeForm, TagForm,
    ValueEncoding,
};

impl Reader {
    /// A field of type Composite, whose length counts bytes.
    pub(super) fn composite(&mut self, field: &Definition) -> Option<ElementDef> {
        let before = self.before(field);
        let composite = self.subfields(field);
        let (before, composite) = (before?, composite?);
        let Some(given @ 1..) = field.length else {
            self.findings.refuse(&field.place, field.line, Rule::Missing("length"));
            return None;
        };
        let length = u16::try_from(given).unwrap_or(u16::MAX);
        let mut element = match before {
            Before::Nothing => self.bytes(field, Length::Fixed(length)),
            Before::Digits(encoding, prefix) => {
                let max = length.min(most(encoding, prefix));
                let mut element = self.bytes(field, Length::Variable { prefix, max });
                (element.prefix_encoding, element.counts) = (Some(encoding), Some(Counts::Units));
                element
            }
            Before::Ber => {
                self.bad(field, "prefix", "is BerTLV, which is for what stands behind a BER-TLV tag");
                return None;
            }
        };
        element.composite = Some(composite);
        Some(element)
    }

    fn composite_behind_tag(&mut self, field: &Definition) -> Option<(ElementDef, Before)> {
        let before = self.before(field);
        let composite = self.subfields(field);
        let max = field.length.filter(|length| *length > 0).unwrap_or(u32::MAX);
        let max = u16::try_from(max).unwrap_or(u16::MAX);
        let mut element = self.bytes(field, Length::Variable { prefix: Prefix::None, max });
        element.composite = Some(composite?);
        Some((element, before?))
    }

    fn bytes(&self, field: &Definition, length: Length) -> ElementDef {
        let mut element = ElementDef::new(&self.name(field), Class::Binary, length);
        element.encoding = Some(ValueEncoding::Binary);
        element
    }

    fn subfields(&mut self, field: &Definition) -> Option<CompositeDef> {
        let composite = match (&field.bitmap, &field.tag) {
            (Some(bitmap), None) => self.by_bitmap(field, bitmap),
            (None, Some(tag)) => match tag.enc.as_deref() {
                None => self.positional(field, tag),
                Some("BerTLVTag") => self.ber(field),
                Some(_) => self.tags(field, tag),
            },
            (None, None) => {
                self.findings.refuse(&field.place, field.line, Rule::Missing("tag"));
                None
            }
            (Some(_), Some(_)) => {
                self.bad(field, "tag", "and `bitmap` are both given");
                None
            }
        }?;
        let needs_parts = matches!(composite.kind, CompositeKind::Positional | CompositeKind::Bitmap { .. });
        if needs_parts && composite.parts.is_empty() {
            self.findings.refuse(&field.place, field.line, Rule::Missing("subfields"));
            return None;
        }
        Some(composite)
    }

    /// Subfields one behind the other, in the order of their keys. Here they
    /// are numbered from 1 without gaps.
    fn positional(&mut self, field: &Definition, tag: &TagKeys) -> Option<CompositeDef> {
        let radix = match tag.sort.as_deref() {
            Some("StringsByInt") => 10,
            Some("StringsByHex") => 16,
            Some(other) => {
                let name = printable(other);
                self.findings.refuse(&field.place, field.line, Rule::NoCounterpart { what: "sort", name });
                return None;
            }
            None => {
                self.findings.refuse(&field.place, field.line, Rule::Missing("sort"));
                return None;
            }
        };
        let mut ordered = Vec::new();
        for (key, definition) in &field.subfields {
            match u32::from_str_radix(key, radix) {
                Ok(place) => ordered.push((place, definition)),
                Err(_) => self.bad(
                    field,
                    "subfields",
                    format!("has the key `{}`, which is no number", printable(key)),
                ),
            }
        }
        ordered.sort_by_key(|(place, _)| *place);
        let mut parts = Vec::new();
        for (place, definition) in ordered {
            let Some(definition) = definition else { continue };
            let Some(element) = self.element(definition, None) else { continue };
            let number = u8::try_from(parts.len() + 1).unwrap_or(u8::MAX);
            if u32::from(number) != place {
                let here = field.place.below(&number.to_string());
                self.findings.note(&definition.place, format!("is {here} here"));
            }
            parts.push(PartDef { key: PartKey::Number(number), element });
        }
        Some(CompositeDef { kind: CompositeKind::Positional, parts })
    }

    fn by_bitmap(&mut self, field: &Definition, bitmap: &Definition) -> Option<CompositeDef> {
        let form = self.bitmap_form(bitmap)?;
        let (bytes, continued) = match (bitmap.disable_auto_expand, bitmap.length) {
            (false, _) => (8, true),
            (true, None) => (8, false),
            (true, Some(length @ 1..=16)) => (u8::try_from(length).unwrap_or(u8::MAX), false),
            (true, Some(_)) => {
                self.bad(bitmap, "length", "is not from 1 to 16");
                return None;
            }
        };
        let bits = 8 * u16::from(bytes);
        let mut parts = Vec::new();
        for (key, definition) in &field.subfields {
            let Some(definition) = definition else { continue };
            let Ok(number @ 1..) = key.parse::<u8>() else {
                self.bad(field, "subfields", format!("has the key `{}`, which is no bit", printable(key)));
                continue;
            };
            let promised = if continued { number % 64 != 1 } else { u16::from(number) <= bits };
            if !promised {
                self.findings.note(&definition.place, "is left out: no bit of the bitmap promises it");
                continue;
            }
            let Some(element) = self.element(definition, None) else { continue };
            parts.push(PartDef { key: PartKey::Number(number), element });
        }
        Some(CompositeDef { kind: CompositeKind::Bitmap { form, bytes, continued }, parts })
    }

    fn ber(&mut self, field: &Definition) -> Option<CompositeDef> {
        let mut parts = Vec::new();
        for (key, definition) in &field.subfields {
            let Some((definition, element, before)) = self.behind_tag(definition) else { continue };
            if before != Before::Ber {
                self.bad(definition, "prefix", "is not BerTLV, as behind a BER-TLV tag");
                continue;
            }
            parts.push(PartDef { key: PartKey::Tag(key.to_ascii_uppercase()), element });
        }
        Some(CompositeDef { kind: CompositeKind::BerTlv, parts })
    }

    fn tags(&mut self, field: &Definition, keys: &TagKeys) -> Option<CompositeDef> {
        let tag = self.tag_form(field, keys)?;
        // moov reads the lengths of tags it does not know by a prefix of their own.
        let mut size = keys.pref_unknown.as_deref().and_then(before).and_then(size_form);
        let mut parts = Vec::new();
        for (key, definition) in &field.subfields {
            let Some((definition, element, before)) = self.behind_tag(definition) else { continue };
            let Some(own) = size_form(before) else {
                self.bad(
                    definition,
                    "prefix",
                    "gives no length of digits or bytes, as behind a tag of fixed width",
                );
                continue;
            };
            if *size.get_or_insert(own) != own {
                self.bad(definition, "prefix", "is another one than that of the other subfields");
                continue;
            }
            parts.push(PartDef { key: PartKey::Tag(padded(key, tag, keys)), element });
        }
        let Some(size) = size else {
            self.findings.refuse(&field.place, field.line, Rule::Missing("subfields"));
            return None;
        };
        Some(CompositeDef { kind: CompositeKind::Tags { tag, size, label: String::new() }, parts })
    }

    fn behind_tag<'a>(
        &mut self,
        definition: &'a Option<Definition>,
    ) -> Option<(&'a Definition, ElementDef, Before)> {
        let definition = definition.as_ref()?;
        let (element, before) = match definition.kind.as_str() {
            "Composite" => self.composite_behind_tag(definition)?,
            "String" | "Numeric" | "Binary" | "Hex" | "Track1" | "Track2" | "Track3" => {
                self.value_behind_tag(definition)?
            }
            _ => {
                self.element(definition, None)?;
                return None;
            }
        };
        Some((definition, element, before))
    }

    fn tag_form(&mut self, field: &Definition, keys: &TagKeys) -> Option<TagForm> {
        let enc = keys.enc.as_deref().unwrap_or_default();
        let encoding = match enc {
            "ASCII" | "Binary" => PrefixEncoding::Ascii,
            "EBCDIC" | "EBCDIC1047" => PrefixEncoding::Ebcdic,
            "BCD" | "LBCD" => PrefixEncoding::Bcd,
            "ASCIIToHex" | "ASCIIHexToBytes" => PrefixEncoding::Binary,
            _ => {
                let name = printable(enc);
                self.findings.refuse(&field.place, field.line, Rule::NoCounterpart { what: "tag.enc", name });
                return None;
            }
        };
        match keys.length {
            Some(length @ 1..=6) => {
                Some(TagForm { encoding, length: u8::try_from(length).unwrap_or(u8::MAX) })
            }
            _ => {
                self.bad(field, "tag.length", "is not from 1 to 6");
                None
            }
        }
    }
}

fn size_form(before: Before) -> Option<SizeForm> {
    let Before::Digits(encoding, prefix) = before else { return None };
    Some(SizeForm { encoding, length: u8::try_from(prefix.digits()).ok()? })
}

/// The tag as it stands on the wire: moov's keys may leave the padding out.
fn padded(key: &str, tag: TagForm, keys: &TagKeys) -> String {
    let width = usize::from(tag.length) * if tag.encoding == PrefixEncoding::Binary { 2 } else { 1 };
    let missing = width.saturating_sub(key.len());
    let pad = keys.pads_left_with.as_deref().unwrap_or_default();
    pad.repeat(if pad.len() == 1 { missing } else { 0 }) + &key.to_ascii_uppercase()
}
