//! The statement of an orderer: what its float held when a period began, everything that moved it, what it held at the
//! end; what each of its cards holds; and for each business day what its cards bought less what they gave back, which
//! is what merchants, acquirers and the takers of fees were given.
//!
//! The orderer's capital is its float and its cards together. A card has of it what was loaded, so the free part of the
//! float is what no card uses.
//!
//! Start at [`orderer_statement`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    AuditError,
    card::state,
    movements::{Moved, legs},
    statement::{StatementEntry, entry},
};
use crate::{
    books::{Books, Card, event::Event},
    clock::{date_of_day, days_since_1970},
    journal::{Reader, Seq},
    ledger::{AccountKind, Currency, Minor},
    recovery,
};

/// The most cards listed one by one; the sums are of all.
pub const CARDS_MAX: usize = 1_000_000;

/// The most movements of the float listed one by one, the first; the sums are of all.
pub const ENTRIES_MAX: usize = 1_000_000;

/// An orderer over a period.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OrdererStatement {
    /// Its name.
    pub orderer: String,
    /// First business day, such as 2026-11-01.
    pub from: String,
    /// Last business day.
    pub to: String,
    /// Whether that day is still open, so that more may come.
    pub is_open: bool,
    /// What it has in each currency.
    pub currencies: Vec<OrdererCapital>,
    /// What does not add up, in words; nothing, or the ledger is broken.
    pub faults: Vec<String>,
}

/// What an orderer has in a currency. Amounts in minor units.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct OrdererCapital {
    /// ISO 4217 number.
    pub currency: Currency,
    /// The free part of its float before the first day.
    pub opening: Minor,
    /// What moved it, in order.
    pub entries: Vec<StatementEntry>,
    /// How many movements are not listed.
    #[serde(default)]
    pub entries_left_out: u64,
    /// What those came to.
    #[serde(default)]
    pub left_out: Minor,
    /// The free part behind the last day: the opening balance and all entries together.
    pub closing: Minor,
    /// What its cards held together before the first day.
    pub cards_opening: i128,
    /// What they hold behind the last: the used part of the float.
    pub cards_closing: i128,
    /// Each card of it with a purse in this currency, in the order of issue.
    pub cards: Vec<CardBalance>,
    /// How many cards are not listed.
    pub cards_left_out: u64,
    /// What its cards bought and gave back, day by day.
    pub days: Vec<Position>,
}

/// What a card holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardBalance {
    /// BIN and last four.
    pub card: String,
    /// Its state.
    pub state: String,
    /// In all its purses of the currency.
    pub balance: Minor,
    /// What of it is promised to merchants.
    pub held: Minor,
}

/// What an orderer's cards came to on a business day.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Position {
    /// The business day.
    pub day: String,
    /// What its cards paid, cash included, and what of it their holders owe.
    pub purchases: i128,
    /// What they got back.
    pub refunds: i128,
    /// The day's debit: purchases less refunds.
    pub net: i128,
    /// What merchants were given for it, net of fees.
    pub merchants: i128,
    /// What acquirers were given for cash.
    pub acquirers: i128,
    /// What became fees.
    pub fees: i128,
}

/// The statement of an orderer over the business days `from` to `to`, both included, as of record `until`; nothing
/// where there is none of that name. `progress` hears each record.
///
/// # Errors
/// The journal refuses or does not replay.
pub fn orderer_statement(
    reader: &dyn Reader,
    until: Seq,
    name: &str,
    (from, to): (Date, Date),
    progress: &mut dyn FnMut(Seq),
) -> Result<Option<OrdererStatement>, AuditError> {
    let days = (days_since_1970(from), days_since_1970(to));
    let (mut books, mut watch) = (Books::default(), Watch { days, ..Watch::default() });
    recovery::replay_while(reader, &mut books, until, &mut |books, time_ms, event| {
        progress(books.seq());
        if let (None, Event::OrdererOpened { name: opened, .. }) = (watch.orderer, event)
            && opened == name
        {
            watch.orderer = u32::try_from(books.orderers().len() - 1).ok();
        }
        watch.note(books, time_ms, event);
        match event {
            Event::CutOver { opens } if *opens > days.1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })?;
    let Some(orderer) = watch.orderer else { return Ok(None) };
    let faults = watch.list_cards(&books, orderer);
    Ok(Some(OrdererStatement {
        orderer: name.to_owned(),
        from: from.to_string(),
        to: to.to_string(),
        is_open: books.business_day() <= days.1,
        currencies: watch.capital.into_values().collect(),
        faults,
    }))
}

/// What is gathered on the way.
#[derive(Debug, Default)]
struct Watch {
    days: (i32, i32),
    orderer: Option<u32>,
    capital: BTreeMap<Currency, OrdererCapital>,
}

/// What one event did to an orderer in a currency.
#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    float: Minor,
    cards: i128,
    owed: i128,
    merchants: i128,
    acquirers: i128,
    fees: i128,
}

