//! The keys of a field: what a document says, before it is asked what it means.

use crate::import::document::{Node, Value};
use crate::import::error::{Place, Rule, printable};
use crate::import::findings::Findings;

/// A field, subfield or bitmap as the document defines it.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) place: Place,
    pub(super) line: Option<usize>,
    /// `type`, which is empty if it is missing.
    pub(super) kind: String,
    pub(super) length: Option<u32>,
    pub(super) description: String,
    pub(super) enc: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) tag: Option<TagKeys>,
    pub(super) bitmap: Option<Box<Definition>>,
    pub(super) subfields: Vec<(String, Option<Definition>)>,
    pub(super) disable_auto_expand: bool,
}

/// The keys of `tag`.
#[derive(Debug, Default)]
pub(super) struct TagKeys {
    pub(super) length: Option<u32>,
    pub(super) enc: Option<String>,
    /// The character that stands in front of a tag that is shorter.
    pub(super) pads_left_with: Option<String>,
    pub(super) sort: Option<String>,
    pub(super) pref_unknown: Option<String>,
}

impl Definition {
    /// Reads the keys of a field and of everything in it; the document's depth
    /// bounds the recursion.
    pub(super) fn read(node: Node, place: &Place, findings: &mut Findings) -> Option<Definition> {
        let mut keys = Keys::of(node, place, findings)?;
        let kind = keys.text("type", findings);
        if kind.is_none() {
            findings.refuse(place, keys.line, Rule::Missing("type"));
        }
        let length = keys.number("length", findings);
        let description = keys.text("description", findings).unwrap_or_default();
        let enc = keys.text("enc", findings);
        let prefix = keys.text("prefix", findings);
        // How a value is filled up is for packing; a fixed value here comes full.
        let _ = keys.map("padding", findings);
        let tag = keys.take("tag").and_then(|node| TagKeys::read(node, place, findings));
        let bitmap =
            keys.take("bitmap").and_then(|node| Definition::read(node, &place.below("bitmap"), findings));
        let subfields = keys.map("subfields", findings).unwrap_or_default();
        let disable_auto_expand = keys.text("disableAutoExpand", findings).is_some_and(|text| text == "true");
        keys.note_others(findings);
        let subfields = subfields
            .into_iter()
            .map(|(key, node)| {
                let definition = Definition::read(node, &place.below(&key), findings);
                (key, definition)
            })
            .collect();
        Some(Definition {
            place: place.clone(),
            line: keys.line,
            kind: kind?,
            length,
            description,
            enc,
            prefix,
            tag,
            bitmap: bitmap.map(Box::new),
            subfields,
            disable_auto_expand,
        })
    }
}

impl TagKeys {
    fn read(node: Node, place: &Place, findings: &mut Findings) -> Option<TagKeys> {
        if matches!(node.value, Value::Null) {
            return Some(TagKeys::default());
        }
        let mut keys = Keys::of(node, place, findings)?;
        let length = keys.number("length", findings);
        let enc = keys.text("enc", findings);
        let sort = keys.text("sort", findings);
        let pref_unknown = keys.text("prefUnknownTLV", findings);
        // Unknown tags are always kept here.
        let _ = (keys.text("skipUnknownTLVTags", findings), keys.text("storeUnknownTLVTags", findings));
        let pads_left_with = keys.take("padding").and_then(|node| {
            let mut keys = Keys::of(node, place, findings)?;
            let left = keys.text("type", findings).is_some_and(|side| side == "Left");
            keys.text("pad", findings).filter(|_| left)
        });
        keys.note_others(findings);
        Some(TagKeys { length, enc, pads_left_with, sort, pref_unknown })
    }
}

/// The keys of a map, taken out one by one; moov reads them without regard to
/// capitals.
pub(super) struct Keys<'a> {
    pub(super) line: Option<usize>,
    place: &'a Place,
    entries: Vec<(String, Node)>,
}

impl<'a> Keys<'a> {
    /// The keys of a value that must be a map.
    pub(super) fn of(node: Node, place: &'a Place, findings: &mut Findings) -> Option<Keys<'a>> {
        match node.value {
            Value::Map(entries) => Some(Keys { line: node.line, place, entries }),
            _ => {
                findings.refuse(place, node.line, Rule::Other("is not a map of keys and values".to_owned()));
                None
            }
        }
    }

    /// The value of a key that is there and not null.
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(known, _)| known.eq_ignore_ascii_case(key))?;
        Some(self.entries.remove(at).1).filter(|node| !matches!(node.value, Value::Null))
    }

    pub(super) fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<String> {
        match self.take(key)? {
            Node { value: Value::Scalar(text), .. } => Some(text),
            node => {
                let rule = Rule::BadValue { key, rule: "is not a text".to_owned() };
                findings.refuse(self.place, node.line, rule);
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, findings: &mut Findings) -> Option<u32> {
        let line = self.line;
        let text = self.text(key, findings)?;
        let number = text.parse().ok().filter(|number| *number <= 999_999);
        if number.is_none() {
            let rule = Rule::BadValue { key, rule: "is not a number up to 999999".to_owned() };
            findings.refuse(self.place, line, rule);
        }
        number
    }

    pub(super) fn map(&mut self, key: &'static str, findings: &mut Findings) -> Option<Vec<(String, Node)>> {
        match self.take(key)? {
            Node { value: Value::Map(entries), .. } => Some(entries),
            node => {
                let rule = Rule::BadValue { key, rule: "is not a map of keys and values".to_owned() };
                findings.refuse(self.place, node.line, rule);
                None
            }
        }
    }

    /// Notes the keys that nobody took.
    pub(super) fn note_others(&self, findings: &mut Findings) {
        for (key, _) in &self.entries {
            findings.note(self.place, format!("key `{}` is not read", printable(key)));
        }
    }
}
