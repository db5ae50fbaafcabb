//! Answers of `atm`.

use std::ops::Range;

use bytes::BytesMut;
use iso8583::{Builder, EncodeError};

use super::{
    super::{
        Encoded, Forms,
        codes::response_code,
        fields::{AVAILABLE, LEDGER, balance_item, decimal},
    },
    Kept, spec,
};
use crate::{
    books::{
        reason::Reason,
        request::{Answer, Kind, Request},
    },
    clock::{Moment, date_of_day},
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
    forms: &Forms,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<Encoded, EncodeError> {
    let (message, mac_at) = write_message(request, kept, answer, moment, forms, sealed, out)?;
    let mac_covers = mac_at.map_or(0..0, |at| message.start..message.start + at);
    Ok(Encoded { frame: message, mac_covers, mac_in_hex: true })
}

fn write_message(
    request: &Request,
    kept: &Kept,
    answer: &Answer,
    moment: &Moment,
    forms: &Forms,
    sealed: bool,
    out: &mut BytesMut,
) -> Result<(Range<usize>, Option<usize>), EncodeError> {
    let long = kept.management.is_some() || !kept.original.is_empty() || kept.replacement.is_some();
    let (spec, mti) = (spec(forms), kept.mti.answer());
    let mut message =
        if long { Builder::with_secondary(spec, out, mti) } else { Builder::new(spec, out, mti) };
    if let (true, Some(pan)) = (kept.has_pan, request.card.pan()) {
        message.digits(2, pan.expose())?;
    }
    if let Some(code) = kept.processing_code {
        message.number(3, code)?;
    }
    if let Some(amount) = kept.amount {
        message.number(4, amount)?;
    }
    if let Some(time) = kept.transmitted {
        message.number(7, time)?;
    }
    message.number(11, u64::from(request.stan))?;
    message.number(12, moment.hhmmss())?;
    message.number(13, moment.mmdd())?;
    if answer.day > 0 {
        let day = date_of_day(answer.day);
        let mmdd = u64::from(day.month().unsigned_abs()) * 100 + u64::from(day.day().unsigned_abs());
        message.number(15, mmdd)?;
    }
    if let Some(fee) = &kept.acquirer_fee {
        message.text(28, fee)?;
    }
    if let Some(acquirer) = &request.acquirer {
        message.digits(32, acquirer.as_bytes())?;
    }
    write_references(request, kept, answer, moment, &mut message)?;
    message.text(39, response_code(answer.reason))?;
    if request.class != 8 {
        message.text(41, &request.terminal)?;
    }
    if let Some(merchant) = &request.merchant {
        message.text(42, merchant)?;
    }
    if let Some(check_values) = &answer.check_values {
        message.text(48, &check_value_text(check_values))?;
    }
    if let Some(currency) = &kept.currency {
        message.text(49, currency)?;
    }
    if let Some(balance) = answer.balance {
        let mut items = [0; 40];
        items[..20].copy_from_slice(&balance_item(LEDGER, request.currency, balance.together()));
        items[20..].copy_from_slice(&balance_item(AVAILABLE, request.currency, balance.available));
        message.text(54, &items)?;
    }
    if let Some(management) = kept.management {
        message.number(70, management)?;
    }
    if !kept.original.is_empty() {
        message.digits(90, &kept.original)?;
    }
    if let Some(replacement) = &kept.replacement {
        message.text(95, replacement)?;
    }
    let field = if long { 128 } else { 64 };
    let mac_at = if sealed { Some(message.mac_placeholder(field)?) } else { None };
    Ok((message.finish()?, mac_at))
}

/// The acquirer's RRN comes back as it was; the approval code is the switch's.
fn write_references(
    request: &Request,
    kept: &Kept,
    answer: &Answer,
    moment: &Moment,
    message: &mut Builder<'_, '_>,
) -> Result<(), EncodeError> {
    if let Some(rrn) = &kept.rrn {
        message.text(37, rrn)?;
    } else if let (Some(seq), true) = (answer.seq, request.class != 8) {
        message.text(37, &decimal::<12>(moment.rrn(answer.epoch, seq)))?;
    }
    let approved = answer.reason == Reason::Approved && request.class != 8;
    if let (true, Some(seq)) = (approved && request.kind != Kind::Reversal, answer.seq) {
        message.text(38, &decimal::<6>(seq % 1_000_000))?;
    }
    Ok(())
}

/// Three check values of six hexadecimal characters: PIN, MAC to the switch, MAC from the switch.
fn check_value_text(check_values: &[[u8; 3]; 3]) -> [u8; 18] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = [0; 18];
    for (pair, byte) in text.chunks_exact_mut(2).zip(check_values.as_flattened()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0F)];
    }
    text
}
