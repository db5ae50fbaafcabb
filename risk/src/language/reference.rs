//! The part of `docs/rules.md` that follows from the tables of this module: fields, functions, what is counted, costs.
//!
//! Start at [`markdown`].

use std::fmt::Write;

use super::call::FUNCTIONS;
use super::facts::{FACTS, Missing};
use super::graph::{Node, RegionsOf, Tables, cost_of};
use super::window::{By, Measure, OF, Of, TimeSpan, Window};
use crate::Period;

/// A fact as people read it: name, type, source, what if it is missing, meaning.
#[must_use]
pub fn rows() -> Vec<[String; 5]> {
    let row = |fact: &super::FactRow| {
        let missing = match fact.missing {
            Missing::Never => "never".to_owned(),
            Missing::Counts(value) => format!("counts as {value}"),
            Missing::NoAnswer => "does not apply".to_owned(),
        };
        [fact.name.to_owned(), fact.sort.name(), fact.source.to_owned(), missing, fact.meaning.to_owned()]
    };
    FACTS.iter().map(row).collect()
}

/// Tables in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "| field | type | ISO 8583 field, or from | missing | meaning |\n|---|---|---|---|---|\n",
    );
    for [name, sort, source, missing, meaning] in rows() {
        _ = writeln!(out, "| `{name}` | {sort} | {source} | {missing} | {meaning} |");
    }
    out.push_str("\n| function | gives | meaning |\n|---|---|---|\n");
    for function in &FUNCTIONS {
        _ = writeln!(out, "| `{}` | {} | {} |", function.usage, function.gives, function.meaning);
    }
    out.push_str("\n| counted | is |\n|---|---|\n");
    for (word, _, meaning) in OF {
        _ = writeln!(out, "| `{word}` | {meaning} |");
    }
    out.push_str("\n| operation | cost, ns |\n|---|---|\n");
    for (name, cost) in costs() {
        _ = writeln!(out, "| {name} | {cost} |");
    }
    out
}

/// What is compared cheapest first, by what it is taken to cost.
fn costs() -> Vec<(&'static str, u32)> {
    let window = |measure, span| Window { measure, span, by: By::Card };
    let count = Measure::Count(Of::Approved);
    let tables = Tables {
        text_sets: vec![vec![Box::default(); 8]],
        number_sets: vec![vec![0; 8]],
        windows: vec![
            window(count, TimeSpan::Calendar(Period::Day)),
            window(count, TimeSpan::Sliding(60)),
            window(Measure::Distinct(super::Fact::Merchant), TimeSpan::Sliding(60)),
        ],
        ..Tables::default()
    };
    let fact = super::Fact::Terminal;
    [
        ("a comparison, arithmetic, `!`, `has()`", Node::Not(0)),
        ("a part of a chain", Node::All(vec![0])),
        ("a number or a word in a list of eight", Node::NumberIn(0, 0)),
        ("a text", Node::TextIs(fact, 0)),
        ("a text in a list of eight", Node::TextIn(fact, 0)),
        ("`within` regions of the card", Node::Within(0, RegionsOf::Fact(super::Fact::CardRegions))),
        ("`within` a list of eight", Node::Within(0, RegionsOf::Set(0))),
        ("`count`, `sum`, `nth` of the calendar", Node::Window(0)),
        ("`in list(…)`", Node::Listed(0, fact)),
        ("`count`, `sum`, `nth` of a sliding window", Node::Window(1)),
        ("`distinct`", Node::Window(2)),
    ]
    .into_iter()
    .map(|(name, node)| (name, cost_of(&node, &tables)))
    .collect()
}
