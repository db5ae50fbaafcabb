//! The listeners for `epos` terminals and ATM hosts: `[epos]` and `[atm]`.
//!
//! Nothing here opens a port or dials a host. What stands in the frames and messages is for the dialects to say;
//! these are the choices that both ends of a line have to agree on.

use std::net::SocketAddr;

use arrayvec::ArrayString;

use super::settings::{ConfigError, Count, Settings, count};

/// Most hosts that the switch dials itself.
pub const CONNECT_MAX: usize = 64;

// The rule of `atm.connect` names this number in words.
const _: () = assert!(CONNECT_MAX == 64);

pub(super) const EPOS_CONNECTIONS: Count = count("epos.connections", 4096, 1, 65_536);
// A host speaks for many machines over one connection.
pub(super) const ATM_CONNECTIONS: Count = count("atm.connections", 1024, 1, 65_536);

/// `[epos]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EposListener {
    /// Address and port.
    pub listen: SocketAddr,
    /// Connections open at once.
    pub connections: usize,
    /// The network in front of the listener is private.
    pub private: bool,
    /// Concentrators call here: a dial record may stand before the TPDU.
    pub concentrator: bool,
}

/// `[atm]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AtmListener {
    /// Address and port.
    pub listen: SocketAddr,
    /// Connections open at once.
    pub connections: usize,
    /// The network in front of the listener is private.
    pub private: bool,
    /// Form of the length before a frame, on every link.
    pub length: LengthForm,
    /// Form of a message's bitmap, on every link.
    pub bitmap: BitmapForm,
    /// Our own F32 and F33, 1 to 11 digits.
    pub institution: ArrayString<11>,
    /// Hosts that the switch dials itself, at most [`CONNECT_MAX`].
    pub connect: Vec<SocketAddr>,
}

/// Form of the length before a frame; it counts what follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LengthForm {
    /// Four ASCII digits.
    Ascii,
    /// Two bytes, the higher first.
    Binary,
}

/// Form of a message's bitmap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitmapForm {
    /// Sixteen hex characters; as many again for the second.
    Hex,
    /// Eight bytes; as many again for the second.
    Binary,
}

impl EposListener {
    pub(super) fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: settings.address("epos.listen", "127.0.0.1:18584")?,
            connections: settings.count(EPOS_CONNECTIONS)?,
            private: settings.flag("epos.private", true)?,
            concentrator: settings.flag("epos.concentrator", false)?,
        })
    }
}

impl AtmListener {
    pub(super) fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        const HOSTS: &str =
            "a list of at most 64 addresses with ports above 0, in quotes, such as [\"192.0.2.1:9000\"]";
        let lengths = [("ascii", LengthForm::Ascii), ("binary", LengthForm::Binary)];
        let bitmaps = [("hex", BitmapForm::Hex), ("binary", BitmapForm::Binary)];
        let length = settings.word("atm.length", &lengths, "\"ascii\" or \"binary\"")?;
        let bitmap = settings.word("atm.bitmap", &bitmaps, "\"hex\" or \"binary\"")?;
        Ok(Self {
            listen: settings.address("atm.listen", "127.0.0.1:18585")?,
            connections: settings.count(ATM_CONNECTIONS)?,
            private: settings.flag("atm.private", true)?,
            length: length.unwrap_or(LengthForm::Ascii),
            bitmap: bitmap.unwrap_or(BitmapForm::Hex),
            institution: settings.institution("atm.institution", "31000000")?,
            connect: settings.addresses("atm.connect", CONNECT_MAX, HOSTS)?,
        })
    }
}
