//! `cardswitch notices`: the outbox, on a stopped folder or a running switch.

use std::io::Write;

use super::{
    Failure,
    source::{From, new_table, right_align},
};
use crate::audit::notices::{NoticeEntry, NoticeList, notices};

/// Arguments of `notices`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch notices --admin http://127.0.0.1:18580\n  cardswitch notices --data \
                  fixtures/city/data --after 120 --json\n\nAt most 1000 at once, oldest first; go on with --after and the \
                  last number shown."
)]
pub(super) struct Args {
    #[command(flatten)]
    from: From,
    /// Only notices with a higher number
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: u64,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let path = format!("/notices?after={}", args.after);
    let found = args.from.look(|books| notices(books, args.after), &path)?;
    args.from.print(&found, out, table)
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
        let mut list = notices(&History::of_two_days().books, 0);
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
