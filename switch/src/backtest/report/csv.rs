//! The report for other programs: a row for each rule, one for the set, and a column for each rule it fired with.

use std::io::{self, Write};

use super::{Findings, RuleFindings, money, outcome, state};

const HEADER: [&str; 14] = [
    "rule",
    "state",
    "outcome",
    "hits",
    "fraud",
    "genuine",
    "not_known",
    "not_applicable",
    "value",
    "value_stopped",
    "with_live",
    "cost_ns",
    "measured_ns",
    "partial",
];

/// Writes the report.
///
/// # Errors
/// It cannot be written.
pub fn csv(findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    let together = findings.rules.iter().map(|rule| format!("with {}", rule.id));
    csv.write_record(HEADER.iter().map(|name| (*name).to_owned()).chain(together))?;
    let rules = findings.rules.len();
    for (place, rule) in findings.rules.iter().enumerate() {
        let together = findings.together[place * rules..(place + 1) * rules].iter().map(u64::to_string);
        csv.write_record(row(rule, &rule.id, findings).into_iter().chain(together))?;
    }
    let of_set = row(&findings.declines, "(the set declines)", findings);
    csv.write_record(of_set.into_iter().chain(findings.rules.iter().map(|_| String::new())))?;
    csv.flush()
}

fn row(rule: &RuleFindings, name: &str, findings: &Findings) -> [String; 14] {
    [
        guarded(name),
        state(rule).to_owned(),
        outcome(rule).to_owned(),
        rule.hits.to_string(),
        rule.fraud.to_string(),
        rule.genuine.to_string(),
        rule.unknown.to_string(),
        rule.not_applicable.to_string(),
        money(rule.value, findings.currency),
        money(rule.value_stopped, findings.currency),
        rule.with_live.to_string(),
        rule.cost_ns.to_string(),
        rule.measured_ns.map(|ns| ns.to_string()).unwrap_or_default(),
        findings.partial.to_string(),
    ]
}

/// A text that no spreadsheet takes for a formula: a name may begin with a hyphen.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula() {
        for (name, want) in [("-1", "'-1"), ("=1+1", "'=1+1"), ("@x", "'@x"), ("card-10m", "card-10m")] {
            assert_eq!(guarded(name), want);
        }
    }
}
