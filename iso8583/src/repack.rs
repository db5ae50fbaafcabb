//! A message taken apart and put together again, and messages compared.
//!
//! Start at [`Message::repack`].

use std::ops::Range;

use bytes::BytesMut;

use crate::build::Builder;
use crate::build_parts::PartsBuilder;
use crate::element::Element;
use crate::error::EncodeError;
use crate::field::Field;
use crate::message::Message;

impl Message<'_> {
    /// Puts the message together again from its fields, and composites from their parts, to the end of a buffer.
    ///
    /// What comes out is what went in, byte for byte: pad nibbles, tags that the specification does not know, zero
    /// bytes between objects, long forms of lengths, empty bitmaps. Whoever wants to change one part and keep the
    /// rest does the same with [`Builder::keep`], [`PartsBuilder::keep`] and [`PartsBuilder::edit`].
    ///
    /// # Errors
    /// None for a message that decoded to its end.
    pub fn repack(&self, out: &mut BytesMut) -> Result<Range<usize>, EncodeError> {
        let mut builder = Builder::new(self.spec, out, self.mti);
        builder.open_as(self.bitmaps);
        for element in self.elements() {
            let field = element.path().field();
            match has_parts(&element) {
                true => builder.parts(field, |parts| put_parts(parts, &element))?,
                false => builder.keep(field, self)?,
            };
        }
        builder.finish()
    }
}

fn put_parts(parts: &mut PartsBuilder<'_, '_>, whole: &Element<'_>) -> Result<(), EncodeError> {
    for part in whole.parts().into_iter().flatten() {
        match has_parts(&part) {
            true => parts.edit(&part, |inner| put_parts(inner, &part))?,
            false => parts.keep(&part)?,
        };
    }
    Ok(())
}

/// Whether there is anything to take apart: a value may be empty, or nothing but zero bytes where objects could stand.
fn has_parts(element: &Element<'_>) -> bool {
    let can_have = element.row().is_some_and(Field::is_taken_apart);
    can_have && element.parts().is_some_and(|mut parts| parts.next().is_some())
}

/// Messages are equal that say the same: the type, the fields there are, and the value of each. They may be written
/// differently, in other encodings, with other pad nibbles.
impl PartialEq for Message<'_> {
    fn eq(&self, other: &Message<'_>) -> bool {
        self.mti == other.mti
            && self.present == other.present
            && self.elements().zip(other.elements()).all(|(own, other)| own.says_the_same(&other))
    }
}

impl Element<'_> {
    /// Whether two values are the same, however they are written.
    #[must_use]
    pub fn says_the_same(&self, other: &Element<'_>) -> bool {
        if let (Some(own), Some(other)) = (self.digits(), other.digits()) {
            return own.iter().eq(other.iter());
        }
        if let (Some(own), Some(other)) = (self.signed_digits(), other.signed_digits()) {
            return own.0 == other.0 && own.1.iter().eq(other.1.iter());
        }
        if let (Some(own), Some(other)) = (self.text(), other.text()) {
            return own.iter().eq(other.iter());
        }
        if let (Some(own), Some(other)) = (self.octets(), other.octets()) {
            return own.iter().eq(other.iter());
        }
        let class = |element: &Element<'_>| element.row().map(crate::field::Field::class);
        class(self) == class(other) && self.number() == other.number() && self.number().is_some()
    }
}
