//! `cardswitch order card`: what two officers order for a card.

use std::io::Write;

use super::{Failure, Made, Of, tell, terms};
use crate::{
    books::{decide::operations::Operation, order::JournalPlace},
    cli::card::limits,
    ledger::{Currency, Minor},
};

/// Arguments of `order card`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cardswitch order card reset-pin-tries --admin http://127.0.0.1:18580 --card 17 --why \"holder came in with papers\" --officer \
                  alice.officer --out 17.order\n  cardswitch order card transfer --admin http://127.0.0.1:18580 --from 17 --to 18 --amount 2500 --why \"asked \
                  for by the orderer\" --officer alice.officer --out 17.order\n\nCards by their positions in the books, which \
                  `cardswitch card show` tells; amounts in minor units. Another officer signs with `cardswitch order \
                  sign`, and `cardswitch order carry-out --admin URL` has it done."
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The deposit for a card has been paid in cash
    #[command(
        after_help = "Example:\n  cardswitch order card take-deposit --admin http://127.0.0.1:18580 --card 17 --why \"paid at the counter\" --officer alice.officer --out 17.order"
    )]
    TakeDeposit(OneCard),
    /// A card is given back: what it holds and its deposit are paid out
    #[command(
        after_help = "Example:\n  cardswitch order card cancel --admin http://127.0.0.1:18580 --card 17 --why \"given back\" --officer alice.officer --out 17.order"
    )]
    Cancel(OneCard),
    /// A card is lost: it is not served any more, its deposit is income
    #[command(
        after_help = "Example:\n  cardswitch order card report-lost --admin http://127.0.0.1:18580 --card 17 --why \"lost on a train\" --officer alice.officer --out 17.order"
    )]
    ReportLost(OneCard),
    /// What a lost, stolen or blocked card holds moves to another of its orderer and product
    #[command(
        after_help = "Example:\n  cardswitch order card replace --admin http://127.0.0.1:18580 --card 17 --by 18 --why \"lost on a train\" --officer alice.officer --out 17.order"
    )]
    Replace {
        #[command(flatten)]
        card: OneCard,
        /// Position of the card in its place
        #[arg(long, value_name = "POSITION")]
        by: u32,
    },
    /// Money moves between two cards of one orderer
    #[command(
        after_help = "Example:\n  cardswitch order card transfer --admin http://127.0.0.1:18580 --from 17 --to 18 --amount 2500 --why \"asked for by the orderer\" --officer alice.officer --out 17.order"
    )]
    Transfer {
        /// Position of the card that gives
        #[arg(long, value_name = "POSITION")]
        from: u32,
        /// Position of the card that gets
        #[arg(long, value_name = "POSITION")]
        to: u32,
        /// How much, minor units
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        amount: Minor,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        made: Made,
    },
    /// A merchant is paid although nothing was authorized; what the card does not have its holder owes
    #[command(
        after_help = "Example:\n  cardswitch order card force-post --admin http://127.0.0.1:18580 --card 17 --terminal 3 --amount 2500 --currency 156 --why \"slip of the 21st\" --officer alice.officer --out 17.order"
    )]
    ForcePost {
        #[command(flatten)]
        card: OneCard,
        /// Position of the terminal whose merchant is paid
        #[arg(long, value_name = "POSITION")]
        terminal: u32,
        /// How much, minor units
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        amount: Minor,
        /// Of which currency, ISO 4217 number
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=999))]
        currency: Currency,
    },
    /// A card's wrong PINs are forgotten
    #[command(
        after_help = "Example:\n  cardswitch order card reset-pin-tries --admin http://127.0.0.1:18580 --card 17 --why \"holder came in with papers\" --officer alice.officer --out 17.order"
    )]
    ResetPinTries(OneCard),
    /// A blocked card is served again
    #[command(
        after_help = "Example:\n  cardswitch order card unblock --admin http://127.0.0.1:18580 --card 17 --why \"debt is paid\" --officer alice.officer --out 17.order"
    )]
    Unblock(OneCard),
}

#[derive(Debug, clap::Args)]
struct OneCard {
    /// Position of the card
    #[arg(long, value_name = "POSITION")]
    card: u32,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    made: Made,
}

impl Args {
    /// What is ordered.
    pub(super) fn operation(&self) -> Operation {
        match &self.what {
            What::TakeDeposit(of) => Operation::TakeDeposit { card: of.card },
            What::Cancel(of) => Operation::Cancel { card: of.card },
            What::ReportLost(of) => Operation::ReportLost { card: of.card },
            What::Replace { card, by } => Operation::Replace { card: card.card, by: *by },
            What::Transfer { from, to, amount, .. } => {
                Operation::Transfer { from: *from, to: *to, amount: *amount }
            }
            What::ForcePost { card, terminal, amount, currency } => Operation::ForcePost {
                card: card.card,
                terminal: *terminal,
                amount: *amount,
                currency: *currency,
            },
            What::ResetPinTries(of) => Operation::ResetPinTries { card: of.card },
            What::Unblock(of) => Operation::Unblock { card: of.card },
        }
    }

    /// By whom, why, for how long.
    pub(super) fn made(&self) -> &Made {
        self.of_and_made().1
    }

    /// The journal that it is for.
    pub(super) fn journal(&self) -> Result<JournalPlace, Failure> {
        self.of_and_made().0.place()
    }

    fn of_and_made(&self) -> (&Of, &Made) {
        match &self.what {
            What::TakeDeposit(card)
            | What::Cancel(card)
            | What::ReportLost(card)
            | What::Replace { card, .. }
            | What::ForcePost { card, .. }
            | What::ResetPinTries(card)
            | What::Unblock(card) => (&card.of, &card.made),
            What::Transfer { of, made, .. } => (of, made),
        }
    }
}

/// Shows an operation to whoever is to sign it, with all that it says.
pub(super) fn show(operation: &Operation, out: &mut dyn Write) -> Result<(), Failure> {
    tell(out, format_args!("what     {}", words(operation)))?;
    match operation {
        Operation::PublishFees(rules) => tell(out, format_args!("{}", terms::fees(rules))),
        Operation::PublishChart(chart) => tell(out, format_args!("{}", terms::chart(chart))),
        _ => Ok(()),
    }
}

fn words(operation: &Operation) -> String {
    match operation {
        Operation::TakeDeposit { card } => format!("take the deposit for card {card}"),
        Operation::Cancel { card } => {
            format!("cancel card {card}: pay out what it holds and its deposit, and close it")
        }
        Operation::ReportLost { card } => format!("card {card} is lost: serve it no more, keep its deposit"),
        Operation::Replace { card, by } => {
            format!("replace card {card} by card {by}, which gets what it holds")
        }
        Operation::Transfer { from, to, amount } => {
            format!("move {amount} minor units from card {from} to card {to}")
        }
        Operation::ForcePost { card, terminal, amount, currency } => format!(
            "pay {amount} minor units of {currency:03} from card {card} to the merchant of terminal {terminal}, \
             though nothing was authorized"
        ),
        Operation::PublishFees(rules) => format!("put a fee schedule of {} entries in force", rules.len()),
        Operation::PublishChart(chart) => format!(
            "put a chart of accounts with {} accounts and {} rules in force",
            chart.accounts.len(),
            chart.rules.len()
        ),
        Operation::ResetPinTries { card } => format!("forget the wrong PINs of card {card}"),
        Operation::Unblock { card } => format!("serve blocked card {card} again"),
        Operation::SetHolderLimits { card, limits } => {
            format!("the holder of card {card} allows: {}", limits::words(limits))
        }
    }
}
