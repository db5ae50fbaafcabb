//! `cardswitch lists`: the lists by name, on a stopped folder or a running switch.

use std::io::{self, Write};

use super::{
    Failure,
    source::{From, new_table, right_align},
};
use crate::{
    audit::lists::{Asked, ChangeView, EntryView, ListView, entry, lists},
    books::lists::change::list_name,
};

/// Arguments of `lists`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch lists --admin http://127.0.0.1:18580\n  cardswitch lists --data fixtures/city/data \
                  --json\n  cardswitch lists watched --value 31000002 --admin http://127.0.0.1:18580\n\nA list is changed by an order of two officers, see `cardswitch order list --help`. Among its \
                  entries may be some that are over; they count no more, and go with later changes."
)]
pub(super) struct Args {
    /// One list, to be asked why something is on it
    #[arg(requires = "which")]
    list: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    from: From,
}

/// Why is it on the list?
#[derive(Debug, clap::Args)]
#[group(id = "which", multiple = false, requires = "list")]
struct Which {
    /// A card, by its position
    #[arg(long, value_name = "POSITION")]
    card: Option<u32>,
    /// A terminal, a merchant, a BIN or a PSAM
    #[arg(long)]
    value: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(list) = &args.list {
        return why(list, args, out);
    }
    let found = args.from.look(lists, "/lists")?;
    args.from.print(&found, out, |found, out| table(found, out))
}

fn why(list: &str, args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let (asked, of) = match (args.which.card, &args.which.value) {
        (Some(card), _) => (Asked::Card(card), format!("card={card}")),
        (None, value) => {
            let value = value.clone().unwrap_or_default();
            // What has another sign in it is on no list, and would be no part of a URL.
            let fits = value.len() <= 16 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let value = if fits { value } else { String::new() };
            (Asked::Value(value.clone()), format!("value={value}"))
        }
    };
    let name = list_name(list).unwrap_or_default();
    let found =
        args.from.look(|books| entry(books, &name, &asked), &format!("/lists/entry?list={name}&{of}"))?;
    args.from.print(&found, out, entry_lines)
}

fn entry_lines(entry: &Option<EntryView>, out: &mut dyn Write) -> io::Result<()> {
    let Some(EntryView { reason, source, ends, change }) = entry else {
        return writeln!(out, "it is not on the list, or there is no such list");
    };
    writeln!(out, "reason  {reason}\nsource  {source}\nends    {}", ends.as_deref().unwrap_or("never"))?;
    writeln!(out, "since   {}, record {}", change.at, change.seq)?;
    match change.author.as_ref().zip(change.approver.as_ref()) {
        Some((author, approver)) => writeln!(out, "by      {author}, approved by {approver}"),
        None => Ok(()),
    }
}

fn table(lists: &[ListView], out: &mut dyn Write) -> io::Result<()> {
    if lists.is_empty() {
        return writeln!(out, "there is no list; the city's blacklist is none of these");
    }
    let mut table = new_table(&[
        "list",
        "of",
        "entries",
        "version",
        "asked by rules",
        "last change",
        "by",
        "since, record",
    ]);
    for list in lists {
        table.add_row(row(list));
    }
    right_align(&mut table, &[2, 3]);
    writeln!(out, "{table}")
}

fn row(list: &ListView) -> [String; 8] {
    let ChangeView { seq, at, how, author, approver, added, changed, removed } = &list.last;
    let by = author.as_ref().zip(approver.as_ref());
    [
        list.name.clone(),
        list.kind.clone(),
        list.entries.to_string(),
        list.version.to_string(),
        if list.asked { "yes" } else { "no" }.to_owned(),
        format!("{how}: {added} new, {changed} changed, {removed} gone"),
        by.map_or_else(String::new, |(author, approver)| format!("{author}, approved by {approver}")),
        format!("{at}, {seq}"),
    ]
}
