//! What merchants are charged, as data: a schedule of entries, of which the first that fits a payment decides.
//!
//! A schedule is an event; a later one is a later event and replaces it. Which entry fits is asked when a payment is
//! decided, at its business day, and stands in its record with the fee: a changed schedule changes nothing that was.
//! Where no entry fits, the merchant's own terms hold ([`super::Merchant::fee`]).
//!
//! Start at [`FeeRule`]; [`find`] looks for the one that fits.

use serde::{Deserialize, Serialize};

use super::event::TerminalDialect;
use crate::ledger::{Currency, Minor};

/// The most entries of a schedule: all of them are looked at for every payment.
pub const FEE_RULES_MAX: usize = 64;

/// One entry. What it does not name, any payment has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FeeRule {
    /// Its name for people.
    pub name: String,
    /// The currency of its amounts, and of the payments it is for.
    pub currency: Currency,
    /// Share of the amount, hundredths of a percent: `percent_bp` in a city's `fees.toml`.
    #[serde(alias = "share_bp")]
    pub percent_bp: u32,
    /// What is added to the share, minor units.
    pub fixed: Minor,
    /// The lowest fee, minor units.
    pub min: Minor,
    /// The highest fee, minor units.
    pub max: Minor,
    /// Merchant category codes.
    pub categories: Vec<u16>,
    /// What the terminal speaks.
    pub channels: Vec<TerminalDialect>,
    /// Positions of card products.
    pub products: Vec<u16>,
    /// Positions of merchants.
    pub merchants: Vec<u32>,
    /// The first business day, days since 1970-01-01.
    pub first_day: Option<i32>,
    /// The last business day.
    pub last_day: Option<i32>,
}

/// What a fee depends on, the amount aside.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    /// Its currency.
    pub currency: Currency,
    /// The terminal's merchant category code.
    pub category: u16,
    /// What the terminal speaks.
    pub channel: TerminalDialect,
    /// Position of the card's product.
    pub product: u16,
    /// Position of the merchant.
    pub merchant: u32,
    /// The business day that is open.
    pub day: i32,
}

/// A schedule that says something impossible.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FeeFault {
    /// More entries than are looked at.
    #[error("there are more than {FEE_RULES_MAX} entries")]
    TooMany,
    /// A share above the whole.
    #[error("entry {0}: the share is above 10000 hundredths of a percent")]
    Share(usize),
    /// An amount below zero.
    #[error("entry {0}: an amount is below zero")]
    Negative(usize),
    /// The minimum is above the cap.
    #[error("entry {0}: the lowest fee is above the highest")]
    MinAboveMax(usize),
    /// It ends before it begins.
    #[error("entry {0}: the last day is before the first")]
    Days(usize),
    /// It names a product or merchant that is not there.
    #[error("entry {0} names a product or merchant that does not exist")]
    NoSuch(usize),
}

impl FeeRule {
    /// Whether the entry is for this payment.
    #[must_use]
    pub fn fits(&self, payment: &Payment) -> bool {
        self.currency == payment.currency
            && names(&self.categories, &payment.category)
            && names(&self.channels, &payment.channel)
            && names(&self.products, &payment.product)
            && names(&self.merchants, &payment.merchant)
            && self.first_day.is_none_or(|first| first <= payment.day)
            && self.last_day.is_none_or(|last| payment.day <= last)
    }

    /// The fee on an amount, minor units: share, rounded half up, and fixed part, between minimum and cap, never above
    /// the amount.
    #[must_use]
    pub fn fee(&self, amount: Minor) -> Minor {
        let sum = share(amount, self.percent_bp).and_then(|share| share.checked_add(self.fixed));
        let sum = sum.unwrap_or(self.max);
        sum.max(self.min).min(self.max).min(amount)
    }

    fn check(&self, at: usize, products: usize, merchants: usize) -> Result<(), FeeFault> {
        let there = self.products.iter().all(|product| usize::from(*product) < products)
            && self.merchants.iter().all(|merchant| (*merchant as usize) < merchants);
        let ends_first = self.first_day.zip(self.last_day).is_some_and(|(first, last)| last < first);
        match () {
            () if self.percent_bp > 10_000 => Err(FeeFault::Share(at)),
            () if [self.fixed, self.min, self.max].iter().any(|amount| *amount < 0) => {
                Err(FeeFault::Negative(at))
            }
            () if self.min > self.max => Err(FeeFault::MinAboveMax(at)),
            () if ends_first => Err(FeeFault::Days(at)),
            () if !there => Err(FeeFault::NoSuch(at)),
            () => Ok(()),
        }
    }
}

/// A share of an amount in hundredths of a percent, rounded half up; none if it is no amount.
pub(super) fn share(amount: Minor, percent_bp: u32) -> Option<Minor> {
    // Nearly always in 64 bits, which are divided much faster.
    match amount.checked_mul(percent_bp.into()).and_then(|product| product.checked_add(5_000)) {
        Some(product) => Some(product / 10_000),
        None => share_of_much(amount, percent_bp),
    }
}

