//! Known answers: runs files of test vectors through the engine.
//!
//! A file is JSON: `{"vectors": [{"id", "family", "inputs": {}, "expected": {}}]}`,
//! further members ignored, bytes in upper-case hexadecimal. Start at [`check`].
//! What a family's inputs mean is in the files beside this one. Every expected
//! value must be looked at: one that no check knows is a mismatch, as an unknown
//! family is.
//!
//! This performs no I/O; the program `hsm-sim` reads the files and prints.

mod blocks;
mod chips;
mod devices;
mod macs;
pub mod made;
mod pins;
mod vector;

use crate::{Hsm, Lmk};
use serde::Deserialize;
use std::fmt;
pub(crate) use vector::{Checker, Fault, Vector};

/// That a file is not of the form above. It says where, never what stands there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a file of vectors, at line {line}, column {column}")]
pub struct NotVectors {
    /// From one on.
    pub line: usize,
    /// From one on.
    pub column: usize,
}

/// What came of a file.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each family, in the order of the file.
    pub families: Vec<FamilyReport>,
}

/// What came of one family's vectors.
#[derive(Debug)]
pub struct FamilyReport {
    /// As the file names it.
    pub name: String,
    /// How many vectors it has.
    pub total: usize,
    /// How many of them agree wholly.
    pub agreed: usize,
    /// What did not agree.
    pub mismatches: Vec<Mismatch>,
}

/// One value, or one vector, that did not agree.
#[derive(Debug)]
pub struct Mismatch {
    /// The vector's `id`.
    pub id: String,
    /// What is wrong.
    pub reason: Reason,
    /// What the file expects, where something differs.
    pub expected: Option<String>,
}

/// Why a vector does not agree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// No check of this name.
    UnknownFamily,
    /// An expected value differs from the computed one.
    Differs(String),
    /// An expected value that the family's check does not compute.
    NotChecked(String),
    /// An input is missing or of a wrong form.
    Input(String),
    /// The engine refused; its own words.
    Refused(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFamily => f.write_str("unknown family"),
            Self::Differs(field) => write!(f, "{field} differs"),
            Self::NotChecked(field) => write!(f, "{field} is not computed for this family"),
            Self::Input(field) => write!(f, "input {field} is missing or malformed"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl Report {
    /// Whether everything agrees, and there was something.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.families.is_empty() && self.families.iter().all(|family| family.mismatches.is_empty())
    }
}

/// A family's check.
type Check = fn(&Vector, &mut Checker<'_>) -> Result<(), Fault>;

/// Every family there is.
const FAMILIES: [(&str, Check); 36] = [
    ("des_block", blocks::cipher),
    ("tdes_block", blocks::cipher),
    ("kcv_tdes", blocks::kcv_tdes),
    ("kcv_aes", blocks::kcv_aes),
    ("cup_signon", blocks::cup_signon),
    ("tr31_unwrap", blocks::tr31_unwrap),
    ("tr31_reject", blocks::tr31_reject),
    ("pinblock_iso0", pins::iso0),
    ("pinblock_iso1", pins::iso1),
    ("pinblock_iso2", pins::iso2),
    ("pinblock_iso3", pins::iso3),
    ("pinblock_iso4", pins::iso4),
    ("pin_translate", pins::translate),
    ("ibm3624", pins::ibm3624),
    ("visa_pvv", pins::visa_pvv),
    ("cvv", pins::cvv),
    ("check_digit", pins::check_digit),
    ("mac_alg1_des", macs::alg1_des),
    ("mac_alg1_tdes", macs::alg1_tdes),
    ("mac_alg3", macs::alg3),
    ("mac_cup_ecb", macs::cup_ecb),
    ("mac_xor_fold", macs::xor_fold),
    ("cmac_aes", macs::cmac_aes),
    ("hmac_sha256", macs::hmac_sha256),
    ("dukpt_tdes", devices::dukpt_tdes),
    ("dukpt_aes128", devices::dukpt_aes128),
    ("psam_session_ours", devices::psam),
    ("emv_icc_mk_a", chips::card_key),
    ("emv_common_sk", chips::session_key),
    ("emv_cvn10", chips::cvn10),
    ("emv_cvn18", chips::cvn18),
    ("pboc_load", chips::purse_load),
    ("pboc_purchase", chips::purse_purchase),
    ("pboc_diversify", chips::diversify),
    ("pboc_diversify2", chips::diversify_twice),
    ("pboc_tac", chips::tac),
];

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

/// Runs the vectors of a file. The engine has the test key as its local master key.
///
/// # Errors
/// [`NotVectors`].
pub fn check(json: &str) -> Result<Report, NotVectors> {
    let file: File = serde_json::from_str(json)
        .map_err(|error| NotVectors { line: error.line(), column: error.column() })?;
    let mut report = Report::default();
    let mut hsm = Hsm::new(Lmk::test());
    for vector in &file.vectors {
        let mismatches = check_one(vector, &mut hsm);
        let family = family(&mut report, &vector.family);
        family.total += 1;
        family.agreed += usize::from(mismatches.is_empty());
        family.mismatches.extend(mismatches);
    }
    for (name, mismatches) in macs::in_one_batch(&file.vectors, &mut hsm) {
        family(&mut report, name).mismatches.extend(mismatches);
    }
    Ok(report)
}

fn family<'a>(report: &'a mut Report, name: &str) -> &'a mut FamilyReport {
    let families = &mut report.families;
    let place = families.iter().position(|family| family.name == name).unwrap_or_else(|| {
        families.push(FamilyReport { name: name.to_owned(), total: 0, agreed: 0, mismatches: Vec::new() });
        families.len() - 1
    });
    &mut families[place]
}

