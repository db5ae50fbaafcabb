//! The words of a specification file, each with its meaning; reader and writer share them.

use super::{
    BitmapForm, CodePage, Counts, Family, Format, MtiForm, PrefixEncoding, Tertiary, ValueEncoding, Version,
};
use crate::field::{Align, Class, Prefix, Show};

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
];

pub(super) const COUNTS: Words<Counts> = &[("units", Counts::Units), ("bytes", Counts::Bytes)];

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
