//! What officers order.

use cardswitch::books::{
    decide::operations::{Operation, OperationError as Error},
    event::CardState,
};

use super::{Naive, Place, Refused, Rule, state::Card};

/// What an order comes to: what is moved, and the cards as it leaves them. Debts are the first one's.
#[derive(Default)]
struct Done {
    moved: Vec<(Place, i64)>,
    /// Whose debts are paid or made by it.
    debtor: Option<usize>,
    states: Vec<(usize, CardState)>,
    deposit: Option<(usize, i64)>,
    blocks: bool,
}

impl Naive {
    /// Carries out what was ordered under a number that no other order has; the places where money was moved.
    pub(in crate::model) fn order(
        &mut self,
        id: [u8; 16],
        expires: i64,
        operation: &Operation,
        now: i64,
    ) -> Result<Vec<Place>, Refused> {
        if now > expires {
            return Err(Refused::Expired);
        }
        if self.order_is_known(&id) {
            return Err(Refused::Done);
        }
        let done = self.operate(operation, now).map_err(Refused::Operation)?;
        self.seq += 1;
        self.orders_done.push((id, expires));
        self.move_money(done.debtor, &done.moved, done.blocks);
        for (card, state) in &done.states {
            self.cards[*card].state = *state;
        }
        if let Some((card, deposit)) = done.deposit {
            self.cards[card].deposit = deposit;
        }
        match operation {
            Operation::PublishFees(rules) => self.fees.clone_from(rules),
            Operation::ResetPinTries { card } => self.cards[*card as usize].wrong_pins = 0,
            Operation::Replace { card, by } => {
                let limits = self.cards[*card as usize].limits.clone();
                let next = &mut self.cards[*by as usize];
                if next.limits.is_none() {
                    next.limits = limits;
                }
            }
            Operation::SetHolderLimits { card, limits } => {
                self.cards[*card as usize].limits.clone_from(limits);
            }
            _ => {}
        }
        let moved = done.moved.iter().filter(|(_, amount)| *amount != 0);
        Ok(moved.map(|(place, _)| *place).collect())
    }

    fn operate(&self, operation: &Operation, now: i64) -> Result<Done, Error> {
        match *operation {
            Operation::TakeDeposit { card } => self.take_deposit(card as usize),
            Operation::Cancel { card } => self.cancel(card as usize),
            Operation::ReportLost { card } => self.report_lost(card as usize),
            Operation::Replace { card, by } => self.replace(card as usize, by as usize, now),
            Operation::Transfer { from, to, amount } => {
                self.transfer(from as usize, to as usize, amount, now)
            }
            Operation::ForcePost { card, terminal, amount, currency } => {
                self.force_post(card as usize, terminal as usize, amount, currency)
            }
            Operation::PublishFees(_)
            | Operation::PublishChart(_)
            | Operation::ResetPinTries { .. }
            | Operation::SetHolderLimits { .. } => Ok(Done::default()),
            Operation::Unblock { card } => self.unblock(card as usize),
        }
    }

    fn take_deposit(&self, id: usize) -> Result<Done, Error> {
        let (card, amount) = (&self.cards[id], self.product(id).deposit);
        if amount == 0 || card.deposit != 0 {
            return Err(Error::NoDepositDue);
        }
        if !matches!(card.state, CardState::Inactive | CardState::Active) {
            return Err(Error::State(card.state, "inactive or active"));
        }
        let currency = self.load_currency(id);
        let moved = vec![(Place::Bank(currency), -amount), (Place::Deposits(currency), amount)];
        Ok(Done { moved, deposit: Some((id, amount)), ..Done::default() })
    }

    /// Everything is paid out, what is owed first.
    fn cancel(&self, id: usize) -> Result<Done, Error> {
        let card = &self.cards[id];
        if card.state == CardState::Closed && card.balances.iter().all(|balance| *balance == 0) {
            return Err(Error::State(card.state, "not closed, or has been given something back since"));
        }
        if !card.holds.is_empty() {
            return Err(Error::Held);
        }
        let mut moved = Vec::new();
        let mut currencies: Vec<u16> = self.purses(id).map(|(_, purse)| purse.currency).collect();
        currencies.dedup();
        for currency in currencies {
            let deposit = if currency == self.load_currency(id) { card.deposit } else { 0 };
            moved.push((Place::Deposits(currency), -deposit));
            let mut sum = deposit;
            for (purse, _) in self.purses(id).filter(|(_, purse)| purse.currency == currency) {
                moved.push((Place::Purse(id, purse), -card.balances[purse]));
                sum += card.balances[purse];
            }
            let owed = self.owed(id, currency);
            if owed > sum {
                return Err(Error::Owes);
            }
            moved.extend([(Place::Receivable(currency), owed), (Place::Bank(currency), sum - owed)]);
        }
        let states = vec![(id, CardState::Closed)];
        Ok(Done { moved, debtor: Some(id), states, deposit: Some((id, 0)), ..Done::default() })
    }

