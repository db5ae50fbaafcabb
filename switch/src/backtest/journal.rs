//! The decisions of a journal as requests of a trial.
//!
//! The books are made again from the first record. In front of each record that decides a request they are what they were at
//! that moment, so the set is asked what a live one was asked, and told what a live one was told: with the same set, the same
//! hits. That is looked at on the way, wherever the journal has hits of a rule that is tried.
//!
//! Start at [`against_journal`].

use std::ops::ControlFlow;

use risk::{
    Day,
    language::{Currency, Hits},
    past::{Happened, Marks},
    rulebook::{Rulebook, WrittenRule},
};

use super::{Asked, Findings, Labels, Row, Trial};
use crate::{
    books::{
        Books,
        alerts::{ALERTS_MAX, AlertStep, HandledAlert},
        event::{Decided, Event},
        rulebook::{KEEP, RulesFault, RulesInForce},
    },
    journal::{JournalError, Reader, Seq},
    recovery::{self, RecoveryError},
};

/// Why a set could not be tried on a journal.
#[derive(Debug, thiserror::Error)]
pub enum AgainstError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It does not replay.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The first records are elsewhere.
    #[error(
        "the journal begins with record {first}, and windows are built up from record 1; name the archive that has the others"
    )]
    NoBeginning {
        /// The first record that is there.
        first: Seq,
    },
    /// The rules ask for what books do not keep.
    #[error(transparent)]
    Rules(#[from] RulesFault),
    /// The report has no name for the city's currency.
    #[error("the city counts in currency {0:03}, which rules have no name for")]
    Currency(u16),
    /// Nothing was decided yet.
    #[error("the journal has no request that rules were asked about")]
    NoRequests,
}

/// What is tried on a journal.
#[derive(Debug)]
pub struct Tried {
    /// The set.
    pub book: Rulebook,
    /// What it is held against; without it, what was decided.
    pub live: Option<Rulebook>,
    /// What was found out about requests.
    pub labels: Labels,
}

/// Tries a set on every decision of a journal, as long as `go_on`, which hears each record, says so. Lists are those
/// of then.
///
/// # Errors
/// The journal has no beginning or does not replay, the rules do not fit, there is nothing to try them on.
pub fn against_journal(
    reader: &dyn Reader,
    tried: &mut Tried,
    go_on: &mut dyn FnMut(Seq) -> bool,
) -> Result<Findings, AgainstError> {
    let (first, last) = (reader.first()?, reader.head().seq);
    if first > 1 {
        return Err(AgainstError::NoBeginning { first });
    }
    let (mut walk, mut partial) = (None, false);
    recovery::replay_ahead(reader, &mut Books::default(), last, &mut |books, seq, time_ms, event| {
        if !go_on(seq) {
            partial = true;
            return Ok(ControlFlow::Break(()));
        }
        let walk = match &mut walk {
            Some(walk) => walk,
            // Before the city is there, nothing is decided.
            None if !books.genesis_done() => return Ok(ControlFlow::Continue(())),
            none => none.insert(Walk::new(books, tried)?),
        };
        walk.step(books, seq, time_ms, event, &mut tried.labels);
        Ok::<_, AgainstError>(ControlFlow::Continue(()))
    })?;
    let findings = walk.map(|walk| walk.trial.finish(partial));
    findings.filter(|findings| findings.rows > 0).ok_or(AgainstError::NoRequests)
}

struct Walk {
    trial: Trial,
    same: Same,
}

/// Rules that are tried and were in force, too: their places here, and in the published set of this number.
#[derive(Default)]
struct Same {
    set: u32,
    places: Vec<(usize, usize)>,
}

impl Walk {
    fn new(books: &Books, tried: &Tried) -> Result<Self, AgainstError> {
        let kept = books.counters().currency();
        for book in [Some(&tried.book), tried.live.as_ref()].into_iter().flatten() {
            books.check_currency(book)?;
        }
        let currency = Currency::numbered(kept).ok_or(AgainstError::Currency(kept))?;
        let trial = Trial::new(tried.book.clone(), tried.live.clone(), currency, KEEP);
        Ok(Self { trial, same: Same::default() })
    }

    fn step(&mut self, books: &Books, seq: Seq, time_ms: i64, event: &Event, labels: &mut Labels) {
        let alerts = books.alerts();
        if alerts.get(seq - 1).is_some() {
            // Each kept alert may still be disposed of; twice as many are looked through once in a while.
            self.trial.await_word(seq - 1, 2 * ALERTS_MAX, |number| alerts.get(number).is_some());
        }
        match event {
            Event::Decided(decided) => self.ask(books, seq, time_ms, decided, labels),
            Event::AlertHandled(HandledAlert { alert, step: AlertStep::Dispose(what), .. }) => {
                self.trial.hear(*alert, what.fraud());
            }
            _ => {}
        }
        if let Some(back) = books.went_back(event) {
            self.trial.take_back(&back);
        }
        if let Event::Decided(decided) = event
            && let Some(happened) = books.happened(decided, seq, time_ms)
        {
            self.trial.tell(&happened);
        }
    }

    fn ask(&mut self, books: &Books, seq: Seq, time_ms: i64, decided: &Decided, labels: &mut Labels) {
        let Some(judged) = &decided.judged else { return };
        let trial = &mut self.trial;
        let said = books.asked_then(decided, |request, whose, place| {
            let happened = Happened {
                number: seq,
                at_ms: time_ms,
                day: Day(books.business_day()),
                whose: *whose,
                amount: decided.amount.saturating_add(judged.surcharge),
                approved: 0,
                currency: decided.currency,
                marks: Marks::default(),
                place: *place,
            };
            let label = labels.of(seq, time_ms, books.business_day());
            let row = Row { reference: format!("record {seq}"), happened, label };
            let declined = !decided.reason.is_approval();
            let asked = Asked { row: &row, request: *request, declined };
            trial.ask(&asked, |list, key| books.lists().holds(list, key, time_ms))
        });
        if let Some((said, rules)) = said.zip(books.rules_in_force()) {
            let recorded =
                judged.hits.map(|hits| Hits { fired: hits.fired, not_applicable: hits.not_applicable });
            self.hold_against(&said, &recorded.unwrap_or_default(), rules);
        }
    }

    fn hold_against(&mut self, said: &Hits, recorded: &Hits, rules: &RulesInForce) {
        let number = rules.published().number;
        if self.same.set != number {
            self.same = Same { set: number, places: same(self.trial.book(), rules.book()) };
        }
        let places = &self.same.places;
        if !places.is_empty() {
            let became =
                |hits: &Hits, place| (hits.fired.contains(place), hits.not_applicable.contains(place));
            let agrees = places.iter().all(|(here, there)| became(said, *here) == became(recorded, *there));
            self.trial.hold_against(agrees);
        }
    }
}

/// The places of rules that both sets have.
fn same(book: &Rulebook, in_force: &Rulebook) -> Vec<(usize, usize)> {
    let is_same = |one: &WrittenRule, other: &WrittenRule| {
        (&one.id, &one.when, one.from, one.until) == (&other.id, &other.when, other.from, other.until)
    };
    let place = |rule: &WrittenRule| in_force.evaluated().position(|other| is_same(rule, other));
    book.evaluated().enumerate().filter_map(|(here, rule)| Some((here, place(rule)?))).collect()
}
