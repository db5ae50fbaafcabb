//! `cardswitch notices`: the outbox, on a stopped folder or a running switch, and how far its senders are.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    Failure,
    source::{From, ask, new_table, print, right_align},
};
use crate::{
    audit::notices::{NOTICES_MAX, NoticeEntry, NoticeList, notices},
    config::Config,
    notices::{
        contacts::with_tokens,
        status::{SenderList, SenderView},
    },
};

/// Arguments of `notices`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch notices list --admin http://127.0.0.1:18580\n  cardswitch notices status --admin \
                  http://127.0.0.1:18580\n\nWho is sent what: docs/notices.md."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The notices behind a number, oldest first
    #[command(
        after_help = "Examples:\n  cardswitch notices list --admin http://127.0.0.1:18580\n  cardswitch notices list --data \
                      fixtures/city/data --after 120 --json\n\nGo on with --after and the last number shown."
    )]
    List(List),
    /// How far each sender is, and what keeps it
    #[command(after_help = "Example:\n  cardswitch notices status --admin http://127.0.0.1:18580")]
    Status(Status),
    /// Make a file of contacts of one that has card numbers in it: cards stand in it by their tokens
    #[command(
        after_help = "Example:\n  cardswitch notices contacts people.csv --config cardswitch.toml --out contacts.csv\n\nThe columns \
                      are card,email,verified,phone,language: docs/notices.md, \"Contacts\"."
    )]
    Contacts {
        /// The file with card numbers
        file: PathBuf,
        /// The switch's configuration, which names the key of the tokens
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The file to write; one that is there is replaced, whole
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    from: From,
    /// Only notices with a higher number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: u64,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

#[derive(Debug, clap::Args)]
struct Status {
    /// The running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL")]
    admin: String,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.action {
        Action::List(list) => {
            let limit = usize::from(list.limit).min(NOTICES_MAX);
            let path = format!("/notices?after={}&limit={limit}", list.after);
            let found = list.from.look(|books| notices(books, list.after, limit, None, None), &path)?;
            list.from.print(&found, out, table)
        }
        Action::Contacts { file, config, out: to } => {
            let config = Config::from_file_and_env(config).map_err(|error| Failure::usage(&error))?;
            let text = with_tokens(file, &config.hsm).map_err(|error| Failure::usage(&error))?;
            replace(to, &text).map_err(|error| Failure::of(&error))?;
            let count = text.lines().count() - 1;
            writeln!(out, "{}: {count} contacts", to.display()).map_err(|error| Failure::of(&error))
        }
        Action::Status(status) => {
            let found: SenderList = ask(&status.admin, "/notices/status")?;
            print(status.json, &found, out, senders)
        }
    }
}

/// Writes a file that its owner alone may read, beside the old one, and puts it in its place.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

fn senders(list: &SenderList, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&[
        "sender",
        "cursor",
        "waiting",
        "behind",
        "sent",
        "no address",
        "parked",
        "lost",
        "trouble",
    ]);
    for sender in &list.senders {
        table.add_row(sender_row(sender));
    }
    right_align(&mut table, &[1, 2, 3, 4, 5, 6, 7]);
    writeln!(out, "{table}\nthe newest notice is {}; all but cursors since the start", list.last_id)
}

fn sender_row(sender: &SenderView) -> [String; 9] {
    let trouble = match (&sender.why, sender.failures) {
        (Some(why), failures) if failures > 0 => format!("{why}, {failures} times"),
        _ => String::new(),
    };
    [
        sender.sender.clone(),
        sender.cursor.to_string(),
        sender.waiting.to_string(),
        format!("{} s", sender.behind_s),
        sender.sent.to_string(),
        sender.unaddressed.to_string(),
        sender.parked.to_string(),
        sender.lost.to_string(),
        trouble,
    ]
}

fn table(list: &NoticeList, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table =
        new_table(&["id", "time", "to", "cause", "rule", "card", "terminal", "asked", "amount", "answer"]);
    for notice in &list.notices {
        table.add_row(row(notice));
    }
    right_align(&mut table, &[0, 8]);
    writeln!(out, "{table}\namounts in minor units")?;
    let last = list.notices.last().map_or(list.last_id, |notice| notice.id);
    if last < list.last_id {
        writeln!(out, "more up to {}: go on with --after {last}", list.last_id)?;
    }
    if list.evicted > 0 {
        writeln!(out, "{} older notices have left the outbox because it was full", list.evicted)?;
    }
    Ok(())
}

fn row(notice: &NoticeEntry) -> [String; 10] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let to = match &notice.phone {
        Some(phone) => format!("{} {phone}", notice.to),
        None => notice.to.clone(),
    };
    // Currency 0: no amount was about.
    let amount = if notice.currency == 0 { String::new() } else { notice.amount.to_string() };
    [
        notice.id.to_string(),
        notice.time.clone(),
        to,
        notice.cause.clone(),
        text(&notice.rule),
        text(&notice.card),
        text(&notice.terminal),
        notice.kind.clone(),
        amount,
        notice.answer.clone(),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::{History, PHONE};

    #[test]
    fn the_table_names_both_and_masks() {
        let mut list = notices(&History::of_two_days().books, 0, NOTICES_MAX, None, None);
        let print = |list: &NoticeList| {
            let mut out = Vec::new();
            table(list, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = print(&list);
        for want in ["cardholder …123", "card_management", "single-max", "915600…0010", "61 amount_limit"]
        {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
        assert!(!text.contains(PHONE) && !text.contains("go on"), "{text}");
        list.notices.truncate(1);
        assert!(print(&list).contains("go on with --after 1"));
    }
}
