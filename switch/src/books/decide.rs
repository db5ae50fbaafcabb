//! Deciding: looks at the state, changes nothing, says what should happen and what to answer.
//!
//! The order of checks, each before the next, and nothing about a card before the MAC is right:
//!
//! 1. format (in the dialect, before anything else)
//! 2. terminal known and permitted on this listener
//! 3. MAC; without a right one no state is touched and the answer carries none
//! 4. the same request before? then the same answer
//! 5. merchant, capability
//! 6. card known and its state
//! 7. card verification value
//! 8. PIN tries left, then the PIN
//! 9. rules
//! 10. funds
//!
//! A reversal skips from 4 to its original: what was done must be undone even at a merchant suspended since.

mod fund;
mod reverse;

use super::{
    Books, Card, CardId, Terminal, TerminalId, WorkingKeys,
    event::{CardState, Decided, Event, MacScheme, ReversalEffect, TerminalDialect},
    reason::Reason,
    request::{Answer, CardInput, Check, EntryMode, Facts, Kind, MacFact, Request},
    transactions::{Standing, Transaction, TransactionKey},
};
use crate::{
    clock::Moment,
    ledger::{Minor, Postings},
};

/// What should follow from a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once; a box would be an allocation for every request")]
pub enum Verdict {
    /// Answer; nothing happened.
    Answer(Answer),
    /// This happened; the answer's record is the one that will hold it.
    Record(Event, Answer),
    /// The facts were found with keys or values that have changed since: verify once more.
    VerifyAgain,
}

/// What a transaction comes to, before it becomes an event.
struct Outcome {
    reason: Reason,
    shown: Option<Minor>,
    pin_tries: Option<u8>,
    activates: bool,
    blocks: bool,
    reversal: Option<(TransactionKey, ReversalEffect)>,
    postings: Postings,
}

impl Outcome {
    fn new(reason: Reason) -> Self {
        Self {
            reason,
            shown: None,
            pin_tries: None,
            activates: false,
            blocks: false,
            reversal: None,
            postings: Postings::new(),
        }
    }
}

impl Books {
    /// Decides one request at `now`. `new_keys` are the working keys that the verify stage made, for a sign-in.
    #[must_use]
    pub fn decide(
        &self,
        request: &Request,
        facts: &Facts,
        new_keys: Option<&WorkingKeys>,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(answer(reason, now));
        let (id, terminal) = match self.admit(request, facts, now) {
            Ok(admitted) => admitted,
            Err(reason) => return refuse(reason),
        };
        match request.kind {
            Kind::SignIn => self.decide_sign_in(request, id, terminal, new_keys, now),
            Kind::SignOff => {
                if let Err(reason) = self.check_merchant(request, terminal) {
                    return refuse(reason);
                }
                if terminal.signed_off {
                    // Anyone can send a sign-off; once is enough to know.
                    return refuse(Reason::Approved);
                }
                let event = Event::SignedOff { terminal: id.0, stan: request.stan };
                Verdict::Record(event, self.recorded(Reason::Approved, now))
            }
            Kind::Echo => refuse(Reason::Approved),
            Kind::Unsupported => refuse(match facts.mac {
                MacFact::Wrong => Reason::MacFailed,
                _ => Reason::Unsupported,
            }),
            Kind::Purchase | Kind::Balance | Kind::Load | Kind::Reversal => {
                self.decide_transaction(request, facts, id, terminal, now)
            }
        }
    }

    /// The terminal, if it may speak here at all.
    fn admit(
        &self,
        request: &Request,
        facts: &Facts,
        now: &Moment,
    ) -> Result<(TerminalId, &Terminal), Reason> {
        let id = facts.terminal.ok_or(Reason::TerminalUnknown)?;
        let terminal = self.terminal(id);
        let weak_in_public = terminal.mac == MacScheme::UnionPayEcb && !request.private_line;
        let listed = self.rules.lists.listed(&risk::Subject::Terminal(terminal.id), now.unix_ms()).is_some();
        if terminal.dialect != TerminalDialect::Pos || weak_in_public || listed {
            return Err(Reason::TerminalNotPermitted);
        }
        Ok((id, terminal))
    }

