//! Fields of subfields: `isofieldpackager` and its `packager` class.
//!
//! jPOS first reads the outer field by its class and then hands the value's
//! bytes to the packager of the subfields. So subfields of ASCII classes in an
//! EBCDIC field are EBCDIC on the wire, and subfields of digits in a packed
//! field are packed: [`Outside`] says which.

use std::collections::BTreeMap;

use super::outside::{ASCII_HEX, EBCDIC_HEX, Outside, objects_in_hex};
use super::{Made, Reader, Row};
use crate::import::error::{Rule, printable};
use crate::import::xml::Element;
use crate::spec_file::{
    BitmapForm, CompositeDef, CompositeKind, ElementDef, PartDef, PartKey, PrefixEncoding, SizeForm, TagForm,
};

/// Packagers whose subfields have a place or a bit.
const POSITIONAL: &[&str] = &["GenericSubFieldPackager", "GenericPackager"];

/// Packagers whose subfields have a tag.
const TAGGED: &[&str] = &[
    "EuroSubFieldPackager",
    "MasterCardEBCDICSubFieldPackager",
    "TaggedSequencePackager",
    "GenericTaggedFieldsPackager",
];

type Rows<'a> = BTreeMap<u8, Row<'a>>;

impl Reader {
    /// Adds to an outer field what its subfields are.
    pub(super) fn with_subfields(&mut self, row: &Row<'_>, made: Made) -> Option<Made> {
        if row.xml.name == "isofield" {
            if !row.xml.children.is_empty() {
                self.findings.note(&row.place, "elements inside an `isofield` are not read");
            }
            return Some(made);
        }
        let (tagged, mut element) = match made {
            Made::Element(element) if element.composite.is_none() => (None, element),
            Made::Tagged { tag, size, element } => (Some((tag, size)), element),
            Made::Element(_) | Made::Bitmap { .. } | Made::Absent => {
                self.bad(&row.place, row.xml, "class", "has no value that subfields could be in");
                return None;
            }
        };
        let outside = match row.xml.attribute("packager").and_then(objects_in_hex) {
            Some(encoding) if tagged.is_none() => self.in_hex(row, &mut element, encoding)?,
            _ => self.outside(row, &element)?,
        };
        element.composite = Some(self.composite(row, outside)?);
        Some(match tagged {
            None => Made::Element(element),
            Some((tag, size)) => Made::Tagged { tag, size, element },
        })
    }

    fn composite(&mut self, row: &Row<'_>, outside: Outside) -> Option<CompositeDef> {
        let Some(packager) = row.xml.attribute("packager") else {
            self.refuse(&row.place, row.xml, Rule::Missing("packager"));
            return None;
        };
        let known = ["org.jpos.iso.packager.", "org.jpos.tlv.packager.bertlv.", "org.jpos.tlv.packager."];
        let short = known.iter().find_map(|package| packager.strip_prefix(package)).unwrap_or_default();
        let rows = self.rows(row.xml, &row.place);
        let fits = match outside {
            Outside::Plain | Outside::Hex => true,
            Outside::Packed => {
                POSITIONAL.contains(&short) && row.xml.attribute("emitBitmap") == Some("false")
            }
            Outside::Ebcdic => POSITIONAL.contains(&short) || TAGGED.contains(&short),
        };
        if !fits && !short.is_empty() {
            self.bad(
                &row.place,
                row.xml,
                "class",
                "writes its value in a way that `packager` cannot take apart",
            );
            return None;
        }
        match short {
            _ if POSITIONAL.contains(&short) => self.generic(row, &rows, short, outside),
            "Base1SubFieldPackager" => self.base1(row, &rows, outside),
            _ if TAGGED.contains(&short) => {
                if short == "GenericTaggedFieldsPackager" {
                    self.check_mapper(row);
                }
                self.tags(row, &rows, outside)
            }
            "BERTLVBinaryPackager" | "ICCDataPackager" | ASCII_HEX | EBCDIC_HEX => {
                self.without_parts(row, &rows, CompositeKind::BerTlv)
            }
            "DatasetPackager" => self.without_parts(row, &rows, dataset()),
            _ => {
                let name = printable(packager);
                self.refuse(&row.place, row.xml, Rule::NoCounterpart { what: "packager", name });
                None
            }
        }
    }

