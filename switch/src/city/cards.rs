//! The cards: `cards.csv`, one row at a time, because a real city has millions.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::iter::FusedIterator;

use arrayvec::ArrayVec;
use hsm_sim::Pan;

use super::currencies::{CURRENCIES, CurrencyRow};
use super::error::{CityError, Problem};
use super::parties::ORDERERS;
use super::products::{self, ProductRow, ProductsFile};
use super::secret::{Phone, Secret};
use super::table::{self, Regions, Row, Table};
use super::{CITY_CURRENCY, City};
use crate::books::cards::CardDays;
use crate::books::currencies::AccountOwner;
use crate::ledger::purse::PURSES_MAX;
use crate::ledger::{Currency, Minor};

pub(super) const FILE: &str = "cards.csv";

/// The columns that only a test card has, between `service_code` and `product`.
pub(super) const TEST_COLUMNS: [&str; 4] = ["pin", "cvv", "cvv2", "track2"];

/// The column that stands there in their place where no secret of a card is known.
pub(super) const PVV: &str = "pvv";

/// The columns that may stand behind all others.
const DAYS: [&str; 2] = ["issued", "linked"];

/// What they must be.
const DAY: &str = "empty or a date such as 2026-11-23";

/// One card.
#[derive(Clone, Debug)]
pub struct CardRow {
    /// Card number.
    pub pan: Pan,
    /// Last month it is valid, `YYMM`.
    pub expiry_yymm: u16,
    /// Service code of ISO/IEC 7813, ASCII digits.
    pub service_code: [u8; 3],
    /// What its PIN is verified by; of a test card, its PIN and track as well.
    pub values: CardValues,
    /// Position of its product in [`ProductsFile::products`].
    pub product: u16,
    /// Where in its life it is.
    pub state: CardState,
    /// Position of its orderer in [`City::orderers`].
    pub orderer: u16,
    /// Phone of the holder, if one is linked.
    pub phone: Option<Phone>,
    /// Opening balances of the product's purses, in the product's order of use, minor units.
    pub opening: ArrayVec<Minor, PURSES_MAX>,
    /// Where its holder lets it be used; empty: everywhere.
    pub regions: Regions,
    /// When it was issued, and when its phone was linked, as far as that is known.
    pub days: CardDays,
    /// Line in the file, from 1.
    pub line: u64,
}

/// What a file says of a card's secrets. Its header decides: it has the columns of one or the other.
#[derive(Clone, Debug)]
pub enum CardValues {
    /// Columns `pin`, `cvv`, `cvv2` and `track2`: a test card, of which everything is known.
    Test(TestValues),
    /// Column `pvv`: the PIN verification value under the key `pvk`, four ASCII digits, and nothing else.
    Verified(Secret<[u8; 4]>),
}

/// The secrets of a test card.
#[derive(Clone, Debug)]
pub struct TestValues {
    /// PIN, 4 to 12 ASCII digits.
    pub pin: Secret<ArrayVec<u8, 12>>,
    /// Verification value of the track, ASCII digits.
    pub cvv: Secret<[u8; 3]>,
    /// Verification value printed on the card, ASCII digits.
    pub cvv2: Secret<[u8; 3]>,
    /// Track 2 between its sentinels, `=` as separator; agrees with the row's other columns.
    pub track2: Secret<ArrayVec<u8, 37>>,
}

impl CardRow {
    /// The secrets of a test card; of another none are known.
    #[must_use]
    pub fn test(&self) -> Option<&TestValues> {
        match &self.values {
            CardValues::Test(values) => Some(values),
            CardValues::Verified(_) => None,
        }
    }
}

/// Life of a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardState {
    /// In use.
    Active,
    /// Issued at zero; the first load activates it.
    Inactive,
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// Not to be served.
    Blocked,
    /// Closed for good, with nothing on it.
    Closed,
}

