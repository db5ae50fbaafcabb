//! The table of accounts: eight bytes each, and a quarter for whose they are, because every card has several and there
//! are millions of cards.
//!
//! A purse is one word: its balance, and the number of its class, which is what accounts share (kind, currency, floor).
//! Whose it is follows from its place, since purses are opened card by card. What is held stands apart, as few accounts
//! have anything held at a time. So does every account that is no purse, and a purse that is not opened in that order or
//! whose balance or class is too large for its word. Outside, an [`Account`] is whole: it is put together when it is
//! looked at.
//!
//! No rule of money is here. Start at [`AccountTable`]; [`Accounts`] is how others see all of it.

use hashbrown::HashMap;

use super::{Account, AccountId, AccountKind, Currency, Minor, Posting, rows::Rows};

/// All accounts.
#[derive(Clone, Debug)]
pub(super) struct AccountTable {
    rows: Rows<Row>,
    /// Whose purse was the last one in front of each [`BLOCK`] of rows.
    owners: Rows<u32>,
    /// Whose the last purse is; before the first, the card in front of the first.
    last_owner: u32,
    apart: Vec<Apart>,
    classes: Vec<Class>,
    class_of: HashMap<Class, u32>,
    /// What live holds promise, where that is not zero; a row says whether to look here.
    held: HashMap<AccountId, Minor>,
}

/// How many rows have their owners counted from one place on. Whose a purse is costs a look at so many at most.
const BLOCK: usize = 16;

/// An account in a word: [`APART`] and its place there, or class and balance.
#[derive(Clone, Copy, Debug)]
struct Row(u64);

// There are up to three of them for every card.
const _: () = assert!(size_of::<Row>() == 8);

/// It stands in [`AccountTable::apart`].
const APART: u64 = 1 << 63;
/// Something of it is held.
const HELD: u64 = 1 << 62;
/// It is the first purse of the card behind the one that the purse before it belongs to.
const NEXT: u64 = 1 << 61;
const FLAGS: u64 = APART | HELD | NEXT;

/// The lower bits of a row are the balance: 1.4 million million of a currency with hundredths to either side.
const BALANCE_BITS: u32 = 48;
const BALANCE: u64 = (1 << BALANCE_BITS) - 1;
/// Above it stands the class.
const CLASSES_MAX: u32 = 1 << (61 - BALANCE_BITS);

/// An account that is not in one word.
#[derive(Clone, Copy, Debug)]
struct Apart {
    /// Whose it is: the position in its kind.
    owner: u32,
    class: u32,
    balance: Minor,
}

/// What accounts have in common.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Class {
    /// As of owner 0.
    kind: AccountKind,
    pub(super) currency: Currency,
    pub(super) floor: Minor,
}

/// What rules of money look at: an account without whose it is, which takes longer to find.
#[derive(Clone, Copy, Debug)]
pub(super) struct Funds {
    pub(super) currency: Currency,
    pub(super) balance: Minor,
    pub(super) floor: Minor,
    pub(super) held: Minor,
}

impl Funds {
    /// What may still be taken: balance less held less floor, never negative.
    pub(super) fn available(&self) -> Minor {
        self.balance.saturating_sub(self.lowest(self.held)).max(0)
    }

    /// The lowest balance it may be posted to while this much of it is held.
    pub(super) fn lowest(&self, held: Minor) -> Minor {
        self.floor.saturating_add(held)
    }
}

impl Row {
    fn is(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    fn set(&mut self, flag: u64, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }

    /// Class and balance in a word; `None` if they do not fit.
    fn packed(class: u32, balance: Minor) -> Option<Self> {
        let lower = balance.cast_unsigned() & BALANCE;
        let row = Self(u64::from(class) << BALANCE_BITS | lower);
        (class < CLASSES_MAX && row.balance() == balance).then_some(row)
    }

    fn balance(self) -> Minor {
        let shift = u64::BITS - BALANCE_BITS;
        (self.0 << shift).cast_signed() >> shift
    }

    fn class(self) -> u32 {
        ((self.0 & !FLAGS) >> BALANCE_BITS) as u32
    }

    /// The place in the list of those that stand apart.
    fn place(self) -> usize {
        (self.0 & 0xFFFF_FFFF) as usize
    }
}

impl Default for AccountTable {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            owners: Rows::default(),
            last_owner: u32::MAX,
            apart: Vec::new(),
            classes: Vec::new(),
            class_of: HashMap::new(),
            held: HashMap::new(),
        }
    }
}

