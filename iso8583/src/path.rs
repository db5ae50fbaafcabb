//! The way to a value: a data element, and the parts of composites down to it.
//!
//! Start at [`Path`]. Paths are built in code, read from text such as `48.PDS0158`, and stand in errors. Which steps
//! there are below a field is the specification's business.

use std::fmt;
use std::str::FromStr;

/// The most steps below a data element: composites nest no deeper.
pub const PATH_STEPS_MAX: usize = 4;

/// A data element, or a part inside one.
///
/// Steps are kept as they are written, so a path fits any kind of composite: a position or bit (`48.3`), a BER-TLV or
/// binary tag in hex (`55.9F26`), or a tag of characters with the specification's label (`48.PDS0158`).
///
/// ```
/// use iso8583::Path;
///
/// let path: Path = "48.3.2".parse()?;
/// assert_eq!(path.to_string(), "DE 48.3.2");
/// assert_eq!(Some(path), Path::new(48).number(3).and_then(|path| path.number(2)));
/// assert_eq!("DE 55.9F26".parse().ok(), Path::new(55).tag(0x9F26));
/// # Ok::<(), iso8583::BadPath>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Path {
    field: u8,
    depth: u8,
    /// Those from `depth` on are empty, so that equal paths are equal.
    steps: [Step; PATH_STEPS_MAX],
}

impl Path {
    /// The data element with this number.
    #[must_use]
    pub const fn new(field: u8) -> Path {
        Path { field, depth: 0, steps: [Step::EMPTY; PATH_STEPS_MAX] }
    }

    /// The part with this position or bit inside it; `None` beyond [`PATH_STEPS_MAX`].
    #[must_use]
    pub fn number(self, number: u8) -> Option<Path> {
        self.step(Step::number(number))
    }

    /// The part with this BER-TLV or binary tag inside it, its bytes as one big-endian number, `0x9F26` for `9F26`.
    #[must_use]
    pub fn tag(self, tag: u32) -> Option<Path> {
        self.step(Step::tag(tag))
    }

    /// The part with this name inside it: the specification's label, if it has one, and the tag's characters.
    #[must_use]
    pub fn name(self, name: &str) -> Option<Path> {
        self.step(Step::name(name.as_bytes())?)
    }

    /// One step further down.
    pub(crate) fn step(mut self, step: Step) -> Option<Path> {
        *self.steps.get_mut(usize::from(self.depth))? = step;
        self.depth += 1;
        Some(self)
    }

    /// One step further down, or as far as a path goes.
    pub(crate) fn step_if_room(self, step: Step) -> Path {
        self.step(step).unwrap_or(self)
    }

    /// The data element's number.
    #[must_use]
    pub const fn field(&self) -> u8 {
        self.field
    }

    /// Whether it is a whole data element.
    #[must_use]
    pub const fn is_field(&self) -> bool {
        self.depth == 0
    }

    /// The steps below the data element.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..usize::from(self.depth)).unwrap_or_default()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DE {}", self.field)?;
        self.steps().iter().try_for_each(|step| write!(f, ".{step}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// A text is no path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a path such as 55, 48.3.2, 55.9F26 or 48.PDS0158")]
pub struct BadPath;

/// A number and steps, with or without `DE` in front.
impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Path, BadPath> {
        let mut steps = text.strip_prefix("DE").unwrap_or(text).trim_start().split('.');
        let field = steps.next().and_then(|number| number.parse().ok()).ok_or(BadPath)?;
        let path = Path::new(field);
        steps.try_fold(path, |path, step| path.name(step)).ok_or(BadPath)
    }
}

/// One step of a path: letters and digits, at most ten.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Step {
    len: u8,
    /// Those from `len` on are zero.
    characters: [u8; STEP_MAX],
}

/// The longest step: a label of four and a tag of six.
const STEP_MAX: usize = 10;

impl Step {
    const EMPTY: Step = Step { len: 0, characters: [0; STEP_MAX] };

    /// What is written in it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let characters = self.characters.get(..usize::from(self.len)).unwrap_or_default();
        // INVARIANT: `push` lets only ASCII in.
        std::str::from_utf8(characters).unwrap_or_default()
    }

    pub(crate) fn number(number: u8) -> Step {
        let mut step = Step::EMPTY;
        for power in [100, 10, 1] {
            if number >= power || power == 1 {
                step.push(b'0' + number / power % 10);
            }
        }
        step
    }

    /// A tag is whole bytes, so an even count of hex digits.
    pub(crate) fn tag(tag: u32) -> Step {
        let bytes = tag.to_be_bytes();
        let first = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
        Step::hex(&bytes[first..])
    }

    /// Bytes in hex, at most five of them.
    pub(crate) fn hex(bytes: &[u8]) -> Step {
        let mut step = Step::EMPTY;
        bytes.iter().flat_map(|&byte| crate::hex::pair(byte)).for_each(|character| step.push(character));
        step
    }

    /// A label and the characters of a tag; whatever is no letter or digit becomes `?`, so that wild bytes do not get
    /// into errors.
    pub(crate) fn labelled(label: &str, characters: impl Iterator<Item = u8>) -> Step {
        let mut step = Step::EMPTY;
        label.bytes().chain(characters).for_each(|character| step.push(character));
        step
    }

    fn name(name: &[u8]) -> Option<Step> {
        let good = matches!(name.len(), 1..=STEP_MAX) && name.iter().all(u8::is_ascii_alphanumeric);
        good.then(|| Step::labelled("", name.iter().copied()))
    }

    fn push(&mut self, character: u8) {
        let character = if character.is_ascii_alphanumeric() { character } else { b'?' };
        if let Some(slot) = self.characters.get_mut(usize::from(self.len)) {
            *slot = character;
            self.len += 1;
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written() {
        for (text, want) in [
            ("55", Ok("DE 55")),
            ("DE 55", Ok("DE 55")),
            ("48.3.2", Ok("DE 48.3.2")),
            ("55.9F26", Ok("DE 55.9F26")),
            ("48.PDS0158", Ok("DE 48.PDS0158")),
            ("1.2.3.4.5", Ok("DE 1.2.3.4.5")),
            ("1.2.3.4.5.6", Err(BadPath)),
            ("", Err(BadPath)),
            ("256", Err(BadPath)),
            ("55.", Err(BadPath)),
            ("55.ÄÖ", Err(BadPath)),
            ("55.12345678901", Err(BadPath)),
        ] {
            let path: Result<Path, BadPath> = text.parse();
            assert_eq!(path.map(|path| path.to_string()), want.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn steps_are_written_alike_from_code_and_text() {
        for (step, want) in [
            (Step::number(3), "3"),
            (Step::number(20), "20"),
            (Step::number(192), "192"),
            (Step::tag(0x05), "05"),
            (Step::tag(0), "00"),
            (Step::tag(0x9F26), "9F26"),
            (Step::tag(0xDF81_0155), "DF810155"),
            (Step::labelled("PDS", b"0158".iter().copied()), "PDS0158"),
            (Step::labelled("", [b'a', 0xFF].into_iter()), "a?"),
        ] {
            assert_eq!(step.as_str(), want);
        }
    }
}
