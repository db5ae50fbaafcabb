//! Field tables: what each field of a dialect looks like on the wire.
//!
//! A table is data. It is written down as a [`SpecFile`], compiled once (`compile`),
//! and from then on is an array indexed by the field number. Start at [`Spec`];
//! what the fields mean to a switch is not its business.

use std::fmt;

use crate::compile;
use crate::field::{Encoding, Field};
use crate::framing::LengthHeader;
use crate::header::Headers;
use crate::plan::Plan;
use crate::spec_error::SpecError;
use crate::spec_file::{MessageRule, SpecFile, Tertiary, Version};

/// A dialect's field table, compiled.
pub struct Spec {
    name: String,
    pub(crate) mti: Encoding,
    pub(crate) bitmap: Encoding,
    pub(crate) version: Option<Version>,
    pub(crate) tertiary: Tertiary,
    /// Indexed by field number; 0 and 1 stay empty. Boxed, because a table is
    /// passed around and never copied.
    fields: Box<[Option<Field>; FIELDS]>,
    /// The same in short; indexed by any byte, so that no index is out of bounds.
    plans: Box<[Plan; 256]>,
    pub(crate) messages: Vec<MessageRule>,
    pub(crate) length: Option<LengthHeader>,
    pub(crate) header: Option<Headers>,
}

/// Numbers of fields from 0 to the last that a tertiary bitmap promises.
pub(crate) const FIELDS: usize = 193;

impl Spec {
    /// Reads and compiles a table; `SPEC-FORMAT.md` describes the format.
    ///
    /// # Errors
    /// Any key that is unknown, missing or out of range; the error names the
    /// field and the key.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Spec, SpecError> {
        Spec::compile(&SpecFile::from_toml(text)?)
    }

    /// Checks a specification and makes the table that messages are read by.
    ///
    /// # Errors
    /// Keys that contradict one another or cannot be; the error names the
    /// place and the key.
    pub fn compile(file: &SpecFile) -> Result<Spec, SpecError> {
        compile::compile(file)
    }

    /// The table's own name, such as `pos`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length in front of each frame, if the specification says it. Decoding does not ask for it: a
    /// [`crate::framing::Framer`] made of it cuts frames out of a stream.
    #[must_use]
    pub fn frame_length(&self) -> Option<LengthHeader> {
        self.length
    }

    /// What stands between that length and the message, if the specification says it.
    #[must_use]
    pub fn frame_headers(&self) -> Option<&Headers> {
        self.header.as_ref()
    }

    /// How the field with this number looks, if the dialect has it.
    #[must_use]
    #[inline]
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.fields.get(usize::from(number))?.as_ref()
    }

    /// How to read the field with this number quickly.
    #[inline]
    pub(crate) fn plan(&self, number: u8) -> &Plan {
        &self.plans[usize::from(number)]
    }

    pub(crate) fn empty(name: String, mti: Encoding, bitmap: Encoding) -> Spec {
        let fields = Box::new([const { None }; FIELDS]);
        let plans = Box::new([Plan::ROW; 256]);
        let (version, tertiary) = (None, Tertiary::None);
        let (messages, length, header) = (Vec::new(), None, None);
        Spec { name, mti, bitmap, version, tertiary, fields, plans, messages, length, header }
    }

    /// Bytes of the MTI on the wire.
    pub(crate) fn mti_bytes(&self) -> usize {
        match self.mti {
            Encoding::Packed | Encoding::Binary => 2,
            Encoding::Ascii | Encoding::Ebcdic(_) => 4,
        }
    }

    /// Bytes of one bitmap on the wire.
    pub(crate) fn bitmap_bytes(&self) -> usize {
        match self.bitmap {
            Encoding::Packed | Encoding::Binary => 8,
            Encoding::Ascii | Encoding::Ebcdic(_) => 16,
        }
    }

    /// Puts a field; false if the number is taken or no field number.
    pub(crate) fn define(&mut self, number: u8, field: Field) -> bool {
        match self.fields.get_mut(usize::from(number)) {
            Some(slot @ None) => {
                self.plans[usize::from(number)] = Plan::of(&field);
                *slot = Some(field);
                true
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spec").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Class, Length, Prefix, Show};

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
            // Text too: what stands between packed fields is one of them.
            assert_eq!(field.encoding(), Encoding::Packed, "DE {number}");
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
