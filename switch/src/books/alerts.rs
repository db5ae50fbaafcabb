//! Alerts: decisions that a live rule wants somebody to look at, until somebody has said what they were; and rules that are
//! snoozed for a card.
//!
//! An alert follows from the record of a decision and has its number, so a replay has the same ones. What people do with it is
//! ordered: one signature to take it up or to say what it was, two to snooze a rule, because that changes decisions. What it
//! was is a label, for backtests. Bounded: the oldest leave, and those that nobody had looked at are counted.
//!
//! Start at [`Alerts`] and `decide_alert`.

use std::collections::VecDeque;

use arrayvec::ArrayString;
use risk::{
    language::{Hits as Said, RuleBits},
    rulebook::{Outcome, Verdict},
};
use serde::{Deserialize, Serialize};

use super::{
    Books, Seq,
    event::{Decided, Event},
    judged::Hits,
    order::OfficerName,
    reason::Reason,
    request::Kind,
    rulebook::RulesInForce,
};
use crate::ledger::{Currency, Minor};

/// Alerts that are kept, whether somebody has looked at them or not: some three megabytes.
pub const ALERTS_MAX: usize = 16_384;

/// Rules that are snoozed for cards at once.
pub const SNOOZES_MAX: usize = 4_096;

/// Longest that a rule may be snoozed for a card, milliseconds: 366 days, and an hour because clocks differ.
pub const SNOOZE_MS_MAX: i64 = 366 * 86_400_000 + 3_600_000;

/// A rule's name.
pub type RuleId = ArrayString<32>;

/// What an alert turned out to be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It was fraud.
    Fraud,
    /// It was the holder.
    Genuine,
    /// Nobody knows.
    Unsure,
}

impl Disposition {
    /// All of them, in the order of their type.
    pub const ALL: [Self; 3] = [Self::Fraud, Self::Genuine, Self::Unsure];

    /// The word for it in tables, files and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fraud => "fraud",
            Self::Genuine => "genuine",
            Self::Unsure => "unsure",
        }
    }

    /// What it says of the request, as a label.
    #[must_use]
    pub fn fraud(self) -> Option<bool> {
        match self {
            Self::Fraud => Some(true),
            Self::Genuine => Some(false),
            Self::Unsure => None,
        }
    }
}

/// What somebody does with an alert.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStep {
    /// This person looks at it.
    Assign(OfficerName),
    /// It was this. Said again, the later word counts.
    Dispose(Disposition),
}

/// What was done with an alert.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HandledAlert {
    /// The alert: the record of its decision.
    pub alert: Seq,
    /// Who says so.
    pub by: OfficerName,
    /// What.
    pub step: AlertStep,
}

/// A rule that has no effect for a card, until a time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Snooze {
    /// Position of the card.
    pub card: u32,
    /// The rule.
    pub rule: RuleId,
    /// The alert that it was ordered for.
    pub alert: Seq,
    /// When it ends, milliseconds since 1970 UTC.
    pub until_ms: i64,
}

/// Why an order about an alert is not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AlertFault {
    /// There is none.
    #[error("no alert has this number, or it has left the queue")]
    NoSuch,
    /// Somebody has said what it was.
    #[error("somebody has said what this alert was; say otherwise with `alerts dispose`")]
    Disposed,
    /// It is another rule's.
    #[error("the alert is of another rule")]
    OtherRule,
    /// It would be snoozed for too long.
    #[error("a rule may be snoozed for 366 days at most")]
    TooLong,
    /// There is nothing to end.
    #[error("the rule is not snoozed for this card")]
    NotSnoozed,
    /// There is no room.
    #[error("as many rules are snoozed for cards as there is room for")]
    Full,
}