    /// With `emitBitmap` the bits of a bitmap say which subfields follow, and
    /// without it they all do, one behind the other.
    fn generic(
        &mut self,
        row: &Row<'_>,
        rows: &Rows<'_>,
        packager: &str,
        outside: Outside,
    ) -> Option<CompositeDef> {
        let bitmap_at = self.number(row, "bitmapField")?.unwrap_or(1);
        let mut first = match self.number(row, "firstField")? {
            Some(first) => first,
            None if rows.get(&1).is_some_and(|row| is_bitmap(row.xml)) => 2,
            None if rows.get(&0).is_some_and(|row| row.xml.name == "isofieldpackager") => 0,
            None => 1,
        };
        // A whole packager, unlike one for subfields, always begins with field 0.
        let has_zero = rows.get(&0).is_some_and(|row| !is_bitmap(row.xml));
        let with_bitmap = row.xml.attribute("emitBitmap") != Some("false");
        if packager == "GenericPackager" && has_zero {
            if with_bitmap {
                let rule = "`packager` reads a whole message inside a field, which has no counterpart here";
                self.refuse(&row.place, row.xml, Rule::Other(rule.to_owned()));
                return None;
            }
            first = 0;
        }
        if with_bitmap {
            self.by_bitmap(row, rows, bitmap_at, first, outside)
        } else {
            self.positional(row, rows, first, outside)
        }
    }

    fn base1(&mut self, row: &Row<'_>, rows: &Rows<'_>, outside: Outside) -> Option<CompositeDef> {
        if rows.get(&0).is_some_and(|row| is_bitmap(row.xml)) {
            self.by_bitmap(row, rows, 0, 1, outside)
        } else {
            self.positional(row, rows, 0, outside)
        }
    }

    /// Subfields one behind the other. jPOS numbers them as it likes, from 0 and
    /// with gaps; here they are numbered from 1 without.
    fn positional(
        &mut self,
        row: &Row<'_>,
        rows: &Rows<'_>,
        first: u8,
        outside: Outside,
    ) -> Option<CompositeDef> {
        let mut parts = Vec::new();
        for (&id, subfield) in rows {
            if id < first {
                self.note_left_out(subfield, "it is below `firstField`");
                continue;
            }
            let Some(element) = self.part(subfield, outside) else { continue };
            let number = u8::try_from(parts.len() + 1).unwrap_or(u8::MAX);
            if number != id {
                let place = row.place.below(&number.to_string());
                self.findings.note(&subfield.place, format!("is {place} here"));
            }
            parts.push(PartDef { key: PartKey::Number(number), element });
        }
        self.whole(row, CompositeKind::Positional, parts)
    }

    fn by_bitmap(
        &mut self,
        row: &Row<'_>,
        rows: &Rows<'_>,
        bitmap_at: u8,
        first: u8,
        outside: Outside,
    ) -> Option<CompositeDef> {
        let made = match rows.get(&bitmap_at) {
            Some(bitmap) => self.made(bitmap, None)?,
            None => Made::Absent,
        };
        let Made::Bitmap { form, length } = made else {
            self.bad(&row.place, row.xml, "bitmapField", "names no field of a bitmap class");
            return None;
        };
        let Some(kind) = bitmap_kind(form, length, outside) else {
            let place = row.place.below(&bitmap_at.to_string());
            self.bad(&place, row.xml, "length", "is none that a bitmap of subfields has here");
            return None;
        };
        let mut parts = Vec::new();
        for (&id, subfield) in rows {
            if id == bitmap_at {
                continue;
            }
            if id < first || !promises(&kind, id) {
                self.note_left_out(subfield, "no bit of the bitmap promises it");
                continue;
            }
            let Some(element) = self.part(subfield, outside) else { continue };
            parts.push(PartDef { key: PartKey::Number(id), element });
        }
        self.whole(row, kind, parts)
    }

