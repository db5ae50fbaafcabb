//! What each encoding and each kind of composite looks like, byte for byte, and where an error in it points.

use bytes::BytesMut;
use iso8583::{Builder, DecodeErrorKind, EncodeError, EncodeErrorKind, Message, Mti, Path, Signed, Spec};

use crate::everything::EVERYTHING;

fn spec() -> &'static Spec {
    static SPEC: std::sync::LazyLock<Spec> =
        std::sync::LazyLock::new(|| Spec::from_toml(EVERYTHING).expect("it compiles"));
    &SPEC
}

type Call = fn(&mut Builder<'_, '_>) -> Result<(), EncodeError>;

/// MTI and primary bitmap: 4 and 16 characters of EBCDIC.
const HEAD: usize = 20;

/// What one call makes of an empty message: the bytes behind the bitmap, in hex.
fn put(call: Call) -> Result<String, String> {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec(), &mut out, Mti::new(0x0200));
    call(&mut builder).map_err(|error| error.to_string())?;
    builder.finish().map_err(|error| error.to_string())?;
    let message = Message::decode(spec(), &out).expect("what was built decodes");
    let mut again = BytesMut::new();
    message.repack(&mut again).expect("what was decoded can be packed");
    assert_eq!(again, out);
    Ok(out[HEAD..].iter().map(|byte| format!("{byte:02X}")).collect())
}

