//! What speaks for a guess, and how much.

use std::fmt;

use super::Guess;
use super::fault::FaultKind;
use crate::digits::Digits;
use crate::header::HeaderForm;
use crate::message::Message;
use crate::mti::Mti;

/// The best score.
pub const SCORE_MAX: u32 = 100;

/// Something that was found while trying a guess.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The length says exactly what follows.
    LengthMatches {
        /// The number it says.
        says: u32,
        /// Bytes behind it.
        follow: usize,
    },
    /// The length says less, but the rest is frames of the same kind.
    SeveralFrames {
        /// The number the first one says.
        says: u32,
        /// How many frames there are.
        frames: usize,
    },
    /// The headers are there.
    Headers {
        /// Where they begin.
        at: usize,
    },
    /// A message decodes behind bytes that are no known header.
    UnknownHeader {
        /// How many bytes.
        bytes: usize,
    },
    /// A message type that is in use.
    Mti(Mti),
    /// No message type that is in use.
    UnlikelyMti,
    /// Everything decodes, up to the last byte.
    EveryField {
        /// How many fields.
        fields: usize,
    },
    /// Everything decodes, but there is no field to tell by.
    NoFields,
    /// Some fields decode.
    SomeFields {
        /// How many.
        fields: usize,
    },
    /// The card number's check digit is right.
    LuhnPasses,
    /// The card number's check digit is wrong.
    LuhnFails,
    /// A date or time that can be.
    PossibleTime {
        /// In which field.
        field: u8,
    },
    /// A date or time that cannot be.
    ImpossibleTime {
        /// In which field.
        field: u8,
    },
}

impl Reason {
    /// Whether it speaks for the guess.
    #[must_use]
    pub const fn is_good(self) -> bool {
        !matches!(
            self,
            Reason::UnknownHeader { .. }
                | Reason::UnlikelyMti
                | Reason::NoFields
                | Reason::LuhnFails
                | Reason::ImpossibleTime { .. }
        )
    }
}

/// The type, if its version and class are in use: 1987, 1993, 2003 or private; authorization to network management
/// (ISO 8583:1987 §4.1).
pub(super) fn likely(mti: Mti) -> Option<Mti> {
    let (version, origin) = (mti.raw() >> 12, mti.raw() & 0x0F);
    let in_use = matches!(version, 0 | 1 | 2 | 9) && matches!(mti.class(), 1..=8);
    (in_use && mti.function() <= 4 && origin <= 5).then_some(mti)
}

/// Looks at a message for what cannot be chance.
pub(super) fn collect(message: &Message<'_>, complete: bool, reasons: &mut Vec<Reason>) {
    let fields = message.fields().count();
    reasons.push(likely(message.mti()).map_or(Reason::UnlikelyMti, Reason::Mti));
    reasons.push(match (complete, fields) {
        (true, 0) => Reason::NoFields,
        (true, _) => Reason::EveryField { fields },
        (false, _) => Reason::SomeFields { fields },
    });
    if let Some(passes) = card_number(message).and_then(luhn) {
        reasons.push(if passes { Reason::LuhnPasses } else { Reason::LuhnFails });
    }
    for field in [7, 12] {
        if let Some(possible) = message.digits(field).and_then(|digits| possible_time(field, digits)) {
            reasons.push(if possible {
                Reason::PossibleTime { field }
            } else {
                Reason::ImpossibleTime { field }
            });
        }
    }
}

/// How well a guess fits. Each part is weighed by how unlikely it is to come about by chance.
pub(super) fn score(guess: &Guess<'_>) -> u32 {
    let Some(_) = guess.spec else { return 0 };
    let length = match (&guess.fault, guess.length) {
        (Some(fault), _) if matches!(fault.kind, FaultKind::LengthDiffers { .. }) => 5,
        (_, None) => 10,
        (_, Some(_)) => 20,
    };
    let known = |form: &HeaderForm| !matches!(form, HeaderForm::Opaque(_));
    let headers = if guess.headers.forms().iter().all(known) { 10 } else { 0 };
    let mut points = length + headers;
    for reason in &guess.reasons {
        let points_of: i32 = match reason {
            Reason::Mti(_) | Reason::LuhnPasses => 10,
            Reason::EveryField { .. } => 40,
            Reason::NoFields => 10,
            Reason::SomeFields { .. } if guess.mti.is_some() => 20 * part_read(guess) / 100,
            Reason::LuhnFails => -10,
            Reason::ImpossibleTime { .. } => -5,
            Reason::PossibleTime { .. } => 5,
            _ => 0,
        };
        points += points_of;
    }
    u32::try_from(points).unwrap_or(0).min(SCORE_MAX)
}

/// How much of the message was understood, in hundredths.
fn part_read(guess: &Guess<'_>) -> i32 {
    let (read, all) = (guess.read_to - guess.message.start, guess.message.len().max(1));
    i32::try_from(read * 100 / all).unwrap_or(100)
}

/// The card number, from field 2 or from track 2.
fn card_number<'a>(message: &Message<'a>) -> Option<Digits<'a>> {
    let track = || {
        let track = message.digits(35)?;
        let end = track.iter().position(|digit| digit > 9)?;
        track.slice(0..end)
    };
    message.digits(2).or_else(track).filter(|number| (12..=19).contains(&number.len()))
}

