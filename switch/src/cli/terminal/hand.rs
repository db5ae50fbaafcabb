//! The card that is shown to a terminal, how, and what is typed for it.

use arrayvec::ArrayVec;
use hsm_sim::Pan;

use super::{Amount, CommandError, Place, Typed};
use crate::terminal::{CardInHand, Entry, Sample, SampleError};

/// Arguments about a card.
#[derive(Debug, clap::Args)]
pub(super) struct Unpriced {
    #[command(flatten)]
    pub(super) place: Place,
    /// Number of a test card; without it, the city's first card. A number the city does not know is sent as typed in
    #[arg(long, value_name = "PAN")]
    card: Option<Typed>,
    /// The PIN; without it, the one in the city's files
    #[arg(long)]
    pin: Option<Typed>,
    /// Tap the card and type no PIN; at a cash machine, type no PIN
    #[arg(long, conflicts_with = "pin")]
    tap: bool,
}

/// Arguments about a card and an amount.
#[derive(Debug, clap::Args)]
pub(super) struct Priced {
    #[command(flatten)]
    pub(super) shown: Unpriced,
    /// The amount in major units with two decimals, such as 12.50
    #[arg(long, value_name = "AMOUNT")]
    pub(super) amount: Amount,
}

/// Arguments of a PIN change.
#[derive(Debug, clap::Args)]
pub(super) struct Repinned {
    #[command(flatten)]
    pub(super) shown: Unpriced,
    /// The PIN to have from now on
    #[arg(long, value_name = "PIN")]
    new_pin: Typed,
}

impl Repinned {
    pub(super) fn new_pin(&self) -> Result<ArrayVec<u8, 12>, CommandError> {
        pin_digits(&self.new_pin.0).ok_or(CommandError::NewPin)
    }
}

/// The card to be shown to the terminal, and how.
pub(super) struct Hand {
    pub(super) card: CardInHand,
    pub(super) entry: Entry,
    pin: Option<ArrayVec<u8, 12>>,
}

impl Hand {
    pub(super) fn read(shown: &Unpriced) -> Result<Self, CommandError> {
        let sample = Sample::open(&shown.place.city)?;
        let pan = shown.card.as_ref().map(|typed| Pan::parse(typed.0.as_bytes()).map_err(CommandError::Card));
        let pan = pan.transpose()?;
        let known = match &pan {
            None => Some(sample.first_card()?),
            Some(pan) => sample.card(pan)?,
        };
        let pin = match (&shown.pin, &known) {
            _ if shown.tap => None,
            (Some(typed), _) => Some(pin_digits(&typed.0).ok_or(CommandError::Pin)?),
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

    pub(super) fn pin(&self) -> Option<&[u8]> {
        self.pin.as_deref()
    }
}

fn pin_digits(text: &str) -> Option<ArrayVec<u8, 12>> {
    let good = (4..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.bytes().collect())
}
