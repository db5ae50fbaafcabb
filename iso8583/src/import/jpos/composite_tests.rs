//! Fields of subfields: every packager, on specifications made for it.
//!
//! The bytes were worked out by hand from what the packagers of jPOS are
//! documented to write.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::import;
use crate::Show;
use crate::import::testing::{notes, refusals, value_in};
use crate::import::{ImportError, Imported};

/// A document of an ASCII message type, a hex bitmap, and these rows.
fn import_rows(rows: &str) -> Result<Imported, ImportError> {
    let xml = format!(
        "<isopackager><isofield id='0' length='4' name='MTI' class='org.jpos.iso.IFA_NUMERIC'/>
         <isofield id='1' length='16' name='bitmap' class='org.jpos.iso.IFA_BITMAP'/>{rows}</isopackager>"
    );
    import("test", xml.as_bytes())
}

/// A field of subfields: its class and length, its packager and what belongs to
/// that, its rows as `id class length`.
fn composite(id: u8, class: &str, length: u16, packager: &str, rows: &[(u8, &str, u16)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(id, class, length)| {
            format!("<isofield id='{id}' name='s{id}' class='org.jpos.iso.{class}' length='{length}'/>")
        })
        .collect();
    format!(
        "<isofieldpackager id='{id}' name='f{id}' class='org.jpos.iso.{class}' length='{length}' packager='{packager}>{rows}</isofieldpackager>"
    )
}

const POSITIONAL: &str = "org.jpos.iso.packager.GenericSubFieldPackager' emitBitmap='false'";
const BY_BITMAP: &str = "org.jpos.iso.packager.GenericSubFieldPackager' bitmapField='0'";
const BASE1: &str = "org.jpos.iso.packager.Base1SubFieldPackager'";
const EURO: &str = "org.jpos.iso.packager.EuroSubFieldPackager'";

#[test]
fn positional_subfields_read_one_behind_the_other() {
    let rows =
        composite(43, "IF_CHAR", 10, POSITIONAL, &[(1, "IF_CHAR", 5), (2, "IF_CHAR", 3), (3, "IF_CHAR", 2)]);
    let imported = import_rows(&rows).unwrap();
    for (path, want) in [("43", "SHOP CITCH"), ("43.1", "SHOP "), ("43.2", "CIT"), ("43.3", "CH")] {
        assert_eq!(value_in(&imported, path, b"SHOP CITCH"), want);
    }
    assert_eq!(notes(&imported), [""; 0]);
}

#[test]
fn subfields_numbered_from_0_or_with_gaps_are_numbered_from_1() {
    let packager = format!("{POSITIONAL} firstField='0'");
    let rows = composite(
        21,
        "IFB_BINARY",
        6,
        &packager,
        &[(0, "IF_CHAR", 1), (2, "IFB_NUMERIC", 4), (3, "IFB_BINARY", 3)],
    );
    let imported = import_rows(&rows).unwrap();
    let wire = b"Y\x12\x34\xAA\xBB\xCC";
    assert_eq!(value_in(&imported, "21.1", wire), "Y");
    assert_eq!(value_in(&imported, "21.2", wire), "1234");
    assert_eq!(value_in(&imported, "21.3", wire), "AABBCC");
    assert_eq!(notes(&imported), ["field 21.0: is field 21.1 here"]);

    // Without `firstField`, jPOS never reads row 0. Often that says itself that it is nothing.
    let rows =
        composite(43, "IF_CHAR", 1, POSITIONAL, &[(0, "IF_NOP", 0), (1, "IF_CHAR", 1), (2, "IF_CHAR", 1)]);
    assert_eq!(notes(&import_rows(&rows).unwrap()), [""; 0]);
    let rows = composite(21, "IF_CHAR", 1, POSITIONAL, &[(0, "IF_CHAR", 1), (1, "IF_CHAR", 1)]);
    assert_eq!(notes(&import_rows(&rows).unwrap()), ["field 21.0: is left out: it is below `firstField`"]);
}

