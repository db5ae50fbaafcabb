//! Applying a decided request: money, holds, the card, what is remembered, what is counted, who is told.

use arrayvec::{ArrayString, ArrayVec};

use super::ApplyError;
use crate::{
    books::{
        Books, Card, Terminal,
        event::{CardState, Decided, OnOriginal, Pvv, ReversalEffect, TerminalDialect},
        notices::{Cause, Recipient, Subject, Words},
        originals::{FeeTakers, Original},
        reason::Reason,
        request::Kind,
        transactions::{Standing, Transaction, TransactionKey},
    },
    ledger::{AccountKind, Postings, holds::Hold, holds::HoldId},
};

/// Where an addition to a hold was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountedAddition {
    pub(super) seq: u64,
    pub(super) day: i32,
    pub(super) terminal: u32,
}

impl Books {
    pub(super) fn apply_decided(&mut self, decided: &Decided) -> Result<(), ApplyError> {
        self.move_money(decided)?;
        self.apply_to_terminal(decided)?;
        let pin_change = self.apply_to_card(decided)?;
        self.count(decided);
        self.tell_past(decided);
        self.remember(decided, pin_change);
        self.keep_original(decided);
        self.tell(decided);
        if let (Some(rules), Some(hits)) = (&mut self.rulebook, decided.judged.and_then(|judged| judged.hits))
        {
            rules.count(&hits);
            self.raise_alert(decided, &hits);
        }
        Ok(())
    }

    fn move_money(&mut self, decided: &Decided) -> Result<(), ApplyError> {
        let seq = self.seq;
        let refused = |refusal| ApplyError::Postings { seq, refusal };
        match decided.releases {
            Some(hold) => drop(self.ledger.post_releasing(hold, &decided.postings).map_err(refused)?),
            None => self.ledger.post(&decided.postings).map_err(refused)?,
        }
        if let Some(places) = &decided.places {
            let hold = Hold {
                id: HoldId(seq),
                legs: places.legs.clone(),
                currency: decided.currency,
                expires_ms: places.expires_ms,
            };
            self.ledger.place_hold(hold).map_err(refused)?;
        }
        if let Some(card) = decided.card {
            let blocks = decided.blocks && self.cards.state(card) == Some(CardState::Active);
            self.note_owed(card, &decided.postings, blocks);
        }
        let Some(about) = decided.hold_of else { return Ok(()) };
        let placed = decided.places.is_some().then_some(HoldId(seq));
        self.originals.set_hold(about, placed);
        Ok(())
    }

    fn apply_to_terminal(&mut self, decided: &Decided) -> Result<(), ApplyError> {
        let (time_ms, overlap_ms) = (self.time_ms, self.policy.key_overlap_ms);
        let terminal = self.terminal_mut(decided.key.terminal)?;
        terminal.signed_off = false;
        let (psam, acquirer) = (terminal.psam, terminal.acquirer);
        if let (Some(version), TerminalDialect::Pos) = (decided.adopts, terminal.dialect) {
            adopt(terminal, version, time_ms, overlap_ms);
        }
        if let (Some(version), Some(acquirer)) = (decided.adopts, acquirer) {
            self.acquirers[usize::from(acquirer.0)].adopt(version, time_ms, &self.policy);
        }
        if let (Some(psam), Some(_)) = (psam, decided.random) {
            let window = self.psams[psam.0 as usize].window_mut(decided.key.class);
            if let Some(window) = window {
                window.mark(decided.key.stan);
            }
        }
        Ok(())
    }

    /// Returns the PIN verification value that was replaced, if one was, and the version of the new one.
    fn apply_to_card(&mut self, decided: &Decided) -> Result<Option<(Pvv, u16)>, ApplyError> {
        let seq = self.seq;
        let Some(card) = decided.card else { return Ok(None) };
        let changes =
            decided.pin_tries.is_some() || decided.activates || decided.blocks || decided.pvv.is_some();
        if !changes && (card as usize) < self.cards.len() {
            return Ok(None);
        }
        let changed = self.cards.change(card, |card| change(card, decided));
        changed.map_err(|_| ApplyError::NoSuch { seq, what: "card" })
    }

