//! What a terminal asks, in our own nouns, and what is known about it when the books decide.
//!
//! A dialect makes a [`Request`] of a message; the verify stage adds [`Facts`]; the books answer with an
//! [`Answer`]. None of the three knows a field number.

use arrayvec::{ArrayString, ArrayVec};
use hsm_sim::Pan;
use hsm_sim::PsamNumber;

use super::{
    AcquirerId, CardId, PsamId, Seq, TerminalId, WorkingKeys, ZoneKeys,
    event::{KeysForTerminal, Pvv, TerminalDialect, Token},
    reason::Reason,
};
use crate::ledger::{Currency, Minor};

/// What is asked for. Stored in events by position: only ever appended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum Kind {
    /// New working keys for a terminal, or a fresh nonce for a PSAM.
    SignIn,
    /// The terminal ends its shift, or the acquirer its session.
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
    /// Take back a purchase of the open batch, whole.
    Void,
    /// Give back all or part of an earlier purchase.
    Refund,
    /// Hold an amount for a later completion.
    PreAuthorization,
    /// Release a hold.
    PreAuthorizationVoid,
    /// Pay out of a hold and release the rest.
    Completion,
    /// Take back a completion of the open batch, whole.
    CompletionVoid,
    /// Draw cash at an ATM.
    Withdrawal,
    /// Replace the PIN.
    PinChange,
    /// The acquirer begins its session.
    SignOn,
    /// New zone keys, as key blocks under the zone master key.
    KeyChange,
    /// The acquirer says that its business day has changed.
    CutOverNotice,
    /// Hold more for a completion that is still to come.
    PreAuthorizationAddition,
}

impl Kind {
    /// Every kind, for metric labels.
    pub const ALL: [Self; 20] = [
        Self::SignIn,
        Self::SignOff,
        Self::Echo,
        Self::Purchase,
        Self::Balance,
        Self::Load,
        Self::Reversal,
        Self::Unsupported,
        Self::Void,
        Self::Refund,
        Self::PreAuthorization,
        Self::PreAuthorizationVoid,
        Self::Completion,
        Self::CompletionVoid,
        Self::Withdrawal,
        Self::PinChange,
        Self::SignOn,
        Self::KeyChange,
        Self::CutOverNotice,
        Self::PreAuthorizationAddition,
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
            Self::Void => "void",
            Self::Refund => "refund",
            Self::PreAuthorization => "pre_authorization",
            Self::PreAuthorizationVoid => "pre_authorization_void",
            Self::Completion => "completion",
            Self::CompletionVoid => "completion_void",
            Self::Withdrawal => "withdrawal",
            Self::PinChange => "pin_change",
            Self::SignOn => "sign_on",
            Self::KeyChange => "key_change",
            Self::CutOverNotice => "cut_over_notice",
            Self::PreAuthorizationAddition => "pre_authorization_addition",
        }
    }

    /// Whether it takes money from a card, or promises it: what velocity rules count.
    #[must_use]
    pub fn is_debit(self) -> bool {
        matches!(
            self,
            Self::Purchase | Self::PreAuthorization | Self::PreAuthorizationAddition | Self::Withdrawal
        )
    }

    /// Whether it is about an approved transaction that it names.
    #[must_use]
    pub fn follows(self) -> bool {
        matches!(
            self,
            Self::Void | Self::Refund | Self::PreAuthorizationVoid | Self::Completion | Self::CompletionVoid
        )
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

/// How a void, a refund, a completion or a reversal names what it is about. What is not given is not compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OriginalName {
    /// Batch number (`pos`, `epos`), or field 7 (`atm`).
    pub batch: Option<u32>,
    /// System trace audit number.
    pub stan: Option<u32>,
    /// Retrieval reference number, twelve digits.
    pub rrn: Option<u64>,
    /// Approval code, six digits.
    pub approval: Option<u32>,
}

/// The most bytes of an encrypted track 2: 37 digits and their filling.
pub const ENCRYPTED_TRACK_MAX: usize = 24;

/// What a telephone POS says of its PSAM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PsamInput {
    /// The PSAM.
    pub number: PsamNumber,
    /// Version of the masters its keys come from.
    pub key_version: Option<u8>,
    /// What the keys of this transaction are made from.
    pub random: Option<[u8; 8]>,
    /// The switch's nonce of the last sign-in.
    pub nonce: Option<[u8; 8]>,
    /// Answer to the nonce of a sign-in.
    pub authenticator: Option<[u8; 8]>,
    /// The number the terminal says it calls from.
    pub calling: Option<Phone>,
    /// Track 2, encrypted.
    pub track: ArrayVec<u8, ENCRYPTED_TRACK_MAX>,
}

