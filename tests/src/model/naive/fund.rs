//! What a request comes to that stands for itself: whether there is the money, and where it goes.

use cardswitch::{
    books::{
        event::{CardState, OpenedMerchant},
        fees::FeeRule,
        reason::Reason,
    },
    ledger::purse::PurseType,
};

use super::{Ask, Naive, Outcome, Place, Rule};

impl Naive {
    /// Whether a purse may pay in a currency at merchants of a category today.
    pub(super) fn pays(&self, purse: &PurseType, currency: u16, category: u16) -> bool {
        let here = purse.categories.is_empty() || purse.categories.contains(&category);
        purse.currency == currency && here && self.is_good(purse)
    }

    fn is_good(&self, purse: &PurseType) -> bool {
        purse.last_day.is_none_or(|last| self.day <= last)
    }

    /// What there is of an amount in those purses that fulfil a condition, in the order of use, and how much that is.
    pub(super) fn part(
        &self,
        card: usize,
        amount: i64,
        may: impl Fn(&PurseType) -> bool,
    ) -> (Vec<(usize, i64)>, i64) {
        let (mut left, mut legs) = (amount, Vec::new());
        for (purse, _) in self.purses(card).filter(|(_, purse)| may(purse)) {
            let take = left.min(self.available(card, purse));
            if take > 0 {
                legs.push((purse, take));
                left -= take;
            }
        }
        (legs, amount - left)
    }

    /// All of an amount, or nothing.
    pub(super) fn split(
        &self,
        card: usize,
        amount: i64,
        may: impl Fn(&PurseType) -> bool,
    ) -> Result<Vec<(usize, i64)>, Reason> {
        let (legs, found) = self.part(card, amount, may);
        if found == amount { Ok(legs) } else { Err(Reason::InsufficientFunds) }
    }

    /// The first entry of the schedule that is for this payment says the fee, else the merchant's terms.
    fn fee(&self, card: usize, terminal: usize, amount: i64, currency: u16) -> i64 {
        let place = &self.terminals[terminal];
        let product = u16::try_from(self.cards[card].product).expect("few products");
        let is_for = |rule: &&FeeRule| {
            rule.currency == currency
                && (rule.categories.is_empty() || rule.categories.contains(&place.category))
                && (rule.channels.is_empty() || rule.channels.contains(&place.dialect))
                && (rule.products.is_empty() || rule.products.contains(&product))
                && (rule.merchants.is_empty() || rule.merchants.contains(&place.merchant))
                && rule.first_day.is_none_or(|first| self.day >= first)
                && rule.last_day.is_none_or(|last| self.day <= last)
        };
        let merchant = &self.merchants[place.merchant as usize];
        let (percent_bp, fixed, min, max) = match self.fees.iter().find(is_for) {
            Some(rule) => (rule.percent_bp, rule.fixed, rule.min, rule.max),
            None => (merchant.fee_bp, 0, merchant.fee_min, merchant.fee_max),
        };
        let half = if self.is_flipped(Rule::FeesRoundHalfUp) { 0 } else { 5_000 };
        ((amount * i64::from(percent_bp) + half) / 10_000 + fixed).max(min).min(max).min(amount)
    }

    /// What a merchant gets of an amount that others gave, and the fee.
    pub(super) fn pay(
        &self,
        card: usize,
        terminal: usize,
        gave: impl Iterator<Item = (Place, i64)>,
        amount: i64,
        currency: u16,
    ) -> (Vec<(Place, i64)>, i64) {
        let fee = self.fee(card, terminal, amount, currency);
        let mut moved: Vec<_> = gave.map(|(place, amount)| (place, -amount)).collect();
        moved.push((Place::Merchant(self.terminals[terminal].merchant as usize), amount - fee));
        moved.push((Place::Fees(currency), fee));
        (moved, fee)
    }

    pub(super) fn purchase(&self, ask: &Ask, id: usize) -> Result<Outcome, Reason> {
        let (terminal, currency) = (ask.name.0, ask.currency);
        let category = self.terminals[terminal].category;
        let (legs, paid) = self.part(id, ask.amount, |purse| self.pays(purse, currency, category));
        let is_part = paid < ask.amount;
        let allowed = ask.partial_allowed || self.is_flipped(Rule::PartOnlyWhereAllowed);
        if is_part && (paid == 0 || !allowed) {
            return Err(Reason::InsufficientFunds);
        }
        let gave = legs.iter().map(|(purse, amount)| (Place::Purse(id, *purse), *amount));
        let (moved, fee) = self.pay(id, terminal, gave, paid, currency);
        let (available, held) = self.shown(id, currency);
        let reason = if is_part { Reason::PartlyApproved } else { Reason::Approved };
        let (shown, partial) = (Some((available - paid, held)), is_part.then_some(paid));
        Ok(Outcome { reason, partial, moved, fee, shown, ..Outcome::approved() })
    }

