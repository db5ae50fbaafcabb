//! `cardswitch statement`: a card's purses, or an orderer's float and cards, over a period, from a stopped folder or a
//! running switch.

mod orderer;

use std::io::Write;

use jiff::civil::Date;

use super::{
    Failure,
    card::Typed,
    progress::Progress,
    source::{From, audit, new_table, right_align},
};
use crate::{
    audit::{
        card::CardMask,
        statement::{Statement, statements},
    },
    config::EXIT_USAGE,
};

/// Arguments of `statement`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch statement 9156000035 --first 2026-11-01 --last 2026-11-30 --data \
                  fixtures/city/data\n  cardswitch statement '915600*0035' --first 2026-11-21 --last 2026-11-21 --admin \
                  http://127.0.0.1:18580 --json\n  cardswitch statement --orderer CITY --day 2026-11-21 --admin \
                  http://127.0.0.1:18580\n\nOpening balance and entries make the closing balance. Days are business \
                  days, as in the settlement files. The journal is replayed from its first record."
)]
pub(super) struct Args {
    #[command(flatten)]
    of: Of,
    /// The first business day, such as 2026-11-01
    #[arg(long, value_name = "DAY", requires = "last")]
    first: Option<Date>,
    /// The last business day, such as 2026-11-30
    #[arg(long, value_name = "DAY", requires = "first")]
    last: Option<Date>,
    /// One business day, the first and the last
    #[arg(long, value_name = "DAY", conflicts_with = "first", required_unless_present = "first")]
    day: Option<Date>,
    #[command(flatten)]
    from: From,
}

/// Whose statement.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// First six and last four digits, such as 915600…0010, 915600*0010 or 9156000010
    card: Option<Typed>,
    /// An orderer of cards: its float, what each card holds, and each day's purchases less refunds
    #[arg(long, value_name = "NAME")]
    orderer: Option<String>,
}

/// The period is no period.
#[derive(Debug, thiserror::Error)]
#[error("the last day {last} is before the first day {first}")]
struct Backwards {
    first: Date,
    last: Date,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Some((first, last)) = args.day.map(|day| (day, day)).or(args.first.zip(args.last)) else {
        return Err(Failure { message: "say --day, or --first and --last".to_owned(), code: EXIT_USAGE });
    };
    if last < first {
        return Err(Failure::usage(&Backwards { first, last }));
    }
    match (&args.of.card, &args.of.orderer) {
        (Some(card), _) => of_card(card.mask()?, (first, last), &args.from, out),
        (None, name) => orderer::run(name.as_deref().unwrap_or_default(), (first, last), &args.from, out),
    }
}

fn of_card(
    mask: CardMask,
    (first, last): (Date, Date),
    from: &From,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let found: Vec<Statement> = match from.folder()? {
        Some(folder) => {
            let (reader, mut progress) = (folder.reader(), Progress::new("records"));
            let until = reader.head().seq;
            audit(statements(reader.as_ref(), until, mask, (first, last), &mut progress.callback()))?
        }
        None => from.ask(&format!(
            "/statements?bin={}&last_four={}&first={first}&last={last}",
            mask.bin, mask.last_four
        ))?,
    };
    if found.is_empty() {
        let message = format!("there is no card {:06}…{:04}", mask.bin, mask.last_four);
        return Err(Failure { message, code: 1 });
    }
    from.print(&found, out, |statements, out| show(statements, out))
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