/// One alert.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Alert {
    /// The record of the decision.
    pub seq: Seq,
    /// Its time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// The set in force.
    pub set: u32,
    /// The rule of it that wants somebody to look.
    pub rule: RuleId,
    /// Position of the card.
    pub card: u32,
    /// Position of the terminal.
    pub terminal: u32,
    /// What was asked.
    pub kind: Kind,
    /// How it was answered.
    pub reason: Reason,
    /// Amount, minor units.
    pub amount: Minor,
    /// ISO 4217 number.
    pub currency: Currency,
    /// Who looks at it, and since when, milliseconds since 1970 UTC.
    pub assigned: Option<(OfficerName, i64)>,
    /// What it was, who said so, and when.
    pub disposed: Option<(Disposition, OfficerName, i64)>,
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    queue: VecDeque<Alert>,
    snoozed: Vec<Snooze>,
    counts: AlertCounts,
}

/// How many alerts there were, since the journal began.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct AlertCounts {
    /// Alerts.
    pub raised: u64,
    /// Alerts of which nobody has said yet what they were.
    pub open: u64,
    /// How often somebody said that it was this, by [`Disposition`].
    pub disposed: [u64; 3],
    /// Alerts that left because the queue was full, before anybody had said what they were.
    pub lapsed: u64,
}

impl Alerts {
    /// Reserves all the room there may be, so that later use allocates nothing.
    pub(super) fn reserve(&mut self) {
        self.queue.reserve_exact(ALERTS_MAX.saturating_sub(self.queue.len()));
    }

    fn raise(&mut self, alert: Alert) {
        if self.queue.len() >= ALERTS_MAX
            && let Some(oldest) = self.queue.pop_front()
            && oldest.disposed.is_none()
        {
            self.counts.open -= 1;
            self.counts.lapsed += 1;
        }
        self.counts.raised += 1;
        self.counts.open += 1;
        self.queue.push_back(alert);
    }

    /// Does what is recorded; no if there is no such alert.
    pub(super) fn handle(&mut self, handled: &HandledAlert, time_ms: i64) -> bool {
        let Ok(place) = self.place(handled.alert) else { return false };
        let alert = &mut self.queue[place];
        match handled.step {
            AlertStep::Assign(to) => alert.assigned = Some((to, time_ms)),
            AlertStep::Dispose(what) => {
                self.counts.open -= u64::from(alert.disposed.is_none());
                self.counts.disposed[what as usize] += 1;
                alert.disposed = Some((what, handled.by, time_ms));
            }
        }
        true
    }

    /// Snoozes a rule for a card, or ends that; those that are over go.
    pub(super) fn snooze(&mut self, snooze: &Snooze, time_ms: i64) {
        self.snoozed.retain(|other| other.until_ms > time_ms && !is_same(other, snooze));
        if snooze.until_ms > time_ms {
            let place =
                self.snoozed.partition_point(|other| (other.card, other.rule) < (snooze.card, snooze.rule));
            self.snoozed.insert(place, *snooze);
        }
    }

    fn place(&self, seq: Seq) -> Result<usize, usize> {
        self.queue.binary_search_by_key(&seq, |alert| alert.seq)
    }

    /// The alert of a decision.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&Alert> {
        self.place(seq).ok().map(|place| &self.queue[place])
    }

    /// Alerts with a number above `after`, oldest first.
    pub fn after(&self, after: Seq) -> impl Iterator<Item = &Alert> {
        self.queue.range(self.queue.partition_point(|alert| alert.seq <= after)..)
    }

    /// How many there were.
    #[must_use]
    pub fn counts(&self) -> &AlertCounts {
        &self.counts
    }

    /// Rules that are or were snoozed for cards, by card and rule.
    #[must_use]
    pub fn snoozed(&self) -> &[Snooze] {
        &self.snoozed
    }

    /// What is snoozed for a card at a time.
    pub fn snoozed_for(&self, card: u32, time_ms: i64) -> impl Iterator<Item = &Snooze> {
        let first = self.snoozed.partition_point(|snooze| snooze.card < card);
        let of_card = self.snoozed[first..].iter().take_while(move |snooze| snooze.card == card);
        of_card.filter(move |snooze| snooze.until_ms > time_ms)
    }

    /// As a checkpoint saved them.
    pub(super) fn restore(queue: Vec<Alert>, snoozed: Vec<Snooze>, counts: AlertCounts) -> Self {
        Self { queue: queue.into(), snoozed, counts }
    }
}

