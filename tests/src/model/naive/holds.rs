//! Money promised before it is taken.

use cardswitch::books::reason::Reason;

use super::{Ask, Naive, Outcome, Place, Rule, state::Approval};

impl Naive {
    fn hold_ms(&self, card: usize, category: u16) -> i64 {
        let product = self.product(card);
        let own = product.hold_by_category.iter().find(|(of, _)| *of == category);
        let late = if self.is_flipped(Rule::HoldsEnd) { 60_000 } else { 0 };
        late + own.map_or(product.hold_ms, |(_, hold_ms)| *hold_ms)
    }

    /// When the hold of a pre-authorization ends, whenever it stands again.
    pub(super) fn hold_ends(&self, about: &Approval) -> i64 {
        about.time + self.hold_ms(about.card, self.terminals[about.name.0].category)
    }

    /// The most that may be completed of so much.
    fn completion_max(&self, card: usize, held: i64) -> i64 {
        held + held * i64::from(self.product(card).completion_over_pct) / 100
    }

    pub(super) fn pre_authorize(&self, ask: &Ask, id: usize, now: i64) -> Result<Outcome, Reason> {
        let category = self.terminals[ask.name.0].category;
        let legs = self.split(id, ask.amount, |purse| self.pays(purse, ask.currency, category))?;
        let (available, held) = self.shown(id, ask.currency);
        let places = Some((legs, now + self.hold_ms(id, category)));
        let shown = Some((available - ask.amount, held + ask.amount));
        Ok(Outcome { places, shown, ..Outcome::approved() })
    }

    /// More for a hold that still holds; its time stays.
    pub(super) fn add(&self, ask: &Ask, id: usize, now: i64) -> Result<Outcome, Reason> {
        let (seq, original) = self.named(ask, id, now)?;
        if original.kind != cardswitch::books::request::Kind::PreAuthorization {
            return Err(Reason::NoOriginal);
        }
        if original.currency != ask.currency {
            return Err(Reason::AmountDiffers);
        }
        let number = original.hold.ok_or(Reason::NoOriginal)?;
        let category = self.terminals[ask.name.0].category;
        let more = self.split(id, ask.amount, |purse| self.pays(purse, ask.currency, category))?;
        let hold = &self.holds[&number];
        let kept: &[(usize, i64)] = if self.is_flipped(Rule::AdditionsAddUp) { &[] } else { &hold.legs };
        let (available, held) = self.shown(id, ask.currency);
        Ok(Outcome {
            about: Some(seq),
            added: ask.amount,
            releases: Some(number),
            places: Some((together(kept, &more), hold.expires)),
            hold_of: Some(seq),
            shown: Some((available - ask.amount, held + ask.amount)),
            ..Outcome::approved()
        })
    }

    pub(super) fn release(
        &self,
        ask: &Ask,
        id: usize,
        seq: u64,
        about: &Approval,
    ) -> Result<Outcome, Reason> {
        let hold = about.hold.ok_or(Reason::NoOriginal)?;
        if ask.amount != about.amount {
            return Err(Reason::AmountDiffers);
        }
        let total = self.holds[&hold].total();
        let (available, held) = self.shown(id, about.currency);
        Ok(Outcome {
            about: Some(seq),
            releases: Some(hold),
            hold_of: Some(seq),
            shown: Some((available + total, held - total)),
            ..Outcome::approved()
        })
    }

    /// Pays from the hold, above it from what is free as far as the product says, and lets go of the rest.
    pub(super) fn complete(
        &self,
        ask: &Ask,
        id: usize,
        seq: u64,
        about: &Approval,
    ) -> Result<Outcome, Reason> {
        let Some(number) = about.hold else { return self.complete_late(ask, id, seq, about) };
        let hold = &self.holds[&number];
        let total = hold.total();
        if ask.amount > self.completion_max(id, total.min(about.amount)) {
            return Err(Reason::AmountLimit);
        }
        let category = self.terminals[ask.name.0].category;
        let above = (ask.amount - total).max(0);
        let above = self.split(id, above, |purse| self.pays(purse, ask.currency, category))?;
        let (mut left, mut held_legs, mut rest) = (ask.amount, Vec::new(), Vec::new());
        for (purse, amount) in &hold.legs {
            let take = left.min(*amount);
            left -= take;
            held_legs.push((*purse, take));
            rest.push((*purse, amount - take));
        }
        let legs = together(&held_legs, &above);
        let gave = legs.iter().map(|(purse, amount)| (Place::Purse(id, *purse), *amount));
        let (moved, fee) = self.pay(id, ask.name.0, gave, ask.amount, ask.currency);
        let (available, held) = self.shown(id, ask.currency);
        let stays = self.is_flipped(Rule::RestIsReleased) && ask.amount < total;
        Ok(Outcome {
            moved,
            fee,
            about: Some(seq),
            releases: Some(number),
            places: stays.then(|| (together(&rest, &[]), hold.expires)),
            hold_of: Some(seq),
            shown: Some((available + total - ask.amount, held - total)),
            ..Outcome::approved()
        })
    }

    /// Pays what was authorized once and no longer holds, where the product says so: the goods are gone.
    fn complete_late(&self, ask: &Ask, id: usize, seq: u64, about: &Approval) -> Result<Outcome, Reason> {
        if !about.lapsed || about.reversed || !self.product(id).late_completion {
            return Err(Reason::NoOriginal);
        }
        if ask.amount > self.completion_max(id, about.amount) {
            return Err(Reason::AmountLimit);
        }
        let (moved, fee, short) = self.force(id, ask.name.0, ask.amount, ask.currency);
        let (available, held) = self.shown(id, ask.currency);
        Ok(Outcome {
            moved,
            fee,
            about: Some(seq),
            hold_of: Some(seq),
            lapsed: Some(false),
            blocks: short > 0,
            shown: Some((available - (ask.amount - short), held)),
            ..Outcome::approved()
        })
    }

    /// A payment that is not refused: what purses do not have is owed. Moves, fee, and how much is owed.
    pub(super) fn force(
        &self,
        card: usize,
        terminal: usize,
        amount: i64,
        currency: u16,
    ) -> (Vec<(Place, i64)>, i64, i64) {
        let category = self.terminals[terminal].category;
        let (legs, paid) = self.part(card, amount, |purse| self.pays(purse, currency, category));
        let gave = legs.iter().map(|(purse, amount)| (Place::Purse(card, *purse), *amount));
        let debt = [(Place::Receivable(currency), amount - paid)];
        let (moved, fee) = self.pay(card, terminal, gave.chain(debt), amount, currency);
        (moved, fee, amount - paid)
    }
}

/// Both on each purse, in the order of use.
fn together(one: &[(usize, i64)], other: &[(usize, i64)]) -> Vec<(usize, i64)> {
    let on = |purse: usize| one.iter().chain(other).filter(move |leg| leg.0 == purse).map(|leg| leg.1).sum();
    (0..4).map(|purse| (purse, on(purse))).filter(|leg: &(usize, i64)| leg.1 > 0).collect()
}
