//! From TOML to a [`SpecFile`], refusing whatever it does not know.
//!
//! Keys are taken by hand and not by a derived reader, so that an error can name the field it is about and not only a
//! line.

use std::ops::RangeInclusive;

use toml::{Table, Value};

use super::words::{self, Kind, Words};
use super::{
    CompositeDef, CompositeKind, ElementDef, Family, FieldDef, MessageRule, MtiPattern, PartDef, PartKey,
    SizeForm, SpecFile, TagForm, Tertiary,
};
use crate::field::{Length, Prefix};
use crate::framing::LengthHeader;
use crate::header::Headers;
use crate::path::{PATH_STEPS_MAX, Path};
use crate::spec_error::{Place, SpecError};

const HEAD_KEYS: [&str; 10] =
    ["name", "version", "mti", "bitmap", "tertiary", "encoding", "length", "header", "field", "message"];

/// Reads a whole file.
pub(super) fn file(text: &str) -> Result<SpecFile, SpecError> {
    let mut head = Keys { place: Place::Head, table: text.parse().map_err(SpecError::Syntax)? };
    head.only(&HEAD_KEYS)?;
    let mut file = SpecFile {
        name: head.text("name")?,
        version: head.perhaps("version", words::VERSION)?,
        mti: head.choose("mti", words::MTI)?,
        bitmap: head.choose("bitmap", words::BITMAP)?,
        tertiary: head.perhaps("tertiary", words::TERTIARY)?.unwrap_or(Tertiary::None),
        encoding: head.perhaps("encoding", words::FAMILY)?.unwrap_or(Family::Packed),
        length: if head.has("length") { Some(head.frame_length()?) } else { None },
        header: if head.has("header") { Some(head.headers()?) } else { None },
        fields: Vec::new(),
        messages: Vec::new(),
    };
    for (index, table) in head.rows("field")?.into_iter().enumerate() {
        file.fields.push(field(Keys { place: Place::Row(index + 1), table })?);
    }
    if head.has("message") {
        for (index, table) in head.rows("message")?.into_iter().enumerate() {
            file.messages.push(message(Keys { place: Place::Message(index + 1), table })?);
        }
    }
    Ok(file)
}

fn field(mut keys: Keys) -> Result<FieldDef, SpecError> {
    let number = keys.number("number", 2..=192)?;
    keys.place = Place::Field(number);
    keys.only(&ELEMENT_KEYS)?;
    Ok(FieldDef { number, element: element(keys, Path::new(number))? })
}

fn message(mut keys: Keys) -> Result<MessageRule, SpecError> {
    keys.only(&["mti", "required", "optional"])?;
    let mti = keys.take("mti")?.as_str().and_then(MtiPattern::parse);
    let mti = mti.ok_or_else(|| keys.bad("mti", "must be four digits, or `x` for any"))?;
    let required = if keys.has("required") { keys.numbers("required")? } else { Vec::new() };
    let optional = if keys.has("optional") { Some(keys.numbers("optional")?) } else { None };
    Ok(MessageRule { mti, required, optional })
}

const ELEMENT_KEYS: [&str; 13] = [
    "name",
    "class",
    "encoding",
    "length",
    "prefix",
    "max",
    "prefix_encoding",
    "counts",
    "align",
    "pad",
    "show",
    "format",
    "composite",
];

fn element(mut keys: Keys, path: Path) -> Result<ElementDef, SpecError> {
    let name = keys.text("name")?;
    let class = keys.choose("class", words::CLASS)?;
    let length = length(&mut keys)?;
    let composite = match keys.table.remove("composite") {
        Some(Value::Table(table)) => Some(composite(Keys { place: keys.place, table }, path)?),
        Some(_) => return Err(keys.bad("composite", "must be a table")),
        None => None,
    };
    Ok(ElementDef {
        name,
        class,
        encoding: keys.perhaps("encoding", words::VALUE)?,
        length,
        prefix_encoding: keys.perhaps("prefix_encoding", words::PREFIX_ENCODING)?,
        counts: keys.perhaps("counts", words::COUNTS)?,
        align: keys.perhaps("align", words::ALIGN)?,
        pad: if keys.has("pad") { Some(keys.nibble()?) } else { None },
        show: keys.perhaps("show", words::SHOW)?,
        format: keys.perhaps("format", words::FORMAT)?,
        composite,
    })
}

