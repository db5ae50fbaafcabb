//! What is wrong with a city file, and where: file, line, column and rule, never the value, which may be a PAN, a
//! PIN or a key.

use std::borrow::Cow;
use std::fmt;

use hsm_sim::PanError;

/// A fault in one of the city's files.
///
/// Its text reads `cards.csv line 7, pan: the check digit is wrong`.
#[derive(Debug, thiserror::Error)]
pub struct CityError {
    /// Name of the file, without its folder.
    pub file: Cow<'static, str>,
    /// Line, from 1; none if the file as a whole is wrong.
    pub line: Option<u64>,
    /// Column of a CSV file or key of a TOML file, if one of them is wrong.
    pub column: Option<Cow<'static, str>>,
    /// The rule it breaks.
    pub problem: Problem,
}

impl fmt::Display for CityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The rule a city file breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The file could not be read.
    #[error("the file cannot be read ({0})")]
    Unreadable(std::io::ErrorKind),
    /// The file is too long.
    #[error("the file is longer than {0} bytes")]
    TooLong(u64),
    /// A table that is kept in memory has too many rows.
    #[error("there are more than {0} rows")]
    TooManyRows(usize),
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The first line does not name the columns.
    #[error("the header must be {0}")]
    Header(String),
    /// A row has more or fewer fields than the header.
    #[error("the row has {found} fields and the header {expected}")]
    FieldCount {
        /// Fields in the header.
        expected: u64,
        /// Fields in the row.
        found: u64,
    },
    /// A field is too long to be anything.
    #[error("the field is longer than {0} bytes")]
    FieldTooLong(usize),
    /// The text is no card number.
    #[error("{}", pan_rule(*.0))]
    Pan(PanError),
    /// The text does not have the form asked for.
    #[error("must be {0}")]
    Form(&'static str),
    /// The name stands nowhere in the file it points to.
    #[error("is not in {0}")]
    UnknownName(&'static str),
    /// An account stands nowhere in its chart.
    #[error("is no account of the chart; {nearest} is the nearest")]
    UnknownAccount {
        /// The account whose name is most like it.
        nearest: String,
    },
    /// Something that may stand once stands twice.
    #[error("stands here a second time")]
    Duplicate,
    /// Two columns, or two files, contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The file is not the TOML it should be. The text is the parser's, kept only where it cannot quote a value.
    #[error("{0}")]
    Toml(String),
}

impl CityError {
    /// A fault of a file as a whole.
    pub(super) fn of_file(file: impl Into<Cow<'static, str>>, problem: Problem) -> Self {
        Self { file: file.into(), line: None, column: None, problem }
    }

    /// A fault of one key of a TOML file.
    pub(super) fn of_key(
        file: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        problem: Problem,
    ) -> Self {
        Self { column: Some(key.into()), ..Self::of_file(file, problem) }
    }
}

/// The rule alone: the column's name already says that it is a card number.
fn pan_rule(err: PanError) -> &'static str {
    match err {
        PanError::Length => "must have 12 to 19 digits",
        PanError::NotDigits => "has a character that is no digit",
        PanError::CheckDigit => "the check digit is wrong",
    }
}
