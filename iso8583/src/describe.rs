//! Messages for people: every value masked by what the table says of it.
//!
//! This is the only place that prints values. What the table does not mark as
//! harmless prints as its length, and so does every value of a message that
//! did not decode to its end: its fields may be shifted against the table.

use std::fmt;

use crate::element::{Element, Octets};
use crate::field::{Field, Show};
use crate::message::Message;

impl Message<'_> {
    /// The message in lines: the MTI, then number, name and masked value of
    /// each field. No secret is in it, so it may be logged.
    pub fn describe(&self) -> impl fmt::Display + '_ {
        Description(self)
    }
}

/// One line, with the same masking as [`Message::describe`].
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} {}", self.spec().name(), self.mti())?;
        for element in self.elements() {
            write!(f, ", {}: {element}", element.path())?;
        }
        f.write_str(")")
    }
}

struct Description<'m, 'a>(&'m Message<'a>);

impl fmt::Display for Description<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description(message) = *self;
        write!(f, "MTI {}", message.mti())?;
        message.elements().try_for_each(|element| lines(&element, f))
    }
}

/// The line of a value, and those of its parts if the table names any.
fn lines(element: &Element<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = element.row().map_or("(not in the field table)", Field::name);
    write!(f, "\n{} {name}: {element}", element.path())?;
    match element.parts().filter(|_| named_parts(element)) {
        Some(mut parts) => parts.try_for_each(|part| lines(&part, f)),
        None => Ok(()),
    }
}

/// Whether the table says of the parts what may be shown of each. Then the
/// value itself is not shown: it would show them all.
fn named_parts(element: &Element<'_>) -> bool {
    element.sure && element.row().is_some_and(Field::is_composite)
}

/// The value as far as it may be shown.
impl fmt::Display for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if named_parts(self) {
            return match self.parts().map_or(0, Iterator::count) {
                1 => f.write_str("1 part"),
                count => write!(f, "{count} parts"),
            };
        }
        match (self.is_shown(), self.masked_pan()) {
            (true, _) => clear(self, f),
            (false, Some(pan)) => f.write_str(&pan),
            (false, None) => write!(f, "…({} bytes)", self.raw().len()),
        }
    }
}

impl Element<'_> {
    /// Whether all of it may be shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.sure && self.row().map(Field::show) == Some(Show::Clear)
    }

    /// The first six digits of a card number and the last four (PCI DSS
    /// 3.4.1). A shorter number than any card's would be given away by them.
    pub(crate) fn masked_pan(&self) -> Option<String> {
        let is_pan = self.sure && self.row().map(Field::show) == Some(Show::Pan);
        let digits = self.digits().filter(|digits| is_pan && digits.len() >= PAN_SHOWN_FROM_DIGITS)?;
        let hidden = 6..digits.len() - 4;
        let character = |(index, digit)| match digit {
            _ if hidden.contains(&index) => '*',
            0..=9 => char::from(b'0' + digit),
            _ => '=',
        };
        Some(digits.iter().enumerate().map(character).collect())
    }
}

fn clear(element: &Element<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(digits) = element.digits() {
        return digits.iter().try_for_each(|digit| write_digit(f, digit));
    }
    if let Some((debit, digits)) = element.signed_digits() {
        f.write_str(if debit { "D" } else { "C" })?;
        return digits.iter().try_for_each(|digit| write_digit(f, digit));
    }
    if let Some(text) = element.text() {
        // Escaped, so that a terminal cannot write lines of its own into a log.
        f.write_str("\"")?;
        text.iter().try_for_each(|character| write!(f, "{}", character.escape_ascii()))?;
        return f.write_str("\"");
    }
    if let Some(number) = element.number() {
        return write!(f, "{number}");
    }
    let octets = element.octets();
    octets.iter().flat_map(Octets::iter).try_for_each(|octet| write!(f, "{octet:02X}"))
}

/// With one digit less, the hidden two and the Luhn digit among the shown
/// would leave ten candidates.
pub(crate) const PAN_SHOWN_FROM_DIGITS: usize = 13;

fn write_digit(f: &mut fmt::Formatter<'_>, digit: u8) -> fmt::Result {
    if digit > 9 { f.write_str("=") } else { write!(f, "{digit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    /// Fields 2, 3, 35, 39, 41, 52 and 60.
    const WIRE: &[u8] = b"\x02\x10\x60\x00\x00\x00\x22\x80\x10\x10\
        \x16\x62\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x06\x62\x0D\x30\
        00T\n\x80 0001\x01\x23\x45\x67\x89\xAB\xCD\xEF\x00\x05\x22\x00\x00";

    #[test]
    fn each_field_shows_what_its_class_allows() {
        let message = Message::decode(Spec::pos(), WIRE).expect("valid");
        assert_eq!(
            message.describe().to_string(),
            "MTI 0210\n\
             DE 2 primary account number: 620000******0005\n\
             DE 3 processing code: 000000\n\
             DE 35 track 2: …(3 bytes)\n\
             DE 39 response code: \"00\"\n\
             DE 41 terminal: \"T\\n\\x80 0001\"\n\
             DE 52 PIN block: …(8 bytes)\n\
             DE 60 message type and batch: 22000"
        );
        assert_eq!(
            format!("{message:?}"),
            "Message(pos 0210, DE 2: 620000******0005, DE 3: 000000, DE 35: …(3 bytes), DE 39: \"00\", \
             DE 41: \"T\\n\\x80 0001\", DE 52: …(8 bytes), DE 60: 22000)"
        );
    }

    #[test]
    fn a_message_in_pieces_shows_lengths_only() {
        let (message, error) = Message::decode_partial(Spec::pos(), &WIRE[..30]);
        assert!(error.is_some());
        let wanted = "MTI 0210\nDE 2 primary account number: …(8 bytes)\nDE 3 processing code: …(3 bytes)\n\
                      DE 35 track 2: …(3 bytes)\nDE 39 response code: …(2 bytes)";
        assert_eq!(message.describe().to_string(), wanted);
    }

    #[test]
    fn a_number_too_short_for_a_card_is_hidden_whole() {
        for (value, want) in [
            (&b"\x00"[..], "…(0 bytes)"),
            (b"\x12\x12\x34\x12\x99\x12\x34", "…(6 bytes)"),
            (b"\x13\x12\x34\x12\x99\x91\x23\x40", "123412***1234"),
            (b"\x19\x12\x34\x12\x99\x99\x99\x99\x91\x23\x40", "123412*********1234"),
        ] {
            let bytes = [&b"\x02\x00\x40\x00\x00\x00\x00\x00\x00\x00"[..], value].concat();
            let message = Message::decode(Spec::pos(), &bytes).expect("valid");
            assert_eq!(
                message.describe().to_string(),
                format!("MTI 0200\nDE 2 primary account number: {want}")
            );
        }
    }
}
