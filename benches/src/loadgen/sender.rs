//! A sender: the client of one connection. It signs in on a line of its own, builds messages, and verifies answers.
//!
//! All cryptography of the load generator is here, outside the timed part. Start at [`Sender::signed_in`].

use std::{net::SocketAddr, thread, time::Duration};

use cardswitch::terminal::{
    AtmForm, AtmHost, AtmOrder, AtmService, Entry, EposTerminal, Exchange, Frame, Order, PosTerminal, Sample,
    Service, TerminalError,
};

use super::{
    arguments::{Dialect, Kind},
    choice::{Payer, Seat},
    error::LoadError,
    numbers::{Numbers, STANS, unix_ms},
    random::Random,
};

/// Amount of each purchase and withdrawal, minor units; small, so that cards last.
const AMOUNT: i64 = 1;

/// Longest time to wait for the answer to a sign-in.
const SIGN_IN_MAX: Duration = Duration::from_secs(5);

/// The client of one connection.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    /// Field 41 of each terminal.
    seat: Seat,
    /// The number of the next request.
    next: Numbers,
}

#[derive(Debug)]
enum Client {
    Pos(Box<PosTerminal>),
    Epos(Box<EposTerminal>),
    Atm(Box<AtmHost>),
}

impl Sender {
    /// Makes the client of a seat and signs it in. `place` is the connection's number, from 0.
    ///
    /// # Errors
    /// No switch there, a sign-in that is not approved, keys that do not fit.
    pub fn signed_in(
        sample: &Sample,
        dialect: Dialect,
        seat: &Seat,
        place: u64,
        to: SocketAddr,
    ) -> Result<Self, LoadError> {
        let first = seat.first().map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default();
        let (client, next) = match dialect {
            Dialect::Pos => {
                let terminal = sample.terminal(Some(&first))?.waiting(SIGN_IN_MAX);
                (Client::Pos(Box::new(terminal)), Numbers::at(unix_ms()))
            }
            Dialect::Epos => {
                let terminal = sample.epos_terminal(Some(&first), Random::boxed())?.waiting(SIGN_IN_MAX);
                (Client::Epos(Box::new(terminal)), Numbers::batch_at(unix_ms()))
            }
            Dialect::Atm => {
                let (host, _) = sample.atm_host(Some(&first), Random::boxed())?;
                // Sign-ons of one acquirer within a second must count up.
                (Client::Atm(Box::new(host.waiting(SIGN_IN_MAX))), Numbers { first: place % STANS })
            }
        };
        let mut sender = Self { client, seat: seat.clone(), next };
        sender.sign_in(to)?;
        Ok(sender)
    }

    /// Makes room for so many numbers: where STANs may not begin anew, goes over to a time in which they may.
    ///
    /// # Errors
    /// As [`Sender::signed_in`].
    pub fn make_room(&mut self, count: u64, to: SocketAddr) -> Result<(), LoadError> {
        if count <= self.next.left_in_cycle() {
            return Ok(());
        }
        match &self.client {
            // Goes on in the next batch.
            Client::Pos(_) => Ok(()),
            // STANs count upwards under one nonce; a new nonce begins with a new batch.
            Client::Epos(_) => {
                self.next = Numbers::batch_at(unix_ms()).max(self.next.after(self.next.left_in_cycle()));
                self.sign_in(to)
            }
            // STANs count upwards within a second of field 7.
            Client::Atm(_) => {
                thread::sleep(Duration::from_millis(1100));
                self.next = self.next.after(self.next.left_in_cycle());
                Ok(())
            }
        }
    }

    /// The most messages that may be prepared at once.
    #[must_use]
    pub fn messages_max(dialect: Dialect) -> usize {
        match dialect {
            Dialect::Pos => usize::MAX,
            // One cycle of STANs, less those of a sign-in.
            Dialect::Epos | Dialect::Atm => 999_990,
        }
    }