#[test]
fn a_whole_packager_inside_a_field_begins_with_row_0() {
    let packager = "org.jpos.iso.packager.GenericPackager' emitBitmap='false'";
    let rows = composite(48, "IFA_LLLCHAR", 99, packager, &[(0, "IF_CHAR", 1), (1, "IF_CHAR", 2)]);
    assert_eq!(value_in(&import_rows(&rows).unwrap(), "48.2", b"003abc"), "bc");
    let packager = "org.jpos.iso.packager.GenericPackager'";
    let rows = composite(48, "IFA_LLLCHAR", 99, packager, &[(0, "IFA_NUMERIC", 4), (1, "IFB_BITMAP", 8)]);
    let want = "field 48: `packager` reads a whole message inside a field, which has no counterpart here";
    assert_eq!(refusals(import_rows(&rows)), [want]);
}

#[test]
fn a_bitmap_says_which_subfields_follow() {
    for packager in [BY_BITMAP, BASE1] {
        let rows = [
            (0, "IFB_BITMAP", 2),
            (1, "IF_CHAR", 1),
            (9, "IFB_NUMERIC", 4),
            (16, "IF_CHAR", 2),
            (17, "IF_CHAR", 2),
        ];
        let imported = import_rows(&composite(62, "IFB_LLBINARY", 99, packager, &rows)).unwrap();
        // Bits 9 and 16.
        let wire = b"\x06\x00\x81\x12\x34zz";
        assert_eq!(value_in(&imported, "62.9", wire), "1234");
        assert_eq!(value_in(&imported, "62.16", wire), "zz");
        assert_eq!(notes(&imported), ["field 62.17: is left out: no bit of the bitmap promises it"]);
    }
}

#[test]
fn a_bitmap_of_sixteen_bytes_is_eight_until_its_first_bit_is_set() {
    let rows = [(1, "IFB_BITMAP", 16), (2, "IF_CHAR", 1), (66, "IF_CHAR", 1)];
    let packager = "org.jpos.iso.packager.GenericSubFieldPackager'";
    let imported = import_rows(&composite(62, "IFB_LLBINARY", 99, packager, &rows)).unwrap();
    assert_eq!(value_in(&imported, "62.2", b"\x09\x40\0\0\0\0\0\0\0a"), "a");
    assert_eq!(value_in(&imported, "62.66", b"\x18\xC0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0ab"), "b");
}

#[test]
fn the_first_bit_of_a_bitmap_may_promise_a_field() {
    let rows = [(0, "packager.Base1_BITMAP126", 16), (1, "IFE_CHAR", 2), (64, "IFB_NUMERIC", 2)];
    let imported = import_rows(&composite(126, "IFB_LLHBINARY", 255, BASE1, &rows)).unwrap();
    let wire = b"\x0B\x80\0\0\0\0\0\0\x01\xC1\xC2\x42";
    assert_eq!(value_in(&imported, "126.1", wire), "AB");
    assert_eq!(value_in(&imported, "126.64", wire), "42");
}

#[test]
fn a_hex_bitmap_is_one_too() {
    let imported =
        import_rows(&composite(62, "IFA_LLCHAR", 99, BY_BITMAP, &[(0, "IFA_BITMAP", 8), (64, "IF_CHAR", 1)]))
            .unwrap();
    assert_eq!(value_in(&imported, "62.64", b"170000000000000001a"), "a");
}

#[test]
fn composites_nest() {
    let inner = composite(2, "IFA_LLCHAR", 20, POSITIONAL, &[(1, "IF_CHAR", 1), (2, "IFA_LLCHAR", 9)]);
    let rows = format!(
        "<isofieldpackager id='48' name='f' class='org.jpos.iso.IFA_LLLCHAR' length='99' packager='{POSITIONAL}>
         <isofield id='1' name='a' class='org.jpos.iso.IF_CHAR' length='2'/>{inner}</isofieldpackager>"
    );
    let imported = import_rows(&rows).unwrap();
    assert_eq!(value_in(&imported, "48.2.2", b"010ab06x03xyz"), "xyz");
}

