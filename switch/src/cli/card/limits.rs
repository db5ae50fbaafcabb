//! `cardswitch card limits`: what a cardholder asks for at a counter, or by an application of the issuer: an order of one
//! signature, sent at once.

use std::{io::Write, path::PathBuf};

use super::{Failure, Typed};
use crate::{
    audit::card::CardView,
    books::{
        decide::operations::Operation,
        event::TerminalDialect,
        holder_limits::{Beyond, HolderLimits},
        order::What,
        product::REGIONS_MAX,
    },
    cli::{order, source::ask},
    config::EXIT_USAGE,
    ledger::Minor,
};

/// Arguments of `card limits`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch card limits 9156000035 --amount 50000 --day-amount 100000 --shut atm --why \"asked for at the \
                  counter\" --officer tina.officer --admin http://127.0.0.1:18580\n  cardswitch card limits 9156000035 --none --why \"asked \
                  for at the counter\" --officer tina.officer --admin http://127.0.0.1:18580\n\nWhat is not named is not limited: each \
                  order takes the place of the one before. `cardswitch card show` tells what is set. What is beyond a limit is \
                  declined, or approved and told: docs/operations.md, \"What a cardholder allows\"."
)]
pub(super) struct Args {
    /// First six and last four digits, such as 915600…0010, 915600*0010 or 9156000010
    card: Typed,
    /// Its position in the books, where several cards look alike; `card show --json` tells it
    #[arg(long, value_name = "POSITION")]
    position: Option<u32>,
    #[command(flatten)]
    asked: Asked,
    /// Why; the journal keeps it for ever
    #[arg(long)]
    why: String,
    /// The key file of the teller or officer who does it
    #[arg(long, value_name = "FILE")]
    officer: PathBuf,
    /// The running switch's admin port, such as http://127.0.0.1:18580
    #[arg(long, value_name = "URL")]
    admin: String,
}

