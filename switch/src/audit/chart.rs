//! The chart of accounts and the posting rules for people, and the proof that every record keeps to them.
//!
//! What an operation may take from and give to is a table ([`OPERATIONS`]), by kinds of accounts; where a rule says
//! `income`, the chart in force says which account. The table is not what the books post by, it is what `ledger verify`
//! holds every record against: a leg on an account that its operation has no business with is found by it.
//!
//! Start at [`chart_view`] and [`check`].

use serde::{Deserialize, Serialize};

use super::{movements::legs, terminal::dialect};
use crate::{
    books::{
        Books,
        chart::{ISSUER, PostingRule, Taker},
        event::Event,
    },
    ledger::{AccountKind, Currency},
};

/// An operation, what it takes from and what it gives to, by kinds of accounts.
#[derive(Clone, Copy, Debug)]
pub struct OperationRule {
    /// As events call it.
    pub operation: &'static str,
    /// Accounts that it may take from.
    pub takes: &'static [&'static str],
    /// Accounts that it may give to.
    pub gives: &'static [&'static str],
}

/// Whatever income is.
const INCOME: &str = "income";

const fn rule(
    operation: &'static str,
    takes: &'static [&'static str],
    gives: &'static [&'static str],
) -> OperationRule {
    OperationRule { operation, takes, gives }
}

/// Every operation that moves money. What is given back goes the way that it came, to what a card owes first.
pub const OPERATIONS: [OperationRule; 18] = [
    rule("orderer_opened", &["bank"], &["orderer_float"]),
    rule("account_opened", &["bank"], &["orderer_float"]),
    rule("card_issued", &["orderer_float", "bank"], &["purse", "card_deposits"]),
    rule("purchase", &["purse"], &["merchant_payable", INCOME]),
    rule("completion", &["purse", "receivable"], &["merchant_payable", INCOME]),
    rule("force_post", &["purse", "receivable"], &["merchant_payable", INCOME]),
    rule("withdrawal", &["purse"], &["acquirer_payable"]),
    rule("void", &["merchant_payable", INCOME], &["purse", "receivable"]),
    rule("completion_void", &["merchant_payable", INCOME], &["purse", "receivable"]),
    rule("refund", &["merchant_payable", INCOME], &["purse", "receivable"]),
    rule("load", &["orderer_float", "load_line"], &["purse", "receivable"]),
    rule("reversal", EITHER_WAY, EITHER_WAY),
    rule("take_deposit", &["bank"], &["card_deposits"]),
    rule("report_lost", &["card_deposits"], &[INCOME]),
    rule("cancel", &["purse", "card_deposits", "bank"], &["bank", "receivable", "purse"]),
    rule("replace", &["purse"], &["purse"]),
    rule("transfer", &["purse"], &["purse"]),
    rule("unblock", &[], &[]),
];

/// A reversal undoes any request: a debit, what gave back, a load.
const EITHER_WAY: &[&str] =
    &["purse", "receivable", "merchant_payable", "acquirer_payable", "orderer_float", "load_line", INCOME];

/// A posting that no rule allows.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("record {seq}: {operation} may not {what} the {account} account")]
pub struct RuleBroken {
    /// The record.
    pub seq: u64,
    /// What happened.
    pub operation: &'static str,
    /// Take from, or give to.
    pub what: &'static str,
    /// The kind of account.
    pub account: &'static str,
}

/// Whether the postings of a record keep to the rule for what happened.
///
/// # Errors
/// The first that does not.
pub fn check(books: &Books, event: &Event) -> Result<(), RuleBroken> {
    let legs = legs(books, event);
    if legs.is_empty() {
        return Ok(());
    }
    let operation = event.name();
    let rule = OPERATIONS.iter().find(|rule| rule.operation == operation);
    for leg in legs.iter().filter(|leg| leg.amount != 0) {
        let account = kind_word(leg.kind);
        let (what, allowed) = match leg.amount {
            ..0 => ("take from", rule.map(|rule| rule.takes)),
            0.. => ("give to", rule.map(|rule| rule.gives)),
        };
        if !allowed.is_some_and(|allowed| allowed.contains(&account)) {
            return Err(RuleBroken { seq: books.seq(), operation, what, account });
        }
    }
    Ok(())
}

fn kind_word(kind: AccountKind) -> &'static str {
    if kind.is_income() { INCOME } else { kind.name() }
}

/// The chart in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChartView {
    /// How many charts came into force; 0 is the built-in one.
    pub version: u32,
    /// Its accounts.
    pub accounts: Vec<ChartAccount>,
    /// What each operation may take from and give to.
    pub operations: Vec<ChartOperation>,
    /// Where income goes, the first rule that fits; what none fits goes to `fees`.
    pub income: Vec<IncomeRule>,
}

