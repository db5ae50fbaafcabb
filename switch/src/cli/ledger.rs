//! `cardswitch ledger verify|balance|entries`, on a stopped folder or a running switch.

use std::{io::Write, path::PathBuf};

use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets};
use serde::{Serialize, de::DeserializeOwned};

use super::{Failure, progress::Progress};
use crate::{
    audit::{self, AuditError, BalanceSheet, ENTRIES_MAX, Entry, StoppedFolder, Verification},
    journal::Seq,
};

/// Arguments of `ledger`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prove that the journal adds up: checksums, chain, anchor, invariants, replay
    #[command(
        after_help = "Examples:\n  cardswitch ledger verify --data fixtures/city/data\n  cardswitch ledger verify \
                            --admin http://127.0.0.1:18580\n\nExit code 0 only if everything held."
    )]
    Verify {
        #[command(flatten)]
        from: From,
    },
    /// The trial balance: accounts by kind and currency
    #[command(after_help = "Example:\n  cardswitch ledger balance --admin http://127.0.0.1:18580")]
    Balance {
        #[command(flatten)]
        from: From,
    },
    /// Records with their postings; the last ones, or from a sequence number on
    #[command(
        after_help = "Examples:\n  cardswitch ledger entries --admin http://127.0.0.1:18580 --count 5\n  cardswitch \
                            ledger entries --data fixtures/city/data --first 120 --count 50 --json"
    )]
    Entries {
        #[command(flatten)]
        from: From,
        /// First sequence number; without it, the last records are shown
        #[arg(long)]
        first: Option<Seq>,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=ENTRIES_MAX as u64))]
        count: u64,
    },
}

/// Where to look.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A stopped switch's data folder; it is copied, not changed
    #[arg(long)]
    data: Option<PathBuf>,
    /// A running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long)]
    admin: Option<String>,
}

#[derive(Debug, clap::Args)]
struct From {
    #[command(flatten)]
    source: Source,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Why a running switch's answer could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {problem}")]
struct AdminError {
    url: String,
    problem: String,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        Command::Verify { from } => {
            let found: Verification = match folder(from)? {
                Some(folder) => audit(folder.verify(&mut Progress::new("records").callback()))?,
                None => ask(from, "/ledger/verify")?,
            };
            print(from, &found, out, verification)
        }
        Command::Balance { from } => {
            let found: BalanceSheet = match folder(from)? {
                Some(folder) => audit::balance_sheet(&audit(folder.books(&mut |_| ()))?),
                None => ask(from, "/ledger/balance")?,
            };
            print(from, &found, out, balance)
        }
        Command::Entries { from, first, count } => {
            let found: Vec<Entry> = match folder(from)? {
                Some(folder) => {
                    let count = usize::try_from(*count).unwrap_or(ENTRIES_MAX);
                    let events = audit(audit::read_events(folder.reader().as_ref(), *first, count))?;
                    audit::entries(&audit(folder.books(&mut |_| ()))?, &events)
                }
                None => {
                    let first = first.map_or_else(String::new, |first| format!("&from={first}"));
                    ask(from, &format!("/ledger/entries?count={count}{first}"))?
                }
            };
            print(from, &found, out, |entries, out| self::entries(entries, out))
        }
    }
}

fn folder(from: &From) -> Result<Option<StoppedFolder>, Failure> {
    let Some(data) = &from.source.data else { return Ok(None) };
    audit(StoppedFolder::open(data, &mut Progress::new("records").callback())).map(Some)
}

fn audit<T>(result: Result<T, AuditError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::of(&error))
}

fn ask<T: DeserializeOwned>(from: &From, path: &str) -> Result<T, Failure> {
    let base = from.source.admin.as_deref().unwrap_or_default();
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let failed = |problem: String| Failure::of(&AdminError { url: url.clone(), problem });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
    if !answer.status().is_success() {
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        return Err(failed(text.trim_end().to_owned()));
    }
    answer.body_mut().read_json().map_err(|error| failed(error.to_string()))
}

fn print<T: Serialize>(
    from: &From,
    found: &T,
    out: &mut dyn Write,
    table: impl Fn(&T, &mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let printed = if from.json {
        serde_json::to_writer_pretty(&mut *out, found).map_err(Into::into).and_then(|()| writeln!(out))
    } else {
        table(found, out)
    };
    printed.map_err(|error| Failure::of(&error))
}

fn verification(found: &Verification, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "the ledger adds up: {} records, {} accounts", found.records, found.accounts)?;
    writeln!(out, "  state {} (same as the {})", found.state_hash, found.compared_with)?;
    writeln!(out, "  chain {}", found.head)
}

fn balance(sheet: &BalanceSheet, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["account", "currency", "accounts", "balance"]);
    for row in &sheet.rows {
        table.add_row([
            row.kind.clone(),
            format!("{:03}", row.currency),
            row.accounts.to_string(),
            row.balance.to_string(),
        ]);
    }
    for (currency, sum) in &sheet.sums {
        table.add_row(["sum".to_owned(), format!("{currency:03}"), String::new(), sum.to_string()]);
    }
    right_align(&mut table, &[2, 3]);
    writeln!(out, "{table}\nafter record {}; minor units", sheet.seq)
}

fn entries(entries: &[Entry], out: &mut dyn Write) -> std::io::Result<()> {
    let mut table =
        new_table(&["record", "time", "event", "terminal", "STAN", "card", "amount", "outcome", "postings"]);
    for entry in entries {
        let postings: Vec<String> = entry
            .postings
            .iter()
            .map(|posting| format!("{:+} {}", posting.amount, posting.account))
            .collect();
        let number = |value: Option<String>| value.unwrap_or_default();
        table.add_row([
            entry.seq.to_string(),
            entry.time.clone(),
            entry.event.clone(),
            entry.terminal.clone().unwrap_or_default(),
            number(entry.stan.map(|stan| format!("{stan:06}"))),
            entry.card.clone().unwrap_or_default(),
            number(entry.amount.map(|amount| amount.to_string())),
            entry.outcome.clone().unwrap_or_default(),
            postings.join("\n"),
        ]);
    }
    right_align(&mut table, &[0, 6]);
    writeln!(out, "{table}\namounts in minor units")
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

fn right_align(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
