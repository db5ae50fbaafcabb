//! The invariants: what must be true of the accounts and holds together, whatever was posted or placed.
//!
//! Posting and placing keep them one event at a time; this looks at everything anew, for checkpoints and audits.
//! Start at [`Ledger::verify`].

use std::collections::BTreeMap;

use super::{Account, AccountId, Currency, Ledger, Minor, holds::HoldId};

/// An invariant found broken, by [`Ledger::verify`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BrokenInvariant {
    /// All balances of a currency must sum to zero.
    #[error("balances in currency {currency} sum to {sum}, not to zero")]
    SumNotZero {
        /// The currency.
        currency: Currency,
        /// What they sum to.
        sum: i128,
    },
    /// A balance, less what is held of it, is below its account's floor.
    #[error("account {account:?} stands at {balance} with {held} held, below its floor {floor}")]
    BelowFloor {
        /// The account.
        account: AccountId,
        /// Its balance.
        balance: Minor,
        /// The part of it that is held.
        held: Minor,
        /// Its floor.
        floor: Minor,
    },
    /// An account holds less than nothing.
    #[error("account {account:?} has {held} held")]
    HeldNegative {
        /// The account.
        account: AccountId,
        /// What is held on it.
        held: Minor,
    },
    /// What is held on an account must be what the live holds promise from it.
    #[error("account {account:?} has {held} held, but the live holds on it sum to {legs}")]
    HeldDiffers {
        /// The account.
        account: AccountId,
        /// What is held on it; zero if there is no such account.
        held: Minor,
        /// The sum of the legs.
        legs: i128,
    },
    /// A live hold without legs, or with one that is not above zero.
    #[error("hold {0:?} has no legs, or one that is not above zero")]
    HoldOfNothing(HoldId),
}

impl Ledger {
    /// Checks every account and every hold against the invariants, and each currency's sum.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn verify(&self) -> Result<(), BrokenInvariant> {
        let mut promised = self.promised()?.into_iter().peekable();
        for (index, Account { balance, floor, held, .. }) in self.accounts().iter().enumerate() {
            // INVARIANT: `open` admits no position above 32 bits.
            let account = AccountId(u32::try_from(index).expect("a position of this ledger"));
            if held < 0 {
                return Err(BrokenInvariant::HeldNegative { account, held });
            }
            if i128::from(balance) - i128::from(held) < i128::from(floor) {
                return Err(BrokenInvariant::BelowFloor { account, balance, held, floor });
            }
            let legs = promised.next_if(|(on, _)| *on == account).map_or(0, |(_, legs)| legs);
            if i128::from(held) != legs {
                return Err(BrokenInvariant::HeldDiffers { account, held, legs });
            }
        }
        if let Some((account, legs)) = promised.next() {
            return Err(BrokenInvariant::HeldDiffers { account, held: 0, legs });
        }
        self.verify_sums()
    }

    /// What the live holds promise from each account they touch, which is few beside all accounts.
    fn promised(&self) -> Result<BTreeMap<AccountId, i128>, BrokenInvariant> {
        let mut promised = BTreeMap::new();
        for hold in self.holds.iter() {
            if hold.legs.is_empty() || hold.legs.iter().any(|leg| leg.amount <= 0) {
                return Err(BrokenInvariant::HoldOfNothing(hold.id));
            }
            for leg in &hold.legs {
                *promised.entry(leg.account).or_default() += i128::from(leg.amount);
            }
        }
        Ok(promised)
    }

    fn verify_sums(&self) -> Result<(), BrokenInvariant> {
        for (currency, sum) in self.sums() {
            if sum != 0 {
                return Err(BrokenInvariant::SumNotZero { currency, sum });
            }
        }
        Ok(())
    }

    /// The sum of all balances per currency, each of which should be zero.
    #[must_use]
    pub fn sums(&self) -> Vec<(Currency, i128)> {
        let mut sums: Vec<(Currency, i128)> = Vec::new();
        for account in self.accounts() {
            match sums.iter_mut().find(|(currency, _)| *currency == account.currency) {
                Some((_, sum)) => *sum += i128::from(account.balance),
                None => sums.push((account.currency, i128::from(account.balance))),
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::{
        AccountKind, Posting,
        holds::{Hold, Leg},
    };
    use super::*;

    const CNY: Currency = 156;

    /// A purse with 100, of which hold 1 promises 60.
    fn ledger() -> (Ledger, AccountId) {
        let mut ledger = Ledger::default();
        let bank = ledger.open(AccountKind::Bank, CNY, Minor::MIN);
        let purse = ledger.open(AccountKind::Purse { card: 0, purse: 0 }, CNY, 0);
        let [taken, given] =
            [(bank, -100), (purse, 100)].map(|(account, amount)| Posting { account, amount });
        ledger.post(&[taken, given]).unwrap();
        ledger.place_hold(hold(1, &[(purse, 60)])).unwrap();
        (ledger, purse)
    }

    fn hold(id: u64, legs: &[(AccountId, Minor)]) -> Hold {
        let legs = legs.iter().map(|(account, amount)| Leg { account: *account, amount: *amount }).collect();
        Hold { id: HoldId(id), legs, currency: CNY, expires_ms: 0 }
    }

    #[test]
    fn verify_finds_what_posting_and_placing_would_never_do() {
        type Break = fn(&mut Ledger, AccountId);
        type Row<'a> = (&'a str, Break, fn(AccountId) -> BrokenInvariant);
        let rows: [Row<'_>; 9] = [
            (
                "a balance that nothing stands against",
                |ledger, purse| ledger.accounts.add(purse, 5),
                |_| BrokenInvariant::SumNotZero { currency: CNY, sum: 5 },
            ),
            (
                "less than nothing on the account",
                |ledger, purse| ledger.accounts.add(purse, -101),
                |account| BrokenInvariant::BelowFloor { account, balance: -1, held: 60, floor: 0 },
            ),
            (
                "more held than there is",
                |ledger, purse| ledger.accounts.add(purse, -41),
                |account| BrokenInvariant::BelowFloor { account, balance: 59, held: 60, floor: 0 },
            ),
            (
                "more held than is promised",
                |ledger, purse| ledger.accounts.hold(purse, 61),
                |account| BrokenInvariant::HeldDiffers { account, held: 61, legs: 60 },
            ),
            (
                "a hold that its account does not know",
                |ledger, purse| ledger.accounts.hold(purse, 0),
                |account| BrokenInvariant::HeldDiffers { account, held: 0, legs: 60 },
            ),
            (
                "less than nothing held",
                |ledger, purse| ledger.accounts.hold(purse, -1),
                |account| BrokenInvariant::HeldNegative { account, held: -1 },
            ),
            (
                "a hold of nothing",
                |ledger, _| ledger.holds.insert(hold(2, &[])),
                |_| BrokenInvariant::HoldOfNothing(HoldId(2)),
            ),
            (
                "a leg of nothing",
                |ledger, _| ledger.holds.insert(hold(2, &[(AccountId(1), 0)])),
                |_| BrokenInvariant::HoldOfNothing(HoldId(2)),
            ),
            (
                "a hold on no account",
                |ledger, _| ledger.holds.insert(hold(2, &[(AccountId(99), 1)])),
                |_| BrokenInvariant::HeldDiffers { account: AccountId(99), held: 0, legs: 1 },
            ),
        ];
        for (name, break_it, want) in rows {
            let (mut ledger, purse) = ledger();
            assert_eq!(ledger.verify(), Ok(()), "{name}: before");
            break_it(&mut ledger, purse);
            assert_eq!(ledger.verify(), Err(want(purse)), "{name}");
        }
    }
}
