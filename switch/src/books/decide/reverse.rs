//! Reversals: finding the original, and giving back what it moved, at most once.

use super::Outcome;
use crate::{
    books::{
        Books, CommonAccount,
        event::ReversalEffect,
        reason::Reason,
        request::{CardInput, Facts, Kind, Request},
        transactions::{Standing, Transaction, TransactionKey},
    },
    clock::Moment,
    ledger::{Posting, Postings},
};

impl Books {
    /// What a reversal comes to: nothing, an inverse entry, or a tombstone for an original still to come.
    pub(super) fn reverse(
        &self,
        request: &Request,
        facts: &Facts,
        key: &TransactionKey,
        now: &Moment,
    ) -> Outcome {
        // What is reversed was a 0200 or a 0100; the reversal has the same batch and STAN.
        let originals = [2, 1].map(|class| TransactionKey { class, ..*key });
        let found = originals.iter().find_map(|key| self.remembered(key, now));
        let Some(original) = found else {
            // Usually the original is still to come. Where one may have been forgotten before its time, "understood"
            // could be a lie about money, so the terminal is told that there is no original.
            let reason = if self.transactions.may_lack(key.terminal, now.unix_ms()) {
                Reason::NoOriginal
            } else {
                Reason::Approved
            };
            let effect = Some((originals[0], ReversalEffect::Tombstone));
            return Outcome { reversal: effect, ..Outcome::new(reason) };
        };
        if original.standing == Standing::Tombstone {
            return nothing_to_reverse(original.key);
        }
        if original.amount != request.amount || original.currency != request.currency {
            return Outcome::new(Reason::AmountDiffers);
        }
        let names_another_card = match request.card {
            CardInput::None => false,
            CardInput::Read { .. } => facts.card.map(|card| card.0) != original.card,
            CardInput::NotACard | CardInput::Disagree => true,
        };
        let reversible = matches!(original.kind, Kind::Purchase | Kind::Load);
        if names_another_card || !reversible || request.reverses != Some(original.kind) {
            return Outcome::new(Reason::NoOriginal);
        }
        if original.standing != Standing::Answered || original.reason != Reason::Approved {
            return nothing_to_reverse(original.key);
        }
        self.take_back(original)
    }

    /// The inverse of the original's postings. What a load gave and the card no longer has becomes a receivable,
    /// and the card is blocked.
    fn take_back(&self, original: &Transaction) -> Outcome {
        let reversal = Some((original.key, ReversalEffect::Reversed));
        let mut postings = Postings::new();
        let mut shortfall = 0;
        for posting in original.postings.iter().rev() {
            let mut amount = -posting.amount;
            if original.kind == Kind::Load && amount < 0 {
                let taken = (-amount).min(self.ledger.available(posting.account));
                shortfall += -amount - taken;
                amount = -taken;
            }
            if amount != 0 {
                postings.push(Posting { account: posting.account, amount });
            }
        }
        if let (true, Some(account)) =
            (shortfall > 0, self.common_account(CommonAccount::Receivable, original.currency))
        {
            postings.push(Posting { account, amount: -shortfall });
        }
        match self.ledger.check(&postings) {
            Ok(()) => Outcome { reversal, postings, blocks: shortfall > 0, ..Outcome::new(Reason::Approved) },
            Err(_) => Outcome::new(Reason::SystemError),
        }
    }
}

fn nothing_to_reverse(original: TransactionKey) -> Outcome {
    Outcome { reversal: Some((original, ReversalEffect::Nothing)), ..Outcome::new(Reason::Approved) }
}
