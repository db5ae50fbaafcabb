//! A decision from facts: is this request on a list, does a rule object?
//!
//! This crate does no I/O and reads no clock: the day, the time and everything known about the request are
//! arguments, and what happened before stands in [`Counters`] that the caller writes. So a live decision, a replay
//! and a backtest are the same computation.
//!
//! Start at [`RuleSet::evaluate`]. A rule set is its lists ([`lists`]) and its rules ([`rule`]); what rules count
//! with is in [`counters`].

mod cards;
pub mod counters;
pub mod day;
pub mod file;
pub mod language;
pub mod line;
pub mod lists;
pub mod past;
pub mod region;
pub mod rule;
pub mod rulebook;

pub use counters::{CounterRow, Counters, Who};
pub use day::{Day, Period};
pub use file::{RuleFile, RuleRow};
pub use line::{Counts, Line, Tally};
pub use lists::{Entry, ListReason, Lists, Subject};
pub use rule::{
    Action, AmountMax, Limit, LimitOf, RegionOf, Rule, RuleError, RuleId, RuleIdError, Rules, Test,
};

/// What is known about one request when the rules look at it.
///
/// Identifiers are fixed arrays because that is how they travel and are compared; a card appears only as its
/// keyed token, never as its number.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The card's keyed token.
    pub card: [u8; 16],
    /// The first six digits of the card number.
    pub bin: u32,
    /// Field 41.
    pub terminal: [u8; 8],
    /// Field 42.
    pub merchant: [u8; 15],
    /// Recorded time of the request, milliseconds since 1970 UTC. Never the clock.
    pub now_ms: i64,
    /// The business day of that time.
    pub day: Day,
    /// Position of the card in the counters.
    pub card_index: u32,
    /// Position of the terminal in the counters.
    pub terminal_index: u32,
    /// Position of the merchant.
    pub merchant_index: u32,
    /// Position of the card's product.
    pub product: u16,
    /// The terminal's merchant category code (ISO 18245).
    pub category: u16,
    /// What the request would spend, minor units; 0 for an inquiry, and for whatever else spends nothing.
    pub amount: i64,
    /// ISO 4217 number.
    pub currency: u16,
    /// The terminal's region, six digits (GB/T 2260).
    pub region: u32,
    /// Regions the card may be used in; empty: everywhere.
    pub card_regions: &'a [u32],
    /// Regions the card's product may be used in; empty: everywhere.
    pub product_regions: &'a [u32],
}

/// Why a request is declined.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DeclineReason {
    /// A list says lost.
    Lost,
    /// A list says stolen.
    Stolen,
    /// A list says fraud, or a rule suspects it.
    Fraud,
    /// A list says not to be served.
    Restricted,
    /// A sum would exceed its limit.
    AmountLimit,
    /// A number would exceed its limit.
    CountLimit,
    /// Not to be used in the terminal's region; answered like [`DeclineReason::Restricted`].
    Region,
}

impl From<ListReason> for DeclineReason {
    fn from(reason: ListReason) -> Self {
        match reason {
            ListReason::Lost => Self::Lost,
            ListReason::Stolen => Self::Stolen,
            ListReason::Fraud => Self::Fraud,
            ListReason::Restricted => Self::Restricted,
        }
    }
}

/// What the rule set says about a request. Decline wins over notify, notify over pass.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Assessment {
    /// Decline, because of this: a list before a rule, an earlier rule before a later one.
    pub decline: Option<DeclineReason>,
    /// Every rule that fired, whatever came of it: bit 0 is the first rule. See [`Rules::fired`].
    pub fired: u64,
    /// Approve and tell somebody; never together with a decline.
    pub notify: bool,
}

/// Everything that is evaluated for a request, as one value.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Blacklists by subject.
    pub lists: Lists,
    /// Rules, in order.
    pub rules: Rules,
}

impl Facts<'_> {
    /// Whose counters the request moves.
    #[must_use]
    pub fn who(&self) -> Who {
        Who {
            card: self.card_index,
            terminal: self.terminal_index,
            merchant: self.merchant_index,
            product: self.product,
        }
    }
}

impl RuleSet {
    /// Evaluates the rule set on one request that the counters have not counted yet. Allocates nothing, cannot fail.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts<'_>, counters: &Counters) -> Assessment {
        let listed = self.lists.find(facts).map(DeclineReason::from);
        let mut assessment = Assessment { decline: listed, ..Assessment::default() };
        self.rules.assess(facts, counters, &mut assessment);
        assessment.notify &= assessment.decline.is_none();
        assessment
    }
}
