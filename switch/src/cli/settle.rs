//! `cardswitch settle`: the files of a business day, from a stopped folder or a running switch.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use jiff::civil::Date;

use super::{
    Failure,
    progress::Progress,
    source::{ArchiveAt, ask, new_table, order, print, right_align},
};
use crate::{
    clock::Clock,
    settlement::{Settled, SettlementError, Summary, closing, file::Staging},
};

/// Arguments of `settle`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch settle --day 2026-11-21 --data fixtures/city/data --out settled\n  cardswitch \
                  settle --day 2026-11-21 --admin http://127.0.0.1:18580 --out settled\n\nA day that is still open is \
                  ended first, for good: what happens from then on belongs to the next day. Files: issuer-<ORDERER>-<DAY>.csv \
                  for each orderer of cards, merchants-<DAY>.csv, acquirers-<DAY>.csv; each ends in the SHA-256 of \
                  everything above. Settling a day again gives the same bytes."
)]
pub(super) struct Args {
    /// The business day, such as 2026-11-21
    #[arg(long)]
    day: Date,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    archive: ArchiveAt,
    /// The folder for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print the summary as JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Whose day it is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct At {
    /// A stopped switch's data folder; it is changed only by ending the day
    #[arg(long)]
    data: Option<PathBuf>,
    /// A running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long)]
    admin: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let summary = match (&args.at.data, &args.at.admin) {
        (Some(data), _) => {
            let mut clock = Clock::new("UTC").map_err(|error| Failure::of(&error))?;
            let data = (data.as_path(), args.archive.archive.as_deref());
            stopped(data, args.day, &args.out, &mut clock).map_err(|error| Failure::of(&error))?
        }
        (None, admin) => running(admin.as_deref().unwrap_or_default(), args.day, &args.out)?,
    };
    print(args.json, &summary, out, table)
}

fn stopped(
    data: (&Path, Option<&Path>),
    day: Date,
    out: &Path,
    clock: &mut Clock,
) -> Result<Summary, SettlementError> {
    let staging = Staging::inside(out)?;
    let mut progress = Progress::new("records");
    let summary = closing::settle_stopped(data, day, staging.path(), clock, &mut progress.callback())?;
    staging.place(&summary.files)?;
    Ok(summary)
}

fn running(admin: &str, day: Date, out: &Path) -> Result<Summary, Failure> {
    // The folder first: a day must not end only to find that its files have no place.
    let staging = Staging::inside(out).map_err(|error| Failure::of(&error))?;
    let _closed: serde_json::Value = order(admin, &format!("/settlement/{day}/cut-over"))?;
    let Settled { summary, files } = ask(admin, &format!("/settlement/{day}"))?;
    let placed = staging.fill(&files).and_then(|()| staging.place(&summary.files));
    placed.map_err(|error| Failure::of(&error))?;
    Ok(summary)
}

fn table(summary: &Summary, out: &mut dyn Write) -> std::io::Result<()> {
    let mut issuers = new_table(&["issuer", "currency", "rows", "debits", "", "credits", "", "net"]);
    for total in &summary.issuers {
        issuers.add_row([
            total.issuer.clone(),
            format!("{:03}", total.currency),
            total.rows.to_string(),
            total.debits_count.to_string(),
            total.debits.to_string(),
            total.credits_count.to_string(),
            total.credits.to_string(),
            (total.debits + total.credits).to_string(),
        ]);
    }
    right_align(&mut issuers, &[2, 3, 4, 5, 6, 7]);
    let mut accounts = new_table(&["account", "currency", "on the day", "at its end"]);
    for account in &summary.accounts {
        accounts.add_row([
            account.kind.clone(),
            format!("{:03}", account.currency),
            account.change.to_string(),
            account.balance.to_string(),
        ]);
    }
    for (currency, sum) in &summary.sums {
        let of_currency = summary.accounts.iter().filter(|account| account.currency == *currency);
        let change: i128 = of_currency.map(|account| account.change).sum();
        accounts.add_row(["sum".to_owned(), format!("{currency:03}"), change.to_string(), sum.to_string()]);
    }
    right_align(&mut accounts, &[2, 3]);
    writeln!(out, "business day {}, closed by record {}; minor units", summary.day, summary.closed_by)?;
    writeln!(out, "{issuers}\n{accounts}")?;
    summary.files.iter().try_for_each(|name| writeln!(out, "wrote {name}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::{DAY, History};

    #[test]
    fn the_table_has_every_issuer_and_sums_of_zero() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of_two_days();
        let summary = history.settle(DAY, folder.path()).unwrap();
        let mut out = Vec::new();
        table(&summary, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for want in ["CITY", "GIFT", "merchant_payable", "load_line", "wrote merchants-2026-11-21.csv"] {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
        let sums = text.lines().find(|line| line.trim_start().starts_with("sum")).unwrap();
        let zeros = sums.split_whitespace().skip(2).collect::<Vec<_>>();
        assert_eq!(zeros, ["0", "0"], "{text}");
    }
}
