//! What the model knows, and the words for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use cardswitch::books::{
    decide::operations::OperationError,
    event::{CardState, InstalledTerminal, OpenedMerchant},
    fees::FeeRule,
    holder_limits::HolderLimits,
    policy::Policy,
    product::{PinRule, Product},
    reason::Reason,
    request::Kind,
};
use cardswitch::ledger::purse::PurseType;

use super::HOUR_MS;

const DAY_MS: i64 = 24 * HOUR_MS;

/// A rule of the model that a test flips, to see that the disagreement is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// A fee's half unit is rounded up.
    FeesRoundHalfUp,
    /// What is held cannot be spent.
    HeldMoneyIsKept,
    /// What goes back goes to the purse used last first.
    BackInReverseOrder,
    /// All that goes back together is no more than what was taken.
    JointCap,
    /// A completion for less than the hold releases the rest.
    RestIsReleased,
    /// A hold ends at its time, not later.
    HoldsEnd,
    /// An addition comes on top of what is held.
    AdditionsAddUp,
    /// What comes behind its own reversal is declined.
    ReversedBeforeItCame,
    /// Another request under a name that was used is refused.
    RepeatsAreCompared,
    /// A load pays first what the card owes.
    DebtsFirst,
    /// What was spent and is taken back becomes a debt.
    ShortfallIsOwed,
    /// A float does not fall below zero.
    FloatCovers,
    /// Part of a purchase is approved only where the terminal can take the rest.
    PartOnlyWhereAllowed,
    /// A deposit for a lost card is income.
    DepositIsForfeited,
    /// An order is carried out once.
    OrdersOnce,
    /// What is beyond a holder's limit is declined.
    HoldersLimit,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::FeesRoundHalfUp,
        Self::HeldMoneyIsKept,
        Self::BackInReverseOrder,
        Self::JointCap,
        Self::RestIsReleased,
        Self::HoldsEnd,
        Self::AdditionsAddUp,
        Self::ReversedBeforeItCame,
        Self::RepeatsAreCompared,
        Self::DebtsFirst,
        Self::ShortfallIsOwed,
        Self::FloatCovers,
        Self::PartOnlyWhereAllowed,
        Self::DepositIsForfeited,
        Self::OrdersOnce,
        Self::HoldersLimit,
    ];
}

/// Somewhere money lies. Those behind the lines are one for each currency.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::model) enum Place {
    /// A card's purse, by its place in the order of use.
    Purse(usize, usize),
    Merchant(usize),
    Acquirer(usize),
    Float(usize),
    /// What an agent has drawn on its line, negative.
    Line(usize),
    Fees(u16),
    Receivable(u16),
    Bank(u16),
    Deposits(u16),
}

#[derive(Clone, Debug)]
pub(in crate::model) struct Card {
    pub(in crate::model) product: usize,
    pub(in crate::model) orderer: usize,
    pub(in crate::model) state: CardState,
    /// The last month of its life, `YYMM`.
    pub(in crate::model) expiry_yymm: u16,
    pub(in crate::model) wrong_pins: u8,
    pub(in crate::model) balances: Vec<i64>,
    pub(in crate::model) deposit: i64,
    /// By currency: how much, and whether that took the card out of use.
    pub(in crate::model) owed: BTreeMap<u16, (i64, bool)>,
    /// Live holds.
    pub(in crate::model) holds: Vec<u64>,
    /// What its holder allows.
    pub(in crate::model) limits: HolderLimits,
}

impl Card {
    /// Whether its last month is over, eight hours east.
    pub(super) fn has_expired(&self, now: i64) -> bool {
        let (year, month) = (2000 + i64::from(self.expiry_yymm / 100), i64::from(self.expiry_yymm % 100));
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let years = year - 1970;
        // The first year that is left out of the leap years lies in 2100.
        let leap_days = (years + 1) / 4;
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let in_year = before[usize::try_from(month - 1).expect("a month")];
        let is_leap = year % 4 == 0 && month > 2;
        let days = years * 365 + leap_days + in_year + i64::from(is_leap);
        now + 8 * HOUR_MS >= days * DAY_MS
    }
}

/// Terminal, batch, STAN, class.
pub(in crate::model) type Name = (usize, u32, u32, u8);

/// What is said about the PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::model) enum Pin {
    Absent,
    Right,
    Wrong,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Ask {
    pub(in crate::model) kind: Kind,
    pub(in crate::model) name: Name,
    /// When it was first sent, to the second: what a cash machine's message says in field 7.
    pub(in crate::model) sent: i64,
    pub(in crate::model) card: Option<usize>,
    pub(in crate::model) amount: i64,
    pub(in crate::model) currency: u16,
    pub(in crate::model) acquirer_fee: i64,
    pub(in crate::model) partial_allowed: bool,
    pub(in crate::model) replacement: i64,
    pub(in crate::model) contactless: bool,
    pub(in crate::model) pin: Pin,
    /// What a reversal takes back.
    pub(in crate::model) reverses: Option<Kind>,
    pub(in crate::model) original_batch: Option<u32>,
    pub(in crate::model) original_stan: Option<u32>,
    pub(in crate::model) approval: Option<u32>,
}

