//! Answers of `pos` and `epos`.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use iso8583::{Builder, EncodeError, Spec};

use super::{
    super::{
        Encoded,
        codes::response_code,
        fields::{AVAILABLE, balance_item, decimal},
    },
    Kept, TPDU, psam,
};
use crate::{
    books::{
        event::KeysForTerminal,
        reason::Reason,
        request::{Answer, Kind, Request},
    },
    clock::Moment,
};

/// Writes an answer behind what is in `out`. With `sealed` it has room for a MAC, which is still to be made.
///
/// # Errors
/// A field does not fit its table, which is a fault of the switch.
pub fn encode(
    request: &Request,
    kept: &Kept,
    answer: &Answer,
    moment: &Moment,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<Encoded, EncodeError> {
    let start = out.len();
    write_headers(kept, answer, out);
    let (message, mac_at) = write_message(request, kept, answer, moment, sealed, out)?;
    let mac_covers = mac_at.map_or(0..0, |at| message.start..message.start + at);
    Ok(Encoded { frame: start..message.end, mac_covers, mac_in_hex: false })
}

/// A TPDU with destination and origin swapped.
pub(super) fn swapped(tpdu: &[u8]) -> [u8; TPDU] {
    [0, 3, 4, 1, 2].map(|at| tpdu[at])
}

/// TPDU the other way round, application header.
fn write_headers(kept: &Kept, answer: &Answer, out: &mut BytesMut) {
    out.put_slice(&swapped(&kept.tpdu));
    let mut header = kept.header;
    // The sixth digit is the processing request: 3 asks the terminal to sign in again.
    header[2] = (header[2] & 0xF0) | if answer.reason == Reason::SignInAgain { 3 } else { 0 };
    out.put_slice(&header);
}

fn write_message(
    request: &Request,
    kept: &Kept,
    answer: &Answer,
    moment: &Moment,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<(Range<usize>, Option<usize>), EncodeError> {
    let mut message = Builder::new(Spec::pos(), out, kept.mti.answer());
    if let (true, Some(pan)) = (kept.has_pan, request.card.pan()) {
        message.digits(2, pan.expose())?;
    }
    if let Some(code) = kept.processing_code {
        message.number(3, u64::from(code))?;
    }
    // What was approved; a part is never below zero.
    if let Some(amount) = answer.partial.map(i64::unsigned_abs).or(kept.amount) {
        message.number(4, amount)?;
    }
    message.number(11, u64::from(request.stan))?;
    message.number(12, moment.hhmmss())?;
    message.number(13, moment.mmdd())?;
    if let Some(code) = kept.condition_code {
        message.number(25, u64::from(code))?;
    }
    if let Some(seq) = answer.seq {
        message.text(37, &decimal::<12>(moment.rrn(answer.epoch, seq)))?;
        if answer.reason.is_approval() && request.class != 8 && request.kind != Kind::Reversal {
            message.text(38, &decimal::<6>(seq % 1_000_000))?;
        }
    }
    message.text(39, response_code(answer.reason))?;
    message.text(41, &request.terminal)?;
    if let Some(merchant) = &request.merchant {
        message.text(42, merchant)?;
    }
    if let Some(currency) = &kept.currency {
        message.text(49, currency)?;
    }
    if let Some(balance) = answer.balance {
        message.text(54, &balance_item(AVAILABLE, request.currency, balance.available))?;
    }
    if let (Some(nonce), Some(psam)) = (&answer.nonce, &request.psam) {
        message.bytes(57, &psam::challenge(psam, nonce))?;
    }
    if !kept.private_60.is_empty() {
        message.digits(60, &kept.private_60)?;
    }
    if let Some(keys) = &answer.keys {
        message.bytes(62, &working_keys(keys))?;
    }
    let mac_at = if sealed { Some(message.mac_placeholder(64)?) } else { None };
    Ok((message.finish()?, mac_at))
}

/// Field 62 of a sign-in's answer: PIN key, its check value, MAC key, its check value.
fn working_keys(keys: &KeysForTerminal) -> [u8; 40] {
    let mut field = [0; 40];
    field[..16].copy_from_slice(&keys.pin);
    field[16..20].copy_from_slice(&keys.pin_check);
    field[20..36].copy_from_slice(&keys.mac);
    field[36..].copy_from_slice(&keys.mac_check);
    field
}
