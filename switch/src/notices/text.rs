//! What a notice says: the rule's text with the values it names, or one of ours where a rule has none.

use jiff::{Timestamp, tz::TimeZone};
use risk::{
    language::{Currency, Fact},
    rulebook::{Notice as Text, Piece},
};

use super::contacts::Language;
use crate::books::{
    Books,
    notices::{Cause, Notice, Subject},
};

/// What is said for a rule without a text of its own: of a request that was approved, and of one that was not.
fn ours(language: Language, approved: bool) -> &'static str {
    match (language, approved) {
        (Language::English, true) => "Card {card}: {amount} {currency} at {merchant}, {time}: approved",
        (Language::English, false) => "Card {card}: {amount} {currency} at {merchant}, {time}: declined",
        (Language::Chinese, true) => "您的卡{card}于{time}在{merchant}的交易{amount} {currency}已批准",
        (Language::Chinese, false) => "您的卡{card}于{time}在{merchant}的交易{amount} {currency}被拒绝",
    }
}

/// The same of a request beyond a limit that the holder set.
fn of_limits(language: Language, approved: bool) -> &'static str {
    match (language, approved) {
        (Language::English, true) => {
            "Card {card}: {amount} {currency} at {merchant}, {time}: approved, beyond the limits that you set"
        }
        (Language::English, false) => {
            "Card {card}: {amount} {currency} at {merchant}, {time}: declined, beyond the limits that you set"
        }
        (Language::Chinese, true) => {
            "您的卡{card}于{time}在{merchant}的交易{amount} {currency}已批准，超出您设定的限制"
        }
        (Language::Chinese, false) => {
            "您的卡{card}于{time}在{merchant}的交易{amount} {currency}被拒绝，超出您设定的限制"
        }
    }
}

/// What a notice says; nothing where it is not for a cardholder.
#[must_use]
pub fn text(books: &Books, notice: &Notice, zone: &TimeZone, language: Language) -> Option<String> {
    let about = &notice.subject;
    let approved = about.reason.is_approval();
    let ours = match about.cause {
        Cause::Rules => ours(language, approved),
        Cause::HolderLimits => of_limits(language, approved),
        _ => return None,
    };
    let own = about.words.as_ref().and_then(|words| Text::of(&words.0));
    let text = own.or_else(|| Text::of(ours))?;
    Some(text.said(|piece| said(books, about, zone, piece)))
}

fn said(books: &Books, about: &Subject, zone: &TimeZone, piece: &Piece) -> String {
    let terminal = books.terminals().get(about.terminal as usize);
    let card = about.card.and_then(|card| books.cards().get(card as usize));
    let currency = Currency::numbered(about.currency);
    match piece {
        Piece::Fact(Fact::Amount) => {
            currency.map_or_else(|| about.amount.to_string(), |currency| currency.written(about.amount))
        }
        Piece::Fact(Fact::Currency) => {
            currency.map_or_else(|| format!("{:03}", about.currency), |currency| currency.code.to_owned())
        }
        Piece::Fact(Fact::Merchant) => {
            let merchant = terminal.and_then(|terminal| books.merchants().get(terminal.merchant as usize));
            merchant.map_or_else(String::new, |merchant| match merchant.name.trim() {
                "" => String::from_utf8_lossy(&merchant.id).trim_end().to_owned(),
                name => name.to_owned(),
            })
        }
        Piece::Fact(Fact::Terminal) => {
            terminal.map_or_else(String::new, |terminal| String::from_utf8_lossy(&terminal.id).into_owned())
        }
        Piece::Fact(Fact::Region) => {
            terminal.map_or_else(String::new, |terminal| terminal.region.to_string())
        }
        Piece::Fact(Fact::Product) => {
            let product = card.and_then(|card| books.products().get(usize::from(card.product)));
            product.map_or_else(String::new, |product| product.name.clone())
        }
        Piece::Card => card.map_or_else(String::new, |card| format!("****{:04}", card.last_four)),
        Piece::Time => {
            let time = Timestamp::from_millisecond(about.time_ms).unwrap_or_default();
            zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string()
        }
        // The reader of notices takes no other.
        Piece::Fact(_) | Piece::Words(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{books::notices::Words, settlement::testing::History};

    #[test]
    fn a_rule_says_its_own_text_and_where_it_has_none_we_say_ours() {
        let books = History::of_two_days().books;
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let notice = books.notices().after(0).next().unwrap().clone();
        let said = |words: Option<&str>, language| {
            let words = words.map(|words| Words(words.into()));
            let subject = Subject { words, ..notice.subject.clone() };
            text(&books, &Notice { subject, ..notice.clone() }, &zone, language).unwrap()
        };
        let ours = said(None, Language::English);
        assert!(ours.starts_with("Card ****0010: ") && ours.ends_with(": declined"), "{ours}");
        assert!(said(None, Language::Chinese).contains("被拒绝"));
        let subject = Subject { cause: Cause::HolderLimits, words: None, ..notice.subject.clone() };
        let beyond = Notice { subject, ..notice.clone() };
        let told = text(&books, &beyond, &zone, Language::English).unwrap();
        assert!(told.ends_with("declined, beyond the limits that you set"), "{told}");
        let own = said(
            Some("{card} {amount} {currency} {merchant} {terminal} {product} {region} {time}"),
            Language::English,
        );
        assert!(own.starts_with("****0010 ") && own.contains(" CNY ") && !own.contains('{'), "{own}");
        let local = zone.to_datetime(Timestamp::from_millisecond(notice.subject.time_ms).unwrap());
        assert!(own.ends_with(&local.strftime(" %Y-%m-%d %H:%M").to_string()), "{own}");
    }
}
