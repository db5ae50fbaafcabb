//! Guessing what bytes are: every wrapping of a message is found, and nothing that was hidden shows.

use bytes::BytesMut;
use iso8583::framing::{Framer, LengthHeader};
use iso8583::guess::{Guess, Reason, as_declared, explain, guess};
use iso8583::{Builder, Mti, Spec};

/// No card's, but its check digit is right. The digits between the first six and the last four occur nowhere else.
const PAN: &[u8] = b"6200009876543212";
const PAN_HIDDEN: &str = "987654";
const PAN_HIDDEN_HEX: &str = "39383736";

fn specs() -> [(&'static str, &'static Spec); 3] {
    [("pos", Spec::pos()), ("atm", Spec::atm()), ("atm, binary bitmap", Spec::atm_binary_bitmap())]
}

/// A withdrawal or purchase with a card number and a PIN block.
fn message(spec: &Spec) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec, &mut out, Mti::new(0x0200));
    let mut fill = || {
        builder.digits(2, PAN)?.number(3, 10_000)?.number(4, 10_000)?.number(11, 42)?.number(12, 93_100)?;
        builder.text(41, b"77000001")?.text(42, b"888000000000001")?.bytes(52, &[0xA5; 8]).map(drop)
    };
    fill().expect("the sample obeys every table");
    builder.finish().expect("the sample obeys every table");
    out.to_vec()
}

fn framed(length: &str, frame: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let length: LengthHeader = length.parse().expect("a length");
    Framer::new(length, 70_000).put(frame, &mut out).expect("short enough");
    out.to_vec()
}

const TPDU: &[u8] = &[0x60, 0x00, 0x03, 0x00, 0x00];
const APPLICATION: &[u8] = &[0x61, 0x31, 0x00, 0x31, 0x11, 0x08];

fn dial() -> Vec<u8> {
    [&b"LRI\x00\x1C"[..], &[0x02, 0x10, 0x98, 0x76, 0x54, 0xFF, 0xFF, 0xFF], &[0xFF; 8], &[0; 12]].concat()
}

#[test]
fn a_specification_that_declares_its_frames_is_read_by_them() {
    let message = message(Spec::pos());
    let frame = framed("binary2", &[TPDU, APPLICATION, &message].concat());
    let read = as_declared(&frame, "pos", Spec::pos()).expect("it says how");
    assert!(read.fits(), "{read}");
    assert_eq!((read.message, read.fields), (13..frame.len(), 8));
    assert_eq!(read.headers.to_string(), "tpdu + application");
    for other in [&message[..], &frame[2..], &framed("ascii4", &frame[2..]), &frame[..frame.len() - 1], &[]] {
        let read = as_declared(other, "pos", Spec::pos()).expect("it says how");
        assert!(!read.fits(), "{read}");
    }
    assert_eq!(as_declared(&frame, "atm", Spec::atm()), None);
    // A guess tries what a specification declares too.
    let odd = "header = [\"opaque:3\", \"tpdu\"]\nmti =";
    let odd =
        Spec::from_toml(&Spec::shipped_toml("atm").expect("shipped").replace("mti =", odd)).expect("valid");
    let bytes = framed("hex4", &[b"xyz", TPDU, &self::message(&odd)].concat());
    let guesses = guess(&bytes, &[("odd", &odd)]);
    assert!(guesses[0].fits() && guesses[0].headers.to_string() == "opaque:3 + tpdu", "{}", guesses[0]);
}

#[test]
fn every_wrapping_of_every_dialect_is_found_first() {
    let headers: [(&str, Vec<u8>); 7] = [
        ("none", vec![]),
        ("tpdu", TPDU.to_vec()),
        ("tpdu + application", [TPDU, APPLICATION].concat()),
        ("dial + tpdu", [&dial(), TPDU].concat()),
        ("dial + tpdu + application", [&dial(), TPDU, APPLICATION].concat()),
        ("text:ISO?????????", b"ISO016000055".to_vec()),
        ("opaque:7", vec![0xEE, 1, 2, 3, 4, 5, 6]),
    ];
    for (name, spec) in specs() {
        for (header, front) in &headers {
            let frame = [&front[..], &message(spec)].concat();
            for length in LengthHeader::all().filter(|length| length.max() >= frame.len()) {
                let bytes = framed(&length.to_string(), &frame);
                let guesses = guess(&bytes, &specs());
                let best = &guesses[0];
                let found = (best.length, best.headers.to_string(), best.spec);
                assert!(best.fits(), "{name} {header} {length}\n{}", explain(&guesses));
                assert_eq!(found, (Some(length), (*header).to_owned(), Some(name)));
                assert_eq!((best.message.end, best.read_to, best.fields), (bytes.len(), bytes.len(), 8));
                assert_eq!(guesses.iter().filter(|guess| guess.fits()).count(), 1, "{}", explain(&guesses));
            }
            let bare = guess(&frame, &specs());
            let best = &bare[0];
            assert_eq!(
                (best.length, best.headers.to_string(), best.spec),
                (None, (*header).to_owned(), Some(name))
            );
        }
    }
}

