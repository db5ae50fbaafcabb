//! How a secret may be written: digits as text and packed, bytes in binary, hexadecimal, base64 and lists.
//!
//! Start at [`of_card_number`], [`of_track`], [`of_pin`] and [`of_key`]; [`of_bytes`] is for anything else.
//!
//! A PIN of four digits stands in any megabyte of anything by chance. So short ones are looked for where something
//! around them gives them away: in clear PIN blocks of format 0, 1 and 3, in the PIN field that a block is made of, in what
//! a PIN verification value is computed from, as digits one a byte with their length, and in their line of
//! `cards.csv`. PINs of eight digits and more are looked for by themselves too, and the day uses some. Card
//! verification values stand in the track and in that line.

use super::schedule;
use crate::search::Form;

/// Digits of a PIN from which it is looked for by itself.
const LONG_PIN: usize = 8;

/// Digits that everything may show of a card number: six in front, four behind.
const SHOWN_IN_FRONT: usize = 6;
const SHOWN_BEHIND: usize = 4;

/// A card number: whole, without the digits in front that may be shown, without those behind.
#[must_use]
pub fn of_card_number(digits: &[u8]) -> Vec<Form> {
    let mut forms = of_digits(digits);
    let text = std::str::from_utf8(digits).unwrap_or_default();
    if let Ok(number) = text.parse::<u64>() {
        forms.push(form("as a number", &number.to_le_bytes()));
        forms.push(form("as a number, highest byte first", &number.to_be_bytes()));
    }
    let hidden_behind = digits.len() - SHOWN_BEHIND;
    forms.push(form("without its first digits", &digits[SHOWN_IN_FRONT..]));
    forms.push(form("without its last digits", &digits[..hidden_behind]));
    forms.extend(packed(&digits[..hidden_behind], "without its last digits, packed", ""));
    forms
}

/// Track 2 with `=`: whole, and what stands behind the card number.
#[must_use]
pub fn of_track(track: &[u8]) -> Vec<Form> {
    let mut forms = of_digits(track);
    let with_d = |part: &[u8]| part.iter().map(|digit| if *digit == b'=' { b'D' } else { *digit }).collect();
    forms.push(Form { name: "as text with D", bytes: with_d(track) });
    if let Some(separator) = track.iter().position(|digit| *digit == b'=') {
        let behind = &track[separator..];
        forms.push(form("behind the card number", behind));
        forms.push(Form { name: "behind the card number, with D", bytes: with_d(behind) });
        forms.extend(packed(
            behind,
            "behind the card number, packed",
            "behind the card number, packed, shifted",
        ));
        // Expiry, service code, verification value: as a decoded stripe keeps them.
        forms.push(form(
            "its expiry, service code and verification value",
            behind.get(1..11).unwrap_or_default(),
        ));
    }
    forms
}

/// What is known of a card beside its number and track.
#[derive(Clone, Copy)]
pub struct PinOf<'a> {
    /// The card number.
    pub pan: &'a [u8],
    /// The PIN, ASCII digits.
    pub pin: &'a [u8],
    /// Index of the PIN verification key.
    pub pvki: u8,
}

impl std::fmt::Debug for PinOf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinOf(…)")
    }
}

