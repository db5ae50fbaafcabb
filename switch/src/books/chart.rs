//! Which accounts income goes to, as data: the chart of accounts beside the built-in ones, and posting rules, of which
//! the first that fits decides.
//!
//! A chart is an event; a later one is a later event and replaces it. Accounts that were opened stay. What a rule says
//! is compiled when the event is applied, so a payment looks for a route by numbers alone and finds accounts. Where no
//! rule fits, income goes to the account `fees`, as it does without a chart.
//!
//! Every rule balances by construction: it divides an amount, and the last part is whatever the others leave of it. Legs
//! on accounts of a party (purses, payables, floats, lines) follow from the request and are no matter of choice.
//!
//! Start at [`Chart`]; [`Books::chart_version`] counts the charts that came into force.

use arrayvec::ArrayVec;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{Books, CommonAccount, event::TerminalDialect, fees::Payment};
use crate::ledger::{AccountId, AccountKind, Currency, Minor, Posting};

/// The most income accounts that charts may open together, each once in every currency.
pub const INCOME_ACCOUNTS_MAX: usize = 64;

/// The most rules of a chart: all of them are looked at for every payment.
pub const POSTING_RULES_MAX: usize = 64;

/// The most parts that an amount is divided into: what an event has room for beside four purses, a receivable and a
/// payee.
pub const PARTS_MAX: usize = 2;

/// The whole of an amount, in permille.
const WHOLE: u32 = 1000;

/// A chart.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// Names of income accounts beside `fees`.
    pub accounts: Vec<String>,
    /// Which amount goes where.
    pub rules: Vec<PostingRule>,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IncomeLeg {
    /// The merchant's fee of a payment.
    Fee,
    /// The deposit for a card that was lost.
    ForfeitedDeposit,
}

impl IncomeLeg {
    /// The word for it in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fee => "fee",
            Self::ForfeitedDeposit => "forfeited_deposit",
        }
    }
}

/// One rule. What it does not name, any payment has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostingRule {
    /// Its name for people.
    pub name: String,
    /// What it is about.
    pub leg: IncomeLeg,
    /// The currency.
    pub currency: Option<Currency>,
    /// Merchant category codes; of fees only.
    pub categories: Vec<u16>,
    /// What the terminal speaks; of fees only.
    pub channels: Vec<TerminalDialect>,
    /// Positions of card products.
    pub products: Vec<u16>,
    /// Positions of merchants; of fees only.
    pub merchants: Vec<u32>,
    /// Who gets it, and which part: one or two, which are the whole together.
    pub parts: Vec<Part>,
}

/// A part of an amount. Rounded down, except the last, which is the rest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Who gets it.
    pub to: Taker,
    /// Thousandths of the whole.
    pub permille: u16,
}

/// Who gets income.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Taker {
    /// The account that everything goes to without a chart.
    Fees,
    /// The chart's account at this position.
    Account(u16),
    /// The orderer of the card, as its issuer: its share of what merchants pay for its cards.
    Issuer,
}

/// A chart that says something impossible.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChartFault {
    /// More accounts than there may be, with those of charts before.
    #[error("with the accounts of earlier charts there are more than {INCOME_ACCOUNTS_MAX}")]
    TooManyAccounts,
    /// More rules than are looked at.
    #[error("there are more than {POSTING_RULES_MAX} rules")]
    TooManyRules,
    /// Two accounts of one name, or one that has the name of a built-in kind.
    #[error("account {0} has the name of another")]
    Name(usize),
    /// The parts are not the whole.
    #[error("rule {0}: its parts must be one or two different ones, and 1000 permille together")]
    Parts(usize),
    /// It names an account, a product or a merchant that is not there.
    #[error("rule {0} names an account, product or merchant that does not exist")]
    NoSuch(usize),
    /// A forfeited deposit has no payment.
    #[error("rule {0} is about a deposit, and names what only a payment has")]
    NoPayment(usize),
}

/// A rule in one currency, with accounts in place of names.
#[derive(Clone, Debug)]
struct Route {
    leg: IncomeLeg,
    currency: Currency,
    categories: Vec<u16>,
    channels: Vec<TerminalDialect>,
    products: Vec<u16>,
    merchants: Vec<u32>,
    parts: ArrayVec<(Destination, u16), PARTS_MAX>,
}

#[derive(Clone, Copy, Debug)]
enum Destination {
    Account(AccountId),
    Issuer,
}

