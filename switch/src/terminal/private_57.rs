//! Field 57: objects of a tag byte, a length byte and a value, written here and named for people.
//!
//! What a terminal with a PSAM puts there is decided in `epos`. Start at [`Tags`].

use std::fmt::{self, Write};

use iso8583::Message;

pub(super) const SCHEME: u8 = 0x00;
pub(super) const PSAM: u8 = 0x01;
pub(super) const RANDOM: u8 = 0x02;
pub(super) const KEY_VERSION: u8 = 0x03;
pub(super) const CALLING: u8 = 0x04;
pub(super) const TRACK: u8 = 0x06;
pub(super) const NONCE: u8 = 0x07;
pub(super) const AUTHENTICATOR: u8 = 0x08;
pub(super) const NEW_PIN_BLOCK: u8 = 0x13;

/// The tags of PSAM scheme version 1, and those of the requests that need more than a card.
const NAMES: [(u8, &str); 13] = [
    (SCHEME, "scheme version"),
    (PSAM, "PSAM number"),
    (RANDOM, "random number"),
    (KEY_VERSION, "key version"),
    (CALLING, "calling number"),
    (0x05, "terminal serial number"),
    (TRACK, "encrypted track 2"),
    (NONCE, "nonce"),
    (AUTHENTICATOR, "authenticator"),
    (0x10, "target card"),
    (0x11, "biller"),
    (0x12, "account at the biller"),
    (NEW_PIN_BLOCK, "new PIN block"),
];

/// Field 57 as it grows. `Debug` shows its length only.
#[derive(Clone, Default)]
pub struct Tags(Vec<u8>);

impl Tags {
    /// Adds an object. All values here have under 256 bytes; more would be cut off.
    pub(super) fn put(&mut self, tag: u8, value: &[u8]) -> &mut Self {
        let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
        self.0.extend([tag, length]);
        self.0.extend(value.iter().take(length.into()));
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tags({} bytes)", self.0.len())
    }
}

/// An object of eight bytes in a message's field 57.
pub(super) fn eight(message: &Message<'_>, tag: u8) -> Option<[u8; 8]> {
    let mut objects = message.simple_tlvs(57)?.filter_map(Result::ok);
    objects.find(|object| object.tag == u32::from(tag))?.value.try_into().ok()
}

/// The objects of field 57, a line each: tag, name, and as much of the value as may be seen.
pub(super) fn describe(message: &Message<'_>) -> String {
    let mut lines = String::new();
    for object in message.simple_tlvs(57).into_iter().flatten() {
        // Writing to memory does not fail.
        let _ = match object {
            Ok(object) => {
                let name = NAMES.iter().find(|(tag, _)| u32::from(*tag) == object.tag);
                let name = name.map_or("unknown", |(_, name)| name);
                write!(lines, "\n  {:02X} {name}: {}", object.tag, Shown(object.tag, object.value))
            }
            Err(error) => write!(lines, "\n  {error}"),
        };
    }
    lines
}

/// Versions and the PSAM's number in full, the end of a telephone number, of all else the length.
struct Shown<'a>(u32, &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHOLE: [u8; 3] = [SCHEME, PSAM, KEY_VERSION];
        let Self(tag, value) = self;
        let is = |one: u8| *tag == u32::from(one);
        if WHOLE.into_iter().any(is) {
            return value.iter().try_for_each(|byte| write!(f, "{byte:02X}"));
        }
        if !is(CALLING) {
            return write!(f, "…({} bytes)", value.len());
        }
        let digits: Vec<u8> =
            value.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter(|digit| *digit < 10).collect();
        f.write_str("…")?;
        digits.iter().skip(digits.len().saturating_sub(2)).try_for_each(|digit| write!(f, "{digit}"))
    }
}
