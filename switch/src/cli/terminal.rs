//! `cardswitch terminal …`: a POS terminal, a telephone terminal or the host of cash machines at the shell, for the cards
//! and terminals of a sample city.
//!
//! Every run connects, signs in or on, and does one thing. Start at [`run`]; what POS and telephone terminals do is in
//! `desk`, what a host does in `host`.

mod desk;
mod hand;
mod host;
mod paper;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;
use hsm_sim::{Entropy, PanError};

use super::{Failure, chain};
use crate::clock::Clock;
use crate::config::EXIT_USAGE;
use crate::terminal::{AmountError, SampleError, TerminalError, parse_major};

/// Exit code of a request that was declined or not answered.
const EXIT_DECLINED: u8 = 1;

/// What stands below every help.
macro_rules! ending {
    () => {
        "

Exit code 0 if answered 00, 1 if declined or not answered, 64 if the arguments are wrong.
Use test data only: what is typed at a shell is kept in its history, so a real card number or PIN
does not belong there."
    };
}
use ending;

const EXAMPLES: &str = concat!(
    "Examples:
  cardswitch terminal pos purchase --amount 25.80
  cardswitch terminal epos balance --terminal 41000001
  cardswitch terminal atm withdrawal --amount 100.00 --fee 0.50",
    ending!()
);

/// Arguments of `terminal`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    dialect: Dialect,
}

#[derive(Debug, Subcommand)]
enum Dialect {
    /// What the switch knows of a terminal
    Show(super::show_terminal::ShowArgs),
    /// A POS terminal
    #[command(after_help = desk::EXAMPLES)]
    Pos {
        #[command(subcommand)]
        action: desk::Action,
    },
    /// A telephone POS terminal with a PSAM
    #[command(after_help = desk::EXAMPLES)]
    Epos {
        /// Say that this is the number it calls from; without it, the one in the city's files
        #[arg(long, value_name = "DIGITS", global = true)]
        calling: Option<String>,
        #[command(subcommand)]
        action: desk::Action,
    },
    /// The host of cash machines; it signs on first
    #[command(after_help = host::EXAMPLES)]
    Atm {
        #[command(flatten)]
        link: host::LinkArgs,
        #[command(subcommand)]
        action: host::Action,
    },
}

/// Where the terminal stands.
#[derive(Debug, clap::Args)]
struct Place {
    /// The folder of the sample city
    #[arg(long, value_name = "FOLDER", default_value = "fixtures/city")]
    city: PathBuf,
    /// The terminal's id; without it, the city's first of this dialect
    #[arg(long, value_name = "ID")]
    terminal: Option<String>,
    /// Ask this many times more, as a terminal does that heard no answer
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    repeat: u16,
}

/// Text that may be secret: it takes anything, so that no complaint about an argument prints it.
#[derive(Clone)]
struct Typed(String);

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

/// Minor units.
#[derive(Clone, Copy, Debug)]
struct Amount(i64);

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_major(text).map(Self)
    }
}

/// Why the command did not end with an approval.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// The number after `--card`.
    #[error("--card is no card number")]
    Card(#[source] PanError),
    /// The text after `--pin`.
    #[error("--pin must be 4 to 12 digits")]
    Pin,
    /// The text after `--new-pin`.
    #[error("--new-pin must be 4 to 12 digits")]
    NewPin,
    /// The text after `--calling`.
    #[error("--calling must be 1 to 15 digits")]
    Calling,
    /// A PIN change without the PIN there is.
    #[error("--pin is needed: the city does not know this card's")]
    NoPin,
    /// The city has no such terminal or card.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// Nothing came of the request.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// A repeat was answered otherwise than the first sending.
    #[error("a repeat was answered differently; the switch may have done it twice")]
    RepeatDiffers,
    /// It was printed why.
    #[error("")]
    Declined,
    /// Standard output is closed or full.
    #[error("cannot print")]
    Print(#[from] io::Error),
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let code = match error {
            CommandError::Terminal(_)
            | CommandError::RepeatDiffers
            | CommandError::Declined
            | CommandError::Print(_) => EXIT_DECLINED,
            CommandError::Card(_)
            | CommandError::Pin
            | CommandError::NewPin
            | CommandError::Calling
            | CommandError::NoPin
            | CommandError::Sample(_) => EXIT_USAGE,
        };
        Self { message: chain(&error), code }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.dialect {
        Dialect::Show(args) => super::show_terminal::run_show(args, out)?,
        Dialect::Pos { action } => desk::pos(action, out)?,
        Dialect::Epos { calling, action } => desk::epos(action, calling.as_deref(), out)?,
        Dialect::Atm { link, action } => host::run(link, action, out)?,
    }
    Ok(())
}

/// Batch and first STAN of a run.
#[derive(Clone, Copy)]
struct Number {
    batch: u32,
    stan: u32,
}

impl Number {
    /// A number no other run has: the switch remembers requests by batch and STAN, and a run does not know of the
    /// others. A million milliseconds make a batch, and a million batches 31 years.
    fn of_this_run() -> Self {
        let now = Clock::new("UTC").map_or(0, |mut clock| clock.now().unix_ms());
        let digits = |number: i64| u32::try_from(number % 1_000_000).unwrap_or(0);
        // Zero is no STAN; the terminal takes 1 instead.
        Self { batch: digits(now / 1_000_000), stan: digits(now) }
    }
}

/// Random bytes from the operating system, for a terminal that runs in this process alone.
fn entropy() -> Box<dyn Entropy + Send> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a terminal at the shell is no part of the switch and its replay"
    )]
    Box::new(|bytes: &mut [u8]| {
        // INVARIANT: the system's random source does not fail after boot; without it no key may be made.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    })
}

#[cfg(test)]
mod tests;
