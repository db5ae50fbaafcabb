//! What parties have in other currencies than the city's: `currencies.csv`. A city without one has one currency.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::acquirers::{ACQUIRERS, AcquirerRow};
use super::error::{CityError, Problem};
use super::parties::{MERCHANTS, MerchantRow, ORDERERS, OrdererRow};
use super::table::{self, Row, Table};
use super::{CITY_CURRENCY, document};
use crate::books::currencies::{AccountOwner, OpenedAccount};
use crate::ledger::Currency;

pub(super) const CURRENCIES: &str = "currencies.csv";

/// The most rows.
const CURRENCY_ROWS_MAX: usize = 1 << 20;

/// What is opened, and the line that says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CurrencyRow {
    /// The account.
    pub opened: OpenedAccount,
    /// Line in the file, from 1.
    pub line: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Orderer,
    Merchant,
    Acquirer,
}

pub(super) fn open(
    dir: &Path,
    (orderers, merchants, acquirers): (&[OrdererRow], &[MerchantRow], &[AcquirerRow]),
) -> Result<Vec<CurrencyRow>, CityError> {
    if document::text_if_there(&dir.join(CURRENCIES), CURRENCIES)?.is_none() {
        return Ok(Vec::new());
    }
    let orderers: HashMap<&str, u32> =
        orderers.iter().map(|orderer| orderer.orderer.as_str()).zip(0..).collect();
    let merchants: HashMap<[u8; 15], u32> =
        merchants.iter().map(|merchant| merchant.merchant_id).zip(0..).collect();
    let acquirers: HashMap<&str, u16> =
        acquirers.iter().map(|acquirer| acquirer.id.as_str()).zip(0..).collect();
    let kinds = [("orderer", Kind::Orderer), ("merchant", Kind::Merchant), ("acquirer", Kind::Acquirer)];
    let columns = table::columns(["kind", "name", "currency", "amount"]);
    let mut seen = HashSet::new();
    Table::open(dir, CURRENCIES, columns)?.read_all(CURRENCY_ROWS_MAX, |row| {
        let owner = match row.word("kind", &kinds, "orderer, merchant or acquirer")? {
            Kind::Orderer => {
                named(row, orderers.get(row.text("name")).copied(), ORDERERS).map(AccountOwner::Orderer)
            }
            Kind::Merchant => {
                let id = table::padded_id(row.text("name"));
                named(row, id.and_then(|id| merchants.get(&id).copied()), MERCHANTS)
                    .map(AccountOwner::Merchant)
            }
            Kind::Acquirer => {
                named(row, acquirers.get(row.text("name")).copied(), ACQUIRERS).map(AccountOwner::Acquirer)
            }
        }?;
        let currency: Currency = row.parsed("currency", "an ISO 4217 number of 3 digits", iso_4217)?;
        row.require(currency != CITY_CURRENCY, "currency", "everybody has the city's own currency")?;
        let amount = row.parsed("amount", "an amount in minor units, 1 to 15 digits", table::amount)?;
        let is_acquirer = matches!(owner, AccountOwner::Acquirer(_));
        row.require(!is_acquirer || amount == 0, "amount", "an acquirer begins with 0")?;
        row.unique("currency", &mut seen, (owner, currency))?;
        Ok(CurrencyRow { opened: OpenedAccount { owner, currency, amount }, line: row.line() })
    })
}

fn named<T>(row: &Row<'_>, place: Option<T>, file: &'static str) -> Result<T, CityError> {
    place.ok_or_else(|| row.fault("name", Problem::UnknownName(file)))
}

fn iso_4217(text: &str) -> Option<Currency> {
    table::digits(text, 3..=3)?.parse().ok().filter(|currency| *currency != 0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::City;
    use super::*;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city");

    fn read_rows(rows: &str) -> Result<Vec<CurrencyRow>, CityError> {
        let city = City::open(Path::new(SAMPLE)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CURRENCIES), format!("kind,name,currency,amount\n{rows}")).unwrap();
        open(dir.path(), (&city.orderers, &city.merchants, &city.acquirers))
    }

    #[test]
    fn accounts_are_read_with_names_resolved() {
        assert_eq!(City::open(Path::new(SAMPLE)).unwrap().currencies, [], "the sample city has one currency");
        let rows =
            read_rows("orderer,GIFT,840,5000\nmerchant,898310041110001,840,0\nacquirer,31060220,978,0\n");
        let opened: Vec<OpenedAccount> = rows.unwrap().iter().map(|row| row.opened).collect();
        let want = [
            (AccountOwner::Orderer(1), 840, 5_000),
            (AccountOwner::Merchant(1), 840, 0),
            (AccountOwner::Acquirer(1), 978, 0),
        ];
        assert_eq!(opened, want.map(|(owner, currency, amount)| OpenedAccount { owner, currency, amount }));
    }

    #[test]
    fn a_fault_is_told_by_line_and_column() {
        let rows = [
            ("bank,GIFT,840,0", "line 2, kind: must be orderer, merchant or acquirer"),
            ("orderer,GIVT,840,0", "line 2, name: is not in orderers.csv"),
            ("merchant,898310041110009,840,0", "line 2, name: is not in merchants.csv"),
            ("acquirer,1,840,0", "line 2, name: is not in acquirers.csv"),
            ("orderer,GIFT,84,0", "line 2, currency: must be an ISO 4217 number"),
            ("orderer,GIFT,156,0", "line 2, currency: everybody has the city's own currency"),
            ("acquirer,31060220,978,1", "line 2, amount: an acquirer begins with 0"),
            ("orderer,GIFT,840,1\norderer,GIFT,840,2", "line 3, currency: stands here a second time"),
        ];
        for (row, want) in rows {
            let error = read_rows(&format!("{row}\n")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("currencies.csv {want}")), "{row}: {error}");
        }
    }
}
