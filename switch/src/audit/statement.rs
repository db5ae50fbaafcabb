//! Statements: what a purse held when a period began, everything that moved it, and what it held at the end.
//!
//! A replay from the first record watches the purses of the cards that are asked for. What moved a purse is seen by its
//! balance before and after each record, not by what the record says of itself, so nothing can move one and be missing
//! here. A period is of business days, so a statement agrees with the settlement files of those days.
//!
//! Start at [`statements`].

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    AuditError,
    card::{CARDS_MAX, CardMask},
    terminal_name, utc,
};
use crate::{
    books::{Books, CardId, event::Event},
    clock::{date_of_day, days_since_1970},
    journal::{Reader, Seq},
    ledger::{AccountId, Currency, Minor},
    recovery,
};

/// A purse over a period. Amounts in minor units; what left the purse is below zero.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statement {
    /// BIN and last four of the card.
    pub card: String,
    /// Name of the purse.
    pub purse: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// First business day, such as 2026-11-01.
    pub from: String,
    /// Last business day.
    pub to: String,
    /// Whether that day is still open, so that more may come.
    pub is_open: bool,
    /// Balance before the first day.
    pub opening: Minor,
    /// What moved it, in order.
    pub entries: Vec<StatementEntry>,
    /// Balance behind the last day: the opening balance and all entries together.
    pub closing: Minor,
}

/// One movement of a purse.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StatementEntry {
    /// The business day, such as 2026-11-21.
    pub day: String,
    /// The record.
    pub record: Seq,
    /// Its time, RFC 3339 in UTC.
    pub time: String,
    /// What happened: the kind of a transaction, or the name of another event.
    pub what: String,
    /// Field 41.
    pub terminal: Option<String>,
    /// What came in, or went out if below zero.
    pub amount: Minor,
    /// The balance behind it.
    pub balance: Minor,
}

/// Statements of all purses of the cards of which this may be shown, over the business days `from` to `to`, both
/// included, as of record `until`. `progress` hears each record.
///
/// # Errors
/// The journal refuses or does not replay.
pub fn statements(
    reader: &dyn Reader,
    until: Seq,
    mask: CardMask,
    (from, to): (Date, Date),
    progress: &mut dyn FnMut(Seq),
) -> Result<Vec<Statement>, AuditError> {
    let days = days_since_1970(from)..=days_since_1970(to);
    let (mut books, mut watch) = (Books::default(), Watch::default());
    recovery::replay_watched(reader, &mut books, until, &mut |books, time_ms, event| {
        progress(books.seq());
        watch.look_for_cards(books, mask);
        let day = books.business_day();
        for purse in &mut watch.purses {
            let balance = books.ledger().balance(purse.account);
            let amount = balance - purse.balance;
            purse.balance = balance;
            if amount == 0 {
                continue;
            }
            if day < *days.start() {
                purse.opening = balance;
            } else if days.contains(&day) {
                purse.closing = balance;
                purse.entries.push(entry(books, day, time_ms, event, amount, balance));
            }
        }
    })?;
    let is_open = books.business_day() <= *days.end();
    let statement = |purse: Purse| {
        let card = books.card(purse.card);
        let kind = books.card_purses(&card).find(|(account, _)| *account == purse.account);
        Statement {
            card: card.masked(),
            purse: kind.map_or_else(String::new, |(_, kind)| kind.name.clone()),
            currency: kind.map_or(0, |(_, kind)| kind.currency),
            from: from.to_string(),
            to: to.to_string(),
            is_open,
            opening: purse.opening,
            closing: if purse.entries.is_empty() { purse.opening } else { purse.closing },
            entries: purse.entries,
        }
    };
    Ok(watch.purses.into_iter().map(statement).collect())
}

