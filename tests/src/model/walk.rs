//! A walk: step by step the same is asked of both sides, and what they say is compared.

use std::collections::BTreeMap;

use cardswitch::{
    books::{
        Books,
        decide::Verdict,
        event::{Event, KeyText, KeysForTerminal, TerminalDialect},
        order::Order,
        request::Kind,
    },
    clock::Clock,
    ledger::AccountId,
};
use hsm_sim::Pan;

use super::{
    Tally,
    naive::{Ask, Due, Naive, Place, Told},
    start::{CARDS, HOUR_MS, Start, terminal_id},
    tale::{Step, Tale},
};
use crate::random::Random;

/// Steps between two looks at everything.
pub const LOOK_EVERY: u64 = 500;
/// Steps between two checkpoints that are written and read back.
pub const RESTORE_EVERY: u64 = 10_000;
/// How many requests may be repeated, followed or reversed.
const KEPT: usize = 400;
/// How many cards a walk draws from: the fewer, the more happens to each.
const DECKS: [usize; 4] = [7, 14, CARDS, CARDS];

impl Start {
    /// Walks so many steps.
    ///
    /// # Errors
    /// The first step at which the books and the model disagree, and what led to it.
    ///
    /// # Panics
    /// The books refuse to apply what they decided.
    pub fn walk(&self, seed: u64, steps: u64) -> Result<Tally, String> {
        let mut walk = Walk::begun(self, seed);
        for step in 1..=steps {
            let done = walk.step().and_then(|()| walk.look(step, step == steps));
            done.map_err(|why| format!("seed {seed}, step {step}: {why}\n{}", walk.tale.tell()))?;
        }
        walk.tally.steps = steps;
        Ok(walk.tally)
    }
}

pub(super) struct Walk<'a> {
    pub(super) start: &'a Start,
    pub(super) books: Books,
    pub(super) naive: Naive,
    pub(super) accounts: Vec<(Place, AccountId)>,
    /// The place of each account, by its number.
    pub(super) places: Vec<Option<Place>>,
    pub(super) account_of: BTreeMap<Place, AccountId>,
    pub(super) random: Random,
    pub(super) clock: Clock,
    pub(super) utc: Clock,
    pub(super) now_ms: i64,
    signed_in_ms: i64,
    pub(super) version: u32,
    pub(super) stan: u32,
    /// Cards that are drawn from.
    pub(super) deck: Vec<usize>,
    /// Requests and the records of their answers.
    pub(super) kept: Vec<(Ask, Option<u64>)>,
    /// Requests whose reversal went ahead.
    pub(super) coming: Vec<Ask>,
    pub(super) orders: Vec<Order>,
    pub(super) pan: Pan,
    pub(super) tale: Tale,
    pub(super) tally: Tally,
}

impl<'a> Walk<'a> {
    fn begun(start: &'a Start, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let deck = DECKS[random.index(DECKS.len())];
        let mut walk = Self {
            start,
            books: start.books.clone(),
            naive: start.naive.clone(),
            accounts: start.accounts.clone(),
            places: Vec::new(),
            account_of: BTreeMap::new(),
            random,
            clock: Clock::new("Asia/Shanghai").expect("the city's zone"),
            utc: Clock::new("UTC").expect("a zone"),
            now_ms: start.books.time_ms(),
            signed_in_ms: i64::MIN,
            version: 0,
            stan: 0,
            deck: (0..deck).collect(),
            kept: Vec::new(),
            coming: Vec::new(),
            orders: Vec::new(),
            // A number with a right check digit, of no card.
            pan: Pan::parse(b"9156009224100010").expect("a card number"),
            tale: Tale::default(),
            tally: Tally::default(),
        };
        walk.index_accounts();
        walk
    }

    /// Looks at what was opened since.
    pub(super) fn index_accounts(&mut self) {
        for (place, account) in &self.accounts[self.account_of.len()..] {
            let at = account.0 as usize;
            self.places.resize(self.places.len().max(at + 1), None);
            self.places[at] = Some(*place);
            self.account_of.insert(*place, *account);
        }
    }

    fn step(&mut self) -> Result<(), String> {
        self.now_ms += match self.random.below(2_000) {
            0 => self.amount_below(30) * HOUR_MS,
            1..=20 => self.amount_below(300_000),
            _ => self.amount_below(2_000),
        };
        self.bring_due()?;
        self.sign_in();
        self.deal();
        if self.one_in(40) {
            return self.officers_order();
        }
        let ask = match self.coming.pop() {
            Some(ask) if !self.one_in(2) => ask,
            _ => self.draw(),
        };
        self.ask_both(&ask)
    }

