//! Why a rule's text is no rule, and where.
//!
//! Start at [`Fault`]; [`Place`] turns its bytes into the line and column that an editor shows.

use std::fmt;

use super::ast::Span;

/// Why, and exactly where, a text is no rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct Fault {
    /// The bytes at fault.
    pub span: Span,
    /// What is wrong with them.
    pub problem: Problem,
}

/// What is wrong, and what to do next.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is too much of something.
    #[error("{what} may have at most {most} {unit}; write two rules, or a list")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        most: usize,
        /// Of which unit.
        unit: &'static str,
    },
    /// A character or a word that has no place in the language.
    #[error("{0}")]
    Word(&'static str),
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What should.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A name that nothing has.
    #[error("`{name}` is no {what}{}", suggestion(.nearest))]
    Unknown {
        /// The name.
        name: String,
        /// What it should be the name of.
        what: &'static str,
        /// What may have been meant, or all there are if they are few.
        nearest: Vec<String>,
    },
    /// A value of another type is needed.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What is needed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Two sides that do not go together.
    #[error("{left} cannot be {verb} {right}{hint}")]
    Sides {
        /// The left side.
        left: String,
        /// What was to be done.
        verb: &'static str,
        /// The right side.
        right: String,
        /// What to do next, or nothing.
        hint: &'static str,
    },
    /// A function has other arguments.
    #[error("`{name}` is written `{usage}`")]
    Arguments {
        /// The function.
        name: &'static str,
        /// How it is called.
        usage: &'static str,
    },
    /// A constant outside of what the field can be.
    #[error("`{field}` is {least} to {most}, so this is always the same")]
    Range {
        /// The field.
        field: &'static str,
        /// Its least value.
        least: i64,
        /// Its greatest value.
        most: i64,
    },
    /// The whole text says the same of every request.
    #[error("this is {0} for every request; a rule has to look at something that differs")]
    Constant(bool),
}

/// A line and a column, both from 1; a column is a character.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Fault {
    pub(super) fn new(span: Span, problem: Problem) -> Self {
        Self { span, problem }
    }
}

impl Place {
    /// Where a byte stands in a text; behind its end if there are fewer.
    #[must_use]
    pub fn of(text: &str, byte: usize) -> Self {
        let whole = (0..=byte.min(text.len())).rev().find(|byte| text.is_char_boundary(*byte));
        let before = &text[..whole.unwrap_or(0)];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean `{one}`?"),
        many => format!("; it is one of {}", many.join(", ")),
    }
}