impl Watch {
    fn note(&mut self, books: &Books, time_ms: i64, event: &Event) {
        let Some(orderer) = self.orderer else { return };
        let legs = legs(books, event);
        let is_its_card = legs.iter().any(|leg| card_of(books, leg) == Some(orderer))
            || its_card_named(books, event, orderer);
        let its_float = |leg: &Moved| leg.kind == AccountKind::OrdererFloat { orderer };
        if !is_its_card && !legs.iter().any(its_float) {
            return;
        }
        let currencies: BTreeSet<Currency> = legs.iter().map(|leg| leg.title.currency).collect();
        for currency in currencies {
            let mut effect = Effect::default();
            for leg in legs.iter().filter(|leg| leg.title.currency == currency) {
                effect.add(leg, orderer);
            }
            self.add(books, time_ms, event, currency, effect);
        }
    }

    fn add(&mut self, books: &Books, time_ms: i64, event: &Event, currency: Currency, effect: Effect) {
        let (day, (first, _)) = (books.business_day(), self.days);
        let fresh = || OrdererCapital { currency, ..OrdererCapital::default() };
        let capital = self.capital.entry(currency).or_insert_with(fresh);
        capital.closing += effect.float;
        capital.cards_closing += effect.cards;
        if day < first {
            capital.opening += effect.float;
            capital.cards_opening += effect.cards;
            return;
        }
        if effect.float != 0 && capital.entries.len() == ENTRIES_MAX {
            capital.entries_left_out += 1;
            capital.left_out += effect.float;
        } else if effect.float != 0 {
            capital.entries.push(entry(books, day, time_ms, event, effect.float, capital.closing));
        }
        let given = effect.merchants + effect.acquirers + effect.fees;
        let pays = effect.merchants != 0 || effect.acquirers != 0;
        if !pays {
            return;
        }
        let date = date_of_day(day).to_string();
        if capital.days.last().is_none_or(|position| position.day != date) {
            capital.days.push(Position { day: date, ..Position::default() });
        }
        // INVARIANT: one was put there if there was none.
        let position = capital.days.last_mut().expect("a position of the day");
        match -(effect.cards + effect.owed) {
            taken @ 0.. => position.purchases += taken,
            given_back => position.refunds -= given_back,
        }
        position.net = position.purchases - position.refunds;
        position.merchants += effect.merchants;
        position.acquirers += effect.acquirers;
        position.fees += effect.fees;
        debug_assert_eq!(given, -(effect.cards + effect.owed), "an event balances");
    }

    /// Lists the cards as they stand now, and says what does not add up.
    fn list_cards(&mut self, books: &Books, orderer: u32) -> Vec<String> {
        let mut faults = Vec::new();
        for capital in self.capital.values_mut() {
            let held = capital.list_cards(books, orderer);
            let float = books.float_of(orderer, capital.currency);
            capital.check(held, float.map(|float| books.ledger().balance(float)), &mut faults);
        }
        faults
    }
}

impl OrdererCapital {
    /// Lists the cards; returns what they hold.
    fn list_cards(&mut self, books: &Books, orderer: u32) -> i128 {
        let currency = self.currency;
        let cards = books.cards().iter().filter(|card| u32::from(card.orderer) == orderer);
        let has = |card: &Card| books.card_purses(card).any(|(_, purse)| purse.currency == currency);
        let mut sum = 0;
        for card in cards.filter(has) {
            let balance = books.card_balance(&card, currency);
            sum += i128::from(balance);
            if self.cards.len() == CARDS_MAX {
                self.cards_left_out += 1;
                continue;
            }
            self.cards.push(CardBalance {
                card: card.masked(),
                state: state(card.state).to_owned(),
                balance,
                held: books.card_held(&card, currency),
            });
        }
        sum
    }

    /// Tells what does not add up: the cards, the float as the books have it, the days.
    fn check(&self, held: i128, float: Option<Minor>, faults: &mut Vec<String>) {
        let Self { currency, opening, closing, cards_closing, .. } = self;
        if held != *cards_closing {
            faults.push(format!(
                "the cards in {currency:03} hold {held}, and the entries come to {cards_closing}"
            ));
        }
        let moved: Minor = self.entries.iter().map(|entry| entry.amount).sum();
        if opening + moved + self.left_out != *closing || float.is_some_and(|float| float != *closing) {
            faults.push(format!("the float in {currency:03} is not what the entries come to, {closing}"));
        }
        for Position { day, net, merchants, acquirers, fees, .. } in &self.days {
            if *net != merchants + acquirers + fees {
                faults.push(format!(
                    "on {day} its cards paid {net} in {currency:03}, and others got another sum"
                ));
            }
        }
    }
}

