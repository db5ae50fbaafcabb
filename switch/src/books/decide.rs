//! Deciding: looks at the state, changes nothing, says what should happen and what to answer.
//!
//! The order of checks, each before the next, and nothing about a card before the MAC is right:
//!
//! 1. format (in the dialect, before anything else)
//! 2. terminal, PSAM, acquirer known and permitted on this listener (`admit`)
//! 3. MAC; without a right one no state is touched and the answer carries none
//! 4. telephone number, PSAM and terminal belong together (`psam`)
//! 5. the same request before? then the same answer; a one-time key used before, or a nonce gone by? then nothing
//! 6. merchant, capability
//! 7. card known and its state
//! 8. card verification value
//! 9. PIN tries left, then the PIN
//! 10. rules, then what the cardholder allows
//! 11. funds (`fund`)
//!
//! A reversal skips from 5 to its original (`reverse`): what was done must be undone even at a merchant suspended
//! since. A void, a refund and a completion (`follow`) skip the rules: they move money that was decided about
//! before. Sign-on, sign-off and key change of an acquirer stand in `link`.

mod admit;
mod due;
mod fees;
mod follow;
mod fund;
mod hold;
mod link;
pub mod operations;
mod psam;
mod record;
mod reverse;

use record::{begin, decline};

use super::{
    Books, Card, CardId, Terminal, TerminalId,
    event::{CardState, Decided, Event, TerminalDialect},
    holder_limits::Beyond,
    judged::{Asking, Hits, Judged, Seen, Stranger},
    notices::Cause,
    reason::Reason,
    request::{Answer, CardInput, Check, EntryMode, Facts, Kind, MacFact, NewKeys, Phone, Request},
    transactions::{Standing, Transaction, TransactionKey},
};
use crate::clock::Moment;

/// At most one alert of a terminal for one cause within this time, milliseconds: people need one, the journal no more.
const ALERT_MS: i64 = 60_000;

/// What should follow from a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it stays where it is; a box would be one allocation a request"
)]
pub enum Verdict {
    /// Answer; nothing happened.
    Answer(Answer),
    /// This happened; the answer's record is the one that will hold it.
    Record(Event, Answer),
    /// The facts were found with keys or values that have changed since: verify once more.
    VerifyAgain,
}

impl Books {
    /// Decides one request at `now`. `new_keys` are the keys that came to be in the verify stage, for a sign-in or a
    /// key change.
    #[must_use]
    pub fn decide(
        &self,
        request: &Request,
        facts: &Facts,
        new_keys: Option<&NewKeys>,
        now: &Moment,
    ) -> Verdict {
        let mut verdict = Verdict::VerifyAgain;
        self.decide_to(request, facts, new_keys, now, &mut verdict);
        verdict
    }

    /// The same, into what an earlier request may have left: nothing of that stays.
    pub fn decide_to(
        &self,
        request: &Request,
        facts: &Facts,
        new_keys: Option<&NewKeys>,
        now: &Moment,
        verdict: &mut Verdict,
    ) {
        let refuse = |reason| self.turned_away(reason, now);
        if request.line.dialect == TerminalDialect::Atm && request.class == 8 {
            *verdict = self.decide_link(request, facts, new_keys, now);
            return;
        }
        let (id, terminal) = match self.admit(request, facts, now) {
            Ok(admitted) => admitted,
            Err(reason) => {
                *verdict = refuse(reason);
                return;
            }
        };
        *verdict = match request.kind {
            Kind::Purchase
            | Kind::Balance
            | Kind::Load
            | Kind::Reversal
            | Kind::Void
            | Kind::Refund
            | Kind::PreAuthorization
            | Kind::PreAuthorizationAddition
            | Kind::PreAuthorizationVoid
            | Kind::Completion
            | Kind::CompletionVoid
            | Kind::Withdrawal
            | Kind::PinChange => match self.decide_transaction(request, facts, id, terminal, now, verdict) {
                Some(other) => other,
                None => return,
            },
            Kind::SignIn if terminal.dialect == TerminalDialect::Epos => {
                self.decide_psam_sign_in(request, facts, id, terminal, now)
            }
            Kind::SignIn => self.decide_sign_in(request, id, terminal, new_keys, now),
            Kind::SignOff => match self.check_merchant(request, terminal) {
                Err(reason) => refuse(reason),
                // Anyone can send a sign-off; once is enough to know.
                Ok(()) if terminal.signed_off => refuse(Reason::Approved),
                Ok(()) => {
                    let event = Event::SignedOff { terminal: id.0, stan: request.stan };
                    Verdict::Record(event, self.recorded(Reason::Approved, now))
                }
            },
            Kind::Echo => refuse(Reason::Approved),
            Kind::Unsupported => refuse(match facts.mac {
                MacFact::Wrong => Reason::MacFailed,
                _ => Reason::Unsupported,
            }),
            // Only an acquirer's, and those were decided above.
            Kind::SignOn | Kind::KeyChange | Kind::CutOverNotice => refuse(Reason::Unsupported),
        };
    }

