//! Every shipped specification, and one with everything in it, under any bytes: no panic, errors that point inside,
//! and what decodes goes there and back again.

use std::sync::LazyLock;

use bytes::BytesMut;
use iso8583::{Message, Spec, SpecFile, json};
use proptest::prelude::*;

use crate::any;
use crate::everything::EVERYTHING;

/// The files that are tried, with their tables; read once, since every case asks for all.
fn tried() -> &'static [(SpecFile, Spec)] {
    static TRIED: LazyLock<Vec<(SpecFile, Spec)>> = LazyLock::new(|| {
        let shipped = Spec::shipped_names().map(|name| Spec::shipped_toml(name).expect("shipped"));
        let texts = shipped.chain([EVERYTHING]);
        let files = texts.map(|text| SpecFile::from_toml(text).expect("it reads"));
        let compile = |file| (SpecFile::clone(&file), Spec::compile(&file).expect("it compiles"));
        files.map(compile).collect()
    });
    &TRIED
}

/// Decodes bytes, and does with the message, or what there is of it, whatever can be done.
fn examine(spec: &Spec, bytes: &[u8]) {
    let (message, error) = Message::decode_partial(spec, bytes);
    assert!(!message.describe().to_string().is_empty() && !format!("{message:?}").is_empty());
    assert!(message.to_json().is_object());
    let told = message.validate(&iso8583::Rules::ALL).into_iter().map(|fault| fault.to_string());
    assert!(told.into_iter().all(|fault| fault.starts_with("DE ")));
    if let Some(error) = error {
        assert!(error.offset <= bytes.len(), "{error}");
        assert!(error.to_string().contains(" at byte "), "{error}");
        return;
    }
    let mut again = BytesMut::new();
    message.repack(&mut again).expect("what was decoded can be packed");
    assert_eq!(&again[..], bytes, "identity, {message:?}");
    there_and_back(spec, &message);
}

/// The same values, put into a new message from JSON, and by copying.
fn there_and_back(spec: &Spec, message: &Message<'_>) {
    let mut out = BytesMut::new();
    let clear = message.to_json_clear();
    if let Ok(built) = json::from_json(spec, &clear, &mut out) {
        let rebuilt = Message::decode(spec, &out[built]).expect("what was built decodes");
        assert_eq!(rebuilt.to_json_clear(), clear);
    }
}

#[test]
fn what_is_built_decodes_and_comes_back() {
    for (file, spec) in tried() {
        for seed in 1..40 {
            let bytes = any::message(file, spec, seed * 0x9E37_79B9, 5);
            let message =
                Message::decode(spec, &bytes).unwrap_or_else(|error| panic!("{}: {error}", file.name));
            examine(spec, &bytes);
            let mut out = BytesMut::new();
            let built = json::from_json(spec, &message.to_json_clear(), &mut out).expect("JSON comes back");
            let rebuilt = Message::decode(spec, &out[built]).expect("what was built decodes");
            assert!(rebuilt == message, "{}: {message:?} {rebuilt:?}", file.name);
        }
    }
}

#[test]
fn every_truncation_and_every_change_of_one_byte_is_survived() {
    for (file, spec) in tried() {
        let sample = any::message(file, spec, 77, 3);
        for end in 0..sample.len() {
            assert!(Message::decode(spec, &sample[..end]).is_err(), "{} cut at {end}", file.name);
            examine(spec, &sample[..end]);
        }
        for at in 0..sample.len() {
            let mut changed = sample.to_vec();
            for flip in [0x01, 0x10, 0x80, 0xFF, sample[at]] {
                changed[at] = sample[at] ^ flip;
                examine(spec, &changed);
            }
        }
    }
}

/// What a person may see of any bytes: a line for each field, or a place inside them.
fn is_shown_or_placed(spec: &Spec, bytes: &[u8]) {
    match Message::decode(spec, bytes) {
        Ok(message) => {
            let lines = message.describe().to_string();
            assert!(lines.starts_with("MTI ") && lines.lines().count() > message.fields().count(), "{lines}");
        }
        Err(error) => {
            assert!(error.offset <= bytes.len() && error.to_string().contains(" at byte "), "{error}");
        }
    }
}

#[test]
fn every_byte_of_a_sample_of_every_specification_may_be_any_other() {
    for (file, spec) in tried() {
        // A sample of some fields, so that all bytes of all samples take seconds and not minutes.
        let mut sample = (1..).map(|seed| any::message(file, spec, seed, 2)).find(|bytes| bytes.len() < 256);
        let mut changed = sample.take().expect("one is short enough").to_vec();
        for at in 0..changed.len() {
            let good = changed[at];
            for other in 0..=u8::MAX {
                changed[at] = other;
                is_shown_or_placed(spec, &changed);
            }
            changed[at] = good;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for (_, spec) in tried() {
            examine(spec, &bytes);
        }
    }

    #[test]
    fn a_message_with_several_changes_is_survived(
        seed: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for (file, spec) in tried() {
            let mut bytes = any::message(file, spec, seed, 4).to_vec();
            examine(spec, &bytes);
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            examine(spec, &bytes);
        }
    }
}
