//! One row of a compiled table: what a field, or a part of one, looks like on the wire.
//!
//! Rows are made by `compile` only, so whatever they say together makes sense. Start at [`Field`].

use crate::composite::Composite;
use crate::spec_file::{CodePage, Format, PrefixEncoding};

/// One row of a field table.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) class: Class,
    pub(crate) encoding: Encoding,
    pub(crate) length: Length,
    pub(crate) unit: Unit,
    /// Bytes of the length prefix, 0 if there is none.
    pub(crate) prefix_bytes: u8,
    pub(crate) prefix_encoding: PrefixEncoding,
    /// Whether the prefix, or what holds the value, counts bytes where a unit is not a byte.
    pub(crate) counts_bytes: bool,
    /// What the prefix says of that count.
    pub(crate) says: Says,
    pub(crate) align: Align,
    /// The nibble written beside an odd count of packed digits.
    pub(crate) pad: u8,
    /// Whether the sign before packed digits is an EBCDIC letter.
    pub(crate) ebcdic_sign: bool,
    pub(crate) show: Show,
    /// The classes of bytes that the value may have, as `content` numbers them; 0 for any.
    pub(crate) allowed: u16,
    /// How digits are written; what the members above say of it, in a word.
    pub(crate) digit_form: DigitForm,
    /// The shortest and the longest length.
    pub(crate) least: u16,
    pub(crate) most: u16,
    /// Whether the length must be even: a pad could not be told from a digit.
    pub(crate) is_even: bool,
    pub(crate) format: Option<Format>,
    pub(crate) name: String,
    pub(crate) composite: Option<Box<Composite>>,
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

    /// How the value is written.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How long the value is and how its length is known.
    #[must_use]
    pub fn length(&self) -> Length {
        self.length
    }

    /// The longest value, in digits (classes `n` and `z`), characters or bytes.
    #[must_use]
    pub fn max(&self) -> u16 {
        self.most
    }

    /// Works out what follows from other members, after one of them was set.
    pub(crate) fn settle(&mut self) {
        (self.least, self.most) = match self.length {
            Length::Fixed(length) => (length, length),
            Length::Variable { max, .. } => (0, max),
        };
        self.is_even = self.counts_bytes && self.unit == Unit::Nibble && self.pad <= 9;
        self.digit_form = match (self.class, self.encoding) {
            (_, Encoding::Binary) => DigitForm::None,
            (Class::Numeric, Encoding::Packed) => DigitForm::Packed,
            (Class::Track, Encoding::Packed) => DigitForm::PackedTrack,
            (Class::Numeric | Class::Track, Encoding::Ascii) => DigitForm::Ascii,
            (Class::Numeric | Class::Track, Encoding::Ebcdic(_)) => DigitForm::Ebcdic,
            _ => DigitForm::None,
        };
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

    /// The rule that validation holds the value to, besides its class.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// Whether the value is made up of parts.
    #[must_use]
    pub fn is_composite(&self) -> bool {
        self.composite.is_some()
    }

    /// What the value is made up of: its composite, or of a `tlv` value the
    /// objects.
    pub(crate) fn parts_of(&self) -> Option<&Composite> {
        match &self.composite {
            Some(composite) => Some(composite),
            None if self.class == Class::Tlv => Some(&ANY_TLV),
            None => None,
        }
    }

    /// What it is made up of, unless parts of any value that is good are good as well.
    #[inline]
    pub(crate) fn parts_to_check(&self) -> Option<&Composite> {
        self.composite.as_deref().filter(|composite| !composite.is_sure)
    }

    /// Whether its parts can be put together again one by one: packed digits
    /// share bytes and a pad, so they are kept whole.
    pub(crate) fn is_taken_apart(&self) -> bool {
        matches!(self.unit, Unit::Byte | Unit::Pair) && self.parts_of().is_some()
    }

    /// Whether the length behind its tag counts its units and not its bytes.
    pub(crate) fn is_counted_by_tag(&self) -> bool {
        matches!(self.length, Length::Variable { prefix: Prefix::None, .. }) && !self.counts_bytes
    }

    /// Bytes of the length prefix, 0 for a fixed field.
    #[inline]
    pub(crate) fn prefix_bytes(&self) -> usize {
        self.prefix_bytes.into()
    }

    /// The number in the prefix of a value whose units, or bytes, are counted.
    #[inline]
    pub(crate) fn said(&self, counted: usize) -> usize {
        match self.says {
            Says::AsItIs => counted,
            Says::WithItself => counted + self.prefix_bytes(),
            Says::Twice => 2 * counted,
        }
    }

    /// Bytes on the wire for a value of this length.
    #[inline]
    pub(crate) fn bytes_for(&self, length: u16) -> usize {
        let length = usize::from(length);
        match self.unit {
            Unit::Byte => length,
            Unit::Nibble => length.div_ceil(2),
            Unit::Pair => 2 * length,
            Unit::SignAndNibbles => 1 + length.saturating_sub(1).div_ceil(2),
        }
    }

    /// Whether its bytes are written as hex characters.
    #[inline]
    pub(crate) fn is_hex(&self) -> bool {
        self.unit == Unit::Pair
    }

    /// Whether a value of this many digits begins with a pad nibble.
    #[inline]
    pub(crate) fn pads_first(&self, digits: u16) -> bool {
        self.align == Align::Right && !digits.is_multiple_of(2)
    }
}

