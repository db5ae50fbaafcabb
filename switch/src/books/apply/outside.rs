//! Applying what happens outside a request for a card: sign-ins of PSAMs, messages about links, the end of a hold,
//! alerts.

use arrayvec::ArrayString;

use super::{ApplyError, past::expired};
use crate::{
    books::{
        Acquirer, Books,
        event::{CardState, Operated, OperationKind},
        notices::{Cause, Subject},
        parties::StanWindow,
        reason::Reason,
        request::Kind,
    },
    ledger::{Minor, holds::HoldId},
};

impl Books {
    pub(super) fn apply_psam_signed_in(
        &mut self,
        psam: u32,
        terminal: u32,
        nonce: [u8; 8],
    ) -> Result<(), ApplyError> {
        let (seq, time_ms) = (self.seq, self.time_ms);
        self.terminal_mut(terminal)?.signed_off = false;
        let psam = self.psams.get_mut(psam as usize).ok_or(ApplyError::NoSuch { seq, what: "PSAM" })?;
        if time_ms - psam.sign_in_minute_ms >= 60_000 {
            psam.sign_in_minute_ms = time_ms;
            psam.sign_ins = 0;
        }
        psam.sign_ins = psam.sign_ins.saturating_add(1);
        psam.nonce = Some(nonce);
        psam.nonce_since_ms = time_ms;
        // Messages carry the nonce under their MAC, so what was sent under an older one is worthless anyway.
        psam.seen = [StanWindow::default(); 3];
        Ok(())
    }

    /// What every management message of an acquirer does; returns the acquirer.
    pub(super) fn apply_managed(
        &mut self,
        acquirer: u16,
        sent: (i64, u32),
        adopts: Option<u32>,
    ) -> Result<&mut Acquirer, ApplyError> {
        let (seq, time_ms, policy) = (self.seq, self.time_ms, self.policy);
        let acquirer = self
            .acquirers
            .get_mut(usize::from(acquirer))
            .ok_or(ApplyError::NoSuch { seq, what: "acquirer" })?;
        acquirer.managed = sent;
        if let Some(version) = adopts {
            acquirer.adopt(version, time_ms, &policy);
        }
        Ok(acquirer)
    }

    pub(super) fn apply_hold_expired(
        &mut self,
        hold: HoldId,
        original: u64,
        amount: Minor,
    ) -> Result<(), ApplyError> {
        let seq = self.seq;
        self.ledger.release_hold(hold).map_err(|refusal| ApplyError::Postings { seq, refusal })?;
        self.originals.set_hold(original, None);
        self.originals.set_lapsed(original);
        self.uncount(expired(original, amount), None);
        Ok(())
    }

    /// Money, then the cards, as the operation leaves them.
    pub(super) fn apply_operated(&mut self, operated: &Operated) -> Result<(), ApplyError> {
        let seq = self.seq;
        self.ledger.post(&operated.postings).map_err(|refusal| ApplyError::Postings { seq, refusal })?;
        for (at, change) in operated.changes.iter().enumerate() {
            let changed =
                self.cards.change(change.card, |card| std::mem::replace(&mut card.state, change.state));
            let before = changed.map_err(|_| ApplyError::NoSuch { seq, what: "card" })?;
            self.side.set_deposit(change.card, change.deposit);
            if at == 0 {
                // What becomes of the receivable is the affair of the card that it was ordered for.
                let blocks = before == CardState::Active && change.state == CardState::Blocked;
                self.note_owed(change.card, &operated.postings, blocks);
            }
        }
        match (operated.kind, operated.changes.as_slice()) {
            (OperationKind::ForcePost, _) => self.tell_of_forced(operated),
            (OperationKind::Replace, [from, to]) => self.hand_limits_on(from.card, to.card)?,
            _ => {}
        }
        Ok(())
    }

    fn tell_of_forced(&mut self, operated: &Operated) {
        let Some(change) = operated.changes.first() else { return };
        let cause = match change.state {
            CardState::Blocked => Cause::Shortfall,
            _ => Cause::ForcedPost,
        };
        self.notify(Subject {
            seq: self.seq,
            time_ms: self.time_ms,
            cause,
            rule: ArrayString::new(),
            words: None,
            card: Some(change.card),
            terminal: operated.terminal.unwrap_or_default(),
            kind: Kind::Completion,
            reason: Reason::Approved,
            amount: operated.amount,
            currency: operated.currency,
        });
    }

    pub(super) fn apply_alert(
        &mut self,
        terminal: u32,
        card: Option<u32>,
        kind: Kind,
        cause: Cause,
    ) -> Result<(), ApplyError> {
        let time_ms = self.time_ms;
        self.terminal_mut(terminal)?.alerted_ms[cause as usize] = time_ms;
        self.notify(Subject {
            seq: self.seq,
            time_ms,
            cause,
            rule: ArrayString::new(),
            words: None,
            card,
            terminal,
            kind,
            reason: cause.reason(),
            amount: 0,
            currency: 0,
        });
        Ok(())
    }
}
