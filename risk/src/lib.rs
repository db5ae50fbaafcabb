//! A decision from facts: is this request on a list, does a rule object?
//!
//! This crate does no I/O, reads no clock and keeps no history of its own: the time and everything known about
//! the request are arguments, so a live decision, a replay and a backtest are the same computation.
//!
//! Start at [`RuleSet::evaluate`]. Today a rule set is its lists ([`lists`]); rules written by analysts join them
//! behind the same call.

pub mod lists;

pub use lists::{Entry, ListReason, Lists, Subject};

/// What is known about one request when the rules look at it.
///
/// Identifiers are fixed arrays because that is how they travel and are compared; a card appears only as its
/// keyed token, never as its number.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
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
}

/// What the rules want done. Decline wins over pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// No objection.
    Pass,
    /// Decline, because of this.
    Decline(ListReason),
}

/// Everything that is evaluated for a request, as one value.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Blacklists by subject.
    pub lists: Lists,
}

impl RuleSet {
    /// Evaluates the rule set on one request. Allocates nothing, cannot fail.
    #[must_use]
    pub fn evaluate(&self, facts: &Facts) -> Outcome {
        match self.lists.find(facts) {
            Some(reason) => Outcome::Decline(reason),
            None => Outcome::Pass,
        }
    }
}
