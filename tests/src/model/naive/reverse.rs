//! Reversals: what has left the terminal as done and is taken back by it.

use cardswitch::books::{event::CardState, reason::Reason, request::Kind};

use super::{
    Ask, Naive, Name, Place, Rule, Told,
    state::{Approval, Outcome, Remembered, Standing},
};

impl Naive {
    pub(super) fn reverse(&mut self, ask: &Ask, now: i64) -> Result<Told, Reason> {
        let class = match ask.reverses {
            Some(Kind::PreAuthorization | Kind::PreAuthorizationAddition | Kind::PreAuthorizationVoid) => 1,
            _ => 2,
        };
        let (terminal, batch, stan, _) = ask.name;
        let first = (terminal, ask.original_batch.unwrap_or(batch), ask.original_stan.unwrap_or(stan), class);
        let names = [first, (first.0, first.1, first.2, 3 - class)];
        let Some(original) = names.iter().find_map(|name| self.find(name, now)).cloned() else {
            return self.reverse_unknown(ask, first, &names, now);
        };
        let nothing = Outcome::approved();
        if original.standing == Standing::Tombstone {
            return Ok(self.carry_out(ask, ask.card, &nothing, now));
        }
        let fits = ask.amount == original.ask.amount || Some(ask.amount) == original.told.partial;
        if !fits || ask.currency != original.ask.currency {
            return Err(Reason::AmountDiffers);
        }
        let another_card = ask.card.is_some() && ask.card != original.card;
        let reversible = !matches!(original.ask.kind, Kind::Refund | Kind::Balance | Kind::Reversal);
        if another_card || !reversible || ask.reverses != Some(original.ask.kind) {
            return Err(Reason::NoOriginal);
        }
        let approved = matches!(original.told.reason, Reason::Approved | Reason::PartlyApproved);
        if original.standing == Standing::Reversed || !approved {
            return Ok(self.carry_out(ask, original.card, &nothing, now));
        }
        let outcome = self.undo(ask, &original, now)?;
        let stands_again = outcome.places.is_some();
        let told = self.carry_out(ask, original.card, &outcome, now);
        if let Some(approval) = self.approvals.get_mut(&original.seq) {
            approval.reversed = true;
        }
        if original.ask.kind == Kind::Completion
            && !stands_again
            && let Some(about) = original.about.and_then(|about| self.approvals.get_mut(&about))
        {
            // Nothing is paid of it and nothing holds it: as if its time had run out.
            about.lapsed = true;
        }
        if let Some(done) = self.remembered.get_mut(&original.ask.name) {
            done.standing = Standing::Reversed;
        }
        Ok(told)
    }

    /// The original is still to come, or was forgotten long ago and may not be undone under a name that may be another's by
    /// now.
    fn reverse_unknown(
        &mut self,
        ask: &Ask,
        first: Name,
        names: &[Name; 2],
        now: i64,
    ) -> Result<Told, Reason> {
        let newest = |name: &Name| self.approvals.get(self.approved_as.get(name)?);
        let still_moves = |approval: &Approval| {
            !approval.reversed && (approval.hold.is_some() || approval.returned < approval.taken())
        };
        if names.iter().filter_map(newest).any(still_moves) {
            return Err(Reason::NoOriginal);
        }
        self.bury(ask, first, now);
        Ok(self.carry_out(ask, ask.card, &Outcome::approved(), now))
    }

    fn undo(&self, ask: &Ask, done: &Remembered, now: i64) -> Result<Outcome, Reason> {
        let approved = self.approvals.get(&done.seq);
        let about = done.about.and_then(|seq| Some((seq, self.approvals.get(&seq)?)));
        let nothing = Ok(Outcome::approved());
        match (done.ask.kind, approved, about) {
            (Kind::Void | Kind::CompletionVoid | Kind::PreAuthorizationVoid, _, Some((_, about)))
                if about.reversed =>
            {
                nothing
            }
            (Kind::Load, ..) if ask.replacement != 0 => Err(Reason::AmountDiffers),
            (Kind::Load, ..) => Ok(self.take_back(done)),
            (Kind::Void | Kind::CompletionVoid, _, Some((seq, _))) => {
                Ok(Outcome { about: Some(seq), returned: -done.returned, ..self.take_back(done) })
            }
            (Kind::Purchase | Kind::Withdrawal, Some(approved), _) => {
                let left = approved.taken() - approved.returned;
                let amount = match ask.replacement {
                    0 => left,
                    stays if stays > approved.amount => return Err(Reason::AmountDiffers),
                    stays => (approved.amount - stays).min(left),
                };
                if amount == 0 { nothing } else { Ok(self.give_back(done.seq, approved, amount)) }
            }
            (Kind::Completion, Some(approved), about) => {
                Ok(self.undo_completion(done.seq, approved, about, now))
            }
            (Kind::PreAuthorization, Some(approved), _) => match approved.hold {
                None => nothing,
                hold => Ok(Outcome {
                    about: Some(done.seq),
                    releases: hold,
                    hold_of: Some(done.seq),
                    ..Outcome::approved()
                }),
            },
            (Kind::PreAuthorizationAddition, _, Some((seq, about))) => {
                Ok(self.undo_addition(done.ask.amount, seq, about))
            }
            (Kind::PreAuthorizationVoid, _, Some((seq, about))) => Ok(self.hold_again(seq, about, now)),
            _ => Err(Reason::NoOriginal),
        }
    }

