//! Tables in ASCII: every encoding, there and back, and where an error points.

use bytes::BytesMut;
use iso8583::{Builder, DecodeErrorKind, EncodeError, EncodeErrorKind, FieldPath, Message, Mti, Spec};

use crate::samples::{pin_change, purchase};

/// A message of type 0200 that promises these fields, with this body.
fn wire(fields: &[u8], body: &[u8]) -> Vec<u8> {
    let bits = fields.iter().fold(0u128, |bits, number| bits | 1 << (128 - number));
    let bitmaps = format!("{bits:032X}");
    let bitmap = if bits >> 127 == 0 { &bitmaps[..16] } else { &bitmaps };
    [b"0200", bitmap.as_bytes(), body].concat()
}

type Call = fn(&mut Builder<'_, '_>) -> Result<(), EncodeError>;

/// What one call makes of an empty message: the bytes behind the bitmap.
fn put(call: Call) -> Result<String, EncodeErrorKind> {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(Spec::atm(), &mut out, Mti::new(0x0200));
    call(&mut builder).map_err(|error| error.kind)?;
    builder.finish().map_err(|error| error.kind)?;
    Ok(String::from_utf8(out[20..].to_vec()).expect("ASCII"))
}

#[test]
fn every_encoding_is_written_as_the_standard_has_it() {
    use EncodeErrorKind::{Content, TooLong, WrongClass, WrongLength};
    let rows: &[(&str, Call, Result<&str, EncodeErrorKind>)] = &[
        ("n, fixed", |b| b.digits(3, b"010000").map(drop), Ok("010000")),
        ("n from a number", |b| b.number(11, 42).map(drop), Ok("000042")),
        ("n, an odd count", |b| b.number(22, 21).map(drop), Ok("021")),
        ("n behind LL", |b| b.digits(32, b"48010000").map(drop), Ok("0848010000")),
        ("n behind LL, none", |b| b.digits(32, b"").map(drop), Ok("00")),
        ("z, = stays", |b| b.digits(35, b"12=34").map(drop), Ok("0512=34")),
        ("z, D goes out as =", |b| b.digits(35, b"12D34").map(drop), Ok("0512=34")),
        ("z behind LLL", |b| b.digits(36, b"0112=0=").map(drop), Ok("0070112=0=")),
        ("an", |b| b.text(39, b"A0").map(drop), Ok("A0")),
        ("x+n as text", |b| b.text(28, b"D00000200").map(drop), Ok("D00000200")),
        ("an behind LL", |b| b.text(44, b"ab").map(drop), Ok("02ab")),
        ("ans behind LLL", |b| b.text(48, b"x|y").map(drop), Ok("003x|y")),
        ("b in hex", |b| b.bytes(52, b"\x01\x23\x45\x67\x89\xAB\xCD\xEF").map(drop), Ok("0123456789ABCDEF")),
        ("room for a MAC", |b| b.mac_placeholder(64).map(drop), Ok("0000000000000000")),
        (
            "a letter in n",
            |b| b.digits(3, b"0100A0").map(drop),
            Err(Content { index: 4, rule: DecodeErrorKind::BadDigit }),
        ),
        (
            "a sign in an",
            |b| b.text(28, b"-00000200").map(drop),
            Err(Content { index: 0, rule: DecodeErrorKind::BadCharacter }),
        ),
        ("seven bytes", |b| b.bytes(52, &[0; 7]).map(drop), Err(WrongLength { needs: 8, given: 7 })),
        (
            "hex given as bytes",
            |b| b.bytes(52, &[b'0'; 16]).map(drop),
            Err(WrongLength { needs: 8, given: 16 }),
        ),
        ("hex given as text", |b| b.text(52, &[b'0'; 16]).map(drop), Err(WrongClass)),
        ("one over", |b| b.digits(32, &[b'1'; 12]).map(drop), Err(TooLong { max: 11, given: 12 })),
        ("no MAC", |b| b.mac_placeholder(53).map(drop), Err(WrongClass)),
        ("chip data", |b| b.bytes(55, &[]).map(drop), Err(EncodeErrorKind::UnknownField)),
    ];
    for (name, call, want) in rows {
        assert_eq!(put(*call), want.map(str::to_owned), "{name}");
    }
}

#[test]
fn every_encoding_has_its_view() {
    let bytes = wire(
        &[2, 11, 22, 28, 35, 41, 48, 52],
        b"139156009876541000042021D000002000612=3D451000001003a|b0123456789ABCDEF",
    );
    let message = Message::decode(Spec::atm(), &bytes).expect("valid");
    assert_eq!(message.mti(), Mti::new(0x0200));
    assert_eq!(
        (message.number(2), message.number(11), message.number(22)),
        (Some(9_156_009_876_541), Some(42), Some(21))
    );
    let track = message.digits(35).expect("there");
    assert_eq!(track.iter().collect::<Vec<_>>(), [1, 2, b'=', 3, b'=', 4]);
    assert_eq!((message.text(28), message.text(41)), (Some(&b"D00000200"[..]), Some(&b"51000001"[..])));
    assert_eq!((message.text(48), message.text(52)), (Some(&b"a|b"[..]), None));
    assert_eq!(message.fixed(52), Some([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]));
    assert_eq!((message.fixed::<16>(52), message.fixed(41)), (None, Some(*b"51000001")));
    assert_eq!(message.raw(52), Some(&b"0123456789ABCDEF"[..]));
    assert!(message.digits(52).is_none() && message.simple_tlvs(52).is_none() && message.tlvs(52).is_none());
    assert_eq!((message.start(2), message.span(2)), (Some(20), Some(22..35)));
    assert_eq!(
        (message.start(48), message.span(48)),
        (Some(bytes.len() - 22), Some(bytes.len() - 19..bytes.len() - 16))
    );
}

