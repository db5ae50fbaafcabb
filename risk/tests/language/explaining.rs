//! A rule taken apart says of the whole what the compiled rule says, and of every piece its value.

use risk::language::{Explained, Fact, Key, NamedList, Past, Request, Window};
use risk::rulebook::Rulebook;
use risk::{Day, language::Currency};

struct Fixed;

impl Past for Fixed {
    fn window(&self, number: usize, _: &Window, _: &Request<'_>) -> i64 {
        [7, 123_456][number]
    }

    fn listed(&self, _: &NamedList, _: Key<'_>) -> bool {
        false
    }
}

/// The pieces in lines, each level two spaces further in.
fn lines(piece: &Explained, level: usize, out: &mut Vec<String>) {
    out.push(format!("{}{} = {}", "  ".repeat(level), piece.text, piece.value));
    piece.parts.iter().for_each(|part| lines(part, level + 1, out));
}

fn book(when: &str) -> Rulebook {
    let file = format!(
        "currency = \"CNY\"\n[[rule]]\nid = \"one\"\ntext = \"a rule\"\nwhen = '{when}'\noutcome = \"pass\"\npriority = 1\n\
         owner = \"tests\"\nstate = \"live\"\n"
    );
    Rulebook::read(&[&file]).expect("a good rule")
}

#[test]
fn every_piece_has_its_value() {
    let mut request = Request::new(Day(20_000));
    request.number(Fact::Amount, 1_250);
    request.currency(Currency::named("CNY").expect("a currency").number);
    assert!(request.word(Fact::Channel, "pos"));
    request.text(Fact::Merchant, b"898310054110001");
    request.text(Fact::Card, &[7; 16]);
    request.number(Fact::Region, 310_101);
    request.regions(Fact::CardRegions, &[320_000, 110_000]);
    let rows: [(&str, &[&str]); 5] = [
        (
            "count(approved, \"day\", card) >= 5 && sum(approved, \"day\", card) + amount > money(\"2000.00\", \"CNY\")",
            &[
                "count(approved, \"day\", card) >= 5 && sum(approved, \"day\", card) + amount > money(\"2000.00\", \"CNY\") = false",
                "  count(approved, \"day\", card) >= 5 = true",
                "    count(approved, \"day\", card) = 7",
                "  sum(approved, \"day\", card) + amount > money(\"2000.00\", \"CNY\") = false",
                "    sum(approved, \"day\", card) + amount = 1247.06 CNY",
                "      sum(approved, \"day\", card) = 1234.56 CNY",
                "      amount = 12.50 CNY",
            ],
        ),
        (
            "age.card_days < 3 || channel == \"atm\"",
            &[
                "age.card_days < 3 || channel == \"atm\" = missing",
                "  age.card_days < 3 = missing",
                "    age.card_days = missing",
                "  channel == \"atm\" = false",
                "    channel = pos",
            ],
        ),
        (
            "!within(region, allowed.card)",
            &[
                "!within(region, allowed.card) = true",
                "  within(region, allowed.card) = false",
                "    region = 310101",
                "    allowed.card = 320000, 110000",
            ],
        ),
        (
            "merchant in [\"898310054110001\"] && !has(last.region)",
            &[
                "merchant in [\"898310054110001\"] && !has(last.region) = true",
                "  merchant in [\"898310054110001\"] = true",
                "    merchant = \"898310054110001\"",
                "  !has(last.region) = true",
                "    has(last.region) = false",
            ],
        ),
        (
            "amount > money(\"1.00\", \"USD\")",
            &["amount > money(\"1.00\", \"USD\") = missing", "  amount = 12.50 CNY"],
        ),
    ];
    for (when, want) in rows {
        let book = book(when);
        let explained = book.explain(&book.rules()[0], &request, &Fixed);
        let mut told = Vec::new();
        lines(&explained, 0, &mut told);
        assert_eq!(told, want);
        let hits = book.evaluate(&request, &Fixed).hits;
        let said = match explained.value.as_str() {
            "true" => (true, false),
            "missing" => (false, true),
            _ => (false, false),
        };
        assert_eq!((hits.fired.contains(0), hits.not_applicable.contains(0)), said, "{when}");
    }
}
