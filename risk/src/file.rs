//! Rules as a city writes them in `rules.toml`, and their translation into [`Rule`]s.
//!
//! This is the form of the file alone: reading it, and TOML, are left to the caller. Every key is checked here, so
//! that a rule that could never fire as its author meant is an error and not a silence.
//!
//! Start at [`RuleFile::compile`].

use serde::Deserialize;

use crate::{
    Action, AmountMax, Counts, Limit, LimitOf, Period, RegionOf, Rule, RuleError, RuleId, Rules, Test,
};

/// Longest text of a rule, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// The whole file: `[[rule]]` tables in the order in which they are evaluated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The rules.
    pub rule: Vec<RuleRow>,
}

/// One `[[rule]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRow {
    /// Name of the rule.
    pub id: RuleId,
    /// What it is for, in one line.
    pub text: String,
    /// `decline` or `notify`.
    pub action: String,
    /// With `decline`: `suspected_fraud`, in place of the test's own reason.
    pub reason: Option<String>,
    /// Whether it is live.
    pub on: bool,
    /// `nth_at_merchant`, `limit` or `region`.
    pub test: String,
    /// `nth_at_merchant`: from which authorization on.
    pub n: Option<i64>,
    /// `limit`: `card`, `product` or `terminal`; `region`: `card` or `product`.
    pub of: Option<String>,
    /// `limit`: `day`, `week`, `month` or `year`.
    pub period: Option<String>,
    /// `limit`: `approved` or `attempts`.
    pub counts: Option<String>,
    /// `limit`: most in number.
    pub count: Option<i64>,
    /// `limit`: most in sum, minor units.
    pub amount: Option<i64>,
    /// With `amount`: its currency, ISO 4217 number.
    pub currency: Option<i64>,
    /// Names of the products it is about; left out: all.
    pub products: Option<Vec<String>>,
    /// Merchant category codes it is about; left out: all.
    pub categories: Option<Vec<i64>>,
    /// Terminals it is about, as in field 41; left out: all.
    pub terminals: Option<Vec<String>>,
}

impl RuleFile {
    /// The rules as a set, for counters whose sums are of `currency`; `product` gives the position of a product by
    /// its name.
    ///
    /// # Errors
    /// The first key that is wrong, or see [`Rules::new`].
    pub fn compile(&self, currency: u16, product: impl Fn(&str) -> Option<u16>) -> Result<Rules, RuleError> {
        let rules: Result<Vec<Rule>, RuleError> = self.rule.iter().map(|row| row.compile(&product)).collect();
        Rules::new(rules?, currency)
    }
}

