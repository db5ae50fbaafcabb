//! The lists by name, for people: how large each is, who changed it last, and whether a rule looks into it.
//!
//! Start at [`lists`].

use serde::{Deserialize, Serialize};

use super::utc;
use crate::{
    books::{
        Books,
        lists::{List, key::ListKind},
    },
    journal::Seq,
};

/// A list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ListView {
    /// Its name.
    pub name: String,
    /// What it is a list of.
    pub kind: String,
    /// How many entries it has, some of which may be over.
    pub entries: usize,
    /// How many changes it has had.
    pub version: u32,
    /// Whether a rule in force, live or in shadow, looks something up in it.
    pub asked: bool,
    /// Its last change.
    pub last: ChangeView,
}

/// A change of a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChangeView {
    /// The record that put it in force.
    pub seq: Seq,
    /// When that was, RFC 3339 in UTC.
    pub at: String,
    /// `add`, `remove` or `replace`.
    pub how: String,
    /// Who made it.
    pub author: Option<String>,
    /// Who approved it.
    pub approver: Option<String>,
    /// Entries that came on the list.
    pub added: u32,
    /// Entries that got another reason or end.
    pub changed: u32,
    /// Entries that are not on it any more.
    pub removed: u32,
}

/// All lists, the oldest first.
#[must_use]
pub fn lists(books: &Books) -> Vec<ListView> {
    books.lists().iter().filter_map(|list| view(books, list)).collect()
}

fn view(books: &Books, list: &List) -> Option<ListView> {
    let last = list.changes().last()?;
    let officer = |pick: fn(&(_, _)) -> _| last.officers.as_ref().map(pick);
    Some(ListView {
        name: list.name().to_owned(),
        kind: list.kind().name().to_owned(),
        entries: list.len(),
        version: list.version(),
        asked: is_asked(books, list.name(), list.kind()),
        last: ChangeView {
            seq: last.seq,
            at: utc(last.at_ms),
            how: last.how.name().to_owned(),
            author: officer(|(author, _)| author.to_string()),
            approver: officer(|(_, approver)| approver.to_string()),
            added: last.added,
            changed: last.changed,
            removed: last.removed,
        },
    })
}

fn is_asked(books: &Books, name: &str, kind: ListKind) -> bool {
    let Some(rules) = books.rules_in_force() else { return false };
    let code = rules.book().code();
    let mut lists = code.lists().iter().enumerate();
    lists.any(|(place, list)| list.name == name && list.of == kind.fact() && code.asks_list(place))
}