/// Either `length`, or `prefix` with `max`, or in a part perhaps `max` alone.
fn length(keys: &mut Keys) -> Result<Length, SpecError> {
    if keys.has("length") {
        if keys.has("prefix") || keys.has("max") {
            return Err(keys.bad("length", "excludes `prefix` and `max`"));
        }
        return Ok(Length::Fixed(keys.number("length", 1..=u16::MAX)?));
    }
    if keys.has("prefix") {
        let prefix = keys.choose("prefix", words::PREFIX)?;
        return Ok(Length::Variable { prefix, max: keys.number("max", 1..=u16::MAX)? });
    }
    if matches!(keys.place, Place::Field(_)) {
        return Err(SpecError::MissingKey { place: keys.place, key: "length" });
    }
    let max = if keys.has("max") { keys.number("max", 1..=u16::MAX)? } else { u16::MAX };
    Ok(Length::Variable { prefix: Prefix::None, max })
}

fn composite(mut keys: Keys, path: Path) -> Result<CompositeDef, SpecError> {
    if path.steps().len() == PATH_STEPS_MAX {
        return Err(keys.bad("composite", "stands too deep"));
    }
    let kind = keys.choose("kind", words::KIND)?;
    keys.only(match kind {
        Kind::Positional | Kind::BerTlv => &["kind", "part"],
        Kind::Bitmap => &["kind", "part", "bitmap", "bytes", "continued"],
        Kind::Tags => &["kind", "part", "tag", "size", "label"],
    })?;
    let kind = match kind {
        Kind::Positional => CompositeKind::Positional,
        Kind::BerTlv => CompositeKind::BerTlv,
        Kind::Bitmap => CompositeKind::Bitmap {
            form: keys.choose("bitmap", words::BITMAP)?,
            bytes: keys.number("bytes", 1..=16)?,
            continued: if keys.has("continued") { keys.truth("continued")? } else { false },
        },
        Kind::Tags => tags(&mut keys)?,
    };
    let mut parts = Vec::new();
    if keys.has("part") {
        for (index, table) in keys.rows("part")?.into_iter().enumerate() {
            parts.push(part(Keys { place: Place::PartRow(path, index + 1), table }, path)?);
        }
    }
    Ok(CompositeDef { kind, parts })
}

fn tags(keys: &mut Keys) -> Result<CompositeKind, SpecError> {
    let mut width = |key, range| {
        let Value::Table(table) = keys.take(key)? else {
            return Err(keys.bad(key, "must be a table of `encoding` and `length`"));
        };
        let mut inner = Keys { place: keys.place, table };
        inner.only(&["encoding", "length"])?;
        Ok((inner.choose("encoding", words::PREFIX_ENCODING)?, inner.number("length", range)?))
    };
    let (encoding, length) = width("tag", 1..=6)?;
    let tag = TagForm { encoding, length };
    let (encoding, length) = width("size", 1..=6)?;
    let size = SizeForm { encoding, length };
    let label = if keys.has("label") {
        let label = keys.text("label")?;
        let good = label.len() <= 4 && label.bytes().all(|letter| letter.is_ascii_uppercase());
        good.then_some(label).ok_or_else(|| keys.bad("label", "must be at most four capital letters"))?
    } else {
        String::new()
    };
    Ok(CompositeKind::Tags { tag, size, label })
}

