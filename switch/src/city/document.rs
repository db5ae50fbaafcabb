//! TOML files of the city: read whole, unknown keys refused, and no value of theirs in an error.
//!
//! Start at [`read`]; [`text_if_there`] is for a file whose keys another module knows.

use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{CityError, Problem};
use crate::wipe;

/// Longest TOML file, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads `path`, which errors call `file`.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    file: impl Into<Cow<'static, str>>,
) -> Result<T, CityError> {
    let file = file.into();
    let text = text_of(path).map_err(|problem| CityError::of_file(file.clone(), problem))?;
    let read = parse(&text, file);
    // It may have been the file of keys.
    wipe::text(text);
    read
}

/// Reads a text, which errors call `file`.
pub(super) fn parse<T: DeserializeOwned>(
    text: &str,
    file: impl Into<Cow<'static, str>>,
) -> Result<T, CityError> {
    toml::from_str(text).map_err(|err| {
        let line = err.span().map(|span| line_of(text, span.start));
        CityError { line, ..CityError::of_file(file, Problem::Toml(rule_of(&err))) }
    })
}

/// The line, from 1, on which a place of a text lies.
pub(super) fn line_of(text: &str, place: usize) -> u64 {
    let newlines = text.bytes().take(place).filter(|byte| *byte == b'\n').count();
    newlines as u64 + 1
}

/// The text of `path`, which errors call `file`; none if there is no such file.
pub(super) fn text_if_there(path: &Path, file: &'static str) -> Result<Option<String>, CityError> {
    match text_of(path) {
        Ok(text) => Ok(Some(text)),
        Err(Problem::Unreadable(ErrorKind::NotFound)) => Ok(None),
        Err(problem) => Err(CityError::of_file(file, problem)),
    }
}

fn text_of(path: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|opened| {
        // All at once: a buffer that grows leaves what it held behind.
        let length = usize::try_from(opened.metadata()?.len().min(FILE_BYTES_MAX)).unwrap_or_default();
        bytes.reserve(length + 1);
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)
    });
    match read {
        Err(err) => Err(Problem::Unreadable(err.kind())),
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => Err(Problem::TooLong(FILE_BYTES_MAX)),
        Ok(_) => String::from_utf8(bytes).map_err(|_| Problem::NotUtf8),
    }
}

/// The parser's words where they name a key; else words of our own, because its others may quote the value.
fn rule_of(err: &toml::de::Error) -> String {
    let names_a_key = ["unknown field", "missing field", "duplicate"];
    let message = err.message();
    if names_a_key.iter().any(|start| message.starts_with(start)) {
        message.to_owned()
    } else {
        "not TOML, or a value of the wrong kind or out of range".to_owned()
    }
}
