//! From a document's bytes to its text.

use std::borrow::Cow;

use super::DOCUMENT_BYTES_MAX;
use super::error::ImportError;
use super::findings::Findings;

/// The text of a document in UTF-8, with or without a byte order mark.
///
/// # Errors
/// A document that is too long or in no encoding known here.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, ImportError> {
    check_size(bytes)?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Findings::broken(None, format!("is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// The text of an XML document: in UTF-8, or in ISO 8859-1 if it says so.
///
/// # Errors
/// A document that is too long or in no encoding known here.
pub(super) fn xml(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    check_size(bytes)?;
    if says_latin1(bytes) {
        return Ok(Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()));
    }
    utf8(bytes).map(Cow::Borrowed)
}

fn check_size(bytes: &[u8]) -> Result<(), ImportError> {
    if bytes.len() <= DOCUMENT_BYTES_MAX {
        return Ok(());
    }
    Err(Findings::broken(None, format!("is longer than {DOCUMENT_BYTES_MAX} bytes")))
}

/// Whether the XML declaration names ISO 8859-1.
fn says_latin1(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"<?xml") else { return false };
    let end = rest.iter().position(|&byte| byte == b'>').unwrap_or(rest.len());
    let declaration = rest[..end].to_ascii_lowercase();
    let names = |name: &[u8]| declaration.windows(name.len()).any(|window| window == name);
    names(b"iso-8859-1") || names(b"latin1")
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        Lines(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line, counted from 1, on which this byte stands.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&end| end < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_text_is_utf8_unless_its_xml_declaration_says_otherwise() {
        for (bytes, want) in [
            (&b"<a/>"[..], Ok("<a/>")),
            (b"\xEF\xBB\xBF<a/>", Ok("<a/>")),
            (b"<?xml encoding='ISO-8859-1'?>\xE9", Ok("<?xml encoding='ISO-8859-1'?>é")),
            (b"<?xml encoding='UTF-8'?>\xC3\xA9", Ok("<?xml encoding='UTF-8'?>é")),
            (b"<?xml?>iso-8859-1 \xE9", Err("document: is not UTF-8 from byte 18 on")),
        ] {
            let text = xml(bytes).map_err(|error| error.to_string());
            assert_eq!(text.as_deref().map_err(String::as_str), want);
        }
    }

    #[test]
    fn one_byte_past_the_limit_is_refused() {
        assert!(utf8(&vec![b' '; DOCUMENT_BYTES_MAX]).is_ok());
        let error = utf8(&vec![b' '; DOCUMENT_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "document: is longer than 1048576 bytes");
    }

    #[test]
    fn a_byte_is_on_the_line_it_is_printed_on() {
        let lines = Lines::of("a\nbc\n\nd");
        let of: Vec<_> = (0..7).map(|offset| lines.line(offset)).collect();
        assert_eq!(of, [1, 1, 2, 2, 2, 3, 4]);
    }
}
