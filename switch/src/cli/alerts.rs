//! `cardswitch alerts`: what rules want somebody to look at, and what it turned out to be.
//!
//! What is done with an alert is an order: taking it up and saying what it was need one signature and are sent at once, a
//! snooze needs a second officer's and is a file, as every other order.

use std::{io::Write, path::PathBuf};

use super::{
    Failure, order,
    source::{From, ask, new_table, right_align},
};
use crate::{
    audit::alerts::{AlertEntry, AlertList, alerts},
    books::{
        alerts::{AlertStep, Disposition, RuleId},
        order::{OfficerName, What},
    },
    config::EXIT_USAGE,
    journal::Seq,
};

const DAY_MS: i64 = 86_400_000;

/// Arguments of `alerts`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch alerts list --admin http://127.0.0.1:18580\n  cardswitch alerts assign 48120 --to ann \
                  --officer ann.officer --admin http://127.0.0.1:18580\n  cardswitch alerts dispose 48120 --as fraud --why \"the \
                  holder was abroad\" --officer ann.officer --admin http://127.0.0.1:18580\n\nWho may do what: docs/rules.md, \
                  \"Alerts\"."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The alerts that nobody has said of what they were, oldest first, and the rules that are snoozed
    #[command(
        after_help = "Examples:\n  cardswitch alerts list --admin http://127.0.0.1:18580\n  cardswitch alerts list --data \
                      fixtures/city/data --all --json\n\nAt most 1000 at once; go on with --after and the last number shown."
    )]
    List(List),
    /// Say who looks at an alert
    #[command(
        after_help = "Example:\n  cardswitch alerts assign 48120 --to ann --officer ann.officer --admin http://127.0.0.1:18580"
    )]
    Assign {
        #[command(flatten)]
        of: Of,
        /// Who looks at it: letters, digits, hyphens and underscores
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Why; the journal keeps it for ever
        #[arg(long, default_value = "to be looked at")]
        why: String,
    },
    /// Say what an alert was; that is a label for backtests. Said again, the later word counts
    #[command(
        after_help = "Example:\n  cardswitch alerts dispose 48120 --as genuine --why \"the holder called back\" --officer \
                      ann.officer --admin http://127.0.0.1:18580"
    )]
    Dispose {
        #[command(flatten)]
        of: Of,
        /// What it was
        #[arg(long = "as", value_name = "WHAT", value_parser = ["fraud", "genuine", "unsure"])]
        what: String,
        /// How that is known; the journal keeps it for ever
        #[arg(long)]
        why: String,
    },
    /// Order that the rule of an alert has no effect for its card for some days; another officer signs
    #[command(
        after_help = "Examples:\n  cardswitch alerts snooze 48120 --days 30 --why \"travels until March\" --officer ann.officer \
                      --out snooze.order --admin http://127.0.0.1:18580\n  cardswitch order sign snooze.order --officer \
                      bob.officer\n  cardswitch order carry-out snooze.order --admin http://127.0.0.1:18580\n\n--days 0 ends it \
                      before its time."
    )]
    Snooze {
        #[command(flatten)]
        of: Of,
        /// For how many days from now
        #[arg(long, value_parser = clap::value_parser!(u16).range(..=366))]
        days: u16,
        /// Why; the journal keeps it for ever
        #[arg(long)]
        why: String,
        /// The file of the order
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    from: From,
    /// Only alerts with a higher number
    #[arg(long, value_name = "RECORD", default_value_t = 0)]
    after: Seq,
    /// Those, too, that somebody has said of what they were
    #[arg(long)]
    all: bool,
}

