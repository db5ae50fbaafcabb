//! A set of rules on what has already happened: what it would have declined, what of that was fraud, and what it cost.
//!
//! Rows of a data set, or decisions of a journal, are told to the same [`risk::past::History`] that a live switch keeps,
//! and asked of the same compiled set: counts are built up from the first row, so a rule meets each request with the
//! counts it would have met. History stays as it was recorded: what a rule would have declined goes on counting as
//! approved.
//!
//! Nothing here prints, and no card number gets in: a data set's cards are numbered as they come.
//!
//! Start at [`Trial::take`]; rows come from [`DataSet`], or from a journal by [`against_journal`], and what comes out is [`Findings`].

mod calendar;
mod cost;
mod data_set;
mod error;
mod findings;
mod generate;
mod journal;
mod labels;
mod lists;
mod map;
mod names;
pub mod report;
#[cfg(test)]
mod tests;
mod trial;

pub use data_set::DataSet;
pub use error::{DataError, MapError};
pub use findings::{Example, Findings, Recorded, RuleFindings, Week};
pub use generate::{Plan, generate};
pub use journal::{AgainstError, Tried, against_journal};
pub use labels::Labels;
pub use lists::{ListFileError, ListFiles};
pub use map::Map;
pub use trial::Trial;

/// A request to put to rules, and what was decided when it happened.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The request and what became of it.
    pub row: &'a Row,
    /// What rules can ask about it, without what comes from before.
    pub request: risk::language::Request<'a>,
    /// Whether it was declined when it happened.
    pub declined: bool,
}

/// A request of a data set or a journal, with what became of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What people know it by: a reference, an RRN, or the line of the file.
    pub reference: String,
    /// What happened.
    pub happened: risk::past::Happened,
    /// What is known of it later.
    pub label: Option<Label>,
}

/// Whether a request was fraud, as it was found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label {
    /// It was.
    pub fraud: bool,
    /// When that is known, milliseconds since 1970 UTC.
    pub known_ms: i64,
}