#[test]
fn every_encoding_is_written_as_the_specification_says() {
    let rows: &[(&str, Call, &str)] = &[
        ("n in EBCDIC", |b| b.digits(2, b"12345").map(drop), "F0F5F1F2F3F4F5"),
        ("n packed, left, pad F", |b| b.digits(3, b"123").map(drop), "123F"),
        ("the same from a number", |b| b.number(3, 7).map(drop), "007F"),
        ("n packed, right", |b| b.digits(4, b"12345").map(drop), "012345"),
        ("the same from a number", |b| b.number(4, 99_999).map(drop), "099999"),
        ("n packed behind an ASCII prefix", |b| b.digits(5, b"12345").map(drop), "303035123450"),
        ("n packed, bytes counted, odd", |b| b.digits(6, b"12345").map(drop), "0312345F"),
        ("n packed, bytes counted, even", |b| b.digits(6, b"1234").map(drop), "021234"),
        ("n packed, right, bytes counted", |b| b.digits(7, b"123").map(drop), "0002E123"),
        ("a binary number", |b| b.number(8, 66_051).map(drop), "010203"),
        ("xn in EBCDIC", |b| b.signed(9, Signed { debit: true, amount: 42 }).map(drop), "C4F0F0F0F0F0F0F4F2"),
        ("xn packed", |b| b.signed(10, Signed { debit: false, amount: 42 }).map(drop), "C300000042"),
        ("xn packed, odd, right", |b| b.signed(11, Signed { debit: true, amount: 42 }).map(drop), "C4000042"),
        ("xn in ASCII", |b| b.signed(12, Signed { debit: false, amount: 42 }).map(drop), "433030303432"),
        ("xn as text", |b| b.text(10, b"D12345678").map(drop), "C412345678"),
        ("an in EBCDIC", |b| b.text(13, b"aZ 9").map(drop), "81E940F9"),
        ("ans in 500 behind six", |b| b.text(14, b"[]").map(drop), "F0F0F0F0F0F24A5A"),
        ("ans in 1047", |b| b.text(15, b"[]").map(drop), "3030303032ADBD"),
        ("ans in ASCII behind two bytes", |b| b.text(16, b"[]").map(drop), "00025B5D"),
        ("b in EBCDIC hex", |b| b.bytes(17, &[0x0A, 0xF1]).map(drop), "F0C1C6F1"),
        ("b in hex, characters counted", |b| b.bytes(18, &[0x0A]).map(drop), "F0F0F2F0C1"),
        ("b in ASCII hex, bytes counted", |b| b.bytes(19, &[0x0A]).map(drop), "F13041"),
        ("b as it is behind BCD", |b| b.bytes(20, &[0x0A]).map(drop), "010A"),
        ("z in EBCDIC", |b| b.digits(21, b"12D4").map(drop), "F0F4F1F27EF4"),
        ("z packed, bytes counted", |b| b.digits(22, b"12=45").map(drop), "0312D45F"),
        (
            "packed digits in parts",
            |b| b.parts(40, |p| p.number("1", 1)?.number("2", 23).map(drop)).map(drop),
            "F0F41023",
        ),
        (
            "all of them",
            |b| b.parts(40, |p| p.number("1", 1)?.number("2", 23)?.digits("3", b"45678").map(drop)).map(drop),
            "F0F91023456780",
        ),
        (
            "parts side by side",
            |b| {
                b.parts(41, |p| p.digits("1", b"0012")?.text("2", b"ab")?.bytes("3", &[9, 8]).map(drop))
                    .map(drop)
            },
            "F0F700120281820908",
        ),
        ("the first alone", |b| b.parts(41, |p| p.digits("1", b"0012").map(drop)).map(drop), "F0F20012"),
        (
            "parts by bitmap, one",
            |b| b.parts(42, |p| p.text("2", b"AB")?.digits("16", b"7").map(drop)).map(drop),
            "F0F0F834303031C1C2F1F7",
        ),
        (
            "parts by bitmap, two",
            |b| b.parts(42, |p| p.text("2", b"AB")?.number("18", 258).map(drop)).map(drop),
            "F0F1F24330303034303030C1C20102",
        ),
        (
            "tags in characters, one unknown",
            |b| b.parts(48, |p| p.text("PDS0158", b"AB")?.bytes("0999", &[0xF1]).map(drop)).map(drop),
            "F0F1F7F0F1F5F8F0F0F2C1C2F0F9F9F9F0F0F1F1",
        ),
        (
            "nested to the bottom",
            |b| {
                b.parts(48, |p| {
                    p.parts("0200", |p| p.parts("1", |p| p.digits("5A", b"123").map(drop)).map(drop))
                        .map(drop)
                })
                .map(drop)
            },
            "F0F1F3F0F2F0F0F0F0F680045A02123F",
        ),
        (
            "packed tags",
            |b| b.parts(49, |p| p.bytes("0012", &[0xAB]).map(drop)).map(drop),
            "F0F6001200024142",
        ),
        ("b behind a prefix in hex", |b| b.bytes(24, &[0xAB; 10]).map(drop), "30303041ABABABABABABABABABAB"),
        (
            "ans behind a prefix in EBCDIC hex",
            |b| b.text(25, &[b'a'; 10]).map(drop),
            "F0C181818181818181818181",
        ),
        ("a prefix that counts itself", |b| b.text(26, b"abc").map(drop), "F0F0F0F7818283"),
        ("the same in ASCII", |b| b.text(30, b"abc").map(drop), "303036616263"),
        ("the same of packed digits", |b| b.digits(27, b"123").map(drop), "0004123F"),
        ("half bytes counted", |b| b.bytes(28, &[0xAB, 0xCD]).map(drop), "0004ABCD"),
        ("value and prefix in hex, itself counted", |b| b.bytes(29, &[0xAB]).map(drop), "303030364142"),
        (
            "objects in hex",
            |b| {
                b.parts(50, |p| {
                    p.number("9F02", 1234)?.digits("5A", b"123")?.text("50", b"aZ")?.number("9F36", 258)?;
                    p.bytes("DF01", &[0xAB]).map(drop)
                })
                .map(drop)
            },
            // 9F02 06 000000001234 · 5A 02 123F · 50 02 615A · 9F36 02 0102 · DF01 01 AB
            "F0F2F6394630323036303030303030303031323334354130323132334635303032363135413946333630323031303244463031303141\
             42",
        ),
        (
            "objects in objects in hex",
            |b| b.parts(50, |p| p.parts("E1", |p| p.bytes("9F8101", &[1, 2]).map(drop)).map(drop)).map(drop),
            "F0F0F845313036394638313031303230313032",
        ),
        (
            "parts in EBCDIC hex",
            |b| {
                b.parts(51, |p| {
                    p.digits("1", b"12345")?
                        .digits("2", b"123")?
                        .text("3", b"[]")?
                        .digits("4", b"7")
                        .map(drop)
                })
                .map(drop)
            },
            // 012345 · 123F · 02 4A5A · 0001 7E, as 22 characters
            "F0F2F2F0F1F2F3F4F5F1F2F3C6F0F2F4C1F5C1F0F0F0F1F7C5",
        ),
        (
            "bits and tags in EBCDIC hex",
            |b| {
                b.parts(51, |p| {
                    p.digits("1", b"00000")?.digits("2", b"000")?.text("3", b"")?.digits("4", b"")?;
                    p.parts("5", |p| p.text("2", b"ab")?.bytes("10", &[0xFF]).map(drop))?;
                    p.parts("6", |p| p.digits("K9", b"123").map(drop)).map(drop)
                })
                .map(drop)
            },
            // 000000 · 000F · 00 · 0000 · 3036 C040 6162 01FF · 4B39 0003 1230
            "F0F4F4F0F0F0F0F0F0F0F0F0C6F0F0F0F0F0F0F3F0F3F6C3F0F4F0F6F1F6F2F0F1C6C6F4C2F3F9F0F0F0F3F1F2F3F0",
        ),
        (
            "tags that count digits and bytes in hex",
            |b| b.parts(52, |p| p.digits("01", b"123")?.bytes("02", &[0xAB]).map(drop)).map(drop),
            "F1F2303130331230303230314142",
        ),
        (
            "an object that counts bytes in hex",
            |b| b.parts(53, |p| p.bytes("9F02", &[0xAB]).map(drop)).map(drop),
            "F0F59F02014142",
        ),
        (
            "datasets, behind a secondary bitmap",
            |b| {
                b.parts(104, |p| {
                    p.parts("56", |p| {
                        p.parts("E1", |p| p.bytes("9F8101", &[1, 2])?.bytes("DF01", &[3]).map(drop)).map(drop)
                    })
                    .map(drop)
                })
                .map(drop)
            },
            "F0F0F0F0F0F0F0F0F0F1F0F0F0F0F0F0000F56000CE10A9F8101020102DF010103",
        ),
    ];
    for (name, call, want) in rows {
        assert_eq!(put(*call).as_deref(), Ok(*want), "{name}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_with_its_path() {
    let rows: &[(&str, Call, &str)] = &[
        ("a fixed field too short", |b| b.text(13, b"abc").map(drop), "DE 13: needs a length of 4, given 3"),
        (
            "a number over its bytes",
            |b| b.number(8, 1 << 24).map(drop),
            "DE 8: number needs more than 3 bytes",
        ),
        (
            "a number over its digits",
            |b| b.number(4, 100_000).map(drop),
            "DE 4: number has more than 5 digits",
        ),
        ("the same, left-aligned", |b| b.number(3, 1000).map(drop), "DE 3: number has more than 3 digits"),
        (
            "an amount over its digits",
            |b| b.signed(12, Signed { debit: true, amount: 100_000 }).map(drop),
            "DE 12: number has more than 5 digits",
        ),
        ("a sign that is none", |b| b.text(12, b"+00042").map(drop), "DE 12: at index 0: not a sign"),
        (
            "a sign in EBCDIC letters",
            |b| b.text(13, b"ab+d").map(drop),
            "DE 13: at index 2: not a letter, a digit or a space",
        ),
        (
            "parts of a field without",
            |b| b.parts(13, |_| Ok(())).map(drop),
            "DE 13: the field's class does not take such a value",
        ),
        (
            "a part there is not",
            |b| b.parts(41, |p| p.text("4", b"").map(drop)).map(drop),
            "DE 41.4: no such part in the field table",
        ),
        (
            "a gap",
            |b| b.parts(41, |p| p.text("2", b"").map(drop)).map(drop),
            "DE 41.2: put after part 0, which it does not follow",
        ),
        (
            "a bit twice",
            |b| b.parts(42, |p| p.text("2", b"AB")?.text("2", b"AB").map(drop)).map(drop),
            "DE 42.2: put after part 2, which it does not follow",
        ),
        (
            "a tag too short",
            |b| b.parts(48, |p| p.text("158", b"AB").map(drop)).map(drop),
            "DE 48: no such part in the field table",
        ),
        (
            "a part too long",
            |b| b.parts(48, |p| p.text("PDS0158", &[b'A'; 31]).map(drop)).map(drop),
            "DE 48.PDS0158: length 31 is over the maximum of 30",
        ),
        (
            "deep down",
            |b| {
                b.parts(104, |p| {
                    p.parts("56", |p| p.parts("E1", |p| p.bytes("9F8101", &[1]).map(drop)).map(drop))
                        .map(drop)
                })
                .map(drop)
            },
            "DE 104.56.E1.9F8101: needs a length of 2, given 1",
        ),
        (
            "a whole that is no parts",
            |b| b.bytes(41, &[0, 0, 9, 1]).map(drop),
            "DE 41.2: at index 3: needs 9 bytes, 1 left",
        ),
        (
            "too much for the whole",
            |b| {
                b.parts(41, |p| p.digits("1", b"0012")?.text("2", b"")?.bytes("3", &[0; 97]).map(drop))
                    .map(drop)
            },
            "DE 41: length 100 is over the maximum of 99",
        ),
        (
            "an odd count without a pad",
            |b| {
                b.parts(48, |p| {
                    p.parts("0200", |p| p.parts("1", |p| p.digits("5A", &[b'1'; 20]).map(drop)).map(drop))
                        .map(drop)
                })
                .map(drop)
            },
            "DE 48.PDS0200.1.5A: length 20 is over the maximum of 19",
        ),
    ];
    for (name, call, want) in rows {
        assert_eq!(put(*call), Err((*want).to_owned()), "{name}");
    }
}

/// A message with field 104 alone, its value in hex.
fn datasets(hex: &str) -> Vec<u8> {
    let octets: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec(), &mut out, Mti::new(0x0200));
    builder.number(66, 0).expect("it fits");
    builder.finish().expect("it fits");
    // Field 66 gives way to 104.
    out.truncate(out.len() - 2);
    out[HEAD..HEAD + 16].copy_from_slice(&b"\xF0".repeat(16));
    out[HEAD + 9] = 0xF1;
    [&out[..], &[0, u8::try_from(octets.len()).expect("short")], &octets].concat()
}

#[test]
fn an_error_in_a_part_has_its_path_and_its_byte() {
    // MTI, two bitmaps and the prefix: 38 bytes.
    for (name, value, want) in [
        ("nothing", "", None),
        ("nothing but filler, at the bottom", "560004E1020000", None),
        ("a tag alone", "56", Some("DE 104.56 at byte 39: needs 2 bytes, 0 left")),
        ("a length over the end", "56000201", Some("DE 104.56 at byte 41: needs 2 bytes, 1 left")),
        ("an unknown dataset", "FF000301020A", None),
        ("an object cut short", "560003E10301", Some("DE 104.56.E1 at byte 43: needs 3 bytes, 1 left")),
        (
            "an object inside cut short",
            "560007E1059F81010201",
            Some("DE 104.56.E1.9F8101 at byte 47: needs 2 bytes, 1 left"),
        ),
        (
            "a fixed part too long",
            "560009E1079F810103010203",
            Some("DE 104.56.E1.9F8101 at byte 47: needs 2 bytes, has 3"),
        ),
        ("a tag without an end", "5600029F81", Some("DE 104.56 at byte 41: malformed tag")),
        ("an indefinite length", "560004E1800000", Some("DE 104.56.E1 at byte 42: malformed tag length")),
        ("long forms, filler, an unknown object", "560012E18300000A9F810181020102000000DF7F00", None),
    ] {
        let bytes = datasets(value);
        let got = Message::decode(spec(), &bytes);
        assert_eq!(got.as_ref().err().map(ToString::to_string).as_deref(), want, "{name}");
        if let Ok(message) = got {
            let mut again = BytesMut::new();
            message.repack(&mut again).expect("what was decoded can be packed");
            assert_eq!(again, bytes, "{name}");
        }
    }
}

/// A message with field 50 alone, its value these hex characters.
fn objects_in_hex(characters: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec(), &mut out, Mti::new(0x0200));
    builder.parts(50, |_| Ok(())).expect("it fits");
    builder.finish().expect("it fits");
    let bytes = characters.len() / 2;
    let prefix =
        [bytes / 100, bytes / 10 % 10, bytes % 10].map(|digit| 0xF0 + u8::try_from(digit).expect("a digit"));
    [&out[..HEAD], &prefix, characters.as_bytes()].concat()
}