#[test]
fn an_error_names_the_field_the_byte_and_the_rule() {
    for (name, bytes, want) in [
        ("nothing at all", vec![], "MTI at byte 0: needs 4 bytes, 0 left"),
        ("a letter in the MTI", b"02x00000000000000000".to_vec(), "MTI at byte 2: not a digit"),
        ("a short bitmap", b"0200000".to_vec(), "bitmap at byte 4: needs 16 bytes, 3 left"),
        (
            "a bitmap in lower case",
            b"020000000000000000a0".to_vec(),
            "bitmap at byte 18: not an upper-case hex digit",
        ),
        ("no secondary", wire(&[1], b"")[..20].to_vec(), "bitmap at byte 20: needs 16 bytes, 0 left"),
        (
            "a secondary in lower case",
            [&wire(&[1], b"")[..20], b"f000000000000000"].concat(),
            "bitmap at byte 20: not an upper-case hex digit",
        ),
        ("a field of no table", wire(&[3, 55], b"010000"), "DE 55 at byte 26: not in the field table"),
        ("a letter in n", wire(&[3], b"01O000"), "DE 3 at byte 22: not a digit"),
        ("a packed digit in n", wire(&[3], b"01\x00000"), "DE 3 at byte 22: not a digit"),
        ("a separator in n", wire(&[2], b"034=4"), "DE 2 at byte 23: not a digit"),
        ("a letter in z", wire(&[35], b"0412d4"), "DE 35 at byte 24: not a digit or a separator"),
        ("a sign in an", wire(&[39], b"0+"), "DE 39 at byte 21: not a letter, a digit or a space"),
        (
            "lower case in b",
            wire(&[52], b"0123456789abcdef"),
            "DE 52 at byte 30: not an upper-case hex digit",
        ),
        ("a short b", wire(&[52], b"01234567"), "DE 52 at byte 20: needs 16 bytes, 8 left"),
        ("half a prefix", wire(&[48], b"00"), "DE 48 at byte 20: needs 3 bytes, 2 left"),
        ("a prefix with a letter", wire(&[48], b"0A0"), "DE 48 at byte 20: malformed length"),
        (
            "a prefix over the maximum",
            wire(&[54], b"121"),
            "DE 54 at byte 20: length is over the maximum of 120",
        ),
        ("a short value", wire(&[48], b"004abc"), "DE 48 at byte 23: needs 4 bytes, 3 left"),
        ("a tail", wire(&[39], b"00\n"), "message at byte 22: 1 bytes after the last field"),
        ("behind both bitmaps", wire(&[1, 70], b"30x"), "DE 70 at byte 38: not a digit"),
    ] {
        let error = Message::decode(Spec::atm(), &bytes).expect_err(name);
        assert_eq!(error.to_string(), want, "{name}");
    }
}

#[test]
fn a_wrong_value_hides_no_other() {
    let bytes = wire(&[3, 11, 41], b"01O00000004251000001");
    let (message, error) = Message::decode_partial(Spec::atm(), &bytes);
    assert_eq!(message.fields().collect::<Vec<_>>(), [11, 41]);
    assert_eq!((message.number(11), error.map(|error| error.path)), (Some(42), Some(FieldPath::Field(3))));
    let bytes = [b"O200", &wire(&[11], b"000042")[4..]].concat();
    let (message, error) = Message::decode_partial(Spec::atm(), &bytes);
    assert_eq!(
        (message.mti(), message.number(11), error.map(|e| e.offset)),
        (Mti::new(0), Some(42), Some(0))
    );
}

#[test]
fn a_mac_stands_at_its_place_and_covers_its_own_bit() {
    for (name, spec, field, head, len) in [
        ("hex", Spec::atm(), 64, &b"02002000000000000001010000"[..], 26),
        ("hex, both bitmaps", Spec::atm(), 128, b"0200A0000000000000000000000000000001010000", 42),
        ("binary", Spec::atm_binary_bitmap(), 64, b"0200\x20\0\0\0\0\0\0\x01010000", 18),
        (
            "binary, both bitmaps",
            Spec::atm_binary_bitmap(),
            128,
            b"0200\xA0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01010000",
            26,
        ),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut builder = Builder::new(spec, &mut out, Mti::new(0x0200));
        let mac_at = builder.number(3, 10_000).and_then(|b| b.mac_placeholder(field)).expect(name);
        let message = builder.finish().expect(name);
        out[message.start + mac_at..message.end].copy_from_slice(b"0123456789ABCDEF");
        assert_eq!((&out[message.clone()][..mac_at], mac_at), (head, len), "{name}");
        let decoded = Message::decode(spec, &out[message]).expect(name);
        assert_eq!(decoded.start(field), Some(mac_at), "{name}");
        assert_eq!(decoded.fixed(field), Some([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]), "{name}");
    }
}

