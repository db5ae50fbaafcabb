//! Pages that look something up: notices, a card, its statements, a terminal. Cards are asked for by BIN and last four
//! digits, so that no card number stands in a URL.

use std::sync::{Arc, PoisonError};

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
    card::{self, CardMask},
    notices, statement, terminal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticesQuery {
    after: Option<u64>,
}

pub(super) async fn notices(State(admin): State<Admin>, Question(query): Question<NoticesQuery>) -> Response {
    match look(&admin, move |books| notices::notices(books, query.after.unwrap_or(0))).await {
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
    let mask = CardMask { bin: query.bin, last_four: query.last_four };
    match look(&admin, move |books| card::cards(books, mask)).await {
        Some(cards) => Json(cards).into_response(),
        None => stopping(),
    }
}

/// Products and merchants in the order of their positions, by which a fee schedule names them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Parties {
    /// Names of products.
    pub products: Vec<String>,
    /// Field 42 of merchants, without blanks at its end.
    pub merchants: Vec<String>,
}

pub(super) async fn parties(State(admin): State<Admin>) -> Response {
    let parties = look(&admin, |books| Parties {
        products: books.products().iter().map(|product| product.name.clone()).collect(),
        merchants: books
            .merchants()
            .iter()
            .map(|merchant| String::from_utf8_lossy(&merchant.id).trim_end().to_owned())
            .collect(),
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
