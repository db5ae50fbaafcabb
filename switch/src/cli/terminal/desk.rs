//! `cardswitch terminal pos …` and `… epos …`: what can be done at a counter.
//!
//! Start at [`pos`] and [`epos`], which differ in their terminal alone.

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::{ArgGroup, Subcommand, ValueEnum};

use super::hand::{Hand, Priced, Repinned, Unpriced};
use super::paper::{Named, conclude, print_exchange, print_result};
use super::{CommandError, Number, Place, ending, entropy};
use crate::terminal::{
    EposTerminal, Exchange, Order, Original, PosTerminal, Sample, Security, Service, Terminal, TerminalError,
};

/// Where a switch of the sample city listens.
const POS_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 18_583);
const EPOS_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 18_584);

pub(super) const EXAMPLES: &str = concat!(
    "Examples:
  cardswitch terminal pos sign-in
  cardswitch terminal pos purchase --amount 25.80
  cardswitch terminal pos purchase --amount 2.00 --tap --terminal 31000005 --card 9156003355800035
  cardswitch terminal pos purchase --amount 9.90 --repeat 2
  cardswitch terminal pos void --amount 25.80 --rrn 632606000110 --batch 795214 --stan 123456
  cardswitch terminal pos refund --amount 5.00 --approval 000110
  cardswitch terminal pos pre-authorization --amount 300.00
  cardswitch terminal pos completion --amount 250.00 --approval 000112 --advice
  cardswitch terminal pos load --terminal 31000003 --amount 50.00
  cardswitch terminal pos pin-change --new-pin 4321 --card 9156005971300654
  cardswitch terminal pos reversal --amount 25.80 --batch 795214 --stan 123456
  cardswitch terminal epos purchase --amount 25.80 --terminal 41000003
  cardswitch terminal epos balance --calling 02100000002",
    ending!()
);

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Fetch working keys and check them; with a PSAM, answer a nonce
    #[command(after_help = EXAMPLES)]
    SignIn(Reached),
    /// Ask whether the switch is there
    #[command(after_help = EXAMPLES)]
    Echo(Reached),
    /// End the shift
    #[command(after_help = EXAMPLES)]
    SignOff(Reached),
    /// Pay
    #[command(after_help = EXAMPLES)]
    Purchase(At<Priced>),
    /// Ask what is on a card
    #[command(after_help = EXAMPLES)]
    Balance(At<Unpriced>),
    /// Put money on a card; the terminal must be one that may load
    #[command(after_help = EXAMPLES)]
    Load(At<Priced>),
    /// Take back a purchase of the same batch; without its name, pay first
    #[command(after_help = EXAMPLES)]
    Void(At<Following>),
    /// Give back all or part of a purchase or completion; without its name, pay first
    #[command(after_help = EXAMPLES)]
    Refund(At<Following>),
    /// Hold an amount
    #[command(after_help = EXAMPLES)]
    PreAuthorization(At<Priced>),
    /// Let go of what was held; without its name, hold it first
    #[command(after_help = EXAMPLES)]
    PreAuthorizationVoid(At<Following>),
    /// Pay out of what was held; without its name, hold it first
    #[command(after_help = EXAMPLES)]
    Completion {
        #[command(flatten)]
        following: At<Following>,
        /// Say that it was paid, instead of asking
        #[arg(long)]
        advice: bool,
    },
    /// Take back a completion of the same batch; without its name, hold and complete first
    #[command(after_help = EXAMPLES)]
    CompletionVoid(At<Following>),
    /// Replace a card's PIN
    #[command(after_help = EXAMPLES)]
    PinChange(At<Repinned>),
    /// Pay, then take it back; with --batch and --stan, take back an earlier request of that amount
    #[command(after_help = EXAMPLES)]
    Reversal {
        #[command(flatten)]
        priced: At<Priced>,
        /// What to take back
        #[arg(long, value_name = "WHAT", default_value = "purchase")]
        of: Reversible,
        #[command(flatten)]
        number: OfNumber,
    },
}

/// An address, and the rest.
#[derive(Debug, clap::Args)]
pub(super) struct At<T: clap::Args> {
    /// The switch's port; without it, 127.0.0.1:18583 for pos and 127.0.0.1:18584 for epos
    #[arg(long, value_name = "ADDRESS")]
    to: Option<SocketAddr>,
    #[command(flatten)]
    rest: T,
}

type Reached = At<Place>;

/// A request that follows another.
#[derive(Debug, clap::Args)]
pub(super) struct Following {
    #[command(flatten)]
    priced: Priced,
    #[command(flatten)]
    original: Names,
}

