//! What happened before, as rules ask about it: what is counted, in which window, and for whom.
//!
//! A rule says whether its window is of the calendar, of business days in the city's zone, or slides; they answer
//! differently for most requests, so neither stands for the other. Nothing here counts: see [`super::Past`].
//!
//! Start at [`Window`].

use std::fmt;

use super::facts::Fact;
use crate::Period;

/// A question about what happened before this request, which is not in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Window {
    /// What is asked.
    pub measure: Measure,
    /// In which time.
    pub span: TimeSpan,
    /// For whom.
    pub by: By,
}

/// What is asked about a window.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Measure {
    /// How many.
    Count(Of),
    /// How much together, minor units of the currency in which sums are kept.
    Sum(Of),
    /// How many different ones sent a request.
    Distinct(Fact),
}

/// What is counted. Repeats, and what we or somebody behind us could not answer, are never counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Of {
    /// What was approved, less what went back of it; no inquiries.
    Approved,
    /// Every request, whatever became of it.
    Attempts,
    /// What was declined, for whatever cause.
    Declined,
    /// Declined: no such card (14).
    UnknownCard,
    /// Declined: expired, or the wrong expiry (54).
    Expired,
    /// Declined: wrong PIN (55).
    WrongPin,
    /// Declined: wrong card value or suspected fraud (59).
    SuspectedFraud,
}

/// A window of time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TimeSpan {
    /// The day, week, month or year of the calendar that the request falls in; weeks begin on Monday.
    Calendar(Period),
    /// The seconds before the request.
    Sliding(u32),
}

/// For whom is counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum By {
    /// The card.
    Card,
    /// The terminal.
    Terminal,
    /// The merchant.
    Merchant,
    /// All cards of the product.
    Product,
    /// All cards of the BIN.
    Bin,
    /// The card at the merchant.
    CardAtMerchant,
}

/// The longest sliding window, days.
pub const SLIDING_DAYS_MAX: u32 = 31;

pub(super) const PERIODS: [(&str, Period); 4] =
    [("day", Period::Day), ("week", Period::Week), ("month", Period::Month), ("year", Period::Year)];

/// What can be counted, as it is written and what it means.
pub(super) const OF: [(&str, Of, &str); 7] = [
    ("approved", Of::Approved, "what was approved, less what was reversed; no inquiries"),
    ("attempts", Of::Attempts, "every request, whatever became of it"),
    ("declined", Of::Declined, "what was declined, for whatever cause"),
    ("unknown_card", Of::UnknownCard, "declined because there is no such card (14)"),
    ("expired", Of::Expired, "declined because the card has expired or the expiry is wrong (54)"),
    ("wrong_pin", Of::WrongPin, "declined because of a wrong PIN (55)"),
    ("suspected_fraud", Of::SuspectedFraud, "declined because of a wrong card value or suspected fraud (59)"),
];

pub(super) const BY: [(&[Fact], By); 6] = [
    (&[Fact::Card], By::Card),
    (&[Fact::Terminal], By::Terminal),
    (&[Fact::Merchant], By::Merchant),
    (&[Fact::Product], By::Product),
    (&[Fact::Bin], By::Bin),
    (&[Fact::Card, Fact::Merchant], By::CardAtMerchant),
];

/// Of what different ones can be counted.
pub(super) const DISTINCT: [Fact; 3] = [Fact::Card, Fact::Merchant, Fact::Terminal];

impl TimeSpan {
    /// The window of a text: `day`, `week`, `month`, `year`, or a number with `m`, `h` or `d`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        if let Some((_, period)) = PERIODS.iter().find(|(name, _)| *name == text) {
            return Some(Self::Calendar(*period));
        }
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        // Not "+1h", and not two ways to write one number.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let number: u32 = digits.parse().ok().filter(|_| plain)?;
        let span = number.checked_mul(seconds)?;
        (span <= SLIDING_DAYS_MAX * 86_400).then_some(Self::Sliding(span))
    }
}

impl By {
    /// The facts that it is made of.
    #[must_use]
    pub fn facts(self) -> &'static [Fact] {
        BY.iter().find(|(_, by)| *by == self).map_or(&[], |(facts, _)| *facts)
    }
}

impl fmt::Display for Window {
    /// As a rule writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |of: Of| OF.iter().find(|(_, known, _)| *known == of).map_or("", |(word, ..)| *word);
        match self.measure {
            Measure::Count(of) => write!(f, "count({}", word(of))?,
            Measure::Sum(of) => write!(f, "sum({}", word(of))?,
            Measure::Distinct(fact) => write!(f, "distinct({}", fact.row().name)?,
        }
        write!(f, ", \"{}\"", self.span)?;
        for fact in self.by.facts() {
            write!(f, ", {}", fact.row().name)?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for TimeSpan {
    /// In the largest unit without a rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Calendar(period) => {
                f.write_str(PERIODS.iter().find(|(_, known)| *known == period).map_or("", |(name, _)| *name))
            }
            Self::Sliding(seconds) if seconds.is_multiple_of(86_400) => write!(f, "{}d", seconds / 86_400),
            Self::Sliding(seconds) if seconds.is_multiple_of(3_600) => write!(f, "{}h", seconds / 3_600),
            Self::Sliding(seconds) => write!(f, "{}m", seconds / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_words_of_the_calendar_or_a_number_with_a_unit() {
        let cases = [
            ("day", Some(TimeSpan::Calendar(Period::Day))),
            ("year", Some(TimeSpan::Calendar(Period::Year))),
            ("10m", Some(TimeSpan::Sliding(600))),
            ("24h", Some(TimeSpan::Sliding(86_400))),
            ("31d", Some(TimeSpan::Sliding(31 * 86_400))),
            ("32d", None),
            ("0h", None),
            ("+1h", None),
            ("h", None),
            ("", None),
            ("1s", None),
            ("99999999999h", None),
            ("1\u{e9}", None),
        ];
        for (text, want) in cases {
            assert_eq!(TimeSpan::named(text), want, "{text}");
        }
        assert_eq!(TimeSpan::Sliding(86_400).to_string(), "1d", "however it was written");
    }
}
