//! What a trial found: for each rule, for the set, and where it would have decided otherwise.
//!
//! A hit counts as fraud or genuine once its label is known; what nobody knows yet is counted apart, and is in no
//! precision. Amounts are minor units of one currency; what was in another is counted and not added.
//!
//! Start at [`Findings`].

use std::collections::BTreeMap;

use risk::language::{Currency, Hits, RuleBits};
use risk::past::Happened;
use risk::rulebook::{Outcome, RuleState, Rulebook, Verdict};

use super::Label;

/// Examples that are kept of each kind.
const EXAMPLES_MAX: usize = 10;

const WEEK_MS: i64 = 7 * 86_400_000;

/// What a trial found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Currency of the amounts.
    pub currency: Currency,
    /// Requests that were put to the rules.
    pub rows: u64,
    /// Time of the first, milliseconds since 1970 UTC.
    pub first_ms: Option<i64>,
    /// Time of the last.
    pub last_ms: Option<i64>,
    /// The rules, by their place.
    pub rules: Vec<RuleFindings>,
    /// How often two rules fired together, by place times the number of rules plus the other's place.
    pub together: Vec<u64>,
    /// The set as a whole, where it declines.
    pub declines: RuleFindings,
    /// Requests that are known to be fraud.
    pub frauds: u64,
    /// What they were about.
    pub fraud_value: i64,
    /// Requests known to be fraud that any rule fired on.
    pub frauds_hit: u64,
    /// Requests that were declined when they happened, or by the rules that decide now.
    pub were_declined: u64,
    /// Requests that the set declines and that were not declined.
    pub gained: u64,
    /// Requests that were declined and that the set does not decline.
    pub lost: u64,
    /// Some of the first.
    pub gained_examples: Vec<Example>,
    /// Some of the others.
    pub lost_examples: Vec<Example>,
    /// By weeks since 1970.
    pub weeks: BTreeMap<i64, Week>,
    /// What was recorded when rules of the set were asked before, on a journal.
    pub recorded: Option<Recorded>,
    /// Not everything was looked at.
    pub partial: bool,
}

/// Decisions at which rules of the set were in force already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recorded {
    /// How many.
    pub decisions: u64,
    /// At how many of them a rule's hit was not recorded as it is found now.
    pub otherwise: u64,
}

/// What was found of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFindings {
    /// Its name; none for the set as a whole.
    pub id: String,
    /// What it wants done.
    pub outcome: Option<Outcome>,
    /// Its state in its file.
    pub state: Option<RuleState>,
    /// How often it fired.
    pub hits: u64,
    /// How often it did not apply, because a fact was missing.
    pub not_applicable: u64,
    /// Hits that are known to be fraud.
    pub fraud: u64,
    /// Hits that are known to be genuine.
    pub genuine: u64,
    /// Hits of which nobody knows.
    pub unknown: u64,
    /// What it fired on together.
    pub value: i64,
    /// What of that is known to be fraud: what it would have stopped.
    pub value_stopped: i64,
    /// Hits that were declined when they happened, or by the rules that decide now.
    pub with_live: u64,
    /// What it costs by the catalogue if all of it is looked at, nanoseconds.
    pub cost_ns: u32,
    /// What it cost by itself when it was measured, nanoseconds.
    pub measured_ns: Option<u64>,
}

/// A request that the set decides otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What people know it by.
    pub reference: String,
    /// When it happened, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217 number.
    pub currency: u16,
    /// Whether it was fraud, if that was found out.
    pub fraud: Option<bool>,
    /// The rules that fired.
    pub rules: Vec<String>,
}

/// A week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Week {
    /// Requests.
    pub rows: u64,
    /// Known to be fraud.
    pub frauds: u64,
    /// Of these, those that a rule fired on.
    pub frauds_hit: u64,
    /// Known to be genuine, and a rule fired.
    pub genuine_hit: u64,
}

/// A request and what was said of it.
pub(super) struct Seen<'a> {
    pub(super) reference: &'a str,
    pub(super) happened: &'a Happened,
    pub(super) verdict: &'a Verdict,
    pub(super) was_declined: bool,
    pub(super) label: Option<Label>,
}

/// What its label will be counted for, once it is known.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Known {
    pub(super) fired: [u64; 4],
    pub(super) value: i64,
    pub(super) week: i64,
    pub(super) fraud: bool,
    pub(super) declined: bool,
}