fn is_same(one: &Snooze, other: &Snooze) -> bool {
    (one.card, one.rule) == (other.card, other.rule)
}

impl Books {
    /// The alerts.
    #[must_use]
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// What follows if somebody orders this of an alert.
    pub(super) fn decide_alert(
        &self,
        alert: Seq,
        by: Option<OfficerName>,
        step: AlertStep,
    ) -> Result<Event, AlertFault> {
        let found = self.alerts.get(alert).ok_or(AlertFault::NoSuch)?;
        if matches!(step, AlertStep::Assign(_)) && found.disposed.is_some() {
            return Err(AlertFault::Disposed);
        }
        Ok(Event::AlertHandled(HandledAlert { alert, by: by.unwrap_or_default(), step }))
    }

    /// What follows if a rule is to be snoozed for the card of an alert; a time that is over ends that.
    pub(super) fn decide_snooze(
        &self,
        alert: Seq,
        rule: &RuleId,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<Event, AlertFault> {
        let found = self.alerts.get(alert).ok_or(AlertFault::NoSuch)?;
        if found.rule != *rule {
            return Err(AlertFault::OtherRule);
        }
        if until_ms > now_ms.saturating_add(SNOOZE_MS_MAX) {
            return Err(AlertFault::TooLong);
        }
        let snooze = Snooze { card: found.card, rule: *rule, alert, until_ms };
        let lasting = self.alerts.snoozed.iter().filter(|other| other.until_ms > now_ms);
        let snoozed = lasting.clone().any(|other| is_same(other, &snooze));
        if until_ms <= now_ms && !snoozed {
            return Err(AlertFault::NotSnoozed);
        }
        if until_ms > now_ms && !snoozed && lasting.count() >= SNOOZES_MAX {
            return Err(AlertFault::Full);
        }
        Ok(Event::RuleSnoozed(snooze))
    }

    /// A verdict of the set in force without the rules that are snoozed for the card. Those that fired stay on record.
    pub(super) fn awake(&self, rules: &RulesInForce, card: u32, time_ms: i64, verdict: Verdict) -> Verdict {
        let snoozed = self.snoozed_of(rules, card, time_ms, &verdict.hits.fired);
        if snoozed.is_empty() {
            return verdict;
        }
        let fired = verdict.hits.fired.without(&snoozed);
        Verdict { hits: verdict.hits, ..rules.book().verdict(Said { fired, ..verdict.hits }) }
    }

    /// Which of these rules are snoozed for a card.
    pub(crate) fn snoozed_of(
        &self,
        rules: &RulesInForce,
        card: u32,
        time_ms: i64,
        among: &RuleBits,
    ) -> RuleBits {
        let mut snoozed = RuleBits::default();
        for snooze in self.alerts.snoozed_for(card, time_ms) {
            let place = rules.book().evaluated().position(|rule| rule.id == snooze.rule.as_str());
            place.filter(|place| among.contains(*place)).into_iter().for_each(|place| snoozed.set(place));
        }
        snoozed
    }

    /// An alert, where a live rule that fired wants more than to be recorded.
    pub(super) fn raise_alert(&mut self, decided: &Decided, hits: &Hits) {
        let Some((card, rules)) = decided.card.zip(self.rules_in_force()) else { return };
        if hits.set != rules.published().number {
            return;
        }
        let verdict = rules.book().verdict(Said { fired: hits.fired, not_applicable: hits.not_applicable });
        let verdict = self.awake(rules, card, self.time_ms, verdict);
        if verdict.outcome == Outcome::Pass {
            return;
        }
        let Some(rule) = verdict.rule.and_then(|rule| rules.book().rule(rule)) else { return };
        let alert = Alert {
            seq: self.seq,
            time_ms: self.time_ms,
            set: hits.set,
            rule: RuleId::from(&rule.id).unwrap_or_default(),
            card,
            terminal: decided.key.terminal,
            kind: decided.kind,
            reason: decided.reason,
            amount: decided.amount,
            currency: decided.currency,
            assigned: None,
            disposed: None,
        };
        self.alerts.raise(alert);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn alert(seq: Seq) -> Alert {
        Alert {
            seq,
            time_ms: 0,
            set: 1,
            rule: RuleId::from("night-cash").unwrap(),
            card: 7,
            terminal: 0,
            kind: Kind::Purchase,
            reason: Reason::Approved,
            amount: 1,
            currency: 156,
            assigned: None,
            disposed: None,
        }
    }

    fn handled(alert: Seq, step: AlertStep) -> HandledAlert {
        HandledAlert { alert, by: OfficerName::from("ann").unwrap(), step }
    }

    #[test]
    fn one_past_the_maximum_the_oldest_leaves_and_is_counted_if_nobody_looked() {
        let mut alerts = Alerts::default();
        let last = ALERTS_MAX as u64 + 2;
        for seq in 1..=last {
            alerts.raise(alert(seq));
            if seq == 1 {
                assert!(alerts.handle(&handled(1, AlertStep::Dispose(Disposition::Unsure)), 5));
            }
        }
        let want = AlertCounts { raised: last, open: ALERTS_MAX as u64, disposed: [0, 0, 1], lapsed: 1 };
        assert_eq!(*alerts.counts(), want);
        assert!(alerts.get(2).is_none() && alerts.get(3).is_some());
        assert!(!alerts.handle(&handled(2, AlertStep::Dispose(Disposition::Fraud)), 5));
        assert_eq!(alerts.after(last - 1).map(|alert| alert.seq).collect::<Vec<_>>(), [last]);
    }

    #[test]
    fn a_later_word_counts_and_is_counted_too() {
        let mut alerts = Alerts::default();
        alerts.raise(alert(3));
        alerts.handle(&handled(3, AlertStep::Assign(OfficerName::from("bo").unwrap())), 5);
        assert_eq!(alerts.counts().open, 1);
        alerts.handle(&handled(3, AlertStep::Dispose(Disposition::Genuine)), 6);
        alerts.handle(&handled(3, AlertStep::Dispose(Disposition::Fraud)), 7);
        assert_eq!((alerts.counts().open, alerts.counts().disposed), (0, [1, 1, 0]));
        let alert = alerts.get(3).unwrap();
        assert_eq!(alert.disposed.map(|(what, _, at_ms)| (what, at_ms)), Some((Disposition::Fraud, 7)));
        assert_eq!(alert.assigned.map(|(_, at_ms)| at_ms), Some(5));
    }

    #[test]
    fn a_rule_sleeps_for_one_card_until_its_time() {
        let mut alerts = Alerts::default();
        let snooze = |card, rule: &str, until_ms| Snooze {
            card,
            rule: RuleId::from(rule).unwrap(),
            alert: 3,
            until_ms,
        };
        let of = |alerts: &Alerts, card, at| {
            alerts.snoozed_for(card, at).map(|snooze| snooze.rule.to_string()).collect::<Vec<_>>()
        };
        for (card, rule) in [(7, "b"), (8, "a"), (7, "a"), (6, "c")] {
            alerts.snooze(&snooze(card, rule, 100), 1);
        }
        assert_eq!(of(&alerts, 7, 99), ["a", "b"]);
        assert_eq!(of(&alerts, 7, 100), [""; 0]);
        assert_eq!(of(&alerts, 9, 1), [""; 0]);
        alerts.snooze(&snooze(7, "a", 0), 2);
        alerts.snooze(&snooze(7, "b", 200), 2);
        assert_eq!(of(&alerts, 7, 150), ["b"], "one was ended, the other goes on for longer");
        alerts.snooze(&snooze(1, "a", 300), 150);
        assert_eq!(alerts.snoozed().len(), 2, "what is over is gone");
    }
}
