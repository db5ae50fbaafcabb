//! The switch's page of metrics: Prometheus' text format in, the switch's own series out.
//!
//! Every line is checked, whoever's it is; kept are the series that carry the program's name, under the name behind
//! it. What a name means stands in `telemetry::metrics` and is read in `interval`. Start at [`Page::parse`].

#![expect(clippy::float_arithmetic, reason = "the format's numbers are floats; no money comes here")]

use std::collections::BTreeMap;

/// What all names of the switch begin with.
const PREFIX: &str = concat!(env!("CARGO_PKG_NAME"), "_");

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    series: BTreeMap<Series, f64>,
}

/// A name without the prefix, and its labels in order.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

/// Why a page is none of a switch. Numbers are of lines, from 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum PageError {
    /// A line that is no series.
    #[error("line {line} of the page: {rule}")]
    Line { line: usize, rule: Rule },
    /// It may be a page of another program.
    #[error("the page has no series of {}", env!("CARGO_PKG_NAME"))]
    Foreign,
}

/// What a line breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Rule {
    #[error("a name begins with a letter, _ or : and goes on with these and digits")]
    Name,
    #[error("labels are name=\"value\" in braces, separated by commas")]
    Labels,
    #[error("a value in quotes knows \\\\, \\\" and \\n")]
    Escape,
    #[error("a label stands twice")]
    LabelTwice,
    #[error("behind the name stands a number, and behind it at most a time in milliseconds")]
    Value,
    #[error("a series stands twice")]
    SeriesTwice,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// A line is malformed, a series stands twice, or none is the switch's.
    pub(super) fn parse(text: &str) -> Result<Self, PageError> {
        let mut page = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let at = |rule| PageError::Line { line: line_number, rule };
            // A comment tells types and help; the names are documented, so neither is needed here.
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (mut series, value) = read_line(line).map_err(at)?;
            if let Some(name) = series.name.strip_prefix(PREFIX) {
                series.name = name.to_owned();
                if page.series.insert(series, value).is_some() {
                    return Err(at(Rule::SeriesTwice));
                }
            }
        }
        if page.series.is_empty() { Err(PageError::Foreign) } else { Ok(page) }
    }

    /// The value under this name, summed over its labels if it has some; nothing if there is no such series.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        let named = self.series.iter().filter(|(series, _)| series.name == name);
        named.map(|(_, value)| *value).reduce(|sum, value| sum + value)
    }

    /// The values under this name by one label, summed over the others.
    pub(super) fn by_label(&self, name: &str, label: &str) -> BTreeMap<&str, f64> {
        let mut found = BTreeMap::new();
        for (series, value) in self.series.iter().filter(|(series, _)| series.name == name) {
            if let Some(of) = series.labels.get(label) {
                *found.entry(of.as_str()).or_insert(0.0) += value;
            }
        }
        found
    }

    /// Whether something that only grows while a switch runs is smaller here than it was `before`.
    pub(super) fn fell_behind(&self, before: &Self) -> bool {
        let grows = |name: &str| ["_total", "_count", "_bucket"].iter().any(|end| name.ends_with(end));
        let mut both = before.series.iter().filter(|(series, _)| grows(&series.name));
        both.any(|(series, was)| self.series.get(series).is_some_and(|is| is < was))
    }
}

/// `name{label="value",…} number [time]`.
fn read_line(line: &str) -> Result<(Series, f64), Rule> {
    let end = line.find(|c: char| !is_name(c) && c != ':').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Rule::Name);
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => read_labels(inside)?,
        None => (BTreeMap::new(), rest),
    };
    if !rest.starts_with([' ', '\t']) {
        return Err(if rest.is_empty() { Rule::Value } else { Rule::Name });
    }
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(|word| word.parse::<f64>().ok()).ok_or(Rule::Value)?;
    let time_is_whole = words.next().is_none_or(|word| word.parse::<i64>().is_ok());
    if !time_is_whole || words.next().is_some() {
        return Err(Rule::Value);
    }
    Ok((Series { name: name.to_owned(), labels }, value))
}

/// Labels up to the closing brace, and what stands behind it.
fn read_labels(text: &str) -> Result<(BTreeMap<String, String>, &str), Rule> {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    loop {
        // A comma may stand behind the last label.
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"").ok_or(Rule::Labels)?;
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            return Err(Rule::Labels);
        }
        let (value, behind) = read_quoted(quoted)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(Rule::LabelTwice);
        }
        rest = match behind.strip_prefix(',') {
            Some(next) => next,
            None if behind.starts_with('}') => behind,
            None => return Err(Rule::Labels),
        };
    }
}

/// A value up to its closing quote, and what stands behind it.
fn read_quoted(text: &str) -> Result<(String, &str), Rule> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match chars.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                _ => return Err(Rule::Escape),
            }),
            c => value.push(c),
        }
    }
    Err(Rule::Labels)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests;
