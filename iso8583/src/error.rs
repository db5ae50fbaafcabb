//! What can be wrong with a message, and where.
//!
//! Errors carry positions and rules, never bytes: the field at fault may be a
//! PAN or a key, and errors end up in logs. What can be wrong with a field
//! table is [`crate::SpecError`].

use std::fmt;

/// The part of a message an error is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FieldPath {
    /// The message type identifier.
    Mti,
    /// The primary or secondary bitmap.
    Bitmap,
    /// A data element by its number.
    Field(u8),
    /// A BER-TLV or simple TLV object inside a data element.
    Tag {
        /// The data element.
        field: u8,
        /// The tag's bytes as one big-endian number, `0x9F26` for `9F26`.
        tag: u32,
    },
    /// The message as a whole.
    Message,
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FieldPath::Mti => f.write_str("MTI"),
            FieldPath::Bitmap => f.write_str("bitmap"),
            FieldPath::Field(number) => write!(f, "DE {number}"),
            // A tag is whole bytes, so an even count of hex digits.
            FieldPath::Tag { field, tag } if tag > 0xFFFF => write!(f, "DE {field}.{tag:06X}"),
            FieldPath::Tag { field, tag } if tag > 0xFF => write!(f, "DE {field}.{tag:04X}"),
            FieldPath::Tag { field, tag } => write!(f, "DE {field}.{tag:02X}"),
            FieldPath::Message => f.write_str("message"),
        }
    }
}

/// Why, and exactly where, a message could not be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} at byte {offset}: {kind}")]
pub struct DecodeError {
    /// The data element, and the TLV tag inside it if there is one.
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
    /// A length prefix is not made of digits.
    #[error("length is not decimal")]
    BadLengthPrefix,
    /// A length prefix says more than the table allows.
    #[error("length {length} is over the maximum of {max}")]
    LengthOverMax {
        /// What the prefix says, in digits or bytes by the field's class.
        length: u16,
        /// What the table allows, in the same unit.
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
    /// A BER-TLV tag is unfinished or longer than three bytes.
    #[error("malformed tag")]
    BadTag,
    /// A tag's length is missing, indefinite or longer than two bytes.
    #[error("malformed tag length")]
    BadTagLength,
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

    #[test]
    fn an_error_reads_as_place_then_rule() {
        let short = |path| {
            let kind = DecodeErrorKind::TooShort { needs: 19, left: 7 };
            DecodeError { path, offset: 61, kind }.to_string()
        };
        assert_eq!(short(FieldPath::Field(35)), "DE 35 at byte 61: needs 19 bytes, 7 left");
        assert_eq!(short(FieldPath::Mti), "MTI at byte 61: needs 19 bytes, 7 left");
        for (tag, want) in
            [(0x05, "DE 55.05"), (0x95, "DE 55.95"), (0x9F26, "DE 55.9F26"), (0xDF_8101, "DE 55.DF8101")]
        {
            assert_eq!(FieldPath::Tag { field: 55, tag }.to_string(), want);
        }
    }
}
