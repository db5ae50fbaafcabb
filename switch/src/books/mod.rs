//! The books: the single writer that decides every request.
//!
//! [`Books::decide`] looks and says what should happen; [`Books::apply`] makes it so. Replay only applies, so a
//! changed rule or a mended fault cannot rewrite history. The books do no I/O and read no clock: the time comes
//! with the request, what the HSM found out comes as [`request::Facts`], and what happened goes out as an event.
//!
//! Start at [`decide`], where the order of checks stands in one place. [`event`] is what the journal holds.

pub mod alerts;
pub mod apply;
pub mod card;
pub mod cards;
pub mod chart;
pub mod currencies;
pub mod decide;
mod epochs;
pub mod event;
pub mod fees;
pub mod holder_limits;
mod index;
pub mod judged;
mod key_blocks;
pub mod lists;
mod newest;
pub mod notices;
pub mod order;
pub mod ordered;
pub mod originals;
pub mod owed;
pub mod packed_rules;
pub mod parties;
pub mod policy;
pub mod product;
pub mod reason;
pub mod request;
pub mod rulebook;
pub mod sizes;
pub mod snapshot;
mod tokens;
pub mod transactions;
pub mod warm;

use hashbrown::HashMap;
use risk::past::Spot;
use serde::{Deserialize, Serialize};

use self::{
    alerts::Alerts,
    cards::{CardDays, CardTable, Cards},
    chart::ChartInForce,
    currencies::FurtherAccounts,
    event::{KeyRole, KeyText, KeysForTerminal, MacScheme, PsamMasters, TerminalDialect, Token},
    fees::FeeRule,
    holder_limits::LimitedCards,
    lists::Lists,
    notices::{Cause, Notices},
    order::{DoneOrder, Epoch},
    originals::Originals,
    owed::SideLedger,
    policy::Policy,
    product::Product,
    request::Phone,
    rulebook::RulesInForce,
    transactions::Transactions,
};
use crate::ledger::{AccountId, AccountKind, Currency, Ledger, Minor, purse::PurseType};

pub use self::card::Card;
pub use self::parties::{Acquirer, AcquirerId, Psam, PsamId, ZoneKeys};
pub use crate::journal::Seq;

/// Position of a terminal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TerminalId(pub u32);

/// Position of a card.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CardId(pub u32);

/// A pair of working keys.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct WorkingKeys {
    /// Counts the sign-ins of the terminal.
    pub version: u32,
    /// PIN key.
    pub pin: KeyText,
    /// MAC key.
    pub mac: KeyText,
    /// Both as the terminal was told them.
    pub told: KeysForTerminal,
    /// When they were first used, milliseconds since 1970 UTC; `None` until then.
    pub used_since_ms: Option<i64>,
}

/// A terminal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Terminal {
    /// Field 41.
    pub id: [u8; 8],
    /// Position of its merchant.
    pub merchant: u32,
    /// Merchant category code.
    pub category: u16,
    /// Region it stands in.
    pub region: u32,
    /// Where on a map, if that is known.
    pub spot: Option<Spot>,
    /// What it speaks.
    pub dialect: TerminalDialect,
    /// Its MAC.
    pub mac: MacScheme,
    /// Whether it may load cards.
    pub may_load: bool,
    /// Its PSAM, for a telephone POS.
    pub psam: Option<PsamId>,
    /// The number it calls from, may be empty.
    pub phone: Phone,
    /// Its acquirer, for an ATM.
    pub acquirer: Option<AcquirerId>,
    /// When people were last alerted of it, for each cause, milliseconds since 1970 UTC.
    pub alerted_ms: [i64; Cause::COUNT],
    /// Whether it ended its shift and has sent nothing since. Told, not enforced: a sign-off carries no MAC.
    pub signed_off: bool,
    /// Its master key.
    pub tmk: KeyText,
    /// Keys in use.
    pub current: Option<Box<WorkingKeys>>,
    /// Keys given out at the last sign-in and not used yet.
    pub pending: Option<Box<WorkingKeys>>,
    /// Keys in use before, good until `previous_until_ms`.
    pub previous: Option<Box<WorkingKeys>>,
    /// End of the overlap, milliseconds since 1970 UTC.
    pub previous_until_ms: i64,
    /// Version of the newest keys.
    pub newest_version: u32,
    /// Start of the minute in which sign-ins are counted.
    pub sign_in_minute_ms: i64,
    /// Sign-ins in that minute.
    pub sign_ins: u16,
}

impl Terminal {
    /// Keys that may verify a message at this time: current, pending, previous.
    ///
    /// Keys live as long as requests are remembered: a message recorded on the line would otherwise be as good as
    /// new once its request is forgotten.
    pub fn keys_at(&self, now_ms: i64, policy: &Policy) -> impl Iterator<Item = &WorkingKeys> {
        let lifetime_ms = policy.duplicate_window_ms;
        let previous = self.previous.as_deref().filter(|_| now_ms < self.previous_until_ms);
        let fresh =
            move |keys: &&WorkingKeys| keys.used_since_ms.is_none_or(|since| now_ms - since < lifetime_ms);
        [self.current.as_deref(), self.pending.as_deref(), previous].into_iter().flatten().filter(fresh)
    }
}

