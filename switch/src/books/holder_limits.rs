//! What cardholders allow of what their products allow: where, by which channels, how much at once, how much and how often a
//! day.
//!
//! A holder can only take away: product, rules and funds are asked all the same. What is beyond a limit is declined, or
//! approved and told, as the holder chose. The limits of a card are replaced as a whole by an order of one signature, since
//! it is the holder who asks for it. Few cards have any; a bit in the card's row says which.
//!
//! Start at [`HolderLimits`] and `beyond_limits`.

use std::collections::BTreeMap;

use arrayvec::ArrayVec;
use risk::{Counts, Day, Period, region};
use serde::{Deserialize, Serialize};

use super::{
    Books,
    apply::ApplyError,
    event::{Event, TerminalDialect},
    product::Regions,
    reason::Reason,
};
use crate::ledger::Minor;

/// What a cardholder allows. Amounts in minor units of the city's currency, in which sums are kept: a payment in another
/// counts, and is neither compared with an amount nor added to one.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HolderLimits {
    /// Where, by codes of GB/T 2260; empty is everywhere. Rules see them as those of the card.
    pub regions: Regions,
    /// Channels that are shut.
    pub shut: ArrayVec<TerminalDialect, 3>,
    /// The most of one payment, withdrawal or pre-authorization.
    pub amount_max: Option<Minor>,
    /// The most on one business day.
    pub day_amount_max: Option<Minor>,
    /// How many on one business day.
    pub day_count_max: Option<u32>,
    /// What becomes of a request beyond a limit.
    pub beyond: Beyond,
}

/// What becomes of a request beyond a cardholder's limit. Either way the holder is told.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// It is declined.
    #[default]
    Decline,
    /// It is approved, if nothing else is in its way.
    Notify,
}

/// Limits that no card may be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LimitsFault {
    /// A code that is none, or twice the same.
    #[error("regions are different codes of 6 digits, 100000 to 999999")]
    Regions,
    /// Twice the same.
    #[error("a channel is shut twice")]
    Channels,
    /// An amount or a count that nothing is below.
    #[error("a limit is above zero; to shut a channel, name it")]
    Zero,
    /// More than any request can ask for: field 4 has 12 digits. A card number is longer, and the journal would keep it.
    #[error("an amount has at most 12 digits")]
    TooHigh,
    /// One payment above a whole day.
    #[error("one payment may be more than all of a day")]
    DayBelowOne,
}

/// The highest amount of field 4 (ISO 8583), minor units.
const AMOUNT_MAX: Minor = 999_999_999_999;

/// A card's limits as an event says them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitedCard {
    /// Position of the card.
    pub card: u32,
    /// All of its limits from now on; none of them: as its product says.
    pub limits: HolderLimits,
}

/// The limits of those cards that have any, by position.
pub(super) type LimitedCards = BTreeMap<u32, HolderLimits>;

impl HolderLimits {
    /// Whether there is none: everything is allowed that the product allows.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self { beyond: self.beyond, ..Self::default() }
    }

    /// Whether a card may be given them.
    ///
    /// # Errors
    /// The first rule they break.
    pub fn check(&self) -> Result<(), LimitsFault> {
        let (regions, shut) = (&self.regions, &self.shut);
        let is_code = |code: &u32| (100_000..=999_999).contains(code);
        if !regions.iter().all(is_code) || (1..regions.len()).any(|at| regions[..at].contains(&regions[at])) {
            return Err(LimitsFault::Regions);
        }
        if (1..shut.len()).any(|at| shut[..at].contains(&shut[at])) {
            return Err(LimitsFault::Channels);
        }
        if [self.amount_max, self.day_amount_max].into_iter().flatten().any(|most| most <= 0)
            || self.day_count_max == Some(0)
        {
            return Err(LimitsFault::Zero);
        }
        if [self.amount_max, self.day_amount_max].into_iter().flatten().any(|most| most > AMOUNT_MAX) {
            return Err(LimitsFault::TooHigh);
        }
        match (self.amount_max, self.day_amount_max) {
            (Some(one), Some(day)) if one > day => Err(LimitsFault::DayBelowOne),
            _ => Ok(()),
        }
    }
}

impl Books {
    /// What a card's holder allows; none where it is all that the product does.
    #[must_use]
    pub fn holder_limits(&self, card: u32) -> Option<&HolderLimits> {
        if self.cards.is_limited(card) { self.limited.get(&card) } else { None }
    }

    /// How many cards have limits of their holders.
    #[must_use]
    pub fn limited_cards(&self) -> usize {
        self.limited.len()
    }

    /// Which limit of its holder a request is beyond, and what becomes of it.
    pub(super) fn beyond_limits(
        &self,
        asked: &risk::Facts<'_>,
        channel: TerminalDialect,
    ) -> Option<(Reason, Beyond)> {
        let limits = self.holder_limits(asked.card_index)?;
        let today = self.counters.card_line(asked.card_index).tally(
            Counts::Approved,
            Period::Day,
            Day(self.business_day),
        );
        let comparable = asked.currency == self.counters.currency();
        let above = |most: Option<Minor>, amount| comparable && most.is_some_and(|most| amount > most);
        let reason = if limits.shut.contains(&channel) {
            Reason::NotPermittedToHolder
        } else if !region::allows(&limits.regions, asked.region) {
            Reason::Restricted
        } else if above(limits.amount_max, asked.amount) {
            Reason::AmountLimit
        } else if limits.day_count_max.is_some_and(|most| today.count >= most) {
            Reason::CountLimit
        } else if above(limits.day_amount_max, today.sum.saturating_add(asked.amount)) {
            Reason::AmountLimit
        } else {
            return None;
        };
        Some((reason, limits.beyond))
    }

