//! The words of a specification file, each with its meaning: the one table of them. Reader, writer and
//! [`fmt::Display`] share it.

use std::fmt;

use super::{
    BitmapForm, CodePage, CompositeKind, Counts, Family, Format, MtiForm, PrefixEncoding, Tertiary,
    ValueEncoding, Version,
};
#[cfg(feature = "toml")]
use crate::field::Prefix;
use crate::field::{Align, Class, Show};

/// The words of a key.
pub(super) type Words<T> = &'static [(&'static str, T)];

pub(super) const VERSION: Words<Version> =
    &[("1987", Version::V1987), ("1993", Version::V1993), ("2003", Version::V2003)];

pub(super) const MTI: Words<MtiForm> =
    &[("bcd", MtiForm::Bcd), ("ascii", MtiForm::Ascii), ("ebcdic", MtiForm::Ebcdic)];

pub(super) const BITMAP: Words<BitmapForm> =
    &[("binary", BitmapForm::Binary), ("hex", BitmapForm::Hex), ("hex-ebcdic", BitmapForm::HexEbcdic)];

pub(super) const TERTIARY: Words<Tertiary> =
    &[("none", Tertiary::None), ("head", Tertiary::Head), ("field-65", Tertiary::Field)];

pub(super) const FAMILY: Words<Family> = &[
    ("packed", Family::Packed),
    ("ascii", Family::Ascii),
    ("ebcdic-037", Family::Ebcdic(CodePage::Cp037)),
    ("ebcdic-500", Family::Ebcdic(CodePage::Cp500)),
    ("ebcdic-1047", Family::Ebcdic(CodePage::Cp1047)),
];

pub(super) const CLASS: Words<Class> = &[
    ("n", Class::Numeric),
    ("z", Class::Track),
    ("an", Class::Alphanumeric),
    ("ans", Class::Text),
    ("b", Class::Binary),
    ("tlv", Class::Tlv),
    ("xn", Class::Signed),
];

pub(super) const VALUE: Words<ValueEncoding> = &[
    ("ascii", ValueEncoding::Ascii),
    ("ebcdic-037", ValueEncoding::Ebcdic(CodePage::Cp037)),
    ("ebcdic-500", ValueEncoding::Ebcdic(CodePage::Cp500)),
    ("ebcdic-1047", ValueEncoding::Ebcdic(CodePage::Cp1047)),
    ("bcd", ValueEncoding::Bcd),
    ("binary", ValueEncoding::Binary),
    ("hex", ValueEncoding::Hex),
    ("hex-ebcdic", ValueEncoding::HexEbcdic),
];

#[cfg(feature = "toml")]
pub(super) const PREFIX: Words<Prefix> = &[
    ("l", Prefix::L),
    ("ll", Prefix::Ll),
    ("lll", Prefix::Lll),
    ("llll", Prefix::Llll),
    ("lllll", Prefix::Lllll),
    ("llllll", Prefix::Llllll),
];

pub(super) const PREFIX_ENCODING: Words<PrefixEncoding> = &[
    ("ascii", PrefixEncoding::Ascii),
    ("ebcdic", PrefixEncoding::Ebcdic),
    ("bcd", PrefixEncoding::Bcd),
    ("binary", PrefixEncoding::Binary),
    ("hex", PrefixEncoding::Hex),
    ("hex-ebcdic", PrefixEncoding::HexEbcdic),
];

pub(super) const COUNTS: Words<Counts> = &[
    ("units", Counts::Units),
    ("bytes", Counts::Bytes),
    ("bytes+self", Counts::BytesAndSelf),
    ("half-bytes", Counts::HalfBytes),
];

pub(super) const ALIGN: Words<Align> = &[("left", Align::Left), ("right", Align::Right)];

pub(super) const SHOW: Words<Show> =
    &[("clear", Show::Clear), ("pan", Show::Pan), ("track", Show::Track), ("secret", Show::Secret)];

pub(super) const FORMAT: Words<Format> = &[
    ("luhn", Format::Luhn),
    ("MMDD", Format::Mmdd),
    ("YYMM", Format::Yymm),
    ("YYMMDD", Format::Yymmdd),
    ("CCYYMMDD", Format::Ccyymmdd),
    ("hhmmss", Format::Hhmmss),
    ("MMDDhhmmss", Format::Mmddhhmmss),
    ("YYMMDDhhmmss", Format::Yymmddhhmmss),
];

/// The kinds of composites; what belongs to each is in the reader and the writer.
pub(super) const KIND: Words<Kind> = &[
    ("positional", Kind::Positional),
    ("bitmap", Kind::Bitmap),
    ("ber-tlv", Kind::BerTlv),
    ("tags", Kind::Tags),
];

/// A kind of composite without its keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Positional,
    Bitmap,
    BerTlv,
    Tags,
}

/// The word that means this; every value of these types has one.
pub(super) fn word<T: PartialEq>(words: Words<T>, meaning: &T) -> &'static str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(word, _)| word)
}

/// Whoever prints a specification says what its file says.
macro_rules! displayed {
    ($($type:ty: $words:ident),+ $(,)?) => { $(
        /// Its word in a specification file.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(word($words, self))
            }
        }
    )+ };
}

displayed!(
    Version: VERSION,
    MtiForm: MTI,
    BitmapForm: BITMAP,
    Tertiary: TERTIARY,
    Family: FAMILY,
    Class: CLASS,
    ValueEncoding: VALUE,
    PrefixEncoding: PREFIX_ENCODING,
    Counts: COUNTS,
    Align: ALIGN,
    Show: SHOW,
    Format: FORMAT,
    Kind: KIND,
);

impl CompositeKind {
    /// Its kind without its keys.
    pub(super) fn kind(&self) -> Kind {
        match self {
            CompositeKind::Positional => Kind::Positional,
            CompositeKind::Bitmap { .. } => Kind::Bitmap,
            CompositeKind::BerTlv => Kind::BerTlv,
            CompositeKind::Tags { .. } => Kind::Tags,
        }
    }
}

/// The word of its kind in a specification file.
impl fmt::Display for CompositeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}
