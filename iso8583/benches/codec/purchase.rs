//! A purchase of 20 fields as two editions write it: its values, how a program would build it, and what it reads back.

use bytes::BytesMut;
use iso8583::{Builder, EncodeError, Message, Mti, Spec};

/// No card's.
const PAN: &[u8] = b"6200009876543214";
const TRACK_2: &[u8] = b"6200009876543214=30122010000012300000";

/// What the chip says: the objects of a contact EMV authorization request, 96 bytes.
const CHIP: &[u8] = b"\x9F\x26\x08\x01\x23\x45\x67\x89\xAB\xCD\xEF\x9F\x27\x01\x80\x9F\x10\x07\x06\x01\x0A\x03\xA0\xA8\
    \x00\x9F\x37\x04\x5C\x1D\x2E\x3F\x9F\x36\x02\x00\x2A\x95\x05\x00\x80\x04\xE0\x00\x9A\x03\x26\x11\x22\x9C\x01\x00\
    \x9F\x02\x06\x00\x00\x00\x01\x00\x00\x5F\x2A\x02\x01\x56\x82\x02\x7C\x00\x9F\x1A\x02\x01\x56\x9F\x03\x06\x00\x00\
    \x00\x00\x00\x00\x9F\x33\x03\xE0\xF0\xC8\x9F\x34\x03\x02\x03\x00";

/// How a purchase is written.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Ascii,
    Packed,
}

impl Form {
    pub(crate) const ALL: [Form; 2] = [Form::Ascii, Form::Packed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::Ascii => "ascii",
            Form::Packed => "packed",
        }
    }

    pub(crate) fn spec(self) -> &'static Spec {
        let name = match self {
            Form::Ascii => "iso1987-ascii",
            Form::Packed => "iso1987-binary",
        };
        Spec::shipped(name).expect("it is shipped")
    }

    /// What field 55 holds, which is text in the standard: hex where everything is a character.
    pub(crate) fn chip(self) -> Vec<u8> {
        match self {
            Form::Ascii => CHIP.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect(),
            Form::Packed => CHIP.to_vec(),
        }
    }

    /// The message, built anew.
    pub(crate) fn message(self) -> BytesMut {
        let mut out = BytesMut::new();
        write(self.spec(), &self.chip(), &mut out).expect("the values fit");
        out
    }
}

/// Writes the message to the end of a buffer.
#[inline(never)]
pub(crate) fn write(spec: &Spec, chip: &[u8], out: &mut BytesMut) -> Result<usize, EncodeError> {
    let mut builder = Builder::new(spec, out, Mti::new(0x0200));
    builder
        .digits(2, PAN)?
        .number(3, 0)?
        .number(4, 12_345)?
        .number(7, 1_122_093_100)?
        .number(11, 42)?
        .number(12, 93_100)?
        .number(13, 1_122)?
        .digits(14, b"3012")?
        .digits(18, b"5411")?
        .digits(22, b"051")?
        .digits(25, b"00")?
        .digits(26, b"12")?
        .digits(32, b"48010000")?
        .digits(35, TRACK_2)?
        .text(37, b"532617000042")?
        .text(41, b"77000001")?
        .text(42, b"888000000000001")?
        .text(49, b"156")?
        .bytes(52, &[0xA5; 8])?
        .text(55, chip)?;
    builder.finish().map(|range| range.len())
}

/// Every value is there and is what was written.
pub(crate) fn prove(message: &Message<'_>, chip: &[u8]) {
    let fields: Vec<u8> = message.fields().collect();
    assert_eq!(fields, [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 26, 32, 35, 37, 41, 42, 49, 52, 55]);
    for (number, want) in [
        (3, 0),
        (4, 12_345),
        (7, 1_122_093_100),
        (11, 42),
        (12, 93_100),
        (13, 1_122),
        (14, 3_012),
        (18, 5_411),
        (22, 51),
        (25, 0),
        (26, 12),
        (32, 48_010_000),
    ] {
        assert_eq!(message.number(number), Some(want), "DE {number}");
    }
    for (number, want) in [(2, PAN), (35, TRACK_2)] {
        let mut room = [0; 37];
        let digits = message.digits(number).expect("digits");
        assert!(digits.copy_ascii(&mut room) == Some(want), "DE {number}");
    }
    for (number, want) in
        [(37, &b"532617000042"[..]), (41, b"77000001"), (42, b"888000000000001"), (49, b"156"), (55, chip)]
    {
        assert!(message.text(number) == Some(want), "DE {number}");
    }
    assert_eq!(message.fixed(52), Some([0xA5; 8]), "DE 52");
}
