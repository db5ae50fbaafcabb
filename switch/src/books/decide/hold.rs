//! Money promised before it is taken: pre-authorizations, additions to them, their voids and completions.
//!
//! A hold resolves at most once. An addition ends the hold and begins a larger one in the same record; a completion pays
//! from it, above it as far as the product says, and after its time only where the product says so and marked as forced.

use arrayvec::ArrayVec;

use super::decline;
use crate::{
    books::{
        Books, Card, CommonAccount, Terminal,
        event::{CardState, Decided, OnOriginal, PlacedHold},
        notices::Cause,
        originals::Original,
        reason::Reason,
        request::{Facts, Kind, Request, Shown},
    },
    clock::Moment,
    ledger::{
        AccountId, Currency, Minor, Posting, Postings,
        holds::{Hold, Leg, Legs},
        purse::{self, PURSES_MAX, split_hold, split_part},
    },
};

impl Books {
    /// Promises an amount of the purses that may pay here.
    pub(super) fn hold(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        balance: Shown,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let purses = self.paying_purses(card, request.currency, terminal.category);
        let Some(legs) = split_hold(&self.ledger, purses, request.amount) else {
            return Reason::InsufficientFunds;
        };
        let product = &self.products[usize::from(card.product)];
        let expires_ms = now.unix_ms() + product.hold_ms_at(terminal.category);
        decided.places = Some(PlacedHold { legs, expires_ms });
        decided.shown = Some(holding(balance, request.amount));
        Reason::Approved
    }

    /// Promises more for a pre-authorization that still holds. Its time stays what it was.
    pub(super) fn add_to_hold(
        &self,
        request: &Request,
        facts: &Facts,
        card: &Card,
        terminal: &Terminal,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let named = self.named(request, facts, terminal, now);
        let Some(original) = named.filter(|original| original.kind == Kind::PreAuthorization) else {
            return Reason::NoOriginal;
        };
        if original.currency != request.currency {
            return Reason::AmountDiffers;
        }
        let Some(hold) = original.hold.and_then(|hold| self.ledger.holds().find(hold)) else {
            return Reason::NoOriginal;
        };
        // What is held is not counted, so this is new money.
        let purses = self.paying_purses(card, request.currency, terminal.category);
        let Some(more) = split_hold(&self.ledger, purses, request.amount) else {
            return Reason::InsufficientFunds;
        };
        let legs = self.joined(card, &hold.legs, &more);
        decided.original = Some(OnOriginal { added: request.amount, ..OnOriginal::of(original.seq) });
        (decided.releases, decided.hold_of) = (Some(hold.id), Some(original.seq));
        decided.places = Some(PlacedHold { legs, expires_ms: hold.expires_ms });
        decided.shown = Some(holding(self.shown(card, request.currency), request.amount));
        Reason::Approved
    }

    /// Both on each purse of the card, in its order of use.
    fn joined(&self, card: &Card, one: &[Leg], other: &[Leg]) -> Legs {
        let on = |account: AccountId| -> Minor {
            let legs = one.iter().chain(other).filter(|leg| leg.account == account);
            legs.map(|leg| leg.amount).sum()
        };
        let purses = self.card_purses(card).map(|(account, _)| Leg { account, amount: on(account) });
        purses.filter(|leg| leg.amount > 0).collect()
    }

    /// Ends a hold that nothing was paid from.
    pub(super) fn release(
        &self,
        request: &Request,
        card: &Card,
        original: &Original,
        decided: &mut Decided,
    ) -> Reason {
        let Some(hold) = original.hold else { return Reason::NoOriginal };
        if request.amount != original.amount {
            return Reason::AmountDiffers;
        }
        // Less than was authorized, if it stands again after a completion for less.
        let held = self.ledger.holds().find(hold).map_or(0, Hold::total);
        decided.original =
            Some(OnOriginal { uncounted: held, uncounts_whole: true, ..OnOriginal::of(original.seq) });
        (decided.releases, decided.hold_of) = (Some(hold), Some(original.seq));
        decided.shown = Some(self.shown_after(card, original.currency, held, -held));
        Reason::Approved
    }

    /// Pays out of a hold and releases the rest of it; what is above it comes from what is free.
    pub(super) fn complete(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        original: &Original,
        decided: &mut Decided,
    ) -> Reason {
        let Some(hold) = original.hold.and_then(|hold| self.ledger.holds().find(hold)) else {
            return self.complete_late(request, card, terminal, original, decided);
        };
        let product = &self.products[usize::from(card.product)];
        let total = hold.total();
        // Of what was authorized: a hold that stands again after a completion above it may be larger.
        if request.amount > product.completion_max(total.min(original.amount)) {
            return Reason::AmountLimit;
        }
        let purses = self.paying_purses(card, request.currency, terminal.category);
        let Some(above) = split_hold(&self.ledger, purses, (request.amount - total).max(0)) else {
            return Reason::InsufficientFunds;
        };
        let held: Legs = purse::complete_from_hold(hold, request.amount).iter().map(taken).collect();
        decided.postings.extend(self.joined(card, &held, &above).iter().map(taking));
        let charged =
            self.pay_merchant(terminal, card, request.amount, request.currency, &mut decided.postings);
        if self.ledger.check_with_release(hold.id, &decided.postings).is_err() {
            return decline(decided, Reason::SystemError);
        }
        charged.note(decided);
        decided.original =
            Some(OnOriginal { uncounted: total - request.amount, ..OnOriginal::of(original.seq) });
        (decided.releases, decided.hold_of) = (Some(hold.id), Some(original.seq));
        decided.shown = Some(self.shown_after(card, original.currency, total - request.amount, -total));
        Reason::Approved
    }

