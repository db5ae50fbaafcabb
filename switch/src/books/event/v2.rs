//! Events as version 2 wrote them, before approvals in part, additions to holds, deposits and schedules of fees. Read,
//! never written.

use arrayvec::{ArrayString, ArrayVec};
use serde::Deserialize;

use super::{
    CardState, Event, InstalledTerminal, IssuedCard, JoinedAcquirer, KeyKeeper, KeyRole, KeyText,
    KeysForTerminal, ListedReason, ListedSubject, OpenedMerchant, PlacedHold, PsamMasters, Pvv,
    ReversalEffect, Token, ZoneKeyTexts,
};
use crate::{
    books::{
        notices::Cause,
        policy::Policy,
        product::{PinRule, Product, Regions},
        reason::Reason,
        request::{Kind, Phone, Shown},
        transactions::TransactionKey,
    },
    ledger::{
        Currency, Minor, Postings,
        holds::HoldId,
        purse::{CATEGORIES_MAX, PURSES_MAX, PurseType},
    },
};

/// Reads an event behind its version byte.
pub(super) fn read(bytes: &[u8]) -> Result<Event, postcard::Error> {
    postcard::from_bytes::<EventV2>(bytes).map(Event::from)
}

#[derive(Deserialize)]
struct PurseTypeV2 {
    name: String,
    currency: Currency,
    categories: ArrayVec<u16, CATEGORIES_MAX>,
    floor: Minor,
    max: Minor,
    cash: bool,
}

#[derive(Deserialize)]
struct ProductV2 {
    name: String,
    purses: ArrayVec<u16, PURSES_MAX>,
    load_purse: u8,
    balance_max: Minor,
    pin: PinRule,
    balance_needs_pin: bool,
    regions: Regions,
    hold_ms: i64,
}

#[derive(Deserialize)]
struct IssuedCardV2 {
    token: Token,
    bin: u32,
    last_four: u16,
    product: u16,
    orderer: u16,
    state: CardState,
    expiry_yymm: u16,
    pvki: u8,
    pvv: Pvv,
    phone: ArrayString<16>,
    regions: Regions,
    opening: ArrayVec<Minor, PURSES_MAX>,
}

#[derive(Deserialize)]
struct OnOriginalV2 {
    seq: u64,
    returned: Minor,
    uncounted: Minor,
    uncounts_whole: bool,
}

#[derive(Deserialize)]
struct DecidedV2 {
    key: TransactionKey,
    kind: Kind,
    card: Option<u32>,
    amount: Minor,
    currency: Currency,
    fee: Minor,
    reason: Reason,
    shown: Option<Shown>,
    pin_tries: Option<u8>,
    pvv: Option<Pvv>,
    activates: bool,
    blocks: bool,
    adopts: Option<u32>,
    random: Option<[u8; 8]>,
    calling: Option<Phone>,
    reversal: Option<(TransactionKey, ReversalEffect)>,
    original: Option<OnOriginalV2>,
    particulars: u64,
    releases: Option<HoldId>,
    places: Option<PlacedHold>,
    hold_of: Option<u64>,
    fired: u64,
    notice: Option<Cause>,
    postings: Postings,
}

#[derive(Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to the event that it is now")]
enum EventV2 {
    PolicySet(Policy),
    KeyInstalled { role: KeyRole, index: u8, block: KeyText },
    PurseDefined(PurseTypeV2),
    ProductDefined(ProductV2),
    OrdererOpened { name: String, currency: Currency, float: Minor },
    MerchantOpened(OpenedMerchant),
    TerminalInstalled(InstalledTerminal),
    CardIssued(IssuedCardV2),
    Listed { subject: ListedSubject, reason: ListedReason, expires_ms: Option<i64>, source: String },
    GenesisDone,
    SignedIn { terminal: u32, stan: u32, version: u32, pin: KeyText, mac: KeyText, told: KeysForTerminal },
    SignedOff { terminal: u32, stan: u32 },
    Decided(DecidedV2),
    PsamMastersInstalled(PsamMasters),
    PsamIssued { number: [u8; 8], key_version: u8, revoked: bool },
    AcquirerJoined(JoinedAcquirer),
    RulesPublished(Vec<risk::Rule>),
    PsamSignedIn { psam: u32, terminal: u32, stan: u32, nonce: [u8; 8] },
    AcquirerSigned { acquirer: u16, on: bool, sent: (i64, u32), adopts: Option<u32> },
    ZoneKeysChanged { acquirer: u16, version: u32, keys: ZoneKeyTexts, sent: (i64, u32), adopts: Option<u32> },
    HoldExpired { hold: HoldId, original: u64, amount: Minor },
    CutOver { opens: i32 },
    Alert { terminal: u32, card: Option<u32>, kind: Kind, cause: Cause },
    KeysRewrapped { lmk: [u8; 3], keeper: KeyKeeper, blocks: Vec<KeyText> },
}

