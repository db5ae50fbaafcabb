//! The record of a request while it is decided. It is put together where it stays: it is large, and would be moved. Whoever
//! decides notes in it what comes of the request and says the reason.
//!
//! Start at [`Verdict::of_a_request`] and [`begin`].

use super::{Verdict, calling, stranger};
use crate::{
    books::{
        event::{Decided, Event},
        reason::Reason,
        request::{Answer, Facts, Kind, Request},
        transactions::TransactionKey,
    },
    ledger::Postings,
};

impl Verdict {
    /// The record of a request and its answer, whatever is in them yet.
    pub(super) fn of_a_request(&mut self) -> (&mut Decided, &mut Answer) {
        if !matches!(self, Self::Record(Event::Decided(_), _)) {
            *self = Self::begun();
        }
        let Self::Record(Event::Decided(decided), answer) = self else { unreachable!("it is one by now") };
        (decided, answer)
    }

    #[cold]
    fn begun() -> Self {
        let key = TransactionKey { terminal: 0, batch: 0, stan: 0, class: 0 };
        let decided = Decided {
            key,
            kind: Kind::Unsupported,
            card: None,
            amount: 0,
            partial: None,
            currency: 0,
            fee: 0,
            fee_rule: None,
            reason: Reason::SystemError,
            shown: None,
            pin_tries: None,
            pvv: None,
            activates: false,
            blocks: false,
            forced: false,
            adopts: None,
            random: None,
            calling: None,
            reversal: None,
            original: None,
            particulars: 0,
            releases: None,
            places: None,
            hold_of: None,
            fired: 0,
            judged: None,
            stranger: None,
            notice: None,
            postings: Postings::new(),
        };
        Self::Record(Event::Decided(decided), Answer::unrecorded(Reason::SystemError, 0))
    }
}

/// A record says what was asked, and nothing has come of it yet.
pub(super) fn begin(
    decided: &mut Decided,
    request: &Request,
    facts: &Facts,
    asked_under: TransactionKey,
    keys_adopted: Option<u32>,
) {
    // Each by its name: what joins a record is begun here too, or this is no program.
    let Decided {
        key,
        kind,
        card,
        amount,
        partial,
        currency,
        fee,
        fee_rule,
        reason,
        shown,
        pin_tries,
        pvv,
        activates,
        blocks,
        forced,
        adopts,
        random,
        calling: called_from,
        reversal,
        original,
        particulars,
        releases,
        places,
        hold_of,
        fired,
        judged,
        stranger: none_of_ours,
        notice,
        postings,
    } = decided;
    (*key, *kind, *adopts) = (asked_under, request.kind, keys_adopted);
    (*amount, *currency, *particulars) = (request.amount, request.currency, request.particulars());
    *card = facts.card.map(|card| card.0);
    *random = request.psam.as_ref().and_then(|psam| psam.random);
    *called_from = calling(request);
    *none_of_ours = stranger(request, facts);
    *reason = Reason::SystemError;
    (*fee, *fee_rule, *fired) = (0, None, 0);
    (*partial, *shown, *pin_tries, *pvv) = (None, None, None, None);
    (*activates, *blocks, *forced) = (false, false, false);
    (*reversal, *original, *notice, *judged) = (None, None, None, None);
    (*releases, *places, *hold_of) = (None, None, None);
    postings.clear();
}

/// Takes out of a record what would have come of a request that is declined after all.
#[cold]
pub(super) fn decline(decided: &mut Decided, reason: Reason) -> Reason {
    decided.postings.clear();
    (decided.shown, decided.partial, decided.pvv) = (None, None, None);
    (decided.fee, decided.fee_rule, decided.notice) = (0, None, None);
    (decided.activates, decided.blocks, decided.forced) = (false, false, false);
    (decided.reversal, decided.original) = (None, None);
    (decided.releases, decided.places, decided.hold_of) = (None, None, None);
    reason
}
