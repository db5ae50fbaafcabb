//! jPOS: the XML of a `GenericPackager`.
//!
//! A field's class says everything about its wire form; the classes are listed in
//! `classes`, and `row` makes a field of one. Fields of subfields are in
//! `composite`. Start at [`import`].

pub(crate) mod classes;
mod composite;
#[cfg(test)]
mod composite_tests;
mod outside;
mod row;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::error::{ImportError, Place, Rule, printable};
use super::findings::Findings;
use super::text::{self, Lines};
use super::xml::{self, Element};
use super::{Imported, show};
use crate::SpecFile;
use crate::field::{Class, Length};
use crate::header::Headers;
use crate::spec_file::{
    BitmapForm, ElementDef, Family, FieldDef, MtiForm, SizeForm, TagForm, Tertiary, ValueEncoding,
};
use classes::EBCDIC;

/// Reads the specification of a `GenericPackager`; the file has no name for it,
/// so one is given.
///
/// ```
/// use iso8583::{Message, Spec, import::jpos};
///
/// let xml = br#"<isopackager>
///   <isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
///   <isofield id="1" length="16" name="bitmap" class="org.jpos.iso.IFA_BITMAP"/>
///   <isofield id="11" length="6" name="STAN" class="org.jpos.iso.IFA_NUMERIC"/>
/// </isopackager>"#;
/// let spec = Spec::compile(&jpos::import("example", xml)?.spec)?;
/// let message = Message::decode(&spec, b"08000020000000000000000042")?;
/// assert_eq!(message.number(11), Some(42));
///
/// let terminated = String::from_utf8(xml.to_vec())?.replace("IFA_NUMERIC\"/>\n</", "IF_TBASE\"/></");
/// let error = jpos::import("example", terminated.as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "field 11: class org.jpos.iso.IF_TBASE has no counterpart here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Bytes that are no XML document of an `isopackager`, and whatever in it has no
/// counterpart here: every reason, each with its field.
pub fn import(name: &str, xml: &[u8]) -> Result<Imported, ImportError> {
    let text = text::xml(xml)?;
    let lines = Lines::of(&text);
    let root = xml::document(&text)
        .map_err(|broken| Findings::broken(Some(lines.line(broken.offset)), broken.rule.to_owned()))?;
    if root.name != "isopackager" {
        let line = Some(lines.line(root.offset));
        return Err(Findings::broken(line, "has no `isopackager` as its outermost element".to_owned()));
    }
    let mut reader = Reader { lines, findings: Findings::default() };
    let spec = reader.spec(name, &root);
    reader.findings.finish(spec)
}

/// What is known while a document is read.
struct Reader {
    lines: Lines,
    findings: Findings,
}

/// An `isofield` or `isofieldpackager`, its number read.
struct Row<'a> {
    id: u8,
    place: Place,
    xml: &'a Element<'a>,
}

/// What a row stands for.
enum Made {
    Element(ElementDef),
    Bitmap { form: BitmapForm, length: u16 },
    Tagged { tag: TagForm, size: SizeForm, element: ElementDef },
    Absent,
}

/// Attributes that jPOS reads from an element, wherever it stands.
const ATTRIBUTES: &[&str] = &[
    "id",
    "length",
    "name",
    "class",
    "pad",
    "trim",
    "token",
    "params",
    "encoding",
    "packager",
    "emitBitmap",
    "maxValidField",
    "bitmapField",
    "thirdBitmapField",
    "firstField",
    "headerLength",
    "tagMapper",
];

impl Reader {
    fn refuse(&mut self, place: &Place, xml: &Element<'_>, rule: Rule) {
        let line = self.lines.line(xml.offset);
        self.findings.refuse(place, Some(line), rule);
    }

    fn bad(&mut self, place: &Place, xml: &Element<'_>, key: &'static str, rule: &str) {
        self.refuse(place, xml, Rule::BadValue { key, rule: rule.to_owned() });
    }

