//! What published rules count: every request and what became of it, and what went back of it.
//!
//! Requests are purchases, withdrawals, pre-authorizations, additions to them and inquiries, whatever became of them, as
//! they are recorded; repeats are not, nor what the switch itself could not answer. What follows an earlier transaction is no
//! request of its own. Start at [`Books::tell_past`].

use risk::{
    Day,
    language::Of,
    past::{Happened, Marks, TakenBack, Whose},
};

use super::decided::{CountedAddition, counts};
use crate::books::{
    Books, Seq, TerminalId,
    event::{Decided, Event, OnOriginal},
    reason::Reason,
    request::Kind,
    rulebook::place_of,
};
use crate::ledger::Minor;

/// A number of a card that is none of ours has this bit, and no position of one of ours.
const STRANGER: u64 = 1 << 63;

/// The product of a card that is none of ours.
const NO_PRODUCT: u16 = u16::MAX;

impl Books {
    pub(super) fn tell_past(&mut self, decided: &Decided) {
        if self.rulebook.is_some() {
            self.tell_history(decided);
        }
    }

    #[inline(never)]
    fn tell_history(&mut self, decided: &Decided) {
        let happened = self.happened(decided, self.seq, self.time_ms);
        if let (Some(rules), Some(happened)) = (&mut self.rulebook, happened) {
            rules.past_mut().record(&happened);
        }
    }

    /// What windows count of a decision that is this record; none if they do not count it.
    #[must_use]
    pub fn happened(&self, decided: &Decided, number: Seq, at_ms: i64) -> Option<Happened> {
        let asked = decided.kind.is_debit() || decided.kind == Kind::Balance;
        if !asked || !counts(decided.reason) {
            return None;
        }
        // The acquirer's fee is the card's money, too.
        let fee = decided.judged.map_or(0, |judged| judged.surcharge);
        Some(Happened {
            number,
            at_ms,
            day: Day(self.business_day),
            whose: self.whose_was(decided)?,
            amount: decided.amount.saturating_add(fee),
            approved: decided.approved().saturating_add(fee),
            currency: decided.currency,
            marks: marks(decided),
            place: place_of(self.terminals.get(decided.key.terminal as usize)?),
        })
    }

    /// Whose it was: a card of ours, or one that is not, by a piece of its token.
    fn whose_was(&self, decided: &Decided) -> Option<Whose> {
        let terminal = TerminalId(decided.key.terminal);
        if let Some(at) = decided.card {
            return Some(self.whose(at, &self.cards.get(at)?, terminal));
        }
        let stranger = decided.stranger?;
        let (piece, _) = stranger.token.0.split_first_chunk::<8>()?;
        Some(Whose {
            card: u64::from_be_bytes(*piece) | STRANGER,
            terminal: terminal.0,
            merchant: self.terminals.get(terminal.0 as usize)?.merchant,
            product: NO_PRODUCT,
            bin: stranger.bin,
        })
    }

    /// What windows no longer count because of what happened, or count again, if these books stand at the record before;
    /// none if nothing.
    #[must_use]
    pub fn went_back(&self, event: &Event) -> Option<TakenBack> {
        match event {
            Event::Decided(decided) => {
                self.who(decided)?;
                self.taken_back(&decided.original?, self.undone_addition(decided))
            }
            Event::HoldExpired { original, amount, .. } => {
                self.taken_back(&expired(*original, *amount), None)
            }
            _ => None,
        }
    }

    /// The same of what is done to an original. An addition was counted as itself, on its own day and at its own terminal,
    /// whatever day the hold is of.
    #[inline(never)]
    pub(super) fn taken_back(&self, on: &OnOriginal, addition: Option<CountedAddition>) -> Option<TakenBack> {
        if on.uncounted == 0 && !on.uncounts_whole {
            return None;
        }
        let original = self.originals.at(on.seq)?;
        // A completion is counted as its pre-authorization.
        let counted = original.completes.and_then(|seq| self.originals.at(seq)).unwrap_or(original);
        let card = self.cards.get(counted.card)?;
        let (number, day, terminal) = addition
            .map_or((counted.seq, counted.day, counted.key.terminal), |addition| {
                (addition.seq, addition.day, addition.terminal)
            });
        Some(TakenBack {
            number,
            whose: Whose { terminal, ..self.whose(counted.card, &card, TerminalId(counted.key.terminal)) },
            day: Day(day),
            amount: on.uncounted,
            currency: counted.currency,
            whole: on.uncounts_whole,
        })
    }
}

/// What the end of a hold does to its pre-authorization.
pub(super) fn expired(original: Seq, amount: Minor) -> OnOriginal {
    OnOriginal { uncounted: amount, uncounts_whole: true, ..OnOriginal::of(original) }
}

/// What a request counts as.
fn marks(decided: &Decided) -> Marks {
    if decided.reason.is_approval() {
        // An inquiry authorizes nothing.
        return if decided.kind == Kind::Balance { Marks::ATTEMPT } else { Marks::APPROVED };
    }
    let declined = Marks::DECLINED;
    match decided.reason {
        Reason::NoSuchCard => declined.and(Of::UnknownCard),
        Reason::Expired => declined.and(Of::Expired),
        Reason::VerificationFailed | Reason::SuspectedFraud | Reason::CaptureFraud => {
            declined.and(Of::SuspectedFraud)
        }
        // Whatever it was answered, the one that uses up the last try among it.
        _ if decided.pin_tries.is_some_and(|tries| tries > 0) => declined.and(Of::WrongPin),
        _ => declined,
    }
}
