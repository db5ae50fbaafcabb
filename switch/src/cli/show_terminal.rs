//! `cardswitch terminal show`: what the switch knows of a terminal, on a stopped folder or a running switch.

use std::io::Write;

use super::{
    Failure,
    source::{From, new_table, right_align},
};
use crate::{
    audit::{
        terminal::{AcquirerView, KeyView, PsamView, TerminalView, terminal},
        utc,
    },
    clock::Clock,
};

/// Arguments of `terminal show`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch terminal show 31000001 --admin http://127.0.0.1:18580\n  cardswitch terminal show \
                  51000001 --data fixtures/city/data --json\n\nKeys are shown by version and age, never themselves."
)]
pub(super) struct ShowArgs {
    /// The terminal's id, eight characters (field 41)
    id: String,
    #[command(flatten)]
    from: From,
}

pub(super) fn run_show(args: &ShowArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let no_such = || Failure { message: format!("there is no terminal {:?}", args.id), code: 1 };
    // An id with anything else in it would be another path.
    if args.id.len() != 8 || !args.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        // Not quoted: it may be a card number in the wrong place.
        let message = "there is no terminal of that id: an id is eight letters and digits".to_owned();
        return Err(Failure { message, code: 1 });
    }
    let path = format!("/terminals/{}", args.id);
    let found = args.from.look(|books| terminal(books, &args.id), &path)?.ok_or_else(no_such)?;
    let now_ms = Clock::new("UTC").map_err(|error| Failure::of(&error))?.now().unix_ms();
    args.from.print(&found, out, |found, out| show(found, now_ms, out))
}

fn show(found: &TerminalView, now_ms: i64, out: &mut dyn Write) -> std::io::Result<()> {
    let suspended = if found.merchant_active { "" } else { ", suspended" };
    let may_load = if found.may_load { "may load cards" } else { "may not load cards" };
    let shift = if found.signed_off { "signed off" } else { "not signed off" };
    writeln!(out, "terminal  {} {}, MAC {}", found.terminal, found.dialect, found.mac)?;
    writeln!(out, "merchant  {} {}{suspended}", found.merchant, found.merchant_name)?;
    writeln!(out, "place     region {:06}, category {:04}", found.region, found.category)?;
    writeln!(out, "state     {shift}, {may_load}")?;
    writeln!(out, "phone     {}", found.phone.as_deref().unwrap_or("none"))?;
    if let Some(psam) = &found.psam {
        psam_line(psam, now_ms, out)?;
    }
    match (&found.acquirer, found.keys.is_empty()) {
        (Some(acquirer), _) => acquirer_lines(acquirer, now_ms, out),
        (None, false) => keys(&found.keys, now_ms, out),
        (None, true) if found.psam.is_some() => Ok(()),
        (None, true) => writeln!(out, "keys      none: it has not signed in"),
    }
}

fn psam_line(psam: &PsamView, now_ms: i64, out: &mut dyn Write) -> std::io::Result<()> {
    let revoked = if psam.revoked { ", revoked" } else { "" };
    let nonce = match (psam.nonce_since_ms, psam.nonce_until_ms) {
        (Some(since), Some(until)) if now_ms < until => format!("nonce {} old", age(now_ms - since)),
        (Some(since), _) => format!("nonce {} old and no longer good", age(now_ms - since)),
        (None, _) => "no nonce: it has not signed in".to_owned(),
    };
    writeln!(out, "PSAM      {} under masters {}{revoked}, {nonce}", psam.number, psam.key_version)
}

fn acquirer_lines(acquirer: &AcquirerView, now_ms: i64, out: &mut dyn Write) -> std::io::Result<()> {
    let active = if acquirer.active { "" } else { ", suspended" };
    let session = if acquirer.signed_on { "signed on" } else { "not signed on" };
    writeln!(out, "acquirer  {} {}{active}, {session}, MAC {}", acquirer.id, acquirer.name, acquirer.mac)?;
    keys(&acquirer.keys, now_ms, out)
}

fn keys(keys: &[KeyView], now_ms: i64, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["keys", "version", "in use since", "age", "good until", "check values"]);
    for key in keys {
        let time = |time_ms: Option<i64>| time_ms.map(utc).unwrap_or_default();
        let ended = key.until_ms.is_some_and(|until| until <= now_ms);
        table.add_row([
            key.role.clone(),
            key.version.to_string(),
            time(key.since_ms),
            key.since_ms.map(|since| age(now_ms - since)).unwrap_or_default(),
            if ended { "over".to_owned() } else { time(key.until_ms) },
            key.check_values.join(" "),
        ]);
    }
    right_align(&mut table, &[1, 3]);
    writeln!(out, "{table}")
}

/// A duration in its two largest units.
fn age(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match (minutes / 1440, minutes / 60) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, hours) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::{History, KEY_BODY};

    fn printed(id: &str) -> String {
        let history = History::of_two_days();
        let now_ms = history.books.time_ms() + 3 * 3_600_000;
        let mut out = Vec::new();
        show(&terminal(&history.books, id).unwrap(), now_ms, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn everything_about_a_terminal_is_printed_but_keys() {
        let rows: [(&str, &[&str]); 2] = [
            (
                "31000001",
                &[
                    "pos, MAC x9.19",
                    "Riverside",
                    "310101",
                    "5411",
                    "pending",
                    "3100000000000101",
                    "has not signed in",
                ],
            ),
            ("51000001", &["31060110 North Bank, not signed on", "current", "A1B2C3 010203 040506"]),
        ];
        for (id, wants) in rows {
            let text = printed(id);
            for want in wants {
                assert!(text.contains(want), "{want} is missing in\n{text}");
            }
            assert!(!text.contains(KEY_BODY), "{text}");
        }
    }

    #[test]
    fn ages_have_two_units() {
        let rows = [(-5, "0 min"), (59_999, "0 min"), (3_599_999, "59 min"), (5_400_000, "1 h 30 min")];
        for (ms, want) in rows.into_iter().chain([(90_000_000, "1 d 1 h")]) {
            assert_eq!(age(ms), want);
        }
    }

    #[test]
    fn an_id_is_eight_letters_or_digits() {
        let from = || {
            use clap::Parser;
            #[derive(Parser)]
            struct Line {
                #[command(flatten)]
                from: From,
            }
            Line::try_parse_from(["x", "--admin", "http://127.0.0.1:1"]).unwrap().from
        };
        for id in ["../../x?", "3100000", "310000011", "3100 001"] {
            let refused = run_show(&ShowArgs { id: id.to_owned(), from: from() }, &mut Vec::new());
            assert!(refused.unwrap_err().message.starts_with("there is no terminal"), "{id}");
        }
    }
}
