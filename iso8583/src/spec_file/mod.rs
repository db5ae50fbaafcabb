//! A specification as it is written down: plain owned values, before any rule is checked.
//!
//! A [`SpecFile`] is what a TOML file says, key by key (`SPEC-FORMAT.md` describes every one), and what an importer of
//! another format produces. It can be read, changed and written again. Nothing is decoded by it: for that,
//! [`crate::Spec::compile`] checks it and makes the table that messages are read by.
//!
//! Start at [`SpecFile`]. The TOML form is in `read` and `write`, the words of the keys in `words`.

#[cfg(feature = "toml")]
mod read;
mod words;
#[cfg(feature = "toml")]
mod write;

use std::fmt;

use crate::field::{Align, Class, Length, Show};
use crate::framing::LengthHeader;
use crate::header::Headers;
use crate::mti::Mti;
#[cfg(feature = "toml")]
use crate::spec_error::SpecError;

/// A specification: the envelope of its messages, its fields, and what may be asked of a message.
///
/// ```
/// use iso8583::{Message, Spec, SpecFile};
///
/// let mut file = SpecFile::from_toml(
///     r#"
///     name = "toy"
///     mti = "ascii"
///     bitmap = "hex"
///     encoding = "ascii"
///     [[field]]
///     number = 11
///     name = "STAN"
///     class = "n"
///     length = 6
///     "#,
/// )?;
/// file.fields[0].element.show = Some(iso8583::Show::Clear);
/// assert_eq!(SpecFile::from_toml(&file.to_toml())?, file);
///
/// let spec = Spec::compile(&file)?;
/// let message = Message::decode(&spec, b"08000020000000000000000042")?;
/// assert_eq!(message.number(11), Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpecFile {
    /// `name`: what people call the dialect, 1 to 80 bytes.
    pub name: String,
    /// `version`: the edition that the first digit of every MTI must name; `None` if any will do.
    pub version: Option<Version>,
    /// `mti`: how the message type is written.
    pub mti: MtiForm,
    /// `bitmap`: how the bitmaps are written.
    pub bitmap: BitmapForm,
    /// `tertiary`: whether there are fields 129 to 192, and where their bitmap stands.
    pub tertiary: Tertiary,
    /// `encoding`: what holds for every field and part that does not say otherwise.
    pub encoding: Family,
    /// `length`: what stands in front of each frame; `None` if the file does not say it.
    pub length: Option<LengthHeader>,
    /// `header`: what stands between that and the message; `None` if the file does not say it.
    pub header: Option<Headers>,
    /// `[[field]]`: the data elements, in any order.
    pub fields: Vec<FieldDef>,
    /// `[[message]]`: which fields a message of a type needs and may have; used by validation, not by decoding.
    pub messages: Vec<MessageRule>,
}

impl SpecFile {
    /// Reads a specification from TOML. What only a look at several keys shows, such as a length that its prefix
    /// cannot say, is left to [`crate::Spec::compile`].
    ///
    /// # Errors
    /// A key that is unknown, missing, or has a value that is not one of its own; the error names the place.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<SpecFile, SpecError> {
        read::file(text)
    }

    /// The specification as TOML, which [`SpecFile::from_toml`] reads back to the same values. Comments of a file it
    /// was read from are gone.
    #[cfg(feature = "toml")]
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::file(self)
    }

    /// A specification without fields: no version, no tertiary bitmap, no rules.
    #[must_use]
    pub fn new(name: &str, mti: MtiForm, bitmap: BitmapForm, encoding: Family) -> SpecFile {
        SpecFile {
            name: name.to_owned(),
            version: None,
            mti,
            bitmap,
            tertiary: Tertiary::None,
            encoding,
            length: None,
            header: None,
            fields: Vec::new(),
            messages: Vec::new(),
        }
    }
}

