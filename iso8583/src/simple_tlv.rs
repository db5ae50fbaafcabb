//! Objects of a tag byte, a length byte and a value, as field 57 of telephone terminals is filled.
//!
//! Unlike [`crate::Tlvs`] this is checked while it is read, since the table
//! knows such a field only as bytes. Tag 00 is a tag like any other. Which tags
//! may be there, and how often, is the caller's business.

use std::fmt;
use std::iter::FusedIterator;

use crate::error::{DecodeError, DecodeErrorKind, FieldPath};
use crate::path::{Path, Step};
use crate::tlv::Tlv;

/// The objects of a field in the order they came; after an error there are no
/// more.
///
/// Errors name the object as [`FieldPath::Part`] and count from the MTI's first
/// byte, as those of decoding do.
#[derive(Clone)]
pub struct SimpleTlvs<'a> {
    field: u8,
    /// Where `rest` stands in the message.
    at: usize,
    rest: &'a [u8],
}

impl<'a> SimpleTlvs<'a> {
    pub(crate) fn new(field: u8, at: usize, value: &'a [u8]) -> SimpleTlvs<'a> {
        SimpleTlvs { field, at, rest: value }
    }

    /// Takes one object off, whose tag stands before `after`.
    fn object(&mut self, tag: u8, after: &'a [u8]) -> Result<Tlv<'a>, DecodeError> {
        let tag = u32::from(tag);
        let path = FieldPath::from(Path::new(self.field).step_if_room(Step::tag(tag)));
        let Some((&length, after)) = after.split_first() else {
            return Err(DecodeError { path, offset: self.at + 1, kind: DecodeErrorKind::BadTagLength });
        };
        let needs = usize::from(length);
        let Some((value, rest)) = after.split_at_checked(needs) else {
            let kind = DecodeErrorKind::TooShort { needs, left: after.len() };
            return Err(DecodeError { path, offset: self.at + 2, kind });
        };
        self.at += 2 + needs;
        self.rest = rest;
        Ok(Tlv { tag, value })
    }
}

impl<'a> Iterator for SimpleTlvs<'a> {
    type Item = Result<Tlv<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, after) = self.rest.split_first()?;
        let object = self.object(tag, after);
        if object.is_err() {
            self.rest = &[];
        }
        Some(object)
    }
}

impl FusedIterator for SimpleTlvs<'_> {}

/// Tags and lengths only.
impl fmt::Debug for SimpleTlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Vec<Result<(u32, &[u8]), String>> {
        SimpleTlvs::new(57, 100, value)
            .map(|object| object.map(|object| (object.tag, object.value)).map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn objects_come_out_in_order_and_end_at_the_first_fault() {
        let error = |text: &str| Err(text.to_owned());
        for (name, value, want) in [
            ("nothing", &[][..], vec![]),
            ("tag 00", &[0, 1, 1], vec![Ok((0, &[1][..]))]),
            ("an empty value", &[7, 0], vec![Ok((7, &[][..]))]),
            ("a tag twice", &[3, 1, 9, 3, 1, 8], vec![Ok((3, &[9][..])), Ok((3, &[8]))]),
            ("a tag BER would go on after", &[0x9F, 1, 0x26], vec![Ok((0x9F, &[0x26][..]))]),
            (
                "no length",
                &[0, 1, 1, 6],
                vec![Ok((0, &[1][..])), error("DE 57.06 at byte 104: malformed tag length")],
            ),
            (
                "a value cut short",
                &[0, 1, 1, 6, 3, 1, 2],
                vec![Ok((0, &[1][..])), error("DE 57.06 at byte 105: needs 3 bytes, 2 left")],
            ),
        ] {
            assert_eq!(read(value), want, "{name}");
        }
    }

    #[test]
    fn the_longest_value_is_read() {
        let value: Vec<u8> = [0x06, 255].into_iter().chain([0xA5; 255]).collect();
        assert_eq!(read(&value), [Ok((6, &[0xA5; 255][..]))]);
    }

    #[test]
    fn debug_tells_tags_and_lengths_only() {
        let objects = SimpleTlvs::new(57, 0, &[0x10, 2, 0x62, 0x00]);
        assert_eq!(format!("{objects:?}"), "[Ok(Tlv(10: …(2 bytes)))]");
    }
}
