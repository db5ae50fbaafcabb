//! The file of each issuer: every transaction of its cards, and every hold whose time ran out.
//!
//! Amounts are minor units from the card's point of view: a debit is below zero.

use std::{collections::BTreeMap, path::Path};

use jiff::{Timestamp, civil::Date};

use super::{
    IssuerTotal, SettlementError,
    file::{SealedCsv, StoodAt},
    movement::Movement,
};
use crate::{
    books::{
        Books, Card, Merchant, Terminal,
        event::{Decided, Operated, OperationKind, ReversalEffect},
        originals::approval_code,
    },
    journal::Seq,
    ledger::{AccountKind, Currency, Minor, holds::HoldId},
};

/// `approval_code` is the record's last six digits, as on the receipt and at the end of the RRN; `against` is the
/// account on the other side; `released` is what an expired hold had promised; `original` is the record of the
/// transaction that this one is about.
const HEADER: [&str; 14] = [
    "record",
    "approval_code",
    "time_utc",
    "kind",
    "card",
    "product",
    "terminal",
    "merchant",
    "amount",
    "currency",
    "fee",
    "against",
    "released",
    "original",
];

/// One file for each orderer of cards.
pub(super) struct IssuerFiles<'a> {
    folder: &'a Path,
    day: Date,
    /// In the order of the books' orderers.
    files: Vec<IssuerFile>,
}

struct IssuerFile {
    csv: SealedCsv,
    totals: BTreeMap<Currency, IssuerTotal>,
}

/// What a row says beside what its card says.
struct Row<'r> {
    seq: Seq,
    time_ms: i64,
    kind: &'static str,
    place: Option<(&'r Terminal, &'r Merchant)>,
    amount: i128,
    currency: Currency,
    fee: i128,
    against: &'static str,
    released: Minor,
    original: Option<Seq>,
}

impl<'a> IssuerFiles<'a> {
    pub(super) fn new(folder: &'a Path, day: Date) -> Self {
        Self { folder, day, files: Vec::new() }
    }

    /// Lists a decided request.
    pub(super) fn decided(
        &mut self,
        books: &Books,
        seq: Seq,
        time_ms: i64,
        decided: &Decided,
        movement: &Movement,
    ) -> Result<(), SettlementError> {
        let row = Row {
            seq,
            time_ms,
            kind: decided.kind.name(),
            place: place(books, decided.key.terminal),
            amount: movement.card,
            currency: decided.currency,
            fee: movement.fee(),
            against: movement.against,
            released: 0,
            original: original(books, decided),
        };
        self.write(books, decided.card, &row)
    }

    /// Lists what officers ordered, a row for each card and currency that it moved.
    pub(super) fn operated(
        &mut self,
        books: &Books,
        seq: Seq,
        time_ms: i64,
        operated: &Operated,
    ) -> Result<(), SettlementError> {
        let movement = Movement::of(books, &operated.postings);
        // Only this one pays somebody, as a completion does, even where the cardholder owes all of it.
        let is_payment = operated.kind == OperationKind::ForcePost;
        for change in &operated.changes {
            let mut moved: BTreeMap<Currency, i128> = BTreeMap::new();
            if is_payment {
                moved.insert(operated.currency, 0);
            }
            for posting in &operated.postings {
                let account = books.ledger().account(posting.account);
                let Some(account) = account else { continue };
                if matches!(account.kind, AccountKind::Purse { card, .. } if card == change.card) {
                    *moved.entry(account.currency).or_default() += i128::from(posting.amount);
                }
            }
            for (currency, amount) in moved {
                let row = Row {
                    seq,
                    time_ms,
                    kind: operated.kind.name(),
                    place: operated.terminal.and_then(|terminal| place(books, terminal)),
                    amount,
                    currency,
                    fee: if is_payment { movement.fee() } else { 0 },
                    against: if is_payment { movement.against } else { "" },
                    released: 0,
                    original: None,
                };
                self.write(books, Some(change.card), &row)?;
            }
        }
        Ok(())
    }

    /// Lists a hold whose time ran out: the hold, its pre-authorization, what it held.
    pub(super) fn expired(
        &mut self,
        books: &Books,
        seq: Seq,
        time_ms: i64,
        (hold, original, released): (HoldId, Seq, Minor),
    ) -> Result<(), SettlementError> {
        let hold = books.ledger().holds().find(hold);
        let purse = hold.and_then(|hold| books.ledger().account(hold.legs.first()?.account));
        let card = match purse.map(|purse| purse.kind) {
            Some(AccountKind::Purse { card, .. }) => Some(card),
            _ => None,
        };
        let named = books.originals().at(original);
        let row = Row {
            seq,
            time_ms,
            kind: "hold_expired",
            place: named.and_then(|named| place(books, named.key.terminal)),
            amount: 0,
            currency: hold.map_or(0, |hold| hold.currency),
            fee: 0,
            against: "",
            released,
            original: (original != 0).then_some(original),
        };
        self.write(books, card, &row)
    }

