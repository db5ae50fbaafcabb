//! Every type, encoding and prefix, and every refusal, on specifications made
//! for it.
//!
//! The bytes were worked out by hand from what moov-io/iso8583 is documented to
//! read.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::{import_json, import_yaml};
use crate::import::testing::{notes, refusals, value_in};
use crate::import::{ImportError, Imported};
use crate::{BitmapForm, Message, MtiForm, Show, Spec, Tertiary};

/// A document of an ASCII message type, a hex bitmap, and these fields in YAML's
/// flow form.
pub(super) fn import_fields(fields: &str) -> Result<Imported, ImportError> {
    let yaml = format!(
        "name: test\nfields:\n  \"0\": {{type: String, length: 4, enc: ASCII, prefix: ASCII.Fixed}}\n  \
         \"1\": {{type: Bitmap, enc: HexToASCII, prefix: Hex.Fixed}}\n{fields}"
    );
    import_yaml(yaml.as_bytes())
}

fn import_field(keys: &str) -> Result<Imported, ImportError> {
    import_fields(&format!("  \"44\": {{{keys}}}\n"))
}

/// `type`, `enc`, `prefix` and `length`; the field's bytes; its value.
type Row = (&'static str, &'static str, &'static str, u32, &'static [u8], &'static str);

#[rustfmt::skip] // A table.
const VALUES: &[Row] = &[
    ("String", "ASCII", "ASCII.Fixed", 3, b"abc", "abc"),
    ("String", "Binary", "ASCII.LL", 99, b"03abc", "abc"),
    ("String", "EBCDIC", "EBCDIC.LL", 99, b"\xF0\xF3\xC1\x4A\x4F", "A[!"),
    ("String", "EBCDIC1047", "EBCDIC1047.LL", 99, b"\xF0\xF3\xC1\xAD\x5A", "A[!"),
    ("String", "BCD", "BCD.LL", 19, b"\x05\x01\x23\x45", "12345"),
    ("String", "LBCD", "BCD.LL", 19, b"\x05\x12\x34\x50", "12345"),
    ("String", "HexToASCII", "Hex.Fixed", 4, b"0A1B2C3D", "0A1B2C3D"),
    ("String", "ASCIIToHex", "Binary.L", 9, b"\x02\xAB\xCD", "ABCD"),
    ("String", "BytesToASCIIHex", "ASCII.LL", 9, b"02ABCD", "ABCD"),
    ("String", "Hex", "Hex.Fixed", 2, b"ABCD", "ABCD"),
    ("Numeric", "HexToASCII", "ASCII.LL", 9, b"023432", "3432"),
    ("String", "ASCIIHexToBytes", "Binary.Fixed", 2, b"\xAB\xCD", "ABCD"),
    ("Numeric", "ASCII", "ASCII.Fixed", 6, b"000042", "000042"),
    ("Numeric", "Binary", "ASCII.Fixed", 6, b"000042", "000042"),
    ("Numeric", "EBCDIC", "EBCDIC.Fixed", 4, b"\xF0\xF0\xF4\xF2", "0042"),
    ("Numeric", "EBCDIC1047", "EBCDIC.LLL", 4, b"\xF0\xF0\xF2\xF4\xF2", "42"),
    ("Numeric", "BCD", "BCD.Fixed", 5, b"\x01\x23\x45", "12345"),
    ("Numeric", "LBCD", "BCD.Fixed", 5, b"\x12\x34\x50", "12345"),
    ("Numeric", "BCD", "BCD.Fixed", 6, b"\x12\x34\x56", "123456"),
    ("Numeric", "ASCIIToHex", "Binary.Fixed", 3, b"\x12\x34\x56", "123456"),
    ("Numeric", "ASCIIToHex", "Binary.L", 9, b"\x02\x12\x34", "1234"),
    ("Binary", "Binary", "ASCII.LLL", 999, b"002\xAB\xCD", "ABCD"),
    ("Binary", "HexToASCII", "ASCII.LLL", 999, b"002ABCD", "ABCD"),
    ("Binary", "ASCIIToHex", "Binary.LL", 999, b"\x00\x02\xAB\xCD", "ABCD"),
    ("Hex", "Binary", "BCD.LLL", 999, b"\x00\x02\xAB\xCD", "ABCD"),
    ("Hex", "HexToASCII", "Hex.Fixed", 2, b"ABCD", "ABCD"),
    ("Track1", "ASCII", "ASCII.LL", 76, b"03B4^", "B4^"),
    ("Track2", "ASCII", "ASCII.LL", 37, b"064111=2", "4111=2"),
    ("Track2", "EBCDIC", "EBCDIC.LL", 37, b"\xF0\xF3\xF4\x7E\xF2", "4=2"),
    ("Track2", "LBCD", "BCD.LL", 37, b"\x05\x41\x11\xD0", "4111="),
    ("Track3", "ASCIIToHex", "Binary.L", 104, b"\x02\x41\xD2", "41=2"),
    // Every length of every prefix.
    ("String", "ASCII", "ASCII.L", 9, b"3abc", "abc"),
    ("String", "ASCII", "ASCII.LLLL", 9999, b"0003abc", "abc"),
    ("String", "ASCII", "ASCII.LLLLL", 9999, b"00003abc", "abc"),
    ("String", "ASCII", "ASCII.LLLLLL", 9999, b"000003abc", "abc"),
    ("String", "ASCII", "BCD.L", 9, b"\x03abc", "abc"),
    ("String", "ASCII", "BCD.LLLL", 9999, b"\x00\x03abc", "abc"),
    ("String", "ASCII", "EBCDIC.L", 9, b"\xF3abc", "abc"),
    ("String", "ASCII", "EBCDIC.LLLL", 9999, b"\xF0\xF0\xF0\xF3abc", "abc"),
    ("String", "ASCII", "Binary.LLL", 999, b"\x00\x00\x03abc", "abc"),
    ("String", "ASCII", "Binary.LLLL", 999, b"\x00\x00\x00\x03abc", "abc"),
    ("String", "ASCII", "Hex.L", 99, b"03abc", "abc"),
    ("String", "ASCII", "Hex.LL", 999, b"000Aabcdefghij", "abcdefghij"),
    ("String", "ASCII", "Hex.LLL", 999, b"000003abc", "abc"),
    ("Binary", "HexToASCII", "Hex.LLLL", 999, b"00000002ABCD", "ABCD"),
    ("String", "ASCII", "None.Fixed", 3, b"abc", "abc"),
    ("String", "EBCDIC", "EBCDIC1047.Fixed", 1, b"\xC1", "A"),
];

#[test]
fn a_field_of_each_type_reads_as_moov_writes_it() {
    for (kind, enc, prefix, length, wire, want) in VALUES {
        let keys = format!("type: {kind}, enc: {enc}, prefix: {prefix}, length: {length}");
        let imported = import_field(&keys).unwrap_or_else(|error| panic!("{keys}: {error}"));
        assert_eq!(value_in(&imported, "44", wire), *want, "{keys}");
        assert_eq!(notes(&imported), [""; 0], "{keys}");
    }
}

/// What a document can name; `IMPORT.md` shows them, and the rows above have them.
#[test]
fn every_name_of_a_document_has_its_row_in_a_test_and_in_the_document() {
    let document = include_str!("../../../IMPORT.md");
    for kind in ["String", "Numeric", "Binary", "Hex", "Track1", "Track2", "Track3"] {
        assert!(VALUES.iter().any(|row| row.0 == kind), "{kind}");
        assert!(document.contains(&format!("`{kind}`")), "{kind}");
    }
    for enc in super::value::ENCODINGS.iter().filter(|enc| **enc != "BerTLVTag") {
        assert!(VALUES.iter().any(|row| row.1 == *enc), "{enc}");
        assert!(document.contains(&format!("`{enc}`")), "{enc}");
    }
    for prefix in ["ASCII", "BCD", "Binary", "EBCDIC", "EBCDIC1047", "Hex", "None"] {
        assert!(VALUES.iter().any(|row| row.2.starts_with(&format!("{prefix}."))), "{prefix}");
        assert!(document.contains(&format!("`{prefix}.Fixed`")), "{prefix}");
    }
}

#[test]
fn json_and_yaml_say_the_same() {
    let yaml = "name: same\nfields:\n  \"0\":\n    type: String\n    length: 4\n    enc: BCD\n    prefix: BCD.Fixed\n  \
        \"1\":\n    type: Bitmap\n    enc: Binary\n    prefix: Binary.Fixed\n  \"11\":\n    type: Numeric\n    length: 6\n    \
        description: STAN\n    enc: BCD\n    prefix: BCD.Fixed\n    padding:\n      type: Left\n      pad: \"0\"\n";
    let json = r#"{"name": "same", "fields": {
        "0": {"type": "String", "length": 4, "enc": "BCD", "prefix": "BCD.Fixed"},
        "1": {"type": "Bitmap", "enc": "Binary", "prefix": "Binary.Fixed"},
        "11": {"type": "Numeric", "length": 6, "description": "STAN", "enc": "BCD", "prefix": "BCD.Fixed",
               "padding": {"type": "Left", "pad": "0"}}}}"#;
    let from_json = import_json(json.as_bytes()).unwrap();
    assert_eq!(import_yaml(yaml.as_bytes()).unwrap(), from_json);
    assert_eq!(
        (from_json.spec.name.as_str(), from_json.spec.fields[0].element.name.as_str()),
        ("same", "STAN")
    );
    let spec = Spec::compile(&from_json.spec).unwrap();
    let message = Message::decode(&spec, b"\x08\x00\0\x20\0\0\0\0\0\0\x00\x00\x42").unwrap();
    assert_eq!(message.number(11), Some(42));
}

