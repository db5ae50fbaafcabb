//! Cards as messages carry them: a number, track 2, track 3.

use hsm_sim::Pan;

use super::fields::number_at;
use crate::books::request::{CardInput, Stripe, TrackValue};

/// What a message gives of a card, in ASCII digits; tracks with `=` as separator.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// Field 2.
    pub number: Option<&'a [u8]>,
    /// Field 14, `YYMM`.
    pub expiry: Option<u16>,
    /// Field 35, or a track that was decrypted.
    pub track_2: Option<&'a [u8]>,
    /// Field 36.
    pub track_3: Option<&'a [u8]>,
}

impl std::fmt::Debug for Given<'_> {
    /// Says what was given, not what it says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let given = [self.number.is_some(), self.track_2.is_some(), self.track_3.is_some()];
        f.debug_tuple("Given").field(&given).finish()
    }
}

/// The card that everything given agrees on.
#[must_use]
pub fn read(given: &Given<'_>) -> CardInput {
    let of_track_3 = given.track_3.map(track_3_number);
    let number = match (given.number, of_track_3) {
        (_, Some(None)) => return CardInput::NotACard,
        (Some(typed), Some(Some(read))) if typed != read => return CardInput::Disagree,
        (typed, read) => read.flatten().or(typed),
    };
    match (given.track_2, number) {
        (Some(track), number) => read_track_2(track, number, given.expiry),
        (None, Some(number)) => card(number, given.expiry, TrackValue::NotRead),
        (None, None) => CardInput::None,
    }
}

/// ISO/IEC 7813 track 2: number, separator, `YYMM`, service code (3), verification value (3), issuer's discretion.
fn read_track_2(track: &[u8], number: Option<&[u8]>, given_expiry: Option<u16>) -> CardInput {
    let Some(separator) = track.iter().position(|digit| *digit == b'=') else { return CardInput::NotACard };
    let (pan, rest) = (&track[..separator], &track[separator + 1..]);
    if number.is_some_and(|number| number != pan) {
        return CardInput::Disagree;
    }
    let expiry = number_at(rest, 0..4).and_then(|expiry| u16::try_from(expiry).ok());
    if given_expiry.is_some() && given_expiry != expiry {
        return CardInput::Disagree;
    }
    let value = match (rest.first_chunk(), rest.get(4..7), rest.get(7..10)) {
        (Some(expiry), Some(service_code), Some(cvv)) => TrackValue::Read(Stripe {
            expiry: *expiry,
            service_code: [service_code[0], service_code[1], service_code[2]],
            cvv: [cvv[0], cvv[1], cvv[2]],
        }),
        _ => TrackValue::Missing,
    };
    card(pan, expiry, value)
}

/// ISO/IEC 4909 track 3: format code (2), number, separator, and what banks keep there. It has no verification
/// value, so nothing but a PIN stands behind it.
fn track_3_number(track: &[u8]) -> Option<&[u8]> {
    let separator = track.iter().position(|digit| *digit == b'=')?;
    track.get(2..separator)
}

fn card(pan: &[u8], expiry_yymm: Option<u16>, value: TrackValue) -> CardInput {
    match Pan::parse(pan) {
        Ok(pan) => CardInput::Read { pan, expiry_yymm, value },
        Err(_) => CardInput::NotACard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAN: &[u8] = b"9156009224100010";

    fn named(given: &Given<'_>) -> &'static str {
        match read(given) {
            CardInput::None => "none",
            CardInput::NotACard => "not a card",
            CardInput::Disagree => "disagree",
            CardInput::Read { value: TrackValue::NotRead, .. } => "number",
            CardInput::Read { value: TrackValue::Missing, .. } => "short track",
            CardInput::Read { value: TrackValue::Read(_), .. } => "track",
        }
    }

    #[test]
    fn everything_given_must_name_one_card() {
        let track_2: &[u8] = b"9156009224100010=340252041400000";
        let track_3: &[u8] = b"019156009224100010=156156000000000000000000000";
        let rows = [
            ("none", Given::default()),
            ("number", Given { number: Some(PAN), ..Given::default() }),
            ("not a card", Given { number: Some(b"9156009224100011"), ..Given::default() }),
            ("track", Given { track_2: Some(track_2), ..Given::default() }),
            ("track", Given { number: Some(PAN), expiry: Some(3402), track_2: Some(track_2), track_3: None }),
            ("disagree", Given { expiry: Some(3403), track_2: Some(track_2), ..Given::default() }),
            ("disagree", Given { number: Some(b"1"), track_2: Some(track_2), ..Given::default() }),
            ("short track", Given { track_2: Some(b"9156009224100010=3402"), ..Given::default() }),
            ("not a card", Given { track_2: Some(PAN), ..Given::default() }),
            ("number", Given { track_3: Some(track_3), ..Given::default() }),
            ("track", Given { track_2: Some(track_2), track_3: Some(track_3), ..Given::default() }),
            ("disagree", Given { number: Some(b"1"), track_3: Some(track_3), ..Given::default() }),
            ("not a card", Given { track_3: Some(b"01"), ..Given::default() }),
        ];
        for (want, given) in rows {
            assert_eq!(named(&given), want, "{given:?}");
        }
    }
}
