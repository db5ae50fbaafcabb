//! What can be wrong with a message, and where.
//!
//! Errors carry positions and rules, never bytes: the field at fault may be a
//! PAN or a key, and errors end up in logs. What can be wrong with a field
//! table is [`crate::SpecError`].

use std::fmt;

use crate::path::Path;

/// The part of a message an error is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FieldPath {
    /// The message type identifier.
    Mti,
    /// The primary, secondary or tertiary bitmap.
    Bitmap,
    /// A data element by its number.
    Field(u8),
    /// A part of a data element: a TLV object, a subfield, or a part of those.
    Part(Path),
    /// The message as a whole.
    Message,
}

impl From<Path> for FieldPath {
    fn from(path: Path) -> FieldPath {
        if path.is_field() { FieldPath::Field(path.field()) } else { FieldPath::Part(path) }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FieldPath::Mti => f.write_str("MTI"),
            FieldPath::Bitmap => f.write_str("bitmap"),
            FieldPath::Field(number) => write!(f, "DE {number}"),
            FieldPath::Part(path) => path.fmt(f),
            FieldPath::Message => f.write_str("message"),
        }
    }
}

/// Why, and exactly where, a message could not be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} at byte {offset}: {kind}")]
pub struct DecodeError {
    /// The data element, and the part inside it if it is about one.
    pub path: FieldPath,
    /// Position of the offending byte, counted from the first byte of the
    /// MTI; never more than the length of the input.
    pub offset: usize,
    /// What was wrong there.
    pub kind: DecodeErrorKind,
}

/// The rule a message broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The message ends inside this part.
    #[error("needs {needs} bytes, {left} left")]
    TooShort {
        /// Bytes the part needs from the offset on.
        needs: usize,
        /// Bytes there are.
        left: usize,
    },
    /// The input is longer than [`crate::MESSAGE_BYTES_MAX`].
    #[error("longer than {max} bytes")]
    MessageTooLong {
        /// The longest message, in bytes.
        max: usize,
    },
    /// The bitmap promises a field that the table does not define.
    #[error("not in the field table")]
    UnknownField,
    /// The first digit of the MTI is not that of the table's edition.
    #[error("not of the edition that the table is for")]
    WrongVersion,
    /// A length prefix is not made of the digits it must be made of, or says
    /// what it cannot: less than its own bytes where it counts them, an odd
    /// count of half bytes.
    #[error("malformed length")]
    BadLengthPrefix,
    /// A value of hex characters has an odd count of them.
    #[error("odd count of hex characters")]
    OddHex,
    /// A part of fixed length has another behind its tag.
    #[error("needs {needs} bytes, has {given}")]
    WrongLength {
        /// Bytes that the table says.
        needs: usize,
        /// Bytes that are there.
        given: usize,
    },
    /// A length prefix says more than the table allows. How much it says is
    /// not told: under a wrong table it is no length but somebody's content.
    #[error("length is over the maximum of {max}")]
    LengthOverMax {
        /// What the table allows, in digits, characters or bytes by the
        /// field's class.
        max: u16,
    },
    /// A nibble or character of an `n` field or of the MTI is not 0 to 9.
    #[error("not a digit")]
    BadDigit,
    /// A nibble or character of a `z` field is neither a digit nor a separator.
    #[error("not a digit or a separator")]
    BadTrackDigit,
    /// A byte of an `an` field is no ASCII letter, digit or space.
    #[error("not a letter, a digit or a space")]
    BadCharacter,
    /// A character of a hex field or bitmap is not 0 to 9 or A to F.
    #[error("not an upper-case hex digit")]
    BadHexDigit,
    /// An amount does not begin with `C` or `D`.
    #[error("not a sign")]
    BadSign,
    /// A tag is unfinished, longer than its format allows, or not made of the
    /// characters it must be.
    #[error("malformed tag")]
    BadTag,
    /// The bitmap of a composite promises a part that the table does not
    /// define, so that what follows cannot be found.
    #[error("no such part in the field table")]
    UnknownPart,
    /// A tag's length is missing, indefinite or longer than its format allows.
    #[error("malformed tag length")]
    BadTagLength,
    /// Packed digits end inside a part.
    #[error("needs {needs} digits, {left} left")]
    TooFewDigits {
        /// Digits of the part.
        needs: u16,
        /// Digits there are.
        left: u16,
    },
    /// A composite goes on behind its last part.
    #[error("{0} digits after the last part")]
    DigitsAfterParts(u16),
    /// A composite goes on behind its last part.
    #[error("{0} bytes after the last part")]
    BytesAfterParts(usize),
    /// Bytes follow the last field that the bitmap promises.
    #[error("{0} bytes after the last field")]
    TrailingBytes(usize),
}

