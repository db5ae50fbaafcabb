//! The sample city's own terminals and hosts, connected to a switch under test.
//!
//! They are those of `cardswitch::terminal`, which share nothing with the switch but the message codec. What honest
//! clients do not send is in [`crate::forge`]. Start at [`Clients::of`].

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use cardswitch::{
    city::{HostMac, TestKeys, ZoneKeys},
    terminal::{AtmHost, EposTerminal, Exchange, PosTerminal, Sample, TestCard},
};
use hsm_sim::{
    Entropy, MacAlgorithm, PsamNumber,
    emulator::{Psam, PsamMasters, Zone},
};

use crate::{city::City, in_process::InProcess, line::PATIENCE, random::Random};

/// Clients of one switch.
#[derive(Debug)]
pub struct Clients {
    sample: Sample,
    city: City,
    keys: TestKeys,
    pos: SocketAddr,
    epos: SocketAddr,
    atm: SocketAddr,
    seed: Cell<u64>,
}

impl Clients {
    /// Clients of this switch.
    #[must_use]
    pub fn of(switch: &InProcess) -> Self {
        let folder = City::folder();
        Self {
            sample: Sample::open(&folder).expect("the sample city"),
            city: City::open(),
            keys: TestKeys::open(&folder.join("keys.toml")).expect("the sample city's keys"),
            pos: switch.address(),
            epos: switch.epos_address(),
            atm: switch.atm_address(),
            seed: Cell::new(1),
        }
    }

    /// The card on a line of `cards.csv`.
    #[must_use]
    pub fn card(&self, line: u64) -> TestCard {
        self.sample.card_in_line(line).expect("a line of cards.csv")
    }

    /// A POS terminal that has signed in.
    #[must_use]
    pub fn pos(&self, id: &str) -> PosTerminal {
        let mut terminal = self.sample.terminal(Some(id)).expect("a pos terminal").waiting(PATIENCE);
        terminal.connect(self.pos).expect("the switch accepts");
        assert_approved(&terminal.sign_in().expect("an answer"));
        terminal
    }

    /// A telephone POS that has signed in.
    #[must_use]
    pub fn epos(&self, id: &str) -> EposTerminal {
        let mut terminal = self.epos_at_the_door(id);
        assert_approved(&terminal.sign_in().expect("an answer"));
        terminal
    }

    /// A telephone POS that is connected, and no more.
    #[must_use]
    pub fn epos_at_the_door(&self, id: &str) -> EposTerminal {
        let mut terminal = self.sample.epos_terminal(Some(id), self.entropy()).expect("an epos terminal");
        terminal = terminal.waiting(PATIENCE);
        terminal.connect(self.epos).expect("the switch accepts");
        terminal
    }

    /// A telephone POS that is connected, on its own line, with the PSAM of another in it.
    #[must_use]
    pub fn epos_with_psam_of(&self, id: &str, other: &str) -> EposTerminal {
        let (row, other) = (self.city.terminal_row(id), self.city.terminal_row(other));
        let psam = &self.city.files().psams[other.psam.expect("an epos terminal") as usize];
        let masters = self.keys.psam_masters.iter().find(|masters| masters.version == psam.key_version);
        let masters = masters.expect("masters of every version");
        let masters = PsamMasters {
            pin: *masters.pin.expose(),
            mac: *masters.mac.expose(),
            track: *masters.track.expose(),
            auth: *masters.auth.expose(),
        };
        let number = PsamNumber::parse_bcd(&psam.psam_no).expect("a PSAM number");
        let made = Psam::new(number, &masters).expect("a PSAM");
        let phone = row.phone.expect("an epos terminal");
        let (id, merchant) = (row.terminal_id, row.merchant_id);
        let terminal =
            EposTerminal::new(id, merchant, made, psam.key_version, phone.expose(), self.entropy());
        let mut terminal = terminal.expect("a telephone number").waiting(PATIENCE);
        terminal.connect(self.epos).expect("the switch accepts");
        terminal
    }

    /// The host behind an ATM, signed on, and the ATM's field 41.
    #[must_use]
    pub fn atm(&self, terminal: &str) -> (AtmHost, [u8; 8]) {
        let (mut host, id) = self.atm_at_the_door(terminal);
        assert_approved(&host.sign_on().expect("an answer"));
        (host, id)
    }

    /// The host behind an ATM, connected and no more.
    #[must_use]
    pub fn atm_at_the_door(&self, terminal: &str) -> (AtmHost, [u8; 8]) {
        let (mut host, id) = self.atm_apart(terminal);
        host.connect(self.atm).expect("the switch accepts");
        (host, id)
    }

    /// The host behind an ATM, not connected.
    #[must_use]
    pub fn atm_apart(&self, terminal: &str) -> (AtmHost, [u8; 8]) {
        let (host, id) = self.sample.atm_host(Some(terminal), self.entropy()).expect("an ATM");
        (host.waiting(PATIENCE), id)
    }

    /// The keys that an acquirer shares with the switch.
    #[must_use]
    pub fn zone_keys(&self, acquirer: &str) -> &ZoneKeys {
        self.keys.zone(acquirer).expect("a zone of keys.toml")
    }

    /// An acquirer's end of its zone.
    #[must_use]
    pub fn zone(&self, acquirer: &str) -> Zone {
        let keys = self.zone_keys(acquirer);
        self.zone_of(
            acquirer,
            keys.zmk.expose(),
            [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| *key.expose()),
        )
    }

    /// The same with other keys: for PIN blocks, for messages to the switch, for those from it.
    #[must_use]
    pub fn zone_of(&self, acquirer: &str, zmk: &[u8], [pin, to_switch, from_switch]: [[u8; 16]; 3]) -> Zone {
        let row = self.city.files().acquirers.iter().find(|row| row.id.as_str() == acquirer);
        let algorithm = match row.expect("an acquirer of acquirers.csv").mac {
            HostMac::X919 => MacAlgorithm::X919,
            HostMac::Cbc3Des => MacAlgorithm::Cbc3Des,
        };
        Zone::new(zmk, pin, to_switch, from_switch, algorithm).expect("zone keys")
    }

    /// Random numbers that no other client here draws.
    #[must_use]
    pub fn entropy(&self) -> Box<dyn Entropy + Send> {
        self.seed.set(self.seed.get() + 1);
        let mut random = Random::new(self.seed.get());
        Box::new(move |bytes: &mut [u8]| random.fill(bytes))
    }
}

/// How long to wait for an answer that must not come.
pub const SILENCE: Duration = crate::line::SILENCE;

/// An approval whose MAC, where one is due, is right.
pub fn assert_approved(exchange: &Exchange) {
    assert!(exchange.approved(), "{exchange:?} must be approved");
}

/// An answer of this code, whose MAC, where it has one, is right.
pub fn assert_code(exchange: &Exchange, code: &str, why: &str) {
    assert_eq!(exchange.code_text(), code, "{why}");
    assert_ne!(exchange.mac_ok, Some(false), "{why}: the MAC of the answer");
}

/// A refusal of this code that carries no MAC, since the request's was not right: to the client it is no answer.
pub fn assert_unsealed(exchange: &Exchange, code: &str, why: &str) {
    assert_eq!(exchange.code_text(), code, "{why}");
    let message = exchange.answer.as_ref().map(|answer| answer.message().expect("an answer decodes"));
    let sealed = message.is_some_and(|message| message.has(64) || message.has(128));
    assert!(!sealed && !exchange.approved(), "{why}: nobody may think it was sealed");
}
