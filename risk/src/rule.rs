//! Rules as values: whom a rule is about, what it tests, and what it wants done.
//!
//! A rule is plain data of a few kinds; there is no language here. How a city writes its rules in a file is in
//! [`crate::file`].
//!
//! Start at [`Rule`]; [`Rules`] is the set that is evaluated.

use std::fmt;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

use crate::{Assessment, Counters, Counts, DeclineReason, Facts, Period, line::LineAt, region};

/// Most rules in a set: the rules that fired are recorded as one bit each of 64.
pub const RULES_MAX: usize = 64;

/// Most characters of a rule's id.
pub const RULE_ID_CHARS_MAX: usize = 32;

/// A rule's name in files, tables and records: 1 to 32 letters, digits, hyphens and underscores.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "ArrayString<RULE_ID_CHARS_MAX>")]
pub struct RuleId(ArrayString<RULE_ID_CHARS_MAX>);

/// The text is no rule id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a rule's id must be 1 to {RULE_ID_CHARS_MAX} letters, digits, hyphens and underscores")]
pub struct RuleIdError;

/// One rule. It fires if it is on, is about the request (every list below that is not empty names it) and its test
/// holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// What it is for, shown to people.
    pub text: String,
    /// Live, or off.
    pub on: bool,
    /// What it wants done when it fires.
    pub action: Action,
    /// Products it is about, by position; empty: all.
    pub products: Vec<u16>,
    /// Merchant category codes (ISO 18245) it is about; empty: all.
    pub categories: Vec<u16>,
    /// Terminals it is about, by field 41; empty: all.
    pub terminals: Vec<[u8; 8]>,
    /// What it looks for.
    pub test: Test,
}

/// What a rule wants done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Action {
    /// Decline.
    Decline {
        /// Say suspected fraud in place of the test's own reason.
        as_fraud: bool,
    },
    /// Approve and tell somebody.
    Notify,
}

/// What a rule looks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Test {
    /// This would be the n-th approved authorization of this card at this merchant on this day; for a rule that
    /// declines, or a later one.
    NthAtMerchant {
        /// Which one; 3 is the third.
        n: u32,
    },
    /// With this request a count or a sum would exceed its limit.
    Limit(Limit),
    /// The terminal's region is not among the allowed ones.
    Region {
        /// Whose list of regions; an empty list allows everywhere.
        of: RegionOf,
    },
}

/// A limit on what is counted in a period: on how many, on how much, or both.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limit {
    /// Whose counters.
    pub of: LimitOf,
    /// In which period.
    pub period: Period,
    /// What counts.
    pub counts: Counts,
    /// Most in number, in any currency.
    pub count: Option<u32>,
    /// Most in sum.
    pub amount: Option<AmountMax>,
}

/// Most in sum. Requests in another currency neither meet it nor count toward it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AmountMax {
    /// Minor units.
    pub minor: i64,
    /// ISO 4217 number.
    pub currency: u16,
}

/// Whose counters a limit looks at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum LimitOf {
    /// The card's.
    Card,
    /// Those of all cards of the product together.
    Product,
    /// The terminal's.
    Terminal,
}

/// Whose allowed regions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RegionOf {
    /// The card's own.
    Card,
    /// Its product's.
    Product,
}

