//! `cardswitch rules explain`: why the rules decided as they did.

use std::io::{self, Write};

use crate::{
    audit::explain::{self, ExplainedRule, Explanation, Piece},
    cli::{
        Failure,
        progress::Progress,
        source::{From, audit},
    },
    journal::Seq,
};

/// Arguments of `rules explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch rules explain 632619000118 --admin http://127.0.0.1:18580\n  cardswitch rules explain \
                  --record 48120 --data fixtures/city/data\n\nThe books are made again up to the record before, so each value \
                  is the one that the rule saw. That takes as long as a replay of so much of the journal."
)]
pub(super) struct Args {
    /// The retrieval reference number (field 37)
    #[arg(value_name = "RRN", required_unless_present = "record", value_parser = clap::value_parser!(u64).range(..1_000_000_000_000))]
    rrn: Option<u64>,
    /// The number of the decision's record, in place of its RRN
    #[arg(long, value_name = "RECORD", conflicts_with = "rrn")]
    record: Option<Seq>,
    #[command(flatten)]
    from: From,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let found = match args.from.folder()? {
        Some(folder) => {
            let reader = folder.reader();
            let mut progress = Progress::new("records");
            let records = match (args.record, args.rrn) {
                (Some(record), _) => vec![record],
                (None, rrn) => audit(explain::records_of(reader.as_ref(), rrn.unwrap_or(0)))?,
            };
            let explained =
                |record| audit(explain::explain(reader.as_ref(), record, &mut progress.callback()));
            records.into_iter().map(explained).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        None => {
            let question = match (args.record, args.rrn) {
                (Some(record), _) => format!("record={record}"),
                (None, rrn) => format!("rrn={}", rrn.unwrap_or(0)),
            };
            args.from.ask::<Vec<Explanation>>(&format!("/rules/explain?{question}"))?
        }
    };
    if found.is_empty() {
        let message = "no decided request has this number; is it of this journal?".to_owned();
        return Err(Failure { message, code: 1 });
    }
    args.from.print(&found, out, |found, out| found.iter().try_for_each(|one| tell(one, out)))
}

fn tell(one: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    writeln!(out, "record {}, {}", one.seq, one.time)?;
    writeln!(out, "{} of {} in {:03}, minor units", one.kind, one.amount, one.currency)?;
    writeln!(out, "card {}, terminal {}, answered {}", text(&one.card), text(&one.terminal), one.answer)?;
    if one.beyond_holder_limits {
        writeln!(out, "it was beyond what the cardholder allows")?;
    }
    if !one.city.is_empty() {
        writeln!(out, "rules of the city that fired: {}", one.city.join(", "))?;
    }
    let Some(set) = &one.set else {
        return writeln!(out, "no published rule was asked");
    };
    let ruled = if set.ruled { ", whose word it was" } else { "" };
    writeln!(out, "set {}{ruled}, {}", set.number, set.hash)?;
    set.rules.iter().try_for_each(|rule| tell_rule(rule, out))
}

fn tell_rule(rule: &ExplainedRule, out: &mut dyn Write) -> io::Result<()> {
    let became = match (rule.fired, rule.not_applicable) {
        (true, _) if rule.snoozed => "fired, and is snoozed for this card",
        (true, _) => "fired",
        (_, true) => "did not apply",
        _ => "did not fire",
    };
    writeln!(out, "\n{} ({}) {became}", rule.id, rule.state)?;
    tell_piece(&rule.tree, 1, out)
}

fn tell_piece(piece: &Piece, level: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:indent$}{}  {}", "", piece.text, piece.value, indent = level * 2)?;
    piece.parts.iter().try_for_each(|part| tell_piece(part, level + 1, out))
}
