//! The files of those who are paid: what each merchant and each acquirer is owed for the day.
//!
//! A merchant's net is what it sold, less what went back, less its fees; an acquirer's is the cash its machines paid
//! out with its fees, less what went back. Each must be what happened to its payable account.

use std::{collections::BTreeMap, path::Path};

use jiff::civil::Date;

use super::{
    SettlementError, explained,
    file::{SealedCsv, StoodAt},
    movement::Movement,
};
use crate::{
    books::{Acquirer, Books, Merchant},
    ledger::{AccountId, AccountKind, Currency, Minor},
};

const MERCHANTS: [&str; 9] = [
    "merchant",
    "name",
    "currency",
    "purchases_count",
    "purchases_sum",
    "returned_count",
    "returned_sum",
    "fees",
    "net_payable",
];
const ACQUIRERS: [&str; 9] = [
    "acquirer",
    "name",
    "currency",
    "withdrawals_count",
    "withdrawals_sum",
    "reversed_count",
    "reversed_sum",
    "fees",
    "net_payable",
];

/// What one payee's transactions came to, minor units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Totals {
    given_count: u64,
    /// Purchases with the merchant's fee in them, or cash without the acquirer's.
    given: i128,
    back_count: u64,
    back: i128,
    fees: i128,
    net: i128,
}

/// The payees of a day.
pub(super) struct Payees {
    merchants: BTreeMap<AccountId, Totals>,
    acquirers: BTreeMap<AccountId, Totals>,
    /// What each payable account held at the beginning, where that is not zero.
    before: BTreeMap<AccountId, Minor>,
}

/// A payee as its file names it.
struct Payee {
    id: String,
    name: String,
    payable: AccountId,
}

impl Payees {
    /// Nothing yet, on a day that begins with these balances.
    pub(super) fn at(books: &Books) -> Self {
        let payees = merchants(books).chain(acquirers(books)).map(|payee| payee.payable);
        let balances = payees.map(|payable| (payable, books.ledger().balance(payable)));
        Self {
            merchants: BTreeMap::new(),
            acquirers: BTreeMap::new(),
            before: balances.filter(|(_, balance)| *balance != 0).collect(),
        }
    }

    /// Counts a decided request.
    pub(super) fn add(&mut self, movement: &Movement) {
        if let Some(merchant) = movement.merchant {
            let net = movement.gross() - movement.fee();
            self.merchants.entry(merchant).or_default().add(movement.gross(), movement.fee(), net);
        }
        if let Some(acquirer) = movement.acquirer {
            let (gross, fee) = (movement.gross(), movement.fee());
            self.acquirers.entry(acquirer).or_default().add(gross - fee, fee, gross);
        }
    }

    /// Writes both files; their names go to `names`.
    pub(super) fn write(
        self,
        books: &Books,
        (folder, journal): (&Path, StoodAt),
        day: Date,
        names: &mut Vec<String>,
    ) -> Result<(), SettlementError> {
        let file = SealedCsv::create(folder, format!("merchants-{day}.csv"), &MERCHANTS)?;
        let at = (file, journal);
        names.push(write(at, books, "merchant", merchants(books), &self.merchants, &self.before)?);
        let file = SealedCsv::create(folder, format!("acquirers-{day}.csv"), &ACQUIRERS)?;
        let at = (file, journal);
        names.push(write(at, books, "acquirer", acquirers(books), &self.acquirers, &self.before)?);
        Ok(())
    }
}

/// Merchants, each with its first currency, and behind them what some have in others.
fn merchants(books: &Books) -> impl Iterator<Item = Payee> {
    let payee = |merchant: &Merchant, payable| Payee {
        id: String::from_utf8_lossy(&merchant.id).trim_end().to_owned(),
        name: merchant.name.clone(),
        payable,
    };
    let first = books.merchants().iter().map(move |merchant| payee(merchant, merchant.payable));
    let further = further(books, |kind| match kind {
        AccountKind::MerchantPayable { merchant } => Some(merchant as usize),
        _ => None,
    });
    let further = further.into_iter();
    first.chain(further.map(move |(at, _, payable)| payee(&books.merchants()[at], payable)))
}