/// Why a message could not be built.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct EncodeError {
    /// The field that was being put.
    pub path: FieldPath,
    /// What was wrong with it.
    pub kind: EncodeErrorKind,
}

/// The rule a value, or the order of values, broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncodeErrorKind {
    /// The table does not define this field.
    #[error("not in the field table")]
    UnknownField,
    /// The same or a higher field was put before.
    #[error("put after DE {last}, but fields go in ascending order")]
    OutOfOrder {
        /// The field put before.
        last: u8,
    },
    /// A text that should be bytes is not hex.
    #[error("not an even count of hex digits")]
    NotHex,
    /// The composite cannot have such a part.
    #[error("no such part in the field table")]
    UnknownPart,
    /// Parts with numbers go in ascending order, positional ones without a
    /// gap.
    #[error("put after part {last}, which it does not follow")]
    PartOutOfOrder {
        /// The part put before, 0 if none.
        last: u8,
    },
    /// A field was put behind the MAC, which must be the last.
    #[error("put after the MAC, which is the last field")]
    AfterMac,
    /// The method does not fit the field's content class.
    #[error("the field's class does not take such a value")]
    WrongClass,
    /// A fixed field got another length, counted in digits or bytes.
    #[error("needs a length of {needs}, given {given}")]
    WrongLength {
        /// The length in the table.
        needs: u16,
        /// The length of the value.
        given: usize,
    },
    /// A variable field got too much, counted in digits or bytes.
    #[error("length {given} is over the maximum of {max}")]
    TooLong {
        /// The maximum in the table.
        max: u16,
        /// The length of the value.
        given: usize,
    },
    /// A number has more digits than the field.
    #[error("number has more than {digits} digits")]
    NumberTooLarge {
        /// Digits of the field.
        digits: u16,
    },
    /// A number needs more bytes than the field has.
    #[error("number needs more than {bytes} bytes")]
    NumberOverBytes {
        /// Bytes of the field.
        bytes: u16,
    },
    /// An odd count of packed digits of which the wire says only the bytes:
    /// the pad could not be told from a digit.
    #[error("an odd count of digits, whose pad would be read as a digit")]
    OddDigits,
    /// The value breaks a content rule at this index.
    #[error("at index {index}: {rule}")]
    Content {
        /// Position in the value, in bytes as given.
        index: usize,
        /// The rule, in the words a decoder would use.
        rule: DecodeErrorKind,
    },
    /// The MTI has a nibble above 9.
    #[error("not four digits")]
    BadMti,
    /// The first digit of the MTI is not that of the table's edition.
    #[error("not of the edition that the table is for")]
    WrongVersion,
    /// The message would exceed [`crate::MESSAGE_BYTES_MAX`].
    #[error("longer than {max} bytes")]
    MessageTooLong {
        /// The longest message, in bytes.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They travel in results, which clippy wants below 128 bytes, in callers' own errors too.
    #[test]
    fn errors_stay_small() {
        assert!(size_of::<DecodeError>() <= 96, "{}", size_of::<DecodeError>());
        assert!(size_of::<EncodeError>() <= 96, "{}", size_of::<EncodeError>());
    }

    #[test]
    fn an_error_reads_as_place_then_rule() {
        let short = |path| {
            let kind = DecodeErrorKind::TooShort { needs: 19, left: 7 };
            DecodeError { path, offset: 61, kind }.to_string()
        };
        assert_eq!(short(FieldPath::Field(35)), "DE 35 at byte 61: needs 19 bytes, 7 left");
        assert_eq!(short(FieldPath::Mti), "MTI at byte 61: needs 19 bytes, 7 left");
        let tag = |tag| Path::new(55).tag(tag).map_or(FieldPath::Message, FieldPath::Part);
        assert_eq!(short(tag(0x9F26)), "DE 55.9F26 at byte 61: needs 19 bytes, 7 left");
    }
}
