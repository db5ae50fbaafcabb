//! What was done lately, told in words when something is wrong: cards and terminals by their numbers in the model.

use std::collections::VecDeque;

use cardswitch::books::{decide::operations::Operation, request::Kind};

use super::{
    naive::{Ask, Refused, Told},
    officers::concerned,
};

/// Steps that are remembered.
const KEPT: usize = 4_000;
/// How many are told: the last ones, and before them the last about the same cards or names.
const LAST: usize = 4;
const ABOUT: usize = 14;

/// A step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Ask { ask: Ask, told: Told },
    Order { operation: Operation, refused: Option<Refused> },
    Card { at: usize, kind: usize },
    Ended { hold: u64, amount: i64 },
    Day(i32),
}

#[derive(Debug, Default)]
pub(super) struct Tale {
    steps: VecDeque<(i64, Step)>,
}

impl Tale {
    pub(super) fn add(&mut self, now: i64, step: Step) {
        if self.steps.len() == KEPT {
            self.steps.pop_front();
        }
        self.steps.push_back((now, step));
    }

    /// The end of it: what was done last, and what was done with the same cards, or under the same name, before.
    pub(super) fn tell(&self) -> String {
        let mut cards = self.steps.back().map(|(_, step)| step.cards()).unwrap_or_default();
        if let Some((_, Step::Ask { ask, .. })) = self.steps.back() {
            let named = |step: &Step| match step {
                Step::Ask { ask: earlier, .. } => is_about(ask, earlier).then_some(earlier.card).flatten(),
                _ => None,
            };
            cards.extend(self.steps.iter().filter_map(|(_, step)| named(step)));
        }
        let begin = self.steps.len().saturating_sub(LAST);
        let (before, last) = (self.steps.range(..begin), self.steps.range(begin..));
        let about = before.rev().filter(|(_, step)| step.cards().iter().any(|card| cards.contains(card)));
        let mut told: Vec<_> = about.take(ABOUT).collect();
        told.reverse();
        told.extend(last);
        let begun = told.first().map_or(0, |(now, _)| *now);
        let line = |(now, step): &(i64, Step)| {
            let since = now - begun;
            format!("  {:>6}.{:03} s  {}", since / 1_000, since % 1_000, step.in_words())
        };
        told.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn is_about(ask: &Ask, earlier: &Ask) -> bool {
    let (terminal, batch, stan, _) = earlier.name;
    let named = ask.original_batch == Some(batch) && ask.original_stan == Some(stan);
    terminal == ask.name.0 && (named || ask.name == earlier.name)
}

impl Step {
    fn cards(&self) -> Vec<usize> {
        match self {
            Self::Ask { ask, .. } => ask.card.into_iter().collect(),
            Self::Order { operation, .. } => concerned(operation),
            Self::Card { at, .. } => vec![*at],
            Self::Ended { .. } | Self::Day(_) => Vec::new(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Ask { ask, told } => {
                let answer = told.partial.map(|part| format!(" ({part})")).unwrap_or_default();
                let record = told.seq.map_or("no record".to_owned(), |seq| format!("record {seq}"));
                let repeat = if told.repeat { "as before: " } else { "" };
                let reason = told.reason;
                format!("{}: {repeat}{reason:?}{answer}, {record}", in_words(ask))
            }
            Self::Order { operation, refused: None } => format!("officers order {operation:?}: done"),
            Self::Order { operation, refused: Some(why) } => {
                format!("officers order {operation:?}: refused, {why:?}")
            }
            Self::Card { at, kind } => format!("card {at} is issued, of kind {kind}"),
            Self::Ended { hold, amount } => format!("hold {hold} of {amount} ends"),
            Self::Day(day) => format!("day {day} begins"),
        }
    }
}

fn in_words(ask: &Ask) -> String {
    let (terminal, batch, stan, _) = ask.name;
    let mut words = format!("{} at terminal {terminal}, batch {batch}, STAN {stan}", ask.kind.name());
    if let Some(card) = ask.card {
        words += &format!(", card {card}");
    }
    if ask.kind != Kind::Balance {
        words += &format!(", {} of currency {}", ask.amount, ask.currency);
    }
    let numbers = [
        ("acquirer's fee", Some(ask.acquirer_fee).filter(|fee| *fee != 0)),
        ("stays taken", Some(ask.replacement).filter(|stays| *stays != 0)),
        ("of batch", ask.original_batch.map(i64::from)),
        ("of STAN", ask.original_stan.map(i64::from)),
        ("approval code", ask.approval.map(i64::from)),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            words += &format!(", {name} {number}");
        }
    }
    if let Some(kind) = ask.reverses {
        words += &format!(", of a {}", kind.name());
    }
    for (name, said) in [("part allowed", ask.partial_allowed), ("contactless", ask.contactless)] {
        if said {
            words += &format!(", {name}");
        }
    }
    words + &format!(", PIN {:?}", ask.pin).to_lowercase()
}
