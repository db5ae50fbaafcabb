//! The trial balance of a business day: what every account of the chart stood at when the day began, what was debited
//! and credited, and what it stood at when the day ended.
//!
//! The figures are a general ledger, written from what the records of the journal say they posted, from the first on.
//! They are held against the sub-ledgers as the books have them: what single cards, merchants, acquirers and orderers
//! come to. A credit is above zero in the books, since a balance is what the scheme owes; a debit is below.
//!
//! Start at [`trial`].

use std::{collections::BTreeMap, ops::ControlFlow};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    AuditError,
    movements::{Title, legs},
};
use crate::{
    books::{Books, event::Event},
    clock::{date_of_day, days_since_1970},
    journal::{Reader, Seq},
    ledger::{AccountKind, Currency},
    recovery,
};

/// The trial balance of a day.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trial {
    /// The business day, such as 2026-11-21.
    pub day: String,
    /// Whether it is still open, so that more may come.
    pub is_open: bool,
    /// The last record in it.
    pub through: Seq,
    /// A block for each currency; nothing is ever exchanged between two.
    pub currencies: Vec<TrialBlock>,
    /// What does not add up, in words; nothing, or the ledger is broken.
    pub faults: Vec<String>,
}

/// The accounts of a currency.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TrialBlock {
    /// ISO 4217 number.
    pub currency: Currency,
    /// A line for each account of the chart.
    pub rows: Vec<TrialRow>,
    /// All lines together: opening and closing are zero, debits as much as credits.
    pub sum: TrialRow,
}

/// One account of the chart. Amounts in minor units.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct TrialRow {
    /// Its word.
    pub account: String,
    /// Balance before the day.
    pub opening: i128,
    /// What was taken, as a positive number.
    pub debit: i128,
    /// What was given.
    pub credit: i128,
    /// Balance behind the day: opening, less debit, plus credit.
    pub closing: i128,
    /// Of how many accounts of parties it is the sum; none where it has no sub-ledger.
    pub parties: Option<u64>,
}

/// The trial balance of a business day as of record `until`; of the day that is open then, without a day. `progress`
/// hears each record.
///
/// # Errors
/// The journal refuses or does not replay, or the day has not begun.
pub fn trial(
    reader: &dyn Reader,
    until: Seq,
    day: Option<Date>,
    progress: &mut dyn FnMut(Seq),
) -> Result<Trial, AuditError> {
    let wanted = day.map(days_since_1970);
    let (mut books, mut general) = (Books::default(), General::default());
    let mut last_day = None;
    recovery::replay_while(reader, &mut books, until, &mut |books, _, event| {
        progress(books.seq());
        if let Event::CutOver { opens } = event {
            if wanted.is_some_and(|wanted| *opens > wanted) {
                // A day on which the switch did not run begins and ends here.
                if last_day.is_some_and(|last| Some(last) != wanted) {
                    general.begin_day();
                }
                return ControlFlow::Break(());
            }
            last_day = Some(*opens);
            general.begin_day();
        }
        general.post(books, event);
        ControlFlow::Continue(())
    })?;
    let open = books.business_day();
    let shown = wanted.unwrap_or(open);
    if last_day.is_none() || shown > open {
        return Err(AuditError::NoSuchDay);
    }
    Ok(Trial {
        day: date_of_day(shown).to_string(),
        is_open: shown == open,
        through: books.seq(),
        faults: general.faults(&books),
        currencies: general.blocks(&books),
    })
}

/// The general ledger.
#[derive(Debug, Default)]
struct General(BTreeMap<Title, Line>);

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    opening: i128,
    debit: i128,
    credit: i128,
}

impl Line {
    fn closing(self) -> i128 {
        self.opening - self.debit + self.credit
    }
}

impl General {
    fn post(&mut self, books: &Books, event: &Event) {
        for leg in legs(books, event) {
            let line = self.0.entry(leg.title).or_default();
            match i128::from(leg.amount) {
                amount @ ..0 => line.debit -= amount,
                amount => line.credit += amount,
            }
        }
    }

