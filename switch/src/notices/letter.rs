//! A notice as it is sent.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::contacts::{Contact, Contacts};
use crate::{
    audit::notices::{NoticeEntry, entry},
    books::{
        Books,
        notices::{Cause, Notice, Recipient},
    },
};

/// A notice with all that senders ask of it. `Debug` shows no address.
#[derive(Clone)]
pub struct Letter {
    /// What is told, cards and telephone numbers masked.
    pub entry: NoticeEntry,
    /// Who is told.
    pub to: Recipient,
    /// Why.
    pub cause: Cause,
    /// Time of its record, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Where the cardholder can be reached.
    pub contact: Contact,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").field("key", &self.entry.key).finish_non_exhaustive()
    }
}

/// A letter as JSON.
#[derive(Serialize)]
pub(super) struct Written<'a> {
    #[serde(flatten)]
    entry: &'a NoticeEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address<'a>>,
}

#[derive(Serialize)]
struct Address<'a> {
    phone: Option<&'a str>,
    email: Option<&'a str>,
    language: &'static str,
}

impl Letter {
    /// Of a notice: the telephone is that of the file of contacts, or else the one that is linked to the card.
    pub(super) fn of(books: &Books, notice: &Notice, contacts: &Contacts, zone: &TimeZone) -> Self {
        let card = notice.subject.card.and_then(|card| books.cards().get(card as usize));
        let known = card.as_ref().and_then(|card| contacts.get(&card.token.0));
        let mut contact = known.cloned().unwrap_or_default();
        if let (None, Some(card)) = (&contact.phone, &card)
            && !card.phone.is_empty()
        {
            contact.phone = Some(card.phone.digits().as_str().into());
        }
        Self {
            entry: entry(books, notice, Some((zone, contact.language))),
            to: notice.to,
            cause: notice.subject.cause,
            time_ms: notice.subject.time_ms,
            contact,
        }
    }

    /// As JSON, with the cardholder's addresses if they are asked for; card management never needs them.
    pub(super) fn written(&self, addresses: bool) -> Written<'_> {
        let address = (addresses && self.to == Recipient::Cardholder).then(|| Address {
            phone: self.contact.phone.as_deref(),
            email: self.contact.email.as_deref(),
            language: self.contact.language.name(),
        });
        Written { entry: &self.entry, address }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::notices::contacts::Language;

    /// A letter with this number to a cardholder.
    pub(crate) fn letter(id: u64) -> Letter {
        let entry = NoticeEntry {
            id,
            key: format!("1-{id}-0"),
            record: id,
            time: String::new(),
            to: "cardholder".to_owned(),
            phone: None,
            cause: "rules".to_owned(),
            rule: None,
            text: Some("told".to_owned()),
            card: None,
            terminal: None,
            merchant: None,
            kind: String::new(),
            amount: 0,
            currency: 0,
            answer: String::new(),
        };
        let contact = Contact {
            email: Some("wang@mail.example".into()),
            phone: Some("+8610000000001".into()),
            language: Language::English,
        };
        Letter { entry, to: Recipient::Cardholder, cause: Cause::Rules, time_ms: 0, contact }
    }
}
