//! From a [`SpecFile`] to TOML: one `[[field]]` after another, keys in the order in which a person reads them.

use std::fmt::{self, Display, Write};

use super::words::{self, word};
use super::{
    CompositeDef, CompositeKind, ElementDef, Family, MessageRule, PartKey, PrefixEncoding, SpecFile, Tertiary,
};
use crate::field::{Length, Prefix};

/// The whole file.
pub(super) fn file(file: &SpecFile) -> String {
    let mut text = String::new();
    // INVARIANT: writing to a `String` does not fail.
    Writer { out: &mut text }.file(file).expect("a String takes everything");
    text
}

struct Writer<'o> {
    out: &'o mut String,
}

impl Writer<'_> {
    fn file(&mut self, file: &SpecFile) -> fmt::Result {
        self.text("name", &file.name)?;
        if let Some(version) = file.version {
            self.text("version", word(words::VERSION, &version))?;
        }
        self.text("mti", word(words::MTI, &file.mti))?;
        self.text("bitmap", word(words::BITMAP, &file.bitmap))?;
        if file.tertiary != Tertiary::None {
            self.text("tertiary", word(words::TERTIARY, &file.tertiary))?;
        }
        if file.encoding != Family::Packed {
            self.text("encoding", word(words::FAMILY, &file.encoding))?;
        }
        if let Some(length) = file.length {
            self.text("length", &length.to_string())?;
        }
        if let Some(headers) = &file.header {
            let names = headers.forms().iter().map(|form| toml::Value::String(form.to_string()));
            self.plain("header", toml::Value::Array(names.collect()))?;
        }
        if file.fields.is_empty() {
            self.out.write_str("field = []\n")?;
        }
        for field in &file.fields {
            self.out.write_str("\n[[field]]\n")?;
            self.plain("number", field.number)?;
            self.element(&field.element, "field")?;
        }
        file.messages.iter().try_for_each(|rule| self.message(rule))
    }

    fn element(&mut self, element: &ElementDef, table: &str) -> fmt::Result {
        self.text("name", &element.name)?;
        self.text("class", word(words::CLASS, &element.class))?;
        self.perhaps("encoding", words::VALUE, element.encoding)?;
        match element.length {
            Length::Fixed(length) => self.plain("length", length)?,
            Length::Variable { prefix: Prefix::None, max: u16::MAX } => {}
            Length::Variable { prefix: Prefix::None, max } => self.plain("max", max)?,
            Length::Variable { prefix, max } => {
                self.text("prefix", word(words::PREFIX, &prefix))?;
                self.plain("max", max)?;
            }
        }
        self.perhaps("prefix_encoding", words::PREFIX_ENCODING, element.prefix_encoding)?;
        self.perhaps("counts", words::COUNTS, element.counts)?;
        self.perhaps("align", words::ALIGN, element.align)?;
        if let Some(pad) = element.pad {
            self.text("pad", &format!("{pad:x}"))?;
        }
        self.perhaps("show", words::SHOW, element.show)?;
        self.perhaps("format", words::FORMAT, element.format)?;
        match &element.composite {
            Some(composite) => self.composite(composite, &format!("{table}.composite")),
            None => Ok(()),
        }
    }

    fn composite(&mut self, composite: &CompositeDef, table: &str) -> fmt::Result {
        writeln!(self.out, "[{table}]")?;
        self.text("kind", word(words::KIND, &composite.kind.kind()))?;
        match &composite.kind {
            CompositeKind::Positional | CompositeKind::BerTlv => {}
            CompositeKind::Bitmap { form, bytes, continued } => {
                self.text("bitmap", word(words::BITMAP, form))?;
                self.plain("bytes", bytes)?;
                if *continued {
                    self.plain("continued", true)?;
                }
            }
            CompositeKind::Tags { tag, size, label } => {
                self.width("tag", tag.encoding, tag.length)?;
                self.width("size", size.encoding, size.length)?;
                if !label.is_empty() {
                    self.text("label", label)?;
                }
            }
        }
        for part in &composite.parts {
            let table = format!("{table}.part");
            writeln!(self.out, "[[{table}]]")?;
            match &part.key {
                PartKey::Number(number) => self.plain("number", number)?,
                PartKey::Tag(tag) => self.text("tag", tag)?,
            }
            self.element(&part.element, &table)?;
        }
        Ok(())
    }

    fn message(&mut self, rule: &MessageRule) -> fmt::Result {
        self.out.write_str("\n[[message]]\n")?;
        self.text("mti", &rule.mti.to_string())?;
        self.plain("required", format_args!("{:?}", rule.required))?;
        match &rule.optional {
            Some(optional) => self.plain("optional", format_args!("{optional:?}")),
            None => Ok(()),
        }
    }

    fn width(&mut self, key: &str, encoding: PrefixEncoding, length: u8) -> fmt::Result {
        let encoding = word(words::PREFIX_ENCODING, &encoding);
        self.plain(key, format_args!("{{ encoding = \"{encoding}\", length = {length} }}"))
    }

    fn perhaps<T: PartialEq>(&mut self, key: &str, words: words::Words<T>, value: Option<T>) -> fmt::Result {
        match value {
            Some(value) => self.text(key, word(words, &value)),
            None => Ok(()),
        }
    }

    fn plain(&mut self, key: &str, value: impl Display) -> fmt::Result {
        writeln!(self.out, "{key} = {value}")
    }

    /// A text, escaped as TOML wants it.
    fn text(&mut self, key: &str, text: &str) -> fmt::Result {
        self.plain(key, toml::Value::String(text.to_owned()))
    }
}
