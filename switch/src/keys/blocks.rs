//! The key blocks of a city before the HSM: whether each is genuine and for what it stands, and how a test city's clear
//! keys become blocks.

use hsm_sim::{Entropy, Hsm, HsmError, KeyBlock, KeyUsage};

use crate::city::{City, HostMac, KeyHeld, KeyPlace, KeyRole, LiveKeys, MasterKey, TerminalRow, TestKeys};

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The HSM refuses it.
    #[error("{name}: the HSM refuses this key")]
    Refused {
        /// Where it stands.
        name: String,
        /// Why.
        #[source]
        source: HsmError,
    },
    /// It is genuine, and for something else.
    #[error("{name}: a key of usage {have} stands where one of usage {need} must")]
    Usage {
        /// Where it stands.
        name: String,
        /// Its own usage.
        have: KeyUsage,
        /// What it must be for.
        need: KeyUsage,
    },
}

/// What is known of a key without knowing it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// What it is for.
    pub role: KeyRole,
    /// Its check value.
    pub check_value: [u8; 3],
}

/// Opens every block of a key file.
///
/// # Errors
/// The first that is not genuine or for something else.
pub fn check(keys: &LiveKeys, hsm: &mut Hsm) -> Result<(), KeyFault> {
    keys.map_keys(&mut |place, held| look(hsm, &in_file(place), place.roles, held.either())).map(drop)
}

/// What is known of a block that stands where a key of one of these roles must.
///
/// # Errors
/// It is not genuine, or for something else.
pub fn look(hsm: &mut Hsm, name: &str, roles: &[KeyRole], block: &KeyBlock) -> Result<Known, KeyFault> {
    let refused = |source| KeyFault::Refused { name: name.to_owned(), source };
    let handle = hsm.load_key(block).map_err(refused)?;
    let looked = hsm.key_usage(handle).and_then(|usage| Ok((usage, hsm.check_value(handle)?)));
    hsm.unload_key(handle);
    let (have, check_value) = looked.map_err(refused)?;
    match roles.iter().find(|role| role.usage() == have) {
        Some(role) => Ok(Known { role: *role, check_value }),
        None => {
            let need = roles.first().map_or(have, |role| role.usage());
            Err(KeyFault::Usage { name: name.to_owned(), have, need })
        }
    }
}

/// The clear keys of a test city in key blocks. The HSM must be under the test LMK.
///
/// # Errors
/// The HSM refuses a key.
pub fn of_test(
    keys: &TestKeys,
    city: &City,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
) -> Result<LiveKeys, KeyFault> {
    keys.map_keys(&mut |place, held| {
        let key = match &held {
            KeyHeld::Double(key) => &key.expose()[..],
            KeyHeld::Long(key) => &key.expose()[..],
        };
        let block = hsm.import_clear_test_key(role(place, city).usage(), key, entropy);
        block.map_err(|source| KeyFault::Refused { name: in_file(place), source })
    })
}

/// A terminal's master key as a block under the HSM's local master key; a clear one only under the test LMK.
///
/// # Errors
/// The HSM refuses it, or it is for something else.
pub fn of_terminal(
    row: &TerminalRow,
    hsm: &mut Hsm,
    entropy: &mut dyn Entropy,
) -> Result<KeyBlock, KeyFault> {
    let name = terminal_name(&row.terminal_id);
    match &row.tmk {
        MasterKey::Clear(key) => hsm
            .import_clear_test_key(KeyRole::Tmk.usage(), key.expose(), entropy)
            .map_err(|source| KeyFault::Refused { name, source }),
        MasterKey::Block(block) => look(hsm, &name, &[KeyRole::Tmk], block).map(|_| block.clone()),
    }
}

/// The one role of a place in this city's key file: an acquirer's record says of which algorithm its MAC keys are.
#[must_use]
pub fn role(place: &KeyPlace, city: &City) -> KeyRole {
    let acquirer = place.acquirer.and_then(|id| city.acquirers.iter().find(|acquirer| acquirer.id == id));
    match (acquirer.map(|acquirer| acquirer.mac), place.roles) {
        (Some(HostMac::X919), [_, _]) => KeyRole::ZoneMacX919,
        (Some(HostMac::Cbc3Des), [_, _]) => KeyRole::ZoneMacCbc3Des,
        // INVARIANT: every place has a role.
        (_, roles) => *roles.first().expect("a place has a role"),
    }
}

/// A key's name in errors.
pub(super) fn in_file(place: &KeyPlace) -> String {
    format!("keys.toml, {}", place.name)
}

pub(super) fn terminal_name(id: &[u8; 8]) -> String {
    format!("terminals.csv, terminal {}", String::from_utf8_lossy(id))
}
