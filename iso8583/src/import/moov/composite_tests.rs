//! Composites: every kind, and every refusal, on specifications made for it.
//!
//! The bytes were worked out by hand from what moov-io/iso8583 is documented to
//! read.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::tests::import_fields;
use crate::import::testing::{notes, refusals, value_in};
use crate::import::{ImportError, Imported};

/// A composite in field 48: the keys beside its subfields, and those.
fn composite(keys: &str, subfields: &[(&str, &str)]) -> String {
    let subfields: Vec<_> = subfields.iter().map(|(key, keys)| format!("\"{key}\": {{{keys}}}")).collect();
    format!("type: Composite, {keys}, subfields: {{{}}}", subfields.join(", "))
}

fn import_composite(keys: &str, subfields: &[(&str, &str)]) -> Result<Imported, ImportError> {
    import_fields(&format!("  \"48\": {{{}}}\n", composite(keys, subfields)))
}

const TWO: &str = "type: String, length: 2, enc: ASCII, prefix: ASCII.Fixed";
const LL: &str = "type: String, length: 9, enc: ASCII, prefix: ASCII.LL";
const LLL: &str = "length: 999, prefix: ASCII.LLL";

#[test]
fn positional_subfields_read_in_the_order_of_their_keys() {
    let by_int = "length: 6, prefix: ASCII.Fixed, tag: {sort: StringsByInt}";
    let imported = import_composite(by_int, &[("10", TWO), ("9", TWO), ("01", TWO)]).unwrap();
    for (path, want) in [("48.1", "ab"), ("48.2", "cd"), ("48.3", "ef")] {
        assert_eq!(value_in(&imported, path, b"abcdef"), want);
    }
    assert_eq!(notes(&imported), ["field 48.9: is field 48.2 here", "field 48.10: is field 48.3 here"]);
    let by_hex = format!("{LLL}, tag: {{sort: StringsByHex}}");
    let imported = import_composite(&by_hex, &[("0B", LL), ("0A", TWO)]).unwrap();
    assert_eq!(value_in(&imported, "48.2", b"006ab02xy"), "xy");
}

#[test]
fn subfields_behind_tags_are_found_by_them() {
    for (tag, part, keys, wire, path, want) in [
        ("{length: 2, enc: ASCII, sort: StringsByInt}", LL, "01", &b"0100702xy0103abc"[3..], "48.01", "abc"),
        ("{length: 4, enc: Binary, sort: StringsByInt}", LL, "AB12", b"AB1203abc", "48.AB12", "abc"),
        (
            "{length: 3, enc: ASCII, padding: {type: Left, pad: \"0\"}, sort: StringsByInt}",
            LL,
            "7",
            b"00703abc",
            "48.007",
            "abc",
        ),
        (
            "{length: 2, enc: EBCDIC, sort: StringsByInt}",
            "type: String, enc: EBCDIC, prefix: EBCDIC.LL",
            "42",
            b"\xF4\xF2\xF0\xF2\xC1\xC2",
            "48.42",
            "AB",
        ),
        (
            "{length: 2, enc: EBCDIC1047, sort: StringsByInt}",
            "type: Numeric, enc: EBCDIC1047, prefix: Binary.L",
            "42",
            b"\xF4\xF2\x02\xF1\xF2",
            "48.42",
            "12",
        ),
        (
            "{length: 4, enc: BCD, sort: StringsByInt}",
            "type: Hex, enc: Binary, prefix: BCD.LL",
            "0158",
            b"\x01\x58\x02\xAB\xCD",
            "48.0158",
            "ABCD",
        ),
        (
            "{length: 1, enc: ASCIIToHex, sort: StringsByHex}",
            "type: Numeric, enc: ASCIIToHex, prefix: Binary.LL",
            "5f",
            b"\x5F\x00\x02\x12\x34",
            "48.5F",
            "1234",
        ),
        (
            "{enc: BerTLVTag, sort: StringsByHex, skipUnknownTLVTags: true}",
            "type: Hex, enc: Binary, prefix: BerTLV",
            "9F02",
            b"\x9F\x02\x02\xAB\xCD",
            "48.9F02",
            "ABCD",
        ),
        // The length counts what the value has before it is encoded.
        (
            "{enc: BerTLVTag, sort: StringsByHex}",
            "type: Numeric, enc: HexToASCII, prefix: BerTLV",
            "9F02",
            b"\x9F\x02\x02\x33\x34\x33\x32",
            "48.9F02",
            "3432",
        ),
        (
            "{length: 2, enc: ASCII, sort: StringsByInt}",
            "type: Numeric, length: 19, enc: BCD, prefix: ASCII.LL",
            "02",
            b"0205\x01\x23\x45",
            "48.02",
            "12345",
        ),
        (
            "{length: 2, enc: ASCII, sort: StringsByInt}",
            "type: String, length: 19, enc: LBCD, prefix: Hex.L",
            "02",
            b"0205\x12\x34\x50",
            "48.02",
            "12345",
        ),
        (
            "{enc: BerTLVTag, sort: StringsByHex}",
            "type: Numeric, enc: ASCIIHexToBytes, prefix: BerTLV",
            "9a",
            b"\x9A\x03\x25\x12\x31",
            "48.9A",
            "251231",
        ),
    ] {
        let imported = import_composite(&format!("{LLL}, tag: {tag}"), &[(keys, part)])
            .unwrap_or_else(|error| panic!("{tag}: {error}"));
        let field = [format!("{:03}", wire.len()).as_bytes(), wire].concat();
        assert_eq!(value_in(&imported, path, &field), want, "{tag}");
    }
}

