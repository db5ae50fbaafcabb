//! What the books should be, the slow way: plain maps and lists, every rule written down once more from what the documents say of
//! it. Of the books only data is used here: the words for kinds, reasons and states, and what a city is told as.
//!
//! A request is judged by [`Naive::ask`], which also carries it out. What time brings is [`Naive::due`], what officers order
//! [`Naive::order`].

mod follow;
mod fund;
mod holds;
mod keep;
mod orders;
mod reverse;
mod state;

use cardswitch::books::{event::CardState, holder_limits::Beyond, reason::Reason, request::Kind};

pub use self::state::Rule;
pub(super) use self::state::{Ask, Card, Due, Naive, Name, Pin, Place, Refused, Told};
use self::state::{Outcome, Standing};

const HOUR_MS: i64 = 3_600_000;

impl Naive {
    /// Judges a request and carries it out.
    pub(super) fn ask(&mut self, ask: &Ask, now: i64) -> Told {
        let is_machine = self.terminals[ask.name.0].acquirer.is_some();
        if is_machine && now - ask.sent > self.policy.duplicate_window_ms - HOUR_MS {
            // A recording could no longer be told from it.
            return Told::unrecorded(Reason::TimeOutOfRange);
        }
        let earlier = self.find(&ask.name, now).map(|earlier| earlier.standing);
        if earlier.is_some_and(|standing| standing != Standing::Tombstone) {
            return self.repeat(ask, now);
        }
        if ask.kind == Kind::Reversal {
            return self.reverse(ask, now).unwrap_or_else(Told::unrecorded);
        }
        let late = earlier.is_some() && !self.is_flipped(Rule::ReversedBeforeItCame);
        let judged = if late { Err(Reason::LateOriginal) } else { self.judge(ask, now) };
        let outcome = judged.unwrap_or_else(Outcome::declined);
        let told = self.carry_out(ask, ask.card, &outcome, now);
        self.keep(ask, &outcome, now);
        told
    }

    /// The same request gets the same answer, and another one under its name none.
    fn repeat(&mut self, ask: &Ask, now: i64) -> Told {
        let earlier = &self.remembered[&ask.name];
        let first = &earlier.ask;
        // A reversal need not name the card that its original did.
        let same_card = match ask.card {
            None => ask.kind == Kind::Reversal,
            card => card == earlier.card,
        };
        let says = |ask: &Ask| {
            let name = (ask.original_batch, ask.original_stan, ask.approval);
            let numbers = (ask.amount, ask.currency, ask.replacement, ask.acquirer_fee);
            (ask.kind, numbers, ask.partial_allowed, name)
        };
        let is_same = (same_card && says(ask) == says(first)) || self.is_flipped(Rule::RepeatsAreCompared);
        if !is_same {
            let told = self.alerted.get(&ask.name.0).is_some_and(|last| now - last < 60_000);
            if told {
                return Told::unrecorded(Reason::DuplicateDiffers);
            }
            self.alerted.insert(ask.name.0, now);
            self.seq += 1;
            return Told { seq: Some(self.seq), ..Told::unrecorded(Reason::DuplicateDiffers) };
        }
        if earlier.standing == Standing::Reversed {
            return Told::unrecorded(Reason::LateOriginal);
        }
        Told { repeat: true, ..earlier.told }
    }

    fn judge(&mut self, ask: &Ask, now: i64) -> Result<Outcome, Reason> {
        if ask.kind == Kind::Load && !self.terminals[ask.name.0].may_load {
            return Err(Reason::TerminalNotPermitted);
        }
        if ask.amount == 0 && ask.kind != Kind::Balance {
            return Err(Reason::InvalidAmount);
        }
        let id = ask.card.ok_or(Reason::NoSuchCard)?;
        self.check_state(ask, id, now)?;
        self.check_pin(ask, id)?;
        if ask.kind.follows() {
            return self.follow(ask, id, now);
        }
        self.check_limits(ask, id)?;
        self.check_currency(ask, id)?;
        match ask.kind {
            Kind::Purchase => self.purchase(ask, id),
            Kind::PreAuthorization => self.pre_authorize(ask, id, now),
            Kind::PreAuthorizationAddition => self.add(ask, id, now),
            Kind::Withdrawal => self.withdraw(ask, id),
            Kind::Load => self.load(ask, id),
            _ => Ok(Outcome { shown: Some(self.shown(id, ask.currency)), ..Outcome::approved() }),
        }
    }

