//! Looking back: the trial balance, the entries, and the proof that a journal adds up. The same answers come from a
//! stopped folder and, through the admin port, from a running switch.
//!
//! One card stands in [`card`], its purses over a period in [`statement`], an orderer's float and cards in [`orderer`],
//! the accounts over a business day in [`trial`], what they are for in [`mod@chart`], one terminal in [`terminal`], the outbox in [`notices`],
//! the rules in force in [`rules`], what they look things up in in [`mod@lists`], why they decided in [`mod@explain`].

pub mod alerts;
pub mod card;
pub mod chart;
pub mod explain;
pub mod lists;
mod movements;
pub mod notices;
pub mod orderer;
pub mod rules;
pub mod statement;
pub mod terminal;
pub mod trial;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    app::{archive_dir, journal_dir},
    books::{
        Books,
        alerts::Snooze,
        event::{Decided, Event, Operated},
        holder_limits::LimitedCard,
        owed::BooksFault,
        reason::Reason,
    },
    clock::stopwatch,
    dialect::response_code,
    hex,
    journal::{JournalError, OpenReport, Reader, Seq, SledStore, Store, StoreOptions, copy_for_inspection},
    ledger::{Account, AccountKind, Currency, Minor, Posting},
    recovery::{self, RecoveryError},
};

/// The most entries asked for at once.
pub const ENTRIES_MAX: usize = 1000;

/// How long a commit is waited for.
const COMMIT_MAX: Duration = Duration::from_secs(30);

/// Why an audit could not be made, or what it found.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not replay.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The ledger breaks a rule.
    #[error("the ledger does not add up")]
    Ledger(#[from] BooksFault),
    /// A replay from the first record gives another state than the switch or its checkpoint has.
    #[error("a replay from the first record gives another state at record {seq} than the {than}")]
    StateDiffers {
        /// The record.
        seq: Seq,
        /// What the replay was compared with.
        than: &'static str,
    },
    /// A record posts what no rule allows.
    #[error("the ledger does not keep to its posting rules")]
    Rules(#[from] chart::RuleBroken),
    /// No such day has begun.
    #[error("that business day has not begun, or lies before the first")]
    NoSuchDay,
    /// The work was cut off.
    #[error("the audit was cut off; ask again")]
    Interrupted,
}

/// One line of the trial balance: all accounts of a kind in a currency.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BalanceRow {
    /// Kind of account.
    pub kind: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// How many accounts.
    pub accounts: u64,
    /// Their balances together, minor units.
    pub balance: i128,
}

/// The trial balance.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BalanceSheet {
    /// The last record in it.
    pub seq: Seq,
    /// A line for each kind and currency.
    pub rows: Vec<BalanceRow>,
    /// Sum per currency; zero, or the ledger is broken.
    pub sums: Vec<(Currency, i128)>,
}

/// One posting of an entry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EntryPosting {
    /// The account in words.
    pub account: String,
    /// Minor units.
    pub amount: Minor,
}

/// One record for people.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Its sequence number.
    pub seq: Seq,
    /// Its time, RFC 3339 in UTC.
    pub time: String,
    /// What happened.
    pub event: String,
    /// Field 41.
    pub terminal: Option<String>,
    /// The terminal's number for it.
    pub stan: Option<u32>,
    /// BIN and last four.
    pub card: Option<String>,
    /// Amount, minor units.
    pub amount: Option<Minor>,
    /// ISO 4217 number.
    pub currency: Option<Currency>,
    /// Field 39 and the reason.
    pub outcome: Option<String>,
    /// What moved.
    pub postings: Vec<EntryPosting>,
}

/// A proof that held.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verification {
    /// Records replayed, from the first.
    pub records: Seq,
    /// Accounts whose balance and floor were checked.
    pub accounts: u64,
    /// State hash of the replay, hex.
    pub state_hash: String,
    /// What the state hash was compared with.
    pub compared_with: String,
    /// The journal's last hash, hex.
    pub head: String,
}

/// The trial balance of these books.
#[must_use]
pub fn balance_sheet(books: &Books) -> BalanceSheet {
    let mut rows: BTreeMap<(&str, Currency), (u64, i128)> = BTreeMap::new();
    for account in books.ledger().accounts() {
        let row = rows.entry((books.title(&account.kind), account.currency)).or_default();
        row.0 += 1;
        row.1 += i128::from(account.balance);
    }
    let rows = rows.into_iter().map(|((kind, currency), (accounts, balance))| BalanceRow {
        kind: kind.to_owned(),
        currency,
        accounts,
        balance,
    });
    BalanceSheet { seq: books.seq(), rows: rows.collect(), sums: books.ledger().sums() }
}

/// An event as it was read, with its place and time.
pub type ReadEvent = (Seq, i64, Event);

