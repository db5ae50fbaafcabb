//! JSON and YAML as one tree: maps of texts.
//!
//! A scalar is kept as the text it was written as, a number too, since what a
//! value must be is the importer's question. Nothing in a document can make it
//! grow: YAML aliases are refused. Start at [`json`] and [`yaml`].

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep maps and lists may stand in each other. A field with subfields
/// takes two levels, so this leaves room for seven of them.
pub(super) const DEPTH_MAX: usize = 16;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// Counted from 1; a JSON document does not tell.
    pub(super) line: Option<usize>,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, or `null`.
    Null,
    /// A text, a number or a truth value, as written.
    Scalar(String),
    /// A list; no specification has one, so what is in it is not kept.
    List,
    /// Keys and values in the order written, each key once.
    Map(Vec<(String, Node)>),
}

/// Why a text is no document that is read here.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) line: Option<usize>,
    pub(super) rule: String,
}

const TOO_DEEP: &str = "has values too deep in each other";
const KEY_TWICE: &str = "names a key twice in one place";

/// Reads one JSON value.
///
/// # Errors
/// Text that is no JSON, a key given twice, values too deep in each other.
pub(super) fn json(text: &str) -> Result<Node, Broken> {
    let broken = |error: serde_json::Error| Broken { line: Some(error.line()), rule: reason(&error) };
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Levels(DEPTH_MAX).deserialize(&mut reader).map_err(broken)?;
    reader.end().map_err(broken)?;
    Ok(node)
}

/// The error's own words, without the position that it adds to them.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// How many levels a value may still have.
struct Levels(usize);

impl Levels {
    fn below<E: de::Error>(&self) -> Result<Levels, E> {
        self.0.checked_sub(1).map(Levels).ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(unplaced(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(unplaced(Value::Scalar(value.to_string())))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(unplaced(Value::Scalar(value.to_string())))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(unplaced(Value::Scalar(value.to_string())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(unplaced(Value::Scalar(value.to_string())))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(unplaced(Value::Scalar(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        while list.next_element_seed(self.below()?)?.is_some() {}
        Ok(unplaced(Value::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Entries::default();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.below()?)?;
            entries.add(key, value).map_err(|Twice| de::Error::custom(KEY_TWICE))?;
        }
        Ok(unplaced(Value::Map(entries.list)))
    }
}

fn unplaced(value: Value) -> Node {
    Node { line: None, value }
}

/// Entries of a map; the keys are kept a second time in a set, or a document of
/// nothing but keys would take quadratic time.
#[derive(Debug, Default)]
struct Entries {
    list: Vec<(String, Node)>,
    keys: std::collections::HashSet<String>,
}

/// A key was there already.
struct Twice;

impl Entries {
    fn add(&mut self, key: String, value: Node) -> Result<(), Twice> {
        if !self.keys.insert(key.clone()) {
            return Err(Twice);
        }
        self.list.push((key, value));
        Ok(())
    }
}

/// Reads one YAML document.
///
/// # Errors
/// Text that is no YAML, a second document, an alias, a key that is given
/// twice or is no scalar, values too deep in each other.
pub(super) fn yaml(text: &str) -> Result<Node, Broken> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        let line = span.start.line();
        tree.take(event, span).map_err(|rule| Broken { line: Some(line), rule: rule.to_owned() })?;
    }
    tree.root.ok_or_else(|| Broken { line: None, rule: "is empty".to_owned() })
}

fn unreadable(error: &ScanError) -> Broken {
    Broken { line: Some(error.marker().line()), rule: error.info().to_owned() }
}

/// The tree as far as the events went.
#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or map whose end has not come.
enum Open {
    List { line: usize },
    Map { line: usize, entries: Entries, key: Option<String> },
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), &'static str> {
        let line = span.start.line();
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err("has a second document"),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => Err("uses an alias, which is not read here"),
            Event::Scalar(text, style, ..) => {
                self.add(Node { line: Some(line), value: scalar(&text, style) })
            }
            Event::SequenceStart(..) => self.open(Open::List { line }),
            Event::MappingStart(..) => self.open(Open::Map { line, entries: Entries::default(), key: None }),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn open(&mut self, container: Open) -> Result<(), &'static str> {
        if self.open.len() == DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        self.open.push(container);
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let node = match self.open.pop() {
            Some(Open::List { line }) => Node { line: Some(line), value: Value::List },
            Some(Open::Map { line, entries, .. }) => {
                Node { line: Some(line), value: Value::Map(entries.list) }
            }
            None => return Err("ends what it did not begin"),
        };
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Result<(), &'static str> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { .. }) => {}
            Some(Open::Map { entries, key, .. }) => match (key.take(), node.value) {
                (Some(key), value) => {
                    entries.add(key, Node { line: node.line, value }).map_err(|Twice| KEY_TWICE)?;
                }
                (None, Value::Scalar(text)) => *key = Some(text),
                (None, _) => return Err("has a key that is no text"),
            },
        }
        Ok(())
    }
}

/// YAML 1.2, core schema: what is not quoted and says nothing is null.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::Scalar(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A tree as one line of text, to compare.
    fn shape(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar(text) => format!("'{text}'"),
            Value::List => "[]".to_owned(),
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    #[test]
    fn both_formats_give_the_same_tree() {
        let want =
            "{name: 'A: b', fields: {2: {length: '19', flag: 'true', pad: '0', list: [], none: null}}}";
        let from_json = json(
            r#"{"name": "A: b", "fields": {"2":
                {"length": 19, "flag": true, "pad": "0", "list": [1, [2], {"a": 3}], "none": null}}}"#,
        );
        assert_eq!(shape(&from_json.unwrap()), want);
        let from_yaml = yaml(
            "# a comment\nname: 'A: b'\nfields:\n  \"2\":\n    length: 19\n    flag: true\n    pad: \"0\"\n    \
             list: [1, [2], {a: 3}]\n    none:\n",
        );
        assert_eq!(shape(&from_yaml.unwrap()), want);
    }

