//! An officer's key file: the Ed25519 key (RFC 8032) with which the officer signs orders. Only its owner may read it, and it
//! is never overwritten.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ed25519_dalek::{Signer, SigningKey};
use hsm_sim::Entropy;
use serde::Deserialize;

use super::signed_bytes;
use crate::{
    books::order::{OfficerName, OfficerSignature, Order},
    city::{SecretText, document},
    hex, wipe,
};

/// What others than a file's owner could do with it.
const OTHERS: u32 = 0o077;

/// Whose key file is at fault, and how.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct KeyError {
    /// The file.
    pub path: PathBuf,
    /// The rule it breaks.
    pub problem: KeyProblem,
}

/// The rule an officer's key file breaks.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// It is not there or cannot be read.
    #[error("the officer's key file cannot be read ({0})")]
    Unreadable(ErrorKind),
    /// Others may read or write it.
    #[error("the officer's key file is open to others than its owner (mode {0:03o}); chmod 600 it")]
    Open(u32),
    /// It is not the TOML it should be.
    #[error("{0}")]
    Form(String),
    /// Its name is none.
    #[error("name must be 1 to 32 letters, digits, hyphens and underscores")]
    Name,
    /// Its key is none.
    #[error("key must be 64 hex digits")]
    Key,
    /// A key is never overwritten.
    #[error("a file of this name is there already; an officer's key is never overwritten")]
    Exists,
    /// It cannot be written.
    #[error("the officer's key file cannot be written ({0})")]
    Unwritable(ErrorKind),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    key: SecretText,
}

/// An officer with the means to sign. `Debug` does not show the key, which is overwritten when this is dropped.
pub struct OfficerKey {
    name: OfficerName,
    key: SigningKey,
}

impl std::fmt::Debug for OfficerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfficerKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OfficerKey {
    /// Reads an officer's key file.
    ///
    /// # Errors
    /// See [`KeyProblem`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        parse(path).map_err(|problem| KeyError { path: path.to_owned(), problem })
    }

    /// Draws a key and writes its file.
    ///
    /// # Errors
    /// See [`KeyProblem`]; nothing is written then, or nothing that is whole.
    pub fn draw(path: &Path, name: &str, entropy: &mut dyn Entropy) -> Result<Self, KeyError> {
        let fault = |problem| KeyError { path: path.to_owned(), problem };
        let name = officer_name(name).ok_or(KeyProblem::Name).map_err(fault)?;
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        let drawn = Self { name, key: SigningKey::from_bytes(&secret) };
        let written = write(path, &name, &secret);
        wipe::bytes(&mut secret);
        match written {
            Ok(()) => Ok(drawn),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(fault(KeyProblem::Exists)),
            Err(error) => Err(fault(KeyProblem::Unwritable(error.kind()))),
        }
    }

    /// The officer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What others know the officer's signatures by.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs an order.
    #[must_use]
    pub fn sign(&self, order: &Order) -> OfficerSignature {
        let signature = self.key.sign(&signed_bytes(order));
        OfficerSignature { officer: self.name, point: *signature.r_bytes(), scalar: *signature.s_bytes() }
    }
}

/// A name as files have it.
pub(crate) fn officer_name(text: &str) -> Option<OfficerName> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    // Names are logged and printed, so none may look like a card number.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    OfficerName::from(text).ok().filter(|name| plain && digits <= 12 && !name.is_empty())
}

fn parse(path: &Path) -> Result<OfficerKey, KeyProblem> {
    let metadata = std::fs::metadata(path).map_err(|error| KeyProblem::Unreadable(error.kind()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyProblem::Open(mode));
    }
    let raw: Raw = document::read(path, "officer's key").map_err(|error| match error.line {
        Some(line) => KeyProblem::Form(format!("line {line}: {}", error.problem)),
        None => KeyProblem::Form(error.problem.to_string()),
    })?;
    let name = officer_name(&raw.name).ok_or(KeyProblem::Name)?;
    let mut secret = hex::bytes::<32>(raw.key.expose()).ok_or(KeyProblem::Key)?;
    let key = SigningKey::from_bytes(&secret);
    wipe::bytes(&mut secret);
    Ok(OfficerKey { name, key })
}

/// Written digit by digit, so that no buffer holds the key.
fn write(path: &Path, name: &str, secret: &[u8; 32]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    write!(
        file,
        "# The key with which one officer signs orders. Whoever has it signs in the officer's name: give it to nobody.\n\
         # Written by `cardswitch order officer`.\n\nname = \"{name}\"\nkey = \""
    )?;
    for byte in secret {
        write!(file, "{byte:02x}")?;
    }
    writeln!(file, "\"")?;
    file.sync_all()
}
