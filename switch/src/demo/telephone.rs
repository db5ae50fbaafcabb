//! At the telephone: terminals of the dialect `epos`, with a PSAM inside and a key for each message.
//!
//! Start at [`Play::telephone`].

use std::net::SocketAddr;

use super::DemoError;
use super::cast::Role;
use super::play::Play;
use super::report::Want;
use crate::terminal::{Entry, Exchange};

impl Play<'_> {
    pub(super) fn telephone(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        self.report.group("At the telephone: a PSAM, and a key for each message");
        let phone = &mut self.cast.phone;
        phone.connect(switch)?;
        let signed_in = phone.sign_in()?;
        self.ring("sign in, the nonce answered", Want::code("00"), &signed_in);
        let paid = self.pay_bill(3_500, "purchase under a one-time key")?;
        let replayed = self.cast.phone.replay(&paid)?;
        self.ring("the very same bytes again", Want::code("94"), &replayed);
        let repeated = self.cast.phone.repeat(&paid)?;
        self.ring("its repeat under a fresh key", Want::balance(paid.balance), &repeated);
        self.report.fact("the two answers", "the same but for the MAC", repeated.answered_as(&paid));
        self.recorded = Some(paid);
        self.moved(switch)
    }

    /// After the crash the PSAM goes on where it was: no new sign-in, and no old recording.
    pub(super) fn telephone_again(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        self.cast.phone.connect(switch)?;
        if let Some(recorded) = self.recorded.take() {
            let replayed = self.cast.phone.replay(&recorded)?;
            self.ring("an old recording", Want::code("94"), &replayed);
        }
        self.pay_bill(1_200, "purchase, without a new sign-in").map(drop)
    }

    fn pay_bill(&mut self, amount: i64, tried: &str) -> Result<Exchange, DemoError> {
        self.go_on()?;
        let card = &mut self.cast.cards[Role::Caller as usize];
        let paid = self.cast.phone.purchase(&card.test.card, amount, Some(&card.pin()), Entry::Stripe)?;
        card.balance -= amount;
        let want = Want { amount: Some(amount), ..Want::balance(Some(card.balance)) };
        if paid.approved() {
            self.tally.sold(&card.orderer, &self.phone_merchant, amount);
        }
        self.ring(tried, want, &paid);
        Ok(paid)
    }

    /// A terminal with its own PSAM, at the line of its neighbour.
    fn moved(&mut self, switch: SocketAddr) -> Result<(), DemoError> {
        let moved = &mut self.cast.moved_phone;
        moved.connect(switch)?;
        let refused = moved.sign_in()?;
        self.report.exchange(moved.id(), "sign in from another's line", Want::code("58"), &refused);
        Ok(())
    }

    fn ring(&mut self, tried: &str, want: Want, exchange: &Exchange) {
        self.report.exchange(self.cast.phone.id(), tried, want, exchange);
    }
}
