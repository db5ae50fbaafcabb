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
    pub(crate) mti: Encoding,
    pub(crate) bitmap: Encoding,
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
        static POS: LazyLock<Spec> = LazyLock::new(|| own(include_str!("../specs/pos.toml")));
        &POS
    }

    /// The table of ISO 8583:1987 in ASCII, as ATM hosts speak it, with hex
    /// bitmaps.
    #[must_use]
    pub fn atm() -> &'static Spec {
        static ATM: LazyLock<Spec> = LazyLock::new(|| own(ATM_TOML));
        &ATM
    }

    /// The same table with binary bitmaps, as other ATM hosts send them.
    #[must_use]
    pub fn atm_binary_bitmap() -> &'static Spec {
        static ATM: LazyLock<Spec> = LazyLock::new(|| Spec { bitmap: Encoding::Packed, ..own(ATM_TOML) });
        &ATM
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

    pub(crate) fn empty(name: String, mti: Encoding, bitmap: Encoding) -> Spec {
        Spec { name, mti, bitmap, fields: Box::new([const { None }; 129]) }
    }

    /// Bytes of the MTI on the wire.
    pub(crate) fn mti_bytes(&self) -> usize {
        match self.mti {
            Encoding::Packed => 2,
            Encoding::Ascii => 4,
        }
    }

    /// Bytes of one bitmap on the wire.
    pub(crate) fn bitmap_bytes(&self) -> usize {
        match self.bitmap {
            Encoding::Packed => 8,
            Encoding::Ascii => 16,
        }
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

const ATM_TOML: &str = include_str!("../specs/atm.toml");

/// Compiles a table of this crate.
fn own(text: &str) -> Spec {
    // INVARIANT: the file is part of this crate, and its tests compile it.
    Spec::from_toml(text).expect("the table in this crate is valid")
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
    pub(crate) encoding: Encoding,
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

    /// How the value and its length prefix are written.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
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
            Length::Variable { prefix, .. } => match self.encoding {
                Encoding::Packed => prefix.bytes(),
                Encoding::Ascii => prefix.digits(),
            },
        }
    }

    /// Bytes on the wire for a value of this length.
    #[inline]
    pub(crate) fn bytes_for(&self, length: u16) -> usize {
        let length = usize::from(length);
        match (self.encoding, self.class) {
            (Encoding::Packed, Class::Numeric | Class::Track) => length.div_ceil(2),
            (Encoding::Ascii, Class::Binary) => 2 * length,
            _ => length,
        }
    }

    /// Whether its bytes are written as hex characters.
    #[inline]
    pub(crate) fn is_hex(&self) -> bool {
        self.encoding == Encoding::Ascii && self.class == Class::Binary
    }

    /// Whether a value of this many digits begins with a pad nibble.
    #[inline]
    pub(crate) fn pads_first(&self, digits: u16) -> bool {
        self.align == Align::Right && !digits.is_multiple_of(2)
    }
}

/// How the parts of a message that are not text are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Digits two to a byte (BCD), bytes as they are.
    Packed,
    /// Digits as ASCII characters, bytes as two upper-case hex characters each.
    Ascii,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// `n`: decimal digits.
    Numeric,
    /// `z`: track digits and separators, packed as `D`, in ASCII `=` or `D`.
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
    /// Whether lengths count digits and not bytes.
    #[must_use]
    #[inline]
    pub fn counts_digits(self) -> bool {
        matches!(self, Class::Numeric | Class::Track)
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

/// The form of a length prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prefix {
    /// `LL`: two digits.
    Ll,
    /// `LLL`: three digits, right-aligned where they are packed.
    Lll,
}

impl Prefix {
    /// Bytes a packed prefix takes; an ASCII one takes [`Prefix::digits`].
    #[must_use]
    #[inline]
    pub fn bytes(self) -> usize {
        match self {
            Prefix::Ll => 1,
            Prefix::Lll => 2,
        }
    }

    /// Digits of the prefix.
    #[must_use]
    #[inline]
    pub fn digits(self) -> usize {
        match self {
            Prefix::Ll => 2,
            Prefix::Lll => 3,
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
            (57, Class::Binary, variable(Prefix::Lll, 255)),
            (60, Class::Numeric, variable(Prefix::Lll, 17)),
            (62, Class::Binary, variable(Prefix::Lll, 512)),
            (64, Class::Binary, Length::Fixed(8)),
        ] {
            let field = spec.field(number).expect("defined");
            assert_eq!((field.class(), field.length()), (class, length), "DE {number}");
        }
    }

