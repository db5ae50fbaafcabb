//! The play: who is on stage when, and what every desk does with a card.
//!
//! Balances and totals are added up here, from what was sent and what was approved. Start at [`Play::first_day`]; the
//! scenes stand in `counter`, `telephone`, `cash`, `rules` and `clearing`.

use std::path::Path;

use hsm_sim::MacAlgorithm;

use super::DemoError;
use super::cast::{Cast, DESKS, Desk, Played, ROLES, Role};
use super::process::Ports;
use super::report::{Report, Want};
use super::tally::{Sale, Tally, name};
use crate::city::City;
use crate::interrupt::Interrupt;
use crate::terminal::{Entry, Exchange, Order, PosTerminal, SampleError, Service};

/// The players, and the paper the play is written on.
pub(super) struct Play<'a> {
    pub(super) interrupt: &'a Interrupt,
    pub(super) report: &'a mut Report,
    pub(super) cast: Cast,
    pub(super) tally: Tally,
    /// The merchant of each desk, in the order of [`DESKS`].
    merchants: Vec<String>,
    pub(super) phone_merchant: String,
    /// The purchase that is sent again after the crash.
    pub(super) kept: Option<Exchange>,
    /// A telephone purchase that somebody recorded.
    pub(super) recorded: Option<Exchange>,
}

/// What is typed for a PIN.
#[derive(Clone, Copy)]
pub(super) enum Pin {
    Right,
    Wrong,
    /// Nothing: the card is tapped.
    Untyped,
}

/// What is asked at a desk, and what should come of it.
pub(super) struct Step<'e> {
    pub(super) service: Service,
    pub(super) amount: i64,
    pub(super) pin: Pin,
    /// What it follows.
    pub(super) of: Option<&'e Exchange>,
    /// By how much the balance told should change, if it is approved.
    pub(super) moves: i64,
    pub(super) code: &'static str,
    pub(super) tried: &'e str,
}

impl<'a> Play<'a> {
    /// Takes terminals and cards from the city's folder.
    pub(super) fn open(
        dir: &Path,
        interrupt: &'a Interrupt,
        report: &'a mut Report,
    ) -> Result<Self, DemoError> {
        let city = City::open(dir).map_err(SampleError::from)?;
        let cast = Cast::open(dir, &city)?;
        let merchant = |terminal: &[u8; 8]| {
            let row = city.terminals.iter().find(|row| row.terminal_id == *terminal);
            row.map(|row| name(&row.merchant_id)).unwrap_or_default()
        };
        Ok(Self {
            merchants: cast.terminals.iter().map(|terminal| merchant(terminal.id())).collect(),
            phone_merchant: merchant(cast.phone.id()),
            tally: Tally::new(&city),
            interrupt,
            report,
            cast,
            kept: None,
            recorded: None,
        })
    }

    /// Everything before the crash.
    pub(super) fn first_day(&mut self, ports: Ports) -> Result<(), DemoError> {
        self.report.group("Terminals sign in");
        for (desk, _) in DESKS {
            self.sign_in(desk, ports)?;
        }
        self.counter()?;
        self.telephone(ports.epos)?;
        self.cash(ports.atm)?;
        self.rules()
    }

    /// Everything after it: the switch must remember what it answered and what it owes.
    pub(super) fn after_the_crash(&mut self, ports: Ports) -> Result<(), DemoError> {
        self.report.group("What was answered before");
        if let Some(kept) = self.kept.take() {
            let terminal = &mut self.cast.terminals[Desk::NewTill as usize];
            terminal.connect(ports.pos)?;
            let again = terminal.repeat(&kept)?;
            self.note(Desk::NewTill, "an old purchase, same bytes", Want::balance(kept.balance), &again);
            self.report.fact("answers before and after", "the same bytes", again.answer == kept.answer);
        }
        self.telephone_again(ports.epos)?;
        self.cash_again(ports.atm)?;
        self.report.group("Every card");
        self.sign_in(Desk::NewTill, ports)?;
        for (role, _, title) in ROLES {
            match role {
                // These two are told no balance; what they are told must not have changed either.
                Role::Forgetful => drop(self.spend(Desk::NewTill, role, 100, Pin::Right, "75", title)?),
                Role::Listed => drop(self.spend(Desk::NewTill, role, 100, Pin::Right, "59", title)?),
                _ => self.ask(Desk::NewTill, role, &format!("balance, {title}"))?,
            }
        }
        Ok(())
    }