/// A PIN block in clear, in the formats of ISO 9564-1 that hold a PIN by itself or with the card number, and what it
/// is made of.
#[must_use]
pub fn of_pin_block(of: PinOf<'_>) -> Vec<Form> {
    let filled = |format: u8, filler: u8| {
        // INVARIANT: a PIN has at most twelve digits.
        let mut nibbles = vec![format, u8::try_from(of.pin.len()).expect("a short PIN")];
        nibbles.extend(of.pin.iter().map(|digit| digit & 0x0F));
        nibbles.resize(16, filler);
        nibbles
    };
    let account = of.pan[..of.pan.len() - 1].iter().rev().take(12).rev().map(|digit| digit & 0x0F);
    let mut with_number = vec![0; 16 - account.len()];
    with_number.extend(account);
    let sum = |field: &[u8]| -> Vec<u8> { field.iter().zip(&with_number).map(|(a, b)| a ^ b).collect() };
    let pin_field = filled(0, 0xF);
    let mut forms: Vec<Form> = Vec::new();
    let mut blocks = vec![
        ("format 0", sum(&pin_field)),
        ("the PIN field", pin_field.clone()),
        ("format 1, filled with F", filled(1, 0xF)),
        ("format 3, filled with F", filled(3, 0xF)),
        ("format 3, filled with A", filled(3, 0xA)),
        // Their filling is random: what stands before it is looked for, if that is long enough.
        ("format 1", filled(1, 0)[..2 + of.pin.len()].to_vec()),
        ("format 3", filled(3, 0)[..2 + of.pin.len()].to_vec()),
        ("format 3 with the card number", sum(&filled(3, 0))[..2 + of.pin.len()].to_vec()),
    ];
    if of.pin.len() >= LONG_PIN {
        // A small number in memory looks like the block of a short PIN.
        blocks.push(("format 1, filled with zeros", filled(1, 0)));
    }
    for (name, nibbles) in blocks {
        let bytes: Vec<u8> = nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if bytes.len() >= 6 {
            forms.extend(of_bytes(&bytes).into_iter().map(|made| Form { name, ..made }));
        }
        if nibbles.len() == 16 {
            forms.push(Form { name, bytes: nibbles });
        }
    }
    forms
}

/// A PIN where something gives it away.
#[must_use]
pub fn of_pin(of: PinOf<'_>) -> Vec<Form> {
    let mut forms = Vec::new();
    if of.pin.len() >= LONG_PIN {
        forms.extend(of_digits(of.pin));
    }
    let values: Vec<u8> = of.pin.iter().map(|digit| digit & 0x0F).collect();
    let mut one_a_byte = values.clone();
    one_a_byte.resize(12, 0);
    one_a_byte.push(u8::try_from(of.pin.len()).expect("a short PIN"));
    forms.push(Form { name: "digits one a byte, and their count", bytes: one_a_byte });
    // Visa's transformed security parameter: eleven digits of the number, the key index, four of the PIN.
    let account = &of.pan[of.pan.len() - 12..of.pan.len() - 1];
    let mut parameter: Vec<u8> = account.iter().map(|digit| digit & 0x0F).collect();
    parameter.push(of.pvki);
    parameter.extend(&values[..4]);
    let block: Vec<u8> = parameter.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    forms.extend(
        of_bytes(&block).into_iter().map(|made| Form { name: "what a PVV is computed from", ..made }),
    );
    forms.push(Form { name: "what a PVV is computed from, digits one a byte", bytes: parameter });
    for between in ["", " ", ",", ":", "="] {
        let both = [of.pan, between.as_bytes(), of.pin].concat();
        forms.push(Form { name: "behind its card number", bytes: both });
    }
    forms
}

/// A key: whole and each eight bytes of it, and expanded as ciphers keep it.
#[must_use]
pub fn of_key(key: &[u8]) -> Vec<Form> {
    let mut forms = of_bytes(key);
    if key.len() > 8 {
        forms.extend(
            key.chunks_exact(8).flat_map(of_bytes).map(|made| Form { name: part_name(made.name), ..made }),
        );
    }
    forms.extend(expanded(key));
    forms
}

/// A key of which there is one for each transaction: the forms in which it might lie about in memory or in a log.
#[must_use]
pub fn of_short_lived_key(key: &[u8]) -> Vec<Form> {
    let likely = ["in binary", "in binary, last byte first", "in upper-case hex", "in lower-case hex"];
    let made = key.chunks_exact(8).flat_map(of_bytes).filter(|made| likely.contains(&made.name));
    let mut forms: Vec<Form> = made.map(|made| Form { name: part_name(made.name), ..made }).collect();
    forms.extend(expanded(key));
    forms
}

fn expanded(key: &[u8]) -> Vec<Form> {
    let mut forms = Vec::new();
    match key.len() {
        32 => forms.extend(schedule::aes_256_windows(key)),
        _ => {
            for (half, name) in key.chunks_exact(8).zip([schedule::LEFT, schedule::RIGHT]) {
                forms.extend(schedule::des_windows(half, name));
            }
        }
    }
    forms
}

