//! Which handle stands for which key: issuer keys once, terminals' keys when they are first needed.
//!
//! The books hold key blocks; the HSM turns a block into a handle. A terminal has at most three pairs of working
//! keys, so each has three places here, and a pair that is no longer any of its own gives its place up.

use hsm_sim::{Hsm, HsmError, KeyBlock, KeyHandle, MacAlgorithm};

use crate::books::{
    Acquirer, AcquirerId, Books, Terminal, TerminalId, WorkingKeys, ZoneKeys,
    event::{KeyRole, KeyText, MacScheme, PsamMasters},
};

/// Why the keys in the books cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeysError {
    /// The books hold no key for this.
    #[error("the books hold no {0:?} key: was the city imported to the end?")]
    Missing(KeyRole),
    /// The HSM refuses a key.
    #[error("the HSM refuses the {0:?} key; is this the LMK under which the city was imported?")]
    Refused(KeyRole, #[source] HsmError),
    /// The HSM refuses the masters of PSAM keys.
    #[error("the HSM refuses the PSAM masters of version {0}")]
    Masters(u8, #[source] HsmError),
}

/// A pair of working keys inside the HSM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Working {
    version: u32,
    pub(super) pin: KeyHandle,
    pub(super) mac: KeyHandle,
}

#[derive(Clone, Debug, Default)]
struct TerminalKeys {
    tmk: Option<KeyHandle>,
    working: [Option<Working>; 3],
}

/// The masters of one version inside the HSM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Masters {
    version: u8,
    pub(super) pin: KeyHandle,
    pub(super) mac: KeyHandle,
    pub(super) track: KeyHandle,
    pub(super) auth: KeyHandle,
}

/// Zone keys inside the HSM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    version: u32,
    pub(super) pin: KeyHandle,
    pub(super) mac_to_switch: KeyHandle,
    pub(super) mac_from_switch: KeyHandle,
}

#[derive(Clone, Debug, Default)]
struct AcquirerKeys {
    zmk: Option<KeyHandle>,
    zones: [Option<Zone>; 3],
}

/// All handles.
#[derive(Debug)]
pub(super) struct KeyRing {
    token: KeyHandle,
    cvk: KeyHandle,
    pvks: Vec<(u8, KeyHandle)>,
    masters: Vec<Masters>,
    terminals: Vec<TerminalKeys>,
    acquirers: Vec<AcquirerKeys>,
}

