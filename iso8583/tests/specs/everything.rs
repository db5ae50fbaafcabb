//! One specification with every encoding and every kind of composite, and what its values look like on the wire.

/// The specification.
pub(crate) const EVERYTHING: &str = r#"
name = "everything"
mti = "ebcdic"
bitmap = "hex-ebcdic"
tertiary = "field-65"
encoding = "ebcdic-037"
length = "hex4+self"
header = ["dial?", "tpdu", "application", "opaque:12", "text:ISO?"]
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
    { number = 24, name = "hex prefix", class = "b", encoding = "binary", prefix = "ll", max = 999, prefix_encoding = "hex", show = "clear" },
    { number = 25, name = "hex prefix in EBCDIC", class = "ans", prefix = "l", max = 255, prefix_encoding = "hex-ebcdic", show = "clear" },
    { number = 26, name = "a prefix that counts itself", class = "ans", prefix = "llll", max = 900, counts = "bytes+self", show = "clear" },
    { number = 27, name = "packed, a prefix that counts itself", class = "n", encoding = "bcd", prefix = "ll", max = 20, prefix_encoding = "binary", counts = "bytes+self", pad = "f", show = "clear" },
    { number = 28, name = "half bytes counted", class = "b", encoding = "binary", prefix = "lll", max = 49, prefix_encoding = "bcd", counts = "half-bytes", show = "clear" },
    { number = 29, name = "hex, its prefix too", class = "b", encoding = "hex", prefix = "ll", max = 90, prefix_encoding = "hex", counts = "bytes+self", show = "clear" },
    { number = 30, name = "an ASCII prefix that counts itself", class = "ans", encoding = "ascii", prefix = "lll", max = 900, prefix_encoding = "ascii", counts = "bytes+self", show = "clear" },
    { number = 50, name = "objects in hex", class = "b", encoding = "hex", prefix = "lll", max = 255, counts = "units", composite = { kind = "ber-tlv", part = [
        { tag = "9F26", name = "cryptogram", class = "b", length = 8 },
        { tag = "9F02", name = "amount", class = "n", length = 12, show = "clear" },
        { tag = "5A", name = "number", class = "n", max = 19, pad = "f", show = "pan" },
        { tag = "57", name = "track 2", class = "z", max = 37, pad = "f", show = "track" },
        { tag = "50", name = "label", class = "an", max = 16, show = "clear" },
        { tag = "9F36", name = "counter", class = "n", encoding = "binary", length = 2, show = "clear" },
        { tag = "E1", name = "more", class = "b", composite = { kind = "ber-tlv", part = [
            { tag = "9F8101", name = "inner", class = "b", length = 2, show = "clear" },
        ] } },
    ] } },
    { number = 51, name = "parts in EBCDIC hex", class = "b", prefix = "lll", max = 200, counts = "bytes", composite = { kind = "positional", part = [
        { number = 1, name = "right", class = "n", length = 5, align = "right", show = "clear" },
        { number = 2, name = "left", class = "n", length = 3, align = "left", pad = "f", show = "clear" },
        { number = 3, name = "text", class = "ans", encoding = "ebcdic-500", prefix = "l", max = 9, prefix_encoding = "binary", show = "clear" },
        { number = 4, name = "digits", class = "n", prefix = "lll", max = 99, counts = "bytes", pad = "e", show = "clear" },
        { number = 5, name = "bits", class = "b", prefix = "ll", max = 90, prefix_encoding = "ascii", composite = { kind = "bitmap", bitmap = "binary", bytes = 1, continued = true, part = [
            { number = 2, name = "two", class = "an", length = 2, show = "clear" },
            { number = 10, name = "ten", class = "b", prefix = "l", max = 9, show = "clear" },
        ] } },
        { number = 6, name = "tags", class = "b", composite = { kind = "tags", tag = { encoding = "ascii", length = 2 }, size = { encoding = "bcd", length = 3 }, part = [
            { tag = "K9", name = "units", class = "n", max = 19, counts = "units", show = "clear" },
        ] } },
    ] } },
    { number = 52, name = "tags that count units", class = "b", encoding = "binary", prefix = "ll", max = 99, composite = { kind = "tags", tag = { encoding = "ascii", length = 2 }, size = { encoding = "hex", length = 1 }, part = [
        { tag = "01", name = "digits", class = "n", encoding = "bcd", max = 19, counts = "units", show = "clear" },
        { tag = "02", name = "hex", class = "b", encoding = "hex", max = 9, counts = "units", show = "clear" },
    ] } },
    { number = 53, name = "objects that count units", class = "b", encoding = "binary", prefix = "ll", max = 99, composite = { kind = "ber-tlv", part = [
        { tag = "9F02", name = "hex", class = "b", encoding = "hex", max = 9, counts = "units", show = "clear" },
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