#[test]
fn an_error_in_hex_has_its_path_and_its_character() {
    // MTI, bitmap and prefix: 23 bytes.
    for (name, value, want) in [
        ("nothing", "", None),
        ("no hex", "9G", Some("DE 50 at byte 24: not an upper-case hex digit")),
        ("half a tag", "9F", Some("DE 50 at byte 23: malformed tag")),
        ("a tag alone", "9F26", Some("DE 50.9F26 at byte 27: malformed tag length")),
        ("a length over the end", "00DF010201", Some("DE 50.DF01 at byte 31: needs 4 bytes, 2 left")),
        ("a fixed part too short", "9F260101", Some("DE 50.9F26 at byte 29: needs 16 bytes, has 2")),
        ("a letter among digits", "9F020600000000A234", Some("DE 50.9F02 at byte 37: not a digit")),
        ("a sign in a text", "5003612B62", Some("DE 50.50 at byte 29: not a letter, a digit or a space")),
        ("a pad in the middle", "5A02F123", Some("DE 50.5A at byte 27: not a digit")),
        (
            "too many digits",
            "5A0B1234567890123456789012",
            Some("DE 50.5A at byte 27: length is over the maximum of 19"),
        ),
        (
            "an object inside cut short",
            "E1059F81010201",
            Some("DE 50.E1.9F8101 at byte 35: needs 4 bytes, 2 left"),
        ),
        ("long forms, filler, an unknown object", "00E181089F810182000201020000DF7F00", None),
    ] {
        let bytes = objects_in_hex(value);
        let got = Message::decode(spec(), &bytes);
        assert_eq!(got.as_ref().err().map(ToString::to_string).as_deref(), want, "{name}");
        if let Ok(message) = got {
            let mut again = BytesMut::new();
            message.repack(&mut again).expect("what was decoded can be packed");
            assert_eq!(again, bytes, "{name}");
        }
    }
}