/// Bytes: in binary in both directions, in hexadecimal, in base64, as lists of numbers.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Vec<Form> {
    let hex = |space: &str, upper: bool| {
        let text = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(space);
        if upper { text.to_uppercase() } else { text }
    };
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        form("in binary", bytes),
        Form { name: "in binary, last byte first", bytes: bytes.iter().rev().copied().collect() },
        form("in upper-case hex", hex("", true).as_bytes()),
        form("in lower-case hex", hex("", false).as_bytes()),
        form("in spaced upper-case hex", hex(" ", true).as_bytes()),
        form("in spaced lower-case hex", hex(" ", false).as_bytes()),
        form("as a list", numbers.join(", ").as_bytes()),
        form("as a tight list", numbers.join(",").as_bytes()),
    ];
    forms.extend((0..3).map(|before| Form { name: "in base64", bytes: base64_inside(bytes, before) }));
    forms
}

/// Digits, perhaps with `=`: as text, packed from either nibble, one a byte, and all that in other writing.
fn of_digits(digits: &[u8]) -> Vec<Form> {
    let values = digits.iter().map(|digit| if *digit == b'=' { 0xD } else { digit & 0x0F }).collect();
    let mut forms = vec![form("as text", digits), Form { name: "digits one a byte", bytes: values }];
    forms.extend(packed(digits, "packed", "packed, shifted"));
    let mut further: Vec<Form> = Vec::new();
    for made in &forms {
        let name = match made.name {
            "as text" => "as text in other writing",
            "digits one a byte" => "digits one a byte in other writing",
            _ => "packed in other writing",
        };
        let others = of_bytes(&made.bytes).into_iter().filter(|other| other.name != "in binary");
        further.extend(others.map(|other| Form { name, ..other }));
    }
    forms.extend(further);
    forms
}

fn packed(digits: &[u8], name: &'static str, shifted: &'static str) -> Vec<Form> {
    let nibbles: Vec<u8> =
        digits.iter().map(|digit| if *digit == b'=' { 0xD } else { digit & 0x0F }).collect();
    let from = |skip: usize| nibbles[skip..].chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let shifted_name = if shifted.is_empty() { name } else { shifted };
    vec![Form { name, bytes: from(0) }, Form { name: shifted_name, bytes: from(1) }]
}

fn part_name(whole: &'static str) -> &'static str {
    match whole {
        "in binary" => "eight bytes of it in binary",
        "in binary, last byte first" => "eight bytes of it in binary, last byte first",
        "in base64" => "eight bytes of it in base64",
        "as a list" | "as a tight list" => "eight bytes of it as a list",
        _ => "eight bytes of it in hex",
    }
}

/// The characters that these bytes alone decide when `before` others stand before them in their group of three.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let shifted = [&[0; 2][..before], bytes].concat();
    let bit = |at: usize| usize::from(shifted[at / 8] >> (7 - at % 8) & 1);
    let first = (before * 8).div_ceil(6);
    (first..shifted.len() * 8 / 6)
        .map(|place| ALPHABET[(place * 6..place * 6 + 6).fold(0, |value, at| value << 1 | bit(at))])
        .collect()
}

