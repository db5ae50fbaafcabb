//! Frames from public logs, and MAC inputs, in `fixtures/vectors/iso8583.json`.

use iso8583::{DecodeError, DecodeErrorKind, FieldPath, Message, Mti, Spec};

use crate::samples::{frame, rebuild, unhex, vectors};

#[test]
fn public_frames_decode_and_come_back_byte_for_byte() {
    for (id, mti, fields) in [
        ("CUP-0800", 0x0800, &[11, 41, 42, 60, 62, 63][..]),
        ("CUP-0810", 0x0810, &[11, 12, 13, 32, 37, 39, 41, 42, 60, 62]),
    ] {
        let bytes = frame(id);
        let message = Message::decode(Spec::pos(), &bytes).expect(id);
        assert_eq!(
            (message.mti(), message.fields().collect::<Vec<_>>()),
            (Mti::new(mti), fields.to_vec()),
            "{id}"
        );
        assert_eq!(rebuild(&message), bytes, "{id}");
    }
}

#[test]
fn a_sign_in_and_its_answer_say_what_the_source_says() {
    let bytes = frame("CUP-0800");
    let asked = Message::decode(Spec::pos(), &bytes).expect("valid");
    assert_eq!((asked.number(11), asked.text(41)), (Some(1), Some(&b"22003600"[..])));
    let f60 = asked.digits(60).expect("there");
    let part = |range| f60.slice(range).and_then(|part| part.to_u64());
    assert_eq!((f60.len(), part(0..2), part(2..8), part(8..11)), (11, Some(0), Some(0), Some(3)));
    assert_eq!((asked.raw(62).map(<[u8]>::len), asked.text(63)), (Some(25), Some(&b"001"[..])));

    let bytes = frame("CUP-0810");
    let answer = Message::decode(Spec::pos(), &bytes).expect("valid");
    assert_eq!(
        (answer.number(12), answer.number(13), answer.number(32)),
        (Some(221_301), Some(720), Some(85_500))
    );
    assert_eq!((answer.text(37), answer.text(39)), (Some(&b"221301491329"[..]), Some(&b"00"[..])));
    let keys: [u8; 40] = answer.fixed(62).expect("two keys with their check values");
    assert_eq!((&keys[..4], &keys[36..]), (&[0x46, 0xF1, 0x61, 0xA7][..], &[0xCF, 0xF1, 0x59, 0x2A][..]));
}

/// The bitmap of an earlier answer was left in place: it promises 12, 13 and 32, which are not there. The text in
/// their stead reads as time and date, until its `0` (30) stands where the length of field 32 should be.
#[test]
fn a_stale_bitmap_is_refused_at_the_first_impossible_length() {
    let bytes = frame("NEG-0800");
    let error = Message::decode(Spec::pos(), &bytes).expect_err("it promises fields that are not there");
    let kind = DecodeErrorKind::LengthOverMax { max: 11 };
    assert_eq!(error, DecodeError { path: FieldPath::Field(32), offset: 18, kind });
    assert_eq!(error.to_string(), "DE 32 at byte 18: length is over the maximum of 11");
}

/// MAC-3 is the text a MAC was made over: a whole message up to field 64, with the bit of field 64 set.
#[test]
fn a_mac_stops_where_its_field_starts() {
    let mac_3 = &vectors()["mac_ecb_unionpay"][1];
    assert_eq!(mac_3["id"], "MAC-3");
    let covered = unhex(mac_3["mab"].as_str().expect("hex"));
    let bytes = [&covered[..], &[0x45, 0x35, 0x38, 0x30, 0x35, 0x45, 0x43, 0x42]].concat();
    let message = Message::decode(Spec::pos(), &bytes).expect("valid");
    assert_eq!(
        (message.start(64), message.number(4), message.number(22)),
        (Some(covered.len()), Some(1), Some(32))
    );
}
