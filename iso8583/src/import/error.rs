//! Why a document gave no specification.

use std::fmt;

/// Everything that was found wrong with a document; prints one line a reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportError {
    refusals: Vec<Refusal>,
}

impl ImportError {
    /// The reasons, in the order of the document; at least one, at most a
    /// hundred.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Of these reasons; one at least.
    pub(super) fn of(refusals: Vec<Refusal>) -> ImportError {
        ImportError { refusals }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.refusals.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportError {}

/// One thing that is wrong, where, and against which rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {rule}")]
pub struct Refusal {
    /// The part of the document.
    pub place: Place,
    /// Its line, counted from 1; `None` where the format does not tell.
    pub line: Option<usize>,
    /// What is wrong there.
    pub rule: Rule,
}

/// A part of a document.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// The document as a whole.
    Document,
    /// A field or subfield by its path, such as `48` or `48.3`.
    Field(String),
}

impl Place {
    /// The subfield with this name in this place.
    pub(super) fn below(&self, name: &str) -> Place {
        let name = printable(name);
        match self {
            Place::Document => Place::Field(name),
            Place::Field(path) => Place::Field(format!("{path}.{name}")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Document => f.write_str("document"),
            Place::Field(path) => write!(f, "field {path}"),
        }
    }
}

/// A rule that a document breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rule {
    /// It is not of the format at all.
    #[error("{0}")]
    Malformed(String),
    /// Something that the format has and this crate does not: a class, a type,
    /// an encoding.
    #[error("{what} {name} has no counterpart here")]
    NoCounterpart {
        /// `class`, `type`, `packager` and so on.
        what: &'static str,
        /// Its name in the document.
        name: String,
    },
    /// An attribute or key that must be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value that breaks its key's rule.
    #[error("`{key}` {rule}")]
    BadValue {
        /// The attribute or key.
        key: &'static str,
        /// What its value must be.
        rule: String,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

/// A name from a document as an error may print it: no control characters, and
/// no longer than a line.
pub(super) fn printable(name: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut text: String = name.chars().take(CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    if name.chars().nth(CHARACTERS_MAX).is_some() {
        text.push('…');
    }
    text
}
