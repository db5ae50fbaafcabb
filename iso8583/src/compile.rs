//! From a [`SpecFile`] to a [`Spec`]: every rule that a look at several keys decides.
//!
//! What is wrong with a single value is found in `spec_file`; but importers fill a `SpecFile` too, so ranges that
//! decoding relies on are checked here again. Composites are in `compile_composite`.

use crate::compile_composite;
use crate::content;
use crate::field::{Align, Class, DigitForm, Encoding, Field, Length, Prefix, Says, Show, Unit};
use crate::path::Path;
use crate::spec::Spec;
use crate::spec_error::{Place, SpecError};
use crate::spec_file::{
    BitmapForm, CodePage, Counts, ElementDef, Family, Format, MessageRule, MtiForm, PrefixEncoding, SpecFile,
    Tertiary, ValueEncoding,
};

/// Checks a whole file.
pub(crate) fn compile(file: &SpecFile) -> Result<Spec, SpecError> {
    check_name(Place::Head, &file.name)?;
    let mti = match file.mti {
        MtiForm::Bcd => Encoding::Packed,
        MtiForm::Ascii => Encoding::Ascii,
        MtiForm::Ebcdic => Encoding::Ebcdic(CodePage::Cp1047),
    };
    let mut spec = Spec::empty(file.name.clone(), mti, bitmap_encoding(file.bitmap));
    spec.version = file.version;
    spec.tertiary = file.tertiary;
    (spec.length, spec.header) = (file.length, file.header.clone());
    for def in &file.fields {
        let place = Place::Field(def.number);
        check_number(place, def.number, file.tertiary)?;
        let path = Path::new(def.number);
        let context = Context { path, family: file.encoding, held: false, tagged: false, in_hex: false };
        if !spec.define(def.number, context.field(&def.element)?) {
            return Err(bad(place, "number", "is defined twice"));
        }
    }
    for (index, rule) in file.messages.iter().enumerate() {
        check_rule(Place::Message(index + 1), rule, &spec)?;
    }
    spec.messages = file.messages.clone();
    Ok(spec)
}

/// How a bitmap is written, in the words of a compiled table.
pub(crate) fn bitmap_encoding(form: BitmapForm) -> Encoding {
    match form {
        BitmapForm::Binary => Encoding::Packed,
        BitmapForm::Hex => Encoding::Ascii,
        BitmapForm::HexEbcdic => Encoding::Ebcdic(CodePage::Cp1047),
    }
}

fn check_number(place: Place, number: u8, tertiary: Tertiary) -> Result<(), SpecError> {
    match (number, tertiary) {
        (0 | 1 | 193.., _) => Err(bad(place, "number", "is not from 2 to 192")),
        (129.., Tertiary::None) => Err(bad(place, "number", "is above 128, which needs `tertiary`")),
        (65, Tertiary::Head | Tertiary::Field) => Err(bad(place, "number", "is that of the tertiary bitmap")),
        _ => Ok(()),
    }
}

fn check_rule(place: Place, rule: &MessageRule, spec: &Spec) -> Result<(), SpecError> {
    let unknown = |numbers: &[u8]| numbers.iter().any(|&number| spec.field(number).is_none());
    if unknown(&rule.required) {
        return Err(bad(place, "required", "names a field that is not defined"));
    }
    if rule.optional.as_deref().is_some_and(unknown) {
        return Err(bad(place, "optional", "names a field that is not defined"));
    }
    Ok(())
}

fn check_name(place: Place, name: &str) -> Result<(), SpecError> {
    if matches!(name.len(), 1..=80) && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(bad(place, "name", "must be a text of 1 to 80 bytes"))
}

pub(crate) fn bad(place: Place, key: &'static str, rule: &'static str) -> SpecError {
    SpecError::BadValue { place, key, rule }
}

/// Where an element stands.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub(crate) path: Path,
    pub(crate) family: Family,
    /// Whether something else than a prefix can say how long it is.
    pub(crate) held: bool,
    /// Whether a length behind its tag does.
    pub(crate) tagged: bool,
    /// Whether it stands in a value that is written in hex. There everything is as where the head says `packed`.
    pub(crate) in_hex: bool,
}