impl KeyRing {
    pub(super) fn new(hsm: &mut Hsm, books: &Books) -> Result<Self, KeysError> {
        let mut load = |wanted: KeyRole| -> Result<Vec<(u8, KeyHandle)>, KeysError> {
            books
                .issuer_keys()
                .iter()
                .filter(|key| key.role == wanted)
                .map(|key| {
                    Ok((key.index, load(hsm, &key.block).map_err(|error| KeysError::Refused(wanted, error))?))
                })
                .collect()
        };
        let last = |keys: Vec<(u8, KeyHandle)>, role| {
            keys.last().map(|(_, handle)| *handle).ok_or(KeysError::Missing(role))
        };
        let token = last(load(KeyRole::Token)?, KeyRole::Token)?;
        let cvk = last(load(KeyRole::CardVerification)?, KeyRole::CardVerification)?;
        let pvks = load(KeyRole::PinVerification)?;
        let masters = books
            .psam_masters()
            .iter()
            .map(|masters| {
                load_masters(hsm, masters).map_err(|error| KeysError::Masters(masters.version, error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { token, cvk, pvks, masters, terminals: Vec::new(), acquirers: Vec::new() })
    }

    pub(super) fn masters(&self, version: u8) -> Option<Masters> {
        self.masters.iter().find(|masters| masters.version == version).copied()
    }

    pub(super) fn token(&self) -> KeyHandle {
        self.token
    }

    pub(super) fn cvk(&self) -> KeyHandle {
        self.cvk
    }

    pub(super) fn pvk(&self, index: u8) -> Option<KeyHandle> {
        self.pvks.iter().find(|(of, _)| *of == index).map(|(_, handle)| *handle)
    }

    pub(super) fn tmk(
        &mut self,
        hsm: &mut Hsm,
        id: TerminalId,
        terminal: &Terminal,
    ) -> Result<KeyHandle, HsmError> {
        let keys = self.of(id);
        if let Some(handle) = keys.tmk {
            return Ok(handle);
        }
        let handle = load(hsm, &terminal.tmk)?;
        keys.tmk = Some(handle);
        Ok(handle)
    }

    pub(super) fn working(
        &mut self,
        hsm: &mut Hsm,
        id: TerminalId,
        terminal: &Terminal,
        wanted: &WorkingKeys,
    ) -> Result<Working, HsmError> {
        let keys = self.of(id);
        if let Some(found) = keys.working.iter().flatten().find(|keys| keys.version == wanted.version) {
            return Ok(*found);
        }
        let pin = load(hsm, &wanted.pin)?;
        let mac = load(hsm, &wanted.mac).inspect_err(|_| hsm.unload_key(pin))?;
        let loaded = Working { version: wanted.version, pin, mac };
        let owned = |version| {
            [&terminal.current, &terminal.pending, &terminal.previous]
                .into_iter()
                .flatten()
                .any(|keys| keys.version == version)
        };
        let place = keys
            .working
            .iter_mut()
            .find(|place| place.is_none_or(|keys| !owned(keys.version)))
            // INVARIANT: three places, at most three pairs owned, and the wanted one of them is in no place.
            .expect("a place that no pair of the terminal takes");
        if let Some(old) = place.replace(loaded) {
            hsm.unload_key(old.pin);
            hsm.unload_key(old.mac);
        }
        Ok(loaded)
    }

    pub(super) fn zmk(
        &mut self,
        hsm: &mut Hsm,
        id: AcquirerId,
        acquirer: &Acquirer,
    ) -> Result<KeyHandle, HsmError> {
        let keys = self.of_acquirer(id);
        if let Some(handle) = keys.zmk {
            return Ok(handle);
        }
        let handle = load(hsm, &acquirer.zmk)?;
        keys.zmk = Some(handle);
        Ok(handle)
    }

    pub(super) fn zone(
        &mut self,
        hsm: &mut Hsm,
        id: AcquirerId,
        acquirer: &Acquirer,
        wanted: &ZoneKeys,
    ) -> Result<Zone, HsmError> {
        let keys = self.of_acquirer(id);
        if let Some(found) = keys.zones.iter().flatten().find(|keys| keys.version == wanted.version) {
            return Ok(*found);
        }
        let texts = &wanted.texts;
        let pin = load(hsm, &texts.pin)?;
        let mac_to_switch = load(hsm, &texts.mac_to_switch).inspect_err(|_| hsm.unload_key(pin))?;
        let mac_from_switch = load(hsm, &texts.mac_from_switch).inspect_err(|_| {
            hsm.unload_key(pin);
            hsm.unload_key(mac_to_switch);
        })?;
        let loaded = Zone { version: wanted.version, pin, mac_to_switch, mac_from_switch };
        let owned = |version| {
            [Some(&acquirer.current), acquirer.pending.as_ref(), acquirer.previous.as_ref()]
                .into_iter()
                .flatten()
                .any(|keys| keys.version == version)
        };
        let place = keys
            .zones
            .iter_mut()
            .find(|place| place.is_none_or(|keys| !owned(keys.version)))
            // INVARIANT: three places, at most three sets owned, and the wanted one of them is in no place.
            .expect("a place that no keys of the acquirer take");
        if let Some(old) = place.replace(loaded) {
            [old.pin, old.mac_to_switch, old.mac_from_switch].into_iter().for_each(|key| hsm.unload_key(key));
        }
        Ok(loaded)
    }

    fn of_acquirer(&mut self, id: AcquirerId) -> &mut AcquirerKeys {
        let at = usize::from(id.0);
        if self.acquirers.len() <= at {
            self.acquirers.resize_with(at + 1, AcquirerKeys::default);
        }
        &mut self.acquirers[at]
    }

    fn of(&mut self, id: TerminalId) -> &mut TerminalKeys {
        let at = id.0 as usize;
        if self.terminals.len() <= at {
            self.terminals.resize_with(at + 1, TerminalKeys::default);
        }
        &mut self.terminals[at]
    }
}

fn load(hsm: &mut Hsm, text: &KeyText) -> Result<KeyHandle, HsmError> {
    hsm.load_key(&KeyBlock::parse(&text.0)?)
}

fn load_masters(hsm: &mut Hsm, masters: &PsamMasters) -> Result<Masters, HsmError> {
    let PsamMasters { version, pin, mac, track, auth } = masters;
    let (pin, mac) = (load(hsm, pin)?, load(hsm, mac)?);
    let (track, auth) = (load(hsm, track)?, load(hsm, auth)?);
    hsm.check_psam_masters([pin, mac, track, auth])?;
    Ok(Masters { version: *version, pin, mac, track, auth })
}

pub(super) fn algorithm(scheme: MacScheme) -> MacAlgorithm {
    match scheme {
        MacScheme::UnionPayEcb => MacAlgorithm::UnionPayEcb,
        MacScheme::X919 => MacAlgorithm::X919,
        MacScheme::Cbc3Des => MacAlgorithm::Cbc3Des,
    }
}
