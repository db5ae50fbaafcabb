//! The field packager classes of jPOS, one row each: what a field of the class
//! looks like on the wire.
//!
//! The rows were written from the classes' documentation and behaviour in jPOS
//! 2 and 3. `IMPORT.md` shows them to people; a test holds the two together.
//! Start at [`of`].

use crate::field::{Class, Prefix};
use crate::spec_file::{BitmapForm, CodePage, Counts, PrefixEncoding, SizeForm, TagForm, ValueEncoding};

/// What a class makes of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packager {
    /// A value, with or without a length in front.
    Value(Value),
    /// A value that is filled up to its full length, behind a count of what of it means anything.
    Filled {
        /// How the count is written, and in how many digits or bytes.
        count: (ValueEncoding, u16),
        class: Class,
        encoding: ValueEncoding,
    },
    /// A bitmap.
    Bitmap(BitmapForm),
    /// A bitmap of eight bytes, whatever its `length`, whose first bit promises a field like the others.
    EightBytes,
    /// A value behind a tag and a length, in a field of such.
    Tagged {
        /// The tag; its length is 0 where the `token` attribute gives it.
        tag: TagForm,
        size: SizeForm,
        class: Class,
        encoding: ValueEncoding,
    },
    /// No bytes at all.
    Absent,
    /// Something that no specification here can say, and why.
    Refused(&'static str),
}

/// How a class writes its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) class: Class,
    pub(crate) encoding: ValueEncoding,
    pub(crate) prefix: Option<(PrefixEncoding, Prefix)>,
    pub(crate) counts: Counts,
    /// The pad nibble behind an odd count of packed digits when `pad` is not
    /// `true`; if it is, a zero stands in front.
    pub(crate) filler: u8,
    /// How many units one of the attribute `length` is.
    pub(crate) unit: Unit,
}

/// What the attribute `length` counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    /// Digits, characters or bytes, as the class of the value does.
    Same,
    /// Hex digits of a value of bytes.
    HexDigits,
}

/// The code page that jPOS takes for EBCDIC.
pub(crate) const EBCDIC: ValueEncoding = ValueEncoding::Ebcdic(CodePage::Cp1047);

use Class::{Binary as B, Numeric as N, Signed as X, Text as T};
use Prefix::{L, Ll, Lll, Llll, Lllll, Llllll};
use PrefixEncoding as P;
use ValueEncoding::{Ascii, Bcd, Binary, Hex, HexEbcdic};

/// The row of a class, named without its package.
pub(crate) fn of(name: &str) -> Option<Packager> {
    CLASSES.iter().find(|(known, _)| *known == name).map(|(_, packager)| *packager)
}

