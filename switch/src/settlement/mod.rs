//! Clearing of a business day: files for issuers, merchants and acquirers, made from the journal alone.
//!
//! The business day is state. Every record behind a cut-over belongs to the day that the cut-over opened. A closed
//! day never reopens, so its files follow from records that cannot change: made again, they are the same bytes.
//! Left out: paying (when which net is paid, holidays, files for a bank) and disputes.
//!
//! Start at [`settle`], which reads the day; [`closing`] ends one that is still open. What one record moved is in
//! `movement`, the files of issuers in `issuers`, those of merchants and acquirers in `payees`, and how a file is
//! sealed and put in its place in [`mod@file`].

pub mod closing;
pub mod file;
mod issuers;
mod movement;
mod payees;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::Path,
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::{file::StoodAt, issuers::IssuerFiles, movement::Movement, payees::Payees};
use crate::{
    audit::{self, AuditError, BalanceSheet},
    books::{Books, event::Event, owed::BooksFault},
    clock::{date_of_day, days_since_1970},
    journal::{JournalError, Reader, Record, Seq},
    ledger::Currency,
    recovery::RecoveryError,
};

/// Why a day could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    /// No day has begun yet.
    #[error("no business day has begun in this journal")]
    NotBegun,
    /// The day lies in the future.
    #[error("business day {day} has not begun; {open} is open")]
    Future {
        /// The day asked for.
        day: Date,
        /// The day that is open.
        open: Date,
    },
    /// The day is open because the one before it was ended early, and is not to be ended early itself.
    #[error("business day {0} is open ahead of the calendar; it can be ended once its date has come")]
    Ahead(Date),
    /// The day is not over.
    #[error("business day {day} is open; it is settled once it has been cut over")]
    Open {
        /// The day.
        day: Date,
    },
    /// The day lies before the first.
    #[error("there is no business day {day}: the first was {first}")]
    BeforeFirst {
        /// The day asked for.
        day: Date,
        /// The first day that began.
        first: Date,
    },
    /// An account moved by something else than the transactions of the day. No file is kept then.
    #[error("{account} moved by {moved}, but the day's transactions add up to {listed}")]
    Unexplained {
        /// Whose account, or which kind of account.
        account: String,
        /// By how much the balance changed, minor units.
        moved: i128,
        /// What the rows of the file come to, minor units.
        listed: i128,
    },
    /// Money moved without a card.
    #[error("record {seq} moved money and names no card")]
    NoCard {
        /// The record.
        seq: Seq,
    },
    /// A file of that name is there and holds something else.
    #[error(
        "{name} is there already and differs: a closed day has one content, so look at both and move it away"
    )]
    Differs {
        /// The file.
        name: String,
    },
    /// A file received is not what was sent, or has no name that a file may have.
    #[error("{name:?} did not arrive as it was sent")]
    Seal {
        /// The file.
        name: String,
    },
    /// The ledger breaks a rule.
    #[error("the ledger does not add up at the end of the day")]
    Ledger(#[from] BooksFault),
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not replay.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The folder cannot be looked at.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A file cannot be written.
    #[error("cannot write the files of the day")]
    Write(#[from] std::io::Error),
}

/// What a settled day came to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Summary {
    /// The day, ISO 8601.
    pub day: String,
    /// The record of the cut-over that closed it.
    pub closed_by: Seq,
    /// A line for each issuer and currency.
    pub issuers: Vec<IssuerTotal>,
    /// A line for each kind of account and currency.
    pub accounts: Vec<AccountChange>,
    /// Sum of all balances per currency at the end of the day: zero, or there is no summary.
    pub sums: Vec<(Currency, i128)>,
    /// The names of the files.
    pub files: Vec<String>,
}

/// What the cards of an issuer paid and got in a currency.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IssuerTotal {
    /// The orderer of the cards.
    pub issuer: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that took from a card.
    pub debits_count: u64,
    /// What they took, minor units, never above zero.
    pub debits: i128,
    /// Rows that gave to a card.
    pub credits_count: u64,
    /// What they gave, minor units.
    pub credits: i128,
}

/// How the accounts of a kind moved on the day.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccountChange {
    /// Kind of account.
    pub kind: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// By how much their balances changed together, minor units.
    pub change: i128,
    /// What they came to at the end of the day, minor units.
    pub balance: i128,
}

/// The files of a day as text by name, with their summary, on their way to another machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settled {
    /// What the day came to.
    pub summary: Summary,
    /// The files.
    pub files: BTreeMap<String, String>,
}

