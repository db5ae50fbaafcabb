//! `cardswitch terminal atm …`: what the host of cash machines can do.
//!
//! Start at [`run`].

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use clap::{Subcommand, ValueEnum};

use super::hand::{Hand, Priced, Repinned, Unpriced};
use super::paper::{Named, conclude, print_exchange, print_result};
use super::{Amount, CommandError, Number, Place, ending, entropy};
use crate::terminal::{AtmForm, AtmHost, AtmOriginal, AtmService, Exchange, Sample, TerminalError};

pub(super) const EXAMPLES: &str = concat!(
    "Examples:
  cardswitch terminal atm echo
  cardswitch terminal atm withdrawal --amount 100.00
  cardswitch terminal atm withdrawal --amount 100.00 --fee 0.50 --terminal 51000005 --repeat 1
  cardswitch terminal atm balance --card 9156003355800035
  cardswitch terminal atm pin-change --new-pin 4321 --card 9156005971300654
  cardswitch terminal atm reversal --amount 100.00 --stays 40.00
  cardswitch terminal atm reversal --amount 100.00 --sent 1122003500 --stan 123456
  cardswitch terminal atm key-change
  cardswitch terminal atm --listen 127.0.0.1:9000 echo

New keys are offered and not used, so that the keys in the city's files go on working.",
    ending!()
);

