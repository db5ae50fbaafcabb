//! `rules.toml`: the rules a city begins with, in the form that the crate `risk` describes; and which acquirer a
//! cash machine belongs to.

use risk::RuleFile;

use super::{CITY_CURRENCY, City, CityError, Dialect, Problem, RULES, TerminalRow};

impl City {
    /// The rules of `rules.toml`, with products by their position; none if the file does not exist.
    ///
    /// # Errors
    /// The line, or the rule and key, at fault.
    pub fn rules(&self) -> Result<Vec<risk::Rule>, CityError> {
        let Some(text) = &self.rules else { return Ok(Vec::new()) };
        let fault = |problem: String| CityError::of_file(RULES, Problem::Toml(problem));
        let file: RuleFile = toml::from_str(text).map_err(|error| {
            let newlines = |end: usize| text.bytes().take(end).filter(|byte| *byte == b'\n').count();
            let line = error.span().map(|span| newlines(span.start) as u64 + 1);
            CityError { line, ..fault(error.message().to_owned()) }
        })?;
        let product = |name: &str| {
            let at = self.products.products.iter().position(|product| product.name == name)?;
            u16::try_from(at).ok()
        };
        let rules = file.compile(CITY_CURRENCY, product).map_err(|error| fault(error.to_string()))?;
        Ok(rules.as_slice().to_vec())
    }

    /// Position of the acquirer whose cash machine this is; none for other terminals.
    #[must_use]
    pub fn acquirer_of(&self, terminal: &TerminalRow) -> Option<u16> {
        if terminal.dialect != Dialect::Atm {
            return None;
        }
        let at = self.acquirers.iter().position(|acquirer| acquirer.merchant == terminal.merchant)?;
        u16::try_from(at).ok()
    }
}
