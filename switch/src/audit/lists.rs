//! The lists by name, for people: how large each is, who changed it last, and whether a rule looks into it.
//!
//! Start at [`lists`]; [`entry`] says why one thing is on a list.

use risk::language::Key;
use serde::{Deserialize, Serialize};

use super::utc;
use crate::{
    books::{
        Books,
        lists::{
            Change, List,
            key::{ListKey, ListKind},
        },
    },
    hex,
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

/// An entry that is in force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntryView {
    /// Why it is on the list.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// When it ends, RFC 3339 in UTC; none is never.
    pub ends: Option<String>,
    /// The change that brought it.
    pub change: ChangeView,
}

/// Of what an entry is asked for: a card by its position, anything else as a file of entries has it. Telephones are not
/// asked for: they would stand in a URL.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A card of these books.
    Card(u32),
    /// A terminal, a merchant, a BIN or a PSAM.
    Value(String),
}

/// What a list says of something; none if it is not on it, or there is no such list.
#[must_use]
pub fn entry(books: &Books, list: &str, asked: &Asked) -> Option<EntryView> {
    let list = books.lists().named(list)?;
    let key = match (list.kind(), asked) {
        (ListKind::Card, Asked::Card(card)) => ListKey(books.cards().get(*card as usize)?.token.0),
        (ListKind::Bin, Asked::Value(bin)) => ListKey::of(ListKind::Bin, Key::Number(bin.parse().ok()?))?,
        (ListKind::Psam, Asked::Value(number)) => {
            ListKey::of(ListKind::Psam, Key::Text(&hex::bytes::<8>(number)?))?
        }
        (kind @ (ListKind::Terminal | ListKind::Merchant), Asked::Value(id)) => {
            ListKey::of(kind, Key::Text(id.as_bytes()))?
        }
        _ => return None,
    };
    let entry = list.entry(&key, books.time_ms())?;
    Some(EntryView {
        reason: entry.grounds.reason.clone(),
        source: entry.grounds.source.clone(),
        ends: (entry.until_s > 0).then(|| utc(i64::from(entry.until_s) * 1_000)),
        change: change(entry.change),
    })
}

fn view(books: &Books, list: &List) -> Option<ListView> {
    Some(ListView {
        name: list.name().to_owned(),
        kind: list.kind().name().to_owned(),
        entries: list.len(),
        version: list.version(),
        asked: is_asked(books, list.name(), list.kind()),
        last: change(list.changes().last()?),
    })
}

fn change(change: &Change) -> ChangeView {
    let officer = |pick: fn(&(_, _)) -> _| change.officers.as_ref().map(pick);
    ChangeView {
        seq: change.seq,
        at: utc(change.at_ms),
        how: change.how.name().to_owned(),
        author: officer(|(author, _)| author.to_string()),
        approver: officer(|(_, approver)| approver.to_string()),
        added: change.added,
        changed: change.changed,
        removed: change.removed,
    }
}

fn is_asked(books: &Books, name: &str, kind: ListKind) -> bool {
    let Some(rules) = books.rules_in_force() else { return false };
    let code = rules.book().code();
    let mut lists = code.lists().iter().enumerate();
    lists.any(|(place, list)| list.name == name && list.of == kind.fact() && code.asks_list(place))
}
