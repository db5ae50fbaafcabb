//! The honest parties of the sample city with the keys that their answers are checked with, and every terminal's name
//! for those who would pose as it.

use cardswitch::{
    city::{HostMac, TestKeys},
    terminal::{AtmHost, EposTerminal, PosTerminal, Sample, TestCard},
};
use hsm_sim::{
    Entropy, MacAlgorithm, PsamNumber,
    emulator::{Psam, PsamMasters, TerminalKeys, Zone},
};

use crate::{city::City, random::Random};

/// See the module.
#[derive(Debug)]
pub struct Parties {
    sample: Sample,
    city: City,
    keys: TestKeys,
}

impl Parties {
    /// Those of the sample city.
    #[must_use]
    pub fn open() -> Self {
        let folder = City::folder();
        Self {
            sample: Sample::open(&folder).expect("the sample city"),
            city: City::open(),
            keys: TestKeys::open(&folder.join("keys.toml")).expect("the sample city's keys"),
        }
    }

    /// The city.
    #[must_use]
    pub fn city(&self) -> &City {
        &self.city
    }

    /// The city's ordinary cards that pay anywhere.
    #[must_use]
    pub fn cards(&self) -> Vec<TestCard> {
        let active = cardswitch::city::CardState::Active;
        let rows = self.city.cards().iter().filter(|row| {
            crate::city::ORDINARY.contains(&row.line) && row.product == 0 && row.state == active
        });
        rows.map(|row| self.sample.card_in_line(row.line).expect("a line of cards.csv")).collect()
    }

    /// A POS terminal, and its end of the keys that a sign-in will bring.
    #[must_use]
    pub fn pos(&self, id: &str) -> (PosTerminal, TerminalKeys) {
        let terminal = self.sample.terminal(Some(id)).expect("a pos terminal");
        (terminal, TerminalKeys::new(*self.city.terminal_row(id).tmk.clear().expect("a test key")))
    }

    /// A telephone POS, and a second PSAM like its own.
    #[must_use]
    pub fn epos(&self, id: &str, seed: u64) -> (EposTerminal, Psam) {
        let terminal = self.sample.epos_terminal(Some(id), entropy(seed)).expect("an epos terminal");
        let psam = self.city.terminal_row(id).psam.expect("an epos terminal has one");
        let row = &self.city.files().psams[psam as usize];
        let masters = self.keys.psam_masters.iter().find(|masters| masters.version == row.key_version);
        let masters = masters.expect("masters of every version");
        let masters = PsamMasters {
            pin: *masters.pin.expose(),
            mac: *masters.mac.expose(),
            track: *masters.track.expose(),
            auth: *masters.auth.expose(),
        };
        let number = PsamNumber::parse_bcd(&row.psam_no).expect("a PSAM number");
        (terminal, Psam::new(number, &masters).expect("a PSAM"))
    }

    /// The host behind a cash machine, its end of the zone, and the machine's field 41.
    #[must_use]
    pub fn atm(&self, id: &str, seed: u64) -> (AtmHost, Zone, [u8; 8]) {
        let (host, terminal) = self.sample.atm_host(Some(id), entropy(seed)).expect("a cash machine");
        let zone = self.zone(host.acquirer());
        (host, zone, terminal)
    }

    /// An acquirer's end of its zone.
    #[must_use]
    pub fn zone(&self, acquirer: &str) -> Zone {
        let row = self.city.files().acquirers.iter().find(|row| row.id.as_str() == acquirer);
        let algorithm = match row.expect("an acquirer of acquirers.csv").mac {
            HostMac::X919 => MacAlgorithm::X919,
            HostMac::Cbc3Des => MacAlgorithm::Cbc3Des,
        };
        let keys = self.keys.zone(acquirer).expect("a zone of keys.toml");
        let [pin, to_switch, from_switch] =
            [&keys.pin, &keys.mac_to_switch, &keys.mac_from_switch].map(|key| *key.expose());
        Zone::new(keys.zmk.expose(), pin, to_switch, from_switch, algorithm).expect("zone keys")
    }
}

fn entropy(seed: u64) -> Box<dyn Entropy + Send> {
    let mut random = Random::new(seed);
    Box::new(move |bytes: &mut [u8]| random.fill(bytes))
}