/// Every class that is known here.
#[rustfmt::skip] // A table.
pub(crate) const CLASSES: &[(&str, Packager)] = &[
    // ASCII throughout.
    ("IFA_NUMERIC", fixed(N, Ascii)),
    ("IFA_AMOUNT", fixed(X, Ascii)),
    ("IFA_AMOUNT2003", fixed(N, Ascii)),
    ("IFA_BINARY", fixed(B, Hex)),
    ("IFA_BITMAP", Packager::Bitmap(BitmapForm::Hex)),
    ("IFA_LCHAR", variable(T, Ascii, P::Ascii, L)),
    ("IFA_LLCHAR", variable(T, Ascii, P::Ascii, Ll)),
    ("IFA_LLLCHAR", variable(T, Ascii, P::Ascii, Lll)),
    ("IFA_LLLLCHAR", variable(T, Ascii, P::Ascii, Llll)),
    ("IFA_LLLLLCHAR", variable(T, Ascii, P::Ascii, Lllll)),
    ("IFA_LLLLLLCHAR", variable(T, Ascii, P::Ascii, Llllll)),
    ("IFA_LLNUM", variable(N, Ascii, P::Ascii, Ll)),
    ("IFA_LLLNUM", variable(N, Ascii, P::Ascii, Lll)),
    ("IFA_LLBNUM", variable(N, Bcd, P::Ascii, Ll)),
    ("IFA_LBINARY", variable(B, Binary, P::Ascii, L)),
    ("IFA_LLBINARY", variable(B, Binary, P::Ascii, Ll)),
    ("IFA_LLLBINARY", variable(B, Binary, P::Ascii, Lll)),
    ("IFA_LLLLBINARY", variable(B, Binary, P::Ascii, Llll)),
    ("IFA_LLLLLBINARY", variable(B, Binary, P::Ascii, Lllll)),
    ("IFA_LLLLLLBINARY", variable(B, Binary, P::Ascii, Llllll)),
    ("IFA_LLABINARY", variable(B, Hex, P::Ascii, Ll)),
    ("IFA_LLLABINARY", variable(B, Hex, P::Ascii, Lll)),
    ("IFAE_LLCHAR", variable(T, EBCDIC, P::Ascii, Ll)),
    ("IFA_FLLCHAR", filled_behind(Ascii, 2, T, Ascii)),
    ("IFA_FLLNUM", filled_behind(Ascii, 2, T, Ascii)),
    // Digits and lengths two to a byte.
    ("IFB_NUMERIC", fixed(N, Bcd)),
    ("IFB_FNUMERIC", filled(fixed(N, Bcd))),
    ("IFB_AMOUNT", fixed(X, Bcd)),
    ("IFB_AMOUNT2003", fixed(N, Bcd)),
    ("IFB_BINARY", fixed(B, Binary)),
    ("IFB_BITMAP", Packager::Bitmap(BitmapForm::Binary)),
    ("packager.Base1_BITMAP126", Packager::EightBytes),
    ("IFB_HEX", in_hex_digits(fixed(B, Binary))),
    ("IFB_LLNUM", variable(N, Bcd, P::Bcd, Ll)),
    ("IFB_LLLNUM", variable(N, Bcd, P::Bcd, Lll)),
    ("IFB_FLLNUM", filled(variable(N, Bcd, P::Bcd, Ll))),
    ("IFB_FLLLNUM", filled(variable(N, Bcd, P::Bcd, Lll))),
    ("IFB_LLCHAR", variable(T, Ascii, P::Bcd, Ll)),
    ("IFB_LLLCHAR", variable(T, Ascii, P::Bcd, Lll)),
    ("IFB_LLLLCHAR", variable(T, Ascii, P::Bcd, Llll)),
    ("IFB_LLLLLLCHAR", variable(T, Ascii, P::Bcd, Llllll)),
    ("IFB_LLBINARY", variable(B, Binary, P::Bcd, Ll)),
    ("IFB_LLLBINARY", variable(B, Binary, P::Bcd, Lll)),
    ("IFB_LLLLBINARY", variable(B, Binary, P::Bcd, Llll)),
    ("IFB_LLHEX", counting(Counts::HalfBytes, variable(B, Binary, P::Bcd, Ll))),
    ("IFB_LLLHEX", counting(Counts::HalfBytes, variable(B, Binary, P::Bcd, Lll))),
    // The H: a length of one or two bytes as a number.
    ("IFB_LLHNUM", variable(N, Bcd, P::Binary, L)),
    ("IFB_LLLHNUM", variable(N, Bcd, P::Binary, Ll)),
    ("IFB_LLHCHAR", variable(T, Ascii, P::Binary, L)),
    ("IFB_LLLHCHAR", variable(T, Ascii, P::Binary, Ll)),
    ("IFB_LLHECHAR", variable(T, EBCDIC, P::Binary, L)),
    ("IFB_LLLHECHAR", variable(T, EBCDIC, P::Binary, Ll)),
    ("IFB_LLHBINARY", variable(B, Binary, P::Binary, L)),
    ("IFB_LLLHBINARY", variable(B, Binary, P::Binary, Ll)),
    ("IFB_LLHFBINARY", filled_behind(Binary, 1, B, Binary)),
    // EBCDIC.
    ("IFE_NUMERIC", fixed(N, EBCDIC)),
    ("IFE_CHAR", fixed(T, EBCDIC)),
    ("IFE_AMOUNT", fixed(X, EBCDIC)),
    ("IFE_BINARY", fixed(B, HexEbcdic)),
    ("IFE_BITMAP", Packager::Bitmap(BitmapForm::HexEbcdic)),
    ("IFE_LNUM", variable(N, EBCDIC, P::Ebcdic, L)),
    ("IFE_LLNUM", variable(N, EBCDIC, P::Ebcdic, Ll)),
    ("IFE_LLLNUM", variable(N, EBCDIC, P::Ebcdic, Lll)),
    ("IFE_LCHAR", variable(T, EBCDIC, P::Ebcdic, L)),
    ("IFE_LLCHAR", variable(T, EBCDIC, P::Ebcdic, Ll)),
    ("IFE_LLLCHAR", variable(T, EBCDIC, P::Ebcdic, Lll)),
    ("IFE_LLLLCHAR", variable(T, EBCDIC, P::Ebcdic, Llll)),
    ("IFE_LBINARY", variable(B, Binary, P::Ebcdic, L)),
    ("IFE_LLBINARY", variable(B, Binary, P::Ebcdic, Ll)),
    ("IFE_LLLBINARY", variable(B, Binary, P::Ebcdic, Lll)),
    ("IFE_LLLLBINARY", variable(B, Binary, P::Ebcdic, Llll)),
    ("IFE_LLLEBINARY", variable(T, EBCDIC, P::Ebcdic, Lll)),
    ("IFE_SIGNED_NUMERIC", fixed(T, EBCDIC)),
    ("IFEA_LLCHAR", variable(T, Ascii, P::Ebcdic, Ll)),
    ("IFEB_LLNUM", counting(Counts::Bytes, filled(variable(N, Bcd, P::Ebcdic, Ll)))),
    ("IFEB_LLLNUM", counting(Counts::Bytes, filled(variable(N, Bcd, P::Ebcdic, Lll)))),
    // As they are.
    ("IF_CHAR", fixed(T, Ascii)),
    ("IF_ECHAR", fixed(T, EBCDIC)),
    ("IF_NOP", Packager::Absent),
    ("IF_UNUSED", Packager::Absent),
    ("IF_TCHAR", Packager::Refused(TERMINATED)),
    ("IF_FSTCHAR", Packager::Refused(TERMINATED)),
    ("IF_FSTBINARY", Packager::Refused(TERMINATED)),
    // Tag, length, value: the tag is the subfield's id.
    ("IFA_TTLCHAR", tagged(P::Ascii, 2, P::Ascii, 1, T, Ascii)),
    ("IFA_TTLLCHAR", tagged(P::Ascii, 2, P::Ascii, 2, T, Ascii)),
    ("IFA_TTLLLCHAR", tagged(P::Ascii, 2, P::Ascii, 3, T, Ascii)),
    ("IFA_TTLLLLCHAR", tagged(P::Ascii, 2, P::Ascii, 4, T, Ascii)),
    ("IFA_TTTLLLCHAR", tagged(P::Ascii, 3, P::Ascii, 3, T, Ascii)),
    ("IFA_TTLBINARY", tagged(P::Ascii, 2, P::Ascii, 1, B, Binary)),
    ("IFA_TTLLBINARY", tagged(P::Ascii, 2, P::Ascii, 2, B, Binary)),
    ("IFA_TTLLLBINARY", tagged(P::Ascii, 2, P::Ascii, 3, B, Binary)),
    ("IFA_TTLLLLBINARY", tagged(P::Ascii, 2, P::Ascii, 4, B, Binary)),
    ("IFMC_LLCHAR", tagged(P::Ascii, 2, P::Ascii, 2, T, Ascii)),
    ("IFMC_LLLCHAR", tagged(P::Ascii, 2, P::Ascii, 3, T, Ascii)),
    ("IFMC_LLBINARY", tagged(P::Ascii, 2, P::Ascii, 2, B, Binary)),
    ("IFIPM_LLLCHAR", tagged(P::Ascii, 4, P::Ascii, 3, T, Ascii)),
    ("IFEMC_LLCHAR", tagged(P::Ascii, 2, P::Ebcdic, 2, T, EBCDIC)),
    ("IFEMC_LLLCHAR", tagged(P::Ebcdic, 4, P::Ebcdic, 3, T, EBCDIC)),
    ("IFEPE_LLCHAR", tagged(P::Ebcdic, 2, P::Ebcdic, 2, T, EBCDIC)),
    ("IFEPE_LLLCHAR", tagged(P::Ebcdic, 3, P::Ebcdic, 3, T, EBCDIC)),
    ("IFEPE_LLBINARY", tagged(P::Ebcdic, 2, P::Ebcdic, 2, B, Binary)),
    ("IFEP_LLLBINARY", Packager::Refused(LENGTH_FIRST)),
    ("IFEP_LLCHAR", Packager::Refused(LENGTH_FIRST)),
    ("IFEP_LLLCHAR", Packager::Refused(LENGTH_FIRST)),
    ("IFELPE_LLLCHAR", Packager::Refused(LENGTH_FIRST)),
    // Tag, length, value: the tag is the attribute `token`.
    ("IFTA_LLCHAR", tagged(P::Ascii, 0, P::Ascii, 2, T, Ascii)),
    ("IFTA_LLLCHAR", tagged(P::Ascii, 0, P::Ascii, 3, T, Ascii)),
    ("IFTA_LLNUM", tagged(P::Ascii, 0, P::Ascii, 2, N, Ascii)),
    ("IFTA_LLLNUM", tagged(P::Ascii, 0, P::Ascii, 3, N, Ascii)),
    ("IFTA_LLBINARY", tagged(P::Ascii, 0, P::Ascii, 2, B, Binary)),
    ("IFTA_LLLBINARY", tagged(P::Ascii, 0, P::Ascii, 3, B, Binary)),
];