/// The same of acquirers.
fn acquirers(books: &Books) -> impl Iterator<Item = Payee> {
    let payee = |acquirer: &Acquirer, payable| Payee {
        id: acquirer.id.to_string(),
        name: acquirer.name.clone(),
        payable,
    };
    let first = books.acquirers().iter().map(move |acquirer| payee(acquirer, acquirer.payable));
    let further = further(books, |kind| match kind {
        AccountKind::AcquirerPayable { acquirer } => Some(usize::from(acquirer)),
        _ => None,
    });
    let further = further.into_iter();
    first.chain(further.map(move |(at, _, payable)| payee(&books.acquirers()[at], payable)))
}

/// Accounts of a kind in other currencies, in the order of their owners: a closed day's files are always the same.
fn further(books: &Books, owner: impl Fn(AccountKind) -> Option<usize>) -> Vec<(usize, Currency, AccountId)> {
    let accounts = books.further_accounts();
    let mut found: Vec<_> =
        accounts.filter_map(|(kind, currency, account)| Some((owner(kind)?, currency, account))).collect();
    found.sort_unstable();
    found
}

impl Totals {
    /// Adds what was sold or given back, the fee in it or on it, and what the payable account should have moved by.
    fn add(&mut self, gross: i128, fee: i128, net: i128) {
        if gross < 0 {
            self.back_count += 1;
            self.back -= gross;
        } else {
            self.given_count += 1;
            self.given += gross;
        }
        self.fees += fee;
        self.net += net;
    }

    fn with(self, other: &Self) -> Self {
        Self {
            given_count: self.given_count + other.given_count,
            given: self.given + other.given,
            back_count: self.back_count + other.back_count,
            back: self.back + other.back,
            fees: self.fees + other.fees,
            net: self.net + other.net,
        }
    }

    fn fields(&self) -> [String; 6] {
        [
            self.given_count.to_string(),
            self.given.to_string(),
            self.back_count.to_string(),
            self.back.to_string(),
            self.fees.to_string(),
            self.net.to_string(),
        ]
    }
}

/// Writes one file: a row for each payee that had something, trailers, seal. Every payee's account is compared, also
/// of those that had nothing.
fn write(
    (mut file, journal): (SealedCsv, StoodAt),
    books: &Books,
    what: &str,
    payees: impl Iterator<Item = Payee>,
    totals: &BTreeMap<AccountId, Totals>,
    before: &BTreeMap<AccountId, Minor>,
) -> Result<String, SettlementError> {
    let mut sums: BTreeMap<Currency, (u64, Totals)> = BTreeMap::new();
    for payee in payees {
        let before = before.get(&payee.payable).copied().unwrap_or(0);
        let moved = i128::from(books.ledger().balance(payee.payable)) - i128::from(before);
        let mine = totals.get(&payee.payable).copied();
        explained(|| format!("what {what} {} is owed", payee.id), moved, mine.map_or(0, |mine| mine.net))?;
        let Some(mine) = mine else { continue };
        let currency = books.ledger().account(payee.payable).map_or(0, |account| account.currency);
        let named = [payee.id, payee.name, format!("{currency:03}")];
        file.row(&named.into_iter().chain(mine.fields()).collect::<Vec<_>>())?;
        let (rows, sum) = sums.entry(currency).or_default();
        *rows += 1;
        *sum = sum.with(&mine);
    }
    for (currency, (rows, sum)) in sums {
        let begin = ["trailer".to_owned(), rows.to_string()];
        let end = [format!("{currency:03}")];
        file.row(&begin.into_iter().chain(sum.fields()).chain(end).collect::<Vec<_>>())?;
    }
    Ok(file.seal(journal)?)
}
