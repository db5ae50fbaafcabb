//! A terminal: its number, its keys, its line, and one request on its way.
//!
//! This is what terminals of `pos` and of `epos` have in common; they differ in how they keep secrets, and have a file
//! each for that. What can be asked is in `requests`. Start at [`Terminal`].

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iso8583::Message;

use super::card::{CardInHand, Entry};
use super::compose::{self, Draft, Management, Order, Sender};
use super::error::TerminalError;
use super::exchange::{Exchange, stan};
use super::frame::{Frame, Framing};
use super::line::Line;
use super::private_57::Tags;
use super::security::Security;
use super::service::Service;
use crate::clock::stopwatch;

/// How long an answer is awaited unless told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest number field 11 holds; the one after it is 1.
const STAN_MAX: u32 = 999_999;

/// Largest number field 60.2 holds.
const BATCH_MAX: u32 = 999_999;

/// A terminal with one request under way at most, that keeps its secrets by `S`.
pub struct Terminal<S> {
    terminal_id: [u8; 8],
    merchant_id: [u8; 15],
    pub(super) security: S,
    line: Option<Line>,
    batch: u32,
    next_stan: u32,
    timeout: Duration,
}

impl<S: Security> Terminal<S> {
    pub(super) fn keeping(terminal_id: [u8; 8], merchant_id: [u8; 15], security: S) -> Self {
        Self { terminal_id, merchant_id, security, line: None, batch: 1, next_stan: 1, timeout: TIMEOUT }
    }

    /// The same terminal, counting its requests from another STAN on: a switch remembers what it answered, so a
    /// terminal that starts anew must not use yesterday's numbers. Taken modulo 999 999, never 0.
    #[must_use]
    pub fn counting_from(mut self, stan: u32) -> Self {
        self.next_stan = wrapped(stan);
        self
    }

    /// The same terminal in another batch (field 60.2), at most 999 999: a STAN may be used once in each.
    #[must_use]
    pub fn in_batch(mut self, batch: u32) -> Self {
        self.batch = batch.min(BATCH_MAX);
        self
    }

    /// Goes over to another batch (at most 999 999) and STAN (modulo 999 999, never 0). Whoever chooses numbers out of
    /// order sees to it that none is used twice.
    pub fn renumber(&mut self, batch: u32, stan: u32) {
        (self.batch, self.next_stan) = (batch.min(BATCH_MAX), wrapped(stan));
    }

