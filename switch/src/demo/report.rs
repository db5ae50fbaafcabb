//! What was tried, what came of it, and whether that was expected: rows of a table.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use crate::dialect::response_meaning;
use crate::terminal::{Exchange, Major, PosTerminal};

/// Rows since the last flush, and the count of expectations since the start.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<[String; COLUMNS.len()]>,
    held: usize,
    failed: usize,
}

/// What an exchange is expected to come to.
#[derive(Clone, Copy)]
pub(super) struct Want {
    /// Field 39.
    pub(super) code: &'static str,
    /// Field 54, minor units; not looked at if `None`.
    pub(super) balance: Option<i64>,
}

const COLUMNS: [&str; 9] =
    ["terminal", "what was tried", "MTI", "F39", "meaning", "amount", "balance", "µs", ""];
/// Numbers stand to the right.
const RIGHT: [usize; 3] = [5, 6, 7];

impl Report {
    /// Adds an exchange and holds it against what was expected. A missing or wrong MAC is never expected.
    pub(super) fn exchange(&mut self, terminal: &PosTerminal, tried: &str, want: Want, exchange: &Exchange) {
        let held = exchange.code_text() == want.code
            && exchange.mac_ok != Some(false)
            && want.balance.is_none_or(|balance| exchange.balance == Some(balance));
        let money = |amount: Option<i64>| amount.map_or_else(String::new, |amount| Major(amount).to_string());
        let mti =
            exchange.request.message().map_or_else(|_| String::new(), |message| message.mti().to_string());
        let meaning = exchange.code.map_or("no answer", |code| response_meaning(&code));
        self.add([
            terminal.id().escape_ascii().to_string(),
            tried.to_owned(),
            mti,
            exchange.code_text(),
            meaning.to_owned(),
            money(exchange.amount),
            money(exchange.balance),
            exchange.took.as_micros().to_string(),
            expectation(held, &want),
        ]);
        self.count(held);
    }

    /// Adds something that is not an exchange.
    pub(super) fn fact(&mut self, tried: &str, expected: &str, held: bool) {
        let mut row: [String; COLUMNS.len()] = Default::default();
        row[1] = tried.to_owned();
        row[4] = if held { expected.to_owned() } else { format!("not: {expected}") };
        row[8] = mark(held).to_owned();
        self.add(row);
        self.count(held);
    }

    /// Expectations that did not hold.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// All expectations.
    pub(super) fn total(&self) -> usize {
        self.held + self.failed
    }

    /// Prints the rows since the last flush as one table.
    pub(super) fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(COLUMNS);
        table.add_rows(self.rows.drain(..));
        for column in RIGHT {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{table}")?;
        out.flush()
    }

    /// Prints the last line.
    pub(super) fn summary(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{} of {} expectations held", self.held, self.total())
    }

    fn add(&mut self, row: [String; COLUMNS.len()]) {
        self.rows.push(row);
    }

    fn count(&mut self, held: bool) {
        if held { self.held += 1 } else { self.failed += 1 }
    }
}

fn mark(held: bool) -> &'static str {
    if held { "ok" } else { "FAILED" }
}

fn expectation(held: bool, want: &Want) -> String {
    let balance = want.balance.map_or_else(String::new, |balance| format!(", balance {}", Major(balance)));
    if held { mark(held).to_owned() } else { format!("{}: {}{balance}, MAC right", mark(held), want.code) }
}