/// Which alert, and who does it.
#[derive(Debug, clap::Args)]
struct Of {
    /// The alert: the record of its decision
    #[arg(value_name = "RECORD")]
    alert: Seq,
    /// The key file of the officer or analyst who does it
    #[arg(long, value_name = "FILE")]
    officer: PathBuf,
    /// The running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL")]
    admin: String,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::List(args) => list(args, out),
        Action::Assign { of, to, why } => {
            let to = officer_name(to)?;
            handle(of, AlertStep::Assign(to), why, out)
        }
        Action::Dispose { of, what, why } => {
            let named = Disposition::ALL.into_iter().find(|known| known.name() == what);
            handle(of, AlertStep::Dispose(named.unwrap_or(Disposition::Unsure)), why, out)
        }
        Action::Snooze { of, days, why, out: file } => {
            let journal = order::head_of(&of.admin)?;
            let until_ms = order::now_ms()?.saturating_add(i64::from(*days) * DAY_MS);
            let rule = rule_of(of)?;
            let what = What::SnoozeRule { journal, alert: of.alert, rule, until_ms };
            order::make(what, &order::Made::new(why, &of.officer, file), out)
        }
    }
}

fn handle(of: &Of, step: AlertStep, why: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let journal = order::head_of(&of.admin)?;
    let what = What::HandleAlert { journal, alert: of.alert, step };
    order::send_at_once(what, why, &of.officer, &of.admin, out)
}

fn officer_name(text: &str) -> Result<OfficerName, Failure> {
    let name = crate::orders::key::officer_name(text);
    name.ok_or_else(|| Failure {
        message: "--to must be 1 to 32 letters, digits, hyphens and underscores".to_owned(),
        code: EXIT_USAGE,
    })
}

/// The rule of an alert, as the switch tells it.
fn rule_of(of: &Of) -> Result<RuleId, Failure> {
    let before = of.alert.saturating_sub(1);
    let found: AlertList = ask(&of.admin, &format!("/alerts?after={before}&all=true"))?;
    let alert = found.alerts.first().filter(|alert| alert.record == of.alert);
    let rule = alert.and_then(|alert| RuleId::from(&alert.rule).ok());
    rule.ok_or_else(|| Failure {
        message: format!("no alert has the number {}, or it has left the queue", of.alert),
        code: 1,
    })
}

fn list(args: &List, out: &mut dyn Write) -> Result<(), Failure> {
    let path = format!("/alerts?after={}&all={}", args.after, args.all);
    let found = args.from.look(|books| alerts(books, args.after, args.all), &path)?;
    args.from.print(&found, out, table)
}

fn table(list: &AlertList, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&[
        "record", "time", "rule", "card", "terminal", "asked", "amount", "answer", "with", "was",
    ]);
    for alert in &list.alerts {
        table.add_row(row(alert));
    }
    right_align(&mut table, &[0, 6]);
    writeln!(out, "{table}\namounts in minor units")?;
    if let Some(last) = list.alerts.last().filter(|_| list.more) {
        writeln!(out, "there are more: go on with --after {}", last.record)?;
    }
    let counts = &list.counts;
    let [fraud, genuine, unsure] = counts.disposed;
    writeln!(
        out,
        "{} open of {} since the journal began; said to be fraud {fraud} times, genuine {genuine}, unsure {unsure}",
        counts.open, counts.raised
    )?;
    if counts.lapsed > 0 {
        writeln!(out, "{} left because the queue was full, before anybody had looked", counts.lapsed)?;
    }
    for snooze in &list.snoozed {
        let card = snooze.card.as_deref().unwrap_or_default();
        writeln!(
            out,
            "{} is snoozed for {card} until {}, for alert {}",
            snooze.rule, snooze.until, snooze.alert
        )?;
    }
    Ok(())
}

fn row(alert: &AlertEntry) -> [String; 10] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let was = match (&alert.disposition, &alert.disposed_by) {
        (Some(what), Some(by)) => format!("{what}, says {by}"),
        _ => String::new(),
    };
    [
        alert.record.to_string(),
        alert.time.clone(),
        alert.rule.clone(),
        text(&alert.card),
        text(&alert.terminal),
        alert.kind.clone(),
        alert.amount.to_string(),
        alert.answer.clone(),
        text(&alert.assigned_to),
        was,
    ]
}
