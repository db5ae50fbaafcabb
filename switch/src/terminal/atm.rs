//! An ATM host: one connection to the switch for many cash machines, spoken in ISO 8583:1987 ASCII.
//!
//! It may call the switch or be called, keeps many requests under way, and takes answers in any order. What its
//! messages hold is in `message`. Start at [`AtmHost`].

mod message;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use arrayvec::ArrayString;
use hsm_sim::emulator::Zone;
use hsm_sim::{Entropy, KeyUsage, MacAlgorithm};
use iso8583::Message;

pub use self::message::{AtmOrder, AtmOriginal, AtmService};
use self::message::{Link, Writer};
use super::card::CardInHand;
use super::device::{TIMEOUT, wrapped};
use super::error::TerminalError;
use super::exchange::{Exchange, stan};
use super::frame::{AtmForm, Frame, Framing};
use super::line::Line;
use crate::clock::{Clock, stopwatch};

/// Most requests under way at once: fewer than any switch's window, so that neither side waits for the other to read.
pub const UNDER_WAY_MAX: usize = 64;

/// The host of one acquirer.
pub struct AtmHost {
    acquirer: ArrayString<11>,
    zone: Zone,
    mac_usage: KeyUsage,
    form: AtmForm,
    entropy: Box<dyn Entropy + Send>,
    clock: Clock,
    line: Option<Line>,
    next_stan: u32,
    timeout: Duration,
}

/// New zone keys in clear: for PIN blocks, for MACs to the switch, for MACs from it.
pub struct NewZoneKeys {
    /// PIN key.
    pub pin: [u8; 16],
    /// MAC key of messages to the switch.
    pub mac_to_switch: [u8; 16],
    /// MAC key of messages from the switch.
    pub mac_from_switch: [u8; 16],
}

impl AtmHost {
    /// The host of the acquirer with this institution number (field 32), not connected yet. `algorithm` is that of
    /// the zone's MACs; `entropy` is for new keys.
    #[must_use]
    pub fn new(
        acquirer: ArrayString<11>,
        zone: Zone,
        algorithm: MacAlgorithm,
        entropy: Box<dyn Entropy + Send>,
    ) -> Self {
        let mac_usage = match algorithm {
            MacAlgorithm::Cbc3Des => KeyUsage::MacCbc3Des,
            _ => KeyUsage::MacX919,
        };
        // INVARIANT: the database of zones is part of the program, and UTC is in it.
        let clock = Clock::new("UTC").expect("UTC is a time zone");
        let (form, line) = (AtmForm::default(), None);
        Self { acquirer, zone, mac_usage, form, entropy, clock, line, next_stan: 1, timeout: TIMEOUT }
    }

    /// The same host, writing its frames in this form.
    #[must_use]
    pub fn writing(mut self, form: AtmForm) -> Self {
        self.form = form;
        self
    }

    /// The same host, counting its requests from another STAN on. Taken modulo 999 999, never 0.
    #[must_use]
    pub fn counting_from(mut self, stan: u32) -> Self {
        self.next_stan = wrapped(stan);
        self
    }

    /// Goes over to another STAN, modulo 999 999, never 0. Whoever chooses numbers out of order sees to it that none is
    /// used twice in a second of field 7.
    pub fn renumber(&mut self, stan: u32) {
        self.next_stan = wrapped(stan);
    }