#[test]
fn subfields_of_ascii_classes_in_an_ebcdic_field_are_ebcdic_on_the_wire() {
    let imported = import_rows(&composite(
        48,
        "IFE_LLLCHAR",
        99,
        POSITIONAL,
        &[(1, "IFA_NUMERIC", 2), (2, "IFA_LLCHAR", 9)],
    ))
    .unwrap();
    let wire = b"\xF0\xF0\xF6\xF4\xF2\xF0\xF2\xC1\xC2";
    assert_eq!(value_in(&imported, "48.1", wire), "42");
    assert_eq!(value_in(&imported, "48.2", wire), "AB");
    let tagged = import_rows(&composite(48, "IFE_LLLCHAR", 99, EURO, &[(42, "IFMC_LLCHAR", 9)])).unwrap();
    assert_eq!(value_in(&tagged, "48.42", b"\xF0\xF0\xF6\xF4\xF2\xF0\xF2\xC1\xC2"), "AB");
    let bitmap = [(0, "IFA_BITMAP", 8), (64, "IF_CHAR", 1)];
    let by_bitmap = import_rows(&composite(48, "IFE_LLCHAR", 99, BY_BITMAP, &bitmap)).unwrap();
    let wire = b"\xF1\xF7\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF0\xF1\x81";
    assert_eq!(value_in(&by_bitmap, "48.64", wire), "a");
}

#[test]
fn subfields_of_a_packed_field_share_its_bytes() {
    let rows = [(1, "IFA_NUMERIC", 2), (2, "IFA_NUMERIC", 1), (3, "IF_CHAR", 3)];
    let imported = import_rows(&composite(3, "IFB_NUMERIC", 6, POSITIONAL, &rows)).unwrap();
    for (path, want) in [("3.1", "12"), ("3.2", "3"), ("3.3", "456")] {
        assert_eq!(value_in(&imported, path, b"\x12\x34\x56"), want);
    }
}

#[test]
fn tags_of_a_sequence_may_be_words_and_unknown_ones_are_kept() {
    let rows = "<isofieldpackager id='60' name='f' class='org.jpos.iso.IFA_LLLCHAR' length='99'
         token='##' packager='org.jpos.tlv.packager.TaggedSequencePackager'>
         <isofield id='1' token='##' name='other' class='org.jpos.tlv.packager.IFTA_LLCHAR' length='9'/>
         <isofield id='2' token='ab' name='a' class='org.jpos.tlv.packager.IFTA_LLCHAR' length='9'/></isofieldpackager>";
    let imported = import_rows(rows).unwrap();
    let wire = b"013AB03xyzQQ02hi";
    assert_eq!(value_in(&imported, "60.AB", wire), "xyz");
    assert_eq!(value_in(&imported, "60.QQ", wire), "6869");
}

#[test]
fn subfields_of_a_field_in_hex_are_those_of_its_bytes() {
    let rows = [(1, "IFB_NUMERIC", 4), (2, "IFA_NUMERIC", 2), (3, "IFB_LLCHAR", 9), (4, "IFB_BINARY", 1)];
    for (class, wire) in [
        ("IFA_LLLABINARY", b"0081234343202616BFF".to_vec()),
        ("IFA_BINARY", b"1234343202616BFF".to_vec()),
        (
            "IFE_BINARY",
            b"1234343202616BFF".iter().map(|&character| crate::charset::from_ascii(character)).collect(),
        ),
    ] {
        let imported = import_rows(&composite(48, class, 8, POSITIONAL, &rows)).unwrap();
        for (path, want) in [("48.1", "1234"), ("48.2", "42"), ("48.3", "ak"), ("48.4", "FF")] {
            assert_eq!(value_in(&imported, path, &wire), want, "{class}");
        }
    }
    let by_bitmap = composite(48, "IFA_LLABINARY", 99, BY_BITMAP, &[(0, "IFB_BITMAP", 1), (8, "IF_CHAR", 1)]);
    assert_eq!(value_in(&import_rows(&by_bitmap).unwrap(), "48.8", b"020161"), "a");
}

fn ascii_hex() -> String {
    "org.jpos.tlv.packager.bertlv.BERTLVAsciiHexPackager'".to_owned()
}