/// An account of the chart: one for each party, or one alone, in a currency.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChartAccount {
    /// Its word.
    pub account: String,
    /// ISO 4217 number.
    pub currency: Currency,
    /// How many accounts of parties there are.
    pub accounts: u64,
}

/// A row of [`OPERATIONS`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChartOperation {
    /// As events call it.
    pub operation: String,
    /// Accounts that it may take from.
    pub takes: Vec<String>,
    /// Accounts that it may give to.
    pub gives: Vec<String>,
}

/// Where some income goes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IncomeRule {
    /// Its name.
    pub name: String,
    /// Fee, or forfeited deposit.
    pub of: String,
    /// What it is for, in words; any, if it names nothing.
    pub fits: String,
    /// Account and permille; the last gets the rest.
    pub to: Vec<(String, u16)>,
}

/// The chart of these books.
#[must_use]
pub fn chart_view(books: &Books) -> ChartView {
    let sheet = super::balance_sheet(books);
    let words = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
    ChartView {
        version: books.chart_version(),
        accounts: sheet
            .rows
            .into_iter()
            .map(|row| ChartAccount { account: row.kind, currency: row.currency, accounts: row.accounts })
            .collect(),
        operations: OPERATIONS
            .iter()
            .map(|rule| ChartOperation {
                operation: rule.operation.to_owned(),
                takes: words(rule.takes),
                gives: words(rule.gives),
            })
            .collect(),
        income: books.chart().rules.iter().map(|rule| income_rule(books, rule)).collect(),
    }
}

fn income_rule(books: &Books, rule: &PostingRule) -> IncomeRule {
    let taker = |to: Taker| match to {
        Taker::Fees => AccountKind::Fees.name().to_owned(),
        Taker::Issuer => ISSUER.to_owned(),
        Taker::Account(at) => books.chart().accounts.get(usize::from(at)).cloned().unwrap_or_default(),
    };
    IncomeRule {
        name: rule.name.clone(),
        of: rule.leg.name().to_owned(),
        fits: fits(books, rule),
        to: rule.parts.iter().map(|part| (taker(part.to), part.permille)).collect(),
    }
}

fn fits(books: &Books, rule: &PostingRule) -> String {
    let list = |what: &str, words: Vec<String>| {
        if words.is_empty() { None } else { Some(format!("{what} {}", words.join(" "))) }
    };
    let product = |at: &u16| books.products().get(usize::from(*at)).map(|product| product.name.clone());
    let merchant = |at: &u32| {
        let merchant = books.merchants().get(*at as usize);
        merchant.map(|merchant| String::from_utf8_lossy(&merchant.id).trim_end().to_owned())
    };
    let words: Vec<String> = [
        rule.currency.map(|currency| format!("currency {currency:03}")),
        list("mcc", rule.categories.iter().map(|mcc| format!("{mcc:04}")).collect()),
        list("channels", rule.channels.iter().map(|channel| dialect(*channel).to_owned()).collect()),
        list("products", rule.products.iter().filter_map(product).collect()),
        list("merchants", rule.merchants.iter().filter_map(merchant).collect()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if words.is_empty() { "any".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        books::event::Decided,
        ledger::{AccountId, Posting},
        settlement::testing::History,
    };

    #[test]
    fn a_posting_that_its_operation_has_no_business_with_is_found() {
        let mut history = History::begun();
        let purchase = history.decided(0, crate::books::request::Kind::Purchase, 0, 100);
        let bank =
            history.books.ledger().accounts().iter().position(|account| account.kind == AccountKind::Bank);
        let bank = AccountId(u32::try_from(bank.unwrap()).unwrap());
        let (general, payable) = (history.general(0), history.books.merchants()[0].payable);
        let of = |legs: [(AccountId, i64); 2]| {
            let postings = legs.map(|(account, amount)| Posting { account, amount }).into_iter().collect();
            check(&history.books, &Event::Decided(Decided { postings, ..purchase.clone() }))
        };
        assert_eq!(of([(general, -100), (payable, 100)]), Ok(()));
        let refused = of([(general, -100), (bank, 100)]).unwrap_err().to_string();
        assert!(refused.contains("purchase may not give to the bank account"), "{refused}");
        let refused = of([(payable, -100), (general, 100)]).unwrap_err().to_string();
        assert!(refused.contains("purchase may not take from the merchant_payable account"), "{refused}");
    }

    #[test]
    fn without_a_chart_the_built_in_one_is_shown() {
        let view = chart_view(&History::of_two_days().books);
        assert_eq!((view.version, view.income.len(), view.operations.len()), (0, 0, OPERATIONS.len()));
        let purses = view.accounts.iter().find(|account| account.account == "purse").unwrap();
        assert_eq!((purses.currency, purses.accounts), (156, 4));
    }
}
