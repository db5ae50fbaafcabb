//! Turning a message away: an answer for which nothing of the request is worked out, only copied.

use bytes::BytesMut;
use iso8583::{Builder, EncodeError, Message};

use super::spec;
use crate::{
    books::reason::Reason,
    clock::Moment,
    dialect::{Forms, codes::response_code},
};

/// Message class of what is about the link and not about a terminal.
const MANAGEMENT: u8 = 8;

/// Answers a message behind what is in `out`, if it says whom to answer about what; else writes nothing.
pub fn turn_away(frame: &[u8], moment: &Moment, forms: &Forms, out: &mut BytesMut) -> bool {
    let (message, _) = Message::decode_partial(spec(forms), frame);
    let mti = message.mti();
    let is_addressed = message.has(11) && (mti.class() == MANAGEMENT || message.has(41));
    mti.raw() != 0 && !mti.is_answer() && is_addressed && write(&message, moment, out).is_ok()
}

fn write(request: &Message<'_>, moment: &Moment, out: &mut BytesMut) -> Result<(), EncodeError> {
    let (spec, mti) = (request.spec(), request.mti().answer());
    let long = [70, 90, 95].into_iter().any(|field| request.has(field));
    let mut answer =
        if long { Builder::with_secondary(spec, out, mti) } else { Builder::new(spec, out, mti) };
    answer.copy(2, request)?.copy(3, request)?.copy(4, request)?.copy(7, request)?.copy(11, request)?;
    answer.number(12, moment.hhmmss())?.number(13, moment.mmdd())?;
    answer.copy(28, request)?.copy(32, request)?.copy(37, request)?;
    answer.text(39, response_code(Reason::Overloaded))?;
    if request.mti().class() != MANAGEMENT {
        answer.copy(41, request)?;
    }
    answer.copy(42, request)?.copy(49, request)?.copy(70, request)?.copy(90, request)?.copy(95, request)?;
    answer.finish()?;
    Ok(())
}