#[test]
fn the_envelope_is_read_from_fields_0_and_1() {
    for (mti, bitmap, more, want) in [
        (
            "type: String, length: 4, enc: ASCII, prefix: ASCII.Fixed",
            "HexToASCII",
            "",
            (MtiForm::Ascii, BitmapForm::Hex, Tertiary::None),
        ),
        (
            "type: Numeric, length: 4, enc: EBCDIC, prefix: EBCDIC.Fixed",
            "Binary",
            "",
            (MtiForm::Ebcdic, BitmapForm::Binary, Tertiary::None),
        ),
        (
            "type: String, length: 4, enc: BCD, prefix: BCD.Fixed",
            "Binary",
            "",
            (MtiForm::Bcd, BitmapForm::Binary, Tertiary::None),
        ),
        (
            "type: String, length: 2, enc: ASCIIToHex, prefix: Binary.Fixed",
            "Binary",
            "",
            (MtiForm::Bcd, BitmapForm::Binary, Tertiary::None),
        ),
        (
            "type: String, length: 4, enc: BCD, prefix: BCD.Fixed",
            "Binary",
            "  150: {type: String, length: 1, enc: ASCII, prefix: ASCII.Fixed}\n",
            (MtiForm::Bcd, BitmapForm::Binary, Tertiary::Head),
        ),
    ] {
        let yaml = format!(
            "fields:\n  0: {{{mti}}}\n  1: {{type: Bitmap, enc: {bitmap}, prefix: Hex.Fixed}}\n{more}"
        );
        let spec = import_yaml(yaml.as_bytes()).unwrap().spec;
        assert_eq!((spec.mti, spec.bitmap, spec.tertiary), want, "{yaml}");
    }
}

