//! Every class, every nesting and every refusal, on specifications made for it.
//!
//! The bytes were worked out by hand from what the classes of jPOS are
//! documented to write, not by packing with anything here.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::classes::CLASSES;
use super::import;
use crate::import::testing::{message, notes, refusals, value_in};
use crate::import::{ImportError, Imported};
use crate::{BitmapForm, Message, MtiForm, Show, Spec, Tertiary};

/// A document of an ASCII message type, a hex bitmap, and these rows.
fn document(rows: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<isopackager>
  <isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>
  <isofield id="1" length="16" name="bitmap" class="org.jpos.iso.IFA_BITMAP"/>
  {rows}
</isopackager>"#
    )
}

fn import_rows(rows: &str) -> Result<Imported, ImportError> {
    import("test", document(rows).as_bytes())
}

fn field(class: &str, attributes: &str) -> String {
    format!(r#"<isofield id="44" name="x" class="org.jpos.iso.{class}" {attributes}/>"#)
}

/// Class, attributes, the field's bytes, its value.
#[rustfmt::skip] // A table.
const VALUES: &[(&str, &str, &[u8], &str)] = &[
    ("IFA_NUMERIC", "length='6'", b"000042", "000042"),
    ("IFA_AMOUNT", "length='9'", b"D00001234", "D1234"),
    ("IFA_AMOUNT2003", "length='16'", b"9782000000001234", "9782000000001234"),
    ("IFA_BINARY", "length='4'", b"0A1B2C3D", "0A1B2C3D"),
    ("IFA_LCHAR", "length='9'", b"3abc", "abc"),
    ("IFA_LLCHAR", "length='99'", b"03abc", "abc"),
    ("IFA_LLLCHAR", "length='999'", b"003abc", "abc"),
    ("IFA_LLLLCHAR", "length='9999'", b"0003abc", "abc"),
    ("IFA_LLLLLCHAR", "length='99999'", b"00003abc", "abc"),
    ("IFA_LLLLLLCHAR", "length='999999'", b"000003abc", "abc"),
    ("IFA_LLNUM", "length='19'", b"0512345", "12345"),
    ("IFA_LLLNUM", "length='999'", b"00512345", "12345"),
    ("IFA_LLBNUM", "length='99' pad='true'", b"05\x01\x23\x45", "12345"),
    ("IFA_LLBNUM", "length='99' pad='false'", b"05\x12\x34\x50", "12345"),
    ("IFA_LBINARY", "length='9'", b"2\xAB\xCD", "ABCD"),
    ("IFA_LLBINARY", "length='99'", b"02\xAB\xCD", "ABCD"),
    ("IFA_LLLBINARY", "length='999'", b"002\xAB\xCD", "ABCD"),
    ("IFA_LLLLBINARY", "length='9999'", b"0002\xAB\xCD", "ABCD"),
    ("IFA_LLLLLBINARY", "length='99999'", b"00002\xAB\xCD", "ABCD"),
    ("IFA_LLLLLLBINARY", "length='999999'", b"000002\xAB\xCD", "ABCD"),
    ("IFA_LLABINARY", "length='99'", b"02ABCD", "ABCD"),
    ("IFA_LLLABINARY", "length='999'", b"002ABCD", "ABCD"),
    ("IFAE_LLCHAR", "length='99'", b"03\xC1\xC2\xC3", "ABC"),
    ("IFB_NUMERIC", "length='6'", b"\x12\x34\x56", "123456"),
    ("IFB_NUMERIC", "length='5' pad='true'", b"\x01\x23\x45", "12345"),
    ("IFB_NUMERIC", "length='5' pad='false'", b"\x12\x34\x50", "12345"),
    ("IFB_FNUMERIC", "length='5'", b"\x12\x34\x5F", "12345"),
    ("IFB_AMOUNT", "length='9'", b"C\x00\x00\x12\x34", "C1234"),
    ("IFB_AMOUNT", "length='10' pad='true'", b"D\x00\x00\x00\x12\x34", "D1234"),
    ("IFB_AMOUNT2003", "length='16'", b"\x97\x82\x00\x00\x00\x00\x12\x34", "9782000000001234"),
    ("IFB_BINARY", "length='2'", b"\xAB\xCD", "ABCD"),
    ("IFB_HEX", "length='4'", b"\xAB\xCD", "ABCD"),
    ("IFB_LLNUM", "length='19'", b"\x05\x12\x34\x50", "12345"),
    ("IFB_LLNUM", "length='19' pad='true'", b"\x05\x01\x23\x45", "12345"),
    ("IFB_LLLNUM", "length='999'", b"\x00\x05\x12\x34\x50", "12345"),
    ("IFB_FLLNUM", "length='19'", b"\x05\x12\x34\x5F", "12345"),
    ("IFB_FLLLNUM", "length='999'", b"\x00\x05\x12\x34\x5F", "12345"),
    ("IFB_LLCHAR", "length='99'", b"\x03abc", "abc"),
    ("IFB_LLLCHAR", "length='999'", b"\x00\x03abc", "abc"),
    ("IFB_LLLLCHAR", "length='9999'", b"\x00\x03abc", "abc"),
    ("IFB_LLLLLLCHAR", "length='999999'", b"\x00\x00\x03abc", "abc"),
    ("IFB_LLBINARY", "length='99'", b"\x02\xAB\xCD", "ABCD"),
    ("IFB_LLLBINARY", "length='999'", b"\x00\x02\xAB\xCD", "ABCD"),
    ("IFB_LLLLBINARY", "length='9999'", b"\x00\x02\xAB\xCD", "ABCD"),
    ("IFB_LLHEX", "length='49'", b"\x04\xAB\xCD", "ABCD"),
    ("IFB_LLLHEX", "length='499'", b"\x00\x04\xAB\xCD", "ABCD"),
    ("IFB_LLHNUM", "length='255'", b"\x11\x12\x34\x56\x78\x90\x12\x34\x56\x70", "12345678901234567"),
    ("IFB_LLLHNUM", "length='999'", b"\x00\x05\x12\x34\x50", "12345"),
    ("IFB_LLHCHAR", "length='255'", b"\x0Aabcdefghij", "abcdefghij"),
    ("IFB_LLLHCHAR", "length='999'", b"\x00\x03abc", "abc"),
    ("IFB_LLHECHAR", "length='255'", b"\x03\xC1\xC2\xC3", "ABC"),
    ("IFB_LLLHECHAR", "length='999'", b"\x00\x03\xC1\xC2\xC3", "ABC"),
    ("IFB_LLHBINARY", "length='255'", b"\x02\xAB\xCD", "ABCD"),
    ("IFB_LLLHBINARY", "length='999'", b"\x00\x02\xAB\xCD", "ABCD"),
    ("IFE_NUMERIC", "length='4'", b"\xF0\xF0\xF4\xF2", "0042"),
    ("IFE_CHAR", "length='5'", b"\xC1\xD1\xE9\x40\x5A", "AJZ !"),
    ("IFE_AMOUNT", "length='5'", b"\xC4\xF0\xF0\xF1\xF2", "D12"),
    ("IFE_BINARY", "length='2'", b"\xC1\xC2\xF0\xF9", "AB09"),
    ("IFE_LNUM", "length='9'", b"\xF3\xF1\xF2\xF3", "123"),
    ("IFE_LCHAR", "length='9'", b"\xF3\xC1\xC2\xC3", "ABC"),
    ("IFE_LBINARY", "length='9'", b"\xF2\xAB\xCD", "ABCD"),
    ("IFE_LLLLCHAR", "length='9999'", b"\xF0\xF0\xF0\xF3\xC1\xC2\xC3", "ABC"),
    ("IFE_LLLLBINARY", "length='9999'", b"\xF0\xF0\xF0\xF2\xAB\xCD", "ABCD"),
    ("IFE_LLNUM", "length='99'", b"\xF0\xF3\xF1\xF2\xF3", "123"),
    ("IFE_LLLNUM", "length='999'", b"\xF0\xF0\xF3\xF1\xF2\xF3", "123"),
    ("IFE_LLCHAR", "length='99'", b"\xF0\xF3\xC1\xC2\xC3", "ABC"),
    ("IFE_LLLCHAR", "length='999'", b"\xF0\xF0\xF3\xC1\xC2\xC3", "ABC"),
    ("IFE_LLBINARY", "length='99'", b"\xF0\xF2\xAB\xCD", "ABCD"),
    ("IFE_LLLBINARY", "length='999'", b"\xF0\xF0\xF2\xAB\xCD", "ABCD"),
    ("IFE_LLLEBINARY", "length='999'", b"\xF0\xF0\xF3\xC1\xC2\xC3", "ABC"),
    ("IFE_SIGNED_NUMERIC", "length='3'", b"\xF0\xF4\xD2", "04K"),
    ("IFEA_LLCHAR", "length='99'", b"\xF0\xF3abc", "abc"),
    ("IFEB_LLNUM", "length='99'", b"\xF0\xF3\x12\x34\x5F", "12345"),
    ("IFEB_LLNUM", "length='99'", b"\xF0\xF2\x12\x34", "1234"),
    ("IFEB_LLLNUM", "length='99'", b"\xF0\xF0\xF3\x12\x34\x5F", "12345"),
    ("IF_CHAR", "length='3'", b"abc", "abc"),
    ("IF_ECHAR", "length='3'", b"\xC1\xC2\xC3", "ABC"),
];

/// Class, packager, the subfield's attributes, the field's bytes behind its
/// length, the path of its subfield; the value is `AB` or 4142.
#[rustfmt::skip] // A table.
const TAGGED: &[(&str, &str, &str, &[u8], &str)] = &[
    ("IFA_TTLCHAR", TAGGED_FIELDS, "id='7'", b"072AB", "48.07"),
    ("IFA_TTLLCHAR", TAGGED_FIELDS, "id='7'", b"0702AB", "48.07"),
    ("IFA_TTLLLCHAR", TAGGED_FIELDS, "id='7'", b"07002AB", "48.07"),
    ("IFA_TTLLLLCHAR", TAGGED_FIELDS, "id='7'", b"070002AB", "48.07"),
    ("IFA_TTTLLLCHAR", TAGGED_FIELDS, "id='7'", b"007002AB", "48.007"),
    ("IFA_TTLBINARY", TAGGED_FIELDS, "id='7'", b"072AB", "48.07"),
    ("IFA_TTLLBINARY", TAGGED_FIELDS, "id='7'", b"0702AB", "48.07"),
    ("IFA_TTLLLBINARY", TAGGED_FIELDS, "id='7'", b"07002AB", "48.07"),
    ("IFA_TTLLLLBINARY", TAGGED_FIELDS, "id='7'", b"070002AB", "48.07"),
    ("IFMC_LLCHAR", EURO, "id='42'", b"4202AB", "48.42"),
    ("IFMC_LLLCHAR", EURO, "id='42'", b"42002AB", "48.42"),
    ("IFMC_LLBINARY", EURO, "id='42'", b"4202AB", "48.42"),
    ("IFEPE_LLBINARY", MASTERCARD, "id='42'", b"\xF4\xF2\xF0\xF2AB", "48.42"),
    ("IFIPM_LLLCHAR", EURO, "id='158'", b"0158002AB", "48.PDS0158"),
    ("IFEMC_LLCHAR", EURO, "id='42'", b"42\xF0\xF2\xC1\xC2", "48.42"),
    ("IFEMC_LLLCHAR", EURO, "id='42'", b"\xF0\xF0\xF4\xF2\xF0\xF0\xF2\xC1\xC2", "48.PDS0042"),
    ("IFEPE_LLCHAR", MASTERCARD, "id='42'", b"\xF4\xF2\xF0\xF2\xC1\xC2", "48.42"),
    ("IFEPE_LLLCHAR", MASTERCARD, "id='42'", b"\xF0\xF4\xF2\xF0\xF0\xF2\xC1\xC2", "48.042"),
    ("IFTA_LLCHAR", SEQUENCE, "id='1' token='K9'", b"K902AB", "48.K9"),
    ("IFTA_LLLCHAR", SEQUENCE, "id='1' token='K9'", b"K9002AB", "48.K9"),
    ("IFTA_LLBINARY", SEQUENCE, "id='1' token='K9'", b"K902AB", "48.K9"),
    ("IFTA_LLLBINARY", SEQUENCE, "id='1' token='K9'", b"K9002AB", "48.K9"),
    ("IFTA_LLNUM", SEQUENCE, "id='1' token='K9'", b"K90212", "48.K9"),
    ("IFTA_LLLNUM", SEQUENCE, "id='1' token='K9'", b"K900212", "48.K9"),
];

const TAGGED_FIELDS: &str =
    "org.jpos.iso.packager.GenericTaggedFieldsPackager' tagMapper='org.jpos.iso.packager.TTDecimalTagMapper";
const EURO: &str = "org.jpos.iso.packager.EuroSubFieldPackager";
const MASTERCARD: &str = "org.jpos.iso.packager.MasterCardEBCDICSubFieldPackager";
const SEQUENCE: &str = "org.jpos.tlv.packager.TaggedSequencePackager";

/// Class and why it is refused.
#[rustfmt::skip] // A table.
const REFUSED: &[(&str, &str)] = &[
    ("IF_TCHAR", "its value ends at a mark and not after a length"),
    ("IF_FSTCHAR", "its value ends at a mark and not after a length"),
    ("IF_FSTBINARY", "its value ends at a mark and not after a length"),
    ("IFEP_LLCHAR", "its length stands in front of its tag"),
    ("IFEP_LLLBINARY", "its length stands in front of its tag"),
    ("IFEP_LLLCHAR", "its length stands in front of its tag"),
    ("IFELPE_LLLCHAR", "its length stands in front of its tag"),
];

/// Classes that the tests below and in `composite_tests` are about: bitmaps, fields without bytes, filled values.
const OTHERS: &[&str] = &[
    "IFA_BITMAP",
    "IFB_BITMAP",
    "IFE_BITMAP",
    "IF_NOP",
    "IF_UNUSED",
    "packager.Base1_BITMAP126",
    "IFA_FLLCHAR",
    "IFA_FLLNUM",
    "IFB_LLHFBINARY",
];

#[test]
fn a_field_of_each_class_reads_as_jpos_writes_it() {
    for (class, attributes, wire, want) in VALUES {
        let imported =
            import_rows(&field(class, attributes)).unwrap_or_else(|error| panic!("{class}: {error}"));
        assert_eq!(value_in(&imported, "44", wire), *want, "{class} {attributes}");
        assert_eq!(notes(&imported), [""; 0], "{class}");
    }
}

#[test]
fn a_subfield_of_each_tagged_class_is_found_by_its_tag() {
    for (class, packager, attributes, wire, path) in TAGGED {
        let package = if class.starts_with("IFTA") { "org.jpos.tlv.packager" } else { "org.jpos.iso" };
        let rows = format!(
            "<isofieldpackager id='48' length='999' name='x' class='org.jpos.iso.IFA_LLLBINARY' packager='{packager}'>
             <isofield {attributes} length='99' name='y' class='{package}.{class}'/></isofieldpackager>"
        );
        let imported = import_rows(&rows).unwrap_or_else(|error| panic!("{class}: {error}"));
        let field = [format!("{:03}", wire.len()).as_bytes(), wire].concat();
        let want = match *class {
            class if class.ends_with("BINARY") => "4142",
            class if class.ends_with("NUM") => "12",
            _ => "AB",
        };
        assert_eq!(value_in(&imported, path, &field), want, "{class}");
    }
}

#[test]
fn a_filled_value_is_a_count_and_the_value_with_its_filler() {
    for (class, wire, count, value) in [
        ("IFA_FLLCHAR", &b"03abc  "[..], "03", "abc  "),
        ("IFA_FLLNUM", b"0242   ", "02", "42   "),
        ("IFB_LLHFBINARY", b"\x02\xAB\xCD\0\0\0", "2", "ABCD000000"),
    ] {
        let imported = import_rows(&field(class, "length='5'")).unwrap();
        assert_eq!(value_in(&imported, "44.1", wire), count, "{class}");
        assert_eq!(value_in(&imported, "44.2", wire), value, "{class}");
        assert_eq!(
            notes(&imported),
            ["field 44: is two parts: how much of the value means anything, and the value with its filler"]
        );
    }
}

#[test]
fn a_class_that_cannot_be_said_is_refused_with_its_reason() {
    for (class, why) in REFUSED {
        let want = format!("field 44: class org.jpos.iso.{class} has no counterpart here: {why}");
        assert_eq!(refusals(import_rows(&field(class, "length='10'"))), [want]);
    }
}

#[test]
fn every_class_of_the_table_has_its_row_in_a_test_and_in_the_document() {
    let document = include_str!("../../../IMPORT.md");
    let tested: BTreeSet<&str> = (VALUES.iter().map(|row| row.0))
        .chain(TAGGED.iter().map(|row| row.0))
        .chain(REFUSED.iter().map(|row| row.0))
        .chain(OTHERS.iter().copied())
        .collect();
    let known: BTreeSet<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
    assert_eq!(tested, known);
    for class in known {
        assert!(document.contains(&format!("`{class}`")), "IMPORT.md does not name {class}");
    }
}

#[test]
fn the_envelope_is_read_from_fields_0_and_1() {
    for (mti, bitmap, length, want) in [
        ("IFA_NUMERIC", "IFA_BITMAP", 16, (MtiForm::Ascii, BitmapForm::Hex, Tertiary::None)),
        ("IF_CHAR", "IFB_BITMAP", 8, (MtiForm::Ascii, BitmapForm::Binary, Tertiary::None)),
        ("IFB_NUMERIC", "IFB_BITMAP", 16, (MtiForm::Bcd, BitmapForm::Binary, Tertiary::None)),
        ("IFB_NUMERIC", "IFB_BITMAP", 24, (MtiForm::Bcd, BitmapForm::Binary, Tertiary::Head)),
        ("IFE_NUMERIC", "IFE_BITMAP", 16, (MtiForm::Ebcdic, BitmapForm::HexEbcdic, Tertiary::None)),
    ] {
        let xml = format!(
            "<isopackager><isofield id='0' length='4' name='' class='org.jpos.iso.{mti}'/>
             <isofield id='1' length='{length}' name='' class='org.jpos.iso.{bitmap}'/></isopackager>"
        );
        let spec = import("test", xml.as_bytes()).unwrap().spec;
        assert_eq!((spec.mti, spec.bitmap, spec.tertiary), want, "{mti} {bitmap} {length}");
    }
}

#[test]
fn an_ebcdic_message_reads_from_its_first_byte() {
    let xml = "<isopackager>
        <isofield id='0' length='4' name='MTI' class='org.jpos.iso.IFE_NUMERIC'/>
        <isofield id='1' length='16' name='bitmap' class='org.jpos.iso.IFE_BITMAP'/>
        <isofield id='39' length='2' name='answer' class='org.jpos.iso.IFE_CHAR'/></isopackager>";
    let spec = Spec::compile(&import("test", xml.as_bytes()).unwrap().spec).unwrap();
    let wire = b"\xF0\xF2\xF1\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF2\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0";
    let message = Message::decode(&spec, wire).unwrap();
    assert_eq!(message.mti().to_string(), "0210");
    assert!(message.element(39).unwrap().is_text(b"00"));
}

#[test]
fn a_third_bitmap_stands_in_the_head_or_in_field_65() {
    let rows = "<isofield id='65' length='8' name='bitmap' class='org.jpos.iso.IFB_BITMAP'/>
        <isofield id='130' length='2' name='x' class='org.jpos.iso.IF_CHAR'/>";
    let in_head = document(rows).replace("length=\"16\"", "length=\"24\"");
    let imported = import("test", in_head.as_bytes()).unwrap();
    assert_eq!(imported.spec.tertiary, Tertiary::Head);
    assert_eq!(notes(&imported), ["field 65: is left out: its bit promises the third bitmap"]);
    let bytes = b"02008000000000000000800000000000000040000000000000004142";
    let spec = Spec::compile(&imported.spec).unwrap();
    assert!(Message::decode(&spec, &bytes[..54]).unwrap().element(130).unwrap().is_text(b"41"));

    let in_field = document(rows).replace("<isopackager>", "<isopackager thirdBitmapField='65'>");
    let imported = import("test", in_field.as_bytes()).unwrap();
    assert_eq!(imported.spec.tertiary, Tertiary::Field);
    assert_eq!(notes(&imported), [""; 0]);

    let without = import_rows(rows).unwrap();
    assert_eq!(without.spec.tertiary, Tertiary::None);
    assert_eq!(notes(&without), ["field 130: is left out: there is no third bitmap to promise it"]);
    assert_eq!(value_in(&without, "65", b"\x01\x02\x03\x04\x05\x06\x07\x08"), "0102030405060708");
}

#[test]
fn tracks_in_classes_of_digits_keep_their_separator() {
    let row = |id, class| format!("<isofield id='{id}' length='37' name='x' class='org.jpos.iso.{class}'/>");
    let ascii = import_rows(&row(35, "IFA_LLNUM")).unwrap();
    assert_eq!(value_in(&ascii, "35", b"094111=2512"), "4111=2512");
    let packed = import_rows(&row(36, "IFB_LLNUM")).unwrap();
    assert_eq!(value_in(&packed, "36", b"\x09\x41\x11\xD2\x51\x20"), "4111=2512");
    let error = value_error(&import_rows(&row(44, "IFA_LLNUM")).unwrap(), 44, b"0411=1");
    assert_eq!(error, "DE 44 at byte 24: not a digit");
}

fn value_error(imported: &Imported, number: u8, field: &[u8]) -> String {
    let spec = Spec::compile(&imported.spec).unwrap();
    Message::decode(&spec, &message(number, field)).unwrap_err().to_string()
}

#[test]
fn nothing_is_shown_that_the_standard_does_not_make_harmless() {
    let rows: String = [
        (2, "IFA_LLNUM", 19),
        (3, "IFA_NUMERIC", 6),
        (14, "IFA_NUMERIC", 4),
        (35, "IFA_LLNUM", 37),
        (44, "IFA_LLCHAR", 25),
        (48, "IFA_LLLCHAR", 999),
        (52, "IFA_BINARY", 8),
    ]
    .map(|(id, class, length)| {
        format!("<isofield id='{id}' length='{length}' name='x' class='org.jpos.iso.{class}'/>")
    })
    .concat();
    let spec = import_rows(&rows).unwrap().spec;
    let shown: Vec<_> = spec.fields.iter().map(|field| (field.number, field.element.show)).collect();
    let want = [
        (2, Show::Pan),
        (3, Show::Clear),
        (14, Show::Secret),
        (35, Show::Track),
        (44, Show::Secret),
        (48, Show::Secret),
        (52, Show::Secret),
    ];
    assert_eq!(shown, want.map(|(number, show)| (number, Some(show))));
}

#[test]
fn what_means_less_here_is_noted() {
    let rows = "<isofield id='5' length='0' name='' class='org.jpos.iso.IF_NOP' colour='red'/>
        <isofield id='6' length='0' name='a' class='org.jpos.iso.IFA_LLCHAR'/>
        <isofield id='8' length='3' name='a' class='org.jpos.iso.IF_UNUSED'/>
        <isofield id='7' length='3' name='a' class='org.jpos.iso.IF_CHAR'/>
        <isofield id='7' length='4' name='b' class='org.jpos.iso.IF_CHAR' trim='true'/>
        <isofield id='100' length='4' name='b' class='org.jpos.iso.IF_CHAR'/>
        <include/>";
    let xml = document(rows)
        .replace("<isopackager>", "<isopackager maxValidField='64' headerLength='5' emitBitmap='true'>");
    let imported = import("", xml.as_bytes()).unwrap();
    assert_eq!(
        notes(&imported),
        [
            "field 7: is given twice: the last one counts",
            "field 100: is left out: it is above `maxValidField`",
            "document: element `include` is not read",
            "field 5: attribute `colour` is not read",
            "document: fields 5, 6, 8 have no bytes (IF_NOP, IF_UNUSED, length 0) and are left out",
        ]
    );
    assert_eq!(imported.spec.name, "imported");
    assert_eq!(imported.spec.header.as_ref().map(|header| header.to_string()).as_deref(), Some("opaque:5"));
    let fields: Vec<_> =
        imported.spec.fields.iter().map(|field| (field.number, field.element.name.as_str())).collect();
    assert_eq!(fields, [(7, "b")]);
}

#[test]
fn a_length_beyond_its_prefix_is_what_the_prefix_can_say() {
    for (class, attributes, longest) in
        [("IFA_LLCHAR", "length='255'", 99), ("IFB_LLHCHAR", "length='256'", 255)]
    {
        let imported = import_rows(&field(class, attributes)).unwrap();
        assert_eq!(
            notes(&imported),
            [format!("field 44: `length` is {longest}, the most its class can say")]
        );
        let spec = Spec::compile(&imported.spec).unwrap();
        assert_eq!(spec.field(44).unwrap().max(), longest);
    }
}

#[test]
fn an_imported_specification_can_be_written_and_read_again() {
    let rows: String = VALUES
        .iter()
        .zip(2..65)
        .map(|((class, attributes, ..), id)| {
            format!("<isofield id='{id}' name='{class}' class='org.jpos.iso.{class}' {attributes}/>")
        })
        .collect();
    let spec = import_rows(&rows).unwrap().spec;
    assert_eq!(crate::SpecFile::from_toml(&spec.to_toml()).unwrap(), spec);
}

/// Rows of a document and every refusal that comes of them.
#[rustfmt::skip] // A table.
const BROKEN: &[(&str, &[&str])] = &[
    ("<isofield/>", &["document: `id` is missing"]),
    ("<isofield id='x'/>", &["field x: `id` is not from 0 to 192"]),
    ("<isofield id='193'/>", &["field 193: `id` is not from 0 to 192"]),
    ("<isofield id='48'/>", &["field 48: `class` is missing"]),
    ("<isofield id='48' class='org.jpos.iso.IF_CHAR'/>", &["field 48: `length` is missing"]),
    ("<isofield id='48' class='org.jpos.iso.IFB_BITMAP' length='0'/>", &["field 48: `length` is not from 1 to 999999"]),
    ("<isofield id='48' class='org.jpos.iso.IF_CHAR' length='-3'/>", &["field 48: `length` is not from 1 to 999999"]),
    ("<isofield id='48' class='org.jpos.iso.IF_CHAR' length='3' params='a'/>", &["field 48: `params` has no counterpart here"]),
    ("<isofield id='48' class='org.jpos.iso.IF_TBASE' length='3'/>", &["field 48: class org.jpos.iso.IF_TBASE has no counterpart here"]),
    ("<isofield id='48' class='com.acme.IF_CHAR' length='3'/>", &["field 48: class com.acme.IF_CHAR has no counterpart here"]),
    ("<isofield id='48' class='IF_CHAR' length='3'/>", &["field 48: class IF_CHAR has no counterpart here"]),
    ("<isofield id='48' class='org.jpos.iso.IF_\u{1B}[31m' length='3'/>", &["field 48: class org.jpos.iso.IF_\\u{1b}[31m has no counterpart here"]),
    ("<isofield id='48' class='org.jpos.iso.IFB_HEX' length='5'/>", &["field 48: `length` ends inside a byte"]),
    ("<isofield id='48' class='org.jpos.iso.IFB_BITMAP' length='8'/>", &["field 48: `class` is that of a bitmap, which only fields 1 and 65 can be"]),
    ("<isofield id='48' class='org.jpos.iso.IFA_TTLLCHAR' length='8'/>", &["field 48: class org.jpos.iso.IFA_TTLLCHAR is for subfields only"]),
    ("<isofield id='0' class='org.jpos.iso.IFA_NUMERIC' length='5'/>", &["field 0: `class` and `length` do not make a message type of four digits"]),
    ("<isofield id='1' class='org.jpos.iso.IFA_NUMERIC' length='5'/>", &["field 1: `class` is not that of a bitmap"]),
    ("<isofield id='1' class='org.jpos.iso.IFB_BITMAP' length='4'/>", &["field 1: `length` of a bitmap is not from 8 to 32"]),
    // Not only the first.
    ("<isofield id='3' class='a.B' length='6'/><isofield id='4'/><isofield id='5' class='org.jpos.iso.IF_TBASE' length='6'/>", &[
        "field 3: class a.B has no counterpart here",
        "field 4: `class` is missing",
        "field 5: class org.jpos.iso.IF_TBASE has no counterpart here",
    ]),
];

#[test]
fn what_is_wrong_with_a_row_is_said_with_its_field() {
    for (rows, want) in BROKEN {
        assert_eq!(refusals(import_rows(rows)), *want, "{rows}");
    }
}

#[test]
fn what_is_wrong_with_a_document_is_said_with_its_line() {
    for (xml, line, want) in [
        ("", 1, "document: has no element"),
        ("<a/>", 1, "document: has no `isopackager` as its outermost element"),
        ("\n<isopackager>\n<isofield>\n</isopackager>", 4, "document: closes another element than it opened"),
        (
            "<isopackager/>",
            1,
            "document: has no field 0, the message type\ndocument: has no field 1, the bitmap",
        ),
    ] {
        let error = import("test", xml.as_bytes()).unwrap_err();
        assert_eq!((error.refusals()[0].line, error.to_string().as_str()), (Some(line), want), "{xml}");
    }
}

#[test]
fn an_attribute_of_the_head_that_has_no_counterpart_is_refused() {
    for (attribute, want) in [
        ("emitBitmap='false'", "document: `emitBitmap` is false: a message here has a bitmap"),
        ("bitmapField='0'", "document: `bitmapField` is not 1, as in every message here"),
        ("firstField='1'", "document: `firstField` is not 2, as in every message here"),
        ("thirdBitmapField='66'", "document: `thirdBitmapField` is not 65, where the standard puts it"),
        ("maxValidField='many'", "document: `maxValidField` is no number"),
    ] {
        let xml = document("").replace("<isopackager>", &format!("<isopackager {attribute}>"));
        assert_eq!(refusals(import("test", xml.as_bytes())), [want]);
    }
}
