//! A composite of a compiled table: how a value is made up of parts, and what each part looks like.
//!
//! Made by `compile_composite`, walked by `parts`.

use crate::charset;
use crate::field::{Encoding, Field};
use crate::hex;
use crate::path::Step;
use crate::spec_file::{PrefixEncoding, SizeForm, TagForm};

/// The parts of a value.
#[derive(Clone, Debug)]
pub(crate) struct Composite {
    pub(crate) kind: Kind,
    /// Ascending by key.
    parts: Vec<Part>,
    /// Whether the parts of any value that its holder's row finds good are good as well.
    pub(crate) is_sure: bool,
}

/// One part that the specification knows.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) key: Key,
    pub(crate) field: Field,
}

/// What tells one part from another.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Parts of packed digits, one behind the other.
    Digits,
    /// Parts one behind the other.
    Positional,
    /// A bitmap in front.
    Bitmap(BitmapLayout),
    /// BER-TLV objects.
    BerTlv,
    /// Objects of a tag and a length of fixed width.
    Tags(TagLayout),
}

impl Kind {
    /// The step of a path that a key makes.
    pub(crate) fn step(&self, key: Key) -> Step {
        match (key, self) {
            (Key::Number(number), _) => Step::number(number),
            (Key::Tag(tag), Kind::Tags(layout)) => layout.step(tag),
            (Key::Tag(tag), _) => Step::hex(tag.bytes()),
        }
    }
}

/// The bitmap of a composite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BitmapLayout {
    pub(crate) encoding: Encoding,
    /// Bytes of bits in one bitmap.
    pub(crate) bytes: u8,
    /// Whether the first bit says that another one follows.
    pub(crate) continued: bool,
}

/// Tags and lengths of fixed width.
#[derive(Clone, Debug)]
pub(crate) struct TagLayout {
    pub(crate) tag: TagForm,
    pub(crate) size: SizeForm,
    pub(crate) label: String,
}

impl TagLayout {
    /// Bytes of a tag on the wire.
    pub(crate) fn tag_bytes(&self) -> usize {
        self.tag.encoding.width(self.tag.length.into())
    }

    /// Bytes of a length on the wire.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size.encoding.width(self.size.length.into())
    }

    /// The most bytes of a value that a length can say.
    pub(crate) fn size_max(&self) -> usize {
        self.size.encoding.highest(self.size.length.into())
    }

    /// The step of a path that a tag makes.
    pub(crate) fn step(&self, tag: Tag) -> Step {
        match self.tag.encoding {
            PrefixEncoding::Ascii | PrefixEncoding::Hex | PrefixEncoding::HexEbcdic => {
                Step::labelled(&self.label, tag.bytes().iter().copied())
            }
            PrefixEncoding::Ebcdic => {
                Step::labelled(&self.label, tag.bytes().iter().map(|&byte| charset::to_ascii(byte)))
            }
            PrefixEncoding::Bcd | PrefixEncoding::Binary => {
                Step::labelled(&self.label, tag.bytes().iter().flat_map(|&byte| hex::pair(byte)))
            }
        }
    }
}

impl TagLayout {
    /// The key that a step of a path means, with or without the label.
    pub(crate) fn key(&self, step: &Step) -> Option<Key> {
        let text = step.as_str();
        let text = text.strip_prefix(self.label.as_str()).unwrap_or(text);
        let tag = match self.tag.encoding {
            PrefixEncoding::Ascii | PrefixEncoding::Hex | PrefixEncoding::HexEbcdic => {
                Tag::new(text.as_bytes())
            }
            PrefixEncoding::Ebcdic => {
                Tag::from_fn(text.len(), |index| charset::from_ascii(text.as_bytes()[index]))
            }
            PrefixEncoding::Bcd | PrefixEncoding::Binary => Tag::from_hex(text),
        };
        tag.filter(|tag| tag.bytes().len() == self.tag_bytes()).map(Key::Tag)
    }
}

impl Composite {
    /// Sorts the parts; `None` if two have the same key.
    pub(crate) fn new(kind: Kind, mut parts: Vec<Part>) -> Option<Composite> {
        parts.sort_by_key(|part| part.key);
        let twice = parts.windows(2).any(|pair| pair[0].key == pair[1].key);
        (!twice).then_some(Composite { kind, parts, is_sure: false })
    }

    /// BER-TLV objects of which none is known.
    pub(crate) const fn any_tlv() -> Composite {
        Composite { kind: Kind::BerTlv, parts: Vec::new(), is_sure: false }
    }

    /// The part with this key, if the specification knows it.
    pub(crate) fn part(&self, key: Key) -> Option<&Field> {
        let index = self.parts.binary_search_by_key(&key, |part| part.key).ok()?;
        self.parts.get(index).map(|part| &part.field)
    }

    /// The parts, ascending by key.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The key that a step of a path means here, if it can mean one.
    pub(crate) fn key(&self, step: &Step) -> Option<Key> {
        let text = step.as_str();
        match &self.kind {
            Kind::Digits | Kind::Positional | Kind::Bitmap(_) => text.parse().ok().map(Key::Number),
            Kind::BerTlv => Tag::from_hex(text).map(Key::Tag),
            Kind::Tags(layout) => layout.key(step),
        }
    }
}

/// What names a part.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Key {
    /// A position or a bit, from 1.
    Number(u8),
    /// A tag as it is on the wire.
    Tag(Tag),
}

/// A tag as it is on the wire: at most six bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tag {
    len: u8,
    /// Those from `len` on are zero.
    bytes: [u8; TAG_BYTES_MAX],
}

/// The longest tag: six characters.
const TAG_BYTES_MAX: usize = 6;

impl Tag {
    /// `None` if there are no bytes or too many.
    pub(crate) fn new(bytes: &[u8]) -> Option<Tag> {
        Tag::from_fn(bytes.len(), |index| bytes[index])
    }

    fn from_fn(len: usize, byte: impl Fn(usize) -> u8) -> Option<Tag> {
        let mut tag = Tag { len: u8::try_from(len).ok()?, bytes: [0; TAG_BYTES_MAX] };
        let slots = tag.bytes.get_mut(..len).filter(|slots| !slots.is_empty())?;
        slots.iter_mut().enumerate().for_each(|(index, slot)| *slot = byte(index));
        Some(tag)
    }

    /// The bytes that hex digits stand for, capital or small.
    pub(crate) fn from_hex(text: &str) -> Option<Tag> {
        let characters = text.as_bytes();
        let good = characters.len().is_multiple_of(2) && characters.iter().all(u8::is_ascii_hexdigit);
        let nibble = |index: usize| hex::value(characters[index].to_ascii_uppercase());
        let octet = |index: usize| nibble(2 * index) << 4 | nibble(2 * index + 1);
        good.then(|| Tag::from_fn(characters.len() / 2, octet)).flatten()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}