    fn unblock(&self, id: usize) -> Result<Done, Error> {
        let card = &self.cards[id];
        if card.state != CardState::Blocked {
            return Err(Error::State(card.state, "blocked"));
        }
        if !card.owed.is_empty() {
            return Err(Error::Owes);
        }
        Ok(Done { states: vec![(id, CardState::Active)], ..Done::default() })
    }

    fn report_lost(&self, id: usize) -> Result<Done, Error> {
        let card = &self.cards[id];
        if !matches!(card.state, CardState::Inactive | CardState::Active | CardState::Blocked) {
            return Err(Error::State(card.state, "inactive, active or blocked"));
        }
        let currency = self.load_currency(id);
        let to = match self.is_flipped(Rule::DepositIsForfeited) {
            false => Place::Fees(currency),
            true => Place::Bank(currency),
        };
        let moved = vec![(Place::Deposits(currency), -card.deposit), (to, card.deposit)];
        let states = vec![(id, CardState::Lost)];
        Ok(Done { moved, states, deposit: Some((id, 0)), ..Done::default() })
    }

    fn check_receives(&self, card: &Card, now: i64) -> Result<(), Error> {
        if !matches!(card.state, CardState::Inactive | CardState::Active) {
            return Err(Error::State(card.state, "inactive or active"));
        }
        if card.has_expired(now) {
            return Err(Error::Expired);
        }
        if card.owed.is_empty() { Ok(()) } else { Err(Error::Owes) }
    }

    /// What is not held moves to the card in its place.
    fn replace(&self, id: usize, by: usize, now: i64) -> Result<Done, Error> {
        let (card, next) = (&self.cards[id], &self.cards[by]);
        if !matches!(card.state, CardState::Lost | CardState::Stolen | CardState::Blocked) {
            return Err(Error::State(card.state, "lost, stolen or blocked"));
        }
        self.check_receives(next, now)?;
        if (card.orderer, card.product) != (next.orderer, next.product) || id == by {
            return Err(Error::NotAlike);
        }
        if !card.owed.is_empty() {
            return Err(Error::Owes);
        }
        let (mut moved, mut in_main) = (Vec::new(), 0);
        for (purse, of) in self.purses(id) {
            let (amount, there) = (self.available(id, purse), next.balances[purse]);
            if amount > 0 && there > 0 && there + amount > of.max {
                return Err(Error::Amount);
            }
            in_main += if of.currency == self.load_currency(id) { amount } else { 0 };
            moved.extend([(Place::Purse(id, purse), -amount), (Place::Purse(by, purse), amount)]);
        }
        let (available, held) = self.shown(by, self.load_currency(by));
        let there = available + held;
        if in_main > 0 && there > 0 && there + in_main > self.product(by).balance_max {
            return Err(Error::Amount);
        }
        Ok(Done { moved, states: vec![(by, CardState::Active)], ..Done::default() })
    }

    fn transfer(&self, from: usize, to: usize, amount: i64, now: i64) -> Result<Done, Error> {
        let (payer, payee) = (&self.cards[from], &self.cards[to]);
        if payer.state != CardState::Active {
            return Err(Error::State(payer.state, "active"));
        }
        if payer.has_expired(now) {
            return Err(Error::Expired);
        }
        self.check_receives(payee, now)?;
        let currency = self.load_currency(from);
        if payer.orderer != payee.orderer || currency != self.load_currency(to) || from == to {
            return Err(Error::NotAlike);
        }
        let [source, target] = [from, to].map(|card| usize::from(self.product(card).load_purse));
        if amount <= 0 || self.is_too_much(to, target, amount) {
            return Err(Error::Amount);
        }
        if self.available(from, source) < amount {
            return Err(Error::NotEnough);
        }
        let moved = vec![(Place::Purse(from, source), -amount), (Place::Purse(to, target), amount)];
        Ok(Done { moved, states: vec![(to, CardState::Active)], ..Done::default() })
    }

    fn force_post(&self, id: usize, terminal: usize, amount: i64, currency: u16) -> Result<Done, Error> {
        let card = &self.cards[id];
        if amount <= 0 {
            return Err(Error::Amount);
        }
        if card.state == CardState::Closed {
            return Err(Error::State(card.state, "not closed"));
        }
        if self.purses(id).all(|(_, purse)| purse.currency != currency) {
            return Err(Error::NoSuch("purse in this currency"));
        }
        let (moved, _, short) = self.force(id, terminal, amount, currency);
        let blocks = short > 0 && card.state == CardState::Active;
        let states = if blocks { vec![(id, CardState::Blocked)] } else { Vec::new() };
        Ok(Done { moved, debtor: Some(id), states, blocks, ..Done::default() })
    }
}