    /// The money comes back, and what of it came back to the purses is held again.
    fn undo_completion(
        &self,
        seq: u64,
        approved: &Approval,
        about: Option<(u64, &Approval)>,
        now: i64,
    ) -> Outcome {
        let amount = approved.taken() - approved.returned;
        if amount == 0 {
            return Outcome::approved();
        }
        let outcome = self.give_back(seq, approved, amount);
        let about = about.filter(|(_, about)| about.hold.is_none() && !about.reversed);
        let Some((of, expires)) = about.map(|(seq, about)| (seq, self.hold_ends(about))) else {
            return outcome;
        };
        let legs = outcome.moved.iter().filter_map(|(place, amount)| match place {
            Place::Purse(_, purse) if *amount > 0 => Some((*purse, *amount)),
            _ => None,
        });
        let legs: Vec<_> = legs.collect();
        if legs.is_empty() || expires <= now {
            return outcome;
        }
        Outcome { places: Some((legs, expires)), hold_of: Some(of), ..outcome }
    }

    /// The hold stands for so much less, from the purse used last first.
    fn undo_addition(&self, added: i64, seq: u64, about: &Approval) -> Outcome {
        let outcome = Outcome { about: Some(seq), added: -added, ..Outcome::approved() };
        let Some(number) = about.hold else { return outcome };
        let hold = &self.holds[&number];
        let (mut left, mut legs) = (added, Vec::new());
        for (purse, amount) in hold.legs.iter().rev() {
            let gone = left.min(*amount);
            left -= gone;
            legs.push((*purse, amount - gone));
        }
        legs.reverse();
        legs.retain(|leg| leg.1 > 0);
        let places = (!legs.is_empty()).then_some((legs, hold.expires));
        Outcome { releases: Some(number), places, hold_of: Some(seq), ..outcome }
    }

    /// A hold that was let go of stands again, as far as the money is still there.
    fn hold_again(&self, seq: u64, about: &Approval, now: i64) -> Outcome {
        let expires = self.hold_ends(about);
        if about.hold.is_some() || expires <= now {
            return Outcome::approved();
        }
        let category = self.terminals[about.name.0].category;
        let pays = |purse: &_| self.pays(purse, about.currency, category);
        let (legs, amount) = self.part(about.card, about.amount, pays);
        if amount == 0 {
            return Outcome::approved();
        }
        let places = Some((legs, expires));
        Outcome { about: Some(seq), places, hold_of: Some(seq), ..Outcome::approved() }
    }

    /// The opposite of what was moved. What a card no longer has becomes a debt, and a card in use is blocked.
    fn take_back(&self, done: &Remembered) -> Outcome {
        let (mut owes, mut moved) = (false, Vec::new());
        // A void may have given to a purse twice: what it had paid and, with its debt gone, what it had owed. Together they
        // are taken of what is there.
        let mut given: Vec<(Place, i64)> = Vec::new();
        for (place, amount) in &done.moved {
            match given.iter_mut().find(|(other, _)| other == place) {
                Some((_, sum)) => *sum += amount,
                None => given.push((*place, *amount)),
            }
        }
        for (place, amount) in &given {
            match place {
                Place::Purse(card, purse) if *amount > 0 => {
                    let there = self.available(*card, *purse);
                    let taken =
                        if self.is_flipped(Rule::ShortfallIsOwed) { *amount } else { (*amount).min(there) };
                    owes |= taken < *amount;
                    moved.push((*place, -taken));
                    moved.push((Place::Receivable(done.ask.currency), taken - amount));
                }
                Place::Receivable(_) => {
                    owes |= *amount > 0;
                    moved.push((*place, -amount));
                }
                _ => moved.push((*place, -amount)),
            }
        }
        let in_use = done.card.is_some_and(|card| self.cards[card].state == CardState::Active);
        Outcome { moved, blocks: owes && in_use, ..Outcome::approved() }
    }
}