    fn decide_sign_in(
        &self,
        request: &Request,
        id: TerminalId,
        terminal: &Terminal,
        new_keys: Option<&WorkingKeys>,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(answer(reason, now));
        match request.key_scheme {
            super::request::KeyScheme::Double => {}
            super::request::KeyScheme::Single => return refuse(Reason::TerminalNotPermitted),
            super::request::KeyScheme::WithTrackKey => return refuse(Reason::Unsupported),
        }
        if self.check_merchant(request, terminal).is_err() {
            return refuse(Reason::InvalidMerchant);
        }
        if let Some(pending) = &terminal.pending {
            // A sign-in is not authenticated, so anyone can send one. Until the keys given out are used, every
            // further sign-in gets the same: a forged one can neither void them nor use up the terminal's number.
            return Verdict::Answer(Answer { keys: Some(pending.told), ..answer(Reason::Approved, now) });
        }
        if self.sign_ins_used_up(terminal, now) {
            return refuse(Reason::TooManySignIns);
        }
        let Some(keys) = new_keys else { return refuse(Reason::SystemError) };
        if keys.version != terminal.newest_version + 1 {
            return Verdict::VerifyAgain;
        }
        let event = Event::SignedIn {
            terminal: id.0,
            stan: request.stan,
            version: keys.version,
            pin: keys.pin.clone(),
            mac: keys.mac.clone(),
            told: keys.told,
        };
        Verdict::Record(event, Answer { keys: Some(keys.told), ..self.recorded(Reason::Approved, now) })
    }

    /// Whether a terminal has had its sign-ins for this minute; the verify stage asks too, so that a flood of
    /// sign-ins does not make keys.
    #[must_use]
    pub fn sign_ins_used_up(&self, terminal: &Terminal, now: &Moment) -> bool {
        now.unix_ms() - terminal.sign_in_minute_ms < 60_000
            && terminal.sign_ins >= self.policy().sign_ins_per_minute
    }

    fn decide_transaction(
        &self,
        request: &Request,
        facts: &Facts,
        id: TerminalId,
        terminal: &Terminal,
        now: &Moment,
    ) -> Verdict {
        let version = match facts.mac {
            MacFact::Right { version } => version,
            MacFact::NoKeys => return Verdict::Answer(answer(Reason::SignInAgain, now)),
            MacFact::Wrong | MacFact::Unchecked => return Verdict::Answer(answer(Reason::MacFailed, now)),
        };
        if !terminal.keys_at(now.unix_ms(), &self.policy).any(|keys| keys.version == version) {
            return Verdict::VerifyAgain;
        }
        let key =
            TransactionKey { terminal: id.0, batch: request.batch, stan: request.stan, class: request.class };
        let earlier = self.remembered(&key, now).filter(|earlier| earlier.standing != Standing::Tombstone);
        if let Some(earlier) = earlier {
            return Verdict::Answer(self.repeat(request, facts, earlier, now));
        }
        if facts.pin != Check::NotGiven
            && facts.card.is_some_and(|card| self.card(card).pin_version != facts.pin_version)
        {
            return Verdict::VerifyAgain;
        }
        let outcome = self.outcome(request, facts, terminal, &key, now);
        if request.kind == Kind::Reversal && outcome.reversal.is_none() {
            // Nothing happened, and nothing may be remembered: the reversal that names its original rightly comes
            // under the same key.
            return Verdict::Answer(answer(outcome.reason, now));
        }
        let adopts =
            terminal.pending.as_ref().filter(|keys| keys.version == version).map(|keys| keys.version);
        self.record(request, facts, key, adopts, outcome, now)
    }