    fn spec(&mut self, name: &str, root: &Element<'_>) -> Option<SpecFile> {
        let place = Place::Document;
        let tertiary_field = self.head(root);
        let header = self.header(root);
        let rows = self.rows(root, &place);
        let mti = self.mti(rows.get(&0), root);
        let bitmap = self.bitmap(rows.get(&1), root);
        let mut fields = self.fields(&rows, tertiary_field);
        let (mti, (bitmap, third_in_head)) = (mti?, bitmap?);
        let mut spec = SpecFile::new(&super::name_of(name, "imported"), mti, bitmap, family(mti));
        spec.tertiary = match (tertiary_field, third_in_head) {
            (true, _) => Tertiary::Field,
            (false, true) => Tertiary::Head,
            (false, false) => Tertiary::None,
        };
        self.keep_reachable(&mut fields, spec.tertiary);
        (spec.header, spec.fields) = (header, fields);
        Some(spec)
    }

    /// The attributes of the outermost element; whether field 65 holds the
    /// third bitmap.
    fn head(&mut self, root: &Element<'_>) -> bool {
        let place = Place::Document;
        self.note_unknown(&place, root);
        if root.attribute("emitBitmap") == Some("false") {
            self.bad(&place, root, "emitBitmap", "is false: a message here has a bitmap");
        }
        for (key, only) in [("bitmapField", "1"), ("firstField", "2")] {
            if root.attribute(key).is_some_and(|value| value != only) {
                self.bad(&place, root, key, &format!("is not {only}, as in every message here"));
            }
        }
        match root.attribute("thirdBitmapField") {
            None | Some("-999") => false,
            Some("65") => true,
            Some(_) => {
                self.bad(&place, root, "thirdBitmapField", "is not 65, where the standard puts it");
                false
            }
        }
    }

    /// Bytes in front of every message.
    fn header(&mut self, root: &Element<'_>) -> Option<Headers> {
        let length = root.attribute("headerLength").filter(|length| *length != "0")?;
        let header = Headers::from_names([format!("opaque:{length}")]).ok();
        if header.is_none() {
            self.bad(&Place::Document, root, "headerLength", "is not from 0 to 64");
        }
        header
    }

    /// The rows of an element by number. A number given twice means its last
    /// row, as in jPOS; numbers beyond `maxValidField` are left out.
    fn rows<'a>(&mut self, parent: &'a Element<'a>, place: &Place) -> BTreeMap<u8, Row<'a>> {
        let highest = match parent.attribute("maxValidField").map(str::parse::<u16>) {
            None => u16::MAX,
            Some(Ok(highest)) => highest,
            Some(Err(_)) => {
                self.bad(place, parent, "maxValidField", "is no number");
                u16::MAX
            }
        };
        let mut rows = BTreeMap::new();
        for xml in &parent.children {
            if !matches!(xml.name, "isofield" | "isofieldpackager") {
                self.findings.note(place, format!("element `{}` is not read", printable(xml.name)));
                continue;
            }
            let Some(id) = self.id(xml, place) else { continue };
            let row = Row { id, place: place.below(&id.to_string()), xml };
            if u16::from(id) > highest {
                self.findings.note(&row.place, "is left out: it is above `maxValidField`");
            } else if let Some(first) = rows.insert(id, row) {
                self.findings.note(&first.place, "is given twice: the last one counts");
            }
        }
        rows
    }

    fn id(&mut self, xml: &Element<'_>, place: &Place) -> Option<u8> {
        let Some(id) = xml.attribute("id") else {
            self.refuse(place, xml, Rule::Missing("id"));
            return None;
        };
        let number = id.parse().ok().filter(|number| *number <= 192);
        if number.is_none() {
            self.bad(&place.below(id), xml, "id", "is not from 0 to 192");
        }
        number
    }

    fn mti(&mut self, row: Option<&Row<'_>>, root: &Element<'_>) -> Option<MtiForm> {
        let Some(row) = row else {
            self.refuse(&Place::Document, root, Rule::Other("has no field 0, the message type".to_owned()));
            return None;
        };
        let element = match self.made(row, None)? {
            Made::Element(element) => element,
            _ => return self.no_mti(row),
        };
        match (element.encoding, element.length) {
            (Some(ValueEncoding::Ascii), Length::Fixed(4)) => Some(MtiForm::Ascii),
            (Some(ValueEncoding::Bcd), Length::Fixed(4)) => Some(MtiForm::Bcd),
            (Some(ValueEncoding::Ebcdic(_)), Length::Fixed(4)) => Some(MtiForm::Ebcdic),
            _ => self.no_mti(row),
        }
    }

    fn no_mti(&mut self, row: &Row<'_>) -> Option<MtiForm> {
        self.bad(&row.place, row.xml, "class", "and `length` do not make a message type of four digits");
        None
    }

