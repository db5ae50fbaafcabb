//! What single cards owe, and the deposits paid for them: the sub-ledgers of two accounts that all cards share.
//!
//! Few cards have either, so they stand in tables of their own. Both are kept by `apply` from postings alone, so they
//! say what the accounts say: [`Books::verify`] holds them to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Books, CardId, CommonAccount, event::CardState};
use crate::ledger::{AccountId, BrokenInvariant, Currency, Minor, Posting, Postings};

/// What cards owe and what was deposited for them.
#[derive(Clone, Debug, Default)]
pub(super) struct SideLedger {
    /// By card and currency, above zero.
    owed: BTreeMap<(u32, Currency), Owed>,
    /// By card, minor units of the currency of its load purse, above zero.
    deposits: BTreeMap<u32, Minor>,
    /// Accounts on which debts stand, one for each currency: few, and looked for in every record.
    receivables: Vec<(AccountId, Currency)>,
}

/// What a card owes in a currency.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Owed {
    amount: Minor,
    /// It was in use until this blocked it, so once it is paid it may be again.
    blocked_by_it: bool,
}

/// A row of a checkpoint.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OwedRow(u32, Currency, Owed);

/// Accounts, or what stands beside them, that do not add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BooksFault {
    /// Accounts and holds.
    #[error(transparent)]
    Ledger(#[from] BrokenInvariant),
    /// An account that all cards share is not what single cards come to.
    #[error("the {account} account in currency {currency} stands at {balance}, single cards come to {cards}")]
    SubLedger {
        /// Which.
        account: &'static str,
        /// The currency.
        currency: Currency,
        /// Its balance.
        balance: Minor,
        /// What the cards come to.
        cards: i128,
    },
}

impl SideLedger {
    pub(super) fn rows(&self) -> impl Iterator<Item = OwedRow> {
        self.owed.iter().map(|((card, currency), owed)| OwedRow(*card, *currency, *owed))
    }

    pub(super) fn deposit_rows(&self) -> impl Iterator<Item = (u32, Minor)> {
        self.deposits.iter().map(|(card, amount)| (*card, *amount))
    }

    pub(super) fn lengths(&self) -> (u64, u64) {
        (self.owed.len() as u64, self.deposits.len() as u64)
    }

    pub(super) fn restore(&mut self, OwedRow(card, currency, owed): OwedRow) {
        self.owed.insert((card, currency), owed);
    }

    pub(super) fn add_receivable(&mut self, account: AccountId, currency: Currency) {
        self.receivables.push((account, currency));
    }

    /// The currency of an account on which debts stand; none if it is another account.
    fn receivable_in(&self, account: AccountId) -> Option<Currency> {
        self.receivables.iter().find(|(known, _)| *known == account).map(|(_, currency)| *currency)
    }

    pub(super) fn set_deposit(&mut self, card: u32, amount: Minor) {
        if amount == 0 {
            self.deposits.remove(&card);
        } else {
            self.deposits.insert(card, amount);
        }
    }

    /// A card owes so much more, or less if it is negative; `blocks` says that this took it out of use.
    #[cold]
    #[inline(never)]
    fn owe(&mut self, card: u32, currency: Currency, more: Minor, blocks: bool) {
        let owed = self.owed.entry((card, currency)).or_default();
        owed.amount += more;
        owed.blocked_by_it |= blocks;
        if owed.amount != 0 {
            return;
        }
        let blocked_by_it = owed.blocked_by_it;
        self.owed.remove(&(card, currency));
        // Why the card is out of use stands beside what it owes still.
        let rest = self.owed.range_mut((card, 0)..=(card, Currency::MAX)).next();
        if let (true, Some((_, rest))) = (blocked_by_it, rest) {
            rest.blocked_by_it = true;
        }
    }
}

impl Books {
    /// What a card's holder owes in a currency, minor units.
    #[must_use]
    pub fn owed(&self, card: CardId, currency: Currency) -> Minor {
        self.side.owed.get(&(card.0, currency)).map_or(0, |owed| owed.amount)
    }

    /// Whether a card's holder owes anything.
    #[must_use]
    pub fn owes(&self, card: CardId) -> bool {
        self.debts(card).next().is_some()
    }

    /// Whether a card's holder owes anything once this much is paid in a currency.
    pub(super) fn owes_besides(&self, card: CardId, currency: Currency, paid: Minor) -> bool {
        !self.side.owed.is_empty() && self.debts_besides(card, currency, paid)
    }

    #[cold]
    #[inline(never)]
    fn debts_besides(&self, card: CardId, currency: Currency, paid: Minor) -> bool {
        self.debts(card).any(|(of, owed)| owed.amount != if of == currency { paid } else { 0 })
    }

    fn debts(&self, card: CardId) -> impl Iterator<Item = (Currency, &Owed)> {
        let of_card = self.side.owed.range((card.0, 0)..=(card.0, Currency::MAX));
        of_card.map(|((_, currency), owed)| (*currency, owed))
    }

