//! `cardswitch ledger trial`: the trial balance of a business day as tables, a block for each currency.

use std::io::Write;

use jiff::civil::Date;

use crate::{
    audit::trial::{Trial, TrialRow, trial},
    cli::{
        Failure,
        progress::Progress,
        source::{From, audit, new_table, right_align},
    },
};

pub(super) fn run(day: Option<Date>, from: &From, out: &mut dyn Write) -> Result<(), Failure> {
    let found: Trial = match from.folder()? {
        Some(folder) => {
            let (reader, mut progress) = (folder.reader(), Progress::new("records"));
            let until = reader.head().seq;
            audit(trial(reader.as_ref(), until, day, &mut progress.callback()))?
        }
        None => {
            let day = day.map_or_else(String::new, |day| format!("?day={day}"));
            from.ask(&format!("/ledger/trial{day}"))?
        }
    };
    from.print(&found, out, show)?;
    if found.faults.is_empty() {
        return Ok(());
    }
    Err(Failure { message: format!("the ledger does not add up: {}", found.faults.join("; ")), code: 1 })
}

fn show(trial: &Trial, out: &mut dyn Write) -> std::io::Result<()> {
    for block in &trial.currencies {
        writeln!(out, "business day {}, currency {:03}", trial.day, block.currency)?;
        let mut table = new_table(&["account", "opening", "debit", "credit", "closing", "single accounts"]);
        block.rows.iter().chain([&block.sum]).for_each(|row| _ = table.add_row(cells(row)));
        right_align(&mut table, &[1, 2, 3, 4, 5]);
        writeln!(out, "{table}\n")?;
    }
    if trial.is_open {
        writeln!(out, "the day is not over: more may come")?;
    }
    if trial.faults.is_empty() {
        writeln!(
            out,
            "every sum is zero, and the accounts of single cards, merchants, acquirers and orderers"
        )?;
        writeln!(out, "come to what was entered in the general ledger")?;
    }
    writeln!(out, "after record {}; minor units; a balance is what is owed", trial.through)
}

fn cells(row: &TrialRow) -> [String; 6] {
    [
        row.account.clone(),
        row.opening.to_string(),
        row.debit.to_string(),
        row.credit.to_string(),
        row.closing.to_string(),
        row.parties.map_or_else(String::new, |parties| parties.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{journal::Store, settlement::testing::History};

    #[test]
    fn a_day_is_printed_with_its_sums_and_what_was_held_against_what() {
        let reader = History::of_two_days().store.reader();
        let found = trial(reader.as_ref(), reader.head().seq, None, &mut |_| ()).unwrap();
        let mut out = Vec::new();
        show(&found, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for want in ["business day 2026-11-22, currency 156", "merchant_payable", "not over", "sum is zero"] {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
    }
}