/// What an earlier transaction was called in the last line that it printed.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("named").args(["rrn", "approval"]).multiple(true))]
struct Names {
    /// RRN of the original, 12 digits
    #[arg(long, value_parser = exactly::<12>)]
    rrn: Option<[u8; 12]>,
    /// Approval code of the original, 6 digits
    #[arg(long, value_name = "CODE", value_parser = exactly::<6>)]
    approval: Option<[u8; 6]>,
    /// Batch of the original, which is then this run's batch too
    #[arg(long, requires_all = ["stan", "named"], value_parser = clap::value_parser!(u32).range(0..=999_999))]
    batch: Option<u32>,
    /// STAN of the original
    #[arg(long, requires = "batch", value_parser = clap::value_parser!(u32).range(1..=999_999))]
    stan: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub(super) struct OfNumber {
    /// Batch of the request to take back, from the last line that it printed
    #[arg(long, requires = "stan", value_parser = clap::value_parser!(u32).range(0..=999_999))]
    batch: Option<u32>,
    /// STAN of the request to take back, from the same line
    #[arg(long, requires = "batch", value_parser = clap::value_parser!(u32).range(1..=999_999))]
    stan: Option<u32>,
}

/// What a reversal can take back. A PIN change needs a new PIN, so it can only be taken back by its number.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reversible {
    Purchase,
    Load,
    Void,
    PreAuthorization,
    PreAuthorizationVoid,
    Completion,
    CompletionVoid,
    PinChange,
}

impl Reversible {
    fn service(self) -> Service {
        match self {
            Self::Purchase => Service::Purchase,
            Self::Load => Service::Load,
            Self::Void => Service::Void,
            Self::PreAuthorization => Service::PreAuthorization,
            Self::PreAuthorizationVoid => Service::PreAuthorizationVoid,
            Self::Completion => Service::Completion,
            Self::CompletionVoid => Service::CompletionVoid,
            Self::PinChange => Service::PinChange,
        }
    }
}

fn exactly<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.as_bytes().try_into().ok().filter(|_| digits).ok_or(format!("must be {N} digits"))
}

impl Names {
    fn original(&self) -> Option<Original> {
        let number = self.batch.zip(self.stan);
        let named = self.rrn.is_some() || self.approval.is_some();
        named.then_some(Original { rrn: self.rrn, approval: self.approval, number })
    }
}

/// `terminal pos`.
pub(super) fn pos(action: &Action, out: &mut dyn Write) -> Result<(), CommandError> {
    let make = |place: &Place| {
        let terminal = Sample::open(&place.city)?.terminal(place.terminal.as_deref())?;
        Ok(terminal)
    };
    act(action, out, &Shop { make: &make, sign_in: PosTerminal::sign_in, port: POS_PORT })
}

/// `terminal epos`.
pub(super) fn epos(action: &Action, calling: Option<&str>, out: &mut dyn Write) -> Result<(), CommandError> {
    let make = |place: &Place| {
        let terminal = Sample::open(&place.city)?.epos_terminal(place.terminal.as_deref(), entropy())?;
        match calling {
            Some(calling) => terminal.calling_from(calling).map_err(|_| CommandError::Calling),
            None => Ok(terminal),
        }
    };
    act(action, out, &Shop { make: &make, sign_in: EposTerminal::sign_in, port: EPOS_PORT })
}

/// What a dialect has of its own.
struct Shop<'a, S> {
    make: &'a dyn Fn(&Place) -> Result<Terminal<S>, CommandError>,
    sign_in: fn(&mut Terminal<S>) -> Result<Exchange, TerminalError>,
    port: SocketAddr,
}

/// A terminal at work, and the paper it prints on.
struct Desk<S> {
    terminal: Terminal<S>,
    paper: Vec<u8>,
}

impl<S: Security> Desk<S> {
    /// Prints an exchange. The paper is memory, so printing cannot fail.
    fn show(&mut self, exchange: &Exchange) {
        let named = Named::Batch(self.terminal.batch());
        print_exchange(exchange, named, &mut self.paper).unwrap_or_default();
    }

    /// Does one thing with a card, and before it what it follows, unless that is named.
    fn serve(
        &mut self,
        service: Service,
        hand: &Hand,
        amount: i64,
        named: Option<Original>,
    ) -> Result<Exchange, TerminalError> {
        let original = match (service.follows(), named) {
            (None, _) => None,
            (Some(_), Some(named)) => Some(named),
            (Some(earlier), None) => {
                let earlier = self.serve(earlier, hand, amount, None)?;
                if !earlier.approved() {
                    return Ok(earlier);
                }
                self.show(&earlier);
                Some(earlier.original())
            }
        };
        // A load needs no PIN, and whoever loads a card need not know it.
        let pin = hand.pin().filter(|_| service != Service::Load);
        let amount = Some(amount).filter(|_| service.has_amount());
        let order = Order::new(service, &hand.card, hand.entry);
        self.terminal.order(&Order { amount, pin, original, ..order })
    }
}