    fn remember(&mut self, decided: &Decided, pin_change: Option<(Pvv, u16)>) {
        // A reversal of anything else goes by what its original took.
        let taken_back = matches!(decided.kind, Kind::Load | Kind::Void | Kind::CompletionVoid);
        let mut entry = Transaction {
            key: decided.key,
            seq: self.seq,
            time_ms: self.time_ms,
            kind: decided.kind,
            card: decided.card,
            amount: decided.amount,
            currency: decided.currency,
            reason: decided.reason,
            shown: decided.shown,
            day: self.business_day,
            random: decided.random,
            pin_change,
            original: decided.original.map(|original| original.seq),
            returned: decided.original.map_or(0, |original| original.returned),
            released: decided.releases,
            particulars: decided.particulars,
            standing: Standing::Answered,
            partial: decided.partial.filter(|_| decided.reason == Reason::PartlyApproved),
            moved: Postings::new(),
        };
        if taken_back {
            entry.moved.clone_from(&decided.postings);
        }
        match decided.reversal {
            Some((original, ReversalEffect::Reversed)) => {
                if let Some(done) = self.transactions.mark_reversed(&original) {
                    self.originals.mark_reversed(done.seq);
                    if let (Kind::Completion, Some(about), None) = (done.kind, done.original, &decided.places)
                    {
                        // Its hold's time is over by now, and nothing is paid of it: as if it had run out.
                        self.originals.set_lapsed(about);
                    }
                }
            }
            Some((original, ReversalEffect::Tombstone)) => {
                self.remember_tombstone(original, &entry);
            }
            Some((_, ReversalEffect::Nothing)) | None => {}
        }
        self.transactions.remember(&entry, &self.policy);
    }

    #[cold]
    #[inline(never)]
    fn remember_tombstone(&mut self, key: TransactionKey, reversal: &Transaction) {
        // The one-time key is the reversal's; its original comes under another.
        let tombstone = Transaction { key, standing: Standing::Tombstone, random: None, ..reversal.clone() };
        self.transactions.remember(&tombstone, &self.policy);
    }

    /// Keeps an approved transaction for what may follow it, and notes on an earlier one what went back of it.
    fn keep_original(&mut self, decided: &Decided) {
        if let Some(on) = decided.original {
            self.originals.note(on.seq, on.returned, on.added, decided.forced);
        }
        let kept = matches!(
            decided.kind,
            Kind::Purchase | Kind::PreAuthorization | Kind::Completion | Kind::Withdrawal
        );
        let (true, true, Some(card)) = (kept, decided.reason.is_approval(), decided.card) else { return };
        let merchant = self.terminals[decided.key.terminal as usize].merchant;
        let (mut debits, mut payee, mut income) = (ArrayVec::new(), None, 0);
        let mut fees = FeeTakers::default();
        for leg in &decided.postings {
            match self.ledger.purpose(leg.account) {
                Some(AccountKind::Purse { .. } | AccountKind::Receivable) if leg.amount < 0 => {
                    // No event has more.
                    let _: Result<(), _> = debits.try_push(*leg);
                }
                Some(AccountKind::MerchantPayable { .. } | AccountKind::AcquirerPayable { .. }) => {
                    payee.get_or_insert(leg.account);
                }
                Some(kind) if kind.is_income() => {
                    income += leg.amount;
                    fees.add(leg.account, leg.amount);
                }
                _ => {}
            }
        }
        let entry = Original {
            seq: self.seq,
            time_ms: self.time_ms,
            day: self.business_day,
            key: decided.key,
            kind: decided.kind,
            merchant,
            card,
            amount: decided.approved(),
            currency: decided.currency,
            // The first version of events did not say it, so it is what went to the fee account.
            fee: if decided.fee == 0 { income } else { decided.fee },
            fees,
            debits,
            payee,
            returned: 0,
            hold: decided.places.is_some().then_some(HoldId(self.seq)),
            completes: decided.original.map(|original| original.seq),
            lapsed: false,
            reversed: false,
        };
        self.originals.add(entry, &self.policy);
    }

    fn count(&mut self, decided: &Decided) {
        let Some(who) = self.who(decided) else { return };
        let day = risk::Day(self.business_day);
        if decided.kind.is_debit() && counts(decided.reason) {
            // The acquirer's fee is the card's money, too.
            let fee = if decided.kind == Kind::Withdrawal { decided.fee } else { 0 };
            let approved =
                if decided.reason.is_approval() { decided.approved().saturating_add(fee) } else { 0 };
            let asked = decided.amount.saturating_add(fee);
            self.counters.count(&who, day, asked, approved, decided.currency);
        }
        if let Some(on) = decided.original {
            self.uncount(on, self.undone_addition(decided));
        }
    }

    /// The addition that a reversal takes back.
    pub(super) fn undone_addition(&self, decided: &Decided) -> Option<CountedAddition> {
        let (key, ReversalEffect::Reversed) = decided.reversal? else { return None };
        let done = self.transactions.find_of(&key, Kind::PreAuthorizationAddition)?;
        Some(CountedAddition { seq: done.seq, day: done.day, terminal: done.key.terminal })
    }

