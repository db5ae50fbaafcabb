//! What the tests of both importers share: messages by hand, and values as text.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::Imported;
use crate::{Element, Message, Path, Spec};

/// A message of one field as most imported specifications of the tests have it:
/// the type 0200 in ASCII, bitmaps in hex, then the field's bytes.
pub(super) fn message(number: u8, field: &[u8]) -> Vec<u8> {
    let mut bits = 1_u128 << (128 - u32::from(number));
    if number > 64 {
        bits |= 1 << 127;
    }
    let bitmap = format!("{bits:032X}");
    let mut bytes = b"0200".to_vec();
    bytes.extend_from_slice(if number > 64 { &bitmap } else { &bitmap[..16] }.as_bytes());
    bytes.extend_from_slice(field);
    bytes
}

/// The value at a path such as `48.3` of the message that has only that field.
pub(super) fn value_in(imported: &Imported, path: &str, field: &[u8]) -> String {
    let path: Path = path.parse().unwrap();
    let bytes = message(path.field(), field);
    let spec = Spec::compile(&imported.spec).unwrap();
    let message = Message::decode(&spec, &bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    let element = message.part(&path).unwrap_or_else(|| panic!("no {path}"));
    // Nothing was left over, so the length is right too.
    assert_eq!(message.span(path.field()).unwrap().end, bytes.len(), "{path}");
    value(&element)
}

/// A value as its characters, its digits, or its bytes in hex.
pub(super) fn value(element: &Element<'_>) -> String {
    if let Some(signed) = element.signed() {
        return format!("{}{}", if signed.debit { 'D' } else { 'C' }, signed.amount);
    }
    if let Some(digits) = element.digits() {
        let character = |digit| if digit == b'=' { '=' } else { char::from(b'0' + digit) };
        return digits.iter().map(character).collect();
    }
    if let Some(text) = element.text() {
        return text.iter().map(char::from).collect();
    }
    if let Some(number) = element.number() {
        return number.to_string();
    }
    element.octets().unwrap().iter().map(|octet| format!("{octet:02X}")).collect()
}

/// Every refusal of a document, one a line.
pub(super) fn refusals<T: std::fmt::Debug>(imported: Result<T, super::ImportError>) -> Vec<String> {
    imported.unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// Every note about a document.
pub(super) fn notes(imported: &Imported) -> Vec<String> {
    imported.notes.iter().map(ToString::to_string).collect()
}