/// Reads events: `count` from `from` on, or the last `count`.
///
/// # Errors
/// The journal refuses, or holds a record that is no event.
pub fn read_events(
    reader: &dyn Reader,
    from: Option<Seq>,
    count: usize,
) -> Result<Vec<ReadEvent>, AuditError> {
    let from = from.unwrap_or_else(|| (reader.head().seq + 1).saturating_sub(count as u64)).max(1);
    let mut events = Vec::new();
    let mut outcome = Ok(());
    if count == 0 {
        return Ok(events);
    }
    reader.read(from, &mut |record| match Event::read(record.body) {
        Ok(event) => {
            events.push((record.seq, record.time_ms, event));
            if events.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
        Err(source) => {
            outcome = Err(RecoveryError::Event { seq: record.seq, source });
            ControlFlow::Break(())
        }
    })?;
    outcome?;
    Ok(events)
}

/// Events in words, with the names the books know.
#[must_use]
pub fn entries(books: &Books, events: &[ReadEvent]) -> Vec<Entry> {
    events.iter().map(|(seq, time_ms, event)| entry(books, *seq, *time_ms, event)).collect()
}

fn entry(books: &Books, seq: Seq, time_ms: i64, event: &Event) -> Entry {
    let blank = Entry {
        seq,
        time: utc(time_ms),
        event: event.name().to_owned(),
        terminal: None,
        stan: None,
        card: None,
        amount: None,
        currency: None,
        outcome: None,
        postings: Vec::new(),
    };
    match event.done() {
        Event::Decided(decided) => decided_entry(books, decided, blank),
        Event::Operated(operated) => operated_entry(books, operated, blank),
        Event::SignedIn { terminal, stan, .. } | Event::SignedOff { terminal, stan } => {
            Entry { terminal: terminal_name(books, *terminal), stan: Some(*stan), ..blank }
        }
        Event::PinTriesReset { card }
        | Event::RuleSnoozed(Snooze { card, .. })
        | Event::HolderLimitsSet(LimitedCard { card, .. }) => {
            Entry { card: card_name(books, Some(*card)), ..blank }
        }
        _ => blank,
    }
}

fn operated_entry(books: &Books, operated: &Operated, blank: Entry) -> Entry {
    Entry {
        terminal: operated.terminal.and_then(|terminal| terminal_name(books, terminal)),
        card: card_name(books, operated.changes.first().map(|change| change.card)),
        amount: Some(operated.amount),
        currency: Some(operated.currency),
        postings: posted(books, &operated.postings),
        ..blank
    }
}

fn posted(books: &Books, postings: &[Posting]) -> Vec<EntryPosting> {
    let posted = postings.iter().map(|posting| EntryPosting {
        account: books
            .ledger()
            .account(posting.account)
            .map_or_else(|| "unknown".to_owned(), |account| account_name(books, &account)),
        amount: posting.amount,
    });
    posted.collect()
}

fn decided_entry(books: &Books, decided: &Decided, blank: Entry) -> Entry {
    Entry {
        terminal: terminal_name(books, decided.key.terminal),
        stan: Some(decided.key.stan),
        card: card_name(books, decided.card),
        amount: Some(decided.approved()),
        currency: Some(decided.currency),
        outcome: Some(answer_text(decided.reason)),
        postings: posted(books, &decided.postings),
        ..blank
    }
}

/// A recorded time, RFC 3339 in UTC.
#[must_use]
pub fn utc(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).map(|time| time.to_string()).unwrap_or_default()
}

/// Field 39 and the reason.
fn answer_text(reason: Reason) -> String {
    format!("{} {}", String::from_utf8_lossy(response_code(reason)), reason.name())
}

/// BIN and last four of a card.
fn card_name(books: &Books, card: Option<u32>) -> Option<String> {
    card.and_then(|card| books.cards().get(card as usize)).map(|card| card.masked())
}

/// The last three digits of a telephone number, nothing of a shorter one.
fn masked_phone(phone: &str) -> String {
    let shown =
        phone.len().checked_sub(3).filter(|before| *before > 3).and_then(|before| phone.get(before..));
    format!("…{}", shown.unwrap_or_default())
}

fn terminal_name(books: &Books, terminal: u32) -> Option<String> {
    books
        .terminals()
        .get(terminal as usize)
        .map(|terminal| String::from_utf8_lossy(&terminal.id).into_owned())
}

/// An account in words: its kind and whose it is, cards masked.
#[must_use]
pub fn account_name(books: &Books, account: &Account) -> String {
    let kind = books.title(&account.kind);
    let merchant = |at: u32| {
        let merchant = books.merchants().get(at as usize);
        merchant
            .map_or_else(String::new, |merchant| String::from_utf8_lossy(&merchant.id).trim_end().to_owned())
    };
    match account.kind {
        AccountKind::Purse { card, purse } => {
            let card = books.cards().get(card as usize).map(|card| card.masked()).unwrap_or_default();
            let purse = books.purses().get(usize::from(purse)).map_or("", |purse| purse.name.as_str());
            format!("purse {purse} of {card}")
        }
        AccountKind::MerchantPayable { merchant: at } | AccountKind::LoadLine { merchant: at } => {
            format!("{kind} {}", merchant(at))
        }
        AccountKind::OrdererFloat { orderer } => {
            let orderer = books.orderers().get(orderer as usize).map_or("", |orderer| orderer.name.as_str());
            format!("{kind} {orderer}")
        }
        AccountKind::AcquirerPayable { acquirer } => {
            let acquirer = books.acquirers().get(usize::from(acquirer));
            format!("{kind} {}", acquirer.map_or("", |acquirer| acquirer.id.as_str()))
        }
        AccountKind::IssuerFees { orderer } => {
            let orderer = books.orderers().get(orderer as usize).map_or("", |orderer| orderer.name.as_str());
            format!("{kind} {orderer}")
        }
        AccountKind::Income { .. }
        | AccountKind::Fees
        | AccountKind::Bank
        | AccountKind::Receivable
        | AccountKind::CardDeposits => kind.to_owned(),
    }
}

