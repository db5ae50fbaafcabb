//! `cardswitch order rules`: a set of rules that one officer wrote and another is to approve.

use std::path::PathBuf;

use crate::{
    books::{
        ordered::ORDER_BYTES_MAX,
        packed_rules::{PackedRules, TEXT_BYTES_MAX},
        rulebook::{self, RuleText, RulesFault},
    },
    cli::{Failure, rules},
    config::EXIT_USAGE,
    hex,
};

/// Most bytes of a set's packed texts: what a record holds, less what the order says beside them.
const PACKED_BYTES_MAX: usize = ORDER_BYTES_MAX - 1024;

/// What is ordered of these files. Files with a fault in them become no order.
pub(super) fn ordered(files: &[PathBuf]) -> Result<PackedRules, Failure> {
    let (texts, _) = rules::read_set(files)?;
    let name = |file: &PathBuf| file.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = |(file, text): (&PathBuf, String)| RuleText { name: name(file).unwrap_or_default(), text };
    let files: Vec<RuleText> = files.iter().zip(texts).map(named).collect();
    // What the switch would refuse is told to the author, not to the approver.
    rulebook::compile(&files).map_err(|fault| Failure { message: fault.to_string(), code: EXIT_USAGE })?;
    let bytes: usize = files.iter().map(|file| file.name.len() + file.text.len()).sum();
    let packed = PackedRules::pack(&files);
    let packed_bytes = packed.0.len();
    if bytes > TEXT_BYTES_MAX || packed_bytes > PACKED_BYTES_MAX {
        let message = format!(
            "the files have {bytes} bytes, packed {packed_bytes}, and a set that is published at most {TEXT_BYTES_MAX}, packed {PACKED_BYTES_MAX}; leave out rules that are off"
        );
        return Err(Failure { message, code: EXIT_USAGE });
    }
    Ok(packed)
}

/// A packed set, in hex digits, for whoever is to approve it.
pub(super) fn packed_words(files: &str) -> String {
    match hex::all(files).and_then(|packed| PackedRules(packed).files()) {
        Some(files) => words(&files),
        None => RulesFault::Packed.to_string(),
    }
}

/// A set for whoever is to approve it: what it comes to, then what was written.
pub(super) fn words(files: &[RuleText]) -> String {
    let set = match rulebook::compile(files) {
        Ok(book) => rules::shown(&book),
        Err(fault) => fault.to_string(),
    };
    let texts: String =
        files.iter().map(|file| format!("\n--- {}\n{}", file.name, printable(&file.text))).collect();
    format!("put this set of rules in force, in place of the one before\n{set}\n{texts}---")
}

/// A text in which nothing moves a cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
