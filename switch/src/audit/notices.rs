//! The outbox for people: who is told of what, with cards and telephone numbers masked.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{answer_text, card_name, masked_phone, terminal_name, utc};
use crate::{
    books::{
        Books,
        notices::{Notice, Recipient},
    },
    journal::Seq,
    ledger::{Currency, Minor},
    notices::{contacts::Language, text::text},
};

/// The most notices shown at once; whoever wants more goes on behind the last.
pub const NOTICES_MAX: usize = 1000;

/// One notice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeEntry {
    /// Its number.
    pub id: u64,
    /// What it is known by wherever it is sent: epoch, record, and 0 for the cardholder or 1 for card management. The same
    /// however often it is sent.
    pub key: String,
    /// The record it follows from.
    pub record: Seq,
    /// Time of its record, RFC 3339 in UTC.
    pub time: String,
    /// Who is told.
    pub to: String,
    /// Where the cardholder is told: the last three digits of the linked telephone number.
    pub phone: Option<String>,
    /// Why.
    pub cause: String,
    /// The first rule that fired.
    pub rule: Option<String>,
    /// What is said to whoever is told; nothing where no rule speaks, or the zone of its times is not known.
    pub text: Option<String>,
    /// BIN and last four.
    pub card: Option<String>,
    /// Field 41.
    pub terminal: Option<String>,
    /// Field 42.
    pub merchant: Option<String>,
    /// What was asked.
    pub kind: String,
    /// Amount, minor units.
    pub amount: Minor,
    /// ISO 4217 number, 0 where no amount is about.
    pub currency: Currency,
    /// Field 39 and the reason.
    pub answer: String,
}

/// Notices, oldest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeList {
    /// The notices, at most [`NOTICES_MAX`].
    pub notices: Vec<NoticeEntry>,
    /// The number of the newest notice there is.
    pub last_id: u64,
    /// How many have left the outbox, since the journal began, because it was full.
    pub evicted: u64,
}

/// The notices behind number `after`, `limit` of them and [`NOTICES_MAX`] at most; with what they say, if the zone of their
/// times is known, and only what is durable, if that is known.
#[must_use]
pub fn notices(
    books: &Books,
    after: u64,
    limit: usize,
    zone: Option<&TimeZone>,
    durable: Option<Seq>,
) -> NoticeList {
    let outbox = books.notices();
    let durable = durable.unwrap_or(Seq::MAX);
    let notices = outbox.after(after).take(limit.min(NOTICES_MAX));
    let notices = notices.take_while(|notice| notice.subject.seq <= durable);
    NoticeList {
        notices: notices
            .map(|notice| entry(books, notice, zone.map(|zone| (zone, Language::English))))
            .collect(),
        last_id: outbox.last_id(),
        evicted: outbox.evicted(),
    }
}

/// A notice, masked; with what it says in a language, if the zone of its time is known.
pub(crate) fn entry(books: &Books, notice: &Notice, said: Option<(&TimeZone, Language)>) -> NoticeEntry {
    let about = &notice.subject;
    let card = about.card.and_then(|card| books.cards().get(card as usize));
    let phone =
        card.filter(|_| notice.to == Recipient::Cardholder).map(|card| masked_phone(&card.phone.digits()));
    let merchant = books.terminals().get(about.terminal as usize);
    let merchant = merchant.and_then(|terminal| books.merchants().get(terminal.merchant as usize));
    let index = u8::from(notice.to == Recipient::CardManagement);
    NoticeEntry {
        id: notice.id,
        key: format!("{}-{}-{index}", books.epoch_of(about.seq), about.seq),
        record: about.seq,
        time: utc(about.time_ms),
        to: notice.to.name().to_owned(),
        phone,
        cause: about.cause.name().to_owned(),
        rule: (!about.rule.is_empty()).then(|| about.rule.to_string()),
        text: said.and_then(|(zone, language)| text(books, notice, zone, language)),
        card: card_name(books, about.card),
        terminal: terminal_name(books, about.terminal),
        merchant: merchant.map(|merchant| String::from_utf8_lossy(&merchant.id).trim_end().to_owned()),
        kind: about.kind.name().to_owned(),
        amount: about.amount,
        currency: about.currency,
        answer: answer_text(about.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::testing::{History, PHONE};

    #[test]
    fn both_recipients_are_told_and_nothing_is_shown_in_clear() {
        let history = History::of_two_days();
        let after = |id| notices(&history.books, id, NOTICES_MAX, Some(&TimeZone::UTC), None);
        let list = after(0);
        assert_eq!((list.last_id, list.evicted), (2, 0));
        let to: Vec<&str> = list.notices.iter().map(|notice| notice.to.as_str()).collect();
        assert_eq!(to, ["cardholder", "card_management"]);
        assert_eq!(list.notices[0].phone.as_deref(), Some("…123"));
        assert_eq!(list.notices[1].phone, None, "card management needs no telephone");
        assert_eq!(list.notices[0].card.as_deref(), Some("915600…0010"));
        assert_eq!(list.notices[0].answer, "61 amount_limit");
        assert!(!format!("{list:?}").contains(PHONE));
        let keys: Vec<&str> = list.notices.iter().map(|notice| notice.key.as_str()).collect();
        let record = list.notices[0].record;
        assert_eq!(keys, [format!("1-{record}-0"), format!("1-{record}-1")]);
        assert_eq!(after(1).notices.len(), 1);
        assert!(after(2).notices.is_empty());
        let before = notices(&history.books, 0, NOTICES_MAX, None, Some(record - 1));
        assert!(before.notices.is_empty(), "what is not durable is not told");
        let one = notices(&history.books, 0, 1, None, None);
        assert_eq!((one.notices.len(), one.notices[0].text.as_deref()), (1, None));
    }
}
