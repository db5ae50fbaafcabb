//! From a place in a rule's text to the place in the file around it.
//!
//! Start at [`Value`].

use toml::Spanned;

/// A text of a file and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Value<'f> {
    file: &'f str,
    /// The bytes of the value with its quotes.
    start: usize,
    end: usize,
    text: &'f str,
}

impl<'f> Value<'f> {
    pub(super) fn new(file: &'f str, value: &'f Spanned<String>) -> Self {
        let span = value.span();
        Self { file, start: span.start, end: span.end, text: value.get_ref() }
    }

    /// The byte of the file at which a byte of the text stands; where the value begins if the file writes it in
    /// another way, with backslashes.
    pub(super) fn byte(&self, at: usize) -> usize {
        let Some(raw) = self.file.get(self.start..self.end) else { return self.start };
        let quotes = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| raw.starts_with(quotes));
        let Some(quotes) = quotes else { return self.start };
        let inside = raw.get(quotes.len()..raw.len().saturating_sub(quotes.len())).unwrap_or_default();
        // A line feed right behind three quotes is no part of the text.
        let skipped = inside.find(self.text).filter(|skipped| {
            let newline = inside.get(..*skipped).unwrap_or_default();
            matches!(newline, "" | "\n" | "\r\n") && skipped + self.text.len() == inside.len()
        });
        skipped.map_or(self.start, |skipped| self.start + quotes.len() + skipped + at)
    }
}