/// The chart in force, and what follows from it.
#[derive(Clone, Debug, Default)]
pub(super) struct ChartInForce {
    pub(super) chart: Chart,
    /// How many charts came into force.
    pub(super) version: u32,
    /// Names of all income accounts that were ever opened, by position.
    pub(super) names: Vec<String>,
    routes: Vec<Route>,
    income: HashMap<(u16, Currency), AccountId>,
    issuers: HashMap<(u32, Currency), AccountId>,
}

impl Chart {
    /// Whether it can be put in force where there are so many products and merchants.
    ///
    /// # Errors
    /// The first account or rule at fault; they count from 0.
    pub fn check(&self, products: usize, merchants: usize) -> Result<(), ChartFault> {
        if self.accounts.len() > INCOME_ACCOUNTS_MAX {
            return Err(ChartFault::TooManyAccounts);
        }
        if self.rules.len() > POSTING_RULES_MAX {
            return Err(ChartFault::TooManyRules);
        }
        for (at, name) in self.accounts.iter().enumerate() {
            if is_built_in(name) || self.accounts[..at].contains(name) {
                return Err(ChartFault::Name(at));
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check(at, self.accounts.len(), products, merchants)?;
        }
        Ok(())
    }
}

/// Whether a name is that of a kind of account that is there without a chart.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    AccountKind::NAMES.contains(&name) || name == ISSUER
}

/// How a chart names the orderer of the card.
pub const ISSUER: &str = "issuer";

impl PostingRule {
    fn check(&self, at: usize, accounts: usize, products: usize, merchants: usize) -> Result<(), ChartFault> {
        let whole: u32 = self.parts.iter().map(|part| u32::from(part.permille)).sum();
        let different = self.parts.len() != 2 || self.parts[0].to != self.parts[1].to;
        let some = self.parts.iter().all(|part| part.permille > 0);
        if !(1..=PARTS_MAX).contains(&self.parts.len()) || whole != WHOLE || !different || !some {
            return Err(ChartFault::Parts(at));
        }
        let accounts_there = self.parts.iter().all(|part| match part.to {
            Taker::Account(account) => usize::from(account) < accounts,
            Taker::Fees | Taker::Issuer => true,
        });
        let there = self.products.iter().all(|product| usize::from(*product) < products)
            && self.merchants.iter().all(|merchant| (*merchant as usize) < merchants);
        if !accounts_there || !there {
            return Err(ChartFault::NoSuch(at));
        }
        let of_payment =
            !(self.categories.is_empty() && self.channels.is_empty() && self.merchants.is_empty());
        match self.leg {
            IncomeLeg::ForfeitedDeposit if of_payment => Err(ChartFault::NoPayment(at)),
            _ => Ok(()),
        }
    }
}

impl Route {
    fn fits_payment(&self, payment: &Payment) -> bool {
        names(&self.categories, &payment.category)
            && names(&self.channels, &payment.channel)
            && names(&self.merchants, &payment.merchant)
    }
}

fn names<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

/// What income comes of.
#[derive(Clone, Copy, Debug)]
pub(super) enum IncomeOf<'a> {
    /// A payment's fee.
    Payment(&'a Payment),
    /// The deposit for a card of this product.
    Deposit { currency: Currency, product: u16 },
}

impl Books {
    /// The chart in force.
    #[must_use]
    pub fn chart(&self) -> &Chart {
        &self.chart.chart
    }

    /// How many charts came into force so far; 0 is the built-in one.
    #[must_use]
    pub fn chart_version(&self) -> u32 {
        self.chart.version
    }

    /// What the chart calls accounts of this kind.
    #[must_use]
    pub fn title(&self, kind: &AccountKind) -> &str {
        match kind {
            AccountKind::Income { account } => {
                self.chart.names.get(usize::from(*account)).map_or("income", String::as_str)
            }
            other => other.name(),
        }
    }

    /// Whether this chart can be put in force here.
    ///
    /// # Errors
    /// See [`ChartFault`].
    pub fn check_chart(&self, chart: &Chart) -> Result<(), ChartFault> {
        chart.check(self.products.len(), self.merchants.len())?;
        let known = |name: &&String| self.chart.names.contains(name);
        let more = chart.accounts.iter().filter(|name| !known(name)).count();
        if self.chart.names.len() + more > INCOME_ACCOUNTS_MAX {
            return Err(ChartFault::TooManyAccounts);
        }
        Ok(())
    }