    pub(super) fn who(&self, decided: &Decided) -> Option<risk::Who> {
        let card = decided.card?;
        let product = self.cards.product(card)?;
        let merchant = self.terminals.get(decided.key.terminal as usize)?.merchant;
        Some(risk::Who { card, terminal: decided.key.terminal, merchant, product })
    }

    /// Takes what no longer counts out of the periods in which it was counted.
    pub(super) fn uncount(&mut self, on: OnOriginal, addition: Option<CountedAddition>) {
        if on.uncounted == 0 && !on.uncounts_whole {
            return;
        }
        // Only windows of published rules ask.
        let asked = self.rulebook.is_some();
        let back = asked.then(|| self.taken_back(&on, addition)).flatten();
        if let (Some(rules), Some(back)) = (&mut self.rulebook, back) {
            rules.past_mut().take_back(&back);
        }
        let Some(original) = self.originals.at(on.seq) else { return };
        // A completion is counted as its pre-authorization.
        let counted = original.completes.and_then(|seq| self.originals.at(seq)).unwrap_or(original);
        let Some(product) = self.cards.product(counted.card) else { return };
        let (day, terminal) = addition
            .map_or((counted.day, counted.key.terminal), |addition| (addition.day, addition.terminal));
        let who = risk::Who { card: counted.card, terminal, merchant: counted.merchant, product };
        let (currency, day) = (counted.currency, risk::Day(day));
        if on.uncounted < 0 && on.uncounts_whole {
            self.counters.approve(&who, day, -on.uncounted, currency);
        } else {
            self.counters.take_back(&who, day, on.uncounted, currency, on.uncounts_whole);
        }
    }

    fn tell(&mut self, decided: &Decided) {
        if let Some(cause) = decided.notice {
            self.tell_of(decided, cause);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_of(&mut self, decided: &Decided, cause: Cause) {
        let (rule, words) = if cause == Cause::Rules { self.rule_told(decided) } else { ("", None) };
        let subject = Subject {
            seq: self.seq,
            time_ms: self.time_ms,
            cause,
            rule: ArrayString::from(rule).unwrap_or_default(),
            words,
            card: decided.card,
            terminal: decided.key.terminal,
            kind: decided.kind,
            reason: decided.reason,
            amount: decided.approved(),
            currency: decided.currency,
        };
        self.notify(subject);
    }

    /// The rule that people are told of, with its text: the published set's, if that is why, else the first of the city's
    /// that fired, which has none.
    fn rule_told(&self, decided: &Decided) -> (&str, Option<Words>) {
        let hits = decided.judged.as_ref().and_then(|judged| judged.hits.as_ref());
        if let Some(rule) = hits.and_then(|hits| self.ruled_by(decided, hits)) {
            return (&rule.id, rule.notice_text.clone().map(Words));
        }
        let first = decided.fired.trailing_zeros() as usize;
        (self.rules.rules.as_slice().get(first).map(|rule| rule.id.as_str()).unwrap_or_default(), None)
    }

    /// Card management is told of everything, the cardholder of what rules and the holder's limits say, where a phone is
    /// linked.
    pub(super) fn notify(&mut self, subject: Subject) {
        let linked = subject.card.is_some_and(|card| self.cards.has_phone(card));
        let max = self.policy.notices_max;
        if linked && subject.cause.is_for_holder() {
            self.notices.add(Recipient::Cardholder, subject.clone(), max);
        }
        self.notices.add(Recipient::CardManagement, subject, max);
    }
}

/// Returns the PIN verification value that was replaced, if one was, and the version of the new one.
fn change(card: &mut Card, decided: &Decided) -> Option<(Pvv, u16)> {
    if let Some(tries) = decided.pin_tries {
        card.pin_tries = tries;
    }
    if decided.activates {
        card.state = CardState::Active;
    }
    if decided.blocks {
        card.state = CardState::Blocked;
    }
    decided.pvv.map(|pvv| {
        card.pin_version = card.pin_version.wrapping_add(1);
        (std::mem::replace(&mut card.pvv, pvv), card.pin_version)
    })
}

/// Whether an outcome is an attempt: the switch's own faults are nobody's.
pub(super) fn counts(reason: Reason) -> bool {
    !matches!(reason, Reason::SystemError | Reason::Overloaded)
}

#[cold]
#[inline(never)]
fn adopt(terminal: &mut Terminal, version: u32, now_ms: i64, overlap_ms: i64) {
    if let Some(mut keys) = terminal.pending.take_if(|keys| keys.version == version) {
        keys.used_since_ms = Some(now_ms);
        terminal.previous = terminal.current.replace(keys);
        terminal.previous_until_ms = now_ms + overlap_ms;
    }
}
