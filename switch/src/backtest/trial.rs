//! The trial of a set: each request is put to it with what had happened before, and what it says is counted.
//!
//! Start at [`Trial::take`].

use std::{cmp::Reverse, collections::BinaryHeap};

use hashbrown::HashMap;
use risk::language::{Currency, Hits, Key, NamedList, RuleBits};
use risk::past::{Happened, History, Keep};
use risk::rulebook::{Rulebook, Verdict};

use super::{
    Asked, Findings, Row,
    cost::Meter,
    findings::{Known, Seen},
};

/// Rules on the past.
pub struct Trial {
    book: Rulebook,
    history: History,
    /// What decides now, if it is known as files.
    live: Option<(Rulebook, History)>,
    meter: Meter,
    findings: Findings,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// The request asked last, if it has no label.
    last: Option<(u64, Known)>,
    /// Requests by their numbers that somebody may say something of later, and what was said last.
    unsaid: HashMap<u64, (Known, Option<bool>)>,
}

/// A request whose label is not known yet; the earliest known first, then the earliest.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Waiting {
    known_ms: i64,
    number: u64,
    known: Known,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("rows", &self.findings.rows).finish_non_exhaustive()
    }
}

impl Trial {
    /// A trial of a set, beside what decides now; amounts are told in this currency, and so much is kept of what happened.
    #[must_use]
    pub fn new(book: Rulebook, live: Option<Rulebook>, currency: Currency, keep: Keep) -> Self {
        let history = |book: &Rulebook| {
            let sums = book.currency().map_or(0, |currency| currency.number);
            History::new(book.code(), sums, keep)
        };
        Self {
            history: history(&book),
            meter: Meter::new(&book),
            findings: Findings::new(&book, currency),
            live: live.map(|live| {
                let history = history(&live);
                (live, history)
            }),
            book,
            waiting: BinaryHeap::new(),
            last: None,
            unsaid: HashMap::new(),
        }
    }

    /// Puts a request to the rules and tells them what became of it; lists are looked up in what is given. Requests come in
    /// the order of their times.
    pub fn take(
        &mut self,
        asked: &Asked<'_>,
        lists: impl Fn(&NamedList, Key<'_>) -> bool + Copy,
    ) -> RuleBits {
        let hits = self.ask(asked, lists);
        self.tell(&asked.row.happened);
        hits.fired
    }

    /// Puts a request to the rules.
    pub fn ask(&mut self, asked: &Asked<'_>, lists: impl Fn(&NamedList, Key<'_>) -> bool + Copy) -> Hits {
        let Row { happened, label, reference } = asked.row;
        let now_ms = happened.at_ms;
        self.learn(now_ms);
        let verdict =
            judge(&self.book, &self.history, asked, lists, Some((&mut self.meter, self.findings.rows)));
        let would = match &self.live {
            Some((live, history)) => judge(live, history, asked, lists, None).outcome.declines(),
            None => asked.declined,
        };
        let seen = Seen { reference, happened, verdict: &verdict, was_declined: would, label: *label };
        let known = self.findings.see(&seen);
        self.last = None;
        match label {
            // Of genuine requests only those count on which something fired.
            Some(label) if label.fraud || !verdict.hits.fired.is_empty() => {
                let (known_ms, number) = (label.known_ms, happened.number);
                self.waiting.push(Reverse(Waiting { known_ms, number, known }));
            }
            Some(_) => {}
            None => self.last = Some((happened.number, known)),
        }
        verdict.hits
    }

    /// Tells what happened, whether rules were asked about it or not.
    pub fn tell(&mut self, happened: &Happened) {
        self.history.record(happened);
        if let Some((_, history)) = &mut self.live {
            history.record(happened);
        }
    }

    /// The set that is tried.
    #[must_use]
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// Notes whether rules that are in force, too, were asked at a decision, and whether each said then what it says now.
    pub fn hold_against(&mut self, same: bool) {
        let recorded = self.findings.recorded.get_or_insert_default();
        recorded.decisions += 1;
        recorded.otherwise += u64::from(!same);
    }

    /// Somebody may say later what the request asked last was, unless that is known. `may` tells whether something may still
    /// be said of another.
    pub fn await_word(&mut self, number: u64, most: usize, may: impl Fn(u64) -> bool) {
        if let Some((_, known)) = self.last.take().filter(|(last, _)| *last == number) {
            if self.unsaid.len() >= most {
                self.unsaid.retain(|number, (_, said)| said.is_some() || may(*number));
            }
            self.unsaid.insert(number, (known, None));
        }
    }

    /// Somebody says whether a request was fraud, or that it is not known; the last word counts.
    pub fn hear(&mut self, number: u64, fraud: Option<bool>) {
        if let Some((_, said)) = self.unsaid.get_mut(&number) {
            *said = fraud;
        }
    }

    /// Takes back a part or all of what was approved.
    pub fn take_back(&mut self, back: &risk::past::TakenBack) {
        self.history.take_back(back);
        if let Some((_, history)) = &mut self.live {
            history.take_back(back);
        }
    }

    /// What was found so far; `partial` if not everything was looked at.
    #[must_use]
    pub fn finish(mut self, partial: bool) -> Findings {
        if let Some(last_ms) = self.findings.last_ms {
            self.learn(last_ms);
        }
        for (known, fraud) in self.unsaid.into_values() {
            if let Some(fraud) = fraud {
                self.findings.know(&Known { fraud, ..known });
            }
        }
        self.findings.count_unknown();
        for (place, rule) in self.findings.rules.iter_mut().enumerate() {
            rule.measured_ns = self.meter.ns(place);
        }
        self.findings.partial = partial;
        self.findings
    }

    /// Counts the labels that have become known.
    fn learn(&mut self, now_ms: i64) {
        while let Some(Reverse(waiting)) = self.waiting.peek() {
            if waiting.known_ms > now_ms {
                return;
            }
            self.findings.know(&waiting.known);
            self.waiting.pop();
        }
    }
}

/// What a set says of a request.
fn judge(
    book: &Rulebook,
    history: &History,
    asked: &Asked<'_>,
    lists: impl Fn(&NamedList, Key<'_>) -> bool,
    meter: Option<(&mut Meter, u64)>,
) -> Verdict {
    let happened = &asked.row.happened;
    let before = history.before(&happened.whose, happened.at_ms, happened.day, lists);
    let mut request = asked.request;
    before.tell(&happened.place, &mut request);
    if let Some((meter, row)) = meter {
        meter.measure(row, &request, &before);
    }
    book.evaluate(&request, &before)
}
