//! From the text of a field table to a [`Spec`], refusing whatever it does not know.
//!
//! Keys are taken by hand and not by a derived reader, so that an error can
//! name the field it is about and not only a line. The format is described on
//! the crate's front page.

use std::fmt;
use std::ops::RangeInclusive;

use toml::{Table, Value};

use crate::spec::{Align, Class, Encoding, Field, Length, Prefix, Show, Spec};

/// Why a field table was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// The text is no TOML.
    #[error("the field table is not valid TOML")]
    Syntax(#[source] toml::de::Error),
    /// A key that the format does not have.
    #[error("{place}: unknown key `{key}`")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
    },
    /// A key that must be there.
    #[error("{place}: `{key}` is missing")]
    MissingKey {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
    },
    /// A value that breaks the key's rule.
    #[error("{place}: `{key}` {rule}")]
    BadValue {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
        /// What the value must be.
        rule: &'static str,
    },
}

/// The part of a field table an error is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// The keys in front of the first field.
    Head,
    /// The n-th `[[field]]`, counted from 1, when its number is not known.
    Row(usize),
    /// The `[[field]]` with this number.
    Field(u8),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Head => f.write_str("head"),
            Place::Row(row) => write!(f, "field row {row}"),
            Place::Field(number) => write!(f, "DE {number}"),
        }
    }
}

/// Reads and checks a whole table.
pub(crate) fn compile(text: &str) -> Result<Spec, SpecError> {
    let mut head = Keys { place: Place::Head, table: text.parse().map_err(SpecError::Syntax)? };
    head.only(&["name", "mti", "bitmap", "encoding", "field"])?;
    let name = head.name()?;
    let mti = head.choose("mti", &[("bcd", Encoding::Packed), ("ascii", Encoding::Ascii)])?;
    let bitmap = head.choose("bitmap", &[("binary", Encoding::Packed), ("hex", Encoding::Ascii)])?;
    let encoding = if head.has("encoding") {
        head.choose("encoding", &[("packed", Encoding::Packed), ("ascii", Encoding::Ascii)])?
    } else {
        Encoding::Packed
    };
    let mut spec = Spec::empty(name, mti, bitmap);
    for (index, table) in head.rows()?.into_iter().enumerate() {
        let mut keys = Keys { place: Place::Row(index + 1), table };
        // Bit 1 is the secondary bitmap's, so no field.
        let number = keys.number("number", 2..=128)?;
        keys.place = Place::Field(number);
        let field = read_field(&mut keys, encoding)?;
        if !spec.define(number, field) {
            return Err(keys.bad("number", "is defined twice"));
        }
    }
    Ok(spec)
}

fn read_field(keys: &mut Keys, encoding: Encoding) -> Result<Field, SpecError> {
    keys.only(&["number", "name", "class", "length", "prefix", "max", "align", "show"])?;
    let name = keys.name()?;
    let class = keys.choose(
        "class",
        &[
            ("n", Class::Numeric),
            ("z", Class::Track),
            ("an", Class::Alphanumeric),
            ("ans", Class::Text),
            ("b", Class::Binary),
            ("tlv", Class::Tlv),
        ],
    )?;
    if encoding == Encoding::Ascii && class == Class::Tlv {
        return Err(keys.bad("class", "cannot be \"tlv\" where fields are ASCII"));
    }
    let length = read_length(keys)?;
    // No host was seen to send one, so what its prefix would count is open: bytes or characters.
    if encoding == Encoding::Ascii && class == Class::Binary && !matches!(length, Length::Fixed(_)) {
        return Err(keys.bad("prefix", "excludes class \"b\" where fields are ASCII"));
    }
    let align = read_align(keys, encoding, class, length)?;
    let show = if keys.has("show") {
        let words =
            [("clear", Show::Clear), ("pan", Show::Pan), ("track", Show::Track), ("secret", Show::Secret)];
        keys.choose("show", &words)?
    } else {
        Show::Secret
    };
    if show == Show::Pan && class != Class::Numeric {
        return Err(keys.bad("show", "can be \"pan\" only with class \"n\""));
    }
    Ok(Field { name, class, encoding, length, align, show })
}

