//! How money is spread over the purses of a card: a debit or a hold takes them in the product's order of use, each
//! purse only where it may be used; a completion takes what its hold set aside, in the same order; what is given
//! back goes the opposite way.
//!
//! Nothing here changes the ledger. Start at [`split_debit`].

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, Currency, Ledger, Minor, Posting, Postings,
    holds::{Hold, Leg, Legs},
};

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
    /// Whether it may be drawn in cash.
    pub cash: bool,
    /// The last business day on which it pays, days since 1970-01-01; none is for ever. What it holds stays its
    /// owner's.
    pub last_day: Option<i32>,
}

impl PurseType {
    /// Whether the purse may pay in this currency at a merchant of this category on this business day.
    #[must_use]
    pub fn pays(&self, currency: Currency, category: u16, day: i32) -> bool {
        let here = self.categories.is_empty() || self.categories.contains(&category);
        self.currency == currency && here && self.is_valid_on(day)
    }

    /// Whether it may be drawn as cash in this currency on this business day.
    #[must_use]
    pub fn pays_cash(&self, currency: Currency, day: i32) -> bool {
        self.cash && self.currency == currency && self.is_valid_on(day)
    }

    fn is_valid_on(&self, day: i32) -> bool {
        self.last_day.is_none_or(|last| day <= last)
    }
}

/// Takes `amount` from the purses in the order given: each gives what it has until the amount is reached.
///
/// Returns `None` when together they have not enough; nothing is partial here. What is held they do not have.
#[must_use]
pub fn split_debit(
    ledger: &Ledger,
    purses: impl Iterator<Item = AccountId>,
    amount: Minor,
) -> Option<Postings> {
    let mut debits = Postings::new();
    (split_part(ledger, purses, amount, &mut debits) == amount).then_some(debits)
}

/// Puts the debits that take what the purses have of `amount`, in the order given, behind those in `debits`, which are
/// none yet, and says how much that is.
#[must_use]
pub fn split_part(
    ledger: &Ledger,
    purses: impl Iterator<Item = AccountId>,
    amount: Minor,
    debits: &mut Postings,
) -> Minor {
    let mut left = amount;
    for account in purses.take(PURSES_MAX) {
        if left <= 0 {
            break;
        }
        let take = left.min(ledger.available(account));
        if take > 0 {
            debits.push(Posting { account, amount: -take });
            left -= take;
        }
    }
    amount - left
}

/// Sets `amount` aside in the purses in the order given, as [`split_debit`] would take it.
///
/// Returns `None` when together they have not enough. Nothing set aside is no legs, which the ledger refuses to
/// place.
#[must_use]
pub fn split_hold(ledger: &Ledger, purses: impl Iterator<Item = AccountId>, amount: Minor) -> Option<Legs> {
    let mut legs = Legs::new();
    let mut left = amount;
    for account in purses {
        let take = left.min(ledger.available(account));
        if take > 0 {
            legs.try_push(Leg { account, amount: take }).ok()?;
            // `take` is between zero and `left`.
            left -= take;
        }
        if left == 0 {
            return Some(legs);
        }
    }
    None
}

/// The debits of a completion: `amount` from the hold's legs, in their order.
///
/// An amount above the hold's total takes the whole hold and no more; where the rest comes from is for the caller
/// to say. [`split_debit`] may be asked for it while the hold is still live: it does not count what is held.
#[must_use]
pub fn complete_from_hold(hold: &Hold, amount: Minor) -> ArrayVec<Posting, PURSES_MAX> {
    let mut left = amount;
    let mut debits = ArrayVec::new();
    for leg in &hold.legs {
        let take = left.min(leg.amount);
        if take <= 0 {
            break;
        }
        debits.push(Posting { account: leg.account, amount: -take });
        left -= take;
    }
    debits
}

