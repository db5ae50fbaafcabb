//! The table of accounts: sixteen bytes each, because every card has several and there are millions of cards.
//!
//! What accounts share (kind, currency, floor) stands once, in a class. What is held stands apart, since few accounts
//! have anything held at a time. Outside, an [`Account`] is whole: it is put together when it is looked at.
//!
//! No rule of money is here. Start at [`AccountTable`]; [`Accounts`] is how others see all of it.

use hashbrown::HashMap;

use super::{Account, AccountId, AccountKind, Currency, Minor};

/// All accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountTable {
    rows: Vec<Row>,
    classes: Vec<Class>,
    class_of: HashMap<Class, u32>,
    /// What live holds promise, where that is not zero; a row says whether to look here.
    held: HashMap<AccountId, Minor>,
}

/// An account.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Whose it is: the position in its kind.
    owner: u32,
    /// The place of its class, and [`HELD`].
    class: u32,
    balance: Minor,
}

// There are up to three of them for every card.
const _: () = assert!(size_of::<Row>() == 16);

/// In a row's class: something is held.
const HELD: u32 = 1 << 31;

/// What accounts have in common.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Class {
    /// As of owner 0.
    kind: AccountKind,
    currency: Currency,
    floor: Minor,
}

impl AccountTable {
    /// Adds an account with nothing held and returns its position.
    pub(super) fn push(&mut self, account: Account) -> AccountId {
        // INVARIANT: account positions are 32 bits; 10 M cards with three purses use under 1 % of them.
        let id = AccountId(u32::try_from(self.rows.len()).expect("fewer than 2^32 accounts"));
        let Account { kind, currency, balance, floor, .. } = account;
        let class = self.class(Class { kind: kind.of(0), currency, floor });
        self.rows.push(Row { owner: kind.owner(), class, balance });
        id
    }

    /// The place of a class, which is new if no account has it yet.
    fn class(&mut self, class: Class) -> u32 {
        if let Some(place) = self.class_of.get(&class) {
            return *place;
        }
        // INVARIANT: there are no more classes than accounts with a floor of their own, which are agents' lines.
        let place = u32::try_from(self.classes.len()).ok().filter(|place| *place < HELD);
        let place = place.expect("fewer than 2^31 classes of accounts");
        self.classes.push(class);
        self.class_of.insert(class, place);
        place
    }

    pub(super) fn get(&self, id: AccountId) -> Option<Account> {
        self.rows.get(id.0 as usize).map(|row| self.whole(id, row))
    }

    /// The balance of an account that is there.
    pub(super) fn balance_mut(&mut self, id: AccountId) -> &mut Minor {
        &mut self.rows[id.0 as usize].balance
    }

    /// The currency of an account that is there.
    pub(super) fn currency(&self, id: AccountId) -> Currency {
        self.classes[(self.rows[id.0 as usize].class & !HELD) as usize].currency
    }

    /// What is held on an account that is there.
    pub(super) fn held(&self, id: AccountId) -> Minor {
        self.held_of(id, &self.rows[id.0 as usize])
    }

    /// Sets what is held on an account that is there.
    pub(super) fn hold(&mut self, id: AccountId, held: Minor) {
        let row = &mut self.rows[id.0 as usize];
        if held == 0 {
            row.class &= !HELD;
            self.held.remove(&id);
        } else {
            row.class |= HELD;
            self.held.insert(id, held);
        }
    }

    pub(super) fn reserve_held(&mut self, additional: usize) {
        self.held.reserve(additional);
    }

    pub(super) fn view(&self) -> Accounts<'_> {
        Accounts { table: self }
    }

    fn held_of(&self, id: AccountId, row: &Row) -> Minor {
        if row.class & HELD == 0 { 0 } else { self.held.get(&id).copied().unwrap_or(0) }
    }

    fn whole(&self, id: AccountId, row: &Row) -> Account {
        let Class { kind, currency, floor } = self.classes[(row.class & !HELD) as usize];
        let held = self.held_of(id, row);
        Account { kind: kind.of(row.owner), currency, balance: row.balance, floor, held }
    }
}

impl AccountKind {
    /// Whose account it is: the position in its kind, 0 where there is one alone.
    fn owner(self) -> u32 {
        match self {
            Self::Purse { card, .. } => card,
            Self::MerchantPayable { merchant } | Self::LoadLine { merchant } => merchant,
            Self::OrdererFloat { orderer } => orderer,
            Self::AcquirerPayable { acquirer } => u32::from(acquirer),
            Self::Fees | Self::Bank | Self::Receivable => 0,
        }
    }

