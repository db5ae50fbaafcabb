//! What parties have in other currencies than their own: floats of orderers, payables and lines of merchants, payables of
//! acquirers. Nothing is exchanged, so each currency is a ledger of its own.
//!
//! Nearly all payments are in the currency of the party's own account, which stands in its row; the others are looked up
//! here. Start at [`Books::payable_of`].

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{Books, Card, CommonAccount, apply::ApplyError};
use crate::ledger::{AccountId, AccountKind, Currency, Minor, Posting, purse::PurseType};

/// Whose account was opened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum AccountOwner {
    /// The orderer at this position.
    Orderer(u32),
    /// The merchant at this position.
    Merchant(u32),
    /// The acquirer at this position.
    Acquirer(u16),
}

/// An account in another currency than its owner's first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OpenedAccount {
    /// Whose.
    pub owner: AccountOwner,
    /// In which currency.
    pub currency: Currency,
    /// Minor units: of an orderer the float that it brings, of a merchant the line on which its load terminals draw (0 for
    /// none), of an acquirer 0.
    pub amount: Minor,
}

/// Accounts by kind, owner and currency, where that is not the owner's first.
#[derive(Clone, Debug, Default)]
pub(super) struct FurtherAccounts(HashMap<(AccountKind, Currency), AccountId>);

impl Books {
    /// What a merchant is owed in a currency, if it is paid in it.
    #[must_use]
    pub fn payable_of(&self, merchant: u32, currency: Currency) -> Option<AccountId> {
        let first = self.merchants.get(merchant as usize)?.payable;
        self.in_currency(first, AccountKind::MerchantPayable { merchant }, currency)
    }

    /// What an acquirer is owed in a currency, if it is settled in it.
    #[must_use]
    pub fn acquirer_payable_of(&self, acquirer: u16, currency: Currency) -> Option<AccountId> {
        let first = self.acquirers.get(usize::from(acquirer))?.payable;
        self.in_currency(first, AccountKind::AcquirerPayable { acquirer }, currency)
    }

    /// An orderer's float in a currency, if it has one.
    #[must_use]
    pub fn float_of(&self, orderer: u32, currency: Currency) -> Option<AccountId> {
        let first = self.orderers.get(orderer as usize)?.float;
        self.in_currency(first, AccountKind::OrdererFloat { orderer }, currency)
    }

    /// A merchant's line in a currency, if it has one.
    #[must_use]
    pub fn line_of(&self, merchant: u32, currency: Currency) -> Option<AccountId> {
        let kind = AccountKind::LoadLine { merchant };
        match self.merchants.get(merchant as usize)?.load_line {
            Some(first) => self.in_currency(first, kind, currency),
            None if self.further.0.is_empty() => None,
            None => self.further_account(kind, currency),
        }
    }

    /// The accounts that are not their owner's first, with what they are for.
    pub fn further_accounts(&self) -> impl Iterator<Item = (AccountKind, Currency, AccountId)> {
        self.further.0.iter().map(|((kind, currency), account)| (*kind, *currency, *account))
    }

    /// The purse that a load in this currency goes to: the product's, or, in another currency, the card's first.
    pub(super) fn load_purse_in(&self, card: &Card, currency: Currency) -> Option<(AccountId, &PurseType)> {
        let product = &self.products[usize::from(card.product)];
        let load_purse = self.card_purses(card).nth(usize::from(product.load_purse));
        let first = || self.card_purses(card).find(|(_, purse)| purse.currency == currency);
        load_purse.filter(|(_, purse)| purse.currency == currency).or_else(first)
    }

    fn in_currency(&self, first: AccountId, kind: AccountKind, currency: Currency) -> Option<AccountId> {
        if self.ledger.currency(first) == Some(currency) {
            return Some(first);
        }
        self.further_account(kind, currency)
    }

    #[cold]
    #[inline(never)]
    fn further_account(&self, kind: AccountKind, currency: Currency) -> Option<AccountId> {
        self.further.0.get(&(kind, currency)).copied()
    }

    pub(super) fn open_account(&mut self, opened: &OpenedAccount) -> Result<(), ApplyError> {
        let (seq, currency) = (self.seq, opened.currency);
        let (there, has_one) = match opened.owner {
            AccountOwner::Orderer(at) => {
                ((at as usize) < self.orderers.len(), self.float_of(at, currency).is_some())
            }
            AccountOwner::Merchant(at) => {
                ((at as usize) < self.merchants.len(), self.payable_of(at, currency).is_some())
            }
            AccountOwner::Acquirer(at) => {
                (usize::from(at) < self.acquirers.len(), self.acquirer_payable_of(at, currency).is_some())
            }
        };
        match (there, has_one) {
            (false, _) => return Err(ApplyError::NoSuch { seq, what: "owner of the account" }),
            (_, true) => return Err(ApplyError::Exists { seq, what: "account in this currency" }),
            _ => self.open_common(currency),
        }
        match opened.owner {
            AccountOwner::Orderer(orderer) => {
                let float = self.open_further(AccountKind::OrdererFloat { orderer }, currency, 0);
                let bank = self.common[&(CommonAccount::Bank, currency)];
                let amount = opened.amount;
                self.post(&[Posting { account: bank, amount: -amount }, Posting { account: float, amount }])
            }
            AccountOwner::Merchant(merchant) => {
                self.open_further(AccountKind::MerchantPayable { merchant }, currency, Minor::MIN);
                if opened.amount > 0 {
                    self.open_further(AccountKind::LoadLine { merchant }, currency, -opened.amount);
                }
                Ok(())
            }
            AccountOwner::Acquirer(acquirer) => {
                self.open_further(AccountKind::AcquirerPayable { acquirer }, currency, Minor::MIN);
                Ok(())
            }
        }
    }

    fn open_further(&mut self, kind: AccountKind, currency: Currency, floor: Minor) -> AccountId {
        let account = self.ledger.open(kind, currency, floor);
        self.further.0.insert((kind, currency), account);
        account
    }

    /// Finds them again, after a checkpoint was read.
    pub(super) fn rebuild_further(&mut self) {
        for (account, at) in self.ledger.accounts().iter().zip(0..) {
            let first = match account.kind {
                AccountKind::OrdererFloat { orderer } => {
                    self.orderers.get(orderer as usize).map(|orderer| orderer.float)
                }
                AccountKind::MerchantPayable { merchant } => {
                    self.merchants.get(merchant as usize).map(|merchant| merchant.payable)
                }
                AccountKind::LoadLine { merchant } => {
                    self.merchants.get(merchant as usize).and_then(|merchant| merchant.load_line)
                }
                AccountKind::AcquirerPayable { acquirer } => {
                    self.acquirers.get(usize::from(acquirer)).map(|acquirer| acquirer.payable)
                }
                _ => continue,
            };
            if first != Some(AccountId(at)) {
                self.further.0.insert((account.kind, account.currency), AccountId(at));
            }
        }
    }
}