#[cold]
#[inline(never)]
fn share_of_much(amount: Minor, percent_bp: u32) -> Option<Minor> {
    Minor::try_from((i128::from(amount) * i128::from(percent_bp) + 5_000) / 10_000).ok()
}

fn names<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

/// The first entry that is for this payment, and its position.
#[must_use]
pub fn find<'a>(schedule: &'a [FeeRule], payment: &Payment) -> Option<(u16, &'a FeeRule)> {
    (0..).zip(schedule).find(|(_, rule)| rule.fits(payment))
}

/// Whether a schedule can be put in force where there are so many products and merchants.
///
/// # Errors
/// The first entry at fault; they count from 0.
pub fn check(schedule: &[FeeRule], products: usize, merchants: usize) -> Result<(), FeeFault> {
    if schedule.len() > FEE_RULES_MAX {
        return Err(FeeFault::TooMany);
    }
    schedule.iter().enumerate().try_for_each(|(at, rule)| rule.check(at, products, merchants))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYMENT: Payment = Payment {
        currency: 156,
        category: 5812,
        channel: TerminalDialect::Pos,
        product: 1,
        merchant: 7,
        day: 20_000,
    };

    fn rule() -> FeeRule {
        FeeRule {
            name: "any".into(),
            currency: 156,
            percent_bp: 60,
            fixed: 10,
            min: 12,
            max: 8_000,
            categories: Vec::new(),
            channels: Vec::new(),
            products: Vec::new(),
            merchants: Vec::new(),
            first_day: None,
            last_day: None,
        }
    }

    #[test]
    fn a_fee_is_share_and_fixed_part_between_minimum_and_cap() {
        let rows = [(5, 5), (100, 12), (10_000, 70), (12_499, 85), (10_000_000, 8_000), (Minor::MAX, 8_000)];
        for (amount, want) in rows {
            assert_eq!(rule().fee(amount), want, "on {amount}");
        }
    }

    #[test]
    fn an_entry_fits_what_it_names_and_the_first_that_fits_decides() {
        let rows = [
            ("nothing named", rule(), true),
            ("the category", FeeRule { categories: vec![5411, 5812], ..rule() }, true),
            ("another category", FeeRule { categories: vec![5411], ..rule() }, false),
            ("another channel", FeeRule { channels: vec![TerminalDialect::Epos], ..rule() }, false),
            ("the product", FeeRule { products: vec![1], ..rule() }, true),
            ("another product", FeeRule { products: vec![0], ..rule() }, false),
            ("another merchant", FeeRule { merchants: vec![8], ..rule() }, false),
            ("another currency", FeeRule { currency: 978, ..rule() }, false),
            ("its first day", FeeRule { first_day: Some(20_000), ..rule() }, true),
            ("the day before", FeeRule { first_day: Some(20_001), ..rule() }, false),
            ("its last day", FeeRule { last_day: Some(20_000), ..rule() }, true),
            ("the day after", FeeRule { last_day: Some(19_999), ..rule() }, false),
        ];
        for (name, rule, want) in rows {
            assert_eq!(rule.fits(&PAYMENT), want, "{name}");
        }
        let schedule = [
            FeeRule { last_day: Some(19_999), ..rule() },
            FeeRule { percent_bp: 1, ..rule() },
            FeeRule { percent_bp: 2, ..rule() },
        ];
        assert_eq!(find(&schedule, &PAYMENT).map(|(at, rule)| (at, rule.percent_bp)), Some((1, 1)));
        assert_eq!(find(&schedule[..1], &PAYMENT), None);
    }

    #[test]
    fn an_impossible_schedule_is_refused() {
        let rows = [
            (FeeRule { percent_bp: 10_001, ..rule() }, FeeFault::Share(1)),
            (FeeRule { fixed: -1, ..rule() }, FeeFault::Negative(1)),
            (FeeRule { min: 8_001, ..rule() }, FeeFault::MinAboveMax(1)),
            (FeeRule { first_day: Some(2), last_day: Some(1), ..rule() }, FeeFault::Days(1)),
            (FeeRule { products: vec![2], ..rule() }, FeeFault::NoSuch(1)),
            (FeeRule { merchants: vec![8], ..rule() }, FeeFault::NoSuch(1)),
        ];
        for (fault, want) in rows {
            assert_eq!(check(&[rule(), fault], 2, 8), Err(want));
        }
        assert_eq!(check(&vec![rule(); FEE_RULES_MAX], 2, 8), Ok(()));
        assert_eq!(check(&vec![rule(); FEE_RULES_MAX + 1], 2, 8), Err(FeeFault::TooMany));
    }
}
