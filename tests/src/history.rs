//! What a switch recorded, read back from its stopped folder: the independent side of every comparison.

use std::{collections::HashMap, path::Path};

use cardswitch::{
    audit::{self, ReadEvent, StoppedFolder},
    books::{
        Books,
        event::{Decided, Event, ReversalEffect},
        request::Kind,
        transactions::TransactionKey,
    },
    clock::Clock,
    dialect::response_code,
};

use crate::city::City;

/// The books and every event of a stopped folder.
pub struct History {
    /// State as a restart would have it.
    pub books: Books,
    /// Every event, from the first.
    pub events: Vec<ReadEvent>,
    clock: Clock,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

/// By what an answer is found again: terminal, batch, STAN, message class.
pub type Name = (String, u32, u32, u8);

/// What a record says was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// Field 39.
    pub code: String,
    /// Field 37.
    pub rrn: String,
    /// Field 4.
    pub amount: u64,
}

impl History {
    /// Reads a folder that no switch is running on.
    #[must_use]
    pub fn read(data: &Path) -> Self {
        let folder = StoppedFolder::open(data, None, &mut |_| ()).expect("a stopped folder");
        let books = folder.books(&mut |_| ()).expect("it replays");
        let events = audit::read_events(folder.reader().as_ref(), Some(1), usize::MAX).expect("it reads");
        Self { books, events, clock: Clock::new("Asia/Shanghai").expect("the city's zone") }
    }

    /// Every decided request.
    pub fn decided(&self) -> impl Iterator<Item = (u64, i64, &Decided)> {
        self.events.iter().filter_map(|(seq, time, event)| match event {
            Event::Decided(decided) => Some((*seq, *time, decided)),
            _ => None,
        })
    }

    /// Everything that was answered, by name; a name that stands twice is a fault.
    #[must_use]
    pub fn answers(&self) -> HashMap<Name, Recorded> {
        let mut answers = HashMap::new();
        for (seq, time, decided) in self.decided() {
            let name = self.name(&decided.key);
            let recorded = Recorded {
                code: String::from_utf8_lossy(response_code(decided.reason)).into_owned(),
                rrn: format!("{:012}", self.clock.at(time).rrn(self.books.epoch_of(seq), seq)),
                amount: decided.approved().unsigned_abs(),
            };
            let twice = answers.insert(name.clone(), recorded);
            assert!(twice.is_none(), "{name:?} stands in the journal twice");
        }
        answers
    }

    /// What each card must hold: what it opened with, and what approvals took and gave. This adds up requests, not
    /// postings, so that a wrong posting shows; it holds as long as no load is taken back that was spent.
    #[must_use]
    pub fn expected_balances(&self, city: &City) -> Vec<i64> {
        let mut balances: Vec<i64> = city.cards().iter().map(|row| row.opening.iter().sum()).collect();
        let mut approved: HashMap<TransactionKey, &Decided> = HashMap::new();
        for (_, _, decided) in self.decided().filter(|(_, _, decided)| decided.reason.is_approval()) {
            if let Some((original, ReversalEffect::Reversed)) = decided.reversal {
                let taken_back = approved.remove(&original).expect("a reversal takes back an approval, once");
                move_money(&mut balances, taken_back, -1);
            }
            approved.insert(decided.key, decided);
            move_money(&mut balances, decided, 1);
        }
        balances
    }

    /// What each card holds by the books.
    #[must_use]
    pub fn balances(&self) -> Vec<i64> {
        let currency = cardswitch::city::CITY_CURRENCY;
        self.books.cards().iter().map(|card| self.books.card_balance(&card, currency)).collect()
    }

    fn name(&self, key: &TransactionKey) -> Name {
        let terminal = &self.books.terminals()[key.terminal as usize];
        (String::from_utf8_lossy(&terminal.id).into_owned(), key.batch, key.stan, key.class)
    }
}

fn move_money(balances: &mut [i64], decided: &Decided, sign: i64) {
    let Some(card) = decided.card else { return };
    let amount = match decided.kind {
        Kind::Purchase => -decided.approved(),
        Kind::Load => decided.amount,
        _ => return,
    };
    balances[card as usize] += sign * amount;
}
