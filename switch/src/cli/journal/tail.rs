//! `cardswitch journal tail`: what happened last, a line each, and what happens.

use std::{io::Write, time::Duration};

use super::unprinted;
use crate::{
    audit::{ENTRIES_MAX, Entry},
    cli::{Failure, source::From},
    journal::Seq,
};

/// How long it waits until it asks again where nothing has happened.
const PAUSE: Duration = Duration::from_millis(300);

/// Arguments of `journal tail`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch journal tail --admin http://127.0.0.1:18580 --follow\n  cardswitch journal tail \
                  --data fixtures/city/data --count 100 --json\n\nA line has record, time, event, terminal, card (first six and \
                  last four), amount in minor units, outcome. With --json a line is one object."
)]
pub(super) struct Args {
    #[command(flatten)]
    from: From,
    /// How many of the last records
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=ENTRIES_MAX as u64))]
    count: u64,
    /// Go on with what happens, until interrupted; needs a running switch
    #[arg(long, conflicts_with = "data")]
    follow: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let entries = args.from.entries(None, args.count)?;
    let mut next = show(&entries, args.from.json(), out)?.unwrap_or(1);
    if !args.follow {
        return Ok(());
    }
    loop {
        let entries = args.from.entries(Some(next), ENTRIES_MAX as u64)?;
        match show(&entries, args.from.json(), out)? {
            Some(behind) => next = behind,
            None => pause(),
        }
    }
}

/// Prints them; the record behind the last.
fn show(entries: &[Entry], json: bool, out: &mut dyn Write) -> Result<Option<Seq>, Failure> {
    for entry in entries {
        line(entry, json, out).map_err(unprinted)?;
    }
    out.flush().map_err(unprinted)?;
    Ok(entries.last().map(|entry| entry.seq + 1))
}

/// One record on one line.
pub(super) fn line(entry: &Entry, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, entry)?;
        return writeln!(out);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    writeln!(
        out,
        "{:>8}  {:<24}  {:<18}  {:<8}  {:<13}  {:>10}  {}",
        entry.seq,
        entry.time,
        entry.event,
        text(&entry.terminal),
        text(&entry.card),
        entry.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
        text(&entry.outcome)
    )
}

#[expect(clippy::disallowed_methods, reason = "a command that waits for somebody else's work")]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_record_is_one_line_with_what_it_has() {
        let blank = Entry {
            seq: 7,
            time: "2026-11-21T10:00:00Z".to_owned(),
            event: "cut_over".to_owned(),
            terminal: None,
            stan: None,
            card: None,
            amount: None,
            currency: None,
            outcome: None,
            postings: Vec::new(),
        };
        let purchase = Entry {
            event: "purchase".to_owned(),
            terminal: Some("41000001".to_owned()),
            card: Some("915600…0035".to_owned()),
            amount: Some(1250),
            outcome: Some("00 approved".to_owned()),
            ..blank.clone()
        };
        let printed = |entry: &Entry, json| {
            let mut out = Vec::new();
            line(entry, json, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            words(&printed(&blank, false)),
            ["7", "2026-11-21T10:00:00Z", "cut_over", "-", "-", "-", "-"]
        );
        let want =
            ["7", "2026-11-21T10:00:00Z", "purchase", "41000001", "915600…0035", "1250", "00", "approved"];
        assert_eq!(words(&printed(&purchase, false)), want);
        let read: Entry = serde_json::from_str(&printed(&purchase, true)).unwrap();
        assert_eq!(read, purchase);
    }
}