/// An edition of ISO 8583, by the first digit of its message types.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// ISO 8583:1987, `0xxx`.
    V1987,
    /// ISO 8583:1993, `1xxx`.
    V1993,
    /// ISO 8583:2003, `2xxx`.
    V2003,
}

/// How the four digits of a message type are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MtiForm {
    /// Two bytes of BCD.
    Bcd,
    /// Four ASCII digits.
    Ascii,
    /// Four EBCDIC digits, which are alike in every code page.
    Ebcdic,
}

/// How each of the bitmaps, 64 bits, is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitmapForm {
    /// 8 bytes.
    Binary,
    /// 16 hex characters, `0`–`9` and `A`–`F`, in ASCII.
    Hex,
    /// 16 hex characters in EBCDIC.
    HexEbcdic,
}

/// Where the third bitmap stands, which promises fields 129 to 192.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tertiary {
    /// There is none; 65 is a field like any other.
    #[default]
    None,
    /// Right behind the secondary, if that one's first bit (65) is set.
    Head,
    /// In the place of field 65, in front of field 66 (ISO 8583:1987, element 65).
    Field,
}

/// What the fields of a file are written in where they do not say it themselves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Family {
    /// Digits two to a byte, prefixes BCD, text ASCII, bytes as they are.
    #[default]
    Packed,
    /// Digits, prefixes and text as ASCII characters, bytes as hex characters.
    Ascii,
    /// The same in EBCDIC.
    Ebcdic(CodePage),
}

/// A code page of EBCDIC. Digits, letters and most signs are alike in all three; `[ ] ! | ^ ¬` and some more are not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CodePage {
    /// IBM 037: United States, Canada.
    Cp037,
    /// IBM 500: international.
    Cp500,
    /// IBM 1047: Latin 1, open systems.
    Cp1047,
}

/// A data element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldDef {
    /// `number`: 2 to 128, or to 192 with a tertiary bitmap.
    pub number: u8,
    /// What stands there.
    pub element: ElementDef,
}

/// What a field, or a part of one, looks like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ElementDef {
    /// `name`: what people call it, 1 to 80 bytes.
    pub name: String,
    /// `class`: what the value is made of.
    pub class: Class,
    /// `encoding`: how the value is written; `None` leaves it to the head's `encoding`.
    pub encoding: Option<ValueEncoding>,
    /// `length`, or `prefix` and `max`.
    pub length: Length,
    /// `prefix_encoding`: how the prefix is written; `None` leaves it to the head's `encoding`.
    pub prefix_encoding: Option<PrefixEncoding>,
    /// `counts`: what the prefix counts; `None` is [`Counts::Units`].
    pub counts: Option<Counts>,
    /// `align`: on which side of an odd count of packed digits the pad nibble is not; `None` is [`Align::Left`] where
    /// it may be left out.
    pub align: Option<Align>,
    /// `pad`: the pad nibble that is written, 0 to 15; `None` is 0. Where a count of bytes leaves open whether the
    /// last digit is a pad, a nibble above 9 that is equal to this one is none of the value.
    pub pad: Option<u8>,
    /// `show`: how much of the value may be printed; `None` is [`Show::Secret`].
    pub show: Option<Show>,
    /// `format`: what validation asks of the value besides its class.
    pub format: Option<Format>,
    /// `composite`: what the value is made up of, if of parts.
    pub composite: Option<CompositeDef>,
}

