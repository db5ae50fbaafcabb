//! Component files: one custodian's part of a key, in a file that nobody but its owner may read.
//!
//! A file is TOML with the component's number, its bytes in hex and its check value. Start at [`read`] and [`draw`].

use std::{
    fs::File,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hsm_sim::{ComponentError, ComponentForm, Entropy, KeyComponent};
use serde::Deserialize;

use super::CheckValue;
use crate::city::{Problem, SecretText, document};

/// Bytes of a local master key and of each of its components.
pub const LMK_BYTES: usize = 32;

/// Bytes of a double-length DES key.
pub const DES_BYTES: usize = 16;

/// What others than a file's owner could do with it.
const OTHERS: u32 = 0o077;

/// Whose file is at fault, and how.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ComponentFileError {
    /// The file.
    pub path: PathBuf,
    /// The rule it breaks.
    pub problem: ComponentProblem,
}

/// The rule a component file breaks.
#[derive(Debug, thiserror::Error)]
pub enum ComponentProblem {
    /// It is not there or cannot be read.
    #[error("the component file cannot be read ({0})")]
    Unreadable(ErrorKind),
    /// Others may read or write it.
    #[error("the component file is open to others than its owner (mode {0:03o}); chmod 600 it")]
    Open(u32),
    /// It is not the TOML it should be.
    #[error("{0}")]
    Form(String),
    /// Its number is none.
    #[error("number must be 1 to 9")]
    Number,
    /// Its check value is none.
    #[error("check_value must be 6 upper-case hex digits")]
    CheckValue,
    /// What it holds is no component.
    #[error("{0}")]
    Component(ComponentError),
    /// A component is never overwritten.
    #[error("a file of this name is there already; a component is never overwritten")]
    Exists,
    /// It cannot be written.
    #[error("the component file cannot be written ({0})")]
    Unwritable(ErrorKind),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    number: u8,
    key: SecretText,
    check_value: String,
}

/// Reads a component. Its length says what it is of: 32 bytes of an AES key, such as the local master key, 16 of a
/// double-length DES key.
///
/// # Errors
/// See [`ComponentProblem`].
pub fn read(path: &Path) -> Result<KeyComponent, ComponentFileError> {
    parse(path).map_err(|problem| ComponentFileError { path: path.to_owned(), problem })
}

fn parse(path: &Path) -> Result<KeyComponent, ComponentProblem> {
    let metadata = std::fs::metadata(path).map_err(|error| ComponentProblem::Unreadable(error.kind()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(ComponentProblem::Open(mode));
    }
    let raw: Raw = document::read(path, "component").map_err(|error| match error.problem {
        Problem::Unreadable(kind) => ComponentProblem::Unreadable(kind),
        problem => ComponentProblem::Form(match error.line {
            Some(line) => format!("line {line}: {problem}"),
            None => problem.to_string(),
        }),
    })?;
    let check_value = check_value(&raw.check_value).ok_or(ComponentProblem::CheckValue)?;
    let digits = raw.key.expose();
    let form = if digits.len() == 2 * DES_BYTES { ComponentForm::Des } else { ComponentForm::Aes };
    let custodian = custodian(raw.number)?;
    KeyComponent::from_hex(&custodian, form, digits, Some(check_value)).map_err(ComponentProblem::Component)
}

/// Draws a component and writes its file, which nobody but its owner may read.
///
/// # Errors
/// See [`ComponentProblem`]; nothing is written then, or nothing that is whole.
pub fn draw(
    path: &Path,
    number: u8,
    bytes: usize,
    entropy: &mut dyn Entropy,
) -> Result<KeyComponent, ComponentFileError> {
    let fault = |problem| ComponentFileError { path: path.to_owned(), problem };
    let custodian = custodian(number).map_err(fault)?;
    let form = if bytes == DES_BYTES { ComponentForm::Des } else { ComponentForm::Aes };
    let drawn = KeyComponent::draw(&custodian, form, bytes, entropy);
    let drawn = drawn.map_err(|error| fault(ComponentProblem::Component(error)))?;
    write(path, number, &drawn).map_err(|error| {
        fault(match error.kind() {
            ErrorKind::AlreadyExists => ComponentProblem::Exists,
            kind => ComponentProblem::Unwritable(kind),
        })
    })?;
    Ok(drawn)
}

/// Written piece by piece, so that no buffer holds the component.
fn write(path: &Path, number: u8, component: &KeyComponent) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    write!(
        file,
        "# One custodian's component of a key. Whoever has all components has the key: keep this file apart from the\n\
         # others, and give it to nobody. Written by `cardswitch keys component`.\n\nnumber = {number}\nkey = \""
    )?;
    file.write_all(component.expose_hex().as_bytes())?;
    write!(file, "\"\ncheck_value = \"{}\"\n", CheckValue(component.check_value()))?;
    file.sync_all()
}

/// Custodians are told apart by the numbers of their components.
fn custodian(number: u8) -> Result<String, ComponentProblem> {
    if (1..=9).contains(&number) { Ok(format!("component {number}")) } else { Err(ComponentProblem::Number) }
}

fn check_value(text: &str) -> Option<[u8; 3]> {
    let mut value = [0; 3];
    let upper = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    if !upper || text.len() != 6 {
        return None;
    }
    for (byte, place) in value.iter_mut().zip([0, 2, 4]) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
    }
    Some(value)
}
