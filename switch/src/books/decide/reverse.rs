//! Reversals: finding the original, and giving back what it moved, at most once.

use super::decline;
use crate::{
    books::{
        Books, CardId, CommonAccount,
        event::{Decided, OnOriginal, PlacedHold, ReversalEffect},
        notices::Cause,
        originals::Original,
        owed::add,
        reason::Reason,
        request::{CardInput, Facts, Kind, Request},
        transactions::{Standing, Transaction, TransactionKey},
    },
    clock::Moment,
    ledger::{
        Minor, Posting,
        holds::{Hold, Leg, Legs},
        purse::split_hold,
    },
};

impl Books {
    /// What a reversal comes to: nothing, an inverse entry, or a tombstone for an original still to come.
    pub(super) fn reverse(
        &self,
        request: &Request,
        facts: &Facts,
        key: &TransactionKey,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        // What is reversed was a 0200, or a 0100 for what deals with holds alone.
        let class = match request.reverses {
            Some(Kind::PreAuthorization | Kind::PreAuthorizationAddition | Kind::PreAuthorizationVoid) => 1,
            _ => 2,
        };
        let name = &request.original;
        let original_key = TransactionKey {
            terminal: key.terminal,
            batch: name.batch.unwrap_or(key.batch),
            stan: name.stan.unwrap_or(key.stan),
            class,
        };
        let other_class = TransactionKey { class: 3 - class, ..original_key };
        let found = [original_key, other_class].iter().find_map(|key| self.remembered(key, now));
        let Some(original) = found else {
            if [original_key, other_class].iter().any(|key| self.originals.reversible(key).is_some()) {
                // It was approved, longer ago than requests are remembered. Nothing may be undone under a name that
                // may have been used again since, and nothing may be said to have been undone.
                return Reason::NoOriginal;
            }
            // Usually the original is still to come. Where one may have been forgotten before its time, "understood"
            // could be a lie about money, so the terminal is told that there is no original.
            decided.reversal = Some((original_key, ReversalEffect::Tombstone));
            let may_lack = self.transactions.may_lack(key.terminal, now.unix_ms());
            return if may_lack { Reason::NoOriginal } else { Reason::Approved };
        };
        if original.standing == Standing::Tombstone {
            return nothing_to_reverse(original.key, decided);
        }
        // Of a reversal it is the original's.
        decided.card = original.card;
        // Who heard of a part may name it; who heard nothing can only name what was asked.
        let amount_fits = request.amount == original.amount || Some(request.amount) == original.partial;
        if !amount_fits || original.currency != request.currency {
            return Reason::AmountDiffers;
        }
        let names_another_card = match request.card {
            CardInput::None => false,
            CardInput::Read { .. } => facts.card.map(|card| card.0) != original.card,
            CardInput::NotACard | CardInput::Disagree => true,
        };
        let reversible = matches!(
            original.kind,
            Kind::Purchase
                | Kind::Load
                | Kind::Void
                | Kind::PreAuthorization
                | Kind::PreAuthorizationAddition
                | Kind::PreAuthorizationVoid
                | Kind::Completion
                | Kind::CompletionVoid
                | Kind::Withdrawal
                | Kind::PinChange
        );
        if names_another_card || !reversible || request.reverses != Some(original.kind) {
            return Reason::NoOriginal;
        }
        if original.standing != Standing::Answered || !original.reason.is_approval() {
            return nothing_to_reverse(original.key, decided);
        }
        let reason = self.undo(request, &original, now, decided);
        if reason == Reason::Approved {
            decided.reversal = Some((original.key, ReversalEffect::Reversed));
        }
        reason
    }

    fn undo(&self, request: &Request, done: &Transaction, now: &Moment, decided: &mut Decided) -> Reason {
        let approved = self.originals.at(done.seq);
        let about = done.original.and_then(|seq| self.originals.at(seq));
        let about_is_undone = about.is_some_and(|about| about.reversed);
        match (done.kind, approved, about) {
            (Kind::Void | Kind::CompletionVoid | Kind::PreAuthorizationVoid, ..) if about_is_undone => {
                // What it was about was taken back itself since, and must not come alive again.
                Reason::Approved
            }
            // What stays of a load that was not whole is for a load of its own to say.
            (Kind::Load, ..) if request.replacement != 0 => Reason::AmountDiffers,
            (Kind::Load, ..) => self.take_back(done, decided),
            (Kind::PinChange, ..) => self.undo_pin_change(done, decided),
            (Kind::Purchase | Kind::Withdrawal, Some(approved), _) => {
                self.undo_debit(approved, request.replacement, decided)
            }
            (Kind::Completion, Some(approved), about) => self.undo_completion(approved, about, now, decided),
            (Kind::Void | Kind::CompletionVoid, _, Some(about)) => {
                decided.original = Some(OnOriginal {
                    returned: -done.returned,
                    uncounted: -done.returned,
                    uncounts_whole: true,
                    ..OnOriginal::of(about.seq)
                });
                self.take_back(done, decided)
            }
            (Kind::PreAuthorization, Some(approved), _) => self.undo_hold(approved, decided),
            (Kind::PreAuthorizationAddition, _, Some(about)) => {
                self.undo_addition(done.amount, about, decided)
            }
            (Kind::PreAuthorizationVoid, _, Some(about)) => self.hold_again(about, now, decided),
            // The original itself was kept for less time than its answer.
            _ => Reason::NoOriginal,
        }
    }