    fn sign_in(&mut self, desk: Desk, ports: Ports) -> Result<(), DemoError> {
        let terminal = &mut self.cast.terminals[desk as usize];
        terminal.connect(ports.pos)?;
        // Wrong check values would be an error.
        let exchange = terminal.sign_in()?;
        let tried = match terminal.algorithm() {
            MacAlgorithm::UnionPayEcb => "sign in, check values right, ecb",
            _ => "sign in, check values right, x9.19",
        };
        self.note(desk, tried, Want::code("00"), &exchange);
        Ok(())
    }

    /// A purchase of which `code` is expected, and with 00 the balance that follows.
    pub(super) fn spend(
        &mut self,
        desk: Desk,
        role: Role,
        amount: i64,
        pin: Pin,
        code: &'static str,
        tried: &str,
    ) -> Result<Exchange, DemoError> {
        let step = Step { service: Service::Purchase, amount, pin, of: None, moves: -amount, code, tried };
        self.step(desk, role, &step)
    }

    /// One request about a card.
    pub(super) fn step(&mut self, desk: Desk, role: Role, step: &Step<'_>) -> Result<Exchange, DemoError> {
        let (terminal, card) = self.players(desk, role)?;
        let pin = match step.pin {
            Pin::Right => Some(card.pin()),
            Pin::Wrong => Some(card.wrong_pin()),
            Pin::Untyped => None,
        };
        // A card that no PIN is typed for is tapped, unless it is handed in to be loaded.
        let tapped = pin.is_none() && step.service != Service::Load;
        let entry = if tapped { Entry::Contactless } else { Entry::Stripe };
        let exchange = terminal.order(&Order {
            amount: Some(step.amount),
            pin: pin.as_deref(),
            original: step.of.map(Exchange::original),
            ..Order::new(step.service, &card.test.card, entry)
        })?;
        let mut want = Want { amount: Some(step.amount), ..Want::code(step.code) };
        if step.code == "00" {
            card.balance += step.moves;
            want.balance = Some(card.balance);
        }
        self.enter(desk, role, step, &exchange);
        self.note(desk, step.tried, want, &exchange);
        Ok(exchange)
    }

    /// Enters what was approved into the till's account.
    fn enter(&mut self, desk: Desk, role: Role, step: &Step<'_>, exchange: &Exchange) {
        if !exchange.approved() {
            return;
        }
        let (issuer, merchant) = (&self.cast.cards[role as usize].orderer, &self.merchants[desk as usize]);
        let sale = Sale { amount: step.of.and_then(|sale| sale.amount).unwrap_or(step.amount), back: 0 };
        match step.service {
            Service::Purchase | Service::Completion => self.tally.sold(issuer, merchant, step.amount),
            Service::Void | Service::Refund => self.tally.gave_back(issuer, merchant, sale, step.amount),
            Service::Load => self.tally.loaded(issuer, step.amount),
            _ => {}
        }
    }

    /// Takes back a purchase, whole, and returns the reversal.
    pub(super) fn reverse(
        &mut self,
        desk: Desk,
        role: Role,
        paid: &Exchange,
        tried: &str,
    ) -> Result<Exchange, DemoError> {
        let (terminal, card) = self.players(desk, role)?;
        let reversed = terminal.reverse(paid)?;
        let amount = paid.amount.unwrap_or_default();
        card.balance += amount;
        if reversed.approved() {
            let (issuer, merchant) =
                (&self.cast.cards[role as usize].orderer, &self.merchants[desk as usize]);
            self.tally.gave_back(issuer, merchant, Sale { amount, back: 0 }, amount);
        }
        self.note(desk, tried, Want::code("00"), &reversed);
        Ok(reversed)
    }

    /// A balance inquiry that must show what was added up here.
    pub(super) fn ask(&mut self, desk: Desk, role: Role, tried: &str) -> Result<(), DemoError> {
        let (terminal, card) = self.players(desk, role)?;
        let exchange = terminal.balance(&card.test.card, Some(&card.pin()), Entry::Stripe)?;
        let want = Want::balance(Some(card.balance));
        self.note(desk, tried, want, &exchange);
        Ok(())
    }

    pub(super) fn players(
        &mut self,
        desk: Desk,
        role: Role,
    ) -> Result<(&mut PosTerminal, &mut Played), DemoError> {
        self.go_on()?;
        // In range: there is one for each variant.
        Ok((&mut self.cast.terminals[desk as usize], &mut self.cast.cards[role as usize]))
    }

    /// Stops the play if a signal came.
    pub(super) fn go_on(&self) -> Result<(), DemoError> {
        if self.interrupt.came() { Err(DemoError::Interrupted) } else { Ok(()) }
    }

    pub(super) fn note(&mut self, desk: Desk, tried: &str, want: Want, exchange: &Exchange) {
        self.report.exchange(self.cast.terminals[desk as usize].id(), tried, want, exchange);
    }
}
