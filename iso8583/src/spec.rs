//! Field tables: what each field of a dialect looks like on the wire.
//!
//! A table is data. It is read from TOML once (`table_file`), checked, and from
//! then on is an array indexed by the field number. Start at [`Spec`]; what the
//! fields mean to a switch is not its business.

use std::fmt;
use std::sync::LazyLock;

use crate::table_file::{self, SpecError};

/// A dialect's field table, compiled.
pub struct Spec {
    name: String,
    /// Indexed by field number; 0 and 1 stay empty. Boxed, because a table is
    /// passed around and never copied.
    fields: Box<[Option<Field>; 129]>,
}

impl Spec {
    /// Compiles a table from its file; the crate's front page describes the
    /// format.
    ///
    /// # Errors
    /// Any key that is unknown, missing or out of range; the error names the
    /// field and the key.
    pub fn from_toml(text: &str) -> Result<Spec, SpecError> {
        table_file::compile(text)
    }

    /// The table of the UnionPay-style POS dialect.
    #[must_use]
    pub fn pos() -> &'static Spec {
        static POS: LazyLock<Spec> = LazyLock::new(|| {
            // INVARIANT: the file is part of this crate, and its tests compile it.
            Spec::from_toml(include_str!("../specs/pos.toml")).expect("the table in this crate is valid")
        });
        &POS
    }

    /// The table's own name, such as `pos`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the field with this number looks, if the dialect has it.
    #[must_use]
    #[inline]
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.fields.get(usize::from(number))?.as_ref()
    }

    pub(crate) fn empty(name: String) -> Spec {
        Spec { name, fields: Box::new([const { None }; 129]) }
    }

    /// Puts a field; false if the number is taken or no field number.
    pub(crate) fn define(&mut self, number: u8, field: Field) -> bool {
        match self.fields.get_mut(usize::from(number)) {
            Some(slot @ None) => *slot = Some(field),
            _ => return false,
        }
        true
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spec").field(&self.name).finish()
    }
}

/// One row of a field table.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) name: String,
    pub(crate) class: Class,
    pub(crate) length: Length,
    pub(crate) align: Align,
    pub(crate) show: Show,
}

impl Field {
    /// The field's name in the trade's words, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the value is made of.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// How long the value is and how its length is known.
    #[must_use]
    pub fn length(&self) -> Length {
        self.length
    }

    /// The longest value, in digits (classes `n` and `z`) or bytes.
    #[must_use]
    pub fn max(&self) -> u16 {
        match self.length {
            Length::Fixed(length) => length,
            Length::Variable { max, .. } => max,
        }
    }

    /// Where an odd count of digits stands in its bytes.
    #[must_use]
    pub fn align(&self) -> Align {
        self.align
    }

    /// How much of the value may be shown.
    #[must_use]
    pub fn show(&self) -> Show {
        self.show
    }

    /// Bytes of the length prefix, 0 for a fixed field.
    pub(crate) fn prefix_bytes(&self) -> usize {
        match self.length {
            Length::Fixed(_) => 0,
            Length::Variable { prefix, .. } => prefix.bytes(),
        }
    }

    /// Whether a value of this many digits begins with a pad nibble.
    #[inline]
    pub(crate) fn pads_first(&self, digits: u16) -> bool {
        self.align == Align::Right && !digits.is_multiple_of(2)
    }
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// `n`: decimal digits, two to a byte.
    Numeric,
    /// `z`: track digits, two to a byte, the separator `=` as `D`.
    Track,
    /// `an`: ASCII letters, digits and spaces.
    Alphanumeric,
    /// `ans`: text; any byte is accepted, since terminals send GBK.
    Text,
    /// `b`: bytes.
    Binary,
    /// `tlv`: BER-TLV objects.
    Tlv,
}

impl Class {
    /// Whether lengths count digits (two to a byte) and not bytes.
    #[must_use]
    #[inline]
    pub fn counts_digits(self) -> bool {
        matches!(self, Class::Numeric | Class::Track)
    }

    /// Bytes on the wire for a value of this length.
    #[inline]
    pub(crate) fn bytes_for(self, length: u16) -> usize {
        let length = usize::from(length);
        if self.counts_digits() { length.div_ceil(2) } else { length }
    }
}

/// How long a value is, in digits (classes `n` and `z`) or bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// Always this long.
    Fixed(u16),
    /// As long as its prefix says.
    Variable {
        /// The form of the prefix.
        prefix: Prefix,
        /// The longest value.
        max: u16,
    },
}

/// The form of a length prefix, always BCD.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prefix {
    /// `LL`: one byte, two digits.
    Ll,
    /// `LLL`: two bytes, three digits right-aligned.
    Lll,
}

impl Prefix {
    /// Bytes the prefix takes.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> usize {
        match self {
            Prefix::Ll => 1,
            Prefix::Lll => 2,
        }
    }
}

/// Where an odd count of digits stands in its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Align {
    /// Digits first, the pad nibble last.
    Left,
    /// The pad nibble first.
    Right,
}

/// How much of a value may be shown to a person or a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Show {
    /// All of it.
    Clear,
    /// A card number: the first six digits and the last four.
    Pan,
    /// Track data: its length only.
    Track,
    /// Its length only.
    Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pos_table_is_the_documented_one() {
        let spec = Spec::pos();
        assert_eq!(spec.name(), "pos");
        let defined: Vec<u8> = (0..=255).filter(|&number| spec.field(number).is_some()).collect();
        assert_eq!(
            defined,
            [
                2, 3, 4, 11, 12, 13, 14, 15, 22, 23, 25, 26, 32, 35, 36, 37, 38, 39, 41, 42, 44, 48, 49, 52,
                53, 54, 55, 57, 58, 59, 60, 61, 62, 63, 64
            ]
        );
        let variable = |prefix, max| Length::Variable { prefix, max };
        for (number, class, length) in [
            (2, Class::Numeric, variable(Prefix::Ll, 19)),
            (4, Class::Numeric, Length::Fixed(12)),
            (35, Class::Track, variable(Prefix::Ll, 37)),
            (36, Class::Track, variable(Prefix::Lll, 104)),
            (48, Class::Numeric, variable(Prefix::Lll, 322)),
            (54, Class::Alphanumeric, variable(Prefix::Lll, 20)),
            (55, Class::Tlv, variable(Prefix::Lll, 255)),
            (60, Class::Numeric, variable(Prefix::Lll, 17)),
            (62, Class::Binary, variable(Prefix::Lll, 512)),
            (64, Class::Binary, Length::Fixed(8)),
        ] {
            let field = spec.field(number).expect("defined");
            assert_eq!((field.class(), field.length()), (class, length), "DE {number}");
        }
    }

    #[test]
    fn what_must_stay_hidden_is_not_clear() {
        for number in [2, 14, 35, 36, 48, 52, 54, 55, 57, 58, 59, 62, 63] {
            let field = Spec::pos().field(number).expect("defined");
            assert_ne!(field.show(), Show::Clear, "DE {number}");
        }
    }
}
