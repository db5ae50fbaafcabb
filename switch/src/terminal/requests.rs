//! What can be asked at a terminal: everything about a card, and what follows it.
//!
//! Tests of the frames that come of it read them with the switch's own dialect.

use std::sync::Arc;

use super::card::{CardInHand, Entry};
use super::compose::{Draft, Management, Order};
use super::device::Terminal;
use super::error::TerminalError;
use super::exchange::Exchange;
use super::security::Security;
use super::service::{Original, Service};

impl<S: Security> Terminal<S> {
    /// Ends the shift (0820, 60.3 = 002).
    ///
    /// # Errors
    /// See [`Terminal::send`].
    pub fn sign_off(&mut self) -> Result<Exchange, TerminalError> {
        let tags = self.security.line_tags();
        let frame = self.prepare_management(Management::SignOff, &tags)?;
        self.send(&frame)
    }

    /// Asks whether the switch is there (0820, 60.3 = 301).
    ///
    /// # Errors
    /// See [`Terminal::send`].
    pub fn echo(&mut self) -> Result<Exchange, TerminalError> {
        let tags = self.security.line_tags();
        let frame = self.prepare_management(Management::Echo, &tags)?;
        self.send(&frame)
    }

    /// Pays `amount` minor units.
    ///
    /// # Errors
    /// See [`Terminal::prepare`] and [`Terminal::send`]; so for everything else about a card.
    pub fn purchase(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        self.order(&Order { amount: Some(amount), pin, ..Order::new(Service::Purchase, card, entry) })
    }

    /// Asks what is on a card.
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn balance(
        &mut self,
        card: &CardInHand,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        self.order(&Order { pin, ..Order::new(Service::Balance, card, entry) })
    }

    /// Puts `amount` minor units on a card. A load needs no PIN.
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn load(&mut self, card: &CardInHand, amount: i64, entry: Entry) -> Result<Exchange, TerminalError> {
        self.order(&Order { amount: Some(amount), ..Order::new(Service::Load, card, entry) })
    }

    /// Takes back a purchase of this batch, whole.
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn void(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::Void, card, amount, pin, entry, original)
    }

    /// Gives back all or part of a purchase or completion (0220).
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn refund(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::Refund, card, amount, pin, entry, original)
    }

    /// Holds `amount` minor units (0100).
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn pre_authorization(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        self.order(&Order { amount: Some(amount), pin, ..Order::new(Service::PreAuthorization, card, entry) })
    }

    /// Lets go of what was held (0100).
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn pre_authorization_void(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::PreAuthorizationVoid, card, amount, pin, entry, original)
    }

    /// Pays out of what was held (0200).
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn completion(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::Completion, card, amount, pin, entry, original)
    }

    /// Says that it was paid out of what was held (0220).
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn completion_advice(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::CompletionAdvice, card, amount, pin, entry, original)
    }

    /// Takes back a completion of this batch, whole.
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn completion_void(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        self.follow(Service::CompletionVoid, card, amount, pin, entry, original)
    }

    /// Replaces the PIN `pin` by `new_pin`.
    ///
    /// # Errors
    /// See [`Terminal::purchase`].
    pub fn pin_change(
        &mut self,
        card: &CardInHand,
        pin: &[u8],
        new_pin: &[u8],
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        let order = Order::new(Service::PinChange, card, entry);
        self.order(&Order { pin: Some(pin), new_pin: Some(new_pin), ..order })
    }

    /// Takes back a request that moved something, whether it was answered or not.
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`]; see also [`Terminal::send`].
    pub fn reverse(&mut self, original: &Exchange) -> Result<Exchange, TerminalError> {
        let message = original.request.message().map_err(|_| TerminalError::NotReversible)?;
        let draft = Draft::reversal_of(&message)?;
        self.ask(draft)
    }

    /// Takes back a request of this batch of which only STAN and amount are known. For a PIN change the amount is not
    /// looked at.
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`]; see also [`Terminal::send`].
    pub fn reverse_earlier(
        &mut self,
        service: Service,
        stan: u32,
        amount: i64,
    ) -> Result<Exchange, TerminalError> {
        let draft = Draft::reversal(service, self.batch(), stan, Some(amount), None)?;
        self.ask(draft)
    }

    /// Asks again, as a terminal does that heard no answer: the very same bytes, but under new keys where each message
    /// has keys of its own.
    ///
    /// # Errors
    /// See [`Terminal::send`].
    pub fn repeat(&mut self, earlier: &Exchange) -> Result<Exchange, TerminalError> {
        let Some(draft) = earlier.draft.as_ref().filter(|_| S::DRAWS_FOR_REPEATS) else {
            return self.replay(earlier);
        };
        let frame = self.sealed(draft)?;
        Ok(Exchange { draft: Some(Arc::clone(draft)), ..self.send(&frame)? })
    }

    /// Sends the very same bytes again, as someone does who recorded them.
    ///
    /// # Errors
    /// See [`Terminal::send`].
    pub fn replay(&mut self, earlier: &Exchange) -> Result<Exchange, TerminalError> {
        self.send(&earlier.request)
    }

    /// Sends an earlier request again with the last bit of one field inverted and its MAC as it was. For a request
    /// that the switch has not seen, send [`Frame::changed`](super::Frame::changed) of a prepared one.
    ///
    /// # Errors
    /// [`TerminalError::NoField`]; see also [`Terminal::send`].
    pub fn tampered(&mut self, earlier: &Exchange, field: u8) -> Result<Exchange, TerminalError> {
        let frame = earlier.request.changed(field).ok_or(TerminalError::NoField(field))?;
        self.send(&frame)
    }

    /// Makes any request about a card.
    ///
    /// # Errors
    /// See [`Terminal::prepare`] and [`Terminal::send`].
    pub fn order(&mut self, order: &Order<'_>) -> Result<Exchange, TerminalError> {
        let draft = Draft::of(order, self.batch(), self.take_stan())?;
        self.ask(draft)
    }

    fn follow(
        &mut self,
        service: Service,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
        original: &Original,
    ) -> Result<Exchange, TerminalError> {
        let order = Order::new(service, card, entry);
        self.order(&Order { amount: Some(amount), pin, original: Some(*original), ..order })
    }
}