const TERMINATED: &str = "its value ends at a mark and not after a length";
const LENGTH_FIRST: &str = "its length stands in front of its tag";

const fn value(class: Class, encoding: ValueEncoding, prefix: Option<(P, Prefix)>) -> Packager {
    Packager::Value(Value { class, encoding, prefix, counts: Counts::Units, filler: 0, unit: Unit::Same })
}

const fn fixed(class: Class, encoding: ValueEncoding) -> Packager {
    value(class, encoding, None)
}

const fn variable(class: Class, encoding: ValueEncoding, written: P, prefix: Prefix) -> Packager {
    value(class, encoding, Some((written, prefix)))
}

const fn filled_behind(count: ValueEncoding, digits: u16, class: Class, encoding: ValueEncoding) -> Packager {
    Packager::Filled { count: (count, digits), class, encoding }
}

const fn filled(packager: Packager) -> Packager {
    match packager {
        Packager::Value(value) => Packager::Value(Value { filler: 0xF, ..value }),
        other => other,
    }
}

const fn counting(counts: Counts, packager: Packager) -> Packager {
    match packager {
        Packager::Value(value) => Packager::Value(Value { counts, ..value }),
        other => other,
    }
}

const fn in_hex_digits(packager: Packager) -> Packager {
    match packager {
        Packager::Value(value) => Packager::Value(Value { unit: Unit::HexDigits, ..value }),
        other => other,
    }
}

const fn tagged(
    tag: P,
    digits: u8,
    size: P,
    size_digits: u8,
    class: Class,
    value: ValueEncoding,
) -> Packager {
    Packager::Tagged {
        tag: TagForm { encoding: tag, length: digits },
        size: SizeForm { encoding: size, length: size_digits },
        class,
        encoding: value,
    }
}