    #[inline(never)]
    fn decide_sign_in(
        &self,
        request: &Request,
        id: TerminalId,
        terminal: &Terminal,
        new_keys: Option<&NewKeys>,
        now: &Moment,
    ) -> Verdict {
        let refuse = |reason| Verdict::Answer(self.answer(reason, now));
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
            return Verdict::Answer(Answer {
                keys: Some(pending.told),
                ..self.answer(Reason::Approved, now)
            });
        }
        if self.sign_ins_used_up(terminal, now) {
            return refuse(Reason::TooManySignIns);
        }
        let Some(NewKeys::Working(keys)) = new_keys else { return refuse(Reason::SystemError) };
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

    /// Notes in `verdict` what becomes of a request that is what it seems and was not answered before; of any other says
    /// what does.
    fn decide_transaction(
        &self,
        request: &Request,
        facts: &Facts,
        id: TerminalId,
        terminal: &Terminal,
        now: &Moment,
        verdict: &mut Verdict,
    ) -> Option<Verdict> {
        let refuse = |reason| Some(self.turned_away(reason, now));
        let version = match facts.mac {
            MacFact::Right { version } => version,
            MacFact::NoKeys => return refuse(Reason::SignInAgain),
            MacFact::Wrong | MacFact::Unchecked => return refuse(Reason::MacFailed),
        };
        if !self.keys_are_current(terminal, facts, version, now) {
            return Some(Verdict::VerifyAgain);
        }
        if let Err(reason) = self.check_session(request, terminal, now) {
            return refuse(reason);
        }
        if self.check_binding(request, facts, terminal).is_err() {
            // Not remembered: it would stand in the way of the terminal whose number was used.
            return Some(self.alert(Cause::BindingMismatch, request, facts, id, now));
        }
        let key =
            TransactionKey { terminal: id.0, batch: request.batch, stan: request.stan, class: request.class };
        let earlier = self.remembered(&key, now);
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.standing != Standing::Tombstone) {
            return Some(self.repeat(request, facts, earlier, id, now));
        }
        if request.kind != Kind::Reversal
            && let Err(reason) = self.check_remembered(terminal, &key, version, now)
        {
            return refuse(reason);
        }
        match self.check_freshness(request, facts, now) {
            Ok(()) => {}
            Err(Reason::Replay) => return Some(self.alert(Cause::Replay, request, facts, id, now)),
            Err(reason) => return refuse(reason),
        }
        if facts.pin != Check::NotGiven
            && facts.card.is_some_and(|card| self.cards.pin_version(card.0) != Some(facts.pin_version))
        {
            return Some(Verdict::VerifyAgain);
        }
        let (decided, answer) = verdict.of_a_request();
        begin(decided, request, facts, key, self.adopts(terminal, version));
        let reason = match request.kind {
            Kind::Reversal => self.reverse(request, facts, &key, now, decided),
            // It was reversed before it came.
            _ if earlier.is_some() => Reason::LateOriginal,
            _ => self.outcome(request, facts, terminal, now, decided),
        };
        if request.kind == Kind::Reversal && decided.reversal.is_none() {
            // Nothing happened, and nothing may be remembered: the reversal that names its original rightly comes
            // under the same key.
            return refuse(reason);
        }
        decided.reason = reason;
        *answer = Answer { balance: decided.shown, partial: decided.partial, ..self.recorded(reason, now) };
        None
    }

    /// Refuses, and tells people, once a minute for each terminal and cause.
    #[inline(never)]
    fn alert(&self, cause: Cause, request: &Request, facts: &Facts, id: TerminalId, now: &Moment) -> Verdict {
        let reason = cause.reason();
        if now.unix_ms() - self.terminal(id).alerted_ms[cause as usize] < ALERT_MS {
            return Verdict::Answer(self.answer(reason, now));
        }
        let card = facts.card.map(|card| card.0);
        let event = Event::Alert { terminal: id.0, card, kind: request.kind, cause };
        Verdict::Record(event, self.recorded(reason, now))
    }

    /// The same request gets the same answer; the same key with other contents gets neither.
    #[inline(never)]
    fn repeat(
        &self,
        request: &Request,
        facts: &Facts,
        earlier: &Transaction,
        id: TerminalId,
        now: &Moment,
    ) -> Verdict {
        let random = request.psam.as_ref().and_then(|psam| psam.random);
        if random.is_some() && random == earlier.random {
            // A terminal that asks again draws a new random number; the same one is a recording.
            return self.alert(Cause::Replay, request, facts, id, now);
        }
        // A reversal need not name the card: it follows from the original.
        let same_card = match request.card {
            CardInput::None => request.kind == Kind::Reversal,
            _ => earlier.card == facts.card.map(|card| card.0),
        };
        let same = earlier.kind == request.kind
            && earlier.amount == request.amount
            && earlier.currency == request.currency
            && same_card
            && (earlier.particulars == 0 || earlier.particulars == request.particulars());
        // Not the PIN: a repeat counts no try, so an answer that depended on its PIN would let one be guessed for free.
        if !same {
            return self.alert(Cause::DuplicateDiffers, request, facts, id, now);
        }
        if earlier.standing == Standing::Reversed {
            // The money went back: who hears "approved" now would hand over goods for nothing.
            return Verdict::Answer(self.answer(Reason::LateOriginal, now));
        }
        Verdict::Answer(Answer {
            reason: earlier.reason,
            seq: Some(earlier.seq),
            epoch: self.epoch_of(earlier.seq),
            time_ms: earlier.time_ms,
            partial: earlier.partial,
            balance: earlier.shown,
            repeat: true,
            day: earlier.day,
            ..self.answer(earlier.reason, now)
        })
    }

    /// A request still inside the window; an older one may stand in the table until something makes room.
    fn remembered(&self, key: &TransactionKey, now: &Moment) -> Option<Transaction> {
        let window_ms = self.policy.duplicate_window_ms;
        self.transactions.find(key).filter(|earlier| now.unix_ms() - earlier.time_ms < window_ms)
    }

    fn outcome(
        &self,
        request: &Request,
        facts: &Facts,
        terminal: &Terminal,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let checked = self
            .check_merchant(request, terminal)
            .and_then(|()| check_capability(request, terminal))
            .and_then(|()| named_card(request, facts));
        let id = match checked {
            Ok(id) => id,
            Err(reason) => return reason,
        };
        let card = self.card(id);
        if let Err(reason) = self.check_card(request, id, &card, now).and_then(|()| check_stripe(facts)) {
            return reason;
        }
        match self.check_pin(request, facts, &card) {
            Ok(tries) => decided.pin_tries = tries,
            Err((reason, tries)) => {
                decided.pin_tries = tries;
                return reason;
            }
        }
        match request.kind {
            kind if kind.follows() => self.follow(request, facts, &card, terminal, now, decided),
            _ => self.judge(request, &card, terminal, facts, now, decided),
        }
    }

    /// Rules, then funds.
    fn judge(
        &self,
        request: &Request,
        card: &Card,
        terminal: &Terminal,
        facts: &Facts,
        now: &Moment,
        decided: &mut Decided,
    ) -> Reason {
        let risk_facts = self.risk_facts(request, facts, card, terminal, now);
        if !request.kind.is_debit() {
            // Limits are about what a card spends; the lists are about everything.
            return match self.rules.lists.find(&risk_facts) {
                Some(listed) => decline_reason(risk::DeclineReason::from(listed)),
                None => self.fund(request, facts, card, terminal, now, decided),
            };
        }
        let assessment = self.rules.evaluate(&risk_facts, &self.counters);
        let seen = Seen::of(request, facts, now);
        let ruling = self.rules_in_force().and_then(|_| {
            let calling = calling(request);
            let asking = Asking {
                whose: self.whose(risk_facts.card_index, card, TerminalId(risk_facts.terminal_index)),
                card,
                terminal,
                amount: risk_facts.amount,
                currency: request.currency,
                seen,
                calling: calling.as_ref(),
            };
            self.ruling(&asking, now.unix_ms())
        });
        // The city's rules come first: where they decline, theirs is the reason. What the holder allows comes last.
        let of_city = assessment.decline.map(decline_reason);
        let of_set = ruling.and_then(|ruling| ruling.decline).filter(|_| of_city.is_none());
        let of_rules = of_city.or(of_set);
        let beyond = match of_rules {
            Some(_) => None,
            None => self.beyond_limits(&risk_facts, terminal.dialect),
        };
        let of_holder = beyond.and_then(|(reason, then)| (then == Beyond::Decline).then_some(reason));
        let reason = match of_rules.or(of_holder) {
            Some(reason) => reason,
            None => self.fund(request, facts, card, terminal, now, decided),
        };
        // A rule that approves and notifies tells of what was approved.
        let approved = reason.is_approval();
        let city_tells = assessment.fired != 0
            && (of_city.is_some() || (assessment.notify && approved && of_set.is_none()));
        let set_tells =
            ruling.is_some_and(|ruling| ruling.tells) && !city_tells && (approved || of_set.is_some());
        if city_tells || set_tells {
            decided.notice = Some(Cause::Rules);
        } else if of_holder.is_some() || (beyond.is_some() && approved) {
            decided.notice = Some(Cause::HolderLimits);
        }
        decided.fired = assessment.fired;
        let ruled = of_set.is_some() || set_tells;
        let hits = ruling.and_then(|ruling| ruling.hits).map(|hits| Hits { ruled, ..hits });
        decided.judged = Some(Judged { seen, surcharge: request.acquirer_fee, hits });
        reason
    }

    fn check_merchant(&self, request: &Request, terminal: &Terminal) -> Result<(), Reason> {
        let merchant = &self.merchants[terminal.merchant as usize];
        // An ATM's message need not name the merchant; any other's must, and what is named must be right.
        let may_be_silent = terminal.dialect == TerminalDialect::Atm;
        let named = request.merchant.map_or(may_be_silent, |named| named == merchant.id);
        if !merchant.active || !named {
            return Err(Reason::InvalidMerchant);
        }
        Ok(())
    }

    fn check_card(&self, request: &Request, id: CardId, card: &Card, now: &Moment) -> Result<(), Reason> {
        if request.kind.follows() && card.state != CardState::Closed {
            // What was agreed when the card was good is carried out, and money goes back, whatever became of it.
            return Ok(());
        }
        let wrong_expiry = match request.card {
            CardInput::Read { expiry_yymm: Some(expiry), .. } => expiry != card.expiry_yymm,
            _ => false,
        };
        if wrong_expiry || card.expiry_yymm < now.year_month() {
            return Err(Reason::Expired);
        }
        match card.state {
            CardState::Active => Ok(()),
            CardState::Inactive if request.kind == Kind::Load => Ok(()),
            CardState::Inactive => Err(Reason::NotActive),
            CardState::Lost => Err(Reason::Lost),
            CardState::Stolen => Err(Reason::Stolen),
            // A load pays what a card was blocked for.
            CardState::Blocked if request.kind == Kind::Load && self.owes(id) => Ok(()),
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
            Kind::PreAuthorization | Kind::PreAuthorizationAddition => {
                product.purchase_needs_pin(false, request.amount)
            }
            Kind::Balance => product.balance_needs_pin,
            Kind::Withdrawal | Kind::PinChange => true,
            // Whoever loads a card need not be its holder, and what follows an earlier transaction was agreed to then;
            // a PIN that is sent is checked all the same.
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

    fn risk_facts<'a>(
        &'a self,
        request: &Request,
        facts: &Facts,
        card: &'a Card,
        terminal: &Terminal,
        now: &Moment,
    ) -> risk::Facts<'a> {
        risk::Facts {
            card: card.token.0,
            bin: card.bin,
            terminal: terminal.id,
            merchant: self.merchants[terminal.merchant as usize].id,
            now_ms: now.unix_ms(),
            card_index: facts.card.map_or(0, |card| card.0),
            terminal_index: facts.terminal.map_or(0, |terminal| terminal.0),
            merchant_index: terminal.merchant,
            product: card.product,
            category: terminal.category,
            amount: request.amount.saturating_add(request.acquirer_fee),
            currency: request.currency,
            day: risk::Day(self.business_day),
            region: terminal.region,
            card_regions: &card.regions,
            product_regions: &self.products[usize::from(card.product)].regions,
        }
    }

    #[cold]
    #[inline(never)]
    fn turned_away(&self, reason: Reason, now: &Moment) -> Verdict {
        Verdict::Answer(self.answer(reason, now))
    }

    /// An answer whose record is the next one.
    fn recorded(&self, reason: Reason, now: &Moment) -> Answer {
        Answer { seq: Some(self.seq() + 1), epoch: self.epoch(), ..self.answer(reason, now) }
    }

    fn answer(&self, reason: Reason, now: &Moment) -> Answer {
        Answer { day: self.business_day, ..Answer::unrecorded(reason, now.unix_ms()) }
    }
}