#[test]
fn nothing_is_shown_that_the_standard_does_not_make_harmless() {
    let text = |number: u8, length: u8, kind: &str| {
        format!("  {number}: {{type: {kind}, length: {length}, enc: ASCII, prefix: ASCII.Fixed}}\n")
    };
    let fields = text(2, 19, "Numeric")
        + &text(3, 6, "Numeric")
        + &text(14, 4, "String")
        + &text(35, 37, "Track2")
        + &text(52, 8, "String");
    let spec = import_fields(&fields).unwrap().spec;
    let shown: Vec<_> = spec.fields.iter().map(|field| field.element.show.unwrap()).collect();
    assert_eq!(shown, [Show::Pan, Show::Clear, Show::Secret, Show::Track, Show::Secret]);
}

#[test]
fn what_means_less_here_is_noted() {
    let yaml = "version: 3\nfields:\n  0: {type: String, length: 4, enc: ASCII, prefix: ASCII.Fixed, colour: red}\n  \
        1: {type: Bitmap, enc: Binary, prefix: Hex.Fixed, disableAutoExpand: true}\n  \
        3: {TYPE: String, Length: 4, enc: ASCII, prefix: ASCII.Fixed, tag: null}\n";
    let imported = import_yaml(yaml.as_bytes()).unwrap();
    assert_eq!(
        notes(&imported),
        [
            "document: key `version` is not read",
            "field 0: key `colour` is not read",
            "field 1: a second bitmap is read if the first one's first bit is set",
        ]
    );
    assert_eq!(
        (imported.spec.name.as_str(), imported.spec.fields[0].element.name.as_str()),
        ("imported", "field 3")
    );
}

