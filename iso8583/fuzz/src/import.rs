//! What must hold of whatever an importer makes of any bytes; used by its targets and by the replay of their seeds.

use iso8583::import::{ImportError, Imported};
use iso8583::{Message, Spec, SpecFile};

/// What was imported compiles, reads back from what it is written as, and decodes anything without harm; what was not
/// has its reasons, each on one line.
pub(crate) fn obeys(imported: Result<Imported, ImportError>, bytes: &[u8]) {
    match imported {
        Ok(Imported { spec, notes }) => {
            let compiled = Spec::compile(&spec).expect("what is imported compiles");
            assert!(SpecFile::from_toml(&spec.to_toml()).as_ref() == Ok(&spec), "and reads back");
            assert!(notes.iter().all(|note| !note.to_string().contains(char::is_control)));
            let (message, _) = Message::decode_partial(&compiled, bytes);
            assert!(message.fields().count() <= spec.fields.len());
        }
        Err(error) => {
            assert!(matches!(error.refusals().len(), 1..=100));
            assert!(error.refusals().iter().all(|refusal| !refusal.to_string().contains(char::is_control)));
        }
    }
}