/// A merchant.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Merchant {
    /// Field 42.
    pub id: [u8; 15],
    /// Its name.
    pub name: String,
    /// Whether it may take payments.
    pub active: bool,
    /// Fee in hundredths of a percent.
    pub fee_bp: u32,
    /// Lowest fee, minor units.
    pub fee_min: Minor,
    /// Highest fee, minor units.
    pub fee_max: Minor,
    /// What it is owed.
    pub payable: AccountId,
    /// Line on which its load terminals draw.
    pub load_line: Option<AccountId>,
}

impl Merchant {
    /// The fee on a purchase, in minor units: a share rounded half up, between minimum and cap, never above the
    /// amount.
    #[must_use]
    pub fn fee(&self, amount: Minor) -> Minor {
        self.share(amount).max(self.fee_min).min(self.fee_max).min(amount)
    }

    /// The share alone, which is the fee in another currency than that of minimum and cap.
    #[must_use]
    pub fn share(&self, amount: Minor) -> Minor {
        fees::share(amount, self.fee_bp).map_or(amount, |share| share.min(amount))
    }
}

/// An orderer of cards, whose float covers them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Orderer {
    /// Its name in files.
    pub name: String,
    /// The part of the float not used by cards.
    pub float: AccountId,
}

/// An issuer key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct IssuerKey {
    /// What it is for.
    pub role: KeyRole,
    /// Key index (PVKI), 0 where there is none.
    pub index: u8,
    /// The key.
    pub block: KeyText,
}

/// Everything that is known, as of the last applied record.
#[derive(Clone, Debug, Default)]
pub struct Books {
    seq: Seq,
    time_ms: i64,
    genesis_done: bool,
    policy: Policy,
    ledger: Ledger,
    issuer_keys: Vec<IssuerKey>,
    purses: Vec<PurseType>,
    products: Vec<Product>,
    orderers: Vec<Orderer>,
    merchants: Vec<Merchant>,
    merchants_by_id: HashMap<[u8; 15], u32>,
    terminals: Vec<Terminal>,
    terminals_by_id: HashMap<[u8; 8], TerminalId>,
    cards: CardTable,
    common: HashMap<(CommonAccount, Currency), AccountId>,
    transactions: Transactions,
    originals: Originals,
    listed: Vec<apply::Listed>,
    rules: risk::RuleSet,
    counters: risk::Counters,
    notices: Notices,
    psams: Vec<Psam>,
    psams_by_number: HashMap<[u8; 8], PsamId>,
    psam_masters: Vec<PsamMasters>,
    acquirers: Vec<Acquirer>,
    acquirers_by_id: HashMap<arrayvec::ArrayString<11>, AcquirerId>,
    business_day: i32,
    epochs: Vec<Epoch>,
    orders_done: Vec<DoneOrder>,
    fee_schedule: Vec<FeeRule>,
    side: SideLedger,
    chart: ChartInForce,
    further: FurtherAccounts,
    rulebook: Option<Box<RulesInForce>>,
    lists: Lists,
    alerts: Alerts,
    limited: LimitedCards,
}

/// Accounts that exist once per currency.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum CommonAccount {
    Bank,
    Fees,
    Receivable,
    /// Only where a product takes deposits.
    Deposits,
}

impl Books {
    /// The last applied record.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Recorded time of the last applied record, milliseconds since 1970 UTC. The next is never earlier.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Whether the import of the city is complete.
    #[must_use]
    pub fn genesis_done(&self) -> bool {
        self.genesis_done
    }

    /// The limits in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The money.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The requests that are remembered.
    #[must_use]
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The approved transactions that others may name.
    #[must_use]
    pub fn originals(&self) -> &Originals {
        &self.originals
    }

    /// The outbox.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Lists and rules in force.
    #[must_use]
    pub fn rules(&self) -> &risk::RuleSet {
        &self.rules
    }

    /// What the rules count.
    #[must_use]
    pub fn counters(&self) -> &risk::Counters {
        &self.counters
    }

    /// The business day that is open, days since 1970-01-01; 0 before the first.
    #[must_use]
    pub fn business_day(&self) -> i32 {
        self.business_day
    }

    /// The fee schedule in force.
    #[must_use]
    pub fn fee_schedule(&self) -> &[FeeRule] {
        &self.fee_schedule
    }

    /// The issuer keys.
    #[must_use]
    pub fn issuer_keys(&self) -> &[IssuerKey] {
        &self.issuer_keys
    }

    /// The purse types.
    #[must_use]
    pub fn purses(&self) -> &[PurseType] {
        &self.purses
    }

    /// The products.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The orderers.
    #[must_use]
    pub fn orderers(&self) -> &[Orderer] {
        &self.orderers
    }

