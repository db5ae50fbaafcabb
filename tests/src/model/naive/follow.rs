//! What a request comes to that names an approved transaction, and how money goes back.

use cardswitch::books::{reason::Reason, request::Kind};

use super::{
    Ask, Naive, Place, Rule,
    state::{Approval, Outcome},
};

impl Naive {
    /// The approved transaction of this card at this merchant that a request names.
    pub(super) fn named(&self, ask: &Ask, id: usize, now: i64) -> Result<(u64, &Approval), Reason> {
        let code = ask.approval.ok_or(Reason::NoOriginal)?;
        // Newest first: an approval code is the end of a record's number.
        let last = self.seq / 1_000_000;
        let mut numbers = (0..=last).rev().map(|millions| millions * 1_000_000 + u64::from(code));
        let found = numbers.find_map(|seq| Some((seq, self.approvals.get(&seq).filter(|of| of.card == id)?)));
        let (seq, original) = found.ok_or(Reason::NoOriginal)?;
        let merchant = self.terminals[ask.name.0].merchant as usize;
        let fits = original.merchant == merchant
            && ask.original_batch.is_none_or(|batch| batch == original.name.1)
            && ask.original_stan.is_none_or(|stan| stan == original.name.2)
            && now - original.time < self.policy.refund_ms;
        if fits { Ok((seq, original)) } else { Err(Reason::NoOriginal) }
    }

    pub(super) fn follow(&self, ask: &Ask, id: usize, now: i64) -> Result<Outcome, Reason> {
        let (seq, original) = self.named(ask, id, now)?;
        if original.currency != ask.currency {
            return Err(Reason::AmountDiffers);
        }
        let same_batch = (original.name.0, original.name.1) == (ask.name.0, ask.name.1);
        match (ask.kind, original.kind) {
            (Kind::Void, Kind::Purchase) | (Kind::CompletionVoid, Kind::Completion) if same_batch => {
                if original.returned != 0 {
                    return Err(Reason::NoOriginal);
                }
                if ask.amount != original.amount {
                    return Err(Reason::AmountDiffers);
                }
                Ok(self.shown_back(ask, id, self.give_back(seq, original, original.taken())))
            }
            (Kind::Refund, Kind::Purchase | Kind::Completion) => self.refund(ask, id, seq, original),
            (Kind::PreAuthorizationVoid, Kind::PreAuthorization) => self.release(ask, id, seq, original),
            (Kind::Completion, Kind::PreAuthorization) => self.complete(ask, id, seq, original),
            _ => Err(Reason::NoOriginal),
        }
    }

    fn refund(&self, ask: &Ask, id: usize, seq: u64, original: &Approval) -> Result<Outcome, Reason> {
        let went_back = if self.is_flipped(Rule::JointCap) { 0 } else { original.returned };
        if ask.amount > original.taken() - went_back {
            return Err(Reason::AmountDiffers);
        }
        let outcome = self.give_back(seq, original, ask.amount);
        let payee = original.payee.expect("a payee");
        let of_payee = outcome.moved.iter().filter(|(place, _)| *place == payee);
        let wanted: i64 = of_payee.map(|(_, amount)| -amount).sum();
        if wanted > self.balance(payee) {
            return Err(Reason::InsufficientFunds);
        }
        Ok(self.shown_back(ask, id, outcome))
    }

    fn shown_back(&self, ask: &Ask, id: usize, outcome: Outcome) -> Outcome {
        let (available, held) = self.shown(id, ask.currency);
        let to_purses = outcome.moved.iter().filter(|(place, _)| matches!(place, Place::Purse(..)));
        let back: i64 = to_purses.map(|(_, amount)| amount).sum();
        Outcome { shown: Some((available + back, held)), ..outcome }
    }

    /// Unwinds what was taken, from the end, beginning behind what went back before. A debt of the card is paid of it first.
    pub(super) fn give_back(&self, seq: u64, original: &Approval, amount: i64) -> Outcome {
        let (card, currency) = (original.card, original.currency);
        let (mut skip, mut left) = (original.returned, amount);
        let mut took = original.took.clone();
        if !self.is_flipped(Rule::BackInReverseOrder) {
            took.reverse();
        }
        let (mut was_debt, mut to_purses) = (0, Vec::new());
        for (place, gave) in took {
            let gone = skip.min(gave);
            skip -= gone;
            let back = left.min(gave - gone);
            left -= back;
            match place {
                Place::Receivable(_) => was_debt += back,
                _ if back > 0 => to_purses.push((place, back)),
                _ => {}
            }
        }
        let debt = self.owed(card, currency);
        let paid = debt.min(amount - left);
        // What goes back to a debt that is paid by now goes to the card's first purse instead.
        let surplus = was_debt - was_debt.min(debt);
        let mut from_purses = paid - was_debt.min(debt);
        for (_, back) in &mut to_purses {
            let pays = from_purses.min(*back);
            *back -= pays;
            from_purses -= pays;
        }
        let first = self.purses(card).find(|(_, purse)| purse.currency == currency);
        let mut moved = to_purses;
        moved.extend(first.map(|(purse, _)| (Place::Purse(card, purse), surplus)));
        moved.push((Place::Receivable(currency), paid));
        let fee = fee_back(original, amount);
        moved.push((original.payee.expect("a payee"), fee - amount));
        moved.push((Place::Fees(currency), -fee));
        Outcome {
            moved,
            about: Some(seq),
            returned: amount,
            activates: self.is_good_again(card, currency, paid),
            ..Outcome::approved()
        }
    }
}

/// Of the merchant's fee as large a part as of the money, rounded down, so that all of it is back in the end.
fn fee_back(original: &Approval, amount: i64) -> i64 {
    if original.kind == Kind::Withdrawal {
        return 0;
    }
    let part = |returned: i64| original.fee * returned / original.taken().max(1);
    part(original.returned + amount) - part(original.returned)
}
