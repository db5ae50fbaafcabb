//! Any message that a specification allows: made from its file, so that no kind of field or part is forgotten.

use bytes::BytesMut;
use iso8583::{
    Builder, Class, CompositeKind, Counts, ElementDef, EncodeError, Length, Mti, PartKey, PartsBuilder,
    Prefix, Signed, Spec, SpecFile, ValueEncoding, Version,
};

/// What is put: a value as its builder takes it, or parts.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Digits(Vec<u8>),
    Number(u64),
    Signed(Signed),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Parts(Vec<(String, Value)>),
}

/// Choices that a seed makes (xorshift, as Marsaglia has it).
pub(crate) struct Chooser(u64);

impl Chooser {
    pub(crate) fn new(seed: u64) -> Chooser {
        Chooser(seed | 1)
    }

    fn up_to(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % (most + 1)
    }

    fn chance(&mut self, of_ten: usize) -> bool {
        self.up_to(9) < of_ten
    }

    fn bytes(&mut self, count: usize, from: &[u8]) -> Vec<u8> {
        (0..count).map(|_| from[self.up_to(from.len() - 1)]).collect()
    }
}

/// A message with about so many fields of ten, and the values that were put.
pub(crate) fn message(file: &SpecFile, spec: &Spec, seed: u64, of_ten: usize) -> BytesMut {
    let mut chooser = Chooser::new(seed);
    let mut fields: Vec<_> = file.fields.iter().collect();
    fields.sort_by_key(|field| field.number);
    let first = match file.version {
        None | Some(Version::V1987) => 0x0000,
        Some(Version::V1993) => 0x1000,
        Some(Version::V2003) => 0x2000,
    };
    let mut out = BytesMut::new();
    let mut builder = Builder::new(spec, &mut out, Mti::new(first | 0x0200));
    for field in fields {
        if chooser.chance(of_ten) {
            let value = value(&field.element, &mut chooser);
            put(&mut builder, field.number, &value).expect("it obeys the specification");
        }
    }
    builder.finish().expect("it obeys the specification");
    out
}

fn put(builder: &mut Builder<'_, '_>, number: u8, value: &Value) -> Result<(), EncodeError> {
    match value {
        Value::Digits(digits) => builder.digits(number, digits).map(drop),
        Value::Number(value) => builder.number(number, *value).map(drop),
        Value::Signed(signed) => builder.signed(number, *signed).map(drop),
        Value::Text(text) => builder.text(number, text).map(drop),
        Value::Bytes(bytes) => builder.bytes(number, bytes).map(drop),
        Value::Parts(values) => builder.parts(number, |parts| put_all(parts, values)).map(drop),
    }
}

fn put_all(parts: &mut PartsBuilder<'_, '_>, values: &[(String, Value)]) -> Result<(), EncodeError> {
    for (step, value) in values {
        match value {
            Value::Digits(digits) => parts.digits(step, digits).map(drop),
            Value::Number(value) => parts.number(step, *value).map(drop),
            Value::Signed(signed) => parts.signed(step, *signed).map(drop),
            Value::Text(text) => parts.text(step, text).map(drop),
            Value::Bytes(bytes) => parts.bytes(step, bytes).map(drop),
            Value::Parts(values) => parts.parts(step, |inner| put_all(inner, values)).map(drop),
        }?;
    }
    Ok(())
}

fn value(def: &ElementDef, chooser: &mut Chooser) -> Value {
    let Some(composite) = &def.composite else { return leaf(def, chooser) };
    let fixed = matches!(def.length, Length::Fixed(_));
    let mut values = Vec::new();
    let last = chooser.up_to(composite.parts.len());
    for (index, part) in composite.parts.iter().enumerate() {
        let there = match composite.kind {
            CompositeKind::Positional => fixed || index < last,
            _ => chooser.chance(6) && values.len() < 8,
        };
        if there {
            values.push((step(&part.key), value(&part.element, chooser)));
        }
    }
    let unknown = match &composite.kind {
        CompositeKind::BerTlv => Some("DF7F".to_owned()),
        CompositeKind::Tags { tag, .. } if tag.encoding == iso8583::PrefixEncoding::Binary => {
            Some("FA".to_owned())
        }
        CompositeKind::Tags { tag, .. } => Some("9".repeat(tag.length.into())),
        _ => None,
    };
    if let Some(tag) = unknown.filter(|_| chooser.chance(5)) {
        values.push((tag, Value::Bytes(chooser.bytes(3, b"\x00\x41\xF1"))));
    }
    Value::Parts(values)
}

fn step(key: &PartKey) -> String {
    match key {
        PartKey::Number(number) => number.to_string(),
        PartKey::Tag(tag) => tag.clone(),
    }
}

fn leaf(def: &ElementDef, chooser: &mut Chooser) -> Value {
    let length = match def.length {
        Length::Fixed(length) => usize::from(length),
        // The wire says how many bytes; an odd count needs a pad that is no digit.
        Length::Variable { prefix: Prefix::None, max } => chooser.up_to(usize::from(max).min(12)) / 2 * 2,
        Length::Variable { max, .. } if def.counts == Some(Counts::Bytes) && def.pad.is_none() => {
            chooser.up_to(usize::from(max).min(12)) / 2 * 2
        }
        Length::Variable { max, .. } => chooser.up_to(usize::from(max).min(12)),
    };
    const DIGITS: &[u8] = b"0123456789";
    match def.class {
        Class::Numeric if def.encoding == Some(ValueEncoding::Binary) => Value::Number(7),
        Class::Numeric => Value::Digits(chooser.bytes(length, DIGITS)),
        Class::Track => Value::Digits(chooser.bytes(length, b"0123456789=")),
        Class::Alphanumeric => Value::Text(chooser.bytes(length, b"09 azAZ")),
        Class::Text => Value::Text(chooser.bytes(length, b"0 aZ[]|^!~=\xE9")),
        Class::Binary => Value::Bytes(chooser.bytes(length, b"\x00\x01\x7F\x80\xFF")),
        Class::Tlv => Value::Bytes(vec![0x95, 1, 7]),
        Class::Signed => Value::Signed(Signed { debit: chooser.chance(5), amount: 1234 }),
    }
}