    fn begin_day(&mut self) {
        for line in self.0.values_mut() {
            *line = Line { opening: line.closing(), ..Line::default() };
        }
    }

    fn blocks(&self, books: &Books) -> Vec<TrialBlock> {
        let parties = sub_ledgers(books);
        let mut lines = self.0.clone();
        // An account that nothing has moved yet is an account, too.
        for account in books.ledger().accounts() {
            lines.entry(Title::of(&account)).or_default();
        }
        let mut blocks: BTreeMap<Currency, TrialBlock> = BTreeMap::new();
        for (title, line) in lines {
            let block = blocks.entry(title.currency).or_insert_with(|| TrialBlock {
                currency: title.currency,
                rows: Vec::new(),
                sum: TrialRow { account: "sum".to_owned(), ..TrialRow::default() },
            });
            let row = TrialRow {
                account: title.word(books),
                opening: line.opening,
                debit: line.debit,
                credit: line.credit,
                closing: line.closing(),
                parties: parties.get(&title).map(|(count, _)| *count),
            };
            block.sum.opening += row.opening;
            block.sum.debit += row.debit;
            block.sum.credit += row.credit;
            block.sum.closing += row.closing;
            block.rows.push(row);
        }
        blocks.into_values().collect()
    }

    /// What does not add up.
    fn faults(&self, books: &Books) -> Vec<String> {
        let mut faults: Vec<String> = books.verify().err().iter().map(ToString::to_string).collect();
        let mut accounts: BTreeMap<Title, i128> = BTreeMap::new();
        for account in books.ledger().accounts() {
            *accounts.entry(Title::of(&account)).or_default() += i128::from(account.balance);
        }
        let general = |title: &Title| self.0.get(title).map_or(0, |line| line.closing());
        for (title, balance) in &accounts {
            let Title { currency, .. } = title;
            let (word, entered) = (title.word(books), general(title));
            if entered != *balance {
                faults.push(format!(
                    "{word} in {currency:03}: the entries come to {entered}, the accounts to {balance}"
                ));
            }
        }
        for (title, (_, parties)) in sub_ledgers(books) {
            let (word, entered, currency) = (title.word(books), general(&title), title.currency);
            if entered != parties {
                faults.push(format!(
                    "{word} in {currency:03}: the entries come to {entered}, single parties to {parties}"
                ));
            }
        }
        for block in self.sums() {
            let (currency, line) = block;
            if (line.opening, line.closing(), line.debit) != (0, 0, line.credit) {
                faults.push(format!("the accounts in {currency:03} do not sum to zero"));
            }
        }
        faults
    }

    fn sums(&self) -> BTreeMap<Currency, Line> {
        let mut sums: BTreeMap<Currency, Line> = BTreeMap::new();
        for (title, line) in &self.0 {
            let sum = sums.entry(title.currency).or_default();
            sum.opening += line.opening;
            sum.debit += line.debit;
            sum.credit += line.credit;
        }
        sums
    }
}

