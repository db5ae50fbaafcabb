//! Field 57 and the dial record: what a telephone POS says of its PSAM and of its line.
//!
//! Field 57 is a row of objects: tag (1 byte), length (1 byte), value. `docs/dialect-epos.md` lists the tags.

use arrayvec::{ArrayString, ArrayVec};
use hsm_sim::PsamNumber;
use iso8583::Message;

use super::super::FormatFault;
use crate::books::request::{ENCRYPTED_TRACK_MAX, Phone, PsamInput};

/// Bytes of a dial record: `LRI`, two bytes of length, calling and called number (8 bytes BCD each), 12 bytes that
/// the concentrator keeps for itself.
pub const DIAL_RECORD: usize = 5 + DIAL_CONTENT;
const DIAL_CONTENT: usize = 28;
const DIAL_MARK: &[u8; 5] = b"LRI\x00\x1C";

/// The version of the scheme that the switch speaks.
const SCHEME: u8 = 1;

/// What field 57 says.
#[derive(Debug, Default)]
pub(super) struct Tags {
    pub(super) psam: Option<PsamInput>,
    pub(super) new_pin_block: Option<[u8; 8]>,
}

/// Reads field 57, if it is there.
pub(super) fn read(message: &Message<'_>) -> Result<Tags, FormatFault> {
    let mut tags = Tags::default();
    let Some(objects) = message.simple_tlvs(57) else { return Ok(tags) };
    let mut number = None;
    let mut input = Said::default();
    let mut seen = 0_u32;
    for object in objects {
        let object = object.map_err(FormatFault::from)?;
        let value = object.value;
        let Ok(tag) = u8::try_from(object.tag) else { continue };
        let fault = |rule| FormatFault::Tag { tag, rule };
        let bit = 1_u32.checked_shl(u32::from(tag)).unwrap_or(0);
        if seen & bit != 0 {
            return Err(fault("must not come twice"));
        }
        seen |= bit;
        let eight = || value.try_into().map_err(|_| fault("must have eight bytes"));
        match tag {
            0x00 if value != [SCHEME] => return Err(fault("must be scheme version 1")),
            0x01 => {
                let psam = PsamNumber::parse_bcd(&eight()?);
                number = Some(psam.map_err(|_| fault("must be a PSAM number"))?);
            }
            0x02 => input.random = Some(eight()?),
            0x03 => input.key_version = Some(*value.first().ok_or(fault("must have one byte"))?),
            0x04 => input.calling = Some(phone(value).ok_or(fault("must be up to fifteen digits"))?),
            0x06 => {
                if !matches!(value.len(), 8 | 16 | 24) {
                    return Err(fault("must have 8, 16 or 24 bytes"));
                }
                input.track = value.iter().copied().collect();
            }
            0x07 => input.nonce = Some(eight()?),
            0x08 => input.authenticator = Some(eight()?),
            0x13 => tags.new_pin_block = Some(eight()?),
            // Known to the scheme and of no use here, or of a later version: passed over.
            _ => {}
        }
    }
    let Said { key_version, random, nonce, authenticator, calling, track } = input;
    tags.psam =
        number.map(|number| PsamInput { number, key_version, random, nonce, authenticator, calling, track });
    Ok(tags)
}

/// What is said of the PSAM, as far as it has been read.
#[derive(Default)]
struct Said {
    key_version: Option<u8>,
    random: Option<[u8; 8]>,
    nonce: Option<[u8; 8]>,
    authenticator: Option<[u8; 8]>,
    calling: Option<Phone>,
    track: ArrayVec<u8, ENCRYPTED_TRACK_MAX>,
}

/// A telephone number in BCD; filling nibbles (F) may follow it.
fn phone(bcd: &[u8]) -> Option<Phone> {
    let mut digits = Phone::new();
    let mut ended = false;
    for nibble in bcd.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]) {
        match nibble {
            0xF => ended = true,
            0..=9 if !ended => digits.try_push(char::from(b'0' + nibble)).ok()?,
            _ => return None,
        }
    }
    Some(digits)
}

/// The number a terminal calls from, if a dial record stands before the frame; an error if it is damaged.
pub(super) fn dial_record(frame: &[u8]) -> Result<Option<ArrayString<16>>, ()> {
    if frame.first_chunk() != Some(DIAL_MARK) {
        return Ok(None);
    }
    let calling = frame.get(DIAL_MARK.len()..DIAL_MARK.len() + 8).ok_or(())?;
    phone(calling).map(Some).ok_or(())
}

/// Field 57 of the answer that carries a nonce.
pub(super) fn challenge(psam: &PsamInput, nonce: &[u8; 8]) -> ArrayVec<u8, 23> {
    let mut field = ArrayVec::new();
    field.extend([0x00, 1, SCHEME, 0x01, 8]);
    field.extend(*psam.number.as_bcd());
    field.extend([0x07, 8]);
    field.extend(*nonce);
    field
}
