//! `cardswitch statement --orderer`: an orderer's float, cards and days as tables.

use std::io::Write;

use jiff::civil::Date;

use super::Failure;
use crate::{
    audit::orderer::{OrdererCapital, OrdererStatement, orderer_statement},
    cli::{
        progress::Progress,
        source::{From, audit, new_table, right_align},
    },
};

pub(super) fn run(
    name: &str,
    (first, last): (Date, Date),
    from: &From,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // It goes into a path, and no orderer has another name.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let found: Option<OrdererStatement> = match from.folder()? {
        Some(folder) => {
            let (reader, mut progress) = (folder.reader(), Progress::new("records"));
            let until = reader.head().seq;
            audit(orderer_statement(reader.as_ref(), until, name, (first, last), &mut progress.callback()))?
        }
        None if plain => Some(from.ask(&format!("/orderers/{name}/statement?first={first}&last={last}"))?),
        None => None,
    };
    let Some(found) = found else {
        return Err(Failure { message: "there is no orderer of that name".to_owned(), code: 1 });
    };
    from.print(&found, out, show)?;
    if found.faults.is_empty() {
        return Ok(());
    }
    Err(Failure { message: format!("the statement does not add up: {}", found.faults.join("; ")), code: 1 })
}

fn show(statement: &OrdererStatement, out: &mut dyn Write) -> std::io::Result<()> {
    for capital in &statement.currencies {
        let OrdererStatement { orderer, from, to, .. } = statement;
        writeln!(out, "{orderer} in {:03}, {from} to {to}\n", capital.currency)?;
        float(capital, out)?;
        cards(capital, out)?;
        days(capital, out)?;
        let free = i128::from(capital.closing);
        writeln!(
            out,
            "float {} = {free} free + {} on cards\n",
            free + capital.cards_closing,
            capital.cards_closing
        )?;
    }
    if statement.is_open {
        writeln!(out, "the last day is not over: more may come")?;
    }
    writeln!(out, "amounts in minor units")
}

fn float(capital: &OrdererCapital, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["float", "record", "what", "terminal", "amount", "free"]);
    let blank = String::new;
    let balance =
        |name: &str, balance: i64| [name.to_owned(), blank(), blank(), blank(), blank(), balance.to_string()];
    table.add_row(balance("opening", capital.opening));
    for entry in &capital.entries {
        table.add_row([
            entry.day.clone(),
            entry.record.to_string(),
            entry.what.clone(),
            entry.terminal.clone().unwrap_or_default(),
            format!("{:+}", entry.amount),
            entry.balance.to_string(),
        ]);
    }
    if capital.entries_left_out > 0 {
        let amount = format!("{:+}", capital.left_out);
        let more = format!("and {} more", capital.entries_left_out);
        table.add_row([more, blank(), blank(), blank(), amount]);
    }
    table.add_row(balance("closing", capital.closing));
    right_align(&mut table, &[1, 4, 5]);
    writeln!(out, "{table}\n")
}

fn cards(capital: &OrdererCapital, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["card", "state", "balance", "held"]);
    for card in &capital.cards {
        table.add_row([
            card.card.clone(),
            card.state.clone(),
            card.balance.to_string(),
            card.held.to_string(),
        ]);
    }
    if capital.cards_left_out > 0 {
        table.add_row([format!("and {} more", capital.cards_left_out)]);
    }
    table.add_row(["sum".to_owned(), String::new(), capital.cards_closing.to_string()]);
    right_align(&mut table, &[2, 3]);
    writeln!(out, "{table}\n")
}

fn days(capital: &OrdererCapital, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table =
        new_table(&["day", "purchases", "refunds", "debit", "to merchants", "to acquirers", "fees"]);
    for day in &capital.days {
        let amounts = [day.purchases, day.refunds, day.net, day.merchants, day.acquirers, day.fees];
        table.add_row([day.day.clone()].into_iter().chain(amounts.map(|amount| amount.to_string())));
    }
    right_align(&mut table, &[1, 2, 3, 4, 5, 6]);
    writeln!(out, "{table}\n")
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
    fn float_cards_and_days_are_printed() {
        let reader = History::of_two_days().store.reader();
        let until = reader.head().seq;
        let found = orderer_statement(reader.as_ref(), until, "CITY", (DAY, DAY), &mut |_| ()).unwrap();
        let mut out = Vec::new();
        show(&found.unwrap(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wants = ["CITY in 156", "opening", "915600…0010", "13200", "= 899500 free + 87300 on cards"];
        for want in wants {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
    }
}