impl From<EventV2> for Event {
    fn from(event: EventV2) -> Self {
        match event {
            EventV2::PolicySet(policy) => Self::PolicySet(policy),
            EventV2::KeyInstalled { role, index, block } => Self::KeyInstalled { role, index, block },
            EventV2::PurseDefined(purse) => Self::PurseDefined(purse.into()),
            EventV2::ProductDefined(product) => Self::ProductDefined(product.into()),
            EventV2::OrdererOpened { name, currency, float } => Self::OrdererOpened { name, currency, float },
            EventV2::MerchantOpened(merchant) => Self::MerchantOpened(merchant),
            EventV2::TerminalInstalled(terminal) => Self::TerminalInstalled(terminal),
            EventV2::CardIssued(card) => Self::CardIssued(card.into()),
            EventV2::Listed { subject, reason, expires_ms, source } => {
                Self::Listed { subject, reason, expires_ms, source }
            }
            EventV2::GenesisDone => Self::GenesisDone,
            EventV2::SignedIn { terminal, stan, version, pin, mac, told } => {
                Self::SignedIn { terminal, stan, version, pin, mac, told }
            }
            EventV2::SignedOff { terminal, stan } => Self::SignedOff { terminal, stan },
            EventV2::Decided(decided) => Self::Decided(decided.into()),
            EventV2::PsamMastersInstalled(masters) => Self::PsamMastersInstalled(masters),
            EventV2::PsamIssued { number, key_version, revoked } => {
                Self::PsamIssued { number, key_version, revoked }
            }
            EventV2::AcquirerJoined(acquirer) => Self::AcquirerJoined(acquirer),
            EventV2::RulesPublished(rules) => Self::RulesPublished(rules),
            EventV2::PsamSignedIn { psam, terminal, stan, nonce } => {
                Self::PsamSignedIn { psam, terminal, stan, nonce }
            }
            EventV2::AcquirerSigned { acquirer, on, sent, adopts } => {
                Self::AcquirerSigned { acquirer, on, sent, adopts }
            }
            EventV2::ZoneKeysChanged { acquirer, version, keys, sent, adopts } => {
                Self::ZoneKeysChanged { acquirer, version, keys, sent, adopts }
            }
            EventV2::HoldExpired { hold, original, amount } => Self::HoldExpired { hold, original, amount },
            EventV2::CutOver { opens } => Self::CutOver { opens },
            EventV2::Alert { terminal, card, kind, cause } => Self::Alert { terminal, card, kind, cause },
            EventV2::KeysRewrapped { lmk, keeper, blocks } => Self::KeysRewrapped { lmk, keeper, blocks },
        }
    }
}

impl From<PurseTypeV2> for PurseType {
    fn from(purse: PurseTypeV2) -> Self {
        let PurseTypeV2 { name, currency, categories, floor, max, cash } = purse;
        Self { name, currency, categories, floor, max, cash, last_day: None }
    }
}

impl From<ProductV2> for Product {
    fn from(product: ProductV2) -> Self {
        Self {
            name: product.name,
            purses: product.purses,
            load_purse: product.load_purse,
            balance_max: product.balance_max,
            pin: product.pin,
            balance_needs_pin: product.balance_needs_pin,
            regions: product.regions,
            hold_ms: product.hold_ms,
            hold_by_category: ArrayVec::new(),
            completion_over_pct: 0,
            late_completion: false,
            deposit: 0,
        }
    }
}

impl From<IssuedCardV2> for IssuedCard {
    fn from(card: IssuedCardV2) -> Self {
        Self {
            token: card.token,
            bin: card.bin,
            last_four: card.last_four,
            product: card.product,
            orderer: card.orderer,
            state: card.state,
            expiry_yymm: card.expiry_yymm,
            pvki: card.pvki,
            pvv: card.pvv,
            phone: card.phone,
            regions: card.regions,
            opening: card.opening,
            deposit: 0,
        }
    }
}

impl From<OnOriginalV2> for super::OnOriginal {
    fn from(on: OnOriginalV2) -> Self {
        let OnOriginalV2 { seq, returned, uncounted, uncounts_whole } = on;
        Self { seq, returned, uncounted, uncounts_whole, added: 0 }
    }
}

impl From<DecidedV2> for super::Decided {
    fn from(decided: DecidedV2) -> Self {
        Self {
            key: decided.key,
            kind: decided.kind,
            card: decided.card,
            amount: decided.amount,
            partial: None,
            currency: decided.currency,
            fee: decided.fee,
            fee_rule: None,
            reason: decided.reason,
            shown: decided.shown,
            pin_tries: decided.pin_tries,
            pvv: decided.pvv,
            activates: decided.activates,
            blocks: decided.blocks,
            forced: false,
            adopts: decided.adopts,
            random: decided.random,
            calling: decided.calling,
            reversal: decided.reversal,
            original: decided.original.map(super::OnOriginal::from),
            particulars: decided.particulars,
            releases: decided.releases,
            places: decided.places,
            hold_of: decided.hold_of,
            fired: decided.fired,
            judged: None,
            stranger: None,
            notice: decided.notice,
            postings: decided.postings,
        }
    }
}
