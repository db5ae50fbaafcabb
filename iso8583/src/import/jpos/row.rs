//! What one row of a packager becomes: its class and attributes together.
//!
//! Start at `Reader::made`; rows that are made up of others go on in `composite`.

use super::classes::{self, Packager, Unit, Value};
use super::{Made, Reader, Row, class_of, name_attribute};
use crate::field::{Align, Class, Length, Prefix};
use crate::import::error::Rule;
use crate::spec_file::{
    BitmapForm, CompositeDef, CompositeKind, Counts, ElementDef, PartDef, PartKey, ValueEncoding,
};

impl Reader {
    /// What a row stands for; `number` is that of a data element.
    pub(super) fn made(&mut self, row: &Row<'_>, number: Option<u8>) -> Option<Made> {
        self.note_unknown(&row.place, row.xml);
        let packager = self.packager(row)?;
        let made = match packager {
            Packager::Absent => Made::Absent,
            Packager::Bitmap(form) => Made::Bitmap { form, length: self.length(row)? },
            Packager::EightBytes => Made::Bitmap { form: BitmapForm::Binary, length: 8 },
            // What has no room for a value is a place that was reserved.
            Packager::Value(_) | Packager::Filled { .. } if row.xml.attribute("length") == Some("0") => {
                Made::Absent
            }
            Packager::Value(value) => Made::Element(self.element(row, value, number)?),
            Packager::Filled { count, class, encoding } => {
                Made::Element(self.filled(row, count, class, encoding)?)
            }
            Packager::Tagged { tag, size, class, encoding } => {
                let length = Length::Variable { prefix: Prefix::None, max: self.length(row)? };
                let mut element = ElementDef::new(&self.name(row), class, length);
                element.encoding = Some(encoding);
                Made::Tagged { tag, size, element }
            }
            Packager::Refused(_) => return None,
        };
        self.with_subfields(row, made)
    }

    /// A value of a fixed room behind a count: two parts of a fixed whole.
    fn filled(
        &mut self,
        row: &Row<'_>,
        (count, count_length): (ValueEncoding, u16),
        class: Class,
        encoding: ValueEncoding,
    ) -> Option<ElementDef> {
        let length = self.length(row)?;
        let mut whole = fixed(&self.name(row), class, encoding, count_length.saturating_add(length));
        let parts = [
            fixed("count", Class::Numeric, count, count_length),
            fixed("value and filler", class, encoding, length),
        ];
        let parts = (1..).zip(parts).map(|(n, element)| PartDef { key: PartKey::Number(n), element });
        whole.composite = Some(CompositeDef { kind: CompositeKind::Positional, parts: parts.collect() });
        let text = "is two parts: how much of the value means anything, and the value with its filler";
        self.findings.note(&row.place, text);
        Some(whole)
    }

    fn packager(&mut self, row: &Row<'_>) -> Option<Packager> {
        let Some(class) = row.xml.attribute("class") else {
            self.refuse(&row.place, row.xml, Rule::Missing("class"));
            return None;
        };
        let row_of_class = ["org.jpos.iso.", "org.jpos.tlv.packager."]
            .iter()
            .find_map(|package| class.strip_prefix(package))
            .and_then(classes::of);
        let no_counterpart = Rule::NoCounterpart { what: "class", name: class_of(row.xml) };
        match row_of_class {
            None => self.refuse(&row.place, row.xml, no_counterpart),
            Some(Packager::Refused(why)) => {
                self.refuse(&row.place, row.xml, Rule::Other(format!("{no_counterpart}: {why}")));
            }
            Some(packager) => {
                if row.xml.attribute("params").is_some() {
                    self.bad(&row.place, row.xml, "params", "has no counterpart here");
                }
                return Some(packager);
            }
        }
        None
    }

    /// The element of a class that writes a value.
    fn element(&mut self, row: &Row<'_>, value: Value, number: Option<u8>) -> Option<ElementDef> {
        let mut length = self.length(row)?;
        if value.unit == Unit::HexDigits {
            if !length.is_multiple_of(2) {
                self.bad(&row.place, row.xml, "length", "ends inside a byte");
                return None;
            }
            length /= 2;
        }
        // jPOS writes tracks with the classes of digits, the separator as nibble D.
        let is_track = matches!(number, Some(35 | 36)) && value.class == Class::Numeric;
        let class = if is_track { Class::Track } else { value.class };
        let length = match value.prefix {
            None => Length::Fixed(length),
            Some((written, prefix)) => {
                let most = written.highest(prefix.digits());
                let most = if value.counts == Counts::HalfBytes { most / 2 } else { most };
                Length::Variable { prefix, max: self.within(row, length, most) }
            }
        };
        let mut element = ElementDef::new(&self.name(row), class, length);
        element.encoding = Some(value.encoding);
        element.prefix_encoding = value.prefix.map(|(written, _)| written);
        element.counts = value.prefix.map(|_| value.counts);
        if value.encoding == ValueEncoding::Bcd && can_be_odd(class, length) {
            let pads_first = row.xml.attribute("pad") == Some("true") && value.counts == Counts::Units;
            element.align = Some(if pads_first { Align::Right } else { Align::Left });
            element.pad = (!pads_first && value.filler != 0).then_some(value.filler);
        }
        Some(element)
    }

    /// The longest value, or as long as the prefix can say: files of old have
    /// more, which jPOS once let pass.
    fn within(&mut self, row: &Row<'_>, length: u16, most: usize) -> u16 {
        if usize::from(length) > most {
            self.findings.note(&row.place, format!("`length` is {most}, the most its class can say"));
        }
        length.min(u16::try_from(most).unwrap_or(u16::MAX))
    }

    /// The attribute `length`, where a million means what a message can hold.
    pub(super) fn length(&mut self, row: &Row<'_>) -> Option<u16> {
        let Some(length) = row.xml.attribute("length") else {
            self.refuse(&row.place, row.xml, Rule::Missing("length"));
            return None;
        };
        match length.parse::<u32>() {
            Ok(length @ 1..=999_999) => Some(u16::try_from(length).unwrap_or(u16::MAX)),
            _ => {
                self.bad(&row.place, row.xml, "length", "is not from 1 to 999999");
                None
            }
        }
    }

    pub(super) fn name(&self, row: &Row<'_>) -> String {
        crate::import::name_of(name_attribute(row.xml), &format!("field {}", row.id))
    }
}

/// An element of a fixed length.
fn fixed(name: &str, class: Class, encoding: ValueEncoding, length: u16) -> ElementDef {
    let mut element = ElementDef::new(name, class, Length::Fixed(length));
    element.encoding = Some(encoding);
    element
}

fn can_be_odd(class: Class, length: Length) -> bool {
    match (class, length) {
        (_, Length::Variable { .. }) => true,
        // The sign is counted and is no digit.
        (Class::Signed, Length::Fixed(length)) => length.is_multiple_of(2),
        (_, Length::Fixed(length)) => !length.is_multiple_of(2),
    }
}
