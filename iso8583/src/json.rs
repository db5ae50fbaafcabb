//! Messages as JSON, both ways.
//!
//! ```json
//! { "spec": "pos", "mti": "0200", "fields": { "3": "000000", "55": [ { "9F36": "002A" }, { "95": "0000000000" } ] } }
//! ```
//!
//! Digits, numbers and text are strings (text as ISO 8859-1 has it, of which ASCII is a part), bytes are hex. A
//! composite is a list with one object for each part, since parts come in an order and may come twice. What may not be
//! shown is `{ "hidden": n }`, `n` bytes on the wire.
//!
//! Start at [`Message::to_json`] and [`from_json`].

use std::ops::Range;

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use crate::build::Builder;
use crate::build_parts::PartsBuilder;
use crate::element::Element;
use crate::error::{EncodeError, EncodeErrorKind, FieldPath};
use crate::field::{Class, Encoding, Field};
use crate::message::Message;
use crate::mti::Mti;
use crate::out::Out;
use crate::pack;
use crate::path::Path;
use crate::spec::Spec;

impl Message<'_> {
    /// The message as JSON, masked as [`Message::describe`] masks it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.json(false)
    }

    /// The message as JSON with everything in clear, card data, PIN blocks and keys included. It is for tests and for
    /// tools that a person runs on a message of their own; it must not be logged.
    #[must_use]
    pub fn to_json_clear(&self) -> Value {
        self.json(true)
    }

    fn json(&self, clear: bool) -> Value {
        let fields =
            self.elements().map(|element| (element.path().field().to_string(), value(&element, clear)));
        let fields: Map<String, Value> = fields.collect();
        json!({ "spec": self.spec().name(), "mti": self.mti().to_string(), "fields": fields })
    }
}

fn value(element: &Element<'_>, clear: bool) -> Value {
    let is_known = element.row().is_some_and(Field::is_composite);
    if let Some(parts) = element.parts().filter(|_| clear || element.sure && is_known) {
        let part = |part: Element<'_>| {
            let step = part.path().steps().last().map(ToString::to_string).unwrap_or_default();
            Value::Object(Map::from_iter([(step, value(&part, clear))]))
        };
        return parts.map(part).collect();
    }
    if clear || element.is_shown() {
        return Value::String(text(element));
    }
    match element.masked_pan() {
        Some(pan) => Value::String(pan),
        None => json!({ "hidden": element.raw().len() }),
    }
}

/// A whole value as text.
fn text(element: &Element<'_>) -> String {
    let digit = |digit: u8| char::from(if digit > 9 { digit } else { b'0' + digit });
    if let Some(digits) = element.digits() {
        return digits.iter().map(digit).collect();
    }
    if let Some((debit, digits)) = element.signed_digits() {
        let sign = if debit { 'D' } else { 'C' };
        return std::iter::once(sign).chain(digits.iter().map(digit)).collect();
    }
    if let Some(text) = element.text() {
        return text.iter().map(char::from).collect();
    }
    if let Some(number) = element.number() {
        return number.to_string();
    }
    let octets = element.octets();
    octets.iter().flat_map(crate::element::Octets::iter).map(|octet| format!("{octet:02X}")).collect()
}

/// Why JSON is no message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// It has not the form of one.
    #[error("{path}: {rule}")]
    Form {
        /// Where.
        path: FieldPath,
        /// What should be there.
        rule: &'static str,
    },
    /// It breaks a rule of the specification.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Builds the message that JSON describes at the end of a buffer, and returns where it stands.
