//! What a specification is refused for: the place, the key and the rule.

use iso8583::{Field, Show, Spec};

const HEAD: &str = "name = \"toy\"\nmti = \"bcd\"\nbitmap = \"binary\"\n";

#[test]
fn a_wrong_table_is_refused_with_field_and_key() {
    let amount = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\n";
    for (name, rows, want) in [
        ("unknown key", format!("{amount}length = 12\ncolour = 1"), "DE 4: unknown key `colour`"),
        ("a typing slip", format!("{amount}lenght = 12"), "DE 4: unknown key `lenght`"),
        ("no length", amount.to_owned(), "DE 4: `length` is missing"),
        (
            "a text for a length",
            format!("{amount}length = \"12\""),
            "DE 4: `length` is not a whole number in its range",
        ),
        ("length zero", format!("{amount}length = 0"), "DE 4: `length` is not a whole number in its range"),
        (
            "length 65536",
            format!("{amount}length = 65536"),
            "DE 4: `length` is not a whole number in its range",
        ),
        ("prefix without max", format!("{amount}prefix = \"ll\""), "DE 4: `max` is missing"),
        (
            "100 behind two digits",
            format!("{amount}prefix = \"ll\"\nmax = 100"),
            "DE 4: `max` does not fit into the prefix",
        ),
        (
            "fixed and variable",
            format!("{amount}length = 12\nmax = 12"),
            "DE 4: `length` excludes `prefix` and `max`",
        ),
        ("odd without a side", format!("{amount}length = 3"), "DE 4: `align` is missing"),
        (
            "even with a side",
            format!("{amount}length = 4\nalign = \"left\""),
            "DE 4: `align` is only for packed digits whose count can be odd",
        ),
        (
            "an unknown way to show",
            format!("{amount}length = 12\nshow = \"all\""),
            "DE 4: `show` is not one of its words",
        ),
        (
            "the same number twice",
            format!("{amount}length = 12\n{amount}length = 12"),
            "DE 4: `number` is defined twice",
        ),
        (
            "number 1",
            "[[field]]\nnumber = 1".to_owned(),
            "field row 1: `number` is not a whole number in its range",
        ),
        (
            "number 193",
            "[[field]]\nnumber = 193".to_owned(),
            "field row 1: `number` is not a whole number in its range",
        ),
        ("no number", "[[field]]\nname = \"x\"".to_owned(), "field row 1: `number` is missing"),
        (
            "a card number that is text",
            "[[field]]\nnumber = 2\nname = \"x\"\nclass = \"ans\"\nlength = 8\nshow = \"pan\"".to_owned(),
            "DE 2: `show` can be \"pan\" only with class \"n\"",
        ),
    ] {
        let refused = Spec::from_toml(&format!("{HEAD}{rows}")).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some(want), "{name}");
    }
}

#[test]
fn a_wrong_head_is_refused() {
    let row = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\nlength = 12";
    for (name, text, want) in [
        ("not TOML", "name =".to_owned(), "the field table is not valid TOML"),
        ("no fields", HEAD.to_owned(), "head: `field` is missing"),
        ("unknown key", format!("author = 1\n{HEAD}{row}"), "head: unknown key `author`"),
        (
            "another MTI",
            format!("{}{row}", HEAD.replace("bcd", "binary")),
            "head: `mti` is not one of its words",
        ),
        (
            "another bitmap",
            format!("{}{row}", HEAD.replace("binary", "ascii")),
            "head: `bitmap` is not one of its words",
        ),
        (
            "another encoding",
            format!("{HEAD}encoding = \"ebcdic\"\n{row}"),
            "head: `encoding` is not one of its words",
        ),
        (
            "an empty name",
            format!("{}{row}", HEAD.replace("toy", "")),
            "head: `name` must be a text of 1 to 80 bytes",
        ),
    ] {
        let refused = Spec::from_toml(&text).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some(want), "{name}");
    }
    assert!(Spec::from_toml(&format!("{HEAD}{row}")).is_ok());
}

#[test]
fn an_ascii_table_has_rules_of_its_own() {
    let head = "name = \"toy\"\nmti = \"ascii\"\nbitmap = \"hex\"\nencoding = \"ascii\"\n";
    for (name, row, want) in [
        ("an odd count needs no side", "class = \"n\"\nlength = 3", None),
        ("fixed bytes", "class = \"b\"\nlength = 8", None),
        (
            "a side",
            "class = \"n\"\nlength = 3\nalign = \"left\"",
            Some("DE 4: `align` is only for packed digits whose count can be odd"),
        ),
        (
            "variable bytes",
            "class = \"b\"\nprefix = \"ll\"\nmax = 8",
            Some("DE 4: `prefix` excludes class \"b\" where fields are ASCII"),
        ),
        (
            "chip data",
            "class = \"tlv\"\nprefix = \"lll\"\nmax = 255",
            Some("DE 4: `class` cannot be \"tlv\" where fields are ASCII"),
        ),
    ] {
        let compiled = Spec::from_toml(&format!("{head}[[field]]\nnumber = 4\nname = \"x\"\n{row}"));
        assert_eq!(compiled.err().map(|error| error.to_string()).as_deref(), want, "{name}");
    }
}

#[test]
fn what_a_table_leaves_open_is_hidden() {
    let row = "[[field]]\nnumber = 4\nname = \"amount\"\nclass = \"n\"\nlength = 12";
    let spec = Spec::from_toml(&format!("{HEAD}{row}")).expect("valid");
    assert_eq!(spec.field(4).map(Field::show), Some(Show::Secret));
}