impl RuleRow {
    /// The rule; `product` gives the position of a product by its name.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn compile(&self, product: impl Fn(&str) -> Option<u16>) -> Result<Rule, RuleError> {
        let readable =
            (1..=TEXT_BYTES_MAX).contains(&self.text.len()) && !self.text.contains(char::is_control);
        self.require(readable, "text", "one line of 1 to 200 bytes")?;
        Ok(Rule {
            id: self.id,
            text: self.text.clone(),
            on: self.on,
            action: self.action()?,
            products: self
                .list("products", self.products.as_ref(), "names of products", |name| product(name))?,
            categories: self.list("categories", self.categories.as_ref(), "codes of 4 digits", category)?,
            terminals: self.list(
                "terminals",
                self.terminals.as_ref(),
                "field 41s of 8 characters",
                terminal,
            )?,
            test: self.test()?,
        })
    }

    fn action(&self) -> Result<Action, RuleError> {
        let decline = self.word(
            "action",
            Some(&self.action),
            "\"decline\" or \"notify\"",
            &[("decline", true), ("notify", false)],
        )?;
        match &self.reason {
            None if decline => Ok(Action::Decline { as_fraud: false }),
            None => Ok(Action::Notify),
            Some(reason) => {
                self.require(decline, "reason", "left out where action is \"notify\"")?;
                self.require(reason == "suspected_fraud", "reason", "\"suspected_fraud\" or left out")?;
                Ok(Action::Decline { as_fraud: true })
            }
        }
    }

    fn test(&self) -> Result<Test, RuleError> {
        match self.test.as_str() {
            "nth_at_merchant" => {
                self.only(&["n"])?;
                Ok(Test::NthAtMerchant { n: self.number("n", self.n, 2, "a number from 2 on")? })
            }
            "limit" => {
                self.only(&["of", "period", "counts", "count", "amount", "currency"])?;
                Ok(Test::Limit(self.limit()?))
            }
            "region" => {
                self.only(&["of"])?;
                let words = [("card", RegionOf::Card), ("product", RegionOf::Product)];
                let of = self.word("of", self.of.as_deref(), "\"card\" or \"product\"", &words)?;
                Ok(Test::Region { of })
            }
            _ => Err(self.wrong("test", "\"nth_at_merchant\", \"limit\" or \"region\"")),
        }
    }

    fn limit(&self) -> Result<Limit, RuleError> {
        let of = [("card", LimitOf::Card), ("product", LimitOf::Product), ("terminal", LimitOf::Terminal)];
        let period =
            [("day", Period::Day), ("week", Period::Week), ("month", Period::Month), ("year", Period::Year)];
        let counts = [("approved", Counts::Approved), ("attempts", Counts::Attempts)];
        let either = self.count.is_some() || self.amount.is_some();
        self.require(either, "count", "given, or else amount")?;
        Ok(Limit {
            of: self.word("of", self.of.as_deref(), "\"card\", \"product\" or \"terminal\"", &of)?,
            period: self.word(
                "period",
                self.period.as_deref(),
                "\"day\", \"week\", \"month\" or \"year\"",
                &period,
            )?,
            counts: self.word("counts", self.counts.as_deref(), "\"approved\" or \"attempts\"", &counts)?,
            count: match self.count {
                Some(_) => Some(self.number("count", self.count, 1, "a number from 1 on")?),
                None => None,
            },
            amount: self.amount_max()?,
        })
    }

    fn amount_max(&self) -> Result<Option<AmountMax>, RuleError> {
        if self.amount.is_none() {
            self.require(self.currency.is_none(), "currency", "left out where there is no amount")?;
            return Ok(None);
        }
        let expected = "the ISO 4217 number of the amount's currency";
        let currency: u16 = self.number("currency", self.currency, 1, expected)?;
        self.require(currency <= 999, "currency", expected)?;
        let minor = self.number("amount", self.amount, 1, "minor units from 1 on")?;
        Ok(Some(AmountMax { minor, currency }))
    }

    /// Refuses keys that the test has no use for: their author meant something by them.
    fn only(&self, wanted: &[&str]) -> Result<(), RuleError> {
        let given = [
            ("n", self.n.is_some()),
            ("of", self.of.is_some()),
            ("period", self.period.is_some()),
            ("counts", self.counts.is_some()),
            ("count", self.count.is_some()),
            ("amount", self.amount.is_some()),
            ("currency", self.currency.is_some()),
        ];
        let stray = given.iter().find(|(key, given)| *given && !wanted.contains(key));
        stray.map_or(Ok(()), |(key, _)| Err(self.wrong(key, "left out: this test does not use it")))
    }

    /// A list of a rule. An empty one would mean all, and hardly ever be meant so.
    fn list<T, U>(
        &self,
        key: &'static str,
        items: Option<&Vec<T>>,
        expected: &'static str,
        read: impl Fn(&T) -> Option<U>,
    ) -> Result<Vec<U>, RuleError> {
        let Some(items) = items else { return Ok(Vec::new()) };
        self.require(!items.is_empty(), key, "a list of at least one, or left out for all")?;
        items.iter().map(|item| read(item).ok_or_else(|| self.wrong(key, expected))).collect()
    }

    fn word<T: Copy>(
        &self,
        key: &'static str,
        given: Option<&str>,
        expected: &'static str,
        words: &[(&str, T)],
    ) -> Result<T, RuleError> {
        let found = words.iter().find(|(word, _)| given == Some(word)).map(|(_, value)| *value);
        found.ok_or_else(|| self.wrong(key, expected))
    }

    fn number<T: TryFrom<i64>>(
        &self,
        key: &'static str,
        given: Option<i64>,
        least: i64,
        expected: &'static str,
    ) -> Result<T, RuleError> {
        let number = given.filter(|number| *number >= least).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| self.wrong(key, expected))
    }

    fn require(&self, holds: bool, key: &'static str, expected: &'static str) -> Result<(), RuleError> {
        if holds { Ok(()) } else { Err(self.wrong(key, expected)) }
    }

    fn wrong(&self, key: &'static str, expected: &'static str) -> RuleError {
        RuleError::Key { rule: self.id, key, expected }
    }
}

fn category(code: &i64) -> Option<u16> {
    u16::try_from(*code).ok().filter(|code| *code <= 9_999)
}

