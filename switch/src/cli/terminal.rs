//! `cardswitch terminal pos …`: a POS terminal at the shell, for the cards and terminals of a sample city.
//!
//! Every run connects, signs in and does one thing. Start at [`run`].

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use arrayvec::ArrayVec;
use clap::Subcommand;
use hsm_sim::{Pan, PanError};

use super::{Failure, chain};
use crate::clock::Clock;
use crate::config::EXIT_USAGE;
use crate::dialect::response_meaning;
use crate::terminal::{
    AmountError, CardInHand, Entry, Exchange, Frame, Major, PosTerminal, Sample, SampleError, Service,
    TerminalError, parse_major,
};

/// Exit code of a request that was declined or not answered.
const EXIT_DECLINED: u8 = 1;

const EXAMPLES: &str = "Examples:
  cardswitch terminal pos sign-in
  cardswitch terminal pos purchase --amount 25.80
  cardswitch terminal pos purchase --amount 2.00 --tap --terminal 31000005 --card 9156003355800035
  cardswitch terminal pos purchase --amount 9.90 --repeat 2
  cardswitch terminal pos load --terminal 31000003 --amount 50.00
  cardswitch terminal pos reversal --amount 25.80 --batch 795214 --stan 123456

Exit code 0 if answered 00, 1 if declined or not answered, 64 if the arguments are wrong.
Use test data only: what is typed at a shell is kept in its history, so a real card number or PIN
does not belong there.";

/// Arguments of `terminal`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    dialect: Dialect,
}

#[derive(Debug, Subcommand)]
enum Dialect {
    /// A POS terminal
    #[command(after_help = EXAMPLES)]
    Pos {
        #[command(subcommand)]
        action: Action,
    },
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Fetch working keys, and check them
    #[command(after_help = EXAMPLES)]
    SignIn(Place),
    /// Ask whether the switch is there
    #[command(after_help = EXAMPLES)]
    Echo(Place),
    /// End the shift
    #[command(after_help = EXAMPLES)]
    SignOff(Place),
    /// Pay
    #[command(after_help = EXAMPLES)]
    Purchase(Priced),
    /// Ask what is on a card
    #[command(after_help = EXAMPLES)]
    Balance(Unpriced),
    /// Put money on a card; the terminal must be one that may load
    #[command(after_help = EXAMPLES)]
    Load(Priced),
    /// Pay, then take it back; with --batch and --stan, take back an earlier purchase of that amount
    #[command(after_help = EXAMPLES)]
    Reversal {
        #[command(flatten)]
        priced: Priced,
        /// Batch of the purchase to take back, from the last line that the purchase printed
        #[arg(long, requires = "stan", value_parser = clap::value_parser!(u32).range(0..=999_999))]
        batch: Option<u32>,
        /// STAN of the purchase to take back, from the same line
        #[arg(long, requires = "batch", value_parser = clap::value_parser!(u32).range(1..=999_999))]
        stan: Option<u32>,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The switch's pos port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18583")]
    to: SocketAddr,
    /// The folder of the sample city
    #[arg(long, value_name = "FOLDER", default_value = "fixtures/city")]
    city: PathBuf,
    /// The terminal's id; without it, the city's first pos terminal
    #[arg(long, value_name = "ID")]
    terminal: Option<String>,
    /// Send the very same bytes this many times more, as a terminal does that heard no answer
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    repeat: u16,
}

#[derive(Debug, clap::Args)]
struct Unpriced {
    #[command(flatten)]
    place: Place,
    /// Number of a test card; without it, the city's first card. A number the city does not know is sent as typed in
    #[arg(long, value_name = "PAN")]
    card: Option<Typed>,
    /// The PIN; without it, the one in the city's files
    #[arg(long)]
    pin: Option<Typed>,
    /// Tap the card and type no PIN
    #[arg(long, conflicts_with = "pin")]
    tap: bool,
}

#[derive(Debug, clap::Args)]
struct Priced {
    #[command(flatten)]
    shown: Unpriced,
    /// The amount in major units with two decimals, such as 12.50
    #[arg(long, value_name = "AMOUNT")]
    amount: Amount,
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
    /// The city has no such terminal or card.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// Nothing came of the request.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// A repeat was answered with other bytes than the first sending.
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
            CommandError::Card(_) | CommandError::Pin | CommandError::Sample(_) => EXIT_USAGE,
            _ => EXIT_DECLINED,
        };
        Self { message: chain(&error), code }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let Dialect::Pos { action } = &args.dialect;
    Ok(act(action, out)?)
}