#[test]
fn objects_may_stand_in_hex_characters() {
    let ebcdic_hex = "org.jpos.tlv.packager.bertlv.BERTLVEbcdicHexPackager'";
    for (class, packager, wire) in [
        ("IFA_LLLCHAR", &*ascii_hex(), &b"0109F2602ABCD"[..]),
        ("IFA_LLLBINARY", &*ascii_hex(), b"0109F2602ABCD"),
        ("IFE_LLLCHAR", &*ascii_hex(), b"\xF0\xF1\xF0\xF9\xC6\xF2\xF6\xF0\xF2\xC1\xC2\xC3\xC4"),
        ("IFB_LLBINARY", ebcdic_hex, b"\x10\xF9\xC6\xF2\xF6\xF0\xF2\xC1\xC2\xC3\xC4"),
    ] {
        let imported = import_rows(&composite(55, class, 98, packager, &[])).unwrap();
        assert_eq!(value_in(&imported, "55.9F26", wire), "ABCD", "{class}");
    }
}

#[test]
fn objects_and_data_sets_need_no_rows() {
    for packager in
        ["org.jpos.tlv.packager.bertlv.BERTLVBinaryPackager'", "org.jpos.iso.packager.ICCDataPackager'"]
    {
        let imported = import_rows(&composite(55, "IFB_LLLLBINARY", 9999, packager, &[])).unwrap();
        assert_eq!(value_in(&imported, "55.9F26", b"\x00\x08\x9F\x26\x02\xAB\xCD\x95\x01\x00"), "ABCD");
    }
    let dataset = "org.jpos.iso.packager.DatasetPackager'";
    let imported =
        import_rows(&composite(34, "IFB_LLLLBINARY", 9999, dataset, &[(2, "IF_CHAR", 3)])).unwrap();
    assert_eq!(value_in(&imported, "34.01", b"\x00\x06\x01\x00\x03\x80\x01\xAA"), "8001AA");
    assert_eq!(notes(&imported), ["field 34: its subfields are left out: they name no tags"]);
}

#[test]
fn parts_are_hidden_unless_the_whole_is_harmless() {
    let rows = composite(3, "IFA_NUMERIC", 6, POSITIONAL, &[(1, "IFA_NUMERIC", 6)])
        + &composite(48, "IFA_LLLCHAR", 99, POSITIONAL, &[(1, "IF_CHAR", 6)]);
    let spec = import_rows(&rows).unwrap().spec;
    let shown: Vec<_> = spec
        .fields
        .iter()
        .map(|field| (field.number, field.element.composite.as_ref().unwrap().parts[0].element.show))
        .collect();
    assert_eq!(shown, [(3, Some(Show::Clear)), (48, Some(Show::Secret))]);
}