#[test]
fn values_in_hex_read_as_values_elsewhere() {
    let bytes = objects_in_hex("9F02060000000012345A02123F570341D25150036162639F36020102DF0102ABCD");
    let message = Message::decode(spec(), &bytes).expect("valid");
    let part = |step: &str| message.part(&format!("50.{step}").parse().expect("a path")).expect("there");
    assert_eq!((part("9F02").number(), part("9F36").number()), (Some(1234), Some(258)));
    let mut room = [0; 9];
    assert_eq!(part("5A").digits().and_then(|digits| digits.copy_ascii(&mut room)), Some(&b"123"[..]));
    assert_eq!(part("57").digits().and_then(|digits| digits.copy_ascii(&mut room)), Some(&b"41=251"[..]));
    assert!(part("50").is_text(b"abc") && part("50").text().is_some_and(|text| text.len() == 3));
    assert_eq!(part("DF01").octets().and_then(|octets| octets.fixed()), Some([0xAB, 0xCD]));
    assert_eq!((part("DF01").raw(), part("DF01").wire()), (&b"ABCD"[..], &b"DF0102ABCD"[..]));
    assert_eq!(message.element(50).and_then(|whole| whole.octets()).map(|octets| octets.len()), Some(33));
    let lines = message.describe().to_string();
    assert!(lines.contains("amount: 000000001234") || lines.contains("DE 50"), "{lines}");
    assert!(!lines.contains("41D251"), "{lines}");
}

