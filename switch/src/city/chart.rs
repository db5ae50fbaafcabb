//! Where income goes: `chart.toml`, accounts beside the built-in ones and rules, of which the first that fits decides. A
//! city without one has all income in the account `fees`.
//!
//! A fault is told with its line; a name that stands nowhere, with the nearest that does.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{
    document,
    error::{CityError, Problem},
    fees::{RawChannel, merchants_named, products_named},
    parties::MerchantRow,
    products::ProductsFile,
    table,
};
use crate::{
    books::{
        chart::{Chart, ChartFault, ISSUER, IncomeLeg, Part, PostingRule, Taker, is_built_in},
        event::TerminalDialect,
    },
    ledger::Currency,
};

pub(super) const FILE: &str = "chart.toml";

/// How a chart names the account that income goes to without one.
const FEES: &str = "fees";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    account: Vec<RawAccount>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    name: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Spanned<String>,
    leg: IncomeLeg,
    currency: Option<Currency>,
    #[serde(default)]
    mcc: Vec<u16>,
    #[serde(default)]
    channels: Vec<RawChannel>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
    merchants: Vec<String>,
    to: Spanned<Vec<RawPart>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    account: Spanned<String>,
    permille: u16,
}

pub(super) fn open(
    dir: &Path,
    merchants: &[MerchantRow],
    products: &ProductsFile,
) -> Result<Option<Chart>, CityError> {
    let Some(text) = document::text_if_there(&dir.join(FILE), FILE)? else { return Ok(None) };
    let raw: RawFile = document::parse(&text, FILE)?;
    let at = At { text: &text };
    let accounts: Vec<String> = raw.account.iter().map(|account| account.name.get_ref().clone()).collect();
    for (place, account) in raw.account.iter().enumerate() {
        let key = format!("account[{place}].name");
        let form = Problem::Form("1 to 16 letters, digits, hyphens and underscores");
        table::code(account.name.get_ref()).ok_or_else(|| at.fault(&account.name, key.clone(), form))?;
        if is_built_in(account.name.get_ref()) {
            let rule = Problem::Contradiction("is the name of accounts that are there without a chart");
            return Err(at.fault(&account.name, key, rule));
        }
        if accounts[..place].contains(account.name.get_ref()) {
            return Err(at.fault(&account.name, key, Problem::Duplicate));
        }
    }
    let mut rules = Vec::new();
    for (place, rule) in raw.rule.iter().enumerate() {
        rules.push(read(rule, &format!("rule[{place}]"), &accounts, (merchants, products), &at)?);
    }
    let chart = Chart { accounts, rules };
    chart.check(products.products.len(), merchants.len()).map_err(|fault| at.fault_of(&raw, &fault))?;
    Ok(Some(chart))
}

fn read(
    raw: &RawRule,
    entry: &str,
    accounts: &[String],
    (merchants, products): (&[MerchantRow], &ProductsFile),
    at: &At<'_>,
) -> Result<PostingRule, CityError> {
    let key = |name: &str| format!("{entry}.{name}");
    let in_rule = |error: CityError| CityError { line: at.line(&raw.name), file: FILE.into(), ..error };
    let form = Problem::Form("1 to 16 letters, digits, hyphens and underscores");
    let name =
        table::code(raw.name.get_ref()).ok_or_else(|| at.fault(&raw.name, key("name"), form.clone()))?;
    if raw.currency.is_some_and(|currency| !(1..=999).contains(&currency)) {
        return Err(at.fault(&raw.name, key("currency"), Problem::Form("an ISO 4217 number")));
    }
    if raw.mcc.iter().any(|mcc| *mcc > 9999) {
        return Err(at.fault(&raw.name, key("mcc"), Problem::Form("codes of 4 digits")));
    }
    let mut parts = Vec::new();
    for part in raw.to.get_ref() {
        parts.push(Part { to: taker(&part.account, accounts, key("to"), at)?, permille: part.permille });
    }
    Ok(PostingRule {
        name,
        leg: raw.leg,
        currency: raw.currency,
        categories: raw.mcc.clone(),
        channels: raw.channels.iter().map(|channel| TerminalDialect::from(*channel)).collect(),
        products: products_named(&raw.products, products, key("products")).map_err(in_rule)?,
        merchants: merchants_named(&raw.merchants, merchants, key("merchants")).map_err(in_rule)?,
        parts,
    })
}

fn taker(name: &Spanned<String>, accounts: &[String], key: String, at: &At<'_>) -> Result<Taker, CityError> {
    match name.get_ref().as_str() {
        FEES => return Ok(Taker::Fees),
        ISSUER => return Ok(Taker::Issuer),
        _ => {}
    }
    let place = accounts.iter().position(|account| account == name.get_ref());
    if let Some(place) = place.and_then(|place| u16::try_from(place).ok()) {
        return Ok(Taker::Account(place));
    }
    let known = accounts.iter().map(String::as_str).chain([FEES, ISSUER]);
    let nearest = known.min_by_key(|known| distance(known, name.get_ref())).unwrap_or(FEES).to_owned();
    Err(at.fault(name, key, Problem::UnknownAccount { nearest }))
}

