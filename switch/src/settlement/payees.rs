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
    books::Books,
    ledger::{AccountId, Currency, Minor},
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
    merchants: BTreeMap<u32, Totals>,
    acquirers: BTreeMap<u32, Totals>,
    merchants_before: Vec<Minor>,
    acquirers_before: Vec<Minor>,
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
        let balance = |payable| books.ledger().balance(payable);
        Self {
            merchants: BTreeMap::new(),
            acquirers: BTreeMap::new(),
            merchants_before: books.merchants().iter().map(|merchant| balance(merchant.payable)).collect(),
            acquirers_before: books.acquirers().iter().map(|acquirer| balance(acquirer.payable)).collect(),
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
            self.acquirers.entry(u32::from(acquirer)).or_default().add(gross - fee, fee, gross);
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
        let merchants = books.merchants().iter().map(|merchant| Payee {
            id: String::from_utf8_lossy(&merchant.id).trim_end().to_owned(),
            name: merchant.name.clone(),
            payable: merchant.payable,
        });
        let file = SealedCsv::create(folder, format!("merchants-{day}.csv"), &MERCHANTS)?;
        names.push(write(
            (file, journal),
            books,
            "merchant",
            merchants,
            &self.merchants,
            &self.merchants_before,
        )?);
        let acquirers = books.acquirers().iter().map(|acquirer| Payee {
            id: acquirer.id.to_string(),
            name: acquirer.name.clone(),
            payable: acquirer.payable,
        });
        let file = SealedCsv::create(folder, format!("acquirers-{day}.csv"), &ACQUIRERS)?;
        names.push(write(
            (file, journal),
            books,
            "acquirer",
            acquirers,
            &self.acquirers,
            &self.acquirers_before,
        )?);
        Ok(())
    }
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
    totals: &BTreeMap<u32, Totals>,
    before: &[Minor],
) -> Result<String, SettlementError> {
    let mut sums: BTreeMap<Currency, (u64, Totals)> = BTreeMap::new();
    for (at, payee) in (0..).zip(payees) {
        let before = before.get(at as usize).copied().unwrap_or(0);
        let moved = i128::from(books.ledger().balance(payee.payable)) - i128::from(before);
        let mine = totals.get(&at).copied();
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
