//! Walking the parts of a composite value, one after another, in place.
//!
//! A message's composites are checked to the bottom when it is decoded ([`check`]), and walked again on demand
//! ([`Parts`]), so nothing is kept of them. Grammar of BER-TLV is in `tlv`.

use std::fmt;
use std::iter::FusedIterator;

use crate::composite::{Composite, Key, Kind, Tag, TagLayout};
use crate::cursor::{Fault, Found};
use crate::element::Element;
use crate::error::{DecodeError, DecodeErrorKind, FieldPath};
use crate::field::{Encoding, Field, Length};
use crate::lens::Lens;
use crate::part_bitmap::PartBitmap;
use crate::path::{Path, Step};
use crate::spec_file::PrefixEncoding;
use crate::tlv;

/// A composite value that was found: its row, its composite and its place.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) field: &'a Field,
    pub(crate) composite: &'a Composite,
    pub(crate) found: Found<'a>,
    /// What `found.start` counts from, in bytes from the MTI's first.
    pub(crate) base: usize,
    pub(crate) path: Path,
    /// Whether the message decoded to its end.
    pub(crate) sure: bool,
}

impl<'a> Held<'a> {
    fn of(element: &Element<'a>, field: &'a Field, composite: &'a Composite) -> Held<'a> {
        let found = Found { start: 0, length: element.length, value: element.value };
        let Element { path, offset: base, sure, .. } = *element;
        Held { field, composite, found, base, path, sure }
    }
}

/// Checks the parts of a value, and theirs, to the bottom.
pub(crate) fn check(held: &Held<'_>) -> Result<(), DecodeError> {
    check_in(held, None)
}

/// The same, of a value that may stand inside one in hex.
fn check_in(held: &Held<'_>, hex: Option<Encoding>) -> Result<(), DecodeError> {
    let mut walk = Walk::new(held, hex);
    while let Some(element) = walk.step().map_err(|(path, fault)| error(path, walk.base, fault))? {
        let Some(row) = element.row else { continue };
        walk.lens.check(row, element.length, element.value).map_err(|violation| DecodeError {
            path: violation.path(element.path).into(),
            offset: element.offset + violation.at,
            kind: violation.kind,
        })?;
        if let Some(composite) = &row.composite {
            check_in(&Held::of(&element, row, composite), element.hex)?;
        }
    }
    Ok(())
}

#[cold]
fn error(path: Path, base: usize, fault: Fault) -> DecodeError {
    DecodeError { path: FieldPath::from(path), offset: base + fault.at, kind: fault.kind }
}

/// The parts of a value, in the order they came.
#[derive(Clone)]
pub struct Parts<'a> {
    walk: Walk<'a>,
}

impl<'a> Parts<'a> {
    /// The parts of an element that was checked, if it is made up of parts.
    pub(crate) fn of(element: &Element<'a>) -> Option<Parts<'a>> {
        let field = element.row?;
        let composite = field.parts_of()?;
        Some(Parts { walk: Walk::new(&Held::of(element, field, composite), element.hex) })
    }

    /// The first part that this step names.
    pub(crate) fn find_step(mut self, step: &Step) -> Option<Element<'a>> {
        let key = self.walk.composite.key(step)?;
        loop {
            let element = self.next()?;
            if self.walk.last == Some(key) {
                return Some(element);
            }
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        // A value that was not checked would end at its first fault.
        self.walk.step().ok().flatten()
    }
}

impl FusedIterator for Parts<'_> {}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// How far a walk over the parts is.
#[derive(Clone)]
struct Walk<'a> {
    field: &'a Field,
    composite: &'a Composite,
    path: Path,
    /// Where the value begins, from the MTI's first byte.
    base: usize,
    value: &'a [u8],
    /// Digits of the value, if they are its parts.
    digits: u16,
    lens: Lens<'a>,
    /// Parts, or digits of [`Kind::Digits`], taken so far.
    taken: u16,
    bitmap: Option<PartBitmap>,
    /// The key of the part handed out last.
    last: Option<Key>,
    sure: bool,
    done: bool,
}

type Stepped<T> = Result<T, (Path, Fault)>;

impl<'a> Walk<'a> {
    fn new(held: &Held<'a>, hex: Option<Encoding>) -> Walk<'a> {
        let hex = hex.or_else(|| held.field.is_hex().then_some(held.field.encoding));
        Walk {
            field: held.field,
            composite: held.composite,
            path: held.path,
            base: held.base + held.found.start,
            value: held.found.value,
            digits: held.found.length,
            lens: Lens::new(held.found.value, hex),
            taken: 0,
            bitmap: None,
            last: None,
            sure: held.sure,
            done: false,
        }
    }

    /// The next part; after an error, none.
    fn step(&mut self) -> Stepped<Option<Element<'a>>> {
        if self.done {
            return Ok(None);
        }
        let element = match &self.composite.kind {
            Kind::Digits => self.digits(),
            Kind::Positional => self.positional(),
            Kind::Bitmap(_) => self.promised(),
            Kind::BerTlv => self.ber(),
            Kind::Tags(layout) => self.tagged(layout),
        };
        self.done = !matches!(element, Ok(Some(_)));
        element
    }

