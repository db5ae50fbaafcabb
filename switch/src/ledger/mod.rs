//! Money: accounts, postings, and the rules no posting may break.
//!
//! Double entry in integer minor units. A balance is what the scheme owes the account's owner, so purses,
//! merchants and floats are positive and the bank account in which the money lies is negative; over all accounts
//! of a currency the sum is always zero. This module is pure: it knows no cards, no requests, no time.
//!
//! Start at [`Ledger::check`] and [`Ledger::post`]. Money that is promised before it is taken stands in [`holds`],
//! and how a debit is spread over the purses of a card in [`purse`].

mod accounts;
mod holding;
pub mod holds;
mod invariants;
#[cfg(test)]
mod model_tests;
pub mod purse;
pub mod rows;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use accounts::{AccountTable, Funds};
pub use accounts::{Accounts, AccountsIter};
use holding::sum_on;
use holds::{HoldId, Holds, Leg};
pub use invariants::BrokenInvariant;

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
    /// What an acquirer is owed for the cash its machines paid out, its own fees included.
    AcquirerPayable {
        /// Position of the acquirer.
        acquirer: u16,
    },
    /// Deposits paid for cards: held apart, returned with the card or forfeited with it.
    CardDeposits,
    /// Income that a chart of accounts keeps apart from the fees.
    Income {
        /// Position of its name.
        account: u16,
    },
    /// The share of fees that an issuer of cards gets.
    IssuerFees {
        /// Position of the orderer.
        orderer: u32,
    },
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
            Self::CardDeposits => "card_deposits",
            Self::AcquirerPayable { .. } => "acquirer_payable",
            Self::Income { .. } => "income",
            Self::IssuerFees { .. } => "issuer_fees",
        }
    }

    /// The words for all kinds.
    pub const NAMES: [&str; 11] = [
        "purse",
        "merchant_payable",
        "orderer_float",
        "load_line",
        "fees",
        "bank",
        "receivable",
        "card_deposits",
        "acquirer_payable",
        "income",
        "issuer_fees",
    ];

    /// Whether fees and other income go to it.
    #[must_use]
    pub fn is_income(&self) -> bool {
        matches!(self, Self::Fees | Self::Income { .. } | Self::IssuerFees { .. })
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
    /// The balance may not be posted below this, and what is held.
    pub floor: Minor,
    /// The part of the balance that live holds promise, never negative. It follows from the holds, so it is not
    /// saved with the account: [`Ledger::restore_hold`] puts it back.
    #[serde(skip)]
    pub held: Minor,
}

impl Account {
    /// What may still be taken: balance less held less floor, never negative.
    #[must_use]
    pub fn available(&self) -> Minor {
        let Self { currency, balance, floor, held, .. } = *self;
        Funds { currency, balance, floor, held }.available()
    }
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
    /// An account would fall below its floor, or below what is held on it.
    #[error("account {0:?} would fall below its floor and what is held")]
    BelowFloor(AccountId),
    /// A balance, or what is held of it, would leave the range of 64-bit minor units.
    #[error("the balance of account {0:?} would overflow")]
    Overflow(AccountId),
    /// A hold without legs promises nothing.
    #[error("the hold has no legs")]
    NoLegs,
    /// A leg of a hold is not above zero.
    #[error("the hold's leg on account {0:?} is not above zero")]
    NotPositive(AccountId),
    /// A leg of a hold is in another currency than the hold.
    #[error("account {0:?} is in another currency than the hold")]
    WrongCurrency(AccountId),
    /// A hold of this id is live.
    #[error("hold {0:?} exists already")]
    HoldExists(HoldId),
    /// No hold of this id is live: there never was one, or it was resolved before.
    #[error("hold {0:?} does not exist or was resolved before")]
    NoSuchHold(HoldId),
}

/// All accounts, and the live holds on them.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: AccountTable,
    holds: Holds,
}

impl Ledger {
    /// Opens an account with balance zero and returns its position.
    ///
    /// # Panics
    /// With more than 2³² accounts, or 2³¹ different floors.
    pub fn open(&mut self, kind: AccountKind, currency: Currency, floor: Minor) -> AccountId {
        self.accounts.push(Account { kind, currency, balance: 0, floor, held: 0 })
    }

    /// Puts an account back as a checkpoint saved it. The caller restores them in order, and then the holds, which
    /// alone say how much is held.
    pub fn restore(&mut self, account: Account) {
        self.accounts.push(account);
    }