    /// The same host, waiting this long for an answer.
    #[must_use]
    pub fn waiting(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Field 32.
    #[must_use]
    pub fn acquirer(&self) -> &str {
        &self.acquirer
    }

    /// Opens a line to the switch, leaving an earlier one.
    ///
    /// # Errors
    /// [`TerminalError::Connect`].
    pub fn connect(&mut self, address: SocketAddr) -> Result<(), TerminalError> {
        self.line = None;
        self.line = Some(Line::open(address, Framing::Atm(self.form), self.timeout)?);
        Ok(())
    }

    /// Leaves the line.
    pub fn hang_up(&mut self) {
        self.line = None;
    }

    /// Waits, as long as it takes, for the switch to open a line, and leaves an earlier one.
    ///
    /// # Errors
    /// [`TerminalError::Listen`].
    pub fn accept(&mut self, listener: &TcpListener) -> Result<(), TerminalError> {
        self.line = None;
        self.line = Some(Line::accept(listener, Framing::Atm(self.form))?);
        Ok(())
    }

    /// Begins the session (field 70 = 001).
    ///
    /// # Errors
    /// See [`AtmHost::send`]; so for everything else about the link.
    pub fn sign_on(&mut self) -> Result<Exchange, TerminalError> {
        self.manage(Link::SignOn)
    }

    /// Ends the session (field 70 = 002).
    ///
    /// # Errors
    /// See [`AtmHost::send`].
    pub fn sign_off(&mut self) -> Result<Exchange, TerminalError> {
        self.manage(Link::SignOff)
    }

    /// Asks whether the switch is there (field 70 = 301).
    ///
    /// # Errors
    /// See [`AtmHost::send`].
    pub fn echo(&mut self) -> Result<Exchange, TerminalError> {
        self.manage(Link::Echo)
    }

    /// Says that the acquirer's business day has changed (field 70 = 201).
    ///
    /// # Errors
    /// See [`AtmHost::send`].
    pub fn cut_over_notice(&mut self) -> Result<Exchange, TerminalError> {
        self.manage(Link::CutOver)
    }

    /// Draws new zone keys and goes over to them if the switch takes them (field 70 = 161): from the next message on.
    ///
    /// # Errors
    /// See [`AtmHost::change_keys`].
    pub fn key_change(&mut self) -> Result<Exchange, TerminalError> {
        let (pin, mac_to_switch, mac_from_switch) = (self.draw_key(), self.draw_key(), self.draw_key());
        self.change_keys(&NewZoneKeys { pin, mac_to_switch, mac_from_switch })
    }

    /// Goes over to these zone keys if the switch takes them. They travel as key blocks under the zone master key.
    ///
    /// # Errors
    /// [`TerminalError::KeysRefused`] if the switch takes keys that this host finds weak; see also [`AtmHost::send`].
    pub fn change_keys(&mut self, keys: &NewZoneKeys) -> Result<Exchange, TerminalError> {
        let sent = [
            (KeyUsage::PinEncryption, &keys.pin),
            (self.mac_usage, &keys.mac_to_switch),
            (self.mac_usage, &keys.mac_from_switch),
        ];
        let mut field = String::new();
        for (place, (usage, key)) in (1..).zip(sent) {
            let block = self.zone.key_block(usage, key, self.entropy.as_mut());
            field.push_str(&format!("{place:02}{:03}{block}", block.len()));
        }
        let exchange = self.manage(Link::KeyChange(&field))?;
        if exchange.approved() {
            let changed = self.zone.change(keys.pin, keys.mac_to_switch, keys.mac_from_switch);
            changed.map_err(TerminalError::KeysRefused)?;
        }
        Ok(exchange)
    }

    /// Draws `amount` minor units in cash, for which the acquirer charges `fee` on top.
    ///
    /// # Errors
    /// See [`AtmHost::prepare`] and [`AtmHost::send`]; so for everything else about a card.
    pub fn withdrawal(
        &mut self,
        terminal: &[u8; 8],
        card: &CardInHand,
        pin: Option<&[u8]>,
        amount: i64,
        fee: Option<i64>,
    ) -> Result<Exchange, TerminalError> {
        let order = AtmOrder::new(AtmService::Withdrawal, terminal, card);
        self.order(&AtmOrder { pin, amount: Some(amount), fee, ..order })
    }

    /// Asks what is on a card.
    ///
    /// # Errors
    /// See [`AtmHost::withdrawal`].
    pub fn balance(
        &mut self,
        terminal: &[u8; 8],
        card: &CardInHand,
        pin: Option<&[u8]>,
    ) -> Result<Exchange, TerminalError> {
        self.order(&AtmOrder { pin, ..AtmOrder::new(AtmService::Balance, terminal, card) })
    }

    /// Puts `amount` minor units on a card.
    ///
    /// # Errors
    /// See [`AtmHost::withdrawal`].
    pub fn load(
        &mut self,
        terminal: &[u8; 8],
        card: &CardInHand,
        pin: Option<&[u8]>,
        amount: i64,
    ) -> Result<Exchange, TerminalError> {
        let order = AtmOrder::new(AtmService::Load, terminal, card);
        self.order(&AtmOrder { pin, amount: Some(amount), ..order })
    }

    /// Replaces the PIN `pin` by `new_pin`.
    ///
    /// # Errors
    /// See [`AtmHost::withdrawal`].
    pub fn pin_change(
        &mut self,
        terminal: &[u8; 8],
        card: &CardInHand,
        pin: &[u8],
        new_pin: &[u8],
    ) -> Result<Exchange, TerminalError> {
        let order = AtmOrder::new(AtmService::PinChange, terminal, card);
        self.order(&AtmOrder { pin: Some(pin), new_pin: Some(new_pin), ..order })
    }

    /// Takes back a request that moved something, or all of it but the minor units that `stays` names (0420).
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`] for a balance or a message about the link; see also [`AtmHost::send`].
    pub fn reverse(&mut self, original: &Exchange, stays: Option<i64>) -> Result<Exchange, TerminalError> {
        let original = AtmOriginal::of(original).ok_or(TerminalError::NotReversible)?;
        self.reverse_earlier(&original, stays)
    }

    /// The same for a request of which only this is left.
    ///
    /// # Errors
    /// See [`AtmHost::reverse`].
    pub fn reverse_earlier(
        &mut self,
        original: &AtmOriginal,
        stays: Option<i64>,
    ) -> Result<Exchange, TerminalError> {
        let frame = self.prepare_reversal(original, stays)?;
        self.send(&frame)
    }

    /// Asks again, as a host does that heard no answer: the same message as a repeat (0201, 0421).
    ///
    /// # Errors
    /// See [`AtmHost::send`].
    pub fn repeat(&mut self, earlier: &Exchange) -> Result<Exchange, TerminalError> {
        let stan = earlier.stan;
        let frame = self.writer(stan).repeat(&earlier.request)?;
        self.send(&frame)
    }

    /// Sends the very same bytes again, as someone does who recorded them.
    ///
    /// # Errors
    /// See [`AtmHost::send`].
    pub fn replay(&mut self, earlier: &Exchange) -> Result<Exchange, TerminalError> {
        self.send(&earlier.request)
    }

    /// Makes any request about a card.
    ///
    /// # Errors
    /// See [`AtmHost::prepare`] and [`AtmHost::send`].
    pub fn order(&mut self, order: &AtmOrder<'_>) -> Result<Exchange, TerminalError> {
        let frame = self.prepare(order)?;
        self.send(&frame)
    }

    /// Builds a request about a card under the next STAN, without sending it.
    ///
    /// # Errors
    /// A PIN that is not 4 to 12 digits, an amount that does not fit its field.
    pub fn prepare(&mut self, order: &AtmOrder<'_>) -> Result<Frame, TerminalError> {
        let stan = self.take_stan();
        self.writer(stan).order(order)
    }

    /// Builds a reversal under the next STAN, without sending it.
    ///
    /// # Errors
    /// [`TerminalError::NotReversible`], [`TerminalError::Amount`].
    pub fn prepare_reversal(
        &mut self,
        original: &AtmOriginal,
        stays: Option<i64>,
    ) -> Result<Frame, TerminalError> {
        let stan = self.take_stan();
        self.writer(stan).reversal(original, stays)
    }

    /// Sends a frame and waits for its answer.
    ///
    /// # Errors
    /// No line, a broken line, or an answer that does not decode. An answer that does not come is no error.
    pub fn send(&mut self, frame: &Frame) -> Result<Exchange, TerminalError> {
        let mut exchanges = self.send_all(std::slice::from_ref(frame))?;
        exchanges.pop().ok_or(TerminalError::NotConnected)
    }

    /// Sends frames without waiting between them, at most [`UNDER_WAY_MAX`] at once, and then waits for their answers,
    /// in whatever order they come. The exchanges are in the order of the frames. Answers that nothing here asks for are
    /// passed over.
    ///
    /// # Errors
    /// See [`AtmHost::send`]. What was answered before a line broke is lost with it.
    pub fn send_all(&mut self, frames: &[Frame]) -> Result<Vec<Exchange>, TerminalError> {
        let mut exchanges = Vec::with_capacity(frames.len());
        for frames in frames.chunks(UNDER_WAY_MAX) {
            let line = self.line.as_mut().ok_or(TerminalError::NotConnected)?;
            match converse(line, frames, &self.zone, self.timeout) {
                Ok(some) => exchanges.extend(some),
                Err(error) => {
                    self.line = None;
                    return Err(error);
                }
            }
        }
        Ok(exchanges)
    }

    /// What came of a request that this host built, when another line carried it and its answer. No time is taken here.
    ///
    /// # Errors
    /// One of the two does not decode.
    pub fn exchange(&self, request: Frame, answer: Frame) -> Result<Exchange, TerminalError> {
        let sent = request.message().map_err(TerminalError::Answer)?;
        let exchange = Exchange::unanswered(request.clone(), &sent, Duration::ZERO);
        exchange.answered(answer, |data, mac| self.zone.verify(data, mac)).map_err(TerminalError::Answer)
    }

    fn manage(&mut self, link: Link<'_>) -> Result<Exchange, TerminalError> {
        let stan = self.take_stan();
        let frame = self.writer(stan).link(link)?;
        self.send(&frame)
    }

    fn writer(&mut self, stan: u32) -> Writer<'_> {
        let now = self.clock.now();
        Writer { acquirer: &self.acquirer, zone: &self.zone, form: self.form, now, stan }
    }

    fn take_stan(&mut self) -> u32 {
        let stan = self.next_stan;
        self.next_stan = wrapped(stan + 1);
        stan
    }

    /// A double-length key of odd parity.
    pub(super) fn draw_key(&mut self) -> [u8; 16] {
        let mut key = [0; 16];
        self.entropy.fill(&mut key);
        key.map(|byte: u8| byte ^ u8::from(byte.count_ones().is_multiple_of(2)))
    }
}

impl fmt::Debug for AtmHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtmHost")
            .field("acquirer", &self.acquirer)
            .field("zone", &self.zone)
            .field("next_stan", &self.next_stan)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewZoneKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewZoneKeys")
    }
}

/// Sends frames and collects their answers.
fn converse(
    line: &mut Line,
    frames: &[Frame],
    zone: &Zone,
    timeout: Duration,
) -> Result<Vec<Exchange>, TerminalError> {
    let mut under_way: Vec<(Message<'_>, Instant, Option<Exchange>)> = Vec::with_capacity(frames.len());
    for frame in frames {
        let sent = frame.message().map_err(TerminalError::Answer)?;
        under_way.push((sent, stopwatch(), None));
        line.send(frame, timeout)?;
    }
    let deadline = stopwatch() + timeout;
    while under_way.iter().any(|(.., exchange)| exchange.is_none()) {
        let Some(answer) = line.receive(deadline)? else { break };
        let message = answer.message().map_err(TerminalError::Answer)?;
        let mut asked = frames.iter().zip(&mut under_way);
        let asked = asked.find(|(_, (sent, _, exchange))| exchange.is_none() && answers(&message, sent));
        let Some((frame, (sent, started, exchange))) = asked else { continue };
        let opened = Exchange::unanswered(frame.clone(), sent, started.elapsed());
        let closed = opened.answered(answer.clone(), |data, mac| zone.verify(data, mac));
        *exchange = Some(closed.map_err(TerminalError::Answer)?);
    }
    let exchanges = frames.iter().zip(under_way).map(|(frame, (sent, started, exchange))| {
        exchange.unwrap_or_else(|| Exchange::unanswered(frame.clone(), &sent, started.elapsed()))
    });
    Ok(exchanges.collect())
}

/// Message type, STAN, time, acquirer and terminal: together the name of a request on a link.
fn answers(answer: &Message<'_>, sent: &Message<'_>) -> bool {
    answer.mti() == sent.mti().answer()
        && stan(answer) == stan(sent)
        && [7, 32, 41].iter().all(|field| answer.raw(*field) == sent.raw(*field))
}