impl Effect {
    fn add(&mut self, leg: &Moved, orderer: u32) {
        let amount = i128::from(leg.amount);
        match leg.kind {
            AccountKind::OrdererFloat { orderer: other } if other == orderer => self.float += leg.amount,
            // An event moves money between cards of one orderer only.
            AccountKind::Purse { .. } => self.cards += amount,
            AccountKind::Receivable => self.owed += amount,
            AccountKind::MerchantPayable { .. } => self.merchants += amount,
            AccountKind::AcquirerPayable { .. } => self.acquirers += amount,
            AccountKind::Fees | AccountKind::Income { .. } | AccountKind::IssuerFees { .. } => {
                self.fees += amount;
            }
            AccountKind::OrdererFloat { .. }
            | AccountKind::LoadLine { .. }
            | AccountKind::Bank
            | AccountKind::CardDeposits => {}
        }
    }
}

/// Whose card a leg is on.
fn card_of(books: &Books, leg: &Moved) -> Option<u32> {
    let AccountKind::Purse { card, .. } = leg.kind else { return None };
    books.cards().get(card as usize).map(|card| u32::from(card.orderer))
}

/// Whether an event is about a card of this orderer; one whose purses had nothing is named, not moved.
fn its_card_named(books: &Books, event: &Event, orderer: u32) -> bool {
    let card = match event {
        Event::Decided(decided) => decided.card,
        Event::Operated(operated) => operated.changes.first().map(|change| change.card),
        _ => None,
    };
    let card = card.and_then(|card| books.cards().get(card as usize));
    card.is_some_and(|card| u32::from(card.orderer) == orderer)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use jiff::ToSpan;

    use super::*;
    use crate::{
        journal::Store,
        settlement::testing::{DAY, History},
    };

    fn of(history: &History, name: &str, from: Date, to: Date) -> Option<OrdererStatement> {
        let reader = history.store.reader();
        orderer_statement(reader.as_ref(), reader.head().seq, name, (from, to), &mut |_| ()).unwrap()
    }

    #[test]
    fn opening_and_entries_are_the_closing_float_and_the_cards_are_what_it_is_used_for() {
        let history = History::of_two_days();
        let statement = of(&history, "CITY", DAY, DAY).unwrap();
        assert_eq!(statement.faults, [""; 0]);
        assert!(!statement.is_open);
        let capital = &statement.currencies[0];
        // A load of 2000 on the float, and taken back.
        assert_eq!(capital.entries.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [-2_000, 2_000]);
        assert_eq!((capital.opening, capital.closing), (899_500, 899_500));
        assert_eq!((capital.cards_opening, capital.cards_closing), (100_500, 87_300));
        assert_eq!(capital.cards.len(), 1);
        assert_eq!((capital.cards[0].card.as_str(), capital.cards[0].balance), ("915600…0010", 87_300));
        let other = of(&history, "GIFT", DAY, DAY).unwrap();
        assert_eq!((other.currencies[0].cards_closing, other.currencies[0].days.len()), (55_500, 0));
    }

    #[test]
    fn what_its_cards_paid_less_what_they_got_back_is_what_others_got() {
        let history = History::of_two_days();
        let statement = of(&history, "CITY", DAY, DAY + 1.day()).unwrap();
        let days = &statement.currencies[0].days;
        let first = Position {
            day: DAY.to_string(),
            purchases: 13_200,
            refunds: 0,
            net: 13_200,
            merchants: 9_940,
            acquirers: 3_200,
            fees: 60,
        };
        let second = Position {
            day: (DAY + 1.day()).to_string(),
            purchases: 0,
            refunds: 4_000,
            net: -4_000,
            merchants: -3_976,
            acquirers: 0,
            fees: -24,
        };
        assert_eq!(days.as_slice(), [first, second]);
        assert!(statement.is_open && statement.faults.is_empty());
        assert_eq!(statement.currencies[0].cards[0].held, 700);
    }

    #[test]
    fn a_period_before_everything_has_what_it_began_with_and_nobody_else_has_a_statement() {
        let history = History::of_two_days();
        let before = of(&history, "CITY", DAY - 9.days(), DAY - 1.day()).unwrap();
        let capital = &before.currencies[0];
        assert_eq!((capital.opening, capital.closing, capital.entries.len()), (899_500, 899_500, 0));
        assert_eq!((capital.cards_closing, before.faults.len()), (100_500, 0));
        assert_eq!(of(&history, "NOBODY", DAY, DAY), None);
    }
}