    /// Puts a chart that was checked in force.
    pub(super) fn put_in_force(&mut self, chart: &Chart) {
        self.chart.version += 1;
        self.chart.chart = chart.clone();
        for name in &chart.accounts {
            if !self.chart.names.contains(name) {
                self.chart.names.push(name.clone());
            }
        }
        self.open_chart_accounts();
    }

    /// Opens what the chart needs in every currency there is, and compiles it. Also when a currency joins.
    pub(super) fn open_chart_accounts(&mut self) {
        if self.chart.version == 0 {
            return;
        }
        let currencies = self.currencies();
        for currency in &currencies {
            for account in (0..).take(self.chart.names.len()) {
                if !self.chart.income.contains_key(&(account, *currency)) {
                    let kind = AccountKind::Income { account };
                    let opened = self.ledger.open(kind, *currency, Minor::MIN);
                    self.chart.income.insert((account, *currency), opened);
                }
            }
        }
        let issuers_share = |rule: &PostingRule| rule.parts.iter().any(|part| part.to == Taker::Issuer);
        if self.chart.chart.rules.iter().any(issuers_share) {
            for orderer in (0..).take(self.orderers.len()) {
                for currency in &currencies {
                    if !self.chart.issuers.contains_key(&(orderer, *currency)) {
                        let kind = AccountKind::IssuerFees { orderer };
                        let opened = self.ledger.open(kind, *currency, Minor::MIN);
                        self.chart.issuers.insert((orderer, *currency), opened);
                    }
                }
            }
        }
        self.compile_chart();
    }

    /// Finds accounts and routes again, after a checkpoint was read.
    pub(super) fn rebuild_chart(&mut self) {
        for (account, at) in self.ledger.accounts().iter().zip(0..) {
            match account.kind {
                AccountKind::Income { account: name } => {
                    self.chart.income.insert((name, account.currency), AccountId(at));
                }
                AccountKind::IssuerFees { orderer } => {
                    self.chart.issuers.insert((orderer, account.currency), AccountId(at));
                }
                _ => {}
            }
        }
        self.compile_chart();
    }

    fn compile_chart(&mut self) {
        let mut routes = Vec::new();
        for rule in &self.chart.chart.rules {
            for currency in self.currencies() {
                if rule.currency.is_some_and(|only| only != currency) {
                    continue;
                }
                let parts: Option<ArrayVec<_, PARTS_MAX>> = rule
                    .parts
                    .iter()
                    .map(|part| Some((self.destination(part.to, currency)?, part.permille)))
                    .collect();
                routes.extend(parts.map(|parts| Route {
                    leg: rule.leg,
                    currency,
                    categories: rule.categories.clone(),
                    channels: rule.channels.clone(),
                    products: rule.products.clone(),
                    merchants: rule.merchants.clone(),
                    parts,
                }));
            }
        }
        self.chart.routes = routes;
    }

    fn destination(&self, to: Taker, currency: Currency) -> Option<Destination> {
        let account = match to {
            Taker::Fees => self.common_account(CommonAccount::Fees, currency),
            Taker::Account(at) => {
                let name = self.chart.chart.accounts.get(usize::from(at))?;
                let place = self.chart.names.iter().position(|known| known == name)?;
                self.chart.income.get(&(u16::try_from(place).ok()?, currency)).copied()
            }
            Taker::Issuer => return Some(Destination::Issuer),
        };
        account.map(Destination::Account)
    }

    /// The currencies that have common accounts, in order.
    fn currencies(&self) -> Vec<Currency> {
        let of_bank = self.common.keys().filter(|(which, _)| *which == CommonAccount::Bank);
        let mut currencies: Vec<Currency> = of_bank.map(|(_, currency)| *currency).collect();
        currencies.sort_unstable();
        currencies
    }