/// The rules that are evaluated together, in their order. At most [`RULES_MAX`], no two with one id.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// Why rules are no set, or a rule of a file is no rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// One too many.
    #[error("there are more than {RULES_MAX} rules")]
    TooMany,
    /// An id stands twice.
    #[error("rule {rule}, id: another rule has it")]
    Twice {
        /// The id.
        rule: RuleId,
    },
    /// A key of a rule is not what it should be.
    #[error("rule {rule}, {key}: must be {expected}")]
    Key {
        /// The rule's id.
        rule: RuleId,
        /// The key, as in the file.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl RuleId {
    /// Reads an id.
    ///
    /// # Errors
    /// The text is empty, longer than [`RULE_ID_CHARS_MAX`] or has another character in it.
    pub fn new(text: &str) -> Result<Self, RuleIdError> {
        ArrayString::from(text).map_err(|_| RuleIdError)?.try_into()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<ArrayString<RULE_ID_CHARS_MAX>> for RuleId {
    type Error = RuleIdError;

    fn try_from(text: ArrayString<RULE_ID_CHARS_MAX>) -> Result<Self, RuleIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || !text.bytes().all(allowed) { Err(RuleIdError) } else { Ok(Self(text)) }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Rules {
    /// A set of rules for counters whose sums are of `currency` (ISO 4217 number).
    ///
    /// # Errors
    /// There are too many, two have one id, or one limits a sum in another currency: nothing adds that up, so it
    /// would never fire.
    pub fn new(rules: Vec<Rule>, currency: u16) -> Result<Self, RuleError> {
        if rules.len() > RULES_MAX {
            return Err(RuleError::TooMany);
        }
        for (place, rule) in rules.iter().enumerate() {
            if rules[..place].iter().any(|earlier| earlier.id == rule.id) {
                return Err(RuleError::Twice { rule: rule.id });
            }
            if rule.sum_currency().is_some_and(|named| named != currency) {
                let expected = "the currency in which the city counts";
                return Err(RuleError::Key { rule: rule.id, key: "currency", expected });
            }
        }
        Ok(Self { rules })
    }

    /// The rules in their order; a rule's position is its bit in [`Assessment::fired`].
    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules whose bits are set in a recorded mask.
    pub fn fired(&self, mask: u64) -> impl Iterator<Item = &Rule> {
        self.rules.iter().enumerate().filter(move |(place, _)| mask >> place & 1 == 1).map(|(_, rule)| rule)
    }

    /// Evaluates every rule that is on. The first that declines gives the reason, unless there is one already.
    pub(crate) fn assess(&self, facts: &Facts<'_>, counters: &Counters, assessment: &mut Assessment) {
        if self.rules.is_empty() {
            return;
        }
        let history = History::of(facts, counters);
        for (place, rule) in self.rules.iter().enumerate() {
            let Some(reason) = rule.fires(facts, &history) else { continue };
            assessment.fired |= 1 << place;
            match rule.action {
                Action::Notify => assessment.notify = true,
                Action::Decline { as_fraud } => {
                    let reason = if as_fraud { DeclineReason::Fraud } else { reason };
                    assessment.decline.get_or_insert(reason);
                }
            }
        }
    }
}

/// What the counters know about one request. The card's line, which most rules ask for, is looked up once for all of them.
struct History<'c> {
    card: LineAt<'c>,
    counters: &'c Counters,
}

impl<'c> History<'c> {
    fn of(facts: &Facts<'_>, counters: &'c Counters) -> Self {
        Self { card: counters.card_line(facts.card_index).at(facts.day), counters }
    }

    /// Approved authorizations of the card at the merchant on this day.
    #[inline(never)]
    fn visits(&self, facts: &Facts<'_>) -> u32 {
        self.counters.visits(facts.card_index, facts.merchant_index, facts.day)
    }

    #[inline(never)]
    fn line_of(&self, of: LimitOf, facts: &Facts<'_>) -> LineAt<'c> {
        let line = match of {
            LimitOf::Card => return self.card,
            LimitOf::Product => self.counters.product_line(facts.product),
            LimitOf::Terminal => self.counters.terminal_line(facts.terminal_index),
        };
        line.at(facts.day)
    }
}

impl Rule {
    /// The test's own reason, if the rule fires.
    fn fires(&self, facts: &Facts<'_>, history: &History<'_>) -> Option<DeclineReason> {
        if !self.on || !self.is_about(facts) {
            return None;
        }
        match self.test {
            Test::NthAtMerchant { n } => {
                let this = history.visits(facts).saturating_add(1);
                // Who is told of the third need not be told of the fourth.
                let counts = if self.action == Action::Notify { this == n } else { this >= n };
                let fires = facts.amount > 0 && counts;
                fires.then_some(DeclineReason::CountLimit)
            }
            Test::Limit(limit) => limit.exceeded(facts, history),
            Test::Region { of } => {
                let allowed = match of {
                    RegionOf::Card => facts.card_regions,
                    RegionOf::Product => facts.product_regions,
                };
                (!region::allows(allowed, facts.region)).then_some(DeclineReason::Region)
            }
        }
    }

    fn is_about(&self, facts: &Facts<'_>) -> bool {
        names(&self.products, &facts.product)
            && names(&self.categories, &facts.category)
            && names(&self.terminals, &facts.terminal)
    }

    fn sum_currency(&self) -> Option<u16> {
        match self.test {
            Test::Limit(limit) => limit.amount.map(|amount| amount.currency),
            Test::NthAtMerchant { .. } | Test::Region { .. } => None,
        }
    }
}

/// Whether a list is about something: it names it, or names nothing.
fn names<T: PartialEq>(list: &[T], wanted: &T) -> bool {
    list.is_empty() || list.contains(wanted)
}

impl Limit {
    /// Which of the two limits this request would exceed, the number before the sum.
    fn exceeded(&self, facts: &Facts<'_>, history: &History<'_>) -> Option<DeclineReason> {
        let line = match self.of {
            LimitOf::Card => history.card,
            of => history.line_of(of, facts),
        };
        let tally = line.tally(self.counts, self.period);
        // An inquiry is never an approved authorization, so it cannot be one too many.
        let counted = self.counts == Counts::Attempts || facts.amount > 0;
        if counted && self.count.is_some_and(|most| tally.count >= most) {
            return Some(DeclineReason::CountLimit);
        }
        let amount = self.amount.filter(|most| most.currency == facts.currency && facts.amount > 0)?;
        (tally.sum.saturating_add(facts.amount) > amount.minor).then_some(DeclineReason::AmountLimit)
    }
}

#[cfg(test)]
mod tests;
