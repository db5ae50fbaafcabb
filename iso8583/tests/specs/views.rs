//! What is said of a message: printed, as JSON, compared, and judged.

use bytes::BytesMut;
use iso8583::json::{self, JsonError};
use iso8583::{Builder, FaultKind, Message, Mti, Rules, Spec};
use serde_json::{Value, json};

const CARD: &[u8] = b"6200009876543213";

fn shipped(name: &str) -> &'static Spec {
    Spec::shipped(name).expect("shipped")
}

/// A clearing record with private data, of which one subelement is unknown.
fn clearing() -> BytesMut {
    let mut out = BytesMut::new();
    let mut builder = Builder::new(shipped("ipm"), &mut out, Mti::new(0x1240));
    let mut fill = || {
        builder.digits(2, CARD)?.number(3, 0)?.text(43, b"SHOP\\STREET 1\\TOWN")?;
        builder.parts(48, |parts| {
            parts.text("PDS0052", b"210")?.text("PDS0159", b"6200009876543213")?.bytes("0999", b"secret")?;
            Ok(())
        })?;
        builder.parts(55, |parts| parts.digits("5A", CARD)?.bytes("9F36", &[0, 42]).map(drop)).map(drop)
    };
    fill().expect("it obeys the specification");
    builder.finish().expect("it obeys the specification");
    out
}

#[test]
fn each_part_is_shown_as_its_own_row_allows() {
    let bytes = clearing();
    let message = Message::decode(shipped("ipm"), &bytes).expect("valid");
    assert_eq!(
        message.describe().to_string(),
        "MTI 1240\n\
         DE 2 primary account number: 620000******3213\n\
         DE 3 processing code: 000000\n\
         DE 43 merchant name and place: …(18 bytes)\n\
         DE 48 additional data: 3 parts\n\
         DE 48.PDS0052 electronic commerce indicator: \"210\"\n\
         DE 48.PDS0159 settlement data: …(16 bytes)\n\
         DE 48.PDS0999 (not in the field table): …(6 bytes)\n\
         DE 55 chip data: 2 parts\n\
         DE 55.5A card number: 620000******3213\n\
         DE 55.9F36 transaction counter: 002A"
    );
    let (message, error) = Message::decode_partial(shipped("ipm"), &bytes[..bytes.len() - 1]);
    assert!(error.is_some());
    for shown in [message.describe().to_string(), message.to_json().to_string(), format!("{message:?}")] {
        assert!(!shown.contains("3213") && !shown.contains("210"), "{shown}");
    }
}

#[test]
fn json_is_masked_unless_it_is_asked_for_in_clear() {
    let bytes = clearing();
    let message = Message::decode(shipped("ipm"), &bytes).expect("valid");
    assert_eq!(
        message.to_json(),
        json!({ "spec": "ipm", "mti": "1240", "fields": {
            "2": "620000******3213",
            "3": "000000",
            "43": { "hidden": 18 },
            "48": [ { "PDS0052": "210" }, { "PDS0159": { "hidden": 16 } }, { "PDS0999": { "hidden": 6 } } ],
            "55": [ { "5A": "620000******3213" }, { "9F36": "002A" } ],
        } })
    );
    let clear = message.to_json_clear();
    assert_eq!(clear["fields"]["2"], "6200009876543213");
    assert_eq!(clear["fields"]["48"][2], json!({ "PDS0999": "736563726574" }));
    let mut out = BytesMut::new();
    json::from_json(shipped("ipm"), &clear, &mut out).expect("it is a message");
    assert_eq!(out, bytes);
}

#[test]
fn json_that_is_no_message_is_refused_with_its_place() {
    let good = json!({ "mti": "0200", "fields": { "3": "000000", "55": [ { "95": "00" } ] } });
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).expect("there") = value;
        changed
    };
    for (name, json, want) in [
        ("a list", json!([]), "message: `mti` must be four digits"),
        ("no fields", json!({ "mti": "0200" }), "message: `fields` must be an object"),
        ("a type of letters", with("/mti", json!("02F0")), "MTI: not four digits"),
        (
            "a masked message",
            with("/fields/3", json!({ "hidden": 3 })),
            "DE 3: is hidden, so the message cannot be built",
        ),
        ("a number for a text", with("/fields/3", json!(0)), "DE 3: must be a text"),
        ("a star", with("/fields/3", json!("00**00")), "DE 3: at index 2: not a digit"),
        ("a short value", with("/fields/3", json!("00")), "DE 3: needs a length of 6, given 2"),
        ("no hex", with("/fields/55/0/95", json!("0")), "DE 55.95: not an even count of hex digits"),
        (
            "a hidden part",
            with("/fields/55/0/95", json!({ "hidden": 1 })),
            "DE 55.95: is hidden, so the message cannot be built",
        ),
        (
            "a part of two",
            with("/fields/55/0", json!({ "95": "00", "82": "00" })),
            "DE 55: each part must be an object with its name alone",
        ),
        (
            "a field by name",
            json!({ "mti": "0200", "fields": { "pan": "" } }),
            "message: a field's key must be its number",
        ),
        ("an unknown field", json!({ "mti": "0200", "fields": { "5": "" } }), "DE 5: not in the field table"),
        (
            "of another specification",
            json!({ "spec": "atm", "mti": "0200", "fields": {} }),
            "message: `spec` names another specification",
        ),
        (
            "text beyond ISO 8859-1",
            json!({ "mti": "0200", "fields": { "39": "0€" } }),
            "DE 39: the field's class does not take such a value",
        ),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = json::from_json(Spec::pos(), &json, &mut out);
        assert_eq!(refused.map_err(|error: JsonError| error.to_string()), Err(want.to_owned()), "{name}");
        assert_eq!(out, &b"before"[..], "{name}");
    }
}

