//! The officers whose orders count: one file with a name and a public key for each.

use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;

use super::key::officer_name;
use crate::{
    books::order::{OfficerName, OfficerSignature, What},
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
    #[serde(default)]
    teller: bool,
}

/// Everybody whose orders count.
#[derive(Clone, Debug, Default)]
pub struct Officers(Vec<Officer>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Officer {
    name: OfficerName,
    pub(super) key: VerifyingKey,
    pub(super) role: Role,
}

/// What a signature counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Everything.
    Officer,
    /// Alerts and snoozes.
    Analyst,
    /// What cardholders ask for.
    Teller,
}

impl Role {
    /// What is said where a signature does not count.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Officer => "an officer",
            Self::Analyst => "an analyst, whose signature counts for alerts alone",
            Self::Teller => "a teller, whose signature counts for the limits of cardholders alone",
        }
    }

    /// Whether a signature counts for this.
    pub(super) fn may_sign(self, what: &What) -> bool {
        match self {
            Self::Officer => true,
            Self::Analyst => what.is_of_alerts(),
            Self::Teller => what.is_of_holder(),
        }
    }
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
            role: Role::Officer,
        };
        Self(keys.iter().map(officer).collect())
    }

    #[cfg(test)]
    pub(super) fn with(mut self, role: Role, key: &super::OfficerKey) -> Self {
        self.0.extend(Self::of(&[key]).0.into_iter().map(|officer| Officer { role, ..officer }));
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
    let officers = raw.officer.iter().filter(|raw| !raw.analyst && !raw.teller).count();
    if officers < 2 || raw.officer.len() > OFFICERS_MAX {
        return Err(format!(
            "there must be 2 to {OFFICERS_MAX} officers, because every order needs two; analysts and tellers are none"
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
        let role = match (raw.analyst, raw.teller) {
            (false, false) => Role::Officer,
            (true, false) => Role::Analyst,
            (false, true) => Role::Teller,
            (true, true) => return Err(at("an analyst is no teller; enrol a key for each")),
        };
        officers.push(Officer { name, key, role });
    }
    Ok(Officers(officers))
}