#[test]
fn a_prefix_that_cannot_be_says_so() {
    let head = put(|b| b.text(26, b"").map(drop)).expect("it fits");
    assert_eq!(head, "F0F0F0F4");
    let message = |number: u8, field: &[u8]| {
        let mut bits = [0_u8; 8];
        bits[usize::from(number - 1) / 8] = 0x80 >> ((number - 1) % 8);
        let digit = |nibble: u8| if nibble > 9 { 0xC1 + nibble - 10 } else { 0xF0 + nibble };
        let bitmap: Vec<u8> = bits.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        [b"\xF0\xF2\xF0\xF0", &bitmap[..], field].concat()
    };
    for (name, number, field, want) in [
        ("less than itself", 26, &b"\xF0\xF0\xF0\xF3"[..], "DE 26 at byte 20: malformed length"),
        ("an odd count of half bytes", 28, b"\x00\x03\xAB\xCD", "DE 28 at byte 20: malformed length"),
        ("a letter that is no hex", 24, b"000G", "DE 24 at byte 20: malformed length"),
        ("a small letter", 24, b"000a\0\0\0\0\0\0\0\0\0\0", "DE 24 at byte 20: malformed length"),
        ("more than there may be", 24, b"FFFF", "DE 24 at byte 20: length is over the maximum of 999"),
    ] {
        let error = Message::decode(spec(), &message(number, field)).expect_err(name);
        assert_eq!(error.to_string(), want, "{name}");
    }
}