    #[test]
    fn a_yaml_tree_knows_its_lines() {
        let root = yaml("name: x\nfields:\n  2:\n    length: 1\n").unwrap();
        let Value::Map(entries) = root.value else { panic!("a map") };
        let lines: Vec<_> = entries.iter().map(|(_, node)| node.line).collect();
        assert_eq!(lines, [Some(1), Some(3)]);
    }

    #[test]
    fn every_fault_of_a_json_document_is_named() {
        for (text, line, rule) in [
            ("", 1, "EOF while parsing a value"),
            ("{\n\"a\": 1,\n}", 3, "trailing comma"),
            ("{} {}", 1, "trailing characters"),
            ("{\"a\": 1,\n\"a\": 2}", 2, "names a key twice in one place"),
        ] {
            let broken = json(text).unwrap_err();
            assert_eq!((broken.line, broken.rule.as_str()), (Some(line), rule), "{text}");
        }
    }

    #[test]
    fn every_fault_of_a_yaml_document_is_named() {
        for (text, line, rule) in [
            ("", None, "is empty"),
            ("a: &x 1\nb: *x", Some(2), "uses an alias, which is not read here"),
            ("a: 1\n---\nb: 2", Some(2), "has a second document"),
            ("a: 1\na: 2", Some(2), "names a key twice in one place"),
            ("? [a]\n: 1", Some(1), "has a key that is no text"),
            ("a: [", Some(2), "while parsing a node, did not find expected node content"),
        ] {
            let broken = yaml(text).unwrap_err();
            assert_eq!((broken.line, broken.rule.as_str()), (line, rule), "{text}");
        }
    }

    #[test]
    fn one_level_past_the_limit_is_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(json(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(json(&nested(DEPTH_MAX + 1)).unwrap_err().rule, TOO_DEEP);
        assert!(yaml(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(yaml(&nested(DEPTH_MAX + 1)).unwrap_err().rule, TOO_DEEP);
    }
}