/// A telephone number: up to sixteen digits, compared without leading zeros.
pub type Phone = ArrayString<16>;

/// New zone keys as an acquirer sends them: key blocks under the zone master key.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct ZoneKeyBlocks {
    /// PIN key.
    pub pin: Option<Box<str>>,
    /// MAC key of messages to the switch.
    pub mac_to_switch: Option<Box<str>>,
    /// MAC key of messages from the switch.
    pub mac_from_switch: Option<Box<str>>,
}

impl std::fmt::Debug for ZoneKeyBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ZoneKeyBlocks(…)")
    }
}

/// What a request came over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line {
    /// What is spoken on its listener.
    pub dialect: TerminalDialect,
    /// Whether its network is private.
    pub private: bool,
    /// Whether a dial record may stand before its messages.
    pub concentrator: bool,
}

impl Default for Line {
    /// An open line of the main dialect: nothing is allowed that a listener must allow.
    fn default() -> Self {
        Self { dialect: TerminalDialect::Pos, private: false, concentrator: false }
    }
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is asked.
    pub kind: Kind,
    /// Which working keys, for a sign-in.
    pub key_scheme: KeyScheme,
    /// Field 41; eight zero bytes in link management, which is about no terminal.
    pub terminal: [u8; 8],
    /// Field 42, if it came.
    pub merchant: Option<[u8; 15]>,
    /// Field 32, for `atm`.
    pub acquirer: Option<ArrayString<11>>,
    /// Field 32 names this switch itself.
    pub reflected: bool,
    /// System trace audit number, field 11: six digits.
    pub stan: u32,
    /// What tells this STAN from the same one of another day: the terminal's batch number, six digits (`pos`,
    /// `epos`), or field 7, ten digits (`atm`).
    pub batch: u32,
    /// Message class, the second digit of the MTI.
    pub class: u8,
    /// Amount in minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// The acquirer's own fee, on top of the amount, minor units.
    pub acquirer_fee: Minor,
    /// Whether less than the amount may be approved.
    pub partial_allowed: bool,
    /// What stays taken after a partial reversal, minor units.
    pub replacement: Minor,
    /// What kind of request a reversal takes back, by its processing and condition codes.
    pub reverses: Option<Kind>,
    /// What it says of its original.
    pub original: OriginalName,
    /// The card.
    pub card: CardInput,
    /// Field 14, `YYMM`, with which an encrypted track must agree.
    pub expiry_given: Option<u16>,
    /// How it was read.
    pub entry: EntryMode,
    /// The encrypted PIN block.
    pub pin_block: Option<PinBlock>,
    /// The encrypted block of a new PIN.
    pub new_pin_block: Option<PinBlock>,
    /// The message says the PIN block has a format other than ISO 0.
    pub pin_format_refused: bool,
    /// Chip data came with the request.
    pub has_chip_data: bool,
    /// What it says of a PSAM.
    pub psam: Option<PsamInput>,
    /// The number a concentrator says the terminal calls from.
    pub dialled_from: Option<Phone>,
    /// New zone keys.
    pub zone_keys: Option<Box<ZoneKeyBlocks>>,
    /// What it came over.
    pub line: Line,
}

impl Request {
    /// What a request says beside kind, amount, currency and card, in one number (FNV-1a): what it is about, what of
    /// it stays, the acquirer's fee. A repeat says the same.
    #[must_use]
    pub fn particulars(&self) -> u64 {
        let name = &self.original;
        let names = name.batch.is_some() | name.stan.is_some() | name.rrn.is_some() | name.approval.is_some();
        if !names && self.replacement | self.acquirer_fee == 0 && !self.partial_allowed {
            return NO_PARTICULARS;
        }
        let number = |value: Option<u32>| value.map_or(u64::MAX, u64::from);
        let said = [
            number(name.batch),
            number(name.stan),
            name.rrn.unwrap_or(u64::MAX),
            number(name.approval),
            // Whoever may get a part and whoever may not ask for two things.
            self.replacement.unsigned_abs() ^ if self.partial_allowed { u64::MAX } else { 0 },
            self.acquirer_fee.unsigned_abs(),
        ];
        let nothing = said.iter().zip(NOTHING).take_while(|(number, nothing)| *number == nothing).count();
        said[nothing..].iter().fold(BEGINNINGS[nothing], |hash, number| fnv_1a(hash, *number))
    }
}

/// What most requests say beside kind, amount, currency and card.
const NOTHING: [u64; 6] = [u64::MAX, u64::MAX, u64::MAX, u64::MAX, 0, 0];

