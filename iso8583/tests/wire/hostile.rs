//! Bytes from whoever can reach the port: no panic, errors that point inside, and no card number in sight.

use iso8583::{Message, Spec};
use proptest::prelude::*;

use crate::samples::{self, PAN_HIDDEN};

/// What must hold for any bytes at all under a table. Returns whether they decode.
pub(crate) fn examine(spec: &Spec, bytes: &[u8]) -> bool {
    let (message, error) = Message::decode_partial(spec, bytes);
    assert_eq!(Message::decode(spec, bytes).err(), error, "both ways of decoding agree");
    if let Some(error) = error {
        assert!(error.offset <= bytes.len(), "{error}");
    }
    let mut end = 0;
    for number in message.fields() {
        let (start, span) = (message.start(number).expect("there"), message.span(number).expect("there"));
        assert!(end <= start && start <= span.start && span.end <= bytes.len(), "DE {number}");
        assert_eq!(message.raw(number), Some(&bytes[span.clone()]), "DE {number}");
        end = span.end;
        for object in message.simple_tlvs(number).into_iter().flatten() {
            assert!(object.err().is_none_or(|error| error.offset <= span.end), "DE {number}");
        }
    }
    let lines = message.describe().to_string();
    assert_eq!(lines.lines().count(), 1 + message.fields().count(), "one line per field");
    assert!(lines.starts_with(&format!("MTI {}", message.mti())));
    for text in [
        lines,
        format!("{message:?}"),
        format!("{error:?} {}", error.map_or(String::new(), |e| e.to_string())),
    ] {
        assert!(!text.contains(PAN_HIDDEN), "a card number shows: {text}");
    }
    error.is_none()
}

#[test]
fn the_samples_are_good_and_show_no_card_number() {
    for (spec, bytes) in samples::all() {
        assert!(examine(spec, &bytes));
    }
    let bytes = samples::purchase();
    let message = Message::decode(Spec::pos(), &bytes).expect("valid");
    let lines = message.describe().to_string();
    assert!(lines.contains("620000******3214") && lines.contains("DE 35 track 2: …(19 bytes)"), "{lines}");
    assert!(
        lines.contains("DE 52 PIN block: …(8 bytes)") && lines.contains("DE 55 chip data: …(15 bytes)"),
        "{lines}"
    );
    let bytes = samples::pin_change(Spec::atm());
    let lines = Message::decode(Spec::atm(), &bytes).expect("valid").describe().to_string();
    for line in [
        "DE 2 primary account number: 620000******3214",
        "DE 14 expiry: …(4 bytes)",
        "DE 28 transaction fee: \"D00000200\"",
        "DE 36 track 3: …(56 bytes)",
        "DE 45 track 1: …(36 bytes)",
        "DE 52 PIN block: …(16 bytes)",
        "DE 102 account 1: …(16 bytes)",
        "DE 125 new PIN block: …(16 bytes)",
        "DE 128 MAC, secondary: …(16 bytes)",
    ] {
        assert!(lines.lines().any(|found| found == line), "{line} is not in\n{lines}");
    }
}

#[test]
fn views_of_a_card_number_show_none() {
    let bytes = samples::purchase();
    let message = Message::decode(Spec::pos(), &bytes).expect("valid");
    let track = format!("{:?} {:?} {:?}", message.digits(2), message.digits(35), message.tlvs(55));
    assert_eq!(
        track,
        "Some(Digits(…16)) Some(Digits(…37)) Some([Tlv(9F26: …(2 bytes)), Tlv(5A: …(8 bytes))])"
    );
}

#[test]
fn every_truncation_is_an_error() {
    for (spec, bytes) in samples::all() {
        for length in 0..bytes.len() {
            assert!(!examine(spec, &bytes[..length]), "a message cut to {length} bytes");
        }
    }
}

#[test]
fn every_change_of_one_byte_is_survived() {
    for (spec, mut bytes) in samples::all() {
        for at in 0..bytes.len() {
            let good = bytes[at];
            for other in 0..=u8::MAX {
                bytes[at] = other;
                examine(spec, &bytes);
            }
            bytes[at] = good;
        }
    }
}

/// A bitmap with any defined fields, and a body in which lengths and digits are likely to be good.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let bcd = (0u8..10, 0u8..10).prop_map(|(high, low)| high << 4 | low);
    let byte = prop_oneof![4 => Just(0), 4 => bcd, 1 => any::<u8>()];
    (any::<u64>(), prop::collection::vec(byte, 0..400)).prop_map(|(bits, body)| {
        let defined = (2..=64).filter(|&number| Spec::pos().field(number).is_some());
        let bitmap = defined.fold(0u64, |bitmap, number| bitmap | 1 << (64 - number)) & bits;
        [&[0x02, 0x00][..], &bitmap.to_be_bytes(), &body].concat()
    })
}

/// The same under both tables in ASCII, a quarter of the time with a secondary bitmap.
fn plausible_ascii() -> impl Strategy<Value = (&'static Spec, Vec<u8>)> {
    let byte = prop_oneof![6 => Just(b'0'), 4 => b'0'..=b'9', 1 => b'A'..=b'F', 1 => any::<u8>()];
    (any::<bool>(), any::<u128>(), any::<u128>(), prop::collection::vec(byte, 0..600)).prop_map(
        |(hex, some, others, body)| {
            let spec = if hex { Spec::atm() } else { Spec::atm_binary_bitmap() };
            let defined = (2..=128).filter(|&number| spec.field(number).is_some());
            let bits = defined.fold(1u128 << 127, |bits, number| bits | 1 << (128 - number)) & some & others;
            // Without bit 1 nothing above 64 is promised.
            let bitmaps = if hex { format!("{bits:032X}").into_bytes() } else { bits.to_be_bytes().to_vec() };
            let bitmaps = if bits >> 127 == 0 { &bitmaps[..bitmaps.len() / 2] } else { &bitmaps };
            (spec, [b"0200", bitmaps, &body].concat())
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_panic_and_errors_point_inside(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for spec in samples::specs() {
            examine(spec, &bytes);
        }
    }

    #[test]
    fn nothing_that_looks_like_a_message_panics(bytes in plausible()) {
        examine(Spec::pos(), &bytes);
    }

    #[test]
    fn nothing_that_looks_like_a_message_in_ascii_panics((spec, bytes) in plausible_ascii()) {
        examine(spec, &bytes);
    }

    #[test]
    fn a_sample_with_several_changes_is_survived(
        which in 0..5usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (spec, mut bytes) = samples::all().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        examine(spec, &bytes);
    }
}