/// BER-TLV objects of which nothing is known.
static ANY_TLV: Composite = Composite::any_tlv();

/// How the digits of a value are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DigitForm {
    /// It has none, or they are no digits on the wire.
    None,
    /// Two to a byte.
    Packed,
    /// As ASCII characters, a separator as `=`.
    Ascii,
    /// The same in EBCDIC.
    Ebcdic,
    /// Two to a byte, the separator as D.
    PackedTrack,
}

/// What one of a length makes on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    /// A character, or a byte as it is.
    Byte,
    /// A packed digit.
    Nibble,
    /// A byte as two hex characters.
    Pair,
    /// A sign as a character, then packed digits.
    SignAndNibbles,
}

/// How the number in a prefix stands to the count of what it counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Says {
    /// It is the count.
    AsItIs,
    /// The bytes of the prefix are counted too.
    WithItself,
    /// Twice the count: half bytes.
    Twice,
}

/// How the parts of a message are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Digits two to a byte (BCD), bytes as they are, text in ASCII.
    Packed,
    /// Digits and text as ASCII characters, bytes as two upper-case hex characters each.
    Ascii,
    /// The same in EBCDIC.
    Ebcdic(CodePage),
    /// A number in binary, the most significant byte first.
    Binary,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// `n`: decimal digits.
    Numeric,
    /// `z`: track digits and separators, packed as `D`, as characters `=` or `D`.
    Track,
    /// `an`: letters, digits and spaces.
    Alphanumeric,
    /// `ans`: text; any byte is accepted, since terminals send GBK.
    Text,
    /// `b`: bytes.
    Binary,
    /// `tlv`: BER-TLV objects, as chip cards have them (EMV Book 3, annex B).
    Tlv,
    /// `xn`: an amount with its sign, `C` (credit) or `D` (debit) and digits.
    Signed,
}

impl Class {
    /// Whether lengths count digits and not bytes.
    #[must_use]
    #[inline]
    pub fn counts_digits(self) -> bool {
        matches!(self, Class::Numeric | Class::Track)
    }
}

/// How long a value is, in digits (classes `n` and `z`), characters or bytes. Of a binary number, bytes are counted.
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
    /// No prefix: a part that is as long as the length behind its tag says, or all that is left of its composite.
    None,
    /// `L`: one digit.
    L,
    /// `LL`: two digits.
    Ll,
    /// `LLL`: three digits, right-aligned where they are packed.
    Lll,
    /// `LLLL`: four digits.
    Llll,
    /// `LLLLL`: five digits, right-aligned where they are packed.
    Lllll,
    /// `LLLLLL`: six digits.
    Llllll,
}

impl Prefix {
    /// Bytes a packed prefix takes; one of characters takes [`Prefix::digits`].
    #[must_use]
    #[inline]
    pub fn bytes(self) -> usize {
        self.digits().div_ceil(2)
    }

    /// Digits of the prefix.
    #[must_use]
    #[inline]
    pub fn digits(self) -> usize {
        match self {
            Prefix::None => 0,
            Prefix::L => 1,
            Prefix::Ll => 2,
            Prefix::Lll => 3,
            Prefix::Llll => 4,
            Prefix::Lllll => 5,
            Prefix::Llllll => 6,
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