    /// Pays what was authorized once although its hold's time is over. The goods are gone, so what the purses no longer
    /// have the cardholder owes.
    #[inline(never)]
    fn complete_late(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        original: &Original,
        decided: &mut Decided,
    ) -> Reason {
        let product = &self.products[usize::from(card.product)];
        if !original.lapsed || original.reversed || !product.late_completion {
            return Reason::NoOriginal;
        }
        if request.amount > product.completion_max(original.amount) {
            return Reason::AmountLimit;
        }
        let forced = self.force(card, terminal, request.amount, request.currency);
        if self.ledger.check(&forced.postings).is_err() {
            return Reason::SystemError;
        }
        forced.fee.note(decided);
        decided.postings = forced.postings;
        decided.original = Some(OnOriginal {
            uncounted: -request.amount,
            uncounts_whole: true,
            ..OnOriginal::of(original.seq)
        });
        (decided.hold_of, decided.forced) = (Some(original.seq), true);
        decided.blocks = forced.short > 0 && card.state == CardState::Active;
        decided.notice = Some(if forced.short > 0 { Cause::Shortfall } else { Cause::ForcedPost });
        let left = self.shown_after(card, original.currency, forced.short - request.amount, 0);
        decided.shown = Some(left);
        Reason::Approved
    }

    /// What a payment comes to that is not refused: what the purses do not have becomes a receivable.
    pub(super) fn force(
        &self,
        card: &Card,
        terminal: &Terminal,
        amount: Minor,
        currency: Currency,
    ) -> Forced {
        let purses = self.paying_purses(card, currency, terminal.category);
        let mut postings = Postings::new();
        let paid = split_part(&self.ledger, purses, amount, &mut postings);
        let short = amount - paid;
        if let (true, Some(account)) = (short > 0, self.common_account(CommonAccount::Receivable, currency)) {
            postings.push(Posting { account, amount: -short });
        }
        let fee = self.pay_merchant(terminal, card, amount, currency, &mut postings);
        Forced { postings, short, fee }
    }

    /// What the card's holder is shown once so much more is available and held.
    fn shown_after(&self, card: &Card, currency: Currency, available: Minor, held: Minor) -> Shown {
        let shown = self.shown(card, currency);
        Shown { available: shown.available + available, held: shown.held + held }
    }

    /// Takes an addition back: the hold stands for so much less, from the purse used last first.
    pub(super) fn undo_addition(&self, added: Minor, about: &Original, decided: &mut Decided) -> Reason {
        let on_original = OnOriginal { added: -added, ..OnOriginal::of(about.seq) };
        let Some(hold) = about.hold.and_then(|hold| self.ledger.holds().find(hold)) else {
            decided.original = Some(on_original);
            return Reason::Approved;
        };
        let less = added.min(hold.total());
        let legs = shrunk(&hold.legs, less);
        let places = PlacedHold { legs, expires_ms: hold.expires_ms };
        decided.original = Some(OnOriginal { uncounted: less, uncounts_whole: true, ..on_original });
        (decided.releases, decided.hold_of) = (Some(hold.id), Some(about.seq));
        decided.places = (!places.legs.is_empty()).then_some(places);
        Reason::Approved
    }
}

/// See [`Books::force`].
pub(super) struct Forced {
    pub(super) postings: Postings,
    pub(super) short: Minor,
    fee: super::fees::Charged,
}

fn holding(balance: Shown, more: Minor) -> Shown {
    Shown { available: balance.available - more, held: balance.held + more }
}

fn taken(debit: &Posting) -> Leg {
    Leg { account: debit.account, amount: -debit.amount }
}

fn taking(leg: &Leg) -> Posting {
    Posting { account: leg.account, amount: -leg.amount }
}

/// Legs of so much less, the last first.
fn shrunk(legs: &[Leg], less: Minor) -> Legs {
    let mut left = less;
    let mut kept: ArrayVec<Leg, PURSES_MAX> = ArrayVec::new();
    for leg in legs.iter().rev() {
        let gone = left.min(leg.amount);
        left -= gone;
        if leg.amount > gone {
            kept.push(Leg { amount: leg.amount - gone, ..*leg });
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_shrinks_from_the_purse_used_last() {
        let leg = |(account, amount)| Leg { account: AccountId(account), amount };
        let legs = [(4, 30), (3, 50)].map(leg);
        let rows: [(Minor, &[(u32, Minor)]); 5] = [
            (0, &[(4, 30), (3, 50)]),
            (20, &[(4, 30), (3, 30)]),
            (50, &[(4, 30)]),
            (51, &[(4, 29)]),
            (80, &[]),
        ];
        for (less, want) in rows {
            let want: Vec<Leg> = want.iter().copied().map(leg).collect();
            assert_eq!(shrunk(&legs, less).as_slice(), want, "{less} less");
        }
    }
}
