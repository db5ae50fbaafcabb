//! `cardswitch rules list`: the set in force, on a stopped folder or a running switch.

use std::io::{self, Write};

use crate::{
    audit::rules::{RuleEntry, RuleSet, in_force},
    cli::{
        Failure,
        source::{From, new_table, right_align},
    },
};

/// Arguments of `rules list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules list --admin http://127.0.0.1:18580\n  cardswitch rules list --data \
                  fixtures/city/data --json\n\nHits are counted since the set was published. A rule is enforced if it is live \
                  and today is one of its days."
)]
pub(super) struct Args {
    #[command(flatten)]
    from: From,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let found = args.from.look(in_force, "/rules")?;
    args.from.print(&found, out, table)
}

fn table(set: &Option<RuleSet>, out: &mut dyn Write) -> io::Result<()> {
    let Some(set) = set else {
        return writeln!(out, "no set was published; the city's rules.toml alone decides");
    };
    let mut table =
        new_table(&["rule", "state", "enforced", "outcome", "priority", "hits", "not applicable", "owner"]);
    for rule in &set.rules {
        table.add_row(row(rule));
    }
    right_align(&mut table, &[4, 5, 6]);
    writeln!(out, "{table}")?;
    for window in &set.windows {
        writeln!(out, "{} counts from record {} on", window.window, window.since)?;
    }
    let RuleSet { number, hash, seq, since, author, approver, .. } = set;
    writeln!(out, "set {number}, {hash}\nin force since {since}, record {seq}")?;
    match (author, approver) {
        (Some(author), Some(approver)) => writeln!(out, "written by {author}, approved by {approver}"),
        _ => Ok(()),
    }
}

fn row(rule: &RuleEntry) -> [String; 8] {
    let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
    [
        rule.id.clone(),
        rule.state.clone(),
        if rule.enforced { "yes" } else { "no" }.to_owned(),
        rule.outcome.clone(),
        rule.priority.to_string(),
        count(rule.fired),
        count(rule.not_applicable),
        rule.owner.clone(),
    ]
}
