//! What a terminal asks, in our own nouns, and what is known about it when the books decide.
//!
//! A dialect makes a [`Request`] of a message; the verify stage adds [`Facts`]; the books answer with an
//! [`Answer`]. None of the three knows a field number.

use hsm_sim::Pan;

use super::{CardId, Seq, TerminalId, event::KeysForTerminal, reason::Reason};
use crate::ledger::{Currency, Minor};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum Kind {
    /// New working keys for a terminal.
    SignIn,
    /// The terminal ends its shift.
    SignOff,
    /// Is the switch there?
    Echo,
    /// Pay a merchant.
    Purchase,
    /// What is on the card?
    Balance,
    /// Put money on the card.
    Load,
    /// Take back the request with the same number.
    Reversal,
    /// Understood as a message, not as anything the switch does.
    #[default]
    Unsupported,
}

impl Kind {
    /// Every kind, for metric labels.
    pub const ALL: [Self; 8] = [
        Self::SignIn,
        Self::SignOff,
        Self::Echo,
        Self::Purchase,
        Self::Balance,
        Self::Load,
        Self::Reversal,
        Self::Unsupported,
    ];

    /// The word for this kind in metrics, tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignOff => "sign_off",
            Self::Echo => "echo",
            Self::Purchase => "purchase",
            Self::Balance => "balance",
            Self::Load => "load",
            Self::Reversal => "reversal",
            Self::Unsupported => "unsupported",
        }
    }
}

/// How the card was read, from field 22.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EntryMode {
    /// Not said.
    #[default]
    Unknown,
    /// Typed in.
    Manual,
    /// Magnetic stripe.
    Stripe,
    /// Chip, with contact.
    Chip,
    /// Contactless.
    Contactless,
}

/// The card as the message gives it.
#[derive(Clone, Debug, Default)]
pub enum CardInput {
    /// No card data.
    #[default]
    None,
    /// A number that is no card number: its length or check digit is wrong.
    NotACard,
    /// Field 2 and the track name different cards, or field 14 and the track different expiries.
    Disagree,
    /// A card number, and what else was read with it.
    Read {
        /// The number.
        pan: Pan,
        /// Expiry as year and month, `YYMM`, from the track or field 14.
        expiry_yymm: Option<u16>,
        /// The track's verification value.
        value: TrackValue,
    },
}

impl CardInput {
    /// The card number, if there is one.
    #[must_use]
    pub fn pan(&self) -> Option<&Pan> {
        match self {
            Self::Read { pan, .. } => Some(pan),
            _ => None,
        }
    }
}

/// The verification value, as far as a track was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrackValue {
    /// No track: the number was typed in.
    NotRead,
    /// A track too short to hold one.
    Missing,
    /// A track with a value.
    Read(Stripe),
}

/// What the verification value of a track covers, beside the card number.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Stripe {
    /// Expiry as on the track, `YYMM` in ASCII digits.
    pub expiry: [u8; 4],
    /// Service code, ASCII digits.
    pub service_code: [u8; 3],
    /// The verification value, ASCII digits.
    pub cvv: [u8; 3],
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stripe(…)")
    }
}

/// An encrypted PIN block. `Debug` does not show it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PinBlock(pub [u8; 8]);

impl std::fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinBlock(…)")
    }
}

/// Which working keys a sign-in asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyScheme {
    /// Double-length PIN and MAC keys.
    #[default]
    Double,
    /// Single-length keys; refused.
    Single,
    /// Double-length keys and a track key; not supported.
    WithTrackKey,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Which working keys, for a sign-in.
    pub key_scheme: KeyScheme,
    /// Field 41.
    pub terminal: [u8; 8],
    /// Field 42, if it came.
    pub merchant: Option<[u8; 15]>,
    /// System trace audit number, field 11: six digits.
    pub stan: u32,
    /// The terminal's batch number, six digits.
    pub batch: u32,
    /// Message class, the second digit of the MTI.
    pub class: u8,
    /// Amount in minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// What kind of request a reversal takes back, by its processing and condition codes.
    pub reverses: Option<Kind>,
    /// The card.
    pub card: CardInput,
    /// How it was read.
    pub entry: EntryMode,
    /// The encrypted PIN block.
    pub pin_block: Option<PinBlock>,
    /// The message says the PIN block has a format other than ISO 0.
    pub pin_format_refused: bool,
    /// Chip data came with the request.
    pub has_chip_data: bool,
    /// It came over a listener whose network is marked private.
    pub private_line: bool,
}

/// Result of the check of a message's MAC.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MacFact {
    /// Nothing was checked: the message carries no MAC, or its terminal is unknown.
    #[default]
    Unchecked,
    /// The terminal has no working keys.
    NoKeys,
    /// It does not verify under any key of the terminal.
    Wrong,
    /// It verifies under the working keys of this version.
    Right {
        /// Version of the working keys.
        version: u32,
    },
}

/// Result of a check that may not have been possible or asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Check {
    /// There was nothing to check.
    #[default]
    NotGiven,
    /// It verifies.
    Right,
    /// It does not.
    Wrong,
    /// It is not even well formed.
    Malformed,
    /// The check could not be made, for a fault of the switch.
    Failed,
}

/// What the verify stage found out. Valid only with the versions it names; the books look again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The terminal, if field 41 names one.
    pub terminal: Option<TerminalId>,
    /// The MAC.
    pub mac: MacFact,
    /// The card, if it is one of ours.
    pub card: Option<CardId>,
    /// The track's verification value.
    pub cvv: Check,
    /// The PIN.
    pub pin: Check,
    /// Version of the card's PIN verification value that `pin` was checked against.
    pub pin_version: u16,
    /// The working keys made for a sign-in stand at this place of the batch.
    pub new_keys: Option<usize>,
}

/// What the terminal is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Why.
    pub reason: Reason,
    /// The record that holds the decision; RRN and approval code come from it. `None` if nothing was recorded.
    pub seq: Option<Seq>,
    /// Recorded time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// What is left on the card, where the answer shows it.
    pub balance: Option<Minor>,
    /// Whether this answers a repeat.
    pub repeat: bool,
    /// Working keys, for the answer to a sign-in.
    pub keys: Option<KeysForTerminal>,
}