    /// The PIN of before is the card's again, unless another change came after this one.
    fn undo_pin_change(&self, done: &Transaction, decided: &mut Decided) -> Reason {
        let card = done.card.and_then(|card| self.cards.get(card));
        decided.pvv = match (done.pin_change, card) {
            (Some((before, version)), Some(card)) if card.pin_version == version => Some(before),
            _ => None,
        };
        Reason::Approved
    }

    /// Gives back what a purchase or withdrawal took, down to what stays taken, and less what went back before.
    fn undo_debit(&self, approved: &Original, replacement: Minor, decided: &mut Decided) -> Reason {
        let left = approved.debited() - approved.returned;
        let amount = match replacement {
            0 => left,
            stays if stays > approved.amount => return Reason::AmountDiffers,
            stays => (approved.amount - stays).min(left),
        };
        if amount == 0 {
            return Reason::Approved;
        }
        self.give_back(approved, amount, None, true, decided)
    }

    /// The money comes back, and the hold it was paid from stands again for as much: the merchant will ask anew.
    fn undo_completion(
        &self,
        approved: &Original,
        about: Option<&Original>,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let amount = approved.debited() - approved.returned;
        if amount == 0 {
            return Reason::Approved;
        }
        // A pre-authorization that is no longer kept holds nothing again; the money comes back all the same.
        let about = about.filter(|about| about.hold.is_none() && !about.reversed);
        let expires_ms = about.map_or(i64::MIN, |about| self.hold_expires_ms(about));
        let stands_again = expires_ms > now.unix_ms();
        let reason = self.give_back(approved, amount, None, !stands_again, decided);
        if reason != Reason::Approved || !stands_again {
            return reason;
        }
        // Only what reaches the purses: what pays a debt of the card is nobody's to hold.
        let to_purses = decided.postings.iter().filter(|leg| leg.amount > 0 && self.is_purse(leg.account));
        let legs: Legs = to_purses.map(|leg| Leg { account: leg.account, amount: leg.amount }).collect();
        if legs.is_empty() {
            return self.give_back(approved, amount, None, true, decided);
        }
        decided.places = Some(PlacedHold { legs, expires_ms });
        decided.hold_of = about.map(|about| about.seq);
        reason
    }

    /// A void of a hold is undone: it stands again, as far as the money is still there.
    fn hold_again(&self, about: &Original, now: &Moment, decided: &mut Decided) -> Reason {
        let expires_ms = self.hold_expires_ms(about);
        if about.hold.is_some() || expires_ms <= now.unix_ms() {
            return Reason::Approved;
        }
        let card = self.card(CardId(about.card));
        let category = self.terminals[about.key.terminal as usize].category;
        let purses = || self.paying_purses(&card, about.currency, category);
        let there: Minor = purses().map(|account| self.ledger.available(account)).sum();
        let amount = about.amount.min(there);
        if let (Some(legs), 1..) = (split_hold(&self.ledger, purses(), amount), amount) {
            decided.places = Some(PlacedHold { legs, expires_ms });
            decided.hold_of = Some(about.seq);
            decided.original =
                Some(OnOriginal { uncounted: -amount, uncounts_whole: true, ..OnOriginal::of(about.seq) });
        }
        Reason::Approved
    }

    /// A pre-authorization never was: its hold ends. One that was completed or released meanwhile has none.
    fn undo_hold(&self, approved: &Original, decided: &mut Decided) -> Reason {
        let Some(hold) = approved.hold else { return Reason::Approved };
        // Less than was authorized, if it stands again after a completion for less.
        let held = self.ledger.holds().find(hold).map_or(0, Hold::total);
        decided.original =
            Some(OnOriginal { uncounted: held, uncounts_whole: true, ..OnOriginal::of(approved.seq) });
        (decided.releases, decided.hold_of) = (Some(hold), Some(approved.seq));
        Reason::Approved
    }

    fn hold_expires_ms(&self, about: &Original) -> i64 {
        let product = self.card(CardId(about.card)).product;
        let category = self.terminals[about.key.terminal as usize].category;
        about.time_ms + self.products[usize::from(product)].hold_ms_at(category)
    }

    /// The inverse of what a request posted. What it gave to purses and they no longer have becomes a receivable,
    /// and a card in use is blocked.
    fn take_back(&self, done: &Transaction, decided: &mut Decided) -> Reason {
        let receivable = self.common_account(CommonAccount::Receivable, done.currency);
        let postings = &mut decided.postings;
        let mut shortfall = 0;
        for posting in done.moved.iter().rev() {
            let mut amount = -posting.amount;
            if amount < 0 && self.is_purse(posting.account) {
                let taken = (-amount).min(self.ledger.available(posting.account));
                shortfall += -amount - taken;
                amount = -taken;
            }
            if amount != 0 {
                postings.push(Posting { account: posting.account, amount });
            }
        }
        if let (true, Some(account)) = (shortfall > 0, receivable) {
            // On the leg that is there, if one is: an event has room for one on a receivable.
            add(postings, account, -shortfall);
        }
        // What it had paid of an older debt is owed again.
        let owes = postings.iter().any(|leg| Some(leg.account) == receivable && leg.amount < 0);
        if self.ledger.check(postings).is_err() {
            return decline(decided, Reason::SystemError);
        }
        decided.blocks = owes && done.card.is_some_and(|card| self.is_in_use(CardId(card)));
        decided.notice = owes.then_some(Cause::Shortfall);
        Reason::Approved
    }
}

fn nothing_to_reverse(original: TransactionKey, decided: &mut Decided) -> Reason {
    decided.reversal = Some((original, ReversalEffect::Nothing));
    Reason::Approved
}

#[cfg(test)]
mod tests;