    fn check_state(&self, ask: &Ask, id: usize, now: i64) -> Result<(), Reason> {
        let card = &self.cards[id];
        if ask.kind.follows() && card.state != CardState::Closed {
            // It was agreed when the card was good.
            return Ok(());
        }
        if card.has_expired(now) {
            return Err(Reason::Expired);
        }
        let is_load = ask.kind == Kind::Load;
        match card.state {
            CardState::Active => Ok(()),
            CardState::Inactive if is_load => Ok(()),
            CardState::Blocked if is_load && !card.owed.is_empty() => Ok(()),
            CardState::Inactive => Err(Reason::NotActive),
            CardState::Blocked => Err(Reason::Restricted),
            CardState::Lost => Err(Reason::Lost),
            CardState::Stolen => Err(Reason::Stolen),
            CardState::Closed => Err(Reason::NoSuchCard),
        }
    }

    fn check_pin(&mut self, ask: &Ask, id: usize) -> Result<(), Reason> {
        let small = self.is_small(ask, id);
        let max = self.policy.pin_tries_max;
        let balance_needs_pin = self.product(id).balance_needs_pin;
        let needed = match ask.kind {
            Kind::Purchase => !small,
            Kind::Balance => balance_needs_pin,
            Kind::PreAuthorization | Kind::PreAuthorizationAddition | Kind::Withdrawal => true,
            _ if ask.pin == Pin::Absent => return Ok(()),
            _ => false,
        };
        let card = &mut self.cards[id];
        if card.wrong_pins >= max {
            return Err(Reason::PinTriesExceeded);
        }
        match ask.pin {
            Pin::Absent if needed => Err(Reason::PinRequired),
            Pin::Absent => Ok(()),
            Pin::Right => {
                card.wrong_pins = 0;
                Ok(())
            }
            Pin::Wrong => {
                card.wrong_pins += 1;
                Err(if card.wrong_pins >= max { Reason::PinTriesExceeded } else { Reason::WrongPin })
            }
        }
    }

    /// What its holder allows. Amounts are said in the city's currency, that of its first purse.
    fn check_limits(&self, ask: &Ask, id: usize) -> Result<(), Reason> {
        let limits = &self.cards[id].limits;
        let asked = ask.kind.is_debit() && !self.is_flipped(Rule::HoldersLimit);
        if !asked || limits.beyond == Beyond::Notify {
            return Ok(());
        }
        if limits.shut.contains(&self.terminals[ask.name.0].dialect) {
            return Err(Reason::NotPermittedToHolder);
        }
        let in_city_currency = self.purse_types[0].currency == ask.currency;
        let is_above = |most| ask.amount + ask.acquirer_fee > most;
        if in_city_currency && limits.amount_max.is_some_and(is_above) {
            return Err(Reason::AmountLimit);
        }
        Ok(())
    }

    /// What a card does not have it cannot pay in, and a merchant is paid in one currency.
    fn check_currency(&self, ask: &Ask, id: usize) -> Result<(), Reason> {
        let has_purse = self.purses(id).any(|(_, purse)| purse.currency == ask.currency);
        let pays_merchant =
            matches!(ask.kind, Kind::Purchase | Kind::PreAuthorization | Kind::PreAuthorizationAddition);
        let fits = !pays_merchant || self.merchant(ask.name.0).currency == ask.currency;
        if has_purse && fits { Ok(()) } else { Err(Reason::InvalidTransaction) }
    }
}