    /// Divides income among those who get it: the credits, none of nothing.
    pub(super) fn divide_income(
        &self,
        of: IncomeOf<'_>,
        orderer: u16,
        amount: Minor,
    ) -> ArrayVec<Posting, PARTS_MAX> {
        let (currency, route) = self.route(of);
        let mut credits = ArrayVec::new();
        let mut left = amount;
        let parts = route.map_or(&[][..], |route| &route.parts);
        let fees = self.common_account(CommonAccount::Fees, currency);
        for (at, (to, permille)) in parts.iter().enumerate() {
            let is_last = at + 1 == parts.len();
            let share = i128::from(amount) * i128::from(*permille) / i128::from(WHOLE);
            // A part of an amount is an amount.
            let part = if is_last { left } else { Minor::try_from(share).unwrap_or(left) };
            let account = match to {
                Destination::Account(account) => Some(*account),
                Destination::Issuer => {
                    self.chart.issuers.get(&(u32::from(orderer), currency)).copied().or(fees)
                }
            };
            if let (true, Some(account)) = (part != 0, account) {
                credits.push(Posting { account, amount: part });
                left -= part;
            }
        }
        if let (true, Some(account), []) = (left != 0, fees, parts) {
            credits.push(Posting { account, amount: left });
        }
        credits
    }

    fn route(&self, of: IncomeOf<'_>) -> (Currency, Option<&Route>) {
        let (leg, currency, product) = match of {
            IncomeOf::Payment(payment) => (IncomeLeg::Fee, payment.currency, payment.product),
            IncomeOf::Deposit { currency, product } => (IncomeLeg::ForfeitedDeposit, currency, product),
        };
        let route = self.chart.routes.iter().find(|route| {
            let payment_fits = match of {
                IncomeOf::Payment(payment) => route.fits_payment(payment),
                IncomeOf::Deposit { .. } => true,
            };
            (route.leg, route.currency) == (leg, currency) && names(&route.products, &product) && payment_fits
        });
        (currency, route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(leg: IncomeLeg, parts: &[(Taker, u16)]) -> PostingRule {
        PostingRule {
            name: "any".into(),
            leg,
            currency: None,
            categories: Vec::new(),
            channels: Vec::new(),
            products: Vec::new(),
            merchants: Vec::new(),
            parts: parts.iter().map(|(to, permille)| Part { to: *to, permille: *permille }).collect(),
        }
    }

    fn chart(rule: PostingRule) -> Chart {
        Chart { accounts: vec!["operator".into()], rules: vec![rule] }
    }

    #[test]
    fn an_impossible_chart_is_refused() {
        use IncomeLeg::{Fee, ForfeitedDeposit};
        let (operator, fees) = (Taker::Account(0), Taker::Fees);
        let good = rule(Fee, &[(operator, 300), (fees, 700)]);
        assert_eq!(chart(good.clone()).check(1, 1), Ok(()));
        let rows = [
            ("nobody gets it", rule(Fee, &[]), ChartFault::Parts(0)),
            ("not the whole", rule(Fee, &[(operator, 999)]), ChartFault::Parts(0)),
            ("more than the whole", rule(Fee, &[(operator, 300), (fees, 701)]), ChartFault::Parts(0)),
            ("one twice", rule(Fee, &[(fees, 300), (fees, 700)]), ChartFault::Parts(0)),
            ("nothing of it", rule(Fee, &[(operator, 0), (fees, 1000)]), ChartFault::Parts(0)),
            (
                "three parts",
                rule(Fee, &[(operator, 300), (fees, 300), (Taker::Issuer, 400)]),
                ChartFault::Parts(0),
            ),
            ("an account beyond the end", rule(Fee, &[(Taker::Account(1), 1000)]), ChartFault::NoSuch(0)),
            ("a product", PostingRule { products: vec![1], ..good.clone() }, ChartFault::NoSuch(0)),
            ("a merchant", PostingRule { merchants: vec![1], ..good.clone() }, ChartFault::NoSuch(0)),
            (
                "a deposit at a merchant category",
                PostingRule { leg: ForfeitedDeposit, categories: vec![5411], ..good.clone() },
                ChartFault::NoPayment(0),
            ),
        ];
        for (name, rule, want) in rows {
            assert_eq!(chart(rule).check(1, 1), Err(want), "{name}");
        }
        for (name, accounts) in [("of a kind", vec!["bank"]), ("twice", vec!["a", "a"])] {
            let accounts: Vec<String> = accounts.into_iter().map(String::from).collect();
            let at = accounts.len() - 1;
            let refused = Chart { accounts, rules: Vec::new() }.check(1, 1);
            assert_eq!(refused, Err(ChartFault::Name(at)), "a name {name}");
        }
        let many = Chart { accounts: Vec::new(), rules: vec![rule(Fee, &[(fees, 1000)]); 65] };
        assert_eq!(many.check(1, 1), Err(ChartFault::TooManyRules));
    }
}
