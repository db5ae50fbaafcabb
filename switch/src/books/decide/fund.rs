//! The last check: is there the money? What a purchase takes from which purse, and what a load draws on. What a
//! pre-authorization holds is in `hold`, what a merchant is charged in `fees`.

use super::decline;
use crate::{
    books::{
        Books, Card, Terminal,
        event::{CardState, Decided},
        reason::Reason,
        request::{Facts, Kind, Request, Shown},
    },
    clock::Moment,
    ledger::{AccountId, Currency, Posting, Refusal, purse::split_part},
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
        decided: &mut Decided,
    ) -> Reason {
        if request.kind == Kind::PinChange {
            // The HSM made the value only if the old PIN was right and the new one is a PIN.
            decided.pvv = facts.new_pvv;
            return if facts.new_pvv.is_some() { Reason::Approved } else { Reason::PinFormat };
        }
        let has_purse = self.card_purses(card).any(|(_, purse)| purse.currency == request.currency);
        if !has_purse {
            return Reason::InvalidTransaction;
        }
        let pays_merchant =
            matches!(request.kind, Kind::Purchase | Kind::PreAuthorization | Kind::PreAuthorizationAddition);
        if pays_merchant && self.payable_of(terminal.merchant, request.currency).is_none() {
            // The merchant is not paid in this currency, and nothing is exchanged here.
            return Reason::InvalidTransaction;
        }
        let balance = self.shown(card, request.currency);
        match request.kind {
            Kind::Purchase => self.fund_purchase(request, card, terminal, balance, decided),
            Kind::PreAuthorization => self.hold(request, card, terminal, balance, now, decided),
            Kind::PreAuthorizationAddition => self.add_to_hold(request, facts, card, terminal, now, decided),
            Kind::Withdrawal => self.fund_withdrawal(request, card, terminal, balance, decided),
            Kind::Load => self.fund_load(request, facts, card, terminal, balance, decided),
            Kind::Balance => {
                decided.shown = Some(balance);
                Reason::Approved
            }
            _ => Reason::Unsupported,
        }
    }

    /// What a card's holder is shown.
    pub(super) fn shown(&self, card: &Card, currency: Currency) -> Shown {
        let (balance, held) = self.card_money(card, currency);
        Shown { available: balance - held, held }
    }

    /// All of a purchase; or, for a terminal that can take the rest by other means, what there is of it.
    fn fund_purchase(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
        decided: &mut Decided,
    ) -> Reason {
        let purses = self.paying_purses(card, request.currency, terminal.category);
        let amount = split_part(&self.ledger, purses, request.amount, &mut decided.postings);
        let mut reason = Reason::Approved;
        if amount < request.amount {
            if amount == 0 || !request.partial_allowed {
                return decline(decided, Reason::InsufficientFunds);
            }
            (reason, decided.partial) = (Reason::PartlyApproved, Some(amount));
        }
        let charged = self.pay_merchant(terminal, card, amount, request.currency, &mut decided.postings);
        match self.refused(&decided.postings) {
            None => decided.shown = Some(balance.plus(-amount)),
            Some(refused) => reason = decline(decided, refused),
        }
        charged.note(decided);
        reason
    }

    /// The purses of a card that may pay at a merchant of this category today, in order of use.
    pub(super) fn paying_purses(
        &self,
        card: &Card,
        currency: Currency,
        category: u16,
    ) -> impl Iterator<Item = AccountId> {
        let day = self.business_day;
        self.card_purses(card)
            .filter(move |(_, purse)| purse.pays(currency, category, day))
            .map(|(account, _)| account)
    }

    /// Cash, and the acquirer's own fee on top, from the purses that may be drawn in cash.
    fn fund_withdrawal(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
        decided: &mut Decided,
    ) -> Reason {
        let Some(acquirer) = terminal.acquirer else { return Reason::SystemError };
        let Some(payable) = self.acquirer_payable_of(acquirer.0, request.currency) else {
            return Reason::InvalidTransaction;
        };
        let debit = request.amount.checked_add(request.acquirer_fee);
        // A fee above the amount is none.
        let Some(debit) = debit.filter(|_| request.acquirer_fee <= request.amount) else {
            return Reason::AmountLimit;
        };
        let purses = self
            .card_purses(card)
            .filter(|(_, purse)| purse.pays_cash(request.currency, self.business_day))
            .map(|(account, _)| account);
        if split_part(&self.ledger, purses, debit, &mut decided.postings) != debit {
            return decline(decided, Reason::InsufficientFunds);
        }
        decided.postings.push(Posting { account: payable, amount: debit });
        let reason = match self.refused(&decided.postings) {
            None => Reason::Approved,
            Some(refused) => decline(decided, refused),
        };
        decided.shown = reason.is_approval().then(|| balance.plus(-debit));
        decided.fee = request.acquirer_fee;
        reason
    }

    /// Money for the card; what it owes is paid of it first.
    fn fund_load(
        &self,
        request: &Request,
        facts: &Facts,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
        decided: &mut Decided,
    ) -> Reason {
        let product = &self.products[usize::from(card.product)];
        let currency = request.currency;
        let Some((purse, kind)) = self.load_purse_in(card, currency) else {
            return Reason::InvalidTransaction;
        };
        let (Some(total), Some(in_purse)) = (
            balance.together().checked_add(request.amount),
            self.ledger.balance(purse).checked_add(request.amount),
        ) else {
            return Reason::AmountLimit;
        };
        // The maximum of all purses is an amount of the load purse's currency.
        let together_max = if currency == self.load_currency(card) { product.balance_max } else { kind.max };
        if total > together_max || in_purse > kind.max {
            return Reason::AmountLimit;
        }
        let float = || self.float_of(u32::from(card.orderer), currency);
        let Some(source) = self.line_of(terminal.merchant, currency).or_else(float) else {
            return Reason::InvalidTransaction;
        };
        decided.postings.push(Posting { account: source, amount: -request.amount });
        decided.postings.push(Posting { account: purse, amount: request.amount });
        let paid =
            facts.card.map_or(0, |id| self.pay_what_is_owed(id, request.currency, &mut decided.postings));
        let unblocks = facts.card.is_some_and(|id| self.unblocks(id, request.currency, paid));
        let owes = facts.card.is_some_and(|id| self.owes_besides(id, request.currency, paid));
        decided.activates = (card.state == CardState::Inactive && !owes) || unblocks;
        decided.shown = Some(balance.plus(request.amount - paid));
        match self.refused(&decided.postings) {
            Some(reason) => decline(decided, reason),
            None => Reason::Approved,
        }
    }

    /// Why these postings cannot be made, if they cannot. Applying what the ledger would take cannot fail.
    fn refused(&self, postings: &[Posting]) -> Option<Reason> {
        match self.ledger.check(postings) {
            Ok(()) => None,
            Err(Refusal::BelowFloor(_)) => Some(Reason::InsufficientFunds),
            Err(_) => Some(Reason::SystemError),
        }
    }
}
