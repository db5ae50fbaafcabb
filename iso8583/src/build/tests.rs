//! The builder and the functions of `pack`, through [`Builder`].

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::error::DecodeErrorKind;
use EncodeErrorKind::*;

/// What one call makes of an empty message: the bytes behind the bitmap.
fn put<F>(call: F) -> Result<Vec<u8>, EncodeErrorKind>
where
    F: FnOnce(&mut Builder<'_, '_>) -> Result<(), EncodeError>,
{
    let mut out = BytesMut::from(&b"before"[..]);
    let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
    let called = call(&mut builder);
    let finished = builder.finish();
    assert_eq!(called.err(), finished.clone().err(), "finish repeats the error");
    match finished {
        // 2 bytes of MTI and 8 of bitmap.
        Ok(range) => Ok(out[range][10..].to_vec()),
        Err(error) => {
            assert_eq!(out, &b"before"[..], "an error leaves nothing behind");
            Err(error.kind)
        }
    }
}

#[test]
fn digits_are_packed_by_the_table() {
    for (name, field, digits, want) in [
        ("fixed", 3, &b"310000"[..], Ok(vec![0x31, 0x00, 0x00])),
        ("odd, left", 22, b"021", Ok(vec![0x02, 0x10])),
        ("odd, right", 23, b"001", Ok(vec![0x00, 0x01])),
        ("variable, even", 2, b"1234", Ok(vec![0x04, 0x12, 0x34])),
        ("variable, odd", 2, b"12345", Ok(vec![0x05, 0x12, 0x34, 0x50])),
        ("variable, none", 2, b"", Ok(vec![0x00])),
        ("three-digit prefix", 60, b"22000001001", Ok(vec![0x00, 0x11, 0x22, 0x00, 0x00, 0x01, 0x00, 0x10])),
        ("a track", 35, b"12=34D5", Ok(vec![0x07, 0x12, 0xD3, 0x4D, 0x50])),
        ("fixed, one short", 3, b"31000", Err(WrongLength { needs: 6, given: 5 })),
        ("fixed, one over", 3, b"3100000", Err(WrongLength { needs: 6, given: 7 })),
        ("variable, one over", 2, &[b'1'; 20], Err(TooLong { max: 19, given: 20 })),
        ("beyond any length", 2, &[b'1'; 70_000], Err(TooLong { max: 19, given: 70_000 })),
        ("a letter", 3, b"31A000", Err(Content { index: 2, rule: DecodeErrorKind::BadDigit })),
        (
            "a separator outside a track",
            2,
            b"12=4",
            Err(Content { index: 2, rule: DecodeErrorKind::BadDigit }),
        ),
        ("a letter in a track", 35, b"12F4", Err(Content { index: 2, rule: DecodeErrorKind::BadTrackDigit })),
        ("text", 41, b"77000001", Err(WrongClass)),
        ("no such field", 5, b"1", Err(UnknownField)),
        ("the bitmap's bit", 1, b"1", Err(OutOfOrder { last: 1 })),
    ] {
        assert_eq!(put(|builder| builder.digits(field, digits).map(drop)), want, "{name}");
    }
}

#[test]
fn numbers_fill_their_field() {
    for (name, field, value, want) in [
        ("zero", 11, 0, Ok(vec![0, 0, 0])),
        ("the largest", 11, 999_999, Ok(vec![0x99, 0x99, 0x99])),
        ("one more", 11, 1_000_000, Err(NumberTooLarge { digits: 6 })),
        ("odd, left", 22, 21, Ok(vec![0x02, 0x10])),
        ("odd, right", 23, 1, Ok(vec![0x00, 0x01])),
        ("far too large", 11, u64::MAX, Err(NumberTooLarge { digits: 6 })),
        ("a variable field", 2, 1, Err(WrongClass)),
        ("text", 41, 1, Err(WrongClass)),
    ] {
        assert_eq!(put(|builder| builder.number(field, value).map(drop)), want, "{name}");
    }
}