    /// The deposit that was paid for a card, minor units of the currency of its load purse.
    #[must_use]
    pub fn deposit(&self, card: CardId) -> Minor {
        self.side.deposits.get(&card.0).copied().unwrap_or(0)
    }

    /// Whether paying this much makes a card good again that was blocked for what it owed: nothing is left then, in any
    /// currency. One that was lost since stays lost.
    pub(super) fn unblocks(&self, card: CardId, currency: Currency, paid: Minor) -> bool {
        !self.side.owed.is_empty() && self.unblocks_if_paid(card, currency, paid)
    }

    #[cold]
    #[inline(never)]
    fn unblocks_if_paid(&self, card: CardId, currency: Currency, paid: Minor) -> bool {
        self.debts(card).any(|(_, owed)| owed.blocked_by_it)
            && !self.owes_besides(card, currency, paid)
            && self.card(card).state == CardState::Blocked
    }

    /// Whether a debt takes a card out of use: one that is lost, closed or blocked stays what it is.
    pub(super) fn is_in_use(&self, card: CardId) -> bool {
        self.card(card).state == CardState::Active
    }

    /// Notes what these postings say that a card owes.
    pub(super) fn note_owed(&mut self, card: u32, postings: &[Posting], blocks: bool) {
        for posting in postings {
            if let Some(currency) = self.side.receivable_in(posting.account) {
                self.side.owe(card, currency, -posting.amount, blocks);
            }
        }
    }

    /// What is given to a card pays first what it owes: so much of the credits to its purses goes to the receivable
    /// instead. What is to go back there and is no longer owed goes to the first purse. Returns what is paid.
    pub(super) fn pay_what_is_owed(
        &self,
        card: CardId,
        currency: Currency,
        postings: &mut Postings,
    ) -> Minor {
        let touches_debts = |leg: &Posting| self.side.receivable_in(leg.account).is_some();
        if self.side.owed.is_empty() && !postings.iter().any(touches_debts) {
            // As nearly always: nobody owes anything.
            return 0;
        }
        self.pay_debts(card, currency, postings)
    }

    #[cold]
    #[inline(never)]
    fn pay_debts(&self, card: CardId, currency: Currency, postings: &mut Postings) -> Minor {
        let Some(receivable) = self.common_account(CommonAccount::Receivable, currency) else { return 0 };
        let owed = self.owed(card, currency);
        let there: Minor =
            postings.iter().filter(|leg| leg.account == receivable).map(|leg| leg.amount).sum();
        if owed == 0 && there == 0 {
            return 0;
        }
        let card = self.card(card);
        let mut purses = self.card_purses(&card).filter(|(_, purse)| purse.currency == currency);
        let Some((purse, _)) = purses.next() else { return 0 };
        let goes_back = there.min(owed);
        postings.retain(|leg| leg.account != receivable);
        let mut left = owed - goes_back;
        for leg in postings.iter_mut().filter(|leg| leg.amount > 0 && self.is_purse(leg.account)) {
            let pays = left.min(leg.amount);
            leg.amount -= pays;
            left -= pays;
        }
        postings.retain(|leg| leg.amount != 0);
        add(postings, purse, there - goes_back);
        add(postings, receivable, owed - left);
        owed - left
    }

    /// What single cards owe, below zero, and the deposits paid for them, by currency.
    #[must_use]
    pub fn of_single_cards(&self) -> (BTreeMap<Currency, i128>, BTreeMap<Currency, i128>) {
        let mut owed: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((_, currency), of_card) in &self.side.owed {
            *owed.entry(*currency).or_default() -= i128::from(of_card.amount);
        }
        let mut deposits: BTreeMap<Currency, i128> = BTreeMap::new();
        for (card, amount) in &self.side.deposits {
            let currency = self.cards.get(*card).map_or(0, |card| self.load_currency(&card));
            *deposits.entry(currency).or_default() += i128::from(*amount);
        }
        (owed, deposits)
    }

    /// Checks accounts and holds against the ledger's invariants, and what all cards share against single cards.
    ///
    /// # Errors
    /// The first that is broken.
    pub fn verify(&self) -> Result<(), BooksFault> {
        self.ledger.verify()?;
        let (owed, deposits) = self.of_single_cards();
        for ((which, currency), account) in &self.common {
            let (name, cards) = match which {
                CommonAccount::Receivable => ("receivable", owed.get(currency)),
                CommonAccount::Deposits => ("card_deposits", deposits.get(currency)),
                CommonAccount::Bank | CommonAccount::Fees => continue,
            };
            let (balance, cards) = (self.ledger.balance(*account), cards.copied().unwrap_or(0));
            if i128::from(balance) != cards {
                return Err(BooksFault::SubLedger { account: name, currency: *currency, balance, cards });
            }
        }
        Ok(())
    }
}

/// Adds to the leg on an account, which is a new one if there is none.
pub(super) fn add(postings: &mut Postings, account: AccountId, amount: Minor) {
    match postings.iter_mut().find(|leg| leg.account == account) {
        Some(leg) => leg.amount += amount,
        None if amount != 0 => postings.push(Posting { account, amount }),
        None => {}
    }
}
