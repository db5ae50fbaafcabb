//! Money: accounts, postings, and the rules no posting may break.
//!
//! Double entry in integer minor units. A balance is what the scheme owes the account's owner, so purses,
//! merchants and floats are positive and the bank account in which the money lies is negative; over all accounts
//! of a currency the sum is always zero. This module is pure: it knows no cards, no requests, no time.
//!
//! Start at [`Ledger::check`] and [`Ledger::post`]. How a debit is spread over the purses of a card stands in
//! [`purse`].

pub mod purse;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// ISO 4217 numeric code, for example 156 for CNY.
pub type Currency = u16;

/// Minor units of a currency (fen, øre, cent). Signed: a posting takes or gives.
pub type Minor = i64;

/// The most postings one event may carry: four purses, merchant, fee, and two spare for receivables.
pub const POSTINGS_MAX: usize = 8;

/// The postings of one event.
pub type Postings = ArrayVec<Posting, POSTINGS_MAX>;

/// Position of an account in the ledger; accounts are never removed, so it is stable.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AccountId(pub u32);

/// One leg of an event: `amount` is added to the account's balance.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Posting {
    /// Which account.
    pub account: AccountId,
    /// Minor units; negative takes from the account.
    pub amount: Minor,
}

/// What an account is for, and whose it is (positions in the books' tables).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum AccountKind {
    /// A purse of a card: `card`, and the purse type's position.
    Purse {
        /// Position of the card.
        card: u32,
        /// Position of the purse type.
        purse: u16,
    },
    /// What a merchant is owed, net of fees.
    MerchantPayable {
        /// Position of the merchant.
        merchant: u32,
    },
    /// The part of an orderer's float that no card balance uses yet. Never below zero, which is the same as
    /// float ≥ sum of the orderer's cards.
    OrdererFloat {
        /// Position of the orderer.
        orderer: u32,
    },
    /// The line on which an agent's load terminals draw; negative as far as it is used.
    LoadLine {
        /// Position of the merchant (agent).
        merchant: u32,
    },
    /// Fee income.
    Fees,
    /// Money at the bank behind the floats; negative, because it is the other side of what is owed.
    Bank,
    /// What cardholders owe after something was taken back that had already been spent.
    Receivable,
}

impl AccountKind {
    /// The word for this kind in tables, files and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Purse { .. } => "purse",
            Self::MerchantPayable { .. } => "merchant_payable",
            Self::OrdererFloat { .. } => "orderer_float",
            Self::LoadLine { .. } => "load_line",
            Self::Fees => "fees",
            Self::Bank => "bank",
            Self::Receivable => "receivable",
        }
    }
}

/// One account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// What it is for.
    pub kind: AccountKind,
    /// Its only currency.
    pub currency: Currency,
    /// Current balance.
    pub balance: Minor,
    /// The balance may not be posted below this.
    pub floor: Minor,
}

/// Why a set of postings was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// An account that does not exist was named.
    #[error("account {0:?} does not exist")]
    NoSuchAccount(AccountId),
    /// The postings of a currency do not sum to zero.
    #[error("postings in currency {0} do not sum to zero")]
    Unbalanced(Currency),
    /// An account would fall below its floor.
    #[error("account {0:?} would fall below its floor")]
    BelowFloor(AccountId),
    /// A balance would leave the range of 64-bit minor units.
    #[error("the balance of account {0:?} would overflow")]
    Overflow(AccountId),
}

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
    /// A balance is below its account's floor.
    #[error("account {account:?} stands at {balance}, below its floor {floor}")]
    BelowFloor {
        /// The account.
        account: AccountId,
        /// Its balance.
        balance: Minor,
        /// Its floor.
        floor: Minor,
    },
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Vec<Account>,
}

impl Ledger {
    /// Opens an account with balance zero and returns its position.
    ///
    /// # Panics
    /// With more than 2³² accounts.
    pub fn open(&mut self, kind: AccountKind, currency: Currency, floor: Minor) -> AccountId {
        // INVARIANT: account positions are 32 bits; 10 M cards with three purses use under 1 % of them.
        let id = u32::try_from(self.accounts.len()).expect("fewer than 2^32 accounts");
        self.accounts.push(Account { kind, currency, balance: 0, floor });
        AccountId(id)
    }

    /// Puts an account back as a checkpoint saved it. The caller restores them in order.
    pub fn restore(&mut self, account: Account) {
        self.accounts.push(account);
    }

