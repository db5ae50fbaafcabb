//! What can be wrong with a specification, and where in it.
//!
//! What can be wrong with a message is in `error`.

use std::fmt;

use crate::path::Path;

/// Why a specification was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// The text is no TOML.
    #[cfg(feature = "toml")]
    #[error("the field table is not valid TOML")]
    Syntax(#[source] toml::de::Error),
    /// A key that the format does not have.
    #[error("{place}: unknown key `{key}`")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
    },
    /// A key that must be there.
    #[error("{place}: `{key}` is missing")]
    MissingKey {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
    },
    /// A value that breaks the key's rule.
    #[error("{place}: `{key}` {rule}")]
    BadValue {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
        /// What the value must be.
        rule: &'static str,
    },
}

/// The part of a specification an error is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// The keys in front of the first field.
    Head,
    /// The n-th `[[field]]`, counted from 1, when its number is not known.
    Row(usize),
    /// The `[[field]]` with this number.
    Field(u8),
    /// A part of a composite.
    Part(Path),
    /// The n-th part, counted from 1, below this field or part, when its own key is not known.
    PartRow(Path, usize),
    /// The n-th `[[message]]`, counted from 1.
    Message(usize),
}

impl Place {
    /// A field, or a part of one.
    pub(crate) fn at(path: Path) -> Place {
        if path.is_field() { Place::Field(path.field()) } else { Place::Part(path) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Head => f.write_str("head"),
            Place::Row(row) => write!(f, "field row {row}"),
            Place::Field(number) => write!(f, "DE {number}"),
            Place::Part(path) => write!(f, "{path}"),
            Place::PartRow(path, row) => write!(f, "{path}, part row {row}"),
            Place::Message(row) => write!(f, "message row {row}"),
        }
    }
}