    /// The path of a part with this key.
    fn path_of(&self, key: Key) -> Path {
        self.path.step_if_room(self.composite.kind.step(key))
    }

    fn fault<T>(&self, path: Path, kind: DecodeErrorKind) -> Stepped<T> {
        Err((path, Fault { at: self.lens.at(), kind }))
    }

    fn digits(&mut self) -> Stepped<Option<Element<'a>>> {
        let left = self.digits - self.taken;
        if left == 0 {
            return Ok(None);
        }
        let number = self.next_number();
        let from = usize::from(self.taken) + usize::from(self.field.pads_first(self.digits));
        let Some(row) = self.composite.part(Key::Number(number)) else {
            let kind = DecodeErrorKind::DigitsAfterParts(left);
            return Err((self.path, Fault { at: from / 2, kind }));
        };
        let path = self.path_of(Key::Number(number));
        let needs = row.max();
        if needs > left {
            return Err((path, Fault { at: from / 2, kind: DecodeErrorKind::TooFewDigits { needs, left } }));
        }
        self.taken += needs;
        let end = from + usize::from(needs);
        let value = &self.value[from / 2..end.div_ceil(2)];
        let first = u8::from(!from.is_multiple_of(2));
        let offset = self.base + from / 2;
        let sure = self.sure;
        Ok(Some(Element {
            path,
            row: Some(row),
            offset,
            length: needs,
            value,
            wire: value,
            head: 0,
            first,
            hex: None,
            sure,
        }))
    }

    /// The number of the part behind the last.
    fn next_number(&mut self) -> u8 {
        let number = match self.last {
            Some(Key::Number(number)) => number.saturating_add(1),
            _ => 1,
        };
        self.last = Some(Key::Number(number));
        number
    }

    fn positional(&mut self) -> Stepped<Option<Element<'a>>> {
        let left = self.lens.left();
        if left == 0 {
            return Ok(None);
        }
        let key = Key::Number(self.next_number());
        match self.composite.part(key) {
            Some(row) => self.plain(key, row).map(Some),
            None => self.fault(self.path, DecodeErrorKind::BytesAfterParts(left)),
        }
    }

    fn promised(&mut self) -> Stepped<Option<Element<'a>>> {
        let Kind::Bitmap(layout) = &self.composite.kind else { return Ok(None) };
        let mut bitmap = match self.bitmap.take() {
            Some(bitmap) => bitmap,
            None if self.lens.left() == 0 => return Ok(None),
            None => self.lens.bitmap(*layout).map_err(|fault| (self.path, fault))?,
        };
        let number = bitmap.next();
        self.bitmap = Some(bitmap);
        let Some(number) = number else {
            return match self.lens.left() {
                0 => Ok(None),
                left => self.fault(self.path, DecodeErrorKind::BytesAfterParts(left)),
            };
        };
        let key = Key::Number(number);
        self.last = Some(key);
        match self.composite.part(key) {
            Some(row) => self.plain(key, row).map(Some),
            None => self.fault(self.path_of(key), DecodeErrorKind::UnknownPart),
        }
    }

    /// A part that has no tag.
    fn plain(&mut self, key: Key, row: &'a Field) -> Stepped<Element<'a>> {
        let path = self.path_of(key);
        let from = self.lens.at();
        let Found { start, length, value } = self.lens.element(row).map_err(|fault| (path, fault))?;
        Ok(self.found(path, Some(row), from, Found { start, length, value }))
    }

    /// What was found, with what was taken since `from` around it.
    fn found(&self, path: Path, row: Option<&'a Field>, from: usize, found: Found<'a>) -> Element<'a> {
        let Found { start, length, value } = found;
        Element {
            path,
            row,
            offset: self.base + start,
            length,
            value,
            wire: self.lens.since(from),
            head: head_of(from, start),
            first: 0,
            hex: self.lens.hex(),
            sure: self.sure,
        }
    }

    fn ber(&mut self) -> Stepped<Option<Element<'a>>> {
        let from = self.lens.at();
        let filler = self.lens.zeros();
        let at = from + self.lens.on_the_wire(filler);
        self.lens.take(filler).map_err(|fault| (self.path, fault))?;
        if self.lens.left() == 0 {
            return Ok(None);
        }
        let mut room = [0; 9];
        let head = match tlv::wide_head(self.lens.front(&mut room)) {
            Ok(head) => head,
            Err(violation) => {
                let (kind, at) = (violation.kind, at + self.lens.on_the_wire(violation.at));
                return Err((violation.path(self.path), Fault { at, kind }));
            }
        };
        let Some(tag) = Tag::new(head.tag) else { return self.fault(self.path, DecodeErrorKind::BadTag) };
        let (bytes, length) = (head.bytes, head.length);
        self.lens.take(bytes).map_err(|fault| (self.path, fault))?;
        self.behind_tag(tag, from, length).map(Some)
    }

    fn tagged(&mut self, layout: &TagLayout) -> Stepped<Option<Element<'a>>> {
        if self.lens.left() == 0 {
            return Ok(None);
        }
        let holder = self.path;
        let from = self.lens.at();
        let mut room = [0; 9];
        let given = layout.tag_bytes();
        let tag = self.lens.front(&mut room).get(..given).and_then(Tag::new);
        self.lens.take(given).map_err(|fault| (holder, fault))?;
        let Some(tag) = tag.filter(|tag| is_tag(layout.tag.encoding, tag.bytes())) else {
            return Err((holder, Fault { at: from, kind: DecodeErrorKind::BadTag }));
        };
        let path = self.path_of(Key::Tag(tag));
        let length =
            self.lens.number(layout.size.encoding, layout.size_bytes()).map_err(|fault| (path, fault))?;
        self.behind_tag(tag, from, length as usize).map(Some)
    }

    /// A part whose tag and length were taken, measured by its row if there is one.
    fn behind_tag(&mut self, tag: Tag, from: usize, length: usize) -> Stepped<Element<'a>> {
        let key = Key::Tag(tag);
        self.last = Some(key);
        let path = self.path_of(key);
        let row = self.composite.part(key);
        let start = self.lens.at();
        let bytes = match row {
            Some(row) if row.is_counted_by_tag() => {
                let over = Fault { at: start, kind: DecodeErrorKind::LengthOverMax { max: row.max() } };
                let units = u16::try_from(length).ok().filter(|units| *units <= row.max());
                row.bytes_for(units.ok_or((path, over))?)
            }
            _ => length,
        };
        let value = self.lens.take(bytes).map_err(|fault| (path, fault))?;
        let length = match row {
            // INVARIANT: one that is counted by its tag is at most `max`, 16 bits.
            Some(row) if row.is_counted_by_tag() => u16::try_from(length).unwrap_or(u16::MAX),
            Some(row) => self.measure(row, value).map_err(|kind| (path, Fault { at: start, kind }))?,
            // INVARIANT: a message has at most 65535 bytes, and so has what is in it.
            None => u16::try_from(bytes).unwrap_or(u16::MAX),
        };
        if matches!(self.composite.kind, Kind::BerTlv) {
            // Filler at the end belongs to the last object.
            let tail = self.lens.zeros();
            if self.lens.on_the_wire(tail) == self.lens.left() {
                self.lens.take(tail).map_err(|fault| (path, fault))?;
            }
        }
        Ok(self.found(path, row, from, Found { start, length, value }))
    }

    /// The length, in the row's units, of a value that something else than its own prefix measured.
    fn measure(&self, row: &Field, value: &[u8]) -> Result<u16, DecodeErrorKind> {
        let given = value.len();
        match row.length {
            Length::Fixed(length) => {
                let needs = self.lens.on_the_wire(row.bytes_for(length));
                if needs == given { Ok(length) } else { Err(DecodeErrorKind::WrongLength { needs, given }) }
            }
            Length::Variable { max, .. } => {
                let length = self.lens.units_in(row, value)?;
                if length <= max { Ok(length) } else { Err(DecodeErrorKind::LengthOverMax { max }) }
            }
        }
    }
}

/// Bytes from where a part begins to where its value does.
fn head_of(from: usize, start: usize) -> u16 {
    // INVARIANT: a message has at most 65535 bytes, and so has what is in it.
    u16::try_from(start - from).unwrap_or(u16::MAX)
}

fn is_tag(encoding: PrefixEncoding, tag: &[u8]) -> bool {
    match encoding {
        PrefixEncoding::Ascii | PrefixEncoding::Hex | PrefixEncoding::HexEbcdic => {
            tag.iter().all(u8::is_ascii_alphanumeric)
        }
        PrefixEncoding::Ebcdic => {
            tag.iter().all(|&byte| crate::charset::to_ascii(byte).is_ascii_alphanumeric())
        }
        PrefixEncoding::Bcd => tag.iter().all(|&byte| byte >> 4 <= 9 && byte & 0x0F <= 9),
        PrefixEncoding::Binary => true,
    }
}
