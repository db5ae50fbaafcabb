//! Events as version 1 wrote them, before holds, PSAMs and acquirers. Read, never written.

use arrayvec::{ArrayString, ArrayVec};
use serde::Deserialize;

use super::{
    CardState, Event, InstalledTerminal, IssuedCard, KeyRole, KeyText, KeysForTerminal, ListedReason,
    ListedSubject, MacScheme, OpenedMerchant, Pvv, ReversalEffect, TerminalDialect, Token,
};
use crate::{
    books::{
        policy::Policy,
        product::{PinRule, Product, Regions},
        reason::Reason,
        request::{Kind, Phone, Shown},
        transactions::TransactionKey,
    },
    ledger::{
        Currency, Minor, Postings,
        purse::{CATEGORIES_MAX, PURSES_MAX, PurseType},
    },
};

/// Reads an event behind its version byte.
pub(super) fn read(bytes: &[u8]) -> Result<Event, postcard::Error> {
    postcard::from_bytes::<EventV1>(bytes).map(Event::from)
}

#[derive(Deserialize)]
struct PolicyV1 {
    duplicate_window_ms: i64,
    duplicates_max: u32,
    duplicates_per_terminal: u32,
    pin_tries_max: u8,
    sign_ins_per_minute: u16,
    key_overlap_ms: i64,
}

#[derive(Deserialize)]
struct PurseTypeV1 {
    name: String,
    currency: Currency,
    categories: ArrayVec<u16, CATEGORIES_MAX>,
    floor: Minor,
    max: Minor,
}

#[derive(Deserialize)]
struct ProductV1 {
    name: String,
    purses: ArrayVec<u16, PURSES_MAX>,
    load_purse: u8,
    balance_max: Minor,
    pin: PinRule,
    balance_needs_pin: bool,
}

#[derive(Deserialize)]
struct InstalledTerminalV1 {
    id: [u8; 8],
    merchant: u32,
    category: u16,
    region: u32,
    dialect: TerminalDialect,
    mac: MacScheme,
    tmk: KeyText,
    may_load: bool,
}

#[derive(Deserialize)]
struct IssuedCardV1 {
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
    opening: ArrayVec<Minor, PURSES_MAX>,
}

#[derive(Deserialize)]
struct DecidedV1 {
    key: TransactionKey,
    kind: Kind,
    card: Option<u32>,
    amount: Minor,
    currency: Currency,
    reason: Reason,
    shown: Option<Minor>,
    pin_tries: Option<u8>,
    activates: bool,
    blocks: bool,
    adopts: Option<u32>,
    reversal: Option<(TransactionKey, ReversalEffect)>,
    postings: Postings,
}

#[derive(Deserialize)]
enum EventV1 {
    PolicySet(PolicyV1),
    KeyInstalled { role: KeyRole, index: u8, block: KeyText },
    PurseDefined(PurseTypeV1),
    ProductDefined(ProductV1),
    OrdererOpened { name: String, currency: Currency, float: Minor },
    MerchantOpened(OpenedMerchant),
    TerminalInstalled(InstalledTerminalV1),
    CardIssued(IssuedCardV1),
    Listed { subject: ListedSubject, reason: ListedReason, expires_ms: Option<i64>, source: String },
    GenesisDone,
    SignedIn { terminal: u32, stan: u32, version: u32, pin: KeyText, mac: KeyText, told: KeysForTerminal },
    SignedOff { terminal: u32, stan: u32 },
    Decided(DecidedV1),
}