fn act(action: &Action, out: &mut dyn Write) -> Result<(), CommandError> {
    match action {
        Action::SignIn(place) => at(place, out, |desk| desk.terminal.sign_in()),
        Action::Echo(place) => at(place, out, |desk| desk.terminal.echo()),
        Action::SignOff(place) => at(place, out, |desk| desk.terminal.sign_off()),
        Action::Purchase(Priced { shown, amount }) => {
            let hand = Hand::read(shown)?;
            at(&shown.place, out, |desk| desk.terminal.purchase(&hand.card, amount.0, hand.pin(), hand.entry))
        }
        Action::Balance(shown) => {
            let hand = Hand::read(shown)?;
            at(&shown.place, out, |desk| desk.terminal.balance(&hand.card, hand.pin(), hand.entry))
        }
        Action::Load(Priced { shown, amount }) => {
            let hand = Hand::read(shown)?;
            at(&shown.place, out, |desk| desk.terminal.load(&hand.card, amount.0, hand.entry))
        }
        Action::Reversal { priced: Priced { shown, amount }, batch: Some(batch), stan: Some(stan) } => {
            let number = Number { batch: *batch, ..Number::of_this_run() };
            at_numbered(&shown.place, number, out, |desk| {
                desk.terminal.reverse_earlier(Service::Purchase, *stan, amount.0)
            })
        }
        Action::Reversal { priced: Priced { shown, amount }, .. } => {
            let hand = Hand::read(shown)?;
            at(&shown.place, out, |desk| {
                let paid = desk.terminal.purchase(&hand.card, amount.0, hand.pin(), hand.entry)?;
                // Nothing was paid if the switch credibly said so; a silent or forged answer says nothing.
                if paid.code.is_some() && paid.mac_ok != Some(false) && !paid.approved() {
                    return Ok(paid);
                }
                desk.show(&paid);
                desk.terminal.reverse(&paid)
            })
        }
    }
}

/// The card to be shown to the terminal, and how.
struct Hand {
    card: CardInHand,
    entry: Entry,
    pin: Option<ArrayVec<u8, 12>>,
}

impl Hand {
    fn read(shown: &Unpriced) -> Result<Self, CommandError> {
        let sample = Sample::open(&shown.place.city)?;
        let pan = shown.card.as_ref().map(|typed| Pan::parse(typed.0.as_bytes()).map_err(CommandError::Card));
        let pan = pan.transpose()?;
        let known = match &pan {
            None => Some(sample.first_card()?),
            Some(pan) => sample.card(pan)?,
        };
        let pin = match (&shown.pin, &known) {
            _ if shown.tap => None,
            (Some(typed), _) => Some(pin_digits(&typed.0)?),
            (None, known) => known.as_ref().map(|known| known.pin.expose().clone()),
        };
        let (card, entry) = match (known, pan) {
            (Some(known), _) if shown.tap => (known.card, Entry::Contactless),
            (Some(known), _) => (known.card, Entry::Stripe),
            (None, Some(pan)) => (CardInHand::typed(pan, None), Entry::Manual),
            (None, None) => return Err(CommandError::Sample(SampleError::NoCard)),
        };
        Ok(Self { card, entry, pin })
    }

    fn pin(&self) -> Option<&[u8]> {
        self.pin.as_deref()
    }
}

fn pin_digits(text: &str) -> Result<ArrayVec<u8, 12>, CommandError> {
    let good = (4..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(text.bytes().collect()) } else { Err(CommandError::Pin) }
}

/// A terminal at work, and the paper it prints on.
struct Desk {
    terminal: PosTerminal,
    batch: u32,
    paper: Vec<u8>,
}

/// Batch and first STAN of a run.
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

impl Desk {
    /// Prints an exchange. The paper is memory, so printing cannot fail.
    fn show(&mut self, exchange: &Exchange) {
        print_exchange(exchange, self.batch, &mut self.paper).unwrap_or_default();
    }
}

/// Connects and signs in, then does one thing, and prints what came of it.
fn at(
    place: &Place,
    out: &mut dyn Write,
    action: impl FnOnce(&mut Desk) -> Result<Exchange, TerminalError>,
) -> Result<(), CommandError> {
    at_numbered(place, Number::of_this_run(), out, action)
}

