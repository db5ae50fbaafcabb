//! What happened. The journal holds these and nothing else; state is what they add up to.
//!
//! The first byte of a record's body is the version of its encoding, the rest is the event in `postcard`'s
//! format. A field joins under a new version; an event joins behind the last. `fixtures/events` holds a golden file
//! of each version, and a test reads them all. What older versions looked like stands in `v1`, `v2` and `v3`.

mod v1;
mod v2;
mod v3;

use std::fmt;

use arrayvec::{ArrayString, ArrayVec};
use risk::past::Spot;
use serde::{Deserialize, Serialize};

use super::{
    alerts::{HandledAlert, Snooze},
    cards::CardDays,
    chart::Chart,
    currencies::OpenedAccount,
    fees::FeeRule,
    holder_limits::LimitedCard,
    judged::{Judged, Stranger},
    lists::change::{ListChanged, StagedRows},
    notices::Cause,
    order::SignedOrder,
    policy::Policy,
    product::{Product, Regions},
    reason::Reason,
    request::{Kind, Phone, Shown},
    rulebook::PublishedRules,
    transactions::TransactionKey,
};
use crate::ledger::{
    Currency, Minor, Posting, Postings,
    holds::{HoldId, Leg},
    purse::{PURSES_MAX, PurseType},
};

/// Version of the encoding written now.
pub const EVENT_VERSION: u8 = 4;

/// A TR-31 key block in text form. It is encrypted; still, only its header is ever shown.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyText(pub Box<str>);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}…)", self.0.get(..16).unwrap_or(""))
    }
}

/// Working keys as a terminal gets them: each under its master key, with a check value. `Debug` does not show them.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeysForTerminal {
    /// PIN key under the terminal's master key.
    pub pin: [u8; 16],
    /// Its check value.
    pub pin_check: [u8; 4],
    /// MAC key under the terminal's master key.
    pub mac: [u8; 16],
    /// Its check value.
    pub mac_check: [u8; 4],
}

impl fmt::Debug for KeysForTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysForTerminal(…)")
    }
}

/// A keyed token that stands for a card number.
#[derive(Clone, Copy, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Token(pub [u8; 16]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// A PIN verification value, four ASCII digits. Not the PIN, but one in ten thousand PINs fits it.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pvv(pub [u8; 4]);

impl fmt::Debug for Pvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pvv(…)")
    }
}

/// What an issuer key is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum KeyRole {
    /// Verifies PINs (PVV).
    PinVerification,
    /// Verifies card verification values.
    CardVerification,
    /// Turns card numbers into tokens.
    Token,
}

/// Life of a card.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum CardState {
    /// Issued at zero; the first load activates it.
    Inactive,
    /// In use.
    Active,
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Not to be served.
    Blocked,
    /// Closed for good.
    Closed,
}

/// What a terminal speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TerminalDialect {
    /// UnionPay-style POS.
    Pos,
    /// Telephone POS with a PSAM.
    Epos,
    /// ATM host.
    Atm,
}

impl TerminalDialect {
    /// The word for it in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pos => "pos",
            Self::Epos => "epos",
            Self::Atm => "atm",
        }
    }
}

/// How a terminal's messages are authenticated.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MacScheme {
    /// UnionPay's fold and ECB: weak by construction, for deployed terminals.
    UnionPayEcb,
    /// ANSI X9.19, ISO/IEC 9797-1 algorithm 3.
    X919,
    /// CBC under double-length triple DES.
    Cbc3Des,
}

/// A list entry as it was put on the list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ListedSubject {
    /// A card.
    Card(Token),
    /// A terminal, by field 41.
    Terminal([u8; 8]),
    /// A merchant, by field 42.
    Merchant([u8; 15]),
    /// All cards beginning with these six digits.
    Bin(u32),
}

/// Why something is listed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ListedReason {
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Suspected fraud.
    Fraud,
    /// Not to be served.
    Restricted,
}

/// What a reversal did to its original.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ReversalEffect {
    /// The original had been declined, or was reversed before: nothing to take back.
    Nothing,
    /// The original's postings were inverted by this event.
    Reversed,
    /// There is no original yet; should it come, it is declined.
    Tombstone,
}

