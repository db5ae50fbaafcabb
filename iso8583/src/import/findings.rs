//! What an importer finds while it reads, and how it ends.

use super::error::{ImportError, Place, Refusal, Rule};
use super::{Imported, Note};
use crate::SpecFile;
use crate::spec::Spec;
use crate::spec_file::FieldDef;

/// How many refusals and how many notes are kept: a person reads no more, and a
/// hostile document must not make the lists grow without end.
pub(super) const KEPT_MAX: usize = 100;

/// Refusals and notes, in the order of the document.
#[derive(Debug, Default)]
pub(super) struct Findings {
    refusals: Vec<Refusal>,
    notes: Vec<Note>,
}

impl Findings {
    /// Something that no specification here can say.
    pub(super) fn refuse(&mut self, place: &Place, line: Option<usize>, rule: Rule) {
        if self.refusals.len() < KEPT_MAX {
            self.refusals.push(Refusal { place: place.clone(), line, rule });
        }
    }

    /// Something that people should know of.
    pub(super) fn note(&mut self, place: &Place, text: impl Into<String>) {
        if self.notes.len() < KEPT_MAX {
            self.notes.push(Note { place: place.clone(), text: text.into() });
        }
    }

    /// Ends the reading of a document that was no document.
    pub(super) fn broken(line: Option<usize>, text: String) -> ImportError {
        ImportError::of(vec![Refusal { place: Place::Document, line, rule: Rule::Malformed(text) }])
    }

    /// The specification, unless something was refused or it does not compile.
    pub(super) fn finish(mut self, spec: Option<SpecFile>) -> Result<Imported, ImportError> {
        if let Some(spec) = spec {
            if self.refusals.is_empty() {
                self.compile(&spec);
            }
            if self.refusals.is_empty() {
                return Ok(Imported { spec, notes: self.notes });
            }
        }
        Err(ImportError::of(self.refusals))
    }

    /// Compiles; if that fails, field by field, so that every one at fault is
    /// named. What is found here are rules of this crate that a document
    /// breaks, such as composites too deep in each other.
    fn compile(&mut self, spec: &SpecFile) {
        let Err(error) = Spec::compile(spec) else { return };
        let mut one = SpecFile { fields: Vec::new(), ..spec.clone() };
        for field in &spec.fields {
            one.fields = vec![FieldDef::clone(field)];
            if let Err(error) = Spec::compile(&one) {
                let place = Place::Document.below(&field.number.to_string());
                self.refuse(&place, None, Rule::Other(error.to_string()));
            }
        }
        if self.refusals.is_empty() {
            self.refuse(&Place::Document, None, Rule::Other(error.to_string()));
        }
    }
}
