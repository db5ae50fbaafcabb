//! Known-answer vectors of `fixtures/vectors/hsm.json`, for the tests of the
//! modules that compute them. Each vector names its source in that file.
#![expect(clippy::unwrap_used, reason = "a damaged fixture fails the test that reads it")]

use serde::Deserialize;
use serde_json::{Map, Value};

/// One known answer.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) id: String,
    family: String,
    inputs: Map<String, Value>,
    expected: Map<String, Value>,
}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

impl Vector {
    pub(crate) fn input(&self, name: &str) -> &str {
        self.inputs[name].as_str().unwrap()
    }

    pub(crate) fn input_number(&self, name: &str) -> u64 {
        self.inputs[name].as_u64().unwrap()
    }

    pub(crate) fn input_bytes(&self, name: &str) -> Vec<u8> {
        bytes(self.input(name))
    }

    pub(crate) fn expected(&self, name: &str) -> &str {
        self.expected[name].as_str().unwrap()
    }

    pub(crate) fn expected_in(&self, group: &str, name: &str) -> &str {
        self.expected[group][name].as_str().unwrap()
    }

    pub(crate) fn expected_bytes(&self, name: &str) -> Vec<u8> {
        bytes(self.expected(name))
    }
}

/// All vectors of one family; never none, so that no test passes by reading nothing.
pub(crate) fn family(name: &str) -> Vec<Vector> {
    let file: File = serde_json::from_str(include_str!("../../fixtures/vectors/hsm.json")).unwrap();
    let vectors: Vec<_> = file.vectors.into_iter().filter(|vector| vector.family == name).collect();
    assert!(!vectors.is_empty(), "no vectors of family {name}");
    vectors
}

/// Decodes upper-case hexadecimal.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let mut bytes = vec![0; hex.len() / 2];
    assert!(crate::hex::decode(hex.as_bytes(), &mut bytes), "fixture is no hexadecimal");
    bytes
}

/// The same with a fixed length.
pub(crate) fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}