/// Money promised by a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PlacedHold {
    /// What each purse promises.
    pub legs: ArrayVec<Leg, PURSES_MAX>,
    /// When the promise ends, milliseconds since 1970 UTC.
    pub expires_ms: i64,
}

/// What a request does to the approved transaction it is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct OnOriginal {
    /// The original's record.
    pub seq: u64,
    /// By how much more of it has gone back; negative if something that went back was taken again.
    pub returned: Minor,
    /// By how much less it counts for velocity rules, and whether it no longer counts at all.
    pub uncounted: Minor,
    /// The original as a whole no longer counts for velocity rules.
    pub uncounts_whole: bool,
    /// By how much more was authorized, or less if it is negative; only of a pre-authorization.
    pub added: Minor,
}

impl OnOriginal {
    /// About the original of this record, and as yet nothing is done to it.
    #[must_use]
    pub fn of(seq: u64) -> Self {
        Self { seq, returned: 0, uncounted: 0, uncounts_whole: false, added: 0 }
    }
}

/// A decided request: everything that follows from it, in one record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Decided {
    /// Terminal, batch, STAN and class: what a repeat is known by.
    pub key: TransactionKey,
    /// What was asked.
    pub kind: Kind,
    /// The card, if it is one of ours.
    pub card: Option<u32>,
    /// The amount that was asked for, in minor units.
    pub amount: Minor,
    /// What of it was approved, where that is less than all of it.
    pub partial: Option<Minor>,
    /// Its currency.
    pub currency: Currency,
    /// What of the postings is a fee: the merchant's or the acquirer's.
    pub fee: Minor,
    /// Which entry of the fee schedule said so; none where the merchant's own terms did.
    pub fee_rule: Option<u16>,
    /// How it was answered, and why.
    pub reason: Reason,
    /// The balance that the answer showed.
    pub shown: Option<Shown>,
    /// The count of wrong PINs after this request, if it changed.
    pub pin_tries: Option<u8>,
    /// The card's PIN verification value after this request, if it changed.
    pub pvv: Option<Pvv>,
    /// The card became active by this request.
    pub activates: bool,
    /// The card was blocked because it owes what was taken back, or paid, and was not there.
    pub blocks: bool,
    /// It was paid although nothing that still held had authorized it.
    pub forced: bool,
    /// The keys of this version were used for the first time and are now the terminal's, or its acquirer's.
    pub adopts: Option<u32>,
    /// The random number that made the one-time key it came under.
    pub random: Option<[u8; 8]>,
    /// The number that was called from.
    pub calling: Option<Phone>,
    /// What was done to the original, for a reversal.
    pub reversal: Option<(TransactionKey, ReversalEffect)>,
    /// The approved transaction that it is about.
    pub original: Option<OnOriginal>,
    /// What else the request said, as [`super::request::Request::particulars`]; 0 where that is not known.
    pub particulars: u64,
    /// The hold that ends by it.
    pub releases: Option<HoldId>,
    /// The hold that begins by it.
    pub places: Option<PlacedHold>,
    /// The pre-authorization whose hold that is, where it is not this request itself.
    pub hold_of: Option<u64>,
    /// Rules of the city that fired, a bit for each position among them.
    pub fired: u64,
    /// What rules were told and what a published set said, where rules were asked.
    pub judged: Option<Judged>,
    /// The card, if it is none of ours.
    pub stranger: Option<Stranger>,
    /// Who is told of it, and why.
    pub notice: Option<Cause>,
    /// What moved.
    pub postings: Postings,
}

impl Decided {
    /// What was approved of what was asked, minor units; the amount that counts for whatever follows.
    #[must_use]
    pub fn approved(&self) -> Minor {
        self.partial.unwrap_or(self.amount)
    }
}