fn terminal(text: &String) -> Option<[u8; 8]> {
    let bytes: [u8; 8] = text.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_graphic).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const CITY: &str = include_str!("../../fixtures/city/rules.toml");

    fn product(name: &str) -> Option<u16> {
        ["city", "prepaid", "medical"].iter().zip(0..).find(|(known, _)| **known == name).map(|(_, at)| at)
    }

    fn compile(text: &str) -> Result<Rules, String> {
        let file: RuleFile = toml::from_str(text).map_err(|err| err.message().to_owned())?;
        file.compile(156, product).map_err(|err| err.to_string())
    }

    /// A limit that is right, with one of its lines replaced, or one more if `from` is empty.
    fn spoiled(from: &str, to: &str) -> String {
        let right = "id = \"x\"\ntext = \"t\"\naction = \"decline\"\non = true\ntest = \"limit\"\nof = \"card\"\n\
                     period = \"day\"\ncounts = \"approved\"\namount = 500\ncurrency = 156\n";
        assert!(right.contains(from), "{from}");
        let text = if from.is_empty() { format!("{right}{to}\n") } else { right.replace(from, to) };
        format!("[[rule]]\n{text}")
    }

    #[test]
    fn the_rules_of_the_city_are_rules() {
        let rules = compile(CITY).unwrap();
        let ids: Vec<&str> = rules.as_slice().iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(
            ids,
            ["third-at-merchant", "card-day", "prepaid-day", "terminal-day", "prepaid-region", "card-region"]
        );
        let off: Vec<&str> =
            rules.as_slice().iter().filter(|rule| !rule.on).map(|rule| rule.id.as_str()).collect();
        assert_eq!(off, ["terminal-day"]);
    }

    #[test]
    fn a_row_becomes_the_rule_it_describes() {
        let text = "rule = [{ id = \"r\", text = \"t\", action = \"decline\", reason = \"suspected_fraud\", on = false,
            test = \"limit\", of = \"terminal\", period = \"week\", counts = \"attempts\", count = 7, amount = 900,
            currency = 156, products = [\"prepaid\", \"city\"], categories = [5411], terminals = [\"31000001\"] }]";
        let want = Rule {
            id: RuleId::new("r").unwrap(),
            text: "t".into(),
            on: false,
            action: Action::Decline { as_fraud: true },
            products: vec![1, 0],
            categories: vec![5_411],
            terminals: vec![*b"31000001"],
            test: Test::Limit(Limit {
                of: LimitOf::Terminal,
                period: Period::Week,
                counts: Counts::Attempts,
                count: Some(7),
                amount: Some(AmountMax { minor: 900, currency: 156 }),
            }),
        };
        assert_eq!(compile(text).unwrap().as_slice(), [want]);
    }

    #[test]
    fn what_is_wrong_is_named_by_rule_and_key() {
        let cases = [
            ("", "", ""),
            ("\"decline\"", "\"refuse\"", "rule x, action: must be \"decline\" or \"notify\""),
            ("", "reason = \"mood\"", "rule x, reason: must be \"suspected_fraud\" or left out"),
            (
                "\"decline\"",
                "\"notify\"\nreason = \"suspected_fraud\"",
                "rule x, reason: must be left out where action is \"notify\"",
            ),
            ("\"t\"", "\"\"", "rule x, text: must be one line of 1 to 200 bytes"),
            ("\"limit\"", "\"speed\"", "rule x, test: must be \"nth_at_merchant\", \"limit\" or \"region\""),
            ("of = \"card\"\n", "", "rule x, of: must be \"card\", \"product\" or \"terminal\""),
            ("\"day\"", "\"24h\"", "rule x, period: must be \"day\", \"week\", \"month\" or \"year\""),
            ("\"approved\"", "\"declined\"", "rule x, counts: must be \"approved\" or \"attempts\""),
            ("amount = 500", "amount = 0", "rule x, amount: must be minor units from 1 on"),
            ("amount = 500\n", "count = 5\n", "rule x, currency: must be left out where there is no amount"),
            ("amount = 500\ncurrency = 156\n", "", "rule x, count: must be given, or else amount"),
            ("", "count = 4294967296", "rule x, count: must be a number from 1 on"),
            (
                "currency = 156\n",
                "",
                "rule x, currency: must be the ISO 4217 number of the amount's currency",
            ),
            ("= 156", "= 1000", "rule x, currency: must be the ISO 4217 number of the amount's currency"),
            ("= 156", "= 840", "rule x, currency: must be the currency in which the city counts"),
            ("", "n = 3", "rule x, n: must be left out: this test does not use it"),
            ("\"limit\"", "\"region\"", "rule x, period: must be left out: this test does not use it"),
            ("", "products = [\"gold\"]", "rule x, products: must be names of products"),
            ("", "products = []", "rule x, products: must be a list of at least one, or left out for all"),
            ("", "categories = [54110]", "rule x, categories: must be codes of 4 digits"),
            ("", "terminals = [\"3100001\"]", "rule x, terminals: must be field 41s of 8 characters"),
            ("\"x\"", "\"no word\"", "a rule's id must be 1 to 32 letters, digits, hyphens and underscores"),
        ];
        for (from, to, want) in cases {
            let got = compile(&spoiled(from, to)).err().unwrap_or_default();
            assert_eq!(got, want, "{from} becomes {to}");
        }
        assert!(compile(&spoiled("", "colour = 1")).unwrap_err().starts_with("unknown field"));
    }

    #[test]
    fn the_nth_begins_with_the_second() {
        let row = |n| {
            format!(
                "rule = [{{ id = \"n\", text = \"t\", action = \"notify\", on = true, test = \"nth_at_merchant\", n = {n} }}]"
            )
        };
        assert!(compile(&row(2)).is_ok());
        assert_eq!(compile(&row(1)).unwrap_err(), "rule n, n: must be a number from 2 on");
    }
}