    /// All accounts in the order of their positions.
    #[must_use]
    pub fn accounts(&self) -> Accounts<'_> {
        self.accounts.view()
    }

    /// One account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.get(id)
    }

    /// Bytes that all accounts own, what is held aside.
    #[must_use]
    pub fn account_bytes(&self) -> usize {
        self.accounts.bytes()
    }

    /// What an account is for, with 0 in the owner's place. Whose a purse is follows from its neighbours, so whoever need
    /// not know asks this instead of [`Ledger::account`].
    #[must_use]
    pub fn purpose(&self, id: AccountId) -> Option<AccountKind> {
        self.accounts.purpose(id)
    }

    #[inline]
    fn funds(&self, id: AccountId) -> Option<Funds> {
        self.accounts.funds(id)
    }

    /// The currency of an account.
    #[must_use]
    pub fn currency(&self, id: AccountId) -> Option<Currency> {
        self.accounts.currency(id)
    }

    /// The balance of an account, zero if there is no such account.
    #[must_use]
    pub fn balance(&self, id: AccountId) -> Minor {
        self.accounts.balance(id).unwrap_or(0)
    }

    /// The part of an account's balance that live holds promise, zero if there is no such account.
    #[must_use]
    pub fn held(&self, id: AccountId) -> Minor {
        self.funds(id).map_or(0, |funds| funds.held)
    }

    /// The balance of an account and what of it live holds promise, zeros if there is no such account.
    #[must_use]
    pub fn balance_and_held(&self, id: AccountId) -> (Minor, Minor) {
        self.accounts.balance_and_held(id)
    }

    /// What may still be taken from an account ([`Account::available`]), zero if there is no such account.
    #[must_use]
    pub fn available(&self, id: AccountId) -> Minor {
        self.funds(id).map_or(0, |funds| funds.available())
    }

    /// Whether these postings may be made: balanced per currency, no floor broken, nothing taken that is held, no
    /// overflow.
    ///
    /// # Errors
    /// The first rule that would be broken.
    pub fn check(&self, postings: &[Posting]) -> Result<(), Refusal> {
        self.check_given(&[], postings)
    }

    /// [`Ledger::check`] as if what these legs hold were released.
    #[inline]
    fn check_given(&self, released: &[Leg], postings: &[Posting]) -> Result<(), Refusal> {
        if self.plainly_fit(released, postings) { Ok(()) } else { self.judge(released, postings) }
    }

    /// Whether it is certain at one look that postings may be made, as it is of nearly all: one currency, each account once.
    /// Where it is not, [`Ledger::judge`] says whether they may be, and why not.
    fn plainly_fit(&self, released: &[Leg], postings: &[Posting]) -> bool {
        let (mut sum, mut only, mut seen) = (0_i64, None, 0_u64);
        for posting in postings {
            let Some((account, balance, is_held)) = self.accounts.look(posting.account) else { return false };
            let (Some(after), Some(together)) =
                (balance.checked_add(posting.amount), sum.checked_add(posting.amount))
            else {
                return false;
            };
            // Two that share a bit need not be the same, but may be.
            let bit = 1 << (posting.account.0 % u64::BITS);
            if seen & bit != 0 || *only.get_or_insert(account.currency) != account.currency {
                return false;
            }
            if posting.amount < 0 {
                let held = if is_held { self.held_without(released, posting.account) } else { Some(0) };
                if held.is_none_or(|held| after < account.floor.saturating_add(held)) {
                    return false;
                }
            }
            (sum, seen) = (together, seen | bit);
        }
        sum == 0
    }

    /// What is held on an account once these legs are released.
    #[inline(never)]
    fn held_without(&self, released: &[Leg], account: AccountId) -> Option<Minor> {
        self.held(account).checked_sub(sum_on(released, account)?)
    }

    #[cold]
    #[inline(never)]
    fn judge(&self, released: &[Leg], postings: &[Posting]) -> Result<(), Refusal> {
        // Nearly always all are in one currency, and then one sum is enough.
        let (mut sum, mut only, mut mixed, mut repeated) = (0_i128, None, false, false);
        let mut rest = postings;
        while let [posting, behind @ ..] = rest {
            let account = self.funds(posting.account).ok_or(Refusal::NoSuchAccount(posting.account))?;
            rest = behind;
            sum += i128::from(posting.amount);
            mixed |= *only.get_or_insert(account.currency) != account.currency;
            // Few postings, so a second look at the list is cheaper than a map; each account is judged once.
            if repeated {
                let before = &postings[..postings.len() - behind.len() - 1];
                if before.iter().any(|other| other.account == posting.account) {
                    continue;
                }
            }
            let overflow = || Refusal::Overflow(posting.account);
            let mut after = account.balance.checked_add(posting.amount).ok_or_else(overflow)?;
            for other in behind {
                if other.account == posting.account {
                    repeated = true;
                    after = after.checked_add(other.amount).ok_or_else(overflow)?;
                }
            }
            let mut held = account.held;
            if !released.is_empty() {
                held = sum_on(released, posting.account)
                    .and_then(|released| held.checked_sub(released))
                    .ok_or_else(overflow)?;
            }
            if after < account.balance && after < account.lowest(held) {
                return Err(Refusal::BelowFloor(posting.account));
            }
        }
        match only {
            _ if mixed => self.check_each_currency(postings),
            Some(currency) if sum != 0 => Err(Refusal::Unbalanced(currency)),
            _ => Ok(()),
        }
    }

    fn check_each_currency(&self, postings: &[Posting]) -> Result<(), Refusal> {
        for posting in postings {
            let Some(currency) = self.accounts.currency(posting.account) else { continue };
            let sum: i128 = postings
                .iter()
                .filter(|other| self.accounts.currency(other.account) == Some(currency))
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
        if self.accounts.add_plainly(postings) {
            return Ok(());
        }
        self.judge(&[], postings)?;
        self.add(postings);
        Ok(())
    }

    /// Adds postings that have been checked.
    fn add(&mut self, postings: &[Posting]) {
        for posting in postings {
            self.accounts.add(posting.account, posting.amount);
        }
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
                assert_eq!(ledger.accounts().to_vec(), before, "{name}: nothing may move");
            }
        }
        assert_eq!(ledger.verify(), Ok(()));
        assert_eq!((ledger.balance(float), ledger.balance(purse)), (400, 600));
    }

    #[test]
    fn an_account_opened_below_its_floor_may_be_filled_but_not_used() {
        let (mut ledger, [bank, ..]) = ledger();
        let deposit = ledger.open(AccountKind::Purse { card: 1, purse: 0 }, CNY, 50);
        assert_eq!(ledger.post(&[leg(bank, -30), leg(deposit, 30)]), Ok(()));
        assert_eq!(ledger.post(&[leg(bank, 1), leg(deposit, -1)]), Err(Refusal::BelowFloor(deposit)));
        assert_eq!((ledger.available(deposit), ledger.held(deposit)), (0, 0));
    }
}