fn part(mut keys: Keys, parent: Path) -> Result<PartDef, SpecError> {
    let (key, path) = if keys.has("tag") {
        let tag = keys.text("tag")?;
        let path = parent.name(&tag).ok_or_else(|| keys.bad("tag", "must be 1 to 10 letters and digits"))?;
        (PartKey::Tag(tag), path)
    } else {
        let number = keys.number("number", 1..=u8::MAX)?;
        let path = parent.number(number).ok_or_else(|| keys.bad("number", "stands too deep"))?;
        (PartKey::Number(number), path)
    };
    keys.place = Place::Part(path);
    keys.only(&ELEMENT_KEYS)?;
    Ok(PartDef { key, element: element(keys, path)? })
}

/// One table's keys, taken one after another.
struct Keys {
    place: Place,
    table: Table,
}

impl Keys {
    fn only(&self, known: &[&str]) -> Result<(), SpecError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(SpecError::UnknownKey { place: self.place, key: key.clone() }),
            None => Ok(()),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn bad(&self, key: &'static str, rule: &'static str) -> SpecError {
        SpecError::BadValue { place: self.place, key, rule }
    }

    fn take(&mut self, key: &'static str) -> Result<Value, SpecError> {
        self.table.remove(key).ok_or(SpecError::MissingKey { place: self.place, key })
    }

    fn text(&mut self, key: &'static str) -> Result<String, SpecError> {
        match self.take(key)? {
            Value::String(text) => Ok(text),
            _ => Err(self.bad(key, "must be a text")),
        }
    }

    fn truth(&mut self, key: &'static str) -> Result<bool, SpecError> {
        self.take(key)?.as_bool().ok_or_else(|| self.bad(key, "must be true or false"))
    }

    fn nibble(&mut self) -> Result<u8, SpecError> {
        let digit = match self.take("pad")? {
            Value::String(text) if text.len() == 1 => u8::from_str_radix(&text, 16).ok(),
            _ => None,
        };
        digit.ok_or_else(|| self.bad("pad", "must be one hex digit in quotes"))
    }

    fn number<T: TryFrom<i64> + PartialOrd>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Result<T, SpecError> {
        self.take(key)?
            .as_integer()
            .and_then(|value| T::try_from(value).ok())
            .filter(|value| range.contains(value))
            .ok_or_else(|| self.bad(key, "is not a whole number in its range"))
    }

    fn numbers(&mut self, key: &'static str) -> Result<Vec<u8>, SpecError> {
        let number = |value: &Value| value.as_integer().and_then(|value| u8::try_from(value).ok());
        let numbers = self.take(key)?.as_array().and_then(|values| values.iter().map(number).collect());
        numbers.ok_or_else(|| self.bad(key, "must be a list of field numbers"))
    }

    fn frame_length(&mut self) -> Result<LengthHeader, SpecError> {
        let rule = "is not the name of a length, such as \"binary2\" or \"ascii4+self\"";
        self.text("length")?.parse().map_err(|_| self.bad("length", rule))
    }

    fn headers(&mut self) -> Result<Headers, SpecError> {
        let names: Option<Vec<String>> = match self.take("header")? {
            Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let rule = "is not a list of at most eight names of headers, such as \"tpdu\" or \"opaque:12\"";
        names.and_then(|names| Headers::from_names(names).ok()).ok_or_else(|| self.bad("header", rule))
    }

    fn choose<T: Copy>(&mut self, key: &'static str, words: Words<T>) -> Result<T, SpecError> {
        let value = self.take(key)?;
        let chosen = words.iter().find(|(word, _)| value.as_str() == Some(word));
        chosen.map(|&(_, meaning)| meaning).ok_or_else(|| self.bad(key, "is not one of its words"))
    }

    fn perhaps<T: Copy>(&mut self, key: &'static str, words: Words<T>) -> Result<Option<T>, SpecError> {
        if self.has(key) { self.choose(key, words).map(Some) } else { Ok(None) }
    }

    fn rows(&mut self, key: &'static str) -> Result<Vec<Table>, SpecError> {
        let Value::Array(rows) = self.take(key)? else {
            return Err(self.bad(key, "must be a list of tables"));
        };
        let table = |row| match row {
            Value::Table(table) => Ok(table),
            _ => Err(self.bad(key, "must be a list of tables")),
        };
        rows.into_iter().map(table).collect()
    }
}
