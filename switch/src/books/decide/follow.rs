//! What follows an approved transaction and names it: void and refund here, completion and void of a hold in `hold`.
//! However often it is asked, no more goes back than was taken.

use arrayvec::ArrayVec;

use super::decline;
use crate::{
    books::{
        Books, Card, CardId, Terminal,
        chart::PARTS_MAX,
        event::{Decided, OnOriginal},
        originals::{Original, approval_code},
        reason::Reason,
        request::{Facts, Kind, Request},
    },
    clock::Moment,
    ledger::{AccountId, Minor, Posting, purse},
};

impl Books {
    pub(super) fn follow(
        &self,
        request: &Request,
        facts: &Facts,
        card: &Card,
        terminal: &Terminal,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let Some(original) = self.named(request, facts, terminal, now) else {
            return Reason::NoOriginal;
        };
        if original.currency != request.currency {
            return Reason::AmountDiffers;
        }
        let key = &decided.key;
        let same_batch = original.key.terminal == key.terminal && original.key.batch == key.batch;
        match (request.kind, original.kind) {
            (Kind::Void, Kind::Purchase) | (Kind::CompletionVoid, Kind::Completion) if same_batch => {
                self.void(request, card, original, decided)
            }
            (Kind::Refund, Kind::Purchase | Kind::Completion) => {
                self.refund(request, card, original, decided)
            }
            (Kind::PreAuthorizationVoid, Kind::PreAuthorization) => {
                self.release(request, card, original, decided)
            }
            (Kind::Completion, Kind::PreAuthorization) => {
                self.complete(request, card, terminal, original, decided)
            }
            _ => Reason::NoOriginal,
        }
    }

    /// The approved transaction of this card at this merchant that a request names, within the time for refunds.
    pub(super) fn named(
        &self,
        request: &Request,
        facts: &Facts,
        terminal: &Terminal,
        now: &Moment,
    ) -> Option<&Original> {
        let name = &request.original;
        // The approval code is also the end of the RRN; where both are given they must agree.
        let of_rrn = name.rrn.map(|rrn| (rrn % 1_000_000) as u32);
        let code = name.approval.or(of_rrn)?;
        if of_rrn.is_some_and(|of_rrn| of_rrn != code) {
            return None;
        }
        let original = self.originals.find(facts.card?.0, code)?;
        debug_assert_eq!(approval_code(original.seq), code);
        let fits = original.merchant == terminal.merchant
            && name.batch.is_none_or(|batch| batch == original.key.batch)
            && name.stan.is_none_or(|stan| stan == original.key.stan)
            && now.unix_ms() - original.time_ms < self.policy.refund_ms;
        fits.then_some(original)
    }

    /// Takes all of it back, as long as nothing has gone back yet.
    fn void(&self, request: &Request, card: &Card, original: &Original, decided: &mut Decided) -> Reason {
        if original.returned != 0 {
            return Reason::NoOriginal;
        }
        if request.amount != original.amount {
            return Reason::AmountDiffers;
        }
        self.give_back(original, original.debited(), Some(card), true, decided)
    }

    /// Gives back all or part, as far as the merchant is still owed that much.
    fn refund(&self, request: &Request, card: &Card, original: &Original, decided: &mut Decided) -> Reason {
        if request.amount > original.debited() - original.returned {
            return Reason::AmountDiffers;
        }
        let reason = self.give_back(original, request.amount, Some(card), false, decided);
        let payee = original.payee.map_or(0, |payee| self.ledger.balance(payee));
        let wanted: Minor = decided
            .postings
            .iter()
            .filter(|posting| Some(posting.account) == original.payee)
            .map(|posting| -posting.amount)
            .sum();
        if wanted > payee { decline(decided, Reason::InsufficientFunds) } else { reason }
    }

    /// Returns `amount` of what an original took, to its purses in reverse order of use, with the merchant's fee in
    /// proportion. `uncounts` says whether it then no longer counts for velocity rules, `shown_to` whose holder is shown what
    /// there is then.
    pub(super) fn give_back(
        &self,
        original: &Original,
        amount: Minor,
        shown_to: Option<&Card>,
        uncounts: bool,
        decided: &mut Decided,
    ) -> Reason {
        let Some(payee) = original.payee else { return Reason::SystemError };
        let postings = &mut decided.postings;
        purse::give_back(&original.debits, amount, original.returned, postings);
        let card = CardId(original.card);
        let paid = self.pay_what_is_owed(card, original.currency, postings);
        let to_purses: Minor =
            postings.iter().filter(|leg| self.is_purse(leg.account)).map(|leg| leg.amount).sum();
        let fees = fees_back(original, amount);
        let fee: Minor = fees.iter().map(|(_, fee)| fee).sum();
        postings.push(Posting { account: payee, amount: fee - amount });
        postings.extend(fees.into_iter().map(|(account, fee)| Posting { account, amount: -fee }));
        let whole = original.returned + amount == original.debited();
        if self.ledger.check(postings).is_err() {
            return decline(decided, Reason::SystemError);
        }
        decided.original = Some(OnOriginal {
            returned: amount,
            uncounted: if uncounts { amount } else { 0 },
            uncounts_whole: uncounts && whole,
            ..OnOriginal::of(original.seq)
        });
        decided.shown = shown_to.map(|card| self.shown(card, original.currency).plus(to_purses));
        decided.activates = self.unblocks(card, original.currency, paid);
        decided.fee = -fee;
        Reason::Approved
    }
}

#[cold]
#[inline(never)]
fn share_of_much(got: Minor, returned: Minor, debited: Minor) -> Minor {
    Minor::try_from(i128::from(got) * i128::from(returned) / i128::from(debited)).unwrap_or(0)
}

/// The merchant's fee on the part that goes back, from those who got it: together with earlier parts never more than
/// each got, and all of it once everything has gone back. An acquirer's fee went to the acquirer and comes back from
/// there.
fn fees_back(original: &Original, amount: Minor) -> ArrayVec<(AccountId, Minor), PARTS_MAX> {
    let debited = original.debited();
    if debited == 0 {
        return ArrayVec::new();
    }
    let back = |got: Minor| {
        // Nearly always in 64 bits, which are divided much faster. Between zero and what was got, which is an amount.
        let share = |returned: Minor| match got.checked_mul(returned) {
            Some(product) => product / debited,
            None => share_of_much(got, returned, debited),
        };
        share(original.returned + amount) - share(original.returned)
    };
    original.fees.iter().map(|(account, got)| (account, back(got))).filter(|(_, back)| *back != 0).collect()
}
