//! Messages the other modules try things on.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use iso8583::{Builder, Class, EncodeError, Encoding, Message, Mti, Spec};

/// No card's: the digits between the first six and the last four occur nowhere else in the samples.
pub(crate) const PAN: &[u8] = b"6200009876543214";
/// The digits of [`PAN`] that nobody may see.
pub(crate) const PAN_HIDDEN: &str = "987654";

/// A file in the project's fixtures.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

/// Every table of the crate.
pub(crate) fn specs() -> [&'static Spec; 3] {
    [Spec::pos(), Spec::atm(), Spec::atm_binary_bitmap()]
}

/// A purchase with chip, PIN and both kinds of card data.
pub(crate) fn purchase() -> BytesMut {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(Spec::pos(), &mut out, Mti::new(0x0200));
    let mut fill = || {
        builder.digits(2, PAN)?.number(3, 0)?.number(4, 10_000)?.number(11, 42)?.digits(14, b"3012")?;
        builder.digits(22, b"051")?.digits(23, b"001")?.digits(25, b"00")?.digits(26, b"06")?;
        builder.digits(35, &[PAN, b"=30122010000012300000"].concat())?;
        builder.digits(36, &[b"99", PAN, b"=1561560500050000000=2100000000000=0=0"].concat())?;
        builder.text(41, b"77000001")?.text(42, b"888000000000001")?.text(49, b"156")?;
        builder.bytes(52, &[0xA5; 8])?.digits(53, b"2610000000000000")?;
        builder.bytes(55, &[0x9F, 0x26, 2, 0xAA, 0xBB, 0x5A, 8, 0x62, 0, 0, 0x98, 0x76, 0x54, 0x32, 0x14])?;
        builder.digits(60, b"22000001000501")?.mac_placeholder(64)
    };
    fill().expect("the sample obeys the table");
    builder.finish().expect("the sample obeys the table");
    out
}

/// The public vectors.
pub(crate) fn vectors() -> serde_json::Value {
    let text = fs::read_to_string(fixture("vectors/iso8583.json")).expect("the vectors are there");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

/// A UnionPay frame of the vectors, without its length, TPDU and header.
pub(crate) fn frame(id: &str) -> Vec<u8> {
    let vectors = vectors();
    let frames = vectors["unionpay_pos_frames"].as_array().expect("a list");
    let frame = frames.iter().find(|frame| frame["id"] == id).expect("the frame is there");
    unhex(frame["hex"].as_str().expect("hex")).split_off(2 + 5 + 6)
}

/// A change of PIN at a cash machine, with all three tracks and both bitmaps.
pub(crate) fn pin_change(spec: &Spec) -> BytesMut {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec, &mut out, Mti::new(0x0200));
    let mut fill = || {
        builder.digits(2, PAN)?.number(3, 900_000)?.number(7, 1_122_093_100)?.number(11, 42)?;
        builder.digits(14, b"3012")?.digits(22, b"021")?.text(28, b"D00000200")?.digits(32, b"48010000")?;
        builder.digits(35, &[PAN, b"=30122010000012300000"].concat())?;
        builder.digits(36, &[b"99", PAN, b"=1561560500050000000=2100000000000=0=0"].concat())?;
        builder.text(37, b"532617000042")?.text(41, b"51000001")?.text(42, b"888000000000051")?;
        builder.text(45, &[b"B", PAN, b"^SOMEBODY/A^3012520"].concat())?;
        builder.bytes(52, &[0xA5; 8])?.text(102, PAN)?.text(125, b"0123456789ABCDEF")?.mac_placeholder(128)
    };
    fill().expect("the sample obeys the table");
    builder.finish().expect("the sample obeys the table");
    out
}

/// All samples that decode, with their tables.
pub(crate) fn all() -> Vec<(&'static Spec, Vec<u8>)> {
    let [pos, atm, binary] = specs();
    vec![
        (pos, purchase().to_vec()),
        (pos, frame("CUP-0800")),
        (pos, frame("CUP-0810")),
        (atm, pin_change(atm).to_vec()),
        (binary, pin_change(binary).to_vec()),
    ]
}

/// A field's value in the form in which its `Builder` method takes it.
pub(crate) fn value(message: &Message<'_>, number: u8) -> Vec<u8> {
    let field = message.spec().field(number).expect("in the table");
    match (field.class(), field.encoding()) {
        (Class::Numeric | Class::Track, _) => {
            let mut room = [0; 999];
            let digits = message.digits(number).expect("digits");
            digits.copy_ascii(&mut room).expect("enough room").to_vec()
        }
        (Class::Alphanumeric | Class::Text | Class::Signed, _) => {
            message.text(number).expect("text").to_vec()
        }
        (Class::Binary | Class::Tlv, Encoding::Packed) => message.raw(number).expect("bytes").to_vec(),
        // Every `b` field of an ASCII table of this crate has 8 bytes.
        (Class::Binary | Class::Tlv, _) => message.fixed::<8>(number).expect("8 bytes").to_vec(),
    }
}

/// Puts a value by the method that its class asks for.
pub(crate) fn put(
    builder: &mut Builder<'_, '_>,
    class: Class,
    number: u8,
    value: &[u8],
) -> Result<(), EncodeError> {
    match class {
        Class::Numeric | Class::Track => builder.digits(number, value).map(drop),
        Class::Alphanumeric | Class::Text | Class::Signed => builder.text(number, value).map(drop),
        Class::Binary | Class::Tlv => builder.bytes(number, value).map(drop),
    }
}

/// The same message put together anew from what the views say of it.
pub(crate) fn rebuild(message: &Message<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(message.spec(), &mut out, message.mti());
    for number in message.fields() {
        let class = message.spec().field(number).expect("in the table").class();
        put(&mut builder, class, number, &value(message, number)).expect("what was decoded can be built");
    }
    builder.finish().expect("what was decoded can be built");
    out
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}