    /// All accounts in the order of their positions.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// One account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.0 as usize)
    }

    /// The balance of an account, zero if there is no such account.
    #[must_use]
    pub fn balance(&self, id: AccountId) -> Minor {
        self.account(id).map_or(0, |account| account.balance)
    }

    /// What may still be taken from an account: balance less floor, never negative.
    #[must_use]
    pub fn available(&self, id: AccountId) -> Minor {
        self.account(id).map_or(0, |account| account.balance.saturating_sub(account.floor).max(0))
    }

    /// Whether these postings may be made: balanced per currency, no floor broken, no overflow.
    ///
    /// # Errors
    /// The first rule that would be broken.
    pub fn check(&self, postings: &[Posting]) -> Result<(), Refusal> {
        for (index, posting) in postings.iter().enumerate() {
            let account = self.account(posting.account).ok_or(Refusal::NoSuchAccount(posting.account))?;
            let same_account = |other: &&Posting| other.account == posting.account;
            // Few postings, so a second look at the list is cheaper than a map; each account is judged once.
            if postings[..index].iter().any(|other| other.account == posting.account) {
                continue;
            }
            let after = postings
                .iter()
                .filter(same_account)
                .try_fold(account.balance, |sum, other| sum.checked_add(other.amount))
                .ok_or(Refusal::Overflow(posting.account))?;
            if after < account.floor && after < account.balance {
                return Err(Refusal::BelowFloor(posting.account));
            }
        }
        self.check_balanced(postings)
    }

    fn check_balanced(&self, postings: &[Posting]) -> Result<(), Refusal> {
        for posting in postings {
            let currency = self.accounts[posting.account.0 as usize].currency;
            let sum: i128 = postings
                .iter()
                .filter(|other| self.accounts[other.account.0 as usize].currency == currency)
                .map(|other| i128::from(other.amount))
                .sum();
            if sum != 0 {
                return Err(Refusal::Unbalanced(currency));
            }
        }
        Ok(())
    }

    /// Makes these postings.
    ///
    /// # Errors
    /// As [`Ledger::check`]; nothing is posted then.
    pub fn post(&mut self, postings: &[Posting]) -> Result<(), Refusal> {
        self.check(postings)?;
        for posting in postings {
            self.accounts[posting.account.0 as usize].balance += posting.amount;
        }
        Ok(())
    }

    /// Checks every account against the invariants, and each currency's sum.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn verify(&self) -> Result<(), BrokenInvariant> {
        for (index, account) in self.accounts.iter().enumerate() {
            if account.balance < account.floor {
                return Err(BrokenInvariant::BelowFloor {
                    // INVARIANT: `open` admits no position above 32 bits.
                    account: AccountId(u32::try_from(index).expect("a position of this ledger")),
                    balance: account.balance,
                    floor: account.floor,
                });
            }
        }
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
        for account in &self.accounts {
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
    use super::*;

    const CNY: Currency = 156;

    fn ledger() -> (Ledger, [AccountId; 4]) {
        let mut ledger = Ledger::default();
        let ids = [
            ledger.open(AccountKind::Bank, CNY, Minor::MIN),
            ledger.open(AccountKind::OrdererFloat { orderer: 0 }, CNY, 0),
            ledger.open(AccountKind::Purse { card: 0, purse: 0 }, CNY, 0),
            ledger.open(AccountKind::Bank, 978, Minor::MIN),
        ];
        (ledger, ids)
    }

    fn leg(account: AccountId, amount: Minor) -> Posting {
        Posting { account, amount }
    }

    #[test]
    fn postings_are_refused_whole() {
        let (mut ledger, [bank, float, purse, euro]) = ledger();
        ledger.post(&[leg(bank, -1_000), leg(float, 1_000)]).expect("a deposit");
        type Row<'a> = (&'a str, Vec<Posting>, Result<(), Refusal>);
        let rows: Vec<Row<'_>> = vec![
            ("a load within the float", vec![leg(float, -600), leg(purse, 600)], Ok(())),
            (
                "a load above the float",
                vec![leg(float, -401), leg(purse, 401)],
                Err(Refusal::BelowFloor(float)),
            ),
            ("one leg missing", vec![leg(purse, 1)], Err(Refusal::Unbalanced(CNY))),
            (
                "two currencies that balance only together",
                vec![leg(purse, 1), leg(euro, -1)],
                Err(Refusal::Unbalanced(CNY)),
            ),
            (
                "the same account twice is judged by its sum",
                vec![leg(purse, -600), leg(purse, -1), leg(bank, 601)],
                Err(Refusal::BelowFloor(purse)),
            ),
            (
                "an overflow",
                vec![leg(purse, Minor::MAX), leg(bank, -Minor::MAX)],
                Err(Refusal::Overflow(purse)),
            ),
            (
                "an account that is not there",
                vec![leg(AccountId(99), 0)],
                Err(Refusal::NoSuchAccount(AccountId(99))),
            ),
        ];
        for (name, postings, want) in rows {
            let before = ledger.accounts().to_vec();
            assert_eq!(ledger.post(&postings), want, "{name}");
            if want.is_err() {
                assert_eq!(ledger.accounts(), before, "{name}: nothing may move");
            }
        }
        assert_eq!(ledger.verify(), Ok(()));
        assert_eq!((ledger.balance(float), ledger.balance(purse)), (400, 600));
    }

    #[test]
    fn verify_finds_what_post_would_never_do() {
        let (mut ledger, [_, _, purse, _]) = ledger();
        ledger.accounts[purse.0 as usize].balance = -1;
        assert!(matches!(ledger.verify(), Err(BrokenInvariant::BelowFloor { balance: -1, .. })));
        ledger.accounts[purse.0 as usize].balance = 5;
        assert_eq!(ledger.verify(), Err(BrokenInvariant::SumNotZero { currency: CNY, sum: 5 }));
    }
}