///
/// `spec`, if it is there, must be the specification's name. A message that was masked cannot be built: what is hidden
/// is not there.
///
/// # Errors
/// What is missing or of another form, with its place; or any rule of the specification.
pub fn from_json(spec: &Spec, json: &Value, out: &mut BytesMut) -> Result<Range<usize>, JsonError> {
    let form = |rule| JsonError::Form { path: FieldPath::Message, rule };
    if json.get("spec").is_some_and(|name| name.as_str() != Some(spec.name())) {
        return Err(form("`spec` names another specification"));
    }
    let mti = json.get("mti").and_then(Value::as_str).filter(|text| text.len() == 4);
    let mti =
        mti.and_then(|text| u16::from_str_radix(text, 16).ok()).ok_or(form("`mti` must be four digits"))?;
    let fields = json.get("fields").and_then(Value::as_object).ok_or(form("`fields` must be an object"))?;
    let mut numbered = Vec::with_capacity(fields.len());
    for (number, value) in fields {
        numbered.push((number.parse::<u8>().map_err(|_| form("a field's key must be its number"))?, value));
    }
    numbered.sort_by_key(|(number, _)| *number);
    let mut builder = Builder::new(spec, out, Mti::new(mti));
    for (number, value) in numbered {
        put_field(&mut builder, spec, number, value)?;
    }
    Ok(builder.finish()?)
}

fn put_field(builder: &mut Builder<'_, '_>, spec: &Spec, number: u8, value: &Value) -> Result<(), JsonError> {
    let path = Path::new(number);
    let mut form = None;
    let put = match value {
        Value::Array(parts) => builder.parts(number, |builder| {
            put_parts(builder, path, parts).map_err(|error| into_encode(error, path, &mut form))
        }),
        value => {
            let row = spec.field(number);
            let text = leaf(path.into(), value)?;
            builder.put(number, |field, out| put_text(row.unwrap_or(field), out, text))
        }
    };
    match (put, form) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(form)) => Err(form),
        (Err(error), None) => Err(error.into()),
    }
}

fn put_parts(builder: &mut PartsBuilder<'_, '_>, path: Path, parts: &[Value]) -> Result<(), JsonError> {
    for part in parts {
        let only = part.as_object().filter(|part| part.len() == 1).and_then(|part| part.iter().next());
        let rule = "each part must be an object with its name alone";
        let (step, value) = only.ok_or(JsonError::Form { path: path.into(), rule })?;
        let below = path.name(step).ok_or(JsonError::Form { path: path.into(), rule: "no such part" })?;
        let mut form = None;
        let put = match value {
            Value::Array(parts) => builder.parts(step, |inner| {
                put_parts(inner, below, parts).map_err(|error| into_encode(error, below, &mut form))
            }),
            value => {
                let text = leaf(below.into(), value)?;
                builder.put_or_unknown(step, |row, out| match row {
                    Some(row) => put_text(row, out, text),
                    None => {
                        out.put_slice(&unhex(text)?);
                        Ok(0)
                    }
                })
            }
        };
        match (put, form) {
            (Ok(_), _) => {}
            (Err(_), Some(form)) => return Err(form),
            (Err(error), None) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Carries an error of form out through a builder, which knows only its own.
fn into_encode(error: JsonError, path: Path, form: &mut Option<JsonError>) -> EncodeError {
    match error {
        JsonError::Encode(error) => error,
        error => {
            *form = Some(error);
            EncodeError { path: path.into(), kind: EncodeErrorKind::WrongClass }
        }
    }
}

fn leaf(path: FieldPath, value: &Value) -> Result<&str, JsonError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Object(object) if object.contains_key("hidden") => {
            Err(JsonError::Form { path, rule: "is hidden, so the message cannot be built" })
        }
        _ => Err(JsonError::Form { path, rule: "must be a text" }),
    }
}

fn put_text(row: &Field, out: &mut Out<'_>, text: &str) -> Result<u16, EncodeErrorKind> {
    match (row.class(), row.encoding()) {
        (Class::Numeric, Encoding::Binary) => {
            pack::number(row, out, text.parse().map_err(|_| EncodeErrorKind::WrongClass)?)
        }
        (Class::Numeric | Class::Track, _) => pack::digits(row, out, text.as_bytes()),
        (Class::Binary | Class::Tlv, _) => pack::bytes(row, out, &unhex(text)?),
        (Class::Alphanumeric | Class::Text | Class::Signed, _) => {
            let latin: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
            pack::text(row, out, &latin.map_err(|_| EncodeErrorKind::WrongClass)?)
        }
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, EncodeErrorKind> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2)).ok_or(EncodeErrorKind::NotHex)?;
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