/// What a request is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::model) struct Told {
    pub(in crate::model) reason: Reason,
    /// What can be spent and what is held, where it is shown.
    pub(in crate::model) shown: Option<(i64, i64)>,
    pub(in crate::model) partial: Option<i64>,
    pub(in crate::model) repeat: bool,
    /// The record, if there is one.
    pub(in crate::model) seq: Option<u64>,
}

impl Told {
    pub(super) fn unrecorded(reason: Reason) -> Self {
        Self { reason, shown: None, partial: None, repeat: false, seq: None }
    }
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::model) enum Refused {
    Done,
    Expired,
    Operation(OperationError),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Answered,
    Reversed,
    /// Reversed before it came.
    Tombstone,
}

#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) ask: Ask,
    pub(super) card: Option<usize>,
    pub(super) seq: u64,
    pub(super) time: i64,
    pub(super) told: Told,
    pub(super) standing: Standing,
    pub(super) moved: Vec<(Place, i64)>,
    pub(super) about: Option<u64>,
    pub(super) returned: i64,
}

/// An approved transaction that others may name.
#[derive(Clone, Debug)]
pub(in crate::model) struct Approval {
    pub(super) time: i64,
    pub(super) name: Name,
    pub(super) kind: Kind,
    pub(super) merchant: usize,
    pub(super) card: usize,
    pub(in crate::model) amount: i64,
    pub(super) currency: u16,
    pub(super) fee: i64,
    /// What each purse gave, in order of use, and behind them what is owed of it.
    pub(super) took: Vec<(Place, i64)>,
    pub(super) payee: Option<Place>,
    pub(in crate::model) returned: i64,
    pub(in crate::model) hold: Option<u64>,
    /// The hold's time ran out and nothing was paid of it since.
    pub(in crate::model) lapsed: bool,
    pub(in crate::model) reversed: bool,
}

impl Approval {
    pub(super) fn taken(&self) -> i64 {
        self.took.iter().map(|(_, amount)| amount).sum()
    }
}

#[derive(Clone, Debug)]
pub(in crate::model) struct Hold {
    pub(super) card: usize,
    /// Purse and amount, in order of use.
    pub(super) legs: Vec<(usize, i64)>,
    pub(super) expires: i64,
    /// The pre-authorization's record.
    pub(super) of: u64,
}

impl Hold {
    pub(super) fn total(&self) -> i64 {
        self.legs.iter().map(|(_, amount)| amount).sum()
    }
}

/// What a request comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reason: Reason,
    pub(super) shown: Option<(i64, i64)>,
    pub(super) partial: Option<i64>,
    pub(super) moved: Vec<(Place, i64)>,
    pub(super) fee: i64,
    pub(super) about: Option<u64>,
    pub(super) returned: i64,
    pub(super) added: i64,
    pub(super) releases: Option<u64>,
    pub(super) places: Option<(Vec<(usize, i64)>, i64)>,
    pub(super) hold_of: Option<u64>,
    pub(super) lapsed: Option<bool>,
    pub(super) activates: bool,
    pub(super) blocks: bool,
}

impl Outcome {
    pub(super) fn approved() -> Self {
        Self::declined(Reason::Approved)
    }

    pub(super) fn declined(reason: Reason) -> Self {
        Self {
            reason,
            shown: None,
            partial: None,
            moved: Vec::new(),
            fee: 0,
            about: None,
            returned: 0,
            added: 0,
            releases: None,
            places: None,
            hold_of: None,
            lapsed: None,
            activates: false,
            blocks: false,
        }
    }
}

/// What time brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::model) enum Due {
    Day(i32),
    Expiry { hold: u64, amount: i64 },
}

/// Everything.
#[derive(Clone, Debug)]
pub(in crate::model) struct Naive {
    pub(in crate::model) policy: Policy,
    pub(in crate::model) purse_types: Vec<PurseType>,
    pub(in crate::model) products: Vec<Product>,
    pub(in crate::model) merchants: Vec<OpenedMerchant>,
    pub(in crate::model) terminals: Vec<InstalledTerminal>,
    /// Of each orderer's float, and of each acquirer's account.
    pub(in crate::model) float_currencies: Vec<u16>,
    pub(in crate::model) acquirer_currencies: Vec<u16>,
    pub(in crate::model) cards: Vec<Card>,
    pub(in crate::model) fees: Vec<FeeRule>,
    /// What lies anywhere but in purses.
    pub(in crate::model) money: BTreeMap<Place, i64>,
    pub(super) holds: BTreeMap<u64, Hold>,
    /// Holds by the end of their time.
    pub(super) ends: BTreeSet<(i64, u64)>,
    pub(in crate::model) approvals: BTreeMap<u64, Approval>,
    /// The newest approval under a name.
    pub(super) approved_as: HashMap<Name, u64>,
    pub(super) remembered: HashMap<Name, Remembered>,
    /// What is remembered, oldest first, under names that may have been used again since.
    pub(super) ages: VecDeque<(i64, Name)>,
    pub(super) alerted: HashMap<usize, i64>,
    pub(super) orders_done: Vec<([u8; 16], i64)>,
    pub(in crate::model) day: i32,
    pub(in crate::model) seq: u64,
    pub(in crate::model) flipped: Option<Rule>,
}

