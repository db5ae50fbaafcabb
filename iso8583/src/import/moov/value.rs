//! Fields without subfields: what `type`, `enc` and `prefix` make of a value.
//!
//! moov's prefixes count what the value has before it is encoded: characters and
//! digits of texts and numbers, bytes of the others.

use super::Reader;
use super::field::Definition;
use crate::field::{Align, Class, Length, Prefix};
use crate::import::error::{Rule, printable};
use crate::import::name_of;
use crate::spec_file::{CodePage, Counts, ElementDef, PrefixEncoding, ValueEncoding};

/// How a value is written, as `type` and `enc` say together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Written {
    class: Class,
    encoding: ValueEncoding,
    /// Where packed digits are aligned.
    align: Align,
    counts: Counted,
}

impl Written {
    /// What moov's `length` is in digits, characters or bytes.
    fn units(self, length: u32) -> u32 {
        match self.counts {
            Counted::Units => length,
            Counted::BytesOfDigits => length.saturating_mul(2),
        }
    }
}

/// What `length` and the prefix count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Counted {
    /// Digits, characters or bytes, as the class does.
    Units,
    /// Bytes of packed digits.
    BytesOfDigits,
}

/// The length in front of a value, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Before {
    /// A fixed length.
    Nothing,
    /// A length of so many digits or bytes.
    Digits(PrefixEncoding, Prefix),
    /// A BER-TLV length.
    Ber,
}

impl Reader {
    /// The element of a type that is not made up of others.
    pub(super) fn value(&mut self, field: &Definition, number: Option<u8>) -> Option<ElementDef> {
        let written = self.written(field, number);
        let before = self.before(field);
        let (written, before) = (written?, before?);
        let length = self.length(field, written, before)?;
        let mut element = ElementDef::new(&self.name(field), written.class, length);
        element.encoding = Some(written.encoding);
        if let Before::Digits(prefix, _) = before {
            element.prefix_encoding = Some(prefix);
            element.counts = Some(match written.counts {
                Counted::Units => Counts::Units,
                Counted::BytesOfDigits => Counts::Bytes,
            });
        }
        let odd = match length {
            Length::Fixed(length) => !length.is_multiple_of(2),
            Length::Variable { .. } => true,
        };
        if written.encoding == ValueEncoding::Bcd && odd {
            element.align = Some(written.align);
        }
        Some(element)
    }

    /// The element behind a tag, and how the length between the two is written.
    pub(super) fn value_behind_tag(&mut self, field: &Definition) -> Option<(ElementDef, Before)> {
        let written = self.written(field, None);
        let before = self.before(field);
        let (written, before) = (written?, before?);
        let mut element = ElementDef::new(&self.name(field), written.class, self.open_length(field, written));
        element.encoding = Some(written.encoding);
        // moov's lengths count digits of packed ones, and the bytes that hex stands for.
        if written.counts == Counted::Units && written.encoding == ValueEncoding::Bcd {
            (element.counts, element.align) = (Some(Counts::Units), Some(written.align));
        } else if written.encoding == ValueEncoding::Hex {
            element.counts = Some(Counts::Units);
        }
        Some((element, before))
    }

    fn open_length(&self, field: &Definition, written: Written) -> Length {
        let units =
            field.length.filter(|length| *length > 0).map_or(u32::MAX, |length| written.units(length));
        Length::Variable { prefix: Prefix::None, max: u16::try_from(units).unwrap_or(u16::MAX) }
    }

    fn written(&mut self, field: &Definition, number: Option<u8>) -> Option<Written> {
        let Some(enc) = field.enc.as_deref() else {
            self.findings.refuse(&field.place, field.line, Rule::Missing("enc"));
            return None;
        };
        let written = written(&field.kind, enc);
        if written.is_none() {
            let known = ENCODINGS.contains(&enc);
            let name = printable(enc);
            let rule = if known {
                Rule::BadValue {
                    key: "enc",
                    rule: format!("{name} with type {} has no counterpart here", printable(&field.kind)),
                }
            } else {
                Rule::NoCounterpart { what: "enc", name }
            };
            self.findings.refuse(&field.place, field.line, rule);
        }
        // A track of type String or Numeric keeps its separator.
        let is_track = matches!(number, Some(35 | 36)) && field.kind != "Numeric";
        written.map(|written| match written.class {
            Class::Numeric if is_track => Written { class: Class::Track, ..written },
            _ => written,
        })
    }

    /// What stands in front of the value.
    pub(super) fn before(&mut self, field: &Definition) -> Option<Before> {
        let Some(prefix) = field.prefix.as_deref() else {
            self.findings.refuse(&field.place, field.line, Rule::Missing("prefix"));
            return None;
        };
        let before = before(prefix);
        if before.is_none() {
            let name = printable(prefix);
            self.findings.refuse(&field.place, field.line, Rule::NoCounterpart { what: "prefix", name });
        }
        before
    }

