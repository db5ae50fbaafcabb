//! `cardswitch ledger verify|balance|trial|chart|entries`, on a stopped folder or a running switch.

mod chart;
mod trial;

use std::io::Write;

use clap::Subcommand;
use jiff::civil::Date;

use super::{
    Failure,
    progress::Progress,
    source::{From, audit, new_table, right_align},
};
use crate::{
    audit::{self, BalanceSheet, ENTRIES_MAX, Entry, Verification},
    journal::Seq,
};

/// Arguments of `ledger`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cardswitch ledger verify --admin http://127.0.0.1:18580")]
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
    /// What the accounts stand at now, by kind and currency
    #[command(after_help = "Example:\n  cardswitch ledger balance --admin http://127.0.0.1:18580")]
    Balance {
        #[command(flatten)]
        from: From,
    },
    /// The trial balance of a business day: opening, debit, credit and closing of each account
    #[command(
        after_help = "Examples:\n  cardswitch ledger trial --admin http://127.0.0.1:18580\n  cardswitch ledger trial \
                            --data fixtures/city/data --day 2026-11-21 --json\n\nA block for each currency. Exit code 0 \
                            only if every sum is zero and single accounts come to the general ledger."
    )]
    Trial {
        #[command(flatten)]
        from: From,
        /// The business day; without it, the one that is open
        #[arg(long, value_name = "DAY")]
        day: Option<Date>,
    },
    /// The chart of accounts, what each operation posts, and where income goes
    #[command(after_help = "Example:\n  cardswitch ledger chart --admin http://127.0.0.1:18580")]
    Chart {
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

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        Command::Verify { from } => {
            let found: Verification = match from.folder()? {
                Some(folder) => audit(folder.verify(&mut Progress::new("records").callback()))?,
                None => from.ask("/ledger/verify")?,
            };
            from.print(&found, out, verification)
        }
        Command::Balance { from } => {
            let found = from.look(audit::balance_sheet, "/ledger/balance")?;
            from.print(&found, out, balance)
        }
        Command::Trial { from, day } => trial::run(*day, from, out),
        Command::Chart { from } => chart::run(from, out),
        Command::Entries { from, first, count } => {
            let found = from.entries(*first, *count)?;
            from.print(&found, out, |found, out| entries(found, out))
        }
    }
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
