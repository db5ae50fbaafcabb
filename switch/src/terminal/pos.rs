//! The terminal: its number, its keys, its line, and the requests it can make.
//!
//! Tests of the frames it builds read them with the switch's own dialect.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hsm_sim::MacAlgorithm;
use hsm_sim::emulator::TerminalKeys;
use iso8583::Message;

use super::card::{CardInHand, Entry};
use super::compose::{Composer, Management, Presented, Service};
use super::error::TerminalError;
use super::exchange::{Exchange, stan};
use super::frame::Frame;
use super::line::Line;
use crate::clock::stopwatch;

/// How long an answer is awaited unless told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest number field 11 holds; the one after it is 1.
const STAN_MAX: u32 = 999_999;

/// Largest number field 60.2 holds.
const BATCH_MAX: u32 = 999_999;

/// A POS terminal of the dialect `pos`, with one request under way at most.
pub struct PosTerminal {
    terminal_id: [u8; 8],
    merchant_id: [u8; 15],
    algorithm: MacAlgorithm,
    keys: TerminalKeys,
    line: Option<Line>,
    batch: u32,
    next_stan: u32,
    timeout: Duration,
}

impl PosTerminal {
    /// A terminal that was given its master key (16 bytes in clear) and is not connected yet. It is in
    /// batch 1, and its first STAN is 1.
    #[must_use]
    pub fn new(terminal_id: [u8; 8], merchant_id: [u8; 15], algorithm: MacAlgorithm, tmk: [u8; 16]) -> Self {
        Self {
            terminal_id,
            merchant_id,
            algorithm,
            keys: TerminalKeys::new(tmk),
            line: None,
            batch: 1,
            next_stan: 1,
            timeout: TIMEOUT,
        }
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

    /// How its requests are authenticated.
    #[must_use]
    pub fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// Opens a line to the switch, leaving an earlier one. Keys and STAN are kept.
    ///
    /// # Errors
    /// [`TerminalError::Connect`].
    pub fn connect(&mut self, address: SocketAddr) -> Result<(), TerminalError> {
        self.line = None;
        self.line = Some(Line::open(address, self.timeout)?);
        Ok(())
    }

    /// Asks for working keys (0800, 60.3 = 003) and takes them over if it is approved and both check values are
    /// right.
    ///
    /// # Errors
    /// No line, an answer without keys, or keys that do not fit this terminal's master key.
    pub fn sign_in(&mut self) -> Result<Exchange, TerminalError> {
        let frame = self.prepare_sign_in()?;
        let exchange = self.send(&frame)?;
        if let (true, Some(answer)) = (exchange.approved(), &exchange.answer) {
            self.take_keys(answer)?;
        }
        Ok(exchange)
    }

    /// Builds a sign-in under the next STAN, without sending it.
    ///
    /// # Errors
    /// It does not fit the table of `pos`, which would be a fault of this program.
    pub fn prepare_sign_in(&mut self) -> Result<Frame, TerminalError> {
        let stan = self.take_stan();
        self.composer().management(Management::SignIn, stan)
    }

    /// Takes over the working keys in a sign-in's answer.
    ///
    /// # Errors
    /// An answer without keys, or keys that do not fit this terminal's master key.
    pub fn take_keys(&mut self, answer: &Frame) -> Result<(), TerminalError> {
        let message = answer.message().map_err(TerminalError::Answer)?;
        let field: [u8; 40] = message.fixed(62).ok_or(TerminalError::NoKeysInAnswer)?;
        self.accept_keys(&field)
    }

    /// Ends the shift (0820, 60.3 = 002).
    ///
    /// # Errors
    /// See [`PosTerminal::send`].
    pub fn sign_off(&mut self) -> Result<Exchange, TerminalError> {
        let stan = self.take_stan();
        let frame = self.composer().management(Management::SignOff, stan)?;
        self.send(&frame)
    }

    /// Asks whether the switch is there (0820, 60.3 = 301).
    ///
    /// # Errors
    /// See [`PosTerminal::send`].
    pub fn echo(&mut self) -> Result<Exchange, TerminalError> {
        let stan = self.take_stan();
        let frame = self.composer().management(Management::Echo, stan)?;
        self.send(&frame)
    }

    /// Pays `amount` minor units.
    ///
    /// # Errors
    /// See [`PosTerminal::prepare`] and [`PosTerminal::send`].
    pub fn purchase(
        &mut self,
        card: &CardInHand,
        amount: i64,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        let frame = self.prepare(Service::Purchase, card, Some(amount), pin, entry)?;
        self.send(&frame)
    }

    /// Asks what is on a card.
    ///
    /// # Errors
    /// See [`PosTerminal::prepare`] and [`PosTerminal::send`].
    pub fn balance(
        &mut self,
        card: &CardInHand,
        pin: Option<&[u8]>,
        entry: Entry,
    ) -> Result<Exchange, TerminalError> {
        let frame = self.prepare(Service::Balance, card, None, pin, entry)?;
        self.send(&frame)
    }

    /// Puts `amount` minor units on a card. A load needs no PIN.
    ///
    /// # Errors
    /// See [`PosTerminal::prepare`] and [`PosTerminal::send`].
    pub fn load(&mut self, card: &CardInHand, amount: i64, entry: Entry) -> Result<Exchange, TerminalError> {
        let frame = self.prepare(Service::Load, card, Some(amount), None, entry)?;
        self.send(&frame)
    }

    /// Takes back a purchase or a load, whether it was answered or not.
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`]; see also [`PosTerminal::send`].
    pub fn reverse(&mut self, original: &Exchange) -> Result<Exchange, TerminalError> {
        let message = original.request.message().map_err(|_| TerminalError::NotReversible)?;
        let frame = self.composer().reversal(&message)?;
        self.send(&frame)
    }

    /// Takes back a purchase or a load of which only STAN and amount are known.
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`] for a balance; see also [`PosTerminal::send`].
    pub fn reverse_earlier(
        &mut self,
        service: Service,
        stan: u32,
        amount: i64,
    ) -> Result<Exchange, TerminalError> {
        let frame = self.composer().reversal_of(service, stan, amount)?;
        self.send(&frame)
    }

