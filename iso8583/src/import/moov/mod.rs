//! moov-io/iso8583: specifications as JSON or YAML documents.
//!
//! Both formats have the same keys; `field` reads them. What a value looks like
//! follows from `type`, `enc` and `prefix` together (`value`), and what a field
//! of subfields looks like from `tag` or `bitmap` (`composite`). Start at
//! [`import_json`] and [`import_yaml`].

mod composite;
#[cfg(test)]
mod composite_tests;
mod field;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use super::document::{self, Broken, Node};
use super::error::{ImportError, Place, Rule, printable};
use super::findings::Findings;
use super::{Imported, name_of, show, text};
use crate::SpecFile;
use crate::field::{Class, Length};
use crate::spec_file::{BitmapForm, ElementDef, Family, FieldDef, MtiForm, Tertiary, ValueEncoding};
use field::{Definition, Keys};

/// Reads a specification in JSON.
///
/// ```
/// use iso8583::{Message, Spec, import::moov};
///
/// let json = br#"{"name": "example", "fields": {
///   "0": {"type": "String", "length": 4, "enc": "BCD", "prefix": "BCD.Fixed"},
///   "1": {"type": "Bitmap", "enc": "Binary", "prefix": "Binary.Fixed"},
///   "11": {"type": "Numeric", "length": 6, "enc": "BCD", "prefix": "BCD.Fixed"}}}"#;
/// let spec = Spec::compile(&moov::import_json(json)?.spec)?;
/// let message = Message::decode(&spec, b"\x08\x00\0\x20\0\0\0\0\0\0\x00\x00\x42")?;
/// assert_eq!(message.number(11), Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Bytes that are no JSON, and whatever in the document has no counterpart here:
/// every reason, each with its field.
pub fn import_json(json: &[u8]) -> Result<Imported, ImportError> {
    import(document::json(text::utf8(json)?))
}

/// Reads a specification in YAML.
///
/// # Errors
/// As [`import_json`]; an alias is refused too.
pub fn import_yaml(yaml: &[u8]) -> Result<Imported, ImportError> {
    import(document::yaml(text::utf8(yaml)?))
}

fn import(document: Result<Node, Broken>) -> Result<Imported, ImportError> {
    let root = document.map_err(|broken| Findings::broken(broken.line, broken.rule))?;
    let mut reader = Reader { findings: Findings::default() };
    let spec = reader.spec(root);
    reader.findings.finish(spec)
}

/// What is known while a document is read.
struct Reader {
    findings: Findings,
}

impl Reader {
    fn bad(&mut self, field: &Definition, key: &'static str, rule: impl Into<String>) {
        self.findings.refuse(&field.place, field.line, Rule::BadValue { key, rule: rule.into() });
    }

    fn spec(&mut self, root: Node) -> Option<SpecFile> {
        let place = Place::Document;
        let mut keys = Keys::of(root, &place, &mut self.findings)?;
        let name = keys.text("name", &mut self.findings).unwrap_or_default();
        let fields = keys.map("fields", &mut self.findings);
        keys.note_others(&mut self.findings);
        let Some(fields) = fields.filter(|fields| !fields.is_empty()) else {
            self.findings.refuse(&place, keys.line, Rule::Missing("fields"));
            return None;
        };
        let mut numbered = BTreeMap::new();
        for (key, node) in fields {
            let place = place.below(&key);
            let line = node.line;
            let definition = Definition::read(node, &place, &mut self.findings);
            match key.parse::<u8>().ok().filter(|number| *number <= 192) {
                None => {
                    let rule = "is not from 0 to 192".to_owned();
                    self.findings.refuse(&place, line, Rule::BadValue { key: "fields", rule });
                }
                Some(number) => drop(numbered.insert(number, definition)),
            }
        }
        let mti = self.mti(numbered.remove(&0));
        let bitmap = self.bitmap(numbered.remove(&1), numbered.keys().last().copied());
        let third = numbered.keys().any(|number| *number > 128);
        let fields = self.fields(numbered, third);
        let mut spec = SpecFile::new(&name_of(&name, "imported"), mti?, bitmap?, family(mti?));
        if third {
            spec.tertiary = Tertiary::Head;
        }
        spec.fields = fields;
        Some(spec)
    }

