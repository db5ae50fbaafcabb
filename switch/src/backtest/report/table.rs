//! The report on a terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::{COLUMNS, Findings, WORDS, figures, moment, money, outcome, percent, state, summary, told};
use crate::backtest::Example;

/// Rules of which overlaps are told, most hits first.
const PAIRS_MAX: usize = 10;

/// The report as text.
#[must_use]
pub fn table(findings: &Findings) -> String {
    let mut out = summary(findings).join("\n");
    for part in [rules(findings), overlaps(findings)].into_iter().flatten() {
        out.push_str("\n\n");
        out.push_str(&part.to_string());
    }
    for (title, examples) in [
        ("declined by the set alone", &findings.gained_examples),
        ("let pass by the set", &findings.lost_examples),
    ] {
        if !examples.is_empty() {
            out.push_str(&format!("\n\n{title}, for example:\n{}", listed(findings, examples)));
        }
    }
    out
}

fn rules(findings: &Findings) -> Option<Table> {
    let mut table = new_table(&COLUMNS);
    for rule in &findings.rules {
        let words = [rule.id.clone(), state(rule).to_owned(), outcome(rule).to_owned()];
        table.add_row(words.into_iter().chain(figures(rule, findings)));
    }
    numbers(&mut table, WORDS..COLUMNS.len());
    (!findings.rules.is_empty()).then_some(table)
}

/// The pairs of rules that fired together most.
fn overlaps(findings: &Findings) -> Option<Table> {
    let mut pairs = Vec::new();
    for (one, rule) in findings.rules.iter().enumerate() {
        for (other, second) in findings.rules.iter().enumerate().skip(one + 1) {
            let together = findings.together[one * findings.rules.len() + other];
            if together > 0 {
                pairs.push((together, rule, second));
            }
        }
    }
    pairs.sort_by_key(|(together, ..)| std::cmp::Reverse(*together));
    let mut table = new_table(&["rule", "and rule", "together", "of the first", "of the second"]);
    for (together, one, other) in pairs.iter().take(PAIRS_MAX) {
        table.add_row([
            one.id.clone(),
            other.id.clone(),
            together.to_string(),
            percent(*together, one.hits),
            percent(*together, other.hits),
        ]);
    }
    numbers(&mut table, 2..5);
    (!pairs.is_empty()).then_some(table)
}

fn listed(findings: &Findings, examples: &[Example]) -> Table {
    let mut table = new_table(&["request", "time", "amount", "", "rules"]);
    for example in examples {
        let same = example.currency == findings.currency.number;
        let amount =
            if same { money(example.amount, findings.currency) } else { "in another currency".to_owned() };
        table.add_row([
            example.reference.clone(),
            moment(example.at_ms),
            amount,
            told(example.fraud).to_owned(),
            example.rules.join(", "),
        ]);
    }
    numbers(&mut table, 2..3);
    table
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

fn numbers(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
