//! What one decided request moved, seen from each side: the card, its merchant or acquirer, the fees.

use crate::{
    books::{Books, event::Decided, request::Kind},
    ledger::{AccountId, AccountKind, Posting},
};

/// Sums of postings by whose account they are on, minor units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Movement {
    /// On the purses of the card: what it got, or, below zero, what was taken.
    pub(super) card: i128,
    /// What the cardholder owes by it, below zero.
    receivable: i128,
    /// Fee income.
    fees: i128,
    /// The fee on cash, which the acquirer keeps.
    acquirer_fee: i128,
    /// The merchant's payable account that moved.
    pub(super) merchant: Option<AccountId>,
    /// The acquirer's payable account that moved.
    pub(super) acquirer: Option<AccountId>,
    /// The word for the account on the other side of the card.
    pub(super) against: &'static str,
}

impl Movement {
    pub(super) fn of_decided(books: &Books, decided: &Decided) -> Self {
        let mut movement = Self::of(books, &decided.postings);
        if decided.kind == Kind::Withdrawal {
            movement.acquirer_fee = i128::from(decided.fee);
        }
        movement
    }

    pub(super) fn of(books: &Books, postings: &[Posting]) -> Self {
        let mut movement = Self::default();
        for posting in postings {
            let Some(account) = books.ledger().account(posting.account) else { continue };
            let amount = i128::from(posting.amount);
            match account.kind {
                AccountKind::Purse { .. } => movement.card += amount,
                AccountKind::Receivable => movement.receivable += amount,
                kind if kind.is_income() => movement.fees += amount,
                other => movement.name_other_side(other, posting.account),
            }
        }
        movement
    }

    fn name_other_side(&mut self, kind: AccountKind, account: AccountId) {
        self.against = kind.name();
        match kind {
            AccountKind::MerchantPayable { .. } => self.merchant = Some(account),
            AccountKind::AcquirerPayable { .. } => self.acquirer = Some(account),
            _ => {}
        }
    }

    /// What the other side sold, or, below zero, gave back: fees included, whoever bears the loss of a card that no
    /// longer had it.
    pub(super) fn gross(&self) -> i128 {
        -(self.card + self.receivable)
    }

    /// What of it is a fee: the merchant's, taken from what it is owed, or the acquirer's, added to the cash.
    pub(super) fn fee(&self) -> i128 {
        self.fees + self.acquirer_fee
    }
}
