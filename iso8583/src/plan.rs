//! What the quick pass has to know about a field, side by side in a few bytes.
//!
//! A [`Field`] says everything about an element to everyone, and is spread over several lines of the processor's
//! cache. A plan is made of a field by [`Plan::of`] and adds nothing to it. Start at `quick`, which follows plans.

use crate::content;
use crate::field::{Align, Class, Field, Length, Says, Unit};
use crate::spec_file::PrefixEncoding;

/// How to find and check a field quickly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) then: Then,
    /// 1 where two of a length make a byte, else 0.
    pub(crate) halves: u8,
    /// 1 where one of a length makes two bytes, else 0.
    pub(crate) doubles: u8,
    /// Whether the pad of an odd count stands first.
    pub(crate) pads_first: bool,
    /// Whether a good prefix is made of what the value is made of, so that both can be checked as one.
    pub(crate) joined: bool,
    /// The classes of bytes that the value may have, as `content` numbers them.
    pub(crate) allowed: u16,
    /// The length of a fixed value, the longest of another.
    pub(crate) length: u16,
    /// Bytes on the wire of a value of that length.
    pub(crate) bytes: u16,
}

/// How long a field is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Always as long as its plan says.
    Fixed,
    /// As two ASCII digits say.
    Ascii2,
    /// As three ASCII digits say.
    Ascii3,
    /// As a byte of packed digits says.
    Packed1,
    /// As two bytes of packed digits say.
    Packed2,
    /// As its row says, if there is one: there are many other forms, none of them common.
    Row,
}

/// What there is to check besides `allowed`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// What the row says: objects, a sign, parts.
    Row,
}

impl Plan {
    /// A field of which only its row tells anything, or which there is not.
    pub(crate) const ROW: Plan = Plan {
        shape: Shape::Row,
        then: Then::Row,
        halves: 0,
        doubles: 0,
        pads_first: false,
        joined: false,
        allowed: content::ANYTHING,
        length: 0,
        bytes: 0,
    };

    pub(crate) fn of(field: &Field) -> Plan {
        let shape = shape(field);
        let Ok(bytes) = u16::try_from(field.bytes_for(field.max())) else { return Plan::ROW };
        if shape == Shape::Row || field.unit == Unit::SignAndNibbles {
            return Plan::ROW;
        }
        let then = match field.class {
            Class::Tlv | Class::Signed => Then::Row,
            _ if field.parts_to_check().is_some() => Then::Row,
            _ => Then::Nothing,
        };
        let joined = match shape {
            Shape::Ascii2 | Shape::Ascii3 => content::is_made_of(b"0123456789", field.allowed),
            Shape::Packed1 | Shape::Packed2 => field.unit == Unit::Nibble,
            Shape::Fixed | Shape::Row => false,
        };
        Plan {
            shape,
            then,
            halves: u8::from(field.unit == Unit::Nibble),
            doubles: u8::from(field.unit == Unit::Pair),
            pads_first: field.align == Align::Right,
            joined,
            allowed: field.allowed,
            length: field.max(),
            bytes,
        }
    }

    /// Bytes on the wire for a value of this length.
    #[inline]
    pub(crate) fn bytes_for(&self, length: u16) -> usize {
        let halves = usize::from(self.halves);
        ((usize::from(length) << self.doubles) + halves) >> halves
    }
}

fn shape(field: &Field) -> Shape {
    if matches!(field.length, Length::Fixed(_)) {
        return Shape::Fixed;
    }
    let counts_units = !field.counts_bytes && field.says == Says::AsItIs;
    match (counts_units, field.prefix_encoding, field.prefix_bytes) {
        (true, PrefixEncoding::Ascii, 2) => Shape::Ascii2,
        (true, PrefixEncoding::Ascii, 3) => Shape::Ascii3,
        (true, PrefixEncoding::Bcd, 1) => Shape::Packed1,
        (true, PrefixEncoding::Bcd, 2) => Shape::Packed2,
        _ => Shape::Row,
    }
}