impl Context {
    pub(crate) fn bad(self, key: &'static str, rule: &'static str) -> SpecError {
        bad(Place::at(self.path), key, rule)
    }

    /// Checks one element and what is below it.
    pub(crate) fn field(self, def: &ElementDef) -> Result<Field, SpecError> {
        check_name(Place::at(self.path), &def.name)?;
        let written = self.written(def)?;
        let (mut encoding, unit) = compiled(def.class, written);
        if self.family == Family::Packed && def.encoding.is_none() {
            // ASCII text among packed fields counts as packed too: so do its prefix and the fields around it.
            encoding = Encoding::Packed;
        }
        self.check_length(def, encoding, unit)?;
        let prefix_encoding = def.prefix_encoding.unwrap_or(match self.family {
            Family::Packed => PrefixEncoding::Bcd,
            Family::Ascii => PrefixEncoding::Ascii,
            Family::Ebcdic(_) => PrefixEncoding::Ebcdic,
        });
        let mut field = Field {
            class: def.class,
            encoding,
            length: def.length,
            unit,
            prefix_bytes: self.prefix_bytes(def, prefix_encoding)?,
            prefix_encoding,
            counts_bytes: self.counts_bytes(def, unit)?,
            says: says(def),
            align: self.align(def, unit)?,
            pad: self.pad(def, unit)?,
            show: def.show.unwrap_or(Show::Secret),
            ebcdic_sign: matches!(self.family, Family::Ebcdic(_)),
            allowed: content::allowed(def.class, encoding, unit),
            digit_form: DigitForm::None,
            least: 0,
            most: 0,
            is_even: false,
            format: def.format,
            name: def.name.clone(),
            composite: None,
        };
        field.settle();
        self.check_max(&field)?;
        self.check_show_and_format(&field)?;
        field.composite = match &def.composite {
            Some(composite) => Some(Box::new(compile_composite::compile(self, composite, &field)?)),
            None => None,
        };
        Ok(field)
    }

    /// How the value is written, by its own word or the head's.
    fn written(self, def: &ElementDef) -> Result<ValueEncoding, SpecError> {
        use ValueEncoding::{Ascii, Bcd, Binary, Ebcdic, Hex, HexEbcdic};
        let own = match (self.family, def.class) {
            (Family::Packed, Class::Numeric | Class::Track | Class::Signed) => Bcd,
            (Family::Packed, Class::Alphanumeric | Class::Text) => Ascii,
            (Family::Packed, Class::Binary | Class::Tlv) => Binary,
            (Family::Ascii, Class::Binary) => Hex,
            (Family::Ebcdic(_), Class::Binary) => HexEbcdic,
            (_, Class::Tlv) => {
                def.encoding.ok_or_else(|| self.bad("class", "cannot be \"tlv\" where fields are ASCII"))?
            }
            (Family::Ascii, _) => Ascii,
            (Family::Ebcdic(page), _) => Ebcdic(page),
        };
        let written = def.encoding.unwrap_or(own);
        if self.in_hex && !stands_in_hex(def.class, written) {
            return Err(self.bad("encoding", "is not one that stands in a value in hex"));
        }
        let fits = match def.class {
            Class::Numeric => matches!(written, Ascii | Ebcdic(_) | Bcd | Binary),
            Class::Track | Class::Signed => matches!(written, Ascii | Ebcdic(_) | Bcd),
            Class::Alphanumeric | Class::Text => matches!(written, Ascii | Ebcdic(_)),
            Class::Binary => matches!(written, Binary | Hex | HexEbcdic),
            Class::Tlv => written == Binary,
        };
        if fits { Ok(written) } else { Err(self.bad("encoding", "does not fit the class")) }
    }

