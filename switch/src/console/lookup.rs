//! Pages that look something up: notices, a card, its statements, a terminal. Cards are asked for by BIN and last four
//! digits, so that no card number stands in a URL.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Admin, busy, failed, joined, look, question::Question, stopping};
use crate::audit::{
    AuditError, alerts,
    card::{CardMask, Search},
    explain, lists, notices, rules, statement, terminal,
};
use crate::journal::Seq;

/// Merchants on one page of parties.
const MERCHANTS_MAX: usize = 4096;

/// Between two pieces of a search: the stages have far more of their time than whoever searches.
const BETWEEN_PIECES: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticesQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn notices(State(admin): State<Admin>, Question(query): Question<NoticesQuery>) -> Response {
    let (after, limit) = (query.after.unwrap_or(0), query.limit.unwrap_or(notices::NOTICES_MAX));
    let zone = admin.outbox.zone.clone();
    // Read in front of the books: whoever is told here must not be told what could still vanish.
    let durable = admin.journal.durable();
    match look(&admin, move |books| notices::notices(books, after, limit, Some(&zone), Some(durable))).await {
        Some(list) => Json(list).into_response(),
        None => stopping(),
    }
}

/// How far the senders of notices are.
pub(super) async fn senders(State(admin): State<Admin>) -> Response {
    match look(&admin, |books| books.notices().last_id()).await {
        Some(last_id) => Json(admin.outbox.status.list(last_id)).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertsQuery {
    after: Option<Seq>,
    all: Option<bool>,
}

pub(super) async fn alerts(State(admin): State<Admin>, Question(query): Question<AlertsQuery>) -> Response {
    let (after, all) = (query.after.unwrap_or(0), query.all.unwrap_or(false));
    match look(&admin, move |books| alerts::alerts(books, after, all)).await {
        Some(list) => Json(list).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardsQuery {
    bin: u32,
    last_four: u16,
}

pub(super) async fn cards(State(admin): State<Admin>, Question(query): Question<CardsQuery>) -> Response {
    let Ok(_searching) = admin.searching.try_acquire() else {
        let why = "cards are being looked for for somebody else; ask again later\n";
        return (StatusCode::TOO_MANY_REQUESTS, why).into_response();
    };
    let mut search = Search::new(CardMask { bin: query.bin, last_four: query.last_four });
    loop {
        let looked = look(&admin, move |books| {
            let views = search.step(books).then(|| search.views(books));
            (search, views)
        });
        match looked.await {
            Some((_, Some(cards))) => return Json(cards).into_response(),
            Some((further, None)) => search = further,
            None => return stopping(),
        }
        tokio::time::sleep(BETWEEN_PIECES).await;
    }
}

pub(super) async fn rules(State(admin): State<Admin>) -> Response {
    match look(&admin, rules::in_force).await {
        Some(set) => Json(set).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryQuery {
    list: String,
    card: Option<u32>,
    value: Option<String>,
}

/// What a list says of something.
pub(super) async fn entry(State(admin): State<Admin>, Question(query): Question<EntryQuery>) -> Response {
    let EntryQuery { list, card, value } = query;
    let asked = match (card, value) {
        (Some(card), None) => lists::Asked::Card(card),
        (None, Some(value)) => lists::Asked::Value(value),
        _ => return (StatusCode::BAD_REQUEST, "ask for a card or a value\n").into_response(),
    };
    match look(&admin, move |books| lists::entry(books, &list, &asked)).await {
        Some(entry) => Json(entry).into_response(),
        None => stopping(),
    }
}

pub(super) async fn lists(State(admin): State<Admin>) -> Response {
    match look(&admin, lists::lists).await {
        Some(lists) => Json(lists).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    rrn: Option<u64>,
    record: Option<Seq>,
}

/// Replays the journal up to a decision, on a thread of its own and one at a time.
pub(super) async fn explain(State(admin): State<Admin>, Question(query): Question<ExplainQuery>) -> Response {
    let Ok(replaying) = admin.replaying.clone().try_acquire_owned() else { return busy() };
    let reader = Arc::clone(&admin.reader);
    let explained = tokio::task::spawn_blocking(move || {
        let _replaying = replaying;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let records = match (query.record, query.rrn) {
            (Some(record), _) => vec![record],
            (None, Some(rrn)) => explain::records_of(reader.as_ref(), rrn)?,
            (None, None) => Vec::new(),
        };
        let explained =
            records.into_iter().map(|record| explain::explain(reader.as_ref(), record, &mut |_| ()));
        let explained: Result<Vec<_>, AuditError> = explained.collect();
        Ok(explained?.into_iter().flatten().collect::<Vec<_>>())
    });
    match joined::<_, AuditError>(explained).await {
        Ok(explained) => Json(explained).into_response(),
        Err(error) => failed(&error),
    }
}

/// Products and merchants in the order of their positions, by which a fee schedule names them. A page of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Parties {
    /// Names of products; only on the first page.
    pub products: Vec<String>,
    /// Field 42 of merchants, without blanks at its end, at most 4096.
    pub merchants: Vec<String>,
    /// Behind how many merchants the next page begins, if there is one.
    pub next: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartiesQuery {
    behind: Option<usize>,
}

pub(super) async fn parties(State(admin): State<Admin>, Question(query): Question<PartiesQuery>) -> Response {
    let behind = query.behind.unwrap_or(0);
    let parties = look(&admin, move |books| {
        let products = books.products().iter().filter(|_| behind == 0);
        let merchants = books.merchants().iter().skip(behind).take(MERCHANTS_MAX);
        let more = behind.saturating_add(MERCHANTS_MAX);
        Parties {
            products: products.map(|product| product.name.clone()).collect(),
            merchants: merchants
                .map(|merchant| String::from_utf8_lossy(&merchant.id).trim_end().to_owned())
                .collect(),
            next: (more < books.merchants().len()).then_some(more),
        }
    });
    match parties.await {
        Some(parties) => Json(parties).into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementsQuery {
    bin: u32,
    last_four: u16,
    first: String,
    last: String,
}

pub(super) async fn statements(
    State(admin): State<Admin>,
    Question(query): Question<StatementsQuery>,
) -> Response {
    let StatementsQuery { bin, last_four, first, last } = query;
    let (Ok(first), Ok(last)) = (first.parse::<Date>(), last.parse::<Date>()) else {
        return (StatusCode::BAD_REQUEST, "a day is written like 2026-11-21\n").into_response();
    };
    let Ok(replaying) = admin.replaying.clone().try_acquire_owned() else { return busy() };
    let reader = Arc::clone(&admin.reader);
    let made = tokio::task::spawn_blocking(move || {
        // Kept here, not beside: whoever asked may hang up, and the replay goes on.
        let _replaying = replaying;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let until = reader.head().seq;
        statement::statements(reader.as_ref(), until, CardMask { bin, last_four }, (first, last), &mut |_| ())
    });
    match joined(made).await {
        Ok(statements) => Json(statements).into_response(),
        Err(error) => failed(&error),
    }
}

pub(super) async fn terminal(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    match look(&admin, move |books| terminal::terminal(books, &id)).await {
        Some(Some(terminal)) => Json(terminal).into_response(),
        Some(None) => (StatusCode::NOT_FOUND, "no such terminal\n").into_response(),
        None => stopping(),
    }
}
