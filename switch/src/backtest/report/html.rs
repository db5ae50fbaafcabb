//! The report as a page: one file that names no other, so that it can be sent and kept.
//!
//! Nothing in it runs. Start at [`html`].

use super::{
    COLUMNS, Findings, RuleFindings, WORDS, false_per_true, figures, moment, money, outcome, percent,
    precision, state,
    style::STYLE,
    summary,
    svg::{Bar, bars, columns},
    told,
};
use crate::backtest::Example;

/// Rules that the table of overlaps has room for.
const HEAT_MAX: usize = 24;

/// The page.
#[must_use]
pub fn html(findings: &Findings, title: &str) -> String {
    let title = escaped(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>Backtest: {title}</title><style>{STYLE}</style></head>\n\
         <body><main>\n<h1>Backtest: {title}</h1>\n"
    );
    for line in summary(findings) {
        let class = if line.starts_with("PARTIAL") { "partial" } else { "soft" };
        out.push_str(&format!("<p class=\"{class}\">{}.</p>\n", escaped(&line)));
    }
    out.push_str(&tiles(findings));
    out.push_str(&charts(findings));
    out.push_str(&rules(findings));
    out.push_str(&overlaps(findings));
    out.push_str(&examples(findings, "Declined by the set alone", &findings.gained_examples));
    out.push_str(&examples(findings, "Declined before, let pass by the set", &findings.lost_examples));
    out.push_str(
        "<p class=\"soft\">Counts go on as history was recorded: what a rule would have declined went on counting as \
         approved. Hits whose label was not known by the end are in no precision.</p>\n</main></body></html>\n",
    );
    out
}

/// A text in which nothing is markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

fn tiles(findings: &Findings) -> String {
    let Findings { declines, currency, .. } = findings;
    let tiles = [
        ("requests", findings.rows.to_string()),
        ("known fraud", findings.frauds.to_string()),
        ("fraud a rule fired on", percent(findings.frauds_hit, findings.frauds)),
        ("declined by the set", declines.hits.to_string()),
        ("of these fraud", precision(declines)),
        ("false per true", false_per_true(declines)),
        ("value stopped", format!("{} {}", money(declines.value_stopped, *currency), currency.code)),
    ];
    let tile = |(name, figure): &(&str, String)| format!("<li><b>{}</b>{name}</li>", escaped(figure));
    format!("<ul class=\"tiles\">{}</ul>\n", tiles.iter().map(tile).collect::<String>())
}

fn charts(findings: &Findings) -> String {
    let hits = |rule: &RuleFindings| Bar {
        name: rule.id.clone(),
        parts: vec![
            ("fraud", "fraud", rule.fraud),
            ("genuine", "genuine", rule.genuine),
            ("unknown", "not known", rule.unknown),
        ],
        figure: format!("{} ({})", rule.hits, precision(rule)),
    };
    let stopped = |rule: &RuleFindings| Bar {
        name: rule.id.clone(),
        parts: vec![("fraud", "minor units", rule.value_stopped.unsigned_abs())],
        figure: money(rule.value_stopped, findings.currency),
    };
    let week = |(week, figures): (&i64, &crate::backtest::Week)| Bar {
        // Weeks since 1970 begin on a Thursday.
        name: moment(week * 7 * 86_400_000).chars().take(10).collect(),
        parts: vec![
            ("fraud", "frauds that a rule fired on", figures.frauds_hit),
            ("unknown", "frauds that no rule fired on", figures.frauds - figures.frauds_hit),
        ],
        figure: String::new(),
    };
    let weeks: Vec<Bar> = findings.weeks.iter().map(week).collect();
    let key = |words: [(&str, &str); 3]| {
        let word = |(class, word): &(&str, &str)| format!("<span><i class=\"{class}\"></i>{word}</span>");
        let words = words.iter().filter(|(class, _)| !class.is_empty()).map(word).collect::<String>();
        format!("<figcaption class=\"key\">{words}</figcaption>")
    };
    format!(
        "<h2>Hits by rule</h2>\n<figure>{}{}</figure>\n<h2>Value stopped by rule</h2>\n<figure>{}</figure>\n<h2>Fraud by \
         week</h2>\n<figure>{}{}</figure>\n",
        key([("fraud", "fraud"), ("genuine", "genuine"), ("unknown", "not known by the end")]),
        bars("Hits by rule: fraud, genuine, not known", &findings.rules.iter().map(hits).collect::<Vec<_>>()),
        bars("Value of known fraud by rule", &findings.rules.iter().map(stopped).collect::<Vec<_>>()),
        key([("fraud", "a rule fired"), ("unknown", "no rule fired"), ("", "")]),
        columns("Known fraud by week, with and without a rule that fired", &weeks),
    )
}

fn rules(findings: &Findings) -> String {
    let mut out =
        format!("<h2>Rules</h2>\n{}", opening("One row for each rule, and one for the set", &COLUMNS, WORDS));
    let of_set = RuleFindings { id: "the set, where it declines".to_owned(), ..findings.declines.clone() };
    for rule in findings.rules.iter().chain([&of_set]) {
        let figure = |figure: &String| format!("<td class=\"n\">{}</td>", escaped(figure));
        let figures: String = figures(rule, findings).iter().map(figure).collect();
        let (id, state, outcome) = (escaped(&rule.id), state(rule), outcome(rule));
        out.push_str(&format!(
            "<tr><th scope=\"row\">{id}</th><td>{state}</td><td>{outcome}</td>{figures}</tr>\n"
        ));
    }
    out + "</tbody></table></div>\n"
}

fn overlaps(findings: &Findings) -> String {
    let rules = findings.rules.len();
    if !(2..=HEAT_MAX).contains(&rules) {
        return String::new();
    }
    let names: Vec<&str> =
        std::iter::once("rule").chain(findings.rules.iter().map(|rule| rule.id.as_str())).collect();
    let mut out = format!(
        "<h2>Which rules fire together</h2>\n{}",
        opening("Of the hits of the rule in the row, how many the rule in the column has too", &names, 1)
    )
    .replacen("<table>", "<table class=\"heat\">", 1);
    for (row, rule) in findings.rules.iter().enumerate() {
        out.push_str(&format!("<tr><th scope=\"row\">{}</th>", escaped(&rule.id)));
        for column in 0..rules {
            let together = findings.together[row * rules + column];
            let strength = (together * 60).checked_div(rule.hits).unwrap_or(0);
            out.push_str(&format!(
                "<td style=\"background: rgba(var(--heat), .{strength:02})\">{}</td>",
                percent(together, rule.hits)
            ));
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody></table></div>\n"
}

fn examples(findings: &Findings, title: &str, examples: &[Example]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    let head = opening("The first of them", &["request", "time", "amount", "it was", "rules that fired"], 5);
    let mut out = format!("<h2>{title}</h2>\n{head}");
    for example in examples {
        let same = example.currency == findings.currency.number;
        let amount =
            if same { money(example.amount, findings.currency) } else { "in another currency".to_owned() };
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{amount}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&example.reference),
            moment(example.at_ms),
            told(example.fraud),
            escaped(&example.rules.join(", "))
        ));
    }
    out + "</tbody></table></div>\n"
}

/// A table up to its first row; columns from `numbers` on are numbers.
fn opening(caption: &str, columns: &[&str], numbers: usize) -> String {
    let head = |(place, name): (usize, &&str)| {
        let class = if place >= numbers { " class=\"n\"" } else { "" };
        format!("<th scope=\"col\"{class}>{}</th>", escaped(name))
    };
    let head = columns.iter().enumerate().map(head).collect::<String>();
    format!("<div class=\"wide\"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n")
}