/// Either `length`, or `prefix` with `max`.
fn read_length(keys: &mut Keys) -> Result<Length, SpecError> {
    if keys.has("length") {
        if keys.has("prefix") || keys.has("max") {
            return Err(keys.bad("length", "excludes `prefix` and `max`"));
        }
        return Ok(Length::Fixed(keys.number("length", 1..=999)?));
    }
    if !keys.has("prefix") {
        return Err(SpecError::MissingKey { place: keys.place, key: "length" });
    }
    let prefix = keys.choose("prefix", &[("ll", Prefix::Ll), ("lll", Prefix::Lll)])?;
    let max = keys.number("max", 1..=999)?;
    if prefix == Prefix::Ll && max > 99 {
        return Err(keys.bad("max", "does not fit into the prefix"));
    }
    Ok(Length::Variable { prefix, max })
}

/// Which side is padded differs from field to field, so a table must say it
/// where it matters and cannot where it does not.
fn read_align(keys: &mut Keys, encoding: Encoding, class: Class, length: Length) -> Result<Align, SpecError> {
    let packed = encoding == Encoding::Packed && class.counts_digits();
    let matters = matches!(length, Length::Fixed(digits) if packed && !digits.is_multiple_of(2));
    match (matters, keys.has("align")) {
        (true, _) => keys.choose("align", &[("left", Align::Left), ("right", Align::Right)]),
        (false, true) => Err(keys.bad("align", "is only for a fixed odd count of packed digits")),
        // Digits behind a length prefix are left-aligned when their count is odd.
        (false, false) => Ok(Align::Left),
    }
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

    fn name(&mut self) -> Result<String, SpecError> {
        match self.take("name")? {
            Value::String(name) if matches!(name.len(), 1..=40) && !name.contains(char::is_control) => {
                Ok(name)
            }
            _ => Err(self.bad("name", "must be a text of 1 to 40 bytes")),
        }
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

    fn choose<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Result<T, SpecError> {
        let value = self.take(key)?;
        let chosen = words.iter().find(|(word, _)| value.as_str() == Some(word));
        chosen.map(|&(_, meaning)| meaning).ok_or_else(|| self.bad(key, "is not one of its words"))
    }

    fn rows(&mut self) -> Result<Vec<Table>, SpecError> {
        let Value::Array(rows) = self.take("field")? else {
            return Err(self.bad("field", "must be a list of tables"));
        };
        let table = |row| match row {
            Value::Table(table) => Ok(table),
            _ => Err(self.bad("field", "must be a list of tables")),
        };
        rows.into_iter().map(table).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"toy\"\nmti = \"bcd\"\nbitmap = \"binary\"\n";

    #[test]
    fn a_wrong_table_is_refused_with_field_and_key() {
        let amount = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\n";
        for (name, rows, want) in [
            ("unknown key", format!("{amount}length = 12\ncolour = 1"), "DE 4: unknown key `colour`"),
            ("a typing slip", format!("{amount}lenght = 12"), "DE 4: unknown key `lenght`"),
            ("no length", amount.to_owned(), "DE 4: `length` is missing"),
            (
                "a text for a length",
                format!("{amount}length = \"12\""),
                "DE 4: `length` is not a whole number in its range",
            ),
            (
                "length zero",
                format!("{amount}length = 0"),
                "DE 4: `length` is not a whole number in its range",
            ),
            (
                "length 1000",
                format!("{amount}length = 1000"),
                "DE 4: `length` is not a whole number in its range",
            ),
            ("prefix without max", format!("{amount}prefix = \"ll\""), "DE 4: `max` is missing"),
            (
                "100 behind two digits",
                format!("{amount}prefix = \"ll\"\nmax = 100"),
                "DE 4: `max` does not fit into the prefix",
            ),
            (
                "fixed and variable",
                format!("{amount}length = 12\nmax = 12"),
                "DE 4: `length` excludes `prefix` and `max`",
            ),
            ("odd without a side", format!("{amount}length = 3"), "DE 4: `align` is missing"),
            (
                "even with a side",
                format!("{amount}length = 4\nalign = \"left\""),
                "DE 4: `align` is only for a fixed odd count of packed digits",
            ),
            (
                "an unknown way to show",
                format!("{amount}length = 12\nshow = \"all\""),
                "DE 4: `show` is not one of its words",
            ),
            (
                "the same number twice",
                format!("{amount}length = 12\n{amount}length = 12"),
                "DE 4: `number` is defined twice",
            ),
            (
                "number 1",
                "[[field]]\nnumber = 1".to_owned(),
                "field row 1: `number` is not a whole number in its range",
            ),
            (
                "number 129",
                "[[field]]\nnumber = 129".to_owned(),
                "field row 1: `number` is not a whole number in its range",
            ),
            ("no number", "[[field]]\nname = \"x\"".to_owned(), "field row 1: `number` is missing"),
            (
                "a card number that is text",
                "[[field]]\nnumber = 2\nname = \"x\"\nclass = \"ans\"\nlength = 8\nshow = \"pan\"".to_owned(),
                "DE 2: `show` can be \"pan\" only with class \"n\"",
            ),
        ] {
            let refused = compile(&format!("{HEAD}{rows}")).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), Some(want), "{name}");
        }
    }

    #[test]
    fn a_wrong_head_is_refused() {
        let row = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\nlength = 12";
        for (name, text, want) in [
            ("not TOML", "name =".to_owned(), "the field table is not valid TOML"),
            ("no fields", HEAD.to_owned(), "head: `field` is missing"),
            ("unknown key", format!("author = 1\n{HEAD}{row}"), "head: unknown key `author`"),
            (
                "another MTI",
                format!("{}{row}", HEAD.replace("bcd", "ebcdic")),
                "head: `mti` is not one of its words",
            ),
            (
                "another bitmap",
                format!("{}{row}", HEAD.replace("binary", "ascii")),
                "head: `bitmap` is not one of its words",
            ),
            (
                "another encoding",
                format!("{HEAD}encoding = \"ebcdic\"\n{row}"),
                "head: `encoding` is not one of its words",
            ),
            (
                "an empty name",
                format!("{}{row}", HEAD.replace("toy", "")),
                "head: `name` must be a text of 1 to 40 bytes",
            ),
        ] {
            let refused = compile(&text).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), Some(want), "{name}");
        }
        assert!(compile(&format!("{HEAD}{row}")).is_ok());
    }

    #[test]
    fn an_ascii_table_has_rules_of_its_own() {
        let head = "name = \"toy\"\nmti = \"ascii\"\nbitmap = \"hex\"\nencoding = \"ascii\"\n";
        for (name, row, want) in [
            ("an odd count needs no side", "class = \"n\"\nlength = 3", None),
            ("fixed bytes", "class = \"b\"\nlength = 8", None),
            (
                "a side",
                "class = \"n\"\nlength = 3\nalign = \"left\"",
                Some("DE 4: `align` is only for a fixed odd count of packed digits"),
            ),
            (
                "variable bytes",
                "class = \"b\"\nprefix = \"ll\"\nmax = 8",
                Some("DE 4: `prefix` excludes class \"b\" where fields are ASCII"),
            ),
            (
                "chip data",
                "class = \"tlv\"\nprefix = \"lll\"\nmax = 255",
                Some("DE 4: `class` cannot be \"tlv\" where fields are ASCII"),
            ),
        ] {
            let compiled = compile(&format!("{head}[[field]]\nnumber = 4\nname = \"x\"\n{row}"));
            assert_eq!(compiled.err().map(|error| error.to_string()).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn what_a_table_leaves_open_is_hidden() {
        let row = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\nlength = 12";
        let spec = compile(&format!("{HEAD}{row}")).expect("valid");
        assert_eq!(spec.field(4).map(Field::show), Some(Show::Secret));
    }
}