#[test]
fn parts_are_found_by_path_and_unknown_ones_are_listed() {
    let bytes = datasets("56000EE10A9F8101020A0BDF010103C100DF000101");
    let message = Message::decode(spec(), &bytes).expect("valid");
    let path: Path = "104.56.E1.9F8101".parse().expect("a path");
    let part = message.part(&path).expect("there");
    assert_eq!(part.octets().and_then(|octets| octets.fixed()), Some([0x0A, 0x0B]));
    assert_eq!((part.path(), part.offset()), (path, 38 + 9));
    assert_eq!(part.number(), None);
    let unknown: Vec<String> = message.unknown().map(|part| part.path().to_string()).collect();
    assert_eq!(unknown, ["DE 104.56.E1.DF01", "DE 104.56.C1", "DE 104.DF"]);
    for absent in ["104.57", "104.56.E1.9F8102", "104.56.E1.9F8101.1", "66", "104.PDS0001", "104.5"] {
        assert!(message.part(&absent.parse().expect("a path")).is_none(), "{absent}");
    }
}

#[test]
fn one_part_is_changed_and_the_rest_is_kept() {
    let bytes = datasets("560010E1810B9F8101020A0B00DF010103C100DF000101");
    let message = Message::decode(spec(), &bytes).expect("valid");
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec(), &mut out, message.mti());
    let whole = message.element(104).expect("there");
    let changed = builder.parts(104, |datasets| {
        for dataset in whole.parts().expect("parts") {
            if dataset.path().to_string() != "DE 104.56" {
                datasets.keep(&dataset)?;
                continue;
            }
            datasets.edit(&dataset, |objects| {
                for object in dataset.parts().expect("parts") {
                    if object.path().to_string() == "DE 104.56.E1" {
                        objects.edit(&object, |inside| {
                            for part in object.parts().expect("parts") {
                                match part.row() {
                                    Some(_) => inside.bytes("9F8101", &[0xCC, 0xDD])?,
                                    None => inside.keep(&part)?,
                                };
                            }
                            Ok(())
                        })?;
                    } else {
                        objects.keep(&object)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    });
    changed.expect("it fits");
    builder.finish().expect("it fits");
    // Both lengths are the same as before, so the long form of E1's stays.
    assert_eq!(out, datasets("560010E1810B9F810102CCDD00DF010103C100DF000101"));
}

#[test]
fn both_places_of_a_tertiary_bitmap_are_read_and_written() {
    let head = "name = \"t\"\nmti = \"bcd\"\nbitmap = \"binary\"\n";
    let row = |number: u8| format!("[[field]]\nnumber = {number}\nname = \"x\"\nclass = \"n\"\nlength = 2\n");
    let rows = [3, 66, 129, 192].map(row).concat();
    let first = [0x20, 0, 0, 0, 0, 0, 0, 0];
    let third = [0x80, 0, 0, 0, 0, 0, 0, 1];
    for (word, want) in [
        (
            "head",
            [
                &[0xA0, 0, 0, 0, 0, 0, 0, 0][..],
                &[0xC0, 0, 0, 0, 0, 0, 0, 0],
                &third,
                &[0x33, 0x66, 0x29, 0x92],
            ]
            .concat(),
        ),
        (
            "field-65",
            [
                &[0xA0, 0, 0, 0, 0, 0, 0, 0][..],
                &[0xC0, 0, 0, 0, 0, 0, 0, 0],
                &[0x33],
                &third,
                &[0x66, 0x29, 0x92],
            ]
            .concat(),
        ),
    ] {
        let spec = Spec::from_toml(&format!("{head}tertiary = \"{word}\"\n{rows}")).expect("it compiles");
        let mut out = BytesMut::new();
        let mut builder = Builder::new(&spec, &mut out, Mti::new(0x0200));
        builder.number(3, 33).and_then(|b| b.number(66, 66)).expect("it fits");
        builder.number(129, 29).and_then(|b| b.number(192, 92)).expect("it fits");
        builder.finish().expect("it fits");
        assert_eq!(out[2..], want, "{word}");
        let message = Message::decode(&spec, &out).expect("valid");
        assert_eq!(message.fields().collect::<Vec<_>>(), [3, 66, 129, 192], "{word}");
        // Without fields above 64 there is one bitmap, and a field 65 there is not.
        let mut small = BytesMut::new();
        let mut builder = Builder::new(&spec, &mut small, Mti::new(0x0200));
        builder.number(3, 33).expect("it fits");
        assert_eq!(
            builder.number(65, 1).map(drop).map_err(|error| error.kind),
            Err(EncodeErrorKind::UnknownField)
        );
        // Bitmaps that promise nothing stay.
        let empty = match word {
            "head" => [&[2, 0, 0xA0][..], &[0; 7], &[0x80], &[0; 7], &[0; 8], &[0x33]].concat(),
            _ => [&[2, 0, 0xA0][..], &[0; 7], &[0x80], &[0; 7], &[0x33], &[0; 8]].concat(),
        };
        let message = Message::decode(&spec, &empty).expect("valid");
        let mut again = BytesMut::new();
        message.repack(&mut again).expect("what was decoded can be packed");
        assert_eq!((again.as_ref(), message.number(3)), (&empty[..], Some(33)), "{word}");
    }
    let plain = Spec::from_toml(&format!("{head}{}", row(3))).expect("it compiles");
    let bytes = [&[2, 0][..], &first, &[0x33]].concat();
    assert_eq!(Message::decode(&plain, &bytes).map(|message| message.number(3)), Ok(Some(33)));
    let short = [&[2, 0, 0xA0, 0, 0, 0, 0, 0, 0, 0, 0x80][..], &[0; 6]].concat();
    let error = Message::decode(&plain, &short).expect_err("half a secondary");
    assert_eq!((error.offset, error.kind), (10, DecodeErrorKind::TooShort { needs: 8, left: 7 }));
}
