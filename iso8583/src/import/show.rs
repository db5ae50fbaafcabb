//! What may be shown of a field whose specification does not say it.
//!
//! Everything is hidden but what the standard puts under a number: a value is
//! shown only if its number is on the list below and its fixed length is one
//! that some edition of ISO 8583 gives it. A card number and tracks are masked
//! as such.

use crate::field::{Class, Length, Show};
use crate::spec_file::{ElementDef, ValueEncoding};

/// The way to show the data element with this number.
pub(super) fn of(number: u8, element: &ElementDef) -> Show {
    let digits = element.class == Class::Numeric && element.encoding != Some(ValueEncoding::Binary);
    match (number, element.length) {
        (2, _) if digits => Show::Pan,
        (35 | 36 | 45, _) => Show::Track,
        // The acquirer's, forwarder's and other institutions' numbers: n..11.
        (32 | 33 | 99 | 100, Length::Variable { max, .. }) if max <= 11 => Show::Clear,
        (_, Length::Fixed(length)) if is_harmless(number, length) => Show::Clear,
        _ => Show::Secret,
    }
}

/// Sets how an element is shown; the parts of one that is shown are shown too,
/// and those of any other are hidden.
pub(super) fn set(element: &mut ElementDef, shown: Show) {
    element.show = Some(shown);
    let below = if shown == Show::Clear { Show::Clear } else { Show::Secret };
    for part in element.composite.iter_mut().flat_map(|composite| &mut composite.parts) {
        set(&mut part.element, below);
    }
}

/// Whether some edition gives the number to something that is no secret, in
/// this length: digits or characters, the sign of an amount counted.
fn is_harmless(number: u8, length: u16) -> bool {
    let lengths: &[u16] = match number {
        3 | 38 => &[6],
        4..=6 => &[12, 16],
        7 | 74..=81 => &[10],
        8 => &[8, 12],
        9 | 10 => &[8],
        11 => &[6, 12],
        12 => &[6, 12, 14],
        13 | 73 => &[4, 6, 8],
        15 => &[4, 6, 8],
        16..=18 | 71 | 72 => &[4],
        19..=21 | 23 | 24 | 49..=51 | 68..=70 => &[3],
        22 => &[3, 12],
        25 | 26 => &[2, 4],
        27 | 66 | 91 => &[1],
        28..=31 => &[9],
        37 | 82..=85 => &[12],
        39 => &[2, 3, 4],
        41 => &[8, 16],
        42 => &[15],
        67 => &[2],
        86..=89 => &[16],
        90 | 95 => &[42],
        94 => &[7],
        97 => &[17],
        _ => &[],
    };
    lengths.contains(&length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Prefix;

    #[test]
    fn only_what_the_standard_makes_harmless_is_shown() {
        let variable = |max| Length::Variable { prefix: Prefix::Ll, max };
        for (number, class, length, want) in [
            (2, Class::Numeric, variable(19), Show::Pan),
            (2, Class::Text, variable(19), Show::Secret),
            (3, Class::Numeric, Length::Fixed(6), Show::Clear),
            (3, Class::Text, Length::Fixed(20), Show::Secret),
            (14, Class::Numeric, Length::Fixed(4), Show::Secret),
            (32, Class::Numeric, variable(11), Show::Clear),
            (32, Class::Text, variable(99), Show::Secret),
            (34, Class::Text, variable(28), Show::Secret),
            (35, Class::Track, variable(37), Show::Track),
            (36, Class::Text, variable(104), Show::Track),
            (45, Class::Text, variable(76), Show::Track),
            (48, Class::Text, variable(999), Show::Secret),
            (52, Class::Binary, Length::Fixed(8), Show::Secret),
            (53, Class::Numeric, Length::Fixed(16), Show::Secret),
            (55, Class::Tlv, variable(255), Show::Secret),
            (64, Class::Binary, Length::Fixed(8), Show::Secret),
            (125, Class::Binary, Length::Fixed(8), Show::Secret),
            (128, Class::Binary, Length::Fixed(8), Show::Secret),
            (192, Class::Binary, Length::Fixed(8), Show::Secret),
        ] {
            assert_eq!(
                of(number, &ElementDef::new("x", class, length)),
                want,
                "{number} {class:?} {length:?}"
            );
        }
    }
}
