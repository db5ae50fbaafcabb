//! What rules are asked about: the facts of one request, borrowed, and what happened before.
//!
//! Start at [`Request::new`]. A fact that is not given is missing, or what the catalogue counts it as.

use super::currency::Currency;
use super::facts::{COUNT, Fact, REGIONS, Sort, TEXTS};
use super::graph::NamedList;
use super::machine::MISSING;
use super::window::Window;
use crate::Day;

/// The facts of one request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(super) day: Day,
    pub(super) numbers: [i64; COUNT],
    texts: [Option<&'a [u8]>; TEXTS],
    regions: [&'a [u32]; REGIONS],
}

/// What is looked up in a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key<'a> {
    /// A token, a number as in a field, a line.
    Text(&'a [u8]),
    /// A BIN.
    Number(i64),
}

/// What happened before a request. Answers depend on recorded times alone, never on the clock.
pub trait Past {
    /// What a window holds, without the request itself: a count, or a sum in minor units. `number` is the window's
    /// place in [`super::Code::windows`].
    fn window(&self, number: usize, window: &Window, request: &Request<'_>) -> i64;

    /// Whether a list has an entry that is in force.
    fn listed(&self, list: &NamedList, key: Key<'_>) -> bool;
}

/// Slots of a request that has no facts.
static NOTHING: [i64; COUNT] = nothing();

const fn nothing() -> [i64; COUNT] {
    let (mut slots, mut place) = ([MISSING; COUNT], 0);
    // The rows of the catalogue cannot be read here, so what they say is said again, and a test compares.
    while place < COUNT {
        if place == Fact::PinFailed as usize {
            slots[place] = 0;
        } else if place == Fact::LuhnRight as usize {
            slots[place] = 1;
        }
        place += 1;
    }
    slots
}

impl<'a> Request<'a> {
    /// A request on a business day, without any fact yet.
    #[must_use]
    pub fn new(day: Day) -> Self {
        Self { day, numbers: NOTHING, texts: [None; TEXTS], regions: [&[]; REGIONS] }
    }

    /// Gives a number, an amount in minor units, or a flag as 0 or 1.
    pub fn number(&mut self, fact: Fact, value: i64) {
        self.numbers[fact as usize] = value.max(MISSING + 1);
    }

    /// Gives a text or a key. Spaces at its end, with which fields are filled, are no part of it.
    pub fn text(&mut self, fact: Fact, text: &'a [u8]) {
        if let Some(place) = self.texts.get_mut(fact as usize) {
            *place = Some(text.trim_ascii_end());
        }
    }

    /// Gives regions.
    pub fn regions(&mut self, fact: Fact, regions: &'a [u32]) {
        if let Some(place) = (fact as usize).checked_sub(TEXTS).and_then(|place| self.regions.get_mut(place))
        {
            *place = regions;
        }
    }

    /// Gives the currency, by its ISO 4217 number.
    pub fn currency(&mut self, number: u16) {
        let word = Currency::word_of(number).and_then(|place| i64::try_from(place).ok());
        // A currency that no rule can name is still a currency: it differs from all that can be named.
        self.numbers[Fact::Currency as usize] = word.unwrap_or(-1);
    }

    /// Gives one of the words of a fact; no if it is none of them.
    pub fn word(&mut self, fact: Fact, word: &str) -> bool {
        let Sort::Word(words) = fact.row().sort else { return false };
        let place = words.iter().position(|known| *known == word).and_then(|place| i64::try_from(place).ok());
        self.numbers[fact as usize] = place.unwrap_or(MISSING);
        place.is_some()
    }

    /// The business day.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day
    }

    /// A fact that is a number, an amount or a flag.
    #[must_use]
    pub fn number_of(&self, fact: Fact) -> Option<i64> {
        Some(self.numbers[fact as usize]).filter(|number| *number != MISSING)
    }

    /// A fact that is a text or a key.
    #[must_use]
    pub fn text_of(&self, fact: Fact) -> Option<&'a [u8]> {
        self.texts.get(fact as usize).copied().flatten()
    }

    /// A fact that is regions.
    #[must_use]
    pub fn regions_of(&self, fact: Fact) -> &'a [u32] {
        let place = (fact as usize).checked_sub(TEXTS);
        place.and_then(|place| self.regions.get(place)).copied().unwrap_or(&[])
    }

    /// Whether a fact is there.
    #[must_use]
    pub fn has(&self, fact: Fact) -> bool {
        match fact.row().sort {
            Sort::Text | Sort::Key => self.text_of(fact).is_some(),
            Sort::Regions => true,
            _ => self.number_of(fact).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::facts::{FACTS, Missing};

    #[test]
    fn what_is_missing_counts_as_the_catalogue_says() {
        for row in FACTS {
            let counts = if let Missing::Counts(value) = row.missing { value } else { MISSING };
            assert_eq!(NOTHING[row.fact as usize], counts, "{}", row.name);
        }
    }

    #[test]
    fn a_text_ends_before_its_spaces_and_a_currency_is_never_missing() {
        let mut request = Request::new(Day(0));
        request.text(Fact::Merchant, b"898310054110001  ");
        request.currency(999);
        assert_eq!(request.text_of(Fact::Merchant), Some(&b"898310054110001"[..]));
        assert!(request.has(Fact::Currency) && !request.has(Fact::Terminal));
        assert!(request.word(Fact::Channel, "atm") && !request.word(Fact::Channel, "ship"));
        assert!(!request.has(Fact::Channel), "a word that there is not is no fact");
    }
}