/// A stopped data folder, opened as a copy so that looking changes nothing.
pub struct StoppedFolder {
    store: SledStore,
    report: OpenReport,
    // Removed from disk when this goes, so it goes last.
    _copy: tempfile::TempDir,
}

impl std::fmt::Debug for StoppedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoppedFolder")
    }
}

impl StoppedFolder {
    /// Copies and opens the journal of a data folder; this verifies extents, checksums, chain and anchor. What was archived
    /// is read where it is, from `archive` if that is not in the data folder.
    ///
    /// # Errors
    /// A switch is running on it, it holds no journal, or the journal is damaged.
    pub fn open(
        data: &Path,
        archive: Option<&Path>,
        progress: &mut dyn FnMut(Seq),
    ) -> Result<Self, AuditError> {
        let copy = copy_for_inspection(&journal_dir(data))?;
        let archive = archive_dir(data, archive);
        let (store, report) =
            SledStore::open_archived(copy.path(), &archive, StoreOptions::default(), progress)?;
        Ok(Self { store, report, _copy: copy })
    }

    /// What was found when it opened.
    #[must_use]
    pub fn report(&self) -> &OpenReport {
        &self.report
    }

    /// The books: checkpoint and the records behind it.
    ///
    /// # Errors
    /// The journal does not replay.
    pub fn books(&self, progress: &mut dyn FnMut(Seq)) -> Result<Books, AuditError> {
        Ok(recovery::restore(&self.store, progress)?)
    }

    /// A reader of its records.
    #[must_use]
    pub fn reader(&self) -> Box<dyn Reader> {
        self.store.reader()
    }

    /// Proves that the folder adds up: replay from the first record, invariants, and the same state as the
    /// checkpoint with the records behind it.
    ///
    /// # Errors
    /// What was found.
    pub fn verify(&self, progress: &mut dyn FnMut(Seq)) -> Result<Verification, AuditError> {
        let reader = self.store.reader();
        let checkpoint = recovery::newest_checkpoint(self.store.checkpoints().as_ref())?;
        let than = if checkpoint.is_some() { "checkpoint and the records behind it" } else { "replay" };
        let mut restored = checkpoint.unwrap_or_default();
        recovery::replay(reader.as_ref(), &mut restored, self.store.head().seq, progress)?;
        let (seq, state_hash) = (restored.seq(), restored.state_hash());
        drop(restored);
        prove(reader.as_ref(), seq, state_hash, than, progress)
    }
}

/// Proves that a running switch's journal adds up to the state that it had at record `seq`.
///
/// # Errors
/// What was found.
pub fn verify_running(
    reader: &dyn Reader,
    seq: Seq,
    state_hash: [u8; 32],
) -> Result<Verification, AuditError> {
    // The books may be a commit ahead of the disk.
    await_durable(reader, seq)?;
    prove(reader, seq, state_hash, "running switch", &mut |_| ())
}

/// Returns once a record is durable that the books of a running switch have. Its commit is under way, so this wait is
/// short.
///
/// # Errors
/// It took longer than any commit takes: the switch is stopping, or its disk hangs.
#[expect(clippy::disallowed_methods, reason = "on a thread of its own, for as long as a commit takes")]
pub fn await_durable(reader: &dyn Reader, seq: Seq) -> Result<(), AuditError> {
    let begun = stopwatch();
    while reader.head().seq < seq {
        if begun.elapsed() > COMMIT_MAX {
            return Err(AuditError::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn prove(
    reader: &dyn Reader,
    seq: Seq,
    state_hash: [u8; 32],
    than: &'static str,
    progress: &mut dyn FnMut(Seq),
) -> Result<Verification, AuditError> {
    let mut books = Books::default();
    let mut broken = None;
    recovery::replay_watched(reader, &mut books, seq, &mut |books, _, event| {
        progress(books.seq());
        broken = broken.take().or_else(|| chart::check(books, event).err());
    })?;
    broken.map_or(Ok(()), Err)?;
    books.verify()?;
    if books.state_hash() != state_hash {
        return Err(AuditError::StateDiffers { seq, than });
    }
    Ok(Verification {
        records: books.seq(),
        accounts: books.ledger().accounts().len() as u64,
        state_hash: hex::digits(&state_hash),
        compared_with: than.to_owned(),
        head: hex::digits(&reader.head().hash),
    })
}