#[test]
fn a_secondary_bitmap_may_be_asked_for_and_stay_empty() {
    for (name, spec, want) in [
        ("packed", Spec::pos(), &b"\x08\0\x80\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x42"[..]),
        ("hex", Spec::atm(), b"080080200000000000000000000000000000000042"),
        ("binary", Spec::atm_binary_bitmap(), b"0800\x80\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\x00000042"),
    ] {
        let mut out = BytesMut::new();
        let mut builder = Builder::with_secondary(spec, &mut out, Mti::new(0x0800));
        builder.number(11, 42).expect(name);
        builder.finish().expect(name);
        assert_eq!(out, want, "{name}");
        let message = Message::decode(spec, &out).expect(name);
        assert_eq!(
            (message.fields().collect::<Vec<_>>(), message.number(11)),
            (vec![11], Some(42)),
            "{name}"
        );
    }
    // Left out, or begun with an MTI that is none, it leaves nothing behind.
    let mut out = BytesMut::new();
    drop(Builder::with_secondary(Spec::atm(), &mut out, Mti::new(0x0800)));
    let refused = Builder::with_secondary(Spec::atm(), &mut out, Mti::new(0x08F0)).finish();
    assert_eq!((refused.map_err(|error| error.kind), out.len()), (Err(EncodeErrorKind::BadMti), 0));
}

#[test]
fn a_copy_goes_between_tables_by_its_value() {
    let (pos, atm) = (purchase(), pin_change(Spec::atm()));
    let pos = Message::decode(Spec::pos(), &pos).expect("valid");
    let atm = Message::decode(Spec::atm(), &atm).expect("valid");
    for (from, to) in [(&pos, Spec::atm()), (&atm, Spec::pos()), (&atm, Spec::atm_binary_bitmap())] {
        let mut out = BytesMut::new();
        let mut builder = Builder::new(to, &mut out, from.mti());
        for number in [2, 3, 11, 22, 35, 36, 41, 52] {
            builder.copy(number, from).expect("both tables have it");
        }
        builder.finish().expect("both tables have it");
        let copy = Message::decode(to, &out).expect("what was built decodes");
        for number in [2, 3, 11, 22, 35, 36] {
            let (from, copy) = (from.digits(number).expect("there"), copy.digits(number).expect("there"));
            assert!(from.iter().eq(copy.iter()), "DE {number}");
        }
        assert_eq!((copy.text(41), copy.fixed::<8>(52)), (from.text(41), from.fixed::<8>(52)));
    }
}

#[test]
fn what_a_table_shows_of_hex_is_shown_as_hex() {
    let spec = Spec::from_toml(
        "name = \"toy\"\nmti = \"ascii\"\nbitmap = \"hex\"\nencoding = \"ascii\"\n\
         [[field]]\nnumber = 52\nname = \"x\"\nclass = \"b\"\nlength = 2\nshow = \"clear\"",
    )
    .expect("valid");
    let bytes = wire(&[52], b"0AF0");
    let message = Message::decode(&spec, &bytes).expect("valid");
    assert_eq!(message.describe().to_string(), "MTI 0200\nDE 52 x: 0AF0");
    assert_eq!(message.fixed(52), Some([0x0A, 0xF0]));
}

/// Field 57 of a packed table: one byte of tag, one of length.
#[test]
fn simple_objects_are_read_from_field_57_with_places_in_the_message() {
    let longest: Vec<u8> = [&[0x00, 1, 1, 0x06, 250][..], &[0xA5; 250]].concat();
    for (name, value, want) in [
        ("good", &[0x00, 1, 1, 0x10, 2, 0x62, 0x00][..], vec![Ok((0x00, 1)), Ok((0x10, 2))]),
        ("255 bytes", &longest, vec![Ok((0x00, 1)), Ok((0x06, 250))]),
        ("none", &[], vec![]),
        (
            "cut short",
            &[0x00, 1, 1, 0x10, 3, 0x62],
            vec![Ok((0x00, 1)), Err("DE 57.10 at byte 17: needs 3 bytes, 1 left".to_owned())],
        ),
    ] {
        let mut out = BytesMut::new();
        let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
        builder.bytes(57, value).expect(name);
        builder.finish().expect(name);
        let message = Message::decode(Spec::pos(), &out).expect(name);
        let found = message.simple_tlvs(57).expect("bytes").map(|object| {
            object.map(|object| (object.tag, object.value.len())).map_err(|error| error.to_string())
        });
        assert_eq!(found.collect::<Vec<_>>(), want, "{name}");
        assert!(message.simple_tlvs(41).is_none(), "{name}");
    }
}