#[test]
fn messages_are_equal_that_say_the_same() {
    let build = |spec, stan| {
        let mut out = BytesMut::new();
        let mut builder = Builder::new(spec, &mut out, Mti::new(0x0200));
        builder.digits(2, CARD).and_then(|b| b.number(11, stan)).expect("it fits");
        builder.text(41, b"51000001").and_then(|b| b.bytes(52, &[0xA5; 8])).expect("it fits");
        builder.finish().expect("it fits");
        out
    };
    let specs = [Spec::pos(), Spec::atm(), Spec::atm_binary_bitmap(), shipped("iso1987-binary")];
    let wires = specs.map(|spec| (spec, build(spec, 42), build(spec, 43)));
    for (own_spec, own, other) in &wires {
        for (spec, same, _) in &wires {
            let own = Message::decode(own_spec, own).expect("valid");
            assert!(
                own == Message::decode(spec, same).expect("valid"),
                "{} {}",
                own_spec.name(),
                spec.name()
            );
            assert!(own != Message::decode(own_spec, other).expect("valid"));
        }
    }
    // A pad nibble is no part of a value; a field more is.
    let say = |hex: &[u8]| Message::decode(Spec::pos(), hex).map(|message| message.number(22));
    let (zero, seven) = (b"\x02\0\0\0\x04\0\0\0\0\0\x02\x10", b"\x02\0\0\0\x04\0\0\0\0\0\x02\x17");
    assert_eq!((say(zero), say(seven)), (Ok(Some(21)), Ok(Some(21))));
    assert!(
        Message::decode(Spec::pos(), zero).expect("valid")
            == Message::decode(Spec::pos(), seven).expect("valid")
    );
}

#[test]
fn what_decodes_may_still_be_wrong() {
    let spec = Spec::from_toml(
        "name = \"toy\"\nmti = \"ascii\"\nbitmap = \"hex\"\nencoding = \"ascii\"\nfield = [\n\
         { number = 2, name = \"card\", class = \"n\", prefix = \"ll\", max = 19, format = \"luhn\" },\n\
         { number = 13, name = \"date\", class = \"n\", length = 4, format = \"MMDD\" },\n\
         { number = 43, name = \"place\", class = \"ans\", prefix = \"ll\", max = 9 },\n\
         { number = 48, name = \"data\", class = \"ans\", prefix = \"ll\", max = 9, composite = { kind = \"positional\", \
           part = [{ number = 1, name = \"time\", class = \"n\", length = 6, format = \"hhmmss\" }] } },\n]\n\
         [[message]]\nmti = \"02xx\"\nrequired = [2]\noptional = [13, 43, 48]\n\
         [[message]]\nmti = \"08x0\"\nrequired = []\noptional = [13]",
    )
    .expect("it compiles");
    let judge = |wire: &str, rules: &Rules| {
        let message = Message::decode(&spec, wire.as_bytes()).expect("it decodes");
        message.validate(rules).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (name, wire, want) in [
        ("all good", "020040080000002100001662000098765432120229".to_owned() + "03abc" + "06235959", vec![]),
        (
            "all wrong",
            "020040080000002100001662000098765432130230".to_owned() + "03a\tc" + "06246000",
            vec![
                "DE 2: wrong check digit",
                "DE 13: no date or time of the form MMDD",
                "DE 43: character 1 cannot be printed",
                "DE 48.1: no date or time of the form hhmmss",
            ],
        ),
        ("no card", "021000080000000000000229".to_owned(), vec!["DE 2: missing in a message of this type"]),
        (
            "too much",
            "08004008000000000000020".to_owned() + "00229",
            vec!["DE 2: not allowed in a message of this type"],
        ),
        ("of a type without rules", "04000000000000000000".to_owned(), vec![]),
    ] {
        assert_eq!(judge(&wire, &Rules::ALL), want, "{name}");
    }
    let wrong = "020040080000002100001662000098765432130230".to_owned() + "03a\tc" + "06246000";
    let rules = Rules { formats: false, ..Rules::ALL };
    assert_eq!(judge(&wrong, &rules), ["DE 43: character 1 cannot be printed"]);
    assert_eq!(FaultKind::Missing.to_string(), "missing in a message of this type");
}
