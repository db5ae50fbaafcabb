//! The terms that an order puts in force, entry by entry, for whoever is to sign it: a signature is under all of them.
//!
//! Products and merchants stand by position, as in the order; `/parties` of the running switch lists them so.

use std::fmt::Display;

use comfy_table::Table;

use crate::{
    books::{
        chart::{Chart, ISSUER, Taker},
        event::TerminalDialect,
        fees::FeeRule,
    },
    cli::source::{new_table, right_align},
    clock::date_of_day,
    ledger::AccountKind,
};

/// The entries of a fee schedule. The first that fits decides.
pub(super) fn fees(rules: &[FeeRule]) -> Table {
    let mut table = new_table(&["entry", "currency", "% / 100", "fixed", "least", "most", "fits"]);
    for rule in rules {
        let day = |word: &str, day: Option<i32>| day.map(|day| format!("{word} {}", date_of_day(day)));
        let fits = [
            of("mcc", &rule.categories),
            of("channels", &words(&rule.channels)),
            of("products", &rule.products),
            of("merchants", &rule.merchants),
            day("from", rule.first_day),
            day("to", rule.last_day),
        ];
        table.add_row([
            plain(&rule.name),
            format!("{:03}", rule.currency),
            rule.percent_bp.to_string(),
            rule.fixed.to_string(),
            rule.min.to_string(),
            rule.max.to_string(),
            any_of(fits),
        ]);
    }
    right_align(&mut table, &[2, 3, 4, 5]);
    table
}

/// The rules of a chart. The first that fits decides; what none fits goes to `fees`.
pub(super) fn chart(chart: &Chart) -> Table {
    let taker = |to: Taker| match to {
        Taker::Fees => AccountKind::Fees.name().to_owned(),
        Taker::Issuer => ISSUER.to_owned(),
        Taker::Account(at) => match chart.accounts.get(usize::from(at)) {
            Some(name) => plain(name),
            None => format!("account {at}, which is not there"),
        },
    };
    let mut table = new_table(&["rule", "income of", "fits", "goes to, permille"]);
    for rule in &chart.rules {
        let fits = [
            rule.currency.map(|currency| format!("currency {currency:03}")),
            of("mcc", &rule.categories),
            of("channels", &words(&rule.channels)),
            of("products", &rule.products),
            of("merchants", &rule.merchants),
        ];
        let parts = rule.parts.iter().map(|part| format!("{} {}", taker(part.to), part.permille));
        let to = parts.collect::<Vec<_>>().join(", ");
        table.add_row([plain(&rule.name), rule.leg.name().to_owned(), any_of(fits), to]);
    }
    table
}

fn of<T: Display>(what: &str, list: &[T]) -> Option<String> {
    let words: Vec<String> = list.iter().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| format!("{what} {}", words.join(" ")))
}

fn any_of<const N: usize>(fits: [Option<String>; N]) -> String {
    let fits: Vec<String> = fits.into_iter().flatten().collect();
    if fits.is_empty() { "any".to_owned() } else { fits.join(", ") }
}

fn words(channels: &[TerminalDialect]) -> Vec<&'static str> {
    channels.iter().map(|channel| channel.name()).collect()
}

/// A name as it may be shown: whoever made the order chose it, and nothing of it may move the checker's cursor.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::chart::{IncomeLeg, Part, PostingRule};

    #[test]
    fn whoever_signs_sees_every_entry_and_nothing_that_moves_a_cursor() {
        let rule = FeeRule {
            name: "phone\x1b[2J".into(),
            currency: 156,
            percent_bp: 38,
            fixed: 77,
            min: 1,
            max: 5_000,
            categories: vec![5_411],
            channels: vec![TerminalDialect::Epos],
            products: vec![2],
            merchants: vec![3, 4],
            first_day: Some(20_819),
            last_day: None,
        };
        let shown = fees(&[rule]).to_string();
        let wants = [
            "phone",
            "156",
            "38",
            "77",
            "5000",
            "mcc 5411, channels epos, products 2, merchants 3 4, from 2027-01-01",
        ];
        for want in wants {
            assert!(shown.contains(want), "{want} is missing in\n{shown}");
        }
        assert!(!shown.contains('\x1b'), "{shown:?}");

        let rule = PostingRule {
            name: "all".into(),
            leg: IncomeLeg::Fee,
            currency: None,
            categories: Vec::new(),
            channels: Vec::new(),
            products: Vec::new(),
            merchants: Vec::new(),
            parts: [(Taker::Account(0), 300), (Taker::Account(9), 700)]
                .map(|(to, permille)| Part { to, permille })
                .to_vec(),
        };
        let shown = chart(&Chart { accounts: vec!["operator".into()], rules: vec![rule] }).to_string();
        for want in ["all", "fee", "any", "operator 300, account 9, which is not there 700"] {
            assert!(shown.contains(want), "{want} is missing in\n{shown}");
        }
    }
}