    /// The merchants.
    #[must_use]
    pub fn merchants(&self) -> &[Merchant] {
        &self.merchants
    }

    /// The terminals.
    #[must_use]
    pub fn terminals(&self) -> &[Terminal] {
        &self.terminals
    }

    /// The cards.
    #[must_use]
    pub fn cards(&self) -> Cards<'_> {
        self.cards.view()
    }

    /// The terminal with this field 41.
    #[must_use]
    pub fn find_terminal(&self, id: &[u8; 8]) -> Option<TerminalId> {
        self.terminals_by_id.get(id).copied()
    }

    /// A terminal that [`Books::find_terminal`] named.
    #[must_use]
    pub fn terminal(&self, id: TerminalId) -> &Terminal {
        &self.terminals[id.0 as usize]
    }

    /// The PSAMs.
    #[must_use]
    pub fn psams(&self) -> &[Psam] {
        &self.psams
    }

    /// The PSAM with this number (BCD).
    #[must_use]
    pub fn find_psam(&self, number: &[u8; 8]) -> Option<PsamId> {
        self.psams_by_number.get(number).copied()
    }

    /// A PSAM that [`Books::find_psam`] named.
    #[must_use]
    pub fn psam(&self, id: PsamId) -> &Psam {
        &self.psams[id.0 as usize]
    }

    /// The masters from which PSAM keys come, by version.
    #[must_use]
    pub fn psam_masters(&self) -> &[PsamMasters] {
        &self.psam_masters
    }

    /// The acquirers.
    #[must_use]
    pub fn acquirers(&self) -> &[Acquirer] {
        &self.acquirers
    }

    /// The acquirer with this field 32.
    #[must_use]
    pub fn find_acquirer(&self, id: &str) -> Option<AcquirerId> {
        self.acquirers_by_id.get(id).copied()
    }

    /// An acquirer that [`Books::find_acquirer`] named.
    #[must_use]
    pub fn acquirer(&self, id: AcquirerId) -> &Acquirer {
        &self.acquirers[usize::from(id.0)]
    }

    /// The card that a token stands for.
    #[must_use]
    pub fn find_card(&self, token: &[u8; 16]) -> Option<CardId> {
        self.cards.find(&Token(*token))
    }

    /// A card that [`Books::find_card`] named, put together from its row.
    #[must_use]
    pub fn card(&self, id: CardId) -> Card {
        // INVARIANT: cards are never taken out, so a card that was found is there.
        self.cards.get(id.0).expect("a card of these books")
    }

    /// When a card was issued and its telephone was linked, as far as the city's files said.
    #[must_use]
    pub fn card_days(&self, id: CardId) -> CardDays {
        self.cards.days(id.0)
    }

    /// The accounts of a card's purses with their types, in order of use.
    pub fn card_purses(&self, card: &Card) -> impl Iterator<Item = (AccountId, &PurseType)> {
        let first = card.first_purse.0;
        let product = &self.products[usize::from(card.product)];
        product
            .purses
            .iter()
            .zip(first..)
            .map(|(purse, id)| (AccountId(id), &self.purses[usize::from(*purse)]))
    }

    /// What a card holds in a currency, all its purses together, what is promised to merchants included.
    #[must_use]
    pub fn card_balance(&self, card: &Card, currency: Currency) -> Minor {
        self.card_money(card, currency).0
    }

    /// What of it is promised to merchants.
    #[must_use]
    pub fn card_held(&self, card: &Card, currency: Currency) -> Minor {
        self.card_money(card, currency).1
    }

    /// Both: what a card holds in a currency, and what of it is promised to merchants.
    fn card_money(&self, card: &Card, currency: Currency) -> (Minor, Minor) {
        let purses = self.card_purses(card).filter(|(_, purse)| purse.currency == currency);
        purses.fold((0, 0), |(balance, held), (account, _)| {
            let (of_purse, promised) = self.ledger.balance_and_held(account);
            (balance + of_purse, held + promised)
        })
    }

    /// Whether an account is a purse of a card.
    fn is_purse(&self, account: AccountId) -> bool {
        matches!(self.ledger.purpose(account), Some(AccountKind::Purse { .. }))
    }

    #[inline(never)]
    fn common_account(&self, which: CommonAccount, currency: Currency) -> Option<AccountId> {
        self.common.get(&(which, currency)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_rounded_half_up_between_minimum_and_cap() {
        let merchant = Merchant {
            id: [b'0'; 15],
            name: String::new(),
            active: true,
            fee_bp: 38,
            fee_min: 5,
            fee_max: 2_000,
            payable: AccountId(0),
            load_line: None,
        };
        let rows = [(1, 1), (4, 4), (100, 5), (10_000, 38), (12_500, 48), (12_368, 47), (100_000_000, 2_000)];
        for (amount, want) in rows {
            assert_eq!(merchant.fee(amount), want, "fee on {amount}");
        }
        assert_eq!(merchant.fee(Minor::MAX), 2_000);
    }
}
