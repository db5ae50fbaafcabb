//! Currencies that rules can name: alphabetic code, number and decimals of ISO 4217.
//!
//! Start at [`Currency::named`].

/// One currency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Currency {
    /// Alphabetic code.
    pub code: &'static str,
    /// Number.
    pub number: u16,
    /// Digits behind the point.
    pub decimals: u8,
}

/// Currencies of the neighbourhood and those that cards mostly travel in.
static ALL: [Currency; 18] = [
    Currency { code: "CNY", number: 156, decimals: 2 },
    Currency { code: "HKD", number: 344, decimals: 2 },
    Currency { code: "MOP", number: 446, decimals: 2 },
    Currency { code: "TWD", number: 901, decimals: 2 },
    Currency { code: "USD", number: 840, decimals: 2 },
    Currency { code: "EUR", number: 978, decimals: 2 },
    Currency { code: "GBP", number: 826, decimals: 2 },
    Currency { code: "CHF", number: 756, decimals: 2 },
    Currency { code: "JPY", number: 392, decimals: 0 },
    Currency { code: "KRW", number: 410, decimals: 0 },
    Currency { code: "SGD", number: 702, decimals: 2 },
    Currency { code: "MYR", number: 458, decimals: 2 },
    Currency { code: "THB", number: 764, decimals: 2 },
    Currency { code: "VND", number: 704, decimals: 0 },
    Currency { code: "RUB", number: 643, decimals: 2 },
    Currency { code: "KWD", number: 414, decimals: 3 },
    Currency { code: "AUD", number: 36, decimals: 2 },
    Currency { code: "CAD", number: 124, decimals: 2 },
];

/// The codes of all of them, in their order.
pub(super) const CODES: &[&str] = &[
    "CNY", "HKD", "MOP", "TWD", "USD", "EUR", "GBP", "CHF", "JPY", "KRW", "SGD", "MYR", "THB", "VND", "RUB",
    "KWD", "AUD", "CAD",
];

impl Currency {
    /// The currency of an alphabetic code.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        ALL.into_iter().find(|currency| currency.code == code)
    }

    /// The currency of a number; none for a currency that rules cannot name.
    #[must_use]
    pub fn numbered(number: u16) -> Option<Self> {
        ALL.into_iter().find(|currency| currency.number == number)
    }

    /// The place of a currency's number in the catalogue of words; none for a currency that rules cannot name.
    pub(super) fn word_of(number: u16) -> Option<usize> {
        ALL.iter().position(|currency| currency.number == number)
    }

    /// Its place in the catalogue of words.
    pub(super) fn word(self) -> i64 {
        let place = ALL.iter().position(|currency| currency == &self).unwrap_or(ALL.len());
        i64::try_from(place).unwrap_or(i64::MAX)
    }

    /// An amount of minor units with its decimals, such as `12.50`.
    #[must_use]
    pub fn written(self, minor: i64) -> String {
        let unit = 10_u64.pow(u32::from(self.decimals));
        let (whole, rest) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        let sign = if minor < 0 { "-" } else { "" };
        match usize::from(self.decimals) {
            0 => format!("{sign}{whole}"),
            decimals => format!("{sign}{whole}.{rest:0decimals$}"),
        }
    }

    /// Minor units of an amount such as `12.50`: all decimals of the currency, or none and no point.
    #[must_use]
    pub fn minor(self, amount: &str) -> Option<i64> {
        let decimals = usize::from(self.decimals);
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let whole_part = !amount.contains('.') || (decimals > 0 && part.len() == decimals);
        if whole.is_empty() || !digits(whole) || !digits(part) || !whole_part {
            return None;
        }
        format!("{whole}{part:0<decimals$}").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_currencies_are_the_same_list() {
        assert!(ALL.iter().map(|currency| currency.code).eq(CODES.iter().copied()));
        let places: Vec<_> = ALL.iter().map(|currency| Currency::word_of(currency.number)).collect();
        assert!(places.into_iter().eq((0..ALL.len()).map(Some)), "no number stands twice");
    }

    #[test]
    fn amounts_have_all_decimals_or_none() {
        let cases = [
            ("whole and decimals", "CNY", "12.50", Some(1_250)),
            ("whole alone", "CNY", "12", Some(1_200)),
            ("one decimal of two", "CNY", "12.5", None),
            ("three decimals of two", "CNY", "12.500", None),
            ("a point and nothing", "CNY", "12.", None),
            ("nothing and a point", "CNY", ".50", None),
            ("no decimals to have", "JPY", "500", Some(500)),
            ("a point where there are no decimals", "JPY", "500.", None),
            ("three decimals", "KWD", "1.005", Some(1_005)),
            ("a sign", "CNY", "-1", None),
            ("separators", "CNY", "1,000", None),
            ("too much", "CNY", "99999999999999999999", None),
            ("nothing", "CNY", "", None),
        ];
        for (name, code, amount, want) in cases {
            assert_eq!(Currency::named(code).and_then(|currency| currency.minor(amount)), want, "{name}");
        }
    }
}
