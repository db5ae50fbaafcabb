//! One layout for the conditions of a file, everything else as its author wrote it.
//!
//! Start at [`format_file`].

use toml::Spanned;

use super::faults::{FileFault, FileProblem};
use super::file::Document;
use super::place::Value;
use super::read::{document, fault};
use crate::language::format;

/// A file whose conditions are in their one form: on one line between apostrophes, or on lines of their own between
/// three. What stands around them is left as it is.
///
/// # Errors
/// What keeps the file or a condition from being read; all conditions at once.
pub fn format_file(text: &str) -> Result<String, Vec<FileFault>> {
    let Document { rule: rows, .. } = document(text).map_err(|fault| vec![fault])?;
    let (mut pieces, mut faults) = (Vec::new(), Vec::new());
    for row in &rows {
        match format(row.when.get_ref()) {
            Ok(formatted) => pieces.push((row.when.span(), quoted(&formatted))),
            Err(error) => faults.push(of_text(text, row.id.get_ref(), &row.when, error)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    // From the end, so that the places in front stay where they are.
    pieces.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut out = text.to_owned();
    for (span, formatted) in pieces {
        out.replace_range(span, &formatted);
    }
    Ok(out)
}

/// The fault of a condition, where the file has it.
pub(super) fn of_text(
    file: &str,
    rule: &str,
    when: &Spanned<String>,
    error: crate::language::Fault,
) -> FileFault {
    let byte = Value::new(file, when).byte(error.span.start);
    FileFault {
        rule: Some(rule.to_owned()),
        key: Some("when"),
        ..fault(file, byte, FileProblem::Text(Box::new(error)))
    }
}

/// A condition as TOML; it has neither backslashes nor three apostrophes in it.
fn quoted(condition: &str) -> String {
    if condition.contains(['\n', '\'']) { format!("'''\n{condition}\n'''") } else { format!("'{condition}'") }
}
