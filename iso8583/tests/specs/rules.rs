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
            "what a fixed length counts",
            format!("{amount}length = 12\ncounts = \"bytes+self\""),
            "DE 4: `counts` is only for a prefix",
        ),
        (
            "no room for the prefix itself",
            format!(
                "{amount}prefix = \"l\"\nmax = 10\nprefix_encoding = \"ascii\"\ncounts = \"bytes+self\"\nencoding = \"ascii\""
            ),
            "DE 4: `max` does not fit into the prefix",
        ),
        (
            "five bytes in hex",
            format!("{amount}prefix = \"lllll\"\nmax = 10\nprefix_encoding = \"hex\""),
            "DE 4: `prefix` of binary numbers has at most four bytes",
        ),
        (
            "a frame's length",
            format!("length = \"binary5\"\n{amount}length = 12"),
            "head: `length` is not the name of a length, such as \"binary2\" or \"ascii4+self\"",
        ),
        (
            "a header that is none",
            format!("header = [\"tpdu\", \"tdpu\"]\n{amount}length = 12"),
            "head: `header` is not a list of at most eight names of headers, such as \"tpdu\" or \"opaque:12\"",
        ),
        (
            "a header that is no list",
            format!("header = \"tpdu\"\n{amount}length = 12"),
            "head: `header` is not a list of at most eight names of headers, such as \"tpdu\" or \"opaque:12\"",
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

/// A head of every kind, and one field with these keys.
fn field(encoding: &str, keys: &str) -> String {
    format!(
        "name = \"toy\"\nmti = \"ascii\"\nbitmap = \"hex\"\nencoding = \"{encoding}\"\n\
         [[field]]\nnumber = 4\nname = \"x\"\n{keys}"
    )
}

#[test]
fn keys_that_contradict_one_another_are_refused() {
    for (name, encoding, keys, want) in [
        (
            "text that is packed",
            "packed",
            "class = \"an\"\nencoding = \"bcd\"\nlength = 2",
            "`encoding` does not fit the class",
        ),
        (
            "bytes in ASCII",
            "ascii",
            "class = \"b\"\nencoding = \"ascii\"\nlength = 2",
            "`encoding` does not fit the class",
        ),
        (
            "a track in binary",
            "packed",
            "class = \"z\"\nencoding = \"binary\"\nlength = 2",
            "`encoding` does not fit the class",
        ),
        (
            "chip data in hex",
            "packed",
            "class = \"tlv\"\nencoding = \"hex\"\nlength = 2",
            "`encoding` does not fit the class",
        ),
        (
            "a binary number of nine bytes",
            "packed",
            "class = \"n\"\nencoding = \"binary\"\nlength = 9",
            "`length` of a binary number must be 1 to 8 bytes",
        ),
        (
            "a variable amount with a sign",
            "ascii",
            "class = \"xn\"\nprefix = \"ll\"\nmax = 9",
            "`length` of a signed amount must be fixed, its sign counted",
        ),
        (
            "a sign alone",
            "ascii",
            "class = \"xn\"\nlength = 1",
            "`length` of a signed amount must be fixed, its sign counted",
        ),
        (
            "a max over one digit",
            "ascii",
            "class = \"n\"\nprefix = \"l\"\nmax = 10",
            "`max` does not fit into the prefix",
        ),
        (
            "a max over one byte",
            "packed",
            "class = \"b\"\nprefix = \"l\"\nprefix_encoding = \"binary\"\nmax = 256",
            "`max` does not fit into the prefix",
        ),
        (
            "hex characters over one digit",
            "ascii",
            "class = \"b\"\nprefix = \"l\"\ncounts = \"bytes\"\nmax = 5",
            "`max` does not fit into the prefix",
        ),
        (
            "a binary prefix of five bytes",
            "packed",
            "class = \"b\"\nprefix = \"lllll\"\nprefix_encoding = \"binary\"\nmax = 256",
            "`prefix` of binary numbers has at most four bytes",
        ),
        (
            "a prefix's encoding without a prefix",
            "packed",
            "class = \"b\"\nlength = 2\nprefix_encoding = \"binary\"",
            "`prefix_encoding` is only for a prefix",
        ),
        (
            "counting without a prefix",
            "packed",
            "class = \"n\"\nlength = 2\ncounts = \"bytes\"",
            "`counts` is only for a prefix",
        ),
        (
            "a pad of an even count",
            "packed",
            "class = \"n\"\nlength = 2\npad = \"f\"",
            "`pad` is only for packed digits whose count can be odd",
        ),
        (
            "a pad of two digits",
            "packed",
            "class = \"n\"\nlength = 3\nalign = \"left\"\npad = \"ff\"",
            "`pad` must be one hex digit in quotes",
        ),
        (
            "a date of the wrong length",
            "ascii",
            "class = \"n\"\nlength = 6\nformat = \"MMDD\"",
            "`format` needs class \"n\" and a length to match",
        ),
        (
            "a date of text",
            "ascii",
            "class = \"an\"\nlength = 4\nformat = \"MMDD\"",
            "`format` needs class \"n\" and a length to match",
        ),
    ] {
        let refused = Spec::from_toml(&field(encoding, keys)).err().map(|error| error.to_string());
        assert_eq!(refused, Some(format!("DE 4: {want}")), "{name}");
    }
}

#[test]
fn what_may_be_said_is_taken() {
    for keys in [
        "class = \"b\"\nprefix = \"l\"\nprefix_encoding = \"binary\"\nmax = 255",
        "class = \"n\"\nprefix = \"l\"\nprefix_encoding = \"binary\"\ncounts = \"bytes\"\nmax = 510",
        "class = \"n\"\nprefix = \"ll\"\nmax = 19\nalign = \"right\"\npad = \"f\"",
        "class = \"ans\"\nprefix = \"llllll\"\nmax = 65535",
        "class = \"tlv\"\nencoding = \"binary\"\nlength = 9",
        "class = \"n\"\nlength = 16\nformat = \"luhn\"",
    ] {
        assert_eq!(Spec::from_toml(&field("packed", keys)).err(), None, "{keys}");
    }
}

/// A field of bytes with this composite.
fn composite(keys: &str) -> Option<String> {
    let class = "class = \"b\"\nencoding = \"binary\"\nprefix = \"lll\"\nmax = 99\n";
    let text = field("packed", &format!("{class}[field.composite]\n{keys}"));
    Spec::from_toml(&text).err().map(|error| error.to_string())
}

#[test]
fn a_composite_has_rules_of_its_own() {
    let part = |key: &str, keys: &str| {
        format!("[[field.composite.part]]\n{key}\nname = \"x\"\nclass = \"b\"\n{keys}\n")
    };
    let (one, two) = (part("number = 1", "length = 1"), part("number = 2", "length = 1"));
    let tags = "kind = \"tags\"\ntag = { encoding = \"ascii\", length = 4 }\nsize = { encoding = \"ascii\", length = 3 }\n";
    for (name, keys, want) in [
        ("no kind", String::new(), "DE 4: `kind` is missing"),
        ("a key of another kind", "kind = \"positional\"\nbytes = 2".to_owned(), "DE 4: unknown key `bytes`"),
        (
            "no parts",
            "kind = \"positional\"".to_owned(),
            "DE 4: `part` of a positional composite must be numbered from 1 without a gap",
        ),
        (
            "a gap",
            format!("kind = \"positional\"\n{two}"),
            "DE 4: `part` of a positional composite must be numbered from 1 without a gap",
        ),
        ("a part twice", format!("kind = \"positional\"\n{one}{one}"), "DE 4: `part` is defined twice"),
        (
            "a tag where numbers are",
            format!("kind = \"positional\"\n{}", part("tag = \"01\"", "length = 1")),
            "DE 4: `number` is missing",
        ),
        ("a number where tags are", format!("kind = \"ber-tlv\"\n{one}"), "DE 4: `tag` is missing"),
        (
            "a rest amid others",
            format!("kind = \"positional\"\n{}{two}", part("number = 1", "")),
            "DE 4.1: `length` is missing",
        ),
        ("bits without a size", "kind = \"bitmap\"\nbitmap = \"hex\"".to_owned(), "DE 4: `bytes` is missing"),
        (
            "a bit beyond",
            format!("kind = \"bitmap\"\nbitmap = \"hex\"\nbytes = 1\n{}", part("number = 9", "length = 1")),
            "DE 4: `number` of a part is no bit that promises one",
        ),
        (
            "a bit that continues",
            format!(
                "kind = \"bitmap\"\nbitmap = \"hex\"\nbytes = 1\ncontinued = true\n{}",
                part("number = 9", "length = 1")
            ),
            "DE 4: `number` of a part is no bit that promises one",
        ),
        (
            "a tag that goes on",
            format!("kind = \"ber-tlv\"\n{}", part("tag = \"9F\"", "")),
            "DE 4: `tag` of a part is no BER-TLV tag in hex",
        ),
        (
            "a tag of two",
            format!("kind = \"ber-tlv\"\n{}", part("tag = \"9526\"", "")),
            "DE 4: `tag` of a part is no BER-TLV tag in hex",
        ),
        (
            "a tag too short",
            format!("{tags}{}", part("tag = \"158\"", "")),
            "DE 4: `tag` of a part is not as long as the composite says",
        ),
        (
            "a prefix behind a tag",
            format!("{tags}{}", part("tag = \"0158\"", "prefix = \"ll\"\nmax = 9")),
            "DE 4.0158: `prefix` is not for a part behind a tag, whose length stands there",
        ),
        ("tags of seven", tags.replace('4', "7"), "DE 4: `length` is not a whole number in its range"),
        (
            "binary tags of five",
            tags.replace("ascii\", length = 4", "binary\", length = 5"),
            "DE 4: `tag` has a length that is none of its encoding's",
        ),
        (
            "packed tags of three",
            tags.replace("ascii\", length = 4", "bcd\", length = 3"),
            "DE 4: `tag` has a length that is none of its encoding's",
        ),
        (
            "hex tags",
            tags.replacen("ascii", "hex", 1),
            "DE 4: `tag` of hex characters is one of \"ascii\" or \"ebcdic\" characters",
        ),
        (
            "hex sizes of five",
            tags.replace("ascii\", length = 3", "hex\", length = 5"),
            "DE 4: `size` has a length that is none of its encoding's",
        ),
        (
            "half bytes behind a tag",
            format!("{tags}{}", part("tag = \"0158\"", "max = 9\ncounts = \"half-bytes\"")),
            "DE 4.0158: `counts` is none that there is without a prefix of its own",
        ),
        (
            "a rest that counts units",
            format!(
                "kind = \"positional\"\n{}",
                part("number = 1", "encoding = \"hex\"\ncounts = \"units\"")
            ),
            "DE 4.1: `counts` is none that there is without a prefix of its own",
        ),
        (
            "a small label",
            format!("{tags}label = \"pds\""),
            "DE 4: `label` must be at most four capital letters",
        ),
    ] {
        assert_eq!(composite(&keys).as_deref(), Some(want), "{name}");
    }
    assert_eq!(composite(&format!("kind = \"positional\"\n{one}{}", part("number = 2", ""))), None);
}

#[test]
fn what_stands_in_hex_is_bytes_packed_digits_or_text() {
    let refused = |composite: &str| {
        let class = "class = \"b\"\nencoding = \"hex\"\nprefix = \"lll\"\nmax = 99\ncounts = \"bytes\"\n";
        let text = field("packed", &format!("{class}[field.composite]\n{composite}"));
        Spec::from_toml(&text).err().map(|error| error.to_string())
    };
    let part = |keys: &str| {
        refused(&format!(
            "kind = \"positional\"\n[[field.composite.part]]\nnumber = 1\nname = \"x\"\nlength = 2\n{keys}"
        ))
    };
    for keys in [
        "class = \"b\"",
        "class = \"n\"",
        "class = \"z\"",
        "class = \"an\"",
        "class = \"ans\"\nencoding = \"ebcdic-037\"",
    ] {
        assert_eq!(part(keys), None, "{keys}");
    }
    for keys in [
        "class = \"b\"\nencoding = \"hex\"",
        "class = \"n\"\nencoding = \"ascii\"",
        "class = \"z\"\nencoding = \"ascii\"",
        "class = \"xn\"",
    ] {
        let want = "DE 4.1: `encoding` is not one that stands in a value in hex";
        assert_eq!(part(keys).as_deref(), Some(want), "{keys}");
    }
    let digits = "class = \"n\"\ncomposite = { kind = \"positional\", part = [{ number = 1, name = \"y\", class = \"n\", length = 2 }] }";
    let want = "DE 4.1: `composite` needs text, bytes, or if positional packed digits";
    assert_eq!(part(digits).as_deref(), Some(want));
    let want = "DE 4: `bitmap` in a value in hex is \"binary\"";
    assert_eq!(refused("kind = \"bitmap\"\nbitmap = \"hex\"\nbytes = 1").as_deref(), Some(want));
}

#[test]
fn composites_stand_where_they_can_and_not_too_deep() {
    let parts = "[field.composite]\nkind = \"positional\"\n[[field.composite.part]]\nnumber = 1\nname = \"x\"\nclass = \"n\"\n";
    for (keys, want) in [
        (
            "class = \"z\"\nlength = 4\n",
            Some("DE 4: `composite` needs text, bytes, or if positional packed digits"),
        ),
        ("class = \"b\"\nencoding = \"hex\"\nlength = 4\n", None),
        ("class = \"n\"\nlength = 4\n", None),
    ] {
        let text = field("packed", &format!("{keys}{parts}length = 2"));
        assert_eq!(Spec::from_toml(&text).err().map(|error| error.to_string()).as_deref(), want, "{keys}");
    }
    let text = field("packed", &format!("class = \"n\"\nlength = 4\n{parts}length = 2\nalign = \"left\""));
    let refused = Spec::from_toml(&text).err().map(|error| error.to_string());
    let want = "DE 4.1: `class` of a part of packed digits must be \"n\", with `length` and nothing else";
    assert_eq!(refused.as_deref(), Some(want));

    // Four levels of parts, and a fifth.
    let nested = |levels: usize| {
        let head = "class = \"b\", encoding = \"binary\"";
        let inmost = format!("{{ tag = \"5A\", name = \"x\", {head} }}");
        let around = |inner: String, tag: &str| {
            format!("{{ {tag}name = \"x\", {head}, composite = {{ kind = \"ber-tlv\", part = [{inner}] }} }}")
        };
        let below = (1..levels).fold(inmost, |inner, _| around(inner, "tag = \"E1\", "));
        let field = around(below, "number = 4, prefix = \"ll\", max = 9, ");
        format!("name = \"toy\"\nmti = \"bcd\"\nbitmap = \"binary\"\nfield = [{field}]")
    };
    assert_eq!(Spec::from_toml(&nested(4)).err(), None);
    let refused = Spec::from_toml(&nested(5)).err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("DE 4.E1.E1.E1.E1: `composite` stands too deep"));
}