impl AccountTable {
    /// Adds an account with nothing held and returns its position.
    pub(super) fn push(&mut self, account: Account) -> AccountId {
        // INVARIANT: account positions are 32 bits; 10 M cards with three purses use under 1 % of them.
        let id = AccountId(u32::try_from(self.rows.len()).expect("fewer than 2^32 accounts"));
        if self.rows.len().is_multiple_of(BLOCK) {
            self.owners.push(self.last_owner);
        }
        let Account { kind, currency, balance, floor, .. } = account;
        let class = self.class(Class { kind: kind.of(0), currency, floor });
        let owner = kind.owner();
        let in_order = self.in_order(kind);
        let packed = in_order.and_then(|_| Row::packed(class, balance));
        let mut row = packed.unwrap_or_else(|| Row(APART | self.put_apart(Apart { owner, class, balance })));
        if let Some(begins) = in_order {
            // Also where it stands apart: those behind it count on.
            row.set(NEXT, begins);
            self.last_owner = owner;
        }
        self.rows.push(row);
        id
    }

    /// Whether a purse is of the card of the last purse (`false`) or of the next card (`true`).
    fn in_order(&self, kind: AccountKind) -> Option<bool> {
        let AccountKind::Purse { card, .. } = kind else { return None };
        match card.wrapping_sub(self.last_owner) {
            0 if card != u32::MAX => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn put_apart(&mut self, account: Apart) -> u64 {
        self.apart.push(account);
        self.apart.len() as u64 - 1
    }

    /// The place of a class, which is new if no account has it yet.
    fn class(&mut self, class: Class) -> u32 {
        if let Some(place) = self.class_of.get(&class) {
            return *place;
        }
        // INVARIANT: there are no more classes than accounts.
        let place = u32::try_from(self.classes.len()).expect("fewer than 2^32 classes of accounts");
        self.classes.push(class);
        self.class_of.insert(class, place);
        place
    }

    pub(super) fn get(&self, id: AccountId) -> Option<Account> {
        self.rows.get(id.0 as usize).map(|row| self.whole(id, *row))
    }

    /// The money of an account.
    #[inline]
    pub(super) fn funds(&self, id: AccountId) -> Option<Funds> {
        let row = *self.rows.get(id.0 as usize)?;
        let (class, balance) = self.class_and_balance(row);
        Some(Funds { currency: class.currency, balance, floor: class.floor, held: self.held_of(id, row) })
    }

    /// What an account has in common with others, its balance, and whether anything of it is held.
    #[inline]
    pub(super) fn look(&self, id: AccountId) -> Option<(&Class, Minor, bool)> {
        let row = *self.rows.get(id.0 as usize)?;
        let (class, balance) = self.class_and_balance(row);
        Some((class, balance, row.is(HELD)))
    }

    /// Adds to the balance of an account that is there. The ledger has looked whether the sum is in range.
    pub(super) fn add(&mut self, id: AccountId, amount: Minor) {
        let at = id.0 as usize;
        let row = self.rows[at];
        if row.is(APART) {
            self.apart[row.place()].balance += amount;
            return;
        }
        let (flags, class) = (row.0 & FLAGS, row.class());
        let balance = row.balance() + amount;
        self.rows[at] = match Row::packed(class, balance) {
            Some(packed) => Row(packed.0 | flags),
            None => {
                let owner = self.owner(at);
                Row(APART | flags | self.put_apart(Apart { owner, class, balance }))
            }
        };
    }

    /// Adds postings one after the other, each account looked at once, as long as it is certain that they may be made: one
    /// currency, nothing held where something is taken, and no account below its floor even in between. Where it is not,
    /// takes out again what it added, and says no.
    pub(super) fn add_plainly(&mut self, postings: &[Posting]) -> bool {
        let (mut sum, mut only) = (0_i64, None);
        for (place, posting) in postings.iter().enumerate() {
            let after = self.plainly_after(posting).zip(sum.checked_add(posting.amount));
            match after {
                Some(((currency, balance), together)) if *only.get_or_insert(currency) == currency => {
                    self.set_balance(posting.account, balance);
                    sum = together;
                }
                _ => {
                    self.take_out(&postings[..place]);
                    return false;
                }
            }
        }
        if sum != 0 {
            self.take_out(postings);
        }
        sum == 0
    }

    /// The currency of an account and its balance after a posting, if it keeps its row and that is certainly allowed.
    #[inline]
    fn plainly_after(&self, posting: &Posting) -> Option<(Currency, Minor)> {
        let row = *self.rows.get(posting.account.0 as usize)?;
        let (class, balance) = self.class_and_balance(row);
        let after = balance.checked_add(posting.amount)?;
        let stays = row.is(APART) || Row::packed(row.class(), after).is_some();
        let allowed = posting.amount >= 0 || (after >= class.floor && !row.is(HELD));
        (stays && allowed).then_some((class.currency, after))
    }

    /// Sets the balance of an account, for which there is room where it stands.
    #[inline]
    fn set_balance(&mut self, id: AccountId, balance: Minor) {
        let row = &mut self.rows[id.0 as usize];
        if row.is(APART) {
            self.apart[row.place()].balance = balance;
        } else {
            row.0 = row.0 & !BALANCE | balance.cast_unsigned() & BALANCE;
        }
    }

    #[cold]
    fn take_out(&mut self, postings: &[Posting]) {
        for Posting { account, amount } in postings.iter().rev() {
            let (_, balance) = self.class_and_balance(self.rows[account.0 as usize]);
            self.set_balance(*account, balance - amount);
        }
    }

    /// What an account is for, as of owner 0: whose it is takes longer to find.
    pub(super) fn purpose(&self, id: AccountId) -> Option<AccountKind> {
        self.rows.get(id.0 as usize).map(|row| self.class_and_balance(*row).0.kind)
    }

    /// What stands on an account, what is held included.
    pub(super) fn balance(&self, id: AccountId) -> Option<Minor> {
        let row = self.rows.get(id.0 as usize)?;
        Some(if row.is(APART) { self.apart[row.place()].balance } else { row.balance() })
    }

    /// The same and what of it is held, zeros if there is no such account.
    pub(super) fn balance_and_held(&self, id: AccountId) -> (Minor, Minor) {
        let Some(row) = self.rows.get(id.0 as usize).copied() else { return (0, 0) };
        let balance = if row.is(APART) { self.apart[row.place()].balance } else { row.balance() };
        (balance, self.held_of(id, row))
    }

    /// The currency of an account.
    pub(super) fn currency(&self, id: AccountId) -> Option<Currency> {
        self.rows.get(id.0 as usize).map(|row| self.class_and_balance(*row).0.currency)
    }

    /// What is held on an account that is there.
    pub(super) fn held(&self, id: AccountId) -> Minor {
        self.held_of(id, self.rows[id.0 as usize])
    }

    /// Sets what is held on an account that is there.
    pub(super) fn hold(&mut self, id: AccountId, held: Minor) {
        self.rows[id.0 as usize].set(HELD, held != 0);
        if held == 0 {
            self.held.remove(&id);
        } else {
            self.held.insert(id, held);
        }
    }

    pub(super) fn view(&self) -> Accounts<'_> {
        Accounts { table: self }
    }

    /// Bytes that all accounts own, what is held aside.
    pub(super) fn bytes(&self) -> usize {
        let apart = self.apart.capacity() * size_of::<Apart>();
        self.rows.bytes() + self.owners.bytes() + apart + self.classes.capacity() * size_of::<Class>()
    }

    fn held_of(&self, id: AccountId, row: Row) -> Minor {
        if row.is(HELD) { self.held_apart(id) } else { 0 }
    }

    /// Apart, so that where nothing is held nothing is made ready for it.
    #[inline(never)]
    fn held_apart(&self, id: AccountId) -> Minor {
        self.held.get(&id).copied().unwrap_or(0)
    }

    fn class_and_balance(&self, row: Row) -> (&Class, Minor) {
        let (class, balance) = match row.is(APART) {
            false => (row.class(), row.balance()),
            true => {
                let apart = &self.apart[row.place()];
                (apart.class, apart.balance)
            }
        };
        (&self.classes[class as usize], balance)
    }

    /// Whose account it is.
    fn owner(&self, at: usize) -> u32 {
        let row = self.rows[at];
        if row.is(APART) {
            return self.apart[row.place()].owner;
        }
        let block = at / BLOCK;
        let behind = self.rows[block * BLOCK..=at].iter().filter(|row| row.is(NEXT));
        behind.fold(self.owners[block], |owner, _| owner.wrapping_add(1))
    }

    fn whole(&self, id: AccountId, row: Row) -> Account {
        let (&Class { kind, currency, floor }, balance) = self.class_and_balance(row);
        let held = self.held_of(id, row);
        Account { kind: kind.of(self.owner(id.0 as usize)), currency, balance, floor, held }
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
            Self::Income { account } => u32::from(account),
            Self::IssuerFees { orderer } => orderer,
            Self::Fees | Self::Bank | Self::Receivable | Self::CardDeposits => 0,
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
            Self::Income { .. } => Self::Income { account: (owner & 0xffff) as u16 },
            Self::IssuerFees { .. } => Self::IssuerFees { orderer: owner },
            alone @ (Self::Fees | Self::Bank | Self::Receivable | Self::CardDeposits) => alone,
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
        Some(self.table.whole(id, *row))
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
            AccountKind::CardDeposits,
            AccountKind::Income { account: u16::MAX },
            AccountKind::IssuerFees { orderer: u32::MAX },
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
    fn whose_a_purse_is_follows_from_its_place_whatever_stands_between() {
        let mut table = AccountTable::default();
        let mut want = Vec::new();
        let mut open = |table: &mut AccountTable, kind| {
            let account = Account { kind, currency: 156, balance: 7, floor: 0, held: 0 };
            table.push(account);
            want.push(account);
        };
        for card in 0..200 {
            (0..1 + card % 4).for_each(|purse| {
                open(&mut table, AccountKind::Purse { card, purse: u16::try_from(purse).unwrap_or(0) });
            });
            match card % 10 {
                3 => open(&mut table, AccountKind::MerchantPayable { merchant: card }),
                // A purse of an earlier card, opened late.
                7 => open(&mut table, AccountKind::Purse { card: card - 5, purse: 9 }),
                _ => {}
            }
        }
        assert_eq!(table.view().to_vec(), want);
        assert_eq!(table.apart.len(), 40, "merchants and late purses alone stand apart");
    }

    #[test]
    fn a_balance_too_large_for_a_word_stands_apart_and_is_right() {
        let mut table = AccountTable::default();
        let purse = |card, balance| {
            let kind = AccountKind::Purse { card, purse: 0 };
            Account { kind, currency: 156, balance, floor: 0, held: 0 }
        };
        const LARGEST: Minor = (1 << 47) - 1;
        let opened = [LARGEST, -LARGEST - 1, LARGEST + 1, Minor::MIN, 0, 5];
        let ids: Vec<_> = (0..).zip(opened).map(|(card, balance)| table.push(purse(card, balance))).collect();
        assert_eq!(table.apart.len(), 2);
        table.hold(ids[0], 3);
        table.add(ids[0], 1);
        table.add(ids[1], -1);
        table.add(ids[4], Minor::MAX);
        table.add(ids[5], -6);
        assert_eq!(table.apart.len(), 5);
        let want = [LARGEST + 1, -LARGEST - 2, LARGEST + 1, Minor::MIN, Minor::MAX, -1];
        let want: Vec<_> = (0..).zip(want).map(|(card, balance)| purse(card, balance)).collect();
        assert_eq!(table.get(ids[0]), Some(Account { held: 3, ..want[0] }));
        table.hold(ids[0], 0);
        assert_eq!(table.view().to_vec(), want);
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
        assert_eq!(table.currency(second), Some(156));
        table.hold(second, 0);
        assert_eq!((table.held(second), table.held.len()), (0, 0));
    }
}