/// The line to the switch.
#[derive(Debug, clap::Args)]
pub(super) struct LinkArgs {
    /// The switch's atm port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18585", global = true)]
    to: SocketAddr,
    /// Wait here for the switch to connect, instead
    #[arg(long, value_name = "ADDRESS", global = true)]
    listen: Option<SocketAddr>,
    /// How a frame's length is written
    #[arg(long, value_name = "FORM", default_value = "ascii", global = true)]
    length: LengthForm,
    /// How bitmaps are written
    #[arg(long, value_name = "FORM", default_value = "hex", global = true)]
    bitmap: BitmapForm,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum LengthForm {
    Ascii,
    Binary,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum BitmapForm {
    Hex,
    Binary,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Begin the session
    #[command(after_help = EXAMPLES)]
    SignOn(Place),
    /// End the session
    #[command(after_help = EXAMPLES)]
    SignOff(Place),
    /// Ask whether the switch is there
    #[command(after_help = EXAMPLES)]
    Echo(Place),
    /// Say that the business day has changed
    #[command(after_help = EXAMPLES)]
    CutOver(Place),
    /// Offer new zone keys
    #[command(after_help = EXAMPLES)]
    KeyChange(Place),
    /// Draw cash
    #[command(after_help = EXAMPLES)]
    Withdrawal {
        #[command(flatten)]
        priced: Priced,
        /// What the acquirer charges on top, in major units with two decimals
        #[arg(long, value_name = "AMOUNT")]
        fee: Option<Amount>,
    },
    /// Ask what is on a card
    #[command(after_help = EXAMPLES)]
    Balance(Unpriced),
    /// Put money on a card; the terminal must be one that may load
    #[command(after_help = EXAMPLES)]
    Load(Priced),
    /// Replace a card's PIN
    #[command(after_help = EXAMPLES)]
    PinChange(Repinned),
    /// Draw cash, then take it back; with --sent and --stan, take back an earlier request of that amount
    #[command(after_help = EXAMPLES)]
    Reversal {
        #[command(flatten)]
        priced: Priced,
        /// What to take back, if it is an earlier request
        #[arg(long, value_name = "WHAT", default_value = "withdrawal")]
        of: Reversible,
        /// When the request to take back was sent, from the last line that it printed
        #[arg(long, value_name = "MMDDhhmmss", requires = "stan")]
        sent: Option<u32>,
        /// STAN of the request to take back, from the same line
        #[arg(long, requires = "sent", value_parser = clap::value_parser!(u32).range(1..=999_999))]
        stan: Option<u32>,
        /// Leave this much of it taken
        #[arg(long, value_name = "AMOUNT")]
        stays: Option<Amount>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reversible {
    Withdrawal,
    Load,
    PinChange,
}

impl Reversible {
    fn service(self) -> AtmService {
        match self {
            Self::Withdrawal => AtmService::Withdrawal,
            Self::Load => AtmService::Load,
            Self::PinChange => AtmService::PinChange,
        }
    }
}

/// A host at work for one of its cash machines, and the paper it prints on.
struct Desk {
    host: AtmHost,
    terminal: [u8; 8],
    paper: Vec<u8>,
}

pub(super) fn run(link: &LinkArgs, action: &Action, out: &mut dyn Write) -> Result<(), CommandError> {
    match action {
        Action::SignOn(place) => open(link, place, out, |desk| desk.host.sign_on()),
        Action::SignOff(place) => open(link, place, out, |desk| desk.host.sign_off()),
        Action::Echo(place) => open(link, place, out, |desk| desk.host.echo()),
        Action::CutOver(place) => open(link, place, out, |desk| desk.host.cut_over_notice()),
        Action::KeyChange(place) => open(link, place, out, |desk| desk.host.key_change()),
        Action::Withdrawal { priced: Priced { shown, amount }, fee } => {
            let hand = Hand::read(shown)?;
            open(link, &shown.place, out, |desk| {
                let fee = fee.map(|fee| fee.0);
                desk.host.withdrawal(&desk.terminal, &hand.card, hand.pin(), amount.0, fee)
            })
        }
        Action::Balance(shown) => {
            let hand = Hand::read(shown)?;
            open(link, &shown.place, out, |desk| desk.host.balance(&desk.terminal, &hand.card, hand.pin()))
        }
        Action::Load(Priced { shown, amount }) => {
            let hand = Hand::read(shown)?;
            open(link, &shown.place, out, |desk| {
                desk.host.load(&desk.terminal, &hand.card, hand.pin(), amount.0)
            })
        }
        Action::PinChange(repinned) => {
            let (hand, new_pin) = (Hand::read(&repinned.shown)?, repinned.new_pin()?);
            let pin = hand.pin().ok_or(CommandError::NoPin)?;
            open(link, &repinned.shown.place, out, |desk| {
                desk.host.pin_change(&desk.terminal, &hand.card, pin, &new_pin)
            })
        }
        Action::Reversal { priced, of, sent: Some(sent), stan: Some(stan), stays } => {
            let original = (of.service(), *sent, *stan);
            open(link, &priced.shown.place, out, |desk| reverse_earlier(desk, original, priced, *stays))
        }
        Action::Reversal { priced: Priced { shown, amount }, stays, .. } => {
            let hand = Hand::read(shown)?;
            open(link, &shown.place, out, |desk| withdraw_and_reverse(desk, &hand, *amount, *stays))
        }
    }
}

fn reverse_earlier(
    desk: &mut Desk,
    (service, transmitted, stan): (AtmService, u32, u32),
    priced: &Priced,
    stays: Option<Amount>,
) -> Result<Exchange, TerminalError> {
    let (terminal, amount) = (desk.terminal, Some(priced.amount.0));
    let original = AtmOriginal { service, terminal, stan, transmitted, amount, rrn: None };
    desk.host.reverse_earlier(&original, stays.map(|stays| stays.0))
}

fn withdraw_and_reverse(
    desk: &mut Desk,
    hand: &Hand,
    amount: Amount,
    stays: Option<Amount>,
) -> Result<Exchange, TerminalError> {
    let paid = desk.host.withdrawal(&desk.terminal, &hand.card, hand.pin(), amount.0, None)?;
    // Nothing was paid out if the switch credibly said so; a silent or forged answer says nothing.
    if paid.code.is_some() && paid.mac_ok != Some(false) && !paid.approved() {
        return Ok(paid);
    }
    // The paper is memory, so printing cannot fail.
    print_exchange(&paid, Named::Transmitted, &mut desk.paper).unwrap_or_default();
    desk.host.reverse(&paid, stays.map(|stays| stays.0))
}

/// Connects and signs on, then does one thing, and prints what came of it.
fn open(
    link: &LinkArgs,
    place: &Place,
    out: &mut dyn Write,
    action: impl FnOnce(&mut Desk) -> Result<Exchange, TerminalError>,
) -> Result<(), CommandError> {
    let (host, terminal) = Sample::open(&place.city)?.atm_host(place.terminal.as_deref(), entropy())?;
    let form = AtmForm {
        binary_length: link.length == LengthForm::Binary,
        binary_bitmap: link.bitmap == BitmapForm::Binary,
    };
    let mut desk = Desk {
        host: host.writing(form).counting_from(Number::of_this_run().stan),
        terminal,
        paper: Vec::new(),
    };
    match link.listen {
        Some(address) => desk.host.accept(&TcpListener::bind(address).map_err(TerminalError::Listen)?)?,
        None => desk.host.connect(link.to)?,
    }
    let signed_on = desk.host.sign_on()?;
    print_result("sign-on", &signed_on, Named::Transmitted, out)?;
    if !signed_on.approved() {
        return Err(CommandError::Declined);
    }
    let done = action(&mut desk);
    out.write_all(&desk.paper)?;
    let done = done?;
    print_exchange(&done, Named::Transmitted, out)?;
    conclude(&done, Named::Transmitted, place.repeat, out, |done| desk.host.repeat(done))
}