    fn write(&mut self, books: &Books, card: Option<u32>, row: &Row<'_>) -> Result<(), SettlementError> {
        let no_card = SettlementError::NoCard { seq: row.seq };
        let card = card.and_then(|card| books.cards().get(card as usize)).ok_or(no_card)?;
        self.create_up_to(books, usize::from(card.orderer) + 1)?;
        let issuer = &books.orderers()[usize::from(card.orderer)].name;
        let file = &mut self.files[usize::from(card.orderer)];
        count(file.totals.entry(row.currency).or_insert_with(|| nothing(issuer, row.currency)), row.amount);
        Ok(file.csv.row(&fields(books, &card, row))?)
    }

    /// An orderer may join in the middle of a day, so files are made as they are needed.
    fn create_up_to(&mut self, books: &Books, count: usize) -> Result<(), SettlementError> {
        for (at, orderer) in books.orderers().iter().enumerate().take(count).skip(self.files.len()) {
            let name = format!("issuer-{}-{}.csv", file_word(&orderer.name, at), self.day);
            let csv = SealedCsv::create(self.folder, name, &HEADER)?;
            let currency = books.ledger().account(orderer.float).map_or(0, |float| float.currency);
            let totals = BTreeMap::from([(currency, nothing(&orderer.name, currency))]);
            self.files.push(IssuerFile { csv, totals });
        }
        Ok(())
    }

    /// Writes the trailers; the names of the files go to `names`.
    pub(super) fn finish(
        mut self,
        books: &Books,
        journal: StoodAt,
        names: &mut Vec<String>,
    ) -> Result<Vec<IssuerTotal>, SettlementError> {
        self.create_up_to(books, books.orderers().len())?;
        let mut all = Vec::new();
        for mut file in self.files {
            for total in file.totals.into_values() {
                file.csv.row(&[
                    "trailer".to_owned(),
                    total.rows.to_string(),
                    total.debits_count.to_string(),
                    total.debits.to_string(),
                    total.credits_count.to_string(),
                    total.credits.to_string(),
                    format!("{:03}", total.currency),
                ])?;
                all.push(total);
            }
            names.push(file.csv.seal(journal)?);
        }
        Ok(all)
    }
}

fn fields(books: &Books, card: &Card, row: &Row<'_>) -> [String; 14] {
    let product = books.products().get(usize::from(card.product));
    let (terminal, merchant) = row
        .place
        .map_or_else(Default::default, |(terminal, merchant)| (text(&terminal.id), text(&merchant.id)));
    [
        row.seq.to_string(),
        format!("{:06}", approval_code(row.seq)),
        time_utc(row.time_ms),
        row.kind.to_owned(),
        card.masked(),
        product.map_or_else(String::new, |product| product.name.clone()),
        terminal,
        merchant,
        row.amount.to_string(),
        format!("{:03}", row.currency),
        row.fee.to_string(),
        row.against.to_owned(),
        row.released.to_string(),
        row.original.map_or_else(String::new, |original| original.to_string()),
    ]
}

fn place(books: &Books, terminal: u32) -> Option<(&Terminal, &Merchant)> {
    let terminal = books.terminals().get(terminal as usize)?;
    Some((terminal, books.merchants().get(terminal.merchant as usize)?))
}

/// The record of what a transaction is about: what it names, or what it takes back.
fn original(books: &Books, decided: &Decided) -> Option<Seq> {
    match decided.reversal {
        Some((key, ReversalEffect::Reversed)) => books.transactions().find(&key).map(|done| done.seq),
        _ => decided.original.map(|original| original.seq),
    }
}

fn nothing(issuer: &str, currency: Currency) -> IssuerTotal {
    let issuer = issuer.to_owned();
    IssuerTotal { issuer, currency, rows: 0, debits_count: 0, debits: 0, credits_count: 0, credits: 0 }
}

fn count(total: &mut IssuerTotal, amount: i128) {
    total.rows += 1;
    if amount < 0 {
        total.debits_count += 1;
        total.debits += amount;
    } else if amount > 0 {
        total.credits_count += 1;
        total.credits += amount;
    }
}

/// A name as a part of a file's name; its position where it has letters that do not belong there.
fn file_word(name: &str, position: usize) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("no{position}") }
}

fn text(id: &[u8]) -> String {
    String::from_utf8_lossy(id).trim_end().to_owned()
}

/// ISO 8601 with milliseconds.
fn time_utc(time_ms: i64) -> String {
    Timestamp::from_millisecond(time_ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let rows = [("CITY", "CITY"), ("a-b_1", "a-b_1"), ("../x", "no7"), ("", "no7"), ("城", "no7")];
        for (name, want) in rows {
            assert_eq!(file_word(name, 7), want, "{name:?}");
        }
    }

    #[test]
    fn times_have_one_form() {
        assert_eq!(time_utc(1_795_217_405_000), "2026-11-20T23:30:05.000Z");
        assert_eq!(time_utc(1_795_217_405_120), "2026-11-20T23:30:05.120Z");
    }
}
