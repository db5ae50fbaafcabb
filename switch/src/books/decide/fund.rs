//! The last check: is there the money? What a purchase takes from which purse, what a pre-authorization holds, and
//! what a load draws on.

use super::Outcome;
use crate::{
    books::{
        Books, Card, CommonAccount, Merchant, Terminal,
        event::{CardState, PlacedHold},
        reason::Reason,
        request::{Facts, Kind, Request, Shown},
    },
    clock::Moment,
    ledger::{
        Currency, Minor, Posting, Postings, Refusal,
        purse::{split_debit, split_hold},
    },
};

impl Books {
    /// A request of a card that has passed every other check.
    pub(super) fn fund(
        &self,
        request: &Request,
        facts: &Facts,
        card: &Card,
        terminal: &Terminal,
        now: &Moment,
    ) -> Outcome {
        if request.kind == Kind::PinChange {
            // The HSM made the value only if the old PIN was right and the new one is a PIN.
            return match facts.new_pvv {
                Some(pvv) => Outcome { pvv: Some(pvv), ..Outcome::new(Reason::Approved) },
                None => Outcome::new(Reason::PinFormat),
            };
        }
        let has_purse = self.card_purses(card).any(|(_, purse)| purse.currency == request.currency);
        if !has_purse {
            return Outcome::new(Reason::InvalidTransaction);
        }
        let balance = self.shown(card, request.currency);
        match request.kind {
            Kind::Purchase => self.fund_purchase(request, card, terminal, balance),
            Kind::PreAuthorization => self.hold(request, card, terminal, balance, now),
            Kind::Withdrawal => self.fund_withdrawal(request, card, terminal, balance),
            Kind::Load => self.fund_load(request, card, terminal, balance),
            Kind::Balance => Outcome { shown: Some(balance), ..Outcome::new(Reason::Approved) },
            _ => Outcome::new(Reason::Unsupported),
        }
    }

    /// What a card's holder is shown.
    pub(super) fn shown(&self, card: &Card, currency: Currency) -> Shown {
        let held = self.card_held(card, currency);
        Shown { available: self.card_balance(card, currency) - held, held }
    }

    fn fund_purchase(&self, request: &Request, card: &Card, terminal: &Terminal, balance: Shown) -> Outcome {
        let merchant = &self.merchants[terminal.merchant as usize];
        let purses = self
            .card_purses(card)
            .filter(|(_, purse)| purse.pays(request.currency, terminal.category))
            .map(|(account, _)| account);
        let Some(debits) = split_debit(&self.ledger, purses, request.amount) else {
            return Outcome::new(Reason::InsufficientFunds);
        };
        let mut postings: Postings = debits.into_iter().collect();
        let fee = self.pay_merchant(merchant, request.amount, request.currency, &mut postings);
        let outcome = self.approve_if_postable(postings, balance.plus(-request.amount));
        Outcome { fee, ..outcome }
    }

    /// Puts what a merchant gets of an amount, and what of it is the fee, behind the debits. Returns the fee.
    pub(super) fn pay_merchant(
        &self,
        merchant: &Merchant,
        amount: Minor,
        currency: Currency,
        postings: &mut Postings,
    ) -> Minor {
        let fee = merchant.fee(amount);
        postings.push(Posting { account: merchant.payable, amount: amount - fee });
        if let (true, Some(account)) = (fee != 0, self.common_account(CommonAccount::Fees, currency)) {
            postings.push(Posting { account, amount: fee });
        }
        fee
    }

    /// Promises an amount of the purses that may pay here.
    fn hold(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
        now: &Moment,
    ) -> Outcome {
        let purses = self
            .card_purses(card)
            .filter(|(_, purse)| purse.pays(request.currency, terminal.category))
            .map(|(account, _)| account);
        let Some(legs) = split_hold(&self.ledger, purses, request.amount) else {
            return Outcome::new(Reason::InsufficientFunds);
        };
        let expires_ms = now.unix_ms() + self.products[usize::from(card.product)].hold_ms;
        let shown =
            Shown { available: balance.available - request.amount, held: balance.held + request.amount };
        Outcome {
            places: Some(PlacedHold { legs, expires_ms }),
            shown: Some(shown),
            ..Outcome::new(Reason::Approved)
        }
    }

    /// Cash, and the acquirer's own fee on top, from the purses that may be drawn in cash.
    fn fund_withdrawal(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
    ) -> Outcome {
        let Some(acquirer) = terminal.acquirer.map(|id| self.acquirer(id)) else {
            return Outcome::new(Reason::SystemError);
        };
        let debit = request.amount.checked_add(request.acquirer_fee);
        // A fee above the amount is none.
        let Some(debit) = debit.filter(|_| request.acquirer_fee <= request.amount) else {
            return Outcome::new(Reason::AmountLimit);
        };
        let purses = self
            .card_purses(card)
            .filter(|(_, purse)| purse.cash && purse.currency == request.currency)
            .map(|(account, _)| account);
        let Some(debits) = split_debit(&self.ledger, purses, debit) else {
            return Outcome::new(Reason::InsufficientFunds);
        };
        let mut postings: Postings = debits.into_iter().collect();
        postings.push(Posting { account: acquirer.payable, amount: debit });
        let outcome = self.approve_if_postable(postings, balance.plus(-debit));
        Outcome { fee: request.acquirer_fee, ..outcome }
    }

    fn fund_load(&self, request: &Request, card: &Card, terminal: &Terminal, balance: Shown) -> Outcome {
        let product = &self.products[usize::from(card.product)];
        let Some((purse, kind)) = self.card_purses(card).nth(usize::from(product.load_purse)) else {
            return Outcome::new(Reason::SystemError);
        };
        if kind.currency != request.currency {
            return Outcome::new(Reason::InvalidTransaction);
        }
        let (Some(total), Some(in_purse)) = (
            balance.together().checked_add(request.amount),
            self.ledger.balance(purse).checked_add(request.amount),
        ) else {
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
        let outcome = self.approve_if_postable(postings.into_iter().collect(), balance.plus(request.amount));
        Outcome { activates: activates && outcome.reason == Reason::Approved, ..outcome }
    }

    /// Approves if the ledger would take the postings, so that applying them cannot fail.
    pub(super) fn approve_if_postable(&self, postings: Postings, shown: Shown) -> Outcome {
        match self.ledger.check(&postings) {
            Ok(()) => Outcome { shown: Some(shown), postings, ..Outcome::new(Reason::Approved) },
            Err(Refusal::BelowFloor(_)) => Outcome::new(Reason::InsufficientFunds),
            Err(_) => Outcome::new(Reason::SystemError),
        }
    }
}