impl ElementDef {
    /// An element of which nothing is said but what must be.
    #[must_use]
    pub fn new(name: &str, class: Class, length: Length) -> ElementDef {
        ElementDef {
            name: name.to_owned(),
            class,
            encoding: None,
            length,
            prefix_encoding: None,
            counts: None,
            align: None,
            pad: None,
            show: None,
            format: None,
            composite: None,
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ValueEncoding {
    /// ASCII characters: classes `n`, `z`, `an`, `ans`, `xn`.
    Ascii,
    /// EBCDIC characters: the same classes.
    Ebcdic(CodePage),
    /// Digits two to a byte: `n`, `z`, and `xn`, whose sign stays a character.
    Bcd,
    /// Bytes as they are: `b`, `tlv`; for `n` a big-endian number, whose `length` counts bytes, 1 to 8.
    Binary,
    /// Two ASCII hex characters a byte, `0`–`9` and `A`–`F`: `b`.
    Hex,
    /// Two EBCDIC hex characters a byte: `b`.
    HexEbcdic,
}

/// How a length prefix is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrefixEncoding {
    /// One ASCII digit for each `l`.
    Ascii,
    /// One EBCDIC digit for each `l`.
    Ebcdic,
    /// Two digits a byte; of an odd count the first nibble is 0.
    Bcd,
    /// One byte for each `l`, at most four, a big-endian number.
    Binary,
    /// Two ASCII hex characters for each `l`, `0`–`9` and `A`–`F`: the bytes of [`PrefixEncoding::Binary`] in hex.
    Hex,
    /// The same in EBCDIC.
    HexEbcdic,
}

impl PrefixEncoding {
    /// Whether it writes a number of bytes, at most four, and not of decimal digits.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, PrefixEncoding::Binary | PrefixEncoding::Hex | PrefixEncoding::HexEbcdic)
    }

    /// Bytes on the wire for a number of this many `l`.
    pub(crate) fn width(self, places: usize) -> usize {
        match self {
            PrefixEncoding::Ascii | PrefixEncoding::Ebcdic | PrefixEncoding::Binary => places,
            PrefixEncoding::Bcd => places.div_ceil(2),
            PrefixEncoding::Hex | PrefixEncoding::HexEbcdic => 2 * places,
        }
    }

    /// The highest number that this many `l` can say.
    pub(crate) fn highest(self, places: usize) -> usize {
        let base: usize = if self.is_bytes() { 256 } else { 10 };
        let numbers = u32::try_from(places).ok().and_then(|places| base.checked_pow(places));
        numbers.map_or(usize::MAX, |numbers| numbers - 1)
    }
}

/// What a length prefix counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counts {
    /// What `max` counts: digits of `n` and `z`, bytes of `b` and `tlv`, characters of text.
    Units,
    /// Bytes on the wire: for packed digits pairs of them, for bytes in hex two for each.
    Bytes,
    /// Bytes on the wire, those of the prefix among them.
    BytesAndSelf,
    /// Half bytes on the wire: for bytes as they are twice as many.
    HalfBytes,
}

/// A rule that validation holds a value to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// A card number whose last digit is its Luhn check digit (ISO/IEC 7812-1, annex B).
    Luhn,
    /// Month and day.
    Mmdd,
    /// Year and month, as of expiry.
    Yymm,
    /// Year, month and day.
    Yymmdd,
    /// Century, year, month and day.
    Ccyymmdd,
    /// Hour, minute and second.
    Hhmmss,
    /// Month, day and time.
    Mmddhhmmss,
    /// Year to second.
    Yymmddhhmmss,
}

/// How a value is made up of parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CompositeDef {
    /// `kind` and the keys that belong to it.
    pub kind: CompositeKind,
    /// `[[….part]]`: the parts that are known.
    pub parts: Vec<PartDef>,
}

/// What tells one part from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CompositeKind {
    /// `"positional"`: part 1, part 2 and so on without a gap; a value may end after any of them.
    Positional,
    /// `"bitmap"`: a bitmap in front, whose n-th bit promises part n.
    Bitmap {
        /// `bitmap`: how it is written.
        form: BitmapForm,
        /// `bytes`: how many bytes of bits one bitmap has, 1 to 16.
        bytes: u8,
        /// `continued`: whether the first bit of a bitmap says that another one of the same size follows it.
        continued: bool,
    },
    /// `"ber-tlv"`: BER-TLV objects, tags of up to four bytes.
    BerTlv,
    /// `"tags"`: objects of a tag of fixed width, a length of fixed width, and a value.
    Tags {
        /// `tag`: how tags are written.
        tag: TagForm,
        /// `size`: how lengths, which count bytes of the value, are written.
        size: SizeForm,
        /// `label`: what stands before the tag in a path, `PDS` in `DE 48.PDS0158`; at most 4 letters, or empty.
        label: String,
    },
}

