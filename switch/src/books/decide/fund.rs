//! The last check: is there the money? What a purchase takes from which purse, and what a load draws on.

use super::Outcome;
use crate::{
    books::{
        Books, Card, CommonAccount, Terminal,
        event::CardState,
        reason::Reason,
        request::{Kind, Request},
    },
    ledger::{Minor, Posting, Postings, Refusal, purse::split_debit},
};

impl Books {
    /// Purchase, load or balance inquiry of a card that has passed every other check.
    pub(super) fn fund(&self, request: &Request, card: &Card, terminal: &Terminal) -> Outcome {
        let held = self.card_purses(card).any(|(_, purse)| purse.currency == request.currency);
        if !held {
            return Outcome::new(Reason::InvalidTransaction);
        }
        let balance = self.card_balance(card, request.currency);
        match request.kind {
            Kind::Purchase => self.fund_purchase(request, card, terminal, balance),
            Kind::Load => self.fund_load(request, card, terminal, balance),
            _ => Outcome { shown: Some(balance), ..Outcome::new(Reason::Approved) },
        }
    }

    fn fund_purchase(&self, request: &Request, card: &Card, terminal: &Terminal, balance: Minor) -> Outcome {
        let merchant = &self.merchants[terminal.merchant as usize];
        let purses = self
            .card_purses(card)
            .filter(|(_, purse)| purse.pays(request.currency, terminal.category))
            .map(|(account, _)| account);
        let Some(debits) = split_debit(&self.ledger, purses, request.amount) else {
            return Outcome::new(Reason::InsufficientFunds);
        };
        let fee = merchant.fee(request.amount);
        let mut postings: Postings = debits.into_iter().collect();
        postings.push(Posting { account: merchant.payable, amount: request.amount - fee });
        if let (true, Some(account)) = (fee != 0, self.common_account(CommonAccount::Fees, request.currency))
        {
            postings.push(Posting { account, amount: fee });
        }
        self.approve_if_postable(postings, balance - request.amount)
    }

    fn fund_load(&self, request: &Request, card: &Card, terminal: &Terminal, balance: Minor) -> Outcome {
        let product = &self.products[usize::from(card.product)];
        let Some((purse, kind)) = self.card_purses(card).nth(usize::from(product.load_purse)) else {
            return Outcome::new(Reason::SystemError);
        };
        if kind.currency != request.currency {
            return Outcome::new(Reason::InvalidTransaction);
        }
        let (Some(total), Some(in_purse)) =
            (balance.checked_add(request.amount), self.ledger.balance(purse).checked_add(request.amount))
        else {
            return Outcome::new(Reason::AmountLimit);
        };
        if total > product.balance_max || in_purse > kind.max {
            return Outcome::new(Reason::AmountLimit);
        }
        let float = self.orderers[usize::from(card.orderer)].float;
        let source = self.merchants[terminal.merchant as usize].load_line.unwrap_or(float);
        let postings = [
            Posting { account: source, amount: -request.amount },
            Posting { account: purse, amount: request.amount },
        ];
        let activates = card.state == CardState::Inactive;
        let outcome = self.approve_if_postable(postings.into_iter().collect(), total);
        Outcome { activates: activates && outcome.reason == Reason::Approved, ..outcome }
    }

    /// Approves if the ledger would take the postings, so that applying them cannot fail.
    fn approve_if_postable(&self, postings: Postings, shown: Minor) -> Outcome {
        match self.ledger.check(&postings) {
            Ok(()) => Outcome { shown: Some(shown), postings, ..Outcome::new(Reason::Approved) },
            Err(Refusal::BelowFloor(_)) => Outcome::new(Reason::InsufficientFunds),
            Err(_) => Outcome::new(Reason::SystemError),
        }
    }
}