    fn ask_both(&mut self, ask: &Ask) -> Result<(), String> {
        let owed = ask.card.map_or(0, |card| self.naive.owed(card, ask.currency));
        let want = self.naive.ask(ask, self.now_ms);
        self.tale.add(self.now_ms, Step::Ask { ask: ask.clone(), told: want });
        let (got, event) = self.ask_books(ask)?;
        if want != got {
            return Err(format!("the model says {want:?}, the books {got:?}"));
        }
        if want.repeat {
            self.tally.repeats += 1;
        } else {
            *self.tally.answers.entry((ask.kind.name(), want.reason)).or_default() += 1;
            let paid = ask.card.is_some_and(|card| self.naive.owed(card, ask.currency) < owed);
            self.tally.debts_paid += u64::from(paid);
            self.keep(ask, &want);
        }
        let Some(event) = event else { return Ok(()) };
        if let Event::Decided(decided) = &event {
            self.tally.forced += u64::from(decided.forced);
        }
        self.compare_touched(&event, &self.naive.moved_by(ask, want.seq), ask.card.as_slice())
    }

    /// Keeps a request for what may follow it, and of those that were declined a part: more happens to the others.
    fn keep(&mut self, ask: &Ask, told: &Told) {
        if !told.reason.is_approval() && !self.one_in(3) {
            return;
        }
        if self.kept.len() == KEPT {
            let at = self.random.index(KEPT);
            self.kept.swap_remove(at);
        }
        self.kept.push((ask.clone(), told.seq));
    }

    /// Carries out what time brings, on both sides.
    fn bring_due(&mut self) -> Result<(), String> {
        loop {
            let now = self.clock.at(self.now_ms);
            let (want, got) = (self.naive.due(self.now_ms), self.books.due(&now));
            let same = match (&want, &got) {
                (None, None) => return Ok(()),
                (Some(Due::Day(day)), Some(Event::CutOver { opens })) => {
                    self.tally.days += 1;
                    self.tale.add(self.now_ms, Step::Day(*day));
                    day == opens
                }
                (
                    Some(Due::Expiry { hold, amount }),
                    Some(Event::HoldExpired { hold: id, amount: held, .. }),
                ) => {
                    self.tally.expired += 1;
                    self.tale.add(self.now_ms, Step::Ended { hold: *hold, amount: *amount });
                    *hold == id.0 && amount == held
                }
                _ => false,
            };
            match got {
                Some(event) if same => self.record(&event),
                got => return Err(format!("due: the model says {want:?}, the books {got:?}")),
            }
        }
    }

    pub(super) fn record(&mut self, event: &Event) {
        let applied = self.books.apply(self.books.seq() + 1, self.now_ms, event);
        applied.unwrap_or_else(|error| panic!("{error}: what was decided fits\n{}", self.tale.tell()));
    }

    /// Working keys live a day.
    fn sign_in(&mut self) {
        if self.now_ms - self.signed_in_ms.max(0) < 12 * HOUR_MS {
            return;
        }
        self.signed_in_ms = self.now_ms;
        self.version += 1;
        let key = KeyText("no key at all; nothing is sealed here".into());
        let told = KeysForTerminal { pin: [0; 16], pin_check: [0; 4], mac: [0; 16], mac_check: [0; 4] };
        for at in 0..self.naive.terminals.len() {
            if self.naive.terminals[at].dialect == TerminalDialect::Pos {
                let terminal = terminal_id(at).0;
                let (version, pin, mac) = (self.version, key.clone(), key.clone());
                self.record(&Event::SignedIn { terminal, stan: 0, version, pin, mac, told });
                self.naive.seq += 1;
            }
        }
    }

    /// Asks the books, and lets them carry it out.
    fn ask_books(&mut self, ask: &Ask) -> Result<(Told, Option<Event>), String> {
        let (request, facts) = self.in_their_words(ask);
        let now = self.clock.at(self.now_ms);
        let (answer, event) = match self.books.decide(&request, &facts, None, &now) {
            Verdict::Answer(answer) => (answer, None),
            Verdict::Record(event, answer) => (answer, Some(event)),
            Verdict::VerifyAgain => return Err("the books want it verified again".to_owned()),
        };
        if let Some(event) = &event {
            self.record(event);
        }
        let shown = answer.balance.map(|shown| (shown.available, shown.held));
        let (reason, partial, repeat, seq) = (answer.reason, answer.partial, answer.repeat, answer.seq);
        debug_assert!(ask.kind != Kind::Unsupported, "nothing is asked that is not known");
        Ok((Told { reason, shown, partial, repeat, seq }, event))
    }
}
