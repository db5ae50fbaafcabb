//! The form of a file of rules, as TOML has it.
//!
//! Every key stands here; one that is not here is refused. What their values may be is checked where they are read,
//! in `read`. Start at [`Document`].

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, value::Datetime};

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Alphabetic code of the currency in which sums are kept; left out if no rule asks for one.
    pub currency: Option<Spanned<String>>,
    /// The lists that rules may name, each with what it is a list of.
    #[serde(default)]
    pub lists: BTreeMap<Spanned<String>, Spanned<String>>,
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Row>,
}

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name, unlike any other's in the set.
    pub id: Spanned<String>,
    /// What it is for, in one line.
    pub text: Spanned<String>,
    /// When it fires, in the language of [`crate::language`].
    pub when: Spanned<String>,
    /// What it wants done.
    pub outcome: Spanned<String>,
    /// Its place in the order: 0 first, 999 last.
    pub priority: Spanned<i64>,
    /// Why it declines; left out if it does not.
    pub reason: Option<Spanned<String>>,
    /// What people are told.
    pub notice: Option<Spanned<String>>,
    /// Who answers for it.
    pub owner: Spanned<String>,
    /// The first business day on which it is in force; left out: no first one.
    pub from: Option<Spanned<Datetime>>,
    /// The last business day on which it is in force; left out: no last one.
    pub until: Option<Spanned<Datetime>>,
    /// How far it has come.
    pub state: Spanned<String>,
}
