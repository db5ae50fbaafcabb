//! `cardswitch statement`: a card's purses over a period, from a stopped folder or a running switch.

use std::io::Write;

use jiff::civil::Date;

use super::{
    Failure,
    card::Typed,
    progress::Progress,
    source::{From, audit, new_table, right_align},
};
use crate::audit::{
    card::CardMask,
    statement::{Statement, statements},
};

/// Arguments of `statement`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch statement 9156000035 --first 2026-11-01 --last 2026-11-30 --data \
                  fixtures/city/data\n  cardswitch statement '915600*0035' --first 2026-11-21 --last 2026-11-21 --admin \
                  http://127.0.0.1:18580 --json\n\nOpening balance and entries make the closing balance. Days are business \
                  days, as in the settlement files. The journal is replayed from its first record."
)]
pub(super) struct Args {
    /// First six and last four digits, such as 915600…0010, 915600*0010 or 9156000010
    card: Typed,
    /// The first business day, such as 2026-11-01
    #[arg(long, value_name = "DAY")]
    first: Date,
    /// The last business day, such as 2026-11-30
    #[arg(long, value_name = "DAY")]
    last: Date,
    #[command(flatten)]
    from: From,
}

/// The period is no period.
#[derive(Debug, thiserror::Error)]
#[error("the last day {last} is before the first day {first}")]
struct Backwards {
    first: Date,
    last: Date,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let mask: CardMask = args.card.mask()?;
    let (first, last) = (args.first, args.last);
    if last < first {
        return Err(Failure::usage(&Backwards { first, last }));
    }
    let found: Vec<Statement> = match args.from.folder()? {
        Some(folder) => {
            let (reader, mut progress) = (folder.reader(), Progress::new("records"));
            let until = reader.head().seq;
            audit(statements(reader.as_ref(), until, mask, (first, last), &mut progress.callback()))?
        }
        None => args.from.ask(&format!(
            "/statements?bin={}&last_four={}&first={first}&last={last}",
            mask.bin, mask.last_four
        ))?,
    };
    if found.is_empty() {
        let message = format!("there is no card {:06}…{:04}", mask.bin, mask.last_four);
        return Err(Failure { message, code: 1 });
    }
    args.from.print(&found, out, |statements, out| show(statements, out))
}

fn show(statements: &[Statement], out: &mut dyn Write) -> std::io::Result<()> {
    for statement in statements {
        let Statement { card, purse, currency, from, to, .. } = statement;
        writeln!(out, "{card}, purse {purse} in {currency:03}, {from} to {to}")?;
        let mut table = new_table(&["day", "record", "time", "what", "terminal", "amount", "balance"]);
        let blank = String::new;
        let balance = |name: &str, balance: i64| {
            [blank(), blank(), blank(), name.to_owned(), blank(), blank(), balance.to_string()]
        };
        table.add_row(balance("opening", statement.opening));
        for entry in &statement.entries {
            table.add_row([
                entry.day.clone(),
                entry.record.to_string(),
                entry.time.clone(),
                entry.what.clone(),
                entry.terminal.clone().unwrap_or_default(),
                format!("{:+}", entry.amount),
                entry.balance.to_string(),
            ]);
        }
        table.add_row(balance("closing", statement.closing));
        right_align(&mut table, &[1, 5, 6]);
        writeln!(out, "{table}")?;
        if statement.is_open {
            writeln!(out, "the last day is not over: more may come")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "amounts in minor units")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        journal::Store,
        settlement::testing::{DAY, History},
    };

    #[test]
    fn a_statement_begins_with_the_opening_and_ends_with_the_closing_balance() {
        let history = History::of_two_days();
        let reader = history.store.reader();
        let mask = "9156000010".parse().unwrap();
        let found = statements(reader.as_ref(), reader.head().seq, mask, (DAY, DAY), &mut |_| ()).unwrap();
        let mut out = Vec::new();
        show(&found, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let at = |want: &str| text.find(want).unwrap_or_else(|| panic!("{want} is missing in\n{text}"));
        assert!(at("915600…0010, purse general in 156, 2026-11-21 to 2026-11-21") < at("-10000"), "{text}");
        assert!(at("purchase") < at("withdrawal"), "{text}");
        assert!(at("withdrawal") < text.rfind("closing").unwrap(), "{text}");
        assert!(!text.contains("not over"), "{text}");
    }
}