#[test]
fn what_is_wrong_with_subfields_is_said_with_their_path() {
    let char_part: &[(u8, &str, u16)] = &[(1, "IF_CHAR", 1)];
    for (rows, want) in [
        (
            composite(48, "IFA_LLLCHAR", 99, "com.acme.Packager'", char_part),
            "field 48: packager com.acme.Packager has no counterpart here",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, "org.jpos.iso.packager.CTCSubFieldPackager'", char_part),
            "field 48: packager org.jpos.iso.packager.CTCSubFieldPackager has no counterpart here",
        ),
        (
            "<isofieldpackager id='48' class='org.jpos.iso.IF_CHAR' length='3'/>".to_owned(),
            "field 48: `packager` is missing",
        ),
        (composite(48, "IFA_LLLCHAR", 99, POSITIONAL, &[]), "field 48: has no subfields"),
        (
            composite(48, "IFA_LLLCHAR", 99, POSITIONAL, &[(3, "IF_TBASE", 1)]),
            "field 48.3: class org.jpos.iso.IF_TBASE has no counterpart here\nfield 48: has no subfields",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, POSITIONAL, &[(1, "IF_CHAR", 1), (3, "IFA_TTLLCHAR", 1)]),
            "field 48.3: `class` has a tag, where the place of a subfield names it",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, POSITIONAL, &[(2, "IFB_BITMAP", 8), (3, "IF_CHAR", 1)]),
            "field 48.2: `class` is that of a bitmap, where none can be",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, BY_BITMAP, char_part),
            "field 48: `bitmapField` names no field of a bitmap class",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, BY_BITMAP, &[(0, "IFB_BITMAP", 12), (1, "IF_CHAR", 1)]),
            "field 48.0: `length` is none that a bitmap of subfields has here",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, EURO, &[(0, "IF_CHAR", 1), (1, "IFMC_LLCHAR", 9)]),
            "field 48.0: `class` has no tag, by which `packager` finds it",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, EURO, &[(1, "IFMC_LLCHAR", 9), (2, "IFMC_LLLCHAR", 9)]),
            "field 48.2: `class` writes its tag or length in another way than the subfields before it",
        ),
        (
            composite(48, "IFA_LLLCHAR", 99, EURO, &[(100, "IFMC_LLCHAR", 9)]),
            "field 48.100: `id` does not fit into a tag of 2 digits\nfield 48: has no subfield with a tag",
        ),
        (
            composite(
                48,
                "IFA_LLLCHAR",
                99,
                "org.jpos.iso.packager.GenericTaggedFieldsPackager'",
                &[(1, "IFA_TTLLCHAR", 9)],
            ),
            "field 48: `tagMapper` is missing",
        ),
        (
            composite(
                48,
                "IFA_LLLCHAR",
                99,
                "org.jpos.iso.packager.GenericTaggedFieldsPackager' tagMapper='a.B'",
                &[(1, "IFA_TTLLCHAR", 9)],
            ),
            "field 48: tagMapper a.B has no counterpart here",
        ),
        (
            composite(48, "IFA_AMOUNT", 9, POSITIONAL, char_part),
            "field 48: `class` writes its value in a way that subfields cannot be in",
        ),
        (
            composite(48, "IFA_BINARY", 9, POSITIONAL, &[(1, "IFA_BINARY", 1), (2, "IFB_AMOUNT", 9)]),
            "field 48.1: `class` is not one of bytes, packed digits or text, as subfields of a value in hex must be\n\
             field 48.2: `class` is not one of bytes, packed digits or text, as subfields of a value in hex must be\n\
             field 48: has no subfields",
        ),
        (
            composite(48, "IFA_LLNUM", 9, &ascii_hex(), &[]),
            "field 48: `class` writes no hex characters that `packager` could read",
        ),
        (
            composite(48, "IF_NOP", 9, POSITIONAL, char_part),
            "field 48: `class` has no value that subfields could be in",
        ),
        (
            composite(48, "IFE_LLLCHAR", 99, POSITIONAL, &[(1, "IFE_CHAR", 1)]),
            "field 48.1: `class` is not one of ASCII, as subfields of EBCDIC text must be\nfield 48: has no subfields",
        ),
        (
            composite(48, "IFE_LLLCHAR", 99, EURO, &[(1, "IFEPE_LLCHAR", 9)]),
            "field 48.1: `class` is not one of ASCII, as subfields of EBCDIC text must be\n\
             field 48: `class` turns ASCII into EBCDIC, which its subfields' tags are already",
        ),
        (
            composite(48, "IFB_LLNUM", 9, POSITIONAL, &[(1, "IFB_BINARY", 1)]),
            "field 48.1: `class` is not one of fixed ASCII digits, as subfields of packed digits must be\n\
             field 48: has no subfields",
        ),
        (
            composite(48, "IFB_LLNUM", 9, EURO, &[(1, "IFMC_LLCHAR", 1)]),
            "field 48: `class` writes its value in a way that `packager` cannot take apart",
        ),
        (
            composite(48, "IFE_LLLCHAR", 9, "org.jpos.tlv.packager.bertlv.BERTLVBinaryPackager'", &[]),
            "field 48: `class` writes its value in a way that `packager` cannot take apart",
        ),
        (
            composite(48, "IFA_LLLCHAR", 9, &format!("{POSITIONAL} firstField='a'"), char_part),
            "field 48: `firstField` is no number",
        ),
    ] {
        assert_eq!(refusals(import_rows(&rows)).join("\n"), want, "{rows}");
    }
}

#[test]
fn composites_too_deep_in_each_other_are_refused() {
    let mut rows = "<isofield id='1' name='x' class='org.jpos.iso.IF_CHAR' length='1'/>".to_owned();
    for _ in 0..5 {
        rows = format!(
            "<isofieldpackager id='48' name='f' class='org.jpos.iso.IFA_LLLCHAR' length='99' packager='{POSITIONAL}>{rows}</isofieldpackager>"
        );
    }
    assert_eq!(refusals(import_rows(&rows)).len(), 1);
    assert!(
        refusals(import_rows(&rows))[0].ends_with("`composite` stands too deep"),
        "{:?}",
        refusals(import_rows(&rows))
    );
}