/// Replays the journal up to the end of a closed day and writes the files of the day into `folder`, which should be
/// empty: [`file::Staging`] is one. `progress` hears each sequence number.
///
/// # Errors
/// The day is not closed, the journal does not replay, an account moved by something that is no transaction, or a
/// file cannot be written. The folder then holds nothing of use.
pub fn settle(
    reader: &dyn Reader,
    day: Date,
    folder: &Path,
    progress: &mut dyn FnMut(Seq),
) -> Result<Summary, SettlementError> {
    let mut run = Run::new(day, folder);
    let mut outcome = Ok(());
    reader.read(1, &mut |record| {
        progress(record.seq);
        match run.take(&record) {
            Ok(flow) => flow,
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    outcome?;
    run.finish(reader)
}

/// One reading of the journal for one day.
struct Run<'a> {
    day: i32,
    folder: &'a Path,
    books: Books,
    /// The first day that began.
    first: Option<i32>,
    opened: Option<Opened<'a>>,
    closed_by: Option<Seq>,
}

/// What is gathered while the day is open.
struct Opened<'a> {
    sheet: BalanceSheet,
    issuers: IssuerFiles<'a>,
    payees: Payees,
}

impl<'a> Opened<'a> {
    fn at(books: &Books, day: i32, folder: &'a Path) -> Self {
        Self {
            sheet: audit::balance_sheet(books),
            issuers: IssuerFiles::new(folder, date_of_day(day)),
            payees: Payees::at(books),
        }
    }
}

impl<'a> Run<'a> {
    fn new(day: Date, folder: &'a Path) -> Self {
        let day = days_since_1970(day);
        Self { day, folder, books: Books::default(), first: None, opened: None, closed_by: None }
    }

    /// Takes the next record; breaks once the day is closed.
    fn take(&mut self, record: &Record<'_>) -> Result<ControlFlow<()>, SettlementError> {
        let seq = record.seq;
        let event = Event::read(record.body).map_err(|source| RecoveryError::Event { seq, source })?;
        if let Some(opened) = &mut self.opened {
            // Before it is applied: it may push out what it refers to.
            note(opened, &self.books, record, event.done())?;
        }
        self.books.apply(seq, record.time_ms, &event).map_err(RecoveryError::from)?;
        let Event::CutOver { opens } = event else { return Ok(ControlFlow::Continue(())) };
        self.first.get_or_insert(opens);
        if opens > self.day {
            self.closed_by = Some(seq);
            return Ok(ControlFlow::Break(()));
        }
        if opens == self.day {
            self.opened = Some(Opened::at(&self.books, self.day, self.folder));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self, reader: &dyn Reader) -> Result<Summary, SettlementError> {
        let Some(closed_by) = self.closed_by else {
            closing::standing(&self.books, date_of_day(self.day))?;
            return Err(SettlementError::Open { day: date_of_day(self.day) });
        };
        if let Some(first) = self.first.filter(|first| *first > self.day) {
            return Err(SettlementError::BeforeFirst {
                day: date_of_day(self.day),
                first: date_of_day(first),
            });
        }
        let books = &self.books;
        // A day on which the switch did not run was never opened; it has files all the same, with nothing in them.
        let opened = self.opened.unwrap_or_else(|| Opened::at(books, self.day, self.folder));
        books.verify()?;
        let sheet = audit::balance_sheet(books);
        let accounts = changes(&opened.sheet, &sheet);
        let date = date_of_day(self.day);
        let mut files = Vec::new();
        let (seq, hash) = reader.commit_before(closed_by)?;
        let journal = StoodAt { seq, hash };
        let issuers = opened.issuers.finish(books, journal, &mut files)?;
        explain_purses(&accounts, &issuers)?;
        opened.payees.write(books, (self.folder, journal), date, &mut files)?;
        Ok(Summary { day: date.to_string(), closed_by, issuers, accounts, sums: sheet.sums, files })
    }
}

/// Lists a record of the day, if it moved money or ended a hold.
fn note(
    opened: &mut Opened<'_>,
    books: &Books,
    record: &Record<'_>,
    event: &Event,
) -> Result<(), SettlementError> {
    match event {
        Event::Decided(decided) if decided.reason.is_approval() && !decided.postings.is_empty() => {
            let movement = Movement::of_decided(books, decided);
            opened.payees.add(&movement);
            opened.issuers.decided(books, record.seq, record.time_ms, decided, &movement)
        }
        Event::Operated(operated) => {
            opened.payees.add(&Movement::of(books, &operated.postings));
            opened.issuers.operated(books, record.seq, record.time_ms, operated)
        }
        Event::HoldExpired { hold, original, amount } => {
            opened.issuers.expired(books, record.seq, record.time_ms, (*hold, *original, *amount))
        }
        _ => Ok(()),
    }
}

fn changes(before: &BalanceSheet, after: &BalanceSheet) -> Vec<AccountChange> {
    let balance = |sheet: &BalanceSheet, kind: &str, currency| {
        let row = sheet.rows.iter().find(|row| row.kind == kind && row.currency == currency);
        row.map_or(0, |row| row.balance)
    };
    let rows = after.rows.iter().map(|row| AccountChange {
        kind: row.kind.clone(),
        currency: row.currency,
        change: row.balance - balance(before, &row.kind, row.currency),
        balance: row.balance,
    });
    rows.collect()
}

/// The rows of all issuers must come to what happened to the purses.
fn explain_purses(accounts: &[AccountChange], issuers: &[IssuerTotal]) -> Result<(), SettlementError> {
    let listed = |currency| -> i128 {
        let of_currency = issuers.iter().filter(|total| total.currency == currency);
        of_currency.map(|total| total.debits + total.credits).sum()
    };
    let purses = accounts.iter().filter(|account| account.kind == "purse");
    let moved: BTreeMap<Currency, i128> = purses.map(|purse| (purse.currency, purse.change)).collect();
    let currencies: BTreeSet<Currency> =
        moved.keys().copied().chain(issuers.iter().map(|total| total.currency)).collect();
    for currency in currencies {
        let moved = moved.get(&currency).copied().unwrap_or(0);
        explained(|| format!("all purses in currency {currency:03} together"), moved, listed(currency))?;
    }
    Ok(())
}

/// Whether what moved is what was listed.
fn explained(account: impl FnOnce() -> String, moved: i128, listed: i128) -> Result<(), SettlementError> {
    if moved == listed {
        return Ok(());
    }
    Err(SettlementError::Unexplained { account: account(), moved, listed })
}