#[test]
fn what_is_wrong_with_a_field_is_said_with_its_number() {
    for (keys, want) in [
        ("length: 3", "field 44: `type` is missing"),
        ("type: String, length: 3, prefix: ASCII.Fixed", "field 44: `enc` is missing"),
        ("type: String, length: 3, enc: ASCII", "field 44: `prefix` is missing"),
        ("type: String, enc: ASCII, prefix: ASCII.Fixed", "field 44: `length` is missing"),
        (
            "type: String, length: many, enc: ASCII, prefix: ASCII.Fixed",
            "field 44: `length` is not a number up to 999999\nfield 44: `length` is missing",
        ),
        ("type: [String], length: 3", "field 44: `type` is not a text\nfield 44: `type` is missing"),
        (
            "type: Emv, length: 3, enc: ASCII, prefix: ASCII.Fixed",
            "field 44: type Emv has no counterpart here",
        ),
        (
            "type: Bitmap, length: 8, enc: Binary, prefix: Binary.Fixed",
            "field 44: `type` is Bitmap, which only field 1 can be",
        ),
        (
            "type: String, length: 3, enc: UTF8, prefix: ASCII.Fixed",
            "field 44: enc UTF8 has no counterpart here",
        ),
        (
            "type: Binary, length: 3, enc: EBCDIC, prefix: ASCII.Fixed",
            "field 44: `enc` EBCDIC with type Binary has no counterpart here",
        ),
        (
            "type: Hex, length: 3, enc: ASCIIToHex, prefix: ASCII.Fixed",
            "field 44: `enc` ASCIIToHex with type Hex has no counterpart here",
        ),
        (
            "type: String, length: 3, enc: BerTLVTag, prefix: ASCII.Fixed",
            "field 44: `enc` BerTLVTag with type String has no counterpart here",
        ),
        (
            "type: String, length: 3, enc: ASCII, prefix: Hex.LLLLL",
            "field 44: prefix Hex.LLLLL has no counterpart here",
        ),
        (
            "type: String, length: 3, enc: ASCII, prefix: Binary.LLLLL",
            "field 44: prefix Binary.LLLLL has no counterpart here",
        ),
        (
            "type: String, length: 3, enc: ASCII, prefix: None.LL",
            "field 44: prefix None.LL has no counterpart here",
        ),
        ("type: String, length: 3, enc: ASCII, prefix: LL", "field 44: prefix LL has no counterpart here"),
        (
            "type: String, length: 3, enc: ASCII, prefix: BerTLV",
            "field 44: `prefix` is BerTLV, which is for what stands behind a BER-TLV tag",
        ),
        (
            "type: String, length: 3, enc: UTF8, prefix: LL",
            "field 44: enc UTF8 has no counterpart here\nfield 44: prefix LL has no counterpart here",
        ),
        (
            "type: String, length: 3, enc: ASCII, prefix: ASCII.LL, subfields: {\"1\": {type: String, length: 1, enc: ASCII, prefix: ASCII.Fixed}}",
            "field 44: `subfields` are for type Composite only",
        ),
    ] {
        assert_eq!(refusals(import_field(keys)).join("\n"), want, "{keys}");
    }
}

#[test]
fn what_is_wrong_with_a_document_is_said_with_its_line() {
    for (yaml, line, want) in [
        ("", None, "document: is empty"),
        ("[1]", Some(1), "document: is not a map of keys and values"),
        ("name: x", Some(1), "document: `fields` is missing"),
        ("name: x\nfields: {}", Some(1), "document: `fields` is missing"),
        (
            "name: x\nfields: 3",
            Some(2),
            "document: `fields` is not a map of keys and values\ndocument: `fields` is missing",
        ),
        (
            "name: x\nfields:\n  3: 4",
            Some(3),
            "field 3: is not a map of keys and values\ndocument: has no field 0, the message type\ndocument: has no field 1, the bitmap",
        ),
        ("a: *b", Some(1), "document: while parsing node, found unknown anchor"),
    ] {
        let error = import_yaml(yaml.as_bytes()).unwrap_err();
        assert_eq!((error.refusals()[0].line, error.to_string().as_str()), (line, want), "{yaml}");
    }
    let error = import_json(b"{\"name\":\n1,}").unwrap_err();
    assert_eq!((error.refusals()[0].line, error.to_string().as_str()), (Some(2), "document: trailing comma"));
}

#[test]
fn a_message_type_or_bitmap_that_is_none_is_refused() {
    let good = [
        "type: String, length: 4, enc: ASCII, prefix: ASCII.Fixed",
        "type: Bitmap, enc: Binary, prefix: Hex.Fixed",
    ];
    for (mti, bitmap, want) in [
        (
            "type: String, length: 3, enc: ASCII, prefix: ASCII.Fixed",
            good[1],
            "field 0: `enc` and `length` do not make a message type of four digits",
        ),
        (good[0], "type: Binary, enc: Binary, prefix: Hex.Fixed", "field 1: `type` is not Bitmap"),
        (
            good[0],
            "type: Bitmap, enc: EBCDIC, prefix: Hex.Fixed",
            "field 1: `enc` is not Binary or HexToASCII, as a bitmap's must be",
        ),
        (
            good[0],
            "type: Bitmap, enc: Binary, length: 16, prefix: Hex.Fixed, disableAutoExpand: true",
            "field 1: `disableAutoExpand` makes one bitmap of other than 64 bits, or hides fields",
        ),
    ] {
        let yaml = format!("fields:\n  0: {{{mti}}}\n  1: {{{bitmap}}}\n");
        assert_eq!(refusals(import_yaml(yaml.as_bytes())), [want]);
    }
    let error = import_yaml(b"fields:\n  x: {}\n  200: {type: String}\n").unwrap_err().to_string();
    assert!(
        error.starts_with("field x: `type` is missing\nfield x: `fields` is not from 0 to 192\n"),
        "{error}"
    );
}
