//! What a trial found, for people and for other programs.
//!
//! Start at [`table`], [`csv`] or [`html`].

mod csv;
mod html;
mod style;
mod svg;
mod table;

use jiff::{Timestamp, tz::TimeZone};
use risk::language::Currency;
use risk::rulebook::{Outcome, RuleState};

pub use self::csv::csv;
pub use html::html;
pub use table::table;

use super::{Findings, Recorded, RuleFindings};

/// What people are told of a rule: its words, then its [`figures`].
const COLUMNS: [&str; 15] = [
    "rule",
    "state",
    "outcome",
    "hits",
    "fraud",
    "genuine",
    "not known",
    "precision",
    "recall",
    "false per true",
    "value stopped",
    "with live",
    "n/a",
    "cost, ns",
    "measured, ns",
];

/// How many columns are words.
const WORDS: usize = 3;

fn figures(rule: &RuleFindings, findings: &Findings) -> [String; COLUMNS.len() - WORDS] {
    [
        rule.hits.to_string(),
        rule.fraud.to_string(),
        rule.genuine.to_string(),
        rule.unknown.to_string(),
        precision(rule),
        recall(rule, findings),
        false_per_true(rule),
        money(rule.value_stopped, findings.currency),
        rule.with_live.to_string(),
        rule.not_applicable.to_string(),
        rule.cost_ns.to_string(),
        measured(rule),
    ]
}

/// A part of a whole; a dash of nothing.
fn percent(part: u64, whole: u64) -> String {
    match (part.saturating_mul(1_000) + whole / 2).checked_div(whole) {
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
        None => "–".to_owned(),
    }
}

/// How many genuine requests a rule hits for each fraud.
fn false_per_true(rule: &RuleFindings) -> String {
    match (rule.genuine.saturating_mul(10) + rule.fraud / 2).checked_div(rule.fraud) {
        Some(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        None => "–".to_owned(),
    }
}

fn precision(rule: &RuleFindings) -> String {
    percent(rule.fraud, rule.fraud + rule.genuine)
}

fn recall(rule: &RuleFindings, findings: &Findings) -> String {
    percent(rule.fraud, findings.frauds)
}

/// An amount in its currency's units.
fn money(minor: i64, currency: Currency) -> String {
    let unit = 10_u64.pow(u32::from(currency.decimals));
    let (whole, rest) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let width = usize::from(currency.decimals);
    let sign = if minor < 0 { "-" } else { "" };
    if width == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest:0width$}") }
}

/// A moment in UTC, to the second.
fn moment(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms)
        .map(|time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn outcome(rule: &RuleFindings) -> &'static str {
    let known = Outcome::WORDS.iter().find(|(_, outcome)| Some(*outcome) == rule.outcome);
    known.map_or("", |(word, _)| word)
}

fn state(rule: &RuleFindings) -> &'static str {
    let known = RuleState::WORDS.iter().find(|(_, state)| Some(*state) == rule.state);
    known.map_or("", |(word, _)| word)
}

fn measured(rule: &RuleFindings) -> String {
    rule.measured_ns.map_or_else(|| "–".to_owned(), |ns| ns.to_string())
}

/// Whether an example was fraud.
fn told(fraud: Option<bool>) -> &'static str {
    match fraud {
        Some(true) => "fraud",
        Some(false) => "genuine",
        None => "not known",
    }
}

/// The period and the totals, as sentences.
fn summary(findings: &Findings) -> Vec<String> {
    let Findings { rows, frauds, frauds_hit, declines, currency, .. } = findings;
    let time = |at_ms: Option<i64>| at_ms.map(moment).unwrap_or_default();
    let code = currency.code;
    let mut lines = vec![
        format!("{rows} requests from {} to {}", time(findings.first_ms), time(findings.last_ms)),
        format!(
            "{frauds} known to be fraud by the end, of {} {code}; a rule fired on {frauds_hit} of them ({})",
            money(findings.fraud_value, *currency),
            percent(*frauds_hit, *frauds)
        ),
        format!(
            "the set declines {}: {} fraud, {} genuine, {} not known; {} {code} of fraud stopped",
            declines.hits,
            declines.fraud,
            declines.genuine,
            declines.unknown,
            money(declines.value_stopped, *currency)
        ),
        format!(
            "{} were declined when they happened; the set declines {} others, and lets {} of those pass",
            findings.were_declined, findings.gained, findings.lost
        ),
    ];
    if let Some(Recorded { decisions, otherwise }) = findings.recorded {
        let hits = match otherwise {
            0 => "each hit is as it was recorded".to_owned(),
            _ => format!("at {otherwise} of them a hit is not as it was recorded: windows began later then"),
        };
        lines.push(format!("rules of the set decided at {decisions} of the requests; {hits}"));
    }
    if findings.partial {
        lines.insert(0, "PARTIAL: it was interrupted, and the rest was not looked at".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_and_nothing_is_divided_by_nothing() {
        assert_eq!(
            [percent(1, 3), percent(2, 3), percent(0, 5), percent(0, 0)],
            ["33.3 %", "66.7 %", "0.0 %", "–"]
        );
        let rule = RuleFindings { fraud: 4, genuine: 10, ..RuleFindings::default() };
        assert_eq!((false_per_true(&rule).as_str(), precision(&rule).as_str()), ("2.5", "28.6 %"));
        assert_eq!(false_per_true(&RuleFindings::default()), "–");
        let amounts = [("CNY", 5, "0.05"), ("CNY", -120_034, "-1200.34"), ("JPY", 500, "500")];
        for (code, minor, want) in amounts {
            assert_eq!(Currency::named(code).map(|currency| money(minor, currency)).as_deref(), Some(want));
        }
    }
}
