//! What one event moved, account by account, whatever it was: a request, an operation, a float brought at the
//! beginning, a card issued with something on it.
//!
//! An account is told by what a chart of accounts calls it ([`Title`]), which is its kind: all merchants' payables are
//! one title. Start at [`legs`].

use crate::{
    books::{
        Books,
        currencies::{AccountOwner, OpenedAccount},
        event::{Event, IssuedCard},
    },
    ledger::{Account, AccountId, AccountKind, Currency, Minor, Posting},
};

/// A line of the chart of accounts: the currency, and what all its accounts are for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Title {
    pub(super) currency: Currency,
    kind: &'static str,
    /// Which of the chart's own accounts of income; 0 where it is none.
    income: u16,
}

impl Title {
    pub(super) fn of(account: &Account) -> Self {
        Self::new(account.kind, account.currency)
    }

    pub(super) fn new(kind: AccountKind, currency: Currency) -> Self {
        let income = if let AccountKind::Income { account } = kind { account } else { 0 };
        Self { currency, kind: kind.name(), income }
    }

    /// The word for it in tables and files.
    pub(super) fn word(self, books: &Books) -> String {
        let own = AccountKind::Income { account: self.income };
        let word = if self.kind == own.name() { books.title(&own) } else { self.kind };
        word.to_owned()
    }
}

/// A posting, and the account that it is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub(super) kind: AccountKind,
    pub(super) title: Title,
    pub(super) amount: Minor,
}

/// What an event moved, as the books stand behind it.
pub(super) fn legs(books: &Books, event: &Event) -> Vec<Moved> {
    match event {
        Event::Decided(decided) => posted(books, &decided.postings),
        Event::Operated(operated) => posted(books, &operated.postings),
        Event::OrdererOpened { float, .. } => {
            books.orderers().last().map_or_else(Vec::new, |orderer| brought(books, orderer.float, *float))
        }
        Event::AccountOpened(OpenedAccount { owner: AccountOwner::Orderer(orderer), currency, amount }) => {
            let float = books.float_of(*orderer, *currency);
            float.map_or_else(Vec::new, |float| brought(books, float, *amount))
        }
        Event::CardIssued(issued) => issued_with(books, issued),
        _ => Vec::new(),
    }
}

fn posted(books: &Books, postings: &[Posting]) -> Vec<Moved> {
    let moved = |posting: &Posting| {
        let account = books.ledger().account(posting.account)?;
        Some(Moved { kind: account.kind, title: Title::of(&account), amount: posting.amount })
    };
    postings.iter().filter_map(moved).collect()
}

/// Money that came to the bank for an account.
fn brought(books: &Books, account: AccountId, amount: Minor) -> Vec<Moved> {
    let Some(account) = books.ledger().account(account) else { return Vec::new() };
    between(account.currency, (AccountKind::Bank, account.kind), amount)
}

fn issued_with(books: &Books, issued: &IssuedCard) -> Vec<Moved> {
    let Some((_, card)) = books.cards().behind(books.cards().len() - 1).next() else { return Vec::new() };
    let float = AccountKind::OrdererFloat { orderer: u32::from(issued.orderer) };
    let mut legs = Vec::new();
    for ((account, purse), amount) in books.card_purses(&card).zip(&issued.opening) {
        if let Some(account) = books.ledger().account(account) {
            legs.extend(between(purse.currency, (float, account.kind), *amount));
        }
    }
    let load = usize::from(books.products()[usize::from(card.product)].load_purse);
    if let Some((_, purse)) = books.card_purses(&card).nth(load) {
        legs.extend(between(purse.currency, (AccountKind::Bank, AccountKind::CardDeposits), issued.deposit));
    }
    legs
}

fn between(currency: Currency, (from, to): (AccountKind, AccountKind), amount: Minor) -> Vec<Moved> {
    if amount == 0 {
        return Vec::new();
    }
    let leg = |kind, amount| Moved { kind, title: Title::new(kind, currency), amount };
    vec![leg(from, -amount), leg(to, amount)]
}