    /// Tells of a subfield that is not read, unless it says itself that it is none.
    fn note_left_out(&mut self, row: &Row<'_>, why: &str) {
        let class = row.xml.attribute("class").unwrap_or_default();
        if !class.ends_with(".IF_NOP") && !class.ends_with(".IF_UNUSED") {
            self.findings.note(&row.place, format!("is left out: {why}"));
        }
    }

    /// A subfield that is there by its place or its bit.
    fn part(&mut self, row: &Row<'_>, outside: Outside) -> Option<ElementDef> {
        match self.made(row, None)? {
            Made::Element(element) => self.seen_outside(row, element, outside),
            Made::Absent => None,
            Made::Bitmap { .. } => {
                self.bad(&row.place, row.xml, "class", "is that of a bitmap, where none can be");
                None
            }
            Made::Tagged { .. } => {
                self.bad(&row.place, row.xml, "class", "has a tag, where the place of a subfield names it");
                None
            }
        }
    }

    /// Subfields behind tags, all of which are written alike.
    fn tags(&mut self, row: &Row<'_>, rows: &Rows<'_>, outside: Outside) -> Option<CompositeDef> {
        let mut forms: Option<(TagForm, SizeForm)> = None;
        let mut parts = Vec::new();
        for subfield in rows.values() {
            let Some(made) = self.made(subfield, None) else { continue };
            let Made::Tagged { tag, size, element } = made else {
                self.bad(&subfield.place, subfield.xml, "class", "has no tag, by which `packager` finds it");
                continue;
            };
            let Some((tag, key)) = self.tag(subfield, tag) else { continue };
            if *forms.get_or_insert((tag, size)) != (tag, size) {
                let rule = "writes its tag or length in another way than the subfields before it";
                self.bad(&subfield.place, subfield.xml, "class", rule);
                continue;
            }
            let Some(element) = self.seen_outside(subfield, element, outside) else { continue };
            // A token of `#` stands for every tag not named; those are kept anyhow.
            if !key.bytes().all(|letter| letter == b'#') {
                parts.push(PartDef { key: PartKey::Tag(key), element });
            }
        }
        let Some((mut tag, mut size)) = forms else {
            self.refuse(&row.place, row.xml, Rule::Other("has no subfield with a tag".to_owned()));
            return None;
        };
        if matches!(outside, Outside::Ebcdic) {
            if (tag.encoding, size.encoding) != (PrefixEncoding::Ascii, PrefixEncoding::Ascii) {
                self.bad(
                    &row.place,
                    row.xml,
                    "class",
                    "turns ASCII into EBCDIC, which its subfields' tags are already",
                );
                return None;
            }
            (tag.encoding, size.encoding) = (PrefixEncoding::Ebcdic, PrefixEncoding::Ebcdic);
        }
        let label = if tag.length == 4 && size.length == 3 { "PDS".to_owned() } else { String::new() };
        Some(CompositeDef { kind: CompositeKind::Tags { tag, size, label }, parts })
    }

    /// The subfield's tag: its token, or its number with zeros in front.
    fn tag(&mut self, row: &Row<'_>, form: TagForm) -> Option<(TagForm, String)> {
        if form.length > 0 {
            let width = usize::from(form.length);
            let key = format!("{:0width$}", row.id);
            if key.len() > width {
                self.bad(&row.place, row.xml, "id", &format!("does not fit into a tag of {width} digits"));
                return None;
            }
            return Some((form, key));
        }
        let token = row.xml.attribute("token").unwrap_or_default();
        let placeholder = token.bytes().all(|letter| letter == b'#');
        match u8::try_from(token.len()) {
            Ok(length @ 1..=6)
                if placeholder || token.bytes().all(|letter| letter.is_ascii_alphanumeric()) =>
            {
                Some((TagForm { length, ..form }, token.to_ascii_uppercase()))
            }
            _ => {
                self.bad(&row.place, row.xml, "token", "is not 1 to 6 letters or digits");
                None
            }
        }
    }

