//! The outbox for people: who is told of what, with cards and telephone numbers masked.

use serde::{Deserialize, Serialize};

use super::{answer_text, card_name, masked_phone, terminal_name, utc};
use crate::{
    books::{
        Books,
        notices::{Notice, Recipient},
    },
    ledger::{Currency, Minor},
};

/// The most notices shown at once; whoever wants more goes on behind the last.
pub const NOTICES_MAX: usize = 1000;

/// One notice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeEntry {
    /// Its number.
    pub id: u64,
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
    /// BIN and last four.
    pub card: Option<String>,
    /// Field 41.
    pub terminal: Option<String>,
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

/// The notices behind number `after`.
#[must_use]
pub fn notices(books: &Books, after: u64) -> NoticeList {
    let outbox = books.notices();
    NoticeList {
        notices: outbox.after(after).take(NOTICES_MAX).map(|notice| entry(books, notice)).collect(),
        last_id: outbox.last_id(),
        evicted: outbox.evicted(),
    }
}

fn entry(books: &Books, notice: &Notice) -> NoticeEntry {
    let about = &notice.subject;
    let card = about.card.and_then(|card| books.cards().get(card as usize));
    let phone =
        card.filter(|_| notice.to == Recipient::Cardholder).map(|card| masked_phone(&card.phone.digits()));
    NoticeEntry {
        id: notice.id,
        time: utc(about.time_ms),
        to: notice.to.name().to_owned(),
        phone,
        cause: about.cause.name().to_owned(),
        rule: (!about.rule.is_empty()).then(|| about.rule.to_string()),
        card: card_name(books, about.card),
        terminal: terminal_name(books, about.terminal),
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
        let list = notices(&history.books, 0);
        assert_eq!((list.last_id, list.evicted), (2, 0));
        let to: Vec<&str> = list.notices.iter().map(|notice| notice.to.as_str()).collect();
        assert_eq!(to, ["cardholder", "card_management"]);
        assert_eq!(list.notices[0].phone.as_deref(), Some("…123"));
        assert_eq!(list.notices[1].phone, None, "card management needs no telephone");
        assert_eq!(list.notices[0].card.as_deref(), Some("915600…0010"));
        assert_eq!(list.notices[0].answer, "61 amount_limit");
        assert!(!format!("{list:?}").contains(PHONE));
        assert_eq!(notices(&history.books, 1).notices.len(), 1);
        assert!(notices(&history.books, 2).notices.is_empty());
    }
}