/// The rows of `cards.csv`. The first fault ends them.
///
/// After the last card come the floats: an orderer whose float does not cover its cards is a fault too, so
/// an import is good only when the iterator ended without one.
pub struct Cards<'a> {
    city: &'a City,
    table: Table,
    columns: Columns,
    /// The card numbers seen; none where whoever takes the rows finds out that one comes twice.
    seen: Option<Seen>,
    /// Opening balances of each orderer's cards, by currency.
    totals: HashMap<(u16, Currency), Minor>,
    /// Floats of orderers, by currency.
    floats: HashMap<(u16, Currency), Minor>,
    finished: bool,
}

/// Hashes of card numbers, under a key of this process: the numbers themselves need not stay in memory.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

/// What names in a row stand for.
struct Columns {
    /// The file has a column `pvv`, and no secret of a card.
    verified: bool,
    products: HashMap<String, u16>,
    orderers: HashMap<String, u16>,
    /// One `balance_<purse>` for each purse, in the order of the products file.
    balances: Vec<String>,
}

impl<'a> Cards<'a> {
    pub(super) fn open(city: &'a City, unique: bool) -> Result<Self, CityError> {
        let ProductsFile { purses, products } = &city.products;
        let balances: Vec<String> = purses.iter().map(|purse| format!("balance_{}", purse.name)).collect();
        let columns = |secrets: &[&'static str]| {
            let mut columns = table::columns(["pan", "expiry_yymm", "service_code"]);
            columns.extend(secrets.iter().copied().map(Cow::Borrowed));
            columns.extend(table::columns(["product", "state", "orderer", "phone"]));
            columns.extend(balances.iter().cloned().map(Cow::Owned));
            columns.push(Cow::Borrowed("regions"));
            columns
        };
        let dated = |mut columns: Vec<_>| {
            columns.extend(table::columns(DAYS));
            columns
        };
        let (test, verified) = (columns(&TEST_COLUMNS), columns(&[PVV]));
        let headers = [test.clone(), verified.clone(), dated(test), dated(verified)];
        let table = Table::open_any(&city.dir, FILE, headers)?;
        Ok(Self {
            city,
            columns: Columns {
                verified: table.has(PVV),
                products: products.iter().map(|product| product.name.clone()).zip(0..).collect(),
                orderers: city.orderers.iter().map(|orderer| orderer.orderer.clone()).zip(0..).collect(),
                balances,
            },
            table,
            seen: unique.then(Seen::default),
            totals: HashMap::new(),
            floats: city.floats(),
            finished: false,
        })
    }

    /// Refuses a file of test cards, which has secrets that no file may have beside key blocks.
    ///
    /// # Errors
    /// It is one.
    pub fn refuse_test_cards(&self) -> Result<(), CityError> {
        const RULE: &str = "the columns pin, cvv, cvv2 and track2 are refused beside key blocks; pvv stands in their \
                            place (cardswitch keys wrap writes such a file)";
        if self.columns.verified {
            return Ok(());
        }
        Err(CityError { line: Some(1), ..CityError::of_file(FILE, Problem::Contradiction(RULE)) })
    }

    fn next_card(&mut self) -> Result<Option<CardRow>, CityError> {
        let Some(row) = self.table.next_row()? else {
            return self.check_floats().map(|()| None);
        };
        let card = self.columns.card(&row, &self.city.products)?;
        if let Some(Seen { hashes, hasher }) = &mut self.seen {
            row.unique("pan", hashes, hasher.hash_one(row.text("pan")))?;
        }
        let ProductsFile { purses, products } = &self.city.products;
        for (purse, opening) in products[usize::from(card.product)].purses.iter().zip(&card.opening) {
            let currency = purses[usize::from(*purse)].currency;
            let has_float = *opening == 0 || self.floats.contains_key(&(card.orderer, currency));
            row.require(has_float, "orderer", "it has no float in the currency of one of the balances")?;
            let total = self.totals.entry((card.orderer, currency)).or_default();
            *total = total.checked_add(*opening).ok_or_else(|| {
                row.fault("orderer", Problem::Contradiction("the balances of its cards have no sum"))
            })?;
        }
        Ok(Some(card))
    }