/// What officers ordered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum OperationKind {
    /// The deposit for a card was paid.
    TakeDeposit,
    /// A card was given back and paid out.
    Cancel,
    /// A card was lost, and its deposit is income.
    ReportLost,
    /// What a card held moved to the one in its place.
    Replace,
    /// Money moved between two cards.
    Transfer,
    /// A merchant was paid without authorization.
    ForcePost,
    /// A blocked card is served again.
    Unblock,
}

impl OperationKind {
    /// The word for it in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TakeDeposit => "take_deposit",
            Self::Cancel => "cancel",
            Self::ReportLost => "report_lost",
            Self::Replace => "replace",
            Self::Transfer => "transfer",
            Self::ForcePost => "force_post",
            Self::Unblock => "unblock",
        }
    }
}

/// A card as an operation leaves it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardChange {
    /// Position of the card.
    pub card: u32,
    /// Its state from now on.
    pub state: CardState,
    /// The deposit for it from now on, minor units.
    pub deposit: Minor,
}

/// What officers ordered and was done: everything that follows from it, in one record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Operated {
    /// What.
    pub kind: OperationKind,
    /// How much it was about, minor units.
    pub amount: Minor,
    /// Of which currency.
    pub currency: Currency,
    /// The terminal whose merchant was paid.
    pub terminal: Option<u32>,
    /// The cards, the one it was ordered for first.
    pub changes: ArrayVec<CardChange, 2>,
    /// What moved.
    pub postings: Vec<Posting>,
}

/// A merchant as it joined.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OpenedMerchant {
    /// Field 42.
    pub id: [u8; 15],
    /// Its name.
    pub name: String,
    /// Whether it may take payments.
    pub active: bool,
    /// Currency in which it is paid.
    pub currency: Currency,
    /// Fee in hundredths of a percent.
    pub fee_bp: u32,
    /// Lowest fee, minor units.
    pub fee_min: Minor,
    /// Highest fee, minor units.
    pub fee_max: Minor,
    /// Line on which its load terminals draw, minor units; 0 means loads draw on the card's orderer's float.
    pub load_line: Minor,
}

/// A terminal as it was installed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InstalledTerminal {
    /// Field 41.
    pub id: [u8; 8],
    /// Position of its merchant.
    pub merchant: u32,
    /// Merchant category code.
    pub category: u16,
    /// Region it stands in.
    pub region: u32,
    /// What it speaks.
    pub dialect: TerminalDialect,
    /// Its MAC.
    pub mac: MacScheme,
    /// Its master key.
    pub tmk: KeyText,
    /// Whether it may load cards.
    pub may_load: bool,
    /// Position of its PSAM, for a telephone POS.
    pub psam: Option<u32>,
    /// The number it calls from, may be empty.
    pub phone: Phone,
    /// Position of its acquirer, for an ATM.
    pub acquirer: Option<u16>,
}

/// A card as it was issued. `Debug` does not show its phone.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct IssuedCard {
    /// Stands for the number.
    pub token: Token,
    /// First six digits.
    pub bin: u32,
    /// Last four digits.
    pub last_four: u16,
    /// Position of its product.
    pub product: u16,
    /// Position of its orderer.
    pub orderer: u16,
    /// State at issue.
    pub state: CardState,
    /// Year and month, `YYMM`.
    pub expiry_yymm: u16,
    /// Key index of the PIN verification value.
    pub pvki: u8,
    /// PIN verification value.
    pub pvv: Pvv,
    /// Linked phone, may be empty.
    pub phone: ArrayString<16>,
    /// Regions that its holder allows; empty is everywhere.
    pub regions: Regions,
    /// Opening balance of each purse, taken from the orderer's float.
    pub opening: ArrayVec<Minor, PURSES_MAX>,
    /// The deposit paid for the card itself, minor units of its load purse's currency; held apart, not to be spent.
    pub deposit: Minor,
}

impl fmt::Debug for IssuedCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCard")
            .field("token", &self.token)
            .field("bin", &self.bin)
            .field("last_four", &self.last_four)
            .field("product", &self.product)
            .field("orderer", &self.orderer)
            .field("state", &self.state)
            .field("expiry_yymm", &self.expiry_yymm)
            .field("pvki", &self.pvki)
            .field("pvv", &self.pvv)
            .field("phone", &format_args!("{} digits", self.phone.len()))
            .field("regions", &self.regions)
            .field("opening", &self.opening)
            .field("deposit", &self.deposit)
            .finish()
    }
}

