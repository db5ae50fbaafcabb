//! Specifications that people already have, read into a [`SpecFile`].
//!
//! [`jpos::import`] reads the XML of jPOS's `GenericPackager`;
//! `moov::import_json` and `moov::import_yaml` (feature `import`) read the
//! documents of moov-io/iso8583. `IMPORT.md` beside this crate lists every class
//! and type of both, and what becomes of it.
//!
//! A document that says something this crate cannot do is refused, with every
//! reason found and not only the first: a specification that is nearly right
//! reads messages wrongly. What is read but means less here is told in
//! [`Imported::notes`]. Neither format says what may be shown of a value, so an
//! imported specification hides every value except those whose number and length
//! the standard gives to something harmless.
//!
//! Nothing here opens a file, and nothing in a document is followed: no DOCTYPE,
//! no entity of its own, no alias.

mod error;
mod findings;
#[cfg(all(test, feature = "import"))]
mod hostile_tests;
pub mod jpos;
mod show;
#[cfg(test)]
mod testing;
mod text;
mod xml;

#[cfg(feature = "import")]
mod document;
#[cfg(feature = "import")]
pub mod moov;

pub use error::{ImportError, Place, Refusal, Rule};

use crate::SpecFile;

/// The longest document that is read, in bytes. Real ones have 10 to 60 KB.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A specification that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The specification; it compiles.
    pub spec: SpecFile,
    /// What the document says and the specification does not: for people.
    pub notes: Vec<Note>,
}

/// Something that was read but means less here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What became of it.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// The longest name of a specification or field, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// A name as a specification may have it: no control characters, not empty, cut
/// where it is too long.
fn name_of(given: &str, otherwise: &str) -> String {
    let words: Vec<_> =
        given.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect();
    let mut name = words.join(" ");
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    if name.is_empty() { otherwise.to_owned() } else { name }
}