    fn check_length(self, def: &ElementDef, encoding: Encoding, unit: Unit) -> Result<(), SpecError> {
        match def.length {
            Length::Fixed(0) => return Err(self.bad("length", "is zero")),
            Length::Variable { max: 0, .. } => return Err(self.bad("max", "is zero")),
            Length::Variable { prefix: Prefix::None, .. } if !self.held => {
                return Err(SpecError::MissingKey { place: Place::at(self.path), key: "length" });
            }
            _ => {}
        }
        let fixed = matches!(def.length, Length::Fixed(_));
        if unit == Unit::Pair && !fixed && def.counts.is_none() && !self.is_open(def) {
            // Hosts disagree about what its prefix counts: bytes or characters.
            return Err(self.bad("prefix", "excludes class \"b\" where fields are ASCII"));
        }
        match (encoding, def.class, def.length) {
            (Encoding::Binary, _, Length::Fixed(1..=8)) => Ok(()),
            (Encoding::Binary, ..) => Err(self.bad("length", "of a binary number must be 1 to 8 bytes")),
            (_, Class::Signed, Length::Fixed(2..)) => Ok(()),
            (_, Class::Signed, _) => {
                Err(self.bad("length", "of a signed amount must be fixed, its sign counted"))
            }
            _ => Ok(()),
        }
    }

    fn is_open(self, def: &ElementDef) -> bool {
        matches!(def.length, Length::Variable { prefix: Prefix::None, .. })
    }

    fn prefix_bytes(self, def: &ElementDef, encoding: PrefixEncoding) -> Result<u8, SpecError> {
        let (Length::Fixed(_) | Length::Variable { prefix: Prefix::None, .. }, Some(_)) =
            (def.length, def.prefix_encoding)
        else {
            let Length::Variable { prefix, .. } = def.length else { return Ok(0) };
            if encoding.is_bytes() && prefix.digits() > 4 {
                return Err(self.bad("prefix", "of binary numbers has at most four bytes"));
            }
            return Ok(u8::try_from(encoding.width(prefix.digits())).unwrap_or(u8::MAX));
        };
        Err(self.bad("prefix_encoding", "is only for a prefix"))
    }

    fn counts_bytes(self, def: &ElementDef, unit: Unit) -> Result<bool, SpecError> {
        let pairs = matches!(unit, Unit::Nibble | Unit::Pair);
        match def.counts {
            Some(Counts::Units) if self.is_open(def) && self.tagged && pairs => Ok(false),
            None | Some(Counts::Bytes) if self.is_open(def) => Ok(true),
            Some(_) if self.is_open(def) => {
                Err(self.bad("counts", "is none that there is without a prefix of its own"))
            }
            None | Some(Counts::Units) => Ok(false),
            Some(_) if matches!(def.length, Length::Fixed(_)) => {
                Err(self.bad("counts", "is only for a prefix"))
            }
            Some(_) => Ok(pairs),
        }
    }

    /// Which side is padded differs from field to field, so a table must say it where it always matters, may where it
    /// sometimes does, and cannot where it does not.
    fn align(self, def: &ElementDef, unit: Unit) -> Result<Align, SpecError> {
        match (odd(def.length, unit), def.align) {
            (Odd::Always, None) => Err(SpecError::MissingKey { place: Place::at(self.path), key: "align" }),
            (Odd::Never, Some(_)) => {
                Err(self.bad("align", "is only for packed digits whose count can be odd"))
            }
            (_, align) => Ok(align.unwrap_or(Align::Left)),
        }
    }

    fn pad(self, def: &ElementDef, unit: Unit) -> Result<u8, SpecError> {
        match (odd(def.length, unit), def.pad) {
            (_, None) => Ok(0),
            (Odd::Never, Some(_)) => Err(self.bad("pad", "is only for packed digits whose count can be odd")),
            (_, Some(pad @ 0..=15)) => Ok(pad),
            _ => Err(self.bad("pad", "is no nibble")),
        }
    }

