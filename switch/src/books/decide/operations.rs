//! What officers order for cards: deposits, cancellation, loss, replacement, transfers, payments without authorization,
//! schedules of fees and charts of accounts.
//!
//! The same way as a request: [`Books::decide_operation`] looks and changes nothing, its event says what follows, with
//! amounts and accounts. Who may order what, and how many officers it takes, is not asked here.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::{
    books::{
        Books, Card, CardId, CommonAccount, TerminalId,
        chart::{Chart, ChartFault, IncomeOf},
        event::{CardChange, CardState, Event, Operated, OperationKind},
        fees::{self, FeeFault, FeeRule},
        holder_limits::{HolderLimits, LimitsFault},
    },
    clock::Moment,
    ledger::{AccountId, Currency, Minor, Posting, Refusal},
};

/// What is ordered. Cards, terminals and the like by their positions, amounts in minor units.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The deposit for a card has been paid in cash.
    TakeDeposit {
        /// The card.
        card: u32,
    },
    /// A card is given back: what it holds and its deposit are paid out, and it is closed. Ordered again, what was given
    /// back to it since is paid out.
    Cancel {
        /// The card.
        card: u32,
    },
    /// A card is lost: it is not served any more, and its deposit is income.
    ReportLost {
        /// The card.
        card: u32,
    },
    /// What a card that is not served any more holds moves to another of its orderer and product, which becomes active.
    /// What is still held for merchants stays; ordered again, the rest follows. One that has money already gets no more
    /// than it may hold together.
    Replace {
        /// The card that was lost, stolen or blocked.
        card: u32,
        /// The card in its place.
        by: u32,
    },
    /// Money moves between two cards of one orderer.
    Transfer {
        /// From this card's load purse.
        from: u32,
        /// To this card's.
        to: u32,
        /// How much.
        amount: Minor,
    },
    /// A merchant is paid although nothing was authorized; what the card does not have its holder owes.
    ForcePost {
        /// The card.
        card: u32,
        /// The terminal whose merchant is paid.
        terminal: u32,
        /// How much.
        amount: Minor,
        /// Of which currency.
        currency: Currency,
    },
    /// A fee schedule comes into force, in place of the one before.
    PublishFees(Vec<FeeRule>),
    /// A card's wrong PINs are forgotten, so that the right one is taken again.
    ResetPinTries {
        /// The card.
        card: u32,
    },
    /// A blocked card is served again. One that was blocked over a debt must have none.
    Unblock {
        /// The card.
        card: u32,
    },
    /// A chart of accounts comes into force, in place of the one before.
    PublishChart(Chart),
    /// A cardholder's limits, in place of those before.
    SetHolderLimits {
        /// The card.
        card: u32,
        /// All of its limits; none of them: as its product says.
        limits: HolderLimits,
    },
}

/// What a card must be to be cancelled.
const CANCELLED: &str = "not closed, or has been given something back since";