#[test]
fn a_message_of_every_shipped_specification_is_found_in_a_frame() {
    let specs: Vec<_> =
        Spec::shipped_names().map(|name| (name, Spec::shipped(name).expect("shipped"))).collect();
    for &(name, spec) in &specs {
        let mut message = BytesMut::new();
        let mti = match name {
            "iso1993-ascii" | "iso1993-binary" | "ipm" => 0x1200,
            "iso2003-binary" => 0x2200,
            _ => 0x0200,
        };
        let mut builder = Builder::new(spec, &mut message, Mti::new(mti));
        let fill = builder.digits(2, PAN).and_then(|builder| builder.text(38, b"ABC123"));
        fill.expect("every table has these");
        builder.finish().expect("every table has these");
        let guesses = guess(&framed("ascii4", &message), &specs);
        let found = guesses.iter().find(|guess| guess.spec == Some(name) && guess.fits());
        let found = found.unwrap_or_else(|| panic!("{name}\n{}", explain(&guesses)));
        assert_eq!((found.length, found.score), (Some(LengthHeader::ASCII_4), guesses[0].score), "{name}");
        // What is written otherwise does not fit.
        let ebcdic = |name: &str| name == "ipm";
        assert!(
            guesses
                .iter()
                .filter(|guess| guess.fits())
                .all(|guess| guess.spec.is_some_and(ebcdic) == ebcdic(name))
        );
        hides(&guesses);
    }
}

#[test]
fn what_speaks_for_a_guess_is_told_in_order() {
    let bytes = framed("binary2", &[TPDU, APPLICATION, &message(Spec::pos())].concat());
    let guesses = guess(&bytes, &specs());
    assert_eq!(
        guesses[0].to_string(),
        "length binary2, headers tpdu + application, pos: fits, score 95 of 100; the message begins at byte 13\n  \
         + length header says 76, 76 follow\n  \
         + the headers are there, from byte 2 on\n  \
         + MTI 0200, financial request\n  \
         + every field decodes: 8, up to the last byte\n  \
         + card number passes Luhn\n  \
         + DE 12 is a possible time"
    );
}

#[test]
fn the_others_are_refused_with_a_place_and_a_reason() {
    let bytes = framed("binary2", &[TPDU, APPLICATION, &message(Spec::pos())].concat());
    let guesses = guess(&bytes, &specs());
    let why = |wanted: &dyn Fn(&Guess<'_>) -> bool| {
        let found = guesses.iter().find(|guess| wanted(guess)).expect("it was tried");
        found.fault.as_ref().expect("it does not fit").to_string()
    };
    let length = |name: &str| {
        let length: LengthHeader = name.parse().expect("a length");
        why(&move |guess| guess.length == Some(length))
    };
    let binary = Some(LengthHeader::BINARY_2);
    let behind = |headers: &'static str, spec: Option<&'static str>| {
        why(&move |guess| {
            guess.length == binary && guess.headers.to_string() == headers && guess.spec == spec
        })
    };
    assert_eq!(length("ascii4"), "byte 0 is no decimal character (30 to 39)");
    assert_eq!(length("bcd2"), "byte 1 is not two decimal digits");
    assert_eq!(length("binary2+self"), "byte 0: length header says 76, its own bytes among them, 76 follow");
    assert_eq!(length("binary4"), "byte 0: a length longer than any message");
    assert_eq!(
        behind("dial + tpdu", None),
        "dial record at byte 2: a dial record begins with LRI and a length of 28"
    );
    assert_eq!(behind("none", Some("pos")), "DE 7 at byte 12: not in the field table");
    assert_eq!(behind("tpdu + application", Some("atm")), "MTI at byte 13: not a digit");
    let text = explain(&guesses).to_string();
    assert!(
        text.contains("Why not otherwise:\n") && text.contains("length ascii2; length ascii2+self"),
        "{text}"
    );
}

#[test]
fn a_frame_cut_short_is_read_as_far_as_it_goes() {
    let whole = framed("binary2", &[TPDU, APPLICATION, &message(Spec::pos())].concat());
    let bytes = &whole[..whole.len() - 5];
    let guesses = guess(bytes, &specs());
    let text = guesses[0].to_string();
    assert!(!guesses[0].fits() && guesses[0].fields == 7, "{text}");
    assert!(
        text.contains("- byte 0: length header says 76, 71 follow\n    (part of the frame is missing"),
        "{text}"
    );
    assert!(explain(&guesses).to_string().starts_with("Nothing fits whole. The nearest:\n"), "{text}");
}

