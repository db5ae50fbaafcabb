//! What is wrong with a file of rules, and where.
//!
//! Start at [`FileFault`].

use crate::language::{Fault, Place};

/// A fault of a file of rules: place, rule, key, and what to do next.
///
/// Its text reads `12:9: rule night-cash, when: …`; the name of the file goes in front of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {}{problem}", told(.rule, .key))]
pub struct FileFault {
    /// Line and column, both from 1.
    pub place: Place,
    /// The rule's id, if it has one that can be told.
    pub rule: Option<String>,
    /// The key.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub problem: FileProblem,
}

/// What is wrong with a file of rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FileProblem {
    /// The file is too long.
    #[error("the file is longer than {0} bytes; write several")]
    TooLong(usize),
    /// The file is not TOML, or has keys that there are not.
    #[error("{0}")]
    Toml(String),
    /// The rule's text says something wrong.
    #[error("{0}")]
    Text(Box<Fault>),
    /// A value is not what it should be.
    #[error("must be {0}")]
    Form(&'static str),
    /// A value is none of the words that there are.
    #[error("must be one of {0}")]
    Words(String),
    /// An id or a list's name stands twice in the set.
    #[error("stands a second time in this set; choose another")]
    Twice,
    /// The files do not agree.
    #[error("differs from the other file's; a set counts in one currency")]
    OtherCurrency,
    /// A notice names something that it cannot tell.
    #[error("`{{{0}}}` cannot be told; a notice may name {1}")]
    Placeholder(String, String),
}

fn told(rule: &Option<String>, key: &Option<&'static str>) -> String {
    match (rule, key) {
        (Some(rule), Some(key)) => format!("rule {rule}, {key}: "),
        (Some(rule), None) => format!("rule {rule}: "),
        (None, Some(key)) => format!("{key}: "),
        (None, None) => String::new(),
    }
}