/// The master keys of one version from which PSAM keys are derived.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PsamMasters {
    /// Version.
    pub version: u8,
    /// PIN keys come from it.
    pub pin: KeyText,
    /// MAC keys.
    pub mac: KeyText,
    /// Track keys.
    pub track: KeyText,
    /// Authentication keys.
    pub auth: KeyText,
}

/// An acquirer as it joined.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct JoinedAcquirer {
    /// Field 32.
    pub id: ArrayString<11>,
    /// Its name.
    pub name: String,
    /// The MAC of its messages.
    pub mac: MacScheme,
    /// Whether it may speak.
    pub active: bool,
    /// Currency in which it is settled.
    pub currency: Currency,
    /// Its zone master key.
    pub zmk: KeyText,
    /// Its first zone keys.
    pub keys: ZoneKeyTexts,
}

/// Zone keys, under the LMK.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ZoneKeyTexts {
    /// PIN key.
    pub pin: KeyText,
    /// MAC key of messages to the switch.
    pub mac_to_switch: KeyText,
    /// MAC key of messages from the switch.
    pub mac_from_switch: KeyText,
    /// Their check values, in this order.
    pub check_values: [[u8; 3]; 3],
}

/// Who keeps key blocks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KeyKeeper {
    /// The issuer: keys for PINs, card values and tokens.
    Issuer,
    /// The masters of PSAM keys at this position: those of one version.
    PsamMasters(u16),
    /// The acquirer at this position: zone master key and zone keys.
    Acquirer(u16),
    /// The terminal at this position: master key and working keys.
    Terminal(u32),
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Event {
    /// The limits that shape state, at genesis and whenever the configuration changes them.
    PolicySet(Policy),
    /// An issuer key came into use.
    KeyInstalled {
        /// What it is for.
        role: KeyRole,
        /// Index that goes into the value it verifies (PVKI), 0 where there is none.
        index: u8,
        /// The key.
        block: KeyText,
    },
    /// A purse type was defined.
    PurseDefined(PurseType),
    /// A card product was defined.
    ProductDefined(Product),
    /// An orderer joined, with this float at the bank.
    OrdererOpened {
        /// Its name in files.
        name: String,
        /// Currency of the float.
        currency: Currency,
        /// The float, minor units.
        float: Minor,
    },
    /// A merchant joined.
    MerchantOpened(OpenedMerchant),
    /// A terminal was installed.
    TerminalInstalled(InstalledTerminal),
    /// A card was issued.
    CardIssued(IssuedCard),
    /// Something was put on a blacklist.
    Listed {
        /// What.
        subject: ListedSubject,
        /// Why.
        reason: ListedReason,
        /// Until when, milliseconds since 1970 UTC.
        expires_ms: Option<i64>,
        /// Who says so.
        source: String,
    },
    /// The import of the city is complete; from here on the journal is the truth.
    GenesisDone,
    /// A terminal was given new working keys; they are its own once it has used them.
    SignedIn {
        /// Position of the terminal.
        terminal: u32,
        /// The request's STAN.
        stan: u32,
        /// Version of the keys.
        version: u32,
        /// PIN key.
        pin: KeyText,
        /// MAC key.
        mac: KeyText,
        /// Both as the terminal was told them, to tell it again until it uses them.
        told: KeysForTerminal,
    },
    /// A terminal said that its shift is over.
    SignedOff {
        /// Position of the terminal.
        terminal: u32,
        /// The request's STAN.
        stan: u32,
    },
    /// A request was decided.
    Decided(Decided),
    /// Masters of PSAM keys came into use.
    PsamMastersInstalled(PsamMasters),
    /// A PSAM was issued.
    PsamIssued {
        /// Its number, BCD.
        number: [u8; 8],
        /// Version of its masters.
        key_version: u8,
        /// Not to be served.
        revoked: bool,
    },
    /// An acquirer joined.
    AcquirerJoined(JoinedAcquirer),
    /// A set of rules came into force, in place of the one before.
    RulesPublished(Vec<risk::Rule>),
    /// A PSAM answered a nonce, which its messages carry from now on.
    PsamSignedIn {
        /// Position of the PSAM.
        psam: u32,
        /// Position of its terminal.
        terminal: u32,
        /// The request's STAN.
        stan: u32,
        /// The nonce.
        nonce: [u8; 8],
    },
    /// An acquirer signed on or off.
    AcquirerSigned {
        /// Position of the acquirer.
        acquirer: u16,
        /// On, not off.
        on: bool,
        /// Field 7 (as milliseconds since 1970 UTC) and STAN of the message.
        sent: (i64, u32),
        /// Version of zone keys that it was the first to use.
        adopts: Option<u32>,
    },
    /// An acquirer was given new zone keys; they are its own once it has used them.
    ZoneKeysChanged {
        /// Position of the acquirer.
        acquirer: u16,
        /// Version of the keys.
        version: u32,
        /// The keys.
        keys: ZoneKeyTexts,
        /// Field 7 (as milliseconds since 1970 UTC) and STAN of the message.
        sent: (i64, u32),
        /// Version of zone keys that the message was the first to use.
        adopts: Option<u32>,
    },
    /// A hold ended because its time was over.
    HoldExpired {
        /// The hold.
        hold: HoldId,
        /// The pre-authorization's record.
        original: u64,
        /// What it held.
        amount: Minor,
    },
    /// A business day began, and the one before it is closed. Days since 1970-01-01.
    CutOver {
        /// The day that began.
        opens: i32,
    },
    /// Something that people should look at and that is no decided request.
    Alert {
        /// Position of the terminal.
        terminal: u32,
        /// The card, if it is one of ours.
        card: Option<u32>,
        /// What was asked.
        kind: Kind,
        /// Why it was refused.
        cause: Cause,
    },
    /// Somebody's key blocks were wrapped anew under another local master key; the keys in them are the same.
    KeysRewrapped {
        /// Check value of the local master key they are under now.
        lmk: [u8; 3],
        /// Whose they are.
        keeper: KeyKeeper,
        /// All of them, in the order of [`super::Books::key_blocks`].
        blocks: Vec<KeyText>,
    },
    /// Officers ordered that history goes on from the record before this one, whatever came behind it once. Working keys
    /// and nonces of before are void: what was recorded on a line must not come again.
    EpochBegun(Box<SignedOrder>),
    /// Officers ordered something, and this is what happened.
    Ordered(Box<Ordered>),
    /// A card's wrong PINs are forgotten.
    PinTriesReset {
        /// Position of the card.
        card: u32,
    },
    /// A fee schedule came into force, in place of the one before.
    FeesPublished(Vec<FeeRule>),
    /// Something that officers ordered was done.
    Operated(Operated),
    /// A chart of accounts came into force, in place of the one before.
    ChartPublished(Chart),
    /// A party got an account in another currency than its first.
    AccountOpened(OpenedAccount),
    /// A set of rules in files came into force, in place of the one before.
    RulebookPublished(PublishedRules),
    /// Rows of a change of a list by name; nothing is different before the change is in force.
    ListRowsStaged(StagedRows),
    /// A list by name was changed.
    ListChanged(ListChanged),
    /// Somebody took up an alert, or said what it was.
    AlertHandled(HandledAlert),
    /// A rule has no effect for a card until a time, or has effect again.
    RuleSnoozed(Snooze),
    /// A cardholder's limits were set, in place of those before.
    HolderLimitsSet(LimitedCard),
    /// When a card was issued and its telephone was linked became known.
    CardDated {
        /// Position of the card.
        card: u32,
        /// The days, as far as they are known.
        days: CardDays,
    },
    /// Where a terminal stands became known.
    TerminalPlaced {
        /// Position of the terminal.
        terminal: u32,
        /// The spot.
        spot: Spot,
    },
}