    /// Sends the very same bytes again.
    ///
    /// # Errors
    /// See [`PosTerminal::send`].
    pub fn repeat(&mut self, earlier: &Exchange) -> Result<Exchange, TerminalError> {
        self.send(&earlier.request)
    }

    /// Sends an earlier request again with the last bit of one field inverted and its MAC as it was. For a request
    /// that the switch has not seen, send [`Frame::changed`] of a prepared one.
    ///
    /// # Errors
    /// [`TerminalError::NoField`]; see also [`PosTerminal::send`].
    pub fn tampered(&mut self, earlier: &Exchange, field: u8) -> Result<Exchange, TerminalError> {
        let frame = earlier.request.changed(field).ok_or(TerminalError::NoField(field))?;
        self.send(&frame)
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
        let stan = self.take_stan();
        self.composer().service(service, stan, amount, &Presented { card, entry, pin })
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
                exchange.answered(answer, &self.keys, self.algorithm).map_err(TerminalError::Answer)
            }
            Err(error) => {
                self.line = None;
                Err(error)
            }
        }
    }

    fn accept_keys(&mut self, field: &[u8; 40]) -> Result<(), TerminalError> {
        let (pin, mac) = field.split_at(20);
        let parts = |half: &[u8]| Some((*half.first_chunk::<16>()?, *half.last_chunk::<4>()?));
        let (Some((pin, pin_check)), Some((mac, mac_check))) = (parts(pin), parts(mac)) else {
            return Err(TerminalError::NoKeysInAnswer);
        };
        self.keys.accept(&pin, &pin_check, &mac, &mac_check).map_err(TerminalError::KeysRefused)
    }

    fn composer(&self) -> Composer<'_> {
        Composer {
            terminal_id: &self.terminal_id,
            merchant_id: &self.merchant_id,
            algorithm: self.algorithm,
            keys: &self.keys,
            batch: self.batch,
        }
    }

    fn take_stan(&mut self) -> u32 {
        let stan = self.next_stan;
        self.next_stan = wrapped(stan + 1);
        stan
    }
}

impl fmt::Debug for PosTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PosTerminal")
            .field("id", &self.terminal_id.escape_ascii().to_string())
            .field("algorithm", &self.algorithm)
            .field("keys", &self.keys)
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
fn wrapped(stan: u32) -> u32 {
    stan.saturating_sub(1) % STAN_MAX + 1
}