/// The number that was called from.
fn calling(request: &Request) -> Option<Phone> {
    request.dialled_from.or_else(|| request.psam.as_ref().and_then(|psam| psam.calling))
}

/// A card that is none of ours, for what counts by numbers that are tried out.
fn stranger(request: &Request, facts: &Facts) -> Option<Stranger> {
    let token = facts.stranger?;
    Some(Stranger { bin: request.card.pan()?.bin(), token })
}

fn decline_reason(reason: risk::DeclineReason) -> Reason {
    match reason {
        risk::DeclineReason::Lost => Reason::Lost,
        risk::DeclineReason::Stolen => Reason::Stolen,
        risk::DeclineReason::Fraud => Reason::SuspectedFraud,
        risk::DeclineReason::Restricted | risk::DeclineReason::Region => Reason::Restricted,
        risk::DeclineReason::AmountLimit => Reason::AmountLimit,
        risk::DeclineReason::CountLimit => Reason::CountLimit,
    }
}

/// The card that a request names, if it is one of ours.
fn named_card(request: &Request, facts: &Facts) -> Result<CardId, Reason> {
    match request.card {
        CardInput::Read { .. } => facts.card.ok_or(Reason::NoSuchCard),
        CardInput::Disagree => Err(Reason::VerificationFailed),
        CardInput::None | CardInput::NotACard => Err(Reason::NoSuchCard),
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
    if !matches!(request.kind, Kind::Balance | Kind::PinChange) && request.amount == 0 {
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