    fn length(&mut self, field: &Definition, written: Written, before: Before) -> Option<Length> {
        let Some(given @ 1..) = field.length else {
            self.findings.refuse(&field.place, field.line, Rule::Missing("length"));
            return None;
        };
        let length = u16::try_from(written.units(given)).unwrap_or(u16::MAX);
        match before {
            Before::Nothing => Some(Length::Fixed(length)),
            Before::Digits(encoding, prefix) => {
                // moov takes any `length` as a limit besides the one of the prefix.
                let max = length.min(most(encoding, prefix));
                Some(Length::Variable { prefix, max })
            }
            Before::Ber => {
                self.bad(field, "prefix", "is BerTLV, which is for what stands behind a BER-TLV tag");
                None
            }
        }
    }

    pub(super) fn name(&self, field: &Definition) -> String {
        name_of(&field.description, &field.place.to_string())
    }
}

/// The highest number that a prefix can say, or a message be long.
pub(super) fn most(encoding: PrefixEncoding, prefix: Prefix) -> u16 {
    u16::try_from(encoding.highest(prefix.digits())).unwrap_or(u16::MAX)
}

/// Every encoding that a document can name.
pub(super) const ENCODINGS: &[&str] = &[
    "ASCII",
    "BCD",
    "LBCD",
    "EBCDIC",
    "EBCDIC1047",
    "Binary",
    "HexToASCII",
    "BytesToASCIIHex",
    "Hex",
    "ASCIIToHex",
    "ASCIIHexToBytes",
    "BerTLVTag",
];

fn written(kind: &str, enc: &str) -> Option<Written> {
    let written =
        |class, encoding| Some(Written { class, encoding, align: Align::Left, counts: Counted::Units });
    let packed =
        |class, align| Some(Written { class, encoding: ValueEncoding::Bcd, align, counts: Counted::Units });
    let text = match kind {
        "String" | "Track1" => Class::Text,
        "Numeric" => Class::Numeric,
        "Track2" | "Track3" => Class::Track,
        _ => Class::Binary,
    };
    let digits = if text == Class::Track { Class::Track } else { Class::Numeric };
    match (text, enc) {
        (Class::Binary, "Binary") => written(Class::Binary, ValueEncoding::Binary),
        (Class::Binary, "HexToASCII" | "BytesToASCIIHex" | "Hex") => {
            written(Class::Binary, ValueEncoding::Hex)
        }
        // The value of type Binary is then the hex digits of what is sent.
        (Class::Binary, "ASCIIToHex" | "ASCIIHexToBytes") if kind == "Binary" => {
            written(Class::Binary, ValueEncoding::Binary)
        }
        (Class::Binary, _) => None,
        (_, "ASCII" | "Binary") => written(text, ValueEncoding::Ascii),
        // moov's plain EBCDIC is code page 500 but for the bar.
        (_, "EBCDIC") => written(text, ValueEncoding::Ebcdic(CodePage::Cp500)),
        (_, "EBCDIC1047") => written(text, ValueEncoding::Ebcdic(CodePage::Cp1047)),
        (_, "BCD") => packed(digits, Align::Right),
        (_, "LBCD") => packed(digits, Align::Left),
        (Class::Text, "HexToASCII" | "BytesToASCIIHex" | "Hex") => written(Class::Binary, ValueEncoding::Hex),
        (Class::Text, "ASCIIToHex" | "ASCIIHexToBytes") => written(Class::Binary, ValueEncoding::Binary),
        // Digits as characters, and each of those in hex: bytes, as far as can be said here.
        (Class::Numeric | Class::Track, "HexToASCII" | "BytesToASCIIHex" | "Hex") => {
            written(Class::Binary, ValueEncoding::Hex)
        }
        (Class::Numeric | Class::Track, "ASCIIToHex" | "ASCIIHexToBytes") => Some(Written {
            class: digits,
            encoding: ValueEncoding::Bcd,
            align: Align::Left,
            counts: Counted::BytesOfDigits,
        }),
        _ => None,
    }
}

/// `ASCII.LL` and its like.
pub(super) fn before(prefix: &str) -> Option<Before> {
    match prefix {
        "BerTLV" => return Some(Before::Ber),
        "None.Fixed" => return Some(Before::Nothing),
        _ => {}
    }
    let (written, form) = prefix.split_once('.')?;
    let written = match (written, form) {
        ("ASCII" | "BCD" | "EBCDIC" | "EBCDIC1047" | "Binary" | "Hex", "Fixed") => {
            return Some(Before::Nothing);
        }
        ("ASCII", _) => PrefixEncoding::Ascii,
        ("BCD", _) => PrefixEncoding::Bcd,
        ("EBCDIC" | "EBCDIC1047", _) => PrefixEncoding::Ebcdic,
        ("Binary", _) => PrefixEncoding::Binary,
        ("Hex", _) => PrefixEncoding::Hex,
        _ => return None,
    };
    let form = match form {
        "L" => Prefix::L,
        "LL" => Prefix::Ll,
        "LLL" => Prefix::Lll,
        "LLLL" => Prefix::Llll,
        "LLLLL" => Prefix::Lllll,
        "LLLLLL" => Prefix::Llllll,
        _ => return None,
    };
    if written.is_bytes() && form.digits() > 4 {
        return None;
    }
    Some(Before::Digits(written, form))
}