impl Findings {
    pub(super) fn new(book: &Rulebook, currency: Currency) -> Self {
        let rule = |rule: &risk::rulebook::WrittenRule| RuleFindings {
            id: rule.id.clone(),
            outcome: Some(rule.outcome),
            state: Some(rule.state),
            cost_ns: rule.cost,
            ..RuleFindings::default()
        };
        let rules: Vec<RuleFindings> = book.evaluated().map(rule).collect();
        Self {
            currency,
            rows: 0,
            first_ms: None,
            last_ms: None,
            together: vec![0; rules.len() * rules.len()],
            rules,
            declines: RuleFindings { cost_ns: book.code().cost(), ..RuleFindings::default() },
            frauds: 0,
            fraud_value: 0,
            frauds_hit: 0,
            were_declined: 0,
            gained: 0,
            lost: 0,
            gained_examples: Vec::new(),
            lost_examples: Vec::new(),
            weeks: BTreeMap::new(),
            recorded: None,
            partial: false,
        }
    }

    /// Counts a request; what it gives has to be counted again when its label is known.
    pub(super) fn see(&mut self, seen: &Seen<'_>) -> Known {
        let Seen { happened, verdict, was_declined, label, .. } = *seen;
        self.rows += 1;
        self.first_ms = self.first_ms.or(Some(happened.at_ms));
        self.last_ms = Some(happened.at_ms);
        let week = happened.at_ms.div_euclid(WEEK_MS);
        self.weeks.entry(week).or_default().rows += 1;
        let value = if happened.currency == self.currency.number { happened.amount } else { 0 };
        let declined = verdict.outcome.declines();
        self.were_declined += u64::from(was_declined);
        let Hits { fired, not_applicable } = verdict.hits;
        not_applicable.iter().for_each(|rule| self.rules[rule].not_applicable += 1);
        for rule in fired.iter() {
            self.rules[rule].hit(value, was_declined);
            for other in fired.iter() {
                self.together[rule * self.rules.len() + other] += 1;
            }
        }
        if declined {
            self.declines.hit(value, was_declined);
        }
        self.compare(seen, declined, &fired);
        let fraud = label.is_some_and(|label| label.fraud);
        Known { fired: fired.words(), value, week, fraud, declined }
    }

    fn compare(&mut self, seen: &Seen<'_>, declined: bool, fired: &RuleBits) {
        let (count, examples) = match (declined, seen.was_declined) {
            (true, false) => (&mut self.gained, &mut self.gained_examples),
            (false, true) => (&mut self.lost, &mut self.lost_examples),
            _ => return,
        };
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(Example {
                reference: seen.reference.to_owned(),
                at_ms: seen.happened.at_ms,
                amount: seen.happened.amount,
                currency: seen.happened.currency,
                fraud: seen.label.map(|label| label.fraud),
                rules: fired.iter().map(|rule| self.rules[rule].id.clone()).collect(),
            });
        }
    }

    /// Counts a label that has become known.
    pub(super) fn know(&mut self, known: &Known) {
        let Known { value, week, fraud, declined, .. } = *known;
        let mut any = false;
        for rule in RuleBits::of_words(known.fired).iter() {
            any = true;
            self.rules[rule].know(fraud, value);
        }
        if declined {
            self.declines.know(fraud, value);
        }
        let week = self.weeks.entry(week).or_default();
        if fraud {
            self.frauds += 1;
            self.frauds_hit += u64::from(any);
            self.fraud_value = self.fraud_value.saturating_add(value);
            week.frauds += 1;
            week.frauds_hit += u64::from(any);
        } else if any {
            week.genuine_hit += 1;
        }
    }

    /// Hits without a label, or with one that was not known when the data ended: nobody could have counted it by then.
    pub(super) fn count_unknown(&mut self) {
        for rule in self.rules.iter_mut().chain([&mut self.declines]) {
            rule.unknown = rule.hits - rule.fraud - rule.genuine;
        }
    }
}

impl RuleFindings {
    fn hit(&mut self, value: i64, with_live: bool) {
        self.hits += 1;
        self.value = self.value.saturating_add(value);
        self.with_live += u64::from(with_live);
    }

    fn know(&mut self, fraud: bool, value: i64) {
        if fraud {
            self.fraud += 1;
            self.value_stopped = self.value_stopped.saturating_add(value);
        } else {
            self.genuine += 1;
        }
    }
}