/// What the holder asks for.
#[derive(Debug, clap::Args)]
struct Asked {
    /// Only in these regions, six digits of GB/T 2260 with a comma between two; at most 8
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    region: Vec<u32>,
    /// Not by these channels, with a comma between two
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    shut: Vec<Channel>,
    /// The most of one payment, withdrawal or pre-authorization, minor units of the city's currency
    #[arg(long, value_name = "AMOUNT")]
    amount: Option<Minor>,
    /// The most on one business day, minor units of the city's currency
    #[arg(long, value_name = "AMOUNT")]
    day_amount: Option<Minor>,
    /// How many on one business day
    #[arg(long, value_name = "COUNT")]
    day_count: Option<u32>,
    /// What becomes of a request beyond a limit
    #[arg(long, value_name = "WHAT", default_value = "decline")]
    beyond: Then,
    /// No limits: everything that the product allows
    #[arg(long, conflicts_with_all = ["region", "shut", "amount", "day_amount", "day_count"])]
    none: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Channel {
    Pos,
    Epos,
    Atm,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Then {
    Decline,
    Notify,
}

impl Asked {
    fn limits(&self) -> Result<HolderLimits, String> {
        let regions = self.region.as_slice().try_into();
        let shut: Vec<TerminalDialect> = self.shut.iter().map(|channel| channel.dialect()).collect();
        let limits = HolderLimits {
            regions: regions.map_err(|_| format!("--region: at most {REGIONS_MAX}"))?,
            shut: shut.as_slice().try_into().map_err(|_| "--shut: a channel is shut twice")?,
            amount_max: self.amount,
            day_amount_max: self.day_amount,
            day_count_max: self.day_count,
            beyond: match self.beyond {
                Then::Decline => Beyond::Decline,
                Then::Notify => Beyond::Notify,
            },
        };
        if limits.is_none() != self.none {
            return Err("name what the holder allows, or --none for all that the product does".to_owned());
        }
        limits.check().map_err(|fault| fault.to_string())?;
        Ok(limits)
    }
}

impl Channel {
    fn dialect(self) -> TerminalDialect {
        match self {
            Self::Pos => TerminalDialect::Pos,
            Self::Epos => TerminalDialect::Epos,
            Self::Atm => TerminalDialect::Atm,
        }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let usage = |message| Failure { message, code: EXIT_USAGE };
    let limits = args.asked.limits().map_err(usage)?;
    let card = position(args)?;
    let journal = order::head_of(&args.admin)?;
    let what = What::OperateIn { journal, operation: Operation::SetHolderLimits { card, limits } };
    order::send_at_once(what, &args.why, &args.officer, &args.admin, out)
}

/// The one card that is meant.
fn position(args: &Args) -> Result<u32, Failure> {
    let mask = args.card.mask()?;
    let path = format!("/cards?bin={}&last_four={}", mask.bin, mask.last_four);
    let found: Vec<CardView> = ask(&args.admin, &path)?;
    let mut meant = found.iter().filter(|card| args.position.is_none_or(|named| named == card.position));
    match (meant.next(), meant.next()) {
        (Some(card), None) => Ok(card.position),
        (None, _) => {
            let message = format!("there is no card {:06}…{:04} at that position", mask.bin, mask.last_four);
            Err(Failure { message, code: 1 })
        }
        (Some(_), Some(_)) => {
            let places: Vec<String> = found.iter().map(|card| card.position.to_string()).collect();
            let message = format!(
                "several cards look like this: say which with --position, one of {}",
                places.join(", ")
            );
            Err(Failure { message, code: EXIT_USAGE })
        }
    }
}

/// What a holder allows beside regions, in words.
pub(in crate::cli) fn words(limits: &HolderLimits) -> String {
    let mut words = Vec::new();
    if !limits.shut.is_empty() {
        let shut: Vec<&str> = limits.shut.iter().map(|channel| channel.name()).collect();
        words.push(format!("not by {}", shut.join(", ")));
    }
    words.extend(limits.amount_max.map(|most| format!("at most {most} at once")));
    words.extend(limits.day_amount_max.map(|most| format!("at most {most} a day")));
    words.extend(limits.day_count_max.map(|most| format!("at most {most} times a day")));
    if !limits.regions.is_empty() {
        let codes: Vec<String> = limits.regions.iter().map(ToString::to_string).collect();
        words.push(format!("only in {}", codes.join(" ")));
    }
    if words.is_empty() {
        return "all that the product does".to_owned();
    }
    let beyond = match limits.beyond {
        Beyond::Decline => "beyond that declined",
        Beyond::Notify => "beyond that approved and told",
    };
    words.push(beyond.to_owned());
    words.join("; ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn asked(more: &[&str]) -> Result<HolderLimits, String> {
        let line =
            ["limits", "9156000035", "--why", "asked", "--officer", "x", "--admin", "http://127.0.0.1:1"];
        Line::try_parse_from(line.iter().chain(more)).unwrap().args.asked.limits()
    }

    #[test]
    fn what_is_asked_for_is_said_in_words() {
        let rows: [(&[&str], &str); 3] = [
            (&["--none"], "all that the product does"),
            (
                &["--shut", "atm,epos", "--amount", "500", "--day-amount", "900"],
                "not by atm, epos; at most 500 at once; at most 900 a day; beyond that declined",
            ),
            (
                &["--region", "310000,320500", "--day-count", "4", "--beyond", "notify"],
                "at most 4 times a day; only in 310000 320500; beyond that approved and told",
            ),
        ];
        for (line, want) in rows {
            assert_eq!(asked(line).map(|limits| words(&limits)).as_deref(), Ok(want), "{line:?}");
        }
    }

    #[test]
    fn limits_that_are_none_are_refused() {
        let rows: [(&[&str], &str); 8] = [
            (&[], "name what the holder allows, or --none"),
            (&["--amount", "0"], "a limit is above zero"),
            (&["--day-count", "0"], "a limit is above zero"),
            (&["--amount", "1000000000000"], "an amount has at most 12 digits"),
            (&["--amount", "900", "--day-amount", "500"], "one payment may be more than all of a day"),
            (&["--region", "310000,310000"], "regions are different codes"),
            (&["--region", "1,2,3,4,5,6,7,8,9"], "--region: at most 8"),
            (&["--shut", "atm,atm"], "a channel is shut twice"),
        ];
        for (line, want) in rows {
            let refused = asked(line).unwrap_err();
            assert!(refused.contains(want), "{line:?}: {refused}");
        }
    }
}