/// The credits that give `amount` back to where `debits` took it, the purse used last first, when `already` has
/// been given back before. However the whole is cut into parts, each purse gets what it gave and no more.
///
/// Postings among `debits` that are credits are passed over. What `amount` has beyond the rest of the debits is
/// given to nobody, so that the postings it goes into do not balance and the ledger refuses them. `credits` is what comes
/// out, whatever it was before.
pub fn give_back(debits: &[Posting], amount: Minor, already: Minor, credits: &mut Postings) {
    let mut already = already.max(0);
    let mut left = amount;
    credits.clear();
    for debit in debits.iter().rev().filter(|debit| debit.amount < 0) {
        let gave = debit.amount.saturating_neg();
        let returned = already.min(gave);
        already -= returned;
        let back = left.min(gave - returned);
        if back > 0 {
            if credits.try_push(Posting { account: debit.account, amount: back }).is_err() {
                break;
            }
            left -= back;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AccountKind, holds::HoldId};
    use super::*;

    /// Three purses with 30, 10 of which all are held, and 50.
    fn purses() -> (Ledger, [AccountId; 3]) {
        let mut ledger = Ledger::default();
        let bank = ledger.open(AccountKind::Bank, 156, Minor::MIN);
        let purses = [(0, 30), (1, 10), (2, 50)].map(|(purse, balance)| {
            let id = ledger.open(AccountKind::Purse { card: 0, purse }, 156, 0);
            let legs =
                [Posting { account: bank, amount: -balance }, Posting { account: id, amount: balance }];
            ledger.post(&legs).expect("an opening balance");
            id
        });
        ledger.place_hold(hold(&[(purses[1], 10)])).expect("ten are there");
        (ledger, purses)
    }

    fn hold(legs: &[(AccountId, Minor)]) -> Hold {
        let legs = legs.iter().map(|(account, amount)| Leg { account: *account, amount: *amount }).collect();
        Hold { id: HoldId(1), legs, currency: 156, expires_ms: 0 }
    }

    fn pairs(postings: &[Posting]) -> Vec<(AccountId, Minor)> {
        postings.iter().map(|posting| (posting.account, posting.amount)).collect()
    }

    #[test]
    fn a_debit_and_a_hold_take_the_purses_in_their_order() {
        let (ledger, [first, held, last]) = purses();
        type Row<'a> = (&'a str, Minor, Option<&'a [(AccountId, Minor)]>);
        let rows: [Row<'_>; 8] = [
            ("the first purse is enough", 30, Some(&[(first, 30)])),
            ("the rest comes from the next that has any free", 60, Some(&[(first, 30), (last, 30)])),
            ("everything that is free", 80, Some(&[(first, 30), (last, 50)])),
            ("one more than everything", 81, None),
            ("the first purse alone, in part", 1, Some(&[(first, 1)])),
            ("nothing", 0, Some(&[])),
            ("less than nothing", -1, None),
            ("the most there can be", Minor::MAX, None),
        ];
        for (name, amount, want) in rows {
            let purses = || [first, held, last].into_iter();
            let legs = split_hold(&ledger, purses(), amount).map(|legs| legs.to_vec());
            assert_eq!(legs, want.map(|legs| hold(legs).legs.to_vec()), "{name}: hold");
            let debits = split_debit(&ledger, purses(), amount).map(|debits| pairs(&debits));
            let want: Option<Vec<_>> =
                want.map(|legs| legs.iter().map(|(account, amount)| (*account, -amount)).collect());
            assert_eq!(debits, want, "{name}: debit");
            let mut part = Postings::new();
            let taken = split_part(&ledger, purses(), amount, &mut part);
            let all = vec![(first, -30), (last, -50)];
            let (want, much) = match (want, amount) {
                (Some(whole), _) => (whole, amount),
                (None, 0..) => (all, 80),
                (None, _) => (Vec::new(), 0),
            };
            assert_eq!((pairs(&part), taken), (want, much), "{name}: in part");
        }
    }

    #[test]
    fn a_completion_takes_the_legs_in_their_order() {
        let [a, b] = [AccountId(4), AccountId(3)];
        let hold = hold(&[(a, 30), (b, 50)]);
        type Row<'a> = (&'a str, Minor, &'a [(AccountId, Minor)]);
        let rows: [Row<'_>; 7] = [
            ("all of it", 80, &[(a, -30), (b, -50)]),
            ("the first leg in part", 29, &[(a, -29)]),
            ("the first leg exactly", 30, &[(a, -30)]),
            ("a little of the second", 31, &[(a, -30), (b, -1)]),
            ("more than was held takes what was held", Minor::MAX, &[(a, -30), (b, -50)]),
            ("nothing", 0, &[]),
            ("less than nothing", Minor::MIN, &[]),
        ];
        for (name, amount, want) in rows {
            assert_eq!(pairs(&complete_from_hold(&hold, amount)), want, "{name}");
        }
    }

    #[test]
    fn money_goes_back_to_the_purse_used_last_first() {
        let [a, b, merchant] = [AccountId(4), AccountId(3), AccountId(9)];
        let debits = [(a, -30), (b, -50), (merchant, 80)];
        let debits = debits.map(|(account, amount)| Posting { account, amount });
        type Row<'a> = (&'a str, Minor, Minor, &'a [(AccountId, Minor)]);
        let rows: [Row<'_>; 11] = [
            ("all at once", 80, 0, &[(b, 50), (a, 30)]),
            ("a part", 20, 0, &[(b, 20)]),
            ("the next part", 40, 20, &[(b, 30), (a, 10)]),
            ("the last part", 20, 60, &[(a, 20)]),
            ("exactly at the border", 1, 50, &[(a, 1)]),
            ("one more than is left", 21, 60, &[(a, 20)]),
            ("nothing is left", 1, 80, &[]),
            ("nothing is asked", 0, 0, &[]),
            ("less than nothing is asked", Minor::MIN, 10, &[]),
            ("the most, after the most", Minor::MAX, Minor::MAX, &[]),
            ("less than nothing before gives no more than there was", 81, Minor::MIN, &[(b, 50), (a, 30)]),
        ];
        for (name, amount, already, want) in rows {
            let mut credits = Postings::new();
            give_back(&debits, amount, already, &mut credits);
            assert_eq!(pairs(&credits), want, "{name}");
        }
        let lowest = [Posting { account: a, amount: Minor::MIN }; 20];
        let mut credits = Postings::new();
        give_back(&lowest, Minor::MAX, 1, &mut credits);
        assert_eq!(pairs(&credits), [(a, Minor::MAX - 1), (a, 1)], "no overflow, whatever is given");
    }

    #[test]
    fn a_purse_pays_only_in_its_currency_at_its_merchants_and_in_its_time() {
        let medical = PurseType {
            name: "medical".into(),
            currency: 156,
            categories: [5912, 8062].into_iter().collect(),
            floor: 0,
            max: 100,
            cash: false,
            last_day: Some(20_700),
        };
        let rows = [(156, 5912, true), (156, 5411, false), (978, 5912, false), (156, 8062, true)];
        for (currency, category, want) in rows {
            assert_eq!(medical.pays(currency, category, 20_700), want, "{currency} at {category}");
        }
        assert!(!medical.pays(156, 5912, 20_701), "its last day is over");
        let general = PurseType { cash: true, categories: ArrayVec::new(), last_day: None, ..medical };
        assert!(general.pays(156, 5411, i32::MAX), "without a last day it pays for ever");
        assert_eq!([156, 978].map(|currency| general.pays_cash(currency, 0)), [true, false]);
    }
}
