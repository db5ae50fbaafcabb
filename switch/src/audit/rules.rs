//! The set of rules that a switch decides by, for people: which rules are enforced, and how often each fired.
//!
//! Start at [`in_force`].

use risk::{
    Day,
    rulebook::{Outcome, Reason, RuleState, WrittenRule},
};
use serde::{Deserialize, Serialize};

use super::utc;
use crate::{
    books::{Books, rulebook::RulesInForce},
    clock::date_of_day,
    hex,
    journal::Seq,
};

/// A published set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RuleSet {
    /// Its number; the first is 1.
    pub number: u32,
    /// Its hash, hex digits.
    pub hash: String,
    /// The record that brought it.
    pub seq: Seq,
    /// When that was, RFC 3339 in UTC.
    pub since: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// Who approved it.
    pub approver: Option<String>,
    /// Its rules, in order.
    pub rules: Vec<RuleEntry>,
    /// What its rules in shadow and live count.
    pub windows: Vec<WindowEntry>,
}

/// A window of a set, and from where on it counts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct WindowEntry {
    /// As a rule writes it.
    pub window: String,
    /// The first record that can be in it.
    pub since: Seq,
}

/// A rule of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RuleEntry {
    /// Its name.
    pub id: String,
    /// What it is for.
    pub text: String,
    /// `draft`, `shadow`, `live` or `off`.
    pub state: String,
    /// Whether it can change an answer today: it is live, and the business day is one of its days.
    pub enforced: bool,
    /// What it wants done.
    pub outcome: String,
    /// Why it declines.
    pub reason: Option<String>,
    /// Its place in the order.
    pub priority: u16,
    /// Who answers for it.
    pub owner: String,
    /// The first day on which it is in force.
    pub from: Option<String>,
    /// The last one.
    pub until: Option<String>,
    /// How often it fired since the set was published; none of a rule that is not evaluated.
    pub fired: Option<u64>,
    /// How often it did not apply because a fact was missing.
    pub not_applicable: Option<u64>,
}

/// The set in force; none before the first was published.
#[must_use]
pub fn in_force(books: &Books) -> Option<RuleSet> {
    let set = books.rules_in_force()?;
    let published = set.published();
    let mut counted = published.fired.iter().zip(&published.not_applicable);
    let today = Day(books.business_day());
    let rules = set.book().rules().iter().map(|rule| {
        let counts = if rule.state.is_evaluated() { counted.next() } else { None };
        entry(rule, today, counts.map(|(fired, missing)| (*fired, *missing)))
    });
    let officer = |pick: fn(&(_, _)) -> _| published.officers.as_ref().map(pick);
    Some(RuleSet {
        number: published.number,
        hash: hex::digits(&set.hash().0),
        seq: published.seq,
        since: utc(published.since_ms),
        author: officer(|(author, _)| author.to_string()),
        approver: officer(|(_, approver)| approver.to_string()),
        rules: rules.collect(),
        windows: windows(set),
    })
}

fn windows(set: &RulesInForce) -> Vec<WindowEntry> {
    let asked = set.book().code().windows().iter().enumerate();
    let known = asked.filter_map(|(number, window)| Some((window, set.past().since(number)?)));
    known.map(|(window, since)| WindowEntry { window: window.to_string(), since: since.number }).collect()
}

fn entry(rule: &WrittenRule, today: Day, counts: Option<(u64, u64)>) -> RuleEntry {
    let begun = rule.from.is_none_or(|from| from <= today);
    let over = rule.until.is_some_and(|until| until < today);
    let date = |day: Option<Day>| day.map(|day| date_of_day(day.0).to_string());
    RuleEntry {
        id: rule.id.clone(),
        text: rule.text.clone(),
        state: word(&RuleState::WORDS, rule.state).to_owned(),
        enforced: rule.state == RuleState::Live && begun && !over,
        outcome: word(&Outcome::WORDS, rule.outcome).to_owned(),
        reason: rule.reason.map(|reason| word(&Reason::WORDS, reason).to_owned()),
        priority: rule.priority,
        owner: rule.owner.clone(),
        from: date(rule.from),
        until: date(rule.until),
        fired: counts.map(|(fired, _)| fired),
        not_applicable: counts.map(|(_, missing)| missing),
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| *word)
}