/// The hash of the first so many numbers of it. Worked out once: 48 multiplications one after the other are a tenth of what
/// deciding costs.
const BEGINNINGS: [u64; 7] = {
    let (mut hashes, mut at) = ([0xcbf2_9ce4_8422_2325; 7], 0);
    while at < 6 {
        hashes[at + 1] = fnv_1a(hashes[at], NOTHING[at]);
        at += 1;
    }
    hashes
};

/// What [`Request::particulars`] is for them.
pub(super) const NO_PARTICULARS: u64 = BEGINNINGS[6];

/// Powers of the multiplier of FNV-1a.
const POWERS: [u64; 9] = {
    let (mut powers, mut at) = ([1_u64; 9], 0);
    while at < 8 {
        powers[at + 1] = powers[at].wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    powers
};

/// Takes in the eight bytes of a number, the lowest first. Those that are zero, up to the highest, only multiply.
const fn fnv_1a(mut hash: u64, mut number: u64) -> u64 {
    let mut left = 8;
    while number != 0 {
        hash = (hash ^ number & 0xFF).wrapping_mul(POWERS[1]);
        number >>= 8;
        left -= 1;
    }
    hash.wrapping_mul(POWERS[left])
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
    /// It verifies under the keys of this version: the terminal's working keys (`pos`), the PSAM's masters (`epos`),
    /// the acquirer's zone keys (`atm`).
    Right {
        /// Version of the keys.
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
    /// The PSAM, if field 57 names one of ours.
    pub psam: Option<PsamId>,
    /// The acquirer, if field 32 names one.
    pub acquirer: Option<AcquirerId>,
    /// The MAC.
    pub mac: MacFact,
    /// The card, if it is one of ours.
    pub card: Option<CardId>,
    /// What stands for its number, if it is none of ours.
    pub stranger: Option<Token>,
    /// The track's verification value.
    pub cvv: Check,
    /// The PIN.
    pub pin: Check,
    /// Version of the card's PIN verification value that `pin` was checked against.
    pub pin_version: u16,
    /// Verification value of the new PIN.
    pub new_pvv: Option<Pvv>,
    /// The PSAM's answer to its nonce.
    pub authenticator: Check,
    /// The nonce of a PSAM's sign-in: the one answered, or a fresh one where none was.
    pub nonce: Option<[u8; 8]>,
    /// The keys made for a sign-in, or imported for a key change, stand at this place of the batch.
    pub new_keys: Option<usize>,
}

/// Keys that came to be in the verify stage.
#[derive(Clone, Debug)]
pub enum NewKeys {
    /// Working keys for a terminal.
    Working(WorkingKeys),
    /// Zone keys of an acquirer.
    Zone(ZoneKeys),
    /// Zone keys that were refused.
    Refused,
}

/// A card's money as an answer shows it, minor units.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Shown {
    /// What can be spent.
    pub available: Minor,
    /// What is promised to merchants; the ledger balance is both together.
    pub held: Minor,
}

impl Shown {
    /// The ledger balance.
    #[must_use]
    pub fn together(&self) -> Minor {
        self.available.saturating_add(self.held)
    }

    /// After so much has come, or gone if it is negative.
    #[must_use]
    pub fn plus(&self, amount: Minor) -> Self {
        Self { available: self.available.saturating_add(amount), held: self.held }
    }
}

/// What the terminal is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Why.
    pub reason: Reason,
    /// The record that holds the decision; RRN and approval code come from it. `None` if nothing was recorded.
    pub seq: Option<Seq>,
    /// The epoch that record is of; the RRN tells it.
    pub epoch: u32,
    /// Recorded time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// What was approved, where that is less than what was asked, minor units.
    pub partial: Option<Minor>,
    /// What is left on the card, where the answer shows it.
    pub balance: Option<Shown>,
    /// Whether this answers a repeat.
    pub repeat: bool,
    /// Working keys, for the answer to a sign-in.
    pub keys: Option<KeysForTerminal>,
    /// The nonce for a PSAM's sign-in.
    pub nonce: Option<[u8; 8]>,
    /// Check values of the zone keys taken over: PIN, MAC to the switch, MAC from the switch.
    pub check_values: Option<[[u8; 3]; 3]>,
    /// The business day it was booked on.
    pub day: i32,
}

impl Answer {
    /// An answer that stands in no record.
    #[must_use]
    pub fn unrecorded(reason: Reason, time_ms: i64) -> Self {
        Self {
            reason,
            seq: None,
            epoch: 1,
            time_ms,
            partial: None,
            balance: None,
            repeat: false,
            keys: None,
            nonce: None,
            check_values: None,
            day: 0,
        }
    }
}