    #[test]
    fn the_atm_table_is_the_one_of_1987() {
        let (spec, binary) = (Spec::atm(), Spec::atm_binary_bitmap());
        assert_eq!((spec.mti, spec.bitmap, spec.name()), (Encoding::Ascii, Encoding::Ascii, "atm"));
        assert_eq!((binary.mti, binary.bitmap, binary.name()), (Encoding::Ascii, Encoding::Packed, "atm"));
        // The standard defines 2 to 128; the table's head says why it leaves these out.
        let missing: Vec<u8> = (2..=128).filter(|&number| spec.field(number).is_none()).collect();
        assert_eq!(missing, [55, 65, 93]);
        let (variable, fixed) = (|prefix, max| Length::Variable { prefix, max }, Length::Fixed);
        for (numbers, class, length) in [
            (2..=2, Class::Numeric, variable(Prefix::Ll, 19)),
            (3..=3, Class::Numeric, fixed(6)),
            (4..=6, Class::Numeric, fixed(12)),
            (7..=7, Class::Numeric, fixed(10)),
            (8..=10, Class::Numeric, fixed(8)),
            (11..=12, Class::Numeric, fixed(6)),
            (13..=18, Class::Numeric, fixed(4)),
            (19..=24, Class::Numeric, fixed(3)),
            (25..=26, Class::Numeric, fixed(2)),
            (28..=31, Class::Alphanumeric, fixed(9)),
            (32..=33, Class::Numeric, variable(Prefix::Ll, 11)),
            (35..=35, Class::Track, variable(Prefix::Ll, 37)),
            (36..=36, Class::Track, variable(Prefix::Lll, 104)),
            (37..=37, Class::Alphanumeric, fixed(12)),
            (39..=39, Class::Alphanumeric, fixed(2)),
            (41..=41, Class::Text, fixed(8)),
            (42..=42, Class::Text, fixed(15)),
            (43..=43, Class::Text, fixed(40)),
            (45..=45, Class::Text, variable(Prefix::Ll, 76)),
            (46..=48, Class::Text, variable(Prefix::Lll, 999)),
            (49..=51, Class::Alphanumeric, fixed(3)),
            (52..=52, Class::Binary, fixed(8)),
            (53..=53, Class::Numeric, fixed(16)),
            (54..=54, Class::Alphanumeric, variable(Prefix::Lll, 120)),
            (56..=63, Class::Text, variable(Prefix::Lll, 999)),
            (64..=64, Class::Binary, fixed(8)),
            (66..=66, Class::Numeric, fixed(1)),
            (70..=70, Class::Numeric, fixed(3)),
            (74..=81, Class::Numeric, fixed(10)),
            (82..=85, Class::Numeric, fixed(12)),
            (86..=89, Class::Numeric, fixed(16)),
            (90..=90, Class::Numeric, fixed(42)),
            (95..=95, Class::Alphanumeric, fixed(42)),
            (96..=96, Class::Binary, fixed(8)),
            (97..=97, Class::Alphanumeric, fixed(17)),
            (99..=100, Class::Numeric, variable(Prefix::Ll, 11)),
            (102..=103, Class::Text, variable(Prefix::Ll, 28)),
            (105..=127, Class::Text, variable(Prefix::Lll, 999)),
            (128..=128, Class::Binary, fixed(8)),
        ] {
            for number in numbers {
                let field = spec.field(number).expect("defined");
                assert_eq!((field.class(), field.length()), (class, length), "DE {number}");
                assert_eq!(field.encoding(), Encoding::Ascii, "DE {number}");
            }
        }
    }

    #[test]
    fn what_must_stay_hidden_is_not_clear() {
        for (spec, numbers) in [
            (Spec::pos(), &[2, 14, 35, 36, 48, 52, 54, 55, 57, 58, 59, 62, 63][..]),
            (
                Spec::atm(),
                &[
                    2, 14, 34, 35, 36, 40, 43, 44, 45, 46, 47, 48, 52, 54, 60, 61, 62, 63, 64, 96, 98, 102,
                    103,
                ],
            ),
        ] {
            for &number in numbers {
                let field = spec.field(number).expect("defined");
                assert_ne!(field.show(), Show::Clear, "{} DE {number}", spec.name());
            }
        }
        for number in 104..=128 {
            let field = Spec::atm().field(number).expect("defined");
            assert_eq!(field.show(), Show::Secret, "DE {number}");
        }
    }
}