/// Lines of the file.
struct At<'a> {
    text: &'a str,
}

impl At<'_> {
    fn line<T>(&self, spanned: &Spanned<T>) -> Option<u64> {
        Some(document::line_of(self.text, spanned.span().start))
    }

    fn fault<T>(&self, spanned: &Spanned<T>, key: String, problem: Problem) -> CityError {
        CityError { line: self.line(spanned), ..CityError::of_key(FILE, key, problem) }
    }

    /// What the chart as a whole is refused for.
    fn fault_of(&self, raw: &RawFile, fault: &ChartFault) -> CityError {
        let (key, rule) = match fault {
            ChartFault::TooManyAccounts => return whole("account", "there must be at most 64 of them"),
            ChartFault::TooManyRules => return whole("rule", "there must be at most 64 of them"),
            ChartFault::Name(at) => return whole(&format!("account[{at}].name"), "is another's name"),
            ChartFault::Parts(at) => {
                (at, "must be one or two different accounts, and 1000 permille together")
            }
            ChartFault::NoSuch(at) => (at, "names something that is not there"),
            ChartFault::NoPayment(at) => {
                (at, "a forfeited deposit has no mcc, channels or merchants to be chosen by")
            }
        };
        let to = &raw.rule[*key].to;
        self.fault(to, format!("rule[{key}].to"), Problem::Contradiction(rule))
    }
}

fn whole(key: &str, rule: &'static str) -> CityError {
    CityError::of_key(FILE, key.to_owned(), Problem::Contradiction(rule))
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let changed = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::City;
    use super::*;

    const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/city");

    const WHOLE: &str = r#"[[account]]
name = "operator"

[[account]]
name = "forfeits"

[[rule]]
name = "restaurants"
leg = "fee"
mcc = [5812]
channels = ["pos"]
products = ["medical"]
merchants = ["898310058120001"]
to = [{ account = "operator", permille = 300 }, { account = "issuer", permille = 700 }]

[[rule]]
name = "lost"
leg = "forfeited_deposit"
currency = 156
to = [{ account = "forfeits", permille = 1000 }]
"#;

    fn read_text(text: &str) -> Result<Option<Chart>, CityError> {
        let city = City::open(Path::new(SAMPLE)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        open(dir.path(), &city.merchants, &city.products)
    }

    #[test]
    fn a_chart_is_read_with_names_resolved_and_is_not_needed() {
        assert_eq!(City::open(Path::new(SAMPLE)).unwrap().chart, None, "the sample city has none");
        let chart = read_text(WHOLE).unwrap().unwrap();
        assert_eq!(chart.accounts, ["operator", "forfeits"]);
        let [restaurants, lost] = chart.rules.as_slice() else { panic!("{chart:?}") };
        assert_eq!((restaurants.products.as_slice(), restaurants.merchants.as_slice()), (&[2][..], &[3][..]));
        let parts = [(Taker::Account(0), 300), (Taker::Issuer, 700)];
        assert_eq!(restaurants.parts, parts.map(|(to, permille)| Part { to, permille }));
        assert_eq!((lost.leg, lost.currency), (IncomeLeg::ForfeitedDeposit, Some(156)));
    }

    #[test]
    fn a_fault_is_told_by_line_and_key_and_with_the_nearest_name() {
        let rows = [
            (
                "\"operator\", p",
                "\"operater\", p",
                "line 14, rule[0].to: is no account of the chart; operator is the nearest",
            ),
            (
                "permille = 300",
                "permille = 299",
                "line 14, rule[0].to: must be one or two different accounts",
            ),
            ("\"forfeits\"\n\n", "\"operator\"\n\n", "line 5, account[1].name: stands here a second time"),
            ("name = \"operator\"", "name = \"purse\"", "line 2, account[0].name: is the name of accounts"),
            ("\"restaurants\"", "\"a b\"", "line 8, rule[0].name: must be 1 to 16"),
            ("[\"medical\"]", "[\"gold\"]", "line 8, rule[0].products: is not in products.toml"),
            ("898310058120001", "898310058120009", "line 8, rule[0].merchants: is not in merchants.csv"),
            ("currency = 156", "mcc = [1]", "line 20, rule[1].to: a forfeited deposit has no mcc"),
            ("permille = 700", "permile = 700", "line 14: unknown field `permile`"),
        ];
        for (from, to, want) in rows {
            let error = read_text(&WHOLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("chart.toml {want}")), "{to}: {error}");
        }
    }

    #[test]
    fn words_are_as_far_apart_as_letters_differ() {
        for (one, other, want) in [("", "", 0), ("fees", "fee", 1), ("issuer", "user", 3), ("a", "", 1)] {
            assert_eq!((distance(one, other), distance(other, one)), (want, want), "{one} {other}");
        }
    }
}