#[test]
fn data_sets_hold_objects() {
    let inner = composite(
        "prefix: Binary.LL, tag: {enc: BerTLVTag, sort: StringsByHex}",
        &[("81", "type: String, enc: EBCDIC, prefix: BerTLV")],
    );
    let tag = "tag: {length: 1, enc: ASCIIToHex, sort: StringsByHex, skipUnknownTLVTags: true, prefUnknownTLV: Binary.LL}";
    let imported =
        import_composite(&format!("length: 255, prefix: Binary.L, {tag}"), &[("56", inner.as_str())])
            .unwrap();
    let wire = b"\x0B\x56\x00\x04\x81\x02\xC1\xC2\x57\x00\x01\xFF";
    assert_eq!(value_in(&imported, "48.56.81", wire), "AB");
    assert_eq!(value_in(&imported, "48.57", wire), "FF");
}

#[test]
fn a_bitmap_says_which_subfields_follow() {
    let one = "bitmap: {type: Bitmap, length: 2, enc: Binary, prefix: Binary.Fixed, disableAutoExpand: true}";
    let imported =
        import_composite(&format!("{LLL}, {one}"), &[("1", TWO), ("16", TWO), ("17", TWO)]).unwrap();
    assert_eq!(value_in(&imported, "48.16", b"006\x80\x01abcd"), "cd");
    assert_eq!(notes(&imported), ["field 48.17: is left out: no bit of the bitmap promises it"]);
    let more = "bitmap: {type: Bitmap, length: 8, enc: HexToASCII, prefix: Hex.Fixed}";
    let imported = import_composite(&format!("{LLL}, {more}"), &[("2", TWO), ("66", TWO)]).unwrap();
    assert_eq!(value_in(&imported, "48.66", b"036C0000000000000004000000000000000abcd"), "cd");
}

#[test]
fn what_is_wrong_with_a_composite_is_said_with_its_path() {
    let by_tag = "tag: {length: 2, enc: ASCII, sort: StringsByInt}";
    let ber = "tag: {enc: BerTLVTag, sort: StringsByHex}";
    let bitmap = "bitmap: {type: Bitmap, length: 8, enc: Binary, prefix: Binary.Fixed}";
    for (keys, subfields, want) in [
        (String::new(), vec![("1", TWO)], "field 48: `tag` is missing"),
        (format!("{bitmap}, {by_tag}"), vec![("1", TWO)], "field 48: `tag` and `bitmap` are both given"),
        ("tag: {}".to_owned(), vec![("1", TWO)], "field 48: `sort` is missing"),
        ("tag: {sort: ByName}".to_owned(), vec![("1", TWO)], "field 48: sort ByName has no counterpart here"),
        ("tag: {sort: StringsByInt}".to_owned(), vec![], "field 48: `subfields` is missing"),
        (
            "tag: {sort: StringsByInt}".to_owned(),
            vec![("1", TWO), ("two", TWO)],
            "field 48: `subfields` has the key `two`, which is no number",
        ),
        (
            "tag: {sort: StringsByInt}".to_owned(),
            vec![("1", "type: Emv"), ("2", TWO)],
            "field 48.1: type Emv has no counterpart here",
        ),
        (by_tag.to_owned(), vec![], "field 48: `subfields` is missing"),
        (
            by_tag.replace("ASCII", "HexToASCII"),
            vec![("01", LL)],
            "field 48: tag.enc HexToASCII has no counterpart here",
        ),
        (by_tag.replace("2,", "9,"), vec![("01", LL)], "field 48: `tag.length` is not from 1 to 6"),
        (
            by_tag.to_owned(),
            vec![("01", TWO)],
            "field 48.01: `prefix` gives no length of digits or bytes, as behind a tag of fixed width\nfield 48: `subfields` is missing",
        ),
        (
            by_tag.to_owned(),
            vec![("01", LL), ("02", "type: String, enc: ASCII, prefix: ASCII.L")],
            "field 48.02: `prefix` is another one than that of the other subfields",
        ),
        (
            by_tag.replace("sort", "prefUnknownTLV: BCD.LL, sort"),
            vec![("01", LL)],
            "field 48.01: `prefix` is another one than that of the other subfields",
        ),
        (
            ber.to_owned(),
            vec![("9F02", "type: Hex, enc: HexToASCII, prefix: BerTLV"), ("9F03", LL)],
            "field 48.9F03: `prefix` is not BerTLV, as behind a BER-TLV tag",
        ),
        (
            bitmap.to_owned(),
            vec![("a", TWO)],
            "field 48: `subfields` has the key `a`, which is no bit\nfield 48: `subfields` is missing",
        ),
        (bitmap.replace("Bitmap", "String"), vec![("2", TWO)], "field 48.bitmap: `type` is not Bitmap"),
        (
            bitmap.replace("enc: Binary", "enc: BCD"),
            vec![("2", TWO)],
            "field 48.bitmap: `enc` is not Binary or HexToASCII, as a bitmap's must be",
        ),
        (
            bitmap.replace("length: 8", "length: 17, disableAutoExpand: true"),
            vec![("2", TWO)],
            "field 48.bitmap: `length` is not from 1 to 16",
        ),
    ] {
        let keys = if keys.is_empty() { LLL.to_owned() } else { format!("{LLL}, {keys}") };
        assert_eq!(refusals(import_composite(&keys, &subfields)).join("\n"), want, "{keys}");
    }
    // A tag that the compiler of specifications does not take.
    let error =
        import_composite(&format!("{LLL}, {ber}"), &[("9F", "type: Hex, enc: Binary, prefix: BerTLV")]);
    assert_eq!(refusals(error), ["field 48: DE 48: `tag` of a part is no BER-TLV tag in hex"]);
}