impl From<EventV1> for Event {
    fn from(event: EventV1) -> Self {
        match event {
            EventV1::PolicySet(policy) => Self::PolicySet(policy.into()),
            EventV1::KeyInstalled { role, index, block } => Self::KeyInstalled { role, index, block },
            EventV1::PurseDefined(purse) => Self::PurseDefined(purse.into()),
            EventV1::ProductDefined(product) => Self::ProductDefined(product.into()),
            EventV1::OrdererOpened { name, currency, float } => Self::OrdererOpened { name, currency, float },
            EventV1::MerchantOpened(merchant) => Self::MerchantOpened(merchant),
            EventV1::TerminalInstalled(terminal) => Self::TerminalInstalled(terminal.into()),
            EventV1::CardIssued(card) => Self::CardIssued(card.into()),
            EventV1::Listed { subject, reason, expires_ms, source } => {
                Self::Listed { subject, reason, expires_ms, source }
            }
            EventV1::GenesisDone => Self::GenesisDone,
            EventV1::SignedIn { terminal, stan, version, pin, mac, told } => {
                Self::SignedIn { terminal, stan, version, pin, mac, told }
            }
            EventV1::SignedOff { terminal, stan } => Self::SignedOff { terminal, stan },
            EventV1::Decided(decided) => Self::Decided(decided.into()),
        }
    }
}

impl From<PolicyV1> for Policy {
    fn from(policy: PolicyV1) -> Self {
        Self {
            duplicate_window_ms: policy.duplicate_window_ms,
            duplicates_max: policy.duplicates_max,
            duplicates_per_terminal: policy.duplicates_per_terminal,
            pin_tries_max: policy.pin_tries_max,
            sign_ins_per_minute: policy.sign_ins_per_minute,
            key_overlap_ms: policy.key_overlap_ms,
            ..Self::default()
        }
    }
}

impl From<PurseTypeV1> for PurseType {
    fn from(purse: PurseTypeV1) -> Self {
        let PurseTypeV1 { name, currency, categories, floor, max } = purse;
        Self { name, currency, categories, floor, max, cash: false, last_day: None }
    }
}

impl From<ProductV1> for Product {
    fn from(product: ProductV1) -> Self {
        let ProductV1 { name, purses, load_purse, balance_max, pin, balance_needs_pin } = product;
        let regions = Regions::new();
        Self {
            name,
            purses,
            load_purse,
            balance_max,
            pin,
            balance_needs_pin,
            regions,
            hold_ms: HOLD_MS,
            hold_by_category: ArrayVec::new(),
            completion_over_pct: 0,
            late_completion: false,
            deposit: 0,
        }
    }
}

/// Seven days, which was to become the default.
const HOLD_MS: i64 = 7 * 24 * 3_600_000;

impl From<InstalledTerminalV1> for InstalledTerminal {
    fn from(terminal: InstalledTerminalV1) -> Self {
        Self {
            id: terminal.id,
            merchant: terminal.merchant,
            category: terminal.category,
            region: terminal.region,
            dialect: terminal.dialect,
            mac: terminal.mac,
            tmk: terminal.tmk,
            may_load: terminal.may_load,
            psam: None,
            phone: Phone::new(),
            acquirer: None,
        }
    }
}

impl From<IssuedCardV1> for IssuedCard {
    fn from(card: IssuedCardV1) -> Self {
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
            regions: Regions::new(),
            opening: card.opening,
            deposit: 0,
        }
    }
}

impl From<DecidedV1> for super::Decided {
    fn from(decided: DecidedV1) -> Self {
        Self {
            key: decided.key,
            kind: decided.kind,
            card: decided.card,
            amount: decided.amount,
            partial: None,
            currency: decided.currency,
            fee: 0,
            fee_rule: None,
            reason: decided.reason,
            shown: decided.shown.map(|available| Shown { available, held: 0 }),
            pin_tries: decided.pin_tries,
            pvv: None,
            activates: decided.activates,
            blocks: decided.blocks,
            forced: false,
            adopts: decided.adopts,
            random: None,
            calling: None,
            reversal: decided.reversal,
            original: None,
            particulars: 0,
            releases: None,
            places: None,
            hold_of: None,
            fired: 0,
            judged: None,
            stranger: None,
            notice: None,
            postings: decided.postings,
        }
    }
}