#[test]
fn texts_and_bytes_are_checked() {
    for (name, field, value, want) in [
        ("an", 39, &b"A0"[..], Ok(b"A0".to_vec())),
        ("an with a sign", 39, b"A+", Err(Content { index: 1, rule: DecodeErrorKind::BadCharacter })),
        ("ans takes anything", 41, b"\x80\n+-*/ 1", Ok(b"\x80\n+-*/ 1".to_vec())),
        ("one short", 41, b"7700000", Err(WrongLength { needs: 8, given: 7 })),
        ("an, variable", 44, b"ab", Ok(b"\x02ab".to_vec())),
        ("digits", 3, b"000000", Err(WrongClass)),
        ("bytes", 52, b"12345678", Err(WrongClass)),
    ] {
        assert_eq!(put(|builder| builder.text(field, value).map(drop)), want, "{name}");
    }
    for (name, field, value, want) in [
        ("b", 52, &[0xFF; 8][..], Ok(vec![0xFF; 8])),
        ("b, one over", 52, &[0xFF; 9], Err(WrongLength { needs: 8, given: 9 })),
        ("tlv", 55, &[0x95, 1, 7], Ok(vec![0, 3, 0x95, 1, 7])),
        (
            "tlv, broken",
            55,
            &[0x95, 2, 7],
            Err(Content { index: 2, rule: DecodeErrorKind::TooShort { needs: 2, left: 1 } }),
        ),
        ("text", 41, b"77000001", Err(WrongClass)),
    ] {
        assert_eq!(put(|builder| builder.bytes(field, value).map(drop)), want, "{name}");
    }
}

#[test]
fn the_order_of_fields_is_kept() {
    assert_eq!(put(|b| b.number(11, 1)?.number(3, 0).map(drop)), Err(OutOfOrder { last: 11 }));
    assert_eq!(put(|b| b.number(11, 1)?.number(11, 1).map(drop)), Err(OutOfOrder { last: 11 }));
    assert_eq!(put(|b| b.mac_placeholder(62).map(drop)), Err(WrongClass));
    let behind_mac = |b: &mut Builder<'_, '_>| {
        b.mac_placeholder(52)?;
        b.bytes(64, &[0; 8]).map(drop)
    };
    assert_eq!(put(behind_mac), Err(AfterMac));
    // A caller that overlooks an error gets it again, not half a message.
    let overlooked = |b: &mut Builder<'_, '_>| {
        b.number(11, u64::MAX).err();
        b.text(41, b"77000001").map(drop)
    };
    assert_eq!(put(overlooked), Err(NumberTooLarge { digits: 6 }));
}

#[test]
fn several_messages_share_a_buffer_and_a_dropped_one_leaves_none() {
    let mut out = BytesMut::new();
    let mut first = Builder::new(Spec::pos(), &mut out, Mti::new(0x0210));
    first.number(11, 7).unwrap();
    let first = first.finish().unwrap();
    let mut dropped = Builder::new(Spec::pos(), &mut out, Mti::new(0x0210));
    dropped.number(11, 8).unwrap();
    assert_eq!(format!("{dropped:?}"), "Builder(pos 0210, fields [11])");
    drop(dropped);
    let mut second = Builder::new(Spec::pos(), &mut out, Mti::new(0x0410));
    let mac = second.number(11, 9).unwrap().mac_placeholder(64).unwrap();
    let second = second.finish().unwrap();
    assert_eq!((first.clone(), second.clone(), mac), (0..13, 13..34, 13));
    let message = Message::decode(Spec::pos(), &out[second]).unwrap();
    assert_eq!((message.number(11), message.start(64)), (Some(9), Some(mac)));
    assert_eq!(Message::decode(Spec::pos(), &out[first]).unwrap().number(11), Some(7));
}

#[test]
fn an_mti_that_is_none_is_refused() {
    let mut out = BytesMut::new();
    let error = Builder::new(Spec::pos(), &mut out, Mti::new(0x02F0)).finish().unwrap_err();
    assert_eq!((error.path, error.kind, out.len()), (FieldPath::Mti, BadMti, 0));
}