    /// The same kind of another owner.
    fn of(self, owner: u32) -> Self {
        match self {
            Self::Purse { purse, .. } => Self::Purse { card: owner, purse },
            Self::MerchantPayable { .. } => Self::MerchantPayable { merchant: owner },
            Self::LoadLine { .. } => Self::LoadLine { merchant: owner },
            Self::OrdererFloat { .. } => Self::OrdererFloat { orderer: owner },
            // An owner that went in as 16 bits comes out as them.
            Self::AcquirerPayable { .. } => Self::AcquirerPayable { acquirer: (owner & 0xffff) as u16 },
            alone @ (Self::Fees | Self::Bank | Self::Receivable) => alone,
        }
    }
}

/// All accounts of a ledger, in the order of their positions.
#[derive(Clone, Copy, Debug)]
pub struct Accounts<'a> {
    table: &'a AccountTable,
}

impl<'a> Accounts<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.table.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.table.rows.is_empty()
    }

    /// Each of them, put together.
    #[must_use]
    pub fn iter(self) -> AccountsIter<'a> {
        AccountsIter { table: self.table, rows: self.table.rows.iter().enumerate() }
    }

    /// A copy of all.
    #[must_use]
    pub fn to_vec(self) -> Vec<Account> {
        self.iter().collect()
    }
}

impl<'a> IntoIterator for Accounts<'a> {
    type Item = Account;
    type IntoIter = AccountsIter<'a>;

    fn into_iter(self) -> AccountsIter<'a> {
        self.iter()
    }
}

/// Accounts one after the other.
#[derive(Clone, Debug)]
pub struct AccountsIter<'a> {
    table: &'a AccountTable,
    rows: std::iter::Enumerate<std::slice::Iter<'a, Row>>,
}

impl Iterator for AccountsIter<'_> {
    type Item = Account;

    fn next(&mut self) -> Option<Account> {
        let (at, row) = self.rows.next()?;
        // INVARIANT: `push` admits no position above 32 bits.
        let id = AccountId(u32::try_from(at).expect("a position of this table"));
        Some(self.table.whole(id, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for AccountsIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_account_comes_out_as_it_went_in() {
        let kinds = [
            AccountKind::Purse { card: 7, purse: 3 },
            AccountKind::Purse { card: u32::MAX, purse: u16::MAX },
            AccountKind::MerchantPayable { merchant: 7 },
            AccountKind::LoadLine { merchant: 8 },
            AccountKind::OrdererFloat { orderer: 1 },
            AccountKind::AcquirerPayable { acquirer: u16::MAX },
            AccountKind::Fees,
            AccountKind::Bank,
            AccountKind::Receivable,
        ];
        let mut table = AccountTable::default();
        let mut want = Vec::new();
        for kind in kinds {
            for (currency, floor) in [(156, 0), (978, 0), (156, -50)] {
                let account = Account { kind, currency, balance: 11, floor, held: 0 };
                assert_eq!(table.push(account), AccountId(u32::try_from(want.len()).unwrap_or(0)));
                want.push(account);
            }
        }
        assert_eq!(table.view().to_vec(), want);
        assert_eq!(table.get(AccountId(1)), Some(want[1]));
        assert_eq!(table.get(AccountId(99)), None);
    }

    #[test]
    fn purses_of_one_kind_share_a_class() {
        let mut table = AccountTable::default();
        for card in 0..100 {
            let kind = AccountKind::Purse { card, purse: 1 };
            table.push(Account { kind, currency: 156, balance: 0, floor: 0, held: 0 });
        }
        assert_eq!(table.classes.len(), 1);
    }

    #[test]
    fn what_is_held_is_kept_for_its_account_alone() {
        let mut table = AccountTable::default();
        let account = Account { kind: AccountKind::Bank, currency: 156, balance: 5, floor: 0, held: 0 };
        let [first, second] = [table.push(account), table.push(account)];
        table.hold(second, 4);
        assert_eq!((table.held(first), table.held(second)), (0, 4));
        assert_eq!(table.get(second), Some(Account { held: 4, ..account }));
        assert_eq!(table.currency(second), 156);
        table.hold(second, 0);
        assert_eq!((table.held(second), table.held.len()), (0, 0));
    }
}