/// Why something that was ordered is not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OperationError {
    /// A position beyond the end.
    #[error("there is no such {0}")]
    NoSuch(&'static str),
    /// The card's state does not allow it.
    #[error("the card is {0:?}, and this is done only to one that is {1}")]
    State(CardState, &'static str),
    /// The card is past its expiry.
    #[error("the card has expired")]
    Expired,
    /// The cards belong to two orderers, or are of two products.
    #[error("the two cards are not of one orderer and one kind")]
    NotAlike,
    /// The product takes no deposit, or it is paid already.
    #[error("no deposit is due for this card")]
    NoDepositDue,
    /// Something is held for merchants.
    #[error("something is held for merchants: try again once it has been completed or released")]
    Held,
    /// The cardholder owes something.
    #[error("the cardholder owes something that this does not pay; load the card first")]
    Owes,
    /// The amount is not above zero, or would bring the card above its maximum. A card that had nothing may always hold what
    /// another held before it.
    #[error("the amount is not above zero, or more than the card may hold")]
    Amount,
    /// There is not enough money.
    #[error("there is not enough money")]
    NotEnough,
    /// The schedule says something impossible.
    #[error("the fee schedule cannot be put in force")]
    Fees(#[from] FeeFault),
    /// The chart says something impossible.
    #[error("the chart of accounts cannot be put in force")]
    Chart(#[from] ChartFault),
    /// Limits that no card may be given.
    #[error("the cardholder's limits cannot be set")]
    Limits(#[from] LimitsFault),
    /// The ledger would refuse it.
    #[error("the ledger refuses it")]
    Ledger(#[source] Refusal),
}

impl Books {
    /// Decides what an officer ordered; what to record if it can be done.
    ///
    /// # Errors
    /// It cannot, and nothing happens.
    pub fn decide_operation(&self, operation: &Operation, now: &Moment) -> Result<Event, OperationError> {
        let operated = match operation {
            Operation::TakeDeposit { card } => self.take_deposit(*card),
            Operation::Cancel { card } => self.cancel(*card),
            Operation::ReportLost { card } => self.report_lost(*card),
            Operation::Replace { card, by } => self.replace(*card, *by, now),
            Operation::Transfer { from, to, amount } => self.transfer(*from, *to, *amount, now),
            Operation::ForcePost { card, terminal, amount, currency } => {
                self.force_post(*card, *terminal, *amount, *currency)
            }
            Operation::PublishFees(rules) => {
                fees::check(rules, self.products.len(), self.merchants.len())?;
                return Ok(Event::FeesPublished(rules.clone()));
            }
            Operation::PublishChart(chart) => {
                self.check_chart(chart)?;
                return Ok(Event::ChartPublished(chart.clone()));
            }
            Operation::ResetPinTries { card } => {
                self.known(*card)?;
                return Ok(Event::PinTriesReset { card: *card });
            }
            Operation::SetHolderLimits { card, limits } => {
                self.known(*card)?;
                return Ok(self.decide_limits(*card, limits)?);
            }
            Operation::Unblock { card } => self.unblock(*card),
        }?;
        self.ledger.check(&operated.postings).map_err(|refusal| match refusal {
            Refusal::BelowFloor(_) => OperationError::NotEnough,
            other => OperationError::Ledger(other),
        })?;
        Ok(Event::Operated(operated))
    }

    fn take_deposit(&self, at: u32) -> Result<Operated, OperationError> {
        let card = &self.known(at)?;
        let amount = self.products[usize::from(card.product)].deposit;
        if amount == 0 || self.deposit(CardId(at)) != 0 {
            return Err(OperationError::NoDepositDue);
        }
        if !matches!(card.state, CardState::Inactive | CardState::Active) {
            return Err(OperationError::State(card.state, "inactive or active"));
        }
        let currency = self.load_currency(card);
        let postings = self.between(CommonAccount::Bank, CommonAccount::Deposits, currency, amount)?;
        let change = CardChange { card: at, state: card.state, deposit: amount };
        Ok(operated(OperationKind::TakeDeposit, amount, currency, postings, &[change]))
    }

    fn cancel(&self, at: u32) -> Result<Operated, OperationError> {
        let card = &self.known(at)?;
        let has_money = self.card_purses(card).any(|(account, _)| self.ledger.balance(account) != 0);
        if card.state == CardState::Closed && !has_money {
            return Err(OperationError::State(card.state, CANCELLED));
        }
        let main = self.load_currency(card);
        let mut postings = Vec::new();
        let mut paid_out: Vec<(Currency, Minor)> = vec![(main, self.deposit(CardId(at)))];
        if let (_, deposit @ 1..) = paid_out[0] {
            postings
                .push(Posting { account: self.common_of(CommonAccount::Deposits, main)?, amount: -deposit });
        }
        for (account, purse) in self.card_purses(card) {
            if self.ledger.held(account) != 0 {
                return Err(OperationError::Held);
            }
            let balance = self.ledger.balance(account);
            if balance != 0 {
                postings.push(Posting { account, amount: -balance });
            }
            match paid_out.iter_mut().find(|(currency, _)| *currency == purse.currency) {
                Some((_, sum)) => *sum += balance,
                None => paid_out.push((purse.currency, balance)),
            }
        }
        for (currency, sum) in &paid_out {
            let owed = self.owed(CardId(at), *currency);
            if owed > *sum {
                return Err(OperationError::Owes);
            }
            let legs = [(CommonAccount::Receivable, owed), (CommonAccount::Bank, *sum - owed)];
            for (which, amount) in legs.into_iter().filter(|(_, amount)| *amount != 0) {
                postings.push(Posting { account: self.common_of(which, *currency)?, amount });
            }
        }
        let change = CardChange { card: at, state: CardState::Closed, deposit: 0 };
        Ok(operated(OperationKind::Cancel, paid_out[0].1, main, postings, &[change]))
    }

    fn unblock(&self, at: u32) -> Result<Operated, OperationError> {
        let card = self.known(at)?;
        if card.state != CardState::Blocked {
            return Err(OperationError::State(card.state, "blocked"));
        }
        if self.owes(CardId(at)) {
            return Err(OperationError::Owes);
        }
        let change = CardChange { card: at, state: CardState::Active, deposit: self.deposit(CardId(at)) };
        Ok(operated(OperationKind::Unblock, 0, self.load_currency(&card), Vec::new(), &[change]))
    }

    fn report_lost(&self, at: u32) -> Result<Operated, OperationError> {
        let card = &self.known(at)?;
        if !matches!(card.state, CardState::Inactive | CardState::Active | CardState::Blocked) {
            return Err(OperationError::State(card.state, "inactive, active or blocked"));
        }
        let (deposit, currency) = (self.deposit(CardId(at)), self.load_currency(card));
        let postings = match deposit {
            0 => Vec::new(),
            _ => {
                let deposits = self.common_of(CommonAccount::Deposits, currency)?;
                let of = IncomeOf::Deposit { currency, product: card.product };
                let mut postings = vec![Posting { account: deposits, amount: -deposit }];
                postings.extend(self.divide_income(of, card.orderer, deposit));
                postings
            }
        };
        let change = CardChange { card: at, state: CardState::Lost, deposit: 0 };
        Ok(operated(OperationKind::ReportLost, deposit, currency, postings, &[change]))
    }

    fn replace(&self, at: u32, by: u32, now: &Moment) -> Result<Operated, OperationError> {
        let (card, next) = (&self.known(at)?, &self.known(by)?);
        if !matches!(card.state, CardState::Lost | CardState::Stolen | CardState::Blocked) {
            return Err(OperationError::State(card.state, "lost, stolen or blocked"));
        }
        self.check_receives(by, next, now)?;
        if card.orderer != next.orderer || card.product != next.product || at == by {
            return Err(OperationError::NotAlike);
        }
        if self.owes(CardId(at)) {
            return Err(OperationError::Owes);
        }
        let mut postings = Vec::new();
        let mut moved = 0;
        let main = self.load_currency(card);
        for ((from, purse), (to, _)) in self.card_purses(card).zip(self.card_purses(next)) {
            let amount = self.ledger.available(from);
            let there = self.ledger.balance(to);
            if amount > 0 && there > 0 && there.saturating_add(amount) > purse.max {
                return Err(OperationError::Amount);
            }
            if amount > 0 {
                postings.push(Posting { account: from, amount: -amount });
                postings.push(Posting { account: to, amount });
                moved += if purse.currency == main { amount } else { 0 };
            }
        }
        let there = self.card_balance(next, main);
        let max = self.products[usize::from(next.product)].balance_max;
        if moved > 0 && there > 0 && there.saturating_add(moved) > max {
            return Err(OperationError::Amount);
        }
        let changes = [
            CardChange { card: at, state: card.state, deposit: self.deposit(CardId(at)) },
            CardChange { card: by, state: CardState::Active, deposit: self.deposit(CardId(by)) },
        ];
        Ok(operated(OperationKind::Replace, moved, main, postings, &changes))
    }

    fn transfer(&self, from: u32, to: u32, amount: Minor, now: &Moment) -> Result<Operated, OperationError> {
        let (payer, payee) = (&self.known(from)?, &self.known(to)?);
        if payer.state != CardState::Active {
            return Err(OperationError::State(payer.state, "active"));
        }
        if payer.expiry_yymm < now.year_month() {
            return Err(OperationError::Expired);
        }
        self.check_receives(to, payee, now)?;
        let ((source, currency), (target, other)) = (self.load_purse(payer), self.load_purse(payee));
        if payer.orderer != payee.orderer || currency != other || from == to {
            return Err(OperationError::NotAlike);
        }
        let product = &self.products[usize::from(payee.product)];
        let together = self.card_balance(payee, currency).checked_add(amount);
        let purse_max = self.purses[usize::from(product.purses[usize::from(product.load_purse)])].max;
        let in_purse = self.ledger.balance(target).saturating_add(amount);
        if amount <= 0 || together.is_none_or(|sum| sum > product.balance_max) || in_purse > purse_max {
            return Err(OperationError::Amount);
        }
        if self.ledger.available(source) < amount {
            return Err(OperationError::NotEnough);
        }
        let postings =
            vec![Posting { account: source, amount: -amount }, Posting { account: target, amount }];
        let changes = [
            CardChange { card: from, state: payer.state, deposit: self.deposit(CardId(from)) },
            CardChange { card: to, state: CardState::Active, deposit: self.deposit(CardId(to)) },
        ];
        Ok(operated(OperationKind::Transfer, amount, currency, postings, &changes))
    }

    fn force_post(
        &self,
        at: u32,
        terminal: u32,
        amount: Minor,
        currency: Currency,
    ) -> Result<Operated, OperationError> {
        let card = &self.known(at)?;
        if self.terminals.get(terminal as usize).is_none() {
            return Err(OperationError::NoSuch("terminal"));
        }
        if amount <= 0 {
            return Err(OperationError::Amount);
        }
        if card.state == CardState::Closed {
            return Err(OperationError::State(card.state, "not closed"));
        }
        if self.card_purses(card).all(|(_, purse)| purse.currency != currency) {
            // What is owed in it could never be paid.
            return Err(OperationError::NoSuch("purse in this currency"));
        }
        let forced = self.force(card, self.terminal(TerminalId(terminal)), amount, currency);
        let blocks = forced.short > 0 && card.state == CardState::Active;
        let state = if blocks { CardState::Blocked } else { card.state };
        let change = CardChange { card: at, state, deposit: self.deposit(CardId(at)) };
        let postings = forced.postings.to_vec();
        let operated = operated(OperationKind::ForcePost, amount, currency, postings, &[change]);
        Ok(Operated { terminal: Some(terminal), ..operated })
    }

    fn known(&self, card: u32) -> Result<Card, OperationError> {
        self.cards.get(card).ok_or(OperationError::NoSuch("card"))
    }

    /// Whether a card can be given money: in use, or issued and waiting for its first, and owing nothing that would have to
    /// be paid of it.
    fn check_receives(&self, at: u32, card: &Card, now: &Moment) -> Result<(), OperationError> {
        if !matches!(card.state, CardState::Inactive | CardState::Active) {
            return Err(OperationError::State(card.state, "inactive or active"));
        }
        if card.expiry_yymm < now.year_month() {
            return Err(OperationError::Expired);
        }
        if self.owes(CardId(at)) { Err(OperationError::Owes) } else { Ok(()) }
    }

    /// The purse that loads go to, and its currency.
    fn load_purse(&self, card: &Card) -> (AccountId, Currency) {
        let product = &self.products[usize::from(card.product)];
        let purse = self.card_purses(card).nth(usize::from(product.load_purse));
        // INVARIANT: `define_product` admits no load purse that the product does not have.
        let (account, purse) = purse.expect("a load purse");
        (account, purse.currency)
    }

    pub(in crate::books) fn load_currency(&self, card: &Card) -> Currency {
        self.load_purse(card).1
    }

    fn between(
        &self,
        from: CommonAccount,
        to: CommonAccount,
        currency: Currency,
        amount: Minor,
    ) -> Result<Vec<Posting>, OperationError> {
        Ok(vec![
            Posting { account: self.common_of(from, currency)?, amount: -amount },
            Posting { account: self.common_of(to, currency)?, amount },
        ])
    }

    fn common_of(&self, which: CommonAccount, currency: Currency) -> Result<AccountId, OperationError> {
        self.common_account(which, currency).ok_or(OperationError::NoSuch("account in this currency"))
    }
}

fn operated(
    kind: OperationKind,
    amount: Minor,
    currency: Currency,
    postings: Vec<Posting>,
    changes: &[CardChange],
) -> Operated {
    let changes: ArrayVec<CardChange, 2> = changes.iter().copied().collect();
    Operated { kind, amount, currency, terminal: None, changes, postings }
}

#[cfg(test)]
mod tests;
