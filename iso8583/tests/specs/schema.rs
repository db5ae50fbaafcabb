//! The JSON Schema of specification files, held to the files and to the reader.

use iso8583::framing::LengthHeader;
use iso8583::{Spec, SpecError, SpecFile};
use serde_json::{Value, json};

use crate::everything::EVERYTHING;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../specs/spec.schema.json")).expect("it is JSON")
}

/// What a value breaks of a schema: the keywords that this schema uses, and none that is not known here.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str, told: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let broken = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => false,
            "$ref" => {
                let name =
                    rule.as_str().and_then(|path| path.strip_prefix("#/$defs/")).expect("a definition");
                faults(root, &root["$defs"][name], value, at, told);
                false
            }
            "type" => !match rule.as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("integer") => value.is_i64(),
                Some("boolean") => value.is_boolean(),
                other => panic!("type {other:?}"),
            },
            "enum" => !rule.as_array().expect("words").contains(value),
            "minimum" => value.as_i64().is_some_and(|value| value < bound(rule)),
            "maximum" => value.as_i64().is_some_and(|value| value > bound(rule)),
            "minLength" => characters(value).is_some_and(|count| count < bound(rule)),
            "maxLength" => characters(value).is_some_and(|count| count > bound(rule)),
            "maxItems" => value
                .as_array()
                .is_some_and(|items| items.len() > usize::try_from(bound(rule)).expect("small")),
            "required" => {
                let keys = rule.as_array().expect("keys").iter().filter_map(Value::as_str);
                keys.into_iter().any(|key| value.get(key).is_none())
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().expect("properties");
                value.as_object().is_some_and(|keys| keys.keys().any(|key| !known.contains_key(key)))
            }
            "properties" => {
                for (key, below) in rule.as_object().expect("properties") {
                    if let Some(value) = value.get(key) {
                        faults(root, below, value, &format!("{at}.{key}"), told);
                    }
                }
                false
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    faults(root, rule, value, &format!("{at}[{index}]"), told);
                }
                false
            }
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if broken {
            told.push(format!("{at}: {keyword}"));
        }
    }
}

fn bound(rule: &Value) -> i64 {
    rule.as_i64().expect("a whole number")
}

fn characters(value: &Value) -> Option<i64> {
    value.as_str().and_then(|text| text.chars().count().try_into().ok())
}

fn check(value: &Value) -> Vec<String> {
    let schema = schema();
    let mut told = Vec::new();
    faults(&schema, &schema, value, "", &mut told);
    told
}

fn from_toml(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("it is TOML");
    serde_json::to_value(table).expect("it fits into JSON")
}

#[test]
fn every_specification_fits_the_schema_as_written_and_as_rewritten() {
    let shipped = Spec::shipped_names().map(|name| Spec::shipped_toml(name).expect("shipped"));
    for text in shipped.chain([EVERYTHING]) {
        assert_eq!(check(&from_toml(text)), [""; 0]);
        let file = SpecFile::from_toml(text).expect("it reads");
        assert_eq!(check(&from_toml(&file.to_toml())), [""; 0], "{}", file.name);
    }
}

#[test]
fn what_the_reader_refuses_the_schema_refuses() {
    let field = |key: &str, value: Value| {
        let mut field = json!({ "number": 4, "name": "x", "class": "n", "length": 12 });
        field[key] = value;
        json!({ "name": "toy", "mti": "bcd", "bitmap": "binary", "field": [field] })
    };
    for (name, file, want) in [
        ("nothing", json!({}), ": required"),
        ("an unknown key", field("lenght", json!(1)), ".field[0]: additionalProperties"),
        ("an unknown word", field("class", json!("ns")), ".field[0].class: enum"),
        ("a text for a number", field("length", json!("12")), ".field[0].length: type"),
        ("number 1", field("number", json!(1)), ".field[0].number: minimum"),
        ("number 193", field("number", json!(193)), ".field[0].number: maximum"),
        ("an empty composite", field("composite", json!({})), ".field[0].composite: required"),
        ("a pad of two", field("pad", json!("ff")), ".field[0].pad: enum"),
    ] {
        assert_eq!(check(&file).first().map(String::as_str), Some(want), "{name}");
    }
}

/// Every word that the schema has for a key, the reader takes for that key.
#[test]
fn the_words_of_the_schema_are_those_of_the_reader() {
    let schema = schema();
    let words = |place: &Value| -> Vec<String> {
        let place = match place["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            Some(name) => &schema["$defs"][name],
            None => place,
        };
        let words = place["enum"].as_array().into_iter().flatten();
        words.map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let refuses_word = |text: &str| {
        matches!(
            SpecFile::from_toml(text),
            Err(SpecError::BadValue {
                rule: "is not one of its words" | "must be one hex digit in quotes",
                ..
            })
        )
    };
    let mut tried = 0;
    let head = [("name", "toy"), ("mti", "bcd"), ("bitmap", "binary")];
    for key in ["version", "mti", "bitmap", "tertiary", "encoding"] {
        for word in words(&schema["properties"][key]).into_iter().chain(["nonsense".to_owned()]) {
            let others = head.iter().filter(|(other, _)| *other != key);
            let keys: String = others.map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
            let text = format!("{keys}{key} = \"{word}\"\nfield = []");
            assert_eq!(refuses_word(&text), word == "nonsense", "{text}");
            tried += 1;
        }
    }
    for key in ["class", "encoding", "prefix", "prefix_encoding", "counts", "align", "pad", "show", "format"]
    {
        for word in
            words(&schema["$defs"]["field"]["properties"][key]).into_iter().chain(["nonsense".to_owned()])
        {
            let class = if key == "class" { "" } else { "class = \"n\"\n" };
            let length = if key == "prefix" { "max = 4" } else { "length = 4" };
            let text = format!(
                "name = \"toy\"\nmti = \"bcd\"\nbitmap = \"binary\"\n[[field]]\nnumber = 4\nname = \"x\"\n\
                 {class}{length}\n{key} = \"{word}\""
            );
            assert_eq!(refuses_word(&text), word == "nonsense", "{text}");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn the_lengths_of_the_schema_are_those_of_frames() {
    let schema = schema();
    let words = schema["properties"]["length"]["enum"].as_array().expect("words");
    let mut names: Vec<_> = LengthHeader::all().map(|length| length.to_string()).collect();
    let mut words: Vec<_> = words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
    names.sort();
    words.sort();
    assert_eq!(words, names);
}
