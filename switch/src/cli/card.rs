//! `cardswitch card`: one card, on a stopped folder or a running switch; and what its holder allows.

pub(super) mod limits;

use std::{fmt, io::Write, str::FromStr};

use clap::Subcommand;

use super::{
    Failure,
    source::{From, new_table, right_align},
};
use crate::audit::card::{CARDS_MAX, CardMask, CardView, cards};

/// Arguments of `card`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cardswitch card show 9156000035 --admin http://127.0.0.1:18580")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// State, purses, holds, counters and last transactions of a card
    #[command(
        after_help = "Examples:\n  cardswitch card show 9156000035 --admin http://127.0.0.1:18580\n  cardswitch card show \
                            '915600*0035' --data fixtures/city/data\n\nA card is named by its first six and last four \
                            digits, as everything shows it. A whole card number is refused: shells keep what is typed."
    )]
    Show {
        /// First six and last four digits, such as 915600…0010, 915600*0010 or 9156000010
        card: Typed,
        #[command(flatten)]
        from: From,
    },
    /// Set what a cardholder allows: where, by which channels, how much, how often
    Limits(limits::Args),
}

/// Text that may be a card number: it takes anything, so that no complaint about an argument prints it.
#[derive(Clone)]
pub(super) struct Typed(String);

impl Typed {
    /// What it names.
    pub(super) fn mask(&self) -> Result<CardMask, Failure> {
        self.0.parse().map_err(|error| Failure::usage(&error))
    }
}

impl FromStr for Typed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let (card, from) = match &args.command {
        Command::Show { card, from } => (card, from),
        Command::Limits(args) => return limits::run(args, out),
    };
    let mask = card.mask()?;
    let path = format!("/cards?bin={}&last_four={}", mask.bin, mask.last_four);
    let found = from.look(|books| cards(books, mask), &path)?;
    if found.is_empty() {
        let message = format!("there is no card {:06}…{:04}", mask.bin, mask.last_four);
        return Err(Failure { message, code: 1 });
    }
    from.print(&found, out, |cards, out| show(cards, out))
}

fn show(cards: &[CardView], out: &mut dyn Write) -> std::io::Result<()> {
    if cards.len() > 1 {
        let more = if cards.len() == CARDS_MAX { " at least" } else { "" };
        writeln!(out, "{more} {} cards look like this\n", cards.len())?;
    }
    for card in cards {
        head(card, out)?;
        purses(card, out)?;
        holds(card, out)?;
        counters(card, out)?;
        last(card, out)?;
    }
    writeln!(out, "amounts in minor units")
}

fn head(card: &CardView, out: &mut dyn Write) -> std::io::Result<()> {
    let regions: Vec<String> = card.regions.iter().map(|region| format!("{region:06}")).collect();
    let regions = if regions.is_empty() { "everywhere".to_owned() } else { regions.join(" ") };
    writeln!(out, "card      {} {}", card.card, card.state)?;
    let issued = card.issued.as_ref().map_or_else(String::new, |day| format!(", issued {day}"));
    writeln!(out, "product   {} of {}, expires {}{issued}", card.product, card.orderer, card.expiry)?;
    let linked = card.linked.as_ref().map_or_else(String::new, |day| format!(", linked {day}"));
    writeln!(out, "phone     {}{linked}", card.phone.as_deref().unwrap_or("not linked"))?;
    writeln!(out, "regions   {regions}")?;
    if let Some(limits) = &card.limits {
        writeln!(out, "holder    {}", limits::words(limits))?;
    }
    writeln!(out, "PIN       {} wrong of {}", card.pin_tries, card.pin_tries_max)
}

fn purses(card: &CardView, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["purse", "currency", "balance", "held", "available"]);
    for purse in &card.purses {
        table.add_row([
            purse.purse.clone(),
            format!("{:03}", purse.currency),
            purse.balance.to_string(),
            purse.held.to_string(),
            purse.available.to_string(),
        ]);
    }
    right_align(&mut table, &[2, 3, 4]);
    writeln!(out, "{table}")
}

fn holds(card: &CardView, out: &mut dyn Write) -> std::io::Result<()> {
    if card.holds.is_empty() {
        return Ok(());
    }
    let mut table = new_table(&["hold", "amount", "currency", "expires", "terminal"]);
    for hold in &card.holds {
        table.add_row([
            hold.record.to_string(),
            hold.amount.to_string(),
            format!("{:03}", hold.currency),
            hold.expires.clone(),
            hold.terminal.clone().unwrap_or_default(),
        ]);
    }
    right_align(&mut table, &[0, 1]);
    writeln!(out, "{table}")
}

fn counters(card: &CardView, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["approved this", "count", "sum"]);
    for counter in &card.approved {
        table.add_row([counter.period.clone(), counter.count.to_string(), counter.sum.to_string()]);
    }
    right_align(&mut table, &[1, 2]);
    writeln!(out, "{table}")
}

fn last(card: &CardView, out: &mut dyn Write) -> std::io::Result<()> {
    if card.last.is_empty() {
        return Ok(());
    }
    let mut table =
        new_table(&["record", "approval", "time", "kind", "terminal", "amount", "currency", "returned"]);
    for original in &card.last {
        table.add_row([
            original.record.to_string(),
            original.approval_code.clone(),
            original.time.clone(),
            original.kind.clone(),
            original.terminal.clone().unwrap_or_default(),
            original.amount.to_string(),
            format!("{:03}", original.currency),
            original.returned.to_string(),
        ]);
    }
    right_align(&mut table, &[0, 5, 7]);
    writeln!(out, "{table}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;
    use crate::settlement::testing::{History, PHONE};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_whole_number_is_refused_and_not_repeated() {
        let number = "9156003355800035";
        let line = Line::try_parse_from(["card", "show", number, "--admin", "http://127.0.0.1:1"]).unwrap();
        assert!(!format!("{line:?}").contains(number));
        let refused = run(&line.args, &mut Vec::new()).unwrap_err();
        assert_eq!(refused.code, 64);
        assert!(refused.message.contains("first six and last four"), "{}", refused.message);
        assert!(!refused.message.contains(number), "{}", refused.message);
    }

    #[test]
    fn everything_about_a_card_is_printed() {
        let found = cards(&History::of_two_days().books, "9156000010".parse().unwrap());
        let mut out = Vec::new();
        show(&found, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wants =
            ["915600…0010 active", "city of CITY, expires 11/29", "…123", "everywhere", "0 wrong of 3"];
        for want in wants.iter().chain(&["general", "pre_authorization", "31000001", "month"]) {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
        assert!(!text.contains(PHONE), "{text}");
    }
}
