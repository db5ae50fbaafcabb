//! One specification with every encoding and every kind of composite, and what its values look like on the wire.

/// The specification.
pub(crate) const EVERYTHING: &str = r#"
name = "everything"
mti = "ebcdic"
bitmap = "hex-ebcdic"
tertiary = "field-65"
encoding = "ebcdic-037"
field = [
    { number = 2, name = "digits", class = "n", prefix = "ll", max = 19, show = "pan" },
    { number = 3, name = "packed, left", class = "n", encoding = "bcd", length = 3, align = "left", pad = "f", show = "clear" },
    { number = 4, name = "packed, right", class = "n", encoding = "bcd", length = 5, align = "right", show = "clear" },
    { number = 5, name = "packed, ASCII prefix", class = "n", encoding = "bcd", prefix = "lll", max = 99, prefix_encoding = "ascii", show = "clear" },
    { number = 6, name = "packed, bytes counted", class = "n", encoding = "bcd", prefix = "l", max = 18, prefix_encoding = "binary", counts = "bytes", pad = "f", show = "clear" },
    { number = 7, name = "packed, bytes counted, right", class = "n", encoding = "bcd", prefix = "llll", max = 18, prefix_encoding = "bcd", counts = "bytes", align = "right", pad = "e", show = "clear" },
    { number = 8, name = "binary number", class = "n", encoding = "binary", length = 3, show = "clear" },
    { number = 9, name = "signed", class = "xn", length = 9, show = "clear" },
    { number = 10, name = "signed, packed", class = "xn", encoding = "bcd", length = 9, show = "clear" },
    { number = 11, name = "signed, packed, odd", class = "xn", encoding = "bcd", length = 6, align = "right", show = "clear" },
    { number = 12, name = "signed, ASCII", class = "xn", encoding = "ascii", length = 6, show = "clear" },
    { number = 13, name = "letters", class = "an", length = 4, show = "clear" },
    { number = 14, name = "text, 500", class = "ans", encoding = "ebcdic-500", prefix = "llllll", max = 65000, show = "clear" },
    { number = 15, name = "text, 1047", class = "ans", encoding = "ebcdic-1047", prefix = "lllll", max = 900, prefix_encoding = "ascii", show = "clear" },
    { number = 16, name = "text, ASCII", class = "ans", encoding = "ascii", prefix = "ll", max = 900, prefix_encoding = "binary", show = "clear" },
    { number = 17, name = "hex", class = "b", length = 2, show = "clear" },
    { number = 18, name = "hex, bytes counted", class = "b", prefix = "lll", max = 90, counts = "bytes", show = "clear" },
    { number = 19, name = "hex, ASCII, units counted", class = "b", encoding = "hex", prefix = "l", max = 9, counts = "units", show = "clear" },
    { number = 20, name = "bytes", class = "b", encoding = "binary", prefix = "ll", max = 99, prefix_encoding = "bcd", show = "clear" },
    { number = 21, name = "track", class = "z", prefix = "ll", max = 37, show = "track" },
    { number = 22, name = "track, packed", class = "z", encoding = "bcd", prefix = "l", max = 37, prefix_encoding = "binary", counts = "bytes", pad = "f", show = "clear" },
    { number = 23, name = "chip", class = "tlv", encoding = "binary", prefix = "lll", max = 255 },
    { number = 40, name = "packed digits in parts", class = "n", encoding = "bcd", prefix = "ll", max = 9, composite = { kind = "positional", part = [
        { number = 1, name = "one", class = "n", length = 1, show = "clear" },
        { number = 2, name = "three", class = "n", length = 3, show = "clear" },
        { number = 3, name = "five", class = "n", length = 5 },
    ] } },
    { number = 41, name = "parts side by side", class = "b", encoding = "binary", prefix = "ll", max = 99, composite = { kind = "positional", part = [
        { number = 1, name = "packed", class = "n", encoding = "bcd", length = 4, show = "clear" },
        { number = 2, name = "text", class = "ans", prefix = "l", max = 9, prefix_encoding = "binary", show = "clear" },
        { number = 3, name = "the rest", class = "b", encoding = "binary" },
    ] } },
    { number = 42, name = "parts by bitmap", class = "b", encoding = "binary", prefix = "lll", max = 200, composite = { kind = "bitmap", bitmap = "hex", bytes = 2, continued = true, part = [
        { number = 2, name = "two", class = "an", length = 2, show = "clear" },
        { number = 16, name = "sixteen", class = "n", prefix = "l", max = 9, show = "clear" },
        { number = 18, name = "eighteen", class = "n", encoding = "binary", length = 2, show = "clear" },
        { number = 250, name = "far", class = "b", encoding = "binary", length = 1, show = "clear" },
    ] } },
    { number = 48, name = "tags in characters", class = "ans", prefix = "lll", max = 999, composite = { kind = "tags", tag = { encoding = "ebcdic", length = 4 }, size = { encoding = "ebcdic", length = 3 }, label = "PDS", part = [
        { tag = "0158", name = "text", class = "an", max = 30, show = "clear" },
        { tag = "0200", name = "nested", class = "b", encoding = "binary", composite = { kind = "bitmap", bitmap = "binary", bytes = 1, part = [
            { number = 1, name = "objects", class = "b", encoding = "binary", prefix = "l", max = 200, prefix_encoding = "binary", composite = { kind = "ber-tlv", part = [
                { tag = "5A", name = "number", class = "n", encoding = "bcd", max = 19, pad = "f", show = "pan" },
            ] } },
        ] } },
    ] } },
    { number = 49, name = "packed tags", class = "b", encoding = "binary", prefix = "ll", max = 99, composite = { kind = "tags", tag = { encoding = "bcd", length = 4 }, size = { encoding = "bcd", length = 3 }, part = [
        { tag = "0012", name = "twelve", class = "b", encoding = "hex", show = "clear" },
    ] } },
    { number = 66, name = "above the first bitmap", class = "n", length = 2, show = "clear" },
    { number = 104, name = "datasets", class = "b", encoding = "binary", prefix = "ll", max = 999, prefix_encoding = "binary", composite = { kind = "tags", tag = { encoding = "binary", length = 1 }, size = { encoding = "binary", length = 2 }, part = [
        { tag = "56", name = "wallet", class = "b", encoding = "binary", composite = { kind = "ber-tlv", part = [
            { tag = "E1", name = "template", class = "b", encoding = "binary", composite = { kind = "ber-tlv", part = [
                { tag = "9F8101", name = "inside", class = "b", encoding = "binary", length = 2, show = "clear" },
            ] } },
        ] } },
    ] } },
    { number = 130, name = "above the second", class = "n", length = 2, show = "clear" },
    { number = 192, name = "the last", class = "an", length = 1, show = "clear" },
]
"#;