/// What single parties come to, found through them and not through the accounts' kinds: how many, and their sum.
fn sub_ledgers(books: &Books) -> BTreeMap<Title, (u64, i128)> {
    let mut parties: BTreeMap<Title, (u64, i128)> = BTreeMap::new();
    let mut add = |title: Title, balance: i128| {
        let (count, sum) = parties.entry(title).or_default();
        *count += 1;
        *sum += balance;
    };
    for card in books.cards().iter() {
        for (account, purse) in books.card_purses(&card) {
            let kind = AccountKind::Purse { card: 0, purse: 0 };
            add(Title::new(kind, purse.currency), books.ledger().balance(account).into());
        }
    }
    let merchants = books.merchants().iter();
    let payables = merchants.flat_map(|merchant| [Some(merchant.payable), merchant.load_line]).flatten();
    let acquirers = books.acquirers().iter().map(|acquirer| acquirer.payable);
    let floats = books.orderers().iter().map(|orderer| orderer.float);
    let further = books.further_accounts().map(|(_, _, account)| account);
    for account in
        payables.chain(acquirers).chain(floats).chain(further).filter_map(|at| books.ledger().account(at))
    {
        add(Title::of(&account), account.balance.into());
    }
    let (owed, deposits) = books.of_single_cards();
    let shared = [(AccountKind::Receivable, owed), (AccountKind::CardDeposits, deposits)];
    for (kind, of_cards) in shared {
        for (currency, sum) in of_cards {
            add(Title::new(kind, currency), sum);
        }
    }
    parties
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use jiff::ToSpan;

    use super::*;
    use crate::{
        journal::Store,
        settlement::testing::{DAY, History},
    };

    fn of(history: &History, day: Option<Date>) -> Result<Trial, AuditError> {
        let reader = history.store.reader();
        trial(reader.as_ref(), reader.head().seq, day, &mut |_| ())
    }

    fn row(trial: &Trial, account: &str) -> (i128, i128, i128, i128) {
        let row = trial.currencies[0].rows.iter().find(|row| row.account == account);
        let row = row.unwrap_or_else(|| panic!("{account} in {trial:?}"));
        (row.opening, row.debit, row.credit, row.closing)
    }

    #[test]
    fn every_account_opens_with_what_it_closed_with_and_the_sums_are_zero() {
        let history = History::of_two_days();
        let (first, second) = (of(&history, Some(DAY)).unwrap(), of(&history, None).unwrap());
        assert_eq!((first.faults.as_slice(), second.faults.as_slice()), ([].as_slice(), [].as_slice()));
        assert_eq!((first.is_open, second.is_open), (false, true));
        assert_eq!(second.day, (DAY + 1.day()).to_string());
        for row in &first.currencies[0].rows {
            let next = second.currencies[0].rows.iter().find(|next| next.account == row.account).unwrap();
            assert_eq!((row.closing, row.parties), (next.opening, next.parties), "{}", row.account);
            assert_eq!(row.opening - row.debit + row.credit, row.closing, "{}", row.account);
        }
        // Two cards with two purses; a purchase of 10000 at 60, loads of 5000 and 2000, one taken back, cash.
        assert_eq!(row(&first, "purse"), (151_000, 15_200, 7_000, 142_800));
        assert_eq!(row(&first, "fees"), (0, 0, 60, 60));
        assert_eq!(row(&first, "merchant_payable"), (0, 0, 9_940, 9_940));
        assert_eq!(row(&first, "load_line"), (0, 5_000, 0, -5_000));
        assert_eq!(row(&second, "fees"), (60, 24, 0, 36), "a refund gives back its share");
        let sum = &first.currencies[0].sum;
        assert_eq!((sum.opening, sum.debit, sum.closing), (0, sum.credit, 0));
    }

    #[test]
    fn a_day_without_a_switch_has_nothing_in_it_and_one_that_has_not_begun_has_no_balance() {
        let mut history = History::begun();
        history.purchase(0, 10_000, 60);
        history.record(Event::CutOver { opens: days_since_1970(DAY) + 3 });
        let between = of(&history, Some(DAY + 1.day())).unwrap();
        assert_eq!(row(&between, "fees"), (60, 0, 0, 60));
        assert!(!between.is_open && between.faults.is_empty());
        for day in [DAY - 1.day(), DAY + 4.days()] {
            assert!(matches!(of(&history, Some(day)), Err(AuditError::NoSuchDay)), "{day}");
        }
    }

    #[test]
    fn a_sub_ledger_that_differs_from_the_general_ledger_is_told() {
        let history = History::of_two_days();
        let mut general = General::default();
        let title = Title::new(AccountKind::MerchantPayable { merchant: 0 }, 156);
        general.0.insert(title, Line { opening: 1, debit: 0, credit: 0 });
        let faults = general.faults(&history.books).join("\n");
        assert!(
            faults.contains("merchant_payable in 156: the entries come to 1, the accounts to"),
            "{faults}"
        );
        assert!(
            faults.contains("merchant_payable in 156: the entries come to 1, single parties to"),
            "{faults}"
        );
        assert!(faults.contains("the accounts in 156 do not sum to zero"), "{faults}");
    }
}