    /// Cash, and the acquirer's fee on top.
    pub(super) fn withdraw(&self, ask: &Ask, id: usize) -> Result<Outcome, Reason> {
        let acquirer = self.terminals[ask.name.0].acquirer.ok_or(Reason::SystemError)?;
        if self.acquirer_currencies[usize::from(acquirer)] != ask.currency {
            return Err(Reason::InvalidTransaction);
        }
        if ask.acquirer_fee > ask.amount {
            return Err(Reason::AmountLimit);
        }
        let debit = ask.amount + ask.acquirer_fee;
        let draws = |purse: &PurseType| purse.cash && purse.currency == ask.currency && self.is_good(purse);
        let legs = self.split(id, debit, draws)?;
        let mut moved: Vec<_> =
            legs.iter().map(|(purse, amount)| (Place::Purse(id, *purse), -amount)).collect();
        moved.push((Place::Acquirer(usize::from(acquirer)), debit));
        let (available, held) = self.shown(id, ask.currency);
        let shown = Some((available - debit, held));
        Ok(Outcome { moved, fee: ask.acquirer_fee, shown, ..Outcome::approved() })
    }

    /// Whether so much more in a purse would be more than a card may hold after a load. What all purses may hold together is
    /// said in the currency of the product's load purse.
    pub(super) fn is_too_much(&self, card: usize, purse: usize, more: i64) -> bool {
        let product = self.product(card);
        let PurseType { currency, max, .. } = self.purse_types[usize::from(product.purses[purse])];
        let together_max = if currency == self.load_currency(card) { product.balance_max } else { max };
        let (available, held) = self.shown(card, currency);
        available + held + more > together_max || self.cards[card].balances[purse] + more > max
    }

    pub(super) fn load_currency(&self, card: usize) -> u16 {
        let product = self.product(card);
        self.purse_types[usize::from(product.purses[usize::from(product.load_purse)])].currency
    }

    pub(super) fn load(&self, ask: &Ask, id: usize) -> Result<Outcome, Reason> {
        let card = &self.cards[id];
        // The product's load purse or, in another currency, the first there is.
        let load_purse = usize::from(self.product(id).load_purse);
        let in_currency =
            |purse: &usize| self.purses(id).any(|(at, of)| at == *purse && of.currency == ask.currency);
        let mut purses = std::iter::once(load_purse).chain(0..card.balances.len());
        let to = purses.find(in_currency).ok_or(Reason::InvalidTransaction)?;
        if self.is_too_much(id, to, ask.amount) {
            return Err(Reason::AmountLimit);
        }
        let merchant = self.terminals[ask.name.0].merchant as usize;
        let OpenedMerchant { load_line, currency, .. } = self.merchants[merchant];
        let (from, lowest) = if load_line > 0 && currency == ask.currency {
            (Place::Line(merchant), -load_line)
        } else if self.float_currencies[card.orderer] == ask.currency {
            (Place::Float(card.orderer), 0)
        } else {
            return Err(Reason::InvalidTransaction);
        };
        let covers = self.balance(from) - ask.amount >= lowest;
        if !covers && !self.is_flipped(Rule::FloatCovers) {
            return Err(Reason::InsufficientFunds);
        }
        let mut moved = vec![(from, -ask.amount)];
        let debt = if self.is_flipped(Rule::DebtsFirst) { 0 } else { self.owed(id, ask.currency) };
        let paid = debt.min(ask.amount);
        moved.push((Place::Receivable(ask.currency), paid));
        moved.push((Place::Purse(id, to), ask.amount - paid));
        let (available, held) = self.shown(id, ask.currency);
        Ok(Outcome {
            moved,
            shown: Some((available + ask.amount - paid, held)),
            activates: (card.state == CardState::Inactive && self.is_all_owed(id, ask.currency, paid))
                || self.is_good_again(id, ask.currency, paid),
            ..Outcome::approved()
        })
    }

    /// Whether a payment of a debt brings a card back that was blocked for it, and for nothing else.
    pub(super) fn is_good_again(&self, card: usize, currency: u16, paid: i64) -> bool {
        let all = self.is_all_owed(card, currency, paid);
        let card = &self.cards[card];
        all && card.owed.values().any(|owed| owed.1) && card.state == CardState::Blocked
    }

    /// Whether a card owes nothing once this much is paid.
    fn is_all_owed(&self, card: usize, currency: u16, paid: i64) -> bool {
        let owed: i64 = self.cards[card].owed.values().map(|owed| owed.0).sum();
        owed == paid && self.owed(card, currency) == paid
    }
}
