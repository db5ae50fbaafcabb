//! The officers whose orders count: one file with a name and a public key for each.

use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;

use super::key::officer_name;
use crate::{
    books::order::{OfficerName, OfficerSignature},
    city::document,
    hex,
};

/// Most officers.
const OFFICERS_MAX: usize = 64;

/// Why the file of officers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct OfficersError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and where.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    officer: Vec<RawOfficer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOfficer {
    name: String,
    key: String,
    #[serde(default)]
    analyst: bool,
}

/// Everybody whose orders count.
#[derive(Clone, Debug, Default)]
pub struct Officers(Vec<Officer>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Officer {
    name: OfficerName,
    pub(super) key: VerifyingKey,
    /// Whose signature counts for alerts alone.
    pub(super) analyst: bool,
}

impl Officers {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or a name or key is none, or stands twice, or fewer than two are enrolled.
    pub fn read(path: &Path) -> Result<Self, OfficersError> {
        parse(path).map_err(|problem| OfficersError { path: path.to_owned(), problem })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Officer> {
        self.0.iter().find(|officer| officer.name.as_str() == name)
    }

    #[cfg(test)]
    pub(super) fn of(keys: &[&super::OfficerKey]) -> Self {
        let officer = |key: &&super::OfficerKey| Officer {
            name: officer_name(key.name()).expect("a name"),
            key: VerifyingKey::from_bytes(&key.public()).expect("a key"),
            analyst: false,
        };
        Self(keys.iter().map(officer).collect())
    }

    #[cfg(test)]
    pub(super) fn with_analyst(mut self, key: &super::OfficerKey) -> Self {
        self.0.extend(Self::of(&[key]).0.into_iter().map(|officer| Officer { analyst: true, ..officer }));
        self
    }
}

impl Officer {
    pub(super) fn signed(&self, bytes: &[u8], signature: &OfficerSignature) -> bool {
        let signature = Signature::from_components(signature.point, signature.scalar);
        // The strict check refuses keys and points under which a signature would be good for more than one message.
        self.key.verify_strict(bytes, &signature).is_ok()
    }
}

fn parse(path: &Path) -> Result<Officers, String> {
    let raw: Raw = document::read(path, "officers").map_err(|error| match error.line {
        Some(line) => format!("line {line}: {}", error.problem),
        None => error.problem.to_string(),
    })?;
    let officers = raw.officer.iter().filter(|raw| !raw.analyst).count();
    if officers < 2 || raw.officer.len() > OFFICERS_MAX {
        return Err(format!(
            "there must be 2 to {OFFICERS_MAX} officers, because every order needs two; analysts are none"
        ));
    }
    let mut officers: Vec<Officer> = Vec::new();
    for (place, raw) in raw.officer.iter().enumerate() {
        let at = |rule: &str| format!("officer[{place}]: {rule}");
        let name = officer_name(&raw.name)
            .ok_or_else(|| at("name must be 1 to 32 letters, digits, hyphens and underscores"))?;
        let key = hex::bytes::<32>(&raw.key).and_then(|key| VerifyingKey::from_bytes(&key).ok());
        let key = key.filter(|key| !key.is_weak());
        let key =
            key.ok_or_else(|| at("key must be the 64 hex digits that `cardswitch order officer` printed"))?;
        if officers.iter().any(|officer| officer.name == name || officer.key == key) {
            return Err(at("this name or key stands there twice"));
        }
        officers.push(Officer { name, key, analyst: raw.analyst });
    }
    Ok(Officers(officers))
}