fn act<S: Security>(action: &Action, out: &mut dyn Write, shop: &Shop<'_, S>) -> Result<(), CommandError> {
    match action {
        Action::SignIn(at) => {
            shop.open(at.to, &at.rest, None, out, |desk| (shop.sign_in)(&mut desk.terminal))
        }
        Action::Echo(at) => shop.open(at.to, &at.rest, None, out, |desk| desk.terminal.echo()),
        Action::SignOff(at) => shop.open(at.to, &at.rest, None, out, |desk| desk.terminal.sign_off()),
        Action::Purchase(at) => shop.priced(Service::Purchase, at.to, &at.rest, None, out),
        Action::Load(at) => shop.priced(Service::Load, at.to, &at.rest, None, out),
        Action::PreAuthorization(at) => shop.priced(Service::PreAuthorization, at.to, &at.rest, None, out),
        Action::Void(at) => shop.following(Service::Void, at, out),
        Action::Refund(at) => shop.following(Service::Refund, at, out),
        Action::PreAuthorizationVoid(at) => shop.following(Service::PreAuthorizationVoid, at, out),
        Action::Completion { following, advice: false } => {
            shop.following(Service::Completion, following, out)
        }
        Action::Completion { following, advice: true } => {
            shop.following(Service::CompletionAdvice, following, out)
        }
        Action::CompletionVoid(at) => shop.following(Service::CompletionVoid, at, out),
        Action::Balance(At { to, rest: shown }) => {
            let hand = Hand::read(shown)?;
            shop.open(*to, &shown.place, None, out, |desk| desk.serve(Service::Balance, &hand, 0, None))
        }
        Action::PinChange(At { to, rest }) => {
            let (hand, new_pin) = (Hand::read(&rest.shown)?, rest.new_pin()?);
            let pin = hand.pin().ok_or(CommandError::NoPin)?;
            shop.open(*to, &rest.shown.place, None, out, |desk| {
                desk.terminal.pin_change(&hand.card, pin, &new_pin, hand.entry)
            })
        }
        Action::Reversal { priced: At { to, rest }, of, number } => {
            shop.reversal(of.service(), *to, rest, number, out)
        }
    }
}

impl<S: Security> Shop<'_, S> {
    fn priced(
        &self,
        service: Service,
        to: Option<SocketAddr>,
        priced: &Priced,
        original: Option<Original>,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        let hand = Hand::read(&priced.shown)?;
        let batch = original.and_then(|original| original.number).map(|(batch, _)| batch);
        self.open(to, &priced.shown.place, batch, out, |desk| {
            desk.serve(service, &hand, priced.amount.0, original)
        })
    }

    fn following(
        &self,
        service: Service,
        At { to, rest }: &At<Following>,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        self.priced(service, *to, &rest.priced, rest.original.original(), out)
    }

    fn reversal(
        &self,
        service: Service,
        to: Option<SocketAddr>,
        Priced { shown, amount }: &Priced,
        number: &OfNumber,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        if let Some((batch, stan)) = number.batch.zip(number.stan) {
            return self.open(to, &shown.place, Some(batch), out, |desk| {
                desk.terminal.reverse_earlier(service, stan, amount.0)
            });
        }
        let hand = Hand::read(shown)?;
        self.open(to, &shown.place, None, out, |desk| {
            let done = desk.serve(service, &hand, amount.0, None)?;
            // Nothing was done if the switch credibly said so; a silent or forged answer says nothing.
            if done.code.is_some() && done.mac_ok != Some(false) && !done.approved() {
                return Ok(done);
            }
            desk.show(&done);
            desk.terminal.reverse(&done)
        })
    }

    /// Connects and signs in, then does one thing, and prints what came of it.
    fn open(
        &self,
        to: Option<SocketAddr>,
        place: &Place,
        batch: Option<u32>,
        out: &mut dyn Write,
        action: impl FnOnce(&mut Desk<S>) -> Result<Exchange, TerminalError>,
    ) -> Result<(), CommandError> {
        let run = Number::of_this_run();
        let batch = batch.unwrap_or(run.batch);
        let terminal = (self.make)(place)?.in_batch(batch).counting_from(run.stan);
        let (mut desk, named) = (Desk { terminal, paper: Vec::new() }, Named::Batch(batch));
        desk.terminal.connect(to.unwrap_or(self.port))?;
        let signed_in = (self.sign_in)(&mut desk.terminal)?;
        print_result("sign-in", &signed_in, named, out)?;
        if !signed_in.approved() {
            return Err(CommandError::Declined);
        }
        let done = action(&mut desk);
        print(&desk.paper, out)?;
        let done = done?;
        print_exchange(&done, named, out)?;
        conclude(&done, named, place.repeat, out, |done| desk.terminal.repeat(done))
    }
}

fn print(paper: &[u8], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(paper)
}
