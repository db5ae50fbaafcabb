//! What a walk came to.

use std::collections::BTreeMap;

use cardswitch::books::{decide::operations::Operation, reason::Reason, request::Kind};

/// Answers by reason, and what was done.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Steps taken.
    pub steps: u64,
    /// Answers by kind and reason; repeats apart.
    pub answers: BTreeMap<(&'static str, Reason), u64>,
    /// Orders by what was ordered: carried out, and refused.
    pub orders: BTreeMap<&'static str, (u64, u64)>,
    /// Repeats that got their first answer.
    pub repeats: u64,
    /// Holds that ended by time.
    pub expired: u64,
    /// Business days that began.
    pub days: u64,
    /// Cards issued on the way.
    pub cards: u64,
    /// Completions paid although nothing held them any more.
    pub forced: u64,
    /// Debts of cards that were paid, whole or in part.
    pub debts_paid: u64,
}

impl Tally {
    /// How many requests of a kind were answered so.
    #[must_use]
    pub fn of(&self, kind: Kind, reason: Reason) -> u64 {
        self.answers.get(&(kind.name(), reason)).copied().unwrap_or(0)
    }

    /// How many orders of a kind were carried out.
    #[must_use]
    pub fn done(&self, order: &str) -> u64 {
        self.orders.get(order).map_or(0, |counts| counts.0)
    }

    pub(super) fn order(&mut self, operation: &Operation, done: bool) {
        let name = match operation {
            Operation::TakeDeposit { .. } => "take_deposit",
            Operation::Cancel { .. } => "cancel",
            Operation::ReportLost { .. } => "report_lost",
            Operation::Replace { .. } => "replace",
            Operation::Transfer { .. } => "transfer",
            Operation::ForcePost { .. } => "force_post",
            Operation::PublishFees(_) => "publish_fees",
            Operation::PublishChart(_) => "publish_chart",
            Operation::ResetPinTries { .. } => "reset_pin_tries",
            Operation::Unblock { .. } => "unblock",
            Operation::SetHolderLimits { .. } => "set_holder_limits",
        };
        let counts = self.orders.entry(name).or_default();
        if done {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }

    /// As a table for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for ((kind, reason), count) in &self.answers {
            lines.push(format!("{count:>12}  {kind}: {}", reason.name()));
        }
        for (order, (done, refused)) in &self.orders {
            lines.push(format!("{done:>12}  ordered: {order}, and {refused} refused"));
        }
        let rest = [
            ("repeats answered as before", self.repeats),
            ("holds that ended by time", self.expired),
            ("completions paid although nothing held", self.forced),
            ("requests that paid a debt", self.debts_paid),
            ("cards issued on the way", self.cards),
            ("business days", self.days),
        ];
        lines.extend(rest.iter().map(|(what, count)| format!("{count:>12}  {what}")));
        lines.join("\n")
    }

    /// Adds another walk's.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.repeats += other.repeats;
        self.expired += other.expired;
        self.days += other.days;
        self.cards += other.cards;
        self.forced += other.forced;
        self.debts_paid += other.debts_paid;
        for (answer, count) in &other.answers {
            *self.answers.entry(*answer).or_default() += count;
        }
        for (order, (done, refused)) in &other.orders {
            let counts = self.orders.entry(order).or_default();
            *counts = (counts.0 + done, counts.1 + refused);
        }
    }
}