    /// The data elements; `third` says whether 65 is the bit of a third bitmap.
    fn fields(&mut self, numbered: BTreeMap<u8, Option<Definition>>, third: bool) -> Vec<FieldDef> {
        let mut fields = Vec::new();
        for (number, definition) in numbered {
            let Some(definition) = definition else { continue };
            if number == 65 && third {
                self.findings.note(&definition.place, "is left out: its bit promises the third bitmap");
                continue;
            }
            let Some(mut element) = self.element(&definition, Some(number)) else { continue };
            let shown = show::of(number, &element);
            show::set(&mut element, shown);
            fields.push(FieldDef { number, element });
        }
        fields
    }

    fn mti(&mut self, definition: Option<Option<Definition>>) -> Option<MtiForm> {
        let Some(definition) = definition else {
            let rule = Rule::Other("has no field 0, the message type".to_owned());
            self.findings.refuse(&Place::Document, None, rule);
            return None;
        };
        let definition = definition?;
        let element = self.element(&definition, None)?;
        match (element.class, element.encoding, element.length) {
            (_, Some(ValueEncoding::Ascii), Length::Fixed(4)) => Some(MtiForm::Ascii),
            (_, Some(ValueEncoding::Ebcdic(_)), Length::Fixed(4)) => Some(MtiForm::Ebcdic),
            (Class::Numeric, Some(ValueEncoding::Bcd), Length::Fixed(4))
            | (Class::Binary, Some(ValueEncoding::Binary), Length::Fixed(2)) => Some(MtiForm::Bcd),
            _ => {
                self.bad(&definition, "enc", "and `length` do not make a message type of four digits");
                None
            }
        }
    }

    /// How bitmaps are written. They follow each other as far as their first
    /// bits say, whatever their length; with `disableAutoExpand` there is one.
    fn bitmap(&mut self, definition: Option<Option<Definition>>, highest: Option<u8>) -> Option<BitmapForm> {
        let Some(definition) = definition else {
            let rule = Rule::Other("has no field 1, the bitmap".to_owned());
            self.findings.refuse(&Place::Document, None, rule);
            return None;
        };
        let definition = definition?;
        let form = self.bitmap_form(&definition)?;
        if definition.disable_auto_expand {
            if definition.length.unwrap_or(8) != 8 || highest.is_some_and(|highest| highest > 64) {
                self.bad(
                    &definition,
                    "disableAutoExpand",
                    "makes one bitmap of other than 64 bits, or hides fields",
                );
                return None;
            }
            self.findings
                .note(&definition.place, "a second bitmap is read if the first one's first bit is set");
        }
        Some(form)
    }

    /// The way a bitmap is written.
    fn bitmap_form(&mut self, definition: &Definition) -> Option<BitmapForm> {
        if definition.kind != "Bitmap" {
            self.bad(definition, "type", "is not Bitmap");
            return None;
        }
        match definition.enc.as_deref() {
            Some("Binary") => Some(BitmapForm::Binary),
            Some("HexToASCII" | "BytesToASCIIHex" | "Hex") => Some(BitmapForm::Hex),
            _ => {
                self.bad(definition, "enc", "is not Binary or HexToASCII, as a bitmap's must be");
                None
            }
        }
    }

    /// An element of any type; `number` is that of a data element.
    fn element(&mut self, definition: &Definition, number: Option<u8>) -> Option<ElementDef> {
        match definition.kind.as_str() {
            "Composite" => self.composite(definition),
            "Bitmap" => {
                self.bad(definition, "type", "is Bitmap, which only field 1 can be");
                None
            }
            "String" | "Numeric" | "Binary" | "Hex" | "Track1" | "Track2" | "Track3" => {
                if !definition.subfields.is_empty() {
                    self.bad(definition, "subfields", "are for type Composite only");
                }
                self.value(definition, number)
            }
            other => {
                let name = printable(other);
                let rule = Rule::NoCounterpart { what: "type", name };
                self.findings.refuse(&definition.place, definition.line, rule);
                None
            }
        }
    }
}

/// Every element says itself how it is written, so this is but a word.
fn family(mti: MtiForm) -> Family {
    if mti == MtiForm::Bcd { Family::Packed } else { Family::Ascii }
}