    /// The numbers of the requests built from now on.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.next
    }

    /// Builds one request and puts its frame behind what is in `out`.
    ///
    /// # Errors
    /// A PIN or track that cannot be, which would be a fault of the city's files.
    pub fn prepare(&mut self, kind: Kind, payer: &Payer, out: &mut Vec<u8>) -> Result<(), LoadError> {
        let (batch, stan) = (self.next.batch(0), self.next.stan(0));
        let built = match &mut self.client {
            Client::Pos(terminal) => {
                terminal.renumber(batch, stan);
                terminal.prepare_order(&order(kind, payer))
            }
            Client::Epos(terminal) => {
                terminal.renumber(batch, stan);
                terminal.prepare_order(&order(kind, payer))
            }
            Client::Atm(host) => {
                host.renumber(stan);
                let turn = usize::try_from(self.next.first).unwrap_or_default() % self.seat.len();
                host.prepare(&atm_order(kind, payer, &self.seat[turn]))
            }
        };
        out.extend_from_slice(built.map_err(|source| self.fault(source))?.as_bytes());
        self.next = self.next.after(1);
        Ok(())
    }

    /// Whether an answer has a right MAC where one is due; both frames whole, with their lengths.
    #[must_use]
    pub fn is_right(&self, request: &[u8], answer: &[u8]) -> bool {
        let exchange = |request: Option<Frame>, answer: Option<Frame>| request.zip(answer);
        let read = match self.client {
            Client::Atm(_) => {
                let form = AtmForm::default();
                exchange(Frame::read_atm(request, form), Frame::read_atm(answer, form))
            }
            _ => exchange(Frame::read(request), Frame::read(answer)),
        };
        let Some((request, answer)) = read else { return false };
        let exchange = match &self.client {
            Client::Pos(terminal) => terminal.exchange(request, answer),
            Client::Epos(terminal) => terminal.exchange(request, answer),
            Client::Atm(host) => host.exchange(request, answer),
        };
        exchange.is_ok_and(|exchange| exchange.mac_ok != Some(false))
    }

    fn sign_in(&mut self, to: SocketAddr) -> Result<(), LoadError> {
        let (batch, stan) = (self.next.batch(0), self.next.stan(0));
        let signed_in = match &mut self.client {
            Client::Pos(terminal) => {
                terminal.renumber(batch, stan);
                let signed_in = terminal.connect(to).and_then(|()| terminal.sign_in());
                terminal.hang_up();
                signed_in
            }
            Client::Epos(terminal) => {
                terminal.renumber(batch, stan);
                let signed_in = terminal.connect(to).and_then(|()| terminal.sign_in());
                terminal.hang_up();
                signed_in
            }
            Client::Atm(host) => {
                host.renumber(stan);
                let signed_in = host.connect(to).and_then(|()| host.sign_on());
                host.hang_up();
                signed_in
            }
        };
        // An epos terminal takes two.
        self.next = self.next.after(2);
        let exchange = signed_in.map_err(|source| self.fault(source))?;
        if exchange.approved() { Ok(()) } else { Err(self.refused(&exchange)) }
    }

    fn refused(&self, exchange: &Exchange) -> LoadError {
        let code = exchange.code.unwrap_or(*b"--");
        let hint = match exchange.mac_ok {
            Some(false) if exchange.code.is_some() => {
                "its MAC is wrong or missing; the switch serves another city than --city"
            }
            _ => LoadError::hint(&code),
        };
        LoadError::SignIn { terminal: self.name(), code: exchange.code_text(), hint }
    }

    fn fault(&self, source: TerminalError) -> LoadError {
        LoadError::Terminal { terminal: self.name(), source }
    }

    fn name(&self) -> String {
        match &self.client {
            Client::Atm(host) => format!("host of acquirer {}", host.acquirer()),
            _ => {
                let id = self.seat.first().map(|id| id.escape_ascii().to_string());
                format!("terminal {}", id.unwrap_or_default())
            }
        }
    }
}

fn order(kind: Kind, payer: &Payer) -> Order<'_> {
    let (service, entry) = match kind {
        Kind::Balance => (Service::Balance, Entry::Stripe),
        Kind::Tap => (Service::Purchase, Entry::Contactless),
        Kind::Purchase | Kind::Withdrawal => (Service::Purchase, Entry::Stripe),
    };
    let amount = (kind != Kind::Balance).then_some(AMOUNT);
    let pin = (kind != Kind::Tap).then(|| payer.values.pin.expose().as_slice());
    Order { amount, pin, ..Order::new(service, &payer.card, entry) }
}

fn atm_order<'a>(kind: Kind, payer: &'a Payer, terminal: &'a [u8; 8]) -> AtmOrder<'a> {
    let (service, amount) = match kind {
        Kind::Balance => (AtmService::Balance, None),
        _ => (AtmService::Withdrawal, Some(AMOUNT)),
    };
    let pin = Some(payer.values.pin.expose().as_slice());
    AtmOrder { pin, amount, ..AtmOrder::new(service, terminal, &payer.card) }
}