fn form(name: &'static str, bytes: &[u8]) -> Form {
    Form { name, bytes: bytes.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Kind, Search};

    const PAN: &[u8] = b"9156009224100010";
    const KEY: [u8; 16] =
        [0xEA, 0x26, 0xA2, 0xE0, 0x31, 0x5B, 0xFD, 0x19, 0x83, 0xA7, 0x34, 0x68, 0xB9, 0x79, 0x4A, 0x4F];

    /// The bytes are written out here, not made by what is tested.
    #[test]
    fn what_is_written_in_any_way_is_found() {
        let mut search = Search::default();
        search.add(Kind::CardNumber, "PAN", of_card_number(PAN));
        search.add(Kind::CardNumber, "odd PAN", of_card_number(b"91560023572900234"));
        search.add(Kind::Track, "track", of_track(b"9156009224100010=340252041400000"));
        search.add(Kind::ZoneKey, "key", of_key(&KEY));
        let pin = PinOf { pan: PAN, pin: b"4362", pvki: 1 };
        search.add(Kind::Pin, "PIN", of_pin(pin));
        search.add(Kind::PinBlock, "block", of_pin_block(pin));
        search.add(Kind::Pin, "long PIN", of_pin(PinOf { pan: PAN, pin: b"982451653", pvki: 1 }));
        let search = search.ready();
        let rows: &[(&str, &str, &[u8])] = &[
            ("text", "PAN", b"9156009224100010"),
            ("packed", "PAN", b"\x91\x56\x00\x92\x24\x10\x00\x10"),
            ("behind a nibble", "PAN", b"\x09\x15\x60\x09\x22\x41\x00\x01\x0F"),
            ("one a byte", "PAN", b"\x09\x01\x05\x06\x00\x00\x09\x02\x02\x04\x01\x00\x00\x00\x01\x00"),
            ("a number", "PAN", &0x0020_8757_855C_D8AA_u64.to_le_bytes()),
            (
                "a list of characters",
                "PAN",
                b"[57, 49, 53, 54, 48, 48, 57, 50, 50, 52, 49, 48, 48, 48, 49, 48]",
            ),
            ("spaced hex", "PAN", b"35 91 56 00 92 24 10 00 10 d3"),
            ("hex of text", "PAN", b"39313536303039323234313030303130"),
            ("base64 of text", "PAN", b"OTE1NjAwOTIyNDEwMDAxMA=="),
            ("base64 of text behind a letter", "PAN", b"eDkxNTYwMDkyMjQxMDAwMTB4"),
            ("without its BIN", "PAN", b"..9224100010"),
            ("odd, left-aligned", "odd PAN", b"\x91\x56\x00\x23\x57\x29\x00\x23\x4F"),
            ("odd, right-aligned", "odd PAN", b"\x09\x15\x60\x02\x35\x72\x90\x02\x34"),
            ("a packed track", "track", b"\x91\x56\x00\x92\x24\x10\x00\x10\xD3\x40\x25\x20\x41\x40\x00\x00"),
            ("a track with D", "track", b"9156009224100010D340252041400000"),
            ("a stripe", "track", b"3402520414"),
            ("binary", "key", &KEY),
            ("half a key", "key", &KEY[8..]),
            ("half a key as a number in memory", "key", b"\x19\xFD\x5B\x31\xE0\xA2\x26\xEA"),
            ("upper", "key", b"EA26A2E0315BFD19"),
            ("lower", "key", b"83a73468b9794a4f"),
            ("spaced", "key", b"83 A7 34 68 B9 79 4A 4F"),
            ("a list", "key", b"234, 38, 162, 224, 49, 91, 253, 25"),
            ("JSON", "key", b"234,38,162,224,49,91,253,25"),
            ("base64", "key", b"6iaioDFb/RmDpzRouXlKTw=="),
            ("format 0", "block", b"\x04\x43\x02\xF6\xDD\xBE\xFF\xFE"),
            ("the PIN field", "block", b"\x04\x43\x62\xFF\xFF\xFF\xFF\xFF"),
            ("format 1", "block", b"\x14\x43\x62\xFF\xFF\xFF\xFF\xFF"),
            ("a parameter", "PIN", b"\x00\x92\x24\x10\x00\x11\x43\x62"),
            ("a PIN kept", "PIN", b"\x04\x03\x06\x02\x00\x00\x00\x00\x00\x00\x00\x00\x04"),
            ("a long PIN", "long PIN", b"pin=982451653"),
        ];
        for (name, want, planted) in rows {
            let noise = [&[0x17; 300][..], planted, &[0xE8; 40][..]].concat();
            let hits = search.hits(&noise);
            assert!(hits.iter().any(|hit| search.secret(hit).name == *want), "{name}: {hits:?}");
        }
        assert_eq!(search.hits(&[0x12; 1000]), []);
        assert_eq!(search.blind_spots(), Vec::<String>::new());
    }
}
