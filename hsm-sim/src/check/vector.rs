//! One known answer: reading its inputs, comparing what it expects.

use super::{Mismatch, Reason};
use crate::{Hsm, HsmError, KeyBlockError, KeyHandle, KeyUsage, Pan, des_key::DesKey, hex};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One vector of a file.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) family: String,
    inputs: Map<String, Value>,
    expected: Map<String, Value>,
}

/// Why a check could not be finished.
pub(crate) enum Fault {
    /// The input of this name is missing or malformed.
    Input(String),
    /// The engine refused.
    Engine(String),
}

impl From<HsmError> for Fault {
    fn from(error: HsmError) -> Self {
        match error {
            HsmError::KeyBlock(cause) => cause.into(),
            other => Self::Engine(other.to_string()),
        }
    }
}

impl From<KeyBlockError> for Fault {
    fn from(error: KeyBlockError) -> Self {
        Self::Engine(error.to_string())
    }
}

/// That the input of this name is malformed.
pub(crate) fn malformed(field: &str) -> Fault {
    Fault::Input(field.to_owned())
}

impl Vector {
    pub(crate) fn text(&self, field: &str) -> Result<&str, Fault> {
        self.inputs.get(field).and_then(Value::as_str).ok_or_else(|| malformed(field))
    }

    pub(crate) fn number(&self, field: &str) -> Result<u64, Fault> {
        self.inputs.get(field).and_then(Value::as_u64).ok_or_else(|| malformed(field))
    }

    /// Decimal digits as text.
    pub(crate) fn digits(&self, field: &str) -> Result<&[u8], Fault> {
        let digits = self.text(field)?.as_bytes();
        if digits.iter().all(u8::is_ascii_digit) { Ok(digits) } else { Err(malformed(field)) }
    }

    /// Decimal digits of a fixed number.
    pub(crate) fn digits_array<const N: usize>(&self, field: &str) -> Result<[u8; N], Fault> {
        self.digits(field)?.try_into().map_err(|_| malformed(field))
    }

    pub(crate) fn bytes(&self, field: &str) -> Result<Vec<u8>, Fault> {
        decode(self.text(field)?).ok_or_else(|| malformed(field))
    }

    pub(crate) fn array<const N: usize>(&self, field: &str) -> Result<[u8; N], Fault> {
        self.bytes(field)?.try_into().map_err(|_| malformed(field))
    }

    /// Hexadecimal digits one by one.
    pub(crate) fn nibbles(&self, field: &str) -> Result<Vec<u8>, Fault> {
        let nibble = |digit: char| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        self.text(field)?.chars().map(|digit| nibble(digit).ok_or_else(|| malformed(field))).collect()
    }

    /// A list of texts in hexadecimal.
    pub(crate) fn list<const N: usize>(&self, field: &str) -> Result<Vec<[u8; N]>, Fault> {
        let list = self.inputs.get(field).and_then(Value::as_array).ok_or_else(|| malformed(field))?;
        let item = |item: &Value| decode(item.as_str()?)?.try_into().ok();
        list.iter().map(|value| item(value).ok_or_else(|| malformed(field))).collect()
    }

    pub(crate) fn des_key(&self, field: &str) -> Result<DesKey, Fault> {
        Ok(DesKey::new(&self.bytes(field)?).map_err(HsmError::from)?)
    }

    pub(crate) fn pan(&self, field: &str) -> Result<Pan, Fault> {
        Pan::parse(self.digits(field)?).map_err(|_| malformed(field))
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    hex::decode(text.as_bytes(), &mut bytes).then_some(bytes)
}

/// Compares computed values with the expected ones of a vector.
pub(crate) struct Checker<'a> {
    vector: &'a Vector,
    /// The engine, for checks that go all the way through it.
    pub(crate) hsm: &'a mut Hsm,
    compared: Vec<String>,
    mismatches: Vec<Mismatch>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(vector: &'a Vector, hsm: &'a mut Hsm) -> Self {
        Self { vector, hsm, compared: Vec::new(), mismatches: Vec::new() }
    }

    /// Whether the vector expects something under this name.
    pub(crate) fn expects(&self, field: &str) -> bool {
        self.vector.expected.contains_key(field)
    }

    /// The expected text itself, for a check that has nothing to compute it from.
    pub(crate) fn expected_text(&mut self, field: &str) -> Option<&'a str> {
        self.compared.push(field.to_owned());
        self.vector.expected.get(field)?.as_str()
    }

    pub(crate) fn text(&mut self, field: &str, found: &str) {
        let expected = self.vector.expected.get(field);
        self.compare(field, expected, found);
    }

    pub(crate) fn bytes(&mut self, field: &str, found: &[u8]) {
        self.text(field, &upper(found));
    }

    /// A value inside a group of them.
    pub(crate) fn bytes_in(&mut self, group: &str, field: &str, found: &[u8]) {
        let expected = self.vector.expected.get(group).and_then(|group| group.get(field));
        self.compare(&format!("{group}.{field}"), expected, &upper(found));
        self.compared.push(group.to_owned());
    }

    /// The result of a check that has a yes or no only.
    pub(crate) fn verdict(&mut self, field: &str, good: bool, expected: Option<&str>) {
        self.compared.push(field.to_owned());
        if !good {
            self.mismatches.push(Mismatch {
                id: self.vector.id.clone(),
                reason: Reason::Differs(field.to_owned()),
                expected: expected.map(str::to_owned),
            });
        }
    }

    /// Puts a clear key into the engine.
    pub(crate) fn load(&mut self, usage: KeyUsage, key: &[u8]) -> Result<KeyHandle, Fault> {
        let mut zeros = |bytes: &mut [u8]| bytes.fill(0);
        let block = self.hsm.import_clear_test_key(usage, key, &mut zeros)?;
        Ok(self.hsm.load_key(&block)?)
    }

    /// The mismatches, one more for each expected value that was not compared.
    pub(crate) fn into_mismatches(mut self) -> Vec<Mismatch> {
        for field in self.vector.expected.keys().filter(|field| !self.compared.contains(field)) {
            let reason = Reason::NotChecked(field.clone());
            self.mismatches.push(Mismatch { id: self.vector.id.clone(), reason, expected: None });
        }
        self.mismatches
    }

    fn compare(&mut self, field: &str, expected: Option<&Value>, found: &str) {
        let text = expected.and_then(Value::as_str);
        self.verdict(field, text == Some(found), text);
    }
}

fn upper(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| hex::upper_byte(*byte)).map(char::from).collect()
}
