//! `cardswitch lists`: the lists by name, on a stopped folder or a running switch.

use std::io::{self, Write};

use super::{
    Failure,
    source::{From, new_table, right_align},
};
use crate::audit::lists::{ChangeView, ListView, lists};

/// Arguments of `lists`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch lists --admin http://127.0.0.1:18580\n  cardswitch lists --data fixtures/city/data \
                  --json\n\nA list is changed by an order of two officers, see `cardswitch order list --help`. Among its \
                  entries may be some that are over; they count no more, and go with later changes."
)]
pub(super) struct Args {
    #[command(flatten)]
    from: From,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let found = args.from.look(lists, "/lists")?;
    args.from.print(&found, out, |found, out| table(found, out))
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