    /// A mapper of jPOS's own makes a tag of the number; another may do anything.
    fn check_mapper(&mut self, row: &Row<'_>) {
        let Some(mapper) = row.xml.attribute("tagMapper") else {
            self.refuse(&row.place, row.xml, Rule::Missing("tagMapper"));
            return;
        };
        let own = ["org.jpos.iso.packager.TTDecimalTagMapper", "org.jpos.iso.packager.TTTDecimalTagMapper"];
        if !own.contains(&mapper) {
            let name = printable(mapper);
            self.refuse(&row.place, row.xml, Rule::NoCounterpart { what: "tagMapper", name });
        }
    }

    /// Objects whose tags need no declaration; what is declared has no tag.
    fn without_parts(&mut self, row: &Row<'_>, rows: &Rows<'_>, kind: CompositeKind) -> Option<CompositeDef> {
        if !rows.is_empty() {
            self.findings.note(&row.place, "its subfields are left out: they name no tags");
        }
        Some(CompositeDef { kind, parts: Vec::new() })
    }

    fn whole(&mut self, row: &Row<'_>, kind: CompositeKind, parts: Vec<PartDef>) -> Option<CompositeDef> {
        if parts.is_empty() {
            self.refuse(&row.place, row.xml, Rule::Other("has no subfields".to_owned()));
            return None;
        }
        Some(CompositeDef { kind, parts })
    }

    fn number(&mut self, row: &Row<'_>, key: &'static str) -> Option<Option<u8>> {
        match row.xml.attribute(key).map(str::parse) {
            None => Some(None),
            Some(Ok(number)) => Some(Some(number)),
            Some(Err(_)) => {
                self.bad(&row.place, row.xml, key, "is no number");
                None
            }
        }
    }
}

fn is_bitmap(xml: &Element<'_>) -> bool {
    xml.attribute("class").is_some_and(|class| class.ends_with("_BITMAP") || class.ends_with("_BITMAP126"))
}

/// Of 16 bytes, jPOS reads eight or all by the first bit; of up to eight it
/// reads that many. Hex bitmaps always have eight or sixteen.
fn bitmap_kind(form: BitmapForm, length: u16, outside: Outside) -> Option<CompositeKind> {
    let form = match (form, outside) {
        (form, Outside::Plain) | (form @ BitmapForm::Binary, Outside::Hex) => form,
        (BitmapForm::Hex, Outside::Ebcdic) => BitmapForm::HexEbcdic,
        _ => return None,
    };
    let (bytes, continued) = match (form, length) {
        (BitmapForm::Binary, 1..=8) => (u8::try_from(length).ok()?, false),
        (BitmapForm::Hex | BitmapForm::HexEbcdic, 8) => (8, false),
        (_, 16) => (8, true),
        _ => return None,
    };
    Some(CompositeKind::Bitmap { form, bytes, continued })
}

/// Whether the bitmap has a bit for this subfield.
fn promises(kind: &CompositeKind, id: u8) -> bool {
    match kind {
        CompositeKind::Bitmap { continued: true, .. } => matches!(id, 2..=64 | 66..=128),
        CompositeKind::Bitmap { bytes, .. } => id > 0 && u16::from(id) <= 8 * u16::from(*bytes),
        _ => false,
    }
}

/// A data set: its identifier in one byte, its length in two (ISO 8583:2003,
/// composite data elements).
fn dataset() -> CompositeKind {
    CompositeKind::Tags {
        tag: TagForm { encoding: PrefixEncoding::Binary, length: 1 },
        size: SizeForm { encoding: PrefixEncoding::Binary, length: 2 },
        label: String::new(),
    }
}