#[test]
fn heads_and_messages_are_checked() {
    let row = "[[field]]\nnumber = 4\nname = \"x\"\nclass = \"n\"\nlength = 2\n";
    for (name, text, want) in [
        (
            "above 128",
            format!("{HEAD}{}", row.replace("4", "129")),
            "DE 129: `number` is above 128, which needs `tertiary`",
        ),
        (
            "65 with a tertiary bitmap",
            format!("tertiary = \"head\"\n{HEAD}{}", row.replace("4", "65")),
            "DE 65: `number` is that of the tertiary bitmap",
        ),
        (
            "an edition there is not",
            format!("version = \"1999\"\n{HEAD}{row}"),
            "head: `version` is not one of its words",
        ),
        (
            "a message of three digits",
            format!("{HEAD}{row}[[message]]\nmti = \"020\""),
            "message row 1: `mti` must be four digits, or `x` for any",
        ),
        (
            "a field that is not there",
            format!("{HEAD}{row}[[message]]\nmti = \"0200\"\nrequired = [4, 5]"),
            "message row 1: `required` names a field that is not defined",
        ),
        (
            "an optional one",
            format!("{HEAD}{row}[[message]]\nmti = \"0200\"\noptional = [5]"),
            "message row 1: `optional` names a field that is not defined",
        ),
        (
            "no list",
            format!("{HEAD}{row}[[message]]\nmti = \"0200\"\nrequired = 4"),
            "message row 1: `required` must be a list of field numbers",
        ),
    ] {
        let refused = Spec::from_toml(&text).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some(want), "{name}");
    }
}