/// The tags of [`CompositeKind::Tags`]: `{ encoding = "ascii", length = 4 }`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TagForm {
    /// Characters, digits two to a byte, or bytes. Tags of hex characters are characters like others, so
    /// [`PrefixEncoding::Hex`] is not for them.
    pub encoding: PrefixEncoding,
    /// How many, 1 to 6; of bytes ([`PrefixEncoding::Binary`]) 1 to 4, of packed digits an even count.
    pub length: u8,
}

/// The lengths of [`CompositeKind::Tags`]: `{ encoding = "ascii", length = 3 }`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SizeForm {
    /// Digits as characters, digits two to a byte, or a big-endian number, also in hex.
    pub encoding: PrefixEncoding,
    /// How many digits, 1 to 6; or bytes of a number, 1 to 4.
    pub length: u8,
}

/// A part of a composite value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PartDef {
    /// What names it.
    pub key: PartKey,
    /// What stands there. Behind a tag it has no prefix of its own: its `length` is [`Length::Fixed`], or
    /// [`Length::Variable`] with [`crate::Prefix::None`]. The same holds for the rest of a value, as its last
    /// positional part.
    pub element: ElementDef,
}

/// What names a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PartKey {
    /// `number`: a position or a bit, from 1.
    Number(u8),
    /// `tag`: hex digits of BER-TLV and binary tags (`9F26`), otherwise the tag's characters (`0158`).
    Tag(String),
}

/// Which fields a message needs and may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageRule {
    /// `mti`: the types it is about.
    pub mti: MtiPattern,
    /// `required`: fields that must be there.
    pub required: Vec<u8>,
    /// `optional`: fields that may be there besides; `None` if any may.
    pub optional: Option<Vec<u8>>,
}

/// Message types: four digits, of which any may be `x` for every digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MtiPattern([Option<u8>; 4]);

impl MtiPattern {
    /// The pattern written in a text such as `0200` or `04x0`.
    #[must_use]
    pub fn parse(text: &str) -> Option<MtiPattern> {
        let characters: [u8; 4] = text.as_bytes().try_into().ok()?;
        let mut digits = [None; 4];
        for (digit, character) in digits.iter_mut().zip(characters) {
            *digit = match character {
                b'x' => None,
                b'0'..=b'9' => Some(character - b'0'),
                _ => return None,
            };
        }
        Some(MtiPattern(digits))
    }

    /// Whether it means this type.
    #[must_use]
    pub fn matches(self, mti: Mti) -> bool {
        let given = mti.to_ascii().map(|character| character - b'0');
        self.0.iter().zip(given).all(|(digit, given)| digit.is_none_or(|digit| digit == given))
    }
}

impl fmt::Display for MtiPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| match digit {
            Some(digit) => write!(f, "{digit}"),
            None => f.write_str("x"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_message_types_means_what_it_says() {
        for (pattern, mti, want) in [
            ("0200", 0x0200, Some(true)),
            ("0200", 0x0210, Some(false)),
            ("02x0", 0x0210, Some(true)),
            ("xxxx", 0x1644, Some(true)),
            ("020", 0, None),
            ("02000", 0, None),
            ("02X0", 0, None),
        ] {
            let parsed = MtiPattern::parse(pattern);
            assert_eq!(parsed.map(|parsed| parsed.matches(Mti::new(mti))), want, "{pattern}");
            assert!(parsed.is_none_or(|parsed| parsed.to_string() == pattern), "{pattern}");
        }
    }
}
