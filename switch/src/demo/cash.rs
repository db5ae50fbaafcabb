//! At the cash machine: an acquirer's ATM host, the dialect `atm`.
//!
//! Start at [`Play::cash`].

use std::net::SocketAddr;

use super::DemoError;
use super::cast::Role;
use super::play::Play;
use super::report::Want;
use crate::terminal::Exchange;

/// What the acquirer charges for cash, minor units.
const FEE: i64 = 150;
/// The PIN that a holder changes to.
const NEW_PIN: &[u8] = b"2468";

impl Play<'_> {
    pub(super) fn cash(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        self.report.group("At the cash machine: an acquirer's host");
        self.cast.host.connect(switch)?;
        let pin = self.cast.cards[Role::Cash as usize].pin();
        self.draw(Role::Cash, &pin, 20_000, "91", "withdrawal before signing on")?;
        let signed_on = self.cast.host.sign_on()?;
        self.show("sign on", Want::code("00"), &signed_on);
        let drawn = self.draw(Role::Cash, &pin, 20_000, "00", "withdrawal of 200.00, fee 1.50")?;
        self.keep(&drawn, 20_000, 5_000)?;
        self.look("balance: 50.00 and the fee are gone")?;
        self.change_pin()?;
        let changed = self.cast.host.key_change()?;
        self.show("new zone keys, as TR-31 blocks", Want::code("00"), &changed);
        self.look("balance, under the new keys")
    }

    /// After the crash the session and its keys are still good.
    pub(super) fn cash_again(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        self.cast.host.connect(switch)?;
        self.look("balance, without signing on again")
    }

    fn change_pin(&mut self) -> Result<(), DemoError> {
        let role = Role::NewPin;
        let card = &mut self.cast.cards[role as usize];
        let old = card.pin();
        let changed = self.cast.host.pin_change(&self.cast.machine, &card.test.card, &old, NEW_PIN)?;
        card.new_pin = Some(NEW_PIN);
        self.show("PIN change", Want::code("00"), &changed);
        self.draw(role, &old, 10_000, "55", "withdrawal with the old PIN")?;
        self.draw(role, NEW_PIN, 10_000, "00", "withdrawal with the new PIN").map(drop)
    }

    fn draw(
        &mut self,
        role: Role,
        pin: &[u8],
        amount: i64,
        code: &'static str,
        tried: &str,
    ) -> Result<Exchange, DemoError> {
        self.go_on()?;
        let (host, card) = (&mut self.cast.host, &mut self.cast.cards[role as usize]);
        let hand = &card.test.card;
        let drawn = host.withdrawal(&self.cast.machine, hand, Some(pin), amount, Some(FEE))?;
        let mut want = Want { amount: Some(amount), ..Want::code(code) };
        if code == "00" {
            card.balance -= amount + FEE;
            want.balance = Some(card.balance);
        }
        if drawn.approved() {
            self.tally.drew(&card.orderer, host.acquirer(), amount, FEE);
        }
        self.show(tried, want, &drawn);
        Ok(drawn)
    }

    /// Of the cash only `stays` came out of the machine.
    fn keep(&mut self, drawn: &Exchange, amount: i64, stays: i64) -> Result<(), DemoError> {
        let reversed = self.cast.host.reverse(drawn, Some(stays))?;
        let card = &mut self.cast.cards[Role::Cash as usize];
        card.balance += amount - stays;
        if reversed.approved() {
            self.tally.kept(&card.orderer, self.cast.host.acquirer(), amount - stays);
        }
        self.show("reversal: only 50.00 came out", Want::code("00"), &reversed);
        Ok(())
    }

    /// A balance inquiry that must show what was added up here.
    fn look(&mut self, tried: &str) -> Result<(), DemoError> {
        self.go_on()?;
        let card = &self.cast.cards[Role::Cash as usize];
        let shown = self.cast.host.balance(&self.cast.machine, &card.test.card, Some(&card.pin()))?;
        let want = Want::balance(Some(card.balance));
        self.show(tried, want, &shown);
        Ok(())
    }

    fn show(&mut self, tried: &str, want: Want, exchange: &Exchange) {
        // A message about the link names no terminal; the acquirer speaks for all of them.
        let of_machine = exchange.request.message().is_ok_and(|message| message.has(41));
        let who = if of_machine { &self.cast.machine[..] } else { self.cast.host.acquirer().as_bytes() };
        self.report.exchange(who, tried, want, exchange);
    }
}
