//! What was tried, what came of it, and whether that was expected: rows of a table.

use std::io::{self, Write};

use crate::dialect::response_meaning;
use crate::terminal::{Exchange, Major};

/// Rows since the last flush, and the count of expectations since the start.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
    held: usize,
    failed: usize,
}

/// What an exchange is expected to come to.
#[derive(Clone, Copy)]
pub(super) struct Want {
    /// Field 39.
    pub(super) code: &'static str,
    /// Field 4 of the answer, minor units; not looked at if `None`.
    pub(super) amount: Option<i64>,
    /// Field 54, minor units; not looked at if `None`.
    pub(super) balance: Option<i64>,
}

impl Want {
    /// This response code, and nothing said of amounts.
    pub(super) fn code(code: &'static str) -> Self {
        Self { code, amount: None, balance: None }
    }

    /// An approval that tells this balance.
    pub(super) fn balance(balance: Option<i64>) -> Self {
        Self { code: "00", amount: None, balance }
    }
}

enum Line {
    Heading(String),
    Row([String; COLUMNS.len()]),
}

/// Names and widths. What is longer moves the rest of its line.
const COLUMNS: [(&str, usize); 9] = [
    ("terminal", 8),
    ("what was tried", 38),
    ("MTI", 4),
    ("F39", 3),
    ("meaning", 24),
    ("amount", 8),
    ("balance", 9),
    ("µs", 6),
    ("", 2),
];
/// Numbers stand to the right.
const RIGHT: [usize; 3] = [5, 6, 7];

impl Report {
    /// Begins a group of rows.
    pub(super) fn group(&mut self, title: &str) {
        self.lines.push(Line::Heading(title.to_owned()));
    }

    /// Adds an exchange and holds it against what was expected. A missing or wrong MAC is never expected.
    pub(super) fn exchange(&mut self, terminal: &[u8], tried: &str, want: Want, exchange: &Exchange) {
        let held = exchange.code_text() == want.code
            && exchange.mac_ok != Some(false)
            && want.amount.is_none_or(|amount| exchange.amount == Some(amount))
            && want.balance.is_none_or(|balance| exchange.balance == Some(balance));
        let money = |amount: Option<i64>| amount.map_or_else(String::new, |amount| Major(amount).to_string());
        let mti =
            exchange.request.message().map_or_else(|_| String::new(), |message| message.mti().to_string());
        let meaning = exchange.code.map_or("no answer", |code| response_meaning(&code));
        self.lines.push(Line::Row([
            terminal.escape_ascii().to_string(),
            tried.to_owned(),
            mti,
            exchange.code_text(),
            meaning.to_owned(),
            money(exchange.amount),
            money(exchange.balance),
            exchange.took.as_micros().to_string(),
            expectation(held, &want),
        ]));
        self.count(held);
    }

    /// Adds something that is not an exchange.
    pub(super) fn fact(&mut self, tried: &str, expected: &str, held: bool) {
        let mut row = about(tried, held);
        row[4] = if held { expected.to_owned() } else { format!("not: {expected}") };
        self.lines.push(Line::Row(row));
        self.count(held);
    }

    /// Adds a sum that a file of the day has, beside the one counted here. `found` and `counted` hold all that belongs
    /// to it; the row shows `net`.
    pub(super) fn filed<T: PartialEq + std::fmt::Debug>(
        &mut self,
        tried: &str,
        net: i64,
        found: Option<&T>,
        counted: Option<&T>,
    ) {
        let held = found.is_some() && found == counted;
        let mut row = about(tried, held);
        row[4] = if held { "as counted at the tills".to_owned() } else { format!("file {found:?}") };
        row[5] = Major(net).to_string();
        if !held {
            row[8] = format!("{}: {counted:?}", mark(held));
        }
        self.lines.push(Line::Row(row));
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

    /// Prints the rows since the last flush, under the names of their columns.
    pub(super) fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", written(&COLUMNS.map(|(name, _)| name.to_owned())))?;
        for line in self.lines.drain(..) {
            match line {
                Line::Heading(title) => writeln!(out, "\n{title}")?,
                Line::Row(row) => writeln!(out, "{}", written(&row))?,
            }
        }
        out.flush()
    }

    /// Prints the last line.
    pub(super) fn summary(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{} of {} expectations held", self.held, self.total())
    }

    fn count(&mut self, held: bool) {
        if held { self.held += 1 } else { self.failed += 1 }
    }
}

fn about(tried: &str, held: bool) -> [String; COLUMNS.len()] {
    let mut row: [String; COLUMNS.len()] = Default::default();
    row[1] = tried.to_owned();
    row[8] = mark(held).to_owned();
    row
}

fn written(cells: &[String; COLUMNS.len()]) -> String {
    let columns = cells.iter().zip(COLUMNS).enumerate();
    let padded = columns.map(|(place, (cell, (_, width)))| {
        if RIGHT.contains(&place) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn mark(held: bool) -> &'static str {
    if held { "ok" } else { "FAILED" }
}

fn expectation(held: bool, want: &Want) -> String {
    if held {
        return mark(held).to_owned();
    }
    let money = |name: &str, amount: Option<i64>| {
        amount.map_or_else(String::new, |amount| format!(", {name} {}", Major(amount)))
    };
    let (amount, balance) = (money("amount", want.amount), money("balance", want.balance));
    format!("{}: {}{amount}{balance}, MAC right", mark(held), want.code)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn printed(report: &mut Report) -> String {
        let mut out = Vec::new();
        report.flush(&mut out).unwrap();
        report.summary(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failed_expectation_is_marked_and_counted() {
        let mut report = Report::default();
        report.group("a group");
        report.fact("one thing", "true", true);
        report.fact("another", "true", false);
        report.filed("a sum", 1_250, Some(&1), Some(&1));
        report.filed("a sum that differs", 1_250, Some(&1), Some(&2));
        report.filed("a sum in no file", 1_250, None, Some(&2));
        report.filed::<i64>("a sum in no file and no till", 0, None, None);
        assert_eq!((report.failed(), report.total()), (4, 6));
        let text = printed(&mut report);
        assert!(text.contains("\n\na group\n") && text.contains("12.50"), "{text}");
        assert!(text.contains("not: true") && text.ends_with("2 of 6 expectations held\n"), "{text}");
        assert_eq!(text.matches("FAILED").count(), 4, "{text}");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut report = Report::default();
        report.filed("a sum", 1_250, Some(&1), Some(&1));
        let text = printed(&mut report);
        let mut lines = text.lines();
        let end = |line: &str, word: &str| line.find(word).map(|at| at + word.len()).unwrap();
        let (head, row) = (lines.next().unwrap(), lines.next().unwrap());
        assert_eq!(end(head, "amount"), end(row, "12.50"), "{text}");
    }
}