fn at_numbered(
    place: &Place,
    Number { batch, stan }: Number,
    out: &mut dyn Write,
    action: impl FnOnce(&mut Desk) -> Result<Exchange, TerminalError>,
) -> Result<(), CommandError> {
    let sample = Sample::open(&place.city)?;
    let terminal = sample.terminal(place.terminal.as_deref())?.in_batch(batch).counting_from(stan);
    let mut desk = Desk { terminal, batch, paper: Vec::new() };
    desk.terminal.connect(place.to)?;
    let signed_in = desk.terminal.sign_in()?;
    print_result("sign-in", &signed_in, batch, out)?;
    if !signed_in.approved() {
        return Err(CommandError::Declined);
    }
    let done = action(&mut desk);
    out.write_all(&desk.paper)?;
    let done = done?;
    print_exchange(&done, batch, out)?;
    for count in 1..=place.repeat {
        let repeated = desk.terminal.repeat(&done)?;
        print_result(&format!("repeat {count}"), &repeated, batch, out)?;
        // A sign-in makes new keys each time; everything else has one answer for good.
        if repeated.answer != done.answer && done.mac_ok.is_some() {
            return Err(CommandError::RepeatDiffers);
        }
    }
    if done.approved() { Ok(()) } else { Err(CommandError::Declined) }
}

fn print_exchange(exchange: &Exchange, batch: u32, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "request:")?;
    print_frame(&exchange.request, out)?;
    match &exchange.answer {
        Some(answer) => {
            writeln!(out, "answer:")?;
            print_frame(answer, out)?;
        }
        None => writeln!(out, "no answer in time: repeat or reverse the request")?,
    }
    print_result("result", exchange, batch, out)
}

fn print_frame(frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
    match frame.message() {
        Ok(message) => message.describe().to_string().lines().try_for_each(|line| writeln!(out, "  {line}")),
        Err(error) => writeln!(out, "  does not decode: {error}"),
    }
}

/// One line: the code, what it means, amounts, numbers, time, MAC.
fn print_result(title: &str, exchange: &Exchange, batch: u32, out: &mut dyn Write) -> io::Result<()> {
    let meaning = exchange.code.map_or("no answer", |code| response_meaning(&code));
    write!(out, "{title}: {} {meaning}", exchange.code_text())?;
    if let Some(amount) = exchange.amount {
        write!(out, ", amount {}", Major(amount))?;
    }
    if let Some(balance) = exchange.balance {
        write!(out, ", balance {}", Major(balance))?;
    }
    write!(out, ", batch {batch:06}, STAN {:06}", exchange.stan)?;
    if let Some(rrn) = exchange.rrn {
        write!(out, ", RRN {}", rrn.escape_ascii())?;
    }
    match exchange.mac_ok {
        Some(true) => write!(out, ", MAC right")?,
        Some(false) => write!(out, ", MAC MISSING OR WRONG: this counts as no answer, reverse the request")?,
        None => {}
    }
    writeln!(out, ", {} µs", exchange.took.as_micros())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Shell {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Result<Shell, clap::Error> {
        Shell::try_parse_from(line.split(' '))
    }

    #[test]
    fn arguments_are_taken_or_refused() {
        for (line, good) in [
            ("terminal pos sign-in", true),
            ("terminal pos purchase --amount 1.00 --card 9156009224100010 --pin 1234", true),
            ("terminal pos purchase --amount 1.00 --tap --repeat 2", true),
            ("terminal pos reversal --amount 1.00", true),
            ("terminal pos reversal --amount 1.00 --batch 0 --stan 999999", true),
            ("terminal pos reversal --amount 1.00 --stan 999999", false),
            ("terminal pos reversal --amount 1.00 --batch 1", false),
            ("terminal pos balance --to 127.0.0.1:1", true),
            ("terminal pos purchase", false),
            ("terminal pos purchase --amount 1", false),
            ("terminal pos purchase --amount 1.00 --tap --pin 1234", false),
            ("terminal pos balance --amount 1.00", false),
            ("terminal pos reversal --amount 1.00 --batch 1 --stan 1000000", false),
            ("terminal pos echo --repeat 1001", false),
            ("terminal pos echo --to nowhere", false),
            ("terminal atm echo", false),
        ] {
            assert_eq!(parse(line).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn a_card_number_and_a_pin_are_never_printed_back() {
        let shell = parse("terminal pos balance --card 9156009224100011 --pin 54x21").unwrap();
        let shown = format!("{shell:?}");
        assert!(!shown.contains("9156009224100011") && !shown.contains("54x21"), "{shown}");
        let wrong = Failure::from(CommandError::Card(Pan::parse(b"9156009224100011").unwrap_err()));
        assert_eq!((wrong.code, wrong.message.contains("0011")), (EXIT_USAGE, false));
        let wrong = Failure::from(pin_digits("54x21").unwrap_err());
        assert_eq!((wrong.code, wrong.message.as_str()), (EXIT_USAGE, "--pin must be 4 to 12 digits"));
    }

    #[test]
    fn a_decline_says_nothing_on_standard_error() {
        let declined = Failure::from(CommandError::Declined);
        assert_eq!((declined.code, declined.message.as_str()), (EXIT_DECLINED, ""));
    }
}