    /// The same terminal, waiting this long for an answer.
    #[must_use]
    pub fn waiting(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Field 41.
    #[must_use]
    pub fn id(&self) -> &[u8; 8] {
        &self.terminal_id
    }

    /// Field 60.2 of its requests.
    #[must_use]
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Opens a line to the switch, leaving an earlier one. Keys and STAN are kept.
    ///
    /// # Errors
    /// [`TerminalError::Connect`].
    pub fn connect(&mut self, address: SocketAddr) -> Result<(), TerminalError> {
        self.line = None;
        self.line = Some(Line::open(address, Framing::Pos, self.timeout)?);
        Ok(())
    }

    /// Leaves the line. Keys and STAN are kept.
    pub fn hang_up(&mut self) {
        self.line = None;
    }

    /// Builds a request about a card under the next STAN, without sending it.
    ///
    /// # Errors
    /// No keys, a PIN that is not 4 to 12 digits, an amount of more than 12 digits, no track to read.
    pub fn prepare(
        &mut self,
        service: Service,
        card: &CardInHand,
        amount: Option<i64>,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Frame, TerminalError> {
        self.prepare_order(&Order { amount, pin, ..Order::new(service, card, entry) })
    }

    /// Builds any request about a card under the next STAN, without sending it.
    ///
    /// # Errors
    /// See [`Terminal::prepare`].
    pub fn prepare_order(&mut self, order: &Order<'_>) -> Result<Frame, TerminalError> {
        let draft = Draft::of(order, self.batch, self.take_stan())?;
        self.sealed(&draft)
    }

    /// Sends a frame and waits for its answer: the one with the matching message type, STAN and terminal. Answers
    /// to requests that were given up are passed over.
    ///
    /// # Errors
    /// No line, a broken line, or an answer that does not decode. An answer that does not come is no error.
    pub fn send(&mut self, frame: &Frame) -> Result<Exchange, TerminalError> {
        let line = self.line.as_mut().ok_or(TerminalError::NotConnected)?;
        let sent = frame.message().map_err(TerminalError::Answer)?;
        let started = stopwatch();
        let received =
            line.send(frame, self.timeout).and_then(|()| answer_to(&sent, line, started + self.timeout));
        let exchange = Exchange::unanswered(frame.clone(), &sent, started.elapsed());
        match received {
            Ok(None) => Ok(exchange),
            Ok(Some(answer)) => {
                let once = self.security.once_of(&sent);
                let verify = |data: &[u8], mac: &[u8; 8]| self.security.verify(&once, data, mac);
                exchange.answered(answer, verify).map_err(TerminalError::Answer)
            }
            Err(error) => {
                self.line = None;
                Err(error)
            }
        }
    }

    /// What came of a request that this terminal built, when another line carried it and its answer. No time is taken
    /// here.
    ///
    /// # Errors
    /// One of the two does not decode.
    pub fn exchange(&self, request: Frame, answer: Frame) -> Result<Exchange, TerminalError> {
        let sent = request.message().map_err(TerminalError::Answer)?;
        let once = self.security.once_of(&sent);
        let exchange = Exchange::unanswered(request.clone(), &sent, Duration::ZERO);
        let verify = |data: &[u8], mac: &[u8; 8]| self.security.verify(&once, data, mac);
        exchange.answered(answer, verify).map_err(TerminalError::Answer)
    }

    pub(super) fn ask(&mut self, draft: Draft) -> Result<Exchange, TerminalError> {
        let frame = self.sealed(&draft)?;
        Ok(Exchange { draft: Some(Arc::new(draft)), ..self.send(&frame)? })
    }

    pub(super) fn sealed(&mut self, draft: &Draft) -> Result<Frame, TerminalError> {
        let sender = Sender { terminal_id: &self.terminal_id, merchant_id: &self.merchant_id };
        draft.seal(&sender, &mut self.security)
    }

    pub(super) fn prepare_management(
        &mut self,
        what: Management,
        tags: &Tags,
    ) -> Result<Frame, TerminalError> {
        let number = (self.batch, self.take_stan());
        self.management(what, number, tags)
    }

    pub(super) fn management(
        &self,
        what: Management,
        number: (u32, u32),
        tags: &Tags,
    ) -> Result<Frame, TerminalError> {
        let sender = Sender { terminal_id: &self.terminal_id, merchant_id: &self.merchant_id };
        compose::management(what, &sender, number, tags, &self.security)
    }

    pub(super) fn take_stan(&mut self) -> u32 {
        let stan = self.next_stan;
        self.next_stan = wrapped(stan + 1);
        stan
    }
}

impl<S: Security> fmt::Debug for Terminal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("id", &self.terminal_id.escape_ascii().to_string())
            .field("security", &self.security)
            .field("next_stan", &self.next_stan)
            .finish_non_exhaustive()
    }
}

/// Waits for the answer to `sent`.
fn answer_to(sent: &Message<'_>, line: &mut Line, deadline: Instant) -> Result<Option<Frame>, TerminalError> {
    while let Some(frame) = line.receive(deadline)? {
        let message = frame.message().map_err(TerminalError::Answer)?;
        let ours = message.mti() == sent.mti().answer()
            && stan(&message) == stan(sent)
            && message.raw(41) == sent.raw(41);
        if ours {
            return Ok(Some(frame));
        }
    }
    Ok(None)
}

/// Counts 1 to [`STAN_MAX`] round and round.
pub(super) fn wrapped(stan: u32) -> u32 {
    stan.saturating_sub(1) % STAN_MAX + 1
}