    /// How bitmaps are written, and whether a third one may follow the second.
    fn bitmap(&mut self, row: Option<&Row<'_>>, root: &Element<'_>) -> Option<(BitmapForm, bool)> {
        let Some(row) = row else {
            self.refuse(&Place::Document, root, Rule::Other("has no field 1, the bitmap".to_owned()));
            return None;
        };
        match self.made(row, None)? {
            Made::Bitmap { form, length } if matches!(length, 8..=32) => Some((form, length > 16)),
            Made::Bitmap { .. } => {
                self.bad(&row.place, row.xml, "length", "of a bitmap is not from 8 to 32");
                None
            }
            _ => {
                self.bad(&row.place, row.xml, "class", "is not that of a bitmap");
                None
            }
        }
    }

    fn fields(&mut self, rows: &BTreeMap<u8, Row<'_>>, tertiary_field: bool) -> Vec<FieldDef> {
        let mut fields = Vec::new();
        let mut absent = Vec::new();
        for (&number, row) in rows.range(2..) {
            match self.made(row, Some(number)) {
                _ if number == 65 && tertiary_field => {}
                Some(Made::Element(mut element)) => {
                    let shown = show::of(number, &element);
                    show::set(&mut element, shown);
                    fields.push(FieldDef { number, element });
                }
                // A third bitmap that nothing points at is eight bytes like any others.
                Some(Made::Bitmap { form, length }) => {
                    if let Some(element) = self.opaque_bitmap(row, form, length) {
                        fields.push(FieldDef { number, element });
                    }
                }
                Some(Made::Tagged { .. }) => self.refuse(
                    &row.place,
                    row.xml,
                    Rule::Other(format!("class {} is for subfields only", class_of(row.xml))),
                ),
                Some(Made::Absent) => absent.push(number.to_string()),
                None => {}
            }
        }
        if !absent.is_empty() {
            let text = format!(
                "fields {} have no bytes (IF_NOP, IF_UNUSED, length 0) and are left out",
                absent.join(", ")
            );
            self.findings.note(&Place::Document, text);
        }
        fields
    }

    fn opaque_bitmap(&mut self, row: &Row<'_>, form: BitmapForm, length: u16) -> Option<ElementDef> {
        if row.id != 65 || length != 8 {
            self.bad(&row.place, row.xml, "class", "is that of a bitmap, which only fields 1 and 65 can be");
            return None;
        }
        let mut element = ElementDef::new(
            &super::name_of(name_attribute(row.xml), "bitmap"),
            Class::Binary,
            Length::Fixed(8),
        );
        element.encoding = Some(match form {
            BitmapForm::Binary => ValueEncoding::Binary,
            BitmapForm::Hex => ValueEncoding::Hex,
            BitmapForm::HexEbcdic => ValueEncoding::HexEbcdic,
        });
        Some(element)
    }

    /// Leaves out what no bitmap of the specification can promise.
    fn keep_reachable(&mut self, fields: &mut Vec<FieldDef>, tertiary: Tertiary) {
        let findings = &mut self.findings;
        fields.retain(|field| {
            let why = match (field.number, tertiary) {
                (129.., Tertiary::None) => "is left out: there is no third bitmap to promise it",
                (65, Tertiary::Head) => "is left out: its bit promises the third bitmap",
                _ => return true,
            };
            findings.note(&Place::Document.below(&field.number.to_string()), why);
            false
        });
    }

    fn note_unknown(&mut self, place: &Place, xml: &Element<'_>) {
        for (key, _) in &xml.attributes {
            if !ATTRIBUTES.contains(key) {
                self.findings.note(place, format!("attribute `{}` is not read", printable(key)));
            }
        }
    }
}

fn name_attribute<'a>(xml: &'a Element<'_>) -> &'a str {
    xml.attribute("name").unwrap_or_default()
}

/// The class as the document names it.
fn class_of(xml: &Element<'_>) -> String {
    printable(xml.attribute("class").unwrap_or_default())
}

/// Every element says itself how it is written, so this is but a word. It is not
/// EBCDIC, where the sign of a packed amount would be; jPOS writes that in ASCII.
fn family(mti: MtiForm) -> Family {
    if mti == MtiForm::Bcd { Family::Packed } else { Family::Ascii }
}