    /// Whether the prefix can say the longest length.
    fn check_max(self, field: &Field) -> Result<(), SpecError> {
        let Length::Variable { prefix, max } = field.length else { return Ok(()) };
        if prefix == Prefix::None {
            return Ok(());
        }
        let counted = if field.counts_bytes { field.bytes_for(max) } else { usize::from(max) };
        if field.said(counted) > field.prefix_encoding.highest(prefix.digits()) {
            return Err(self.bad("max", "does not fit into the prefix"));
        }
        Ok(())
    }

    fn check_show_and_format(self, field: &Field) -> Result<(), SpecError> {
        let digits = field.class == Class::Numeric && field.encoding != Encoding::Binary;
        if field.show == Show::Pan && !digits {
            return Err(self.bad("show", "can be \"pan\" only with class \"n\""));
        }
        let Some(format) = field.format else { return Ok(()) };
        let fits = match (format.digits(), field.length) {
            (None, _) => digits,
            (Some(needs), Length::Fixed(length)) => digits && length == needs,
            (Some(_), Length::Variable { .. }) => false,
        };
        if fits { Ok(()) } else { Err(self.bad("format", "needs class \"n\" and a length to match")) }
    }
}

impl Format {
    /// The digits of a date or time; of a card number there may be more or fewer.
    fn digits(self) -> Option<u16> {
        match self {
            Format::Luhn => None,
            Format::Mmdd | Format::Yymm => Some(4),
            Format::Yymmdd | Format::Hhmmss => Some(6),
            Format::Ccyymmdd => Some(8),
            Format::Mmddhhmmss => Some(10),
            Format::Yymmddhhmmss => Some(12),
        }
    }
}

/// How a value is read, and what one of its length makes on the wire.
fn compiled(class: Class, written: ValueEncoding) -> (Encoding, Unit) {
    match (written, class) {
        (ValueEncoding::Ascii, _) => (Encoding::Ascii, Unit::Byte),
        (ValueEncoding::Ebcdic(page), _) => (Encoding::Ebcdic(page), Unit::Byte),
        (ValueEncoding::Bcd, Class::Signed) => (Encoding::Packed, Unit::SignAndNibbles),
        (ValueEncoding::Bcd, _) => (Encoding::Packed, Unit::Nibble),
        (ValueEncoding::Binary, Class::Numeric) => (Encoding::Binary, Unit::Byte),
        (ValueEncoding::Binary, _) => (Encoding::Packed, Unit::Byte),
        (ValueEncoding::Hex, _) => (Encoding::Ascii, Unit::Pair),
        (ValueEncoding::HexEbcdic, _) => (Encoding::Ebcdic(CodePage::Cp1047), Unit::Pair),
    }
}

/// What can be read out of hex characters: bytes, packed digits, and text.
fn stands_in_hex(class: Class, written: ValueEncoding) -> bool {
    match class {
        Class::Numeric => matches!(written, ValueEncoding::Bcd | ValueEncoding::Binary),
        Class::Track => written == ValueEncoding::Bcd,
        Class::Alphanumeric | Class::Text => true,
        Class::Binary => written == ValueEncoding::Binary,
        Class::Signed | Class::Tlv => false,
    }
}

/// What a prefix says of the bytes or units that it counts.
fn says(def: &ElementDef) -> Says {
    match def.counts {
        Some(Counts::BytesAndSelf) => Says::WithItself,
        Some(Counts::HalfBytes) => Says::Twice,
        Some(Counts::Units | Counts::Bytes) | None => Says::AsItIs,
    }
}

/// Whether the count of packed digits is odd.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Odd {
    Never,
    Sometimes,
    Always,
}

fn odd(length: Length, unit: Unit) -> Odd {
    match (unit, length) {
        (Unit::Byte | Unit::Pair, _) => Odd::Never,
        (Unit::Nibble, Length::Fixed(digits)) if digits.is_multiple_of(2) => Odd::Never,
        // The sign is counted and is no digit.
        (Unit::SignAndNibbles, Length::Fixed(length)) if !length.is_multiple_of(2) => Odd::Never,
        (_, Length::Fixed(_)) => Odd::Always,
        (_, Length::Variable { .. }) => Odd::Sometimes,
    }
}