impl Naive {
    pub(in crate::model) fn new(policy: Policy) -> Self {
        Self {
            policy,
            purse_types: Vec::new(),
            products: Vec::new(),
            merchants: Vec::new(),
            terminals: Vec::new(),
            float_currencies: Vec::new(),
            acquirer_currencies: Vec::new(),
            cards: Vec::new(),
            fees: Vec::new(),
            money: BTreeMap::new(),
            holds: BTreeMap::new(),
            ends: BTreeSet::new(),
            approvals: BTreeMap::new(),
            approved_as: HashMap::new(),
            remembered: HashMap::new(),
            ages: VecDeque::new(),
            alerted: HashMap::new(),
            orders_done: Vec::new(),
            day: 0,
            seq: 0,
            flipped: None,
        }
    }

    pub(super) fn is_flipped(&self, rule: Rule) -> bool {
        self.flipped == Some(rule)
    }

    pub(super) fn product(&self, card: usize) -> &Product {
        &self.products[self.cards[card].product]
    }

    /// A card's purses, in order of use.
    pub(in crate::model) fn purses(&self, card: usize) -> impl Iterator<Item = (usize, &PurseType)> {
        let types = &self.product(card).purses;
        types.iter().map(|at| &self.purse_types[usize::from(*at)]).enumerate()
    }

    pub(super) fn merchant(&self, terminal: usize) -> &OpenedMerchant {
        &self.merchants[self.terminals[terminal].merchant as usize]
    }

    pub(super) fn is_small(&self, ask: &Ask, card: usize) -> bool {
        match self.product(card).pin {
            PinRule::Always => false,
            PinRule::ContactlessAbove(max) => ask.contactless && ask.amount <= max,
        }
    }

    pub(in crate::model) fn balance(&self, place: Place) -> i64 {
        match place {
            Place::Purse(card, purse) => self.cards[card].balances[purse],
            _ => self.money.get(&place).copied().unwrap_or(0),
        }
    }

    pub(super) fn put(&mut self, place: Place, amount: i64) {
        match place {
            Place::Purse(card, purse) => self.cards[card].balances[purse] += amount,
            _ => *self.money.entry(place).or_default() += amount,
        }
    }

    pub(in crate::model) fn held(&self, card: usize, purse: usize) -> i64 {
        let legs = self.cards[card].holds.iter().flat_map(|hold| &self.holds[hold].legs);
        legs.filter(|leg| leg.0 == purse).map(|leg| leg.1).sum()
    }

    /// What may be spent of a purse.
    pub(super) fn available(&self, card: usize, purse: usize) -> i64 {
        let type_at = self.product(card).purses[purse];
        let floor = self.purse_types[usize::from(type_at)].floor;
        let held = if self.is_flipped(Rule::HeldMoneyIsKept) { 0 } else { self.held(card, purse) };
        (self.cards[card].balances[purse] - held - floor).max(0)
    }

    pub(in crate::model) fn shown(&self, card: usize, currency: u16) -> (i64, i64) {
        let in_it = || self.purses(card).filter(|(_, purse)| purse.currency == currency);
        let held: i64 = in_it().map(|(purse, _)| self.held(card, purse)).sum();
        let together: i64 = in_it().map(|(purse, _)| self.cards[card].balances[purse]).sum();
        (together - held, held)
    }

    pub(in crate::model) fn owed(&self, card: usize, currency: u16) -> i64 {
        self.cards[card].owed.get(&currency).map_or(0, |owed| owed.0)
    }

    /// A debt grows, or is paid where `more` is negative.
    pub(super) fn owe(&mut self, card: usize, currency: u16, more: i64, blocks: bool) {
        let owed = self.cards[card].owed.entry(currency).or_default();
        owed.0 += more;
        owed.1 |= blocks;
        let blocked = owed.1;
        if owed.0 == 0 {
            let owed = &mut self.cards[card].owed;
            owed.remove(&currency);
            // What blocked the card stands with what is left.
            owed.values_mut().take(1).for_each(|left| left.1 |= blocked);
        }
    }
}