fn check_one(vector: &Vector, hsm: &mut Hsm) -> Vec<Mismatch> {
    let mismatch = |reason| Mismatch { id: vector.id.clone(), reason, expected: None };
    let Some((_, check)) = FAMILIES.iter().find(|(name, _)| *name == vector.family) else {
        return vec![mismatch(Reason::UnknownFamily)];
    };
    let mut checker = Checker::new(vector, hsm);
    match check(vector, &mut checker) {
        Ok(()) => checker.into_mismatches(),
        Err(Fault::Input(field)) => vec![mismatch(Reason::Input(field))],
        Err(Fault::Engine(why)) => vec![mismatch(Reason::Refused(why))],
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::Value;

    const VECTORS: &str = include_str!("../../fixtures/vectors/hsm.json");

    #[test]
    fn every_known_answer_is_found_and_every_family_has_one() {
        let report = check(VECTORS).unwrap();
        for family in &report.families {
            assert!(family.mismatches.is_empty(), "{family:#?}");
            assert!(family.total > 0 && family.agreed == family.total);
        }
        assert!(report.is_good());
        let known: Vec<_> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let mut seen: Vec<_> = report.families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(seen.len(), 36);
        seen.retain(|name| !known.contains(name));
        assert!(seen.is_empty(), "{seen:?}");
    }

    /// The text with the last digit changed: another value of the same form.
    fn spoiled(value: &Value) -> Option<Value> {
        match value {
            Value::String(text) if !text.is_empty() => {
                let (head, last) = text.split_at(text.len() - 1);
                Some(Value::String(format!("{head}{}", if last == "0" { "1" } else { "0" })))
            }
            Value::Object(group) => {
                let mut group = group.clone();
                let (_, first) = group.iter_mut().next()?;
                *first = spoiled(first)?;
                Some(Value::Object(group))
            }
            _ => None,
        }
    }

    #[test]
    fn every_expected_value_is_compared() {
        let file: Value = serde_json::from_str(VECTORS).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            for (field, value) in vector["expected"].as_object().unwrap() {
                let mut bad = vector.clone();
                bad["expected"][field] = spoiled(value).unwrap();
                let report = check(&serde_json::json!({ "vectors": [bad] }).to_string()).unwrap();
                assert!(!report.is_good(), "{} {field} is not looked at", vector["id"]);
                assert_eq!(report.families[0].agreed, 0, "{} {field}", vector["id"]);
            }
        }
    }

    #[test]
    fn a_missing_input_is_told_by_its_name() {
        let file: Value = serde_json::from_str(VECTORS).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            // These say what another input already says, or what only a reader wants to know.
            let unused = ["kind", "tsp", "pan_for_psn"];
            for field in vector["inputs"].as_object().unwrap().keys() {
                let mut bad = vector.clone();
                bad["inputs"].as_object_mut().unwrap().remove(field);
                let report = check(&serde_json::json!({ "vectors": [bad] }).to_string()).unwrap();
                let told = report.families[0].mismatches.first().map(|mismatch| mismatch.reason.clone());
                let of_ibm = vector["family"] == "ibm3624" && field == "pan";
                let want = Some(Reason::Input(field.clone()));
                if !unused.contains(&field.as_str()) && !of_ibm {
                    assert_eq!(told, want, "{}", vector["id"]);
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_a_mismatch() {
        for (name, vector, want) in [
            ("a family", r#"{"id":"x","family":"rot13","inputs":{},"expected":{}}"#, Reason::UnknownFamily),
            (
                "an expected value",
                r#"{"id":"x","family":"check_digit","inputs":{"body":"476173900101011"},
                    "expected":{"check_digit":"9","colour":"blue"}}"#,
                Reason::NotChecked("colour".into()),
            ),
            (
                "an answer of another form",
                r#"{"id":"x","family":"check_digit","inputs":{"body":"476173900101011"},
                    "expected":{"check_digit":9}}"#,
                Reason::Differs("check_digit".into()),
            ),
            (
                "hexadecimal that is none",
                r#"{"id":"x","family":"des_block","inputs":{"key":"xyz","plaintext":""},"expected":{}}"#,
                Reason::Input("key".into()),
            ),
        ] {
            let report = check(&format!(r#"{{"vectors":[{vector}]}}"#)).unwrap();
            assert_eq!(report.families[0].mismatches[0].reason, want, "{name}");
            assert!(!report.is_good());
        }
        assert!(check("[]").is_err());
        assert!(!check(r#"{"vectors":[]}"#).unwrap().is_good(), "a file without vectors proves nothing");
    }
}