    fn record(
        &self,
        request: &Request,
        facts: &Facts,
        key: TransactionKey,
        adopts: Option<u32>,
        outcome: Outcome,
        now: &Moment,
    ) -> Verdict {
        let card = match outcome.reversal {
            Some((original, _)) => self.transactions.find(&original).and_then(|original| original.card),
            None => facts.card.map(|card| card.0),
        };
        let answer = Answer { balance: outcome.shown, ..self.recorded(outcome.reason, now) };
        let decided = Decided {
            key,
            kind: request.kind,
            card,
            amount: request.amount,
            currency: request.currency,
            reason: outcome.reason,
            shown: outcome.shown,
            pin_tries: outcome.pin_tries,
            activates: outcome.activates,
            blocks: outcome.blocks,
            adopts,
            reversal: outcome.reversal,
            postings: outcome.postings,
        };
        Verdict::Record(Event::Decided(decided), answer)
    }

    /// The same request gets the same answer; the same key with other contents gets neither.
    fn repeat(&self, request: &Request, facts: &Facts, earlier: &Transaction, now: &Moment) -> Answer {
        // A reversal need not name the card: it follows from the original.
        let same_card = match request.card {
            CardInput::None => request.kind == Kind::Reversal,
            _ => earlier.card == facts.card.map(|card| card.0),
        };
        let same = earlier.kind == request.kind
            && earlier.amount == request.amount
            && earlier.currency == request.currency
            && same_card;
        // Not the PIN: a repeat counts no try, so an answer that depended on its PIN would let one be guessed for free.
        if !same {
            return answer(Reason::DuplicateDiffers, now);
        }
        if earlier.standing == Standing::Reversed {
            // The money went back: who hears "approved" now would hand over goods for nothing.
            return answer(Reason::LateOriginal, now);
        }
        Answer {
            reason: earlier.reason,
            seq: Some(earlier.seq),
            time_ms: earlier.time_ms,
            balance: earlier.shown,
            repeat: true,
            keys: None,
        }
    }

    /// A request still inside the window; an older one may stand in the table until something makes room.
    fn remembered(&self, key: &TransactionKey, now: &Moment) -> Option<&Transaction> {
        let window_ms = self.policy.duplicate_window_ms;
        self.transactions.find(key).filter(|earlier| now.unix_ms() - earlier.time_ms < window_ms)
    }

    fn outcome(
        &self,
        request: &Request,
        facts: &Facts,
        terminal: &Terminal,
        key: &TransactionKey,
        now: &Moment,
    ) -> Outcome {
        if request.kind == Kind::Reversal {
            return self.reverse(request, facts, key, now);
        }
        if self.remembered(key, now).is_some() {
            return Outcome::new(Reason::LateOriginal);
        }
        let checked = self
            .check_merchant(request, terminal)
            .and_then(|()| check_capability(request, terminal))
            .and_then(|()| self.check_card(request, facts, now));
        let card = match checked {
            Ok(card) => self.card(card),
            Err(reason) => return Outcome::new(reason),
        };
        if let Err(reason) = check_stripe(facts) {
            return Outcome::new(reason);
        }
        let pin_tries = match self.check_pin(request, facts, card) {
            Ok(tries) => tries,
            Err((reason, tries)) => return Outcome { pin_tries: tries, ..Outcome::new(reason) },
        };
        let outcome = match self.check_rules(card, terminal, now) {
            Err(reason) => Outcome::new(reason),
            Ok(()) => self.fund(request, card, terminal),
        };
        Outcome { pin_tries, ..outcome }
    }

    fn check_merchant(&self, request: &Request, terminal: &Terminal) -> Result<(), Reason> {
        let merchant = &self.merchants[terminal.merchant as usize];
        if !merchant.active || request.merchant != Some(merchant.id) {
            return Err(Reason::InvalidMerchant);
        }
        Ok(())
    }

    fn check_card(&self, request: &Request, facts: &Facts, now: &Moment) -> Result<CardId, Reason> {
        let expiry = match &request.card {
            CardInput::Read { expiry_yymm, .. } => *expiry_yymm,
            CardInput::Disagree => return Err(Reason::VerificationFailed),
            CardInput::None | CardInput::NotACard => return Err(Reason::NoSuchCard),
        };
        let id = facts.card.ok_or(Reason::NoSuchCard)?;
        let card = self.card(id);
        let wrong_expiry = expiry.is_some_and(|expiry| expiry != card.expiry_yymm);
        if wrong_expiry || card.expiry_yymm < now.year_month() {
            return Err(Reason::Expired);
        }
        match card.state {
            CardState::Active => Ok(id),
            CardState::Inactive if request.kind == Kind::Load => Ok(id),
            CardState::Inactive => Err(Reason::NotActive),
            CardState::Lost => Err(Reason::Lost),
            CardState::Stolen => Err(Reason::Stolen),
            CardState::Blocked => Err(Reason::Restricted),
            CardState::Closed => Err(Reason::NoSuchCard),
        }
    }

