//! What each key of a key file is for, and the way through all of them.
//!
//! Start at [`Keys::map_keys`].

use std::fmt;

use arrayvec::ArrayString;
use hsm_sim::KeyUsage;

use super::keys::{Keys, PsamMaster, ZoneKeys};

/// What a key of a city is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyRole {
    /// Verifies PINs (Visa PVV).
    Pvk,
    /// Verifies card verification values.
    Cvk,
    /// Turns card numbers into tokens.
    Token,
    /// PSAM master of PIN keys.
    PsamPin,
    /// PSAM master of MAC keys.
    PsamMac,
    /// PSAM master of track keys.
    PsamTrack,
    /// PSAM master of authenticators.
    PsamAuth,
    /// Zone master of an acquirer.
    Zmk,
    /// PIN key of an acquirer.
    ZonePin,
    /// MAC key of an acquirer whose MACs are ANSI X9.19's.
    ZoneMacX919,
    /// MAC key of an acquirer whose MACs are CBC MACs in triple DES.
    ZoneMacCbc3Des,
    /// Master key of a terminal.
    Tmk,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 12] = [
        Self::Pvk,
        Self::Cvk,
        Self::Token,
        Self::PsamPin,
        Self::PsamMac,
        Self::PsamTrack,
        Self::PsamAuth,
        Self::Zmk,
        Self::ZonePin,
        Self::ZoneMacX919,
        Self::ZoneMacCbc3Des,
        Self::Tmk,
    ];

    /// Its name in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pvk => "pvk",
            Self::Cvk => "cvk",
            Self::Token => "token",
            Self::PsamPin => "psam-pin",
            Self::PsamMac => "psam-mac",
            Self::PsamTrack => "psam-track",
            Self::PsamAuth => "psam-auth",
            Self::Zmk => "zmk",
            Self::ZonePin => "zone-pin",
            Self::ZoneMacX919 => "zone-mac-x9.19",
            Self::ZoneMacCbc3Des => "zone-mac-cbc-3des",
            Self::Tmk => "tmk",
        }
    }

    /// The usage that its key block must have.
    #[must_use]
    pub fn usage(self) -> KeyUsage {
        match self {
            Self::Pvk => KeyUsage::PinVerification,
            Self::Cvk => KeyUsage::CardVerification,
            Self::Token => KeyUsage::Token,
            Self::PsamPin => KeyUsage::PsamPin,
            Self::PsamMac => KeyUsage::PsamMac,
            Self::PsamTrack => KeyUsage::PsamTrack,
            Self::PsamAuth => KeyUsage::PsamAuth,
            Self::Zmk => KeyUsage::ZoneMaster,
            Self::ZonePin => KeyUsage::PinEncryption,
            Self::ZoneMacX919 => KeyUsage::MacX919,
            Self::ZoneMacCbc3Des => KeyUsage::MacCbc3Des,
            Self::Tmk => KeyUsage::KeyEncryption,
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where in a key file a key stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPlace {
    /// Its name there, such as `zone[0].pin`.
    pub name: String,
    /// What it may be for: a zone's MAC keys are of its acquirer's algorithm, which another file says.
    pub roles: &'static [KeyRole],
    /// The acquirer's F32, for a zone's keys.
    pub acquirer: Option<ArrayString<11>>,
}

impl KeyPlace {
    fn of_city(name: &str, roles: &'static [KeyRole]) -> Self {
        Self { name: name.to_owned(), roles, acquirer: None }
    }
}

/// A key of a file: double-length, or of 32 bytes.
#[derive(Debug)]
pub enum KeyHeld<'a, D, L> {
    /// Double-length DES.
    Double(&'a D),
    /// 32 bytes.
    Long(&'a L),
}

impl<'a, K> KeyHeld<'a, K, K> {
    /// Either, where both are held alike.
    #[must_use]
    pub fn either(self) -> &'a K {
        match self {
            Self::Double(key) | Self::Long(key) => key,
        }
    }
}

/// What [`Keys::map_keys`] asks for each key.
pub type Change<'c, D, L, K, E> = dyn FnMut(&KeyPlace, KeyHeld<'_, D, L>) -> Result<K, E> + 'c;

impl<D, L> Keys<D, L> {
    /// The same keys in another form: `change` is asked for each, in the order of the file.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn map_keys<K, E>(&self, change: &mut Change<'_, D, L, K, E>) -> Result<Keys<K, K>, E> {
        let mut double = |name: &str, roles: &'static [KeyRole], key| {
            change(&KeyPlace::of_city(name, roles), KeyHeld::Double(key))
        };
        let (pvk, cvk) =
            (double("pvk", &[KeyRole::Pvk], &self.pvk)?, double("cvk", &[KeyRole::Cvk], &self.cvk)?);
        let token = change(&KeyPlace::of_city("token", &[KeyRole::Token]), KeyHeld::Long(&self.token))?;
        let mut psam_masters = Vec::with_capacity(self.psam_masters.len());
        for (place, masters) in self.psam_masters.iter().enumerate() {
            let mut key = |name: &str, roles: &'static [KeyRole], key| {
                change(
                    &KeyPlace::of_city(&format!("psam_master[{place}].{name}"), roles),
                    KeyHeld::Double(key),
                )
            };
            psam_masters.push(PsamMaster {
                version: masters.version,
                pin: key("pin", &[KeyRole::PsamPin], &masters.pin)?,
                mac: key("mac", &[KeyRole::PsamMac], &masters.mac)?,
                track: key("track", &[KeyRole::PsamTrack], &masters.track)?,
                auth: key("auth", &[KeyRole::PsamAuth], &masters.auth)?,
            });
        }
        let mut zones = Vec::with_capacity(self.zones.len());
        for (place, zone) in self.zones.iter().enumerate() {
            zones.push(zone_keys(place, zone, change)?);
        }
        let file = self.file.clone();
        Ok(Keys { lmk: self.lmk, pvk, pvki: self.pvki, cvk, token, psam_masters, zones, file })
    }
}

fn zone_keys<D, L, K, E>(
    place: usize,
    zone: &ZoneKeys<D, L>,
    change: &mut Change<'_, D, L, K, E>,
) -> Result<ZoneKeys<K, K>, E> {
    const MAC: &[KeyRole] = &[KeyRole::ZoneMacX919, KeyRole::ZoneMacCbc3Des];
    let mut key = |name: &str, roles: &'static [KeyRole], key| {
        let name = format!("zone[{place}].{name}");
        change(&KeyPlace { name, roles, acquirer: Some(zone.acquirer) }, key)
    };
    Ok(ZoneKeys {
        acquirer: zone.acquirer,
        zmk: key("zmk", &[KeyRole::Zmk], KeyHeld::Long(&zone.zmk))?,
        pin: key("pin", &[KeyRole::ZonePin], KeyHeld::Double(&zone.pin))?,
        mac_to_switch: key("mac_to_switch", MAC, KeyHeld::Double(&zone.mac_to_switch))?,
        mac_from_switch: key("mac_from_switch", MAC, KeyHeld::Double(&zone.mac_from_switch))?,
    })
}