pub(super) fn entry(
    books: &Books,
    day: i32,
    time_ms: i64,
    event: &Event,
    amount: Minor,
    balance: Minor,
) -> StatementEntry {
    let (what, terminal) = match event {
        Event::Decided(decided) => (decided.kind.name(), terminal_name(books, decided.key.terminal)),
        other => (other.name(), None),
    };
    StatementEntry {
        day: date_of_day(day).to_string(),
        record: books.seq(),
        time: utc(time_ms),
        what: what.to_owned(),
        terminal,
        amount,
        balance,
    }
}

/// The purses that are watched, and how many cards have been looked at.
#[derive(Default)]
struct Watch {
    purses: Vec<Purse>,
    found: usize,
    seen: usize,
}

struct Purse {
    card: CardId,
    account: AccountId,
    balance: Minor,
    opening: Minor,
    closing: Minor,
    entries: Vec<StatementEntry>,
}

impl Watch {
    /// Cards are issued by records too.
    fn look_for_cards(&mut self, books: &Books, mask: CardMask) {
        let new = books.cards().behind(self.seen);
        for (at, card) in new.filter(|(_, card)| card.bin == mask.bin && card.last_four == mask.last_four) {
            if self.found == CARDS_MAX {
                break;
            }
            self.found += 1;
            self.purses.extend(books.card_purses(&card).map(|(account, _)| Purse {
                card: at,
                account,
                balance: 0,
                opening: 0,
                closing: 0,
                entries: Vec::new(),
            }));
        }
        self.seen = books.cards().len();
    }
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

    fn general(history: &History, from: Date, to: Date) -> Statement {
        let mask = "9156000010".parse().unwrap();
        let reader = history.store.reader();
        let all = statements(reader.as_ref(), reader.head().seq, mask, (from, to), &mut |_| ()).unwrap();
        for statement in &all {
            let moved: Minor = statement.entries.iter().map(|entry| entry.amount).sum();
            assert_eq!(statement.opening + moved, statement.closing, "{statement:?}");
            let mut balance = statement.opening;
            for entry in &statement.entries {
                balance += entry.amount;
                assert_eq!(entry.balance, balance, "{entry:?}");
            }
        }
        all.into_iter().next_back().unwrap()
    }

    fn moved(statement: &Statement) -> Vec<(&str, Minor)> {
        statement.entries.iter().map(|entry| (entry.what.as_str(), entry.amount)).collect()
    }

    #[test]
    fn opening_and_entries_are_the_closing_balance_day_by_day_and_over_both() {
        let history = History::of_two_days();
        let next = DAY + 1.day();
        let (first, second) = (general(&history, DAY, DAY), general(&history, next, next));
        let want = [("purchase", -10_000), ("load", 2_000), ("reversal", -2_000), ("withdrawal", -3_200)];
        assert_eq!(moved(&first), want);
        assert_eq!((first.opening, first.is_open), (100_000, false));
        // A hold moves nothing until it is completed.
        assert_eq!(moved(&second), [("refund", 4_000)]);
        assert_eq!((second.opening, second.is_open), (first.closing, true));
        assert_eq!(second.closing, history.left(0));
        let both = general(&history, DAY, next);
        assert_eq!((both.opening, both.closing), (first.opening, second.closing));
        assert_eq!(both.entries, [first.entries, second.entries].concat());
    }

    #[test]
    fn a_period_before_or_behind_everything_has_no_entries() {
        let history = History::of_two_days();
        let before = general(&history, DAY - 9.days(), DAY - 1.day());
        assert_eq!((before.opening, before.closing, before.entries.len()), (100_000, 100_000, 0));
        let behind = general(&history, DAY + 5.days(), DAY + 9.days());
        assert_eq!((behind.opening, behind.closing), (history.left(0), history.left(0)));
        assert!(behind.is_open && behind.entries.is_empty());
    }

    #[test]
    fn no_such_card_has_no_statement() {
        let history = History::of_two_days();
        let mask = "9156009999".parse().unwrap();
        let reader = history.store.reader();
        let none = statements(reader.as_ref(), reader.head().seq, mask, (DAY, DAY), &mut |_| ()).unwrap();
        assert!(none.is_empty());
    }
}