    fn check_floats(&self) -> Result<(), CityError> {
        let covers = |of, total: &Minor| self.floats.get(of).is_some_and(|float| float >= total);
        let uncovered = self.totals.iter().filter(|(of, total)| !covers(*of, total));
        match uncovered.map(|(of, _)| *of).min() {
            Some((orderer, currency)) => Err(self.city.float_fault(orderer, currency)),
            None => Ok(()),
        }
    }
}

impl City {
    /// The fault of an orderer, by place, whose float in a currency does not cover its cards.
    #[must_use]
    pub fn float_fault(&self, orderer: u16, currency: Currency) -> CityError {
        let problem = Problem::Contradiction("the float does not cover the opening balances of its cards");
        let owner = AccountOwner::Orderer(u32::from(orderer));
        let is_it = |row: &&CurrencyRow| (row.opened.owner, row.opened.currency) == (owner, currency);
        if let Some(row) = self.currencies.iter().find(is_it) {
            return CityError { line: Some(row.line), ..CityError::of_key(CURRENCIES, "amount", problem) };
        }
        let line = self.orderers.get(usize::from(orderer)).map(|orderer| orderer.line);
        CityError { line, ..CityError::of_key(ORDERERS, "float", problem) }
    }

    fn floats(&self) -> HashMap<(u16, Currency), Minor> {
        let first = (0..).zip(&self.orderers).map(|(at, orderer)| ((at, CITY_CURRENCY), orderer.float_minor));
        let further = self.currencies.iter().filter_map(|row| match row.opened.owner {
            AccountOwner::Orderer(at) => {
                let at = u16::try_from(at).ok()?;
                Some(((at, row.opened.currency), row.opened.amount))
            }
            AccountOwner::Merchant(_) | AccountOwner::Acquirer(_) => None,
        });
        first.chain(further).collect()
    }

    /// The fault of a card that stands on an earlier line, too.
    #[must_use]
    pub fn second_card(&self, line: u64) -> CityError {
        CityError { line: Some(line), ..CityError::of_key(FILE, "pan", Problem::Duplicate) }
    }
}

impl Iterator for Cards<'_> {
    type Item = Result<CardRow, CityError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let next = self.next_card().transpose();
        self.finished = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for Cards<'_> {}

impl Columns {
    /// Reads one row and checks it against itself and its product.
    fn card(&self, row: &Row<'_>, file: &ProductsFile) -> Result<CardRow, CityError> {
        let states = [
            ("active", CardState::Active),
            ("inactive", CardState::Inactive),
            ("lost", CardState::Lost),
            ("stolen", CardState::Stolen),
            ("blocked", CardState::Blocked),
            ("closed", CardState::Closed),
        ];
        let pan =
            Pan::parse(row.text("pan").as_bytes()).map_err(|err| row.fault("pan", Problem::Pan(err)))?;
        let place = |names: &HashMap<String, u16>, column, file| {
            let found = names.get(row.text(column)).copied();
            found.ok_or_else(|| row.fault(column, Problem::UnknownName(file)))
        };
        let product = place(&self.products, "product", products::FILE)?;
        let own = &file.products[usize::from(product)];
        let card = CardRow {
            pan,
            expiry_yymm: row.parsed("expiry_yymm", "4 digits, year and month", expiry)?,
            service_code: row.parsed("service_code", "3 digits", three_digits)?,
            values: if self.verified { verified(row)? } else { CardValues::Test(test_values(row)?) },
            product,
            state: row.word("state", &states, "active, inactive, lost, stolen, blocked or closed")?,
            orderer: place(&self.orderers, "orderer", ORDERERS)?,
            phone: row.optional("phone", "empty or 3 to 15 digits", Phone::parse)?,
            opening: self.opening(row, own, file)?,
            regions: row.parsed("regions", table::REGIONS, table::regions)?,
            days: CardDays {
                issued: row.optional("issued", DAY, table::day)?,
                linked: row.optional("linked", DAY, table::day)?,
            },
            line: row.line(),
        };
        let bin = row.text("pan").get(..6).and_then(table::bin);
        row.require(
            bin.is_some_and(|bin| own.bins.contains(&bin)),
            "pan",
            "no BIN of its product begins it",
        )?;
        let may_be_linked = card.days.linked.is_none() || card.phone.is_some();
        row.require(may_be_linked, "linked", "there is no phone")?;
        let empty = card.opening.iter().all(|balance| *balance == 0);
        let must_be_empty = matches!(card.state, CardState::Inactive | CardState::Closed);
        row.require(empty || !must_be_empty, "state", "an inactive or closed card holds no money")?;
        Ok(card)
    }

