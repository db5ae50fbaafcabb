//! How a debit is spread over the purses of a card: in the product's order of use, each purse only where it may
//! be used.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{AccountId, Currency, Ledger, Minor, Posting};

/// The most purses a card may have, so that a debit fits into one event beside merchant and fee.
pub const PURSES_MAX: usize = 4;

/// The most merchant categories a purse type may name.
pub const CATEGORIES_MAX: usize = 16;

/// A kind of purse: general, transit, medical, welfare. Data from the products file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PurseType {
    /// Its name in files and tables.
    pub name: String,
    /// Its currency.
    pub currency: Currency,
    /// Merchant category codes (ISO 18245) at which it may be used; empty is everywhere.
    pub categories: ArrayVec<u16, CATEGORIES_MAX>,
    /// The lowest balance, in minor units; usually zero.
    pub floor: Minor,
    /// The highest balance a load may bring it to, in minor units.
    pub max: Minor,
}

impl PurseType {
    /// Whether the purse may pay in this currency at a merchant of this category.
    #[must_use]
    pub fn pays(&self, currency: Currency, category: u16) -> bool {
        self.currency == currency && (self.categories.is_empty() || self.categories.contains(&category))
    }
}

/// Takes `amount` from the purses in the order given: each gives what it has until the amount is reached.
///
/// Returns `None` when together they do not hold enough; nothing is partial here.
#[must_use]
pub fn split_debit(
    ledger: &Ledger,
    purses: impl Iterator<Item = AccountId>,
    amount: Minor,
) -> Option<ArrayVec<Posting, PURSES_MAX>> {
    let mut legs = ArrayVec::new();
    let mut left = amount;
    for account in purses {
        let take = left.min(ledger.available(account));
        if take > 0 {
            legs.try_push(Posting { account, amount: -take }).ok()?;
            left -= take;
        }
        if left == 0 {
            return Some(legs);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::AccountKind;
    use super::*;

    #[test]
    fn a_debit_takes_the_purses_in_their_order() {
        let mut ledger = Ledger::default();
        let bank = ledger.open(AccountKind::Bank, 156, Minor::MIN);
        let purses: Vec<AccountId> = [30, 0, 50]
            .iter()
            .zip(0..)
            .map(|(balance, purse)| {
                let id = ledger.open(AccountKind::Purse { card: 0, purse }, 156, 0);
                let legs =
                    [Posting { account: bank, amount: -balance }, Posting { account: id, amount: *balance }];
                ledger.post(&legs).expect("an opening balance");
                id
            })
            .collect();
        type Row<'a> = (&'a str, Minor, Option<&'a [(usize, Minor)]>);
        let rows: [Row<'_>; 5] = [
            ("the first purse is enough", 30, Some(&[(0, 30)])),
            ("the rest comes from the next that has any", 60, Some(&[(0, 30), (2, 30)])),
            ("everything", 80, Some(&[(0, 30), (2, 50)])),
            ("one more than everything", 81, None),
            ("the first purse alone, in part", 1, Some(&[(0, 1)])),
        ];
        for (name, amount, want) in rows {
            let got = split_debit(&ledger, purses.iter().copied(), amount);
            let want: Option<Vec<Posting>> = want.map(|legs| {
                legs.iter()
                    .map(|(purse, taken)| Posting { account: purses[*purse], amount: -taken })
                    .collect()
            });
            assert_eq!(got.map(|legs| legs.to_vec()), want, "{name}");
        }
    }

    #[test]
    fn a_purse_pays_only_in_its_currency_and_at_its_merchants() {
        let medical = PurseType {
            name: "medical".into(),
            currency: 156,
            categories: [5912, 8062].into_iter().collect(),
            floor: 0,
            max: 100,
        };
        let rows = [(156, 5912, true), (156, 5411, false), (978, 5912, false), (156, 8062, true)];
        for (currency, category, want) in rows {
            assert_eq!(medical.pays(currency, category), want, "{currency} at {category}");
        }
    }
}