/// What happened by order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ordered {
    /// The order, and who signed it.
    pub order: SignedOrder,
    /// What happened. Never an order itself.
    pub done: Event,
}

/// Why a record's body could not be read as an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EventError {
    /// The first byte names a version this program does not know.
    #[error("event encoding version {0} is not known to this program")]
    UnknownVersion(u8),
    /// The rest is not an event of that version.
    #[error("the body is not an event of its version")]
    Malformed,
}

impl Event {
    /// Writes the event behind what is in `out`.
    ///
    /// # Panics
    /// Never: writing to memory cannot fail, and every event type has a serial form.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(EVENT_VERSION);
        // INVARIANT: the flavour writes to a Vec and no event has a type without a serial form.
        postcard::to_io(self, out).expect("events serialise to memory");
    }

    /// Reads an event from a record's body.
    ///
    /// # Errors
    /// An unknown version, or bytes that are no event.
    pub fn read(body: &[u8]) -> Result<Self, EventError> {
        match body.split_first() {
            Some((&EVENT_VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| EventError::Malformed),
            Some((&3, rest)) => v3::read(rest).map_err(|_| EventError::Malformed),
            Some((&2, rest)) => v2::read(rest).map_err(|_| EventError::Malformed),
            Some((&1, rest)) => v1::read(rest).map_err(|_| EventError::Malformed),
            Some((&version, _)) => Err(EventError::UnknownVersion(version)),
            None => Err(EventError::Malformed),
        }
    }

    /// What happened, whether by order or not.
    #[must_use]
    pub fn done(&self) -> &Self {
        match self {
            Self::Ordered(ordered) => &ordered.done,
            other => other,
        }
    }

    /// The word for this event in tables and files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PolicySet(_) => "policy_set",
            Self::KeyInstalled { .. } => "key_installed",
            Self::PurseDefined(_) => "purse_defined",
            Self::ProductDefined(_) => "product_defined",
            Self::OrdererOpened { .. } => "orderer_opened",
            Self::MerchantOpened(_) => "merchant_opened",
            Self::TerminalInstalled(_) => "terminal_installed",
            Self::CardIssued(_) => "card_issued",
            Self::Listed { .. } => "listed",
            Self::GenesisDone => "genesis_done",
            Self::SignedIn { .. } => "signed_in",
            Self::SignedOff { .. } => "signed_off",
            Self::Decided(decided) => decided.kind.name(),
            Self::PsamMastersInstalled(_) => "psam_masters_installed",
            Self::PsamIssued { .. } => "psam_issued",
            Self::AcquirerJoined(_) => "acquirer_joined",
            Self::RulesPublished(_) => "rules_published",
            Self::PsamSignedIn { .. } => "psam_signed_in",
            Self::AcquirerSigned { on: true, .. } => "acquirer_signed_on",
            Self::AcquirerSigned { .. } => "acquirer_signed_off",
            Self::ZoneKeysChanged { .. } => "zone_keys_changed",
            Self::HoldExpired { .. } => "hold_expired",
            Self::CutOver { .. } => "cut_over",
            Self::Alert { .. } => "alert",
            Self::KeysRewrapped { .. } => "keys_rewrapped",
            Self::EpochBegun(_) => "epoch_begun",
            Self::Ordered(ordered) => ordered.done.name(),
            Self::PinTriesReset { .. } => "pin_tries_reset",
            Self::FeesPublished(_) => "fees_published",
            Self::Operated(operated) => operated.kind.name(),
            Self::ChartPublished(_) => "chart_published",
            Self::AccountOpened(_) => "account_opened",
            Self::RulebookPublished(_) => "rulebook_published",
            Self::ListRowsStaged(_) => "list_rows_staged",
            Self::ListChanged(_) => "list_changed",
            Self::AlertHandled(_) => "alert_handled",
            Self::RuleSnoozed(_) => "rule_snoozed",
            Self::HolderLimitsSet(_) => "holder_limits_set",
            Self::CardDated { .. } => "card_dated",
            Self::TerminalPlaced { .. } => "terminal_placed",
        }
    }
}
