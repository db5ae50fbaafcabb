//! What a message that decodes may still get wrong: fields that its type needs or forbids, dates that there are not,
//! check digits, signs that no one can print.
//!
//! Decoding asks whether the bytes can be read, validation whether they make sense; a switch answers a message that it
//! can read. Which fields a type needs and which values are dates stands in the specification. Start at
//! [`Message::validate`].

use crate::digits::Digits;
use crate::element::Element;
use crate::error::FieldPath;
use crate::field::Class;
use crate::message::Message;
use crate::spec_file::Format;

/// Which questions are asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Fields that a message of the type needs, or may not have.
    pub fields: bool,
    /// Dates, times and check digits.
    pub formats: bool,
    /// Whether text is made of ASCII characters that can be printed.
    pub text: bool,
}

impl Rules {
    /// All of them.
    pub const ALL: Rules = Rules { fields: true, formats: true, text: true };
}

/// A rule that a message breaks, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct Fault {
    /// The field, or the part of one.
    pub path: FieldPath,
    /// The rule.
    pub kind: FaultKind,
}

/// A rule of validation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FaultKind {
    /// A message of this type must have it.
    #[error("missing in a message of this type")]
    Missing,
    /// A message of this type may not have it.
    #[error("not allowed in a message of this type")]
    NotAllowed,
    /// There is no such date or time.
    #[error("no date or time of the form {0}")]
    NoSuchTime(Format),
    /// The last digit is not the Luhn check digit (ISO/IEC 7812-1, annex B).
    #[error("wrong check digit")]
    WrongCheckDigit,
    /// A character of a text cannot be printed.
    #[error("character {0} cannot be printed")]
    NotPrintable(usize),
}

impl Message<'_> {
    /// Everything that is wrong by these rules: first the fields of the type, then the values as they come.
    ///
    /// ```
    /// # use iso8583::{Message, Rules, Spec};
    /// // 0800 with a STAN alone.
    /// let message = Message::decode(Spec::shipped("iso1987-ascii").expect("shipped"), b"08000020000000000000000042")?;
    /// let faults: Vec<String> = message.validate(&Rules::ALL).iter().map(ToString::to_string).collect();
    /// assert_eq!(faults, ["DE 7: missing in a message of this type", "DE 70: missing in a message of this type"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn validate(&self, rules: &Rules) -> Vec<Fault> {
        let mut faults = Vec::new();
        if rules.fields {
            self.check_fields(&mut faults);
        }
        self.elements().for_each(|element| check_value(&element, rules, &mut faults));
        faults
    }

    fn check_fields(&self, faults: &mut Vec<Fault>) {
        let mut fault = |field, kind| faults.push(Fault { path: FieldPath::Field(field), kind });
        for rule in self.spec.messages.iter().filter(|rule| rule.mti.matches(self.mti)) {
            rule.required
                .iter()
                .filter(|&&field| !self.has(field))
                .for_each(|&field| fault(field, FaultKind::Missing));
            if let Some(optional) = &rule.optional {
                let allowed = |field: &u8| rule.required.contains(field) || optional.contains(field);
                self.fields()
                    .filter(|field| !allowed(field))
                    .for_each(|field| fault(field, FaultKind::NotAllowed));
            }
        }
    }
}

fn check_value(element: &Element<'_>, rules: &Rules, faults: &mut Vec<Fault>) {
    if let Some(parts) = element.parts() {
        return parts.for_each(|part| check_value(&part, rules, faults));
    }
    let Some(row) = element.row() else { return };
    let mut fault = |kind| faults.push(Fault { path: element.path().into(), kind });
    if let (true, Some(format), Some(digits)) = (rules.formats, row.format(), element.digits()) {
        match format {
            Format::Luhn if !digits.pass_luhn() => fault(FaultKind::WrongCheckDigit),
            Format::Luhn => {}
            _ if !is_time(format, digits) => fault(FaultKind::NoSuchTime(format)),
            _ => {}
        }
    }
    let Some(text) = element.text().filter(|_| rules.text && row.class() == Class::Text) else { return };
    if let Some(index) = text.iter().position(|character| !matches!(character, b' '..=b'~')) {
        fault(FaultKind::NotPrintable(index));
    }
}

/// Whether there is such a date and time; a day without a year may be 29 February.
fn is_time(format: Format, digits: Digits<'_>) -> bool {
    let pair = |at: usize| digits.slice(at..at + 2).and_then(|pair| pair.to_u64()).unwrap_or(u64::MAX);
    let day = |at, leap| {
        let last = match pair(at) {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u64::from(leap),
            _ => 0,
        };
        (1..=last).contains(&pair(at + 2))
    };
    let time = |at| pair(at) < 24 && pair(at + 2) < 60 && pair(at + 4) < 60;
    // Two digits of a year stand for 1970 to 2069, where every fourth is a leap year.
    let leap = |at| pair(at).is_multiple_of(4);
    match format {
        Format::Luhn => true,
        Format::Mmdd => day(0, true),
        Format::Yymm => (1..=12).contains(&pair(2)),
        Format::Yymmdd => day(2, leap(0)),
        Format::Ccyymmdd => day(4, if pair(2) == 0 { leap(0) } else { leap(2) }),
        Format::Hhmmss => time(0),
        Format::Mmddhhmmss => day(0, true) && time(4),
        Format::Yymmddhhmmss => day(2, leap(0)) && time(6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_or_is_none() {
        for (format, digits, want) in [
            (Format::Mmdd, "0229", true),
            (Format::Mmdd, "0230", false),
            (Format::Mmdd, "1301", false),
            (Format::Mmdd, "0400", false),
            (Format::Mmdd, "0431", false),
            (Format::Yymm, "3012", true),
            (Format::Yymm, "3000", false),
            (Format::Yymmdd, "240229", true),
            (Format::Yymmdd, "230229", false),
            (Format::Ccyymmdd, "20000229", true),
            (Format::Ccyymmdd, "21000229", false),
            (Format::Hhmmss, "235959", true),
            (Format::Hhmmss, "240000", false),
            (Format::Hhmmss, "006000", false),
            (Format::Hhmmss, "000060", false),
            (Format::Mmddhhmmss, "1231235959", true),
            (Format::Mmddhhmmss, "1232000000", false),
            (Format::Yymmddhhmmss, "261122071317", true),
            (Format::Yymmddhhmmss, "261122071377", false),
        ] {
            assert_eq!(is_time(format, Digits::ascii(digits.as_bytes())), want, "{format:?} {digits}");
        }
    }

    #[test]
    fn a_check_digit_is_right_or_wrong() {
        for (digits, want) in [
            ("6200000000000005", true),
            ("6200000000000006", false),
            ("79927398713", true),
            ("0", true),
            ("1", false),
            ("", false),
            ("4=2", false),
        ] {
            assert_eq!(Digits::ascii(digits.as_bytes()).pass_luhn(), want, "{digits}");
        }
    }
}