#[test]
fn several_frames_are_seen_and_the_first_is_read() {
    let frame = framed("ascii4", &message(Spec::atm()));
    let guesses = guess(&[&frame[..], &frame, &frame].concat(), &specs());
    let best = &guesses[0];
    assert!(best.fits() && best.message == (4..frame.len()), "{best}");
    assert!(best.reasons.contains(&Reason::SeveralFrames { says: 107, frames: 3 }), "{best}");
}

#[test]
fn a_line_feed_behind_a_frame_is_told() {
    let frame = framed("ascii4", &message(Spec::atm()));
    let guesses = guess(&[&frame[..], b"\n"].concat(), &specs());
    let text = guesses[0].to_string();
    assert!(text.contains("length header says 107, 108 follow\n    (something follows the frame"), "{text}");
}

#[test]
fn a_wrong_field_is_pointed_at_in_the_nearest_guess() {
    let mut bytes = framed("binary2", &[TPDU, APPLICATION, &message(Spec::pos())].concat());
    // The amount, whose digits now have a letter among them.
    let at = 13 + 10 + 9 + 3 + 2;
    bytes[at] = 0xA0;
    let guesses = guess(&bytes, &specs());
    let best = &guesses[0];
    assert_eq!((best.spec, best.fits(), best.read_to), (Some("pos"), false, at), "{best}");
    assert!(best.to_string().contains(&format!("- DE 4 at byte {at}: not a digit\n")), "{best}");
}

#[test]
fn nothing_is_guessed_from_nothing() {
    assert!(guess(&[], &specs()).is_empty());
    assert_eq!(explain(&[]).to_string(), "there is nothing to guess from");
    let alone = guess(&[0x02], &[]);
    assert!(!alone.iter().any(|guess| guess.spec.is_some()), "no specification, no message");
}

/// What must hold for any bytes.
fn examine(bytes: &[u8]) -> Vec<Guess<'static>> {
    let guesses = guess(bytes, &specs());
    for guess in &guesses {
        assert!(guess.read_to <= bytes.len() && guess.message.end <= bytes.len(), "{guess}");
        assert!(guess.fault.as_ref().is_none_or(|fault| fault.offset <= bytes.len()), "{guess}");
    }
    assert!(guesses.is_sorted_by_key(|guess| std::cmp::Reverse(guess.score)));
    guesses
}

#[test]
fn no_card_number_shows_wherever_the_bytes_are_cut_or_changed() {
    for (_, spec) in specs() {
        let mut bytes = framed("binary2", &[TPDU, &message(spec)].concat());
        for end in 0..bytes.len() {
            hides(&examine(&bytes[..end]));
            hides(&examine(&bytes[end..]));
        }
        for at in 0..bytes.len() {
            let good = bytes[at];
            for other in [0x00, 0x02, b'0', 0x99, 0xFF] {
                bytes[at] = other;
                hides(&examine(&bytes));
            }
            bytes[at] = good;
        }
    }
}

fn hides(guesses: &[Guess<'_>]) {
    let text = format!("{}{guesses:?}", explain(guesses));
    assert!(!text.contains(PAN_HIDDEN) && !text.contains(PAN_HIDDEN_HEX), "{text}");
}

#[test]
fn the_longest_input_is_answered_whatever_it_is() {
    let most = 65_535;
    let digits = vec![b'0'; most];
    let message = [message(Spec::atm()), vec![b'9'; most]].concat();
    let frames = framed("binary2", b"0").repeat(most / 3);
    for bytes in [&digits[..], &vec![0; most], &vec![0xFF; most], &vec![0x60; 2 * most], &message, &frames] {
        let guesses = examine(bytes);
        assert!(guesses.len() <= 25 * (6 * specs().len() + 1), "{} guesses", guesses.len());
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_place_lies_inside(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            examine(&bytes);
        }

        #[test]
        fn nor_do_bytes_that_look_like_frames(
            front in prop::collection::vec(prop_oneof![Just(0u8), b'0'..=b'9', 0u8..99], 0..6),
            headers in prop::sample::select(vec![vec![], TPDU.to_vec(), dial(), b"ISO016000055".to_vec()]),
            which in 0..3usize,
            keep in any::<prop::sample::Index>(),
        ) {
            let message = message(specs()[which].1);
            let bytes = [&front[..], &headers, &message[..keep.index(message.len() + 1)]].concat();
            hides(&examine(&bytes));
        }
    }
}