    /// What follows if a cardholder asks for these limits.
    pub(super) fn decide_limits(&self, card: u32, limits: &HolderLimits) -> Result<Event, LimitsFault> {
        limits.check()?;
        Ok(Event::HolderLimitsSet(LimitedCard { card, limits: limits.clone() }))
    }

    pub(super) fn limit_card(&mut self, limited: &LimitedCard) -> Result<(), ApplyError> {
        let LimitedCard { card, limits } = limited;
        let no_such = ApplyError::NoSuch { seq: self.seq, what: "card" };
        let changed = self.cards.change(*card, |card| card.regions.clone_from(&limits.regions));
        changed.map_err(|_| no_such)?;
        self.restore_limits(limited).then_some(()).ok_or(no_such)
    }

    /// What a holder allowed of a card holds for the one in its place, unless that has limits already.
    pub(super) fn hand_limits_on(&mut self, from: u32, to: u32) -> Result<(), ApplyError> {
        match (self.holder_limits(from).cloned(), self.holder_limits(to)) {
            (Some(limits), None) => self.limit_card(&LimitedCard { card: to, limits }),
            _ => Ok(()),
        }
    }

    /// Notes a card's limits; no if there is no such card.
    pub(super) fn restore_limits(&mut self, limited: &LimitedCard) -> bool {
        let LimitedCard { card, limits } = limited;
        if limits.is_none() {
            self.limited.remove(card);
        } else {
            self.limited.insert(*card, limits.clone());
        }
        self.cards.set_limited(*card, !limits.is_none())
    }

    pub(super) fn limited_rows(&self) -> impl Iterator<Item = LimitedCard> {
        self.limited.iter().map(|(card, limits)| LimitedCard { card: *card, limits: limits.clone() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::settlement::testing::History;

    const CITY: u16 = 156;

    fn limited(limits: &HolderLimits) -> Books {
        let mut books = History::of_two_days().books;
        let (seq, time_ms) = (books.seq() + 1, books.time_ms());
        let limited = LimitedCard { card: 0, limits: limits.clone() };
        books.apply(seq, time_ms, &Event::HolderLimitsSet(limited)).unwrap();
        books
    }

    /// What becomes of a payment by card 0 in a currency and a region, by a channel.
    fn asked(
        books: &Books,
        amount: i64,
        currency: u16,
        region: u32,
        channel: TerminalDialect,
    ) -> Option<Reason> {
        let facts = risk::Facts {
            card: [0; 16],
            bin: 0,
            terminal: [0; 8],
            merchant: [0; 15],
            now_ms: books.time_ms(),
            card_index: 0,
            terminal_index: 0,
            merchant_index: 0,
            product: 0,
            category: 0,
            amount,
            currency,
            day: Day(books.business_day()),
            region,
            card_regions: &[],
            product_regions: &[],
        };
        books.beyond_limits(&facts, channel).map(|(reason, _)| reason)
    }

    #[test]
    fn the_first_limit_that_a_request_is_beyond_says_why() {
        let limits = HolderLimits {
            regions: [310_000].into_iter().collect(),
            shut: [TerminalDialect::Atm].into_iter().collect(),
            amount_max: Some(500),
            ..HolderLimits::default()
        };
        let (pos, atm) = (TerminalDialect::Pos, TerminalDialect::Atm);
        let rows = [
            ("within all", 500, CITY, 310_101, pos, None),
            ("a channel that is shut", 1, CITY, 310_101, atm, Some(Reason::NotPermittedToHolder)),
            ("both", 501, CITY, 320_500, atm, Some(Reason::NotPermittedToHolder)),
            ("another region", 501, CITY, 320_500, pos, Some(Reason::Restricted)),
            ("too much", 501, CITY, 310_101, pos, Some(Reason::AmountLimit)),
            ("in a currency without a sum", 501, 840, 310_101, pos, None),
        ];
        let books = limited(&limits);
        for (name, amount, currency, region, channel, want) in rows {
            assert_eq!(asked(&books, amount, currency, region, channel), want, "{name}");
        }
        let none = limited(&HolderLimits::default());
        assert_eq!(asked(&none, 9_999_999, CITY, 0, atm), None);
        assert_eq!((books.limited_cards(), none.limited_cards()), (1, 0));
    }

    #[test]
    fn limits_are_saved_and_a_card_keeps_them_when_something_else_of_it_changes() {
        let limits = HolderLimits { day_count_max: Some(1), ..HolderLimits::default() };
        let mut books = limited(&limits);
        books.reset_pin_tries(0).unwrap();
        let mut chunks = Vec::new();
        books.snapshot(&mut |chunk| chunks.push(chunk.to_vec()));
        let restored = Books::from_snapshot(&chunks).unwrap();
        for books in [&books, &restored] {
            assert_eq!((books.holder_limits(0), books.holder_limits(1)), (Some(&limits), None));
        }
        assert_eq!(books.state_hash(), restored.state_hash());
        assert_ne!(books.state_hash(), limited(&HolderLimits::default()).state_hash());
        let beyond_the_end = LimitedCard { card: u32::MAX, limits };
        let (seq, time_ms) = (books.seq() + 1, books.time_ms());
        assert!(books.apply(seq, time_ms, &Event::HolderLimitsSet(beyond_the_end)).is_err());
    }
}