#[test]
fn an_mti_of_another_edition_is_refused_as_decoding_would() {
    let spec = Spec::shipped("iso1993-ascii").expect("shipped");
    for (mti, want) in [(0x1200, None), (0x0200, Some(WrongVersion)), (0x2200, Some(WrongVersion))] {
        let mut out = BytesMut::new();
        let built = Builder::new(spec, &mut out, Mti::new(mti)).finish();
        assert_eq!(
            built.err().map(|error| (error.path, error.kind)),
            want.map(|kind| (FieldPath::Mti, kind))
        );
        assert_eq!(Message::decode(spec, &out).is_ok(), want.is_none());
    }
}

#[test]
fn a_field_above_64_brings_the_secondary_bitmap() {
    let spec = Spec::from_toml(
        "name = \"wide\"\nmti = \"bcd\"\nbitmap = \"binary\"\n\
         [[field]]\nnumber = 3\nname = \"a\"\nclass = \"n\"\nlength = 6\n\
         [[field]]\nnumber = 70\nname = \"b\"\nclass = \"n\"\nlength = 3\nalign = \"right\"\n\
         [[field]]\nnumber = 128\nname = \"c\"\nclass = \"b\"\nlength = 8",
    )
    .unwrap();
    let mut out = BytesMut::new();
    let mut builder = Builder::new(&spec, &mut out, Mti::new(0x0800));
    let mac = builder.number(3, 123_456).unwrap().number(70, 301).unwrap().mac_placeholder(128).unwrap();
    builder.finish().unwrap();
    let head =
        [0x08, 0x00, 0xA0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x34, 0x56, 0x03, 0x01];
    assert_eq!((&out[..mac], &out[mac..]), (&head[..], &[0; 8][..]));
    let message = Message::decode(&spec, &out).unwrap();
    assert_eq!((message.number(70), message.start(128)), (Some(301), Some(mac)));
}

#[test]
fn the_longest_message_is_built_and_one_byte_more_is_not() {
    // 18 bytes of head and 65 fields of 999 leave 582 bytes for the last.
    for (last, want) in [(582, Ok(MESSAGE_BYTES_MAX)), (583, Err(MessageTooLong { max: MESSAGE_BYTES_MAX }))]
    {
        let row = |number: u8, length: u16| {
            format!("[[field]]\nnumber = {number}\nname = \"x\"\nclass = \"b\"\nlength = {length}\n")
        };
        let rows: String = (2..67).map(|number| row(number, 999)).chain([row(67, last)]).collect();
        let spec = format!("name = \"long\"\nmti = \"bcd\"\nbitmap = \"binary\"\n{rows}");
        let spec = Spec::from_toml(&spec).unwrap();
        let mut out = BytesMut::new();
        let mut builder = Builder::new(&spec, &mut out, Mti::new(0x0200));
        for number in 2..67 {
            builder.bytes(number, &[0; 999]).unwrap();
        }
        builder.bytes(67, &vec![0; last.into()]).ok();
        let built = builder.finish().map(|range| range.len()).map_err(|error| error.kind);
        assert_eq!(built, want);
        assert_eq!(out.len(), want.unwrap_or(0));
    }
}

#[test]
fn a_copy_says_the_same_with_a_clean_pad() {
    // Field 22 with a pad nibble of F, and field 41.
    let bytes = b"\x02\x00\x00\x00\x04\x00\x00\x80\x00\x00\x02\x1F77000001";
    let request = Message::decode(Spec::pos(), bytes).unwrap();
    let copied = put(|b| b.copy(3, &request)?.copy(22, &request)?.copy(41, &request).map(drop)).unwrap();
    assert_eq!(copied, b"\x02\x1077000001");
}

#[test]
fn a_warm_buffer_is_not_reallocated() {
    let mut out = BytesMut::with_capacity(64);
    let room = out.as_ptr();
    for _ in 0..3 {
        out.clear();
        let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
        builder.number(3, 0).unwrap().number(4, 100).unwrap().text(41, b"77000001").unwrap();
        builder.finish().unwrap();
        assert_eq!(out.as_ptr(), room);
    }
}