    /// The new count of wrong PINs if it changes; on a decline also the reason.
    fn check_pin(
        &self,
        request: &Request,
        facts: &Facts,
        card: &Card,
    ) -> Result<Option<u8>, (Reason, Option<u8>)> {
        let product = &self.products[usize::from(card.product)];
        let needed = match request.kind {
            Kind::Purchase => {
                product.purchase_needs_pin(request.entry == EntryMode::Contactless, request.amount)
            }
            Kind::Balance => product.balance_needs_pin,
            // Whoever loads a card need not be its holder; a PIN that is sent is checked all the same.
            _ if request.pin_block.is_none() => return Ok(None),
            _ => false,
        };
        let tries_max = self.policy.pin_tries_max;
        if card.pin_tries >= tries_max {
            return Err((Reason::PinTriesExceeded, None));
        }
        if request.pin_format_refused {
            return Err((Reason::PinFormat, None));
        }
        let wrong = |reason| {
            let tries = card.pin_tries + 1;
            let reason = if tries >= tries_max { Reason::PinTriesExceeded } else { reason };
            Err((reason, Some(tries)))
        };
        match facts.pin {
            Check::Failed => Err((Reason::SystemError, None)),
            Check::NotGiven if needed => Err((Reason::PinRequired, None)),
            Check::NotGiven => Ok(None),
            Check::Right => Ok((card.pin_tries > 0).then_some(0)),
            Check::Wrong => wrong(Reason::WrongPin),
            // A malformed block counts as a try, or it would tell apart guesses for free.
            Check::Malformed => wrong(Reason::PinFormat),
        }
    }

    fn check_rules(&self, card: &Card, terminal: &Terminal, now: &Moment) -> Result<(), Reason> {
        let facts = risk::Facts {
            card: card.token.0,
            bin: card.bin,
            terminal: terminal.id,
            merchant: self.merchants[terminal.merchant as usize].id,
            now_ms: now.unix_ms(),
        };
        match self.rules.evaluate(&facts) {
            risk::Outcome::Pass => Ok(()),
            risk::Outcome::Decline(risk::ListReason::Lost) => Err(Reason::Lost),
            risk::Outcome::Decline(risk::ListReason::Stolen) => Err(Reason::Stolen),
            risk::Outcome::Decline(risk::ListReason::Fraud) => Err(Reason::SuspectedFraud),
            risk::Outcome::Decline(risk::ListReason::Restricted) => Err(Reason::Restricted),
        }
    }

    /// An answer whose record is the next one.
    fn recorded(&self, reason: Reason, now: &Moment) -> Answer {
        Answer { seq: Some(self.seq() + 1), ..answer(reason, now) }
    }
}

fn check_capability(request: &Request, terminal: &Terminal) -> Result<(), Reason> {
    if request.kind == Kind::Load && !terminal.may_load {
        return Err(Reason::TerminalNotPermitted);
    }
    // Chip data cannot be verified yet, and unverified chip data must not pass for verified.
    if request.has_chip_data {
        return Err(Reason::Unsupported);
    }
    if request.kind != Kind::Balance && request.amount == 0 {
        return Err(Reason::InvalidAmount);
    }
    Ok(())
}

fn check_stripe(facts: &Facts) -> Result<(), Reason> {
    match facts.cvv {
        Check::NotGiven | Check::Right => Ok(()),
        Check::Wrong | Check::Malformed => Err(Reason::VerificationFailed),
        Check::Failed => Err(Reason::SystemError),
    }
}

fn answer(reason: Reason, now: &Moment) -> Answer {
    Answer { reason, seq: None, time_ms: now.unix_ms(), balance: None, repeat: false, keys: None }
}