    fn opening(
        &self,
        row: &Row<'_>,
        product: &ProductRow,
        file: &ProductsFile,
    ) -> Result<ArrayVec<Minor, PURSES_MAX>, CityError> {
        let balance = |column| row.parsed(column, "an amount in minor units, 1 to 15 digits", table::amount);
        for (place, column) in (0_u16..).zip(&self.balances) {
            let own = product.purses.contains(&place);
            row.require(own || balance(column)? == 0, column, "its product has no such purse")?;
        }
        let mut opening = ArrayVec::new();
        for place in product.purses.iter().map(|place| usize::from(*place)) {
            let (purse, column) = (&file.purses[place], &self.balances[place]);
            let amount = balance(column)?;
            row.require(amount <= purse.max_minor, column, "above the most the purse may hold")?;
            opening.push(amount);
        }
        // The maximum is an amount of the load purse's currency.
        let currency_of = |place: usize| file.purses[usize::from(product.purses[place])].currency;
        let main = currency_of(usize::from(product.load_purse));
        let in_main = (0..).zip(&opening).filter(|(place, _)| currency_of(*place) == main);
        let total: Minor = in_main.map(|(_, amount)| amount).sum();
        row.require(total <= product.balance_max_minor, "product", "the balances are above its balance_max")?;
        Ok(opening)
    }
}

fn verified(row: &Row<'_>) -> Result<CardValues, CityError> {
    let pvv = |text: &str| table::digits(text, 4..=4)?.as_bytes().try_into().ok();
    Ok(CardValues::Verified(Secret::new(row.parsed(PVV, "4 digits, the PIN verification value", pvv)?)))
}

fn test_values(row: &Row<'_>) -> Result<TestValues, CityError> {
    Ok(TestValues {
        pin: Secret::new(row.parsed("pin", "4 to 12 digits", pin)?),
        cvv: Secret::new(row.parsed("cvv", "3 digits", three_digits)?),
        cvv2: Secret::new(row.parsed("cvv2", "3 digits", three_digits)?),
        track2: Secret::new(row.parsed("track2", TRACK2, |text| track2(text, row))?),
    })
}

fn expiry(text: &str) -> Option<u16> {
    let yymm: u16 = table::digits(text, 4..=4)?.parse().ok()?;
    (1..=12).contains(&(yymm % 100)).then_some(yymm)
}

fn three_digits(text: &str) -> Option<[u8; 3]> {
    table::digits(text, 3..=3)?.as_bytes().try_into().ok()
}

fn pin(text: &str) -> Option<ArrayVec<u8, 12>> {
    table::digits(text, 4..=12)?.as_bytes().try_into().ok()
}

const TRACK2: &str = "PAN=YYMM, service code, CVV and digits of this row's columns, at most 37 characters";

fn track2(text: &str, row: &Row<'_>) -> Option<ArrayVec<u8, 37>> {
    let rest = text.strip_prefix(row.text("pan"))?.strip_prefix('=')?;
    let rest = rest.strip_prefix(row.text("expiry_yymm"))?.strip_prefix(row.text("service_code"))?;
    table::digits(rest.strip_prefix(row.text("cvv"))?, 0..=37)?;
    text.as_bytes().try_into().ok()
}