/// Whether the check digit is right (ISO/IEC 7812-1, annex B); `None` if these are not all digits.
fn luhn(number: Digits<'_>) -> Option<bool> {
    let last = number.len();
    let sum = number.iter().enumerate().try_fold(0_u32, |sum, (index, digit)| {
        let doubled = if (last - index).is_multiple_of(2) { u32::from(digit) * 2 } else { u32::from(digit) };
        (digit <= 9).then_some(sum + doubled / 10 + doubled % 10)
    })?;
    Some(sum.is_multiple_of(10))
}

/// Whether digits can be a date and time; `None` if they are of no form that is known for the field.
fn possible_time(field: u8, digits: Digits<'_>) -> Option<bool> {
    let pair = |index: usize| digits.slice(2 * index..2 * index + 2).and_then(|pair| pair.to_u64());
    // Pairs of digits before the hour: MMDDhhmmss, hhmmss, YYMMDDhhmmss, CCYYMMDDhhmmss.
    let hour = match (field, digits.len()) {
        (7, 10) => 2,
        (12, 6) => 0,
        (12, 12) => 3,
        (12, 14) => 4,
        _ => return None,
    };
    let within =
        |index, least: u64, most: u64| pair(index).is_some_and(|number| (least..=most).contains(&number));
    let date = hour < 2 || (within(hour - 2, 1, 12) && within(hour - 1, 1, 31));
    Some(date && within(hour, 0, 23) && within(hour + 1, 0, 59) && within(hour + 2, 0, 59))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::LengthMatches { says, follow } if usize::try_from(says) == Ok(follow) => {
                write!(f, "length header says {says}, {follow} follow")
            }
            Reason::LengthMatches { says, follow } => {
                write!(f, "length header says {says}, its own bytes among them, and {follow} follow")
            }
            Reason::SeveralFrames { says, frames } => {
                write!(
                    f,
                    "length header says {says}, and the bytes are {frames} such frames; this is the first"
                )
            }
            Reason::Headers { at } => write!(f, "the headers are there, from byte {at} on"),
            Reason::UnknownHeader { bytes } => {
                write!(f, "{bytes} bytes that are no known header stand before the message")
            }
            Reason::Mti(mti) => write!(f, "MTI {mti}, {}", Words(mti)),
            Reason::UnlikelyMti => f.write_str("where the MTI must stand, there is none that is in use"),
            Reason::EveryField { fields } => write!(f, "every field decodes: {fields}, up to the last byte"),
            Reason::NoFields => f.write_str("the bitmap promises no field, so there is little to tell by"),
            Reason::SomeFields { fields } => write!(f, "{fields} fields decode"),
            Reason::LuhnPasses => f.write_str("card number passes Luhn"),
            Reason::LuhnFails => f.write_str("card number fails Luhn"),
            Reason::PossibleTime { field } => write!(f, "DE {field} is a possible time"),
            Reason::ImpossibleTime { field } => write!(f, "DE {field} is no possible time"),
        }
    }
}

/// What a message type means (ISO 8583:1987 §4.1, ISO 8583-1:2003 §5.1).
struct Words(Mti);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.0.class() {
            1 => "authorization",
            2 => "financial",
            3 => "file action",
            4 => "reversal",
            5 => "reconciliation",
            6 => "administrative",
            7 => "fee collection",
            _ => "network management",
        };
        let function = match self.0.function() {
            0 => "request",
            1 => "answer to a request",
            2 => "advice",
            3 => "answer to an advice",
            _ => "notification",
        };
        let repeat = if self.0.raw() & 1 == 1 { ", sent again" } else { "" };
        write!(f, "{class} {function}{repeat}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_digit_is_right_or_wrong() {
        for (digits, want) in [
            (&b"4111111111111111"[..], Some(true)),
            (b"4111111111111112", Some(false)),
            (b"6200000000000005", Some(true)),
            (b"378282246310005", Some(true)),
            (b"41111=1111111111", None),
        ] {
            assert_eq!(luhn(Digits::ascii(digits)), want);
        }
    }

    #[test]
    fn a_time_is_possible_or_not_or_of_no_known_form() {
        for (field, digits, want) in [
            (7, &b"1122093100"[..], Some(true)),
            (7, b"1322093100", Some(false)),
            (7, b"1100093100", Some(false)),
            (7, b"11220931", None),
            (12, b"235959", Some(true)),
            (12, b"240000", Some(false)),
            (12, b"126000", Some(false)),
            (12, b"261122093100", Some(true)),
            (12, b"20261122093161", Some(false)),
            (12, b"0931", None),
        ] {
            assert_eq!(possible_time(field, Digits::ascii(digits)), want, "{field}");
        }
    }

    #[test]
    fn a_message_type_in_use_has_words() {
        for (raw, want) in [
            (0x0200, Some("financial request")),
            (0x0421, Some("reversal advice, sent again")),
            (0x0810, Some("network management answer to a request")),
            (0x1240, Some("financial notification")),
            (0x0000, None),
            (0x0900, None),
            (0x3200, None),
            (0x0290, None),
            (0x0206, None),
        ] {
            let words = likely(Mti::new(raw)).map(|mti| Words(mti).to_string());
            assert_eq!(words.as_deref(), want, "{raw:04X}");
        }
    }
}
